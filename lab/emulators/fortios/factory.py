"""What a box has before anybody configured it: the objects that every FortiGate brings.

Names and values as in the captured 6.4.4 configuration, and the predefined services of the CLI reference.
"""

from __future__ import annotations

from typing import Final

_ADDRESSES: Final = """\
config firewall address
    edit "none"
        set subnet 0.0.0.0 255.255.255.255
    next
    edit "all"
    next
end
config firewall address6
    edit "all"
    next
    edit "none"
        set ip6 ::/128
    next
end
config firewall schedule recurring
    edit "always"
        set day sunday monday tuesday wednesday thursday friday saturday
    next
    edit "none"
    next
end
"""
_PORTS: Final = (
    ("ALL_TCP", "tcp", "1-65535"),
    ("ALL_UDP", "udp", "1-65535"),
    ("DCE-RPC", "tcp", "135"),
    ("DNS", "tcp udp", "53"),
    ("FTP", "tcp", "21"),
    ("HTTP", "tcp", "80"),
    ("HTTPS", "tcp", "443"),
    ("IMAP", "tcp", "143"),
    ("IMAPS", "tcp", "993"),
    ("KERBEROS", "tcp udp", "88"),
    ("LDAP", "tcp", "389"),
    ("LDAP_UDP", "udp", "389"),
    ("NTP", "tcp udp", "123"),
    ("POP3", "tcp", "110"),
    ("POP3S", "tcp", "995"),
    ("SAMBA", "tcp", "139"),
    ("SMB", "tcp", "445"),
    ("SMTP", "tcp", "25"),
    ("SMTPS", "tcp", "465"),
    ("SSH", "tcp", "22"),
    ("TFTP", "udp", "69"),
)


def text(ports: int) -> str:
    """Of a box with so many ports."""
    return "".join((_interfaces(ports), _ADDRESSES, _services()))


def _interfaces(ports: int) -> str:
    entries = "".join(
        f'    edit "port{at}"\n        set vdom "root"\n        set type physical\n'
        f"        set snmp-index {at}\n    next\n"
        for at in range(1, ports + 1)
    )
    return f"config system interface\n{entries}end\n"


def _services() -> str:
    plain = "".join(_service(*service) for service in _PORTS)
    return (
        "config firewall service custom\n"
        '    edit "ALL"\n        set category "General"\n        set protocol IP\n    next\n'
        '    edit "ALL_ICMP"\n        set protocol ICMP\n    next\n'
        '    edit "PING"\n        set protocol ICMP\n        set icmptype 8\n    next\n'
        f"{plain}end\n"
    )


def _service(name: str, protocols: str, ports: str) -> str:
    lines = "".join(f"        set {protocol}-portrange {ports}\n" for protocol in protocols.split())
    return f'    edit "{name}"\n{lines}    next\n'
