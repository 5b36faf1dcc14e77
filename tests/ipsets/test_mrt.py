"""Routing tables of route collectors: who originates what, for how many peers, and what is no such table."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication, Indicator
from ipsets.sources import MrtConfig, Source, build_source, mrt
from tests.ipsets.making import NOW, curated, entry, snapshot, texts
from tests.ipsets.mrt_files import CONFED_SEQUENCE, RIB_ADDPATH, SEQUENCE, SET, peers, record, routes, sequence
from tests.ipsets.mrt_files import Path as AsPath

WRITTEN = NOW - timedelta(hours=2)
SAMPLES = Path(__file__).parent / "data" / "mrt"
SIX = (*((f"192.0.2.{n}", 64500 + n) for n in range(10, 15)), ("2001:db8::15", 64515))
"""Five peers over IPv4 and one over IPv6."""
PEERS = peers(*SIX, at=WRITTEN)


def seen(prefix: str, *origins: int, peers: int = 6, **changes: Any) -> bytes:
    """A prefix that the first ``peers`` see; the origins take turns."""
    views = ((n, sequence(64510 + n, 3356, origins[n % len(origins)])) for n in range(peers))
    return routes(prefix, *views, at=WRITTEN, **changes)


TABLE = PEERS + b"".join(
    [
        seen("1.1.1.0/24", 13335),
        seen("71.18.252.0/23", 138699),
        seen("71.18.8.0/24", 396986, 11983),
        seen("2605:340:f01e::/48", 11983),
        seen("199.103.24.0/23", 396986, peers=2),
        seen("118.26.132.0/24", 150436),
    ]
)


def source(folder: Path, data: bytes = TABLE, *, named: str = "rib", **changes: Any) -> Source:
    (folder / named).write_bytes(data)
    return build_source(MrtConfig(kind="mrt", file=Path(named), **changes), folder=folder)


def told(folder: Path, *records: bytes, **changes: Any) -> dict[tuple[str, str], str]:
    """The detail of each word, by entry and source."""
    found = source(folder, PEERS + b"".join(records), **changes).fetch(NOW).indicators
    return {(str(i.value), i.sources[0].source): i.sources[0].detail for i in found}


def failure(folder: Path, data: bytes, **changes: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source(folder, data, **changes).fetch(NOW)
    assert "last good entries stay" in caught.value.hint
    assert len(caught.value.message) <= 400
    return caught.value


# --- what is read -----------------------------------------------------------------------------------------------------


def test_prefixes_of_our_networks_are_told_each_under_its_own_origin(tmp_path: Path) -> None:
    found = source(tmp_path, min_peers=3).fetch(NOW)
    assert {(str(i.value), i.app, i.dedication, i.sources[0].source) for i in found.indicators} == {
        ("71.18.252.0/23", "tiktok", Dedication.UNKNOWN, "mrt:AS138699"),
        ("71.18.8.0/24", "tiktok", Dedication.UNKNOWN, "mrt:AS11983"),
        ("71.18.8.0/24", "bytedance-shared", Dedication.SHARED, "mrt:AS396986"),
        ("2605:340:f01e::/48", "tiktok", Dedication.UNKNOWN, "mrt:AS11983"),
    }
    assert found.skipped == 0


def test_every_origin_of_a_prefix_is_named_with_its_peers(tmp_path: Path) -> None:
    views = [(0, 138699), (1, 138699), (2, 138699), (3, 64496), (4, 64496), (5, 13335)]
    paths = [(peer, sequence(64510 + peer, origin)) for peer, origin in views]
    found = told(tmp_path, routes("71.18.252.0/23", *paths, at=WRITTEN), min_peers=2)
    assert found == {
        (
            "71.18.252.0/23",
            "mrt:AS138699",
        ): "originated by AS138699 for 3 of 6 peers; also by AS64496 (2), AS13335 (1), "
        f"in a routing table of {WRITTEN:%Y-%m-%d %H:%M} UTC"
    }


def test_of_many_origins_the_busiest_are_named(tmp_path: Path) -> None:
    many = peers(*((f"192.0.2.{n}", 64600 + n) for n in range(20)), at=WRITTEN)
    views = [(n, sequence(64600 + n, 138699 if n < 5 else 64700 + n)) for n in range(20)]
    [found] = source(tmp_path, many + routes("71.18.252.0/23", *views, at=WRITTEN)).fetch(NOW).indicators
    assert "AS138699 for 5 of 20 peers; also by AS64705 (1), " in found.sources[0].detail
    assert "AS64712 (1), 7 more, in a" in found.sources[0].detail


@pytest.mark.parametrize(("floor", "kept"), [(1, True), (4, True), (5, False)])
def test_few_peers_may_be_a_leak(tmp_path: Path, floor: int, kept: bool) -> None:
    found = told(tmp_path, seen("71.18.8.0/24", 138699, peers=4), seen("71.18.252.0/23", 138699), min_peers=floor)
    assert (("71.18.8.0/24", "mrt:AS138699") in found) is kept
    assert ("71.18.252.0/23", "mrt:AS138699") in found


def test_the_floor_counts_peers_and_not_paths(tmp_path: Path) -> None:
    """With ADD-PATH a peer tells several paths to one prefix."""
    twice = [(n // 4, sequence(64510 + n // 4, 1299 + n, 138699)) for n in range(8)]
    added = routes("71.18.8.0/24", *twice, at=WRITTEN, subtype=RIB_ADDPATH[4])
    six = seen("2605:340:f01e::/48", 138699, subtype=RIB_ADDPATH[6])
    found = told(tmp_path, added, six, min_peers=2)
    assert "for 2 of 2 peers" in found["71.18.8.0/24", "mrt:AS138699"]
    assert "for 6 of 6 peers" in found["2605:340:f01e::/48", "mrt:AS138699"]
    assert "71.18.8.0/24" not in {prefix for prefix, _ in told(tmp_path, added, six, min_peers=3)}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param(((SEQUENCE, (64510,)), (SET, (138699, 11983))), "one of the set AS11983 AS138699 (1)", id="set"),
        pytest.param(((SEQUENCE, (64510,)), (SET, (138699,))), "one of the set AS138699 (1)", id="set-of-one"),
        pytest.param((), "nobody named (1)", id="empty-path"),
        pytest.param(sequence(64510, 138699, 64496), "AS64496 (1)", id="in-the-middle"),
        pytest.param(((SEQUENCE, (64510, 138699)), (CONFED_SEQUENCE, (65001,))), "AS65001 (1)", id="confederation"),
    ],
)
def test_only_the_last_network_of_a_path_is_an_origin(tmp_path: Path, path: AsPath, said: str) -> None:
    """A set says that one of several may be it, and counts for none."""
    others = [(n, sequence(64510 + n, 138699)) for n in range(1, 6)]
    found = told(tmp_path, routes("71.18.252.0/23", (0, path), *others, at=WRITTEN), min_peers=5)
    assert f"for 5 of 6 peers; also by {said}, in" in found["71.18.252.0/23", "mrt:AS138699"]
    alone = seen("71.18.8.0/24", 138699) + routes("71.18.252.0/23", (0, path), at=WRITTEN)
    assert [prefix for prefix, _ in told(tmp_path, alone, min_peers=1)] == ["71.18.8.0/24"]


def test_a_path_may_repeat_its_origin_and_be_long(tmp_path: Path) -> None:
    long = [(n, sequence(64510 + n, *range(1, 201), 138699, 138699)) for n in range(6)]
    assert (
        "6 of 6 peers" in told(tmp_path, routes("71.18.252.0/23", *long, at=WRITTEN))["71.18.252.0/23", "mrt:AS138699"]
    )


def test_bytes_that_look_like_a_network_are_none(tmp_path: Path) -> None:
    chance = routes("71.18.8.0/24", (0, sequence(64510, 138699 << 8 & 0xFFFFFFFF, 64496)), at=WRITTEN)
    assert list(told(tmp_path, chance, seen("71.18.252.0/23", 138699), min_peers=1)) == [
        ("71.18.252.0/23", "mrt:AS138699")
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
@pytest.mark.parametrize("named", ["rib", "bview.gz", "rib.bz2"])
def test_how_it_is_packed_shows_its_content_not_its_name(
    tmp_path: Path, pack: Callable[[bytes], bytes], named: str
) -> None:
    assert len(source(tmp_path, pack(TABLE), named=named).fetch(NOW).indicators) == 2


def test_what_is_no_unicast_route_is_passed_over_and_counted(tmp_path: Path) -> None:
    others = seen("71.18.8.0/24", 138699, subtype=3) + record(b"\0" * 20, at=WRITTEN, subtype=6)
    found = source(tmp_path, TABLE + others).fetch(NOW)
    assert found.skipped == 2
    assert "71.18.8.0/24" not in {str(i.value) for i in found.indicators}


@pytest.mark.parametrize(
    ("sample", "written", "asn", "prefixes", "passed_over"),
    [
        ("quagga_rib", "2017-02-11", 64512,
         ["172.17.0.0/24", "172.17.1.0/24", "172.17.2.0/24", "fd01:1:1::/64", "fd01:1:2::/64", "fd01:1::/64"], 0),
        ("openbgpd_rib_table-v2", "2015-10-14", 65015, ["192.168.0.0/16", "192.168.1.0/24"], 2),
    ],
)  # fmt: skip
def test_tables_of_real_routers_are_read(
    tmp_path: Path, sample: str, written: str, asn: int, prefixes: list[str], passed_over: int
) -> None:
    given = {"asns": (asn,), "min_peers": 1, "max_age_days": 3650}
    found = source(tmp_path, (SAMPLES / sample).read_bytes(), **given).fetch(NOW.replace(year=2018))
    assert sorted(str(i.value) for i in found.indicators) == prefixes
    assert all(f"in a routing table of {written}" in i.sources[0].detail for i in found.indicators)
    assert found.skipped == passed_over


def test_several_tables_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """The library keeps what it was asked for in its own modules until the last one ends."""
    many = PEERS + b"".join(seen(f"71.18.{n}.0/24", 138699) for n in range(250))
    built = [source(tmp_path, many, named=f"rib{n}", name=f"rib{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: len(one.fetch(NOW).indicators), built * 3))
    assert found == [250] * 12


# --- what its word is worth -------------------------------------------------------------------------------------------


def test_i01_a_table_confirms_and_enforces_nothing(tmp_path: Path) -> None:
    found = source(tmp_path, TABLE + seen("64.1.0.0/16", 138699)).fetch(NOW).indicators
    assert snapshot([*curated(), *found]).id == snapshot(curated()).id


def test_it_is_a_second_voice_for_a_claim(tmp_path: Path) -> None:
    claim = entry("64.1.2.0/24", source="list:a", dedication=Dedication.CLAIMED)
    second = source(tmp_path, TABLE + seen("64.1.0.0/16", 138699)).fetch(NOW).indicators
    assert "64.1.2.0/24" not in texts(snapshot((*curated(), claim)))
    assert "64.1.2.0/24" in texts(snapshot((*curated(), claim, *second)))


# --- never data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(gzip.compress(b""), "empty", id="empty-packed"),
        pytest.param(b"<!DOCTYPE html><html>not found</html>", "no MRT", id="a-page"),
        pytest.param(bytes(4096), "records of type 0", id="zeros"),
        pytest.param(TABLE[len(PEERS) :], "begin with a table of peers", id="no-peers"),
        pytest.param(TABLE + PEERS, "more than one routing table", id="two-tables"),
        pytest.param((SAMPLES / "bird-mrtdump_rib").read_bytes(), "more than one routing", id="of-a-running-bird"),
        pytest.param(record(b"\0" * 20, at=WRITTEN, subtype=4, kind=16), "updates (BGP4MP)", id="updates"),
        pytest.param(record(b"\0" * 20, at=WRITTEN, subtype=1, kind=12), "older TABLE_DUMP", id="first-version"),
        pytest.param(PEERS + seen("8.8.8.0/24", 15169), "0 networks of AS138699", id="others"),
        pytest.param(TABLE + seen("0.0.0.0/0", 138699), "wider than /8", id="default-route"),
        pytest.param(PEERS + struct.pack("!IHHI", 0, 13, 2, 1 << 31), "a record of 2147483648", id="large-record"),
        pytest.param(TABLE + seen("71.18.8.0/24", 138699, count=5), "damaged", id="fewer-routes-than-said"),
        pytest.param(TABLE + seen("71.18.8.0/24", 138699, count=7), "damaged", id="more-routes-than-said"),
        pytest.param(TABLE + routes("71.18.8.0/24", (6, sequence(138699)), at=WRITTEN), "damaged", id="unknown-peer"),
        pytest.param(TABLE + record((138699).to_bytes(4, "big"), at=WRITTEN, subtype=2), "its own prefix", id="short"),
        pytest.param(
            TABLE + seen("71.18.8.0/24", 138699).replace(b"\x18\x47\x12\x08", b"\x13\x47\x12\x08"), "damaged",
            id="bits-behind-the-length",
        ),
        pytest.param(
            TABLE + seen("71.18.8.0/24", 138699).replace(b"\x18\x47\x12\x08", b"\x28\x47\x12\x08"), "damaged",
            id="longer-than-an-address",
        ),
        pytest.param(gzip.compress(TABLE)[:-9], "cannot be unpacked", id="gzip-cut"),
        pytest.param(gzip.compress(TABLE) + b"more", "cannot be unpacked", id="gzip-and-more"),
        pytest.param(bz2.compress(TABLE)[:-9], "cannot be unpacked", id="bzip2-cut"),
        pytest.param(b"\x1f\x8b" + TABLE, "cannot be unpacked", id="no-gzip"),
        pytest.param(b"BZh9" + TABLE, "cannot be unpacked", id="no-bzip2"),
    ],
)  # fmt: skip
def test_i02_a_file_that_is_no_table_says_why(tmp_path: Path, data: bytes, said: str) -> None:
    error = failure(tmp_path, data)
    assert isinstance(error, SourceImplausible)
    assert said in error.message


@pytest.mark.parametrize("more", [-1, 1])
def test_a_route_that_the_library_lost_or_made_up_is_noticed(more: int) -> None:
    table = mrt.cut(io.BytesIO(TABLE), asns=(138699,), max_bytes=10_000, place="x")
    assert len(list(mrt.parsed(table, "x"))) == table.entries == 6
    with pytest.raises(SourceImplausible, match=rf"6 routes where its records have {6 + more}"):
        list(mrt.parsed(replace(table, entries=6 + more), "x"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_bomb_is_stopped_at_its_limit(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = pack(PEERS + seen("8.8.8.0/24", 15169) * 20_000)
    assert len(data) < 100_000
    assert "more than 100000 bytes when unpacked" in failure(tmp_path, data, max_bytes=100_000).message


def test_so_much_about_our_networks_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the number of a transit network stands in `asns`: half of the table passes through it."""
    monkeypatch.setattr(mrt, "MAX_OURS", 1000)
    assert "more than 1000 bytes about these" in failure(tmp_path, PEERS + seen("71.18.8.0/24", 138699) * 20).message


