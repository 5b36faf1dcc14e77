"""Ranges that operators of shared networks publish, and MISP warning lists of networks: never enforced as addresses.

They extend the shipped `cdn_ranges.csv`. Such a list works the other way round: a wrong one would keep TikTok's own
networks open. So one that touches them, or holds an eighth of all IPv4, is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from core.net import DomainName, Network, Ranges, address_count, parse_network
from ipsets import dataset
from ipsets.errors import SourceImplausible
from ipsets.model import Confidence, Dedication
from ipsets.offlimits import APP, PUBLISHED
from ipsets.sources.document import Document, seen_again
from ipsets.sources.http import KEPT
from ipsets.sources.plain import parse as parse_plain
from ipsets.sources.source import Fetched, LastGood, indicator
from ipsets.text import read_json

KIND: Final = "ranges"
Format: TypeAlias = Literal["fastly", "aws", "google", "cloudflare", "oracle", "akamai", "misp", "plain"]
_LINES: Final = ("cloudflare", "akamai", "plain")
"""Formats that are, or may be, one network a line."""
WIDEST: Final = {4: 8, 6: 16}
MAX_RANGES: Final = 100_000
MAX_ADDRESSES_V4: Final = 1 << 29


@dataclass(frozen=True, slots=True, kw_only=True)
class RangesSource:
    """One operator's published list."""

    document: Document
    format: Format
    operator: str
    services: frozenset[str] = frozenset()  # of AWS; all when empty
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        meaning = (self.kind, self.name, self.format, self.operator, sorted(self.services))
        heard = self.document.ask(last, meaning=meaning, lines=self.format in _LINES)
        if heard.text is None and last is not None:
            return Fetched(indicators=seen_again(last.indicators, now), memo=heard.memo)
        networks = parse(heard.text or "", format=self.format, services=self.services, place=self.document.place)
        return Fetched(
            indicators=tuple(
                indicator(
                    network,
                    source=f"{KIND}:{self.name}",
                    seen=now,
                    app=APP,
                    category=PUBLISHED,
                    confidence=Confidence.HIGH,
                    dedication=Dedication.NEVER,
                    detail=f"a published range of {self.operator}, which others use too",
                )
                for network in networks
            ),
            memo=heard.memo,
        )


def parse(text: str, *, format: Format, services: frozenset[str], place: str) -> tuple[Network, ...]:  # noqa: A002  # as in the inventory
    """The networks of the list, each once. Pure.

    Raises:
        SourceImplausible: another format, a bad or too wide network, nothing, too much, or TikTok's own networks in it.
    """
    if format == "plain" or (format in _LINES and not text.lstrip().startswith("{")):
        networks = tuple(_lines(text, place))
    else:
        networks = tuple(_entries(_json(text, place), format, services, place))
    unique = tuple(dict.fromkeys(networks))
    _judge(unique, place)
    return unique


def _lines(text: str, place: str) -> Iterator[Network]:
    for line, value in parse_plain(text, place=place):
        if isinstance(value, DomainName):
            raise SourceImplausible(f"{value.name} is a name, not a network", place=f"{place}:{line}", hint=KEPT)
        yield value


def _json(text: str, place: str) -> Any:
    try:
        return read_json(text)
    except (ValueError, RecursionError) as exc:
        what = {"<": "HTML or XML", "": "empty"}.get(text.lstrip()[:1], "broken off or another format")
        raise _implausible(place, f"not JSON ({what}): {exc}") from exc


def _entries(read: Any, format: Format, services: frozenset[str], place: str) -> Iterator[Network]:  # noqa: A002
    try:
        for word in _READERS[format](read, services):
            yield parse_network(word)
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise _implausible(place, f"not the format of {format}: {type(exc).__name__} {exc}") from exc


def _fastly(read: Any, _: frozenset[str]) -> Iterable[str]:
    return [*_list(read["addresses"]), *_list(read["ipv6_addresses"])]


def _aws(read: Any, services: frozenset[str]) -> Iterable[str]:
    """A range of CloudFront stands in the list a second time, as AMAZON's."""
    for key, field in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
        for row in _list(read[key]):
            if not services or row["service"] in services:
                yield row[field]


def _google(read: Any, _: frozenset[str]) -> Iterable[str]:
    return [row["ipv4Prefix"] if "ipv4Prefix" in row else row["ipv6Prefix"] for row in _list(read["prefixes"])]


def _cloudflare(read: Any, _: frozenset[str]) -> Iterable[str]:
    if read["success"] is not True:
        raise ValueError("it says that it failed")
    return [*_list(read["result"]["ipv4_cidrs"]), *_list(read["result"]["ipv6_cidrs"])]


def _oracle(read: Any, _: frozenset[str]) -> Iterable[str]:
    return [row["cidr"] for region in _list(read["regions"]) for row in _list(region["cidrs"])]


def _akamai(read: Any, _: frozenset[str]) -> Iterable[str]:
    """Maps of Site Shield, all (`siteShieldMaps`) or one of them. Proposed ranges are Akamai's too.

    Source: techdocs.akamai.com/site-shield/reference/get-maps.
    """
    for told in _list(read["siteShieldMaps"]) if "siteShieldMaps" in read else [read]:
        yield from _list(told["currentCidrs"])
        yield from _list(told.get("proposedCidrs") or [])


def _misp(read: Any, _: frozenset[str]) -> Iterable[str]:
    """Only lists of networks: those of names hold the names that everybody uses, TikTok's among them."""
    if read["type"] != "cidr":
        raise ValueError(f"a list of type {read['type']!r}, not cidr")
    return _list(read["list"])


def _list(read: Any) -> list[Any]:
    if not isinstance(read, list):
        raise TypeError(f"{type(read).__name__} instead of a list")
    return read


_READERS: Final[Mapping[str, Callable[[Any, frozenset[str]], Iterable[str]]]] = {
    "fastly": _fastly,
    "aws": _aws,
    "google": _google,
    "cloudflare": _cloudflare,
    "oracle": _oracle,
    "akamai": _akamai,
    "misp": _misp,
}


def _judge(networks: tuple[Network, ...], place: str) -> None:
    if not networks or len(networks) > MAX_RANGES:
        raise _implausible(place, f"{len(networks)} ranges; between 1 and {MAX_RANGES} are believed")
    wide = next((n for n in networks if n.prefixlen < WIDEST[n.version]), None)
    if wide is not None:
        raise _implausible(place, f"{wide} is wider than /{WIDEST[wide.version]}")
    if (held := address_count(networks, 4)) > MAX_ADDRESSES_V4:
        raise _implausible(place, f"{held} IPv4 addresses, more than an eighth of all")
    own = Ranges(dataset.dedicated_prefixes())
    touching = next((n for n in networks if own.touched(n)), None)
    if touching is not None:
        raise _implausible(place, f"{touching} touches what TikTok's own networks originate: it would stay open")


def _implausible(place: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{place}: {why}", hint=KEPT)
