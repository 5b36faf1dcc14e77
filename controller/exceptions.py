"""Exceptions: who may pass, where, until when, and what exactly that opens. Pure; the facade keeps them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from controller.access_roles import PERSON, ROLE_MARK, AccessRole, called, may_be_one_person
from controller.desired import role_sources
from controller.errors import Conflict, Invalid, NotAllowed
from controller.inventory import Inventory, Policy, Site
from controller.inventory.exception_rules import OTHER, ExceptionReason, ExceptionRules
from controller.inventory.fields import parse_days, parse_end, parse_host, parse_start
from controller.model import AccessException, Approval, ExceptionState, HostLookup, Mode, OpenHours, Use, Window
from controller.modes import strictest
from controller.wall_clock import span_in_words
from controller.windows import HORIZON, NO_HOLIDAYS, edges, mode_at
from core.ids import DeviceName, ExceptionId, SiteName
from core.net import Network, aggregate, overlaps, parse_network
from ipsets.spans import short
from vendors.registry import adapter_for

MAX_SOURCES: Final = 256
MAX_HOURS: Final = 20
HOST: Final = "host:"
"""Before the name of a machine."""
MAX_HOSTS: Final = 32
ROLE: Final = "role:"
"""Before the name of a source role, among the sources that a person asks for."""
_TEXT_LIMIT: Final = 500
_WAITING: Final = (ExceptionState.DRAFT, ExceptionState.REQUESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRequest:
    """What a person asks for, as text where they typed text."""

    sites: tuple[str, ...]
    sources: tuple[str, ...]  # addresses, networks, ``role:NAME`` or ``host:NAME``
    service: str
    starts: datetime
    ends: datetime
    reason: str
    owner: str
    ticket: str = ""
    code: str = ""  # of the inventory's reasons; ``other`` when it is empty and there is one of that name
    surface: str = ""  # a part of the service; all of it when empty
    hours: tuple[str, ...] = ()  # ``mon-fri 08:00-12:00``
    seats: int | None = None
    lead: str = ""
    renews: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says, parsed and checked."""

    sources: tuple[Network, ...]
    roles: tuple[str, ...]
    hosts: tuple[str, ...]
    hours: tuple[OpenHours, ...]
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLine:
    """What one source would gain at one site."""

    site: SiteName
    devices: tuple[DeviceName, ...]
    source: str
    role: str | None
    mode: Mode | None  # the role's strictest mode while it lasts; None: the source lies in no role of the site
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionPreview:
    """What would open where, in one sentence, before anything is asked."""

    sentence: str
    opens: tuple[PreviewLine, ...]
    conflicts: tuple[str, ...]
    lookups: tuple[HostLookup, ...] = ()  # what its host names stand for now

    @property
    def digest(self) -> str:
        """Sixteen hex digits over all that it says: who approves, approves exactly this.

        Approved are host names, not what they stand for just then.
        """
        said = json.dumps(asdict(replace(self, lookups=())), sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def check_request(request: ExceptionRequest, inventory: Inventory, now: datetime) -> Asked:
    """What it asks for. Raises ``Invalid`` naming the field, ``NotFound`` for an unknown site."""
    if not request.sites:
        raise Invalid("sites: name at least one site")
    services = {s for site in request.sites for s in inventory.policies[inventory.site(site).policy].services}
    if request.service not in services:
        raise Invalid(f"service: {request.service!r} is not enforced there; known: {', '.join(sorted(services))}")
    surfaces = surfaces_of(inventory, request.service)
    if request.surface and request.surface not in surfaces:
        raise Invalid(f"surface: {request.service} has none named {request.surface!r}; it has: {', '.join(surfaces)}")
    code, rule = _reason_of(request.code, inventory.exceptions)
    for field in ("reason", "owner", "ticket", "lead"):
        required = field in ("reason", "owner") or (field == "ticket" and rule.needs_ticket)
        check_text(field, getattr(request, field), required=required)
    _check_life(request, now, rule)
    _check_seats(request)
    roles = _check_roles(request, inventory)
    hosts = _check_hosts(request)
    sources = _check_sources(request, inventory)
    return Asked(sources=sources, roles=roles, hosts=hosts, hours=_hours_of(request), code=code)


def surfaces_of(inventory: Inventory, service: str) -> tuple[str, ...]:
    """The parts of a service that an exception may be for."""
    known = inventory.catalogue.services.get(service)
    return tuple(sorted(known.surfaces)) if known else ()


def _reason_of(code: str, rules: ExceptionRules) -> tuple[str, ExceptionReason]:
    found = code or (OTHER if OTHER in rules.reasons else "")
    if found not in rules.reasons:
        known = ", ".join(sorted(rules.reasons))
        raise Invalid(f"code: {code!r} is none of the reasons; known: {known}" if code else f"code: one of {known}")
    return found, rules.reasons[found]


def rule_of(exception: AccessException, rules: ExceptionRules) -> ExceptionReason:
    """What its reason demands; of one that the inventory knows no more, what demands nothing further."""
    return rules.reasons.get(exception.code, _NOTHING_FURTHER)


_NOTHING_FURTHER: Final = ExceptionReason()


def _hours_of(request: ExceptionRequest) -> tuple[OpenHours, ...]:
    if len(request.hours) > MAX_HOURS:
        raise Invalid(f"hours: at most {MAX_HOURS}")
    return tuple(parse_hours(text) for text in request.hours)


def parse_hours(text: str) -> OpenHours:
    """``mon,wed 08:00-12:00``, ``weekdays 22:00-06:00``. Raises ``Invalid``."""
    days, _, span = text.strip().partition(" ")
    start, _, end = span.strip().partition("-")
    try:
        return OpenHours(days=tuple(parse_days(days.split(","))), start=parse_start(start), end=parse_end(end))
    except ValueError as exc:
        raise Invalid(f"hours: {text[:60]!r} is not like 'mon,tue 08:00-12:00' ({exc})") from exc


def _check_seats(request: ExceptionRequest) -> None:
    if request.seats is None:
        if request.lead:
            raise Invalid("lead: only of a team, with seats")
        return
    if not 1 <= request.seats <= MAX_SOURCES:
        raise Invalid(f"seats: 1 to {MAX_SOURCES}")
    if not request.lead.strip():
        raise Invalid("lead: name who may change the seats, as the audit log names them")
    if any(text.startswith((ROLE, HOST)) for text in request.sources):
        raise Invalid("seats: a seat is an address, not a role or a name")


def _check_seated(sources: Sequence[Network], seats: int | None) -> None:
    if seats is None:
        return
    wide = next((n for n in sources if n.num_addresses > 1), None)
    if wide is not None:
        raise Invalid(f"sources: a seat is one address, and {wide} is more")
    if len(sources) > seats:
        raise Invalid(f"sources: {len(sources)} addresses for {seats} seats")


def _check_roles(request: ExceptionRequest, inventory: Inventory) -> tuple[str, ...]:
    roles = tuple(dict.fromkeys(t.removeprefix(ROLE) for t in request.sources if t.startswith(ROLE)))
    for site in request.sites:
        known = inventory.site(site).networks
        stranger = next((role for role in roles if role not in known), None)
        if stranger is not None:
            raise Invalid(f"sources: site {site} has no source role {stranger!r}; it has: {', '.join(sorted(known))}")
    return roles


def _check_hosts(request: ExceptionRequest) -> tuple[str, ...]:
    named = [text.removeprefix(HOST) for text in request.sources if text.startswith(HOST)]
    if len(named) > MAX_HOSTS:
        raise Invalid(f"sources: at most {MAX_HOSTS} host names")
    return tuple(dict.fromkeys(_parse_host(name) for name in named))


def _parse_host(name: str) -> str:
    """Whole names only: a short one means another machine at each resolver."""
    try:
        found = parse_host(name)
    except ValueError as exc:
        raise Invalid(f"sources: {exc}") from exc
    if "." not in found or ":" in found or found.rpartition(".")[2].isdigit():
        raise Invalid(f"sources: {HOST}{found} is no whole name of a host; write it as host:pc7.example.org")
    return found


def check_text(field: str, value: str, *, required: bool) -> None:
    """Words of a person for the record. Raises ``Invalid`` naming the field."""
    if required and not value.strip():
        raise Invalid(f"{field}: must not be empty")
    if len(value) > _TEXT_LIMIT or not value.isprintable():
        raise Invalid(f"{field}: at most {_TEXT_LIMIT} printable characters on one line")


def _check_life(request: ExceptionRequest, now: datetime, rule: ExceptionReason) -> None:
    if request.starts.tzinfo is None or request.ends.tzinfo is None:
        raise Invalid("starts, ends: give the time zone, as in 2026-11-25T18:00:00Z")
    if request.ends <= request.starts:
        raise Invalid("ends: must lie after starts")
    if request.ends <= now:
        raise Invalid("ends: lies in the past")
    if request.ends - request.starts > rule.max_life:
        raise Invalid(f"ends: an exception for this reason lives {short(rule.max_life)} at most; renew it then")


def _check_sources(request: ExceptionRequest, inventory: Inventory) -> tuple[Network, ...]:
    if not 0 < len(request.sources) <= MAX_SOURCES:
        raise Invalid(f"sources: give 1 to {MAX_SOURCES} addresses, networks, roles or host names")
    parsed = check_networks((t for t in request.sources if not t.startswith((ROLE, HOST))), request.sites, inventory)
    _check_seated(parsed, request.seats)
    return parsed if request.seats is not None else aggregate(parsed)


def check_networks(texts: Iterable[str], sites: Iterable[str], inventory: Inventory) -> tuple[Network, ...]:
    """Networks that lie in the source networks of each of these sites, in order. Raises ``Invalid``."""
    parsed = [_parse_source(text) for text in texts]
    for site in sites:
        known = [n for networks in inventory.site(site).networks.values() for n in networks]
        stranger = next((n for n in parsed if not overlaps(known, n)), None)
        if stranger is not None:
            raise Invalid(f"sources: {stranger} lies in no source network of site {site}")
        wide = next((n for n in parsed if any(_covers_more(n, k) for k in known)), None)
        if wide is not None:
            raise Invalid(f"sources: {wide} is wider than the site's own network; name the part that is meant")
    return tuple(dict.fromkeys(parsed))


def _parse_source(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError as exc:
        raise Invalid(f"sources: {text[:80]!r} is neither an address nor a network ({exc})") from exc


def _covers_more(source: Network, known: Network) -> bool:
    return source.version == known.version and source.prefixlen < known.prefixlen and known.overlaps(source)


def preview(
    exception: AccessException, inventory: Inventory, existing: Iterable[AccessException], now: datetime
) -> ExceptionPreview:
    """What it would open where, and what stands against it. Nothing is changed."""
    life = Window(max(now, exception.starts), exception.ends)
    lines = tuple(line for site in exception.sites for line in _lines(site, exception, inventory, life))
    opening = [line for line in lines if line.mode is Mode.ENFORCE]
    where = ", ".join(exception.sites)
    span = span_in_words(exception.starts, exception.ends)
    if exception.hours:
        span += f", only {' and '.join(map(str, exception.hours))} by the site's clock"
    named = (*(f"the role {role}" for role in exception.roles), *(f"the host {host}" for host in exception.hosts))
    what = ", ".join((*map(str, exception.sources), *named))
    part = f"{exception.surface} of {exception.service}" if exception.surface else exception.service
    sentence = f"{what} would reach {part} at {where} {span}; all other sources stay as they are."
    unknown = dict.fromkeys(found.host for found in exception.lookups if not found.addresses)
    if not opening and unknown:
        who = "has" if len(unknown) == 1 else "have"
        sentence = (
            f"Nothing would open yet: {' and '.join(unknown)} {who} no address at {where} now. Once found, {sentence}"
        )
    elif not opening:
        sentence = f"Nothing would open: at that time none of {what} is blocked from {exception.service} at {where}."
    conflicts = (*_conflicts(exception, lines, existing, now), *_coarse(exception, inventory))
    return ExceptionPreview(sentence=sentence, opens=lines, conflicts=conflicts, lookups=exception.lookups)


def _coarse(exception: AccessException, inventory: Inventory) -> Iterator[str]:
    """Where a part of a service cannot be told from the rest of it."""
    if not exception.surface:
        return
    for device in (device for site in exception.sites for device in inventory.site(site).devices.values()):
        can = adapter_for(device.vendor, device.options, device.name).capabilities
        if not (can.fqdn and can.exempt):
            yield f"{device.name} cannot tell {exception.surface} apart from the rest: nothing opens there"
    yield f"what shares an address with {exception.surface} opens with it where its name is looked up"


def _lines(site_name: str, exception: AccessException, inventory: Inventory, life: Window) -> Iterable[PreviewLine]:
    site = inventory.site(site_name)
    modes = _strictest_modes(site, inventory.policies[site.policy], life, exception.service)
    roles = role_sources(site.networks)
    met = [(str(source), role) for source in exception.sources for role in modes if overlaps(roles[role], source)]
    met += [(f"{ROLE}{role}", role) for role in exception.roles]
    met += [(f"{HOST}{host}", role) for host, role in _hosts_met(exception, site.name, roles)]
    for source, role in met:
        yield PreviewLine(
            site=site.name,
            devices=tuple(site.devices),
            source=source,
            role=role,
            mode=modes[role],
            effect=_EFFECTS[modes[role]],
        )


def _hosts_met(
    exception: AccessException, site: SiteName, roles: Mapping[str, frozenset[Network]]
) -> Iterator[tuple[str, str]]:
    """(name, role) of its host names, as far as they stand for an address there now."""
    for found in exception.lookups:
        for role, networks in roles.items():
            if found.site == site and any(overlaps(networks, ip_network(a)) for a in found.addresses):
                yield found.host, role


def _strictest_modes(site: Site, policy: Policy, life: Window, service: str) -> dict[str, Mode]:
    """The strictest mode that every role has for the service at any moment of ``life``, whatever days are holidays.

    Windows repeat weekly: the horizon has all.
    """
    zone, until = ZoneInfo(site.time_zone), min(life.end, life.start + HORIZON)
    days = frozenset(life.start.date() + timedelta(days=n) for n in range(-2, HORIZON.days + 3))
    found = {}
    for role in sorted(site.networks):
        rules = policy.roles[role]
        moments = (life.start, *(at for at in edges(rules.windows, zone, life.start) if at < until))
        found[role] = strictest(
            mode_at(rules, zone, at, service=service, holidays=holidays)
            for at in moments
            for holidays in (NO_HOLIDAYS, days)
        )
    return found


_EFFECTS: Final[Mapping[Mode, str]] = {
    Mode.ENFORCE: "is blocked by policy and would pass our deny; the firewall's own rules still apply",
    Mode.MONITOR: "is only watched by policy; would be counted as allowed instead",
    Mode.OFF: "is neither blocked nor watched by policy; nothing would change",
}


def _conflicts(
    exception: AccessException, lines: Iterable[PreviewLine], existing: Iterable[AccessException], now: datetime
) -> Iterator[str]:
    sites = set(exception.sites)
    for other in existing:
        if other.service != exception.service or sites.isdisjoint(other.sites):
            continue
        apart = other.ends <= exception.starts or exception.ends <= other.starts or other.ends <= now
        covered = [
            *(str(s) for s in exception.sources if overlaps(other.sources, s)),
            *(f"{ROLE}{role}" for role in exception.roles if role in other.roles),
            *(f"{HOST}{host}" for host in exception.hosts if host in other.hosts),
        ]
        wider = not other.surface or other.surface == exception.surface
        if covered and wider and not apart and other.id not in (exception.id, exception.renews):
            yield f"{covered[0]} is already covered by exception {other.id} until {other.ends:%Y-%m-%d %H:%M} UTC"
    for line in lines:
        if line.mode is Mode.OFF:
            yield f"site {line.site}: the policy for role {line.role} is off at that time anyway"


def new_exception(
    request: ExceptionRequest,
    asked: Asked,
    *,
    new_id: Callable[[], str],
    actor: str,
    now: datetime,
    draft: bool = False,
) -> AccessException:
    """The request as recorded; as a ``draft`` nobody is asked yet."""
    return AccessException(
        id=ExceptionId(new_id()),
        sites=tuple(SiteName(s) for s in dict.fromkeys(request.sites)),
        sources=asked.sources,
        service=request.service,
        starts=request.starts,
        ends=request.ends,
        reason=request.reason.strip(),
        owner=request.owner.strip(),
        ticket=request.ticket.strip(),
        state=ExceptionState.DRAFT if draft else ExceptionState.REQUESTED,
        requested_by=actor,
        requested_at=now,
        code=asked.code,
        roles=asked.roles,
        hosts=asked.hosts,
        surface=request.surface,
        hours=asked.hours,
        seats=request.seats,
        lead=request.lead.strip(),
        renews=ExceptionId(request.renews) if request.renews else None,
    )


def request_again(exception: AccessException) -> ExceptionRequest:
    """What would ask for it anew: a draft that is handed in, a renewal to be changed."""
    return ExceptionRequest(
        sites=exception.sites,
        sources=sources_in_words(exception),
        service=exception.service,
        starts=exception.starts,
        ends=exception.ends,
        reason=exception.reason,
        owner=exception.owner,
        ticket=exception.ticket,
        code=exception.code,
        surface=exception.surface,
        hours=tuple(map(str, exception.hours)),
        seats=exception.seats,
        lead=exception.lead,
        renews=exception.renews,
    )


class Sourced(Protocol):
    """An exception for whom it is, in the store's form or in that of an answer."""

    @property
    def sources(self) -> Iterable[object]: ...
    @property
    def roles(self) -> Iterable[str]: ...
    @property
    def hosts(self) -> Iterable[str]: ...


def sources_in_words(exception: Sourced) -> tuple[str, ...]:
    """As they are asked for: addresses, networks, ``role:NAME``, ``host:NAME``."""
    roles, hosts = (f"{ROLE}{role}" for role in exception.roles), (f"{HOST}{host}" for host in exception.hosts)
    return (*map(str, exception.sources), *roles, *hosts)


def submit(exception: AccessException, *, actor: str, now: datetime) -> AccessException:
    """Hand a draft in. Raises ``Conflict`` unless it is one, ``NotAllowed`` to others than its author."""
    _require(exception, ExceptionState.DRAFT, "handed in")
    if actor != exception.requested_by:
        raise NotAllowed("a draft is handed in by who wrote it", hint=f"ask {exception.requested_by}")
    return replace(exception, state=ExceptionState.REQUESTED, requested_at=now)


def approve(
    exception: AccessException,
    *,
    actor: str,
    now: datetime,
    preview: str,
    rules: ExceptionRules,
    roles: Iterable[AccessRole] = (),
) -> AccessException:
    """With one more approval; approved once it has as many as its reason demands, all of the same preview.

    ``roles``: what the actor is, where it is a person who signs in.

    Raises ``Conflict`` unless it waits for a decision, and for a second approval by the same person; ``NotAllowed`` to
    the person who asked, and to whom its reason does not name.
    """
    _require(exception, ExceptionState.REQUESTED, "approved")
    if exception.ends <= now:
        raise Conflict(f"exception {exception.id} is over since {exception.ends:%Y-%m-%d %H:%M} UTC")
    rule = rule_of(exception, rules)
    if may_be_one_person(actor, exception.requested_by):
        raise NotAllowed(_NOT_OWN, hint="ask another approver")
    if may_be_one_person(actor, exception.lead):
        raise NotAllowed("the lead of a team does not approve its exception", hint="ask another approver")
    if rule.approvers and {actor, *map(called, roles)}.isdisjoint(rule.approvers):
        raise NotAllowed(
            f"exceptions for {exception.code} are approved by others", hint=f"ask {', '.join(rule.approvers)}"
        )
    standing = standing_approvals(exception, now=now, preview=preview, rules=rules)
    if any(may_be_one_person(approval.actor, actor) for approval in standing):
        raise Conflict(f"{actor} has approved it already", hint=f"it needs {rule.approvals}, each by another person")
    approvals = (*standing, Approval(actor=actor, at=now, preview=preview))
    if len(approvals) < rule.approvals:
        return replace(exception, approvals=approvals)
    return replace(exception, approvals=approvals, state=ExceptionState.APPROVED, decided_by=actor, decided_at=now)


_NOT_OWN: Final = "nobody approves an exception that they asked for"


RolesOf = Callable[[str], Iterable[AccessRole]]


def check_named_approvers(
    approvers: Sequence[str], asking: Sequence[str], rule: ExceptionReason, *, roles_of: RolesOf | None = None
) -> None:
    """The same rules for approvers whom a file names. Without ``roles_of``, where nobody is known, a person may have
    any role. Raises ``Invalid``."""
    if own := next((who for who in approvers if any(may_be_one_person(who, other) for other in asking)), None):
        raise Invalid(f"approved_by: {_NOT_OWN}, and {own} did")
    if strange := next((who for who in approvers if not _may_approve(who, rule, roles_of)), None):
        raise Invalid(f"approved_by: not {strange}: this reason is approved by {', '.join(rule.approvers)}")
    again = sum(any(may_be_one_person(who, other) for other in approvers[:at]) for at, who in enumerate(approvers))
    if len(approvers) - again < rule.approvals:
        raise Invalid(f"approved_by: this reason needs {rule.approvals} people")


def _may_approve(who: str, rule: ExceptionReason, roles_of: RolesOf | None) -> bool:
    if not rule.approvers or who in rule.approvers:
        return True
    if roles_of is None:
        return who.startswith(PERSON) and any(named.startswith(ROLE_MARK) for named in rule.approvers)
    return not set(map(called, roles_of(who))).isdisjoint(rule.approvers)


def needs_roles(approvers: Sequence[str], rule: ExceptionReason) -> bool:
    """Whether somebody among the approvers is one by a role alone."""
    return bool(rule.approvers) and any(who not in rule.approvers for who in approvers)


def standing_approvals(
    exception: AccessException, *, now: datetime, preview: str, rules: ExceptionRules
) -> tuple[Approval, ...]:
    """Those that still count: given lately, and to what it would open now."""
    holds = rules.approval_holds
    return tuple(a for a in exception.approvals if a.preview == preview and now < a.at + holds)


def deny(exception: AccessException, *, actor: str, now: datetime) -> AccessException:
    """Refuse a request. Raises ``Conflict`` unless it waits for a decision."""
    _require(exception, ExceptionState.REQUESTED, "denied")
    return replace(exception, state=ExceptionState.DENIED, decided_by=actor, decided_at=now, ended_at=now)


def revoke(exception: AccessException, *, now: datetime) -> AccessException:
    """End it now. Raises ``Conflict`` when there is nothing left to end."""
    if exception.state not in (*_WAITING, ExceptionState.APPROVED) or exception.ends <= now:
        raise Conflict(f"exception {exception.id} {_became(exception)} and cannot be revoked")
    return replace(exception, state=ExceptionState.REVOKED, ended_at=now)


def seat(exception: AccessException, sources: tuple[Network, ...], *, now: datetime) -> AccessException:
    """Give the seats of a team to other addresses. Raises ``Conflict`` when it has none or is over, ``Invalid``."""
    if exception.seats is None:
        raise Conflict(f"exception {exception.id} has no seats", hint="ask for another exception")
    if exception.state not in (*_WAITING, ExceptionState.APPROVED) or exception.ends <= now:
        raise Conflict(f"exception {exception.id} is {exception.state.value} and its seats are given up")
    if not sources:
        raise Invalid("sources: name at least one address", hint="revoke it when nobody needs it any more")
    _check_seated(sources, exception.seats)
    return replace(exception, sources=sources)


def idle_from(exception: AccessException, use: Use) -> datetime:
    """Since when it has not been used."""
    return max(exception.starts, exception.decided_at or exception.starts, use.last_used_at or exception.starts)


def due(exception: AccessException, *, now: datetime, use: Use | None, rules: ExceptionRules) -> AccessException | None:
    """What time makes of it: ended, lapsed, idle, reminded of; None when there is nothing to do.

    An exception ends at its own time, however late that was noticed. Idle is only one whose use every device counts,
    and whose counters were read to the end of that time; with None for ``use`` it is not asked. A reminder comes in the
    second half of a life at the earliest: told of two hours as they begin, nobody is reminded.
    """
    if exception.state in _WAITING:
        over = min(exception.ends, exception.requested_at + rules.lapses_after)
        return replace(exception, state=ExceptionState.LAPSED, ended_at=over) if over <= now else None
    if exception.state is not ExceptionState.APPROVED:
        return None
    if exception.ends <= now:
        return replace(exception, state=ExceptionState.ENDED, ended_at=exception.ends)
    idle_after = rule_of(exception, rules).idle_after
    if idle_after is not None and use is not None and not use.uncounted and use.read_until is not None:
        unused_at = idle_from(exception, use) + idle_after
        if unused_at <= now and unused_at <= use.read_until:
            return replace(exception, state=ExceptionState.IDLE, ended_at=now)
    begun = max(exception.starts, exception.decided_at or exception.starts)
    soon = max(exception.ends - rules.remind_before, begun + (exception.ends - begun) / 2) <= now
    return replace(exception, reminded_at=now) if soon and exception.reminded_at is None else None


def _require(exception: AccessException, state: ExceptionState, what: str) -> None:
    if exception.state is not state:
        raise Conflict(f"exception {exception.id} {_became(exception)} and cannot be {what}")


def _became(exception: AccessException) -> str:
    """``is approved (by person:lea)``: who comes second learns who was first."""
    is_decision = exception.state in (ExceptionState.APPROVED, ExceptionState.DENIED)
    by = f" (by {exception.decided_by})" if is_decision and exception.decided_by else ""
    return f"is {exception.state.value}{by}"
