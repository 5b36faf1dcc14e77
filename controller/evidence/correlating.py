"""From signs to episodes: one for all that is seen of one client and one app within half an hour. Pure.

What was seen joins the first episode that it fits, whichever way it was seen: a deny of the firewall, a question to the
DNS and a ClientHello of one host are one episode. The order in which signs come does not matter as long as they lie
within ``LENGTH`` of each other. Everything is bounded: episodes at once, names in each, keys that are remembered; what
is too much is added up in places of its own, and said.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, Final

from ulid import ULID

from controller.evidence.judging import FOREIGN, ORDER, Judge, Outcome, Sign, tells_of_others
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground, Sighting
from controller.evidence.naming import Names, Waiting
from controller.evidence.spans import Spans, widen
from controller.evidence.spelling import plain_host, plain_user
from controller.model import Window
from core.ids import DeviceName, EventId, ExceptionId, SiteName
from core.net import Address
from ipsets.traits import USE, Shows, Trait, traits

LENGTH: Final = timedelta(minutes=30)
"""No episode is longer."""
OPEN_MOST: Final = 2_000
"""Episodes of one site at once; further clients are summed in one that names nobody."""
THREADS_MOST: Final = 32
"""Names and addresses told apart in one episode."""
KEYS_MOST: Final = 64
ADDRESSES_MOST: Final = 32
"""Of a machine on which the app is installed, the last ones."""
FEW: Final = 8
"""Sensors, devices and the like that are named."""
AT_ONCE: Final = timedelta(minutes=2)
"""So soon after a block, a way round it is taken for one."""
LIKELY: Final = 50
"""From this confidence on, signs of use are called use."""
OTHERS: Final = "(others)"

RULES: Final[Mapping[str, tuple[int, str]]] = {
    "rule:channels": (5, "seen in another way as well"),
    "rule:question": (-15, "only asked of the DNS: a page may ask ahead of any use, so this alone is called none"),
    FOREIGN: (-30, "the connection names another site than the address is known for"),
    "rule:overflow": (0, "too many clients at once: these are summed, and none of them is named"),
    "rule:hosts": (0, "machines of several names were at this address: whose it was is not known"),
    "rule:users": (0, "several people were at this address: whose it was is not known"),
}
"""What is not of a trait: how much it adds, and why."""
CHANNELS_MOST: Final = 3
"""Further channels that count."""


@dataclass(slots=True)
class Thread:
    """What is known of one name or address of an episode."""

    count: int = 0
    packets: int | None = None
    octets: int | None = None
    marks: dict[str, str] = field(default_factory=dict)  # id -> the first channel, by name
    channels: set[str] = field(default_factory=set)
    outcomes: dict[str, int] = field(default_factory=dict)
    inferred: dict[str, int] = field(default_factory=dict)

    def add(self, sign: Sign) -> None:
        self.count += sign.count
        self.packets = _plus(self.packets, sign.packets)
        self.octets = _plus(self.octets, sign.octets)
        channel = sign.channel.value
        self.channels.add(channel)
        for mark in sign.marks:
            if channel < self.marks.get(mark, "~"):
                self.marks[mark] = channel
        told = self.inferred if sign.is_inferred else self.outcomes
        told[sign.outcome] = told.get(sign.outcome, 0) + sign.count

    def absorb(self, other: Thread) -> None:
        """Take in what was thought to be about something else."""
        self.count += other.count
        self.packets, self.octets = _plus(self.packets, other.packets), _plus(self.octets, other.octets)
        self.channels |= other.channels
        for mark, channel in other.marks.items():
            self.marks[mark] = min(self.marks.get(mark, channel), channel)
        for mine, others in ((self.outcomes, other.outcomes), (self.inferred, other.inferred)):
            for outcome, count in others.items():
                mine[outcome] = mine.get(outcome, 0) + count

    @property
    def shows(self) -> Shows | None:
        """What it all comes to."""
        return _of_marks(frozenset(self.marks))[0]

    @property
    def traits(self) -> tuple[Trait, ...]:
        """Those that this version still knows."""
        return _of_marks(frozenset(self.marks))[1]

    def total(self) -> Mapping[str, int]:
        """What a verdict says goes before what answers show: a firewall may cut what was answered already."""
        if not self.inferred:
            return self.outcomes
        told = Counter(self.outcomes)
        for outcome, count in self.inferred.items():
            told[Outcome.BLOCKED if self.outcomes.get(Outcome.BLOCKED) else outcome] += count
        return told


@lru_cache(maxsize=4_096)  # most threads have the same few
def _of_marks(marks: frozenset[str]) -> tuple[Shows | None, tuple[Trait, ...]]:
    known = tuple(traits()[mark] for mark in sorted(marks) if mark in traits())
    shown = {trait.shows for trait in known}
    return next((shows for shows in ORDER if shows in shown), None), known


@dataclass(slots=True)
class Draft:
    """An episode that may still grow."""

    id: EventId
    client: str
    site: SiteName
    app: str
    exception: ExceptionId | None
    start: datetime
    end: datetime
    role: str | None = None
    source: str | None = None
    hosts: set[str] = field(default_factory=set)  # names of the client; of several machines, one each
    users: set[str] = field(default_factory=set)
    is_overflow: bool = False
    is_installed: bool = False  # then it has no end
    threads: dict[str, Thread] = field(default_factory=dict)
    surfaces: dict[str, int] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    sensors: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)  # how what has no name is found to belong to a thread
    borne: dict[str, str] = field(default_factory=dict)  # keys of what is known by its address, and that
    outside: set[str] = field(default_factory=set)  # exceptions that would have covered it at another time
    events: set[str] = field(default_factory=set)
    blocked: Spans = field(default_factory=list)  # when use was blocked, as ``AT_ONCE`` sees it
    addresses: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)  # a machine's, first and last there

    def fits(self, sign: Sign) -> bool:
        if self.start <= sign.at <= self.end:
            return True
        return max(self.end, sign.at) - min(self.start, sign.at) <= LENGTH or self.is_installed

    @property
    def host(self) -> str:
        """Of the one machine; where an address went to another within the episode, neither is named."""
        return next(iter(self.hosts)) if len(self.hosts) == 1 else ""

    @property
    def user(self) -> str:
        """Of the one person, likewise."""
        return next(iter(self.users)) if len(self.users) == 1 else ""

    @property
    def may_leak(self) -> bool:
        """Whether anything passed that should not have, by any word."""
        return any(Outcome.LEAKED in t.outcomes or Outcome.LEAKED in t.inferred for t in self.threads.values())

    def add(self, sign: Sign) -> None:
        if sign.at < self.start:
            self.start = sign.at
        elif sign.at > self.end:
            self.end = sign.at
        name = sign.thread
        if sign.borne and self.keys:
            name = next((self.keys[key] for key in sign.borne if key in self.keys), name)
        if (thread := self.threads.get(name)) is None:
            name = name if len(self.threads) < THREADS_MOST else OTHERS
            thread = self.threads.setdefault(name, Thread())
        thread.add(sign)
        self.role = _one(self.role, sign.role)
        _call(self.hosts, sign.host, plain_host)
        _call(self.users, sign.user, plain_user)
        self.surfaces[sign.surface] = self.surfaces.get(sign.surface, 0) + sign.count
        if sign.shows is Shows.INSTALLED:
            self.is_installed = True
            self._reported_at(sign)
        if sign.outcome == Outcome.BLOCKED and sign.shows in USE:
            widen(self.blocked, sign.at, AT_ONCE)
        _few(self.sensors, sign.sensor)
        if sign.device is not None:
            _few(self.devices, sign.device)
        if sign.outside is not None:
            _few(self.outside, sign.outside)
        for key in sign.learned:
            if len(self.keys) < KEYS_MOST:
                self.keys.setdefault(key, name)
            self._name(self.borne.pop(key, name), name)
        for key in sign.borne if name == sign.thread else ():
            if len(self.borne) < KEYS_MOST:
                self.borne.setdefault(key, name)

    def _name(self, address: str, name: str) -> None:
        """What was known by its address alone turns out to be about a name."""
        if address != name and address in self.threads:
            self.threads[name].absorb(self.threads.pop(address))

    def _reported_at(self, sign: Sign) -> None:
        """A machine moves: its address is the last one that it was reported at."""
        if sign.source is None:
            return
        first, last = self.addresses.get(address := str(sign.source), (sign.at, sign.at))
        self.addresses[address] = (min(first, sign.at), max(last, sign.at))
        if len(self.addresses) > ADDRESSES_MOST:
            del self.addresses[min(self.addresses, key=lambda one: (self.addresses[one][1], one))]
        self.source = max(self.addresses, key=lambda one: (self.addresses[one][1], one))


# --- text and back ----------------------------------------------------------------------------------------------------


def dumps(draft: Draft) -> str:
    """As it is kept beside its episode."""
    threads = {
        name: [t.count, t.packets, t.octets, t.marks, sorted(t.channels), t.outcomes, t.inferred]
        for name, t in draft.threads.items()
    }
    said = {
        "threads": threads,
        "surfaces": draft.surfaces,
        "devices": sorted(draft.devices),
        "sensors": sorted(draft.sensors),
        "hosts": sorted(draft.hosts),
        "users": sorted(draft.users),
        "keys": draft.keys,
        "borne": draft.borne,
        "outside": sorted(draft.outside),
        "overflow": draft.is_overflow,
        "blocked": [[start.isoformat(), end.isoformat()] for start, end in draft.blocked],
        "addresses": {one: [first.isoformat(), last.isoformat()] for one, (first, last) in draft.addresses.items()},
    }
    return json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def loads(episode: Episode, client: str, text: str) -> Draft:
    """The draft that ``dumps`` wrote."""
    said: dict[str, Any] = json.loads(text)
    return Draft(
        id=episode.id,
        client=client,
        site=episode.site,
        app=episode.app,
        exception=episode.exception,
        start=episode.window.start,
        end=episode.window.end,
        role=episode.role,
        source=None if episode.source is None else str(episode.source),
        hosts=set(said.get("hosts", filter(None, [episode.host]))),
        users=set(said.get("users", filter(None, [episode.user]))),
        is_overflow=said["overflow"],
        is_installed=episode.kind is EpisodeKind.INSTALLED,
        threads={name: _thread(values) for name, values in said["threads"].items()},
        surfaces=said["surfaces"],
        devices=set(said["devices"]),
        sensors=set(said["sensors"]),
        keys=said["keys"],
        borne=said.get("borne", {}),
        outside=set(said["outside"]),
        events=set(episode.events),
        blocked=[_times(span) for span in said.get("blocked", ())],
        addresses={one: _times(span) for one, span in said.get("addresses", {}).items()},
    )


def addresses_in(text: str) -> dict[str, tuple[datetime, datetime]]:
    """Those of the draft that ``dumps`` wrote."""
    return {one: _times(span) for one, span in json.loads(text).get("addresses", {}).items()}


def users_in(text: str) -> tuple[str, ...]:
    """Those of the draft that ``dumps`` wrote, also where they are several."""
    return tuple(json.loads(text).get("users", ()))


def _times(span: Sequence[str]) -> tuple[datetime, datetime]:
    start, end = map(datetime.fromisoformat, span)
    return start, end


def _thread(values: Sequence[Any]) -> Thread:
    count, packets, octets, marks, channels, outcomes, inferred = values
    return Thread(
        count=count,
        packets=packets,
        octets=octets,
        marks=marks,
        channels=set(channels),
        outcomes=outcomes,
        inferred=inferred,
    )


# --- signs of a batch -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a batch comes to. ``nameless``: what only other evidence may say something of."""

    signs: tuple[Sign, ...]
    nameless: tuple[Sighting, ...] = ()
    strangers: tuple[Sighting, ...] = ()  # they say something, of clients that are at no site
    foreign: tuple[Sighting, ...] = ()  # under names that mean nothing here, and so say what is not ours
    joined: tuple[tuple[Sighting, SiteName | None], ...] = ()  # that waited: their signs are among the signs


