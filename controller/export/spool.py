"""What waits for one receiver, on the disk: segments that only grow, a note of what was taken, and nothing else.

One process at a time writes a folder. Every record is numbered, carries its place in the journal and a checksum, and
is on the disk before anything follows from it; so a process may be killed, or the power cut, at any byte: a record that
is not whole was never there, and the journal still has it. What was taken is noted behind the fact: at the moment of a
crash, and only then, something may be sent twice, under the same id.

    SEGMENT  = 20 digits of its first number, ".seg"
    header   = "TGSPOOL1" number:u64 cursor:u64 replay:26 bytes crc32:u32
    record   = length:u32 crc32:u32 number:u64 cursor:u64 at:i64 id-length:u8 id text
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from controller.errors import Busy, SpoolFailed
from controller.store.schema import micros, moment

MAX_TEXT: Final = 1 << 20
SEGMENT_BYTES: Final = 4 << 20
SMALLEST_SEGMENT: Final = 16 << 10
_MAGIC: Final = b"TGSPOOL1"
_HEADER: Final = struct.Struct(">8sQQ26s")
_HEADER_BYTES: Final = _HEADER.size + 4  # and its checksum
_FRAME: Final = struct.Struct(">II")
_FACTS: Final = struct.Struct(">QQqB")
_STATE: Final = "state.json"
_NO_REPLAY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record that waits. ``missing``: so many before it were dropped. Numbers of a spool have no gap but these."""

    number: int
    cursor: int  # its place in the journal
    at: datetime
    id: str
    text: str
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is noted beside the segments: what was taken, and how the last attempts went."""

    last: int = 0  # the number of the last record that was kept
    acked: int = 0  # the number up to which all was taken
    cursor: int = 0  # everything of the journal up to here is in the spool, was sent, or is not wanted
    acked_cursor: int = 0  # everything of the journal up to here was taken
    replay: str = _NO_REPLAY
    sent: int = 0  # ever
    dropped: int = 0
    refused: int = 0
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    last_error: str = ""
    taken_at: datetime | None = None

    def dumps(self) -> str:
        return json.dumps(asdict(self), default=lambda at: at.isoformat(), indent=1) + "\n"

    @classmethod
    def loads(cls, text: str) -> Progress:
        """Raises ``ValueError``."""
        said = json.loads(text)
        if not isinstance(said, dict) or set(said) != {field.name for field in fields(cls)}:
            raise ValueError("not what this version writes")
        times = {name: said[name] and datetime.fromisoformat(said[name]) for name in ("failing_since", "taken_at")}
        return cls(**{**said, **times})


@dataclass(slots=True)
class _Segment:
    """``last``: the number of its last record, or the one before its first when it is empty."""

    path: Path
    first: int
    last: int
    size: int
    cursor: int
    replay: str


class Spool:
    """Open for writing. Not for several threads. Every method may raise ``SpoolFailed``; then nothing was done."""

    def __init__(self, folder: Path, *, start: int, most_bytes: int) -> None:
        """``start``: the place in the journal where a new spool begins. Raises ``Busy``, ``SpoolFailed``."""
        self._folder = folder
        self._most = most_bytes
        self._segment_bytes = max(SMALLEST_SEGMENT, min(SEGMENT_BYTES, most_bytes // 8))
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(folder)
            try:
                self._open(start)
            except BaseException:
                self._lock.close()
                raise

    def _open(self, start: int) -> None:
        for half in self._folder.glob("*.tmp"):
            half.unlink()
        self._writer: BinaryIO | None = None
        self._reader: BinaryIO | None = None
        self._lost = 0
        known = _progress(self._folder)
        self._segments: deque[_Segment] = deque(_scan(self._folder))
        if known is None:
            first = self._segments[0].first - 1 if self._segments else 0
            known = Progress(acked=first, cursor=start, acked_cursor=start)
        self.progress = known
        newest = self._segments[-1] if self._segments else None
        self._next = max(newest.last if newest else 0, known.acked) + 1
        self.replay = newest.replay if newest else known.replay
        self.cursor = max(newest.cursor if newest else 0, self._noted_cursor(known, newest))
        self._read = known.acked
        if newest is not None and newest.size < self._segment_bytes and newest.last + 1 == self._next:
            self._writer = newest.path.open("ab")

    def _noted_cursor(self, known: Progress, newest: _Segment | None) -> int:
        """How far the note says that the journal was read; less of it when the disk lost records that were noted."""
        if known.replay != self.replay:
            return 0
        is_whole = max(newest.last if newest else 0, known.acked) >= known.last
        return known.cursor if is_whole else known.acked_cursor

    def close(self) -> None:
        """What was written stays."""
        for opened in (self._writer, self._reader):
            if opened is not None:
                opened.close()
        self._writer = self._reader = None
        self._lock.close()

    # --- what waits -----------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Records that were not taken."""
        return sum(max(0, part.last - max(part.first - 1, self.progress.acked)) for part in self._segments)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(part.size for part in self._segments)

    @property
    def is_full(self) -> bool:
        return self.size + self._segment_bytes > self._most

    # --- writing --------------------------------------------------------------------------------------------------

    def append(self, found: Sequence[tuple[int, datetime, str, str]], *, cursor: int) -> None:
        """Keep these, each its place in the journal, time, id and text; ``cursor``: how far the journal was read.

        On the disk when this returns. Past its size the oldest are dropped, and counted.
        """
        with _told(self._folder):
            try:
                self._append(found)
            except OSError:
                self._again()
                raise
            self.cursor = cursor
            self._shorten()

    def _append(self, found: Sequence[tuple[int, datetime, str, str]]) -> None:
        data, last, cursor = bytearray(), self._next - 1, self.cursor
        for place, at, name, text in found:
            if self._writer is None or self._segments[-1].size + len(data) >= self._segment_bytes:
                self._write(data, last, cursor)
                self._begin_segment()
                data = bytearray()
            last, cursor = last + 1, place
            data += _packed(Entry(number=last, cursor=place, at=at, id=name, text=text))
        self._write(data, last, cursor)

    def _write(self, data: bytearray, last: int, cursor: int) -> None:
        if data and self._writer is not None:
            self._writer.write(data)
            _synced(self._writer)
            part = self._segments[-1]
            part.last, part.cursor, part.size = last, cursor, part.size + len(data)
            self._next, self.cursor = last + 1, cursor

    def _again(self) -> None:
        """After a write that failed: what is whole on the disk is what there is."""
        self._end_segment()
        self._open(self.cursor)

    def leave_out(self, count: int) -> None:
        """So many of the journal are gone before they were read: they are missing before what comes next."""
        self._end_segment()
        self._next += count

    def begin_again(self, cursor: int, replay: str) -> None:
        """From here on records follow the journal from ``cursor`` again; what waits already is sent before."""
        with _told(self._folder):
            self.cursor, self.replay = cursor, replay
            self._begin_segment()

    def _end_segment(self) -> None:
        if self._writer is not None:
            opened, self._writer = self._writer, None
            with suppress(OSError):  # what was promised was synced before
                opened.close()

    def _begin_segment(self) -> None:
        self._end_segment()
        path = self._folder / f"{self._next:020}.seg"
        said = _HEADER.pack(_MAGIC, self._next, self.cursor, self.replay.encode())
        _put(path, said + zlib.crc32(said).to_bytes(4, "big"))
        if self._segments and self._segments[-1].first == self._next:
            self._segments.pop()  # it was empty, and the file is another one now
        part = _Segment(
            path=path,
            first=self._next,
            last=self._next - 1,
            size=_HEADER_BYTES,
            cursor=self.cursor,
            replay=self.replay,
        )
        self._segments.append(part)
        self._writer = path.open("ab")

    def _shorten(self) -> None:
        """Drop the oldest segments that are too much. The reader learns it from the numbers."""
        while self.size > self._most and len(self._segments) > 1:
            oldest = self._segments.popleft()
            gone = oldest.last - max(oldest.first - 1, self.progress.acked)
            if gone > 0:
                self._lost += gone
                self.note(replace(self.progress, dropped=self.progress.dropped + gone))
            self._let_go(oldest)

    def take_lost(self) -> int:
        """How many were dropped since this was last asked."""
        found, self._lost = self._lost, 0
        return found

    def _let_go(self, part: _Segment) -> None:
        if self._reader is not None and Path(self._reader.name) == part.path:
            self._reader.close()
            self._reader = None
        part.path.unlink(missing_ok=True)

    # --- reading --------------------------------------------------------------------------------------------------

    def read(self, limit: int) -> list[Entry]:
        """The next that wait, in order, each once until ``rewind``."""
        found: list[Entry] = []
        with _told(self._folder):
            while len(found) < limit and (entry := self._next_entry()) is not None:
                found.append(entry)
        return found

    def _next_entry(self) -> Entry | None:
        while (part := next((part for part in self._segments if part.last > self._read), None)) is not None:
            if self._reader is None or Path(self._reader.name) != part.path:
                if self._reader is not None:
                    self._reader.close()
                self._reader = part.path.open("rb")
                self._reader.seek(_HEADER_BYTES)
            entry = _unpacked(self._reader)
            if entry is None:  # it was whole when it was opened: the disk lost what stands behind
                self._spoil(part)
            elif entry.number > self._read:
                missing = entry.number - self._read - 1
                self._read = entry.number
                return replace(entry, missing=missing)
        return None

    def _spoil(self, part: _Segment) -> None:
        """Nothing more can be read of it: what it held is missing, and said to be."""
        gone = part.last - self._read
        self._lost += gone
        self.note(replace(self.progress, dropped=self.progress.dropped + gone))
        if part is self._segments[-1]:
            self._end_segment()
        part.last = min(part.last, self._read)

    def rewind(self) -> None:
        """Everything that was read and not taken is read again."""
        self._read = self.progress.acked
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def ack(self, entry: Entry, *, at: datetime, refused: bool = False) -> None:
        """Everything up to this one was taken, or refused for good: it is noted, and segments that are done go."""
        if entry.number <= self.progress.acked:
            return
        done = self._between(self.progress.acked, entry.number)
        well = {"failures": 0, "failing_since": None, "last_error": "", "taken_at": at}
        counts = {"refused": self.progress.refused + done} if refused else {"sent": self.progress.sent + done, **well}
        self.note(replace(self.progress, acked=entry.number, acked_cursor=entry.cursor, **counts))
        while len(self._segments) > 1 and self._segments[0].last <= self.progress.acked:
            self._let_go(self._segments.popleft())

    def _between(self, after: int, until: int) -> int:
        return sum(max(0, min(part.last, until) - max(part.first - 1, after)) for part in self._segments)

    def oldest(self) -> Entry | None:
        """The first that was not taken."""
        with _told(self._folder):
            return first_waiting(self._folder, self.progress.acked)

    def note(self, progress: Progress) -> None:
        """On the disk when this returns."""
        with _told(self._folder):
            self.progress = replace(progress, last=self._next - 1, cursor=self.cursor, replay=self.replay)
            _put(self._folder / _STATE, self.progress.dumps().encode())


