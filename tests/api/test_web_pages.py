"""The pages as what a server sends: who is offered what and may do what, errors in words, and hostile text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from api.web.static_files import files, static
from controller.access_roles import AccessRole
from core.ids import PersonName
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA, Browser
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, an_office
from tests.api.test_sign_in import quick_hashes

__all__ = ["quick_hashes"]
EVIL = "<img src=x onerror=alert(1)>\"'&"
FORM = {
    "sites": "berlin",
    "sources": "10.20.1.7",
    "service": "tiktok",
    "lasts": "8h",
    "reason": "spring campaign",
    "owner": "marketing",
    "ticket": "MKT-1",
}
PEOPLE = {
    "anna": AccessRole.REQUESTER,
    "bert": AccessRole.APPROVER,
    "olga": AccessRole.OPERATOR,
    "vera": AccessRole.VIEWER,
    "uwe": AccessRole.AUDITOR,
    "root": AccessRole.ADMIN,
}


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as made:
        for name in PEOPLE:
            add(made, name)
        yield made


def add(office: Office, name: str) -> None:
    office.controller.people.add_local(
        name, title="", roles=[PEOPLE[name]], sites=None, password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
    )


def signed(office: Office, name: str) -> Browser:
    browser = Browser.at(office)
    assert browser.sign_in(name).status_code == 303
    return browser


def text_of(html: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def asked(browser: Browser, **changes: str) -> str:
    """The address of a request that anna sent."""
    answer = browser.send("/exceptions/new", act="send", **{**FORM, **changes})
    assert answer.status_code == 303, text_of(answer.text)
    return answer.headers["location"].partition("?")[0]


def test_somebody_asks_and_another_agrees(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna)
    page = text_of(anna.get(f"{where}?done=requested").text)
    assert "Your request is sent." in page
    assert "You asked for it, so somebody else decides." in page
    assert "Approve exactly this" not in page

    assert "1 request waits for a decision" in text_of(bert.get("/").text)
    offered = bert.get(where).text
    assert "10.20.1.7/32 would reach tiktok at berlin" in text_of(offered)
    digest = re.search(r'name="preview" value="([0-9a-f]+)"', offered)
    assert digest
    done = bert.send(f"{where}/approve", page=where, preview=digest[1])
    assert done.headers["location"] == f"{where}?done=approved"
    [given] = office.controller.exceptions.find()
    assert (given.state.value, given.decided_by) == ("approved", "person:bert")
    assert "Live on 0/1 devices" in text_of(bert.get(f"{where}/live").text)


def test_the_first_service_of_the_first_policy_is_offered_first(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    more = INVENTORY.replace("services: [tiktok]", "services: [tiktok]\n    apps: [capcut]", 1)
    with an_office(tmp_path, stock, more) as office:
        add(office, "anna")
        form = signed(office, "anna").get("/exceptions/new").text
    assert re.findall(r"<option[^>]*>(tiktok|app-capcut)<", form) == ["tiktok", "app-capcut"]


def test_nobody_approves_their_own_nor_what_they_did_not_see(office: Office) -> None:
    bert = signed(office, "bert")
    own = asked(bert)
    assert "Approve exactly this" not in bert.get(own).text
    answer = bert.send(f"{own}/approve", page=own, preview="0" * 16)
    assert answer.status_code in (403, 409)
    other = asked(signed(office, "anna"), sources="10.20.1.8")
    refused = bert.send(f"{other}/approve", page=other, preview="0" * 16)
    assert refused.status_code == 409
    assert "would open something else by now" in text_of(refused.text)
    assert {e.state.value for e in office.controller.exceptions.find()} == {"requested"}


@pytest.mark.parametrize("name", PEOPLE)
def test_what_a_role_is_not_offered_it_may_not_do(office: Office, name: str) -> None:
    where = asked(signed(office, "anna"))
    browser = signed(office, name)
    may_ask = PEOPLE[name] not in (AccessRole.VIEWER, AccessRole.AUDITOR)
    may_decide = PEOPLE[name] in (AccessRole.APPROVER, AccessRole.ADMIN)
    may_audit = PEOPLE[name] in (AccessRole.AUDITOR, AccessRole.ADMIN)
    assert ("/exceptions/new" in browser.get("/exceptions").text) is may_ask
    assert ("Approve exactly this" in browser.get(where).text) is may_decide
    sent = browser.send("/exceptions/new", page="/", act="send", **FORM)
    assert (sent.status_code == 303) is may_ask
    denied = browser.send(f"{where}/deny", page="/", reason="no")
    assert (denied.status_code == 303) is may_decide, text_of(denied.text)
    replayed = browser.get("/policy/what-if?site=berlin&policy=spare")
    assert (replayed.status_code == 403) is (PEOPLE[name] not in (AccessRole.OPERATOR, AccessRole.ADMIN))
    for page in ("/audit", "/webhooks"):
        assert (browser.get(page).status_code, f'href="{page}"' in browser.get("/").text) == (
            (200, True) if may_audit else (403, False)
        )
    tested = browser.send("/webhooks/none/test", page="/")
    assert tested.status_code == (404 if PEOPLE[name] is AccessRole.ADMIN else 403)


def test_a_form_from_elsewhere_changes_nothing(office: Office) -> None:
    anna = signed(office, "anna")
    for word in ("", "x" * 43, signed(office, "bert").word("/")):
        answer = anna.ask("POST", "/exceptions/new", data={**FORM, "act": "send", "csrf_token": word})
        assert answer.status_code == 403
    assert office.controller.exceptions.find() == ()


def test_who_is_not_signed_in_is_sent_there_and_back(office: Office) -> None:
    answer = Browser.at(office).get("/exceptions?state=live")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fexceptions%3Fstate%3Dlive")


@pytest.mark.parametrize("field", ["reason", "owner", "ticket", "sources", "hours", "starts", "ends", "seats", "sites"])
def test_hostile_text_is_shown_and_never_becomes_a_part_of_the_page(office: Office, field: str) -> None:
    anna = signed(office, "anna")
    sent = anna.send("/exceptions/new", act="send", **{**FORM, field: EVIL})
    pages = [sent.text, anna.get("/exceptions/new", params={field: EVIL}).text]
    if sent.status_code == 303:
        pages += [anna.get(sent.headers["location"]).text, anna.get("/exceptions").text, anna.get("/").text]
    pages += [anna.get("/exceptions", params={"q": EVIL, "site": EVIL, "state": EVIL}).text]
    pages += [anna.get("/why", params={"src": EVIL, "dst": EVIL}).text, anna.get(f"/exceptions/{EVIL}").text]
    assert all("<img src=x" not in page for page in pages)
    assert sent.status_code in (303, 404, 422)


def test_a_request_that_is_wrong_comes_back_filled_in_and_says_why(office: Office) -> None:
    anna = signed(office, "anna")
    answer = anna.send("/exceptions/new", act="send", **{**FORM, "sources": "192.0.2.1"})
    assert answer.status_code == 422
    page = answer.text
    assert "lies in no source network of site berlin" in page
    assert 'aria-invalid="true" aria-describedby="trouble">192.0.2.1</textarea>' in page
    assert 'value="spring campaign"' in page
    looked = anna.send("/exceptions/new", act="look", **FORM)
    assert "10.20.1.7/32 would reach tiktok" in text_of(looked.text)
    assert office.controller.exceptions.find() == ()


def test_times_are_those_of_the_site(office: Office) -> None:
    anna = signed(office, "anna")
    starts = office.clock.now() + timedelta(days=1)
    day = f"{starts:%Y-%m-%d}"
    asked(anna, starts=f"{day}T09:00", ends=f"{day}T17:30")
    [made] = office.controller.exceptions.find()
    assert f"{made.starts:%H:%M} {made.ends:%H:%M}" == "08:00 16:30", "Berlin in winter"
    assert "09:00 CET</time>" in anna.get(f"/exceptions/{made.id}").text


def test_seats_renewal_and_the_end_go_by_forms_too(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna, seats="2", lead="person:anna")
    digest = office.controller.exceptions.preview_of(where.rpartition("/")[2]).digest
    assert bert.send(f"{where}/approve", page=where, preview=digest).status_code == 303
    assert anna.send(f"{where}/seats", page=where, sources="10.20.1.8\n10.20.1.9").status_code == 303
    assert [str(n) for n in office.controller.exceptions.find()[0].sources] == ["10.20.1.8/32", "10.20.1.9/32"]
    assert anna.send(f"{where}/seats", page=where, sources="10.20.1.1\n10.20.1.2\n10.20.1.3").status_code == 422
    later = f"{office.clock.now() + timedelta(days=3):%Y-%m-%dT%H:%M}"
    renewed = anna.send(f"{where}/renew", page=where, ends=later)
    assert renewed.status_code == 303, text_of(renewed.text)
    assert "Before it" in anna.get(renewed.headers["location"]).text
    assert anna.send(f"{where}/revoke", page=where, reason="").status_code == 422
    assert anna.send(f"{where}/revoke", page=where, reason="over").status_code == 303
    assert "revoked" in text_of(anna.get(where).text)


def test_why_is_answered_and_leads_to_a_request_that_is_filled_in(office: Office) -> None:
    anna = signed(office, "anna")
    page = anna.get("/why", params={"src": "10.20.1.7", "dst": "www.tiktok.com"}).text
    assert ".tiktok.com of tiktok" in text_of(page)
    way = re.search(r'href="(/exceptions/new\?[^"]+)"', page)
    assert way
    form = anna.get(unescape(way[1])).text
    assert ">10.20.1.7</textarea>" in form
    assert 'value="berlin" checked' in form
    wrong = text_of(anna.get("/why", params={"src": "10.99.9.9", "dst": "www.tiktok.com"}).text)
    assert "No site has 10.99.9.9 among its networks" in wrong
    wrong = anna.get("/why", params={"src": "10.20.1.7", "dst": "a..b"}).text
    assert '<a href="#dst">To</a>: ' in wrong
    assert 'aria-invalid="true" aria-describedby="trouble">' in wrong


def test_an_operator_acts_in_an_emergency_and_ends_it(office: Office) -> None:
    olga, vera = signed(office, "olga"), signed(office, "vera")
    given = {"kind": "switch", "mode": "monitor", "sites": "berlin", "lasts": "", "reason": EVIL}
    assert vera.send("/emergencies", page="/", **given).status_code == 403
    assert "Switch down" not in vera.get("/emergencies").text
    assert olga.send("/emergencies", **given).headers["location"] == "/emergencies?done=begun"
    [action] = office.controller.emergencies.active()
    assert (action.sites, action.actor, action.ends) == (("berlin",), "person:olga", None)
    page = olga.get("/emergencies").text
    assert (
        "Switched down: nothing is blocked, only watched, at Berlin office until somebody ends it. By olga"
        in text_of(page)
    )
    assert "<img src=x" not in page
    assert olga.send(f"/emergencies/{action.id}/end", page="/emergencies").status_code == 303
    assert "No emergency action holds." in text_of(vera.get("/emergencies").text)
    wrong = olga.send("/emergencies", kind="withdraw", value="203.0.113.0/24", lasts="4", reason="x")
    assert wrong.status_code == 409
    assert "is not on the list" in text_of(wrong.text)


def test_a_withdrawal_that_leaves_nothing_is_confirmed_by_writing_the_service(office: Office) -> None:
    olga = signed(office, "olga")
    act, until = office.controller.interventions, office.clock.now() + timedelta(hours=1)
    *others, last = sorted(
        {d.name.rpartition(".")[2] for s in office.controller.snapshot().services for d in s.domains}
    )
    for tail in others:
        act.withdraw(f"*.{tail}", actor="cli:ann", reason="x", ends=until)
    given = {"kind": "withdraw", "value": f"*.{last}", "lasts": "4", "reason": EVIL}
    first = olga.send("/emergencies", **given)
    assert (first.status_code, "To confirm, write" in text_of(first.text)) == (409, True), text_of(first.text)
    assert "<img src=x" not in first.text
    services = re.search(r"To confirm, write ([a-z0-9 -]+)", first.text)
    assert services is not None
    assert olga.send("/emergencies", **given, empties="no-such").status_code == 409
    assert len(office.controller.emergencies.active()) == len(others)
    done = olga.send("/emergencies", **given, empties=services[1].strip())
    assert done.headers["location"] == "/emergencies?done=begun"
    assert "without any name, until" in text_of(signed(office, "vera").get("/why").text)


@pytest.mark.parametrize("kind", ["withdraw", "switch", "pause"])
def test_a_span_that_the_page_does_not_offer_makes_no_action_endless(office: Office, kind: str) -> None:
    olga = signed(office, "olga")
    given = {"kind": kind, "mode": "off", "value": "103.136.220.0/23", "reason": "outage"}
    for lasts in ("2", "-1", "ever"):
        answer = olga.send("/emergencies", lasts=lasts, **given)
        assert (answer.status_code, office.controller.emergencies.all()) == (422, ())
        assert "Say for how long" in text_of(answer.text)


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00", "1969-12-31T23:59", "9999-12-31T23:59", "2026-11-25T10:00+09:00", "2026-02-30T10:00"]
)
def test_a_date_that_is_none_is_said_on_the_page(office: Office, at: str) -> None:
    anna = signed(office, "anna")
    for field in ("starts", "ends"):
        given = {**FORM, "sites": "berlin", field: at}
        answer = anna.send("/exceptions/new", act="send", **given)
        assert answer.status_code == 422, text_of(answer.text)
        assert "is no date and time" in text_of(answer.text)
        looked = anna.send("/exceptions/preview", page="/exceptions/new", **given)
        assert (looked.status_code, "is no date and time" in text_of(looked.text)) == (200, True)


@pytest.mark.parametrize("week", ["0001-01-01", "9999-12-31"])
def test_a_week_of_no_year_of_ours_is_refused(office: Office, week: str) -> None:
    vera = signed(office, "vera")
    page = vera.get("/policy", params={"week": week})
    assert (page.status_code, "a day from 1970 to 9998" in text_of(page.text)) == (422, True)
    answer = vera.get("/api/v1/sites/berlin/calendar", params={"week": week})
    assert (answer.status_code, answer.json()["code"]) == (422, "TG5007")


def test_emergencies_stand_above_every_page(office: Office) -> None:
    office.controller.interventions.pause(
        actor="cli:ann", reason="core switch", ends=office.clock.now() + timedelta(hours=1)
    )
    for path in ("/", "/exceptions", "/policy", "/why"):
        said = "Paused: nothing is sent to devices everywhere until Wed 25 Nov 2026 12:00 UTC. By ann (command line)"
        assert said in text_of(signed(office, "vera").get(path).text)


@pytest.mark.parametrize("path", ["/exceptions/01hzzzzzzzzzzzzzzzzzzzzzzz", "/policy?site=paris", "/exceptions/x/live"])
def test_what_is_not_there_is_said_in_words(office: Office, path: str) -> None:
    answer = signed(office, "vera").get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert re.search(r"TG5001, request [0-9a-z]{26}", text_of(answer.text))


def test_pages_load_nothing_from_elsewhere_and_no_script_of_theirs(office: Office) -> None:
    vera = signed(office, "vera")
    for path in ("/login", "/", "/exceptions", "/policy", "/why"):
        answer = vera.get(path, follow_redirects=True)
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []
        assert re.search(r"<script(?![^>]* src=)|\son[a-z]+=|style=", answer.text) is None
        for found in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
            file = vera.get(found)
            assert (file.status_code, "immutable" in file.headers["cache-control"]) == (200, True)


@pytest.mark.parametrize("path", ["/static/000000000000/app.css", "/static/../app.css", "/static/x/../../pages.py"])
def test_only_files_of_the_package_are_served(office: Office, path: str) -> None:
    assert Browser.at(office).get(path).status_code == 404
    assert static("app.css").split("/")[2] == files()["app.css"][1]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("state=aproved", 422, "State: an exception is never 'aproved'. It is one of live, draft, requested"),
        ("site=paris", 404, "No site 'paris'"),
        ("cursor=abc", 422, "Cursor: not one of this list"),
    ],
)
def test_a_filter_that_is_none_shows_nothing_rather_than_all(
    office: Office, query: str, status: int, said: str
) -> None:
    anna = signed(office, "anna")
    asked(anna)
    answer = anna.get(f"/exceptions?{query}")
    assert (answer.status_code, "spring campaign" in answer.text) == (status, False)
    assert said in text_of(answer.text)
    assert "<title>Error: Exceptions" in answer.text


def test_exceptions_come_a_page_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.web.exceptions.SHOWN", 2)
    anna = signed(office, "anna")
    for number in range(5):
        asked(anna, sources=f"10.20.1.{number}", reason=f"campaign {number}")
    asked(anna, sources="10.20.1.9", reason="something else")
    pages, way = [], "/exceptions?q=CAMPAIGN"
    while way:
        page = anna.get(way).text
        pages.append(re.findall(r">(campaign \d)</a>", page))
        further = re.search(r'href="(/exceptions\?[^"]*cursor=[^"]*)">Older', page)
        way = unescape(further[1]) if further else ""
    assert pages == [["campaign 4", "campaign 3"], ["campaign 2", "campaign 1"], ["campaign 0"]]
    assert 'href="/exceptions?q=CAMPAIGN">Newest' in page


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        ("2027-03-28T02:30", ": 02:30 is skipped by the clocks of Europe/Berlin on 2027-03-28."),
        ("2026-10-25T02:30", "From: 02:30 comes twice that night; the first is meant (CEST)."),
    ],
)
def test_an_hour_that_is_none_or_two_is_said(office: Office, wall: str, said: str) -> None:
    anna = signed(office, "anna")
    looked = anna.send("/exceptions/preview", page="/exceptions/new", sites="berlin", sources="10.20.1.7", starts=wall,
                       service="tiktok", ends="2027-03-29T02:30")  # fmt: skip
    assert said in text_of(looked.text)


def test_what_is_wrong_leads_to_its_field(office: Office) -> None:
    wrong = signed(office, "anna").send("/exceptions/new", act="send", **{**FORM, "sources": "192.0.2.1"})
    assert '<a href="#sources">Who may pass</a>: 192.0.2.1' in unescape(wrong.text).replace("'", "")
    assert 'id="trouble" tabindex="-1" autofocus' in wrong.text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "withdraw", "value": "not/a/net", "lasts": "4", "reason": "x"}, "value"),
        ({"kind": "withdraw", "value": "www.tiktok.com", "lasts": "9", "reason": "x"}, "withdraw-lasts"),
        ({"kind": "switch", "mode": "nothing", "lasts": "4", "reason": "x"}, "switch-mode"),
        ({"kind": "pause", "lasts": "4", "reason": " "}, "pause-reason"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_wrong_in_an_emergency_leads_to_its_field(office: Office, given: dict[str, str], field: str) -> None:
    _leads_to(field, signed(office, "olga").send("/emergencies", **given).text)


def test_what_is_wrong_with_a_decision_leads_to_its_field(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna, seats="2", lead="person:anna")
    _leads_to("deny-reason", bert.send(f"{where}/deny", page=where, reason=" ").text)
    _leads_to("revoke-reason", anna.send(f"{where}/revoke", page=where, reason="").text)
    _leads_to("seat-sources", anna.send(f"{where}/seats", page=where, sources="192.0.2.1").text)
    digest = office.controller.exceptions.preview_of(where.rpartition("/")[2]).digest
    bert.send(f"{where}/approve", page=where, preview=digest)
    _leads_to("renew-ends", anna.send(f"{where}/renew", page=where, ends="soon").text)


def _leads_to(field: str, page: str) -> None:
    """What is wrong has a link to the field, which is one that the page has, and is marked."""
    assert f'<a href="#{field}">' in page, text_of(page)
    [marked] = re.findall(r'<[^>]+ aria-describedby="trouble">', page)
    assert f'id="{field}"' in marked


def test_what_stood_in_a_form_that_was_refused_is_still_there(office: Office) -> None:
    anna, bert, olga = (signed(office, name) for name in ("anna", "bert", "olga"))
    where = asked(anna)
    assert 'value="not now"' in bert.send(f"{where}/approve", page=where, preview="0" * 16, reason="not now").text
    page = olga.send("/emergencies", kind="pause", sites="berlin", lasts="24", reason="x" * 500 + "y").text
    assert "too long" in text_of(page).lower() or "cannot be understood" in text_of(page)
    page = olga.send("/emergencies", kind="switch", mode="nothing", sites="berlin", lasts="24", reason="outage").text
    for kept in ('value="outage"', 'value="berlin" checked', '<option value="24" selected>'):
        assert kept in page


def test_a_form_that_is_sent_twice_asks_once_and_changed_asks_again(office: Office) -> None:
    anna = signed(office, "anna")
    once = re.search(r'name="once" value="([^"]+)"', anna.get("/exceptions/new").text)
    assert once
    first, second = (asked(anna, once=once[1]) for _ in range(2))
    assert first == second
    assert asked(anna, once=once[1], sources="10.20.1.8") != first
    assert len(office.controller.exceptions.find()) == 2


def test_what_was_typed_outlives_a_session_that_ends_meanwhile(office: Office) -> None:
    anna = signed(office, "anna")
    word = anna.word("/exceptions/new")
    office.controller.people.sign_out_everywhere(PersonName("anna"), actor="cli:root")
    for path in ("/exceptions/new", "/exceptions/preview"):
        sent = anna.ask("POST", path, data={**FORM, "act": "send", "csrf_token": word})
        assert sent.headers["location"].startswith("/login?next=%2Fexceptions%2Fnew%3Fsites%3Dberlin%26sources")
    assert "so nothing was done" in anna.get(sent.headers["location"]).text
    back = anna.sign_in(where=unquote(sent.headers["location"].partition("next=")[2].partition("&")[0]))
    form = anna.get(back.headers["location"]).text
    for kept in ('value="spring campaign"', 'value="MKT-1"', ">10.20.1.7</textarea>", 'value="berlin" checked'):
        assert kept in form
    forged = anna.ask("POST", "/exceptions/new", data={**FORM, "act": "send", "csrf_token": word})
    assert forged.status_code == 403
    assert "/exceptions/new?sites=berlin&amp;sources=10.20.1.7" in forged.text
    assert office.controller.exceptions.find() == ()


def test_who_waits_on_an_open_page_is_told_what_was_decided(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna)
    way = re.search(r'hx-get="([^"]+/news\?seen=[^"]+)"', anna.get(where).text)
    assert way
    assert anna.get(way[1]).status_code == 204
    bert.send(f"{where}/deny", page=where, reason="no")
    told = anna.get(way[1]).text
    assert "Meanwhile: denied, by bert. Show it" in text_of(told)
    assert "hx-get" not in told, "asked for no more"
    assert "/news?seen=" not in anna.get(where).text


def test_where_a_file_alone_decides_the_form_says_so_first(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    (tmp_path / "exceptions.yaml").write_text("version: 1\n")
    inventory = f"{INVENTORY}exceptions: {{file: exceptions.yaml, only_from_file: true, reasons: {{other: {{}}}}}}\n"
    with an_office(tmp_path, stock, inventory) as made:
        add(made, "anna")
        page = signed(made, "anna").get("/exceptions/new").text
    assert "exceptions.yaml" in text_of(page)
    assert 'value="send"' not in page
    assert 'value="look"' in page


def test_who_names_no_kind_of_reason_gets_the_general_one(office: Office) -> None:
    form = signed(office, "anna").get("/exceptions/new").text
    assert re.findall(
        r'<option value="([^"]+)" selected', form.partition('id="code"')[2].partition("</select>")[0]
    ) == ["other"]


def test_devices_are_told_of_again_only_when_something_changed(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna)
    digest = office.controller.exceptions.preview_of(where.rpartition("/")[2]).digest
    bert.send(f"{where}/approve", page=where, preview=digest)
    shown = bert.get(where)
    while shown.status_code == 200:  # until the device was tried, which is a change too
        way = re.search(r'hx-get="([^"]+/live\?seen=[^"]+)"', shown.text)
        assert way
        shown = bert.get(way[1])
    assert (shown.status_code, shown.text) == (204, "")
    bert.send(f"{where}/revoke", page=where, reason="over")
    changed = bert.get(way[1])
    assert changed.status_code == 200
    assert 'id="live-said" hx-swap-oob="innerHTML"><strong>Removed from 1/1 devices' in changed.text


def test_a_browser_that_strays_is_answered_by_a_page_and_a_program_is_not(office: Office) -> None:
    browser = Browser.at(office)
    for path in ("/exceptionz", "/exceptions/x/approve"):
        page = browser.get(path, headers={"Accept": "text/html,*/*"})
        assert (page.status_code, "There is no such page." in page.text) == (404, True)
    for path, accepts in (("/exceptionz", "*/*"), ("/api/v1/none", "text/html")):
        answer = browser.get(path, headers={"Accept": accepts})
        assert (answer.status_code, answer.json()["code"]) == (404, "TG8001")


@pytest.mark.parametrize("path", ["/policy?week=soon", "/policy/what-if?site=berlin&policy=spare&days=3"])
def test_what_a_page_cannot_show_it_says(office: Office, path: str) -> None:
    assert signed(office, "olga").get(path).status_code == 422


def test_only_policies_that_fit_the_site_are_offered_for_a_replay(office: Office) -> None:
    assert "Replay" not in signed(office, "olga").get("/policy?site=berlin").text, "spare knows no guests"
    assert "<option>standard</option>" in signed(office, "olga").get("/policy?site=austin").text


def test_an_auditor_finds_who_changed_what_and_checks_the_chain(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.web.audit.SHOWN", 2)
    anna, uwe = signed(office, "anna"), signed(office, "uwe")
    for number in range(3):
        asked(anna, sources=f"10.20.1.{number}", reason=EVIL if number == 2 else "campaign")
    page = uwe.get("/audit?actor=person:anna&action=exception").text
    assert text_of(page).count("exception.request") == 2
    assert "<img src=x" not in page
    older = re.search(r'href="(/audit\?[^"]*cursor=[^"]*)">Older', page)
    assert older
    assert text_of(uwe.get(unescape(older[1])).text).count("exception.request") == 1
    assert "None of that kind." in text_of(uwe.get("/audit?q=no+such+word").text)
    assert "The chain holds" in text_of(uwe.get("/audit?check=true").text)
    assert uwe.get("/audit?cursor=x").status_code == 422
    for path in ("/audit", "/runs", "/episodes"):
        wrong = uwe.get(f"{path}?since=2026-11-28T10:00&until=2026-11-27T10:00").text
        assert '<a href="#since">From</a>: ' in wrong, path
        assert re.search('<input id="since"[^>]*aria-invalid="true"', wrong), path


def test_a_webhook_says_how_it_does_and_is_tried(office: Office, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("whsec_" + "A" * 43 + "=")
    office.controller.webhooks.add(
        "chat", url="https://127.0.0.1:9/hook", kinds=["exception"], secret=f"secret://file{tmp_path}/key", sites=None,
        actor="cli:root",
    )  # fmt: skip
    root, uwe = signed(office, "root"), signed(office, "uwe")
    assert "nothing sent yet" in text_of(uwe.get("/webhooks").text)
    assert "Send a test" not in uwe.get("/webhooks").text
    tried = root.send("/webhooks/chat/test", page="/webhooks")
    assert (tried.status_code, "Chat did not take it" in text_of(tried.text)) == (409, True)
    assert root.send("/webhooks/chat/resume", page="/webhooks").headers["location"] == "/webhooks?done=resume"
    assert "What waits is sent now." in text_of(root.get("/webhooks?done=resume").text)
    assert root.send("/webhooks/chat/drop", page="/webhooks").status_code == 409


def test_who_is_limited_to_sites_sees_neither_log_nor_webhooks(office: Office) -> None:
    office.controller.people.add_local(
        "ida", title="", roles=[AccessRole.ADMIN], sites=["berlin"], password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
    )
    ida = signed(office, "ida")
    assert [ida.get(path).status_code for path in ("/audit", "/webhooks")] == [403, 403]
    assert ida.send("/webhooks/chat/test", page="/").status_code == 403
    assert 'href="/audit"' not in ida.get("/").text


def test_a_decision_and_an_emergency_that_are_sent_twice_are_one(office: Office) -> None:
    anna, bert, olga = (signed(office, name) for name in ("anna", "bert", "olga"))
    where = asked(anna)
    digest = office.controller.exceptions.preview_of(where.rpartition("/")[2]).digest

    def twice(browser: Browser, path: str, page: str, **fields: str) -> list[str]:
        once = re.search(r'name="once" value="([^"]+)"', browser.get(page).text)
        assert once
        word = browser.word(page)
        sent = [browser.ask("POST", path, data={"csrf_token": word, "once": once[1], **fields}) for _ in range(2)]
        return [answer.headers.get("location", text_of(answer.text)) for answer in sent]

    assert twice(bert, f"{where}/approve", where, preview=digest) == [f"{where}?done=approved"] * 2
    later = f"{office.clock.now() + timedelta(days=3):%Y-%m-%dT%H:%M}"
    first, second = twice(anna, f"{where}/renew", where, ends=later)
    assert first == second
    assert first.endswith("?done=renewed")
    assert twice(anna, f"{where}/revoke", where, reason="over") == [f"{where}?done=revoked"] * 2
    pause = {"kind": "pause", "sites": "berlin", "lasts": "4", "reason": "core switch"}
    assert twice(olga, "/emergencies", "/emergencies", **pause) == ["/emergencies?done=begun"] * 2
    [action] = office.controller.emergencies.active()
    assert twice(olga, f"/emergencies/{action.id}/end", "/emergencies") == ["/emergencies?done=over"] * 2


def test_a_page_that_asks_by_itself_keeps_no_session_open(office: Office) -> None:
    anna = signed(office, "anna")
    for _ in range(5):
        office.clock.advance(timedelta(minutes=11))
        assert anna.get("/exceptions", headers={"HX-Request": "true"}).status_code == 200
    office.clock.advance(timedelta(minutes=11))
    assert anna.get("/exceptions", headers={"HX-Request": "true"}).status_code == 401
    assert anna.get("/exceptions").status_code == 303


def test_what_stands_against_a_request_is_said_by_the_clock_of_the_place(office: Office) -> None:
    anna, bert = signed(office, "anna"), signed(office, "bert")
    where = asked(anna)
    digest = office.controller.exceptions.preview_of(where.rpartition("/")[2]).digest
    bert.send(f"{where}/approve", page=where, preview=digest)
    said = text_of(anna.get("/exceptions/new?sites=berlin&sources=10.20.1.7").text)
    assert f"already covered by exception {where.rpartition('/')[2]} until Wed 25 Nov 2026 20:00 CET." in said
