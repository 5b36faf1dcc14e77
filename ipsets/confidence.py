"""How certain an entry is: what raises it, and what lowers it. Pure; the rules are ``data/judgement.yaml``.

It decides nothing: whether an entry is enforced follows from who knows it, not from how sure they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ipsets.dataset import ABANDONED_APP
from ipsets.judgement import Reason, rules, voice_of
from ipsets.model import Confidence, Indicator

_STEPS: Final = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def lowered(indicator: Indicator, reason: Reason) -> Indicator:
    """The same, with as much less confidence as the rules say for this reason."""
    at = _STEPS.index(indicator.confidence) - rules().confidence.lowered[reason]
    return replace(indicator, confidence=_STEPS[max(at, 0)])


def agreed(indicator: Indicator, families: Mapping[str, str]) -> Indicator:
    """The same, a step more certain when independent voices name it. What the app gave up gains nothing."""
    voices = {voice_of(p.source, families) for p in indicator.sources}
    if len(voices) < rules().confidence.agreeing_voices or indicator.app == ABANDONED_APP:
        return indicator
    return replace(indicator, confidence=_STEPS[min(_STEPS.index(indicator.confidence) + 1, len(_STEPS) - 1)])
