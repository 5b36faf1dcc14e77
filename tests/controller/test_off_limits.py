"""What sources declare off limits reaches the gateways that learn from live answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from controller.desired import spared
from controller.store import Store
from core.clock import ManualClock
from core.net import Network, parse_network
from ipsets.model import Confidence, Dedication, Indicator, Snapshot
from ipsets.offlimits import ALLOWED, APP, PUBLISHED
from ipsets.snapshot import content_id
from ipsets.sources import ManualConfig
from ipsets.sources.source import indicator
from tests.controller.memory import bench
from tests.controller.offices import offices, snapshot

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PARTNER, CDN = parse_network("5.5.5.0/24"), parse_network("5.5.6.0/24")


def declared(network: Network, category: str) -> Indicator:
    return indicator(
        network,
        source="manual:ours",
        seen=NOW,
        app=APP,
        category=category,
        confidence=Confidence.HIGH,
        dedication=Dedication.NEVER,
        detail="ticket 4711",
    )


def in_force(store: Store) -> Snapshot:
    made = snapshot("103.136.220.0/23")
    made = replace(
        made,
        id=content_id(made.services),
        indicators=(*made.indicators, declared(PARTNER, ALLOWED), declared(CDN, PUBLISHED)),
    )
    store.save_snapshot(made)
    store.set_current(made.id)
    return made


def test_i07_what_people_allow_is_spared_and_what_operators_publish_when_the_policy_says_so(
    tmp_path: Path, store: Store, clock: ManualClock
) -> None:
    in_force(store)
    made, _ = bench(tmp_path, store, offices(tmp_path), clock)
    device = made.inventory.device("fw-berlin")
    facts = made.facts(device)
    blocking = replace(facts, policy=facts.policy.model_copy(update={"shared_addresses": "block"}))
    sparing = replace(facts, policy=facts.policy.model_copy(update={"shared_addresses": "spare"}))
    assert [touches(spared(f, device), PARTNER) for f in (blocking, sparing)] == [True, True]
    assert [touches(spared(f, device), CDN) for f in (blocking, sparing)] == [False, True]


def test_i07_an_allow_in_the_inventory_holds_before_the_next_refresh(
    tmp_path: Path, store: Store, clock: ManualClock
) -> None:
    """Also while a pinned snapshot is in force, which knows nothing of it."""
    in_force(store)
    own = {"kind": "manual", "entries": [{"allow": "103.136.220.0/24", "reason": "ticket 4712", "owner": "netops"}]}
    inventory = offices(tmp_path)
    intelligence = inventory.intelligence.model_copy(update={"sources": (ManualConfig.model_validate(own),)})
    before, _ = bench(tmp_path, store, inventory, clock)
    after, _ = bench(tmp_path, store, inventory.model_copy(update={"intelligence": intelligence}), clock)
    device = inventory.device("fw-berlin")
    allowed = parse_network("103.136.220.0/24")
    assert [touches(spared(made.facts(device), device), allowed) for made in (before, after)] == [False, True]


def touches(networks: tuple[Network, ...], network: Network) -> bool:
    return any(network.version == n.version and network.subnet_of(n) for n in networks)  # type: ignore[arg-type]
