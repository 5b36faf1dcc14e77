"""The logs of firewalls: one module for each family, a function from a message to what it says of who went where.

Formats are told by what stands in the message, not by what the inventory says of its sender: one collector may carry
several. A known message that is about something else (a login, a translation) gives nothing, and is counted as passed
over. Everything else is ``Unfit``, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from controller.evidence.firewalls import (
    checkpoint,
    cisco,
    filterlog,
    fortios,
    fortios_csv,
    junos,
    netfilter,
    paloalto,
    siem,
)
from controller.evidence.lines import Unfit
from controller.evidence.model import Sighting
from controller.evidence.syslog import Message

Claim = Callable[[Message], bool]
Reader = Callable[[Message, str], tuple[Sighting, ...]]

FORMATS: Final[Mapping[str, tuple[Claim, Reader]]] = {
    "cef": (siem.claims_cef, siem.read_cef),  # others' keys stand in it
    "leef": (siem.claims_leef, siem.read_leef),
    "cisco": (cisco.claims, cisco.read),
    "paloalto": (paloalto.claims, paloalto.read),
    "fortios-csv": (fortios_csv.claims, fortios_csv.read),
    "fortios": (fortios.claims, fortios.read),
    "junos": (junos.claims, junos.read),
    "filterlog": (filterlog.claims, filterlog.read),
    "netfilter": (netfilter.claims, netfilter.read),
    "checkpoint": (checkpoint.claims, checkpoint.read),
}
"""In the order in which they are asked: those whose mark is the surest first."""


def format_of(message: Message) -> str | None:
    """Which family wrote it; None: none that is known."""
    return next((name for name, (claims, _) in FORMATS.items() if claims(message)), None)


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """What it says. Nothing, where it is about something else. Raises ``Unfit``."""
    for claims, reader in FORMATS.values():
        if claims(message):
            return reader(message, sensor)
    raise Unfit("of no known format")


__all__ = ["FORMATS", "format_of", "read"]
