"""How a source has behaved since it was first asked, kept with its record. Pure; ``watch`` says what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from ipsets.text import instant

Rule: TypeAlias = Literal["unchanged", "growth"]

APP: Final = "(watched)"
"""The app of words that do not count: of no service, and no name that a source or a catalogue can give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A source's new words do not count since then, and why. ``entries`` and ``addresses_v4``: its size before."""

    rule: Rule
    since: datetime
    reason: str
    entries: int
    addresses_v4: int
    changes: int
    """How often it had changed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """None: not known, for records of older versions and for sources that never answered."""

    asked: str = ""
    """What was asked, as a digest of the configuration: asked another thing, a source is a new one."""
    first_success: datetime | None = None
    changed_at: datetime | None = None
    """When it said something else than before; its first answer, when it never did."""
    changes: int = 0
    trusted_at: datetime | None = None
    """When a person last vouched for it."""
    watch: Watch | None = None


NEW: Final = Conduct()


def pack_conduct(conduct: Conduct) -> dict[str, Any]:
    """Plain data."""
    watch = conduct.watch
    return {
        "asked": conduct.asked,
        "first_success": _text(conduct.first_success),
        "changed_at": _text(conduct.changed_at),
        "changes": conduct.changes,
        "trusted_at": _text(conduct.trusted_at),
        "watch": None
        if watch is None
        else {
            "rule": watch.rule,
            "since": watch.since.isoformat(),
            "reason": watch.reason,
            "entries": watch.entries,
            "addresses_v4": watch.addresses_v4,
            "changes": watch.changes,
        },
    }


def unpack_conduct(packed: Mapping[str, Any] | None) -> Conduct:
    """The inverse; ``None`` is a record of an older version. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    if packed is None:
        return NEW
    watch = packed["watch"]
    return Conduct(
        asked=packed["asked"],
        first_success=_instant(packed["first_success"]),
        changed_at=_instant(packed["changed_at"]),
        changes=packed["changes"],
        trusted_at=_instant(packed["trusted_at"]),
        watch=None if watch is None else Watch(**{**watch, "since": instant(watch["since"])}),
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _instant(text: str | None) -> datetime | None:
    return instant(text) if text is not None else None
