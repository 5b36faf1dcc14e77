"""From the objects that an SRX holds to those that it should hold: lines for one load, then commands for order. Pure.

All of it is one commit, and what refers to what is checked there alone, so the order of the lines does not matter to
traffic. What goes is deleted first: a `set` of the same words behind it makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vendors.errors import Refused
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.parse import Held
from vendors.juniper_srx.placement import inserts, target_order
from vendors.juniper_srx.shape import BOOK, PREFIX, Objects, Place, named, shaped
from vendors.juniper_srx.statements import Statement, line_of
from vendors.model import Mark, Plan

_LISTS: Final = (("address",), ("address-set",), ("match", "source-address"), ("match", "destination-address"))
"""What may stand several times in one object: taken out by its value. Anything else is replaced by its new value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``lines`` go into `load set terminal`, ``moves`` are typed behind it."""

    lines: tuple[str, ...]
    moves: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in (*self.lines, *self.moves))


def render_change(held: Held, plan: Plan, mark: Mark, options: JuniperSrxOptions) -> Change:
    """Raises ``Refused`` when the anchor of our policies is not there."""
    wanted = shaped(
        plan.desired.groups,
        plan.desired.rules,
        mark,
        owner=mark.owner,
        places=held.places,
        set_members=options.set_members,
        held=held.objects.sets,
    )
    ours = [named(rule.name) for rule in plan.desired.rules]
    lines = (*_changed(held, wanted),)
    moves = tuple(_moves(held, wanted, ours, options, lines))
    return Change(lines=_inside(options.space, lines), moves=_inside(options.space, moves))


def _inside(space: Statement, lines: Sequence[str]) -> tuple[str, ...]:
    """The same lines for a logical system or a tenant."""
    words = "".join(f"{word} " for word in space)
    return tuple(line.replace(" ", f" {words}", 1) for line in lines)


def _changed(held: Held, wanted: Objects) -> Iterator[str]:
    tables: list[tuple[Statement, Mapping[str, frozenset[Statement]], Mapping[str, frozenset[Statement]]]] = [
        ((*place, "policy"), held.objects.policies.get(place, {}), wanted.policies.get(place, {}))
        for place in sorted({*held.objects.policies, *wanted.policies})
    ]
    tables.append(((*BOOK, "address-set"), held.objects.sets, wanted.sets))
    tables.append(((*BOOK, "address"), held.objects.addresses, wanted.addresses))
    added: list[list[str]] = []
    for path, now, then in tables:
        added.append([])
        for name in sorted({*now, *then}):
            gone, new = _edited((*path, name), now.get(name), then.get(name), held.inactive)
            yield from gone
            added[-1] += new
    for some in reversed(added):  # addresses, then sets, then policies: easier to read
        yield from some


def _edited(
    path: Statement, now: frozenset[Statement] | None, then: frozenset[Statement] | None, inactive: frozenset[Statement]
) -> tuple[list[str], list[str]]:
    """(what goes, what comes) of one object."""
    touched = any(words[: len(path)] == path for words in inactive)
    if now is not None and (then is None or touched or not _editable(now, then)):
        return [line_of("delete", path)], [line_of("set", (*path, *words)) for words in sorted(then or ())]
    if then is None:
        return [], []
    old, new = (now or frozenset()) - then, then - (now or frozenset())
    gone = [line_of("delete", (*path, *words)) for words in sorted(old) if words[:-1] in _LISTS]
    return gone, [line_of("set", (*path, *words)) for words in sorted(new)]


def _editable(now: frozenset[Statement], then: frozenset[Statement]) -> bool:
    """Whether taking out members and setting the rest ends in what is wanted."""
    return all(words[:-1] in _LISTS or words[:1] == ("description",) for words in now - then)


def _moves(
    held: Held, wanted: Objects, ours: Sequence[str], options: JuniperSrxOptions, lines: Sequence[str]
) -> Iterator[str]:
    for place in held.places:
        if place not in wanted.policies:
            continue
        now = _after_load(held, place, ours, lines)
        target = target_order(now, ours, options, place)
        if isinstance(target, str):
            raise Refused(
                f"{' '.join(place[2:])}: {target}; nothing was sent", hint="see `placement` in the device's options"
            )
        yield from inserts(now, target, ours, place)


def _after_load(held: Held, place: Place, ours: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The order right after the load: what is made anew stands last."""
    deleted = {name for name in ours if line_of("delete", (*place, "policy", name)) in lines}
    kept = [
        name
        for name in held.order.get(place, ())
        if not name.startswith(PREFIX) or (name in ours and name not in deleted)
    ]
    # new policies come in the order of their lines, which is that of their names
    return [*kept, *sorted(name for name in ours if name not in kept)]


__all__ = ["Change", "render_change"]
