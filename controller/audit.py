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
from core.secret import without_tokens

CHANGED: Final = "changed"
"""What the detail of an entry calls what was moved: of each field its value before and after."""
REQUEST: Final = "request"
"""What the detail of an entry calls the request of the API that it came with, as the log and the answer do."""
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

    def moving(self, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> AuditNote:
        """The note with what the change moved; None: there was nothing before, or there is nothing any more."""
        return replace(self, detail={**(self.detail or {}), CHANGED: changed(before or {}, after or {})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The chain's last entry; ``seq`` 0 before the first. Kept apart from the entries, so that a cut end is noticed."""

    seq: int = 0
    hash: str = FIRST


def entry_after(head: Head, note: AuditNote, at: datetime) -> AuditEntry:
    """The next entry of the chain."""
    detail = json.dumps(dict(note.detail or {}), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    unsealed = AuditEntry(
        seq=head.seq + 1,
        at=at.astimezone(UTC),
        actor=note.actor,
        action=note.action,
        subject=without_tokens(note.subject),
        reason=without_tokens(note.reason),
        detail=without_tokens(detail),
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


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What of a thing a change moved: of each field its value before and after. Both hold plain data."""
    return {
        name: [before.get(name), after.get(name)]
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def breaks(entries: Iterable[AuditEntry], head: Head, *, after: Head = Head()) -> list[str]:
    """One line for each place where the chain, read on from ``after``, does not hold; empty when it does."""
    found: list[str] = []
    last = after
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
