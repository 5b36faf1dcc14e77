"""Services of the user's own: what their file may say, what it must not claim, and the catalogue that it makes.

Pure. The file is read by the controller (``intelligence.catalogue`` of the inventory). Such a service is judged by the
rules of the shipped one: addresses that its own networks originate or that somebody decided, and its names. It never
takes what somebody else is known to have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from core.net import DomainName, Network, parse_network
from ipsets import dataset
from ipsets.catalogue import APP, OWNER, Catalogue, Service, Whose, shared_cdn_ranges
from ipsets.guard import GuardLimits, NameGuard, NetworkGuard, NeverBlock, default_never_block, parents
from ipsets.model import Dedication
from ipsets.offlimits import APP as OFF_LIMITS
from ipsets.owners import Owner, Owners
from ipsets.sources import SourceConfig
from ipsets.sources.catalogued import Catalogued
from ipsets.sources.fields import Asn, Closed, HostName, SourceName, Words
from ipsets.sources.plain import parse_line

LONGEST: Final = 24
"""Of the name of a service, an app or an owner: it is a part of names on devices, which have 40 characters."""
SHARED: Final = "-shared"
"""Behind the name of a service: the app of what it shares with others."""
RESERVED: Final = frozenset({OFF_LIMITS, "unknown", dataset.ABANDONED_APP})
PER_APP: Final = ("list", "manual")
PER_NETWORK: Final = ("ripestat", "irr", "rpki", "asndb", "mrt")
"""Kinds of sources that a service may have of its own: others are about the shipped service, or about nobody."""
Spot: TypeAlias = tuple[str | int, ...]


def _short(given: str) -> str:
    if len(given) > LONGEST:
        raise ValueError(f"at most {LONGEST} characters: it is a part of names on devices")
    return given


def _entry(given: Any) -> str:
    """``example.com`` with all below it, or ``full:www.example.com``."""
    if not isinstance(given, str):
        raise ValueError("expected a name such as example.com, or full:www.example.com for exactly one")  # noqa: TRY004
    parse_entry(given)
    return given


def parse_entry(text: str) -> DomainName:
    """One name of the file. Raises ``ValueError``."""
    entries = list(parse_line(text))
    if len(entries) != 1 or not isinstance(entries[0], DomainName):
        raise ValueError(f"{text[:60]!r} is not one name; networks stand in `networks`")
    return entries[0]


def _network(given: Any) -> str:
    try:
        return str(parse_network(given))
    except (TypeError, ValueError, AttributeError) as exc:
        raise ValueError(f"{str(given)[:60]!r} is no network such as 198.51.100.0/24") from exc


ShortName: TypeAlias = Annotated[SourceName, AfterValidator(_short)]
NameEntry: TypeAlias = Annotated[str, BeforeValidator(_entry), WithJsonSchema({"type": "string"})]
NetworkEntry: TypeAlias = Annotated[str, BeforeValidator(_network), WithJsonSchema({"type": "string"})]


class OwnService(Closed):
    """One service, as the file says it."""

    title: Words
    owner: ShortName | None = None
    """Who makes it: a company of yours to name, or one that the shipped data knows. Else the service's own name."""
    apps: tuple[ShortName, ...] = ()
    """By which sources name it. Else the service's own name."""
    asns: tuple[Asn, ...] = ()
    """Networks that carry it and nothing else: what they originate is enforced as addresses."""
    shared_asns: tuple[Asn, ...] = ()
    """Networks that carry other services too: known, shown, never enforced as addresses."""
    names: Mapping[SourceName, tuple[NameEntry, ...]] = Field(default_factory=dict)
    """By category."""
    networks: tuple[NetworkEntry, ...] = ()
    """On your own word."""
    shared: tuple[SourceName, ...] = ()
    """Categories whose names others use too: known, and not enforced."""
    include_shared: bool = False
    surfaces: Mapping[SourceName, tuple[HostName, ...]] = Field(default_factory=dict)
    sources: tuple[SourceConfig, ...] = ()

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not (self.names or self.networks or self.asns or self.sources):
            raise ValueError("names nothing: give `names`, `networks`, `asns` or `sources`")
        return self


class OwnServices(Closed):
    """The whole file."""

    version: Literal[1] = 1
    services: Mapping[ShortName, OwnService] = Field(default_factory=dict, min_length=1)


def with_defaults(data: Any) -> Any:
    """The file's plain data with what its sources need not say: their name, and whose they are."""
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        return data
    return {**data, "services": {name: _filled(str(name), service) for name, service in services.items()}}


