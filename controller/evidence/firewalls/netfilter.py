"""Lines of the Linux kernel: ``log`` of nftables, ``LOG`` of iptables, UFW, firewalld, VyOS, Shorewall.

The kernel does not say what was done; the prefix does, which whoever wrote the rule chose. A word such as DROP or
ACCEPT in it is believed, and VyOS's ``-D]``, ``-R]`` and ``-A]``; else the verdict is unknown. A line ends in fields
that are always there (``URGP=`` of TCP, ``LEN=`` of UDP): one that ends before them is cut.

Source: ``nf_log_syslog.c`` of Linux 5.10 to 6.12.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from controller.evidence.lines import Unfit, address, number, port, protocol
from controller.evidence.model import Channel, Sighting, Verdict
from controller.evidence.syslog import Message

_LINE: Final = re.compile(
    r"(?:\[ *\d+\.\d+\] ?)?(?P<prefix>[^=]{0,200}?) ?IN=(?P<into>\S*) OUT=(?P<out>\S*) (?:MAC=\S* "
    r"|PHYSIN=\S+ |PHYSOUT=\S+ |MACSRC=\S* |MACDST=\S* |MACPROTO=\S* )*"
    r"SRC=(?P<source>[0-9a-f.:]+) DST=(?P<destination>[0-9a-f.:]+) LEN=(?P<length>\d+) (?P<rest>.*)"
)
_PROTO: Final = re.compile(r"\bPROTO=(\w+) (?:SPT=(\d+) DPT=(\d+) )?(.*)")
_BLOCKED: Final = re.compile(
    r"(?<![a-z])(?:drop(?:ped|s)?|reject(?:ed|s)?|den(?:y|ied)|block(?:ed|s)?)(?![a-z])|-[DR]\]"
)
_ALLOWED: Final = re.compile(r"(?<![a-z])(?:accept(?:ed)?|allow(?:ed)?|permit(?:ted)?|pass(?:ed)?)(?![a-z])")


def claims(message: Message) -> bool:
    return " SRC=" in message.text and " OUT=" in message.text and "IN=" in message.text


def read(message: Message, sensor: str) -> tuple[Sighting, ...]:
    """Raises ``Unfit``."""
    found = _LINE.match(message.text)
    tail = _PROTO.search(found["rest"]) if found is not None else None
    if found is None or tail is None:
        raise Unfit("a line of the kernel that is cut off, or in an unknown form")
    proto = protocol(tail[1])
    if not _is_whole(proto, tail):
        raise Unfit("a line of the kernel that is cut off")
    prefix = found["prefix"].strip()
    return (
        Sighting(
            channel=Channel.FIREWALL,
            at=message.at,
            sensor=sensor,
            source=address(found["source"]),
            source_port=port(tail[2] or ""),
            destination=address(found["destination"]),
            port=port(tail[3] or ""),
            protocol=proto,
            verdict=verdict_of(prefix),
            rule=prefix.strip("[]: "),
            packets=1,
            octets=number(found["length"]),
        ),
    )


def _is_whole(proto: str, tail: re.Match[str]) -> bool:
    """A piece of a packet (``FRAG:``) has no ports, and says so before ``PROTO``."""
    if proto == "tcp":
        return "URGP=" in tail[4] if tail[2] else "FRAG:" in tail.string
    if proto in ("udp", "udplite"):
        return "LEN=" in tail[4] if tail[2] else "FRAG:" in tail.string
    return bool(tail[4])


@lru_cache(maxsize=1024)
def verdict_of(prefix: str) -> Verdict:
    """What a prefix claims; unknown where it claims nothing, or both."""
    blocked = _BLOCKED.search(prefix.lower()) is not None or prefix.endswith(("-D]", "-R]"))
    allowed = _ALLOWED.search(prefix.lower()) is not None or prefix.endswith("-A]")
    if blocked is allowed:
        return Verdict.UNKNOWN
    return Verdict.BLOCKED if blocked else Verdict.ALLOWED
