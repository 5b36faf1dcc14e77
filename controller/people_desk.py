"""Where people sign in and out, and where who they are is changed.

A local account is for the day that the provider is down: its use is loud (a warning in the log, an alert, the audit
log). A session is a random secret in a browser's cookie; we keep its hash. Every change is in the audit log.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from controller import passwords
from controller.access_roles import AccessRole
from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.errors import Conflict, Invalid, NotAllowed, NotAuthenticated, StoreError
from controller.exceptions import check_text
from controller.inventory import Inventory
from controller.people import Identity, Person, PersonKind, PersonSession
from controller.settings import Settings
from controller.store import Store
from core.clock import Clock
from core.ids import PERSON_NAME, PersonName, SessionId, SiteName, new_id
from core.secret import Secret

log = structlog.get_logger()

MAX_FAILURES: Final = 5
"""Wrong passwords in a row; then the account is locked."""
LOCKED_FOR: Final = timedelta(minutes=15)
TOUCH_EVERY: Final = timedelta(minutes=1)
"""The last use is recorded this often at most."""
MAX_SECRET: Final = 128
AGENT_LENGTH: Final = 160
LOCAL_SIGN_IN: Final = "local-sign-in"
"""The kind of the alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Where somebody signs in from."""

    address: str
    agent: str


class PeopleDesk:
    """One for a controller. Safe to use from any number of threads."""

    def __init__(self, store: Store, inventory: Inventory, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._settings = settings

    # --- who there is ---------------------------------------------------------------------------------------------

    def all(self) -> list[Person]:
        """By name; also the disabled ones."""
        return self._store.people()

    def get(self, name: str) -> Person:
        """Raises ``NotFound``."""
        return self._store.person(name)

    def add_local(
        self,
        name: str,
        *,
        title: str,
        roles: Iterable[AccessRole],
        sites: Iterable[str] | None,
        password: Secret,
        actor: str,
    ) -> Person:
        """A person whose password we keep.

        Raises ``Invalid`` for a bad name, title, password, or no role; ``NotFound`` for a site; ``Conflict`` when there
        is one of that name.
        """
        check_name(name)
        passwords.check_password(password, name=name)
        person = Person(
            name=PersonName(name),
            title=_title(title or name),
            kind=PersonKind.LOCAL,
            roles=_some(roles),
            sites=self._sites(sites),
            created_at=self._clock.now(),
            created_by=actor,
        )
        self._store.add_person(person, passwords.hash_of(password), audit=_made(actor, person))
        return person

    def edit(
        self,
        name: str,
        *,
        actor: str,
        title: str | None = None,
        roles: Iterable[AccessRole] | None = None,
        sites: Iterable[str] | None = None,
        everywhere: bool = False,
        reason: str = "",
    ) -> Person:
        """What is given is changed; ``everywhere`` lifts the limit to sites. In force at once, in open sessions too.

        Raises ``NotFound``; ``Invalid``; ``Conflict`` for roles and sites of somebody whose provider says them, and
        when nobody would be left who may change it back.
        """
        before = self.get(name)
        if before.kind is PersonKind.OIDC and (roles is not None or sites is not None or everywhere):
            raise Conflict(
                f"what {name} may is said by the provider at each sign-in",
                hint="change it there, or the rules under `access` in the inventory",
            )
        after = replace(
            before,
            title=before.title if title is None else _title(title),
            roles=before.roles if roles is None else _some(roles),
            sites=None if everywhere else before.sites if sites is None else self._sites(sites),
        )
        self._refuse_last(before, after)
        self._store.update_person(after, audit=note_of(actor, "person.edit", after, reason, before=before))
        return after

    def set_password(self, name: str, password: Secret, *, actor: str) -> Person:
        """Another password, which also unlocks; every session of theirs ends. Raises ``NotFound``, ``Invalid``."""
        person = self.get(name)
        if person.kind is not PersonKind.LOCAL:
            raise Conflict(f"{name} has no password here", hint="it is changed at the provider")
        passwords.check_password(password, name=name)
        note = note_of(actor, "person.password", person).moving({"password": "one"}, {"password": "another"})
        self._store.update_person(person, password_hash=passwords.hash_of(password), unlock=True, audit=note)
        self.sign_out_everywhere(name, actor=actor)
        return self.get(name)

    def unlock(self, name: str, *, actor: str) -> Person:
        """Let them try again now. Raises ``NotFound``; ``Conflict`` when they are not locked out."""
        person = self.get(name)
        if person.locked_until is None or person.locked_until <= self._clock.now():
            raise Conflict(f"{name} is not locked out")
        locked = {"locked_until": person.locked_until.isoformat()}
        note = note_of(actor, "person.unlock", person).moving(locked, None)
        self._store.update_person(person, unlock=True, audit=note)
        return self.get(name)

    def disable(self, name: str, *, actor: str, reason: str) -> Person:
        """No sign-in from now on, no open session, and no token that they own.

        Raises ``NotFound``; ``Invalid`` without a reason; ``Conflict`` when they are disabled, or the last
        administrator.
        """
        check_text("reason", reason, required=True)
        before = self.get(name)
        if before.disabled_at is not None:
            raise Conflict(f"{name} is disabled already")
        after = replace(before, disabled_at=self._clock.now())
        self._refuse_last(before, after)
        self._store.update_person(after, audit=note_of(actor, "person.disable", after, reason, before=before))
        self.sign_out_everywhere(name, actor=actor)
        return after

    def enable(self, name: str, *, actor: str, reason: str = "") -> Person:
        """Raises ``NotFound``; ``Conflict`` when they are not disabled."""
        before = self.get(name)
        if before.disabled_at is None:
            raise Conflict(f"{name} is not disabled")
        after = replace(before, disabled_at=None)
        self._store.update_person(
            after, unlock=True, audit=note_of(actor, "person.enable", after, reason, before=before)
        )
        return self.get(name)

    def _refuse_last(self, before: Person, after: Person) -> None:
        """Over the network nobody locks everybody out; the command line on the machine can always add somebody."""
        if is_last_admin(self.all(), before, after):
            raise Conflict(
                f"{before.name} is the last administrator with a local account",
                hint="make another one first: `tokgate person add --local`",
            )

    def _sites(self, names: Iterable[str] | None) -> frozenset[SiteName] | None:
        if names is None:
            return None
        found = frozenset(self._inventory.site(name).name for name in names)
        if not found:
            raise Invalid("sites: at least one; leave it out for every site")
        return found

    # --- signing in -----------------------------------------------------------------------------------------------

    def sign_in_local(self, name: str, password: Secret, *, browser: Browser) -> tuple[PersonSession, Secret]:
        """A new session by the password that we keep, and its secret.

        Raises ``NotAuthenticated``, in the same words and after the same time whether the name, the password or
        neither is known, or the account is locked or disabled.
        """
        now = self._clock.now()
        found = self._store.person_with_hash(name) if PERSON_NAME.fullmatch(name) else None
        person, kept = found or (None, None)
        fits = passwords.matches(kept, password)
        if person is None or kept is None or not self._may_try(person, now) or not fits:
            self._failed(person if kept else None, name, now, browser)
            raise NotAuthenticated(
                "wrong name or password",
                hint=f"after {MAX_FAILURES} wrong ones an account is locked for {LOCKED_FOR.seconds // 60} minutes",
            )
        if passwords.is_outdated(kept):
            self._store.update_person(person, password_hash=passwords.hash_of(password))
        log.warning("sign_in.local", person=person.name, address=browser.address)
        return self._begin(person, PersonKind.LOCAL, browser, now)

    def _may_try(self, person: Person, now: datetime) -> bool:
        return person.disabled_at is None and (person.locked_until is None or person.locked_until <= now)

    def _failed(self, person: Person | None, name: str, now: datetime, browser: Browser) -> None:
        log.warning("sign_in.failed", person=name[:64] if person else None, address=browser.address)
        if person is None or not self._may_try(person, now):
            return
        locked_until = self._store.note_failure(
            person.name,
            now=now,
            most=MAX_FAILURES,
            locked_for=LOCKED_FOR,
            audit=AuditNote(
                actor="system", action="person.lock", subject=person.name, detail={"address": browser.address}
            ),
        )
        if locked_until is not None:
            log.warning("sign_in.locked", person=person.name, until=locked_until.isoformat(), address=browser.address)

    def sign_in_as(self, identity: Identity, *, browser: Browser) -> tuple[PersonSession, Secret]:
        """A new session for whom a provider vouches; roles and sites are those of the identity from now on.

        Raises ``NotAllowed`` when they are disabled here, are given no role, or would take somebody else's name.
        """
        now = self._clock.now()
        check_name(identity.name)
        if not identity.roles:
            raise NotAllowed(
                f"the provider knows {identity.name}, but nothing that it says gives a role here",
                hint="an administrator maps groups to roles under `access` in the inventory",
            )
        known = self._store.person_of(identity.issuer, identity.subject)
        if known is None:
            known = self._first_seen(identity, now)
        if known.disabled_at is not None:
            raise NotAllowed(f"{known.name} is disabled here", hint="ask an administrator")
        told = replace(known, title=_title(identity.title), roles=identity.roles, sites=identity.sites)
        if told != known:
            note = note_of(known.actor, "person.told", told, "as the provider says", before=known)
            self._store.update_person(told, audit=note)
        return self._begin(told, PersonKind.OIDC, browser, now)

    def _first_seen(self, identity: Identity, now: datetime) -> Person:
        person = Person(
            name=PersonName(identity.name),
            title=_title(identity.title),
            kind=PersonKind.OIDC,
            roles=identity.roles,
            sites=identity.sites,
            issuer=identity.issuer,
            subject=identity.subject,
            created_at=now,
            created_by="system",
        )
        try:
            self._store.add_person(person, audit=_made(person.actor, person, "first sign-in"))
        except Conflict as exc:
            raise NotAllowed(
                f"another person is called {identity.name} here", hint="an administrator has to look into it"
            ) from exc
        return person

    def _begin(self, person: Person, kind: PersonKind, browser: Browser, now: datetime) -> tuple[PersonSession, Secret]:
        text = secrets.token_urlsafe(32)
        session = PersonSession(
            id=SessionId(new_id()),
            person=person.name,
            kind=kind,
            address=browser.address,
            agent=browser.agent[:AGENT_LENGTH],
            created_at=now,
            last_used_at=now,
            idle_at=now + self._settings.session_idle,
            ends_at=now + self._settings.session_life,
        )
        detail = {"address": session.address, "kind": kind.value, "session": session.id}
        note = AuditNote(actor=person.actor, action="session.begin", subject=person.name, detail=detail)
        note = note.moving(None, {"session": session.id})
        self._store.begin_session(session, digest_of(text), audit=note, alerts=_alerts(person, kind))
        return session, Secret(text)

    # --- sessions -------------------------------------------------------------------------------------------------

    def session_of(self, text: str, *, is_use: bool = True) -> tuple[PersonSession, Person]:
        """The open session with that secret, and whose it is; unless ``is_use``, it is no younger for it.

        Raises ``NotAuthenticated``.
        """
        now = self._clock.now()
        found = self._store.session_by_hash(digest_of(text)) if 0 < len(text) <= MAX_SECRET else None
        if found is None or not found[0].is_open(now) or found[1].disabled_at is not None:
            raise NotAuthenticated("this session is over", hint="sign in again")
        if is_use:
            self._touch(found[0], now)
        return found

    def _touch(self, session: PersonSession, now: datetime) -> None:
        """A full disk or a busy store keeps nobody from reading."""
        if session.last_used_at <= now < session.last_used_at + TOUCH_EVERY:
            return
        try:
            self._store.touch_session(session.id, at=now, idle_at=now + self._settings.session_idle)
        except StoreError as exc:
            log.warning("session.not_touched", person=session.person, error=str(exc))

    def sessions(self, person: str | None = None, *, is_open: bool = False) -> list[PersonSession]:
        """In the order in which they began. Raises ``NotFound`` for a person whom nobody knows."""
        if person is not None:
            self.get(person)
        return self._store.sessions(person=person, open_at=self._clock.now() if is_open else None)

    def end_session(self, session_id: str, *, actor: str) -> PersonSession:
        """Sign one browser out. Raises ``NotFound``; ``Conflict`` when it is over already."""
        session = self._store.session(session_id)
        now = self._clock.now()
        note = AuditNote(
            actor=actor, action="session.end", subject=session.person, detail={"session": session.id, "count": 1}
        )
        if not self._store.revoke_sessions(now, session=session.id, audit=note):
            raise Conflict("this session is over already")
        return replace(session, revoked_at=now)

    def sign_out_everywhere(self, name: str, *, actor: str) -> int:
        """End every session of a person. Returns how many. Raises ``NotFound``."""
        person = self.get(name)
        note = AuditNote(actor=actor, action="session.end-all", subject=person.name)
        return self._store.revoke_sessions(self._clock.now(), person=person.name, audit=note)


def digest_of(text: str) -> str:
    """What is kept of a session's secret; it is random, so one round keeps it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def is_last_admin(people: Iterable[Person], before: Person, after: Person) -> bool:
    """Whether the change would leave no local account that is an administrator of every site."""

    def rules(person: Person) -> bool:
        local = person.kind is PersonKind.LOCAL and person.disabled_at is None
        return local and AccessRole.ADMIN in person.roles and person.sites is None

    return rules(before) and not rules(after) and not any(rules(p) for p in people if p.name != before.name)


