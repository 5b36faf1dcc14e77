"""What an inventory may say about one SRX. Values reach a command line, so their alphabet is an allow-list."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from vendors.oracle import Way, one_way
from vendors.placing import Placement

Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
SystemName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]

MOST_PULLED: Final = 100_000
"""Entries of all lists that are pulled, unless the inventory says otherwise: no limit of a platform is on record."""


class PlaceOptions(BaseModel):
    """One list of policies that gets our denies: of a pair of zones, or the global one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_zone: Zone | None = None
    to_zone: Zone | None = None
    """Both, or neither for the global policies."""
    placement: Placement = "top"
    """Where our policies stand among the owner's: `top`, or before or after one of them."""

    @model_validator(mode="after")
    def _a_pair_or_none(self) -> PlaceOptions:
        if (self.from_zone is None) != (self.to_zone is None):
            raise ValueError("give `from_zone` and `to_zone` together, or neither for the global policies")
        return self


Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,230}(/[A-Za-z0-9._~/-]{0,500})?$")]
MOST_SECONDS: Final = 4_294_967_295
"""Of the intervals of a feed (Junos configuration model)."""


class FeedOptions(BaseModel):
    """Where the firewall pulls its lists from. It sends no password: the controller tells it by its address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    """The address of this device's lists at the controller, as the firewall reaches it; `/NAME.txt` is put behind."""
    tls_profile: SystemName | None = None
    """An SSL initiation profile of the firewall that knows the authority of the controller's certificate."""
    update_seconds: int = Field(default=60, ge=30, le=3_600)
    """How often the firewall asks for another list."""
    hold_seconds: int = Field(default=31_536_000, ge=86_400, le=MOST_SECONDS)
    """How long it keeps a list that it cannot ask for any more; then it drops it, and denies nothing of it."""
    load_seconds: int = Field(default=75, ge=0, le=600)
    """How long to wait, after a change, until the firewall has loaded a list."""
    max_entries: PositiveInt = MOST_PULLED
    """The most entries of pulled lists this device is trusted with. More is never served: `over_budget` decides."""


class JuniperSrxOptions(BaseModel):
    """Options of `vendor: juniper_srx`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    logical_system: SystemName | None = None
    """The logical system that holds our objects and policies. It must be there: it is never made. The login is one of
    the primary administrator's, who sees the whole configuration."""
    tenant: SystemName | None = None
    """Likewise for a tenant system (18.3 and later)."""
    places: Literal["all"] | tuple[PlaceOptions, ...] = "all"
    """Where our denies stand. `all`: on top of every pair of zones that has policies, and of the global ones. Zone
    policies are asked before global ones, so a global deny alone is never reached by what a zone policy permits."""
    names: bool = True
    """Enforce names, by address objects that the device resolves itself. It knows no wildcards."""
    set_members: int = Field(default=4_000, ge=100, le=16_000)
    """The most members of one address set; longer lists are nested. Releases up to 20.4 take 4,096, later 16,384."""
    max_entries: PositiveInt = 20_000
    """The most list entries this device is trusted with. More is never sent: `over_budget` decides."""
    delivery: Literal["push", "feed", "auto"] = "auto"
    """`push`: address sets by SSH. `feed`: the firewall pulls the denied networks. `auto`: it pulls them only when all
    lists together hold more than `max_entries`; without `feed` they are pushed."""
    feed: FeedOptions | None = None
    """Where lists are pulled from. Needed for `delivery: feed`."""
    confirm_minutes: int = Field(default=5, ge=1, le=60)
    """The device takes a change back by itself after so long, unless it was seen to work from a second login."""
    commit_seconds: int = Field(default=300, ge=30, le=3_600)
    """How long a check or a commit may take; the session's own time budget may end it sooner."""
    lock_wait_seconds: int = Field(default=60, ge=0, le=600)
    """How long to wait for somebody who has the configuration locked."""
    log_file: FileName | None = None
    """A file of the device's own syslog that carries RT_FLOW messages. Unset: who was denied is not asked."""
    log_rows: int = Field(default=1_000, ge=1, le=10_000)
    """At most so many of its denials are taken, the newest."""
    cut_sessions: int = Field(default=200, ge=0, le=5_000)
    """At most so many open sessions to newly denied networks are ended after a change. 0: none."""
    oracle: tuple[Way, ...] = ()
    """Zones that `show security match-policies` is asked about. Unset: those of `places`, where it names exactly one
    pair; else it is not asked."""
    adopt: bool = False
    """Take over objects of our name that carry no mark or another controller's."""

    @property
    def space(self) -> tuple[str, ...]:
        """The words in front of `security` in each statement of ours."""
        if self.logical_system is not None:
            return ("logical-systems", self.logical_system)
        return () if self.tenant is None else ("tenants", self.tenant)

    @property
    def system(self) -> str:
        """The same as an option of operational commands; empty: the root system, which they mean by themselves."""
        if self.logical_system is not None:
            return f" logical-system {self.logical_system}"
        return "" if self.tenant is None else f" tenant {self.tenant}"

    @property
    def ways(self) -> tuple[Way, ...]:
        """What the firewall's oracle may be asked about."""
        pairs = () if self.places == "all" else self.places
        zones = ([zone for place in pairs if (zone := place.from_zone)], [z for place in pairs if (z := place.to_zone)])
        return self.oracle or one_way(*zones)

    @model_validator(mode="after")
    def _asks_about_pairs(self) -> JuniperSrxOptions:
        if any(way.outside is None for way in self.oracle):
            raise ValueError("`oracle`: an SRX is asked about a pair of zones: give `outside` too")
        return self

    @property
    def pulls(self) -> FeedOptions | None:
        """Where the firewall pulls its lists from, if it may have to."""
        return None if self.delivery == "push" else self.feed

    @model_validator(mode="after")
    def _can_pull(self) -> JuniperSrxOptions:
        if "delivery" in self.model_fields_set and self.delivery != "push" and self.feed is None:
            raise ValueError(f"`delivery: {self.delivery}` needs `feed`, the place that the firewall pulls from")
        return self

    @model_validator(mode="after")
    def _one_system(self) -> JuniperSrxOptions:
        if self.logical_system is not None and self.tenant is not None:
            raise ValueError("give `logical_system` or `tenant`, not both")
        return self

    @model_validator(mode="after")
    def _names_each_place_once(self) -> JuniperSrxOptions:
        if self.places == "all":
            return self
        pairs = [(place.from_zone, place.to_zone) for place in self.places]
        if not pairs or len(set(pairs)) < len(pairs):
            raise ValueError("`places` names no place, or one of them twice")
        return self
