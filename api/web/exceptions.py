"""Exceptions in a browser: see, decide, renew, give seats, end. Decides nothing itself; ``asking`` asks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.pages import decode, encode
from api.routes.exceptions import refuse_strangers
from api.sessions import PageApprover, PageCtl, PageReader, PageRequester, PageRevoker
from api.web.asking import Seen, lines_of
from api.web.fields import about
from api.web.filtering import Cursor, Pager, here
from api.web.once import OnceOf
from api.web.pages import PageRoute, field_time, local_time, page
from api.web.shown import Shown, zone_of
from api.web.templating import render
from api.web.wording import STATES, who
from controller.access_roles import may_be_one_person
from controller.errors import Invalid
from controller.exception_desk import Wanted
from controller.model import AccessException, ExceptionState, Scope, Window
from controller.service import Controller
from core.errors import TokgateError
from core.ids import new_id
from ipsets.spans import words

router = APIRouter(prefix="/exceptions", include_in_schema=False, route_class=PageRoute)

SHOWN: Final = 100
"""Exceptions on one page; the next has those before them."""
LIVE: Final = "live"
"""Among the states that one can ask for: approved, and in force now."""
_LIST: Final = "exceptions"
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
    cursor: Cursor = "",
) -> Response:
    """The newest first, so many at a time."""
    now, asked = controller.clock.now(), {"state": state, "site": site, "q": q}
    error: TokgateError | None = None
    found: list[AccessException] = []
    try:
        listed = _listed(controller, state, site, q, after=decode(cursor or None, of=_LIST))
        found = list(islice(listed, SHOWN + 1))
    except TokgateError as exc:
        error = exc
    older = encode(found[SHOWN - 1].id, of=_LIST) if len(found) > SHOWN else None
    return page(
        request,
        controller,
        "exceptions.html",
        error=error,
        exceptions=[Shown.of(controller, e, now) for e in found[:SHOWN]],
        pager=Pager.of(asked, cursor=cursor, after=older),
        states=STATES,
        sites=list(controller.inventory.sites),
        asked=asked,
        request_path=here(request),
    )


def _listed(
    controller: Controller, state: str, site: str, text: str, *, after: str | None
) -> Iterator[AccessException]:
    """Those that a person asked for, behind the one named. Raises ``Invalid``, ``NotFound``."""
    if state and state not in (LIVE, *ExceptionState):
        known = ", ".join((LIVE, *ExceptionState))
        raise Invalid(f"state: an exception is never {state!r}", hint=f"it is one of {known}")
    if site:
        controller.inventory.site(site)
    wanted = Wanted(
        state=ExceptionState(state) if state not in ("", LIVE) else None,
        site=site or None,
        live=True if state == LIVE else None,
        text=text or None,
    )
    return controller.exceptions.listed(wanted, after, newest_first=True, first=SHOWN + 1)


# --- one exception --------------------------------------------------------------------------------------------------


@router.get("/{number}")
def detail_page(request: Request, controller: PageCtl, caller: PageReader, number: str) -> Response:
    return _detail(request, controller, caller, number)


def _detail(
    request: Request,
    controller: Controller,
    caller: Caller,
    number: str,
    *,
    error: TokgateError | None = None,
    form: str = "",
    **typed: str,
) -> Response:
    """``typed``: what stood in the ``form`` that was refused, by the name of its field on the page."""
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
        rule=controller.inventory.exceptions.reasons.get(exception.code),
        life=_life(controller, exception, now),
        history=controller.exceptions.history(number)[1:],
        preview=_seen(controller, exception, shown.zone) if may_decide else None,
        may={
            "decide": may_decide and not own,
            "submit": exception.state is ExceptionState.DRAFT and own,
            "revoke": is_open and exception.ends > now and (own or (caller.allows(Scope.APPROVE) and not may_decide)),
            "renew": caller.allows(Scope.REQUEST)
            and exception.declared is None
            and exception.state in (ExceptionState.APPROVED, ExceptionState.ENDED, ExceptionState.IDLE),
            "seat": exception.seats is not None and is_open and (caller.allows(Scope.APPROVE) or own),
        },
        own=own and waits,
        news=_news_of(exception) if waits else "",
        once=new_id(),
        states=STATES,
        typed=dict.fromkeys(("approve_reason", "deny_reason", "revoke_reason", "renew_reason"), "")
        | {
            "renew_ends": field_time(max(now, exception.ends) + (exception.ends - exception.starts), shown.zone),
            "seats": "\n".join(map(str, exception.sources)),
        }
        | typed,
        **_live(controller, exception, shown),
        **about(error, _FIELDS.get(form, {})),
    )


_FIELDS: Final = {
    "approve": {"reason": ("approve-reason", "A word with it")},
    "deny": {"reason": ("deny-reason", "Why not")},
    "revoke": {"reason": ("revoke-reason", "Why")},
    "renew": {"ends": ("renew-ends", "Until"), "reason": ("renew-reason", "Why")},
    "seats": {"sources": ("seat-sources", "Addresses")},
}
"""What each form of the page calls its fields."""


def _seen(controller: Controller, exception: AccessException, zone: str) -> Seen:
    return Seen.of(controller.exceptions.preview_of(exception.id), Window(exception.starts, exception.ends), zone)


@router.get("/{number}/live")
def live_part(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    number: str,
    seen: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Where it was read back; htmx asks every few seconds. ``seen``: what the page shows; nothing is sent for that."""
    exception = controller.exceptions.get(number)
    known = _live(controller, exception, Shown.of(controller, exception, controller.clock.now()))
    if seen == known["seen"]:
        return Response(status_code=204)
    said, _, _ = seen.partition("-")
    aloud = said != known["seen"].partition("-")[0]
    return render(request, "live.html", **known | {"aloud": aloud})


