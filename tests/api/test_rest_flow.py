"""What the API shows: events in pages, sites, devices, snapshots, plans, runs, reports, health, metrics, itself."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from ipaddress import ip_address
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import reference
from controller.desired import desired_for
from controller.model import (
    CoverageState,
    DetectionEvent,
    DeviceStatus,
    EntryHit,
    EventAction,
    Observation,
    Quality,
    SourceSeen,
    Window,
)
from controller.planning import Limits as PlanLimits
from controller.planning import plan_device, store_plan
from core.ids import DeviceName, EventId, ExceptionId, SiteName, new_id
from ipsets.catalogue import load_catalogue
from ipsets.guard import GuardLimits, default_never_block
from ipsets.snapshot import build_snapshot
from tests.api.conftest import Office
from tests.controller.offices import NOON, facts
from vendors.model import Observed, Reading, RuleName
from vendors.registry import adapter_for

MINUTE = timedelta(minutes=1)
BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")
FW_BERLIN, FW_AUSTIN = DeviceName("fw-berlin"), DeviceName("fw-austin")
EXCEPTION = ExceptionId("01hzexcept0000000000000001")
SOURCE = "10.20.0.7"


def walk(office: Office, path: str, limit: int, **filters: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page."""
    cursor: str | None = None
    for _ in range(1000):
        question = {"limit": str(limit), **filters, **({"cursor": cursor} if cursor else {})}
        page = office.get(path, params=question)
        assert len(page["items"]) <= limit
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
        assert len(page["items"]) == limit, "a page before the last is full"
    raise AssertionError("the pages never end")


# --- events ----------------------------------------------------------------------------------------------------------


