"""Who asks: what they may, their own sessions, and signing out. Any scope is enough."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Anybody, Ctl
from api.models import Page
from api.people_models import Me, Session, SignedOut
from api.reference import answers
from controller.errors import Conflict

router = APIRouter(prefix="/me", tags=["people"])


@router.get("", summary="Who asks, and what they may")
def get_me(caller: Anybody) -> Me:
    return Me.of(caller)


@router.get("/sessions", summary="One's own open sessions")
def my_sessions(controller: Ctl, caller: Anybody) -> Page[Session]:
    """The newest first; none for a token without an owner."""
    if (name := caller.person) is None:
        return Page(items=())
    return Page(items=tuple(Session.of(s) for s in reversed(controller.people.sessions(name, is_open=True))))


@router.post("/sign-out", summary="End one's own sessions", responses=answers(409, 503))
def sign_out_everywhere(controller: Ctl, caller: Anybody) -> SignedOut:
    """Every one of them, this one too. 409 for a token without an owner: it has none."""
    if (name := caller.person) is None:
        raise Conflict("a token without an owner has no sessions", hint="`DELETE /api/v1/tokens/{id}` ends a token")
    return SignedOut(sessions=controller.people.sign_out_everywhere(name, actor=caller.actor))
