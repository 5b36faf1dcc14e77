"""A client of the REST API, for programs in Python: typed, and nothing of tokgate's inside. See ``docs/client.md``."""

from api.client.calling import Client
from api.client.errors import (
    ApiError,
    Changed,
    Conflict,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotOurs,
    TooMany,
    Unavailable,
    Unreachable,
    Untrusted,
)

__all__ = [
    "ApiError",
    "Changed",
    "Client",
    "Conflict",
    "Invalid",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "NotOurs",
    "TooMany",
    "Unavailable",
    "Unreachable",
    "Untrusted",
]
