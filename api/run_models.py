"""Plans, runs and drift over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from api.models import Answer, Failure, Instant, Name, OptionalLine, Request, Ulid
from controller import model, views, withdrawing
from controller.model import Outcome
from controller.planning import Reopened
from core.ids import DeviceName
from vendors.codec import describe
from vendors.model import Plan as VendorPlan
from vendors.model import Shortened as VendorShortened


class Selection(Request):
    """Which devices. The whole fleet only when ``all`` says so."""

    sites: tuple[Name, ...] = Field(default=(), max_length=1000, examples=[["berlin"]])
    devices: tuple[Name, ...] = Field(default=(), max_length=1000)
    all: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _chosen(self) -> Selection:
        if self.all == bool(self.sites or self.devices):
            raise ValueError('name sites or devices, or say "all": true, not both')
        return self

    def selection(self) -> views.Selection:
        return views.Selection(sites=self.sites, devices=self.devices)


class PlanBody(Selection):
    """``force`` passes the guard against large removals, and no other."""

    force: bool = Field(default=False, strict=True)


class LeftOut(Answer):
    """A network that a device has no room for, and why just this one."""

    network: str
    reason: str


class Shortened(Answer):
    """A list that does not fit a device: how long it is, and exactly what of it the device does not get."""

    group: str = Field(description="the list, as the device calls it", examples=["dst-tiktok"])
    networks: int = Field(description="of the whole list; the same for addresses")
    addresses_v4: int
    addresses_v6: int
    left_out: tuple[LeftOut, ...] = Field(description="the most valuable first")
    left_out_v4: int = Field(description="addresses that no held network has")
    left_out_v6: int

    @classmethod
    def of(cls, short: VendorShortened) -> Shortened:
        return cls(
            group=short.group,
            networks=short.networks,
            addresses_v4=short.addresses_v4,
            addresses_v6=short.addresses_v6,
            left_out=tuple(LeftOut(network=str(left.network), reason=left.reason) for left in short.left_out),
            left_out_v4=short.left_out_v4,
            left_out_v6=short.left_out_v6,
        )


def shortened_lists(plan: VendorPlan | None) -> tuple[Shortened, ...]:
    return tuple(Shortened.of(short) for short in plan.shortened) if plan else ()


class Cause(Answer):
    """Why a plan takes an entry off a device: a person withdrew it, or a part of it."""

    entry: str = Field(description="as the device holds it", examples=["198.18.0.0/15"])
    value: str = Field(description="what was withdrawn", examples=["198.18.7.0/24"])
    emergency: str = Field(description="the id of the emergency action")
    reason: str
    actor: str
    ends: Instant | None
    more: int = Field(description="further entries that go for the same withdrawal and are not named; at the last one")

    def __str__(self) -> str:
        return str(withdrawing.Cause(**dict(self)))

    @classmethod
    def of(cls, cause: withdrawing.Cause) -> Cause:
        return cls(
            entry=cause.entry,
            value=cause.value,
            emergency=cause.emergency,
            reason=cause.reason,
            actor=cause.actor,
            ends=cause.ends,
            more=cause.more,
        )


class PlannedDevice(Answer):
    """One device's plan as lines for people, or why there is none. ``id`` is null when there is nothing to change."""

    device: str
    site: str
    id: str | None
    checksum: str | None
    steps: tuple[str, ...] = Field(examples=[["add 2 networks to dst-tiktok: 71.18.0.0/16, 2605:340::/32"]])
    causes: tuple[Cause, ...] = Field(description="what people withdrew, of the entries that it takes away")
    degraded: tuple[str, ...] = Field(description="what it cannot hold as it is wanted")
    gaps: tuple[str, ...] = Field(description="those of `degraded` that leave something not held")
    shortened: tuple[Shortened, ...] = Field(description="lists of which it gets only a part, for want of room")
    snapshot: str | None = Field(description="by which it was planned; null when there is nothing to change")
    script: str = Field(description="the change in the device's own language")
    freeze: str | None = Field(description="what would hold it back now: a freeze or a pause")
    refused: Failure | None = Field(description="what on the device stands against it now: then an apply sends nothing")
    error: Failure | None

    @classmethod
    def of(cls, result: views.PlanResult) -> PlannedDevice:
        return cls(
            device=result.device,
            site=result.site,
            id=result.stored.id if result.stored else None,
            checksum=result.stored.checksum if result.stored else None,
            steps=result.steps,
            causes=tuple(Cause.of(cause) for cause in result.causes),
            degraded=degraded_lines(result.plan),
            gaps=gap_lines(result.plan),
            shortened=shortened_lists(result.plan),
            snapshot=result.stored.snapshot if result.stored else None,
            script=result.script,
            freeze=str(result.frozen) if result.frozen is not None else None,
            refused=Failure.of(result.refused),
            error=Failure.of(result.error),
        )


class Plans(Answer):
    """The plans of one request. ``changes`` says whether any device differs from what it should hold."""

    items: tuple[PlannedDevice, ...]
    changes: bool


