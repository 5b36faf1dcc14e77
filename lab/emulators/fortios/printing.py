"""``show``, ``show full-configuration`` and ``get``: the configuration as the box prints it.

Form: the captured 6.4.4 ``show`` and 7.2.4 ``show full-configuration``; with vdoms, oxidized's 7.4.8 session.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping

from lab.emulators.fortios.config import GLOBAL, KEPT, Config, Entry, applies, value_of
from lab.emulators.fortios.kinds import Secret
from lab.emulators.fortios.schema import Field, Table
from lab.emulators.fortios.words import Words, quoted

_INDENT = "    "


def name_of(table: Table, name: str) -> str:
    return name if table.numbered else quoted(name)


def fields_of(table: Table, entry: Entry, *, full: bool, salt: str) -> Iterator[str]:
    """The lines of an entry: what was set and is not a default, or everything."""
    for field in table.fields:
        if (full or field.name in entry) and applies(field, entry, table):
            words = value_of(table, entry, field.name)
            if full or words != field.default:
                yield _line(field, words, salt)
    yield from entry.get(KEPT, ())


def _line(field: Field, words: Words, salt: str) -> str:
    if isinstance(field.kind, Secret):
        return f"set {field.name} {encrypted(words, salt)}" if words else f"unset {field.name}"
    if words:
        return f"set {field.name} {field.kind.show(words)}"
    return f"unset {field.name}" if field.kind.many or field.kind.unset else f"set {field.name} {field.kind.empty}"


def encrypted(words: Words, salt: str) -> str:
    """Encrypted anew at every read, so that two reads of one box differ. Only its look is the vendor's."""
    return "ENC " + b64encode(zlib.crc32((salt + words[0]).encode()).to_bytes(4, "big") * 9).decode()


def entry_lines(table: Table, name: str, entry: Entry, *, full: bool, salt: str) -> Iterator[str]:
    yield f"{_INDENT}edit {name_of(table, name)}"
    for line in fields_of(table, entry, full=full, salt=salt):
        yield f"{_INDENT * 2}{line}"
    yield f"{_INDENT}next"


def table_lines(
    config: Config, vdom: str, table: Table, *, full: bool = False, only: str | None = None, salt: str = ""
) -> Iterator[str]:
    """``config …`` to ``end`` of one table, or of one entry of it."""
    yield f"config {table.path}"
    entries = config.entries(vdom, table.path)
    if table.key is None:
        for line in fields_of(table, entries.get("", {}), full=full, salt=salt):
            yield f"{_INDENT}{line}"
    for name, entry in entries.items() if table.key is not None else ():
        if only is None or name == only:
            yield from entry_lines(table, name, entry, full=full, salt=salt)
    yield "end"


Kept = Mapping[tuple[str, str], str]


def kept_lines(kept: Kept, vdom: str) -> Iterator[str]:
    for (where, _), text in kept.items():
        if where == vdom:
            yield text


def scope_lines(config: Config, vdom: str, kept: Kept, *, full: bool, salt: str) -> Iterator[str]:
    """Every section of the global scope or of a vdom; what is only kept comes at the end."""
    for table in config.schema.values():
        if belongs(table, vdom):
            yield from table_lines(config, vdom, table, full=full, salt=salt)
    yield from kept_lines(kept, vdom)


def belongs(table: Table, vdom: str) -> bool:
    return table.both or table.everywhere == (vdom == GLOBAL)


def whole_lines(
    config: Config, header: Iterator[str], kept: Kept, *, multi: bool, full: bool, salt: str
) -> Iterator[str]:
    """``show`` at the top."""
    yield from header
    if not multi:
        yield from _one_vdom(config, kept, full=full, salt=salt)
        return
    yield from vdom_lines(config)
    yield "config global"
    yield from scope_lines(config, GLOBAL, kept, full=full, salt=salt)
    yield "end"
    for vdom in config.vdoms:
        yield from ("", "config vdom", f"edit {vdom}")
        yield from scope_lines(config, vdom, kept, full=full, salt=salt)
        yield "end"


def vdom_lines(config: Config) -> Iterator[str]:
    """The list of vdoms, as a whole configuration begins with it (captured 7.4.8)."""
    yield "config vdom"
    for vdom in config.vdoms:
        yield from (f"edit {vdom}", "next")
    yield "end"


def _one_vdom(config: Config, kept: Kept, *, full: bool, salt: str) -> Iterator[str]:
    for table in config.schema.values():
        vdom = GLOBAL if table.everywhere else "root"
        yield from table_lines(config, vdom, table, full=full, salt=salt)
    yield from kept_lines(kept, "root")


def get_table(config: Config, vdom: str, table: Table) -> Iterator[str]:
    """``get`` of a table: names only."""
    for name in config.entries(vdom, table.path):
        yield f"== [ {name} ]"
        yield f"{table.key}: {name}"


def get_entry(table: Table, name: str, entry: Entry) -> Iterator[str]:
    """``get`` of one entry: ``key : value`` of each field."""
    if table.key is not None:
        yield f"{table.key:<20}: {name}"
    for field in table.fields:
        if applies(field, entry, table):
            words = value_of(table, entry, field.name)
            shown = "*" if words and isinstance(field.kind, Secret) else _got(field, words)
            yield f"{field.name:<20}: {shown} "


def _got(field: Field, words: Words) -> str:
    return field.kind.show(words) if field.kind.quotes and field.kind.many else " ".join(words)
