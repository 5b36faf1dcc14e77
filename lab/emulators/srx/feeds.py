"""Feeds of `security dynamic-address`: fetched from their servers by the clock, without a commit.

Forms from cs-blocklist-mirror (one prefix a line) and a vSRX 24.4 configuration (a `.tgz` bundle of several).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.net import Address, Network, parse_network
from lab.emulators.srx.tree import Node

UPDATE: Final = 300
HOLD: Final = 86_400
"""Defaults of `update-interval` and `hold-interval`, in seconds (Juniper/yang)."""


@dataclass(slots=True, kw_only=True)
class Feed:
    """One feed as loaded: its lines, what they cover, when it was tried and when it last worked."""

    server: Node
    node: Node
    tried: float | None = None
    loaded: float | None = None
    lines: int = 0
    networks: frozenset[Network] = frozenset()

    @property
    def base(self) -> str:
        host = self.server.leaf("hostname")
        return self.server.leaf("url") or (f"http://{host}" if host else "")

    @property
    def path(self) -> str:
        return self.node.leaf("path", f"/{self.node.value}")

    @property
    def url(self) -> str:
        return self.base if self.bundled else f"{self.base.rstrip('/')}/{self.path.lstrip('/')}"

    @property
    def bundled(self) -> bool:
        return self.base.endswith((".tgz", ".tar.gz"))

    def seconds(self, name: str, default: int) -> int:
        """Its own interval, or its server's."""
        return int(self.node.leaf(name) or self.server.leaf(name) or default)

    def poll(self, now: float, fetch: Callable[[str, str], bytes]) -> None:
        """Fetch it if it is time. What was loaded stays for the hold interval when the server is gone."""
        if self.tried is not None and now - self.tried < self.seconds("update-interval", UPDATE):
            return
        self.tried = now
        try:
            self._load(fetch(self.url, self.server.leaf("tls-profile")))
            self.loaded = now
        except (OSError, tarfile.TarError, KeyError):
            if self.loaded is not None and now - self.loaded >= self.seconds("hold-interval", HOLD):
                self.networks, self.lines, self.loaded = frozenset(), 0, None

    def _load(self, body: bytes) -> None:
        data = _member(body, self.path) if self.bundled else body
        lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        self.lines = len(lines)
        self.networks = frozenset(network for line in lines if (network := _network(line)) is not None)

    def family(self, version: int) -> list[Network]:
        return sorted((each for each in self.networks if each.version == version), key=lambda n: int(n.network_address))


def _member(bundle: bytes, path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:gz") as archive:
        found = archive.extractfile(path.lstrip("/"))
        if found is None:
            raise KeyError(path)
        return found.read()


def _network(line: str) -> Network | None:
    try:
        return parse_network(line)
    except ValueError:
        return None


class Feeds:
    """All feeds of one box."""

    def __init__(self) -> None:
        self._feeds: dict[tuple[str, str], Feed] = {}

    def adopt(self, root: Node) -> None:
        """Take over what is configured; what goes on under its name keeps what it has."""
        dynamic = root.at("security", "dynamic-address")
        servers = () if dynamic is None else dynamic.all("feed-server")
        kept: dict[tuple[str, str], Feed] = {}
        for server in servers:
            for node in server.all("feed-name"):
                key = (server.value, node.value)
                old = self._feeds.get(key)
                made = Feed(server=server, node=node)
                if old is not None and old.url == made.url and old.path == made.path:
                    old.server, old.node = server, node
                    made = old
                kept[key] = made
        self._feeds = kept

    def poll(self, now: float, fetch: Callable[[str, str], bytes]) -> None:
        for feed in self._feeds.values():
            feed.poll(now, fetch)

    def again(self) -> None:
        """All are due at once."""
        for feed in self._feeds.values():
            feed.tried = None

    def all(self) -> list[Feed]:
        return list(self._feeds.values())

    def of(self, name: str) -> list[Feed]:
        return [feed for (_, feed_name), feed in self._feeds.items() if feed_name == name]

    def covers(self, address_name: Node, address: Address) -> bool:
        profile = address_name.at("profile")
        feeds = [] if profile is None else self.of(profile.leaf("feed-name"))
        return any(address.version == n.version and address in n for feed in feeds for n in feed.networks)