def event(number: int, **changes: Any) -> DetectionEvent:
    """One of many: both devices, all actions, some that end in the same moment."""
    end = NOON - (number // 3) * 5 * MINUTE
    site, device = ((BERLIN, FW_BERLIN), (AUSTIN, FW_AUSTIN))[number % 2]
    action = list(EventAction)[number % 3]
    base = DetectionEvent(
        id=EventId(new_id()),
        site=site,
        device=device,
        rule=RuleName(f"rule-{number % 3}"),
        role=None if action is EventAction.ALLOWED else "company",
        exception=EXCEPTION if action is EventAction.ALLOWED else None,
        action=action,
        window=Window(end - 5 * MINUTE, end),
        hits=number,
        packets=2 * number,
        octets=None,
        quality=Quality.EXACT,
        snapshot=None,
    )
    return replace(base, **changes)


def record(office: Office, *events: DetectionEvent) -> None:
    for device in {e.device for e in events}:
        reading = Reading(epoch="1", read_at=NOON, rules=(), entries=(), flows=(), flows_truncated=False)
        office.controller.store.record_events(device, reading, [e for e in events if e.device == device])


@pytest.fixture(scope="module")
def busy(shared_office: Office) -> list[DetectionEvent]:
    """Forty events in the shared store; of one it is known who it was."""
    seen = SourceSeen(
        source=ip_address(SOURCE), destination=ip_address("103.136.220.10"), packets=9, octets=540, last_seen=NOON
    )
    events = [event(0, sources=(seen,)), *(event(number) for number in range(1, 40))]
    record(shared_office, *events)
    return events


@pytest.mark.parametrize("limit", [1, 3, 7, 40, 500])
def test_a_walk_over_all_pages_meets_every_event_once_the_newest_first(
    shared_office: Office, busy: list[DetectionEvent], limit: int
) -> None:
    seen = [e["id"] for e in walk(shared_office, "/events", limit)]
    assert seen == [e.id for e in sorted(busy, key=lambda e: (e.window.end, e.id), reverse=True)]


FILTERS = [
    ({"site": "berlin"}, lambda e: e.site == "berlin"),
    ({"device": "fw-austin"}, lambda e: e.device == "fw-austin"),
    ({"action": "allowed-by-exception"}, lambda e: e.action is EventAction.ALLOWED),
    ({"exception": EXCEPTION}, lambda e: e.exception == EXCEPTION),
    ({"since": (NOON - 20 * MINUTE).isoformat()}, lambda e: e.window.end > NOON - 20 * MINUTE),
    ({"until": (NOON - 20 * MINUTE).isoformat()}, lambda e: e.window.start < NOON - 20 * MINUTE),
    (
        {"site": "berlin", "action": "blocked", "since": "2026-11-25T11:30:00+01:00", "until": "2026-11-25T10:50:00Z"},
        lambda e: (
            e.site == "berlin"
            and e.action is EventAction.BLOCKED
            and e.window.end > NOON - 30 * MINUTE
            and e.window.start < NOON - 10 * MINUTE
        ),
    ),
    ({"site": "of-old"}, lambda _: False),
    ({"site": "berlin", "device": "fw-austin"}, lambda _: False),
]


@pytest.mark.parametrize(
    ("filters", "meant"), FILTERS, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_filters_hold_on_every_page(
    shared_office: Office, busy: list[DetectionEvent], filters: dict[str, str], meant: Any
) -> None:
    seen = [e["id"] for e in walk(shared_office, "/events", 4, **filters)]
    assert sorted(seen) == sorted(e.id for e in busy if meant(e))
    assert len(seen) < len(busy)


def test_events_that_come_during_a_walk_disturb_it_not(office: Office) -> None:
    old = [event(number) for number in range(12)]
    record(office, *old)
    seen = []
    for number, item in enumerate(walk(office, "/events", 2)):
        seen.append(item["id"])
        record(office, event(1000 + number, window=Window(NOON, NOON + (number + 1) * MINUTE)))
    assert sorted(seen) == sorted(e.id for e in old)
    assert len(list(walk(office, "/events", 500))) == 24


def test_an_event_shows_all_that_is_known_and_null_for_what_is_not(office: Office) -> None:
    source = SourceSeen(
        source=ip_address("2a01:db9:20::7"),
        destination=ip_address("103.136.220.10"),
        packets=7,
        octets=None,
        last_seen=NOON,
    )
    made = event(
        0, hits=0, packets=2**62, sources=(source,), entries=(EntryHit(entry="live DNS", packets=1, octets=60),)
    )
    record(office, made)
    assert office.get("/events")["items"] == [
        {
            "id": made.id,
            "site": "berlin",
            "device": "fw-berlin",
            "rule": "rule-0",
            "role": "company",
            "exception": None,
            "action": "blocked",
            "start": "2026-11-25T10:55:00Z",
            "end": "2026-11-25T11:00:00Z",
            "hits": 0,
            "packets": 2**62,
            "bytes": None,
            "quality": "exact",
            "snapshot": None,
            "sources": [
                {
                    "source": "2a01:db9:20::7",
                    "destination": "103.136.220.10",
                    "packets": 7,
                    "bytes": None,
                    "last_seen": "2026-11-25T11:00:00Z",
                }
            ],
            "sources_truncated": False,
            "entries": [{"entry": "live DNS", "packets": 1, "bytes": 60}],
        }
    ]


# --- every other list -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/sites", "/devices", "/drift", "/sources", "/tokens", "/audit", "/snapshots", "/runs"]
)
def test_every_list_gives_the_same_in_small_pages_as_in_one(shared_office: Office, path: str) -> None:
    if path == "/runs" and not shared_office.get(path)["items"]:
        for _ in range(3):
            finished(shared_office, {"kind": "sync", "devices": ["fw-berlin"]})
    whole = shared_office.get(path, params={"limit": "500"})
    assert whole["next_cursor"] is None
    assert whole["items"]
    assert [stable(i) for i in walk(shared_office, path, 1)] == [stable(i) for i in whole["items"]]


def stable(item: dict[str, Any]) -> dict[str, Any]:
    """Without what the asking itself changes."""
    return {key: value for key, value in item.items() if key != "last_used_at"}


# --- sites, devices, intelligence -------------------------------------------------------------------------------------


def a_status(**changes: Any) -> DeviceStatus:
    base = DeviceStatus(
        device=FW_BERLIN,
        site=BERLIN,
        last_seen_at=NOON - MINUTE,
        last_attempt_at=NOON - MINUTE,
        enforced_at=NOON - MINUTE,
        snapshot=None,
        mode="company=enforce",
        error_code=None,
        error=None,
        exceptions=(EXCEPTION,),
    )
    return replace(base, **changes)


def test_a_site_says_what_holds_now_and_when_that_may_change(office: Office) -> None:
    berlin = office.get("/sites/berlin")
    assert (berlin["title"], berlin["time_zone"]) == ("Berlin office", "Europe/Berlin")
    assert berlin["modes"] == {"company": "enforce", "guest": "off"}
    assert berlin["next_edge"] == "2026-11-25T17:00:00Z"
    office.clock.advance(timedelta(hours=6))
    assert office.get("/sites/berlin")["modes"] == {"company": "monitor", "guest": "off"}
    assert [s["name"] for s in office.get("/sites")["items"]] == ["austin", "berlin"]
    assert office.get("/sites/austin")["next_edge"] is None


def test_a_device_shows_the_latest_word_on_it_and_no_secret(office: Office) -> None:
    never = office.get("/devices/fw-berlin")
    assert never["status"] is None, "never looked at is not the same as off"
    assert never["software"] == {"version": None, "read_at": None, "unknown_because": "it was not read yet"}
    office.controller.store.put_status(replace(a_status(), version="9.18(4)", version_at=NOON))
    known = {"version": "9.18(4)", "read_at": "2026-11-25T11:00:00Z", "unknown_because": None}
    assert office.get("/devices/fw-berlin")["software"] == known
    office.controller.store.put_status(a_status())
    found = office.get("/devices/fw-berlin")
    assert found["status"]["enforced_at"] == "2026-11-25T10:59:00Z"
    assert found.keys() == {"name", "site", "vendor", "host", "software", "status"}
    assert found["software"]["unknown_because"] == "what is read of this platform does not tell it"
    assert [d["name"] for d in office.get("/devices?site=austin")["items"]] == ["fw-austin"]
    assert office.get("/sites/berlin")["devices"] == [found]


@pytest.mark.parametrize(
    ("changes", "in_step"),
    [
        pytest.param({}, True, id="as-it-should"),
        pytest.param({"enforced_at": NOON - 9 * MINUTE}, False, id="read-but-different"),
        pytest.param({"enforced_at": None}, False, id="never-as-it-should"),
        pytest.param({"last_attempt_at": NOON, "error_code": "TG4001", "error": "gone"}, None, id="not-read-lately"),
        pytest.param({"last_seen_at": None}, None, id="never-read"),
    ],
)
def test_known_drift_is_only_claimed_of_what_was_read(shared_office: Office, changes: Any, in_step: Any) -> None:
    shared_office.controller.store.put_status(a_status(**changes))
    found = {d["device"]: d["in_step"] for d in shared_office.get("/drift")["items"]}
    assert found == {"fw-berlin": in_step, "fw-austin": None}


def test_an_exception_is_live_on_what_was_read_back_holding_it(office: Office) -> None:
    body = {"sites": ["berlin"], "sources": ["10.20.0.7"], "service": "tiktok", "reason": "x", "owner": "y"}
    times = {"starts": NOON.isoformat(), "ends": (NOON + timedelta(hours=1)).isoformat()}
    made = office.ask("POST", "/api/v1/exceptions", json={**body, **times}).json()
    office.controller.store.put_status(a_status(exceptions=(made["id"],)))
    assert office.get(f"/exceptions/{made['id']}")["live_on"] == ["fw-berlin"]
    assert office.get("/exceptions")["items"][0]["live_on"] == ["fw-berlin"]


def test_snapshots_are_found_by_how_their_id_begins_and_say_where_entries_come_from(shared_office: Office) -> None:
    current = shared_office.get("/snapshots/current")
    assert shared_office.get(f"/snapshots/{current['id'][:8]}") == current
    assert current["indicators"] is None
    [tiktok] = current["services"]
    assert len(tiktok["networks"]) > 20
    assert ".tiktok.com" in tiktok["domains"]
    [head] = shared_office.get("/snapshots")["items"]
    assert (head["id"], head["current"]) == (current["id"], True)
    assert (head["networks"], head["domains"]) == (len(tiktok["networks"]), len(tiktok["domains"]))
    with_all = shared_office.get("/snapshots/current?indicators=true")["indicators"]
    assert len(with_all) > 100
    assert all(i["sources"] for i in with_all)
    [source] = shared_office.get("/sources")["items"]
    assert (source["name"], source["error"], source["last_success"]) == ("curated", None, "2026-11-25T11:00:00Z")
    assert source["skipped"] is None


def test_the_difference_of_two_snapshots_is_told_both_ways(office: Office) -> None:
    store, first = office.controller.store, office.controller.snapshot()
    fewer = [i for i in first.indicators if str(getattr(i.value, "name", "")) != "tiktok.com"]
    second = build_snapshot(
        fewer,
        catalogue=load_catalogue(),
        limits=GuardLimits(),
        never_block=default_never_block(),
        previous=first,
        source_ages={},
        now=NOON + MINUTE,
        force=True,
    )
    store.save_snapshot(second)
    forth = office.get(f"/snapshots/{first.id}/diff/{second.id[:10]}")
    gone = next(c for c in forth["removed"] if c["entry"] == ".tiktok.com")
    assert gone.keys() == {"service", "entry", "reason", "sources", "words"}
    assert (gone["reason"], gone["sources"]) == (
        "curated names it no more, last 2026-11-22T00:00Z",
        ["curated"],
    )
    assert [word["source"] for word in gone["words"]] == ["curated"]
    back = office.get(f"/snapshots/{second.id}/diff/{first.id}")
    for there, here in (("added", "removed"), ("removed", "added")):
        assert [(c["service"], c["entry"]) for c in back[there]] == [(c["service"], c["entry"]) for c in forth[here]]
    assert all(change["reason"] for change in (*forth["added"], *forth["removed"]))
    assert [s["current"] for s in walk(office, "/snapshots", 1)] == [False, True], "saved, but not in force"


# --- plans and runs ---------------------------------------------------------------------------------------------------


def finished(office: Office, body: dict[str, Any]) -> dict[str, Any]:
    """The run, when every device has had its turn."""
    started = office.ask("POST", "/api/v1/runs", json=body)
    assert started.status_code == 202, started.text
    assert started.headers["location"] == f"/api/v1/runs/{started.json()['id']}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        run: dict[str, Any] = office.ask("GET", started.headers["location"]).json()
        if run["finished_at"]:
            return run
    raise AssertionError("the run does not end")


def test_a_plan_of_devices_that_do_not_answer_says_so_of_each(office: Office) -> None:
    answer = office.ask("POST", "/api/v1/plans", token="operate", json={"all": True})
    assert answer.status_code == 201
    found = answer.json()
    assert [(d["device"], d["error"]["code"], d["id"]) for d in found["items"]] == [
        ("fw-berlin", "TG4001", None),
        ("fw-austin", "TG4001", None),
    ]
    assert found["changes"] is False
    assert office.ask("POST", "/api/v1/devices/fw-berlin/doctor", token="operate").status_code == 502
    looked = office.ask("POST", "/api/v1/drift", token="operate", json={"sites": ["berlin"]}).json()
    assert [(d["in_step"], d["error"]["code"]) for d in looked["items"]] == [(None, "TG4001")]
    assert looked["drifted"] is False


def test_a_run_is_queued_at_once_and_tells_what_became_of_each_device(office: Office) -> None:
    run = finished(office, {"kind": "sync", "all": True, "reason": "after maintenance"})
    assert (run["trigger"], run["actor"]) == ("api", "token:admin")
    assert {(d["device"], d["outcome"], d["error_code"]) for d in run["devices"]} == {
        ("fw-berlin", "failed", "TG4001"),
        ("fw-austin", "failed", "TG4001"),
    }
    other = finished(office, {"kind": "sync", "sites": ["austin"]})
    assert [r["id"] for r in office.get("/runs")["items"]] == [other["id"], run["id"]]
    assert [r["id"] for r in office.get("/runs?site=berlin")["items"]] == [run["id"]]
    assert [r["id"] for r in office.get("/runs?device=fw-austin")["items"]] == [other["id"], run["id"]]
    entry = next(e for e in office.get("/audit")["items"] if e["subject"] == run["id"])
    assert (entry["actor"], entry["reason"]) == ("token:admin", "after maintenance")
    status = office.get("/devices/fw-berlin")["status"]
    assert (status["error_code"], status["last_seen_at"]) == ("TG4001", None)


def a_stored_plan(office: Office) -> str:
    """A plan as made of a device that holds nothing yet."""
    inventory = office.controller.inventory
    device = inventory.device("fw-berlin")
    adapter = adapter_for(device.vendor, device.options, device.name)
    empty = Observed(groups=(), rules=(), mark=None, foreign="0" * 64, epoch="1", can=adapter.capabilities)
    snapshot = office.controller.snapshot()
    desired = desired_for(facts(inventory, of=snapshot), device, NOON)
    plan = plan_device(empty, desired, limits=PlanLimits(), device=device.name)
    stored = store_plan(plan, empty, site=BERLIN, device=device, snapshot=snapshot.id, now=NOON)
    office.controller.store.save_plan(stored)
    return stored.id


def test_a_stored_plan_is_shown_applied_once_an_hour_and_never_twice_for_one_device(office: Office) -> None:
    plan_id = a_stored_plan(office)
    plan = office.get(f"/plans/{plan_id}")
    assert (plan["device"], plan["site"]) == ("fw-berlin", "berlin")
    assert any("put rule deny-company" in step for step in plan["steps"])
    run = finished(office, {"kind": "apply", "plans": [plan_id], "reason": "change 4711"})
    assert [(d["outcome"], d["error_code"]) for d in run["devices"]] == [("failed", "TG4001")]
    two = {"kind": "apply", "plans": [plan_id, a_stored_plan(office)]}
    assert office.ask("POST", "/api/v1/runs", json=two).json()["code"] == "TG5002"
    office.clock.advance(timedelta(hours=1, seconds=1))
    late = office.ask("POST", "/api/v1/runs", json={"kind": "apply", "plans": [plan_id]})
    assert (late.status_code, late.json()["code"]) == (409, "TG5002")


# --- reports ----------------------------------------------------------------------------------------------------------

REPORT = "/reports/sites/berlin"
DAY = {"from": "2026-11-25T00:00:00Z", "to": "2026-11-25T12:00:00Z"}


@pytest.fixture(scope="module")
def reported(shared_office: Office, busy: list[DetectionEvent]) -> Office:
    """Berlin was looked at twice, and somebody there tried."""
    store = shared_office.controller.store
    for minutes in (20, 5):
        at = NOON - minutes * MINUTE
        held = CoverageState.ENFORCED
        store.add_observation(Observation(device=FW_BERLIN, site=BERLIN, at=at, found=held, left=held))
    return shared_office


def test_a_report_has_every_key_that_was_promised(reported: Office) -> None:
    found = reported.get(REPORT, params=DAY)
    assert found.keys() >= {
        "site", "from", "to", "snapshot", "mode", "totals", "devices", "top_sources", "top_destinations", "by_hour",
        "exceptions", "coverage",
    }  # fmt: skip
    assert found["totals"].keys() == {"blocked", "monitored", "allowed"}
    assert all(total.keys() == {"hits", "packets", "bytes"} for total in found["totals"].values())
    assert found["coverage"].keys() == {
        "enforced_seconds", "partial_seconds", "monitored_seconds", "off_seconds", "not_enforced_seconds",
        "unknown_seconds",
    }  # fmt: skip


def test_a_report_counts_what_was_recorded_and_calls_the_rest_unknown(
    reported: Office, busy: list[DetectionEvent]
) -> None:
    found = reported.get(REPORT, params=DAY)
    blocked = [e for e in busy if e.site == "berlin" and e.action is EventAction.BLOCKED]
    assert found["totals"]["blocked"]["hits"] == sum(e.hits or 0 for e in blocked)
    assert found["totals"]["blocked"]["bytes"] is None, "nobody counted bytes"
    assert sum(hour["blocked"] for hour in found["by_hour"]) == found["totals"]["blocked"]["hits"]
    assert found["top_sources"][0]["source"] == "hidden", "one client is fewer than five"
    assert found["coverage"]["enforced_seconds"] >= 15 * 60
    assert sum(found["coverage"].values()) == 11 * 3600, "as far as it has passed"
    assert found["coverage"]["unknown_seconds"] > 10 * 3600


def test_without_times_a_report_is_about_the_last_seven_days(reported: Office) -> None:
    found = reported.get(REPORT)
    assert (found["from"], found["to"]) == ("2026-11-18T11:00:00Z", "2026-11-25T11:00:00Z")


def test_a_report_as_csv_is_a_file_with_the_same_figures(reported: Office) -> None:
    answer = reported.ask("GET", f"/api/v1{REPORT}", params={**DAY, "format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="berlin.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    total = next(r for r in rows if (r["section"], r["action"]) == ("totals", "blocked"))
    known = reported.get(REPORT, params=DAY)["totals"]["blocked"]
    assert (int(total["hits"]), total["bytes"]) == (known["hits"], ""), "unknown is empty, not 0"
    assert all(r["site"] == "berlin" for r in rows)


class Page(HTMLParser):
    """What a page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "action") and not (v or "").startswith("#")]
        self.loads += [k for k, _ in attrs if k.startswith("on")]


def test_a_report_as_html_is_one_page_that_loads_and_runs_nothing(reported: Office) -> None:
    answer = reported.ask("GET", f"/api/v1{REPORT}", params={**DAY, "format": "html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = Page(answer.text)
    assert page.loads == []
    assert "script" not in page.tags
    assert "svg" in page.tags
    assert "Berlin office" in answer.text
    assert SOURCE not in answer.text, "one client is fewer than five"


def test_the_fleet_report_is_the_sum_of_its_sites(reported: Office) -> None:
    fleet = reported.get("/reports/fleet", params=DAY)
    sites = {name: reported.get(f"/reports/sites/{name}", params=DAY) for name in ("berlin", "austin")}
    assert {s["site"] for s in fleet["sites"]} == sites.keys()
    for action in ("blocked", "monitored", "allowed"):
        assert fleet["totals"][action]["hits"] == sum(s["totals"][action]["hits"] for s in sites.values())
    for state, seconds in fleet["coverage"].items():
        assert seconds == pytest.approx(sum(s["coverage"][state] for s in sites.values()))
    austin = next(s for s in fleet["sites"] if s["site"] == "austin")
    assert austin["enforced_share"] == 0, "nobody ever looked"


# --- health and metrics -----------------------------------------------------------------------------------------------


def figures(office: Office) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape, by name and labels."""
    answer = office.ask("GET", "/metrics", token="read")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}
    assert len(found) == len(samples), "no sample is there twice"
    return found


def test_the_probes_need_no_token_and_tell_no_secrets(office: Office) -> None:
    assert office.ask("GET", "/livez", token=None).json() == {"status": "ok"}
    ready = office.ask("GET", "/readyz", token=None)
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert all(check.keys() == {"name", "ok"} for check in ready.json()["checks"])
    assert "schema" in office.get("/health")["checks"][0]["message"]


def test_a_schedule_that_stands_still_is_not_ready_but_alive(office: Office) -> None:
    office.controller.attach_schedule(tick_age=lambda: 1.0, wake=lambda: None)
    assert office.ask("GET", "/readyz", token=None).status_code == 200
    office.controller.attach_schedule(tick_age=lambda: 61.0, wake=lambda: None)
    stuck = office.ask("GET", "/readyz", token=None)
    assert stuck.status_code == 503
    assert {"name": "schedule", "ok": False} in stuck.json()["checks"]
    assert office.ask("GET", "/livez", token=None).status_code == 200
    assert office.get("/health")["ready"] is False
    assert figures(office)["tokgate_ready", ()] == 0
    assert figures(office)["tokgate_last_tick_age_seconds", ()] == 61


def test_a_device_that_is_down_does_not_make_the_process_unready(office: Office) -> None:
    finished(office, {"kind": "sync", "all": True})
    assert office.ask("GET", "/readyz", token=None).status_code == 200
    assert figures(office)["tokgate_device_failing", (("device", "fw-berlin"), ("site", "berlin"))] == 1


def test_metrics_are_what_the_api_says_elsewhere(office: Office) -> None:
    at = (("device", "fw-berlin"), ("site", "berlin"))
    assert ("tokgate_device_failing", at) not in figures(office), "never looked at: unknown, not fine"
    office.controller.store.put_status(a_status(enforced_at=NOON - 9 * MINUTE))
    record(office, event(0, hits=3), event(6, hits=4), event(5, hits=None), event(12 * 6 * 3, hits=99))
    office.clock.advance(30 * MINUTE)
    found = figures(office)
    assert found["tokgate_ready", ()] == 1
    assert found["tokgate_device_failing", at] == 0
    assert found["tokgate_device_last_success_age_seconds", at] == 31 * 60
    assert found["tokgate_device_enforced_age_seconds", at] == 39 * 60
    assert found["tokgate_mode", (("mode", "enforce"), ("role", "company"), ("site", "berlin"))] == 1
    assert found["tokgate_mode", (("mode", "off"), ("role", "company"), ("site", "berlin"))] == 0
    assert found["tokgate_source_age_seconds", (("source", "curated"),)] == 30 * 60
    assert found["tokgate_exceptions", (("state", "live"),)] == 0
    hits = {labels: value for (name, labels), value in found.items() if name == "tokgate_hits_last_hour"}
    assert hits == {(("action", "blocked"), ("site", "berlin")): 7}, "what a device does not count is absent"


# --- the document -----------------------------------------------------------------------------------------------------


def test_the_document_is_openapi_31_whole_and_served_as_it_is(shared_office: Office) -> None:
    document = shared_office.get("/openapi.json", token="read")
    assert document["openapi"].startswith("3.1.")
    assert document == json.loads(json.dumps(shared_office.app.openapi()))
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in schemas
    assert document["components"]["securitySchemes"]["bearer"] == {
        **document["components"]["securitySchemes"]["bearer"],
        "type": "http",
        "scheme": "bearer",
    }


def test_every_operation_says_what_it_does_and_how_it_fails(shared_office: Office) -> None:
    names = set()
    for method, path, operation in reference.operations(shared_office.app.openapi()):
        assert operation["summary"], path
        names.add(operation["operationId"])
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and path != "/readyz":
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
                assert "HTTPValidationError" not in json.dumps(answer)
    assert len(names) == len(list(reference.operations(shared_office.app.openapi())))


def test_the_document_as_a_page_runs_and_loads_nothing(shared_office: Office) -> None:
    answer = shared_office.ask("GET", "/api/v1/docs", token="read")
    page = Page(answer.text)
    assert page.loads == []
    assert "script" not in page.tags
    for _, path, _ in reference.operations(shared_office.app.openapi()):
        assert path in answer.text
