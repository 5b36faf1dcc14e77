"""What an inventory may say about one PAN-OS firewall. Values reach a command line: their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from vendors.oracle import Way, one_way
from vendors.placing import Placement

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._~:/-]{1,230}/?$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,30}$")]


class FeedOptions(BaseModel):
    """Where the firewall pulls its lists from. The login that it pulls with is set on the firewall, once, and stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    """The address of this device's lists at the controller, as the firewall reaches it; `/NAME.txt` is put behind."""
    certificate_profile: Word | None = None
    """A profile on the firewall that knows the authority of the controller's certificate. Unset: it is not checked."""
    recurring: Literal["five-minute", "hourly"] = "five-minute"
    load_seconds: Annotated[int, Field(ge=1, le=600)] = 60
    """How long to wait, after a change, until the firewall has loaded a list."""
    names: Literal["url", "objects"] = "url"
    """With `delivery: feed`. `url`: beside the objects of names, which deny what these resolve to, the firewall pulls
    each list of names as an external list of type url, and a rule denies the web traffic that asks for one of them or
    for anything below. `objects`: address objects alone."""
    domains: bool = False
    """Also serve each list of names as `NAME-dns.txt`, for a list of type domain that a person makes and gives to an
    Anti-Spyware profile of theirs. Nothing on the firewall is made or looked at for it."""


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
    delivery: Literal["push", "feed", "auto"] = "auto"
    """`push`: address objects by SSH. `feed`: the firewall pulls the denied networks. `auto`: it pulls them when all
    lists together hold more than `max_addresses`, or than its model takes; without `feed` they are pushed."""
    feed: FeedOptions | None = None
    """Where lists are pulled from. Needed for `feed`."""
    managed: Literal["panorama"] | None = None
    """The firewall is under a Panorama: nothing is written. It pulls the lists, and the rules that Panorama pushed must
    deny by them (`delivery: feed`, one virtual system)."""
    lock_wait_seconds: Annotated[int, Field(ge=0, le=600)] = 60
    """How long to wait for a lock that somebody else holds."""
    commit_seconds: Annotated[int, Field(ge=10, le=3600)] = 1200
    """How long a validation or a commit may take; the session's own time budget may end it sooner."""
    log_minutes: Annotated[int, Field(ge=0, le=120)] = 10
    """How far back the traffic log is asked who was blocked. 0: not asked."""
    log_rows: Annotated[int, Field(ge=1, le=20_000)] = 5_000
    """At most so many rows of it are taken, the newest."""
    cut_sessions: Annotated[int, Field(ge=0, le=5_000)] = 0
    """At most so many open sessions to newly denied networks are ended after a change. 0: none, and none is asked
    for."""
    oracle: tuple[Way, ...] = ()
    """Zones that `test security-policy-match` is asked about. Unset: those of `from_zones` and `to_zones`, where each
    names exactly one; else it is not asked."""
    adopt: bool = False
    """Take over objects of our names that carry no mark or another controller's."""

    @model_validator(mode="after")
    def _can_deliver(self) -> PaloAltoPanosOptions:
        if "delivery" in self.model_fields_set and self.delivery != "push" and self.feed is None:
            raise ValueError(f"`delivery: {self.delivery}` needs `feed`, the place that the firewall pulls from")
        if any(way.outside is None for way in self.oracle):
            raise ValueError("`oracle`: the firewall is asked about a pair of zones: give `outside` too")
        if self.managed is not None and self.delivery != "feed":
            raise ValueError(f"`managed: {self.managed}` needs `delivery: feed`: nothing else works without writing")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        """What the firewall's oracle may be asked about."""
        return self.oracle or one_way(self.from_zones, self.to_zones)

    @property
    def pulls_names(self) -> bool:
        """Whether lists of names are pulled as well. Not where lists are only pulled for want of room: names stay."""
        pulled = self.delivery == "feed" and self.managed is None
        return pulled and self.feed is not None and self.feed.names == "url"

    @property
    def pulls(self) -> FeedOptions | None:
        """Where the firewall pulls its lists from, if it may have to."""
        return None if self.delivery == "push" else self.feed
