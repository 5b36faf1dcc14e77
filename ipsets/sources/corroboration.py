"""Registered and authorised prefixes: a second voice for what others found, never a voice of its own.

A registry says what somebody may announce, or once meant to; only routing says what is used. So nothing in here makes
an indicator that is dedicated, and a prefix that no other source names is known, shown, and never enforced.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from core.net import Network
from ipsets.errors import SourceImplausible
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.http import KEPT
from ipsets.sources.ripestat import owner
from ipsets.sources.source import indicator

MAX_ROUTED: Final = 50_000
WIDEST: Final = {4: 8, 6: 16}
"""A default route that one of ours seems to originate is a leak, and would second every claim there is."""


def corroboration(network: Network, *, asn: int, source: str, seen: datetime, category: str, detail: str) -> Indicator:
    """A word for ``network`` that confirms another source's, and enforces nothing by itself."""
    app, dedication = owner(asn)
    return indicator(
        network,
        source=source,
        seen=seen,
        app=app,
        category=category,
        confidence=Confidence.LOW,
        dedication=Dedication.UNKNOWN if dedication is Dedication.DEDICATED else dedication,
        detail=detail,
    )


def refuse_odd(networks: Collection[Network], said: str, place: str) -> None:
    """Raises ``SourceImplausible`` for no network, too many, or one too wide. ``said``: what they are."""
    if not 0 < len(networks) <= MAX_ROUTED:
        raise SourceImplausible(f"{place}: {len(networks)} {said}", hint=f"check `asns` and the floor; {KEPT}")
    wide = next((n for n in networks if n.prefixlen < WIDEST[n.version]), None)
    if wide is not None:
        raise SourceImplausible(f"{place}: {wide} is among the {said}, wider than /{WIDEST[wide.version]}", hint=KEPT)
