"""Exports over the API: how receivers do, sending again, and following along without gaps or repetitions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import main
from controller.model import Scope
from tests.api.conftest import INVENTORY, MONTH, PASSWORD, Office, Stock, an_office
from tests.api.test_rest_flow import event
from vendors.model import Reading

EXPORTS = "exports: {siem: {kind: syslog, host: 127.0.0.1, port: 1, transport: tcp, begin: start}}\n"
JOURNAL = "/events/journal"


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock, INVENTORY + EXPORTS) as made:
        yield made


def record(office: Office, first: int, last: int) -> list[str]:
    made = [event(number) for number in range(first, last + 1)]
    for one in made:
        reading = Reading(epoch="1", read_at=one.window.end, rules=())
        office.controller.store.record_events(one.device, reading, [one])
    return [one.id for one in made]


def followed(office: Office, since: str | None, **more: Any) -> tuple[list[str], str]:
    """Page by page until there is no more."""
    found = list[str]()
    while True:
        where = "" if since is None else f"&since={since}"
        page = office.get(f"{JOURNAL}?limit=2{where}", **more)
        found += [one["id"] for one in page["records"]]
        since = page["next"]
        if not page["more"]:
            return found, str(since)


def test_a_caller_who_follows_along_sees_everything_once(office: Office) -> None:
    """The windows of later ones are earlier here; a list in the order of time would have hidden them."""
    old = record(office, 0, 4)
    found, place = followed(office, None)
    assert found == old
    assert followed(office, place) == ([], place)
    late = record(office, 5, 9)
    assert followed(office, place)[0] == late


def test_a_caller_may_begin_now_and_choose_a_form(office: Office) -> None:
    record(office, 0, 1)
    begun = office.get(f"{JOURNAL}?since=now")
    assert (begun["records"], begun["more"]) == ([], False)
    [mine] = record(office, 2, 2)
    [said] = office.get(f"{JOURNAL}?form=ocsf&since={begun['next']}")["records"]
    assert (said["class_uid"], said["metadata"]["uid"]) == (2004, mine)


def test_who_is_limited_to_a_site_follows_that_one(office: Office) -> None:
    office.tokens["local"] = office.controller.create_token(
        "local", [Scope.READ, Scope.AUDIT], MONTH, actor="test", sites=["berlin"]
    )[1].reveal()
    ids = record(office, 0, 5)
    found, place = followed(office, None, token="local")
    assert found == ids[::2]
    assert followed(office, place, token="local") == ([], place)
    assert office.ask("GET", "/api/v1/exports", token="local").status_code == 403


def test_a_place_that_is_not_ours_or_ahead_is_refused(office: Office) -> None:
    record(office, 0, 0)
    for wrong in ("nonsense", "am91cm5hbDo5OTk5OTk"):  # journal:999999
        answer = office.ask("GET", f"/api/v1{JOURNAL}?since={wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "TG5007")
    said = office.ask("GET", f"/api/v1{JOURNAL}?since=2026-11-28").json()
    assert (said["detail"], said["hint"][:6]) == ("since: no place in the journal", "`next`")


def test_how_receivers_do_and_a_replay_that_is_audited(office: Office) -> None:
    record(office, 0, 2)
    [shown] = office.get("/exports")["items"]
    assert (shown["name"], shown["to"], shown["behind"]) == ("siem", "tcp://127.0.0.1:1", 3)
    assert office.get("/exports/siem") == shown
    since = (office.clock.now() - timedelta(hours=1)).isoformat()
    answer = office.ask("POST", "/api/v1/exports/siem/replay", json={"since": since})
    assert answer.json() == {"entries": 3}
    [entry] = office.get("/audit?action=export.replay")["items"]
    assert entry["subject"] == "siem"
    assert since in str(entry["detail"])
    assert office.ask("POST", "/api/v1/exports/nowhere/replay", json={"since": since}).status_code == 404
    ahead = (office.clock.now() + timedelta(hours=1)).isoformat()
    assert office.ask("POST", "/api/v1/exports/siem/replay", json={"since": ahead}).status_code == 422


def test_health_names_a_receiver_that_is_late_and_stays_ready(office: Office, monkeypatch: Any) -> None:
    from controller.schedule import Scheduler

    record(office, 0, 2)
    scheduler = Scheduler(office.controller)
    exporter = scheduler._exporting.exporters["siem"]
    exporter.turn()
    assert office.get("/exports/siem")["failures"] == 1
    office.clock.advance(timedelta(minutes=20))
    checks = {check["name"]: check for check in office.get("/health")["checks"]}
    assert not checks["exports"]["ok"]
    assert "siem: 3 wait" in checks["exports"]["message"]
    assert "Connection refused" in checks["exports"]["message"]
    assert office.ask("GET", "/readyz").status_code == 200
    exporter.close()


def test_the_command_line_says_the_same(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKGATE_INVENTORY", str(office.controller.settings.inventory))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(office.controller.settings.data_dir))
    assert main(["export", "status", "-o", "json"]) == 0
    assert '"to": "tcp://127.0.0.1:1"' in capsys.readouterr().out
    assert main(["export", "replay", "siem", "--since", "2h"]) == 0
    assert "siem is sent 0 entries again" in capsys.readouterr().out
    assert main(["export", "replay", "sime", "--since", "2h"]) == 1
    assert "did you mean 'siem'?" in capsys.readouterr().err