def signs_of(
    judge: Judge, seen: Iterable[Sighting], *, site: SiteName | None = None, waiting: Waiting | None = None
) -> Judged:
    """The signs in a batch; what has no name of its own is given the one that the rest of it tells.

    ``waiting``: what came before and was not understood; the batch may tell its names too.
    """
    nameless, signs, foreign = list[Sighting](), list[Sign](), list[Sighting]()
    strangers, left, joined = list[Sighting](), list[Sighting](), list[tuple[Sighting, SiteName | None]]()
    for sighting in seen:
        if judge.is_without_name(sighting):
            nameless.append(sighting)
            continue
        sign = judge.sign(sighting, site=site)
        if isinstance(sign, Sign):
            signs.append(sign)
        elif sign is not None:
            strangers.append(sighting)
        elif tells_of_others(sighting):
            foreign.append(sighting)
    names = _names(signs, foreign, waiting) if nameless or waiting else Names()
    for sighting in nameless:
        sign = judge.sign(sighting, site=site, named=names.of(sighting) if names else "")
        if isinstance(sign, Sign):
            signs.append(sign)
        else:
            (left if sign is None else strangers).append(sighting)
    for sighting, its_site in _waited(waiting, names):
        if isinstance(sign := judge.sign(sighting, site=its_site, named=names.of(sighting)), Sign):
            signs.append(sign)
            joined.append((sighting, its_site))
    return Judged(
        signs=tuple(signs),
        nameless=tuple(left),
        strangers=tuple(strangers),
        foreign=tuple(foreign),
        joined=tuple(joined),
    )


