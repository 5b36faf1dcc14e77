"""Where our policies stand in a list of policies, and the `insert` commands that bring them there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vendors.juniper_srx import shape
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.shape import Place
from vendors.juniper_srx.statements import line_of
from vendors.placing import After, Before, Placement


def placement_in(options: JuniperSrxOptions, place: Place) -> Placement:
    if options.places == "all":
        return "top"
    for given in options.places:
        if given.from_zone is None or given.to_zone is None:
            if place == shape.GLOBAL:
                return given.placement
        elif place == shape.pair(given.from_zone, given.to_zone):
            return given.placement
    return "top"


def target_order(now: Sequence[str], ours: Sequence[str], options: JuniperSrxOptions, place: Place) -> list[str] | str:
    """All policies in the order that they should have; a sentence when the anchor is not there."""
    theirs = [name for name in now if name not in set(ours)]
    match placement_in(options, place):
        case Before(before=anchor) | After(after=anchor) if anchor not in theirs:
            return f"there is no policy {anchor!r} that ours could stand at"
        case Before(before=anchor):
            at = theirs.index(anchor)
        case After(after=anchor):
            at = theirs.index(anchor) + 1
        case _:
            at = 0
    return [*theirs[:at], *ours, *theirs[at:]]


def inserts(now: Sequence[str], target: Sequence[str], ours: Sequence[str], place: Place) -> Iterator[str]:
    """The fewest plain commands: each of ours that does not stand right, in order, to where it belongs."""
    order = list(now)
    for name in ours:
        at = target.index(name)
        if order == list(target):
            return
        above = target[at - 1] if at else None
        standing = order.index(name)
        if (order[standing - 1] if standing else None) == above:
            continue
        order.remove(name)
        if above is not None:
            order.insert(order.index(above) + 1, name)
            anchor = ("after", "policy", above)
        else:
            anchor = ("before", "policy", order[0])
            order.insert(0, name)
        yield line_of("insert", (*place, "policy", name, *anchor))
