"""The quality bench counts right, what it met stays met, and its page says what its result file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import intel
from bench.intel import Observed
from core.net import DomainName, Network, parse_network
from ipsets.model import ServiceSet

DOMAINS = (DomainName("tiktok.test"), DomainName("www.exact.test", suffix=False))
Lists = tuple[ServiceSet, ServiceSet]


def nets(*texts: str) -> tuple[Network, ...]:
    return tuple(parse_network(text) for text in texts)


def seen(host: str, app: str = "tiktok", source: str = intel.LIVE_IN) -> Observed:
    return Observed(host=host, app=app, sources=(source,))


@pytest.fixture(scope="module")
def lists() -> Lists:
    return intel.shipped(include_shared=False), intel.shipped(include_shared=True)


@pytest.fixture(scope="module")
def stored() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(intel.RESULT.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("tiktok.test", True),
        ("a.b.tiktok.test", True),
        ("eviltiktok.test", False),
        ("tiktok.test.localdomain", False),
        ("www.exact.test", True),
        ("a.www.exact.test", False),
        ("exact.test", False),
    ],
)
def test_a_name_is_covered_by_its_zone_or_by_itself(name: str, covered: bool) -> None:
    assert intel.uncovered([name], DOMAINS) == (() if covered else (name,))


def test_live_are_names_of_2026_that_are_no_other_apps_and_no_lookalikes() -> None:
    observed = [
        seen("b.test"),
        seen("shared.test", "bytedance-shared"),
        seen("nobodys.test", "unmatched"),
        seen("old.test", source="tnc-config"),
        seen("cut.test", "capcut"),
        seen("game.test", "pangle"),
        seen("fake.test", "unmatched"),
    ]
    live = intel.live_names(observed, {"fake.test"})
    assert [o.host for o in live] == ["b.test", "shared.test", "nobodys.test"]


def test_a_list_is_credited_with_everything_below_what_it_names() -> None:
    matrix = {"tiktok.test": frozenset({"one"})}
    tenants = {"tiktok.test.cdn.test": frozenset({"two"}), "cdn.test": frozenset({"three"})}
    assert intel.credited("a.tiktok.test", matrix, tenants) == {"one"}
    assert intel.credited("a.tiktok.test.cdn.test", matrix, tenants) == {"two", "three"}
    assert intel.credited("other.test", matrix, tenants) == frozenset()


@pytest.mark.parametrize(
    ("ours", "others", "count"),
    [
        (nets("192.0.2.0/24"), nets("198.51.100.0/24"), 0),
        (nets("192.0.2.0/24"), nets("192.0.2.128/25", "192.0.2.192/26"), 128),
        (nets("192.0.2.7/32"), nets("192.0.0.0/16"), 1),
        (nets("2001:db8::/64"), nets("2001:db8::/32"), 1 << 64),
        (nets("192.0.2.0/31", "2001:db8::/127"), nets("192.0.2.1/32", "2001:db8::1/128"), 2),
    ],
)
def test_common_addresses_are_counted_exactly_and_once(
    ours: tuple[Network, ...], others: tuple[Network, ...], count: int
) -> None:
    assert intel.shared_with(ours, others) == count


def test_observed_names_are_read_with_sources_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "observed.csv"
    file.write_text(
        "host,category,app,matched_row,quic_hint,static_ips_2024,sources\n"
        "a.test,api,tiktok,a.test,0,192.0.2.1;192.0.2.2,tnc-config@2024-04-12;umbrella-top20k@2026-08-11\n"
        "b.test,api,tiktok,b.test,0,,tnc-config@2024-04-12\n",
        encoding="utf-8",
    )
    first, second = intel.read_observed(file)
    assert first.addresses == nets("192.0.2.1", "192.0.2.2")
    assert (first.live, second.live) == (True, False)


def test_a_share_is_never_rounded_up_to_all() -> None:
    row = {"what": "names", "only": 9_999, "shared": 10_000, "of": 10_000, "target": "all", "met": False}
    text = intel.table([{**row, "peers": {"blocklistproject": 1_239}, "bound": "≤"}])
    line = text.splitlines()[-1]
    assert "| 99.9 % (9,999 of 10,000) | 100.0 % (10,000 of 10,000) | all | **no** |" in line
    assert line.endswith("| – | – | – | ≤ 12.3 % |")


def test_what_the_catalogue_shares_makes_the_list_longer(lists: Lists) -> None:
    only, shared = lists
    assert intel.uncovered(["byteglb.com"], only.domains) == ("byteglb.com",)
    assert intel.uncovered(["byteglb.com"], shared.domains) == ()
    assert only.networks == shared.networks


def test_what_was_met_stays_met(lists: Lists, stored: Mapping[str, Any]) -> None:
    now = {m.what: m.met for m in intel.measure(*lists).measures}
    met = [row["what"] for row in stored["measures"] if row["met"]]
    assert len(met) >= 7
    lost = [what for what in met if not now.get(what)]
    assert lost == [], "see what changed in the data set or the rules; `make bench-intel` measures again"


def test_a_list_that_hits_strangers_or_misses_its_own_is_told(lists: Lists) -> None:
    only, shared = lists
    cdn = parse_network("151.101.0.0/16")
    wrong = ServiceSet(
        service="tiktok",
        networks=(*only.networks[1:], cdn),
        domains=(DomainName("tiktokio.com"), DomainName("capcut.com")),
    )
    found = intel.measure(wrong, shared)
    own, fakes, others, ipv4, _, _, collateral = found.measures[1:]
    assert not any(m.met for m in (own, fakes, others, ipv4, collateral))
    assert (found.lookalikes_matched, fakes.only, fakes.shared) == (("tiktokio.com",), 1, 0)
    assert (collateral.only, collateral.shared) == (cdn.num_addresses, 0)
    assert ipv4.of == ipv4.shared == ipv4.only + only.networks[0].num_addresses


def test_the_page_says_what_the_result_file_says(stored: Mapping[str, Any]) -> None:
    page = intel.PAGE.read_text(encoding="utf-8")
    assert intel.between(page, intel.table(stored["measures"])) == page, "run `make bench-intel`"


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        intel.between("no markers", "table")
