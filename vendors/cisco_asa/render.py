"""What would be sent, as text: for people, and for ``apply`` to carry. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from vendors.adapter import Script
from vendors.cisco_asa.target import Batch

ENTER: str = "configure terminal"
LEAVE: str = "end"
SAVE: str = "write memory"


def script_of(batches: Iterable[Batch], *, context: str | None, saves: bool) -> Script:
    """Exactly the lines that are sent, in order, from the login on."""
    change = [line for batch in batches for line in batch.lines]
    lines = [
        *([f"changeto context {context}"] if context else []),
        *((ENTER, *change, LEAVE) if change else ()),
        *([SAVE] if saves else []),
    ]
    return Script(
        text="".join(f"{line}\n" for line in lines),
        commands=(
            "read again and compare",
            *lines[:1],
            "the lines",
            "read back and compare",
            *([SAVE] if saves else []),
        ),
    )
