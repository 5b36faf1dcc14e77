"""Lines of configuration mode taken apart against the schema: paths of statements, and where a line goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.emulators.srx import answers, values
from lab.emulators.srx.answers import BadValue, Misread, Wrong
from lab.emulators.srx.schema import FREE, Statement
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.srx.tree import Part, Path
from lab.emulators.srx.words import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """``short``: words may be cut short as on a terminal. ``site``: a site's own text, open statements and all."""

    model: Model
    switches: Switches
    short: bool = False
    site: bool = False

    def statements(self, base: Path, root: Statement, line: Sequence[Word], end: int) -> Read:
        """What a `set` line asks for, below ``base``: as far as it can be read."""
        return _Setting(self, [*base], root, end).run(line)

    def path(self, base: Path, root: Statement, line: Sequence[Word], end: int) -> Path:
        """One path, down to its last word. Raises Misread."""
        parts, at = [*base], 0
        while at < len(line):
            statement = self.child(_below(parts, root), line[at])
            if statement is None:
                raise Misread(Wrong(line[at].at, line[at].text))
            part, at = self._values(statement, line, at, end, partial=True)
            parts.append(part)
        return tuple(parts)

    def completed(self, base: Path, root: Statement, line: Sequence[Word], end: int) -> str:
        """What a blank behind the last word adds to it. Raises Misread if that word is the wrong one."""
        setting = _Setting(self, [*base], root, end)
        wrong = setting.run(line).wrong
        if wrong is not None and wrong.word and wrong.at == line[-1].at:
            raise Misread(wrong)
        before = _Setting(self, [*base], root, end)
        before.run(line[:-1])
        found = None if wrong is not None and wrong.word else self.child(before.place, line[-1])
        whole = found is not None and found.name.startswith(line[-1].text)
        return found.name[len(line[-1].text) :] if found is not None and whole else ""

    def child(self, parent: Statement, word: Word) -> Statement | None:
        found = parent.by_name.get(word.text) if word.text else None
        if found is None and self.short and word.text:
            found = _shortened(parent, word)
        if found is None and "" in parent.by_name and values.looks_like_ip(word.text):
            found = parent.by_name[""]
        if found is not None and found.since_interval and not self.model.dns_interval:
            found = None
        if found is None and parent.open and (self.site or parent.kind == "free"):
            return FREE
        return None if found is not None and _closed(found) and not self.site else found

    def _values(
        self, statement: Statement, line: Sequence[Word], at: int, end: int, *, partial: bool = False
    ) -> tuple[Part, int]:
        """A statement's own values, and where the line goes on. ``partial``: it may end without them."""
        if statement.kind == "free":
            return Part(FREE, (line[at].text,)), at + 1
        at += 1 if statement.name else 0
        whole = ("leaf", "many", "list") if self.site else ("leaf", "many")
        if partial and statement.kind in whole and at == len(line):
            return Part(statement), at
        found = []
        for argument in statement.arguments:
            if argument.word:
                if at < len(line) and line[at].text != argument.word:
                    raise Misread(Wrong(line[at].at, line[at].text))
                at += 1
            found.append(self.value(argument.check, line, at, end))
            at += 1
        return Part(statement, tuple(found)), at

    def value(self, check: values.Check, line: Sequence[Word], at: int, end: int) -> str:
        if at >= len(line):
            raise Misread(Wrong(end, "", answers.MISSING))
        if line[at].open:
            raise Misread(Wrong(line[at].at, line[at].text))
        try:
            return check(line[at].text, self.model, self.switches)
        except BadValue as bad:
            text = "" if bad.text == answers.SYNTAX else bad.text
            raise Misread(Wrong(line[at].at, line[at].text, text)) from None


def _closed(statement: Statement) -> bool:
    """Open, and nothing in it that is understood: for a site's own text alone."""
    return statement.open and not statement.children and not statement.arguments and not statement.presence


def _shortened(parent: Statement, word: Word) -> Statement | None:
    found = [child for child in parent.children if child.name.startswith(word.text)]
    if len(found) > 1:
        raise Misread(Wrong(word.at, word.text, f"'{word.text}' is ambiguous."))
    return found[0] if found else None


def _below(parts: Sequence[Part], root: Statement) -> Statement:
    return parts[-1].statement if parts else root


@dataclass(slots=True)
class Read:
    paths: list[Path] = field(default_factory=list)
    wrong: Wrong | None = None


class _Setting:
    """One `set` line on its way. Values of one statement may follow each other; a container is gone down into."""

    def __init__(self, reader: Reader, base: list[Part], root: Statement, end: int) -> None:
        self._reader, self._parts, self._root, self._end = reader, base, root, end
        self._base = len(base)
        self._read, self._fresh = Read(), False  # fresh: nothing below the last container yet

    @property
    def place(self) -> Statement:
        """What the line has come down to."""
        return _below(self._parts, self._root)

    def run(self, line: Sequence[Word]) -> Read:
        try:
            at = 0
            while at < len(line):
                at = self._take(line, at)
            self._finish()
        except Misread as misread:
            self._read.wrong = misread.wrong
        if self._fresh and len(self._parts) > self._base and self._parts[-1].statement.stands_alone:
            self._read.paths.append(tuple(self._parts))
        return self._read

    def _take(self, line: Sequence[Word], at: int) -> int:
        statement = self._reader.child(_below(self._parts, self._root), line[at])
        if statement is None:
            raise Misread(Wrong(line[at].at, line[at].text))
        if statement.kind == "many" and at + 1 < len(line) and line[at + 1].text == "[":
            return self._bracketed(statement, line, at + 2)
        part, at = self._reader._values(statement, line, at, self._end)
        if statement.kind in ("many", "flag") or (statement.kind == "leaf" and not statement.children):
            self._once(part, line[at - 1])
            self._leaf(part)
        else:
            self._parts.append(part)
            self._fresh = True
        return at

    def _once(self, part: Part, word: Word) -> None:
        """One line gives a leaf one value."""
        if part.statement.kind == "leaf" and any(
            path[:-1] == tuple(self._parts) and path[-1].key == part.key for path in self._read.paths
        ):
            raise Misread(Wrong(word.at, word.text))

    def _leaf(self, part: Part) -> None:
        self._read.paths.append((*self._parts, part))
        self._fresh = False

    def _bracketed(self, statement: Statement, line: Sequence[Word], at: int) -> int:
        while at < len(line) and line[at].text != "]":
            value = self._reader.value(statement.arguments[0].check, line, at, self._end)
            self._leaf(Part(statement, (value,)))
            at += 1
        if at >= len(line):
            raise Misread(Wrong(self._end, "", answers.MISSING))
        return at + 1

    def _finish(self) -> None:
        if not self._read.paths and not (self._fresh and self._parts[-1].statement.stands_alone):
            raise Misread(Wrong(self._end, ""))
