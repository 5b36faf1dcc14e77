"""The scoreboard, a source's watch and a person's word on it, over the API and in the metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from controller.model import Scope, SourceSeen
from controller.scoreboard import HITS_SPAN, MAX_EVENTS, make_scoreboard
from core.ids import DeviceName, EventId, SiteName
from ipsets.conduct import Watch
from ipsets.resolve import SourceRecord
from tests.api.conftest import Office
from tests.controller.offices import NOON
from tests.controller.reporting import event
from vendors.model import Reading

BOARD = "/intel/scoreboard"
TIKTOK, ELSEWHERE = ip_address("103.136.220.10"), ip_address("198.51.99.1")
KEYS = {
    "source",
    "kind",
    "last_attempt",
    "last_success",
    "error_code",
    "stale",
    "stale_after_seconds",
    "dated",
    "changed_at",
    "changes",
    "watched",
    "entries",
    "networks",
    "domains",
    "addresses_v4",
    "networks_v6",
    "unique",
    "unique_share",
    "overlaps",
    "lag",
    "precision_v4",
    "precision_v6",
    "hits",
}


def pair(destination: object, packets: int | None = 3) -> SourceSeen:
    return SourceSeen(
        source=ip_address("10.20.0.7"),
        destination=destination,
        packets=packets,
        octets=None,
        last_seen=NOON,  # type: ignore[arg-type]
    )


def went(office: Office, *destinations: SourceSeen, hours: float = 1.0) -> None:
    """A recorded event that ended so many hours ago."""
    end = office.clock.now() - timedelta(hours=hours)
    made = event(
        end, 1, site=SiteName("berlin"), device=DeviceName("fw-berlin"), id=EventId(f"01hz{hours}{len(destinations)}")
    )
    reading = Reading(epoch="1", read_at=end, rules=(), flows=(), flows_truncated=False)
    office.controller.store.record_events(made.device, reading, [replace(made, sources=destinations)])


def put_on_watch(office: Office) -> SourceRecord:
    [record] = office.controller.sources()
    watch = Watch(
        rule="growth",
        since=NOON,
        reason="grew from 1 to 500 entries in one refresh",
        entries=1,
        addresses_v4=0,
        changes=0,
    )
    watched = replace(record, conduct=replace(record.conduct, watch=watch))
    office.controller.store.save_source_records([watched])
    return watched


def test_every_source_is_told_with_all_its_figures(office: Office) -> None:
    went(office, pair(TIKTOK, 3), pair(ELSEWHERE, 9), hours=1)
    went(office, pair(ELSEWHERE), hours=2)
    went(office, hours=3)
    went(office, pair(TIKTOK), hours=24 * 31)
    board = office.get(BOARD, token="read")
    assert board["hits"] == {
        "since": "2026-10-26T11:00:00Z",
        "events": 3,
        "events_left_out": False,
        "without_destination": 1,
        "of_nobody": 1,
    }
    [row] = board["sources"]
    assert row.keys() == KEYS
    assert (row["source"], row["kind"], row["stale"], row["watched"]) == ("curated", "curated", None, None)
    assert (row["dated"], row["stale_after_seconds"]) == ("2026-11-22T00:00:00Z", 86400.0)
    assert row["entries"] == row["networks"] + row["domains"] == row["unique"]
    assert (row["unique_share"], row["overlaps"]) == (1.0, [])
    assert row["lag"] == {"median_seconds": None, "entries": 0, "not_named": 0}
    assert row["precision_v4"] == {"share": 1.0, "shared": 0.0, "cdn": 0.0, "unknown": 0.0}
    assert row["hits"] == {"events": 1, "packets": 3}


def test_events_beyond_the_limit_are_left_out_and_that_is_said(office: Office) -> None:
    seen = ((pair(TIKTOK),) for _ in range(MAX_EVENTS + 1))
    since = NOON - HITS_SPAN
    board = make_scoreboard(office.controller.sources(), {}, seen, hits_since=since, now=NOON)
    assert (board.events, board.events_left_out) == (MAX_EVENTS, True)
    [row] = board.sources
    assert row.caught.events == MAX_EVENTS


def test_stale_and_watched_sources_stand_in_the_answer_and_the_metrics(office: Office) -> None:
    put_on_watch(office)
    office.clock.advance(timedelta(days=2))
    [row] = office.get(BOARD)["sources"]
    assert row["stale"] == "it last answered 2 d ago, more than 1d"
    told = {"rule": "growth", "since": "2026-11-25T11:00:00Z", "reason": "grew from 1 to 500 entries in one refresh"}
    assert row["watched"] == told
    [listed] = office.get("/sources")["items"]
    assert listed["watched"] == told
    metrics = office.ask("GET", "/metrics").text
    assert 'tokgate_source_stale{source="curated"} 1.0' in metrics
    assert 'tokgate_source_watched{source="curated"} 1.0' in metrics
    assert 'tokgate_source_age_seconds{source="curated"} 172800.0' in metrics
    assert 'tokgate_source_unchanged_seconds{source="curated"} 172800.0' in metrics
    assert f'tokgate_source_entries{{source="curated"}} {float(row["entries"])}' in metrics
    assert f'tokgate_source_addresses{{source="curated"}} {float(row["addresses_v4"])}' in metrics


def test_i14_a_source_is_vouched_for_over_the_api_by_name(office: Office) -> None:
    put_on_watch(office)
    office.add_token("night-shift", Scope.OPERATE)
    body = {"source": "curated", "reason": "we looked"}
    assert office.ask("POST", "/api/v1/intel/trust", token="read", json=body).status_code == 403
    for _ in range(2):  # a lost answer may be asked for again
        answer = office.ask("POST", "/api/v1/intel/trust", token="night-shift", json=body)
        assert (answer.status_code, answer.json()["watched"]) == (200, None), answer.text
    told = [(e.actor, e.subject, e.reason) for e in office.controller.audit() if e.action == "source.trust"]
    assert told == [("token:night-shift", "curated", "we looked")] * 2
    assert 'tokgate_source_watched{source="curated"} 0.0' in office.ask("GET", "/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"source": "nobody", "reason": "x"}, 404, "TG5001"),
        ({"source": "curated"}, 422, "TG5007"),
        ({"source": "curated", "reason": " "}, 422, "TG5007"),
        ({"source": "../x", "reason": "x"}, 422, "TG5007"),
        ({"source": "curated", "reason": "x", "more": 1}, 422, "TG5007"),
    ],
)
def test_what_cannot_be_vouched_for_is_refused(
    shared_office: Office, body: dict[str, str], status: int, code: str
) -> None:
    answer = shared_office.ask("POST", "/api/v1/intel/trust", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
