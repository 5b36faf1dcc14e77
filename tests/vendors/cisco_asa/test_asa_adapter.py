"""The whole adapter at an emulated ASA: coming in, changing, being refused, being cut off, saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lab.emulators.asa import Asa, Mishaps, Model, Switches, pair
from lab.emulators.asa.values import Member, Net
from lab.emulators.faults import Faults, Moment
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import SITE, enabled, running
from tests.vendors.cisco_asa.boxes import (
    DENY,
    LISTED,
    NOTHING,
    OTHER,
    SOURCES,
    WISH,
    addresses,
    box,
    deny,
    desired,
    names,
    pushed,
    typed_in,
)
from tests.vendors.cisco_asa.reaching import DEVICE, Reached, reached
from tests.vendors.test_diff import held
from vendors.diff import diff, mark_of
from vendors.errors import NotPrivileged, NotVerified, Refused, Uncertain, Unreachable, Unreadable
from vendors.model import Desired, WeekSpan
from vendors.registry import adapter_for

LATER = replace(WISH, snapshot="ba9876543210")
OTHER_LIST = desired(
    [SOURCES, addresses("dst-video", "192.0.2.0/25", "203.0.113.0/24")],
    [deny("deny-company", "src-company", "dst-video")],
)


def holds(at: Reached, wished: Desired) -> bool:
    observed = at.look()
    return (observed.groups, observed.rules, observed.mark, observed.irregular) == (
        wished.groups, wished.rules, mark_of(wished), (),
    )  # fmt: skip


def foreign(device: Asa) -> list[str]:
    """The site's own lines of the first context, as the device prints them, without the comments between them."""
    typed = enabled(device)
    kept, ours = [], False
    for line in typed.type("show running-config").splitlines():
        ours = "tokgate" in line if line[:1] != " " else ours
        if not ours and not line.startswith(("Cryptochecksum", ":", "!")):
            kept.append(line)
    return kept


# --- coming in --------------------------------------------------------------------------------------------------------


def test_a_change_is_made_read_back_and_saved(tmp_path: Path) -> None:
    device = box()
    before = foreign(device)
    with reached(device, tmp_path) as at:
        receipt = at.push(WISH)
        assert receipt.notes == ()
        assert holds(at, WISH)
        assert at.is_done(WISH)
        device.reboot()
        assert holds(at, WISH)
        assert foreign(device) == before
        assert "terminal width" not in running(device)


def test_a_reading_changes_nothing(tmp_path: Path) -> None:
    device = box()
    before = running(device)
    with reached(device, tmp_path) as at:
        at.look()
        with at.session() as session:
            assert all(finding.message for finding in at.adapter.doctor(session))
    assert running(device) == before


def test_the_same_again_sends_nothing(tmp_path: Path) -> None:
    with reached(box(), tmp_path) as at:
        at.push(WISH)
        at.device.faults.lines = 0
        assert at.is_done(WISH)
        asked = at.device.faults.lines
        at.device.faults.lines = 0
        receipt = at.push(LATER)
        assert at.device.faults.lines < asked + 30
        assert receipt.observed.mark == mark_of(LATER)


def test_what_is_sent_is_what_the_plan_shows(tmp_path: Path) -> None:
    device = box()
    seen = watched(device)
    with reached(device, tmp_path) as at, at.session() as session:
        observed = at.adapter.read(session)
        plan = diff(observed, WISH, observed.can)
        script = at.adapter.render(observed, plan)
        seen.clear()
        at.adapter.apply(session, observed, plan)
    sent = [line for line in seen if not line.startswith(("show ", "enable", "terminal pager")) and line]
    assert sent == script.text.splitlines()


def test_a_login_that_lands_privileged_needs_no_secret(tmp_path: Path) -> None:
    with reached(box(switches=Switches(auto_enable=True)), tmp_path, secret=None) as at:
        at.push(WISH)


def test_without_the_enable_secret_nothing_is_asked(tmp_path: Path) -> None:
    with reached(box(), tmp_path, secret=None) as at, pytest.raises(NotPrivileged, match="no enable secret"):
        at.look()


