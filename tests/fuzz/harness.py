"""What a parser of lines promises, as functions of bytes: whatever comes in, nothing but what is promised comes out.

Called by atheris (``python -m tests.fuzz``), and by the tests for the seeds. An exception is a finding.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import dns.exception
import dns.message

from controller.evidence import firewalls, syslog
from controller.evidence.formats import FORMATS, Reading
from controller.evidence.formats import detect as kind_of
from controller.evidence.formats.netflow import Collector
from controller.evidence.formats.reading import CLOCKS_DIFFER, Unpacked
from controller.evidence.lines import SHOWN, Unfit
from controller.evidence.model import Sighting
from core.net import Address, DomainName, Network, Ranges, networks_of, span_of
from ipsets import dataset
from ipsets.errors import SourceImplausible
from ipsets.model import Dedication
from ipsets.sources import asndb, mmdb
from ipsets.sources.dns import judge
from ipsets.sources.dns import read as resolved
from ipsets.sources.document import Document, text_of
from ipsets.sources.listed import ListSource
from ipsets.sources.mrt import MrtSource
from ipsets.sources.plain import MAX_ENTRIES, parse_line, read
from ipsets.sources.rules import Unsupported, is_payload, item, plain_word
from ipsets.text import entry_text, pack, read_entry, unpack

NOW: Final = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LONGEST_MESSAGE: Final = 6000  # characters: problems of five lines
_FORBIDDEN: Final = frozenset(" ,;\"'$`\\{}()<>|&@*^!#%\n\r\t")
"""In no name or network, whatever a firewall's own language means by it."""
_ADDRESS: Final = re.compile(r"[0-9a-fA-F:.]+")
Span = tuple[int, int, int]


def plain(data: bytes) -> None:
    """A whole list: the first byte says whether unsupported lines are passed over."""
    skip = bool(data[:1] and data[0] & 1)
    try:
        text = text_of(data[1:], "fuzz")
        found = read(text, place="fuzz", skip_unsupported=skip)
    except SourceImplausible as exc:
        _check(len(str(exc)) < LONGEST_MESSAGE, "the message has an end")
        return
    lines = text.splitlines()
    _check(0 < len(found.entries) <= MAX_ENTRIES, "some entries")
    _check(skip or found.skipped == 0, "nothing is passed over unless it may be")
    numbers = [number for number, _ in found.entries]
    _check(numbers == sorted(numbers) and 1 <= numbers[0] <= numbers[-1] <= len(lines), "each has its line")
    is_yaml = {number for number, line in enumerate(lines, start=1) if is_payload(line)}
    for number, entries in _by_line(found.entries):
        line = lines[number - 1]
        told = list(parse_line(item(line) if is_yaml and min(is_yaml) < number else line))
        _check(entries == told, "a line means the same alone")


def rules(data: bytes) -> None:
    """One line, in any tool's language: it says an entry, or why not, and never more than stands there."""
    line = data.decode("utf-8", "surrogateescape")  # half characters come in by JSON
    for text in (line, item(line)):
        try:
            word = plain_word(text.strip())
        except ValueError as exc:  # ``Unsupported`` is one
            _check(bool(str(exc)), "it says why")
        else:
            _check("\n" not in word or "\n" in text, "no line is made")
        try:
            entries = list(parse_line(text))
        except ValueError as exc:
            _check(len(str(exc)) < LONGEST_MESSAGE, "the message has an end")
            _check(isinstance(exc, Unsupported) or type(exc) is ValueError, f"of no other kind: {type(exc)}")
        else:
            _check_entries(entries, text)


def listed(data: bytes) -> None:
    """A list from the disk, as the source that it is: every indicator is of a line, and the store gives it back."""
    trust = ("claimed", True, False)[data[0] % 3] if data else True
    _file().write_bytes(data[1:])
    source = ListSource(
        name="fuzz", document=Document(file=_file()), dedicated=trust, skip_unsupported=bool(data[:1] and data[0] & 4)
    )
    try:
        found = source.fetch(NOW).indicators
    except SourceImplausible:
        return
    _check(len({i.value for i in found}) == len(found), "each value once")
    _check(unpack(pack(found)) == found, "the store gives back what it got")
    for i in found:
        _check(i.dedication is Dedication.DEDICATED or not isinstance(i.value, DomainName), "names are taken as given")
        _check(trust is True or i.dedication is not Dedication.NEVER, "a list allows nothing")


