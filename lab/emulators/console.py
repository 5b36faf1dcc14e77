"""The terminal of an emulated device: echo, line editing, paging, control keys. Characters in, characters out.

No sockets. A vendor writes a ``Cli``: what one login knows, and what it answers to a line. The console does what the
line discipline of such boxes does around it, and what tests ask to go wrong (``faults``).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from lab.emulators.faults import Faults

CONTROLS: Final = {"\x03": "^C", "\x04": "^D", "\x1a": "^Z"}
_ERASE: Final = ("\x08", "\x7f")
_KILL_LINE: Final = "\x15"
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f?]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a line did. ``text`` as printed, lines ended by a line feed; it took ``seconds`` before the first of it."""

    text: str = ""
    seconds: float = 0.0
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """How long output stops: after ``rows`` lines with ``marker``, which ``erase`` takes off the screen again."""

    rows: int
    marker: str
    erase: str


class Cli(ABC):
    """One login on one device: lines in, text out. A vendor says what differs from the plainest."""

    newline = "\r\n"
    """What ends a line on the wire."""

    @property
    @abstractmethod
    def prompt(self) -> str:
        """With everything the device sends right before it, and the blank behind it."""

    @abstractmethod
    def answer(self, line: str) -> Reply: ...

    @property
    def hidden(self) -> bool:
        """Whether a password is asked for: what is typed is not echoed."""
        return False

    @property
    def pager(self) -> Pager | None:
        return None

    def welcome(self) -> str:
        """What is printed between the login and the first prompt."""
        return ""

    def echo(self, typed: str, key: str) -> str:  # for those that redraw a line beyond their width
        """What the device sends for one more key behind ``typed``: mostly the key; a redrawn line beyond the width."""
        return key

    @property
    def plain_until(self) -> int:
        """How many typed characters are echoed as they are, whatever they are: a hint, for speed."""
        return 10_000 if type(self).echo is Cli.echo else 0

    def control(self, key: str, typed: str) -> Reply | None:
        """``^C``, ``^D``, ``^Z`` or ``?`` after ``typed``. None: the key means nothing here."""
        return None

    def closed(self) -> None:  # noqa: B027  # most hold nothing
        """The login has ended, however it did: what it held is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Something to send, so many seconds later. ``end``: and then the session is over, in order or torn."""

    text: str
    seconds: float = 0.0
    end: Literal["logout", "torn"] | None = None


class Console:
    """One session's screen and keyboard. Feed it what arrives; it says what to send."""

    def __init__(self, cli: Cli, faults: Faults) -> None:
        self._cli, self._faults = cli, faults
        self._typed = ""
        self._waiting: list[str] = []  # lines of output behind a pager's marker
        self._after_return = False
        self.closed = False

    def open(self) -> Iterator[Chunk]:
        yield from self._shown(Reply(text=self._cli.welcome()))

    def feed(self, data: str) -> Iterator[Chunk]:
        """Keys, in the order they were typed; more than one line may be in there.

        CR LF is one line's end when both come together. A LF that comes later is a key of its own: netmiko accepts a
        FortiGate's banner with ``a`` and CR, and then asks for the prompt with LF. A pair that is torn over two packets
        is thus a line and an empty one, as on a real terminal.
        """
        self._after_return = False
        at = 0
        while at < len(data) and not self.closed:
            run = _PLAIN.match(data, at)
            if (
                run
                and not self._waiting
                and not self._cli.hidden
                and len(self._typed) + len(run[0]) < self._cli.plain_until
            ):
                yield from self._typed_run(run[0])
                at = run.end()
            else:
                yield from self._key(data[at])
                at += 1

    def end(self) -> None:
        """The other side is gone."""
        self.closed = True
        self._cli.closed()

    # --- keys -----------------------------------------------------------------------------------------------------

    def _key(self, key: str) -> Iterator[Chunk]:
        again, self._after_return = self._after_return and key == "\n", key == "\r"
        if again:  # the second half of CR LF
            return
        if self._waiting:
            yield from self._paged(key)
        elif key in "\r\n":
            yield from self._entered()
        elif key in _ERASE:
            if self._typed and not self._cli.hidden:
                yield Chunk(text="\b \b")
            self._typed = self._typed[:-1]
        elif key == _KILL_LINE:
            self._typed = ""
        else:
            yield from self._typed_key(key)

    def _typed_run(self, keys: str) -> Iterator[Chunk]:
        self._after_return = False
        self._typed += keys
        yield Chunk(text=keys)

    def _typed_key(self, key: str) -> Iterator[Chunk]:
        name = CONTROLS.get(key, key)
        special = self._cli.control(name, self._typed) if key in CONTROLS or key == "?" else None
        if special is not None:
            yield Chunk(text=f"{name}{self._cli.newline}")
            self._typed = kept = self._typed if key == "?" else ""
            yield from self._shown(special)
            yield Chunk(text=kept)
        elif key not in CONTROLS:
            yield Chunk(text="" if self._cli.hidden else self._cli.echo(self._typed, key))
            self._typed += key

    def _entered(self) -> Iterator[Chunk]:
        line, self._typed = self._typed, ""
        before, after = self._faults.next_line(line)
        if before is not None:
            yield from self._broken(before)
            return
        yield Chunk(text=self._cli.newline, seconds=self._faults.latency)
        reply = self._cli.answer(line)
        reply = replace(reply, text=self._faults.heard(line, reply.text))
        if after is not None:
            yield from self._broken(after, reply.text)
            return
        yield from self._shown(reply)

    # --- the screen -----------------------------------------------------------------------------------------------

    def _shown(self, reply: Reply) -> Iterator[Chunk]:
        self._waiting = reply.text.splitlines(keepends=True)
        yield from self._page(self._rows(), seconds=reply.seconds)
        if reply.close:
            self.closed = True
            yield Chunk(text="", end="logout")
            self._cli.closed()

    def _rows(self) -> int:
        pager = self._cli.pager
        return len(self._waiting) if pager is None else pager.rows

    def _page(self, rows: int, *, seconds: float = 0.0) -> Iterator[Chunk]:
        shown, self._waiting = self._waiting[:rows], self._waiting[rows:]
        pager = self._cli.pager
        tail = pager.marker if self._waiting and pager is not None else self._cli.prompt
        yield Chunk(text=self._wire("".join(shown)) + tail, seconds=seconds)

    def _paged(self, key: str) -> Iterator[Chunk]:
        pager = self._cli.pager
        erase = pager.erase if pager is not None else ""
        if key in ("q", "Q", "\x03"):
            self._waiting = []
            yield Chunk(text=f"{erase}{self._cli.newline}{self._cli.prompt}")
        elif key in (" ", "\r", "\n"):
            yield Chunk(text=erase)
            yield from self._page(self._rows() if key == " " else 1)

    def _broken(self, cut: int, text: str = "") -> Iterator[Chunk]:
        """The session ends here, after so many characters of what would have been printed."""
        self.closed = True
        yield Chunk(text=self._wire(text)[:cut], end="torn")
        self._cli.closed()

    def _wire(self, text: str) -> str:
        return text.replace("\n", self._cli.newline)
