"""What exceptions look like on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from api.models import Answer, Digest, Instant, Lasting, Line, Name, OptionalLine, Request, Ulid, network_text
from controller import model
from controller.exceptions import HOST, MAX_HOURS, MAX_SOURCES, ROLE, ExceptionPreview, ExceptionRequest
from controller.model import ExceptionState, Mode


def _source(text: str) -> str:
    return text if text.startswith((ROLE, HOST)) else network_text(text)


SourceText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=260), AfterValidator(_source)]
HoursText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]

_REQUEST_EXAMPLE: Final[dict[str, Any]] = {
    "sites": ["berlin"],
    "sources": ["10.20.3.7", "2001:db8:20:3::7"],
    "service": "tiktok",
    "starts": "2026-11-25T08:00:00Z",
    "ends": "2026-11-25T18:00:00Z",
    "reason": "spring campaign goes live",
    "owner": "marketing@example.org",
    "ticket": "MKT-42",
    "code": "marketing",
}


class ExceptionBody(Request):
    """What to let through: which sources at which sites, from when until when, and why. It ends by itself.

    ``sources`` are addresses, networks, or a whole source role as ``role:guest``. With ``hours`` it is open only then,
    by the clock of each site. With ``seats`` the sources are the addresses of a team, which its ``lead`` may change.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST_EXAMPLE]})

    sites: tuple[Name, ...] = Field(min_length=1, max_length=1000)
    sources: tuple[SourceText, ...] = Field(min_length=1, max_length=MAX_SOURCES)
    service: Name
    starts: Instant
    ends: Instant
    reason: Line
    owner: Line
    ticket: OptionalLine = ""
    code: Annotated[str, Field(max_length=40, description="of the inventory's reasons")] = ""
    surface: Annotated[str, Field(max_length=40, description="a part of the service; all of it when empty")] = ""
    hours: tuple[HoursText, ...] = Field(default=(), max_length=MAX_HOURS, examples=[["mon,tue 08:00-12:00"]])
    seats: Annotated[int | None, Field(ge=1, le=MAX_SOURCES)] = None
    lead: OptionalLine = Field(default="", description="who may change the seats, as the audit log names them")
    renews: Ulid | None = None
    draft: bool = Field(default=False, description="only written down; `submit` hands it in")

    @model_validator(mode="after")
    def _forward(self) -> ExceptionBody:
        if self.ends <= self.starts:
            raise ValueError("ends must lie after starts")
        return self

    def request(self) -> ExceptionRequest:
        return ExceptionRequest(
            sites=self.sites,
            sources=self.sources,
            service=self.service,
            starts=self.starts,
            ends=self.ends,
            reason=self.reason,
            owner=self.owner,
            ticket=self.ticket,
            code=self.code,
            surface=self.surface,
            hours=self.hours,
            seats=self.seats,
            lead=self.lead,
            renews=self.renews,
        )


class ApproveBody(Request):
    """The digest of the preview that the approver has seen; without it, of what it would open now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"preview": "25d43f05bdd93a11"}]})

    preview: Digest | None = None
    reason: OptionalLine = ""


class RenewBody(Request):
    """Until when it is wanted further, and why, when that is another reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ends": "2026-12-25T18:00:00Z"}]})

    ends: Instant
    reason: OptionalLine = ""
    draft: bool = False


