"""The shipped tables come out of the research tables by a script that gives equal bytes for equal input."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_curated.py"
TABLES = {
    "domains.csv": """domain,match,category,app,confidence,sources,scope,independent_sources,note
tiktok.com,suffix,web,tiktok,high,v2fly-tiktok;ddg-entity,tiktok,11,site
only-nc.com,suffix,web,tiktok,high,ddg-entity;disconnect-entity,tiktok,1,
musical.ly,suffix,api,tiktok,medium,ndpi,tiktok,11,legacy; current apps drop these requests themselves
musical.ly.edgekey.net,suffix,cdn,tiktok,high,ndpi,cdn-alias,1,
v-default.akamaized.net,exact,cdn,tiktok,low,ndpi,cdn-alias,1,generic-looking tenant name
""",
    "prefixes.csv": """prefix,family,origin,holder,tag,dedication,region,current,as_of,source,note
71.18.8.0/24,4,396986,B,bytedance,x,US,1,2026 (newest),t,
71.18.8.0/24,4,11983,T,tiktok,x,US,1,2026 (newest),t,
71.18.0.0/24,4,396986,B,bytedance,x,US,1,2026,t,
118.26.132.0/24,4,138699,T,tiktok,x,SG,1,2026,t,
118.26.132.0/24,4,150436,P,byteplus,x,SG,1,2026,t,
103.136.222.0/24,4,138699,T,tiktok,x,SG,0,2025,t,historic
180.240.232.0/22,4,AS-BYTEDANCE,B,irr,x,US,1,2026,t,registered only
""",
    "asns.csv": """asn,handle,holder,country,registry,tag,tiktok_dedicated,verification,source,note
138699,T,TIKTOK,SG,APNIC,tiktok,yes,v,s,n
396986,B,Bytedance,US,ARIN,bytedance,mostly,v,s,n
150436,P,Byteplus,SG,APNIC,byteplus,NO (cloud),v,s,n
""",
    "hosts_observed.csv": "host,category,app,matched_row,quic_hint,static_ips_2024,sources\n"
    + "".join(f"a{n}.tiktok.com,web,tiktok,tiktok.com,0,,umbrella-top20k@2026-08-11\n" for n in range(12))
    + "old.tiktok.com,web,tiktok,tiktok.com,0,,tnc-config@2024-04-12\n",
    "lookalikes.csv": "name,seen_in,why_not\ntiktokio.com,x,third party\ntiktoklinksafety.com,x,IS ByteDance\n",
    "cdn_suffixes.csv": "cname_suffix,operator,sharing,source\nedgekey.net,Akamai,shared,x\n",
}
RANGES = {
    "akamai-v4.txt": "23.32.0.0/11\t\n23.0.0.0/12",
    "akamai-v6.txt": "2600:1400::/24",
    "cloudflare-v4.txt": "104.16.0.0/13\n104.24.0.0/14",
    "fastly.json": '{"addresses": ["151.101.0.0/16"], "ipv6_addresses": ["2a04:4e40::/32"]}',
    "aws.json": """{"createDate": "2025-07-24-20-23-14", "prefixes": [
        {"ip_prefix": "13.32.0.0/15", "service": "AMAZON"}, {"ip_prefix": "13.32.0.0/15", "service": "CLOUDFRONT"},
        {"ip_prefix": "3.0.0.0/15", "service": "AMAZON"},
        {"ip_prefix": "13.113.196.64/26", "service": "CLOUDFRONT_ORIGIN_FACING"}],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:9000::/28", "service": "CLOUDFRONT"}]}""",
    "google-cloud.json": """{"creationTime": "2025-07-24T1",
        "prefixes": [{"ipv4Prefix": "34.1.208.0/20"}, {"ipv6Prefix": "2600:1900::/35"}]}""",
    "oracle-cloud.json": """{"last_updated_timestamp": "2025-07-21T0",
        "regions": [{"cidrs": [{"cidr": "129.80.0.0/16"}]}]}""",
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_curated", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def built(script: ModuleType, tmp_path: Path) -> Path:
    target = folder(tmp_path / "out", {})
    script.build(folder(tmp_path / "research", TABLES), folder(tmp_path / "ranges", RANGES), target)
    return target


def column(path: Path, key: str, value: str) -> dict[str, str]:
    return {row[key]: row[value] for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}


def test_a_row_that_only_non_commercial_lists_name_is_left_out(built: Path) -> None:
    sources = column(built / "domains.csv", "domain", "sources")
    assert sources["tiktok.com"] == "v2fly-tiktok"
    assert "only-nc.com" not in sources


def test_what_apps_gave_up_and_what_may_be_anybodys_is_marked(built: Path) -> None:
    assert column(built / "domains.csv", "domain", "scope") == {
        "tiktok.com": "tiktok",
        "musical.ly": "abandoned",
        "musical.ly.edgekey.net": "abandoned",
        "v-default.akamaized.net": "unknown",
        "tiktok.freeflow.sched.ovscdns.net": "cdn-alias",  # a row of our own
    }


def test_only_what_is_announced_now_is_kept_with_all_its_origins(built: Path) -> None:
    assert column(built / "prefixes.csv", "prefix", "dedication") == {
        "71.18.0.0/24": "shared",
        "71.18.8.0/24": "dedicated",
        "118.26.132.0/24": "cloud-customers",
    }
    assert column(built / "prefixes.csv", "prefix", "origins")["71.18.8.0/24"] == "11983 396986"


def test_only_hosts_that_are_alive_and_a_few_of_each_domain(built: Path) -> None:
    hosts = column(built / "hosts.csv", "host", "domain")
    assert len(hosts) == 8
    assert "old.tiktok.com" not in hosts


def test_a_control_value_is_no_lookalike(built: Path) -> None:
    assert set(column(built / "lookalikes.csv", "name", "why")) == {"tiktokio.com"}


def test_ranges_are_read_as_each_operator_publishes_them(built: Path) -> None:
    assert column(built / "cdn_ranges.csv", "network", "operator") == {
        "23.0.0.0/12": "Akamai",
        "23.32.0.0/11": "Akamai",
        "2600:1400::/24": "Akamai",
        "13.32.0.0/15": "CloudFront",
        "2600:9000::/28": "CloudFront",
        "104.16.0.0/13": "Cloudflare",
        "104.24.0.0/14": "Cloudflare",
        "151.101.0.0/16": "Fastly",
        "2a04:4e40::/32": "Fastly",
        "34.1.208.0/20": "Google Cloud",
        "2600:1900::/35": "Google Cloud",
        "129.80.0.0/16": "Oracle Cloud",
    }


def test_equal_input_gives_equal_bytes(script: ModuleType, built: Path, tmp_path: Path) -> None:
    again = folder(tmp_path / "again", {})
    script.build(tmp_path / "research", tmp_path / "ranges", again)
    for path in built.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()
