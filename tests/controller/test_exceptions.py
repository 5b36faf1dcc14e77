"""Exceptions: what is asked is checked, previewed in words, decided by somebody else, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller import exceptions as lifecycle
from controller.errors import Conflict, Invalid, NotAllowed, NotFound
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory
from controller.inventory.exception_rules import ExceptionReason, ExceptionRules
from controller.model import AccessException, ExceptionState, HostLookup, Use
from core.ids import DeviceName, ExceptionId, SiteName, new_id
from tests.controller.offices import NIGHT, NOON, an_exception, networks, offices
from vendors.registry import options_model

ASK = ExceptionRequest(
    sites=("berlin",),
    sources=("10.20.1.7", "10.20.2.0/28"),
    service="tiktok",
    starts=NOON,
    ends=NIGHT,
    reason="campaign",
    owner="marketing",
    ticket="MKT-1",
)


RULES = ExceptionRules()


def asked(*sources: str) -> AccessException:
    return an_exception(*sources, state=ExceptionState.REQUESTED)


def approved(
    exception: AccessException,
    actor: str,
    *,
    now: datetime = NOON,
    preview: str = "seen",
    rules: ExceptionRules = RULES,
) -> AccessException:
    return lifecycle.approve(exception, actor=actor, now=now, preview=preview, rules=rules)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


def test_sources_are_parsed_once_at_the_border(inventory: Inventory) -> None:
    assert lifecycle.check_request(ASK, inventory, NOON).sources == networks("10.20.1.7/32", "10.20.2.0/28")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": ()}, "sites: name at least one"),
        ({"sources": ()}, "sources: give 1 to 256 addresses, networks, roles or host names"),
        ({"sources": ("marketing",)}, "sources: 'marketing' is neither"),
        ({"sources": ("10.20.1.7/16",)}, "host bits"),
        ({"sources": ("192.168.1.1",)}, "lies in no source network of site berlin"),
        ({"sources": ("10.0.0.0/8",)}, "wider than the site's own network"),
        ({"sources": ("0.0.0.0/0",)}, "wider than the site's own network"),
        ({"service": "lemon8"}, "service: 'lemon8' is not enforced there; known: tiktok"),
        ({"reason": "  "}, "reason: must not be empty"),
        ({"owner": "a\nb"}, "owner: at most 500 printable"),
        ({"ticket": "x" * 501}, "ticket: at most 500 printable"),
        ({"starts": datetime(2026, 11, 25, 12)}, "give the time zone"),  # noqa: DTZ001  # naive is the point
        ({"ends": NOON}, "ends: must lie after starts"),
        ({"starts": NOON - timedelta(hours=2), "ends": NOON - timedelta(hours=1)}, "ends: lies in the past"),
        ({"ends": NOON + timedelta(days=400)}, "lives 366d at most"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(inventory: Inventory, change: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        lifecycle.check_request(replace(ASK, **change), inventory, NOON)  # type: ignore[arg-type]


def test_an_unknown_site_is_not_found(inventory: Inventory) -> None:
    with pytest.raises(NotFound, match="paris"):
        lifecycle.check_request(replace(ASK, sites=("paris",)), inventory, NOON)


def test_the_preview_says_in_one_sentence_what_would_open(inventory: Inventory) -> None:
    preview = lifecycle.preview(asked("10.20.1.7/32"), inventory, (), NOON)
    assert preview.sentence == (
        "10.20.1.7/32 would reach tiktok at berlin from 2026-11-25 11:00 to 2026-11-25 22:00 UTC; "
        "all other sources stay as they are."
    )
    assert [(line.role, line.devices) for line in preview.opens] == [("company", ("fw-berlin",))]
    assert preview.conflicts == ()


def test_the_preview_says_when_nothing_would_open(inventory: Inventory) -> None:
    preview = lifecycle.preview(asked("10.20.9.5/32"), inventory, (), NOON)
    assert preview.sentence.startswith("Nothing would open")
    assert preview.conflicts == ("site berlin: the policy for role guest is off at that time anyway",)


def test_i13_a_name_without_an_address_is_not_previewed_as_not_blocked(inventory: Inventory) -> None:
    named = replace(asked("10.20.1.7/32"), sources=(), hosts=("pc7.example.org",))
    lost = HostLookup(site=SiteName("berlin"), host="pc7.example.org", addresses=(), at=None, until=NOON)
    seen = lifecycle.preview(replace(named, lookups=(lost,)), inventory, (), NOON)
    assert seen.sentence == (
        "Nothing would open yet: pc7.example.org has no address at berlin now. Once found, the host pc7.example.org "
        "would reach tiktok at berlin from 2026-11-25 11:00 to 2026-11-25 22:00 UTC; all other sources stay as they "
        "are."
    )


def test_the_preview_names_an_exception_that_covers_it_already(inventory: Inventory) -> None:
    other = replace(an_exception("10.20.1.0/24"), id=ExceptionId("01hzexception0000000000002"))
    preview = lifecycle.preview(asked("10.20.1.7/32"), inventory, (other,), NOON)
    assert "already covered by exception" in preview.conflicts[0]
    apart = replace(other, starts=NIGHT, ends=NIGHT + timedelta(hours=1))
    assert lifecycle.preview(asked("10.20.1.7/32"), inventory, (apart,), NOON).conflicts == ()


@pytest.mark.parametrize("approver", ["cli:anna", "person:anna", "person:Anna"])
def test_one_person_under_two_names_is_one_person(approver: str) -> None:
    """Who asked at the machine's command line does not approve by a session."""
    with pytest.raises(NotAllowed, match="nobody approves"):
        approved(
            replace(an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED), requested_by="cli:anna"), approver
        )


