"""What was set aside is counted, some of it is kept, and a flood of it fills nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.evidence import setting_aside
from controller.evidence.model import Quarantine, Rejected
from controller.store import QuarantineQuery, Store
from core.clock import ManualClock
from core.ids import SiteName

BERLIN = SiteName("berlin")
U, S = Quarantine.UNREADABLE, Quarantine.STRANGER


def one(number: int = 0, *, why: Quarantine = U, origin: str = "syslog udp 192.0.2.1", count: int = 1) -> Rejected:
    site = BERLIN if why is U else None
    return Rejected(why=why, origin=origin, text=f"line {number}", detail="of no known format", site=site, count=count)


def test_each_is_counted_and_the_last_few_are_kept(store: Store, clock: ManualClock) -> None:
    first = clock.now()
    store.set_aside(one(n) for n in range(25))
    clock.advance(timedelta(minutes=1))
    store.set_aside([one(25), one(26, why=S, origin="syslog udp 198.51.100.9", count=40)])
    strangers, unread = store.quarantined(QuarantineQuery(), limit=10)
    assert (unread.count, unread.first_at, unread.last_at) == (26, first, clock.now())
    assert [sample.text for sample in unread.samples] == [f"line {n}" for n in range(25, 15, -1)]
    assert (strangers.count, strangers.site, strangers.why) == (40, None, S)
    assert store.quarantine_sums() == {U: 26, S: 40}


def test_a_list_has_filters_pages_and_reach(store: Store, clock: ManualClock) -> None:
    for n in range(5):
        store.set_aside([one(n, origin=f"syslog tcp 192.0.2.{n}"), one(n, why=S, origin=f"syslog tcp 198.51.100.{n}")])
        clock.advance(timedelta(minutes=1))
    mine = QuarantineQuery(sites=frozenset({BERLIN}))
    assert {one.why for one in store.quarantined(mine, limit=50)} == {U}, "strangers are of no site"
    page = store.quarantined(mine, limit=2)
    rest = store.quarantined(mine, limit=9, before=(page[-1].last_at, page[-1].id))
    assert [one.origin[-1] for one in [*page, *rest]] == ["4", "3", "2", "1", "0"]
    assert store.quarantined_count(QuarantineQuery(why=S), most=100) == 5
    assert [one.origin for one in store.quarantined(QuarantineQuery(text="LINE 3", why=U), limit=9)] == [
        "syslog tcp 192.0.2.3"
    ]
    assert len(store.quarantined(QuarantineQuery(since=clock.now() - timedelta(minutes=2)), limit=9)) == 4


def test_forged_addresses_fill_no_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.store.quarantine.MOST", 20)
    store.set_aside(one(n, why=S, origin=f"syslog udp 198.51.100.{n}") for n in range(15))
    for block in range(4):
        store.set_aside(one(n, why=S, origin=f"syslog udp 203.0.{block}.{n}") for n in range(100))
    store.set_aside(one(1, why=S, origin="syslog udp 198.51.100.1") for _ in range(30))
    found = {one.origin: one.count for one in store.quarantined(QuarantineQuery(), limit=100)}
    assert len(found) == 16
    assert found["syslog udp others"] == 400
    assert found["syslog udp 198.51.100.1"] == 31, "who is known is still told apart"
    assert setting_aside.MOST <= 5_000


def test_housekeeping_drops_what_no_longer_happens(store: Store, clock: ManualClock) -> None:
    store.set_aside([one()])
    clock.advance(timedelta(days=10))
    store.housekeeping(retention=timedelta(days=11))
    assert store.quarantined_count(QuarantineQuery(), most=9) == 1
    store.housekeeping(retention=timedelta(days=8))
    assert store.quarantined_count(QuarantineQuery(), most=9) == 0
