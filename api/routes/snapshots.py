"""Snapshots: what is enforced, entry by entry, and how two of them differ."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.models import Difference, Digest, Page, Snapshot, SnapshotHead
from api.pages import Cursor, Limit, decode, not_ours, page_from
from api.reference import answers
from core.ids import SnapshotId
from ipsets.errors import NoSnapshot

router = APIRouter(prefix="/snapshots", tags=["snapshots"])

WithIndicators = Annotated[bool, Query(description="also every entry before aggregation, with its provenance")]


@router.get("", summary="Snapshots, the newest first")
def list_snapshots(controller: Ctl, caller: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[SnapshotHead]:
    before = decode(cursor, of="snapshots")
    try:
        rows = controller.snapshots(limit=limit + 1, before=SnapshotId(before) if before else None)
    except NoSnapshot as exc:  # dropped since the page before, or never ours
        raise not_ours() from exc
    return page_from(rows, of="snapshots", key=lambda s: s.id, show=SnapshotHead.of, limit=limit)


@router.get("/current", summary="The snapshot in force", responses=answers(404))
def current(controller: Ctl, caller: Reader, indicators: WithIndicators = False) -> Snapshot:
    return Snapshot.of(controller.snapshot(), owners=controller.owners, indicators=indicators, pin=controller.pin())


@router.get("/{id}", summary="One snapshot", responses=answers(404))
def get_snapshot(controller: Ctl, caller: Reader, id: Digest, indicators: WithIndicators = False) -> Snapshot:
    """By its id or how that begins."""
    return Snapshot.of(controller.snapshot(id), owners=controller.owners, indicators=indicators, pin=controller.pin())


@router.get("/{old}/diff/{new}", summary="How two snapshots differ", responses=answers(404))
def diff(controller: Ctl, caller: Reader, old: Digest, new: Digest) -> Difference:
    """What the second would enforce more, and what less."""
    first, second = controller.snapshot(old), controller.snapshot(new)
    return Difference.of(first.id, second.id, controller.diff_snapshots(first.id, second.id))
