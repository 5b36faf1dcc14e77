"""Keys and detached signatures in the form of minisign (https://jedisct1.github.io/minisign/). Pure, but for new keys.

Used for bundles; whoever gets one may check it with the well-known tool instead of ours. Only prehashed signatures
(``ED``: Ed25519 over BLAKE2b-512) are written and taken, and only private keys without a password: where a key is kept
is the business of ``core.secret``. Nothing here ever shows a private key, in no message and no ``repr``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ipsets.errors import BundleUnreadable, BundleUntrusted, KeyUnusable

_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
_KEY: Final = b"Ed"
_PREHASHED: Final = b"ED"
_LEGACY: Final = b"Ed"
_NO_PASSWORD: Final = bytes(2)
_CHECK: Final = b"B2"
_KDF: Final = bytes(32 + 8 + 8)  # salt, operations and memory of the password's derivation: none
_UNCHECKED: Final = bytes(32)  # what `minisign -G -W` writes in place of a checksum
_ID: Final = 8  # bytes
_PUBLIC_BYTES: Final = 2 + _ID + 32
_SECRET_BYTES: Final = 2 + 2 + 2 + 48 + _ID + 64 + 32
_SIGNATURE_BYTES: Final = 2 + _ID + 64
MAX_SIGNATURE_BYTES: Final = 4096
"""Of a ``.minisig`` file; real ones have about 300."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """Whose signatures are taken."""

    raw_id: bytes
    raw: bytes

    @property
    def id(self) -> str:
        """As minisign shows it: 16 hexadecimal digits, the last byte first."""
        return _show_id(self.raw_id)

    def __str__(self) -> str:
        """One line of base64, as ``minisign -P`` and ``--public-key`` take it."""
        return _encode(_KEY + self.raw_id + self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, and the public one that belongs to it."""

    public: PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    def text(self) -> str:
        """The whole file: a secret, to be written with mode 0600 and shown to nobody."""
        seed = self.private.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        pair = seed + self.public.raw
        body = _KEY + _NO_PASSWORD + _CHECK + _KDF + self.public.raw_id + pair + _checksum(self.public.raw_id, pair)
        return f"{_UNTRUSTED}tokgate secret key {self.public.id}\n{_encode(body)}\n"


def new_key() -> SigningKey:
    """A fresh pair, from the system's random numbers."""
    return _pair(Ed25519PrivateKey.generate(), raw_id=os.urandom(_ID))


def read_signing_key(text: str) -> SigningKey:
    """From the text of a key file, or its second line alone. Raises ``KeyUnusable``, which repeats nothing of it."""
    body = _decode_key(text, "private key")
    if len(body) != _SECRET_BYTES or body[:2] != _KEY or body[4:6] != _CHECK:
        raise KeyUnusable("the private key is none of minisign's form", hint="`tokgate intel keygen FILE` makes one")
    if body[2:4] != _NO_PASSWORD:
        raise KeyUnusable(
            "the private key is locked with a password", hint="use one of `tokgate intel keygen` or `minisign -G -W`"
        )
    raw_id, pair, checksum = body[54:62], body[62:126], body[126:]
    key = _pair(Ed25519PrivateKey.from_private_bytes(pair[:32]), raw_id=raw_id)
    if checksum not in (_checksum(raw_id, pair), _UNCHECKED) or key.public.raw != pair[32:]:
        raise KeyUnusable("the private key is damaged: its checksum does not match", hint="take it from its backup")
    return key


def read_public_key(text: str) -> PublicKey:
    """From the text of a ``.pub`` file, or its second line alone. Raises ``KeyUnusable``."""
    body = _decode_key(text, "public key")
    if len(body) != _PUBLIC_BYTES or body[:2] != _KEY:
        raise KeyUnusable(
            "the public key is none of minisign's form",
            hint="give the line beginning with RW that was printed when the key was made",
        )
    return PublicKey(raw_id=body[2:10], raw=body[10:])


