"""What goes wrong on an emulated device, on purpose: the session that dies, the answer that is cut, the slow line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Moment = Literal["before", "after"]


@dataclass(slots=True)
class Faults:
    """Of one device, over all its sessions. Set by tests; counted down as lines arrive.

    ``drop_at``: the session dies at the line with this number, counted from 1 over all sessions since it was set:
    ``before`` the device acts on it, or ``after`` it has, and before the prompt. ``cut``: so many characters of its
    answer still come through. ``latency``: seconds before each answer.
    """

    drop_at: int | None = None
    moment: Moment = "before"
    cut: int = 0
    latency: float = 0.0
    lines: int = 0
    """How many lines have arrived."""

    def arm(self, line: int, moment: Moment, *, cut: int = 0) -> None:
        """The session dies at the ``line``-th line from now on, once."""
        self.drop_at, self.moment, self.cut, self.lines = line, moment, cut, 0

    def heard(self, line: str, answer: str) -> str:
        """What comes of an answer, with its prompt behind it: all of it, unless a test loses some."""
        return answer

    def next_line(self, _: str) -> tuple[int | None, int | None]:
        """How many characters still come when the session dies before, or after, this line is acted on."""
        self.lines += 1
        if self.drop_at != self.lines:
            return None, None
        self.drop_at = None
        return (self.cut, None) if self.moment == "before" else (None, self.cut)
