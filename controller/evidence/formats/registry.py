"""The formats of evidence that are read, and which one a file is of: told from its beginning, never its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controller.errors import Invalid
from controller.evidence.formats import (
    dns_filters,
    dns_servers,
    endpoint_csv,
    firewall_logs,
    mdm,
    netflow,
    osquery,
    pcap,
    squid,
    suricata,
    zeek,
)
from controller.evidence.formats.reading import (
    MAX_UNPACKED,
    Again,
    Found,
    Reading,
    Stream,
    Unpacked,
    Unreadable,
    in_utf8,
)

HEAD: Final = 1 << 16
"""Bytes of a beginning that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format. ``fits`` says whether a beginning, as text, looks like it; ``is_binary``: whether its bytes do."""

    name: str
    title: str
    read: Callable[[Stream, Reading], Iterator[Found]]
    fits: Callable[[str], bool] = lambda _: False
    is_binary: Callable[[bytes], bool] = lambda _: False


_ALL: Final = (
    Format(name="pcap", title="PCAP and PCAPNG", read=pcap.read, is_binary=pcap.fits),
    Format(name="ipfix", title="IPFIX files", read=netflow.read_ipfix, is_binary=netflow.fits_ipfix),
    Format(name="zeek", title="Zeek conn, dns, ssl, quic, http", read=zeek.read, fits=zeek.fits),
    Format(name="suricata", title="Suricata EVE", read=suricata.read, fits=suricata.fits),
    Format(name="osquery", title="osquery results", read=osquery.read, fits=osquery.fits),
    Format(
        name="adguard",
        title="AdGuard Home query log",
        read=dns_filters.read_adguard,
        fits=dns_filters.fits_adguard,
    ),
    Format(name="pihole", title="Pi-hole queries", read=dns_filters.read_pihole, fits=dns_filters.fits_pihole),
    Format(name="intune", title="Microsoft Intune apps", read=mdm.read_intune, fits=mdm.fits_intune),
    Format(name="jamf", title="Jamf Pro inventories", read=mdm.read_jamf, fits=mdm.fits_jamf),
    Format(name="bind", title="BIND query and RPZ log", read=dns_servers.read_bind, fits=dns_servers.fits_bind),
    Format(name="unbound", title="Unbound query log", read=dns_servers.read_unbound, fits=dns_servers.fits_unbound),
    Format(
        name="dnsmasq",
        title="dnsmasq and Pi-hole query log",
        read=dns_servers.read_dnsmasq,
        fits=dns_servers.fits_dnsmasq,
    ),
    Format(
        name="windows-dns",
        title="Windows DNS debug log",
        read=dns_servers.read_windows,
        fits=dns_servers.fits_windows,
    ),
    Format(name="squid", title="Squid access log", read=squid.read, fits=squid.fits),
    Format(name="syslog", title="syslog of firewalls", read=firewall_logs.read, fits=firewall_logs.fits),
    Format(name="csv", title="a table of programs", read=endpoint_csv.read, fits=endpoint_csv.fits),
)
FORMATS: Final[Mapping[str, Format]] = {found.name: found for found in _ALL}
"""In the order in which a beginning is compared: what is told apart surely comes first."""


def format_named(name: str) -> Format:
    """Raises ``Invalid``."""
    found = FORMATS.get(name)
    if found is None:
        raise Invalid(f"format: {name[:40]!r} is none", hint=f"one of {', '.join(FORMATS)}")
    return found


def detect(head: bytes) -> Format | None:
    """Which format begins so, after unpacking; None when none does."""
    text = _text_of(head)
    return next((found for found in _ALL if found.is_binary(head) or found.fits(text)), None)


def _text_of(head: bytes) -> str:
    stream = in_utf8(Again(head, _Nothing()))
    parts = iter(lambda: stream.read(HEAD), b"")
    return b"".join(parts).decode("utf-8", "replace")


class _Nothing:
    def read(self, size: int, /) -> bytes:
        return b""


def read(
    stream: Stream,
    reading: Reading,
    *,
    format: str | None = None,  # noqa: A002
    limit: int = MAX_UNPACKED,
) -> tuple[Format, Iterator[Found]]:
    """The format, named or found, and what all records say, one by one; packed or not, up to ``limit`` bytes unpacked.

    Raises ``Invalid`` when the format is none, or the beginning is of none that is known.
    """
    unpacked = Unpacked(stream, limit=limit)
    if format is not None:
        found = format_named(format)
        return found, found.read(unpacked, reading)
    head, trouble = _head(unpacked)
    if not head:
        raise Invalid(f"{reading.origin}: {trouble or 'is empty: there is nothing to read'}")
    detected = detect(head)
    if detected is None:
        raise Invalid(
            f"{reading.origin}: of no format that is known", hint=f"name it, if it is one of {', '.join(FORMATS)}"
        )
    return detected, detected.read(Again(head, unpacked), reading)


def _head(stream: Stream) -> tuple[bytes, str]:
    """The beginning, and why there is no more of it."""
    head = b""
    try:
        while len(head) < HEAD and (part := stream.read(HEAD - len(head))):
            head += part
    except Unreadable as exc:  # its reader meets it again, and tells
        return head, str(exc)
    return head, ""
