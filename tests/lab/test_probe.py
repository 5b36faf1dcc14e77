"""The probe says what a client sees; its DNS is checked against bytes written by hand."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import probe
from lab.probe import Result, Target, decode_answer, encode_query, parse_target, quic_initial, try_all

NAME = b"\x03www\x06tiktok\x03com\x00"
A_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([103, 136, 220, 10])
CNAME_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 2) + b"\xc0\x0c"
AAAA_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 60, 16) + bytes.fromhex("24049dc0cd0100000000000000000010")


def answer(*records: bytes) -> bytes:
    return (
        struct.pack("!HHHHHH", 7, 0x8180, 1, len(records), 0, 0) + NAME + struct.pack("!HH", 1, 1) + b"".join(records)
    )


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tcp:103.136.220.10:443", Target("tcp:103.136.220.10:443", "tcp", "103.136.220.10", 443, 4)),
        ("udp:2404:9dc0:cd01::10:443", Target("udp:2404:9dc0:cd01::10:443", "udp", "2404:9dc0:cd01::10", 443, 6)),
        ("tcp6:www.tiktok.com:80", Target("tcp6:www.tiktok.com:80", "tcp", "www.tiktok.com", 80, 6)),
        ("dns6:www.tiktok.com", Target("dns6:www.tiktok.com", "dns", "www.tiktok.com", 53, 6)),
    ],
)
def test_a_target_is_read(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "www.tiktok.com", "sctp:1.2.3.4:1", "tcp:", "tcp:host", "tcp:host:https"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no target|invalid literal|not enough values"):
        parse_target(text)


def test_a_query_is_written_as_rfc_1035_says() -> None:
    assert (
        encode_query("www.tiktok.com.", 6, 7) == struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + NAME + b"\0\x1c\0\x01"
    )


def test_only_the_asked_family_is_taken_from_an_answer() -> None:
    message = answer(CNAME_RECORD, A_RECORD, AAAA_RECORD)
    assert decode_answer(message, 4) == ("103.136.220.10",)
    assert decode_answer(message, 6) == ("2404:9dc0:cd01::10",)


@given(st.integers(min_value=0, max_value=len(answer(CNAME_RECORD, A_RECORD)) - 1))
def test_an_answer_cut_anywhere_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_answer(answer(CNAME_RECORD, A_RECORD)[:length], 4)


def test_a_quic_datagram_looks_like_one() -> None:
    datagram = quic_initial()
    assert len(datagram) >= 1200
    assert datagram[0] & 0xC0 == 0xC0
    assert datagram[1:5] == b"\0\0\0\x01"


@pytest.fixture
def echo() -> Iterator[int]:
    """A TCP port that takes connections, and the same UDP port that answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_refused_and_a_silent_port_are_told_apart(echo: int) -> None:
    targets = [parse_target(f"tcp:127.0.0.1:{echo}"), parse_target(f"udp:127.0.0.1:{echo}")]
    silent, refused = asyncio.run(try_all(targets, None, 0.2))
    assert (silent.outcome, refused.outcome) == ("timeout", "refused")
    assert silent.is_blocked
    assert refused.is_blocked


def test_a_name_without_an_answer_is_not_called_blocked() -> None:
    result = asyncio.run(try_all([parse_target("tcp:www.tiktok.com:443")], None, 0.2))[0]
    assert (result.outcome, result.is_blocked) == ("no-address", False)


@pytest.mark.parametrize(
    ("outcome", "blocked"), [("ok", False), ("reset", True), ("still-ok", False), ("denied", True)]
)
def test_what_counts_as_blocked(outcome: str, blocked: bool) -> None:
    assert Result("t", outcome, 1.0).is_blocked is blocked


def test_it_runs_alone_without_any_package() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", probe.__file__, "--timeout", "0.2", "tcp:127.0.0.1:1"],
        capture_output=True, text=True, check=True, cwd="/", env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert json.loads(done.stdout)["outcome"] == "refused"


def test_waiting_for_a_change_ends_at_its_deadline_and_says_so() -> None:
    found = asyncio.run(probe.wait_for(parse_target("tcp:127.0.0.1:1"), "ok", None, 0.2, 0.1))
    assert found.outcome == "still-refused"
    assert found.ms >= 200


def test_a_held_connection_says_when_it_broke(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        arguments = ["--hold", str(ready), "--deadline", "20", f"tcp:127.0.0.1:{port}"]
        with subprocess.Popen(
            [sys.executable, "-I", "-S", probe.__file__, *arguments], stdout=subprocess.PIPE, text=True
        ) as holder:
            client, _ = server.accept()
            with client:
                client.recv(64)
                client.sendall(b"page")
                client.recv(64)  # a second question: the first answer arrived
            said = holder.communicate(timeout=10)[0]
    assert ready.exists()
    assert json.loads(said)["outcome"] == "reset"
