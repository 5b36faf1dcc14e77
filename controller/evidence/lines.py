"""What all parsers of lines share: bytes made text, and fields made values that refuse what they are not. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, inet_pton
from typing import Final, TypeVar

from controller.evidence.model import Verdict
from core.net import Address

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SHOWN: Final = 240
"""Characters of a record that was set aside."""
_CONTROL: Final = re.compile(r"[^\t -~\u00a0-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_T = TypeVar("_T")
_PRINTABLE: Final = bytes([0x09, *range(0x20, 0x7F)])
_LABELS: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_LONGEST_NAME: Final = 253
_REMEMBERED: Final = 16_384
"""Texts of each kind."""


class Unfit(ValueError):
    """A record that is no evidence: of no known format, cut off, or with a value that cannot be. It says why."""


class Read(dict[str, _T]):
    """What texts come to, as they are read again and again; ``texts[one]`` reads those that are new.

    Forgets all when it is full: a flood brings new texts only, and what ``lru_cache`` does to keep their order costs
    more than to read them.
    """

    def __init__(self, read: Callable[[str], _T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> _T:
        found = self._read(text)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = found
        return found


def decoded(raw: bytes) -> tuple[str, int]:
    """Text of UTF-8, and how many bytes were none: each of those stands as ``\\xe4`` in the text.

    What would move a terminal's cursor or hide text stands as an escape too.
    """
    if raw.isascii() and not raw.translate(None, _PRINTABLE):
        return raw.decode(), 0
    try:
        text, strange = raw.decode(), 0
    except UnicodeDecodeError:
        text = raw.decode(errors="backslashreplace")
        strange = len(raw) - len(raw.decode(errors="ignore").encode())
    return (text if text.isprintable() else _CONTROL.sub(_escaped, text)), strange


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def shown(raw: bytes) -> str:
    """The beginning of a record, made printable."""
    text, _ = decoded(raw[: 4 * SHOWN])
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _address(text: str) -> Address:
    try:
        return IPv4Address(inet_pton(AF_INET, text))  # several times faster than ``ip_address``
    except (OSError, ValueError):
        pass
    try:
        found = ip_address(text)
    except ValueError:
        raise Unfit(f"{text[:60]!r} is no address") from None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            raise Unfit(f"{text[:60]!r} names a zone of IPv6")
        return found.ipv4_mapped or found
    return found


def _number(text: str) -> int | None:
    if text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise Unfit(f"{text[:40]!r} is no number")
    return int(text)


def _port(text: str) -> int | None:
    found = _number(text)
    if found is not None and found > 65535:
        raise Unfit(f"{text[:40]!r} is no port")
    return found


def dns_name(text: str) -> str:
    """A name as sightings hold it, or nothing when it is none: an address, a single word, or what DNS cannot hold."""
    return NAMES[text] if len(text) <= 2 * _LONGEST_NAME else ""  # what is remembered is short, whoever writes it


def _dns_name(text: str) -> str:
    name = text.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return ""
    if len(name) > _LONGEST_NAME or not _LABELS.fullmatch(name) or "." not in name or name[-1].isdigit():
        return ""
    return name


ADDRESSES: Final = Read(_address)
NUMBERS: Final = Read(_number)
PORTS: Final = Read(_port)
NAMES: Final = Read(_dns_name)

address: Final[Callable[[str], Address]] = ADDRESSES.__getitem__
"""Raises ``Unfit``. An IPv4 address in IPv6's form is the IPv4 address."""
number: Final[Callable[[str], int | None]] = NUMBERS.__getitem__
"""A whole number; None: nothing stands there. Raises ``Unfit``."""
port: Final[Callable[[str], int | None]] = PORTS.__getitem__
"""Raises ``Unfit``."""


def url_parts(url: str) -> tuple[str, str]:
    """Host name and path of an address, with or without its scheme; the name is empty when it is an address."""
    rest = url.partition("://")[2] or url
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    name, colon, digits = host.rpartition(":")
    if colon and digits.isdigit():
        host = name
    return dns_name(host), slash + path


def is_epoch(text: str) -> bool:
    """Whether it is a time as ``epoch`` reads it."""
    return text.isascii() and text.isdigit() and len(text) in (10, 13, 16, 19)


@lru_cache(maxsize=1024)
def epoch(stamp: str) -> datetime:
    """Since 1970, in seconds, or in thousandths and smaller parts of them. Raises ``Unfit``."""
    if not is_epoch(stamp):
        raise Unfit(f"{stamp[:40]!r} is no time")
    return _EPOCH + timedelta(microseconds=int(stamp[:16].ljust(16, "0")))


def reply(received: int | None, verdict: Verdict) -> bool | None:
    """``Sighting.answered`` from the octets that came back. Of a blocked connection they are at most a handshake."""
    return True if received and verdict is not Verdict.BLOCKED else None


PROTOCOLS: Final = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "51": "ah"} | {
    "58": "icmp6",
    "132": "sctp",
}


def protocol(text: str) -> str:
    """By its number or its name, in lower case; a number without a common name stays one."""
    return PROTOCOLS.get(text) or _ALIASES.get(text.lower()) or text.lower()


_ALIASES: Final = {"ipv6-icmp": "icmp6", "icmpv6": "icmp6"}
