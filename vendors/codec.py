"""Plans, desired states and readings as canonical JSON: equal values, equal bytes. Digests are sha256 over it.

Called by planning and the store, which keep these texts, and by adapters for the mark. Decides nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import groupby
from typing import Any, TypeAlias

from core.net import DomainName, Network, in_order
from vendors.model import (
    Action,
    AddMembers,
    AddressGroup,
    CreateGroup,
    Degraded,
    DeleteGroup,
    Desired,
    DomainGroup,
    EntryCount,
    FlowCount,
    Group,
    GroupName,
    LeftOut,
    Mark,
    Plan,
    PutRule,
    Reading,
    Remark,
    RemoveMembers,
    RemoveRule,
    Repair,
    Rule,
    RuleCount,
    RuleName,
    Shortened,
    Step,
    UnitCount,
    WeekSpan,
)
from vendors.week import NAMES, clock

Json: TypeAlias = dict[str, Any]


# --- digests --------------------------------------------------------------------------------------------------------


def content_digest(groups: Iterable[Group], rules: Iterable[Rule]) -> str:
    """sha256 over what is held: groups in any order, rules in order of evaluation."""
    content = {
        "groups": [_group(group) for group in sorted(groups, key=lambda g: g.name)],
        "rules": [_rule(rule) for rule in rules],
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


@lru_cache(maxsize=8)  # a change asks several times for the same value, and 100,000 members take half a second
def desired_digest(desired: Desired) -> str:
    """sha256 over the content that is wanted; owner and snapshot stand beside it in the mark."""
    return content_digest(desired.groups, desired.rules)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


# --- to JSON --------------------------------------------------------------------------------------------------------


def _networks(networks: frozenset[Network]) -> list[str]:
    return list(in_order(networks)[1])


def _domains(domains: Iterable[DomainName]) -> list[str]:
    """``.example.com`` covers what is below it, ``=example.com`` is the name alone."""
    return [("." if d.suffix else "=") + d.name for d in sorted(domains)]


def _group(group: Group) -> Json:
    match group:
        case AddressGroup():
            return {"name": group.name, "networks": _networks(group.members)}
        case DomainGroup():
            return {"name": group.name, "domains": _domains(group.members)}


def _rule(rule: Rule) -> Json:
    content: Json = {
        "name": rule.name,
        "action": rule.action.value,
        "sources": rule.sources,
        "destinations": list(rule.destinations),
    }
    if rule.when is not None:  # one that always holds is written, and so marked, as by versions that knew no other
        content["when"] = [[span.day, span.start, span.end] for span in rule.when]
    return content


def _mark(mark: Mark) -> Json:
    return {"owner": mark.owner, "snapshot": mark.snapshot, "desired": mark.desired}


def _step(step: Step) -> Json:
    match step:
        case CreateGroup():
            return {"do": "create-group", "group": _group(step.group)}
        case AddMembers():
            return {"do": "add-members", "group": step.group, **_members(step.networks, step.domains)}
        case RemoveMembers():
            return {"do": "remove-members", "group": step.group, **_members(step.networks, step.domains)}
        case DeleteGroup():
            return {"do": "delete-group", "group": step.group}
        case PutRule():
            return {"do": "put-rule", "rule": _rule(step.rule), "after": step.after}
        case RemoveRule():
            return {"do": "remove-rule", "rule": step.rule}
        case Repair():
            return {"do": "repair", "reasons": list(step.reasons)}
        case Remark():
            return {"do": "remark", "mark": _mark(step.mark)}


def _members(networks: frozenset[Network], domains: Iterable[DomainName]) -> Json:
    return {"networks": _networks(networks), "domains": _domains(domains)}


def _desired(desired: Desired) -> Json:
    return {
        "groups": [_group(group) for group in sorted(desired.groups, key=lambda g: g.name)],
        "rules": [_rule(rule) for rule in desired.rules],
        "owner": desired.owner,
        "snapshot": desired.snapshot,
    }


def _shortened(short: Shortened) -> Json:
    return {
        "group": short.group,
        "networks": short.networks,
        "addresses_v4": short.addresses_v4,
        "addresses_v6": short.addresses_v6,
        "left_out": [[str(left.network), left.reason] for left in short.left_out],
        "left_out_v4": short.left_out_v4,
        "left_out_v6": short.left_out_v6,
    }


def dumps_plan(plan: Plan) -> str:
    """Canonical JSON of a plan. One that leaves nothing out is written as by versions that never did."""
    content = {
        "steps": [_step(step) for step in plan.steps],
        "degraded": [{"capability": d.capability, "message": d.message, "is_gap": d.is_gap} for d in plan.degraded],
        "desired": _desired(plan.desired),
    }
    return _canonical(content | ({"shortened": [_shortened(s) for s in plan.shortened]} if plan.shortened else {}))


def dumps_reading(reading: Reading) -> str:
    """Canonical JSON of a counter reading."""
    return _canonical(
        {
            "epoch": reading.epoch,
            "read_at": reading.read_at.astimezone(UTC).isoformat(),
            "rules": [_counted(rule) for rule in reading.rules],
            "entries": [[e.group, str(e.network), e.packets, e.octets] for e in reading.entries],
            "flows": [_flow(flow) for flow in reading.flows],
            "flows_truncated": reading.flows_truncated,
        }
    )


def _counted(rule: RuleCount) -> list[object]:
    """A rule without units is written as by versions that knew none."""
    row: list[object] = [rule.rule, rule.action.value, rule.epoch, rule.hits, rule.packets, rule.octets]
    return [*row, [_unit(unit) for unit in rule.units]] if rule.units else row


def _unit(unit: UnitCount) -> list[object]:
    row: list[object] = [unit.unit, unit.epoch, unit.hits]
    return row if unit.packets is None and unit.octets is None else [*row, unit.packets, unit.octets]


def _flow(flow: FlowCount) -> list[object]:
    seen = flow.last_seen.astimezone(UTC).isoformat()
    return [flow.action.value, str(flow.source), str(flow.destination), flow.packets, flow.octets, seen]


# --- from JSON ------------------------------------------------------------------------------------------------------


def loads_plan(text: str) -> Plan:
    """The plan that ``dumps_plan`` wrote. Raises ``ValueError`` or ``KeyError`` on anything else."""
    data = json.loads(text)
    return Plan(
        steps=tuple(_as_step(step) for step in data["steps"]),
        degraded=tuple(
            Degraded(capability=d["capability"], message=d["message"], is_gap=d["is_gap"]) for d in data["degraded"]
        ),
        desired=_as_desired(data["desired"]),
        shortened=tuple(_as_shortened(short) for short in data.get("shortened", ())),
    )


def _as_shortened(data: Json) -> Shortened:
    left = tuple(LeftOut(network=ip_network(network), reason=reason) for network, reason in data["left_out"])
    return Shortened(**{**data, "group": GroupName(data["group"]), "left_out": left})


def _as_unit(unit: str, epoch: str, hits: int, packets: int | None = None, octets: int | None = None) -> UnitCount:
    return UnitCount(unit=unit, epoch=epoch, hits=hits, packets=packets, octets=octets)


def loads_reading(text: str) -> Reading:
    """The reading that ``dumps_reading`` wrote. Raises ``ValueError`` or ``KeyError`` on anything else."""
    data = json.loads(text)
    return Reading(
        epoch=data["epoch"],
        read_at=datetime.fromisoformat(data["read_at"]),
        rules=tuple(
            RuleCount(
                rule=RuleName(rule),
                action=Action(action),
                epoch=epoch,
                hits=hits,
                packets=packets,
                octets=octets,
                units=tuple(_as_unit(*row) for rows in units for row in rows),
            )
            for rule, action, epoch, hits, packets, octets, *units in data["rules"]
        ),
        entries=tuple(
            EntryCount(group=GroupName(group), network=ip_network(network), packets=packets, octets=octets)
            for group, network, packets, octets in data["entries"]
        ),
        flows=tuple(
            FlowCount(
                action=Action(action),
                source=ip_address(source),
                destination=ip_address(destination),
                packets=packets,
                octets=octets,
                last_seen=datetime.fromisoformat(seen),
            )
            for action, source, destination, packets, octets, seen in data["flows"]
        ),
        flows_truncated=data["flows_truncated"],
    )


def _as_desired(data: Json) -> Desired:
    return Desired(
        groups=tuple(_as_group(group) for group in data["groups"]),
        rules=tuple(_as_rule(rule) for rule in data["rules"]),
        owner=data["owner"],
        snapshot=data["snapshot"],
    )


def _as_group(data: Json) -> Group:
    name = GroupName(data["name"])
    if "networks" in data:
        return AddressGroup(name=name, members=_as_networks(data["networks"]))
    return DomainGroup(name=name, members=_as_domains(data["domains"]))


def _as_networks(texts: Iterable[str]) -> frozenset[Network]:
    return frozenset(ip_network(text) for text in texts)


def _as_domains(texts: Iterable[str]) -> frozenset[DomainName]:
    return frozenset(DomainName(text[1:], suffix=text[0] == ".") for text in texts)


def _as_rule(data: Json) -> Rule:
    sources = data["sources"]
    return Rule(
        name=RuleName(data["name"]),
        action=Action(data["action"]),
        sources=None if sources is None else GroupName(sources),
        destinations=tuple(GroupName(name) for name in data["destinations"]),
        when=tuple(WeekSpan(day, start, end) for day, start, end in data["when"]) if "when" in data else None,
    )


def _as_mark(data: Mapping[str, str]) -> Mark:
    return Mark(owner=data["owner"], snapshot=data["snapshot"], desired=data["desired"])


def _as_step(data: Json) -> Step:
    match data["do"]:
        case "create-group":
            return CreateGroup(group=_as_group(data["group"]))
        case "add-members":
            networks, domains = _as_networks(data["networks"]), _as_domains(data["domains"])
            return AddMembers(group=GroupName(data["group"]), networks=networks, domains=domains)
        case "remove-members":
            networks, domains = _as_networks(data["networks"]), _as_domains(data["domains"])
            return RemoveMembers(group=GroupName(data["group"]), networks=networks, domains=domains)
        case "delete-group":
            return DeleteGroup(group=GroupName(data["group"]))
        case "put-rule":
            return PutRule(rule=_as_rule(data["rule"]), after=data["after"])
        case "remove-rule":
            return RemoveRule(rule=RuleName(data["rule"]))
        case "repair":
            return Repair(reasons=tuple(data["reasons"]))
        case "remark":
            return Remark(mark=_as_mark(data["mark"]))
        case other:
            raise ValueError(f"not a step of a plan: {other!r}")


# --- for people -----------------------------------------------------------------------------------------------------

_SHOWN = 3
_NAMED = 5
_SITE = 2**80
"""Addresses of a /48."""


def describe(step: Step) -> str:
    """One line for a person: what the step does, to what, with the first few members."""
    match step:
        case CreateGroup():
            return f"create group {step.group.name} with {_few(_all_members(step.group))}"
        case AddMembers():
            return f"add to {step.group}: {_few([*_networks(step.networks), *_names(step.domains)])}"
        case RemoveMembers():
            return f"remove from {step.group}: {_few([*_networks(step.networks), *_names(step.domains)])}"
        case DeleteGroup():
            return f"delete group {step.group}"
        case PutRule():
            place = f"after {step.after}" if step.after else "first"
            return f"put rule {describe_rule(step.rule)} ({place})"
        case RemoveRule():
            return f"remove rule {step.rule}"
        case Repair():
            more = len(step.reasons) - _REASONS
            return f"repair our objects: {'; '.join(step.reasons[:_REASONS])}" + (
                f"; and {more} more" if more > 0 else ""
            )
        case Remark():
            return f"note snapshot {step.mark.snapshot}; nothing else changes"


_REASONS = 8
"""So many reasons of a repair are told to people; a wiped or newly pulled list has one for each entry."""


def describe_rule(rule: Rule) -> str:
    """``deny-company: deny src-company to dst-tiktok, fqdn-tiktok, mon-fri 08:00-17:00``."""
    when = f", {describe_week(rule.when)}" if rule.when else ""
    return f"{rule.name}: {rule.action.value} {rule.sources or 'anyone'} to {', '.join(rule.destinations)}{when}"


def describe_week(spans: Iterable[WeekSpan]) -> str:
    """``mon-fri 08:00-12:00 13:00-17:00; sat 00:00-24:00``: days of the same hours together."""
    hours: dict[int, list[str]] = {}
    for span in spans:
        hours.setdefault(span.day, []).append(f"{clock(span.start)}-{clock(span.end)}")
    # days that follow each other are as far from their places among the days that are there
    runs = groupby(enumerate(sorted(hours)), key=lambda placed: (hours[placed[1]], placed[1] - placed[0]))
    return "; ".join(_days([day for _, day in run], hours) for _, run in runs)


def _days(run: Sequence[int], hours: Mapping[int, Sequence[str]]) -> str:
    first, last = (NAMES[day][:3] for day in (run[0], run[-1]))
    return " ".join((first if first == last else f"{first}-{last}", *hours[run[0]]))


def describe_shortened(short: Shortened) -> str:
    """``dst-tiktok in part: 2 of 5 networks, 512 of 1,280 IPv4 addresses; not: 192.0.2.0/24 and 2 more``."""
    kept = short.networks - len(short.left_out)
    amounts = [f"{kept:,} of {short.networks:,} networks"]
    if short.addresses_v4:
        amounts.append(f"{short.addresses_v4 - short.left_out_v4:,} of {short.addresses_v4:,} IPv4 addresses")
    if short.addresses_v6:
        kept_v6 = (short.addresses_v6 - short.left_out_v6) / _SITE
        amounts.append(f"{kept_v6:,.6g} of {short.addresses_v6 / _SITE:,.6g} IPv6 /48")
    named = ", ".join(str(left.network) for left in short.left_out[:_NAMED])
    more = f" and {len(short.left_out) - _NAMED} more" if len(short.left_out) > _NAMED else ""
    return f"{short.group} in part: {', '.join(amounts)}; not: {named}{more}"


def _all_members(group: Group) -> list[str]:
    return _networks(group.members) if isinstance(group, AddressGroup) else _names(group.members)


def _names(domains: Iterable[DomainName]) -> list[str]:
    return [("*." if d.suffix else "") + d.name for d in sorted(domains)]


def _few(members: list[str]) -> str:
    shown = ", ".join(members[:_SHOWN])
    return shown if len(members) <= _SHOWN else f"{shown} and {len(members) - _SHOWN} more ({len(members)} in all)"
