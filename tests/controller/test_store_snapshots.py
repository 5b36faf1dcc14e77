"""Snapshots in the store: what is in force is what was put in force, verified each time it is read anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from controller.audit import AuditNote
from controller.errors import Invalid
from controller.store import SnapshotSummary, Store
from core.clock import ManualClock
from core.ids import SnapshotId
from core.net import DomainName
from ipsets.errors import NoSnapshot, SnapshotCorrupt
from ipsets.model import Confidence, Dedication, Indicator, Provenance, ServiceSet, Snapshot
from ipsets.resolve import SourceRecord
from ipsets.snapshot import content_id
from tests.controller.backends import again, behind

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


def indicator(network: str) -> Indicator:
    return Indicator(
        value=ip_network(network),
        app="tiktok",
        category="announced",
        confidence=Confidence.HIGH,
        dedication=Dedication.DEDICATED,
        sources=(Provenance(source="curated", first_seen=NOW, last_seen=NOW, detail="AS138699"),),
    )


def snapshot(*networks: str, at: datetime = NOW) -> Snapshot:
    found = tuple(ip_network(n) for n in networks)
    services = (ServiceSet(service="tiktok", networks=found, domains=(DomainName("tiktok.com"),)),)
    return Snapshot(
        id=content_id(services),
        created_at=at,
        parent=None,
        services=services,
        indicators=tuple(indicator(n) for n in networks),
        dropped=(),
        source_ages=(("curated", NOW),),
    )


ONE = snapshot("203.0.113.0/24")
TWO = snapshot("203.0.113.0/24", "2001:db8::/32", at=NOW + timedelta(hours=1))


def test_what_is_in_force_is_what_was_put_in_force(store: Store, clock: ManualClock) -> None:
    assert store.current_snapshot() is None
    store.save_snapshot(ONE)
    store.save_snapshot(TWO)
    assert store.current_snapshot() is None
    store.set_current(ONE.id, audit=AuditNote(actor="system", action="snapshot.current", subject=ONE.id[:12]))
    with again(store, clock) as other:
        assert other.current_snapshot() == ONE
        other.set_current(TWO.id)
    assert store.current_snapshot() == TWO
    assert [e.action for e in store.audit_entries()] == ["snapshot.current"]


def test_i02_what_is_not_there_cannot_be_put_in_force(store: Store) -> None:
    store.save_snapshot(ONE)
    store.set_current(ONE.id)
    for unknown in (TWO.id, SnapshotId("not hex"), SnapshotId("")):
        with pytest.raises(NoSnapshot):
            store.set_current(unknown)
    assert store.current_snapshot() == ONE


def test_a_snapshot_is_found_by_how_its_id_begins(store: Store) -> None:
    store.save_snapshot(ONE)
    store.save_snapshot(TWO)
    assert store.snapshot(ONE.id[:12]) == ONE
    assert store.snapshot(TWO.id) == TWO
    for wrong in ("ab", "zzzz", "0" * 64, "%", ONE.id + "0"):
        with pytest.raises(NoSnapshot):
            store.snapshot(wrong)


def test_a_beginning_that_fits_two_is_refused(store: Store) -> None:
    store.save_snapshot(ONE)
    plant(store, ONE.id[:8] + "f" * 56)
    with pytest.raises(Invalid, match="several"):
        store.snapshot(ONE.id[:8])


def plant(store: Store, snapshot_id: str) -> None:
    statement = "INSERT INTO snapshots (id, created_at, networks, domains, body) VALUES (?, 0, 0, 0, '{}')"
    behind(store, statement, snapshot_id)


def test_snapshots_are_listed_newest_first_in_pages(store: Store) -> None:
    for each in (ONE, TWO, ONE):
        store.save_snapshot(each)
    store.set_current(ONE.id)
    new = SnapshotSummary(id=TWO.id, created_at=TWO.created_at, parent=None, networks=2, domains=1, current=False)
    old = SnapshotSummary(id=ONE.id, created_at=NOW, parent=None, networks=1, domains=1, current=True)
    assert store.snapshots() == [new, old]
    assert store.snapshots(limit=1) == [new]
    assert store.snapshots(before=new.id) == [old]
    with pytest.raises(NoSnapshot):
        store.snapshots(before=SnapshotId("abcd"))


@pytest.mark.parametrize("change", ["replace(body, '203.0.113.0/24', '0.0.0.0/0')", "substr(body, 1, 100)", "''"])
def test_i02_a_snapshot_that_was_changed_in_the_store_is_not_used(
    change: str, store: Store, clock: ManualClock
) -> None:
    store.save_snapshot(ONE)
    store.set_current(ONE.id)
    behind(store, f"UPDATE snapshots SET body = {change}")
    with again(store, clock) as other:
        with pytest.raises(SnapshotCorrupt):
            other.current_snapshot()
        assert [line[:17] for line in other.check()] == ["snapshot in force"]


def test_what_is_in_force_outlives_its_age(store: Store, clock: ManualClock) -> None:
    store.save_snapshot(ONE)
    store.save_snapshot(TWO)
    store.set_current(ONE.id)
    clock.advance(timedelta(days=500))
    store.housekeeping(retention=timedelta(days=400))
    assert [s.id for s in store.snapshots()] == [ONE.id]


def test_each_sources_last_word_comes_back_as_it_was(store: Store) -> None:
    good = record("curated", indicators=(indicator("203.0.113.0/24"),))
    failed = record("dns", last_success=None, error_code="TG2001", error="no answer")
    store.save_source_records([good, failed])
    assert store.source_records() == {"curated": good, "dns": failed}
    store.save_source_records({"curated": good})
    assert store.source_records() == {"curated": good}


def record(name: str, **fields: object) -> SourceRecord:
    known: dict[str, object] = {
        "kind": name,
        "last_attempt": NOW,
        "last_success": NOW,
        "error_code": None,
        "error": None,
        "indicators": (),
    }
    return SourceRecord(name=name, **{**known, **fields})  # type: ignore[arg-type]
