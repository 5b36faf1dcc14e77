"""What a site keeps, asked over the API: by the rules of the inventory, counted, changed by nobody, and no other's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.model import Scope, Window
from core.ids import DeviceName, EventId, SiteName, new_id
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import add, signed, text_of
from tests.controller.export.records import event, seen
from tests.controller.offices import NOON
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading

__all__ = ["quick_hashes"]
DAY = timedelta(days=1)
PRIVACY = "privacy: {retention: {events: 30, identities: 10}}\n"
HELD = INVENTORY.replace("    time_zone: America", "    privacy: {hold: case 4711}\n    time_zone: America")


@pytest.fixture
def keeping(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """At each of three sites, one of them of the past, something to drop and something to forget; one is on hold."""
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock, HELD + PRIVACY) as made:
        for site in ("berlin", "austin", "lost"):
            for days in (40, 20):
                end = NOON - days * DAY
                one = event(
                    id=EventId(new_id()),
                    site=SiteName(site),
                    device=DeviceName(f"fw-{site}"),
                    window=Window(end - timedelta(minutes=5), end),
                    sources=(seen("10.20.0.7", "103.136.220.9"),),
                )
                made.controller.store.record_events(one.device, Reading(epoch="e", read_at=NOON, rules=()), [one])
        yield made


def test_it_says_what_is_kept_and_what_a_run_drops(keeping: Office) -> None:
    found = {one["site"]: one for one in keeping.get("/retention", token="audit")["items"]}
    assert sorted(found) == ["austin", "berlin", "lost"]
    berlin = found["berlin"]
    assert [berlin[f"{what}_days"] for what in ("events", "episodes", "identities", "proofs")] == [30, 400, 10, 400]
    assert (berlin["due"]["events"], berlin["due"]["identities_in_events"], berlin["due"]["proofs"]) == (1, 1, 0)
    assert (found["austin"]["hold"], found["austin"]["due"]) == ("case 4711", None)
    assert keeping.get("/retention/lost", token="audit") == found["lost"]
    assert keeping.get("/retention", token="audit", params={"q": "4711"})["items"] == [found["austin"]]
    keeping.controller.retention.run()
    assert set(keeping.get("/retention/berlin", token="audit")["due"].values()) == {0}, "or nothing was counted above"


def test_a_report_calls_what_was_dropped_not_none(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock, HELD + "privacy: {retention: {episodes: 10}}\n") as office:
        old = an_episode(new_id(), window=Window(NOON - 20 * DAY, NOON - 20 * DAY + timedelta(minutes=5)))
        office.controller.store.record("b", [old])
        office.controller.retention.run()

        def told(site: str, days: int, form: str) -> str:
            span = {"from": f"{NOON - days * DAY:%Y-%m-%dT%H:%M:%SZ}", "to": f"{NOON:%Y-%m-%dT%H:%M:%SZ}"}
            return text_of(office.ask("GET", f"/api/v1/reports/sites/{site}", params={**span, "format": form}).text)

        for form in ("html", "markdown"):
            assert "Nothing is left of this time." in told("berlin", 30, form)
            assert "Episodes of before 2026-11-15 11:00Z are not kept" in told("berlin", 30, form)
            assert "Nothing is left" not in told("berlin", 5, form)
            assert "Nothing is left" not in told("austin", 30, form), "on hold"
        assert '"episodes_kept_from":"2026-11-15T11:00:00Z"' in told("berlin", 30, "json").replace('": ', '":')


def test_it_is_for_auditors_and_of_their_sites(keeping: Office) -> None:
    assert keeping.ask("GET", "/api/v1/retention", token="operate").status_code == 403
    made = keeping.controller.create_token("narrow", [Scope.AUDIT], DAY, sites=["berlin"], actor="test")
    keeping.tokens["narrow"] = made[1].reveal()
    assert [one["site"] for one in keeping.get("/retention", token="narrow")["items"]] == ["berlin"]
    for name in ("austin", "lost", "nowhere"):
        assert keeping.ask("GET", f"/api/v1/retention/{name}", token="narrow").status_code == 404, name
    assert keeping.ask("PUT", "/api/v1/retention/berlin", json={}).status_code == 405


def test_the_page_says_the_same(keeping: Office, quick_hashes: None) -> None:
    for name in ("root", "vera"):
        add(keeping, name)
    root, vera = signed(keeping, "root"), signed(keeping, "vera")
    shown = text_of(root.get("/retention").text)
    assert "berlin 30 days 400 days 10 days 400 days events: 1, identities in events: 1" in shown
    assert "on hold case 4711" in shown
    assert "lost" in shown
    assert "austin" not in text_of(root.get("/retention?site=berlin").text)
    assert 'href="/retention"' in root.get("/audit").text
    assert vera.get("/retention").status_code == 403
