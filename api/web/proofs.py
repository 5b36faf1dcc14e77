"""Proof of blocking in a browser: site by path, and what each field rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web.pages import PageRoute, page
from api.web.shown import zone_at
from api.web.wording import zone_of
from controller.proof.matrix import worst
from controller.proof.model import Path, ProofCell, ProofState
from controller.service import Controller
from core.ids import SiteName
from ipsets.spans import words

router = APIRouter(prefix="/proof", include_in_schema=False, route_class=PageRoute)
PATHS: Final = {
    Path.TCP: "TCP 443",
    Path.TCP6: "TCP 443, IPv6",
    Path.QUIC: "QUIC",
    Path.QUIC6: "QUIC, IPv6",
    Path.DNS: "DNS",
}
STATES: Final = {
    ProofState.BLOCKED: ("blocked", "good"),
    ProofState.LEAKING: ("leaking", "bad"),
    ProofState.OPEN: ("open, as meant", ""),
    ProofState.CLOSED: ("blocked though excepted", "warn"),
    ProofState.UNKNOWN: ("unknown", "warn"),
}
_ENFORCING: Final = (ProofState.OPEN, ProofState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One path at one site, over all who say something of it. ``age``: of the oldest of them."""

    state: str
    tone: str
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    site: str
    title: str
    zone: str
    fields: tuple[Field | None, ...]
    cells: tuple[tuple[ProofCell, str, str, str], ...]  # with its path, its state and its tone, in words


@router.get("")
def proof_page(request: Request, controller: PageCtl, caller: PageReader) -> Response:
    return page(
        request,
        controller,
        "proof.html",
        paths=list(PATHS.values()),
        rows=list(_rows(controller)),
        life=words(controller.settings.proof_life),
        zone=zone_at(controller, ""),
    )


def _rows(controller: Controller) -> Iterable[Row]:
    now = controller.clock.now()
    found: dict[SiteName, list[ProofCell]] = {}
    for cell in controller.proofs.matrix():
        found.setdefault(cell.site, []).append(cell)
    rows = [
        Row(
            site=site.name,
            title=site.title or site.name,
            zone=zone_of([site]),
            fields=tuple(_field(cells, path, now) for path in PATHS),
            cells=tuple((cell, PATHS[cell.path], *STATES[cell.state]) for cell in cells),
        )
        for site in controller.inventory.sites.values()
        for cells in (found.get(site.name, []),)
    ]
    return sorted(rows, key=lambda row: (not any(f and f.tone == "bad" for f in row.fields), row.site))


def _field(cells: Iterable[ProofCell], path: Path, now: datetime) -> Field | None:
    """What an exception lets pass says nothing of blocking, unless there is nothing else."""
    here = [cell for cell in cells if cell.path is path]
    telling = [cell for cell in here if cell.state not in _ENFORCING] or here
    if not telling:
        return None
    state, tone = STATES[worst(cell.state for cell in telling)]
    return Field(state=state, tone=tone, age=words(now - min(cell.at for cell in telling)))
