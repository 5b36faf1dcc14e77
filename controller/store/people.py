"""People who sign in, and their sessions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, insert, select

from controller.access_roles import PERSON, AccessRole
from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.errors import Conflict, NotFound
from controller.people import Person, PersonKind, PersonSession
from controller.store.jsons import WORDS, dumps_sites, loads_sites
from controller.store.schema import people, sessions
from controller.store.shelf import Shelf, one
from controller.versions import person_version, refuse_changed
from core.ids import PersonName, SessionId

_APART: Final = ("hash", "roles", "sites", "kind")
_DECIDED: Final = ("title", "roles", "sites", "disabled_at")


class People(Shelf):
    # --- people ---------------------------------------------------------------------------------------------------

    def add_person(self, person: Person, password_hash: str | None = None, *, audit: AuditNote | None = None) -> None:
        """Raises ``Conflict`` when somebody has that name."""
        with self._db.write() as connection:
            if one(connection, select(people.c.name).where(people.c.name == person.name)) is not None:
                raise Conflict(f"there is a person {person.name!r} already", hint="`tokgate person edit` changes them")
            connection.execute(insert(people).values(**_person_row(person), hash=password_hash))
            self._log(connection, audit)

    def update_person(
        self,
        person: Person,
        *,
        password_hash: str | None = None,
        unlock: bool = False,
        audit: AuditNote | None = None,
    ) -> None:
        """Replace what somebody decides of them, the password only when there is one; with ``unlock`` wrong passwords
        are forgotten. Raises ``NotFound``."""
        row = {name: value for name, value in _person_row(person).items() if name in _DECIDED}
        row |= {} if password_hash is None else {"hash": password_hash}
        row |= {"failures": 0, "locked_until": None} if unlock else {}
        with self._db.write() as connection:
            known = one(connection, select(people).where(people.c.name == person.name))
            if known is None:
                raise person_unknown(person.name)
            refuse_changed(person_version(_person(known)), what=person.name)
            connection.execute(people.update().where(people.c.name == person.name).values(**row))
            self._log(connection, audit)

    def roles_of(self, actor: str) -> frozenset[AccessRole]:
        """What a person who signs in is here; nobody else is anything, nor is somebody whose account is disabled."""
        if not actor.startswith(PERSON):
            return frozenset()
        try:
            found = self.person(PersonName(actor.removeprefix(PERSON)))
        except NotFound:
            return frozenset()
        return found.roles if found.disabled_at is None else frozenset()

    def person(self, name: str) -> Person:
        """Raises ``NotFound``."""
        found = self.person_with_hash(name)
        if found is None:
            raise person_unknown(name)
        return found[0]

    def person_with_hash(self, name: str) -> tuple[Person, str | None] | None:
        """The person, and the hash of their password if they have one here; None: nobody has that name."""
        with self._db.read() as connection:
            row = one(connection, select(people).where(people.c.name == name))
        return None if row is None else (_person(row), row["hash"])

    def note_failure(
        self, name: PersonName, *, now: datetime, most: int, locked_for: timedelta, audit: AuditNote
    ) -> datetime | None:
        """Count one wrong password. Returns until when the account is locked when it was one too many; then the note is
        kept, and counting begins anew."""
        with self._db.write() as connection:
            failures = connection.execute(select(people.c.failures).where(people.c.name == name)).scalar_one() + 1
            until = now + locked_for if failures >= most else None
            values = {"failures": failures} if until is None else {"failures": 0, "locked_until": until}
            connection.execute(people.update().where(people.c.name == name).values(**values))
            if until is not None:
                self._log(connection, audit.moving(None, {"locked_until": until.isoformat()}))
        return until

    def person_of(self, issuer: str, subject: str) -> Person | None:
        """Who a provider means by that subject."""
        with self._db.read() as connection:
            row = one(connection, select(people).where(people.c.issuer == issuer, people.c.subject == subject))
        return None if row is None else _person(row)

    def people(self) -> list[Person]:
        """All, by name; also the disabled ones."""
        with self._db.read() as connection:
            return [_person(row) for row in connection.execute(select(people).order_by(people.c.name)).mappings()]

    # --- sessions -------------------------------------------------------------------------------------------------

    def begin_session(
        self,
        session: PersonSession,
        digest: str,
        *,
        audit: AuditNote | None = None,
        alerts: Iterable[AlertNote] = (),
    ) -> None:
        """Keep the session and the hash of its secret; its person has signed in, and wrong passwords are forgotten."""
        row = {c.name: getattr(session, c.name) for c in sessions.columns if c.name not in ("hash", "kind")}
        signed_in = {"last_sign_in_at": session.created_at, "failures": 0, "locked_until": None}
        with self._db.write() as connection:
            connection.execute(insert(sessions).values(**row, kind=session.kind.value, hash=digest))
            connection.execute(people.update().where(people.c.name == session.person).values(**signed_in))
            self._raise_alerts(connection, alerts, session.created_at)
            self._log(connection, audit)

    def session_by_hash(self, digest: str) -> tuple[PersonSession, Person] | None:
        """The session with that secret, whatever became of it, and whose it is."""
        with self._db.read() as connection:
            row = one(connection, select(sessions).where(sessions.c.hash == digest))
            owner = row and one(connection, select(people).where(people.c.name == row["person"]))
        return None if row is None or owner is None else (_session(row), _person(owner))

    def sessions(self, *, person: str | None = None, open_at: datetime | None = None) -> list[PersonSession]:
        """In the order in which they began; with ``open_at`` only those that are open then."""
        query = select(sessions).order_by(sessions.c.id)
        if person is not None:
            query = query.where(sessions.c.person == person)
        if open_at is not None:
            query = query.where(*_open_at(open_at))
        with self._db.read() as connection:
            return [_session(row) for row in connection.execute(query).mappings()]

    def session(self, session_id: str) -> PersonSession:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(sessions).where(sessions.c.id == session_id))
        if row is None:
            raise NotFound(f"no session {session_id[:40]!r}", hint="`tokgate person sessions` shows them")
        return _session(row)

    def touch_session(self, session_id: SessionId, *, at: datetime, idle_at: datetime) -> None:
        """Note its last use."""
        with self._db.write() as connection:
            values = {"last_used_at": at, "idle_at": idle_at}
            connection.execute(sessions.update().where(sessions.c.id == session_id).values(**values))

    def revoke_sessions(
        self,
        at: datetime,
        *,
        session: SessionId | None = None,
        person: PersonName | None = None,
        audit: AuditNote | None = None,
    ) -> int:
        """End that open session, or all of that person. Returns how many were ended; the note is kept if any was."""
        which = [*_open_at(at)]
        which += [] if session is None else [sessions.c.id == session]
        which += [] if person is None else [sessions.c.person == person]
        with self._db.write() as connection:
            count = connection.execute(sessions.update().where(*which).values(revoked_at=at)).rowcount
            if count:
                self._log(connection, audit and audit.moving({"open": count}, {"open": 0}))
        return count


def _open_at(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (sessions.c.revoked_at.is_(None), sessions.c.idle_at > at, sessions.c.ends_at > at)


def person_unknown(name: str) -> NotFound:
    return NotFound(f"nobody is called {name[:64]!r} here", hint="`tokgate person list` shows who there is")


def _person_row(person: Person) -> dict[str, Any]:
    row = {c.name: getattr(person, c.name) for c in people.columns if c.name not in _APART}
    return {
        **row,
        "kind": person.kind.value,
        "roles": WORDS.dumps(tuple(sorted(person.roles))),
        "sites": dumps_sites(person.sites),
    }


def _person(row: RowMapping) -> Person:
    fields = {name: row[name] for name in row if name not in _APART}
    return Person(
        **fields,
        kind=PersonKind(row["kind"]),
        roles=frozenset(AccessRole(word) for word in WORDS.loads(row["roles"])),
        sites=loads_sites(row["sites"]),
    )


def _session(row: RowMapping) -> PersonSession:
    fields = {name: row[name] for name in row if name not in ("hash", "kind")}
    return PersonSession(**fields, kind=PersonKind(row["kind"]))
