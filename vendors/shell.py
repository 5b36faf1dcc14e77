"""A command line behind a prompt: one line and its answer, or thousands of lines in flight with every answer matched.

Opened by ``Session.shell`` for vendors that have no exec channel worth using. netmiko opens the terminal; what it does
to a device right after the login is left out, because on some (ASA, FortiOS) it edits the running configuration.

Waiting for the echo and the prompt of each line costs a round trip a line. Here lines are sent ahead, at most
``Dialect.window`` bytes without an answer, and each answer is found between the prompt before the echo of its line and
the prompt behind it, so that an error is told of the line that caused it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from core.ids import DeviceName
from vendors.errors import LineRefused, Unreadable

DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
_TAIL: Final = 600
"""Characters at the end in which a prompt, a question or a pager's marker is looked for."""
_CODES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x00|\x07")
_REDRAWN: Final = re.compile(r"[\r\x08$]")
_ECHO_END: Final = re.compile(r"[ \t\x08]*\r*\n")
_LINE_END: Final = re.compile(r"\r*\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one vendor's terminal looks.

    ``prompt`` matches a whole prompt, in every mode, with what stands above it (``[edit]``) and the blank behind it. A
    group named ``host`` in it must read the same at every prompt of a login: less of what is printed can then be taken
    for one. ``greetings`` answer what may stand between the login and the first prompt.
    """

    driver: str
    """netmiko's name of the platform."""
    prompt: str
    pager: str | None = None
    """The marker where output stops; a blank goes on."""
    quiet: tuple[str, ...] = ()
    """Sent first. They may change this login (paging, width), never the configuration."""
    greetings: tuple[tuple[str, str], ...] = ()
    """What may be asked before the first prompt, and the keys that answer it."""
    noise: str | None = None
    """Lines that the device prints unasked, with their line end; they are taken out wherever they stand."""
    folds: bool = False
    """The echo of a line beyond the terminal's width is drawn anew, moved and cut: it is known by how it begins."""
    window: int = 16_384
    """Bytes in flight without an answer. 0: one line at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line and what the device said to it: without echo and prompt, lines ended by a line feed."""

    line: str
    text: str
    prompt: str
    """The one behind the answer, or what ``until`` asked to stop at."""


class Wire(Protocol):
    """The characters of one terminal. ``receive`` waits for some; both raise when the session breaks."""

    def send(self, text: str) -> None: ...

    def receive(self) -> str: ...

    def pending(self) -> bool:
        """Whether more has arrived, or does within some milliseconds."""
        ...


class Shell(Protocol):
    """A command line, in order: one user at a time."""

    device: DeviceName

    def ask(
        self, line: str, *, timeout: timedelta | None = None, until: str | None = None, secret: bool = False
    ) -> Said:
        """One line, and the answer up to the next prompt, or to ``until`` (a regex at the end of what was said).

        ``secret``: what is sent is neither echoed nor written into the transcript.
        Raises ``Unreachable`` when the session breaks or time is over.
        """
        ...

    def stream(self, lines: Sequence[str], refusal: Callable[[Said], str | None]) -> tuple[Said, ...]:
        """All lines, in flight together, each answer matched to its line.

        ``refusal`` says why an answer is a refusal, or None. At the first one nothing more is sent, what is in flight
        is waited for, and ``LineRefused`` is raised: lines behind the refused one may have been acted on, so only lines
        that do not depend on each other belong into one call.
        """
        ...

    def pour(self, lines: Sequence[str], *, end: str = "\x04", timeout: timedelta | None = None) -> Said:
        """Lines into something that reads until a control key; then what was said, up to the prompt."""
        ...


def gathered(answers: Iterable[Said]) -> str:
    """The answers to several commands as one text; ``sections`` reads it back."""
    return "".join(f"@@ {said.line}\n{said.text}{_closed(said.text)}" for said in answers) + "@@ end\n"


def _closed(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"


def sections(text: str) -> Mapping[str, str]:
    """What was answered, by command. Raises ``Unreadable`` when the end is missing or a command stands twice."""
    found: dict[str, str] = {}
    head, end, rest = text.rpartition("@@ end\n")
    if not end or rest or (head and not head.startswith("@@ ")):
        raise Unreadable("the reading is cut off")
    for block in ("\n" + head).split("\n@@ ")[1:]:
        command, _, answer = block.partition("\n")
        if command in found:
            raise Unreadable(f"the reading answers `{command}` twice")
        found[command] = answer if not answer or answer.endswith("\n") else answer + "\n"
    return found


# --- the terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """A ``Shell`` on a wire. Pure but for the wire; the session around it keeps the time and the transcript."""

    def __init__(self, wire: Wire, dialect: Dialect, device: DeviceName) -> None:
        self.device = device
        self._wire, self._dialect = wire, dialect
        self._at_end = re.compile(rf"(?:\A|[\r\n])(?P<whole>{dialect.prompt})\Z")
        self._pager = re.compile(rf"(?:{dialect.pager})\Z") if dialect.pager else None
        self._paged = re.compile(rf"(?:{dialect.pager})(?:\x08+ *\x08*|\r *\r|\r)?") if dialect.pager else None
        self._noise = re.compile(dialect.noise) if dialect.noise else None
        self._echoed = re.compile(rf"(?:\A|\n)\r*(?:{dialect.prompt})(?P<echo>[^\n]*)\n") if dialect.folds else None
        self._host: str | None = None
        self._seen = ""  # what has arrived and is not told yet

    def start(self) -> str:
        """Up to the first prompt, with the quiet lines sent. Returns the prompt."""
        greetings = [(re.compile(rf"(?:{pattern})\s*\Z"), keys) for pattern, keys in self._dialect.greetings]
        while (found := self._prompt_at_end()) is None:
            for pattern, keys in greetings:
                if pattern.search(self._seen[-_TAIL:]):
                    self._seen = ""
                    self._wire.send(keys)
            self._more()
        self._host = found.groupdict().get("host")
        self._seen = ""
        prompt = found["whole"]
        for line in self._dialect.quiet:
            prompt = self.ask(line).prompt
        return prompt

    def ask(
        self, line: str, *, timeout: timedelta | None = None, until: str | None = None, secret: bool = False
    ) -> Said:
        stop = re.compile(rf"(?:{until})\Z") if until else None
        self._seen = ""
        self._wire.send(line + "\n")
        text, prompt = self._up_to(stop)
        return Said(
            line="" if secret else line,
            text=text.lstrip("\n") if secret else self._without_echo(text, line),
            prompt=prompt,
        )

    def stream(self, lines: Sequence[str], refusal: Callable[[Said], str | None]) -> tuple[Said, ...]:
        answers = _Stream(self, lines, self._dialect.window)
        said: list[Said] = []
        failed: tuple[int, str] | None = None
        for answer in answers:
            said.append(answer)
            if failed is None and (why := refusal(answer)) is not None:
                failed = len(said) - 1, why
                answers.stop()
        if failed is not None:
            index, why = failed
            raise LineRefused(index=index, said=said[index], answered=tuple(said), reason=why, device=self.device)
        return tuple(said)

    def pour(self, lines: Sequence[str], *, end: str = "\x04", timeout: timedelta | None = None) -> Said:
        self._seen = ""
        for piece in _pieces([f"{line}\n" for line in lines], max(self._dialect.window, 4_096)):
            self._wire.send(piece)
            while self._wire.pending():
                self._more()
        self._wire.send(end)
        text, prompt = self._up_to(None)
        return Said(line="", text=text, prompt=prompt)

    # --- reading --------------------------------------------------------------------------------------------------

    def _more(self) -> None:
        """What arrives next, with the device's own lines and terminal codes taken out, and a pager answered."""
        known = max(self._seen.rfind("\n", 0, -1) + 1, len(self._seen) - _TAIL, 0)
        new = _CODES.sub("", self._seen[known:] + self._wire.receive())  # a code may come in two parts
        if self._noise is not None:
            new = self._noise.sub("", new)
        self._seen = self._seen[:known] + new
        if self._pager is not None and self._pager.search(self._seen[-_TAIL:]):
            self._wire.send(" ")

    def _prompt_at_end(self) -> re.Match[str] | None:
        found = self._at_end.search(self._seen[-_TAIL:])
        if found is None or (self._host is not None and found.groupdict().get("host") != self._host):
            return None
        return None if self._wire.pending() else found

    def _up_to(self, stop: re.Pattern[str] | None) -> tuple[str, str]:
        """The answer, and the prompt or what ``stop`` found behind it."""
        while True:
            self._more()
            found = self._prompt_at_end()
            if found is not None and self._echoed is not None and "\n" not in self._seen:
                found = None  # still inside the echo, which draws the prompt anew
            if found is None and stop is not None:
                found = stop.search(self._seen[-_TAIL:])
            if found is not None:
                whole = found.groupdict().get("whole") or found[0]
                text, self._seen = self._seen[: len(self._seen) - len(whole)], ""
                return self._cleaned(text), whole

    def _cleaned(self, text: str) -> str:
        if self._paged is not None:
            text = self._paged.sub("", text)
        return _LINE_END.sub("\n", text).replace("\n\r", "\n").lstrip("\r")

    def _without_echo(self, text: str, line: str) -> str:
        """The answer behind the echo of its line. Raises ``Unreadable`` when the line is not found in what was said."""
        drawn, _, answer = text.partition("\n")
        if self._echoed is not None and _is_drawn(drawn, line):
            return _lines_only(answer)
        before, found, rest = text.partition(line) if line else ("", "", text)
        end = _ECHO_END.match(rest)
        if line and (not found or "\n" in before.strip("\r\n")):
            raise Unreadable(f"no echo of `{line}` in what the device said: {text[:80]!r}", device=self.device)
        return _lines_only(rest[end.end() :] if end else rest)


def _is_drawn(echo: str, line: str) -> bool:
    """Whether this may be the echo of a line, be it drawn anew from somewhere on."""
    straight = _REDRAWN.split(echo, maxsplit=1)[0]
    return echo.rstrip() == line.rstrip() or (len(straight) < len(echo) and line.startswith(straight))


def _lines_only(text: str) -> str:
    """Without the blank line that many devices print between an answer and their prompt."""
    return text.rstrip("\r\n") + "\n" if text.strip() else ""


def _pieces(lines: Sequence[str], size: int) -> Iterator[str]:
    piece, length = [], 0
    for line in lines:
        piece.append(line)
        length += len(line)
        if length >= size:
            yield "".join(piece)
            piece, length = [], 0
    if piece:
        yield "".join(piece)


@dataclass(slots=True)
class _Stream:
    """Lines in flight: the answers come out in order, and as many lines go in as the window takes."""

    terminal: Terminal
    lines: Sequence[str]
    window: int
    sent: int = 0
    flying: int = 0  # bytes without an answer
    answered: int = 0
    stopped: bool = False
    place: int = field(default=0)  # where in what was seen the next answer begins

    def stop(self) -> None:
        """Nothing more is sent; what is in flight is still answered."""
        self.stopped = True

    def __iter__(self) -> Iterator[Said]:
        while self.answered < len(self.lines):
            if self.answered == self.sent and not self._begin():
                return
            yield self._next()
            if self.answered < self.sent:
                self._fill()

    def _begin(self) -> bool:
        """With nothing in flight: send, and find the first echo. False when nothing more is to be sent."""
        self.terminal._seen = ""
        self._fill()
        if self.answered == self.sent:
            return False
        while (place := self._echo_of(self.lines[self.answered], 0, first=True)) is None:
            self.terminal._more()
        self.place = place[1]
        return True

    def _fill(self) -> None:
        ready: list[str] = []
        while not self.stopped and self.sent < len(self.lines):
            line = self.lines[self.sent]
            if (self.flying or ready) and self.flying + len(line) >= self.window:
                break
            ready.append(line)
            self.flying += len(line) + 1
            self.sent += 1
        if ready:
            self.terminal._wire.send("".join(f"{line}\n" for line in ready))

    def _next(self) -> Said:
        """The answer to the oldest line without one."""
        line = self.lines[self.answered]
        while True:
            found = self._end()
            if found is not None:
                break
            self.terminal._more()
        text_end, prompt, place = found
        seen = self.terminal._seen
        text = self.terminal._cleaned(seen[self.place : text_end])
        self.terminal._seen, self.place = seen[place:], 0
        self.answered += 1
        self.flying -= len(line) + 1
        return Said(line=line, text=_lines_only(text), prompt=prompt)

    def _end(self) -> tuple[int, str, int] | None:
        """Where the answer ends, the prompt behind it, and where the next answer begins."""
        seen = self.terminal._seen
        if self.answered + 1 < self.sent:
            found = self._echo_of(self.lines[self.answered + 1], self.place, first=False)
            if found is None:
                return None
            start, place = found
            prompt = self.terminal._at_end.search(seen[max(self.place - 1, start - _TAIL, 0) : start])
            assert prompt is not None
            return start - len(prompt["whole"]), prompt["whole"], place
        at_end = self.terminal._prompt_at_end() if len(seen) > self.place else None
        if at_end is None:
            return None
        seen = self.terminal._seen
        return len(seen) - len(at_end["whole"]), at_end["whole"], len(seen)

    def _echo_of(self, line: str, start: int, *, first: bool) -> tuple[int, int] | None:
        """Where the echo of a line begins, right behind a prompt, and where what follows it begins."""
        seen = self.terminal._seen
        if self.terminal._echoed is not None:
            return self._drawn_echo_of(line, start, first=first)
        at = seen.find(line, start)
        while at >= 0:
            end = _ECHO_END.match(seen, at + len(line))
            if end is not None and (first or self._is_prompt(seen[max(start - 1, at - _TAIL, 0) : at])):
                return at, end.end()
            at = seen.find(line, at + 1)
        return None

    def _drawn_echo_of(self, line: str, start: int, *, first: bool) -> tuple[int, int] | None:
        """The same where echoes are drawn anew: what stands between a prompt and the end of its line."""
        seen = self.terminal._seen
        if first:
            end = seen.find("\n")
            return (0, end + 1) if end >= 0 and _is_drawn(seen[:end].rstrip("\r"), line) else None
        assert self.terminal._echoed is not None
        at = max(start - 1, 0)
        while (found := self.terminal._echoed.search(seen, at)) is not None:
            before = seen[found.start() : found.start("echo")]
            if _is_drawn(found["echo"].rstrip("\r"), line) and self._is_prompt(before):
                return found.start("echo"), found.end()
            at = found.end() - 1
        return None

    def _is_prompt(self, text: str) -> bool:
        found = self.terminal._at_end.search(text)
        host = self.terminal._host
        return found is not None and (host is None or found.groupdict().get("host") == host)
