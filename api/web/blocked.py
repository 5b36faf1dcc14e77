"""Why am I blocked? For whoever sits behind a firewall of ours, without signing in, from networks that a setting names.

It says what becomes of a flow from the caller's own address, and why by the policy: neither site nor device, rule,
list or exception. Who asks from elsewhere is sent to sign in, who asks often is told to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import GuessBrake, WholeCtl, address_of
from api.check_models import Check
from api.sessions import LOGIN, PageCtl, PageRequester
from api.web.pages import PageRoute, common
from api.web.templating import render
from api.web.wording import sentence
from controller.check_desk import Checked
from controller.checking import Verdict
from controller.errors import Invalid, NotFound
from controller.service import Controller
from core.errors import TokgateError

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH: Final = "/blocked"
BURST: Final = 20
REFILL_SECONDS: Final = 3.0
SAID: Final = {
    Verdict.BLOCKED: "is blocked for you",
    Verdict.MONITORED: "is not blocked for you; that it is used is counted",
    Verdict.ALLOWED: "is open to you for a while",
    Verdict.SPARED: "is not blocked here",
    Verdict.OFF: "is not blocked for you now",
    Verdict.UNLISTED: "is not blocked here",
    Verdict.STRANGER: "is not blocked here",
    Verdict.UNKNOWN: "may or may not be blocked: that is not known here",
}
Place = Annotated[str, Query(max_length=2000)]


def brake_for(controller: Controller) -> GuessBrake:
    """How often an address may ask."""
    return GuessBrake(controller.clock, burst=BURST, refill_seconds=REFILL_SECONDS, what="questions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that somebody learns of their own flow. ``why``: by the policy, where a window of it speaks of it."""

    dst: str
    said: str
    why: str
    until: datetime | None  # when the policy may change next
    at: datetime
    zone: str
    is_proven: bool  # of every firewall there, by what was last read back
    may_ask: bool  # an exception would change it

    @classmethod
    def of(cls, controller: Controller, found: Checked) -> Told:
        why = found.window.why if found.window and found.decided is not Verdict.ALLOWED else ""
        return cls(
            dst=found.explained.explanation.text,
            said=SAID[found.decided],
            why=_because(why, is_emergency=bool(found.policy.emergencies)) if why else "",
            until=found.policy.next_edge if found.window else None,
            at=found.at,
            zone=controller.inventory.site(found.site).time_zone,
            is_proven=found.verdict is found.decided,
            may_ask=found.decided in (Verdict.BLOCKED, Verdict.MONITORED),
        )


def _because(why: str, *, is_emergency: bool) -> str:
    """The reason of a policy, as somebody takes it who has never seen one."""
    if is_emergency:
        return "An emergency measure holds."
    name, is_window, hours = why.partition("window ")
    return f"The policy where you are says so: {hours}." if is_window and not name else _BY_DEFAULT


_BY_DEFAULT: Final = "The policy where you are says so for all hours that it does not name."


@router.get(PATH)
def blocked_page(request: Request, controller: WholeCtl, dst: Place = "") -> Response:
    """The answer for the address that asks. Raises ``TooManyAttempts``."""
    yours, place = own_address(request), place_of(dst)
    if not is_open_to(controller, yours):
        return RedirectResponse(f"{LOGIN}?{urlencode({'next': _with(place, '/why')})}", status_code=303)
    told, trouble = _told(request, controller, yours, place) if place else (None, "")
    return render(
        request,
        "blocked.html",
        **common(request) | {"trouble": trouble},
        dst=place,
        yours=yours,
        told=told,
        ask=_with(told.dst, f"{PATH}/request") if told and told.may_ask else "",
    )


@router.get(f"{PATH}/request")
def request_for_it(request: Request, controller: PageCtl, caller: PageRequester, dst: Place = "") -> Response:
    """On to a request that is filled in, for the address that asks. Who may not see the place gets an empty one."""
    asked = {"sources": own_address(request)}
    try:
        found = Check.of(controller.flows.check(asked["sources"], place_of(dst)))
    except TokgateError:
        pass
    else:
        asked |= {"sites": found.site} | ({"service": found.entry.service} if found.entry else {})
    return RedirectResponse(f"/exceptions/new?{urlencode(asked)}", status_code=303)


def is_open_to(controller: Controller, address: str) -> bool:
    """Whether a setting lets it ask without signing in."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in controller.settings.blocked_page_networks)


def own_address(request: Request) -> str:
    """Of who asks; of IPv4 as such, also where one socket hears both."""
    text = address_of(request)
    try:
        found = ip_address(text)
    except ValueError:
        return text
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else text


def place_of(text: str) -> str:
    """An address or a name, also out of a link that was pasted."""
    text = text.strip()
    try:
        return (urlsplit(text).hostname or "") if "://" in text else text[:253]
    except ValueError:
        return text[:253]


def _with(dst: str, path: str) -> str:
    return f"{path}?{urlencode({'dst': dst})}" if dst else path


def _told(request: Request, controller: Controller, yours: str, place: str) -> tuple[Told | None, str]:
    """The answer, or why there is none; no error says more than one of these. Raises ``TooManyAttempts``."""
    brake: GuessBrake = request.app.state.asking
    brake.admit(yours, "")
    brake.failed(yours, "")
    try:
        return Told.of(controller, controller.flows.check(yours, place)), ""
    except NotFound:
        return None, "Your address is in none of the networks that are looked after here."
    except Invalid as exc:
        if exc.message.startswith("site:"):
            return None, "Your address is used at several places, and this page cannot tell at which of them you are."
        return None, sentence(exc.message)
    except TokgateError:
        return None, "That cannot be said at the moment. Ask again later."
