"""What evidence came to, in a browser: episodes by site, kind, end and text, and each with what it rests on."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web.pages import PageRoute, page
from api.web.shown import zone_of
from controller.errors import Invalid
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.service import Controller
from controller.store import EpisodeQuery
from core.errors import TokgateError

router = APIRouter(prefix="/episodes", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 100
KINDS: Final = {
    EpisodeKind.USE: ("use", "warn"),
    EpisodeKind.CONTACT: ("contact, no use", ""),
    EpisodeKind.HITS: ("attempts, by nobody known", ""),
    EpisodeKind.INSTALLED: ("app installed", "warn"),
    EpisodeKind.FIRST_USE: ("first use at the site", "warn"),
    EpisodeKind.SPIKE: ("more than usual", "warn"),
    EpisodeKind.EVASION: ("evasion", "bad"),
    EpisodeKind.DORMANT: ("installed, never seen", ""),
    EpisodeKind.LEAK: ("leak", "bad"),
    EpisodeKind.OUTSIDE_HOURS: ("exception outside its hours", "warn"),
}
ENDS: Final = {
    EpisodeAction.BLOCKED: "blocked",
    EpisodeAction.MONITORED: "only watched",
    EpisodeAction.EXCEPTED: "let through by exception",
    EpisodeAction.NOT_ENFORCED: "passed: not enforced",
    EpisodeAction.UNKNOWN: "unknown",
}
T = TypeVar("T", EpisodeKind, EpisodeAction)
Word = Annotated[str, Query(max_length=64)]


@router.get("")
def list_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    site: Word = "",
    kind: Word = "",
    end: Word = "",
    q: Annotated[str, Query(max_length=100)] = "",
    cursor: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """The newest first, so many at a time."""
    asked = {"site": site, "kind": kind, "end": end, "q": q}
    error, found, after = None, tuple[Episode, ...](), None
    try:
        wanted = _wanted(controller, asked, cursor)
        listed = controller.evidence.find(wanted)
        found, after = listed.items, listed.next_cursor
    except TokgateError as exc:
        error = exc
    given = {name: value for name, value in asked.items() if value}
    return page(
        request,
        controller,
        "episodes.html",
        error=error,
        episodes=[(e, zone_of(controller, [e.site])) for e in found],
        older=urlencode({**given, "cursor": after}) if after else "",
        newest=urlencode(given) if cursor else None,
        sites=list(controller.inventory.sites),
        asked=asked,
        **_words(),
    )


@router.get("/{number}")
def detail_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    episode = controller.evidence.one(number)
    return page(request, controller, "episode.html", e=episode, zone=zone_of(controller, [episode.site]), **_words())


def _words() -> dict[str, Any]:
    return {"kinds": KINDS, "ends": ENDS}


def _wanted(controller: Controller, asked: dict[str, str], cursor: str) -> EpisodeQuery:
    """Raises ``Invalid``, ``NotFound``."""
    if asked["site"]:
        controller.inventory.site(asked["site"])
    kind = _one_of(EpisodeKind, asked["kind"], "kind")
    return EpisodeQuery(
        site=asked["site"] or None,
        kinds=frozenset({kind}) if kind else None,
        action=_one_of(EpisodeAction, asked["end"], "end"),
        text=asked["q"] or None,
        cursor=cursor or None,
        limit=SHOWN,
    )


def _one_of(known: type[T], text: str, field: str) -> T | None:
    if not text:
        return None
    try:
        return known(text)
    except ValueError as exc:
        raise Invalid(f"{field}: there is no {text!r}", hint=f"it is one of {', '.join(known)}") from exc
