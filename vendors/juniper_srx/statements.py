"""Configuration as `| display set` prints it: one statement a line, as words. Pure.

Strings with blanks or brackets stand in double quotes (captures of vSRX 17.3 and 24.4); whether a plain word does is
not on record, so words are compared without their quotes.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from vendors.errors import Unreadable

Statement: TypeAlias = tuple[str, ...]
"""The words of one `set` line behind `set`."""

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]*")
_VERBS: Final = ("set", "deactivate", "activate", "protect")


def words_of(line: str) -> Statement:
    """Raises ``Unreadable`` when a quote is not closed."""
    words: list[str] = []
    at = 0
    text = line.strip()
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None or (found[2] is not None and '"' in found[2]):
            raise Unreadable(f"a quote is not closed in the configuration: {text[:80]!r}")
        words.append(re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else str(found[2]))
        at = found.end()
        at += len(text[at:]) - len(text[at:].lstrip())
    return tuple(words)


def line_of(verb: str, words: Statement) -> str:
    return " ".join((verb, *(word if _PLAIN.fullmatch(word) else _quoted(word) for word in words)))


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def statements(text: str) -> tuple[tuple[str, Statement], ...]:
    """(verb, words) of each line. Raises ``Unreadable`` on anything that is no such line.

    Lines that begin with `#` are comments of an owner's, printed above their statement.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        verb, *words = words_of(line)
        if verb not in _VERBS or not words:
            raise Unreadable(f"not a line of a configuration in set form: {line[:80]!r}")
        found.append((verb, tuple(words)))
    return tuple(found)
