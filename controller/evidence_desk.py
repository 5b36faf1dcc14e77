"""Where evidence is brought: judged, correlated, kept once, and asked for. The real ``Intake``.

What a batch comes to is in the store with the batch's name, in one transaction, when ``take`` returns; a batch that is
brought again changes nothing. What is no evidence is set aside with the reason. The desk holds in memory what records
without a name wait for one, and since when clients take ways round a block; what a process forgets is never counted
twice, and may miss its name.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from controller.errors import StoreError
from controller.evidence import rules
from controller.evidence.correlating import (
    LENGTH,
    Judged,
    derived_id,
    dumps,
    episode_of,
    fold,
    loads,
    outcomes,
    overflow_of,
    signs_by_keys,
    signs_of,
)
from controller.evidence.counters import hits_of, sightings_of
from controller.evidence.dormancy import Machine
from controller.evidence.dormancy import parted as parted_by_use
from controller.evidence.judging import Judge, Outcome, Sign, parted
from controller.evidence.model import Batch, Episode, EpisodeKind, Quarantine, Rejected, Sighting
from controller.evidence.naming import Waiting
from controller.evidence.ways import Way, Ways
from controller.inventory import Inventory, Policy, Site
from controller.inventory.evidence import EvidenceRules
from controller.model import AccessException, Window
from controller.privacy_desk import PrivacyDesk
from controller.reach import EVERYWHERE, Reach
from controller.store import EpisodeQuery, KeptEpisode, Page, Past, Store
from controller.store.exception_query import ExceptionQuery
from controller.store.journal import Kind
from core.clock import Clock
from core.ids import EventId, ExceptionId, SiteName
from core.net import Address, DomainName, Network
from ipsets.model import Snapshot
from ipsets.traits import Matcher

log = structlog.get_logger()

FOLLOWED: Final = timedelta(seconds=5)
"""How old the exceptions may be that sightings are judged by."""
REMEMBERED: Final = 50_000
MANY: Final = 2_000
PAGE: Final = 1_000
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
AWAY_MOST: Final = 24
"""Hours in which spikes are looked for at the start."""
NO_TIME: Final = Window(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))
TEXT_MOST: Final = 200


class EvidenceDesk:
    """One for a controller. Safe to use from any number of threads."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        clock: Clock,
        *,
        policies: Callable[[Site], Policy],
        holidays: Callable[[Site], frozenset[date]],
        privacy: PrivacyDesk | None = None,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._policies = policies
        self._holidays = holidays
        self._privacy = privacy or PrivacyDesk(store=store, inventory=inventory, clock=clock)
        self._reach = EVERYWHERE
        self._building = threading.Lock()
        self._joining = threading.Lock()  # over what waits, and the ways
        self._judge: tuple[object, float, Judge] | None = None
        self._matcher: tuple[object, Matcher] | None = None
        self._exceptions: tuple[AccessException, ...] = ()
        self._hours: dict[ExceptionId, str] = {}
        self._used: set[tuple[SiteName, str]] = set()  # sites and apps of which some use is kept
        self._used_on: date | None = None
        self._hours_used: set[datetime] = set()  # of which use came in that spikes were not looked for in yet
        self._has_looked = False  # for spikes
        self._lately: OrderedDict[str, None] | None = None  # sources of episodes that may still grow
        self._ways = Ways()  # round a block
        self._waiting = Waiting()  # records that may yet be named
        self.counts: Counter[str] = Counter()  # of this process: sightings, signs, batches, and each reason set aside

    def within(self, reach: Reach, privacy: PrivacyDesk | None = None) -> EvidenceDesk:
        """The same desk for somebody whose access ends there."""
        narrow = copy(self)
        narrow._reach, narrow._privacy = reach, privacy or self._privacy
        return narrow

    # --- asking ---------------------------------------------------------------------------------------------------

    def find(self, wanted: EpisodeQuery) -> Page[Episode]:
        """The newest first. Raises ``Invalid`` for a cursor that is not one of ours; ``NotUnmasked`` when it is asked
        by an identity where those are not shown."""
        page = self._store.episodes(self._askable(wanted))
        return replace(page, items=tuple(map(self._privacy.episode, page.items)))

    def count(self, wanted: EpisodeQuery, *, most: int) -> int:
        """How many there are on all pages; no further than ``most``."""
        return self._store.episode_count(self._askable(wanted), most=most)

    def counted_since(self, at: datetime) -> dict[tuple[str, str], int]:
        """How many episodes of each kind and action ended since."""
        return self._store.episode_counts(at, sites=self._reach.sites)

    def one(self, name: str) -> Episode:
        """Raises ``NotFound``, also for one of a site out of reach."""
        found = self._store.episode(name)
        if not self._reach.has(found.site):
            self._store.episode("")  # told in the same words as one that is not there
        return self._privacy.episode(found)

    def _askable(self, wanted: EpisodeQuery) -> EpisodeQuery:
        if wanted.source is not None or wanted.host is not None or wanted.user is not None:
            self._privacy.refuse_by_identity(wanted.site)
        by_who = wanted.text is None or self._privacy.is_searchable(wanted.site)
        return self._within(replace(self._privacy.named(wanted), by_who=by_who))

    def _within(self, wanted: EpisodeQuery) -> EpisodeQuery:
        if self._reach.is_everywhere:
            return wanted
        return replace(wanted, sites=frozenset(self._reach.part_of(wanted.sites or self._reach.sites or ())))

    # --- taking ---------------------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> None:
        """In the store, or not at all, when this returns. Raises ``StoreError``: bring it again."""
        now = self._clock.now()
        good, rejected = screened(batch, now, self._inventory.evidence)
        judge = self._current_judge()
        with self._joining:
            judged = signs_of(judge, good, site=batch.site, waiting=self._waiting)
            self._waiting.drop(judged.joined)
        rejected += [_stranger(batch, sighting) for sighting in judged.strangers]
        says_something = judged.signs or judged.nameless or judged.foreign or rejected
        is_new, waits = False, list[Sighting]()
        try:
            is_new = not says_something or self._correlate(batch, judge, judged, rejected, waits)
        finally:
            with self._joining:
                here = ((one, batch.site) for one in (*waits, *judged.foreign))
                self._waiting.add(here if is_new else judged.joined)
        if not is_new:
            self.counts["batches again"] += 1
            return
        self.counts.update({"batches": 1, "sightings": len(batch.sightings), "signs": len(judged.signs)})
        for one in rejected:
            self.counts[f"set aside {one.why.value}"] += one.count

    def _correlate(
        self, batch: Batch, judge: Judge, judged: Judged, rejected: Sequence[Rejected], waits: list[Sighting]
    ) -> bool:
        """False: it was taken before. ``waits`` is given what has no name yet."""
        used, tunnels = parted(judged.signs)
        nameless = [sighting for sighting in judged.nameless if self._is_lately(sighting)]
        clients = {sign.client for sign in judged.signs}
        clients |= {judge.client(sighting, site=batch.site) or "" for sighting in nameless}
        clients |= {overflow_of(sign.site) for sign in used}
        with self._joining:
            times = [*(sign.at for sign in used), *(sighting.at for sighting in nameless), *self._ways.note(tunnels)]
        window = Window(min(times) - LENGTH, max(times) + LENGTH) if times else NO_TIME
        using, own, began = set[tuple[SiteName, str]](), set[str](), set[datetime]()
        joined = set[int]()

        def foreign(sources: Collection[Address]) -> list[Sighting]:
            with self._joining:
                before = list(self._waiting.foreign(sources))
            return [*before, *(one for one in judged.foreign if one.source in sources)]

        def folded(kept: Sequence[KeptEpisode], past: Past) -> Iterable[KeptEpisode]:
            drafts = [loads(one.episode, one.client, one.threads or "") for one in kept]
            leaked = {draft.id for draft in drafts if draft.may_leak and outcomes(draft)[Outcome.LEAKED]}
            used_once = {one.episode.id for one in kept if one.episode.kind is EpisodeKind.USE}
            more = list(signs_by_keys(judge, nameless, drafts, foreign=foreign, site=batch.site))
            joined.update(id(sighting) for sighting, _ in more)
            signs = [*used, *(sign for _, sign in more)]
            changed = fold(drafts, signs, open_at=_open_in(past), salt=past.salt)
            found = {draft.id: episode_of(draft) for draft in changed}
            own.update(draft.client for draft in changed if not draft.is_overflow)
            first = self._first(found.values(), past)
            grown = {derived_id(name, EpisodeKind.FIRST_USE): name for name in used_once & found.keys()}
            first |= {grown[name] for name in past.which(grown)}
            mine = [one for one in found.values() if one.kind is EpisodeKind.USE]
            using.update((one.site, one.app) for one in mine)
            began.update(one.window.start.replace(minute=0, second=0, microsecond=0) for one in mine)
            for draft in changed:
                yield KeptEpisode(episode=found[draft.id], client=draft.client, threads=dumps(draft))
            for draft in (*changed, *(draft for draft in drafts if tunnels and draft.id not in found)):
                ways = self._ways_of(draft.client)
                for follows in rules.follows(
                    draft,
                    found.get(draft.id) or episode_of(draft),
                    had_leaked=draft.id in leaked,
                    is_first=draft.id in first,
                    hours_of=self._hours,
                    ways=ways,
                    evaded=past.episode(derived_id(draft.id, EpisodeKind.EVASION)) if ways else None,
                ):
                    yield KeptEpisode(episode=follows)
                if draft.id in used_once and draft.id in found and found[draft.id].kind is not EpisodeKind.USE:
                    names = rules.following(draft)
                    told = [one for name in names if (one := past.episode(name)) is not None and one.confidence]
                    yield from (KeptEpisode(episode=rules.no_use(one)) for one in told)

        taken = self._store.correlate(batch.id, clients=clients, window=window, fold=folded, rejected=rejected)
        waits += [sighting for sighting in judged.nameless if id(sighting) not in joined]
        self._remember([sign for sign in judged.signs if not taken or sign.client in own], using, began)
        return taken

    def _ways_of(self, client: str) -> tuple[Way, ...]:
        with self._joining:
            return self._ways.of(client)

    def _first(self, found: Iterable[Episode], past: Past) -> set[EventId]:
        """The first use of each app at each site, where there was none before."""
        with self._building:
            if (today := self._clock.now().date()) != self._used_on:  # what was kept yesterday may be dropped by now
                self._used, self._used_on = set(), today
        earliest: dict[tuple[SiteName, str], Episode] = {}
        for one in found:
            where = (one.site, one.app)
            if one.kind is EpisodeKind.USE and where not in self._used:
                earliest[where] = min(earliest.get(where, one), one, key=lambda e: (e.window.start, e.id))
        return {one.id for one in earliest.values() if not past.used_before(one.site, one.app, one.window.start)}

    # --- from time to time ----------------------------------------------------------------------------------------

    def follow_counters(self) -> None:
        """Have what counters proved since the last time in the shape of all evidence. Done twice, it is done once."""
        while True:
            page = self._store.journal(self._store.followed(), limit=PAGE)
            names = [entry.subject for entry in page.entries if entry.kind is Kind.EVENT]
            events = self._store.events_named(names) if names else []
            apps = {name: self._app_of(site) for name, site in self._inventory.sites.items()}
            hits = [hits_of(event, app=apps.get(event.site, "")) for event in events]
            self._store.record("", [one for one in hits if one is not None])
            for event in events:
                if seen := tuple(sightings_of(event)):
                    self.take(Batch(origin="counters", id=f"counters {event.id}", site=event.site, sightings=seen))
            self._store.set_followed(page.until)
            if len(page.entries) < PAGE:
                return

    def _app_of(self, site: Site) -> str:
        """What a counter there is of, as far as that is one app."""
        known = self._inventory.catalogue.services
        chosen = self._policies(site).services
        apps = {app for name in chosen if name in known for app in known[name].apps}
        return next(iter(apps)) if len(apps) == 1 else ""

    def find_spikes(self) -> None:
        """Compare the last whole hour of each site with the same hour of earlier weeks, and so each of which evidence
        came in since the last time; the first time those of the last day, for nobody looked while we were away."""
        hour = self._clock.now().replace(minute=0, second=0, microsecond=0)
        with self._building:
            late = {one for one in self._hours_used if one < hour}
            self._hours_used -= late
        wanted = late | {hour - back * HOUR for back in range(1, 2 if self._has_looked else AWAY_MOST + 1)}
        used_in = cache(lambda at: self._store.use_by_site(Window(at, at + HOUR)))
        try:
            found = [self._spike(site, one, used_in) for one in sorted(wanted) for site in sorted(used_in(one))]
            self._store.record("", [one for one in found if one is not None])
        except StoreError:
            with self._building:
                self._hours_used |= late
            raise
        self._has_looked = True

    def _spike(
        self, site: SiteName, hour: datetime, used_in: Callable[[datetime], Mapping[SiteName, int]]
    ) -> Episode | None:
        count, where = used_in(hour)[site], self._inventory.sites.get(site)
        if count < rules.SPIKE_LEAST or where is None:
            return None
        first = self._store.first_seen_at(site) or hour
        weeks = rules.same_hours(hour, ZoneInfo(where.time_zone))
        return rules.spike(site, hour, count, [used_in(then).get(site, 0) for then in weeks if then >= first])

    def find_dormant(self) -> None:
        """Tell what was installed a while ago and was never seen used; take back what was told of who is seen now."""
        now = self._clock.now()
        old = self._store.installed_before(now - rules.DORMANT_AFTER, limit=REMEMBERED)
        groups = defaultdict[tuple[SiteName, str], list[Machine]](list)
        for kept in old:
            groups[kept.episode.site, kept.episode.app].append(Machine.of(kept.episode, kept.threads))
        for (site, app), machines in sorted(groups.items()):
            first = min(machine.installed.window.start for machine in machines)
            with closing(self._store.traces(site, app, first)) as uses:
                unused, used = parted_by_use(machines, uses)
            seen = {derived_id(one.id, EpisodeKind.DORMANT): use.window.end for one, use in used}
            told = [one for one in self._store.episodes_called(seen) if not one.is_taken_back]
            awake = [rules.awake(one, used_at=seen[one.id]) for one in told]
            self._store.record("", [*(rules.dormant(one, now=now) for one in unused), *awake])

    # --- what saves work ------------------------------------------------------------------------------------------

    def _current_judge(self) -> Judge:
        """By the list and the exceptions of now; built anew when one of them is another."""
        with self._building:
            snapshot = self._store.current_snapshot()
            at, name = self._clock.monotonic(), snapshot and snapshot.id
            if self._judge is None or self._judge[0] != name or not 0 <= at - self._judge[1] < FOLLOWED.total_seconds():
                exceptions = self._known_exceptions()
                if self._matcher is None or self._matcher[0] != name:
                    self._matcher = (name, matcher_of(self._inventory, snapshot))
                if self._judge is None or self._judge[0] != name or exceptions != self._exceptions:
                    self._exceptions = exceptions
                    self._hours = {
                        e.id: f" (only {', '.join(map(str, e.hours))}, by the site's clock)"
                        for e in exceptions
                        if e.hours
                    }
                    judge = Judge(
                        self._inventory,
                        self._matcher[1],
                        exceptions,
                        policies=self._policies,
                        holidays=self._holidays,
                    )
                else:
                    judge = self._judge[2]
                self._judge = (name, at, judge)
            return self._judge[2]

    def _known_exceptions(self) -> tuple[AccessException, ...]:
        """Those that what is still taken may fall under."""
        earliest = self._clock.now() - self._inventory.evidence.too_old
        known = self._store.exception_batches(ExceptionQuery(), first=MANY)
        return tuple(one for batch in known for one, _ in batch if one.ends > earliest)

    def _is_lately(self, sighting: Sighting) -> bool:
        if self._lately is None:
            self._lately = self._sources_lately()
        return str(sighting.source) in self._lately

    def _sources_lately(self) -> OrderedDict[str, None]:
        return OrderedDict.fromkeys(self._store.clients_since(self._clock.now() - LENGTH, limit=REMEMBERED))

    def _remember(
        self, signs: Iterable[Sign], using: Iterable[tuple[SiteName, str]], began: Iterable[datetime]
    ) -> None:
        with self._building:
            self._used.update(using)
            self._hours_used.update(began)
            lately = self._lately = self._lately if self._lately is not None else self._sources_lately()
            for source in {str(sign.source) for sign in signs if sign.source is not None}:
                lately[source] = None
                lately.move_to_end(source)
            while len(lately) > REMEMBERED:
                lately.popitem(last=False)


