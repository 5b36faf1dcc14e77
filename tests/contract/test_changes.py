"""Changes: what is sent, what packets then meet, and that a second plan is empty."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from tests.contract.rig import DEVICE, NEIGHBOUR, SHARED, TIKTOK, Rig, is_untouched, look, plan, push
from tests.contract.wishes import DEDICATED, DST, NAMES, networks, wish
from vendors.adapter import Finding
from vendors.codec import desired_digest
from vendors.errors import CapacityExceeded, DeviceError, Refused
from vendors.model import AddMembers, Desired, RemoveMembers
from vendors.registry import ADAPTERS

pytestmark = pytest.mark.root

EVERY_WAY = (f"tcp:{TIKTOK.v4}:443", f"udp:{TIKTOK.v4}:443", f"tcp:{TIKTOK.v6}:443", f"udp:{TIKTOK.v6}:443")
OTHERS = (f"tcp:{NEIGHBOUR.v4}:443", f"tcp:{NEIGHBOUR.v6}:443", f"udp:{NEIGHBOUR.v4}:443")


def blocked(rig: Rig, role: str, *targets: str) -> set[str]:
    return {target for target, result in rig.clients[role].browse(*targets).items() if result.is_blocked}


def holds(rig: Rig, desired: Desired) -> bool:
    """Read back, untouched, to the digest, and with nothing left to do."""
    observed, rest = plan(rig, desired)
    return (
        is_untouched(observed)
        and observed.mark is not None
        and rest.is_empty
        and (observed.mark.desired == desired_digest(rest.desired))
    )


def test_every_adapter_of_the_registry_is_under_contract() -> None:
    from tests.contract import test_emulated
    from tests.contract.rig import RIGS

    assert {*RIGS, *(rig.vendor for rig in test_emulated.RIGS)} == set(ADAPTERS)


def test_root_needs_no_sudo(root_rig: Rig) -> None:
    push(root_rig, wish(root_rig, names=NAMES))
    assert blocked(root_rig, "company", *EVERY_WAY) == set(EVERY_WAY)
    assert holds(root_rig, wish(root_rig, names=NAMES))


def test_i03_the_first_push_blocks_and_the_second_plan_is_empty(rig: Rig) -> None:
    before = blocked(rig, "company", *EVERY_WAY)
    receipt = push(rig, wish(rig))
    assert before == set()
    assert blocked(rig, "company", *EVERY_WAY, *OTHERS) == set(EVERY_WAY)
    assert blocked(rig, "guest", *EVERY_WAY) == set(), "a role without a rule is not judged"
    assert is_untouched(receipt.observed)
    assert holds(rig, wish(rig))


def test_i03_adding_one_prefix_sends_one_member(rig: Rig) -> None:
    many = DEDICATED | {IPv4Network((0x0B000000 + (n << 10), 24)) for n in range(2_000)}
    push(rig, wish(rig, members=many))
    more = wish(rig, members=many | networks("192.0.2.0/24"))
    observed, change = plan(rig, more)
    assert change.steps == (AddMembers(group=DST, networks=networks("192.0.2.0/24")),)
    script = rig.adapter().render(observed, change)
    assert len(script.text) <= 1024
    assert "11.0.0.0/24" not in script.text
    push(rig, more)
    assert holds(rig, more)


def test_i03_removing_one_prefix_sends_one_member(rig: Rig) -> None:
    push(rig, wish(rig))
    fewer = wish(rig, members=DEDICATED - networks(TIKTOK.v4))
    observed, change = plan(rig, fewer)
    assert change.steps == (RemoveMembers(group=DST, networks=networks(TIKTOK.v4)),)
    assert len(rig.adapter().render(observed, change).text) <= 1024
    push(rig, fewer)
    assert blocked(rig, "company", *EVERY_WAY) == {f"tcp:{TIKTOK.v6}:443", f"udp:{TIKTOK.v6}:443"}
    assert holds(rig, fewer)


def test_an_exception_stands_above_the_deny_and_goes_again(rig: Rig) -> None:
    push(rig, wish(rig, deny=("company", "marketing")))
    push(rig, wish(rig, deny=("company", "marketing"), exempt=("marketing",)))
    assert blocked(rig, "marketing", *EVERY_WAY) == set()
    assert blocked(rig, "company", *EVERY_WAY) == set(EVERY_WAY)
    push(rig, wish(rig, deny=("company", "marketing")))
    assert blocked(rig, "marketing", *EVERY_WAY) == set(EVERY_WAY)


def test_i15_an_exception_opens_nothing_that_the_owner_closes(rig: Rig) -> None:
    """The owner rejects mail; taking marketing out of our deny does not take it out of his."""
    push(rig, wish(rig, deny=("company", "marketing"), exempt=("marketing",)))
    assert blocked(rig, "marketing", f"tcp:{TIKTOK.v4}:25") == {f"tcp:{TIKTOK.v4}:25"}


def test_monitor_counts_and_stops_nothing(rig: Rig) -> None:
    push(rig, wish(rig, deny=(), monitor=("guest",)))
    assert blocked(rig, "guest", *EVERY_WAY) == set()
    with rig.session() as session:
        (counted,) = rig.adapter().counters(session).rules
    assert counted.hits == len(EVERY_WAY)
    assert (counted.packets or 0) > len(EVERY_WAY), "what follows the first packet is counted too"


def test_spared_destinations_are_not_judged(rig: Rig) -> None:
    push(rig, wish(rig, spared=networks(f"{TIKTOK.v4}/32")))
    assert blocked(rig, "company", *EVERY_WAY) == {f"tcp:{TIKTOK.v6}:443", f"udp:{TIKTOK.v6}:443"}


def test_names_are_blocked_by_live_answers_and_neighbours_are_not(rig: Rig) -> None:
    by_name, neighbour = f"tcp:{SHARED.name}:443", f"tcp:{NEIGHBOUR.name}:443"
    rig.clients["company"].browse(by_name)  # dnsmasq remembers the answer from before we came
    push(rig, wish(rig, names=NAMES))
    assert blocked(rig, "company", by_name, neighbour) == {by_name}
    assert holds(rig, wish(rig, names=NAMES))
    push(rig, wish(rig))
    assert blocked(rig, "company", by_name) == set()


def test_names_are_blocked_again_after_the_table_was_lost(rig: Rig) -> None:
    """What dnsmasq remembers feeds no new set: it has to forget when the sets are made anew."""
    by_name = f"tcp:{SHARED.name}:443"
    push(rig, wish(rig, names=NAMES))
    assert blocked(rig, "company", by_name) == {by_name}
    rig.damage("the table gone")
    assert blocked(rig, "company", by_name) == set()
    push(rig, wish(rig, names=NAMES))
    assert blocked(rig, "company", by_name) == {by_name}


def test_i04_a_list_that_goes_whole_leaves_none_behind_and_comes_back(rig: Rig) -> None:
    """As when a person withdraws the last address of a service: its names are blocked as before."""
    by_name, by_address = f"tcp:{SHARED.name}:443", f"tcp:{TIKTOK.v4}:443"
    names = wish(rig, members=(), names=NAMES)
    push(rig, wish(rig, names=NAMES))
    receipt = push(rig, names)
    assert not any(group.name.startswith("dst-") for group in receipt.observed.groups)
    assert blocked(rig, "company", by_name) == {by_name}
    assert holds(rig, names)
    nothing = wish(rig, members=())
    push(rig, nothing)
    assert blocked(rig, "company", by_name, by_address) == set()
    assert holds(rig, nothing)
    push(rig, wish(rig, names=NAMES))
    assert blocked(rig, "company", by_name, by_address) == {by_name, by_address}


def test_only_the_mark_moves_when_nothing_else_does(rig: Rig) -> None:
    push(rig, wish(rig))
    later = wish(rig, snapshot="fedcba987654")
    assert push(rig, later).observed.mark == plan(rig, later)[0].mark
    assert holds(rig, later)


def test_open_connections_to_what_is_newly_denied_end(rig: Rig) -> None:
    client = rig.clients["company"]
    ready = f"/tmp/{DEVICE}-{client.namespace.name}"
    held = _hold(client, ready)
    receipt = push(rig, wish(rig))
    outcome = held.communicate(timeout=20)[0]
    assert receipt.flows_cut is not None
    assert receipt.flows_cut >= 1
    assert '"outcome": "reset"' in outcome or '"outcome": "refused"' in outcome, outcome


def test_taking_a_prefix_away_ends_no_connection(rig: Rig) -> None:
    push(rig, wish(rig))
    client = rig.clients["guest"]
    held = _hold(client, f"/tmp/{DEVICE}-{client.namespace.name}", seconds=1)
    assert push(rig, wish(rig, members=DEDICATED - networks("71.18.0.0/16"))).flows_cut == 0
    assert '"outcome": "ok"' in held.communicate(timeout=20)[0]


def _hold(client, ready: str, seconds: float = 8):  # type: ignore[no-untyped-def]
    import subprocess
    from pathlib import Path

    from lab.processes import wait_until

    Path(ready).unlink(missing_ok=True)
    options = ["--hold", ready, "--deadline", str(seconds)]
    held = subprocess.Popen(client.command(f"tcp:{TIKTOK.v4}:443", options=options), stdout=subprocess.PIPE, text=True)
    assert wait_until(Path(ready).exists, seconds=5)
    Path(ready).unlink()
    return held


# --- guards ---------------------------------------------------------------------------------------------------------


def test_i07_more_than_the_device_takes_is_refused_before_anything_is_sent(rig: Rig) -> None:
    push(rig, wish(rig))
    with pytest.raises(CapacityExceeded):
        push(rig, wish(rig, members=DEDICATED | networks("192.0.2.0/24")), max_entries=5)
    assert holds(rig, wish(rig))


def test_i01_another_controllers_objects_are_left_alone_until_a_person_says_adopt(rig: Rig) -> None:
    push(rig, wish(rig, owner="01kb000000000000000000tkgb"))
    with pytest.raises(Refused, match="01kb000000000000000000tkgb"):
        push(rig, wish(rig))
    assert holds(rig, wish(rig, owner="01kb000000000000000000tkgb"))
    push(rig, wish(rig), adopt=True)
    assert holds(rig, wish(rig))


def test_i01_what_another_controller_kept_for_the_boot_is_left_alone_too(loose_rig: Rig) -> None:
    rig = loose_rig
    push(rig, wish(rig, owner="01kb000000000000000000tkgb"))
    rig.reboot(persisted=False)  # its rules are not back yet
    with pytest.raises(Refused, match="01kb000000000000000000tkgb"):
        push(rig, wish(rig))
    push(rig, wish(rig), adopt=True)
    assert holds(rig, wish(rig))


def test_two_writers_end_in_the_state_of_one_of_them(rig: Rig) -> None:
    """Both plan from the same reading; the second change meets another state than it was made for."""
    push(rig, wish(rig))
    first, second = (wish(rig, members=DEDICATED | networks(n)) for n in ("192.0.2.0/24", "198.18.0.0/15"))
    adapter = rig.adapter()
    with rig.session() as one, rig.session() as other:
        observed, change = plan(rig, first)
        _, rival = plan(rig, second)
        adapter.apply(one, observed, change)
        with pytest.raises(DeviceError):
            adapter.apply(other, observed, rival)
    found = look(rig)
    assert blocked(rig, "company", *EVERY_WAY) == set(EVERY_WAY)
    push(rig, second)
    assert holds(rig, second), found.irregular


def test_a_change_for_a_list_that_moved_is_refused_whole(rig: Rig) -> None:
    push(rig, wish(rig))
    fewer = wish(rig, members=DEDICATED - networks(TIKTOK.v4, "71.18.0.0/16"))
    observed, change = plan(rig, fewer)
    rig.drop_member(TIKTOK.v4)
    with rig.session() as session, pytest.raises(Refused, match="element does not exist"):
        rig.adapter().apply(session, observed, change)
    (left,) = [g for g in look(rig).groups if g.name == DST]
    assert left.members == DEDICATED - networks(TIKTOK.v4)


def test_the_doctor_finds_the_device_prepared(rig: Rig) -> None:
    with rig.session() as session:
        findings = {finding.check: finding for finding in rig.adapter().doctor(session)}
    assert findings["nft"].ok
    assert findings["domains"].ok
    assert findings["persistence"] == Finding(check="persistence", ok=False, message=findings["persistence"].message), (
        "no unit is enabled in the lab, and the doctor says so"
    )
