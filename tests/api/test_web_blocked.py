"""The page for whoever is blocked: who may ask without signing in, all that it says, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from api.web.blocked import BURST
from controller.access_roles import AccessRole
from controller.model import Mode
from tests.api.browsing import Browser
from tests.api.conftest import INVENTORY, Office, Stock, an_office, wish
from tests.api.test_sign_in import add_person, quick_hashes
from tests.api.test_web_pages import text_of

__all__ = ["quick_hashes"]
CLIENT = "10.20.1.7"


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", "none")
    monkeypatch.setenv("TOKGATE_BLOCKED_PAGE_NETWORKS", "10.20.0.0/16, 10.30.0.0/16, 10.99.0.0/16, 2a01:db9:20::/48")
    with an_office(tmp_path, stock) as made:
        yield made


def asked(office: Office, dst: str = "www.tiktok.com", *, address: str = CLIENT) -> str:
    answer = Browser.at(office, address=address).get("/blocked", params={"dst": dst})
    assert answer.status_code == 200, text_of(answer.text)
    assert "set-cookie" not in answer.headers
    return text_of(answer.text)


def test_who_is_blocked_learns_why_and_until_when_without_signing_in(office: Office) -> None:
    page = asked(office)
    assert "www.tiktok.com is blocked for you" in page
    assert "The policy where you are says so: weekdays 08:00–18:00. That may change Wed 25 Nov 2026 18:00 CET" in page
    assert "Whether it is so at this moment is not proven." in page
    assert f"tell your helpdesk: {CLIENT} to www.tiktok.com, Wed 25 Nov 2026 12:00 CET" in page


@pytest.mark.parametrize(
    ("dst", "address", "said"),
    [
        ("https://www.tiktok.com/@somebody?lang=en", CLIENT, "www.tiktok.com is blocked for you"),
        ("www.tiktok.com", f"::ffff:{CLIENT}", "www.tiktok.com is blocked for you"),
        ("www.tiktok.com", "2a01:db9:20::7", "www.tiktok.com is blocked for you"),
        ("www.tiktok.com", "10.20.9.4", "not blocked for you now The policy where you are says so for all hours that"),
        ("example.org", CLIENT, "example.org is not blocked here"),
        ("not a name", CLIENT, "Dst: 'not a name' is neither"),
        ("www.tiktok.com", "10.99.1.1", "Your address is in none of the networks that are looked after here."),
    ],
)
def test_each_question_has_an_answer(office: Office, dst: str, address: str, said: str) -> None:
    assert said.casefold() in asked(office, dst, address=address).casefold()


def test_it_says_nothing_of_sites_devices_rules_lists_or_people(office: Office) -> None:
    given = wish(office, later=timedelta(0), sources=["10.20.1.8"], reason="a secret campaign", owner="somebody")
    exception = office.ask("POST", "/api/v1/exceptions", token="helpdesk", json=given).json()
    office.ask("POST", f"/api/v1/exceptions/{exception['id']}/approve", token="lead")
    pages = [asked(office), asked(office, address="10.20.1.8"), asked(office, address="10.99.1.1")]
    assert "is open to you for a while" in pages[1]
    for page in pages:
        for word in ("berlin", "fw-", "deny-", "standard", "secret campaign", "somebody", exception["id"], "127.0.0.1"):
            assert word not in page.casefold()


def test_an_emergency_is_the_reason_then(office: Office) -> None:
    office.controller.interventions.switch(Mode.OFF, ["berlin"], actor="cli:ann", reason="a secret", ends=None)
    page = asked(office)
    assert "www.tiktok.com is not blocked for you now An emergency measure holds." in page
    assert "secret" not in page


def test_nobody_asks_for_another_address(office: Office) -> None:
    page = Browser.at(office, address="10.20.9.4").get("/blocked", params={"dst": "www.tiktok.com", "src": CLIENT}).text
    assert "is not blocked for you now" in text_of(page)
    forged = Browser.at(office, address="10.20.9.4").get(
        "/blocked", params={"dst": "www.tiktok.com"}, headers={"X-Forwarded-For": CLIENT, "Forwarded": f"for={CLIENT}"}
    )
    assert "is not blocked for you now" in text_of(forged.text)


@pytest.mark.parametrize("address", ["192.0.2.60", "10.21.0.1", "2a01:db9:21::1"])
def test_from_elsewhere_one_signs_in_first(office: Office, address: str) -> None:
    answer = Browser.at(office, address=address).get("/blocked?dst=www.tiktok.com")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fwhy%3Fdst%3Dwww.tiktok.com")


def test_who_asks_often_waits(office: Office) -> None:
    for _ in range(BURST):
        asked(office)
    for path in ("/blocked?dst=www.tiktok.com", "/blocked?dst=example.org"):
        answer = Browser.at(office, address=CLIENT).get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        assert "too many questions" in text_of(answer.text).casefold()
    assert "is not blocked for you now" in asked(office, address="10.20.9.4"), "others are not kept waiting"
    office.clock.advance(timedelta(minutes=2))
    asked(office)


def test_the_way_to_a_request_is_filled_in_after_the_sign_in(office: Office) -> None:
    add_person(office, "anna", AccessRole.REQUESTER)
    add_person(office, "otto", AccessRole.REQUESTER, sites=["austin"])
    found = re.search(
        r'href="(/blocked/request\?[^"]+)"', Browser.at(office, address=CLIENT).get("/blocked?dst=www.tiktok.com").text
    )
    assert found
    for name, site in (("anna", "sites=berlin&service=tiktok"), ("otto", "")):
        browser = Browser.at(office, address=CLIENT)
        to_sign_in = browser.get(unescape(found[1]))
        assert to_sign_in.headers["location"] == "/login?next=%2Fblocked%2Frequest%3Fdst%3Dwww.tiktok.com"
        browser.sign_in(name)
        filled = browser.get(unescape(found[1])).headers["location"]
        assert filled == f"/exceptions/new?sources={CLIENT}" + (f"&{site}" if site else "")


def test_it_is_closed_unless_a_setting_opens_it(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_TEST_PASSWORD", "none")
    assert "10.20.0.0/16" in INVENTORY
    with an_office(tmp_path, stock) as made:
        assert Browser.at(made, address=CLIENT).get("/blocked?dst=www.tiktok.com").status_code == 303