# --- looking at one that another process has open ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What lies in a folder at this moment. ``waiting`` counts those too that were dropped behind the oldest."""

    progress: Progress
    cursor: int  # how far the journal was read, as far as the newest record tells
    waiting: int
    size: int
    oldest: datetime | None  # when the oldest that waits was recorded


def look(folder: Path) -> Look | None:
    """Without opening it for writing; None: there is nothing. Raises ``SpoolFailed``."""
    with _told(folder):
        if not folder.is_dir():
            return None
        progress = _progress(folder) or Progress()
        first = first_waiting(folder, progress.acked)
        newest = _newest(folder)
        last = newest.last if newest is not None else 0
        return Look(
            progress=progress,
            cursor=newest.cursor if newest is not None else 0,
            waiting=0 if first is None else max(0, last - first.number + 1),
            size=sum(path.stat().st_size for path in _paths(folder)),
            oldest=None if first is None else first.at,
        )


def _newest(folder: Path) -> _Segment | None:
    paths = _paths(folder)
    return _segment(paths[-1], mend=False) if paths else None


def first_waiting(folder: Path, acked: int) -> Entry | None:
    paths = _paths(folder)
    later = [path for path in paths if int(path.stem) > acked + 1]
    begun = paths[: len(paths) - len(later)]
    for path in [*begun[-1:], *later]:
        try:
            with path.open("rb") as opened:
                opened.seek(_HEADER_BYTES)
                while (entry := _unpacked(opened)) is not None:
                    if entry.number > acked:
                        return entry
        except FileNotFoundError:  # it was done just now
            continue
    return None


