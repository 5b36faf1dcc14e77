"""Build the data set that ``ipsets`` ships, from a folder of research tables and, optionally, one of provider files.

    python scripts/build_curated.py RESEARCH [--ranges PROVIDERS]

RESEARCH holds ``domains.csv``, ``prefixes.csv``, ``asns.csv``, ``hosts_observed.csv``, ``lookalikes.csv`` and
``cdn_suffixes.csv``. PROVIDERS holds the ranges as the CDN operators publish them. Equal input gives equal bytes. What
is written by hand (``catalogue.yaml``, ``literals.csv``, ``special_purpose.csv``, ``manifest.yaml`` …) is not
touched. A row that only a list with a non-commercial licence names is left out, and such lists are named in no row.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Row: TypeAlias = dict[str, str]

DATA: Final = Path(__file__).resolve().parent.parent / "ipsets" / "data"
NON_COMMERCIAL: Final = frozenset({"ddg-entity", "disconnect-entity"})
OWN_NETWORKS: Final = ("138699", "11983", "396986")
CLOUDS: Final = ("150436", "137718")
NOT_LOOKALIKES: Final = frozenset({"tiktoklinksafety.com"})  # a control value of the research: it is TikTok's
ABANDONED: Final = re.compile(r"^legacy|current apps drop|32\.8\+ apps drop|closed ")
HOSTS_PER_DOMAIN: Final = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("research", type=Path)
    parser.add_argument("--ranges", type=Path, help="folder of the providers' published files")
    arguments = parser.parse_args()
    build(arguments.research, arguments.ranges)


def build(research: Path, ranges: Path | None, target: Path = DATA) -> None:
    """Write every derived file. Raises ``OSError``, ``KeyError`` or ``ValueError`` on other input."""
    write(target / "domains.csv", domains([*read(research / "domains.csv"), *ADDED]))
    write(target / "prefixes.csv", prefixes(read(research / "prefixes.csv")))
    write(target / "asns.csv", asns(read(research / "asns.csv")))
    write(target / "hosts.csv", hosts(read(research / "hosts_observed.csv"), read(research / "domains.csv")))
    write(target / "lookalikes.csv", lookalikes(read(research / "lookalikes.csv")))
    write(target / "cdn_suffixes.csv", cdn_suffixes(read(research / "cdn_suffixes.csv")))
    if ranges is not None:
        write(target / "cdn_ranges.csv", cdn_ranges(ranges))


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: Iterable[Row]) -> None:
    known = list(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(known[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(known)


# --- names ------------------------------------------------------------------------------------------------------------


ADDED: Final = (
    {
        "domain": "tiktok.freeflow.sched.ovscdns.net",
        "match": "exact",
        "category": "cdn",
        "app": "tiktok",
        "confidence": "medium",
        "sources": "umbrella-top20k",
        "scope": "cdn-alias",
        "independent_sources": "1",
        "note": "tenant name at a content network whose owner is not verified; only this name",
    },
)
"""Rows of our own beside the research."""


def domains(rows: Iterable[Row]) -> Iterator[Row]:
    """Every name with its scope; ``independent`` counts list families, not lists."""
    known = sorted(rows, key=lambda r: (r["domain"], r["match"]))
    gone = tuple(f"{r['domain']}." for r in known if ABANDONED.search(r["note"]))
    for row in known:
        sources = [s for s in row["sources"].split(";") if s not in NON_COMMERCIAL]
        if not sources:
            continue
        yield {
            "domain": row["domain"],
            "match": row["match"],
            "app": row["app"],
            "category": row["category"],
            "scope": "abandoned" if row["domain"].startswith(gone) else scope(row),
            "confidence": row["confidence"],
            "independent": row["independent_sources"],
            "sources": " ".join(sources),
            "note": row["note"],
        }


def scope(row: Mapping[str, str]) -> str:
    """The research's scope; what today's apps do not use any more is ``abandoned``, a guessed tenant ``unknown``."""
    if ABANDONED.search(row["note"]):
        return "abandoned"
    if row["scope"] == "cdn-alias" and row["confidence"] == "low":
        return "unknown"  # a generic name at a CDN: may be anybody's
    return row["scope"]


def hosts(observed: Iterable[Row], known: Iterable[Row]) -> Iterator[Row]:
    """Full host names to ask DNS for: alive in 2026, TikTok's alone, a few of every domain."""
    own = {r["domain"] for r in known if r["app"] == "tiktok" and r["scope"] == "tiktok"}
    taken: dict[str, int] = defaultdict(int)
    for row in sorted(observed, key=lambda r: r["host"]):
        if not row["sources"].startswith("umbrella") or row["matched_row"] not in own:
            continue
        taken[row["matched_row"]] += 1
        if taken[row["matched_row"]] <= HOSTS_PER_DOMAIN:
            yield {"host": row["host"], "domain": row["matched_row"], "category": row["category"]}


