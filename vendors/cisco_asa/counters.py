"""Counters of our entries, from `show access-list`, and who met them, from the log buffer.

Units: for a deny the device counts packets, with the repeats that its log cache holds back; each is an attempt. Both
``hits`` and ``packets`` are that number; octets are not counted. Entries of a list are counted by element of the
expansion, sources taken together. In a failover pair the counts of both units are added, and told by unit: one that
goes down takes its counts along, and the other's were told before. Pure but for ``told``.

Source: ASA configuration guide, "Access list logging"; ntc-templates, show_access-list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Final

from core.net import Network
from vendors.cisco_asa import facts
from vendors.cisco_asa.facts import CLOCK
from vendors.cisco_asa.logs import LOG_TIME, LOGGING, flows_from
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.parse import FAILOVER, VERSION
from vendors.cisco_asa.shape import MARK_GROUP, PREFIX, Ace, ace_of, rule_of_remark
from vendors.cisco_asa.talk import LONG, Terminal
from vendors.codec import content_digest
from vendors.errors import DeviceError, Unreadable
from vendors.feeding import SENTINEL_NETWORK
from vendors.marks import mark_from
from vendors.model import Action, EntryCount, GroupName, Reading, RuleCount, RuleName, UnitCount
from vendors.shell import Said, gathered, sections

NOW: Final = "now"
MARK: Final = f"show running-config object-group id {MARK_GROUP}"
MATE: Final = "failover exec mate "
EPOCH: Final = "asa"  # of readings: which hardware counted is told by unit
PAIR: Final = "pair"  # of a release that copies the counts: there is one count, whichever unit tells it

_HEADER: Final = re.compile(
    r"access-list (?P<acl>\S+); (?P<elements>\d+) elements?; name hash: 0x(?P<hash>[0-9a-f]+)\s*"
)
_LINE: Final = re.compile(
    r"(?P<indent> *)access-list (?P<acl>\S+) line (?P<line>\d+) (?P<text>extended .*?|remark .*?)"
    r"(?: \(hitcnt=(?P<hits>\d+)\))?(?: \(inactive\))?(?: 0x(?P<hash>[0-9a-f]+))? *"
)
_NUMBERED: Final = re.compile(r"(?<=\S)\(\d+\)(?= |$)")
_BRIEF: Final = re.compile(
    r"(?P<own>[0-9a-f]{1,8}) (?P<parent>[0-9a-f]{1,8}) (?P<hits>[0-9a-f]{1,8}) (?P<last>[0-9a-f]{1,8}) *"
)


def listing(acl: str) -> str:
    return f"show access-list {acl}"


def told(at: Terminal, options: CiscoAsaOptions, now: datetime) -> str:
    """One text of all that a reading needs."""
    lists = [listing(each.acl) for each in options.lists]
    answers = at.asked((VERSION, FAILOVER, MARK, *lists))
    paired = facts.role_of(answers[1].text).paired and options.standby_counts
    optional = (CLOCK, *(f"{MATE}{line}" for line in lists if paired))  # less is told without them
    tried = [*(at.ask(line, timeout=LONG) for line in optional), _log(at)]
    return gathered([Said(line=NOW, text=now.isoformat(), prompt=""), *answers, *tried])


def _log(at: Terminal) -> Said:
    """Asked last: one that is slow or breaks off costs the counts nothing."""
    try:
        return at.ask(LOGGING, timeout=LOG_TIME)
    except DeviceError:
        return Said(line=LOGGING, text="", prompt="")


# --- listings -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Counted:
    """One entry of ours: how often it was met, and its elements by destination."""

    ace: Ace
    rule: str
    hits: int | None = None  # None: this release tells it by element alone
    elements: int = 0
    by_network: dict[Network, int] = field(default_factory=dict)
    hashes: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        return self.elements if self.hits is None else self.hits


def counted_in(acl: str, text: str) -> tuple[Counted, ...]:
    """Our entries in the answer to `show access-list ACL`. Raises ``Unreadable`` when that is not what it is."""
    lines = [line for line in text.splitlines() if line.strip()]
    heads = [head["acl"] for line in lines if (head := _HEADER.fullmatch(line)) is not None]
    if heads != [acl]:
        raise Unreadable(f"`show access-list {acl}` is not understood: {' '.join(text.split())[:80]!r}")
    found: dict[int, Counted] = {}
    rule = ""
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or match["acl"] != acl:
            continue
        if match["indent"] == "":
            rule = rule_of_remark(match["text"]) or rule
            _take_entry(found, match, rule)
        elif int(match["line"]) in found:
            _take_element(found[int(match["line"])], match)
    return tuple(found.values())


def _take_entry(found: dict[int, Counted], match: re.Match[str], rule: str) -> None:
    """With `object-group-search` an entry is printed twice: bare, then with numbers of its groups and its count."""
    ace = ace_of(_NUMBERED.sub("", match["text"]))
    if ace is None or match["hash"] is None:
        return
    one = found.setdefault(int(match["line"]), Counted(ace, rule))
    one.hashes |= {int(match["hash"], 16)} - {0}  # old releases print zero for an entry with groups
    if match["hits"] is not None:
        one.hits = int(match["hits"])


def _take_element(one: Counted, match: re.Match[str]) -> None:
    """An element without a count is a name that has not resolved."""
    if match["hash"] is None or match["hits"] is None:
        return
    hits = int(match["hits"])
    one.elements += hits
    one.hashes.add(int(match["hash"], 16))
    destination = _destination(match["text"])
    if destination is not None and destination != SENTINEL_NETWORK:
        one.by_network[destination] = one.by_network.get(destination, 0) + hits


def _destination(text: str) -> Network | None:
    """Of an element: ``extended deny ip SOURCE DESTINATION …``. None: a name's address, or no network."""
    places = list(_places(text.split()[3:]))
    return places[1] if len(places) > 1 else None


