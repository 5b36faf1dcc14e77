"""From a sighting to a sign: of which client at which site, of which app, and what became of it. Pure.

A sighting that is no sign of anything makes none; most are not. Who calls it gives the inventory, the exceptions, and
the list in force as a ``Matcher``; one judge serves until one of them changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from controller.desired import excepted, role_sources
from controller.evidence.model import Channel, Sighting, Verdict
from controller.inventory import Inventory, Policy, Site
from controller.model import LIVED, AccessException, Mode, Window
from controller.windows import is_inside, mode_at
from core.ids import DeviceName, ExceptionId, SiteName
from core.narrowest import Narrowest
from core.net import Address, Network, is_address
from ipsets.traits import SILENT, USE, Mark, Matcher, Shows

IN_APP: Final = "(in-app browser)"
"""Where somebody goes inside the app's own browser is nobody's business here."""
FOREIGN: Final = "rule:foreign-name"
_NAMING: Final = frozenset({Channel.TLS, Channel.QUIC, Channel.HTTP, Channel.PROXY})
"""Channels whose name is of the very connection."""
_REMEMBERED: Final = 16_384
"""Of each kind of thing that saves work: to find one anew takes µs, and more would grow for an hour of a flood."""


class Unplaced(Enum):
    """What is a sign of something, of a client that is at no site of ours."""

    STRANGER = "stranger"


class Outcome:
    """What became of a sign, as episodes add it up. A plain word each, for it is kept as text."""

    BLOCKED: Final = "blocked"
    SILENT: Final = "silent"  # no answer came, where the policy enforces
    LEAKED: Final = "leaked"  # passed where the policy enforces
    PASSED: Final = "passed"  # passed where the policy does not
    MONITORED: Final = "monitored"
    EXCEPTED: Final = "excepted"
    UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One sighting, judged. ``thread`` is the name or address it is about; ``marks`` are ids of traits."""

    at: datetime
    channel: Channel
    site: SiteName
    role: str | None
    client: str  # the same for all signs of one client at one site
    thread: str
    marks: tuple[str, ...]
    shows: Shows
    app: str
    surface: str
    outcome: str
    is_inferred: bool  # of answers that came, not of a verdict
    source: Address | None
    host: str
    user: str
    device: DeviceName | None
    sensor: str
    exception: ExceptionId | None
    outside: ExceptionId | None  # one that would cover it, were it not for its hours or its life
    count: int
    packets: int | None
    octets: int | None
    learned: tuple[str, ...] = ()  # keys by which what has no name is found to belong to this thread
    borne: tuple[str, ...] = ()  # of what is known by its address alone: keys by which a name may yet be found


