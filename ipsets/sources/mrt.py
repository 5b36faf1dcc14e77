"""Who originates what, from a routing table that a route collector wrote: MRT, TABLE_DUMP_V2 (RFC 6396, RFC 8050).

RIPE RIS offers such files as ``bview.*.gz``, RouteViews as ``rib.*.bz2``. One has a million prefixes and dozens of
peers for each, so it is read as a stream: records are cut here, by their length, and only those in which one of our
networks occurs at all go to the ``ftlbgp`` library (``tokgate[mrt]``; decision 14). Each prefix has a *set* of origins.
What a routing table shows at one place and time confirms other sources, and enforces nothing (``corroboration``).
"""

from __future__ import annotations

import bz2
import gzip
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from core.net import Network, parse_network
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.model import Indicator
from ipsets.sources.corroboration import corroboration, refuse_odd
from ipsets.sources.http import KEPT
from ipsets.sources.source import Fetched, LastGood

KIND: Final = "mrt"
MIN_PEERS: Final = 5
MAX_AGE: Final = timedelta(days=3)
"""Collectors write a table every two or eight hours."""
MAX_BYTES: Final = 4 * 1024**3
"""Of the unpacked table. A large one has some 3 GB."""
MAX_RECORD: Final = 16 * 65535
"""Of one prefix with all its peers, in bytes; what the library takes."""
MAX_OURS: Final = 256 * 1024 * 1024
"""Of all records in which our networks occur, in bytes."""
MAX_SHOWN: Final = 8
"""Origins that are named beside ours."""
CLOCK_SKEW: Final = timedelta(days=1)

