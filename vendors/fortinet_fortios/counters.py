"""The counters of our policies, from `diagnose firewall iprope show`. Pure.

Units: ``hits`` are new sessions; of a deny every refused packet that reaches the policies is one, so retries inflate
it. ``packets`` and ``octets`` count apart from them. Three layouts: 6.x on one line with `=`, 7.0 with seven days
behind each hit count, 7.4 with a key on each line (Fortinet community, tip 392430): read by key, not by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from vendors.errors import Unreadable
from vendors.fortinet_fortios import names
from vendors.fortinet_fortios.cluster import MEMBERS, UNIT, units_from
from vendors.fortinet_fortios.facts import POLICY, POLICY6, STATUS, Status, is_refusal, status_from, wall_time_of
from vendors.fortinet_fortios.logs import flows_from
from vendors.fortinet_fortios.managed import NOTE, rule_of
from vendors.fortinet_fortios.syntax import table_of
from vendors.model import Action, Reading, RuleCount, RuleName, UnitCount
from vendors.shell import sections

NOW: Final = "tokgate now"
"""Our own time of the reading: the device's clock names no zone."""
FORWARD: Final = "100004"
"""The group of policies for traffic that is passed on."""
SHOW: Final = {4: "diagnose firewall iprope show", 6: "diagnose firewall iprope6 show"}

_ROW: Final = re.compile(r"(?<![\w])idx[=:]\s*(\d+)")
_BOTH: Final = re.compile(r"(?<![\w/])pkts/bytes=(\d+)/(\d+)")
_PACKETS: Final = re.compile(r"(?<![\w])pkts:\s*(\d+)")
_OCTETS: Final = re.compile(r"(?<![\w])bytes:\s*(\d+)")
_HITS: Final = re.compile(r"(?<![\w])hit count:\s*(\d+)")
_LAST: Final = re.compile(r"(?<![\w])last(?: hit)?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one policy counted. ``last`` is the last hit, as the device's own clock tells it."""

    id: int
    hits: int
    packets: int
    octets: int
    last: str | None


def rows_from(text: str) -> Mapping[int, Row]:
    """The rows of one answer by policy id. Raises ``Unreadable`` on one that does not say all three figures."""
    marks = list(_ROW.finditer(text))
    if text.strip() and not marks:
        raise Unreadable(f"counters are not understood: {text.strip()[:80]!r}")
    found: dict[int, Row] = {}
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):  # without a row there is still an end
        row = _row(int(mark[1]), text[mark.end() : end])
        found[row.id] = _sum(found[row.id], row) if row.id in found else row
    return found


def _row(number: int, body: str) -> Row:
    both, hits, last = _BOTH.search(body), _HITS.search(body), _LAST.search(body)
    packets, octets = (both[1], both[2]) if both else (_first(_PACKETS, body), _first(_OCTETS, body))
    if packets is None or octets is None or hits is None:
        raise Unreadable(f"the counters of policy {number} are not whole: {body.strip()[:80]!r}")
    return Row(id=number, hits=int(hits[1]), packets=int(packets), octets=int(octets), last=last[1] if last else None)


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _sum(one: Row, other: Row) -> Row:
    return Row(
        id=one.id,
        hits=one.hits + other.hits,
        packets=one.packets + other.packets,
        octets=one.octets + other.octets,
        last=max((last for last in (one.last, other.last) if last), default=None),
    )


# --- the reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One policy of ours that counts."""

    path: str
    id: int
    rule: RuleName
    uuid: str


def counted_policies(parts: Mapping[str, str]) -> tuple[Counted, ...]:
    """Our policies, in order. Raises ``Unreadable``."""
    return tuple(
        one
        for path in (POLICY, POLICY6)
        if f"show {path}" in parts
        for one in _counted(path, parts[f"show {path}"], managed=NOTE in parts)
    )


def _counted(path: str, text: str, *, managed: bool) -> Iterator[Counted]:
    for entry in table_of(text, path).entries:
        name, comment = (" ".join(entry.attrs.get(key, ())) for key in ("name", "comments"))
        rule = rule_of(comment) if managed else names.rule_from(name, comment)
        if (managed or names.is_ours(name)) and rule is not None and entry.name.isdigit():
            uuid = " ".join(entry.attrs.get("uuid", ()))
            yield Counted(path=path, id=int(entry.name), rule=rule, uuid=uuid)


def iprope(version: int, policies: tuple[Counted, ...]) -> str:
    """The question for the counters of one family."""
    path = POLICY6 if version == 6 and any(policy.path == POLICY6 for policy in policies) else POLICY
    ids = " ".join(str(policy.id) for policy in policies if policy.path == path)
    return f"{SHOW[version]} {FORWARD} {ids}"