def parted(signs: Iterable[Sign]) -> tuple[list[Sign], list[Sign]]:
    """Those of the app, and those of ways round a block."""
    used, tunnels = list[Sign](), list[Sign]()
    for sign in signs:
        (tunnels if sign.shows is Shows.TUNNEL else used).append(sign)
    return used, tunnels


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a client is, and what the policy says of its role there."""

    site: Site
    policy: Policy
    role: str | None


class Judge:
    """Pure: equal sightings, equal signs. What it remembers only saves work."""

    def __init__(
        self,
        inventory: Inventory,
        matcher: Matcher,
        exceptions: Iterable[AccessException] = (),
        *,
        policies: Callable[[Site], Policy] | None = None,
        holidays: Callable[[Site], frozenset[date]] = lambda _: frozenset(),
    ) -> None:
        self._inventory, self._matcher, self._holidays = inventory, matcher, holidays
        self._policies = policies or (lambda site: inventory.policies[site.policy])
        self._sources = {name: role_sources(site.networks) for name, site in inventory.sites.items()}
        self._places = Narrowest(_networks(self._sources))
        self._devices = {key: name for name, device in inventory.by_name.items() for key in (name, device.host)}
        self._exceptions = _by_site(exceptions)
        self._zones = {name: ZoneInfo(site.time_zone) for name, site in inventory.sites.items()}
        self._modes: dict[tuple[str, str | None, str, int], Mode] = {}
        self._placed: dict[tuple[str, str, SiteName | None], Place | None] = {}
        self._names: dict[str, tuple[Mark, ...]] = {}
        self._weighed: dict[tuple[str, int], _Weighed] = {}

    # --- one sighting ---------------------------------------------------------------------------------------------

    def is_without_name(self, seen: Sighting) -> bool:
        """Whether another record may still say what it was about."""
        return not seen.name and seen.destination is not None and not seen.software

    def sign(self, seen: Sighting, *, site: SiteName | None = None, named: str = "") -> Sign | Unplaced | None:
        """``site``: of what came with no client's address. ``named``: what another record calls the other side.

        None: no sign of anything.
        """
        name = seen.name or named
        weighed = self._weigh(seen, name)
        if weighed is None or (first := weighed.first) is None:
            return None
        if (place := self._place(seen, site)) is None:
            return Unplaced.STRANGER if first.trait.shows is not Shows.TUNNEL else None
        if first.trait.shows is Shows.TUNNEL and not place.site.evasion:
            return None  # nobody is watched for what the site did not ask about
        return self._signed(seen, place, weighed, first)

    def client(self, seen: Sighting, *, site: SiteName | None = None) -> str | None:
        """Who it is, as the signs of the same client say it; None: at no site."""
        place = self._place(seen, site)
        return None if place is None else _client(seen, place.site)

    # --- parts ----------------------------------------------------------------------------------------------------

    def _weigh(self, seen: Sighting, name: str) -> _Weighed | None:
        """What the marks come to; None: there are none. Most sightings bear one of few sets of them."""
        of_name = self._of_name(name) if name else ()
        nearby = self._of_destination(seen, is_named=bool(of_name))
        if seen.agent or seen.path or seen.ja3 or seen.ja4 or seen.headers or seen.software:
            marks = (*of_name, *(() if nearby is None else (nearby,)), *self._of_client(seen))
            return _weighed(seen, name, marks) if marks else None
        if not of_name and nearby is None:
            return None
        key = (name if of_name else "", id(nearby))  # the matcher holds on to its marks
        known = self._weighed.get(key)
        if known is None:
            if len(self._weighed) >= _REMEMBERED:
                self._weighed.clear()
            marks = of_name if nearby is None else (*of_name, nearby)
            known = self._weighed[key] = _weighed(seen, name, marks)
        return known

    def _of_destination(self, seen: Sighting, *, is_named: bool) -> Mark | None:
        """Of its address; of its port where nothing else is known of it."""
        if seen.destination is None or seen.channel is Channel.DNS:
            return None
        found = self._matcher.address(seen.destination)
        if found is None and not is_named and seen.port is not None:
            return self._matcher.value("port", f"{seen.protocol}/{seen.port}")
        return found

    def _of_client(self, seen: Sighting) -> Iterator[Mark]:
        """What the client said of itself, and what is installed there."""
        matcher = self._matcher
        if seen.agent:
            yield from matcher.agent(seen.agent)
        if seen.path:
            yield from matcher.path(seen.path)
        for field, value in (("ja3", seen.ja3), ("ja4", seen.ja4), *(("header", header) for header in seen.headers)):
            if value and (mark := matcher.value(field, value)) is not None:
                yield mark
        if seen.software and (mark := matcher.software(seen.software, seen.platform)) is not None:
            yield mark

    def _of_name(self, name: str) -> tuple[Mark, ...]:
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            known = self._names[name] = self._matcher.name(name)
        return known

    def _place(self, seen: Sighting, site: SiteName | None) -> Place | None:
        key = ("" if seen.source is None else spelled(seen.source), seen.sensor, site)
        if key not in self._placed:
            if len(self._placed) >= _REMEMBERED:
                self._placed.clear()
            self._placed[key] = self._find_place(seen.source, seen.sensor, site)
        return self._placed[key]

    def _find_place(self, source: Address | None, sensor: str, site: SiteName | None) -> Place | None:
        device = self._devices.get(sensor)
        known = self._inventory.evidence.sensors.get(sensor)
        nearest = SiteName(known.site) if known is not None else site
        if device is not None:
            nearest = self._inventory.by_name[device].site
        found = self._places.find(source) if source is not None else None
        roles = dict(found or ())
        if nearest is None and len(roles) == 1:
            (nearest,) = roles
        elif len(roles) == 1 and device is None:
            (nearest,) = roles  # the address says more than who brought it
        where = self._inventory.sites.get(nearest) if nearest is not None else None
        if where is None:
            return None
        return Place(site=where, policy=self._policies(where), role=roles.get(where.name))

    def _signed(self, seen: Sighting, place: Place, weighed: _Weighed, first: Mark) -> Sign:
        site, app, surface = place.site.name, weighed.app, weighed.surface
        thread = weighed.thread or (spelled(seen.destination) if seen.destination is not None else "")
        is_installed = first.trait.shows is Shows.INSTALLED
        exception, outside = (None, None) if is_installed else self._covering(seen, place, app, surface)
        outcome, is_inferred = self._outcome(seen, place, app, is_excepted=exception is not None)
        if thread == IN_APP:
            outcome, is_inferred = Outcome.UNKNOWN, True  # of the app nothing passed there
        keeps = first.trait.shows in _KEEPING
        return Sign(
            at=seen.at,
            channel=seen.channel,
            site=site,
            role=place.role,
            client=_client(seen, place.site, of_machine=is_installed),
            thread=thread,
            marks=(*weighed.ids, *_foreign(seen, thread)),
            shows=first.trait.shows,
            app=app,
            surface=surface,
            outcome=outcome,
            is_inferred=is_inferred,
            source=seen.source,
            host=seen.host,
            user=seen.user,
            device=self._devices.get(seen.sensor),
            sensor=seen.sensor,
            exception=exception,
            outside=outside,
            count=seen.count,
            packets=seen.packets,
            octets=seen.octets,
            learned=learnable(seen) if keeps and thread == seen.name else (),
            borne=_borne(seen, thread),
        )

    def _outcome(self, seen: Sighting, place: Place, app: str, *, is_excepted: bool) -> tuple[str, bool]:
        """What whoever saw it did with it goes before whether an answer was seen."""
        if seen.channel is Channel.ENDPOINT:
            return Outcome.UNKNOWN, True
        if seen.verdict is Verdict.BLOCKED:
            return Outcome.BLOCKED, False
        if seen.verdict is Verdict.UNKNOWN and (seen.channel is Channel.DNS or seen.answered is None):
            return Outcome.UNKNOWN, True
        mode = self._mode(place, app, seen.at)
        if seen.verdict is Verdict.UNKNOWN and not seen.answered:
            return (Outcome.SILENT if mode is Mode.ENFORCE and not is_excepted else Outcome.UNKNOWN), True
        is_inferred = seen.verdict is Verdict.UNKNOWN
        if is_excepted:
            return Outcome.EXCEPTED, is_inferred
        passed = {Mode.ENFORCE: Outcome.LEAKED, Mode.MONITOR: Outcome.MONITORED, Mode.OFF: Outcome.PASSED}
        return passed[mode], is_inferred

    def _mode(self, place: Place, app: str, at: datetime) -> Mode:
        """Off for an app that the policy does not mean, and for a client of no role."""
        site = place.site
        key = (site.name, place.role, app, int(at.timestamp()) // 60)
        known = self._modes.get(key)
        if known is None:
            if len(self._modes) >= _REMEMBERED:
                self._modes.clear()
            known = self._modes[key] = self._find_mode(place, app, at)
        return known

    def _find_mode(self, place: Place, app: str, at: datetime) -> Mode:
        modes = place.policy.roles.get(place.role or "")
        service = self._service_of(place.policy, app)
        if modes is None or service is None:
            return Mode.OFF
        holidays = self._holidays(place.site)
        return mode_at(modes, self._zones[place.site.name], at, service=service, holidays=holidays)

    def _service_of(self, policy: Policy, app: str) -> str | None:
        known = self._inventory.catalogue.services
        return next((name for name in policy.services if name in known and app in known[name].apps), None)

    def _covering(
        self, seen: Sighting, place: Place, app: str, surface: str
    ) -> tuple[ExceptionId | None, ExceptionId | None]:
        """The exception that let it pass then; else one that would have at another time."""
        outside = None
        for exception in self._exceptions.get(place.site.name, ()):
            if not self._is_for(exception, seen, place, app, surface):
                continue
            if self._is_open(exception, place.site, seen.at):
                return exception.id, None
            outside = outside or exception.id
        return None, outside

    def _is_for(self, exception: AccessException, seen: Sighting, place: Place, app: str, surface: str) -> bool:
        service = self._inventory.catalogue.services.get(exception.service)
        if service is None or app not in service.apps or (exception.surface and exception.surface != surface):
            return False
        if seen.source is None:
            return False
        allowed = excepted(exception, self._sources[place.site.name], place.site.name, seen.at)
        return any(seen.source in network for network in allowed)

    def _is_open(self, exception: AccessException, site: Site, at: datetime) -> bool:
        """Also of one that has ended since: it was open then."""
        life = Window(exception.starts, exception.over_at)
        decided = exception.decided_at
        if not life.start <= at < life.end or (decided is not None and at < decided):
            return False
        local = at.astimezone(self._zones[site.name])
        return not exception.hours or any(is_inside(hours, local) for hours in exception.hours)


class _Weighed(NamedTuple):
    """What the marks of a sighting come to. ``thread`` empty: the address of the other side."""

    thread: str
    first: Mark | None
    ids: tuple[str, ...]
    app: str
    surface: str


def _weighed(seen: Sighting, name: str, marks: tuple[Mark, ...]) -> _Weighed:
    thread, marks = _thread(seen, name, marks)
    first = deciding(marks)
    return _Weighed(
        thread,
        first,
        tuple(dict.fromkeys(mark.trait.id for mark in marks)),
        "" if first is None else first.app or next((mark.app for mark in marks if mark.app), ""),
        next((mark.surface for mark in marks if mark.surface), ""),
    )


_TEXTS: Final[dict[int, str]] = {}


def spelled(address: Address) -> str:
    """The address as text. Making it costs more than all else that is done with it, and so does an address's hash."""
    if address.version == 6:
        return _spelled_v6(address)
    number = int(address)
    if (text := _TEXTS.get(number)) is None:
        if len(_TEXTS) >= _REMEMBERED:
            _TEXTS.clear()
        text = _TEXTS[number] = str(address)
    return text


