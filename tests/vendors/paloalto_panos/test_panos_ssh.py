"""The PAN-OS adapter over real SSH, against an emulated firewall."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from core.clock import ManualClock, SystemClock
from lab.emulators.faults import Faults, Moment
from lab.emulators.panos import PA_5250, SMALL_VM, PanOs, Switches, pair
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import NOON, SITE, candidate, configuring, operating, panos, positions
from tests.vendors.paloalto_panos.boxes import PASSWORD, USERS, Box, serving
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_text import EMPTY, HANDS, OFFICE, _with, long
from tests.vendors.test_diff import net_group, rule, state
from vendors.diff import diff
from vendors.errors import CapacityExceeded, DeviceError, Refused, Uncertain, Unreachable
from vendors.model import Action
from vendors.paloalto_panos.setform import entries

MORE = _with(OFFICE, "dst-tiktok", "203.0.113.0/24")
GUESTS = state(
    net_group("dst-tiktok", "192.0.2.0/24", "203.0.113.0/24"),
    net_group("src-company", "10.1.0.0/16"),
    net_group("src-guest", "10.2.0.0/16"),
    rules=(
        rule("deny-company", Action.DENY, "src-company", "dst-tiktok"),
        rule("deny-guest", Action.DENY, "src-guest", "dst-tiktok"),
    ),
)


def made(**options: Any) -> PanOs:
    return panos(**{"users": USERS, "clock": SystemClock(), **options})


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


@pytest.fixture
def box() -> Iterator[Box]:
    with serving(made()) as there:
        yield there


def typed(box: Box, *lines: str, user: str = "admin") -> None:
    """Somebody's lines, in force afterwards."""
    with box.device.lock:
        keyboard = configuring(box.device, *lines, user=user)
        said = keyboard.type("commit")
        assert "success" in said, said
        keyboard.type("exit")


def foreign(box: Box) -> str:
    """All that runs and is not of our name, in set form."""
    with box.device.lock:
        keyboard = configuring(box.device, user="admin")
        text = keyboard.type("show")
        keyboard.type("exit")
    return "\n".join(line for line in text.splitlines() if "tokgate" not in line)


# --- there and back ---------------------------------------------------------------------------------------------------


def test_a_firewall_that_nobody_of_us_has_touched(box: Box) -> None:
    observed = box.read()
    assert (observed.groups, observed.rules, observed.mark, observed.irregular) == ((), (), None, ())
    assert observed.extra["login"] == "tokgate"


def test_a_push_is_committed_and_read_back_and_the_rest_is_as_it_was(box: Box) -> None:
    before = foreign(box)
    for desired in (OFFICE, MORE, GUESTS, EMPTY):
        receipt = box.sync(desired)
        assert receipt.observed.irregular == ()
        assert box.holds(desired)
        assert "yes" not in operating(box.device).type("check pending-changes")
        assert foreign(box) == before
    assert not box.device.config_locks
    assert not box.device.commit_locks


def test_the_second_plan_is_empty_and_one_network_is_three_lines(box: Box) -> None:
    box.sync(OFFICE)
    assert box.holds(OFFICE)
    observed = box.read()
    plan = diff(observed, MORE, observed.can)
    assert len(firewall().render(observed, plan).text.splitlines()) == 3


def test_the_rules_stand_above_what_is_there(box: Box) -> None:
    box.sync(GUESTS)
    shown = configuring(box.device, user="admin").type("show rulebase security rules")
    assert list(entries(shown, "rulebase security rules", "vsys1")) == [
        "tokgate-deny-company",
        "tokgate-deny-guest",
        "DNS out",
        "OUT",
    ]


def test_a_long_list_goes_in_and_is_read_back(box: Box) -> None:
    adapter = firewall(max_addresses=20_000)
    desired = long(2_600)
    box.sync(desired, adapter)
    assert box.holds(desired, adapter)


def test_a_small_firewall_says_what_it_takes() -> None:
    with serving(made(model=SMALL_VM)) as box, pytest.raises(CapacityExceeded):
        box.sync(long(2_100))
    with serving(made(model=SMALL_VM)) as box:
        before = foreign(box)
        with pytest.raises(Refused, match="reverted"):
            box.sync(long(2_100), firewall(max_addresses=5_000))
        assert foreign(box) == before
        assert box.holds(EMPTY) is False
        assert box.read().groups == ()


@pytest.mark.parametrize("lines", HANDS.values(), ids=HANDS)
def test_what_a_hand_changed_is_put_right(box: Box, lines: tuple[str, ...]) -> None:
    box.sync(OFFICE)
    mended = [line.replace(" HQ", " desk").replace("NIGHT", "NIGHTS").replace("trust", "inside") for line in lines]
    typed(box, *mended)
    assert not box.holds(OFFICE)
    box.sync(OFFICE)
    assert box.holds(OFFICE)


