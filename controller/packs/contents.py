"""What stands in a pack, as plain values for JSON. Pure: recorded facts in, the same bytes for the same facts out.

Times are RFC 3339 in UTC. ``None`` is not known. Nothing here says whether anybody complies with anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from controller.coverage import Coverage, Span, by_minute
from controller.enforced_age import Kept
from controller.evidence.model import Episode
from controller.inventory import Site
from controller.model import (
    AccessException,
    AuditEntry,
    CoverageState,
    DetectionEvent,
    Emergency,
    EventAction,
    Observation,
    Window,
)
from controller.proof.model import Proof, ProofState
from controller.reconciling import Row, reconcile, told_of
from controller.reports.making import was_counted
from controller.store.inventories import InventoryVersion
from controller.store.jsons import EPISODE, EXCEPTION
from controller.store.snapshots import Term
from controller.sums import sums_of
from core.ids import DeviceName, ExceptionId

NOT_PROVEN: Final = (CoverageState.NOT_ENFORCED, CoverageState.UNKNOWN, CoverageState.PARTIAL)
_LOGIN: Final = frozenset(
    {"password", "key_file", "key_passphrase", "username", "host_keys", "port", "legacy_algorithms", "host", "options"}
)
"""Of a device what is about how we log in to it, and no matter of an auditor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What the store has of one site over the time of a pack."""

    site: Site
    whole: Coverage
    devices: Mapping[DeviceName, Coverage]
    kept: Kept  # of the promise that the inventory makes now
    looks: Sequence[Observation]
    events: Sequence[DetectionEvent]
    episodes: Sequence[Episode]
    exceptions: Sequence[AccessException]
    emergencies: Sequence[Emergency]
    proofs: Sequence[Proof]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a pack is made of."""

    window: Window
    instance: str
    sites: Sequence[SiteFacts]
    versions: Sequence[InventoryVersion]
    changes: Sequence[AuditEntry]  # ``inventory.change``, also of before
    terms: Sequence[Term]  # of snapshots, in order
    snapshots: Mapping[str, Mapping[str, Any]]  # by how their ids begin: what of them is kept
    audit: Sequence[str]  # lines of an export
    target_seconds: float
    promise: str | None
    identities: bool
    notes: tuple[str, ...] = field(default=())


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds").replace("+00:00", "Z").replace(".000000Z", "Z")


def documents(facts: Facts) -> dict[str, Any]:
    """The JSON files of a pack by name, without those of lines."""
    return {
        "scope.json": scope(facts),
        "policy.json": policy(facts),
        "coverage.json": {s.site.name: coverage_of(s) for s in facts.sites},
        "gaps.json": {s.site.name: gaps(s) for s in facts.sites},
        "exceptions.json": {s.site.name: [*exceptions(s)] for s in facts.sites},
        "emergencies.json": {s.site.name: [_plain(asdict(e)) for e in s.emergencies] for s in facts.sites},
        "attempts.json": {s.site.name: attempts(s) for s in facts.sites},
        "probes.json": {s.site.name: probes(s, identities=facts.identities) for s in facts.sites},
        "snapshots.json": [*snapshots(facts)],
        "reconciliation.json": {s.site.name: reconciled(s, identities=facts.identities) for s in facts.sites},
    }


def scope(facts: Facts) -> dict[str, Any]:
    """Which sites, networks, roles and devices the pack is about; as the inventory has them now."""
    return {
        "from": iso(facts.window.start),
        "to": iso(facts.window.end),
        "instance": facts.instance,
        "identities": "as recorded" if facts.identities else "left out: addresses, hosts and users of clients",
        "sites": [_scope_of(s) for s in facts.sites],
        "notes": [*facts.notes],
    }


def _scope_of(facts: SiteFacts) -> dict[str, Any]:
    site = facts.site
    return {
        "site": site.name,
        "title": site.title,
        "time_zone": site.time_zone,
        "policy": site.policy,
        "networks": {role: [str(net) for net in nets] for role, nets in sorted(site.networks.items())},
        "devices": [{"device": name, "vendor": device.vendor} for name, device in sorted(site.devices.items())],
    }


# --- policy -----------------------------------------------------------------------------------------------------------


