"""The guards on intelligence: what no source, however wrong, can make tokgate block (I7).

Pure. Two kinds: an entry guard drops or carves one entry and says so; a set guard *holds* the whole snapshot, so that
the one in force stays. Guards on a device's own addresses and capacity stand where the device is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.net import DomainName, Network, Ranges, address_count, aggregate, networks_of, parse_network, subtract
from ipsets import dataset
from ipsets.aggregate import MAX_PIECES, NOTHING, Carved, carve
from ipsets.catalogue import Catalogue
from ipsets.homographs import imitated
from ipsets.model import ServiceSet, Verdict

_SHOWN: Final = 5


def _network(given: object) -> Network:
    return given if isinstance(given, IPv4Network | IPv6Network) else parse_network(str(given))


GuardedNetwork = Annotated[Network, BeforeValidator(_network)]
Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class GuardLimits(BaseModel):
    """How far intelligence may go without a person. Everything has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    never_block: tuple[GuardedNetwork, ...] = ()
    """Networks of the user's own that are never blocked."""
    max_prefix_v4: int = Field(default=16, ge=8, le=32)
    """The widest IPv4 prefix: /16. A wider one is dropped."""
    max_prefix_v6: int = Field(default=32, ge=16, le=128)
    """The widest IPv6 prefix: /32."""
    max_addresses_v4: int = Field(default=1_000_000, ge=1)
    """IPv4 addresses in one service. TikTok's own networks hold about 15 000."""
    max_networks_v6: int = Field(default=1_000_000, ge=1)
    """IPv6 /48 networks in one service, counted by what they cover."""
    max_entries: int = Field(default=250_000, ge=1)
    """Networks and domains in one service."""
    max_pieces: int = Field(default=MAX_PIECES, ge=1, le=100_000)
    """Pieces that cutting never-block ranges out of one entry may leave; with more it stays whole, below allows."""
    max_removed_share: Share = Field(default=0.3, le=1)
    """The share of a service's addresses or domains that one snapshot may lose."""
    max_added_share: Share = 1.0
    """The share that one snapshot may gain: 1 is twice as many."""
    churn_floor: int = Field(default=10, ge=0)
    """Below this many entries before, a share says nothing; losing all of them does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverBlock:
    """Networks that are never blocked, and why."""

    reason: str
    networks: tuple[Network, ...]


@cache
def default_never_block() -> tuple[NeverBlock, ...]:
    """What nobody has to list: also what a live DNS answer may never bring into a block.

    Ranges of shared CDNs are not in here (``shared_cdn_ranges``): whether a live answer there is blocked is a policy.
    """
    clouds = aggregate(row.network for row in dataset.prefixes() if row.dedication == "cloud-customers")
    return (
        NeverBlock(
            reason="special-purpose address space (IANA)",
            networks=aggregate(row.network for row in dataset.special_purpose()),
        ),
        NeverBlock(reason="public DNS resolvers", networks=aggregate(r.network for r in dataset.public_resolvers())),
        NeverBlock(reason="customers of ByteDance's cloud (BytePlus, Volcano Engine)", networks=clouds),
    )


# --- one entry --------------------------------------------------------------------------------------------------------


class NetworkGuard:
    """Judges networks, one by one; holds the ranges ready for many questions."""

    def __init__(self, limits: GuardLimits, never_block: Iterable[NeverBlock]) -> None:
        self._limits = limits
        self._reasons = [(block.reason, Ranges(block.networks)) for block in never_block if block.networks]
        self.everything = Ranges(n for block in never_block for n in block.networks)

    def judge(self, network: Network) -> tuple[Carved, tuple[Verdict, ...]]:
        """What of ``network`` may be enforced, below which allows, and what the guards say about the rest."""
        limit = self._limits.max_prefix_v4 if network.version == 4 else self._limits.max_prefix_v6
        if network.prefixlen < limit:
            also = "".join(f"; it touches {reason}" for reason, ranges in self._reasons if ranges.touched(network))
            return NOTHING, (_dropped("too-wide", network, f"/{network.prefixlen} is wider than /{limit}{also}"),)
        if not self.everything.touched(network):
            return Carved(deny=(network,), allow=()), ()
        carved = carve(network, self.everything, max_pieces=self._limits.max_pieces)
        return carved, tuple(self._explain(network, carved))

    def _explain(self, network: Network, carved: Carved) -> Iterable[Verdict]:
        done = "carved out, the rest stays" if carved.deny else "dropped"
        if carved.allow:
            many = f"more than {self._limits.max_pieces} pieces"
            done = f"allowed above it, for it would fall into {many}; the rest stays"
        for reason, ranges in self._reasons:
            if touched := ranges.touched(network):
                first = next(networks_of(touched, network.version))
                more = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
                what = f"inside {reason}" if ranges.holds(network) else f"covers {reason}: {first}{more}"
                yield _dropped("never-block", network, f"{what}; {done}")


def _dropped(guard: str, entry: Network | str, reason: str) -> Verdict:
    return Verdict(guard=guard, entry=str(entry), held=False, reason=reason)


WIDE_SUFFIXES: Final = frozenset(
    f"{second}.{country}"
    for country in ("uk", "au", "nz", "jp", "kr", "cn", "hk", "tw", "sg", "in", "br", "za", "tr", "id", "il", "th")
    for second in ("co", "com", "org", "net", "gov", "ac", "edu", "ne", "or")
)
"""Registries' second levels: a suffix entry there would cover thousands of owners."""


