"""The meaning of groups, rules and steps, written a second time and as plainly as possible, to judge the diff by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vendors.model import (
    Action,
    AddMembers,
    AddressGroup,
    Capabilities,
    CreateGroup,
    DeleteGroup,
    Group,
    GroupName,
    PutRule,
    Remark,
    RemoveMembers,
    RemoveRule,
    Repair,
    Rule,
    Step,
    Transaction,
)

Groups = dict[GroupName, Group]

EVERYTHING = Capabilities(
    ipv6=True,
    fqdn=True,
    wildcard_fqdn=True,
    monitor=True,
    schedules=True,
    transaction=Transaction.ATOMIC,
    entry_counters=True,
    source_capture=True,
    session_clearing=True,
    persistence=True,
    feed=False,
    max_members=None,
    max_entries=None,
)
"""A device that can do everything."""


def play_one(groups: Groups, rules: list[Rule], step: Step) -> tuple[Groups, list[Rule]]:
    """What is held after one step. Asserts what no step may do: name a stranger, leave a reference dangling."""
    groups, rules = dict(groups), list(rules)
    match step:
        case CreateGroup():
            assert step.group.name not in groups
            groups[step.group.name] = step.group
        case AddMembers():
            group = groups[step.group]
            assert not (step.networks | step.domains) & group.members, "only what is missing is added"
            groups[step.group] = replace(group, members=group.members | step.networks | step.domains)
        case RemoveMembers():
            group = groups[step.group]
            assert (step.networks | step.domains) <= group.members, "only what is there is removed"
            groups[step.group] = replace(group, members=group.members - step.networks - step.domains)
        case DeleteGroup():
            del groups[step.group]
        case PutRule():
            rules = [rule for rule in rules if rule.name != step.rule.name]
            place = 0 if step.after is None else [rule.name for rule in rules].index(step.after) + 1
            rules.insert(place, step.rule)
        case RemoveRule():
            assert step.rule in [rule.name for rule in rules]
            rules = [rule for rule in rules if rule.name != step.rule]
        case Repair() | Remark():
            pass
    for rule in rules:
        for name in (*rule.destinations, *([rule.sources] if rule.sources else [])):
            assert groups[name].members, f"{rule.name} refers to {name}, which is empty"
    return groups, rules


def play(groups: Iterable[Group], rules: Iterable[Rule], steps: Iterable[Step]) -> tuple[Groups, list[Rule]]:
    held: tuple[Groups, list[Rule]] = ({group.name: group for group in groups}, list(rules))
    for step in steps:
        held = play_one(*held, step)
    return held


Packet = tuple[str, str, str, tuple[int, int]]  # source, destination (hosts), the name looked up, when: day, minute


def denied_packets(groups: Groups, rules: Sequence[Rule], packets: Iterable[Packet]) -> set[Packet]:
    """The first matching rule that holds then decides. In this small world members are small networks."""
    sources = {rule.name: _points(groups[rule.sources]) if rule.sources else None for rule in rules}
    targets = {rule.name: frozenset().union(*(_points(groups[name]) for name in rule.destinations)) for rule in rules}
    return {
        packet
        for packet in packets
        if next(
            (r.action for r in rules if _holds(r, packet) and _matches(sources[r.name], targets[r.name], packet)), None
        )
        is Action.DENY
    }


def _holds(rule: Rule, packet: Packet) -> bool:
    day, minute = packet[3]
    return rule.when is None or any(s.day == day and s.start <= minute < s.end for s in rule.when)


def _points(group: Group) -> frozenset[str]:
    if isinstance(group, AddressGroup):
        return frozenset(str(host) for member in group.members for host in member)
    return frozenset(member.name for member in group.members)


def _matches(sources: frozenset[str] | None, targets: frozenset[str], packet: Packet) -> bool:
    source, destination, name, _ = packet
    parents = {name, name.partition(".")[2]}  # a name and the one it is below; all are covered by suffix here
    return (sources is None or source in sources) and (destination in targets or bool(parents & targets))
