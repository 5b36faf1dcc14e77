"""Who signs in, and their sessions, as the controller remembers them. Pure values.

Times are aware UTC. A person is never deleted, only disabled: records name them for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.access_roles import PERSON, AccessRole, scopes_of
from controller.model import Scope
from core.ids import PersonName, SessionId, SiteName


class PersonKind(StrEnum):
    """Who knows the password."""

    LOCAL = "local"  # we do: for the day that the provider is down
    OIDC = "oidc"  # the provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in. Of an ``OIDC`` person roles and sites are what the provider said at the last sign-in.

    ``sites``: all that they see and change; None is every site. ``failures`` counts wrong passwords since a right one.
    """

    name: PersonName
    title: str
    kind: PersonKind
    roles: frozenset[AccessRole]
    created_at: datetime
    created_by: str
    sites: frozenset[SiteName] | None = None
    issuer: str | None = None
    subject: str | None = None
    disabled_at: datetime | None = None
    failures: int = 0
    locked_until: datetime | None = None
    last_sign_in_at: datetime | None = None

    @property
    def actor(self) -> str:
        """What records call them."""
        return f"{PERSON}{self.name}"

    @property
    def scopes(self) -> frozenset[Scope]:
        return scopes_of(self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a provider vouches for, and what that makes them here."""

    issuer: str
    subject: str
    name: str
    title: str
    roles: frozenset[AccessRole]
    sites: frozenset[SiteName] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSession:
    """A browser that somebody signed in with, until the earliest of its ends. Its secret is kept as a hash."""

    id: SessionId
    person: PersonName
    kind: PersonKind  # how they signed in
    address: str
    agent: str
    created_at: datetime
    last_used_at: datetime
    idle_at: datetime  # over then, unless it is used before
    ends_at: datetime  # over then, however it is used
    revoked_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        return self.revoked_at is None and now < min(self.idle_at, self.ends_at)


def common_sites(first: frozenset[SiteName] | None, second: frozenset[SiteName] | None) -> frozenset[SiteName] | None:
    """The sites that both reach; None is every site."""
    if first is None or second is None:
        return second if first is None else first
    return first & second
