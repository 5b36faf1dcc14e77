"""What can go wrong in planning, running and recording."""

from __future__ import annotations

from core.errors import ConfigError, ExitCode, TokgateError


class InventoryError(ConfigError):
    """The inventory is wrong; ``place`` is ``file:line: key``. Nothing was started."""

    code = "TG1003"
    title = "Inventory error"


class CalendarUnknown(ConfigError):
    """A calendar of holidays was never read, or cannot be understood; nothing is sent where it matters."""

    code = "TG1004"
    title = "Calendar not known"


class ChangeFrozen(TokgateError):
    """A freeze, or the change windows, hold a change back; nothing was sent, and it goes out when they let it."""

    code = "TG5020"
    title = "Held by a freeze"
    exit_code = ExitCode.GUARD_REFUSED
    http_status = 409


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


class WouldEmpty(Conflict):
    """A withdrawal would leave services without any address, or any name; nothing was changed.

    ``services`` are those that have to be named a second time for it.
    """

    code = "TG5021"
    title = "Would leave a service with nothing"
    exit_code = ExitCode.GUARD_REFUSED

    def __init__(self, message: str, *, hint: str = "", services: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.services = services


class ChangedMeanwhile(Conflict):
    """The thing is not at the version that the change was decided on; nothing was done."""

    code = "TG5040"
    title = "Changed meanwhile"
    http_status = 412


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


class StoreUnreachable(StoreError):
    """The database server does not answer, or the connection broke; again later. What is in force stays."""

    code = "TG5013"
    title = "Store not reachable"


class Invalid(TokgateError):
    """A request holds a bad value; the message names the field."""

    code = "TG5007"
    title = "Invalid request"
    http_status = 422


class FormMissing(TokgateError):
    """A report was asked for in a form that needs what is not installed; other forms work."""

    code = "TG5014"
    title = "Form not available here"
    http_status = 501


class NotSent(TokgateError):
    """A report could not be carried to where it should be; it is tried again when it is a scheduled one."""

    code = "TG5015"
    title = "Report not sent"
    http_status = 502


class Ending(TokgateError):
    """tokgate was ending before a device's turn came; nothing was asked of the device, and nothing sent."""

    code = "TG5016"
    title = "Not begun"
    http_status = 503


class FeedUnfit(TokgateError):
    """An adapter made a list to be pulled that is empty or that a firewall would misread; nothing was sent."""

    code = "TG5008"
    title = "List unfit to be served"
    http_status = 409


class FeedDamaged(TokgateError):
    """What is kept of a list is not what was published; a firewall keeps its last good copy."""

    code = "TG5009"
    title = "Published list damaged"
    http_status = 503


class FeedNotReady(TokgateError):
    """Nothing has been published for this device so far; a firewall keeps its last good copy."""

    code = "TG5010"
    title = "Nothing published yet"
    http_status = 503


class FeedUnknown(TokgateError):
    """No such device or list, or it is not served to this address. Not 403: a firewall may take that for the end."""

    code = "TG5011"
    title = "No such list for this address"
    http_status = 404


class FeedMixed(TokgateError):
    """Several devices of a group may be asking from this address, and they do not hold the same list."""

    code = "TG5012"
    title = "Not known whose list"
    http_status = 503


class SpoolFailed(TokgateError):
    """What is to be exported cannot be kept on the disk; it waits in the store, and is tried again."""

    code = "TG5050"
    title = "Spool failed"
    http_status = 503


class NotAllowed(TokgateError):
    """The caller lacks the scope, or the thing lies outside the sites that they are limited to."""

    code = "TG6002"
    title = "Not allowed"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 403


class SecondPersonNeeded(NotAllowed):
    """Who asked to see an identity tried to approve it; another person has to."""

    code = "TG6010"
    title = "Second person needed"


class NotUnmasked(NotAllowed):
    """Identities are not shown there, and no approved unmasking of the caller's own is open for them."""

    code = "TG6011"
    title = "Identities not shown"


class NotAuthenticated(TokgateError):
    """No token, or one that is unknown, expired or revoked."""

    code = "TG6001"
    title = "Not authenticated"
    exit_code = ExitCode.NOT_ALLOWED
    http_status = 401
