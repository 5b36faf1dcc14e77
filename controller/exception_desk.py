"""Where exceptions are asked for, decided and ended: the rules of ``controller.exceptions`` over what is kept.

The desk decides nothing by itself but what time decides. Every change is in the audit log, or it is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import wraps
from itertools import islice
from typing import Concatenate, Final, ParamSpec

from controller import exceptions as lifecycle
from controller.audit import AuditNote
from controller.errors import ChangedMeanwhile, Conflict, NotAllowed, NotFound
from controller.exceptions import ExceptionPreview, ExceptionRequest
from controller.inventory import Inventory
from controller.model import AccessException, ExceptionState, HostLookup, Use
from controller.reach import EVERYWHERE, Reach
from controller.remembered import Remembered
from controller.store import ExceptionQuery, Store
from controller.store.access import exception_unknown
from controller.store.exception_query import said_by
from core.clock import Clock
from core.ids import DeviceName, ExceptionId, SiteName, new_id
from vendors.registry import adapter_for

MAX_HISTORY: Final = 100
NOT_BEFORE: Final = timedelta(minutes=1)
"""Whether one is idle is not asked again sooner: while the counters of its devices cannot be read, nobody knows."""
MANY: Final = 2_000
"""Read at once where all are wanted."""


P = ParamSpec("P")
TRIES: Final = 3


def _anew_when_overtaken(
    decide: Callable[Concatenate[ExceptionDesk, P], AccessException],
) -> Callable[Concatenate[ExceptionDesk, P], AccessException]:
    """A decision is made of what is kept. When that became another in the same moment (a second approver, an address
    that a name was found to have), it is made anew of what is there then, so that neither is lost."""

    @wraps(decide)
    def decided(desk: ExceptionDesk, /, *args: P.args, **more: P.kwargs) -> AccessException:
        for _ in range(TRIES - 1):
            with suppress(ChangedMeanwhile):
                return decide(desk, *args, **more)
        return decide(desk, *args, **more)

    return decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which exceptions somebody wants to see. ``text``: somewhere in what is shown of them, whatever its case."""

    state: ExceptionState | None = None
    site: str | None = None
    live: bool | None = None  # whether they are in force now
    service: str | None = None
    code: str | None = None
    owner: str | None = None
    requested_by: str | None = None
    text: str | None = None


