"""What people may do: eight roles, each a set of scopes; and when two names mean one person. Pure.

A token holds scopes; a person holds roles. Both come down to scopes, and only scopes are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from controller.model import Scope


class AccessRole(StrEnum):
    """What somebody is to tokgate; not to be mixed up with the source roles of a site."""

    VIEWER = "viewer"
    REQUESTER = "requester"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    INVESTIGATOR = "investigator"
    COUNCIL = "council"
    ADMIN = "admin"


SCOPES_OF_ROLE: Final[Mapping[AccessRole, frozenset[Scope]]] = {
    AccessRole.VIEWER: frozenset({Scope.READ}),
    AccessRole.REQUESTER: frozenset({Scope.READ, Scope.REQUEST}),
    AccessRole.APPROVER: frozenset({Scope.READ, Scope.REQUEST, Scope.APPROVE}),
    AccessRole.OPERATOR: frozenset({Scope.READ, Scope.REQUEST, Scope.OPERATE}),
    AccessRole.AUDITOR: frozenset({Scope.READ, Scope.AUDIT}),
    AccessRole.INVESTIGATOR: frozenset({Scope.READ, Scope.UNMASK}),
    AccessRole.COUNCIL: frozenset({Scope.READ, Scope.CONSENT}),
    AccessRole.ADMIN: frozenset({Scope.ADMIN}),
}
"""An operator approves nothing and an approver touches no device: who does both holds both roles. So with who asks
to see an identity, an investigator, and who agrees to it, somebody of the works council or for data protection."""

ROLE_MARK: Final = "role:"
PERSON: Final = "person:"
_PERSONS: Final = (PERSON, "cli:")


def called(role: AccessRole) -> str:
    """How the inventory names everybody who holds the role, where it names people: ``role:admin``."""
    return f"{ROLE_MARK}{role.value}"


def scopes_of(roles: Iterable[AccessRole]) -> frozenset[Scope]:
    """All that the roles give together."""
    return frozenset(scope for role in roles for scope in SCOPES_OF_ROLE[role])


def holds(held: Iterable[Scope], wanted: Scope) -> bool:
    """Whether the scopes give that one; ``admin`` gives every one."""
    scopes = frozenset(held)
    return wanted in scopes or Scope.ADMIN in scopes


def all_held(held: Iterable[Scope]) -> frozenset[Scope]:
    """Every scope that the scopes give."""
    return frozenset(scope for scope in Scope if holds(held, scope))


def may_be_one_person(actor: str, other: str) -> bool:
    """Whether two names of the audit log may mean one person: only ever used to refuse.

    ``cli:anna``, the user of the machine, ``person:anna``, who signed in, and ``anna``, a lead in somebody's words,
    count as one. A token that has an owner acts under the name of its owner, so it needs nothing here.
    """
    return _name(actor) == _name(other)


def _name(actor: str) -> str:
    prefix = next((prefix for prefix in _PERSONS if actor.startswith(prefix)), "")
    return actor.removeprefix(prefix).casefold()


__all__ = [
    "PERSON", "ROLE_MARK", "SCOPES_OF_ROLE", "AccessRole", "all_held", "called", "holds", "may_be_one_person",
    "scopes_of",
]  # fmt: skip
