"""NetFlow and IPFIX: what softflowd 1.1.0 exported of a capture, and messages that no exporter sends.

``netflow/softflowd-N.bin``: its messages about ``pcap-web.pcap`` (and, but for version 5, ``pcap-quic.pcap``), each
behind its length in two bytes.
"""

from __future__ import annotations

import io
import socket
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.evidence.formats import Found, Reading, netflow, read
from controller.evidence.formats.netflow import MAX_TEMPLATES, Collector
from controller.evidence.model import Channel, Quarantine, Rejected, Sighting, Verdict
from controller.evidence.receiving import Receiver
from controller.evidence.senders import Senders
from controller.evidence.sifting import NETFLOW, Arrival, Sieve
from core.clock import ManualClock
from tests.controller.offices import YAML, offices
from tests.controller.test_evidence_receiving import Kept

FILES = Path(__file__).parent
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
READING = Reading(origin="netflow", now=NOW)
SECONDS = int(datetime(2026, 11, 27, 11, 0, tzinfo=UTC).timestamp())


def messages(version: int) -> list[bytes]:
    data, found = (FILES / "netflow" / f"softflowd-{version}.bin").read_bytes(), []
    while data:
        size = int.from_bytes(data[:2], "big")
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return found


def heard(*told: bytes, peer: str = "10.20.0.1", collector: Collector | None = None) -> list[Found]:
    collector = collector or Collector()
    return [found for message in told for found in collector.message(message, peer, READING)]


def of_capture(name: str) -> dict[tuple[object, ...], Sighting]:
    found = read((FILES / "evidence_files" / name).open("rb"), READING)[1]
    flows = (one for one in found if isinstance(one, Sighting) and one.channel is Channel.FLOW)
    return {(one.source, one.source_port, one.destination, one.port): one for one in flows}


@pytest.mark.parametrize("version", [5, 9, 10])
def test_an_exporter_tells_of_the_same_flows_as_the_capture(version: int) -> None:
    """Both ways of a flow add up to what the capture holds, and it began when the capture says."""
    known = of_capture("pcap-web.pcap") | of_capture("pcap-quic.pcap")
    found = [one for one in heard(*messages(version)) if isinstance(one, Sighting)]
    assert len(found) >= 8
    seen = {(one.source, one.source_port, one.destination, one.port) for one in found} & known.keys()
    assert len(seen) >= 4
    for ends in seen:
        ways = [one for one in found if (one.source, one.source_port, one.destination, one.port) == ends]
        if len(ways) == 2:  # else the answer came from a high port, and stands for itself
            assert sum(one.packets or 0 for one in ways) == known[ends].packets
            assert sum(one.octets or 0 for one in ways) == known[ends].octets
            assert {one.answered for one in ways} == {True, None}
        assert abs(ways[0].at - known[ends].at) < timedelta(seconds=1.1)


def v9(*sets: bytes, domain: int = 7, uptime: int = 1000) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), uptime, SECONDS, 1, domain) + b"".join(sets)


def a_set(number: int, body: bytes) -> bytes:
    return struct.pack(">HH", number, 4 + len(body)) + body


def a_template(*elements: tuple[int, int], number: int = 256) -> bytes:
    return a_set(0, struct.pack(">HH", number, len(elements)) + b"".join(struct.pack(">HH", *e) for e in elements))


ENDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1))
FLOW = bytes([10, 20, 0, 7, 71, 18, 252, 10, 0xC0, 0, 1, 187, 6])


def test_templates_are_each_exporters_own() -> None:
    """The number 256 of one is not that of another, nor of another domain of the same."""
    collector = Collector()
    heard(v9(a_template(*ENDS)), collector=collector)
    assert isinstance(heard(v9(a_set(256, FLOW)), collector=collector)[0], Sighting)
    for other in (
        heard(v9(a_set(256, FLOW), domain=8), collector=collector),
        heard(v9(a_set(256, FLOW)), peer="::1", collector=collector),
    ):
        assert [one.detail for one in other if isinstance(one, Rejected)] == ["flows whose template did not come yet"]


