"""Which lines there are, as a tree of words: `*` stands for any one word, `...` for whatever follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from lab.emulators.panos.answers import Invalid
from lab.emulators.panos.tree import bare

T = TypeVar("T")


class Unknown(Exception):
    """The first word means nothing here."""


class _Branch(Generic[T]):
    def __init__(self) -> None:
        self.kids: dict[str, _Branch[T]] = {}
        self.end: T | None = None


class Table(Generic[T]):
    def __init__(self, lines: Mapping[str, T]) -> None:
        self._root = _Branch[T]()
        for line, meaning in lines.items():
            here = self._root
            for word in line.split():
                here = here.kids.setdefault(word, _Branch[T]())
            here.end = meaning

    def first_words(self) -> list[str]:
        return sorted(self._root.kids)

    def find(self, words: list[str]) -> tuple[T, list[str]]:
        """What the line means, and its arguments.

        Raises:
            Unknown: for the first word.
            Invalid: at the word that does not fit, or at the end where more is wanted.
        """
        here, found = self._root, list[str]()
        for at, word in enumerate(words):
            if word in here.kids:
                here = here.kids[word]
            elif "*" in here.kids and word not in ("[", "]"):
                here = here.kids["*"]
                found.append(bare(word))
            elif "..." in here.kids:
                here = here.kids["..."]
                return self._end(here, at), [*found, *words[at:]]
            elif at == 0:
                raise Unknown(word)
            else:
                raise Invalid(at)
        return self._end(here, len(words)), found

    def _end(self, here: _Branch[T], at: int) -> T:
        if here.end is None:
            raise Invalid(at)
        return here.end
