"""What a withdrawal takes out of a list. Pure; called by ``withholding`` and by ``interventions``.

No service is left without any address, or any name, unless a person said so a second time and named it (I2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from controller.errors import Invalid, WouldEmpty
from controller.model import Emergency
from core.net import DomainName, Network, Ranges, aggregate, overlaps, parse_network, subtract
from ipsets.model import WITHDRAWN, ServiceSet, Snapshot, Verdict, in_order
from ipsets.snapshot import content_id
from ipsets.text import entry_text, read_domain

WIDEST: Final = {4: 8, 6: 16}


def parse_value(text: str) -> Network | DomainName:
    """A network, an address, a name, or ``*.name`` (also ``.name``) for it and all below it. Raises ``Invalid``."""
    try:
        network = parse_network(text)
    except ValueError:
        name = text.strip().lower().rstrip(".")
        try:
            return read_domain(f".{name.removeprefix('*.')}" if name.startswith("*.") else name)
        except ValueError as exc:
            said = f"value: {text[:80]!r} is neither a network nor a name"
            raise Invalid(said, hint="as 203.0.113.0/24, a.example, or *.a.example") from exc
    if network.prefixlen < WIDEST[network.version]:
        raise Invalid(f"value: at most a /{WIDEST[network.version]} is withdrawn at once")
    return network


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Emptied:
    """A service that a withdrawal leaves without any entry of a kind. ``what``: ``addresses`` or ``names``."""

    service: str
    what: str

    def __str__(self) -> str:
        return f"{self.service} has no {self.what}"


def without(snapshot: Snapshot, withdrawn: Sequence[Emergency]) -> Snapshot:
    """The same list without what is withdrawn; the list itself when nothing of it is.

    Raises ``WouldEmpty`` when a service that has addresses, or names, would have none, and none of ``withdrawn`` that
    takes such away was said twice for it.
    """
    less = _without(snapshot, withdrawn)
    meant = {Emptied(service=name, what=kind_of(parse_value(e.value))) for e in withdrawn for name in e.empties}
    if bare := [found for found in emptied(snapshot, less) if found not in meant]:
        raise would_empty(bare)
    return less


def would_empty(bare: Sequence[Emptied]) -> WouldEmpty:
    """The refusal, which names what has to be said a second time."""
    services = tuple(dict.fromkeys(found.service for found in bare))
    return WouldEmpty(
        ", and ".join(f"{found.service} would have no {found.what} any more" for found in bare),
        hint="nothing was changed; to stop enforcing, switch sites to monitor or off. If just this is meant, name the"
        f" service a second time (`--empties`, `empties`): {', '.join(services)}",
        services=services,
    )


def emptied(snapshot: Snapshot, less: Snapshot) -> tuple[Emptied, ...]:
    """What of the first list has entries, and none in the second, which was made of it."""
    return tuple(
        Emptied(service=after.service, what=what)
        for before, after in zip(snapshot.services, less.services, strict=True)
        for what, had, has in (("addresses", before.networks, after.networks), ("names", before.domains, after.domains))
        if had and not has
    )


def emptied_by(snapshot: Snapshot, withdrawn: Sequence[Emergency], begun: Emergency) -> tuple[Emptied, ...]:
    """What ``begun`` leaves with nothing, that the others leave with something."""
    before = set(emptied(snapshot, _without(snapshot, withdrawn)))
    return tuple(found for found in emptied(snapshot, _without(snapshot, (*withdrawn, begun))) if found not in before)


def kind_of(value: Network | DomainName) -> str:
    return "names" if isinstance(value, DomainName) else "addresses"


def _without(snapshot: Snapshot, withdrawn: Sequence[Emergency]) -> Snapshot:
    values = [(parse_value(e.value), e) for e in withdrawn]
    networks = aggregate(v for v, _ in values if not isinstance(v, DomainName))
    names = [v for v, _ in values if isinstance(v, DomainName)]
    services = tuple(_service_without(service, networks, names) for service in snapshot.services)
    if services == snapshot.services:
        return snapshot
    told = {
        Verdict(guard=WITHDRAWN, entry=entry_text(entry), held=False, reason=f"withdrawn by {e.actor}: {e.reason}")
        for value, e in values
        for entry in _taken(snapshot, value)
    }
    return replace(
        snapshot,
        id=content_id(services),
        parent=snapshot.id,
        services=services,
        dropped=in_order({*snapshot.dropped, *told}),
    )


def networks_of(withdrawn: Iterable[Emergency]) -> tuple[Network, ...]:
    """The networks among what is withdrawn."""
    values = (parse_value(e.value) for e in withdrawn)
    return tuple(value for value in values if not isinstance(value, DomainName))


NAMED: Final = 100
"""So many entries are named for one withdrawal; further ones are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an entry goes off a device: what a person withdrew, with reason and end. ``entry`` as the device held it.

    ``more``: so many further entries go for the same withdrawal and are not named; only at the last that is.
    """

    entry: str
    emergency: str  # its id
    value: str
    reason: str
    actor: str
    ends: datetime | None
    more: int = 0

    def __str__(self) -> str:
        what = self.value if self.value == self.entry else f"{self.entry}: {self.value}"
        until = f" until {self.ends:%Y-%m-%d %H:%M}Z" if self.ends else ""
        further = f" (and {self.more} more entries by it)" if self.more else ""
        return f"{what} is withdrawn{until}, by {self.actor}: {self.reason}{further}"


def causes(gone: Iterable[Network | DomainName], withdrawn: Sequence[Emergency]) -> tuple[Cause, ...]:
    """Of the entries that go, those that each withdrawal takes away, in order."""
    values = [(parse_value(e.value), e) for e in withdrawn]
    near = Ranges(value for value, _ in values if not isinstance(value, DomainName))
    asked = [entry for entry in gone if isinstance(entry, DomainName) or near.touched(entry)]
    taken = ((e, sorted(entry_text(entry) for entry in asked if _takes(value, entry))) for value, e in values)
    return tuple(cause for e, entries in sorted(taken, key=lambda pair: pair[0].id) for cause in _causes(e, entries))


def _causes(e: Emergency, entries: Sequence[str]) -> Iterator[Cause]:
    named = entries[:NAMED]
    for number, entry in enumerate(named, start=1):
        more = len(entries) - NAMED if number == NAMED else 0
        yield Cause(entry=entry, emergency=e.id, value=e.value, reason=e.reason, actor=e.actor, ends=e.ends, more=more)


def _takes(value: Network | DomainName, entry: Network | DomainName) -> bool:
    if isinstance(value, DomainName) or isinstance(entry, DomainName):
        return isinstance(value, DomainName) and isinstance(entry, DomainName) and _covers(value, entry)
    return overlaps([value], entry)


def _taken(snapshot: Snapshot, value: Network | DomainName) -> Iterator[Network | DomainName]:
    """The network itself; of a name, what it takes off the list."""
    if not isinstance(value, DomainName):
        yield value
        return
    yield from {d for service in snapshot.services for d in service.domains if _covers(value, d)}


def _service_without(service: ServiceSet, networks: Sequence[Network], names: Iterable[DomainName]) -> ServiceSet:
    kept = subtract(service.networks, networks)
    allows = tuple(n for n in subtract(service.allows, networks) if overlaps(kept, n)) if service.allows else ()
    domains = tuple(d for d in service.domains if not any(_covers(name, d) for name in names))
    if kept == service.networks and domains == service.domains:
        return service
    return replace(service, networks=kept, allows=allows, domains=domains)


def _covers(name: DomainName, entry: DomainName) -> bool:
    """The very name, whatever is below it in the list; with all below it, every entry that lies there."""
    return entry.name == name.name or (name.suffix and entry.name.endswith(f".{name.name}"))


def met(snapshot: Snapshot, value: Network | DomainName) -> str | None:
    """Why nothing of the list could be taken out for the value; None when something can."""
    if not isinstance(value, DomainName):
        hit = any(overlaps(service.networks, value) for service in snapshot.services)
        return None if hit else f"{value} is not on the list: no entry covers it"
    if any(_covers(value, d) for service in snapshot.services for d in service.domains):
        return None
    above = next(
        (d for s in snapshot.services for d in s.domains if d.suffix and value.name.endswith(f".{d.name}")), None
    )
    if above is not None:
        return f"{value.name} lies below {entry_text(above)}, and cannot be cut out of it"
    return f"{value.name} is not on the list"


__all__ = [
    "Cause", "Emptied", "causes", "emptied", "emptied_by", "kind_of", "met", "networks_of", "parse_value", "without",
    "would_empty",
]  # fmt: skip
