"""Fortinet FortiGates: address objects, groups and policies of ours, changed in one transaction where there is one.

Called by the controller's device work, always under the lock of the device.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.ids import DeviceName
from vendors.adapter import Script
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.parse import observed_from
from vendors.fortinet_fortios.render import render_change
from vendors.model import Capabilities, Observed, Plan, Transaction


@dataclass(frozen=True, slots=True)
class FortinetFortios:
    """The adapter for one FortiGate, or one of its VDOMs."""

    options: FortinetFortiosOptions
    device: DeviceName

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            ipv6=True,
            fqdn=self.options.names,
            wildcard_fqdn=self.options.names,
            monitor=False,
            schedules=False,
            transaction=Transaction.CANDIDATE,
            entry_counters=False,
            source_capture=self.options.log_device is not None,
            session_clearing=False,
            persistence=True,
            feed=False,
            max_members=None,
            max_entries=self.options.max_addresses,
            spare=False,
            exempt=False,
            notes=(
                "monitor: the first policy that matches decides, and one that counted and let pass would open traffic",
                "spare: the first policy that matches decides, and one that let pass would open traffic",
                *(() if self.options.names else ("domains: switched off (options.names)",)),
            ),
        )

    # --- pure -----------------------------------------------------------------------------------------------------

    def parse(self, text: str) -> Observed:
        return observed_from(text, self.options, self.capabilities)

    def render(self, current: Observed, plan: Plan) -> Script:
        change = render_change(current, plan, self.options)
        return Script(text=change.text)
