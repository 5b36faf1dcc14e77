"""Lists that the firewall pulls: which they are, and what it says that it has loaded. Pure.

A feed server of ours, a feed and a dynamic address for each list (Junos `security dynamic-address`; no commit for
another content). The entries are one row each: number, first, last, feed, address. That layout is in no public
capture; a row of another form is an error, never an entry less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network, summarize_address_range
from typing import Final
from urllib.parse import urlsplit

from core.net import Network, aggregate
from vendors.errors import Unreadable
from vendors.feeding import SENTINEL_NETWORK, ip_feeds, pullable
from vendors.juniper_srx import facts
from vendors.juniper_srx.options import FeedOptions, JuniperSrxOptions
from vendors.juniper_srx.shape import FEED_PREFIX, Feeding
from vendors.model import Desired, FeedList, Group, GroupName, Rule

_HEADER: Final = re.compile(r"^\s*No\.\s+IP-start\s+IP-end\s+Feed\s+Address.*$")
_ROW: Final = re.compile(r"^\s*\d+\s+(?P<first>[0-9A-Fa-f.:]+)\s+(?P<last>[0-9A-Fa-f.:]+)\s+\S+\s+\S+(?:\s+\S+)?\s*$")
_TOTAL: Final = re.compile(r"^\s*Total number of matching entries: (?P<count>\d+)\s*$")
_ASKED: Final = re.compile(rf"show security dynamic-address address-name {FEED_PREFIX}(?P<group>[a-z0-9-]+)(?: .*)?")
_NAMED: Final = re.compile(rf" dynamic-address address-name (?P<name>{FEED_PREFIX}[a-z0-9-]+) ")


def fed_groups(groups: Iterable[Group], rules: Iterable[Rule], options: JuniperSrxOptions) -> frozenset[GroupName]:
    """The lists that are pulled: addresses that rules deny and none comes from. ``auto``: only when all do not fit."""
    known = list(groups)
    if options.pulls is None:
        return frozenset()
    if options.delivery == "auto" and sum(len(group.members) for group in known) <= options.max_entries:
        return frozenset()
    return pullable(known, rules)


def feed_lists(desired: Desired, options: JuniperSrxOptions) -> tuple[FeedList, ...]:
    return ip_feeds(desired.groups, fed_groups(desired.groups, desired.rules, options))


def feeding(groups: Iterable[Group], rules: Iterable[Rule], options: JuniperSrxOptions) -> Feeding:
    """Which lists are pulled, and how the feed server is written."""
    if options.pulls is None:
        return Feeding()
    server, root = _server(options.pulls)
    return Feeding(groups=fed_groups(groups, rules, options), server=server, root=root)


def _server(feed: FeedOptions) -> tuple[frozenset[tuple[str, ...]], str]:
    """Its statements, and the path below which its lists are: the address of the server is written without a path."""
    where = urlsplit(feed.url)
    made = {
        ("url", f"{where.scheme}://{where.netloc}"),
        ("update-interval", str(feed.update_seconds)),
        ("hold-interval", str(feed.hold_seconds)),
    }
    if feed.tls_profile is not None:
        made.add(("tls-profile", feed.tls_profile))
    return frozenset(made), where.path.rstrip("/")


# --- what is loaded -------------------------------------------------------------------------------------------------


def questions(configuration: str, options: JuniperSrxOptions) -> tuple[str, ...]:
    """What to ask of the dynamic addresses of ours that a configuration has."""
    lead = " ".join(("set", *options.space, "security"))
    lines = (line for line in configuration.splitlines() if line.startswith(lead))
    names = dict.fromkeys(found["name"] for line in lines if (found := _NAMED.search(line)))
    return tuple(f"show security dynamic-address address-name {name}{options.system}" for name in names)


def loaded_in(parts: Mapping[str, str]) -> dict[GroupName, frozenset[Network]]:
    """By list. Raises ``Unreadable``."""
    asked = {found["group"]: said for command, said in parts.items() if (found := _ASKED.fullmatch(command))}
    return {GroupName(group): loaded_from(said) for group, said in asked.items()}


def loaded_from(text: str) -> frozenset[Network]:
    """What the device has of a list, without the entry that means nothing. In a cluster: what every node has.

    Raises ``Unreadable`` when a row is not understood, or fewer are shown than are counted.
    """
    if facts.is_refusal(text):
        raise Unreadable(f"what the device loaded was not told: {text.strip()[:80]!r}")
    nodes = [_loaded(said) for said in facts.by_node(text).values()]
    return frozenset.intersection(*nodes) if nodes else frozenset()


def listed(members: Iterable[Network]) -> list[str]:
    """A list in one form, whatever its ranges were."""
    return sorted(map(str, aggregate(members)))


def _loaded(text: str) -> frozenset[Network]:
    found: list[Network] = []
    rows, total = 0, None
    for line in filter(str.strip, text.splitlines()):
        if row := _ROW.match(line):
            rows += 1
            found += _range(row["first"], row["last"])
        elif counted := _TOTAL.match(line):
            total = int(counted["count"])
        elif not _HEADER.match(line):
            raise Unreadable(f"a row of a pulled list is not understood: {line[:120]!r}")
    if total != rows:
        raise Unreadable(f"a pulled list shows {rows} entries and counts {total}")
    return frozenset(aggregate(network for network in found if network != SENTINEL_NETWORK))


def _range(first: str, last: str) -> list[Network]:
    try:
        return [ip_network(str(each)) for each in summarize_address_range(ip_address(first), ip_address(last))]
    except (ValueError, TypeError) as exc:
        raise Unreadable(f"a range of a pulled list is not understood: {first[:40]} {last[:40]}") from exc