# --- others -----------------------------------------------------------------------------------------------------------


def test_pending_changes_of_others_refuse_and_are_never_committed(box: Box) -> None:
    box.sync(OFFICE)
    running = box.running()
    bob = configuring(box.device, "set address theirs ip-netmask 198.51.100.9", user="bob")
    with pytest.raises(Refused, match="bob"):
        box.sync(MORE)
    assert box.running() == running
    assert "theirs" in bob.type("show address")
    assert not box.device.config_locks


def test_a_change_that_comes_between_plan_and_push_stops_it(box: Box) -> None:
    box.sync(OFFICE)
    adapter = firewall()
    with box.session() as session:
        observed = adapter.read(session)
        typed(box, *HANDS["a member is gone"])
        with pytest.raises(Refused, match="changed since"):
            adapter.apply(session, observed, diff(observed, MORE, observed.can))
    assert not box.device.config_locks


@pytest.mark.parametrize("kind", ["config", "commit"])
def test_a_lock_of_somebody_else_is_waited_for_and_then_told(box: Box, kind: str) -> None:
    box.sync(OFFICE)
    bob = operating(box.device, "bob")
    assert "uccess" in bob.type(f'request {kind}-lock add comment "my work"')
    with pytest.raises(Refused, match="bob"):
        box.sync(MORE, firewall(lock_wait_seconds=0))
    assert box.holds(OFFICE)

    def give_back() -> None:
        with box.device.lock:
            bob.type(f"request {kind}-lock remove")

    timer = threading.Timer(0.3, give_back)
    timer.start()
    box.sync(MORE, firewall(lock_wait_seconds=20))
    timer.join()
    assert box.holds(MORE)


def test_a_lock_that_a_broken_sync_left_is_ours(box: Box) -> None:
    ours = operating(box.device, "tokgate")
    for kind in ("config", "commit"):
        ours.type(f"request {kind}-lock add")
    box.sync(OFFICE)
    assert not box.device.config_locks
    assert not box.device.commit_locks


def test_another_controllers_objects_are_left_alone(box: Box) -> None:
    theirs = replace(OFFICE, owner="01other")
    box.sync(theirs)
    with pytest.raises(Refused, match="01other"):
        box.sync(OFFICE)
    assert box.holds(theirs)
    box.sync(OFFICE, firewall(adopt=True))
    assert box.holds(OFFICE)


def test_a_stranger_of_our_name_refuses(box: Box) -> None:
    typed(box, "set address tokgate-4-9.9.9.9-32 ip-netmask 9.9.9.9")
    with pytest.raises(Refused, match=r"tokgate-4-9\.9\.9\.9-32"):
        box.sync(OFFICE)


def test_an_object_that_the_owner_uses_is_not_taken_away(box: Box) -> None:
    box.sync(MORE)
    typed(box, "set address-group STAFF static tokgate-4-203.0.113.0-24")
    running = box.running()
    with pytest.raises(Refused, match="STAFF"):
        box.sync(OFFICE)
    assert box.running() == running
    assert "yes" not in operating(box.device).type("check pending-changes")


def test_a_missing_anchor_refuses_before_anything_is_sent(box: Box) -> None:
    with pytest.raises(Refused, match="NO SUCH"):
        box.sync(OFFICE, firewall(placement={"before": "NO SUCH"}))
    box.sync(OFFICE, firewall(placement={"before": "OUT"}))
    assert box.holds(OFFICE, firewall(placement={"before": "OUT"}))
    assert not box.holds(OFFICE, firewall(placement={"after": "OUT"}))


def test_a_zone_that_is_not_there_is_refused_and_reverted(box: Box) -> None:
    with pytest.raises(Refused, match="nowhere"):
        box.sync(OFFICE, firewall(from_zones=["nowhere"]))
    assert box.read().rules == ()


# --- commits ----------------------------------------------------------------------------------------------------------


def test_a_candidate_that_is_not_valid_is_reverted(box: Box) -> None:
    box.sync(OFFICE)
    running = box.running()
    box.device.mishaps.commit_errors.append(("Error: Fail to count address groups",))
    with pytest.raises(Refused, match="Fail to count address groups"):
        box.sync(MORE)
    assert box.running() == running
    assert box.holds(OFFICE)
    box.sync(MORE)
    assert box.holds(MORE)


def test_a_commit_that_the_firewall_refuses_is_reverted(box: Box) -> None:
    box.sync(OFFICE)
    box.device.mishaps.installing = True
    with pytest.raises(Refused, match="install is in progress"):
        box.sync(MORE, firewall(lock_wait_seconds=0))
    assert box.holds(OFFICE)


