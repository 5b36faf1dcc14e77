"""What tokgate remembers: one SQLite file, one writer, nothing answered before it is on the disk."""

from controller.audit import AuditNote
from controller.store.evidence import EventQuery, HitSum, Page
from controller.store.snapshots import SnapshotSummary
from controller.store.store import Store

__all__ = ["AuditNote", "EventQuery", "HitSum", "Page", "SnapshotSummary", "Store"]