def sign(data: bytes, key: SigningKey, *, comment: str) -> str:
    """The text of the ``.minisig`` file. ``comment``, one line, is signed too. The same input gives the same bytes."""
    if not comment.isprintable():
        raise ValueError("a trusted comment is one line")
    signature = key.private.sign(_prehash(data))
    whole = key.private.sign(signature + comment.encode())
    head = f"{_UNTRUSTED}signature of tokgate, key {key.public.id}"
    body = _encode(_PREHASHED + key.public.raw_id + signature)
    return f"{head}\n{body}\n{_TRUSTED}{comment}\n{_encode(whole)}\n"


def verify(data: bytes, signature: str, key: PublicKey) -> str:
    """The trusted comment, when ``key`` signed exactly this ``data`` and this comment.

    Raises ``BundleUnreadable``: the signature is none; ``BundleUntrusted``: it is another's, or of other content.
    """
    lines = signature.removesuffix("\n").split("\n")
    if len(lines) != 4 or not lines[0].startswith(_UNTRUSTED) or not lines[2].startswith(_TRUSTED):
        raise _no_signature("it is cut off, or of another form")
    body, whole, comment = _decode(lines[1]), _decode(lines[3]), lines[2].removeprefix(_TRUSTED)
    if len(body) != _SIGNATURE_BYTES or len(whole) != 64:
        raise _no_signature("it is cut off, or of another form")
    if body[:2] != _PREHASHED:
        legacy = " (minisign's legacy form)" if body[:2] == _LEGACY else ""
        raise _no_signature(f"its algorithm is {body[:2]!r}{legacy}, not 'ED'")
    if body[2:10] != key.raw_id:
        raise BundleUntrusted(
            f"signed with key {_show_id(body[2:10])}, not with {key.id}",
            hint="nothing was imported; ask where the bundle comes from, and whether the key was changed",
        )
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    try:
        public.verify(body[10:], _prehash(data))
        public.verify(whole, body[10:] + comment.encode())
    except InvalidSignature as exc:
        raise BundleUntrusted(
            f"the signature of key {key.id} does not match: the bundle or its signature was changed",
            hint="nothing was imported; copy both files again, and ask who had them in between",
        ) from exc
    return comment


def key_id_of(signature: str) -> str:
    """Whose signature it claims to be, as ``PublicKey.id`` shows it; nothing is proven. Raises ``BundleUnreadable``."""
    lines = signature.split("\n")
    body = _decode(lines[1]) if len(lines) > 1 else b""
    if len(body) != _SIGNATURE_BYTES:
        raise _no_signature("it is cut off, or of another form")
    return _show_id(body[2:10])


def _pair(private: Ed25519PrivateKey, *, raw_id: bytes) -> SigningKey:
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(public=PublicKey(raw_id=raw_id, raw=raw), private=private)


def _prehash(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()


def _checksum(raw_id: bytes, pair: bytes) -> bytes:
    return hashlib.blake2b(_KEY + raw_id + pair, digest_size=32).digest()


def _show_id(raw_id: bytes) -> str:
    return f"{int.from_bytes(raw_id, 'little'):016X}"


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode_key(text: str, what: str) -> bytes:
    lines = text.strip().split("\n")
    line = lines[1] if len(lines) == 2 and lines[0].startswith(_UNTRUSTED) else lines[0] if len(lines) == 1 else ""
    try:
        return base64.b64decode(line.strip(), validate=True)
    except ValueError:
        # Without the cause: it could repeat a part of the key.
        raise KeyUnusable(
            f"the {what} is none of minisign's form", hint="give the file's two lines, or the second one"
        ) from None


def _decode(line: str) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise _no_signature("it is no base64") from exc
    if _encode(raw) != line:  # bits that decoding ignores: one signature has one spelling
        raise _no_signature("it is no canonical base64")
    return raw


def _no_signature(why: str) -> BundleUnreadable:
    return BundleUnreadable(f"the signature cannot be used: {why}", hint="copy the .minisig file again")
