"""One document, whole, from a file or an address: what several sources read before they parse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.sources.http import KEPT, Answer, Getter


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """``file`` or ``url``. Read anew each time, never more than ``max_bytes``."""

    file: Path | None = None
    url: str | None = None
    max_bytes: int = 16 * 1024 * 1024
    getter: Getter = field(default_factory=Getter)

    @property
    def place(self) -> str:
        return str(self.file or self.url)

    def text(self, *, lines: bool = False) -> str:
        """The whole text. ``lines``: of a kind that does not show by itself whether it came to its end.

        Raises ``SourceUnreachable`` when there is nothing to read, ``SourceImplausible`` when it is no text or cut off.
        """
        if self.file is not None:
            return text_of_file(self.file, self.max_bytes)
        answer = self.getter.get(self.place)
        if answer.unchanged:  # nothing was said that could be unchanged
            raise SourceImplausible(f"{self.place}: HTTP status 304 to an unconditional question", hint=KEPT)
        text = answer.text()
        told = "content-length" in answer.headers or "transfer-encoding" in answer.headers
        if lines and text.strip() and not told and not text.endswith(("\n", "\r")):
            raise SourceImplausible(f"{self.place}: broken off in its last line", hint=KEPT)
        return text


def text_of_file(file: Path, max_bytes: int) -> str:
    """A regular file as text. Raises ``SourceUnreachable``; ``SourceImplausible`` when it is too long or no text."""
    if file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise SourceUnreachable(f"{file}: not a regular file", hint=f"name a file; {KEPT}")
    try:
        with file.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        raise SourceUnreachable(f"{file}: {exc.strerror}", hint=f"check the path and its rights; {KEPT}") from exc
    if len(data) > max_bytes:
        raise SourceImplausible(f"{file}: more than {max_bytes} bytes", hint=KEPT)
    return Answer(status=200, headers={}, body=data, url=str(file)).text()
