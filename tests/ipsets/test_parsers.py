"""Parsers before strangers: what comes back keeps its promises, or it is an error of ours. Nothing hangs or swells."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import DomainName, Network, parse_network
from ipsets.errors import SnapshotCorrupt, SourceError, SourceImplausible
from ipsets.model import Confidence, Dedication, Indicator, Provenance
from ipsets.resolve import SourceRecord, dumps_record, loads_record
from ipsets.snapshot import dumps, loads
from ipsets.sources import LastGood, asndb, ct, irr, plain, ranges, ripestat, rpki
from ipsets.sources.document import remembered
from ipsets.sources.plain import MAX_BAD_LINES, MAX_ENTRIES, MAX_LINE, parse, parse_line
from ipsets.text import MAX_VALUES, canonical, lines_of, one_line, pack, read_json, rows_of, sha256, unpack
from tests.ipsets.making import NOW, entry, snapshot

BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x1f", "a", "é", "")


# --- text -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(BREAKS) | st.text(max_size=3), max_size=30).map("".join), st.integers(0, 9))
def test_lines_are_those_of_the_standard_library(text: str, block: int) -> None:
    assert list(lines_of(text, block=block)) == text.splitlines()
    assert list(rows_of(text, block=block)) == text.split("\n")


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 50))
def test_one_line_is_printable_and_can_be_stored(text: str, limit: int) -> None:
    said = one_line(text, limit)
    assert said.encode() is not None
    assert said.isprintable()
    assert len(said) <= limit


@pytest.mark.parametrize("piece", ["[],", "{},", "1,", '"",'])
def test_json_with_too_many_values_is_not_even_read(piece: str) -> None:
    with pytest.raises(ValueError, match="more than 10000000 values"):
        read_json(f"[{piece * (MAX_VALUES // piece.count(',') + 1)}1]")
    assert len(read_json(f"[{piece * 10}1]")) == 11


# --- plain lists: their size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n", id="a-line-of-254-networks"),
        pytest.param("5.5.5.5\n", id="the-same-line-again"),
        pytest.param(f"0.0.0.0{' a.example' * 6000}\n", id="a-hosts-line-of-6000-names"),
    ],
)
def test_i02_a_list_of_too_many_entries_is_refused_at_the_line_that_was_too_much(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MAX_ENTRIES", 5000)
    in_a_line = sum(1 for _ in plain.parse_line(line.strip()))
    number = 5000 // in_a_line + 1
    with pytest.raises(SourceImplausible, match="more than 5000 entries") as caught:
        parse(line * (number + 1), place="theirs.txt")
    assert caught.value.place == f"theirs.txt:{number}"
    if number > 1:
        assert len(parse(line * (number - 1), place="theirs.txt")) == in_a_line * (number - 1)


def test_the_guards_let_fewer_entries_pass_than_a_list_may_have() -> None:
    assert MAX_ENTRIES >= 250_000


def test_i06_reading_ends_when_nearly_every_line_is_bad() -> None:
    text = "tiktok.com\n" + "a\n" * (MAX_BAD_LINES + 5000)
    with pytest.raises(SourceImplausible, match=rf"; at least {MAX_BAD_LINES - 4} more") as caught:
        parse(text, place="theirs.txt")
    assert caught.value.place == "theirs.txt:2"
    assert len(caught.value.message) < 1000


def test_i06_a_line_without_end_is_none() -> None:
    longest = f"0.0.0.0 {'a.example ' * MAX_LINE}"[: MAX_LINE - 1] + "e"
    assert parse(f"{longest}\n", place="x")
    with pytest.raises(SourceImplausible, match=f"{MAX_LINE + 1} characters are no line"):
        parse(f"tiktok.com\n{longest}e\n", place="x")


def test_i02_a_line_of_a_table_without_end_is_none() -> None:
    """It would be read as one JSON value, which takes forty times its size."""
    good = '{"CIDR":"71.18.252.0/23","ASN":138699,"Hits":1320}\n'
    with pytest.raises(SourceImplausible, match=r"line 2: .* a line of 5001 characters"):
        asndb.parse(f"{good}[{'[],' * 1666}0]\n", asns=(138699,), min_hits=1, place="x")


# --- what every parser promises ---------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
"""Of JSON: half characters too, which no encoding can hold."""
ADDRESSES = st.sampled_from(
    ["71.18.8.0/24", "103.136.220.0/23", "2605:340:f01e::/48", "192.0.2.7", "2001:db8::1", "5.5.5.0/255.255.255.0"]
)
NETWORKS = st.one_of(
    ADDRESSES,
    st.sampled_from(
        ["0.0.0.0/0", "::/0", "074.1.2.0/24", "5.5.5.1/24", "5.5.5.0/33", "fe80::1%eth0", "5.5.5", "", "/24"]
    ),
    ANY_TEXT,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    ANY_TEXT,
    st.sampled_from([138699, "AS138699", 24, NOW.isoformat()]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=6
)


def nearly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is right, so that what stands behind it is reached too."""
    return st.one_of(good, good, good, good, good, JSON)


