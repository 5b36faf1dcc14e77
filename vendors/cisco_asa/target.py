"""What should stand on the device, and the lines that lead there from what stands there now. Pure.

Every line takes effect at once, so the order is the safety: first everything that only adds (times, objects, groups,
members, entries), then everything that takes away (entries, members, groups, objects, times), the mark last. All our
rules are denies,
so every state in between blocks at least what both ends block. From wherever a change was cut short, the same lines
lead on to the new state, or back to the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from core.net import in_order
from vendors.cisco_asa import times
from vendors.cisco_asa.config import Entry, Held, HeldGroup, network_of
from vendors.cisco_asa.options import CiscoAsaOptions, ListOptions
from vendors.cisco_asa.places import block_start, is_in_place
from vendors.cisco_asa.shape import (
    COVER,
    MARK_GROUP,
    PREFIX,
    SENTINEL,
    Ace,
    ace_of,
    cover_description,
    first_mark,
    fitting,
    group_description,
    group_name,
    is_writable,
    member_line,
    name_line,
    object_description,
    object_name,
    remark_of,
    rule_of_remark,
)
from vendors.errors import Refused
from vendors.marks import mark_text
from vendors.model import Action, AddressGroup, Desired, DomainGroup, Group, Mark, Rule

How = Literal["stream", "inside", "one by one"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines with a barrier before and behind them.

    ``stream``: they do not depend on each other. ``inside``: the first opens a mode that the others need, and they do
    not depend on each other. ``one by one``: each needs the one before it.
    """

    lines: tuple[str, ...]
    how: How = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What should stand under our names, in the device's own lines. ``entries``: of each access list, in order."""

    objects: Mapping[str, HeldGroup] = field(default_factory=dict)
    groups: Mapping[str, HeldGroup] = field(default_factory=dict)
    ranges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mark: str | None = None


# --- targets --------------------------------------------------------------------------------------------------------


def target_of(desired: Desired, mark: Mark, options: CiscoAsaOptions) -> Target:
    """Raises ``Refused`` for what cannot be written on an ASA; nothing has been sent then."""
    owner = desired.owner
    groups = {group_name(group.name): _held(group, owner) for group in desired.groups}
    domains = {d.name for group in desired.groups if isinstance(group, DomainGroup) for d in group.members}
    if unfit := sorted(name for name in domains if not is_writable(name)):
        raise Refused(f"an FQDN object cannot hold {unfit[0]!r}; nothing was sent", hint="take the name off the list")
    entries = tuple(_entries(desired.rules))
    return Target(
        objects={
            object_name(name): HeldGroup(description=object_description(owner), members=(f"fqdn {name}",))
            for name in sorted(domains)
        },
        groups=groups,
        ranges={times.name_of(rule.when): times.lines_of(rule.when) for rule in desired.rules if rule.when},
        entries={each.acl: entries for each in options.lists},
        mark=mark_text(mark),
    )


def _held(group: Group, owner: str) -> HeldGroup:
    description = group_description(group, owner)
    match group:
        case AddressGroup():
            members: tuple[str, ...] = tuple(member_line(network) for network in in_order(group.members)[0])
        case DomainGroup():
            members = (SENTINEL, *(name_line(domain.name) for domain in sorted(group.members)))
    return HeldGroup(description=description, members=members)


