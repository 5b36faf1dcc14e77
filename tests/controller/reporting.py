"""One day of one site, as values: what the tests of the report and of its three forms look at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from controller.model import (
    AccessException,
    CoverageState,
    DetectionEvent,
    DeviceStatus,
    EventAction,
    ExceptionState,
    Mode,
    Observation,
    Quality,
    SourceSeen,
    Window,
)
from controller.reports.making import SiteReport, SourceTrouble, site_report
from controller.sums import Sums, sums_of
from core.ids import DeviceName, EventId, ExceptionId, SiteName, SnapshotId
from ipsets.model import Snapshot
from tests.controller.offices import an_exception, snapshot
from vendors.model import RuleName

GOLDENS = Path(__file__).parent / "goldens"
RENEW = "TOKGATE_RENEW_GOLDENS"
BERLIN = SiteName("berlin")
DAY = Window(datetime(2026, 11, 24, 23, 0, tzinfo=UTC), datetime(2026, 11, 25, 23, 0, tzinfo=UTC))
"""The 25th of November in Berlin."""
NOW = DAY.end + timedelta(minutes=7)
FW, SECOND_FW, OLD_FW = DeviceName("fw-berlin"), DeviceName("fw-berlin-2"), DeviceName("fw-old")
FRESH = timedelta(minutes=30)


def check_golden(name: str, text: str) -> None:
    """Compare with ``goldens/name``. ``TOKGATE_RENEW_GOLDENS=1`` writes it anew; the change is reviewed as code."""
    path = GOLDENS / name
    if os.environ.get(RENEW):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert path.read_bytes().decode() == text, f"not what {path.name} holds; {RENEW}=1 writes it anew"


def at(hours: float) -> datetime:
    """So long after the day began."""
    return DAY.start + timedelta(hours=hours)


def event(
    end: datetime,
    hits: int | None = 1,
    *,
    action: EventAction = EventAction.BLOCKED,
    device: DeviceName = FW,
    role: str | None = "company",
    length: timedelta = timedelta(minutes=5),
    **other: Any,
) -> DetectionEvent:
    """An event whose window ends then."""
    prefix = {EventAction.BLOCKED: "deny", EventAction.MONITORED: "mon", EventAction.ALLOWED: "exc"}[action]
    fields: dict[str, Any] = {
        "id": EventId(f"01hzevent{end:%d%H%M%S}{device}"),
        "site": BERLIN,
        "device": device,
        "rule": RuleName(f"{prefix}-{role}"),
        "role": role,
        "exception": None,
        "action": action,
        "window": Window(end - length, end),
        "hits": hits,
        "packets": None if hits is None else hits * 3,
        "octets": None if hits is None else hits * 180,
        "quality": Quality.EXACT,
        "snapshot": SnapshotId("ab" * 32),
    }
    return DetectionEvent(**{**fields, **other})


def seen(source: str, packets: int | None, last: datetime, destination: str = "103.136.220.9") -> SourceSeen:
    return SourceSeen(
        source=ip_address(source),
        destination=ip_address(destination),
        packets=packets,
        octets=None if packets is None else packets * 60,
        last_seen=last,
    )


def look(
    hours: float, found: CoverageState | None, left: CoverageState | None, cause: str = "", device: DeviceName = FW
) -> Observation:
    return Observation(device=device, site=BERLIN, at=at(hours), found=found, left=left, cause=cause)


def status(device: DeviceName = FW, **changes: Any) -> DeviceStatus:
    plain = DeviceStatus(
        device=device,
        site=BERLIN,
        last_seen_at=at(23.9),
        last_attempt_at=at(23.9),
        enforced_at=at(23.9),
        snapshot=SnapshotId("ab" * 32),
        mode="company=enforce, guest=monitor",
        error_code=None,
        error=None,
    )
    return replace(plain, **changes)


def approved(**changes: Any) -> AccessException:
    """Marketing may from one in the afternoon until half past four."""
    plain = replace(
        an_exception("10.20.1.7/32", starts=at(13), ends=at(16.5)),
        decided_by="bob",
        decided_at=at(-10),
    )
    return replace(plain, **changes)


def report(
    *,
    window: Window = DAY,
    now: datetime = NOW,
    zone: str = "Europe/Berlin",
    title: str = "Berlin office",
    events: Sequence[DetectionEvent] = (),
    observations: Sequence[Observation] = (),
    exceptions: Sequence[AccessException] = (),
    devices: dict[DeviceName, DeviceStatus | None] | None = None,
    of: Snapshot | None = None,
    sources: Sequence[SourceTrouble] = (),
    sums: Sums | None = None,
) -> SiteReport:
    return site_report(
        site=BERLIN,
        title=title,
        time_zone=zone,
        window=window,
        now=now,
        modes={"company": Mode.ENFORCE, "guest": Mode.MONITOR},
        devices={FW: status()} if devices is None else devices,
        sums=sums_of(events) if sums is None else sums,
        observations=observations,
        exceptions=exceptions,
        snapshot=of,
        sources=sources,
        freshness=FRESH,
    )


# --- a whole day ----------------------------------------------------------------------------------------------------

_ATTEMPTS = (0, 0, 0, 0, 0, 0, 2, 9, 31, 44, 38, 40, 57, 52, 35, 33, 41, 26, 12, 7, 4, 1, 0, 0)
E, NOT = CoverageState.ENFORCED, CoverageState.NOT_ENFORCED


def busy_day() -> SiteReport:
    """Work hours, a gateway that was reset by hand, one that nobody could reach, an exception and its use."""
    return report(
        events=sorted(_events(), key=lambda e: (e.window.end, e.id)),
        observations=tuple(_looks()),
        exceptions=(approved(state=ExceptionState.ENDED, ended_at=at(16.5)),),
        devices={
            FW: status(degraded=("domains: this gateway runs no dnsmasq; names are not enforced",)),
            SECOND_FW: status(
                SECOND_FW,
                last_seen_at=at(21.25),
                enforced_at=at(21.25),
                error_code="TG4001",
                error="TG4001 fw-berlin-2: 192.0.2.2:22: connection refused (check that sshd runs)",
            ),
        },
        of=snapshot("103.136.220.0/23"),
        sources=(
            SourceTrouble(source="dns", what="stale", why="it has never answered"),
            SourceTrouble(source="ripestat", what="stale", why="it last answered 1 d 7 h ago, more than 1d"),
        ),
    )


def _events() -> Iterator[DetectionEvent]:
    for hour, attempts in enumerate(_ATTEMPTS):
        end = at(hour + 0.5)
        if attempts:
            quality = Quality.AT_LEAST if hour == 14 else Quality.EXACT
            clients = tuple(
                seen(f"10.20.0.{10 + n}", attempts * (6 - n), end, f"103.136.22{n % 2}.{9 + n}") for n in range(5)
            )
            yield event(end, attempts, sources=clients, quality=quality)
            yield event(end, attempts // 3, device=SECOND_FW, sources=(seen("2a01:db9:20::7", attempts, end),))
            yield event(end, attempts // 2, action=EventAction.MONITORED, role="guest")
    use = {"action": EventAction.ALLOWED, "role": None, "exception": ExceptionId("01hzexception0000000000001")}
    yield event(at(14.25), 18, sources=(seen("10.20.1.7", 240, at(14.2)),), **use)
    yield event(at(16.25), 6, sources=(seen("10.20.1.7", 90, at(16.2)),), sources_truncated=True, **use)
    yield event(at(3), 4, device=OLD_FW)


def _looks() -> Iterator[Observation]:
    for quarter in range(-1, 96):
        hours = quarter / 4
        if quarter == 30:
            yield look(hours, NOT, NOT, "our lists or rules were changed by somebody else")
        elif quarter == 31:
            yield look(hours, NOT, E, "our lists or rules were changed by somebody else")
        else:
            yield look(hours, E, E)
        failed = quarter > 85
        cause = "TG4001 fw-berlin-2: 192.0.2.2:22: connection refused" if failed else ""
        yield look(hours, None if failed else E, None if failed else E, cause, SECOND_FW)
