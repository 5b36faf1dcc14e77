"""The outbox: what webhooks are to be told, written in the transaction of what it tells of; both are there or neither.

A receiver that is down neither blocks nor fills the store: of its messages so many wait, then the oldest but the one
that is being tried make room, and a message that stands in their place tells how many are gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from controller.alerts import AlertNote
from controller.audit import CHANGED, AuditNote
from controller.evidence.model import Episode
from controller.model import CoverageState, DetectionEvent, DeviceRun, Observation, Outcome
from controller.store.jsons import WORDS, loads_sites
from controller.store.schema import alerts, observations, run_devices, webhook_messages, webhooks
from controller.webhooks import (
    COUNTED,
    ENDED,
    EPISODES,
    GAP,
    GATHERED,
    MessageForm,
    MessageState,
    Webhook,
    gap,
    messages_in,
    render,
    trimmed,
    with_items,
)
from core.ids import SiteName, new_id

MAX_PENDING: Final = 5_000
"""Messages that wait for one receiver."""
BATCH: Final = 100
"""Detection events, or episodes, in one message."""
_CHANGES: Final = ("exception", "emergency")
_BAD: Final = (Outcome.FAILED, Outcome.UNCERTAIN)
_HELD: Final = (CoverageState.ENFORCED, CoverageState.PARTIAL, CoverageState.MONITORED)


# --- what is told -----------------------------------------------------------------------------------------------------


def tell_change(connection: Connection, note: AuditNote, at: datetime) -> None:
    """Of an exception or an emergency, in the words of the audit log."""
    if note.action.partition(".")[0] not in _CHANGES:
        return
    detail = {key: value for key, value in (note.detail or {}).items() if key != CHANGED}
    data = {"id": note.subject, "actor": note.actor, "reason": note.reason, **detail}
    sites = frozenset(detail.get("sites") or ())
    _post(connection, note.action, at, data, sites=sites or None)  # an emergency without sites is everywhere


def raise_alert(connection: Connection, alert: AlertNote, at: datetime) -> None:
    """Keep it, and tell it."""
    detail = json.dumps(dict(alert.detail), sort_keys=True, ensure_ascii=False)
    row = {"at": at, "kind": alert.kind, "subject": alert.subject, "message": alert.message, "detail": detail}
    number = connection.execute(insert(alerts).values(**row)).inserted_primary_key
    data = {"id": number and number[0], "subject": alert.subject, "message": alert.message, "detail": alert.detail}
    _post(connection, f"alert.{alert.kind}", at, data, sites=None)


def tell_part(connection: Connection, part: DeviceRun, at: datetime) -> None:
    """That work on a device failed, or went well again: only where it is another outcome than the last one.

    Called before the part is recorded.
    """
    if part.outcome in (Outcome.RUNNING, Outcome.HELD) or not _is_wanted(connection, "run"):
        return
    ended = run_devices.c.outcome.not_in([Outcome.RUNNING.value, Outcome.HELD.value])
    last = select(run_devices.c.outcome).where(run_devices.c.device == part.device, run_devices.c.run < part.run, ended)
    before = connection.execute(last.order_by(run_devices.c.run.desc()).limit(1)).scalar()
    was_bad, is_bad = before in [outcome.value for outcome in _BAD], part.outcome in _BAD
    if was_bad is is_bad:
        return
    said = {"run": part.run, "device": part.device, "sites": [part.site], "outcome": part.outcome.value}
    trouble = {"error_code": part.error_code, "error": part.error} if is_bad else {}
    kind = "run.failed" if is_bad else "run.recovered"
    _post(connection, kind, at, {**said, **trouble}, sites=frozenset({part.site}))


def tell_cut(connection: Connection, part: DeviceRun, at: datetime) -> None:
    """That a change ended open flows to what it newly denies."""
    if part.outcome is Outcome.APPLIED and part.flows_cut:
        said = {"run": part.run, "device": part.device, "sites": [part.site], "flows": part.flows_cut}
        _post(connection, "event.cut", at, said, sites=frozenset({part.site}))


def tell_drift(connection: Connection, look: Observation) -> None:
    """That a device which was left as it should be was found otherwise. Called before the look is recorded."""
    if look.found is not CoverageState.NOT_ENFORCED or not _is_wanted(connection, "drift"):
        return
    here = (observations.c.site == look.site, observations.c.device == look.device, observations.c.at <= look.at)
    last = select(observations.c.left).where(*here).order_by(observations.c.at.desc(), observations.c.id.desc())
    left = connection.execute(last.limit(1)).scalar()
    if left in [state.value for state in _HELD]:
        repaired = look.left in _HELD
        data = {"device": look.device, "sites": [look.site], "cause": look.cause, "repaired": repaired}
        _post(connection, "drift.found", look.at, data, sites=frozenset({look.site}))


def tell_events(connection: Connection, found: Iterable[DetectionEvent], at: datetime) -> None:
    """What the counters proved: added to a message that has not been tried yet, as far as there is room in it."""
    _gather(connection, COUNTED, found, at)


def tell_episodes(connection: Connection, found: Iterable[Episode], at: datetime) -> None:
    """What evidence came to; gathered in messages as the counters' events are."""
    _gather(connection, EPISODES, found, at)


def _gather(
    connection: Connection, kind: str, found: Iterable[DetectionEvent] | Iterable[Episode], at: datetime
) -> None:
    by_site: dict[str, list[DetectionEvent | Episode]] = {}
    active = _active(connection)
    for event in found if active else ():
        by_site.setdefault(event.site, []).append(event)
    for site, events in by_site.items():
        if hooks := [hook for hook in active if hook.wants(kind, frozenset({site}))]:
            items = [_event(event) for event in events]
            for hook in hooks:
                _add(connection, hook, kind, items, at)


