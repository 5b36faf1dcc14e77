"""From rounds of answers to the matrix, and to the episodes of leaks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.model import Window
from controller.proof.model import WORST, By, CellKey, Proof, ProofCell, ProofState
from core.ids import DeviceName, EventId

CONFIDENCE: Final = {By.ORACLE: 90, By.PROBE: 99}
"""A firewall speaks of its rules; a probe was there."""
_MOMENT: Final = timedelta(microseconds=1)
_TRAIT: Final = "rule:proof"
_WORDS: Final = 200
_ENDED: Final = {
    ProofState.BLOCKED: "blocked",
    ProofState.OPEN: "let pass by an exception",
    ProofState.CLOSED: "blocked, though an exception lets it pass",
}
_SHOWN: Final = 20
"""Targets that an episode names."""
AGAIN: Final = 2
"""So much of what leaked in a field is tried again, the newest, before the leak is over."""


NOT_DENIED: Final = "it passed when it was tried, and is not to be blocked now"


def worst(states: Iterable[ProofState]) -> ProofState:
    """Unknown when there are none."""
    there = set(states)
    return next((state for state in WORST if state in there), ProofState.UNKNOWN)


def shown_of(proofs: Iterable[Proof]) -> Iterator[tuple[str, Proof]]:
    """Of each round and path of which something is known, the answer that shows it: a leak when any of its answers is
    one, stopped when all are."""
    rounds: dict[tuple[str, str], list[Proof]] = {}
    for proof in proofs:
        who = proof.role or f"exception {proof.exception}"
        path = f"{proof.path.value} from {who}, by {proof.by.value} {proof.origin}"
        rounds.setdefault((proof.round, path), []).append(proof)
    for (_, path), answers in rounds.items():
        state = worst(proof.state for proof in answers)
        if state in (ProofState.LEAKING, ProofState.BLOCKED):
            yield path, next(p for p in answers if p.state is state)


def of_leaks(proofs: Iterable[Proof]) -> frozenset[EventId]:
    """The answers that coverage is reckoned from: those that show a leak, and the first that shows it stopped."""
    found, leaking = set[EventId](), set[str]()
    for path, shown in sorted(shown_of(proofs), key=lambda pair: pair[1].at):
        if shown.state is ProofState.LEAKING:
            leaking.add(path)
            found.add(shown.id)
        elif path in leaking:
            leaking.remove(path)
            found.add(shown.id)
    return frozenset(found)


def folded(
    before: Mapping[CellKey, ProofCell], proofs: Sequence[Proof]
) -> tuple[tuple[ProofCell, ...], tuple[Episode, ...]]:
    """The fields that a round fills, and the leaks that it shows.

    A leak that goes on is the same episode, grown; that nobody knows for a while does not end it.
    """
    cells, leaks = list[ProofCell](), list[Episode]()
    for key, group in groupby(sorted(proofs, key=_key), key=_key):
        found = list(group)
        cell = _cell(found, before.get(key))
        if cell.state is ProofState.LEAKING:
            leaking = [proof for proof in found if proof.state is ProofState.LEAKING]
            cell = replace(cell, leak=cell.leak or leaking[0].id)
            leaks.append(_leak(cell, leaking))
        cells.append(cell)
    return tuple(cells), tuple(leaks)


def _key(proof: Proof) -> CellKey:
    return proof.site, proof.origin, proof.by.value, proof.path.value, proof.role, proof.exception or ""


def _cell(found: Sequence[Proof], before: ProofCell | None) -> ProofCell:
    state = worst(proof.state for proof in found)
    shown = next(proof for proof in found if proof.state is state)
    goes_on = before is not None and (
        before.state is state or (before.leak is not None and state is not ProofState.BLOCKED)
    )
    at = max(proof.at for proof in found)
    ends = state in _ENDED
    return ProofCell(
        site=shown.site,
        origin=shown.origin,
        by=shown.by,
        path=shown.path,
        role=shown.role,
        exception=shown.exception,
        state=state,
        asked=len(found),
        unknown=sum(proof.state is ProofState.UNKNOWN for proof in found),
        source=str(shown.source),
        target=shown.target,
        rule=shown.rule,
        words=shown.words,
        at=at,
        since=before.since if before is not None and goes_on else at,
        leak=None if before is None or ends else before.leak,
    )


def _leak(cell: ProofCell, leaking: Sequence[Proof]) -> Episode:
    first = leaking[0]
    by_rule = f", by {first.rule}" if first.rule else ""
    asked = f"asked whether {cell.who} reaches {first.target} by {cell.path}"
    text = f"{asked}: yes since {_minute(cell.since)}{by_rule}, and the policy blocks it; {_witness(cell.by)} says so"
    confidence = CONFIDENCE[cell.by]
    grounds = [Ground(trait=_TRAIT, text=text, weight=confidence, channel=Channel.PROBE)]
    if first.words:
        answer = first.words.replace(str(first.source), "the client")[:_WORDS]
        grounds.append(Ground(trait=_TRAIT, text=f"the answer: {answer}", weight=0, channel=Channel.PROBE))
    return Episode(
        id=cell.leak or EventId(first.id),
        kind=EpisodeKind.LEAK,
        site=cell.site,
        window=Window(cell.since, cell.at + _MOMENT),
        action=EpisodeAction.NOT_ENFORCED,
        confidence=confidence,
        grounds=tuple(grounds),
        device=DeviceName(cell.origin) if cell.by is By.ORACLE else None,
        source=first.source,
        host=cell.origin if cell.by is By.PROBE else "",
        role=cell.role or None,
        indicator=first.target,
        exception=cell.exception,
        channels=(Channel.PROBE,),
        sensors=(cell.origin,),
        destinations=tuple(dict.fromkeys(proof.target for proof in leaking))[:_SHOWN],
        count=len(leaking),
    )


def ended(before: Mapping[CellKey, ProofCell], cells: Iterable[ProofCell]) -> tuple[tuple[EventId, ProofCell], ...]:
    """The leaks that a round shows to be over, each with the field that shows it."""
    known = ((before.get(cell.key), cell) for cell in cells)
    return tuple((old.leak, cell) for old, cell in known if old is not None and old.leak is not None and not cell.leak)


def closed(leak: Episode, cell: ProofCell) -> Episode:
    """The leak, with its end: it lasted until this was seen, at the longest."""
    text = f"over: at {_minute(cell.at)} {_witness(cell.by)} said that it is {_ENDED[cell.state]}"
    over = Ground(trait=_TRAIT, text=text, weight=0, channel=Channel.PROBE)
    start, end = leak.window.start, max(leak.window.end, cell.at + _MOMENT)
    window = Window(start, end) if start <= cell.at else Window(cell.at, cell.at + _MOMENT)  # the clock was set back
    return replace(leak, window=window, grounds=(*leak.grounds, over))


def owed(cells: Iterable[ProofCell], proofs: Iterable[Proof]) -> Iterator[Proof]:
    """What leaked last in fields whose leak is open: other entries that are blocked do not show that it is over."""
    leaking, seen, found = {cell.key for cell in cells if cell.leak is not None}, set[object](), Counter[CellKey]()
    for proof in sorted(proofs, key=lambda p: (-p.at.timestamp(), p.state is not ProofState.LEAKING)):
        key, source = _key(proof), proof.source if proof.by is By.ORACLE else None  # a probe's host may be renumbered
        one = key, source, proof.target
        if key not in leaking or proof.state is ProofState.UNKNOWN or one in seen:
            continue
        seen.add(one)
        if proof.state is ProofState.LEAKING and found[key] < AGAIN:
            found[key] += 1
            yield proof


def _witness(by: By) -> str:
    return "the firewall's own oracle" if by is By.ORACLE else "a probe at the site"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def aged(cell: ProofCell, now: datetime, life: timedelta) -> ProofCell:
    """Old proof is unknown again."""
    if now - cell.at <= life:
        return cell
    return replace(cell, state=ProofState.UNKNOWN, words=f"the last proof is old: it was {cell.state} then")


def unless_moot(cell: ProofCell, denied: Container[str] | None) -> ProofCell:
    """What leaked from a role that is not denied now is no leak now. ``denied`` None: whom to block is not known."""
    if cell.state is ProofState.LEAKING and denied is not None and cell.role not in denied:
        return replace(cell, state=ProofState.UNKNOWN, words=NOT_DENIED)
    return cell