def check_name(name: str) -> None:
    """Raises ``Invalid``."""
    if not PERSON_NAME.fullmatch(name):
        raise Invalid(
            "name: small letters, digits and . _ @ + - between them, at most 64", hint="for example anna.smith"
        )


def _title(text: str) -> str:
    check_text("title", text, required=True)
    return text.strip()[:200]


def _some(roles: Iterable[AccessRole]) -> frozenset[AccessRole]:
    found = frozenset(roles)
    if not found:
        raise Invalid(f"roles: at least one of {', '.join(AccessRole)}")
    return found


def _alerts(person: Person, kind: PersonKind) -> tuple[AlertNote, ...]:
    if kind is not PersonKind.LOCAL:
        return ()
    message = f"{person.name} signed in with the password of the local account"
    return (AlertNote(kind=LOCAL_SIGN_IN, subject=person.name, message=message, detail={}),)


def note_of(actor: str, action: str, person: Person, reason: str = "", *, before: Person | None = None) -> AuditNote:
    """What the audit log says of a change of a person."""
    note = AuditNote(actor=actor, action=action, subject=person.name, reason=reason, detail=_said(person))
    return note.moving(_said(before), _said(person)) if before else note


def _made(actor: str, person: Person, reason: str = "") -> AuditNote:
    return note_of(actor, "person.create", person, reason).moving(None, _said(person))


def _said(person: Person) -> dict[str, object]:
    return {
        "kind": person.kind.value,
        "title": person.title,
        "roles": sorted(person.roles),
        "sites": None if person.sites is None else sorted(person.sites),
        "disabled_at": person.disabled_at and person.disabled_at.isoformat(),
    }
