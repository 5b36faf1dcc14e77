"""What an inventory may say about one PAN-OS firewall. Values reach a command line: their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from vendors.placing import Placement

Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,30}$")]


class PaloAltoPanosOptions(BaseModel):
    """Options of `vendor: paloalto_panos`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vsys: Annotated[str, StringConstraints(pattern=r"^vsys[1-9][0-9]{0,2}$")] = "vsys1"
    """The virtual system that holds our objects and rules. It must be there: it is never made."""
    from_zones: tuple[Zone, ...] = ("any",)
    """Zones that the users' sessions come from."""
    to_zones: tuple[Zone, ...] = ("any",)
    """Zones that they go to."""
    placement: Placement = "top"
    """Where our rules stand among the local rules: `top`, `{before: NAME}` or `{after: NAME}`."""
    action: Literal["deny", "drop", "reset-client", "reset-server", "reset-both"] = "deny"
    """`deny` answers as the application's own default says, `drop` says nothing."""
    log_setting: Zone | None = None
    """A log forwarding profile. Sessions are logged at their end in any case."""
    max_addresses: PositiveInt | None = None
    """The most address objects this firewall is trusted with. Unset: its model's limit, less what others made."""
    lock_wait_seconds: Annotated[int, Field(ge=0, le=600)] = 60
    """How long to wait for a lock that somebody else holds."""
    commit_seconds: Annotated[int, Field(ge=10, le=3600)] = 1200
    """How long a validation or a commit may take; the session's own time budget may end it sooner."""
    log_minutes: Annotated[int, Field(ge=0, le=120)] = 10
    """How far back the traffic log is asked who was blocked. 0: not asked."""
    log_rows: Annotated[int, Field(ge=1, le=20_000)] = 5_000
    """At most so many rows of it are taken, the newest."""
    adopt: bool = False
    """Take over objects of our names that carry no mark or another controller's."""