def written(value: object) -> str:
    """As it comes over the wire: half characters are escaped there."""
    return json.dumps(value)


def kept(*indicators: Indicator) -> None:
    """A source's record with these can be stored, and is read back as it was."""
    record = SourceRecord(name="fuzz", kind="fuzz", last_attempt=NOW, last_success=NOW, indicators=indicators)
    text = dumps_record(record)
    assert text.encode()
    assert loads_record(text) == record


def names(entry: Network, texts: Iterable[object]) -> bool:
    """Whether one of these texts says exactly this network."""
    for text in texts:
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            if parse_network(text) == entry:  # type: ignore[arg-type]  # what is no text is no network
                return True
    return False


# --- each parser ------------------------------------------------------------------------------------------------------

ROAS = st.lists(
    nearly(
        st.fixed_dictionaries(
            {
                "asn": nearly(st.sampled_from([138699, "AS138699", 396986, "AS64500", "AS", True])),
                "prefix": nearly(NETWORKS),
                "maxLength": nearly(st.integers(0, 130)),
                "ta": nearly(ANY_TEXT),
            },
            optional={"expires": nearly(st.integers(0, 10**11))},
        )
    ),
    max_size=5,
)


@given(nearly(ROAS), nearly(st.fixed_dictionaries({"generated": st.just(int(NOW.timestamp()))})))
def test_an_rpki_export_says_only_what_stands_in_it(roas: Any, metadata: Any) -> None:
    try:
        found = rpki.parse(written({"metadata": metadata, "roas": roas}), asns=(138699, 396986), now=NOW, place="fuzz")
    except SourceImplausible:
        return
    assert found
    for payload in found:
        assert payload.asn in (138699, 396986)
        assert names(payload.network, (roa["prefix"] for roa in roas if isinstance(roa, dict) and "prefix" in roa))
        assert payload.network.prefixlen <= payload.max_length <= payload.network.max_prefixlen
    kept(*(rpki._indicator(payload, NOW) for payload in {(p.asn, p.network): p for p in found}.values()))


CERTIFICATE = st.fixed_dictionaries(
    {
        "id": nearly(st.integers(-1, 1 << 70)),
        "name_value": nearly(
            st.lists(st.sampled_from(["tiktok.com", "*.TikTok.com", "a b", "me@tiktok.com", "1.2.3.4"]) | ANY_TEXT).map(
                "\n".join
            )
        ),
        "common_name": nearly(st.none() | st.just("www.tiktok.com") | ANY_TEXT),
        "not_before": nearly(st.just((NOW - timedelta(days=9)).isoformat())),
        "not_after": nearly(st.just("2026-12-01T00:00:00")),
    }
)


@given(nearly(st.lists(nearly(CERTIFICATE), max_size=4)))
def test_certificates_name_only_hosts_that_stand_in_them(certificates: Any) -> None:
    try:
        found = ct.parse(written(certificates), place="fuzz", now=NOW)
    except SourceError:
        return
    said = "\n".join(
        f"{c.get('name_value')}\n{c.get('common_name')}" for c in certificates if isinstance(c, dict)
    ).lower()
    for name, number in found.items():
        assert name.name.isascii()
        assert ("*." if name.suffix else "") + name.name in said
        assert 0 <= number < 1 << 63
    kept(*(ct.CtSource(domains=())._indicator(name, number, NOW) for name, number in found.items()))


DOCUMENTS: Mapping[str, Callable[[list[Any]], Any]] = {
    "fastly": lambda nets: {"addresses": nets[::2], "ipv6_addresses": nets[1::2]},
    "aws": lambda nets: {
        "prefixes": [{"ip_prefix": n, "service": "AMAZON"} for n in nets],
        "ipv6_prefixes": [{"ipv6_prefix": n, "service": "CLOUDFRONT"} for n in nets],
    },
    "google": lambda nets: {"prefixes": [{"ipv4Prefix": n} for n in nets] + [{"ipv6Prefix": n} for n in nets]},
    "cloudflare": lambda nets: {"success": True, "result": {"ipv4_cidrs": nets, "ipv6_cidrs": nets}},
    "oracle": lambda nets: {"regions": [{"cidrs": [{"cidr": n}]} for n in nets]},
    "misp": lambda nets: {"type": "cidr", "list": nets},
}
PUBLISHED = st.lists(st.sampled_from(["151.101.0.0/16", "2a04:4e40::/32", "23.235.32.0/20"]) | NETWORKS, max_size=4)


