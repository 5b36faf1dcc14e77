"""Three records held against each other: what endpoints have installed, what firewalls saw, and what was covered. Pure.

A client is one by its host name, or else by its address. Silence of a firewall says something only while the site was
proven to block or to watch; where it was not, nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from controller.coverage import Coverage
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind, Sighting
from controller.model import FORGOTTEN, CoverageState, EventAction
from controller.sums import SOURCE, Seen, Who

COVERED: Final = (CoverageState.ENFORCED, CoverageState.MONITORED)
SEEN: Final = (EpisodeKind.USE, EpisodeKind.EVASION, EpisodeKind.LEAK, EpisodeKind.OUTSIDE_HOURS)
"""Kinds of episodes that say that a client was seen."""
_BLOCKED: Final = frozenset({EpisodeAction.BLOCKED.value, EventAction.BLOCKED.value})


class Finding(StrEnum):
    """What becomes of one client."""

    BLOCKED = "installed, seen, and all that was seen was blocked"
    PASSED = "installed and seen, and not all of it was blocked"
    SILENT = "installed and never seen, the site covered all the time"
    BLIND = "installed and never seen, the site not covered all the time: silence proves nothing"
    BARE = "seen, and in the list of endpoints without the app"
    STRANGER = "seen and not in the list of endpoints"


class Told(NamedTuple):
    """What episodes of one kind and end told of one client. ``host`` and ``address`` empty: not known."""

    kind: EpisodeKind
    host: str
    address: str
    outcome: str
    last: datetime

    @property
    def client(self) -> str:
        """The name of the host, or else the address; empty: nobody, or nobody any more."""
        name = self.host.lower() or self.address
        return "" if name == FORGOTTEN else name


def told_of(episodes: Iterable[Episode]) -> Iterator[Told]:
    """Each as it is; one that was taken back tells nothing."""
    for episode in episodes:
        if not episode.is_taken_back:
            address = "" if episode.source is None else str(episode.source)
            yield Told(episode.kind, episode.host, address, episode.action.value, episode.window.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A list of endpoints. ``known``: every one of it, by name, with the addresses that the list gives it.

    ``installed``: those that have the app. ``here``: those of them that belong to the site at hand.
    """

    known: Mapping[str, frozenset[str]]
    installed: frozenset[str]
    here: frozenset[str]

    @classmethod
    def recorded(cls, told: Iterable[Told]) -> Endpoints:
        """As episodes of the kind ``installed`` tell."""
        found = dict[str, set[str]]()
        for one in told:
            if one.kind is EpisodeKind.INSTALLED and one.client:
                found.setdefault(one.client, set()).update({one.address} - {""})
        names = frozenset(found)
        return cls(known={name: frozenset(at) for name, at in found.items()}, installed=names, here=names)

    @classmethod
    def listed(cls, seen: Iterable[Sighting], having: Iterable[Episode]) -> Endpoints:
        """Of a list whose records are ``seen``, and who of it has the app; none of them at the site at hand yet."""
        known = {name: frozenset(at) for name, at in _clients(seen).items()}
        return cls(known=known, installed=frozenset(_clients(having)), here=frozenset())

    def at(self, ours: Iterable[Episode]) -> Endpoints:
        """The same list, of which these belong to the site at hand."""
        return replace(self, here=frozenset(_clients(ours)))


