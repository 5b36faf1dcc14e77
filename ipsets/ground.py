"""Whose ground an address is, for a service that is everything of one owner. Pure.

Such a service takes what the owner's own networks originate, also where several of its apps share it. Routing gives an
address to the most specific prefix: what somebody else originates inside a prefix of the owner is none of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from core.net import DomainName, Network, keys_around, lengths_of, sort_key, span_of
from ipsets.catalogue import Service
from ipsets.drift import origins_of
from ipsets.model import Dedication, Indicator
from ipsets.owners import Owners

Key: TypeAlias = tuple[int, int, int]


class Ground:
    """Who originates what, as the entries of one build say. Services of apps are judged by the app alone."""

    def __init__(self, owners: Owners, indicators: Sequence[Indicator]) -> None:
        self._owners = owners
        self._indicators = indicators

    def belongs(self, service: Service, indicator: Indicator) -> bool:
        """Whether an address entry is a matter of this service at all."""
        return self._owner(indicator) == service.owner if service.owner else indicator.app in service.apps

    def _owner(self, indicator: Indicator) -> str | None:
        """As told of the entry; where nobody told who originates it, that of the narrowest prefix around it."""
        if not isinstance(indicator.value, DomainName) and not origins_of(indicator):
            around = [key for key in keys_around(indicator.value, self._lengths) if key in self._holders]
            if around:
                return self._holders[around[-1]]
        return self._owners.of(indicator)

    def is_own(self, service: Service, indicator: Indicator) -> bool:
        """Whether nobody but the service is behind these addresses."""
        of_owner = service.owner and origins_of(indicator) & service.owner_asns
        return indicator.dedication is Dedication.DEDICATED or bool(of_owner)

    def words(self, service: Service, words: Iterable[Indicator]) -> Iterator[Indicator]:
        """Who speaks for the service's addresses. What its owner's own networks originate is shared with nobody."""
        apps = service.apps | service.shared_apps
        for i in words:
            if i.app in apps:
                yield replace(i, dedication=Dedication.DEDICATED) if service.owner and self.is_own(service, i) else i

    def others_inside(self, service: Service, network: Network) -> tuple[Network, ...]:
        """What others originate inside the network; all of it, where they have it too and stand first in the data."""
        _, last = span_of(network)
        found: list[Network] = []
        for at in range(bisect_left(self._keys, sort_key(network)), len(self._keys)):
            key = self._keys[at]
            if key[:2] > (network.version, last):
                break
            if self._holders[key] != service.owner:
                found.append(self._networks[key])
        return tuple(found)

    @cached_property
    def _networks(self) -> Mapping[Key, Network]:
        """Every prefix whose origin somebody told; made only where a service is one of an owner."""
        routed = (i.value for i in self._indicators if not isinstance(i.value, DomainName) and origins_of(i))
        return {sort_key(network): network for network in routed}

    @cached_property
    def _holders(self) -> Mapping[Key, str | None]:
        """Who has each prefix. Of several the one that stands first in the data; nobody known stands last."""
        rank = {name: at for at, name in enumerate(self._owners.known)}
        found: dict[Key, str | None] = {}
        for i in self._indicators:
            if not isinstance(i.value, DomainName) and origins_of(i):
                key, owner = sort_key(i.value), self._owners.of(i)
                before = found.get(key)
                first = before is None or (owner is not None and rank[owner] < rank[before])
                found[key] = owner if first else before
        return found

    @cached_property
    def _keys(self) -> list[Key]:
        return sorted(self._holders)

    @cached_property
    def _lengths(self) -> Mapping[int, list[int]]:
        return lengths_of(self._holders)
