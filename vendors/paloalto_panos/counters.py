"""Rule hit counts and the traffic log of a PAN-OS firewall. Pure.

Units: ``hits`` are sessions that a rule decided; packets and octets are not counted per rule. A count belongs to one
member of a pair, lives over reboots, and starts anew with a reset or a rule of the same name that was made anew: both
times are in a rule's epoch. Flows come from the log of denied sessions, whose octets are those of the first packets.
Forms: the table of PAN-OS 9 (pan.dev, "rule hit counts"), log fields of the vendor's "Traffic log fields".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address
from vendors.errors import Unreadable
from vendors.model import Action, FlowCount, Reading, RuleCount, RuleName, UnitCount
from vendors.paloalto_panos import facts, policy
from vendors.paloalto_panos.managed import neutral_rule
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.parse import PATHS, refuse_vsys
from vendors.paloalto_panos.setform import Entry, entries, is_absent, quoted, refuse_error
from vendors.paloalto_panos.shape import PREFIX, TAG, rule_from, web_rule_from
from vendors.shell import sections

READ_AT: Final = "read at"
"""Not a command: our own clock when the device was asked for its own, in ISO form."""
LOG_CUT: Final = "log cut off"
"""Not a command: the traffic log could not be read to its end."""
HITS: Final = "show rule-hit-count "
LOG: Final = "show log traffic "
_COLUMN: Final = re.compile(r"\S+(?: \S+)*")
_NONE: Final = ("-", "")


def rules_command(options: PaloAltoPanosOptions, *, multi_vsys: bool) -> str:
    """Under a Panorama the rules are asked for where they run: they are in no candidate here."""
    if options.managed is not None:
        return policy.COMMAND
    scope = f"vsys {options.vsys} " if multi_vsys else ""
    return f"show {scope}{PATHS['rules']}"


def hit_commands(options: PaloAltoPanosOptions, names: Sequence[str]) -> Iterator[str]:
    """Named rules alone: a whole rulebase of thousands answers slowly."""
    head = f"{HITS}vsys vsys-name {options.vsys} rule-base security rules list"
    for start in range(0, len(names), 8):
        yield f"{head} [ {' '.join(quoted(name) for name in names[start : start + 8])} ]"


def log_command(name: str, since: datetime) -> str:
    """The denied sessions of one rule, newest first. ``since`` in the device's own zone."""
    return (
        f"{LOG}direction equal backward rule equal {quoted(name)} "
        f"start-time equal {since:%Y/%m/%d@%H:%M:%S} csv-output equal yes"
    )


def counted_rules(text: str, options: PaloAltoPanosOptions) -> dict[str, RuleName]:
    """The rules whose hits are ours: the device's name to ours."""
    if options.managed is None:
        return our_rules(text, options)
    names = (rule.name for rule in policy.compiled_from(text))
    return {name: neutral_rule(name) for name in names if name.startswith(PREFIX)}


def our_rules(text: str, options: PaloAltoPanosOptions) -> dict[str, RuleName]:
    """The rules of ours among those that a device shows: the device's name to ours."""
    found = {} if is_absent(text) else entries(text, PATHS["rules"], options.vsys)
    return {name: _neutral(entry) for name, entry in found.items() if _is_ours(entry)}


def _is_ours(entry: Entry) -> bool:
    return entry.name.startswith(PREFIX) and TAG in entry.attrs().get("tag", ())


def _neutral(entry: Entry) -> RuleName:
    stated = rule_from("".join(entry.attrs().get("description", ())))
    of = stated or web_rule_from("".join(entry.attrs().get("description", ())))
    return of[0] if of else RuleName(entry.name.removeprefix(PREFIX).removesuffix(".web"))


def reading_from(text: str, options: PaloAltoPanosOptions) -> Reading:
    """The counters. Raises ``Unreadable`` when it is cut off, or lacks the count of a rule that is there (I11)."""
    said = sections(text)
    for needed in (facts.SYSTEM, READ_AT):
        if needed not in said:
            raise Unreadable(f"the counters lack `{needed}`")
    system = facts.system_from(said[facts.SYSTEM])
    command = rules_command(options, multi_vsys=system.multi_vsys)
    if command not in said:
        raise Unreadable(f"the counters lack `{command}`")
    refuse_vsys(system, said[command], options)
    names = counted_rules(said[command], options)
    rows = {row.name: row for key in said if key.startswith(HITS) for row in rows_from(said[key])}
    read_at = _moment(said[READ_AT].strip())
    logs = [said[key] for key in said if key.startswith(LOG)]
    ahead = _ahead(system, read_at)
    flows, cut = flows_from(logs, names, ahead, options.log_rows)
    return Reading(
        epoch=f"{system.serial}/{options.vsys}",
        read_at=read_at,
        rules=tuple(_together(_count(device, rule, rows) for device, rule in names.items())),
        flows=flows,
        flows_truncated=cut or LOG_CUT in said,
        last_hit=_last_hit((rows[name] for name in names if name in rows), ahead),
    )


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as exc:
        raise Unreadable(f"not a time: {text[:40]!r}") from exc


def _ahead(system: facts.System, read_at: datetime) -> timedelta | None:
    """How far the device's clock, in its own zone, is ahead of UTC; None when it does not tell its time."""
    return None if system.time is None else system.time.replace(tzinfo=UTC) - read_at


def _last_hit(rows: Iterable[Row], ahead: timedelta | None) -> datetime | None:
    times = [at for row in rows if (at := facts.clock_from(row.last_hit)) is not None]
    return max(times).replace(tzinfo=UTC) - ahead if times and ahead is not None else None