class NameGuard:
    """Judges names: lookalikes, zones of other services, whole content networks, whole registries."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._refused_apps = catalogue.refused_apps
        self._rows = {row.domain.name: row for row in dataset.names() if row.domain.suffix}
        self._exact = {row.domain.name: row for row in dataset.names() if not row.domain.suffix}

    def judge(self, domain: DomainName) -> Verdict | None:
        """Why this name is not enforced; None when nothing speaks against it."""
        if domain.suffix and ("." not in domain.name or domain.name in WIDE_SUFFIXES):
            return self._drop("too-wide", domain, "a whole registry")
        if domain.suffix and (operator := self._whole_network(domain.name)):
            return self._drop("too-wide", domain, f"a whole content network ({operator})")
        for parent in parents(domain.name):
            if why := dataset.lookalikes().get(parent):
                return self._drop("lookalike", domain, f"{parent} is not TikTok's: {why}")
        if known := imitated(domain.name):
            return self._drop("lookalike", domain, f"letters of another script make it look like {known}")
        return self._by_row(domain)

    @staticmethod
    def _whole_network(name: str) -> str | None:
        suffixes = dataset.cdn_suffixes()
        return suffixes.get(name) or next((o for s, o in suffixes.items() if s.endswith(f".{name}")), None)

    def row(self, domain: DomainName) -> dataset.NameRow | None:
        """The most specific row of the shipped set that covers this name."""
        above = (self._rows[parent] for parent in parents(domain.name) if parent in self._rows)
        return self._exact.get(domain.name) or next(above, None)

    def _by_row(self, domain: DomainName) -> Verdict | None:
        row = self.row(domain)
        if row is None:
            return None
        if row.app in self._refused_apps:
            return self._drop("never-block", domain, f"{row.domain.name}: {self._refused_apps[row.app]}")
        if row.scope == "abandoned":
            return self._drop("abandoned", domain, f"{row.domain.name}: {row.note}")
        return None

    @staticmethod
    def _drop(guard: str, domain: DomainName, reason: str) -> Verdict:
        return _dropped(guard, domain.name, reason)


def parents(name: str) -> Iterable[str]:
    """``a.b.c``, ``b.c``, ``c``: the name and every zone above it, nearest first."""
    labels = name.split(".")
    return (".".join(labels[at:]) for at in range(len(labels)))


# --- the whole set ----------------------------------------------------------------------------------------------------


def hold_size(service: ServiceSet, limits: GuardLimits, *, before: ServiceSet | None) -> Iterable[Verdict]:
    """Too much, or nothing at all."""
    entries = len(service.networks) + len(service.domains) + len(service.allows)
    blocked = service.blocked
    v4, v6 = address_count(blocked, 4), address_count(blocked, 6) >> 80
    if not blocked and not service.domains:
        yield held("empty", service.service, "no entry is left: nothing would be enforced")
    elif before is not None and before.blocked and not blocked:
        yield held("empty", service.service, f"none of the {len(before.networks)} networks is left")
    if v4 > limits.max_addresses_v4:
        yield held("too-many", service.service, f"{v4} IPv4 addresses, more than {limits.max_addresses_v4}")
    if v6 > limits.max_networks_v6:
        yield held("too-many", service.service, f"{v6} IPv6 /48 networks, more than {limits.max_networks_v6}")
    if entries > limits.max_entries:
        yield held("too-many", service.service, f"{entries} entries, more than {limits.max_entries}")


def hold_sets(
    services: Iterable[ServiceSet], before: Iterable[ServiceSet], limits: GuardLimits, *, force: bool
) -> tuple[Verdict, ...]:
    """What the set guards say of all services, beside what is in force. ``force`` passes churn, and no other."""
    known, was = tuple(services), {service.service: service for service in before}
    verdicts = [v for s in known for v in hold_size(s, limits, before=was.get(s.service))]
    if not force:
        verdicts += [v for s in known if s.service in was for v in hold_churn(was[s.service], s, limits)]
    return tuple(verdicts)


def hold_churn(old: ServiceSet, new: ServiceSet, limits: GuardLimits) -> Iterable[Verdict]:
    """One snapshot that loses or gains more than a person would expect."""
    for version in (4, 6):
        before = _family(old.blocked, version)
        after = _family(new.blocked, version)
        if not before or (len(before) < limits.churn_floor and after):  # of nothing there is no share
            continue
        yield from _churn(
            f"{old.service} IPv{version} addresses",
            limits,
            before=address_count(before, version),
            removed=subtract(before, after),
            added=subtract(after, before),
            count=lambda found, v=version: address_count(found, v),
        )
    if old.domains and (len(old.domains) >= limits.churn_floor or not new.domains):
        lost, gained = set(old.domains) - set(new.domains), set(new.domains) - set(old.domains)
        yield from _churn(
            f"{old.service} domains",
            limits,
            before=len(old.domains),
            removed=[d.name for d in sorted(lost)],
            added=[d.name for d in sorted(gained)],
            count=len,
        )


def _churn(
    what: str, limits: GuardLimits, *, before: int, removed: Sequence[Any], added: Sequence[Any], count: Any
) -> Iterable[Verdict]:
    lost, gained = count(removed) / before, count(added) / before
    if lost > limits.max_removed_share:
        reason = f"would lose {lost:.0%} of them, more than {limits.max_removed_share:.0%}: {_some(removed)}"
        yield held("churn", what, reason)
    if gained > limits.max_added_share:
        reason = f"would gain {gained:.0%}, more than {limits.max_added_share:.0%}: {_some(added)}"
        yield held("churn", what, reason)


def _some(entries: Sequence[Any]) -> str:
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return ", ".join(str(entry) for entry in entries[:_SHOWN]) + more


def _family(networks: Iterable[Network], version: int) -> tuple[Network, ...]:
    return tuple(network for network in networks if network.version == version)


def held(guard: str, entry: str, reason: str) -> Verdict:
    return Verdict(guard=guard, entry=entry, held=True, reason=reason)
