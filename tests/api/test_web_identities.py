"""Who a pseudonym is, in a browser; and that every link of a report opens a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from controller.access_roles import AccessRole
from controller.model import Window
from controller.reports.as_html import render_fleet, render_site
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA, Browser
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office
from tests.api.fleet_seen import an_hour_at_berlin
from tests.api.test_web_pages import text_of

PEOPLE = {"ines": AccessRole.INVESTIGATOR, "carla": AccessRole.COUNCIL, "vera": AccessRole.VIEWER}


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock, f"{INVENTORY}privacy: {{identities: pseudonyms, fewest_clients: 0}}\n") as made:
        for name, role in PEOPLE.items():
            made.controller.people.add_local(
                name, title="", roles=[role], sites=None, password=Secret(PASSWORD_OF_ANNA), actor="test"
            )
        an_hour_at_berlin(made.controller)
        yield made


def signed(office: Office, name: str) -> Browser:
    found = Browser.at(office)
    assert found.sign_in(name).status_code == 303
    return found


def test_one_asks_another_agrees_and_who_asked_sees_it(office: Office) -> None:
    ines, carla, vera = (signed(office, name) for name in PEOPLE)
    assert vera.get("/identities").status_code == 403
    assert "/identities" not in vera.get("/").text
    page = text_of(ines.get("/sites/berlin").text)
    name = re.search(r"client-[a-z2-7]{12}", page)
    assert name is not None
    assert "10.20.1.7" not in page
    refused = ines.send("/identities", site="berlin", day="2026-11-25", pseudonym=name[0])
    assert refused.status_code == 422
    assert "Reason : Must not be empty" in text_of(refused.text)
    day = "2026-11-25"
    sent = ines.send("/identities", site="berlin", day=day, pseudonym=name[0], reason="malware", ticket="INC-4711")
    assert sent.headers["location"] == "/identities?done=unmasking-asked"
    assert "Approve" not in text_of(ines.get("/identities").text), "not by who asked"
    listed = carla.get("/identities").text
    assert "malware (INC-4711)" in text_of(listed)
    (path,) = re.findall(r'action="(/identities/[^"]+/approve)"', listed)
    assert carla.send(path, page="/identities").status_code == 303
    assert "/look" not in carla.get("/identities").text, "nobody else sees it"
    seen = ines.send(path.replace("approve", "look"), page="/identities")
    assert "10.20.1.7" in text_of(seen.text)
    assert "10.20.1.7" not in ines.get("/identities").text
    office.clock.advance(timedelta(hours=9))
    assert "over" in text_of(signed(office, "ines").get("/identities").text)


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        pytest.param({"hours": "100"}, "hours", "Hours : From 1 to 72", id="too-many-hours"),
        pytest.param({"hours": "some"}, "hours", "Hours : From 1 to 72", id="no-number"),
        pytest.param({"until": "2026-11-01"}, "until", "Last day : Lies before the first day", id="ends-first"),
        pytest.param({"day": "yesterday"}, "day", "First day : 'yesterday' is no date and time", id="no-day"),
        pytest.param({"pseudonym": "client-aaaa"}, "pseudonym", "Pseudonym : Berlin knows no", id="nobody"),
        pytest.param({"reason": ""}, "reason", "Reason : Must not be empty", id="no-reason"),
    ],
)
def test_what_was_refused_keeps_what_was_typed_and_leads_to_its_field(
    office: Office, wrong: dict[str, str], field: str, said: str
) -> None:
    typed = {"site": "berlin", "day": "2026-11-25", "reason": "malware", "ticket": "INC-4711", "hours": "24"} | wrong
    refused = signed(office, "ines").send("/identities", **typed)
    assert refused.status_code in (404, 422)
    assert said.lower() in text_of(refused.text).lower()
    assert f'<a href="#{field}">' in refused.text
    (tag,) = re.findall(rf'<(?:input|select) id="{field}"[^>]*>', refused.text)
    assert 'aria-invalid="true"' in tag
    for name in typed.keys() - {"site"}:
        assert f'value="{typed[name]}"' in re.findall(rf'<input id="{name}"[^>]*>', refused.text)[0]


def test_a_wish_that_is_sent_twice_is_written_down_once(office: Office) -> None:
    ines = signed(office, "ines")
    once = re.search(r'name="once" value="([^"]+)"', ines.get("/identities").text)
    assert once is not None
    for _ in range(2):
        sent = ines.send("/identities", site="berlin", day="2026-11-25", reason="malware", once=once[1])
        assert sent.status_code == 303
    assert len(office.controller.privacy.listed(limit=10)) == 1


def test_every_link_of_a_report_opens_a_page(office: Office) -> None:
    base, now = "http://tokgate.test", office.clock.now()
    window = Window(now - timedelta(days=1), now)
    site = replace(office.controller.site_report("berlin", window, in_house=True), base_url=base)
    fleet = replace(office.controller.fleet_report(window), base_url=base)
    hrefs = {
        unescape(href)
        for page in (render_site(site), render_fleet(fleet))
        for href in re.findall('href="([^"]+)"', page)
    }
    vera = signed(office, "vera")
    assert {href.removeprefix(base).split("?")[0].split("/")[1] for href in hrefs} >= {"episodes", "sites", "devices"}
    for href in sorted(hrefs):
        assert href.startswith(f"{base}/"), href
        answer = vera.get(href.removeprefix(base))
        assert answer.status_code == 200, (href, text_of(answer.text)[:300])
