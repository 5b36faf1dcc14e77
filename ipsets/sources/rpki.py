"""Validated RPKI payloads: which network may originate which prefix, from the JSON export of a validator.

Source: routinator.docs.nlnetlabs.nl, "Output formats" (`json`); rpki-client writes the same array with numbers and an
`expires`. An authorisation is no announcement: it confirms what routing showed and enforces nothing
(``corroboration``).
The best origin is a validator of one's own, as a file or on this machine's loopback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.net import WIDTH, Network, parse_network
from ipsets.errors import SourceImplausible
from ipsets.model import Indicator
from ipsets.sources.corroboration import corroboration
from ipsets.sources.document import Document, remembered, seen_again, with_facts
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood
from ipsets.text import instant, one_line, read_json, utc_instant

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
    expires: datetime | None = None  # not told by every validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The payloads of some networks in an export, and when it was made."""

    made: datetime
    payloads: tuple[Payload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RpkiSource:
    """What some networks may originate."""

    document: Document
    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        place = self.document.place
        heard = self.document.ask(last if _holds_still(last, now) else None, meaning=(self.kind, self.asns))
        if heard.text is None and last is not None:
            _check_age(instant(heard.facts["made"]), now, place)  # unchanged for days: its validator stands still
            return Fetched(indicators=seen_again(last.indicators, now), memo=heard.memo)
        export = read(heard.text or "", asns=self.asns, now=now, place=place)
        return Fetched(indicators=_indicators(export.payloads, now), memo=with_facts(heard.memo, _facts(export)))


def _indicators(payloads: Iterable[Payload], now: datetime) -> tuple[Indicator, ...]:
    widest: dict[tuple[int, Network], Payload] = {}
    for payload in sorted(payloads, key=lambda p: (p.max_length, p.anchor)):
        widest[payload.asn, payload.network] = payload
    return tuple(_indicator(payload, now) for payload in widest.values())


def _facts(export: Export) -> Mapping[str, str]:
    """What an unchanged export is judged by: when it was made, and until when all its payloads hold."""
    ends = [payload.expires for payload in export.payloads if payload.expires is not None]
    return {"made": export.made.isoformat(), **({"until": min(ends).isoformat()} if ends else {})}


def _holds_still(last: LastGood | None, now: datetime) -> bool:
    """Whether "unchanged" would be an answer. When one of its payloads has ended, the text is needed again."""
    known = remembered(last)
    try:
        instant(known["made"])
        return now < instant(known["until"]) if "until" in known else True
    except (KeyError, TypeError, ValueError):
        return False


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
    """The payloads of these networks that hold now. Pure. Raises as ``read``."""
    return read(text, asns=asns, now=now, place=place).payloads


def read(text: str, *, asns: Collection[int], now: datetime, place: str) -> Export:
    """The payloads of these networks that hold now, and when the export was made. Pure.

    An export has half a million entries; those of others are dropped while reading.

    Raises:
        SourceImplausible: not JSON, another shape, too old or without a date, or nothing of these networks.
    """
    wanted = {form for asn in asns for form in (asn, f"AS{asn}")}

    def only_ours(read: dict[str, Any]) -> dict[str, Any] | None:
        return None if "prefix" in read and read.get("asn") not in wanted else read

    try:
        export = read_json(text, object_hook=only_ours)
    except (ValueError, RecursionError) as exc:
        raise _implausible(place, f"not JSON ({_kind(text)}): {exc}") from exc
    except TypeError as exc:
        raise _implausible(place, f"not a validator's export: {exc}") from exc
    try:
        made = _made(export["metadata"])
        _check_age(made, now, place)
        entries = export["roas"]
        if not isinstance(entries, list):
            raise TypeError("`roas` is no list")  # noqa: TRY301  # the same end as every other shape
        payloads = _payloads(entries, now)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as exc:
        raise _implausible(place, f"not a validator's export: {type(exc).__name__} {exc}") from exc
    if not payloads or len(payloads) > MAX_PAYLOADS:
        names = ", ".join(f"AS{asn}" for asn in asns)
        raise _implausible(place, f"{len(payloads)} valid of {len(entries)} payloads are of {names}")
    return Export(made=made, payloads=payloads)


def _made(metadata: Mapping[str, Any]) -> datetime:
    """Routinator says `generated` (seconds), rpki-client `buildtime`."""
    made = metadata.get("generated")
    if isinstance(made, int) and not isinstance(made, bool):
        return datetime.fromtimestamp(made, UTC)
    return utc_instant(metadata["buildtime" if "buildtime" in metadata else "generatedTime"])


def _check_age(made: datetime, now: datetime, place: str) -> None:
    if now - made > MAX_AGE:
        raise _implausible(place, f"made {made:%Y-%m-%d %H:%M} UTC, too long ago: is the validator running?")


def _payloads(entries: Iterable[Mapping[str, Any] | None], now: datetime) -> tuple[Payload, ...]:
    return tuple(_payload(entry) for entry in entries if entry is not None and _holds(entry, now))


def _holds(entry: Mapping[str, Any], now: datetime) -> bool:
    expires = _expires(entry)
    return expires is None or expires > now


def _expires(entry: Mapping[str, Any]) -> datetime | None:
    expires = entry.get("expires")
    return None if expires is None else datetime.fromtimestamp(expires, UTC)


def _payload(entry: Mapping[str, Any]) -> Payload:
    network = parse_network(entry["prefix"])
    longest = entry["maxLength"]
    if not isinstance(longest, int) or not network.prefixlen <= longest <= WIDTH[network.version]:
        raise ValueError(f"{network} with maxLength {longest!r}")
    return Payload(
        asn=int(str(entry["asn"]).removeprefix("AS")),
        network=network,
        max_length=longest,
        anchor=one_line(str(entry.get("ta", "anchor not told")), 40),
        expires=_expires(entry),
    )


def _kind(text: str) -> str:
    start = text.lstrip()[:1]
    return {"<": "HTML or XML", "": "empty"}.get(start, "broken off or another format")


def _implausible(place: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{place}: {why}", hint=KEPT)
