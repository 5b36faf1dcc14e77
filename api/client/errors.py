"""What a call may end with, split by what the caller does next. ``code`` is one of ``docs/errors.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class ApiError(Exception):
    """The server said no, or failed. ``errors`` name fields, where some are wrong."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.status = int(problem.get("status") or 0)
        self.code = str(problem.get("code") or "")
        self.message = str(problem.get("detail") or problem.get("title") or f"answered {self.status}")
        self.hint = str(problem.get("hint") or "")
        self.request_id = problem.get("request_id")
        self.retry_after: float | None = problem.get("retry_after")
        """Seconds that the server asks to wait, where it does."""
        self.errors: tuple[Mapping[str, Any], ...] = tuple(problem.get("errors") or ())
        super().__init__(f"{self.code} {self.message}".strip())


class NotAuthenticated(ApiError):
    """No token, or one that is unknown, expired or revoked."""


class NotAllowed(ApiError):
    """The token lacks the scope or the site."""


class NotFound(ApiError):
    """There is no such thing."""


class Conflict(ApiError):
    """It does not fit the state that the thing is in, or a guard refused."""


class Changed(Conflict):
    """Somebody changed it meanwhile: look again, then decide."""


class Invalid(ApiError):
    """A value is wrong."""


class TooMany(ApiError):
    """Too much was asked, also after waiting as long as we do."""


class Unavailable(ApiError):
    """The server cannot do it now; later it may."""


class Unreachable(ApiError):
    """No answer came: the call may have been carried out."""


class Untrusted(Unreachable):
    """The certificate of the server is not signed by whom this machine trusts, or of another name: nothing was sent."""


class NotOurs(ApiError):
    """What answered is not tokgate: something in between, something else, or another version."""


BY_CODE: Final[Mapping[str, type[ApiError]]] = {
    "TG5001": NotFound,
    "TG5002": Conflict,
    "TG5003": Conflict,
    "TG5004": Conflict,
    "TG5005": Unavailable,
    "TG5006": Unavailable,
    "TG5007": Invalid,
    "TG5040": Changed,
    "TG6001": NotAuthenticated,
    "TG6002": NotAllowed,
}
_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: Invalid,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Changed,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}


def error_of(problem: Mapping[str, Any]) -> ApiError:
    """By its code, else by its status."""
    code, status = str(problem.get("code") or ""), int(problem.get("status") or 0)
    return (BY_CODE.get(code) or _BY_STATUS.get(status, ApiError if code else NotOurs))(problem)
