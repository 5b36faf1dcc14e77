"""What time makes of exceptions, over a real store: when it is asked, and what was counted of their use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.access_roles import AccessRole
from controller.audit import AuditNote
from controller.errors import Conflict, InventoryError, NotAllowed
from controller.exception_desk import ExceptionDesk
from controller.inventory import Inventory
from controller.model import DetectionEvent, EventAction, ExceptionState, Quality, Use, Window
from controller.people import Person, PersonKind
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, EventId, ExceptionId, PersonName, SiteName, new_id
from tests.controller.offices import NOON, YAML, an_exception, offices
from vendors.model import Reading, RuleName
from vendors.registry import options_model

DAY = timedelta(days=1)
IDLE = f"{YAML}exceptions: {{reasons: {{other: {{idle_after: 7d}}}}}}\n"
FW = DeviceName("fw-berlin")
GIVEN = replace(an_exception("10.20.1.7"), ends=NOON + 60 * DAY, decided_at=NOON)


def desk(store: Store, inventory: Inventory, clock: ManualClock) -> ExceptionDesk:
    return ExceptionDesk(store, inventory, clock, follow=lambda before, after: None)


def used(store: Store, at: datetime, hits: int = 3) -> None:
    event = DetectionEvent(
        id=EventId(new_id()),
        site=SiteName("berlin"),
        device=FW,
        rule=RuleName(f"exc-{GIVEN.id}"),
        role=None,
        exception=GIVEN.id,
        action=EventAction.ALLOWED,
        window=Window(at - timedelta(minutes=5), at),
        hits=hits,
        packets=2 * hits,
        octets=None,
        quality=Quality.EXACT,
        snapshot=None,
    )
    store.record_events(FW, Reading(epoch="e", read_at=at, rules=()), (event,))


def reading(store: Store, clock: ManualClock) -> Callable[[], object]:
    """The counters of its device are read, and prove no use."""
    return lambda: store.record_events(FW, Reading(epoch="e", read_at=clock.now(), rules=()), ())


def states(
    found: ExceptionDesk, clock: ManualClock, days: range, *, read: Callable[[], object] = lambda: None
) -> dict[int, ExceptionState]:
    """What is made of it on which day, asked on each, once its counters are read."""
    seen: dict[int, ExceptionState] = {}
    for day in days:
        clock.jump(NOON + day * DAY)
        read()
        for exception in found.end_due():
            if exception.ended_at is not None:
                seen[day] = exception.state
    return seen


@pytest.mark.parametrize(("at", "ends"), [([], 7), ([5], 12), ([2, 6, 12], 19)], ids=["never", "once", "often"])
def test_one_is_ended_when_nobody_has_used_it_for_its_time(
    store: Store, clock: ManualClock, tmp_path: Path, at: list[int], ends: int
) -> None:
    store.add_exception(GIVEN)
    for day in at:
        used(store, NOON + day * DAY)
    found = desk(store, offices(tmp_path, IDLE), clock)
    assert states(found, clock, range(30), read=reading(store, clock)) == {ends: ExceptionState.IDLE}


def test_i13_one_is_idle_only_when_its_counters_were_read_since(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """A firewall that nobody reached, or a controller that stood still: what was used meanwhile comes in later."""
    store.add_exception(GIVEN)
    found = desk(store, offices(tmp_path, IDLE), clock)
    assert states(found, clock, range(20)) == {}
    used(store, NOON + 6 * DAY)
    assert states(found, clock, range(20, 22)) == {}
    used(store, NOON + 22 * DAY, 0)
    assert states(found, clock, range(22, 24)) == {22: ExceptionState.IDLE}


def test_use_that_comes_in_while_it_waits_puts_the_end_off(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    store.add_exception(GIVEN)
    found = desk(store, offices(tmp_path, IDLE), clock)
    used(store, NOON + 3 * DAY)
    assert states(found, clock, range(8)) == {}
    used(store, NOON + 9 * DAY)
    assert states(found, clock, range(10, 20), read=reading(store, clock)) == {16: ExceptionState.IDLE}


def test_i13_one_that_a_device_does_not_count_is_never_idle(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    store.add_exception(GIVEN)
    inventory = offices(tmp_path, IDLE)
    options = options_model("cisco_asa")(lists=[{"acl": "INSIDE"}])
    blind = inventory.site("berlin").devices[FW].model_copy(update={"vendor": "cisco_asa", "options": options})
    site = inventory.site("berlin").model_copy(update={"devices": {FW: blind}})
    unseen = inventory.model_copy(update={"sites": {**inventory.sites, site.name: site}})
    found = desk(store, unseen, clock)
    assert found.use(GIVEN.id).uncounted == (FW,)
    assert states(found, clock, range(62), read=reading(store, clock)) == {60: ExceptionState.ENDED}


def test_use_is_the_sum_of_what_was_counted(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    store.add_exception(GIVEN)
    used(store, NOON + DAY, 3)
    used(store, NOON + 2 * DAY, 4)
    used(store, NOON + 3 * DAY, 0)
    assert desk(store, offices(tmp_path), clock).use(GIVEN.id) == Use(
        hits=7, packets=14, octets=None, last_used_at=NOON + 2 * DAY
    )


def test_a_reason_may_be_approved_by_whoever_holds_a_role(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    """By what a person is at that moment; a token or a user of the machine is nothing."""
    text = f'{YAML}exceptions: {{reasons: {{other: {{approvers: ["role:admin"]}}}}}}\n'
    found = desk(store, offices(tmp_path, text), clock)
    store.add_exception(replace(GIVEN, state=ExceptionState.REQUESTED, decided_at=None))
    for name, role in (("kim", AccessRole.APPROVER), ("ada", AccessRole.ADMIN)):
        person = Person(
            name=PersonName(name), title=name, kind=PersonKind.LOCAL, roles=frozenset({role}), created_at=NOON,
            created_by="cli:root",
        )  # fmt: skip
        store.add_person(person, "x", audit=AuditNote(actor="cli:root", action="person.add", subject=name))
    for actor in ("person:kim", "person:nobody", "token:ada", "cli:ada"):
        with pytest.raises(NotAllowed, match="approved by others"):
            found.approve(GIVEN.id, actor=actor)
    assert found.approve(GIVEN.id, actor="person:ada").state is ExceptionState.APPROVED


def test_a_role_that_nobody_can_hold_is_refused(tmp_path: Path) -> None:
    text = f'{YAML}exceptions: {{reasons: {{other: {{approvers: ["role:legal"]}}}}}}\n'
    with pytest.raises(InventoryError, match="no such role; known: role:viewer"):
        offices(tmp_path, text)


# --- in one moment, and with a clock that goes back -------------------------------------------------------------------

TWO = f"{YAML}exceptions: {{reasons: {{other: {{approvals: 2}}}}}}\n"
ASKED = replace(GIVEN, state=ExceptionState.REQUESTED, decided_at=None, decided_by=None, approvals=())


def overtaken(monkeypatch: pytest.MonkeyPatch, store: Store, by: Callable[[], object]) -> None:
    """Somebody else is done between the reading and the writing of the next decision."""
    keep = store.update_exception

    def late(*args: Any, **more: Any) -> None:
        monkeypatch.setattr(store, "update_exception", keep)
        by()
        keep(*args, **more)

    monkeypatch.setattr(store, "update_exception", late)


def test_two_approvers_at_once_both_count(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has read it without the other's approval; neither is lost, and it is approved."""
    found = desk(store, offices(tmp_path, TWO), clock)
    store.add_exception(ASKED)
    overtaken(monkeypatch, store, lambda: found.approve(ASKED.id, actor="ben"))
    made = found.approve(ASKED.id, actor="cleo")
    assert (made.state, [a.actor for a in made.approvals]) == (ExceptionState.APPROVED, ["ben", "cleo"])
    assert store.exception(ASKED.id).approvals == made.approvals


