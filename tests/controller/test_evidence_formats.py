"""Every format of evidence: what real and made-up files come to, and what is set aside, with the reason."""

from __future__ import annotations

import gzip
import io
import json
import os
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import fields as fields_of
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Invalid
from controller.evidence.formats import FORMATS, Found, Reading, client_hello, detect, read
from controller.evidence.formats.reading import CLOCKS_DIFFER, MAX_LINE
from controller.evidence.lines import SHOWN
from controller.evidence.model import Channel, Quarantine, Rejected, Sighting, Verdict

FILES = Path(__file__).parent / "evidence_files"
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
READING = Reading(origin="file", now=NOW)
SAMPLES = sorted(path for path in FILES.iterdir() if path.suffix not in (".told", ".md"))


def sightings(found: Iterator[Found]) -> list[Sighting]:
    return [one for one in found if isinstance(one, Sighting)]


def rejected(found: Iterator[Found]) -> list[Rejected]:
    return [one for one in found if isinstance(one, Rejected)]


def read_as(name: str, data: bytes, reading: Reading = READING) -> list[Found]:
    return list(read(io.BytesIO(data), reading, format=name)[1])


def told(found: Found) -> str:
    """One line of JSON: only what is known."""
    if found is None:
        return "–"
    known: dict[str, Any] = {}
    for field in fields_of(found):
        value = getattr(found, field.name)
        if value not in (None, "", ()) and value != (1 if field.name == "count" else Verdict.UNKNOWN):
            known[field.name] = value if isinstance(value, str | int | tuple) else str(value)
    return json.dumps(known, ensure_ascii=False)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_file_is_known_by_its_beginning_and_comes_to_this(path: Path) -> None:
    """``TOKGATE_RENEW_GOLDENS=1`` writes what it comes to anew; the change is reviewed as code."""
    kind, found = read(path.open("rb"), Reading(origin=path.name, now=NOW, made_at=NOW - timedelta(hours=1)))
    assert path.name.startswith(f"{kind.name}-")
    text = "".join(f"{told(one)}\n" for one in found)
    golden = FILES / f"{path.name}.told"
    if os.environ.get("TOKGATE_RENEW_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_format_has_a_file_that_is_read() -> None:
    assert {read(path.open("rb"), READING)[0].name for path in SAMPLES} == set(FORMATS)


def test_what_suricata_and_zeek_saw_of_one_morning_is_the_same() -> None:
    """Two sensors of one wire agree on who asked whom for which name."""
    names = ("zeek-dns.log", "zeek-ssl.log", "zeek-quic.log", "zeek-http.log")
    zeek = [one for name in names for one in sightings(read((FILES / name).open("rb"), READING)[1])]
    eve = sightings(read((FILES / "suricata-eve.json").open("rb"), READING)[1])
    seen = [{(s.channel, s.source, s.destination, s.name) for s in found if s.name} for found in (zeek, eve)]
    assert seen[0] == seen[1]
    assert len(seen[0]) > 30


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_packed_is_read_as_plain(path: Path) -> None:
    data = path.read_bytes()
    half = len(data) // 2
    packed = gzip.compress(data[:half]) + gzip.compress(data[half:]) + bytes(7)
    assert list(read(io.BytesIO(packed), READING)[1]) == list(read(io.BytesIO(data), READING)[1])


def test_what_is_cut_off_is_told_and_what_came_before_stands() -> None:
    data = (FILES / "dnsmasq-queries.log").read_bytes()
    whole = sightings(iter(read_as("dnsmasq", data)))
    packed = gzip.compress(data * 50, compresslevel=0)
    cut = read_as("dnsmasq", packed[: len(packed) // 2])
    assert sightings(iter(cut))[: len(whole)] == whole
    assert [one.detail for one in rejected(iter(cut))][-1].endswith("the gzip data is cut off")


def test_a_half_line_never_names_another_client() -> None:
    """``10.20.3.4`` may be the beginning of ``10.20.3.41``."""
    line = "Nov 27 07:24:13 dnsmasq[8945]: query[A] www.tiktok.com from 10.20.3.41\n"
    for end in range(1, len(line)):
        found = read_as("dnsmasq", line[:end].encode())
        assert not sightings(iter(found)), line[:end]
        assert all(one.why is Quarantine.UNREADABLE for one in rejected(iter(found)))
    assert len(sightings(iter(read_as("dnsmasq", line.encode())))) == 1


ASKED = b"%s dnsmasq[1]: query[A] %s.com from %s"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param(b"x" * (10 << 20), Quarantine.TOO_LONG, id="ten-megabytes"),
        pytest.param(ASKED % (b"Nov 27 07:24:13", b"t\xfcrk", b"10.0.0.9"), Quarantine.UNREADABLE, id="latin-1"),
        pytest.param(ASKED % (b"Nov 27 07:24:13", b"a", b"10.0.0.999"), Quarantine.UNREADABLE, id="no-address"),
        pytest.param(ASKED % (b"Nov 37 07:24:13", b"a", b"10.0.0.9"), Quarantine.UNREADABLE, id="no-day"),
        pytest.param(ASKED % (b"2027-11-27T07:24:13Z", b"a", b"10.0.0.9"), Quarantine.FUTURE, id="from-the-future"),
        pytest.param(b"\x1b[31mNov 27\x00", Quarantine.UNREADABLE, id="control-characters"),
    ],
)  # fmt: skip
def test_bad_lines_are_set_aside_alone(line: bytes, why: Quarantine) -> None:
    good = b"Nov 27 07:24:13 dnsmasq[8945]: query[A] www.tiktok.com from 10.20.3.41\n"
    found = read_as("dnsmasq", good + line + b"\n" + good)
    assert len(sightings(iter(found))) == 2
    (one,) = rejected(iter(found))
    assert one.why is why
    assert one.detail.startswith("line 2: ")
    assert one.text.isprintable()
    assert len(one.text) <= SHOWN


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        pytest.param("adguard", b'{"T": "2026-13-01T00:00:00+99:00"', "no JSON from its character 34 on", id="json"),
        pytest.param(
            "adguard", b'{"T":"2026-13-01","QH":"a.com","IP":"10.0.0.1"}', "'2026-13-01' is no time", id="iso"
        ),
        pytest.param("dnsmasq", ASKED % (b"Nov 27 25:24:13", b"a", b"10.0.0.9"), "25:24:13' is no time", id="clock"),
        pytest.param(
            "squid",
            b"1788249600.0 1 10.0.0.1 TCP_MISS/200 1 GET http://a.com:x/ - DIRECT/- -",
            "is no address",
            id="url",
        ),
    ],
)
def test_why_it_was_set_aside_is_said_in_plain_words(name: str, line: bytes, said: str) -> None:
    """Not in those of the library that refused it."""
    (one,) = rejected(iter(read_as(name, line + b"\n")))
    assert said in one.detail


