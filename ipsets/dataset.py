"""The data set that is shipped: names, prefixes, and what must never be blocked. Read once, never written.

Every row is documented in ``data/manifest.yaml``; ``scripts/build_curated.py`` builds the derived tables.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

from core.net import DomainName, Network, parse_network
from ipsets import rulebook
from ipsets.model import Confidence, Dedication

_DATA: Final = files("ipsets") / "data"
T = TypeVar("T")

ABANDONED_APP: Final = "tiktok-abandoned"
"""The app of names that the app itself gave up: of no service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRow:
    """A name of ByteDance's world. ``scope`` says whose traffic it carries."""

    domain: DomainName
    app: str
    category: str
    scope: str  # tiktok, cdn-alias, shared, cloud-customers, abandoned, unknown …
    confidence: Confidence
    sources: tuple[str, ...]
    note: str

    @property
    def dedication(self) -> Dedication:
        if self.scope in ("tiktok", "cdn-alias"):
            return Dedication.DEDICATED
        return Dedication.UNKNOWN if self.scope in ("unknown", "abandoned") else Dedication.SHARED


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRow:
    """An announced prefix with every network that originates it."""

    network: Network
    origins: tuple[int, ...]
    dedication: str  # dedicated, shared, cloud-customers
    as_of: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRow:
    """An autonomous system and whether its prefixes are TikTok's alone."""

    asn: int
    holder: str
    dedication: str  # dedicated, shared, other
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """An address that the app carries in itself, so that it needs no DNS to find it."""

    network: Network
    kind: str  # static: in place of an answer for names; httpdns: a server that answers in place of DNS
    origin: int
    seen: datetime
    note: str

    @property
    def owned(self) -> bool:
        """Whether it lies in a network of the app's owner; elsewhere it is a cloud's, and somebody else's tomorrow."""
        row = as_numbers().get(self.origin)
        return row is not None and row.dedication in ("dedicated", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A network and what it is."""

    network: Network
    label: str


def _rows(name: str, make: Callable[[Mapping[str, str]], T]) -> tuple[T, ...]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return tuple(make(row) for row in csv.DictReader(lines))


def shipped_bytes(name: str) -> bytes:
    """One of the shipped files, as it is written."""
    return (_DATA / name).read_bytes()


@cache
def manifest() -> Mapping[str, Any]:
    """Origins, dates and licences of the data set."""
    loaded: Mapping[str, Any] = rulebook.read(shipped_bytes("manifest.yaml"), place="manifest.yaml")
    return loaded


def as_of() -> datetime:
    """The day the data set was compiled."""
    day: date = manifest()["as_of"]
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@cache
def names() -> tuple[NameRow, ...]:
    return _rows(
        "domains.csv",
        lambda row: NameRow(
            domain=DomainName(row["domain"], suffix=row["match"] == "suffix"),
            app=row["app"],
            category=row["category"],
            scope=row["scope"],
            confidence=Confidence(row["confidence"]),
            sources=tuple(row["sources"].split()),
            note=row["note"],
        ),
    )


@cache
def prefixes() -> tuple[PrefixRow, ...]:
    return _rows(
        "prefixes.csv",
        lambda row: PrefixRow(
            network=parse_network(row["prefix"]),
            origins=tuple(int(asn) for asn in row["origins"].split()),
            dedication=row["dedication"],
            as_of=row["as_of"],
            source=row["source"],
        ),
    )


@cache
def dedicated_prefixes() -> tuple[Network, ...]:
    """What a network that is TikTok's alone originates."""
    return tuple(row.network for row in prefixes() if row.dedication == "dedicated")


@cache
def literals() -> tuple[Literal, ...]:
    return _rows(
        "literals.csv",
        lambda row: Literal(
            network=parse_network(row["address"]),
            kind=row["kind"],
            origin=int(row["origin"]),
            seen=datetime.fromisoformat(row["seen"]).replace(tzinfo=UTC),
            note=row["note"],
        ),
    )


@cache
def as_numbers() -> Mapping[int, AsRow]:
    rows = _rows(
        "asns.csv",
        lambda row: AsRow(asn=int(row["asn"]), holder=row["holder"], dedication=row["dedication"], tag=row["tag"]),
    )
    return {row.asn: row for row in rows}


@cache
def shared_networks() -> Mapping[int, str]:
    """The numbers of well-known content networks and clouds -> their operator. No service has them alone."""
    return dict(_rows("shared_asns.csv", lambda row: (int(row["asn"]), row["operator"])))


@cache
def hosts() -> tuple[str, ...]:
    """Full host names that were alive, for the DNS source to ask."""
    return _rows("hosts.csv", lambda row: row["host"])


@cache
def lookalikes() -> Mapping[str, str]:
    """Name -> why it is not TikTok."""
    return dict(_rows("lookalikes.csv", lambda row: (row["name"], row["why"])))


def trait_rows(name: str, make: Callable[[Mapping[str, str]], T]) -> tuple[T, ...]:
    """The rows of ``traits.csv`` or ``apps.csv``; what they are is said in ``ipsets.traits``."""
    return _rows(name, make)


@cache
def homographs() -> Mapping[str, str]:
    """ASCII letter -> the letters of other scripts that look like it."""
    return dict(_rows("homographs.csv", lambda row: (row["letter"], row["alike"])))


@cache
def cdn_suffixes() -> Mapping[str, str]:
    """Suffix of a content network that others use too -> its operator."""
    rows = _rows("cdn_suffixes.csv", lambda row: (row["suffix"], row["operator"], row["sharing"]))
    return {suffix: operator for suffix, operator, sharing in rows if sharing in ("shared", "unknown")}


@cache
def cdn_ranges() -> tuple[Labelled, ...]:
    """The published ranges of networks that others use too."""
    return _rows("cdn_ranges.csv", lambda row: _labelled(row["network"], row["operator"]))


@cache
def special_purpose() -> tuple[Labelled, ...]:
    return _rows("special_purpose.csv", lambda row: _labelled(row["network"], f"{row['name']}, {row['rfc']}"))


@cache
def public_resolvers() -> tuple[Labelled, ...]:
    return _rows("public_resolvers.csv", lambda row: _labelled(row["network"], row["operator"]))


def _labelled(network: str, label: str) -> Labelled:
    return Labelled(network=parse_network(network), label=label)
