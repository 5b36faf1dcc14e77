"""Events: what the counters prove, filtered and in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.auth import Ctl, Reader
from api.event_models import Alert, Cut, Event
from api.models import Instant, Name, Page, Ulid
from api.pages import MOST_COUNTED, Newest, paged_from
from api.straight import StraightRoute
from controller.errors import Invalid
from controller.model import EventAction
from controller.store import AlertQuery, CutQuery, EventQuery
from core.ids import DeviceName, SiteName

router = APIRouter(prefix="/events", tags=["events"], route_class=StraightRoute)
Kind = Annotated[str, StringConstraints(pattern="^[a-z]+(-[a-z]+)*$", max_length=40)]


@router.get("", summary="Detection events, the newest first")
def list_events(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    device: Annotated[Name | None, Query(description="only of this device")] = None,
    action: Annotated[EventAction | None, Query(description="only what was done so")] = None,
    exception: Annotated[Ulid | None, Query(description="only what this exception let through")] = None,
    since: Annotated[Instant | None, Query(description="windows that end after this")] = None,
    until: Annotated[Instant | None, Query(description="windows that start before this")] = None,
    role: Annotated[Name | None, Query(description="only of this source role")] = None,
) -> Page[Event]:
    if since is not None and until is not None and since >= until:
        raise Invalid("since: must lie before until")
    wanted = EventQuery(
        site=site,
        device=device,
        action=action,
        exception=exception,
        role=role,
        since=since,
        until=until,
        text=ask.q,
        oldest_first=not ask.is_descending,
        cursor=ask.cursor,
        limit=ask.limit,
    )
    page = controller.events(wanted)
    count = controller.event_count(wanted, most=MOST_COUNTED) if ask.count else None
    return Page(items=tuple(Event.of(e) for e in page.items), next_cursor=page.next_cursor, count=count)


@router.get("/cuts", summary="Open flows that changes ended, the newest first")
def list_cuts(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    site: Annotated[Name | None, Query(description="only at this site")] = None,
    device: Annotated[Name | None, Query(description="only on this device")] = None,
    since: Annotated[Instant | None, Query(description="only those ended at that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only those ended before that time")] = None,
) -> Page[Cut]:
    """At the edge from allowed to blocked (a window, the end of an exception, a new entry): how many flows to it were
    open and were ended, where the platform can. A change that ended none, or could not tell, is not in here."""
    wanted = CutQuery(
        site=SiteName(site) if site else None,
        device=DeviceName(device) if device else None,
        since=since,
        until=until,
        text=ask.q,
        oldest_first=not ask.is_descending,
    )
    last = ask.after("cuts")
    run, _, name = (last or "").partition("/")
    rows = controller.cuts.find(wanted, limit=ask.limit + 1, before=(run, name) if last else None)
    count = controller.cuts.count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="cuts", key=lambda c: f"{c.run}/{c.device}", show=Cut.of, ask=ask, count=count)


@router.get("/alerts", summary="Alerts of the intelligence, the newest first")
def list_alerts(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    kind: Annotated[Kind | None, Query(description="only of this kind")] = None,
    since: Annotated[Instant | None, Query(description="only those told at that time or later")] = None,
    until: Annotated[Instant | None, Query(description="only those told before that time")] = None,
) -> Page[Alert]:
    """Networks that moved, and sources that became stale or are on watch: once, within the refresh that noticed it."""
    wanted = AlertQuery(kind=kind, since=since, until=until, text=ask.q, oldest_first=not ask.is_descending)
    rows = controller.alerts(limit=ask.limit + 1, before=ask.after_number("alerts"), wanted=wanted)
    count = controller.alert_count(wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of="alerts", key=lambda a: str(a.id), show=Alert.of, ask=ask, count=count)
