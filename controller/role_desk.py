"""Coverage of single source roles, asked of recorded looks and of the policies of their time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.coverage import Coverage
from controller.coverage_desk import CoverageDesk
from controller.model import Window
from controller.policy_desk import PolicyDesk
from controller.role_coverage import role_coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDesk:
    """One for a controller."""

    coverage: CoverageDesk
    policies: PolicyDesk

    def within(self, coverage: CoverageDesk, policies: PolicyDesk) -> RoleDesk:
        """For somebody who sees no other sites than these."""
        return replace(self, coverage=coverage, policies=policies)

    def of(self, name: str, window: Window) -> Mapping[str, Coverage]:
        """Of each source role of the site, by its name. Raises ``NotFound``."""
        desk = self.coverage
        site, freshness = desk.inventory.site(name), desk.freshness
        earlier = Window(window.start - freshness, window.end)
        modes = self.policies.spans(name, earlier)
        return role_coverage(
            desk.store.observations(site.name, earlier),
            window,
            devices=tuple(site.devices),
            modes=modes,
            tried={role: desk.tried(site.name, window, role=role) for role in modes},
            now=desk.clock.now(),
            freshness=freshness,
        )


__all__ = ["RoleDesk"]
