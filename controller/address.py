"""Where a store in PostgreSQL lies: the server's address as it is written, and where its password is kept.

The password is never a part of the address: it is a reference, read at each new connection and nowhere else (I9).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from core.secret import SecretRef

_SCHEMES: Final = ("postgresql", "postgresql+psycopg")
_SECRET: Final = re.compile(r"pass|secret", re.IGNORECASE)
_DATABASE: Final = re.compile(r"/[^/@:]+")
_EXPECTED: Final = "expected an address such as postgresql+psycopg://tokgate@db.example/tokgate"


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Safe to print, store and log."""

    url: str  # postgresql+psycopg://user@host:port/database?options-of-libpq
    password: SecretRef | None = None

    def __str__(self) -> str:
        """Without the options: what messages call it."""
        parts = urlsplit(self.url)
        return f"postgresql://{parts.netloc}{parts.path}"


def checked_address(url: str) -> str:
    """The address in one spelling. Raises ``ValueError``, without the text: a password may stand in it by mistake."""
    try:
        parts = urlsplit(url)
        given = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        known = parts.scheme in _SCHEMES and _DATABASE.fullmatch(parts.path) is not None and not parts.fragment
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if parts.password is not None or any(_SECRET.search(name) and name != "passfile" for name in given):
        raise ValueError("expected an address without a password: TOKGATE_DATABASE_PASSWORD refers to it by secret://…")
    if not known or not port_is_a_number:
        raise ValueError(_EXPECTED)
    return f"postgresql+psycopg://{url.partition('://')[2]}"
