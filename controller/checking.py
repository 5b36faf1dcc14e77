"""What becomes of one flow: by what a device should hold, and by what was last read back there. Pure.

A flow is judged by the very rules that the device should hold, in their order, as the firewall does it; so the answer
cannot differ from what is pushed. Whether the device holds them is another question, and often nobody knows (I13).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_network
from typing import Final, TypeAlias

from controller.coverage import coverage
from controller.desired import Facts, held_signature, role_sources, signature, state_of, subject_of
from controller.inventory import Inventory, Site
from controller.model import AccessException, CoverageState, DeviceStatus, Observation, Window
from core.ids import DeviceName
from core.net import Address, DomainName
from vendors.model import Action, AddressGroup, Desired, DomainGroup, Group, GroupName, RuleName

Destination: TypeAlias = Address | DomainName


class Verdict(StrEnum):
    """What becomes of a flow as far as tokgate has a say in it. The rest of the firewall's rules come after."""

    BLOCKED = "blocked"
    MONITORED = "monitored"  # counted; the later rules decide
    ALLOWED = "allowed-by-exception"  # taken out of the deny; the later rules decide
    SPARED = "never-blocked"  # a destination that no list may hold
    OFF = "off"  # it is on the list, and the policy blocks it not, then and there
    UNLISTED = "not-listed"  # nothing of the policy's services holds the destination
    STRANGER = "no-role"  # the source is in none of the site's networks
    UNKNOWN = "unknown"  # nobody can tell: see why


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a set of rules makes of one flow. ``group`` holds the destination; None where no rule took it.

    ``perhaps`` are rules that take it if a DNS answer that only the device knows says so.
    """

    verdict: Verdict
    rule: RuleName | None = None
    group: GroupName | None = None
    perhaps: tuple[RuleName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one device: the answer there, and where it comes from."""

    device: DeviceName
    verdict: Verdict
    why: str
    last_seen_at: datetime | None = None
    snapshot: str | None = None
    mode: str | None = None


# --- by the rules -----------------------------------------------------------------------------------------------------

_TAKES: Final = {
    Action.SPARE: Verdict.SPARED,
    Action.EXEMPT: Verdict.ALLOWED,
    Action.DENY: Verdict.BLOCKED,
    Action.MONITOR: Verdict.MONITORED,
}


def judge(desired: Desired, source: Address, destination: Destination) -> Judged:
    """What becomes of the flow by the first rule that takes it; ``UNLISTED`` when none does."""
    groups = {group.name: group for group in desired.groups}
    perhaps: list[RuleName] = []
    for rule in desired.rules:
        if rule.sources is not None and not _holds(groups.get(rule.sources), source):
            continue
        held = next((name for name in rule.destinations if _holds(groups.get(name), destination)), None)
        if held is not None:
            return Judged(verdict=_TAKES[rule.action], rule=rule.name, group=held, perhaps=tuple(perhaps))
        if not isinstance(destination, DomainName) and any(
            isinstance(groups.get(name), DomainGroup) for name in rule.destinations
        ):
            perhaps.append(rule.name)
    return Judged(verdict=Verdict.UNLISTED, perhaps=tuple(perhaps))


def _holds(group: Group | None, what: Destination) -> bool:
    if isinstance(group, AddressGroup) and not isinstance(what, DomainName):
        return any(what in network for network in group.members)
    if isinstance(group, DomainGroup) and isinstance(what, DomainName):
        return any(_is_below(what.name, member) for member in group.members)
    return False


def _is_below(name: str, member: DomainName) -> bool:
    return name == member.name or (member.suffix and name.endswith(f".{member.name}"))


def role_of(site: Site, source: Address) -> str | None:
    """The source role of the site that an address has; None: none."""
    found = role_sources(site.networks)
    return next((role for role, own in sorted(found.items()) if any(source in network for network in own)), None)


def sites_of(inventory: Inventory, source: Address) -> tuple[Site, ...]:
    """The sites that have the address among their source networks."""
    network = ip_network(source)
    return tuple(
        site
        for site in inventory.sites.values()
        if any(
            own.version == network.version and source in own for networks in site.networks.values() for own in networks
        )
    )


def was_live(exceptions: Iterable[AccessException], at: datetime) -> tuple[AccessException, ...]:
    """Those that were approved and in their life at a past moment, as they are kept now: each as if approved still."""
    return tuple(e for e in exceptions if (life := e.life) is not None and life.start <= at < life.end)


