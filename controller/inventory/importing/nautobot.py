"""Nautobot 2 and later, read with pynautobot. Nothing is written there.

Answers name related objects by their id (``depth=0``, the default of its REST API), so locations, roles, platforms and
addresses are read beside the devices. Unverified: the form of 2.4 as it is generally known; no server was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.inventory.importing.model import Said, SaidDevice, SaidSite
from controller.inventory.importing.rest import PAGE, asked, missing, plain, session_for, text, token_of
from core.secret import SecretRef


def read_nautobot(url: str, token: SecretRef | None, *, filters: Mapping[str, str], ca_file: str | None = None) -> Said:
    """All locations and prefixes, and the devices that ``filters`` choose. Raises ``SourceFailed``."""
    session = session_for(url, ca_file)
    try:
        import pynautobot
    except ImportError as exc:
        raise missing("pynautobot") from exc

    def read() -> Said:
        api = pynautobot.api(url, token=token_of(token))  # type: ignore[no-untyped-call]
        api.http_session = session
        devices = api.dcim.devices.filter(**filters) if filters else api.dcim.devices.all(limit=PAGE)
        return said(
            locations=plain(api.dcim.locations.all(limit=PAGE)),
            devices=plain(devices),
            prefixes=plain(api.ipam.prefixes.all(limit=PAGE)),
            platforms=plain(api.dcim.platforms.all(limit=PAGE)),
            roles=plain(api.extras.roles.all(limit=PAGE)),
            addresses=plain(api.ipam.ip_addresses.all(limit=PAGE)),
        )

    return asked(read)


def said(
    *,
    locations: list[dict[str, Any]],
    devices: list[dict[str, Any]],
    prefixes: list[dict[str, Any]],
    platforms: list[dict[str, Any]],
    roles: list[dict[str, Any]],
    addresses: list[dict[str, Any]],
) -> Said:
    """A location becomes a site when a device or a prefix with a role is in it."""
    drivers, names, hosts = _by_id(platforms), _by_id(roles), _by_id(addresses)
    nets: dict[str, list[tuple[str, str]]] = {}
    for prefix in prefixes:
        role = text(names.get(text(prefix, "role", "id"), {}), "name")
        if role:
            nets.setdefault(text(prefix, "location", "id"), []).append((role, text(prefix, "prefix")))
    places = _by_id(locations)
    used = {text(d, "location", "id") for d in devices} | set(nets)
    return Said(
        sites=tuple(
            SaidSite(
                name=text(place, "name"),
                title=text(place, "name"),
                time_zone=text(place, "time_zone"),
                networks=tuple(nets.get(key, ())),
            )
            for key, place in places.items()
            if key in used
        ),
        devices=tuple(
            SaidDevice(
                name=text(d, "name"),
                site=text(places.get(text(d, "location", "id"), {}), "name"),
                host=text(hosts.get(text(d, "primary_ip4", "id") or text(d, "primary_ip6", "id"), {}), "host"),
                platforms=_words(drivers.get(text(d, "platform", "id"), {})),
            )
            for d in devices
        ),
    )


def _words(platform: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, (text(platform, "network_driver"), text(platform, "name"))))


def _by_id(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {text(record, "id"): record for record in records}
