"""What is installed and was never seen used: by the machine's name, its address then, or its user. Pure.

Names are compared without their domain, and addresses as of their time: tomorrow an address may be another machine's.
Where it may have been this machine, it counts as use; nothing is called dormant on a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from controller.evidence.correlating import addresses_in
from controller.evidence.model import Episode, Trace
from core.ids import EventId

_SIGNS: Final = "\\/"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the app is installed, and when it was reported at which address, first and last."""

    installed: Episode
    addresses: Mapping[str, tuple[datetime, datetime]]

    @classmethod
    def of(cls, installed: Episode, threads: str | None) -> Machine:
        """``threads``: what is kept beside the episode. Older ones have the address alone."""
        window = installed.window
        known = {} if installed.source is None else {str(installed.source): (window.start, window.end)}
        return cls(installed, (addresses_in(threads) if threads else {}) or known)

    def reported(self, address: str, at: datetime) -> datetime | None:
        """When it was last reported there by then; ``None``: it was elsewhere since, or had not been there yet."""
        reports = [(min(last, at), one) for one, (first, last) in self.addresses.items() if first <= at]
        latest = max((last for last, _ in reports), default=None)
        return latest if (latest, address) in reports else None


Index = dict[str, list[Machine]]


def unused(machines: Sequence[Machine], uses: Iterable[Trace]) -> list[Episode]:
    """What is installed, of one site and app, and of whom no use is among ``uses`` since it was found."""
    waiting: dict[EventId, Episode] = {one.installed.id: one.installed for one in machines}
    by_host, by_user, by_address = _index(machines)
    for use in uses:
        host = plain_host(use.host)
        mine = [*by_host.get(host, ()), *by_user.get(plain_user(use.user), ())]
        if not host:  # who has a name is known by it
            mine += _holders(by_address.get(use.source, ()), use)
        for machine in mine:
            if use.window.end >= machine.installed.window.start:
                waiting.pop(machine.installed.id, None)
        if not waiting:
            break
    return list(waiting.values())


def plain_host(name: str) -> str:
    """A machine's name as it can be compared: ``LAPTOP-7$``, ``laptop-7`` and ``laptop-7.corp.example`` are one."""
    return name.strip().casefold().rstrip("$.").partition(".")[0]


def plain_user(name: str) -> str:
    """The name of an account: ``CORP\\anna``, ``anna@corp.example`` and ``anna`` are one."""
    plain = name.strip().casefold()
    for sign in _SIGNS:
        plain = plain.rpartition(sign)[2]
    return plain.partition("@")[0]


def _index(machines: Iterable[Machine]) -> tuple[Index, Index, Index]:
    """By host, by user, by address."""
    by_host, by_user, by_address = Index(), Index(), Index()
    for machine in machines:
        known = [(by_host, plain_host(machine.installed.host)), (by_user, plain_user(machine.installed.user))]
        for index, key in (*known, *((by_address, address) for address in machine.addresses)):
            if key:
                index.setdefault(key, []).append(machine)
    return by_host, by_user, by_address


def _holders(claims: Iterable[Machine], use: Trace) -> list[Machine]:
    """Whose address it was then: of those reported there, and nowhere else since, the last."""
    there = [(last, one) for one in claims if (last := one.reported(use.source, use.window.end)) is not None]
    latest = max((last for last, _ in there), default=None)
    return [one for last, one in there if last == latest]


__all__ = ["Machine", "plain_host", "plain_user", "unused"]