def _filled(name: str, service: Any) -> Any:
    sources = service.get("sources") if isinstance(service, dict) else None
    if not isinstance(sources, list):
        return service
    apps = service.get("apps")
    asns = [asn for key in ("asns", "shared_asns") if isinstance(service.get(key), list) for asn in service[key]]
    app = apps[0] if isinstance(apps, list) and apps else name
    return {
        **service,
        "sources": [_of_service(s, name, app=app, asns=asns) if isinstance(s, dict) else s for s in sources],
    }


def _of_service(source: dict[str, Any], name: str, *, app: Any, asns: list[Any]) -> dict[str, Any]:
    kind = source.get("kind")
    known: dict[str, Any] = {"name": f"{name}-{kind}"} if isinstance(kind, str) else {}
    if kind == "list":
        known["app"] = app
    if kind in PER_NETWORK and asns:
        known["asns"] = asns
    if kind == "ripestat":
        known["neighbours"] = []  # those of ByteDance's clouds: asked for once, by the inventory's own source
    if kind == "manual" and isinstance(source.get("entries"), list):
        entries = [{"app": app, **e} if isinstance(e, dict) else e for e in source["entries"]]
        return {**known, **source, "entries": entries}
    return {**known, **source}


# --- what it must not claim -------------------------------------------------------------------------------------------


def refusals(own: Mapping[str, OwnService], base: Catalogue) -> Iterator[tuple[Spot, str]]:
    """Everything that a service may not say, with its place in the file."""
    yield from _claims(own)
    for name, service in own.items():
        at: Spot = ("services", name)
        for spot, why in (
            *_refused_name(name, base),
            *_refused_apps(service, base),
            *_refused_owner(service, base),
            *_refused_networks(service),
            *_refused_names(service, base),
            *_refused_sources(service),
        ):
            yield (*at, *spot), why


def _claims(own: Mapping[str, OwnService]) -> Iterator[tuple[Spot, str]]:
    """No two services have one app, one network or one name."""
    seen: dict[object, str] = {}
    for name, service in own.items():
        claims = [
            *((("apps", n), app) for n, app in enumerate(_apps(name, service))),
            *((("asns", n), asn) for n, asn in enumerate(service.asns)),
            *((("names", c, n), parse_entry(e)) for c, es in service.names.items() for n, e in enumerate(es)),
        ]
        for spot, claim in claims:
            if claim in seen:
                where = "the same service" if seen[claim] == name else f"the service {seen[claim]!r}"
                yield ("services", name, *spot), f"is already of {where}"
            seen.setdefault(claim, name)


def _refused_name(name: str, base: Catalogue) -> Iterator[tuple[Spot, str]]:
    if name in base.services:
        yield (), f"{name!r} is a shipped service, which no file redefines; choose another name"
    elif name.startswith((APP, OWNER)) or name.endswith(SHARED):
        yield (), f"names that begin with {APP!r} or {OWNER!r}, or end in {SHARED!r}, are made by tokgate"


def _refused_apps(service: OwnService, base: Catalogue) -> Iterator[tuple[Spot, str]]:
    shipped = {row.app for row in dataset.names()} | base.single_apps.keys() | base.shared_apps
    for number, app in enumerate(service.apps):
        if app in base.refused_apps:
            yield ("apps", number), f"{app!r} is refused to every source: {base.refused_apps[app]}"
        elif app in shipped:
            yield ("apps", number), f"{app!r} is an app that the shipped data knows; a policy chooses it by `apps`"
        elif app in RESERVED or app.endswith(SHARED):
            yield ("apps", number), f"{app!r} is a word of tokgate's own"


def _refused_owner(service: OwnService, base: Catalogue) -> Iterator[tuple[Spot, str]]:
    if service.owner and (why := base.refusal_of_owner(service.owner)):
        yield ("owner",), f"{service.owner!r} cannot be chosen: {why}"


def _refused_networks(service: OwnService) -> Iterator[tuple[Spot, str]]:
    for key, asns in (("asns", service.asns), ("shared_asns", service.shared_asns)):
        for number, asn in enumerate(asns):
            if row := dataset.as_numbers().get(asn):
                yield (key, number), f"AS{asn} is {row.holder}'s: the shipped data says what is enforced of it"
            elif operator := dataset.shared_networks().get(asn):
                yield (key, number), f"AS{asn} is {operator}'s, a content network or cloud that others use too"
            elif key == "shared_asns" and asn in service.asns:
                yield (key, number), f"AS{asn} is in `asns` too: a network carries others, or it does not"
    guard = NetworkGuard(GuardLimits(), (*default_never_block(), *_others()))
    for number, network in enumerate(service.networks):
        _, said = guard.judge(parse_network(network))
        if said:
            yield ("networks", number), f"{said[0].guard}: {said[0].reason.rpartition(';')[0] or said[0].reason}"


