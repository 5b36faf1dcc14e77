"""What TikTok's names resolve to now: A, AAAA and the CNAME chain.

An address is TikTok's only when it falls in a prefix that TikTok's own networks originate. Most answers lead to CDNs
that millions of others use; for those the name stays a name, and no address of the answer becomes an entry. An answer
holds for the least TTL in it: until then a resolver is not asked for that name again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import structlog

from core.net import DomainName, Network, Ranges
from ipsets import dataset
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.guard import parents
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.http import KEPT
from ipsets.sources.resolver import PADDED_TO, Asking, Resolver
from ipsets.sources.source import Fetched, LastGood, indicator
from ipsets.text import instant

log = structlog.get_logger()
KIND: Final = "dns"
MAX_CONCURRENT: Final = 16
MAX_CONNECTIONS: Final = 4
"""To a resolver that is asked over TLS or HTTPS: each costs it a handshake."""
MAX_SILENT_SHARE: Final = 0.5
MAX_CHAIN: Final = 16
MAX_TTL: Final = timedelta(days=1)
"""A longer one is not believed: its answer is asked for again after a day."""
MAX_REMEMBERED: Final = 256
"""Addresses in one answer. A larger one is asked for again each time, so that nobody can swell what is kept."""
_SHOWN: Final = 4
_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)
_ANSWERS: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One answer: the chain of names it went through, and the addresses at its end.

    ``ttl``: seconds that the whole of it holds. ``refused``: addresses that are none of the internet, such as a
    resolver gives for what it blocks. ``ends``: False for a chain in a circle, or of more than ``MAX_CHAIN`` names.
    """

    chain: tuple[str, ...]
    addresses: tuple[Address, ...]
    ttl: int = 0
    refused: tuple[Address, ...] = ()
    ends: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer, when it came, and until when it need not be asked for again."""

    found: Resolved
    at: datetime
    until: datetime


Answers: TypeAlias = Mapping[str, Mapping[str, Answered]]
"""By resolver and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSource:
    """Asks every resolver for every name. Silence of most of them is an error; a name that is gone is an answer."""

    resolvers: tuple[Resolver, ...]
    names: tuple[str, ...] = ()  # empty: the shipped ones
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 1.0  # answers differ from hour to hour, and none of them decides what is enforced
    timeout_seconds: float = 3.0
    ca_file: Path | None = None
    client_subnet: Network | None = None

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        names = self.names or dataset.hosts()
        known = recall(last.memo if last else "", asked_as=self._asked_as(), now=now)
        answers: dict[str, Mapping[str, Answered]] = {}
        failed: list[SourceError] = []
        for resolver in self.resolvers:
            try:
                answers[str(resolver)] = self._ask_all(resolver, names, known.get(str(resolver), {}), now)
            except SourceError as exc:
                log.warning("dns.resolver_failed", source=self.name, resolver=str(resolver), error=exc.message)
                failed.append(exc)
        if not answers:
            raise _all_failed(failed)
        self._tell_refused(answers)
        found = tuple(_judged(answers))
        if not found:
            raise SourceImplausible(f"none of {len(names)} names exists{_blocked(answers)}", hint=_NOTHING)
        return Fetched(indicators=found, memo=remember(answers, asked_as=self._asked_as()))

    def _asked_as(self) -> str:
        return str(self.client_subnet or "")

    def _ask_all(
        self, resolver: Resolver, names: Sequence[str], known: Mapping[str, Answered], now: datetime
    ) -> Mapping[str, Answered]:
        kept = {name: known[name] for name in names if name in known}
        wanted = [name for name in names if name not in kept]
        if not wanted:
            return kept
        with Asking(resolver, timeout_seconds=self.timeout_seconds, ca_file=self.ca_file) as asking:
            self._probe(asking, wanted[0])
            most = MAX_CONCURRENT if resolver.over == "plain" else MAX_CONNECTIONS
            with ThreadPoolExecutor(max_workers=most, thread_name_prefix="dns") as pool:
                found = list(pool.map(lambda name: self._resolve(asking, name), wanted))
        silent = sum(answer is None for answer in found)
        if silent > len(names) * MAX_SILENT_SHARE:
            raise SourceUnreachable(f"{resolver}: no answer for {silent} of {len(names)} names", hint=_UNREACHABLE)
        new = {name: _answered(f, now) for name, f in zip(wanted, found, strict=True) if f is not None}
        return {name: {**kept, **new}[name] for name in names if name in kept or name in new}

    def _probe(self, asking: Asking, name: str) -> None:
        """One name first: a dead resolver costs one time-out, not one for each name. Raises what is wrong with it."""
        for kind in _TYPES:
            try:
                answer = asking.ask(self._question(asking.resolver, name, kind))
            except SourceError as exc:
                fault: SourceError = exc
            else:
                if answer.rcode() in _ANSWERS:
                    return
                said = dns.rcode.to_text(answer.rcode())
                fault = SourceUnreachable(f"{asking.resolver}: no answer but {said}", hint=_UNREACHABLE)
        raise fault

    def _resolve(self, asking: Asking, name: str) -> Resolved | None:
        """Both families, or None when either question got no answer."""
        answers = [self._query(asking, name, kind) for kind in _TYPES]
        known = [read(name, answer) for answer in answers if answer is not None]
        return joined(known) if len(known) == len(answers) else None

    def _query(self, asking: Asking, name: str, kind: dns.rdatatype.RdataType) -> dns.message.Message | None:
        try:
            answer = asking.ask(self._question(asking.resolver, name, kind))
        except SourceError:
            return None
        return answer if answer.rcode() in _ANSWERS and _about(self.client_subnet, answer) else None

    def _question(self, resolver: Resolver, name: str, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        subnet = self.client_subnet
        options: list[dns.edns.Option] = []
        if subnet is not None:
            options.append(dns.edns.ECSOption(str(subnet.network_address), subnet.prefixlen))
        padded = PADDED_TO if resolver.over != "plain" else 0  # its length tells the name, even when encrypted
        return dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options, pad=padded)

    def _tell_refused(self, answers: Answers) -> None:
        for resolver, by_name in answers.items():
            if refused := _refused(by_name):
                log.warning(
                    "dns.addresses_refused", source=self.name, resolver=resolver, names=len(refused), first=refused[0]
                )


