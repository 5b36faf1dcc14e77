"""Privacy, asked of the store: how clients are called where something leaves, and who may see who they are.

Whatever shows events, episodes or reports to anybody asks here first; nothing of what it gives back tells more of a
client than the inventory's ``privacy`` allows. Clear identities leave by ``identities`` alone: read by who asked for
them, after another person allowed it, and each time written down.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from controller.access_roles import may_be_one_person
from controller.audit import AuditNote
from controller.errors import Invalid, NotAllowed, NotFound, NotUnmasked
from controller.evidence.model import Episode
from controller.exceptions import check_text
from controller.inventory import Inventory
from controller.inventory.privacy import Identities, SitePrivacy
from controller.model import DetectionEvent, Window
from controller.privacy import unmasking
from controller.privacy.alias import PSEUDONYM, Alias
from controller.privacy.unmasking import HOURS, MOST_HOURS, Unmasking, UnmaskingState
from controller.privacy.veil import OPEN, Of, Veil, pseudonym
from controller.reach import EVERYWHERE, Reach
from controller.rehearsal import in_earnest
from controller.reports.making import SiteReport
from controller.reports.ranges import Asked, unit_at
from controller.store import EpisodeQuery, EventQuery, Store
from controller.store.adding import day_of
from core.clock import Clock
from core.ids import SiteName, new_id

Q = TypeVar("Q", EpisodeQuery, EventQuery)

COUNTED_FOR: Final = 60.0
"""Seconds for which it is believed how many clients a site had, and whom a pseudonym stands for."""
REMEMBERED: Final = 4_096
LONGEST: Final = timedelta(days=400)
MOST_LISTED: Final = 1_000
SHOWN: Final = 1_000
"""Identities that one unmasking tells."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskingRequest:
    """What somebody asks to see. ``pseudonym`` empty: every client of the site in that time."""

    site: str
    since: datetime
    until: datetime
    reason: str
    pseudonym: str = ""
    ticket: str = ""
    hours: int = HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasked:
    """Who a pseudonym is. ``period``: in which it stands for them."""

    pseudonym: str
    of: Of
    identity: str
    period: str


