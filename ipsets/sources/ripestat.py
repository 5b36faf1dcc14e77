"""What networks announce now, from RIPEstat's announced-prefixes, and who holds them, from its as-overview.

Source: stat.ripe.net/docs/data-api/api-endpoints/announced-prefixes and …/as-overview. At most eight requests at a time
from one address; ``sourceapp`` names us. The default window is two weeks, and the answer includes prefixes that were
withdrawn inside it: only what was seen until the end of the window is announced *now*.

A holder is a name to show and to compare, and decides nothing. So one that cannot be had fails nothing either: the last
known one stays. So it is with the networks of neighbours, customers of the owner's cloud, which are never blocked.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from core.net import Network, address_count, parse_network
from ipsets import dataset
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.offlimits import APP as OFF_LIMITS
from ipsets.offlimits import NEIGHBOUR
from ipsets.sources.http import KEPT, Answer, Getter
from ipsets.sources.ranges import MAX_ADDRESSES_V4, WIDEST
from ipsets.sources.source import Fetched, LastGood, indicator
from ipsets.text import one_line, read_json, utc_instant

KIND: Final = "ripestat"
BASE_URL: Final = "https://stat.ripe.net"
PATH: Final = "/data/announced-prefixes/data.json"
HOLDER_PATH: Final = "/data/as-overview/data.json"
HOLDER_SECONDS: Final = 20.0
"""For one holder, asked once: nobody waits longer for a name that decides nothing."""
MAX_HOLDER: Final = 120
"""Characters of a holder that are kept."""
MAX_CONCURRENT: Final = 8
MAX_AGE: Final = timedelta(days=3)
"""Routing data older than this says nothing about now; RIPEstat itself warns at 25 hours."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RipestatSource:
    """The announced prefixes of some networks. One network that fails fails the source: half an answer is none."""

    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    base_url: str = BASE_URL
    sourceapp: str = "tokgate"
    min_peers_seeing: int = 10
    holders: bool = True
    """Whether to ask who holds each network."""
    neighbours: tuple[int, ...] = ()
    """Networks whose prefixes belong to unrelated customers: what they announce is off limits."""
    getter: Getter = field(default_factory=Getter)

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        with ThreadPoolExecutor(max_workers=min(MAX_CONCURRENT, len(self.asns)), thread_name_prefix="ripestat") as pool:
            answers = list(pool.map(self._ask, self.asns))
            announced = [parse(a.text(), asn=asn, now=now) for asn, a in zip(self.asns, answers, strict=True)]
            told = list(pool.map(lambda asn: self._holder(asn, now), self.asns if self.holders else ()))
        known = _remembered(last) if self.holders else {}
        held = known | {asn: holder for asn, holder in zip(self.asns, told, strict=False) if holder}
        networks = zip(self.asns, announced, strict=True)
        found = tuple(i for asn, prefixes in networks for i in _indicators(asn, prefixes, held.get(asn), now))
        near = tuple(i for asn in self.neighbours for i in self._neighbour(asn, now, last))
        return Fetched(indicators=(*found, *near), memo=_memo({asn: held[asn] for asn in self.asns if asn in held}))

    def _ask(self, asn: int, getter: Getter | None = None) -> Answer:
        asked = {
            "resource": f"AS{asn}",
            "min_peers_seeing": str(self.min_peers_seeing),
            "sourceapp": self.sourceapp,
        }
        return (getter or self.getter).get(f"{self.base_url.rstrip('/')}{PATH}", params=asked)

    def _neighbour(self, asn: int, now: datetime, last: LastGood | None) -> tuple[Indicator, ...]:
        """What a neighbour announces: told in one attempt, or what it announced when that was told last."""
        try:
            networks = parse(self._ask(asn, self._once()).text(), asn=asn, now=now)
            _refuse_wide(networks, f"RIPEstat, AS{asn}")
        except SourceError as exc:  # it only ever spares; the shipped set has its own rows
            log.warning("source.neighbour_not_told", source=self.name, asn=asn, error=exc.message)
            known = last.indicators if last is not None else ()
            return tuple(i for i in known if any(p.source == f"{KIND}:AS{asn}" for p in i.sources))
        return tuple(_off_limits(network, asn, now) for network in networks)

    def _once(self) -> Getter:
        """For what decides nothing by itself: one attempt, and nobody waits long."""
        return replace(self.getter, attempts=1, total_seconds=HOLDER_SECONDS)

    def _holder(self, asn: int, now: datetime) -> str | None:
        """Who holds the network. None when RIPEstat does not know, or did not say it in one attempt."""
        asked = {"resource": f"AS{asn}", "sourceapp": self.sourceapp}
        try:
            answer = self._once().get(f"{self.base_url.rstrip('/')}{HOLDER_PATH}", params=asked)
            return parse_holder(answer.text(), asn=asn, now=now)
        except SourceError as exc:  # a name that decides nothing; what is announced was told
            log.warning("source.holder_not_told", source=self.name, asn=asn, error=exc.message)
            return None


