"""Nornir's SimpleInventory: ``hosts.yaml``, and beside it ``groups.yaml`` and ``defaults.yaml``, if they are there.

A host's own value wins, then those of its groups in their order, each followed by its own groups; then the defaults.
``data`` is inherited key by key. Source: Nornir's documentation, "Inventory"; ``nornir.core.inventory.Host``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from controller.inventory.importing.ansible import pairs
from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import Said, SaidDevice, SaidSite


def parse_nornir(hosts: str, groups: str = "", defaults: str = "") -> Said:
    """``data`` may hold ``site``, ``site_title``, ``time_zone`` and ``networks``. Raises ``SourceFailed``."""
    machines, families, last = (
        _mapping(text, name) for text, name in ((hosts, "hosts"), (groups, "groups"), (defaults, "defaults"))
    )
    sites: dict[str, SaidSite] = {}
    devices = []
    for name, host in machines.items():
        layers = [*_layers(host, families, ()), last]
        site = _word(_data(layers, "site"))
        secret = _own(layers, "password")
        devices.append(
            SaidDevice(
                name=_word(name),
                site=site,
                host=_word(_own(layers, "hostname")) or _word(name),
                port=_word(_own(layers, "port")),
                platforms=tuple(filter(None, (_word(_data(layers, "vendor")), _word(_own(layers, "platform"))))),
                username=_word(_own(layers, "username")),
                secrets={"password": _word(secret)} if secret else {},
            )
        )
        before = sites.get(site, SaidSite(name=site))
        sites[site] = SaidSite(
            name=site,
            title=before.title or _word(_data(layers, "site_title")),
            time_zone=before.time_zone or _word(_data(layers, "time_zone")),
            networks=(*before.networks, *pairs(_data(layers, "networks"))),
        )
    return Said(sites=tuple(site for site in sites.values() if site.name), devices=tuple(devices))


def _mapping(text: str, name: str) -> dict[Any, Any]:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise SourceFailed(f"{name}.yaml is no YAML", hint="Nornir's SimpleInventory is meant") from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceFailed(f"{name}.yaml is no mapping", hint="Nornir's SimpleInventory is meant")
    return found


def _layers(thing: object, groups: Mapping[Any, Any], seen: tuple[object, ...]) -> Iterator[Mapping[Any, Any]]:
    """The host, then its groups; a group that is its own ancestor is asked once."""
    if not isinstance(thing, dict):
        return
    yield thing
    of = thing.get("groups")
    for name in of if isinstance(of, list) else ():
        if isinstance(name, str) and name not in seen:
            yield from _layers(groups.get(name), groups, (*seen, name))


def _own(layers: list[Mapping[Any, Any]], key: str) -> object:
    return next((layer[key] for layer in layers if layer.get(key) is not None), None)


def _data(layers: list[Mapping[Any, Any]], key: str) -> object:
    return _own([data for layer in layers if isinstance(data := layer.get("data"), dict)], key)


def _word(value: object) -> str:
    """Words and numbers; what has another shape is nothing."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
