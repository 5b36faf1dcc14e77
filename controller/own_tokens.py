"""Tokens that people make for themselves: never more than they may do themselves, and gone when they are.

Who asks may be a person who signed in, or a token that acts for one: that one's tokens do no more and live no longer
than itself, so that one that leaked cannot leave another behind. Every change is in the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controller import tokens
from controller.access_roles import holds
from controller.errors import Conflict, Invalid, NotAllowed, NotFound
from controller.inventory import Inventory
from controller.model import Scope, Token
from controller.store import Store
from core.clock import Clock
from core.ids import PersonName, SiteName
from core.secret import Secret

MOST: Final = 20
"""Usable tokens of one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who asks, and the most that their tokens may do: what the person, or the token that asks for them, may."""

    name: PersonName
    actor: str
    scopes: frozenset[Scope]
    sites: frozenset[SiteName] | None  # None: every site
    until: datetime | None = None  # of a token that asks


class OwnTokens:
    """One for a controller. Safe to use from any number of threads."""

    def __init__(self, store: Store, inventory: Inventory, clock: Clock) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock

    def all(self, owner: PersonName) -> list[Token]:
        """Also the ended ones, in the order in which they were made."""
        return [token for token in self._store.tokens() if token.owner == owner]

    def get(self, owner: PersonName, token_id: str) -> Token:
        """Raises ``NotFound``, also for somebody else's."""
        found = next((token for token in self.all(owner) if token.id == token_id), None)
        if found is None:
            raise NotFound(f"no token {token_id[:40]!r} of yours", hint="`GET /api/v1/me/tokens` lists them")
        return found

    def create(
        self, owner: Owner, name: str, scopes: Iterable[Scope], lifetime: timedelta, *, sites: Iterable[str] | None
    ) -> tuple[Token, Secret]:
        """A new one and its text, which is not kept.

        Raises ``NotAllowed`` for a scope or a site that they do not have; ``Invalid``; ``Conflict`` for a name in use,
        and when they have enough; ``NotFound`` for a site.
        """
        wanted = frozenset(scopes)
        self._refuse_wide(owner, wanted, lifetime)
        known = self._sites(owner, sites)
        now = self._clock.now()
        if sum(t.revoked_at is None and t.expires_at > now for t in self.all(owner.name)) >= MOST:
            raise Conflict(f"you have {MOST} tokens already", hint="revoke one that is not used any more")
        return tokens.create(
            self._store,
            self._clock,
            name=name,
            scopes=wanted,
            lifetime=lifetime,
            actor=owner.actor,
            sites=known,
            owner=owner.name,
        )

    def _refuse_wide(self, owner: Owner, scopes: Iterable[Scope], lifetime: timedelta) -> None:
        beyond = sorted(scope for scope in scopes if not holds(owner.scopes, scope))
        if beyond:
            raise NotAllowed(f"you do not hold {', '.join(beyond)} yourself", hint="leave it out, or ask for the role")
        if owner.until is not None and self._clock.now() + lifetime > owner.until:
            raise Invalid("days: no longer than the token that asks", hint="sign in to make one that lives longer")

    def _sites(self, owner: Owner, names: Iterable[str] | None) -> frozenset[SiteName] | None:
        if names is None:
            return owner.sites
        found = frozenset(self._inventory.site(name).name for name in names)
        if owner.sites is not None and not found <= owner.sites:
            raise NotAllowed(f"{', '.join(sorted(found - owner.sites))}: not one of your sites")
        return found

    def rotate(self, owner: Owner, token_id: str, *, overlap: timedelta) -> tuple[Token, Secret]:
        """Another secret. Raises as ``tokens.rotate``; ``NotAllowed`` by a token, of one that may more than itself."""
        found = self.get(owner.name, token_id)
        if owner.until is not None:
            self._refuse_wide(owner, found.scopes, found.expires_at - self._clock.now())
            if owner.sites is not None and (found.sites is None or not found.sites <= owner.sites):
                raise NotAllowed("that token reaches further than the one that asks", hint="sign in to rotate it")
        return tokens.rotate(self._store, self._clock, found.id, actor=owner.actor, overlap=overlap)

    def revoke(self, owner: Owner, token_id: str) -> Token:
        """Raises ``NotFound``; ``Conflict`` when it is revoked already."""
        return tokens.revoke(self._store, self._clock, self.get(owner.name, token_id).id, actor=owner.actor)
