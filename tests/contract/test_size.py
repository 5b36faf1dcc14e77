"""Lists of a hundred thousand entries, where the platform can: whole, verified, and the least for a change."""

from __future__ import annotations

import pytest

from core.net import Network, networks_of
from tests.contract.rig import TIKTOK, Rig, is_untouched, push
from tests.contract.test_changes import blocked
from tests.contract.wishes import networks, wish
from vendors.diff import diff
from vendors.model import AddMembers

pytestmark = pytest.mark.root

ENTRIES = 100_000


def many(count: int) -> frozenset[Network]:
    """Disjoint, not adjacent /24s of both halves of the address space."""
    return frozenset(networks_of((((n * 3 + 0x0B0000) << 8, ((n * 3 + 0x0B0000) << 8) + 255) for n in range(count)), 4))


def test_a_hundred_thousand_entries_are_held_and_one_more_is_one_more(rig: Rig) -> None:
    target = f"tcp:{TIKTOK.v4}:443"
    rest = frozenset(n for n in many(ENTRIES - 1) if not n.overlaps(next(iter(networks(TIKTOK.v4)))))
    members = rest | networks(TIKTOK.v4)
    wanted = wish(rig, members=members)
    push(rig, wanted)
    assert blocked(rig, "company", target) == {target}
    more = wish(rig, members=members | networks("223.255.0.0/24"))
    adapter = rig.adapter()
    with rig.session() as session:
        observed = adapter.read(session)
        assert is_untouched(observed)
        assert diff(observed, wanted, observed.can).is_empty
        change = diff(observed, more, observed.can)
        assert change.steps == (AddMembers(group=next(g.name for g in more.groups if g.name[:3] == "dst"),
                                           networks=networks("223.255.0.0/24")),)  # fmt: skip
        assert len(adapter.render(observed, change).text) <= 1024
        receipt = adapter.apply(session, observed, change)
    assert is_untouched(receipt.observed)


def test_i11_a_list_that_is_filled_anew_hands_back_what_it_counted(rig: Rig) -> None:
    """Many removals from a long list replace it in one transaction, whose entries then count from nothing."""
    members = many(5_000) | networks(TIKTOK.v4)
    push(rig, wish(rig, members=members))
    rig.clients["company"].browse(f"tcp:{TIKTOK.v4}:443")
    fewer = many(4_000) | networks(TIKTOK.v4)
    receipt = push(rig, wish(rig, members=fewer))
    assert receipt.reading is not None
    (counted,) = [entry for entry in receipt.reading.entries if entry.packets]
    assert (str(counted.network), counted.packets) == (f"{TIKTOK.v4}/32", 1)
    with rig.session() as session:
        (deny,) = rig.adapter().counters(session).rules
    assert deny.hits == 1, "the rule counts on"
