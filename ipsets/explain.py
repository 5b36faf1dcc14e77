"""Why an address or a name is covered by a snapshot, or why it is not: entry, sources, and the rule that decided.

Pure. Whether something is covered is read from the snapshot alone, so it is exactly what was enforced. Why something is
not covered stands partly in the snapshot (what guards took out of it) and partly in the rules; those are the ones of
this version and inventory, and every reason says which of the two it is from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Literal

from core.net import Address, DomainName, Network
from ipsets import dataset
from ipsets.catalogue import Catalogue, Service, shared_cdn_ranges
from ipsets.ground import Ground
from ipsets.guard import NameGuard, NeverBlock, default_never_block, parents
from ipsets.model import WITHDRAWN, Dedication, Indicator, ServiceSet, Snapshot
from ipsets.offlimits import ALWAYS
from ipsets.sources.plain import parse_line
from ipsets.text import entry_text, read_entry

MAX_LENGTH: Final = 300
"""Characters of a question; a DNS name has 253 at most."""
_LABEL: Final = r"[^\s.,#;!|^/:*%@?=\\\[\]]+"
_NAME: Final = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*\.?")
_SHOWN: Final = 60


class Basis(StrEnum):
    """Where a reason is from."""

    SNAPSHOT = "snapshot"  # recorded with what was enforced
    RULES = "rules"  # the shipped data and the inventory as they are now


@dataclass(frozen=True, slots=True, kw_only=True)
class Covering:
    """An entry of what is enforced that holds the address or the name."""

    service: str
    entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One rule or guard that decided, about which entry, and why."""

    rule: str
    """dedicated, owner, voices, allowed-above, suffix, name, name-only, shared-cdn, other-app, unknown, or a guard."""
    entry: str
    reason: str
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Addresses of a network, one after the other, of which the same is true."""

    first: Address
    last: Address
    covered: bool
    decisions: tuple[Decision, ...]

    @property
    def addresses(self) -> int:
        return int(self.last) - int(self.first) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of a network is covered. ``parts`` are sorted and disjoint; with ``left_out`` none, they are all."""

    addresses: int
    covered: int
    parts: tuple[Part, ...]
    left_out: int = 0  # parts that are counted in ``covered`` or not, and not told

    @property
    def name(self) -> Literal["whole", "part", "none"]:
        if not self.covered:
            return "none"
        return "whole" if self.covered == self.addresses else "part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer. ``decisions`` has the weightiest first and is never empty; ``known`` the narrowest first.

    ``extent`` is there for a network; then ``covered`` means wholly, and the rest tells of all of its parts.
    """

    question: Address | DomainName | Network
    entries: tuple[Covering, ...]
    known: tuple[Indicator, ...]  # what sources said that holds the question, enforced or not
    decisions: tuple[Decision, ...]
    notes: tuple[str, ...]
    extent: Extent | None = None

    @property
    def covered(self) -> bool:
        return bool(self.entries) if self.extent is None else self.extent.name == "whole"

    @property
    def kind(self) -> Literal["address", "name", "network"]:
        if self.extent is not None:
            return "network"
        return "name" if isinstance(self.question, DomainName) else "address"

    @property
    def text(self) -> str:
        return self.question.name if isinstance(self.question, DomainName) else str(self.question)


# --- the question -----------------------------------------------------------------------------------------------------


def parse_question(text: str) -> Address | DomainName | Network:
    """One address, name or network, as people paste them. Raises ``ValueError``: what is wrong and what to give."""
    word = text.strip()
    if len(word) > MAX_LENGTH:
        raise ValueError(f"{_short(word)} is too long for an address or a name")
    if "://" in word:
        raise ValueError(f"{_short(word)} is a URL; give the name in it alone")
    if word.startswith("*."):
        raise ValueError(f"{_short(word)} stands for many names; ask for one of them")
    if ":" in word or "/" in word or word[-1:].isdigit():
        return _address(word)
    if not _NAME.fullmatch(word):
        raise ValueError(f"{_short(word)} is neither an address nor a name")
    [entry] = parse_line(word)
    assert isinstance(entry, DomainName)  # what is numeric went another way
    return DomainName(entry.name, suffix=False)


def _address(word: str) -> Address | Network:
    host, slash, length = word.partition("/")
    try:
        found = ip_address(host)
    except ValueError:
        raise ValueError(f"{_short(word)} is neither an address nor a name") from None
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        raise ValueError(f"{_short(word)} names an IPv6 zone; give the address alone")
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        raise ValueError(f"{_short(word)} is IPv4 written as IPv6; ask for {found.ipv4_mapped}")
    return _network(word, found, length) if slash and length != str(found.max_prefixlen) else found


def _network(word: str, first: Address, length: str) -> Network:
    bits = int(length) if length.isascii() and length.isdigit() and len(length) < 4 else -1
    if not 0 <= bits < first.max_prefixlen:
        raise ValueError(f"{_short(word)} is neither a network nor an address")
    found = ip_network((first, bits), strict=False)
    if found.network_address != first:
        raise ValueError(f"{_short(word)} has an address inside its network; ask for {found} or for {first}")
    return found


def _short(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")


# --- the answer -------------------------------------------------------------------------------------------------------


def explain(
    question: Address | DomainName,
    snapshot: Snapshot,
    *,
    catalogue: Catalogue,
    never_block: Sequence[NeverBlock],
    at: datetime | None = None,
) -> Explanation:
    """Covered or not by ``snapshot``, and why. ``never_block`` is what the next build would be given.

    ``at`` is the past time that the question is about; notes then say what of the answer is of a later time.
    """
    known = _holding(question, snapshot.indicators)
    if isinstance(question, DomainName):
        found = _of_name(question, snapshot, catalogue, known)
    else:
        found = _of_address(question, snapshot, catalogue, known, never_block)
    return found if at is None else replace(found, notes=(*found.notes, *later(found, snapshot, at)))


def later(found: Explanation, snapshot: Snapshot, at: datetime) -> Iterator[str]:
    """A snapshot that is found again keeps its entries, and gets the sources' words of then."""
    refreshed = max((age for _, age in snapshot.source_ages), default=at)
    if refreshed > at:
        yield f"what sources and guards said is as of {refreshed:%Y-%m-%dT%H:%M:%SZ}, when it was found again"
    if any(decision.basis is Basis.RULES for decision in found.decisions):
        yield "rules and the shipped data are those of now; what was enforced is that of then"