def test_what_is_older_than_is_kept_is_set_aside() -> None:
    reading = Reading(origin="file", now=NOW, oldest=NOW - timedelta(days=1))
    line = "2026-11-25T07:24:13Z dnsmasq[1]: query[A] a.com from 10.0.0.9\n"
    assert [one.why for one in rejected(iter(read_as("dnsmasq", line.encode(), reading)))] == [Quarantine.TOO_OLD]


@pytest.mark.parametrize(
    ("written", "now", "meant"),
    [
        pytest.param("Dec 31 23:59:59", "2027-01-01T00:00:05+00:00", "2026-12-31T22:59:59+00:00", id="last-year"),
        pytest.param("Feb 29 12:00:00", "2026-03-01T00:00:00+00:00", "2024-02-29T11:00:00+00:00", id="leap-day"),
        pytest.param("Nov 27 13:04:00", "2026-11-27T12:00:00+00:00", "2026-11-27T12:04:00+00:00", id="a-little-ahead"),
    ],
)
def test_i12_a_time_without_year_and_zone_is_of_the_sites_wall(written: str, now: str, meant: str) -> None:
    reading = Reading(origin="file", now=datetime.fromisoformat(now), zone=ZoneInfo("Europe/Berlin"))
    line = f"{written} dnsmasq[1]: query[A] a.com from 10.0.0.9\n"
    (found,) = sightings(iter(read_as("dnsmasq", line.encode(), reading)))
    assert found.at == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    ("day", "meant"),
    [
        pytest.param("11/27/2026 1:20:00 PM", 27, id="american"),
        pytest.param("27/11/2026 13:20:00", 27, id="british"),
        pytest.param("03/11/2026 13:20:00", 3, id="british-of-either"),
        pytest.param("27.11.2026 13:20:00", 27, id="german"),
        pytest.param("2026-11-27 13:20:00", 27, id="iso"),
    ],
)
def test_windows_writes_the_day_as_its_country_does(day: str, meant: int) -> None:
    line = (
        f"{day} 0E40 PACKET  000001F4C5D0A0B0 UDP Rcv 10.20.3.41  8f3a   Q [0001   D   NOERROR] A      (1)a(2)us(0)\n"
    )
    reading = Reading(origin="dns.log", now=NOW + timedelta(hours=2))
    (found,) = sightings(iter(read_as("windows-dns", line.encode(), reading)))
    assert found.at == datetime(2026, 11, meant, 13, 20, tzinfo=UTC)


