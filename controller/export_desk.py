"""How exports stand, and having something sent again. In any process; what sends is ``controller.exporting``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from controller.audit import AuditNote
from controller.errors import Invalid, NotFound
from controller.export.exporter import ExportView, target
from controller.export.following import Followed, follow
from controller.export.record import Origin, here
from controller.export.spool import look
from controller.exporting import spool_folder
from controller.inventory import Inventory
from controller.inventory.fields import did_you_mean
from controller.privacy_desk import PrivacyDesk
from controller.reach import EVERYWHERE, Reach
from controller.store import Store
from controller.views import Check
from core.clock import Clock
from core.errors import TokgateError

LATE: Final = timedelta(minutes=15)
"""Something that waits for so long is told of by health."""


@dataclass(slots=True, kw_only=True)
class ExportDesk:
    """One for a controller. Safe to use from any number of threads."""

    store: Store
    inventory: Inventory
    clock: Clock
    data_dir: Path
    privacy: PrivacyDesk
    origin: Origin = field(default_factory=here)
    reach: Reach = EVERYWHERE
    live: Callable[[], Mapping[str, ExportView]] | None = None
    """What the threads of this process say; None: they run in another one, or nowhere."""

    def within(self, reach: Reach) -> ExportDesk:
        """For who sees only some sites."""
        return replace(self, reach=reach)

    def views(self) -> list[ExportView]:
        """Every receiver of the inventory, by name. Raises ``SpoolFailed``."""
        if self.live is not None:
            return [view for _, view in sorted(self.live().items())]
        return [self._looked(name) for name in sorted(self.inventory.exports)]

    def view(self, name: str) -> ExportView:
        """Raises ``NotFound``."""
        self._refuse_unknown(name)
        return next(view for view in self.views() if view.name == name)

    def replay(self, name: str, *, since: datetime, actor: str) -> int:
        """Have everything sent again that was recorded at ``since`` or later, behind what waits, under the same ids.

        Returns how many entries of the journal that is, wanted there or not. Raises ``NotFound``, ``Invalid``.
        """
        self._refuse_unknown(name)
        if since > self.clock.now():
            raise Invalid("since: lies ahead")
        first = self.store.journal_before(since)
        note = AuditNote(actor=actor, action="export.replay", subject=name, detail={"since": since.isoformat()})
        self.store.ask_replay(name, first, audit=note)
        return self.store.journal(first, limit=1).head - first

    def follow(self, since: int, *, limit: int) -> Followed:
        """What was recorded after that place in the journal, for a caller who follows along.

        Raises ``Invalid`` for a place that is not reached yet: the store is older than the caller's cursor.
        """
        found = follow(self.store, since, privacy=self.privacy, limit=limit, sites=self.reach.sites)
        if since > found.head:
            raise Invalid(
                "since: ahead of everything that is recorded; was the store restored from a backup?",
                hint="begin anew without it, or with `since=now`",
            )
        return found

    def head(self) -> int:
        """The last place in the journal."""
        return self.store.journal(0, limit=1).head

    def checks(self) -> tuple[Check, ...]:
        """For health: whether something waits for too long; none where nothing is exported."""
        if not self.inventory.exports:
            return ()
        try:
            late = self._late()
        except TokgateError as exc:
            return (Check(name="exports", ok=False, message=str(exc)),)
        said = "; ".join(map(_said_late, late)) or f"receivers up to date: {len(self.inventory.exports)}"
        return (Check(name="exports", ok=not late, message=said),)

    def _late(self) -> list[ExportView]:
        before = self.clock.now() - LATE
        return [view for view in self.views() if view.trouble or (view.oldest is not None and view.oldest < before)]

    def _looked(self, name: str) -> ExportView:
        config = self.inventory.exports[name]
        view = ExportView(name=name, kind=config.kind, form=config.form, to=target(config))
        found = look(spool_folder(self.data_dir, name))
        if found is None:
            taken = self.store.export_mark(name).taken
            begun = taken if taken is not None else (0 if config.begin == "start" else self.head())
            return replace(view, behind=max(0, self.head() - begun))
        return replace(
            view,
            waiting=found.waiting,
            behind=max(0, self.head() - max(found.progress.cursor, found.cursor)),
            spool_bytes=found.size,
            oldest=found.oldest,
            progress=found.progress,
        )

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.inventory.exports:
            known = did_you_mean(name, self.inventory.exports)
            raise NotFound(f"no export {name[:40]!r} in the inventory{known}")


def _said_late(view: ExportView) -> str:
    age = "" if view.oldest is None else f", the oldest since {view.oldest:%F %T}Z"
    why = view.trouble or view.progress.last_error
    return f"{view.name}: {view.waiting} wait{age}" + (f": {why}" if why else "")


__all__ = ["ExportDesk"]
