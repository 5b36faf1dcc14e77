"""The difference between what a device holds and what it should hold, as the smallest change in a safe order.

Called by planning, and by adapters to find the way back. Pure: no clock, no I/O. Names bind meaning here as on the
device: a group's name fixes its kind, a rule's name fixes its sources (``deny-company`` is about ``src-company``).

The order, so that every prefix of the steps blocks at least what both ends block (I4, I5):

1. create groups (nobody refers to them yet);
2. narrow: take away permits that go, shrink what only permits refer to;
3. tighten: add members to lists that denies refer to, then put the denies, with old and new destinations;
4. loosen: remove members from those lists, bring the denies to their final form, remove the denies that go;
5. permit: grow what only permits refer to, then put the permits;
6. delete groups that nobody refers to any more.

A *permit* is every rule that is not a deny: SPARE, EXEMPT and MONITOR end the evaluation before a deny below them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.net import DomainName, Network
from vendors import week
from vendors.codec import desired_digest
from vendors.errors import CapacityExceeded
from vendors.exempting import without_exempts
from vendors.model import (
    WHOLE,
    Action,
    AddMembers,
    AddressGroup,
    Capabilities,
    CreateGroup,
    Degraded,
    DeleteGroup,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Mark,
    Observed,
    Plan,
    PutRule,
    Remark,
    RemoveMembers,
    RemoveRule,
    Repair,
    Rule,
    RuleName,
    Step,
)

_NOTHING: Final[frozenset[Network]] = frozenset()


def diff(current: Observed, desired: Desired, can: Capabilities) -> Plan:
    """The smallest ordered change that takes ``current`` to ``desired``, as far as the device can go.

    What ``can`` rules out stands in ``plan.degraded``, never dropped in silence; ``plan.desired`` is what remains.

    Raises:
        CapacityExceeded: more members than the device takes. A shorter list would be a silent hole, so nothing is sent.
    """
    wanted, degraded = degrade(desired, can)
    _refuse_overflow(wanted, can)
    change = _Change(
        old={group.name: group for group in current.groups},
        new={group.name: group for group in wanted.groups},
        old_rules=current.rules,
        new_rules=wanted.rules,
    )
    steps: list[Step] = [Repair(reasons=current.irregular)] if current.irregular else []
    steps += change.steps()
    mark = mark_of(wanted)
    if not steps and current.mark != mark:
        steps.append(Remark(mark=mark))
    return Plan(steps=tuple(steps), degraded=degraded, desired=wanted)


def mark_of(desired: Desired) -> Mark:
    """The mark a device carries once it holds ``desired``."""
    return Mark(owner=desired.owner, snapshot=desired.snapshot, desired=desired_digest(desired))


# --- what the device can do -----------------------------------------------------------------------------------------


def degrade(desired: Desired, can: Capabilities) -> tuple[Desired, tuple[Degraded, ...]]:
    """What of ``desired`` the device can hold, and what it cannot, said aloud. Nothing is widened by it."""
    lost: list[Degraded] = []
    if not can.exempt:
        desired = _exempting(desired, lost)
    groups = [_fitting(group, can, lost) for group in desired.groups]
    if desired.rules and not can.persistence:
        lost.append(
            Degraded(capability="persistence", message=_because("the rules over a reboot are", can, "persistence"))
        )
    kept = {group.name: group for group in groups if group.members}
    judged = (_refer(rule, kept) for rule in desired.rules if _can_act(rule, can, lost))
    rules = tuple(rule for rule in judged if rule is not None)
    # a list without its rule is no use; but what is only watched now may be denied in an hour, and back is a small step
    asked = {n for rule in desired.rules for n in _groups_of(rule)}
    watched = {n for rule in desired.rules if rule.action is Action.MONITOR for n in rule.destinations}
    idle = asked - watched - {n for rule in rules for n in _groups_of(rule)}
    groups_left = tuple(kept[name] for name in sorted(kept) if name not in idle)
    return replace(desired, groups=groups_left, rules=rules), tuple(lost)


def _exempting(desired: Desired, lost: list[Degraded]) -> Desired:
    """Exceptions as holes in the denies, where the device knows no other: they hold, and nobody counts their use."""
    count = sum(rule.action is Action.EXEMPT for rule in desired.rules)
    if count:
        what = (
            f"{count} exception{'s hold' if count > 1 else ' holds'}, by taking sources out of the denies: their use is"
        )
        lost.append(Degraded(capability="exempt", message=f"{what} not counted by this device", is_gap=False))
    return without_exempts(desired)


def _fitting(group: Group, can: Capabilities, lost: list[Degraded]) -> Group:
    match group:
        case AddressGroup():
            return _fitting_addresses(group, can, lost)
        case DomainGroup():
            return _fitting_domains(group, can, lost)


def _fitting_addresses(group: AddressGroup, can: Capabilities, lost: list[Degraded]) -> AddressGroup:
    kept = group.members if can.ipv6 else frozenset(n for n in group.members if n.version == 4)
    if missing := len(group.members) - len(kept):
        lost.append(
            Degraded(capability="ipv6", message=_because(f"{group.name}: {missing} IPv6 networks", can, "ipv6"))
        )
    return replace(group, members=kept)


def _fitting_domains(group: DomainGroup, can: Capabilities, lost: list[Degraded]) -> DomainGroup:
    if not can.fqdn:
        what = f"{group.name}: {len(group.members)} domains"
        lost.append(Degraded(capability="domains", message=_because(what, can, "domains")))
        return replace(group, members=frozenset())
    exact = len(group.members) - len(wide := [d for d in group.members if d.suffix])
    if exact and any(note.startswith("exact-domains:") for note in can.notes):
        what = f"{group.name}: {exact} names that are meant alone, without what may be below them,"
        message = _because(what, can, "exact-domains")
        lost.append(Degraded(capability="exact-domains", message=message, is_gap=False))
    if not wide:
        return group
    if can.wildcard_fqdn:
        limits = _reasons(can, "wildcard-domains")
        return _held_so_far(group, limits, lost) if limits else group
    what = f"{group.name}: {len(wide)} domains only as exact names, without what is below them"
    lost.append(Degraded(capability="wildcard-domains", message=_because(what, can, "wildcard-domains")))
    return replace(group, members=frozenset(DomainName(d.name, suffix=False) for d in group.members))


def _held_so_far(group: DomainGroup, limits: list[str], lost: list[Degraded]) -> DomainGroup:
    """As by a list that cannot tell a name alone from the same name with all below it."""
    wide = {member.name for member in group.members if member.suffix}
    message = f"{group.name}: what is below {len(wide)} domains is held for {'; '.join(limits)}"
    lost.append(Degraded(capability="wildcard-domains", message=message, is_gap=False))
    return replace(group, members=frozenset(m for m in group.members if m.suffix or m.name not in wide))


def _because(what: str, can: Capabilities, capability: str) -> str:
    reasons = _reasons(can, capability)
    return f"{what} not held by this device" + (f": {'; '.join(reasons)}" if reasons else "")


def _reasons(can: Capabilities, capability: str) -> list[str]:
    return [note.partition(":")[2].strip() for note in can.notes if note.startswith(f"{capability}:")]


def _can_act(rule: Rule, can: Capabilities, lost: list[Degraded]) -> bool:
    if rule.action is Action.SPARE and not can.spare:
        what = f"{rule.name}: letting pass, above the denies, what a live answer names and is never blocked is"
        lost.append(Degraded(capability="spare", message=_because(what, can, "spare"), is_gap=can.fqdn))
        return False
    if rule.action is not Action.MONITOR or can.monitor:
        return True
    lost.append(Degraded(capability="monitor", message=_because(f"{rule.name}: only watching is", can, "monitor")))
    return False


def _refer(rule: Rule, groups: Mapping[GroupName, Group]) -> Rule | None:
    """The rule over the groups that are left; None when it can no longer match anything."""
    destinations = tuple(name for name in rule.destinations if name in groups)
    if not destinations or (rule.sources is not None and rule.sources not in groups):
        return None
    return replace(rule, destinations=destinations)


def _refuse_overflow(desired: Desired, can: Capabilities) -> None:
    sizes = {group.name: len(group.members) for group in desired.groups}
    total = sum(map(can.entries, desired.groups))
    for name, size in sizes.items():
        if can.max_members is not None and size > can.max_members:
            raise CapacityExceeded(
                f"{name} has {size} members, this device takes {can.max_members} in one group; nothing was sent",
                hint="use a shorter list on this device, or a larger device",
            )
    if can.max_entries is not None and total > can.max_entries:
        raise CapacityExceeded(
            f"{total} members in all groups, this device takes {can.max_entries}; nothing was sent",
            hint="; ".join(["use a shorter list on this device, or a larger device", *_whole(can)]),
        )


def _whole(can: Capabilities) -> Iterator[str]:
    yield from (note.removeprefix(WHOLE).strip() for note in can.notes if note.startswith(WHOLE))


# --- the change -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Both ends of a change, and the questions the order depends on."""

    old: Mapping[GroupName, Group]
    new: Mapping[GroupName, Group]
    old_rules: Sequence[Rule]
    new_rules: Sequence[Rule]

    def steps(self) -> Iterator[Step]:
        permits_only = self._permits_only()
        kept = self._kept_permits(permits_only)
        shared = sorted(self.old.keys() & self.new.keys())
        yield from (CreateGroup(group=self.new[name]) for name in sorted(self.new.keys() - self.old.keys()))
        yield from self._narrow(shared, permits_only, kept)
        yield from self._tighten(shared, permits_only, kept)
        yield from self._loosen(shared, permits_only)
        yield from self._permit(shared, permits_only, kept)
        yield from (DeleteGroup(group=name) for name in sorted(self.old.keys() - self.new.keys()))

    # --- the six moves ----------------------------------------------------------------------------------------------

    def _narrow(self, shared: Iterable[GroupName], only: frozenset[GroupName], kept: set[RuleName]) -> Iterator[Step]:
        yield from (
            RemoveRule(rule=r.name) for r in self.old_rules if r.action is not Action.DENY and r.name not in kept
        )
        yield from self._removals(name for name in shared if name in only)

    def _tighten(self, shared: Iterable[GroupName], only: frozenset[GroupName], kept: set[RuleName]) -> Iterator[Step]:
        yield from self._additions(self._denied_first(name for name in shared if name not in only))
        before = {rule.name: rule for rule in self.old_rules if rule.action is Action.DENY}
        stable = self._stable()
        after: RuleName | None = None
        for rule in self.new_rules:
            if rule.action is Action.DENY:
                both = _union(rule, before.get(rule.name))
                if rule.name not in stable or both != before[rule.name]:
                    yield PutRule(rule=both, after=after)
            if rule.action is Action.DENY or rule.name in kept:
                after = rule.name

    def _loosen(self, shared: Iterable[GroupName], only: frozenset[GroupName]) -> Iterator[Step]:
        yield from self._removals(reversed(self._denied_first(name for name in shared if name not in only)))
        before = {rule.name: rule for rule in self.old_rules if rule.action is Action.DENY}
        wanted = {rule.name for rule in self.new_rules if rule.action is Action.DENY}
        for rule in self.new_rules:
            if rule.action is Action.DENY and _union(rule, before.get(rule.name)) != rule:
                yield PutRule(rule=rule, after=self._after(rule, wanted))
        yield from (RemoveRule(rule=name) for name in before if name not in wanted)

    def _permit(self, shared: Iterable[GroupName], only: frozenset[GroupName], kept: set[RuleName]) -> Iterator[Step]:
        yield from self._additions(name for name in shared if name in only)
        after: RuleName | None = None
        for rule in self.new_rules:
            if rule.action is not Action.DENY and rule.name not in kept:
                yield PutRule(rule=rule, after=after)
            after = rule.name

    # --- members ----------------------------------------------------------------------------------------------------

    def _additions(self, names: Iterable[GroupName]) -> Iterator[Step]:
        for name in names:
            networks, domains = _surplus(self.new[name], self.old[name])
            if networks or domains:
                yield AddMembers(group=name, networks=networks, domains=domains)

    def _removals(self, names: Iterable[GroupName]) -> Iterator[Step]:
        for name in names:
            networks, domains = _surplus(self.old[name], self.new[name])
            if networks or domains:
                yield RemoveMembers(group=name, networks=networks, domains=domains)

    def _denied_first(self, names: Iterable[GroupName]) -> list[GroupName]:
        """Groups that only denies refer to, before those that permits refer to as well."""
        permitted = {name for rule in self._all_rules() if rule.action is not Action.DENY for name in _groups_of(rule)}
        return sorted(names, key=lambda name: (name in permitted, name))

    # --- which permits may stay while the rest changes ----------------------------------------------------------------

    def _all_rules(self) -> tuple[Rule, ...]:
        return (*self.old_rules, *self.new_rules)

    def _permits_only(self) -> frozenset[GroupName]:
        """Groups that permits refer to at either end and denies at neither."""
        denied = {name for rule in self._all_rules() if rule.action is Action.DENY for name in _groups_of(rule)}
        return frozenset(name for rule in self._all_rules() for name in _groups_of(rule) if name not in denied)

    def _stable(self) -> set[RuleName]:
        """Rules that keep their place: the longest run of rules, the same at both ends, whose order does not change."""
        place = {rule.name: (index, rule.action) for index, rule in enumerate(self.old_rules)}
        common = [
            (place[rule.name][0], rule.name)
            for rule in self.new_rules
            if rule.name in place and place[rule.name][1] is rule.action
        ]
        return {name for _, name in _longest_rising(common)}

    def _kept_permits(self, only: frozenset[GroupName]) -> set[RuleName]:
        """Permits that stay all the way. The others go first and come back last, which is always safe."""
        before = {rule.name: rule for rule in self.old_rules}
        stable = self._stable()
        return {
            rule.name
            for rule in self.new_rules
            if rule.action is not Action.DENY
            and rule.name in stable
            and before[rule.name] == rule
            and self._never_empties(rule, only)
            and self._is_safe_under(rule, only)
        }

    def _never_empties(self, rule: Rule, only: frozenset[GroupName]) -> bool:
        """Whether what only permits refer to still has members after shrinking and before growing."""
        return all(self._common(name) for name in _groups_of(rule) if name in only)

    def _common(self, name: GroupName) -> bool:
        old, new = self.old.get(name), self.new.get(name)
        return old is not None and new is not None and bool(set(old.members) & set(new.members))

    def _is_safe_under(self, rule: Rule, only: frozenset[GroupName]) -> bool:
        """Whether every deny above the permit protects it while lists that both refer to grow and shrink."""
        changing = [name for name in _groups_of(rule) if name not in only and self._moves(name)]
        if rule.sources in changing:
            return False
        above_before, above_after = _denies_above(rule, self.old_rules), _denies_above(rule, self.new_rules)
        later = {r.name for r in self.new_rules if r.action is Action.DENY}
        if any(name in later and name not in above_after for name in above_before):
            return False  # a deny that moves below it
        if changing and not _same_times(above_before, above_after):
            return False
        return all(
            set(changing) <= set(above_before[name].destinations) & set(above_after[name].destinations)
            if name in above_before and name in above_after
            else not changing
            for name in above_before.keys() | above_after.keys()
        )

    def _moves(self, name: GroupName) -> bool:
        old, new = self.old.get(name), self.new.get(name)
        return old is None or new is None or old.members != new.members

    def _after(self, rule: Rule, present: set[RuleName]) -> RuleName | None:
        """The nearest rule above that is on the device by then: denies, and permits that were kept."""
        kept = self._kept_permits(self._permits_only())
        above: RuleName | None = None
        for other in self.new_rules:
            if other.name == rule.name:
                return above
            if other.name in present or other.name in kept:
                above = other.name
        return above