def _holding(question: Address | DomainName, indicators: Iterable[Indicator]) -> tuple[Indicator, ...]:
    """What sources named that holds the question, the narrowest first."""
    return tuple(sorted((i for i in indicators if _holds(i.value, question)), key=_width))


def _holds(value: Network | DomainName, question: Address | DomainName) -> bool:
    if isinstance(value, DomainName):
        return isinstance(question, DomainName) and _matches(value, question.name)
    return not isinstance(question, DomainName) and question in value


def _matches(entry: DomainName, name: str) -> bool:
    return name == entry.name or (entry.suffix and name.endswith(f".{entry.name}"))


def _width(indicator: Indicator) -> tuple[int, bool, str]:
    value = indicator.value
    if isinstance(value, DomainName):
        return -len(value.name), value.suffix, indicator.app
    return -value.prefixlen, False, indicator.app


def _taken_out(snapshot: Snapshot, known: Sequence[Indicator], question: Address | DomainName) -> Iterator[Decision]:
    """What guards said in this snapshot of the entries that hold the question, and what a person withdrew of them."""
    entries = {entry_text(i.value).removeprefix("."): entry_text(i.value) for i in known}
    for verdict in snapshot.dropped:
        if verdict.guard == WITHDRAWN:
            if _holds(read_entry(verdict.entry), question):
                yield Decision(rule=WITHDRAWN, entry=verdict.entry, reason=verdict.reason, basis=Basis.SNAPSHOT)
        elif (name := verdict.entry.removeprefix(".")) in entries:
            yield Decision(rule=verdict.guard, entry=entries[name], reason=verdict.reason, basis=Basis.SNAPSHOT)


