"""Tokens over the wire; the text of one is in the answer that made it, and nowhere else."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from api.models import Answer, Instant, Name, PersonName, Request
from controller import model
from controller.model import Scope


class TokenBody(Request):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "helpdesk", "scopes": ["read", "request"], "days": 90}]}
    )

    name: Name
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=len(Scope))
    days: int = Field(ge=1, le=366, strict=True, description="how long it lives")
    sites: tuple[Name, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="all that it sees and changes; null is every site"
    )
    owner: PersonName | None = Field(
        default=None, description="the person whom it acts for; it never does what they may not"
    )


class OwnTokenBody(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "my-script", "scopes": ["read"], "days": 30}]})

    name: Name
    scopes: tuple[Scope, ...] = Field(
        min_length=1, max_length=len(Scope), description="none that who asks does not hold"
    )
    days: int = Field(ge=1, le=366, strict=True, description="how long it lives")
    sites: tuple[Name, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="of one's own; null is all of these"
    )


class RotateBody(Request):
    overlap_hours: int = Field(
        default=24, ge=0, le=720, strict=True, description="for so long the old secret is taken too"
    )


class Token(Answer):
    """A token as we know it: never itself, only how it begins."""

    id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: Instant
    created_by: str
    expires_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None
    owner: str | None
    sites: tuple[str, ...] | None = Field(description="null is every site")
    rotated_at: Instant | None
    old_until: Instant | None = Field(description="until then the secret before the rotation is taken too")

    @classmethod
    def of(cls, token: model.Token) -> Token:
        return cls(**_token_fields(token))


class NewToken(Token):
    """A fresh token. ``token`` is shown this once."""

    token: str | None = Field(
        description="the token itself; null when the answer is given again for an `Idempotency-Key`"
    )

    @classmethod
    def made(cls, token: model.Token, text: str) -> NewToken:
        return cls(token=text, **_token_fields(token))


def _token_fields(token: model.Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": tuple(sorted(token.scopes)),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "owner": token.owner,
        "sites": None if token.sites is None else tuple(sorted(token.sites)),
        "rotated_at": token.rotated_at,
        "old_until": token.old_until,
    }
