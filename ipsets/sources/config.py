"""What an inventory may say about sources, and the sources that this makes. Unknown keys and bad values are errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

import httpx
from pydantic import Field, model_validator

from core.net import DomainName, Network
from ipsets import dataset
from ipsets.ages import Ages
from ipsets.judgement import family_of
from ipsets.model import Confidence
from ipsets.sources.asndb import MAX_AGE, MIN_HITS, AsndbSource
from ipsets.sources.catalogued import KIND as CATALOGUE
from ipsets.sources.catalogued import Catalogued, CataloguedSource
from ipsets.sources.ct import BASE_URL as CT_URL
from ipsets.sources.ct import PAUSE_SECONDS, TOTAL_SECONDS, CtSource
from ipsets.sources.curated import CuratedSource
from ipsets.sources.dns import DnsSource
from ipsets.sources.document import Document
from ipsets.sources.fields import (
    Asn,
    AsSet,
    ClientSubnet,
    Closed,
    Config,
    HostName,
    MaxBytes,
    Registry,
    ResolverAddress,
    Seconds,
    ServerName,
    Shrink,
    SourceName,
    Url,
    Words,
)
from ipsets.sources.http import Getter
from ipsets.sources.irr import DEFAULT_HOST, IrrSource
from ipsets.sources.listed import KIND as LIST
from ipsets.sources.listed import ListSource, Trust
from ipsets.sources.manual import ManualEntry, ManualSource
from ipsets.sources.mrt import MAX_AGE as MRT_MAX_AGE
from ipsets.sources.mrt import MAX_BYTES as MRT_MAX_BYTES
from ipsets.sources.mrt import MIN_PEERS, MrtSource
from ipsets.sources.plain import parse_line
from ipsets.sources.ranges import Format, RangesSource
from ipsets.sources.ripestat import BASE_URL, RipestatSource
from ipsets.sources.rpki import RpkiSource
from ipsets.sources.source import Source

MAX_ASNS: Final = 64
MAX_NAMES: Final = 2000
MAX_DECISIONS: Final = 10_000
WIDEST_ALLOWED: Final = {4: 8, 6: 16}
"""One entry of a manual list never allows more: it would switch the whole list off."""


class CuratedConfig(Config):
    """The data set that is shipped."""

    kind: Literal["curated"]
    name: SourceName = "curated"


class Live(Config):
    """Of a source that says something else from day to day."""

    age_out: Ages | None = None
    """How long its words count (``ipsets.ages``), for addresses and names; by ``judgement.yaml`` when left out."""


class RipestatConfig(Live):
    """Prefixes that networks announce now, and who holds those. ``sourceapp`` tells RIPEstat who asks."""

    kind: Literal["ripestat"]
    name: SourceName = "ripestat"
    asns: tuple[Asn, ...] = Field(default=(138699, 11983), min_length=1, max_length=MAX_ASNS)
    base_url: Url = BASE_URL
    sourceapp: str = Field(default="tokgate", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    min_peers_seeing: int = Field(default=10, ge=0, le=1000)
    holders: bool = True
    """Ask who holds each network, so that a renamed one is noticed. A holder that cannot be had fails nothing."""
    neighbours: tuple[Asn, ...] = Field(default=(150436, 137718), max_length=MAX_ASNS)
    """Networks of unrelated customers of the owner's cloud: what they announce now is never blocked."""
    timeout_seconds: Seconds = 20.0
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5
    """An answer smaller than the last good one by more than this share is held; 1 accepts any."""

    @model_validator(mode="after")
    def _neighbours_are_others(self) -> Self:
        for asn in self.neighbours:
            row = dataset.as_numbers().get(asn)
            if row is not None and row.dedication in ("dedicated", "shared"):
                raise ValueError(f"AS{asn} is no neighbour: what it announces would never be blocked")
        return self


class DnsConfig(Live):
    """Live answers of these resolvers, asked plainly, over TLS or over HTTPS. Without ``names`` the shipped ones."""

    kind: Literal["dns"]
    name: SourceName = "dns"
    resolvers: tuple[ResolverAddress, ...] = Field(min_length=1, max_length=8)
    names: tuple[HostName, ...] = Field(default=(), max_length=MAX_NAMES)
    ca_file: Path | None = None
    """The authorities that certificates of resolvers must be from, instead of the usual ones."""
    client_subnet: ClientSubnet | None = None
    """Ask for the answer that clients in this network would get. The resolver, and whoever it asks, learns it."""
    timeout_seconds: Seconds = 3.0
    max_shrink: Shrink = 1.0