def test_a_documents_items_are_read_one_by_one() -> None:
    """A million apps are never in memory at once: what is asked for is what is read."""

    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += 1
            begin = b'{"@odata.context":"https://graph.microsoft.com/v1.0/","value":[' if self.taken == 1 else b","
            return begin + b",".join([b'{"id":"1","displayName":"TikTok","deviceCount":2}'] * 1000)

    endless = Endless()
    _, found = read(endless, READING, format="intune")
    assert [one.count for one, _ in zip(sightings_of(found), range(5000), strict=False)] == [2] * 5000
    assert endless.taken < 12


def sightings_of(found: Iterator[Found]) -> Iterator[Sighting]:
    return (one for one in found if isinstance(one, Sighting))


def test_an_item_that_never_ends_is_given_up() -> None:
    data = b'{"value":[{"displayName":"TikTok","deviceCount":1},{"x":"' + b"a" * (20 << 20)
    found = read_as("intune", data)
    assert [one.software for one in sightings(iter(found))] == ["TikTok"]
    assert [one.why for one in rejected(iter(found))] == [Quarantine.TOO_LONG]


def test_a_file_of_no_format_says_which_there_are() -> None:
    with pytest.raises(Invalid, match="of no format that is known") as caught:
        read(io.BytesIO(b"\x00\x01\x02 what is this\n"), READING)
    assert all(name in caught.value.hint for name in FORMATS)
    with pytest.raises(Invalid, match="'nothing' is none"):
        read(io.BytesIO(b""), READING, format="nothing")


