"""Names of machines and people as they can be compared: each writer spells them in its own way. Pure."""

from __future__ import annotations

from typing import Final

_SIGNS: Final = "\\/"


def plain_host(name: str) -> str:
    """A machine's name as it can be compared: ``LAPTOP-7$``, ``laptop-7`` and ``laptop-7.corp.example`` are one."""
    return name.strip().casefold().rstrip("$.").partition(".")[0]


def plain_user(name: str) -> str:
    """The name of an account: ``CORP\\anna``, ``anna@corp.example`` and ``anna`` are one."""
    plain = name.strip().casefold()
    for sign in _SIGNS:
        plain = plain.rpartition(sign)[2]
    return plain.partition("@")[0]


__all__ = ["plain_host", "plain_user"]
