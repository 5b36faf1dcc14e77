"""What `tokgate device doctor` finds on an ASA. Asks, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vendors.adapter import Finding
from vendors.cisco_asa.counters import brief_from, listing
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.parse import READ, observed_from
from vendors.cisco_asa.talk import Terminal
from vendors.errors import DeviceError
from vendors.model import Observed
from vendors.shell import gathered

_PRIVILEGE: Final = "show curpriv"
_LEVEL: Final = re.compile(r"Current privilege level *: *(\d+)")
_NOTED: Final = (
    ("persistence", "what we change is saved for the next boot"),
    ("domains", "names are enforced by FQDN objects"),
    ("ipv6", "IPv6 is enforced like IPv4"),
    ("entry-counters", "hits are counted by list entry"),
    ("source-capture", "the log buffer tells who met an entry"),
)


def findings(at: Terminal, options: CiscoAsaOptions) -> tuple[Finding, ...]:
    """One line for each thing that must be right, and for each that would be better otherwise."""
    rights = _rights(at)
    try:
        observed = observed_from(gathered(at.asked(READ)), options)
    except DeviceError as exc:
        return (rights, Finding(check="reading", ok=False, message=exc.message))
    return (rights, *_of(observed), _limits(options), *_counters(at, options))


def _limits(options: CiscoAsaOptions) -> Finding:
    told = f"{options.max_entries:,} members of all groups (options.max_entries); an ASA tells no limit of its own"
    return Finding(check="limits", ok=True, message=told)


def _rights(at: Terminal) -> Finding:
    found = _LEVEL.search(at.ask(_PRIVILEGE).text)
    level = int(found[1]) if found else 0
    told = f"privilege level {level}" if found else "the privilege level is not told"
    return Finding(check="rights", ok=level == 15, message=told if level == 15 else f"{told}: 15 is needed")


def _of(observed: Observed) -> Iterator[Finding]:
    refused = observed.extra["refuse"]
    yield Finding(check="version", ok=True, message=f"ASA software {observed.extra['version']}")
    yield Finding(
        check="writable", ok=not refused, message=refused or "the active unit, and access lists that take our entries"
    )
    mark = observed.mark
    strangers = observed.extra["strangers"]
    whose = f"marked by controller {mark.owner}" if mark else "nothing of ours yet"
    yield Finding(check="owner", ok=not strangers, message=f"not marked as ours: {strangers}" if strangers else whose)
    for check, good in _NOTED:
        notes = [note.partition(": ")[2] for note in observed.can.notes if note.startswith(f"{check}:")]
        yield Finding(check=check, ok=not notes, message="; ".join(notes) or good)
    yield from (Finding(check="our objects", ok=False, message=line) for line in observed.irregular)
    yield Finding(
        check="rollback", ok=True, message="no transaction: lines in a safe order, undone by their inverse if one fails"
    )


def _counters(at: Terminal, options: CiscoAsaOptions) -> Iterator[Finding]:
    """The short form: how large a listing will be, and whether anything was ever hit."""
    for each in options.lists:
        try:
            brief = brief_from(each.acl, at.ask(f"{listing(each.acl)} brief").text)
        except DeviceError as exc:
            yield Finding(check="counters", ok=False, message=exc.message)
            continue
        last = f", the last at {brief.last:%Y-%m-%d %H:%M} UTC" if brief.last else ""
        told = f"access list {each.acl} has {brief.elements} elements, {sum(map(bool, brief.hits.values()))} were hit"
        yield Finding(check="counters", ok=True, message=f"{told}{last}")
