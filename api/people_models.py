"""What the API says of people and their sessions."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from api.models import Answer, Instant, Line, Name, Request
from controller import people
from controller.access_roles import AccessRole
from controller.people import PersonKind


class Person(Answer):
    """Somebody who may sign in. Of an `oidc` person roles and sites are what the provider said last."""

    name: str = Field(examples=["anna.smith"])
    title: str = Field(examples=["Anna Smith"])
    kind: PersonKind
    roles: tuple[AccessRole, ...]
    sites: tuple[str, ...] | None = Field(description="all that they see and change; null is every site")
    created_at: Instant
    created_by: str
    disabled_at: Instant | None
    locked_until: Instant | None = Field(description="after too many wrong passwords")
    last_sign_in_at: Instant | None

    @classmethod
    def of(cls, person: people.Person) -> Person:
        return cls(
            name=person.name,
            title=person.title,
            kind=person.kind,
            roles=tuple(sorted(person.roles)),
            sites=None if person.sites is None else tuple(sorted(person.sites)),
            created_at=person.created_at,
            created_by=person.created_by,
            disabled_at=person.disabled_at,
            locked_until=person.locked_until,
            last_sign_in_at=person.last_sign_in_at,
        )


class PersonBody(Request):
    """What is left out stays. `"sites": null` lifts the limit to sites."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"roles": ["requester"], "sites": ["berlin"], "reason": "joined the help desk"}]
        }
    )

    title: Line | None = None
    roles: tuple[AccessRole, ...] | None = Field(default=None, min_length=1, max_length=len(AccessRole))
    sites: tuple[Name, ...] | None = Field(default=None, min_length=1, max_length=1000)
    reason: Line

    def changes(self) -> dict[str, Any]:
        """As ``PeopleDesk.edit`` takes them."""
        everywhere = "sites" in self.model_fields_set and self.sites is None
        return {"title": self.title, "roles": self.roles, "sites": self.sites, "everywhere": everywhere}


class Session(Answer):
    """A browser that somebody signed in with."""

    id: str
    person: str
    kind: PersonKind = Field(description="how they signed in")
    address: str
    agent: str = Field(description="what the browser calls itself")
    created_at: Instant
    last_used_at: Instant
    idle_at: Instant = Field(description="over then, unless it is used before")
    ends_at: Instant = Field(description="over then, however it is used")
    revoked_at: Instant | None

    @classmethod
    def of(cls, session: people.PersonSession) -> Session:
        return cls(
            id=session.id,
            person=session.person,
            kind=session.kind,
            address=session.address,
            agent=session.agent,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            idle_at=session.idle_at,
            ends_at=session.ends_at,
            revoked_at=session.revoked_at,
        )


class SignedOut(Answer):
    sessions: int = Field(description="how many were ended")