@pytest.mark.parametrize(
    ("name", "hellos"),
    [
        pytest.param(
            "pcap-quic.pcap",
            [
                "log22-normal-useast1a.tiktokv.com",
                "tnc0-normal-alisg.tiktokv.com",
                "big.tiktokv.com",
                "blocked.tiktokv.com",
            ],
            id="versions-1-and-2-and-three-packets",
        ),
        pytest.param("pcap-draft29.pcapng", ["v29.tiktokv.com"], id="draft-29"),
        pytest.param("pcap-web.pcap", ["www.tiktok.com", "v16m.tiktokcdn-us.com"], id="tls"),
    ],
)
def test_a_handshake_says_its_name_in_any_order_of_packets(name: str, hellos: list[str]) -> None:
    """The clients' first packets, also when they arrive the other way round or twice."""
    data = (FILES / name).read_bytes()

    def names(data: bytes) -> list[str]:
        found = sightings(read(io.BytesIO(data), READING)[1])
        return [one.name for one in found if one.channel in (Channel.QUIC, Channel.TLS)]

    assert names(data) == hellos
    if name == "pcap-quic.pcap":
        head, packets = data[:24], list(packets_of(data))
        doubled = [packet for packet in packets for _ in range(2)]
        assert names(head + b"".join(doubled)) == hellos
        big = [i for i, packet in enumerate(packets) if len(packet) == 16 + 1242][5:8]
        packets[big[0]], packets[big[2]] = packets[big[2]], packets[big[0]]
        assert sorted(names(head + b"".join(packets))) == sorted(hellos)


def packets_of(data: bytes) -> Iterator[bytes]:
    at = 24
    while at < len(data):
        end = at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        yield data[at:end]
        at = end


def test_ja4_is_what_its_authors_print() -> None:
    """The example of FoxIO's technical details, built from its parts."""
    ciphers = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
    extensions = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
    algorithms = "0403,0804,0401,0503,0805,0501,0806,0601"

    def sized(data: bytes, size: int = 2) -> bytes:
        return len(data).to_bytes(size, "big") + data

    bodies = {
        "0000": sized(b"\0" + sized(b"www.tiktok.com")),
        "0010": sized(sized(b"h2", 1) + sized(b"http/1.1", 1)),
        "000d": sized(bytes.fromhex(algorithms.replace(",", ""))),
        "002b": sized(bytes.fromhex("0a0a03040303"), 1),
        "000a": sized(bytes.fromhex("001d00170018")),
        "000b": sized(b"\0", 1),
    }
    shown = b"".join(bytes.fromhex(kind) + sized(bodies.get(kind, b"")) for kind in ["2a2a", *extensions.split(",")])
    suites = sized(bytes.fromhex("1a1a" + ciphers.replace(",", "")))
    hello = client_hello.parse(b"\3\3" + bytes(32) + sized(b"", 1) + suites + b"\1\0" + sized(shown))
    assert hello.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello.name == "www.tiktok.com"


def test_a_web_servers_log_is_not_taken_for_a_proxys() -> None:
    line = b'10.0.0.5 - - [27/Nov/2026:07:32:05 +0000] "GET /index.html HTTP/1.1" 200 244 "-" "curl/7.88.1"\n'
    assert detect(line) is None