def test_nobody_approves_their_own() -> None:
    exception = an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED)
    with pytest.raises(NotAllowed, match="nobody approves"):
        approved(exception, "ann")
    assert approved(exception, "bob").decided_by == "bob"


@pytest.mark.parametrize("state", [s for s in ExceptionState if s is not ExceptionState.REQUESTED])
def test_only_a_waiting_request_is_decided(state: ExceptionState) -> None:
    exception = an_exception("10.20.1.7/32", state=state)
    with pytest.raises(Conflict, match="cannot be approved"):
        approved(exception, "bob")
    with pytest.raises(Conflict, match="cannot be denied"):
        lifecycle.deny(exception, actor="bob", now=NOON)


def test_a_request_that_is_over_cannot_be_approved() -> None:
    exception = an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED)
    with pytest.raises(Conflict, match="is over since"):
        approved(exception, "bob", now=NIGHT)


def test_revoking_ends_it_now_and_ending_keeps_its_own_end() -> None:
    exception = an_exception("10.20.1.7/32")
    revoked = lifecycle.revoke(exception, now=NOON + timedelta(hours=1))
    assert (revoked.state, revoked.ended_at) == (ExceptionState.REVOKED, NOON + timedelta(hours=1))
    assert not revoked.is_live(NOON + timedelta(hours=1))
    ended = lifecycle.due(exception, now=NIGHT + timedelta(hours=5), use=Use(), rules=RULES)
    assert ended is not None
    assert (ended.state, ended.ended_at) == (ExceptionState.ENDED, exception.ends)
    with pytest.raises(Conflict, match="cannot be revoked"):
        lifecycle.revoke(ended, now=NIGHT)


def test_a_new_exception_waits_for_a_decision_and_opens_nothing(inventory: Inventory) -> None:
    made = lifecycle.new_exception(
        ASK, lifecycle.check_request(ASK, inventory, NOON), new_id=new_id, actor="ann", now=NOON
    )
    assert made.state is ExceptionState.REQUESTED
    assert not made.is_live(NOON)


# --- reasons, and how many must say yes -------------------------------------------------------------------------------

TWO = ExceptionRules(reasons={"other": ExceptionReason(approvals=2, max_life=timedelta(days=30))})


def ruled(inventory: Inventory, **reason: object) -> Inventory:
    rules = ExceptionRules(reasons={"other": ExceptionReason(**reason), "research": ExceptionReason()})  # type: ignore[arg-type]
    return inventory.model_copy(update={"exceptions": rules})


