"""A TLS ClientHello: the name it asks for, and its fingerprints JA3 and JA4. Pure.

Source: RFC 8446 4.1.2, RFC 6066 3 (SNI), RFC 8701 (GREASE); JA3 by its authors' description; JA4 (the client's alone,
which is BSD-3-Clause) by FoxIO's technical details. Behind Encrypted Client Hello the name is the front's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from controller.evidence.formats import fields

MOST: Final = 1 << 15
"""Bytes of a ClientHello that are waited for; those with post-quantum keys take two thousand."""
_SNI, _GROUPS, _FORMATS, _ALGORITHMS, _ALPN, _VERSIONS = 0, 10, 11, 13, 16, 43
_VERSION: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a client says of itself. ``name``: a host name, or empty."""

    name: str
    ja3: str
    ja4: str


class _Bytes:
    """Bytes that are taken from the front. Raises ``ValueError`` when there are fewer."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ValueError("a ClientHello that is cut off")
        self._at, start = end, self._at
        return self._data[start:end]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What a length of ``size`` bytes says."""
        return self.take(self.number(size))

    def __bool__(self) -> bool:
        return self._at < len(self._data)


def whole_hello(handshake: bytes) -> bytes | None:
    """The body of the ClientHello that a handshake begins with; None: there is more to come.

    Raises ``ValueError`` when it begins with something else.
    """
    if not handshake:
        return None
    if handshake[0] != 1:
        raise ValueError("a handshake that begins with no ClientHello")
    if len(handshake) < 4:
        return None
    size = int.from_bytes(handshake[1:4], "big")
    if size > MOST:
        raise ValueError("a ClientHello that is too long")
    return handshake[4 : 4 + size] if len(handshake) >= 4 + size else None


def parse(body: bytes, *, over_quic: bool = False) -> Hello:
    """Raises ``ValueError``."""
    data = _Bytes(body)
    version = data.number(2)
    data.take(32)
    data.vector(1)
    ciphers = [one for one in _numbers(data.vector(2)) if not _is_grease(one)]
    data.vector(1)
    extensions = dict(_extensions(data.vector(2))) if data else {}
    shown = [kind for kind in extensions if not _is_grease(kind)]
    name = _name(extensions.get(_SNI))
    return Hello(
        name=fields.name(name),
        ja3=_ja3(version, ciphers, shown, extensions),
        ja4=_ja4(version, ciphers, shown, extensions, over_quic=over_quic),
    )


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    rest = _Bytes(data)
    while rest:
        yield rest.number(2), rest.vector(2)


def _numbers(data: bytes) -> list[int]:
    """16 bits each."""
    if len(data) % 2:
        raise ValueError("half a number")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def _is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _name(data: bytes | None) -> str:
    if not data:
        return ""
    names = _Bytes(_Bytes(data).vector(2))
    while names:
        kind, name = names.number(1), names.vector(2)
        if kind == 0:
            return name.decode("ascii", "replace")
    return ""


def _listed(data: bytes | None, *, size: int = 2) -> list[int]:
    """The numbers of an extension that holds one vector of them, without GREASE."""
    return [one for one in _numbers(_Bytes(data).vector(size)) if not _is_grease(one)] if data else []


def _ja3(version: int, ciphers: Iterable[int], shown: Iterable[int], extensions: dict[int, bytes]) -> str:
    formats = extensions.get(_FORMATS)
    parts: tuple[Iterable[int], ...] = (
        (version,),
        ciphers,
        shown,
        _listed(extensions.get(_GROUPS)),
        _Bytes(formats).vector(1) if formats else (),
    )
    text = ",".join("-".join(str(number) for number in part) for part in parts)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _ja4(version: int, ciphers: list[int], shown: list[int], extensions: dict[int, bytes], *, over_quic: bool) -> str:
    versions = _listed(extensions.get(_VERSIONS), size=1)
    spoken = _VERSION.get(max(versions, default=version), "00")
    first = f"{'q' if over_quic else 't'}{spoken}{'d' if _SNI in extensions else 'i'}"
    first += f"{min(len(ciphers), 99):02}{min(len(shown), 99):02}{_alpn(extensions.get(_ALPN))}"
    kinds = _hex(sorted(kind for kind in shown if kind not in (_SNI, _ALPN)))
    algorithms = _hex(_listed(extensions.get(_ALGORITHMS)))
    return "_".join((first, _short(_hex(sorted(ciphers))), _short(f"{kinds}_{algorithms}" if algorithms else kinds)))


def _alpn(data: bytes | None) -> str:
    """First and last character of the first protocol."""
    values = _Bytes(_Bytes(data).vector(2)) if data else _Bytes(b"")
    value = values.vector(1) if values else b""
    if not value:
        return "00"
    ends = (value[0], value[-1])
    if all(end < 128 and chr(end).isalnum() for end in ends):
        return "".join(map(chr, ends))
    return f"{value[0]:02x}"[0] + f"{value[-1]:02x}"[1]


def _hex(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
