"""Coverage over the API and on the command line: states, ages of proofs, and the promise about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.model import CoverageState, DeviceStatus, Observation
from core.ids import DeviceName, SiteName
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office
from tests.controller.offices import NOON

E, NOT = CoverageState.ENFORCED, CoverageState.NOT_ENFORCED
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BERLIN, FW = SiteName("berlin"), DeviceName("fw-berlin")


@pytest.fixture(scope="module")
def promising(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office that promises something, of which one firewall was looked at for three hours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        slo = "slo: {enforced_age: 30m, share: 99%}\n"
        with an_office(tmp_path_factory.mktemp("promising"), stock, INVENTORY + slo) as made:
            recorded(made)
            yield made


def recorded(office: Office) -> None:
    office.clock.advance(-4 * HOUR)
    office.controller.follow_inventory()
    office.clock.advance(4 * HOUR)
    store, cause = office.controller.store, "list dst-tiktok was changed by hand"
    for number in range(12):
        found = NOT if number == 6 else E
        at = NOON - timedelta(hours=3) + number * 15 * MINUTE + timedelta(seconds=20)
        store.add_observation(
            Observation(device=FW, site=BERLIN, at=at, found=found, left=E, cause=cause if found is NOT else "")
        )
    proven = NOON - 15 * MINUTE + timedelta(seconds=20)
    store.put_status(
        DeviceStatus(
            device=FW, site=BERLIN, last_seen_at=proven, last_attempt_at=proven, enforced_at=proven, snapshot=None,
            mode="company=enforce", error_code=None, error=None,
        )
    )  # fmt: skip


def test_one_site_in_spans_that_say_why(promising: Office) -> None:
    found = promising.get("/coverage/sites/berlin?from=2026-11-25T08:00:00Z&to=2026-11-25T11:00:00Z")
    states = [(span["start"][11:19], span["state"], span["cause"]) for span in found["spans"]]
    assert states == [
        ("08:00:00", "unknown", "nobody looked at it"),
        ("08:00:20", "enforced", ""),
        ("09:15:20", "unknown", "list dst-tiktok was changed by hand"),
        ("09:30:20", "enforced", ""),
    ]
    assert found["seconds"] == {
        "enforced": 9880.0, "partial": 0.0, "monitored": 0.0, "off": 0.0, "not_enforced": 0.0, "unknown": 920.0,
    }  # fmt: skip
    assert found["enforced_age"] == {"seconds": 880.0, "proven_at": "2026-11-25T10:45:20Z", "device": "fw-berlin"}
    assert found["devices"] == [{"device": "fw-berlin", "spans": found["spans"]}]
    company, guest = found["roles"]
    assert (company["role"], company["spans"], company["seconds"]) == ("company", found["spans"], found["seconds"])
    assert guest["role"] == "guest", "off by policy, while the site is enforced"
    assert {state: time for state, time in guest["seconds"].items() if time} == {"off": 9880.0, "unknown": 920.0}


def test_by_the_minute_a_minute_that_is_partly_unknown_is_unknown(promising: Office) -> None:
    found = promising.get("/coverage/sites/berlin?from=2026-11-25T08:00:00Z&to=2026-11-25T11:00:00Z&by=minute")
    assert [(span["start"][11:19], span["state"]) for span in found["spans"]] == [
        ("08:00:00", "unknown"), ("08:01:00", "enforced"), ("09:15:00", "unknown"), ("09:31:00", "enforced"),
    ]  # fmt: skip


def test_the_fleet_has_the_oldest_proof_first_and_no_age_where_nothing_was_proven(promising: Office) -> None:
    found = promising.get("/coverage")
    assert [(line["site"], line["state"], line["enforced_age"]["seconds"]) for line in found["sites"]] == [
        ("austin", "unknown", None), ("berlin", "enforced", 880.0),
    ]  # fmt: skip
    assert found["enforced_age"] == {"sites": 2, "never": 1, "p50": 880.0, "p95": None, "max": None}
    assert (found["slo"]["missed"], found["slo"]["enforced_age"]) == (True, "30m")
    assert found["slo"] == promising.get("/coverage/slo")
    hour, six, _month = found["slo"]["burns"]
    assert (hour["window"], hour["share"], six["kept_seconds"]) == ("1h", 1.0, 9880.0)


def test_the_metrics_leave_out_what_is_not_known(promising: Office) -> None:
    families = {f.name: f.samples for f in text_string_to_metric_families(promising.ask("GET", "/metrics").text)}
    ages = {tuple(s.labels.items()): s.value for s in families["tokgate_site_enforced_age_seconds"]}
    assert ages == {(("site", "berlin"),): 880.0}
    assert {s.labels["quantile"]: s.value for s in families["tokgate_enforced_age_seconds"]} == {"0.5": 880.0}
    assert families["tokgate_sites_never_proven"][0].value == 1
    assert families["tokgate_slo_budget_left"][0].value < 0


def test_without_a_promise_there_is_none(office: Office) -> None:
    answer = office.ask("GET", "/api/v1/coverage/slo")
    assert (answer.status_code, answer.json()["code"]) == (409, "TG5002")
    assert office.get("/coverage")["slo"] is None


def test_times_that_make_no_sense_are_refused(promising: Office) -> None:
    for ask in ("from=2026-11-25T08:00:00Z&to=2026-11-25T08:00:00Z", "from=2026-01-25T08:00:00Z", "by=hour"):
        assert promising.ask("GET", f"/api/v1/coverage/sites/berlin?{ask}").status_code == 422
    assert promising.ask("GET", "/api/v1/coverage/sites/paris").status_code == 404


def test_the_command_shows_the_same(
    promising: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from contextlib import contextmanager

    from api.cli import opening
    from api.cli.counterpart import Counterpart
    from api.cli.main import main

    @contextmanager
    def here() -> Iterator[Counterpart]:
        yield Counterpart(promising.controller, "cli:test")

    monkeypatch.setattr(opening, "counterpart", here)
    assert main(["coverage", "show"]) == 0
    fleet = capsys.readouterr().out
    assert "enforced age of 2 sites: half below 14 min 40 s, 95 % below never proven" in fleet
    assert "MISSED: proofs are not younger than 30m" in fleet
    assert main(["coverage", "show", "berlin", "--from", "3h"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "list dst-tiktok was changed by hand" in told, "however wide"
    assert "guest off 91." in told
    assert main(["coverage", "slo"]) == 0
    assert "budget left" in capsys.readouterr().out
    assert main(["coverage", "show", "--from", "3h"]) == 1
    assert "name a site" in capsys.readouterr().err
