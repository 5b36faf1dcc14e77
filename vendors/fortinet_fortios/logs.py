"""Who was denied, from `execute log display`. Pure.

One line is one denied attempt. A pair's ``packets`` are its attempts in the lines that were read, at least the packets
that they name; a denied attempt carries no octets. Form: 7.x as captured (ntc-templates); older releases tell the time
in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address
from vendors.errors import Unreadable
from vendors.model import Action, FlowCount

DISPLAY: Final = "execute log display"
LOG_CUT: Final = "log cut off"
"""Not a command: the log could not be read to its end."""
LOG_TIME: Final = timedelta(seconds=20)
"""How long one answer about the log is waited for."""
PAGES: Final = 5
"""How often a search that is not over is asked to go on."""
PER_PAGE: Final = 1_000

_FOUND: Final = re.compile(r"^(\d+) logs? found\.", re.MULTILINE)
_RETURNED: Final = re.compile(r"^(\d+) logs? returned\.", re.MULTILINE)
_PARTIAL: Final = re.compile(r"^[\d.]+% of logs has been searched\.", re.MULTILINE)
_ROW: Final = re.compile(r"^\d+: (?=\w+=)(.*)$", re.MULTILINE)
_FIELD: Final = re.compile(r'(\w+)=(?:"([^"]*)"|(\S*))')
_ZONE: Final = re.compile(r"([+-])(\d\d):?(\d\d)")


def is_partial(text: str) -> bool:
    """Whether the search behind an answer is not over: the same question goes on with it."""
    return _PARTIAL.search(text) is not None


def question(policy: int, page: int) -> str:
    """What an answer is called in a reading: the line that is sent is the same each time."""
    return f"{DISPLAY} {policy} {page}"


def filters(policy: int, *, device: str, rows: int) -> tuple[str, ...]:
    """What is set before a search. It lives in this login alone."""
    return (
        "execute log filter reset",
        f"execute log filter device {device}",
        "execute log filter category traffic",
        f"execute log filter field policyid {policy}",
        "execute log filter field action deny",
        f"execute log filter view-lines {min(rows, PER_PAGE)}",
        "execute log filter start-line 1",
    )


def flows_from(parts: Mapping[str, str], policies: set[int]) -> tuple[tuple[FlowCount, ...], bool]:
    """Pairs of source and destination by all answers of a reading, and whether some may be missing."""
    answers = {name: text for name, text in parts.items() if name.startswith(f"{DISPLAY} ")}
    pairs: dict[tuple[Address, Address], list[tuple[int, datetime]]] = {}
    cut = LOG_CUT in parts
    for text in answers.values():
        rows, more = rows_from(text)
        cut = cut or more
        for row in rows:
            if row.get("policyid") in {str(number) for number in policies} and row.get("action") == "deny":
                pair = _pair(row)
                if pair is not None:
                    pairs.setdefault(pair, []).append((int(row.get("sentpkt") or 0), _seen(row)))
    flows = (
        FlowCount(
            action=Action.DENY,
            source=source,
            destination=destination,
            packets=max(sum(packets for packets, _ in seen), len(seen)),
            octets=None,
            last_seen=max(at for _, at in seen),
        )
        for (source, destination), seen in pairs.items()
    )
    return tuple(sorted(flows, key=lambda flow: (str(flow.source), str(flow.destination)))), cut


def rows_from(text: str) -> tuple[list[Mapping[str, str]], bool]:
    """The lines of one answer by field, and whether there are more. Raises ``Unreadable`` when some are missing."""
    found, returned = _FOUND.search(text), _RETURNED.search(text)
    if found is None or returned is None:
        raise Unreadable(f"the log's answer is not understood: {text.strip()[:80]!r}")
    rows = [_fields(match[1]) for match in _ROW.finditer(text)]
    if len(rows) < int(returned[1]):
        raise Unreadable(f"the log says {returned[1]} lines and shows {len(rows)}: it was cut off")
    return rows, int(found[1]) > len(rows) or is_partial(text)


def _fields(row: str) -> Mapping[str, str]:
    return {key: quoted or bare for key, quoted, bare in _FIELD.findall(row)}


def _pair(row: Mapping[str, str]) -> tuple[Address, Address] | None:
    try:
        return ip_address(row["srcip"]), ip_address(row["dstip"])
    except (KeyError, ValueError):
        return None


def _seen(row: Mapping[str, str]) -> datetime:
    """``eventtime`` counts nanoseconds; seconds in old releases, and any power of ten between reads as such."""
    try:
        if row.get("eventtime"):
            number = int(row["eventtime"])
            return datetime.fromtimestamp(number / 10 ** max(0, len(str(number)) - 10), UTC)
        local = datetime.fromisoformat(f"{row['date']} {row['time']}")
        return (local - _offset(row.get("tz", ""))).replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError) as exc:
        raise Unreadable(f"a line of the log has no time: {dict(row)}"[:200]) from exc


def _offset(zone: str) -> timedelta:
    found = _ZONE.fullmatch(zone)
    if found is None:
        return timedelta()
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -size if found[1] == "-" else size


def pages(limit: int) -> Iterator[int]:
    yield from range(1, min(PAGES, limit) + 1)