def test_a_reason_that_nobody_knows_is_refused_with_those_that_are(inventory: Inventory) -> None:
    with pytest.raises(Invalid, match="code: 'fun' is none of the reasons; known: other, research"):
        lifecycle.check_request(replace(ASK, code="fun"), ruled(inventory), NOON)


def test_each_reason_has_a_longest_life_of_its_own(inventory: Inventory) -> None:
    strict = ruled(inventory, max_life=timedelta(hours=10))
    with pytest.raises(Invalid, match="lives 10h at most"):
        lifecycle.check_request(ASK, strict, NOON)
    assert lifecycle.check_request(replace(ASK, code="research"), strict, NOON).code == "research"


def test_a_reason_may_demand_a_ticket(inventory: Inventory) -> None:
    with pytest.raises(Invalid, match="ticket: must not be empty"):
        lifecycle.check_request(replace(ASK, ticket=""), ruled(inventory, needs_ticket=True), NOON)


def test_two_people_approve_where_the_reason_says_two() -> None:
    first = approved(asked("10.20.1.7/32"), "bob", rules=TWO)
    assert (first.state, first.decided_by) == (ExceptionState.REQUESTED, None)
    with pytest.raises(Conflict, match="bob has approved it already"):
        approved(first, "bob", rules=TWO)
    second = approved(first, "eve", rules=TWO)
    assert (second.state, [a.actor for a in second.approvals]) == (ExceptionState.APPROVED, ["bob", "eve"])


@pytest.mark.parametrize(
    ("later", "preview"), [(timedelta(days=1), "seen"), (timedelta(hours=1), "something else")], ids=["late", "other"]
)
def test_an_approval_is_dead_after_a_time_and_for_something_else(later: timedelta, preview: str) -> None:
    waiting = replace(asked("10.20.1.7/32"), ends=NOON + timedelta(days=20))
    first = approved(waiting, "bob", rules=TWO)
    second = approved(first, "eve", now=NOON + later, preview=preview, rules=TWO)
    assert (second.state, [a.actor for a in second.approvals]) == (ExceptionState.REQUESTED, ["eve"])


def test_some_reasons_are_approved_by_named_people_only() -> None:
    rules = ExceptionRules(reasons={"other": ExceptionReason(approvers=("token:legal",))})
    with pytest.raises(NotAllowed, match="approved by others") as caught:
        approved(asked("10.20.1.7/32"), "bob", rules=rules)
    assert caught.value.hint == "ask token:legal"
    assert approved(asked("10.20.1.7/32"), "token:legal", rules=rules).state is ExceptionState.APPROVED


def test_the_lead_of_a_team_does_not_approve_it() -> None:
    with pytest.raises(NotAllowed, match="the lead of a team"):
        approved(replace(asked("10.20.1.7/32"), seats=2, lead="lea"), "lea")


# --- for whom and when ------------------------------------------------------------------------------------------------


def test_a_whole_role_may_be_asked_for(inventory: Inventory) -> None:
    wanted = replace(ASK, sources=("role:guest", "10.20.1.7"))
    found = lifecycle.check_request(wanted, inventory, NOON)
    assert (found.roles, found.sources) == (("guest",), networks("10.20.1.7/32"))
    with pytest.raises(Invalid, match="has no source role 'byod'; it has: company, guest"):
        lifecycle.check_request(replace(ASK, sources=("role:byod",)), inventory, NOON)


@pytest.mark.parametrize("text", ["", "mon", "mon 8-12", "someday 08:00-12:00", "mon 08:00-25:00", "08:00-12:00"])
def test_hours_that_are_none_are_refused(inventory: Inventory, text: str) -> None:
    with pytest.raises(Invalid, match="hours"):
        lifecycle.check_request(replace(ASK, hours=(text,)), inventory, NOON)


