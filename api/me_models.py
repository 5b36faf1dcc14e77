"""What the API says of who asks."""

from __future__ import annotations

from pydantic import Field

from api.auth import Caller, Proof
from api.models import Answer
from controller.access_roles import all_held
from controller.model import Scope


class Me(Answer):
    """Who asks, as tokgate sees them."""

    actor: str = Field(examples=["person:anna.smith"], description="what the audit log calls them")
    how: Proof
    via: str | None = Field(description="the token that acts for them")
    scopes: tuple[Scope, ...] = Field(description="all that they hold; admin is written out")
    sites: tuple[str, ...] | None = Field(description="all that they see and change; null is every site")
    session: str | None

    @classmethod
    def of(cls, caller: Caller) -> Me:
        return cls(
            actor=caller.actor,
            how=caller.how,
            via=caller.via,
            scopes=tuple(sorted(all_held(caller.scopes))),
            sites=None if caller.sites is None else tuple(sorted(caller.sites)),
            session=caller.session,
        )
