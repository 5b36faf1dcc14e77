"""Threat feeds: lists that the box fetches itself, keeps while the server is away, and cuts at its limits.

Source: administration guide, threat feeds; community articles 378964 (before 7.4.4) and the 7.4.4 entry limits; 421292:
the tag of an answer is kept beside the list, and asked with; 421802: an empty list is a list without entries, and what
it held passes. That any other failure keeps the list is likely: the guide says it of a lost connection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

from core.net import Address
from lab.emulators import fetching
from lab.emulators.fetching import Answer, Fetch, Request, Trust, Wire
from lab.emulators.fortios.config import GLOBAL, Config, Entry, Key, value_of
from lab.emulators.fortios.kinds import FQDN
from lab.emulators.fortios.schema import FEED
from lab.emulators.fortios.switches import Model, Switches

Span = tuple[int, int]
_OCTETS: Final = 10 * 1024 * 1024  # of one file, before 7.4.4
_AGENT: Final = "curl/7.58.0"
"""The default of ``user-agent`` (CLI reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a list held when it was last fetched, before it is cut for want of room."""

    entries: tuple[tuple[int, Span], ...] = ()  # family and addresses; names of other kinds count only
    others: int = 0
    errors: int = 0

    @property
    def valid(self) -> int:
        return len(self.entries) + self.others


@dataclass(slots=True, kw_only=True)
class Feed:
    """``due``: when it is fetched next."""

    index: int
    entry: Entry
    due: float
    loaded: Loaded | None = None
    failures: int = 0
    tag: str = ""  # of what is loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What of a list has room on the box, in order and without overlaps, by family."""

    count: int = 0
    spans: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)

    def holds(self, address: Address) -> bool:
        spans, wanted = self.spans.get(address.version, ()), int(address)
        at = bisect_right(spans, (wanted, 1 << 128))
        return at > 0 and spans[at - 1][1] >= wanted


def _fit(entries: tuple[tuple[int, Span], ...]) -> Fit:
    by_family = {family: [at for version, at in entries if version == family] for family in (4, 6)}
    return Fit(count=len(entries), spans={family: tuple(merged(spans)) for family, spans in by_family.items()})


