"""Tokens: shown once, kept as a hash, refused when unknown, expired or revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller import tokens
from controller.errors import Conflict, Invalid, NotAuthenticated, NotFound
from controller.model import Scope, Token
from controller.store import Store
from core.clock import ManualClock
from core.secret import Secret

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
    assert token.prefix.encode() in store.path.read_bytes()
    for path in store.path.parent.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes()
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
