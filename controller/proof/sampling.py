"""Which connections are asked about: a few of a device's list, from a source that is denied and one that is excepted.

Pure: what is expected follows from the desired state alone, by its first rule that matches. Another seed takes other
entries, so a list is gone through in time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import zip_longest
from typing import Final

from controller.desired import subject_of
from controller.proof.model import Expected, Path, Proof, ProofState
from core.ids import ExceptionId
from core.net import Address, Network
from vendors.model import Action, AddressGroup, Desired, GroupName, Rule
from vendors.oracle import Answered, Question

ENTRIES: Final = 2
"""Of each family."""
EXCEPTIONS: Final = 2
"""Of those that are open now."""
MOST: Final = 32
"""Questions to one device at once."""
_TRIES: Final = 16
PATHS: Final[Mapping[int, tuple[tuple[Path, str], ...]]] = {
    4: ((Path.TCP, "tcp"), (Path.QUIC, "udp")),
    6: ((Path.TCP6, "tcp"), (Path.QUIC6, "udp")),
}
Members = Mapping[GroupName, frozenset[Network]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One connection, whose it would be, and what the policy wants of it."""

    path: Path
    role: str
    exception: ExceptionId | None
    expected: Expected
    question: Question


def samples(desired: Desired, *, seed: str) -> tuple[Sample, ...]:
    """None where nothing is denied now: then nothing has to be blocked. Of many roles each has its turn."""
    draw = random.Random(seed)  # noqa: S311  # which entries are looked at is no secret
    members: Members = {g.name: g.members for g in desired.groups if isinstance(g, AddressGroup)}
    found = [[*_of(rule, desired, members, draw)] for rule in _subjects(desired)]
    if sum(map(len, found)) > MOST:
        draw.shuffle(found)
        found = [[sample for turn in zip_longest(*found) for sample in turn if sample is not None]]
    return tuple(sample for each in found for sample in each)[:MOST]


def again(desired: Desired, leaked: Iterable[Proof]) -> Iterator[Sample]:
    """The same questions about what leaked, where it is still to be blocked."""
    members: Members = {g.name: g.members for g in desired.groups if isinstance(g, AddressGroup)}
    ways = dict(way for paths in PATHS.values() for way in paths)
    for proof in leaked:
        target = ip_address(proof.target)
        rule = deciding(desired.rules, members, proof.source, target)
        if rule is not None and rule.action is Action.DENY and subject_of(rule.name)[0] == proof.role:
            pair = proof.source, target
            yield _sample(rule, proof.path, ways[proof.path], pair, role=proof.role, exception=None)


def _subjects(desired: Desired) -> Iterator[Rule]:
    """The rules whose sources are asked about: some exceptions, and every deny."""
    denies = [rule for rule in desired.rules if rule.action is Action.DENY]
    if denies:
        yield from denies
        yield from [rule for rule in desired.rules if rule.action is Action.EXEMPT][:EXCEPTIONS]


def _of(rule: Rule, desired: Desired, members: Members, draw: random.Random) -> Iterator[Sample]:
    role, exception = subject_of(rule.name)
    sources = _some(members.get(rule.sources, frozenset()) if rule.sources else frozenset())
    listed = _some(network for name in rule.destinations for network in members.get(name, frozenset()))
    for version, paths in PATHS.items():
        here = [network for network in sources if network.version == version]
        targets = [network for network in listed if network.version == version]
        for _ in range(ENTRIES if here and targets else 0):
            pair = _pair(rule, desired, members, here=here, targets=targets, draw=draw)
            if pair is not None:
                yield from (_sample(rule, path, way, pair, role=role, exception=exception) for path, way in paths)


def _some(networks: object) -> list[Network]:
    return sorted(networks, key=lambda n: (n.version, int(n.network_address), n.prefixlen))  # type: ignore[call-overload,no-any-return]


def _pair(
    rule: Rule,
    desired: Desired,
    members: Members,
    *,
    here: Sequence[Network],
    targets: Sequence[Network],
    draw: random.Random,
) -> tuple[Address, Address] | None:
    """A source and a target for which this rule decides; None when none is found soon."""
    for _ in range(_TRIES):
        source, target = _address(draw.choice(here), draw), _address(draw.choice(targets), draw)
        if deciding(desired.rules, members, source, target) is rule:
            return source, target
    return None


def _address(network: Network, draw: random.Random) -> Address:
    """One of its addresses; of larger ones neither the first nor the last."""
    size = network.num_addresses
    return network[draw.randrange(1, size - 1)] if size > 2 else network[0]


def deciding(rules: Sequence[Rule], members: Members, source: Address, target: Address) -> Rule | None:
    """The first rule that matches, as a device would take it. Names are left out: who asked decides what they are."""
    for rule in rules:
        if rule.sources is not None and not _holds(members.get(rule.sources, frozenset()), source):
            continue
        if any(_holds(members.get(name, frozenset()), target) for name in rule.destinations):
            return rule
    return None


def _holds(networks: frozenset[Network], address: Address) -> bool:
    return any(network.version == address.version and address in network for network in networks)


def _sample(
    rule: Rule, path: Path, way: str, pair: tuple[Address, Address], *, role: str | None, exception: str | None
) -> Sample:
    return Sample(
        path=path,
        role=role or "",
        exception=ExceptionId(exception) if exception else None,
        expected=Expected.BLOCK if rule.action is Action.DENY else Expected.PASS,
        question=Question(source=pair[0], destination=pair[1], protocol=way),
    )


def judged(expected: Expected, said: Answered) -> ProofState:
    """What an answer proves. Another rule that blocks is a block; whose it is stands beside it."""
    match expected, said:
        case _, Answered.UNKNOWN:
            return ProofState.UNKNOWN
        case Expected.BLOCK, Answered.PASSES:
            return ProofState.LEAKING
        case Expected.BLOCK, _:
            return ProofState.BLOCKED
        case _, Answered.PASSES:
            return ProofState.OPEN
    return ProofState.CLOSED
