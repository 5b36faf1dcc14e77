"""A YAML file as plain data, with the line of every key. Called by ``file``; knows nothing of what the keys mean.

Narrower than YAML on purpose: one document, no anchors, no aliases, no tags, no key twice. Plain scalars follow the
core schema of YAML 1.2, so ``off`` and ``22:00`` stay the text that a person typed. Read event by event and without
recursion, so that no file can make it do more work than its size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

MAX_DEPTH: Final = 32

Spot: TypeAlias = tuple[str | int, ...]
"""Where in a document: keys, and numbers for the items of a list."""

_LOADER: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file, and where."""

    line: int
    spot: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says. ``lines`` holds the line of every key and every list item; lines count from 1."""

    data: Any
    lines: Mapping[Spot, int]
    problems: tuple[Problem, ...]
    is_whole: bool  # False: reading stopped at the last problem, so what is missing in ``data`` proves nothing

    def line(self, spot: Spot) -> int:
        """The line of the place, or of the nearest thing around it."""
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return self.lines.get(spot, 1)

    def problem(self, spot: Spot, message: str) -> Problem:
        return Problem(self.line(spot), dotted(spot), message)


def dotted(spot: Spot) -> str:
    """``sites.berlin.networks.company[0]``. A key may hold anything, and is shown as one that a terminal can print."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in spot).lstrip(".")


def _shown(key: str) -> str:
    return key if key.isprintable() else repr(key)[1:-1]


def read_document(text: str) -> Document:
    """Parse ``text``. What is wrong with it as YAML is in ``problems``; ``data`` then holds what could be read."""
    builder = _Builder()
    try:
        for event in _events(text):
            builder.take(event)
    except _Stop:
        pass
    except yaml.reader.ReaderError as exc:
        builder.note(
            text.count("\n", 0, exc.position) + 1, f"a character that YAML does not allow: #x{exc.character:04x}"
        )
    except yaml.MarkedYAMLError as exc:
        said = ": ".join(part for part in (exc.context, exc.problem) if part)
        builder.note(_line_of(exc), f"not YAML: {said}")
    else:
        builder.whole = True
    return Document(data=builder.root, lines=builder.lines, problems=tuple(builder.problems), is_whole=builder.whole)


def _line_of(error: yaml.MarkedYAMLError) -> int:
    mark: Any = error.problem_mark or error.context_mark
    return int(mark.line) + 1 if mark else 1


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=_LOADER)


class _Stop(Exception):
    """Nothing after this point can be understood."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun. ``key`` is the mapping's key that waits for its value."""

    spot: Spot
    value: dict[str, Any] | list[Any]
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    root: Any = None
    lines: dict[Spot, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    documents: int = 0
    whole: bool = False

    def note(self, line: int, message: str, spot: Spot = ()) -> None:
        self.problems.append(Problem(line, dotted(spot or self._here()), message))

    def take(self, event: yaml.Event) -> None:
        mark: Any = event.start_mark
        line = int(mark.line) + 1
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self._stop(line, "a second document (`---`); the inventory is one")
            case yaml.AliasEvent():
                self._stop(line, "aliases (`*name`) are not used here: write the value out, or use `defaults`")
            case yaml.ScalarEvent():
                self._refuse_marks(event, line)
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_marks(event, line)
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.open.pop()

    def _stop(self, line: int, message: str) -> None:
        self.note(line, message)
        raise _Stop

    def _refuse_marks(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            self.note(line, "anchors (`&name`) are not used here; put quotes around a text that starts with `&`")
        if event.tag is not None:
            self.note(line, "tags (`!name`) are not used here; put quotes around a text that starts with `!`")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event.value, line)
        else:
            self._put(event.value if event.style else plain(event.value), line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        spot = (*top.spot, key)
        if key in top.value:
            self.note(line, f"is there twice; first in line {self.lines[spot]}", spot)
        else:
            self.lines[spot] = line
        top.key = key

    def _begin(self, value: dict[str, Any] | list[Any], line: int) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._stop(line, "a key must be a word, not a mapping or a list")
        if len(self.open) >= MAX_DEPTH:
            self._stop(line, f"nested more than {MAX_DEPTH} deep")
        spot = self._put(value, line)
        self.open.append(_Open(spot, value))

    def _put(self, value: Any, line: int) -> Spot:
        """Hang the value where it belongs; a key that is there twice keeps its first value."""
        if not self.open:
            self.root = value
            return ()
        top = self.open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            spot: Spot = (*top.spot, len(top.value) - 1)
            self.lines[spot] = line
            return spot
        key, top.key = top.key or "", None
        top.value.setdefault(key, value)
        return (*top.spot, key)

    def _here(self) -> Spot:
        if not self.open:
            return ()
        top = self.open[-1]
        return (*top.spot, top.key) if top.key is not None else top.spot


def plain(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means: null, true, false, a decimal number, or else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
