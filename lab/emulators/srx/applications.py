"""Applications of policies: the predefined ones that site configurations name, and configured ones and sets.

Names from the vSRX 17.3 capture; their ports are the registered ones of their services.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.emulators.srx.tree import Node
from lab.emulators.traffic import Flow


@dataclass(frozen=True, slots=True)
class Service:
    protocol: str
    low: int = 0
    high: int = 65_535

    def takes(self, flow: Flow) -> bool:
        if self.protocol not in ("any", flow.protocol):
            return False
        return flow.protocol not in ("tcp", "udp") or self.low <= flow.port <= self.high


def _tcp(*ports: int) -> tuple[Service, ...]:
    return tuple(Service("tcp", port, port) for port in ports)


def _udp(*ports: int) -> tuple[Service, ...]:
    return tuple(Service("udp", port, port) for port in ports)


ANY: Final = (Service("any"),)
PREDEFINED: Final[dict[str, tuple[Service, ...]]] = {
    "any": ANY,
    "junos-aol": _tcp(5190, 5191, 5192, 5193),
    "junos-bootpc": _udp(68),
    "junos-bootps": _udp(67),
    "junos-cifs": _tcp(445),
    "junos-dhcp-client": _udp(68),
    "junos-dhcp-relay": _udp(67),
    "junos-dhcp-server": _udp(67),
    "junos-dns-tcp": _tcp(53),
    "junos-dns-udp": _udp(53),
    "junos-finger": _tcp(79),
    "junos-ftp": _tcp(21),
    "junos-gnutella": _udp(6346, 6347),
    "junos-gopher": _tcp(70),
    "junos-http": _tcp(80),
    "junos-https": _tcp(443),
    "junos-icmp-all": (Service("icmp"),),
    "junos-icmp-ping": (Service("icmp"),),
    "junos-ike": _udp(500),
    "junos-ike-nat": _udp(4500),
    "junos-ms-rpc": (*_tcp(135), *_udp(135)),
    "junos-ms-rpc-any": (*_tcp(135), *_udp(135)),
    "junos-ms-sql": _tcp(1433),
    "junos-msn": _tcp(1863),
    "junos-ntp": _udp(123),
    "junos-pc-anywhere": _udp(5632),
    "junos-ping": (Service("icmp"),),
    "junos-smb": _tcp(139),
    "junos-smtp": _tcp(25),
    "junos-ssh": _tcp(22),
    "junos-sun-rpc": (*_tcp(111), *_udp(111)),
    "junos-telnet": _tcp(23),
}


def known(root: Node, name: str) -> bool:
    return bool(services(root, name))


def services(root: Node, name: str, seen: frozenset[str] = frozenset()) -> tuple[Service, ...]:
    """What a name stands for. Empty: nothing of that name."""
    held = root.at("applications")
    if held is not None and (own := held.child("application", name)) is not None:
        return (_configured(own),)
    if held is not None and name not in seen and (group := held.child("application-set", name)) is not None:
        inner = [*group.all("application"), *group.all("application-set")]
        return tuple(each for member in inner for each in services(root, member.value, seen | {name}))
    return PREDEFINED.get(name, ())


def _configured(node: Node) -> Service:
    low, _, high = node.leaf("destination-port").partition("-")
    protocol = node.leaf("protocol", "any")
    if not low.isdigit():
        return Service(protocol)
    return Service(protocol, int(low), int(high) if high.isdigit() else int(low))


def named(root: Node, flow: Flow) -> str:
    """The predefined name that records give a flow's service."""
    found = (name for name, each in PREDEFINED.items() if name != "any" and any(s.takes(flow) for s in each))
    return next(found, "None")
