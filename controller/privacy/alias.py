"""Whom a pseudonym stands for, as a list is narrowed by it: for the store alone, and told to nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from controller.model import Window

PSEUDONYM: Final = re.compile(r"(?:client|user)-[a-z2-7]{12}", re.ASCII)
"""As ``controller.privacy.veil`` makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """In what ended inside the window, the pseudonym is one of these: addresses and hosts, or users."""

    window: Window
    clients: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()


__all__ = ["PSEUDONYM", "Alias"]
