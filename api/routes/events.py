"""Events: what the counters prove, filtered and in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.auth import Ctl, Reader
from api.models import Alert, Event, Instant, Name, Page, Ulid
from api.pages import Cursor, Limit, decode_number, page_from
from controller.errors import Invalid
from controller.model import EventAction
from controller.store import EventQuery

router = APIRouter(prefix="/events", tags=["events"])
Kind = Annotated[str, StringConstraints(pattern="^[a-z]+(-[a-z]+)*$", max_length=40)]


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


@router.get("/alerts", summary="Alerts of the intelligence, the newest first")
def list_alerts(
    controller: Ctl,
    caller: Reader,
    kind: Annotated[Kind | None, Query(description="only of this kind")] = None,
    since: Annotated[Instant | None, Query(description="only those told at that time or later")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Alert]:
    """Networks that moved, and sources that became stale or are on watch: once, within the refresh that noticed it."""
    rows = controller.alerts(limit=limit + 1, before=decode_number(cursor, of="alerts"), kind=kind, since=since)
    return page_from(rows, of="alerts", key=lambda a: str(a.id), show=Alert.of, limit=limit)
