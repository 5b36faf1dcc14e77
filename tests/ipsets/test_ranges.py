"""Published ranges of shared networks: read in each operator's form, and refused where they would open TikTok."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets import dataset
from ipsets.catalogue import load_catalogue
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.explain import explain, parse_question
from ipsets.guard import default_never_block
from ipsets.model import Indicator
from ipsets.offlimits import ALLOWED, PUBLISHED, off_limits
from ipsets.sources import RangesConfig, Source, build_source
from ipsets.sources.ranges import parse
from ipsets.sources.source import LastGood
from tests.ipsets.making import LATER, NOW, curated, entry, guards, snapshot, texts
from tests.ipsets.origins import Asked, Reply, web

FASTLY = json.dumps({"addresses": ["23.235.32.0/20", "151.101.0.0/16"], "ipv6_addresses": ["2a04:4e40::/32"]})
AWS = json.dumps(
    {
        "syncToken": "1753388594",
        "createDate": "2025-07-24-20-23-14",
        "prefixes": [
            {"ip_prefix": "120.52.22.96/27", "region": "GLOBAL", "service": "CLOUDFRONT"},
            {"ip_prefix": "120.52.22.96/27", "region": "GLOBAL", "service": "AMAZON"},
            {"ip_prefix": "130.176.88.0/21", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING"},
            {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON"},
        ],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:9000:3000::/36", "region": "GLOBAL", "service": "CLOUDFRONT"}],
    }
)
GOOGLE = json.dumps(
    {
        "syncToken": "1753409788780",
        "creationTime": "2025-07-24T19:16:28.780563",
        "prefixes": [
            {"ipv4Prefix": "34.1.208.0/20", "service": "Google Cloud", "scope": "africa-south1"},
            {"ipv6Prefix": "2600:1900:8000::/44", "service": "Google Cloud", "scope": "africa-south1"},
        ],
    }
)
ORACLE = json.dumps(
    {
        "last_updated_timestamp": "2025-07-21T07:13:25.457838",
        "regions": [{"region": "us-ashburn-1", "cidrs": [{"cidr": "129.80.0.0/16", "tags": ["OCI"]}]}],
    }
)
CLOUDFLARE_TEXT = "173.245.48.0/20\n103.21.244.0/22\n"
CLOUDFLARE_JSON = json.dumps(
    {"result": {"ipv4_cidrs": ["173.245.48.0/20"], "ipv6_cidrs": ["2400:cb00::/32"], "etag": "x"}, "success": True}
)
AKAMAI_TEXT = "2.16.0.0/13\r\n23.0.0.0/12\r\n23.192.0.0/11\r\n"
"""Three of the six lines of techdocs.akamai.com/property-manager/pdfs/akamai_ipv4_CIDRs.txt, as of July 2025."""
AKAMAI_MAP = {
    "acknowledgeRequiredBy": 1234567891011, "acknowledged": False, "acknowledgedOn": 1774378500000,
    "contacts": ["foo@bar.example"], "currentCidrs": ["23.0.0.0/12"], "id": 123456, "latestTicketId": 1234,
    "mapAlias": "Foo", "mcmMapRuleId": 1234, "proposedCidrs": ["23.32.0.0/11"], "ruleName": "s123.akamai.net",
    "service": "W", "shared": False, "sureRouteName": "foo.akasrg.akamai.com", "type": "Production",
}  # fmt: skip
AKAMAI_MAPS = json.dumps(
    {"siteShieldMaps": [AKAMAI_MAP, {**AKAMAI_MAP, "currentCidrs": ["2a02:26f0::/32"], "proposedCidrs": []}]}
)
MISP = json.dumps(
    {
        "description": "Ranges of a content network",
        "list": ["13.32.0.0/15", "192.0.2.1"],
        "matching_attributes": ["ip-src", "ip-dst"],
        "name": "A content network",
        "type": "cidr",
        "version": 20260811,
    }
)


def source(url: str, slept: list[float] | None = None, **changes: Any) -> Source:
    given = {"format": "fastly", "operator": "Fastly", "timeout_seconds": 5, **changes}
    return build_source(
        RangesConfig.model_validate({"kind": "ranges", "url": f"{url}/list", **given}),
        sleep=(slept if slept is not None else []).append,
    )


def fetched(text: str, **changes: Any) -> tuple[Indicator, ...]:
    with web(lambda *_: Reply(body=text)) as origin:
        return source(origin.url, **changes).fetch(NOW).indicators


def failure(answer: Callable[[Asked, int], Reply], slept: list[float] | None = None, **changes: Any) -> SourceError:
    with web(answer) as origin, pytest.raises(SourceError) as caught:
        source(origin.url, slept, **changes).fetch(NOW)
    return caught.value


# --- what is data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "text", "networks"),
    [
        ("fastly", FASTLY, ["23.235.32.0/20", "151.101.0.0/16", "2a04:4e40::/32"]),
        ("aws", AWS, ["120.52.22.96/27", "2600:9000:3000::/36"]),
        ("google", GOOGLE, ["34.1.208.0/20", "2600:1900:8000::/44"]),
        ("oracle", ORACLE, ["129.80.0.0/16"]),
        ("cloudflare", CLOUDFLARE_TEXT, ["173.245.48.0/20", "103.21.244.0/22"]),
        ("cloudflare", CLOUDFLARE_JSON, ["173.245.48.0/20", "2400:cb00::/32"]),
        ("akamai", AKAMAI_TEXT, ["2.16.0.0/13", "23.0.0.0/12", "23.192.0.0/11"]),
        ("akamai", json.dumps(AKAMAI_MAP), ["23.0.0.0/12", "23.32.0.0/11"]),
        ("akamai", AKAMAI_MAPS, ["23.0.0.0/12", "23.32.0.0/11", "2a02:26f0::/32"]),
        ("misp", MISP, ["13.32.0.0/15", "192.0.2.1/32"]),
        ("plain", "# theirs\n5.5.5.0/24\n", ["5.5.5.0/24"]),
    ],
)  # fmt: skip
def test_each_operators_form_is_read(form: str, text: str, networks: list[str]) -> None:
    assert [str(i.value) for i in fetched(text, format=form)] == networks


def test_all_of_aws_only_when_asked() -> None:
    found = [str(i.value) for i in fetched(AWS, format="aws", services=[])]
    assert found == ["120.52.22.96/27", "130.176.88.0/21", "3.5.140.0/22", "2600:9000:3000::/36"]


def test_i07_a_published_range_keeps_out_what_any_other_source_names() -> None:
    published = fetched(json.dumps({"addresses": ["5.5.5.128/25"], "ipv6_addresses": []}))
    built = snapshot((*curated(), entry("5.5.5.0/24"), *published))
    assert "5.5.5.0/25" in texts(built)
    assert guards(built)["5.5.5.0/24"] == "never-block"
    said = next(v.reason for v in built.dropped if v.entry == "5.5.5.0/24")
    assert "a published range of Fastly, which others use too (ranges:ranges)" in said


def test_newer_ranges_that_meet_nothing_make_no_new_snapshot() -> None:
    without, with_ranges = snapshot(curated()), snapshot((*curated(), *fetched(FASTLY)))
    assert with_ranges.id == without.id
    assert with_ranges.dropped == without.dropped


def test_whether_a_live_answer_in_there_is_blocked_stays_a_policy() -> None:
    found = fetched(FASTLY)
    assert off_limits(found, categories={ALLOWED}) == ()
    (block,) = off_limits(found, categories={PUBLISHED})
    assert [str(n) for n in block.networks] == ["23.235.32.0/20", "151.101.0.0/16", "2a04:4e40::/32"]


def test_an_address_in_there_is_explained_by_its_operator() -> None:
    published = fetched(json.dumps({"addresses": ["5.5.5.0/24"], "ipv6_addresses": []}))
    built = snapshot((entry("5.5.5.0/24"), entry("5.5.6.0/24"), *published))
    found = explain(parse_question("5.5.5.7"), built, catalogue=load_catalogue(), never_block=default_never_block())
    assert not found.covered
    assert (found.decisions[0].rule, found.decisions[0].entry) == ("shared-cdn", "5.5.5.0/24")
    assert "Fastly" in found.decisions[0].reason
    assert "shared_addresses: spare" in found.notes[0]


def test_a_file_is_read_like_an_address(tmp_path: Path) -> None:
    (tmp_path / "fastly.json").write_text(FASTLY, encoding="utf-8")
    given = {"kind": "ranges", "format": "fastly", "operator": "Fastly", "file": "fastly.json"}
    built = build_source(RangesConfig.model_validate(given), folder=tmp_path)
    assert len(built.fetch(NOW).indicators) == 3
    (tmp_path / "fastly.json").unlink()
    with pytest.raises(SourceUnreachable, match=r"fastly\.json"):
        built.fetch(NOW)


# --- what would open TikTok -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "said"),
    [
        *((str(n), "TikTok's own networks") for n in dataset.dedicated_prefixes()[:3]),
        (str(dataset.dedicated_prefixes()[0].supernet(new_prefix=16)), "TikTok's own networks"),
        ("0.0.0.0/0", "wider than /8"),
        ("128.0.0.0/1", "wider than /8"),
        ("::/0", "wider than /16"),
    ],
)
def test_i07_a_list_that_would_open_tiktok_is_refused_as_a_whole(network: str, said: str) -> None:
    family = "ipv6_addresses" if ":" in network else "addresses"
    text = json.dumps({"addresses": ["5.5.5.0/24"], "ipv6_addresses": [], family: ["2a04:4e40::/32", network]})
    error = failure(lambda *_: Reply(body=text))
    assert isinstance(error, SourceImplausible)
    assert said in error.message


def test_i07_an_eighth_of_the_internet_is_no_content_network() -> None:
    lots = [f"{first}.0.0.0/8" for first in range(24, 60)]
    assert "an eighth" in failure(lambda *_: Reply(body="\n".join([*lots, ""])), format="plain").message


# --- never data -------------------------------------------------------------------------------------------------------


def misp(**changes: Any) -> Reply:
    return Reply(body=json.dumps({**json.loads(MISP), **changes}))


@pytest.mark.parametrize(
    ("form", "reply", "said"),
    [
        pytest.param("fastly", Reply(body="<!DOCTYPE html><html>maintenance</html>"), "HTML", id="a-page"),
        pytest.param("cloudflare", Reply(body="<!DOCTYPE html><html>blocked</html>"), "HTML", id="a-page-for-lines"),
        pytest.param("fastly", Reply(body=""), "empty", id="nothing"),
        pytest.param("cloudflare", Reply(body=""), "empty", id="no-lines"),
        pytest.param("fastly", Reply(body=FASTLY[:-9]), "not JSON", id="cut-and-told-shorter"),
        pytest.param("fastly", Reply(body=FASTLY[:40], claim=len(FASTLY)), "broke off", id="cut"),
        pytest.param("cloudflare", Reply(body=CLOUDFLARE_TEXT[:-4], tell_length=False), "broken off", id="lines-cut"),
        pytest.param("cloudflare", Reply(body="www.cloudflare.com\n"), "is a name", id="names"),
        pytest.param("cloudflare", Reply(body='{"success": false, "result": null}'), "failed", id="failed-inside"),
        pytest.param("akamai", Reply(body="<HTML><TITLE>Access Denied</TITLE></HTML>"), "HTML", id="akamai-denies"),
        pytest.param("akamai", Reply(body=AKAMAI_TEXT[:-5], tell_length=False), "broken off", id="akamai-cut"),
        pytest.param("akamai", Reply(body='{"siteShieldMaps": []}'), "0 ranges", id="akamai-without-maps"),
        pytest.param("akamai", Reply(body='{"siteShieldMaps": [{"id": 1}]}'), "format of akamai", id="akamai-no-cidrs"),
        pytest.param("fastly", Reply(body="[" * 100_000), "not JSON", id="deep"),
        pytest.param("fastly", Reply(body="null"), "format of fastly", id="null"),
        pytest.param("fastly", Reply(body=AWS), "format of fastly", id="anothers-format"),
        pytest.param("fastly", Reply(body='{"addresses": "5.5.5.0/24", "ipv6_addresses": []}'), "list", id="text"),
        pytest.param("fastly", Reply(body='{"addresses": [1], "ipv6_addresses": []}'), "fastly", id="a-number"),
        pytest.param("fastly", Reply(body='{"addresses": [], "ipv6_addresses": []}'), "0 ranges", id="no-ranges"),
        pytest.param("google", Reply(body='{"prefixes": [{"scope": "x"}]}'), "format of google", id="no-prefix"),
        pytest.param("oracle", Reply(body='{"regions": [{"cidrs": [{"cidr": "1.2.3.4/8"}]}]}'), "host bits", id="bits"),
        pytest.param("aws", Reply(body='{"prefixes": [], "ipv6_prefixes": []}'), "0 ranges", id="no-cloudfront"),
        pytest.param("misp", misp(type="hostname", list=["tiktok.com"]), "hostname", id="a-list-of-names"),
        pytest.param("misp", misp(list=["tiktok.com"]), "format of misp", id="names-among-networks"),
        pytest.param("fastly", Reply(status=404, body="{}"), "404", id="not-found"),
        pytest.param("fastly", Reply(status=304), "304", id="unchanged-since-never"),
        pytest.param("fastly", Reply(body=b"\xff\xfe{}"), "UTF-8", id="another-charset"),
        pytest.param("fastly", Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "encoded", id="gzip"),
        pytest.param("fastly", Reply(body=b" " * 9000), "more than 8192", id="huge"),
        pytest.param("fastly", Reply(status=302, headers={"Location": "http://192.0.2.1/x"}), "https", id="elsewhere"),
    ],
)  # fmt: skip
def test_i02_an_answer_that_is_not_data_is_an_error_and_says_so(form: str, reply: Reply, said: str) -> None:
    limit = 8192 if said.startswith("more than") else 1024 * 1024
    error = failure(lambda *_: reply, format=form, max_bytes=limit)
    assert isinstance(error, SourceImplausible)
    assert said in str(error)
    assert "last good entries stay" in str(error) or "https" in str(error)


@pytest.mark.parametrize(
    ("form", "whole"), [("fastly", FASTLY), ("aws", AWS), ("google", GOOGLE), ("oracle", ORACLE), ("misp", MISP)]
)
def test_i06_no_cut_of_a_good_list_is_data(form: Any, whole: str) -> None:
    for at in range(len(whole)):
        with pytest.raises(SourceImplausible):
            parse(whole[:at], format=form, services=frozenset(), place="x")


WORDS = ["addresses", "ipv6_addresses", "prefixes", "ipv6_prefixes", "regions", "cidrs", "cidr", "list", "type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["5.5.5.0/24", "cidr"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["fastly", "aws", "google", "cloudflare", "oracle", "misp"]))
def test_any_json_is_a_list_or_a_source_error(value: Any, form: Any) -> None:
    with contextlib.suppress(SourceImplausible):
        assert parse(json.dumps(value), format=form, services=frozenset(), place="x")


# --- again later ------------------------------------------------------------------------------------------------------


def test_a_rate_limit_is_waited_for() -> None:
    slept: list[float] = []

    def better(_: Asked, number: int) -> Reply:
        return Reply(status=429, headers={"Retry-After": "7"}) if number == 1 else Reply(body=FASTLY)

    with web(better) as origin:
        assert len(source(origin.url, slept).fetch(NOW).indicators) == 3
    assert slept == [7.0]


def test_silence_ends_at_the_time_out() -> None:
    release = threading.Event()

    def silent(*_: Any) -> Reply:
        release.wait(10)
        return Reply(body=FASTLY)

    with web(silent) as origin:
        try:
            with pytest.raises(SourceUnreachable, match="timed out"):
                source(origin.url, timeout_seconds=0.2, attempts=1).fetch(NOW)
        finally:
            release.set()


# --- what has not changed ---------------------------------------------------------------------------------------------


def test_an_unchanged_list_is_not_sent_again_and_stays_whole() -> None:
    def remembers(asked: Asked, _: int) -> Reply:
        if asked.headers.get("if-modified-since") == "Sun, 22 Nov 2026 10:00:00 GMT":
            return Reply(status=304)
        return Reply(body=FASTLY, headers={"Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"})

    with web(remembers) as origin:
        first = source(origin.url).fetch(NOW)
        last = LastGood(indicators=first.indicators, memo=first.memo)
        again = source(origin.url).fetch(LATER, last)
        other = source(origin.url, operator="Others").fetch(LATER, last)
    assert [i.value for i in again.indicators] == [i.value for i in first.indicators]
    assert {i.sources[0].last_seen for i in again.indicators} == {LATER}
    assert again.memo == first.memo
    assert ["if-modified-since" in a.headers for a in origin.asked] == [False, True, False], "another meaning: whole"
    assert "Others" in other.indicators[0].sources[0].detail


def test_an_etag_that_no_header_can_carry_is_not_sent_back() -> None:
    """Else one answer of a broken server would break every later question."""
    with web(lambda *_: Reply(body=FASTLY, headers={"ETag": '"v\u00e9"'})) as origin:
        first = source(origin.url).fetch(NOW)
        source(origin.url).fetch(LATER, LastGood(indicators=first.indicators, memo=first.memo))
    assert "if-none-match" not in origin.asked[1].headers


def test_unchanged_since_never_is_no_data() -> None:
    with web(lambda *_: Reply(status=304)) as origin, pytest.raises(SourceImplausible, match="304"):
        source(origin.url).fetch(NOW)