def policy(facts: Facts) -> dict[str, Any]:
    """The text of the policy by the time in which it was in force, and where that text is not kept."""
    return {
        "how_known": "texts are those that `tokgate serve` took up; a command that was run beside it worked by the file"
        " as it stood then, and the audit log tells of it",
        "sites": {s.site.name: [*_terms(facts, s.site.name)] for s in facts.sites},
        "changes": [{"at": iso(e.at), "seq": e.seq, "digest": e.subject} for e in facts.changes],
    }


def _terms(facts: Facts, site: str) -> Iterator[dict[str, Any]]:
    """Without gap over the time of the pack, as far as anything is known of it."""
    window = facts.window
    starts = [max(v.at, window.start) for v in facts.versions]
    first = starts[0] if starts else window.end
    if first > window.start:
        yield {
            "from": iso(window.start),
            "to": iso(first),
            "known": False,
            "why": "no text of that time is kept; `changes` tells which digests were in force",
        }
    for version, start, end in zip(facts.versions, starts, [*starts, window.end][1:], strict=True):
        if start < end:
            yield {"from": iso(start), "to": iso(end), "known": True, **_text_of(version, site)}


def _text_of(version: InventoryVersion, site: str) -> dict[str, Any]:
    said = version.said()
    found = said["sites"].get(site)
    head = {"inventory": version.digest, "taken_up_at": iso(version.at)}
    if found is None:
        return {**head, "site": None, "why": "that inventory had no such site"}
    devices = {name: {k: v for k, v in facts.items() if k not in _LOGIN} for name, facts in found["devices"].items()}
    return {
        **head,
        "site": {**found, "devices": devices},
        "policy": said["policies"].get(found["policy"]),
        "exceptions": said.get("exceptions"),
    }


# --- coverage ---------------------------------------------------------------------------------------------------------


def coverage_of(facts: SiteFacts) -> dict[str, Any]:
    return {
        "seconds": _seconds(facts.whole),
        "minutes": _minutes(facts.whole),
        "kept_seconds": facts.kept.kept,
        "counted_seconds": facts.kept.counted,
        "spans": [_span(span) for span in facts.whole.spans],
        "devices": {
            name: {"seconds": _seconds(known), "spans": [_span(span) for span in known.spans]}
            for name, known in sorted(facts.devices.items())
        },
        "looks": len(facts.looks),
    }


def _seconds(known: Coverage) -> dict[str, float]:
    return {state.value: known.total(state).total_seconds() for state in CoverageState}


def _minutes(known: Coverage) -> dict[str, int]:
    """Whole minutes of UTC, each in the worst state that it had."""
    found = dict.fromkeys((state.value for state in CoverageState), 0)
    for cell in by_minute(known):
        found[cell.state.value] += round((cell.end - cell.start).total_seconds() / 60)
    return found


def _span(span: Span) -> dict[str, Any]:
    said = {"from": iso(span.window.start), "to": iso(span.window.end), "state": span.state.value}
    return {**said, "cause": span.cause} if span.cause else said


def gaps(facts: SiteFacts) -> dict[str, Any]:
    """Devices and times that were not proven, each with its cause."""
    seen = {look.device for look in facts.looks}
    return {
        "devices": {
            name: [_span(span) for span in known.spans if span.state in NOT_PROVEN]
            for name, known in sorted(facts.devices.items())
        },
        "site": [_span(span) for span in _beside_devices(facts)],
        "never_looked_at": sorted(facts.site.devices.keys() - seen),
        "not_in_inventory": sorted(seen - facts.site.devices.keys()),
    }


def _beside_devices(facts: SiteFacts) -> Iterator[Span]:
    """Times that looks at devices do not tell of: something passed where it should have been stopped."""
    told = [span for known in facts.devices.values() for span in known.spans]
    for span in facts.whole.spans:
        at = span.window.start
        if span.state in NOT_PROVEN and not any(
            one.state is span.state and one.window.start <= at < one.window.end for one in told
        ):
            yield span


# --- who passed, and who tried ----------------------------------------------------------------------------------------


def exceptions(facts: SiteFacts) -> Iterator[dict[str, Any]]:
    for exception in sorted(facts.exceptions, key=lambda e: e.id):
        said = json.loads(EXCEPTION.dumps(exception))
        yield {**said, "used": _use(exception.id, facts.events)}


def _use(exception: ExceptionId, events: Iterable[DetectionEvent]) -> dict[str, Any]:
    """In the time of the pack; a figure that a device did not count is unknown."""
    own = [event for event in events if event.exception == exception]
    return {
        "hits": _sum(event.hits for event in own),
        "packets": _sum(event.packets for event in own),
        "last": iso(max((event.window.end for event in own if event.hits or event.packets), default=None)),
    }