@lru_cache(maxsize=_REMEMBERED)
def _spelled_v6(address: Address) -> str:
    return str(address)


def _client(seen: Sighting, site: Site, *, of_machine: bool = False) -> str:
    """By the address; what is installed is so on a machine, whatever address that has today."""
    if of_machine and seen.host:
        return f"{site.name} machine {seen.host.casefold()}"
    return f"{site.name} {spelled(seen.source) if seen.source is not None else seen.host or seen.user}"


def deciding(marks: Iterable[Mark]) -> Mark | None:
    """The mark that says what it all shows; None: nothing that makes a sign."""
    known = [mark for mark in marks if mark.trait.shows not in SILENT]
    return min(known, key=_rank) if known and not _is_silenced(marks) else None


def _is_silenced(marks: Iterable[Mark]) -> bool:
    """A crawler, and a name that is known to be somebody else's, say that the rest means nothing."""
    shown = {mark.trait.shows for mark in marks if mark.trait.field == "name"}
    crawls = any(mark.trait.shows is Shows.CRAWLER for mark in marks)
    inferred = any(mark.trait.shows is Shows.USE_INFERRED for mark in marks)
    return crawls or (not inferred and bool(shown & {Shows.LOOKALIKE, Shows.INFORMATIVE}))


_KEEPING: Final = USE | {Shows.PIXEL, Shows.SDK, Shows.HINT, Shows.SCRIPT}
"""What tells of a name whose connections are worth finding."""
ORDER: Final = (
    Shows.SCRIPT,
    Shows.INSTALLED,
    Shows.USE_INFERRED,
    Shows.PIXEL,
    Shows.SDK,
    Shows.USE_APP,
    Shows.USE_WEB,
    Shows.OTHER_APP,
    Shows.HINT,
    Shows.TUNNEL,
)
"""What says more stands first."""