def _declared(known: Iterable[Indicator]) -> Iterator[Decision]:
    """Entries that a source declares off limits, a person's word or an operator's."""
    for i in known:
        if i.dedication is Dedication.NEVER:
            rule, what = (
                ("never-block", "never blocked") if i.category in ALWAYS else ("shared-cdn", "shared with others")
            )
            reason = f"{what}{_details(i)}"
            yield Decision(rule=rule, entry=entry_text(i.value), reason=reason, basis=Basis.SNAPSHOT)


def _only_known(known: Iterable[Indicator], said: Iterable[Decision]) -> Iterator[Decision]:
    """Entries that sources named, but not as the service's alone."""
    told = {decision.entry for decision in said if decision.basis is Basis.SNAPSHOT}
    for i in known:
        entry = entry_text(i.value)
        if i.dedication is not Dedication.DEDICATED and entry not in told:
            what = "shared with others" if i.dedication is Dedication.SHARED else "not known to be the service's alone"
            reason = f"known as {i.app}, {what}{_details(i)}; known, never enforced"
            yield Decision(rule="not-dedicated", entry=entry, reason=reason, basis=Basis.SNAPSHOT)


def _details(indicator: Indicator) -> str:
    found = sorted({p.detail for p in indicator.sources if p.detail})
    return f" ({'; '.join(found)})" if found else ""


# --- addresses --------------------------------------------------------------------------------------------------------

LIVE_ANSWERS: Final = (
    "a gateway that learns from live DNS answers blocks it all the same while a covered name resolves to it"
    "{unless}; `tokgate events` shows such hits"
)


def _of_address(
    address: Address,
    snapshot: Snapshot,
    catalogue: Catalogue,
    known: tuple[Indicator, ...],
    never_block: Sequence[NeverBlock],
) -> Explanation:
    below = [s for s in snapshot.services if any(address in n for n in s.allows)]
    entries = tuple(
        Covering(service=s.service, entry=str(n))
        for s in snapshot.services
        for n in s.networks
        if address in n and s not in below
    )
    if entries:
        decisions = list(_own(entries, catalogue, known))
        notes: tuple[str, ...] = ()
    else:
        never = list(_never(address, never_block))
        cdn = list(_shared_cdn(address))
        decisions = [*_allowed_above(address, below), *never, *_declared(known), *cdn]
        taken = list(_taken_out(snapshot, known, address))
        decisions += taken
        decisions += list(_only_known(known, decisions)) or list(_shipped(address, known))
        declared = {i.category for i in known if i.dedication is Dedication.NEVER}
        unless = ", unless the policy says `shared_addresses: spare`" if cdn or declared else ""
        spared = declared & ALWAYS or any(decision.rule == WITHDRAWN for decision in taken)
        notes = () if never or spared else (LIVE_ANSWERS.format(unless=unless),)
    return Explanation(
        question=address,
        entries=entries,
        known=known,
        decisions=tuple(decisions) or (_unknown(str(address), "no source names a network that holds it"),),
        notes=notes,
    )


def _own(entries: Iterable[Covering], catalogue: Catalogue, known: Iterable[Indicator]) -> Iterator[Decision]:
    """Why an address is enforced: the narrowest entry before aggregation that is the service's alone."""
    for covering in entries:
        service = catalogue.services.get(covering.service)
        title = service.title if service else covering.service
        if service and service.owner:
            yield from _owners_own(service, catalogue, known)
            continue
        own = (i for i in known if i.dedication is Dedication.DEDICATED and (not service or i.app in service.apps))
        for i in own:
            reason = f"{title}'s alone{_details(i)}"
            yield Decision(rule="dedicated", entry=entry_text(i.value), reason=reason, basis=Basis.SNAPSHOT)
            break
        else:
            yield from _claimed(title, [i for i in known if not service or i.app in service.apps])


