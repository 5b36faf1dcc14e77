"""Secrets are references in the inventory and ``Secret`` values in memory; neither prints what it hides.

Schemes: ``secret://env/NAME``, ``secret://file/absolute/path`` and ``secret://keyring/SERVICE/USER`` (with the
``keyring`` extra). A file's one trailing newline is not part of the secret.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import SecretUnavailable

HIDDEN: Final = "•••"
_TOKEN: Final = re.compile(r"\b(tok[a-z]{1,10}_[0-9a-f]{8}_)[0-9a-f]{32,64}")
"""What we make ourselves and show once: a person may paste it where it does not belong."""
MARK: Final = "secret://"
"""How a reference begins."""
_REFERENCE: Final = re.compile(MARK + r"(?P<scheme>[a-z]+)/(?P<rest>\S+)")
SCHEMES: Final = ("env", "file", "keyring")
PATTERN: Final = rf"^{MARK}({'|'.join(SCHEMES)})/\S+$"
"""A reference, for a schema in JSON."""


def without_tokens(text: str) -> str:
    """The text with tokens of ours cut down to what names them."""
    return _TOKEN.sub(rf"\1{HIDDEN}", text) if "_" in text else text


class Secret:
    """A value that never shows itself; ``reveal()`` is the one greppable way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept; safe to print, store and log."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: object) -> SecretRef:
        """Raises ``ValueError`` (without the text: it may be a secret typed by mistake)."""
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None or match["scheme"] not in SCHEMES:
            raise ValueError(f"expected a reference {MARK}{{{'|'.join(SCHEMES)}}}/…, not a plain value")
        return cls(match["scheme"], match["rest"])

    def __str__(self) -> str:
        return f"{MARK}{self.scheme}/{self.rest}"

    def resolve(self) -> Secret:
        """The secret itself. Raises ``SecretUnavailable``."""
        match self.scheme:
            case "env":
                return self._from_environment()
            case "file":
                return self._from_file()
            case _:
                return self._from_keyring()

    def _from_environment(self) -> Secret:
        value = os.environ.get(self.rest)
        if not value:
            raise SecretUnavailable(f"{self}: the environment variable is not set", hint=f"export {self.rest}=…")
        return Secret(value)

    def _from_file(self) -> Secret:
        path = Path("/" + self.rest.lstrip("/"))
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise SecretUnavailable(f"{self}: cannot be read: {type(exc).__name__}", hint=f"check {path}") from exc
        return Secret(text.removesuffix("\n"))

    def _from_keyring(self) -> Secret:
        try:
            import keyring  # an optional extra: most servers have no keyring
        except ImportError as exc:
            raise SecretUnavailable(
                f"{self}: keyring support is not installed", hint="install tokgate[keyring]"
            ) from exc
        service, _, user = self.rest.rpartition("/")
        value = keyring.get_password(service, user)
        if not value:
            raise SecretUnavailable(f"{self}: the keyring has no such entry", hint=f"keyring set {service} {user}")
        return Secret(value)
