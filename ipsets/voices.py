"""How many independent voices stand behind a claim on an address. Pure; the rules are ``data/judgement.yaml``.

A list that says "this is TikTok's" may be stale, poisoned, or a copy of another one. So a claim of a list needs a
second voice before it is enforced; a source that knows who originates a prefix, and a person's decision, do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from core.net import DomainName, Network, Ranges, keys_around, lengths_of, sort_key
from ipsets.judgement import rules, voice_of
from ipsets.model import Dedication, Indicator

_CLAIMS: Final = frozenset({Dedication.CLAIMED, Dedication.DEDICATED})


class Voices:
    """The claims of one app set, and who stands behind each.

    ``families`` says under which name a source's word counts; a source that is not in there counts under its own.
    """

    def __init__(self, indicators: Iterable[Indicator], families: Mapping[str, str]) -> None:
        self._families = families
        self._said: dict[tuple[int, int, int], set[str]] = defaultdict(set)  # by sort_key
        shared: list[Network] = []
        proven: list[Network] = []
        for i in indicators:
            if isinstance(i.value, DomainName):
                continue
            if i.dedication is Dedication.SHARED:
                shared.append(i.value)
            elif i.dedication is Dedication.DEDICATED:
                proven.append(i.value)
            self._said[sort_key(i.value)].update(self._voices(i))
        self._lengths = lengths_of(self._said)
        self._shared, self._proven = Ranges(shared), Ranges(proven)

    def against(self, network: Network) -> str | None:
        """Why a claim is not believed; None when it is."""
        if self._proven.holds(network):
            return None
        if self._shared.touched(network):
            return "claimed, but who originates it also carries other services"
        voices, needed = self.of(network), rules().voices_needed
        if len(voices) >= needed:
            return None
        return f"claimed by {len(voices)} independent voice{'' if len(voices) == 1 else 's'}, {needed} are needed"

    def of(self, network: Network) -> Sequence[str]:
        """The independent voices that hold the whole network, sorted."""
        return sorted({voice for key in keys_around(network, self._lengths) for voice in self._said.get(key, ())})

    def _voices(self, indicator: Indicator) -> Iterator[str]:
        for word in indicator.sources:
            kind = word.source.partition(":")[0]
            if indicator.dedication in _CLAIMS or kind in rules().seconding:
                yield voice_of(word.source, self._families)
