"""Sign-in by a provider: the whole way there and back with a real one, and everything that a false one may try.

The real one is canaille, in a process of its own on loopback; the false one signs whatever a test tells it to.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.oidc import Pending
from controller.access_roles import AccessRole
from controller.service import Controller
from controller.settings import Settings
from controller.store import AlertQuery
from core.clock import ManualClock
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA, Browser
from tests.api.conftest import INVENTORY, PASSWORD, Office, Stock, served
from tests.api.openid_provider import PASSWORD as PASSWORD_THERE
from tests.api.openid_provider import SECRET
from tests.controller.test_people_desk import quick_hashes

__all__ = ["quick_hashes"]

CALLBACK = "http://tokgate.test/auth/oidc/callback"
ACCESS = """
access:
  provider:
    title: Example SSO
    issuer: {issuer}
    client_id: tokgate
    client_secret: secret://env/OIDC_TEST_SECRET
    scopes: [openid, profile, email, groups]
    name_claim: {name_claim}
  rules:
    - {{claim: groups, value: tokgate-admins, roles: [admin]}}
    - {{claim: groups, value: berlin-helpdesk, roles: [requester, viewer], sites: [berlin]}}
"""


@contextmanager
def an_office(
    folder: Path, stock: Stock, monkeypatch: pytest.MonkeyPatch, issuer: str, *, name_claim: str = "sub"
) -> Iterator[Office]:
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("OIDC_TEST_SECRET", SECRET)
    shutil.copytree(stock.data, folder / "data", ignore=shutil.ignore_patterns("*.lock", "locks", "processes"))
    text = INVENTORY + ACCESS.format(issuer=issuer, name_claim=name_claim)
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    settings = Settings(inventory=folder / "inventory.yaml", data_dir=folder / "data", workers=2)
    clock = ManualClock(datetime.now(UTC))  # the real provider has the time of this machine
    with Controller.open(settings, clock=clock) as controller, asyncio.Runner() as runner:
        yield served(controller, runner, dict(stock.tokens))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


# --- the real provider ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def canaille() -> Iterator[str]:
    """Its issuer."""
    port = free_port()
    script = Path(__file__).with_name("openid_provider.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(port), CALLBACK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def office(canaille: str, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office(tmp_path, stock, monkeypatch, canaille) as made:
        yield made


def at_provider(uri: str, name: str) -> str:
    """What a person does at the provider: signs in there, and is sent back. Returns where to."""
    with httpx.Client(trust_env=False, base_url=uri) as client:
        answer = client.get(uri)
        for _ in range(12):
            if answer.is_redirect:
                where = str(answer.next_request.url) if answer.next_request else ""
                if where.startswith(CALLBACK):
                    return where
                answer = client.get(where)
                continue
            fields = {
                unescape(n): unescape(v)
                for n, v in re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', answer.text)
            }
            if 'name="password"' in answer.text:
                fields["password"] = PASSWORD_THERE
            elif 'name="login"' in answer.text:
                fields["login"] = name
            else:
                fields["answer"] = "accept"
            answer = client.post(str(answer.url), data=fields)
    raise AssertionError(f"the provider does not send back: {answer.url} {answer.text[:500]}")


def go(browser: Browser, where: str = "/sites") -> str:
    """From our sign-in to the provider's. Returns where the browser is sent."""
    answer = browser.get(f"/auth/oidc/login?next={where}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def back(browser: Browser, uri: str) -> httpx.Response:
    """Back from the provider."""
    parts = urlsplit(uri)
    return browser.get(f"{parts.path}?{parts.query}")


def test_bert_signs_in_by_the_provider_with_the_role_and_site_of_his_group(office: Office) -> None:
    browser = Browser.at(office)
    assert "Sign in with Example SSO" in browser.get("/login").text
    uri = go(browser)
    asked = dict(parse_qsl(urlsplit(uri).query))
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    answer = back(browser, at_provider(uri, "bert"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sites"), answer.text
    me = browser.get("/api/v1/me").json()
    assert (me["actor"], me["scopes"], me["sites"]) == ("person:bert", ["read", "request"], ["berlin"])
    person = office.controller.people.get("bert")
    assert (person.title, person.kind.value) == ("Bert Example", "oidc")
    assert not [c for c in browser.client.cookies.jar if "oidc" in c.name and c.value], "the way there is forgotten"
    assert office.controller.alerts(wanted=AlertQuery(kind="local-sign-in")) == []


def test_anna_is_an_administrator_and_carl_is_nobody_here(office: Office) -> None:
    anna, carl = Browser.at(office), Browser.at(office)
    back(anna, at_provider(go(anna), "anna"))
    assert "admin" in anna.get("/api/v1/me").json()["scopes"]
    answer = back(carl, at_provider(go(carl), "carl"))
    assert answer.status_code == 403
    assert "nothing that it says gives a role here" in answer.text
    assert carl.session == ""


def test_a_code_is_good_once(office: Office) -> None:
    browser = Browser.at(office)
    uri = go(browser)
    kept = next(c.value for c in browser.client.cookies.jar if c.name == "tokgate-oidc")
    came = at_provider(uri, "anna")
    assert back(browser, came).status_code == 303
    thief = Browser.at(office)
    thief.client.cookies.set("tokgate-oidc", kept or "")
    answer = back(thief, came)
    assert (answer.status_code, thief.session) == (403, "")
    assert "did not take the code" in answer.text


def test_a_code_is_good_in_the_browser_that_asked_alone(office: Office) -> None:
    """A victim who is led to the attacker's way back is not signed in as the attacker."""
    attacker, victim, other = Browser.at(office), Browser.at(office), Browser.at(office)
    came = at_provider(go(attacker), "anna")
    go(other)
    for browser in (victim, other):
        answer = back(browser, came)
        assert (answer.status_code, browser.session) == (403, "")
        assert "did not begin that sign-in" in answer.text
    assert back(attacker, came).status_code == 303


def test_a_token_for_another_sign_in_is_refused(office: Office) -> None:
    """The nonce of the token is the one that this browser was given."""
    browser = Browser.at(office)
    came = at_provider(go(browser), "anna")
    kept = Pending.loads(next(c.value or "" for c in browser.client.cookies.jar if c.name == "tokgate-oidc"))
    assert kept is not None
    other = Pending(state=kept.state, nonce="another", verifier=kept.verifier, next="/", at=kept.at)
    attacker = Browser.at(office)
    attacker.client.cookies.set("tokgate-oidc", other.dumps())
    answer = back(attacker, came)
    assert (answer.status_code, attacker.session) == (403, "")
    assert "cannot be trusted" in answer.text


def test_a_code_without_its_verifier_is_refused(office: Office) -> None:
    browser = Browser.at(office)
    came = at_provider(go(browser), "anna")
    kept = Pending.loads(next(c.value or "" for c in browser.client.cookies.jar if c.name == "tokgate-oidc"))
    assert kept is not None
    thief = Browser.at(office)
    thief.client.cookies.set(
        "tokgate-oidc",
        Pending(state=kept.state, nonce=kept.nonce, verifier="x" * 64, next="/", at=kept.at).dumps(),
    )
    assert (back(thief, came).status_code, thief.session) == (403, "")


def test_signing_out_offers_to_sign_out_there_too(office: Office, canaille: str) -> None:
    browser = Browser.at(office)
    back(browser, at_provider(go(browser), "anna"))
    page = browser.get("/login?out=true", headers={"Cookie": ""})
    assert page.status_code in (200, 303)
    fresh = Browser.at(office).get("/login?out=true").text
    link = unescape(re.findall(r'href="([^"]*end_session[^"]*)"', fresh)[0])
    assert link.startswith(f"{canaille}/oauth/end_session?")
    assert parse_qs(urlsplit(link).query)["post_logout_redirect_uri"] == ["http://tokgate.test/login"]


def test_a_sign_in_that_takes_too_long_begins_anew(office: Office) -> None:
    browser = Browser.at(office)
    came = at_provider(go(browser), "anna")
    office.clock.advance(timedelta(minutes=10, seconds=1))
    answer = back(browser, came)
    assert answer.status_code == 403
    assert "longer than 10 minutes" in answer.text


def test_when_the_provider_is_down_a_local_account_signs_in(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_office(tmp_path, stock, monkeypatch, f"http://127.0.0.1:{free_port()}") as office:
        office.controller.people.add_local(
            "anna", title="", roles=[AccessRole.ADMIN], sites=None, password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
        )
        browser = Browser.at(office)
        answer = browser.get("/auth/oidc/login?next=/sites")
        assert answer.status_code == 503
        assert "Example SSO is not available" in answer.text
        assert "local account" in answer.text
        assert browser.sign_in().status_code == 303


# --- a false provider ----------------------------------------------------------------------------------------------


@dataclass
class Forger:
    """A provider that says and signs what it is told."""

    key: RSAKey
    issuer: str = ""
    described: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    id_token: Callable[[dict[str, Any]], str] | None = None
    nonce: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        match path:
            case "/.well-known/openid-configuration":
                return self.described
            case "/jwks":
                return self.keys
            case "/userinfo":
                return self.userinfo
            case _:
                make = self.id_token or self.signed
                return {"access_token": "at", "token_type": "Bearer", "id_token": make(self.claims())}

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(datetime.now(UTC).timestamp())
        base = {"iss": self.issuer, "aud": "tokgate", "sub": "anna", "iat": now, "exp": now + 300}
        return {**base, "nonce": self.nonce, "groups": ["tokgate-admins"], **more}

    def signed(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        signer = key or self.key
        said = {"alg": "RS256", "kid": "k1", **header}
        return jwt.encode(said, claims, signer, algorithms=[said["alg"]])


@cache
def a_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


@pytest.fixture
def forger() -> Iterator[Forger]:
    made = Forger(a_key())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps(made.answer(urlsplit(self.path).path)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    made.described = {
        "issuer": made.issuer,
        "authorization_endpoint": f"{made.issuer}/authorize",
        "token_endpoint": f"{made.issuer}/token",
        "jwks_uri": f"{made.issuer}/jwks",
        "userinfo_endpoint": f"{made.issuer}/userinfo",
    }
    made.keys = {"keys": [made.key.as_dict(private=False)]}
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def duped(forger: Forger, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office that believes in the forger."""
    with an_office(tmp_path, stock, monkeypatch, forger.issuer) as made:
        yield made


def try_in(office: Office, forger: Forger, *, query: str = "") -> tuple[httpx.Response, Browser]:
    browser = Browser.at(office)
    asked = dict(parse_qsl(urlsplit(go(browser)).query))
    forger.nonce = asked["nonce"]
    return browser.get(f"/auth/oidc/callback?code=c&state={asked['state']}{query}"), browser


def unsigned(forger: Forger, claims: dict[str, Any]) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."


def by_the_public_key(forger: Forger, claims: dict[str, Any]) -> str:
    """The classic: an HMAC, with the public key for a secret."""
    return hmac_signed(claims, forger.key.as_pem(private=False))


def by_the_client_secret(forger: Forger, claims: dict[str, Any]) -> str:
    return hmac_signed(claims, SECRET.encode())


def hmac_signed(claims: dict[str, Any], secret: bytes) -> str:
    head = f"{encoded({'alg': 'HS256', 'kid': 'k1'})}.{encoded(claims)}"
    made = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def by_another_key(forger: Forger, claims: dict[str, Any]) -> str:
    return forger.signed(claims, RSAKey.generate_key(2048))


def with_claims(**more: Any) -> Callable[[Forger, dict[str, Any]], str]:
    def make(forger: Forger, claims: dict[str, Any]) -> str:
        now = claims["iat"]
        told = {name: value(now) if callable(value) else value for name, value in more.items()}
        return forger.signed({name: value for name, value in (claims | told).items() if value is not None})

    return make


def changed_after(forger: Forger, claims: dict[str, Any]) -> str:
    head, _, signature = forger.signed(claims).split(".")
    return f"{head}.{encoded({**claims, 'sub': 'root'})}.{signature}"


def test_an_honest_token_passes(duped: Office, forger: Forger) -> None:
    """The detector's other half: only what each case below changes has it refused."""
    answer, browser = try_in(duped, forger)
    assert answer.status_code == 303, answer.text
    assert browser.get("/api/v1/me").json()["actor"] == "person:anna"


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(unsigned, id="alg-none"),
        pytest.param(by_the_public_key, id="hmac-with-the-public-key"),
        pytest.param(by_the_client_secret, id="hmac-with-the-client-secret"),
        pytest.param(by_another_key, id="another-key"),
        pytest.param(changed_after, id="changed-after"),
        pytest.param(lambda f, c: "rubbish", id="rubbish"),
        pytest.param(lambda f, c: "a.b.c", id="three-parts-of-rubbish"),
        pytest.param(with_claims(aud="other"), id="another-audience"),
        pytest.param(with_claims(aud=["tokgate", "other"]), id="two-audiences-without-azp"),
        pytest.param(with_claims(aud=["tokgate", "other"], azp="other"), id="for-another-party"),
        pytest.param(with_claims(aud=None), id="no-audience"),
        pytest.param(with_claims(iss="https://evil.example"), id="another-issuer"),
        pytest.param(with_claims(nonce="another"), id="another-nonce"),
        pytest.param(with_claims(nonce=None), id="no-nonce"),
        pytest.param(with_claims(exp=lambda now: now - 120), id="expired"),
        pytest.param(with_claims(exp=None), id="no-end"),
        pytest.param(with_claims(nbf=lambda now: now + 600), id="not-yet"),
        pytest.param(with_claims(iat=lambda now: now + 600), id="from-the-future"),
        pytest.param(with_claims(sub=None), id="nobody"),
        pytest.param(with_claims(sub=""), id="empty-subject"),
        pytest.param(with_claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), id="of-another-access-token"),
    ],
)
def test_a_forged_token_signs_nobody_in(
    duped: Office, forger: Forger, forged: Callable[[Forger, dict[str, Any]], str]
) -> None:
    forger.id_token = lambda claims: forged(forger, claims)
    answer, browser = try_in(duped, forger)
    assert answer.status_code == 403, answer.text
    assert "cannot be trusted" in answer.text
    assert browser.session == ""
    assert duped.controller.people.all() == []


@pytest.mark.parametrize(
    ("claims", "passes"),
    [
        pytest.param({"exp": lambda now: now - 50}, True, id="ended-a-moment-ago"),
        pytest.param({"iat": lambda now: now + 50}, True, id="their-clock-is-ahead"),
        pytest.param({"aud": ["tokgate"]}, True, id="a-list-of-one"),
        pytest.param({"aud": ["tokgate", "other"], "azp": "tokgate"}, True, id="for-us-among-others"),
        pytest.param({"groups": "tokgate-admins"}, True, id="a-group-that-is-no-list"),
        pytest.param({"groups": ["Tokgate-Admins"]}, False, id="a-group-in-other-letters"),
        pytest.param({"groups": [["tokgate-admins"]]}, False, id="a-list-in-a-list"),
        pytest.param({"groups": {"tokgate-admins": True}}, False, id="no-list"),
        pytest.param({"sub": "a" * 100}, False, id="a-name-without-end"),
        pytest.param({"sub": "\u202egnp.exe"}, False, id="a-name-from-right-to-left"),
    ],
)
def test_what_is_odd_but_honest(duped: Office, forger: Forger, claims: dict[str, Any], passes: bool) -> None:
    forger.id_token = lambda base: with_claims(**claims)(forger, base)
    answer, _ = try_in(duped, forger)
    assert answer.status_code == (303 if passes else 403), answer.text


def test_the_user_info_is_asked_where_the_token_is_silent_and_is_of_the_same_person(
    duped: Office, forger: Forger
) -> None:
    forger.id_token = lambda base: with_claims(groups=None)(forger, base)
    forger.userinfo = {"sub": "anna", "groups": ["tokgate-admins"]}
    assert try_in(duped, forger)[0].status_code == 303
    forger.userinfo = {"sub": "root", "groups": ["tokgate-admins"]}
    answer, browser = try_in(duped, forger)
    assert (answer.status_code, browser.session) == (403, "")


def test_the_answer_is_from_whom_was_asked(duped: Office, forger: Forger) -> None:
    assert try_in(duped, forger, query="&iss=https://evil.example")[0].status_code == 403
    assert try_in(duped, forger, query=f"&iss={forger.issuer}")[0].status_code == 303
    assert try_in(duped, forger, query="&error=access_denied")[0].status_code == 403


def test_a_provider_may_change_its_keys(duped: Office, forger: Forger) -> None:
    try_in(duped, forger)
    forger.key = RSAKey.generate_key(2048, {"kid": "k2"})
    forger.keys = {"keys": [forger.key.as_dict(private=False)]}
    forger.id_token = lambda claims: forger.signed(claims, kid="k2")
    assert try_in(duped, forger)[0].status_code == 403, "keys were asked for a moment ago"
    asked = forger.asked.count("/jwks")
    duped.clock.advance(timedelta(minutes=1))
    assert try_in(duped, forger)[0].status_code == 303
    assert forger.asked.count("/jwks") == asked + 1


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"issuer": "https://evil.example"}, "calls itself https://evil.example"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "token_endpoint is missing, or not reached by https"),
        ({"jwks_uri": None}, "jwks_uri is missing"),
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_asked(
    duped: Office, forger: Forger, described: dict[str, Any], said: str
) -> None:
    forger.described |= described
    answer = Browser.at(duped).get("/auth/oidc/login")
    assert answer.status_code == 503
    assert said in unescape(answer.text)


@pytest.mark.parametrize("text", ["", "x", "\u00e9", "W10", "eyJzdGF0ZSI6IiJ9", "A" * 5000])
def test_what_is_no_sign_in_of_ours_is_none(text: str) -> None:
    assert Pending.loads(text) is None
