"""From the objects that a FortiGate holds to those that it should hold, as lines to send. Pure.

Stages, with a barrier between them: nothing refers to what may still be refused. Every prefix denies at least what both
ends deny, so the same order serves a transaction, a device without one, and the way back.

1. addresses that are missing or changed; 2. members into parts, parts into groups, schedules; 3. policies, with old and
new references, and at all times where theirs change, at their place; 4. policies in their final form, and those that
go; 5. members out; 6. groups, addresses and schedules that nothing refers to any more; 7. the mark.

`set` replaces a list, `append` adds to one and `unselect` takes from one (FortiOS CLI reference).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vendors.diff import mark_of
from vendors.errors import CapacityExceeded, Refused
from vendors.fortinet_fortios import managed, names
from vendors.fortinet_fortios.facts import ADDRESS, FEED, GROUP, RECURRING, WEEKS
from vendors.fortinet_fortios.feed import Room, fed_groups, feed_lists, why_unfit
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.parse import form_from
from vendors.fortinet_fortios.placement import moves
from vendors.fortinet_fortios.schedules import ALWAYS
from vendors.fortinet_fortios.shape import FAMILIES, REFERENCES, Held, Nesting, Objects
from vendors.fortinet_fortios.syntax import Attrs, quoted
from vendors.model import Desired, FeedList, GroupName, Observed, Plan

LONGEST_LINE: Final = 400
"""Characters. The echo of a longer line may come back wrapped, and is then not found."""

_BARE: Final = frozenset(
    {"action", "status", "logtraffic", "send-deny-packet", "type", "subnet", "ip6", "start", "end", "day"}
)
"""Fields whose values are words and numbers, typed as they are printed: without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines inside one `config` … `end`. ``together``: no entry depends on another, so all may be in flight at once."""

    path: str
    lines: tuple[str, ...]
    together: bool

    def text(self) -> str:
        return "".join(f"{line}\n" for line in (f"config {self.path}", *self.lines, "end"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rendered change. Empty blocks are left out."""

    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        return "".join(block.text() for block in self.blocks)

    @property
    def parts(self) -> tuple[Change, ...]:
        """What tells the device which lists it should have, then what relies on their being loaded."""
        told = tuple(block for block in self.blocks if block.path == FEED)
        rest = tuple(block for block in self.blocks if block.path != FEED)
        return tuple(Change(blocks=blocks) for blocks in (told, rest) if blocks)


def render_change(current: Observed, plan: Plan, options: FortinetFortiosOptions) -> Change:
    """The change that takes the device to ``plan.desired``.

    Raises ``Refused`` when the anchor of our policies is not there, ``CapacityExceeded`` when it cannot hold all of it.
    """
    if options.managed is not None:
        return Change(blocks=())
    held = Held.loads(current.extra["held"])
    form = form_from(options, current)
    fed = fed_of(plan, current, options)
    wanted = form.shape(plan.desired.groups, plan.desired.rules, mark_of(plan.desired), held, fed)
    _refuse_overflow(wanted, room_of(current).objects)
    return change_between(held, wanted, options)


def fed_of(plan: Plan, current: Observed, options: FortinetFortiosOptions) -> frozenset[GroupName]:
    """The lists of a plan that this device pulls. Raises ``Refused`` when it has no fit resource for one."""
    if current.extra["feeds"] != "True":
        return frozenset()
    fed = fed_groups(plan.desired.groups, plan.desired.rules, options, room_of(current))
    known = json.loads(current.extra["pulled"])
    for name in sorted(fed):
        why = known[name][0] if name in known else why_unfit(name, None, options)
        if why is not None:
            raise Refused(f"{why}; nothing was sent", hint="see feeds in docs/vendors/fortinet_fortios.md")
    return fed


def room_of(current: Observed) -> Room:
    """How much of ours the firewall takes as objects, by its reading."""
    return Room(objects=int(current.extra["room"]), members=Nesting(int(current.extra["group_members"])).most)


def lists_of(current: Observed, desired: Desired, options: FortinetFortiosOptions) -> tuple[FeedList, ...]:
    """What the firewall, as read, pulls to hold ``desired``."""
    lists = feed_lists(desired, options, room_of(current)) if current.extra["feeds"] == "True" else ()
    return lists if options.managed is None else managed.marked(lists, desired)


def _refuse_overflow(wanted: Objects, limit: int) -> None:
    for path in ADDRESS.values():
        count = len(wanted.table(path))
        if count > limit:
            raise CapacityExceeded(f"{count} objects in {path}, this device takes {limit} of ours; nothing was sent")


