"""What would be sent, as text for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from vendors.adapter import Script
from vendors.cisco_asa.talk import ENTER, LEAVE, SAVE
from vendors.cisco_asa.target import Batch


def script_of(batches: Iterable[Batch], *, context: str | None, saves: bool) -> Script:
    """Exactly the lines that are sent, in order, from the login on; `write memory` follows the read-back."""
    change = [line for batch in batches for line in batch.lines]
    lines = [
        *([f"changeto context {context}"] if context else []),
        *((ENTER, *change, LEAVE) if change else ()),
        *([SAVE] if saves else []),
    ]
    return Script(text="".join(f"{line}\n" for line in lines))