class Placed(Live):
    """Of a source that reads one document: from a file, or from an address."""

    file: Path | None = None
    url: Url | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("give either `file` or `url`")
        return self


class ListConfig(Placed):
    """A plain list, and what its word on an address is worth: ``dedicated``. Its names are taken as it gives them."""

    kind: Literal["list"]
    name: SourceName = "list"
    app: SourceName = "tiktok"
    confidence: Confidence = Confidence.MEDIUM
    dedicated: Trust = "claimed"
    """``true``: your own word, enough alone. ``claimed``: needs a second independent voice. ``false``: counts only
    inside prefixes that TikTok's own networks originate. Those it always may name."""
    family: SourceName | None = None
    """Lists of one family copy each other, and count as one voice. Known ones are found by their address."""
    unsupported: Literal["refuse", "skip"] = "refuse"
    """Rules that no list of addresses and names can say. Skipped ones are counted in the log."""
    max_bytes: MaxBytes = 16 * 1024 * 1024
    timeout_seconds: Seconds = 20.0
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5


class IrrConfig(Live):
    """Route objects of the routing registries. They confirm what other sources name, and enforce nothing."""

    kind: Literal["irr"]
    name: SourceName = "irr"
    host: ServerName = DEFAULT_HOST
    port: int = Field(default=43, ge=1, le=65535)
    registries: tuple[Registry, ...] = Field(default=(), max_length=16)
    """Of the server, in order of preference. All that it has, when empty."""
    as_sets: tuple[AsSet, ...] = Field(default=(), max_length=16)
    asns: tuple[Asn, ...] = Field(default=(138699, 11983, 396986), max_length=MAX_ASNS)
    max_depth: int = Field(default=8, ge=1, le=32)
    """Sets in sets in sets; deeper is an error."""
    timeout_seconds: Seconds = 20.0
    total_seconds: Seconds = 120.0
    """For all attempts and the waits between them."""
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5

    @model_validator(mode="after")
    def _something(self) -> IrrConfig:
        if not self.as_sets and not self.asns:
            raise ValueError("give `asns` or `as_sets`")
        return self


class RpkiConfig(Placed):
    """A validator's JSON export. It confirms what other sources name, and enforces nothing."""

    kind: Literal["rpki"]
    name: SourceName = "rpki"
    asns: tuple[Asn, ...] = Field(default=(138699, 11983, 396986), min_length=1, max_length=MAX_ASNS)
    max_bytes: MaxBytes = 128 * 1024 * 1024
    timeout_seconds: Seconds = 20.0
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5


class AsndbConfig(Live):
    """A table (bgp.tools) or a database (GeoLite2-ASN, IPinfo) on the disk. It confirms, and enforces nothing."""

    kind: Literal["asndb"]
    name: SourceName = "asndb"
    file: Path
    asns: tuple[Asn, ...] = Field(default=(138699, 11983, 396986), min_length=1, max_length=MAX_ASNS)
    min_hits: int = Field(default=MIN_HITS, ge=0, le=1_000_000)
    """A route of a table with fewer is left out. A database has none."""
    max_age_days: int = Field(default=MAX_AGE.days, ge=1, le=3650)
    """A database that was built longer ago is refused. A table does not say when it was made."""
    max_bytes: MaxBytes = 128 * 1024 * 1024
    max_shrink: Shrink = 0.5


class MrtConfig(Live):
    """A route collector's table on the disk (MRT). It confirms, and enforces nothing. Needs ``tokgate[mrt]``."""

    kind: Literal["mrt"]
    name: SourceName = "mrt"
    file: Path
    asns: tuple[Asn, ...] = Field(default=(138699, 11983, 396986), min_length=1, max_length=MAX_ASNS)
    min_peers: int = Field(default=MIN_PEERS, ge=1, le=10_000)
    """A prefix that fewer of the collector's peers see from a network is left out."""
    max_age_days: int = Field(default=MRT_MAX_AGE.days, ge=1, le=3650)
    max_bytes: int = Field(default=MRT_MAX_BYTES, ge=1024, le=64 * 1024**3)
    """Of the unpacked table."""
    max_shrink: Shrink = 0.5


