"""One security context: its configurations, counters, connections and messages. A device in single mode has one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from core.clock import Clock
from core.net import Address
from lab.emulators.asa import text
from lab.emulators.asa.config import Config
from lab.emulators.asa.expansion import Element, digest, expand, family
from lab.emulators.asa.switches import Model, Switches
from lab.emulators.asa.values import Ace, Entry, Fqdn
from lab.emulators.asa.words import LEVELS
from lab.emulators.traffic import Flow, Names

_POLL_MINUTES: Final = 240
"""How often names are looked up again unless `poll-timer` says otherwise (networklessons, ASA FQDN objects)."""


@dataclass(slots=True)
class Hits:
    count: int = 0
    last: datetime | None = None

    def add(self, units: int, now: datetime) -> None:
        self.count += units
        self.last = now


@dataclass(frozen=True, slots=True)
class Part:
    """An element of an entry, with its hash; and how the entry's own hash reads beside it (zero for a plain one)."""

    element: Element
    hash: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """An entry as it stands in its access list: its line, its hash, and what it is taken apart into."""

    line: int
    entry: Entry
    ace: Ace
    hash: str
    parts: tuple[Part, ...]
    plain: bool


@dataclass(slots=True)
class LoggedFlow:
    """One flow in the cache of `log`: reported when first seen, then once at the end of its interval."""

    until: datetime
    level: int
    denied: bool
    start: str
    hashes: str
    interval: int
    count: int = 0


@dataclass(slots=True)
class Buffer:
    """`logging buffered`, as `show logging` prints it."""

    lines: deque[str]
    taken: int = 0