@dataclass(slots=True)
class Meanwhile(Faults):
    """Somebody acts when a line arrives that begins so, once."""

    at: str = ""
    act: Callable[[], None] | None = None

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        if self.act is not None and line.startswith(self.at):
            act, self.act = self.act, None
            act()
        return Faults.next_line(self, line)


@pytest.mark.parametrize("understood", [True, False])
def test_only_ours_is_reverted_where_somebody_got_past_our_lock(understood: bool) -> None:
    """The lock of one virtual system may not bind those who work in another."""
    with serving(made(switches=Switches(revert_partial=understood))) as box:
        box.sync(OFFICE)
        running = box.running()

        def bob() -> None:
            box.device.load_set("set address theirs ip-netmask 203.0.113.77", admin="bob")
            box.device.mishaps.commit_errors.append(("Error: Fail to count address groups",))

        box.device.faults = Meanwhile(at="validate full", act=bob)
        with pytest.raises(
            Refused if understood else Uncertain, match="reverted" if understood else "could not be reverted"
        ):
            box.sync(MORE)
        assert box.running() == running
        assert "theirs" in candidate(box.device), "what is somebody else's stays"
        assert ("203.0.113.0" in candidate(box.device)) is not understood
        with pytest.raises(Refused, match="bob"):
            box.sync(MORE)
        keyboard = configuring(box.device, user="bob")
        keyboard.type("revert config")
        keyboard.type("exit")
        box.sync(MORE)
        assert box.holds(MORE)


def test_a_question_before_the_commit_is_answered(box: Box) -> None:
    box.device.mishaps.ask_commit = True
    box.sync(OFFICE)
    assert box.holds(OFFICE)


def test_a_slow_commit_is_waited_for(box: Box) -> None:
    box.device.mishaps.commit_takes = timedelta(seconds=1.5)
    box.sync(OFFICE)
    assert box.holds(OFFICE)


def test_a_commit_that_outlasts_the_session_is_uncertain_and_the_next_sync_finds_it(box: Box) -> None:
    box.device.mishaps.commit_takes = timedelta(seconds=3)
    adapter = firewall()
    with box.session(budget=timedelta(seconds=5)) as session:
        observed = adapter.read(session)
        with pytest.raises(Uncertain) as late:
            adapter.apply(session, observed, diff(observed, OFFICE, observed.can))
    assert "raise budget_seconds of the device, 900 or more" in (late.value.hint or "")
    box.device.mishaps.commit_takes = timedelta()
    box.sync(OFFICE)
    assert box.holds(OFFICE)


# --- pairs, virtual systems -------------------------------------------------------------------------------------------


def test_only_the_active_member_is_written_to() -> None:
    active, passive = made(name="edge-a"), made(name="edge-b")
    pair(active, passive)
    with serving(active) as first, serving(passive) as second:
        with pytest.raises(Refused, match="passive"):
            second.sync(OFFICE)
        first.sync(OFFICE)
        assert second.holds(OFFICE)
        active.fail_over()
        with pytest.raises(Refused, match="passive"):
            first.sync(MORE)
        second.sync(MORE)
        assert second.holds(MORE)


VSYS = "\n".join(
    line.replace("set ", "set vsys vsys2 ", 1)
    if line.split()[1]
    in ("address", "address-group", "tag", "rulebase", "zone", "schedule", "service", "service-group")
    else line
    for line in SITE.splitlines()
)


def test_a_virtual_system_is_written_to_alone() -> None:
    with serving(made(model=PA_5250, base=VSYS)) as box:
        before = foreign(box)
        box.sync(OFFICE, firewall(vsys="vsys2"))
        assert box.holds(OFFICE, firewall(vsys="vsys2"))
        assert foreign(box) == before
        with pytest.raises(Refused, match="vsys3"):
            box.sync(OFFICE, firewall(vsys="vsys3"))
        assert foreign(box) == before


def test_a_vsys_on_a_firewall_without_them_is_refused(box: Box) -> None:
    with pytest.raises(Refused, match="vsys2"):
        box.sync(OFFICE, firewall(vsys="vsys2"))


# --- counters ---------------------------------------------------------------------------------------------------------


def seen(box: Box, source: str, destination: str = "192.0.2.7", times: int = 1) -> set[Verdict]:
    """Connection attempts through the firewall."""
    flow = Flow(source=ip_address(source), destination=ip_address(destination), port=443)
    with box.device.lock:
        return {box.device.forward(flow) for _ in range(times)}


def counted(box: Box) -> dict[str, int | None]:
    with box.session() as session:
        return {count.rule: count.hits for count in firewall().counters(session).rules}


