"""Exceptions in a browser: see, ask with a live preview, decide, renew, give seats, end. Decides nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.routes.exceptions import refuse_strangers
from api.sessions import PageApprover, PageCtl, PageReader, PageRequester, PageRevoker
from api.web.pages import STATES, PageRoute, field_time, local_time, page, sentence
from api.web.templating import render
from controller.access_roles import may_be_one_person
from controller.errors import Invalid
from controller.exceptions import MAX_SOURCES, ExceptionRequest, sources_in_words, surfaces_of
from controller.model import AccessException, ExceptionState, Scope
from controller.service import Controller
from core.errors import TokgateError
from core.ids import SiteName
from ipsets.spans import words

router = APIRouter(prefix="/exceptions", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 200
"""Exceptions on one page; the filters narrow down what is more."""
LASTS: Final = {"2h": "2 hours", "8h": "8 hours", "24h": "1 day", "168h": "1 week", "720h": "30 days"}
_TEXTS: Final = ("service", "surface", "code", "reason", "owner", "ticket", "starts", "ends", "lasts", "hours", "lead")
Text = Annotated[str, Form(max_length=2000)]


# --- the list -------------------------------------------------------------------------------------------------------


@router.get("")
def list_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    state: Annotated[str, Query(max_length=20)] = "",
    site: Annotated[str, Query(max_length=64)] = "",
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    now = controller.clock.now()
    wanted = ExceptionState(state) if state in {s.value for s in ExceptionState} else None
    found = controller.exceptions.find(state=wanted, site=site or None, live=True if state == "live" else None)
    shown = [e for e in reversed(found) if q.casefold() in _searched(e)]
    return page(
        request,
        controller,
        "exceptions.html",
        exceptions=[Shown.of(controller, e, now) for e in shown[:SHOWN]],
        more=max(0, len(shown) - SHOWN),
        states=STATES,
        sites=list(controller.inventory.sites),
        asked={"state": state, "site": site, "q": q},
    )


def _searched(exception: AccessException) -> str:
    said = (exception.id, exception.owner, exception.ticket, exception.reason, exception.requested_by, exception.code)
    return " ".join((*said, *sources_in_words(exception), *exception.sites)).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An exception with what a page says of it."""

    it: AccessException
    state: str
    tone: str
    zone: str
    sources: tuple[str, ...]
    is_live: bool

    @classmethod
    def of(cls, controller: Controller, exception: AccessException, now: datetime) -> Shown:
        state, tone = STATES[exception.state]
        live = exception.is_live(now)
        if live:
            state, tone = "live", "good" if set(exception.devices) <= set(exception.live_on) else "warn"
        elif exception.state is ExceptionState.APPROVED and now < exception.starts:
            state = "approved, begins later"
        elif exception.state is ExceptionState.APPROVED:
            state, tone = "over", ""
        return cls(
            it=exception,
            state=state,
            tone=tone,
            zone=zone_of(controller, exception.sites),
            sources=sources_in_words(exception),
            is_live=live,
        )


def zone_of(controller: Controller, sites: tuple[str, ...] | list[str]) -> str:
    """The zone of the first of these sites that is known."""
    known = controller.inventory.sites
    return next((known[SiteName(site)].time_zone for site in sites if SiteName(site) in known), "UTC")


# --- asking ---------------------------------------------------------------------------------------------------------


@router.get("/new")
def request_page(request: Request, controller: PageCtl, caller: PageRequester) -> Response:
    """The form; what stands in the address is filled in, as a page that knows the client's address does."""
    given = {name: request.query_params.get(name, "")[:500] for name in (*_TEXTS, "sources", "seats")}
    chosen = [site for site in request.query_params.getlist("sites") if site in controller.inventory.sites]
    if not chosen and len(controller.inventory.sites) == 1:
        chosen = list(controller.inventory.sites)
    given["owner"] = given["owner"] or caller.person or ""
    given["lasts"] = given["lasts"] or "8h"
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
def send(request: Request, controller: PageCtl, caller: PageRequester, form: Filled) -> Response:
    """Sends the request, keeps it as a draft, or only shows what it would open: the button says which."""
    given, chosen = _given(form)
    act = form.get("act")
    if act not in ("send", "draft"):
        return _form_page(request, controller, given, chosen, looked=True)
    try:
        made = controller.exceptions.request(
            _request(controller, given, chosen), actor=caller.actor, draft=act == "draft"
        )
    except TokgateError as exc:
        return _form_page(request, controller, given, chosen, error=exc)
    return _to(made.id, "drafted" if act == "draft" else "requested")