_UNREACHABLE: Final = f"check the resolver and the way there; {KEPT}"
_NOTHING: Final = f"check the resolvers: one that blocks these names cannot be asked for them; {KEPT}"


def _all_failed(failed: Sequence[SourceError]) -> SourceError:
    """One error for all resolvers: to come again later, unless every one of them said what must be put right."""
    kind = SourceImplausible if all(isinstance(exc, SourceImplausible) for exc in failed) else SourceUnreachable
    hints = dict.fromkeys(exc.hint.removesuffix(KEPT).rstrip("; ") for exc in failed)
    return kind("; ".join(exc.message for exc in failed), hint="; ".join([*filter(None, hints), KEPT]))


def _refused(by_name: Mapping[str, Answered]) -> list[str]:
    return [f"{name}: {answered.found.refused[0]}" for name, answered in by_name.items() if answered.found.refused]


def _blocked(answers: Answers) -> str:
    refused = [said for by_name in answers.values() for said in _refused(by_name)]
    return f"; {len(refused)} answers were no addresses of the internet ({refused[0]})" if refused else ""


def _about(asked: Network | None, answer: dns.message.Message) -> bool:
    """Whether an answer is for the clients that were asked about; a forged one may be for others (RFC 7871, 7.3)."""
    told = next((option for option in answer.options if isinstance(option, dns.edns.ECSOption)), None)
    if told is None or asked is None:
        return True
    return (told.address, told.srclen) == (str(asked.network_address), asked.prefixlen)


# --- what holds until its TTL has run out -----------------------------------------------------------------------------


def _answered(found: Resolved, now: datetime) -> Answered:
    return Answered(found=found, at=now, until=now + min(timedelta(seconds=found.ttl), MAX_TTL))


def remember(answers: Answers, *, asked_as: str) -> str:
    """The memo: every answer that holds for a while."""
    said = {
        resolver: {name: _packed(answer) for name, answer in by_name.items() if _is_worth_keeping(answer)}
        for resolver, by_name in answers.items()
    }
    return json.dumps({"asked_as": asked_as, "answers": said}, sort_keys=True)


def _is_worth_keeping(answer: Answered) -> bool:
    size = len(answer.found.addresses) + len(answer.found.refused)
    return answer.until > answer.at and size <= MAX_REMEMBERED


