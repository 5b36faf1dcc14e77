"""How many independent voices stand behind a claim on an address. Pure; the rules are ``data/judgement.yaml``.

A list that says "this is TikTok's" may be stale, poisoned, or a copy of another one. So a claim of a list needs a
second voice before it is enforced; a source that knows who originates a prefix, and a person's decision, do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from core.net import DomainName, Network, Ranges, keys_around, lengths_of, sort_key
from ipsets.model import Dedication, Indicator

_CLAIMS: Final = frozenset({Dedication.CLAIMED, Dedication.DEDICATED})


class Family(BaseModel):
    """Lists that copy each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: str
    addresses: tuple[str, ...] = Field(min_length=1)


class Rules(BaseModel):
    """What ``judgement.yaml`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voices_needed: int = Field(ge=1)
    seconding: Mapping[str, str]
    families: Mapping[str, Family]


@cache
def rules() -> Rules:
    text = (files("ipsets") / "data" / "judgement.yaml").read_text(encoding="utf-8")
    return Rules.model_validate(yaml.safe_load(text))


def family_of(address: str) -> str | None:
    """The family of lists that this address belongs to, if it is one that is known to be copied."""
    families = rules().families.items()
    known = ((name, part) for name, family in families for part in family.addresses)
    return next((name for name, part in known if part.lower() in address.lower()), None)


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
                yield self._families.get(word.source, word.source if kind not in rules().seconding else kind)
