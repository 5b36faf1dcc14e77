"""Events, episodes and reports as somebody may read them: each client under its name, a pseudonym, or no name. Pure.

The only place where an identity is replaced. What it cannot replace in the value's own shape it leaves out: an address
that became a pseudonym is no address any more.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final, TypeVar

from controller.evidence.model import Episode
from controller.inventory.privacy import Identities
from controller.model import FORGOTTEN, NOBODY, DetectionEvent, SourceSeen
from controller.reconciling import Reconciled
from controller.reports.making import HIDDEN, SiteReport, TopLine

Counted = TypeVar("Counted", SourceSeen, TopLine)

LETTERS: Final = 12
"""Of a pseudonym: 60 bits, so that of a million clients hardly two share one."""


class Of(StrEnum):
    """What a pseudonym stands for."""

    CLIENT = "client"  # an address, or the name of a machine
    USER = "user"


def pseudonym(key: bytes, site: str, of: Of, name: str) -> str:
    """The same for the same name at one site under one key; without the key, nobody can tell whose it is."""
    said = "\0".join((site, of.value, canonical(of, name))).encode()
    digest = hmac.digest(key, said, "sha256")
    return f"{of.value}-{b32encode(digest[:10]).decode().lower()[:LETTERS]}"


def canonical(of: Of, name: str) -> str:
    """One way to write it: hosts and users are the same in capitals."""
    if of is Of.CLIENT and (":" in name or name[:1].isdigit()):  # else it is no address, and need not be tried as one
        try:
            return str(ip_address(name))
        except ValueError:
            pass
    return name.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class VeiledSource(SourceSeen):
    """A client under another name; ``source`` is nobody's address."""

    alias: str

    @property
    def client(self) -> str:
        return self.alias


@dataclass(frozen=True, slots=True, kw_only=True)
class Veil:
    """How the clients of one site are called. ``key`` is of the time that is told of."""

    identities: Identities
    site: str = ""
    key: bytes = b""

    @property
    def is_open(self) -> bool:
        return self.identities is Identities.SHOWN

    def client(self, name: str) -> str:
        return self._called(Of.CLIENT, name)

    def user(self, name: str) -> str:
        return self._called(Of.USER, name)

    def _called(self, of: Of, name: str) -> str:
        match self.identities:
            case Identities.SHOWN:
                return name
            case Identities.PSEUDONYMS:
                return name if name in ("", FORGOTTEN) else pseudonym(self.key, self.site, of, name)
            case Identities.HIDDEN:
                return HIDDEN if name else ""

    # --- what leaves ----------------------------------------------------------------------------------------------

    def event(self, event: DetectionEvent) -> DetectionEvent:
        if self.is_open or not event.sources:
            return event
        return replace(event, sources=tuple(_together(map(self._source, event.sources))))

    def _source(self, seen: SourceSeen) -> SourceSeen:
        return VeiledSource(
            source=NOBODY,
            destination=seen.destination,
            packets=seen.packets,
            octets=seen.octets,
            last_seen=seen.last_seen,
            alias=self.client(seen.client),
        )

    def episode(self, episode: Episode) -> Episode:
        """An address becomes the pseudonym of a host, for it is no address; a host that has one goes with it."""
        if self.is_open:
            return episode
        who = episode.host if episode.source is None else str(episode.source)
        linked = () if self.identities is Identities.HIDDEN else episode.events
        return replace(episode, source=None, host=self.client(who), user=self.user(episode.user), events=linked)

    def item(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """One of a message to a webhook: an event or an episode as plain data."""
        if self.is_open:
            return dict(said)
        found = dict(said)
        if "sources" in found:
            found["sources"] = [{**pair, "source": self.client(str(pair["source"]))} for pair in found["sources"]]
        if "host" in found:
            who = str(found.get("source") or found["host"])
            found |= {"source": None, "host": self.client(who), "user": self.user(str(found.get("user") or ""))}
        return found

    def reconciled(self, found: Reconciled) -> Reconciled:
        """Whoever is named, under that name; what was found of each stays."""
        if self.is_open:
            return found
        rows = (replace(row, client=self.client(row.client), addresses=()) for row in found.rows)
        return replace(found, rows=tuple(rows))

    def report(self, report: SiteReport, *, note: str) -> SiteReport:
        """Figures stay as they are: what is replaced is who, not how much."""
        if self.is_open:
            return report
        hidden = self.identities is Identities.HIDDEN
        findings = tuple(map(self.episode, report.found.findings))
        lines = (replace(line, name=self.client(line.name)) for line in report.top_sources)
        return replace(
            report,
            top_sources=tuple(_one_line(lines) if hidden else lines),
            exceptions=tuple(replace(line, is_hidden=True) for line in report.exceptions),
            found=replace(report.found, findings=findings),
            reconciled=self.reconciled(report.reconciled),
            identities=self.identities,
            notes=(note, *report.notes),
        )


OPEN: Final = Veil(identities=Identities.SHOWN)


def _together(seen: Iterable[SourceSeen]) -> Iterable[SourceSeen]:
    """Pairs that became the same are one: how many there were is told by nothing then."""
    return _merged(seen, lambda one: (one.client, one.destination))


def _one_line(lines: Iterable[TopLine]) -> Iterable[TopLine]:
    """All clients of one role and end as one."""
    return _merged(lines, lambda line: (line.action, line.role))


def _merged(some: Iterable[Counted], key_of: Callable[[Counted], Hashable]) -> Iterable[Counted]:
    """One of each key, in the order of the first."""
    kept: dict[Hashable, Counted] = {}
    for one in some:
        key = key_of(one)
        old = kept.get(key)
        kept[key] = one if old is None else replace(one, **_sums(old, one))
    return kept.values()


def _sums(one: SourceSeen | TopLine, other: SourceSeen | TopLine) -> dict[str, Any]:
    last: datetime = max(one.last_seen, other.last_seen)
    return {
        "packets": None if one.packets is None or other.packets is None else one.packets + other.packets,
        "octets": None if one.octets is None or other.octets is None else one.octets + other.octets,
        "last_seen": last,
    }


__all__ = ["LETTERS", "OPEN", "Of", "Veil", "VeiledSource", "canonical", "pseudonym"]
