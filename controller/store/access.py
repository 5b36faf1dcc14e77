"""Who may pass and who may ask: exceptions, tokens, and the audit log of every change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from controller.audit import AuditNote, Head, breaks
from controller.errors import Conflict, NotFound, StoreError
from controller.model import AccessException, AuditEntry, ExceptionState, Scope, Token
from controller.store.jsons import EXCEPTION, WORDS, dumps_sites, loads_sites
from controller.store.schema import audit, exception_sites, exceptions, tokens
from controller.store.shelf import Shelf, append, head, one
from controller.versions import refuse_changed, version_of
from core.ids import ExceptionId, SiteName, TokenId

_BATCH = 2_000


class Exceptions(Shelf):
    def add_exception(self, exception: AccessException, *, audit: AuditNote | None = None) -> None:
        sites = [{"exception": exception.id, "site": site} for site in exception.sites]
        with self._db.write() as connection:
            connection.execute(insert(exceptions).values(**_exception_row(exception)))
            connection.execute(insert(exception_sites), sites)
            self._log(connection, audit)

    def update_exception(
        self, exception: AccessException, *, expected_state: ExceptionState, audit: AuditNote | None = None
    ) -> None:
        """Record a decision. Raises ``Conflict`` (``ChangedMeanwhile``) when somebody decided first, ``NotFound``."""
        row = _exception_row(exception)
        with self._db.write() as connection:
            known = one(
                connection, select(exceptions.c.state, exceptions.c.body).where(exceptions.c.id == exception.id)
            )
            if known is None:
                raise NotFound(f"no exception {exception.id}")
            refuse_changed(exception_version(EXCEPTION.loads(known["body"])), what=f"exception {exception.id}")
            if (state := known["state"]) != expected_state.value:
                raise Conflict(f"exception {exception.id} is {state} by now", hint="look at it again, then decide")
            connection.execute(exceptions.update().where(exceptions.c.id == exception.id).values(**row))
            self._log(connection, audit)

    def exception(self, exception_id: ExceptionId) -> AccessException:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            row = one(connection, select(exceptions.c.body).where(exceptions.c.id == exception_id))
        if row is None:
            raise exception_unknown(exception_id)
        return EXCEPTION.loads(row["body"])

    def exceptions(
        self, *, state: ExceptionState | None = None, site: SiteName | None = None, live_at: datetime | None = None
    ) -> list[AccessException]:
        """In the order in which they were asked for."""
        query = select(exceptions.c.body).order_by(exceptions.c.id)
        if state is not None:
            query = query.where(exceptions.c.state == state.value)
        if site is not None:
            named = select(exception_sites.c.exception).where(exception_sites.c.site == site)
            query = query.where(exceptions.c.id.in_(named))
        if live_at is not None:
            live = (exceptions.c.state == ExceptionState.APPROVED.value, exceptions.c.starts <= live_at)
            query = query.where(*live, exceptions.c.ends > live_at)
        with self._db.read() as connection:
            return [EXCEPTION.loads(body) for body in connection.execute(query).scalars()]


def exception_version(exception: AccessException) -> str:
    """Names what is kept of it: another one after each change of it."""
    return version_of(EXCEPTION.dumps(replace(exception, live_on=(), devices=())))


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
    }


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
        which = or_(tokens.c.prefix == prefix, tokens.c.old_prefix == prefix)
        with self._db.read() as connection:
            rows = connection.execute(select(tokens).where(which)).mappings().all()
        return [(_token(row), str(row["hash"] if row["prefix"] == prefix else row["old_hash"])) for row in rows]

    def rotate_token(self, token: Token, digest: str, *, audit: AuditNote | None = None) -> None:
        """Keep the hash of its new secret, and the old one beside it. Raises ``NotFound``; ``Conflict``: revoked."""
        with self._db.write() as connection:
            row = one(connection, select(tokens.c.revoked_at, tokens.c.hash).where(tokens.c.id == token.id))
            if row is None:
                raise NotFound(f"no token {token.id}")
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

    def touch_token(self, token_id: TokenId, at: datetime) -> None:
        """Note its last use."""
        with self._db.write() as connection:
            connection.execute(tokens.update().where(tokens.c.id == token_id).values(last_used_at=at))

    def revoke_token(self, token_id: TokenId, at: datetime, *, audit: AuditNote | None = None) -> None:
        """Raises ``NotFound``, ``Conflict`` when it is revoked already."""
        with self._db.write() as connection:
            row = one(connection, select(tokens.c.revoked_at).where(tokens.c.id == token_id))
            if row is None:
                raise NotFound(f"no token {token_id}")
            if row["revoked_at"] is not None:
                raise Conflict(f"token {token_id} is revoked already")
            connection.execute(tokens.update().where(tokens.c.id == token_id).values(revoked_at=at))
            self._log(connection, audit)


_APART: Final = ("hash", "old_hash", "scopes", "sites")


def _token_row(token: Token) -> dict[str, Any]:
    row = {c.name: getattr(token, c.name) for c in tokens.columns if c.name not in _APART}
    return {**row, "scopes": WORDS.dumps(tuple(sorted(token.scopes))), "sites": dumps_sites(token.sites)}


def _token(row: RowMapping) -> Token:
    fields = {name: row[name] for name in row if name not in _APART}
    scopes = frozenset(Scope(word) for word in WORDS.loads(row["scopes"]))
    return Token(**fields, scopes=scopes, sites=loads_sites(row["sites"]))


class AuditLog(Shelf):
    def append_audit(self, note: AuditNote) -> AuditEntry:
        """An entry for what changed nothing here (a refused attempt, a forced guard)."""
        with self._db.write() as connection:
            return append(connection, note, self._clock)

    def audit_entries(self, *, limit: int = 100, before: int | None = None) -> list[AuditEntry]:
        """The newest first; ``before`` is the ``seq`` of the last one already seen."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        with self._db.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

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

    def _chain(self, until: int) -> Iterator[AuditEntry]:
        """From the first entry, in short reads: a long one would keep the log from shrinking."""
        after = -(2**62)
        while True:
            query = select(audit).where(audit.c.seq > after, audit.c.seq <= until).order_by(audit.c.seq).limit(_BATCH)
            with self._db.read() as connection:
                batch = [AuditEntry(**row) for row in connection.execute(query).mappings()]
            yield from batch
            if len(batch) < _BATCH:
                return
            after = batch[-1].seq
