"""Who asks when a proxy stands in front: the address that a proxy of ours put into ``X-Forwarded-For``, and no other.

The outermost middleware. It puts the address where everything else looks for it (``request.client``), so that the brake
on guesses, the addresses that lists are served to, sessions, and the audit log need not know of proxies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.feeds import address_of
from core.net import Network

HEADER: Final = "X-Forwarded-For"
MOST: Final = 20
"""Proxies in a row; what is said behind them is not looked at."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """The middleware. ``app`` is what it wraps, ``trusted`` the networks of our proxies."""

    app: ASGIApp
    trusted: tuple[Network, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.trusted and scope.get("client"):
            said = ",".join(Headers(scope=scope).getlist(HEADER))
            peer, port = scope["client"]
            found = client_of(peer, said.split(","), self.trusted)
            scope["client"] = (found, port if found == peer else 0)
        await self.app(scope, receive, send)


def client_of(peer: str, said: Sequence[str], trusted: Iterable[Network]) -> str:
    """The last address, from us on, that is not one of our proxies': whoever is beyond it may say what they like.

    What is no address ends the walk: the proxy that passed it on is then who asks.
    """
    networks, found = tuple(trusted), peer
    for word in reversed(said[-MOST:]):
        if not _is_in(found, networks) or address_of(_bare(word)) is None:
            return found
        found = str(address_of(_bare(word)))
    return found


def _is_in(text: str, networks: Iterable[Network]) -> bool:
    address = address_of(text)
    return address is not None and any(address.version == n.version and address in n for n in networks)


def _bare(word: str) -> str:
    """Without brackets and port, which some proxies add."""
    text = word.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
