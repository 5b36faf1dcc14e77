"""FortiOS with ``set format csv``: the same keys and values as its own form, with commas between.

Source: FortiOS CLI reference, ``config log syslogd setting``; lines published of 5.x to 7.x. What 4.x called otherwise
(``src``, ``log_id``) is of no known format.
"""

from __future__ import annotations

import re
from typing import Final

from controller.evidence.firewalls import fortios
from controller.evidence.lines import Unfit
from controller.evidence.model import Sighting
from controller.evidence.syslog import Message

_BEGIN: Final = re.compile(r"(?:^|[ ,])date=\d{4}-\d\d-\d\d,time=")
_PAIR: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_.-]*)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^",]*))(?:,|$)|(.+)', re.DOTALL)
"""The last alternative takes all that is none: where it took anything, the line is cut, or something else."""
_ESCAPED: Final = re.compile(r'\\(["\\])')
_MOST: Final = 400


def claims(message: Message) -> bool:
    text = message.text
    return (
        text.find(",time=", 0, 300) >= 0
        and "logid=" in text
        and ",type=" in text
        and _BEGIN.search(text, 0, 300) is not None
    )


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    return fortios.said_by(_pairs(message.text, whole=message.whole), message, sensor)


def _pairs(text: str, *, whole: bool) -> dict[str, str]:
    """The first of two of one name counts. Where the line may be cut, a last value without quotes is left out."""
    found = _BEGIN.search(text, 0, 300)
    assert found is not None  # or it was not claimed
    if text.count("=") > _MOST:
        raise Unfit("a record of FortiOS with too many values")
    every = _PAIR.findall(text, text.index("date=", found.start()))
    if every[-1][3]:
        raise Unfit("a record of FortiOS that is cut off, or holds what is no key=value")
    known = {name: _ESCAPED.sub(r"\1", quoted) or plain for name, quoted, plain, _ in reversed(every)}
    if not whole and not text.endswith('"'):
        known.pop(every[-1][0], None)
    return known
