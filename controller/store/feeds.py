"""Lists that firewalls pull: what is served to each, what is put back when a change is refused, who pulled, and tokens.

A publication is a set of lists of one device. It is served from the moment it is written, and *settled* once the change
that it belongs to was read back. What was settled before stays beside it until then, and is served again when the
change is refused. A list that the publication does not have is *leaving*: a device that still refers to it gets it as
it was until the change has taken the reference away.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, literal, select, update

from controller.audit import AuditNote
from controller.errors import Conflict
from controller.model import FeedContent, FeedPull, FeedToken, GoodPull, PublishedFeed
from controller.store.schema import Instant, feed_bodies, feed_good, feed_lists, feed_pulls, feed_tokens
from controller.store.shelf import Shelf, one, put
from core.ids import DeviceName, RunId, TokenId

SERVED: Final = "served"
BEFORE: Final = "before"
PULLS_KEPT: Final = 20
"""Of each list, the newest."""
_SECOND: Final = timedelta(seconds=1)


class Feeds(Shelf):
    # --- what is served -------------------------------------------------------------------------------------------

    def publish_feeds(
        self, device: DeviceName, contents: Sequence[FeedContent], *, run: RunId, at: datetime
    ) -> tuple[str, ...]:
        """Serve exactly these from now on, all of them or, when this raises, what was served before.

        What is published already is left as it is. Returns the names of those that are others now.
        """
        with self._db.read() as connection:
            if _is_published(connection, device, contents):
                return ()
        with self._db.write() as connection:
            return _publish(connection, device, contents, run=run, at=at)

    def settle_feeds(self, device: DeviceName) -> None:
        """The change was read back: this is what the device holds, and what leaves is gone."""
        with self._db.read() as connection:
            if not _is_pending(_slot(connection, device, SERVED).values()):
                return
        served = _rows_of(device, SERVED)
        with self._db.write() as connection:
            connection.execute(delete(feed_lists).where(*served, feed_lists.c.leaving))
            connection.execute(update(feed_lists).where(*served).values(settled=True))
            _drop_unused(connection)

    def withdraw_feeds(self, device: DeviceName, *, at: datetime) -> tuple[str, ...]:
        """The change was refused: serve again what was settled last. Returns the names that are others now."""
        with self._db.write() as connection:
            served = _slot(connection, device, SERVED)
            if not _is_pending(served.values()):
                return ()
            back = _slot(connection, device, BEFORE)
            again = [replace(_after(served.get(feed.name), feed, at), settled=True) for feed in back.values()]
            _replace_slot(connection, device, SERVED, again)
            _drop_unused(connection)
        kept = {feed.name for feed in back.values() if served[feed.name].digest == feed.digest}
        return tuple(sorted(served.keys() - kept))

    def published_feed(self, device: DeviceName, name: str) -> PublishedFeed | None:
        """What is served to the device under that name; None when nothing is."""
        statement = select(feed_lists).where(*_rows_of(device, SERVED), feed_lists.c.name == name)
        with self._db.read() as connection:
            row = one(connection, statement)
        return None if row is None else _feed(row)

    def published_feeds(self, device: DeviceName | None = None) -> list[PublishedFeed]:
        """What is served to one device, or to all; by device and name."""
        statement = select(feed_lists).where(feed_lists.c.slot == SERVED)
        if device is not None:
            statement = statement.where(feed_lists.c.device == device)
        with self._db.read() as connection:
            rows = connection.execute(statement.order_by(feed_lists.c.device, feed_lists.c.name)).mappings().all()
        return [_feed(row) for row in rows]

    def feed_body(self, digest: str) -> bytes | None:
        """The text of that digest as it is kept, gzip and unchecked; None when it is not."""
        with self._db.read() as connection:
            return _body(connection, digest)

    # --- who pulled -----------------------------------------------------------------------------------------------

    def record_pulls(
        self,
        pulls: Sequence[FeedPull],
        used: Mapping[TokenId, datetime],
        seen: Mapping[tuple[DeviceName, str, str], datetime] | None = None,
    ) -> None:
        """Keep these pulls, and when each token was used last; of each list only the newest pulls stay.

        ``seen``: when a device looked at a list without taking it, by device, list and digest. If that is what it was
        given last, it has it still.
        """
        with self._db.write() as connection:
            connection.execute(insert(feed_pulls), [_pull_row(pull) for pull in pulls])
            for pull in pulls:
                if pull.is_good:
                    good = {"at": pull.at, "digest": pull.digest, "address": pull.address}
                    put(connection, feed_good, {"device": pull.device, "name": pull.name, **good})
            for device, name in {(pull.device, pull.name) for pull in pulls}:
                _trim(connection, device, name)
            for (device, name, digest), at in (seen or {}).items():
                has_it = (feed_good.c.device == device, feed_good.c.name == name, feed_good.c.digest == digest)
                connection.execute(update(feed_good).where(*has_it, feed_good.c.at < at).values(at=at))
            for token, at in used.items():
                first = func.coalesce(feed_tokens.c.first_used_at, literal(at, Instant()))
                which = feed_tokens.c.id == token
                connection.execute(update(feed_tokens).where(which).values(first_used_at=first, last_used_at=at))

    def feed_pulls(self, device: DeviceName, *, name: str | None = None, limit: int = 50) -> list[FeedPull]:
        """The newest first."""
        statement = select(feed_pulls).where(feed_pulls.c.device == device).order_by(feed_pulls.c.id.desc())
        if name is not None:
            statement = statement.where(feed_pulls.c.name == name)
        with self._db.read() as connection:
            rows = connection.execute(statement.limit(limit)).mappings().all()
        return [FeedPull(**{f.name: row[f.name] for f in fields(FeedPull)}) for row in rows]

    def good_pulls(self, device: DeviceName | None = None) -> dict[tuple[DeviceName, str], GoodPull]:
        """The last good pull of each list, by device and list."""
        statement = select(feed_good)
        if device is not None:
            statement = statement.where(feed_good.c.device == device)
        with self._db.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return {
            (DeviceName(row["device"]), str(row["name"])): GoodPull(
                at=row["at"], digest=row["digest"], address=row["address"]
            )
            for row in rows
        }

    # --- tokens ---------------------------------------------------------------------------------------------------

    def add_feed_token(self, token: FeedToken, digest: str, *, beside: bool, audit: AuditNote) -> None:
        """Keep the token and the hash of its secret. Raises ``Conflict`` when there is one and it may not be beside."""
        row = {**{f.name: getattr(token, f.name) for f in fields(FeedToken)}, "hash": digest}
        usable = (feed_tokens.c.device == token.device, feed_tokens.c.revoked_at.is_(None))
        with self._db.write() as connection:
            if not beside and one(connection, select(feed_tokens.c.id).where(*usable)) is not None:
                raise Conflict(
                    f"{token.device} has a token",
                    hint="--rotate makes another; the old one is taken until the new one has been used for a day",
                    device=token.device,
                )
            before = _prefixes(connection, token.device)
            connection.execute(insert(feed_tokens).values(**row))
            self._log(connection, audit.moving(before, _prefixes(connection, token.device)))

    def feed_tokens(self, device: DeviceName | None = None) -> list[tuple[FeedToken, str]]:
        """Those that were not revoked, each with the hash of its secret, in the order in which they were made."""
        statement = select(feed_tokens).where(feed_tokens.c.revoked_at.is_(None)).order_by(feed_tokens.c.id)
        if device is not None:
            statement = statement.where(feed_tokens.c.device == device)
        with self._db.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [(_token(row), str(row["hash"])) for row in rows]

    def revoke_feed_tokens(self, device: DeviceName, at: datetime, *, audit: AuditNote) -> int:
        """Refuse all of the device's from now on. Returns how many there were."""
        which = (feed_tokens.c.device == device, feed_tokens.c.revoked_at.is_(None))
        with self._db.write() as connection:
            before = _prefixes(connection, device)
            count = connection.execute(update(feed_tokens).where(*which).values(revoked_at=at)).rowcount
            if count:
                self._log(connection, audit.moving(before, _prefixes(connection, device)))
        return count


