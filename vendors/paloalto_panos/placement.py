"""Where our rules stand among the others: whether that is where they should, and the moves that bring them there. Pure.

Rules of ours follow each other without a gap, in our order. `top`: nothing stands above them. `after`: right below the
named rule. `before`: above the named rule, wherever: what somebody has put in between is below ours and stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vendors.errors import Refused
from vendors.paloalto_panos.setform import quoted
from vendors.placing import After, Before, Placement


def misplaced(order: Sequence[str], ours: Sequence[str], placement: Placement) -> list[str]:
    """Deviations, one line each. ``order``: all rules as read; ``ours``: those of ours, in the same order."""
    if not ours:
        return []
    anchor = anchor_of(placement)
    if anchor is not None and anchor not in order:
        return [f"placement: the rule {anchor!r} that ours stand by is not on the firewall"]
    return [f"placement: rule {name} does not stand where it should" for name, _ in moves(order, ours, placement)]


def moves(order: Sequence[str], ours: Sequence[str], placement: Placement) -> Iterator[tuple[str, str]]:
    """(rule, where to: ``top``, ``before X``, ``after X``) for each of ours that stands elsewhere.

    ``order`` are all rules with ours among them; ``ours`` in the order that they should have.

    Raises ``Refused`` when the anchor is not there.
    """
    anchor = anchor_of(placement)
    if anchor is not None and anchor not in order:
        raise Refused(
            f"our rules should stand by the rule {anchor!r}, which is not on the firewall; nothing was sent",
            hint="correct options.placement",
        )
    now = list(order)
    above: str | None = None
    for name in ours:
        if not _stands(now, name, above, placement):
            where = _where(above, placement)
            now.remove(name)
            now.insert(_index(now, where), name)
            yield name, where
        above = name


def placed(order: Sequence[str], ours: Sequence[str], placement: Placement) -> list[str]:
    """All rules in the order that the moves leave."""
    now = list(order)
    for name, where in moves(order, ours, placement):
        now.remove(name)
        now.insert(_index(now, where), name)
    return now


def anchor_of(placement: Placement) -> str | None:
    match placement:
        case Before():
            return placement.before
        case After():
            return placement.after
        case _:
            return None


def _stands(now: Sequence[str], name: str, above: str | None, placement: Placement) -> bool:
    place = now.index(name)
    if above is not None:
        return place > 0 and now[place - 1] == above
    match placement:
        case Before():
            return place < now.index(placement.before)
        case After():
            return place > 0 and now[place - 1] == placement.after
        case _:
            return place == 0


def _where(above: str | None, placement: Placement) -> str:
    if above is not None:
        return f"after {quoted(above)}"
    match placement:
        case Before():
            return f"before {quoted(placement.before)}"
        case After():
            return f"after {quoted(placement.after)}"
        case _:
            return "top"


def _index(now: Sequence[str], where: str) -> int:
    verb, _, name = where.partition(" ")
    if verb == "top":
        return 0
    return now.index(name.strip('"')) + (verb == "after")