def test_of_an_approver_and_one_who_denies_at_once_the_first_decides(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = desk(store, offices(tmp_path, TWO), clock)
    store.add_exception(ASKED)
    overtaken(monkeypatch, store, lambda: found.deny(ASKED.id, actor="ben", reason="no"))
    with pytest.raises(Conflict, match=r"is denied \(by ben\) and cannot be approved"):
        found.approve(ASKED.id, actor="cleo")


def test_a_clock_that_is_set_back_brings_nothing_back_and_ends_nothing_twice(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    found = desk(store, offices(tmp_path), clock)
    later = replace(GIVEN, id=ExceptionId(new_id()), starts=NOON + 2 * DAY)
    for exception in (GIVEN, later):
        store.add_exception(exception, audit=AuditNote(actor="ann", action="exception.request", subject=exception.id))
    clock.jump(GIVEN.ends)
    assert {e.id for e in found.end_due()} == {GIVEN.id, later.id}
    clock.jump(NOON + DAY)  # both would live, or still wait, by this time
    assert found.end_due() == ()
    assert [e.state for e in found.find()] == [ExceptionState.ENDED] * 2
    assert not any(e.is_live(clock.now()) for e in found.find())
    assert store.verify_audit() == [], "the chain goes by its numbers, not by the clock"
