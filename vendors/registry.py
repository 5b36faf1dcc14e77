"""Which vendors there are: one greppable table. A new vendor is a row here, and inherits the contract tests by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel

from core.ids import DeviceName
from vendors.adapter import Adapter
from vendors.cisco_asa import CiscoAsa, CiscoAsaOptions
from vendors.errors import UnknownVendor
from vendors.fortinet_fortios import FortinetFortios, FortinetFortiosOptions
from vendors.juniper_srx import JuniperSrx, JuniperSrxOptions
from vendors.linux_nftables import LinuxNftables, LinuxNftablesOptions
from vendors.paloalto_panos import BUDGET as PANOS_BUDGET
from vendors.paloalto_panos import PaloAltoPanos, PaloAltoPanosOptions


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's typed options, and how an adapter for one device is made of them."""

    options: type[BaseModel]
    make: Callable[[Any, DeviceName], Adapter]
    budget: timedelta = timedelta()
    """Below this a session of such a device may end before a change of it does; its page says why."""


ADAPTERS: Final[Mapping[str, Vendor]] = {
    "cisco_asa": Vendor(CiscoAsaOptions, CiscoAsa),
    "fortinet_fortios": Vendor(FortinetFortiosOptions, FortinetFortios),
    "juniper_srx": Vendor(JuniperSrxOptions, JuniperSrx),
    "linux_nftables": Vendor(LinuxNftablesOptions, LinuxNftables),
    "paloalto_panos": Vendor(PaloAltoPanosOptions, PaloAltoPanos, budget=PANOS_BUDGET),
}


def known_vendors() -> tuple[str, ...]:
    return tuple(sorted(ADAPTERS))


def options_model(vendor: str) -> type[BaseModel]:
    """The options an inventory may give for this vendor. Raises ``UnknownVendor`` naming the known ones."""
    return _vendor(vendor).options


def least_budget(vendor: str) -> timedelta:
    """How long a session of such a device should be allowed to take. Raises ``UnknownVendor``."""
    return _vendor(vendor).budget


def adapter_for(vendor: str, options: BaseModel | Mapping[str, object] | None, device: DeviceName) -> Adapter:
    """An adapter for one device. Raises ``UnknownVendor``, or pydantic's ``ValidationError`` for bad options."""
    found = _vendor(vendor)
    return found.make(found.options.model_validate(options if options is not None else {}), device)


def _vendor(vendor: str) -> Vendor:
    try:
        return ADAPTERS[vendor]
    except KeyError:
        raise UnknownVendor(f"vendor {vendor!r} is not known", hint=f"known: {', '.join(known_vendors())}") from None