@pytest.mark.parametrize(
    ("element", "value", "verdict"),
    [
        pytest.param((233, 1), b"\3", Verdict.BLOCKED, id="asa-denied"),
        pytest.param((233, 1), b"\1", Verdict.UNKNOWN, id="asa-created"),
        pytest.param((89, 1), b"\x81", Verdict.BLOCKED, id="dropped-by-an-acl"),
        pytest.param((89, 4), b"\0\0\0\x40", Verdict.ALLOWED, id="forwarded"),
        pytest.param((89, 1), b"\0", Verdict.UNKNOWN, id="not-known"),
    ],
)
def test_a_verdict_is_what_the_device_says_of_the_flow(
    element: tuple[int, int], value: bytes, verdict: Verdict
) -> None:
    (found,) = heard(v9(a_template(*ENDS, element), a_set(256, FLOW + value)))[-1:]
    assert isinstance(found, Sighting)
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("uptime", "first", "ago"),
    [
        pytest.param(90_000, 30_000, 60, id="a-minute-ago"),
        pytest.param(10_000, 0xFFFFFFFF - 49_999, 60, id="round-the-end-of-the-count"),
        pytest.param(1000, 1000, 0, id="now"),
    ],
)
def test_the_count_of_uptime_goes_round(uptime: int, first: int, ago: int) -> None:
    template = a_template(*ENDS, (22, 4))
    found = heard(v9(template, a_set(256, FLOW + first.to_bytes(4, "big")), uptime=uptime))[-1]
    assert isinstance(found, Sighting)
    assert found.at == datetime.fromtimestamp(SECONDS - ago, UTC)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(v9(a_template((8, 0), (12, 0)), a_set(256, FLOW * 100)), id="no-width"),
        pytest.param(v9(a_template(), a_set(256, FLOW)), id="no-elements"),
        pytest.param(v9(struct.pack(">HH", 0, 0)), id="a-set-of-length-0"),
        pytest.param(v9(struct.pack(">HH", 256, 60000)), id="a-set-beyond-the-end"),
        pytest.param(v9(a_set(0, struct.pack(">HH", 256, 65535))), id="a-template-without-end"),
        pytest.param(v9(a_template((5, 1)), a_set(256, bytes(65000))), id="records-of-a-byte"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0\x09\0\x01", id="no-whole-header"),
        pytest.param(struct.pack(">HHIIII", 5, 30, 0, 0, 0, 0), id="records-that-are-not-there"),
    ],
)
def test_hostile_messages_are_set_aside_at_once(told: bytes) -> None:
    began = time.process_time()
    found = heard(told)
    assert time.process_time() - began < 1
    assert not [one for one in found if isinstance(one, Sighting)]
    [why] = [one.detail for one in found if isinstance(one, Rejected)]
    assert "unpack" not in why, "in words for people"


def test_templates_are_bounded() -> None:
    collector = Collector()
    for domain in range(MAX_TEMPLATES + 10):
        heard(v9(a_template(*ENDS), domain=domain), collector=collector)
    assert len(collector._templates) == MAX_TEMPLATES
    assert isinstance(heard(v9(a_set(256, FLOW), domain=0), collector=collector)[0], Rejected)
    assert isinstance(heard(v9(a_set(256, FLOW), domain=MAX_TEMPLATES), collector=collector)[0], Sighting)


@given(st.sampled_from([5, 9, 10]), st.data())
def test_nothing_but_findings_comes_of_spoiled_messages(version: int, data: st.DataObject) -> None:
    collector = Collector()
    for message in messages(version):
        at = data.draw(st.integers(0, len(message)))
        spoiled = message[:at] + data.draw(st.binary(max_size=6)) + message[at + data.draw(st.integers(0, 6)) :]
        for found in collector.message(spoiled, "10.20.0.1", READING):
            assert found is None or isinstance(found, Sighting | Rejected)


def test_exporters_are_heard_by_a_listener_and_strangers_are_not(tmp_path: Path) -> None:
    """What softflowd sent, over a real socket: by whose address it is, and into batches."""
    listen = """
evidence:
  listen: [{over: netflow, at: "127.0.0.1:0"}]
  sensors: {router: {site: berlin, addresses: [127.0.0.7]}}
"""
    inventory, kept = offices(tmp_path, YAML + listen), Kept()
    with Receiver(inventory, kept, ManualClock(NOW)) as receiver:
        for address in ("127.0.0.7", "127.0.0.99"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((address, 0))
                for message in messages(9):
                    sender.sendto(message, ("127.0.0.1", receiver.ports[0]))
        kept.until(lambda kept: len(kept.sightings) >= 20 and len(kept.rejected) >= len(messages(9)))
        assert receiver.figures().received["netflow"] == 2 * len(messages(9))
    assert {one.sensor for one in kept.sightings} == {"router"}
    assert {(one.why, one.origin) for one in kept.rejected} == {(Quarantine.STRANGER, "netflow 127.0.0.99")}


@pytest.mark.parametrize("version", [5, 9, 10])
def test_a_datagram_that_comes_again_counts_once(tmp_path: Path, version: int) -> None:
    sensors = "\nevidence: {sensors: {router: {site: berlin, addresses: [127.0.0.7]}}}\n"
    senders = Senders(offices(tmp_path, YAML + sensors))
    sieve = Sieve(senders=senders, ahead=timedelta(minutes=5), too_old=timedelta(days=7))
    sent = [Arrival(message, "127.0.0.7", NETFLOW, NOW) for message in messages(version)]
    first, again = sieve.sift(sent), sieve.sift(sent)
    assert first.sightings
    assert not first.repeated
    assert not again.sightings
    assert again.repeated


def test_a_file_of_ipfix_is_cut_off() -> None:
    data = (FILES / "evidence_files" / "ipfix-softflowd.ipfix").read_bytes()

    def found(size: int) -> Iterator[Found]:
        return read(io.BytesIO(data[:size]), READING, format="ipfix")[1]

    assert [one.detail for one in found(len(data) - 3) if isinstance(one, Rejected)][-1].endswith("the file is cut off")
    assert not [one for one in found(len(data)) if isinstance(one, Rejected)]
    assert netflow.fits_ipfix(data)
