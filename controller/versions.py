"""Which version of a thing a change was decided on: ``If-Match``, as the store asks for it in the change's transaction.

A caller who read version A and sends a change with it is refused when the thing is at version B by then, also when both
come in the same moment. Who names no version is not asked for one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, Final

from controller.errors import ChangedMeanwhile
from controller.model import Emergency, Token
from controller.people import Person
from controller.webhooks import Webhook

ANY: Final = "*"


@dataclass(slots=True)
class _Expected:
    versions: frozenset[str]
    is_met: bool = False


_EXPECTED: ContextVar[_Expected | None] = ContextVar("expected", default=None)


def version_of(text: str) -> str:
    """Names the version of a thing by all that it says."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def token_version(token: Token) -> str:
    return _of_value(token, moving={"last_used_at"})


def person_version(person: Person) -> str:
    return _of_value(person, moving={"failures", "last_sign_in_at"})


def emergency_version(emergency: Emergency) -> str:
    return _of_value(emergency, moving={"nagged_at"})


def webhook_version(hook: Webhook) -> str:
    moving = {"failures", "failing_since", "retry_at", "last_error", "delivered_at", "dropped"}
    return _of_value(hook, moving=moving)


def _of_value(value: Any, *, moving: set[str]) -> str:
    """By all its fields but those that move without a decision."""
    said = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in moving}
    return version_of(json.dumps(said, default=_plain, sort_keys=True))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


@contextmanager
def expecting(versions: frozenset[str] | None) -> Iterator[None]:
    """What the block changes has to be at one of these versions; ``None``: at any."""
    before = _EXPECTED.set(None if versions is None else _Expected(versions))
    try:
        yield
    finally:
        _EXPECTED.reset(before)


def refuse_changed(version: str, *, what: str, ahead: bool = False) -> None:
    """Raises ``ChangedMeanwhile`` when the thing is not at a version that is expected here.

    The first thing that is compared is the one that the change is about; what follows from it is not asked. ``ahead``:
    before the change, which asks again.
    """
    expected = _EXPECTED.get()
    if expected is None or expected.is_met:
        return
    if ANY not in expected.versions and version not in expected.versions:
        raise ChangedMeanwhile(f"{what} is not as you know it any more", hint="look at it again, then decide anew")
    expected.is_met = not ahead
