"""Route objects of the Internet Routing Registries, asked over TCP in the short form of IRRd (`!g`, `!6`, `!i`).

Source: irrd.readthedocs.io, "Whois queries". An answer is `A<octets>`, the content with its newline, and `C`; or `C`
(nothing found), `D` (no such key), `F` with a text. The connection is neither encrypted nor signed, and what is
registered is not always used: what comes from here confirms other sources and enforces nothing (``corroboration``).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.net import Network, parse_network
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Indicator
from ipsets.sources.corroboration import corroboration
from ipsets.sources.http import KEPT, USER_AGENT, backoff
from ipsets.sources.source import Fetched, LastGood

KIND: Final = "irr"
DEFAULT_HOST: Final = "rr.ntt.net"
MAX_LINE: Final = 1024
MAX_SETS: Final = 256
MAX_ASNS: Final = 256
MAX_PREFIXES: Final = 50_000
AS_SET: Final = re.compile(r"(?:AS[0-9]{1,10}:)*AS-[A-Z0-9_-]{1,60}(?::AS(?:-[A-Z0-9_-]{1,60}|[0-9]{1,10}))*")
_NUMBER: Final = re.compile(r"AS([0-9]{1,10})")
_HEAD: Final = re.compile(r"A([0-9]{1,10})")


@dataclass(frozen=True, slots=True, kw_only=True)
class IrrSource:
    """The route objects of some networks, and of the members of some AS sets. One failed question fails the source."""

    name: str = KIND
    kind: str = KIND
    max_shrink: float = 0.5
    host: str = DEFAULT_HOST
    port: int = 43
    registries: tuple[str, ...] = ()  # of the server, in order of preference; all it has when empty
    as_sets: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    max_depth: int = 8
    timeout_seconds: float = 20.0
    total_seconds: float = 120.0
    max_bytes: int = 4 * 1024 * 1024  # of one answer
    attempts: int = 3  # each begins anew, on a connection of its own; all of them within ``total_seconds``
    sleep: Callable[[float], None] = time.sleep

    def fetch(self, now: datetime, last: LastGood | None = None) -> Fetched:
        end = time.monotonic() + self.total_seconds
        for attempt in range(1, self.attempts + 1):
            try:
                return self._once(now, end)
            except SourceError as exc:
                wait = backoff(attempt)
                if attempt == self.attempts or not _may_pass(exc) or time.monotonic() + wait >= end:
                    raise
            self.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, now: datetime, end: float) -> Fetched:
        with self._connected(end) as irr:
            members = expand(self.as_sets, irr.members, max_depth=self.max_depth)
            networks = {**dict.fromkeys(self.asns, ""), **members}
            found: list[Indicator] = []
            for asn, via in networks.items():
                found += _indicators(asn, via, irr.prefixes(asn), now)
                if len(found) > MAX_PREFIXES:  # before the next is asked for: all of them might be as large
                    raise SourceImplausible(f"{irr.place}: more than {MAX_PREFIXES} prefixes until AS{asn}", hint=KEPT)
        if not found:
            raise SourceImplausible(f"{irr.place}: no route object for any of {len(networks)} networks", hint=KEPT)
        return Fetched(indicators=tuple(found))

    @contextmanager
    def _connected(self, end: float) -> Iterator[Conversation]:
        place = f"{self.host}:{self.port}"
        left = max(end - time.monotonic(), 0.01)
        try:
            with socket.create_connection(
                (self.host, self.port), timeout=min(self.timeout_seconds, left)
            ) as connection:
                irr = Conversation(
                    connection,
                    place=place,
                    timeout_seconds=self.timeout_seconds,
                    total_seconds=end - time.monotonic(),
                    max_bytes=self.max_bytes,
                )
                irr.begin(self.registries)
                yield irr
        except TimeoutError as exc:
            raise SourceUnreachable(f"{place}: no answer in time", hint=f"later again; {KEPT}") from exc
        except OSError as exc:
            raise SourceUnreachable(f"{place}: {exc}", hint=f"check the network; {KEPT}") from exc


def _may_pass(exc: SourceError) -> bool:
    """Whether another try may end better: silence, a rate limit, or a connection that was closed too early."""
    return isinstance(exc, SourceUnreachable) or isinstance(exc.__cause__, EOFError)


def _indicators(asn: int, via: str, networks: Iterable[Network], now: datetime) -> Iterator[Indicator]:
    member = f", a member of {via}" if via else ""
    for network in networks:
        yield corroboration(
            network,
            asn=asn,
            source=f"{KIND}:AS{asn}",
            seen=now,
            category="registered",
            detail=f"route object of AS{asn}{member}",
        )


def expand(
    as_sets: Iterable[str], members: Callable[[str], tuple[str, ...] | None], *, max_depth: int
) -> Mapping[int, str]:
    """Every network in the sets, and the set that named it. Pure but for ``members``, which asks for one set.

    A server that expands by itself answers with networks only; one that does not is asked for each inner set once, so a
    loop ends. An inner set that nobody registered has no members; a set that was asked for must exist.

    Raises:
        SourceImplausible: a set that does not exist, a member that is neither, deeper or more than the limits.
    """
    asked = tuple(dict.fromkeys(as_sets))
    found: dict[int, str] = {}
    seen, level = set(asked), asked
    for depth in range(max_depth):
        below: dict[str, None] = {}
        for as_set in level:
            for member in _told(as_set, members(as_set), wanted=depth == 0):
                if number := _NUMBER.fullmatch(member):
                    found.setdefault(int(number[1]), as_set)
                elif member not in seen:
                    below[member] = None
            if len(found) > MAX_ASNS or len(seen) + len(below) > MAX_SETS:
                raise SourceImplausible(
                    f"{', '.join(asked)}: more than {MAX_ASNS} networks or {MAX_SETS} sets",
                    hint=f"name the networks in `asns` instead; {KEPT}",
                )
        seen.update(below)
        level = tuple(below)
        if not level:
            return found
    if not level:
        return found
    raise SourceImplausible(
        f"{', '.join(asked)}: sets in sets deeper than {max_depth}: {', '.join(level[:3])}",
        hint=f"raise max_depth, or name the networks in `asns`; {KEPT}",
    )


def _told(as_set: str, members: tuple[str, ...] | None, *, wanted: bool) -> tuple[str, ...]:
    if members is None and wanted:
        raise SourceImplausible(f"{as_set}: no such set", hint=f"check its name and `registries`; {KEPT}")
    for member in members or ():
        if not AS_SET.fullmatch(member) and not _NUMBER.fullmatch(member):
            raise SourceImplausible(f"{as_set}: its member {member[:60]!r} is neither network nor set", hint=KEPT)
    return members or ()


class Conversation:
    """Questions and answers on one connection, all of them within one time. Raises ``SourceError`` or ``OSError``."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        place: str,
        timeout_seconds: float,
        total_seconds: float,
        max_bytes: int,
    ) -> None:
        self.place = place
        self._connection = connection
        self._timeout = timeout_seconds
        self._end = time.monotonic() + total_seconds
        self._max_bytes = max_bytes
        self._unread = bytearray()

    def begin(self, registries: tuple[str, ...]) -> None:
        """Keep the connection open (`!!` has no answer), say who asks, choose the registries."""
        self._send("!!")
        self.ask(f"!n{USER_AGENT}")
        if registries:
            self.ask(f"!s{','.join(registries)}")

    def members(self, as_set: str) -> tuple[str, ...] | None:
        """The members, expanded by the server as far as it does; None when there is no such set."""
        content = self.ask(f"!i{as_set},1")
        return None if content is None else tuple(word.upper() for word in content.split())

    def prefixes(self, asn: int) -> tuple[Network, ...]:
        """The IPv4 and IPv6 prefixes of the network's route objects, each once; a network may have none."""
        words = (word for query in ("!g", "!6") for word in (self.ask(f"{query}AS{asn}") or "").split())
        return tuple(dict.fromkeys(self._network(word, asn) for word in words))

    def _network(self, word: str, asn: int) -> Network:
        try:
            return parse_network(word)
        except ValueError as exc:
            raise self._implausible(f"AS{asn}: {word[:60]!r} is no prefix: {exc}") from exc

    def ask(self, query: str) -> str | None:
        """The content; empty when nothing was found, None when there is no such key."""
        self._send(query)
        head = self._line(begun=False)
        if head == "C":
            return ""
        if head == "D":
            return None
        if told := _HEAD.fullmatch(head):
            return self._content(query, int(told[1]))
        if head.startswith("%"):  # a banner instead of an answer: `%ERROR:201: access denied`
            raise SourceUnreachable(f"{self.place}: turned {query} away: {head[:120]}", hint=f"later again; {KEPT}")
        if head.startswith("F"):
            raise self._implausible(f"refused {query}: {head[1:121].strip()}")
        raise self._implausible(f"no answer of a routing registry to {query}: {head[:60]!r}")

    def _content(self, query: str, size: int) -> str:
        if size > self._max_bytes:
            raise self._implausible(f"{size} bytes to {query}, more than {self._max_bytes}")
        while len(self._unread) < size:
            self._more(begun=True)
        content = bytes(self._unread[:size])
        del self._unread[:size]
        if not content.endswith(b"\n") or self._line(begun=True) != "C":
            raise self._implausible(f"the answer to {query} does not end where its length says")
        return self._text(content)

    def _line(self, *, begun: bool) -> str:
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > MAX_LINE:
                raise self._implausible(f"a line of more than {MAX_LINE} bytes")
            self._more(begun=begun or bool(self._unread))
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return self._text(line).strip()

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("ascii")
        except UnicodeDecodeError as exc:
            raise self._implausible(f"not ASCII: {data[:60]!r}") from exc

    def _send(self, query: str) -> None:
        self._connection.settimeout(self._left())
        self._connection.sendall(f"{query}\n".encode("ascii"))

    def _more(self, *, begun: bool) -> None:
        self._connection.settimeout(self._left())
        data = self._connection.recv(65536)
        if data:
            self._unread += data
        elif begun:
            raise self._implausible("the answer broke off") from EOFError()
        else:
            raise SourceUnreachable(f"{self.place}: closed the connection", hint=f"later again; {KEPT}")

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise SourceUnreachable(f"{self.place}: not finished in time", hint=f"raise total_seconds; {KEPT}")
        return min(left, self._timeout)

    def _implausible(self, why: str) -> SourceImplausible:
        return SourceImplausible(f"{self.place}: {why}", hint=KEPT)
