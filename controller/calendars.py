"""Which days are holidays: calendars read from countries, iCalendar files and addresses, and the last good of each.

Reading is pure. ``CalendarBook`` is the shell: it asks files and addresses, and keeps what they said. An answer that
cannot be had or understood changes nothing: the last good one stays, and says how old it is (I2). A site whose calendar
was never read is not synced, for nobody knows its modes.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import structlog

from controller.errors import CalendarUnknown
from controller.inventory import Inventory, Site
from controller.inventory.calendars import Calendar
from controller.modes import has_calendar
from controller.store import Store
from core.clock import Clock
from core.errors import TokgateError
from ipsets.sources.http import Getter
from ipsets.spans import words

log = structlog.get_logger()

MAX_BYTES: Final = 1024 * 1024
MAX_DAYS: Final = 20_000
LONGEST_EVENT: Final = timedelta(days=366)
YEARS_BACK, YEARS_AHEAD = 2, 2
FIRST_HINT: Final = "`tokgate serve` asks for it; or run `tokgate policy calendars --refresh`"
_RULES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_UNTIL: Final = re.compile(r"UNTIL=(\d{8})T\d{6}Z?")


# --- reading --------------------------------------------------------------------------------------------------------


def read_ical(text: str, years: range) -> frozenset[date]:
    """The days of an iCalendar file (RFC 5545) that events without a time of day cover, in these years.

    Repeated events with their exceptions are unfolded; cancelled ones and those with a time of day are none.

    Raises ``ValueError``: it is cut off, is no calendar, or holds no event of whole days at all.
    """
    import icalendar

    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 1024} KiB")
    if not text.rstrip().upper().endswith("END:VCALENDAR"):
        raise ValueError("no whole calendar: END:VCALENDAR is missing")
    found = icalendar.Calendar.from_ical(text)
    events: list[Any] = [e for e in found.walk("VEVENT") if _is_of_days(e)]
    if not events:
        raise ValueError("no event of whole days in it")
    moved = {(str(e.get("UID")), e["RECURRENCE-ID"].dt) for e in events if "RECURRENCE-ID" in e}
    days = {day for event in events for day in _days_of(event, years, moved)}
    if len(days) > MAX_DAYS:
        raise ValueError(f"more than {MAX_DAYS} days")
    return frozenset(days)


def _is_of_days(event: Any) -> bool:
    start = event.get("DTSTART")
    return start is not None and type(start.dt) is date


def _days_of(event: Any, years: range, moved: set[tuple[str, date]]) -> Iterator[date]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    length = _length(event)
    for start in _starts_of(event, years, moved):
        yield from (day for n in range(length.days) if (day := start + timedelta(days=n)).year in years)


def _length(event: Any) -> timedelta:
    """At least a day; ``DTEND`` is the first day after."""
    start = event["DTSTART"].dt
    if "DTEND" in event:
        end = event["DTEND"].dt
        length = (end.date() if isinstance(end, datetime) else end) - start
    else:
        length = event["DURATION"].dt if "DURATION" in event else timedelta(days=1)
    if length > LONGEST_EVENT:
        raise ValueError(f"an event of more than {LONGEST_EVENT.days} days")
    return max(timedelta(days=1), timedelta(days=length.days))


def _starts_of(event: Any, years: range, moved: set[tuple[str, date]]) -> Iterator[date]:
    """The first days of an event, each time that it comes."""
    uid, start = str(event.get("UID")), event["DTSTART"].dt
    if "RECURRENCE-ID" in event:
        yield start
        return
    gone = {_day(item) for item in _dates(event, "EXDATE")} | {day for name, day in moved if name == uid}
    times = {start, *(_day(item) for item in _dates(event, "RDATE"))}
    for rule in _several(event.get("RRULE")):
        times |= _unfolded(rule, start, years)
    yield from (day for day in sorted(times) if day not in gone)


def _unfolded(rule: Any, start: date, years: range) -> set[date]:
    from dateutil.rrule import rrulestr

    said = _UNTIL.sub(r"UNTIL=\1", rule.to_ical().decode())
    if not {str(freq).upper() for freq in rule.get("FREQ", ())} <= _RULES:
        raise ValueError(f"a rule that no event of whole days has: {said[:80]}")
    midnight = datetime(start.year, start.month, start.day)  # noqa: DTZ001  days have no zone
    rules = rrulestr(said, dtstart=midnight)
    first = datetime(years[0] - 1, 1, 1)  # noqa: DTZ001  one that begins a year before may last until now
    return {at.date() for at in rules.between(first, datetime(years[-1] + 1, 1, 1), inc=True)}  # noqa: DTZ001


def _dates(event: Any, key: str) -> Iterator[Any]:
    return (item.dt for part in _several(event.get(key)) for item in part.dts)


def _several(value: Any) -> tuple[Any, ...]:
    return () if value is None else tuple(value) if isinstance(value, list) else (value,)


def _day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


@lru_cache(maxsize=256)
def country_days(country: str, subdivision: str | None, first: int, last: int) -> frozenset[date]:
    """The public holidays of those years, as the package ``holidays`` knows them."""
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=range(first, last + 1)))


# --- keeping --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCalendar:
    """The last good answer of a file or an address, and what came of asking since."""

    source: str
    text: str
    at: datetime  # when it was read
    tried_at: datetime
    error: str | None = None

    def dumps(self) -> str:
        return json.dumps(
            {
                "source": self.source,
                "text": self.text,
                "at": self.at.isoformat(),
                "tried_at": self.tried_at.isoformat(),
                "error": self.error,
            }
        )

    @classmethod
    def loads(cls, text: str) -> KeptCalendar:
        said = json.loads(text)
        at, tried_at = datetime.fromisoformat(said["at"]), datetime.fromisoformat(said["tried_at"])
        return cls(source=said["source"], text=said["text"], at=at, tried_at=tried_at, error=said["error"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarView:
    """One calendar as a person sees it."""

    name: str
    source: str  # "DE BE", a file, an address, "dates"
    days: frozenset[date] | None  # None: it was never read
    read_at: datetime | None  # None: it is not read from anywhere, or was never
    error: str | None


class CalendarBook:
    """The calendars of one inventory. Thread-safe; knows nothing of other processes but what the store keeps."""

    def __init__(self, store: Store, inventory: Inventory, clock: Clock, *, getter: Getter | None = None) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._getter = getter
        self._lock = threading.Lock()
        self._days: dict[str, tuple[range, frozenset[date]]] = {}  # by name: what it says in these years
        self._failed: dict[str, CalendarUnknown] = {}  # not asked again before the next refresh

    def of(self, site: Site) -> frozenset[date]:
        """The holidays of a site; none where nothing asks for them. Raises ``CalendarUnknown``."""
        policy = self._inventory.policies[site.policy]
        if not (has_calendar(site, policy) or any(said.needs_calendar for said in self._inventory.changes_of(site))):
            return frozenset()
        return self.all_of(site)

    def all_of(self, site: Site) -> frozenset[date]:
        """The same, whether or not anything asks for them. Raises ``CalendarUnknown``."""
        return frozenset(day for name in self._inventory.calendars_of(site) for day in self.days(name))

    def days(self, name: str) -> frozenset[date]:
        """What one calendar says, two years back and ahead. Raises ``CalendarUnknown``: it was never read."""
        calendar = self._inventory.calendars[name]
        years = self._years()
        if calendar.country is not None:
            named = country_days(calendar.country, calendar.subdivision, years[0], years[-1])
        else:
            named = frozenset() if calendar.source is None else self._read(name, calendar, years)
        return (named | frozenset(calendar.dates)) - frozenset(calendar.without)

    def views(self) -> tuple[CalendarView, ...]:
        return tuple(self._view(name, calendar) for name, calendar in self._inventory.calendars.items())

    def refresh(self) -> None:
        """Ask every file, and the addresses whose time has come. What fails is told, and changes nothing."""
        with self._lock:
            self._days.clear()
            self._failed.clear()
        for name, calendar in self._inventory.calendars.items():
            kept = self._kept(name, calendar)
            if calendar.source is not None and (kept is None or self._is_due(calendar, kept)):
                with suppress(CalendarUnknown):  # told already
                    self._ask(name, calendar, kept)

    def _is_due(self, calendar: Calendar, kept: KeptCalendar) -> bool:
        age = self._clock.now() - kept.at
        return calendar.file is not None or kept.error is not None or not timedelta() <= age < calendar.refresh

    def _ask(self, name: str, calendar: Calendar, kept: KeptCalendar | None) -> KeptCalendar:
        """Read it now and keep that; with the last good one instead where it fails. Raises ``CalendarUnknown``."""
        now = self._clock.now()
        try:
            text = read_source(calendar, self._getter)
            found = KeptCalendar(source=str(calendar.source), text=text, at=now, tried_at=now)
        except CalendarUnknown as exc:
            if kept is None:
                log.warning("calendar.unknown", calendar=name, error=str(exc))
                raise CalendarUnknown(f"calendar {name}: {exc.message}", hint=exc.hint) from exc
            log.warning("calendar.stale", calendar=name, error=exc.message, age=words(now - kept.at))
            found = replace(kept, tried_at=now, error=exc.message)
        if kept is None or (found.text, found.error) != (kept.text, kept.error) or calendar.url is not None:
            self._store.keep_calendar(name, found.dumps())
        return found

    def _read(self, name: str, calendar: Calendar, years: range) -> frozenset[date]:
        with self._lock:
            known = self._days.get(name)
            if known is not None and known[0] == years:
                return known[1]
            if name in self._failed:
                raise self._failed[name]
            try:
                days = read_ical(self._first(name, calendar).text, years)
            except CalendarUnknown as exc:
                self._failed[name] = exc
                raise
            self._days[name] = (years, days)
            return days

    def _first(self, name: str, calendar: Calendar) -> KeptCalendar:
        """What is kept; of a file, if nothing is, what it says now. An address is asked by ``refresh`` alone."""
        kept = self._kept(name, calendar)
        if kept is not None:
            return kept
        if calendar.file is not None:
            return self._ask(name, calendar, None)
        raise CalendarUnknown(f"calendar {name}: {calendar.url} was never read", hint=FIRST_HINT)

    def _kept(self, name: str, calendar: Calendar) -> KeptCalendar | None:
        """The last good answer; None when there is none of this very source."""
        text = self._store.kept_calendar(name)
        found = KeptCalendar.loads(text) if text is not None else None
        return found if found is not None and found.source == calendar.source else None

    def _view(self, name: str, calendar: Calendar) -> CalendarView:
        kept = self._kept(name, calendar) if calendar.source is not None else None
        days, error = None, kept.error if kept else None
        try:
            days = self.days(name)
        except TokgateError as exc:
            error = exc.message
        where = calendar.source or " ".join(filter(None, (calendar.country, calendar.subdivision))) or "dates"
        return CalendarView(name=name, source=where, days=days, read_at=kept.at if kept else None, error=error)

    def _years(self) -> range:
        year = self._clock.now().year
        return range(year - YEARS_BACK, year + YEARS_AHEAD + 1)


def read_source(calendar: Calendar, getter: Getter | None = None) -> str:
    """The text of its file or address, once it was understood. Raises ``CalendarUnknown``."""
    try:
        text = _text_of(calendar, getter)
        read_ical(text, range(2000, 2001))
    except (OSError, UnicodeDecodeError) as exc:
        said = getattr(exc, "strerror", None) or "not UTF-8"
        raise CalendarUnknown(f"{calendar.source} cannot be read: {said}") from exc
    except TokgateError as exc:
        raise CalendarUnknown(exc.message) from exc
    except Exception as exc:  # a stranger's file, a parser that is not ours: the last good one stays
        raise CalendarUnknown(f"{calendar.source} is no calendar that can be used: {str(exc)[:200]}") from exc
    return text


def _text_of(calendar: Calendar, getter: Getter | None) -> str:
    if calendar.file is not None:
        with calendar.file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1).decode("utf-8-sig")
    ask = getter or Getter(timeout_seconds=calendar.timeout_seconds, max_bytes=MAX_BYTES, attempts=2)
    return ask.get(str(calendar.url)).text()


def unread(inventory: Inventory, kept: Callable[[str], str | None]) -> Mapping[str, str]:
    """Why which calendars can be read neither now nor from what was kept; empty when all can."""
    found = {}
    for name, calendar in inventory.calendars.items():
        if calendar.source is None:
            continue
        try:
            read_source(calendar)
        except CalendarUnknown as exc:
            text = kept(name)
            if text is None or KeptCalendar.loads(text).source != calendar.source:
                found[name] = exc.message
    return found
