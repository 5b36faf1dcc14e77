"""Where people ask what becomes of one flow: who blocks it, by which entry and window, and whether that is proven.

Changes nothing, and asks no device: it tells what was last read back there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from controller import checking
from controller.checking import Destination, Evidence, Judged, Verdict
from controller.desired import Facts, desired_for
from controller.errors import Invalid, NotFound
from controller.inventory import Inventory, Site
from controller.model import AccessException, ExceptionState, Mode, Observation, Window
from controller.policy_desk import PolicyDesk
from controller.policy_week import PolicyNow, RoleNow
from controller.store import Store
from controller.views import Explained
from core.clock import Clock
from core.errors import TokgateError
from core.ids import DeviceName
from core.net import Address, DomainName
from ipsets.explain import parse_question
from ipsets.model import Snapshot
from vendors.model import Desired

LIST_OF_NOW: Final = "which addresses are never blocked is told by the inventory as it is now"
POLICY_OF_NOW: Final = "the policy is the one that the inventory has now"
BY_DNS: Final = "a name on the list may have this address: where a device follows names, it is blocked there then"
BY_NAME: Final = "the addresses of the name are not looked up: ask for one of them to know of it"
AHEAD: Final = "it lies ahead: nobody can have seen it, and the list may be another by then"


class Explains(Protocol):
    """Whether a list covers something, and why: ``Controller.explain``."""

    def __call__(self, question: str, *, at: datetime | None = None) -> Explained: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The answer. ``decided`` is what should become of the flow, ``verdict`` what is proven of all devices."""

    source: Address
    destination: Destination
    site: str
    at: datetime
    is_now: bool
    role: str | None
    decided: Verdict
    verdict: Verdict
    judged: Judged
    services: tuple[str, ...]  # of the policy, that have the destination on their list
    window: RoleNow | None  # of the policy: the mode of the role for them, and why
    policy: PolicyNow
    exception: AccessException | None
    explained: Explained
    devices: tuple[Evidence, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDesk:
    """One for a controller."""

    store: Store
    inventory: Inventory
    clock: Clock
    policies: PolicyDesk
    explain: Explains
    facts_of: Callable[[Site, Snapshot, datetime], Facts]
    freshness: timedelta  # how long one look at a device proves what follows it

    def check(self, source: str, destination: str, *, at: datetime | None = None, site: str | None = None) -> Checked:
        """What becomes of the flow, by default now, at the site that has the source, unless one is named.

        Raises ``Invalid`` for what is no address or name, and when several sites have the source; ``NotFound`` when
        none has; ``NoSnapshot``, ``CalendarUnknown``.
        """
        now = self.clock.now()
        moment = at or now
        flow = _address(source), _destination(destination)
        found = self._site(flow[0], site)
        explained = self.explain(destination, at=at if at is not None and at < now else None)
        facts = self._facts(found, explained.snapshot, moment, is_past=moment < now)
        role = checking.role_of(found, flow[0])
        policy = self.policies.at(found.name, moment)
        services = tuple(
            s for s in facts.policy.services if any(entry.service == s for entry in explained.explanation.entries)
        )
        window = _window(policy, role, services)
        judged, devices = self._of_devices(found, facts, flow, moment, now=now, window=window, role=role)
        exception = next((e for e in facts.exceptions if e.id == checking.exception_of(judged)), None)
        return Checked(
            source=flow[0],
            destination=flow[1],
            site=found.name,
            at=moment,
            is_now=at is None,
            role=role,
            decided=judged.verdict,
            verdict=checking.together(devices),
            judged=judged,
            services=services,
            window=window,
            policy=policy,
            exception=exception,
            explained=explained,
            devices=devices,
            notes=(*policy.emergencies, *_notes(judged, flow[1], moment=moment, now=now)),
        )

    def _site(self, source: Address, name: str | None) -> Site:
        if name is not None:
            return self.inventory.site(name)
        found = checking.sites_of(self.inventory, source)
        if not found:
            raise NotFound(f"no site has {source} among its networks", hint="name the site to ask all the same")
        if len(found) > 1:
            known = ", ".join(site.name for site in found)
            raise Invalid(f"site: several have {source} among their networks: {known}", hint="say which one")
        return found[0]

    def _facts(self, site: Site, snapshot: Snapshot, at: datetime, *, is_past: bool) -> Facts:
        facts = self.facts_of(site, snapshot, at)
        if not is_past:
            return facts
        live = checking.was_live(self.store.exceptions(sites=[site.name]), at)
        return replace(facts, exceptions=tuple(replace(e, state=ExceptionState.APPROVED) for e in live))

    def _of_devices(
        self,
        site: Site,
        facts: Facts,
        flow: tuple[Address, Destination],
        at: datetime,
        *,
        now: datetime,
        window: RoleNow | None,
        role: str | None,
    ) -> tuple[Judged, tuple[Evidence, ...]]:
        """What each device should make of it, and what is known of that."""
        judgements, evidence = [], []
        statuses = self.store.statuses()
        looks = self.store.observations(site.name, Window(at, min(now, at + 2 * self.freshness))) if at < now else []
        for device in site.devices.values():
            try:
                desired = desired_for(facts, device, at)
            except TokgateError as exc:  # a guard of the device, or a service that this list does not know
                evidence.append(Evidence(device=device.name, verdict=Verdict.UNKNOWN, why=exc.message))
                continue
            judged = _without_rule(checking.judge(desired, *flow), role=role, window=window)
            judgements.append(judged)
            if at > now:
                evidence.append(Evidence(device=device.name, verdict=Verdict.UNKNOWN, why=AHEAD))
            elif at < now:
                evidence.append(self._then(judged, desired, looks, device=device.name, site=site, at=at))
            else:
                evidence.append(
                    checking.held_now(
                        judged,
                        facts,
                        statuses.get(device.name),
                        device=device.name,
                        flow=flow,
                        at=at,
                        freshness=self.freshness,
                    )
                )
        agreed = {judged.verdict for judged in judgements}
        return (judgements[0] if len(agreed) == 1 else Judged(verdict=Verdict.UNKNOWN)), tuple(evidence)

    def _then(
        self,
        judged: Judged,
        desired: Desired,
        looks: list[Observation],
        *,
        device: DeviceName,
        site: Site,
        at: datetime,
    ) -> Evidence:
        local = at.astimezone(ZoneInfo(site.time_zone)).replace(tzinfo=None)
        return checking.held_then(judged, desired, looks, device=device, local=local, at=at, freshness=self.freshness)


def _without_rule(judged: Judged, *, role: str | None, window: RoleNow | None) -> Judged:
    """Why no rule takes the flow, where none does. ``window``: None when nothing that the policy has holds it."""
    if judged.verdict is not Verdict.UNLISTED:
        return judged
    if role is None:
        return replace(judged, verdict=Verdict.STRANGER)
    return replace(judged, verdict=Verdict.OFF) if window is not None and window.mode is Mode.OFF else judged


def _window(policy: PolicyNow, role: str | None, services: tuple[str, ...]) -> RoleNow | None:
    """What the policy says of the role for the destination's services, the strictest first; None when it has none."""
    concerned = [now for now in policy.roles if now.role == role and set(now.services) & set(services)]
    return min(concerned, key=lambda now: list(Mode).index(now.mode), default=None)


def _address(text: str) -> Address:
    found = _parsed("src", text)
    if isinstance(found, DomainName | IPv4Network | IPv6Network):
        raise Invalid("src: one address, as 10.20.3.7")
    return found


def _destination(text: str) -> Destination:
    found = _parsed("dst", text)
    if isinstance(found, IPv4Network | IPv6Network):
        raise Invalid("dst: one address or one name", hint="`tokgate intel explain` takes networks")
    return found


def _parsed(field: str, text: str) -> Address | DomainName | IPv4Network | IPv6Network:
    try:
        return parse_question(text)
    except ValueError as exc:
        raise Invalid(f"{field}: {exc}") from exc


def _notes(judged: Judged, destination: Destination, *, moment: datetime, now: datetime) -> list[str]:
    said = []
    if isinstance(destination, DomainName):
        said.append(BY_NAME)
    elif judged.perhaps and judged.verdict is Verdict.UNLISTED:
        said.append(BY_DNS)
    if moment < now:
        said += [POLICY_OF_NOW, LIST_OF_NOW]
    return said


__all__ = ["CheckDesk", "Checked"]
