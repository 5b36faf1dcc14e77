"""The coverage of days that are over, kept: over a year of a thousand sites it is then the difference of two rows each.

It is worked out from stretches of looks, and only for days that no later look can change: every device of the site was
looked at again since. What it was worked out with (devices, how long a look is trusted) is its basis; with another one
it is worked out again. A look that is told of a time before others takes back what it may change, in its own
transaction (``adding``).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, select, text, tuple_, type_coerce

from controller.coverage import PROVEN, Coverage, Spell, Stretch, coverage, held, worst
from controller.enforced_age import is_held
from controller.model import CoverageState, Observation, Window
from controller.store.adding import ONE_DAY, day_of, micros_of
from controller.store.bulk import as_columns, put_all
from controller.store.schema import coverage_kept, coverage_sums, micros, moment, stretches
from controller.store.shelf import put
from controller.store.sums import HitSums
from core.ids import DeviceName, SiteName

_LOOKS: Final = stretches.c
_LAST: Final = type_coerce(_LOOKS.last, BigInteger)
_SINCE: Final = select(
    _LOOKS.site,
    _LOOKS.device,
    type_coerce(_LOOKS.first, BigInteger),
    _LAST,
    _LOOKS.gap,
    _LOOKS.found,
    _LOOKS.left,
    _LOOKS.cause,
).where(bindparam("since", type_=BigInteger) <= _LAST)
_ENDED: Final = _SINCE.where(bindparam("until", type_=BigInteger) > _LAST)
_OF_SITE: Final = _SINCE.where(_LOOKS.site == bindparam("site"))
_WANTED: Final = {
    "sqlite": "SELECT json_extract(value, '$[0]') AS site, json_extract(value, '$[1]') AS device"
    " FROM json_each(:wanted)",
    "postgresql": "SELECT value->>0 AS site, value->>1 AS device FROM json_array_elements(CAST(:wanted AS json))",
}
_NEXT: Final = """
    SELECT s.site, s.device, s."first", s."last", s.gap, s.found, s."left", s.cause
    FROM ({wanted}) d JOIN stretches s ON s.id = (
      SELECT t.id FROM stretches t WHERE t.site = d.site AND t.device = d.device AND t."last" >= :until {also}
      ORDER BY t."last" LIMIT 1
    )
    """
"""The one of each device that ends next: a step along the index for each, however many there are."""
_REACHING: Final = {kind: text(_NEXT.format(wanted=wanted, also="")) for kind, wanted in _WANTED.items()}
_REACHING_GOOD: Final = {
    kind: text(_NEXT.format(wanted=wanted, also="AND t.found IS NOT NULL")) for kind, wanted in _WANTED.items()
}
Devices = Mapping[SiteName, tuple[DeviceName, ...]]
Times = dict[CoverageState, timedelta]
_Part = tuple[int, int]
"""From and to, in microseconds."""
Stretches = dict[SiteName, dict[DeviceName, list[Stretch]]]
_STATES: Final = tuple(CoverageState)
_FIGURES: Final = (*(state.value for state in _STATES), "promised")
_PLACES: Final = {state.value: number for number, state in enumerate(_STATES)}
_UNKNOWN: Final = _STATES.index(CoverageState.UNKNOWN)
_PROVEN: Final = frozenset(state.value for state in PROVEN)
_SUMS: Final = tuple(coverage_sums.c[name] for name in _FIGURES)
_OF_DAYS: Final = select(type_coerce(coverage_sums.c.start, BigInteger), coverage_sums.c.site, *_SUMS).where(
    coverage_sums.c.start.in_(bindparam("days", expanding=True))
)
_TOGETHER: Final = 50
"""So many sites are read with all others of that day."""
_NAMED: Final = 500
_DAY: Final = micros_of(ONE_DAY)


@dataclass(frozen=True, slots=True)
class Settled:
    """What the days from ``since`` up to ``until`` came to, in microseconds; no look that comes now changes it.

    ``first``: when somebody first tried to look. ``promised``: the last proof was young enough.
    """

    first: datetime
    since: datetime
    until: datetime
    times: Mapping[CoverageState, int]
    promised: int


class Proven(HitSums):
    """Coverage of many sites over long times."""

    def fleet_coverage(
        self, window: Window, sites: Devices, *, now: datetime, freshness: timedelta
    ) -> dict[SiteName, Times]:
        """How long each site was in each state; the times add up to the window, or to what has passed of it."""
        start, end = micros(window.start), micros(min(window.end, now))
        if start >= end:
            return {site: dict.fromkeys(_STATES, timedelta()) for site in sites}
        with self._db.read() as connection:
            kept = [
                mark
                for mark in _marks(connection)
                if mark.site in sites and mark.basis == basis_of(sites[mark.site], freshness)
            ]
            days = _days_in((start, end), kept)
            found = {site: [0] * len(_STATES) for site in sites}
            for site, figures in _between(connection, days).items():
                found[site] = figures[: len(_STATES)]
        left: dict[_Part, list[SiteName]] = {}
        for site in sites:
            for part in _outside((start, end), days.get(site)):
                left.setdefault(part, []).append(site)
        for part, names in left.items():
            own = {name: sites[name] for name in names}
            for site, known in self._live(Window(*map(moment, part)), own, now=now, freshness=freshness):
                _add(found[site], known, *part)
        return {site: _as_times(times, end - start) for site, times in found.items()}

    def settled(
        self, sites: Devices, window: Window, *, freshness: timedelta, target: timedelta
    ) -> dict[SiteName, Settled]:
        """Of the days of the window that are kept, without a gap from its start on; the rest has to be reckoned.

        ``window`` begins and ends at a midnight of UTC. What lies before anybody looked is unknown, and is not told.
        """
        found: dict[SiteName, Settled] = {}
        with self._db.read() as connection:
            marks = {
                mark.site: mark
                for mark in _marks(connection)
                if mark.site in sites
                and mark.target == micros_of(target)
                and mark.basis == basis_of(sites[mark.site], freshness)
                and mark.since <= max(micros(window.start), mark.first // _DAY * _DAY)
            }
            days = _days_in((micros(window.start), micros(window.end)), marks.values())
            for site, figures in _between(connection, days).items():
                (start, end), first = days[site], int(marks[site].first)
                times = figures[: len(_STATES)]
                times[_UNKNOWN] -= max(0, first - start)  # nobody had tried to look
                by_state = dict(zip(_STATES, times, strict=True))
                found[site] = Settled(moment(first), moment(start), moment(end), by_state, figures[-1])
        return found

    def told_since(self, since: datetime, *, site: SiteName | None = None) -> Stretches:
        """The stretches of every device, or of those of one site, that end then or later; in order of time."""
        statement = _SINCE if site is None else _OF_SITE
        with self._db.read() as connection:
            given = {"since": micros(since), **({} if site is None else {"site": site})}
            return _by_device(connection.execute(statement, given).all())

    def _live(
        self, part: Window, sites: Devices, *, now: datetime, freshness: timedelta
    ) -> Iterator[tuple[SiteName, Sequence[Spell]]]:
        """From the looks themselves; one behind the part may still say something about it."""
        found = self._told_of(part, sites, now=now, freshness=freshness)
        rest = dict[SiteName, tuple[DeviceName, ...]]()
        until, trust = micros(now), micros_of(freshness)
        for site, devices in sites.items():
            if not (own := found.get(site)):
                continue
            lines = [held(own.get(device, ()), until=until, freshness=trust) for device in devices]
            told = [line for line in lines if line is not None]
            if len(told) < len(lines):
                rest[site] = devices
            elif told:
                yield site, worst(told)
        wide = Window(part.start, max(part.end, min(part.end + ONE_DAY, now)))
        for site, devices in rest.items():
            looks = self.looks(site, wide, freshness=freshness)
            known = coverage(looks, wide, devices=devices, now=wide.end, freshness=freshness)
            yield site, _spells(known)

    def _told_of(self, part: Window, sites: Devices, *, now: datetime, freshness: timedelta) -> Stretches:
        """Of each device the stretches that end in the part or shortly before, and those up to its next good look."""
        since, until = micros(part.start - freshness), micros(part.end)
        with self._db.read() as connection:
            if len(sites) == 1:
                (site,) = sites
                rows = [*connection.execute(_OF_SITE, {"site": site, "since": since})]
            elif part.end >= now:
                rows = [*connection.execute(_SINCE, {"since": since})]
            else:
                rows = [*connection.execute(_ENDED, {"since": since, "until": until})]
                pairs = [(site, device) for site, devices in sites.items() for device in devices]
                asked, kind = {"wanted": json.dumps(pairs), "until": until}, connection.dialect.name
                later = connection.execute(_REACHING[kind], asked).all()
                if any(row.found is None for row in later):
                    good = connection.execute(_REACHING_GOOD[kind], asked).all()
                    later = [*(row for row in later if row.found is None), *good]
                rows += later
        return _by_device(rows)

    # --- keeping --------------------------------------------------------------------------------------------------

    def keep_coverage(self, sites: Devices, *, now: datetime, freshness: timedelta, target: timedelta) -> None:
        """Work out what is not kept yet of every site, a site at a time.

        ``target``: how old a proof may be by what is promised.
        """
        with self._db.read() as connection:
            done = {
                mark.site
                for mark in _marks(connection)
                if mark.until >= micros(day_of(now)) and _is_as(mark, sites.get(mark.site, ()), freshness, target)
            }
        for site, devices in sites.items():
            if devices and site not in done:
                self._keep_days(site, devices, now=now, freshness=freshness, target=target)

    def _keep_days(
        self, site: SiteName, devices: tuple[DeviceName, ...], *, now: datetime, freshness: timedelta, target: timedelta
    ) -> None:
        reach = max(freshness, target)
        with self._db.write() as connection:  # nobody tells of a look meanwhile
            mark = next((m for m in _marks(connection, site) if _is_as(m, devices, freshness, target)), None)
            since = None if mark is None else moment(mark.until)
            asked = {"site": site, "since": 0 if since is None else micros(since - reach)}
            told = _by_device(connection.execute(_OF_SITE, asked).all()).get(site, {})
            edges = _edges([told.get(device, ()) for device in devices])
            if edges is None:
                return
            first = edges[0] if mark is None else int(mark.first)
            since = day_of(moment(first)) if since is None else since
            until = min(day_of(moment(edges[1])), day_of(now))
            if since >= until:
                return
            lines = self._lines(site, devices, told, Window(since, until), now=now, freshness=freshness, target=target)
            of_site = coverage_sums.c.site == site
            if mark is None:
                connection.execute(delete(coverage_sums).where(of_site))
                base = [0] * len(_FIGURES)
            else:
                base = list(connection.execute(select(*_SUMS).where(of_site, coverage_sums.c.start == since)).one())
            rows = [{"start": moment(at), "site": site, **row} for at, row in _running(*lines, since, until, base)]
            put_all(connection, coverage_sums, as_columns(rows))
            begun = {"first": moment(first), "since": since if mark is None else moment(mark.since), "until": until}
            basis = {"basis": basis_of(devices, freshness), "target": micros_of(target)}
            put(connection, coverage_kept, {"site": site, **basis, **begun})

    def _lines(
        self,
        site: SiteName,
        devices: tuple[DeviceName, ...],
        told: Mapping[DeviceName, Sequence[Stretch]],
        days: Window,
        *,
        now: datetime,
        freshness: timedelta,
        target: timedelta,
    ) -> tuple[Sequence[Spell], Sequence[Spell]]:
        """When it was in which state, and when by looks that were trusted for as long as is promised."""
        own = [told.get(device, ()) for device in devices]
        states, promised = spells_of(own, until=micros(now), freshness=freshness, target=target)
        if states is not None and promised is not None:
            return states, promised
        wide = Window(days.start - max(freshness, target), now + timedelta.resolution)
        looks = self.looks(site, wide, freshness=min(freshness, target))
        good = [look for look in looks if look.found is not None and not is_held(look)]
        asked = Window(days.start, now)
        whole = coverage(looks, asked, devices=devices, now=now, freshness=freshness)
        kept = coverage(good, asked, devices=devices, now=now, freshness=target)
        return _spells(whole), [spell for spell in _spells(kept) if spell.state in _PROVEN]

    def _forget_coverage(self, oldest: datetime) -> None:
        """Drop the days before."""
        kept = coverage_kept.c
        with self._db.write() as connection:
            connection.execute(delete(coverage_kept).where(kept.until <= oldest))
            connection.execute(coverage_kept.update().where(kept.since < oldest).values(since=oldest))
            connection.execute(delete(coverage_sums).where(coverage_sums.c.start < oldest))


def spells_of(
    own: Sequence[Sequence[Stretch]], *, until: int, freshness: timedelta, target: timedelta
) -> tuple[Sequence[Spell] | None, Sequence[Spell] | None]:
    """When a site was in which state, and when by what is promised of the age of proofs; ``own``: of each device.

    None: it takes more to tell, as ``held`` says.
    """
    lines = [held(line, until=until, freshness=micros_of(freshness)) for line in own]
    proofs = [held(filter(is_proof, line), until=until, freshness=micros_of(target)) for line in own]
    known, kept = [line for line in lines if line is not None], [line for line in proofs if line is not None]
    if not own or len(known) < len(own) or len(kept) < len(own):
        return None, None
    return worst(known), [spell for spell in worst(kept) if spell.state in _PROVEN]


def is_proof(stretch: Stretch) -> bool:
    """Whether it counts for what is promised: a look that came through, and that no error held back."""
    if stretch.found is None or not stretch.cause:
        return stretch.found is not None
    return not is_held(as_look(stretch, SiteName(""), DeviceName("")))


def as_look(stretch: Stretch, site: SiteName, device: DeviceName) -> Observation:
    """What its looks say, as one."""
    return Observation(
        device=device,
        site=site,
        at=moment(stretch.first),
        found=CoverageState(stretch.found) if stretch.found else None,
        left=CoverageState(stretch.left) if stretch.left else None,
        cause=stretch.cause,
        until=moment(stretch.last) if stretch.last > stretch.first else None,
    )


@lru_cache(maxsize=10_000)
def basis_of(devices: tuple[DeviceName, ...], freshness: timedelta) -> str:
    """A digest of what coverage is worked out with."""
    said = "\n".join((*sorted(devices), str(micros_of(freshness))))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _is_as(mark: Row[Any], devices: tuple[DeviceName, ...], freshness: timedelta, target: timedelta) -> bool:
    return bool(mark.target == micros_of(target) and mark.basis == basis_of(devices, freshness))


def _marks(connection: Connection, site: SiteName | None = None) -> Sequence[Row[Any]]:
    """What is kept of each site; times are microseconds."""
    c = coverage_kept.c
    times = (type_coerce(c[name], BigInteger).label(name) for name in ("first", "since", "until"))
    query = select(c.site, c.basis, c.target, *times)
    return connection.execute(query if site is None else query.where(c.site == site)).all()


def _days_in(whole: _Part, kept: Iterable[Row[Any]]) -> dict[SiteName, _Part]:
    """The whole days of it that are kept of each site."""
    first, last = -(-whole[0] // _DAY) * _DAY, whole[1] // _DAY * _DAY
    days = {mark.site: (max(first, mark.since), min(last, mark.until)) for mark in kept}
    return {site: (start, end) for site, (start, end) in days.items() if start < end}


def _outside(whole: _Part, days: _Part | None) -> Iterator[_Part]:
    """What of it has to be looked at."""
    if days is None:
        yield whole
        return
    if whole[0] < days[0]:
        yield whole[0], days[0]
    if days[1] < whole[1]:
        yield days[1], whole[1]


def _between(connection: Connection, wanted: Mapping[SiteName, _Part]) -> dict[SiteName, list[int]]:
    """What the days of each site came to: the sums up to their end without those up to their start."""
    of_day = Counter(at for both in wanted.values() for at in both)
    common = {at for at, several in of_day.items() if several >= _TOGETHER}
    sums: dict[tuple[int, str], Sequence[int]] = {}
    if common:
        for start, site, *figures in connection.execute(_OF_DAYS, {"days": list(map(moment, common))}):
            sums[start, site] = figures
    rest = [(moment(at), site) for site, both in wanted.items() for at in both if at not in common]
    c = coverage_sums.c
    for place in range(0, len(rest), _NAMED):
        named = tuple_(c.start, c.site).in_(rest[place : place + _NAMED])
        query = select(type_coerce(c.start, BigInteger), c.site, *_SUMS).where(named)
        for start, site, *figures in connection.execute(query):
            sums[start, site] = figures
    return {
        site: [later - before for before, later in zip(sums[start, site], sums[end, site], strict=True)]
        for site, (start, end) in wanted.items()
    }


def _edges(own: Sequence[Sequence[Stretch]]) -> tuple[int, int] | None:
    """The first look at any device, and up to when the past of none can change any more; None: one has no proof."""
    last = [max((s.last for s in line if is_proof(s)), default=None) for line in own]
    known = [at for at in last if at is not None]
    return None if len(known) < len(own) else (min(s.first for line in own for s in line), min(known))


def _by_device(rows: Iterable[Any]) -> Stretches:
    found: Stretches = {}
    for site, device, *stretch in rows:
        found.setdefault(site, {}).setdefault(device, []).append(Stretch(*stretch))
    for devices in found.values():
        for line in devices.values():
            if len(line) > 1:
                line.sort(key=itemgetter(0))
    return found


def _spells(known: Coverage) -> list[Spell]:
    """What is not unknown of it."""
    return [
        Spell(micros(span.window.start), micros(span.window.end), span.state.value)
        for span in known.spans
        if span.state is not CoverageState.UNKNOWN
    ]


def _running(
    states: Sequence[Spell], promised: Sequence[Spell], since: datetime, until: datetime, base: Sequence[int]
) -> Iterator[tuple[int, dict[str, int]]]:
    """The sums before each midnight from ``since`` on up to ``until``, on top of those that there were."""
    first, last = micros(since), micros(until)
    by_state, kept = _by_day(states, first, last), _by_day(promised, first, last)
    sums = list(base)
    yield first, dict(zip(_FIGURES, sums, strict=True))
    for day in range(first, last, _DAY):
        times = by_state.get(day, {})
        for number, state in enumerate(_STATES):
            sums[number] += times.get(state.value, 0)
        sums[_UNKNOWN] += _DAY - sum(times.values())
        sums[-1] += sum(kept.get(day, {}).values())
        yield day + _DAY, dict(zip(_FIGURES, sums, strict=True))


def _by_day(known: Iterable[Spell], first: int, last: int) -> dict[int, dict[str, int]]:
    """How long in which state on each day."""
    found: dict[int, dict[str, int]] = {}
    for spell in known:
        at, end = max(spell.start, first), min(spell.end, last)
        while at < end:
            day = at // _DAY * _DAY
            part, times = min(end, day + _DAY) - at, found.setdefault(day, {})
            times[spell.state] = times.get(spell.state, 0) + part
            at += part
    return found


def _add(into: list[int], known: Sequence[Spell], start: int, end: int) -> None:
    for spell in known:
        time = min(spell.end, end) - max(spell.start, start)
        if time > 0:
            into[_PLACES[spell.state]] += time


def _as_times(figures: list[int], passed: int) -> Times:
    """What is left of the time is unknown."""
    figures[_UNKNOWN] += passed - sum(figures)
    return {state: timedelta(microseconds=figure) for state, figure in zip(_STATES, figures, strict=True)}


__all__ = ["Devices", "Proven", "Settled", "as_look", "is_proof", "spells_of"]