@dataclass(slots=True, kw_only=True)
class _Memory:
    """Shared by the desks of one controller."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: OrderedDict[tuple[str, datetime], bytes] = field(default_factory=OrderedDict)
    counts: OrderedDict[tuple[str, datetime, int], tuple[float, bool]] = field(default_factory=OrderedDict)
    aliases: OrderedDict[tuple[str, str, datetime], tuple[float, Alias | None]] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyDesk:
    """One for a controller. Safe to use from any number of threads."""

    store: Store
    inventory: Inventory
    clock: Clock
    reach: Reach = EVERYWHERE
    memory: _Memory = field(default_factory=_Memory)

    def within(self, reach: Reach, inventory: Inventory) -> PrivacyDesk:
        return replace(self, reach=reach, inventory=inventory)

    # --- what leaves ----------------------------------------------------------------------------------------------

    def at(self, site: str | None) -> SitePrivacy:
        return self.inventory.privacy_at(site)

    def event(self, event: DetectionEvent) -> DetectionEvent:
        return self.veil(event.site, event.window.end).event(event) if event.sources else event

    def episode(self, episode: Episode) -> Episode:
        return self.veil(episode.site, episode.window.end).episode(episode)

    def message(self, body: str) -> str:
        """Of a webhook, as it may leave; what is about no event and no episode stays as it is, to the byte."""
        if not self.inventory.closed():
            return body
        said = json.loads(body)
        for name, items in said["data"].items():
            if isinstance(items, list) and items and isinstance(items[0], dict):
                said["data"][name] = [self._item(item) for item in items]
        return json.dumps(said, separators=(",", ":"), ensure_ascii=False)

    def _item(self, said: dict[str, Any]) -> dict[str, Any]:
        if "end" not in said or "site" not in said or not {"sources", "host"} & said.keys():
            return said
        return self.veil(str(said["site"]), datetime.fromisoformat(str(said["end"]))).item(said)

    def report(self, report: SiteReport, *, clients: int, in_house: bool) -> SiteReport:
        """``clients``: how many were seen. ``in_house``: for who reads lists, not to be passed on."""
        privacy = self.at(report.site)
        fewest = privacy.fewest_in_lists if in_house else privacy.fewest_in_reports
        if clients < fewest:
            note = f"Fewer than {fewest} clients were seen at this site in this time: nobody is named."
            return Veil(identities=Identities.HIDDEN).report(report, note=note)
        key = None if privacy.identities is not Identities.PSEUDONYMS else self._key_over(privacy, report.window)
        identities = privacy.identities if key or privacy.identities is Identities.SHOWN else Identities.HIDDEN
        note = _NOTES.get(identities, "")
        return Veil(identities=identities, site=report.site, key=key or b"").report(report, note=note)

    def veil(self, site: str, end: datetime) -> Veil:
        """How clients are called in what was over at ``end``."""
        privacy = self.at(site)
        if privacy.is_open:
            return OPEN
        if privacy.identities is Identities.HIDDEN:
            return Veil(identities=Identities.HIDDEN)
        period = period_of(privacy, end)
        if privacy.fewest_in_lists and not self._has(site, period.window, privacy.fewest_in_lists):
            return Veil(identities=Identities.HIDDEN)
        if privacy.identities is Identities.SHOWN:
            return OPEN
        key = self._key(period)
        return Veil(identities=Identities.PSEUDONYMS if key else Identities.HIDDEN, site=site, key=key or b"")

    def refuse_by_identity(self, site: str | None) -> None:
        """Whoever asks for the events of one address learns whether it was there. Raises ``NotUnmasked``."""
        if closed := self.inventory.closed(site):
            raise NotUnmasked(
                f"{', '.join(closed[:5])}: identities are not shown there, so nothing is found by them",
                hint="name a site where they are, or find by a pseudonym; who that is: `tokgate unmask ask`",
            )

    def is_searchable(self, site: str | None) -> bool:
        """Whether text may be looked for in addresses, hosts and users."""
        return not self.inventory.closed(site)

    def named(self, wanted: Q) -> Q:
        """The same question, with whom its pseudonym stands for. Raises as ``aliases``."""
        if wanted.pseudonym is None:
            return wanted
        found = self.aliases(wanted.site, wanted.pseudonym, since=wanted.since, until=wanted.until)
        return replace(wanted, aliases=found)

    def aliases(
        self, site: str | None, name: str, *, since: datetime | None, until: datetime | None
    ) -> tuple[Alias, ...]:
        """Whom a pseudonym stands for at the site, period by period, as lists there call its clients; none where it is
        nobody's, or where nobody has a name. For a list to be narrowed by: it is told to nobody.

        Raises ``Invalid`` without a site, or when clients have no pseudonyms there: by the inventory alone, never by
        what was seen.
        """
        if site is None:
            raise Invalid("pseudonym: name the site too", hint="at another site the same client has another pseudonym")
        if not PSEUDONYM.fullmatch(name):
            raise Invalid("pseudonym: as lists write it, client-… or user-…, and twelve letters or digits")
        privacy = self.at(site)
        if privacy.identities is not Identities.PSEUDONYMS:
            raise Invalid(f"pseudonym: at {site} clients have none; they are {privacy.identities.value}")
        if not self.reach.has(SiteName(site)):
            return ()
        periods = self.store.identity_periods(privacy.period.value, since=since, until=until)
        return tuple(found for one in periods if (found := self._alias(site, name, one)) is not None)

    def _alias(self, site: str, name: str, period: Window) -> Alias | None:
        veil = self.veil(site, period.end)
        if veil.identities is not Identities.PSEUDONYMS:
            return None  # too few of them: lists name nobody there either
        now, where = self.clock.monotonic(), (site, name, period.start)
        with self.memory.lock:
            known = self.memory.aliases.get(where)
        if known is not None and 0 <= now - known[0] < COUNTED_FOR:
            return known[1]
        found = self._searched(veil, site, name, period)
        if found is not None or period.end <= self.clock.now():  # who was seen just now is found at once
            with self.memory.lock:
                _keep(self.memory.aliases, where, (now, found))
        return found

    def _searched(self, veil: Veil, site: str, name: str, period: Window) -> Alias | None:
        if name.startswith(Of.USER):
            users = frozenset(user for user in self.store.users_in(site, period) if veil.user(user) == name)
            return Alias(window=period, users=users) if users else None
        clients = frozenset(who for who in self.store.clients_in(site, period) if veil.client(who) == name)
        return Alias(window=period, clients=clients) if clients else None

    # --- unmasking ------------------------------------------------------------------------------------------------

    def ask(self, wanted: UnmaskingRequest, *, actor: str) -> Unmasking:
        """Raises ``Invalid``; ``NotFound`` for a site, or a pseudonym that stands for nobody there."""
        site = self.inventory.site(wanted.site)
        check_text("reason", wanted.reason, required=True)
        check_text("ticket", wanted.ticket, required=False)
        if not 1 <= wanted.hours <= MOST_HOURS:
            raise Invalid(f"hours: from 1 to {MOST_HOURS}")
        window = _days(wanted.since, wanted.until)
        if window.end - window.start > LONGEST:
            raise Invalid(f"since: {LONGEST.days} days at most")
        asked = Unmasking(
            id=new_id(),
            site=site.name,
            window=window,
            pseudonym=wanted.pseudonym.strip().lower(),
            reason=wanted.reason.strip(),
            ticket=wanted.ticket.strip(),
            hours=wanted.hours,
            requested_by=actor,
            requested_at=self.clock.now(),
        )
        if asked.pseudonym and next(self._found(asked), None) is None:
            raise NotFound(
                f"pseudonym: {site.name} knows no {asked.pseudonym[:40]!r} in that time", hint=_HINT_PSEUDONYM
            )
        self.store.add_unmasking(asked, audit=asked.note("ask", actor, before=None))
        return asked

    def decide(self, name: str, decision: UnmaskingState, *, actor: str, why: str) -> Unmasking:
        """Raises ``SecondPersonNeeded``, ``Conflict``, ``NotFound``, ``Invalid``."""
        check_text("reason", why, required=decision is UnmaskingState.DENIED)
        self.one(name)
        action = "approve" if decision is UnmaskingState.APPROVED else "deny"
        return self.store.change_unmasking(
            name,
            lambda asked: unmasking.decided(asked, decision, actor=actor, why=why.strip(), now=self.clock.now()),
            lambda before, now: now.note(action, actor, before=before, reason=why.strip()),
        )

    def end(self, name: str, *, actor: str, may_decide: bool) -> Unmasking:
        """Give it back before its time; of somebody else, only who may decide. Raises ``Conflict``, ``NotFound``,
        ``NotAllowed``."""
        asked = self.one(name)
        if not may_decide and not may_be_one_person(actor, asked.requested_by):
            raise NotAllowed("an unmasking is ended by who asked for it, or by who may decide on it")
        return self.store.change_unmasking(
            name,
            lambda kept: unmasking.ended(kept, actor=actor, now=self.clock.now()),
            lambda before, now: now.note("end", actor, before=before),
        )

    def one(self, name: str) -> Unmasking:
        """Raises ``NotFound``, also for one of a site out of reach."""
        found = self.store.unmasking(name)
        return found if self.reach.has(found.site) else self.store.unmasking("")

    def listed(self, *, limit: int, before: str | None = None) -> list[Unmasking]:
        """The newest first."""
        found: list[Unmasking] = []
        while len(found) < limit:
            some = list(self.store.unmaskings(limit=limit, before=before))
            found += [one for one in some if self.reach.has(one.site)]
            if len(some) < limit:
                break
            before = some[-1].id
        return found[:limit]

    def identities(self, name: str, *, actor: str) -> tuple[Unmasking, list[Unmasked]]:
        """Who it is. Written down each time. Raises ``NotUnmasked``, ``NotFound``."""
        self.one(name)
        asked = self.store.change_unmasking(
            name,
            lambda asked: unmasking.read(asked, actor=actor, now=self.clock.now()),
            lambda before, now: now.note("read", actor, before=before),
        )
        return asked, [one for one, _ in zip(self._found(asked), range(SHOWN), strict=False)]

    def _found(self, asked: Unmasking) -> Iterator[Unmasked]:
        privacy = self.at(asked.site)
        told = set[tuple[str, str]]()
        for period, window, key in self._names(privacy, asked.window):
            people = [(Of.CLIENT, self.store.clients_in(asked.site, window))]
            people.append((Of.USER, self.store.users_in(asked.site, window)))
            for of, identities in people:
                for identity in sorted(identities):
                    name = pseudonym(key, asked.site, of, identity)
                    if asked.pseudonym in ("", name) and (name, identity) not in told:
                        told.add((name, identity))
                        yield Unmasked(pseudonym=name, of=of, identity=identity, period=period)

    def _names(self, privacy: SitePrivacy, window: Window) -> Iterator[tuple[str, Window, bytes]]:
        """Each period in the window, and the window as a report over it names its clients."""
        periods = periods_of(privacy, window)
        for period in periods:
            if (key := self._key(period)) is not None:
                whole = period.window
                yield period.name, Window(max(whole.start, window.start), min(whole.end, window.end)), key
        if len(periods) > 1 and (joined := self._key_over(privacy, window)) is not None:
            yield f"{periods[0].name}..{periods[-1].name}", window, joined

    # --- keys -----------------------------------------------------------------------------------------------------

    def _key(self, period: Asked) -> bytes | None:
        where = (period.unit, period.window.start)
        with self.memory.lock:
            if (known := self.memory.keys.get(where)) is not None:
                return known
        with in_earnest():  # a name that was told in a dry run stays that client's
            key = self.store.identity_key(period.unit, period.window)
        if key is not None:
            with self.memory.lock:
                _keep(self.memory.keys, where, key)
        return key

    def _key_over(self, privacy: SitePrivacy, window: Window) -> bytes | None:
        """Of a time that touches several periods: another one, so that its names tell nothing about theirs."""
        keys = [self._key(period) for period in periods_of(privacy, window)]
        if any(key is None for key in keys):
            return None
        known = [key for key in keys if key is not None]
        return known[0] if len(known) == 1 else hashlib.sha256(b"".join(known)).digest()

    def _has(self, site: str, window: Window, few: int) -> bool:
        now, where = self.clock.monotonic(), (site, window.start, few)
        with self.memory.lock:
            known = self.memory.counts.get(where)
        if known is not None and 0 <= now - known[0] < COUNTED_FOR:
            return known[1]
        found = self.store.clients_at_least(site, window, few)
        with self.memory.lock:
            _keep(self.memory.counts, where, (now, found))
        return found

    def destroy_old_keys(self, before: datetime, *, actor: str) -> int:
        """Those of periods that ended before: what was told under their pseudonyms is nobody's any more."""
        note = AuditNote(
            actor=actor, action="pseudonyms.destroy", subject="keys", detail={"before": before.isoformat()}
        )
        gone = self.store.destroy_identity_keys(before, audit=note)
        if gone:
            with self.memory.lock:
                self.memory.keys.clear()
                self.memory.aliases.clear()
        return gone