def _names(signs: Iterable[Sign], foreign: Iterable[Sighting], waiting: Waiting | None) -> Names:
    """What these signs call others of their clients, and what they may be called as well."""
    names = Names()
    for sign in signs:
        names.learn(sign)
    if names:
        names.doubt(one for one in foreign if one.source in names.sources)
        names.doubt(waiting.foreign(names.sources) if waiting is not None else ())
    return names


def _waited(waiting: Waiting | None, names: Names) -> list[tuple[Sighting, SiteName | None]]:
    if waiting is None or not names:
        return []
    return [(one, site) for one, site in waiting.nameless(names.sources) if names.of(one)]


def signs_by_keys(
    judge: Judge,
    nameless: Iterable[Sighting],
    drafts: Iterable[Draft],
    *,
    foreign: Callable[[Collection[Address]], Iterable[Sighting]] = lambda _: (),
    site: SiteName | None = None,
) -> Iterator[tuple[Sighting, Sign]]:
    """What has no name, as the episodes that are open know it; ``foreign``: what clients did under other names."""
    names = Names()
    for draft in drafts:
        for key, name in draft.keys.items():
            names.recall(key, name, draft.start, draft.end)
    if not names:
        return
    known = [one for one in nameless if names.may_concern(one)]
    names.doubt(foreign({one.source for one in known if one.source is not None}) if known else ())
    for sighting in known:
        named = names.of(sighting)
        if named and isinstance(sign := judge.sign(sighting, site=site, named=named), Sign):
            yield sighting, sign


