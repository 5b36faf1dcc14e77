"""A list that is too long for a device, made to fit: the most valuable networks, and exactly what is left out.

Pure. Called once the device was read, for what it can take is known only then. No network is ever widened to save a
place, nothing but the lists of addresses is shortened, and every list keeps at least one network. What cannot be made
to fit by that stays as it is; the difference then refuses it, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from controller.desired import Facts, destination_name
from controller.inventory import Device
from controller.model import HeldPart
from core.net import Network, address_count
from ipsets.aggregate import summarise, valued
from ipsets.model import Dedication, Indicator
from vendors.diff import degrade
from vendors.model import WHOLE, AddressGroup, Capabilities, Degraded, Desired, Group, GroupName, LeftOut, Shortened


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a device should hold of what is wanted, and what it has no room for."""

    desired: Desired
    shortened: tuple[Shortened, ...] = ()


def fit(desired: Desired, can: Capabilities, *, services: Sequence[str], indicators: tuple[Indicator, ...]) -> Fitted:
    """``desired`` with the lists of ``services`` in as many networks as the device takes.

    A service that is named earlier is served first; ``indicators`` say what each of its networks is worth.
    """
    held, _ = degrade(desired, can)
    members = {group.name: group.members for group in held.groups if isinstance(group, AddressGroup)}
    lists = [name for service in dict.fromkeys(services) if (name := destination_name(service)) in members]
    sizes = {group.name: can.entries(group) for group in held.groups}
    places = _places(sizes, lists, can)
    short = {name: room for name, room in places.items() if room < sizes[name]}
    if not short or any(room < 1 for room in places.values()):
        return Fitted(desired=desired)
    return _shortening(desired, members, short, indicators)


def _shortening(
    desired: Desired,
    members: Mapping[GroupName, frozenset[Network]],
    short: Mapping[GroupName, int],
    indicators: tuple[Indicator, ...],
) -> Fitted:
    found = {name: _shortened(name, members[name], room, _Same(indicators)) for name, room in short.items()}
    return Fitted(
        desired=replace(desired, groups=tuple(_without(desired, found))), shortened=tuple(found[n] for n in short)
    )


def fitted_as_held(desired: Desired, facts: Facts, held: Iterable[HeldPart]) -> Fitted:
    """``desired`` as short as a device was last left with it: its room may be known from a reading alone."""
    whole = {group.name: group.members for group in desired.groups if isinstance(group, AddressGroup)}
    parts = {GroupName(part.group): part for part in held}
    members = {name: _listed(whole[name], part) for name, part in parts.items() if name in whole}
    short = {name: parts[name].kept for name in members if parts[name].kept < len(members[name])}
    return _shortening(desired, members, short, facts.snapshot.indicators) if short else Fitted(desired=desired)


def _listed(members: frozenset[Network], part: HeldPart) -> frozenset[Network]:
    """What there was no room for a part of: without IPv6, where the device has none."""
    without = frozenset(network for network in members if network.version == 4)
    return without if len(without) == part.networks else members


def fitted_for(desired: Desired, facts: Facts, device: Device, can: Capabilities) -> Fitted:
    """``desired`` with shortened lists, unless the device is to be refused what it has no room for."""
    if device.over_budget != "shorten":
        return Fitted(desired=desired)
    return fit(desired, can, services=facts.policy.services, indicators=facts.snapshot.indicators)


def whole_notes(fitted: Fitted, can: Capabilities) -> tuple[Degraded, ...]:
    """What would hold the whole of lists that were shortened, as the adapter says it in its notes."""
    if not fitted.shortened:
        return ()
    words = [note.partition(":")[2].strip() for note in can.notes if note.startswith(WHOLE)]
    names = ", ".join(short.group for short in fitted.shortened)
    return tuple(Degraded(capability="whole", message=f"{names}: {word}", is_gap=False) for word in words)


def _places(sizes: Mapping[GroupName, int], lists: Sequence[GroupName], can: Capabilities) -> dict[GroupName, int]:
    """How many networks each list may have. One place is kept for every list that comes later."""
    each = can.max_members
    most = {name: sizes[name] if each is None else min(sizes[name], each) for name in lists}
    if can.max_entries is None:
        return most
    left = can.max_entries - sum(size for name, size in sizes.items() if name not in most)
    places: dict[GroupName, int] = {}
    for number, name in enumerate(lists, start=1):
        places[name] = min(most[name], left - (len(lists) - number))
        left -= places[name]
    return places


class _Same:
    """The words of one snapshot, told from others by identity: comparing them takes as long as weighing them."""

    __slots__ = ("words",)

    def __init__(self, words: tuple[Indicator, ...]) -> None:
        self.words = words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.words is other.words

    def __hash__(self) -> int:
        return id(self.words)


@lru_cache(maxsize=8)  # every device of a kind asks for the same list, room and snapshot, every few minutes
def _shortened(name: GroupName, networks: frozenset[Network], room: int, said: _Same) -> Shortened:
    speaking = (i for i in said.words if i.dedication is not Dedication.NEVER)
    summary = summarise(valued(networks, speaking), budget=room)
    return Shortened(
        group=name,
        networks=len(networks),
        addresses_v4=address_count(networks, 4),
        addresses_v6=address_count(networks, 6),
        left_out=tuple(LeftOut(network=left.entry.network, reason=left.reason) for left in summary.left_out),
        left_out_v4=summary.addresses_left_out_v4,
        left_out_v6=summary.addresses_left_out_v6,
    )


def _without(desired: Desired, found: Mapping[GroupName, Shortened]) -> Iterator[Group]:
    for group in desired.groups:
        if isinstance(group, AddressGroup) and group.name in found:
            gone = {left.network for left in found[group.name].left_out}
            yield replace(group, members=group.members - gone)
        else:
            yield group
