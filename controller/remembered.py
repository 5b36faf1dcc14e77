"""What was made of values that nobody can change, kept for as long as the values are the very same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MOST: Final = 10_000


class Remembered(Generic[K, V]):
    """Safe to use from any number of threads: what two of them make at once is alike.

    By identity: to compare or hash a value of thirty fields costs more than what is made of it.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._made: dict[int, tuple[K, object, V]] = {}

    def of(self, value: K, beside: object, make: Callable[[], V]) -> V:
        """What ``make`` makes of the value and what is ``beside`` it, which is compared."""
        known = self._made.get(id(value))
        if known is not None and known[0] is value and known[1] == beside:  # it is held here, so its id is its own
            return known[2]
        if len(self._made) >= self._most:
            self._made.clear()
        made = make()
        self._made[id(value)] = (value, beside, made)
        return made
