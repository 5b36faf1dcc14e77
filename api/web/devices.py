"""One firewall in a browser: what it is and can do, what it was last read back holding, and what is proven by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.device_models import Device
from api.run_models import KnownDrift
from api.sessions import PageCtl, PageReader
from api.web.filtering import Word
from api.web.fleet import DAY
from api.web.pages import PageRoute, page
from api.web.proofs import PATHS, STATES
from api.web.runs import OUTCOMES
from api.web.shown import zone_of
from api.web.wording import ABILITIES, SPANS, TRANSACTIONS
from controller.coverage import Coverage
from controller.errors import Invalid
from controller.model import CoverageState, DeviceRun, Run, Window
from controller.reports import as_html
from controller.service import Controller
from controller.store import RunQuery
from core.ids import DeviceName
from vendors.model import Capabilities
from vendors.registry import adapter_for

router = APIRouter(prefix="/devices", include_in_schema=False, route_class=PageRoute)

RUNS: Final = 5
REASONS: Final = 10


@router.get("/{name}")
def device_page(request: Request, controller: PageCtl, caller: PageReader, name: str, days: Word = "1") -> Response:
    """One device over the last days. Nothing is asked of the device itself."""
    if days not in SPANS:
        raise Invalid(f"days: {days!r} cannot be shown", hint=f"it is one of {', '.join(SPANS)}")
    known = controller.inventory.device(name)
    view = controller.device(name)
    now, zone = controller.clock.now(), zone_of(controller, [known.site])
    window = Window(now - int(days) * DAY, now)
    covered = controller.coverage.site(known.site, window).devices.get(known.name, Coverage(spans=()))
    last, changes = _last_runs(controller, known.name)
    drift, device = KnownDrift.of(view), Device.of(view)
    can = adapter_for(known.vendor, known.options, known.name).capabilities
    return page(
        request,
        controller,
        "device.html",
        device=device,
        in_doubt=view.status is not None and view.status.in_doubt,
        drift=drift,
        can=abilities(can),
        can_notes=can.notes,
        reading=controller.store.last_reading(known.name),
        cells=[
            (cell, PATHS[cell.path], *STATES[cell.state])
            for cell in controller.proofs.matrix(known.site)
            if cell.origin == known.name
        ],
        runs=last,
        changes=changes,
        outcomes=OUTCOMES,
        days=days,
        spans=SPANS,
        coverage_bars=as_html.coverage_bars(covered.spans, ZoneInfo(zone)),
        seconds={state: covered.total(state) / timedelta(seconds=1) for state in CoverageState},
        reasons=[span for span in reversed(covered.spans) if span.cause][:REASONS],
        states=as_html.STATES,
        count=as_html.count,
        size=as_html.size,
        duration=as_html.duration,
        zone=zone,
    )


def _last_runs(
    controller: Controller, name: DeviceName
) -> tuple[list[tuple[Run, DeviceRun]], tuple[str, tuple[str, ...]]]:
    """The last runs over the device, and in which of them something was to change there, with what."""
    found = controller.runs(limit=RUNS, wanted=RunQuery(device=name))
    ours = [(run, part) for run in found for part in run.devices if part.device == name]
    for run in found:
        if said := controller.run_changes(run).get(name):
            return ours, (run.id, said)
    return ours, ("", ())


def abilities(can: Capabilities) -> list[tuple[str, str]]:
    """What a platform can do, in words."""
    said = [(text, "yes" if getattr(can, name) else "no") for name, text in ABILITIES.items()]
    said.append(("Takes a change", TRANSACTIONS[can.transaction]))
    if can.max_members is not None:
        said.append(("Most entries of a list", f"{can.max_members:,}"))
    if can.max_entries is not None:
        said.append(("Most entries in all", f"{can.max_entries:,}"))
    return said
