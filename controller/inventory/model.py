"""What should be enforced where, and how to get there: an inventory that has passed every check.

Frozen; built by ``file.load_inventory``, and by tests directly. Whoever asks these values re-checks nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SerializeAsAny, model_validator

from controller.errors import NotFound
from controller.inventory.access import Access
from controller.inventory.calendars import Calendar
from controller.inventory.changes import Changes
from controller.inventory.emergency_rules import EmergencyRules
from controller.inventory.evidence import EvidenceRules
from controller.inventory.exception_rules import ExceptionRules
from controller.inventory.exports import Export
from controller.inventory.fields import Host, HostKey, Login, Name, Net, Role, Zone, did_you_mean
from controller.inventory.parts import Part, WeeklyHours
from controller.inventory.privacy import Privacy, PrivacyHere, SitePrivacy, applied
from controller.inventory.proof_rules import ProofRules
from controller.inventory.reporting import Mail, ScheduledReport
from controller.inventory.slo_rules import Slo
from controller.model import Mode
from core.ids import DeviceName, SiteName
from core.net import Network, parse_network
from ipsets.catalogue import Catalogue, load_catalogue
from ipsets.guard import GuardLimits
from ipsets.services import OwnService, entries_of, with_own
from ipsets.sources import AnySource, CatalogueConfig, SourceConfig, check_names
from ipsets.sources.fields import ResolverAddress
from ipsets.spans import Span
from vendors.adapter import Endpoint
from vendors.reference import Reference

Port = Annotated[int, Field(ge=1, le=65535)]
ConnectSeconds = Annotated[float, Field(ge=1, le=120)]
BudgetSeconds = Annotated[float, Field(ge=5, le=3600)]
LegacyAlgorithm = Literal[
    "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc", "hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"
]
"""Weak, and off unless a device names it; a test keeps this in step with ``vendors.session.WEAK``."""
OverBudget = Literal["shorten", "refuse"]
Schedules = Literal["device", "controller"]
Title = Annotated[str, Field(max_length=200)]

SITES_OF_THE_PAST: Final = "sites of the past"
"""What those are called together that are in the inventory no more."""
DEFAULT_PORT: Final = 22
DEFAULT_LOGIN: Final = "tokgate"
DEFAULT_CONNECT_SECONDS: Final = 10.0
DEFAULT_BUDGET_SECONDS: Final = 120.0
DEFAULT_OVER_BUDGET: Final = "shorten"
DEFAULT_SCHEDULES: Final = "device"
DEFAULT_STALE_AFTER: Final = timedelta(hours=2)
"""Twice the longest interval that anybody would choose: an hour."""
WIDEST_WITHOUT_TOKEN: Final = {4: 24, 6: 56}


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[Name, ...], BeforeValidator(_names)]
Resolvers = Annotated[tuple[ResolverAddress, ...], Field(max_length=4)]


class Intelligence(Part):
    """Where the list comes from."""

    sources: Annotated[tuple[SourceConfig, ...], AfterValidator(check_names)]
    catalogue: Path | None = None
    """A file of services of one's own, beside the shipped ones."""
    guard: GuardLimits = Field(default_factory=GuardLimits)


class PolicyWindow(WeeklyHours):
    """Another mode from ``from`` to ``to`` on some days, by the wall clock of the site. ``to`` may be the next day.

    What is left out is every day, the whole day, and everything that the policy chooses.
    """

    mode: Mode
    services: Names = ()
    """Of those that the policy chooses. Of an inventory that was read: the other two as services too."""
    apps: Names = ()
    owners: Names = ()


class RolePolicy(Part):
    """What happens to one source role. The first window that is open now decides, else ``mode``."""

    mode: Mode
    windows: tuple[PolicyWindow, ...] = ()


class Policy(Part):
    """What is blocked or watched, for which source roles, and when."""

    services: Names = ()
    """Of the catalogue. Of an inventory that was read: all that is chosen, the other two as services too."""
    apps: Names = ()
    """Single apps, by name."""
    owners: Names = ()
    """Everything of these companies."""
    shared_addresses: Literal["block", "spare"] = "block"
    """Live DNS answers inside published CDN ranges: ``block`` them like all others, or ``spare`` them."""
    calendars: Names = ()
    """Which days are holidays, at sites that do not say so themselves."""
    changes: Changes | None = None
    """When devices may be changed."""
    roles: dict[Role, RolePolicy] = Field(min_length=1)

    @model_validator(mode="after")
    def _chooses_something(self) -> Self:
        if not (self.services or self.apps or self.owners):
            raise ValueError("name at least one of `services`, `apps` or `owners`")
        return self


