"""From ``inventory.yaml`` to an ``Inventory``, or every problem of the file at once, each with its line and key.

The shape is pydantic's to check; what spans several keys is checked here, on the plain data, so that one typo does not
hide the next problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from controller.errors import InventoryError
from controller.inventory import checks, policy_checks
from controller.inventory.access import Access
from controller.inventory.calendars import Calendar
from controller.inventory.changes import Changes
from controller.inventory.document import Document, Problem, read_document
from controller.inventory.emergency_rules import EmergencyRules
from controller.inventory.evidence import EvidenceRules
from controller.inventory.exception_rules import ExceptionRules
from controller.inventory.exports import Export, beside
from controller.inventory.fields import Host, HostKey, Name, Net, Role, Zone
from controller.inventory.model import (
    Defaults,
    Device,
    DeviceDefaults,
    DeviceFeed,
    Intelligence,
    Inventory,
    LegacyAlgorithm,
    Names,
    Policy,
    Resolvers,
    RolePolicy,
    Site,
    Title,
)
from controller.inventory.parts import Part
from controller.inventory.privacy import Privacy, PrivacyHere
from controller.inventory.proof_rules import ProofRules
from controller.inventory.reporting import Mail, ScheduledReport
from controller.inventory.services import Further, named_in, parse_services
from controller.inventory.slo_rules import Slo
from controller.inventory.wording import problems_of
from core.ids import DeviceName, SiteName
from ipsets.catalogue import Catalogue, load_catalogue
from ipsets.services import OwnService, with_own
from ipsets.sources import AsndbConfig, ListConfig, MrtConfig, RangesConfig, RpkiConfig, SourceConfig
from vendors.registry import known_vendors, options_model

MAX_BYTES: Final = 16 * 1024 * 1024
HINT: Final = "inventory.example.yaml shows every key; `tokgate config schema` prints the schema"
CREDENTIALS: Final = ("password", "key_file", "key_passphrase")


class DeviceEntry(DeviceDefaults):
    """A device as the file says it; what it leaves out comes from ``defaults.device``."""

    vendor: str
    host: Host
    host_keys: tuple[HostKey, ...] = ()
    own_addresses: tuple[Net, ...] = ()
    options: dict[str, Any] | None = None
    legacy_algorithms: tuple[LegacyAlgorithm, ...] = ()
    feed: DeviceFeed | None = None


class SiteEntry(Part):
    """A site as the file says it."""

    title: Title | None = None
    time_zone: Zone
    policy: Name
    networks: dict[Role, tuple[Net, ...]]
    calendars: Names = ()
    changes: Changes | None = None
    resolvers: Resolvers = ()
    evasion: bool = False
    privacy: PrivacyHere | None = None
    devices: dict[Name, DeviceEntry] = Field(default_factory=dict)


class InventoryFile(Part):
    """The whole file."""

    version: Literal[1]
    intelligence: Intelligence
    defaults: Defaults = Field(default_factory=Defaults)
    policies: dict[Name, Policy]
    sites: dict[Name, SiteEntry]
    calendars: dict[Name, Calendar] = Field(default_factory=dict)
    exceptions: ExceptionRules = Field(default_factory=ExceptionRules)
    emergencies: EmergencyRules = Field(default_factory=EmergencyRules)
    access: Access = Field(default_factory=Access)
    evidence: EvidenceRules = Field(default_factory=EvidenceRules)
    exports: dict[Name, Export] = Field(default_factory=dict, max_length=16)
    slo: Slo | None = None
    privacy: Privacy = Field(default_factory=Privacy)
    reports: dict[Name, ScheduledReport] = Field(default_factory=dict, max_length=100)
    mail: Mail | None = None
    proof: ProofRules = Field(default_factory=ProofRules)


def load_inventory(path: Path) -> Inventory:
    """Read and check the file. Raises ``InventoryError`` with every problem, one for each line."""
    hint = "set TOKGATE_INVENTORY, or run `tokgate init` to write one"
    return parse_inventory(read_text(path, hint=hint), name=str(path), folder=path.absolute().parent)


def read_text(path: Path, *, hint: str) -> str:
    """A file of YAML as text. Raises ``InventoryError``; ``hint`` is for one that cannot be read."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise InventoryError(f"cannot be read: {exc.strerror}", hint=hint, place=str(path)) from exc
    if len(raw) > MAX_BYTES:
        raise InventoryError(
            f"larger than {MAX_BYTES // 1024 // 1024} MiB", hint="is it the right file?", place=str(path)
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise InventoryError("not UTF-8 text", hint="save it as UTF-8", place=f"{path}:{line}") from exc


def parse_inventory(text: str, *, name: str = "inventory.yaml", folder: Path | None = None) -> Inventory:
    """The inventory that ``text`` is. ``folder`` is where its relative paths start. Raises ``InventoryError``."""
    document = read_document(text)
    refuse({name: document.problems if not document.is_whole else ()})
    if document.data is None:
        refuse({name: [*document.problems, Problem(1, "", "the file is empty")]})
    place = named_in(document, folder or Path.cwd())
    hint = "correct `intelligence.catalogue`, or leave it out"
    further = parse_services(read_text(place, hint=hint), document) if place is not None else Further()
    catalogue = with_own(load_catalogue(), further.services)
    try:
        file = InventoryFile.model_validate(document.data, by_name=False, by_alias=True)
        shape: list[Problem] = []
    except ValidationError as exc:
        shape = problems_of(exc, document, (), inventory_schema())
    chosen = () if further.problems else checks.chosen(document, catalogue)  # of a broken file nothing is known
    crossed = (*checks.cross_problems(document), *policy_checks.problems(document))
    problems = [*document.problems, *shape, *crossed, *chosen, *_options_problems(document)]
    refuse({name: problems, str(place): further.problems})
    return _inventory(file, folder or Path.cwd(), further, catalogue)


def refuse(problems: Mapping[str, Iterable[Problem]], *, hint: str = HINT) -> None:
    """Raises ``InventoryError`` when there is any problem in one of these files."""
    found = [(name, problem) for name, those in problems.items() for problem in sorted(set(those))]
    if not found:
        return
    if len(found) == 1:
        [(name, only)] = found
        place = f"{name}:{only.line}" + (f": {only.spot}" if only.spot else "")
        raise InventoryError(only.message, hint=hint, place=place)
    lines = [f"{name}:{p.line}: " + (f"{p.spot}: " if p.spot else "") + p.message for name, p in found]
    raise InventoryError("\n".join((f"{len(found)} problems", *lines, "")), hint=hint)


# --- the vendor's own options -----------------------------------------------------------------------------------------


def _options_problems(document: Document) -> Iterator[Problem]:
    for spot, device in checks.devices(document.data):
        vendor, options = device.get("vendor"), device.get("options")
        if options is None:
            options = {}  # a vendor may have some that nobody can leave out
        if vendor not in known_vendors() or not isinstance(options, dict):
            continue  # said elsewhere
        try:
            _options(str(vendor), options)
        except ValidationError as exc:
            schema = options_model(str(vendor)).model_json_schema()
            yield from problems_of(exc, document, (*spot, "options"), schema)


def _options(vendor: str, options: Mapping[str, Any] | None) -> BaseModel:
    return options_model(vendor).model_validate(dict(options or {}))


# --- from the file to the inventory -----------------------------------------------------------------------------------


def _inventory(file: InventoryFile, folder: Path, further: Further, catalogue: Catalogue) -> Inventory:
    sites = {SiteName(name): _site(SiteName(name), entry, file.defaults.device) for name, entry in file.sites.items()}
    return Inventory(
        version=file.version,
        intelligence=_placed(file.intelligence, folder),
        own_services=_services(file.intelligence, further, folder),
        defaults=file.defaults,
        exceptions=_declared_beside(folder, file.exceptions),
        emergencies=file.emergencies,
        proof=file.proof,
        access=_authority_beside(folder, file.access),
        evidence=file.evidence.beside(folder),
        privacy=file.privacy,
        reports=file.reports,
        mail=file.mail,
        exports={name: beside(folder, export) for name, export in file.exports.items()},
        slo=file.slo,
        policies={name: joined(policy, catalogue) for name, policy in file.policies.items()},
        sites=sites,
        calendars={name: _beside(folder, calendar) for name, calendar in file.calendars.items()},
    )


def _beside(folder: Path, calendar: Calendar) -> Calendar:
    return calendar if calendar.file is None else calendar.model_copy(update={"file": folder / calendar.file})


def _declared_beside(folder: Path, rules: ExceptionRules) -> ExceptionRules:
    return rules if rules.file is None else rules.model_copy(update={"file": folder / rules.file})


def _authority_beside(folder: Path, access: Access) -> Access:
    if access.provider is None or access.provider.ca_file is None:
        return access
    provider = access.provider.model_copy(update={"ca_file": folder / access.provider.ca_file})
    return access.model_copy(update={"provider": provider})


def joined(policy: Policy, catalogue: Catalogue) -> Policy:
    """Whatever a policy chooses by, devices, exceptions and reports meet services."""
    apps = (catalogue.service_of_app(app) for app in policy.apps)
    owners = (catalogue.service_of_owner(owner) for owner in policy.owners)
    roles = {name: _joined_windows(role, catalogue) for name, role in policy.roles.items()}
    services = tuple(dict.fromkeys((*policy.services, *apps, *owners)))
    return policy.model_copy(update={"services": services, "roles": roles})


def _joined_windows(role: RolePolicy, catalogue: Catalogue) -> RolePolicy:
    windows = tuple(
        window.model_copy(
            update={
                "services": (
                    *window.services,
                    *(catalogue.service_of_app(app) for app in window.apps),
                    *(catalogue.service_of_owner(owner) for owner in window.owners),
                )
            }
        )
        for window in role.windows
    )
    return role.model_copy(update={"windows": windows})


def _placed(intelligence: Intelligence, folder: Path) -> Intelligence:
    """Relative files of sources start at the inventory's own folder, wherever tokgate was started."""
    return intelligence.model_copy(update={"sources": _in_folder(intelligence.sources, folder)})


def _services(intelligence: Intelligence, further: Further, folder: Path) -> dict[str, OwnService]:
    """With the files of their sources, which start at the folder of the file that defines them."""
    beside = (folder / intelligence.catalogue).parent if intelligence.catalogue is not None else folder
    return {
        name: service.model_copy(update={"sources": _in_folder(service.sources, beside)})
        for name, service in further.services.items()
    }


def _in_folder(sources: tuple[SourceConfig, ...], folder: Path) -> tuple[SourceConfig, ...]:
    return tuple(_in(folder, config) for config in sources)


def _in(folder: Path, config: SourceConfig) -> SourceConfig:
    if not isinstance(config, AsndbConfig | ListConfig | MrtConfig | RangesConfig | RpkiConfig) or config.file is None:
        return config
    return config.model_copy(update={"file": folder / config.file})


def _site(name: SiteName, entry: SiteEntry, defaults: DeviceDefaults) -> Site:
    return Site(
        name=name,
        title=entry.title or name,
        time_zone=entry.time_zone,
        policy=entry.policy,
        networks=dict(entry.networks),
        calendars=entry.calendars,
        changes=entry.changes,
        resolvers=entry.resolvers,
        evasion=entry.evasion,
        privacy=entry.privacy,
        devices={DeviceName(d): _device(DeviceName(d), name, e, defaults) for d, e in entry.devices.items()},
    )


def _device(name: DeviceName, site: SiteName, entry: DeviceEntry, defaults: DeviceDefaults) -> Device:
    own = _given(entry, set(DeviceEntry.model_fields) - {"options"})
    inherited = _given(
        defaults, set(DeviceDefaults.model_fields) - set(CREDENTIALS if own.keys() & CREDENTIALS else ())
    )
    return Device(**{**inherited, **own}, name=name, site=site, options=_options(entry.vendor, entry.options))


def _given(part: Part, names: set[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(part, name)) is not None}


# --- for editors ------------------------------------------------------------------------------------------------------


def inventory_schema() -> dict[str, Any]:
    """The JSON schema of the file, with each vendor's options under its vendor."""
    schema = InventoryFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tokgate inventory"
    definitions: dict[str, Any] = schema["$defs"]
    choices = []
    for vendor in sorted(known_vendors()):
        options = options_model(vendor).model_json_schema()
        definitions.update(options.pop("$defs", {}))
        definitions[f"options_{vendor}"] = options
        when = {"properties": {"vendor": {"const": vendor}}}
        choices.append({"if": when, "then": {"properties": {"options": {"$ref": f"#/$defs/options_{vendor}"}}}})
    definitions["DeviceEntry"]["properties"]["vendor"] = {"enum": sorted(known_vendors())}
    definitions["DeviceEntry"]["allOf"] = choices
    return schema
