"""The same commands here and over the API: the same answers, the same errors, and a clear word where the API ends."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from api.cli.main import main
from controller.model import Scope
from tests.api.conftest import Stock
from tests.api.remote_office import Both, said, two_ways

SPAN = ("--since", "2026-11-24T00:00Z", "--until", "2026-11-25T12:00Z")
SPAN_TO = ("--from", "2026-11-24T00:00Z", "--to", "2026-11-25T11:00Z")
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
    ("db", "retention"),
    ("db", "retention", "-o", "json"),
    ("webhook", "list", "-o", "json"),
    ("webhook", "deliveries", "chat", "-o", "json"),
    ("report", "site", "berlin", "-o", "json", *SPAN),
    ("report", "site", "berlin", *SPAN),
    ("report", "site", "berlin", "-o", "html", *SPAN),
    ("report", "site", "berlin", "-o", "csv", *SPAN),
    ("report", "fleet", *SPAN),
    ("report", "fleet", "-o", "html", *SPAN),
    ("report", "fleet", "-o", "csv", *SPAN),
    ("device", "list"),
    ("device", "list", "-o", "json"),
    ("runs", "list", "-o", "json"),
    ("runs", "list", "-o", "csv", "--site", "berlin"),
    ("runs", "show", "{run}"),
    ("runs", "show", "{run}", "-o", "json"),
    ("events", "cuts", "-o", "json", "--since", "2h"),
    ("evidence", "quarantine", "-o", "json", "--since", "2h"),
    ("evidence", "quarantine", "--samples"),
    ("evidence", "reconcile", "--site", "berlin", *SPAN_TO),
    ("emergency", "list", "--all"),
    ("emergency", "list", "-o", "json"),
    ("episodes", "list"),
    ("episodes", "list", "-o", "json", "--limit", "1"),
    ("episodes", "list", "-o", "csv", "--kind", "use", "--source", "10.20.0.7", "--app", "tiktok", "--since", "2h"),
    ("episodes", "show", "{episode}"),
    ("episodes", "show", "{episode}", "-o", "json"),
    ("events", "list"),
    ("events", "list", "-o", "json", "--limit", "0"),
    ("events", "list", "-o", "csv", "--site", "berlin", "--action", "blocked", "--since", "2h", "--limit", "3"),
    ("events", "alerts", "-o", "json"),
    ("explain", "10.20.0.7", "www.tiktok.com"),
    ("explain", "10.20.0.7", "71.18.8.1", "-o", "json"),
    ("policy", "show", "berlin"),
    ("policy", "show", "berlin", "--at", "2026-12-25T12:00Z", "-o", "json"),
    ("policy", "calendar", "berlin"),
    ("policy", "calendar", "berlin", "--week", "2026-10-25", "-o", "json"),
    ("policy", "calendar", "berlin", "--week"),
    ("policy", "calendar", "berlin", "--week", "-o", "svg"),
    ("policy", "calendars"),
    ("policy", "calendars", "-o", "json"),
    ("policy", "what-if", "berlin", "--from", "2h", "--policy", "standard"),
    ("policy", "what-if", "berlin", "--from", "2h", "--policy", "{policy}", "-o", "json"),
    ("config", "drift"),
    ("config", "drift", "-o", "json"),
    ("intel", "show"),
    ("intel", "show", "-o", "json"),
    ("intel", "show", "{old}", "-o", "csv"),
    ("intel", "show", "--indicators", "-o", "json"),
    ("intel", "show", "--indicators", "--app", "capcut", "--owner", "bytedance", "--match", "CAP", "-o", "json"),
    ("intel", "show", "--dropped", "-o", "csv"),
    ("intel", "history"),
    ("intel", "history", "-o", "json"),
    ("intel", "diff"),
    ("intel", "diff", "{old}", "-o", "json"),
    ("intel", "drift", "-o", "json"),
    ("intel", "explain", "www.tiktok.com"),
    ("intel", "explain", "71.18.0.0/16", "-o", "json"),
    ("intel", "sources"),
    ("intel", "sources", "-o", "json"),
    ("intel", "scoreboard"),
    ("intel", "scoreboard", "-o", "json"),
    ("feed", "list"),
    ("feed", "list", "-o", "json"),
    ("feed", "show", "fw-berlin"),
    ("feed", "groups", "-o", "json"),
    ("person", "list", "-o", "json"),
    ("person", "sessions"),
    ("person", "sessions", "zoe", "-o", "json"),
]
FAILING = [
    (("exceptions", "show", "01hzzzzzzzzzzzzzzzzzzzzzzz"), 1),
    (("exceptions", "deny", "{denied}", "--reason", "no"), 1),
    (("exceptions", "list", "--site", "nowhere"), 1),
    (("audit", "export", "--after", "100000"), 1),
    (("webhook", "remove", "nope"), 1),
    (("webhook", "edit", "chat"), 1),
    (("episodes", "list", "--pseudonym", "ann", "--site", "berlin"), 1),
    (("events", "list", "--pseudonym", "client-aaaaaaaaaaaa", "--site", "berlin"), 1),
    (("webhook", "edit", "chat", "--site", "nowhere"), 1),
    (("report", "site", "nowhere"), 1),
    (("plan",), 4),
    (("plan", "-o", "commands", "--site", "berlin"), 4),
    (("plan", "--device", "nowhere"), 1),
    (("apply", "--yes", "--site", "austin"), 4),
    (("apply", "01hzzzzzzzzzzzzzzzzzzzzzzz", "--yes"), 1),
    (("drift",), 4),
    (("device", "doctor"), 4),
    (("device", "doctor", "nowhere"), 1),
    (("runs", "show", "01hzzzzzzzzzzzzzzzzzzzzzzz"), 1),
    (("events", "list", "--device", "nowhere"), 1),
    (("episodes", "list", "--source", "nonsense"), 1),
    (("episodes", "show", "01hzzzzzzzzzzzzzzzzzzzzzzz"), 1),
    (("explain", "10.20.0.7", "nonsense nonsense"), 1),
    (("policy", "show", "nowhere"), 1),
    (("policy", "what-if", "berlin", "--from", "2h", "--policy", "nowhere"), 1),
    (("policy", "what-if", "berlin", "--from", "2h", "--policy", "/nonexistent/policy.yaml"), 1),
    (("intel", "show", "abcdef"), 1),
    (("intel", "pin", "abcdef", "--reason", "why"), 1),
    (("intel", "rollback", "--from", "abcdef", "--reason", "why"), 1),
    (("intel", "trust", "nobody", "--reason", "why"), 1),
    (("feed", "show", "nowhere"), 1),
    (("feed", "list", "--group", "nowhere"), 1),
    (("emergency", "end", "01hzzzzzzzzzzzzzzzzzzzzzzz", "--reason", "over"), 1),
    (("emergency", "withdraw", "nonsense nonsense", "--reason", "x", "--for", "2h", "--yes"), 1),
    (("emergency", "pause", "--site", "nowhere", "--reason", "x", "--for", "2h", "--yes"), 1),
    (("person", "unlock", "nobody"), 1),
    (("person", "sessions", "nobody"), 1),
]
CHANGING = [
    [("intel", "refresh")],
    [("intel", "refresh", "-o", "json")],
    [("intel", "pin", "{old}", "--reason", "it works", "-o", "json")],
    [("intel", "rollback", "--reason", "it does not"), ("intel", "rollback", "--reason", "it does")],
    [("intel", "pin", "{old}", "--reason", "again"), ("intel", "unpin", "--reason", "over", "-o", "json")],
    [("intel", "trust", "curated", "--reason", "why")],
    [("emergency", "pause", "--site", "austin", "--reason", "move", "--for", "2h", "--yes")],
    [("emergency", "switch", "monitor", "--site", "austin", "--reason", "outage", "--yes", "-o", "json")],
    [("person", "edit", "zoe", "--title", "Zoe", "--reason", "married")],
    [("person", "disable", "zoe", "--reason", "left"), ("person", "enable", "zoe", "--reason", "back")],
    [("person", "sign-out", "zoe")],
    [("webhook", "edit", "chat", "--kind", "run", "--site", "berlin"), ("webhook", "edit", "chat", "--all-sites")],
    [("apply", "{plan}", "--yes", "--reason", "4711")],
]
"""Each line is done here, then over the API."""


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command sets up the log of its process."""
    level = logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.setLevel(level)


