"""What can go wrong between a person and the command, before the controller is asked."""

from __future__ import annotations

from core.errors import TokgateError


class Unconfirmed(TokgateError):
    """A change was not confirmed: the answer was no, or nobody could be asked. Nothing was changed."""

    code = "TG8101"
    title = "Not confirmed"


class FileTrouble(TokgateError):
    """A file that was named on the command line cannot be written or read, or is there already."""

    code = "TG8102"
    title = "File cannot be used"


class CommandBroken(TokgateError):
    """A command that another package brings cannot be loaded; every other command works."""

    code = "TG8103"
    title = "Command not available"
