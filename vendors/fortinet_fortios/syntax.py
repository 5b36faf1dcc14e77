"""What `show` prints, as tables: `config … edit … set … next … end`, and the words of a line to send.

Pure and strict about what is whole: a table without its `end`, a quote that does not close, a line that fits no place
is ``Unreadable``. Form of the text: FortiOS 6.4.4 and 7.4.8 as captured (batfish lab-validation, oxidized).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from vendors.errors import Unreadable

Attrs: TypeAlias = Mapping[str, tuple[str, ...]]
"""The values of one object by field, without quotes. `unset X` stands as no value at all."""

_TOKEN: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<empty>\'\')|(?P<bare>(?:[^\s"\\]|\\[^\n])+)|(?P<blank>[ \t]+)|(?P<end>\n)',
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = re.compile(r"[\w./:-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `edit` … `next`: its fields, and tables inside it."""

    name: str
    attrs: Attrs
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One `config` … `end`: entries in the order printed; ``attrs`` where it is a single object."""

    path: str
    attrs: Attrs = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    tables: tuple[Table, ...] = ()


def table_of(text: str, path: str) -> Table:
    """The one table that the answer to `show <path>` is. Raises ``Unreadable``."""
    lines = _lines(text, path)
    first = next(lines, None)
    if first is None:
        raise Unreadable(f"`show {path}` printed nothing")
    if first != ["config", *path.split()]:
        raise Unreadable(f"`show {path}` does not begin with its table: {' '.join(first)[:80]!r}")
    table = _table(path, lines)
    rest = next(lines, None)
    if rest is not None:
        raise Unreadable(f"something stands behind the end of {path}: {' '.join(rest)[:80]!r}")
    return table


def _lines(text: str, path: str) -> Iterator[list[str]]:
    """The words of every line that has any; a quoted word may reach over several lines."""
    words: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise Unreadable(f"a quote in {path} does not close: the reading was cut off")
        position = token.end()
        kind = token.lastgroup
        if kind == "quoted":
            words.append(_unescaped(token["quoted"]))
        elif kind == "empty":
            words.append("")
        elif kind == "bare":
            if not words and token["bare"].startswith("#"):
                position = _end_of_line(text, position)
            else:
                words.append(_unescaped(token["bare"]))
        elif kind == "end" and words:
            yield words
            words = []
    if words:
        raise Unreadable(f"the last line of {path} has no end: the reading was cut off")


def _end_of_line(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(r"\1", word) if "\\" in word else word


def _table(path: str, lines: Iterator[list[str]]) -> Table:
    attrs: dict[str, tuple[str, ...]] = {}
    entries: list[Entry] = []
    tables: list[Table] = []
    for words in lines:
        match words:
            case ["end"]:
                return Table(path=path, attrs=attrs, entries=tuple(entries), tables=tuple(tables))
            case ["edit", name]:
                entries.append(_entry(path, name, lines))
            case _:
                _field(path, words, lines, attrs, tables)
    raise Unreadable(f"{path} has no end: the reading was cut off")


def _entry(path: str, name: str, lines: Iterator[list[str]]) -> Entry:
    attrs: dict[str, tuple[str, ...]] = {}
    tables: list[Table] = []
    for words in lines:
        if words == ["next"]:
            return Entry(name=name, attrs=attrs, tables=tuple(tables))
        _field(path, words, lines, attrs, tables)
    raise Unreadable(f"{name} in {path} has no end: the reading was cut off")


def _field(
    path: str, words: list[str], lines: Iterator[list[str]], attrs: dict[str, tuple[str, ...]], tables: list[Table]
) -> None:
    match words:
        case ["set", key, *values] if values:
            attrs[key] = tuple(values)
        case ["unset", key]:
            attrs[key] = ()
        case ["config", *inner] if inner:
            tables.append(_table(" ".join(inner), lines))
        case _:
            raise Unreadable(f"a line of {path} is not understood: {' '.join(words)[:80]!r}")


# --- to text --------------------------------------------------------------------------------------------------------


def quoted(word: str) -> str:
    """A word as it is typed: quotes around it, and a backslash before what would end them."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def typed(words: Iterable[str]) -> str:
    """Words of one line; plain ones stay bare, as people type them."""
    return " ".join(word if _PLAIN.fullmatch(word) else quoted(word) for word in words)


def normal_form(table: Table, *, ordered: bool) -> list[str]:
    """The table as lines for a fingerprint: without what changes by itself (uuids, enciphered passwords)."""
    entries = table.entries if ordered else sorted(table.entries, key=lambda entry: entry.name)
    lines = [f"config {table.path}", *_fields(table.attrs)]
    for entry in entries:
        lines += [f"edit {quoted(entry.name)}", *_fields(entry.attrs)]
        lines += [line for inner in entry.tables for line in normal_form(inner, ordered=True)]
    return [*lines, *(line for inner in table.tables for line in normal_form(inner, ordered=True)), "end"]


def _fields(attrs: Attrs) -> list[str]:
    return [
        f"set {key} {' '.join(map(quoted, values))}"
        for key, values in sorted(attrs.items())
        if key != "uuid" and values[:1] != ("ENC",)
    ]