def _remembered(last: LastGood | None) -> dict[int, str]:
    """The holders of the last good answer; none when there was none, or an older release wrote it."""
    try:
        known = json.loads(last.memo)["holders"] if last is not None and last.memo else {}
        return {int(asn): _clean(holder) for asn, holder in known.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _memo(held: Mapping[int, str]) -> str:
    return json.dumps({"holders": {str(asn): held[asn] for asn in sorted(held)}}) if held else ""


def _indicators(asn: int, networks: tuple[Network, ...], holder: str | None, now: datetime) -> Iterator[Indicator]:
    app, dedication = owner(asn)
    for network in networks:
        yield indicator(
            network,
            source=f"{KIND}:AS{asn}",
            seen=now,
            app=app,
            category="announced",
            confidence=Confidence.HIGH,
            dedication=dedication,
            detail=f"announced by AS{asn}, held by {holder}" if holder else f"announced by AS{asn}",
        )


def _off_limits(network: Network, asn: int, now: datetime) -> Indicator:
    return indicator(
        network,
        source=f"{KIND}:AS{asn}",
        seen=now,
        app=OFF_LIMITS,
        category=NEIGHBOUR,
        confidence=Confidence.HIGH,
        dedication=Dedication.NEVER,
        detail=f"announced by AS{asn}, whose customers are not TikTok's",
    )


def _refuse_wide(networks: tuple[Network, ...], where: str) -> None:
    """Raises ``SourceImplausible`` for more than a neighbour can have: it would switch the list off."""
    wide = next((n for n in networks if n.prefixlen < WIDEST[n.version]), None)
    if wide is not None:
        raise _implausible(where, f"{wide} is wider than /{WIDEST[wide.version]}")
    if (held := address_count(networks, 4)) > MAX_ADDRESSES_V4:
        raise _implausible(where, f"{held} IPv4 addresses, more than an eighth of all")


def owner(asn: int) -> tuple[str, Dedication]:
    """Whose prefixes these are. A network that we do not know is nobody's, and nothing of it is enforced."""
    row = dataset.as_numbers().get(asn)
    if row is None:
        return "unknown", Dedication.UNKNOWN
    if row.dedication == "dedicated":
        return "tiktok", Dedication.DEDICATED
    apps = {"bytedance": "bytedance-shared", "volcengine": "volcengine-byteplus", "byteplus": "volcengine-byteplus"}
    return apps.get(row.tag, "unknown"), Dedication.SHARED


def parse(text: str, *, asn: int, now: datetime) -> tuple[Network, ...]:
    """The prefixes that the network announces at the end of the answer's window. Pure.

    Raises:
        SourceUnreachable: the service itself says that it failed.
        SourceImplausible: not JSON, another shape, another network, too old, a bad prefix, or nothing at all.
    """
    where = f"RIPEstat, AS{asn}"
    with _documented(where):
        data, end = _current(text, asn, now, where)
        networks = tuple(_network(entry, where) for entry in data["prefixes"] if _seen_until(entry) >= end)
    if not networks:
        raise _implausible(where, "announces nothing, which would empty its part of the list")
    return networks


def parse_holder(text: str, *, asn: int, now: datetime) -> str | None:
    """Who holds the network, printable, of at most ``MAX_HOLDER`` characters; None when RIPEstat does not know. Pure.

    Raises:
        SourceUnreachable: the service itself says that it failed.
        SourceImplausible: not JSON, another shape, another network, or too old.
    """
    where = f"RIPEstat as-overview, AS{asn}"
    with _documented(where):
        holder = _current(text, asn, now, where)[0]["holder"]
        return None if holder is None else _clean(holder) or None


def _clean(holder: Any) -> str:
    """As one printable line: it goes to logs and terminals, and anybody may register any name.

    Raises ``TypeError`` for what is no text.
    """
    if not isinstance(holder, str):
        raise TypeError(f"the holder is {type(holder).__name__}")
    return one_line(holder, MAX_HOLDER)


@contextlib.contextmanager
def _documented(where: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as exc:
        raise _implausible(where, f"not the documented shape: {type(exc).__name__} {exc}") from exc


def _current(text: str, asn: int, now: datetime, where: str) -> tuple[Mapping[str, Any], datetime]:
    """The data of a good answer about this network, and the end of its window, which is not long ago."""
    try:
        envelope = read_json(text)
    except (ValueError, RecursionError) as exc:
        raise _implausible(where, f"not JSON ({_kind(text)}): {exc}") from exc
    _check_status(envelope, where)
    data = envelope["data"]
    _check_subject(data, asn, where)
    end = utc_instant(data["query_endtime"])
    if now - end > MAX_AGE:
        raise _implausible(where, f"the data ends {end:%Y-%m-%d %H:%M} UTC, too long ago")
    return data, end


def _check_status(envelope: Mapping[str, Any], where: str) -> None:
    status, code = envelope["status"], envelope.get("status_code", 200)
    if status == "ok" and code == 200:
        return
    said = "; ".join(str(message[-1]) for message in envelope.get("messages") or ())
    if isinstance(code, int) and (code >= 500 or code == 429):
        raise SourceUnreachable(f"{where}: status {status!r} {code}: {said}", hint=f"later again; {KEPT}")
    raise _implausible(where, f"status {status!r} {code}: {said}")


def _check_subject(data: Mapping[str, Any], asn: int, where: str) -> None:
    resource = str(data["resource"]).upper().removeprefix("AS")  # it comes back without "AS"
    if resource != str(asn):
        raise _implausible(where, f"the answer is about {data['resource']!r}")


def _network(entry: Mapping[str, Any], where: str) -> Network:
    try:
        return parse_network(entry["prefix"])
    except ValueError as exc:
        raise _implausible(where, f"{entry['prefix']!r} is no prefix: {exc}") from exc


def _seen_until(entry: Mapping[str, Any]) -> datetime:
    return max(utc_instant(line["endtime"]) for line in entry["timelines"])


def _kind(text: str) -> str:
    start = text.lstrip()[:1]
    return {"<": "HTML or XML", "": "empty"}.get(start, "broken off or another format")


def _implausible(where: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{where}: {why}", hint=KEPT)
