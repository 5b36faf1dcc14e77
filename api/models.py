"""What goes over the wire, in both directions. Requests refuse unknown fields; answers are built from the controller's
values, field by field, so that nothing is shown by accident.

Times are RFC 3339 and UTC (``Z``); a time without a zone is refused. ``null`` is *unknown*, ``0`` is *counted, none*.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from core.errors import TokgateError
from core.ids import NAME, PERSON_NAME
from core.net import parse_network

T = TypeVar("T")

# --- values ---------------------------------------------------------------------------------------------------------

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NETWORK_TEXT: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(/\d{1,3})?", re.ASCII)
EARLIEST, LATEST = 2000, 2999
"""Years. Times outside are typing errors, and the edges of the calendar have no UTC."""


def parse_time(value: object) -> datetime:
    """Aware UTC from RFC 3339 text. Raises ``ValueError``."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        if isinstance(value, str) and _RFC3339.fullmatch(value.replace(" ", "+")):
            raise ValueError("a + in an address is a space: write it as %2B, or the time in UTC with a Z")
        raise ValueError("expected a time with its zone, as in 2026-11-25T18:00:00Z")
    found = datetime.fromisoformat(value)
    if not EARLIEST <= found.year <= LATEST:
        raise ValueError(f"the year must lie between {EARLIEST} and {LATEST}")
    return found.astimezone(UTC)


def show_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def network_text(text: str) -> str:
    if not _NETWORK_TEXT.fullmatch(text):
        raise ValueError("expected an address or a network, as in 10.20.3.7 or 10.20.3.0/24")
    return str(parse_network(text))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable characters on one line")
    return text


Instant = Annotated[
    datetime,
    BeforeValidator(parse_time),  # in UTC, so that JSON has it with a Z
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-25T18:00:00Z"]}),
]
A_NAME: Final = f"^{NAME.pattern}$"
A_ULID: Final = "^[0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{26}$"
A_DIGEST: Final = "^[0-9a-f]{6,64}$"
Name = Annotated[str, StringConstraints(pattern=A_NAME, max_length=40)]
PersonName = Annotated[str, StringConstraints(pattern=f"^{PERSON_NAME.pattern}$", max_length=64)]
Ulid = Annotated[str, StringConstraints(pattern=A_ULID), AfterValidator(str.lower)]
Digest = Annotated[str, StringConstraints(pattern=A_DIGEST)]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_printable)
]
OptionalLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_printable)]


class Request(BaseModel):
    """What a caller sends; an unknown field is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lasting(Answer):
    """One that is shown again and again as it is: its JSON is made once."""

    @cached_property
    def json_bytes(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True)


class Page(Answer, Generic[T]):
    """One page of a list. ``next_cursor`` gets the next page; null on the last. ``count`` is told when asked for."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    count: int | None = Field(default=None, description="of all pages together; 100000 also stands for more")


class FieldError(Answer):
    place: str = Field(examples=["body.starts"])
    message: str


class Problem(Answer):
    """RFC 9457, with tokgate's stable code (docs/errors.md) and what to do next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:tokgate:problem:TG5002",
                    "title": "Conflict",
                    "status": 409,
                    "detail": "exception 01kaxw1t4m3v2q8y7z6s5r4p3n is revoked and cannot be approved",
                    "code": "TG5002",
                    "hint": "",
                    "device": None,
                    "request_id": "01kaxw2g7h9j5k3m1n8p6q4r2s",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    device: str | None
    request_id: str | None
    errors: tuple[FieldError, ...] = ()


class Failure(Answer):
    """Why something could not be done: one device of many, or a refresh."""

    code: str = Field(examples=["TG4001"])
    title: str = Field(examples=["Device unreachable"])
    message: str
    hint: str

    @classmethod
    def of(cls, error: TokgateError | None) -> Failure | None:
        if error is None:
            return None
        return cls(code=error.code, title=error.title, message=error.message, hint=error.hint)


class ReasonBody(Request):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the campaign is over"}]})

    reason: Line
