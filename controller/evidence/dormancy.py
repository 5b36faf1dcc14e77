"""What is installed and was never seen used: by the machine's name, its address then, or its user. Pure.

Names are compared without their domain, and addresses as of their time: tomorrow an address may be another machine's.
Where it may have been this machine, it counts as use; nothing is called dormant on a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.evidence.correlating import addresses_in, users_in
from controller.evidence.model import Episode, Trace
from controller.evidence.spelling import plain_host, plain_user
from core.ids import EventId


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the app is installed, when it was reported at which address (first, last), and whose it was said to be."""

    installed: Episode
    addresses: Mapping[str, tuple[datetime, datetime]]
    users: frozenset[str] = frozenset()

    @classmethod
    def of(cls, installed: Episode, threads: str | None) -> Machine:
        """``threads``: what is kept beside the episode. Older ones have the address alone."""
        window = installed.window
        known = {} if installed.source is None else {str(installed.source): (window.start, window.end)}
        users = users_in(threads) if threads else ()
        return cls(installed, (addresses_in(threads) if threads else {}) or known, frozenset(users))

    def reported(self, address: str, at: datetime) -> datetime | None:
        """When it was last reported there by then; ``None``: it was elsewhere since, or had not been there yet."""
        reports = [(min(last, at), one) for one, (first, last) in self.addresses.items() if first <= at]
        latest = max((last for last, _ in reports), default=None)
        return latest if (latest, address) in reports else None


Index = dict[str, list[Machine]]


def parted(machines: Sequence[Machine], uses: Iterable[Trace]) -> tuple[list[Episode], list[tuple[Episode, Trace]]]:
    """What is installed, of one site and app: of whom no use is among ``uses`` since it was found; and of whom some is,
    with the first of it that they bring."""
    waiting: dict[EventId, Episode] = {one.installed.id: one.installed for one in machines}
    used = list[tuple[Episode, Trace]]()
    by_host, by_user, by_address = _index(machines)
    for use in uses:
        host = plain_host(use.host)
        mine = [*by_host.get(host, ()), *by_user.get(plain_user(use.user), ())]
        if not host:  # who has a name is known by it
            mine += _holders(by_address.get(use.source, ()), use)
        for machine in mine:
            if use.window.end >= machine.installed.window.start and machine.installed.id in waiting:
                used.append((waiting.pop(machine.installed.id), use))
        if not waiting:
            break
    return list(waiting.values()), used


def _index(machines: Iterable[Machine]) -> tuple[Index, Index, Index]:
    """By host, by user, by address."""
    by_host, by_user, by_address = Index(), Index(), Index()
    for machine in machines:
        users = {plain_user(user) for user in (machine.installed.user, *machine.users)}
        known = [(by_host, plain_host(machine.installed.host)), *((by_user, user) for user in users)]
        for index, key in (*known, *((by_address, address) for address in machine.addresses)):
            if key:
                index.setdefault(key, []).append(machine)
    return by_host, by_user, by_address


def _holders(claims: Iterable[Machine], use: Trace) -> list[Machine]:
    """Whose address it was then: of those reported there, and nowhere else since, the last."""
    there = [(last, one) for one in claims if (last := one.reported(use.source, use.window.end)) is not None]
    latest = max((last for last, _ in there), default=None)
    return [one for last, one in there if last == latest]


__all__ = ["Machine", "parted"]
