"""The intelligence, entry by entry: what is enforced, who named it, what guards took out; and how that came to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.auth import Ctl, Reader
from api.models import Digest
from api.pages import Paging, Sorted, not_ours, paged_from
from api.reference import answers
from api.routes.snapshots import list_snapshots
from api.routes.sources import list_sources
from api.snapshot_models import Difference, Dropped, Enforced, Indicator, Shown, ShownHead, show_value
from controller.service import Controller
from core.net import DomainName, Network, sort_key
from ipsets import model as intel
from ipsets.choice import Choice, contains
from ipsets.errors import NoSnapshot
from ipsets.text import read_entry, sha256

router = APIRouter(prefix="/intel", tags=["intel"])
router.get("/sources", summary="All sources")(list_sources)
router.get("/history", summary="Snapshots, the newest first")(list_snapshots)

T = TypeVar("T")
A = TypeVar("A")

Which = Annotated[Digest | None, Query(description="by how its id begins; the one in force when left out")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=80)]


@router.get("/show", summary="What is enforced, entry by entry", responses=answers(404))
def show(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    snapshot: Which = None,
    service: Annotated[Word | None, Query(description="only of this service")] = None,
) -> Shown[Enforced]:
    """Networks, then names, of each service; with what else is known of the snapshot."""

    def rows(found: intel.Snapshot) -> Iterable[tuple[str, str, Network | DomainName]]:
        for of in found.services:
            entries: tuple[Network | DomainName, ...] = (*of.networks, *of.domains)
            yield from ((f"{of.service}/{_place(entry)}", of.service, entry) for entry in entries)

    return _listed(
        controller,
        of="entries",
        snapshot=snapshot,
        ask=ask,
        rows=rows,
        key=lambda row: row[0],
        wanted=lambda row: service in (None, row[1]) and contains(show_value(row[2]), ask.q),
        show=lambda row: Enforced.of(row[1], row[2]),
    )


@router.get("/show/indicators", summary="Every entry that a source named", responses=answers(404))
def show_indicators(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    snapshot: Which = None,
    app: Annotated[Word | None, Query(description="only of this app", examples=["tiktok"])] = None,
    source: Annotated[
        Word | None,
        Query(description="only those that this source, or this kind of source, names", examples=["ripestat"]),
    ] = None,
    owner: Annotated[Word | None, Query(description="only of this owner", examples=["bytedance"])] = None,
    category: Annotated[Word | None, Query(description="only of this category", examples=["announced"])] = None,
) -> Shown[Indicator]:
    """Before aggregation, enforced or not, each with its sources and their dates."""

    choice = Choice(app=app, owner=owner, category=category, source=source, text=ask.q)
    owners = controller.owners
    return _listed(
        controller,
        of="indicators",
        snapshot=snapshot,
        ask=ask,
        rows=lambda found: found.indicators,
        key=lambda row: f"{_place(row.value)}/{row.app}",
        wanted=lambda row: choice.takes(row, owners),
        show=lambda row: Indicator.of(row, owners),
    )


@router.get("/show/dropped", summary="What guards took out, and why", responses=answers(404))
def show_dropped(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    snapshot: Which = None,
    guard: Annotated[Word | None, Query(description="only by this guard", examples=["never-block"])] = None,
) -> Shown[Dropped]:
    """By guard, then by entry."""

    return _listed(
        controller,
        of="dropped",
        snapshot=snapshot,
        ask=ask,
        rows=lambda found: found.dropped,
        key=lambda row: f"{row.guard}/{_place_of(row.entry)}/{sha256(row.reason)[:16]}",
        wanted=lambda row: guard in (None, row.guard) and contains(row.entry, ask.q),
        show=lambda row: Dropped(guard=row.guard, entry=row.entry, reason=row.reason),
    )


@router.get("/diff", summary="How two snapshots differ, and why", responses=answers(404))
def diff(controller: Ctl, caller: Reader, old: Digest | None = None, new: Digest | None = None) -> Difference:
    """From one snapshot to another; by default to the one in force from the one before. Each entry says why."""
    first, second = controller.compared(old, new)
    return Difference.of(first.id, second.id, controller.diff_snapshots(first.id, second.id))


# --- pages of one snapshot --------------------------------------------------------------------------------------------


def _listed(
    controller: Controller,
    *,
    of: str,
    snapshot: str | None,
    ask: Paging,
    rows: Callable[[intel.Snapshot], Iterable[T]],
    key: Callable[[T], str],
    wanted: Callable[[T], bool],
    show: Callable[[T], A],
) -> Shown[A]:
    """One page in the order of the keys. A walk stays with the snapshot that it began with: its cursors name it."""
    found, after = _opened(controller, snapshot, ask.after(of))
    chosen = [row for row in rows(found) if wanted(row)]
    page = paged_from(
        ask.next_of(chosen, key=key, after=after),
        of=of,
        key=lambda row: f"{found.id[:_ID]}/{key(row)}",
        show=show,
        ask=ask,
        count=len(chosen) if ask.count else None,
    )
    head = ShownHead.of(found, pin=controller.pin())
    return Shown(snapshot=head, items=page.items, next_cursor=page.next_cursor, count=page.count)


_ID = 12
"""Digits of a snapshot's id in a cursor."""


def _opened(controller: Controller, snapshot: str | None, place: str | None) -> tuple[intel.Snapshot, str | None]:
    """The snapshot, and the key of the last row that was shown already."""
    if place is None:
        return controller.snapshot(snapshot), None
    begun, _, after = place.partition("/")
    try:
        found = controller.snapshot(begun)
    except NoSnapshot as exc:  # dropped since the page before, or never ours
        raise not_ours() from exc
    if snapshot is not None and not found.id.startswith(snapshot):
        raise not_ours()
    return found, after


def _place(entry: Network | DomainName) -> str:
    """Text that sorts as entries do: IPv4, IPv6, names; fit for a cursor."""
    if isinstance(entry, DomainName):
        return f"9{int(entry.suffix)}{entry.name}"
    version, first, length = sort_key(entry)
    return f"{version}{first:032x}{length:03d}"


def _place_of(text: str) -> str:
    """The same of an entry as text; what is none stands last."""
    try:
        return _place(read_entry(text))
    except ValueError:
        return f"z{sha256(text)[:32]}"
