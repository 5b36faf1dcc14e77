"""What goes over the wire of policies: what they say, what holds when, and what another would have done."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from api.models import Answer, Instant, Name, Request
from controller import inventory, policy_week, whatif
from controller.calendars import CalendarView
from controller.freezing import Frozen
from controller.inventory.changes import Hold
from controller.model import EventAction, Mode
from controller.whatif import Would
from controller.windows import DayKind
from vendors.week import clock

AHEAD: Final = 10
"""Holidays of a calendar that are told."""


class PolicyWindow(Answer):
    days: tuple[str, ...] = Field(examples=[["mon", "tue"]])
    start: str = Field(serialization_alias="from", examples=["08:00"])
    end: str = Field(serialization_alias="to", examples=["18:00"], description="00:00: the end of the day")
    on: DayKind
    mode: Mode
    services: tuple[str, ...] = Field(description="only for these; empty: for all that the policy chooses")

    @classmethod
    def of(cls, window: inventory.PolicyWindow) -> PolicyWindow:
        return cls(
            days=window.days,
            start=f"{window.start:%H:%M}",
            end=f"{window.end:%H:%M}",
            on=window.on,
            mode=window.mode,
            services=window.services,
        )


class PolicyRole(Answer):
    mode: Mode = Field(description="while no window is open")
    windows: tuple[PolicyWindow, ...] = Field(description="the first that is open decides")


class Policy(Answer):
    """A policy of the inventory, and the sites that have it."""

    name: str
    services: tuple[str, ...] = Field(examples=[["tiktok", "app-capcut"]])
    shared_addresses: Literal["block", "spare"]
    calendars: tuple[str, ...]
    roles: dict[str, PolicyRole]
    sites: tuple[str, ...]

    @classmethod
    def of(cls, name: str, policy: inventory.Policy, *, sites: tuple[str, ...]) -> Policy:
        return cls(
            name=name,
            services=policy.services,
            shared_addresses=policy.shared_addresses,
            calendars=policy.calendars,
            roles={
                role: PolicyRole(mode=rules.mode, windows=tuple(map(PolicyWindow.of, rules.windows)))
                for role, rules in policy.roles.items()
            },
            sites=sites,
        )


class Freeze(Answer):
    """What holds changes of devices back."""

    hold: Hold
    reason: str = Field(examples=["frozen: year end"])
    until: Instant | None = Field(description="null: not within two weeks")

    def __str__(self) -> str:
        return str(Frozen(hold=self.hold, reason=self.reason, until=self.until))

    @classmethod
    def of(cls, frozen: Frozen | None) -> Freeze | None:
        return cls(hold=frozen.hold, reason=frozen.reason, until=frozen.until) if frozen is not None else None


class RoleNow(Answer):
    role: str
    services: tuple[str, ...]
    mode: Mode
    why: str = Field(examples=["window weekdays 08:00–18:00"])

    @classmethod
    def of(cls, now: policy_week.RoleNow) -> RoleNow:
        return cls(role=now.role, services=now.services, mode=now.mode, why=now.why)


class PolicyNow(Answer):
    """What a policy says at one site and moment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site": "berlin",
                    "policy": "standard",
                    "time_zone": "Europe/Berlin",
                    "at": "2026-11-25T11:00:00Z",
                    "local": "2026-11-25T12:00:00",
                    "holiday": False,
                    "roles": [
                        {
                            "role": "company",
                            "services": ["tiktok"],
                            "mode": "enforce",
                            "why": "window weekdays 08:00–18:00",
                        }
                    ],
                    "next_edge": "2026-11-25T17:00:00Z",
                    "freeze": None,
                    "emergencies": [],
                }
            ]
        }
    )
    site: str
    policy: str
    time_zone: str
    at: Instant
    local: str = Field(description="the wall clock of the site")
    holiday: bool | None = Field(description="null: nothing there asks for holidays")
    roles: tuple[RoleNow, ...] = Field(description="one for each set of services that the same windows name")
    next_edge: Instant | None
    freeze: Freeze | None
    emergencies: tuple[str, ...] = Field(description="emergency actions that hold there")

    @classmethod
    def of(cls, now: policy_week.PolicyNow) -> PolicyNow:
        return cls(
            site=now.site,
            policy=now.policy,
            time_zone=now.time_zone,
            at=now.at,
            local=now.local.replace(tzinfo=None).isoformat(timespec="seconds"),
            holiday=now.holiday,
            roles=tuple(RoleNow.of(role) for role in now.roles),
            next_edge=now.next_edge,
            freeze=Freeze.of(now.frozen),
            emergencies=now.emergencies,
        )


