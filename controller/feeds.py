"""The counter where firewalls that pull are served: who may have which list, its text, and a book of who came.

Devices of a group are told one address. Which of them asks is told by where it asks from, by a token of its own, or by
the name that it gives with the group's token; while that leaves several, they are answered only if all hold one text.

Called by the API's route for lists, by commands and by the schedule. It decides nothing about what is in a list: that
is ``sync``'s, which publishes a change's lists with the change. Whatever goes wrong here, a firewall is never given an
empty list or a part of one; it keeps its last good copy.

Two things are worth their reasons. A token of a device does not expire, and the old one is taken for a while beside the
new one: to some firewalls a refused login means that the list is to be enforced no more. And an address that may not
pull is told that there is no such list, for the same reason.
"""

from __future__ import annotations

import gzip
import hmac
import queue
import re
import secrets
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from itertools import islice
from typing import Final

import structlog

from controller.audit import AuditNote
from controller.errors import (
    FeedDamaged,
    FeedMixed,
    FeedNotReady,
    FeedUnknown,
    NotAuthenticated,
    NotFound,
    StoreError,
)
from controller.feeding import LIST_NAME, is_whole
from controller.inventory import Device, Inventory
from controller.inventory.fields import did_you_mean
from controller.model import FeedPull, FeedToken, GoodPull, PublishedFeed
from controller.store import Store
from controller.tokens import digest_of
from core.clock import Clock
from core.errors import TokgateError
from core.ids import DeviceName, SiteName, TokenId, new_id
from core.net import Address, Network
from core.secret import Secret
from ipsets.spans import short, words

log = structlog.get_logger()

