"""Fields as writers write them, as the values that a ``Sighting`` holds: bounded, clean, or a ``ValueError``.

What is absent comes out as None or the empty text; what is there and makes no sense is an error, so that its record is
set aside and not half taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from controller.evidence import lines
from core.net import Address

MAX_WRITTEN_NAME: Final = 1024
"""Before it is made A-labels."""
MAX_TEXT: Final = 512
MAX_PATH: Final = 2048
MAX_ANSWERS: Final = 64
MAX_HEADERS: Final = 64
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}


def address(text: object) -> Address | None:
    """Of an address; None for nothing. An IPv4 address in IPv6 clothes is IPv4. Raises ``ValueError``."""
    if text is None or text == "":
        return None
    if not isinstance(text, str) or len(text) > 45:
        raise ValueError(f"{str(text)[:60]!r} is no address")
    return lines.address(text)


def is_address(text: str) -> bool:
    try:
        return address(text) is not None
    except ValueError:
        return False


def port(text: object) -> int | None:
    """0–65535; None for nothing. Raises ``ValueError``."""
    found = whole(text)
    if found is not None and found > 65535:
        raise ValueError(f"{found} is no port")
    return found


def whole(text: object) -> int | None:
    """A count; None for nothing. Raises ``ValueError``."""
    if text is None or text == "":
        return None
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 1 << 63:
        return text
    if isinstance(text, str) and len(text) < 19 and text.isascii() and text.isdigit():
        return int(text)
    raise ValueError(f"{str(text)[:60]!r} is no count")


def added(*counts: int | None) -> int | None:
    """Their sum; None when none is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def name(text: object) -> str:
    """A host name, lower-case, as A-labels, without the dot at the end; empty for an address, or what is no name."""
    return lines.dns_name(text) if isinstance(text, str) and text and len(text) <= MAX_WRITTEN_NAME else ""


def host_and_port(text: str) -> tuple[str, int | None]:
    """``www.example.net:443``, ``[2001:db8::1]:443``, or one of them without a port. Raises ``ValueError``."""
    if text.startswith("["):
        host, end, rest = text[1:].partition("]")
        if not end or (rest and not rest.startswith(":")):
            raise ValueError(f"{text[:60]!r} is no host")
        return host, port(rest[1:])
    if text.count(":") > 1:
        return text, None
    host, _, number = text.partition(":")
    return host, port(number)


def clean(text: object, limit: int = MAX_TEXT) -> str:
    """As text that any database keeps: cut, without control characters and half characters."""
    if not isinstance(text, str):
        return "" if text is None else str(text)[:limit]
    text = text[:limit]
    if text.isprintable():
        return text
    whole_text = text.encode("utf-8", "replace").decode()  # half characters come in by JSON
    return "".join(c if c.isprintable() else "\ufffd" for c in whole_text)


def answers(found: Iterable[object]) -> tuple[str, ...]:
    """Names and addresses of a DNS answer, as they came; what is neither is left out."""
    texts = (str(address(text)) if is_address(text) else name(text) for text in found if isinstance(text, str))
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_ANSWERS]


def header_names(found: Iterable[object]) -> tuple[str, ...]:
    texts = (clean(text, 100).lower() for text in found if isinstance(text, str))
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_HEADERS]


# --- times ------------------------------------------------------------------------------------------------------------


def epoch(seconds: object) -> datetime:
    """Seconds since 1970. Raises ``ValueError``."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)  # type: ignore[arg-type]  # whatever it is, it is tried
    except (TypeError, ValueError, OverflowError, OSError) as exc:
        raise ValueError(f"{str(seconds)[:60]!r} is no time") from exc


def iso(text: object, zone: tzinfo = UTC) -> datetime:
    """ISO 8601; of a zone where it names none. Finer than microseconds is cut. Raises ``ValueError``."""
    if not isinstance(text, str) or len(text) > 60:
        raise ValueError(f"{str(text)[:60]!r} is no time")
    try:
        return _in_utc(datetime.fromisoformat(text.replace(",", ".", 1)), zone)
    except ValueError as exc:  # which speaks of Python's own rules
        raise ValueError(f"{text!r} is no time") from exc


def iso_or_epoch(value: object, zone: tzinfo = UTC) -> datetime:
    return iso(value, zone) if isinstance(value, str) and not _is_number(value) else epoch(value)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _in_utc(found: datetime, zone: tzinfo) -> datetime:
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as exc:  # the first or the last day that there is
        raise ValueError(f"{found} is no time") from exc


def month(text: str) -> int:
    """``Nov``. Raises ``ValueError``."""
    found = _MONTHS.get(text.lower())
    if found is None:
        raise ValueError(f"{text[:20]!r} is no month")
    return found


def without_year(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """``Nov 27 07:24:05``, as syslog writes: in the year that puts it nearest before ``now``. Raises ``ValueError``."""
    words = text.split()
    if len(words) != 3:
        raise ValueError(f"{text[:60]!r} is no time")
    try:
        clock = datetime.strptime(words[2], "%H:%M:%S").time()  # noqa: DTZ007  the zone comes below
    except ValueError as exc:
        raise ValueError(f"{text[:60]!r} is no time") from exc
    local = now.astimezone(zone)
    for year in (local.year + 1, local.year, local.year - 1, local.year - 2, local.year - 3, local.year - 4):
        try:
            found = datetime(year, month(words[0]), int(words[1]), tzinfo=zone)
        except ValueError:  # the 29th of February
            continue
        found = datetime.combine(found, clock, tzinfo=zone)
        if (found - local).total_seconds() < 86400:
            return _in_utc(found, zone)
    raise ValueError(f"{text[:60]!r} is no time")


def local(year: int, month_number: int, day: int, clock: str, zone: tzinfo) -> datetime:
    """A time of the wall, ``07:24:05.123``, in UTC. Raises ``ValueError``."""
    try:
        hours, minutes, seconds = clock.split(":")
        whole_seconds, _, part = seconds.partition(".")
        micro = int(part[:6].ljust(6, "0")) if part else 0
        found = datetime(year, month_number, day, int(hours), int(minutes), int(whole_seconds), micro, tzinfo=zone)
    except ValueError as exc:
        raise ValueError(f"{year}-{month_number}-{day} {clock[:40]} is no time") from exc
    return _in_utc(found, zone)


# --- JSON -------------------------------------------------------------------------------------------------------------


def json_object(text: str) -> Mapping[str, Any]:
    """One JSON object. Raises ``ValueError``."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"no JSON from its character {exc.pos + 1} on, or cut off") from exc
    if not isinstance(found, dict):
        raise ValueError("a JSON object was expected")  # noqa: TRY004  of the line, and no mistake of ours
    return found


def section(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under a key; an empty one when there is none."""
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def listed(record: Mapping[str, Any], key: str) -> list[Any]:
    """The array under a key; an empty one when there is none."""
    found = record.get(key)
    return found if isinstance(found, list) else []