def exception_of(judged: Judged) -> str | None:
    """The id of the exception whose rule took the flow."""
    return subject_of(judged.rule)[1] if judged.rule is not None and judged.verdict is Verdict.ALLOWED else None


# --- by what was read back --------------------------------------------------------------------------------------------


def held_now(
    judged: Judged,
    facts: Facts,
    status: DeviceStatus | None,
    *,
    device: DeviceName,
    flow: tuple[Address, Destination],
    at: datetime,
    freshness: timedelta,
) -> Evidence:
    """What is known of the device now. ``freshness``: how long one look may stand for what follows it."""
    unknown = _not_known(judged, facts, status, flow=flow, at=at, freshness=freshness)
    return Evidence(
        device=device,
        verdict=Verdict.UNKNOWN if unknown else judged.verdict,
        why=unknown or "read back holding what it should",
        last_seen_at=status.last_seen_at if status else None,
        snapshot=status.snapshot if status else None,
        mode=status.mode if status else None,
    )


def _not_known(
    judged: Judged,
    facts: Facts,
    status: DeviceStatus | None,
    *,
    flow: tuple[Address, Destination],
    at: datetime,
    freshness: timedelta,
) -> str:
    """Why nobody knows; ``""`` when it is known."""
    if status is None or status.last_seen_at is None or status.snapshot is None:
        return f"it was never read: {status.error}" if status and status.error else "it was never read"
    if status.in_doubt:
        return "a change was begun and how it ended is not known"
    if status.error is not None:
        return f"the last look failed: {status.error}"
    if at - status.last_seen_at > freshness:
        return "its last reading is too old"
    if held_signature(status) != signature(facts, at):
        return "it was last read back holding something else than it should now"
    if uncertain := [rule for rule in judged.perhaps if subject_of(rule)[1] is not None]:
        return f"{uncertain[0]} is of names, and which addresses they have only the device knows"
    return next((line for line in status.degraded if _concerns(line, judged, flow)), "")


_HARMLESS: Final = frozenset({"persistence", "schedules", "exempt"})


def _concerns(line: str, judged: Judged, flow: tuple[Address, Destination]) -> bool:
    """Whether what a device cannot do may change the answer. What is not understood may."""
    capability, _, message = line.partition(": ")
    source, destination = flow
    is_name = isinstance(destination, DomainName)
    if capability in _HARMLESS or judged.verdict in (Verdict.OFF, Verdict.STRANGER):
        return False
    match capability:
        case "ipv6":
            return source.version == 6
        case "domains" | "wildcard-domains" | "exact-domains":
            return is_name
        case "budget":
            return not is_name and judged.group is not None and judged.group in message
        case "spare":
            return judged.verdict is Verdict.SPARED
        case "monitor":
            return judged.verdict is Verdict.MONITORED
        case _:
            return True


def held_then(
    judged: Judged,
    desired: Desired,
    observations: Sequence[Observation],
    *,
    device: DeviceName,
    local: datetime,
    at: datetime,
    freshness: timedelta,
) -> Evidence:
    """What the looks of that time prove of the device at a past moment. ``local``: the wall clock of the site then."""
    window = Window(at, at + timedelta.resolution)
    own = [look for look in observations if look.device == device]
    spans = coverage(own, window, devices=[device], now=window.end, freshness=freshness).spans
    state, cause = (spans[0].state, spans[0].cause) if spans else (CoverageState.UNKNOWN, "")
    seen = max((look.at for look in own if look.found is not None and look.at <= at), default=None)
    verdict, why = judged.verdict, f"by the looks of that time it was {state.value.replace('_', ' ')}"
    if judged.verdict is Verdict.ALLOWED:
        verdict, why = Verdict.UNKNOWN, "which exceptions it held then is not recorded"
    elif state is not state_of(desired.rules, local):
        verdict = Verdict.UNKNOWN
        why += f": {cause}" if cause else ""
    return Evidence(device=device, verdict=verdict, why=why, last_seen_at=seen)


def together(evidence: Iterable[Evidence]) -> Verdict:
    """What is proven of the site: what all of its devices agree on. Without any, nothing is."""
    found = {one.verdict for one in evidence}
    return found.pop() if len(found) == 1 else Verdict.UNKNOWN


__all__ = [
    "Destination",
    "Evidence",
    "Judged",
    "Verdict",
    "exception_of",
    "held_now",
    "held_then",
    "judge",
    "role_of",
    "sites_of",
    "together",
    "was_live",
]
