"""What one device should hold now: snapshot, policy, work hours and live exceptions, as neutral groups and rules.

Pure. Called by planning, by the schedule (to see whether a device is due) and by previews. It opens nothing: an
exception only takes its sources out of the deny (I15).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from ipaddress import ip_network
from typing import Final
from zoneinfo import ZoneInfo

from controller.inventory import Device, Policy, Site
from controller.model import AccessException, CoverageState, DeviceStatus, Mode
from controller.modes import (
    Weeks,
    at_once,
    has_calendar,
    marks_of,
    set_words,
    sets_at,
    weeks_of,
)
from controller.windows import is_inside
from core.errors import ConfigError
from core.ids import SiteName
from core.net import DomainName, Network, aggregate, overlaps, subtract
from ipsets.errors import GuardTripped
from ipsets.model import ServiceSet, Snapshot
from ipsets.spans import words
from vendors.exempting import MARK, whole_of
from vendors.model import (
    Action,
    AddressGroup,
    Degraded,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Observed,
    Rule,
    RuleName,
)
from vendors.week import holds_at, most_a_day

SPARED = GroupName("spared")
_LONGEST_NAME: Final = 40
CLOCK_SKEW: Final = timedelta(minutes=2)
"""How far a device's clock may be from the site's time when it is to keep the week."""
SCHEDULES: Final = "schedules"
_ACTIONS: Mapping[Mode, Action] = {Mode.ENFORCE: Action.DENY, Mode.MONITOR: Action.MONITOR}
_PREFIX: Mapping[Action, str] = {Action.DENY: "deny", Action.MONITOR: "mon", Action.EXEMPT: "exc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything besides the clock that decides what the devices of one site should hold."""

    site: Site
    policy: Policy
    snapshot: Snapshot
    exceptions: tuple[AccessException, ...]  # approved ones that name this site; whether live is asked of the clock
    never_block: tuple[Network, ...]  # what a live DNS answer may never bring into a block
    shared_cdn: tuple[Network, ...]
    owner: str
    holidays: frozenset[date] = frozenset()  # of the site
    surfaces: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)  # names of parts of services


def role_sources(networks: Mapping[str, tuple[Network, ...]]) -> dict[str, frozenset[Network]]:
    """Each role's networks made disjoint: where roles nest, the more specific network decides.

    ``company: 10.0.0.0/8`` with ``guest: 10.9.0.0/16`` leaves company everything of 10.0.0.0/8 but 10.9.0.0/16.
    """
    disjoint: dict[str, frozenset[Network]] = {}
    for role, own in networks.items():
        foreign = [n for other, theirs in networks.items() if other != role for n in theirs]
        disjoint[role] = frozenset(piece for network in own for piece in _carve(network, own, foreign))
    return {role: frozenset(aggregate(members)) for role, members in disjoint.items()}


def _carve(network: Network, own: Iterable[Network], foreign: Iterable[Network]) -> tuple[Network, ...]:
    inside = [n for n in foreign if _within(n, network)]
    kept = [n for n in own if n != network and _within(n, network)]
    return aggregate((*subtract([network], inside), *(piece for n in kept for piece in _carve(n, own, foreign))))


def _within(inner: Network, outer: Network) -> bool:
    return (
        inner.version == outer.version
        and inner.prefixlen > outer.prefixlen
        and int(outer.network_address) <= int(inner.network_address) <= int(outer.broadcast_address)
    )


def desired_for(
    facts: Facts, device: Device, at: datetime, *, spares: bool = True, keeps_week: bool = False
) -> Desired:
    """What ``device`` should hold at ``at``. ``spares``: it can let destinations pass above its denies.

    ``keeps_week``: it is told the whole week, and its own clock decides (``own_week``).

    Raises:
        ConfigError: the policy names a service that the snapshot does not carry.
        GuardTripped: the list would block the device's own or management address (I7).
    """
    services = [_service(facts.snapshot, name) for name in facts.policy.services]
    _refuse_own_addresses(device, services)
    above = spared(facts, device)
    destinations = {service.service: tuple(_destinations(service, above if spares else ())) for service in services}
    weeks: Weeks = (
        weeks_of(facts.site, facts.policy)
        if keeps_week
        else at_once(sets_at(facts.site, facts.policy, at, holidays=facts.holidays))
    )
    live = _opening(facts, at)
    sources = role_sources(facts.site.networks)
    groups = [
        *(group for found in destinations.values() for group in found),
        *(
            _address_group(f"src-{role}", sources[role])
            for role in weeks
            if any(week.keys() & _ACTIONS for week in weeks[role].values()) and sources[role]
        ),
        *(_address_group(f"exc-{e.id}", excepted(e, sources, facts.site.name, at)) for e in live),
        *_surfaces(facts, live),
        AddressGroup(name=SPARED, members=frozenset(above)),
    ]
    return Desired(
        groups=tuple(sorted(groups, key=lambda g: g.name)),
        rules=_rules(facts, weeks=weeks, sources=sources, live=live, destinations=destinations),
        owner=facts.owner,
        snapshot=facts.snapshot.id[:12],
    )


