"""The FortiOS adapter against an emulated FortiGate, over real SSH on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

import pytest

from core.clock import ManualClock
from core.net import DomainName
from lab.emulators.faults import Moment
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import HostBits, LockText, Mandatory, Model, Switches, TransactionWords
from lab.emulators.server import served
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import NOON, SITE, VDOMS, Keyboard, configuring, fortigate, shown
from tests.vendors.fortinet_fortios.fleet import logged_in, look, push, reached
from tests.vendors.fortinet_fortios.wishes import EMPTY, MEMBERS, OWNER, adapter, wish
from vendors.adapter import Session
from vendors.diff import diff, mark_of
from vendors.errors import DeviceError, NotVerified, Refused, Uncertain, Unreachable, Unreadable
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.model import Desired, Observed, Reading

NAMES = (DomainName("tiktok.com"), DomainName("www.tiktokv.com", suffix=False))
RELEASES = ((6, 0, 7), (6, 2, 4), (6, 4, 4), (7, 0, 13), (7, 4, 8), (7, 6, 2))
SWITCHES = {
    "host bits refused": Switches(host_bits=HostBits.REFUSED),
    "host bits kept": Switches(host_bits=HostBits.KEPT),
    "a plain check": Switches(mandatory=Mandatory.CHECK),
    "empty groups": Switches(empty_group=True),
    "every policy named": Switches(unnamed_policies=False),
    "no script filter": Switches(script_filter=False),
    "wordy transactions": Switches(transaction_words=TransactionWords.WORDY),
    "locks on one line": Switches(lock_text=LockText.ONE_LINE),
    "the role in the prompt": Switches(ha_prompt=True),
    "counters that stay": Switches(counters_survive_reboot=True),
    "no sudo": Switches(sudo=False),
}
STAFF, VIDEO, OTHER = ip_address("10.1.2.3"), ip_address("71.18.1.1"), ip_address("93.184.216.34")


def model(version: tuple[int, int, int], **options: int) -> Model:
    return Model(version=version, **options)  # type: ignore[arg-type]


def foreign(device: FortiGate) -> str:
    """All that is not ours, to the byte."""
    ours = re.compile(r'    edit (?:"tokgate-|\d+\n        set name "tokgate-).*?\n    next\n', re.DOTALL)
    return ours.sub("", re.sub("ENC .*", "ENC", shown(device)))


def denied(device: FortiGate, *flows: tuple[str, str]) -> list[bool]:
    return [
        device.forward(Flow(source=ip_address(source), destination=ip_address(target))) is Verdict.DENY
        for source, target in flows
    ]


def assert_holds(session: Session, using: FortinetFortios, desired: Desired) -> Observed:
    found, again = look(session, using, desired)
    assert found.irregular == ()
    assert again.is_empty
    assert found.mark == mark_of(again.desired)
    return found


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workspace", [True, False])
@pytest.mark.parametrize("version", RELEASES)
def test_lists_come_change_and_go_on_every_release(version: tuple[int, int, int], workspace: bool) -> None:
    device, using = fortigate(model=model(version)), adapter(workspace=workspace)
    owners = foreign(device)
    with reached(device) as session:
        for desired in (wish(domains=NAMES), wish(members=MEMBERS[1:], rules=("deny-company", "deny-guest")), EMPTY):
            push(session, using, desired)
            assert_holds(session, using, desired)
            assert foreign(device) == owners
    assert device.transactions == {}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_nothing_depends_on_what_no_source_settles(switches: Switches) -> None:
    for workspace in (True, False):
        device, using = fortigate(switches=switches), adapter(workspace=workspace)
        with reached(device) as session:
            push(session, using, wish(domains=NAMES))
            push(session, using, wish(members=MEMBERS[1:]))
            assert_holds(session, using, wish(members=MEMBERS[1:]))
            using.counters(session)


def test_what_is_denied_is_denied_in_the_right_place_and_nothing_else() -> None:
    device, using = fortigate(), adapter()

    def flows(last: int) -> list[bool]:
        """From other hosts each time: connections that are open go on."""
        ways = (f"10.0.1.{last}", "71.18.1.1"), (f"10.1.2.{last}", "71.18.1.1"), (f"10.0.1.{last}", "93.184.216.34")
        return denied(device, *ways)

    assert flows(1) == [False, True, False], "nothing of the owner's lets 10.1.2.0 pass"
    with reached(device) as session:
        push(session, using, wish(sources=("10.0.1.0/24",)))
        assert flows(2) == [True, True, False]
        push(session, adapter(placement={"after": "staff"}), wish(sources=("10.0.1.0/24",)))
        assert flows(3) == [False, True, False], "below the policy that lets it pass"


def test_the_pager_is_answered_and_the_console_is_left_alone() -> None:
    device, using = fortigate(base=""), adapter()
    before = shown(device, "system console")
    with reached(device) as session:
        push(session, using, wish(members=[f"10.0.{low}.0/32" for low in range(200)]))
        assert_holds(session, using, wish(members=[f"10.0.{low}.0/32" for low in range(200)]))
    assert shown(device, "system console") == before
    assert "standard" not in before


def test_a_banner_is_accepted() -> None:
    base = f"{SITE}config system global\n    set post-login-banner enable\nend\n"
    device, using = fortigate(base=base, post_banner="Authorized people only."), adapter()
    with reached(device) as session:
        push(session, using, wish())
        assert_holds(session, using, wish())


def test_a_long_list_is_streamed() -> None:
    many = [f"10.{high}.{low}.0/24" for high in range(2) for low in range(250)]
    device, using = fortigate(), adapter()
    with reached(device) as session:
        receipt = push(session, using, wish(members=many))
        assert receipt.timings["change"] < timedelta(seconds=20)
        assert_holds(session, using, wish(members=many))


# --- places where nothing is written --------------------------------------------------------------------------------


def multi(*names: str) -> FortiGate:
    vdoms = "".join(f"config vdom\nedit {name}\nend\n" for name in names)
    return fortigate(base=VDOMS + vdoms)


def test_one_vdom_is_changed_and_the_others_are_not() -> None:
    device, using = multi("branch"), adapter(vdom="branch")
    with reached(device) as session:
        push(session, using, wish())
        assert_holds(session, using, wish())
        assert adapter(vdom="root").read(session).mark is None
    assert sorted(device.config.vdoms) == ["branch", "root"]


@pytest.mark.parametrize("workspace", [True, False])
def test_a_misspelt_vdom_is_refused_and_not_made(workspace: bool) -> None:
    device, using = multi("branch"), adapter(vdom="brunch", workspace=workspace)
    with reached(device) as session, pytest.raises(Refused, match="no VDOM brunch; the device has branch, root"):
        using.read(session)
    assert sorted(device.config.vdoms) == ["branch", "root"]


def test_the_plan_shows_the_vdom_and_the_transaction_that_its_lines_stand_in() -> None:
    using = adapter(vdom="branch")
    with reached(multi("branch")) as session:
        shown = using.render(*look(session, using, wish())).shown.splitlines()
    assert shown[:3] == ["config vdom", "edit branch", "execute config-transaction start 1"]
    assert shown[-1] == "execute config-transaction commit"


def test_vdoms_are_named_exactly_when_there_are_some() -> None:
    with reached(multi("branch")) as session, pytest.raises(Refused, match="none is named"):
        adapter().read(session)
    with reached(fortigate()) as session, pytest.raises(Refused, match="no VDOMs"):
        adapter(vdom="root").read(session)


def test_a_secondary_unit_is_read_and_never_written() -> None:
    first, second, using = fortigate(), fortigate(name="FGT2", serial="FG100FTK00000002"), adapter()
    first.pair(second)
    before = shown(second)
    with reached(second) as session:
        found, plan = look(session, using, wish())
        with pytest.raises(Refused, match="not the primary"):
            using.apply(session, found, plan)
    assert shown(second) == before


MANAGED = 'config system central-management\nset type fortimanager\nset fmg "192.0.2.99"\n{}end\n'


def test_a_device_under_a_manager_is_refused_with_the_reason() -> None:
    device = fortigate()
    device.load(MANAGED.format(""))
    before = shown(device)
    with reached(device) as session:
        found, plan = look(session, adapter(), wish())
        with pytest.raises(Refused, match=r"FortiManager \(192\.0\.2\.99\), whose next installation"):
            adapter().apply(session, found, plan)
    assert shown(device) == before


def test_objects_of_another_controller_are_refused_unless_adopted() -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish(owner="0other"))
        before = shown(device)
        with pytest.raises(Refused, match="controller 0other"):
            push(session, using, wish())
        assert shown(device) == before
        push(session, adapter(adopt=True), wish())
        assert_holds(session, using, wish())


def test_objects_of_another_controller_whose_mark_is_gone_are_refused_too() -> None:
    device = fortigate()
    with reached(device) as session:
        push(session, adapter(), wish(owner="0other"))
        configuring(device, "firewall address", 'delete "tokgate-_mark"', "end")
        with pytest.raises(Refused, match="controller 0other"):
            push(session, adapter(), wish())


def test_a_strangers_object_of_our_name_is_refused_unless_adopted() -> None:
    device, using = fortigate(), adapter()
    configuring(device, "firewall address", 'edit "tokgate-mine"', "set subnet 10.9.0.0 255.255.0.0", "next", "end")
    with reached(device) as session:
        with pytest.raises(Refused, match="tokgate-mine has our name"):
            push(session, using, wish())
        push(session, adapter(adopt=True), wish())
        assert_holds(session, using, wish())


# --- refusals half-way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workspace", [True, False])
@pytest.mark.parametrize("room", [8, 10, 12, 14])
def test_a_device_that_gets_full_holds_what_it_held(workspace: bool, room: int) -> None:
    device, using = fortigate(), adapter(workspace=workspace)
    with reached(device) as session:
        push(session, using, wish(members=MEMBERS[:1]))
        before = shown(device)
        taken = len(device.config.entries("root", "firewall address"))
        many = [f"10.0.{low}.0/32" for low in range(200)]
        device.model = model((7, 4, 8), addresses=taken + room)
        with pytest.raises(Refused, match="maximum number of entries"):
            push(session, using, wish(members=many))
    assert shown(device) == before


@pytest.mark.parametrize("words", LockText)
def test_a_lock_of_another_administrator_is_waited_for_and_then_told(words: LockText) -> None:
    device, using = fortigate(switches=Switches(lock_text=words)), adapter(lock_seconds=0)
    with reached(device) as session:
        push(session, using, wish())
        before = shown(device)
        other = Keyboard(device)
        other.type("execute config-transaction start 10")
        other.all("config firewall addrgrp", 'edit "tokgate-dst-tiktok"', 'set comment "mine"', "next", "end")
        with pytest.raises(Refused, match="another transaction holds"):
            push(session, using, wish(members=MEMBERS[1:]))
        assert shown(device) == before
        other.type("execute config-transaction abort")
        push(session, using, wish(members=MEMBERS[1:]))
        assert_holds(session, using, wish(members=MEMBERS[1:]))


def test_a_change_by_somebody_else_since_the_plan_was_made_stops_it() -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
        found, plan = look(session, using, wish(members=MEMBERS[1:]))
        configuring(device, "firewall policy", "move 900001 after 3", "end")
        before = shown(device)
        with pytest.raises(Refused, match="changed since it was read"):
            using.apply(session, found, plan)
        assert shown(device) == before


@pytest.mark.parametrize("mode", ["manual", "revert"])
@pytest.mark.parametrize("save", [True, False])
def test_what_the_device_does_not_save_by_itself_is_saved(mode: str, save: bool) -> None:
    device, using = fortigate(), adapter(save=save)
    configuring(device, "system global", f"set cfg-save {mode}", "end")
    Keyboard(device).type("execute cfg save")
    with reached(device) as session:
        assert using.read(session).can.persistence is save
        push(session, using, wish())
    device.reboot()
    with reached(device) as session:
        assert (using.read(session).mark is not None) is save


# --- hands ----------------------------------------------------------------------------------------------------------

HANDS = {
    "moved": ("firewall policy", "move 900001 after 3"),
    "deleted": ("firewall policy", "delete 900001"),
    "disabled": ("firewall policy", "edit 900001", "set status disable", "next"),
    "turned to accept": ("firewall policy", "edit 900001", "set action accept", "next"),
    "a member more": ("firewall addrgrp", 'edit "tokgate-dst-tiktok"', 'append member "CDN"', "next"),
    "a member less": (
        "firewall addrgrp",
        'edit "tokgate-dst-tiktok"',
        'unselect member "tokgate-4-71.18.0.0-16"',
        "next",
    ),
    "another subnet": ("firewall address", 'edit "tokgate-4-71.18.0.0-16"', "set subnet 9.0.0.0 255.0.0.0", "next"),
    "another kind": (
        "firewall address",
        'edit "tokgate-4-71.18.0.0-16"',
        "set type iprange",
        "set start-ip 9.0.0.1",
        "set end-ip 9.0.0.9",
        "next",
    ),
    "renamed": ("firewall address", 'rename "tokgate-4-71.18.0.0-16" to "theirs"'),
    "a new name": ("firewall policy", "edit 900001", 'set name "theirs"', "next"),
    "the mark": ("firewall address", 'delete "tokgate-_mark"'),
}  # fmt: skip


@pytest.mark.parametrize("hand", HANDS)
def test_what_a_hand_did_is_seen_and_put_right(hand: str) -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
        path, *lines = HANDS[hand]
        configuring(device, path, *lines, "end")
        assert not look(session, using, wish())[1].is_empty
        push(session, using, wish())
        assert_holds(session, using, wish())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("set action accept",), "denies nothing as one of ours: action accept"),
        (("set status disable",), "denies nothing as one of ours: status disable"),
        (('set srcaddr "STAFF"',), "denies nothing as one of ours: its lists are not ours"),
        (("set logtraffic disable",), "is not as we wrote it: logtraffic disable"),
        (('set schedule "WORK"',), "denies nothing as one of ours: schedule WORK"),
        (("unset comments",), "has lost its comment"),
    ],
)
def test_drift_says_what_somebody_made_of_a_policy(lines: tuple[str, ...], says: str) -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
        configuring(device, "firewall policy", "edit 900001", *lines, "next", "end")
        assert any(says in line for line in using.read(session).irregular), using.read(session).irregular


def test_a_device_that_was_wiped_is_filled_again() -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
    with reached(fortigate()) as session:
        push(session, using, wish())
        assert_holds(session, using, wish())


# --- broken sessions ------------------------------------------------------------------------------------------------

BEFORE = wish(sources=("10.0.1.0/24",), members=("71.18.0.0/16", "103.136.220.10/32"))
AFTER = wish(sources=("10.0.1.0/24",), members=("71.18.0.0/16", "192.0.2.0/24"), rules=("deny-company", "deny-guest"))
BOTH = ("10.0.1.5", "71.18.1.1")


def lines_of_a_change(using: FortinetFortios) -> int:
    device = fortigate()
    with reached(device) as session:
        push(session, using, BEFORE)
        found, plan = look(session, using, AFTER)
        device.faults.arm(10_000, "before")
        using.apply(session, found, plan)
        return device.faults.lines


def break_every_line(using: FortinetFortios, first: Moment, second: Moment, *, step: int = 1) -> None:
    """The session dies at each line of a change in turn, to and fro, before or after the device has acted on it.

    ``step``: an odd number, so that both moments have their turns.

    What both ends deny stays denied, and the next sync brings the device to the end.
    """
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    owners, ends = foreign(device), [BEFORE, AFTER]
    lines = lines_of_a_change(using)
    with served([device]) as places:
        at = places[device.name]
        with logged_in(at) as session:
            push(session, using, ends[0])
        for line in range(1, lines - 1, step):
            with logged_in(at) as session:
                found, plan = look(session, using, ends[1])
                device.faults.arm(line, (first, second)[line % 2], cut=line % 7)
                with pytest.raises((Unreachable, Uncertain)) as failure:
                    using.apply(session, found, plan)
            assert denied(device, BOTH) == [True], line
            clock.advance(timedelta(minutes=3))  # what was not committed is discarded when it is idle for its time
            with logged_in(at) as session:
                now, rest = look(session, using, ends[1])
                if using.options.workspace or isinstance(failure.value, Unreachable):
                    assert rest.is_empty or (now.groups, now.rules) == (found.groups, found.rules), line
                using.apply(session, now, rest)
                assert_holds(session, using, ends[1])
            assert foreign(device) == owners
            ends.reverse()


@pytest.mark.parametrize("workspace", [True, False])
def test_i05_a_session_that_dies_at_any_line_leaves_old_or_new_and_never_less(workspace: bool) -> None:
    break_every_line(adapter(workspace=workspace), "before", "after", step=7)  # every line: pytest -m soak


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("workspace", [True, False])
def test_i05_a_session_that_dies_at_any_line_at_either_moment(moment: Moment, workspace: bool) -> None:
    break_every_line(adapter(workspace=workspace), moment, moment)


def test_an_answer_that_was_cut_is_no_state() -> None:
    device, using = fortigate(), adapter()
    with served([device]) as places:
        at = places[device.name]
        with logged_in(at) as session:
            push(session, using, wish())
        device.faults.arm(10_000, "after")
        with logged_in(at) as session:
            using.read(session)
        for line in range(1, device.faults.lines + 1):
            with logged_in(at) as session:
                device.faults.arm(line, "after", cut=line * 13)
                with pytest.raises(DeviceError):
                    using.read(session)


@pytest.mark.parametrize("hand", ["set status disable", "set logtraffic disable"], ids=["no rule", "irregular alone"])
def test_a_read_back_that_differs_is_undone(hand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes between the change and the look at it."""
    device, using = fortigate(), adapter(workspace=False)
    with reached(device) as session:
        push(session, using, BEFORE)
        found, plan = look(session, using, AFTER)
        apply = device.apply
        done = False

        def meddle(change: object) -> None:
            nonlocal done
            apply(change)  # type: ignore[arg-type]
            if not done and "ba9876543210" in str(change):
                done = True
                configuring(device, "firewall policy", "edit 900001", hand, "next", "end")

        monkeypatch.setattr(device, "apply", meddle)
        wanted = wish(sources=("10.0.1.0/24",), members=("71.18.0.0/16",), snapshot="ba9876543210")
        plan = diff(found, wanted, found.can)
        with pytest.raises(NotVerified, match="old state was restored"):
            using.apply(session, found, plan)
        assert done
        now = using.read(session)
        assert (now.groups, now.rules, now.mark, now.irregular) == (found.groups, found.rules, found.mark, ())


