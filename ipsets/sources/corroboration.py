"""Registered and authorised prefixes: a second voice for what others found, never a voice of its own.

A registry says what somebody may announce, or once meant to; only routing says what is used. So nothing in here makes
an indicator that is dedicated, and a prefix that no other source names is known, shown, and never enforced.
"""

from __future__ import annotations

from datetime import datetime

from core.net import Network
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.ripestat import owner
from ipsets.sources.source import indicator


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
