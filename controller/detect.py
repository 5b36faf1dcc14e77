"""What two readings of the same counters prove about the time between them, and no more.

Pure. Called by the device work after every poll; the store keeps the later reading as the next baseline in the same
transaction as the events. Never negative, never counted twice: a counter that may have restarted counts from zero and
the event says ``AT_LEAST`` (I11).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from controller.model import ACTIONS, DetectionEvent, EntryHit, Quality, SourceSeen, Window
from core.ids import DeviceName, EventId, ExceptionId, SiteName, SnapshotId
from core.net import Address, Network
from vendors.model import Action, FlowCount, Reading, RuleCount, RuleName, UnitCount

LIVE_DNS: Final = "live DNS"
"""Stands for an address that is in no list: the device learnt it from a DNS answer."""

MOST_SOURCES: Final = 1_000
"""More pairs than this in one event are cut to the busiest, and the event says so."""

CLOCK_TOLERANCE: Final = timedelta(seconds=30)
"""Reading the counters of a large list takes seconds; a clock further off than this is set wrong."""

IsOf: TypeAlias = Callable[[RuleName, Address], bool]
_INSTANT: Final = timedelta(milliseconds=1)
_Pair: TypeAlias = tuple[Action, Address, Address]


def alone(_rule: RuleName, _destination: Address) -> bool:
    """Of rules that share their role with no other."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectContext:
    """What the counters of one device stand for."""

    site: SiteName
    device: DeviceName
    roles: Mapping[RuleName, str]
    exceptions: Mapping[RuleName, ExceptionId]
    sources: Mapping[RuleName, tuple[Network, ...]]  # whom each rule stands for, in order of evaluation
    snapshot: SnapshotId | None
    members: tuple[Network, ...] = ()  # list entries, to name the entry that an address belongs to
    is_of: IsOf = alone  # whether a flow to a destination is this rule's, where several stand for one role
    created_at: datetime | None = None  # our counters did not exist before; without it a first reading is a baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delta:
    """What one rule counted, since when."""

    since: datetime
    hits: int | None
    packets: int | None
    octets: int | None
    quality: Quality

    @property
    def is_zero(self) -> bool:
        return not (self.hits or self.packets or self.octets)


def detect(
    before: Reading | None, after: Reading, *, context: DetectContext, new_id: Callable[[], EventId]
) -> tuple[DetectionEvent, ...]:
    """One event for every rule whose counters moved between the two readings."""
    since = _since(before, after, context.created_at)
    if since is None:
        return ()
    same_epoch = before is None or _is_same_epoch(before.epoch, after.epoch)
    fresh = context.created_at is not None and (before is None or before.read_at <= context.created_at)
    known = {rule.rule: rule for rule in before.rules} if before and same_epoch else {}
    flows = _flow_deltas(before if same_epoch else None, after)
    index = _EntryIndex(context.members)
    events = []
    for rule in after.rules:
        delta = _delta(known.get(rule.rule), rule, since=since, same_epoch=same_epoch or fresh)
        if delta.is_zero or rule.action not in ACTIONS:
            continue
        window = Window(*_clamped(delta.since, after.read_at))
        quality = Quality.AT_LEAST if before is not None and after.read_at <= before.read_at else delta.quality
        seen = _sources_of(rule, flows, context)
        events.append(
            DetectionEvent(
                id=new_id(),
                site=context.site,
                device=context.device,
                rule=rule.rule,
                role=context.roles.get(rule.rule),
                exception=context.exceptions.get(rule.rule),
                action=ACTIONS[rule.action],
                window=window,
                hits=delta.hits,
                packets=delta.packets,
                octets=delta.octets,
                quality=quality,
                snapshot=context.snapshot,
                sources=seen[:MOST_SOURCES],
                sources_truncated=after.flows_truncated or len(seen) > MOST_SOURCES,
                entries=index.entries(seen),
            )
        )
    return tuple(events)


def without(before: Reading, after: Reading, own: Iterable[tuple[RuleName, Address, Address]]) -> Reading | None:
    """A baseline that has counted what we caused between two readings, and nothing else of it.

    ``own``: by the rule that it met, from where to where. None: the counters began anew meanwhile.
    """
    caused = list(own)
    rules, pairs = Counter(rule for rule, _, _ in caused), {(source, target) for _, source, target in caused}
    known = {rule.rule: rule for rule in before.rules}
    if before.epoch != after.epoch or gone_back(before, after):
        return None
    flows = [flow for flow in before.flows if (flow.source, flow.destination) not in pairs]
    flows += [flow for flow in after.flows if (flow.source, flow.destination) in pairs]
    counted = (_met(known[rule.rule], rule, rules[rule.rule]) for rule in after.rules if rule.rule in known)
    return replace(before, rules=tuple(counted), flows=tuple(flows))


