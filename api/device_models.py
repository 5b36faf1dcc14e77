"""Sites and devices over the wire."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from api.models import Answer, Instant
from controller import model, views
from controller.model import Mode
from vendors.adapter import Finding


class DeviceStatus(Answer):
    """The latest word on a device. ``enforced_at``: when it was last read back holding exactly what it should."""

    last_seen_at: Instant | None
    last_attempt_at: Instant | None
    enforced_at: Instant | None
    snapshot: str | None
    mode: str | None = Field(examples=["company=enforce, guest=monitor"])
    error_code: str | None
    error: str | None
    degraded: tuple[str, ...]
    exceptions: tuple[str, ...]

    @classmethod
    def of(cls, status: model.DeviceStatus) -> DeviceStatus:
        return cls(
            last_seen_at=status.last_seen_at,
            last_attempt_at=status.last_attempt_at,
            enforced_at=status.enforced_at,
            snapshot=status.snapshot,
            mode=status.mode,
            error_code=status.error_code,
            error=status.error,
            degraded=status.degraded,
            exceptions=status.exceptions,
        )


class Software(Answer):
    """The version of a device's software, as the last reading in a run told it."""

    version: str | None = Field(examples=["9.18(4)"])
    read_at: Instant | None
    unknown_because: str | None = Field(description="null where it is known")

    @classmethod
    def of(cls, status: model.DeviceStatus | None) -> Software:
        if status is not None and status.version:
            return cls(version=status.version, read_at=status.version_at, unknown_because=None)
        if status is None or status.last_seen_at is None:
            return cls(version=None, read_at=None, unknown_because="it was not read yet")
        return cls(version=None, read_at=None, unknown_because="what is read of this platform does not tell it")


class Device(Answer):
    name: str = Field(examples=["fw-berlin"])
    site: str = Field(examples=["berlin"])
    vendor: str = Field(examples=["linux_nftables"])
    host: str
    software: Software
    status: DeviceStatus | None = Field(description="null: never looked at")

    @classmethod
    def of(cls, view: views.DeviceView) -> Device:
        status = DeviceStatus.of(view.status) if view.status else None
        software = Software.of(view.status)
        return cls(name=view.name, site=view.site, vendor=view.vendor, host=view.host, software=software, status=status)


class Site(Answer):
    """A site with the mode of each source role now, and when the next window opens or closes."""

    name: str = Field(examples=["berlin"])
    title: str
    time_zone: str = Field(examples=["Europe/Berlin"])
    policy: str
    modes: dict[str, Mode] = Field(examples=[{"company": "enforce", "guest": "monitor"}])
    next_edge: Instant | None
    devices: tuple[Device, ...]

    @classmethod
    def of(cls, view: views.SiteView) -> Site:
        return cls(
            name=view.name,
            title=view.title,
            time_zone=view.time_zone,
            policy=view.policy,
            modes=dict(view.modes),
            next_edge=view.next_edge,
            devices=tuple(Device.of(d) for d in view.devices),
        )


class DoctorCheck(Answer):
    check: str
    ok: bool
    message: str


class Doctor(Answer):
    """Whether a device is prepared; nothing was changed on it."""

    device: str
    ok: bool
    checks: tuple[DoctorCheck, ...]

    @classmethod
    def of(cls, device: str, findings: Iterable[Finding]) -> Doctor:
        checks = tuple(DoctorCheck(check=f.check, ok=f.ok, message=f.message) for f in findings)
        return cls(device=device, ok=all(c.ok for c in checks), checks=checks)
