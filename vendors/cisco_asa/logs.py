"""Who met our entries: messages 106100 and 106023 in the log buffer. Pure.

A pair of source and destination keeps all its messages as long as the last is younger than an hour. The buffer is
short: what has left it is not known, so that a busy device tells the latest sources and not all of them.

Source: ASA syslog messages, 106023 and 106100; published samples in cisco-asa-syslog and logstash-patterns-core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address
from vendors.cisco_asa import facts
from vendors.model import Action, FlowCount

LOGGING: Final = "show logging"
LOG_TIME: Final = timedelta(seconds=20)
"""How long the buffer is waited for."""
IDLE: Final = timedelta(hours=1)
MOST_LINES: Final = 50_000
"""The newest that are looked at; the largest buffer holds about a fifth of that."""

_MESSAGE: Final = re.compile(
    r"(?:(?P<at>[A-Z][a-z]{2} +\d{1,2} \d{4} \d{2}:\d{2}:\d{2})(?:\.\d+)?[^%]*)?"
    r"%ASA-(?:[a-z]+-)?\d-(?P<id>106\d{3}): (?P<text>.*)"
)
_HASHES: Final = r".*\[0x(?P<one>[0-9a-f]+), 0x(?P<other>[0-9a-f]+)\]\s*"
_COUNTED: Final = re.compile(
    r"access-list \S+ denied \S+ [^\s/]+/(?P<source>[^\s(]+)(?:\([^)]*\))+"
    r" -> [^\s/]+/(?P<destination>[^\s(]+)(?:\([^)]*\))+ hit-cnt (?P<count>\d+) " + _HASHES
)
_DENIED: Final = re.compile(
    r"Deny (?:protocol )?\S+ src [^\s:]+:(?P<source>[^\s/(]+)(?:/\S+)?(?: ?\([^)]*\))?"
    r" dst [^\s:]+:(?P<destination>[^\s/(]+)" + _HASHES
)
_FULL: Final = "106101"


@dataclass(slots=True)
class _Pair:
    packets: int
    last: datetime


def flows_from(log: str, clock: str, hashes: set[int], now: datetime) -> tuple[tuple[FlowCount, ...], bool]:
    """The pairs of the last hour, and whether some are surely missing. ``hashes``: of our entries and elements."""
    behind = _behind(clock, now)
    pairs: dict[tuple[Address, Address], _Pair] = {}
    missing = "Buffer logging: level" not in log
    for match in _messages(log):
        if match["id"] == _FULL:
            missing = True
            continue
        found = (_COUNTED if match["id"] == "106100" else _DENIED).fullmatch(match["text"])
        if found is None or not {int(found["one"], 16), int(found["other"], 16)} & hashes:
            continue
        source, destination = _address(found["source"]), _address(found["destination"])
        if match["at"] is None or source is None or destination is None:
            missing = True  # without a time, or with a name for an address
            continue
        at = _moment(match["at"]) - behind
        count = int(found.groupdict().get("count") or 1)
        pair = pairs.setdefault((source, destination), _Pair(0, at))
        pair.packets, pair.last = pair.packets + count, max(pair.last, at)
    return tuple(_flows(pairs, now)), missing


def _messages(log: str) -> Iterator[re.Match[str]]:
    for line in log.splitlines()[-MOST_LINES:]:
        match = _MESSAGE.fullmatch(line.strip())
        if match is not None and match["id"] in ("106100", "106023", _FULL):
            yield match


def _flows(pairs: dict[tuple[Address, Address], _Pair], now: datetime) -> Iterator[FlowCount]:
    for (source, destination), pair in pairs.items():
        if now - pair.last <= IDLE:
            yield FlowCount(
                action=Action.DENY,
                source=source,
                destination=destination,
                packets=pair.packets,
                octets=None,
                last_seen=min(pair.last, now),
            )


def _behind(clock: str, now: datetime) -> timedelta:
    """How far the device's clock face is ahead of UTC, zone and all, to a quarter of an hour; 0 when it is not told."""
    shown = facts.wall_time(clock)
    if shown is None:
        return timedelta()
    quarter = timedelta(minutes=15)
    return round((shown.replace(tzinfo=UTC) - now) / quarter) * quarter


def _moment(text: str) -> datetime:
    return datetime.strptime(" ".join(text.split()), "%b %d %Y %H:%M:%S").replace(tzinfo=UTC)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
