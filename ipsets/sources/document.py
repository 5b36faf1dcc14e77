"""One document, whole, from a file or an address: what several sources read before they parse.

An address is asked only for what changed since the last good answer. What that takes (the validators of a cache) goes
back and forth in a source's ``memo``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ipsets import dataset
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.model import Indicator
from ipsets.sources.http import KEPT, Answer, Getter
from ipsets.sources.source import LastGood


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a document says now. ``text`` is None when that is what the last good answer was read from.

    ``facts`` are the source's own of that reading, as it put them into the memo.
    """

    text: str | None
    memo: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """``file`` or ``url``. A file is read anew each time; never more than ``max_bytes``."""

    file: Path | None = None
    url: str | None = None
    max_bytes: int = 16 * 1024 * 1024
    getter: Getter = field(default_factory=Getter)

    @property
    def place(self) -> str:
        return str(self.file or self.url)

    def text(self, *, lines: bool = False) -> str:
        """The whole text, asked for without a condition. Raises as ``ask``."""
        heard = self.ask(None, meaning="", lines=lines)
        assert heard.text is not None, "nothing was said that could be unchanged"
        return heard.text

    def ask(self, last: LastGood | None, *, meaning: object, lines: bool = False) -> Heard:
        """The whole text, or that nothing changed since ``last``.

        ``meaning``: what besides the text decides which indicators it makes. With another one than last time, or
        another shipped data set, the text is asked for whole. ``lines``: of a kind that does not show by itself whether
        it came to its end.

        Raises:
            SourceUnreachable: there is nothing to read.
            SourceImplausible: it is no text, or cut off, or unchanged since nothing.
        """
        if self.file is not None:
            return Heard(text=text_of_file(self.file, self.max_bytes))
        digest = _digest(self.url, meaning, dataset.as_of())
        known = remembered(last)
        conditions = _conditions(known) if known.get("digest") == digest else {}
        answer = self.getter.get(self.place, headers=conditions)
        if answer.unchanged and last is not None:
            return Heard(text=None, memo=last.memo, facts=known)
        return Heard(text=_whole(answer, lines=lines), memo=_memo(digest, answer.headers))


def remembered(last: LastGood | None) -> Mapping[str, Any]:
    """What the memo of the last good answer says; nothing when it is another source's."""
    try:
        known = json.loads(last.memo) if last is not None and last.memo else {}
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def with_facts(memo: str, facts: Mapping[str, str]) -> str:
    """The memo, and what the source itself wants to know of this reading next time. A file has no memo."""
    return json.dumps({**json.loads(memo), **facts}, sort_keys=True) if memo else ""


def seen_again(known: tuple[Indicator, ...], now: datetime) -> tuple[Indicator, ...]:
    """The indicators of a document that still says what it said."""
    return tuple(replace(i, sources=tuple(replace(p, last_seen=now) for p in i.sources)) for i in known)


def text_of_file(file: Path, max_bytes: int) -> str:
    """A regular file as text. Raises ``SourceUnreachable``; ``SourceImplausible`` when it is too long or no text."""
    return text_of(bytes_of_file(file, max_bytes), str(file))


def text_of(data: bytes, place: str) -> str:
    """Raises ``SourceImplausible`` when it is not UTF-8."""
    return Answer(status=200, headers={}, body=data, url=place).text()


def bytes_of_file(file: Path, max_bytes: int) -> bytes:
    """A regular file. Raises ``SourceUnreachable``; ``SourceImplausible`` when it is too long."""
    if file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise SourceUnreachable(f"{file}: not a regular file", hint=f"name a file; {KEPT}")
    try:
        with file.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        raise SourceUnreachable(f"{file}: {exc.strerror}", hint=f"check the path and its rights; {KEPT}") from exc
    if len(data) > max_bytes:
        raise SourceImplausible(f"{file}: more than {max_bytes} bytes", hint=KEPT)
    return data


def _digest(*said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _conditions(known: Mapping[str, Any]) -> Mapping[str, str]:
    headers = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("modified")}
    # what a server once said goes back in a request: only what a header can carry
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, str) and value and value.isascii() and value.isprintable()
    }


def _memo(digest: str, headers: Mapping[str, str]) -> str:
    known = {"digest": digest, "etag": headers.get("etag"), "modified": headers.get("last-modified")}
    return json.dumps(known, sort_keys=True)


def _whole(answer: Answer, *, lines: bool) -> str:
    """The text, if it came to its end: a last line without one, and nothing that tells the length, is a cut."""
    text = answer.text()
    told = "content-length" in answer.headers or "transfer-encoding" in answer.headers
    if lines and text.strip() and not told and not text.endswith(("\n", "\r")):
        raise SourceImplausible(f"{answer.url}: broken off in its last line", hint=KEPT)
    return text
