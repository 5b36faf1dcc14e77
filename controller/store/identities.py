"""Keys of pseudonyms, who was seen where, and who asked to see whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from controller.audit import AuditNote
from controller.errors import NotFound
from controller.model import FORGOTTEN, Window
from controller.privacy.unmasking import Unmasking
from controller.store.adding import DAY, day_of
from controller.store.jsons import UNMASKING
from controller.store.schema import episodes, hit_seen, identity_keys, unmaskings
from controller.store.shelf import Shelf, insert_unless
from controller.sums import SOURCE

KEY_BYTES: Final = 32


class IdentityKeys(Shelf):
    def identity_key(self, kind: str, window: Window) -> bytes | None:
        """Of that period; made when it is first asked for. None: it was destroyed."""
        c = identity_keys.c
        mine = select(c.key).where(c.kind == kind, c.start == window.start)
        with self._db.read() as connection:
            found = connection.execute(mine).first()
        if found is None:
            row = {"kind": kind, "start": window.start, "end": window.end, "key": secrets.token_bytes(KEY_BYTES)}
            with self._db.write() as connection:
                connection.execute(insert_unless(connection, identity_keys).values(**row).on_conflict_do_nothing())
                found = connection.execute(mine).one()
        return None if found[0] is None else bytes(found[0])

    def identity_periods(self, kind: str, *, since: datetime | None, until: datetime | None) -> list[Window]:
        """Those with a key that was not destroyed and that touch the time, in order: others have told no pseudonym."""
        c = identity_keys.c
        inside = [c.kind == kind, c.key.is_not(None)]
        inside += [] if since is None else [c.end > since]
        inside += [] if until is None else [c.start < until]
        with self._db.read() as connection:
            found = connection.execute(select(c.start, c.end).where(*inside).order_by(c.start))
            return [Window(start, end) for start, end in found]

    def destroy_identity_keys(self, before: datetime, *, audit: AuditNote) -> int:
        """Those of periods that ended then or earlier; returns how many. Without any, nothing is noted."""
        c = identity_keys.c
        old = (c.end <= before, c.key.is_not(None))
        with self._db.write() as connection:
            values = {"key": None, "destroyed_at": self._clock.now()}
            gone = connection.execute(update(identity_keys).where(*old).values(**values))
            if gone.rowcount:
                self._log(connection, audit)
        return gone.rowcount

    # --- who was seen ---------------------------------------------------------------------------------------------

    def clients_at_least(self, site: str, window: Window, few: int) -> bool:
        """Whether so many clients were seen at the site in those whole days, by counters or by evidence."""
        seen = select(hit_seen.c.name).where(*_seen(site, window)).distinct().limit(few + 1)
        known = select(episodes.c.source, episodes.c.host).where(*_found(site, window)).distinct().limit(2 * few + 2)
        with self._db.read() as connection:
            clients = {str(name) for name in connection.execute(seen).scalars()}
            clients |= {str(source or host) for source, host in connection.execute(known) if source or host}
        return len(clients - {FORGOTTEN}) >= few

    def clients_in(self, site: str, window: Window) -> set[str]:
        """Addresses and hosts seen at the site in those whole days."""
        seen = select(hit_seen.c.name).where(*_seen(site, window)).distinct()
        known = select(episodes.c.source, episodes.c.host).where(*_found(site, window)).distinct()
        with self._db.read() as connection:
            found = {str(name) for name in connection.execute(seen).scalars()}
            for source, host in connection.execute(known):
                found |= {str(name) for name in (source, host) if name}
        return found - {FORGOTTEN}

    def users_in(self, site: str, window: Window) -> set[str]:
        known = select(episodes.c.user).where(*_found(site, window), episodes.c.user != "").distinct()
        with self._db.read() as connection:
            return {str(name) for name in connection.execute(known).scalars()}


class Unmaskings(IdentityKeys):
    def add_unmasking(self, asked: Unmasking, *, audit: AuditNote) -> None:
        row = {"id": asked.id, "site": asked.site, "body": UNMASKING.dumps(asked)}
        with self._db.write() as connection:
            connection.execute(insert(unmaskings).values(**row))
            self._log(connection, audit)

    def unmasking(self, name: str) -> Unmasking:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            return _kept(connection, name)

    def unmaskings(self, *, limit: int, before: str | None = None) -> Iterator[Unmasking]:
        """The newest first; behind the one named."""
        query = select(unmaskings.c.body).order_by(unmaskings.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(unmaskings.c.id < before)
        with self._db.read() as connection:
            found = connection.execute(query).scalars().all()
        return (UNMASKING.loads(str(body)) for body in found)

    def change_unmasking(
        self, name: str, change: Callable[[Unmasking], Unmasking], note: Callable[[Unmasking, Unmasking], AuditNote]
    ) -> Unmasking:
        """What ``change`` makes of it as it is now, with its audit entry. Raises as ``change``; ``NotFound``."""
        with self._db.write() as connection:
            before = _kept(connection, name)
            changed = change(before)
            mine = unmaskings.c.id == name
            connection.execute(update(unmaskings).where(mine).values(body=UNMASKING.dumps(changed)))
            self._log(connection, note(before, changed))
        return changed


def _kept(connection: Connection, name: str) -> Unmasking:
    body = connection.execute(select(unmaskings.c.body).where(unmaskings.c.id == name)).scalar()
    if body is None:
        raise NotFound(f"no unmasking {name[:64]!r}", hint="`tokgate unmask list` names them")
    return UNMASKING.loads(str(body))


def _seen(site: str, window: Window) -> tuple[Any, ...]:
    c = hit_seen.c
    inside = (c.start >= day_of(window.start), c.start < window.end)
    return (c.site == site, c.grain == DAY, *inside, c.side == SOURCE)


def _found(site: str, window: Window) -> tuple[Any, ...]:
    c = episodes.c
    return (c.site == site, c.end > window.start, c.end <= window.end)


__all__ = ["IdentityKeys", "Unmaskings"]
