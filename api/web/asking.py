"""Asking for an exception in a browser: the form, with what it would open said beside it, and sending it once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.sessions import PageCtl, PageRequester
from api.web.fields import about, linked
from api.web.once import OnceOf
from api.web.pages import PageRoute, local_time, page, wall_time
from api.web.shown import zone_of
from api.web.templating import render
from api.web.wording import moment
from controller.errors import Invalid
from controller.exceptions import MAX_SOURCES, ExceptionPreview, ExceptionRequest, surfaces_of
from controller.inventory.exception_rules import OTHER
from controller.model import Window
from controller.service import Controller
from controller.wall_clock import comes_twice, span_in_words, zone_word
from core.errors import TokgateError
from core.ids import new_id

router = APIRouter(prefix="/exceptions", include_in_schema=False, route_class=PageRoute)

LASTS: Final = {"2h": "2 hours", "8h": "8 hours", "24h": "1 day", "168h": "1 week", "720h": "30 days"}
LABELS: Final = {
    "sites": "Where",
    "sources": "Who may pass",
    "service": "To what",
    "surface": "Which part of it",
    "lasts": "For how long",
    "ends": "Until",
    "starts": "From",
    "code": "Kind of reason",
    "reason": "Why",
    "owner": "Who answers for it",
    "ticket": "Ticket",
    "hours": "Hours",
    "seats": "Seats",
    "lead": "Lead",
}
"""What the form calls its fields; all but the first are texts."""
FIELDS: Final = {name: (name, label) for name, label in LABELS.items()}
TEXTS: Final = tuple(name for name in LABELS if name != "sites")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a preview says to a person: the sentence by the clock of the place, and which of two hours is meant."""

    it: ExceptionPreview
    said: str
    conflicts: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, it: ExceptionPreview, life: Window, zone: str, notes: tuple[str, ...] = ()) -> Seen:
        """``life``: the times that the sentence names."""
        there = span_in_words(life.start, life.end, ZoneInfo(zone))
        said = it.sentence.replace(span_in_words(life.start, life.end), there)
        return cls(it=it, said=said, conflicts=tuple(_there(text, zone) for text in it.conflicts), notes=notes)


def _there(text: str, zone: str) -> str:
    """The same with the moments that it names in UTC by the clock of the place."""
    return _UTC.sub(lambda found: moment(datetime.fromisoformat(f"{found[1]}Z"), zone), text)


_UTC: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")


@router.get("/new")
def request_page(request: Request, controller: PageCtl, caller: PageRequester) -> Response:
    """The form; what stands in the address is filled in, as a page that knows the client's address does."""
    given = {name: request.query_params.get(name, "")[:500] for name in TEXTS}
    chosen = [site for site in request.query_params.getlist("sites") if site in controller.inventory.sites]
    if not chosen and len(controller.inventory.sites) == 1:
        chosen = list(controller.inventory.sites)
    given["owner"] = given["owner"] or caller.person or ""
    given["lasts"] = given["lasts"] or "8h"
    given["code"] = given["code"] or (OTHER if OTHER in controller.inventory.exceptions.reasons else "")
    return _form_page(request, controller, given, chosen)


async def _form(request: Request) -> FormData:
    return await request.form()


Filled = Annotated[FormData, Depends(_form)]


@router.post("/preview")
def preview_part(request: Request, controller: PageCtl, caller: PageRequester, form: Filled) -> Response:
    """The part of the form that says what would open; for htmx."""
    given, chosen = _given(form)
    seen, trouble = _previewed(controller, given, chosen)
    return render(request, "preview.html", seen=seen, trouble=trouble)


@router.post("/new")
def send(request: Request, controller: PageCtl, caller: PageRequester, once: OnceOf, form: Filled) -> Response:
    """Sends the request, keeps it as a draft, or only shows what it would open: the button says which."""
    given, chosen = _given(form)
    act = form.get("act")
    if act not in ("send", "draft"):
        return _form_page(request, controller, given, chosen, looked=True)

    def make() -> str:
        wanted = _request(controller, given, chosen)
        return controller.exceptions.request(wanted, actor=caller.actor, draft=act == "draft").id

    try:
        made = once(caller, make)
    except TokgateError as exc:
        return _form_page(request, controller, given, chosen, error=exc)
    done = "drafted" if act == "draft" else "requested"
    return RedirectResponse(f"/exceptions/{made}?done={done}", status_code=303)