def attempts(facts: SiteFacts) -> dict[str, Any]:
    kinds = sorted({episode.kind.value for episode in facts.episodes})
    episodes = {kind: sum(e.kind.value == kind for e in facts.episodes) for kind in kinds}
    return {"counted": counted(facts), "episodes": episodes}


def counted(facts: SiteFacts) -> dict[str, Any]:
    """Events and hits of each action; hits are unknown where nobody counted."""
    is_counted = was_counted({state: facts.whole.total(state) for state in CoverageState}, len(facts.events))
    totals = {}
    for action in EventAction:
        own = [event for event in facts.events if event.action is action]
        hits = _sum(event.hits for event in own) if is_counted else None
        totals[action.value] = {"events": len(own), "hits": hits}
    return totals


def event_line(event: DetectionEvent, *, identities: bool) -> dict[str, Any]:
    said: dict[str, Any] = _plain(asdict(event))
    said["from"], said["to"] = iso(event.window.start), iso(event.window.end)
    del said["window"]
    if not identities:
        said["sources"] = len(event.sources)
    return said


def episode_line(episode: Episode, *, identities: bool) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(EPISODE.dumps(episode))
    return said if identities else {key: value for key, value in said.items() if key not in ("source", "host", "user")}


def probes(facts: SiteFacts, *, identities: bool) -> dict[str, Any]:
    """What firewalls said of their own rules, and what probes from inside tried."""
    if not facts.proofs:
        return {"recorded": False, "why": "no firewall was asked and nobody probed in this time; that proves nothing"}
    states = {state.value: sum(p.state is state for p in facts.proofs) for state in ProofState}
    return {"recorded": True, "states": states, "proofs": [_proof(p, identities=identities) for p in facts.proofs]}


def _proof(proof: Proof, *, identities: bool) -> dict[str, Any]:
    said: dict[str, Any] = _plain(asdict(proof))
    return said if identities else {key: value for key, value in said.items() if key != "source"}


def reconciled(facts: SiteFacts, *, identities: bool) -> dict[str, Any]:
    """Endpoints, firewalls and coverage held against each other; with ``identities`` also who it is."""
    found = reconcile(facts.whole, told_of(facts.episodes), sums_of(facts.events).seen)
    return {
        "endpoint_list": "recorded" if found.has_list else "none is recorded: nothing is known of what is installed",
        "covered_share": found.covered,
        "clients": {finding.value: count for finding, count in found.counts.items()},
        **({"who": [_reconciled_row(row) for row in found.rows]} if identities else {}),
    }


def _reconciled_row(row: Row) -> dict[str, Any]:
    return {
        "client": row.client,
        "finding": row.finding.value,
        "addresses": [*row.addresses],
        "outcomes": [*row.outcomes],
        "last_seen": iso(row.last_seen),
    }


def snapshots(facts: Facts) -> Iterator[dict[str, Any]]:
    """The lists in force by time. Their ids are digests of what they say, so a list that is kept can be compared."""
    for term in facts.terms:
        kept = facts.snapshots.get(term.snapshot)
        said = {"snapshot": term.snapshot, "from": iso(term.since), "to": iso(term.until)}
        yield {**said, **(kept or {"kept": False})}


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _plain(said: Any) -> Any:
    """Values as JSON has them."""
    if isinstance(said, dict):
        return {str(key): _plain(value) for key, value in said.items()}
    if isinstance(said, list | tuple | set | frozenset):
        return [_plain(value) for value in said]
    if isinstance(said, datetime):
        return iso(said)
    return said if said is None or isinstance(said, bool | int | float | str) else str(said)


def about(facts: Facts, *, generated_at: datetime, regulation: str | None) -> dict[str, Any]:
    """What the manifest says of the pack."""
    return {
        "from": iso(facts.window.start),
        "to": iso(facts.window.end),
        "sites": [s.site.name for s in facts.sites],
        "instance": facts.instance,
        "regulation": regulation,
        "identities": facts.identities,
        "generated_at": iso(generated_at),
        "promise": facts.promise,
    }


__all__ = ["Facts", "SiteFacts", "about", "counted", "documents", "episode_line", "event_line", "iso", "reconciled"]
