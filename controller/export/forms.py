"""The forms by name: how one record is kept in a spool, and how several make one body. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from controller.export import chat, documents, lines
from controller.export.record import Origin, Record, Severity, millis, rfc3339


class Form(StrEnum):
    RFC5424 = "rfc5424"
    CEF = "cef"
    LEEF = "leef"
    JSON = "json"
    ECS = "ecs"
    OCSF = "ocsf"
    SLACK = "slack"
    TEAMS = "teams"


Render = Callable[[Record, Origin], str]
_RENDERS: Final[dict[Form, Render]] = {
    Form.CEF: lines.cef,
    Form.LEEF: lines.leef,
    Form.JSON: lambda record, origin: documents.dumps(documents.plain(record, origin)),
    Form.ECS: lambda record, origin: documents.dumps(documents.ecs(record, origin)),
    Form.OCSF: lambda record, origin: documents.dumps(documents.ocsf(record, origin)),
    Form.SLACK: lambda record, origin: documents.dumps(chat.entry(record)),
    Form.TEAMS: lambda record, origin: documents.dumps(chat.entry(record)),
}


def line(form: Form, record: Record, origin: Origin, *, facility: int) -> str:
    """A whole syslog message of RFC 5424 that carries the form."""
    if form is Form.RFC5424:
        return lines.rfc5424(record, origin, facility=facility)
    return lines.syslog(record, origin, facility=facility, message=_RENDERS[form](record, origin))


def render(form: Form, record: Record, origin: Origin) -> str:
    """One record, as a spool keeps it for a body of several."""
    return _RENDERS[form](record, origin)


def body(form: Form, rendered: Sequence[str]) -> str:
    """What is posted for several: one message for chats, an array of JSON for the others."""
    if form in (Form.SLACK, Form.TEAMS):
        entries = [json.loads(text) for text in rendered]
        return documents.dumps(chat.slack(entries) if form is Form.SLACK else chat.teams(entries))
    return f"[{','.join(rendered)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """So many messages are missing here: they were dropped before the receiver took them."""

    id: str
    missing: int
    at: datetime

    @property
    def said(self) -> str:
        return f"{self.missing} messages are missing here: they were dropped, for the receiver did not take them"


def gap_line(form: Form, gap: Gap, origin: Origin, *, facility: int) -> str:
    """``gap``, as ``line`` has records."""
    if form is Form.RFC5424:
        elements = f'[{lines.SD_ID} id="{gap.id}" type="gap" missing="{gap.missing}"]'
        return lines.header("gap", Severity.MEDIUM, gap.at, origin, facility=facility) + f" {elements} {gap.said}"
    return lines.header("gap", Severity.MEDIUM, gap.at, origin, facility=facility) + f" - {gap_text(form, gap, origin)}"


def gap_text(form: Form, gap: Gap, origin: Origin) -> str:
    """``gap``, as ``render`` has records."""
    at = rfc3339(gap.at)
    match form:
        case Form.CEF:
            facts = f"rt={millis(gap.at)} externalId={gap.id} cnt={gap.missing} msg={gap.said}"
            return f"CEF:0|tokgate|tokgate|{origin.version}|gap|Messages are missing|6|{facts}"
        case Form.LEEF:
            facts = f"devTime={at[:-4]}Z^cat=gap^sev=6^eventId={gap.id}^missing={gap.missing}^msg={gap.said}"
            return f"LEEF:2.0|tokgate|tokgate|{origin.version}|gap|^|{facts}"
        case Form.ECS:
            event = {"id": gap.id, "kind": "pipeline_error", "module": "tokgate", "dataset": "tokgate.gap"}
            own = {"ecs": {"version": documents.ECS_VERSION}, "tokgate": {"missing": gap.missing}}
            return documents.dumps({"@timestamp": at, "message": gap.said, "event": event, **own})
        case Form.OCSF:
            return documents.dumps(documents.ocsf_gap(gap.id, gap.missing, gap.at, gap.said, origin))
        case Form.SLACK | Form.TEAMS:
            entry = {"mark": "⚠️", "colour": "warning", "text": gap.said, "details": at, "id": gap.id}
            return documents.dumps(entry)
        case _:
            said = {"id": gap.id, "type": "gap", "missing": gap.missing, "recorded": at, "message": gap.said}
            return documents.dumps(said)


__all__ = ["Form", "Gap", "body", "gap_line", "gap_text", "line", "render"]
