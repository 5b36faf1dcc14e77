"""What ``tokgate device doctor`` says of a login itself, whatever the vendor. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vendors.adapter import Finding
from vendors.model import Reading

LEAST_RSA_BITS: Final = 2048
"""NIST SP 800-57 part 1: RSA below it has less than 112 bits of strength."""
_WEAK_PARTS: Final = ("sha1", "md5", "cbc", "3des", "arcfour")
"""Of names of algorithms; RFC 9142 says the same of every key exchange that ends in ``sha1``."""
_WEAK_NAMES: Final = frozenset({"ssh-rsa", "ssh-dss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFacts:
    """What both sides agreed on. ``mac`` is empty where the cipher authenticates by itself."""

    key: str  # "ssh-ed25519", the type of the key that the device showed, which is one of the pinned ones
    fingerprint: str  # "SHA256:…"
    bits: int
    pinned: int  # how many keys the inventory pins
    exchange: str
    signature: str  # what the host key signed with
    cipher: str
    mac: str
    method: str  # "password" or "publickey"
    software: str  # how the server calls itself
    legacy: tuple[str, ...]  # weak algorithms that the inventory lets in


def told_last(reading: Reading) -> str:
    """When a rule of ours was last met, behind what was counted; empty where no device tells."""
    return f", the last at {reading.last_hit:%Y-%m-%d %H:%M} UTC" if reading.last_hit else ""


def login_findings(facts: LoginFacts) -> Iterator[Finding]:
    """The host key, the algorithms and the login. Weak is not well unless the inventory names it."""
    short = facts.key == "ssh-rsa" and facts.bits < LEAST_RSA_BITS
    yield Finding(
        check="host key",
        ok=not short and facts.key != "ssh-dss",
        message=f"{facts.key} {facts.bits} bits {facts.fingerprint}, pinned ({facts.pinned} in the inventory)"
        + (f"; weak: {LEAST_RSA_BITS} bits are the least, make a new key and pin it" if short else ""),
    )
    yield _algorithms(facts)
    how = "a key" if facts.method == "publickey" else f"a {facts.method}"
    yield Finding(check="login", ok=True, message=f"logged in with {how}; the server is {facts.software}")


def _algorithms(facts: LoginFacts) -> Finding:
    agreed = {"kex": facts.exchange, "host key": facts.signature, "cipher": facts.cipher, "mac": facts.mac}
    told = ", ".join(f"{what} {name}" for what, name in agreed.items() if name)
    weak = [name for name in agreed.values() if is_weak(name)]
    unasked = [name for name in weak if name not in facts.legacy]
    unused = [name for name in facts.legacy if name not in weak]
    if weak:
        told += f"; weak: {', '.join(weak)}" + ("" if unasked else ", let in by legacy_algorithms")
    if unused:
        told += f"; legacy_algorithms lets in {', '.join(unused)}, which this login did not need"
    return Finding(check="algorithms", ok=not unasked, message=told)


def is_weak(algorithm: str) -> bool:
    """Whether an algorithm of SSH is one that is not offered unless the inventory names it, or should not be."""
    return algorithm in _WEAK_NAMES or any(part in algorithm for part in _WEAK_PARTS)
