"""Emulated ASAs for the adapter's tests: what we wish for, and readings without a network."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any, Final

from core.net import DomainName
from lab.emulators.asa import Asa
from tests.lab.emulators.asa import Keyboard, asa, enabled
from vendors.cisco_asa.facts import CLOCK
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.parse import READ, held_in, observed_from
from vendors.cisco_asa.target import Batch, lines_between, target_of
from vendors.diff import degrade, mark_of
from vendors.model import (
    Action,
    AddressGroup,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Observed,
    Rule,
    RuleName,
)
from vendors.shell import Said, gathered

OWNER: Final = "01kb000000000000000000tkga"
OTHER: Final = "01kb000000000000000000zzzz"
LISTED: Final[dict[str, Any]] = {"acl": "INSIDE_IN", "interface": "inside", "direction": "in"}


def options(**changes: Any) -> CiscoAsaOptions:
    return CiscoAsaOptions.model_validate({"lists": [LISTED], **changes})


def listed(**changes: Any) -> CiscoAsaOptions:
    """With other settings of the one access list."""
    return options(lists=[{**LISTED, **changes}])


def addresses(name: str, *members: str) -> AddressGroup:
    return AddressGroup(name=GroupName(name), members=frozenset(map(ip_network, members)))


def names(name: str, *members: str) -> DomainGroup:
    return DomainGroup(name=GroupName(name), members=frozenset(DomainName(m, suffix=False) for m in members))


def deny(name: str, sources: str, *destinations: str) -> Rule:
    return Rule(
        name=RuleName(name),
        action=Action.DENY,
        sources=GroupName(sources),
        destinations=tuple(map(GroupName, destinations)),
    )


def desired(
    groups: Iterable[Group], rules: Iterable[Rule], *, owner: str = OWNER, snapshot: str = "0123456789ab"
) -> Desired:
    by_name = sorted(groups, key=lambda group: group.name)
    return Desired(groups=tuple(by_name), rules=tuple(rules), owner=owner, snapshot=snapshot)


SOURCES: Final = addresses("src-company", "10.0.1.0/24", "2001:db8:1::/48")
VIDEO: Final = addresses("dst-video", "203.0.113.0/24", "198.51.100.7/32", "2001:db8:f00::/40", "2001:db8:e::1/128")
FQDN: Final = names("fqdn-video", "www.example.com", "api.example.net")
DENY: Final = deny("deny-company", "src-company", "dst-video", "fqdn-video")
WISH: Final = desired([SOURCES, VIDEO, FQDN], [DENY])
NOTHING: Final = desired([], [])


def told(device: Asa, keyboard: Keyboard | None = None) -> str:
    """A reading, as the adapter gathers it."""
    typed = keyboard or enabled(device)
    return gathered(Said(line=line, text=typed.type(line), prompt="") for line in (CLOCK, *READ))


def look(device: Asa, chosen: CiscoAsaOptions | None = None) -> Observed:
    return observed_from(told(device), chosen or options())


def planned(device: Asa, wished: Desired, chosen: CiscoAsaOptions | None = None) -> tuple[Batch, ...]:
    """The lines from what the device holds to what is wished for."""
    used = chosen or options()
    observed = look(device, used)
    fitted, _ = degrade(wished, observed.can)
    return lines_between(held_in(observed, used), target_of(fitted, mark_of(fitted), used), used, wished.owner)


def lines_of(batches: Iterable[Batch]) -> list[str]:
    return [line for batch in batches for line in batch.lines]


def typed_in(device: Asa, lines: Iterable[str]) -> None:
    """By hand, each of them taken without a word."""
    enabled(device).all("configure terminal", *lines)


def pushed(device: Asa, wished: Desired, chosen: CiscoAsaOptions | None = None) -> Asa:
    typed_in(device, lines_of(planned(device, wished, chosen)))
    return device


def box(**given: Any) -> Asa:
    return asa(**given)
