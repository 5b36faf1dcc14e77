"""A firewall's own oracle: it is asked which of its rules would decide a connection, and changes nothing by it.

An optional part of the border: an adapter whose device can be asked has ``ask`` and ``may_ask``; ``oracle_of`` finds
it. Linux has no such command (nftables evaluates packets, not questions): there every rule is read, and played
through here. What a device says is read strictly: an answer that is not understood is *unknown*,
never *blocked*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints

from core.net import Address, Network
from vendors.adapter import Finding, Session

SOURCE_PORT: Final = 50_000
"""A client's port, of those that systems give out: no rule of ours looks at it."""
WORDS: Final = 400
"""How much of an answer is kept."""


class Answered(StrEnum):
    """What a device says of a connection."""

    OURS = "blocked-by-us"  # by a rule of ours
    OTHER = "blocked-otherwise"  # by another rule, named in ``rule`` where the device names it
    BLOCKED = "blocked"  # nobody says by which
    PASSES = "passes"
    UNKNOWN = "unknown"  # it was not asked, refused, or said what is not understood


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A connection that nobody makes."""

    source: Address
    destination: Address
    protocol: str = "tcp"  # or "udp"
    port: int = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the device said. ``rule``: its own name of the rule that decides; ``words``: its answer, or why none."""

    question: Question
    said: Answered
    rule: str = ""
    words: str = ""
    is_refused: bool = False  # the device does not let us ask, or not so
    is_unasked: bool = False  # nothing was sent: ``words`` say why


Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. /:-]{0,62}$")]


def _network(value: object) -> object:
    return ip_network(value) if isinstance(value, str) else value


class Way(BaseModel):
    """Where a connection comes into the device and leaves it: what its oracle must be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    inside: Place
    """The zone, or the interface, that the sources are behind."""
    outside: Place | None = None
    """The zone that the connection leaves by, where the device has zones."""
    sources: tuple[Annotated[Network, BeforeValidator(_network), PlainSerializer(str)], ...] = ()
    """The networks that come in here; empty: all that no other way names."""


def way_of(ways: Iterable[Way], source: Address) -> Way | None:
    """The first that names the source; else the first that names nobody."""
    known = list(ways)
    named = (way for way in known if any(source in network for network in way.sources))
    return next(named, None) or next((way for way in known if not way.sources), None)


def one_way(insides: Sequence[str], outsides: Sequence[str] | None = None) -> tuple[Way, ...]:
    """What other options of a device say already, where they name exactly one way; none otherwise."""
    places = (insides,) if outsides is None else (insides, outsides)
    if any(len(names) != 1 or names[0] == "any" for names in places):
        return ()
    return (Way(inside=insides[0], outside=None if outsides is None else outsides[0]),)


@runtime_checkable
class Oracle(Protocol):
    """What an adapter with an oracle has beside the rest of the border. Sends nothing that changes anything."""

    @property
    def asks(self) -> bool:
        """Whether the inventory says enough to ask anything."""
        ...

    def ask(self, session: Session, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """An answer to each question, in their order. Raises what breaks the session; a refusal is an *unknown*."""
        ...

    def may_ask(self, session: Session) -> Finding:
        """Whether the inventory and the account's rights are enough, for the doctor."""
        ...


def oracle_of(adapter: object) -> Oracle | None:
    """The adapter's oracle; None for a device that has none."""
    return adapter if isinstance(adapter, Oracle) else None


def asking_counts(adapter: object) -> bool:
    """Whether the device counts each question as a hit of the rule that it meets."""
    return bool(getattr(adapter, "asking_counts", False))


def unasked(question: Question, why: str) -> Answer:
    return Answer(question=question, said=Answered.UNKNOWN, words=why, is_unasked=True)


NO_WAY: Final = "not asked: the inventory does not say where this source comes in (options.oracle)"


def told(question: Question, answered: Answered, text: str, *, rule: str = "") -> Answer:
    """An answer with the device's words, on one line and no longer than what is kept."""
    return Answer(question=question, said=answered, rule=rule, words=" ".join(text.split())[:WORDS])


def refused(question: Question, text: str) -> Answer:
    """The device did not answer the question."""
    words = " ".join(text.split())[:WORDS] or "no answer"
    return Answer(question=question, said=Answered.UNKNOWN, words=words, is_refused=True)


NO_ORACLE: Final = Finding(
    check="oracle",
    ok=True,
    message="this device answers no questions of what it would block; `tokgate probe` proves it",
)
_TRIED: Final = Question(source=ip_address("192.0.2.1"), destination=ip_address("198.51.100.1"))


def tried(ways: Sequence[Way]) -> Question:
    """A question that any rights are tried with; its answer matters to nobody."""
    named = next((network for way in ways for network in way.sources if network.version == 4), None)
    return _TRIED if named is None else Question(source=named[-1], destination=_TRIED.destination)


def finding(ways: Sequence[Way], answers: Sequence[Answer]) -> Finding:
    """What the doctor says of an oracle that was, or could not be, tried."""
    if not ways:
        none = "not asked: options.oracle names no way into the device; `tokgate probe` proves what it blocks"
        return Finding(check="oracle", ok=True, message=none)
    bad = [answer.words or "an answer that is not understood" for answer in answers if answer.is_refused]
    good = "the account may ask which rule decides a connection"
    return Finding(check="oracle", ok=not bad, message=f"the question is not answered: {bad[0]}" if bad else good)
