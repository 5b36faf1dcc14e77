"""Lines taken apart: words with their places, quotes, pipes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\[|\]|[^\s"\[\]]+(?:"[^"]*")?')
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=~^*<>-]+")
_PIPE: Final = re.compile(r'"[^"]*"|(\|)')


@dataclass(frozen=True, slots=True)
class Word:
    """``open``: its quotes do not end."""

    text: str
    at: int
    open: bool = False


def words(line: str, start: int = 0) -> list[Word]:
    """Quotes are taken off; ``start`` is added to every place."""
    return [_word(found[0], start + found.start()) for found in _WORD.finditer(line)]


def _word(text: str, at: int) -> Word:
    if not text.startswith('"'):
        return Word(text, at)
    closed = len(text) > 1 and text.endswith('"')
    return Word(text[1:-1] if closed else text[1:], at, open=not closed)


def quoted(text: str) -> str:
    """In quotes where there are blanks, brackets or other signs in it (vSRX 17.3 capture)."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def pipes(line: str) -> list[Word]:
    """What stands before, between and behind the pipes, each with its place in the line."""
    parts, start = [], 0
    for found in _PIPE.finditer(line):
        if found[1]:
            parts.append(Word(line[start : found.start()], start))
            start = found.end()
    return [*parts, Word(line[start:], start)]
