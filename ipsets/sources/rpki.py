"""Validated RPKI payloads: which network may originate which prefix, from the JSON export of a validator.

Source: routinator.docs.nlnetlabs.nl, "Output formats" (`json`); rpki-client writes the same array with numbers and an
`expires`. An authorisation is no announcement: it confirms what routing showed and enforces nothing
(``corroboration``).
The best origin is a validator of one's own, as a file or on this machine's loopback.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.net import WIDTH, Network, parse_network
from ipsets.errors import SourceImplausible
from ipsets.model import Indicator
from ipsets.sources.corroboration import corroboration
from ipsets.sources.document import Document
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood
from ipsets.text import utc_instant

KIND: Final = "rpki"
MAX_AGE: Final = timedelta(days=2)
"""A validator runs every few minutes; an export older than this says nothing about now."""
MAX_PAYLOADS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """``asn`` may originate ``network``, and pieces of it down to ``max_length``."""

    asn: int
    network: Network
    max_length: int
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RpkiSource:
    """What some networks may originate."""

    document: Document
    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        payloads = parse(self.document.text(), asns=self.asns, now=now, place=self.document.place)
        widest: dict[tuple[int, Network], Payload] = {}
        for payload in sorted(payloads, key=lambda p: (p.max_length, p.anchor)):
            widest[payload.asn, payload.network] = payload
        return Fetched(indicators=tuple(_indicator(payload, now) for payload in widest.values()))


def _indicator(payload: Payload, now: datetime) -> Indicator:
    down_to = f", down to /{payload.max_length}" if payload.max_length > payload.network.prefixlen else ""
    return corroboration(
        payload.network,
        asn=payload.asn,
        source=f"{KIND}:AS{payload.asn}",
        seen=now,
        category="authorised",
        detail=f"AS{payload.asn} may originate it{down_to} ({payload.anchor})",
    )


def parse(text: str, *, asns: Collection[int], now: datetime, place: str) -> tuple[Payload, ...]:
    """The payloads of these networks that hold now. Pure.

    An export has half a million entries; those of others are dropped while reading.

    Raises:
        SourceImplausible: not JSON, another shape, too old or without a date, or nothing of these networks.
    """
    wanted = {form for asn in asns for form in (asn, f"AS{asn}")}

    def only_ours(read: dict[str, Any]) -> dict[str, Any] | None:
        return None if "prefix" in read and read.get("asn") not in wanted else read

    try:
        export = json.loads(text, object_hook=only_ours)
    except (ValueError, RecursionError) as exc:
        raise _implausible(place, f"not JSON ({_kind(text)}): {exc}") from exc
    except TypeError as exc:
        raise _implausible(place, f"not a validator's export: {exc}") from exc
    try:
        _check_age(export["metadata"], now, place)
        entries = export["roas"]
        if not isinstance(entries, list):
            raise TypeError("`roas` is no list")  # noqa: TRY301  # the same end as every other shape
        payloads = _payloads(entries, now)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as exc:
        raise _implausible(place, f"not a validator's export: {type(exc).__name__} {exc}") from exc
    if not payloads or len(payloads) > MAX_PAYLOADS:
        names = ", ".join(f"AS{asn}" for asn in asns)
        raise _implausible(place, f"{len(payloads)} valid of {len(entries)} payloads are of {names}")
    return payloads


def _check_age(metadata: Mapping[str, Any], now: datetime, place: str) -> None:
    """Routinator says `generated` (seconds), rpki-client `buildtime`."""
    made = metadata.get("generated")
    if isinstance(made, int) and not isinstance(made, bool):
        at = datetime.fromtimestamp(made, UTC)
    else:
        at = utc_instant(metadata["buildtime" if "buildtime" in metadata else "generatedTime"])
    if now - at > MAX_AGE:
        raise _implausible(place, f"made {at:%Y-%m-%d %H:%M} UTC, too long ago: is the validator running?")


def _payloads(entries: Iterable[Mapping[str, Any] | None], now: datetime) -> tuple[Payload, ...]:
    return tuple(_payload(entry) for entry in entries if entry is not None and _holds(entry, now))


def _holds(entry: Mapping[str, Any], now: datetime) -> bool:
    expires = entry.get("expires")
    return expires is None or datetime.fromtimestamp(expires, UTC) > now


def _payload(entry: Mapping[str, Any]) -> Payload:
    network = parse_network(entry["prefix"])
    longest = entry["maxLength"]
    if not isinstance(longest, int) or not network.prefixlen <= longest <= WIDTH[network.version]:
        raise ValueError(f"{network} with maxLength {longest!r}")
    return Payload(
        asn=int(str(entry["asn"]).removeprefix("AS")),
        network=network,
        max_length=longest,
        anchor=str(entry.get("ta", "anchor not told"))[:40],
    )


def _kind(text: str) -> str:
    start = text.lstrip()[:1]
    return {"<": "HTML or XML", "": "empty"}.get(start, "broken off or another format")


def _implausible(place: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{place}: {why}", hint=KEPT)
