"""Where exceptions are asked for, decided and ended: the rules of ``controller.exceptions`` over what is kept.

The desk decides nothing by itself but what time decides. Every change is in the audit log, or it is not made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from controller import exceptions as lifecycle
from controller.audit import AuditNote
from controller.errors import Conflict
from controller.exceptions import ExceptionPreview, ExceptionRequest
from controller.inventory import Inventory
from controller.model import AccessException, DeviceStatus, ExceptionState
from controller.store import Store
from core.clock import Clock
from core.ids import DeviceName, ExceptionId, SiteName, new_id


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
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._follow = follow

    # --- looking --------------------------------------------------------------------------------------------------

    def find(
        self, *, state: ExceptionState | None = None, site: str | None = None, live: bool | None = None
    ) -> tuple[AccessException, ...]:
        """In the order in which they were asked for."""
        now = self._clock.now()
        statuses = self._store.statuses()
        found = self._store.exceptions(state=state, site=SiteName(site) if site else None)
        return tuple(_shown(e, statuses) for e in found if live is None or e.is_live(now) is live)

    def get(self, exception_id: str) -> AccessException:
        """Raises ``NotFound``."""
        return _shown(self._store.exception(ExceptionId(exception_id)), self._store.statuses())

    def preview(self, request: ExceptionRequest) -> ExceptionPreview:
        """What the request would open where, and what stands against it. Changes nothing."""
        now = self._clock.now()
        sources = lifecycle.check_request(request, self._inventory, now)
        existing = self._store.exceptions(state=ExceptionState.APPROVED)
        return lifecycle.preview(request, sources, self._inventory, existing, now)

    # --- asking and deciding ----------------------------------------------------------------------------------------

    def request(self, request: ExceptionRequest, *, actor: str) -> AccessException:
        now = self._clock.now()
        sources = lifecycle.check_request(request, self._inventory, now)
        exception = lifecycle.new_exception(request, sources, new_id=new_id, actor=actor, now=now)
        self._store.add_exception(exception, audit=_note(actor, "exception.request", exception, exception.reason))
        return exception

    def approve(self, exception_id: str, *, actor: str) -> AccessException:
        """Approve, and send it to its devices at once when it is already due."""
        before = self.get(exception_id)
        after = lifecycle.approve(before, actor=actor, now=self._clock.now())
        return self._decide(before, after, "exception.approve", actor=actor, reason="")

    def deny(self, exception_id: str, *, actor: str, reason: str) -> AccessException:
        before = self.get(exception_id)
        after = lifecycle.deny(before, actor=actor, now=self._clock.now())
        return self._decide(before, after, "exception.deny", actor=actor, reason=reason)

    def revoke(self, exception_id: str, *, actor: str, reason: str) -> AccessException:
        """End it now; its devices are told at once."""
        before = self.get(exception_id)
        after = lifecycle.revoke(before, now=self._clock.now())
        return self._decide(before, after, "exception.revoke", actor=actor, reason=reason)

    def end_due(self) -> tuple[AccessException, ...]:
        """Close the books on approved exceptions whose time is over; the devices follow by their signature."""
        now = self._clock.now()
        over = [e for e in self._store.exceptions(state=ExceptionState.APPROVED) if e.ends <= now]
        ended = []
        for exception in over:
            after = lifecycle.end(exception)
            note = _note("system", "exception.end", exception, "its time is over")
            with suppress(Conflict):  # somebody revoked it in this very moment: also over
                self._store.update_exception(after, expected_state=ExceptionState.APPROVED, audit=note)
                ended.append(after)
        return tuple(ended)

    def _decide(
        self, before: AccessException, after: AccessException, action: str, *, actor: str, reason: str
    ) -> AccessException:
        note = _note(actor, action, after, reason)
        self._store.update_exception(after, expected_state=before.state, audit=note)
        self._follow(before, after)
        return after


def _shown(exception: AccessException, statuses: dict[DeviceName, DeviceStatus]) -> AccessException:
    live_on = tuple(sorted(name for name, status in statuses.items() if exception.id in status.exceptions))
    return replace(exception, live_on=live_on)


def _note(actor: str, action: str, exception: AccessException, reason: str) -> AuditNote:
    detail = {
        "sites": list(exception.sites),
        "sources": [str(s) for s in exception.sources],
        "service": exception.service,
        "starts": exception.starts.isoformat(),
        "ends": exception.ends.isoformat(),
        "state": exception.state.value,
        "owner": exception.owner,
        "ticket": exception.ticket,
    }
    return AuditNote(actor=actor, action=action, subject=exception.id, reason=reason, detail=detail)
