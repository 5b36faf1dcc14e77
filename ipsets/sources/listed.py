"""A plain list from a file or a URL. What it says is taken as its owner's word; the guards still judge every entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import structlog

from core.net import DomainName, Network, Ranges
from ipsets import dataset
from ipsets.errors import SourceImplausible
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.document import text_of_file
from ipsets.sources.http import KEPT, Answer, Getter
from ipsets.sources.plain import Entry, read
from ipsets.sources.source import Fetched, LastGood, indicator

log = structlog.get_logger()
KIND: Final = "list"
Trust: TypeAlias = Literal["claimed"] | bool
"""``True``: proof. ``claimed``: needs a second voice. ``False``: nothing, outside TikTok's own prefixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """One list. ``dedicated`` says what its word on an address is worth (``ListConfig``)."""

    name: str
    file: Path | None = None
    url: str | None = None
    kind: str = KIND
    max_shrink: float = 0.5
    app: str = "tiktok"
    confidence: Confidence = Confidence.MEDIUM
    dedicated: Trust = "claimed"
    max_bytes: int = 16 * 1024 * 1024
    skip_unsupported: bool = False
    getter: Getter = field(default_factory=Getter)

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        if self.file is not None:
            text, memo = text_of_file(self.file, self.max_bytes), ""
        else:
            conditions = self._conditions(last)
            answer = self._get(conditions)
            if answer.unchanged and not conditions:
                raise SourceImplausible(f"{answer.url}: HTTP status 304 to an unconditional question", hint=KEPT)
            if answer.unchanged and last is not None:
                known = tuple(_seen_again(i, now) for i in last.indicators)
                return Fetched(indicators=known, memo=last.memo, skipped=last.skipped)
            text, memo = _whole(answer), _validators(answer.headers, self._digest())
        found = read(text, place=str(self.file or self.url), skip_unsupported=self.skip_unsupported)
        if found.skipped:
            log.warning("list.skipped", source=self.name, lines=found.skipped, first=found.first)
        return Fetched(indicators=self._indicators(found.entries, now), memo=memo, skipped=found.skipped)

    def _get(self, conditions: Mapping[str, str]) -> Answer:
        if self.url is None:
            raise AssertionError("a list has a file or a URL")
        return self.getter.get(self.url, headers=conditions)

    def _conditions(self, last: LastGood | None) -> Mapping[str, str]:
        """Ask only for what changed, if the last answer was read with this same configuration."""
        known = json.loads(last.memo) if last is not None and last.memo else {}
        if known.get("digest") != self._digest():
            return {}
        headers = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("modified")}
        return {name: value for name, value in headers.items() if value}

    def _digest(self) -> str:
        said = repr((self.url, self.app, self.confidence.value, self.dedicated, self.skip_unsupported))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def _indicators(self, entries: tuple[Entry, ...], now: datetime) -> tuple[Indicator, ...]:
        dedicated = Ranges(dataset.dedicated_prefixes())
        unique: dict[Network | DomainName, int] = {}
        for line, value in entries:
            unique.setdefault(value, line)
        return tuple(
            indicator(
                value,
                source=f"{KIND}:{self.name}",
                seen=now,
                app=self.app,
                category="listed",
                confidence=self.confidence,
                dedication=self._dedication(value, dedicated),
                detail=f"line {line}",
            )
            for value, line in unique.items()
        )

    def _dedication(self, value: Network | DomainName, own: Ranges) -> Dedication:
        if self.dedicated is True or isinstance(value, DomainName) or own.holds(value):
            return Dedication.DEDICATED
        return Dedication.CLAIMED if self.dedicated else Dedication.UNKNOWN


def _whole(answer: Answer) -> str:
    """The text, if it came to its end: a last line without one, and nothing that tells the length, is a cut."""
    text = answer.text()
    told = "content-length" in answer.headers or "transfer-encoding" in answer.headers
    if text.strip() and not told and not text.endswith(("\n", "\r")):
        raise SourceImplausible(f"{answer.url}: broken off in its last line", hint=KEPT)
    return text


def _validators(headers: Mapping[str, str], digest: str) -> str:
    known = {"digest": digest, "etag": headers.get("etag"), "modified": headers.get("last-modified")}
    return json.dumps(known, sort_keys=True)


def _seen_again(known: Indicator, now: datetime) -> Indicator:
    return replace(known, sources=tuple(replace(p, last_seen=now) for p in known.sources))