class ManualDecision(Closed):
    """One entry that somebody decided: ``deny`` or ``allow`` a network, address, range or name."""

    deny: str | None = None
    allow: str | None = None
    reason: Words
    owner: Words
    """Who answers for it: a person or a team."""
    app: SourceName = "tiktok"
    until: date | None = None
    """Its last day, in UTC. Without one it holds until it is taken out."""

    @model_validator(mode="after")
    def _one_entry(self) -> ManualDecision:
        if (self.deny is None) == (self.allow is None):
            raise ValueError("give either `deny` or `allow`")
        values = self.values()
        if not values:
            raise ValueError("an empty entry")
        for value in values if self.allow is not None else ():
            if not isinstance(value, DomainName) and value.prefixlen < WIDEST_ALLOWED[value.version]:
                raise ValueError(f"{value} is wider than /{WIDEST_ALLOWED[value.version]}, too much to allow at once")
        return self

    def values(self) -> tuple[Network | DomainName, ...]:
        return tuple(parse_line(self.deny or self.allow or ""))


class ManualConfig(Config):
    """Decisions of one's own, each with its reason and owner. An allowed entry is never blocked."""

    kind: Literal["manual"]
    name: SourceName = "manual"
    entries: tuple[ManualDecision, ...] = Field(min_length=1, max_length=MAX_DECISIONS)


class RangesConfig(Placed):
    """What an operator of a shared network publishes, or a MISP warning list: never enforced as addresses."""

    kind: Literal["ranges"]
    name: SourceName = "ranges"
    format: Format
    operator: Words
    services: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,40}$")], ...] = ("CLOUDFRONT",)
    """Of AWS. All, when empty: then customers' machines are in there too."""
    max_bytes: MaxBytes = 16 * 1024 * 1024
    timeout_seconds: Seconds = 20.0
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5


class CtConfig(Live):
    """Names in valid certificates. They are known and shown, and enforce nothing."""

    kind: Literal["ct"]
    name: SourceName = "ct"
    domains: tuple[HostName, ...] = Field(min_length=1, max_length=64)
    base_url: Url = CT_URL
    pause_seconds: float = Field(default=PAUSE_SECONDS, ge=0, le=60)
    """Between any two questions: the service takes about five a minute."""
    total_seconds: float = Field(default=TOTAL_SECONDS, ge=0.2, le=3600)
    """After this no further domain is asked, and the source fails."""
    max_bytes: MaxBytes = 64 * 1024 * 1024
    timeout_seconds: Seconds = 60.0
    attempts: int = Field(default=3, ge=1, le=6)
    max_shrink: Shrink = 0.5

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if (least := (len(self.domains) - 1) * self.pause_seconds) >= self.total_seconds:
            raise ValueError(
                f"the pauses between {len(self.domains)} domains alone take {least:.0f} s, as long as total_seconds"
            )
        return self


SourceConfig: TypeAlias = Annotated[
    CuratedConfig
    | RipestatConfig
    | DnsConfig
    | ListConfig
    | IrrConfig
    | RpkiConfig
    | AsndbConfig
    | MrtConfig
    | ManualConfig
    | RangesConfig
    | CtConfig,
    Field(discriminator="kind"),
]


class CatalogueConfig(Config):
    """What the user's own catalogue says outright. No inventory writes it: it comes with the file."""

    kind: Literal["catalogue"] = CATALOGUE
    name: SourceName = CATALOGUE
    entries: tuple[Catalogued, ...]


AnySource: TypeAlias = SourceConfig | CatalogueConfig
"""What is asked: named in the inventory, or come with it."""


