"""One's own account: what one may, where one is signed in, one's tokens, and ending these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller
from api.models import Ulid
from api.sessions import PageCaller, PageCtl
from api.web.fields import about
from api.web.pages import PageRoute, page
from api.web.shown import zone_at
from api.web.wording import SCOPES
from controller.errors import Invalid, NotFound
from controller.model import Scope, Token
from controller.own_tokens import Owner
from controller.service import Controller
from core.errors import TokgateError
from core.ids import PersonName
from core.secret import Secret

LASTS: Final = {"7": "a week", "30": "a month", "90": "three months", "366": "a year"}
"""Days that a token of one's own lives."""
router = APIRouter(include_in_schema=False, route_class=PageRoute)


_FIELDS: Final = {"name": ("token-name", "Name"), "scopes": ("token-scopes", "It may"), "days": ("token-days", "For")}


class Typed(NamedTuple):
    """What stood in the form of a token that was refused."""

    name: str
    scopes: Sequence[str]
    days: str


_NOTHING: Final = Typed("", (), "30")


@router.get("/account")
def account(request: Request, controller: PageCtl, caller: PageCaller) -> Response:
    return _page(request, controller, caller)


def _page(
    request: Request,
    controller: Controller,
    caller: Caller,
    *,
    error: TokgateError | None = None,
    fresh: tuple[Token, Secret] | None = None,
    typed: Typed = _NOTHING,
) -> Response:
    """``fresh``: a token that was made just now; its text is on this answer and nowhere else."""
    person = controller.people.get(str(caller.person))
    return page(
        request,
        controller,
        "account.html",
        error=error,
        fresh=None if fresh is None else {"name": fresh[0].name, "text": fresh[1].reveal()},
        typed=typed,
        lasts=LASTS,
        scopes=[(scope.value, said) for scope, said in SCOPES.items() if caller.allows(scope)],
        person=person,
        may=[said for scope, said in SCOPES.items() if caller.allows(scope)],
        zone=zone_at(controller, ""),
        sessions=list(reversed(controller.people.sessions(person.name, is_open=True))),
        tokens=[token for token in controller.own_tokens.all(person.name) if token.revoked_at is None],
        now=controller.clock.now(),
        **about(error, _FIELDS),
    )


@router.post("/account/sessions/{session_id}/end")
def end_session(controller: PageCtl, caller: PageCaller, session_id: Ulid) -> Response:
    """One of one's own. Raises ``NotFound`` for anybody else's."""
    _own(controller, caller, session_id)
    controller.people.end_session(session_id, actor=caller.actor)
    return RedirectResponse("/account", status_code=303)


def _own(controller: Controller, caller: Caller, session_id: str) -> None:
    if session_id not in [session.id for session in controller.people.sessions(caller.person, is_open=True)]:
        raise NotFound("there is no such session of yours", hint="it may be over already")


# --- tokens -----------------------------------------------------------------------------------------------------------


@router.post("/account/tokens")
def make_token(
    request: Request,
    controller: PageCtl,
    caller: PageCaller,
    name: Annotated[str, Form(max_length=200)] = "",
    scopes: Annotated[list[str], Form(max_length=len(Scope))] = [],  # noqa: B006  # FastAPI makes a new list each time
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Shows the token, this once; what was wrong is said on the page. A form sent twice has its name in use."""
    try:
        if days not in LASTS:
            raise Invalid("days: say for how long")
        if not scopes or not {*scopes} <= {*Scope}:
            raise Invalid("scopes: choose what it may do")
        wanted, life = [Scope(word) for word in scopes], timedelta(days=int(days))
        made = controller.own_tokens.create(_owner(caller), name.strip(), wanted, life, sites=None)
    except TokgateError as exc:
        return _page(request, controller, caller, error=exc, typed=Typed(name, scopes, days))
    return _page(request, controller, caller, fresh=made)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(controller: PageCtl, caller: PageCaller, token_id: Ulid) -> Response:
    """One of one's own. Raises ``NotFound`` for anybody else's."""
    controller.own_tokens.revoke(_owner(caller), token_id)
    return RedirectResponse("/account#tokens", status_code=303)


def _owner(caller: Caller) -> Owner:
    return Owner(name=PersonName(str(caller.person)), actor=caller.actor, scopes=caller.scopes, sites=caller.sites)
