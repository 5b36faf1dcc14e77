"""What nameless records are about: flows and denies, named by the records that know. Pure but for what it remembers.

Of one connection its own ClientHello, request or number says it; else the client's DNS answer, within half an hour. A
client that knows an address, or a connection, by a name that is foreign may mean that one: then nothing is said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from controller.evidence.judging import Sign, keys_of, learnable, spelled
from controller.evidence.model import Channel, Sighting
from controller.evidence.spans import Spans, is_near, widen
from core.ids import SiteName
from core.net import Address

REACH: Final = timedelta(minutes=30)
"""So far from a DNS answer a connection is taken to be about its name."""
WAIT_MOST: Final = 32_000
"""Records that wait for one that names them, or say that a name is foreign; in one process."""
WAIT_MOST_EACH: Final = 1_000
"""Of one client."""
FOREIGN: Final = ""


@dataclass(slots=True)
class Names:
    """What connections and addresses of clients are called, and when."""

    sources: set[Address] = field(default_factory=set)  # of clients of whom something is known
    _known: dict[str, dict[str, Spans]] = field(default_factory=dict)
    _places: set[str] = field(default_factory=set)  # addresses of which something is known

    def __bool__(self) -> bool:
        return bool(self._known)

    def learn(self, sign: Sign) -> None:
        """What this sign says of others of its connection or address."""
        for key in sign.learned:
            self.recall(key, sign.thread, sign.at)
        if sign.learned and sign.source is not None:
            self.sources.add(sign.source)

    def recall(self, key: str, name: str, *times: datetime) -> None:
        """What was learned of earlier evidence, seen at these times."""
        if (place := _place_in(key)) is not None:
            self._places.add(place)
        for at in times:
            widen(self._known.setdefault(key, {}).setdefault(name, []), at, REACH)

    def may_concern(self, one: Sighting) -> bool:
        """Whether it can bear a key that is known; much cheaper than to make its keys."""
        if one.destination is not None and spelled(one.destination) in self._places:
            return True
        if one.channel is Channel.DNS and not self._places.isdisjoint(one.answers):
            return True
        return bool(one.uid) and (one.destination is None or f"u {one.sensor} {one.uid}" in self._known)

    def doubt(self, foreign: Iterable[Sighting]) -> None:
        """Records under names that mean nothing here: what else bears their keys may be about those."""
        for one in filter(self.may_concern, foreign):
            for key in learnable(one):
                widen(self._known.setdefault(key, {}).setdefault(FOREIGN, []), one.at, REACH)

    def of(self, nameless: Sighting) -> str:
        """What it is about; empty: nobody says, or two things."""
        for key in keys_of(nameless) if self.may_concern(nameless) else ():
            names = self._known.get(key, {})
            near = [n for n, spans in names.items() if _is_lasting(key) or is_near(spans, nameless.at, REACH)]
            if near:
                return FOREIGN if FOREIGN in near else min(near)
        return FOREIGN


def _place_in(key: str) -> str | None:
    """The other side's address, of keys that have it."""
    kind, *parts = key.split(" ")
    return parts[1] if kind == "d" else parts[2] if kind == "t" else None


def _is_lasting(key: str) -> bool:
    """A number is of one connection alone; ports and addresses are used again."""
    return key.startswith("u ")


class Waiting:
    """Records of late that have no name, and those whose name is foreign, by client; of bounded number.

    Not safe to use from several threads at once.
    """

    def __init__(self, most: int = WAIT_MOST, most_each: int = WAIT_MOST_EACH) -> None:
        self._most, self._most_each = most, most_each
        # lists: most clients have one or two, and an empty deque has room for 64 already
        self._of: OrderedDict[Address, list[tuple[Sighting, SiteName | None]]] = OrderedDict()
        self._held = 0
        self.forgotten = 0  # for want of room

    def __len__(self) -> int:
        return self._held

    def add(self, seen: Iterable[tuple[Sighting, SiteName | None]]) -> None:
        """Each with the site that it was brought with. Those not heard of for longest are forgotten first."""
        for one, site in seen:
            if one.source is None:
                continue
            mine = self._of.get(one.source)
            if mine is None:
                mine = self._of[one.source] = []
            self._of.move_to_end(one.source)
            mine.append((one, site))
            self._held += 1
            if len(mine) > self._most_each:
                self._forget(mine)
        while self._held > self._most:
            gone = len(self._of.popitem(last=False)[1])
            self._held -= gone
            self.forgotten += gone

    def _forget(self, mine: list[tuple[Sighting, SiteName | None]]) -> None:
        """The oldest of one client; some at once, as each time all that stay are moved."""
        gone = len(mine) - self._most_each + self._most_each // 16
        del mine[:gone]
        self._held -= gone
        self.forgotten += gone

    @property
    def sources(self) -> Collection[Address]:
        """Of whom there is something."""
        return self._of.keys()

    def nameless(self, sources: Iterable[Address]) -> Iterator[tuple[Sighting, SiteName | None]]:
        """Of these clients, with the site that they were brought with."""
        return ((one, site) for source in sources for one, site in self._of.get(source, ()) if not one.name)

    def foreign(self, sources: Iterable[Address]) -> Iterator[Sighting]:
        """What these clients did under other names."""
        return (one for source in sources for one, _ in self._of.get(source, ()) if one.name)

    def drop(self, joined: Collection[tuple[Sighting, SiteName | None]]) -> None:
        """Those that found their name."""
        gone = {id(one) for one, _ in joined}
        for source in {one.source for one, _ in joined if one.source in self._of}:
            assert source is not None
            left = [kept for kept in self._of[source] if id(kept[0]) not in gone]
            self._held -= len(self._of[source]) - len(left)
            if left:
                self._of[source] = left
            else:
                del self._of[source]


__all__ = ["REACH", "WAIT_MOST", "WAIT_MOST_EACH", "Names", "Waiting"]