class SeatsBody(Request):
    """Whom the seats of a team are given to; all of them, not only what changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sources": ["10.20.3.7", "10.20.3.9"]}]})

    sources: tuple[SourceText, ...] = Field(min_length=1, max_length=MAX_SOURCES)


class Approval(Answer):
    """One yes. ``preview`` is the digest of what it was said to."""

    actor: str
    at: Instant
    preview: str


class ExceptionUse(Answer):
    """What was counted of its use. ``uncounted``: devices that hold it and tell nothing; more is possible there."""

    hits: int | None
    packets: int | None
    bytes: int | None
    last_used_at: Instant | None
    uncounted: tuple[str, ...]

    @classmethod
    def of(cls, use: model.Use) -> ExceptionUse:
        return cls(
            hits=use.hits,
            packets=use.packets,
            bytes=use.octets,
            last_used_at=use.last_used_at,
            uncounted=use.uncounted,
        )


class HostLookup(Answer):
    """What a host name stands for at one site. ``at``: when it was last answered; it counts ``until`` then."""

    site: str
    host: str
    addresses: tuple[str, ...]
    at: Instant | None
    until: Instant
    trouble: str = Field(description="why an address does not count, or what kept the name from being answered")

    @classmethod
    def of(cls, found: model.HostLookup) -> HostLookup:
        return cls(
            site=found.site,
            host=found.host,
            addresses=tuple(map(str, found.addresses)),
            at=found.at,
            until=found.until,
            trouble=found.trouble,
        )


class AccessException(Lasting):
    """An exception. ``live``: approved and inside its time now.

    ``live_on``: those of its ``devices`` that were read back holding it; of one that is over, where it is not off yet.
    """

    id: str
    state: ExceptionState
    live: bool
    live_on: tuple[str, ...]
    devices: tuple[str, ...]
    sites: tuple[str, ...]
    sources: tuple[str, ...]
    roles: tuple[str, ...]
    hosts: tuple[str, ...]
    lookups: tuple[HostLookup, ...]
    service: str
    surface: str
    starts: Instant
    ends: Instant
    hours: tuple[str, ...]
    reason: str
    code: str
    owner: str
    ticket: str
    seats: int | None
    lead: str
    renews: str | None
    approvals: tuple[Approval, ...]
    requested_by: str
    requested_at: Instant
    decided_by: str | None
    decided_at: Instant | None
    ended_at: Instant | None
    declared: str | None = Field(description="its key in the file that declares it, which alone changes it")

    @classmethod
    def of(cls, exception: model.AccessException, *, now: datetime) -> AccessException:
        return cls(
            id=exception.id,
            state=exception.state,
            live=exception.is_live(now),
            live_on=exception.live_on,
            devices=exception.devices,
            sites=exception.sites,
            sources=tuple(str(s) for s in exception.sources),
            roles=exception.roles,
            hosts=exception.hosts,
            lookups=tuple(HostLookup.of(found) for found in exception.lookups),
            service=exception.service,
            surface=exception.surface,
            starts=exception.starts,
            ends=exception.ends,
            hours=tuple(str(h) for h in exception.hours),
            reason=exception.reason,
            code=exception.code,
            owner=exception.owner,
            ticket=exception.ticket,
            seats=exception.seats,
            lead=exception.lead,
            renews=exception.renews,
            approvals=tuple(Approval(actor=a.actor, at=a.at, preview=a.preview) for a in exception.approvals),
            requested_by=exception.requested_by,
            requested_at=exception.requested_at,
            decided_by=exception.decided_by,
            decided_at=exception.decided_at,
            ended_at=exception.ended_at,
            declared=exception.declared.key if exception.declared else None,
        )


class PreviewLine(Answer):
    """What one source would gain at one site."""

    site: str
    devices: tuple[str, ...]
    source: str
    role: str | None
    mode: Mode | None = Field(description="the role's mode at the start; null: the source lies in no role of the site")
    effect: str


class Preview(Answer):
    """What a request would open, where, in one sentence and line by line. Nothing was recorded."""

    sentence: str
    opens: tuple[PreviewLine, ...]
    conflicts: tuple[str, ...]
    lookups: tuple[HostLookup, ...] = Field(description="what its host names stand for now")
    digest: str = Field(description="an approval is of exactly this")

    @classmethod
    def of(cls, preview: ExceptionPreview) -> Preview:
        return cls(
            sentence=preview.sentence,
            opens=tuple(
                PreviewLine(
                    site=line.site,
                    devices=line.devices,
                    source=line.source,
                    role=line.role,
                    mode=line.mode,
                    effect=line.effect,
                )
                for line in preview.opens
            ),
            conflicts=preview.conflicts,
            lookups=tuple(HostLookup.of(found) for found in preview.lookups),
            digest=preview.digest,
        )
