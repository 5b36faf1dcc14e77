"""Which of a snapshot's indicators somebody asks for. Pure; the commands and the API ask by it."""

from __future__ import annotations

from dataclasses import dataclass

from ipsets.model import Indicator
from ipsets.owners import Owners
from ipsets.text import entry_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Each one that is not None must fit. ``text`` is anywhere in the entry, in capitals or not."""

    app: str | None = None
    owner: str | None = None
    category: str | None = None
    source: str | None = None
    text: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing was asked for."""
        return self == Choice()

    def takes(self, indicator: Indicator, owners: Owners) -> bool:
        return (
            self.app in (None, indicator.app)
            and self.category in (None, indicator.category)
            and (self.owner is None or self.owner == owners.of(indicator))
            and (self.source is None or any(is_of(word.source, self.source) for word in indicator.sources))
            and contains(entry_text(indicator.value), self.text)
        )


def is_of(word: str, source: str) -> bool:
    """``ripestat:AS138699`` is of ``ripestat``; ``list:mine`` is of ``list`` and of ``mine``."""
    kind, _, name = word.partition(":")
    return source in (word, kind, name)


def contains(entry: str, text: str | None) -> bool:
    return text is None or text.lower() in entry