@dataclass(slots=True)
class _Seen:
    """What firewalls and sensors saw of one client."""

    addresses: set[str] = field(default_factory=set)
    outcomes: set[str] = field(default_factory=set)
    last: datetime | None = None

    def add(self, outcome: str, at: datetime, addresses: Iterable[str] = ()) -> None:
        self.outcomes.add(outcome)
        self.addresses.update(addresses)
        self.last = at if self.last is None else max(self.last, at)

    def plus(self, other: _Seen) -> None:
        self.addresses |= other.addresses
        self.outcomes |= other.outcomes
        self.last = max((at for at in (self.last, other.last) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One client. ``outcomes``: what became of what was seen of it; ``last_seen`` None: nothing was."""

    client: str
    finding: Finding
    addresses: tuple[str, ...]
    outcomes: tuple[str, ...]
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One site. ``covered``: the share of the time in which it was proven to block or to watch; None: no time."""

    has_list: bool
    covered: float | None
    rows: tuple[Row, ...]

    @property
    def counts(self) -> dict[Finding, int]:
        found = dict.fromkeys(Finding, 0)
        for row in self.rows:
            found[row.finding] += 1
        return found

    def first(self, most: int) -> tuple[Row, ...]:
        """So many of the clients at most, those that somebody has to look after first."""
        return tuple(sorted(self.rows, key=lambda row: (_ATTENTION.index(row.finding), row.client))[:most])


UNLISTED: Final = Reconciled(has_list=False, covered=None, rows=())
_ATTENTION: Final = (
    Finding.PASSED,
    Finding.STRANGER,
    Finding.BARE,
    Finding.BLIND,
    Finding.SILENT,
    Finding.BLOCKED,
)


def reconcile(
    covered: Coverage, told: Iterable[Told], counted: Mapping[Who, Seen], endpoints: Endpoints | None = None
) -> Reconciled:
    """The clients of a site, by what was found and by name.

    ``told``: by episodes; ``counted``: by the counters of firewalls. ``endpoints`` None: as episodes tell of them;
    where none does, there is no list that anybody could be missing in, and nothing follows.
    """
    known_episodes = tuple(told)
    listed = endpoints or Endpoints.recorded(known_episodes)
    times = {state: covered.total(state).total_seconds() for state in CoverageState}
    held, total = sum(times[state] for state in COVERED), sum(times.values())
    whole = bool(total) and held == total
    by_name, by_address = _seen(known_episodes), _counted(counted)
    rows, met = [], set[str]()
    if endpoints is None and not listed.known:
        by_name, by_address = {}, {}
    for name, addresses in listed.known.items():
        seen = _Seen()
        for known in (by_name.get(name), *(by_name.get(at) for at in addresses)):
            if known is not None:
                seen.plus(known)
        for address in {*addresses, *seen.addresses} & by_address.keys():
            seen.plus(by_address[address])
        met |= {name, *addresses, *seen.addresses}
        if (finding := _finding(name, listed, seen, whole=whole)) is not None:
            rows.append(_row(name, finding, seen, addresses))
    strangers = {name: seen for name, seen in by_name.items() if name not in met and not seen.addresses & met}
    met |= {address for seen in strangers.values() for address in seen.addresses}
    for name, seen in strangers.items():
        for address in seen.addresses & by_address.keys():
            seen.plus(by_address[address])
        rows.append(_row(name, Finding.STRANGER, seen))
    rows += [_row(at, Finding.STRANGER, seen) for at, seen in by_address.items() if at not in met]
    order = list(Finding)
    return Reconciled(
        has_list=bool(listed.known),
        covered=int(held / total * 10_000) / 10_000 if total else None,
        rows=tuple(sorted(rows, key=lambda row: (order.index(row.finding), row.client))),
    )


def _finding(name: str, listed: Endpoints, seen: _Seen, *, whole: bool) -> Finding | None:
    """None: there is nothing to say of it at this site."""
    if seen.outcomes and name in listed.installed:
        return Finding.BLOCKED if seen.outcomes <= _BLOCKED else Finding.PASSED
    if seen.outcomes:
        return Finding.BARE
    if name in listed.here:
        return Finding.SILENT if whole else Finding.BLIND
    return None


def _row(client: str, finding: Finding, seen: _Seen, addresses: Iterable[str] = ()) -> Row:
    at = tuple(sorted({*addresses, *seen.addresses}))
    return Row(client=client, finding=finding, addresses=at, outcomes=tuple(sorted(seen.outcomes)), last_seen=seen.last)


def _seen(told: Iterable[Told]) -> dict[str, _Seen]:
    """By the client's name, or else its address."""
    found: dict[str, _Seen] = {}
    for one in told:
        if one.kind in SEEN and one.client:
            found.setdefault(one.client, _Seen()).add(one.outcome, one.last, {one.address} - {""})
    return found


def _counted(counted: Mapping[Who, Seen]) -> dict[str, _Seen]:
    """By address, as firewalls noted it."""
    found: dict[str, _Seen] = {}
    for who, seen in counted.items():
        if who.side == SOURCE and who.name != FORGOTTEN:
            found.setdefault(who.name, _Seen()).add(who.action.value, seen.last_seen, {who.name})
    return found


def _clients(some: Iterable[Episode | Sighting]) -> dict[str, set[str]]:
    """By name, with every address that it had."""
    found: dict[str, set[str]] = {}
    for one in some:
        address = "" if one.source is None else str(one.source)
        if name := one.host.lower() or address:
            found.setdefault(name, set()).update({address} - {""})
    return found


__all__ = ["COVERED", "SEEN", "UNLISTED", "Endpoints", "Finding", "Reconciled", "Row", "Told", "reconcile", "told_of"]