class Context:
    def __init__(
        self, name: str, *, model: Model, switches: Switches, clock: Clock, zone: tzinfo, names: Names
    ) -> None:
        self.name, self.model, self.switches = name, model, switches
        self._clock, self._zone, self._names = clock, zone, names
        self.running = Config(model=model, switches=switches)
        self.startup = ""
        self.modified: tuple[str, datetime] | None = None
        self.unsaved = False
        self._start()

    def _start(self) -> None:
        self.hits: dict[tuple[int, str], Hits] = {}
        self.connections: dict[tuple[object, ...], Flow] = {}
        self.most_connections = 0
        self.flows: dict[tuple[object, ...], LoggedFlow] = {}
        self.buffer = Buffer(deque(maxlen=self.model.log_lines))
        self.revision = 0
        self._resolved: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._laid: dict[str, tuple[object, list[Laid]]] = {}

    @property
    def now(self) -> datetime:
        return self._clock.now()

    @property
    def wall_time(self) -> datetime:
        """What the clock of the device shows, without its zone."""
        return self.now.astimezone(self._zone).replace(tzinfo=None)

    # --- the configuration ----------------------------------------------------------------------------------------

    def load(self, base: str, *, tolerant: bool = False) -> tuple[str, ...]:
        """Take in text of a site as its running and startup configuration. What made no sense is returned."""
        unread = text.load(self.running, base, tolerant=tolerant)
        self.startup = text.body(self.running)
        self.revision += 1
        return unread

    def changed(self, by: str) -> None:
        self.revision += 1
        self.unsaved, self.modified = True, (by, self.now)

    def save(self) -> str:
        self.startup, self.unsaved = text.body(self.running), False
        return self.startup

    def boot(self) -> None:
        """Back to what was saved, with counters at zero and no connection open."""
        hostname = self.running.hostname
        self.running = Config(model=self.model, switches=self.switches, hostname=hostname)
        text.load(self.running, self.startup, tolerant=True)
        self.unsaved, self.modified = False, None
        self._start()

    # --- access lists ---------------------------------------------------------------------------------------------

    def laid(self, name: str) -> list[Laid]:
        """The extended entries of an access list, taken apart; remarks and standard entries count as lines only."""
        fresh = self._refresh_names()
        key, found = self._laid.get(name, (None, []))
        if key != (self.revision, fresh):
            found = [
                self._lay(name, line, entry, entry.rule)
                for line, entry in enumerate(self.running.acls.get(name, ()), start=1)
                if isinstance(entry.rule, Ace)
            ]
            self._laid[name] = ((self.revision, self._refresh_names()), found)
        return found

    def _lay(self, name: str, line: int, entry: Entry, ace: Ace) -> Laid:
        mark = f"{line} " if self.switches.hash_by_line else ""
        elements = expand(ace, self.running, self._resolve)
        refs = [ref for ref in ace.match.refs if ref.kind != "interface"]
        tail = ace.options(full=True)
        hashes = [digest(f"{mark}{name} {element.text()}{tail}") for element in elements]
        single = len(elements) == 1 and elements[0].counted and all(ref.kind == "object" for ref in refs)
        own = hashes[0] if single or not refs else digest(f"{mark}{name} {ace.text(full=True)}")
        beside = "00000000" if single or not refs else own
        return Laid(
            line=line,
            entry=entry,
            ace=ace,
            hash=own,
            parts=tuple(Part(element, shown, beside) for element, shown in zip(elements, hashes, strict=True)),
            plain=not refs,
        )

    def active(self, ace: Ace) -> bool:
        span = self.running.ranges.get(ace.time_range)
        last_minute = self.switches.last_minute_holds
        return not ace.inactive and (span is None or span.active(self.wall_time, last_minute=last_minute))

    def hit(self, serial: int, part: str = "") -> Hits:
        """Of an element by its hash, or of the whole entry."""
        return self.hits.get((serial, part), Hits())

    def count(self, serial: int, part: str, units: int) -> None:
        for key in ((serial, ""), (serial, part)):
            self.hits.setdefault(key, Hits()).add(units, self.now)

    def clear_counts(self, acl: str) -> None:
        serials = {entry.serial for entry in self.running.acls[acl]}
        self.hits = {key: hits for key, hits in self.hits.items() if key[0] not in serials}

    # --- names ----------------------------------------------------------------------------------------------------

    def _resolve(self, fqdn: Fqdn) -> tuple[Address, ...]:
        name = fqdn.name.lower()
        if not self._asks_dns():
            return ()
        if name not in self._resolved:
            self._resolved[name] = (self._clock.monotonic(), self._names.get(name, ()))
        return family(fqdn, self._resolved[name][1])

    def _asks_dns(self) -> bool:
        """It takes a server and an interface to ask through."""
        lines = [line.split() for block in self.running.foreign if block[0].startswith("dns ") for line in block]
        servers = any("name-server" in line for line in lines)
        return servers and any(line[:2] == ["dns", "domain-lookup"] for line in lines)

    def _refresh_names(self) -> int:
        """Look up again what was looked up longer ago than the poll timer. How fresh the names are."""
        now, every = self._clock.monotonic(), self._poll_seconds()
        for name, (at, _) in list(self._resolved.items()):
            if now - at >= every:
                self._resolved[name] = (now, self._names.get(name, ()))
        return hash(tuple(sorted((name, addresses) for name, (_, addresses) in self._resolved.items())))

    def _poll_seconds(self) -> float:
        lines = [line.split() for block in self.running.foreign for line in block]
        minutes = next((int(line[2]) for line in lines if line[:2] == ["poll-timer", "minutes"]), _POLL_MINUTES)
        return minutes * 60.0

    # --- messages -------------------------------------------------------------------------------------------------

    def say(self, level: int, number: int, message: str, *, at: datetime | None = None) -> None:
        """Log a message, if the site's own configuration keeps messages of this level in its buffer."""
        if level <= self.buffer_level:
            moment = f"{at or self.now:%b %d %Y %H:%M:%S}: " if self._logging("timestamp") else ""
            self.buffer.lines.append(f"{moment}%ASA-{level}-{number}: {message}")
            self.buffer.taken += 1

    @property
    def buffer_level(self) -> int:
        """-1: nothing is kept."""
        word = next((line[2] for line in self._logging_lines() if line[:2] == ["logging", "buffered"]), "")
        if not word or not self._logging("enable"):
            return -1
        return int(word) if word.isdigit() else LEVELS.index(word)

    def _logging(self, word: str) -> bool:
        return ["logging", word] in self._logging_lines()

    def _logging_lines(self) -> list[list[str]]:
        return [block[0].split() for block in self.running.foreign if block[0].startswith("logging ")]

    def tell_flows(self) -> None:
        """Report the flows whose interval has ended."""
        for key, flow in list(self.flows.items()):
            if flow.until <= self.now:
                del self.flows[key]
                if flow.count:
                    ending = f"hit-cnt {flow.count} {flow.interval}-second interval {flow.hashes}"
                    self.say(flow.level, 106100, f"{flow.start} {ending}", at=flow.until)


@dataclass(frozen=True, slots=True)
class Match:
    """What a flow met in an access list."""

    acl: str
    laid: Laid
    part: Part


def first_match(context: Context, acl: str, flow: Flow) -> Match | None:
    """The configured rules in order, each element of each."""
    for laid in context.laid(acl):
        if context.active(laid.ace):
            for part in laid.parts:
                if part.element.matches(flow, context.running):
                    return Match(acl, laid, part)
    return None
