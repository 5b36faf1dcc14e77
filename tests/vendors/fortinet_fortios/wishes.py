"""Desired states in the neutral model, and the way of one to a box on paper."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from hypothesis import strategies as st

from core.ids import DeviceName
from core.net import DomainName, Network, aggregate
from tests.vendors.fortinet_fortios.box import Box
from vendors.diff import diff
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.model import Action, AddressGroup, Desired, DomainGroup, Group, GroupName, Observed, Plan, Rule, RuleName

OWNER = "01kb000000000000000000tkga"
SRC, DST, FQDN = GroupName("src-company"), GroupName("dst-tiktok"), GroupName("fqdn-tiktok")
MEMBERS = ("71.18.0.0/16", "103.136.220.10/32", "2605:340::/32", "2404:9dc0:cd01::10/128")


def adapter(**options: object) -> FortinetFortios:
    return FortinetFortios(FortinetFortiosOptions.model_validate(options), DeviceName("fw"))


def networks(*texts: str) -> frozenset[Network]:
    return frozenset(ip_network(text) for text in texts)


def wish(
    *,
    sources: Iterable[str] = ("10.1.0.0/16", "2001:db8:1::/48"),
    members: Iterable[str] = MEMBERS,
    domains: Iterable[DomainName] = (),
    rules: Iterable[str] = ("deny-company",),
    owner: str = OWNER,
    snapshot: str = "0123456789ab",
) -> Desired:
    groups: list[Group] = [AddressGroup(name=DST, members=networks(*members))]
    targets: tuple[GroupName, ...] = (DST,)
    if domains:
        groups.append(DomainGroup(name=FQDN, members=frozenset(domains)))
        targets = (DST, FQDN)
    names = list(rules)
    groups += [AddressGroup(name=SRC, members=networks(*sources))] if names else []
    return Desired(
        groups=tuple(sorted(groups, key=lambda group: group.name)),
        rules=tuple(Rule(name=RuleName(name), action=Action.DENY, sources=SRC, destinations=targets) for name in names),
        owner=owner,
        snapshot=snapshot,
    )


EMPTY = Desired(groups=(), rules=(), owner=OWNER, snapshot="0123456789ab")


def plan(box: Box, desired: Desired, using: FortinetFortios) -> tuple[Observed, Plan]:
    found = using.parse(box.reading())
    return found, diff(found, desired, found.can)


def push(box: Box, desired: Desired, using: FortinetFortios) -> tuple[str, Plan]:
    """What was sent, and the plan that it came from."""
    found, change = plan(box, desired, using)
    text = using.render(found, change).text
    box.take(text)
    return text, change


# --- generated ------------------------------------------------------------------------------------------------------

v4 = st.builds(
    lambda first, length: ip_network((first << 16 & ~((1 << (32 - length)) - 1), length)),
    st.integers(0x0101, 0xDFFF),
    st.integers(9, 32),
)
v6 = st.builds(
    lambda first, length: ip_network(((0x2000 << 112 | first << 64) & ~((1 << (128 - length)) - 1), length)),
    st.integers(1, 0xFFFF_FFFF),
    st.integers(32, 128),
)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
domain_names = st.builds(
    lambda parts, suffix: DomainName(".".join(parts), suffix=suffix),
    st.lists(labels, min_size=1, max_size=3),
    st.booleans(),
)
group_names = st.sampled_from([f"{kind}-{name}" for kind in ("a", "b", "d", "4-10") for name in ("x", "y", "z--0")])


@st.composite
def desired_states(draw: st.DrawFn) -> Desired:
    """Groups of both kinds, and denies between some of them, each rule about one list of sources."""
    names = draw(st.lists(group_names, unique=True, max_size=6))
    groups: list[Group] = []
    for name in names:
        if name.startswith("d"):
            domains = draw(st.frozensets(domain_names, min_size=1, max_size=6))
            groups.append(DomainGroup(name=GroupName(name), members=domains))
        else:
            some = draw(st.lists(st.one_of(v4, v6), min_size=1, max_size=40))
            groups.append(AddressGroup(name=GroupName(name), members=frozenset(aggregate(some))))
    sources = [group.name for group in groups if isinstance(group, AddressGroup)]
    rules: list[Rule] = []
    if sources:
        for source in draw(st.lists(st.sampled_from(sources), unique=True, max_size=3)):
            targets = draw(st.lists(st.sampled_from([g.name for g in groups]), unique=True, min_size=1, max_size=4))
            name = RuleName(f"deny-{source}-with-a-name-that-is-long"[:40])
            rules.append(Rule(name=name, action=Action.DENY, sources=source, destinations=tuple(targets)))
    rules = draw(st.permutations(rules))
    return Desired(
        groups=tuple(sorted(groups, key=lambda group: group.name)),
        rules=tuple(rules),
        owner=OWNER,
        snapshot=draw(st.sampled_from(["0123456789ab", "ba9876543210"])),
    )