def own_week(facts: Facts, device: Device, observed: Observed, *, began: datetime, ended: datetime) -> str | None:
    """Why a device that was read between these moments is not told the whole week; ``""`` when it is.

    None: nothing to tell, for no role has windows, or the device has no schedules.
    """
    if not observed.can.schedules:
        return None
    by_calendar = has_calendar(facts.site, facts.policy)
    weeks = () if by_calendar else weeks_of(facts.site, facts.policy).values()
    windows = [when for sets in weeks for week in sets.values() for when in week.values() if when]
    if not windows and not by_calendar:
        return None
    if device.schedules == "controller":
        return "its inventory says so"
    if by_calendar:  # a week that is right today would be wrong on a device that we do not reach before the holiday
        return "its windows depend on a calendar"
    if (most := observed.can.max_spans) is not None and max(map(most_a_day, windows)) > most:
        return f"it takes at most {most} windows a day"
    if observed.wall_time is None:
        return "its clock was not told"
    zone = ZoneInfo(facts.site.time_zone)
    first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (began - CLOCK_SKEW, ended + CLOCK_SKEW))
    inside = first <= observed.wall_time <= last
    return "" if inside else f"its clock is more than {words(CLOCK_SKEW)} off the local time of the site"


def week_note(why: str) -> Degraded:
    """What is said of a device that could keep the week and is not told it."""
    return Degraded(capability=SCHEDULES, message=f"windows are kept by the controller's clock: {why}", is_gap=False)


def _opening(facts: Facts, at: datetime) -> list[AccessException]:
    """The exceptions that let something pass at that moment, by id."""
    meant = (e for e in facts.exceptions if e.service in facts.policy.services and is_open(e, facts.site, at))
    named = (e for e in meant if not e.surface or surface_of(facts, e))
    return sorted((e for e in named if not e.hosts or _lets_anybody(e, facts.site, at)), key=lambda e: e.id)


def _lets_anybody(exception: AccessException, site: Site, at: datetime) -> bool:
    """One for host names alone lets nobody pass while none of them has an address."""
    return bool(excepted(exception, role_sources(site.networks), site.name, at))


def is_open(exception: AccessException, site: Site, at: datetime) -> bool:
    """Whether it is live at the site, and inside its hours by the site's clock."""
    if not exception.is_live(at):
        return False
    local = at.astimezone(ZoneInfo(site.time_zone))
    return not exception.hours or any(is_inside(hours, local) for hours in exception.hours)


def excepted(
    exception: AccessException, sources: Mapping[str, frozenset[Network]], site: SiteName, at: datetime
) -> tuple[Network, ...]:
    """Whom it lets pass at a site with these ``role_sources``, at that moment."""
    named = (a for found in exception.lookups if found.site == site and at < found.until for a in found.addresses)
    return (
        *exception.sources,
        *(network for role in exception.roles for network in sources.get(role, ())),
        *(ip_network(address) for address in named),
    )


def _service(snapshot: Snapshot, name: str) -> ServiceSet:
    for service in snapshot.services:
        if service.service == name:
            return service
    known = ", ".join(s.service for s in snapshot.services)
    raise ConfigError(
        f"the snapshot has no service {name!r}",
        hint=f"known: {known}; `tokgate intel refresh` makes those of the inventory",
    )


def _refuse_own_addresses(device: Device, services: Iterable[ServiceSet]) -> None:
    own = own_addresses(device)
    for service in services:
        hit = next((n for n in service.blocked if overlaps(own, n)), None)
        if hit is not None:
            raise GuardTripped(
                f"guard management-address: {service.service} holds {hit}, which covers this device's own address",
                hint="the old state stays; check own_addresses and the intelligence sources",
                device=device.name,
            )


def own_addresses(device: Device) -> tuple[Network, ...]:
    """The management address (when the inventory gives it as an address) and what the inventory adds."""
    try:
        management: tuple[Network, ...] = (ip_network(device.host),)
    except ValueError:
        management = ()
    return (*management, *device.own_addresses)


def _destinations(service: ServiceSet, above: Iterable[Network]) -> Iterable[Group]:
    if networks := below(service, above):
        yield _address_group(destination_name(service.service), networks)
    if service.domains:
        yield DomainGroup(name=GroupName(f"fqdn-{service.service}"), members=frozenset(service.domains))


def below(service: ServiceSet, above: Iterable[Network]) -> tuple[Network, ...]:
    """What a deny may hold of the service's networks where ``above`` is let pass first.

    The snapshot's allows that are not in there are cut out, in however many pieces. Letting them pass as well would
    open more than the pieces do: also what a live DNS answer names there, and the policy blocks that.
    """
    closed = subtract(service.allows, above)
    return subtract(service.networks, closed) if closed else service.networks


