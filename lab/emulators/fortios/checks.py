"""What the box checks when an entry is finished: ``next`` or ``end`` refuse it and the whole entry is discarded."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from lab.emulators.fortios import answers
from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.config import Config, Entry, Key, applies, value_of
from lab.emulators.fortios.schema import (
    ADDRESS,
    ADDRESS6,
    CATEGORY_OF,
    FEED,
    GROUP,
    GROUP6,
    POLICY,
    POLICY6,
    SHARED_NAMES,
    ZONE,
    Table,
)
from lab.emulators.fortios.switches import Mandatory, Model, Switches


def check(config: Config, key: Key, entry: Entry, *, model: Model, switches: Switches) -> None:
    """Raises: Refusal: the entry cannot stand like this."""
    table = config.schema[key.path]
    _required(table, key, entry, switches)
    match key.path:
        case "firewall address" | "firewall address6":
            _range(table, entry)
        case "firewall service custom":
            _ports(table, entry)
        case "firewall policy" | "firewall policy6":
            _policy(config, key, entry, switches)
        case "firewall addrgrp" | "firewall addrgrp6":
            _members(entry, model)
    if config.get(key) is None:
        _room(config, key, model)


def _required(table: Table, key: Key, entry: Entry, switches: Switches) -> None:
    for field in table.fields:
        if not field.required or not applies(field, entry, table) or value_of(table, entry, field.name):
            continue
        if switches.empty_group and key.path in (GROUP, GROUP6) and field.name == "member":
            continue
        raise missing(field.name, switches)


def missing(field: str, switches: Switches) -> Refusal:
    """Likely: that it fails at ``next`` is known, the words are not; hence two forms."""
    named = (f"node_check_object fail! for {field} ", f"Attribute '{field}' MUST be set.")
    return answers.discarded(-56, *(named if switches.mandatory is Mandatory.NAMED else ()))


def _range(table: Table, entry: Entry) -> None:
    """netdriver: ``end-ip must be greater than start-ip``, -45."""
    if value_of(table, entry, "type") != ("iprange",):
        return
    start, end = (entry.get(name, ("0.0.0.0",))[0] for name in ("start-ip", "end-ip"))  # noqa: S104
    if int(ip_address(end)) < int(ip_address(start)) or "end-ip" not in entry:
        raise answers.discarded(-45, "end-ip must be greater than start-ip")


def _ports(table: Table, entry: Entry) -> None:
    """netdriver: a service of TCP, UDP or SCTP without any port."""
    has_ports = any(entry.get(f"{protocol}-portrange") for protocol in ("tcp", "udp", "sctp"))
    if value_of(table, entry, "protocol") == ("TCP/UDP/SCTP",) and not has_ports:
        raise answers.discarded(-651, "TCP/UDP/SCTP portrange cannot all be empty.")


def _policy(config: Config, key: Key, entry: Entry, switches: Switches) -> None:
    """CLI reference: addresses of either family at both ends; a name is unique, its refusal is one of the -15."""
    by_service = entry.get("internet-service") == ("enable",)
    for end in ("srcaddr",) if by_service else ("srcaddr", "dstaddr", "service"):
        if not entry.get(end) and not entry.get(f"{end}6"):
            raise missing(end, switches)
    name = entry.get("name")
    if name is None:
        if not switches.unnamed_policies:
            raise missing("name", switches)
        return
    for path in (POLICY, POLICY6):
        for other, theirs in config.entries(key.vdom, path).items():
            if theirs.get("name") == name and (path, other) != (key.path, key.name):
                raise answers.exists()


def _members(entry: Entry, model: Model) -> None:
    """The maximum values table has a number for each model; the lab's stands in ``Model``."""
    if len(entry.get("member", ())) > model.group_members:
        raise answers.table_full()


def _room(config: Config, key: Key, model: Model) -> None:
    rooms: Mapping[str, int] = {
        ADDRESS: model.addresses,
        ADDRESS6: model.addresses,
        GROUP: model.groups,
        GROUP6: model.groups,
        POLICY: model.policies,
        POLICY6: model.policies,
        FEED: model.feeds_per_vdom,
    }
    if key.path == FEED and sum(len(config.entries(at, FEED)) for at in ("", *config.vdoms)) >= model.feeds:
        raise answers.table_full()
    if len(config.entries(key.vdom, key.path)) >= rooms.get(key.path, 1_000_000):
        raise answers.table_full()


def check_name(config: Config, key: Key) -> None:
    """One name space for addresses, their groups and virtual addresses; others likewise (netdriver, CLI reference)."""
    for shared in SHARED_NAMES:
        if key.path not in shared:
            continue
        for path in shared:
            vdom = "" if path == "system interface" else "root" if key.vdom == "" and path == ZONE else key.vdom
            if path != key.path and key.name in config.entries(vdom, path):
                mine, other = (CATEGORY_OF.get(at, at.removeprefix("firewall ")) for at in (key.path, path))
                first, second = sorted((mine, other), key=len)
                raise answers.name_taken(key.name, first, second)


def check_loop(config: Config, key: Key, field: str, members: tuple[str, ...]) -> None:
    """A group is not in itself, however far down (CLI reference)."""
    for member in members:
        if _reaches(config, Key(vdom=key.vdom, path=key.path, name=member), key.name, field):
            raise answers.loop(field, member)


def _reaches(config: Config, start: Key, name: str, field: str) -> bool:
    seen: set[str] = set()
    waiting = [start.name]
    while waiting:
        at = waiting.pop()
        if at == name:
            return True
        if at in seen:
            continue
        seen.add(at)
        waiting.extend(config.entries(start.vdom, start.path).get(at, {}).get(field, ()))
    return False