def reading_from(text: str) -> Reading:
    """The reading. Raises ``Unreadable`` when it is cut off, or no policy of ours counts where one should (I11)."""
    parts = sections(text)
    status, policies = status_from(parts.get(STATUS, "")), counted_policies(parts)
    if not policies and f'comment "{names.COMMENT} ' not in parts.get(f"show firewall address {names.MARK_OBJECT}", ""):
        raise Unreadable("nothing of ours is on the device: nothing is counted there", hint="a sync puts it back")
    rows = {version: _rows(parts, version, policies) for version in SHOW} if policies else {}
    serials, others = _others(parts, policies)
    flows, truncated = flows_from(parts, {policy.id for policy in policies})
    return Reading(
        epoch="+".join(serials) or status.serial,
        read_at=_time(parts.get(NOW, "")),
        rules=tuple(_with_units(policies, {status.serial: rows, **others}) if serials else _counts(policies, rows)),
        flows=flows,
        flows_truncated=truncated,
        last_hit=_last_hit(policies, rows, status, _time(parts.get(NOW, ""))),
    )


def _last_hit(policies: tuple[Counted, ...], rows: Rows, status: Status, now: datetime) -> datetime | None:
    """Of this unit. The device tells it by its own wall clock, which it shows in the same reading."""
    wall = wall_time_of(status)
    told = [row.last for of in rows.values() for row in of.values() if row.last and row.id in {p.id for p in policies}]
    if wall is None or not told:
        return None
    return now - (wall - datetime.fromisoformat(max(told)))


Rows: TypeAlias = Mapping[int, Mapping[int, Row]]
"""By family and policy id."""


def _others(parts: Mapping[str, str], policies: tuple[Counted, ...]) -> tuple[tuple[str, ...], dict[str, Rows]]:
    """The serial numbers of a cluster's units, sorted, and the rows of the others that told theirs whole.

    One that did not is left out, and what the cluster counted is told as a part then.
    """
    if MEMBERS not in parts:
        return (), {}
    serials = tuple(sorted(unit.serial for unit in units_from(parts[MEMBERS])))
    found: dict[str, Rows] = {}
    for serial in serials:
        start = f"{UNIT}{serial}: "
        own = {line.removeprefix(start): text for line, text in parts.items() if line.startswith(start)}
        try:
            rows = {version: _rows(own, version, policies) for version in SHOW}
            tuple(_counts(policies, rows))
        except Unreadable:
            continue
        found[serial] = rows
    return serials, found


def _with_units(policies: tuple[Counted, ...], rows: Mapping[str, Rows]) -> Iterator[RuleCount]:
    """What all units counted, and each for itself: a unit goes on by itself, reboots alone, and is believed alone."""
    by_unit = {unit: {count.rule: count for count in _counts(policies, own)} for unit, own in rows.items()}
    for rule, first in next(iter(by_unit.values())).items():
        units = tuple(
            UnitCount(
                unit=unit, epoch=first.epoch, hits=told[rule].hits or 0, packets=told[rule].packets,
                octets=told[rule].octets,
            )
            for unit, told in by_unit.items()
        )  # fmt: skip
        yield replace(
            first,
            hits=sum(unit.hits for unit in units),
            packets=sum(unit.packets or 0 for unit in units),
            octets=sum(unit.octets or 0 for unit in units),
            units=units,
        )


def _rows(parts: Mapping[str, str], version: int, policies: tuple[Counted, ...]) -> Mapping[int, Row]:
    """Of IPv6 an answer may be missing or refused where one policy judges both: it counts in one place then."""
    question = iprope(version, policies)
    text = parts.get(question)
    if text is None or is_refusal(text):
        if version == 6 and POLICY6 not in {policy.path for policy in policies}:
            return {}
        raise Unreadable(f"the counters were not told: {(text or question).strip()[:200]!r}")
    return rows_from(text)


def _counts(policies: tuple[Counted, ...], rows: Mapping[int, Mapping[int, Row]]) -> Iterator[RuleCount]:
    """One rule may be two policies, one for each family, or one policy that counts at two places."""
    found: dict[RuleName, list[Counted]] = {}
    for policy in policies:
        found.setdefault(policy.rule, []).append(policy)
    split = any(policy.path == POLICY6 for policy in policies)
    for rule, own in found.items():
        told = [row for policy in own for row in _told(policy, rows, split=split)]
        if len({policy.path for policy in own}) > len(told):
            raise Unreadable(f"the device tells no counters of {rule}")
        yield RuleCount(
            rule=rule,
            action=Action.DENY,
            epoch=" ".join(policy.uuid or str(policy.id) for policy in own),
            hits=sum(row.hits for row in told),
            packets=sum(row.packets for row in told),
            octets=sum(row.octets for row in told),
        )


def _told(policy: Counted, rows: Mapping[int, Mapping[int, Row]], *, split: bool) -> list[Row]:
    """``split``: each family has policies of its own; else what IPv6 counted of the same policy comes on top."""
    if policy.path == POLICY6:
        return [rows[6][policy.id]] if policy.id in rows[6] else []
    if policy.id not in rows[4]:
        return []
    return [rows[4][policy.id], *([rows[6][policy.id]] if not split and policy.id in rows[6] else [])]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except ValueError as exc:
        raise Unreadable("the reading does not say when it was taken") from exc
