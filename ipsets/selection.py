"""Which indicators make a service, entry by entry, and why the others do not.

Pure. Only what is the service's alone is enforced: prefixes that its own networks originate, and names of its scopes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from core.net import DomainName, Network, aggregate, subtract
from ipsets.aggregate import NOTHING, Carved
from ipsets.catalogue import Catalogue, Service, shared_cdn_ranges
from ipsets.conduct import APP as WATCHED
from ipsets.dataset import NameRow
from ipsets.ground import Ground
from ipsets.guard import GuardLimits, NameGuard, NetworkGuard, NeverBlock, parents
from ipsets.model import Dedication, Indicator, ServiceSet, Verdict
from ipsets.offlimits import off_limits, off_limits_names
from ipsets.text import entry_text
from ipsets.voices import Voices

SHARED_CDN: Final = "published ranges of CDNs and clouds that others use too"


class Selector:
    """Judges the entries of one build, service by service.

    ``words`` are the entries before they were merged: afterwards it is not known which source gave what weight.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        limits: GuardLimits,
        never_block: Sequence[NeverBlock],
        *,
        declared: Sequence[Indicator] = (),
        words: Sequence[Indicator] = (),
        families: Mapping[str, str] | None = None,
    ) -> None:
        shared = NeverBlock(reason=SHARED_CDN, networks=shared_cdn_ranges())
        own = NeverBlock(reason="your never_block list", networks=tuple(limits.never_block))
        blocks = [*never_block, shared, *off_limits(declared)]
        if not any(set(own.networks) <= set(block.networks) for block in never_block):
            blocks.append(own)
        self._networks = NetworkGuard(limits, blocks)
        self._names = NameGuard(catalogue)
        self._off_limits = off_limits_names(declared)
        self._apps = frozenset(
            app for service in catalogue.services.values() for app in (*service.apps, *service.shared_apps)
        )
        self._refused = catalogue.refused_apps
        self._ground = Ground(catalogue.owners, declared)
        self._words, self._families = words, families or {}
        self._voices: dict[str, Voices] = {}

    def service(self, service: Service, indicators: Iterable[Indicator]) -> tuple[ServiceSet, list[Verdict]]:
        """What of one service may be enforced, and the verdicts on the rest."""
        networks: list[Network] = []
        allows: list[Network] = []
        domains: list[DomainName] = []
        verdicts: list[Verdict] = []
        for indicator in indicators:
            if indicator.dedication is Dedication.NEVER:
                continue  # it was heard when the guards were made
            if isinstance(indicator.value, DomainName):
                verdict = self._name(service, indicator, indicator.value)
                if verdict is True:
                    domains.append(indicator.value)
                elif verdict:
                    verdicts.append(verdict)
            elif self._ground.belongs(service, indicator) and self._is_asked(service, indicator):
                carved, said = self._network(service, indicator, indicator.value)
                networks += carved.deny
                allows += carved.allow
                verdicts += said
        names = cover(domains)
        verdicts += self._not_cut_out(names)
        chosen = ServiceSet(service=service.name, networks=aggregate(networks), domains=names, allows=aggregate(allows))
        return chosen, verdicts

    def _is_asked(self, service: Service, indicator: Indicator) -> bool:
        """Whether to judge an address at all: what the shipped set knows as shared, it does so on purpose."""
        hint = indicator.dedication is Dedication.SHARED and _only_curated(indicator)
        return not hint or self._ground.is_own(service, indicator)

    def _not_cut_out(self, domains: Sequence[DomainName]) -> Iterator[Verdict]:
        """Names that are off limits below an entry that stays: a list of names has no holes, and that is said aloud."""
        suffixes = {d.name for d in domains if d.suffix}
        for name, reason in self._off_limits.items():
            above = next((parent for parent in parents(name.name) if parent in suffixes), None)
            if above is not None:
                why = f"{reason}; but .{above} stays and covers it: allow it by an exception"
                yield Verdict(guard="never-block", entry=entry_text(name), held=False, reason=why)

    def _network(self, service: Service, indicator: Indicator, network: Network) -> tuple[Carved, tuple[Verdict, ...]]:
        carved, said = self._networks.judge(network)
        verdicts = tuple(_named(verdict, indicator) for verdict in said)
        if service.owner and (others := self._ground.others_inside(service, network)):
            carved = Carved(deny=subtract(carved.deny, others), allow=subtract(carved.allow, others))
            verdicts = (*verdicts, _not_the_owners(service, indicator, others))
        if self._ground.is_own(service, indicator):
            return carved, verdicts
        if indicator.dedication is Dedication.CLAIMED and carved.deny:
            doubt = self._heard(service).against(network)
            if doubt is None:
                return carved, verdicts
            return NOTHING, (_drop("one-voice", indicator, f"{doubt}{_outlived(indicator)}"),)
        return NOTHING, verdicts or (_not_dedicated(indicator, service.title),)

    def _heard(self, service: Service) -> Voices:
        """Who speaks for the service's addresses; asked only where something is claimed."""
        if service.name not in self._voices:
            words = self._ground.words(service, self._words)
            self._voices[service.name] = Voices(words, self._families)
        return self._voices[service.name]

    def _name(self, service: Service, indicator: Indicator, name: DomainName) -> Verdict | bool:
        """True: enforced. False: not of this service. Else why it is dropped."""
        wanted = service.apps | (service.shared_apps if service.include_shared else frozenset())
        if indicator.app not in wanted:
            return False
        if reason := self._declared(name):
            return _drop("never-block", indicator, reason)
        verdict = self._names.judge(name)
        if verdict is not None:
            return False if _only_curated(indicator) else _named(verdict, indicator)
        row = self._names.row(name)
        if row is not None and row.app not in wanted:
            return _drop("not-dedicated", indicator, f"{row.domain.name} belongs to {row.app}, which is not enforced")
        if indicator.app in service.shared_apps:
            return indicator.dedication is Dedication.SHARED or (row is not None and row.scope in service.scopes)
        if indicator.dedication is Dedication.DEDICATED and (row is None or row.scope in service.scopes):
            return True
        if self._is_apps_own(service, indicator, row):
            return True
        return False if _only_curated(indicator) else _not_dedicated(indicator, service.title)

    @staticmethod
    def _is_apps_own(service: Service, indicator: Indicator, row: NameRow | None) -> bool:
        """A name that is shared from where TikTok stands, and the own one of the app that was chosen."""
        known = row is not None and row.dedication is Dedication.SHARED and row.scope in service.scopes
        return known and indicator.dedication is Dedication.SHARED

    def _declared(self, name: DomainName) -> str | None:
        """Why a name is off limits by a source's declaration: the same name, or one above it with all below."""
        if reason := self._off_limits.get(name):
            return reason
        above = (DomainName(parent) for parent in parents(name.name))
        return next((self._off_limits[parent] for parent in above if parent in self._off_limits), None)

    def nobodys(self, indicators: Iterable[Indicator]) -> Iterator[Verdict]:
        """Entries that a live source brought and that no service enforces."""
        for indicator in indicators:
            if isinstance(indicator.value, DomainName) or _only_curated(indicator):
                continue
            if indicator.dedication is Dedication.NEVER or indicator.app == WATCHED:
                continue  # ``watch`` says of a word that does not count why
            if indicator.app in self._refused:
                yield _drop("never-block", indicator, self._refused[indicator.app])
            elif indicator.app not in self._apps:
                yield _not_dedicated(indicator)


