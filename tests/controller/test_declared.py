"""Exceptions declared in a file: what is wrong with the file, and how what is kept is made to say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.access_roles import AccessRole
from controller.declared import DeclaredKind, load_declared
from controller.declared_desk import DeclaredDesk
from controller.errors import Conflict, InventoryError
from controller.exception_desk import ExceptionDesk
from controller.inventory import Inventory
from controller.inventory.moves import parts_of
from controller.model import AccessException, ExceptionState
from controller.people import Person, PersonKind
from controller.reach import Reach
from controller.store import Store
from core.clock import ManualClock
from core.ids import PersonName, SiteName
from ipsets.errors import GuardTripped
from tests.controller.offices import NOON, YAML, an_exception, offices, request

RULES = """
exceptions:
  file: exceptions.yaml
  reasons:
    other: {}
    legal: {approvals: 2, approvers: [ann, 'person:ann', bob, eve]}
    board: {approvers: ['role:admin']}
"""
ENTRY = """
  {key}:
    sites: [berlin]
    sources: [{source}]
    service: tiktok
    starts: 2026-11-25T08:00:00Z
    ends: {ends}
    reason: campaign
    owner: marketing
    requested_by: dan
    approved_by: [ann]
"""
HEAD = "version: 1\nexceptions:\n"


def entry(key: str, source: str = "10.20.1.7", ends: str = "2026-12-24T18:00:00Z") -> str:
    return ENTRY.format(key=key, source=source, ends=ends).lstrip("\n")


@pytest.fixture
def declare(tmp_path: Path, store: Store, clock: ManualClock) -> Callable[..., DeclaredDesk]:
    """Write the file; the desk over it."""

    def write(*entries: str, rules: str = RULES) -> DeclaredDesk:
        (tmp_path / "exceptions.yaml").write_text(HEAD + "".join(entries) if entries else "version: 1\n")
        return DeclaredDesk(store, offices(tmp_path, YAML + rules), clock, path=tmp_path / "inventory.yaml")

    return write


def carried(desk: DeclaredDesk, *, force: bool = False) -> dict[str, DeclaredKind]:
    return {c.key: c.kind for c in desk.carry_out(actor="cli:ci", reason="merged", force=force)}


def live(store: Store) -> dict[str, AccessException]:
    found = store.exceptions(state=ExceptionState.APPROVED)
    return {e.declared.key: e for e in found if e.declared is not None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry("a", source="192.0.2.1"), r"exceptions.yaml:5: exceptions.a.sources: .*lies in no source network"),
        (entry("a").replace("[ann]", "[dan]"), r"exceptions.yaml:12: exceptions.a.approved_by: .*asked for, and dan"),
        (entry("a").replace("[ann]", "[cli:dan]"), r"a.approved_by: .*asked for, and cli:dan did"),
        (entry("a") + "    code: legal\n", r"exceptions.yaml:12: .*needs 2 people"),
        (entry("a").replace("[ann]", "[ann, ann]") + "    code: legal\n", "needs 2 people"),
        (entry("a").replace("[ann]", "[ann, person:ann]") + "    code: legal\n", "needs 2 people"),
        (entry("a").replace("[ann]", "[ann, zoe]") + "    code: legal\n", "not zoe: this reason is approved by ann"),
        (entry("a").replace("owner", "onwer"), r"exceptions.yaml:10: exceptions.a.onwer: .*did you mean 'owner'"),
        (entry("a").replace("[ann]", "[]"), r"exceptions.yaml:12: exceptions.a.approved_by: 1 at least"),
        (
            entry("a").replace("08:00:00Z", "08:00:00"),
            r"exceptions.yaml:7: exceptions.a.starts: .* time with its zone",
        ),
        (entry("a") + entry("a"), r"exceptions.yaml:13: exceptions.a: is there twice"),
        (entry("a").replace("berlin", "paris"), r"exceptions.yaml:3: exceptions.a: no site 'paris'"),
    ],
)
def test_a_file_that_is_wrong_says_where(
    declare: Callable[..., DeclaredDesk], store: Store, text: str, said: str
) -> None:
    with pytest.raises(InventoryError, match=said):
        declare(text).carry_out(actor="cli:ci", reason="")
    assert store.exceptions() == []


def test_a_file_that_is_missing_ends_nothing(
    declare: Callable[..., DeclaredDesk], store: Store, tmp_path: Path
) -> None:
    carried(declare(entry("a")))
    desk = declare(entry("a"))
    (tmp_path / "exceptions.yaml").unlink()
    with pytest.raises(InventoryError, match="cannot be read"):
        carried(desk)
    assert live(store).keys() == {"a"}
    assert "cannot be read" in desk.drift().trouble


def test_what_the_file_says_is_given_changed_and_ended_once(
    declare: Callable[..., DeclaredDesk], store: Store, clock: ManualClock
) -> None:
    store.add_exception(an_exception("10.20.5.5"))  # asked for by a person: the file has no say in it
    assert carried(declare(entry("a"), entry("b"))) == {"a": DeclaredKind.ADD, "b": DeclaredKind.ADD}
    assert carried(declare(entry("b"), entry("a"))) == {}
    first = live(store)["a"]
    assert (first.decided_by, first.requested_by, [a.actor for a in first.approvals]) == ("cli:ci", "dan", ["ann"])

    assert carried(declare(entry("a", "10.20.1.8"), entry("b"))) == {"a": DeclaredKind.REPLACE}
    assert str(live(store)["a"].sources[0]) == "10.20.1.8/32"
    assert live(store)["a"].renews == first.id
    assert store.exception(first.id).state is ExceptionState.REVOKED

    assert carried(declare(entry("a", "10.20.1.8"))) == {"b": DeclaredKind.END}
    assert {e.id for e in store.exceptions(state=ExceptionState.APPROVED)} == {
        an_exception().id,
        live(store)["a"].id,
    }
    assert store.verify_audit() == []
    actions = [e.action for e in store.audit_entries(limit=20)]
    assert [actions.count(f"exception.{act}") for act in ("declare", "undeclare")] == [3, 2]


def test_a_change_that_the_file_takes_back_is_given_as_it_was(
    declare: Callable[..., DeclaredDesk], store: Store
) -> None:
    """As `git revert` does."""
    for source, kind in (("10.20.1.7", "add"), ("10.20.1.8", "replace"), ("10.20.1.7", "replace")):
        assert carried(declare(entry("a", source))) == {"a": kind}
        assert [str(network) for network in live(store)["a"].sources] == [f"{source}/32"]
    assert declare(entry("a")).drift().is_none


def a_person(name: str, role: AccessRole) -> Person:
    return Person(
        name=PersonName(name), title=name, kind=PersonKind.LOCAL, roles=frozenset({role}), created_at=NOON,
        created_by="cli:root",
    )  # fmt: skip


def test_an_approver_whom_a_file_names_may_be_one_by_their_role_of_now(
    declare: Callable[..., DeclaredDesk], store: Store
) -> None:
    def declared(who: str) -> DeclaredDesk:
        return declare(entry("a").replace("[ann]", f"[{who}]") + "    code: board\n")

    for name, role in (("kim", AccessRole.APPROVER), ("ada", AccessRole.ADMIN)):
        store.add_person(a_person(name, role))
    for who in ("ann", "person:kim", "person:nobody"):
        with pytest.raises(InventoryError, match=r"a.approved_by: .*not .*: this reason is approved by role:admin"):
            declared(who).carry_out(actor="cli:ci", reason="")
    assert carried(declared("person:ada")) == {"a": DeclaredKind.ADD}
    store.update_person(a_person("ada", AccessRole.VIEWER))
    assert declared("person:ada").drift().is_none, "what was given stays"


def test_one_cut_off_between_given_and_ended_goes_on(
    declare: Callable[..., DeclaredDesk], store: Store, clock: ManualClock
) -> None:
    """The process was killed after the new one was kept: the old one is ended by the next run, and nothing is given."""
    carried(declare(entry("a")))
    old = live(store)["a"]
    desk = declare(entry("a", "10.20.1.8"))
    [change] = desk.differences(actor="cli:ci")
    assert change.add is not None
    store.add_exception(change.add)
    assert carried(desk) == {"a": DeclaredKind.END}
    assert store.exception(old.id).state is ExceptionState.REVOKED
    assert store.exception(change.add.id).state is ExceptionState.APPROVED
    assert carried(desk) == {}


def test_one_ended_by_hand_stays_ended_and_is_told(
    declare: Callable[..., DeclaredDesk], store: Store, tmp_path: Path, clock: ManualClock
) -> None:
    desk = declare(entry("a"))
    carried(desk)
    people = ExceptionDesk(store, offices(tmp_path, YAML + RULES), clock, follow=lambda before, after: None)
    given = live(store)["a"]
    with pytest.raises(Conflict, match=r"declared in a file, as a.*exceptions\.yaml"):
        people.renew(given.id, ends=given.ends + timedelta(days=1), actor="token:x")
    people.revoke(given.id, actor="token:x", reason="misused")
    assert carried(desk) == {}
    [told] = desk.drift().exceptions
    assert (told.kind, "revoked" in told.told) == (DeclaredKind.ENDED, True)


def test_what_is_over_is_not_checked_and_not_given(
    declare: Callable[..., DeclaredDesk], store: Store, clock: ManualClock
) -> None:
    past = entry("old", source="192.0.2.1", ends="2026-11-25T09:00:00Z")
    assert carried(declare(past, entry("a"))) == {"a": DeclaredKind.ADD}
    clock.jump(live(store)["a"].ends + timedelta(days=1))
    assert carried(declare(entry("a"))) == {}
    assert load_declared(offices(store._data_dir, YAML + RULES), clock.now()).keys() == {"a"}


@pytest.mark.parametrize(("kept", "is_held"), [(0, True), (6, True), (8, False), (9, False)])
def test_a_file_that_lost_many_needs_a_word(
    declare: Callable[..., DeclaredDesk], store: Store, kept: int, is_held: bool
) -> None:
    entries = [entry(f"e{n}", source=f"10.20.1.{n}") for n in range(10)]
    carried(declare(*entries))
    desk = declare(*entries[:kept])
    if is_held:
        with pytest.raises(GuardTripped, match=f"{10 - kept} of 10"):
            carried(desk)
        assert len(live(store)) == 10
    carried(desk, force=True)
    assert len(live(store)) == kept


def test_where_the_file_alone_decides_nobody_asks(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    rules = "exceptions: {file: exceptions.yaml, only_from_file: true}\n"
    people = ExceptionDesk(store, offices(tmp_path, YAML + rules), clock, follow=lambda before, after: None)
    with pytest.raises(Conflict, match="declared in a file here"):
        people.request(request(clock.now(), clock.now() + timedelta(days=1)), actor="token:x")


def test_an_edited_inventory_is_told(declare: Callable[..., DeclaredDesk], store: Store, tmp_path: Path) -> None:
    desk = declare(entry("a"))
    carried(desk)
    assert desk.drift().is_none
    followed(store, offices(tmp_path, YAML + RULES))
    assert desk.drift().is_none
    offices(tmp_path, YAML.replace("Berlin office", "Berlin") + RULES)
    drift = desk.drift()
    assert (drift.moved, drift.is_none) == (True, False)
    assert replace(drift, serving=drift.on_disk).is_none


def followed(store: Store, inventory: Inventory) -> None:
    """A schedule takes it up."""
    store.follow_inventory(inventory.digest, parts_of(inventory))


def test_what_of_the_inventory_was_edited_is_told_part_by_part_and_to_whom_it_concerns(
    declare: Callable[..., DeclaredDesk], store: Store, tmp_path: Path
) -> None:
    desk = declare(entry("a"))
    followed(store, offices(tmp_path, YAML + RULES))
    edited = YAML.replace("guest: {mode: off}", "guest: {mode: monitor}").replace("fw-austin", "fw-dallas")
    after = offices(tmp_path, edited.replace("Berlin office", "Berlin") + RULES + "calendars: {de: {country: DE}}\n")
    parts = desk.drift().parts
    assert parts is not None
    assert [(part.place, part.move) for part in parts] == [
        ("calendars", "edited"),
        ("policies.standard", "edited"),
        ("sites.austin.devices.fw-austin", "removed"),
        ("sites.austin.devices.fw-dallas", "added"),
        ("sites.berlin", "edited"),
    ]
    berlin = desk.within(Reach(frozenset({SiteName("berlin")}))).drift().parts
    assert [part.place for part in berlin or ()] == ["sites.berlin"]
    followed(store, after)
    assert desk.drift().parts == ()
    told = json.loads(store.audit_entries(limit=1)[0].detail)
    assert (told["parts"], told["parts_in_all"]) == ([part.place for part in parts], 5)
