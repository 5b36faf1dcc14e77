"""Episodes: what evidence of all kinds came to, filtered and in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.auth import Ctl, Reader
from api.episode_models import Episode
from api.hours_of_week import Weekday, hours_of_week
from api.models import Instant, Name, Page, Ulid
from api.pages import MOST_COUNTED, Newest, Pseudonym, Word, refuse_reversed
from api.reference import answers
from controller.evidence.model import EpisodeAction, EpisodeKind
from controller.service import Controller
from controller.store import EpisodeQuery
from core.ids import SiteName
from core.net import Address

router = APIRouter(prefix="/episodes", tags=["episodes"])
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=60)]
App = Annotated[str, StringConstraints(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


@router.get("", summary="Episodes, the newest first")
def list_episodes(
    controller: Ctl,
    caller: Reader,
    ask: Newest,
    site: Annotated[Name | None, Query(description="only of this site")] = None,
    device: Annotated[Name | None, Query(description="only what this device saw")] = None,
    kind: Annotated[EpisodeKind | None, Query(description="only of this kind")] = None,
    action: Annotated[EpisodeAction | None, Query(description="only what became this")] = None,
    source: Annotated[Address | None, Query(description="only of this address", examples=["10.20.3.41"])] = None,
    host: Annotated[Word | None, Query(description="only of the machine of this name")] = None,
    user: Annotated[Word | None, Query(description="only of this user")] = None,
    pseudonym: Pseudonym = None,
    role: Annotated[Name | None, Query(description="only of this source role")] = None,
    app: Annotated[App | None, Query(description="only of this app", examples=["tiktok"])] = None,
    surface: Annotated[Word | None, Query(description="only of this part of the app", examples=["web"])] = None,
    destination: Annotated[
        Word | None, Query(description="only what went there: an address or a name", examples=["103.136.220.9"])
    ] = None,
    exception: Annotated[Ulid | None, Query(description="only what this exception covers")] = None,
    confidence: Annotated[int, Query(ge=0, le=100, description="at least so sure")] = 0,
    since: Annotated[Instant | None, Query(description="those that end after this")] = None,
    until: Annotated[Instant | None, Query(description="those that start before this")] = None,
    weekday: Annotated[Weekday | None, Query(description="only what was there on this day of the week")] = None,
    hour: Annotated[int | None, Query(ge=0, le=23, description="only what was there in this hour of the day")] = None,
    zone: Annotated[
        ZoneName | None, Query(description="whose clock `weekday` and `hour` are of: the site's, else UTC")
    ] = None,
) -> Page[Episode]:
    """What was seen of who used what, and what became of it. Kinds that follow from others (a leak, evasion …) are
    episodes beside those."""
    refuse_reversed(since, until)
    wanted = EpisodeQuery(
        site=site,
        device=device,
        kinds=None if kind is None else frozenset({kind}),
        action=action,
        source=None if source is None else str(source),
        host=host,
        user=user,
        pseudonym=pseudonym,
        role=role,
        app=app,
        surface=surface,
        destination=destination,
        exception=exception,
        confidence=confidence,
        since=since,
        until=until,
        hours=hours_of_week(
            weekday, hour, zone=zone or _zone_of(controller, site), since=since, until=until, now=controller.clock.now()
        ),
        text=ask.q,
        oldest_first=not ask.is_descending,
        cursor=ask.cursor,
        limit=ask.limit,
    )
    page = controller.evidence.find(wanted)
    count = controller.evidence.count(wanted, most=MOST_COUNTED) if ask.count else None
    return Page(items=tuple(Episode.of(e) for e in page.items), next_cursor=page.next_cursor, count=count)


def _zone_of(controller: Controller, site: str | None) -> str:
    known = controller.inventory.sites.get(SiteName(site)) if site else None
    return known.time_zone if known is not None else "UTC"


@router.get("/{id}", summary="One episode", responses=answers(404))
def get_episode(controller: Ctl, caller: Reader, id: Ulid) -> Episode:
    return Episode.of(controller.evidence.one(id))