class ExceptionDesk:
    """One for a controller. Safe to use from any number of threads.

    ``follow(before, after)`` is called after each decision: the devices may have to change.
    """

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        clock: Clock,
        *,
        follow: Callable[[AccessException, AccessException], None],
        look_up: Callable[[AccessException], tuple[HostLookup, ...]] = lambda _: (),
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._follow = follow
        self._look_up = look_up
        self._reach = EVERYWHERE
        self._in_use_until: dict[ExceptionId, datetime] = {}  # not idle before: later use only puts that off
        self._seen = Remembered[AccessException, AccessException]()

    def within(self, reach: Reach, inventory: Inventory) -> ExceptionDesk:
        """The same desk for somebody whose access ends there; ``inventory`` knows no other sites.

        An exception that is also for other sites is seen without them, and not changed.
        """
        narrow = copy(self)
        narrow._reach, narrow._inventory = reach, inventory
        narrow._seen = Remembered()
        return narrow

    # --- looking --------------------------------------------------------------------------------------------------

    def find(self, wanted: Wanted | None = None) -> tuple[AccessException, ...]:
        """In the order in which they were asked for."""
        return tuple(self.listed(wanted or Wanted(), first=MANY))

    def listed(
        self, wanted: Wanted, after: str | None = None, *, newest_first: bool = False, first: int = 100
    ) -> Iterator[AccessException]:
        """The same, in either order, behind the one named. About as many are read as are taken; ``first`` at once."""
        query = replace(self._query(wanted), oldest_first=not newest_first)
        text = query.text
        batches = self._store.exception_batches(query, ExceptionId(after) if after else None, first=first)
        for batch in batches:
            shown = (self._shown(exception, holding) for exception, holding in batch)
            yield from shown if text is None else (e for e in shown if text in said_by(e))

    def count(self, wanted: Wanted, *, most: int) -> int:
        """How many there are; no further than ``most``."""
        if wanted.text is not None and not self._reach.is_everywhere:  # what is hidden of one may say it
            return sum(1 for _ in islice(self.listed(wanted, first=MANY), most))
        return self._store.exception_count(self._query(wanted), most=most)

    def _query(self, wanted: Wanted) -> ExceptionQuery:
        text = wanted.text.lower() if wanted.text is not None else None
        return ExceptionQuery(
            state=wanted.state,
            sites=self._within([SiteName(wanted.site)] if wanted.site else None),
            live=wanted.live,
            at=self._clock.now(),
            service=wanted.service,
            code=wanted.code,
            owner=wanted.owner,
            requested_by=wanted.requested_by,
            text=text,
            text_at=() if text is None else self._sites_with_a_device_that_says(text),
        )

    def _sites_with_a_device_that_says(self, text: str) -> tuple[SiteName, ...]:
        sites = self._inventory.sites.values()
        return tuple(s.name for s in sites if any(text in name.lower() for name in s.devices))

    def _within(self, sites: Iterable[SiteName] | None) -> Collection[SiteName] | None:
        """Those of the sites that lie within reach; of every site when None."""
        return self._reach.sites if sites is None else self._reach.part_of(sites)

    def _kept(self, exception_id: str) -> AccessException:
        """As it is kept. Raises ``NotFound``, also when all of it lies beyond reach."""
        found = self._store.exception(ExceptionId(exception_id))
        if not self._reach.touches(found.sites):
            raise exception_unknown(exception_id)
        return found

    def _to_change(self, exception_id: str) -> AccessException:
        """One that may be changed. Raises ``NotFound``; ``NotAllowed`` when it is also for sites beyond reach."""
        found = self._kept(exception_id)
        self._reach.refuse_beyond(f"exception {found.id}", found.sites)
        return self._now(found)

    def get(self, exception_id: str) -> AccessException:
        """Raises ``NotFound``."""
        return self._now(self._kept(exception_id))

    def preview(self, request: ExceptionRequest) -> ExceptionPreview:
        """What the request would open where, and what stands against it. Changes nothing."""
        return self._previewed(self._new(request, actor=""))

    def preview_of(self, exception_id: str) -> ExceptionPreview:
        """The same of one that was asked for: what an approver approves. Raises ``NotFound``."""
        return self._previewed(self.get(exception_id))

    def use(self, exception_id: str) -> Use:
        """What was counted of it so far. Raises ``NotFound``."""
        return self._use(self.get(exception_id))

    def _use(self, exception: AccessException) -> Use:
        known = (self._inventory.by_name.get(name) for name in exception.devices)
        silent = (d.name for d in known if d and not adapter_for(d.vendor, d.options, d.name).capabilities.exempt)
        return replace(self._store.exception_use(exception.id, sites=self._reach.sites), uncounted=tuple(silent))

    def _previewed(self, exception: AccessException) -> ExceptionPreview:
        existing = self._store.exceptions(state=ExceptionState.APPROVED, sites=self._within(exception.sites))
        exception = self._looked_up(exception)
        return lifecycle.preview(exception, self._inventory, existing, self._clock.now())

    def _looked_up(self, exception: AccessException) -> AccessException:
        return replace(exception, lookups=self._look_up(exception)) if exception.hosts else exception

    # --- asking and deciding ----------------------------------------------------------------------------------------

    def request(self, request: ExceptionRequest, *, actor: str, draft: bool = False) -> AccessException:
        """Ask for it; with ``draft`` only write it down.

        Raises ``Invalid``, ``NotFound``; ``Conflict`` where exceptions come from a file alone.
        """
        if self._inventory.exceptions.only_from_file:
            raise Conflict(
                "exceptions are declared in a file here", hint=f"add it to {self._inventory.exceptions.file}"
            )
        exception = self._new(request, actor=actor, draft=draft)
        action = "exception.draft" if draft else "exception.request"
        self._store.add_exception(exception, audit=note_of(actor, action, exception, exception.reason))
        return self._now(exception)

    @_anew_when_overtaken
    def submit(self, exception_id: str, *, actor: str) -> AccessException:
        """Hand a draft in, if what it asks for is still possible."""
        before = self._to_change(exception_id)
        after = lifecycle.submit(before, actor=actor, now=self._clock.now())
        lifecycle.check_request(lifecycle.request_again(after), self._inventory, self._clock.now())
        return self._decide(before, after, "exception.request", actor=actor, reason=after.reason)

    def renew(
        self, exception_id: str, *, ends: datetime, actor: str, reason: str = "", draft: bool = False
    ) -> AccessException:
        """Ask for the same once more, from its end on, or from now where that is past. Raises as ``request``."""
        before = self._undeclared(exception_id)
        again = lifecycle.request_again(before)
        starts = max(self._clock.now(), before.over_at)
        asked = replace(again, starts=starts, ends=ends, reason=reason or before.reason, renews=before.id)
        return self.request(asked, actor=actor, draft=draft)

    def history(self, exception_id: str) -> tuple[AccessException, ...]:
        """It and those that it renews, one by one, the newest first. Raises ``NotFound``."""
        found = [self.get(exception_id)]
        with suppress(NotFound):  # what it renews may lie beyond reach
            while (before := found[-1].renews) is not None and len(found) < MAX_HISTORY:
                found.append(self.get(before))
        return tuple(found)

    def _new(self, request: ExceptionRequest, *, actor: str, draft: bool = False) -> AccessException:
        now = self._clock.now()
        asked = lifecycle.check_request(request, self._inventory, now)
        if request.renews:
            self.get(request.renews)
        return lifecycle.new_exception(request, asked, new_id=new_id, actor=actor, now=now, draft=draft)

    @_anew_when_overtaken
    def approve(
        self, exception_id: str, *, actor: str, preview: str | None = None, reason: str = ""
    ) -> AccessException:
        """Approve, and send it to its devices at once when that was enough and it is already due.

        ``preview``: the digest of what the approver has seen. Raises ``Conflict`` when it would open something else by
        now.
        """
        before = self._to_change(exception_id)
        seen = self._previewed(before).digest
        if preview is not None and preview != seen:
            raise Conflict(
                f"exception {before.id} would open something else by now than what you saw",
                hint="look at its preview again, then decide",
            )
        rules = self._inventory.exceptions
        now, roles = self._clock.now(), self._store.roles_of(actor)
        after = lifecycle.approve(before, actor=actor, now=now, preview=seen, rules=rules, roles=roles)
        after = self._looked_up(after) if after.state is ExceptionState.APPROVED else after
        return self._decide(before, after, "exception.approve", actor=actor, reason=reason, preview=seen)

    @_anew_when_overtaken
    def deny(self, exception_id: str, *, actor: str, reason: str) -> AccessException:
        before = self._to_change(exception_id)
        after = lifecycle.deny(before, actor=actor, now=self._clock.now())
        return self._decide(before, after, "exception.deny", actor=actor, reason=reason)

    @_anew_when_overtaken
    def revoke(self, exception_id: str, *, actor: str, reason: str) -> AccessException:
        """End it now, a declared one too; its devices are told at once."""
        before = self._to_change(exception_id)
        after = lifecycle.revoke(before, now=self._clock.now())
        return self._decide(before, after, "exception.revoke", actor=actor, reason=reason)

    @_anew_when_overtaken
    def seat(self, exception_id: str, sources: Iterable[str], *, actor: str, may_all: bool = False) -> AccessException:
        """Give the seats of a team to these addresses; its lead may, and with ``may_all`` everybody.

        Raises ``NotAllowed``, ``Conflict`` when it has no seats or is over, ``Invalid`` for what is no address there.
        """
        before = self._undeclared(exception_id)
        if before.seats is not None and not may_all and actor != before.lead:
            raise NotAllowed("the seats of a team are given by its lead", hint=f"ask {before.lead or before.owner}")
        networks = lifecycle.check_networks(sources, before.sites, self._inventory)
        after = lifecycle.seat(before, networks, now=self._clock.now())
        return self._decide(before, after, "exception.seat", actor=actor, reason="")

    def _undeclared(self, exception_id: str) -> AccessException:
        """One that may be changed here. Raises ``NotFound``; ``Conflict``: a file declares it."""
        found = self._to_change(exception_id)
        if found.declared is not None:
            raise Conflict(
                f"exception {found.id} is declared in a file, as {found.declared.key}",
                hint=f"change it in {self._inventory.exceptions.file}; to end it at once, revoke it",
            )
        return found

    def end_due(self) -> tuple[AccessException, ...]:
        """What time makes of exceptions: ended, lapsed, idle, reminded of. The devices follow by their signature."""
        now, rules = self._clock.now(), self._inventory.exceptions
        done = []
        for state in (ExceptionState.DRAFT, ExceptionState.REQUESTED, ExceptionState.APPROVED):
            for exception in self._store.exceptions(state=state):
                use = self._use_if_idle(exception, now)
                after = lifecycle.due(exception, now=now, use=use, rules=rules)
                if after is None:
                    continue
                action, reason = _OF_TIME.get(after.state, _REMINDED)
                note = note_of("system", action, after, reason)
                with suppress(Conflict):  # somebody decided in this very moment
                    self._store.update_exception(after, expected_state=state, audit=note, instead_of=exception)
                    done.append(after)
        return tuple(done)

    def _use_if_idle(self, exception: AccessException, now: datetime) -> Use | None:
        """What was counted of it, once it may be idle by what was known; None before. Asked every second."""
        idle_after = lifecycle.rule_of(exception, self._inventory.exceptions).idle_after
        if exception.state is not ExceptionState.APPROVED or idle_after is None:
            return None
        first = lifecycle.idle_from(exception, Use()) + idle_after
        if now < self._in_use_until.get(exception.id, first):
            return None
        shown = self._shown(exception, ())
        use = self._use(shown)
        idle = exception.ends if use.uncounted else lifecycle.idle_from(exception, use) + idle_after
        self._in_use_until[exception.id] = max(idle, now + NOT_BEFORE)
        return replace(use, read_until=self._read_until(shown.devices)) if idle <= now else None

    def _read_until(self, devices: Iterable[DeviceName]) -> datetime | None:
        """Up to when the counters of all of them were read; None where one never was."""
        read = [self._store.last_reading(name) for name in devices]
        known = [reading.read_at for reading in read if reading is not None]
        return min(known) if known and len(known) == len(read) else None

    def _decide(
        self,
        before: AccessException,
        after: AccessException,
        action: str,
        *,
        actor: str,
        reason: str,
        preview: str | None = None,
    ) -> AccessException:
        note = note_of(actor, action, after, reason, **({"preview": preview} if preview else {}))
        self._store.update_exception(after, expected_state=before.state, audit=note, instead_of=before)
        self._follow(before, after)
        return after

    def _now(self, exception: AccessException) -> AccessException:
        return self._shown(exception, self._store.holding([exception.id]).get(exception.id, ()))

    def _shown(self, exception: AccessException, holding: tuple[DeviceName, ...]) -> AccessException:
        """Made again only when what is kept, or who holds it, is another: lists show the same ones again and again."""
        return self._seen.of(exception, holding, lambda: self._made(exception, holding))

    def _made(self, exception: AccessException, holding: Iterable[DeviceName]) -> AccessException:
        live_on = tuple(name for name in holding if self._sees(name))
        known = (self._inventory.sites[site].devices for site in exception.sites if site in self._inventory.sites)
        return replace(
            exception,
            sites=self._reach.part_of(exception.sites),
            lookups=tuple(found for found in exception.lookups if self._reach.has(found.site)),
            live_on=live_on,
            devices=tuple(name for devices in known for name in devices),
        )

    def _sees(self, device: DeviceName) -> bool:
        return self._reach.is_everywhere or device in self._inventory.by_name


