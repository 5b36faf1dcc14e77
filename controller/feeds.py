"""The counter where firewalls that pull are served: who may have which list, its text, and a book of who came.

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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

import structlog

from controller.audit import AuditNote
from controller.errors import FeedDamaged, FeedNotReady, FeedUnknown, NotAuthenticated, NotFound, StoreError
from controller.feeding import LIST_NAME, is_whole
from controller.inventory import Device, Inventory
from controller.model import FeedPull, FeedToken, GoodPull, PublishedFeed
from controller.store import Store
from controller.tokens import digest_of
from core.clock import Clock
from core.errors import TokgateError
from core.ids import DeviceName, SiteName, TokenId, new_id
from core.net import Address
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
class FeedView:
    """One list of one device, and whether the device comes for it."""

    feed: PublishedFeed
    site: SiteName
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
        self._book = PullBook(store)
        self._texts: OrderedDict[str, Text] = OrderedDict()
        self._guard = threading.Lock()

    def close(self) -> None:
        """Write what is in the book."""
        self._book.close()

    # --- serving --------------------------------------------------------------------------------------------------

    def puller(self, device: str, address: str) -> Device:
        """The device of that name, if it may pull from that address. Raises ``FeedUnknown`` in either case."""
        known = self._inventory.by_name.get(DeviceName(device))
        asking = address_of(address)
        if known is not None and asking is not None:
            if any(asking in net for net in known.pulls_from if net.version == asking.version):
                return known
            allowed = [str(net) for net in known.pulls_from]
            log.warning("feed.refused", device=device, address=str(asking), allowed=allowed, why="address")
        raise FeedUnknown("there is no such list for this address", hint="see `feed` of the device in the inventory")

    def authenticate(self, device: Device, text: str) -> FeedToken:
        """The usable token of that device with that text. Raises ``NotAuthenticated``."""
        if _SHAPE.fullmatch(text):
            given, now = digest_of(text), self._clock.now()
            known = self._store.feed_tokens(device.name)
            for number, (token, kept) in enumerate(known):
                if hmac.compare_digest(kept, given) and _is_usable([t for t, _ in known[number + 1 :]], now):
                    return token
        raise NotAuthenticated(
            f"this is no token of {device.name}, or one that was revoked or replaced",
            hint=f"`tokgate feed token {device.name} --rotate` makes another",
            device=device.name,
        )

    def find(self, device: Device, name: str) -> PublishedFeed | None:
        """What is served to the device under that name; None when nothing is."""
        return self._store.published_feed(device.name, name) if LIST_NAME.fullmatch(name) else None

    def why_not(self, device: Device) -> TokgateError:
        """Why ``find`` found nothing."""
        names = [feed.name for feed in self._store.published_feeds(device.name)]
        if not names:
            return FeedNotReady(
                f"nothing has been published for {device.name} so far",
                hint="the next sync of the device publishes its lists",
                device=device.name,
            )
        return FeedUnknown(
            f"{device.name} has no list of that name", hint=f"its lists: {', '.join(names[:20])}", device=device.name
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

    def record(self, pull: FeedPull, token: FeedToken | None) -> None:
        """Note it in the book, which is written aside: nobody waits for the disk."""
        self._book.add(pull, token.id if token else None)

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
        return FeedView(feed=feed, site=device.site, pulled=pulled, stale=stale)

    def pulls(self, device: str, *, limit: int = 50) -> list[FeedPull]:
        """The last pulls of the device, the newest first. Raises ``NotFound``."""
        return self._store.feed_pulls(self._inventory.device(device).name, limit=limit)

    def list_text(self, device: str, name: str) -> bytes:
        """What the device would be given now.

        Raises ``NotFound``, ``FeedNotReady``, ``FeedUnknown``, ``FeedDamaged``.
        """
        known = self._inventory.device(device)
        feed = self.find(known, name)
        if feed is None:
            raise self.why_not(known)
        return self.text(feed).plain

    def tell_stale(self) -> tuple[FeedView, ...]:
        """One warning for each list that its device does not come for: it shouts until somebody looks."""
        stale = tuple(view for view in self.views() if view.stale)
        for view in stale:
            log.warning("feed.stale", device=view.feed.device, list=view.feed.name, why=view.stale)
        return stale

    # --- tokens ---------------------------------------------------------------------------------------------------

    def tokens(self, device: str) -> tuple[FeedToken, ...]:
        """Those of the device that were not revoked. Raises ``NotFound``."""
        return tuple(token for token, _ in self._store.feed_tokens(self._inventory.device(device).name))

    def create_token(self, device: str, *, actor: str, rotate: bool = False) -> tuple[FeedToken, Secret]:
        """A new token of the device and its text, which is not kept. With ``rotate`` beside the one that it has.

        Raises ``NotFound``; ``Conflict`` when it has one and ``rotate`` was not said.
        """
        name = self._inventory.device(device).name
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
        """Refuse every token of the device from now on. Raises ``NotFound`` when it has none."""
        name = self._inventory.device(device).name
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


def _is_usable(newer: Iterable[FeedToken], now: datetime) -> bool:
    """The newest token always is; one before it until a newer one has been in use for a day."""
    return all(token.first_used_at is None or now < token.first_used_at + ROTATION for token in newer)


# --- the book ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    pull: FeedPull
    token: TokenId | None


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

    def add(self, pull: FeedPull, token: TokenId | None) -> None:
        """Returns at once."""
        self._start()
        try:
            self._waiting.put_nowait(_Entry(pull, token))
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
        try:
            self.store.record_pulls([entry.pull for entry in entries], used)
        except StoreError as exc:
            log.warning("feed.pulls_not_recorded", count=len(entries), error=str(exc))
        except Exception as exc:  # the top of the thread: one bad entry must not end the book
            log.exception("feed.pulls_not_recorded", count=len(entries), error=str(exc))
