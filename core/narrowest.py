"""Which of many networks is the narrowest that holds an address: asked often, by bisection over disjoint pieces."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

from core.net import Address, Network, span_of

T = TypeVar("T")


class Narrowest(Generic[T]):
    """Networks, each with something that is said of it; of one that is given twice, the first counts."""

    __slots__ = ("_said", "_starts")

    def __init__(self, networks: Iterable[tuple[Network, T]]) -> None:
        self._starts: dict[int, list[int]] = {4: [], 6: []}
        self._said: dict[int, list[T | None]] = {4: [], 6: []}
        found: dict[int, dict[tuple[int, int], T]] = defaultdict(dict)
        for network, said in networks:
            first, last = span_of(network)
            found[network.version].setdefault((first, -last), said)  # sorted so, the wider comes first
        for version, spans in found.items():
            self._build(version, [(first, -last, spans[first, last]) for first, last in sorted(spans)])

    def find(self, address: Address) -> T | None:
        """What is said of the narrowest network that holds it; None: none does."""
        version = address.version
        at = bisect_right(self._starts[version], int(address)) - 1
        return self._said[version][at] if at >= 0 else None

    def _build(self, version: int, spans: list[tuple[int, int, T]]) -> None:
        """Networks nest or are apart, so those that are open form a stack, the narrowest on top."""
        open_: list[tuple[int, T]] = []
        for first, last, said in spans:
            self._close(version, open_, first)
            self._cut(version, first, said)
            open_.append((last, said))
        self._close(version, open_, None)

    def _close(self, version: int, open_: list[tuple[int, T]], until: int | None) -> None:
        while open_ and (until is None or open_[-1][0] < until):
            last, _ = open_.pop()
            self._cut(version, last + 1, open_[-1][1] if open_ else None)

    def _cut(self, version: int, at: int, said: T | None) -> None:
        starts, known = self._starts[version], self._said[version]
        if starts and starts[-1] == at:
            known[-1] = said
        else:
            starts.append(at)
            known.append(said)
