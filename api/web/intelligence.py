"""The intelligence in a browser: what is in force, how each source does, what changed, and what is withheld and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.event_models import Alert
from api.sessions import PageCtl, PageReader
from api.snapshot_models import Difference, Snapshot, SnapshotHead
from api.source_models import Source
from api.web.filtering import Word
from api.web.pages import PageRoute, page
from api.web.shown import zone_at
from controller.service import Controller
from controller.store import AlertQuery
from core.errors import TokgateError
from ipsets.drift import Drift
from ipsets.errors import NoSnapshot
from ipsets.spans import words

router = APIRouter(prefix="/intelligence", include_in_schema=False, route_class=PageRoute)

SNAPSHOTS: Final = 30
ALERTS: Final = 10
LOOKED_AT: Final = 200
KINDS: Final = frozenset({*(kind.value for kind in Drift), "stale", "watched"})
"""Of alerts that are about the intelligence."""
CHANGES: Final = 200
DROPPED: Final = 100


@router.get("")
def intelligence_page(
    request: Request,
    controller: PageCtl,
    caller: PageReader,
    old: Word = "",
    new: Word = "",
    guard: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """``old`` and ``new``: the two snapshots to compare, by how their ids begin; the last change when left out."""
    error: TokgateError | None = None
    now, difference, shown = controller.clock.now(), None, None
    heads = [SnapshotHead.of(one) for one in controller.snapshots(limit=SNAPSHOTS)]
    try:
        shown = _in_force(controller)
        difference = _difference(controller, shown, heads, old, new)
    except TokgateError as exc:
        error = exc
    records = controller.sources()
    dropped = [one for one in shown.dropped if guard in ("", one.guard)] if shown else []
    return page(
        request,
        controller,
        "intelligence.html",
        error=error,
        shown=shown,
        age=words(now - shown.created_at) if shown else "",
        sources=Source.all_of(records, controller.troubles(records)),
        heads=heads,
        asked={"old": old, "new": new, "guard": guard},
        difference=difference,
        most=CHANGES,
        dropped=dropped[:DROPPED],
        left_out=max(0, len(dropped) - DROPPED),
        guards=sorted(Counter(one.guard for one in shown.dropped).items()) if shown else [],
        withdrawn=controller.emergencies.withdrawn(),
        alerts=_alerts(controller) if caller.sites is None else [],
        zone=zone_at(controller, ""),
    )


def _alerts(controller: Controller) -> list[Alert]:
    """The newest that are about networks and sources."""
    found = controller.alerts(limit=LOOKED_AT, wanted=AlertQuery())
    return [Alert.of(one) for one in found if one.kind in KINDS][:ALERTS]


def _in_force(controller: Controller) -> Snapshot | None:
    try:
        found = controller.snapshot()
    except NoSnapshot:
        return None
    return Snapshot.of(found, owners=controller.owners, indicators=False, pin=controller.pin())


def _difference(
    controller: Controller, shown: Snapshot | None, heads: Sequence[SnapshotHead], old: str, new: str
) -> Difference | None:
    """Between the two; of one that is not named, between what is in force and what was made before it.

    Raises ``NoSnapshot``.
    """
    if shown is None:
        return None
    second = controller.snapshot(new or shown.id)
    before = old or (_before(second.id, heads) if new else controller.store.in_force_before(second.id))
    if not before:
        return None
    first = controller.snapshot(before)
    return Difference.of(first.id, second.id, controller.diff_snapshots(first.id, second.id))


def _before(number: str, heads: Sequence[SnapshotHead]) -> str:
    """The one made before it, of those that are shown; empty when there is none."""
    made = {head.id: head.created_at for head in heads}
    earlier = (head.id for head in heads if head.id != number and head.created_at <= made.get(number, head.created_at))
    return next(earlier, "")