def choosing(catalogue: Catalogue, policies: Iterable[Policy]) -> Catalogue:
    """The catalogue with a service for every app and owner that a policy chooses."""
    known = tuple(policies)
    return catalogue.choosing(
        apps=(app for policy in known for app in policy.apps),
        owners=(owner for policy in known for owner in policy.owners),
    )


class DeviceDefaults(Part):
    """What a device has when it does not say otherwise itself."""

    port: Port | None = None
    username: Login | None = None
    password: Reference | None = None
    key_file: Reference | None = None
    key_passphrase: Reference | None = None
    connect_timeout_seconds: ConnectSeconds | None = None
    budget_seconds: BudgetSeconds | None = None
    over_budget: OverBudget | None = None
    schedules: Schedules | None = None


class Defaults(Part):
    device: DeviceDefaults = Field(default_factory=DeviceDefaults)
    changes: Changes | None = None


class DeviceFeed(Part):
    """How a device pulls lists from us, if its vendor has it pull."""

    allow: tuple[Net, ...] = ()
    """Where its requests come from; the device's own addresses when nothing is said."""
    auth: Literal["token", "address"] = "token"
    """``address``: for a device that can send no password. Whoever has such an address reads the lists."""
    stale_after: Span = DEFAULT_STALE_AFTER
    """A device that has not pulled for so long is told of aloud."""
    group: Name | None = None
    """A name that it shares with others, so that all may be told one address: each is given its own lists there."""

    @model_validator(mode="after")
    def _is_narrow_without_a_token(self) -> Self:
        wide = [net for net in self.allow if net.prefixlen < WIDEST_WITHOUT_TOKEN[net.version]]
        if self.auth == "address" and wide:
            v4, v6 = WIDEST_WITHOUT_TOKEN.values()
            raise ValueError(f"{wide[0]} is too wide for `auth: address`; at most a /{v4} or /{v6}")
        return self


class Device(Part):
    """One firewall and how to log in to it. Secrets are references."""

    name: DeviceName
    site: SiteName
    vendor: str
    host: Host
    port: Port = DEFAULT_PORT
    username: Login = DEFAULT_LOGIN
    password: Reference | None = None
    key_file: Reference | None = None
    key_passphrase: Reference | None = None
    host_keys: tuple[HostKey, ...] = ()
    own_addresses: tuple[Net, ...] = ()
    options: SerializeAsAny[BaseModel] | None = None
    """The vendor's own options, as the model that its adapter names."""
    connect_timeout_seconds: ConnectSeconds = DEFAULT_CONNECT_SECONDS
    budget_seconds: BudgetSeconds = DEFAULT_BUDGET_SECONDS
    legacy_algorithms: tuple[LegacyAlgorithm, ...] = ()
    over_budget: OverBudget = DEFAULT_OVER_BUDGET
    """A list longer than the device takes: ``shorten`` it to its most valuable networks, or ``refuse`` the change."""

    schedules: Schedules = DEFAULT_SCHEDULES
    """Who keeps the windows of policies: the ``device``, where it can and its clock is right, or the ``controller``."""

    feed: DeviceFeed = Field(default_factory=DeviceFeed)

    @property
    def pulls_from(self) -> tuple[Network, ...]:
        """Where its requests for lists come from; nowhere when only a host name is known of it."""
        return self.feed.allow or (*self._host_address(), *self.own_addresses)

    def _host_address(self) -> tuple[Network, ...]:
        try:
            return (parse_network(str(ip_address(self.host))),)
        except ValueError:
            return ()

    def endpoint(self) -> Endpoint:
        """What a session needs."""
        return Endpoint(
            device=self.name,
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            key_file=self.key_file,
            key_passphrase=self.key_passphrase,
            host_keys=self.host_keys,
            connect_timeout=timedelta(seconds=self.connect_timeout_seconds),
            budget=timedelta(seconds=self.budget_seconds),
            legacy_algorithms=self.legacy_algorithms,
        )


class Site(Part):
    """A place with a time zone, source networks by role, and devices."""

    name: SiteName
    title: Title
    time_zone: Zone
    policy: Name
    networks: dict[Role, tuple[Net, ...]]
    calendars: Names = ()
    """Instead of those of its policy."""
    changes: Changes | None = None
    resolvers: Resolvers = ()
    """Who says what host names stand for there; those of this machine when empty."""
    evasion: bool = False
    """Whether it is told who turned to DoH, a VPN or a proxy right after being blocked."""
    privacy: PrivacyHere | None = None
    """None: as the inventory's ``privacy`` says."""
    devices: dict[DeviceName, Device] = Field(default_factory=dict)