def table(data: bytes) -> None:
    """A table of routes: one JSON object a line."""
    try:
        text = text_of(data, "fuzz")
        routes = asndb.parse(text, asns=(138699, 396986), min_hits=1, place="fuzz")
    except SourceImplausible as exc:
        _check(len(str(exc)) < LONGEST_MESSAGE, "the message has an end")
        return
    _check(bool(routes), "some routes")
    for route in routes:
        _check(route.asn in (138699, 396986) and route.hits >= 1, "only what was asked for")


def database(data: bytes) -> None:
    """A database in MaxMind's format."""
    try:
        read_of = mmdb.parse(data, asns=(15169, 174), now=NOW, max_age=timedelta(days=36500), place="fuzz")
    except SourceImplausible as exc:
        _check(len(str(exc)) < LONGEST_MESSAGE, "the message has an end")
        return
    for held in read_of.held:
        _check(held.asn in (15169, 174), "only what was asked for")
        _check(held.organisation.isprintable() and len(held.organisation) <= mmdb.MAX_WORDS, "a name is one line")
    _check(len({held.network for held in read_of.held}) == len(read_of.held), "each network once")


def routes(data: bytes) -> None:
    """A route collector's table, packed or not, as the source that it is."""
    _file().write_bytes(data)
    source = MrtSource(
        file=_file(), asns=(138699, 11983), min_peers=1, max_age=timedelta(days=36500), max_bytes=1 << 20
    )
    try:
        found = source.fetch(NOW).indicators
    except SourceImplausible as exc:
        _check(len(str(exc)) < LONGEST_MESSAGE, "the message has an end")
        return
    _check(unpack(pack(found)) == found, "the store gives back what it got")
    _check(all(i.dedication is not Dedication.DEDICATED for i in found), "it confirms, and enforces nothing")


def message(data: bytes) -> None:
    """A resolver's answer as it came over the wire."""
    try:
        answer = dns.message.from_wire(data)
    except dns.exception.DNSException:  # what the resolver's client makes of it is no answer
        return
    found = resolved("www.tiktok.com", answer)
    said = [i for i in judge("www.tiktok.com", found, resolver="fuzz", now=NOW) if not isinstance(i.value, DomainName)]
    own = Ranges(dataset.dedicated_prefixes())
    _check(all(own.holds(i.value) for i in said if not isinstance(i.value, DomainName)), "only TikTok's own addresses")
    _check(len(found.chain) == len(set(found.chain)), "a circle ends")


def syslogged(data: bytes) -> None:
    """A message of syslog, and what the log of a firewall in it says of who went where."""
    try:
        said = syslog.parse(data, NOW)
        found = firewalls.read(said, "fuzz")
    except Unfit as exc:
        _check(0 < len(str(exc)) < LONGEST_MESSAGE, "it says why, and the message has an end")
        return
    _check(said.text.replace("\t", " ").isprintable(), "nothing moves a terminal's cursor")
    for sighting in found:
        _check(sighting.at.tzinfo is UTC, "a time in UTC")
        _check(sighting.source is not None and "%" not in str(sighting.source), "an address without a zone")
        _check(all(p is None or 0 <= p <= 65535 for p in (sighting.port, sighting.source_port)), "ports")
        _check(not set(sighting.name) & _FORBIDDEN and sighting.name == sighting.name.lower(), "a name of DNS")
        _check(sighting.count >= 1, "at least once")


def stream(data: bytes) -> None:
    """A stream of syslog: however it is cut, the same messages. The first byte says how."""
    step, body = 1 + (data[0] if data else 0), data[1:]
    whole, pieces = _messages([body]), _messages([body[at : at + step] for at in range(0, len(body), step)])
    _check(whole == pieces, "the pieces do not matter")


def _messages(pieces: list[bytes]) -> list[object]:
    frames, found = syslog.Frames(limit=64), list[bytes | syslog.Overlong]()
    for piece in pieces:
        found += frames.feed(piece)
    said = [message if isinstance(message, bytes) else message.size for message in found]
    return [*said, frames.trouble]


def evidence(data: bytes) -> None:
    """A log or an export, of the format that the first byte names: what it says is bounded, and never of the future."""
    kinds = tuple(FORMATS.values())
    kind = kinds[data[0] % len(kinds)] if data else kinds[0]
    kind_of(data[1:])
    for found in kind.read(Unpacked(io.BytesIO(data[1:])), Reading(origin="fuzz", now=NOW)):
        if isinstance(found, Sighting):
            _check(found.at <= NOW + CLOCKS_DIFFER and found.at.tzinfo is UTC, "no event that is still to come")
            _check(len(found.name) < 254 and found.name.isascii() and found.name == found.name.lower(), "a host name")
            texts = (
                found.sensor,
                found.rule,
                found.user,
                found.host,
                found.path,
                found.agent,
                found.software,
                found.uid,
            )
            _check(all(text.isprintable() and len(text) <= 2048 for text in texts), "texts are one line, and bounded")
            _check(found.count > 0 and (found.port or 0) < 65536, "counts count")
        elif found is not None:
            _check(found.text.isprintable() and len(found.text) <= SHOWN, "what is shown of it is one line")