# --- counters -------------------------------------------------------------------------------------------------------


def counted(reading: Reading) -> tuple[int | None, int | None, int | None]:
    (rule,) = reading.rules
    return rule.hits, rule.packets, rule.octets


@pytest.mark.parametrize("version", RELEASES)
def test_hits_packets_and_octets_are_counted_and_who_it_was(version: tuple[int, int, int]) -> None:
    device, using = fortigate(model=model(version)), adapter()
    with reached(device) as session:
        push(session, using, wish())
        assert counted(using.counters(session)) == (0, 0, 0)
        for source, target in (("10.1.2.3", "71.18.1.1"), ("2001:db8:1::7", "2605:340::1"), ("10.1.2.4", "71.18.1.2")):
            device.forward(Flow(source=ip_address(source), destination=ip_address(target), packets=2, octets=120))
        reading = using.counters(session)
    hits, packets, octets = counted(reading)
    assert (hits, packets, octets) == (6, 6, 360), "every refused packet is a hit"
    assert {(str(flow.source), str(flow.destination)) for flow in reading.flows} == {
        ("10.1.2.3", "71.18.1.1"),
        ("10.1.2.4", "71.18.1.2"),
        ("2001:db8:1::7", "2605:340::1"),
    }
    assert all(flow.last_seen == NOON for flow in reading.flows)
    assert not reading.flows_truncated