class Inventory(Part):
    """Everything a person decided, checked as a whole."""

    version: Literal[1] = 1
    intelligence: Intelligence
    defaults: Defaults = Field(default_factory=Defaults)
    """Already merged into every device."""
    policies: dict[str, Policy]
    sites: dict[SiteName, Site]
    calendars: dict[str, Calendar] = Field(default_factory=dict)
    exceptions: ExceptionRules = Field(default_factory=ExceptionRules)
    emergencies: EmergencyRules = Field(default_factory=EmergencyRules)
    access: Access = Field(default_factory=Access)
    evidence: EvidenceRules = Field(default_factory=EvidenceRules)
    exports: dict[str, Export] = Field(default_factory=dict)
    privacy: Privacy = Field(default_factory=Privacy)
    reports: dict[str, ScheduledReport] = Field(default_factory=dict)
    mail: Mail | None = None
    """None: reports do not go by mail."""
    slo: Slo | None = None
    """None: the age of proofs is told, and nothing is promised of it."""
    proof: ProofRules = Field(default_factory=ProofRules)
    own_services: dict[str, OwnService] = Field(default_factory=dict)
    """What the file at ``intelligence.catalogue`` defines."""

    @cached_property
    def sources(self) -> tuple[AnySource, ...]:
        """Everything that is asked: the inventory's, each service's own, and what the services' file says outright."""
        of_services = (source for service in self.own_services.values() for source in service.sources)
        outright = entries_of(self.own_services)
        return (*self.intelligence.sources, *of_services, *((CatalogueConfig(entries=outright),) if outright else ()))

    def within(self, sites: Container[SiteName]) -> Inventory:
        """The same, as if it had no other sites than these."""
        found = {name: site for name, site in self.sites.items() if name in sites}
        all_else = {name: getattr(self, name) for name in Inventory.model_fields if name != "sites"}
        return Inventory.model_construct(**all_else, sites=found)

    def site(self, name: str) -> Site:
        """Raises ``NotFound``."""
        try:
            return self.sites[SiteName(name)]
        except KeyError:
            raise NotFound(f"no site {name!r} in the inventory{did_you_mean(name, self.sites)}") from None

    def privacy_at(self, site: str | None) -> SitePrivacy:
        """What may be said of people there; of no site, or of one that left the inventory, what is said of all."""
        return self._privacies.get(site or "") or self._privacies[""]

    @cached_property
    def _privacies(self) -> Mapping[str, SitePrivacy]:
        """By site; under no name what is said of all. Asked for each event that is told of."""
        own = {str(name): applied(self.privacy, site.privacy) for name, site in self.sites.items()}
        return {**own, "": applied(self.privacy, None)}

    def closed(self, site: str | None = None) -> tuple[str, ...]:
        """Where lists do not name everybody: of that site, or, when none is named, of all, with those that left the
        inventory among them. Empty: whoever may read there sees who clients are."""
        if site is not None:
            return () if self.privacy_at(site).is_open else (site,)
        return self._closed

    @cached_property
    def _closed(self) -> tuple[str, ...]:
        left = () if self.privacy_at(None).is_open else (SITES_OF_THE_PAST,)
        return (*(str(name) for name in self.sites if not self.privacy_at(name).is_open), *left)

    def calendars_of(self, site: Site) -> tuple[str, ...]:
        """The calendars whose holidays a site has."""
        return site.calendars or self.policies[site.policy].calendars

    def changes_of(self, site: Site) -> tuple[Changes, ...]:
        """What is said of changes at a site, the nearest first."""
        found = (site.changes, self.policies[site.policy].changes, self.defaults.changes)
        return tuple(changes for changes in found if changes is not None)

    def device(self, name: str) -> Device:
        """Raises ``NotFound``."""
        try:
            return self.by_name[DeviceName(name)]
        except KeyError:
            raise NotFound(f"no device {name!r} in the inventory{did_you_mean(name, self.by_name)}") from None

    @cached_property
    def by_name(self) -> Mapping[DeviceName, Device]:
        """Every device of every site."""
        return {device.name: device for site in self.sites.values() for device in site.devices.values()}

    @cached_property
    def feed_groups(self) -> Mapping[str, tuple[Device, ...]]:
        """The devices that share an address of lists, by the group's name, each in the order of their names."""
        groups: dict[str, tuple[Device, ...]] = {}
        for _, device in sorted(self.by_name.items()):
            if device.feed.group is not None:
                groups[device.feed.group] = (*groups.get(device.feed.group, ()), device)
        return dict(sorted(groups.items()))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Every service that the policies may mean."""
        return choosing(with_own(load_catalogue(), self.own_services), self.policies.values())

    @cached_property
    def surfaces(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Of each service, the names of its parts that an exception may be for."""
        return {name: service.surfaces for name, service in self.catalogue.services.items()}

    @cached_property
    def digest(self) -> str:
        """sha256 over what it says; layout, comments and the order of keys do not matter."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()
