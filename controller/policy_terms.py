"""What the policy of a site said while it was in force, and where nobody can tell any more. Pure.

Told from the inventories that ``tokgate serve`` took up. Where none of that time is kept, where its text cannot be read
any more, and where its holidays were other ones than are known now, the policy of that time is unknown: today's is
never shown instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from pydantic import ValidationError

from controller.emergencies import at_most
from controller.errors import CalendarUnknown
from controller.inventory import Inventory, Policy, Site
from controller.mode_spans import ModeSpan, mode_spans
from controller.model import Emergency, Mode, Window
from controller.modes import STRICTEST, has_calendar
from controller.store.inventories import InventoryVersion

NOT_KEPT: Final = "no inventory of that time is kept"
NO_SITE: Final = "the inventory of that time had no such site"
UNREADABLE: Final = "the inventory of that time cannot be read any more"
OTHER_HOLIDAYS: Final = "its holidays of that time are not kept"
UNREAD_HOLIDAYS: Final = "its holidays were never read"
NOT_TAKEN_UP: Final = "the inventory was changed since, and no `tokgate serve` took that up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The site and its policy as one inventory had them. ``calendars``: what it said of each holiday calendar of it."""

    site: Site
    policy: Policy
    calendars: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Over that time this was said; ``said`` None: it is not known, and ``why``."""

    window: Window
    said: Said | None
    why: str = ""


@lru_cache(maxsize=256)
def said_in(version: InventoryVersion, name: str) -> Said | str:
    """A site in an inventory of the past; or why nothing can be told of it."""
    known = version.said()
    found = known.get("sites", {}).get(name)
    if found is None:
        return NO_SITE
    try:
        site = Site.model_validate({**found, "devices": {}})
        policy = Policy.model_validate(known["policies"][site.policy])
    except (ValidationError, KeyError):
        return UNREADABLE
    names = site.calendars or policy.calendars
    return Said(site=site, policy=policy, calendars={each: known.get("calendars", {}).get(each) for each in names})


def said_now(inventory: Inventory, name: str) -> Said:
    """The same of the inventory that is worked by. Raises ``NotFound``."""
    site = inventory.site(name)
    policy = inventory.policies[site.policy]
    calendars = {each: inventory.calendars[each].model_dump(mode="json") for each in inventory.calendars_of(site)}
    return Said(site=site, policy=policy, calendars=calendars)


def terms(name: str, versions: Sequence[InventoryVersion], current: Said, window: Window, now: datetime) -> list[Term]:
    """Without gap over the window. ``versions``: the last from before it, and all that came later, in order.

    What lies ahead of ``now`` is as the current one says.
    """
    ahead = max(window.start, min(now, window.end))
    found = [*_past(name, versions, current, Window(window.start, ahead))] if ahead > window.start else []
    if ahead < window.end:
        found.append(Term(window=Window(ahead, window.end), said=current))
    return found


def _past(name: str, versions: Sequence[InventoryVersion], current: Said, window: Window) -> Iterator[Term]:
    starts = [max(version.at, window.start) for version in versions]
    first = starts[0] if starts else window.end
    if window.start < first:
        yield Term(window=Window(window.start, min(first, window.end)), said=None, why=NOT_KEPT)
    ends = [min(start, window.end) for start in starts[1:]] + [window.end]
    for number, (version, start, end) in enumerate(zip(versions, starts, ends[: len(starts)], strict=True), 1):
        if start >= end:
            continue
        said = said_in(version, name)
        is_last = number == len(versions)
        if isinstance(said, Said) and is_last and not _is_same(said, current):
            yield Term(window=Window(start, end), said=None, why=NOT_TAKEN_UP)
        elif isinstance(said, Said):
            yield Term(window=Window(start, end), said=said)
        else:
            yield Term(window=Window(start, end), said=None, why=said)


def _is_same(one: Said, other: Said) -> bool:
    """As far as modes follow from it."""
    return (one.policy, one.calendars, one.site.time_zone, one.site.networks.keys()) == (
        other.policy,
        other.calendars,
        other.site.time_zone,
        other.site.networks.keys(),
    )


def spans_said(
    found: Iterable[Term],
    current: Said,
    switches: Sequence[Emergency],
    days: Callable[[str], AbstractSet[date]],
) -> dict[str, tuple[ModeSpan, ...]]:
    """Of each source role, without gaps where the site had it: no stricter than the ``switches`` that held then.

    ``days``: those of a holiday calendar as it is now; it raises ``CalendarUnknown``.
    """
    made: dict[str, list[ModeSpan]] = {role: [] for role in current.site.networks}
    for term in found:
        said, why = term.said, term.why
        holidays: AbstractSet[date] = frozenset()
        if said is not None and has_calendar(said.site, said.policy):
            holidays, why = _holidays(said, current, days)
        for part in _between(term.window, switches):
            if said is None or why:
                for role in made if said is None else said.site.networks:
                    made.setdefault(role, []).append(ModeSpan(window=part, mode=None, why=why))
                continue
            mild = [e.mode for e in switches if e.mode is not None and _holds(e, part.start)]
            policy = at_most(said.policy, max(mild, key=STRICTEST.index)) if mild else said.policy
            for role, spans in mode_spans(said.site, policy, part, holidays=holidays).items():
                made.setdefault(role, []).extend(spans)
    return {role: tuple(_joined(spans)) for role, spans in sorted(made.items())}


def _holidays(said: Said, current: Said, days: Callable[[str], AbstractSet[date]]) -> tuple[AbstractSet[date], str]:
    """What is known of them; or nothing, and why."""
    if any(name not in current.calendars or current.calendars[name] != text for name, text in said.calendars.items()):
        return frozenset(), OTHER_HOLIDAYS
    try:
        return frozenset(day for name in said.calendars for day in days(name)), ""
    except CalendarUnknown:
        return frozenset(), UNREAD_HOLIDAYS


def _between(window: Window, switches: Iterable[Emergency]) -> Iterator[Window]:
    """The window in pieces, cut where a switch began or ended."""
    edges = {at for one in switches for at in (one.starts, _over(one)) if at is not None}
    inside = sorted(at for at in edges if window.start < at < window.end)
    return (Window(start, end) for start, end in pairwise([window.start, *inside, window.end]))


def _over(one: Emergency) -> datetime | None:
    return min((at for at in (one.ended_at, one.ends) if at is not None), default=None)


def _holds(one: Emergency, at: datetime) -> bool:
    over = _over(one)
    return one.starts <= at and (over is None or at < over)


def _joined(spans: Iterable[ModeSpan]) -> Iterator[ModeSpan]:
    """Neighbours that say the same are one."""
    last: ModeSpan | None = None
    for span in spans:
        if last is not None and (last.mode, last.why, last.window.end) == (span.mode, span.why, span.window.start):
            last = ModeSpan(window=Window(last.window.start, span.window.end), mode=last.mode, why=last.why)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def modes_of(spans: Mapping[str, Sequence[ModeSpan]]) -> dict[str, Mode | None]:
    """The modes of one moment, of the spans that were asked for it; None: not known."""
    return {role: ours[-1].mode for role, ours in spans.items() if ours}


__all__ = ["Said", "Term", "modes_of", "said_in", "said_now", "spans_said", "terms"]