def _only_curated(indicator: Indicator) -> bool:
    """The shipped set names what must not be enforced on purpose; that is no finding."""
    return all(p.source == "curated" for p in indicator.sources)


def _outlived(indicator: Indicator) -> str:
    """What the shipped set's own word for a claim is worth: it is one only because routing says otherwise now."""
    return next((f": {p.detail}" for p in indicator.sources if p.source == "curated"), "")


def _not_dedicated(indicator: Indicator, title: str = "TikTok") -> Verdict:
    what = "shared with others" if indicator.dedication is Dedication.SHARED else f"not known to be {title}'s alone"
    return _drop("not-dedicated", indicator, f"{what}: known, never enforced")


def _not_the_owners(service: Service, indicator: Indicator, others: Sequence[Network]) -> Verdict:
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return _drop("other-owner", indicator, f"not all of it is owned by {service.title}: {others[0]}{more} carved out")


def _drop(guard: str, indicator: Indicator, reason: str) -> Verdict:
    return _named(Verdict(guard=guard, entry=entry_text(indicator.value), held=False, reason=reason), indicator)


def _named(verdict: Verdict, indicator: Indicator) -> Verdict:
    """The same, saying who brought the entry."""
    sources = ", ".join(sorted({p.source for p in indicator.sources}))
    return replace(verdict, reason=f"{verdict.reason} (from {sources})")


def cover(domains: Iterable[DomainName]) -> tuple[DomainName, ...]:
    """The fewest entries that match the same names: what a wider suffix covers is left out. Sorted."""
    known = set(domains)
    suffixes = {d.name for d in known if d.suffix}
    return tuple(sorted(d for d in known if not _covered(d, suffixes)))


def _covered(domain: DomainName, suffixes: set[str]) -> bool:
    above = parents(domain.name) if not domain.suffix else list(parents(domain.name))[1:]
    return any(parent in suffixes for parent in above)
