"""What our objects are called on a FortiGate, and what their comments say. Pure.

Limits (FortiOS 6.0 CLI reference, 6.4.14 REST schema): addresses and groups 79 characters, 63 in 6.0, so at most 63
here; policies 35; comments 255 and 1,023. Addresses, groups and virtual IPs share one space of names: what is no group
of ours therefore has a character that our own names never have.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from core.ids import NAME
from core.net import DomainName, Network
from vendors.exempting import whole_of
from vendors.model import GroupName, RuleName

PREFIX: Final = "tokgate-"
OBJECT_LIMIT: Final = 63
POLICY_LIMIT: Final = 35
FEED_LIMIT: Final = 35

MARK_OBJECT: Final = f"{PREFIX}_mark"
"""An address that nothing refers to; its comment is the mark."""
NOTHING: Final = f"{PREFIX}_none"
"""Stands in a group that has no member of a family: the vendor's own `none` has the same value."""

COMMENT: Final = "tokgate"
_OF_GROUP: Final = re.compile(r"tokgate (?P<owner>[0-9a-z]+) (?P<kind>addresses|names) (?P<name>[a-z0-9-]+)")
_OF_RULE: Final = re.compile(r"tokgate (?P<owner>[0-9a-z]+) rule (?P<name>[a-z0-9-]+)")
_OF_FEED: Final = re.compile(r"tokgate (?P<owner>[0-9a-z]+) feed (?P<name>[a-z0-9-]+) (?P<digest>[0-9a-f]{12})")
_ALPHABET: Final = re.compile(r"[a-z0-9-]+")
_LEAF: Final = re.compile(rf"{PREFIX}(?P<group>[a-z0-9-]+)\.(?P<number>\d+)")


def is_ours(name: str) -> bool:
    return name.startswith(PREFIX)


def carries_comment(comment: str) -> bool:
    return comment == COMMENT or comment.startswith(f"{COMMENT} ")


# --- members --------------------------------------------------------------------------------------------------------


def network_object(network: Network) -> str:
    """``tokgate-4-10.1.2.0-24``, ``tokgate-6-2001_db8__-32``: the colon is no letter that every text field takes."""
    address = str(network.network_address).replace(":", "_")
    return f"{PREFIX}{network.version}-{address}-{network.prefixlen}"


def domain_objects(domain: DomainName) -> tuple[tuple[str, str], ...]:
    """(object, its name in DNS). A wildcard does not hold the name itself, which stands beside it."""
    if not domain.suffix:
        return ((_domain("d", domain.name), domain.name),)
    return ((_domain("s", domain.name), domain.name), (_domain("w", domain.name), f"*.{domain.name}"))


def _domain(kind: str, name: str) -> str:
    dotted = name if "." in name else f"{name}."  # apart from a group of that name
    return _short(f"{PREFIX}{kind}-{dotted}", OBJECT_LIMIT)


# --- groups and rules -----------------------------------------------------------------------------------------------


def group_object(group: GroupName) -> str:
    return f"{PREFIX}{group}"


def leaf_object(group: GroupName, number: int) -> str:
    return f"{PREFIX}{group}.{number}"


def leaf_number(name: str, group: GroupName) -> int | None:
    """Which part of the group an object of this name is."""
    found = _LEAF.fullmatch(name)
    return int(found["number"]) if found and found["group"] == group else None


def is_part(name: str) -> bool:
    return _LEAF.fullmatch(name) is not None


def group_comment(group: GroupName, owner: str, *, names: bool) -> str:
    return f"tokgate {owner} {'names' if names else 'addresses'} {group}"


def group_from(name: str, comment: str) -> GroupName | None:
    """The group that an object stands for; its comment says so, else its name does."""
    found = _OF_GROUP.fullmatch(comment)
    if found is not None and name == group_object(GroupName(found["name"])):
        return GroupName(found["name"])
    bare = name.removeprefix(PREFIX)
    return GroupName(bare) if name != bare and _is_name(bare) else None


def holds_names(comment: str) -> bool | None:
    """Whether a group's comment says that it holds names; None: it does not say."""
    found = _OF_GROUP.fullmatch(comment)
    return None if found is None else found["kind"] == "names"


def policy_name(rule: RuleName, *, six: bool = False) -> str:
    """At most 35 characters. ``six``: of the policy for IPv6 alone, where releases have a table of their own."""
    return _short(f"{PREFIX}{rule}{'.6' if six else ''}", POLICY_LIMIT)


def rule_comment(rule: RuleName, owner: str) -> str:
    return f"tokgate {owner} rule {rule}"


def feed_object(group: GroupName) -> str:
    """The external resource that holds a list which the firewall pulls; at most 35 characters."""
    return _short(f"{PREFIX}{group}.feed", FEED_LIMIT)


def feed_comment(group: GroupName, owner: str, digest: str) -> str:
    """``digest``: of the list that should be loaded. That the object is edited has the device fetch it."""
    return f"tokgate {owner} feed {group} {digest}"


def feed_from(name: str, comment: str) -> GroupName | None:
    """The list that an external resource holds; an uncut name says it before our first comment."""
    found = _OF_FEED.fullmatch(comment)
    if found is not None and name == feed_object(GroupName(found["name"])):
        return GroupName(found["name"])
    bare = name.removeprefix(PREFIX).removesuffix(".feed")
    return GroupName(bare) if name == feed_object(GroupName(bare)) and _is_name(bare) else None


def owner_from(comment: str) -> str | None:
    """The controller that a group's or a policy's comment names: it still says whose they are when the mark is gone."""
    found = _OF_GROUP.fullmatch(comment) or _OF_RULE.fullmatch(comment)
    return found["owner"] if found else None


def rule_from(name: str, comment: str) -> RuleName | None:
    """The rule that a policy stands for; a short name says it without the comment too."""
    found = _OF_RULE.fullmatch(comment)
    if found is not None:
        return RuleName(found["name"])
    bare = name.removeprefix(PREFIX).removesuffix(".6")
    return RuleName(bare) if is_ours(name) and _is_name(bare) else None


def _is_name(text: str) -> bool:
    """Whether it is a neutral name, or that of a part of what has one."""
    return NAME.fullmatch(whole_of(text)) is not None and _ALPHABET.fullmatch(text) is not None


def _short(name: str, limit: int) -> str:
    """Cut, with a piece of its digest behind a point: neutral names have none."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9]}.{digest}"
