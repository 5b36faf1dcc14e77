"""What can go wrong with a source of sites and devices. Nothing is changed by any of it."""

from __future__ import annotations

from core.errors import ExitCode, TokgateError


class SourceFailed(TokgateError):
    """A source of sites and devices gave nothing whole; the inventory is as it was."""

    code = "TG1005"
    title = "Inventory source failed"
    http_status = 502


class TooManyGone(TokgateError):
    """A source suddenly misses many devices; the inventory is as it was."""

    code = "TG3002"
    title = "Too many devices gone"
    exit_code = ExitCode.GUARD_REFUSED
    http_status = 409
