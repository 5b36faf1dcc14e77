"""Counters are believable: they grow with traffic, survive changes, and say when they began anew (I11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tests.contract.rig import TIKTOK, Rig, is_untouched, look, plan, push
from tests.contract.test_changes import EVERY_WAY, blocked, holds
from tests.contract.wishes import DEDICATED, DST, networks, wish
from vendors.errors import Unreadable
from vendors.model import Action, Reading, RuleCount

pytestmark = pytest.mark.root


def counters(rig: Rig) -> Reading:
    with rig.session() as session:
        return rig.adapter().counters(session)


def count(reading: Reading, action: Action = Action.DENY) -> RuleCount:
    (found,) = [rule for rule in reading.rules if rule.action is action]
    return found


def test_i11_counters_grow_by_exactly_what_was_tried(rig: Rig) -> None:
    push(rig, wish(rig, exempt=("marketing",), deny=("company", "marketing")))
    assert {rule.hits for rule in counters(rig).rules} == {0}
    for _ in range(3):
        rig.clients["company"].browse(EVERY_WAY[0])
    rig.clients["marketing"].browse(EVERY_WAY[0])
    by_name = {rule.rule: rule for rule in counters(rig).rules}
    denied = by_name[next(name for name in by_name if name == "deny-company")]
    assert (denied.hits, denied.packets, denied.octets) == (3, 3, 3 * 60)
    (excused,) = [rule for rule in by_name.values() if rule.action is Action.EXEMPT]
    assert excused.hits == 1
    assert (excused.packets or 0) > 1, "an exempted connection goes on after its first packet"
    assert by_name[next(name for name in by_name if name == "deny-marketing")].hits == 0


def test_who_and_what_is_told(rig: Rig) -> None:
    push(rig, wish(rig))
    rig.clients["company"].browse(*EVERY_WAY)
    reading = counters(rig)
    client = rig.clients["company"]
    seen = {(flow.source, flow.destination): flow for flow in reading.flows}
    assert set(seen) == {
        (ip_address(client.v4), ip_address(TIKTOK.v4)),
        (ip_address(client.v6), ip_address(TIKTOK.v6)),
    }
    for flow in seen.values():
        assert flow.action is Action.DENY
        assert (flow.packets or 0) >= 2
        assert abs(datetime.now(UTC) - flow.last_seen) < timedelta(seconds=30)
    entries = {entry.network: entry for entry in reading.entries if entry.group == DST}
    assert (entries[ip_network(TIKTOK.v4)].packets or 0) >= 2
    assert entries[ip_network("71.18.0.0/16")].packets == 0
    assert not reading.flows_truncated


def test_i11_counters_outlive_every_change_of_lists_and_rules(rig: Rig) -> None:
    push(rig, wish(rig))
    rig.clients["company"].browse(EVERY_WAY[0])
    before = count(counters(rig))
    push(rig, wish(rig, members=DEDICATED | networks("192.0.2.0/24"), exempt=("guest",)))
    push(rig, wish(rig))
    after = count(counters(rig))
    assert after == before
    assert after.hits == 1


def test_i11_a_rule_that_went_and_came_counts_in_a_new_epoch(rig: Rig) -> None:
    push(rig, wish(rig))
    before = count(counters(rig))
    push(rig, wish(rig, deny=(), monitor=("company",)))
    push(rig, wish(rig))
    after = count(counters(rig))
    assert after.epoch != before.epoch
    assert counters(rig).epoch.startswith(counters(rig).epoch)


def test_i11_a_reset_by_hand_shows_as_less(rig: Rig) -> None:
    push(rig, wish(rig))
    rig.clients["company"].browse(*EVERY_WAY)
    before = count(counters(rig))
    rig.reset_counters()
    after = count(counters(rig))
    assert (before.hits, after.hits) == (4, 0)
    assert after.epoch == before.epoch, "nothing was made anew: only the smaller value tells"


def test_i11_a_reboot_that_loses_the_table_is_an_error_then_a_new_epoch(loose_rig: Rig) -> None:
    rig = loose_rig
    push(rig, wish(rig))
    before = counters(rig)
    rig.reboot(persisted=False)
    with pytest.raises(Unreadable, match="not on the gateway"):
        counters(rig)
    assert look(rig).mark is None
    push(rig, wish(rig))
    assert counters(rig).epoch != before.epoch
    assert blocked(rig, "company", *EVERY_WAY) == set(EVERY_WAY)


def test_what_was_kept_for_the_boot_enforces_and_needs_no_change(loose_rig: Rig) -> None:
    rig = loose_rig
    push(rig, wish(rig))
    push(rig, wish(rig, members=DEDICATED | networks("192.0.2.0/24"), exempt=("marketing",), monitor=("guest",)))
    before = counters(rig)
    rig.reboot(persisted=True)
    wanted = wish(rig, members=DEDICATED | networks("192.0.2.0/24"), exempt=("marketing",), monitor=("guest",))
    assert blocked(rig, "company", *EVERY_WAY) == set(EVERY_WAY)
    observed, change = plan(rig, wanted)
    assert is_untouched(observed)
    assert change.is_empty
    assert counters(rig).epoch != before.epoch
    assert holds(rig, wanted)
