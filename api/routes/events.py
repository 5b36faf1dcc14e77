"""Events: what the counters prove, filtered and in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Ctl, Reader
from api.models import Event, Instant, Name, Page, Ulid
from api.pages import Cursor, Limit
from controller.errors import Invalid
from controller.model import EventAction
from controller.store import EventQuery

router = APIRouter(prefix="/events", tags=["events"])


@router.get("", summary="Detection events, the newest first")
def list_events(
    controller: Ctl,
    caller: Reader,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    device: Annotated[Name | None, Query(description="only of this device")] = None,
    action: Annotated[EventAction | None, Query(description="only what was done so")] = None,
    exception: Annotated[Ulid | None, Query(description="only what this exception let through")] = None,
    since: Annotated[Instant | None, Query(description="windows that end after this")] = None,
    until: Annotated[Instant | None, Query(description="windows that start before this")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Event]:
    if since is not None and until is not None and since >= until:
        raise Invalid("since: must lie before until")
    page = controller.events(
        EventQuery(
            site=site,
            device=device,
            action=action,
            exception=exception,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        )
    )
    return Page(items=tuple(Event.of(e) for e in page.items), next_cursor=page.next_cursor)
