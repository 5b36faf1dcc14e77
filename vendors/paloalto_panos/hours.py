"""Times of the week as PAN-OS schedule objects. Pure.

A schedule takes neither a tag nor a description, and letters, digits, blanks, hyphens and underscores in a name of at
most 31 (PAN-OS web interface help, "Objects > Schedules"): ours are named by their content, which tells them from
others. A day's last minute is written 23:59, as in the vendor's own samples of a whole day; which of our days end at
midnight stands in the name. Whether a window's last minute belongs to it is on no public record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from vendors.errors import Unreadable
from vendors.model import WeekSpan
from vendors.paloalto_panos.setform import Attrs
from vendors.week import DAY, NAMES, clock, normal

PREFIX: Final = "tokgate-w-"
TYPE: Final = "schedule-type "
_WEEKLY: Final = f"{TYPE}recurring weekly "
_DAILY: Final = f"{TYPE}recurring daily"
_NAME: Final = re.compile(rf"{PREFIX}(?P<hash>[0-9a-f]{{12}})-(?P<full>[0-9a-f]{{2}})")
_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LAST: Final = DAY - 1


def schedule_name(when: Iterable[WeekSpan]) -> str:
    spans = tuple(when)
    text = " ".join(f"{span.day}:{span.start}-{span.end}" for span in spans)
    full = sum(1 << span.day for span in spans if span.end == DAY)
    return f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:12]}-{full:02x}"


def schedule_attrs(when: Iterable[WeekSpan]) -> Attrs:
    found: dict[str, tuple[str, ...]] = {}
    for span in when:
        key = f"{_WEEKLY}{NAMES[span.day]}"
        found[key] = (*found.get(key, ()), _text(span))
    return found


def _text(span: WeekSpan) -> str:
    """A window ends after it begins: one of the day's last minute alone begins a minute sooner."""
    end = min(span.end, _LAST)
    start = min(span.start, end - 1)
    return f"{clock(start)}-{clock(end)}"


def spans_of(name: str, attrs: Attrs) -> tuple[WeekSpan, ...]:
    """When a schedule holds; none for one of single dates. Raises ``Unreadable`` on a time that is none."""
    match = _NAME.fullmatch(name)
    full = int(match["full"], 16) if match else 0x7F
    found = tuple(sorted(span for key, values in attrs.items() for span in _read(key, values, full)))
    late = tuple(WeekSpan(s.day, _LAST, DAY) if (s.start, s.end) == (_LAST - 1, DAY) else s for s in found)
    return late if late != found and schedule_name(late) == name else found


def _read(key: str, values: Iterable[str], full: int) -> Iterator[WeekSpan]:
    if key == _DAILY:
        days: tuple[int, ...] = tuple(range(7))
    elif key.startswith(_WEEKLY) and key.removeprefix(_WEEKLY) in NAMES:
        days = (NAMES.index(key.removeprefix(_WEEKLY)),)
    else:
        return
    for value in values:
        match = _SPAN.fullmatch(value)
        if match is None:
            raise Unreadable(f"a schedule has the window {value[:40]!r}")
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        for day in days:
            yield WeekSpan(day, start, DAY if end == _LAST and full >> day & 1 else end)


def is_ours(name: str, attrs: Attrs) -> bool:
    """Whether a schedule is one that we made, as we made it."""
    return _NAME.fullmatch(name) is not None and schedule_name(spans_of(name, attrs)) == name


def when_of(spans: tuple[WeekSpan, ...]) -> tuple[WeekSpan, ...] | None:
    """As a rule has it: None for always."""
    return normal(span for span in spans if span.start < span.end)


__all__ = ["TYPE", "is_ours", "schedule_attrs", "schedule_name", "spans_of", "when_of"]
