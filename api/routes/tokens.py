"""Tokens: make one (it is shown once), list them, give one another secret, revoke one."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Admin, Auditor, Ctl
from api.conditional import Match, tagged
from api.models import Page, Ulid
from api.pages import Sorted, paged
from api.reference import answers
from api.token_models import NewToken, RotateBody, Token, TokenBody
from controller.versions import token_version

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.post("", summary="Make a token", status_code=201, responses=answers(404, 409, 503))
def create_token(controller: Ctl, caller: Admin, response: Response, body: TokenBody) -> NewToken:
    """`token` in the answer is the token itself: it is shown this once and kept nowhere."""
    token, text = controller.create_token(
        body.name,
        body.scopes,
        timedelta(days=body.days),
        actor=caller.actor,
        sites=body.sites,
        owner=body.owner,
    )
    response.headers["Location"] = f"/api/v1/tokens/{token.id}"
    tagged(response, token_version(token))
    return NewToken.made(token, text.reveal())


@router.get("", summary="All tokens")
def list_tokens(
    controller: Ctl,
    caller: Auditor,
    ask: Sorted,
    usable: Annotated[
        bool | None, Query(description="only those that are taken now; false: only the ended ones")
    ] = None,
) -> Page[Token]:
    """Also the expired and the revoked ones."""
    now = controller.clock.now()
    found = [t for t in controller.tokens() if usable in (None, t.revoked_at is None and now < t.expires_at)]
    return paged(found, of="tokens", key=lambda t: t.id, show=Token.of, ask=ask)


@router.get("/{id}", summary="One token", responses=answers(404))
def get_token(controller: Ctl, caller: Auditor, response: Response, id: Ulid) -> Token:
    """Never its text."""
    token = controller.token(id)
    tagged(response, token_version(token))
    return Token.of(token)


@router.post("/{id}/rotate", summary="Give a token another secret", responses=answers(404, 409, 412, 503))
def rotate_token(
    controller: Ctl, caller: Admin, response: Response, id: Ulid, body: RotateBody | None = None, match: Match = None
) -> NewToken:
    """`token` in the answer is the new one, shown this once. The old one is taken too until `old_until`."""
    overlap = timedelta(hours=(body or RotateBody()).overlap_hours)
    token, text = controller.rotate_token(id, actor=caller.actor, overlap=overlap)
    tagged(response, token_version(token))
    return NewToken.made(token, text.reveal())


@router.delete("/{id}", summary="Revoke a token", responses=answers(404, 409, 412, 503))
def revoke_token(controller: Ctl, caller: Admin, id: Ulid, match: Match = None) -> Token:
    """It is refused from now on."""
    return Token.of(controller.revoke_token(id, actor=caller.actor))
