"""What a probe brings, judged: the probe says what it saw, and the policy of that moment says what it proves. Pure.

A probe is believed in what it saw, and in nothing else: *blocked* counts only where a control answered beside it, from
the same source on the same path, and the role of a source is looked up here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, TypeVar

from controller.desired import subject_of
from controller.errors import Invalid
from controller.proof.model import By, Expected, Path, Proof, ProofState
from controller.proof.sampling import judged
from core.ids import EventId, ExceptionId, SiteName, new_id
from core.net import Address, DomainName, Network
from vendors.model import Action, AddressGroup, Desired, DomainGroup, GroupName, Rule
from vendors.oracle import Answered

T = TypeVar("T")

SKEW: Final = timedelta(minutes=5)
"""How far the clock of a probe may be ahead of ours."""
LONGEST: Final = timedelta(hours=1)
"""A round takes no longer."""
MOST: Final = 5_000
"""Results in one report."""
NO_CONTROL: Final = "no control answered from this source on this path"
OTHER_POLICY: Final = "what is to be blocked changed while it was tried, or within minutes of that"
SILENCE: Final = "and nothing says that a server answers there"
KNOWN_FOR: Final = timedelta(days=30)
"""So long an address that answered somebody at the site counts as one that answers."""
_QUIC: Final = {Path.QUIC: Path.TCP, Path.QUIC6: Path.TCP6}
NOT_AGAIN: Final = "it passed before, and was not tried again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt. ``target``: an address or a name; ``address``: the one that was tried, None where none was."""

    path: Path
    source: Address
    target: str
    address: Address | None
    verdict: Answered  # BLOCKED, PASSES or UNKNOWN
    why: str
    silent: bool = False  # nothing came back at all, as from an address that nobody has


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What must be reachable, and whether it was, before and after."""

    path: Path
    source: Address
    target: str
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    round: str
    site: SiteName
    host: str
    began: datetime
    ended: datetime
    results: tuple[Tried, ...]
    controls: tuple[Control, ...]


def refuse_untimely(report: ProbeReport, now: datetime, life: timedelta) -> None:
    """Raises ``Invalid``: a clock that is wrong, a round that never ended, or one that proves nothing any more."""
    if report.ended > now + SKEW:
        ahead = report.ended - now
        raise Invalid(
            f"ended: lies {int(ahead.total_seconds())} s ahead of the server's clock",
            hint="set the clock of the host that tried, and try again",
        )
    if not timedelta() <= report.ended - report.began <= LONGEST:
        raise Invalid("began: must lie before ended, by an hour at most", hint="did the host's clock jump?")
    if now - report.ended > life:
        raise Invalid(
            f"ended: {report.ended:%Y-%m-%dT%H:%MZ} is too long ago to prove anything now",
            hint="try again; or is the clock of the host that tried behind?",
        )


def proofs_of(
    report: ProbeReport, desired: Desired, *, unsettled: str = "", answering: Collection[tuple[Path, str]] = ()
) -> tuple[Proof, ...]:
    """What each attempt proves by what the site should block. ``unsettled``: why that what passes is no leak;
    ``answering``: which targets are known to answer on which path. Silence of others proves nothing, and is left out
    where something else of the same field does.

    Attempts from sources that nothing is said about (no role, a role that is only watched) are left out.
    """
    answered = {(control.source, control.path) for control in report.controls if control.reached}
    policy, passed = _Policy.of(desired), {(t.path, t.target) for t in report.results if t.verdict is Answered.PASSES}
    said = [*_judged(report, policy, answered, _Known({*answering, *passed}, passed), unsettled=unsettled)]
    proven = {_field(proof) for proof, is_silent in said if not is_silent}
    return tuple(proof for proof, is_silent in said if not is_silent or _field(proof) not in proven)


def _field(proof: Proof) -> tuple[Path, str, str | None]:
    return proof.path, proof.role, proof.exception


@dataclass(frozen=True, slots=True)
class _Known:
    """Which targets answer on which path, ever and in this report."""

    ever: Collection[tuple[Path, str]]
    now: Collection[tuple[Path, str]]

    def is_silent(self, tried: Tried) -> bool:
        """Whether that nothing came back may be because nobody is there, or speaks no QUIC there."""
        if tried.verdict is not Answered.BLOCKED or tried.path is Path.DNS or (tried.path, tried.target) in self.ever:
            return False
        if tried.path in _QUIC:
            return tried.silent or (_QUIC[tried.path], tried.target) in self.now
        return tried.silent and address_or_none(tried.target) is not None  # whose name leads there is there


@dataclass(frozen=True, slots=True)
class _Policy:
    rules: tuple[Rule, ...]
    networks: Mapping[GroupName, frozenset[Network]]
    names: Mapping[GroupName, frozenset[DomainName]]

    @classmethod
    def of(cls, desired: Desired) -> _Policy:
        return cls(
            desired.rules,
            {g.name: g.members for g in desired.groups if isinstance(g, AddressGroup)},
            {g.name: g.members for g in desired.groups if isinstance(g, DomainGroup)},
        )

    def decides(self, tried: Tried) -> Rule | None:
        """The first rule that matches, by the address that was tried or by the name."""
        return next((rule for rule in self.rules if self._meets(rule, tried)), None)

    def _meets(self, rule: Rule, tried: Tried) -> bool:
        if rule.sources is not None and not _within(self.networks.get(rule.sources, ()), tried.source):
            return False
        by_address = tried.address is not None and any(
            _within(self.networks.get(name, ()), tried.address) for name in rule.destinations
        )
        return by_address or any(
            _covers(name, tried.target) for group in rule.destinations for name in self.names.get(group, ())
        )


def _within(networks: Iterable[Network], address: Address) -> bool:
    return any(network.version == address.version and address in network for network in networks)


def _covers(name: DomainName, target: str) -> bool:
    return target == name.name or (name.suffix and target.endswith(f".{name.name}"))


def _judged(
    report: ProbeReport, policy: _Policy, answered: set[tuple[Address, Path]], known: _Known, *, unsettled: str
) -> Iterator[tuple[Proof, bool]]:
    for tried in report.results:
        rule = policy.decides(tried)
        if rule is None or rule.action not in (Action.DENY, Action.EXEMPT):
            continue
        role, exception = subject_of(rule.name)
        expected = Expected.BLOCK if rule.action is Action.DENY else Expected.PASS
        said, words = _said(tried, answered)
        is_silent = said is Answered.BLOCKED and known.is_silent(tried)
        if is_silent:
            said, words = Answered.UNKNOWN, f"{tried.why}, {SILENCE}"
        state = _state(tried.path, expected, said)
        if unsettled and state is ProofState.LEAKING:
            state, words = ProofState.UNKNOWN, unsettled
        proof = Proof(
            id=EventId(new_id()),
            round=report.round,
            site=report.site,
            origin=report.host,
            by=By.PROBE,
            path=tried.path,
            role=role or "",
            exception=ExceptionId(exception) if exception else None,
            source=tried.source,
            target=tried.target,
            expected=expected,
            said=said,
            state=state,
            rule="",
            words=words,
            at=report.ended,
        )
        yield proof, is_silent


def _said(tried: Tried, answered: set[tuple[Address, Path]]) -> tuple[Answered, str]:
    if tried.verdict is Answered.BLOCKED and (tried.source, tried.path) not in answered:
        return Answered.UNKNOWN, f"{tried.why}; {NO_CONTROL}"
    return tried.verdict, tried.why


def _state(path: Path, expected: Expected, said: Answered) -> ProofState:
    """That a name resolves opens nothing: the address that it leads to is what is blocked, and is tried too."""
    if path is Path.DNS and said is Answered.PASSES:
        return ProofState.OPEN
    return judged(expected, said)


def still_denied(desired: Desired, leaked: Iterable[Proof]) -> Iterator[Proof]:
    """What leaked and is still to be blocked for who got through."""
    policy = _Policy.of(desired)
    for proof in leaked:
        address = address_or_none(proof.target)
        tried = Tried(
            path=proof.path, source=proof.source, target=proof.target, address=address, verdict=proof.said, why=""
        )
        rule = policy.decides(tried)
        if rule is not None and rule.action is Action.DENY and subject_of(rule.name)[0] == proof.role:
            yield proof


def is_denied(desired: Desired, target: str) -> bool:
    """Whether that address or name is to be blocked for anybody."""
    policy, address = _Policy.of(desired), address_or_none(target)
    wanted = {name for rule in desired.rules if rule.action is Action.DENY for name in rule.destinations}
    if address is not None:
        return any(_within(policy.networks.get(name, ()), address) for name in wanted)
    return any(_covers(domain, target) for name in wanted for domain in policy.names.get(name, ()))


def not_tried(report: ProbeReport, found: Sequence[Proof], leaked: Iterable[Proof]) -> Iterator[Proof]:
    """What leaked before and was not tried again, as unknown, in each field that the report fills: nobody saw it end.

    A name that is stopped where it is resolved, or leads to no address of that family any more, needs no other try.
    """
    filled = {(proof.path, proof.role) for proof in found}
    tried = {(proof.path, proof.role, proof.target) for proof in found}
    resolved = {(p.role, p.target) for p in found if p.path is Path.DNS and p.state is not ProofState.UNKNOWN}
    for proof in leaked:
        field, target = (proof.path, proof.role), proof.target
        if field in filled and (*field, target) not in tried and (proof.role, target) not in resolved:
            yield replace(
                proof,
                id=EventId(new_id()),
                round=report.round,
                said=Answered.UNKNOWN,
                state=ProofState.UNKNOWN,
                words=NOT_AGAIN,
                at=report.ended,
            )


def common(each: Sequence[Desired]) -> Desired:
    """What several devices of a site should all hold: the rules of the first, and of the lists what no other lacks."""
    first, *others = each
    lists = [{g.name: g.members for g in other.groups if isinstance(g, AddressGroup)} for other in others]
    groups = (
        replace(g, members=g.members.intersection(*(own[g.name] for own in lists if g.name in own)))
        if isinstance(g, AddressGroup)
        else g
        for g in first.groups
    )
    return replace(first, groups=tuple(groups))


def targets_of(desired: Desired, *, draw: Mapping[str, int]) -> Iterator[str]:
    """A few of what is denied now: addresses of the lists and names; ``draw`` says where in each to begin."""
    denied = [rule for rule in desired.rules if rule.action is Action.DENY]
    wanted = {name for rule in denied for name in rule.destinations}
    policy = _Policy.of(desired)
    for version in (4, 6):
        listed = sorted(
            (n for name in wanted for n in policy.networks.get(name, ()) if n.version == version),
            key=lambda n: (int(n.network_address), n.prefixlen),
        )
        for network in _some(listed, draw["networks"], 2):
            yield str(network[network.num_addresses // 2])
    names = sorted(name.name for group in wanted for name in policy.names.get(group, ()))
    yield from _some(names, draw["names"], 4)


def _some(items: list[T], start: int, count: int) -> list[T]:
    """So many, the first by ``start``, evenly apart."""
    step = max(len(items) // count, 1)
    return [items[(start + at * step) % len(items)] for at in range(min(count, len(items)))]


def address_or_none(text: str) -> Address | None:
    try:
        return ip_address(text) if text else None
    except ValueError:
        return None
