"""What tokgate remembers: one SQLite file, one writer, nothing answered before it is on the disk."""

from controller.audit import AuditNote
from controller.store.access import AuditQuery, exception_version
from controller.store.cuts import CutQuery, FlowsCut
from controller.store.episodes import EpisodeQuery, HoursOfWeek, KeptEpisode, Past
from controller.store.evidence import EventQuery, HitSum, Page
from controller.store.exception_query import ExceptionQuery
from controller.store.history import AlertQuery
from controller.store.journal import JournalEntry, JournalPage
from controller.store.proofs import ProofQuery
from controller.store.quarantine import QuarantineQuery
from controller.store.runs import PlanQuery, RunQuery
from controller.store.snapshots import IMPORTED, PUT_IN_FORCE, SnapshotQuery, SnapshotSummary, Term, Withheld
from controller.store.store import Store

__all__ = [
    "IMPORTED",
    "PUT_IN_FORCE",
    "AlertQuery",
    "AuditNote",
    "AuditQuery",
    "CutQuery",
    "EpisodeQuery",
    "EventQuery",
    "ExceptionQuery",
    "FlowsCut",
    "HitSum",
    "HoursOfWeek",
    "JournalEntry",
    "JournalPage",
    "KeptEpisode",
    "Page",
    "Past",
    "PlanQuery",
    "ProofQuery",
    "QuarantineQuery",
    "RunQuery",
    "SnapshotQuery",
    "SnapshotSummary",
    "Store",
    "Term",
    "Withheld",
    "exception_version",
]
