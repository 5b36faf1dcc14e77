"""What networks announce now, from RIPEstat's announced-prefixes.

Source: stat.ripe.net/docs/data-api/api-endpoints/announced-prefixes. At most eight requests at a time from one address;
``sourceapp`` names us. The default window is two weeks, and the answer includes prefixes that were withdrawn inside it:
only what was seen until the end of the window is announced *now*.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.net import Network, parse_network
from ipsets import dataset
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.model import Confidence, Dedication, Indicator
from ipsets.sources.http import KEPT, Answer, Getter
from ipsets.sources.source import Fetched, LastGood, indicator

KIND: Final = "ripestat"
BASE_URL: Final = "https://stat.ripe.net"
PATH: Final = "/data/announced-prefixes/data.json"
MAX_CONCURRENT: Final = 8
MAX_AGE: Final = timedelta(days=3)
"""Routing data older than this says nothing about now; RIPEstat itself warns at 25 hours."""


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
    getter: Getter = field(default_factory=Getter)

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        with ThreadPoolExecutor(max_workers=min(MAX_CONCURRENT, len(self.asns)), thread_name_prefix="ripestat") as pool:
            answers = list(pool.map(self._ask, self.asns))
        found = (i for asn, answer in zip(self.asns, answers, strict=True) for i in _indicators(asn, answer, now))
        return Fetched(indicators=tuple(found))

    def _ask(self, asn: int) -> Answer:
        asked = {
            "resource": f"AS{asn}",
            "min_peers_seeing": str(self.min_peers_seeing),
            "sourceapp": self.sourceapp,
        }
        return self.getter.get(f"{self.base_url.rstrip('/')}{PATH}", params=asked)


def _indicators(asn: int, answer: Answer, now: datetime) -> Iterator[Indicator]:
    app, dedication = owner(asn)
    for network in parse(answer.text(), asn=asn, now=now):
        yield indicator(
            network,
            source=f"{KIND}:AS{asn}",
            seen=now,
            app=app,
            category="announced",
            confidence=Confidence.HIGH,
            dedication=dedication,
            detail=f"announced by AS{asn}",
        )


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
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _implausible(where, f"not JSON ({_kind(text)}): {exc}") from exc
    try:
        _check_status(envelope, where)
        data = envelope["data"]
        _check_subject(data, asn, where)
        end = _stamp(data["query_endtime"])
        if now - end > MAX_AGE:
            raise _implausible(where, f"the data ends {end:%Y-%m-%d %H:%M} UTC, too long ago")
        networks = tuple(_network(entry, where) for entry in data["prefixes"] if _seen_until(entry) >= end)
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise _implausible(where, f"not the documented shape: {type(exc).__name__} {exc}") from exc
    if not networks:
        raise _implausible(where, "announces nothing, which would empty its part of the list")
    return networks


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
    return max(_stamp(line["endtime"]) for line in entry["timelines"])


def _stamp(text: str) -> datetime:
    """RIPEstat's times are UTC and do not say so."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _kind(text: str) -> str:
    start = text.lstrip()[:1]
    return {"<": "HTML or XML", "": "empty"}.get(start, "broken off or another format")


def _implausible(where: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{where}: {why}", hint=KEPT)
