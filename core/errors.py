"""The root of every error tokgate raises on purpose.

Each room keeps its own subclasses (``ipsets.errors``, ``vendors.errors``, ``controller.errors``, ``api.errors``).
A class is split off by what the caller does next, never by who raised it. The code is stable and documented in
``docs/errors.md``; a test keeps the two in step.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the ``tokgate`` command ends with; documented in ``docs/cli.md``."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    GUARD_REFUSED = 3
    DEVICES_FAILED = 4
    NOT_ALLOWED = 5
    BAD_CONFIGURATION = 6


class TokgateError(Exception):
    """What happened, where, and what to do next.

    ``message`` is one line for the operator. ``hint`` says what to do. ``device`` and ``place`` (``file:line: key``)
    are set when known. The cause, for the log, is ``__cause__``.
    """

    code: ClassVar[str] = "TG1000"
    title: ClassVar[str] = "Unexpected failure"
    exit_code: ClassVar[ExitCode] = ExitCode.ERROR
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", device: str | None = None, place: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.device = device
        self.place = place

    def __str__(self) -> str:
        where = "".join(f"{part}: " for part in (self.place, self.device) if part)
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.code} {where}{self.message}{hint}"


class ConfigError(TokgateError):
    """A setting, secret reference or inventory entry is wrong; nothing was started."""

    code = "TG1001"
    title = "Bad configuration"
    exit_code = ExitCode.BAD_CONFIGURATION
    http_status = 422


class SecretUnavailable(ConfigError):
    """A secret reference points at nothing readable."""

    code = "TG1002"
    title = "Secret not available"
