"""A plan a person can read, store and apply exactly: the diff, the guards' last word, and a checksum over both ends.

Pure. The guards on intelligence live in ``ipsets.guard``; here stands what only the device's own state can tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from controller.errors import PlanStale
from controller.inventory import Device
from controller.model import StoredPlan
from controller.withdrawing import Cause
from core.ids import PlanId, SiteName, SnapshotId, new_id
from core.net import DomainName, Network, Ranges
from ipsets.errors import GuardTripped
from vendors.codec import content_digest, describe_shortened, dumps_plan, loads_plan
from vendors.diff import diff
from vendors.model import AddressGroup, Degraded, Desired, Group, GroupName, Observed, Plan, Shortened

CHURN_FLOOR: Final = 20
"""Below this many members a share says nothing."""

BUDGET: Final = "budget"
"""The capability that a device lacks for a list that it gets in part."""
WITHDRAWN: Final = "withdrawn"
"""The capability that a device lacks for a service of which a person took the last address, or name, off the list."""


_CAUSES: Final = TypeAdapter(tuple[Cause, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """A stored plan: what the device held then, as a digest, what was to change, and what people withdrew of it."""

    base: str
    plan: Plan
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of what a device holds one change may take away; ``intelligence`` guards the snapshot before this."""

    max_removed_share: float = 0.5


def plan_device(
    observed: Observed,
    desired: Desired,
    *,
    limits: Limits,
    device: str,
    forced: bool = False,
    shortened: tuple[Shortened, ...] = (),
    said: tuple[Degraded, ...] = (),
    withdrawn: tuple[Network, ...] = (),
) -> Plan:
    """The difference, or ``GuardTripped`` when it would take away more than a person would expect.

    ``shortened`` is what of the lists ``desired`` leaves out already, ``said`` what else a person should know of it,
    ``withdrawn`` what a person has just decided to take away.
    """
    plan = _planned(observed, desired, shortened, said)
    if not forced:
        _refuse_shrink(observed, plan, limits, device, withdrawn)
    return plan


def _planned(
    observed: Observed, desired: Desired, shortened: tuple[Shortened, ...], said: tuple[Degraded, ...]
) -> Plan:
    plan = diff(observed, desired, observed.can)
    parts = (Degraded(capability=BUDGET, message=describe_shortened(short)) for short in shortened)
    return replace(plan, degraded=(*plan.degraded, *parts, *said), shortened=shortened)


def in_part(degraded: Iterable[str], *capabilities: str) -> str:
    """What the lines of a device say of lists that it holds in part; ``""`` when it holds all of them whole.

    ``capabilities``: only why it does; else for any reason.
    """
    parts = (line.partition(": ") for line in degraded)
    return "; ".join(said for why, _, said in parts if why in (capabilities or (BUDGET, WITHDRAWN)))


def _refuse_shrink(observed: Observed, plan: Plan, limits: Limits, device: str, withdrawn: tuple[Network, ...]) -> None:
    wanted = _lists(plan.desired.groups)
    for name, before in _lists(observed.groups).items():
        after = wanted.get(name, frozenset())
        if _is_shrunk(before, after, limits.max_removed_share, withdrawn):
            raise GuardTripped(
                f"guard device-shrink: {name} would shrink from {len(before)} to {len(after)} entries",
                hint="the old state stays enforced; look at `tokgate intel diff`, then apply with --force",
                device=device,
            )


def _lists(groups: Iterable[Group]) -> Mapping[GroupName, frozenset[Network]]:
    return {g.name: g.members for g in groups if isinstance(g, AddressGroup) and g.name.startswith("dst-")}


def _is_shrunk(
    before: frozenset[Network], after: frozenset[Network], share: float, withdrawn: tuple[Network, ...]
) -> bool:
    """Whether too many entries are gone for good; those that a wider one now holds, or a person withdrew, are not."""
    if len(before) < CHURN_FLOOR or len(after) >= len(before) * (1 - share):
        return False
    kept = Ranges((*after, *withdrawn))
    return sum(not kept.holds(network) for network in before) > len(before) * share


def base_digest(observed: Observed) -> str:
    """Identifies what of ours a device held when the plan was made."""
    irregular = "\n".join(observed.irregular)
    return hashlib.sha256(f"{content_digest(observed.groups, observed.rules)}\n{irregular}".encode()).hexdigest()


def store_plan(
    plan: Plan,
    observed: Observed,
    *,
    site: SiteName,
    device: Device,
    snapshot: SnapshotId,
    now: datetime,
    causes: tuple[Cause, ...] = (),
) -> StoredPlan:
    """The plan as kept for ``apply``. ``causes``: what people withdrew, of what it takes away."""
    text = dumps_plan(plan)
    base = base_digest(observed)
    why = _CAUSES.dump_json(causes).decode() if causes else ""
    return StoredPlan(
        id=PlanId(new_id()),
        created_at=now,
        site=site,
        device=device.name,
        snapshot=snapshot,
        checksum=_checksum(base, text, why),
        steps=len(plan.steps),
        body=json.dumps({"base": base, "plan": text, "causes": why}),
    )


def _checksum(base: str, text: str, why: str) -> str:
    return hashlib.sha256("\n".join((base, text, *([why] if why else []))).encode()).hexdigest()


def removed(observed: Observed, plan: Plan) -> Iterator[Network | DomainName]:
    """The entries of lists that the device holds and will hold no more."""
    wanted = {group.name: group.members for group in plan.desired.groups}
    for group in observed.groups:
        if group.name.startswith(("dst-", "fqdn-")):
            yield from group.members - wanted.get(group.name, frozenset())


def reopen(stored: StoredPlan) -> Reopened:
    """What was planned. Raises ``PlanStale`` when its checksum does not hold."""
    try:
        body = json.loads(stored.body)
        base, text, why = str(body["base"]), str(body["plan"]), str(body.get("causes", ""))
        if _checksum(base, text, why) == stored.checksum:
            return Reopened(base=base, plan=loads_plan(text), causes=_CAUSES.validate_json(why) if why else ())
    except (ValueError, KeyError, TypeError):  # cut off, or of another version: no plan that anybody read
        pass
    raise PlanStale(f"plan {stored.id} does not match its checksum", hint="make a new plan", device=stored.device)


def refuse_stale(
    stored: StoredPlan,
    observed: Observed,
    desired_now: Desired,
    shortened: tuple[Shortened, ...] = (),
    said: tuple[Degraded, ...] = (),
) -> Plan:
    """Exactly the plan that was read, or ``PlanStale``: the device or what is wanted has moved meanwhile."""
    known = reopen(stored)
    plan = known.plan
    if base_digest(observed) != known.base:
        raise PlanStale(
            "the device no longer holds what it held when the plan was made; nothing was sent",
            hint="make a new plan",
            device=stored.device,
        )
    fresh = _planned(observed, desired_now, shortened, said)
    if dumps_plan(fresh) != dumps_plan(plan):
        raise PlanStale(
            "the inventory, the intelligence, an exception or a window moved since the plan was made; nothing was sent",
            hint="make a new plan",
            device=stored.device,
        )
    return plan