@dataclass(slots=True)
class Feeds:
    """All lists of a box. The last good copies survive a reboot."""

    fetch: Fetch | Wire | None
    by_key: dict[Key, Feed] = field(default_factory=dict)
    next_index: int = 860
    _fits: dict[Key, tuple[object, int, Fit]] = field(default_factory=dict)  # for which copy, and how many of it

    def tick(self, config: Config, now: float, *, model: Model, switches: Switches) -> None:
        """Fetch what is due, and forget lists that are configured no more."""
        wanted = dict(configured(config))
        for key in set(self.by_key) - set(wanted):
            del self.by_key[key]
        for key, entry in wanted.items():
            self._keep(key, entry, now)
            if self.by_key[key].due <= now and value_of(config.schema[FEED], entry, "status") == ("enable",):
                self._fetch(self.by_key[key], config, now, model=model, switches=switches)

    def _keep(self, key: Key, entry: Entry, now: float) -> None:
        """A list that is new or was edited is fetched at once."""
        feed = self.by_key.get(key)
        if feed is None:
            self.next_index += 3
            self.by_key[key] = Feed(index=self.next_index, entry=entry, due=now)
        elif feed.entry != entry:
            if any(feed.entry.get(name) != entry.get(name) for name in ("resource", "type")):
                feed.tag = ""
            feed.entry, feed.due = entry, now

    def _fetch(self, feed: Feed, config: Config, now: float, *, model: Model, switches: Switches) -> None:
        table = config.schema[FEED]
        feed.due = now + 60.0 * int(value_of(table, feed.entry, "refresh-rate")[0])
        if self.fetch is None or value_of(table, feed.entry, "update-method") == ("push",):
            return
        try:
            answer = fetching.ask(self.fetch, self._request(feed, config))
        except OSError:  # the last good copy stays
            feed.failures += 1
            return
        if answer.status == 200:
            self._take(feed, answer, config, model=model, switches=switches)
        feed.failures = 0 if answer.status in (200, 304) else feed.failures + 1

    def _request(self, feed: Feed, config: Config) -> Request:
        """``server-identity-check``: ``basic`` looks at the certificate, ``full`` at its names too (CLI reference)."""
        names = ("username", "password", "user-agent", "server-identity-check")
        said = {name: "".join(value_of(config.schema[FEED], feed.entry, name)) for name in names}
        check = said["server-identity-check"] or "none"  # a release without it looks at none
        known = "\n".join(fetching.authorities_of(self.fetch).values())
        return Request(
            url=feed.entry["resource"][0],
            username=said["username"],
            password=said["password"],
            agent=said["user-agent"] or _AGENT,
            trust=None if check == "none" else Trust(authorities=known, names=check == "full"),
            tag=feed.tag,
        )

    @staticmethod
    def _take(feed: Feed, answer: Answer, config: Config, *, model: Model, switches: Switches) -> None:
        kind = value_of(config.schema[FEED], feed.entry, "type")[0]
        feed.loaded, feed.tag = read(answer.body, kind, model=model, switches=switches), answer.tag

    def refresh(self, key: Key, now: float) -> None:
        self.by_key[key].due = now

    def usable(self, config: Config, model: Model) -> dict[Key, Fit]:
        """What of each list fits: from 7.4.4 all of them share the room, global ones first, then by vdom."""
        room = model.feed_addresses if model.version >= (7, 4, 4) else None
        fitting: dict[Key, Fit] = {}
        for key, _ in configured(config):
            feed = self.by_key.get(key)
            entries = feed.loaded.entries if feed is not None and feed.loaded is not None else ()
            count = len(entries) if room is None else min(len(entries), room)
            fitting[key] = self._cut(key, entries, count)
            room = None if room is None else room - count
        return fitting

    def _cut(self, key: Key, entries: tuple[tuple[int, Span], ...], count: int) -> Fit:
        """Worked out anew only for another copy of the list, or another room."""
        copy, cut, fit = self._fits.get(key, (None, 0, Fit()))
        if copy is not entries or cut != count:
            fit = _fit(entries[:count])
            self._fits[key] = entries, count, fit
        return fit


def configured(config: Config) -> Iterator[tuple[Key, Entry]]:
    """Every list, in the order in which they take up room."""
    for vdom in (GLOBAL, *sorted(config.vdoms)):
        for name, entry in config.entries(vdom, FEED).items():
            yield Key(vdom=vdom, path=FEED, name=name), entry


def read(body: bytes, kind: str, *, model: Model, switches: Switches) -> Loaded:
    """One entry a line: an address, a network or a range; other kinds of lists are only counted."""
    limited = model.version < (7, 4, 4)
    text = (body[:_OCTETS] if limited else body).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not (switches.feed_comments and line.startswith("#"))]
    wanted = wanted[: model.feed_lines] if limited else wanted
    if kind != "address":
        good = sum(1 for line in wanted if kind != "domain" or FQDN.fullmatch(line))
        return Loaded(others=good, errors=len(wanted) - good)
    spans = [span(line) for line in wanted]
    return Loaded(entries=tuple(at for at in spans if at is not None), errors=spans.count(None))


def span(line: str) -> tuple[int, Span] | None:
    """The family and the addresses of one line; None: an error line."""
    try:
        if "-" in line:
            low, high = (ip_address(part.strip()) for part in line.split("-", 1))
            ordered = low.version == high.version and int(low) <= int(high)
            return (low.version, (int(low), int(high))) if ordered else None
        network = ip_network(line, strict=False)
    except ValueError:
        return None
    return network.version, (int(network.network_address), int(network.broadcast_address))


def merged(spans: list[Span]) -> list[Span]:
    """Sorted, with what touches joined."""
    out: list[Span] = []
    for low, high in sorted(spans):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out
