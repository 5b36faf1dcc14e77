"""A configuration from text: what a test or the lab puts on a box before anybody logs in.

What this emulator knows is configured line by line, with every check. Sections and fields that it does not know are
kept as they are written, to be shown and not to be edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.emulators.fortios import words
from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.config import KEPT
from lab.emulators.fortios.editing import Editor, InEntry

Kept = dict[tuple[str, str], str]
"""Sections that are only kept, by vdom and path."""


class Unloadable(ValueError):
    """The box would not take that line of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command. Its text has more than one line where a quoted value has."""

    number: int
    text: str
    words: words.Words

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


def read(text: str) -> Iterator[Line]:
    """The commands of a text; remarks and empty lines are skipped.

    Raises:
        Unloadable: a quote is never closed.
    """
    waiting: list[str] = []
    for number, physical in enumerate(text.splitlines(), 1):
        if not waiting and (not physical.strip() or physical.lstrip().startswith("#")):
            continue
        waiting.append(physical)
        try:
            found = words.read("\n".join(waiting)).words
        except Refusal:
            continue
        yield Line(number=number, text="\n".join(waiting), words=found)
        waiting = []
    if waiting:
        raise Unloadable(f"{waiting[0].strip()}: a quote is not closed")


def load(editor: Editor, text: str) -> Kept:
    """Configure all of it, and return the sections that are only kept.

    Raises:
        Unloadable: with the line's number, the line and the device's own words.
    """
    kept: Kept = {}
    lines = read(text)
    for line in lines:
        frame = editor.frame
        if isinstance(frame, InEntry) and _foreign(frame, line):
            more = tuple(_relative(at, line.indent) for at in _section(line, lines))
            frame.draft[KEPT] = (*frame.draft.get(KEPT, ()), *more)
        elif editor.shell and line.words[0] == "config" and _unknown(editor, line.words[1:]):
            section = "\n".join(_relative(at, line.indent) for at in _section(line, lines))
            where = "root" if editor.vdom is None else editor.vdom
            kept[where, " ".join(line.words[1:])] = section
        else:
            _run(editor, line)
    return kept


def _foreign(frame: InEntry, line: Line) -> bool:
    """A field or a section of an entry that this emulator does not know."""
    if line.words[0] == "config":
        return True
    return line.words[0] in ("set", "unset") and len(line.words) > 1 and frame.table.field(line.words[1]) is None


def _section(head: Line, lines: Iterator[Line]) -> Iterator[Line]:
    """The line, and if it opens a section everything up to the ``end`` that closes it."""
    yield head
    depth = int(head.words[0] == "config")
    while depth:
        line = next(lines, None)
        if line is None:
            raise Unloadable(f"line {head.number}: {head.text.strip()}: has no end")
        depth += line.words[0] == "config"
        depth -= line.words[0] == "end"
        yield line


def _relative(line: Line, indent: int) -> str:
    """Indented as far as the line that opened the section was not; what is inside quotes stays as it is."""
    return " " * max(line.indent - indent, 0) + line.text.lstrip()


def _unknown(editor: Editor, path: words.Words) -> bool:
    if path in (("vdom",), ("global",)) and editor.box.multi:
        return False
    return " ".join(path) not in editor.view.schema


def _run(editor: Editor, line: Line) -> None:
    where = f"line {line.number}: {line.text.strip()}"
    try:
        said = editor.run(line.words)
    except Refusal as refused:
        raise Unloadable(f"{where}: {refused.text.strip()}") from None
    if said is None:
        raise Unloadable(f"{where}: not a command here")
