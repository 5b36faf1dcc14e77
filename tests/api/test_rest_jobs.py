"""Long work that nobody waits for, in one form; and runs that are begun once however often they are asked for."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from api.jobs import KEPT, is_preferred
from tests.api.conftest import Office

V1 = "/api/v1"
ASYNC = {"Prefer": "wait=5, Respond-Async"}


def done(office: Office, answer: httpx.Response, token: str = "admin") -> Any:
    """What became of it; asked as a caller would ask."""
    assert answer.status_code == 202, answer.text
    id_ = answer.json()["id"]
    deadline = time.monotonic() + 60
    while (job := office.get(f"/jobs/{id_}", token=token))["state"] == "running":
        assert time.monotonic() < deadline
        assert (job["result"], job["finished_at"]) == (None, None)
    return job


@pytest.mark.parametrize(("path", "body"), [("/plans", {"all": True}), ("/drift", {"sites": ["berlin"]})])
def test_what_reads_devices_need_not_be_waited_for(shared_office: Office, path: str, body: dict[str, Any]) -> None:
    waited = shared_office.ask("POST", V1 + path, json=body)
    begun = shared_office.ask("POST", V1 + path, json=body, headers=ASYNC)
    assert begun.headers["preference-applied"] == "respond-async"
    assert begun.headers["location"] == f"{V1}/jobs/{begun.json()['id']}"
    job = done(shared_office, begun)
    assert (job["kind"], job["state"], job["error"], job["href"]) == (path[1:], "done", None, None)
    assert job["result"] == waited.json()


def test_a_failure_is_told_by_the_job(shared_office: Office) -> None:
    job = done(shared_office, shared_office.ask("POST", f"{V1}/devices/fw-berlin/doctor", headers=ASYNC))
    assert (job["state"], job["result"], job["error"]["code"]) == ("failed", None, "TG4001")


def test_what_is_wrong_at_once_is_said_at_once(shared_office: Office) -> None:
    for path, body in (("/drift", {"sites": ["paris"]}), ("/plans", {"devices": ["x"]}), ("/devices/x/doctor", None)):
        assert shared_office.ask("POST", V1 + path, json=body, headers=ASYNC).status_code == 404, path


def test_a_job_is_told_to_whoever_began_it(shared_office: Office) -> None:
    shared_office.tokens["both"] = shared_office.tokens.get("both") or shared_office.add_token("both", *_read_operate())
    begun = shared_office.ask("POST", f"{V1}/drift", token="both", json={"all": True}, headers=ASYNC)
    assert done(shared_office, begun, token="both")["state"] == "done"
    other = shared_office.ask("GET", begun.headers["location"], token="admin")
    assert (other.status_code, other.json()["code"]) == (404, "TG5001")


def _read_operate() -> Any:
    from controller.model import Scope

    return Scope.READ, Scope.OPERATE


def test_runs_and_refreshes_are_jobs_too(office: Office) -> None:
    run = office.ask("POST", f"{V1}/runs", json={"kind": "sync", "sites": ["berlin"]})
    job = done(office, run)
    assert (job["kind"], job["href"]) == ("run", run.headers["location"])
    assert job["result"] == office.get(f"/runs/{job['id']}")
    refresh = office.ask("POST", f"{V1}/intel/refresh", json={})
    job = done(office, refresh)
    assert (job["kind"], job["state"], job["href"]) == ("refresh", "done", refresh.headers["location"])
    assert office.ask("GET", f"{V1}/jobs/01hzzzzzzzzzzzzzzzzzzzzzzz").status_code == 404


def test_jobs_take_places_of_those_who_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(selection: object) -> tuple[()]:
        assert go_on.wait(30)
        return ()

    monkeypatch.setattr(office.controller, "drift", slow)
    begun = [office.ask("POST", f"{V1}/drift", json={"all": True}, headers=ASYNC) for _ in range(9)]
    assert [answer.status_code for answer in begun] == [202] * 8 + [503]
    assert int(begun[-1].headers["retry-after"]) > 0
    go_on.set()
    for answer in begun[:8]:
        done(office, answer)
    assert office.ask("POST", f"{V1}/drift", json={"all": True}).status_code == 200, "the places are free again"
    assert KEPT > 8


def test_a_dry_run_begins_no_job(shared_office: Office) -> None:
    dry = shared_office.ask("POST", f"{V1}/plans?dry_run=true", json={"all": True}, headers=ASYNC)
    assert (dry.status_code, dry.headers["dry-run"]) == (202, "true")
    assert shared_office.ask("GET", dry.headers["location"]).status_code == 404


def test_a_run_is_begun_once_with_one_key(office: Office) -> None:
    asked: dict[str, Any] = {"json": {"kind": "sync", "sites": ["berlin"]}, "headers": {"Idempotency-Key": "k"}}
    first, again = (office.ask("POST", f"{V1}/runs", **asked) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert len(office.get("/runs")["items"]) == 1
    other = office.ask("POST", f"{V1}/runs", **asked | {"json": {"kind": "sync", "sites": ["austin"]}})
    assert (other.status_code, other.json()["code"]) == (409, "TG5002")


def test_preferences_are_read_as_http_writes_them() -> None:
    assert [is_preferred(p) for p in (None, "wait=5", "respond-async", "wait=5,respond-async")] == [
        False,
        False,
        True,
        True,
    ]
