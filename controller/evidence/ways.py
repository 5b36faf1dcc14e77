"""Ways round a block that clients took: since when, and how they were seen. One process remembers so many.

Only of sites that ask about evasion: of others there are no signs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.evidence.judging import Sign
from controller.evidence.model import Channel

REMEMBERED: Final = 50_000


@dataclass(slots=True)
class Way:
    """One client's use of one tunnel. ``first``: its earliest sign, whenever that came in."""

    first: Sign
    channels: set[Channel]


class Ways:
    """Not safe to use from several threads at once. Those that were not taken for longest are forgotten first."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._of: OrderedDict[str, dict[str, Way]] = OrderedDict()
        self._held = 0

    def note(self, tunnels: Iterable[Sign]) -> list[datetime]:
        """Take them in. Returns when something may follow from them: their times, and beginnings that they moved."""
        times = list[datetime]()
        for sign in tunnels:
            mine = self._of.setdefault(sign.client, {})
            self._of.move_to_end(sign.client)
            way = mine.get(sign.thread)
            if way is None:
                way = mine[sign.thread] = Way(first=sign, channels=set())
                self._held += 1
            elif sign.at < way.first.at:
                times.append(way.first.at)
                way.first = sign
            way.channels.add(sign.channel)
            times.append(sign.at)
        while self._held > self._most:
            self._held -= len(self._of.popitem(last=False)[1])
        return times

    def of(self, client: str) -> tuple[Way, ...]:
        """In the order in which they began."""
        return tuple(sorted(self._of.get(client, {}).values(), key=lambda way: (way.first.at, way.first.thread)))


__all__ = ["Way", "Ways"]
