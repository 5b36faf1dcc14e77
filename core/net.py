"""Network values and their arithmetic, on integer intervals: exact cover, never one address more.

Many networks are merged as *keys*, one integer each (``pack``): a million integers sort in half a second, a million
network objects, tuples or strings do not, and the garbage collector never looks at integers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6, inet_ntoa, inet_pton
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
Span: TypeAlias = tuple[int, int]
"""First and last address of a range, both inside, as integers of one family."""


@dataclass(frozen=True, slots=True, order=True)
class DomainName:
    """A DNS name in lower case without trailing dot; ``suffix`` covers the name and everything below it."""

    name: str
    suffix: bool = True


WIDTH: Final = {4: 32, 6: 128}
_FAMILY: Final = {4: AF_INET, 6: AF_INET6}
_STEP: Final = {v: tuple(1 << (w - length + 8) for length in range(w + 1)) for v, w in WIDTH.items()}
"""How far the keys of two neighbours of one length lie apart, by length."""


def parse_network(text: str) -> Network:
    """``192.0.2.0/24``, or a bare address as its /32 or /128. Raises ``ValueError`` on host bits or anything else."""
    return unpack(*parse_key(text))


def parse_key(text: str) -> tuple[int, int]:
    """The key and the family of a network given as text: several times faster than making the network.

    Raises:
        ValueError: as ``parse_network``.
    """
    if "%" in text:  # an IPv6 zone is free text in ipaddress: it would carry any characters as far as a device
        raise ValueError(f"{text!r} names an IPv6 zone; give the address alone")
    address, slash, length = text.strip().partition("/")
    version = 6 if ":" in address else 4
    try:
        first = int.from_bytes(inet_pton(_FAMILY[version], address), "big")
        bits = int(length) if slash and length.isascii() and length.isdigit() else -1 if slash else WIDTH[version]
    except (OSError, ValueError):
        return _parse_slowly(text)
    key = first << 8 | bits
    if 0 <= bits <= WIDTH[version] and not (key & ~255) & (_STEP[version][bits] - 1):
        return key, version
    return _parse_slowly(text)


def _parse_slowly(text: str) -> tuple[int, int]:
    """By the standard library: the few other forms that it reads, and its words for what is wrong."""
    network = ip_network(text.strip(), strict=True)
    return pack(network), network.version


def is_address(text: str) -> bool:
    """Whether it is one IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host, by its address or as ``localhost``, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cidr_of(network: Network) -> str:
    """As ``str``: ``192.0.2.0/24``; several times faster for IPv4, of which there may be a hundred thousand."""
    if isinstance(network, IPv4Network):
        return f"{inet_ntoa(network.network_address.packed)}/{network.prefixlen}"
    return str(network)


def text_of(network: Network) -> str:
    """The network as firewalls print it: a host without its /32 or /128."""
    return bare(cidr_of(network))


def bare(cidr: str) -> str:
    """``192.0.2.1`` of ``192.0.2.1/32``; anything shorter as it is."""
    return cidr.removesuffix("/128") if ":" in cidr else cidr.removesuffix("/32")


def sort_key(network: Network) -> tuple[int, int, int]:
    """v4 before v6, then by address, then wider first."""
    return network.version, int(network.network_address), network.prefixlen


@lru_cache(maxsize=8)  # one change asks for the same list's order and texts four times
def in_order(networks: frozenset[Network]) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """The networks by ``sort_key``, and their CIDR texts in the same order."""
    ordered = tuple(sorted(networks, key=_rank))
    return ordered, tuple(map(cidr_of, ordered))


def _rank(network: Network) -> int:
    """``sort_key`` as one number: a hundred thousand tuples keep the garbage collector busy."""
    return network.version << 136 | pack(network)


def lengths_of(keys: Iterable[tuple[int, int, int]]) -> dict[int, list[int]]:
    """Which prefix lengths there are among these ``sort_key`` values, by family and sorted: for ``keys_around``."""
    found: dict[int, set[int]] = {version: set() for version in WIDTH}
    for version, _, length in keys:
        found[version].add(length)
    return {version: sorted(lengths) for version, lengths in found.items()}


def keys_around(network: Network, lengths: Mapping[int, Iterable[int]]) -> Iterator[tuple[int, int, int]]:
    """The ``sort_key`` of every block of these lengths that holds all of ``network``, the widest first."""
    version, first, own = sort_key(network)
    for length in lengths[version]:
        if length <= own:
            free = WIDTH[version] - length
            yield version, first >> free << free, length


def pack(network: Network) -> int:
    """The key of a network in its family: address and length in one integer. Keys sort by address, then wider first."""
    return int(network.network_address) << 8 | network.prefixlen


def unpack(key: int, version: int) -> Network:
    """The network of a key."""
    return (IPv4Network if version == 4 else IPv6Network)((key >> 8, key & 255))


def merge(keys: Iterable[int], version: int) -> list[int]:
    """The fewest keys of one family that hold exactly the same addresses, sorted.

    A block inside the one before is passed over; two halves become their whole, which may be a half again.
    """
    step, merged, after = _STEP[version], list[int](), -1
    for key in sorted(keys, key=float if version == 4 else None):  # a key of IPv4 is exact as a float, and sorts faster
        if key < after:
            continue
        size = step[key & 255]
        while merged and merged[-1] ^ key == size:
            key = merged.pop() - 1  # the lower half, one bit shorter, is the whole
            size <<= 1
        merged.append(key)
        after = (key | 255) - 255 + size
    return merged


