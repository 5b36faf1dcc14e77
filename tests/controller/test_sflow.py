"""sFlow 5: what real agents sent, what is composed after the specification, and what is broken."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.evidence.formats.netflow import Collector
from controller.evidence.model import Sighting, Verdict
from controller.evidence.senders import Senders
from controller.evidence.sifting import NETFLOW, Arrival, Sieve
from tests.controller.offices import YAML, offices

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
FILE = Path(__file__).parent / "netflow" / "sflow-5.bin"
CLIENT, SERVER = ip_address("10.20.3.41").packed, ip_address("103.136.221.2").packed


def messages() -> list[bytes]:
    data, found = FILE.read_bytes(), []
    while data:
        size = int.from_bytes(data[:2], "big")
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return found


def told(data: bytes) -> tuple[list[Sighting], str]:
    return Collector().flows(data, "10.20.0.1", now=NOW)


def test_real_datagrams_say_what_tcpdump_reads_in_them() -> None:
    """Of a switch, and of the reference agent; counters among the samples say nothing of who went where."""
    found = [told(message) for message in messages()]
    assert [trouble for _, trouble in found] == ["", ""]
    assert [(str(s.source), s.source_port, str(s.destination), s.port, s.octets) for s in found[0][0]] == [
        ("10.1.14.22", 30461, "54.240.235.69", 80, 1490),
        ("10.1.14.16", 9092, "10.1.8.19", 46882, 1518),
        ("10.1.14.17", 9092, "10.1.0.207", 41023, 1094),
        ("10.1.14.16", 9092, "10.1.15.17", 52672, 1518),
        ("10.1.14.17", 9092, "10.1.14.16", 64041, 1518),
        ("10.1.14.16", 38801, "10.1.15.16", 9092, 70),
    ]
    ssh = [(str(s.source), s.port, s.protocol, s.packets, s.octets, s.answered) for s in found[1][0]]
    assert ssh == [("192.168.91.1", 22, "tcp", 1, size, known) for size, known in ((70, None), (390, True), (70, None))]
    assert {s.at for sightings, _ in found for s in sightings} == {NOW}


def record(form: int, body: bytes) -> bytes:
    return struct.pack(">II", form, len(body)) + body + b"\0" * (-len(body) % 4)


def sample(*records: bytes, output: int = 3, expanded: bool = False) -> bytes:
    ways = (0, 1, output >> 30, output & 0x3FFFFFFF) if expanded else (1, output)
    ids = (7, 0, 1, 1000, 5000, 0) if expanded else (7, 1, 1000, 5000, 0)
    head = struct.pack(f">{len(ids) + len(ways)}I", *ids, *ways)
    return record(3 if expanded else 1, head + struct.pack(">I", len(records)) + b"".join(records))


def datagram(*parts: bytes, agent: bytes = ip_address("10.20.0.1").packed) -> bytes:
    kind = 1 if len(agent) == 4 else 2
    return struct.pack(">II", 5, kind) + agent + struct.pack(">IIII", 0, 1, 9_000, len(parts)) + b"".join(parts)


def header(
    flags: int = 2, ports: tuple[int, int] = (51000, 443), ends: tuple[bytes, bytes] = (CLIENT, SERVER)
) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", *ports, 1, 0, 0x50, flags, 1024, 0, 0)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + ends[0] + ends[1]
    return record(1, struct.pack(">IIII", 11, 44, 4, 40) + ip + tcp)


ADDRESSES = record(3, struct.pack(">II", 60, 17) + CLIENT + SERVER + struct.pack(">IIII", 51000, 443, 0, 0))


@pytest.mark.parametrize(
    ("data", "verdict", "answered"),
    [
        pytest.param(datagram(sample(header())), Verdict.UNKNOWN, None, id="a-header"),
        pytest.param(datagram(sample(header(), expanded=True)), Verdict.UNKNOWN, None, id="expanded"),
        pytest.param(datagram(sample(ADDRESSES)), Verdict.UNKNOWN, None, id="addresses-alone"),
        pytest.param(datagram(sample(header()), agent=bytes(16)), Verdict.UNKNOWN, None, id="an-agent-of-ipv6"),
        pytest.param(datagram(sample(header(), output=1 << 30 | 258)), Verdict.BLOCKED, None, id="by-an-access-list"),
        pytest.param(
            datagram(sample(header(), output=1 << 30 | 13, expanded=True)), Verdict.BLOCKED, None, id="prohibited"
        ),
        pytest.param(datagram(sample(header(), output=1 << 30 | 259)), Verdict.UNKNOWN, None, id="for-want-of-room"),
        pytest.param(
            datagram(sample(header(0x12, (443, 51000), (SERVER, CLIENT)))), Verdict.UNKNOWN, True, id="an-answer"
        ),
        pytest.param(
            datagram(sample(header(0x14, (443, 51000), (SERVER, CLIENT)))), Verdict.UNKNOWN, None, id="a-reset-is-none"
        ),
    ],
)
def test_a_sample_says_who_sent_what_to_whom(data: bytes, verdict: Verdict, answered: bool | None) -> None:
    (found,), trouble = told(data)
    assert (found.source, found.destination, found.port) == (ip_address(CLIENT), ip_address(SERVER), 443)
    assert (found.verdict, found.answered, found.packets, trouble) == (verdict, answered, 1, "")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(datagram(sample(header()))[:-3], "cut off", id="cut-off"),
        pytest.param(b"\0\0\0\5", "cut off", id="a-version-alone"),
        pytest.param(struct.pack(">III", 5, 3, 0), "without an address", id="no-address"),
        pytest.param(datagram()[:-4] + b"\xff" * 4, "more samples", id="samples-without-number"),
        pytest.param(datagram(record(1, bytes(28) + b"\xff" * 4)), "more records", id="records-without-number"),
        pytest.param(
            datagram(sample(record(1, struct.pack(">IIII", 1, 64, 0, 900)))), "header that is cut off", id="header-cut"
        ),
    ],
)
def test_broken_datagrams_are_set_aside_and_say_why(data: bytes, said: str) -> None:
    found, trouble = told(data)
    assert found == []
    assert said in trouble


@given(st.sampled_from(messages()), st.data())
def test_nothing_but_findings_comes_of_spoiled_datagrams(message: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(4, len(message)))
    spoiled = message[:at] + data.draw(st.binary(max_size=6)) + message[at + data.draw(st.integers(0, 6)) :]
    found, _ = told(spoiled)
    assert all(one.source is not None and (one.port is None or one.port <= 65535) for one in found)


def test_it_comes_in_where_netflow_does_and_strangers_are_not_heard(tmp_path: Path) -> None:
    inventory = offices(tmp_path, YAML + "evidence: {sensors: {switch: {site: berlin, addresses: [10.20.0.2]}}}\n")
    sieve = Sieve(senders=Senders(inventory), ahead=timedelta(minutes=5), too_old=timedelta(days=7))
    data = datagram(sample(header()))
    found = sieve.sift([Arrival(data, peer, NETFLOW, NOW) for peer in ("10.20.0.2", "203.0.113.9")])
    assert [(one.sensor, one.at) for one in found.sightings] == [("switch", NOW)]
    assert [one.why.value for one in found.rejected] == ["stranger"]
