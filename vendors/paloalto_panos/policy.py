"""What the data plane runs: `show running security-policy`, rules in order with groups and names resolved. Pure.

Forms: a capture of an old release (ntc-templates), and the newer one with ``"name; index: 1"``. Addresses may be
printed in any grouping, so that they are compared by what they cover.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range
from typing import Final

from core.net import Network, subtract
from vendors.errors import Unreadable
from vendors.model import AddressGroup, Desired, GroupName, Rule
from vendors.paloalto_panos.setform import refuse_error
from vendors.paloalto_panos.shape import list_name, rule_name, web_rule_name

COMMAND: Final = "show running security-policy"
_HEAD: Final = re.compile(r'"?(?P<name>[^";{]+?)(?:; index: \d+)?"? \{')
_LINE: Final = re.compile(r"(?P<key>[a-z/-]+):?\s+(?P<value>.*?);?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """One rule as it runs. ``fields``: `source`, `destination`, `action` … to their words."""

    name: str
    fields: Mapping[str, tuple[str, ...]]


def compiled_from(text: str) -> tuple[Compiled, ...]:
    """Raises ``Unreadable`` on a block that does not close or a piece of one."""
    refuse_error(text, COMMAND)
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[Compiled]:
    name: str | None = None
    fields: dict[str, tuple[str, ...]] = {}
    for line in (raw.strip() for raw in text.splitlines()):
        if name is None:
            if match := _HEAD.fullmatch(line):
                name, fields = match["name"].strip(), {}
            elif set("{};") & set(line):  # old releases print a few words behind the last rule
                raise Unreadable(f"`{COMMAND}` has a line outside its rules: {line[:80]!r}")
        elif line == "}":
            yield Compiled(name=name, fields=fields)
            name = None
        elif match := _LINE.fullmatch(line):
            fields[match["key"]] = tuple(match["value"].strip("[] ").split())
    if name is not None:
        raise Unreadable(f"`{COMMAND}` ends inside the rule {name}: it was cut off")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """One rule as it should run. ``category``: its lists of names; none: for any."""

    name: str
    rule: Rule
    destinations: tuple[GroupName, ...]
    category: tuple[str, ...] = ()


def _meant(desired: Desired, named: frozenset[GroupName]) -> Iterator[_Meant]:
    for rule in desired.rules:
        yield _Meant(name=rule_name(rule.name), rule=rule, destinations=rule.destinations)
        if asked := tuple(list_name(name) for name in rule.destinations if name in named):
            yield _Meant(name=web_rule_name(rule.name), rule=rule, destinations=(), category=asked)


def differences(
    rules: tuple[Compiled, ...],
    desired: Desired,
    action: str,
    pulled: frozenset[GroupName] = frozenset(),
    named: frozenset[GroupName] = frozenset(),
) -> list[str]:
    """What of our rules the data plane does not do, one line each. ``pulled`` lists are printed by name alone.

    ``named``: lists of names that are pulled, which are the categories of a rule. How those are printed is on no
    public record: only a rule of ours that says `any` is wrong for certain, for it denies everything.
    """
    every = list(_meant(desired, named))
    wanted = [one.name for one in every]
    by_name = {rule.name: rule for rule in rules}
    running = [rule.name for rule in rules if rule.name in wanted]
    # a rule whose hours these are not may or may not be among those that run: no source says
    here = [one for one in every if not (one.rule.when and one.name not in by_name)]
    wanted = [one.name for one in here]
    if running != wanted:
        missing = [name for name in wanted if name not in by_name]
        return [f"rule {name} does not run" for name in missing] or ["our rules run in another order"]
    odd: list[str] = []
    members = {g.name: g.members for g in desired.groups if isinstance(g, AddressGroup) and g.name not in pulled}
    for one in here:
        name, found = one.name, by_name[one.name].fields
        if action not in " ".join(found.get("action", ())):
            odd.append(f"rule {name} runs with the action {' '.join(found.get('action', ()))!r}")
        if one.category and found.get("category") == ("any",):
            odd.append(f"rule {name} runs for any category")
        for key, groups in (("source", (one.rule.sources,)), ("destination", one.destinations)):
            needed = [n for group in groups if group is not None for n in members.get(group, ())]
            covered = [n for word in found.get(key, ()) for n in networks_of(word)]
            if covered and (lacking := subtract(needed, covered)):
                odd.append(f"rule {name} runs without {lacking[0]} in its {key}")
    return odd


def networks_of(word: str) -> tuple[Network, ...]:
    """The networks of one word; none for a name."""
    try:
        if "-" in word:
            first, last = (ip_address(part) for part in word.split("-"))
            if isinstance(first, IPv4Address) and isinstance(last, IPv4Address):
                return tuple(summarize_address_range(first, last))
            if isinstance(first, IPv6Address) and isinstance(last, IPv6Address):
                return tuple(summarize_address_range(first, last))
            return ()
        return (ip_network(word, strict=False),)
    except (ValueError, TypeError):
        return ()
