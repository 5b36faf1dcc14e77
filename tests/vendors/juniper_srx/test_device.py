"""The SRX adapter against an emulated SRX, over real SSH on the loopback."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from lab.emulators.faults import Faults, Moment
from lab.emulators.srx import Model, Srx, Switches, User
from tests.lab.emulators.srx import SITE, Keyboard, active, configuring, operating, srx
from tests.vendors.juniper_srx.fleet import (
    MEMBERS,
    NOTHING,
    ORDINARY,
    PAIR,
    VIDEO,
    Reached,
    clock_of,
    clustered,
    foreign,
    reached,
    typed,
    wish,
)
from vendors.errors import DeviceError, NotPrivileged, NotVerified, Refused, Uncertain, Unreadable
from vendors.juniper_srx import facts, transaction

GUEST = (
    "set security zones security-zone guest interfaces ge-0/0/2.0\n"
    "set security policies from-zone guest to-zone outside policy all match source-address any\n"
    "set security policies from-zone guest to-zone outside policy all match destination-address any\n"
    "set security policies from-zone guest to-zone outside policy all match application any\n"
    "set security policies from-zone guest to-zone outside policy all then permit\n"
)


def order(device: Srx, place: str = PAIR) -> list[str]:
    """The policies of one place, as they stand."""
    lines = [line for line in active(device).splitlines() if line.startswith(f"set {place} policy ")]
    return list(dict.fromkeys(line.removeprefix(f"set {place} policy ").split()[0] for line in lines))


# --- where our policies stand ---------------------------------------------------------------------------------------


def test_all_puts_a_deny_on_top_of_every_pair_and_of_the_global_ones() -> None:
    with reached(srx(base=SITE + GUEST)) as at:
        at.push(wish())
        assert order(at.device) == ["tokgate-deny-company", "no-telnet", "staff-out"]
        assert order(at.device, "security policies from-zone guest to-zone outside")[0] == "tokgate-deny-company"
        assert order(at.device, "security policies global") == ["tokgate-deny-company", "web-in"]
        assert not at.passes(inside="guest")
        assert at.passes(ORDINARY, inside="guest")


def test_a_pair_that_comes_later_is_drift_and_gets_the_deny_too() -> None:
    with reached() as at:
        at.push(wish())
        lines = GUEST.replace("set security policies from-zone guest to-zone outside policy", "set {} policy").format(
            *["security policies from-zone guest to-zone outside"] * 4
        )
        typed(at.device, *lines.splitlines())
        assert at.passes(inside="guest")
        assert not at.holds(wish())
        at.push(wish())
        assert at.holds(wish())
        assert not at.passes(inside="guest")


def test_the_devices_own_traffic_is_left_alone() -> None:
    pairs = ("from-zone inside to-zone junos-host", "from-zone junos-host to-zone outside")
    base = SITE + "".join(GUEST.partition("\n")[2].replace("from-zone guest to-zone outside", pair) for pair in pairs)
    with reached(srx(base=base)) as at:
        at.push(wish())
        for pair in pairs:
            assert order(at.device, f"security policies {pair}") == ["all"]


@pytest.mark.parametrize(
    ("place", "where", "then"),
    [
        pytest.param({"from_zone": "inside", "to_zone": "outside"}, PAIR,
                     ["tokgate-deny-company", "tokgate-deny-marketing", "no-telnet", "staff-out"], id="top"),
        pytest.param({"from_zone": "inside", "to_zone": "outside", "placement": {"before": "staff-out"}}, PAIR,
                     ["no-telnet", "tokgate-deny-company", "tokgate-deny-marketing", "staff-out"], id="before"),
        pytest.param({"from_zone": "inside", "to_zone": "outside", "placement": {"after": "no-telnet"}}, PAIR,
                     ["no-telnet", "tokgate-deny-company", "tokgate-deny-marketing", "staff-out"], id="after"),
        pytest.param({"from_zone": "inside", "to_zone": "outside", "placement": {"after": "staff-out"}}, PAIR,
                     ["no-telnet", "staff-out", "tokgate-deny-company", "tokgate-deny-marketing"], id="last"),
        pytest.param({"placement": {"before": "web-in"}}, "security policies global",
                     ["tokgate-deny-company", "tokgate-deny-marketing", "web-in"], id="global-before"),
        pytest.param({"placement": {"after": "web-in"}}, "security policies global",
                     ["web-in", "tokgate-deny-company", "tokgate-deny-marketing"], id="global-after"),
    ],
)  # fmt: skip
def test_policies_stand_at_the_anchor_that_is_named(place: dict[str, object], where: str, then: list[str]) -> None:
    both = wish(deny=("company", "marketing"))
    with reached(places=[place]) as at:
        owners = foreign(at.device)
        at.push(both)
        assert order(at.device, where) == then
        assert at.holds(both)
        others = [p for p in (PAIR, "security policies global") if p != where]
        assert all("tokgate" not in name for other in others for name in order(at.device, other))
        typed(at.device, f"insert {where} policy tokgate-deny-marketing before policy tokgate-deny-company")
        assert not at.holds(both), "the order of our own is ours"
        at.push(both)
        assert order(at.device, where) == then
        at.push(NOTHING)
        assert foreign(at.device) == owners
        assert "tokgate-deny" not in active(at.device)


def test_another_anchor_moves_them_and_nobody_else() -> None:
    with reached(places=[{"from_zone": "inside", "to_zone": "outside"}]) as at:
        at.push(wish())
        owners = foreign(at.device)
        low = at.with_options(
            places=[{"from_zone": "inside", "to_zone": "outside", "placement": {"after": "no-telnet"}}]
        )
        assert not low.holds(wish())
        low.push(wish())
        assert order(at.device) == ["no-telnet", "tokgate-deny-company", "staff-out"]
        assert foreign(at.device) == owners


@pytest.mark.parametrize(
    ("place", "says"),
    [
        pytest.param({"from_zone": "insde", "to_zone": "outside"}, "Security zone must be defined", id="zone"),
        pytest.param({"placement": {"before": "web-inn"}}, "no policy 'web-inn'", id="anchor"),
        pytest.param({"placement": {"after": "staff-out"}}, "no policy 'staff-out'", id="an-anchor-of-another-place"),
    ],
)
def test_a_misspelt_place_is_refused_with_nothing_changed(place: dict[str, object], says: str) -> None:
    with reached(places=[place]) as at:
        before = active(at.device)
        with pytest.raises(Refused, match=says):
            at.push(wish())
        assert active(at.device) == before
        assert not at.device.database.dirty
        configuring(at.device)  # the lock is free again


def test_an_anchor_that_goes_away_is_told_and_the_denies_stay() -> None:
    with reached(places=[{"placement": {"before": "web-in"}}]) as at:
        at.push(wish())
        typed(at.device, "rename security policies global policy web-in to policy web-too")
        found = at.look()
        assert any("no policy 'web-in'" in line for line in found.irregular)
        assert [rule.name for rule in found.rules] == ["deny-company"]
        with pytest.raises(Refused, match="web-in"):
            at.push(wish(*MEMBERS, "192.0.2.0/24"))
        assert order(at.device, "security policies global") == ["tokgate-deny-company", "web-too"]


OFF = ("security policies", "security", PAIR)


@pytest.mark.parametrize("above", OFF)
def test_what_the_owner_deactivated_above_ours_is_told_and_left_to_him(above: str) -> None:
    with reached(places=[{"from_zone": "inside", "to_zone": "outside"}]) as at:
        at.push(wish())
        typed(at.device, f"deactivate {above}")
        assert any("deactivated by its owner" in line for line in at.look().irregular)
        assert at.look().rules == ()
        before = active(at.device)
        with pytest.raises(Refused, match="deactivated by its owner"):
            at.push(wish(*MEMBERS, "192.0.2.0/24"))
        assert active(at.device) == before
        typed(at.device, f"activate {above}")
        assert at.holds(wish())


def test_a_pair_whose_policies_are_deactivated_is_no_place_of_ours() -> None:
    with reached(srx(base=SITE + GUEST)) as at:
        typed(at.device, "deactivate security policies from-zone guest to-zone outside")
        at.push(wish())
        assert at.holds(wish())
        assert order(at.device, "security policies from-zone guest to-zone outside") == ["all"]


# --- who else is at it ----------------------------------------------------------------------------------------------


def test_i01_a_candidate_that_somebody_left_is_neither_used_nor_thrown_away() -> None:
    with reached() as at:
        keyboard = configuring(at.device, "set system host-name other", mode="configure")
        keyboard.leave()
        before = active(at.device)
        with pytest.raises(Refused, match="somebody left changes"):
            at.push(wish())
        assert active(at.device) == before
        assert at.device.database.dirty


@pytest.mark.parametrize("prefixed", [False, True])
def test_the_refusal_over_a_candidate_is_known_in_both_forms(prefixed: bool) -> None:
    with reached(srx(switches=Switches(modified_prefix=prefixed))) as at:
        configuring(at.device, "set system host-name other", mode="configure").leave()
        with pytest.raises(Refused, match="somebody left changes"):
            at.push(wish())


def test_i08_a_lock_is_told_with_its_holder() -> None:
    with reached() as at:
        holder = configuring(at.device)
        with pytest.raises(Refused, match=r"locked.*admin terminal p0 \(pid \d+\)"):
            at.push(wish())
        holder.type("exit")
        at.push(wish())
        assert at.holds(wish())


class GivesUp(Faults):
    """Whoever holds the lock leaves when he is asked for it the second time."""

    def __init__(self, holder: Keyboard) -> None:
        super().__init__()
        self.holder, self.asked = holder, 0

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        self.asked += line == "configure exclusive"
        if self.asked == 2:
            self.holder.leave()
        return super().next_line(line)


def test_i08_a_lock_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "_SECONDS_BETWEEN", 0.01)
    with reached(lock_wait_seconds=30) as at:
        at.device.faults = GivesUp(configuring(at.device))
        at.push(wish())
        assert at.holds(wish())


def test_a_line_that_the_device_refuses_is_told_in_its_words() -> None:
    """A release with shorter names: `load complete` comes all the same, and the good part stays in the candidate."""
    name = f"{'a' * 30}.{'b' * 30}.{'c' * 30}.example"
    with reached(srx(model=Model(dns_name=63))) as at:
        before = active(at.device)
        with pytest.raises(Refused, match=r"lines of the change were refused.*Must be a valid DNS name"):
            at.push(wish(names=(name,)))
        assert active(at.device) == before
        assert not at.device.database.dirty


def test_a_commit_between_the_reading_and_the_lock_refuses() -> None:
    with reached() as at, at.session() as session:
        found = at.using.read(session)
        plan = at.plan(wish())[1]
        typed(at.device, "set security zones security-zone lab")
        before = active(at.device)
        with pytest.raises(Refused, match="committed since the device was read"):
            at.using.apply(session, found, plan)
        assert active(at.device) == before


def test_somebodys_confirmed_commit_is_not_confirmed_by_us() -> None:
    with reached() as at:
        theirs = configuring(at.device, "set security zones security-zone lab")
        theirs.type("commit confirmed 10")
        theirs.type("exit")
        with pytest.raises(Refused, match="waits to be confirmed"):
            at.push(wish())
        clock_of(at.device).advance(timedelta(minutes=10))
        assert "security-zone lab" not in active(at.device), "it went back by itself, as its owner wanted"
        at.push(wish())
        assert at.holds(wish())


def test_a_login_without_the_right_to_configure_is_told_so() -> None:
    device = srx(users={"reader": User(password="x", configure=False)})
    with reached(device, user="reader") as at, pytest.raises(NotPrivileged, match="configure exclusive"):
        at.push(wish())


def test_i01_what_a_person_made_under_our_name_is_left_alone() -> None:
    with reached() as at:
        typed(at.device, "set security address-book global address tokgate-x 192.0.2.9/32")
        with pytest.raises(Refused, match="belong to nobody"):
            at.push(wish())
        at.with_options(adopt=True).push(wish())
        assert at.holds(wish())
        assert "tokgate-x" not in active(at.device)


def test_i01_without_the_mark_the_descriptions_tell_whose_it_is() -> None:
    with reached() as at:
        at.push(wish())
        gone = "delete security address-book global address tokgate-_mark"
        typed(at.device, gone)
        with pytest.raises(Refused, match="01kb000000000000000000tkga"):
            at.push(wish(owner="01kb000000000000000000zzzz"))
        at.push(wish())
        assert at.holds(wish())


# --- the commit that takes itself back --------------------------------------------------------------------------------


class DiesAt(Faults):
    """The session dies at the first line of this pattern."""

    def __init__(self, words: str, moment: Moment) -> None:
        super().__init__(moment=moment)
        self.words = words

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        if self.words and re.fullmatch(self.words, line):
            self.words, self.drop_at = "", self.lines + 1
        return super().next_line(line)


@pytest.mark.parametrize(
    ("words", "moment", "pending"),
    [
        pytest.param("commit confirmed .*", "before", False, id="the-commit-never-came"),
        pytest.param("commit confirmed .*", "after", True, id="the-commits-answer-was-lost"),
        pytest.param("commit", "before", True, id="the-confirmation-never-came"),
        pytest.param("commit", "after", False, id="the-confirmations-answer-was-lost"),
    ],
)
def test_i05_a_session_that_dies_before_it_confirms_leaves_the_old_state_by_the_clock(
    words: str, moment: Moment, pending: bool
) -> None:
    more = wish(*MEMBERS, "192.0.2.0/24")
    with reached(confirm_minutes=7) as at:
        at.push(wish())
        old = active(at.device)
        at.device.faults = DiesAt(words, moment)
        with pytest.raises(Uncertain):
            at.push(more)
        assert (at.device.database.pending is not None) is pending
        if pending:
            clock_of(at.device).advance(timedelta(minutes=6))
            assert "192.0.2.0" in active(at.device), "not before its time"
            clock_of(at.device).advance(timedelta(minutes=1))
            assert active(at.device) == old
        assert at.holds(wish()) or at.holds(more)
        at.push(more)
        assert at.holds(more)


@pytest.mark.parametrize("words", ["commit confirmed .*", "commit"])
def test_i05_the_next_change_ends_what_one_that_died_left_waiting(words: str) -> None:
    more = wish(*MEMBERS, "192.0.2.0/24")
    with reached() as at:
        at.push(wish())
        at.device.faults = DiesAt(words, "before" if words == "commit" else "after")
        with pytest.raises(Uncertain):
            at.push(more)
        found, plan = at.plan(more)
        assert found.irregular == (facts.WAITS,)
        assert not plan.is_empty, "else it goes back by itself, unseen"
        receipt = at.push(more)
        assert receipt.observed.irregular == ()
        assert at.device.database.pending is None
        clock_of(at.device).advance(timedelta(minutes=30))
        assert at.holds(more)


def test_a_commit_that_waits_is_ours_only_with_our_owners_name() -> None:
    with reached() as at:
        at.push(wish())
        theirs = configuring(at.device, "set security zones security-zone lab")
        theirs.type('commit confirmed 10 comment "tokgate 01kb000000000000000000zzzz 0123456789ab"')
        theirs.type("exit")
        with pytest.raises(Refused, match="waits to be confirmed"):
            at.push(wish(*MEMBERS, "192.0.2.0/24"))


def test_a_change_that_the_device_holds_otherwise_is_taken_back() -> None:
    """A box that clears host bits behind our back never gets a mark for what it does not hold."""
    with reached() as at, at.session() as session:
        at.push(wish())
        before = active(at.device)
        found, plan = at.plan(wish(*MEMBERS, "192.0.2.0/24"))
        honest = at.using.read

        class Lying(type(at.using)):  # type: ignore[misc]
            """Whose second look sees what somebody made of it."""

            def read(self, session: object) -> object:
                return found

        with pytest.raises(NotVerified, match="the old state was restored"):
            Lying(at.using.options, at.using.device).apply(session, found, plan)
        assert active(at.device) == before
        assert honest(session).mark == found.mark


@pytest.mark.parametrize(
    "words",
    [
        "error: configuration check-out failed\n",
        "error: commit failed: (validation hook evaluation failed)\n",
    ],
)
@pytest.mark.parametrize("good", [0, 1])
def test_a_check_or_a_commit_that_fails_leaves_a_clean_candidate(words: str, good: int) -> None:
    with reached() as at:
        before = active(at.device)
        fine = ["configuration check succeeds\n"] * good
        at.device.mishaps.commit_failures = [*fine, words]
        with pytest.raises(Refused, match="nothing was committed"):
            at.push(wish())
        assert active(at.device) == before
        assert not at.device.database.dirty
        assert at.device.database.exclusive is None
        at.push(wish())
        assert at.holds(wish())


def test_a_lock_that_a_dead_session_left_behind_is_a_persons_to_break() -> None:
    with reached(srx(switches=Switches(stale_lock=True))) as at:
        at.push(wish())
        at.device.faults.lines = 0
        at.push(wish(*MEMBERS, "192.0.2.0/24"))
        half = at.device.faults.lines // 2
        at.device.faults.arm(half, "after")
        with pytest.raises(DeviceError):
            at.push(wish())
        with pytest.raises(Refused, match="request system logout"):
            try:
                at.push(wish())
            except Refused as refused:
                raise Refused(f"{refused.message} {refused.hint}") from refused
        (editor,) = at.device.database.editors
        operating(at.device).type(f"request system logout pid {editor.pid}")
        at.push(wish())
        assert at.holds(wish())


# --- a chassis cluster ------------------------------------------------------------------------------------------------


def test_only_the_primary_node_is_written_to() -> None:
    with clustered() as (first, second):
        before = active(first.device)
        with pytest.raises(Refused, match="this node of the cluster is secondary"):
            second.push(wish())
        assert active(first.device) == before
        first.push(wish())
        assert first.holds(wish())
        assert second.holds(wish()), "one configuration for both nodes"
        assert not first.passes()


def test_a_failover_is_noticed_and_the_other_node_takes_the_changes() -> None:
    with clustered() as (first, second):
        first.push(wish())
        first.device.fail_over()
        with pytest.raises(Refused, match="secondary"):
            first.push(wish(*MEMBERS, "192.0.2.0/24"))
        second.push(wish(*MEMBERS, "192.0.2.0/24"))
        assert second.holds(wish(*MEMBERS, "192.0.2.0/24"))
        assert not second.passes("192.0.2.9")


def test_i11_hits_of_both_nodes_count() -> None:
    with clustered() as (first, second):
        first.push(wish())
        for _ in range(3):
            assert not first.passes()
        first.device.fail_over()
        assert not second.passes()
        assert first.hits() == second.hits() == {"deny-company": 4}


def test_i11_a_node_that_boots_or_goes_down_alone_changes_its_own_count() -> None:
    with clustered() as (first, second):
        first.push(wish())
        assert not first.passes()
        before = first.count()
        clock_of(first.device).advance(timedelta(minutes=4))
        second.device.reboot()
        assert not first.passes()
        after = first.count()
        assert before.epoch == after.epoch
        old, new = ({unit.unit: unit for unit in reading.rules[0].units} for reading in (before, after))
        assert (new["node0"].epoch, new["node0"].hits - old["node0"].hits) == (old["node0"].epoch, 1)
        assert new["node1"].epoch != old["node1"].epoch
        second.device.down = True
        assert [unit.unit for unit in first.count().rules[0].units] == ["node0"]


# --- counters and the log ---------------------------------------------------------------------------------------------

LAYOUTS = (Model(), Model(hit_layout="plain"), Model(hit_layout="lower"))


@pytest.mark.parametrize("model", LAYOUTS, ids=lambda model: model.hit_layout)
def test_i11_hits_are_read_in_every_layout_with_names_that_run_over(model: Model) -> None:
    long = "a-role-with-a-name-of-many-letters"
    both = wish(deny=("company", long))
    with reached(srx(model=model, base=SITE + GUEST)) as at:
        at.push(both)
        assert at.hits() == {"deny-company": 0, f"deny-{long}": 0}
        assert not at.passes()
        assert not at.passes(source="10.0.3.9")
        assert not at.passes(source="10.0.3.9", inside="guest")
        assert at.hits() == {"deny-company": 1, f"deny-{long}": 2}


def test_i11_a_reboot_changes_the_epoch_and_a_policy_without_a_row_is_an_error() -> None:
    with reached() as at:
        at.push(wish())
        before = at.count()
        at.device.reboot()
        clock_of(at.device).advance(timedelta(minutes=4))
        at.device.booted = at.device.clock.now()
        assert at.count().epoch != before.epoch
        at.device.engine.rules = [rule for rule in at.device.engine.rules if "tokgate" not in rule.node.value]
        with pytest.raises(Unreadable, match="no hit count of tokgate-deny-company"):
            at.count()


LOGS = {
    "plain": "set system syslog file policy any any\n",
    "structured": "set system syslog file policy any any\nset security log format sd-syslog\n",
}


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_who_was_denied_is_read_from_the_file_that_is_named(log: str) -> None:
    with reached(srx(base=SITE + log), log_file="policy") as at:
        at.push(wish())
        assert not at.passes()
        assert not at.passes("103.136.220.10", "10.0.1.7")
        assert not at.passes(port=23, to=ORDINARY), "denied by the owner's own policy"
        flows = at.count().flows
        assert {(str(flow.source), str(flow.destination)) for flow in flows} == {
            ("10.0.1.5", VIDEO),
            ("10.0.1.7", "103.136.220.10"),
        }
        assert at.using.capabilities.source_capture


def test_a_full_page_of_denials_is_told_as_cut() -> None:
    with reached(srx(base=SITE + LOGS["plain"]), log_file="policy", log_rows=3) as at:
        at.push(wish())
        for number in range(2):
            assert not at.passes(source=f"10.0.1.{number}")
        assert not at.count().flows_truncated
        for number in range(3):
            assert not at.passes(source=f"10.0.1.{number}")
        reading = at.count()
        assert reading.flows_truncated
        assert len(reading.flows) == 3


# --- terminals --------------------------------------------------------------------------------------------------------


def test_a_pager_that_was_not_switched_off_loses_no_line() -> None:
    with reached() as at, at.session() as session:
        with session.shell(replace(facts.DIALECT, quiet=())) as paged:
            shown = paged.ask(facts.CONFIGURATION).text
        with session.shell(facts.DIALECT) as whole:
            assert shown == whole.ask(facts.CONFIGURATION).text
        assert len(shown.splitlines()) > 30


@pytest.mark.parametrize("host", ["srx-1.branch.example", "a", "node0"])
def test_prompts_with_any_host_name(host: str) -> None:
    with reached(srx(base=SITE.replace("host-name edge", f"host-name {host}"))) as at:
        at.push(wish())
        assert at.holds(wish())


def test_root_lands_in_a_shell_and_is_brought_out_of_it() -> None:
    with reached(srx(users={"root": User(password="x")}), user="root") as at:
        at.push(wish())
        assert at.holds(wish())


def test_a_notice_of_a_waiting_commit_is_no_answer() -> None:
    with reached() as at:
        theirs = configuring(at.device, "set security zones security-zone lab")
        theirs.type("commit confirmed 10")
        found = at.look()
        assert found.extra["pending"] == "yes"
        assert found.irregular == ()
        theirs.type("commit")
        assert at.look().extra["pending"] == ""
        assert at.look().extra["commit"] != ""
        assert at.look().extra["version"] == "24.4R1.9"


_PAIR = "security policies from-zone inside to-zone outside policy tokgate-deny-company"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"set {_PAIR} then permit", "denies nothing as one of ours: then permit"),
        (f"delete {_PAIR} then log", "is not in the form that we write: no then log session-init"),
    ],
)
def test_drift_says_what_somebody_made_of_a_policy(line: str, says: str) -> None:
    with reached() as at:
        at.push(wish())
        hand = configuring(at.device)
        hand.type(line)
        assert "commit complete" in hand.type("commit")
        hand.leave()
        assert any(says in odd for odd in at.look().irregular), at.look().irregular


# --- doctor -----------------------------------------------------------------------------------------------------------


def findings(at: Reached) -> dict[str, tuple[bool, str]]:
    with at.session() as session:
        return {one.check: (one.ok, one.message) for one in at.using.doctor(session)}


def test_the_doctor_says_what_is_missing_and_changes_nothing() -> None:
    with reached(srx(base=SITE.replace("set system name-server 192.0.2.53\n", ""))) as at:
        before = active(at.device)
        told = findings(at)
        assert active(at.device) == before
        assert told["reading"][0]
        assert told["counters"][0]
        assert told["rollback"][0]
        assert not told["domains"][0]
        assert not told["open sessions"][0]
        typed(at.device, "set security policies policy-rematch", "set system name-server 192.0.2.1")
        told = findings(at)
        assert told["open sessions"][0]
        assert told["domains"][0]
        at.push(wish())
        assert "marked by controller" in findings(at)["owner"][1]


def test_the_doctor_knows_a_secondary_node() -> None:
    with clustered() as (first, second):
        assert findings(first)["cluster"] == (True, "primary")
        assert findings(second)["cluster"] == (False, "secondary")