@pytest.mark.parametrize("switches", [Switches(), Switches(password_stars=True)])
def test_a_wrong_enable_secret_is_given_once(tmp_path: Path, switches: Switches) -> None:
    device = box(switches=switches)
    seen = watched(device)
    with reached(device, tmp_path, secret="wrong") as at, pytest.raises(NotPrivileged, match="refuses the enable"):
        at.look()
    assert seen.count("wrong") == 1


def test_the_question_about_error_reports_is_put_off(tmp_path: Path) -> None:
    with reached(box(ask_reporting=True), tmp_path) as at:
        at.push(WISH)
        assert holds(at, WISH)
        assert at.device.ask_reporting


# --- contexts and pairs -----------------------------------------------------------------------------------------------


def contexts() -> Asa:
    return box(base="", contexts={"admin": "", "CTX1": SITE, "CTX2": SITE})


def test_a_context_of_its_own(tmp_path: Path) -> None:
    device = contexts()
    with reached(device, tmp_path, context="CTX1") as at:
        at.push(WISH)
        assert holds(at, WISH)
        assert "tokgate" not in enabled(device, "changeto context CTX2").type("show running-config")


@pytest.mark.parametrize("make", [contexts, box])
def test_a_context_that_is_not_there_is_refused(tmp_path: Path, make: Callable[[], Asa]) -> None:
    with reached(make(), tmp_path, context="CTX") as at, pytest.raises(Refused, match="context CTX cannot be entered"):
        at.look()


def test_the_standby_unit_is_not_written_on(tmp_path: Path) -> None:
    primary, secondary = box(), box(name="other")
    pair(primary, secondary)
    before = running(secondary)
    with reached(secondary, tmp_path) as at, pytest.raises(Refused, match="not the active one"):
        at.push(WISH)
    assert running(secondary) == before
    with reached(primary, tmp_path) as at:
        at.push(WISH)
    assert "tokgate-dst-video" in running(secondary)


@pytest.mark.parametrize("line", [12, 20, 30])
def test_a_failover_in_the_middle_stops_the_change(tmp_path: Path, line: int) -> None:
    primary, secondary = box(), box(name="other")
    pair(primary, secondary)
    with reached(primary, tmp_path) as at, at.session() as session:
        observed = at.adapter.read(session)
        plan = diff(observed, WISH, observed.can)
        seen = watched(primary, {line: primary.fail_over})
        with pytest.raises(Uncertain, match="not the active one"):
            at.adapter.apply(session, observed, plan)
        assert len(seen) < 60
    with reached(secondary, tmp_path) as at:
        at.push(WISH)
        assert holds(at, WISH)


def test_lines_about_replication_are_no_answer(tmp_path: Path) -> None:
    device = box()
    device.interject(*["Beginning configuration replication: Sending to mate."] * 40)
    with reached(device, tmp_path) as at:
        at.push(WISH)
        assert holds(at, WISH)


# --- refused before anything is sent ----------------------------------------------------------------------------------


def without(text: str) -> str:
    return "".join(line for line in SITE.splitlines(keepends=True) if text not in line)


