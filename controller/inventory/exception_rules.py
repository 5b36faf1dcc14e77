"""What exceptions may be given for, for how long, and by how many people: the part ``exceptions`` of an inventory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from controller.access_roles import ROLE_MARK, AccessRole, called
from controller.inventory.fields import Name
from controller.inventory.parts import Part
from ipsets.spans import Span

LONGEST: Final = timedelta(days=366)
"""No exception lives longer, whatever its reason; it is renewed then."""
OTHER: Final = "other"
"""The reason of who names none, where there is one of that name."""
Actor = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[!-~]+$")]


def known_role(approver: str) -> str:
    """Raises ``ValueError`` for a role that nobody can hold."""
    if approver.startswith(ROLE_MARK) and approver not in map(called, AccessRole):
        raise ValueError(f"no such role; known: {', '.join(map(called, AccessRole))}")
    return approver


class ExceptionReason(Part):
    """One reason, and what goes with it."""

    title: Annotated[str, Field(max_length=200)] = ""
    max_life: Annotated[Span, Field(le=LONGEST)] = LONGEST
    approvals: Annotated[int, Field(ge=1, le=5)] = 1
    """How many people have to approve."""
    approvers: tuple[Annotated[Actor, AfterValidator(known_role)], ...] = ()
    """Who may, as the audit log names them (``person:ann``, ``token:legal``), or by what people are here
    (``role:admin``); everybody with the right when empty."""
    idle_after: Span | None = None
    """An exception that nobody used for so long is ended."""
    needs_ticket: bool = False


class ExceptionRules(Part):
    """For all exceptions of the inventory."""

    file: Path | None = None
    """Exceptions that are declared beside the inventory, as under version control; ``tokgate apply --config-only``."""
    only_from_file: bool = False
    """Whether nothing is asked for in any other way."""
    lapses_after: Span = timedelta(days=14)
    """A request that nobody decided is over then."""
    approval_holds: Span = timedelta(days=1)
    """How long an approval waits for a further one."""
    remind_before: Span = timedelta(days=3)
    """How long before its end a person is told."""
    host_answers_hold: Annotated[Span, Field(ge=timedelta(minutes=5), le=timedelta(days=7))] = timedelta(hours=4)
    """How long the last good answer for a host name counts, when no resolver answers."""
    reasons: Annotated[Mapping[Name, ExceptionReason], Field(min_length=1)] = {
        "marketing": ExceptionReason(title="marketing and communication"),
        "research": ExceptionReason(title="research"),
        "security-research": ExceptionReason(title="security research"),
        "law-enforcement": ExceptionReason(title="law enforcement"),
        OTHER: ExceptionReason(title="anything else"),
    }
    """By code."""

    @model_validator(mode="after")
    def _needs_file(self) -> Self:
        if self.only_from_file and self.file is None:
            raise ValueError("`only_from_file` needs a `file`")
        return self


__all__ = ["LONGEST", "OTHER", "ExceptionReason", "ExceptionRules"]