def _met(before: RuleCount, after: RuleCount, own: int) -> RuleCount:
    """``before`` with so many hits more, as far as there were: by whichever unit counted them."""
    new, left, units = {unit.unit: unit for unit in after.units}, own, list[UnitCount]()
    for unit in before.units:
        took = min(left, new[unit.unit].hits - unit.hits) if unit.unit in new else 0
        units.append(
            replace(unit, hits=unit.hits + took, packets=_counted(unit.packets, new.get(unit.unit, unit).packets, took))
        )
        left -= took
    hits, packets = _counted(before.hits, after.hits, own), _counted(before.packets, after.packets, own)
    return replace(before, hits=hits, packets=packets, units=tuple(units))


def _counted(old: int | None, new: int | None, own: int) -> int | None:
    return new if old is None or new is None else min(new, old + own)


def gone_back(before: Reading | None, after: Reading) -> tuple[RuleName, ...]:
    """Rules of which a counter shows less than before, though neither device nor rule began anew: somebody reset it.

    What they show now is counted, at least; what they counted before the reset, since the last look, nobody knows.
    """
    if before is None or not _is_same_epoch(before.epoch, after.epoch):
        return ()
    known = {rule.rule: rule for rule in before.rules}
    again = ((known.get(rule.rule), rule) for rule in after.rules)
    return tuple(new.rule for old, new in again if old and old.epoch == new.epoch and _went_back(old, new))


def _is_same_epoch(before: str, after: str) -> bool:
    """Of a cluster whose units are counted together, a unit that joins or leaves ends nobody's counters: its epoch
    names all of them, with `+` between."""
    one, other = set(before.split("+")), set(after.split("+"))
    return one <= other or other <= one


def on_our_clock(reading: Reading, now: datetime) -> Reading:
    """The same reading, told in our time when the device's clock is wrong: it was taken just now, whatever that says.

    Windows stand beside observations, exceptions and readings of other devices, so all are of one clock.
    """
    wrong = now - reading.read_at
    if abs(wrong) <= CLOCK_TOLERANCE:
        return reading
    flows = tuple(replace(flow, last_seen=flow.last_seen + wrong) for flow in reading.flows)
    return replace(reading, read_at=now, flows=flows)


def _since(before: Reading | None, after: Reading, created_at: datetime | None) -> datetime | None:
    """Since when the counters have been running as far as we know; None: this reading is only a baseline."""
    known = [at for at in (before.read_at if before else None, created_at) if at is not None]
    return max(known) if known else None