def recall(memo: str, *, asked_as: str, now: datetime) -> Answers:
    """The answers in a memo that still hold. None of another source, of another question, or of the future."""
    try:
        said = json.loads(memo) if memo else {}
        if not isinstance(said, dict) or said.get("asked_as") != asked_as:
            return {}
        return {resolver: dict(_holding(by_name, now)) for resolver, by_name in said["answers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # then everything is asked anew
        return {}


def _holding(by_name: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, Answered]]:
    for name, packed in by_name.items():
        answer = _unpacked(packed)
        if answer.at <= now < answer.until <= answer.at + MAX_TTL:
            yield name, answer


def _packed(answer: Answered) -> Mapping[str, Any]:
    found = answer.found
    return {
        "at": answer.at.isoformat(),
        "until": answer.until.isoformat(),
        "chain": found.chain,
        "addresses": [str(a) for a in found.addresses],
        "refused": [str(a) for a in found.refused],
        "ends": found.ends,
        "ttl": found.ttl,
    }


def _unpacked(packed: Mapping[str, Any]) -> Answered:
    found = Resolved(
        chain=tuple(str(name) for name in packed["chain"]),
        addresses=tuple(ip_address(a) for a in packed["addresses"]),
        refused=tuple(ip_address(a) for a in packed["refused"]),
        ends=bool(packed["ends"]),
        ttl=int(packed["ttl"]),
    )
    return Answered(found=found, at=instant(packed["at"]), until=instant(packed["until"]))


# --- what an answer says ----------------------------------------------------------------------------------------------


def read(name: str, answer: dns.message.Message) -> Resolved:
    """Follow the CNAMEs of one answer to its addresses. Records of other names are not believed. Pure."""
    chain = [name.lower().rstrip(".")]
    tables = _tables(answer)
    while (target := tables.cnames.get(chain[-1])) is not None and target not in chain and len(chain) < MAX_CHAIN:
        chain.append(target)
    addresses = tuple(tables.addresses.get(chain[-1], ()))
    return Resolved(
        chain=tuple(chain),
        addresses=tuple(a for a in addresses if _of_the_internet(a)),
        refused=tuple(a for a in addresses if not _of_the_internet(a)),
        ends=target is None,
        ttl=_ttl(answer, tables, chain),
    )


def joined(known: Iterable[Resolved]) -> Resolved:
    """The answers for both families as one, which holds as long as both do. Pure."""
    answers = tuple(known)
    longest = max(answers, key=lambda found: len(found.chain))
    return replace(
        longest,
        addresses=tuple(sorted((a for found in answers for a in found.addresses), key=_order)),
        refused=tuple(sorted((a for found in answers for a in found.refused), key=_order)),
        ends=all(found.ends for found in answers),
        ttl=min(found.ttl for found in answers),
    )


@dataclass(frozen=True, slots=True)
class _Tables:
    """The records of an answer by the name they are of, and the TTL of each name's."""

    cnames: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, list[Address]] = field(default_factory=dict)
    ttls: dict[str, int] = field(default_factory=dict)


def _in(section: Iterable[dns.rrset.RRset]) -> Iterator[dns.rrset.RRset]:
    """The records of class IN: an address of another class is none, and has another form."""
    return (records for records in section if records.rdclass == dns.rdataclass.IN)


def _tables(answer: dns.message.Message) -> _Tables:
    tables = _Tables()
    for records in _in(answer.answer):
        owner = records.name.to_text(omit_final_dot=True).lower()
        for record in records:
            if records.rdtype == dns.rdatatype.CNAME:
                tables.cnames[owner] = record.target.to_text(omit_final_dot=True).lower()
            elif records.rdtype in _TYPES:
                kind = IPv4Address if records.rdtype == dns.rdatatype.A else IPv6Address
                tables.addresses.setdefault(owner, []).append(kind(record.address))
            else:
                continue
            tables.ttls[owner] = min(records.ttl, tables.ttls.get(owner, records.ttl))
    return tables


def _ttl(answer: dns.message.Message, tables: _Tables, chain: Sequence[str]) -> int:
    """The least TTL on the way. That there is nothing at its end holds as long as the zone says (RFC 2308)."""
    on_the_way = [tables.ttls[name] for name in chain if name in tables.ttls]
    if chain[-1] in tables.ttls:
        return min(on_the_way)
    nothing = [
        min(records.ttl, record.minimum)
        for records in _in(answer.authority)
        if records.rdtype == dns.rdatatype.SOA
        for record in records
    ]
    return min(on_the_way + nothing) if nothing else 0


def _of_the_internet(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _judged(answers: Answers) -> Iterator[Indicator]:
    for resolver, by_name in answers.items():
        for name, answered in by_name.items():
            yield from judge(name, answered.found, resolver=resolver, now=answered.at)


def judge(name: str, found: Resolved, *, resolver: str, now: datetime) -> Iterator[Indicator]:
    """What one answer proves: that the name is alive, and which of its addresses are TikTok's own. Pure.

    An address that is none of the internet proves nothing: a resolver that blocks a name gives one.
    """
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
    endless = "" if found.ends else f", in a circle or beyond {MAX_CHAIN} names"
    more = f" and {len(found.refused) - _SHOWN} more" if len(found.refused) > _SHOWN else ""
    refused = f"; not believed: {', '.join(map(str, found.refused[:_SHOWN]))}{more}" if found.refused else ""
    count = f"{len(found.addresses)} addresses, {dedicated} in TikTok's own prefixes"
    return f"{chain}{shared}{endless}: {count}{refused}"


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
