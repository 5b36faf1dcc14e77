"""``tokgate explain``: what becomes of one flow, why, and whether that is proven; as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from api.check_words import VERDICTS
from api.cli import opening
from api.cli.options import AsPlain, Plain
from api.cli.show import moment, say, show_json

if TYPE_CHECKING:
    from api.check_models import Check, Evidence


def explain(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The address that asks.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="The address or the name that it asks for.")],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="At another moment: 2026-11-25T18:00Z, or 24h for a day ago."),
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="The site; found by its source networks when left out.")
    ] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Say what becomes of one flow: blocked or not, by which rule, entry, window and exception, and what proves it.

    Ends with 0 whatever the answer; scripts read `verdict` of the JSON.
    """
    from api.cli.times import parse_time

    with opening.counterpart() as asked:
        then = parse_time(at, option="--at", now=asked.clock.now(), backwards=True) if at else None
        answer = asked.check(source, destination, at=then, site=site)
    if output is Plain.JSON:
        show_json(answer.model_dump(mode="json"))
    else:
        say("\n".join(lines(answer)))


def lines(answer: Check) -> Iterator[str]:
    """The answer, line by line: what becomes of it, why, and how far that is proven."""
    yield f"{answer.src} to {answer.dst} at {answer.site}, {moment(answer.at)}: {VERDICTS[answer.verdict.value]}"
    if answer.verdict is not answer.decided:
        yield f"  wanted if its firewalls hold what they should, it {VERDICTS[answer.decided.value]}"
    yield from _why(answer)
    yield from (f"  device {_device(one)}" for one in answer.devices)
    yield from (f"  note   {note}" for note in answer.notes)
    found = answer.snapshot
    pin = f", PINNED by {found.pin.by}: {found.pin.reason}" if found.pin else ""
    yield f"  list   snapshot {found.id[:12]}{f', in force since {moment(found.since)}' if found.since else ''}{pin}"


def _why(answer: Check) -> Iterator[str]:
    role = f"{answer.role}, by the networks of {answer.site}" if answer.role else "none"
    yield f"  role   {role}"
    if answer.window is not None:
        edge = f"; it may change {moment(answer.next_edge)}" if answer.next_edge else ""
        yield f"  policy {answer.policy}: {answer.window.mode.value}, {answer.window.why}{edge}"
    if answer.rule is not None:
        yield f"  rule   {answer.rule}"
    if answer.entry is not None:
        yield f"  entry  {answer.entry.entry} of {answer.entry.service}"
    yield from (f"  why    {decision.entry}: {decision.reason}" for decision in answer.decisions)
    for entry in answer.known:
        for word in entry.sources:
            seen = f"seen {moment(word.first_seen)} to {moment(word.last_seen)}"
            yield f"  source {word.source} named {entry.value}, {seen}"
    if (passing := answer.exception) is not None:
        ticket = f", {passing.ticket}" if passing.ticket else ""
        until = f"until {moment(passing.ends)}: {passing.reason}{ticket}"
        yield f"  passes by exception {passing.id} of {passing.owner} {until}"


def _device(one: Evidence) -> str:
    seen = f"read {moment(one.last_seen_at)}" if one.last_seen_at else ""
    known = "; ".join(word for word in (seen, one.mode) if word)
    return f"{one.device}: {one.verdict.value}: {one.why}{f' ({known})' if known else ''}"
