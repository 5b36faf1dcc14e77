"""Messages for people in Slack and Microsoft Teams. Pure.

What comes from outside stands in text objects that know no markup (``plain_text``, ``TextRun``): nobody is mentioned,
and no link is made, by the name of a host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controller.export.record import Record, Severity, rfc3339

MOST_SHOWN: Final = 20
"""Of one message; a line says how many more there are."""
MARKS: Final = {
    Severity.INFORMATIONAL: "ℹ️",
    Severity.LOW: "🛡️",
    Severity.MEDIUM: "⚠️",
    Severity.HIGH: "🚨",
}
COLOURS: Final = {
    Severity.INFORMATIONAL: "default",
    Severity.LOW: "accent",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "attention",
}


def entry(record: Record) -> dict[str, Any]:
    """What a message says of one record: kept until there are several to be told together."""
    when = f"{rfc3339(record.start)[:16]}Z – {rfc3339(record.end)[11:16]}Z"
    details = [when, f"confidence {record.confidence}" if record.confidence is not None else "", *record.grounds[:2]]
    return {
        "mark": MARKS[record.severity],
        "colour": COLOURS[record.severity],
        "text": record.said,
        "details": " · ".join(part for part in details if part),
        "id": record.id,
    }


def slack(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The body for an incoming webhook."""
    shown = entries[:MOST_SHOWN]
    blocks: list[dict[str, Any]] = []
    for one in shown:
        blocks.append({"type": "section", "text": _slack_text(f"{one['mark']} {one['text']}", 2_900)})
        blocks.append({"type": "context", "elements": [_slack_text(f"{one['details']} · {one['id']}", 1_900)]})
    if more := _more(entries):
        blocks.append({"type": "context", "elements": [_slack_text(more, 200)]})
    return {"text": _slack_escaped(_summary(entries)), "unfurl_links": False, "unfurl_media": False, "blocks": blocks}


def _slack_text(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:most], "emoji": False}


def _slack_escaped(text: str) -> str:
    """The line of a notification is read as markup: three characters make links and mentions there."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The body for a webhook of Teams (Workflows): a message with one Adaptive Card 1.4."""
    body: list[dict[str, Any]] = [_teams_text(_summary(entries), weight="bolder", size="medium")]
    for one in entries[:MOST_SHOWN]:
        body.append(_teams_text(f"{one['mark']} {one['text']}", color=one["colour"]))
        body.append(_teams_text(f"{one['details']} · {one['id']}", size="small", isSubtle=True))
    if more := _more(entries):
        body.append(_teams_text(more, isSubtle=True))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _teams_text(text: str, **look: object) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _summary(entries: Sequence[dict[str, Any]]) -> str:
    return str(entries[0]["text"]) if len(entries) == 1 else f"tokgate: {len(entries)} events"


def _more(entries: Sequence[dict[str, Any]]) -> str:
    return f"and {len(entries) - MOST_SHOWN} more" if len(entries) > MOST_SHOWN else ""


__all__ = ["COLOURS", "MARKS", "entry", "slack", "teams"]