def _others() -> Iterator[NeverBlock]:
    yield NeverBlock(reason="published ranges of CDNs and clouds that others use too", networks=shared_cdn_ranges())
    known = tuple(row.network for row in dataset.prefixes() if row.dedication != "cloud-customers")
    yield NeverBlock(reason="prefixes of TikTok and ByteDance, which the shipped data judges", networks=known)


def _refused_names(service: OwnService, base: Catalogue) -> Iterator[tuple[Spot, str]]:
    guard = NameGuard(base)
    for category, entries in service.names.items():
        for number, text in enumerate(entries):
            if why := _refused_entry(parse_entry(text), guard):
                yield ("names", category, number), why
    for number, category in enumerate(service.shared):
        if category not in service.names:
            yield ("shared", number), f"no category {category!r} in `names`"


def _refused_entry(name: DomainName, guard: NameGuard) -> str | None:
    if verdict := guard.judge(name):
        return f"{verdict.guard}: {verdict.reason}"
    if row := guard.row(name):
        return f"{row.domain.name} is known as a name of {row.app}"
    below = (row for row in dataset.names() if name.suffix and row.domain.name.endswith(f".{name.name}"))
    if row := next(below, None):
        return f"it would cover {row.domain.name}, a name of {row.app}"
    suffixes = dataset.cdn_suffixes()
    if operator := next((suffixes[zone] for zone in parents(name.name) if zone in suffixes), None):
        return f"a name at {operator}, which others use too; only the shipped data knows tenants there"
    return None


def _refused_sources(service: OwnService) -> Iterator[tuple[Spot, str]]:
    for number, source in enumerate(service.sources):
        if source.kind not in (*PER_APP, *PER_NETWORK):
            known = ", ".join(sorted((*PER_APP, *PER_NETWORK)))
            yield ("sources", number, "kind"), f"not of one service; it stands in the inventory. Here: {known}"
        asked = getattr(source, "asns", ())
        if foreign := next((asn for asn in asked if asn not in (*service.asns, *service.shared_asns)), None):
            yield ("sources", number, "asns"), f"AS{foreign} is not in the service's `asns` or `shared_asns`"


# --- what it makes ----------------------------------------------------------------------------------------------------


def with_own(base: Catalogue, own: Mapping[str, OwnService]) -> Catalogue:
    """The catalogue with these services beside the shipped ones. They must have passed ``refusals``."""
    made = {name: _service(name, service) for name, service in own.items()}
    asns = {asn: whose for name, service in own.items() for asn, whose in _asns(name, service)}
    owners = _owners(base.owners, own)
    return replace(base, services={**base.services, **made}, asns={**base.asns, **asns}, owners=owners) if own else base


def _service(name: str, service: OwnService) -> Service:
    return Service(
        name=name,
        title=service.title,
        apps=frozenset(_apps(name, service)),
        owner_asns=frozenset(service.asns),
        shared_asns=frozenset(service.shared_asns),
        include_shared=service.include_shared,
        shared_apps=frozenset({f"{name}{SHARED}"}),
        surfaces={surface: tuple(names) for surface, names in service.surfaces.items()},
    )


def _apps(name: str, service: OwnService) -> tuple[str, ...]:
    return service.apps or (name,)


def _asns(name: str, service: OwnService) -> Iterator[tuple[int, Whose]]:
    app = _apps(name, service)[0]
    yield from ((asn, Whose(app=app, dedication=Dedication.DEDICATED)) for asn in service.asns)
    yield from ((asn, Whose(app=f"{name}{SHARED}", dedication=Dedication.SHARED)) for asn in service.shared_asns)


def _owners(base: Owners, own: Mapping[str, OwnService]) -> Owners:
    known = dict(base.known)
    for name, service in own.items():
        called = service.owner or name
        before = known.get(called) or Owner(title=called)
        known[called] = before.model_copy(
            update={
                "apps": before.apps | {*_apps(name, service), f"{name}{SHARED}"},
                "asns": before.asns | {*service.asns, *service.shared_asns},
                "alone": before.alone | set(service.asns),
            }
        )
    return Owners(known=known)


def entries_of(own: Mapping[str, OwnService]) -> tuple[Catalogued, ...]:
    """The names and networks that the file says outright."""
    return tuple(entry for name, service in own.items() for entry in _entries(name, service))


def _entries(name: str, service: OwnService) -> Iterable[Catalogued]:
    app = _apps(name, service)[0]
    for category, entries in service.names.items():
        shared = category in service.shared
        for text in entries:
            whose = f"{name}{SHARED}" if shared else app
            yield Catalogued(value=parse_entry(text), app=whose, category=category, shared=shared, service=name)
    for text in service.networks:
        network: Network = parse_network(text)
        yield Catalogued(value=network, app=app, category="listed", shared=False, service=name)