# --- publications -----------------------------------------------------------------------------------------------------


def _prefixes(connection: Connection, device: DeviceName) -> dict[str, list[str]]:
    """How the tokens of the device begin that are taken now, for the audit log."""
    taken = (feed_tokens.c.device == device, feed_tokens.c.revoked_at.is_(None))
    found = connection.execute(select(feed_tokens.c.prefix).where(*taken).order_by(feed_tokens.c.id))
    return {"tokens": [str(prefix) for prefix in found.scalars()]}


def _is_published(connection: Connection, device: DeviceName, contents: Sequence[FeedContent]) -> bool:
    """Whether exactly this is served already, and readable."""
    served = _slot(connection, device, SERVED)
    stays = {feed.name: _what(feed) for feed in served.values() if not feed.leaving}
    if stays != {
        content.name: (content.kind, content.digest, content.entries, len(content.text)) for content in contents
    }:
        return False
    if len(stays) < len(served):  # something leaves with a change under way; without one it is to be put in order
        return False
    return all(_unzipped(_body(connection, content.digest)) == content.text for content in contents)


def _publish(
    connection: Connection, device: DeviceName, contents: Sequence[FeedContent], *, run: RunId, at: datetime
) -> tuple[str, ...]:
    served = _slot(connection, device, SERVED)
    if not _is_pending(served.values()):
        _replace_slot(connection, device, BEFORE, served.values())
    wanted = {content.name: _made(device, content, run=run, at=at) for content in contents}
    now = [_after(served.get(name), feed, at) for name, feed in wanted.items()]
    gone = [replace(feed, leaving=True) for name, feed in served.items() if name not in wanted]
    _replace_slot(connection, device, SERVED, [*now, *gone])
    for content in contents:
        _keep(connection, content)
    _drop_unused(connection)
    return tuple(sorted(feed.name for feed in now if not _is_same(served.get(feed.name), feed)))