def _clamped(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """A window that is never empty, however the clock was set."""
    return (start, end) if start < end else (end - _INSTANT, end)


def _delta(before: RuleCount | None, after: RuleCount, *, since: datetime, same_epoch: bool) -> _Delta:
    """One story per arm: the device's counters restarted, the rule is new, was re-created, went on or was reset."""
    match before:
        case _ if not same_epoch:
            return _from_zero(after, since, Quality.AT_LEAST)
        case None:
            return _from_zero(after, since, Quality.EXACT)
        case RuleCount(epoch=epoch) if epoch != after.epoch and not _is_split(before, after):
            return _from_zero(after, since, Quality.AT_LEAST)
        case RuleCount() if (before.units and after.units) or _is_split(before, after):
            hits, packets, octets, exact = _of_units(_in_units(before, after), _in_units(after, before))
            quality = Quality.EXACT if exact else Quality.AT_LEAST
            if packets is None and before.packets == before.hits and after.packets == after.hits:
                packets = hits  # one number
            return _Delta(since=since, hits=hits, packets=packets, octets=octets, quality=quality)
        case RuleCount():
            return _Delta(
                since=since,
                hits=_moved(after.hits, before.hits),
                packets=_moved(after.packets, before.packets),
                octets=_moved(after.octets, before.octets),
                quality=Quality.AT_LEAST if _went_back(before, after) else Quality.EXACT,
            )


def _is_split(before: RuleCount, after: RuleCount) -> bool:
    """Whether one counter is one of several from now on, or the other way round: it goes on all the same."""
    one, several = (before, after) if after.units else (after, before)
    return not one.units and any(unit.epoch == one.epoch for unit in several.units)


def _in_units(count: RuleCount, other: RuleCount) -> RuleCount:
    if count.units:
        return count
    same = (
        UnitCount(unit=u.unit, epoch=u.epoch, hits=count.hits or 0, packets=count.packets, octets=count.octets)
        for u in other.units
        if u.epoch == count.epoch
    )
    return replace(count, units=tuple(same)[:1])


def _of_units(before: RuleCount, after: RuleCount) -> tuple[int, int | None, int | None, bool]:
    """The hits, packets and octets that the nodes of a cluster counted at least, and whether that is all of it.

    A node that restarted counts from zero, and it alone. One that was not there before may have been told of earlier:
    what it shows is only where it goes on from.
    """
    known = {unit.unit: unit for unit in before.units}
    moved, packets, octets = 0, list[int | None](), list[int | None]()
    for unit in after.units:
        old = known.get(unit.unit)
        if old is not None:
            went_on = old.epoch == unit.epoch and old.hits <= unit.hits
            moved += unit.hits - old.hits if went_on else unit.hits
            packets.append(_moved(unit.packets, old.packets) if went_on else unit.packets)
            octets.append(_moved(unit.octets, old.octets) if went_on else unit.octets)
    same = {(u.unit, u.epoch) for u in before.units} == {(u.unit, u.epoch) for u in after.units}
    exact = same and all(unit.hits >= known[unit.unit].hits for unit in after.units)
    return moved, _total(packets), _total(octets), exact


def _total(parts: list[int | None]) -> int | None:
    """None when any of them is not counted, or nothing is."""
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def _from_zero(after: RuleCount, since: datetime, quality: Quality) -> _Delta:
    return _Delta(since=since, hits=after.hits, packets=after.packets, octets=after.octets, quality=quality)


def _went_back(before: RuleCount, after: RuleCount) -> bool:
    pairs = ((before.hits, after.hits), (before.packets, after.packets), (before.octets, after.octets))
    return any(old is not None and new is not None and new < old for old, new in pairs)


def _moved(after: int | None, before: int | None) -> int | None:
    """By how much at least. One that went back was reset, and it alone: a hand may reset a single one."""
    return after if _less(after, before) else _minus(after, before)


def _minus(after: int | None, before: int | None) -> int | None:
    """A counter that was not there before counts from zero; one that is not there now is unknown."""
    return None if after is None else after - (before or 0)


# --- who ------------------------------------------------------------------------------------------------------------


def _flow_deltas(before: Reading | None, after: Reading) -> list[FlowCount]:
    """What every pair of source and destination did since the reading before. A pair may expire and come again."""
    known: dict[_Pair, FlowCount] = {(f.action, f.source, f.destination): f for f in before.flows} if before else {}
    moved = []
    for flow in after.flows:
        old = known.get((flow.action, flow.source, flow.destination))
        if old is None or _less(flow.packets, old.packets) or _less(flow.octets, old.octets):
            packets, octets = flow.packets, flow.octets
        else:
            packets, octets = _minus(flow.packets, old.packets), _minus(flow.octets, old.octets)
        if packets or (packets is None and octets is None):
            moved.append(
                FlowCount(
                    action=flow.action,
                    source=flow.source,
                    destination=flow.destination,
                    packets=packets,
                    octets=octets,
                    last_seen=flow.last_seen,
                )
            )
    return moved


def _less(new: int | None, old: int | None) -> bool:
    return new is not None and old is not None and new < old


def _sources_of(rule: RuleCount, flows: Iterable[FlowCount], context: DetectContext) -> tuple[SourceSeen, ...]:
    """The pairs that this rule stands for, the busiest first."""
    own = context.sources.get(rule.rule, ())
    seen = [
        SourceSeen(
            source=flow.source,
            destination=flow.destination,
            packets=flow.packets,
            octets=flow.octets,
            last_seen=flow.last_seen,
        )
        for flow in flows
        if flow.action is rule.action
        and any(flow.source in network for network in own)
        and context.is_of(rule.rule, flow.destination)
    ]
    return tuple(sorted(seen, key=lambda s: (-(s.packets or 0), str(s.source), str(s.destination))))


# --- what -----------------------------------------------------------------------------------------------------------


class _EntryIndex:
    """Which list entry an address belongs to. Entries are disjoint, so one bisection finds it."""

    def __init__(self, members: Iterable[Network]) -> None:
        self._sorted = {
            version: sorted((n for n in members if n.version == version), key=lambda n: int(n.network_address))
            for version in (4, 6)
        }
        self._starts = {version: [int(n.network_address) for n in known] for version, known in self._sorted.items()}

    def entry_of(self, address: Address) -> str:
        at = bisect_right(self._starts[address.version], int(address)) - 1
        if at >= 0 and address in (network := self._sorted[address.version][at]):
            return str(network)
        return LIVE_DNS

    def entries(self, seen: Iterable[SourceSeen]) -> tuple[EntryHit, ...]:
        """Packets and bytes by list entry, the busiest first."""
        totals: dict[str, tuple[int | None, int | None]] = {}
        for one in seen:
            entry = self.entry_of(one.destination)
            packets, octets = totals.get(entry, (0, 0))
            totals[entry] = (_plus(packets, one.packets), _plus(octets, one.octets))
        hits = [EntryHit(entry=entry, packets=p, octets=o) for entry, (p, o) in totals.items()]
        return tuple(sorted(hits, key=lambda h: (-(h.packets or 0), h.entry)))


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
