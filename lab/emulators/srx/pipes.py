"""What stands behind `|`: how configuration is displayed, and which lines of any text are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from lab.emulators.srx import answers
from lab.emulators.srx.answers import Misread, Wrong
from lab.emulators.srx.words import Word, words

_Lines: TypeAlias = list[str]
Filter: TypeAlias = Callable[[_Lines], _Lines]


@dataclass(slots=True)
class Pipes:
    display: Literal["braces", "set", "relative", "json"] = "braces"
    inherited: bool = False
    compare: int | None = None
    """With which stored configuration."""
    paged: bool = True
    filters: list[Filter] = field(default_factory=list)

    def filtered(self, text: str) -> str:
        lines = text.splitlines()
        for each in self.filters:
            lines = each(lines)
        return "".join(f"{line}\n" for line in lines)


def read(parts: Sequence[Word], *, configuration: bool) -> Pipes:
    """``configuration``: whether there is configuration to be displayed or compared. Raises Misread."""
    made = Pipes()
    for part in parts:
        found = words(part.text, part.at)
        if not found:
            raise Misread(Wrong(part.at + len(part.text), "", answers.MISSING))
        name = _completed(found[0], (*_TEXT, *(("display", "compare") if configuration else ())))
        if name == "display":
            _display(made, found)
        elif name == "compare":
            made.compare = _compared(found)
        elif name == "no-more":
            made.paged = False
        else:
            made.filters.append(_TEXT[name](found))
    return made


def _completed(word: Word, names: Sequence[str]) -> str:
    found = [name for name in names if name == word.text] or [name for name in names if name.startswith(word.text)]
    if len(found) != 1:
        raise Misread(Wrong(word.at, word.text, f"'{word.text}' is ambiguous." if found else answers.UNKNOWN))
    return found[0]


def _display(made: Pipes, found: Sequence[Word]) -> None:
    match [word.text for word in found[1:]]:
        case ["set"]:
            made.display = "set"
        case ["set", "relative"]:
            made.display = "relative"
        case ["json"]:
            made.display = "json"
        case ["inheritance"] | ["inheritance", "no-comments"]:
            made.inherited = True
        case _:
            raise Misread(Wrong(found[-1].at, found[-1].text))


def _compared(found: Sequence[Word]) -> int:
    match [word.text for word in found[1:]]:
        case []:
            return 0
        case ["rollback", number] if number.isdigit():
            return int(number)
        case _:
            raise Misread(Wrong(found[-1].at, found[-1].text))


def _argument(found: Sequence[Word]) -> str:
    if len(found) < 2:
        raise Misread(Wrong(found[0].at + len(found[0].text), "", answers.MISSING))
    return found[1].text


def _pattern(found: Sequence[Word]) -> re.Pattern[str]:
    try:
        return re.compile(_argument(found), re.IGNORECASE)
    except re.error:
        raise Misread(Wrong(found[1].at, found[1].text)) from None


def _match(found: Sequence[Word]) -> Filter:
    pattern = _pattern(found)
    return lambda lines: [line for line in lines if pattern.search(line)]


def _except(found: Sequence[Word]) -> Filter:
    pattern = _pattern(found)
    return lambda lines: [line for line in lines if not pattern.search(line)]


def _find(found: Sequence[Word]) -> Filter:
    pattern = _pattern(found)

    def from_there(lines: _Lines) -> _Lines:
        return lines[next((at for at, line in enumerate(lines) if pattern.search(line)), len(lines)) :]

    return from_there


def _count(_: Sequence[Word]) -> Filter:
    return lambda lines: [f"Count: {len(lines)} lines"]


def _last(found: Sequence[Word]) -> Filter:
    number = int(found[1].text) if len(found) > 1 and found[1].text.isdigit() else 24
    return lambda lines: lines[-number:] if number else []


_TEXT: Final[dict[str, Callable[[Sequence[Word]], Filter]]] = {
    "match": _match,
    "except": _except,
    "find": _find,
    "count": _count,
    "last": _last,
    "no-more": _count,  # taken before it gets here
}
