"""What was set aside of evidence: how much from where and why, with the last of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.models import Instant, Name, Page
from api.pages import MOST_COUNTED, Newest, not_ours, paged_from
from api.quarantine_models import SetAside
from controller.evidence import setting_aside
from controller.evidence.model import Quarantine
from controller.store import QuarantineQuery
from controller.store.schema import micros, moment
from core.ids import SiteName

router = APIRouter(prefix="/evidence", tags=["evidence"])


@router.get("/quarantine", summary="Records that are no evidence: how many from where and why, the latest first")
def list_quarantine(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    why: Annotated[Quarantine | None, Query(description="only for this reason")] = None,
    site: Annotated[Name | None, Query(description="only of senders of this site")] = None,
    since: Annotated[Instant | None, Query(description="only what happened at that time or later")] = None,
) -> Page[SetAside]:
    """One entry for each origin and reason, with its last ten records. Who is limited to sites sees no strangers."""
    wanted = QuarantineQuery(
        why=why,
        site=SiteName(site) if site else None,
        since=since,
        text=ask.q,
        oldest_first=not ask.is_descending,
    )
    rows = controller.receiving.find(wanted, limit=ask.limit + 1, before=_place(ask.after("quarantine")))
    count = controller.receiving.count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="quarantine", key=_key, show=SetAside.of, ask=ask, count=count)


def _key(row: setting_aside.SetAside) -> str:
    return f"{micros(row.last_at)}/{row.id}"


def _place(key: str | None) -> tuple[datetime, int] | None:
    """Raises ``Invalid``."""
    if key is None:
        return None
    at, _, number = key.partition("/")
    if not (at.isdigit() and number.isdigit() and len(at) <= 17 and len(number) <= 18):
        raise not_ours()
    return moment(int(at)), int(number)
