"""People: local accounts, sign-in, lockout, sessions and their ends, over a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.access_roles import AccessRole
from controller.errors import Conflict, Invalid, NotAllowed, NotAuthenticated, NotFound
from controller.people import Identity, PersonKind, common_sites
from controller.people_desk import LOCKED_FOR, MAX_FAILURES, Browser, PeopleDesk, digest_of
from controller.settings import Settings
from controller.store import Store
from core.clock import ManualClock
from core.ids import SiteName
from core.secret import Secret
from tests.controller.backends import kept
from tests.controller.offices import offices

PASSWORD = Secret("horse battery staple 7")
WRONG = Secret("horse battery staple 8")
HERE = Browser(address="192.0.2.7", agent="Firefox")
MINUTE = timedelta(minutes=1)
BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id with the least costs: the costs of every day are the library's own."""
    from argon2 import PasswordHasher

    from controller import passwords

    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._nobodys.cache_clear()
    monkeypatch.setattr(passwords, "_hasher", lambda: quick)


@pytest.fixture
def desk(store: Store, clock: ManualClock, tmp_path: Path) -> PeopleDesk:
    return PeopleDesk(store, offices(tmp_path), clock, Settings(session_idle=MINUTE * 30, session_life=MINUTE * 120))


def add(desk: PeopleDesk, name: str = "anna", *roles: AccessRole, sites: tuple[str, ...] | None = None) -> None:
    held = roles or (AccessRole.ADMIN,)
    desk.add_local(name, title="", roles=held, sites=sites, password=PASSWORD, actor="cli:root")


def identity(name: str = "bert", subject: str = "b-1", *, issuer: str = "https://id", **more: object) -> Identity:
    base = Identity(
        issuer=issuer, subject=subject, name=name, title="Bert", roles=frozenset({AccessRole.VIEWER}), sites=None
    )
    return replace(base, **more)  # type: ignore[arg-type]


def actions(store: Store) -> list[str]:
    return [entry.action for entry in store.audit_entries()][::-1]


# --- signing in -------------------------------------------------------------------------------------------------


def test_a_password_opens_a_session_that_is_known_by_its_secret_alone(desk: PeopleDesk, store: Store) -> None:
    add(desk)
    session, secret = desk.sign_in_local("anna", PASSWORD, browser=HERE)
    found, person = desk.session_of(secret.reveal())
    assert (found.id, person.name, found.kind, found.address) == (session.id, "anna", PersonKind.LOCAL, "192.0.2.7")
    for other in ("", "x", session.id, digest_of(secret.reveal()), secret.reveal() + "x", "x" * 10_000):
        with pytest.raises(NotAuthenticated):
            desk.session_of(other)


def test_i09_passwords_and_session_secrets_stand_nowhere(desk: PeopleDesk, store: Store) -> None:
    add(desk)
    _, secret = desk.sign_in_local("anna", PASSWORD, browser=HERE)
    with pytest.raises(NotAuthenticated):
        desk.sign_in_local("anna", WRONG, browser=HERE)
    store.housekeeping(retention=timedelta(days=1))
    for text in (PASSWORD, WRONG, secret):
        assert text.reveal().encode() not in kept(store)
    assert store.person_with_hash("anna")[1].startswith("$argon2id$")  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    "name", ["nobody", "", "anna ", "ANNA", "a" * 1000, "bert", "anna\0"], ids=lambda name: repr(name[:9])
)
def test_nobody_else_signs_in_and_all_are_told_the_same(desk: PeopleDesk, name: str) -> None:
    add(desk)
    desk.sign_in_as(identity(), browser=HERE)
    with pytest.raises(NotAuthenticated) as unknown:
        desk.sign_in_local(name, PASSWORD, browser=HERE)
    with pytest.raises(NotAuthenticated) as wrong:
        desk.sign_in_local("anna", WRONG, browser=HERE)
    assert str(unknown.value) == str(wrong.value)


def test_the_use_of_a_local_account_is_told_aloud(desk: PeopleDesk, store: Store) -> None:
    add(desk)
    desk.sign_in_as(identity(), browser=HERE)
    assert store.alerts() == []
    desk.sign_in_local("anna", PASSWORD, browser=HERE)
    assert [(alert.kind, alert.subject) for alert in store.alerts()] == [("local-sign-in", "anna")]
    assert actions(store)[-1] == "session.begin"


# --- lockout ----------------------------------------------------------------------------------------------------


def guess(desk: PeopleDesk, times: int) -> None:
    for _ in range(times):
        with pytest.raises(NotAuthenticated):
            desk.sign_in_local("anna", WRONG, browser=HERE)


