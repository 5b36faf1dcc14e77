"""Workspace mode: what one session has staged, and what it keeps others from touching meanwhile.

Source: administration guide, workspace mode (6.2 and later).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.config import Change, Config, Key
from lab.emulators.fortios.switches import LockText

WARNINGS: Final = (30, 20, 10)
UNCHANGEABLE: Final = frozenset({"system console"})
"""What cannot be configured inside a transaction, of the tables that are known here."""
UNCHANGEABLE_FIELDS: Final = frozenset({("system global", "vdom-mode")})


@dataclass(slots=True, kw_only=True)
class Transaction:
    """Staged in ``view``; played on the box at commit. Lives on when its session is gone, until its time is out."""

    number: int
    view: Config
    seconds: float
    touched: float  # when the session last did anything
    changes: list[Change] = field(default_factory=list)

    def expires(self) -> float:
        return self.touched + self.seconds

    def warnings(self, before: float, now: float) -> str:
        """What was printed between these two times."""
        due = ((self.expires() - left, f"will expire in {left} seconds") for left in WARNINGS)
        said = [text for at, text in (*due, (self.expires(), "has expired")) if before < at <= now]
        return "".join(f"config transaction id={self.number} {text}\n" for text in said)


def locked(text: LockText) -> Refusal:
    """Both readings of the guide's quotation."""
    if text is LockText.WRAPPED:
        return Refusal(
            "Can not config the object since either the object or the referenced objects\n"
            "are being configured by other transactions.\n"
            "Command fail. Return code 14\n"
        )
    return Refusal(
        "Can not config the object since either the object or the referenced objects "
        "are being configured by other transactions.\n"
        "Command fail Return code 14\n"
    )


@dataclass(slots=True, kw_only=True)
class Locks:
    """Who holds what."""

    held: dict[Key, int] = field(default_factory=dict)

    def is_held(self, key: Key, by_other_than: int | None) -> bool:
        return self.held.get(key, by_other_than) != by_other_than

    def take(self, key: Key, number: int) -> None:
        self.held.setdefault(key, number)

    def release(self, number: int) -> None:
        self.held = {key: holder for key, holder in self.held.items() if holder != number}
