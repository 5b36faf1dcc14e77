"""Where our policies stand among the owner's, as `move` lines. Pure.

FortiOS evaluates in the order printed; an id says nothing about it, and a new policy comes last. There is no `move` to
the top: the first policy is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vendors.placing import After, Before, Placement


@dataclass(frozen=True, slots=True)
class Move:
    """``move ID before|after OTHER``."""

    id: int
    where: Literal["before", "after"]
    other: int

    def line(self) -> str:
        return f"move {self.id} {self.where} {self.other}"


def moves(
    order: Sequence[int], ours: Sequence[int], placement: Placement, named: Mapping[str, int]
) -> tuple[Move, ...] | str:
    """What brings our policies together, in order, at their place; or why that cannot be told.

    ``order`` are all ids as printed; ids of ours that are not in it yet come last. ``named`` are the owner's by name.
    """
    own = set(ours)
    others = [number for number in order if number not in own]
    start = _start(others, placement, named)
    if isinstance(start, str):
        return start if ours else ()
    return tuple(_moves([*order, *(n for n in ours if n not in set(order))], ours, others, start))


def _start(others: Sequence[int], placement: Placement, named: Mapping[str, int]) -> int | str:
    """Before which of the owner's policies ours begin, as an index."""
    if placement == "top":
        return 0
    where, name = anchor_of(placement)
    number = named.get(name, int(name) if name.isdigit() else -1)
    if number not in others:
        return f"placement: there is no policy {name!r} to stand {where}"
    return others.index(number) + (where == "after")


def _moves(now: list[int], ours: Sequence[int], others: Sequence[int], start: int) -> Iterator[Move]:
    before: int | None = None
    for number in ours:
        at = now.index(number)
        previous = now[at - 1] if at else None
        if before is None:
            if previous == (others[start - 1] if start else None):
                before = number
                continue
            move = Move(number, "before", others[start]) if start < len(others) else Move(number, "after", others[-1])
        else:
            if previous == before:
                before = number
                continue
            move = Move(number, "after", before)
        now.remove(number)
        now.insert(now.index(move.other) + (move.where == "after"), number)
        before = number
        yield move


def anchor_of(placement: Before | After) -> tuple[Literal["before", "after"], str]:
    return ("before", placement.before) if isinstance(placement, Before) else ("after", placement.after)
