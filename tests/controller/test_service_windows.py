"""Windows of single services: one rule for each set of services that the same windows name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.desired import desired_for, own_week, rule_name, subject_of
from controller.detect import alone
from controller.errors import InventoryError
from controller.exceptions import preview
from controller.inventory import Inventory
from controller.model import Mode, Outcome
from controller.modes import marks_of, modes_at, set_words, sets_at
from controller.sharing import shared
from controller.store import Store
from controller.windows import DayKind, mode_at, service_sets, week_of
from core.clock import ManualClock
from core.ids import NAME
from ipsets.model import ServiceSet, Snapshot
from ipsets.snapshot import content_id
from tests.controller.memory import bench, start_run
from tests.controller.offices import NIGHT, NOON, YAML, an_exception, facts, networks, offices, snapshot
from tests.controller.test_own_week import LOOKED
from tests.controller.test_windows import Hours, Role, clock_times
from vendors.exempting import without_exempts
from vendors.model import Action, AddressGroup, Desired, GroupName, Rule, RuleName
from vendors.week import holds_at

OLD = 'windows: [{days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00", mode: enforce}]'
APART = YAML.replace("services: [tiktok]", "services: [tiktok]\n    apps: [capcut, lemon8]", 1).replace(
    f"mode: monitor\n        {OLD}",
    'mode: enforce\n        windows: [{days: weekdays, from: "08:00", to: "18:00", apps: [capcut], mode: enforce}, '
    "{apps: [capcut], mode: off}]",
)
"""Company blocks TikTok and Lemon8 always, CapCut in work hours."""
CAPCUT = RuleName("deny-company--yxx")


def apart(of: Snapshot) -> Snapshot:
    """The snapshot with the two apps; CapCut shares one network with TikTok."""
    capcut = ServiceSet(service="app-capcut", networks=networks("203.0.113.0/24", "103.136.220.0/24"), domains=())
    lemon8 = ServiceSet(service="app-lemon8", networks=networks("198.51.100.0/24"), domains=())
    return replace(of, services=(*of.services, capcut, lemon8))


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path, APART)


def denies(desired: Desired) -> dict[str, tuple[GroupName, ...]]:
    return {rule.name: rule.destinations for rule in desired.rules if rule.action is Action.DENY}


def test_tiktok_always_and_capcut_in_work_hours(inventory: Inventory) -> None:
    known = facts(inventory, of=apart(snapshot("103.136.220.0/23")))
    device = inventory.device("fw-berlin")
    rest = ("dst-tiktok", "fqdn-tiktok", "dst-app-lemon8")
    assert denies(desired_for(known, device, NOON)) == {"deny-company": rest, CAPCUT: ("dst-app-capcut",)}
    assert denies(desired_for(known, device, NIGHT)) == {"deny-company": rest}


def test_the_words_of_a_site_say_it(inventory: Inventory) -> None:
    site, policy = inventory.site("berlin"), inventory.policies["standard"]
    assert modes_at(site, policy, NIGHT)["company"] is Mode.ENFORCE
    assert set_words(sets_at(site, policy, NIGHT)) == "company=enforce[tiktok app-lemon8] off[app-capcut], guest=off"
    assert set_words(sets_at(site, policy, NOON)) == "company=enforce, guest=off"


def test_one_mode_for_all_is_the_rule_that_it_always_was(tmp_path: Path) -> None:
    known = facts(offices(tmp_path))
    assert list(marks_of(known.policy.roles["company"], known.policy.services).values()) == [""]
    assert list(denies(desired_for(known, offices(tmp_path).device("fw-berlin"), NOON))) == ["deny-company"]


def test_a_rule_leads_to_its_role_whatever_part_it_is() -> None:
    for name in (CAPCUT, RuleName(f"{CAPCUT}--x"), RuleName("deny-company--x"), RuleName("mon-company--abc")):
        assert subject_of(name) == ("company", None)


def test_a_device_that_keeps_the_week_is_told_the_week_of_every_set(inventory: Inventory) -> None:
    known = facts(inventory, of=apart(snapshot("103.136.220.0/23")))
    device = inventory.device("fw-berlin")
    assert own_week(known, device, LOOKED, began=NOON, ended=NOON) == ""
    desired = desired_for(known, device, NIGHT, keeps_week=True)
    when = {rule.name: rule.when for rule in desired.rules if rule.action is Action.DENY}
    assert when[RuleName("deny-company")] is None
    assert holds_at(when[CAPCUT], datetime(2026, 11, 25, 9))  # noqa: DTZ001  a wall clock
    assert not holds_at(when[CAPCUT], datetime(2026, 11, 25, 19))  # noqa: DTZ001


def test_exceptions_as_holes_keep_names_apart(inventory: Inventory) -> None:
    """A part of the rule of all, and the rule of a set, are never taken for each other."""
    role = inventory.policies["standard"].roles["company"]
    marks = marks_of(role, inventory.policies["standard"].services)
    groups = (
        AddressGroup(name=GroupName("src-company"), members=frozenset(networks("10.20.0.0/16"))),
        AddressGroup(name=GroupName("exc-1"), members=frozenset(networks("10.20.1.7/32"))),
        AddressGroup(name=GroupName("dst-a"), members=frozenset(networks("203.0.113.0/24"))),
        AddressGroup(name=GroupName("dst-b"), members=frozenset(networks("198.51.100.0/24"))),
    )
    rules = [
        Rule(
            name=RuleName("exc-1"),
            action=Action.EXEMPT,
            sources=GroupName("exc-1"),
            destinations=(GroupName("dst-a"),),
        )
    ]
    rules += [
        Rule(
            name=rule_name(Action.DENY, "company", mark),
            action=Action.DENY,
            sources=GroupName("src-company"),
            destinations=(GroupName("dst-a"), GroupName("dst-b")),
        )
        for mark in marks.values()
    ]
    made = without_exempts(Desired(groups=groups, rules=tuple(rules), owner="o", snapshot="s"))
    names = [rule.name for rule in made.rules]
    assert len(names) == len(set(names)) == 4
    assert all(NAME.fullmatch(name) for name in names)


def test_a_mark_does_not_change_when_other_sets_come(inventory: Inventory) -> None:
    def windows(*names: tuple[str, ...]) -> Role:
        return Role(Mode.OFF, tuple(replace(WHOLE, services=services) for services in names))

    chosen = ("tiktok", "app-capcut", "app-lemon8", "owner-bytedance")
    before = marks_of(windows(("app-capcut",)), chosen)  # type: ignore[arg-type]
    after = marks_of(windows(("app-lemon8", "owner-bytedance"), ("app-capcut",)), chosen)  # type: ignore[arg-type]
    assert before[("app-capcut",)] == after[("app-capcut",)]
    assert after[("tiktok",)] == ""
    assert len(set(after.values())) == len(after) == 3


WHOLE = Hours(
    frozenset(("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
    datetime(2026, 1, 1).time(),  # noqa: DTZ001
    datetime(2026, 1, 1).time(),  # noqa: DTZ001
)
SERVICES = ("a", "b", "c", "d")
some_hours = st.builds(
    Hours,
    st.frozensets(st.sampled_from(("mon", "tue", "sat", "sun")), min_size=1),
    clock_times,
    clock_times,
    st.sampled_from(list(Mode)),
    st.just(DayKind.ANY),
    st.lists(st.sampled_from(SERVICES), max_size=3, unique=True).map(tuple),
)
some_role = st.builds(Role, st.sampled_from(list(Mode)), st.lists(some_hours, max_size=4).map(tuple))


@given(role=some_role, minute=st.integers(0, 60 * 24 * 400))
def test_i12_services_of_one_set_have_one_mode_at_every_minute(role: Role, minute: int) -> None:
    """And the week of a set says at every minute what the clock says, the night of 25 hours included."""
    zone = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    wall = at.astimezone(zone).replace(tzinfo=None)
    sets = service_sets(role, SERVICES)
    assert sorted(name for names in sets for name in names) == list(SERVICES)
    for names in sets:
        modes = {mode_at(role, zone, at, service=name) for name in names}
        assert len(modes) == 1
        assert modes == {mode for mode, when in week_of(role, service=names[0]).items() if holds_at(when, wall)}


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("[capcut], mode: enforce", "[zoom], mode: enforce", "windows[0].apps", "does not choose the app 'zoom'"),
        ("apps: [capcut], mode: off", "services: [tiktock], mode: off", "windows[1].services", "did you mean 'tiktok'"),
        ("apps: [capcut], mode: off", "owners: [bytedance], mode: off", "windows[1].owners", "add it to `owners`"),
        ("apps: [capcut], mode: off", "on: sundays, mode: off", "windows[1].on", "'holidays'"),
    ],
)  # fmt: skip
def test_what_a_window_names_its_policy_chooses(tmp_path: Path, old: str, new: str, place: str, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        offices(tmp_path, APART.replace(old, new))
    assert place in str(caught.value)
    assert said in str(caught.value)


def test_a_long_role_has_no_room_for_windows_of_services(tmp_path: Path) -> None:
    long = "a" * 28
    with pytest.raises(InventoryError, match="at most 27 characters"):
        offices(tmp_path, APART.replace("company", long))
    fits = offices(tmp_path, APART.replace("company", long[1:])).policies["standard"]
    marks = marks_of(fits.roles[long[1:]], fits.services).values()
    assert all(NAME.fullmatch(f"deny-{long[1:]}{'--' if mark else ''}{mark}--x") for mark in marks)


def test_a_flow_is_told_of_one_of_the_rules_that_share_a_role(inventory: Inventory) -> None:
    known = facts(inventory, of=apart(snapshot("103.136.220.0/23")))
    of = shared(known.policy, known.snapshot, (RuleName("deny-company"), CAPCUT))
    both = {
        ip: [rule for rule in (RuleName("deny-company"), CAPCUT) if of(rule, ip_address(ip))]
        for ip in ("103.136.220.7", "203.0.113.7", "198.51.100.7", "8.8.4.4")
    }
    assert both == {
        "103.136.220.7": ["deny-company"],  # held by both: the first that stops it
        "203.0.113.7": [CAPCUT],
        "198.51.100.7": ["deny-company"],
        "8.8.4.4": ["deny-company"],  # a live answer
    }
    assert shared(known.policy, known.snapshot, (RuleName("deny-company"),)) is alone


def test_an_edge_of_one_service_moves_one_rule(
    tmp_path: Path, store: Store, clock: ManualClock, inventory: Inventory
) -> None:
    made = apart(snapshot("103.136.220.0/23"))
    made = replace(made, id=content_id(made.services))
    store.save_snapshot(made)
    store.set_current(made.id)
    work, firewall = bench(tmp_path, store, inventory, clock)
    firewall.wall = None
    device = inventory.device("fw-berlin")
    clock.jump(NOON)
    assert work.sync(device, start_run(store, clock)).outcome is Outcome.APPLIED
    assert firewall.state is not None
    before = firewall.state
    status = store.status(device.name)
    assert status is not None
    assert status.mode == "company=enforce, guest=off"
    clock.jump(NIGHT)
    work.sync(device, start_run(store, clock))
    after = firewall.state
    assert set(before.rules) - set(after.rules) == {rule for rule in before.rules if rule.name == CAPCUT}
    assert set(after.rules) <= set(before.rules)


@pytest.mark.parametrize(
    ("service", "start", "mode"),
    [
        pytest.param("tiktok", NIGHT, Mode.ENFORCE, id="always"),
        pytest.param("app-capcut", NOON, Mode.ENFORCE, id="in-work-hours"),
        pytest.param("app-capcut", NIGHT, Mode.OFF, id="at-night"),
    ],
)
def test_a_preview_says_what_holds_for_its_service(
    inventory: Inventory, service: str, start: datetime, mode: Mode
) -> None:
    asked = replace(
        an_exception("10.20.1.7/32", starts=start, ends=start + timedelta(hours=1)), service=service, code="other"
    )
    found = preview(asked, inventory, (), start)
    assert [line.mode for line in found.opens] == [mode]


def test_i15_a_preview_takes_every_day_for_a_holiday_and_for_none(tmp_path: Path) -> None:
    closed = YAML.replace(OLD, "windows: [{on: holidays, mode: enforce}]").replace(
        "time_zone: Europe/Berlin", "time_zone: Europe/Berlin\n    calendars: [ours]"
    )
    made = offices(tmp_path, closed + "calendars:\n  ours: {dates: [2026-12-25]}\n")
    found = preview(replace(an_exception("10.20.1.7/32"), code="other"), made, (), NOON)
    assert [line.mode for line in found.opens] == [Mode.ENFORCE]