class Plan(Answer):
    """A stored plan: exactly it can be applied, for an hour, while nothing has moved."""

    id: str
    created_at: Instant
    device: str
    site: str
    snapshot: str
    checksum: str
    steps: tuple[str, ...]
    causes: tuple[Cause, ...] = Field(description="what people withdrew, of the entries that it takes away")
    degraded: tuple[str, ...] = Field(description="what it cannot hold as it is wanted")
    gaps: tuple[str, ...] = Field(description="those of `degraded` that leave something not held")
    shortened: tuple[Shortened, ...] = Field(description="lists of which it gets only a part, for want of room")

    @classmethod
    def of(cls, stored: model.StoredPlan, known: Reopened) -> Plan:
        plan = known.plan
        return cls(
            id=stored.id,
            created_at=stored.created_at,
            device=stored.device,
            site=stored.site,
            snapshot=stored.snapshot,
            checksum=stored.checksum,
            steps=tuple(describe(step) for step in plan.steps),
            causes=tuple(Cause.of(cause) for cause in known.causes),
            degraded=degraded_lines(plan),
            gaps=gap_lines(plan),
            shortened=shortened_lists(plan),
        )


def degraded_lines(plan: VendorPlan | None) -> tuple[str, ...]:
    return tuple(f"{d.capability}: {d.message}" for d in plan.degraded) if plan else ()


def gap_lines(plan: VendorPlan | None) -> tuple[str, ...]:
    return tuple(f"{d.capability}: {d.message}" for d in plan.degraded if d.is_gap) if plan else ()


class SyncRequest(Selection):
    """Bring devices to what they should hold now. ``force`` passes the shrink guard, ``override_freeze`` a freeze;
    each needs a reason."""

    kind: Literal["sync"]
    reason: OptionalLine = ""
    force: bool = Field(default=False, strict=True)
    override_freeze: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _explained(self) -> SyncRequest:
        if (self.force or self.override_freeze) and not self.reason:
            raise ValueError("force and override_freeze need a reason")
        return self


class ApplyRequest(Request):
    """Apply exactly these stored plans. ``override_freeze`` does not wait for the end of a freeze; with a reason."""

    kind: Literal["apply"]
    plans: tuple[Ulid, ...] = Field(min_length=1, max_length=1000)
    reason: OptionalLine = ""
    override_freeze: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _explained(self) -> ApplyRequest:
        if self.override_freeze and not self.reason:
            raise ValueError("override_freeze needs a reason")
        return self


RunRequest = Annotated[SyncRequest | ApplyRequest, Field(discriminator="kind")]


class DeviceRun(Answer):
    device: str
    site: str
    outcome: Outcome
    started_at: Instant
    finished_at: Instant | None
    steps: int
    snapshot: str | None
    error_code: str | None
    error: str | None
    degraded: tuple[str, ...]
    flows_cut: int | None = Field(description="open flows to newly blocked addresses that were ended; null: unknown")
    timings: dict[str, float] | None = Field(description="seconds")
    changes: tuple[str, ...] | None = Field(
        default=None,
        description="what was to change, a line for each step; null: nothing, or not written down, and in lists",
    )

    @classmethod
    def of(cls, run: model.DeviceRun, changes: tuple[str, ...] | None = None) -> DeviceRun:
        return cls(
            changes=changes,
            device=run.device,
            site=run.site,
            outcome=run.outcome,
            started_at=run.started_at,
            finished_at=run.finished_at,
            steps=run.steps,
            snapshot=run.snapshot,
            error_code=run.error_code,
            error=run.error,
            degraded=run.degraded,
            flows_cut=run.flows_cut,
            timings=dict(run.timings) if run.timings is not None else None,
        )


class Run(Answer):
    """One sync or apply. ``finished_at`` is null while devices are still at work."""

    id: str
    trigger: str = Field(examples=["schedule", "api", "exception:01kaxw1t4m3v2q8y7z6s5r4p3n"])
    actor: str
    started_at: Instant
    finished_at: Instant | None
    devices: tuple[DeviceRun, ...]

    @classmethod
    def of(cls, run: model.Run, changes: Mapping[DeviceName, tuple[str, ...]] | None = None) -> Run:
        said = changes or {}
        return cls(
            id=run.id,
            trigger=run.trigger,
            actor=run.actor,
            started_at=run.started_at,
            finished_at=run.finished_at,
            devices=tuple(DeviceRun.of(d, said.get(d.device)) for d in run.devices),
        )


class DriftedDevice(Answer):
    """How far one device is from what it should hold, read just now."""

    device: str
    site: str
    in_step: bool | None = Field(description="null: it could not be read")
    steps: tuple[str, ...]
    altered: str = Field(description="why it is not what we left there; empty when it is")
    error: Failure | None

    @classmethod
    def of(cls, result: views.DriftResult) -> DriftedDevice:
        return cls(
            device=result.device,
            site=result.site,
            in_step=None if result.error else not result.steps,
            steps=result.steps,
            altered=result.altered,
            error=Failure.of(result.error),
        )


class DeviceDrift(Answer):
    items: tuple[DriftedDevice, ...]
    drifted: bool


class KnownDrift(Answer):
    """What the last look at a device said, without asking it again."""

    device: str
    site: str
    in_step: bool | None = Field(description="null: unknown, because it was never or not lately read")
    last_seen_at: Instant | None
    enforced_at: Instant | None
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, view: views.DeviceView) -> KnownDrift:
        status = view.status
        return cls(
            device=view.name,
            site=view.site,
            in_step=_in_step(status),
            last_seen_at=status.last_seen_at if status else None,
            enforced_at=status.enforced_at if status else None,
            error_code=status.error_code if status else None,
            error=status.error if status else None,
        )


def _in_step(status: model.DeviceStatus | None) -> bool | None:
    if status is None or status.last_seen_at is None or status.last_attempt_at != status.last_seen_at:
        return None
    return status.enforced_at == status.last_seen_at