def test_i11_no_counters_where_something_should_count_is_an_error() -> None:
    with reached(fortigate()) as session, pytest.raises(Unreadable, match="nothing of ours"):
        adapter().counters(session)


def test_i11_a_policy_that_was_made_anew_counts_in_a_new_epoch() -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
        first = using.counters(session)
        push(session, using, EMPTY)
        assert using.counters(session).rules == ()
        push(session, using, wish())
        assert using.counters(session).rules[0].epoch != first.rules[0].epoch


def test_counters_are_read_before_a_policy_goes() -> None:
    device, using = fortigate(), adapter()
    with reached(device) as session:
        push(session, using, wish())
        device.forward(Flow(source=STAFF, destination=VIDEO))
        receipt = push(session, using, EMPTY)
        assert receipt.reading is not None
        assert receipt.reading.rules[0].hits == 1


def test_the_other_unit_of_a_cluster_counts_in_another_epoch() -> None:
    first, second, using = fortigate(), fortigate(name="FGT2", serial="FG100FTK00000002"), adapter()
    with reached(first) as session:
        push(session, using, wish())
        before = using.counters(session)
    first.pair(second)
    first.fail_over()
    with reached(second) as session:
        assert using.counters(session).epoch != before.epoch


def test_a_log_that_cannot_be_asked_takes_no_counter_away() -> None:
    device = fortigate()
    with reached(device) as session:
        push(session, adapter(), wish())
        device.forward(Flow(source=STAFF, destination=VIDEO))
        for log in (None, "fortianalyzer"):
            reading = adapter(log_device=log).counters(session)
            assert counted(reading)[0] == 1