class WeekSpan(Answer):
    start: str = Field(serialization_alias="from", examples=["08:00"])
    end: str = Field(serialization_alias="to", examples=["18:00"])
    mode: Mode


class WeekDay(Answer):
    date: date
    holiday: bool
    hours: float = Field(description="23 or 25 where the clock is changed")


class WeekLine(Answer):
    role: str
    services: tuple[str, ...]
    days: tuple[tuple[WeekSpan, ...], ...] = Field(description="the spans of each day, by the wall clock")


class PolicyWeek(Answer):
    """Seven days from a Monday on."""

    site: str
    title: str = Field(description="of the site")
    policy: str
    time_zone: str
    days: tuple[WeekDay, ...]
    lines: tuple[WeekLine, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, week: policy_week.PolicyWeek) -> PolicyWeek:
        return cls(
            site=week.site,
            title=week.title,
            policy=week.policy,
            time_zone=week.time_zone,
            days=tuple(WeekDay(date=d.date, holiday=d.holiday, hours=d.hours) for d in week.days),
            lines=tuple(
                WeekLine(
                    role=line.role,
                    services=line.services,
                    days=tuple(
                        tuple(WeekSpan(start=clock(s.start), end=clock(s.end), mode=s.mode) for s in spans)
                        for spans in line.days
                    ),
                )
                for line in week.lines
            ),
            notes=week.notes,
        )


class Calendar(Answer):
    """A calendar of holidays, and how old the last good answer is."""

    name: str
    source: str = Field(examples=["DE BE"], description="a country, a file, an address, or the dates themselves")
    read_at: Instant | None = Field(description="of the last good answer; null: never, or it is read from nowhere")
    ahead: tuple[date, ...] | None = Field(description="the next holidays, ten at most; null: it was never read")
    error: str | None = Field(description="why it could not be read the last time")

    @classmethod
    def of(cls, view: CalendarView, *, now: datetime) -> Calendar:
        ahead = sorted(day for day in view.days or () if day >= now.date())[:AHEAD]
        return cls(
            name=view.name,
            source=view.source,
            read_at=view.read_at,
            ahead=None if view.days is None else tuple(ahead),
            error=view.error,
        )


class WhatIfBody(Request):
    """Which time is replayed, and with what: a policy by name, or what would stand under its name in an inventory."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"from": "2026-11-18T00:00:00Z", "to": "2026-11-25T00:00:00Z", "policy": "strict"},
                {
                    "from": "2026-11-18T00:00:00Z",
                    "to": "2026-11-25T00:00:00Z",
                    "proposed": {"services": ["tiktok"], "roles": {"company": {"mode": "enforce"}}},
                },
            ]
        }
    )
    start: Instant = Field(alias="from")
    end: Instant = Field(alias="to")
    policy: Name | None = None
    proposed: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> WhatIfBody:
        if (self.policy is None) is (self.proposed is None):
            raise ValueError("give one of policy and proposed")
        return self


class Replayed(Answer):
    role: str | None = Field(description="null: an exception")
    was: EventAction
    would: Would
    events: int
    hits: int | None
    packets: int | None
    octets: int | None


class Unrecorded(Answer):
    role: str
    service: str
    would: Would
    seconds: float


class WhatIf(Answer):
    """What another policy would have done with what was recorded."""

    site: str
    policy: str
    start: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to")
    rows: tuple[Replayed, ...]
    unrecorded: tuple[Unrecorded, ...] = Field(
        description="how long the present policy counted nothing where the other would have done something"
    )
    notes: tuple[str, ...] = Field(description="what the numbers do not say")

    @classmethod
    def of(cls, answer: whatif.WhatIf) -> WhatIf:
        return cls(
            site=answer.site,
            policy=answer.policy,
            start=answer.window.start,
            end=answer.window.end,
            rows=tuple(
                Replayed(
                    role=row.role,
                    was=row.was,
                    would=row.would,
                    events=row.events,
                    hits=row.hits,
                    packets=row.packets,
                    octets=row.octets,
                )
                for row in answer.rows
            ),
            unrecorded=tuple(
                Unrecorded(role=u.role, service=u.service, would=u.would, seconds=u.seconds) for u in answer.unrecorded
            ),
            notes=answer.notes,
        )
