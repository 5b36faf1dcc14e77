"""What is done in an emergency: an entry withdrawn everywhere, a site or the fleet taken to watching or off, a pause.

Pure but for ``EmergencyDesk``, which keeps what was decided. Each action has a reason and an end, or is nagged about;
each is told in the audit log, as an alert, as a metric and in reports. None empties a list by accident (I2): a
withdrawal that would leave a service without any entry of a kind has to be said twice (``withdrawing``), and *off*
takes rules away as the policy's own ``off``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.errors import Conflict, Invalid, NotAllowed, NotFound
from controller.exceptions import check_text
from controller.freezing import Frozen
from controller.inventory import Inventory, Policy, PolicyWindow, RolePolicy, Site
from controller.inventory.changes import Hold
from controller.model import Emergency, Mode, Window
from controller.model import EmergencyKind as Kind
from controller.modes import STRICTEST
from controller.reach import EVERYWHERE, Reach
from controller.rehearsal import rehearsal
from controller.store import Store
from controller.withdrawing import parse_value
from core.clock import Clock
from core.ids import new_id
from ipsets.spans import words
from ipsets.text import entry_text

log = structlog.get_logger()

NAG_EVERY: Final = timedelta(hours=24)
"""How often an alert tells again that something without an end still holds."""
LINGER: Final = timedelta(hours=1)
"""For so long after its end an action passes a freeze: what it took away comes back."""
MAX_ACTIVE: Final = 64
FRESH: Final = 0.2
"""Seconds for which what was read of the store is not read again."""


# --- what they mean -------------------------------------------------------------------------------------------------


def at_most(policy: Policy, mode: Mode) -> Policy:
    """The same policy, no stricter than ``mode`` at any time."""
    return policy.model_copy(update={"roles": {name: _role_at_most(role, mode) for name, role in policy.roles.items()}})


def _role_at_most(role: RolePolicy, mode: Mode) -> RolePolicy:
    windows = tuple(_window_at_most(window, mode) for window in role.windows)
    return role.model_copy(update={"mode": _milder(role.mode, mode), "windows": windows})


def _window_at_most(window: PolicyWindow, mode: Mode) -> PolicyWindow:
    return window.model_copy(update={"mode": _milder(window.mode, mode)})


def _milder(one: Mode, other: Mode) -> Mode:
    return max(one, other, key=STRICTEST.index)


def _is_over(emergency: Emergency, at: datetime) -> bool:
    return any(end is not None and end <= at for end in (emergency.ended_at, emergency.ends))


def lingers(emergency: Emergency, at: datetime) -> bool:
    """Whether it holds, or ended a short while ago."""
    over = min((end for end in (emergency.ended_at, emergency.ends) if end is not None), default=None)
    return emergency.starts <= at and (over is None or at < over + LINGER)


# --- keeping --------------------------------------------------------------------------------------------------------


class EmergencyDesk:
    """One for a controller. Safe to use from any number of threads; what other processes do is seen within ``FRESH``.

    It keeps and tells. That a list is put in force without what is withdrawn is ``controller.withholding``.
    """

    def __init__(self, store: Store, inventory: Inventory, clock: Clock) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._capped: dict[tuple[int, Mode], Policy] = {}  # one value for each, as policies are told by identity
        self._read: tuple[float, tuple[Emergency, ...]] | None = None
        self._reach = EVERYWHERE

    def within(self, reach: Reach, inventory: Inventory) -> EmergencyDesk:
        """The same desk for somebody whose access ends there; ``inventory`` knows no other sites.

        What holds everywhere is seen, and is not theirs to begin or to end.
        """
        narrow = copy(self)
        narrow._reach, narrow._inventory = reach, inventory
        return narrow

    # --- looking --------------------------------------------------------------------------------------------------

    def all(self) -> tuple[Emergency, ...]:
        """Every action that is remembered, the newest first."""
        return self._listed(self._known())

    def _listed(self, emergencies: Iterable[Emergency]) -> tuple[Emergency, ...]:
        return tuple(sorted(map(self._shown, filter(self._is_seen, emergencies)), key=lambda e: e.id, reverse=True))

    def _is_seen(self, emergency: Emergency) -> bool:
        return not emergency.sites or self._reach.touches(emergency.sites)

    def _shown(self, emergency: Emergency) -> Emergency:
        return replace(emergency, sites=self._reach.part_of(emergency.sites))

    def get(self, emergency_id: str) -> Emergency:
        """Raises ``NotFound``."""
        return self._shown(self._whole(emergency_id))

    def _whole(self, emergency_id: str) -> Emergency:
        found = next((e for e in self._known() if e.id == emergency_id and self._is_seen(e)), None)
        if found is None:
            raise NotFound(f"no emergency action {emergency_id[:40]!r}", hint="`tokgate emergency list` shows them")
        return found

    def _refuse_beyond(self, sites: Sequence[str]) -> None:
        """Raises ``NotAllowed``: it is for the fleet, or for sites of others."""
        if not sites and not self._reach.is_everywhere:
            raise NotAllowed("an action for the whole fleet takes access to all of it", hint="name your sites")
        self._reach.refuse_beyond("this action", sites)

    def _known(self) -> tuple[Emergency, ...]:
        """The schedule asks for every site every second."""
        now, read = time.monotonic(), self._read
        if read is not None and now - read[0] < FRESH and rehearsal() is None:
            return read[1]
        found = self._store.emergencies()
        self._read = (now, found) if rehearsal() is None else None
        return found

    def _put(self, emergency: Emergency, *, audit: AuditNote | None, alert: AlertNote) -> None:
        self._store.put_emergency(emergency, audit=audit, alert=alert)
        self._read = None

    def active(self, at: datetime | None = None) -> tuple[Emergency, ...]:
        """Those that hold, or will at that moment, the newest first."""
        moment = at or self._clock.now()
        return self._listed(e for e in self._known() if e.holds(moment))

    def withdrawn(self) -> tuple[Emergency, ...]:
        """What is off the list now; no live DNS answer may bring its networks into a block either."""
        return tuple(e for e in self.active() if e.kind is Kind.WITHDRAW)

    def policy_of(self, site: Site, at: datetime | None = None) -> Policy:
        """The site's policy, no stricter than the switches that hold, now or at that moment."""
        policy = self._inventory.policies[site.policy]
        modes = [e.mode for e in self.active(at) if e.kind is Kind.SWITCH and e.mode and e.is_at(site.name)]
        if not modes:
            return policy
        mildest = max(modes, key=STRICTEST.index)
        key = (id(policy), mildest)
        if key not in self._capped:
            self._capped[key] = at_most(policy, mildest)
        return self._capped[key]

    def why_mild(self, site: str) -> str:
        """The switch that holds a site to less than its policy; empty when none does."""
        return next((str(e) for e in self.active() if e.kind is Kind.SWITCH and e.is_at(site)), "")

    def during(self, window: Window, site: str) -> tuple[Emergency, ...]:
        """Those that held at the site at some moment of the window, in order."""
        return tuple(
            e
            for e in sorted(self._known(), key=lambda e: e.id)
            if e.is_at(site) and e.starts < window.end and not _is_over(e, window.start)
        )

    def paused(self, site: str, at: datetime | None = None) -> Frozen | None:
        """The pause that holds at a site; it lasts longest of several."""
        pauses = [e for e in self.active(at) if e.kind is Kind.PAUSE and e.is_at(site)]
        if not pauses:
            return None
        far = datetime.max.replace(tzinfo=pauses[0].starts.tzinfo)
        last = max(pauses, key=lambda e: e.ends or far)
        return Frozen(hold=Hold.EVERYTHING, reason=f"paused by {last.actor}: {last.reason}", until=last.ends)

    def passes_freeze(self, site: str) -> bool:
        """Whether a withdrawal or a switch holds there, or has just ended."""
        now = self._clock.now()
        return any(e.kind is not Kind.PAUSE and e.is_at(site) and lingers(e, now) for e in self._known())

    # --- acting ---------------------------------------------------------------------------------------------------

    def begin(
        self,
        kind: Kind,
        *,
        actor: str,
        reason: str,
        ends: datetime | None,
        value: str = "",
        mode: Mode | None = None,
        sites: Iterable[str] = (),
        empties: Iterable[str] = (),
    ) -> Emergency:
        """A new action, checked and not kept yet. Raises ``Invalid``, ``NotFound``, ``Conflict``."""
        check_text("reason", reason, required=True)
        now = self._clock.now()
        named = tuple(dict.fromkeys(self._inventory.site(site).name for site in sites))
        self._refuse_beyond(named)
        self._refuse_end(kind, ends, now)
        if kind is Kind.SWITCH and mode not in (Mode.MONITOR, Mode.OFF):
            raise Invalid("mode: monitor or off")
        if kind is Kind.WITHDRAW and named:
            raise Invalid("sites: a list is one for all sites", hint="an exception opens something at one site")
        if len(self.active()) >= MAX_ACTIVE:
            raise Conflict(f"{MAX_ACTIVE} emergency actions hold already", hint="end some first")
        return Emergency(
            id=new_id(), kind=kind, reason=reason.strip(), actor=actor, starts=now, ends=ends,
            value=entry_text(parse_value(value)) if kind is Kind.WITHDRAW else "", mode=mode, sites=named,
            empties=tuple(sorted(set(empties))),
        )  # fmt: skip

    def longest(self, kind: Kind) -> timedelta:
        """How far ahead the end of such an action may lie."""
        said = self._inventory.emergencies.longest
        return {Kind.WITHDRAW: said.withdraw, Kind.SWITCH: said.switch, Kind.PAUSE: said.pause}[kind]

    def _refuse_end(self, kind: Kind, ends: datetime | None, now: datetime) -> None:
        longest = self.longest(kind)
        if ends is not None and not now < ends <= now + longest:
            raise Invalid(
                f"ends: after now, and at most {words(longest)} ahead",
                hint="the inventory says so: emergencies.longest",
            )
        endless = self._inventory.emergencies.switch_without_end
        if ends is None and not (kind is Kind.SWITCH and endless):
            alone = (
                "a switch alone may hold until somebody ends it" if endless else "here a switch needs an end as well"
            )
            raise Invalid("ends: say until when", hint=alone)

    def keep(self, emergency: Emergency) -> None:
        """From now on it holds."""
        note = _note("begin", emergency).moving(None, _said(emergency))
        self._put(emergency, audit=note, alert=_alert(emergency, "began"))
        log.warning(f"emergency.{emergency.kind.value}", id=emergency.id, said=str(emergency))

    def end(self, emergency_id: str, *, actor: str, reason: str = "") -> Emergency:
        """Raises ``NotFound``; ``Conflict``: it is over."""
        check_text("reason", reason, required=False)
        found = self._whole(emergency_id)
        self._refuse_beyond(found.sites)
        now = self._clock.now()
        if not found.holds(now):
            raise Conflict(f"emergency action {found.id} is over already")
        over = replace(found, ended_at=now, ended_by=actor)
        self._close(over, actor=actor, reason=reason)
        return over

    def end_due(self) -> tuple[Emergency, ...]:
        """What time has ended, and a word about what has no end. Asked every second."""
        now = self._clock.now()
        done = []
        for emergency in self._known():
            if emergency.ended_at is not None:
                continue
            if emergency.ends is not None and emergency.ends <= now:
                over = replace(emergency, ended_at=emergency.ends, ended_by="system")
                self._close(over, actor="system", reason="its time is over")
                done.append(over)
            elif emergency.ends is None and now - (emergency.nagged_at or emergency.starts) >= NAG_EVERY:
                told = replace(emergency, nagged_at=now)
                self._put(told, audit=None, alert=_alert(told, "still holds"))
                log.warning("emergency.still_holds", id=told.id, said=str(told))
        return tuple(done)

    def _close(self, over: Emergency, *, actor: str, reason: str) -> None:
        ended = {"ended_at": over.ended_at and over.ended_at.isoformat(), "ended_by": over.ended_by}
        note = replace(_note("end", over), actor=actor, reason=reason).moving(None, ended)
        self._put(over, audit=note, alert=_alert(over, "ended"))
        log.warning("emergency.ended", id=over.id, by=actor, said=str(over))


def _note(verb: str, emergency: Emergency) -> AuditNote:
    return AuditNote(
        actor=emergency.actor,
        action=f"emergency.{verb}",
        subject=emergency.id,
        reason=emergency.reason,
        detail=_said(emergency),
    )


def _said(emergency: Emergency) -> dict[str, object]:
    return {
        "kind": emergency.kind.value,
        "value": emergency.value,
        "mode": emergency.mode.value if emergency.mode else "",
        "sites": list(emergency.sites),
        "empties": list(emergency.empties),
        "ends": emergency.ends.isoformat() if emergency.ends else None,
    }


def _alert(emergency: Emergency, what: str) -> AlertNote:
    """It names no site: alerts are shown to everybody."""
    subject = emergency.value or (f"{len(emergency.sites)} sites" if emergency.sites else "fleet")
    bare = f", which leaves {', '.join(emergency.empties)} with nothing of its kind" if emergency.empties else ""
    return AlertNote(
        kind=f"emergency-{emergency.kind.value}",
        subject=subject,
        message=f"emergency action {what}: {emergency.kind.value} {subject}{bare}, by {emergency.actor}",
        detail={"id": emergency.id, "actor": emergency.actor, "what": what},
    )


__all__ = ["EmergencyDesk", "at_most"]
