"""What a source said, and what of it fits an inventory. Pure: every name, address and zone is judged here, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Final

from controller.inventory.fields import parse_host, parse_login, parse_name, parse_net, parse_role, parse_zone
from controller.inventory.importing.platforms import vendor_of
from vendors.reference import parse_secret

SECRETS: Final = ("password", "key_file", "key_passphrase")


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidSite:
    """A site in the words of a source. ``networks`` are pairs of role and prefix."""

    name: str
    title: str = ""
    time_zone: str = ""
    networks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidDevice:
    """A device in the words of a source. Of ``platforms`` the first that maps to a vendor counts."""

    name: str
    site: str = ""
    host: str = ""
    port: str = ""
    platforms: tuple[str, ...] = ()
    username: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


MAX_DEVICES: Final = 100_000
"""Of one source: ten times the fleet that tokgate is made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """All that a source said."""

    sites: tuple[SaidSite, ...] = ()
    devices: tuple[SaidDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSite:
    """A site as an inventory has it. ``time_zone`` None: the source does not say."""

    title: str | None = None
    time_zone: str | None = None
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """A device as an inventory has it: ``fields`` are its keys there."""

    site: str
    fields: Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What fits an inventory; ``left_out`` says of everything else what it was and why. ``names``: all devices that
    the source has, those left out too, so that none of them passes for gone."""

    sites: Mapping[str, FoundSite]
    devices: Mapping[str, FoundDevice]
    names: frozenset[str]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person says about a source: ``site`` is where devices without one go; the maps are theirs → ours."""

    site: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    platforms: Mapping[str, str] = field(default_factory=dict)


def slug(text: str, *, longest: int = 40) -> str:
    """``Berlin HQ_2`` → ``berlin-hq-2``; empty when nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].rstrip("-")


def shown(text: object) -> str:
    """A stranger's text, short and printable."""
    return repr(str(text)[:60])


def fitted(said: Said, wishes: Wishes) -> Reading:
    """What of ``said`` an inventory can hold. Never raises: what does not fit is listed."""
    out: list[str] = []
    sites = _sites(said.sites, wishes, out)
    devices: dict[str, FoundDevice] = {}
    names: set[str] = set()
    for one in sorted(said.devices, key=lambda d: d.name):
        name = slug(one.name)
        names.add(name)
        try:
            found = _device(one, wishes, out)
            if parse_name(name) in devices:
                raise ValueError(f"another device becomes {name!r} too")  # noqa: TRY301  # one place says it
        except ValueError as exc:
            out.append(f"device {shown(one.name)}: {exc}")
            continue
        devices[name] = found
        sites.setdefault(found.site, FoundSite())
    return Reading(sites=sites, devices=devices, names=frozenset(names), left_out=tuple(out))


def _sites(said: Iterable[SaidSite], wishes: Wishes, out: list[str]) -> dict[str, FoundSite]:
    sites: dict[str, FoundSite] = {}
    for one in sorted(said, key=lambda s: s.name):
        name = slug(one.name)
        if not name or name in sites:
            out.append(f"site {shown(one.name)}: " + (f"another site becomes {name!r} too" if name else "has no name"))
            continue
        zone = _kept(parse_zone, one.time_zone, f"site {name}: time zone", out)
        title = " ".join("".join(c for c in one.title if c.isprintable()).split())[:80] or None
        sites[name] = FoundSite(title=title, time_zone=zone, networks=_networks(name, one, wishes, out))
    return sites


def _networks(site: str, said: SaidSite, wishes: Wishes, out: list[str]) -> dict[str, tuple[str, ...]]:
    taken: dict[str, str] = {}
    for theirs, prefix in sorted(set(said.networks)):
        role = wishes.roles.get(theirs, slug(theirs, longest=32))
        try:
            network = str(parse_net(prefix))
            if taken.setdefault(network, parse_role(role)) != role:
                raise ValueError(f"is in role {taken[network]!r} already")  # noqa: TRY301  # one place says it
        except ValueError as exc:
            out.append(f"site {site}: prefix {shown(prefix)} of role {shown(theirs)}: {exc}")
    roles = sorted(set(taken.values()))
    return {role: tuple(net for net, its in taken.items() if its == role) for role in roles}


def _device(said: SaidDevice, wishes: Wishes, out: list[str]) -> FoundDevice:
    """Raises ``ValueError``: why it cannot be in an inventory."""
    vendor = vendor_of(said.platforms, wishes.platforms)
    if vendor is None:
        told = ", ".join(shown(p) for p in said.platforms) or "none"
        raise ValueError(f"its platform maps to no vendor of tokgate: {told}")
    site = slug(said.site) or (wishes.site or "")
    if not site:
        raise ValueError("it has no site; name one with --site")
    if not said.host:
        raise ValueError("it has no address")
    fields: dict[str, str | int] = {"vendor": vendor, "host": _host(said.host)}
    if said.port:
        if not said.port.isascii() or not said.port.isdigit() or not 0 < int(said.port[:9]) < 65536:
            raise ValueError(f"{shown(said.port)} is no port")
        fields["port"] = int(said.port)
    if login := _kept(parse_login, said.username, f"device {slug(said.name)}: user name", out):
        fields["username"] = login
    for key, value in said.secrets.items():
        try:
            fields[key] = str(parse_secret(value))
        except ValueError:  # never with the value: it may be the password
            out.append(
                f"device {slug(said.name)}: {key} is no secret:// reference, so it is not taken; give one by hand"
            )
    return FoundDevice(site=site, fields=fields)


def _host(text: str) -> str:
    """``10.0.0.1/24`` of an interface is the address alone."""
    return parse_host(str(ip_interface(text).ip) if "/" in text else text)


def _kept(parse: Callable[[object], str], text: str, what: str, out: list[str]) -> str | None:
    if not text:
        return None
    try:
        return str(parse(text))
    except ValueError as exc:
        out.append(f"{what}: {exc}")
        return None
