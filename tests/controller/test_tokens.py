"""Tokens: shown once, kept as a hash, refused when unknown, expired or revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller import tokens
from controller.access_roles import AccessRole
from controller.errors import Conflict, Invalid, NotAuthenticated, NotFound
from controller.model import Scope, Token
from controller.people import Person, PersonKind
from controller.store import Store
from core.clock import ManualClock
from core.ids import PersonName, SiteName
from core.secret import Secret
from tests.controller.backends import kept

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)


def made(store: Store, clock: ManualClock, name: str = "ci", life: timedelta = DAY) -> tuple[Token, Secret]:
    return tokens.create(store, clock, name=name, scopes=[Scope.READ], lifetime=life, actor="alice")


def test_a_token_opens_until_it_expires(store: Store, clock: ManualClock) -> None:
    token, text = made(store, clock)
    assert tokens.authenticate(store, clock, text.reveal()).id == token.id
    clock.advance(DAY - timedelta(microseconds=1))
    tokens.authenticate(store, clock, text.reveal())
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, clock, text.reveal())


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_token_opens_nothing(by: str, store: Store, clock: ManualClock) -> None:
    token, text = made(store, clock)
    revoked = tokens.revoke(store, clock, getattr(token, by), actor="bob")
    assert revoked.revoked_at == NOW
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, clock, text.reveal())
    with pytest.raises(Conflict):
        tokens.revoke(store, clock, getattr(token, by), actor="bob")
    assert [(e.actor, e.action) for e in store.audit_entries()] == [("bob", "token.revoke"), ("alice", "token.create")]


def test_nothing_but_the_very_text_opens(store: Store, clock: ManualClock) -> None:
    text = made(store, clock)[1].reveal()
    for at in range(len(text)):
        with pytest.raises(NotAuthenticated):
            tokens.authenticate(store, clock, text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    for wrong in (
        "",
        "tokgate_",
        text[:-1],
        text + "0",
        text.upper(),
        f" {text}",
        "x" * 100_000,
        text.replace("_", "\0"),
    ):
        with pytest.raises(NotAuthenticated):
            tokens.authenticate(store, clock, wrong)


def test_i09_the_text_is_nowhere_on_the_disk(store: Store, clock: ManualClock) -> None:
    token, text = made(store, clock)
    tokens.authenticate(store, clock, text.reveal())
    store.housekeeping(retention=DAY)
    secret = text.reveal().rpartition("_")[2].encode()
    assert token.prefix.encode() in kept(store)
    assert secret not in kept(store)
    assert text.reveal() not in repr((token, text))


def test_the_last_use_is_noted_once_a_minute_at_most(store: Store, clock: ManualClock) -> None:
    token, text = made(store, clock)
    for seconds, noted in ((0, NOW), (59, NOW), (1, NOW + timedelta(minutes=1))):
        clock.advance(timedelta(seconds=seconds))
        tokens.authenticate(store, clock, text.reveal())
        assert store.tokens()[0].last_used_at == noted, seconds
    assert store.tokens()[0].id == token.id


@pytest.mark.parametrize(
    ("name", "scopes", "life", "said"),
    [
        ("CI Token", [Scope.READ], DAY, "name"),
        ("ci", [], DAY, "scopes"),
        ("ci", [Scope.READ], timedelta(0), "lifetime"),
        ("ci", [Scope.READ], timedelta(days=367), "lifetime"),
    ],
)
def test_a_bad_request_makes_no_token(
    name: str, scopes: list[Scope], life: timedelta, said: str, store: Store, clock: ManualClock
) -> None:
    with pytest.raises(Invalid, match=said):
        tokens.create(store, clock, name=name, scopes=scopes, lifetime=life, actor="alice")
    assert store.tokens() == []


def test_by_name_the_usable_one_is_meant(store: Store, clock: ManualClock) -> None:
    made(store, clock, life=DAY)
    clock.advance(2 * DAY)
    second, _ = made(store, clock, life=DAY)
    assert tokens.revoke(store, clock, "ci", actor="alice").id == second.id
    with pytest.raises(NotFound):
        tokens.revoke(store, clock, "none", actor="alice")


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_a_rotated_token_is_two_for_a_while_then_one(store: Store, clock: ManualClock) -> None:
    token, first = made(store, clock, life=30 * DAY)
    after, second = tokens.rotate(store, clock, "ci", actor="bob", overlap=timedelta(hours=2))
    assert (after.id, after.scopes, after.expires_at) == (token.id, token.scopes, token.expires_at)
    assert after.prefix != token.prefix
    clock.advance(timedelta(hours=2) - timedelta(microseconds=1))
    assert {tokens.authenticate(store, clock, text.reveal()).id for text in (first, second)} == {token.id}
    clock.advance(timedelta(microseconds=1))
    tokens.authenticate(store, clock, second.reveal())
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, clock, first.reveal())
    assert [e.action for e in store.audit_entries()] == ["token.rotate", "token.create"]
    assert second.reveal() not in store.audit_entries()[0].detail


def test_rotated_again_only_the_last_two_secrets_are_taken(store: Store, clock: ManualClock) -> None:
    texts = [made(store, clock, life=30 * DAY)[1]]
    texts += [tokens.rotate(store, clock, "ci", actor="bob")[1] for _ in range(2)]
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, clock, texts[0].reveal())
    for text in texts[1:]:
        tokens.authenticate(store, clock, text.reveal())


def test_a_revoked_token_is_refused_by_both_secrets_and_not_rotated(store: Store, clock: ManualClock) -> None:
    first = made(store, clock)[1]
    second = tokens.rotate(store, clock, "ci", actor="bob")[1]
    tokens.revoke(store, clock, "ci", actor="bob")
    for text in (first, second):
        with pytest.raises(NotAuthenticated):
            tokens.authenticate(store, clock, text.reveal())
    with pytest.raises(Conflict, match="revoked"):
        tokens.rotate(store, clock, "ci", actor="bob")


def test_an_expired_token_is_not_rotated_to_life(store: Store, clock: ManualClock) -> None:
    made(store, clock)
    clock.advance(DAY)
    with pytest.raises(Conflict, match="expired"):
        tokens.rotate(store, clock, "ci", actor="bob")
    with pytest.raises(Invalid, match="overlap"):
        tokens.rotate(store, clock, "ci", actor="bob", overlap=31 * DAY)


# --- owners -----------------------------------------------------------------------------------------------------------


def person(store: Store, *roles: AccessRole, sites: frozenset[SiteName] | None = None) -> Person:
    found = Person(
        name=PersonName("anna"),
        title="Anna",
        kind=PersonKind.OIDC,
        roles=frozenset(roles),
        sites=sites,
        created_at=NOW,
        created_by="test",
    )
    store.add_person(found)
    return found


def test_a_token_does_never_more_than_its_owner(store: Store, clock: ManualClock) -> None:
    berlin, paris, rome = (SiteName(name) for name in ("berlin", "paris", "rome"))
    owner = person(store, AccessRole.APPROVER, sites=frozenset({berlin, paris}))
    _, text = tokens.create(
        store,
        clock,
        name="annas",
        scopes=[Scope.READ, Scope.OPERATE, Scope.APPROVE],
        lifetime=DAY,
        actor="alice",
        sites=frozenset({paris, rome}),
        owner="anna",
    )
    found = tokens.authenticate(store, clock, text.reveal())
    assert (found.scopes, found.sites, found.owner) == ({Scope.READ, Scope.APPROVE}, {paris}, "anna")
    store.update_person(replace(owner, roles=frozenset({AccessRole.VIEWER}), sites=None))
    found = tokens.authenticate(store, clock, text.reveal())
    assert (found.scopes, found.sites) == ({Scope.READ}, {paris, rome})
    store.update_person(replace(owner, disabled_at=NOW))
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, clock, text.reveal())


def test_an_admins_admin_token_is_one(store: Store, clock: ManualClock) -> None:
    person(store, AccessRole.ADMIN)
    _, text = tokens.create(store, clock, name="annas", scopes=[Scope.ADMIN], lifetime=DAY, actor="alice", owner="anna")
    assert Scope.ADMIN in tokens.authenticate(store, clock, text.reveal()).scopes


def test_an_owner_is_somebody_and_sites_are_some(store: Store, clock: ManualClock) -> None:
    with pytest.raises(NotFound, match="nobody is called"):
        tokens.create(store, clock, name="x", scopes=[Scope.READ], lifetime=DAY, actor="alice", owner="nobody")
    with pytest.raises(Invalid, match="sites"):
        tokens.create(store, clock, name="x", scopes=[Scope.READ], lifetime=DAY, actor="alice", sites=frozenset())