@pytest.mark.parametrize("columns", ["seven", "three"])
def test_sessions_that_were_denied_are_counted_by_rule(columns: str) -> None:
    with serving(made(switches=Switches(hit_columns=columns))) as box:  # type: ignore[arg-type]
        box.sync(GUESTS)
        assert counted(box) == {"deny-company": 0, "deny-guest": 0}
        assert seen(box, "10.1.2.3", times=3) == {Verdict.DENY}
        assert seen(box, "10.2.2.3") == {Verdict.DENY}
        assert counted(box) == {"deny-company": 3, "deny-guest": 1}
        box.sync(OFFICE)
        assert counted(box) == {"deny-company": 3}, "a rule that stays keeps its count"


@pytest.mark.parametrize("switches", [Switches(), Switches(csv_header=True), Switches(rule_deny_subtype="deny")])
def test_who_was_denied_is_told_by_the_log(switches: Switches) -> None:
    with serving(made(switches=switches)) as box:
        box.sync(OFFICE)
        seen(box, "10.1.2.3", times=2)
        seen(box, "10.1.9.9", "198.51.100.7")
        with box.session() as session:
            reading = firewall().counters(session)
        assert [(str(f.source), str(f.destination)) for f in reading.flows] == [
            ("10.1.2.3", "192.0.2.7"),
            ("10.1.9.9", "198.51.100.7"),
        ]
        assert all(abs(f.last_seen - reading.read_at) < timedelta(minutes=5) for f in reading.flows)
        assert not reading.flows_truncated


def test_a_rule_that_was_made_anew_counts_anew_and_says_so() -> None:
    clock = ManualClock(NOON)
    with serving(made(clock=clock)) as box:
        epochs = set()
        for _ in range(2):
            box.sync(OFFICE)
            with box.session() as session:
                epochs.add(firewall().counters(session).rules[0].epoch)
            typed(box, *HANDS["the rule is gone"])
            clock.advance(timedelta(seconds=2))
        assert len(epochs) == 2


# --- what no source settles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("switch", "position"), positions().values(), ids=positions())
def test_it_works_at_every_position_of_every_switch(switch: str, position: object) -> None:
    with serving(made(switches=Switches(**{switch: position}))) as box:  # type: ignore[arg-type]
        before = foreign(box)
        for desired in (OFFICE, GUESTS, OFFICE):
            box.sync(desired)
            assert box.holds(desired)
        typed(
            box, *HANDS["the rule is about a zone"][:1], "set rulebase security rules tokgate-deny-company from inside"
        )
        assert not box.holds(OFFICE)
        box.sync(OFFICE)
        assert box.holds(OFFICE)
        assert foreign(box) == before


# --- sessions that die ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.timeout(1200)
def test_i05_killed_at_every_line_what_runs_is_old_or_new_and_the_next_sync_ends_it(
    moment: Moment, request: pytest.FixtureRequest
) -> None:
    """Every line in the long run (`-m soak`), every sixth otherwise, other ones for either moment."""
    step = 1 if "soak" in (request.config.option.markexpr or "") else 6
    with serving(made()) as box:
        before = foreign(box)
        box.sync(OFFICE)
        old = box.running()
        box.device.faults.lines = 0
        box.sync(GUESTS)
        count, new = box.device.faults.lines, box.running()
        assert count > 60
        for line in range(1 + 3 * (moment == "after") % step, count + 1, step):
            box.sync(OFFICE)
            box.device.faults.arm(line, moment)
            with contextlib.suppress(Unreachable, Uncertain, Refused):
                box.sync(GUESTS)
            box.device.faults.drop_at = None
            assert box.running() in (old, new), f"line {line}"
            box.sync(GUESTS)
            assert box.holds(GUESTS), f"line {line}"
            assert foreign(box) == before
            assert not box.device.config_locks, f"line {line}"


def test_an_answer_that_is_cut_is_no_reading(box: Box) -> None:
    box.sync(OFFICE)
    box.device.faults.lines = 0
    box.read()
    for line in range(1, box.device.faults.lines + 1):
        box.device.faults.arm(line, "after", cut=40)
        try:
            with pytest.raises(DeviceError):
                box.read()
        finally:
            box.device.faults.drop_at = None
    assert box.holds(OFFICE)


def test_doctor_reads_and_changes_nothing(box: Box) -> None:
    box.sync(OFFICE)
    running = box.running()
    with box.session() as session:
        findings = {finding.check: finding for finding in firewall().doctor(session)}
    assert findings["version"].message == "PA-VM, PAN-OS 10.1.6"
    assert findings["writing"].ok
    assert findings["config lock"].ok
    assert box.running() == running