def lookalikes(rows: Iterable[Row]) -> Iterator[Row]:
    for row in sorted(rows, key=lambda r: r["name"]):
        if row["name"] not in NOT_LOOKALIKES:
            yield {"name": row["name"], "why": row["why_not"], "seen_in": row["seen_in"]}


def cdn_suffixes(rows: Iterable[Row]) -> Iterator[Row]:
    for row in sorted(rows, key=lambda r: r["cname_suffix"]):
        yield {"suffix": row["cname_suffix"], "operator": row["operator"], "sharing": row["sharing"]}


# --- networks ---------------------------------------------------------------------------------------------------------


def prefixes(rows: Iterable[Row]) -> Iterator[Row]:
    """What was announced in the newest table, with every origin: TikTok's own, ByteDance's, and its cloud's."""
    announced: dict[Network, list[Row]] = defaultdict(list)
    for row in rows:
        if row["current"] == "1" and row["origin"] in (*OWN_NETWORKS, *CLOUDS):
            announced[ip_network(row["prefix"])].append(row)
    for network in sorted(announced, key=lambda n: (n.version, n)):
        found = sorted(announced[network], key=lambda r: int(r["origin"]))
        yield {
            "prefix": str(network),
            "origins": " ".join(r["origin"] for r in found),
            "dedication": dedication({r["origin"] for r in found}),
            "as_of": found[0]["as_of"].split(" (")[0],
            "source": found[0]["source"],
        }


def dedication(origins: set[str]) -> str:
    """An address has a set of origins: one of a dedicated network decides, unless a cloud also announces it."""
    if origins & set(CLOUDS):
        return "cloud-customers"
    return "dedicated" if origins & {"138699", "11983"} else "shared"


def asns(rows: Iterable[Row]) -> Iterator[Row]:
    for row in sorted(rows, key=lambda r: int(r["asn"])):
        yield {
            "asn": row["asn"],
            "holder": row["holder"],
            "country": row["country"],
            "dedication": {"yes": "dedicated", "mostly": "shared"}.get(row["tiktok_dedicated"], "other"),
            "tag": row["tag"],
            "note": row["note"].replace("the brief guessed this one; it is", "often taken for ByteDance; it is"),
        }


# --- ranges of content networks ---------------------------------------------------------------------------------------


def cdn_ranges(folder: Path) -> Iterator[Row]:
    """The ranges that the operators publish, merged operator by operator."""
    for operator, (as_of, page, networks) in sorted(_operators(folder).items()):
        for network in _merge(networks):
            yield {"network": str(network), "operator": operator, "as_of": as_of, "source": page}


def _operators(folder: Path) -> dict[str, tuple[str, str, list[Network]]]:
    aws, google, oracle = (_json(folder, name) for name in ("aws", "google-cloud", "oracle-cloud"))
    fastly = _json(folder, "fastly")
    return {
        "Akamai": ("2024-01", "techdocs.akamai.com/origin-ip-acl", _lines(folder, "akamai")),
        "Cloudflare": ("2024-10", "www.cloudflare.com/ips", _lines(folder, "cloudflare")),
        "CloudFront": (
            aws["createDate"][:10],
            "ip-ranges.amazonaws.com",
            _networks(p.get("ip_prefix") or p["ipv6_prefix"] for p in _viewer_side(aws)),
        ),
        "Fastly": (
            "2024-10",
            "api.fastly.com/public-ip-list",
            _networks(fastly["addresses"] + fastly["ipv6_addresses"]),
        ),
        "Google Cloud": (
            google["creationTime"][:10],
            "www.gstatic.com/ipranges/cloud.json",
            _networks(p.get("ipv4Prefix") or p["ipv6Prefix"] for p in google["prefixes"]),
        ),
        "Oracle Cloud": (
            oracle["last_updated_timestamp"][:10],
            "docs.oracle.com/iaas/tools/public_ip_ranges.json",
            _networks(c["cidr"] for region in oracle["regions"] for c in region["cidrs"]),
        ),
    }


def _viewer_side(aws: Mapping[str, list[Row]]) -> Iterator[Row]:
    """CLOUDFRONT only: the same range also stands under AMAZON, and CLOUDFRONT_ORIGIN_FACING is not for viewers."""
    for prefix in (*aws["prefixes"], *aws["ipv6_prefixes"]):
        if prefix["service"] == "CLOUDFRONT":
            yield prefix


def _json(folder: Path, operator: str) -> Any:
    return json.loads(_texts(folder, operator)[0])


def _lines(folder: Path, operator: str) -> list[Network]:
    return _networks(word for text in _texts(folder, operator) for word in text.split())


def _texts(folder: Path, operator: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"{operator}*"))]


def _networks(texts: Iterable[str]) -> list[Network]:
    return [ip_network(text) for text in texts]


def _merge(networks: list[Network]) -> Iterator[Network]:
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv6Network))


if __name__ == "__main__":
    main()
