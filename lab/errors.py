"""What can go wrong while building or using the lab; all of it ends the command with a reason."""

from __future__ import annotations

from core.errors import TokgateError


class LabError(TokgateError):
    """A part of the lab could not be built or used; ``tokgate lab down`` removes what is there."""

    code = "TG7001"
    title = "Lab failure"


class LabNotPossible(LabError):
    """This machine or this user cannot hold a lab: not root, or a program is missing."""

    code = "TG7002"
    title = "Lab not possible here"
