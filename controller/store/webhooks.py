"""Webhooks and their messages: kept, handed out in order, and what came of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, or_, select, update

from controller.audit import AuditNote
from controller.errors import Conflict, NotFound
from controller.store import outbox
from controller.store.jsons import WORDS, dumps_sites
from controller.store.schema import webhook_messages, webhooks
from controller.store.searching import Listing
from controller.store.shelf import Shelf, one
from controller.versions import refuse_changed, webhook_version
from controller.webhooks import (
    GATHERED,
    GIVE_UP,
    GONE,
    REFUSALS,
    RETRY_MOST,
    SETTLE,
    Answer,
    Message,
    MessageState,
    Webhook,
    is_refusal,
)
from core.ids import new_id

LOUD: Final = 5
"""After so many failures in a row an alert says so."""
KEPT: Final = timedelta(days=7)
"""Delivered messages are shown for so long."""
KEPT_DELIVERED: Final = 2_000
"""And so many of the last messages."""
KEPT_DEAD: Final = timedelta(days=30)
_EVER_LATER: Final = RETRY_MOST * 2
"""No wait is longer: one that seems so was noted before the clock was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery(Listing):
    """Which messages of one webhook."""

    KEYS = (webhook_messages.c.seq,)
    SAID = (webhook_messages.c.id, webhook_messages.c.kind, webhook_messages.c.body, webhook_messages.c.error)
    WHO = frozenset({"body"})

    state: MessageState | None = None

    def filters(self) -> Iterator[ColumnElement[bool]]:
        if self.state is not None:
            yield webhook_messages.c.state == self.state.value


_KEPT: Final[Mapping[str, Callable[[Any], Any]]] = {"kinds": WORDS.dumps, "sites": dumps_sites}
"""How fields are kept that are no text or number."""


