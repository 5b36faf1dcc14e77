"""The nouns of block proof: one answer of one connection, and what the last round came to.

Frozen values; times are aware UTC; the empty text is *none*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from core.ids import DeviceName, EventId, ExceptionId, SiteName
from core.net import Address
from vendors.oracle import Answered


class By(StrEnum):
    """Who says so."""

    ORACLE = "oracle"  # the firewall, of its rules
    PROBE = "probe"  # a host inside, that tried


class Path(StrEnum):
    """How a client may get there."""

    TCP = "tcp-443"
    TCP6 = "tcp-443-v6"
    QUIC = "udp-443"
    QUIC6 = "udp-443-v6"
    DNS = "dns"


class Expected(StrEnum):
    """What the policy wants of a source at that moment."""

    BLOCK = "block"
    PASS = "pass"  # noqa: S105  # an exception takes it out of the deny


class ProofState(StrEnum):
    """What an answer, or a round of them, proves."""

    BLOCKED = "blocked"
    LEAKING = "leaking"  # it passes and should not
    OPEN = "open"  # it passes, as an exception wants
    CLOSED = "closed"  # it is blocked though an exception lets it pass
    UNKNOWN = "unknown"


WORST: tuple[ProofState, ...] = (
    ProofState.LEAKING,
    ProofState.UNKNOWN,
    ProofState.CLOSED,
    ProofState.BLOCKED,
    ProofState.OPEN,
)
"""The first of these that there is decides for many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One connection that was asked about or tried."""

    id: EventId
    round: str
    site: SiteName
    origin: str  # the device, or the host that tried
    by: By
    path: Path
    role: str  # of the source; empty where an exception names it
    exception: ExceptionId | None
    source: Address
    target: str  # an address, or a name
    expected: Expected
    said: Answered
    state: ProofState
    rule: str
    words: str
    at: datetime


CellKey: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofCell:
    """What the last round says of one kind of source on one path: a field of the matrix.

    ``target``, ``source``, ``rule`` and ``words`` are those of its worst answer. ``since``: when the state began.
    """

    site: SiteName
    origin: str
    by: By
    path: Path
    role: str
    exception: ExceptionId | None
    state: ProofState
    asked: int
    unknown: int
    source: str
    target: str
    rule: str
    words: str
    at: datetime
    since: datetime
    leak: EventId | None = None  # the episode of the leak that is open

    @property
    def key(self) -> CellKey:
        return self.site, self.origin, self.by.value, self.path.value, self.role, self.exception or ""

    @property
    def who(self) -> str:
        """The kind of source, for people."""
        return self.role or f"exception {self.exception}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What asking one device, or taking a probe's result, came to."""

    site: SiteName
    origin: str
    proofs: tuple[Proof, ...]
    why: str = ""  # nothing was asked, for this reason
    device: DeviceName | None = None
