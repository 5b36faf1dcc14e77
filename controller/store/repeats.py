"""The keys of idempotency: which request each came with, and what that was answered; for a day, and only so many."""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from controller.errors import Busy, Conflict
from controller.repeats import LIFE, Claim, KeptAnswer
from controller.store.processes import Process
from controller.store.schema import repeats
from controller.store.shelf import Shelf, one

MOST: Final = 10_000
MOST_OF_ONE: Final = 1_000
"""Keys of one caller, so that none can have those of the others forgotten."""
ANSWER_BYTES: Final = 1024 * 1024
"""Compressed. What is larger is not kept: only that it was answered."""
ANSWERS_BYTES: Final = 64 * 1024 * 1024
"""Of all together; the oldest go first."""


class Repeats(Shelf):
    _process: Process
    most_repeats: int = MOST
    most_repeats_of_one: int = MOST_OF_ONE
    answers_bytes: int = ANSWERS_BYTES

    def claim(self, claim: Claim) -> KeptAnswer | None:
        """The key is this request's own from now on (None); or what the request was answered that had it before.

        Raises ``Conflict`` when the key came with another request, or nobody knows what became of the first; ``Busy``
        while the first is under way.
        """
        if (known := self.kept_answer(claim)) is not None:
            return known
        if self._claimed(claim, self._clock.now()):
            return None
        if (known := self.kept_answer(claim)) is None:
            raise _under_way()
        return known

    def _claimed(self, claim: Claim, now: datetime) -> bool:
        """Whether it is: somebody may have been faster."""
        row = {"caller": claim.caller, "key": claim.key, "request": claim.request, "at": now}
        row |= {"process": self._process.id, "written": False, "status": None, "headers": "[]", "size": 0, "body": None}
        with self._db.write() as connection:
            known = _row(connection, claim)
            if known is not None and not self._is_free(known, now):
                return False
            connection.execute(delete(repeats).where(_is(claim)))
            try:
                with connection.begin_nested():
                    connection.execute(insert(repeats).values(**row))
            except IntegrityError:  # where several write at once
                return False
            self._bound(connection, claim.caller, now)
        return True

    def _is_free(self, row: RowMapping, now: datetime) -> bool:
        """Too old; or its process ended before it did anything."""
        unsettled = row["status"] is None and not row["written"]
        late = not now - LIFE <= row["at"] <= now + LIFE
        return late or (unsettled and not self._process.is_alive(row["process"]))

    def kept_answer(self, claim: Claim) -> KeptAnswer | None:
        """What the request under that key was answered; None: it may claim the key. Raises as ``claim``."""
        with self._db.read() as connection:
            row = _row(connection, claim)
        if row is None or self._is_free(row, self._clock.now()):
            return None
        return _told(row, claim, alive=self._process.is_alive(row["process"]))

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        """From now on the claim is answered with this."""
        body = None if answer.body is None else zlib.compress(answer.body)
        if body is not None and len(body) > ANSWER_BYTES:
            body = None
        values: dict[str, Any] = {"status": answer.status, "headers": json.dumps(answer.headers), "body": body}
        with self._db.write() as connection:
            mine = update(repeats).where(_is(claim), repeats.c.request == claim.request)
            connection.execute(mine.values(**values, size=len(body or b"")))
            self._bound_bytes(connection)

    def release(self, claim: Claim) -> None:
        """It was refused: the key is free again, unless something was written all the same."""
        open_still = (_is(claim), repeats.c.status.is_(None))
        with self._db.write() as connection:
            connection.execute(delete(repeats).where(*open_still, repeats.c.written.is_(False)))
            connection.execute(update(repeats).where(*open_still).values(process=""))

    def forget_repeats(self) -> None:
        """Those that are too old."""
        with self._db.write() as connection:
            connection.execute(delete(repeats).where(_is_old(self._clock.now())))

    def _bound(self, connection: Connection, caller: str, now: datetime) -> None:
        connection.execute(delete(repeats).where(_is_old(now)))
        of_one = (repeats.c.caller == caller,)
        for which, most in ((of_one, self.most_repeats_of_one), ((), self.most_repeats)):
            newest = select(repeats.c.at).where(*which).order_by(repeats.c.at.desc())
            last = connection.execute(newest.offset(most).limit(1)).scalar()
            if last is not None:
                connection.execute(delete(repeats).where(*which, repeats.c.at <= last))

    def _bound_bytes(self, connection: Connection) -> None:
        total = int(connection.execute(select(func.sum(repeats.c.size))).scalar() or 0)
        if total <= self.answers_bytes:
            return
        oldest = select(repeats.c.caller, repeats.c.key, repeats.c.size).where(repeats.c.size > 0)
        for row in connection.execute(oldest.order_by(repeats.c.at, repeats.c.key)).mappings().all():
            if total <= self.answers_bytes:
                return
            one_row = and_(repeats.c.caller == row["caller"], repeats.c.key == row["key"])
            connection.execute(update(repeats).where(one_row).values(body=None, size=0))
            total -= int(row["size"])


def _is_old(now: datetime) -> ColumnElement[bool]:
    """What is forgotten; also what a clock noted that was set back since."""
    return or_(repeats.c.at < now - LIFE, repeats.c.at > now + LIFE)


def _is(claim: Claim) -> ColumnElement[bool]:
    return and_(repeats.c.caller == claim.caller, repeats.c.key == claim.key)


def _row(connection: Connection, claim: Claim) -> RowMapping | None:
    return one(connection, select(repeats).where(_is(claim)))


def _under_way() -> Busy:
    return Busy("the first request with this Idempotency-Key is under way", hint="send it again in a moment")


def _told(row: RowMapping, claim: Claim, *, alive: bool) -> KeptAnswer:
    if row["request"] != claim.request:
        raise Conflict("this Idempotency-Key came with another request", hint="use a new key for a new request")
    if row["status"] is None and alive:
        raise _under_way()
    if row["status"] is None:
        raise Conflict(
            "the first request with this Idempotency-Key changed something and was cut short",
            hint="look at what is there now, then ask with a new key for what is missing",
        )
    body = None if row["body"] is None else zlib.decompress(row["body"])
    headers = tuple((str(name), str(value)) for name, value in json.loads(row["headers"]))
    return KeptAnswer(status=row["status"], headers=headers, body=body)