ROTATION: Final = timedelta(days=1)
"""How long the token before is taken after the new one was used for the first time: both members of a pair learn it."""
TEXTS_KEPT: Final = 16
"""Checked texts that stay in memory; a fleet shares a few."""
_SHAPE: Final = re.compile(r"tokfeed_(?P<prefix>[0-9a-f]{8})_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A list that was checked, as it is sent."""

    plain: bytes
    zipped: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for lists: a device, or one of those of a group that may ask from that address."""

    name: str  # a device's, or a group's
    devices: tuple[Device, ...]  # at least one
    is_group: bool = False

    @property
    def needs_token(self) -> bool:
        return any(device.feed.auth == "token" for device in self.devices)

    def narrowed(self, name: str) -> Asker:
        """Only the device of that name; everybody when there is none."""
        one = tuple(device for device in self.devices if device.name == name)
        return replace(self, devices=one) if one else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Devices of a group that cannot be told from one another, and do not hold the same list of that name."""

    list: str
    devices: tuple[DeviceName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group of devices with one address of lists. ``mixed``: what it is not answered with."""

    name: str
    devices: tuple[Device, ...]
    mixed: tuple[Mixed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """One list of one device, and whether the device comes for it."""

    feed: PublishedFeed
    site: SiteName
    group: str | None
    pulled: GoodPull | None  # the last good pull; None: never
    stale: str  # why it is stale; empty when it is not

    @property
    def is_current(self) -> bool:
        """Whether the device has what is served now, as far as we gave it to it."""
        return self.pulled is not None and self.pulled.digest == self.feed.digest


class FeedDesk:
    """One for a controller. Safe to use from any number of threads."""

    def __init__(self, store: Store, inventory: Inventory, clock: Clock) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._places = {name: Places(devices) for name, devices in inventory.feed_groups.items()}
        self._book = PullBook(store)
        self._texts: OrderedDict[str, Text] = OrderedDict()
        self._guard = threading.Lock()

    def within(self, inventory: Inventory) -> FeedDesk:
        """The same desk for who looks, and knows that part of the inventory alone."""
        narrow = copy(self)
        narrow._inventory = inventory
        return narrow

    def close(self) -> None:
        """Write what is in the book."""
        self._book.close()

    # --- serving --------------------------------------------------------------------------------------------------

    def puller(self, name: str, address: str) -> Asker:
        """Who of that name may pull from that address. Raises ``FeedUnknown`` when nobody does."""
        known = self._inventory.by_name.get(DeviceName(name))
        named = self._places.get(name) if known is None else Places((known,))
        asking = address_of(address)
        if named is not None and asking is not None:
            if devices := named.of(asking):
                return Asker(name=name, devices=devices, is_group=known is None)
            allowed = [str(net) for net in named.shown]
            log.warning("feed.refused", device=name, address=str(asking), allowed=allowed, why="address")
        raise FeedUnknown("there is no such list for this address", hint="see `feed` of the device in the inventory")

    def authenticate(self, asker: Asker, text: str, user: str = "") -> tuple[FeedToken, Asker]:
        """The usable token with that text, and who asks now that it is known. Raises ``NotAuthenticated``.

        A device's token says who it is. With a group's the user name may, by being the name of one of its devices.
        """
        if _SHAPE.fullmatch(text):
            given, now = digest_of(text), self._clock.now()
            for owner in dict.fromkeys((asker.name, *(device.name for device in asker.devices))):
                is_group = asker.is_group and owner == asker.name
                if (token := self._usable(owner, given, now, of_group=is_group)) is not None:
                    return token, asker.narrowed(user if is_group else owner)
        raise NotAuthenticated(
            f"this is no token of {asker.name}, or one that was revoked or replaced",
            hint=f"`tokgate feed token {asker.name} --rotate` makes another",
            device=asker.name,
        )

    def _usable(self, owner: str, given: str, now: datetime, *, of_group: bool) -> FeedToken | None:
        known = self._store.feed_tokens(DeviceName(owner))
        for number, (token, kept) in enumerate(known):
            newer = [later for later, _ in known[number + 1 :]]
            if hmac.compare_digest(kept, given) and _is_usable(token, newer, now, of_group=of_group):
                return token
        return None

    def held(self, asker: Asker, name: str) -> tuple[PublishedFeed, ...]:
        """What is served under that name to those who may be asking; nothing when nothing is."""
        if not LIST_NAME.fullmatch(name):
            return ()
        found = (self._store.published_feed(device.name, name) for device in asker.devices)
        return tuple(feed for feed in found if feed is not None)

    def one_of(self, asker: Asker, held: Sequence[PublishedFeed]) -> PublishedFeed:
        """The list that all of them hold. Raises ``FeedNotReady``, ``FeedUnknown``: none does; ``FeedMixed``.

        One to which nothing was ever published holds none, and does not count: the passive member of a pair is not
        written to.
        """
        if not held:
            raise self._why_none(asker)
        having = {feed.device for feed in held}
        without = (device.name for device in asker.devices if device.name not in having)
        if len({feed.digest for feed in held}) > 1 or any(self._store.published_feeds(name) for name in without):
            names = ", ".join(device.name for device in asker.devices)
            log.warning("feed.mixed", group=asker.name, list=held[0].name, devices=names)
            raise FeedMixed(
                f"{names} of {asker.name} may ask from this address, and do not hold the same list",
                hint="give each an address of its own in `feed.allow`, or its name as the user name it pulls with",
            )
        return held[0]

    def _why_none(self, asker: Asker) -> TokgateError:
        names = sorted({feed.name for device in asker.devices for feed in self._store.published_feeds(device.name)})
        if not names:
            return FeedNotReady(
                f"nothing has been published for {asker.name} so far",
                hint="the next sync of the device publishes its lists",
                device=asker.name,
            )
        return FeedUnknown(
            f"{asker.name} has no list of that name", hint=f"its lists: {', '.join(names[:20])}", device=asker.name
        )

    def text(self, feed: PublishedFeed) -> Text:
        """The whole list. Raises ``FeedDamaged`` unless every byte of it is what was published."""
        with self._guard:
            if (known := self._texts.get(feed.digest)) is not None:
                self._texts.move_to_end(feed.digest)
                return known
        found = self._checked(feed)
        with self._guard:
            self._texts[feed.digest] = found
            while len(self._texts) > TEXTS_KEPT:
                self._texts.popitem(last=False)
        return found

    def _checked(self, feed: PublishedFeed) -> Text:
        zipped = self._store.feed_body(feed.digest) or b""
        try:
            plain = gzip.decompress(zipped)
        except (OSError, EOFError, zlib.error):
            plain = b""
        if not is_whole(plain, digest=feed.digest, entries=feed.entries):
            raise FeedDamaged(
                f"the list {feed.name} of {feed.device} is not what was published",
                hint="it is not sent; the next sync of the device publishes it anew",
                device=feed.device,
            )
        return Text(plain=plain, zipped=zipped)

    def now(self) -> datetime:
        return self._clock.now()

    def record(self, pull: FeedPull, token: FeedToken | None, *, seen: str | None = None) -> None:
        """Note it in the book, which is written aside: nobody waits for the disk. ``seen``: the digest of what was
        only looked at."""
        self._book.add(pull, token.id if token else None, seen)

    def flush(self) -> None:
        """Wait until everything noted so far is written, or given up."""
        self._book.flush()

    # --- looking --------------------------------------------------------------------------------------------------

    def views(self) -> tuple[FeedView, ...]:
        """Every list of every device of the inventory, by device and name."""
        good = self._store.good_pulls()
        now = self._clock.now()
        known = self._inventory.by_name
        feeds = (feed for feed in self._store.published_feeds() if feed.device in known)
        return tuple(self._view(known[f.device], f, good.get((f.device, f.name)), now) for f in feeds)

    def views_of(self, device: str) -> tuple[FeedView, ...]:
        """The lists of one device. Raises ``NotFound``."""
        known = self._inventory.device(device)
        good = self._store.good_pulls(known.name)
        now = self._clock.now()
        feeds = self._store.published_feeds(known.name)
        return tuple(self._view(known, feed, good.get((feed.device, feed.name)), now) for feed in feeds)

    @staticmethod
    def _view(device: Device, feed: PublishedFeed, pulled: GoodPull | None, now: datetime) -> FeedView:
        stale = why_stale(feed, pulled, stale_after=device.feed.stale_after, now=now)
        return FeedView(feed=feed, site=device.site, group=device.feed.group, pulled=pulled, stale=stale)

    def pulls(self, device: str, *, limit: int = 50) -> list[FeedPull]:
        """The last pulls of the device, the newest first. Raises ``NotFound``."""
        return self._store.feed_pulls(self._inventory.device(device).name, limit=limit)

    def list_text(self, device: str, name: str) -> bytes:
        """What the device would be given now.

        Raises ``NotFound``, ``FeedNotReady``, ``FeedUnknown``, ``FeedDamaged``.
        """
        known = self._inventory.device(device)
        asker = Asker(name=known.name, devices=(known,))
        return self.text(self.one_of(asker, self.held(asker, name))).plain

    def groups(self) -> tuple[GroupView, ...]:
        """Every group of the inventory, by name."""
        held: dict[DeviceName, dict[str, str]] = {}
        for feed in self._store.published_feeds():
            held.setdefault(feed.device, {})[feed.name] = feed.digest
        groups = self._inventory.feed_groups.items()
        return tuple(GroupView(name=name, devices=ds, mixed=tuple(_mixed(ds, held))) for name, ds in groups)

    def group(self, name: str) -> GroupView:
        """One of them. Raises ``NotFound``."""
        found = next((group for group in self.groups() if group.name == name), None)
        if found is None:
            known = did_you_mean(name, self._inventory.feed_groups)
            raise NotFound(f"no group {name!r} of devices that pull in the inventory{known}")
        return found

    def tell_stale(self) -> tuple[FeedView, ...]:
        """One warning for each list that its device does not come for: it shouts until somebody looks."""
        stale = tuple(view for view in self.views() if view.stale)
        for view in stale:
            log.warning("feed.stale", device=view.feed.device, list=view.feed.name, why=view.stale)
        for group in self.groups():
            for mixed in group.mixed:
                log.warning("feed.mixed", group=group.name, list=mixed.list, devices=", ".join(mixed.devices))
        return stale

    # --- tokens ---------------------------------------------------------------------------------------------------

    def _owner(self, name: str) -> DeviceName:
        """Who has tokens: a device, or a group. Raises ``NotFound``."""
        return DeviceName(name) if name in self._inventory.feed_groups else self._inventory.device(name).name

    def tokens(self, device: str) -> tuple[FeedToken, ...]:
        """Those of the device, or the group, that were not revoked. Raises ``NotFound``."""
        return tuple(token for token, _ in self._store.feed_tokens(self._owner(device)))

    def create_token(self, device: str, *, actor: str, rotate: bool = False) -> tuple[FeedToken, Secret]:
        """A new token of the device or group, and its text, which is not kept. With ``rotate`` beside what it has.

        Raises ``NotFound``; ``Conflict`` when it has one and ``rotate`` was not said.
        """
        name = self._owner(device)
        prefix = secrets.token_hex(4)
        text = f"tokfeed_{prefix}_{secrets.token_hex(16)}"
        token = FeedToken(
            id=TokenId(new_id()), device=name, prefix=prefix, created_at=self._clock.now(), created_by=actor
        )
        action = "feed.token.rotate" if rotate else "feed.token.create"
        note = AuditNote(actor=actor, action=action, subject=name, detail={"prefix": prefix, "token": token.id})
        self._store.add_feed_token(token, digest_of(text), beside=rotate, audit=note)
        return token, Secret(text)

    def revoke_tokens(self, device: str, *, actor: str, reason: str = "") -> int:
        """Refuse every token of the device or group from now on. Raises ``NotFound`` when it has none."""
        name = self._owner(device)
        note = AuditNote(actor=actor, action="feed.token.revoke", subject=name, reason=reason)
        count = self._store.revoke_feed_tokens(name, self._clock.now(), audit=note)
        if not count:
            raise NotFound(f"{name} has no token", device=name)
        return count


def why_stale(feed: PublishedFeed, pulled: GoodPull | None, *, stale_after: timedelta, now: datetime) -> str:
    """Why a list is stale on its device; empty when it is not. One that is about to go is not waited for."""
    if feed.leaving:
        return ""
    if pulled is None or pulled.at < feed.since:
        waited = now - feed.since
        return f"it was never pulled since it was published {words(waited)} ago" if waited > stale_after else ""
    silent = now - pulled.at
    return f"it was last pulled {words(silent)} ago, more than {short(stale_after)}" if silent > stale_after else ""


def address_of(text: str) -> Address | None:
    """The address of a caller; an IPv4 one that came over an IPv6 socket is IPv4."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _is_usable(token: FeedToken, newer: Iterable[FeedToken], now: datetime, *, of_group: bool) -> bool:
    """The newest token always is; one before it until a newer one has been in use for a day.

    That one device of a group has learnt the new token says nothing of the others: there the old one is taken for as
    long as somebody comes with it, and a day more.
    """
    if all(later.first_used_at is None or now < later.first_used_at + ROTATION for later in newer):
        return True
    return of_group and token.last_used_at is not None and now < token.last_used_at + ROTATION


class Places:
    """Which of some devices may ask from an address: found at once among thousands that each have one of their own."""

    SHOWN: Final = 20

    def __init__(self, devices: Sequence[Device]) -> None:
        self._hosts: dict[Address, list[Device]] = {}
        self._wide: list[tuple[Network, Device]] = []
        for device in devices:
            for net in dict.fromkeys(device.pulls_from):
                if net.prefixlen == net.max_prefixlen:
                    self._hosts.setdefault(net.network_address, []).append(device)
                else:
                    self._wide.append((net, device))
        self.shown = tuple(islice((net for device in devices for net in device.pulls_from), self.SHOWN))

    def of(self, address: Address) -> tuple[Device, ...]:
        """Each once, by name."""
        wide = (device for net, device in self._wide if net.version == address.version and address in net)
        found = {device.name: device for device in (*self._hosts.get(address, ()), *wide)}
        return tuple(found[name] for name in sorted(found))


def _mixed(devices: Sequence[Device], held: Mapping[DeviceName, Mapping[str, str]]) -> Iterator[Mixed]:
    """Lists that two of these devices, asking from one address, hold differently."""
    apart: dict[str, set[DeviceName]] = {}
    for one, other in _meeting([device for device in devices if device.name in held]):
        left, right = held[one], held[other]
        if left != right:
            for name in left.keys() | right.keys():
                if left.get(name) != right.get(name):
                    apart.setdefault(name, set()).update((one, other))
    return (Mixed(list=name, devices=tuple(sorted(apart[name]))) for name in sorted(apart))


def _meeting(devices: Iterable[Device]) -> Iterator[tuple[DeviceName, DeviceName]]:
    """Pairs that share an address: along the addresses in order, each with those whose networks are still open."""
    spans = sorted(
        (net.version, int(net.network_address), int(net.broadcast_address), device.name)
        for device in devices
        for net in device.pulls_from
    )
    still_open: list[tuple[int, int, DeviceName]] = []
    for version, first, last, name in spans:
        still_open = [span for span in still_open if span[0] == version and span[1] >= first]
        yield from ((other, name) for _, _, other in still_open if other != name)
        still_open.append((version, last, name))


# --- the book ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    pull: FeedPull
    token: TokenId | None
    seen: str | None


@dataclass(slots=True)
class PullBook:
    """Who pulled what, written by a thread of its own, many at a time. When it cannot keep up it loses entries."""

    store: Store
    room: int = 10_000
    batch: int = 500
    _waiting: queue.Queue[_Entry | None] = field(init=False)
    _writer: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _lost: int = 0

    def __post_init__(self) -> None:
        self._waiting = queue.Queue(self.room)

    def add(self, pull: FeedPull, token: TokenId | None, seen: str | None) -> None:
        """Returns at once."""
        self._start()
        try:
            self._waiting.put_nowait(_Entry(pull, token, seen))
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        if self._writer is not None:
            self._waiting.join()

    def close(self) -> None:
        with self._guard:
            writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join()

    def _start(self) -> None:
        with self._guard:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="pulls", daemon=True)
                self._writer.start()

    def _write(self) -> None:
        ended = False
        while not ended:
            taken = [self._waiting.get()]
            while len(taken) < self.batch and not self._waiting.empty():
                taken.append(self._waiting.get_nowait())
            entries = [entry for entry in taken if entry is not None]
            ended = len(entries) < len(taken)
            try:
                self._keep(entries)
            finally:
                for _ in taken:
                    self._waiting.task_done()

    def _keep(self, entries: Sequence[_Entry]) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("feed.pulls_lost", count=lost)
        if not entries:
            return
        used: Mapping[TokenId, datetime] = {e.token: e.pull.at for e in entries if e.token is not None}
        seen = {(e.pull.device, e.pull.name, e.seen): e.pull.at for e in entries if e.seen is not None}
        try:
            self.store.record_pulls([entry.pull for entry in entries], used, seen)
        except StoreError as exc:
            log.warning("feed.pulls_not_recorded", count=len(entries), error=str(exc))
        except Exception as exc:  # the top of the thread: one bad entry must not end the book
            log.exception("feed.pulls_not_recorded", count=len(entries), error=str(exc))
