"""What a QUIC client says in its first packets: their keys follow from the packet itself, so anybody can read them.

Source: RFC 9001 5.2 (version 1), RFC 9369 3.3 (version 2), and the drafts' salts. Google's own QUIC (Q043 …) is not
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_V1: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_V2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
_DRAFT_29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_DRAFT_23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_VERSION_2: Final = 0x6B3343CF
_SALTS: Final = (
    {1: _V1, _VERSION_2: _V2}
    | {0xFF000000 + draft: _DRAFT_23 for draft in range(23, 29)}
    | {0xFF000000 + draft: _DRAFT_29 for draft in range(29, 33)}
    | {0xFF000000 + draft: _V1 for draft in (33, 34)}
)
_LONGEST_ID: Final = 20


@dataclass(frozen=True, slots=True)
class Keys:
    """Of a client's Initial packets."""

    key: bytes
    iv: bytes
    mask: bytes  # the key of header protection


@dataclass(frozen=True, slots=True)
class Initial:
    """A client's Initial packet, still closed."""

    version: int
    destination: bytes  # connection id
    number_at: int  # where the protected packet number begins
    end: int


def found(datagram: bytes) -> Initial | None:
    """The Initial packet that a datagram begins with; None: it begins with none we know. Raises ``ValueError``."""
    if len(datagram) < 7 or datagram[0] & 0xC0 != 0xC0:
        return None
    version = int.from_bytes(datagram[1:5], "big")
    if version not in _SALTS or (datagram[0] & 0x30) >> 4 != (1 if version == _VERSION_2 else 0):
        return None
    at = 5
    ids = []
    for _ in range(2):
        size = datagram[at] if at < len(datagram) else 0
        if size > _LONGEST_ID:
            raise ValueError("a connection id that is too long")
        ids.append(datagram[at + 1 : at + 1 + size])
        at += 1 + size
    size, at = _number(datagram, at)
    size, at = _number(datagram, at + size)
    if at + size > len(datagram) or size < 20:
        raise ValueError("an Initial packet that is cut off")
    return Initial(version, ids[0], at, at + size)


def keys_of(initial: Initial) -> Keys:
    """They follow from the connection id of the client's first packet."""
    extract = HMAC(_SALTS[initial.version], SHA256())
    extract.update(initial.destination)
    secret = _expand(extract.finalize(), b"client in", 32)
    word = b"quicv2 " if initial.version == _VERSION_2 else b"quic "
    return Keys(
        _expand(secret, word + b"key", 16), _expand(secret, word + b"iv", 12), _expand(secret, word + b"hp", 16)
    )


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


def crypto(datagram: bytes, initial: Initial, keys: Keys) -> list[tuple[int, bytes]]:
    """The pieces of the handshake in it, each with its place. Raises ``ValueError`` when the keys are others."""
    at = initial.number_at
    sample = datagram[at + 4 : at + 20]
    encryptor = Cipher(algorithms.AES(keys.mask), modes.ECB()).encryptor()  # noqa: S305  one block, as RFC 9001 5.4.3 says
    mask = encryptor.update(sample)
    first = datagram[0] ^ (mask[0] & 0x0F)
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(datagram[at : at + size], mask[1 : 1 + size], strict=True))
    header = bytes([first]) + datagram[1:at] + number
    nonce = (int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    try:
        plain = AESGCM(keys.key).decrypt(nonce, datagram[at + size : initial.end], header)
    except InvalidTag as exc:
        raise ValueError("an Initial packet under other keys") from exc
    return list(_pieces(plain))


def _pieces(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Of CRYPTO frames; other frames of an Initial packet are passed over."""
    at = 0
    while at < len(plain):
        kind = plain[at]
        at += 1
        if kind in (0, 1):  # padding, a ping
            continue
        if kind in (2, 3):
            at = _after_ack(plain, at, kind)
        elif kind == 6:
            offset, at = _number(plain, at)
            size, at = _number(plain, at)
            if at + size > len(plain):
                raise ValueError("a frame that is cut off")
            yield offset, plain[at : at + size]
            at += size
        else:
            return  # it is being closed


def _after_ack(plain: bytes, at: int, kind: int) -> int:
    for _ in range(2):
        _, at = _number(plain, at)
    ranges, at = _number(plain, at)
    for _ in range(2 * min(ranges, len(plain)) + 1 + (3 if kind == 3 else 0)):
        _, at = _number(plain, at)
    return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends (RFC 9000 16)."""
    if at >= len(data):
        raise ValueError("a number that is cut off")
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise ValueError("a number that is cut off")
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size
