"""What sources and guards said when a snapshot was found, as text that is equal while they say the same. Pure.

From one refresh to the next mostly the times move: each source that answers sees its entries a little later. So a time
that is its source's last success is written as the source's name, and the last successes stand apart (``ages``). Words
and ages together give back exactly what was said. The store keeps equal words once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from ipsets.errors import SnapshotCorrupt
from ipsets.model import Snapshot, Verdict
from ipsets.text import canonical, instant, pack, sha256, unpack

FORMAT: Final = 1
MAX_BYTES: Final = 256 * 1024 * 1024
"""Of the text; what is longer was not written here."""
_OF: Final = "@"
"""Before a source's name, where a time is that source's last success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """``body`` is compressed; ``ages`` is short text that belongs to one refresh. ``digest`` names the body."""

    digest: str
    body: bytes
    ages: str


def words_of(snapshot: Snapshot) -> Words:
    """What was said at the refresh that made this snapshot, or found it again."""
    packed = pack(snapshot.indicators)
    stamps = _stamps(snapshot.source_ages)
    packed["provenance"] = [
        [source, first, _named(source, last, stamps), detail] for source, first, last, detail in packed["provenance"]
    ]
    dropped = [[v.guard, v.entry, v.held, v.reason] for v in snapshot.dropped]
    text = canonical({"format": FORMAT, "indicators": packed, "dropped": dropped})
    ages = canonical([[name, at.isoformat()] for name, at in snapshot.source_ages])
    return Words(digest=sha256(text), body=zlib.compress(text.encode(), 6), ages=ages)


def said(snapshot: Snapshot, words: Words) -> Snapshot:
    """The same content in these words. Raises ``SnapshotCorrupt`` when they are not what ``words_of`` wrote."""
    try:
        inflate = zlib.decompressobj()
        text = inflate.decompress(words.body, MAX_BYTES).decode()
        if inflate.unconsumed_tail or sha256(text) != words.digest:
            raise ValueError("they do not match their digest")  # noqa: TRY301  # the same end as every other damage
        return _read(snapshot, json.loads(text), json.loads(words.ages))
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        hint = "what is enforced stays; restore a backup if the words of then are needed"
        raise SnapshotCorrupt(f"the stored words of a refresh cannot be used: {exc}", hint=hint) from exc


def _read(snapshot: Snapshot, content: Any, listed: Any) -> Snapshot:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r}")
    ages = {str(name): str(at) for name, at in listed}
    packed = content["indicators"]
    packed["provenance"] = [
        [source, first, ages[last.removeprefix(_OF)] if last.startswith(_OF) else last, detail]
        for source, first, last, detail in packed["provenance"]
    ]
    return replace(
        snapshot,
        indicators=unpack(packed),
        dropped=tuple(Verdict(guard=g, entry=e, held=h, reason=r) for g, e, h, r in content["dropped"]),
        source_ages=tuple((name, instant(at)) for name, at in ages.items()),
    )


def _stamps(ages: tuple[tuple[str, datetime], ...]) -> Mapping[str, list[str]]:
    """Last success, as text -> the sources that succeeded then."""
    found: dict[str, list[str]] = {}
    for name, at in ages:
        found.setdefault(at.isoformat(), []).append(name)
    return found


def _named(source: str, last_seen: str, stamps: Mapping[str, list[str]]) -> str:
    """The time, or whose last success it is: the source's own, when several succeeded then."""
    names = stamps.get(last_seen)
    if not names:
        return last_seen
    own = [name for name in names if source == name or source.startswith(f"{name}:") or source.endswith(f":{name}")]
    return _OF + (own or names)[0]