def destination_name(service: str) -> GroupName:
    return GroupName(f"dst-{service}")


def surface_name(service: str, surface: str) -> GroupName:
    """``srf-tiktok-ads-manager``; told apart by a digest where that is too long for a name."""
    name = f"srf-{service}-{surface}"
    short = name[: _LONGEST_NAME - 9].rstrip("-")
    return GroupName(name if len(name) <= _LONGEST_NAME else f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}")


def surface_of(facts: Facts, exception: AccessException) -> frozenset[DomainName]:
    """The names of the part of a service that an exception is for; none when the catalogue knows it no more."""
    names = facts.surfaces.get(exception.service, {}).get(exception.surface, ())
    return frozenset(DomainName(name, suffix=True) for name in names)


def _surfaces(facts: Facts, live: Iterable[AccessException]) -> Iterable[Group]:
    found = {surface_name(e.service, e.surface): names for e in live if e.surface and (names := surface_of(facts, e))}
    return (DomainGroup(name=name, members=names) for name, names in found.items())


def _address_group(name: str, members: Iterable[Network]) -> AddressGroup:
    return AddressGroup(name=GroupName(name), members=frozenset(aggregate(members)))


def spared(facts: Facts, device: Device) -> tuple[Network, ...]:
    """What is never blocked, whatever names it: a live DNS answer, or an entry of the list that stayed whole."""
    shared = facts.shared_cdn if facts.policy.shared_addresses == "spare" else ()
    return aggregate((*facts.never_block, *own_addresses(device), *shared))


def _rules(
    facts: Facts,
    *,
    weeks: Weeks,
    sources: Mapping[str, frozenset[Network]],
    live: Iterable[AccessException],
    destinations: Mapping[str, tuple[Group, ...]],
) -> tuple[Rule, ...]:
    targets = {service: tuple(g.name for g in found) for service, found in destinations.items()}
    rules = [Rule(name=RuleName("spare"), action=Action.SPARE, sources=None, destinations=(SPARED,))]
    rules += [
        Rule(
            name=rule_name(Action.EXEMPT, e.id),
            action=Action.EXEMPT,
            sources=GroupName(f"exc-{e.id}"),
            destinations=(surface_name(e.service, e.surface),) if e.surface else targets[e.service],
        )
        for e in live
    ]
    marks = {role: marks_of(facts.policy.roles[role], facts.policy.services) for role in weeks}
    rules += [
        Rule(
            name=rule_name(action, role, mark),
            action=action,
            sources=GroupName(f"src-{role}"),
            destinations=found,
            when=week[mode],
        )
        for mode, action in _ACTIONS.items()
        for role, sets in weeks.items()
        for names, week in sets.items()
        if mode in week and sources[role]
        for mark in (marks[role][names],)
        for found in (tuple(name for service in names for name in targets[service]),)
        if found or not mark  # of a set of which the snapshot knows nothing yet
    ]
    return tuple(rules)


def rule_name(action: Action, what: str, mark: str = "") -> RuleName:
    """``deny-company``, ``mon-guest``, ``exc-<exception id>``; ``deny-company--x7q`` for a set of services."""
    return RuleName(f"{_PREFIX[action]}-{what}{MARK if mark else ''}{mark}")


def subject_of(rule: RuleName) -> tuple[str | None, str | None]:
    """The (role, exception id) that a rule of ours stands for; the inverse of ``rule_name``, also of a part of one."""
    kind, _, what = whole_of(rule).partition("-")
    if kind == "exc":
        return None, what
    return (what, None) if kind in ("deny", "mon") and what else (None, None)


def state_of(rules: Iterable[Rule], local: datetime) -> CoverageState:
    """What a device with these rules of ours is doing when its clock shows ``local``."""
    actions = {rule.action for rule in rules if holds_at(rule.when, local)}
    if Action.DENY in actions:
        return CoverageState.ENFORCED
    return CoverageState.MONITORED if Action.MONITOR in actions else CoverageState.OFF


def signature(facts: Facts, at: datetime) -> str:
    """Changes whenever a device of the site may have to change; cheap enough to ask every second."""
    live = (e.id for e in _opening(facts, at))
    modes = sets_at(facts.site, facts.policy, at, holidays=facts.holidays)
    return _signature(facts.snapshot.id, set_words(modes), live)


def held_signature(status: DeviceStatus | None) -> str:
    """The signature that a device was last read back holding; equals ``signature`` when nothing is due there.

    ``""``: nobody knows, so it is read. It may hold an exception that nobody wants any more.
    """
    if status is None or status.snapshot is None or status.in_doubt:  # never looked at, or never with success
        return ""
    return _signature(status.snapshot, status.mode or "", status.exceptions)


def _signature(snapshot: str, mode: str, exceptions: Iterable[str]) -> str:
    return "|".join((snapshot, mode, " ".join(sorted(exceptions))))
