"""What becomes of one flow, as the API tells it."""

from __future__ import annotations

from pydantic import Field

from api.intel_models import Covering, Decision, InForce
from api.models import Answer, Instant
from api.policy_models import RoleNow
from api.snapshot_models import Indicator
from controller.check_desk import Checked
from controller.checking import Evidence as DeviceEvidence
from controller.checking import Verdict
from controller.model import AccessException


class Evidence(Answer):
    """What is known of one device, and what it was last read back holding."""

    device: str
    verdict: Verdict
    why: str
    last_seen_at: Instant | None
    snapshot: str | None
    mode: str | None

    @classmethod
    def of(cls, found: DeviceEvidence) -> Evidence:
        return cls(
            device=found.device,
            verdict=found.verdict,
            why=found.why,
            last_seen_at=found.last_seen_at,
            snapshot=found.snapshot,
            mode=found.mode,
        )


class Passing(Answer):
    """The exception that takes the flow out of the deny."""

    id: str
    owner: str
    reason: str
    ticket: str
    approved_by: str | None
    starts: Instant
    ends: Instant

    @classmethod
    def of(cls, found: AccessException) -> Passing:
        return cls(
            id=found.id,
            owner=found.owner,
            reason=found.reason,
            ticket=found.ticket,
            approved_by=found.decided_by,
            starts=found.starts,
            ends=found.ends,
        )


class Check(Answer):
    """``decided`` is what should become of the flow, ``verdict`` what is proven of all devices of the site.

    Neither says that a packet arrives: the rest of the firewall's rules come after.
    """

    src: str
    dst: str
    site: str
    role: str | None = Field(description="the source role of `src`; null: in none of the site's networks")
    at: Instant
    verdict: Verdict
    decided: Verdict
    rule: str | None = Field(description="the rule that takes the flow, by its name on the devices")
    entry: Covering | None = Field(description="the entry of the list that holds `dst`, of a service of the policy")
    known: tuple[Indicator, ...] = Field(description="what sources named that holds `dst`, with their dates")
    decisions: tuple[Decision, ...] = Field(description="why `dst` is on the list or not, the weightiest first")
    policy: str
    window: RoleNow | None = Field(description="the mode of the role for that service, and why; null: none concerned")
    next_edge: Instant | None = Field(description="when the policy may change next")
    exception: Passing | None
    snapshot: InForce
    devices: tuple[Evidence, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, found: Checked) -> Check:
        explained = found.explained
        entries = [e for e in explained.explanation.entries if e.service in found.services]
        return cls(
            src=str(found.source),
            dst=explained.explanation.text,
            site=found.site,
            role=found.role,
            at=found.at,
            verdict=found.verdict,
            decided=found.decided,
            rule=found.judged.rule,
            entry=Covering(service=entries[0].service, entry=entries[0].entry) if entries else None,
            known=tuple(Indicator.of(i, explained.owners) for i in explained.explanation.known),
            decisions=tuple(Decision.of(d) for d in explained.explanation.decisions),
            policy=found.policy.policy,
            window=RoleNow.of(found.window) if found.window else None,
            next_edge=found.policy.next_edge,
            exception=Passing.of(found.exception) if found.exception else None,
            snapshot=InForce.of(explained),
            devices=tuple(Evidence.of(one) for one in found.devices),
            notes=found.notes,
        )
