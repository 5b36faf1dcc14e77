"""A flow that goes one way, as NetFlow, IPFIX and sFlow tell it. Pure."""

from __future__ import annotations

from datetime import datetime

from controller.evidence.lines import protocol
from controller.evidence.model import Channel, Sighting, Verdict
from core.net import Address


def one_way(
    sensor: str,
    *,
    at: datetime,
    ends: tuple[tuple[Address, int | None], tuple[Address, int | None]],
    kind: int | None,
    packets: int | None,
    octets: int | None,
    verdict: Verdict = Verdict.UNKNOWN,
    user: str = "",
    application: str = "",
) -> Sighting:
    """A flow goes one way. What comes from a port below 1024 to one above is a server's answer."""
    (source, source_port), (destination, port) = ends
    is_answer = source_port is not None and port is not None and source_port < 1024 <= port
    if is_answer:
        (source, source_port), (destination, port) = (destination, port), (source, source_port)
    return Sighting(
        channel=Channel.FLOW,
        at=at,
        sensor=sensor,
        source=source,
        source_port=source_port,
        destination=destination,
        port=port,
        protocol="" if kind is None else protocol(str(kind)),
        verdict=verdict,
        answered=True if is_answer and verdict is not Verdict.BLOCKED else None,
        user=user,
        application=application,
        packets=packets,
        octets=octets,
    )


__all__ = ["one_way"]
