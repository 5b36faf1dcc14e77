"""What in traffic and on machines is a sign of an app: traits as data, and a matcher over them. Pure.

``data/traits.csv`` and ``data/apps.csv`` hold one trait a row: where it is looked for, what it shows, what it adds to
the confidence, where it comes from, how old it is and where it misleads. A name is judged by the longest entry that it
stands under, of the shipped names (``data/domains.csv``) by what they say of themselves. The matcher takes plain values
and knows no record, site or firewall.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Final

from core.narrowest import Narrowest
from core.net import Address, DomainName, Network
from ipsets import dataset
from ipsets.homographs import imitated


class Shows(StrEnum):
    """What a trait is a sign of."""

    USE_APP = "use-app"
    USE_WEB = "use-web"
    USE_INFERRED = "use-app-inferred"  # the app's own browser, on its way to another site
    OTHER_APP = "other-bytedance-app"
    HINT = "hint"  # it may be use
    SUPPORT = "support"  # adds to a sign of use, and is none alone
    PIXEL = "pixel"  # counted or embedded by another site: no use
    SDK = "sdk"  # a kit in another app: no use
    SCRIPT = "script"  # a program that speaks as the app: no use
    CRAWLER = "crawler"  # a visit to a server of one's own: no use
    LOOKALIKE = "lookalike"  # somebody else's
    INFORMATIVE = "informative"  # says something, and nothing of use
    TUNNEL = "tunnel"  # a way round a block
    INSTALLED = "installed"


USE: Final = frozenset({Shows.USE_APP, Shows.USE_WEB, Shows.USE_INFERRED, Shows.OTHER_APP})
"""What is use of an app, if its weight suffices."""
SILENT: Final = frozenset({Shows.CRAWLER, Shows.LOOKALIKE, Shows.INFORMATIVE, Shows.SUPPORT})
"""What alone makes nothing happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One row. ``weight`` is added to the confidence, of -100 to 100; ``app`` may be told by the entry instead."""

    id: str
    field: str  # name, address, agent, path, header, ja3, ja4, port, software
    match: str  # kind, suffix, exact, prefix, substring, regex, query
    pattern: str
    app: str
    surface: str
    shows: Shows
    weight: int
    source: str
    dated: date
    note: str  # where it misleads


@dataclass(frozen=True, slots=True)
class Mark:
    """A trait, found: of which app and surface there, and the entry that it was found by."""

    trait: Trait
    app: str
    surface: str
    entry: str


@cache
def traits() -> Mapping[str, Trait]:
    """Every trait by its id; those of programs too."""
    found = [*_read("traits.csv"), *_read("apps.csv"), _LOOKALIKE]
    return {trait.id: trait for trait in found}


_LOOKALIKE: Final = Trait(
    id="name-lookalike",
    field="name",
    match="kind",
    pattern="lookalike",
    app="",
    surface="",
    shows=Shows.LOOKALIKE,
    weight=0,
    source="lookalikes.csv, homographs.csv",
    dated=date(2026, 11, 22),
    note="somebody else's, whatever it is called",
)


def _read(name: str) -> Iterator[Trait]:
    return iter(dataset.trait_rows(name, _trait))


def _trait(row: Mapping[str, str]) -> Trait:
    of_program = "identifier" in row
    return Trait(
        id=row["id"],
        field="software" if of_program else row["field"],
        match=row["kind"] if of_program else row["match"],
        pattern=f"{row['platform']}/{row['identifier']}" if of_program else row["pattern"],
        app=row["app"],
        surface="" if of_program else row["surface"],
        shows=Shows.INSTALLED if of_program else Shows(row["shows"]),
        weight=int(row["weight"]),
        source=row["source"],
        dated=date.fromisoformat(row["dated"]),
        note=row["note"],
    )


class Matcher:
    """The traits, ready to be asked; built once for a list in force.

    ``names`` and ``networks`` are that list's, each with its app; ``surfaces`` are names of parts of services. What is
    asked may come from strangers: no answer takes longer than its length.
    """

    def __init__(
        self,
        *,
        names: Iterable[tuple[DomainName, str]] = (),
        networks: Iterable[tuple[Network, str]] = (),
        surfaces: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        known = traits().values()
        self._kinds = [trait for trait in known if trait.field == "name" and trait.match == "kind"]
        self._surfaces = {name: surface for surface, under in (surfaces or {}).items() for name in under}
        self._exact: dict[str, Mark] = {}
        self._under: dict[str, Mark] = {}
        self._fill_names(names)
        self._patterns = [(re.compile(t.pattern), t) for t in known if t.field == "name" and t.match == "regex"]
        self._addresses = Narrowest(self._all_networks(networks))
        self._agents = _by_field(known, "agent")
        self._paths = _by_field(known, "path")
        self._values = {(t.field, t.pattern): _mark(t) for t in known if t.match == "exact"}
        self._programs = _programs(known)

    # --- asking ---------------------------------------------------------------------------------------------------

    def name(self, name: str) -> tuple[Mark, ...]:
        """Of a lower-case A-label name: what it stands under, first, and what its form adds. Nothing: it is foreign."""
        first = self._exact.get(name) or self._longest(name)
        if first is None:
            looks = "xn--" in name and imitated(name)
            return (Mark(_LOOKALIKE, "", "", name),) if looks else ()
        if first.trait.shows not in USE and first.trait.shows is not Shows.HINT:
            return (first,)
        more = [trait for pattern, trait in self._patterns if pattern.search(name)]
        surface = first.surface or self._surface(name)
        firsts = [Mark(trait, first.app, surface, name) for trait in more if trait.shows is not Shows.SUPPORT]
        under = Mark(first.trait, first.app, surface, first.entry)
        support = [Mark(trait, first.app, surface, name) for trait in more if trait.shows is Shows.SUPPORT]
        return (*(firsts[:1] or [under]), *support)

    def address(self, address: Address) -> Mark | None:
        """Of the narrowest entry that holds the address."""
        return self._addresses.find(address)

    def agent(self, agent: str) -> tuple[Mark, ...]:
        """Of a User-Agent."""
        return _in_text(self._agents, agent)

    def path(self, path: str) -> tuple[Mark, ...]:
        """Of the path of a request, with its query."""
        return _in_text(self._paths, path)

    def value(self, field: str, value: str) -> Mark | None:
        """Of what is compared whole: ``header``, ``ja3``, ``ja4``, ``port`` (``udp/51820``)."""
        return self._values.get((field, value))

    def software(self, name: str, platform: str) -> Mark | None:
        """Of a package, bundle or store id, or the name of a program, on that platform; an empty one may be any."""
        plain = name.casefold().partition("!")[0].strip()
        return next(
            (mark for mark, where in self._programs.get(plain, ()) if not where or platform in ("", where)), None
        )

    # --- building -------------------------------------------------------------------------------------------------

    def _fill_names(self, listed: Iterable[tuple[DomainName, str]]) -> None:
        """What is said outright goes before what a row says of itself, and that before a list in force."""
        by_id = traits()
        for row in dataset.names():
            if (trait := self._kind_of(row)) is not None:
                self._put(row.domain, Mark(trait, trait.app or row.app, trait.surface, row.domain.name))
        for trait in by_id.values():
            if trait.field == "name" and trait.match == "suffix":
                self._put(DomainName(trait.pattern, suffix=True), _mark(trait))
        for lookalike in dataset.lookalikes():
            self._put(DomainName(lookalike, suffix=True), Mark(_LOOKALIKE, "", "", lookalike))
        new = [(name, app) for name, app in listed if name.name not in self._exact and self._longest(name.name) is None]
        for name, app in new:
            self._put(name, Mark(by_id["name-listed"], app, "", name.name))

    def _put(self, name: DomainName, mark: Mark) -> None:
        (self._under if name.suffix else self._exact)[name.name] = mark

    def _kind_of(self, row: dataset.NameRow) -> Trait | None:
        own = (row.app, row.category, row.scope)
        wanted = ((trait, trait.pattern.split("/")) for trait in self._kinds if trait.pattern.count("/") == 2)
        return next((t for t, parts in wanted if all(w in ("*", is_) for w, is_ in zip(parts, own, strict=True))), None)

    @staticmethod
    def _all_networks(listed: Iterable[tuple[Network, str]]) -> Iterator[tuple[Network, Mark]]:
        by_id = traits()
        for network, app in listed:
            own = by_id["address-own" if app == "tiktok" else "address-listed"]
            yield network, Mark(own, app, "", str(network))
        for row in dataset.prefixes():
            if row.dedication in ("dedicated", "shared"):
                trait = by_id["address-own" if row.dedication == "dedicated" else "address-shared"]
                yield row.network, Mark(trait, trait.app, "", str(row.network))
        for literal in dataset.literals():
            kind = "static" if literal.owned else "static-cloud"
            trait = by_id["address-httpdns" if literal.kind == "httpdns" else f"address-{kind}"]
            yield literal.network, Mark(trait, trait.app, "", str(literal.network.network_address))

    def _longest(self, name: str) -> Mark | None:
        under, rest = self._under, name
        while rest:
            if rest in under:
                return under[rest]
            rest = rest.partition(".")[2]
        return None

    def _surface(self, name: str) -> str:
        rest = name
        while rest:
            if rest in self._surfaces:
                return self._surfaces[rest]
            rest = rest.partition(".")[2]
        return ""


def _mark(trait: Trait) -> Mark:
    return Mark(trait, trait.app, trait.surface, trait.pattern)


def _by_field(known: Iterable[Trait], field: str) -> tuple[Trait, ...]:
    return tuple(trait for trait in known if trait.field == field)


def _in_text(known: Iterable[Trait], text: str) -> tuple[Mark, ...]:
    return tuple(_mark(trait) for trait in known if _is_in(trait, text))


def _is_in(trait: Trait, text: str) -> bool:
    match trait.match:
        case "prefix":
            return text.startswith(trait.pattern)
        case "query":
            return trait.pattern in text.partition("?")[2].split("&")
        case _:
            return trait.pattern in text


def _programs(known: Iterable[Trait]) -> dict[str, list[tuple[Mark, str]]]:
    found: dict[str, list[tuple[Mark, str]]] = defaultdict(list)
    for trait in known:
        if trait.field == "software":
            platform, _, identifier = trait.pattern.partition("/")
            found[identifier].append((_mark(trait), platform))
    return dict(found)


__all__ = ["SILENT", "USE", "Mark", "Matcher", "Shows", "Trait", "traits"]
