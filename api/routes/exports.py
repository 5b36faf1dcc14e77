"""Exports: how the receivers of the inventory do, and sending again."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Admin, Auditor, Ctl
from api.export_models import Export, ExportReplayBody, ExportReplayed
from api.models import Name, Page
from api.pages import Sorted, paged
from api.reference import answers

router = APIRouter(prefix="/exports", tags=["exports"])


@router.get("", summary="All receivers of exports")
def list_exports(controller: Ctl, caller: Auditor, ask: Sorted) -> Page[Export]:
    """By name, with what waits for each, since when, and why."""
    return paged(controller.exports.views(), of="exports", key=lambda view: view.name, show=Export.of, ask=ask)


@router.get("/{name}", summary="One receiver of exports", responses=answers(404))
def get_export(controller: Ctl, caller: Auditor, name: Name) -> Export:
    return Export.of(controller.exports.view(name))


@router.post("/{name}/replay", summary="Send again what was recorded since", responses=answers(404, 503))
def replay_export(controller: Ctl, caller: Admin, name: Name, body: ExportReplayBody) -> ExportReplayed:
    """Behind what waits already, in order, under the same ids. It begins within seconds."""
    return ExportReplayed(entries=controller.exports.replay(name, since=body.since, actor=caller.actor))
