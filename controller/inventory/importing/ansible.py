"""What ``ansible-inventory --list`` prints: groups, and the variables of each host already merged under ``_meta``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import Said, SaidDevice, SaidSite

_PASSWORDS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")


def parse_ansible(text: str) -> Said:
    """The variables ``tokgate_site`` (or ``site``), ``tokgate_time_zone`` and ``tokgate_networks`` say what Ansible has
    no word for. Hosts without ``ansible_network_os`` and ``tokgate_vendor`` are listed. Raises ``SourceFailed``."""
    try:
        data = json.loads(text)
        hosts = data["_meta"]["hostvars"]
        groups = [group for group in data.values() if isinstance(group, dict)]
        named: dict[str, dict[str, Any]] = {str(host): {} for group in groups for host in group.get("hosts") or ()}
        merged = {**named, **{str(name): v if isinstance(v, dict) else {} for name, v in hosts.items()}}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise SourceFailed(
            "not what `ansible-inventory --list` prints", hint="write it with `ansible-inventory --list > FILE`"
        ) from exc
    devices = tuple(_device(name, values) for name, values in sorted(merged.items()))
    sites: dict[str, SaidSite] = {}
    for values in merged.values():
        if name := _text(values, "tokgate_site", "site"):
            before = sites.get(name, SaidSite(name=name))
            sites[name] = SaidSite(
                name=name,
                title=before.title or _text(values, "tokgate_site_title"),
                time_zone=before.time_zone or _text(values, "tokgate_time_zone"),
                networks=(*before.networks, *pairs(values.get("tokgate_networks"))),
            )
    return Said(sites=tuple(sites.values()), devices=devices)


def pairs(networks: object) -> tuple[tuple[str, str], ...]:
    """``{company: [10.0.0.0/24]}`` as pairs; whatever has another shape is nothing."""
    if not isinstance(networks, Mapping):
        return ()
    return tuple(
        (str(role), net)
        for role, nets in networks.items()
        if isinstance(nets, list)
        for net in nets
        if isinstance(net, str)
    )


def _device(name: str, values: Mapping[str, Any]) -> SaidDevice:
    given = {"password": _text(values, *_PASSWORDS)}
    return SaidDevice(
        name=name,
        site=_text(values, "tokgate_site", "site"),
        host=_text(values, "ansible_host", "ansible_ssh_host") or name,
        port=_text(values, "ansible_port", "ansible_ssh_port"),
        platforms=tuple(filter(None, (_text(values, "tokgate_vendor"), _text(values, "ansible_network_os")))),
        username=_text(values, "ansible_user", "ansible_ssh_user"),
        secrets={key: value for key, value in given.items() if value},
    )


def _text(values: Mapping[str, Any], *keys: str) -> str:
    """The first of the keys that holds a word or a number; Ansible's vaulted values are mappings, so they are none."""
    return next((str(v) for k in keys if isinstance(v := values.get(k), str | int) and not isinstance(v, bool)), "")