def test_memory_stays_flat_over_a_flood() -> None:
    """Each line with a name of its own: the questions that are remembered, and the names, are bounded."""

    class Flood:
        blocks = (
            b"".join(
                b"Nov 27 07:24:13 dnsmasq[1]: query[A] n%d-%d.example from 10.0.%d.9\n" % (block, n, n % 250)
                for n in range(1000)
            )
            for block in range(10)
        )

        def read(self, size: int, /) -> bytes:
            return next(self.blocks, b"")

    tracemalloc.start()
    try:
        count = sum(1 for _ in sightings_of(read(Flood(), READING, format="dnsmasq")[1]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 8 << 20


WORST = {
    "zeek": ["{" * 65536, "#fields\t" + "a\t" * 30000, "x\t" * 32768, '{"ts":' + "9" * 65000 + "}"],
    "suricata": ['{"event_type":' * 5000, "[" * 65536],
    "osquery": ["[" * 65536, '{"hostIdentifier":"a","name":"b","snapshot":[' + "{}," * 20000 + "{}]}"],
    "adguard": ['{"QH":"' + "a" * 65000 + '","IP":"1.1.1.1","T":"2026-11-27T00:00:00Z"}'],
    "pihole": ["[" * 65536, '{"queries":[' + "{}," * 20000],
    "intune": ["[" * 65536, '{"a":' * 10000, '{"value":[' + "1," * 30000],
    "jamf": ['{"results":[' + '{"general":{}},' * 4000, " " * 65536],
    "bind": ["27-Nov-2026 07:24:08.751 " + "a: " * 20000, "2026-11-27T07:24:08.751Z client @0x7 ::1#1 (" + "a" * 65000],
    "unbound": ["[1] unbound[1:0] info: " + ":" * 65000, "[1] unbound[1:0] info: " + "a " * 32000, "Nov 27 " * 9000],
    "dnsmasq": ["Nov 27 07:24:13 " + "a." * 32000, "Nov 27 07:24:13 dnsmasq[1]: config " + "is " * 20000],
    "windows-dns": [
        "11/27/2026 7:20:00 AM 0E40 PACKET  000001F4C5D0A0B0 UDP Rcv 1.1.1.1 8f3a   Q [0] A " + "(1)" * 20000,
        "1/" * 32000,
    ],
    "squid": [
        "1.1 1 ::1 A/1 1 A " + "a" * 65000,
        '::1 - - [27/Nov/2026:00:00:00 +0000] "GET ' + "a" * 65000,
        "9" * 65536,
    ],
    "syslog": ["Nov 27 07:24:13 x %ASA-4-106023: Deny tcp src " + "a:" * 32000, "CEF:0|" + "a" * 65000],
    "pcap": ["\xa1\xb2\xc3\xd4" + "a" * 65536],
    "ipfix": ["\x00\x0a\xff\xff" + "a" * 65532, "\x00\x0a\x00\x10" * 16384],
    "csv": ["software,host\n" + '"' * 65536, "software,host\n" + "a," * 32768, "software;" * 8000],
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_hostile_line_of_64_kib_costs_milliseconds(name: str) -> None:
    for text in WORST[name]:
        began = time.process_time()
        list(read(io.BytesIO(f"{text}\n".encode("latin-1")), READING, format=name)[1])
        detect(text.encode("latin-1"))
        assert time.process_time() - began < 2.0, text[:60]


@given(st.binary(max_size=400), st.sampled_from(sorted(FORMATS)))
def test_nothing_but_findings_comes_of_any_bytes(data: bytes, name: str) -> None:
    for found in read_as(name, data):
        assert found is None or isinstance(found, Sighting | Rejected)


@given(st.data())
def test_spoiled_files_never_break_a_reader(data: st.DataObject) -> None:
    """A piece of a real file, cut, doubled and with other bytes in it; what comes out is still within its bounds."""
    path = data.draw(st.sampled_from(SAMPLES))
    whole = path.read_bytes()[: 1 << 14]
    start = data.draw(st.integers(0, len(whole)))
    spoiled = whole[:start] + data.draw(st.binary(max_size=8)) + whole[data.draw(st.integers(start, len(whole))) :]
    kind = read(path.open("rb"), READING)[0]
    for found in read_as(kind.name, spoiled):
        if isinstance(found, Sighting):
            assert found.at <= NOW + CLOCKS_DIFFER
            assert len(found.name) <= 253
            assert found.name == found.name.lower()
            assert all(len(text) <= 2048 and text.isprintable() for text in (found.path, found.agent, found.user))
            assert found.count >= 1


def test_a_line_may_be_as_long_as_promised() -> None:
    line = '{"timestamp":"2026-11-27T07:00:00+0000","event_type":"stats","x":"' + "a" * (MAX_LINE - 100) + '"}\n'
    assert read_as("suricata", line.encode()) == [None]


def test_i13_what_only_watches_gives_no_verdict() -> None:
    """Of Zeek nothing is known to be blocked or allowed; that the other side answered is."""
    found = sightings(read((FILES / "zeek-conn.log").open("rb"), READING)[1])
    assert {one.verdict for one in found} == {Verdict.UNKNOWN}
    assert {one.channel for one in found} == {Channel.FLOW}
    assert {one.answered for one in found} == {True, False}