def build_source(
    config: AnySource,
    *,
    folder: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
    transport: httpx.BaseTransport | None = None,
) -> Source:
    """The source that a configuration means. Relative files are looked for in ``folder``, the inventory's own.

    ``sleep`` and ``transport`` are for tests. Nothing is asked yet.
    """
    match config:
        case CuratedConfig():
            return CuratedSource(name=config.name)
        case CatalogueConfig():
            return CataloguedSource(name=config.name, entries=config.entries)
        case RipestatConfig():
            return RipestatSource(
                name=config.name,
                asns=tuple(dict.fromkeys(config.asns)),
                base_url=config.base_url,
                sourceapp=config.sourceapp,
                min_peers_seeing=config.min_peers_seeing,
                holders=config.holders,
                neighbours=tuple(n for n in dict.fromkeys(config.neighbours) if n not in config.asns),
                max_shrink=config.max_shrink,
                getter=_getter(config, sleep, transport, max_bytes=8 * 1024 * 1024),
            )
        case DnsConfig():
            return DnsSource(
                name=config.name,
                resolvers=tuple(dict.fromkeys(config.resolvers)),
                names=config.names,
                ca_file=(folder or Path()) / config.ca_file if config.ca_file is not None else None,
                client_subnet=config.client_subnet,
                timeout_seconds=config.timeout_seconds,
                max_shrink=config.max_shrink,
            )
        case ListConfig():
            return ListSource(
                name=config.name,
                document=_document(config, folder, _getter(config, sleep, transport, max_bytes=config.max_bytes)),
                app=config.app,
                confidence=config.confidence,
                dedicated=config.dedicated,
                skip_unsupported=config.unsupported == "skip",
                max_shrink=config.max_shrink,
            )
        case IrrConfig():
            return IrrSource(
                name=config.name,
                host=config.host,
                port=config.port,
                registries=config.registries,
                as_sets=config.as_sets,
                asns=tuple(dict.fromkeys(config.asns)),
                max_depth=config.max_depth,
                timeout_seconds=config.timeout_seconds,
                total_seconds=config.total_seconds,
                attempts=config.attempts,
                sleep=sleep,
                max_shrink=config.max_shrink,
            )
        case RpkiConfig():
            return RpkiSource(
                name=config.name,
                document=_document(config, folder, _getter(config, sleep, transport, max_bytes=config.max_bytes)),
                asns=tuple(dict.fromkeys(config.asns)),
                max_shrink=config.max_shrink,
            )
        case AsndbConfig():
            return AsndbSource(
                name=config.name,
                file=(folder or Path()) / config.file,
                asns=tuple(dict.fromkeys(config.asns)),
                min_hits=config.min_hits,
                max_age=timedelta(days=config.max_age_days),
                max_bytes=config.max_bytes,
                max_shrink=config.max_shrink,
            )
        case MrtConfig():
            return MrtSource(
                name=config.name,
                file=(folder or Path()) / config.file,
                asns=tuple(dict.fromkeys(config.asns)),
                min_peers=config.min_peers,
                max_age=timedelta(days=config.max_age_days),
                max_bytes=config.max_bytes,
                max_shrink=config.max_shrink,
            )
        case ManualConfig():
            return ManualSource(name=config.name, entries=tuple(_decision(entry) for entry in config.entries))
        case RangesConfig():
            return RangesSource(
                name=config.name,
                document=_document(config, folder, _getter(config, sleep, transport, max_bytes=config.max_bytes)),
                format=config.format,
                operator=config.operator,
                services=frozenset(config.services),
                max_shrink=config.max_shrink,
            )
        case CtConfig():
            return CtSource(
                name=config.name,
                domains=tuple(dict.fromkeys(config.domains)),
                base_url=config.base_url,
                pause_seconds=config.pause_seconds,
                total_seconds=config.total_seconds,
                max_shrink=config.max_shrink,
                getter=_getter(config, sleep, transport, max_bytes=config.max_bytes),
            )


def _decision(entry: ManualDecision) -> ManualEntry:
    return ManualEntry(
        values=entry.values(),
        allow=entry.allow is not None,
        reason=entry.reason,
        owner=entry.owner,
        app=entry.app,
        until=entry.until,
    )


def _document(config: ListConfig | RpkiConfig | RangesConfig, folder: Path | None, getter: Getter) -> Document:
    file = (folder or Path()) / config.file if config.file is not None else None
    return Document(file=file, url=config.url, max_bytes=config.max_bytes, getter=getter)


def _getter(
    config: RipestatConfig | ListConfig | RpkiConfig | RangesConfig | CtConfig,
    sleep: Callable[[float], None],
    transport: httpx.BaseTransport | None,
    *,
    max_bytes: int,
) -> Getter:
    return Getter(
        timeout_seconds=config.timeout_seconds,
        attempts=config.attempts,
        max_bytes=max_bytes,
        sleep=sleep,
        transport=transport,
    )


def check_names(configs: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
    """The same, or ``ValueError``: each source keeps its last good answer under its name, so names are unique."""
    names = [config.name for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two sources are named {twice[0]!r}; give one of them another `name`")
    return configs


def families(configs: Iterable[AnySource]) -> Mapping[str, str]:
    """The voice that each list's word counts under (``ipsets.voices``): its family, when it has one."""
    named = ((c, c.family or family_of(c.url or "")) for c in configs if isinstance(c, ListConfig))
    return {f"{LIST}:{config.name}": f"family {family}" for config, family in named if family}


def ages(configs: Iterable[AnySource]) -> Mapping[str, Ages]:
    """How long the words of each source count, where the inventory says so."""
    return {c.name: c.age_out for c in configs if isinstance(c, Live) and c.age_out is not None}


def own_word(configs: Iterable[AnySource]) -> frozenset[str]:
    """The sources whose word alone is enough, because somebody here keeps them."""
    return frozenset(c.name for c in configs if isinstance(c, ListConfig) and c.dedicated is True)