@pytest.fixture(scope="module")
def shared(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """For commands that leave nothing behind."""
    with pytest.MonkeyPatch.context() as patch, two_ways(tmp_path_factory.mktemp("both"), stock, patch) as made:
        yield made


@pytest.fixture
def both(stock: Stock, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    with two_ways(tmp_path_factory.mktemp("both"), stock, monkeypatch) as made:
        yield made


def here_and_there(
    capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, both: Both, command: tuple[str, ...]
) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
    both.here(patch)
    here = said(capsys, command, both.names)
    both.there(patch)
    return here, said(capsys, command, both.names)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_command_says_the_same_here_and_over_the_api(
    capsys: pytest.CaptureFixture[str], shared: Both, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    here, there = here_and_there(capsys, monkeypatch, shared, command)
    assert there == here
    assert here[0] in (0, 2), here
    assert here[1] or here[2]


@pytest.mark.parametrize(
    ("command", "code"), FAILING, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_failure_is_the_same_here_and_over_the_api(
    capsys: pytest.CaptureFixture[str],
    shared: Both,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    code: int,
) -> None:
    here, there = here_and_there(capsys, monkeypatch, shared, command)
    assert (here[0], there[0]) == (code, code), (here, there)
    assert alike(there[1]) == alike(here[1])
    assert codes(there[2]) == codes(here[2]), (here, there)


def test_what_a_change_says_is_the_same_here_and_over_the_api(
    capsys: pytest.CaptureFixture[str], both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commands in CHANGING:
        both.here(monkeypatch)
        here = [said(capsys, command, both.names) for command in commands]
        both.there(monkeypatch)
        there = [said(capsys, command, both.names) for command in commands]
        assert [alike_all(one) for one in there] == [alike_all(one) for one in here]
    acted = {(entry.actor, entry.action) for entry in both.office.controller.audit(limit=500)}
    done = {"snapshot.pin", "source.trust", "emergency.begin", "person.edit", "person.disable", "person.enable"}
    assert done <= {action for actor, action in acted if actor == "token:admin"}, acted


def alike_all(one: tuple[int, str, str]) -> tuple[int, str, str]:
    return one[0], alike(one[1]), alike(one[2])


def codes(text: str) -> list[str]:
    return re.findall(r"TG\d{4}", text)


def alike(text: str) -> str:
    """Without ids, and who it was."""
    plain = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "ID", text)
    return re.sub(r"\b(cli|token):[a-z0-9_-]+", "SOMEBODY", re.sub(r"\d+\.\d s\b", "N s", plain))


def test_a_life_over_the_api(capsys: pytest.CaptureFixture[str], both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    both.there(monkeypatch)
    assert said(capsys, ("exceptions", "approve", "{id}"), both.names)[0] == 0
    assert said(capsys, ("exceptions", "revoke", "{id}", "--reason", "over"), both.names)[0] == 0
    code, text, _ = said(capsys, ("token", "create", "fresh", "--scope", "read"), both.names)
    assert (code, text.startswith("tokgate_")) == (0, True)
    assert said(capsys, ("token", "revoke", "fresh"), both.names)[0] == 0
    assert said(capsys, ("emergency", "end", "{paused}", "--reason", "done"), both.names)[0] == 4, "no device answers"
    actors = {entry.actor for entry in both.office.controller.audit(limit=5)}
    assert actors == {"token:admin"}


@pytest.mark.parametrize("after", ["0", "3"])
def test_the_audit_log_is_taken_along_over_the_api_as_it_is_here(
    capsys: pytest.CaptureFixture[str], shared: Both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: str
) -> None:
    monkeypatch.setattr("api.cli.remote.PAGE", 3)
    here, there = here_and_there(capsys, monkeypatch, shared, ("audit", "export", "--after", after))
    assert (here[0], there[0]) == (0, 0), (here, there)
    first, *entries = there[1].splitlines()
    assert entries == here[1].splitlines()[1:], "the entries and the head, line by line"
    assert len(entries) > 7, "more than two pages"
    assert json.loads(first)["instance"] == shared.url
    (tmp_path / "audit.jsonl").write_text(there[1], encoding="utf-8")
    assert main(["audit", "verify", str(tmp_path / "audit.jsonl")]) == 0


def test_tokens_of_ones_own_over_the_api(
    capsys: pytest.CaptureFixture[str], both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = both.office.controller.create_token("zoes", [Scope.READ], timedelta(days=9), actor="test", owner="zoe")
    both.office.tokens["zoes"] = made[1].reveal()
    both.there(monkeypatch, token="zoes")
    create = ("token", "create", "own", "--days", "3", "--mine", "--scope")
    assert "TG6002" in said(capsys, (*create, "operate"), {})[2], "she does not hold that herself"
    code, text, _ = said(capsys, (*create, "read"), {})
    assert (code, text.startswith("tokgate_")) == (0, True)
    assert "own" in said(capsys, ("token", "list", "--mine"), {})[1]
    assert said(capsys, ("token", "list"), {})[0] != 0, "all of them are for administrators"
    code, rotated, _ = said(capsys, ("token", "rotate", "own", "--mine", "--overlap-hours", "0"), {})
    assert (code, rotated.startswith("tokgate_"), rotated == text) == (0, True, False)
    both.office.tokens.update(old=text.strip(), new=rotated.strip())
    assert [both.office.ask("GET", "/api/v1/me", token=name).status_code for name in ("old", "new")] == [401, 200]
    assert said(capsys, ("token", "rotate", "own"), {})[0] != 0, "without --mine it is an administrator's"
    assert said(capsys, ("token", "revoke", "own", "--mine"), {})[0] == 0
    both.here(monkeypatch)
    assert "TG5007" in said(capsys, (*create, "read"), {})[2]


def test_a_name_is_no_path(capsys: pytest.CaptureFixture[str], shared: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.there(monkeypatch)
    code, out, err = said(capsys, ("report", "site", "../fleet", "-o", "html"), {})
    assert (code, out) == (1, ""), "the report of the fleet was not asked for"
    assert codes(err)
