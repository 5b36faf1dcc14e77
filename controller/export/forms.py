"""The forms by name: how one record is kept in a spool, and how several make one body. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from controller.export import chat, documents, lines
from controller.export.record import Origin, Record

JSON_TYPE: Final = "application/json"


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


__all__ = ["JSON_TYPE", "Form", "body", "line", "render"]
