"""NetBox, read with pynetbox: ``dcim/sites``, ``dcim/devices`` and ``ipam/prefixes``. Nothing is written there.

Unverified: the form of the answers is that of 3.7 (``site`` of a prefix) and of 4.2 and later (``scope_type`` and
``scope`` instead) as it is generally known; no server was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.inventory.importing.model import Said, SaidDevice, SaidSite
from controller.inventory.importing.rest import PAGE, asked, missing, plain, session_for, text, token_of
from core.secret import SecretRef


def read_netbox(url: str, token: SecretRef | None, *, filters: Mapping[str, str], ca_file: str | None = None) -> Said:
    """All sites and prefixes, and the devices that ``filters`` choose. Raises ``SourceFailed``."""
    session = session_for(url, ca_file)
    try:
        import pynetbox
    except ImportError as exc:
        raise missing("pynetbox") from exc
    api = pynetbox.api(url, token=token_of(token))  # type: ignore[no-untyped-call]
    api.http_session = session

    def read() -> Said:
        devices = api.dcim.devices.filter(limit=PAGE, **filters) if filters else api.dcim.devices.all(limit=PAGE)
        return said(plain(api.dcim.sites.all(limit=PAGE)), plain(devices), plain(api.ipam.prefixes.all(limit=PAGE)))

    return asked(read)


def said(sites: list[dict[str, Any]], devices: list[dict[str, Any]], prefixes: list[dict[str, Any]]) -> Said:
    """A device is reached at its primary address, IPv4 first. Prefixes without role or site are none of ours."""
    nets: dict[str, list[tuple[str, str]]] = {}
    for prefix in prefixes:
        if role := text(prefix, "role", "slug"):
            nets.setdefault(_site_of(prefix), []).append((role, text(prefix, "prefix")))
    return Said(
        sites=tuple(
            SaidSite(
                name=text(site, "slug"),
                title=text(site, "name"),
                time_zone=text(site, "time_zone"),
                networks=tuple(nets.get(text(site, "slug"), ())),
            )
            for site in sites
        ),
        devices=tuple(
            SaidDevice(
                name=text(d, "name"),
                site=text(d, "site", "slug"),
                host=text(d, "primary_ip4", "address") or text(d, "primary_ip", "address"),
                platforms=tuple(filter(None, (text(d, "platform", "slug"), text(d, "platform", "name")))),
            )
            for d in devices
        ),
    )


def _site_of(prefix: Mapping[str, Any]) -> str:
    if prefix.get("scope_type") == "dcim.site":
        return text(prefix, "scope", "slug")
    return text(prefix, "site", "slug")
