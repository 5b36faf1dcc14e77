"""What the lab's internet and its two offices are: names, addresses, networks. Data only; ``topology`` builds it.

TikTok's addresses lie in prefixes that its networks really announce, the shared ones in ranges that Akamai publishes
[https://techdocs.akamai.com/property-manager/docs/origin-ip-access-control]. Everything else is documentation space
(RFC 5737, RFC 3849) or private. Nothing of this ever leaves the lab's namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a server of the internet stands for."""

    TIKTOK = "tiktok"  # on an address of TikTok's own networks
    SHARED = "shared"  # a TikTok name on an address of a CDN that others use too
    NEIGHBOUR = "neighbour"  # someone else's name in the same CDN range
    ORDINARY = "ordinary"  # has nothing to do with any of it
    CLOUD = "cloud"  # a customer of ByteDance's cloud: looks near, must never be blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server: one address of each family, and the name that people use. ``edge`` is the CDN's name behind it."""

    name: str
    kind: Kind
    v4: str
    v6: str
    edge: str | None = None
    zone: str | None = None  # every other name of this domain leads here too


INTERNET: Final = (
    Host(name="www.tiktok.com", kind=Kind.TIKTOK, v4="103.136.220.10", v6="2404:9dc0:cd01::10", zone="tiktok.com"),
    Host(name="api16-normal-useast5.tiktokv.us", kind=Kind.TIKTOK, v4="71.18.6.10", v6="2605:340:f01e::10",
         zone="tiktokv.us"),
    Host(name="v16-webapp.tiktokcdn.com", kind=Kind.SHARED, v4="23.45.12.10", v6="2600:1406:bc00::10",
         edge="e35058.a.akamaiedge.net"),
    Host(name="news.example", kind=Kind.NEIGHBOUR, v4="23.45.12.11", v6="2600:1406:bc00::11",
         edge="e7700.a.akamaiedge.net"),
    Host(name="shop.example", kind=Kind.ORDINARY, v4="198.51.100.80", v6="2001:db8:100::80"),
    Host(name="mail.example", kind=Kind.ORDINARY, v4="198.51.100.81", v6="2001:db8:100::81"),
    Host(name="customer-of-byteplus.example", kind=Kind.CLOUD, v4="101.47.0.10", v6="2001:db8:100::47"),
)  # fmt: skip

DNS: Final = "198.51.100.53"
"""The one resolver of the internet, where the gateways' dnsmasq ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of an office: the gateway is ``.1`` and ``::1``, the client ``.10`` and ``::10``."""

    v4: str  # "10.20.0", a /24
    v6: str  # "2001:db8:20:1", a /64
    mode: str

    @property
    def networks(self) -> tuple[str, str]:
        return f"{self.v4}.0/24", f"{self.v6}::/64"

    def addresses(self, host: int) -> tuple[str, str]:
        return f"{self.v4}.{host}", f"{self.v6}::{host}"

    def with_length(self, host: int) -> tuple[str, str]:
        v4, v6 = self.addresses(host)
        return f"{v4}/24", f"{v6}/64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A site: a gateway and one client for each role. ``login`` is the account of the controller."""

    name: str
    title: str
    time_zone: str
    number: int  # of its link to the internet
    login: str
    roles: Mapping[str, Network]

    @property
    def wan(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(the internet's, the gateway's) addresses of the link, v4 and v6."""
        v4, v6 = f"100.64.{self.number}", f"2001:db8:ffff:{self.number:x}"
        return (f"{v4}.1", f"{v6}::1"), (f"{v4}.2", f"{v6}::2")


OFFICES: Final = (
    Office(
        name="berlin", title="Berlin office", time_zone="Europe/Berlin", number=1, login="root",
        roles={
            "company": Network(v4="10.20.0", v6="2001:db8:20:0", mode="enforce"),
            "guest": Network(v4="10.20.1", v6="2001:db8:20:1", mode="monitor"),
            "marketing": Network(v4="10.20.2", v6="2001:db8:20:2", mode="enforce"),
        },
    ),
    Office(
        name="austin", title="Austin office", time_zone="America/Chicago", number=2, login="tgop",
        roles={
            "company": Network(v4="10.30.0", v6="2001:db8:30:0", mode="enforce"),
            "guest": Network(v4="10.30.1", v6="2001:db8:30:1", mode="off"),
            "marketing": Network(v4="10.30.2", v6="2001:db8:30:2", mode="enforce"),
        },
    ),
)  # fmt: skip


def dns_records(hosts: tuple[Host, ...] = INTERNET) -> str:
    """The internet's names as dnsmasq configuration; a name that nobody has does not exist."""
    lines = ["local=/#/", "local-ttl=60"]
    for host in hosts:
        lines.append(f"host-record={host.edge or host.name},{host.v4},{host.v6}")
        if host.edge:
            lines.append(f"cname={host.name},{host.edge}")
        if host.zone:
            lines += [f"address=/{host.zone}/{host.v4}", f"address=/{host.zone}/{host.v6}"]
    return "\n".join(lines) + "\n"


def host(kind: Kind) -> Host:
    """The first server of a kind."""
    return next(one for one in INTERNET if one.kind is kind)
