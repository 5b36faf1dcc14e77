"""What evidence came to, in a browser: by whom, where, when and how sure, also as a table; each by its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.episode_models import Episode as Shown
from api.hours_of_week import Weekday, hours_of_week
from api.sessions import PageCtl, PageReader
from api.web.fields import about
from api.web.filtering import SPAN, Cursor, Pager, Word, between, here, one_of
from api.web.pages import PageRoute, page
from api.web.shown import zone_at, zone_of
from controller.errors import Invalid
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.model import EventAction, Window
from controller.privacy.alias import PSEUDONYM
from controller.reports.as_csv import line as csv_line
from controller.reports.as_html import WEEKDAYS
from controller.reports.linking import HOLDS, UNTOLD
from controller.reports.making import Totals
from controller.service import Controller
from controller.store import EpisodeQuery, Page
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
SURE: Final = {HOLDS: "not taken back", **{number: f"{number} %" for number in ("25", "50", "75", "90")}}
"""At least so sure, in percent, as the page offers it."""
COUNTERS: Final = {EpisodeAction(action.value): action for action in EventAction}
"""What counters tell apart too."""
MOST_ROWS: Final = 10_000
COLUMNS: Final = (
    "id", "kind", "site", "start", "end", "action", "confidence", "device", "source", "host", "user", "role",
    "indicator", "app", "surface", "exception", "destinations", "count", "packets", "bytes", "grounds",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form was filled in with."""

    site: Word = ""
    device: Word = ""
    source: Word = ""
    to: Annotated[str, Query(max_length=253)] = ""
    app: Word = ""
    surface: Word = ""
    kind: Word = ""
    end: Word = ""
    sure: Word = ""
    since: Word = ""
    until: Word = ""
    weekday: Word = ""
    hour: Word = ""
    q: Annotated[str, Query(max_length=100)] = ""

    @property
    def given(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


Filled = Annotated[Asked, Depends()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many there are, and what firewalls counted of the same. ``later``: so many of them went on after that time,
    and belong to the report of a later one."""

    events: int
    later: int
    firewalls: tuple[tuple[str, Totals], ...]  # what became of it, in words; none where counters do not tell it
    noted_of: str = ""  # the client or destination that they noted packets of

    @property
    def attempts(self) -> int | None:
        """All of them; None where some are unknown."""
        known = [totals.hits for _, totals in self.firewalls if totals.hits is not None]
        return sum(known) if len(known) == len(self.firewalls) else None

    @classmethod
    def of(cls, controller: Controller, wanted: EpisodeQuery, asked: Asked) -> Counted:
        later = replace(wanted, since=wanted.until) if wanted.until is not None else None
        return cls(
            events=controller.evidence.count(wanted, most=MOST_ROWS + 1),
            later=controller.evidence.count(later, most=MOST_ROWS + 1) if later is not None else 0,
            firewalls=tuple(_firewalls(controller, wanted)),
            noted_of=wanted.source or wanted.destination or "",
        )


def _firewalls(controller: Controller, wanted: EpisodeQuery) -> Iterator[tuple[str, Totals]]:
    """Where a report has such a figure: of a site and a time, and of one more thing at most."""
    now, narrow = controller.clock.now(), (wanted.device, wanted.source, wanted.destination, wanted.hours)
    other = (wanted.kinds, wanted.confidence, wanted.app, wanted.surface, wanted.pseudonym, wanted.text)
    if wanted.site is None or wanted.since is None or wanted.since >= (until := wanted.until or now):
        return
    if any(other) or sum(one is not None for one in narrow) > 1 or wanted.action not in (None, *COUNTERS):
        return
    figures = controller.reports.narrowed(
        wanted.site,
        Window(wanted.since, until),
        device=wanted.device,
        client=wanted.source,
        destination=wanted.destination,
        weekday=None if wanted.hours is None else wanted.hours.weekday,
        hour=None if wanted.hours is None else wanted.hours.hour,
    )
    for said, action in COUNTERS.items():
        if wanted.action in (None, said):
            yield ENDS[said], figures[action]


_FIELDS: Final = SPAN | {
    "source": ("source", "Address"),
    "sure": ("sure", "At least so sure"),
    "weekday": ("weekday", "Weekday"),
    "hour": ("hour", "Hour"),
}


@router.get("")
def list_page(
    request: Request, controller: PageCtl, caller: PageReader, asked: Filled, cursor: Cursor = ""
) -> Response:
    """The newest first, so many at a time."""
    error, found, after, api = None, tuple[Episode, ...](), None, ""
    zone = zone_at(controller, asked.site)
    counted: Counted | None = None
    try:
        wanted = _wanted(controller, asked, zone)
        listed = controller.evidence.find(replace(wanted, cursor=cursor or None, limit=SHOWN))
        found, after, api = listed.items, listed.next_cursor, _of_the_api(wanted, asked, zone)
        counted = Counted.of(controller, wanted, asked) if found or asked.given else None
    except TokgateError as exc:
        error = exc
    return page(
        request,
        controller,
        "episodes.html",
        error=error,
        **about(error, _FIELDS),
        episodes=[(e, zone_of(controller, [e.site])) for e in found],
        pager=Pager.of(asked.given, cursor=cursor, after=after),
        counted=counted,
        api=api,
        csv=urlencode(asked.given),
        sites=list(controller.inventory.sites),
        asked=asked,
        request_path=here(request),
        sure=SURE,
        most=MOST_ROWS,
        weekdays=dict(zip(Weekday, WEEKDAYS, strict=True)),
        zone=zone,
        **_words(),
    )


@router.get("/csv")
def table(request: Request, controller: PageCtl, caller: PageReader, asked: Filled) -> Response:
    """The same for a spreadsheet, as far as ``MOST_ROWS``."""
    zone = zone_at(controller, asked.site)
    wanted = replace(_wanted(controller, asked, zone), limit=_AT_ONCE)
    first = controller.evidence.find(wanted)  # what is wrong is told before anything is sent
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return StreamingResponse(_lines(controller, wanted, first), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(controller: Controller, wanted: EpisodeQuery, page: Page[Episode]) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for _ in range(MOST_ROWS // _AT_ONCE):
        yield "".join(csv_line(_row(Shown.of(e))) for e in page.items)
        if page.next_cursor is None:
            return
        page = controller.evidence.find(replace(wanted, cursor=page.next_cursor))


def _row(e: Shown) -> list[object]:
    said = e.model_dump(mode="json")
    said |= {"destinations": " ".join(e.destinations), "grounds": "; ".join(ground.text for ground in e.grounds)}
    return [said[column] for column in COLUMNS]


_AT_ONCE: Final = 500


@router.get("/{number}")
def detail_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    episode = controller.evidence.one(number)
    return page(request, controller, "episode.html", e=episode, zone=zone_of(controller, [episode.site]), **_words())


def _words() -> dict[str, Any]:
    return {"kinds": KINDS, "ends": ENDS, "is_pseudonym": PSEUDONYM.fullmatch}


def _wanted(controller: Controller, asked: Asked, zone: str) -> EpisodeQuery:
    """Raises ``Invalid``, ``NotFound``."""
    if asked.site:
        controller.inventory.site(asked.site)
    kind = one_of(EpisodeKind, asked.kind, "kind")
    since, until = between(asked.since, asked.until, zone)
    if asked.sure and not (asked.sure.isdecimal() and int(asked.sure) <= 100):
        raise Invalid("sure: a number from 0 to 100")
    is_called = PSEUDONYM.fullmatch(asked.source.strip()) is not None
    return EpisodeQuery(
        site=asked.site or None,
        device=asked.device or None,
        source=None if is_called else _address(asked.source),
        pseudonym=asked.source.strip() if is_called else None,
        kinds=frozenset({kind}) if kind else None,
        action=one_of(EpisodeAction, asked.end, "end"),
        confidence=int(asked.sure or 0),
        since=since,
        until=until,
        hours=hours_of_week(
            one_of(Weekday, asked.weekday, "weekday"),
            _hour(asked.hour),
            zone=zone,
            since=since,
            until=until,
            now=controller.clock.now(),
        ),
        app=asked.app.strip() or None,
        surface="" if asked.surface == UNTOLD else asked.surface.strip() or None,
        destination=asked.to.strip() or None,
        text=asked.q or None,
    )


def _hour(text: str) -> int | None:
    """Raises ``Invalid``."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < 24):
        raise Invalid("hour: a number from 0 to 23")
    return int(text)


def _address(text: str) -> str | None:
    """As it is kept. Raises ``Invalid``."""
    if not text.strip():
        return None
    try:
        return str(ip_address(text.strip()))
    except ValueError as exc:
        raise Invalid(
            f"source: {text!r} is no address and no pseudonym",
            hint="for example 10.20.3.41, or client-k7m2p3xq4tza; a name is looked for as text",
        ) from exc


def _of_the_api(wanted: EpisodeQuery, asked: Asked, zone: str) -> str:
    """The same question to the API."""
    said = {
        "site": wanted.site,
        "device": wanted.device,
        "source": wanted.source,
        "pseudonym": wanted.pseudonym,
        "kind": next(iter(wanted.kinds), None) if wanted.kinds else None,
        "action": wanted.action,
        "confidence": wanted.confidence or None,
        "since": wanted.since and f"{wanted.since:%Y-%m-%dT%H:%M:%SZ}",
        "until": wanted.until and f"{wanted.until:%Y-%m-%dT%H:%M:%SZ}",
        "weekday": asked.weekday,
        "hour": asked.hour,
        "zone": zone if wanted.hours is not None else "",
        "app": wanted.app,
        "surface": asked.surface,
        "destination": wanted.destination,
        "q": wanted.text,
    }
    return urlencode({name: value for name, value in said.items() if value})