REFUSED = {
    "no access list INSIDE_IN": (without("INSIDE_IN"), {}),
    "not bound by access-group": (without("access-group"), {}),
    "not bound by access-group out": (SITE, {"lists": [{**LISTED, "direction": "out"}]}),
    "is a standard one": (SITE, {"lists": [{"acl": "VPN"}]}),
    "serves something else": (SITE.replace("route ", "class-map c\n match access-list INSIDE_IN\nroute "), {}),
    "part of a cluster": (SITE.replace("route ", "cluster group c\n local-unit a\n enable\nroute "), {}),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_device_that_cannot_carry_it_is_left_alone(tmp_path: Path, why: str) -> None:
    base, options = REFUSED[why]
    device = box(base=base)
    before = running(device)
    with reached(device, tmp_path, **options) as at:
        with pytest.raises(Refused, match=why):
            at.push(WISH)
        with at.session() as session:
            assert any(why in finding.message and not finding.ok for finding in at.adapter.doctor(session))
    assert running(device) == before


def test_an_old_release_gets_what_it_can_hold(tmp_path: Path) -> None:
    with reached(box(model=Model(version="8.4(1)")), tmp_path) as at:
        observed = at.look()
        plan = diff(observed, WISH, observed.can)
        assert {one.capability for one in plan.degraded} >= {"ipv6", "domains"}
        at.push(WISH)
        assert at.is_done(WISH)
        assert "2001:db8:f00" not in running(at.device)


def test_names_need_a_resolver(tmp_path: Path) -> None:
    with reached(box(base=without("dns domain-lookup")), tmp_path) as at:
        observed = at.look()
        assert not observed.can.fqdn
        assert any(note.startswith("domains: the device asks no resolver") for note in observed.can.notes)


@pytest.mark.parametrize(
    "lines",
    [
        ["object-group network tokgate-dst-video", "network-object host 192.0.2.1"],
        ["object network tokgate-d.www.example.com", "fqdn www.example.com"],
        ["object-group network tokgate-about.mark", "network-object host 192.0.2.1"],
    ],
)
def test_what_is_of_our_names_and_not_ours_is_left_alone(tmp_path: Path, lines: list[str]) -> None:
    device = box()
    typed_in(device, lines)
    before = running(device)
    with reached(device, tmp_path) as at:
        with pytest.raises(Refused, match="belong to nobody"):
            at.push(WISH)
        assert running(device) == before
        at.using(adopt=True).push(WISH)
        assert at.is_done(WISH)


def test_what_another_controller_marked_is_left_alone(tmp_path: Path) -> None:
    with reached(pushed(box(), replace(WISH, owner=OTHER)), tmp_path) as at:
        with pytest.raises(Refused, match=f"belong to controller {OTHER}"):
            at.push(WISH)
        at.using(adopt=True).push(WISH)
        assert OTHER not in running(at.device)
        assert at.is_done(WISH)


def test_the_mark_is_not_the_only_thing_that_says_whose_it_is(tmp_path: Path) -> None:
    device = pushed(box(), WISH)
    typed_in(device, ["no object-group network tokgate-about.mark"])
    with reached(device, tmp_path) as at:
        at.push(WISH)
        assert holds(at, WISH)


def test_a_plan_of_yesterday_is_not_carried_out(tmp_path: Path) -> None:
    with reached(pushed(box(), OTHER_LIST), tmp_path) as at, at.session() as session:
        observed = at.adapter.read(session)
        typed_in(at.device, ["object-group network tokgate-dst-video", "no network-object 192.0.2.0 255.255.255.128"])
        before = running(at.device)
        with pytest.raises(Refused, match="changed since the plan was made"):
            at.adapter.apply(session, observed, diff(observed, WISH, observed.can))
        assert running(at.device) == before


# --- refused in the middle --------------------------------------------------------------------------------------------

FORBIDDEN = ["object-group network tokgate-about", "object network", "fqdn", "network-object 203", "access-list", "no "]


def lines_held(device: Asa) -> list[str]:
    """The whole configuration, in any order: what comes back comes back at the end of its kind."""
    return sorted(line for line in running(device).splitlines() if not line.startswith("Cryptochecksum"))


def needs(old: Desired, line: str) -> bool:
    """Whether the way to the wish has such a line."""
    return old is not NOTHING if line == "no " else old is NOTHING or line != "network-object 203"


@pytest.mark.parametrize("line", FORBIDDEN)
@pytest.mark.parametrize("old", [NOTHING, OTHER_LIST], ids=["nothing", "another list"])
def test_i05_a_refused_line_leads_back_to_what_stood_before(tmp_path: Path, line: str, old: Desired) -> None:
    device = box()
    with reached(device, tmp_path) as at:
        at.push(old)
        before = lines_held(device)
        device.mishaps = Mishaps(forbidden=(line,))
        if not needs(old, line):
            return
        backwards = line == "no "  # taking away is what going back needs
        with pytest.raises(Uncertain if backwards else NotPrivileged) as caught:
            at.push(WISH)
        if not backwards:
            assert "what stood before was restored" in caught.value.message
            assert lines_held(device) == before
        device.mishaps = Mishaps()
        at.push(WISH)
        assert holds(at, WISH)


def test_a_configuration_that_somebody_holds_is_left_alone(tmp_path: Path) -> None:
    device = box()
    before = foreign(device)
    device.mishaps = Mishaps(config_held_by="192.0.2.9")
    with reached(device, tmp_path) as at, pytest.raises(Refused, match="configuration in progress"):
        at.push(WISH)
    assert foreign(device) == before
    assert "tokgate" not in running(device)


class _GivenUp(Faults):
    """The other session lets go of the configuration when we enter it for the second time."""

    def __init__(self, device: Asa) -> None:
        super().__init__()
        self.device, self.entered = device, 0

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        self.entered += line == "configure terminal"
        if self.entered == 3:  # the first two: the try that was refused, and the way back from it
            self.device.mishaps = Mishaps()
        return super().next_line(line)


def test_i08_a_configuration_that_somebody_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendors.cisco_asa.adapter._PAUSE", 0.0)
    device = box()
    device.mishaps = Mishaps(config_held_by="192.0.2.9")
    device.faults = _GivenUp(device)
    with reached(device, tmp_path, lock_wait_seconds=60) as at:
        at.push(WISH)
        assert holds(at, WISH)


def _entry_gone(device: Asa) -> None:
    device.contexts[""].running.acls["INSIDE_IN"].pop(1)


def _member_more(device: Asa) -> None:
    group = device.contexts[""].running.groups["tokgate-dst-video"]
    group.members[Member(word="network-object", value=Net(address=ip_address("192.0.2.1"), length=32))] = None


@pytest.mark.parametrize("hand", [_entry_gone, _member_more])
def test_a_hand_at_the_same_moment_is_seen_in_the_read_back(tmp_path: Path, hand: Callable[[Asa], None]) -> None:
    device = box()
    with reached(device, tmp_path) as at, at.session() as session:
        observed = at.adapter.read(session)
        plan = diff(observed, WISH, observed.can)

        def act(seen: list[str]) -> None:
            if seen[-1] == "end" and seen.count("end") == 1:
                hand(device)

        watched(device, always=act)
        with pytest.raises(NotVerified, match="does not hold what was sent"):
            at.adapter.apply(session, observed, plan)
        device.faults.always = lambda seen: None
    assert "tokgate" not in running(device)


def test_i05_that_it_is_back_is_said_only_when_it_is(tmp_path: Path) -> None:
    device = box()
    with reached(device, tmp_path) as at, at.session() as session:
        at.push(OTHER_LIST)
        observed = at.adapter.read(session)
        plan = diff(observed, WISH, observed.can)
        device.mishaps = Mishaps(forbidden=("fqdn",))

        def hand(seen: list[str]) -> None:
            """At the look that follows the way back."""
            if seen.count("show running-config") == 3 and seen[-1] == "show running-config":
                device.contexts[""].running.groups["tokgate-dst-video"].members.popitem()

        watched(device, always=hand)
        with pytest.raises(Uncertain, match="could not be restored"):
            at.adapter.apply(session, observed, plan)


# --- saving -----------------------------------------------------------------------------------------------------------


def test_i01_lines_that_others_have_not_saved_are_not_saved_by_us(tmp_path: Path) -> None:
    device = box()
    typed_in(device, ["access-list INSIDE_IN line 1 remark not yet"])
    with reached(device, tmp_path) as at:
        observed = at.look()
        assert not observed.can.persistence
        assert any(one.capability == "persistence" for one in diff(observed, WISH, observed.can).degraded)
        script = at.adapter.render(observed, diff(observed, WISH, observed.can))
        assert "write memory" not in script.text
        receipt = at.push(WISH)
        assert "not yet" in receipt.notes[0]
        assert at.is_done(WISH)
        assert "tokgate" not in device.contexts[""].startup
        assert "not yet" not in device.contexts[""].startup
        typed_in(device, ["no access-list INSIDE_IN remark not yet"])
        assert at.look().irregular == ("persistence: our lines are not saved for the next boot",)
        assert at.push(WISH).notes == ()
        assert "tokgate-dst-video" in device.contexts[""].startup
        assert at.look().irregular == ()


def test_a_change_that_is_not_saved_is_told_and_saved_later(tmp_path: Path) -> None:
    device = box()
    device.mishaps = Mishaps(flash_full=True)
    with reached(device, tmp_path) as at:
        receipt = at.push(WISH)
        assert "not saved for the next boot" in receipt.notes[0]
        assert "No Device" in receipt.notes[0]
        device.mishaps = Mishaps()
        assert not at.is_done(WISH)
        assert at.push(WISH).notes == ()
        assert holds(at, WISH)


def test_that_all_of_it_went_is_saved_later_too(tmp_path: Path) -> None:
    device = box()
    with reached(device, tmp_path) as at:
        at.push(WISH)
        device.mishaps = Mishaps(flash_full=True)
        at.push(NOTHING)
        device.mishaps = Mishaps()
        assert at.look().irregular == ("persistence: our lines are not saved for the next boot",)
        at.push(NOTHING)
        assert "tokgate-dst-video" not in device.contexts[""].startup


def test_nothing_is_saved_where_the_inventory_says_so(tmp_path: Path) -> None:
    with reached(box(), tmp_path, save=False) as at:
        assert "switched off" in at.push(WISH).notes[0]
        assert at.is_done(WISH)
        assert "tokgate" not in at.device.contexts[""].startup


# --- cut off ----------------------------------------------------------------------------------------------------------

FLOWS = [
    Flow(source=ip_address(source), destination=ip_address(destination))
    for source in ("10.0.1.9", "10.0.9.9", "2001:db8:1::5")
    for destination in ("203.0.113.5", "198.51.100.7", "192.0.2.5", "2001:db8:f00::1", "8.8.8.8")
]


def stopped(device: Asa) -> set[int]:
    return {at for at, flow in enumerate(FLOWS) if device.forward(flow) is Verdict.DENY}


NEXT = desired(
    [SOURCES, addresses("src-guest", "10.0.9.0/24"), addresses("dst-video", "203.0.113.0/24", "192.0.2.0/25"),
     names("fqdn-video", "m.example.org")],
    [deny("deny-guest", "src-guest", "dst-video"), deny("deny-company", "src-company", "dst-video", "fqdn-video")],
)  # fmt: skip
CHANGES = {
    "the first": (None, WISH),
    "another list": (WISH, NEXT),
    "the end": (WISH, NOTHING),
    "the hours": (
        replace(WISH, rules=(replace(DENY, when=(WeekSpan(0, 480, 1080),)),)),
        replace(WISH, rules=(replace(DENY, when=(WeekSpan(0, 420, 1140),)),)),
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_i05_a_session_that_dies_at_any_line_leaves_something_as_strict(
    tmp_path: Path, change: str, moment: Moment, request: pytest.FixtureRequest
) -> None:
    """At every line in the long form of the tests, at every fifth otherwise."""
    every = 1 if "soak" in (request.config.option.markexpr or "") else 5
    old, new = CHANGES[change]

    def made() -> Asa:
        device = box(base=SITE)
        if old is not None:
            pushed(device, old)
            enabled(device).type("write memory")
        return device

    strict = stopped(made())
    untouched = foreign(made())
    strict &= stopped(pushed(made(), new))
    line, died = (0 if moment == "before" else 2) + 1 - every, 1
    while died:
        line, died = max(line + every, 1), 0
        device = made()
        with reached(device, tmp_path) as at:
            device.faults.arm(line, moment)
            try:
                at.push(new)
            except (Uncertain, Unreachable):
                died = 1
            device.faults.drop_at = None
            assert strict <= stopped(device), line
            assert foreign(device) == untouched, line
            at.push(new)
            assert at.is_done(new), line
            assert at.look().irregular == (), line
    assert line > 12


# --- the emulator, watched --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watching(Faults):
    """Faults that also note each line that arrives, and do something at some of them."""

    seen: list[str] = field(default_factory=list)
    acts: dict[int, Callable[[], Any]] = field(default_factory=dict)
    always: Callable[[list[str]], None] = lambda seen: None

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        self.seen.append(line)
        self.always(self.seen)
        act = self.acts.get(len(self.seen))
        if act is not None:
            act()
        return Faults.next_line(self, line)


def watched(
    device: Asa,
    acts: dict[int, Callable[[], Any]] | None = None,
    always: Callable[[list[str]], None] = lambda seen: None,
) -> list[str]:
    """Every line that arrives from now on, over all sessions. ``acts``: before which of them what happens."""
    device.faults = faults = Watching(acts=acts or {}, always=always)
    return faults.seen


def test_the_registry_makes_one() -> None:
    adapter = adapter_for("cisco_asa", {"lists": [LISTED]}, DEVICE)
    assert adapter.capabilities.max_entries == 25_000
    assert adapter.feeds(held(WISH), WISH) == ()
    with pytest.raises(Unreadable):
        adapter.parse("")
