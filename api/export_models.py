"""Exports over the wire: how each receiver does, and what a caller who follows along is given."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from api.models import Answer, Instant, Request
from controller.export.exporter import ExportView


class Export(Answer):
    """A receiver of the inventory, and how it does. Counts are those of this moment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "siem",
                    "kind": "syslog",
                    "form": "cef",
                    "to": "tls://siem.example.net:6514",
                    "waiting": 120,
                    "behind": 0,
                    "spool_bytes": 91_205,
                    "oldest": "2026-11-25T18:00:00Z",
                    "sent": 40_812,
                    "dropped": 0,
                    "refused": 0,
                    "failures": 4,
                    "failing_since": "2026-11-25T18:00:02Z",
                    "last_error": "siem.example.net:6514: Connection refused",
                    "taken_at": "2026-11-25T17:55:03Z",
                    "trouble": "",
                }
            ]
        }
    )
    name: str
    kind: str = Field(description="`syslog`, `webhook` or `kafka`")
    form: str
    to: str = Field(description="where it goes; a reference where the address is a password")
    waiting: int = Field(description="in the spool, and not taken")
    behind: int = Field(description="recorded, and not in the spool yet")
    spool_bytes: int
    oldest: Instant | None = Field(description="when the first that waits was recorded; null: nothing waits")
    sent: int = Field(description="ever, of this spool")
    dropped: int = Field(description="lost before they were taken, ever")
    refused: int = Field(description="set aside because the receiver would not take them, ever")
    failures: int = Field(description="in a row; 0: the last attempt went well")
    failing_since: Instant | None
    last_error: str
    taken_at: Instant | None = Field(description="when the receiver last took something")
    trouble: str = Field(description="of ours: the spool, or the store")

    @classmethod
    def of(cls, view: ExportView) -> Export:
        progress = view.progress
        return cls(
            name=view.name,
            kind=view.kind,
            form=view.form,
            to=view.to,
            waiting=view.waiting,
            behind=view.behind,
            spool_bytes=view.spool_bytes,
            oldest=view.oldest,
            sent=progress.sent,
            dropped=progress.dropped,
            refused=progress.refused,
            failures=progress.failures,
            failing_since=progress.failing_since,
            last_error=progress.last_error,
            taken_at=progress.taken_at,
            trouble=view.trouble,
        )


class ExportReplayBody(Request):
    """Everything that was recorded then or later."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-11-25T18:00:00Z"}]})

    since: Instant


class ExportReplayed(Answer):
    """How many entries are gone through again; the receiver gets those of them that it wants."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"entries": 812}]})

    entries: int


class Followed(Answer):
    """What was recorded after `since`, in the order of recording. Go on from `next`, which is there also when there was
    nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "records": [
                        {
                            "id": "01m8997dkvcf8713fp40msp91v",
                            "seq": 4711,
                            "type": "event",
                            "kind": "hits",
                            "action": "blocked",
                            "site": "berlin",
                            "start": "2026-11-25T11:00:00.000000Z",
                            "end": "2026-11-25T11:05:00.000000Z",
                            "recorded": "2026-11-25T11:05:01.250000Z",
                            "device": "fw-berlin",
                            "rule": "deny-company",
                            "role": "company",
                            "channels": ["counter"],
                            "count": 12,
                            "packets": 12,
                            "bytes": 720,
                            "at_least": False,
                            "cut": False,
                            "message": "Hits at berlin: 12 hits blocked, by fw-berlin, from company",
                            "sender": "control.example.net",
                        }
                    ],
                    "next": "am91cm5hbDo0NzEx",
                    "more": False,
                    "missing": 0,
                }
            ]
        }
    )
    records: tuple[dict[str, Any], ...] = Field(description="in the form asked for, as in docs/exports.md")
    next: str = Field(description="for `since` of the next call")
    more: bool = Field(description="there is more by now; else ask again in a while")
    missing: int = Field(description="so many entries were dropped for their age before they were read")


__all__ = ["Export", "ExportReplayBody", "ExportReplayed", "Followed"]
