"""Indicators as JSON, and back: one form for snapshots and for what a source said last.

Pure. Reading raises one of ``MISWRITTEN`` on anything that was not written here; the caller knows what that means for
it. Provenance repeats itself a hundred thousand times, so each is written once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from core.net import DomainName, Network, parse_network
from ipsets.model import Confidence, Dedication, Indicator, Provenance

_BREAK: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLOCK: Final = 1 << 16  # characters
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")

MISWRITTEN: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading stored JSON raises that was not written here, whatever it is."""


def lines_of(text: str, *, block: int = _BLOCK) -> Iterator[str]:
    """As ``text.splitlines()``, some at a time: all lines of a long text at once have many times its size."""
    start = 0
    while start < len(text):
        found = _BREAK.search(text, start + block)
        end = found.end() if found else len(text)
        yield from text[start:end].splitlines()
        start = end


def rows_of(text: str, *, block: int = _BLOCK) -> Iterator[str]:
    """As ``text.split("\\n")``, some at a time: for lines that may hold other breaks inside, as those of JSON."""
    start = 0
    while (end := text.find("\n", start + block)) >= 0:
        yield from text[start:end].split("\n")
        start = end + 1
    yield from text[start:].split("\n")


def one_line(text: str, limit: int) -> str:
    """What strangers wrote, fit for a log, a terminal and the store: printable, single spaces, at most ``limit``.

    What is not printable (control characters, half characters that no encoding can hold) becomes a space.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())[:limit]


MAX_VALUES: Final = 10_000_000
"""Of a stranger's JSON. All payloads of the RPKI, the most that any source reads, have about five million."""


def read_json(text: str, *, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """A stranger's JSON as ``json.loads`` reads it, unless it would need many times its own size in memory.

    Raises ``ValueError``, or ``RecursionError`` when it is too deep.
    """
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    return json.loads(text, object_hook=object_hook)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry_text(value: Network | DomainName) -> str:
    """A network as CIDR; a name with a leading dot when it covers everything below."""
    if isinstance(value, DomainName):
        return f".{value.name}" if value.suffix else value.name
    return str(value)


def read_entry(text: str) -> Network | DomainName:
    """The inverse of ``entry_text``. Raises ``ValueError``."""
    if "/" in text:
        return parse_network(text)
    return read_domain(text)


def read_domain(text: str) -> DomainName:
    """The same for a name. Raises ``ValueError`` on what is no host name: it would be carried as far as a device."""
    name = text.removeprefix(".")
    if not _HOST.fullmatch(name):
        raise ValueError(f"{text[:60]!r} is no name")
    return DomainName(name, suffix=text.startswith("."))


def worded(value: Any) -> str:
    """Text that stands in stored JSON. Raises ``TypeError`` on anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{one_line(repr(value), 60)} is no text")
    return value


def pack(indicators: Iterable[Indicator]) -> dict[str, Any]:
    """Plain data: a table of provenances, and the entries that point into it."""
    table: dict[Provenance, int] = {}
    entries = [
        [
            entry_text(i.value),
            i.app,
            i.category,
            i.confidence.value,
            i.dedication.value,
            [table.setdefault(p, len(table)) for p in i.sources],
        ]
        for i in indicators
    ]
    return {"provenance": [_pack_provenance(p) for p in table], "entries": entries}


def _pack_provenance(provenance: Provenance) -> list[str]:
    return [
        provenance.source,
        provenance.first_seen.isoformat(),
        provenance.last_seen.isoformat(),
        provenance.detail,
    ]


def unpack(packed: Any) -> tuple[Indicator, ...]:
    """The inverse of ``pack``."""
    table = [_unpack_provenance(*fields) for fields in packed["provenance"]]
    return tuple(
        Indicator(
            value=read_entry(entry),
            app=str(app),
            category=str(category),
            confidence=Confidence(confidence),
            dedication=Dedication(dedication),
            sources=tuple(table[at] for at in sources),
        )
        for entry, app, category, confidence, dedication, sources in packed["entries"]
    )


def _unpack_provenance(source: str, first_seen: str, last_seen: str, detail: str) -> Provenance:
    return Provenance(
        source=worded(source), first_seen=instant(first_seen), last_seen=instant(last_seen), detail=worded(detail)
    )


def utc_instant(text: str) -> datetime:
    """An aware datetime of a service whose times are UTC and do not say so. Raises ``ValueError``."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def instant(text: str) -> datetime:
    """An aware datetime. Raises ``ValueError``."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at
