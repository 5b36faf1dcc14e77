"""How answers look: tables for people, JSON and CSV for programs. Nothing that came from elsewhere is printed raw.

Names, reasons and whatever a device said may hold control characters; a terminal would obey them. Answers go to stdout,
everything about the work itself to stderr. Colour only on a terminal, and not with ``NO_COLOR``.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from api.cli.options import Output, Plain

if TYPE_CHECKING:
    from rich.console import Console

    from core.errors import TokgateError

Row = TypeVar("Row")
UNKNOWN: Final = "?"
WIDE: Final = 400
"""Columns of an output that is no terminal and was given no ``COLUMNS``: nothing is cut on its way to grep."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_UNPRINTABLE: Final = re.compile(r"[^\n -~]")


def printable(text: str) -> str:
    """On one line, without anything a terminal would obey: other characters become a visible replacement."""
    return "".join(c if c.isprintable() else "�" for c in text)


def text_of(value: object) -> str:
    """A value as a person reads it. ``None`` is unknown, and looks different from nothing and from zero."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
        case str():
            return printable(value)
        case Mapping():
            return ", ".join(f"{printable(str(k))}={text_of(v)}" for k, v in value.items())
        case tuple() | list() | set() | frozenset():
            return ", ".join(text_of(v) for v in value)
        case _:
            return printable(str(value))


def moment(value: datetime | str | None) -> str:
    """A time in a narrow table, UTC, in one word that ``--since`` understands: ``2026-11-25T18:00Z``."""
    if value is None:
        return UNKNOWN
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def to_stdout() -> Console:
    """Where answers go."""
    return _console(sys.stdout)


def to_stderr() -> Console:
    """Where everything else goes."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    from rich.console import Console

    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str = "", *, style: str = "") -> None:
    """One or more lines of an answer."""
    lines = "\n".join(printable(line) for line in text.split("\n"))
    to_stdout().print(lines, style=style or None)


def note(text: str, *, style: str = "") -> None:
    """One or more lines about the work, beside the answer."""
    lines = "\n".join(printable(line) for line in text.split("\n"))
    to_stderr().print(lines, style=style or None)


def show_rows(
    rows: Sequence[Row],
    columns: Mapping[str, Callable[[Row], object]],
    output: Output,
    *,
    none: str = "nothing",
    in_csv: Mapping[str, Callable[[Row], object]] | None = None,
) -> None:
    """A list: the columns as a table or as CSV, or everything that is known as JSON. ``none`` stands for no rows.

    ``in_csv`` are other columns for CSV, where a table has no room for all.
    """
    match output:
        case Output.JSON:
            show_json([facts_of(row) for row in rows])
        case Output.CSV:
            chosen = in_csv or columns
            show_csv(chosen, ([value(row) for value in chosen.values()] for row in rows))
        case Output.TABLE if not rows:
            note(none)
        case Output.TABLE:
            show_table(columns, ([value(row) for value in columns.values()] for row in rows))


def facts_of(answer: Any) -> object:
    """Everything that is known, as plain data: an answer of the API, or a value of ours."""
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return dataclasses.asdict(answer)
    return answer.model_dump(mode="json")


def show_facts(facts: Mapping[str, object], answer: object, output: Plain) -> None:
    """One thing: its facts in two columns, or everything that is known as JSON."""
    if output is Plain.JSON:
        show_json(facts_of(answer))
    else:
        show_pairs(facts)


def show_pairs(facts: Mapping[str, object]) -> None:
    """Names and values in two columns."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        say(f"{name:<{width}}  {text_of(value)}")


def show_json(value: object) -> None:
    """Indented JSON in UTF-8; what a terminal would obey is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    _write(_UNPRINTABLE.sub(_escaped, text) + "\n")


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    return found if found.isprintable() else json.dumps(found)[1:-1]


def show_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """RFC 4180 with plain line ends. Unknown is empty; text that a spreadsheet would run is marked as text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    _write(stream.getvalue())


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return "" if value is None else (text_of(value) if isinstance(value, bool) else value)
    text = text_of(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def show_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table without frames. Numbers stand to the right; long texts are folded between words, and nothing is cut."""
    from rich.table import Table
    from rich.text import Text

    known = [[text_of(value) if not isinstance(value, _NUMBERS) else value for value in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(header):
        cells = [row[index] for row in known]
        right = any(isinstance(cell, int) and not isinstance(cell, bool) for cell in cells)
        width = min(max((len(w) for c in (title, *cells) for w in text_of(c).split()), default=0), WHOLE)
        table.add_column(title, justify="right" if right else "left", overflow="fold", min_width=width)
    for row in known:
        table.add_row(*(Text(text_of(cell)) for cell in row))
    console = to_stdout()
    with console.capture() as captured:
        console.print(table, soft_wrap=False, crop=False)
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


_NUMBERS: Final = (bool, int, float)
WHOLE: Final = 26
"""Words up to this length, ids among them, are never folded: they are copied into the next command."""


def _write(text: str) -> None:
    sys.stdout.write(text)


def show_error(error: TokgateError) -> None:
    """What happened, where, its code, and what to do, on stderr."""
    where = "".join(f"{part}: " for part in (error.place, error.device) if part)
    note(f"error {error.code}: {where}{error.message}", style="red")
    if error.hint:
        note(f"  {error.hint}")