def _places(words: list[str]) -> Iterator[Network | None]:
    at = 0
    while at < len(words) and words[at] not in ("log", "time-range", "inactive"):
        used, network = _place(words[at:])
        if at + used < len(words) and words[at + used].startswith("("):  # a name that resolved to it
            used, network = used + 1, None
        yield network
        at += used


def _place(words: list[str]) -> tuple[int, Network | None]:
    try:
        match words:
            case ["host", address, *_]:
                return 2, ip_network(ip_address(address))
            case ["any" | "any4" | "any6", *_]:
                return 1, None
            case ["fqdn" | "object" | "object-group" | "interface", *_]:
                return 2, None
            case ["range", *_]:
                return 3, None
            case [prefix, *_] if "/" in prefix:
                return 1, ip_network(prefix)
            case [address, mask, *_]:
                return 2, ip_network(f"{address}/{mask}")
    except ValueError:
        return 2, None
    return 1, None


# --- brief ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Brief:
    """`show access-list ACL brief`: how many elements there are, and of those that were ever hit what they counted."""

    elements: int
    hits: Mapping[int, int]  # by hash of the element
    last: datetime | None  # the latest hit of any


def brief_from(acl: str, text: str) -> Brief:
    """Columns are hexadecimal: hash, hash of the entry it came from, hits, last hit in seconds since 1970.

    Raises ``Unreadable`` when it is not that.
    """
    head, *rows = [line for line in text.splitlines() if line.strip()] or [""]
    found = _HEADER.fullmatch(head)
    if found is None or found["acl"] != acl:
        raise Unreadable(f"`show access-list {acl} brief` is not understood: {' '.join(text.split())[:80]!r}")
    hits: dict[int, int] = {}
    latest = 0
    for row in rows:
        match = _BRIEF.fullmatch(row)
        if match is None:
            raise Unreadable(f"a row of `show access-list {acl} brief` is not understood: {row[:60]!r}")
        hits[int(match["own"], 16)] = int(match["hits"], 16)
        latest = max(latest, int(match["last"], 16))
    return Brief(int(found["elements"]), hits, datetime.fromtimestamp(latest, UTC) if latest else None)