_OF_TIME: Final = {
    ExceptionState.ENDED: ("exception.end", "its time is over"),
    ExceptionState.LAPSED: ("exception.lapse", "nobody decided in time"),
    ExceptionState.IDLE: ("exception.idle", "nobody used it"),
}
_REMINDED: Final = ("exception.remind", "it ends soon")


def note_of(actor: str, action: str, exception: AccessException, reason: str, **more: object) -> AuditNote:
    """What the audit log says of a change of it."""
    detail = {
        **more,
        "sites": list(exception.sites),
        "sources": [str(s) for s in exception.sources],
        "service": exception.service,
        "starts": exception.starts.isoformat(),
        "ends": exception.ends.isoformat(),
        "state": exception.state.value,
        "owner": exception.owner,
        "ticket": exception.ticket,
        "code": exception.code,
        "roles": list(exception.roles),
        "hosts": list(exception.hosts),
        "surface": exception.surface,
        "hours": [str(hours) for hours in exception.hours],
        "seats": exception.seats,
        "renews": exception.renews,
        "declared": exception.declared and exception.declared.key,
        "approvals": [f"{a.actor} {a.preview}" for a in exception.approvals],
    }
    return AuditNote(actor=actor, action=action, subject=exception.id, reason=reason, detail=detail)
