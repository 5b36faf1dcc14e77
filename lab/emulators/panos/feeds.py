"""External dynamic lists: pulled without a commit once a rule uses them, kept when the server is away.

A server that refuses the credentials empties the list (PAN-OS 11.0 administrator's guide, external dynamic lists), and
so does one whose certificate the list's certificate profile does not take ("the firewall then ceases to enforce policy
based on the list contents"; PAN-OS 8.0 new features, authentication for external dynamic lists). Other failures keep
the old copy. What cannot be entries is counted apart; what exceeds the platform is skipped and goes to the system log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, Literal

from core.net import Address
from lab.emulators import fetching
from lab.emulators.fetching import Answer, Fetch, Request, Trust, Untrusted, Wire
from lab.emulators.panos import answers, values
from lab.emulators.panos.jobs import TimeZone
from lab.emulators.panos.matching import Addresses
from lab.emulators.panos.switches import Model, Switches
from lab.emulators.panos.tree import Node

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AGENT: Final = "PAN-OS"
"""What a firewall calls itself here is on no record."""
State = Literal["pending", "valid", "old copy", "unauthorized"]


@dataclass(slots=True, kw_only=True)
class Feed:
    """One list, as last pulled."""

    name: str
    kind: str
    url: str
    recurring: Node
    username: str = ""
    password: str = ""
    profile: str = ""  # the certificate profile; without one no certificate is looked at
    tag: str = ""  # what the last good answer told
    date: str = ""
    state: State = "pending"
    entries: tuple[str, ...] = ()
    ignored: int = 0
    invalid: int = 0
    next_at: datetime | None = None
    covered: Addresses = field(default_factory=Addresses)
    hosts: tuple[tuple[tuple[str, ...], bool], ...] = ()
    """Of a list of URLs: the labels of each host, and whether it ends there."""

    def holds(self, address: Address) -> bool:
        return self.covered.literal(address)

    def asks(self, host: str) -> bool:
        """Whether a list of URLs has an entry for this host."""
        wanted = tuple(host.lower().rstrip(".").split("."))
        return any(_is_for(tokens, wanted, ended=ended) for tokens, ended in self.hosts)


@dataclass(slots=True, kw_only=True)
class Feeds:
    fetch: Fetch | Wire | None
    model: Model
    switches: Switches = field(default_factory=Switches)
    used: dict[str, Feed] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """Of the system log: what concerns lists."""

    def use(self, wanted: dict[str, Feed], now: datetime, zone: TimeZone) -> list[str]:
        """These lists are in rules now. Those that are new, or are somewhere else now, are pulled: their names."""
        old = self.used
        self.used = {name: _kept(old.get(name), feed) for name, feed in wanted.items()}
        new = [name for name, feed in self.used.items() if feed.state == "pending"]
        for name in new:
            self.pull(name, now, zone)
        return new

    def tick(self, now: datetime, zone: TimeZone) -> list[str]:
        due = [name for name, feed in self.used.items() if feed.next_at is not None and feed.next_at <= now]
        for name in due:
            self.pull(name, now, zone)
        return due

    def pull(self, name: str, now: datetime, zone: TimeZone) -> bool:
        """Whether there is a fresh copy."""
        feed = self.used[name]
        feed.next_at = next_after(feed.recurring, now, zone)
        try:
            answer = fetching.ask(self.fetch, self._request(feed))
        except (PermissionError, Untrusted):
            return self._refused(feed)
        except OSError:
            return self._failed(feed)
        return self._answered(feed, answer)

    def _request(self, feed: Feed) -> Request:
        """A switch says whether it is conditional, and whether it may be answered in gzip."""
        trust = None
        if feed.profile:
            trust = Trust(authorities=fetching.authorities_of(self.fetch).get(feed.profile, ""))
        how = self.switches.list_conditional
        return Request(
            url=feed.url,
            username=feed.username,
            password=feed.password,
            agent=_AGENT,
            trust=trust,
            tag=feed.tag if how == "tag" else "",
            date=feed.date if how == "date" else "",
            gzip=self.switches.list_gzip,
        )

    def _answered(self, feed: Feed, answer: Answer) -> bool:
        if answer.status in (401, 403):
            return self._refused(feed)
        if answer.status == 304 and feed.state in ("valid", "old copy"):
            feed.state = "valid"
            return True
        if answer.status != 200 or (not answer.body and not self.switches.empty_list_taken):
            return self._failed(feed)
        self._take(feed, answer.body.decode("utf-8", "replace"), "valid")
        feed.tag, feed.date = answer.tag, answer.date
        return True

    def _refused(self, feed: Feed) -> bool:
        self._take(feed, "", "unauthorized")
        feed.tag = feed.date = ""
        self.log.append(f"EDL({feed.name}) Authentication failed, list is not enforced")
        return False

    def _failed(self, feed: Feed) -> bool:
        if feed.state not in ("pending", "unauthorized"):
            feed.state = "old copy"
        self.log.append(f"EDL({feed.name}) {answers.OLD_COPY}")
        return False

    def _take(self, feed: Feed, text: str, state: State) -> None:
        limit = {"ip": self.model.list_ips, "domain": self.model.list_domains}.get(feed.kind, self.model.list_urls)
        others = sum(len(each.entries) for each in self.used.values() if each is not feed and each.kind == feed.kind)
        found, feed.ignored, feed.invalid = _read(text, feed.kind)
        room = max(0, limit - others)
        if len(found) > room:
            self.log.append(
                f"EDL({feed.name}) {len(found) - room} entries exceed the platform capacity and are skipped"
            )
        feed.ignored += max(0, len(found) - room)
        feed.entries, feed.state = tuple(found[:room]), state
        feed.covered = Addresses()
        for entry in feed.entries if feed.kind == "ip" else ():
            feed.covered.add(entry)
        feed.covered.close()
        urls = feed.entries if feed.kind == "url" else ()
        feed.hosts = tuple(_host(entry, ends=self.switches.append_end_token) for entry in urls if "/" not in entry[:-1])


def _host(entry: str, *, ends: bool) -> tuple[tuple[str, ...], bool]:
    """The slash ends a host; without one whatever may follow, unless the firewall puts one there itself."""
    text = entry.lower()
    ended = text.endswith("/") or (ends and not text.endswith("*"))
    return tuple(text.removesuffix("/").split(".")), ended


def _is_for(tokens: tuple[str, ...], host: tuple[str, ...], *, ended: bool) -> bool:
    """`*` stands for one label or more, `^` for just one (URL category exceptions, wildcards)."""
    if not tokens:
        return not host or not ended
    if not host:
        return False
    first, rest = tokens[0], tokens[1:]
    if first == "*":
        return any(_is_for(rest, host[count:], ended=ended) for count in range(1, len(host) + 1))
    return first in ("^", host[0]) and _is_for(rest, host[1:], ended=ended)


def _kept(old: Feed | None, new: Feed) -> Feed:
    if old is None or (old.url, old.kind) != (new.url, new.kind):
        return new
    old.recurring, old.profile = new.recurring, new.profile
    old.username, old.password = new.username, new.password
    return old


def _read(text: str, kind: str) -> tuple[list[str], int, int]:
    """Entries, and how many lines were ignored and invalid."""
    found: dict[str, None] = {}
    ignored = invalid = 0
    for line in text.splitlines():
        entry = line.split()[0] if line.split() else ""
        if not entry:
            continue
        if re.match(r"[#;]|//", entry):
            ignored += 1
        elif _valid(entry, kind):
            found[entry] = None
        else:
            invalid += 1
    return list(found), ignored, invalid


def _valid(entry: str, kind: str) -> bool:
    match kind:
        case "ip":
            return values.is_literal(entry)
        case "domain":
            return values.is_fqdn(entry.removeprefix("*."))
        case _:
            return "://" not in entry and len(entry) <= 255


def shown_entry(entry: str, *, masked: bool) -> str:
    """A single address, with its mask as the published output has it."""
    try:
        address = ip_address(entry)
    except ValueError:
        return entry
    return f"{entry}/{32 if address.version == 4 else 128}" if masked else entry


def next_after(recurring: Node, now: datetime, zone: TimeZone) -> datetime | None:
    """When the list is pulled again."""
    kind = next(iter(recurring.kids), "")
    if kind == "five-minute":
        return now + timedelta(minutes=5)
    if kind == "hourly":
        return now + timedelta(hours=1)
    how = recurring.kids.get(kind, Node())
    at = now.replace(minute=0, second=0, microsecond=0)
    for _ in range(32 * 24):
        at += timedelta(hours=1)
        if _due(kind, how, zone.local(at)):
            return at
    return None


def _due(kind: str, how: Node, at: datetime) -> bool:
    day = {
        "daily": True,
        "weekly": how.value("day-of-week", default="sunday") == _DAYS[at.weekday()],
        "monthly": how.value("day-of-month", default="1") == str(at.day),
    }
    return at.hour == int(how.value("at", default="0")) and day.get(kind, False)
