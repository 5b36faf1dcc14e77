"""Who asks: what they may, their own sessions and tokens, and signing out. Any scope is enough."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Response

from api.auth import Anybody, Caller, Ctl, Proof
from api.conditional import Match, tagged
from api.me_models import Me
from api.models import Page, Ulid
from api.pages import Newest, Sorted, paged
from api.people_models import Session, SignedOut
from api.reference import answers
from api.token_models import NewToken, OwnTokenBody, RotateBody, Token
from controller import model
from controller.errors import Conflict
from controller.own_tokens import Owner
from controller.service import Controller
from controller.versions import token_version
from core.ids import PersonName

router = APIRouter(prefix="/me", tags=["people"])


@router.get("", summary="Who asks, and what they may")
def get_me(caller: Anybody) -> Me:
    return Me.of(caller)


@router.get("/sessions", summary="One's own open sessions")
def my_sessions(controller: Ctl, caller: Anybody, ask: Newest) -> Page[Session]:
    """The newest first; none for a token without an owner."""
    found = [] if caller.person is None else controller.people.sessions(caller.person, is_open=True)
    return paged(found, of="mysessions", key=lambda s: s.id, show=Session.of, ask=ask)


@router.post("/sign-out", summary="End one's own sessions", responses=answers(409, 503))
def sign_out_everywhere(controller: Ctl, caller: Anybody) -> SignedOut:
    """Every one of them, this one too. 409 for a token without an owner: it has none."""
    if (name := caller.person) is None:
        raise Conflict("a token without an owner has no sessions", hint="`DELETE /api/v1/tokens/{id}` ends a token")
    return SignedOut(sessions=controller.people.sign_out_everywhere(name, actor=caller.actor))


# --- tokens of one's own ----------------------------------------------------------------------------------------------


def _owner(controller: Controller, caller: Caller) -> Owner:
    """Raises ``Conflict`` for a token without an owner."""
    if (name := caller.person) is None:
        raise Conflict("a token without an owner is nobody", hint="sign in, or use a token of your own")
    until = controller.token(caller.id).expires_at if caller.how is Proof.TOKEN else None
    return Owner(name=name, actor=caller.actor, scopes=caller.scopes, sites=caller.sites, until=until)


def _mine(controller: Controller, caller: Caller, token_id: str) -> model.Token:
    """Raises ``NotFound``, also for a token without an owner, which has none."""
    return controller.own_tokens.get(caller.person or PersonName(""), token_id)


@router.get("/tokens", summary="One's own tokens")
def my_tokens(controller: Ctl, caller: Anybody, ask: Sorted) -> Page[Token]:
    """Those that act for who asks, the ended ones too; none for a token without an owner."""
    found = [] if caller.person is None else controller.own_tokens.all(caller.person)
    return paged(found, of="mytokens", key=lambda t: t.id, show=Token.of, ask=ask)


@router.post("/tokens", summary="Make a token of one's own", status_code=201, responses=answers(404, 409, 503))
def make_my_token(controller: Ctl, caller: Anybody, response: Response, body: OwnTokenBody) -> NewToken:
    """It acts under one's own name, does no more than one may oneself, and ends with one's account. `token` is shown
    this once. A token that asks for its owner makes none that does more or lives longer than itself."""
    owner, life = _owner(controller, caller), timedelta(days=body.days)
    token, text = controller.own_tokens.create(owner, body.name, body.scopes, life, sites=body.sites)
    response.headers["Location"] = f"/api/v1/me/tokens/{token.id}"
    tagged(response, token_version(token))
    return NewToken.made(token, text.reveal())


@router.get("/tokens/{id}", summary="One of one's own tokens", responses=answers(404))
def my_token(controller: Ctl, caller: Anybody, response: Response, id: Ulid) -> Token:
    token = _mine(controller, caller, id)
    tagged(response, token_version(token))
    return Token.of(token)


@router.post("/tokens/{id}/rotate", summary="Give it another secret", responses=answers(404, 409, 412, 503))
def rotate_my_token(
    controller: Ctl, caller: Anybody, response: Response, id: Ulid, body: RotateBody | None = None, match: Match = None
) -> NewToken:
    """`token` in the answer is the new one, shown this once. The old one is taken too until `old_until`."""
    overlap = timedelta(hours=(body or RotateBody()).overlap_hours)
    mine = _mine(controller, caller, id)
    token, text = controller.own_tokens.rotate(_owner(controller, caller), mine.id, overlap=overlap)
    tagged(response, token_version(token))
    return NewToken.made(token, text.reveal())


@router.delete("/tokens/{id}", summary="Revoke it", responses=answers(404, 409, 412, 503))
def revoke_my_token(controller: Ctl, caller: Anybody, id: Ulid, match: Match = None) -> Token:
    mine = _mine(controller, caller, id)
    return Token.of(controller.own_tokens.revoke(_owner(controller, caller), mine.id))
