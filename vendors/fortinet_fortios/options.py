"""What an inventory may say about one FortiGate. Values reach a command line, so their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from vendors.oracle import Way, one_way
from vendors.placing import Placement
from vendors.reference import Reference

Vdom = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,31}$")]
Interface = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./ -]{0,34}$")]
LogDevice = Literal["memory", "disk", "fortianalyzer", "forticloud"]

MOST_POLICY_ID: Final = 4_294_967_294


class FeedOptions(BaseModel):
    """Where the firewall pulls its lists from. The external resources are made by hand, once, with the password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._~:/-]{1,230}$")]
    """The address of this device's lists at the controller, as the firewall reaches it; `/NAME.txt` is put behind."""
    load_seconds: int = Field(default=60, ge=0, le=600)
    """How long to wait until the firewall has loaded a list."""


class ClusterOptions(BaseModel):
    """The login on the other units of a cluster, through the one that answers (`execute ha manage`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    password: Reference


class FortinetFortiosOptions(BaseModel):
    """Options of `vendor: fortinet_fortios`; the defaults fit a FortiGate without VDOMs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vdom: Vdom | None = None
    """The VDOM whose traffic is judged. Needed on a device that has them, an error on one that has not."""
    srcintf: tuple[Interface, ...] = ("any",)
    """Interfaces or zones that the judged traffic comes from."""
    dstintf: tuple[Interface, ...] = ("any",)
    """Interfaces or zones that it goes to."""
    placement: Placement = "top"
    """Where our policies stand among the owner's: `top`, or before or after a policy, by its name or id."""
    first_policy_id: int = Field(default=900_001, ge=1, le=MOST_POLICY_ID - 100_000)
    """New policies take the first free ids from here on."""
    group_members: int = Field(default=300, ge=10, le=10_000)
    """The most members of one address group; longer lists are nested. A smaller limit that the device tells wins."""
    max_addresses: PositiveInt = 5_000
    """The most address objects of ours this device is trusted with; a smaller room that the device tells wins. More is
    never pushed: `over_budget` decides."""
    delivery: Literal["push", "feed", "auto"] = "auto"
    """`push`: address objects by SSH. `feed`: the firewall pulls the denied networks (6.2 and later). `auto`: it pulls
    them only when its lists do not fit as objects; without `feed` they are pushed."""
    feed: FeedOptions | None = None
    """Where lists are pulled from. Needed for `delivery: feed`."""
    managed: Literal["fortimanager"] | None = None
    """The device is under a FortiManager: nothing is written. It pulls the lists, and the site's own policies in front
    of which nothing lets pass must deny by them (`delivery: feed`; FortiOS 6.4 and later)."""
    names: bool = True
    """Enforce names, by FQDN objects that the device resolves or learns from DNS answers that pass through it."""
    schedules: bool = True
    """Let the device keep the hours of a policy itself, by schedules of ours."""
    send_deny_packet: bool = False
    """Answer what is denied with a reset or an ICMP error, so that clients give up at once."""
    workspace: bool = True
    """Change in one transaction where the release has workspace mode; off: line by line, with an undo."""
    lock_seconds: int = Field(default=70, ge=0, le=600)
    """How long to wait for another transaction that holds what must change; one of ours that broke ends in a minute."""
    save: bool = True
    """Where `cfg-save` is `manual` or `revert`: save the configuration after a verified change. It saves all of it."""
    log_device: LogDevice | None = "memory"
    """Where the device's traffic log is asked who was denied. `null`: not asked."""
    log_rows: int = Field(default=1_000, ge=5, le=10_000)
    """The most log lines that one reading asks for."""
    cluster: ClusterOptions | None = None
    """How the counters of a cluster's other units are asked for (6.2 and later). Unset: only the unit that answers
    counts."""
    cut_sessions: int = Field(default=0, ge=0, le=5_000)
    """At most so many open sessions to newly denied networks are ended after a change. 0: none, and none is asked
    for."""
    oracle: tuple[Way, ...] = ()
    """Interfaces (`inside`; no zones) that `diagnose firewall iprope lookup` is asked about. Unset: that of `srcintf`,
    where it names exactly one; else it is not asked."""
    adopt: bool = False
    """Take over objects of our name that carry no mark or another controller's."""

    @model_validator(mode="after")
    def _names_interfaces(self) -> FortinetFortiosOptions:
        for name in ("srcintf", "dstintf"):
            given = getattr(self, name)
            if not given:
                raise ValueError(f"`{name}` names no interface: the policies would judge nothing")
            if "any" in given and len(given) > 1:
                raise ValueError(f"`{name}`: `any` stands alone")
        if "delivery" in self.model_fields_set and self.delivery != "push" and self.feed is None:
            raise ValueError(f"`delivery: {self.delivery}` needs `feed`, the place that the firewall pulls from")
        if self.managed is not None and self.delivery != "feed":
            raise ValueError(f"`managed: {self.managed}` needs `delivery: feed`: nothing else works without writing")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        """What the firewall's oracle may be asked about."""
        return self.oracle or one_way(self.srcintf)

    @property
    def pulls(self) -> FeedOptions | None:
        """Where the firewall pulls its lists from, if it may have to."""
        return None if self.delivery == "push" else self.feed
