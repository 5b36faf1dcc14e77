"""Emulated SRXs behind real SSH, and the way of a desired state to one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from core.clock import ManualClock, SystemClock
from core.ids import DeviceName
from core.net import DomainName
from core.secret import SecretRef
from lab.emulators.server import Served, served
from lab.emulators.srx import Srx, pair
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.srx import NOON, active, configuring, srx
from vendors.adapter import Endpoint, Session
from vendors.diff import diff
from vendors.juniper_srx import JuniperSrx, JuniperSrxOptions
from vendors.model import (
    Action,
    AddressGroup,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Observed,
    Plan,
    Reading,
    Receipt,
    Rule,
    RuleName,
    WeekSpan,
)
from vendors.session import connect

PASSWORD: Final = "TOKGATE_TEST_SRX_PASSWORD"
OWNER: Final = "01kb000000000000000000tkga"
DST: Final = GroupName("dst-tiktok")
ROLES: Final = {"company": "10.0.1.0/24", "marketing": "10.0.2.0/24"}
VIDEO, VIDEO_6, ORDINARY = "71.18.1.1", "2404:9dc0:cd01::10", "198.51.100.80"
MEMBERS: Final = ("71.18.0.0/16", "103.136.220.10/32", "2404:9dc0:cd01::/48")
PAIR: Final = "security policies from-zone inside to-zone outside"


def adapter(**options: object) -> JuniperSrx:
    return JuniperSrx(JuniperSrxOptions.model_validate({"lock_wait_seconds": 0, **options}), DeviceName("edge"))


def wish(
    *members: str,
    deny: tuple[str, ...] = ("company",),
    names: tuple[str, ...] = (),
    when: tuple[WeekSpan, ...] | None = None,
    owner: str = OWNER,
    snapshot: str = "0123456789ab",
) -> Desired:
    groups: list[Group] = [AddressGroup(name=DST, members=frozenset(map(ip_network, members or MEMBERS)))]
    targets = [DST]
    if names:
        held = frozenset(DomainName(name, suffix=False) for name in names)
        groups.append(DomainGroup(name=GroupName("fqdn-tiktok"), members=held))
        targets.append(GroupName("fqdn-tiktok"))
    rules = []
    for role in deny:
        sources = GroupName(f"src-{role}")
        groups.append(AddressGroup(name=sources, members=frozenset({ip_network(ROLES.get(role, "10.0.3.0/24"))})))
        rules.append(
            Rule(
                name=RuleName(f"deny-{role}"),
                action=Action.DENY,
                sources=sources,
                destinations=tuple(targets),
                when=when,
            )
        )
    made = tuple(sorted(groups, key=lambda group: group.name))
    return Desired(groups=made, rules=tuple(rules), owner=owner, snapshot=snapshot)


NOTHING: Final = Desired(groups=(), rules=(), owner=OWNER, snapshot="0123456789ab")


@dataclass(frozen=True, slots=True)
class Reached:
    """One device, the place it is served at, and an adapter for it."""

    device: Srx
    at: Served
    using: JuniperSrx
    user: str = "admin"

    @contextmanager
    def session(self) -> Iterator[Session]:
        os.environ[PASSWORD] = self.device.users[self.user].password
        endpoint = Endpoint(
            device=DeviceName("edge"),
            host=self.at.host,
            port=self.at.port,
            username=self.user,
            password=SecretRef("env", PASSWORD),
            key_file=None,
            key_passphrase=None,
            host_keys=(self.at.host_key,),
            budget=timedelta(seconds=60),
        )
        with connect(endpoint, clock=SystemClock()) as session:
            yield session

    def look(self) -> Observed:
        with self.session() as session:
            return self.using.read(session)

    def plan(self, desired: Desired) -> tuple[Observed, Plan]:
        found = self.look()
        return found, diff(found, desired, found.can)

    def push(self, desired: Desired) -> Receipt:
        with self.session() as session:
            found = self.using.read(session)
            return self.using.apply(session, found, diff(found, desired, found.can))

    def holds(self, desired: Desired) -> bool:
        found, plan = self.plan(desired)
        return not found.irregular and plan.is_empty

    def count(self) -> Reading:
        with self.session() as session:
            return self.using.counters(session)

    def hits(self) -> dict[str, int | None]:
        return {rule.rule: rule.hits for rule in self.count().rules}

    def passes(
        self, to: str = VIDEO, source: str = "10.0.1.5", *, port: int = 443, source_port: int = 50_000, **zones: str
    ) -> bool:
        flow = Flow(source=ip_address(source), destination=ip_address(to), port=port, source_port=source_port, **zones)
        with self.device.lock:
            return self.device.forward(flow) is Verdict.PERMIT

    def with_options(self, **options: object) -> Reached:
        given = {**self.using.options.model_dump(exclude_unset=True), **options}
        return replace(self, using=adapter(**given))


@contextmanager
def reached(device: Srx | None = None, *, user: str = "admin", **options: object) -> Iterator[Reached]:
    made = srx() if device is None else device
    with served([made]) as places:
        yield Reached(made, places[made.name], adapter(**options), user)


@contextmanager
def clustered(**options: object) -> Iterator[tuple[Reached, Reached]]:
    """Both nodes of one cluster, the first of them primary."""
    clock = ManualClock(NOON)
    nodes = srx(clock=clock), srx(name="edge-b", clock=clock)
    pair(*nodes)
    with served(nodes) as places:
        first, second = (Reached(node, places[node.name], adapter(**options)) for node in nodes)
        yield first, second


def clock_of(device: Srx) -> ManualClock:
    assert isinstance(device.clock, ManualClock)
    return device.clock


def typed(device: Srx, *lines: str) -> None:
    """By the owner's hand, and in force."""
    keyboard = configuring(device, *lines)
    assert "commit complete" in keyboard.type("commit")
    keyboard.type("exit")
    keyboard.leave()


def foreign(device: Srx) -> str:
    """All of the configuration that is not of our name."""
    return "\n".join(line for line in active(device).splitlines() if "tokgate" not in line)