def test_more_log_lines_than_were_asked_for_are_told_of() -> None:
    device, using = fortigate(), adapter(log_rows=5)
    with reached(device) as session:
        push(session, using, wish())
        for last in range(1, 30):
            device.forward(Flow(source=ip_address(f"10.1.2.{last}"), destination=VIDEO))
        reading = using.counters(session)
    assert reading.flows_truncated
    assert 0 < len(reading.flows) <= 25


# --- doctor ---------------------------------------------------------------------------------------------------------


def test_the_doctor_changes_nothing_and_says_what_is_wrong() -> None:
    device, using = fortigate(), adapter(save=False)
    configuring(device, "system global", "set cfg-save manual", "end")
    device.load(MANAGED.format(""))
    before = shown(device)
    with reached(device) as session:
        found = {finding.check: finding for finding in using.doctor(session)}
    assert shown(device) == before
    assert {check for check, finding in found.items() if not finding.ok} == {"manager", "persistence"}
    assert "7.4.8" in found["version"].message


def all_checks(device: FortiGate, using: FortinetFortios) -> Iterator[str]:
    with reached(device) as session:
        yield from (finding.check for finding in using.doctor(session) if not finding.ok)


def test_the_doctor_is_content_with_a_device_that_is_ready() -> None:
    assert list(all_checks(fortigate(), adapter())) == []
    assert list(all_checks(multi("branch"), adapter(vdom="branch"))) == []
    assert list(all_checks(multi("branch"), adapter())) == ["read"]


assert OWNER
