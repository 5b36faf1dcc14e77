"""Sources: where the intelligence comes from, and how old each word is."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Ctl, Reader
from api.models import Page
from api.pages import Sorted, paged
from api.source_models import Source

router = APIRouter(prefix="/sources", tags=["sources"])


@router.get("", summary="All sources")
def list_sources(controller: Ctl, caller: Reader, ask: Sorted) -> Page[Source]:
    """Last attempt and last success apart: a failing source keeps its last good entries."""
    records = controller.sources()
    found = Source.all_of(records, controller.troubles(records))
    return paged(found, of="sources", key=lambda s: s.name, show=lambda s: s, ask=ask)