def _rank(mark: Mark) -> tuple[int, int, str]:
    """Of two signs of one kind, the name says more than the address."""
    return ORDER.index(mark.trait.shows), mark.trait.field != "name", mark.trait.id


def _thread(seen: Sighting, name: str, marks: tuple[Mark, ...]) -> tuple[str, tuple[Mark, ...]]:
    """What the sign is about: the name where it is known, else the address; empty stands for that."""
    if any(mark.trait.shows is Shows.INSTALLED for mark in marks):
        return seen.software, marks
    if any(mark.trait.field == "name" for mark in marks):
        return name, marks
    if any(mark.trait.shows is Shows.USE_INFERRED for mark in marks):
        return IN_APP, tuple(mark for mark in marks if mark.trait.field == "agent")
    return "" if seen.destination is not None else name, marks


def _foreign(seen: Sighting, thread: str) -> tuple[str, ...]:
    """An address under a name that is not known for it."""
    return (FOREIGN,) if seen.name and seen.destination is not None and thread == spelled(seen.destination) else ()


def learnable(seen: Sighting) -> tuple[str, ...]:
    """Keys by which records without a name are found to be about the name of this one."""
    return tuple(_learnable(seen))


def _borne(seen: Sighting, thread: str) -> tuple[str, ...]:
    """Also of a connection that was blocked: a firewall may cut what has named itself already."""
    if seen.name or seen.destination is None or thread != spelled(seen.destination):
        return ()
    return tuple(_of_connection(seen))


