"""Who may bring evidence: the devices and sensors of the inventory, by their addresses and by their names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import tzinfo
from ipaddress import ip_address
from typing import Final
from zoneinfo import ZoneInfo

from controller.evidence.lines import Unfit, address
from controller.inventory import Inventory
from controller.inventory.evidence import Sensor
from core.ids import SiteName
from core.net import Network, keys_around, lengths_of, parse_network, sort_key

_REMEMBERED: Final = 16_384
"""Addresses and names that were looked up; whoever forges more costs a new look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """``name`` is a device's, or a sensor's."""

    name: str
    site: SiteName
    zone: tzinfo
    relays: bool = False


Known = dict[str, Sender | None]


class Senders:
    """All of an inventory. The longest network that holds an address says whose it is."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_name: dict[str, Sender] = {}
        self._by_network: dict[tuple[int, int, int], Sender] = {}
        self._by_certificate: dict[str, Sender] = {}
        self._peers: Known = {}
        self._hosts: Known = {}
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
        for name, sensor in sensors.items():
            for shown in sensor.certificate_names:
                self._by_certificate[shown.lower()] = self._by_name[name]
        self._shows = {sender.name for sender in self._by_certificate.values()}
        self._lengths = lengths_of(self._by_network)

    def _add(self, sender: Sender, networks: tuple[Network, ...]) -> None:
        self._by_name[sender.name] = sender
        for network in networks:
            self._by_network.setdefault(sort_key(network), sender)

    def at(self, peer: str) -> Sender | None:
        """Who sends from that address, as a socket tells it; None: a stranger."""
        return self._remembered(self._peers, peer, self._at)

    def certified(self, names: Iterable[str]) -> Sender | None:
        """Whom a certificate with these names is of; None: of nobody that we know by it."""
        return next((self._by_certificate[name] for name in names if name in self._by_certificate), None)

    def shows_certificate(self, sender: Sender) -> bool:
        """Whether it is known by its certificate, where it shows one."""
        return sender.name in self._shows

    def named(self, host: str) -> Sender | None:
        """Whose the host name or address in a message is; None: nobody's that we know."""
        return self._remembered(self._hosts, host, self._named) if host else None

    def _remembered(self, known: Known, text: str, find: Callable[[str], Sender | None]) -> Sender | None:
        try:
            return known[text]
        except KeyError:
            if len(known) >= _REMEMBERED:
                known.clear()
            found = known[text] = find(text)
            return found

    def _at(self, peer: str) -> Sender | None:
        try:
            around = keys_around(parse_network(str(address(peer))), self._lengths)
        except Unfit:
            return None
        found = [self._by_network[key] for key in around if key in self._by_network]
        return found[-1] if found else None

    def _named(self, host: str) -> Sender | None:
        name = host.lower()
        return self._by_name.get(name) or self._at(name) or self._by_name.get(name.partition(".")[0])

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
