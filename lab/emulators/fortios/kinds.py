"""The kinds of values that fields take: each reads the words of a ``set`` and says how ``show`` prints them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface
from typing import Final

from lab.emulators.fortios.answers import (
    bad_address,
    bad_fqdn,
    bad_number,
    bad_ports,
    bad_value,
    incomplete,
    no_such,
    script_characters,
    too_long,
    unknown_word,
)
from lab.emulators.fortios.switches import HostBits, Switches
from lab.emulators.fortios.words import Words, quoted

Found = Callable[[tuple[str, ...], str], bool]
"""Whether one of these tables has an entry of that name, for whoever edits now."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FQDN: Final = re.compile(r"(?=.{1,255}$)[A-Za-z0-9*_]([A-Za-z0-9*_-]*)(\.[A-Za-z0-9*_-]+)+")
_SCRIPT: Final = frozenset("<>()#'\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who sets: the device's switches, and where references are looked up."""

    switches: Switches
    found: Found


class Kind(ABC):
    """``many``: a list, to which ``append`` adds. ``quotes``: how its words are printed."""

    many = False
    quotes = False
    empty = "''"  # what full-configuration prints for no value
    unset = False  # it prints that it is unset instead; lists always do

    def read(self, words: Words, asker: Asker) -> Words:
        """The value in its normal form.

        Raises:
            Refusal: with the text that the device prints.
        """
        if not words:
            raise incomplete()
        if len(words) > self.count and not self.many:
            raise unknown_word(words[self.count])
        return self._read(words, asker)

    count = 1

    @abstractmethod
    def _read(self, words: Words, asker: Asker) -> Words: ...

    def show(self, words: Words) -> str:
        return " ".join(quoted(word) if self.quotes else word for word in words)


@dataclass(frozen=True)
class Text(Kind):
    limit: int
    quotes = True

    def _read(self, words: Words, asker: Asker) -> Words:
        if len(words[0]) > self.limit:
            raise too_long(words[0], self.limit)
        return (words[0],) if words[0] else ()


@dataclass(frozen=True)
class Code(Text):
    """A text that is printed bare."""

    quotes = False


@dataclass(frozen=True)
class Name(Text):
    """A name, which the script filter looks at."""

    def _read(self, words: Words, asker: Asker) -> Words:
        if asker.switches.script_filter and _SCRIPT & set(words[0]):
            raise script_characters(words[0])
        return super()._read(words, asker)


@dataclass(frozen=True)
class Secret(Text):
    """Kept as typed, printed otherwise at every read (``ENC …``)."""


@dataclass(frozen=True)
class Choice(Kind):
    options: tuple[str, ...]

    def _read(self, words: Words, asker: Asker) -> Words:
        if words[0] not in self.options:
            raise unknown_word(words[0])
        return (words[0],)


@dataclass(frozen=True)
class Choices(Kind):
    """Some of these, printed in their own order."""

    options: tuple[str, ...]
    many = True

    def _read(self, words: Words, asker: Asker) -> Words:
        for word in words:
            if word not in self.options:
                raise unknown_word(word)
        return tuple(option for option in self.options if option in words)


@dataclass(frozen=True)
class Texts(Text):
    """A list of names of tables that are not known here; nobody looks whether they exist."""

    many = True

    def _read(self, words: Words, asker: Asker) -> Words:
        return tuple(dict.fromkeys(word for at in words for word in super(Texts, self)._read((at,), asker)))


@dataclass(frozen=True)
class Number(Kind):
    low: int
    high: int
    unset = True

    def _read(self, words: Words, asker: Asker) -> Words:
        word = words[0]
        if not (word.isascii() and word.isdigit() and self.low <= int(word) <= self.high):
            raise bad_number(word)
        return (str(int(word)),)


def ip4(word: str) -> IPv4Address:
    try:
        return IPv4Address(word)
    except ValueError:
        raise bad_address(word) from None


class Ip4(Kind):
    empty = "0.0.0.0"  # noqa: S104  # how an address that is not set is printed

    def _read(self, words: Words, asker: Asker) -> Words:
        return (str(ip4(words[0])),)


class Subnet(Kind):
    """``A.B.C.D/L`` or address and mask, printed as the latter."""

    count = 2
    strict = True

    def _read(self, words: Words, asker: Asker) -> Words:
        address, mask = _halves(words)
        network = _network(address, mask, words)
        if self.strict and ip4(address) != network.network_address:
            return _with_host_bits(address, network, asker.switches.host_bits)
        return address, str(network.netmask)


class Interface4(Subnet):
    """The address of an interface: host bits belong there."""

    strict = False


def _halves(words: Words) -> tuple[str, str]:
    if len(words) == 2:
        return words[0], words[1]
    address, slash, length = words[0].partition("/")
    if not slash:
        ip4(address)
        raise incomplete()
    return address, length


def _network(address: str, mask: str, words: Words) -> IPv4Network:
    ip4(address)
    try:
        network = IPv4Network(f"{address}/{mask}", strict=False)
    except ValueError:
        raise bad_address(words[-1]) from None
    if "." in mask and str(network.netmask) != mask:  # a wildcard mask would be read as its inverse
        raise bad_address(words[-1])
    return network


def _with_host_bits(address: str, network: IPv4Network, kept: HostBits) -> Words:
    if kept is HostBits.REFUSED:
        raise bad_address(address)
    first = address if kept is HostBits.KEPT else str(network.network_address)
    return first, str(network.netmask)


class Wildcard(Kind):
    count = 2

    def _read(self, words: Words, asker: Asker) -> Words:
        if len(words) < 2:
            raise incomplete()
        return str(ip4(words[0])), str(ip4(words[1]))


class Ip6(Kind):
    empty = "::"

    def _read(self, words: Words, asker: Asker) -> Words:
        try:
            return (str(IPv6Address(words[0])),)
        except ValueError:
            raise bad_address(words[0]) from None


class Prefix6(Kind):
    def _read(self, words: Words, asker: Asker) -> Words:
        if "/" not in words[0] or "%" in words[0]:
            raise bad_address(words[0])
        try:
            value = IPv6Interface(words[0])
        except ValueError:
            raise bad_address(words[0]) from None
        if value.ip != value.network.network_address:
            return self._with_host_bits(value, words[0], asker.switches.host_bits)
        return (str(value),)

    @staticmethod
    def _with_host_bits(value: IPv6Interface, word: str, kept: HostBits) -> Words:
        if kept is HostBits.REFUSED:
            raise bad_address(word)
        return (str(value) if kept is HostBits.KEPT else str(value.network),)


class Fqdn(Kind):
    quotes = True

    def _read(self, words: Words, asker: Asker) -> Words:
        if len(words[0]) > 255:
            raise too_long(words[0], 255)
        if not FQDN.fullmatch(words[0]):
            raise bad_fqdn(words[0])
        return (words[0],)


class Uuid(Kind):
    def _read(self, words: Words, asker: Asker) -> Words:
        if not _UUID.fullmatch(words[0]):
            raise bad_value(-651, words[0])
        return (words[0],)


class Time(Kind):
    def _read(self, words: Words, asker: Asker) -> Words:
        return (_clock(words[0]),)


class Moment(Kind):
    """``HH:MM YYYY/MM/DD``."""

    count = 2

    def _read(self, words: Words, asker: Asker) -> Words:
        if len(words) < 2:
            raise incomplete()
        try:
            day = datetime.strptime(words[1], "%Y/%m/%d")  # noqa: DTZ007  # a day on the box's own wall
        except ValueError:
            raise bad_value(-651, words[1]) from None
        return _clock(words[0]), day.strftime("%Y/%m/%d")


def _clock(word: str) -> str:
    try:
        return datetime.strptime(word, "%H:%M").strftime("%H:%M")  # noqa: DTZ007  # a time on the box's own wall
    except ValueError:
        raise bad_value(-651, word) from None


class Ports(Kind):
    """``443``, ``1-65535``, ``443:1024-65535``; a list."""

    many = True

    def _read(self, words: Words, asker: Asker) -> Words:
        for word in words:
            for part in word.split(":", 1):
                self._range(part, word)
        return tuple(dict.fromkeys(words))

    @staticmethod
    def _range(part: str, word: str) -> None:
        low, dash, high = part.partition("-")
        numbers = (low, high) if dash else (low,)
        if not all(n.isascii() and n.isdigit() and int(n) <= 65_535 for n in numbers):
            raise bad_ports(word)
        if dash and int(low) > int(high):
            raise bad_ports(word)


@dataclass(frozen=True)
class Ref(Kind):
    """Names of entries of these tables."""

    tables: tuple[str, ...]
    limit: int = 79
    quotes = True

    def _read(self, words: Words, asker: Asker) -> Words:
        for word in words:
            if len(word) > self.limit:
                raise too_long(word, self.limit)
            if not asker.found(self.tables, word):
                raise no_such(word)
        return tuple(dict.fromkeys(words))


@dataclass(frozen=True)
class Refs(Ref):
    many = True


@dataclass(frozen=True)
class RefOrAny(Refs):
    """Interfaces and zones, or ``any`` alone."""

    def _read(self, words: Words, asker: Asker) -> Words:
        if "any" in words and len(set(words)) > 1:
            raise bad_value(-651, "any")  # likely
        return ("any",) if "any" in words else super()._read(words, asker)
