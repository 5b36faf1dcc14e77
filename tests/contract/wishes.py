"""Desired states in the neutral model, about the networks and servers of the lab."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

from core.net import DomainName, Network
from tests.contract.rig import SHARED, TIKTOK, Rig
from vendors.model import Action, AddressGroup, Desired, DomainGroup, Group, GroupName, Rule, RuleName

OWNER: Final = "01kb000000000000000000tkga"
DST: Final = GroupName("dst-tiktok")
FQDN: Final = GroupName("fqdn-tiktok")
EXCEPTION: Final = GroupName("exc-01kb00000000000000000exc01")
SPARED: Final = GroupName("spared")


def networks(*texts: str) -> frozenset[Network]:
    return frozenset(ip_network(text) for text in texts)


DEDICATED: Final = networks(TIKTOK.v4, TIKTOK.v6, "71.18.0.0/16", "2605:340::/32")


def wish(
    rig: Rig,
    *,
    members: Iterable[Network] = DEDICATED,
    names: Iterable[str] = (),
    deny: Iterable[str] = ("company",),
    monitor: Iterable[str] = (),
    exempt: Iterable[str] = (),
    spared: Iterable[Network] = (),
    snapshot: str = "0123456789ab",
    owner: str = OWNER,
) -> Desired:
    """Roles by action: ``exempt`` roles are taken out of the deny by an exception."""
    targets = (DST, FQDN) if names else (DST,)
    groups: list[Group] = [AddressGroup(name=DST, members=frozenset(members))]
    rules: list[Rule] = []
    if names:
        groups.append(DomainGroup(name=FQDN, members=frozenset(DomainName(name) for name in names)))
    if spared:
        groups.append(AddressGroup(name=SPARED, members=frozenset(spared)))
        rules.append(Rule(name=RuleName("spare"), action=Action.SPARE, sources=None, destinations=(SPARED,)))
    if exempt:
        groups.append(AddressGroup(name=EXCEPTION, members=networks(*_of(rig, exempt))))
        rules.append(Rule(name=RuleName(EXCEPTION), action=Action.EXEMPT, sources=EXCEPTION, destinations=targets))
    for action, roles in ((Action.DENY, deny), (Action.MONITOR, monitor)):
        for role in roles:
            sources = GroupName(f"src-{role}")
            groups.append(AddressGroup(name=sources, members=networks(*_of(rig, [role]))))
            name = RuleName(f"{'deny' if action is Action.DENY else 'mon'}-{role}")
            rules.append(Rule(name=name, action=action, sources=sources, destinations=targets))
    return Desired(
        groups=tuple(sorted(groups, key=lambda g: g.name)), rules=tuple(rules), owner=owner, snapshot=snapshot
    )


def _of(rig: Rig, roles: Iterable[str]) -> list[str]:
    return [network for role in roles for network in rig.clients[role].network.networks]


NAMES: Final = ("tiktok.com", SHARED.name)
