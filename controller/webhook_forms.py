"""The messages of webhooks for people: Slack and Microsoft Teams. Pure.

Made of the payload that is kept, at each attempt: what is sent again is the same, and another form needs no other
outbox. What others chose stands in text that knows no markup, as in exports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from controller.evidence.model import EpisodeAction, EpisodeKind
from controller.export import chat
from controller.export.record import ACTIONS, Record, Severity, address_of, clean, severity_of
from controller.model import EventAction, Quality
from controller.webhooks import COUNTED, ENDED, EPISODES, GAP, GATHERED, MessageForm

MOST_SAID: Final = 600
"""Bytes of one line: a message of Teams has room for 28 KiB in all."""
_QUIET: Final = frozenset({"run.recovered", "webhook.test", ENDED})
_GRAVE: Final = frozenset({"run.failed", "drift.found", "alert.slo-burning"})
_TITLES: Final = {"alert": "Alert", "exception": "Exception", "emergency": "Emergency", "run": "Device"}


def in_form(form: MessageForm, body: str, *, message_id: str) -> str:
    """The payload as the receiver wants it: itself, or a message for a chat."""
    if form is MessageForm.JSON:
        return body
    entries = _entries(json.loads(body), message_id)
    said = chat.slack(entries) if form is MessageForm.SLACK else chat.teams(entries)
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def _entries(message: Mapping[str, Any], message_id: str) -> list[dict[str, Any]]:
    kind, data = str(message["type"]), message["data"]
    items = data.get(GATHERED.get(kind, ""))
    if isinstance(items, list) and items:
        of = {COUNTED: _counted, EPISODES: _episode}[kind]
        return [chat.entry(of(item)) for item in items]
    severity = _severity(kind)
    return [
        {
            "mark": chat.MARKS[severity],
            "colour": chat.COLOURS[severity],
            "text": clean(_said(kind, data), most=MOST_SAID),
            "details": f"{str(message['timestamp'])[:16]}Z · {clean(kind)}",
            "id": message_id,
        }
    ]


def _severity(kind: str) -> Severity:
    if kind in _QUIET or kind.startswith("exception."):
        return Severity.INFORMATIONAL
    return Severity.HIGH if kind in _GRAVE or kind.startswith("emergency.") else Severity.MEDIUM


# --- one thing --------------------------------------------------------------------------------------------------------


def _said(kind: str, data: Mapping[str, Any]) -> str:
    """A sentence of fixed words and what the payload says."""
    if kind == "webhook.test":
        return f"A test of tokgate, sent by {data.get('actor')}"
    if kind == GAP:
        return f"{data.get('messages')} messages are missing here, from {data.get('since')} to {data.get('until')}"
    if kind == ENDED:
        leaks = data.get("leaks") or []
        how_many = "A leak is" if len(leaks) == 1 else f"{len(leaks)} leaks are"
        which = dict.fromkeys(f"{leak['device'] or 'probe'} {leak['role'] or ''}".strip() for leak in leaks)
        return f"{how_many} over{_list(' at ', data.get('sites'))}: {', '.join(which)}"
    title = f"{_title(kind)}{_list(' at ', data.get('sites'))}"
    return ": ".join([title, ", ".join(_parts(data))]).removesuffix(": ")


def _title(kind: str) -> str:
    family, _, what = kind.partition(".")
    if kind == "drift.found":
        return "A device was changed by somebody else"
    return f"{_TITLES.get(family, family)} {what.replace('-', ' ').replace('.', ' ')}"


def _parts(data: Mapping[str, Any]) -> Iterator[str]:
    for key in ("message", "device", "error", "cause", "reason"):
        if value := data.get(key):
            yield str(value)
    if isinstance(data.get("repaired"), bool):
        yield "it was set right" if data["repaired"] else "it is not set right"
    if isinstance(count := data.get("flows"), int):
        yield f"{count} open flows were ended"
    yield from (f"{word} {data[key]}" for key, word in (("owner", "for"), ("actor", "by")) if data.get(key))
    if isinstance(data.get("ends"), str):
        yield f"until {data['ends'][:16]}Z"


def _list(before: str, value: object) -> str:
    shown = [str(one) for one in value[:5]] if isinstance(value, list) else []
    more = " …" if isinstance(value, list) and len(value) > len(shown) else ""
    return f"{before}{', '.join(shown)}{more}" if shown else ""


# --- one of many ------------------------------------------------------------------------------------------------------


def _counted(item: Mapping[str, Any]) -> Record:
    seen = [one for one in item.get("sources") or () if isinstance(one, dict)]
    action = ACTIONS[EventAction(item["action"])]
    return _record(
        item,
        "event",
        kind=EpisodeKind.HITS,
        action=action,
        count=item.get("hits"),
        sources=tuple(dict.fromkeys(clean(str(one.get("source"))) for one in seen)),
        destinations=tuple(dict.fromkeys(clean(str(one.get("destination"))) for one in seen)),
        at_least=item.get("quality") == Quality.AT_LEAST,
    )


def _episode(item: Mapping[str, Any]) -> Record:
    grounds = sorted(item.get("grounds") or (), key=lambda ground: -abs(ground["weight"]))
    return _record(
        item,
        "episode",
        kind=EpisodeKind(item["kind"]),
        action=EpisodeAction(item["action"]),
        count=item.get("count"),
        source=address_of(str(item.get("source"))),
        confidence=item.get("confidence"),
        grounds=tuple(clean(f"{ground['text']} ({ground['weight']:+d})") for ground in grounds),
        destinations=tuple(clean(str(one)) for one in item.get("destinations") or ()),
    )


def _record(item: Mapping[str, Any], of: str, *, kind: EpisodeKind, action: EpisodeAction, **more: Any) -> Record:
    start, end = (datetime.fromisoformat(item[key]) for key in ("start", "end"))
    texts: dict[str, Any] = {
        key: clean(str(item.get(key) or ""))
        for key in ("site", "device", "host", "user", "role", "indicator", "app", "surface", "exception")
    }
    return Record(
        id=str(item["id"]),
        seq=0,
        at=end,
        type=of,
        kind=kind,
        action=action,
        severity=severity_of(kind, action),
        start=start,
        end=end,
        **texts,
        **more,
    )


__all__ = ["in_form"]