def _count(device: str, rule: RuleName, rows: Mapping[str, Row]) -> RuleCount:
    row = rows.get(device)
    if row is None:
        raise Unreadable(f"the firewall counts no hits of rule {device}, which is there")
    return RuleCount(
        rule=rule,
        action=Action.DENY,
        epoch=f"{row.created}/{row.reset}",
        hits=row.hits,
        packets=None,
        octets=None,
    )


def _together(counts: Iterable[RuleCount]) -> Iterator[RuleCount]:
    """A rule and the web rule beside it are one of ours; each is made anew, or reset, for itself."""
    by_rule: dict[RuleName, list[RuleCount]] = {}
    for count in counts:
        by_rule.setdefault(count.rule, []).append(count)
    for rule, parts in by_rule.items():
        if len(parts) == 1:
            yield parts[0]
            continue
        units = tuple(
            UnitCount(unit=part, epoch=one.epoch, hits=one.hits or 0)
            for part, one in zip(("addresses", "names"), parts, strict=True)
        )
        hits = sum(unit.hits for unit in units)
        yield replace(parts[0], rule=rule, epoch="addresses+names", hits=hits, units=units)


# --- hit counts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule's line. Times as printed, in the device's zone, or empty."""

    name: str
    hits: int
    last_hit: str
    reset: str
    created: str


def rows_from(text: str) -> Iterator[Row]:
    """Cut by where the header's words begin: names hold blanks, and three layouts are in use.

    Raises ``Unreadable`` without a header, or on a count that is no number.
    """
    refuse_error(text, HITS.strip())
    lines = [line for line in text.splitlines() if line.strip()]
    header = next((i for i, line in enumerate(lines) if line.startswith("Rule Name")), None)
    if header is None:
        raise Unreadable(f"hit counts without a header: {text[:80]!r}")
    starts = _columns(lines[header])
    for line in lines[header + 1 :]:
        if set(line.strip()) == {"-"}:
            continue
        cells = {key: line[a:b].strip() for key, a, b in starts}
        if not cells.get("Hit Count", "").isdigit():
            raise Unreadable(f"a hit count that is no number: {line[:120]!r}")
        times = {key: "" if cells.get(key, "") in _NONE else cells[key] for key in _TIMES}
        yield Row(
            name=cells["Rule Name"],
            hits=int(cells["Hit Count"]),
            last_hit=times["Last Hit Timestamp"],
            reset=times["Last Reset Timestamp"],
            created=times["Rule Create Timestamp"],
        )


_TIMES: Final = ("Last Hit Timestamp", "Last Reset Timestamp", "Rule Create Timestamp")


def _columns(header: str) -> list[tuple[str, int, int]]:
    """(title, where it begins, where the next one does); titles are two blanks or more apart."""
    found = [(match[0], match.start()) for match in _COLUMN.finditer(header)]
    ends = [start for _, start in found[1:]] + [10_000]
    return [(title, start, end) for (title, start), end in zip(found, ends, strict=True)]


# --- who ------------------------------------------------------------------------------------------------------------

_FIELDS: Final = {
    "generated": (6, "Generate Time"),
    "source": (7, "Source address"),
    "destination": (8, "Destination address"),
    "rule": (11, "Rule"),
    "octets": (31, "Bytes"),
    "packets": (34, "Packets"),
}
"""Where a value stands in the order of syslog, and how a header names it."""


def flows_from(
    logs: Iterable[str], names: Mapping[str, RuleName], ahead: timedelta | None, most: int
) -> tuple[tuple[FlowCount, ...], bool]:
    """Who was denied, and whether rows were left out: beyond ``most``, or without a place in time.

    A row that is not of a rule of ours, or whose addresses are none, is passed over: a log may hold anything.
    """
    found: dict[tuple[Address, Address], FlowCount] = {}
    rows = 0
    for text in logs:
        for values in _values(text):
            rows += 1
            if rows > most:
                return _sorted(found), True
            flow = _flow(values, names, ahead)
            if flow is not None:
                key = (flow.source, flow.destination)
                found[key] = _joined(found[key], flow) if key in found else flow
    return _sorted(found), ahead is None and rows > 0


def _values(text: str) -> Iterator[dict[str, str]]:
    """The fields that count, of each row; by the header when there is one."""
    places = {key: index for key, (index, _) in _FIELDS.items()}
    for cells in csv.reader(text.splitlines()):
        titles = [cell.strip() for cell in cells]
        if "Source address" in titles:
            places = {key: titles.index(title) for key, (_, title) in _FIELDS.items() if title in titles}
        elif len(cells) > 11:
            yield {key: cells[place].strip() for key, place in places.items() if place < len(cells)}


def _flow(values: Mapping[str, str], names: Mapping[str, RuleName], ahead: timedelta | None) -> FlowCount | None:
    try:
        seen = datetime.strptime(values["generated"], "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
        source, destination = ip_address(values["source"]), ip_address(values["destination"])
        if values["rule"] not in names or ahead is None:
            return None
    except (KeyError, ValueError):
        return None
    return FlowCount(
        action=Action.DENY,
        source=source,
        destination=destination,
        packets=_number(values.get("packets", "")),
        octets=_number(values.get("octets", "")),
        last_seen=seen - ahead,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _joined(one: FlowCount, other: FlowCount) -> FlowCount:
    return FlowCount(
        action=one.action,
        source=one.source,
        destination=one.destination,
        packets=_sum(one.packets, other.packets),
        octets=_sum(one.octets, other.octets),
        last_seen=max(one.last_seen, other.last_seen),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _sorted(found: Mapping[tuple[Address, Address], FlowCount]) -> tuple[FlowCount, ...]:
    return tuple(sorted(found.values(), key=lambda f: (f.source.version, int(f.source), int(f.destination))))
