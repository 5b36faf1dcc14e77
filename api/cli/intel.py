"""``tokgate intel``: what TikTok is now, from which sources, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import bundle, opening
from api.cli import scoreboard as scoring
from api.cli.options import As, AsPlain, Force, Output, Plain
from api.cli.show import note, say, show_csv, show_json, show_pairs, show_rows, show_table, text_of
from api.cli.wait import working

if TYPE_CHECKING:
    from api.cli.counterpart import Refreshed
    from api.intel_models import OriginChange
    from api.snapshot_models import Difference, Pin, Snapshot
    from api.source_models import Source

app = typer.Typer(no_args_is_help=True, help="Intelligence: what TikTok is now, from which sources, and what changed.")
Id = Annotated[
    str | None, typer.Argument(metavar="[SNAPSHOT]", help="Which, by the start of its id; else the current.")
]

Older = Annotated[str | None, typer.Argument(metavar="[OLD]", help="By the start of its id; else the one before.")]
Newer = Annotated[str | None, typer.Argument(metavar="[NEW]", help="By the start of its id; else the current.")]
Why = Annotated[str, typer.Option("--reason", help="Why; stands in the audit log and in every report.")]


@app.command()
def refresh(force: Force = False, output: AsPlain = Plain.TABLE) -> None:
    """Ask every source, build the next snapshot, and put it in force if the guards let it pass.

    A source that fails keeps its last good entries. Ends with 3 when a guard held the new snapshot: the old one stays.
    """
    with opening.counterpart() as asked, working("asking the sources"):
        result = asked.refresh(force=force)
    if output is Plain.JSON:
        show_json(_refreshed(result))
    else:
        _show_refreshed(result)
    if result.pin is not None:
        note(f"PINNED: {_in_words(result.pin)}", style="bold")
        note(f"  {_waiting(result)}; `tokgate intel unpin` lets refreshes decide again")
    for source in result.sources:
        if source.error_code is not None:
            note(f"source {source.name} failed, its last good entries stay: {source.error_code} {source.error}")
    for trouble in _troubles(result.sources):
        note(f"ATTENTION: {trouble}", style="bold red")


def _waiting(result: Refreshed) -> str:
    if result.waiting is None or result.added is None or result.removed is None:
        return "nothing else waits"
    more, less = len(result.added), len(result.removed)
    return f"snapshot {result.waiting[:12]} waits, with {more} entries more and {less} less"


def _in_words(pin: Pin) -> str:
    """``pinned to snapshot 25d43f05bdd9 since 2026-11-25T18:00Z by cli:ada: it broke the payroll``."""
    from controller import model
    from core.ids import SnapshotId

    return str(model.Pin(snapshot=SnapshotId(pin.snapshot), actor=pin.by, reason=pin.reason, at=pin.at))


def _troubles(sources: Iterable[Source]) -> Iterator[str]:
    """The sources whose word is too old, or does not count in full, by name."""
    from controller.reports.making import SourceTrouble
    from controller.troubles import why_watched

    for one in sorted(sources, key=lambda source: source.name):
        if one.stale:
            yield str(SourceTrouble(source=one.name, what="stale", why=one.stale))
        if one.watched:
            why = why_watched(one.watched.since, one.watched.reason)
            yield str(SourceTrouble(source=one.name, what="watched", why=why))


def _refreshed(result: Refreshed) -> object:
    return {
        "pin": result.pin.model_dump(mode="json") if result.pin else None,
        "waiting": result.waiting,
        "changed": result.changed,
        "snapshot": result.snapshot.id if result.snapshot else None,
        "previous": result.previous,
        "added": result.added,
        "removed": result.removed,
        "sources": [source.model_dump(mode="json") for source in result.sources],
    }


def _show_refreshed(result: Refreshed) -> None:
    if result.snapshot is None:
        say("no snapshot")
        return
    say(f"snapshot {result.snapshot.id[:12]}: {'new' if result.changed else 'as before'}")
    for service in result.snapshot.services:
        say(f"  {service.service}: {_sizes(len(service.networks), len(service.domains))}")
    if result.added is not None and result.removed is not None and result.pin is None:
        say(f"  {len(result.added)} added, {len(result.removed)} removed; see `tokgate intel diff`")
    if result.snapshot.dropped:
        say(f"  {len(result.snapshot.dropped)} entries taken out by guards; see `tokgate intel show --dropped`")


def _sizes(networks: int, domains: int) -> str:
    return f"{networks} networks, {domains} domains"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as a device gets it."""

    service: str
    kind: str
    entry: str


