"""A snapshot of another time or place, asked again: would the guards of here and now let pass what it enforces? Pure.

Called before a person puts one in force. Its own guards let it pass when it was made; what is never blocked may have
grown since, by a release or by the inventory, and another place has limits of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from core.net import DomainName, Network, Ranges
from ipsets.catalogue import Catalogue, shared_cdn_ranges
from ipsets.errors import GuardTripped
from ipsets.guard import GuardLimits, NameGuard, NeverBlock, held, hold_sets, parents
from ipsets.model import Indicator, ServiceSet, Snapshot, Verdict
from ipsets.offlimits import off_limits, off_limits_names
from ipsets.selection import SHARED_CDN
from ipsets.text import entry_text

_SHOWN: Final = 5


def refuse_never_blocked(
    snapshot: Snapshot, *, catalogue: Catalogue, never_block: Sequence[NeverBlock], declared: Sequence[Indicator]
) -> None:
    """Raises ``GuardTripped`` with a verdict for each entry that is never blocked today.

    ``declared`` is what sources say now; what they declare off limits counts.
    """
    shared = NeverBlock(reason=SHARED_CDN, networks=shared_cdn_ranges())
    networks = _networks(snapshot, (*never_block, shared, *off_limits(declared)))
    verdicts = (*networks, *_names(snapshot, NameGuard(catalogue), off_limits_names(declared)))
    if verdicts:
        named = "; ".join(f"{v.entry} {v.reason}" for v in verdicts[:_SHOWN])
        more = f"; {len(verdicts) - _SHOWN} more" if len(verdicts) > _SHOWN else ""
        raise GuardTripped(
            f"guard never-block: snapshot {snapshot.id[:12]} holds what is never blocked today: {named}{more}",
            hint="the snapshot in force stays; pin one that was made since, or correct your never_block list",
            verdicts=verdicts,
        )


def refuse_large(
    snapshot: Snapshot, *, catalogue: Catalogue, limits: GuardLimits, in_force: Snapshot | None, force: bool
) -> None:
    """Raises ``GuardTripped`` when it lacks a service, is too large, or changes more than a refresh here might.

    ``force`` passes the churn guard, and no other.
    """
    now = {service.service: service for service in snapshot.services}
    sets = [now.get(name, ServiceSet(service=name, networks=(), domains=())) for name in sorted(catalogue.services)]
    if verdicts := hold_sets(sets, in_force.services if in_force else (), limits, force=force):
        raise GuardTripped(
            "; ".join(f"guard {v.guard}: {v.entry} {v.reason}" for v in verdicts),
            hint="the snapshot in force stays; --force passes churn alone",
            verdicts=verdicts,
        )


def _networks(snapshot: Snapshot, never_block: Sequence[NeverBlock]) -> Iterator[Verdict]:
    ranges = [(block.reason, Ranges(block.networks)) for block in never_block]
    for service in snapshot.services:
        allows = Ranges(service.allows)
        for network in service.networks:
            touched = (reason for reason, never in ranges if not _spares(allows, never, network))
            yield from (held("never-block", str(network), f"touches {reason}") for reason in touched)


def _spares(allows: Ranges, never: Ranges, network: Network) -> bool:
    """Whether all of the network that is never blocked is allowed above it."""
    return not never.touched(network) or all(allows.holds(part) for part in never.inside(network))


def _names(snapshot: Snapshot, guard: NameGuard, declared: Mapping[DomainName, str]) -> Iterator[Verdict]:
    for domain in (domain for service in snapshot.services for domain in service.domains):
        above = (domain, *(DomainName(parent) for parent in parents(domain.name)))
        if verdict := guard.judge(domain):
            yield held(verdict.guard, entry_text(domain), verdict.reason)
        elif reason := next((declared[name] for name in above if name in declared), None):
            yield held("never-block", entry_text(domain), reason)
