"""Lists that firewalls pull, in the text forms that they read. Pure; adapters call it, nobody parses it back.

| form | PAN-OS external dynamic list | FortiOS external resource | SRX dynamic-address |
| --- | --- | --- | --- |
| ``ip_feed`` | type ip | type address | feed, path ending in ``.txt`` |
| ``domain_feed`` | type domain, ``wildcards=False``: ``expand-domain`` adds them | type domain | none |
| ``url_feed`` | type url | none | none |

One entry a line, no header, no comment: a comment line is ignored by one vendor and an error to another. The first
line is an entry that means nothing (TEST-NET, ``.invalid``): a list is never empty, the read-back can tell a loaded
list from an empty one, and a device that cuts a list at its end still has it.

Source: PAN-OS administrator's guide, "Formatting guidelines for an external dynamic list"; FortiOS administration
guide, "Threat feeds"; Junos ``security dynamic-address`` reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network
from typing import Final

from core.net import DomainName, Network, in_order
from vendors.model import AddressGroup, FeedList, Group, GroupName, Rule

SENTINEL_NETWORK: Final = IPv4Network("192.0.2.255/32")
"""TEST-NET-1 (RFC 5737): routed nowhere, so that denying it changes nothing."""
SENTINEL_NAME: Final = "tokgate-sentinel.invalid"
"""A name that never exists (RFC 6761)."""


def ip_feed(name: GroupName, members: Iterable[Network]) -> FeedList:
    """Networks in CIDR form with their length, hosts too; both families in one list, IPv4 first."""
    _, texts = in_order(frozenset(members))
    return FeedList(name=name, kind="ip", lines=_after(str(SENTINEL_NETWORK), texts))


def domain_feed(name: GroupName, members: Iterable[DomainName], *, wildcards: bool) -> FeedList:
    """Names; with ``wildcards`` also ``*.name`` for each that covers what is below it."""
    lines = (line for member in sorted(members) for line in _with_below(member, wildcards=wildcards))
    return FeedList(name=name, kind="domain", lines=_after(SENTINEL_NAME, lines))


def url_feed(name: GroupName, members: Iterable[DomainName]) -> FeedList:
    """Hosts without a scheme. The slash ends the host: without it ``a.com`` would also match ``a.com.example``."""
    lines = (f"{line}/" for member in sorted(members) for line in _with_below(member, wildcards=True))
    return FeedList(name=name, kind="url", lines=_after(f"{SENTINEL_NAME}/", lines))


def pullable(groups: Iterable[Group], rules: Iterable[Rule]) -> frozenset[GroupName]:
    """The lists that a firewall may pull: addresses that rules have as destinations, and never as sources."""
    judged = list(rules)
    targets = {name for rule in judged for name in rule.destinations} - {rule.sources for rule in judged}
    return frozenset(group.name for group in groups if isinstance(group, AddressGroup) and group.name in targets)


def ip_feeds(groups: Iterable[Group], pulled: Collection[GroupName]) -> tuple[FeedList, ...]:
    """Those of the lists that are pulled."""
    return tuple(ip_feed(g.name, g.members) for g in groups if isinstance(g, AddressGroup) and g.name in pulled)


def _with_below(member: DomainName, *, wildcards: bool) -> tuple[str, ...]:
    return (member.name, f"*.{member.name}") if member.suffix and wildcards else (member.name,)


def _after(sentinel: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Each line once: the same name may be there exactly and with all below it."""
    return tuple(dict.fromkeys((sentinel, *lines)))


__all__ = ["SENTINEL_NAME", "SENTINEL_NETWORK", "domain_feed", "ip_feed", "ip_feeds", "pullable", "url_feed"]
