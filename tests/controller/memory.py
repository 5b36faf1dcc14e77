"""A firewall in memory behind the real device work: it holds what it is told and fails where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from controller.emergencies import EmergencyDesk
from controller.inventory import Device, Inventory
from controller.locks import DeviceLocks
from controller.model import Run
from controller.planning import Limits
from controller.store import Store
from controller.sync import Worker
from core.clock import Clock, ManualClock
from core.ids import RunId, new_id
from tests.vendors.playing import EVERYTHING
from vendors.adapter import Adapter, Script, Session
from vendors.diff import mark_of
from vendors.errors import Refused
from vendors.feeding import ip_feed
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    Desired,
    FeedList,
    FlowCount,
    Mark,
    Observed,
    Plan,
    Reading,
    Receipt,
    RuleCount,
    RuleName,
)
from vendors.session import SessionLimiter


@dataclass
class Firewall:
    """Its state, and what goes wrong: ``on[step]`` is called when the work comes to that step, and may raise."""

    clock: Clock
    state: Desired | None = None
    hits: dict[RuleName, int] = field(default_factory=dict)
    flows: tuple[FlowCount, ...] = ()
    on: dict[str, Callable[[], None]] = field(default_factory=dict)
    pulls: bool = False
    refuses: str = ""  # what stands against any change
    stamp: Mark | None = None  # what it carries when a hand has changed what it holds
    notes: tuple[str, ...] = ()  # of each change
    wall: Callable[[], datetime] | None = None  # what its clock shows; None: it tells no time, and keeps no week
    epoch: str = "e"  # of its counters
    capabilities: Capabilities = EVERYTHING

    def _come_to(self, step: str) -> None:
        self.on.get(step, lambda: None)()

    @property
    def mark(self) -> Mark | None:
        return self.stamp or (mark_of(self.state) if self.state else None)

    def observed(self) -> Observed:
        held = self.state
        return Observed(
            groups=held.groups if held else (),
            rules=held.rules if held else (),
            mark=self.mark,
            foreign="f",
            epoch="e",
            can=EVERYTHING,
            wall_time=self.wall() if self.wall else None,
        )

    def read(self, session: object) -> Observed:
        self._come_to("read")
        return self.observed()

    def refuse(self, current: Observed, plan: Plan) -> None:
        if self.refuses:
            raise Refused(self.refuses, hint="ask whose it is")

    def apply(self, session: object, current: Observed, plan: Plan) -> Receipt:
        self._come_to("before-apply")
        self.state = plan.desired
        self._come_to("after-apply")
        return Receipt(observed=self.observed(), commands=1, flows_cut=0, timings={}, notes=self.notes)

    def feeds(self, current: Observed, desired: Desired) -> tuple[FeedList, ...]:
        """Every address list that it denies, when it is one that pulls."""
        groups = [g for g in desired.groups if isinstance(g, AddressGroup) and g.name.startswith("dst-")]
        return tuple(ip_feed(group.name, group.members) for group in groups) if self.pulls else ()

    def render(self, current: Observed, plan: Plan) -> Script:
        return Script(text=f"{len(plan.steps)} steps\n")

    def counters(self, session: object) -> Reading:
        self._come_to("counters")
        rules = self.state.rules if self.state else ()
        return Reading(
            epoch=self.epoch,
            read_at=self.clock.now(),
            rules=tuple(
                RuleCount(
                    rule=r.name,
                    action=r.action,
                    epoch="1",
                    hits=self.hits.get(r.name, 0),
                    packets=self.hits.get(r.name, 0),
                    octets=60 * self.hits.get(r.name, 0),
                )
                for r in rules
                if r.action is not Action.SPARE
            ),
            flows=self.flows,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench(Worker):
    """The device work, with the firewall in memory at the end of every login."""

    firewall: Firewall

    @contextmanager
    def session(self, device: Device, run: RunId | None) -> Iterator[tuple[Adapter, Session]]:
        with self.locks.hold(device.name):
            self.firewall._come_to("login")
            yield cast(Adapter, self.firewall), cast(Session, None)


def bench(folder: Path, store: Store, inventory: Inventory, clock: ManualClock) -> tuple[Bench, Firewall]:
    """The work over a real store, and the firewall that it works on."""
    firewall = Firewall(clock)
    made = Bench(
        firewall=firewall,
        store=store,
        inventory=inventory,
        clock=clock,
        locks=DeviceLocks(store.locks),
        limiter=SessionLimiter(4),
        limits=Limits(),
        transcripts=folder / "transcripts",
        freshness=timedelta(minutes=10),
        emergencies=EmergencyDesk(store, inventory, clock),
    )
    return made, firewall


def start_run(store: Store, clock: Clock) -> RunId:
    """A run, recorded, that device work can belong to."""
    run = Run(id=RunId(new_id()), trigger="test", actor="test", started_at=clock.now(), finished_at=None)
    store.start_run(run)
    return run.id
