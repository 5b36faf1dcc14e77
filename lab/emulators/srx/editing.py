"""Commands that change a candidate: `set`, `delete`, `insert`, `rename`, `activate`, `deactivate`.

What a line asks for is done to a tree; a refused line leaves it as it was. `load set` keeps a bad line's good part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lab.emulators.srx import answers, tree
from lab.emulators.srx.answers import Misread, Refused, Wrong
from lab.emulators.srx.reading import Reader
from lab.emulators.srx.schema import ROOT
from lab.emulators.srx.tree import Node, Part, Path
from lab.emulators.srx.words import Word, words


@dataclass(slots=True)
class Edit:
    """One place in a candidate, and how lines are read there."""

    root: Node
    reader: Reader
    base: Path = ()
    keep_good: bool = False
    """Whether the good part of a bad line stays, as `load set` has it."""
    said: list[str] = field(default_factory=list)

    def run(self, line: Sequence[Word], end: int) -> None:
        """One line, its verb first. Raises Misread or Refused."""
        verb = next((name for name in VERBS if self._is(line[0].text, name)), None)
        if verb is None:
            raise Misread(Wrong(line[0].at, line[0].text))
        VERBS[verb](self, line[1:], end)

    def _is(self, word: str, name: str) -> bool:
        return word == name or (self.reader.short and len(word) > 1 and name.startswith(word))

    # --- verbs ----------------------------------------------------------------------------------------------------

    def set(self, line: Sequence[Word], end: int) -> None:
        read = self.reader.statements(self.base, ROOT, line, end)
        if read.wrong is None or self.keep_good:
            for path in read.paths:
                tree.put(self.root, path)
        if read.wrong is not None:
            raise Misread(read.wrong)

    def delete(self, line: Sequence[Word], end: int) -> None:
        path = self._path(line, end)
        gone = [tree.remove(self.root, each) for each in self._meant(path)]
        if not any(gone):
            self.said.append(answers.NOT_FOUND)

    def activate(self, line: Sequence[Word], end: int) -> None:
        self._mark(line, end, inactive=False)

    def deactivate(self, line: Sequence[Word], end: int) -> None:
        self._mark(line, end, inactive=True)

    def _mark(self, line: Sequence[Word], end: int, *, inactive: bool) -> None:
        nodes = [tree.find(self.root, each) for each in self._meant(self._path(line, end))]
        if None in nodes or not nodes:
            self.said.append(answers.NOT_FOUND)
        for node in nodes:
            if node is not None:
                node.inactive = inactive

    def insert(self, line: Sequence[Word], end: int) -> None:
        """`insert PATH WORD NAME before|after WORD NAME` (Junos CLI guide, insert)."""
        at = self._at(line, ("before", "after"), end)
        path, parent = self._ordered(line[:at], end)
        beside = self.reader.path(path[:-1], ROOT, line[at + 1 :], end)
        if len(beside) != len(path) or beside[-1].statement is not path[-1].statement:
            raise Misread(Wrong(end, "", answers.MISSING))
        if beside[-1].key not in parent.children:
            raise Refused(f"error: statement '{beside[-1].words()}' not found\n")  # own words
        if beside[-1].key != path[-1].key:
            tree.move(parent, path[-1].key, beside=beside[-1].key, before=line[at].text == "before")

    def rename(self, line: Sequence[Word], end: int) -> None:
        at = self._at(line, ("to",), end)
        path, parent = self._ordered(line[:at], end)
        target = self.reader.path(path[:-1], ROOT, line[at + 1 :], end)
        if len(target) != len(path) or target[-1].statement is not path[-1].statement:
            raise Misread(Wrong(end, "", answers.MISSING))
        if target[-1].key in parent.children:
            raise Refused(f"error: statement '{target[-1].words()}' already exists\n")  # own words
        tree.rename(parent, path[-1].key, target[-1])

    # --- paths ----------------------------------------------------------------------------------------------------

    def _path(self, line: Sequence[Word], end: int) -> Path:
        path = self.reader.path(self.base, ROOT, line, end)
        if not path:
            raise Misread(Wrong(end, "", answers.MISSING))
        return path

    def _meant(self, path: Path) -> list[Path]:
        """All values of a list that is named without one."""
        last = path[-1]
        if last.statement.kind != "many" or last.values:
            return [path]
        parent = tree.find(self.root, path[:-1])
        children = () if parent is None else parent.children.values()
        return [(*path[:-1], child.part) for child in children if child.name == last.statement.name]

    def _ordered(self, line: Sequence[Word], end: int) -> tuple[Path, Node]:
        """An entry of a list that is there, and what it stands in."""
        path = self._path(line, end)
        if path[-1].statement.kind not in ("list", "many") or not path[-1].values:
            raise Misread(Wrong(line[-1].at, line[-1].text))
        parent = tree.find(self.root, path[:-1])
        if parent is None or path[-1].key not in parent.children:
            raise Refused(f"error: statement '{path[-1].words()}' not found\n")  # own words
        return path, parent

    def _at(self, line: Sequence[Word], asked: tuple[str, ...], end: int) -> int:
        found = [at for at, word in enumerate(line) if word.text in asked]
        if not found:
            raise Misread(Wrong(end, "", answers.MISSING))
        return found[-1]


_Verb: TypeAlias = Callable[[Edit, Sequence[Word], int], None]
VERBS: Final[dict[str, _Verb]] = {
    "set": Edit.set,
    "delete": Edit.delete,
    "insert": Edit.insert,
    "rename": Edit.rename,
    "activate": Edit.activate,
    "deactivate": Edit.deactivate,
}


def load_set(root: Node, lines: Sequence[str], reader: Reader, base: Path) -> str:
    """`load set terminal`: every line on its own; what was wrong is told, and `load complete` in any case.

    From a vJunos-router session: errors by line and column, the good part of a bad line stays.
    """
    said = []
    for number, line in enumerate(lines, start=1):
        found = words(line)
        if not found or line.lstrip().startswith("#"):
            continue
        edit = Edit(root, reader, base, keep_good=True)
        try:
            edit.run(found, len(line.rstrip()))
        except Misread as misread:
            said.append(misread.wrong.loaded(number, located=reader.switches.located_values))
        except Refused as refused:
            said.append(refused.text)
        said += [f"{text}\n" for text in edit.said]
    return f"{''.join(said)}{answers.LOAD_COMPLETE}\n"


def parts_of(reader: Reader, base: Path, line: Sequence[Word], end: int) -> Path:
    """Where `edit` goes."""
    path = reader.path(base, ROOT, line, end)
    for part in path[len(base) :]:
        if part.statement.kind in ("leaf", "many", "flag") or len(part.values) != len(part.statement.arguments):
            raise Misread(Wrong(line[-1].at, line[-1].text))
    return path


__all__ = ["VERBS", "Edit", "Part", "load_set", "parts_of"]
