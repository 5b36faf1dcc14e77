"""What only several keys together can have wrong. Works on plain data, whatever else is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from controller.inventory.document import Document, Problem, Spot, dotted
from controller.inventory.fields import did_you_mean, parse_host, parse_net
from core.net import Network, is_address
from ipsets.catalogue import Catalogue
from vendors.registry import known_vendors


def cross_problems(document: Document) -> Iterator[Problem]:
    """Everything below, over the whole document."""
    for check in (
        _policies,
        _networks,
        _vendors,
        _credentials,
        _device_names,
        _device_addresses,
        _feeds,
        _feed_groups,
        _access,
        _sensors,
        _listeners,
        _exports,
        _reports,
    ):
        yield from check(document)


def sites(data: Any) -> Iterator[tuple[Spot, dict[str, Any]]]:
    for name, site in _mapping(_mapping(data).get("sites")).items():
        yield ("sites", name), _mapping(site)


def devices(data: Any) -> Iterator[tuple[Spot, dict[str, Any]]]:
    """Every device that is written as a mapping, with its place."""
    for spot, site in sites(data):
        for name, device in _mapping(site.get("devices")).items():
            if isinstance(device, dict):
                yield (*spot, "devices", name), device


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _access(document: Document) -> Iterator[Problem]:
    """The sites of every rule exist."""
    known = _mapping(_mapping(document.data).get("sites"))
    rules = _mapping(_mapping(document.data).get("access")).get("rules")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        named = _mapping(rule).get("sites")
        for place, name in enumerate(named if isinstance(named, list) else ()):
            if isinstance(name, str) and name not in known:
                spot: Spot = ("access", "rules", number, "sites", place)
                yield document.problem(spot, f"no site {name[:40]!r}{did_you_mean(name, known)}")


def _sensors(document: Document) -> Iterator[Problem]:
    """The site of every sensor exists, is that of the device of its name, and no address is two senders'."""
    known = _mapping(_mapping(document.data).get("sites"))
    of_devices = {str(spot[-1]): str(spot[1]) for spot, _ in devices(document.data)}
    seen: dict[Network, Spot] = {}
    for name, sensor in _mapping(_mapping(_mapping(document.data).get("evidence")).get("sensors")).items():
        spot: Spot = ("evidence", "sensors", name)
        given = _mapping(sensor)
        site, addresses = given.get("site"), given.get("addresses")
        if isinstance(site, str) and site not in known:
            yield document.problem((*spot, "site"), f"no site {site[:40]!r}{did_you_mean(site, known)}")
        elif isinstance(site, str) and of_devices.get(name, site) != site:
            said = f"device {name!r} is at site {of_devices[name]!r}; a sensor of that name says more about it"
            yield document.problem((*spot, "site"), said)
        for number, text in enumerate(addresses if isinstance(addresses, list) else ()):
            try:
                network = parse_net(text)
            except ValueError:
                continue  # said where the shape is checked
            if network in seen:
                first = seen[network]
                said = f"{network} is already of sensor {first[2]!r} (line {document.line(first)})"
                yield document.problem((*spot, "addresses", number), said)
            seen.setdefault(network, (*spot, "addresses", number))


def _listeners(document: Document) -> Iterator[Problem]:
    """No two listen at one place."""
    listeners = _mapping(_mapping(document.data).get("evidence")).get("listen")
    seen: dict[tuple[bool, str], int] = {}
    for number, listener in enumerate(listeners if isinstance(listeners, list) else ()):
        at, over = _mapping(listener).get("at"), _mapping(listener).get("over")
        if not isinstance(at, str) or at.endswith(":0"):
            continue
        key = (over in ("udp", "netflow"), at)
        if key in seen:
            where = document.line(("evidence", "listen", seen[key]))
            yield document.problem(("evidence", "listen", number, "at"), f"{at} is already listened at (line {where})")
        seen.setdefault(key, number)


def _exports(document: Document) -> Iterator[Problem]:
    """The sites that are exported exist."""
    known = _mapping(_mapping(document.data).get("sites"))
    for name, export in _mapping(_mapping(document.data).get("exports")).items():
        named = _mapping(export).get("sites")
        for place, site in enumerate(named if isinstance(named, list) else ()):
            if isinstance(site, str) and site not in known:
                spot: Spot = ("exports", name, "sites", place)
                yield document.problem(spot, f"no site {site[:40]!r}{did_you_mean(site, known)}")


def _reports(document: Document) -> Iterator[Problem]:
    """The sites of scheduled reports exist, and what goes by mail has a server."""
    known, data = _mapping(_mapping(document.data).get("sites")), _mapping(document.data)
    for name, report in _mapping(data.get("reports")).items():
        site = _mapping(report).get("site")
        if isinstance(site, str) and site not in known:
            yield document.problem(("reports", name, "site"), f"no site {site[:40]!r}{did_you_mean(site, known)}")
        targets = _mapping(report).get("to")
        for place, target in enumerate(targets if isinstance(targets, list) else ()):
            if _mapping(target).get("mail") and "mail" not in data:
                spot: Spot = ("reports", name, "to", place)
                yield document.problem(spot, "goes by mail, and `mail` does not say which server takes it")


def _policies(document: Document) -> Iterator[Problem]:
    """Every site's policy exists and names every role of the site."""
    policies = _mapping(_mapping(document.data).get("policies"))
    for spot, site in sites(document.data):
        name = site.get("policy")
        if not isinstance(name, str):
            continue
        if name not in policies:
            yield document.problem((*spot, "policy"), f"no policy {name[:40]!r}{did_you_mean(name, policies)}")
            continue
        roles = _mapping(policies[name]).get("roles")
        for role in _mapping(site.get("networks")):
            if isinstance(roles, dict) and role not in roles:
                said = f"policy {name!r} does not name this role{did_you_mean(role, roles)}"
                yield document.problem((*spot, "networks", role), said)


