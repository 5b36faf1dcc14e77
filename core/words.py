"""Numbers in sentences."""

from __future__ import annotations


def count_of(number: int, what: str) -> str:
    """``1 site``, ``2 sites``: of nouns that take an s."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
