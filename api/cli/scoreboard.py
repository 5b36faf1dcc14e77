"""``tokgate intel scoreboard``: what each source is worth beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.cli import opening
from api.cli.options import As, Output
from api.cli.show import note, say, show_json, show_rows
from api.cli.wait import working

if TYPE_CHECKING:
    from api.source_models import ScoredSource


def scoreboard(output: As = Output.TABLE) -> None:
    """Say of each source how fresh, large, unique, late and right it is, and what it caught here.

    Counts over everything that all sources named last: seconds for large lists.
    """
    with opening.counterpart() as asked, working("comparing the sources"):
        board = asked.scoreboard()
    if output is Output.JSON:
        show_json(board.model_dump(mode="json"))
        return
    show_rows(list(board.sources), _COLUMNS, output, none="no source was asked yet: tokgate intel refresh")
    for source in board.sources:
        for what, why in _troubles(source):
            note(f"ATTENTION: source {source.source} is {what}: {why}", style="bold red")
    if output is Output.TABLE:
        left_out = "; older ones are left out" if board.hits.events_left_out else ""
        say(f"hits: of {board.hits.events} events since {board.hits.since:%Y-%m-%dT%H:%MZ}{left_out}")
        say(f"  {board.hits.without_destination} do not say where to, {board.hits.of_nobody} went elsewhere")


def _troubles(row: ScoredSource) -> list[tuple[str, str]]:
    stale = [("STALE", row.stale)] if row.stale else []
    return [*stale, ("WATCHED", f"it {row.watched.reason}")] if row.watched else stale


def _state(row: ScoredSource) -> str:
    words = ("stale" if row.stale else "", "watched" if row.watched else "", "failing" if row.error_code else "")
    return ", ".join(word for word in words if word) or "good"


def _percent(share: float | None) -> str:
    """Rounded down: what is not all is never shown as 100 %."""
    return "–" if share is None else f"{int(share * 1000) / 10:.1f} %"


def _most_like(row: ScoredSource) -> str:
    return f"{row.overlaps[0].source} {_percent(row.overlaps[0].share)}" if row.overlaps else "–"


def _lag(row: ScoredSource) -> str:
    from datetime import timedelta

    from ipsets.spans import words

    seconds = row.lag.median_seconds
    return "–" if seconds is None else words(timedelta(seconds=seconds)) if seconds else "first"


_COLUMNS: dict[str, Any] = {
    "source": lambda row: row.source,
    "state": _state,
    "last success": lambda row: row.last_success or "never",
    "changed": lambda row: row.changed_at or "–",
    "entries": lambda row: row.entries,
    "IPv4": lambda row: row.addresses_v4,
    "only it": lambda row: _percent(row.unique_share),
    "most like": _most_like,
    "lag": _lag,
    "own origin": lambda row: _percent(row.precision_v4.share),
    "hits": lambda row: row.hits.events,
}
