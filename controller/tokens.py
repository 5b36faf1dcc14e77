"""Bearer tokens: made here, shown once, kept as a hash. The API's callers prove themselves with them.

A token is ``tokgate_``, eight digits that name it, and 256 random bits. The bits are what is secret and they cannot be
guessed, so one round of sha256 keeps them; the comparison takes the same time wherever it fails.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from controller.access_roles import all_held
from controller.audit import AuditNote
from controller.errors import Conflict, Invalid, NotAuthenticated, NotFound, StoreError
from controller.model import Scope, Token
from controller.people import common_sites
from controller.store import Store
from core.clock import Clock
from core.ids import NAME, SiteName, TokenId, new_id
from core.secret import Secret

log = structlog.get_logger()

MAX_LIFE: Final = timedelta(days=366)
OVERLAP: Final = timedelta(days=1)
"""After a rotation the old secret is taken for so long, unless another time is asked for."""
MAX_OVERLAP: Final = timedelta(days=30)
TOUCH_EVERY: Final = timedelta(minutes=1)
"""The last use is recorded this often at most: a write costs a sync of the disk, and nobody needs the second."""

_SHAPE: Final = re.compile(r"tokgate_(?P<prefix>[0-9a-f]{8})_[0-9a-f]{64}")


def create(
    store: Store,
    clock: Clock,
    *,
    name: str,
    scopes: Iterable[Scope],
    lifetime: timedelta,
    actor: str,
    sites: frozenset[SiteName] | None = None,
    owner: str | None = None,
) -> tuple[Token, Secret]:
    """A new token and its text, which is not kept and cannot be shown again.

    ``sites``: all that it sees and changes; None is every site. ``owner``: the person whom it acts for.

    Raises ``Invalid`` for a bad name, no scope, no site, or a life of no time or over a year; ``Conflict`` for a name
    in use; ``NotFound`` for an owner whom nobody knows.
    """
    granted = frozenset(scopes)
    _check(name, granted, lifetime)
    if sites is not None and not sites:
        raise Invalid("sites: at least one; leave it out for every site")
    now = clock.now()
    prefix, text = _fresh()
    token = Token(
        id=TokenId(new_id()),
        name=name,
        prefix=prefix,
        scopes=granted,
        created_at=now,
        created_by=actor,
        expires_at=now + lifetime,
        sites=sites,
        owner=None if owner is None else store.person(owner).name,
    )
    store.add_token(token, digest_of(text), audit=_note(actor, "token.create", token).moving(None, _said(token)))
    return token, Secret(text)


def _fresh() -> tuple[str, str]:
    """A prefix and a text that nobody has seen."""
    prefix = secrets.token_hex(4)
    return prefix, f"tokgate_{prefix}_{secrets.token_hex(32)}"


def rotate(
    store: Store, clock: Clock, id_or_name: str, *, actor: str, overlap: timedelta = OVERLAP
) -> tuple[Token, Secret]:
    """Another secret for the token; for ``overlap`` the old one is taken too, and its end stays.

    Raises ``NotFound``; ``Conflict`` when it is revoked or expired; ``Invalid`` for an overlap that is too long.
    """
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise Invalid(f"overlap: at most {MAX_OVERLAP.days} days")
    now = clock.now()
    token = _find(store, id_or_name, now)
    if token.expires_at <= now:
        raise Conflict(f"token {token.name} has expired", hint="make a new one")
    prefix, text = _fresh()
    after = replace(token, prefix=prefix, rotated_at=now, old_prefix=token.prefix, old_until=now + overlap)
    note = _note(actor, "token.rotate", after).moving(_said(token), _said(after))
    store.rotate_token(after, digest_of(text), audit=note)
    return after, Secret(text)


def _check(name: str, scopes: frozenset[Scope], lifetime: timedelta) -> None:
    if not NAME.fullmatch(name):
        raise Invalid("name: lower-case letters, digits and inner hyphens, at most 40")
    if not scopes:
        raise Invalid(f"scopes: at least one of {', '.join(Scope)}")
    if not timedelta(0) < lifetime <= MAX_LIFE:
        raise Invalid(f"lifetime: more than nothing, at most {MAX_LIFE.days} days")


def digest_of(text: str) -> str:
    """What the store keeps of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def authenticate(store: Store, clock: Clock, text: str) -> Token:
    """The usable token with that text; of one that has an owner, with no more than the owner may.

    Raises ``NotAuthenticated``, which does not say what exactly is wrong.
    """
    shape = _SHAPE.fullmatch(text)
    prefix = shape["prefix"] if shape else None
    now = clock.now()
    for token, kept in store.token_by_prefix(prefix) if prefix else ():
        if hmac.compare_digest(kept, digest_of(text)) and _is_usable(token, now, old=token.prefix != prefix):
            if (cut := _cut(store, token)) is None:
                break
            _touch(store, token, now)
            return cut
    raise NotAuthenticated(
        "this token is unknown, expired or revoked", hint="an administrator makes one with `tokgate token create`"
    )


def _is_usable(token: Token, now: datetime, *, old: bool) -> bool:
    if old and (token.old_until is None or token.old_until <= now):
        return False
    return token.revoked_at is None and now < token.expires_at


def _cut(store: Store, token: Token) -> Token | None:
    """The token with no more than its owner may; None when the owner may nothing any more."""
    if token.owner is None:
        return token
    owner = store.person(token.owner)
    if owner.disabled_at is not None:
        return None
    both = all_held(token.scopes) & all_held(owner.scopes)
    return replace(token, scopes=both, sites=common_sites(token.sites, owner.sites))


def _touch(store: Store, token: Token, now: datetime) -> None:
    """A full disk or a busy store keeps nobody from reading."""
    last = token.last_used_at
    if last is not None and last <= now < last + TOUCH_EVERY:
        return
    try:
        store.touch_token(token.id, now)
    except StoreError as exc:
        log.warning("token.not_touched", token=token.name, error=str(exc))


def revoke(store: Store, clock: Clock, id_or_name: str, *, actor: str) -> Token:
    """Refuse it from now on. Raises ``NotFound``; ``Conflict`` when it is revoked already."""
    now = clock.now()
    token = _find(store, id_or_name, now)
    store.revoke_token(token.id, now, audit=_note(actor, "token.revoke", token))
    return replace(token, revoked_at=now)


def _find(store: Store, id_or_name: str, now: datetime) -> Token:
    """By id, else the usable one of that name, else the newest of that name."""
    matching = [t for t in store.tokens() if id_or_name in (t.id, t.name)]
    if not matching:
        raise NotFound(f"no token {id_or_name[:40]!r}", hint="`tokgate token list` shows them")
    usable = [t for t in matching if t.revoked_at is None and now < t.expires_at]
    if not usable and all(t.revoked_at is not None for t in matching):
        raise Conflict(f"token {id_or_name} is revoked already")
    return (usable or [t for t in matching if t.revoked_at is None])[-1]


def _note(actor: str, action: str, token: Token) -> AuditNote:
    return AuditNote(actor=actor, action=action, subject=token.id, detail=_said(token))


def _said(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "prefix": token.prefix,
        "scopes": sorted(token.scopes),
        "expires": token.expires_at.isoformat(),
        "sites": None if token.sites is None else sorted(token.sites),
        "owner": token.owner,
        **({"old_until": token.old_until.isoformat()} if token.old_until else {}),
    }