def _entries(rules: Iterable[Rule]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for rule in rules:
        if rule.action is not Action.DENY or rule.sources is None:
            raise Refused(f"{rule.name}: an access list of an ASA takes denies from sources alone; nothing was sent")
        yield remark_of(rule.name)
        for destination in rule.destinations:
            ace = Ace(group_name(rule.sources), group_name(destination))
            if rule.when is not None:
                ace = ace.within(times.name_of(rule.when))
            if ace.pair in seen:  # the device takes no entry twice
                raise Refused(f"{rule.name}: a rule above it denies {destination} to {rule.sources}; nothing was sent")
            seen.add(ace.pair)
            yield ace.text


def target_from(held: Held) -> Target:
    """Back to exactly what stood there."""
    return Target(
        objects=held.objects,
        groups={name: group for name, group in held.groups.items() if name != MARK_GROUP},
        ranges=held.ranges,
        entries={acl: tuple(_plain(e.text) for e in entries if e.is_ours) for acl, entries in held.lists.items()},
        mark=held.mark,
    )


# --- the lines ------------------------------------------------------------------------------------------------------


def lines_between(held: Held, target: Target, options: CiscoAsaOptions, owner: str) -> tuple[Batch, ...]:
    """From one to the other, in a safe order; nothing when there is no difference.

    Raises ``Refused`` when an anchor is missing, or a line of the site holds on to what should go.
    """
    work = _Work(held=held, target=target, owner=owner)
    edits = [_ListEdit.of(acl, held, target, _placing(options, acl)) for acl in _lists(held, target)]
    cover = partial(cover_of, generation=_free_generation(held))
    moved = ((ace.sources, each) for edit in edits for ace, ranges in edit.reseated for each in range(len(ranges)))
    covers = {cover(sources, each): sources for sources, each in sorted(set(moved))}
    batches = [
        *work.ranges(),
        *work.objects(),
        *work.groups(),
        *work.covers(covers),
        *(Batch(tuple(lines), "one by one") for edit in edits if (lines := edit.strengthen(cover))),
        *work.names(),
        *(Batch(tuple(lines), "one by one") for edit in edits if (lines := edit.weaken())),
        *work.shorter_ranges(),
        *work.removals(),
        *work.deletions(covers),
    ]
    begun = work.begin() if batches else ()
    return (*begun, *batches, *work.end(begun=bool(begun)))


def _lists(held: Held, target: Target) -> list[str]:
    return [*target.entries, *(acl for acl in held.lists if acl not in target.entries)]


def _placing(options: CiscoAsaOptions, acl: str) -> ListOptions:
    return next((each for each in options.lists if each.acl == acl), ListOptions(acl=acl))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Everything but the access lists."""

    held: Held
    target: Target
    owner: str

    def begin(self) -> tuple[Batch, ...]:
        """On a device without a mark: first of all whose it is, so that a change that is cut short is known as ours."""
        if self.held.mark or self.target.mark is None:
            return ()
        mark = mark_text(first_mark(self.owner))
        return (Batch((f"object-group network {MARK_GROUP}", f"description {mark}", SENTINEL), "inside"),)

    def ranges(self) -> Iterator[Batch]:
        """New ones, and what somebody took off one of ours; an ``absolute`` end would let it run out."""
        for name, wanted in self.target.ranges.items():
            old = self.held.ranges.get(name, ())
            if old and times.when_in(old) == times.when_in(wanted):
                continue
            added = [line for line in wanted if line not in old]
            ends = [f"no {line}" for line in old if not line.startswith("periodic ") and line not in wanted]
            if added or ends:
                yield Batch((f"time-range {name}", *added, *ends), "inside")

    def shorter_ranges(self) -> Iterator[Batch]:
        """What somebody put into one of ours."""
        for name, wanted in self.target.ranges.items():
            old = self.held.ranges.get(name, ())
            gone = [f"no {line}" for line in old if line.startswith("periodic ") and line not in wanted]
            if gone and times.when_in(old) != times.when_in(wanted):
                yield Batch((f"time-range {name}", *gone), "inside")

    def objects(self) -> Iterator[Batch]:
        """All headers first: a refused one must not leave its value to the object before it."""
        new = [name for name in self.target.objects if name not in self.held.objects]
        if new:
            yield Batch(tuple(f"object network {name}" for name in new))
        written = [
            line
            for name, wanted in self.target.objects.items()
            if self.held.objects.get(name) != wanted
            for line in (f"object network {name}", *wanted.members, *_description(wanted.description))
        ]
        if written:
            yield Batch(tuple(written))

    def groups(self) -> Iterator[Batch]:
        """New groups, and what is added to old ones; names come later."""
        new = [name for name in self.target.groups if name not in self.held.groups]
        if new:
            yield Batch(tuple(f"object-group network {name}" for name in new))
        for name, wanted in self.target.groups.items():
            old = self.held.groups.get(name)
            described = () if old is not None and old.description == wanted.description else (wanted.description,)
            added = [line for line in self._surplus(wanted, old) if not _is_name(line)]
            lines = [*(line for text in described for line in _description(text)), *added]
            if lines:
                yield _inside(name, lines)

    def names(self) -> Iterator[Batch]:
        """A name may want its group to be used by an access list before it joins."""
        for name, wanted in self.target.groups.items():
            added = [line for line in self._surplus(wanted, self.held.groups.get(name)) if _is_name(line)]
            if added:
                yield _inside(name, added)

    def covers(self, covers: Mapping[str, str]) -> Iterator[Batch]:
        for cover, name in covers.items():
            yield _inside(cover, [f"description {cover_description(self.owner)}", f"group-object {name}"])

    def removals(self) -> Iterator[Batch]:
        for name, wanted in self.target.groups.items():
            old = self.held.groups.get(name)
            gone = [] if old is None else self._surplus(old, wanted)
            if gone:
                yield _inside(name, [f"no {line}" for line in gone])

    def deletions(self, covers: Mapping[str, str]) -> Iterator[Batch]:
        wanted = {*self.target.groups, *([MARK_GROUP] if self.target.mark is not None else [])}
        groups = [*covers, *(name for name in self.held.groups if name not in wanted)]
        objects = [name for name in self.held.objects if name not in self.target.objects]
        ranges = [name for name in self.held.ranges if name not in self.target.ranges]
        for name in (*groups, *objects, *ranges):
            if name in self.held.used:
                raise Refused(
                    f"a line of the site refers to {name}, which should go; nothing was sent",
                    hint=f"`show running-config | include {name}` on the device shows it",
                )
        if groups:
            yield Batch(tuple(f"no object-group network {name}" for name in _outer_first(groups, self.held)))
        if objects:
            yield Batch(tuple(f"no object network {name}" for name in objects))
        if ranges:
            yield Batch(tuple(f"no time-range {name}" for name in ranges))

    def end(self, *, begun: bool) -> tuple[Batch, ...]:
        if self.target.mark is None or (self.held.mark == self.target.mark and not begun):
            return ()
        about = self.held.groups.get(MARK_GROUP)
        lines = [f"description {self.target.mark}"]
        if not begun and about is not None and SENTINEL not in about.members:
            lines.append(SENTINEL)
        return (_inside(MARK_GROUP, lines),)

    def _surplus(self, group: HeldGroup, other: HeldGroup | None) -> list[str]:
        """Members of one that the other lacks, as they are printed."""
        known = set() if other is None else {self._key(line) for line in other.members}
        return [line for line in group.members if self._key(line) not in known]

    def _key(self, line: str) -> object:
        found = network_of(line, self.held.aliases)
        return line if found is None else found


def _description(text: str) -> tuple[str, ...]:
    return (f"description {text}",) if text else ("no description",)


def _inside(name: str, lines: Iterable[str]) -> Batch:
    return Batch((f"object-group network {name}", *lines), "inside")


def _is_name(line: str) -> bool:
    return line.startswith("network-object object ")


def _outer_first(groups: Iterable[str], held: Held) -> list[str]:
    """A group inside another can go only after that one."""
    names = list(groups)

    def inside(name: str) -> int:
        words = f"group-object {name}"
        return sum(words in held.groups[other].members for other in names if other in held.groups)

    return sorted(names, key=inside)


def cover_of(sources: str, each: int, *, generation: int) -> str:
    """A group that means the same sources under another name; of several, one for ``each``."""
    return fitting(f"{COVER}{generation + each}.{sources.removeprefix(PREFIX)}")


def _free_generation(held: Held) -> int:
    """What an earlier change left behind is not used again: nobody knows where it stands. All after it are free too."""
    left = (name.removeprefix(COVER).partition(".")[0] for name in held.groups if name.startswith(COVER))
    return max((int(number) for number in left if number.isdecimal()), default=0) + 1


# --- one access list ------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _ListEdit:
    """The lines of one access list, kept up while lines for it are made: their numbers shift with each."""

    acl: str
    options: ListOptions
    now: list[Entry]
    wanted: tuple[str, ...]
    kept: dict[int, Entry]  # what of ``wanted`` stands already, by index; grows as entries are put in
    old: list[Entry]  # ours that go
    reseated: tuple[tuple[Ace, tuple[str, ...]], ...] = ()  # what moves, and the times that it has to be covered in
    stand_ins: list[Entry] = field(default_factory=list)

    @classmethod
    def of(cls, acl: str, held: Held, target: Target, options: ListOptions) -> _ListEdit:
        entries, wanted = held.lists.get(acl, ()), target.entries.get(acl, ())
        stable = _stable(entries, wanted) if is_in_place(entries, options) else {}
        stable = _without_shrunk(stable, entries, wanted)
        kept, stays = {at: entries[index] for at, index in stable.items()}, set(stable.values())
        old = [entry for index, entry in enumerate(entries) if entry.is_ours and index not in stays]
        if entries and not wanted and all(entry.is_ours for entry in entries):
            raise Refused(
                f"access list {acl} holds nothing but our entries: without them the device drops it and its binding; "
                "nothing was sent",
                hint="add an entry of the site's own, such as the `permit ip any any` that it stands for",
            )
        going = {ace.pair: ace for entry in old if (ace := ace_of(entry.text)) is not None}
        coming = (ace_of(text) for at, text in enumerate(wanted) if at not in kept)
        moved = tuple((ace, _covered(going[ace.pair], ace)) for ace in coming if ace is not None and ace.pair in going)
        return cls(acl=acl, options=options, now=list(entries), wanted=wanted, kept=kept, old=old, reseated=moved)

    def strengthen(self, cover: Callable[[str, int], str]) -> list[str]:
        """What is new, and stand-ins for what has to move: the device takes no entry twice."""
        if len(self.kept) == len(self.wanted) and not self.old:
            return []
        lines = self._insert_wanted(skip={ace.pair for ace, _ in self.reseated})
        start = self._start() if self.reseated else 0
        stand_ins = [
            Entry(Ace(cover(ace.sources, each), ace.destination).within(time_range).text)
            for ace, ranges in self.reseated
            for each, time_range in enumerate(ranges)
        ]
        lines += [self._insert(start, entry) for entry in reversed(stand_ins)]
        self.stand_ins = stand_ins
        return lines

    def weaken(self) -> list[str]:
        """What goes, from the bottom up; what moved in its new place; and the stand-ins."""
        lines = [self._remove(entry) for entry in reversed(self.old)]
        lines += self._insert_wanted(skip=set())
        return [*lines, *(self._remove(entry) for entry in reversed(self.stand_ins))]

    def _insert_wanted(self, skip: set[tuple[str, str]]) -> list[str]:
        """Each right behind the wanted one above it, from top to bottom."""
        lines: list[str] = []
        for at, text in enumerate(self.wanted):
            ace = ace_of(text)
            if at in self.kept or (ace is not None and ace.pair in skip):
                continue
            entry = Entry(text)
            lines.append(self._insert(self._place_for(at), entry))
            self.kept[at] = entry
        return lines

    def _place_for(self, at: int) -> int:
        above = [other for other in self.kept if other < at]
        if above:
            return self._index(self.kept[max(above)]) + 1
        below = [other for other in self.kept if other > at]
        return self._index(self.kept[min(below)]) if below else self._start()

    def _start(self) -> int:
        mine = {id(entry) for entry in self.kept.values()}
        first = next((index for index, entry in enumerate(self.now) if id(entry) in mine), None)
        return block_start(self.now, self.options) if first is None else first

    def _index(self, entry: Entry) -> int:
        return next(index for index, other in enumerate(self.now) if other is entry)

    def _insert(self, index: int, entry: Entry) -> str:
        self.now.insert(index, entry)
        return f"access-list {self.acl} line {index + 1} {entry.text}"

    def _remove(self, entry: Entry) -> str:
        index = self._index(entry)
        line = f"line {index + 1} " if sum(other == entry for other in self.now) > 1 else ""
        del self.now[index]
        return f"no access-list {self.acl} {line}{entry.text}"


def _covered(old: Ace, new: Ace) -> tuple[str, ...]:
    """The times of stand-ins that are as strict as both; the device takes no pair twice, so each is one of its own."""
    if not old.is_regular or not (old.time_range and new.time_range):
        return ("",)
    return tuple(dict.fromkeys((old.time_range, new.time_range)))


def _stable(entries: Sequence[Entry], wanted: Sequence[str]) -> dict[int, int]:
    """The longest run of ours that is wanted, in that order: index wanted -> index in the list."""
    ours = [index for index, entry in enumerate(entries) if entry.is_ours]
    texts = [_plain(entries[index].text) for index in ours]
    best: list[list[list[tuple[int, int]]]] = [[[] for _ in range(len(ours) + 1)] for _ in range(len(wanted) + 1)]
    for i, want in enumerate(wanted):
        for j, text in enumerate(texts):
            longer = max(best[i][j + 1], best[i + 1][j], key=len)
            best[i + 1][j + 1] = [*best[i][j], (i, ours[j])] if want == text else longer
    return dict(best[-1][-1])


def _without_shrunk(stable: Mapping[int, int], entries: Sequence[Entry], wanted: Sequence[str]) -> dict[int, int]:
    """Entries of a rule that loses one start to count anew: what is left of a sum would look like a counter reset."""
    new = _pairs_by_rule(wanted)
    old = _pairs_by_rule(entry.text for entry in entries if entry.is_ours)
    shrunk = {pair for rule, pairs in new.items() if old.get(rule, set()) - pairs for pair in pairs}
    return {at: index for at, index in stable.items() if (ace := ace_of(wanted[at])) is None or ace.pair not in shrunk}


def _pairs_by_rule(texts: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    rule = ""
    for text in texts:
        rule = rule_of_remark(text) or rule
        ace = ace_of(text)
        if ace is not None:
            found.setdefault(rule, set()).add(ace.pair)
    return found


def _plain(text: str) -> str:
    """An entry in the form that we write, if it means the same."""
    ace = ace_of(text)
    return ace.plain.text if ace is not None and ace.is_regular else text