@app.command()
def show(
    snapshot: Id = None,
    indicators: Annotated[bool, typer.Option("--indicators", help="Every entry with where it came from.")] = False,
    dropped: Annotated[bool, typer.Option("--dropped", help="What guards took out, and why.")] = False,
    app_: Annotated[str | None, typer.Option("--app", metavar="APP", help="Of --indicators, only of this app.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Of --indicators, only those of this owner.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="Of --indicators, only of this category.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Of --indicators, only those that this source, or kind of source, names."),
    ] = None,
    match: Annotated[
        str | None, typer.Option("--match", metavar="TEXT", help="Of --indicators, only entries that contain this.")
    ] = None,
    output: As = Output.TABLE,
) -> None:
    """Show a snapshot: what is enforced, where each entry came from, or what was left out."""
    from ipsets.choice import Choice

    choice = Choice(app=app_, owner=owner, category=category, source=source, text=match)
    if not choice.is_all and not indicators:
        raise typer.BadParameter("--app, --owner, --category, --source and --match choose among --indicators")
    with opening.counterpart() as asked:
        found, pin = asked.snapshot(snapshot, indicators=indicators, choice=choice), asked.pinned()
    if pin is not None:
        note(f"PINNED: {_in_words(pin)}", style="bold")
        note("  refreshes change nothing that is enforced; `tokgate intel unpin` lets them decide again")
    if output is Output.JSON:
        show_json(found.model_dump(mode="json"))
        return
    if found.indicators is not None:
        show_rows(found.indicators, _INDICATORS, output, none="no entry fits")
    elif dropped:
        show_rows(found.dropped, _DROPPED, output, none="no entry was taken out")
    else:
        if output is Output.TABLE:
            _show_head(found)
        show_rows(_entries(found), _ENTRIES, output, none="nothing is enforced")


def _show_head(snapshot: Snapshot) -> None:
    show_pairs(
        {
            "snapshot": snapshot.id,
            "made": snapshot.created_at,
            "sources": {age.source: text_of(age.last_success) for age in snapshot.sources},
            "taken out by guards": len(snapshot.dropped),
        }
    )
    say()


def _entries(snapshot: Snapshot) -> list[Entry]:
    networks = [(s.service, "network", network) for s in snapshot.services for network in s.networks]
    allows = [(s.service, "allow", network) for s in snapshot.services for network in s.allows]
    domains = [(s.service, "domain", domain) for s in snapshot.services for domain in s.domains]
    return [Entry(service=service, kind=kind, entry=entry) for service, kind, entry in [*networks, *allows, *domains]]


@app.command()
def history(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 20,
    output: As = Output.TABLE,
) -> None:
    """List the snapshots, the newest first."""
    with opening.counterpart() as asked:
        found = asked.snapshots(limit=limit)
    show_rows(found, _HEADS, output, none="no snapshot yet")


@app.command()
def diff(old: Older = None, new: Newer = None, output: As = Output.TABLE) -> None:
    """Show what a snapshot has more and less than another, as it would be enforced, and why: sources, dates, guards."""
    with opening.counterpart() as asked:
        found = asked.compared(old, new)
    if found is None:
        note("the current snapshot is the first one: there is nothing to compare it with")
    else:
        _show_diff(found, output)


def _show_diff(found: Difference, output: Output) -> None:
    rows = [("+", change.service, change.entry, change.reason) for change in found.added]
    rows += [("-", change.service, change.entry, change.reason) for change in found.removed]
    match output:
        case Output.JSON:
            show_json(found.model_dump(mode="json"))
        case Output.CSV:
            show_csv(("change", "service", "entry", "reason"), ((_WORDS[sign], *rest) for sign, *rest in rows))
        case Output.TABLE if not rows:
            note("no difference")
        case Output.TABLE:
            show_table(("", "service", "entry", "why"), rows)


@app.command()
def drift(old: Older = None, new: Newer = None, output: As = Output.TABLE) -> None:
    """Show which networks (AS) came, went, took prefixes or were renamed between two snapshots, and who says so."""
    with opening.counterpart() as asked:
        found = asked.origin_drift(old, new)
    show_rows(found, _ORIGINS, output, none="no origin is different")


@app.command()
def pin(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Which, by the start of its id.")],
    reason: Why,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Put a stored snapshot in force, and keep it there over every refresh until it is unpinned.

    Refused for a damaged one (1), and for one that holds what is never blocked today (3).
    """
    with opening.counterpart() as asked:
        made = asked.pin(snapshot, reason=reason)
    _show_pin(made, output)


@app.command()
def rollback(
    reason: Why,
    expected: Annotated[
        str | None,
        typer.Option("--from", metavar="SNAPSHOT", help="Only when this one is in force, by the start of its id."),
    ] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Pin the snapshot that was in force before the current one. Twice is back again; `unpin` lets refreshes decide."""
    with opening.counterpart() as asked:
        made = asked.roll_back(reason=reason, expected=expected)
    _show_pin(made, output)


@app.command()
def unpin(reason: Why, output: AsPlain = Plain.TABLE) -> None:
    """Let refreshes decide again. What is in force stays until the next one, which the guards judge as any other."""
    with opening.counterpart() as asked:
        was = asked.unpin(reason=reason)
    if output is Plain.JSON:
        _show_pin(was, output)
    else:
        say(f"no longer pinned: snapshot {was.snapshot[:12]} stays in force until the next refresh")


@app.command()
def trust(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Which, by its name.")],
    reason: Why,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Vouch for a source: from the next refresh on all of its words count again, also when it was put on watch."""
    with opening.counterpart() as asked:
        found = asked.trust(source, reason=reason)
    if output is Plain.JSON:
        show_json(found.model_dump(mode="json"))
    else:
        say(f"source {found.name} is trusted: all of its words count from the next refresh on")


def _show_pin(made: Pin, output: Plain) -> None:
    if output is Plain.JSON:
        show_json(made.model_dump(mode="json"))
    else:
        say(f"PINNED: {_in_words(made)}")


app.command()(scoring.scoreboard)
app.command()(bundle.export)
app.command("import")(bundle.import_bundle)
app.command()(bundle.keygen)


@app.command()
def explain(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="One address, one name, or one network.")],
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="As it was then: 2026-11-25T18:00Z, 2026-11-25, or 24h for a day ago."
        ),
    ] = None,
    output: AsPlain = Plain.TABLE,
) -> None:
    """Say whether an address or a name is covered, by which entry and sources, or which rule keeps it out.

    Of a network it says how many of its addresses are covered, which, and why the others are not.

    Ends with 0 whether it is covered or not; scripts read `covered` of the JSON.
    """
    from api.cli.explained import lines
    from api.cli.times import parse_time

    with opening.counterpart() as asked:
        then = parse_time(at, option="--at", now=asked.clock.now(), backwards=True) if at else None
        answer = asked.explain(question, at=then)
    if output is Plain.JSON:
        show_json(answer.model_dump(mode="json"))
    else:
        say("\n".join(lines(answer)))


@app.command()
def sources(output: As = Output.TABLE) -> None:
    """List the sources with their last attempt and their last success."""
    with opening.counterpart() as asked:
        found = asked.sources()
    for trouble in _troubles(found):
        note(f"ATTENTION: {trouble}", style="bold red")
    show_rows(found, _SOURCES, output, none="no source was asked yet: tokgate intel refresh")


def _now(row: OriginChange) -> str | tuple[str, ...]:
    if row.new_holder is not None:
        return f"held by {row.new_holder}, before by {row.old_holder}"
    return tuple(f"AS{asn}" for asn in row.origins) or "none"


def _health(row: Source) -> str:
    if row.error_code:
        return f"{row.error_code}: {row.error}"
    return f"watched: it {row.watched.reason}" if row.watched else "good"


_WORDS = {"+": "added", "-": "removed"}
_ENTRIES = {
    "service": lambda row: row.service,
    "kind": lambda row: row.kind,
    "entry": lambda row: row.entry,
}
_INDICATORS = {
    "entry": lambda row: row.value,
    "app": lambda row: row.app,
    "owner": lambda row: row.owner or "not known",
    "category": lambda row: row.category,
    "confidence": lambda row: row.confidence,
    "dedication": lambda row: row.dedication,
    "sources": lambda row: tuple(source.source for source in row.sources),
    "last seen": lambda row: max((source.last_seen for source in row.sources), default=None),
}
_ORIGINS = {
    "change": lambda row: row.kind.value,
    "network": lambda row: row.network or "all of it",
    "origin": lambda row: f"AS{row.asn}",
    "source": lambda row: row.source,
    "now": _now,
}
_DROPPED = {
    "guard": lambda row: row.guard,
    "entry": lambda row: row.entry,
    "reason": lambda row: row.reason,
}
_HEADS = {
    "id": lambda row: row.id[:12],
    "time": lambda row: row.created_at,
    "networks": lambda row: row.networks,
    "domains": lambda row: row.domains,
    "current": lambda row: row.current,
}
_SOURCES = {
    "source": lambda row: row.name,
    "kind": lambda row: row.kind,
    "entries": lambda row: row.indicators,
    "skipped": lambda row: row.skipped,
    "last success": lambda row: row.last_success or "never",
    "last attempt": lambda row: row.last_attempt or "never",
    "state": _health,
}
