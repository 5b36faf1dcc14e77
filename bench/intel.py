"""How good the shipped list is: what it covers of names that were alive, and whom else it would hit.

Run: ``make bench-intel``, or ``python -m bench.intel``. Works offline: the snapshot is built from the shipped data set,
once as the catalogue stands (TikTok only) and once with ``include_shared``. Beside it stand public lists of names, as
far as ``data/lists_matrix.csv`` tells. Equal data gives equal bytes; no clock is read.

Its figures go to ``results/quality/intel.json``, apart from those of ``bench.figures`` (seconds beside one peer), and
from there into ``docs/intelligence.md`` between two markers. Called by nobody but ``make`` and the tests; a missed
target is reported, never an error.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from core.net import DomainName, Network, address_count, intersect, parse_network
from ipsets import dataset
from ipsets.catalogue import Catalogue, load_catalogue
from ipsets.guard import GuardLimits, default_never_block, parents
from ipsets.model import ServiceSet
from ipsets.snapshot import build_snapshot
from ipsets.sources.curated import CuratedSource

DATA: Final = Path(__file__).parent / "data"
RESULT: Final = Path(__file__).parent / "results" / "quality" / "intel.json"
PAGE: Final = Path(__file__).parents[1] / "docs" / "intelligence.md"
BEGIN: Final = "<!-- written by `make bench-intel`: begin -->"
END: Final = "<!-- written by `make bench-intel`: end -->"
SERVICE: Final = "tiktok"
LIVE_IN: Final = "umbrella-top20k"
"""The source of ``hosts_observed.csv`` that says a name was asked for in August 2026. The others are of 2024."""
OTHER_APPS: Final = frozenset({"capcut", "pangle"})
SHARED_APP: Final = "bytedance-shared"
PEERS: Final = ("v2fly-tiktok", "v2fly-bytedance", "nextdns-services", "blocklistproject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A host name that was seen. ``app`` is ``unmatched`` where nobody knows whose it is."""

    host: str
    app: str
    sources: tuple[str, ...]  # without their dates
    addresses: tuple[Network, ...] = ()
    """Addresses that the app carried in itself for this name, in 2024."""

    @property
    def live(self) -> bool:
        return LIVE_IN in self.sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the table. With ``of`` the figures are counts out of it, else counts. ``None`` is unknown."""

    what: str
    only: int
    shared: int
    target: str
    met: bool
    of: int | None = None
    peers: Mapping[str, int | None] = field(default_factory=dict)
    bound: str = ""
    """``≤`` or ``≥`` where the data knows no more of a peer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The table, and what stands behind it by name."""

    as_of: str
    definition: str
    measures: tuple[Measure, ...]
    uncovered_only: tuple[str, ...]
    uncovered_shared: tuple[str, ...]
    lookalikes_matched: tuple[str, ...]
    peer_lookalikes: Mapping[str, tuple[str, ...]]


# --- what is measured -------------------------------------------------------------------------------------------------


def uncovered(names: Iterable[str], domains: Iterable[DomainName]) -> tuple[str, ...]:
    """The names that none of the entries matches, sorted."""
    known = set(domains)
    return tuple(sorted(name for name in names if not _matches(name, known)))


def _matches(name: str, known: Collection[DomainName]) -> bool:
    exact = DomainName(name, suffix=False) in known
    return exact or any(DomainName(parent) in known for parent in parents(name))


def live_names(observed: Iterable[Observed], lookalikes: Collection[str]) -> tuple[Observed, ...]:
    """Names alive in 2026 that are TikTok's, shared with it, or of nobody known: no other app's, and no look-alikes.

    Names of nobody known stay in on purpose: they are the only ones that our own set did not help to label.
    """
    return tuple(o for o in observed if o.live and o.app not in OTHER_APPS and o.host not in lookalikes)


def credited(name: str, *known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The lists that may cover a name, by what is ``known`` of it and of every zone above it: at most these.

    The matrix says of a registrable domain which lists name it *or anything below it*. The shipped set says the same of
    tenant names at content networks, for which the matrix has no row.
    """
    return frozenset(found for names in known for parent in parents(name) for found in names.get(parent, ()))


def shared_with(networks: Iterable[Network], others: Iterable[Network]) -> int:
    """How many addresses, of both families, lie in both. Exact."""
    common = intersect(networks, others)
    return address_count(common, 4) + address_count(common, 6)