# --- a reading ------------------------------------------------------------------------------------------------------


def reading_from(text: str, options: CiscoAsaOptions) -> Reading:
    """Raises ``Unreadable`` when it is cut off, not understood, or has no row where we enforce (I11)."""
    said = sections(text)
    wanted = [NOW, VERSION, FAILOVER, MARK, LOGGING, CLOCK, *(listing(each.acl) for each in options.lists)]
    if missing := [line for line in wanted if line not in said]:
        raise Unreadable(f"the counters lack the answer to `{missing[0]}`")
    now = datetime.fromisoformat(said[NOW].strip())
    acls = [each.acl for each in options.lists]
    own = [one for acl in acls for one in counted_in(acl, said[listing(acl)])]
    if not own:
        _refuse_silence(said[MARK])
    mates = _of_the_mate(acls, said)
    role = facts.role_of(said[FAILOVER])
    unit = role.ours if role.paired else facts.serial_of(said[VERSION]) or EPOCH
    hashes = {value for one in (*own, *(mates or ())) for value in one.hashes}
    flows, truncated = flows_from(said[LOGGING], said[CLOCK], hashes, now)
    return Reading(
        epoch=EPOCH,
        read_at=now,
        rules=tuple(
            _rules(
                {
                    unit if options.standby_counts or not role.paired else PAIR: _totals(own),
                    **({role.mate: _totals(mates)} if mates is not None else {}),
                },
                "+".join(acls),
            )
        ),
        entries=tuple(_entries((*own, *(mates or ())))),
        flows=flows,
        flows_truncated=truncated,
    )


def _of_the_mate(acls: Iterable[str], said: Mapping[str, str]) -> list[Counted] | None:
    """None when it does not answer for every list: a part of its counts would look as if the rest had come later."""
    try:
        return [one for acl in acls for one in counted_in(acl, said.get(f"{MATE}{listing(acl)}", ""))]
    except Unreadable:
        return None


def _refuse_silence(mark: str) -> None:
    """No entry of ours is right only where our mark says that there should be none."""
    line = next((line.strip() for line in mark.splitlines() if line.strip().startswith("description ")), "")
    found = mark_from(line.removeprefix("description "))
    if found is None or found.desired != content_digest((), ()):
        raise Unreadable("no entry of ours is in the access list: nothing is counted there", hint="a sync puts it back")


def _totals(counted: Iterable[Counted]) -> dict[str, int]:
    """By rule, over its entries and access lists."""
    totals: dict[str, int] = {}
    for one in counted:
        totals[one.rule] = totals.get(one.rule, 0) + one.total
    return totals


def _rules(by_unit: Mapping[str, Mapping[str, int]], epoch: str) -> Iterator[RuleCount]:
    """This unit is the first. What only the mate has is not in force yet."""
    for rule in next(iter(by_unit.values())):
        if rule:
            units = tuple(
                UnitCount(unit=unit, epoch="", hits=totals[rule])
                for unit, totals in sorted(by_unit.items())
                if rule in totals
            )
            hits = sum(unit.hits for unit in units)
            yield RuleCount(
                rule=RuleName(rule), action=Action.DENY, epoch=epoch, hits=hits, packets=hits, octets=None, units=units
            )


def _entries(counted: Iterable[Counted]) -> Iterator[EntryCount]:
    totals: dict[tuple[str, Network], int] = {}
    for one in counted:
        for network, hits in one.by_network.items():
            key = one.ace.destination.removeprefix(PREFIX), network
            totals[key] = totals.get(key, 0) + hits
    for (group, network), hits in totals.items():
        yield EntryCount(group=GroupName(group), network=network, packets=hits, octets=None)
