"""Who may bring evidence: the devices and sensors of the inventory, by their addresses and by their names. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from ipaddress import ip_address
from zoneinfo import ZoneInfo

from controller.evidence.lines import Unfit, address
from controller.inventory import Inventory
from controller.inventory.evidence import Sensor
from core.ids import SiteName
from core.net import Address, Network, keys_around, lengths_of, parse_network, sort_key

_REMEMBERED = 50_000
"""Addresses that were looked up; whoever forges more costs a new look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """``name`` is a device's, or a sensor's."""

    name: str
    site: SiteName
    zone: tzinfo
    relays: bool = False


class Senders:
    """All of an inventory. The longest network that holds an address says whose it is."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_name: dict[str, Sender] = {}
        self._by_network: dict[tuple[int, int, int], Sender] = {}
        self._known: dict[Address, Sender | None] = {}
        sensors = inventory.evidence.sensors
        for device in inventory.by_name.values():
            sender = _sender(inventory, device.name, device.site, sensors.get(device.name))
            named = sensors.get(device.name)
            self._add(sender, (*_host(device.host), *device.own_addresses, *(named.addresses if named else ())))
            if not _host(device.host):
                self._by_name.setdefault(device.host.lower(), sender)
        for name, sensor in sensors.items():
            if name not in inventory.by_name:
                self._add(_sender(inventory, name, SiteName(sensor.site), sensor), sensor.addresses)
        self._lengths = lengths_of(self._by_network)

    def _add(self, sender: Sender, networks: tuple[Network, ...]) -> None:
        self._by_name[sender.name] = sender
        for network in networks:
            self._by_network.setdefault(sort_key(network), sender)

    def at(self, peer: Address) -> Sender | None:
        """Who sends from that address; None: a stranger."""
        if peer in self._known:
            return self._known[peer]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        around = keys_around(parse_network(str(peer)), self._lengths)
        found = [self._by_network[key] for key in around if key in self._by_network]
        self._known[peer] = found[-1] if found else None
        return self._known[peer]

    def at_text(self, peer: str) -> Sender | None:
        """The same for an address as a socket tells it."""
        try:
            return self.at(address(peer))
        except Unfit:
            return None

    def named(self, host: str) -> Sender | None:
        """Whose the host name or address in a message is; None: nobody's that we know."""
        if not host:
            return None
        if (found := self._by_name.get(host.lower())) is not None:
            return found
        try:
            return self.at(ip_address(host))
        except ValueError:
            return self._by_name.get(host.lower().partition(".")[0])

    def __len__(self) -> int:
        return len({sender.name for sender in self._by_name.values()})


def _sender(inventory: Inventory, name: str, site: SiteName, sensor: Sensor | None) -> Sender:
    zone = sensor.time_zone if sensor is not None and sensor.time_zone else inventory.sites[site].time_zone
    return Sender(name=name, site=site, zone=ZoneInfo(zone), relays=sensor is not None and sensor.relays)


def _host(host: str) -> tuple[Network, ...]:
    try:
        return (parse_network(str(ip_address(host))),)
    except ValueError:
        return ()


__all__ = ["Sender", "Senders"]