def change_between(held: Held, wanted: Objects, options: FortinetFortiosOptions) -> Change:
    """The lines from one set of our objects to another: to what is desired, and back to what was.

    Raises ``Refused`` when the anchor of our policies is not there.
    """
    writer = _Writer(held=held, wanted=wanted, options=options)
    return Change(blocks=tuple(block for block in writer.blocks() if block.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    held: Held
    wanted: Objects
    options: FortinetFortiosOptions

    def blocks(self) -> Iterator[Block]:
        yield self._lists()
        yield from (self._addresses(ADDRESS[version]) for version in FAMILIES)
        for version in FAMILIES:
            yield from self._growing(GROUP[version])
        yield from (self._addresses(path) for path in (RECURRING, WEEKS))
        for path in self.wanted.policies:
            yield self._tightened(path)
            yield self._moved(path)
        for path in self.wanted.policies:
            yield self._final(path)
        for version in FAMILIES:
            yield from self._shrinking(GROUP[version])
        for path in (*ADDRESS.values(), WEEKS, RECURRING):
            yield self._deleted(path, self._gone(path))
        yield self._mark()

    def _lists(self) -> Block:
        """Which list each external resource should have loaded; being edited, it is fetched."""
        now = self.held.objects.table(FEED)
        lines: list[str] = []
        for name, attrs in self.wanted.table(FEED).items():
            lines += _edited(quoted(name), _fields(now.get(name), attrs))
        return Block(path=FEED, lines=tuple(lines), together=False)

    # --- addresses ------------------------------------------------------------------------------------------------

    def _addresses(self, path: str) -> Block:
        lines: list[str] = []
        for name, attrs in self.wanted.table(path).items():
            if name != names.MARK_OBJECT:
                lines += _edited(quoted(name), _fields(self.held.objects.table(path).get(name), attrs))
        return Block(path=path, lines=tuple(lines), together=True)

    def _mark(self) -> Block:
        path = ADDRESS[4]
        now, wanted = (side.table(path).get(names.MARK_OBJECT) for side in (self.held.objects, self.wanted))
        if wanted is None:  # on the way back to a device without a mark
            gone = (names.MARK_OBJECT,) if now is not None else ()
            return self._deleted(path, gone)
        lines = _edited(quoted(names.MARK_OBJECT), _fields(now, wanted))
        return Block(path=path, lines=tuple(lines), together=True)

    def _gone(self, path: str) -> Sequence[str]:
        """What is not wanted any more and nobody else refers to."""
        wanted = self.wanted.table(path)
        return [
            name
            for name in self.held.objects.table(path)
            if name not in wanted and name != names.MARK_OBJECT and (path, name) not in self.held.shared
        ]

    @staticmethod
    def _deleted(path: str, gone: Iterable[str]) -> Block:
        return Block(path=path, lines=tuple(f"delete {quoted(name)}" for name in gone), together=True)

    # --- groups ---------------------------------------------------------------------------------------------------

    def _growing(self, path: str) -> Iterator[Block]:
        """Parts before the groups that refer to them."""
        parts, groups = _parted(self.wanted.table(path))
        for some in (parts, groups):
            lines: list[str] = []
            for name in some:
                lines += self._grown(path, name)
            yield Block(path=path, lines=tuple(lines), together=True)

    def _grown(self, path: str, name: str) -> list[str]:
        now, wanted = self.held.objects.table(path).get(name), self.wanted.table(path)[name]
        new = _without(wanted.get("member", ()), now.get("member", ()) if now else ())
        members = _listed("append" if now and now.get("member") else "set", "member", new)
        return _edited(quoted(name), [*members, *_fields(_less(now, "member"), _less(wanted, "member") or {})])

    def _shrinking(self, path: str) -> Iterator[Block]:
        """Out of the groups first, then out of their parts; then what is empty or unused goes, groups first."""
        now, wanted = self.held.objects.table(path), self.wanted.table(path)
        parts, groups = _parted(now)
        for some in (groups, parts):
            lines: list[str] = []
            for name in some:
                if name in wanted:
                    old = _without(now[name].get("member", ()), wanted[name].get("member", ()))
                    lines += _edited(quoted(name), [f"unselect member {quoted(member)}" for member in old])
            yield Block(path=path, lines=tuple(lines), together=True)
        gone = set(self._gone(path))
        for some in (groups, parts):
            yield self._deleted(path, [name for name in some if name in gone])

    # --- policies -------------------------------------------------------------------------------------------------

    def _now(self, path: str) -> Mapping[int, Attrs]:
        return {policy.id: policy.attrs for policy in self.held.objects.policies.get(path, ())}

    def _tightened(self, path: str) -> Block:
        """New policies, and changed ones with what they refer to now and then."""
        now = self._now(path)
        lines: list[str] = []
        for policy in self.wanted.policies[path]:
            before = now.get(policy.id)
            fields = _fields(before, _both(policy.attrs, before))
            if before is None:
                fields = ["set action deny", *fields]  # the default, and not left to it: nothing of ours ever permits
            lines += _edited(str(policy.id), fields)
        return Block(path=path, lines=tuple(lines), together=False)

    def _moved(self, path: str) -> Block:
        """Raises ``Refused`` without the policy that ours stand at."""
        wanted = [policy.id for policy in self.wanted.policies[path]]
        found = moves(self.held.order.get(path, ()), wanted, self.options.placement, self.held.named.get(path, {}))
        if isinstance(found, str):
            raise Refused(f"{found}; nothing was sent", hint="see `placement` in the device's options")
        return Block(path=path, lines=tuple(move.line() for move in found), together=False)

    def _final(self, path: str) -> Block:
        now = self._now(path)
        lines: list[str] = []
        for policy in self.wanted.policies[path]:
            before = now.get(policy.id)
            if before is not None:
                lines += _edited(str(policy.id), _fields(_both(policy.attrs, before), policy.attrs))
        kept = {policy.id for policy in self.wanted.policies[path]}
        lines += [f"delete {number}" for number in now if number not in kept]
        return Block(path=path, lines=tuple(lines), together=False)


def _both(wanted: Attrs, before: Attrs | None) -> Attrs:
    """The wanted policy over what it refers to and what it referred to; at all times where it changes when it holds."""
    if before is None:
        return wanted
    both = {
        key: _joined(values, before.get(key, ())) if key in REFERENCES else values for key, values in wanted.items()
    }
    if before.get("schedule") != wanted["schedule"]:
        both["schedule"] = (ALWAYS,)
    return both


def _joined(values: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    return before if "all" in before else (*values, *_without(before, values))


def _parted(table: Mapping[str, Attrs]) -> tuple[list[str], list[str]]:
    """(parts of groups, groups)."""
    parts = [name for name in table if names.is_part(name)]
    return parts, [name for name in table if not names.is_part(name)]


def _edited(name: str, fields: Sequence[str]) -> list[str]:
    return [f"edit {name}", *fields, "next"] if fields else []


_WITHOUT: Final = {"action": "set action deny", "status": "set status enable"}
"""What is typed for a field that should have its default, where that is plainer than `unset`."""
_OF_ANY_TYPE: Final = frozenset({"comment", "color", "visibility", "associated-interface", "allow-routing"})


def _fields(now: Attrs | None, wanted: Attrs) -> list[str]:
    """What to type inside an entry: first what goes, then what comes."""
    old = now or {}
    if now is not None and old.get("type") != wanted.get("type"):
        return _retyped(old, wanted)
    gone = [_WITHOUT.get(key, f"unset {key}") for key in old if key not in wanted and not key.startswith("config ")]
    new = sorted((key for key, values in wanted.items() if old.get(key) != values), key=lambda key: key != "type")
    return [*gone, *(line for key in new for line in _listed("set", key, wanted[key]))]


def _retyped(old: Attrs, wanted: Attrs) -> list[str]:
    """A new type drops the fields of the old one by itself, so these are not named."""
    kind = wanted.get("type", ("ipprefix" if "ip6" in wanted else "ipmask",))
    gone = [f"unset {key}" for key in old if key in _OF_ANY_TYPE and key not in wanted]
    kept = {key: values for key, values in old.items() if key in _OF_ANY_TYPE}
    new = [key for key, values in wanted.items() if key != "type" and kept.get(key) != values]
    return [f"set type {kind[0]}", *gone, *(line for key in new for line in _listed("set", key, wanted[key]))]


def _listed(verb: str, key: str, values: Sequence[str]) -> list[str]:
    """One field as lines of bearable length; behind the first one the rest is appended."""
    lines: list[str] = []
    part: list[str] = []
    length = 0
    for value in values:
        word = value if key in _BARE else quoted(value)
        if part and length + len(word) > LONGEST_LINE:
            lines.append(f"{verb if not lines else 'append'} {key} {' '.join(part)}")
            part, length = [], 0
        part.append(word)
        length += len(word) + 1
    if part:
        lines.append(f"{verb if not lines else 'append'} {key} {' '.join(part)}")
    return lines


def _less(attrs: Attrs | None, key: str) -> Attrs | None:
    return None if attrs is None else {name: values for name, values in attrs.items() if name != key}


def _without(values: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    known = set(others)
    return tuple(value for value in values if value not in known)


__all__ = ["Block", "Change", "change_between", "render_change"]
