"""Proof of blocking in a browser: site by path, and what each field rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.sessions import PageCtl, PageReader
from api.web.filtering import Text, Word, here, is_named, one_of
from api.web.pages import PageRoute, page
from api.web.shown import zone_at
from api.web.wording import zone_of
from controller.proof.matrix import worst
from controller.proof.model import WORST, Path, ProofCell, ProofState
from controller.reports import as_html
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
SHOWN: Final = 100
"""Sites at first: of each there is a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One path at one site, over all who say something of it. ``age``: of the oldest of them."""

    state: str
    tone: str
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``worst``: None where nobody tried; what an exception lets pass counts only where there is nothing else."""

    site: str
    title: str
    zone: str
    worst: ProofState | None
    fields: tuple[Field | None, ...]
    cells: tuple[tuple[ProofCell, str, str, str], ...]  # with its path, its state and its tone, in words

    @property
    def place(self) -> tuple[int, str]:
        """Leaks first, then what is not known; sites that nobody tried are last."""
        return (len(WORST) if self.worst is None else WORST.index(self.worst), self.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which of the sites; all of those that fit, or the first ones. ``site``: that one alone, by its whole name."""

    site: Text = ""
    state: Word = ""
    q: Text = ""
    all: Word = ""

    @property
    def given(self) -> dict[str, str]:
        return {name: value for name in ("site", "state", "q") if (value := getattr(self, name))}

    def fitting(self, rows: Sequence[Row]) -> list[Row]:
        """Raises ``Invalid``."""
        state = one_of(ProofState, self.state, "state")
        return [
            row
            for row in rows
            if (not self.site or row.site == self.site)
            and (state is None or any(cell.state is state for cell, *_ in row.cells))
            and is_named(self.q, row.title, row.site)
        ]


@router.get("")
def proof_page(
    request: Request, controller: PageCtl, caller: PageReader, asked: Annotated[Asked, Depends()]
) -> Response:
    rows = _rows(controller)
    fitting = asked.fitting(rows)
    return page(
        request,
        controller,
        "proof.html",
        paths=list(PATHS.values()),
        rows=fitting if asked.all else fitting[:SHOWN],
        fitting=len(fitting),
        of_all=len(rows),
        asked=asked,
        more=urlencode({**asked.given, "all": "true"}),
        choices={state.value: said for state, (said, _) in STATES.items()},
        request_path=here(request),
        count=as_html.count,
        life=words(controller.settings.proof_life),
        zone=zone_at(controller, ""),
    )


def _rows(controller: Controller) -> list[Row]:
    now = controller.clock.now()
    found: dict[SiteName, list[ProofCell]] = {}
    for cell in controller.proofs.matrix():
        found.setdefault(cell.site, []).append(cell)
    rows = [
        Row(
            site=site.name,
            title=site.title or site.name,
            zone=zone_of([site]),
            worst=worst(cell.state for cell in _telling(cells)) if cells else None,
            fields=tuple(_field(cells, path, now) for path in PATHS),
            cells=tuple((cell, PATHS[cell.path], *STATES[cell.state]) for cell in sorted(cells, key=_worst_first)),
        )
        for site in controller.inventory.sites.values()
        for cells in (found.get(site.name, []),)
    ]
    return sorted(rows, key=lambda row: row.place)


def _worst_first(cell: ProofCell) -> int:
    return WORST.index(cell.state)


def _telling(cells: Sequence[ProofCell]) -> Sequence[ProofCell]:
    """What an exception lets pass says nothing of blocking, unless there is nothing else."""
    return [cell for cell in cells if cell.state not in _ENFORCING] or cells


def _field(cells: Iterable[ProofCell], path: Path, now: datetime) -> Field | None:
    telling = _telling([cell for cell in cells if cell.path is path])
    if not telling:
        return None
    state, tone = STATES[worst(cell.state for cell in telling)]
    return Field(state=state, tone=tone, age=words(now - min(cell.at for cell in telling)))
