"""What can go wrong in planning, running and recording."""

from __future__ import annotations

from core.errors import ConfigError, ExitCode, TokgateError


class InventoryError(ConfigError):
    """The inventory is wrong; ``place`` is ``file:line: key``. Nothing was started."""

    code = "TG1003"
    title = "Inventory error"


class NotFound(TokgateError):
    """A site, device, run, plan, exception or token of that name is not known."""

    code = "TG5001"
    title = "Not found"
    http_status = 404


class Conflict(TokgateError):
    """The request does not fit the state the thing is in."""

    code = "TG5002"
    title = "Conflict"
    http_status = 409


class PlanStale(Conflict):
    """The device, the inventory or the snapshot moved since the plan was made; nothing was sent."""

    code = "TG5003"
    title = "Plan no longer fits"


class Busy(Conflict):
    """Somebody else holds the device or the store; the message names the holder."""

    code = "TG5004"
    title = "Busy"


class StoreError(TokgateError):
    """The store could not be read or written; no device was changed because of it."""

    code = "TG5005"
    title = "Store failed"
    http_status = 503


class StoreOutdated(StoreError):
    """The store's schema is older or newer than this version."""

    code = "TG5006"
    title = "Store schema differs"


class Invalid(TokgateError):
    """A request holds a bad value; the message names the field."""

    code = "TG5007"
    title = "Invalid request"
    http_status = 422


class NotAllowed(TokgateError):
    """The caller's token lacks the scope."""

    code = "TG6002"
    title = "Not allowed"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 403


class NotAuthenticated(TokgateError):
    """No token, or one that is unknown, expired or revoked."""

    code = "TG6001"
    title = "Not authenticated"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 401