@pytest.mark.parametrize("form", DOCUMENTS)
@given(given=PUBLISHED, spoilt=st.booleans(), instead=JSON, data=st.data())
def test_published_ranges_are_exactly_those_of_the_document(
    form: Any, given: list[Any], spoilt: bool, instead: Any, data: st.DataObject
) -> None:
    document = DOCUMENTS[form](given)
    if spoilt:
        document[data.draw(st.sampled_from(sorted(document)))] = instead
    try:
        found = ranges.parse(written(document), format=form, services=frozenset(), place="fuzz")
    except SourceImplausible:
        return
    assert found
    assert spoilt or {str(n) for n in found} == {str(parse_network(text)) for text in given}
    assert all(n.prefixlen >= ranges.WIDEST[n.version] for n in found)


@given(st.lists(NETWORKS | st.sampled_from(["tiktok.com", "# x", "5.5.5.0-5.5.5.9"]), max_size=5).map("\n".join))
def test_a_plain_list_of_ranges_holds_no_name(text: str) -> None:
    with contextlib.suppress(SourceImplausible):
        found = ranges.parse(text, format="plain", services=frozenset(), place="fuzz")
        assert all(not isinstance(network, DomainName) for network in found)


PREFIXES = st.lists(
    nearly(
        st.fixed_dictionaries(
            {
                "prefix": nearly(NETWORKS),
                "timelines": nearly(st.lists(st.fixed_dictionaries({"endtime": nearly(st.just(NOW.isoformat()))}))),
            }
        )
    ),
    max_size=4,
)


@given(
    prefixes=nearly(PREFIXES),
    end=nearly(st.just(NOW.isoformat())),
    resource=nearly(st.just("138699")),
    status=nearly(st.just("ok")),
    code=nearly(st.sampled_from([200, 429, 500, 400])),
    messages=nearly(st.lists(st.lists(ANY_TEXT, max_size=2), max_size=2)),
    holder=nearly(st.none() | ANY_TEXT),
)
def test_announced_prefixes_are_those_of_the_answer(
    prefixes: Any, end: Any, resource: Any, status: Any, code: Any, messages: Any, holder: Any
) -> None:
    data = {"prefixes": prefixes, "query_endtime": end, "resource": resource, "holder": holder}
    text = written({"status": status, "status_code": code, "messages": messages, "data": data})
    with contextlib.suppress(SourceError):
        found = ripestat.parse(text, asn=138699, now=NOW)
        assert found
        assert all(names(network, (entry["prefix"] for entry in prefixes)) for network in found)
        kept(*ripestat._indicators(138699, found, None, NOW))
    with contextlib.suppress(SourceError):
        said = ripestat.parse_holder(text, asn=138699, now=NOW)
        assert said is None or (said.isprintable() and 0 < len(said) <= ripestat.MAX_HOLDER)


@given(JSON | st.fixed_dictionaries({"holders": JSON | st.dictionaries(st.sampled_from(["1", "x"]), JSON)}))
def test_a_memo_that_was_not_written_here_is_no_memory(memo: Any) -> None:
    last = LastGood(indicators=(), memo=written(memo))
    assert isinstance(ripestat._remembered(last), dict)
    assert isinstance(remembered(last), Mapping)


WORDS = st.lists(
    st.sampled_from(["71.18.0.0/16", "2605:340::/32", "71.18.0.1/16", "::/0", "AS1", "\x1b[2J"]), max_size=4
)
FRAMES = st.one_of(
    st.builds(lambda words, more: framed(" ".join(words), more), WORDS, st.sampled_from([0, 0, 0, 0, 1, -1, 10**9])),
    st.sampled_from(
        [b"C\n", b"D\n", b"F no such thing\x1b[2J\n", b"%ERROR:201: go away\n", b"", b"A0\nC\n", b"A\n", b"\xff\n"]
    ),
)


def framed(content: str, more: int) -> bytes:
    """Content as IRRd frames it, with a length that is wrong by ``more``."""
    return b"A%d\n%s\nC\n" % (max(0, len(content) + 1 + more), content.encode())