# --- reading ----------------------------------------------------------------------------------------------------------


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_observed(path: Path) -> tuple[Observed, ...]:
    return tuple(
        Observed(
            host=row["host"],
            app=row["app"],
            sources=tuple(source.partition("@")[0] for source in row["sources"].split(";")),
            addresses=tuple(parse_network(a) for a in row["static_ips_2024"].replace(";", " ").split()),
        )
        for row in _rows(path)
    )


def read_matrix(path: Path) -> dict[str, frozenset[str]]:
    """Registrable domain -> the lists that name it."""
    return {
        row["registrable_domain"]: frozenset(name for name, said in row.items() if said == "1") for row in _rows(path)
    }


def tenant_names() -> dict[str, frozenset[str]]:
    """Name -> the lists that name it, by the shipped set."""
    return {row.domain.name: frozenset(row.sources) for row in dataset.names()}


def lookalike_lists() -> dict[str, frozenset[str]]:
    """Look-alike -> the lists in which it was seen: at least these."""
    text = (files("ipsets") / "data" / "lookalikes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"]: frozenset(part.strip() for part in row["seen_in"].split(";")) for row in rows}


def shipped(*, include_shared: bool) -> ServiceSet:
    """TikTok as the shipped data set alone makes it."""
    catalogue = load_catalogue()
    service = catalogue.services[SERVICE].model_copy(update={"include_shared": include_shared})
    now = dataset.as_of()
    snapshot = build_snapshot(
        CuratedSource().fetch(now).indicators,
        catalogue=Catalogue(services={SERVICE: service}, refused_apps=catalogue.refused_apps),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=None,
        source_ages={"curated": now},
        now=now,
    )
    return snapshot.services[0]


# --- the table --------------------------------------------------------------------------------------------------------


def measure(only: ServiceSet, shared: ServiceSet) -> Quality:
    """All figures of both lists, against the data beside this module."""
    observed = read_observed(DATA / "hosts_observed.csv")
    seen_in = lookalike_lists()
    live = live_names(observed, seen_in)
    names = [o.host for o in live]
    return Quality(
        as_of=f"{dataset.as_of():%Y-%m-%d}",
        definition=(
            f"live: in {LIVE_IN} of 2026-08-11, not of {' or '.join(sorted(OTHER_APPS))}, not a known look-alike; "
            "names of unknown owners count as live"
        ),
        measures=(
            *_coverage(live, only, shared),
            *_neighbours(observed, seen_in, only, shared),
            *_addresses(observed, only, shared),
        ),
        uncovered_only=uncovered(names, only.domains),
        uncovered_shared=uncovered(names, shared.domains),
        lookalikes_matched=tuple(sorted({*_matched(seen_in, only), *_matched(seen_in, shared)})),
        peer_lookalikes={peer: tuple(sorted(n for n, lists in seen_in.items() if peer in lists)) for peer in PEERS},
    )


def _matched(names: Iterable[str], service: ServiceSet) -> tuple[str, ...]:
    every = set(names)
    return tuple(sorted(every - set(uncovered(every, service.domains))))


def _coverage(live: Sequence[Observed], only: ServiceSet, shared: ServiceSet) -> Iterator[Measure]:
    names = [o.host for o in live]
    own = [o.host for o in live if o.app != SHARED_APP]
    ours, all_of_it = len(_matched(own, only)), len(_matched(names, shared))
    yield Measure(
        what="live names",
        only=len(_matched(names, only)),
        shared=all_of_it,
        of=len(names),
        target="≥ 99 % with shared names",
        met=100 * all_of_it >= 99 * len(names),
        peers=_peers(names),
        bound="≤",
    )
    yield Measure(
        what="live names without those shared with other apps",
        only=ours,
        shared=len(_matched(own, shared)),
        of=len(own),
        target="≥ 95 % TikTok only",
        met=100 * ours >= 95 * len(own),
        peers=_peers(own),
        bound="≤",
    )


def _peers(names: Iterable[str]) -> dict[str, int | None]:
    matrix, tenants = read_matrix(DATA / "lists_matrix.csv"), tenant_names()
    lists = [credited(name, matrix, tenants) for name in names]
    return {peer: sum(peer in found for found in lists) for peer in PEERS}