def _networks(document: Document) -> Iterator[Problem]:
    """No network is named twice at one site, be it in one role or in two."""
    for spot, site in sites(document.data):
        seen: dict[Network, Spot] = {}
        for place, network in _parsed_networks(spot, site):
            if network in seen:
                first = seen[network]
                also = dotted(first[3:-1]) if first[:-1] == place[:-1] else f"role {first[-2]!r}"
                said = f"{network} is already in {also or 'this list'} (line {document.line(first)})"
                yield document.problem(place, said)
            seen.setdefault(network, place)


def _parsed_networks(spot: Spot, site: dict[str, Any]) -> Iterator[tuple[Spot, Network]]:
    for role, members in _mapping(site.get("networks")).items():
        for number, member in enumerate(members if isinstance(members, list) else ()):
            try:
                yield (*spot, "networks", role, number), parse_net(member)
            except ValueError:
                continue  # said where the shape is checked


def chosen(document: Document, catalogue: Catalogue) -> Iterator[Problem]:
    """Every service, app and owner that a policy chooses is known, and may be chosen."""
    refusals: Mapping[str, tuple[Collection[str], Callable[[str], str | None]]] = {
        "services": (catalogue.services, lambda _: None),
        "apps": (catalogue.single_apps, catalogue.refusal_of_app),
        "owners": (catalogue.single_owners, catalogue.refusal_of_owner),
    }
    for name, policy in _mapping(_mapping(document.data).get("policies")).items():
        for key, (known, refusal) in refusals.items():
            for spot, choice in _choices(("policies", name, key), _mapping(policy).get(key)):
                if why := refusal(choice):
                    yield document.problem(spot, f"{choice!r} cannot be chosen: {why}")
                elif choice not in known:
                    said = f"no {key.removesuffix('s')} {choice[:40]!r}{did_you_mean(choice, known)}"
                    yield document.problem(spot, said)


def _choices(spot: Spot, given: Any) -> Iterator[tuple[Spot, str]]:
    if isinstance(given, str):
        yield spot, given
    for number, choice in enumerate(given if isinstance(given, list) else ()):
        if isinstance(choice, str):
            yield (*spot, number), choice


def _vendors(document: Document) -> Iterator[Problem]:
    known = known_vendors()
    for spot, device in devices(document.data):
        vendor = device.get("vendor")
        if isinstance(vendor, str) and vendor not in known:
            yield document.problem((*spot, "vendor"), f"unknown vendor {vendor[:40]!r}{did_you_mean(vendor, known)}")


def _credentials(document: Document) -> Iterator[Problem]:
    """Every device has a way to log in; a passphrase has a key."""
    defaults = _mapping(_mapping(_mapping(document.data).get("defaults")).get("device"))
    for spot, device in devices(document.data):
        own = {key for key in ("password", "key_file", "key_passphrase") if device.get(key) is not None}
        used = own or {key for key in ("password", "key_file", "key_passphrase") if defaults.get(key) is not None}
        if not used & {"password", "key_file"}:
            yield document.problem(spot, "no way to log in: give `key_file` or `password`, here or in defaults.device")
        elif "key_passphrase" in used and "key_file" not in used:
            yield document.problem(
                spot, "`key_passphrase` without `key_file`; a device's own credentials replace all defaults"
            )


def _device_names(document: Document) -> Iterator[Problem]:
    seen: dict[str, Spot] = {}
    for spot, _ in devices(document.data):
        name = str(spot[-1])
        if name in seen:
            said = f"a device of this name is already at site {seen[name][1]!r} (line {document.line(seen[name])})"
            yield document.problem(spot, said)
        seen.setdefault(name, spot)


def _device_addresses(document: Document) -> Iterator[Problem]:
    """One firewall under two names would be changed by two hands at once (I8)."""
    default = _mapping(_mapping(_mapping(document.data).get("defaults")).get("device")).get("port") or 22
    seen: dict[tuple[str, Any], Spot] = {}
    for spot, device in devices(document.data):
        try:
            address = (parse_host(device.get("host")), str(device.get("port") or default))
        except ValueError:
            continue  # said where the shape is checked
        if address in seen:
            first = f"device {seen[address][-1]!r} (line {document.line(seen[address])})"
            yield document.problem((*spot, "host"), f"{address[0]} port {address[1]} is already {first}")
        seen.setdefault(address, spot)


def _feeds(document: Document) -> Iterator[Problem]:
    """Of a device that is to pull it is known from where."""
    for spot, device in devices(document.data):
        feed = device.get("feed")
        known = device.get("own_addresses") or is_address(str(device.get("host")))
        if isinstance(feed, dict) and not feed.get("allow") and not known:
            said = "no address is known from which it pulls: give `allow`, or `own_addresses` of the device"
            yield document.problem((*spot, "feed"), said)


def _feed_groups(document: Document) -> Iterator[Problem]:
    """A name in an address of lists is a device's or a group's, never both."""
    names = {str(spot[-1]): spot for spot, _ in devices(document.data)}
    for spot, device in devices(document.data):
        group = _mapping(device.get("feed")).get("group")
        if isinstance(group, str) and group in names:
            said = f"{group!r} is a device (line {document.line(names[group])}); a group needs a name of its own"
            yield document.problem((*spot, "feed", "group"), said)
