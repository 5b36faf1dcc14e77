"""What the facade answers with: values for pages, commands and the API, nothing that holds a disk or a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.freezing import Frozen
from controller.model import DeviceStatus, Mode, Pin, StoredPlan
from controller.proof.model import Proven
from controller.withdrawing import Cause
from core.errors import TokgateError
from core.ids import DeviceName, SiteName
from ipsets.bundle import Bundle, Sealed
from ipsets.difference import SnapshotDiff
from ipsets.explain import Explanation
from ipsets.minisign import PublicKey
from ipsets.model import Snapshot
from ipsets.owners import Owners
from ipsets.resolve import SourceRecord
from vendors.errors import Refused
from vendors.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which devices: all of them when both are empty, else those of the sites and those named."""

    sites: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshResult:
    """What a resolve brought. ``changed`` says whether another snapshot is in force now.

    Under a ``pin`` none is: ``snapshot`` is the pinned one, ``waiting`` is what would be in force without the pin when
    that is another, and ``diff`` leads there.
    """

    snapshot: Snapshot | None
    previous: Snapshot | None
    diff: SnapshotDiff | None
    records: tuple[SourceRecord, ...]
    changed: bool
    pin: Pin | None = None
    waiting: Snapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why something is covered or not, by which snapshot, and how long that was in force."""

    explanation: Explanation
    snapshot: Snapshot
    owners: Owners
    at: datetime | None  # None: now
    since: datetime | None  # None: the audit log does not tell
    until: datetime | None  # None: it still is
    pin: Pin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A bundle whose snapshot is in force now, the pin that keeps it there, and whose signature was taken."""

    pin: Pin
    bundle: Bundle
    key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A bundle as it travels, and the key that proves it."""

    bundle: Bundle
    sealed: Sealed
    key: PublicKey
    withdrawn: tuple[str, ...] = ()  # what is off the list here, and in the bundle all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """One device's plan, or why there is none. ``steps`` are lines for people, ``script`` is the vendor's language."""

    device: DeviceName
    site: SiteName
    plan: Plan | None
    stored: StoredPlan | None
    steps: tuple[str, ...]
    script: str
    error: TokgateError | None
    frozen: Frozen | None = None  # what would hold it back now
    refused: Refused | None = None  # what stands against it on the device now
    causes: tuple[Cause, ...] = ()  # what people withdrew, of what it takes away


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """How far a device is from what it should hold, and whether somebody changed what is ours there."""

    device: DeviceName
    site: SiteName
    steps: tuple[str, ...]
    altered: str  # why it is not what we left; empty when it is
    error: TokgateError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    device: DeviceName
    site: SiteName
    events: int
    error: TokgateError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """What asking one firewall came to. ``proven`` None: it could not be asked, as ``error`` says."""

    device: DeviceName
    site: SiteName
    proven: Proven | None
    error: TokgateError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    name: DeviceName
    site: SiteName
    vendor: str
    host: str
    status: DeviceStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    name: SiteName
    title: str
    time_zone: str
    policy: str
    modes: Mapping[str, Mode]
    next_edge: datetime | None
    devices: tuple[DeviceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeys:
    """The keys that the inventory pins and those that the device shows now."""

    pinned: tuple[str, ...]
    offered: tuple[str, ...]

    @property
    def match(self) -> bool:
        return bool(set(self.pinned) & set(self.offered))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    ready: bool
    checks: tuple[Check, ...]
