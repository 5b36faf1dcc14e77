"""The audit chain: who changed what and why, each entry hashed together with the one before (I14).

Pure. The store appends an entry in the transaction of the change it tells of: what cannot be logged is not done.
Entries hold no secrets: whoever writes a note puts none in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from controller.model import AuditEntry

FIRST: Final = "0" * 64
"""What the first entry names as the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """What a change says of itself; the store adds when, and the place in the chain."""

    actor: str
    action: str  # "exception.approve", "token.create" …
    subject: str
    reason: str = ""
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The chain's last entry; ``seq`` 0 before the first. Kept apart from the entries, so that a cut end is noticed."""

    seq: int = 0
    hash: str = FIRST


def entry_after(head: Head, note: AuditNote, at: datetime) -> AuditEntry:
    """The next entry of the chain."""
    unsealed = AuditEntry(
        seq=head.seq + 1,
        at=at.astimezone(UTC),
        actor=note.actor,
        action=note.action,
        subject=note.subject,
        reason=note.reason,
        detail=json.dumps(dict(note.detail or {}), sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        previous=head.hash,
        hash="",
    )
    return replace(unsealed, hash=seal(unsealed))


def seal(entry: AuditEntry) -> str:
    """sha256 over everything an entry says, the hash of the one before included."""
    said = [
        entry.seq,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor,
        entry.action,
        entry.subject,
        entry.reason,
        entry.detail,
        entry.previous,
    ]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def breaks(entries: Iterable[AuditEntry], head: Head) -> list[str]:
    """One line for each place where the chain, read from its first entry, does not hold; empty when it does."""
    found: list[str] = []
    last = Head()
    for entry in entries:
        if entry.seq != last.seq + 1:
            found.append(f"entry {last.seq + 1} is missing: {entry.seq} follows {last.seq}")
        if entry.previous != last.hash:
            found.append(f"entry {entry.seq} does not follow the entry before it")
        if entry.hash != seal(entry):
            found.append(f"entry {entry.seq} does not match its hash: it was changed")
        last = Head(seq=entry.seq, hash=entry.hash)
    if last != head:
        found.append(f"the chain ends with entry {last.seq}, but entry {head.seq} was written last")
    return found
