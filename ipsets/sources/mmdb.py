"""Networks and who originates them, from a database in MaxMind's format: GeoLite2-ASN, GeoIP2-ISP, IPinfo's.

Source: maxmind.github.io/MaxMind-DB, version 2.0. A record of MaxMind's has ``autonomous_system_number`` and often
``autonomous_system_organization``, one of IPinfo's has ``asn`` ("AS174") and ``as_name`` or ``name``.
The tree is walked here, so that a damaged one ends; what lies behind it is read by the ``maxminddb`` library, which
bounds every record. A database names one origin for each network, where routing may have several.
"""

from __future__ import annotations

import io
import re
import sys
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

from core.net import Network
from ipsets.errors import SourceImplausible
from ipsets.sources.http import KEPT

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
METADATA_SPAN: Final = 128 * 1024
"""The marker of the metadata stands somewhere in so many last bytes."""
SEPARATOR: Final = 16
"""Zeros between tree and data."""
SAMPLE: Final = 4096
"""A database whose first so many different records name no network as origin is of another kind."""
MAX_WORDS: Final = 120
CLOCK_SKEW: Final = timedelta(days=1)
_ASN: Final = re.compile(r"AS([0-9]{1,10})")
_HIGH: Final = bytes(byte >> 4 for byte in range(256))
_LOW: Final = bytes(byte & 15 for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """``asn`` originates ``network``, as the database says; ``organisation`` is empty when it does not tell."""

    asn: int
    network: Network
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What a database says of some networks. ``kind`` is its own name for what it is."""

    kind: str
    built: datetime
    held: tuple[Held, ...]


def is_mmdb(data: bytes) -> bool:
    """By its content: the marker near its end."""
    return _marker(data) >= 0


def parse(data: bytes, *, asns: Collection[int], now: datetime, max_age: timedelta, place: str) -> Database:
    """What the database says of these networks. Pure.

    Raises:
        SourceImplausible: cut off, damaged, built longer than ``max_age`` ago, or of a kind without origins.
    """
    from maxminddb import MODE_FD, InvalidDatabaseError, open_database  # only where such a file is read

    try:
        reader = open_database(io.BytesIO(data), MODE_FD)  # which is the file as bytes, and nothing on the disk
        told = reader.metadata()
        built = _built(told.build_epoch)
        tree = _tree(data, told)
        kind = _words(told.database_type)
    except (InvalidDatabaseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as exc:
        raise _implausible(place, f"a MaxMind database that is damaged or cut off: {exc}") from exc
    _check_age(built, now, max_age, f"{place}: {kind}")
    try:
        held = tuple(_held(tree, reader.get, frozenset(asns), f"{place}: {kind}"))
    except (InvalidDatabaseError, ValueError, TypeError) as exc:
        raise _implausible(place, f"a damaged {kind}: {exc}") from exc
    return Database(kind=kind, built=built, held=held)


def _built(epoch: Any) -> datetime:
    if type(epoch) is not int:
        raise TypeError(f"build_epoch {epoch!r}")
    return datetime.fromtimestamp(epoch, UTC)


def _check_age(built: datetime, now: datetime, max_age: timedelta, what: str) -> None:
    if built - now > CLOCK_SKEW:
        raise _implausible(what, f"made {built:%Y-%m-%d}, in the future: is this machine's clock right?")
    if now - built > max_age:
        said = f"made {built:%Y-%m-%d}, {(now - built).days} days ago, more than the {max_age.days} of max_age_days"
        raise SourceImplausible(f"{what}: {said}", hint=f"fetch a newer one; {KEPT}")


# --- the tree ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """``records`` are left and right of each node: below ``nodes`` another node, ``nodes`` nothing, above a record."""

    records: Sequence[int]
    nodes: int
    bits: int
    last: int
    """No record is higher."""

    def leaves(self) -> Iterator[tuple[int, int, int]]:
        """(address, prefix length, record), each once.

        Addresses of IPv4 lie below ``::/96`` in a tree of IPv6, and other ranges of IPv6 point to there: those are not
        followed. Raises ``ValueError`` where it is no tree.
        """
        start, records, nodes = self._start_of_ipv4(), self.records, self.nodes
        seen, stack = 0, [(0, 0, 0)] if nodes else []
        while stack:
            node, address, depth = stack.pop()
            seen += 1
            if seen > nodes or depth >= self.bits:
                raise ValueError("its search tree has loops")
            depth += 1
            bit = 1 << (self.bits - depth)
            for record, at in ((records[2 * node + 1], address | bit), (records[2 * node], address)):
                if record < nodes:
                    if not (at and record == start):
                        stack.append((record, at, depth))
                elif record > nodes:
                    if not nodes + SEPARATOR <= record < self.last:
                        raise ValueError("its search tree points outside the data")
                    yield at, depth, record

    def _start_of_ipv4(self) -> int:
        """The node of ``::/96``; -1 when there is none."""
        if self.bits == 32:
            return -1
        node = 0
        for _ in range(96):
            if node >= self.nodes:
                return -1
            node = self.records[2 * node]
        return node if node < self.nodes else -1


def _tree(data: bytes, told: Any) -> _Tree:
    """Raises ``ValueError`` or ``TypeError`` when the metadata and the file do not fit together."""
    nodes, size, version = told.node_count, told.record_size, told.ip_version
    if type(nodes) is not int or version not in (4, 6) or told.binary_format_major_version != 2:
        raise ValueError(f"node_count {nodes!r}, ip_version {version!r}")
    end = _marker(data) - nodes * size // 4 - SEPARATOR
    if end < 0:
        raise ValueError("its search tree is longer than the file")
    return _Tree(
        records=_records(data, size, nodes), nodes=nodes, bits=32 if version == 4 else 128, last=nodes + SEPARATOR + end
    )


def _records(data: bytes, size: int, nodes: int) -> Sequence[int]:
    """Left and right of each node, as numbers: a million nodes in some milliseconds."""
    wide = bytearray(8 * nodes)
    if size == 32:
        wide[:] = data[: 8 * nodes]
    elif size == 24:
        for byte in range(3):
            wide[byte + 1 :: 4] = data[byte : 6 * nodes : 3]
    elif size == 28:  # the fourth of seven bytes has the highest four bits of both
        middle = data[3 : 7 * nodes : 7]
        wide[0::8], wide[4::8] = middle.translate(_HIGH), middle.translate(_LOW)
        for byte in range(3):
            wide[byte + 1 :: 8], wide[byte + 5 :: 8] = data[byte : 7 * nodes : 7], data[byte + 4 : 7 * nodes : 7]
    else:
        raise ValueError(f"record_size {size!r}")
    records = array("I", bytes(wide))
    if sys.byteorder == "little":
        records.byteswap()
    return records


def _marker(data: bytes) -> int:
    return data.rfind(MARKER, max(0, len(data) - METADATA_SPAN))


# --- the records ------------------------------------------------------------------------------------------------------


def _held(
    tree: _Tree, get: Callable[[IPv4Address | IPv6Address], Any], wanted: Collection[int], what: str
) -> Iterator[Held]:
    """What is of the wanted networks. Many networks share a record, so each record is read once."""
    known: dict[int, tuple[int, str] | None] = {}
    origins = 0
    for address, depth, record in tree.leaves():
        if record not in known:
            origin = _origin(get(_address(tree, address, depth)))
            known[record] = origin if origin is not None and origin[0] in wanted else None
            origins += origin is not None
            if len(known) == SAMPLE:
                _refuse_other_kind(origins, what)
        if (ours := known[record]) is not None:
            yield Held(asn=ours[0], network=_network(tree, address, depth), organisation=ours[1])
    _refuse_other_kind(origins, what)


def _refuse_other_kind(origins: int, what: str) -> None:
    if not origins:
        raise SourceImplausible(
            f"{what}: its records name no network (AS) as origin",
            hint=f"a database such as GeoLite2-ASN or IPinfo's is meant, not one of places; {KEPT}",
        )


def _address(tree: _Tree, address: int, depth: int) -> IPv4Address | IPv6Address:
    return IPv4Address(address) if _is_ipv4(tree, address, depth) else IPv6Address(address)


def _network(tree: _Tree, address: int, depth: int) -> Network:
    if not _is_ipv4(tree, address, depth):
        return IPv6Network((address, depth))
    return IPv4Network((address, depth - (tree.bits - 32)))


def _is_ipv4(tree: _Tree, address: int, depth: int) -> bool:
    return tree.bits == 32 or (depth >= 96 and address >> 32 == 0)


def _origin(record: Any) -> tuple[int, str] | None:
    """The origin and its name; None where the record has none. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(record, dict):
        raise TypeError(f"a record is {type(record).__name__}, not a map")
    if "autonomous_system_number" in record:
        asn = record["autonomous_system_number"]
        if type(asn) is not int or not 0 <= asn < 1 << 32:
            raise ValueError(f"autonomous_system_number {str(asn)[:40]!r}")
        return asn, _words(record.get("autonomous_system_organization", ""))
    if not record.get("asn"):  # IPinfo leaves it out or empty where nobody originates it
        return None
    number = _ASN.fullmatch(record["asn"])
    if number is None or int(number[1]) >= 1 << 32:
        raise ValueError(f"asn {record['asn'][:40]!r}")
    return int(number[1]), _words(record.get("as_name", record.get("name", "")))


def _words(given: Any) -> str:
    """As one printable line: it goes to logs and terminals. Raises ``TypeError`` for what is no text."""
    if not isinstance(given, str):
        raise TypeError(f"{type(given).__name__} instead of text")
    return " ".join("".join(c if c.isprintable() else " " for c in given[: 4 * MAX_WORDS]).split())[:MAX_WORDS]


def _implausible(place: str, why: str) -> SourceImplausible:
    return SourceImplausible(f"{place}: {why}"[:400], hint=KEPT)
