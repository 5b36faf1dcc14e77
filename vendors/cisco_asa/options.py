"""What an inventory may say about one ASA. Values reach a command line, so their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from vendors.oracle import Way
from vendors.placing import Placement
from vendors.reference import Reference

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,240}$")]


class ListOptions(BaseModel):
    """One access list of the site's own that gets our entries. It is never made, bound or emptied by us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acl: Word
    """Its name. It must be an extended list that is bound by `access-group` and serves nothing else."""
    interface: Word | None = None
    """The `nameif` that it must be bound to. Unset: bound anywhere is enough."""
    direction: Literal["in", "out", "global"] | None = None
    """How it must be bound. Unset: in any way."""
    placement: Placement = "top"
    """Where our entries stand: `top`, or `{before: TEXT}` or `{after: TEXT}` of the remark with this very text."""

    @model_validator(mode="after")
    def _makes_sense(self) -> ListOptions:
        if self.direction == "global" and self.interface is not None:
            raise ValueError("a global access list has no `interface`")
        return self


class CiscoAsaOptions(BaseModel):
    """Options of `vendor: cisco_asa`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lists: tuple[ListOptions, ...] = Field(min_length=1)
    """The access lists that get our entries, each of them all: one for every interface that users are behind."""
    context: Word | None = None
    """The security context. Unset: the one that the login lands in."""
    enable: Reference | None = None
    """The enable secret. Unset: the login must land in privileged mode by itself."""
    names: bool = True
    """Enforce names by FQDN objects, where the device has a resolver."""
    save: bool = True
    """`write memory` after a verified change, unless that would save somebody else's unsaved lines too."""
    standby_counts: bool = True
    """Add the counts of the mate in a failover pair. Off: for a pair that copies them to its mate."""
    max_entries: PositiveInt = 25_000
    """The most members of all groups this device is trusted with. More is never sent: `over_budget` decides."""
    cut_sessions: int = Field(default=0, ge=0, le=5_000)
    """At most so many open connections to newly denied networks are ended after a change. 0: none, and none is asked
    for."""
    lock_wait_seconds: int = Field(default=60, ge=0, le=600)
    """How long to wait for another session that holds the configuration."""
    oracle: tuple[Way, ...] = ()
    """Interfaces (`inside`, a `nameif`) that `packet-tracer` may be asked about after each sync. Each question counts
    as a hit of the entry that it meets. Unset: it is not asked."""
    adopt: bool = False
    """Take over objects of our names that carry no mark or another controller's."""

    @model_validator(mode="after")
    def _names_each_list_once(self) -> CiscoAsaOptions:
        names = [each.acl for each in self.lists]
        if len(set(names)) < len(names):
            raise ValueError("an access list is named twice")
        return self