def _open_in(past: Past) -> Callable[[SiteName, datetime], int]:
    """How many episodes of a site what is seen then might join, to the minute."""
    in_minute = cache(lambda site, minute: past.open_at(site, Window(minute - LENGTH, minute + MINUTE)))
    return lambda site, at: in_minute(site, at.replace(second=0, microsecond=0))


def matcher_of(inventory: Inventory, snapshot: Snapshot | None) -> Matcher:
    """The traits, and the list in force; without one, what is shipped."""
    services = inventory.catalogue.services
    names, networks = list[tuple[DomainName, str]](), list[tuple[Network, str]]()
    for found in snapshot.services if snapshot is not None else ():
        apps = services[found.service].apps if found.service in services else frozenset[str]()
        if len(apps) == 1:
            (app,) = apps
            names += [(name, app) for name in found.domains]
            networks += [(network, app) for network in found.networks]
    surfaces = {name: parts for service in services.values() for name, parts in service.surfaces.items()}
    return Matcher(names=names, networks=networks, surfaces=surfaces)


def screened(batch: Batch, now: datetime, limits: EvidenceRules) -> tuple[list[Sighting], list[Rejected]]:
    """What may be judged, and what is set aside for its time, behind what was set aside already."""
    good, rejected = list[Sighting](), list(batch.rejected)
    earliest, latest = now - limits.too_old, now + timedelta(seconds=limits.clock_ahead_seconds)
    for sighting in batch.sightings:
        if earliest <= sighting.at <= latest:
            good.append(sighting)
        else:
            why = Quarantine.FUTURE if sighting.at > latest else Quarantine.TOO_OLD
            detail = f"its time is {sighting.at.isoformat()}, ours is {now.isoformat()}"
            rejected.append(
                Rejected(why=why, origin=batch.origin, site=batch.site, text=_told(sighting), detail=detail)
            )
    return good, rejected


def _stranger(batch: Batch, sighting: Sighting) -> Rejected:
    detail = "the client's address is in no network of any site, and the sensor is no device of one"
    return _rejected(batch, sighting, Quarantine.STRANGER, detail)


def _rejected(batch: Batch, sighting: Sighting, why: Quarantine, detail: str) -> Rejected:
    return Rejected(why=why, origin=batch.origin, site=batch.site, text=_told(sighting), detail=detail)


def _told(sighting: Sighting) -> str:
    said = (
        sighting.channel.value,
        sighting.sensor,
        str(sighting.source or sighting.host),
        str(sighting.destination or ""),
    )
    return " ".join(part for part in (*said, sighting.name) if part)[:TEXT_MOST]


__all__ = ["EvidenceDesk", "matcher_of", "screened"]
