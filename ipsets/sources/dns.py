"""What TikTok's names resolve to now: A, AAAA and the CNAME chain.

An address is TikTok's only when it falls in a prefix that TikTok's own networks originate. Most answers lead to CDNs
that millions of others use; for those the name stays a name, and no address of the answer becomes an entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from core.net import DomainName, Network, Ranges
from ipsets import dataset
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.guard import parents
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood, indicator

KIND: Final = "dns"
MAX_CONCURRENT: Final = 16
MAX_SILENT_SHARE: Final = 0.5
_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)
_ANSWERS: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


@dataclass(frozen=True, slots=True)
class Resolver:
    """A DNS server by address and port."""

    host: str
    port: int = 53

    def __str__(self) -> str:
        return self.host if self.port == 53 else f"{self.host}#{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One answer: the chain of names it went through, and the addresses at its end."""

    chain: tuple[str, ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSource:
    """Asks every resolver for every name. Silence of most of them is an error; a name that is gone is an answer."""

    resolvers: tuple[Resolver, ...]
    names: tuple[str, ...] = ()  # empty: the shipped ones
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 1.0  # answers differ from hour to hour, and none of them decides what is enforced
    timeout_seconds: float = 3.0

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        names = self.names or dataset.hosts()
        found: list[Indicator] = []
        silent: list[str] = []
        for resolver in self.resolvers:
            try:
                found += self._ask_all(resolver, names, now)
            except SourceUnreachable as exc:
                silent.append(exc.message)
        if len(silent) == len(self.resolvers):
            raise SourceUnreachable("; ".join(silent), hint=f"check the resolvers and the way there; {KEPT}")
        if not found:
            raise SourceImplausible(f"none of {len(names)} names exists", hint=f"check the resolvers; {KEPT}")
        return Fetched(indicators=tuple(found))

    def _ask_all(self, resolver: Resolver, names: Sequence[str], now: datetime) -> list[Indicator]:
        self._probe(resolver, names[0])
        with ThreadPoolExecutor(max_workers=MAX_CONCURRENT, thread_name_prefix="dns") as pool:
            answers = list(pool.map(lambda name: self._resolve(resolver, name), names))
        silent = sum(answer is None for answer in answers)
        if silent > len(names) * MAX_SILENT_SHARE:
            raise SourceUnreachable(f"{resolver}: no answer for {silent} of {len(names)} names")
        return [
            entry
            for name, answer in zip(names, answers, strict=True)
            if answer is not None
            for entry in judge(name, answer, resolver=str(resolver), now=now)
        ]

    def _probe(self, resolver: Resolver, name: str) -> None:
        """One question first: a dead resolver costs one time-out, not one for each name."""
        if all(self._query(resolver, name, kind) is None for kind in _TYPES):
            raise SourceUnreachable(f"{resolver}: no answer in {self.timeout_seconds:.1f} s")

    def _resolve(self, resolver: Resolver, name: str) -> Resolved | None:
        """Both families, or None when either question got no answer."""
        answers = [self._query(resolver, name, kind) for kind in _TYPES]
        known = [read(name, answer) for answer in answers if answer is not None]
        if len(known) < len(answers):
            return None
        chain = max((found.chain for found in known), key=len)
        return Resolved(chain=chain, addresses=tuple(sorted((a for f in known for a in f.addresses), key=_order)))

    def _query(self, resolver: Resolver, name: str, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
        question = dns.message.make_query(name, kind, use_edns=0, payload=1232)
        try:
            answer, _ = dns.query.udp_with_fallback(
                question, resolver.host, port=resolver.port, timeout=self.timeout_seconds
            )
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        return answer if answer.rcode() in _ANSWERS else None


def read(name: str, answer: dns.message.Message) -> Resolved:
    """Follow the CNAMEs of one answer to its addresses. Records of other names are not believed. Pure."""
    chain = [name.lower().rstrip(".")]
    cnames, addresses = _tables(answer)
    while (target := cnames.get(chain[-1])) is not None and target not in chain:
        chain.append(target)
    return Resolved(chain=tuple(chain), addresses=tuple(addresses.get(chain[-1], ())))


def _tables(
    answer: dns.message.Message,
) -> tuple[dict[str, str], dict[str, list[IPv4Address | IPv6Address]]]:
    cnames: dict[str, str] = {}
    addresses: dict[str, list[IPv4Address | IPv6Address]] = {}
    for records in answer.answer:
        owner = records.name.to_text(omit_final_dot=True).lower()
        for record in records:
            if records.rdtype == dns.rdatatype.CNAME:
                cnames[owner] = record.target.to_text(omit_final_dot=True).lower()
            elif records.rdtype in _TYPES:
                kind = IPv4Address if records.rdtype == dns.rdatatype.A else IPv6Address
                addresses.setdefault(owner, []).append(kind(record.address))
    return cnames, addresses


def judge(name: str, found: Resolved, *, resolver: str, now: datetime) -> Iterator[Indicator]:
    """What one answer proves: that the name is alive, and which of its addresses are TikTok's own. Pure."""
    if not found.addresses and len(found.chain) == 1:
        return
    own = Ranges(dataset.dedicated_prefixes())
    dedicated = [n for n in map(_network, found.addresses) if own.holds(n)]
    detail = _detail(found, len(dedicated))
    row = row_of(name)
    yield indicator(
        DomainName(name, suffix=False),
        source=f"{KIND}:{resolver}",
        seen=now,
        app=row.app if row else "unknown",
        category=row.category if row else "resolved",
        confidence=row.confidence if row else Confidence.LOW,
        dedication=row.dedication if row else Dedication.UNKNOWN,
        detail=detail,
    )
    for network in dedicated:
        yield indicator(
            network,
            source=f"{KIND}:{resolver}",
            seen=now,
            app="tiktok",
            category="resolved",
            confidence=Confidence.HIGH,
            dedication=Dedication.DEDICATED,
            detail=detail,
        )


def _detail(found: Resolved, dedicated: int) -> str:
    chain = " -> ".join(found.chain)
    operators = sorted({operator for name in found.chain for zone in parents(name) if (operator := _operator(zone))})
    shared = f", by {', '.join(operators)}" if operators else ""
    return f"{chain}{shared}: {len(found.addresses)} addresses, {dedicated} in TikTok's own prefixes"


def _operator(zone: str) -> str | None:
    return dataset.cdn_suffixes().get(zone)


def row_of(name: str) -> dataset.NameRow | None:
    """The most specific row of the shipped set that covers a host name."""
    exact = {row.domain: row for row in dataset.names()}
    own = exact.get(DomainName(name, suffix=False))
    above = (exact.get(DomainName(parent)) for parent in parents(name))
    return own or next((row for row in above if row is not None), None)


def _network(address: IPv4Address | IPv6Address) -> Network:
    return ip_network(address)


def _order(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return address.version, int(address)
