"""What moved in the store since somebody last looked, so that pages ask again for what changed and for nothing else.

Pure. ``Marks`` say how far the store is; two of them, with the sites in between, make ``Changes``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from core.ids import SiteName

_NUMBER: Final = r"(\d{1,18})"
_DIGEST: Final = r"([0-9a-f]{12})"
_TEXT: Final = re.compile("-".join([*[_NUMBER] * 3, *[_DIGEST] * 3]), re.ASCII)


class Topic(StrEnum):
    """What a page can be about."""

    SITE = "site"  # what was read back of a site, or what was tried there
    EPISODES = "episodes"  # events and what they came to
    RUNS = "runs"
    INTEL = "intel"  # the snapshot in force, or what a source said
    EXCEPTIONS = "exceptions"  # one was asked for, decided, given a seat, or is over


Changes = Mapping[Topic, frozenset[SiteName] | None]
"""The sites that each topic is about; None: not known, so it may be any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far the store is. ``journal``, ``looks`` and ``audit`` are numbers of rows that only grow."""

    journal: int
    looks: int
    audit: int
    proofs: str  # digests of what is asked whole
    runs: str
    intel: str
    open_runs: Mapping[str, int] = field(default_factory=dict, compare=False)  # how many of their devices are done
    newest_run: str = field(default="", compare=False)
    newest_proof: str = field(default="", compare=False)
    is_read: bool = field(default=False, compare=False)  # from a text, so the three before it are not known

    def __str__(self) -> str:
        """For ``Last-Event-ID``."""
        return f"{self.journal}-{self.looks}-{self.audit}-{self.proofs}-{self.runs}-{self.intel}"

    @classmethod
    def parse(cls, text: str) -> Marks | None:
        """None for what is none of ours."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        journal, looks, audit = (int(number) for number in found.groups()[:3])
        return cls(
            journal=journal, looks=looks, audit=audit, proofs=found[4], runs=found[5], intel=found[6], is_read=True
        )


def digest(parts: Iterable[object]) -> str:
    """Of what is compared and never read."""
    return hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()[:12]


def anything(sites: frozenset[SiteName]) -> Changes:
    """As if all had changed there: for who comes again and may not learn what else moved meanwhile."""
    return {topic: None if topic is Topic.INTEL else sites for topic in Topic}


def about(changes: Changes, sites: frozenset[SiteName] | None) -> Changes:
    """What of it concerns these sites; None: every site."""
    if sites is None:
        return changes
    ours = {topic: None if found is None else found & sites for topic, found in changes.items()}
    return {topic: found for topic, found in ours.items() if found is None or found}


def joined(one: Changes, other: Changes) -> Changes:
    """Both of them."""
    found = dict(one)
    for topic, sites in other.items():
        known = found.get(topic, frozenset())
        found[topic] = None if known is None or sites is None else known | sites
    return found
