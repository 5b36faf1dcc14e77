"""The names that an ASA prints instead of numbers: ports, protocols, ICMP types, severities, days, months."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BOTH: Final = {
    "echo": 7, "discard": 9, "tacacs": 49, "domain": 53, "www": 80, "sunrpc": 111, "pim-auto-rp": 496, "talk": 517,
    "kerberos": 750, "nfs": 2049, "cifs": 3020, "sip": 5060,
}  # fmt: skip
_TCP: Final = _BOTH | {
    "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "whois": 43,
    "gopher": 70, "finger": 79, "hostname": 101, "pop2": 109, "pop3": 110, "ident": 113, "nntp": 119,
    "netbios-ssn": 139, "imap4": 143, "bgp": 179, "irc": 194, "ldap": 389, "https": 443, "exec": 512, "login": 513,
    "rsh": 514, "lpd": 515, "uucp": 540, "klogin": 543, "kshell": 544, "rtsp": 554, "ldaps": 636, "lotusnotes": 1352,
    "citrix-ica": 1494, "sqlnet": 1521, "h323": 1720, "pptp": 1723, "ctiqbe": 2748, "aol": 5190,
    "pcanywhere-data": 5631,
}  # fmt: skip
_UDP: Final = _BOTH | {
    "time": 37, "nameserver": 42, "bootps": 67, "bootpc": 68, "tftp": 69, "ntp": 123, "netbios-ns": 137,
    "netbios-dgm": 138, "snmp": 161, "snmptrap": 162, "xdmcp": 177, "dnsix": 195, "mobile-ip": 434, "isakmp": 500,
    "biff": 512, "who": 513, "syslog": 514, "rip": 520, "radius": 1645, "radius-acct": 1646, "secureid-udp": 5510,
    "pcanywhere-status": 5632,
}  # fmt: skip
PORTS: Final[Mapping[str, Mapping[str, int]]] = {"tcp": _TCP, "udp": _UDP, "tcp-udp": _BOTH, "sctp": {}}
_ALSO: Final = {"http": 80, "cmd": 514}
"""Accepted, never printed."""

PROTOCOLS: Final = {
    "icmp": 1, "igmp": 2, "ipinip": 4, "tcp": 6, "igrp": 9, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58,
    "eigrp": 88, "ospf": 89, "nos": 94, "pim": 103, "pcp": 108, "snp": 109, "sctp": 132,
}  # fmt: skip
_PROTOCOL_NAMES: Final = {number: name for name, number in PROTOCOLS.items()}

ICMP: Final = {
    "echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5, "alternate-address": 6, "echo": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "information-request": 15, "information-reply": 16,
    "mask-request": 17, "mask-reply": 18, "traceroute": 30, "conversion-error": 31, "mobile-redirect": 32,
}  # fmt: skip
ICMP6: Final = {
    "unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo": 128, "echo-reply": 129,
    "membership-query": 130, "membership-report": 131, "membership-reduction": 132, "router-solicitation": 133,
    "router-advertisement": 134, "neighbor-solicitation": 135, "neighbor-advertisement": 136,
    "neighbor-redirect": 137, "router-renumbering": 138,
}  # fmt: skip

LEVELS: Final = (
    "emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def port_number(word: str, protocol: str) -> int | None:
    """The port that a word means for a protocol."""
    if word.isascii() and word.isdigit():
        return int(word) if int(word) <= 65_535 else None
    return PORTS[protocol].get(word, _ALSO.get(word))


def port_name(port: int, protocol: str) -> str:
    """As printed: 80 is www, 443 is https for TCP and a number for UDP."""
    return next((name for name, number in PORTS[protocol].items() if number == port), str(port))


def protocol_name(word: str) -> str | None:
    """As printed. A number that has a name becomes the name; 0 is IP."""
    if word.isascii() and word.isdigit():
        number = int(word)
        return None if number > 255 else "ip" if number == 0 else _PROTOCOL_NAMES.get(number, str(number))
    return word if word == "ip" or word in PROTOCOLS else None


def icmp_names(protocol: str) -> Mapping[str, int]:
    return ICMP6 if protocol == "icmp6" else ICMP