def _made(device: DeviceName, content: FeedContent, *, run: RunId, at: datetime) -> PublishedFeed:
    return PublishedFeed(
        device=device,
        name=content.name,
        kind=content.kind,
        digest=content.digest,
        entries=content.entries,
        octets=len(content.text),
        since=at,
        published_at=at,
        modified_at=at.replace(microsecond=0),
        run=run,
        settled=False,
        leaving=False,
    )


def _after(before: PublishedFeed | None, feed: PublishedFeed, at: datetime) -> PublishedFeed:
    """The list as it follows on what is served: as it was when it is the same, else modified later than that."""
    if before is None:
        return feed
    if _is_same(before, feed):
        return replace(before, leaving=False)
    modified = max(at.replace(microsecond=0), before.modified_at + _SECOND)
    return replace(feed, since=before.since, published_at=at, modified_at=modified)


def _is_same(before: PublishedFeed | None, feed: PublishedFeed) -> bool:
    return before is not None and _what(before) == _what(feed)


def _what(feed: PublishedFeed) -> tuple[str, str, int, int]:
    """What the list is. Its counts are a part of it: a row in which they were damaged is put right as any other is."""
    return feed.kind, feed.digest, feed.entries, feed.octets


def _is_pending(served: Iterable[PublishedFeed]) -> bool:
    return any(feed.leaving or not feed.settled for feed in served)


def _rows_of(device: DeviceName, slot: str) -> tuple[Any, Any]:
    return feed_lists.c.device == device, feed_lists.c.slot == slot


def _slot(connection: Connection, device: DeviceName, slot: str) -> dict[str, PublishedFeed]:
    rows = connection.execute(select(feed_lists).where(*_rows_of(device, slot))).mappings().all()
    return {str(row["name"]): _feed(row) for row in rows}


def _replace_slot(connection: Connection, device: DeviceName, slot: str, feeds: Iterable[PublishedFeed]) -> None:
    connection.execute(delete(feed_lists).where(*_rows_of(device, slot)))
    rows = [{**{f.name: getattr(feed, f.name) for f in fields(PublishedFeed)}, "slot": slot} for feed in feeds]
    if rows:
        connection.execute(insert(feed_lists), rows)


def _feed(row: RowMapping) -> PublishedFeed:
    return PublishedFeed(**{f.name: row[f.name] for f in fields(PublishedFeed)})


def _keep(connection: Connection, content: FeedContent) -> None:
    """A body that was damaged meanwhile is written anew."""
    if _unzipped(_body(connection, content.digest)) != content.text:
        put(connection, feed_bodies, {"digest": content.digest, "body": gzip.compress(content.text, 6, mtime=0)})


def _body(connection: Connection, digest: str) -> bytes | None:
    found = connection.execute(select(feed_bodies.c.body).where(feed_bodies.c.digest == digest)).scalar()
    return None if found is None else bytes(found)


def _unzipped(body: bytes | None) -> bytes | None:
    """None for what is not there or no whole gzip."""
    try:
        return None if body is None else gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return None


def _drop_unused(connection: Connection) -> None:
    connection.execute(delete(feed_bodies).where(feed_bodies.c.digest.not_in(select(feed_lists.c.digest))))


# --- pulls and tokens -------------------------------------------------------------------------------------------------


def _pull_row(pull: FeedPull) -> dict[str, Any]:
    return {f.name: getattr(pull, f.name) for f in fields(FeedPull)}


def _trim(connection: Connection, device: DeviceName, name: str) -> None:
    of = (feed_pulls.c.device == device, feed_pulls.c.name == name)
    oldest = select(feed_pulls.c.id).where(*of).order_by(feed_pulls.c.id.desc()).limit(1).offset(PULLS_KEPT - 1)
    connection.execute(delete(feed_pulls).where(*of, feed_pulls.c.id < oldest.scalar_subquery()))


def _token(row: RowMapping) -> FeedToken:
    return FeedToken(**{f.name: row[f.name] for f in fields(FeedToken)})
