"""What can go wrong between a person and the command, before the controller is asked; and errors told as data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from core.errors import ConfigError, TokgateError

if TYPE_CHECKING:
    from api.models import Failure


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


class OnlyHere(ConfigError):
    """``TOKGATE_URL`` names another machine, and the command can only work on this one. Nothing was done."""

    code = "TG8104"
    title = "Only on the machine itself"


class NoAnswer(TokgateError):
    """The server of ``TOKGATE_URL`` gives no answer. What was asked for may have been done."""

    code = "TG8105"
    title = "No answer from the server"


class Untrusted(ConfigError):
    """The certificate of the server of ``TOKGATE_URL`` is not signed by whom this machine trusts. Nothing was sent."""

    code = "TG8106"
    title = "Certificate not trusted"


class NotOurs(TokgateError):
    """What answers at ``TOKGATE_URL`` is not tokgate, or another version of it."""

    code = "TG8107"
    title = "Not an answer of tokgate"


# --- errors that came as data ---------------------------------------------------------------------------------------


def as_error(failure: Failure, *, device: str | None = None) -> TokgateError:
    """What an answer says of a failure, as it would be raised here."""
    return error_of(failure.code, failure.message, hint=failure.hint, device=device)


def error_of(code: str, message: str, *, hint: str = "", device: str | None = None) -> TokgateError:
    """An error with that code, and the exit code that it has here."""
    found = TokgateError(message, hint=hint, device=device)
    kind = _kinds().get(code, TokgateError)
    vars(found).update(code=code or kind.code, title=kind.title, exit_code=kind.exit_code)
    return found


@cache
def _kinds() -> dict[str, type[TokgateError]]:
    import api.errors  # noqa: F401 - so that every class is known
    import vendors.errors  # noqa: F401

    return {kind.code: kind for kind in _family(TokgateError)}


def _family(root: type[TokgateError]) -> Iterator[type[TokgateError]]:
    for child in root.__subclasses__():
        yield child
        yield from _family(child)
