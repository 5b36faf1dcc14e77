"""What emergency actions look like on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from api.models import Answer, Instant, Line, Name, Request
from controller import model
from controller.model import EmergencyKind, Mode


class WithdrawBody(Request):
    """Take one network or name off what is enforced, everywhere."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "withdraw",
                    "value": "203.0.113.0/24",
                    "reason": "blocks payroll",
                    "ends": "2026-11-27T18:00:00Z",
                }
            ]
        }
    )

    kind: Literal["withdraw"]
    value: Annotated[
        str, Field(max_length=260, description="a network, an address, a name, or `*.name` for it and all below it")
    ]
    reason: Line
    ends: Instant
    empties: tuple[Name, ...] = Field(
        default=(),
        max_length=100,
        description="said a second time: the services that it leaves without any address, or any name",
    )


class SwitchBody(Request):
    """Have sites, or all, do no more than watch, or nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "switch", "mode": "monitor", "sites": ["berlin"], "reason": "outage"}]}
    )

    kind: Literal["switch"]
    mode: Literal["monitor", "off"]
    sites: tuple[Name, ...] = Field(default=(), max_length=1000, description="all when empty")
    reason: Line
    ends: Instant | None = Field(default=None, description="null: until somebody ends it; told again every day")


class PauseBody(Request):
    """Send nothing to sites, or to any; what stands there stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "pause", "reason": "core switch is replaced", "ends": "2026-11-27T06:00:00Z"}]
        }
    )

    kind: Literal["pause"]
    sites: tuple[Name, ...] = Field(default=(), max_length=1000, description="all when empty")
    reason: Line
    ends: Instant


EmergencyBody = Annotated[WithdrawBody | SwitchBody | PauseBody, Field(discriminator="kind")]


class Emergency(Answer):
    """An emergency action. ``active``: it holds now."""

    id: str
    kind: EmergencyKind
    active: bool
    value: str = Field(description="of a withdrawal; else empty")
    mode: Mode | None = Field(description="of a switch; else null")
    empties: tuple[str, ...] = Field(description="services that a withdrawal leaves without any address, or any name")
    sites: tuple[str, ...] = Field(description="all when empty")
    reason: str
    actor: str
    starts: Instant
    ends: Instant | None
    ended_at: Instant | None
    ended_by: str
    told: str = Field(description="all of it in one sentence")

    @classmethod
    def of(cls, emergency: model.Emergency, *, active: bool) -> Self:
        return cls(
            id=emergency.id,
            kind=emergency.kind,
            active=active,
            value=emergency.value,
            mode=emergency.mode,
            empties=emergency.empties,
            sites=emergency.sites,
            reason=emergency.reason,
            actor=emergency.actor,
            starts=emergency.starts,
            ends=emergency.ends,
            ended_at=emergency.ended_at,
            ended_by=emergency.ended_by,
            told=str(emergency),
        )