@router.get("/{number}/news")
def news_part(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    number: str,
    seen: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """That somebody decided meanwhile, for a page that waits; what is being typed there stays."""
    exception = controller.exceptions.get(number)
    if seen == _news_of(exception):
        return Response(status_code=204)
    return render(request, "news.html", e=exception, said=STATES[exception.state][0])


def _news_of(exception: AccessException) -> str:
    """Names what a page that waits for decisions shows of them."""
    return f"{exception.state.value}-{len(exception.approvals)}"


def _live(controller: Controller, exception: AccessException, shown: Shown) -> dict[str, Any]:
    """What stands under *On the devices*. ``seen`` names it: first what is said aloud as it changes, then the rest."""
    devices, use = _devices(controller, exception), controller.exceptions.use(exception.id)
    held = sum(holds for _, holds, _, _ in devices)
    is_over = exception.ended_at is not None and exception.decided_by is not None
    count = f"{len(devices) - held if is_over else held}/{len(devices)} devices"
    said = f"{'Removed from' if is_over else 'Live on'} {count}"
    watched = shown.is_live or held > 0
    names = "-".join(hashlib.sha256(repr(part).encode()).hexdigest()[:16] for part in (said, (devices, use, watched)))
    return {
        "e": exception,
        "shown": shown,
        "devices": devices,
        "use": use,
        "said": said,
        "seen": names,
        "watched": watched,
        "aloud": False,
    }


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
    found = [
        (e.requested_at, f"{'Written' if e.state is ExceptionState.DRAFT else 'Asked for'} by {who(e.requested_by)}")
    ]
    found += [(a.at, f"Agreed to by {who(a.actor)}") for a in e.approvals]
    if e.decided_at is not None and e.state is not ExceptionState.DENIED:
        found.append((e.decided_at, "Approved"))
    if e.state is ExceptionState.DENIED and e.decided_at is not None:
        found.append((e.decided_at, f"Denied by {who(e.decided_by or '')}"))
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
    once: OnceOf,
    number: str,
    preview: Text = "",
    reason: Text = "",
) -> Response:
    """Of exactly what the page showed: ``preview`` is its digest."""
    try:
        if not preview:
            raise Invalid("preview: the page has to say what was approved")
        done = once(
            caller,
            lambda: (
                controller.exceptions.approve(number, actor=caller.actor, preview=preview, reason=reason).state.value
            ),
        )
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc, form="approve", approve_reason=reason)
    return _to(number, "approved" if done == ExceptionState.APPROVED else "noted")


@router.post("/{number}/deny")
def deny(
    request: Request, controller: PageCtl, caller: PageApprover, once: OnceOf, number: str, reason: Text = ""
) -> Response:
    try:
        if not reason.strip():
            raise Invalid("reason: say why, for whoever asked")
        once(caller, lambda: controller.exceptions.deny(number, actor=caller.actor, reason=reason).id)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc, form="deny", deny_reason=reason)
    return _to(number, "denied")


@router.post("/{number}/revoke")
def revoke(
    request: Request, controller: PageCtl, caller: PageRevoker, once: OnceOf, number: str, reason: Text = ""
) -> Response:
    try:
        if not reason.strip():
            raise Invalid("reason: say why it ends")
        refuse_strangers(controller.exceptions.get(number), caller)
        once(caller, lambda: controller.exceptions.revoke(number, actor=caller.actor, reason=reason).id)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc, form="revoke", revoke_reason=reason)
    return _to(number, "revoked")


@router.post("/{number}/submit")
def submit(request: Request, controller: PageCtl, caller: PageRequester, once: OnceOf, number: str) -> Response:
    try:
        once(caller, lambda: controller.exceptions.submit(number, actor=caller.actor).id)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc)
    return _to(number, "submitted")


@router.post("/{number}/renew")
def renew(
    request: Request,
    controller: PageCtl,
    caller: PageRequester,
    once: OnceOf,
    number: str,
    ends: Text = "",
    reason: Text = "",
) -> Response:
    try:
        zone = zone_of(controller, controller.exceptions.get(number).sites)
        until, why = local_time(ends, zone, "ends"), reason.strip()
        made = once(caller, lambda: controller.exceptions.renew(number, ends=until, actor=caller.actor, reason=why).id)
    except TokgateError as exc:
        return _detail(
            request, controller, caller, number, error=exc, form="renew", renew_ends=ends, renew_reason=reason
        )
    return _to(made, "renewed")


@router.post("/{number}/seats")
def seats(request: Request, controller: PageCtl, caller: PageRevoker, number: str, sources: Text = "") -> Response:
    try:
        may_all = caller.allows(Scope.APPROVE)
        controller.exceptions.seat(number, lines_of(sources), actor=caller.actor, may_all=may_all)
    except TokgateError as exc:
        return _detail(request, controller, caller, number, error=exc, form="seats", seats=sources)
    return _to(number, "seated")
