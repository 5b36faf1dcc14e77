"""How long a source's word counts: ``last_seen+30d``, as a small language. Pure.

    EVENT [+ NUMBER UNIT]        EVENT: last_seen, first_seen        UNIT: h, d, w

``last_seen`` alone: as long as the source names the entry, and no longer. ``last_seen+30d``: thirty days more.
``first_seen+90d``: ninety days after it was named first, even while it is named; for lists that nobody tidies.

Time is that of the source's own successes: what a source that does not answer said last neither ages nor ends, because
silence would then open what it closed (decision 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema, model_validator

from core.net import DomainName, Network
from ipsets.model import Dedication, Indicator, noted

_RULE: Final = re.compile(r"(?P<event>first_seen|last_seen)(?: ?\+ ?(?P<number>[1-9]\d{0,3})(?P<unit>[hdw]))?")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST: Final = timedelta(days=732)
MAX_GONE: Final = 50_000
"""Entries that one source stopped naming and that are still kept; the ones named last stay."""


@dataclass(frozen=True, slots=True)
class AgeOut:
    """One rule: until when a word counts."""

    event: Literal["first_seen", "last_seen"] = "last_seen"
    grace: timedelta = timedelta()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError`` saying what the language is."""
        found = _RULE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text[:40]!r} is no age: say last_seen, last_seen+30d or first_seen+90d (h, d or w)")
        grace = int(found["number"]) * _UNITS[found["unit"]] if found["number"] else timedelta()
        if grace > LONGEST:
            raise ValueError(f"{text[:40]!r} is longer than {LONGEST.days} days")
        if found["event"] == "first_seen" and not grace:
            raise ValueError("first_seen alone would let nothing count: say first_seen+90d")
        return cls("first_seen" if found["event"] == "first_seen" else "last_seen", grace)

    def until(self, first_seen: datetime, last_seen: datetime) -> datetime:
        """When a word stops to count that its source named first and last then."""
        return (first_seen if self.event == "first_seen" else last_seen) + self.grace

    def __str__(self) -> str:
        if not self.grace:
            return self.event
        hours = int(self.grace / _UNITS["h"])
        return f"{self.event}+{f'{hours // 24}d' if hours % 24 == 0 else f'{hours}h'}"


def _rule(given: Any) -> Any:
    return given if isinstance(given, AgeOut) else AgeOut.parse(str(given))


AgeRule = Annotated[
    AgeOut,
    BeforeValidator(_rule),
    PlainSerializer(str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(last_seen(\+[1-9][0-9]{0,3}[hdw])?|first_seen\+[1-9][0-9]{0,3}[hdw])$"}
    ),
]


class Ages(BaseModel):
    """How long the words of one source count, by what they are about. One rule may be said for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addresses: AgeRule = AgeOut()
    names: AgeRule = AgeOut()

    @model_validator(mode="before")
    @classmethod
    def _for_both(cls, given: Any) -> Any:
        return {"addresses": given, "names": given} if isinstance(given, str) else given

    def of(self, value: Network | DomainName) -> AgeOut:
        return self.names if isinstance(value, DomainName) else self.addresses


def keep_gone(
    known: Iterable[Indicator], current: Iterable[Indicator], ages: Ages, *, now: datetime
) -> tuple[Indicator, ...]:
    """Of what a source named before: the entries that it names no more, and that still count ``now``.

    An entry that it names for another app now has moved, and is not kept. At most ``MAX_GONE``, the ones seen last.
    """
    named = {i.value for i in current}
    kept = [i for i in known if i.value not in named and _lingers(i, ages, now)]
    if len(kept) > MAX_GONE:
        kept = sorted(kept, key=lambda i: max(p.last_seen for p in i.sources))[-MAX_GONE:]
    return tuple(kept)


def _lingers(indicator: Indicator, ages: Ages, now: datetime) -> bool:
    rule = ages.of(indicator.value)
    return rule.event == "last_seen" and not _past(indicator, rule, now)


def _past(indicator: Indicator, rule: AgeOut, at: datetime) -> bool:
    """Whether none of its words counts any more."""
    return all(rule.until(p.first_seen, p.last_seen) <= at for p in indicator.sources)


def aged_out(indicators: Iterable[Indicator], ages: Ages, *, at: datetime, forget: bool = False) -> Iterator[Indicator]:
    """The same, with those whose words do not count any more as merely known, each saying why; or left out.

    What a source declares off limits does not age: it protects others.
    """
    for i in indicators:
        rule = ages.of(i.value)
        if rule.event == "last_seen" or i.dedication is Dedication.NEVER or not _past(i, rule, at):
            yield i
        elif not forget:
            yield noted(i, f"aged out ({rule})", Dedication.UNKNOWN)
