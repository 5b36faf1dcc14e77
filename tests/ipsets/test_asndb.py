"""A table of routes on the disk: what is data, what is never data, and that it enforces nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets.drift import origin_drift
from ipsets.errors import SourceImplausible, SourceUnreachable
from ipsets.model import Dedication
from ipsets.sources import AsndbConfig, Source, build_source
from ipsets.sources.asndb import parse
from tests.ipsets.making import NOW, curated, snapshot

TABLE = """\
{"CIDR":"71.18.8.0/24","ASN":396986,"Hits":402}
{"CIDR":"71.18.8.0/24","ASN":11983,"Hits":911}
{"CIDR":"71.18.252.0/23","ASN":138699,"Hits":1320}
{"CIDR":"2605:340:f01e::/48","ASN":11983,"Hits":250}
{"CIDR":"118.26.132.0/24","ASN":150436,"Hits":1311}
{"CIDR":"199.103.24.0/23","ASN":396986,"Hits":249}
{"CIDR":"203.0.113.128/25","ASN":64500,"Hits":3}
"""
"""The form of bgp.tools' table; the lines are made up."""


def source(folder: Path, text: str | bytes = TABLE, **changes: Any) -> Source:
    (folder / "table.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return build_source(AsndbConfig(kind="asndb", file=Path("table.jsonl"), **changes), folder=folder)


def test_routes_of_our_networks_are_told_each_under_its_own_origin(tmp_path: Path) -> None:
    found = source(tmp_path).fetch(NOW).indicators
    assert {(str(i.value), i.app, i.dedication, i.sources[0].source) for i in found} == {
        ("71.18.8.0/24", "bytedance-shared", Dedication.SHARED, "asndb:AS396986"),
        ("71.18.8.0/24", "tiktok", Dedication.UNKNOWN, "asndb:AS11983"),
        ("71.18.252.0/23", "tiktok", Dedication.UNKNOWN, "asndb:AS138699"),
        ("2605:340:f01e::/48", "tiktok", Dedication.UNKNOWN, "asndb:AS11983"),
    }
    [detail] = {i.sources[0].detail for i in found if i.sources[0].source == "asndb:AS138699"}
    assert detail == "of AS138699 in a table of routes, 1320 hits"


def test_another_order_and_other_spaces_are_the_same_table(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in TABLE.splitlines()]
    other = "\r\n".join(json.dumps(dict(reversed(row.items())), indent=None) for row in rows)
    said = [{(i.value, i.sources[0].detail) for i in source(tmp_path, t).fetch(NOW).indicators} for t in (TABLE, other)]
    assert said[0] == said[1]


def test_which_networks_and_how_many_see_them_is_configured(tmp_path: Path) -> None:
    found = source(tmp_path, asns=("AS64500", 396986), min_hits=0).fetch(NOW).indicators
    assert {str(i.value) for i in found} == {"71.18.8.0/24", "199.103.24.0/23", "203.0.113.128/25"}


def test_a_route_that_stands_there_twice_is_one_with_the_most_hits(tmp_path: Path) -> None:
    again = '{"CIDR":"71.18.252.0/23","ASN":138699,"Hits":300}\n'
    [found] = source(tmp_path, again + TABLE + again, asns=(138699,)).fetch(NOW).indicators
    assert found.sources[0].detail.endswith(" 1320 hits")


def test_i01_a_table_confirms_and_enforces_nothing_and_moves_no_origin(tmp_path: Path) -> None:
    wide = '{"CIDR":"64.1.0.0/16","ASN":138699,"Hits":1320}\n'
    alone = snapshot(curated())
    both = snapshot([*curated(), *source(tmp_path, TABLE + wide).fetch(NOW).indicators])
    assert both.id == alone.id
    assert origin_drift(alone, both) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "0 routes", id="empty"),
        pytest.param('{"CIDR":"198.51.100.0/24","ASN":64500,"Hits":999}\n', "0 routes of AS138699", id="others"),
        pytest.param("<!DOCTYPE html>\n<html>\n", "line 1", id="a-page"),
        pytest.param(TABLE[:-20], "line 7", id="cut"),
        pytest.param(TABLE + "null\n", "line 8", id="null"),
        pytest.param(TABLE + "[]\n", "line 8", id="list"),
        pytest.param(TABLE + "[" * 100_000 + "\n", "line 8", id="deep"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":138699}\n', "Hits", id="no-hits"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":"AS138699","Hits":999}\n', "AS138699", id="asn-as-text"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":138699,"Hits":true}\n', "True", id="hits-are-no-number"),
        pytest.param(TABLE + '{"CIDR":"0.0.0.0/0","ASN":138699,"Hits":999}\n', "wider than /8", id="default-route"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":065000,"Hits":999}\n', "line 8", id="others-zero-padded"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":64500,"Hits":1,}\n', "line 8", id="others-with-a-comma"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.0/24","ASN":64500,"Hits":"1"}\n', "line 8", id="others-hits-as-text"),
        pytest.param(TABLE + '{"CIDR":7,"ASN":64500,"Hits":1}\n', "line 8", id="others-without-a-text"),
        pytest.param(b'{"CIDR":"64.1.2.0/24"\0', "metadata at the end", id="binary"),
        pytest.param(TABLE + '{"CIDR":"64.1.2.1/24","ASN":138699,"Hits":999}\n', "line 8", id="host-bits"),
        pytest.param(TABLE + '{"CIDR":"064.1.2.0/24","ASN":138699,"Hits":999}\n', "line 8", id="padded"),
        pytest.param(b"\xff\xfe", "UTF-8", id="another-charset"),
        pytest.param(TABLE * 20, "more than 4096 bytes", id="huge"),
    ],
)
def test_i02_a_file_that_is_no_table_is_an_error_and_says_so(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(SourceImplausible) as caught:
        source(tmp_path, text, max_bytes=4096 if "more" in said else 1024 * 1024).fetch(NOW)
    assert said in caught.value.message
    assert len(caught.value.message) < 1000
    assert "last good entries stay" in caught.value.hint


def test_a_file_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    built = source(tmp_path)
    (tmp_path / "table.jsonl").unlink()
    with pytest.raises(SourceUnreachable):
        built.fetch(NOW)


@pytest.mark.parametrize("line", [TABLE.splitlines()[2], TABLE.splitlines()[4]], ids=["ours", "anothers"])
def test_i06_no_cut_inside_a_line_is_data(line: str) -> None:
    for at in range(1, len(line)):
        with pytest.raises(SourceImplausible):
            parse(TABLE + line[:at], asns=(138699,), min_hits=0, place="x")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([138699, "::/0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["CIDR", "ASN", "Hits"]), inner),
    max_leaves=8,
))  # fmt: skip
def test_any_json_is_a_table_or_a_source_error(value: Any) -> None:
    with contextlib.suppress(SourceImplausible):
        parse(json.dumps(value), asns=(138699,), min_hits=0, place="x")
