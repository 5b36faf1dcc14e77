"""From the objects that an SRX holds to those that it should hold: lines for one load, then commands for order. Pure.

All of it is one commit, and what refers to what is checked there alone, so the order of the lines does not matter to
traffic. What goes is deleted first: a `set` of the same words behind it makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.net import Network
from vendors.errors import Refused
from vendors.juniper_srx.facts import commit_comment
from vendors.juniper_srx.feed import fed_groups, feeding
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.parse import Held
from vendors.juniper_srx.placement import inserts, target_order
from vendors.juniper_srx.shape import FEED_PREFIX, PATHS, PREFIX, Objects, Place, group_of, named, shaped
from vendors.juniper_srx.statements import Statement, line_of
from vendors.model import AddressGroup, GroupName, Mark, Plan

LOCK: Final = "configure exclusive"
LOAD: Final = "load set terminal"
CHECK: Final = "commit check"
CONFIRM: Final = "commit"
LEAVE: Final = "exit configuration-mode"

_LISTS: Final = (("address",), ("address-set",), ("match", "source-address"), ("match", "destination-address"))
"""What may stand several times in one object: taken out by its value."""
_LEAVES: Final = (
    ("description",),
    ("path",),
    ("profile", "feed-name"),
    ("scheduler-name",),
    *((name,) for name in ("url", "update-interval", "hold-interval", "tls-profile")),
)
"""What stands once in an object, and is replaced by its new value. Any other change makes the object anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit. ``lines`` go into `load set terminal`, ``moves`` are typed behind it.

    ``wanted``: what then stands there of ours, policies in the order of ``ours``. ``lists``: to be loaded behind it.
    """

    lines: tuple[str, ...]
    moves: tuple[str, ...]
    wanted: Objects
    ours: tuple[str, ...]
    lists: Mapping[GroupName, frozenset[Network]]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in (*self.lines, *self.moves))


def commit_line(plan: Plan, options: JuniperSrxOptions) -> str:
    """A commit that the device takes back by itself unless it is confirmed, and that is known as ours meanwhile."""
    comment = commit_comment(plan.desired.owner, plan.desired.snapshot)
    return f'commit confirmed {options.confirm_minutes} comment "{comment}"'


def typed_lines(change: Change, plan: Plan, options: JuniperSrxOptions) -> Iterator[str]:
    """One change from the lock to its end, as it is typed when all goes well; none where nothing changes."""
    if not change.text:
        return
    yield LOCK
    if change.lines:
        yield from (LOAD, *change.lines, "^D")
    yield from change.moves
    yield from (CHECK, commit_line(plan, options), CONFIRM, LEAVE)


def takes_two(held: Held, plan: Plan, options: JuniperSrxOptions) -> bool:
    """Whether a list that is pushed is to be pulled: its set goes only when the device has loaded it."""
    fed = fed_groups(plan.desired.groups, plan.desired.rules, options)
    return any(named(group) in held.objects.sets for group in fed)


def render_change(held: Held, plan: Plan, mark: Mark, options: JuniperSrxOptions, *, keep_sets: bool = False) -> Change:
    """``keep_sets``: lists that will be pulled stay denied by their sets as well. Raises ``Refused`` when the anchor of
    our policies is not there."""
    desired = plan.desired
    wanted = shaped(
        desired.groups,
        desired.rules,
        mark,
        owner=mark.owner,
        places=held.places,
        set_members=options.set_members,
        held=held.objects.sets,
        feeding=feeding(desired.groups, desired.rules, options),
    )
    if keep_sets:
        wanted = _with_sets(wanted, held.objects)
    ours = tuple(named(rule.name) for rule in desired.rules)
    lines = (*_changed(held, wanted),)
    moves = tuple(_moves(held, wanted, ours, options, lines))
    fed = fed_groups(desired.groups, desired.rules, options)
    lists = {group.name: group.members for group in desired.groups if isinstance(group, AddressGroup)}
    return Change(
        lines=_inside(options.space, lines),
        moves=_inside(options.space, moves),
        wanted=wanted,
        ours=ours,
        lists={name: members for name, members in lists.items() if name in fed},
    )


def _with_sets(wanted: Objects, now: Objects) -> Objects:
    """Beside what is wanted, the sets that are there, and each deny of a pulled list over its set too."""
    policies = {
        place: {name: inside | set(_both(inside, now)) for name, inside in made.items()}
        for place, made in wanted.policies.items()
    }
    return replace(
        wanted, addresses={**now.addresses, **wanted.addresses}, sets={**now.sets, **wanted.sets}, policies=policies
    )


def _both(inside: frozenset[Statement], now: Objects) -> Iterator[Statement]:
    for words in inside:
        if words[:2] == ("match", "destination-address") and words[2].startswith(FEED_PREFIX):
            pushed = named(group_of(words[2]))
            if pushed in now.sets:
                yield (*words[:2], pushed)


def _inside(space: Statement, lines: Sequence[str]) -> tuple[str, ...]:
    """The same lines for a logical system or a tenant."""
    words = "".join(f"{word} " for word in space)
    return tuple(line.replace(" ", f" {words}", 1) for line in lines)


def _changed(held: Held, wanted: Objects) -> Iterator[str]:
    there = wanted.tables()
    tables = [
        *(
            ((*place, "policy"), held.objects.policies.get(place, {}), wanted.policies.get(place, {}))
            for place in sorted({*held.objects.policies, *wanted.policies})
        ),
        *((PATHS[which], table, there[which]) for which, table in held.objects.tables().items()),
    ]
    added: list[list[str]] = []
    for path, now, then in tables:
        added.append([])
        for name in sorted({*now, *then}):
            gone, new = _edited((*path, name), now.get(name), then.get(name), held.inactive)
            yield from gone
            added[-1] += new
    for some in reversed(added):  # what is referred to first: easier to read
        yield from some


def _edited(
    path: Statement, now: frozenset[Statement] | None, then: frozenset[Statement] | None, inactive: frozenset[Statement]
) -> tuple[list[str], list[str]]:
    """(what goes, what comes) of one object."""
    touched = any(words[: len(path)] == path for words in inactive)
    old, new = (now or frozenset()) - (then or frozenset()), (then or frozenset()) - (now or frozenset())
    if now is not None and (then is None or touched or not all(words[:-1] in (*_LISTS, *_LEAVES) for words in old)):
        return [line_of("delete", path)], [line_of("set", (*path, *words)) for words in sorted(then or ())]
    kept = {words[:-1] for words in new}
    gone = [words for words in old if words[:-1] in _LISTS or words[:-1] not in kept]
    return (
        [line_of("delete", (*path, *words)) for words in sorted(gone)],
        [line_of("set", (*path, *words)) for words in sorted(new)],
    )


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


__all__ = ["Change", "commit_line", "render_change", "takes_two", "typed_lines"]