def tell_ended(connection: Connection, found: Iterable[Episode], at: datetime) -> None:
    """That leaks are over: who was told that they began is told that too."""
    by_site: dict[SiteName, list[Episode]] = {}
    for episode in found:
        by_site.setdefault(episode.site, []).append(episode)
    for site, over in by_site.items():
        data = {"sites": [site], "leaks": [_ended(episode) for episode in over]}
        _post(connection, ENDED, at, data, sites=frozenset({site}))


def _ended(episode: Episode) -> dict[str, Any]:
    return {
        "id": episode.id,
        "device": episode.device,
        "role": episode.role,
        "exception": episode.exception,
        "start": episode.window.start,
        "end": episode.window.end,
        "message": episode.grounds[-1].text,
    }


def tell_webhook(connection: Connection, hook: Webhook, what: str, message: str, at: datetime) -> None:
    """An alert about a receiver."""
    detail = {"url": hook.url, "failures": hook.failures, "error": hook.last_error}
    raise_alert(connection, AlertNote(kind=f"webhook-{what}", subject=hook.name, message=message, detail=detail), at)


def _event(event: DetectionEvent | Episode) -> dict[str, Any]:
    said = asdict(event)
    window = said.pop("window")
    return {**said, "start": window["start"], "end": window["end"]}


# --- to whom ----------------------------------------------------------------------------------------------------------


def webhook_of(row: RowMapping) -> Webhook:
    said = {field.name: row[field.name] for field in fields(Webhook)}
    typed = {"kinds": WORDS.loads(row["kinds"]), "sites": loads_sites(row["sites"]), "form": MessageForm(row["form"])}
    return Webhook(**{**said, **typed, "secret": row["secret"] or None})


def _listening(connection: Connection, kind: str, sites: frozenset[str] | None) -> list[Webhook]:
    return [hook for hook in _active(connection) if hook.wants(kind, sites)]


def _active(connection: Connection) -> list[Webhook]:
    rows = connection.execute(select(webhooks).where(webhooks.c.paused_at.is_(None))).mappings()
    return [webhook_of(row) for row in rows]


def _is_wanted(connection: Connection, family: str) -> bool:
    rows = connection.execute(select(webhooks.c.kinds).where(webhooks.c.paused_at.is_(None))).scalars()
    return any(family in WORDS.loads(kinds) for kinds in rows)


def _post(
    connection: Connection, kind: str, at: datetime, data: Mapping[str, Any], *, sites: frozenset[str] | None
) -> None:
    for hook in _listening(connection, kind, sites):
        _queue(connection, hook, kind, render(kind, at, trimmed(data, hook.sites)), at)


def _add(connection: Connection, hook: Webhook, kind: str, items: list[dict[str, Any]], at: datetime) -> None:
    """To the last message that waits, for the order is kept; if it is under way just now, see ``note_delivered``."""
    waiting = select(webhook_messages).where(*pending(hook)).order_by(webhook_messages.c.seq.desc()).limit(1)
    last = connection.execute(waiting).mappings().first()
    if last is not None and last["kind"] == kind and not last["attempts"]:
        room = max(0, BATCH - last["items"])
        more, items = items[:room], items[room:]
        values = {"body": with_items(kind, last["body"], more), "items": last["items"] + len(more)}
        connection.execute(_at(last["seq"]).values(**values))
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        _queue(connection, hook, kind, render(kind, at, {GATHERED[kind]: batch}), at, items=len(batch))


def _queue(connection: Connection, hook: Webhook, kind: str, body: str, at: datetime, *, items: int = 1) -> None:
    row = {
        "id": new_id(),
        "webhook": hook.id,
        "kind": kind,
        "at": at,
        "queued_at": at,
        "items": items,
        "body": body,
        "state": MessageState.PENDING.value,
        "attempts": 0,
        "error": "",
    }
    connection.execute(insert(webhook_messages).values(**row))
    waiting = connection.execute(select(func.count()).select_from(webhook_messages).where(*pending(hook))).scalar()
    if waiting is not None and waiting > MAX_PENDING:
        _make_room(connection, hook, at)


def _make_room(connection: Connection, hook: Webhook, at: datetime) -> None:
    """The oldest behind the first becomes a gap, or is counted in the gap that stands before it."""
    first = select(webhook_messages).where(*pending(hook)).order_by(webhook_messages.c.seq).limit(3)
    _, second, third = connection.execute(first).mappings().all()
    if second["kind"] == GAP:
        body = gap(second["body"], at=at, more=messages_in(third["kind"], third["body"]))
        connection.execute(delete(webhook_messages).where(webhook_messages.c.seq == third["seq"]))
        connection.execute(_at(second["seq"]).values(body=body))
    else:
        values = {"id": new_id(), "kind": GAP, "body": gap(None, at=at), "items": 1, "attempts": 0, "error": ""}
        connection.execute(_at(second["seq"]).values(**values))
        tell_webhook(connection, hook, "gap", f"webhook {hook.name}: messages are dropped, for too many wait", at)
    connection.execute(update(webhooks).where(webhooks.c.id == hook.id).values(dropped=webhooks.c.dropped + 1))


def pending(hook: Webhook) -> tuple[ColumnElement[bool], ...]:
    """Its messages that are to be sent."""
    return (webhook_messages.c.webhook == hook.id, webhook_messages.c.state == MessageState.PENDING.value)


def _at(seq: int) -> Any:
    return update(webhook_messages).where(webhook_messages.c.seq == seq)
