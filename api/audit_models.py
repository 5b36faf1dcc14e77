"""The audit log over the wire."""

from __future__ import annotations

from api.models import Answer, Instant
from controller import model


class AuditEntry(Answer):
    """One change, by whom and why, chained to the one before by its hash."""

    seq: int
    at: Instant
    actor: str
    action: str
    subject: str
    reason: str
    detail: str
    previous: str
    hash: str

    @classmethod
    def of(cls, entry: model.AuditEntry) -> AuditEntry:
        return cls(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            reason=entry.reason,
            detail=entry.detail,
            previous=entry.previous,
            hash=entry.hash,
        )


class AuditVerdict(Answer):
    """Whether the chain holds; each break names its entry."""

    intact: bool
    breaks: tuple[str, ...]
