"""Files of syslog with the logs of firewalls in them, as a collector writes them. Pure.

What a line says is read as if it had come in (``controller.evidence.firewalls``); its time must stand in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.evidence import firewalls, syslog
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.lines import Unfit
from controller.evidence.model import Sighting

_HALF_A_YEAR: Final = timedelta(days=182, hours=12)
_ANY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LOOKED_AT: Final = 50
"""Lines of a beginning: a collector mixes what many programs write."""


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """Line by line."""
    return by_line(stream, reading, lambda text: _sightings(text, reading))


def _sightings(text: str, reading: Reading) -> Iterator[Sighting]:
    """Raises ``Unfit``."""
    near = reading.latest - _HALF_A_YEAR  # a time without a year is of the last twelve months
    message = syslog.parse(text.encode(), near, zone=reading.zone)
    for found in firewalls.read(message, reading.writer):
        if not message.timed and found.at == near:
            raise Unfit("a message without its time")
        yield replace(found, uid=f"{message.host}/{found.uid}" if found.uid else "")  # each device counts its own


def fits(head: str) -> bool:
    """Whether a beginning looks like it."""
    return any(map(_is_known, head.splitlines()[:_LOOKED_AT]))


def _is_known(line: str) -> bool:
    try:
        return firewalls.format_of(syslog.parse(line[: syslog.LIMIT].encode(), _ANY)) is not None
    except Unfit:
        return False