def test_hours_are_said_as_they_are_read(inventory: Inventory) -> None:
    found = lifecycle.check_request(replace(ASK, hours=("weekdays 08:00-12:00", "sat 22:00-24:00")), inventory, NOON)
    assert [str(h) for h in found.hours] == ["mon,tue,wed,thu,fri 08:00-12:00", "sat 22:00-00:00"]
    assert tuple(lifecycle.parse_hours(str(h)) for h in found.hours) == found.hours


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seats": 2}, "lead: name who"),
        ({"lead": "lea"}, "lead: only of a team"),
        ({"seats": 0, "lead": "lea"}, "seats: 1 to 256"),
        ({"seats": 2, "lead": "lea"}, "a seat is one address, and 10.20.2.0/28 is more"),
        ({"seats": 1, "lead": "lea", "sources": ("10.20.1.7", "10.20.1.8")}, "2 addresses for 1 seats"),
        ({"seats": 1, "lead": "lea", "sources": ("role:guest",)}, "an address, not a role"),
    ],
)
def test_seats_are_addresses_with_a_lead(inventory: Inventory, change: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        lifecycle.check_request(replace(ASK, **change), inventory, NOON)  # type: ignore[arg-type]


def test_a_seat_is_given_to_somebody_else_while_the_exception_lasts() -> None:
    team = replace(an_exception("10.20.1.7/32"), seats=2, lead="lea")
    other = networks("10.20.1.8/32", "10.20.1.9/32")
    assert lifecycle.seat(team, other, now=NOON).sources == other
    with pytest.raises(Invalid, match="3 addresses for 2 seats"):
        lifecycle.seat(team, (*other, *networks("10.20.1.7/32")), now=NOON)
    with pytest.raises(Conflict, match="seats are given up"):
        lifecycle.seat(team, other, now=NIGHT)
    with pytest.raises(Conflict, match="has no seats"):
        lifecycle.seat(an_exception("10.20.1.7/32"), other, now=NOON)


# --- what time does ---------------------------------------------------------------------------------------------------

DAY = timedelta(days=1)
LONG = replace(an_exception("10.20.1.7/32"), ends=NOON + 60 * DAY, decided_at=NOON)
IDLE = ExceptionRules(reasons={"other": ExceptionReason(idle_after=7 * DAY)})


def after(
    exception: AccessException, now: datetime, *, use: Use | None = None, rules: ExceptionRules = RULES
) -> ExceptionState | None:
    found = lifecycle.due(exception, now=now, use=replace(use or Use(), read_until=now), rules=rules)
    return found.state if found else None


def test_a_request_that_nobody_decides_lapses() -> None:
    waiting = replace(LONG, state=ExceptionState.REQUESTED)
    assert after(waiting, NOON + 13 * DAY) is None
    assert after(waiting, NOON + 14 * DAY) is ExceptionState.LAPSED


def test_a_request_lapses_at_its_end_when_that_is_sooner() -> None:
    found = lifecycle.due(asked("10.20.1.7/32"), now=NIGHT + DAY, use=Use(), rules=RULES)
    assert found is not None
    assert (found.state, found.ended_at) == (ExceptionState.LAPSED, NIGHT)


def test_one_that_nobody_uses_is_ended() -> None:
    assert after(LONG, NOON + 6 * DAY, rules=IDLE) is None
    assert after(LONG, NOON + 7 * DAY, rules=IDLE) is ExceptionState.IDLE
    assert after(LONG, NOON + 7 * DAY, rules=IDLE, use=Use(last_used_at=NOON + DAY)) is None


def test_i13_where_use_is_not_counted_nothing_is_idle() -> None:
    assert after(LONG, NOON + 50 * DAY, rules=IDLE, use=Use(uncounted=(DeviceName("asa"),))) is None


@pytest.mark.parametrize("read_until", [None, NOON + 6 * DAY], ids=["never", "to-the-day-before"])
def test_i13_while_its_counters_are_not_read_nobody_knows_whether_it_is_used(read_until: datetime | None) -> None:
    found = lifecycle.due(LONG, now=NOON + 9 * DAY, use=Use(read_until=read_until), rules=IDLE)
    assert found is None


@pytest.mark.parametrize(
    ("decided", "ends", "told"),
    [
        pytest.param(timedelta(), timedelta(hours=2), timedelta(hours=1), id="two-hours"),
        pytest.param(timedelta(hours=1), timedelta(hours=2), timedelta(minutes=90), id="approved-late"),
        pytest.param(timedelta(), 6 * DAY, 3 * DAY, id="six-days"),
        pytest.param(timedelta(), 7 * DAY, 4 * DAY, id="seven-days"),
    ],
)
def test_nobody_is_reminded_of_an_end_as_it_begins(decided: timedelta, ends: timedelta, told: timedelta) -> None:
    short = replace(LONG, decided_at=NOON + decided, ends=NOON + ends)
    assert lifecycle.due(short, now=NOON + told - timedelta(seconds=1), use=None, rules=RULES) is None
    found = lifecycle.due(short, now=NOON + told, use=None, rules=RULES)
    assert found is not None
    assert found.reminded_at == NOON + told


def test_a_person_is_reminded_once_before_the_end() -> None:
    assert after(LONG, NOON + 56 * DAY) is None
    found = lifecycle.due(LONG, now=NOON + 57 * DAY, use=Use(), rules=RULES)
    assert found is not None
    assert (found.state, found.reminded_at) == (ExceptionState.APPROVED, NOON + 57 * DAY)
    assert lifecycle.due(found, now=NOON + 58 * DAY, use=Use(), rules=RULES) is None


def test_what_is_decided_stays_decided() -> None:
    for state in (ExceptionState.DENIED, ExceptionState.REVOKED, ExceptionState.LAPSED, ExceptionState.IDLE):
        assert after(replace(LONG, state=state), NOON + 400 * DAY) is None


def test_a_draft_is_handed_in_by_its_author() -> None:
    draft = replace(asked("10.20.1.7/32"), state=ExceptionState.DRAFT)
    with pytest.raises(NotAllowed, match="by who wrote it"):
        lifecycle.submit(draft, actor="bob", now=NOON)
    assert lifecycle.submit(draft, actor="ann", now=NOON).state is ExceptionState.REQUESTED


def test_what_is_asked_again_is_the_same(inventory: Inventory) -> None:
    wanted = replace(ASK, sources=("10.20.1.7/32", "role:guest"), hours=("mon 08:00-12:00",), code="other")
    made = lifecycle.new_exception(
        wanted, lifecycle.check_request(wanted, inventory, NOON), new_id=new_id, actor="ann", now=NOON
    )
    assert lifecycle.request_again(made) == wanted


# --- a part of a service ----------------------------------------------------------------------------------------------


def test_a_part_that_the_service_has_not_is_refused(inventory: Inventory) -> None:
    with pytest.raises(Invalid, match="surface: tiktok has none named 'dance'; it has: ads-manager, business-api"):
        lifecycle.check_request(replace(ASK, surface="dance"), inventory, NOON)
    assert lifecycle.check_request(replace(ASK, surface="ads-manager"), inventory, NOON).code == "other"


def test_the_preview_says_where_a_part_cannot_be_told_apart(inventory: Inventory) -> None:
    part = replace(asked("10.20.1.7/32"), surface="ads-manager")
    plain = lifecycle.preview(part, inventory, (), NOON)
    assert "would reach ads-manager of tiktok at berlin" in plain.sentence
    assert plain.conflicts == ("what shares an address with ads-manager opens with it where its name is looked up",)
    device = inventory.device("fw-berlin")
    blunt = device.model_copy(
        update={"vendor": "cisco_asa", "options": options_model("cisco_asa")(lists=[{"acl": "INSIDE"}])}
    )
    site = inventory.site("berlin").model_copy(update={"devices": {device.name: blunt}})
    coarse = inventory.model_copy(update={"sites": {**inventory.sites, site.name: site}})
    assert any(
        "fw-berlin cannot tell ads-manager apart" in line
        for line in lifecycle.preview(part, coarse, (), NOON).conflicts
    )


def test_a_part_is_covered_by_an_exception_for_all_and_not_the_other_way_round(inventory: Inventory) -> None:
    other = replace(an_exception("10.20.1.0/24"), id=ExceptionId("01hzexception0000000000002"))
    part = replace(asked("10.20.1.7/32"), surface="ads-manager")
    assert any("already covered" in line for line in lifecycle.preview(part, inventory, (other,), NOON).conflicts)
    narrow = replace(other, surface="shop")
    for wanted in (part, asked("10.20.1.7/32")):
        assert not any("already" in line for line in lifecycle.preview(wanted, inventory, (narrow,), NOON).conflicts)
