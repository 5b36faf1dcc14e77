"""PAN-OS firewalls: objects and rules in the candidate configuration, committed as our own administrator's part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Script
from vendors.diff import mark_of
from vendors.model import Capabilities, Desired, FeedList, Observed, Plan, Transaction
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.parse import observed_from
from vendors.paloalto_panos.render import Lines, render_lines

_NOTES: Final = (
    "monitor: an allow that counts would end the evaluation and open what later rules stop",
    "spare: an allow above the denies would open what later rules stop",
    "wildcard-domains: address objects of type fqdn take no wildcard",
)


@dataclass(frozen=True, slots=True)
class PaloAltoPanos:
    """The adapter for one firewall and one virtual system of it."""

    options: PaloAltoPanosOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            ipv6=True,
            fqdn=True,
            wildcard_fqdn=False,
            monitor=False,
            schedules=False,
            transaction=Transaction.CANDIDATE,
            entry_counters=False,
            source_capture=self.options.log_minutes > 0,
            session_clearing=False,
            persistence=True,
            feed=self.options.feed is not None,
            max_members=None,
            max_entries=self.options.max_addresses,
            spare=False,
            exempt=False,
            notes=_NOTES,
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options, self.capabilities)

    def render(self, current: Observed, plan: Plan) -> Script:
        lines = self._lines(current, plan)
        text = "".join(f"{line}\n" for line in lines.all)
        return Script(
            text=text,
            commands=(
                "request config-lock add",
                "request commit-lock add",
                "configure",
                "the lines",
                "validate full",
                "commit partial admin (this login)",
                "read back in a new login",
            ),
        )

    def feeds(self, desired: Desired) -> tuple[FeedList, ...]:
        return ()

    def _lines(self, current: Observed, plan: Plan) -> Lines:
        return render_lines(current, plan, mark_of(plan.desired), self.options)
