"""Policies over the API and by the command line: what they say, what holds when, what another would have done."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from api.cli.main import main
from controller.model import DetectionEvent, EventAction, Quality, Window
from core.ids import DeviceName, EventId, SiteName
from tests.api.conftest import Office
from tests.controller.offices import NOON, YAML
from vendors.model import Reading, RuleName

LUNCH = {
    "services": ["tiktok"],
    "roles": {
        "company": {"mode": "monitor", "windows": [{"from": "12:00", "to": "13:00", "mode": "enforce"}]},
        "guest": {"mode": "off"},
    },
}


def record(office: Office) -> None:
    """Three blocked attempts at lunch."""
    window = Window(NOON, NOON + timedelta(minutes=5))
    event = DetectionEvent(
        id=EventId("01hzevent00000000000000001"),
        site=SiteName("berlin"),
        device=DeviceName("fw-berlin"),
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=window,
        hits=3,
        packets=3,
        octets=180,
        quality=Quality.EXACT,
        snapshot=None,
    )
    reading = Reading(epoch="e", read_at=window.end, rules=())
    office.controller.store.record_events(DeviceName("fw-berlin"), reading, (event,))


def test_policies_are_listed_with_their_sites(shared_office: Office) -> None:
    items = shared_office.get("/policies")["items"]
    assert [(p["name"], p["sites"]) for p in items] == [("spare", ["austin"]), ("standard", ["berlin"])]
    found = shared_office.get("/policies/standard")
    assert found == items[1]
    (window,) = found["roles"]["company"]["windows"]
    assert (window["from"], window["to"], window["on"], window["services"]) == ("08:00", "18:00", "any", [])
    assert shared_office.ask("GET", "/api/v1/policies/standart").json()["code"] == "TG5001"


def test_what_holds_at_a_site_at_a_moment(shared_office: Office) -> None:
    found = shared_office.get("/sites/berlin/policy?at=2026-11-25T11:00:00Z")
    company = {"role": "company", "services": ["tiktok"], "mode": "enforce", "why": found["roles"][0]["why"]}
    assert found["roles"][0] == company
    assert company["why"] == "window weekdays 08:00–18:00"
    assert (found["local"], found["next_edge"]) == ("2026-11-25T12:00:00", "2026-11-25T17:00:00Z")
    assert (found["holiday"], found["freeze"]) == (None, None)
    assert shared_office.get("/sites/berlin/policy?at=2026-11-28T11:00:00Z")["roles"][0]["mode"] == "monitor"
    assert shared_office.ask("GET", "/api/v1/sites/berlin/policy?at=noon").status_code == 422
    assert shared_office.ask("GET", "/api/v1/sites/paris/policy").status_code == 404


def test_a_week_as_data_and_as_a_picture(shared_office: Office) -> None:
    week = shared_office.get("/sites/berlin/calendar?week=2026-10-25")
    assert [day["hours"] for day in week["days"]] == [24.0] * 6 + [25.0]
    spans = week["lines"][0]["days"][0]
    assert [(s["from"], s["to"], s["mode"]) for s in spans] == [
        ("00:00", "08:00", "monitor"),
        ("08:00", "18:00", "enforce"),
        ("18:00", "24:00", "monitor"),
    ]
    picture = shared_office.ask("GET", "/api/v1/sites/berlin/calendar?week=2026-10-25&format=svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in picture.headers["content-security-policy"]
    assert picture.text.startswith("<svg ")
    assert "Monday 08:00–18:00 enforce" in picture.text


def test_what_if(office: Office) -> None:
    record(office)
    day = {"from": "2026-11-25T00:00:00Z", "to": "2026-11-26T00:00:00Z"}
    before = len(office.controller.audit())
    answer = office.ask("POST", "/api/v1/sites/berlin/what-if", json={**day, "proposed": LUNCH})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    assert (row["was"], row["would"], row["hits"]) == ("blocked", "blocked", 3)
    assert any("attempts" in note for note in answer.json()["notes"])
    off = {**LUNCH, "roles": {"company": {"mode": "off"}, "guest": {"mode": "off"}}}
    answer = office.ask("POST", "/api/v1/sites/berlin/what-if", json={**day, "proposed": off})
    assert answer.json()["rows"][0]["would"] == "unseen"
    assert len(office.controller.audit()) == before, "it records nothing"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"policy": "standard", "proposed": LUNCH}, "one of policy and proposed"),
        ({}, "one of policy and proposed"),
        ({"policy": "spare"}, "does not name the role 'guest'"),
        ({"policy": "nothing"}, "no policy 'nothing'"),
        ({"proposed": {"services": ["tiktok"]}}, "roles"),
        ({"policy": "standard", "from": "2026-01-01T00:00:00Z"}, "at most 92 days"),
        ({"policy": "standard", "from": "2026-11-27T00:00:00Z"}, "must lie before"),
    ],
)
def test_a_bad_what_if_is_answered_clearly(shared_office: Office, body: dict[str, object], said: str) -> None:
    whole = {"from": "2026-11-25T00:00:00Z", "to": "2026-11-26T00:00:00Z", **body}
    answer = shared_office.ask("POST", "/api/v1/sites/berlin/what-if", json=whole)
    assert answer.status_code in (404, 422)
    assert said in answer.text


def test_an_override_of_a_freeze_needs_a_reason(shared_office: Office) -> None:
    for body in ({"kind": "sync", "sites": ["berlin"]}, {"kind": "apply", "plans": ["01kaxw1t4m3v2q8y7z6s5r4p3n"]}):
        answer = shared_office.ask("POST", "/api/v1/runs", json={**body, "override_freeze": True})
        assert answer.status_code == 422
        assert "reason" in answer.text


# --- by the command line --------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = "time_zone: Europe/Berlin"
    freeze = "{starts: 2000-01-01, ends: 2100-01-01, reason: for ever}"
    text = YAML.replace(site, f"{site}\n    calendars: [ours]\n    changes: {{freezes: [{freeze}]}}")
    text = text.replace("guest: {mode: off}", "guest: {mode: off, windows: [{on: holidays, mode: monitor}]}")
    (tmp_path / "inventory.yaml").write_text(f"{text}calendars:\n  ours: {{country: DE}}\n", encoding="utf-8")
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_show_and_calendar(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, datetime

    christmas = f"{datetime.now(UTC).year}-12-25"
    assert main(["policy", "show", "berlin", "--at", f"{christmas}T12:00+01:00"]) == 0
    shown = capsys.readouterr().out
    assert "a holiday" in shown
    assert "window daily on holidays" in shown
    assert "frozen: for ever" in shown
    assert main(["policy", "calendar", "berlin", "--week", christmas]) == 0
    assert f"{christmas}, is a holiday" in capsys.readouterr().out
    assert main(["policy", "calendar", "berlin", "-o", "svg"]) == 0
    assert capsys.readouterr().out.startswith("<svg ")
    assert main(["policy", "show", "berlin", "--at", "2100-01-01"]) == 1
    assert "a year back and ahead" in capsys.readouterr().err


def test_what_if_by_file_and_by_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lunch.yaml").write_text(json.dumps(LUNCH), encoding="utf-8")
    asked = ["policy", "what-if", "berlin", "--from", "24h", "-o", "json", "--policy"]
    assert main([*asked, str(here / "lunch.yaml")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == []
    assert main([*asked, "standard"]) == 0
    assert json.loads(capsys.readouterr().out)["policy"] == "standard"
    assert main([*asked, "strict"]) == 1
    assert "no policy 'strict'" in capsys.readouterr().err


def test_calendars_are_listed_and_checked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "calendars"]) == 0
    assert "not read from anywhere" in capsys.readouterr().out
    assert main(["config", "check"]) == 0
    capsys.readouterr()
    path = here / "inventory.yaml"
    path.write_text(path.read_text().replace("{country: DE}", "{file: ./ours.ics}"), encoding="utf-8")
    assert main(["config", "check"]) == 6
    assert "calendars.ours" in capsys.readouterr().err
    assert main(["policy", "show", "berlin"]) == 6
    assert "TG1004" in capsys.readouterr().err


def test_an_override_by_hand_needs_a_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "--override-freeze", "--yes"]) == 1
    assert "needs a --reason" in capsys.readouterr().err