def span_of(network: Network) -> Span:
    """First and last address. Several times faster than ``broadcast_address``, which makes objects of both."""
    first = int(network.network_address)
    return first, first + (1 << (WIDTH[network.version] - network.prefixlen)) - 1


def spans(networks: Iterable[Network], version: int) -> list[Span]:
    """The sorted, disjoint, non-adjacent ranges that hold exactly the networks of one family."""
    return spans_of((pack(network) for network in networks if network.version == version), version)


def spans_of(keys: Iterable[int], version: int) -> list[Span]:
    """``spans`` of the networks of these keys."""
    step, ranges, first, after = _STEP[version], list[Span](), -1, -1
    for key in merge(keys, version):
        start = key >> 8
        if start != after:
            if after >= 0:
                ranges.append((first, after - 1))
            first = start
        after = start + (step[key & 255] >> 8)
    return [*ranges, (first, after - 1)] if after >= 0 else ranges


def networks_of(ranges: Iterable[Span], version: int) -> Iterator[Network]:
    """The fewest CIDR blocks that hold exactly these ranges."""
    make = IPv4Network if version == 4 else IPv6Network
    width = WIDTH[version]
    for first, last in ranges:
        while first <= last:
            size = min((first & -first).bit_length() - 1 if first else width, (last - first + 1).bit_length() - 1)
            yield make((first, width - size))
            first += 1 << size


def aggregate(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Sorted, disjoint, minimal; holds exactly the same addresses."""
    known: dict[int, dict[int, Network]] = {version: {} for version in WIDTH}
    for network in networks:
        known[network.version][pack(network)] = network
    return tuple(
        own.get(key) or unpack(key, version)  # most are there already, and making one is slow
        for version, own in known.items()
        for key in merge(own, version)
    )


def subtract(networks: Iterable[Network], holes: Iterable[Network]) -> tuple[Network, ...]:
    """What of ``networks`` lies in none of ``holes``, aggregated."""
    kept, cut = list(networks), list(holes)
    return tuple(
        network
        for version in (4, 6)
        for network in networks_of(_minus(spans(kept, version), spans(cut, version)), version)
    )


def intersect(networks: Iterable[Network], others: Iterable[Network]) -> tuple[Network, ...]:
    """What lies in ``networks`` and in ``others``, aggregated."""
    some, more = list(networks), list(others)
    return tuple(
        network
        for version in (4, 6)
        for network in networks_of(_common(spans(some, version), spans(more, version)), version)
    )


def _common(some: list[Span], others: list[Span]) -> Iterator[Span]:
    left = right = 0
    while left < len(some) and right < len(others):
        first, last = max(some[left][0], others[right][0]), min(some[left][1], others[right][1])
        if first <= last:
            yield first, last
        if some[left][1] < others[right][1]:
            left += 1
        else:
            right += 1


def _minus(kept: list[Span], cut: list[Span]) -> Iterator[Span]:
    position = 0
    for first, last in kept:
        while position < len(cut) and cut[position][1] < first:
            position += 1
        at = position
        while at < len(cut) and cut[at][0] <= last:
            if cut[at][0] > first:
                yield first, cut[at][0] - 1
            first = cut[at][1] + 1
            at += 1
        if first <= last:
            yield first, last


def address_count(networks: Iterable[Network], version: int) -> int:
    """How many different addresses of one family the networks hold."""
    return sum(last - first + 1 for first, last in spans(networks, version))


def overlaps(networks: Iterable[Network], network: Network) -> bool:
    """Whether any of ``networks`` shares an address with ``network``."""
    return any(other.version == network.version and other.overlaps(network) for other in networks)


class Ranges:
    """Many networks, asked often: which of them, as disjoint ranges, does another network touch?"""

    __slots__ = ("_spans", "_starts")

    def __init__(self, networks: Iterable[Network]) -> None:
        known = list(networks)
        self._spans = {version: spans(known, version) for version in (4, 6)}
        self._starts = {version: [first for first, _ in found] for version, found in self._spans.items()}

    def touched(self, network: Network) -> tuple[Span, ...]:
        """The ranges that share an address with ``network``."""
        first, last = span_of(network)
        found = self._spans[network.version]
        at = max(0, bisect_right(self._starts[network.version], first) - 1)
        hits: list[Span] = []
        while at < len(found) and found[at][0] <= last:
            if found[at][1] >= first:
                hits.append(found[at])
            at += 1
        return tuple(hits)

    def holds(self, network: Network) -> bool:
        """Whether every address of ``network`` is in here."""
        first, last = span_of(network)
        return any(a <= first and last <= b for a, b in self.touched(network))

    def cut_from(self, network: Network) -> tuple[Network, ...]:
        """What of ``network`` is not in here, as the fewest blocks."""
        return tuple(self.pieces(network))

    def pieces(self, network: Network) -> Iterator[Network]:
        """``cut_from``, made one by one: there may be as many as addresses."""
        return networks_of(_minus([span_of(network)], list(self.touched(network))), network.version)

    def inside(self, network: Network) -> tuple[Network, ...]:
        """What of ``network`` is in here, as the fewest blocks."""
        return tuple(networks_of(_common([span_of(network)], list(self.touched(network))), network.version))
