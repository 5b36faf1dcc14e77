"""Three records held against each other: what endpoints have installed, what firewalls saw, and what was covered. Pure.

A client is one by its host name, or else by its address. Silence of a firewall says something only while the site was
proven to block or to watch; where it was not, nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from controller.evidence.model import Episode, EpisodeKind
from controller.model import CoverageState
from controller.packs.contents import SiteFacts

COVERED: Final = (CoverageState.ENFORCED, CoverageState.MONITORED)
_SEEN: Final = (EpisodeKind.USE, EpisodeKind.EVASION, EpisodeKind.LEAK, EpisodeKind.OUTSIDE_HOURS)


class Finding(StrEnum):
    """What becomes of one client."""

    AGREE = "installed and seen"
    SILENT = "installed and never seen, the site covered all the time"
    BLIND = "installed and never seen, the site not covered all the time: silence proves nothing"
    STRANGER = "seen and not in the list of endpoints"


def reconciled(facts: SiteFacts, *, identities: bool) -> dict[str, Any]:
    """The matrix of a site; with ``identities`` also who it is."""
    installed = _clients(e for e in facts.episodes if e.kind is EpisodeKind.INSTALLED)
    seen = _clients(e for e in facts.episodes if e.kind in _SEEN)
    sources = {str(pair.source) for event in facts.events for pair in event.sources}
    covered = sum(facts.whole.total(state).total_seconds() for state in COVERED)
    total = sum(facts.whole.total(state).total_seconds() for state in CoverageState)
    whole = bool(total) and covered == total
    found: dict[Finding, set[str]] = {finding: set() for finding in Finding}
    for name, addresses in installed.items():
        if name in seen or addresses & sources:
            found[Finding.AGREE].add(name)
        else:
            found[Finding.SILENT if whole else Finding.BLIND].add(name)
    known = {address for addresses in installed.values() for address in addresses}
    found[Finding.STRANGER] = {n for n, at in seen.items() if n not in installed and not at & known}
    found[Finding.STRANGER] |= sources - known - {a for addresses in seen.values() for a in addresses}
    return {
        "endpoint_list": "recorded" if installed else "none is recorded: nothing is known of what is installed",
        "covered_share": int(covered / total * 10_000) / 10_000 if total else None,
        "clients": {finding.value: len(names) for finding, names in found.items()},
        **({"who": {finding.value: sorted(names) for finding, names in found.items()}} if identities else {}),
    }


def _clients(episodes: Iterable[Episode]) -> Mapping[str, set[str]]:
    """By name, with every address that it had."""
    found: dict[str, set[str]] = {}
    for episode in episodes:
        address = "" if episode.source is None else str(episode.source)
        if name := episode.host.lower() or address:
            found.setdefault(name, set()).update({address} - {""})
    return found


__all__ = ["Finding", "reconciled"]