class Webhooks(Shelf):
    def add_webhook(self, hook: Webhook, *, audit: AuditNote | None = None) -> None:
        """Raises ``Conflict`` when the name is taken."""
        row = {field.name: getattr(hook, field.name) for field in fields(Webhook)}
        row |= {"kinds": WORDS.dumps(hook.kinds), "sites": dumps_sites(hook.sites), "form": hook.form.value}
        row["secret"] = hook.secret or ""
        with self._db.write() as connection:
            if one(connection, select(webhooks.c.id).where(webhooks.c.name == hook.name)) is not None:
                raise Conflict(f"there is a webhook named {hook.name!r}", hint="remove it first, or take another name")
            connection.execute(insert(webhooks).values(**row))
            self._log(connection, audit)

    def webhooks(self) -> list[tuple[Webhook, int, int]]:
        """By name; with each how many messages wait, and how many are set aside."""
        state = webhook_messages.c.state
        sums = (func.count().filter(state == one.value) for one in (MessageState.PENDING, MessageState.DEAD))
        query = select(webhook_messages.c.webhook, *sums).group_by(webhook_messages.c.webhook)
        with self._db.read() as connection:
            counts = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query).all()}
            rows = connection.execute(select(webhooks).order_by(webhooks.c.name)).mappings().all()
        return [(outbox.webhook_of(row), *counts.get(row["id"], (0, 0))) for row in rows]

    def webhook(self, name: str) -> Webhook:
        """Raises ``NotFound``."""
        with self._db.read() as connection:
            return _webhook(connection, name)

    def remove_webhook(self, name: str, *, audit: AuditNote | None = None) -> Webhook:
        """And everything that waited for it. Raises ``NotFound``."""
        with self._db.write() as connection:
            hook = _changed(connection, name)
            connection.execute(delete(webhooks).where(webhooks.c.id == hook.id))
            self._log(connection, audit)
        return hook

    def edit_webhook(self, name: str, values: dict[str, Any], *, audit: AuditNote | None = None) -> Webhook:
        """Set these fields. Raises ``NotFound``."""
        row = {name: _KEPT[name](value) if name in _KEPT else value for name, value in values.items()}
        with self._db.write() as connection:
            hook = _changed(connection, name)
            connection.execute(update(webhooks).where(webhooks.c.id == hook.id).values(**row))
            self._log(connection, audit)
            return _webhook(connection, name)

    # --- messages -------------------------------------------------------------------------------------------------

    def messages(self, name: str, wanted: MessageQuery, *, limit: int, after: int | None = None) -> list[Message]:
        """The newest first, or the oldest; ``after`` is the ``seq`` of the last one seen. Raises ``NotFound``."""
        seen = [] if after is None else [wanted.behind(after)]
        with self._db.read() as connection:
            which = wanted.all(_of(_webhook(connection, name)), *seen)
            query = select(webhook_messages).where(*which).order_by(*wanted.order).limit(limit)
            return [_message(row) for row in connection.execute(query).mappings()]

    def message_count(self, name: str, wanted: MessageQuery, *, most: int) -> int:
        """How many there are; no further than ``most``. Raises ``NotFound``."""
        with self._db.read() as connection:
            return wanted.counted(connection, _of(_webhook(connection, name)), most=most)

    def replay_messages(self, name: str, which: ColumnElement[bool], *, audit: AuditNote | None = None) -> int:
        """Let these wait again, under their ids. Returns how many. Raises ``NotFound``."""
        values = {"state": MessageState.PENDING.value, "queued_at": self._clock.now(), "attempts": 0}
        with self._db.write() as connection:
            hook = _changed(connection, name)
            ended = (_of(hook), webhook_messages.c.state != MessageState.PENDING.value)
            done = connection.execute(update(webhook_messages).where(*ended, which).values(**values))
            connection.execute(update(webhooks).where(webhooks.c.id == hook.id).values(retry_at=None))
            self._log(connection, audit)
        return done.rowcount

    # --- delivering -----------------------------------------------------------------------------------------------

    def webhooks_due(self, now: datetime) -> list[Webhook]:
        """Those that messages wait for, and that are not left alone just now."""
        free = or_(webhooks.c.retry_at.is_(None), webhooks.c.retry_at <= now, webhooks.c.retry_at > now + _EVER_LATER)
        waiting = select(webhook_messages.c.seq).where(
            webhook_messages.c.webhook == webhooks.c.id, webhook_messages.c.state == MessageState.PENDING.value
        )
        query = select(webhooks).where(webhooks.c.paused_at.is_(None), free, waiting.exists()).order_by(webhooks.c.id)
        with self._db.read() as connection:
            return [outbox.webhook_of(row) for row in connection.execute(query).mappings()]

    def next_message(self, hook: Webhook, now: datetime) -> Message | None:
        """The first that waits; None also while it waits for more events to come."""
        query = select(webhook_messages).where(*outbox.pending(hook)).order_by(webhook_messages.c.seq).limit(1)
        with self._db.read() as connection:
            row = one(connection, query)
        return None if row is None or _may_grow(row, now) else _message(row)

    def note_delivered(self, hook: Webhook, message: Message, answer: Answer, at: datetime) -> None:
        """What grew while it was under way is sent again, under another id: nothing that was added is lost."""
        values = {"state": MessageState.DELIVERED.value, "status": answer.status, "error": "", "tried_at": at}
        well = {"failures": 0, "failing_since": None, "retry_at": None, "last_error": "", "delivered_at": at}
        with self._db.write() as connection:
            known = connection.execute(_same(message).values(**values, attempts=message.attempts + 1)).rowcount
            if not known:
                grown = (webhook_messages.c.seq == message.seq, webhook_messages.c.kind.in_(GATHERED))
                connection.execute(update(webhook_messages).where(*grown).values(id=new_id()))
            connection.execute(update(webhooks).where(webhooks.c.id == hook.id).values(**well))
            connection.execute(delete(webhook_messages).where(*_delivered(hook, message.seq - KEPT_DELIVERED)))

    def note_failed(self, hook: Webhook, message: Message, answer: Answer, at: datetime, *, again: timedelta) -> bool:
        """What came of an attempt, and when the receiver is asked again. Returns whether the message was set aside."""
        tries, refused = message.attempts + 1, is_refusal(answer)
        gone = answer.status == GONE
        dead = not gone and refused and tries >= REFUSALS
        state = MessageState.DEAD if dead else MessageState.PENDING
        values = {"status": answer.status, "error": str(answer), "tried_at": at, "attempts": tries}
        bad = {
            "failures": hook.failures + 1,
            "failing_since": hook.failing_since or at,
            "retry_at": None if dead else at + again,
            "last_error": str(answer),
        }
        if gone:
            bad |= {"paused_at": at, "paused_why": f"the receiver {answer}: it wants no more"}
        with self._db.write() as connection:
            connection.execute(_same(message).values(**values, state=state.value))
            connection.execute(update(webhooks).where(webhooks.c.id == hook.id).values(**bad))
            self._tell(connection, hook, str(answer), at, gone=gone, dead=dead)
        return dead

    def _tell(self, connection: Connection, hook: Webhook, why: str, at: datetime, *, gone: bool, dead: bool) -> None:
        """Once for each stretch of trouble, not at each attempt."""
        if gone:
            note = AuditNote(actor="system", action="webhook.pause", subject=hook.name, reason=why)
            self._log(connection, note.moving(None, {"paused": why}))
            outbox.tell_webhook(connection, hook, "paused", f"webhook {hook.name} is paused: {why}", at)
        elif dead:
            outbox.tell_webhook(connection, hook, "dead", f"webhook {hook.name}: a message is set aside: {why}", at)
        elif hook.failures + 1 == LOUD:
            outbox.tell_webhook(connection, hook, "failing", f"webhook {hook.name} does not work: {why}", at)

    def give_up_messages(self, now: datetime) -> int:
        """Set aside what has waited for too long. Returns how many; an alert for each receiver says so."""
        late = and_(
            webhook_messages.c.state == MessageState.PENDING.value, webhook_messages.c.queued_at < now - GIVE_UP
        )
        with self._db.read() as connection:
            if one(connection, select(webhook_messages.c.seq).where(late).limit(1)) is None:
                return 0
        counts = select(webhook_messages.c.webhook, func.count()).where(late).group_by(webhook_messages.c.webhook)
        with self._db.write() as connection:
            found = {str(hook): int(count) for hook, count in connection.execute(counts).all()}
            connection.execute(update(webhook_messages).where(late).values(state=MessageState.DEAD.value))
            for row in connection.execute(select(webhooks).where(webhooks.c.id.in_(list(found)))).mappings().all():
                hook = outbox.webhook_of(row)
                said = f"webhook {hook.name}: {found[hook.id]} messages were not taken within {GIVE_UP.days} days"
                outbox.tell_webhook(connection, hook, "dead", said, now)
        return sum(found.values())


