"""The same commands here and over the API: the same answers, the same errors, and a clear word where the API ends."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from api.cli.main import main
from api.server import Bind, serving
from tests.api.conftest import Office
from tests.api.test_rest_dry_run import hook, hooked

SPAN = ("--since", "2026-11-24T00:00Z", "--until", "2026-11-25T00:00Z")
READING = [
    ("exceptions", "list"),
    ("exceptions", "list", "-o", "json"),
    ("exceptions", "list", "--state", "requested", "--site", "berlin", "-o", "csv"),
    ("exceptions", "show", "{id}"),
    ("exceptions", "show", "{id}", "-o", "json"),
    ("exceptions", "history", "{id}", "-o", "json"),
    ("exceptions", "preview", "--site", "berlin", "--source", "10.20.3.7", "--from", "2099-01-01", "--for", "2h"),
    ("audit", "list", "-o", "json"),
    ("audit", "list", "--action", "exception", "--limit", "1"),
    ("audit", "verify"),
    ("token", "list", "-o", "json"),
    ("webhook", "list", "-o", "json"),
    ("webhook", "deliveries", "chat", "-o", "json"),
    ("report", "site", "berlin", "-o", "json", *SPAN),
    ("report", "site", "berlin", *SPAN),
    ("report", "fleet", *SPAN),
]
FAILING = [
    ("exceptions", "show", "01hzzzzzzzzzzzzzzzzzzzzzzz"),
    ("exceptions", "deny", "{denied}", "--reason", "no"),
    ("exceptions", "list", "--site", "nowhere"),
    ("webhook", "remove", "nope"),
    ("report", "site", "nowhere"),
]
ONLY_HERE = [("plan",), ("apply", "--yes"), ("audit", "export"), ("intel", "show"), ("policy", "show", "berlin")]


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command sets up the log of its process."""
    level = logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.setLevel(level)


@pytest.fixture
def ids(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What there is to be looked at, here by the files."""
    monkeypatch.setenv("REST_TEST_KEY", "whsec_" + "A" * 44)
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")
    assert hook()["name"] in hooked(office)
    made = []
    for number in range(2):
        said = {"sites": ["berlin"], "sources": ["10.20.0.7", "role:guest"], "service": "tiktok", "reason": "campaign"}
        times = {"starts": "2098-01-01T00:00:00Z", "ends": "2098-01-02T00:00:00Z", "hours": ["mon 08:00-12:00"]}
        wish = {**said, **times, "owner": f"ann-{number}"}
        made.append(office.ask("POST", "/api/v1/exceptions", token="request", json=wish).json()["id"])
    office.ask("POST", f"/api/v1/exceptions/{made[1]}/deny", token="approve", json={"reason": "no"})
    return {"id": made[0], "denied": made[1]}


@pytest.fixture
def remote(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Over the API from ``remote.setenv`` on."""
    office.ask("GET", "/api/v1/audit")  # that a token was used is noted once a minute
    monkeypatch.setattr("core.clock.SystemClock.now", lambda self: office.clock.now())  # one time here and there
    with serving(office.app, Bind(port=0)) as server:
        monkeypatch.setenv("TOKGATE_TOKEN", office.tokens["admin"])
        monkeypatch.setenv("ELSEWHERE", f"http://127.0.0.1:{server.port}")
        yield monkeypatch


def said(capsys: pytest.CaptureFixture[str], command: tuple[str, ...], ids: dict[str, str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([word.format(**ids) for word in command])
    out, err = capsys.readouterr()
    return code, _own(out), _own(err)


def _own(text: str) -> str:
    """Without what the server, which runs in this process, logs."""
    return "".join(line for line in text.splitlines(True) if "api.request" not in line)


def both(
    capsys: pytest.CaptureFixture[str], remote: pytest.MonkeyPatch, command: tuple[str, ...], ids: dict[str, str]
) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
    here = said(capsys, command, ids)
    remote.setenv("TOKGATE_URL", os.environ["ELSEWHERE"])
    remote.setenv("TOKGATE_DATA_DIR", "/nonexistent")
    return here, said(capsys, command, ids)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_command_says_the_same_here_and_over_the_api(
    capsys: pytest.CaptureFixture[str], ids: dict[str, str], remote: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    here, there = both(capsys, remote, command, ids)
    assert there[:2] == here[:2]
    assert here[0] == 0
    assert here[1]


@pytest.mark.parametrize("command", FAILING, ids=" ".join)
def test_a_failure_has_the_same_code_here_and_over_the_api(
    capsys: pytest.CaptureFixture[str], ids: dict[str, str], remote: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    here, there = both(capsys, remote, command, ids)
    assert there[0] == here[0] != 0
    assert there[2].partition(":")[0] == here[2].partition(":")[0], (here, there)


def test_a_life_over_the_api(
    capsys: pytest.CaptureFixture[str], office: Office, ids: dict[str, str], remote: pytest.MonkeyPatch
) -> None:
    remote.setenv("TOKGATE_URL", os.environ["ELSEWHERE"])
    assert said(capsys, ("exceptions", "approve", "{id}"), ids)[0] == 0
    assert said(capsys, ("exceptions", "revoke", "{id}", "--reason", "over"), ids)[0] == 0
    code, text, _ = said(capsys, ("token", "create", "fresh", "--scope", "read"), ids)
    assert (code, text.startswith("tokgate_")) == (0, True)
    assert said(capsys, ("token", "revoke", "fresh"), ids)[0] == 0
    actors = {entry.actor for entry in office.controller.audit(limit=4)}
    assert actors == {"token:admin"}


@pytest.mark.parametrize("command", ONLY_HERE, ids=" ".join)
def test_what_the_api_does_not_do_is_said(
    capsys: pytest.CaptureFixture[str], ids: dict[str, str], remote: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    remote.setenv("TOKGATE_URL", os.environ["ELSEWHERE"])
    code, out, err = said(capsys, command, ids)
    assert (code, out) == (6, "")
    assert "cannot be done over the API" in err


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("TOKGATE_URL", "http://tokgate.example", "use https"),
        ("TOKGATE_TOKEN", "", "no token"),
        ("TOKGATE_TOKEN", "tokgate_00000000_" + "0" * 64, "TG6001"),
        ("TOKGATE_URL", "http://127.0.0.1:1", "no answer"),
    ],
)
def test_what_is_wrong_with_the_way_there_is_said(
    capsys: pytest.CaptureFixture[str], remote: pytest.MonkeyPatch, name: str, value: str, word: str
) -> None:
    remote.setattr("api.client.calling.TRIES", 1)
    remote.setenv("TOKGATE_URL", os.environ["ELSEWHERE"])
    remote.setenv(name, value)
    code, out, err = said(capsys, ("audit", "list"), {})
    assert code != 0
    assert (out, word in err) == ("", True), err