def test_after_five_wrong_passwords_the_right_one_is_refused_for_a_while(
    desk: PeopleDesk, store: Store, clock: ManualClock
) -> None:
    add(desk)
    guess(desk, MAX_FAILURES)
    with pytest.raises(NotAuthenticated):
        desk.sign_in_local("anna", PASSWORD, browser=HERE)
    assert actions(store).count("person.lock") == 1
    clock.advance(LOCKED_FOR - timedelta(microseconds=1))
    with pytest.raises(NotAuthenticated):
        desk.sign_in_local("anna", PASSWORD, browser=HERE)
    clock.advance(timedelta(microseconds=1))
    desk.sign_in_local("anna", PASSWORD, browser=HERE)


def test_a_right_password_forgets_the_wrong_ones(desk: PeopleDesk) -> None:
    add(desk)
    for _ in range(3):
        guess(desk, MAX_FAILURES - 1)
        desk.sign_in_local("anna", PASSWORD, browser=HERE)


def test_an_administrator_unlocks(desk: PeopleDesk) -> None:
    add(desk)
    guess(desk, MAX_FAILURES)
    desk.unlock("anna", actor="cli:root")
    desk.sign_in_local("anna", PASSWORD, browser=HERE)
    with pytest.raises(Conflict, match="not locked"):
        desk.unlock("anna", actor="cli:root")


def test_an_edit_does_not_unlock(desk: PeopleDesk) -> None:
    add(desk)
    guess(desk, MAX_FAILURES)
    desk.edit("anna", actor="cli:root", title="Anna", reason="spelling")
    with pytest.raises(NotAuthenticated):
        desk.sign_in_local("anna", PASSWORD, browser=HERE)


# --- the ends of a session ----------------------------------------------------------------------------------------


def test_an_idle_session_is_over_and_a_used_one_goes_on_to_its_end(desk: PeopleDesk, clock: ManualClock) -> None:
    add(desk)
    _, idle = desk.sign_in_local("anna", PASSWORD, browser=HERE)
    _, used = desk.sign_in_local("anna", PASSWORD, browser=HERE)
    for _ in range(4):
        clock.advance(MINUTE * 29)
        desk.session_of(used.reveal())
    with pytest.raises(NotAuthenticated):
        desk.session_of(idle.reveal())
    clock.advance(MINUTE * 4 - timedelta(microseconds=1))
    desk.session_of(used.reveal())
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(NotAuthenticated, match="over"):
        desk.session_of(used.reveal())


def _ended(desk: PeopleDesk) -> None:
    desk.end_session(desk.sessions("anna")[0].id, actor="cli:root")


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_ended, id="ended"),
        pytest.param(lambda desk: desk.sign_out_everywhere("anna", actor="person:anna"), id="everywhere"),
        pytest.param(lambda desk: desk.disable("anna", actor="cli:root", reason="left"), id="disabled"),
        pytest.param(lambda desk: desk.set_password("anna", WRONG, actor="cli:root"), id="another-password"),
    ],
)
def test_a_session_that_was_ended_opens_nothing(desk: PeopleDesk, end: Callable[[PeopleDesk], object]) -> None:
    add(desk)
    add(desk, "zoe")
    _, secret = desk.sign_in_local("anna", PASSWORD, browser=HERE)
    _, other = desk.sign_in_local("zoe", PASSWORD, browser=HERE)
    end(desk)
    with pytest.raises(NotAuthenticated):
        desk.session_of(secret.reveal())
    desk.session_of(other.reveal())
    assert [s.person for s in desk.sessions(is_open=True)] == ["zoe"]


def test_who_is_disabled_does_not_sign_in_until_enabled(desk: PeopleDesk) -> None:
    add(desk)
    add(desk, "zoe")
    desk.disable("anna", actor="cli:root", reason="left")
    with pytest.raises(NotAuthenticated):
        desk.sign_in_local("anna", PASSWORD, browser=HERE)
    desk.enable("anna", actor="cli:root")
    desk.sign_in_local("anna", PASSWORD, browser=HERE)


def test_a_change_of_roles_counts_in_open_sessions(desk: PeopleDesk) -> None:
    add(desk)
    add(desk, "zoe", AccessRole.OPERATOR, sites=("berlin",))
    _, secret = desk.sign_in_local("zoe", PASSWORD, browser=HERE)
    desk.edit("zoe", actor="cli:root", roles=[AccessRole.VIEWER], everywhere=True, reason="moved")
    person = desk.session_of(secret.reveal())[1]
    assert (person.roles, person.sites) == ({AccessRole.VIEWER}, None)