def tells_of_others(seen: Sighting) -> bool:
    """Whether a record has such keys."""
    if seen.channel is Channel.DNS:
        return bool(seen.answers)
    return seen.channel in _NAMING and (bool(seen.uid) or seen.source_port is not None)


def _learnable(seen: Sighting) -> Iterable[str]:
    if seen.channel is Channel.DNS:
        for answer in seen.answers:
            if seen.source is not None and answer[-1:] in "0123456789abcdef" and _is_address(answer):
                yield f"d {spelled(seen.source)} {answer}"
    elif seen.channel in _NAMING:
        yield from _of_connection(seen)


def keys_of(seen: Sighting) -> tuple[str, ...]:
    """The keys by which a record without a name may be found, the surest first."""
    if seen.source is None or seen.destination is None:
        return tuple(_of_connection(seen))
    return (*_of_connection(seen), f"d {spelled(seen.source)} {spelled(seen.destination)}")


def _of_connection(seen: Sighting) -> Iterable[str]:
    if seen.uid:
        yield f"u {seen.sensor} {seen.uid}"
    if seen.source_port is not None and seen.destination is not None:
        source = "" if seen.source is None else spelled(seen.source)
        yield f"t {source} {seen.source_port} {spelled(seen.destination)} {seen.port}"


_is_address = lru_cache(maxsize=_REMEMBERED)(is_address)


def _networks(
    sources: Mapping[SiteName, Mapping[str, frozenset[Network]]],
) -> Iterable[tuple[Network, tuple[tuple[SiteName, str], ...]]]:
    """Sites may have the same networks: then who saw it says where it was."""
    found: dict[Network, list[tuple[SiteName, str]]] = defaultdict(list)
    for site, roles in sources.items():
        for role, members in roles.items():
            for network in members:
                found[network].append((site, role))
    return [(network, tuple(where)) for network, where in found.items()]


def _by_site(exceptions: Iterable[AccessException]) -> dict[SiteName, tuple[AccessException, ...]]:
    found: dict[SiteName, list[AccessException]] = defaultdict(list)
    for exception in sorted(exceptions, key=lambda e: e.id):
        if exception.state in LIVED:
            for site in exception.sites:
                found[site].append(exception)
    return {site: tuple(known) for site, known in found.items()}


__all__ = [
    "FOREIGN",
    "IN_APP",
    "ORDER",
    "Judge",
    "Outcome",
    "Place",
    "Sign",
    "Unplaced",
    "deciding",
    "keys_of",
    "learnable",
    "parted",
    "spelled",
    "tells_of_others",
]