def old_messages(now: datetime) -> ColumnElement[bool]:
    """What housekeeping drops."""
    state, at = webhook_messages.c.state, webhook_messages.c.queued_at
    delivered = and_(state == MessageState.DELIVERED.value, at < now - KEPT)
    return or_(delivered, and_(state == MessageState.DEAD.value, at < now - KEPT_DEAD))


def by_ids(ids: list[str]) -> ColumnElement[bool]:
    return webhook_messages.c.id.in_(ids)


def by_state(state: MessageState, *, since: datetime | None) -> ColumnElement[bool]:
    """``since``: of things that happened then or later."""
    found = webhook_messages.c.state == state.value
    return found if since is None else and_(found, webhook_messages.c.at >= since)


def _webhook(connection: Connection, name: str) -> Webhook:
    row = one(connection, select(webhooks).where(webhooks.c.name == name))
    if row is None:
        raise NotFound(f"no webhook {name[:40]!r}", hint="`tokgate webhook list` shows them")
    return outbox.webhook_of(row)


def _changed(connection: Connection, name: str) -> Webhook:
    """The one that a change is about. Raises ``NotFound``, ``ChangedMeanwhile``."""
    hook = _webhook(connection, name)
    refuse_changed(webhook_version(hook), what=f"webhook {hook.name}")
    return hook


def _message(row: RowMapping) -> Message:
    said = {field.name: row[field.name] for field in fields(Message)}
    return Message(**{**said, "state": MessageState(row["state"])})


def _may_grow(row: RowMapping, now: datetime) -> bool:
    """Whether it is young, and has room for more events."""
    young = now - SETTLE < row["queued_at"] <= now
    return bool(row["kind"] in GATHERED and young and row["items"] < outbox.BATCH)


def _of(hook: Webhook) -> ColumnElement[bool]:
    return webhook_messages.c.webhook == hook.id


def _delivered(hook: Webhook, until: int) -> tuple[ColumnElement[bool], ...]:
    state = webhook_messages.c.state == MessageState.DELIVERED.value
    return (_of(hook), state, webhook_messages.c.seq <= until)


def _same(message: Message) -> Any:
    """It, unless it is another one by now."""
    columns = webhook_messages.c
    same = (columns.seq == message.seq, columns.id == message.id, columns["items"] == message.items)
    return update(webhook_messages).where(*same)
