"""What is said of a login: the key's strength, weak algorithms, and whether the inventory lets them in."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from vendors.adapter import Finding
from vendors.checkup import LoginFacts, is_weak, login_findings

GOOD: Final = LoginFacts(
    key="ssh-ed25519",
    fingerprint="SHA256:abc",
    bits=256,
    pinned=2,
    exchange="curve25519-sha256@libssh.org",
    signature="ssh-ed25519",
    cipher="aes128-ctr",
    mac="hmac-sha2-256",
    method="password",
    software="SSH-2.0-x",
    legacy=(),
)


def found(facts: LoginFacts) -> dict[str, Finding]:
    return {finding.check: finding for finding in login_findings(facts)}


def test_a_good_login() -> None:
    told = found(GOOD)
    assert all(finding.ok for finding in told.values())
    assert told["host key"].message == "ssh-ed25519 256 bits SHA256:abc, pinned (2 in the inventory)"
    assert told["login"].message == "logged in with a password; the server is SSH-2.0-x"


@pytest.mark.parametrize(("bits", "ok"), [(1024, False), (2047, False), (2048, True), (4096, True)])
def test_a_short_rsa_key_is_not_well(bits: int, ok: bool) -> None:
    key = found(replace(GOOD, key="ssh-rsa", bits=bits, signature="rsa-sha2-512"))["host key"]
    assert key.ok is ok
    assert ("weak" in key.message) is not ok


def test_weak_algorithms_are_named_and_well_only_where_the_inventory_lets_them_in() -> None:
    weak = replace(GOOD, cipher="aes256-cbc", mac="hmac-sha1")
    assert not found(weak)["algorithms"].ok
    assert "weak: aes256-cbc, hmac-sha1" in found(weak)["algorithms"].message
    assert not found(replace(weak, legacy=("aes256-cbc",)))["algorithms"].ok
    allowed = found(replace(weak, legacy=("aes256-cbc", "hmac-sha1")))["algorithms"]
    assert allowed.ok
    assert "weak: aes256-cbc, hmac-sha1, let in by legacy_algorithms" in allowed.message


def test_a_switch_that_nobody_needs_any_more_is_told() -> None:
    told = found(replace(GOOD, legacy=("aes256-cbc",)))["algorithms"]
    assert told.ok
    assert "lets in aes256-cbc, which this login did not need" in told.message


def test_names_of_algorithms() -> None:
    assert all(map(is_weak, ("ssh-rsa", "diffie-hellman-group14-sha1", "3des-cbc", "hmac-md5-96", "arcfour")))
    assert not any(map(is_weak, ("rsa-sha2-256", "aes256-gcm@openssh.com", "hmac-sha2-512", "ssh-ed25519")))
