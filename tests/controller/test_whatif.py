"""What another policy would have done with what was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Invalid
from controller.inventory import Inventory
from controller.inventory.proposals import check_policy, read_policy
from controller.model import DetectionEvent, EventAction, Quality, Window
from controller.whatif import Would, replay, services_of
from core.ids import DeviceName, EventId, ExceptionId, SiteName
from tests.controller.offices import NOON, offices
from tests.controller.test_service_windows import APART
from vendors.model import RuleName

DAY = Window(datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC))
MINUTES = timedelta(minutes=5)
LUNCH = {
    "services": ["tiktok"],
    "apps": ["capcut", "lemon8"],
    "roles": {
        "company": {"mode": "monitor", "windows": [{"from": "12:00", "to": "13:00", "mode": "enforce"}]},
        "guest": {"mode": "off"},
    },
}
"""What if only lunch were blocked?"""


def event(
    at: datetime, rule: str = "deny-company", *, role: str | None = "company", hits: int | None = 3
) -> DetectionEvent:
    return DetectionEvent(
        id=EventId(f"e{at.isoformat()}{rule}"),
        site=SiteName("berlin"),
        device=DeviceName("fw-berlin"),
        rule=RuleName(rule),
        role=role,
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(at, at + MINUTES),
        hits=hits,
        packets=hits,
        octets=None,
        quality=Quality.EXACT,
        snapshot=None,
    )


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path, APART)


def rows(
    inventory: Inventory, said: dict[str, object], *events: DetectionEvent
) -> list[tuple[str | None, Would, int, int | None]]:
    site = inventory.site("berlin")
    other = check_policy(said, inventory, site)
    found = replay(site, inventory.policies["standard"], other, events, DAY, name="lunch", holidays=frozenset())
    return [(row.role, row.would, row.events, row.hits) for row in found.rows]


def test_what_if_only_lunch_were_blocked(inventory: Inventory) -> None:
    """12:00 in Berlin is ``NOON``."""
    found = rows(inventory, LUNCH, event(NOON - MINUTES), event(NOON), event(NOON + timedelta(minutes=55)))
    assert found == [("company", Would.BLOCKED, 2, 6), ("company", Would.MONITORED, 1, 3)]


def test_i13_an_event_that_an_edge_splits_is_unknown(inventory: Inventory) -> None:
    assert rows(inventory, LUNCH, event(NOON - timedelta(minutes=2))) == [("company", Would.UNKNOWN, 1, 3)]


def test_i13_a_rule_of_services_that_would_differ_is_unknown(inventory: Inventory) -> None:
    """TikTok and Lemon8 share a rule now; the other policy would have let one of them pass."""
    company = {"mode": "enforce", "windows": [{"apps": ["lemon8"], "mode": "off"}]}
    apart = {**LUNCH, "roles": {**LUNCH["roles"], "company": company}}  # type: ignore[dict-item]
    assert rows(inventory, apart, event(NOON)) == [("company", Would.UNKNOWN, 1, 3)]
    assert rows(inventory, apart, event(NOON, "deny-company--yxx")) == [("company", Would.BLOCKED, 1, 3)]


def test_a_service_that_the_other_does_not_choose_passes_unseen(inventory: Inventory) -> None:
    less = {**LUNCH, "apps": ["lemon8"]}
    assert rows(inventory, less, event(NOON, "deny-company--yxx")) == [("company", Would.UNSEEN, 1, 3)]


def test_i13_what_is_not_counted_is_not_zero(inventory: Inventory) -> None:
    assert rows(inventory, LUNCH, event(NOON, hits=None), event(NOON + MINUTES)) == [
        ("company", Would.BLOCKED, 2, None)
    ]


def test_exceptions_stay_and_strangers_are_unknown(inventory: Inventory) -> None:
    passed = replace(event(NOON, "exc-1", role=None), action=EventAction.ALLOWED, exception=ExceptionId("1"))
    gone = event(NOON, "deny-lab", role="lab")
    old = event(NOON, "deny-company--zzz")
    assert rows(inventory, LUNCH, passed, gone, old) == [
        (None, Would.EXCEPTED, 1, 3),
        ("company", Would.UNKNOWN, 1, 3),
        ("lab", Would.UNKNOWN, 1, 3),
    ]


def test_a_rule_and_its_parts_lead_to_their_services(inventory: Inventory) -> None:
    policy = inventory.policies["standard"]
    names = (
        "deny-company",
        "mon-company--x",
        "deny-company--yxx",
        "deny-company--yxx--x",
        "exc-1",
        "deny-company--zzz",
    )
    found = [services_of(RuleName(name), policy) for name in names]
    rest, capcut = ("tiktok", "app-lemon8"), ("app-capcut",)
    assert found == [rest, rest, capcut, capcut, (), ()]


def test_what_was_off_says_only_for_how_long(inventory: Inventory) -> None:
    """CapCut is off for fourteen hours of a Wednesday, and lunch lies inside work hours."""
    site = inventory.site("berlin")
    other = check_policy(LUNCH, inventory, site)
    present = inventory.policies["standard"]
    found = replay(site, present, other, (), DAY, name="lunch", holidays=frozenset()).unrecorded
    assert [(u.role, u.service, u.would, u.seconds) for u in found] == [
        ("company", "app-capcut", Would.MONITORED, 14 * 3600.0)
    ]


@given(start=st.integers(0, 24 * 60), length=st.integers(1, 180))
def test_i13_an_answer_is_one_that_holds_at_every_minute_of_the_event(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int
) -> None:
    inventory = KNOWN[0] if KNOWN else offices(tmp_path_factory.mktemp("whatif"), APART)
    KNOWN.append(inventory)
    first = DAY.start + timedelta(minutes=start)
    long = replace(event(first), window=Window(first, first + timedelta(minutes=length)))
    inside = {11 * 60 <= start + n < 12 * 60 for n in range(length)}  # noon in Berlin, in UTC
    want = Would.UNKNOWN if len(inside) > 1 else Would.BLOCKED if True in inside else Would.MONITORED
    assert [row[1] for row in rows(inventory, LUNCH, long)] == [want]


KNOWN: list[Inventory] = []


# --- what is proposed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: [tiktok]\nroles: {company: {mode: enforce}}\n", "does not name the role 'guest'"),
        ("services: [tiktock]\nroles: {company: {mode: off}, guest: {mode: off}}\n", "did you mean 'tiktok'"),
        ("services: [tiktok]\nroles: {company: {mode: block}, guest: {mode: off}}\n", "2: roles.company.mode"),
        ("services: [tiktok]\nroles: {company: {mode: off}, guest: {mode: off}}\nx: 1\n", "3: x: unknown key"),
        ("- a\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("services: tiktok\nroles: {company: {mode: off, windows: [{on: holidays, mode: off}]}}\n", "no calendar"),
        ("services: *x\n", "aliases"),
    ],
)  # fmt: skip
def test_a_bad_proposal_is_refused_with_its_line(tmp_path: Path, inventory: Inventory, text: str, said: str) -> None:
    path = tmp_path / "lunch.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_policy(path, inventory, inventory.site("berlin"))
    assert said in str(caught.value)


def test_a_proposal_that_is_not_there_is_said(tmp_path: Path, inventory: Inventory) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        read_policy(tmp_path / "nothing.yaml", inventory, inventory.site("berlin"))