# --- changes that are refused --------------------------------------------------------------------------------------


def test_the_last_administrator_stays_one(desk: PeopleDesk) -> None:
    add(desk)
    add(desk, "zoe", AccessRole.ADMIN, sites=("berlin",))
    for change in (
        lambda: desk.disable("anna", actor="person:anna", reason="left"),
        lambda: desk.edit("anna", actor="person:anna", roles=[AccessRole.VIEWER]),
        lambda: desk.edit("anna", actor="person:anna", sites=["berlin"]),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            change()
    desk.edit("zoe", actor="person:anna", everywhere=True)
    desk.disable("anna", actor="person:anna", reason="left")


@pytest.mark.parametrize(
    "password",
    ["short", "a" * 20, "annaannaannaanna", "x" * 2000, "abcabcabcabcabcabc"],
    ids=lambda text: text[:8],
)
def test_a_password_that_is_easily_guessed_is_refused(desk: PeopleDesk, password: str) -> None:
    with pytest.raises(Invalid, match="password"):
        desk.add_local(
            "anna", title="", roles=[AccessRole.ADMIN], sites=None, password=Secret(password), actor="cli:root"
        )


def test_what_is_wrong_with_an_account_is_said(desk: PeopleDesk) -> None:
    with pytest.raises(Invalid, match="name"):
        add(desk, "Anna Smith")
    with pytest.raises(Invalid, match="roles"):
        desk.add_local("anna", title="", roles=[], sites=None, password=PASSWORD, actor="cli:root")
    with pytest.raises(NotFound, match="atlantis"):
        add(desk, "anna", AccessRole.VIEWER, sites=("atlantis",))
    add(desk)
    with pytest.raises(Conflict, match="already"):
        add(desk)
    with pytest.raises(NotFound):
        desk.edit("nobody", actor="cli:root", title="x")


# --- whom a provider vouches for ------------------------------------------------------------------------------------


def test_a_provider_says_who_and_what_somebody_is_at_each_sign_in(desk: PeopleDesk, store: Store) -> None:
    desk.sign_in_as(identity(), browser=HERE)
    told = identity(roles=frozenset({AccessRole.APPROVER}), sites=frozenset({BERLIN}), title="Bert B.")
    _, secret = desk.sign_in_as(told, browser=HERE)
    person = desk.session_of(secret.reveal())[1]
    assert (person.roles, person.sites, person.title) == ({AccessRole.APPROVER}, {BERLIN}, "Bert B.")
    assert actions(store) == ["person.create", "session.begin", "person.told", "session.begin"]
    with pytest.raises(Conflict, match="said by the provider"):
        desk.edit("bert", actor="cli:root", roles=[AccessRole.ADMIN])
    with pytest.raises(Conflict, match="no password"):
        desk.set_password("bert", PASSWORD, actor="cli:root")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(identity(subject="b-2"), id="another-subject"),
        pytest.param(identity(issuer="https://evil"), id="another-provider"),
        pytest.param(identity(name="anna"), id="a-local-account"),
    ],
)
def test_nobody_takes_a_name_that_is_somebodys(desk: PeopleDesk, other: Identity) -> None:
    add(desk)
    desk.sign_in_as(identity(), browser=HERE)
    if other.name == "anna":
        other = replace(other, subject="b-3")
    with pytest.raises(NotAllowed, match="another person"):
        desk.sign_in_as(other, browser=HERE)


def test_a_provider_lets_nobody_in_without_a_role_or_who_is_disabled(desk: PeopleDesk) -> None:
    with pytest.raises(NotAllowed, match="gives a role"):
        desk.sign_in_as(identity(roles=frozenset()), browser=HERE)
    desk.sign_in_as(identity(), browser=HERE)
    desk.disable("bert", actor="cli:root", reason="left")
    with pytest.raises(NotAllowed, match="disabled"):
        desk.sign_in_as(identity(), browser=HERE)


def test_a_name_that_the_provider_changes_stays_what_records_call_them(desk: PeopleDesk) -> None:
    desk.sign_in_as(identity(), browser=HERE)
    _, secret = desk.sign_in_as(identity(name="robert"), browser=HERE)
    assert desk.session_of(secret.reveal())[1].name == "bert"


def test_sites_in_common() -> None:
    assert common_sites(None, None) is None
    assert common_sites(None, frozenset({BERLIN})) == {BERLIN} == common_sites(frozenset({BERLIN}), None)
    assert common_sites(frozenset({BERLIN}), frozenset({AUSTIN})) == frozenset()