def _owners_own(service: Service, catalogue: Catalogue, known: Iterable[Indicator]) -> Iterator[Decision]:
    """Why an address is enforced for the sake of who owns it: an entry of the owner, the narrowest first."""
    ground = Ground(catalogue.owners, ())
    own = (i for i in known if ground.belongs(service, i) and ground.is_own(service, i))
    for i in own:
        reason = f"owned by {service.title}{_details(i)}"
        yield Decision(rule="owner", entry=entry_text(i.value), reason=reason, basis=Basis.SNAPSHOT)
        return
    yield from _claimed(service.title, [i for i in known if i.app in service.apps])


def _claimed(title: str, known: Sequence[Indicator]) -> Iterator[Decision]:
    """No source knows it to be the service's alone: independent voices were enough."""
    claim = next((i for i in known if i.dedication is Dedication.CLAIMED), None)
    if claim is not None:
        voices = ", ".join(sorted({p.source for i in known for p in i.sources}))
        reason = f"claimed as {title}'s alone by more than one independent voice: {voices}"
        yield Decision(rule="voices", entry=entry_text(claim.value), reason=reason, basis=Basis.SNAPSHOT)


def _allowed_above(address: Address, services: Iterable[ServiceSet]) -> Iterator[Decision]:
    """An allow of the snapshot holds it, above an entry that stayed whole."""
    for service in services:
        allow = next(n for n in service.allows if address in n)
        entry = next((n for n in service.networks if address in n), allow)
        reason = f"{allow} is never blocked and stands allowed above it: cut out, it would leave too many pieces"
        yield Decision(rule="allowed-above", entry=str(entry), reason=reason, basis=Basis.SNAPSHOT)


def _never(address: Address, never_block: Iterable[NeverBlock]) -> Iterator[Decision]:
    for block in never_block:
        network = next((n for n in block.networks if address in n), None)
        if network is None:
            continue
        label = _labelled(address) if block in default_never_block() else None
        entry, said = label or (str(network), "")
        reason = f"never blocked: {block.reason}{f': {said}' if said else ''}"
        yield Decision(rule="never-block", entry=entry, reason=reason, basis=Basis.RULES)


def _labelled(address: Address) -> tuple[str, str] | None:
    """The narrowest shipped row about an address that is never blocked: its network, and what it is."""
    rows = [(row.network, row.label) for row in (*dataset.public_resolvers(), *dataset.special_purpose())]
    rows += [(row.network, _origins(row)) for row in dataset.prefixes() if row.dedication == "cloud-customers"]
    found = [(network, label) for network, label in rows if address in network]
    if not found:
        return None
    network, label = max(found, key=lambda row: row[0].prefixlen)
    return str(network), label


def _origins(row: dataset.PrefixRow) -> str:
    holders = dataset.as_numbers()
    named = (f"AS{asn} ({holders[asn].holder})" if asn in holders else f"AS{asn}" for asn in row.origins)
    return f"originated by {' and '.join(named)}"


def _shared_cdn(address: Address) -> Iterator[Decision]:
    if not any(address in network for network in shared_cdn_ranges()):
        return
    rows = [row for row in dataset.cdn_ranges() if address in row.network]
    row = max(rows, key=lambda r: r.network.prefixlen)
    reason = f"a published range of {row.label}, which others use too"
    yield Decision(rule="shared-cdn", entry=str(row.network), reason=reason, basis=Basis.RULES)


def _shipped(address: Address, known: Sequence[Indicator]) -> Iterator[Decision]:
    """What the shipped set knows of an address that no source named in this snapshot."""
    rows = [row for row in dataset.prefixes() if address in row.network and row.dedication == "shared"]
    if rows and not known:
        row = max(rows, key=lambda r: r.network.prefixlen)
        reason = f"{_origins(row)}, shared with other services; known, never enforced"
        yield Decision(rule="not-dedicated", entry=str(row.network), reason=reason, basis=Basis.RULES)


