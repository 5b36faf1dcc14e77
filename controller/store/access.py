"""Who may pass and who may ask: exceptions, tokens, and the audit log of every change."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    func,
    insert,
    or_,
    select,
)

from controller.audit import AuditNote, Head, breaks
from controller.errors import ChangedMeanwhile, Conflict, NotFound, StoreError
from controller.model import AccessException, AuditEntry, ExceptionState, Scope, Token
from controller.store.exception_query import ExceptionQuery, said_by
from controller.store.jsons import EXCEPTION, WORDS, dumps_sites, loads_sites
from controller.store.schema import audit, exception_sites, exceptions, tokens
from controller.store.searching import Listing, begins, within
from controller.store.shelf import Shelf, append, head, one
from controller.versions import refuse_changed, token_version, version_of
from core.ids import DeviceName, ExceptionId, SiteName, TokenId

_BATCH = 2_000


class Exceptions(Shelf):
    def add_exception(self, exception: AccessException, *, audit: AuditNote | None = None) -> None:
        """One that renews another is asked for at that one's version."""
        sites = [{"exception": exception.id, "site": site} for site in exception.sites]
        with self._db.write() as connection:
            if exception.renews is not None:
                _refuse_other(connection, exception.renews)
            connection.execute(insert(exceptions).values(**_exception_row(exception)))
            connection.execute(insert(exception_sites), sites)
            self._log(connection, audit and _with_changes(audit, None, exception))

    def update_exception(
        self,
        exception: AccessException,
        *,
        expected_state: ExceptionState,
        audit: AuditNote | None = None,
        instead_of: AccessException | None = None,
    ) -> None:
        """Record a decision; ``instead_of``: what it was made of, and what has to be kept still.

        Raises ``Conflict`` when somebody decided first, ``ChangedMeanwhile`` when it is another by now, ``NotFound``.
        """
        row = _exception_row(exception)
        with self._db.write() as connection:
            known = one(
                connection, select(exceptions.c.state, exceptions.c.body).where(exceptions.c.id == exception.id)
            )
            if known is None:
                raise NotFound(f"no exception {exception.id}")
            before = EXCEPTION.loads(known["body"])
            if instead_of is not None and exception_version(instead_of) != exception_version(before):
                raise ChangedMeanwhile(f"exception {exception.id} was changed in this moment", hint="look at it again")
            refuse_changed(exception_version(before), what=f"exception {exception.id}")
            if (state := known["state"]) != expected_state.value:
                raise Conflict(f"exception {exception.id} is {state} by now", hint="look at it again, then decide")
            connection.execute(exceptions.update().where(exceptions.c.id == exception.id).values(**row))
            self._log(connection, audit and _with_changes(audit, before, exception))

    def exception(self, exception_id: ExceptionId) -> AccessException:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(exceptions.c.body).where(exceptions.c.id == exception_id))
        if row is None:
            raise exception_unknown(exception_id)
        return EXCEPTION.loads(row["body"])

    def exceptions(
        self,
        *,
        state: ExceptionState | None = None,
        sites: Collection[SiteName] | None = None,
        live_at: datetime | None = None,
    ) -> list[AccessException]:
        """In the order in which they were asked for; ``sites``: those that name any of them."""
        live = True if live_at is not None else None
        wanted = ExceptionQuery(state=state, sites=sites, live=live, at=live_at, oldest_first=True)
        query = select(exceptions.c.body).where(*wanted.all()).order_by(*wanted.order)
        with self._db.read() as connection:
            return [EXCEPTION.loads(body) for body in connection.execute(query).scalars()]

    def exception_batches(
        self, wanted: ExceptionQuery, after: ExceptionId | None = None, *, first: int
    ) -> Iterator[list[tuple[AccessException, tuple[DeviceName, ...]]]]:
        """In the order asked for, behind the one named; ``first`` of them, then more as long as they are asked for.
        Beside each the devices that were last read back holding it.

        Each batch is a picture of its own moment.
        """
        size = first
        while True:
            batch = self._db.rows(*wanted.page(after, size))
            yield [(EXCEPTION.loads(body), _devices(holders)) for _, body, holders in batch]
            if len(batch) < size:
                return
            after, size = ExceptionId(batch[-1][0]), _BATCH

    def exception_count(self, wanted: ExceptionQuery, *, most: int) -> int:
        """How many are wanted; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)


def _devices(names: str | None) -> tuple[DeviceName, ...]:
    return tuple(DeviceName(name) for name in sorted(names.split(","))) if names else ()


def _refuse_other(connection: Connection, exception_id: str) -> None:
    body = connection.execute(select(exceptions.c.body).where(exceptions.c.id == exception_id)).scalar()
    if body is not None:
        refuse_changed(exception_version(EXCEPTION.loads(body)), what=f"exception {exception_id}")


def _with_changes(note: AuditNote, before: AccessException | None, after: AccessException) -> AuditNote:
    """What the change moved, before and after, as it is kept."""
    was = None if before is None else json.loads(_body(before))
    return note.moving(was, json.loads(_body(after)))


def _body(exception: AccessException) -> str:
    """Without what is derived when it is shown."""
    return EXCEPTION.dumps(replace(exception, live_on=(), devices=()))


def exception_version(exception: AccessException) -> str:
    """Names what is kept of it: another one after each change of it."""
    return version_of(_body(exception))


def exception_unknown(exception_id: str) -> NotFound:
    """There is no such exception, or none that may be seen."""
    return NotFound(f"no exception {exception_id[:40]!r}", hint="`tokgate exceptions list` shows them")


def _exception_row(exception: AccessException) -> dict[str, Any]:
    return {
        "id": exception.id,
        "state": exception.state.value,
        "starts": exception.starts,
        "ends": exception.ends,
        "body": EXCEPTION.dumps(replace(exception, live_on=())),
        "service": exception.service,
        "code": exception.code,
        "owner": exception.owner,
        "requested_by": exception.requested_by,
        "said": said_by(replace(exception, live_on=(), devices=())),
    }


_BY_PREFIX: Final = select(tokens).where(
    or_(tokens.c.prefix == bindparam("prefix"), tokens.c.old_prefix == bindparam("prefix"))
)


class Tokens(Shelf):
    def add_token(self, token: Token, digest: str, *, audit: AuditNote | None = None) -> None:
        """Keep the token and the hash of its secret. Raises ``Conflict`` when a usable token has that name."""
        row = {**_token_row(token), "hash": digest}
        usable = (tokens.c.name == token.name, tokens.c.revoked_at.is_(None), tokens.c.expires_at > token.created_at)
        with self._db.write() as connection:
            if one(connection, select(tokens.c.id).where(*usable)) is not None:
                raise Conflict(f"there is a token named {token.name!r}", hint="revoke it first, or choose another name")
            connection.execute(insert(tokens).values(**row))
            self._log(connection, audit)

    def token_by_prefix(self, prefix: str) -> list[tuple[Token, str]]:
        """Every token with that prefix, now or before its last rotation, each with the hash of that secret."""
        rows = [row._mapping for row in self._db.rows(_BY_PREFIX, {"prefix": prefix})]
        return [(_token(row), str(row["hash"] if row["prefix"] == prefix else row["old_hash"])) for row in rows]

    def rotate_token(self, token: Token, digest: str, *, audit: AuditNote | None = None) -> None:
        """Keep the hash of its new secret, and the old one beside it. Raises ``NotFound``; ``Conflict``: revoked."""
        with self._db.write() as connection:
            row = one(connection, select(tokens).where(tokens.c.id == token.id))
            if row is None:
                raise NotFound(f"no token {token.id}")
            refuse_changed(token_version(_token(row)), what=f"token {token.name}")
            if row["revoked_at"] is not None:
                raise Conflict(f"token {token.name} is revoked", hint="make a new one")
            values = {**_token_row(token), "hash": digest, "old_hash": row["hash"]}
            connection.execute(tokens.update().where(tokens.c.id == token.id).values(**values))
            self._log(connection, audit)

    def tokens(self) -> list[Token]:
        """All, also the expired and revoked ones, in the order in which they were made."""
        with self._db.read() as connection:
            rows = connection.execute(select(tokens).order_by(tokens.c.id)).mappings().all()
        return [_token(row) for row in rows]

    def token(self, token_id: str) -> Token:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(tokens).where(tokens.c.id == token_id))
        if row is None:
            raise NotFound(f"no token {token_id[:40]!r}", hint="`tokgate token list` shows them")
        return _token(row)

    def touch_token(self, token_id: TokenId, at: datetime) -> None:
        """Note its last use."""
        with self._db.write() as connection:
            connection.execute(tokens.update().where(tokens.c.id == token_id).values(last_used_at=at))

    def revoke_token(self, token_id: TokenId, at: datetime, *, audit: AuditNote | None = None) -> None:
        """Raises ``NotFound``, ``Conflict`` when it is revoked already."""
        with self._db.write() as connection:
            row = one(connection, select(tokens).where(tokens.c.id == token_id))
            if row is None:
                raise NotFound(f"no token {token_id}")
            refuse_changed(token_version(_token(row)), what=f"token {row['name']}")
            if row["revoked_at"] is not None:
                raise Conflict(f"token {token_id} is revoked already")
            connection.execute(tokens.update().where(tokens.c.id == token_id).values(revoked_at=at))
            self._log(connection, audit and audit.moving({}, {"revoked_at": at.isoformat()}))


_APART: Final = ("hash", "old_hash", "scopes", "sites")


def _token_row(token: Token) -> dict[str, Any]:
    row = {c.name: getattr(token, c.name) for c in tokens.columns if c.name not in _APART}
    return {**row, "scopes": WORDS.dumps(tuple(sorted(token.scopes))), "sites": dumps_sites(token.sites)}


def _token(row: RowMapping) -> Token:
    fields = {name: row[name] for name in row if name not in _APART}
    scopes = frozenset(Scope(word) for word in WORDS.loads(row["scopes"]))
    return Token(**fields, scopes=scopes, sites=loads_sites(row["sites"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery(Listing):
    """Which entries of the audit log; text is looked for in all that an entry says."""

    KEYS = (audit.c.seq,)
    SAID = (audit.c.actor, audit.c.action, audit.c.subject, audit.c.reason, audit.c.detail)

    actor: str | None = None
    action: str | None = None  # one, or a family of them: ``exception`` is also ``exception.approve``
    subject: str | None = None  # how it begins
    since: datetime | None = None  # at that time or later
    until: datetime | None = None  # before it

    def filters(self) -> Iterator[ColumnElement[bool]]:
        if self.actor is not None:
            yield audit.c.actor == self.actor
        if self.action is not None:
            yield or_(audit.c.action == self.action, begins(audit.c.action, f"{self.action}."))
        if self.subject is not None:
            yield begins(audit.c.subject, self.subject)
        yield from within(audit.c.at, self.since, self.until)


class AuditLog(Shelf):
    def append_audit(self, note: AuditNote) -> AuditEntry:
        """An entry for what changed nothing here (a refused attempt, a forced guard)."""
        with self._db.write() as connection:
            return append(connection, note, self._clock)

    def audit_entries(
        self, *, limit: int = 100, before: int | None = None, wanted: AuditQuery | None = None
    ) -> list[AuditEntry]:
        """The newest first, or the oldest; ``before`` is the ``seq`` of the last one already seen."""
        wanted = wanted or AuditQuery()
        seen = [] if before is None else [wanted.behind(before)]
        query = select(audit).where(*wanted.all(*seen)).order_by(*wanted.order).limit(limit)
        with self._db.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def audit_count(self, wanted: AuditQuery, *, most: int) -> int:
        """How many entries are wanted; no further than ``most``."""
        with self._db.read() as connection:
            return wanted.counted(connection, most=most)

    def audit_chain(self, *, after: int = 0) -> tuple[Head, Iterator[AuditEntry], Head]:
        """The head before, the entries behind it in their order, and the last of all. Raises ``NotFound``."""
        last, _ = self._audit_head()
        return self.audit_head_at(after), self._chain(last.seq, after=after), last

    def audit_head_at(self, seq: int) -> Head:
        """What the chain was when that entry was its last; 0: before the first. Raises ``NotFound``."""
        if seq == 0:
            return Head()
        with self._db.read() as connection:
            digest = connection.execute(select(audit.c.hash).where(audit.c.seq == seq)).scalar()
        if digest is None:
            raise NotFound(f"no audit entry {seq}")
        return Head(seq=seq, hash=str(digest))

    def verify_audit(self) -> list[str]:
        """One line for each break of the chain; empty when it holds."""
        last, beyond = self._audit_head()
        stray = [f"entry {beyond} stands behind entry {last.seq}, which was written last"] if beyond else []
        try:
            return breaks(self._chain(last.seq), last) + stray
        except StoreError as exc:
            return [*stray, f"the log cannot be read to its end: {exc.message}"]

    def _audit_head(self) -> tuple[Head, int | None]:
        """The last entry as kept beside the chain, and the number of one behind it that should not be there."""
        with self._db.read() as connection:
            last = head(connection)
            beyond = connection.execute(select(func.max(audit.c.seq)).where(audit.c.seq > last.seq)).scalar()
        return last, beyond

    def _chain(self, until: int, *, after: int = -(2**62)) -> Iterator[AuditEntry]:
        """From the first entry, or the one behind ``after``, in short reads: a long one would keep the log from
        shrinking."""
        while True:
            query = select(audit).where(audit.c.seq > after, audit.c.seq <= until).order_by(audit.c.seq).limit(_BATCH)
            with self._db.read() as connection:
                batch = [AuditEntry(**row) for row in connection.execute(query).mappings()]
            yield from batch
            if len(batch) < _BATCH:
                return
            after = batch[-1].seq
