"""Databases in MaxMind's format: MaxMind's own test files and ones made here; what is read, and what is an error."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import sys
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.errors import SourceImplausible
from ipsets.model import Dedication
from ipsets.sources import AsndbConfig, Source, build_source, mmdb
from ipsets.sources.mmdb import MARKER, Held
from tests.ipsets.databases import database, encode, tree
from tests.ipsets.making import NOW, curated, snapshot

MAXMIND = Path(__file__).parent / "data" / "maxmind"
REAL = (MAXMIND / "GeoLite2-ASN-Test.mmdb").read_bytes()
BAD = sorted(file for file in MAXMIND.glob("*.mmdb") if not file.stem.startswith("GeoLite2"))
REAL_NOW = datetime.fromisoformat("2026-02-10T12:00:00+00:00")
"""Six days after MaxMind built it."""
GEOLITE = {
    "71.18.252.0/23": {"autonomous_system_number": 138699, "autonomous_system_organization": "TIKTOK PTE. LTD."},
    "199.103.24.0/23": {"autonomous_system_number": 396986},
    "8.8.8.0/24": {"autonomous_system_number": 15169, "autonomous_system_organization": "GOOGLE"},
    "2605:340:f01e::/48": {"autonomous_system_number": 11983, "autonomous_system_organization": "Tiktok\x1b[31m\nU.S."},
}
IPINFO = {
    "71.18.252.0/23": {
        "asn": "AS138699",
        "as_name": "TIKTOK PTE. LTD.",
        "as_domain": "tiktok.com",
        "country_code": "SG",
    },
    "199.103.24.0/23": {"asn": "AS396986", "name": "Bytedance Inc.", "domain": "bytedance.com"},
    "192.0.2.0/24": {"asn": "", "as_name": "", "country_code": "US"},
    "198.51.100.0/24": {"country_code": "US"},
    "2605:340:f01e::/48": {"asn": "AS11983"},
}


def source(folder: Path, data: bytes, *, named: str = "asn.mmdb", **changes: Any) -> Source:
    (folder / named).write_bytes(data)
    return build_source(AsndbConfig(kind="asndb", file=Path(named), **changes), folder=folder)


def read(data: bytes, *asns: int, now: datetime = NOW) -> tuple[Held, ...]:
    return mmdb.parse(data, asns=asns or (138699,), now=now, max_age=timedelta(days=30), place="x").held


def failure(data: bytes, *asns: int, now: datetime = NOW) -> str:
    with pytest.raises(SourceImplausible) as caught:
        read(data, *asns, now=now)
    assert "last good entries stay" in caught.value.hint
    assert len(caught.value.message) <= 400
    return caught.value.message


# --- what is read -----------------------------------------------------------------------------------------------------


def test_maxminds_own_file_is_read_as_their_library_reads_it() -> None:
    with maxminddb.open_database(MAXMIND / "GeoLite2-ASN-Test.mmdb") as theirs:
        every = {(n, r["autonomous_system_number"], r.get("autonomous_system_organization", "")) for n, r in theirs}
    found = read(REAL, *{asn for _, asn, _ in every}, now=REAL_NOW)
    assert {(held.network, held.asn, held.organisation) for held in found} == every
    assert len(found) == len(every) == 412


def test_networks_of_ours_in_maxminds_shape_say_who_holds_them(tmp_path: Path) -> None:
    found = source(tmp_path, database(GEOLITE, built=NOW)).fetch(NOW).indicators
    assert {(str(i.value), i.app, i.dedication, i.sources[0].source, i.sources[0].detail) for i in found} == {
        ("71.18.252.0/23", "tiktok", Dedication.UNKNOWN, "asndb:AS138699",
         f"of AS138699 (TIKTOK PTE. LTD.) in GeoLite2-ASN of {NOW:%Y-%m-%d}"),
        ("199.103.24.0/23", "bytedance-shared", Dedication.SHARED, "asndb:AS396986",
         f"of AS396986 in GeoLite2-ASN of {NOW:%Y-%m-%d}"),
        ("2605:340:f01e::/48", "tiktok", Dedication.UNKNOWN, "asndb:AS11983",
         f"of AS11983 (Tiktok [31m U.S.) in GeoLite2-ASN of {NOW:%Y-%m-%d}"),
    }  # fmt: skip


def test_ipinfos_shape_is_read_and_what_nobody_originates_is_passed_over() -> None:
    found = read(database(IPINFO, built=NOW, kind="ipinfo generic_lite.mmdb"), 138699, 396986, 11983)
    assert {(str(h.network), h.asn, h.organisation) for h in found} == {
        ("71.18.252.0/23", 138699, "TIKTOK PTE. LTD."),
        ("199.103.24.0/23", 396986, "Bytedance Inc."),
        ("2605:340:f01e::/48", 11983, ""),
    }


@pytest.mark.parametrize("size", [24, 28, 32])
@pytest.mark.parametrize(("version", "aliases"), [(4, False), (6, False), (6, True)])
def test_every_size_of_record_is_read_and_an_alias_is_not_another_network(
    size: int, version: int, aliases: bool
) -> None:
    rows = {n: r for n, r in GEOLITE.items() if version == 6 or ":" not in n}
    data = database(rows, built=NOW, size=size, version=version, aliases=aliases)
    assert {str(h.network) for h in read(data, 138699, 396986, 11983)} == set(rows) - {"8.8.8.0/24"}


def test_records_are_told_apart_by_all_of_28_bits() -> None:
    padded = encode(GEOLITE["8.8.8.0/24"]).ljust(1 << 24, b"\0")
    far = database({"64.1.0.0/16": padded, "71.18.252.0/23": GEOLITE["71.18.252.0/23"]}, built=NOW)
    assert [str(h.network) for h in read(far)] == ["71.18.252.0/23"]


def test_content_decides_and_the_name_does_not(tmp_path: Path) -> None:
    assert source(tmp_path, database(GEOLITE, built=NOW), named="table.jsonl").fetch(NOW).indicators
    line = b'{"CIDR":"71.18.252.0/23","ASN":138699,"Hits":1320}\n'
    assert source(tmp_path, line, named="asn.mmdb").fetch(NOW).indicators


def test_i01_a_database_confirms_and_enforces_nothing(tmp_path: Path) -> None:
    rows = {**GEOLITE, "64.1.0.0/16": {"autonomous_system_number": 138699}}
    found = source(tmp_path, database(rows, built=NOW)).fetch(NOW).indicators
    assert snapshot([*curated(), *found]).id == snapshot(curated()).id


def test_the_library_is_loaded_only_where_a_database_is_read() -> None:
    code = "import sys, controller.inventory, ipsets.sources; sys.exit('maxminddb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- age --------------------------------------------------------------------------------------------------------------


def test_a_database_that_is_old_is_refused_and_says_how_old(tmp_path: Path) -> None:
    data = database(GEOLITE, built=NOW - timedelta(days=31))
    with pytest.raises(SourceImplausible) as caught:
        source(tmp_path, data).fetch(NOW)
    assert "31 days ago, more than the 30 of max_age_days" in caught.value.message
    assert "fetch a newer one" in caught.value.hint
    assert source(tmp_path, data, max_age_days=31).fetch(NOW).indicators


def test_one_from_tomorrow_is_refused_too() -> None:
    assert "clock" in failure(database(GEOLITE, built=NOW + timedelta(days=2)))


# --- never data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(REAL[:-1000], "metadata at the end", id="cut"),
        pytest.param(gzip.compress(REAL), "gzip", id="packed"),
        pytest.param(database({}, built=NOW), "name no network", id="empty"),
        pytest.param(database({"8.8.8.0/24": GEOLITE["8.8.8.0/24"]}, built=NOW), "0 networks of AS138699", id="others"),
        pytest.param(
            database({"0.0.0.0/1": {"autonomous_system_number": 138699}}, built=NOW), "wider than /8", id="too-wide"
        ),
        pytest.param(database(GEOLITE, built=NOW) + bytes(5000), "more than 4096 bytes", id="huge"),
    ],
)
def test_i02_a_file_that_is_no_such_database_says_why(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(SourceImplausible) as caught:
        source(tmp_path, data, max_bytes=4096 if "more" in said else 1024 * 1024).fetch(NOW)
    assert said in caught.value.message
    assert "last good entries stay" in caught.value.hint


def test_a_database_of_places_is_named_as_what_it_is() -> None:
    city = (MAXMIND / "GeoLite2-City-Test.mmdb").read_bytes()
    assert "GeoLite2-City: its records name no network" in failure(city, now=REAL_NOW)


def test_a_large_one_of_places_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmdb, "SAMPLE", 2)
    rows = {"8.8.8.0/24": "not a map", "4.4.4.0/24": {"city": "A"}, "3.3.3.0/24": {"city": "B"}}
    assert "name no network" in failure(database(dict(sorted(rows.items(), reverse=True)), built=NOW))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("AS138699", "str, not a map"),
        ([138699], "list, not a map"),
        ({"autonomous_system_number": "AS138699"}, "AS138699"),
        ({"autonomous_system_number": 1 << 32}, "4294967296"),
        ({"autonomous_system_number": True}, "True"),
        ({"autonomous_system_number": 138699, "autonomous_system_organization": 5}, "int instead of text"),
        ({"asn": "138699"}, "'138699'"),
        ({"asn": "AS4294967296"}, "AS4294967296"),
        ({"asn": 138699}, "expected string"),
        ({"asn": "AS138699", "as_name": ["TIKTOK"]}, "list instead of text"),
        (b"\x00\xff", "Unexpected type"),
    ],
    ids=str,
)
def test_a_record_of_another_form_refuses_the_database(record: Any, said: str) -> None:
    assert said in failure(database({**GEOLITE, "64.1.0.0/16": record}, built=NOW))


@pytest.mark.parametrize(
    "changes",
    [
        {"node_count": 1_000_000_000},
        {"node_count": 0xFFFFFFFF},
        {"node_count": "1"},
        {"record_size": 20},
        {"record_size": 0},
        {"ip_version": 5},
        {"binary_format_major_version": 3},
        {"build_epoch": "today"},
        {"build_epoch": (1 << 64) - 1},
        {"database_type": ["ASN"]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_metadata_that_does_not_fit_refuses_the_database(changes: dict[str, Any]) -> None:
    assert "damaged or cut off" in failure(database(GEOLITE, built=NOW, **changes))


def grown(nodes: list[list[int]], *, size: int = 24) -> bytes:
    """A database with exactly this tree, and one record."""
    end = database(GEOLITE, built=NOW, size=size, node_count=len(nodes)).rpartition(MARKER)[2]
    return tree(nodes, size) + bytes(16) + encode(GEOLITE["71.18.252.0/23"]) + MARKER + end


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        pytest.param([[0, 0]], "loops", id="itself"),
        pytest.param([[1, -2], [0, -2]], "loops", id="back"),
        pytest.param([[n + 1, n + 1] for n in range(99)] + [[-1, -1]], "loops", id="two-to-the-99-ways-to-nothing"),
        pytest.param([[n + 1, -1] for n in range(199)] + [[-2, -2]], "loops", id="deeper-than-an-address"),
        pytest.param([[-2, -2000]], "outside the data", id="behind-the-end"),
        pytest.param([[-2 + 5, -2]], "outside the data", id="in-the-zeros"),
    ],
)
def test_a_tree_that_is_none_ends_in_an_error(nodes: list[list[int]], said: str) -> None:
    assert said in failure(grown(nodes))


def test_pointers_that_multiply_end_in_an_error() -> None:
    """Forty lists, each of twice the next one: a million million values from 240 bytes."""
    lists = [bytes([2, 4, 0x20, 6 * at, 0x20, 6 * at]) for at in range(1, 40)]
    assert "number of values" in failure(database({"64.0.0.0/8": b"".join([*lists, encode(["x", "x"])])}, built=NOW))


@pytest.mark.parametrize("file", BAD, ids=lambda path: path.stem)
def test_what_made_other_readers_fall_makes_an_error_here(file: Path) -> None:
    with pytest.raises(SourceImplausible):
        read(file.read_bytes(), 1, now=REAL_NOW)


@pytest.mark.parametrize("data", [database(GEOLITE, built=NOW), database(IPINFO, built=NOW, size=24)])
def test_i06_no_cut_is_data(data: bytes) -> None:
    for at in range(0, len(data), 7):
        assert not mmdb.is_mmdb(data[:at]) or failure(data[:at])


@given(st.data())
def test_no_changed_byte_does_more_than_an_error(data: st.DataObject) -> None:
    good = bytearray(data.draw(st.sampled_from([database(GEOLITE, built=NOW), database(IPINFO, built=NOW, size=32)])))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SourceImplausible):
        for held in read(bytes(good), 138699, 11983):
            assert ip_network(held.network)