def _neighbours(
    observed: Iterable[Observed], seen_in: Mapping[str, frozenset[str]], only: ServiceSet, shared: ServiceSet
) -> Iterator[Measure]:
    others = [o.host for o in observed if o.live and o.app in OTHER_APPS]
    named = {peer: sum(peer in lists for lists in seen_in.values()) for peer in PEERS}
    peers = {peer: count or None for peer, count in named.items()}  # not seen in a list is not proven absent
    for what, names, known in (
        (f"{len(seen_in)} look-alikes matched", list(seen_in), peers),
        (f"{len(others)} live names of {' and '.join(sorted(OTHER_APPS))} matched", others, {}),
    ):
        few, more = len(_matched(names, only)), len(_matched(names, shared))
        yield Measure(what=what, only=few, shared=more, target="0", met=few == more == 0, peers=known, bound="≥")


def _addresses(observed: Iterable[Observed], only: ServiceSet, shared: ServiceSet) -> Iterator[Measure]:
    dedicated = dataset.dedicated_prefixes()
    owned = [row.network for row in dataset.prefixes() if row.dedication != "cloud-customers"]
    carried = intersect((a for o in observed for a in o.addresses), owned)
    for what, networks in (
        ("IPv4 addresses of dedicated networks", [n for n in dedicated if n.version == 4]),
        ("IPv6 addresses of dedicated networks", [n for n in dedicated if n.version == 6]),
        ("addresses that the app carried in itself, inside its owner's networks", carried),
    ):
        of, few, more = (shared_with(networks, held) for held in (networks, only.blocked, shared.blocked))
        yield Measure(what=what, only=few, shared=more, of=of, target="all", met=few == more == of)
    clouds = [row.network for row in dataset.prefixes() if row.dedication == "cloud-customers"]
    strangers = [*(row.network for row in dataset.cdn_ranges()), *clouds]
    few, more = shared_with(only.blocked, strangers), shared_with(shared.blocked, strangers)
    what = "addresses inside a published CDN or cloud range, or of cloud customers (collateral)"
    yield Measure(what=what, only=few, shared=more, target="0", met=few == more == 0)


# --- what is written --------------------------------------------------------------------------------------------------


def table(measures: Iterable[Mapping[str, Any]]) -> str:
    """The table of ``docs/intelligence.md``, from the measures as the result file holds them."""
    lines = [
        f"| what | TikTok only | with shared names | target | met | {' | '.join(PEERS)} |",
        f"| --- | ---: | ---: | --- | --- | {' | '.join('---:' for _ in PEERS)} |",
    ]
    for row in measures:
        met = "yes" if row["met"] else "**no**"
        ours = [_figure(row[which], row["of"]) for which in ("only", "shared")]
        theirs = [_peer(row["peers"].get(peer), row) for peer in PEERS]
        lines.append(f"| {' | '.join([row['what'], *ours, row['target'], met, *theirs])} |")
    return "\n".join(lines) + "\n"


def _figure(count: int, of: int | None) -> str:
    """A share rounded down: 99.96 % is not all."""
    if of is None:
        return f"{count:,}"
    tenths = 1000 * count // of if of else 0
    share = f"{tenths // 10}.{tenths % 10} %"
    return f"{share} ({count:,} of {of:,})" if of < 1 << 32 else share


def _peer(count: int | None, row: Mapping[str, Any]) -> str:
    if count is None:
        return "–"
    return f"{row['bound']} {_figure(count, row['of']).partition(' (')[0]}"


def between(page: str, block: str) -> str:
    """The page with the block between its markers. Raises ``ValueError`` when a marker is missing or stands twice."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs {BEGIN!r} and {END!r}, each once")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n{END}{rest.split(END)[1]}"


def main() -> None:
    quality = measure(shipped(include_shared=False), shipped(include_shared=True))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(asdict(quality), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), table(map(asdict, quality.measures))), encoding="utf-8")
    for row in quality.measures:
        ours = "; ".join(_figure(count, row.of) for count in (row.only, row.shared))
        print(f"{'met   ' if row.met else 'MISSED'} {row.what}: {ours}")
    print(f"wrote {RESULT} and the table in {PAGE}")


if __name__ == "__main__":
    main()
