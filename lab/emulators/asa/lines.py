"""Command lines: words with their columns, keywords that may be cut short, and tables of what a mode understands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lab.emulators.asa.answers import Incomplete, Invalid

H = TypeVar("H")


class Cursor:
    """A line, read word by word."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._words = [(found.group(), found.start()) for found in re.finditer(r"\S+", line)]
        self.position = 0

    @property
    def done(self) -> bool:
        return self.position >= len(self._words)

    @property
    def at(self) -> int:
        """The column of the next word."""
        return len(self.line) if self.done else self._words[self.position][1]

    def peek(self) -> str:
        return "" if self.done else self._words[self.position][0]

    def take(self) -> str:
        """The next word.

        Raises:
            Incomplete: there is none.
        """
        if self.done:
            raise Incomplete
        self.position += 1
        return self._words[self.position - 1][0]

    def takes(self, word: str) -> bool:
        """Whether the next word is this one; if so it is read."""
        found = self.peek() == word
        self.position += found
        return found

    def choice(self, options: Iterable[str]) -> str:
        """The next word as one of these, in full or cut short as long as it is clear which is meant."""
        at, word = self.at, self.take()
        fit = [option for option in options if option.startswith(word)]
        if word in fit:
            return word
        if len(fit) != 1:
            raise Invalid(at)
        return fit[0]

    def number(self, low: int, high: int) -> int:
        at, word = self.at, self.take()
        if not (word.isascii() and word.isdigit() and low <= int(word) <= high):
            raise Invalid(at)
        return int(word)

    def rest(self) -> str:
        """Everything from the next word on, as it was typed."""
        if self.done:
            raise Incomplete
        text = self.line[self.at :].rstrip()
        self.position = len(self._words)
        return text

    def end(self) -> None:
        """Nothing may follow."""
        if not self.done:
            raise Invalid(self.at)


@dataclass(slots=True)
class _Node(Generic[H]):
    keywords: dict[str, _Node[H]] = field(default_factory=dict)
    argument: _Node[H] | None = None
    handler: H | None = None
    open: H | None = None  # takes whatever follows


class Table(Generic[H]):
    """What a mode understands: ``word word NAME`` or ``word ...`` to its handler. Capitals stand for any one word."""

    def __init__(self, rows: Mapping[str, H]) -> None:
        self._root: _Node[H] = _Node()
        for pattern, handler in rows.items():
            self._add(pattern.split(), handler)

    def _add(self, words: list[str], handler: H) -> None:
        node = self._root
        for word in words:
            if word == "...":
                node.open = handler
                return
            if word.isupper():
                node.argument = node.argument or _Node()
                node = node.argument
            else:
                node = node.keywords.setdefault(word, _Node())
        node.handler = handler

    def find(self, cursor: Cursor) -> tuple[H, list[str]]:
        """Who answers this line, and the words that stand for its arguments.

        Raises:
            Invalid: from the first word on that fits nothing.
            Incomplete: the line could go on, and must.
        """
        node, arguments = self._root, list[str]()
        while not cursor.done:
            following = _keyword(node, cursor.peek())
            if following is None and node.open is not None:
                return node.open, arguments
            if following is None and node.argument is not None:
                following = node.argument
                arguments.append(cursor.peek())
            if following is None:
                raise Invalid(cursor.at)
            node = following
            cursor.take()
        if node.handler is None:
            raise Incomplete
        return node.handler, arguments


def _keyword(node: _Node[H], word: str) -> _Node[H] | None:
    """A name may begin like a keyword, so where a name may stand keywords are spelled out."""
    if word in node.keywords:
        return node.keywords[word]
    fit = [key for key in node.keywords if key.startswith(word)]
    return node.keywords[fit[0]] if len(fit) == 1 and node.argument is None else None
