"""What an inventory may say about sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ipsets.sources import SourceConfig, build_source, check_names
from ipsets.sources.resolver import Resolver
from tests.ipsets.making import NOW

ADAPTER: TypeAdapter[Any] = TypeAdapter(SourceConfig)


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "curated"},
        {"kind": "ripestat"},
        {"kind": "ripestat", "asns": [138699, "AS11983"], "base_url": "http://127.0.0.1:8080"},
        {"kind": "dns", "resolvers": ["9.9.9.9", "127.0.0.1:5353", "2620:fe::fe", "[::1]:5353"]},
        {"kind": "dns", "resolvers": ["tls://9.9.9.9#dns.quad9.net", "https://dns.quad9.net/dns-query"]},
        {"kind": "dns", "resolvers": ["9.9.9.9"], "client_subnet": "203.0.113.0/24", "ca_file": "./ca.pem"},
        {"kind": "dns", "resolvers": ["9.9.9.9"], "client_subnet": "0.0.0.0/0"},
        {"kind": "list", "file": "./extra.txt"},
        {"kind": "list", "name": "ours", "url": "https://intel.example/list.txt"},
        {"kind": "irr"},
        {"kind": "irr", "host": "192.0.2.43", "as_sets": ["as-bytedance"], "registries": ["RADB", "RIPE-NONAUTH"]},
        {"kind": "rpki", "file": "/var/lib/routinator/vrps.json"},
        {"kind": "asndb", "file": "./table.jsonl", "min_hits": 0},
        {"kind": "asndb", "file": "./GeoLite2-ASN.mmdb", "max_age_days": 7},
        {"kind": "mrt", "file": "./bview.gz", "min_peers": 1, "max_age_days": 1, "max_bytes": 8_000_000_000},
        {"kind": "rpki", "url": "http://127.0.0.1:8323/json", "asns": ["AS11983"]},
        {"kind": "manual", "entries": [{"deny": "5.5.5.0/24", "reason": "ticket 4711", "owner": "netops"}]},
        {"kind": "ranges", "format": "misp", "operator": "x", "file": "./misp.json"},
    ],
    ids=str,
)
def test_what_the_documentation_shows_is_accepted(given: dict[str, Any]) -> None:
    config = ADAPTER.validate_python(given)
    built = build_source(config)
    assert (built.kind, built.name) == (given["kind"], given.get("name", given["kind"]))
    assert ADAPTER.validate_json(ADAPTER.dump_json(ADAPTER.validate_python({"kind": "curated"})))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "oracle"}, "curated"),
        ({"kind": "curated", "nme": "x"}, "nme"),
        ({"kind": "curated", "name": "Not A Name"}, "lower-case"),
        ({"kind": "ripestat", "asns": []}, "at least 1"),
        ({"kind": "ripestat", "asns": [0]}, "greater"),
        ({"kind": "ripestat", "asns": ["TikTok"]}, "integer"),
        ({"kind": "ripestat", "base_url": "http://stat.ripe.net"}, "https"),
        ({"kind": "ripestat", "base_url": "ftp://127.0.0.1"}, "https"),
        ({"kind": "ripestat", "sourceapp": "a b"}, "pattern"),
        ({"kind": "dns", "resolvers": []}, "at least 1"),
        ({"kind": "dns", "resolvers": ["dns.example"]}, "address"),
        ({"kind": "dns", "resolvers": ["9.9.9.9:99999"]}, "port"),
        ({"kind": "dns", "resolvers": ["fe80::1%eth0"]}, "address"),
        ({"kind": "dns", "resolvers": ["9.9.9.9"], "names": ["no name"]}, "word"),
        ({"kind": "dns", "resolvers": ["http://127.0.0.1/dns-query"]}, "address"),
        ({"kind": "dns", "resolvers": ["https://u:p@dns.example/dns-query"]}, "password"),
        ({"kind": "dns", "resolvers": ["tls://dns.example"]}, "address"),
        ({"kind": "dns", "resolvers": ["tls://9.9.9.9#"]}, "resolvers"),
        ({"kind": "dns", "resolvers": ["tls://9.9.9.9#two words"]}, "word"),
        ({"kind": "dns", "resolvers": ["quic://9.9.9.9"]}, "address"),
        ({"kind": "dns", "resolvers": ["9.9.9.9"], "client_subnet": "203.0.113.7"}, "at most /24"),
        ({"kind": "dns", "resolvers": ["9.9.9.9"], "client_subnet": "2001:db8::/64"}, "at most /56"),
        ({"kind": "dns", "resolvers": ["9.9.9.9"], "client_subnet": "203.0.113.1/24"}, "host bits"),
        ({"kind": "list", "name": "a"}, "either"),
        ({"kind": "list", "file": "a", "url": "https://x.example"}, "either"),
        ({"kind": "list", "url": "http://intel.example/x"}, "https"),
        ({"kind": "list", "url": "https://u:p@intel.example/x"}, "password"),
        ({"kind": "list", "file": "a", "max_shrink": 2}, "less than"),
        ({"kind": "irr", "asns": []}, "as_sets"),
        ({"kind": "rpki"}, "either"),
        ({"kind": "asndb"}, "file"),
        ({"kind": "asndb", "file": "t.jsonl", "min_hits": -1}, "greater"),
        ({"kind": "asndb", "file": "t.mmdb", "max_age_days": 0}, "greater"),
        ({"kind": "mrt"}, "file"),
        ({"kind": "mrt", "file": "rib", "min_peers": 0}, "greater"),
        ({"kind": "ranges", "format": "fastly", "operator": "Fastly"}, "either"),
        ({"kind": "ranges", "format": "imperva", "operator": "Imperva", "file": "a"}, "fastly"),
        ({"kind": "rpki", "url": "http://rpki.example/json"}, "https"),
        ({"kind": "irr", "as_sets": ["AS396986"]}, "no AS set"),
        ({"kind": "irr", "as_sets": ["AS-X\n!q"]}, "no AS set"),
        ({"kind": "irr", "host": "two words"}, "word"),
        ({"kind": "irr", "registries": ["RADB,\nx"]}, "pattern"),
    ],
    ids=str,
)
def test_nonsense_is_refused_with_what_is_meant(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 53),
        ("9.9.9.9:5353", "9.9.9.9", 5353),
        ("2620:fe::fe", "2620:fe::fe", 53),
        ("[2620:fe::fe]:853", "2620:fe::fe", 853),
        ("[2620:fe::fe]", "2620:fe::fe", 53),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text: str, host: str, port: int) -> None:
    config = ADAPTER.validate_python({"kind": "dns", "resolvers": [text]})
    assert config.resolvers == (Resolver(host, port),)


@pytest.mark.parametrize(
    ("text", "resolver", "shown"),
    [
        ("tls://9.9.9.9", Resolver("9.9.9.9", 853, "tls"), "tls://9.9.9.9"),
        (
            "tls://9.9.9.9:8853#DNS.quad9.net",
            Resolver("9.9.9.9", 8853, "tls", "dns.quad9.net"),
            "tls://9.9.9.9:8853#dns.quad9.net",
        ),
        (
            "tls://2620:fe::fe#x.example",
            Resolver("2620:fe::fe", 853, "tls", "x.example"),
            "tls://[2620:fe::fe]#x.example",
        ),
        ("https://9.9.9.9/dns-query", Resolver("https://9.9.9.9/dns-query", 443, "https"), "https://9.9.9.9/dns-query"),
    ],
)
def test_a_resolver_may_be_asked_over_tls_and_https(text: str, resolver: Resolver, shown: str) -> None:
    config = ADAPTER.validate_python({"kind": "dns", "resolvers": [text]})
    assert config.resolvers == (resolver,)
    assert str(resolver) == shown
    assert ADAPTER.validate_python({"kind": "dns", "resolvers": [shown]}).resolvers == (resolver,)


def test_two_sources_need_two_names() -> None:
    one = ADAPTER.validate_python({"kind": "list", "file": "a"})
    with pytest.raises(ValueError, match="named 'list'"):
        check_names((one, one))
    assert check_names((one,)) == (one,)


def test_a_relative_file_is_looked_for_beside_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "extra.txt").write_text("5.5.5.0/24\n", encoding="utf-8")
    built = build_source(ADAPTER.validate_python({"kind": "list", "file": "extra.txt"}), folder=tmp_path)
    assert [str(i.value) for i in built.fetch(NOW).indicators] == ["5.5.5.0/24"]


def test_the_schema_can_be_printed() -> None:
    schema = ADAPTER.json_schema()
    assert set(schema["discriminator"]["mapping"]) == {
        "curated",
        "ripestat",
        "dns",
        "list",
        "irr",
        "rpki",
        "asndb",
        "mrt",
        "manual",
        "ranges",
        "ct",
    }
