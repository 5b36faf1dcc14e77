"""Exceptions: who may pass, where, until when, and what exactly that opens. Pure; the facade keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from controller.desired import modes_at, role_sources
from controller.errors import Conflict, Invalid, NotAllowed
from controller.inventory import Inventory, Policy, Site
from controller.model import AccessException, ExceptionState, Mode, Window
from controller.windows import HORIZON, next_edge
from core.ids import DeviceName, ExceptionId, SiteName
from core.net import Network, aggregate, overlaps, parse_network

MAX_LIFE: Final = timedelta(days=366)
MAX_SOURCES: Final = 256
_TEXT_LIMIT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRequest:
    """What a person asks for, as text where they typed text."""

    sites: tuple[str, ...]
    sources: tuple[str, ...]  # addresses or networks
    service: str
    starts: datetime
    ends: datetime
    reason: str
    owner: str
    ticket: str = ""


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


def check_request(request: ExceptionRequest, inventory: Inventory, now: datetime) -> tuple[Network, ...]:
    """The parsed sources. Raises ``Invalid`` naming the field, ``NotFound`` for an unknown site."""
    if not request.sites:
        raise Invalid("sites: name at least one site")
    services = {s for site in request.sites for s in inventory.policies[inventory.site(site).policy].services}
    if request.service not in services:
        raise Invalid(f"service: {request.service!r} is not enforced there; known: {', '.join(sorted(services))}")
    for field in ("reason", "owner", "ticket"):
        check_text(field, getattr(request, field), required=field != "ticket")
    _check_life(request, now)
    return _check_sources(request, inventory)


def check_text(field: str, value: str, *, required: bool) -> None:
    """Words of a person for the record. Raises ``Invalid`` naming the field."""
    if required and not value.strip():
        raise Invalid(f"{field}: must not be empty")
    if len(value) > _TEXT_LIMIT or not value.isprintable():
        raise Invalid(f"{field}: at most {_TEXT_LIMIT} printable characters on one line")


def _check_life(request: ExceptionRequest, now: datetime) -> None:
    if request.starts.tzinfo is None or request.ends.tzinfo is None:
        raise Invalid("starts, ends: give the time zone, as in 2026-11-25T18:00:00Z")
    if request.ends <= request.starts:
        raise Invalid("ends: must lie after starts")
    if request.ends <= now:
        raise Invalid("ends: lies in the past")
    if request.ends - request.starts > MAX_LIFE:
        raise Invalid(f"ends: an exception lives {MAX_LIFE.days} days at most; renew it then")


def _check_sources(request: ExceptionRequest, inventory: Inventory) -> tuple[Network, ...]:
    if not 0 < len(request.sources) <= MAX_SOURCES:
        raise Invalid(f"sources: give 1 to {MAX_SOURCES} addresses or networks")
    parsed = [_parse_source(text) for text in request.sources]
    for site in request.sites:
        known = [n for networks in inventory.site(site).networks.values() for n in networks]
        stranger = next((n for n in parsed if not overlaps(known, n)), None)
        if stranger is not None:
            raise Invalid(f"sources: {stranger} lies in no source network of site {site}")
        wide = next((n for n in parsed if any(_covers_more(n, k) for k in known)), None)
        if wide is not None:
            raise Invalid(f"sources: {wide} is wider than the site's own network; name the part that is meant")
    return aggregate(parsed)


def _parse_source(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError as exc:
        raise Invalid(f"sources: {text[:80]!r} is neither an address nor a network ({exc})") from exc


def _covers_more(source: Network, known: Network) -> bool:
    return source.version == known.version and source.prefixlen < known.prefixlen and known.overlaps(source)


def preview(
    request: ExceptionRequest,
    sources: tuple[Network, ...],
    inventory: Inventory,
    existing: Iterable[AccessException],
    now: datetime,
) -> ExceptionPreview:
    """What would open where, and what stands against it. Nothing is changed."""
    life = Window(max(now, request.starts), request.ends)
    lines = tuple(line for site in request.sites for line in _lines(site, sources, inventory, life))
    opening = [line for line in lines if line.mode is Mode.ENFORCE]
    where = ", ".join(request.sites)
    span = f"from {request.starts:%Y-%m-%d %H:%M} to {request.ends:%Y-%m-%d %H:%M} UTC"
    what = ", ".join(str(s) for s in sources)
    sentence = f"{what} would reach {request.service} at {where} {span}; all other sources stay as they are."
    if not opening:
        sentence = f"Nothing would open: at that time none of {what} is blocked from {request.service} at {where}."
    return ExceptionPreview(
        sentence=sentence, opens=lines, conflicts=tuple(_conflicts(request, sources, lines, existing, now))
    )


def _lines(site_name: str, sources: Iterable[Network], inventory: Inventory, life: Window) -> Iterable[PreviewLine]:
    site = inventory.site(site_name)
    modes = _strictest_modes(site, inventory.policies[site.policy], life)
    roles = role_sources(site.networks)
    for source in sources:
        for role in [r for r in modes if overlaps(roles[r], source)]:
            yield PreviewLine(
                site=site.name,
                devices=tuple(site.devices),
                source=str(source),
                role=role,
                mode=modes[role],
                effect=_EFFECTS[modes[role]],
            )


def _strictest_modes(site: Site, policy: Policy, life: Window) -> dict[str, Mode]:
    """The strictest mode that every role has at any moment of ``life``. Windows repeat weekly: the horizon has all."""
    zone, roles = ZoneInfo(site.time_zone), [policy.roles[role] for role in site.networks]
    until = min(life.end, life.start + HORIZON)
    found = modes_at(site, policy, life.start)
    at = next_edge(roles, zone, life.start)
    while at is not None and at < until:
        found = {
            role: min(found[role], mode, key=_STRICTEST.index) for role, mode in modes_at(site, policy, at).items()
        }
        at = next_edge(roles, zone, at)
    return found


_STRICTEST: Final = (Mode.ENFORCE, Mode.MONITOR, Mode.OFF)
_EFFECTS: Final[Mapping[Mode, str]] = {
    Mode.ENFORCE: "is blocked by policy and would pass our deny; the firewall's own rules still apply",
    Mode.MONITOR: "is only watched by policy; would be counted as allowed instead",
    Mode.OFF: "is neither blocked nor watched by policy; nothing would change",
}


def _conflicts(
    request: ExceptionRequest,
    sources: tuple[Network, ...],
    lines: Iterable[PreviewLine],
    existing: Iterable[AccessException],
    now: datetime,
) -> Iterable[str]:
    for other in existing:
        same = set(other.sites) & set(request.sites) and other.service == request.service
        apart = other.ends <= request.starts or request.ends <= other.starts or other.ends <= now
        covered = [s for s in sources if overlaps(other.sources, s)]
        if same and covered and not apart:
            yield f"{covered[0]} is already covered by exception {other.id} until {other.ends:%Y-%m-%d %H:%M} UTC"
    for line in lines:
        if line.mode is Mode.OFF:
            yield f"site {line.site}: the policy for role {line.role} is off at that time anyway"


def new_exception(
    request: ExceptionRequest, sources: tuple[Network, ...], *, new_id: Callable[[], str], actor: str, now: datetime
) -> AccessException:
    """The request as recorded."""
    return AccessException(
        id=ExceptionId(new_id()),
        sites=tuple(SiteName(s) for s in dict.fromkeys(request.sites)),
        sources=sources,
        service=request.service,
        starts=request.starts,
        ends=request.ends,
        reason=request.reason.strip(),
        owner=request.owner.strip(),
        ticket=request.ticket.strip(),
        state=ExceptionState.REQUESTED,
        requested_by=actor,
        requested_at=now,
    )


def approve(exception: AccessException, *, actor: str, now: datetime) -> AccessException:
    """Raises ``Conflict`` unless it waits for a decision, ``NotAllowed`` to the person who asked."""
    _require(exception, ExceptionState.REQUESTED, "approved")
    if exception.ends <= now:
        raise Conflict(f"exception {exception.id} is over since {exception.ends:%Y-%m-%d %H:%M} UTC")
    if actor == exception.requested_by:
        raise NotAllowed("nobody approves an exception that they asked for", hint="ask another approver")
    return replace(exception, state=ExceptionState.APPROVED, decided_by=actor, decided_at=now)


def deny(exception: AccessException, *, actor: str, now: datetime) -> AccessException:
    """Refuse a request. Raises ``Conflict`` unless it waits for a decision."""
    _require(exception, ExceptionState.REQUESTED, "denied")
    return replace(exception, state=ExceptionState.DENIED, decided_by=actor, decided_at=now, ended_at=now)


def revoke(exception: AccessException, *, now: datetime) -> AccessException:
    """End it now. Raises ``Conflict`` when there is nothing left to end."""
    if exception.state not in (ExceptionState.REQUESTED, ExceptionState.APPROVED) or exception.ends <= now:
        raise Conflict(f"exception {exception.id} is {exception.state.value} and cannot be revoked")
    return replace(exception, state=ExceptionState.REVOKED, ended_at=now)


def end(exception: AccessException) -> AccessException:
    """Its time is over; the end is its own, however late it was noticed."""
    return replace(exception, state=ExceptionState.ENDED, ended_at=exception.ends)


def _require(exception: AccessException, state: ExceptionState, what: str) -> None:
    if exception.state is not state:
        raise Conflict(f"exception {exception.id} is {exception.state.value} and cannot be {what}")