# --- bytes ------------------------------------------------------------------------------------------------------------


def _packed(entry: Entry) -> bytes:
    name = entry.id.encode()[:255]
    text = entry.text.encode()
    body = _FACTS.pack(entry.number, entry.cursor, micros(entry.at), len(name)) + name + text
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _unpacked(opened: BinaryIO) -> Entry | None:
    """The next record; None at the end, also where one is not whole."""
    frame = opened.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(frame)
    if not _FACTS.size <= length <= MAX_TEXT + _FACTS.size + 255:
        return None
    body = opened.read(length)
    if len(body) < length or zlib.crc32(body) != checksum:
        return None
    number, cursor, at, size = _FACTS.unpack_from(body)
    behind = _FACTS.size + size
    return Entry(
        number=number,
        cursor=cursor,
        at=moment(at),
        id=body[_FACTS.size : behind].decode(),
        text=body[behind:].decode(),
    )


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.seg") if path.stem.isdigit())


def _scan(folder: Path) -> Iterator[_Segment]:
    """The segments in order. Of the last one a record that is not whole is cut off; one without a header never was."""
    paths = _paths(folder)
    for path in paths:
        part = _segment(path, mend=path is paths[-1])
        if part is None:
            path.unlink()
        else:
            yield part


def _segment(path: Path, *, mend: bool) -> _Segment | None:
    try:
        opened = path.open("r+b" if mend else "rb")
    except FileNotFoundError:
        return None
    with opened:
        header = opened.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or zlib.crc32(header[:-4]) != int.from_bytes(header[-4:], "big"):
            return None
        magic, first, cursor, replay = _HEADER.unpack(header[:-4])
        if magic != _MAGIC:
            return None
        part = _Segment(
            path=path,
            first=first,
            last=first - 1,
            size=_HEADER_BYTES,
            cursor=cursor,
            replay=replay.rstrip(b"\0").decode(),
        )
        while (entry := _unpacked(opened)) is not None:
            part.last, part.cursor, part.size = entry.number, entry.cursor, opened.tell()
        if mend and part.size < os.fstat(opened.fileno()).st_size:
            opened.truncate(part.size)
            os.fsync(opened.fileno())
    return part


def _progress(folder: Path) -> Progress | None:
    """What is noted; None: nothing, or nothing that can be read: then what waits is sent again from its beginning."""
    try:
        return Progress.loads((folder / _STATE).read_text())
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _put(path: Path, data: bytes) -> None:
    """There whole or as before, also after a power cut."""
    half = path.with_suffix(".tmp")
    with half.open("wb") as opened:
        opened.write(data)
        _synced(opened)
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _synced(opened: BinaryIO) -> None:
    opened.flush()
    os.fsync(opened.fileno())


def _locked(folder: Path) -> BinaryIO:
    opened = (folder / "lock").open("ab")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        raise Busy(f"{folder} is open in another process", hint="one `tokgate serve` sends exports") from None
    return opened


class _told:  # noqa: N801  # reads as a word of the language
    """Turn what the disk refuses into ``SpoolFailed``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            raise SpoolFailed(
                f"{self._folder}: {error.strerror or type(error).__name__}", hint="is the disk full, or read-only?"
            ) from error


__all__ = ["Entry", "Look", "Progress", "Spool", "look"]
