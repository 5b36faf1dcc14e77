"""An explanation as a help desk reads it: the answer first, then why, who says so, and by which snapshot. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from api.cli.show import moment

if TYPE_CHECKING:
    from api.models import Decision, Explanation, Indicator, Provenance

SHOWN: Final = 5
"""Entries that sources named, at most; JSON has all."""
_PLAIN: Final = {
    "dedicated": "enforced",
    "voices": "enforced",
    "suffix": "enforced",
    "name": "enforced",
    "name-only": "addresses",
    "shared-cdn": "not enforced, shared CDN",
    "unknown": "not known",
}
"""A rule in plain words; a guard is named as such."""


def lines(answer: Explanation) -> Iterator[str]:
    """The answer, line by line."""
    yield _head(answer)
    yield from (f"  why    {_decision(decision)}" for decision in answer.decisions)
    for entry in answer.known[:SHOWN]:
        yield f"  entry  {_entry(entry)}"
        yield from (f"         {_source(source)}" for source in entry.sources)
    if len(answer.known) > SHOWN:
        yield f"         and {len(answer.known) - SHOWN} more: -o json"
    yield from (f"  note   {note}" for note in answer.notes)
    yield f"  list   {_snapshot(answer)}"


def _head(answer: Explanation) -> str:
    was = "was" if answer.at is not None else "is"
    if not answer.covered:
        return f"{answer.query} {was} NOT covered"
    return f"{answer.query} {was} covered: " + ", ".join(f"{c.service} has {c.entry}" for c in answer.entries)


def _decision(decision: Decision) -> str:
    return f"{_PLAIN.get(decision.rule, f'not enforced, {decision.rule}')}: {decision.entry}: {decision.reason}"


def _entry(entry: Indicator) -> str:
    whose = f" of {entry.owner}" if entry.owner else ""
    return f"{entry.value}: {entry.app}{whose}, {entry.category}, {entry.dedication}, confidence {entry.confidence}"


def _source(source: Provenance) -> str:
    first, last = moment(source.first_seen), moment(source.last_seen)
    seen = f"seen {first}" if first == last else f"first seen {first}, last {last}"
    return f"{source.source}: {seen}{f': {source.detail}' if source.detail else ''}"


def _snapshot(answer: Explanation) -> str:
    found = answer.snapshot
    since = f", in force since {moment(found.since)}" if found.since else ""
    pin = f", PINNED by {found.pin.by}: {found.pin.reason}" if found.pin else ""
    return f"snapshot {found.id[:12]}{since}{f' until {moment(found.until)}' if found.until else ''}{pin}"
