"""The items of a JSON document that holds one array, read one by one: exports are larger than memory should be."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from controller.evidence.formats.reading import Found, Reading, Stream, Unreadable, in_utf8, judged
from controller.evidence.lines import SHOWN
from controller.evidence.model import Quarantine, Sighting

MAX_ITEM: Final = 8 << 20
"""Characters of one item: a computer with all its programs is some hundred thousand."""
_CHUNK: Final = 1 << 16
_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()

ItemParser = Callable[[Mapping[str, Any]], Iterable[Sighting]]


def items(stream: Stream, reading: Reading, keys: Sequence[str], parse: ItemParser) -> Iterator[Found]:
    """What each item says: of a bare array, of the array under one of ``keys``, else the document itself.

    A document that is cut off, or none, is told as such once; what was read before stands.
    """
    number = 0
    text = _Text(stream)
    try:
        for item in _items(text, keys):
            number += 1
            yield from _judged(item, reading, parse, number)
    except (ValueError, RecursionError) as exc:
        at = f"item {number + 1}"
        why = Quarantine.TOO_LONG if isinstance(exc, _TooLong) else Quarantine.UNREADABLE
        yield reading.reject(why, text.shown(), at=at, detail=str(exc))


def _judged(item: Any, reading: Reading, parse: ItemParser, number: int) -> Iterator[Found]:
    at = f"item {number}"
    if isinstance(item, dict):
        shown = str({key: value for key, value in list(item.items())[:6] if isinstance(value, str | int)})
        yield from judged(parse, item, reading, shown, at=at)
    else:
        yield reading.reject(Quarantine.UNREADABLE, str(item)[:SHOWN], at=at, detail="an object was expected")


class _TooLong(ValueError):
    """An item that is larger than any should be."""


class _Text:
    """What was read and not taken yet."""

    def __init__(self, stream: Stream) -> None:
        self._raw = stream
        self._stream: Stream | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.text, self.at, self.ended = "", 0, False

    def shown(self) -> str:
        return self.text[self.at : self.at + SHOWN]

    def more(self, size: int = _CHUNK) -> None:
        """Raises ``Unreadable``, ``ValueError`` for another charset."""
        self._stream = self._stream or in_utf8(self._raw)
        data = self._stream.read(size)
        self.ended = not data
        try:
            self.text = self.text[self.at :] + self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as exc:
            raise Unreadable("not UTF-8") from exc
        self.at = 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"{character!r} was expected" if self.peek() else "the document is cut off")
        self.at += 1

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        size = _CHUNK
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError:
                if self.ended:
                    raise ValueError("the document is cut off, or no JSON") from None
            else:
                if end < len(self.text) or self.ended:  # a number may go on
                    self.at = end
                    return found
            if len(self.text) - self.at > MAX_ITEM:
                raise _TooLong(f"an item of more than {MAX_ITEM} characters, or no JSON")
            self.more(size)
            size *= 2  # so that what is tried again stays in proportion


def _items(text: _Text, keys: Sequence[str]) -> Iterator[Any]:
    match text.peek():
        case "[":
            yield from _array(text)
        case "{":
            yield from _under(text, keys)
        case _:
            raise ValueError("no JSON document")


def _under(text: _Text, keys: Sequence[str]) -> Iterator[Any]:
    text.expect("{")
    rest: dict[str, Any] = {}
    found = False
    while text.peek() != "}":
        key = text.value()
        text.expect(":")
        if key in keys and not found and text.peek() == "[":
            found = True
            yield from _array(text)
        elif isinstance(key, str):
            value = text.value()
            if not found:
                rest[key] = value
        if text.peek() != "}":
            text.expect(",")
    text.expect("}")
    if not found:
        yield rest


def _array(text: _Text) -> Iterator[Any]:
    text.expect("[")
    while text.peek() != "]":
        yield text.value()
        if text.peek() != "]":
            text.expect(",")
    text.expect("]")
