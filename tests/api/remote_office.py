"""An office that holds something of everything, and its commands: here by its files, or over its API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from api.cli.main import main
from api.server import Bind, serving
from controller.evidence.model import Quarantine, Rejected
from controller.feeding import content_of
from core.ids import RunId, new_id
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office
from tests.api.test_rest_dry_run import hook, hooked, person
from tests.api.test_rest_flow import FW_BERLIN, a_status, a_stored_plan, event, finished, record
from tests.api.test_rest_intel_work import put_in_force, without
from tests.controller.test_store_episodes import an_episode
from vendors.model import FeedList, GroupName

POLICY = "services: [tiktok]\nroles: {company: {mode: monitor}, guest: {mode: enforce}}\n"
_SITE = "time_zone: Europe/Berlin"
FURNISHED = INVENTORY.replace(_SITE, f"{_SITE}\n    calendars: [ours, theirs]").replace(
    "guest: {mode: off}", "guest: {mode: off, windows: [{on: holidays, mode: monitor}]}"
)
CALENDARS = "calendars:\n  ours: {country: DE}\n  theirs: {file: %s/theirs.ics}\n"
ICAL = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20261224\nEND:VEVENT\n"
    "END:VCALENDAR\n"
)


@dataclass(frozen=True, slots=True)
class Both:
    """One store, and two ways to it."""

    office: Office
    folder: Path
    url: str
    names: dict[str, str]  # what commands name

    def here(self, patch: pytest.MonkeyPatch) -> None:
        patch.delenv("TOKGATE_URL", raising=False)
        patch.setenv("TOKGATE_INVENTORY", str(self.folder / "inventory.yaml"))
        patch.setenv("TOKGATE_DATA_DIR", str(self.folder / "data"))

    def there(self, patch: pytest.MonkeyPatch, *, token: str = "admin") -> None:
        """Nothing of this machine would help it."""
        patch.setenv("TOKGATE_URL", self.url)
        patch.setenv("TOKGATE_TOKEN", self.office.tokens[token])
        patch.setenv("TOKGATE_INVENTORY", "/nonexistent/inventory.yaml")
        patch.setenv("TOKGATE_DATA_DIR", "/nonexistent/data")


@contextmanager
def two_ways(folder: Path, stock: Stock, patch: pytest.MonkeyPatch) -> Iterator[Both]:
    """A furnished office that is served; one time here and there."""
    for name in [name for name in os.environ if name.startswith("TOKGATE_")]:
        patch.delenv(name)
    patch.setenv("REST_TEST_PASSWORD", PASSWORD)
    patch.setenv("REST_TEST_KEY", "whsec_" + "A" * 44)
    patch.setenv("COLUMNS", "300")
    patch.delenv("SUDO_USER", raising=False)
    (folder / "theirs.ics").write_text(ICAL, encoding="utf-8")
    with an_office(folder, stock, FURNISHED + CALENDARS % folder) as office:
        names = furnish(office, folder)
        office.ask("GET", "/api/v1/audit")  # that a token was used is noted once a minute
        patch.setattr("core.clock.SystemClock.now", lambda self: office.clock.now())
        with serving(office.app, Bind(port=0)) as server:
            yield Both(office, folder, f"http://127.0.0.1:{server.port}", names)


def furnish(office: Office, folder: Path) -> dict[str, str]:
    """Something to be seen by every command; the ids that commands name."""
    controller = office.controller
    assert hook()["name"] in hooked(office)
    controller.calendars.refresh()
    first = controller.snapshot()
    put_in_force(office, without(first, 2))
    record(office, *(event(number) for number in range(7)))
    controller.store.put_status(a_status(exceptions=()))
    plan = a_stored_plan(office)
    run = finished(office, {"kind": "apply", "plans": [plan], "reason": "4711"})["id"]
    list_of = FeedList(name=GroupName("dst-tiktok"), kind="ip", lines=("71.18.8.0/24",))
    contents = [content_of(list_of, FW_BERLIN)]
    controller.store.publish_feeds(FW_BERLIN, contents, run=RunId("r"), at=office.clock.now())
    controller.feeds.create_token("fw-berlin", actor="test")
    controller.store.set_aside(
        [Rejected(why=Quarantine.STRANGER, origin="syslog udp 192.0.2.9", text="<1>x", detail="y")]
    )
    hour = timedelta(hours=1)
    over = controller.interventions.pause(["austin"], actor="test", reason="move", ends=office.clock.now() + hour)
    controller.interventions.end(over.id, actor="test", reason="moved")
    paused = controller.interventions.pause(
        ["berlin"], actor="test", reason="core switch", ends=office.clock.now() + hour
    )
    person(office)
    made = []
    for number in range(2):
        said = {"sites": ["berlin"], "sources": ["10.20.0.7", "role:guest"], "service": "tiktok", "reason": "campaign"}
        times = {"starts": "2098-01-01T00:00:00Z", "ends": "2098-01-02T00:00:00Z", "hours": ["mon 08:00-12:00"]}
        wish = {**said, **times, "owner": f"ann-{number}"}
        made.append(office.ask("POST", "/api/v1/exceptions", token="request", json=wish).json()["id"])
    office.ask("POST", f"/api/v1/exceptions/{made[1]}/deny", token="approve", json={"reason": "no"})
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    episode = an_episode(new_id(), controller.clock.now(), source=ip_address("10.20.0.7"))
    controller.store.record("b1", [episode, an_episode(new_id(), controller.clock.now() - hour)])
    return {
        "episode": episode.id,
        "id": made[0],
        "denied": made[1],
        "old": first.id[:12],
        "plan": a_stored_plan(office),
        "run": run,
        "paused": paused.id,
        "policy": str(folder / "policy.yaml"),
        "file": str(folder / "file"),
    }


def said(capsys: pytest.CaptureFixture[str], command: tuple[str, ...], names: dict[str, str]) -> tuple[int, str, str]:
    """The exit code, the answer, and what was said besides."""
    capsys.readouterr()
    code = main([word.format(**names) for word in command])
    out, err = capsys.readouterr()
    return code, _own(out), _own(err)


def _own(text: str) -> str:
    """Without what the server, which runs in this process, logs."""
    return "".join(line for line in text.splitlines(True) if "api.request" not in line)
