"""Who asks when a proxy stands in front: what proxies that are named say, and nothing that anybody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from api.cookies import csrf_word
from api.proxies import client_of
from api.web.signin import SIGN_IN
from controller.access_roles import AccessRole
from core.secret import Secret
from tests.api.conftest import PASSWORD, Office, Stock, an_office

PROXIES = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/64"))


@pytest.mark.parametrize(
    ("peer", "said", "who"),
    [
        pytest.param("192.0.2.1", "10.0.0.7", "10.0.0.7", id="one-proxy"),
        pytest.param("192.0.2.1", "10.0.0.7, 192.0.2.2", "10.0.0.7", id="two-of-ours-in-a-row"),
        pytest.param("192.0.2.1", "10.9.9.9, 10.0.0.7", "10.0.0.7", id="what-a-caller-wrote-before-it"),
        pytest.param("192.0.2.1", "10.9.9.9, 198.51.100.1, 192.0.2.2", "198.51.100.1", id="a-proxy-that-is-not-ours"),
        pytest.param("198.51.100.1", "10.0.0.7", "198.51.100.1", id="not-from-a-proxy-of-ours"),
        pytest.param("192.0.2.1", "", "192.0.2.1", id="the-proxy-itself"),
        pytest.param("192.0.2.1", "10.0.0.7, unknown", "192.0.2.1", id="no-address"),
        pytest.param("192.0.2.1", "10.0.0.7:4711", "10.0.0.7", id="with-a-port"),
        pytest.param("2001:db8::1", "[2001:db8:1::7]:4711", "2001:db8:1::7", id="six-with-a-port"),
        pytest.param("::ffff:192.0.2.1", "::ffff:10.0.0.7", "10.0.0.7", id="four-in-six"),
        pytest.param("192.0.2.1", "10.0.0.7" + ", 192.0.2.2" * 20, "192.0.2.2", id="too-many-in-a-row"),
        pytest.param("testclient", "10.0.0.7", "testclient", id="no-peer-address"),
    ],
)
def test_who_asks(peer: str, said: str, who: str) -> None:
    assert client_of(peer, said.split(","), PROXIES) == who


@pytest.fixture
def behind(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office that is reached through 192.0.2.55, a proxy that is named."""
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("TOKGATE_TRUSTED_PROXIES", "192.0.2.55, 10.9.0.0/24")
    with an_office(tmp_path, stock) as made:
        yield made


def guess(office: Office, address: str, times: int) -> list[int]:
    office.tokens["guess"] = "tokgate_00000000_" + "0" * 64
    said = {"X-Forwarded-For": address}
    return [office.ask("GET", "/api/v1/sites", token="guess", headers=said).status_code for _ in range(times)]


def test_the_brake_on_guesses_is_for_who_asks_and_not_for_the_proxy(behind: Office) -> None:
    assert guess(behind, "198.51.100.1", 21)[-1] == 429
    assert guess(behind, "198.51.100.2", 1) == [401], "a neighbour behind the same proxy"
    assert guess(behind, "203.0.113.9, 198.51.100.1", 1) == [429], "whatever they wrote before it"


def test_nobody_else_is_believed(behind: Office) -> None:
    """From an address that is no proxy of ours the header is what the caller wrote."""
    transport = httpx.ASGITransport(behind.app, client=("198.51.100.7", 4711))
    headers = {"Authorization": "Bearer tokgate_00000000_" + "0" * 64}
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=transport, base_url="http://tokgate.test", trust_env=False)

        def ask(number: int) -> int:
            said = {**headers, "X-Forwarded-For": f"10.0.0.{number}"}
            return runner.run(client.get("/api/v1/sites", headers=said)).status_code

        assert [ask(number) for number in range(21)][-1] == 429
        runner.run(client.aclose())


def test_sessions_and_the_audit_log_have_the_address_of_who_asks(behind: Office) -> None:
    desk = behind.controller.people
    word = Secret("a long good word 1")
    desk.add_local("ann", title="", roles={AccessRole.ADMIN}, sites=None, password=word, actor="test")
    headers = {"X-Forwarded-For": "198.51.100.3", "Sec-Fetch-Site": "same-origin"}
    tie = behind.ask("GET", "/login", token=None, headers=headers).cookies[SIGN_IN]
    form = {"name": "ann", "password": word.reveal(), "csrf_token": csrf_word(tie)}
    assert behind.ask("POST", "/login", token=None, data=form, headers=headers).status_code == 303
    assert [session.address for session in desk.sessions("ann")] == ["198.51.100.3"]
    [entry] = [e for e in behind.controller.audit() if e.action == "session.begin"]
    assert "198.51.100.3" in entry.detail
