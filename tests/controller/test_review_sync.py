"""What device work records when something goes wrong in the middle of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.desired import rule_name
from controller.inventory import Device
from controller.model import Outcome
from controller.store import Store
from core.clock import ManualClock
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import an_exception, offices, snapshot
from vendors.model import Action, AddressGroup, GroupName, Rule

MINUTE = timedelta(minutes=1)


def in_force(store: Store, *networks: str) -> Snapshot:
    """A snapshot of these networks, saved and put in force."""
    made = snapshot(*networks)
    made = replace(made, id=content_id(made.services))
    store.save_snapshot(made)
    store.set_current(made.id)
    return made


@pytest.fixture
def work(tmp_path: Path, store: Store, clock: ManualClock) -> tuple[Bench, Firewall, Device]:
    in_force(store, "103.136.220.0/23", "16.162.0.0/24")
    made, firewall = bench(tmp_path, store, offices(tmp_path), clock)
    return made, firewall, made.inventory.device("fw-berlin")


Work = tuple[Bench, Firewall, Device]


# --- exceptions that the store does not know -------------------------------------------------------------------------


def test_an_exception_that_the_store_does_not_know_is_counted_and_taken_off(work: Work, clock: ManualClock) -> None:
    """A store put back from a backup is older than what the gateways hold: that must not freeze them as they are."""
    made, firewall, device = work
    assert made.sync(device, start_run(made.store, clock)).outcome is Outcome.APPLIED
    stranger = an_exception("10.20.1.7").id
    held = firewall.state
    assert held is not None
    group = AddressGroup(name=GroupName(f"exc-{stranger}"), members=frozenset(an_exception("10.20.1.7").sources))
    rule = Rule(
        name=rule_name(Action.EXEMPT, stranger),
        action=Action.EXEMPT,
        sources=group.name,
        destinations=(GroupName("dst-tiktok"),),
    )
    firewall.state = replace(
        held,
        groups=tuple(sorted((*held.groups, group), key=lambda g: g.name)),
        rules=(held.rules[0], rule, *held.rules[1:]),
    )
    firewall.hits = {rule.name: 3}
    clock.advance(MINUTE)
    assert [e.exception for e in made.collect(device)] == [stranger]
    result = made.sync(device, start_run(made.store, clock))
    assert (result.outcome, result.error) == (Outcome.APPLIED, None)
    assert rule.name not in {r.name for r in firewall.state.rules}
