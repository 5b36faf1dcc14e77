"""The logs of firewalls: what each line says, that a cut line tells nothing false, and that none takes long to read."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.evidence import firewalls, syslog
from controller.evidence.lines import Unfit
from controller.evidence.model import Sighting, Verdict
from tests.controller.reporting import GOLDENS, check_golden

LOGS = Path(__file__).parent / "logs"
NOW = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FAMILIES = sorted(firewalls.FORMATS)
TOLD = ("source", "source_port", "destination", "port", "protocol", "name", "user", "path", "rule", "uid")
WORST = rb"""
%ASA-4-106023: Deny tcp src inside:
%ASA-6-302014: Teardown TCP connection 1 for a:1/1 to b:1/1 duration 0:00:00 bytes 1
%ASA-6-106100: access-list x denied tcp a/1(1) -> b/2(2) hit-cnt 1
%ASA-4-338002: Dynamic Filter monitored blacklisted TCP traffic from
%FTD-1-430003: SrcIP:
%ASA-5-304001: 10.0.0.1 Accessed URL 10.0.0.2:
%ASA-5-304001: 10.0.0.1 Accessed URL aaaa:aaaa:
%ASA-5-304002: Access denied URL http://x/ SRC
1,2026/11/27 08:15:01,0,TRAFFIC,deny,
1,2026/11/27 08:15:01,0,THREAT,url,"
date=2026-11-27 logid=1 type=traffic
logid="1" type="traffic" x="
RT_FLOW: RT_FLOW_SESSION_DENY: session denied 10.0.0.1/1->10.0.0.2/2 x
RT_FLOW_SESSION_CREATE: session created
<14>1 2026-11-27T08:15:01Z h RT_FLOW - RT_FLOW_SESSION_DENY [junos@1
<14>1 - h CheckPoint 1 - [loguid:"1";
loguid=1|
kernel: [1.1] x IN=a OUT=b SRC=10.0.0.1 DST=10.0.0.2 LEN=1
kernel:
filterlog: 1,,,
CEF:0|a|b|c|d|e|5|src=10.0.0.1 dst=10.0.0.2 x=
CEF:0|a
LEEF:2.0|a|b|c|d|^|src=10.0.0.1^dst=10.0.0.2^
<134>
Nov 27 08:15:01
""".split(b"\n")[1:-1]
"""Beginnings that a pattern goes on from."""
STUFFING = (
    *(bytes([byte]) for byte in b' a1="\\()[],|:;<>/\xff'),
    *rb'a=1 |a="|A: |, A: |6 |(a) |[a |<1,1,1,1,1> |a:"b"; |IN= | SRC=|PROTO=TCP |MAC= |: |a:1/'.split(b"|"),
)


def lines(family: str) -> list[bytes]:
    return (LOGS / f"{family}.log").read_bytes().splitlines()


def read(raw: bytes, *, whole: bool | None = None) -> tuple[Sighting, ...]:
    message = syslog.parse(raw, NOW, zone=BERLIN, whole=whole)
    return firewalls.read(message, message.host or "unnamed")


def told(raw: bytes) -> Any:
    try:
        found = read(raw)
    except Unfit as exc:
        return f"unfit: {exc}"
    return [said(sighting) for sighting in found] or "passed over"


def said(sighting: Sighting) -> dict[str, Any]:
    """What is known of it, by name."""
    every = ((name, getattr(sighting, name)) for name in Sighting.__slots__)
    known = {name: value for name, value in every if value not in (None, "", ())}
    return {name: value if isinstance(value, bool | int) else str(value) for name, value in known.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_says_exactly_this(family: str) -> None:
    found = [told(raw) for raw in lines(family)]
    check_golden(f"evidence_{family}.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_format_is_told_by_what_it_holds(family: str) -> None:
    """No line of one family is claimed by another."""
    for raw in lines(family):
        assert firewalls.format_of(syslog.parse(raw, NOW)) in (family, None)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_line_tells_nothing_false(family: str) -> None:
    """At every byte: it is unfit, or says nothing, or less, and never another address, port, name or verdict."""
    checked = 0
    for raw in lines(family):
        try:
            whole = read(raw)
        except Unfit:
            continue
        for end in range(1, len(raw)):
            try:
                found = read(raw[:end], whole=False)
            except Unfit:
                continue
            assert len(found) in (0, len(whole))
            for part, full in zip(found, whole[: len(found)], strict=True):
                checked += 1
                differ = [name for name in TOLD if getattr(part, name) not in (getattr(full, name), "", None)]
                if family.startswith("fortios") and part.rule.isdigit():
                    differ = [
                        name for name in differ if name != "rule"
                    ]  # the number of the policy stands before its name
                assert not differ, (raw[:end], differ)
                assert part.verdict in (full.verdict, Verdict.UNKNOWN)
    assert checked or family in ("checkpoint",)


@pytest.mark.parametrize("form", ["cef", "leef"])
def test_what_we_send_out_is_no_evidence_when_it_comes_back(form: str) -> None:
    """A collector that passes on all it gets would have us find what we found, for ever."""
    for raw in (GOLDENS / f"export_{form}.txt").read_bytes().splitlines():
        assert read(raw) == ()


def test_a_client_cannot_write_what_the_firewall_knows() -> None:
    """An address behind the firewall's own, in a URL or a User-Agent, changes nothing."""
    ftd = (
        b"%FTD-1-430003: SrcIP: 10.20.0.15, DstIP: 203.0.113.7, URL: http://x.example/, SrcIP: 10.9.9.9, Protocol: tcp"
    )
    assert {str(s.source) for s in read(ftd)} == {"10.20.0.15"}
    asa = (
        b"%ASA-5-304002: Access denied URL http://x/ SRC 10.9.9.9 DEST 9.9.9.9 on interface x SRC 10.20.0.15"
        b" DEST 203.0.113.7 on interface inside"
    )
    assert {(str(s.source), str(s.destination)) for s in read(asa)} == {("10.20.0.15", "203.0.113.7")}
    forti = b'logid="1" type="traffic" eventtime=1795763701 srcip=10.20.0.15 dstip=203.0.113.7 srcip=10.9.9.9 x=1'
    assert {str(s.source) for s in read(forti)} == {"10.20.0.15"}


@pytest.mark.parametrize("begin", WORST, ids=[repr(b[:24]) for b in WORST])
def test_the_longest_line_is_read_in_a_moment(begin: bytes) -> None:
    """64 KiB of whatever a pattern would like to go back over: twice the length is about twice the time."""
    for stuffing in STUFFING:
        raw = begin + b" " + stuffing * (syslog.LIMIT // len(stuffing))
        before = time.process_time()
        told(raw)
        took = time.process_time() - before
        assert took < 0.5, (begin, stuffing, took)


@given(raw=st.sampled_from([raw for family in FAMILIES for raw in lines(family)]), data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoiled_line_is_read_or_unfit(raw: bytes, data: st.DataObject) -> None:
    """Bytes changed, doubled or left out: nothing but ``Unfit`` comes out, and what comes out has its types."""
    at = data.draw(st.integers(0, len(raw)))
    until = data.draw(st.integers(at, min(len(raw), at + 12)))
    spoiled = raw[:at] + data.draw(st.binary(max_size=12)) + raw[until:]
    try:
        found = read(spoiled)
    except Unfit:
        return
    for sighting in found:
        assert sighting.at.tzinfo is UTC
        assert sighting.source is None or sighting.port is None or 0 <= sighting.port <= 65535
        assert sighting.name == sighting.name.lower()
        assert sighting.count >= 1


@pytest.mark.parametrize("stamp", ["²²²²²²²²²²", "\N{ARABIC-INDIC DIGIT ONE}" * 13, "1795763704.", "17957637"])
def test_a_time_that_only_looks_like_numbers_spoils_its_own_line_alone(stamp: str) -> None:
    cef = "<189>Nov 27 08:15:04 fg-60 CEF:0|Fortinet|Fortigate|v7.4.5|00013|traffic:forward close|3|"
    line = f"{cef}rt={stamp} FTNTFGTeventtime={stamp} cat=traffic:forward src=10.20.3.43 dst=103.136.221.9 act=deny"
    assert "is no time" in str(told(line.encode()))