_HINT_PSEUDONYM: Final = "copy it from a list or report of that site, and name the days that it is about"
_NOTES: Final = {
    Identities.PSEUDONYMS: "Clients and users stand under pseudonyms that are good for this time only.",
    Identities.HIDDEN: "Clients and users are not named at this site.",
}


def period_of(privacy: SitePrivacy, end: datetime) -> Asked:
    """The period that a time which is over at ``end`` belongs to."""
    return unit_at(privacy.period.value, (end.astimezone(UTC) - timedelta.resolution).date(), "UTC")


def periods_of(privacy: SitePrivacy, window: Window) -> list[Asked]:
    """Those that the window touches, in order."""
    found, at = list[Asked](), window.start.astimezone(UTC)
    while at < window.end:
        found.append(unit_at(privacy.period.value, at.date(), "UTC"))
        at = found[-1].window.end
    return found


def _days(since: datetime, until: datetime) -> Window:
    """Whole days of UTC. Raises ``Invalid``."""
    if until <= since:
        raise Invalid("since: must lie before until")
    first, last = day_of(since), day_of(until)
    return Window(first, last if last == until else last + _ONE_DAY)


def _keep(memory: OrderedDict[Any, Any], where: object, what: object) -> None:
    memory[where] = what
    memory.move_to_end(where)
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)


__all__ = ["PrivacyDesk", "Unmasked", "UnmaskingRequest", "period_of", "periods_of"]