def _groups_of(rule: Rule) -> tuple[GroupName, ...]:
    return rule.destinations if rule.sources is None else (rule.sources, *rule.destinations)


def _denies_above(rule: Rule, rules: Sequence[Rule]) -> dict[RuleName, Rule]:
    place = next(index for index, other in enumerate(rules) if other.name == rule.name)
    return {other.name: other for other in rules[:place] if other.action is Action.DENY}


def _same_times(first: Mapping[RuleName, Rule], second: Mapping[RuleName, Rule]) -> bool:
    return all(rule.when == second[name].when for name, rule in first.items() if name in second)


def _union(rule: Rule, before: Rule | None) -> Rule:
    """The rule over old and new destinations, in the new order, old ones last; at all times of either."""
    if before is None:
        return rule
    extra = tuple(name for name in before.destinations if name not in rule.destinations)
    return replace(rule, destinations=(*rule.destinations, *extra), when=week.either(rule.when, before.when))


def _surplus(group: Group, other: Group) -> tuple[frozenset[Network], frozenset[DomainName]]:
    """Members of ``group`` that ``other``, of the same name and so of the same kind, lacks."""
    match group, other:
        case AddressGroup(), AddressGroup():
            return group.members - other.members, frozenset()
        case DomainGroup(), DomainGroup():
            return _NOTHING, group.members - other.members
        case AddressGroup(), _:
            return group.members, frozenset()
        case _:
            return _NOTHING, group.members


def _longest_rising(items: Sequence[tuple[int, RuleName]]) -> list[tuple[int, RuleName]]:
    """The longest subsequence with rising numbers (rules are few: quadratic is fine)."""
    best: list[list[tuple[int, RuleName]]] = []
    for position, item in enumerate(items):
        tails = [best[i] for i in range(position) if items[i][0] < item[0]]
        best.append([*max(tails, key=len, default=[]), item])
    return max(best, key=len, default=[])
