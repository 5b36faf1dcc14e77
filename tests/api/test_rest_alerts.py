"""Alerts of the intelligence over the API and by the command: each once, the newest first, in pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.alerts import AlertNote
from tests.api.conftest import Office

HOUR = timedelta(hours=1)


def tell(office: Office, *kinds: str) -> None:
    """One alert an hour."""
    for at, kind in enumerate(kinds):
        note = AlertNote(kind=kind, subject=f"AS{at}", message=f"AS{at} it {kind}", detail={"count": at})
        known = office.controller.store.source_records()
        office.controller.store.save_source_records(known, alerts=[note])
        office.clock.advance(HOUR)


def walked(office: Office, path: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = office.get(f"{path}{cursor}", token="read")
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_alerts_are_listed_in_pages_the_newest_first(office: Office) -> None:
    assert office.get("/events/alerts", token="read") == {"items": [], "next_cursor": None, "count": None}
    tell(office, "moved", "renamed", "moved")
    found = walked(office, "/events/alerts?limit=2")
    assert [row["subject"] for row in found] == ["AS2", "AS1", "AS0"]
    assert found[0] == {
        "id": found[1]["id"] + 1,
        "at": "2026-11-25T13:00:00Z",
        "kind": "moved",
        "subject": "AS2",
        "message": "AS2 it moved",
        "detail": {"count": 2},
    }


def test_alerts_are_chosen_by_kind_and_time(office: Office) -> None:
    tell(office, "moved", "renamed", "moved")
    assert [r["subject"] for r in walked(office, "/events/alerts?limit=1&kind=moved")] == ["AS2", "AS0"]
    assert [r["subject"] for r in walked(office, "/events/alerts?since=2026-11-25T12:00:00Z")] == ["AS2", "AS1"]


@pytest.mark.parametrize(
    "query", ["kind=Moved!", "since=yesterday", "cursor=nonsense", "limit=0", "limit=501", "cursor=YXVkaXQ6Nw"]
)
def test_a_list_of_alerts_that_cannot_be_is_refused(shared_office: Office, query: str) -> None:
    answer = shared_office.ask("GET", f"/api/v1/events/alerts?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "TG5007")


def test_the_metrics_count_the_alerts_of_a_day(office: Office) -> None:
    assert "tokgate_alerts_last_day{" not in office.ask("GET", "/metrics").text
    tell(office, "moved", "renamed", "moved")
    office.clock.advance(22 * HOUR)
    text = office.ask("GET", "/metrics").text
    assert 'tokgate_alerts_last_day{kind="moved"} 1.0' in text, "the first one was told 25 hours ago"
    assert 'tokgate_alerts_last_day{kind="renamed"} 1.0' in text


def test_alerts_take_a_token_that_may_read(shared_office: Office) -> None:
    assert shared_office.ask("GET", "/api/v1/events/alerts", token=None).status_code == 401
    assert shared_office.ask("GET", "/api/v1/events/alerts", token="request").status_code == 403
