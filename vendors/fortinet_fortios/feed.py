"""Lists that the firewall pulls: which they are, and what the device says that it has loaded. Pure.

The external resource itself is the site's, made once with the address, the account and the password of the list: a
password in a line of ours would be shown. We tell it, by a digest in its comment, which list should be there, refer to
it in our policies, and read the ranges that the device loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, summarize_address_range
from typing import Final

from core.net import Network, aggregate
from vendors.errors import Unreadable
from vendors.feeding import SENTINEL_NETWORK, ip_feeds, pullable
from vendors.fortinet_fortios import names
from vendors.fortinet_fortios.facts import is_refusal
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.syntax import Attrs
from vendors.model import AddressGroup, Desired, FeedList, Group, GroupName, Rule

_OWN_OBJECTS: Final = 2
"""The mark, and what stands in a list without members of a family."""
LOADED: Final = "diagnose sys external-address-resource list"

_HEAD: Final = re.compile(r"IPv[46] ranges of uuid-idx \d+ \(num=(\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What of ours a firewall takes as address objects: so many in one family, and so many in one list."""

    objects: int
    members: int

    def holds(self, groups: Iterable[Group]) -> bool:
        for version in (4, 6):
            sizes = [len(found) for group in groups if (found := _objects(group, version))]
            if max(sizes, default=0) > self.members or sum(sizes) + _OWN_OBJECTS > self.objects:
                return False
        return True


def _objects(group: Group, version: int) -> list[object]:
    """One for each object that a list needs in a family, at most: two lists may share some."""
    if isinstance(group, AddressGroup):
        return [network for network in group.members if network.version == version]
    return [pair for domain in group.members for pair in names.domain_objects(domain)]


def fed_groups(
    groups: Iterable[Group], rules: Iterable[Rule], options: FortinetFortiosOptions, room: Room
) -> frozenset[GroupName]:
    """The lists that are pulled: addresses that rules deny and none comes from. ``auto``: only when all do not fit."""
    known = list(groups)
    if options.pulls is None or (options.delivery == "auto" and room.holds(known)):
        return frozenset()
    return pullable(known, rules)


def feed_lists(desired: Desired, options: FortinetFortiosOptions, room: Room) -> tuple[FeedList, ...]:
    return ip_feeds(desired.groups, fed_groups(desired.groups, desired.rules, options, room))


def told(name: GroupName, size: int, options: FortinetFortiosOptions, room: Room) -> str:
    """That a list is pulled, and why, for people."""
    why = f"; as objects this firewall takes {room.objects:,}, {room.members:,} of one list"
    return f"{name} is pulled: {size:,} networks{why if options.delivery == 'auto' else ''}"


def digest_of(members: Iterable[Network]) -> str:
    """Twelve hex digits that tell one list from another."""
    return hashlib.sha256("\n".join(map(str, aggregate(members))).encode()).hexdigest()[:12]


def loaded_from(text: str) -> frozenset[Network]:
    """What the device has of a list, without the entry that means nothing; nothing when it never loaded it.

    Raises ``Unreadable`` when it shows fewer ranges than it says.
    """
    if is_refusal(text):
        raise Unreadable(f"what the device loaded was not told: {text.strip()[:80]!r}")
    found: list[Network] = []
    left = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        if head := _HEAD.fullmatch(line):
            left += int(head[1])
        else:
            found += _range(line)
            left -= 1
    if left:
        raise Unreadable("the ranges of a list that the device loaded are not all shown")
    return frozenset(network for network in aggregate(found) if network != SENTINEL_NETWORK)


def _range(line: str) -> Sequence[Network]:
    first, _, last = line.partition("-")
    try:
        return tuple(summarize_address_range(ip_address(first), ip_address(last)))
    except (ValueError, TypeError) as exc:
        raise Unreadable(f"a range of a list is not understood: {line[:80]!r}") from exc


def why_unfit(group: GroupName, attrs: Attrs | None, options: FortinetFortiosOptions) -> str | None:
    """Why an external resource cannot hold a list of ours; None: it can. Its comment is ours to write."""
    assert options.feed is not None  # the options say so
    url = f"{options.feed.url.rstrip('/')}/{group}.txt"
    if attrs is None:
        return f"feed: there is no external resource for {group}; make it once, for {url}"
    if attrs.get("type") != ("address",):
        return f"feed: the external resource of {group} is not of type address"
    if attrs.get("resource") != (url,):
        return (
            f"feed: the external resource of {group} pulls {' '.join(attrs.get('resource', ('nothing',)))}, not {url}"
        )
    return None if "status" not in attrs else f"feed: the external resource of {group} is switched off"