@given(st.lists(FRAMES, min_size=2, max_size=2))
def test_route_objects_are_those_of_the_reply(frames: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(frames))
        theirs.shutdown(socket.SHUT_WR)
        talk = irr.Conversation(ours, place="fuzz", timeout_seconds=5, total_seconds=5, max_bytes=4096)
        with contextlib.suppress(SourceError):
            assert all(str(network) in b" ".join(frames).decode("latin-1") for network in talk.prefixes(64500))


# --- every tool's way to write an entry -------------------------------------------------------------------------------

V4 = st.builds(
    lambda a, n: IPv4Network((a >> (32 - n) << (32 - n), n)), st.integers(0, (1 << 32) - 1), st.integers(0, 32)
)
V6 = st.builds(
    lambda a, n: IPv6Network((a >> (128 - n) << (128 - n), n)), st.integers(0, (1 << 128) - 1), st.integers(0, 128)
)
LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda text: not text.startswith("xn--")
)
HOST = st.lists(LABEL, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))


@given(V4 | V6)
def test_every_spelling_of_a_network_is_that_network(network: Network) -> None:
    first, last = network[0], network[-1]
    kind = "IP-CIDR" if network.version == 4 else "IP-CIDR6"
    spellings = [
        str(network),
        f"{first}-{last}",
        f"{first} - {last}",
        f"{kind},{network},REJECT,no-resolve",
        f" {network} # x",
    ]
    if network.version == 4:
        spellings += [f"Tik: Tok, Inc:{first}-{last}", f"{first}/{network.netmask}"]
    for line in spellings:
        assert list(parse_line(line)) == [network], line
    assert parse(f"payload:\n  - '{kind},{network}'\n", place="x") == ((2, network),)


@given(HOST)
def test_every_spelling_of_a_name_is_that_name(host: str) -> None:
    below = (host, f"*.{host}", f"+.{host}", f".{host}", f"{host}.", f"domain:{host} @!cn", f"||{host}^", host.upper())
    exact = (f"full:{host}", f"0.0.0.0 {host}", f":: {host} # x", f"DOMAIN,{host},REJECT", f"HOST,{host}")
    more = (f"DOMAIN-SUFFIX,{host}", f"HOST-SUFFIX,{host},TikTok", f"||{host}^$important")
    for line in (*below, *more):
        assert list(parse_line(line)) == [DomainName(host)], line
    for line in exact:
        assert list(parse_line(line)) == [DomainName(host, suffix=False)], line


# --- there and back ---------------------------------------------------------------------------------------------------

SAID = st.text(st.characters(codec="utf-8"), max_size=12)
TIMES = st.datetimes(timezones=st.just(UTC))
INDICATORS = st.builds(
    Indicator,
    value=V4 | V6 | st.builds(DomainName, HOST, suffix=st.booleans()),
    app=SAID,
    category=SAID,
    confidence=st.sampled_from(Confidence),
    dedication=st.sampled_from(Dedication),
    sources=st.lists(
        st.builds(Provenance, source=SAID, first_seen=TIMES, last_seen=TIMES, detail=SAID), max_size=3
    ).map(tuple),
)


@given(st.lists(INDICATORS, max_size=5), SAID)
def test_records_come_back_as_they_were_stored(indicators: list[Indicator], said: str) -> None:
    assert unpack(json.loads(canonical(pack(indicators)))) == tuple(indicators)
    record = SourceRecord(name=said, kind=said, last_attempt=NOW, error=said, indicators=tuple(indicators), memo=said)
    assert loads_record(dumps_record(record)) == record


@given(st.lists(INDICATORS, min_size=1, max_size=5))
def test_snapshots_come_back_as_they_were_stored(indicators: list[Indicator]) -> None:
    made = snapshot([entry(".new.example"), *indicators])  # a name, which no network that is never blocked takes out
    assert loads(dumps(made)) == made


@given(JSON)
def test_any_json_with_a_right_checksum_is_a_record_or_corrupt(content: Any) -> None:
    """Somebody who writes into the store can make a checksum too."""
    for value in (content, {"name": "x", "kind": "x", "indicators": {"provenance": [], "entries": content}}):
        try:
            text = canonical({"checksum": sha256(canonical(value)), "content": value})
        except UnicodeError:
            return
        with contextlib.suppress(SnapshotCorrupt):
            loads_record(text)
        with contextlib.suppress(SnapshotCorrupt):
            loads(text)
