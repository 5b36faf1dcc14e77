"""Simulated traffic: one flow at a time, as a firewall sees it. It is judged by the configured rules, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.net import Address


class Verdict(StrEnum):
    PERMIT = "permit"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One connection attempt. ``inside`` and ``outside``: the interfaces or zones it comes from and goes to.

    ``host``: the name that a web client asks for, in its request or its TLS greeting; empty where none is in the clear.
    """

    source: Address
    destination: Address
    protocol: str = "tcp"
    port: int = 443
    source_port: int = 50_000
    inside: str = "inside"
    outside: str = "outside"
    packets: int = 1
    octets: int = 60
    host: str = ""


Names = Mapping[str, tuple[Address, ...]]
"""What names resolve to now, for devices that look names up themselves."""