def _given(form: FormData) -> tuple[dict[str, str], list[str]]:
    """The texts of the form, and the sites that were chosen."""
    given = {name: str(form.get(name) or "")[:2000] for name in (*_TEXTS, "sources", "seats")}
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
    seats = given.get("seats", "").strip()
    if seats and not seats.isdecimal():
        raise Invalid("seats: a number")
    return ExceptionRequest(
        sites=tuple(sites),
        sources=_lines(given["sources"]),
        service=given["service"],
        starts=starts,
        ends=ends,
        reason=given["reason"],
        owner=given["owner"],
        ticket=given["ticket"],
        code=given["code"],
        surface=given["surface"],
        hours=_lines(given["hours"]),
        seats=int(seats) if seats else None,
        lead=given["lead"],
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _previewed(controller: Controller, given: dict[str, str], sites: list[str]) -> tuple[Any, str]:
    """What would open, or why that cannot be said yet; reasons and owners are not needed for it."""
    filled = {
        **given,
        "reason": given["reason"] or "–",
        "owner": given["owner"] or "–",
        "ticket": given["ticket"] or "–",
    }
    try:
        return controller.exceptions.preview(_request(controller, filled, sites)), ""
    except TokgateError as exc:
        return None, sentence(exc.message)


def _form_page(
    request: Request,
    controller: Controller,
    given: dict[str, str],
    chosen: list[str],
    *,
    error: TokgateError | None = None,
    looked: bool = False,
) -> Response:
    services = sorted({s for policy in controller.inventory.policies.values() for s in policy.services})
    given = {**given, "service": given.get("service") or (services[0] if services else "")}
    field = error.message.partition(":")[0] if error else ""
    asked = bool(chosen and given["sources"])
    seen, trouble = _previewed(controller, given, chosen) if looked or asked else (None, "")
    return page(
        request,
        controller,
        "request.html",
        error=error,
        given=given,
        chosen=chosen,
        sites=controller.inventory.sites.values(),
        services=services,
        surfaces=sorted({s for service in services for s in surfaces_of(controller.inventory, service)}),
        reasons=controller.inventory.exceptions.reasons,
        lasts=LASTS,
        field=field,
        max_sources=MAX_SOURCES,
        preview={"seen": seen, "trouble": trouble},
    )


# --- one exception --------------------------------------------------------------------------------------------------


@router.get("/{number}")
def detail_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    return _detail(request, controller, caller, number)


def _detail(
    request: Request, controller: Controller, caller: Caller, number: str, *, error: TokgateError | None = None
) -> Response:
    exception = controller.exceptions.get(number)
    now = controller.clock.now()
    shown = Shown.of(controller, exception, now)
    waits = exception.state is ExceptionState.REQUESTED
    is_open = waits or exception.state in (ExceptionState.DRAFT, ExceptionState.APPROVED)
    may_decide = caller.allows(Scope.APPROVE) and waits and exception.ends > now
    own = any(may_be_one_person(caller.actor, other) for other in (exception.requested_by, exception.lead))
    return page(
        request,
        controller,
        "exception.html",
        error=error,
        shown=shown,
        e=exception,
        rule=controller.inventory.exceptions.reasons.get(exception.code),
        life=_life(controller, exception, now),
        devices=_devices(controller, exception),
        use=controller.exceptions.use(number),
        history=controller.exceptions.history(number)[1:],
        preview=controller.exceptions.preview_of(number) if may_decide else None,
        may={
            "decide": may_decide and not own,
            "submit": exception.state is ExceptionState.DRAFT and own,
            "revoke": is_open and exception.ends > now and (caller.allows(Scope.APPROVE) or own),
            "renew": caller.allows(Scope.REQUEST)
            and exception.declared is None
            and exception.state in (ExceptionState.APPROVED, ExceptionState.ENDED, ExceptionState.IDLE),
            "seat": exception.seats is not None and is_open and (caller.allows(Scope.APPROVE) or own),
        },
        own=own and waits,
        renew_to=field_time(max(now, exception.ends) + (exception.ends - exception.starts), shown.zone),
    )


@router.get("/{number}/live")
def live_part(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    """Where it was read back; htmx asks every few seconds."""
    exception = controller.exceptions.get(number)
    shown = Shown.of(controller, exception, controller.clock.now())
    return render(
        request,
        "live.html",
        shown=shown,
        e=exception,
        devices=_devices(controller, exception),
        use=controller.exceptions.use(number),
    )


def _devices(controller: Controller, exception: AccessException) -> list[tuple[str, bool, datetime | None, str]]:
    """(name, whether it was read back there, when it was looked at, what is wrong) for each device of its sites."""
    statuses = {view.name: view.status for view in controller.devices()}
    found = []
    for name in exception.devices:
        status = statuses.get(name)
        seen, error = (status.last_seen_at, status.error or "") if status is not None else (None, "never looked at")
        found.append((str(name), name in exception.live_on, seen, error))
    return found


def _life(controller: Controller, e: AccessException, now: datetime) -> list[tuple[datetime, str]]:
    """What has become of it, in order, and what comes."""
    found = [(e.requested_at, f"{'Written' if e.state is ExceptionState.DRAFT else 'Asked for'} by {e.requested_by}")]
    found += [(a.at, f"Agreed to by {a.actor}") for a in e.approvals]
    if e.decided_at is not None and e.state is not ExceptionState.DENIED:
        found.append((e.decided_at, "Approved"))
    if e.state is ExceptionState.DENIED and e.decided_at is not None:
        found.append((e.decided_at, f"Denied by {e.decided_by}"))
    if e.state is ExceptionState.APPROVED or e.ended_at is not None:
        begin = max(e.starts, e.decided_at or e.starts)
        found.append((begin, "Begins" if now < begin else "Began"))
    if e.reminded_at is not None:
        found.append((e.reminded_at, "Its end was reminded of"))
    if e.ended_at is not None and e.state is not ExceptionState.DENIED:
        found.append((e.ended_at, STATES[e.state][0].capitalize()))
    elif e.state in (ExceptionState.APPROVED, ExceptionState.REQUESTED, ExceptionState.DRAFT):
        found.append((e.ends, f"Ends by itself, in {words(e.ends - now)}" if now < e.ends else "Its time is over"))
    return sorted(found, key=lambda pair: pair[0])


# --- deciding -------------------------------------------------------------------------------------------------------


def _to(number: str, done: str) -> Response:
    return RedirectResponse(f"/exceptions/{number}?done={done}", status_code=303)


@router.post("/{number}/approve")
def approve(
    request: Request,
    controller: PageCtl,
    caller: PageApprover,
    number: str,
    preview: Text = "",
    reason: Text = "",
) -> Response:
    """Of exactly what the page showed: ``preview`` is its digest."""
    try:
        if not preview:
            raise Invalid("preview: the page has to say what was approved")
        done = controller.exceptions.approve(number, actor=caller.actor, preview=preview, reason=reason)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "approved" if done.state is ExceptionState.APPROVED else "noted")


@router.post("/{number}/deny")
def deny(request: Request, controller: PageCtl, caller: PageApprover, number: str, reason: Text = "") -> Response:
    try:
        if not reason.strip():
            raise Invalid("reason: say why, for whoever asked")
        controller.exceptions.deny(number, actor=caller.actor, reason=reason)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "denied")