@pytest.mark.parametrize(
    ("hours", "said"), [(73, "more than 3 days (max_age_days) ago"), (-25, "in the future"), (71, ""), (-23, "")]
)
def test_how_old_it_is_counts(tmp_path: Path, hours: int, said: str) -> None:
    written = NOW - timedelta(hours=hours)
    views = ((n, sequence(64510 + n, 138699)) for n in range(6))
    data = peers(*SIX, at=written) + routes("71.18.252.0/23", *views, at=written)
    if said:
        assert said in failure(tmp_path, data).message
    else:
        assert source(tmp_path, data).fetch(NOW).indicators


def test_how_old_it_may_be_is_configured(tmp_path: Path) -> None:
    assert source(tmp_path, max_age_days=1).fetch(NOW + timedelta(hours=21)).indicators
    with pytest.raises(SourceImplausible, match=r"more than 1 days \(max_age_days\) ago"):
        source(tmp_path, max_age_days=1).fetch(NOW + timedelta(hours=23))


def test_i06_no_cut_is_data(tmp_path: Path) -> None:
    ends = {len(PEERS)}
    for one in (seen("1.1.1.0/24", 13335), seen("71.18.252.0/23", 138699)):
        ends.add(max(ends) + len(one))
    for at in range(max(ends)):
        if at not in ends:
            assert isinstance(failure(tmp_path, TABLE[:at]), SourceImplausible)


def test_a_file_that_is_not_there_or_no_file_is_unreachable(tmp_path: Path) -> None:
    built = source(tmp_path)
    (tmp_path / "rib").unlink()
    with pytest.raises(SourceUnreachable, match="No such file"):
        built.fetch(NOW)
    (tmp_path / "rib").mkdir()
    with pytest.raises(SourceUnreachable, match="not a regular file"):
        built.fetch(NOW)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ftlbgp", None)  # what an import finds where it is not installed
    error = failure(tmp_path, TABLE)
    assert isinstance(error, SourceUnreachable)
    assert "pip install 'tokgate[mrt]'" in error.hint


def test_the_library_is_loaded_only_where_a_table_is_read() -> None:
    code = "import sys, controller.inventory, ipsets.sources; sys.exit('ftlbgp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.data())
def test_no_changed_byte_does_more_than_an_error(data: st.DataObject) -> None:
    changed = bytearray(TABLE)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SourceImplausible):
        found: tuple[Indicator, ...] = source(Path(folder), bytes(changed), min_peers=1).fetch(NOW).indicators
        assert all(i.dedication in (Dedication.UNKNOWN, Dedication.SHARED) for i in found)