def _unknown(entry: str, reason: str) -> Decision:
    return Decision(rule="unknown", entry=entry, reason=reason, basis=Basis.SNAPSHOT)


# --- names ------------------------------------------------------------------------------------------------------------

NAME_ONLY: Final = (
    "its addresses are not enforced for its sake: they change, and most are those of content networks that others use; "
    "only prefixes that the service's own networks originate are enforced as addresses"
)


def _of_name(name: DomainName, snapshot: Snapshot, catalogue: Catalogue, known: tuple[Indicator, ...]) -> Explanation:
    entries = [(s.service, d) for s in snapshot.services for d in s.domains if _holds(d, name)]
    decisions = [_by_name(name, domain) for _, domain in entries]
    if entries:
        decisions.append(Decision(rule="name-only", entry=name.name, reason=NAME_ONLY, basis=Basis.RULES))
    else:
        decisions += [*_declared(known), *_taken_out(snapshot, known, name)]
        decisions += [d for d in _by_rules(name, catalogue) if d.rule not in {known.rule for known in decisions}]
        if not decisions:
            decisions += _only_known(known, decisions)
    return Explanation(
        question=name,
        entries=tuple(Covering(service=service, entry=entry_text(domain)) for service, domain in entries),
        known=known,
        decisions=tuple(decisions) or (_nobodys(name),),
        notes=tuple(_foreign_letters(name)),
    )


def _by_name(name: DomainName, entry: DomainName) -> Decision:
    if entry.suffix:
        reason = f"{entry.name} and every name below it is enforced"
        return Decision(rule="suffix", entry=entry_text(entry), reason=reason, basis=Basis.SNAPSHOT)
    return Decision(rule="name", entry=entry_text(entry), reason="exactly this name", basis=Basis.SNAPSHOT)


def _by_rules(name: DomainName, catalogue: Catalogue) -> Iterator[Decision]:
    """What the guards and the shipped set say of a name, whoever would bring it."""
    guard = NameGuard(catalogue)
    as_zone = guard.judge(DomainName(name.name, suffix=True))
    verdict = guard.judge(name) or (as_zone if as_zone and as_zone.guard == "too-wide" else None)
    if verdict is not None:
        yield Decision(rule=verdict.guard, entry=verdict.entry, reason=verdict.reason, basis=Basis.RULES)
    elif (row := guard.row(name)) is not None and row.dedication is not Dedication.DEDICATED:
        yield _by_row(row, catalogue)
    elif operator := next((found for zone in parents(name.name) if (found := dataset.cdn_suffixes().get(zone))), None):
        reason = f"a name at {operator}, which others use too; only names of a tenant that is known are enforced"
        yield Decision(rule="shared-cdn", entry=name.name, reason=reason, basis=Basis.RULES)


def _by_row(row: dataset.NameRow, catalogue: Catalogue) -> Decision:
    enforced = {app for s in catalogue.services.values() for app in (*s.apps, *s.shared_apps)}
    other = row.app not in enforced
    what = f"belongs to {row.app}, another app" if other else f"is {row.scope}: not the service's alone"
    reason = f"{row.domain.name} {what}{f' ({row.note})' if row.note else ''}"
    rule = "other-app" if other else "not-dedicated"
    return Decision(rule=rule, entry=entry_text(row.domain), reason=reason, basis=Basis.RULES)


def _nobodys(name: DomainName) -> Decision:
    alike = any(word in name.name for word in ("tiktok", "tik-tok"))
    also = "; that it holds the word does not make it TikTok's" if alike else ""
    return _unknown(name.name, f"no source names it or a name above it{also}")


def _foreign_letters(name: DomainName) -> Iterator[str]:
    if any(label.startswith("xn--") for label in name.name.split(".")):
        yield "it holds letters beyond a to z, which may look like those of another name"
