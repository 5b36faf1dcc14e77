"""A table of commands: words may be cut short as long as they stay unambiguous."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lab.emulators.srx import answers
from lab.emulators.srx.answers import Misread, Wrong
from lab.emulators.srx.switches import Switches
from lab.emulators.srx.words import Word

Handler = TypeVar("Handler", bound=Callable[..., object])


@dataclass(slots=True)
class _Place(Generic[Handler]):
    below: dict[str, _Place[Handler]] = field(default_factory=dict)
    handler: Handler | None = None
    takes_more: bool = False


class Table(Generic[Handler]):
    """Built from `show system commit`, or `show configuration ...` for one that takes more words."""

    def __init__(self, commands: Mapping[str, Handler]) -> None:
        self._root: _Place[Handler] = _Place()
        for text, handler in commands.items():
            place = self._root
            for word in text.removesuffix(" ...").split():
                place = place.below.setdefault(word, _Place())
            place.handler, place.takes_more = handler, text.endswith(" ...")

    def find(self, line: Sequence[Word], end: int, switches: Switches) -> tuple[Handler, Sequence[Word]]:
        """Who answers, and the words that are left for it. Raises Misread."""
        place = self._root
        for at, word in enumerate(line):
            name = _name(place.below, word, exact=place.handler is not None and place.takes_more)
            if name is None:
                if place.handler is not None and place.takes_more:
                    return place.handler, line[at:]
                raise unknown(word, first=at == 0, switches=switches)
            place = place.below[name]
        if place.handler is None:
            raise unknown(Word("", end), first=False, switches=switches)
        return place.handler, ()

    def completed(self, line: Sequence[Word], switches: Switches) -> str | None:
        """What a blank behind the last word adds to it. None: the word is none of the table's. Raises Misread."""
        place, name = self._root, ""
        for at, word in enumerate(line):
            takes_more = place.handler is not None and place.takes_more
            found = _name(place.below, word, exact=takes_more)
            if found is None:
                if takes_more:
                    return None
                raise unknown(word, first=at == 0, switches=switches)
            place, name = place.below[found], found
        return name[len(line[-1].text) :]


def _name(names: Mapping[str, object], word: Word, *, exact: bool) -> str | None:
    if word.text in names:
        return word.text
    found = [] if exact else [name for name in names if name.startswith(word.text)]
    if len(found) > 1:
        raise Misread(Wrong(word.at, word.text, f"'{word.text}' is ambiguous."))
    return found[0] if found else None


def unknown(word: Word, *, first: bool, switches: Switches) -> Misread:
    """gnetcli's two texts for words that no command begins with, or goes on with."""
    text = answers.EXPECTING if first != switches.words_swapped else answers.UNKNOWN
    return Misread(Wrong(word.at, word.text, text))


def options(line: Sequence[Word], end: int, switches: Switches, *, values: str = "", flags: str = "") -> dict[str, str]:
    """Words that may come in any order: those with a value behind them, and those alone."""
    found: dict[str, str] = {}
    taken = iter(line)
    for word in taken:
        if word.text in flags.split():
            found[word.text] = ""
        elif word.text in values.split():
            value = next(taken, None)
            if value is None:
                raise Misread(Wrong(end, "", answers.MISSING))
            found[word.text] = value.text
        else:
            raise unknown(word, first=False, switches=switches)
    return found
