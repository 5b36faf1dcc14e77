"""An explanation as a help desk reads it: the answer first, then why, who says so, and by which snapshot. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from api.cli.show import moment

if TYPE_CHECKING:
    from api.intel_models import Decision, Explanation, Extent, Part
    from api.snapshot_models import Indicator, Provenance

SHOWN: Final = 5
"""Entries that sources named, at most; JSON has all."""
PARTS: Final = 20
"""Parts of a network, at most."""
_PLAIN: Final = {
    "dedicated": "enforced",
    "owner": "enforced",
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
    if answer.extent is None:
        yield from (f"  why    {_decision(decision)}" for decision in answer.decisions)
    else:
        yield from _parts(answer.extent)
    for entry in answer.known[:SHOWN]:
        yield f"  entry  {_entry(entry)}"
        yield from (f"         {_source(source)}" for source in entry.sources)
    if len(answer.known) > SHOWN:
        yield f"         and {len(answer.known) - SHOWN} more: -o json"
    yield from (f"  note   {note}" for note in answer.notes)
    yield f"  list   {_snapshot(answer)}"


def _parts(extent: Extent) -> Iterator[str]:
    for part in extent.parts[:PARTS]:
        sign = "+" if part.covered else "-"
        count = f"{part.addresses} address{'' if part.addresses == 1 else 'es'}"
        yield f"  {sign} {_range(part)}, {count}: {_decision(part.decisions[0])}"
    if rest := len(extent.parts) - PARTS + extent.left_out if len(extent.parts) > PARTS else extent.left_out:
        yield f"    and {rest} parts more: -o json{' tells some of them' if extent.left_out else ''}"


def _range(part: Part) -> str:
    return part.first if part.first == part.last else f"{part.first} to {part.last}"


def _head(answer: Explanation) -> str:
    was = "was" if answer.at is not None else "is"
    if answer.extent is not None and answer.extent.name == "part":
        return f"{answer.query} {was} covered IN PART: {answer.extent.covered} of {answer.extent.addresses} addresses"
    if not answer.covered:
        return f"{answer.query} {was} NOT covered"
    if answer.extent is not None:
        return f"{answer.query} {was} covered wholly: all {answer.extent.addresses} addresses"
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
