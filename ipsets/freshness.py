"""How old each source's word is, and whether that is too old. Pure; the limits are ``data/freshness.yaml``.

Called by reports, metrics, pages and every refresh: what is stale is said aloud, and changes nothing that is enforced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict

from ipsets import rulebook
from ipsets.dataset import shipped_bytes
from ipsets.resolve import SourceRecord
from ipsets.spans import Span, short, words

DEFAULT: Final = "default"


class Limits(BaseModel):
    """What ``freshness.yaml`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answered: Mapping[str, Span]
    dated: Mapping[str, Span]


@cache
def limits() -> Limits:
    return rulebook.shaped(Limits, shipped_bytes("freshness.yaml"), place="freshness.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old one source's word is. ``dated`` is the day its data bears, when that is not the day of the answer."""

    source: str
    last_success: datetime | None
    dated: datetime | None
    limit: timedelta
    stale: str
    """Why it is stale; empty when it is not."""


def freshness(record: SourceRecord, *, now: datetime, stale_after: timedelta | None = None) -> Freshness:
    """``stale_after`` is the inventory's word on this source, in place of the limits of its kind."""
    known = limits()
    limit = stale_after or known.answered.get(record.kind, known.answered[DEFAULT])
    dated_limit = stale_after or known.dated.get(record.kind)
    dated = _dated(record) if record.kind in known.dated else None
    if record.last_success is None:
        stale = "it has never answered"
    elif now - record.last_success > limit:
        stale = f"it last answered {words(now - record.last_success)} ago, more than {short(limit)}"
    elif dated is not None and dated_limit is not None and now - dated > dated_limit:
        stale = f"what it says is of {dated:%Y-%m-%d}, older than {short(dated_limit)}"
    else:
        stale = ""
    return Freshness(source=record.name, last_success=record.last_success, dated=dated, limit=limit, stale=stale)


def _dated(record: SourceRecord) -> datetime | None:
    return max((p.last_seen for i in record.indicators for p in i.sources), default=None)
