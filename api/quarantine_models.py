"""What was set aside of evidence, over the wire."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.models import Answer, Instant
from controller.evidence import setting_aside
from controller.evidence.model import Quarantine


class SetAsideSample(Answer):
    """One record. ``text`` is its beginning; what is no UTF-8, or moves a cursor, stands in it as an escape."""

    at: Instant
    text: str
    detail: str = Field(description="why, in words")


class SetAside(Answer):
    """Records of one origin that are no evidence, for one reason. ``samples``: the last ten, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 3,
                    "origin": "syslog udp 192.0.2.77",
                    "why": "future",
                    "site": "berlin",
                    "count": 412,
                    "first_at": "2026-11-25T10:58:00Z",
                    "last_at": "2026-11-25T11:00:00Z",
                    "samples": [
                        {
                            "at": "2026-11-25T11:00:00Z",
                            "text": "<164>Nov 25 2026 13:00:00 fw-berlin : %ASA-4-106023: Deny tcp src inside:1…",
                            "detail": "60 min ahead of our clock: look at its clock, and at the time zone …",
                        }
                    ],
                }
            ]
        }
    )
    id: int
    origin: str = Field(description="a receiver and who sent it, or a file and its format")
    why: Quarantine
    site: str | None = Field(description="of whoever wrote it; null where that is not known")
    count: int = Field(ge=1)
    first_at: Instant
    last_at: Instant
    samples: tuple[SetAsideSample, ...]

    @classmethod
    def of(cls, found: setting_aside.SetAside) -> SetAside:
        return cls(
            id=found.id,
            origin=found.origin,
            why=found.why,
            site=found.site,
            count=found.count,
            first_at=found.first_at,
            last_at=found.last_at,
            samples=tuple(SetAsideSample(at=s.at, text=s.text, detail=s.detail) for s in found.samples),
        )
