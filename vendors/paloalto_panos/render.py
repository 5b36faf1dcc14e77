"""A plan as the configuration lines that bring one candidate to another: only what differs, additions before removals.

Pure. The lines go into a candidate that comes into force by one commit; their order is that in which the device takes
them: nothing is referred to before it is there, nothing is deleted while it is referred to, no group is ever empty.
`set` adds to a list, `delete` takes a member out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vendors.marks import mark_text
from vendors.model import GroupName, Mark, Observed, Plan
from vendors.paloalto_panos import lists
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.parse import PATHS, changed
from vendors.paloalto_panos.placement import moves, placed
from vendors.paloalto_panos.setform import Attrs, quoted
from vendors.paloalto_panos.shape import (
    DEFAULTS,
    LISTED,
    TAG,
    Tree,
    group_name,
    is_listed,
    normal,
    part_of,
    started,
    tree_of,
)

LINE: Final = 400
"""Characters of a line at most: at 500 the terminal breaks it up and repaints it."""
_FREE: Final = ("description", "comments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A change as lines, in blocks: the lines of one block do not depend on each other."""

    blocks: tuple[tuple[str, ...], ...]
    tree: Tree
    """What of ours stands on the firewall afterwards."""

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(line for block in self.blocks for line in block)


VALIDATE: Final = "validate full"


def lock_line(kind: str, snapshot: str) -> str:
    """``kind``: `config` or `commit`."""
    return f'request {kind}-lock add comment "tokgate {snapshot}"'


def unlock_line(kind: str) -> str:
    return f"request {kind}-lock remove"


def commit_line(login: str, snapshot: str) -> str:
    """A commit of what one administrator did, and of nobody else's."""
    return f'commit partial admin {login} description "tokgate {snapshot}"'


def typed_lines(lines: Sequence[str], *, login: str, snapshot: str) -> Iterator[str]:
    """One commit from the locks to giving them back, as it is typed when all goes well."""
    yield from (lock_line(kind, snapshot) for kind in ("config", "commit"))
    yield from ("configure", *lines, VALIDATE, commit_line(login, snapshot), "exit")
    yield from (unlock_line(kind) for kind in ("commit", "config"))


def render_lines(
    current: Observed, plan: Plan, mark: Mark, options: PaloAltoPanosOptions, *, bridge: bool = False
) -> Lines:
    """Everything between `configure` and `commit`. Raises ``Refused`` when our rules have no place to stand.

    ``bridge``: groups that are pulled from now on stay beside their lists, which are empty until they are loaded.
    """
    held = Tree.loads(current.extra.get("held", ""))
    order = json.loads(current.extra.get("order", "[]"))
    desired = plan.desired
    pulled = lists.lists_of(desired.groups, desired.rules, options, lists.room_of(current))
    wanted = tree_of(desired.groups, desired.rules, desired.owner, mark_text(mark), options, held, pulled)
    if bridge:
        networks = lists.fed_of(desired.groups, desired.rules, options, lists.room_of(current))
        wanted = bridged(wanted, held, networks)
    scope = f"vsys {options.vsys} " if current.extra.get("multi_vsys") else ""
    blocks = tuple(block for block in _Writer(held, wanted, scope).blocks(order, options) if block)
    return Lines(blocks=blocks, tree=wanted)


def after(current: Observed, lines: Lines, options: PaloAltoPanosOptions) -> Observed:
    """What the renderer needs to know of the firewall once these lines are in force."""
    ours, order = list(lines.tree.rules), json.loads(current.extra.get("order", "[]"))
    every = [*order, *(name for name in ours if name not in order)]
    extra = {"held": lines.tree.dumps(), "order": json.dumps(placed(every, ours, options.placement))}
    return replace(current, extra={**current.extra, **extra})


def moves_to_lists(current: Observed, plan: Plan, options: PaloAltoPanosOptions) -> bool:
    """Whether a group that is enforced by its objects is pulled after the change."""
    held = Tree.loads(current.extra.get("held", ""))
    pulled = lists.fed_of(plan.desired.groups, plan.desired.rules, options, lists.room_of(current))
    return any(group_name(name) in held.groups for name in pulled)


