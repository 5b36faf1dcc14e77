"""Passwords of local accounts: what is taken for one, and what is kept of it (argon2id, RFC 9106).

Nothing here knows a person. At most two are worked on at once: each takes 64 MiB for a moment.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Final

from controller.errors import Invalid
from core.secret import Secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH: Final = 14
MAX_BYTES: Final = 1024
_AT_ONCE = threading.BoundedSemaphore(2)


def check_password(password: Secret, *, name: str) -> None:
    """Raises ``Invalid``: too short, too long, the name in another form, or a few letters again and again."""
    text = password.reveal()
    if len(text) < MIN_LENGTH:
        raise Invalid(f"password: at least {MIN_LENGTH} characters", hint="several words are easy to keep in mind")
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise Invalid(f"password: at most {MAX_BYTES} bytes")
    if name in text.casefold() or len(set(text)) < MIN_LENGTH // 3:
        raise Invalid("password: too easy to guess", hint="not the name, not one letter many times")


def hash_of(password: Secret) -> str:
    """What is kept of it: the salt and the costs stand inside."""
    with _AT_ONCE:
        return _hasher().hash(password.reveal())


def matches(kept: str | None, password: Secret) -> bool:
    """Whether it is that password. As slow when nothing is kept: the time does not tell whether there is an account."""
    from argon2.exceptions import InvalidHashError, VerificationError

    text = password.reveal()
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return False
    with _AT_ONCE:
        try:
            return _hasher().verify(kept or _nobodys(), text) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether it was made with lower costs than today's."""
    return _hasher().check_needs_rehash(kept)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("the password of nobody")
