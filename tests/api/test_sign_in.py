"""Signing in by a local account, over HTTP: cookies, forged forms, lockout, and every way out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cookies import CSRF_HEADER, csrf_word
from api.sessions import PageApprover, PageCaller, PageCtl, safe_next
from controller.access_roles import AccessRole
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA, Browser
from tests.api.conftest import PASSWORD, Office, Stock, an_office, wish
from tests.controller.test_people_desk import quick_hashes

__all__ = ["quick_hashes"]


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """With Anna, an administrator."""
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as made:
        add_person(made, "anna", AccessRole.ADMIN)
        yield made


def add_person(office: Office, name: str, *roles: AccessRole, sites: list[str] | None = None) -> None:
    password = Secret(PASSWORD_OF_ANNA)
    office.controller.people.add_local(name, title="", roles=roles, sites=sites, password=password, actor="cli:root")


@pytest.fixture
def browser(office: Office) -> Browser:
    return Browser.at(office)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_anna_signs_in_sees_who_she_is_and_signs_out(browser: Browser) -> None:
    answer = browser.sign_in(where="/exceptions?state=requested")
    assert (answer.status_code, answer.headers["location"]) == (303, "/exceptions?state=requested")
    me = browser.get("/api/v1/me").json()
    assert (me["actor"], me["how"], me["sites"]) == ("person:anna", "session", None)
    assert "approve" in me["scopes"]
    before = browser.session
    out = browser.ask("POST", "/logout", data={"csrf_token": csrf_word(browser.session)})
    assert (out.status_code, out.headers["location"]) == (303, "/login?out=true")
    assert browser.session == ""
    assert code(browser.get("/api/v1/me")) == (401, "TG6001")
    assert code(browser.get("/api/v1/me", headers={"Cookie": f"tokgate-session={before}"})) == (401, "TG6001")
    assert "You are signed out" in browser.get("/login?out=true").text


@pytest.mark.parametrize(
    ("base", "name", "secure"),
    [("http://tokgate.test", "tokgate-session", False), ("https://tokgate.test", "__Host-tokgate-session", True)],
)
def test_the_cookie_is_for_this_host_out_of_reach_and_secure_where_it_can_be(
    office: Office, base: str, name: str, secure: bool
) -> None:
    cookie = Browser.at(office, base=base).sign_in().headers.get_list("set-cookie")[0]
    parts = [part.strip() for part in cookie.split(";")]
    assert parts[0].startswith(f"{name}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(parts)
    assert ("Secure" in parts) is secure
    assert not any(part.lower().startswith("domain") for part in parts)


def test_each_sign_in_is_another_session_and_ends_the_one_before(browser: Browser, office: Office) -> None:
    word = browser.word("/login")  # the form was open already
    browser.sign_in()
    first = browser.session
    tie = next(c.value for c in Browser.at(office).get("/login").cookies.jar)
    again = {"csrf_token": csrf_word(tie or ""), "name": "anna", "password": PASSWORD_OF_ANNA}
    browser.client.cookies.set("tokgate-signin", tie or "")
    assert browser.ask("POST", "/login", data=again).status_code == 303
    assert word != again["csrf_token"]
    assert len(office.controller.people.sessions("anna", is_open=True)) == 1
    assert code(Browser.at(office).get("/api/v1/me", headers={"Cookie": f"tokgate-session={first}"})) == (401, "TG6001")


def test_a_planted_cookie_is_no_session(browser: Browser) -> None:
    browser.client.cookies.set("tokgate-session", "planted-by-somebody", domain="tokgate.test")
    assert code(browser.get("/api/v1/me")) == (401, "TG6001")
    answer = browser.sign_in()
    assert answer.status_code == 303
    assert "planted" not in answer.headers["set-cookie"]


def test_who_is_signed_in_is_sent_on(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.get("/login?next=/sites")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sites")


# --- forged requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_a_form_without_its_word_is_refused(browser: Browser, path: str) -> None:
    if path == "/logout":
        browser.sign_in()
    answer = browser.ask("POST", path, data={"name": "anna", "password": PASSWORD_OF_ANNA})
    assert answer.status_code == 403
    assert "old one" in answer.text
    assert (browser.get("/api/v1/me").status_code == 200) is (path == "/logout")


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        pytest.param({}, True, id="a-program"),
        pytest.param({"Origin": "http://tokgate.test"}, True, id="our-origin"),
        pytest.param({"Origin": "http://tokgate.test", "Sec-Fetch-Site": "same-origin"}, True, id="a-browser"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True, id="no-referrer"),
        pytest.param({"Origin": "https://evil.example"}, False, id="another-origin"),
        pytest.param({"Origin": "null"}, False, id="no-origin"),
        pytest.param({"Origin": "http://tokgate.test.evil.example"}, False, id="an-origin-like-ours"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, False, id="another-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, False, id="a-sister-site"),
        pytest.param({"Sec-Fetch-Site": "none"}, False, id="typed"),
    ],
)
def test_a_change_by_cookie_comes_from_our_own_pages(browser: Browser, headers: dict[str, str], passes: bool) -> None:
    browser.sign_in()
    sent = {CSRF_HEADER: csrf_word(browser.session), **headers}
    answer = browser.ask("POST", "/api/v1/me/sign-out", headers=sent)
    assert code_or_ok(answer) == ((200, None) if passes else (403, "TG8008")), answer.text


def code_or_ok(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize("word", ["", "0" * 64, "\u00e9".encode().decode("latin-1")])
def test_a_change_over_the_api_by_cookie_needs_the_word(browser: Browser, office: Office, word: str) -> None:
    browser.sign_in()
    body = {"name": "forged", "scopes": ["admin"], "days": 1}
    answer = browser.ask("POST", "/api/v1/tokens", json=body, headers={CSRF_HEADER.encode(): word.encode("latin-1")})
    assert code(answer) == (403, "TG8008")
    assert "forged" not in [token.name for token in office.controller.tokens()]
    good = browser.ask("POST", "/api/v1/tokens", json=body, headers={CSRF_HEADER: csrf_word(browser.session)})
    assert good.status_code == 201
    assert good.json()["created_by"] == "person:anna"


def test_the_word_of_another_session_is_none(office: Office, browser: Browser) -> None:
    browser.sign_in()
    other = Browser.at(office)
    other.sign_in()
    answer = browser.ask("POST", "/api/v1/me/sign-out", headers={CSRF_HEADER: csrf_word(other.session)})
    assert code(answer) == (403, "TG8008")


# --- what is wrong is said -------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_in_the_page_and_locks_in_the_end(browser: Browser, office: Office) -> None:
    for _ in range(5):
        answer = browser.sign_in(password="horse battery staple 8")
        assert answer.status_code == 401
        assert "Wrong name or password" in answer.text
        assert 'value="anna"' in answer.text
        assert "staple" not in answer.text
    assert browser.sign_in().status_code == 401
    assert office.controller.people.get("anna").locked_until is not None


def test_guessing_is_braked_by_address_whatever_the_names(office: Office, browser: Browser) -> None:
    word = browser.word("/login")
    seen = [
        browser.ask("POST", "/login", data={"csrf_token": word, "name": f"n{n}", "password": "x"}).status_code
        for n in range(22)
    ]
    assert seen == [401] * 20 + [429] * 2
    assert Browser.at(office, address="192.0.2.61").sign_in().status_code == 303


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("/sites/berlin?tab=week", "/sites/berlin?tab=week"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/sites\r\nSet-Cookie: a=b", "/"),
        ("/login?next=/login", "/"),
        ("/auth/oidc/login", "/"),
        ("/" + "a" * 1600, "/"),
        ("/s\u00eftes", "/"),
    ],
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(text: str, goes: str) -> None:
    assert safe_next(text) == goes


def test_what_somebody_typed_is_shown_as_text(browser: Browser) -> None:
    answer = browser.send("/login", name='"><script>alert(1)</script>', password="x", next='/"><script>')
    assert "<script>" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


# --- roles, sites, ends ----------------------------------------------------------------------------------------


def test_a_session_holds_what_its_person_holds_now(browser: Browser, office: Office) -> None:
    add_person(office, "zoe", AccessRole.VIEWER, sites=["berlin"])
    browser.sign_in("zoe")
    assert [site["name"] for site in browser.get("/api/v1/sites").json()["items"]] == ["berlin"]
    assert code(browser.get("/api/v1/people")) == (403, "TG6002")
    body = {"roles": ["auditor"], "sites": None, "reason": "moved"}
    assert office.ask("PATCH", "/api/v1/people/zoe", json=body).status_code == 200
    assert len(browser.get("/api/v1/sites").json()["items"]) == 2
    assert browser.get("/api/v1/people").status_code == 200
    office.ask("POST", "/api/v1/people/zoe/disable", json={"reason": "left"})
    assert code(browser.get("/api/v1/sites")) == (401, "TG6001")


def test_one_signs_out_everywhere(office: Office, browser: Browser) -> None:
    other = Browser.at(office)
    browser.sign_in()
    other.sign_in()
    assert len(browser.get("/api/v1/me/sessions").json()["items"]) == 2
    data = {"csrf_token": csrf_word(browser.session), "everywhere": "true"}
    browser.ask("POST", "/logout", data=data)
    assert code(other.get("/api/v1/me")) == (401, "TG6001")


def test_nobody_approves_by_session_what_they_asked_for_by_token(office: Office, browser: Browser) -> None:
    body = {"name": "annas", "scopes": ["request"], "days": 1, "owner": "anna"}
    office.tokens["annas"] = office.ask("POST", "/api/v1/tokens", json=body).json()["token"]
    asked = office.ask("POST", "/api/v1/exceptions", token="annas", json=wish(office))
    assert asked.json()["requested_by"] == "person:anna"
    browser.sign_in()
    word = {CSRF_HEADER: csrf_word(browser.session)}
    answer = browser.ask("POST", f"{asked.headers['location']}/approve", headers=word)
    assert code(answer) == (403, "TG6002")
    assert "nobody approves" in answer.json()["detail"]
    created = next(e for e in office.get("/audit")["items"] if e["action"] == "exception.request")
    assert created["actor"] == "person:anna"
    assert '"via":"token:annas"' in created["detail"]
    signed_in = next(e for e in office.get("/audit")["items"] if e["action"] == "session.begin")
    assert '"via"' not in signed_in["detail"]


def test_the_account_page_shows_where_one_is_signed_in_and_ends_one_of_them(office: Office) -> None:
    add_person(office, "zoe", AccessRole.VIEWER, sites=["berlin"])
    here, there, anna = Browser.at(office), Browser.at(office, address="192.0.2.99"), Browser.at(office)
    for browser, name in ((here, "zoe"), (there, "zoe"), (anna, "anna")):
        browser.sign_in(name)
    page = here.get("/account").text
    assert "192.0.2.99" in page
    assert ("viewer" in page, "berlin" in page) == (True, True)
    other, annas = (office.controller.people.session_of(b.session)[0].id for b in (there, anna))
    assert annas not in page
    word = {"csrf_token": csrf_word(here.session)}
    assert here.ask("POST", f"/account/sessions/{annas}/end", data=word).status_code == 404
    assert here.ask("POST", f"/account/sessions/{other}/end", data={}).status_code == 403
    assert here.ask("POST", f"/account/sessions/{other}/end", data=word).status_code == 303
    assert there.get("/account").status_code == 303
    assert anna.get("/account").status_code == 200
    here.ask("POST", "/logout", data={**word, "everywhere": "true"})
    assert office.controller.people.sessions("zoe", is_open=True) == []


# --- for pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def paged(office: Office) -> Office:
    """With pages as ``api.web`` has them."""

    @office.app.get("/page", include_in_schema=False)
    def page(caller: PageCaller, controller: PageCtl) -> list[str]:
        return [caller.actor, *controller.inventory.sites]

    @office.app.post("/page", include_in_schema=False)
    def change(caller: PageApprover) -> str:
        return caller.actor

    add_person(office, "zoe", AccessRole.VIEWER, sites=["berlin"])
    return office


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(paged: Office) -> None:
    browser = Browser.at(paged)
    answer = browser.get("/page?tab=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fpage%3Ftab%3D2")
    assert browser.sign_in("zoe", where="/page?tab=2").headers["location"] == "/page?tab=2"
    assert browser.get("/page?tab=2").json() == ["person:zoe", "berlin"]


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(paged: Office) -> None:
    browser = Browser.at(paged)
    for shown, back in (
        ("http://tokgate.test/page?tab=2", "%2Fpage%3Ftab%3D2"),
        ("http://elsewhere.test/page", "%2F"),
        ("", "%2F"),
    ):
        answer = browser.get("/page", headers={"HX-Request": "true", "HX-Current-URL": shown})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, f"/login?next={back}")


def test_a_page_that_changes_something_asks_for_scope_and_word(paged: Office) -> None:
    zoe, anna = Browser.at(paged), Browser.at(paged)
    undone = zoe.ask("POST", "/page").headers["location"]
    assert undone == "/login?next=%2F&undone=true", "there is no coming back to a change"
    from_there = zoe.ask("POST", "/page", headers={"Referer": "http://tokgate.test/page?tab=2"}).headers["location"]
    assert from_there == "/login?next=%2Fpage%3Ftab%3D2&undone=true"
    assert "so nothing was done" in zoe.get(from_there).text
    zoe.sign_in("zoe")
    anna.sign_in()
    assert code(zoe.ask("POST", "/page", data={"csrf_token": csrf_word(zoe.session)})) == (403, "TG6002")
    assert code(anna.ask("POST", "/page", data={"csrf_token": csrf_word(zoe.session)})) == (403, "TG8008")
    assert code(anna.ask("POST", "/page", json={"csrf_token": csrf_word(anna.session)})) == (403, "TG8008")
    for good in (
        {"data": {"csrf_token": csrf_word(anna.session)}},
        {"headers": {CSRF_HEADER: csrf_word(anna.session)}},
    ):
        assert anna.ask("POST", "/page", **good).json() == "person:anna"


def test_a_token_opens_no_page(paged: Office) -> None:
    assert paged.ask("GET", "/page").status_code == 303