def bridged(wanted: Tree, held: Tree, pulled: frozenset[GroupName]) -> Tree:
    """``wanted``, with the groups that it replaces by lists still in place, in full and in every rule that has them."""
    tops = {group_name(name) for name in pulled} & held.groups.keys()
    kept = {n: attrs for n, attrs in held.groups.items() if n in tops or part_of(n) in tops}
    members = {m for attrs in kept.values() for m in attrs.get("static", ())}
    objects = {n: attrs for n, attrs in held.addresses.items() if n in members}
    rules = {
        name: {**attrs, "destination": (*attrs["destination"], *(t for t in _old(held, name) if t in tops))}
        for name, attrs in wanted.rules.items()
    }
    return replace(wanted, addresses={**objects, **wanted.addresses}, groups={**kept, **wanted.groups}, rules=rules)


def _old(held: Tree, rule: str) -> tuple[str, ...]:
    return held.rules.get(rule, {}).get("destination", ())


@dataclass(frozen=True, slots=True)
class _Writer:
    """Lines from one tree to another."""

    held: Tree
    wanted: Tree
    scope: str

    def blocks(self, order: Sequence[str], options: PaloAltoPanosOptions) -> Iterator[tuple[str, ...]]:
        comment = self.wanted.tags[TAG]["comments"][0]
        yield tuple(self._tag())
        yield tuple(self._put("addresses", self.wanted.addresses))
        for part in (True, False):  # what is in a group is there before it
            yield tuple(self._put("groups", [n for n in self.wanted.groups if (part_of(n) is not None) == part]))
        yield from (block for block in self._renewed() if block)
        yield tuple(self._put("schedules", [n for n in self.wanted.schedules if n not in self.held.schedules]))
        yield tuple(self._put("lists", self.wanted.lists))
        yield tuple(self._widen_rules())
        yield tuple(self._put("rules", self.wanted.rules))
        yield from ((line,) for line in self._moves(order, options))
        yield tuple(self._gone("rules", (name for name in self.held.rules if name not in self.wanted.rules)))
        for kind in ("rules", "groups"):
            yield tuple(self._shrink(kind))
        for part in (False, True):
            yield tuple(
                self._gone("groups", (n for n in self._gone_from("groups") if (part_of(n) is not None) == part))
            )
        if options.pulls is None:  # else it rests until its rule is back, with the login that a person gave it
            yield tuple(self._gone("lists", self._gone_from("lists")))
        yield tuple(self._gone("schedules", self._gone_from("schedules")))
        yield tuple(self._gone("addresses", self._gone_from("addresses")))
        if self._comment_now() != comment:
            yield (self._line("set", "tags", TAG, f"comments {_text(comment)}"),)

    # --- the mark -------------------------------------------------------------------------------------------------

    def _comment_now(self) -> str:
        return "".join(self.held.tags.get(TAG, {}).get("comments", ()))

    def _tag(self) -> Iterator[str]:
        """The tag is there before anything carries it, and says from the first line on whose it is."""
        if not self._comment_now():
            owner = self.wanted.tags[TAG]["comments"][0].split()[2]
            yield self._line("set", "tags", TAG, f"color color1 comments {_text(started(owner))}")

    # --- additions ------------------------------------------------------------------------------------------------

    def _put(self, kind: str, names: Iterable[str], *, anew: bool = False) -> Iterator[str]:
        wanted, held = getattr(self.wanted, kind), getattr(self.held, kind)
        for name in names:
            yield from self._entry(kind, name, None if anew else held.get(name), wanted[name])

    def _entry(self, kind: str, name: str, held: Attrs | None, wanted: Attrs) -> Iterator[str]:
        if held is None:
            yield from self._new(kind, name, wanted)
            return
        for key in changed(kind, held, wanted):
            values = wanted.get(key, DEFAULTS.get(key, ()) if kind == "rules" else ())
            if is_listed(key):  # what is not wanted goes when all else has come
                values = wanted.get(key, ())
                missing = [v for v in values if v not in held.get(key, ())]
                yield from self._members(kind, name, key, missing)
            elif values:
                yield self._line("set", kind, name, f"{key} {_values(key, values)}")
            else:
                yield self._line("delete", kind, name, key)

    def _new(self, kind: str, name: str, attrs: Attrs) -> Iterator[str]:
        """A new entry on as few lines as fit, its references first: without them it would not be whole."""
        line = ""
        for key, values in attrs.items():
            chunks = list(_chunks(values)) if is_listed(key) else [values]
            for chunk in chunks:
                more = f"{key} {_values(key, chunk)}"
                if line and (len(line) + len(more) >= LINE or key == "static" or kind in ("lists", "schedules")):
                    yield self._line("set", kind, name, line)
                    line = ""
                line = f"{line} {more}" if line else more
        yield self._line("set", kind, name, line)

    def _members(self, kind: str, name: str, key: str, members: Sequence[str]) -> Iterator[str]:
        for chunk in _chunks(members):
            yield self._line("set", kind, name, f"{key} {_values(key, chunk)}")

    # --- schedules ------------------------------------------------------------------------------------------------

    def _changed_schedules(self) -> list[str]:
        both = self.wanted.schedules.keys() & self.held.schedules.keys()
        return sorted(n for n in both if changed("schedules", self.held.schedules[n], self.wanted.schedules[n]))

    def _renewed(self) -> Iterator[tuple[str, ...]]:
        """A schedule that somebody edited goes and comes back; until then its rules hold at all times."""
        edited = self._changed_schedules()
        rules = [name for name, attrs in self.held.rules.items() if set(attrs.get("schedule", ())) & set(edited)]
        yield tuple(self._line("delete", "rules", name, "schedule") for name in rules)
        yield tuple(self._gone("schedules", edited))
        yield tuple(self._put("schedules", edited, anew=True))
        yield tuple(
            self._line("set", "rules", name, f"schedule {quoted(self.held.rules[name]['schedule'][0])}")
            for name in rules
        )

    # --- rules ----------------------------------------------------------------------------------------------------

    def _widen_rules(self) -> Iterator[str]:
        """`any` stands in no list with others: it goes before they come, and they go before it comes."""
        for name, held in self.held.rules.items():
            wanted = self.wanted.rules.get(name)
            for key in sorted(LISTED & held.keys()) if wanted else ():
                before, after = held[key], wanted[key] if wanted and key in wanted else ()
                if set(before) != set(after) and "any" in (*before, *after) and (after or DEFAULTS.get(key) != before):
                    gone = [value for value in before if value not in after]
                    yield from (self._line("delete", "rules", name, f"{key} {quoted(value)}") for value in gone)

    def _moves(self, order: Sequence[str], options: PaloAltoPanosOptions) -> Iterator[str]:
        ours = list(self.wanted.rules)
        new = [name for name in ours if name not in order]
        for name, where in moves([*order, *new], ours, options.placement) if ours else ():
            yield f"move {self.scope}{PATHS['rules']} {quoted(name)} {where}"

    # --- removals -------------------------------------------------------------------------------------------------

    def _shrink(self, kind: str) -> Iterator[str]:
        wanted, held = getattr(self.wanted, kind), getattr(self.held, kind)
        for name in wanted:
            before = normal(kind, held.get(name, {}))
            for key in sorted(LISTED & before.keys()):
                after = wanted[name].get(key, ())
                if "any" in (*before[key], *after):
                    continue  # done before
                if not after:
                    yield self._line("delete", kind, name, key)
                    continue
                gone = [value for value in before[key] if value not in after]
                yield from (self._line("delete", kind, name, f"{key} {quoted(value)}") for value in gone)

    def _gone_from(self, kind: str) -> list[str]:
        wanted, held = getattr(self.wanted, kind), getattr(self.held, kind)
        return sorted(held.keys() - wanted.keys())

    def _gone(self, kind: str, names: Iterable[str]) -> Iterator[str]:
        yield from (self._line("delete", kind, name, "") for name in names)

    def _line(self, verb: str, kind: str, name: str, rest: str) -> str:
        return f"{verb} {self.scope}{PATHS[kind]} {quoted(name)} {rest}".rstrip()


def _chunks(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """As many to a line as fit."""
    chunk: list[str] = []
    length = 0
    for value in values:
        if chunk and length + len(value) + 3 > LINE - 120:
            yield tuple(chunk)
            chunk, length = [], 0
        chunk.append(value)
        length += len(value) + 3
    if chunk:
        yield tuple(chunk)


def _values(key: str, values: Sequence[str]) -> str:
    if key in _FREE or key.endswith("description"):
        return _text(values[0])
    words = [quoted(value) for value in values]
    return words[0] if len(words) == 1 else f"[ {' '.join(words)} ]"


def _text(text: str) -> str:
    """A description of ours: our own alphabet, never a quote or a line end."""
    return f'"{text}"'