# --- folding ----------------------------------------------------------------------------------------------------------


def fold(
    drafts: Iterable[Draft],
    signs: Iterable[Sign],
    *,
    open_at: Callable[[SiteName, datetime], int] = lambda *_: 0,
    salt: bytes = b"",
) -> list[Draft]:
    """The drafts that the signs change or begin, given those that are open; the others are left out.

    ``open_at`` says how many episodes of a site were open then, already. ``salt`` goes into the ids of new ones.
    """
    by_group: dict[tuple[str, str, str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_group[_group(draft.client, draft.app, draft.exception)].append(draft)
    changed: dict[EventId, Draft] = {}
    begun = defaultdict[SiteName, deque[datetime]](deque)
    for sign in sorted(signs, key=_rank):
        group = by_group[_group(sign.client, sign.app, sign.exception)]
        fitting = _fitting(group, sign)
        if fitting is None and open_at(sign.site, sign.at) + _still_open(begun[sign.site], sign.at) >= OPEN_MOST:
            group = by_group[_group(overflow_of(sign.site), sign.app, None)]
            fitting = _fitting(group, sign) or _begin(group, sign, salt, is_overflow=True)
        elif fitting is None:
            begun[sign.site].append(sign.at)
            fitting = _begin(group, sign, salt)
        fitting.add(sign)
        changed[fitting.id] = fitting
    return [changed[key] for key in sorted(changed)]


def _still_open(begun: deque[datetime], at: datetime) -> int:
    while begun and begun[0] < at - LENGTH:
        begun.popleft()
    return len(begun)


def _fitting(group: Iterable[Draft], sign: Sign) -> Draft | None:
    """The first by its start."""
    fitting = [draft for draft in group if draft.fits(sign)]
    return min(fitting, key=lambda draft: draft.start) if fitting else None


def _rank(sign: Sign) -> tuple[object, ...]:
    return (sign.at, sign.client, sign.thread, sign.channel, sign.outcome, sign.sensor, sign.host, sign.user)


def _group(client: str, app: str, exception: str | None) -> tuple[str, str, str]:
    return client, app, exception or ""


def overflow_of(site: SiteName) -> str:
    """The client that those who are too many are summed as."""
    return f"{site} (too many)"


def _begin(group: list[Draft], sign: Sign, salt: bytes, *, is_overflow: bool = False) -> Draft:
    client = overflow_of(sign.site) if is_overflow else sign.client
    source = None if is_overflow or sign.source is None else str(sign.source)
    draft = Draft(
        id=made_id(sign.at, client, sign.app, "" if is_overflow else sign.exception or "", salt=salt),
        client=client,
        site=sign.site,
        app=sign.app,
        exception=None if is_overflow else sign.exception,
        start=sign.at,
        end=sign.at,
        source=source,
        is_overflow=is_overflow,
    )
    group.append(draft)
    return draft


_TIMED: Final = 10
"""So many characters of an id say its time."""


def derived_id(of: EventId, *said: str) -> EventId:
    """Of what follows from an episode: the same for the same, and beside it in the order of time."""
    digest = sha256("\0".join((of, *said)).encode()).digest()[:10]
    return EventId(of[:_TIMED] + str(ULID(bytes(6) + digest)).lower()[_TIMED:])


def made_id(at: datetime, *said: str, salt: bytes = b"") -> EventId:
    """The same for the same: what is made twice of one evidence is one. Sorts by time, as all ids do.

    ``salt``: a secret of whoever keeps it. Without one, who sees the id of what is told under a pseudonym finds the
    client by trying all addresses.
    """
    stamp = max(0, int(at.timestamp() * 1000)).to_bytes(6, "big")
    digest = sha256(salt + "\0".join((at.isoformat(), *said)).encode()).digest()[:10]
    return EventId(str(ULID(stamp + digest)).lower())


# --- what it comes to -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What the threads of an episode come to."""

    kind: EpisodeKind
    confidence: int  # 0 to 100
    grounds: tuple[Ground, ...]


def weigh(draft: Draft) -> Weighed:
    """Each trait counts once however often it was seen; further channels add a little; the sum is kept in 0 to 100.

    Signs of use count where there are any, else hints, else what is no use. ``docs/evidence.md`` has the formula.
    """
    shown: dict[Shows | None, list[Thread]] = defaultdict(list)
    for thread in draft.threads.values():
        shown[thread.shows].append(thread)
    using = [thread for shows, threads in shown.items() if shows in USE for thread in threads]
    if shown[Shows.INSTALLED]:
        kind, counted = EpisodeKind.INSTALLED, shown[Shows.INSTALLED]
    elif using:
        kind, counted = EpisodeKind.USE, using + shown[Shows.HINT]
    else:
        kind = EpisodeKind.CONTACT
        weakly = (Shows.HINT, Shows.SCRIPT, Shows.PIXEL, Shows.SDK, Shows.TUNNEL)
        counted = next((shown[shows] for shows in weakly if shown[shows]), list(draft.threads.values()))
    grounds = [*_of_traits(counted), *_of_rules(draft, counted, is_use=bool(using))]
    grounds = [*grounds, *_of_question(using, grounds)] if using else grounds
    total = max(0, min(100, sum(ground.weight for ground in grounds)))
    if kind is EpisodeKind.USE and total < LIKELY:
        kind = EpisodeKind.CONTACT
    return Weighed(kind=kind, confidence=total, grounds=tuple(grounds))


def _of_traits(threads: Iterable[Thread]) -> Iterator[Ground]:
    found: dict[str, tuple[Trait, str]] = {}
    for thread in threads:
        is_use = thread.shows in USE or thread.shows is Shows.SCRIPT
        for trait in thread.traits:
            if is_use or trait.shows is thread.shows:
                channel = thread.marks[trait.id]
                found[trait.id] = (trait, min(channel, found[trait.id][1]) if trait.id in found else channel)
    for name in sorted(found, key=lambda name: (-found[name][0].weight, name)):
        trait, channel = found[name]
        yield Ground(trait=name, text=_worded(trait), weight=trait.weight, channel=Channel(channel))


def _worded(trait: Trait) -> str:
    what = {
        Shows.USE_APP: "a sign of the app",
        Shows.USE_WEB: "a sign of the site in a browser",
        Shows.USE_INFERRED: "the app's own browser, on its way to another site",
        Shows.OTHER_APP: "another app of the owner",
        Shows.HINT: "a hint, no proof",
        Shows.SUPPORT: "supports a sign of the app",
        Shows.PIXEL: "counted or embedded by another site: no use",
        Shows.SDK: "a kit inside another app: no use",
        Shows.SCRIPT: "a script that speaks as the app: no use",
        Shows.TUNNEL: "a way round a block",
        Shows.INSTALLED: "the app is installed",
    }.get(trait.shows, trait.shows.value)
    by = {"kind": "by a listed name", "regex": "by the form of the name"}.get(trait.match)
    said = by if by and trait.field == "name" else f"{trait.field} {trait.pattern}"
    misleads = trait.note and not trait.note.startswith(_NEVER)
    return f"{what} ({said}; but: {trait.note})" if misleads else f"{what} ({said})"


_NEVER: Final = "none seen"
"""Of a trait that was never seen to mislead."""


def _of_rules(draft: Draft, threads: Sequence[Thread], *, is_use: bool) -> Iterator[Ground]:
    channels = sorted({channel for thread in threads for channel in thread.channels})
    if is_use:
        for channel in channels[1 : CHANNELS_MOST + 1]:
            yield _rule("rule:channels", channel)
    if threads and all(FOREIGN in thread.marks for thread in threads):
        yield _rule(FOREIGN, threads[0].marks[FOREIGN])
    if draft.is_overflow:
        yield _rule("rule:overflow", channels[0])
        return
    for rule, names in (("rule:hosts", draft.hosts), ("rule:users", draft.users)):
        if len(names) > 1:
            yield _rule(rule, channels[0])


def _of_question(threads: Iterable[Thread], grounds: Iterable[Ground]) -> Iterator[Ground]:
    """What was only asked of the DNS is never called use, however sure the name is: it stays below ``LIKELY``."""
    if all(thread.channels == {Channel.DNS.value} for thread in threads):
        ground = _rule("rule:question", Channel.DNS.value)
        above = sum(ground.weight for ground in grounds) - (LIKELY - 1)
        yield replace(ground, weight=min(ground.weight, -above))


def _rule(name: str, channel: str) -> Ground:
    weight, text = RULES[name]
    return Ground(trait=name, text=text, weight=weight, channel=Channel(channel))


def outcomes(draft: Draft) -> Counter[str]:
    """What became of everything in it."""
    told = Counter[str]()
    for thread in draft.threads.values():
        for outcome, count in thread.total().items():
            told[outcome] += count
    return told


def action_of(told: Mapping[str, int]) -> EpisodeAction:
    """The worst that happened, of ``outcomes``: what passed where it should not goes before all that was blocked."""
    told = Counter(told)
    if told[Outcome.LEAKED] or told[Outcome.PASSED]:
        return EpisodeAction.NOT_ENFORCED
    for outcome, action in (
        (Outcome.EXCEPTED, EpisodeAction.EXCEPTED),
        (Outcome.MONITORED, EpisodeAction.MONITORED),
        (Outcome.BLOCKED, EpisodeAction.BLOCKED),
        (Outcome.SILENT, EpisodeAction.BLOCKED),
    ):
        if told[outcome]:
            return action
    return EpisodeAction.UNKNOWN


def episode_of(draft: Draft) -> Episode:
    """As it is now."""
    weighed, threads = weigh(draft), draft.threads
    busiest = sorted(threads, key=lambda name: (name == OTHERS, -threads[name].count, _is_address(name), name))
    named = Counter({surface: count for surface, count in draft.surfaces.items() if surface})
    surface = min(named, key=lambda name: (-named[name], name)) if named else ""
    return Episode(
        id=draft.id,
        kind=weighed.kind,
        site=draft.site,
        window=Window(draft.start, draft.end),
        action=action_of(outcomes(draft)),
        confidence=weighed.confidence,
        grounds=weighed.grounds,
        device=DeviceName(min(draft.devices)) if draft.devices else None,
        source=None if draft.source is None else ip_address(draft.source),
        host="" if draft.is_overflow else draft.host,
        user="" if draft.is_overflow else draft.user,
        role=draft.role,
        indicator=busiest[0],
        app=draft.app,
        surface=surface,
        exception=draft.exception,
        channels=tuple(sorted({Channel(channel) for thread in threads.values() for channel in thread.channels})),
        sensors=tuple(sorted(draft.sensors)),
        destinations=tuple(busiest),
        count=sum(thread.count for thread in threads.values()),
        packets=_total(thread.packets for thread in threads.values()),
        octets=_total(thread.octets for thread in threads.values()),
        events=tuple(sorted(EventId(event) for event in draft.events)),
    )


def _is_address(name: str) -> bool:
    """Of as many sightings, a name says more to people."""
    return ":" in name or name[-1:].isdigit()


def _total(parts: Iterable[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _plus(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


def _one(some: str | None, other: str | None) -> str | None:
    """The first by name of those that are known: the same whatever the order."""
    if not some or not other or some == other:
        return some or other or None
    return min(some, other)


def _call(known: set[str], name: str, plain: Callable[[str], str]) -> None:
    """One spelling of each: the first by name, whatever the order."""
    if not name or name in known:
        return
    same = {one for one in known if plain(one) == plain(name)} | {name}
    known -= same
    _few(known, min(same))


def _few(known: set[str], more: str) -> None:
    """Bounded, and the same whatever the order: the first by name stay."""
    if more in known:
        return
    known.add(more)
    if len(known) > FEW:
        known.discard(max(known))


__all__ = [
    "AT_ONCE",
    "CHANNELS_MOST",
    "KEYS_MOST",
    "LENGTH",
    "LIKELY",
    "OPEN_MOST",
    "OTHERS",
    "RULES",
    "THREADS_MOST",
    "Draft",
    "Judged",
    "Thread",
    "Weighed",
    "action_of",
    "addresses_in",
    "derived_id",
    "dumps",
    "episode_of",
    "fold",
    "loads",
    "made_id",
    "outcomes",
    "overflow_of",
    "signs_by_keys",
    "signs_of",
    "users_in",
    "weigh",
]
