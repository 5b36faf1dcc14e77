"""Roles are sets of scopes, and two names may mean one person."""

from __future__ import annotations

import pytest

from controller.access_roles import SCOPES_OF_ROLE, AccessRole, all_held, holds, may_be_one_person, scopes_of
from controller.model import Scope


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (AccessRole.VIEWER, {"read"}),
        (AccessRole.REQUESTER, {"read", "request"}),
        (AccessRole.APPROVER, {"read", "request", "approve"}),
        (AccessRole.OPERATOR, {"read", "request", "operate"}),
        (AccessRole.AUDITOR, {"read", "audit"}),
        (AccessRole.ADMIN, set(Scope)),
    ],
)
def test_a_role_gives_exactly_these_scopes(role: AccessRole, may: set[str]) -> None:
    assert all_held(scopes_of([role])) == may
    assert all(holds(SCOPES_OF_ROLE[role], scope) is (scope in may) for scope in Scope)


def test_roles_add_up() -> None:
    both = scopes_of([AccessRole.APPROVER, AccessRole.OPERATOR])
    assert both == {Scope.READ, Scope.REQUEST, Scope.APPROVE, Scope.OPERATE}
    assert scopes_of([]) == frozenset()


@pytest.mark.parametrize(
    ("actor", "other", "same"),
    [
        ("person:anna", "person:anna", True),
        ("person:anna", "cli:anna", True),
        ("cli:Anna", "person:anna", True),
        ("person:anna", "person:bert", False),
        ("token:anna", "person:anna", False),
        ("token:anna", "token:anna", True),
        ("anna", "person:anna", True),
    ],
)
def test_one_person_may_have_several_names(actor: str, other: str, same: bool) -> None:
    assert may_be_one_person(actor, other) is same