def _given(form: FormData) -> tuple[dict[str, str], list[str]]:
    """The texts of the form, and the sites that were chosen."""
    given = {name: str(form.get(name) or "")[:2000] for name in TEXTS}
    return given, [str(site)[:64] for site in form.getlist("sites")][:1000]


def _request(controller: Controller, given: dict[str, str], sites: list[str]) -> ExceptionRequest:
    """Raises ``Invalid`` for what cannot be a request at all; the desk judges the rest."""
    zone, now = zone_of(controller, sites), controller.clock.now()
    starts = local_time(given["starts"], zone, "starts") if given["starts"].strip() else now
    if given["ends"].strip():
        ends = local_time(given["ends"], zone, "ends")
    elif given["lasts"] in LASTS:
        ends = starts + timedelta(hours=int(given["lasts"].removesuffix("h")))
    else:
        raise Invalid("ends: say until when")
    seats = given["seats"].strip()
    if seats and not seats.isdecimal():
        raise Invalid("seats: a number")
    return ExceptionRequest(
        sites=tuple(sites),
        sources=lines_of(given["sources"]),
        service=given["service"],
        starts=starts,
        ends=ends,
        reason=given["reason"],
        owner=given["owner"],
        ticket=given["ticket"],
        code=given["code"],
        surface=given["surface"],
        hours=lines_of(given["hours"]),
        seats=int(seats) if seats else None,
        lead=given["lead"],
    )


def lines_of(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _previewed(controller: Controller, given: dict[str, str], sites: list[str]) -> tuple[Seen | None, Markup]:
    """What would open, or why that cannot be said yet; reasons and owners are not needed for it."""
    filled = {**given, **{name: given[name] or "–" for name in ("reason", "owner", "ticket")}}
    try:
        wanted = _request(controller, filled, sites)
        seen = controller.exceptions.preview(wanted)
    except TokgateError as exc:
        return None, linked(exc, FIELDS)
    zone = zone_of(controller, sites)
    return Seen.of(seen, Window(wanted.starts, wanted.ends), zone, _which_hour(given, zone)), Markup("")


def _which_hour(given: dict[str, str], zone: str) -> tuple[str, ...]:
    """What to say of times that the clock shows twice."""
    there = ZoneInfo(zone)
    found = []
    for name in ("starts", "ends"):
        wall = wall_time(given[name], name) if given[name].strip() else None
        if wall is not None and comes_twice(wall, there):
            first = zone_word(wall.replace(tzinfo=there))
            found.append(f"{LABELS[name]}: {wall:%H:%M} comes twice that night; the first is meant ({first}).")
    return tuple(found)


def _form_page(
    request: Request,
    controller: Controller,
    given: dict[str, str],
    chosen: list[str],
    *,
    error: TokgateError | None = None,
    looked: bool = False,
) -> Response:
    services = [*dict.fromkeys(s for policy in controller.inventory.policies.values() for s in policy.services)]
    given = {**given, "service": given["service"] or (services[0] if services else "")}
    asked = bool(chosen and given["sources"])
    seen, trouble = _previewed(controller, given, chosen) if looked or asked else (None, Markup(""))
    return page(
        request,
        controller,
        "request.html",
        error=error,
        given=given,
        chosen=chosen,
        once=new_id(),
        sites=controller.inventory.sites.values(),
        services=services,
        surfaces=sorted({s for service in services for s in surfaces_of(controller.inventory, service)}),
        reasons=controller.inventory.exceptions.reasons,
        lasts=LASTS,
        max_sources=MAX_SOURCES,
        only_from=controller.inventory.exceptions.file if controller.inventory.exceptions.only_from_file else None,
        preview={"seen": seen, "trouble": trouble},
        **about(error, FIELDS),
    )
