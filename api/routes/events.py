"""Events: what the counters prove, filtered and in pages, or followed as they are recorded."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.auth import Ctl, Reader
from api.event_models import Alert, Cut, Event
from api.export_models import Followed
from api.models import Instant, Name, Page, Ulid
from api.pages import MOST_COUNTED, Newest, Pseudonym, decode_number, encode, paged_from, refuse_reversed
from api.straight import StraightRoute
from controller.errors import Invalid
from controller.export.forms import Form, render
from controller.model import EventAction
from controller.store import AlertQuery, CutQuery, EventQuery
from core.ids import DeviceName, SiteName


class Document(StrEnum):
    """The forms that are JSON."""

    JSON = "json"
    ECS = "ecs"
    OCSF = "ocsf"


_LIST: Final = "journal"
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
    pseudonym: Pseudonym = None,
) -> Page[Event]:
    refuse_reversed(since, until)
    wanted = EventQuery(
        site=site,
        device=device,
        action=action,
        exception=exception,
        role=role,
        pseudonym=pseudonym,
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


@router.get("/journal", summary="Events and episodes as they are recorded, from a place on")
def follow_journal(
    controller: Ctl,
    caller: Reader,
    since: Annotated[
        str | None,
        Query(max_length=100, description="`next` of the call before; `now`: from here on; without it: everything"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
    form: Annotated[Document, Query(description="of the records, as exports have them")] = Document.JSON,
) -> Followed:
    """To be followed without gaps or repetitions, however many write meanwhile: in the order of recording, not of time,
    so that a window which a slow device proves late is not missed. An episode that grows comes again, with a later
    `seq`."""
    desk = controller.exports
    if since == "now":
        return Followed(records=(), next=encode(str(desk.head()), of=_LIST), more=False, missing=0)
    try:
        place = decode_number(since, of=_LIST) or 0
    except Invalid as exc:
        raise Invalid("since: no place in the journal", hint="`next` as it was given, `now`, or leave it out") from exc
    found = desk.follow(place, limit=limit)
    return Followed(
        records=tuple(json.loads(render(Form(form), one.record, desk.origin)) for one in found.recorded),
        next=encode(str(found.until), of=_LIST),
        more=not found.is_all,
        missing=found.missing,
    )


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
