"""The kinds of values an inventory holds, each refusing nonsense with one line that says what is expected.

No message repeats what may be a secret typed in the wrong place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import time
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, WithJsonSchema
from pydantic_core import core_schema

from controller.windows import DAYS
from core.ids import NAME
from core.net import Network, is_address, parse_network

DAY_GROUPS: Final = {"daily": DAYS, "weekdays": DAYS[:5], "weekend": DAYS[5:]}

ROLE_LENGTH: Final = 32
"""Names on devices have at most 40 characters, and a rule is named for its role."""

_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_HOST_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LOGIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}")
_KEY_KIND: Final = re.compile(r"[a-z0-9@.-]{3,64}")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, ``; known: a, b``, or nothing when there is nothing to choose from."""
    choice = sorted(known)
    near = get_close_matches(given, choice, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(choice[:20])}" if choice else ""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {what}")  # noqa: TRY004  # pydantic reports a ValueError, and lets a TypeError pass
    return value


def parse_name(value: object) -> str:
    text = _text(value, "a name")
    if not NAME.fullmatch(text):
        raise ValueError("a name is lower-case letters, digits and inner hyphens, at most 40 characters")
    return text


def parse_role(value: object) -> str:
    """A name that fits into a rule's name on every device, behind ``deny-``."""
    text = parse_name(value)
    if len(text) > ROLE_LENGTH:
        raise ValueError(f"the name of a role is at most {ROLE_LENGTH} characters: it is a part of names on devices")
    if "--" in text:
        raise ValueError("the name of a role has no two hyphens in a row: on devices they set a part of a rule apart")
    return text


def parse_net(value: object) -> Network:
    """A network without host bits, or an address as its /32 or /128."""
    if not isinstance(value, str):
        return _known_network(value)
    try:
        return parse_network(value)
    except ValueError as exc:
        raise ValueError(_why_no_network(value)) from exc


def _known_network(value: object) -> Network:
    if isinstance(value, Network):
        return value
    raise ValueError("expected a network such as 10.20.0.0/24 or 2001:db8::/64")


def _why_no_network(text: str) -> str:
    try:
        meant = ip_network(text.strip(), strict=False)
    except ValueError:
        return f"{text[:60]!r} is no network; write it as 10.20.0.0/24 or 2001:db8::/64"
    if "%" in text:
        return f"{text[:60]!r} names an IPv6 zone; give the address alone"
    return f"{text[:60]!r} has bits set behind its prefix; did you mean {str(meant)!r}?"


def parse_host(value: object) -> str:
    """An address or a DNS name; it reaches a socket, never a shell."""
    text = _text(value, "an address or a host name")
    if "%" not in text and is_address(text):
        return str(ip_address(text))
    labels = text.removesuffix(".").split(".")
    if len(text) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise ValueError(f"{text[:60]!r} is neither an address nor a host name")
    return text.removesuffix(".").lower()


def parse_login(value: object) -> str:
    if not isinstance(value, str) or not _LOGIN.fullmatch(value):
        raise ValueError("a user name is 1 to 64 of A-Z a-z 0-9 _ . @ \\ - and does not start with a sign")
    return value


def parse_zone(value: object) -> str:
    """The name of a time zone that exists here."""
    text = _text(value, "a time zone such as Europe/Berlin")
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError) as exc:
        near = get_close_matches(text, available_timezones(), n=1, cutoff=0.6)
        raise ValueError(
            f"no time zone {text[:60]!r}; " + (f"did you mean {near[0]!r}?" if near else "write it as Europe/Berlin")
        ) from exc
    return text


def parse_days(value: object) -> tuple[str, ...]:
    """Day names in the order of the week; ``daily``, ``weekdays`` and ``weekend`` stand for several."""
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given:
        raise ValueError("expected a list of days, as in [mon, tue]")
    named = {day for item in given for day in _days_of(item)}
    return tuple(day for day in DAYS if day in named)


def _days_of(item: object) -> tuple[str, ...]:
    known = {**{day: (day,) for day in DAYS}, **DAY_GROUPS}
    if not isinstance(item, str) or item not in known:
        raise ValueError(f"{str(item)[:20]!r} is no day; use {', '.join(DAYS)}, daily, weekdays or weekend")
    return known[item]


def parse_start(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError('expected a time of day as "08:00", from "00:00" to "23:59"')
    return time.fromisoformat(value)


def parse_end(value: object) -> time:
    """As a start, and ``24:00`` for the midnight that ends the day."""
    return time(0) if value == "24:00" else parse_start(value)


def parse_host_key(value: object) -> str:
    """``ssh-ed25519 AAAA…`` as in known_hosts, without a comment; the blob must be of the kind it is said to be."""
    kind, _, rest = _text(value, "a host key").strip().partition(" ")
    blob = rest.strip().partition(" ")[0]
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(_HOST_KEY_HELP) from exc
    length = int.from_bytes(raw[:4], "big")
    if not _KEY_KIND.fullmatch(kind) or raw[4 : 4 + length] != kind.encode() or len(raw) < length + 20:
        raise ValueError(_HOST_KEY_HELP)
    return f"{kind} {blob}"


_HOST_KEY_HELP: Final = (
    'expected "ssh-ed25519 AAAA…" as `tokgate device hostkeys` or ssh-keyscan prints it, without the host'
)

_PATTERN: Final = {"type": "string", "pattern": f"^{NAME.pattern}$"}


def _opaque(value_type: type[Any]) -> GetPydanticSchema:
    """A class of ours that pydantic carries without looking inside."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(value_type))


Name = Annotated[str, BeforeValidator(parse_name), WithJsonSchema(_PATTERN)]
Role = Annotated[str, BeforeValidator(parse_role), WithJsonSchema({**_PATTERN, "maxLength": ROLE_LENGTH})]
Net = Annotated[
    Network,
    BeforeValidator(parse_net),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10.20.0.0/24", "2001:db8:20::/64"]}),
]
Host = Annotated[str, BeforeValidator(parse_host), WithJsonSchema({"type": "string"})]
Login = Annotated[str, BeforeValidator(parse_login), WithJsonSchema({"type": "string", "maxLength": 64})]
Zone = Annotated[str, BeforeValidator(parse_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]
Days = Annotated[
    tuple[str, ...],
    BeforeValidator(parse_days),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"enum": [*DAYS, *DAY_GROUPS]}}),
]
_CLOCK_SCHEMA: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"}
Start = Annotated[
    time,
    BeforeValidator(parse_start),
    PlainSerializer(lambda t: f"{t:%H:%M}", return_type=str),
    WithJsonSchema(_CLOCK_SCHEMA),
]
End = Annotated[
    time,
    BeforeValidator(parse_end),
    PlainSerializer(lambda t: f"{t:%H:%M}", return_type=str),
    WithJsonSchema(_CLOCK_SCHEMA),
]
HostKey = Annotated[
    str, BeforeValidator(parse_host_key), WithJsonSchema({"type": "string", "examples": ["ssh-ed25519 AAAA…"]})
]