_HEADER: Final = struct.Struct("!IHHI")
_TABLE_DUMP_V2: Final = 13
_OTHER_TYPES: Final = {12: "the older TABLE_DUMP", 16: "updates (BGP4MP)", 17: "updates (BGP4MP_ET)"}
_PEERS: Final = 1
_UNICAST: Final = frozenset({2, 4, 8, 10})
"""IPv4 and IPv6, each plain and with ADD-PATH."""
_UNPACKERS: Final[Mapping[bytes, Callable[[Path, str], Any]]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}
Origin: TypeAlias = int | tuple[int, ...] | None
"""A network; the members of a set (RFC 9774 forbids those, and one may be any of them); None for an empty path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was cut out of a file: the table of peers and our records as they stand there."""

    written: datetime
    records: bytes
    entries: int
    """Routes in ``records``, as their headers say."""
    passed_over: int
    """Records that are no unicast routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One prefix: how many peers see it, and how many of them from each origin."""

    network: Network
    peers: int
    origins: Mapping[Origin, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MrtSource:
    """What some networks originate, as the peers of a route collector see it."""

    file: Path
    asns: tuple[int, ...]
    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    min_peers: int = MIN_PEERS
    max_age: timedelta = MAX_AGE
    max_bytes: int = MAX_BYTES

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        place = str(self.file)
        _refuse_missing_library()
        with _opened(self.file) as stream:
            table = cut(stream, asns=self.asns, max_bytes=self.max_bytes, place=place)
        _check_age(table.written, now, self.max_age, place)
        ours = [(asn, seen) for seen in seen_by_prefix(parsed(table, place)) for asn in self._originating(seen)]
        names = ", ".join(f"AS{asn}" for asn in self.asns)
        refuse_odd([s.network for _, s in ours], f"networks of {names} that {self.min_peers} peers or more see", place)
        words = tuple(_indicator(asn, seen, table.written, now) for asn, seen in ours)
        return Fetched(indicators=words, skipped=table.passed_over)

    def _originating(self, seen: Seen) -> Iterator[int]:
        return (asn for asn in self.asns if seen.origins.get(asn, 0) >= self.min_peers)


def _indicator(asn: int, seen: Seen, written: datetime, now: datetime) -> Indicator:
    return corroboration(
        seen.network,
        asn=asn,
        source=f"{KIND}:AS{asn}",
        seen=now,
        category="in-a-table",
        detail=f"originated by AS{asn}{_said(asn, seen)}, in a routing table of {written:%Y-%m-%d %H:%M} UTC",
    )


def _said(asn: int, seen: Seen) -> str:
    """For how many peers, and who else originates it."""
    others = sorted(((o, n) for o, n in seen.origins.items() if o != asn), key=lambda each: (-each[1], str(each[0])))
    named = [f"{_origin_name(origin)} ({count})" for origin, count in others[:MAX_SHOWN]]
    more = [f"{len(others) - MAX_SHOWN} more"] if len(others) > MAX_SHOWN else []
    also = f"; also by {', '.join(named + more)}" if named else ""
    return f" for {seen.origins[asn]} of {seen.peers} peers{also}"


def _origin_name(origin: Origin) -> str:
    match origin:
        case None:
            return "nobody named"
        case int():
            return f"AS{origin}"
        case _:
            members = " ".join(f"AS{asn}" for asn in origin[:MAX_SHOWN])
            return f"one of the set {members}{' …' if len(origin) > MAX_SHOWN else ''}"


# --- cutting the stream -----------------------------------------------------------------------------------------------


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """The file, unpacked while it is read. What is wrong with it then is a ``SourceImplausible``."""
    if file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise SourceUnreachable(f"{file}: not a regular file", hint=f"name a file; {KEPT}")
    try:
        with file.open("rb") as packed:
            start = packed.read(2)
    except OSError as exc:
        raise SourceUnreachable(f"{file}: {exc.strerror}", hint=f"check the path and its rights; {KEPT}") from exc
    try:
        with _UNPACKERS.get(start, Path.open)(file, "rb") as stream:
            yield stream
    except (OSError, EOFError, zlib.error) as exc:
        raise _implausible(str(file), f"cannot be unpacked, it may be cut off: {exc}") from exc


def cut(stream: IO[bytes], *, asns: Collection[int], max_bytes: int, place: str) -> Table:
    """The table of peers, and the records in which one of these networks occurs. Reads the stream to its end.

    A record without the four bytes of a network's number has no path with it. One with them may have them by chance.

    Raises:
        SourceImplausible: another format, cut off, longer than ``max_bytes``, or more of ours than can be believed.
    """
    wanted = [asn.to_bytes(4, "big") for asn in asns]
    written: datetime | None = None
    kept = bytearray()
    entries = passed_over = 0
    for header, body in _records(stream, max_bytes, place):
        at, kind, subtype, _ = _HEADER.unpack(header)
        if kind != _TABLE_DUMP_V2:
            raise _implausible(place, f"{_OTHER_TYPES.get(kind, f'records of type {kind}')}, not a routing table")
        if subtype == _PEERS and written is None:
            written = datetime.fromtimestamp(at, UTC)
            kept += header + body
        elif subtype == _PEERS:
            raise _implausible(place, "more than one routing table")
        elif written is None:
            raise _implausible(place, "it does not begin with a table of peers")
        elif subtype not in _UNICAST:
            passed_over += 1
        elif any(number in body for number in wanted):
            entries += _entries(body, place)
            kept += header + body
            if len(kept) > MAX_OURS:
                raise _implausible(place, f"more than {MAX_OURS} bytes about these networks: are they transit?")
    if written is None:
        raise _implausible(place, "empty")
    return Table(written=written, records=bytes(kept), entries=entries, passed_over=passed_over)


def _records(stream: IO[bytes], max_bytes: int, place: str) -> Iterator[tuple[bytes, bytes]]:
    """Each header with its body."""
    read = 0
    while header := stream.read(_HEADER.size):
        length = int.from_bytes(header[8:12], "big")
        read += _HEADER.size + length
        if len(header) == _HEADER.size and length > MAX_RECORD:
            raise _implausible(place, f"no MRT: a record of {length} bytes at byte {read - length - _HEADER.size}")
        if read > max_bytes:
            raise _implausible(place, f"more than {max_bytes} bytes when unpacked")
        body = stream.read(length)
        if len(header) < _HEADER.size or len(body) < length:
            raise _implausible(place, f"cut off in the record that ends at byte {read}")
        yield header, body


def _entries(body: bytes, place: str) -> int:
    """How many routes the record has, by its own word: behind a number and the prefix."""
    at = 5 + (body[4] + 7) // 8 if len(body) > 4 else 0
    if not 0 < at <= len(body) - 2:
        raise _implausible(place, "a record that is shorter than its own prefix")
    return int.from_bytes(body[at : at + 2], "big")


def _check_age(written: datetime, now: datetime, max_age: timedelta, place: str) -> None:
    if written - now > CLOCK_SKEW:
        raise _implausible(place, f"written {written:%Y-%m-%d %H:%M} UTC, in the future: is the clock right?")
    if now - written > max_age:
        said = f"written {written:%Y-%m-%d %H:%M} UTC, more than {max_age.days} days (max_age_days) ago"
        raise SourceImplausible(f"{place}: {said}", hint=f"fetch a newer one; {KEPT}")


# --- what the library reads -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One peer's view of one prefix."""

    network: Network
    peer: tuple[int, int]
    """Its network and its address."""
    origin: Origin


def _refuse_missing_library() -> None:
    try:
        import ftlbgp  # noqa: F401  # heavy, and an extra
    except ImportError as exc:
        hint = f"install it with: pip install 'tokgate[mrt]'; {KEPT}"
        raise SourceUnreachable("to read routing tables (MRT) the library ftlbgp is needed", hint=hint) from exc


def parsed(table: Table, place: str) -> Iterator[Route]:
    """Every route of the records. Raises ``SourceImplausible`` when one cannot be read, or the number is another."""
    from ftlbgp import MrtParser
    from ftlbgp.model.error import FtlError

    known = MrtParser.bgp
    told = {  # always the same: the library keeps it in its own modules while any thread parses
        "bgp_records": known.records.route,
        "bgp_route": known.route.peer_as | known.route.peer_ip | known.route.human.prefix | known.route.aspath,
    }
    count = 0
    try:
        with tempfile.NamedTemporaryFile(suffix=".mrt") as file:  # the library reads files only
            file.write(table.records)
            file.flush()
            with MrtParser(raise_on_errors=True, **told) as parse:
                for row in parse(file.name):
                    count += 1
                    yield _route(row)
    except (FtlError, ValueError) as exc:  # the second: a prefix with bits behind its length
        raise _implausible(place, f"a damaged record: {exc}") from exc
    except OSError as exc:
        why = f"no temporary file to be had: {exc.strerror}"
        raise SourceUnreachable(why, hint=f"free the disk; {KEPT}") from exc
    if count != table.entries:
        raise _implausible(place, f"{count} routes where its records have {table.entries}")


def _route(row: Any) -> Route:
    return Route(network=parse_network(row.prefix), peer=(row.peer_as, row.peer_ip), origin=_origin(row.aspath))


def _origin(path: tuple[int | tuple[int, ...], ...] | None) -> Origin:
    return path[-1] if path else None


def seen_by_prefix(routes: Iterable[Route]) -> tuple[Seen, ...]:
    """Each prefix once, with all its origins. Pure. A peer with several paths (ADD-PATH) is one for each origin."""
    views = {(route.network, route.peer, route.origin) for route in routes}
    peers = Counter(network for network, _ in {(network, peer) for network, peer, _ in views})
    origins: dict[Network, Counter[Origin]] = {network: Counter() for network in peers}
    for network, _, origin in views:
        origins[network][origin] += 1
    return tuple(Seen(network=n, peers=peers[n], origins=origins[n]) for n in sorted(peers, key=str))


def _implausible(place: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{place}: {why}"[:400], hint=KEPT)
