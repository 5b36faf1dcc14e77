"""Times of the week as schedules of a FortiGate, and back. Pure.

One recurring schedule for each pair of times, with its days; where there are several, a group of them. They have no
field for a comment, so that the form of the name alone says whose they are, and it says what is inside: two policies
share one, and another time is another object. An end before the start runs over midnight, 00:00 to 00:00 is the whole
day (FortiOS CLI reference, ``firewall schedule recurring``), so that 24:00 is written as 00:00.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from vendors import week
from vendors.fortinet_fortios.names import PREFIX
from vendors.fortinet_fortios.syntax import Attrs
from vendors.model import WeekSpan

ALWAYS: Final = "always"
"""Every FortiGate is born with it."""
_OURS: Final = re.compile(rf"{PREFIX}(?:[0-9a-f]{{2}}-\d{{4}}-\d{{4}}|week-[0-9a-f]{{12}})")
_TIME: Final = re.compile(r"(\d\d):(\d\d)")


def is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None


def recurring_for(when: tuple[WeekSpan, ...]) -> Mapping[str, Attrs]:
    """The recurring schedules that make up a week, by name (at most 31 characters)."""
    days: dict[tuple[int, int], list[int]] = {}
    for span in when:
        days.setdefault((span.start, span.end), []).append(span.day)
    return {_name(times, some): _attrs(times, some) for times, some in sorted(days.items())}


def group_for(names: Iterable[str]) -> str:
    """The name of the group of several; the one itself where there is one."""
    several = sorted(names)
    return (
        several[0]
        if len(several) == 1
        else f"{PREFIX}week-{hashlib.sha256(' '.join(several).encode()).hexdigest()[:12]}"
    )


def _name(times: tuple[int, int], days: Iterable[int]) -> str:
    """``tokgate-1f-0800-1800``: the days as bits from Monday on, and both times."""
    start, end = (week.clock(minutes).replace(":", "") for minutes in times)
    return f"{PREFIX}{sum(1 << day for day in set(days)):02x}-{start}-{end}"


def _attrs(times: tuple[int, int], days: Iterable[int]) -> dict[str, tuple[str, ...]]:
    start, end = (week.clock(minutes % week.DAY) for minutes in times)
    return {"start": (start,), "end": (end,), "day": tuple(week.NAMES[day] for day in sorted(set(days)))}


def meaning_of(name: str, recurring: Mapping[str, Attrs], groups: Mapping[str, Attrs]) -> tuple[WeekSpan, ...] | None:
    """When a schedule of ours holds, by what is inside; empty: never, or not understood. None: always."""
    members = groups[name].get("member", ()) if name in groups else (name,)
    spans = [span for member in members for span in _spans(recurring.get(member, {}))]
    return week.normal(spans) if spans else ()


def _spans(attrs: Attrs) -> Iterator[WeekSpan]:
    start, end = (_minutes(attrs.get(key, ("00:00",))) for key in ("start", "end"))
    if start is None or end is None:
        return
    for day in (week.NAMES.index(word) for word in attrs.get("day", ()) if word in week.NAMES):
        yield WeekSpan(day, start, end if end > start else week.DAY)
        if end < start and end:
            yield WeekSpan((day + 1) % 7, 0, end)


def _minutes(words: tuple[str, ...]) -> int | None:
    found = _TIME.fullmatch(" ".join(words))
    return int(found[1]) * 60 + int(found[2]) if found else None


__all__ = ["ALWAYS", "group_for", "is_ours", "meaning_of", "recurring_for"]