@router.post("/{number}/revoke")
def revoke(request: Request, controller: PageCtl, caller: PageRevoker, number: str, reason: Text = "") -> Response:
    try:
        if not reason.strip():
            raise Invalid("reason: say why it ends")
        refuse_strangers(controller.exceptions.get(number), caller)
        controller.exceptions.revoke(number, actor=caller.actor, reason=reason)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "revoked")


@router.post("/{number}/submit")
def submit(request: Request, controller: PageCtl, caller: PageRequester, number: str) -> Response:
    try:
        controller.exceptions.submit(number, actor=caller.actor)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "submitted")


@router.post("/{number}/renew")
def renew(
    request: Request, controller: PageCtl, caller: PageRequester, number: str, ends: Text = "", reason: Text = ""
) -> Response:
    try:
        zone = zone_of(controller, controller.exceptions.get(number).sites)
        made = controller.exceptions.renew(
            number, ends=local_time(ends, zone, "ends"), actor=caller.actor, reason=reason.strip()
        )
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(made.id, "renewed")


@router.post("/{number}/seats")
def seats(request: Request, controller: PageCtl, caller: PageRevoker, number: str, sources: Text = "") -> Response:
    try:
        may_all = caller.allows(Scope.APPROVE)
        controller.exceptions.seat(number, _lines(sources), actor=caller.actor, may_all=may_all)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "seated")
