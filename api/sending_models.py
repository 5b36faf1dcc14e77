"""Reports that go out by themselves, over the wire."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field

from api.models import Answer, Instant, Request
from controller.inventory.reporting import Target
from controller.report_sending import Scheduled
from controller.reports.sending import Parcel


class ScheduledReport(Answer):
    """One target of a scheduled report, and how the last sending to it fared."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "report": "berlin-weekly",
                    "site": "berlin",
                    "range": "last-week",
                    "form": "html",
                    "when": "30 6 * * mon",
                    "zone": "Europe/Berlin",
                    "to": "folder /srv/reports",
                    "due": "2026-11-23T05:30:00Z",
                    "sent_at": "2026-11-23T05:30:02Z",
                    "trouble": "",
                }
            ]
        }
    )

    report: str
    site: str | None = Field(description="null: all sites")
    range: str
    form: str
    when: str
    zone: str
    to: str
    due: Instant | None = Field(description="when it was last due; null: not yet")
    sent_at: Instant | None
    trouble: str = Field(description="why the last one has not arrived; empty when it has")

    @classmethod
    def of(cls, one: Scheduled) -> Self:
        last = one.last
        return cls(
            report=one.name,
            site=one.report.site,
            range=one.report.range,
            form=one.report.form.value,
            when=one.report.when,
            zone=one.report.zone,
            to=one.target.place,
            due=last.due if last is not None else None,
            sent_at=last.sent_at if last is not None else None,
            trouble=last.error if last is not None and last.sent_at is None else "",
        )


class SendBody(Request):
    """``only_make``: make it and say where it would go; nothing is sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"only_make": False}]})

    only_make: bool = False


class SentTo(Answer):
    """One target, and what went there, or would go."""

    to: str
    file: str
    bytes: int
    media: str


class SentReport(Answer):
    """What came of it. ``sent`` false: it was only made."""

    report: str
    sent: bool
    targets: tuple[SentTo, ...]

    @classmethod
    def of(cls, name: str, parcels: list[tuple[Target, Parcel]], *, sent: bool) -> Self:
        targets = (
            SentTo(to=target.place, file=parcel.name, bytes=len(parcel.content), media=parcel.media)
            for target, parcel in parcels
        )
        return cls(report=name, sent=sent, targets=tuple(targets))