def flows(data: bytes) -> None:
    """Messages of NetFlow and IPFIX, one after the other, as an exporter sends them. Each is behind its length."""
    collector, reading, at = Collector(), Reading(origin="fuzz", now=NOW), 0
    for _ in range(16):
        size = int.from_bytes(data[at : at + 2], "big")
        for found in collector.message(data[at + 2 : at + 2 + size], "192.0.2.1", reading):
            if isinstance(found, Sighting):
                _check(found.at <= NOW + CLOCKS_DIFFER and found.at.tzinfo is UTC, "no event that is still to come")
                _check(found.source is not None and found.destination is not None, "an address each")
                _check(all(c is None or 0 <= c < 1 << 63 for c in (found.packets, found.octets)), "counts count")
        at += 2 + size
        if at >= len(data):
            return


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "plain": plain,
    "rules": rules,
    "listed": listed,
    "table": table,
    "database": database,
    "routes": routes,
    "message": message,
    "syslogged": syslogged,
    "stream": stream,
    "evidence": evidence,
    "flows": flows,
}


# --- what is promised of entries --------------------------------------------------------------------------------------


def _check_entries(entries: list[Network | DomainName], line: str) -> None:
    networks = [entry for entry in entries if not isinstance(entry, DomainName)]
    for entry in entries:
        text = entry_text(entry)
        _check(not set(text) & _FORBIDDEN and text.isascii(), f"{text!r} is safe in any device's language")
        _check(read_entry(text) == entry, f"{text!r} is read back as it was")
        if isinstance(entry, DomainName):
            _check_name(entry, line)
    if networks:
        _check(len(networks) == len(entries), "a line says addresses or names")
        _check(_whole(networks) in _said(line), f"{networks} are no more and no less than {line!r} says")


def _check_name(entry: DomainName, line: str) -> None:
    labels = entry.name.split(".")
    _check(len(labels) > 1 and all(0 < len(label) <= 63 for label in labels) and len(entry.name) < 254, "a host name")
    _check(not line.isascii() or entry.name in line.lower(), f"{entry.name} stands in {line!r}")
    _check(list(parse_line(f"full:{entry.name}")) == [DomainName(entry.name, suffix=False)], "it is a name by itself")


def _whole(networks: list[Network]) -> Span:
    """The one range that the networks of a line are: nothing between them is missing."""
    spans = sorted(span_of(network) for network in networks)
    version = networks[0].version
    first, last = spans[0][0], spans[-1][1]
    _check(list(networks_of([(first, last)], version)) == networks, "the fewest blocks of one range")
    return version, first, last


def _said(line: str) -> set[Span]:
    """Every range that this line could mean, found without the parser: two of its addresses, or one with a length."""
    words = {part for word in _ADDRESS.findall(line) for part in (word, word.strip(":"), word.rpartition(":")[2])}
    known = [address for word in words if (address := _address(word)) is not None]
    lengths = {*re.findall(r"/([0-9.a-fA-F:]+)", line)}
    pairs = {(a.version, int(a), int(b)) for a in known for b in known if a.version == b.version}
    return pairs | {found for a in known for length in lengths for found in _with_length(str(a), length)}


def _address(word: str) -> Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None


def _with_length(address: str, length: str) -> Iterator[Span]:
    try:
        network = ip_network(f"{address}/{length}")
    except ValueError:
        return
    yield network.version, *span_of(network)


def _by_line(entries: Iterable[tuple[int, Network | DomainName]]) -> Iterator[tuple[int, list[Network | DomainName]]]:
    found: dict[int, list[Network | DomainName]] = {}
    for number, entry in entries:
        found.setdefault(number, []).append(entry)
    yield from found.items()


def _check(holds: bool, promise: str) -> None:
    """As ``assert``, which ``python -O`` leaves out."""
    if not holds:
        raise AssertionError(promise)


@cache
def _file() -> Path:
    handle, name = tempfile.mkstemp(prefix="tokgate-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    os.close(handle)
    return Path(name)
