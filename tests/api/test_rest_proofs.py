"""Proof over HTTP and on the command line: what a probe is told, what it may bring, and what is shown of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api import probe as alone
from api.cli.main import main
from api.models import show_time
from api.server import Bind, serving
from controller.model import Scope
from core.clock import SystemClock
from core.ids import SiteName
from tests.api.conftest import Office
from tests.controller.proving import brought_to_its_state, some_proofs

SOURCE = "10.20.3.7"
MONTH = timedelta(days=30)


@pytest.fixture
def probing(office: Office) -> Office:
    """With a token for probes of Berlin alone."""
    _, text = office.controller.create_token(
        "printer", [Scope.PROBE], MONTH, actor="test", sites=frozenset({SiteName("berlin")})
    )
    office.tokens["probe"] = text.reveal()
    brought_to_its_state(office.controller, "fw-berlin")
    return office


def target(office: Office, token: str) -> str:
    told = office.get("/proofs/targets?site=berlin", token=token)
    return next(one for one in told["targets"] if one[0].isdigit() and ":" not in one)


def body(office: Office, verdict: str = "blocked", *, token: str = "probe", **more: Any) -> dict[str, Any]:
    now = office.clock.now()
    address = target(office, token)
    result = {"path": "tcp-443", "source": SOURCE, "target": address, "address": address, "verdict": verdict, "why": ""}
    control = {"path": "tcp-443", "source": SOURCE, "target": "www.example.com", "reached": True, "why": ""}
    return {
        "format": alone.FORMAT,
        "round": "a" * 32,
        "site": "berlin",
        "host": "printer-3",
        "began": show_time(now - timedelta(seconds=5)),
        "ended": show_time(now),
        "results": [result],
        "controls": [control],
        **more,
    }


def bring(office: Office, said: dict[str, Any], token: str = "probe") -> Any:
    return office.ask("POST", "/api/v1/proofs", token=token, json=said)


def test_a_probe_brings_its_result_once_and_it_is_shown(probing: Office) -> None:
    said = body(probing)
    answer = bring(probing, said)
    assert answer.status_code == 201, answer.text
    assert {name: answer.json()[name] for name in ("taken", "blocked", "leaking")} == {
        "taken": 1,
        "blocked": 1,
        "leaking": 0,
    }
    (field,) = probing.get("/proofs?site=berlin")["items"]
    assert (field["state"], field["by"], field["origin"], field["role"]) == ("blocked", "probe", "printer-3", "company")
    again = bring(probing, said)
    assert (again.status_code, again.json()["code"]) == (409, "TG5002")
    leak = bring(probing, body(probing, "passes", round="b" * 32))
    assert leak.json()["leaking"] == 1
    (leaking,) = probing.get("/proofs?state=leaking")["items"]
    assert leaking["leak"] is not None
    assert [one["state"] for one in probing.get("/proofs/results?site=berlin")["items"]] == ["leaking", "blocked"]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"site": "austin"}, 404, "austin"),
        ({"format": "tokgate-probe/2"}, 422, "format"),
        ({"round": "x"}, 422, "round"),
        ({"ended": "2026-11-25T12:30:00Z", "began": "2026-11-25T12:30:00Z"}, 422, "ahead of the server's clock"),
        ({"ended": "2026-11-20T12:30:00Z", "began": "2026-11-20T12:30:00Z"}, 422, "too long ago"),
        ({"host": "a b"}, 422, "host"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_bad_results_are_refused_with_what_is_wrong(
    probing: Office, change: dict[str, Any], status: int, says: str
) -> None:
    answer = bring(probing, body(probing) | change)
    assert answer.status_code == status, answer.text
    assert says in answer.text
    assert probing.get("/proofs")["items"] == []


def test_what_was_tried_from_one_family_to_the_other_is_refused(probing: Office) -> None:
    said = body(probing)
    said["results"][0]["path"] = "tcp-443-v6"
    answer = bring(probing, said)
    assert answer.status_code == 422
    assert "tcp-443-v6 is tried from an IPv6 address to another" in answer.text


def test_what_leaked_and_was_not_tried_again_is_none_of_the_attempts_that_are_counted(probing: Office) -> None:
    leaked, other = (f"103.136.220.{last}" for last in (10, 20))
    known = body(probing)["results"][0]

    def tried(target: str, verdict: str, round_id: str) -> dict[str, Any]:
        result = known | {"target": target, "address": target, "verdict": verdict}
        answer: dict[str, Any] = bring(probing, body(probing, round=round_id * 32, results=[result])).json()
        return answer

    assert tried(leaked, "passes", "b")["leaking"] == 1
    assert tried(other, "blocked", "c") == {
        "site": "berlin",
        "taken": 2,
        "skipped": 0,
        "blocked": 1,
        "leaking": 0,
        "open": 0,
        "closed": 0,
        "unknown": 1,
    }


def test_a_probe_may_nothing_else_and_nobody_else_may_that(probing: Office) -> None:
    assert probing.ask("GET", "/api/v1/proofs", token="probe").status_code == 403
    assert probing.ask("GET", "/api/v1/sites", token="probe").status_code == 403
    assert probing.ask("GET", "/api/v1/proofs/targets?site=austin", token="probe").status_code == 404
    assert bring(probing, body(probing), token="helpdesk").status_code == 403


def test_metrics_and_health_tell_of_leaks(probing: Office) -> None:
    def told(state: str) -> float | None:
        text = probing.ask("GET", "/metrics").text
        found = [
            line for line in text.splitlines() if line.startswith(f'tokgate_proofs{{site="berlin",state="{state}"')
        ]
        return float(found[0].rpartition(" ")[2]) if found else None

    assert told("leaking") is None, "nobody knows"
    probing.controller.store.record_proofs("r1", some_proofs(probing.clock.now()))
    assert (told("leaking"), told("blocked"), told("unknown")) == (1, 2, 1)
    checks = {check["name"]: check for check in probing.get("/health")["checks"]}
    assert checks["proof"]["ok"] is False
    assert checks["proof"]["message"] == "1 site leaks", "it is alike for all, so it names none"


def test_the_commands_show_import_and_say_it_by_their_exit(
    probing: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = probing.controller.settings
    monkeypatch.setenv("TOKGATE_INVENTORY", str(settings.inventory))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(settings.data_dir))
    assert main(["proof", "show"]) == 0
    assert "nothing is proven yet" in capsys.readouterr().err
    file = tmp_path / "result.json"
    file.write_text("{}", encoding="utf-8")
    assert main(["proof", "import", str(file)]) == 1
    assert "format: Field required" in capsys.readouterr().err
    file.write_text("[" * 100_000, encoding="utf-8")
    assert main(["proof", "import", str(file)]) == 1
    assert "no JSON" in capsys.readouterr().err
    assert main(["proof", "show", "nowhere"]) == 1
    assert main(["probe", "--script"]) == 0
    assert capsys.readouterr().out == Path(alone.__file__).read_text(encoding="utf-8")
    found = some_proofs(SystemClock().now())
    probing.controller.store.record_proofs("r1", [replace(one, site=SiteName("austin")) for one in found])  # no windows
    assert main(["proof", "show", "austin", "-o", "json"]) == 2
    assert {row["state"] for row in json.loads(capsys.readouterr().out)} >= {"leaking", "blocked", "unknown"}


def test_metrics_tell_how_old_answers_are_and_how_long_it_leaks(probing: Office) -> None:
    then = probing.clock.now()
    probing.controller.store.record_proofs("r1", some_proofs(then))
    aged = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in metric_lines(probing)}
    passed = (probing.clock.now() - then).total_seconds()
    for name in (
        'tokgate_proof_age_seconds{by="oracle",site="berlin"}',
        'tokgate_proof_age_seconds{by="probe",site="berlin"}',
        'tokgate_leak_age_seconds{site="berlin"}',
    ):
        assert aged[name] == pytest.approx(passed, abs=5), name
    assert aged['tokgate_episodes_last_day{action="not-enforced",kind="leak"}'] == 1


def metric_lines(office: Office) -> list[str]:
    text = office.ask("GET", "/metrics").text
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def served(probing: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """How the probe is called beside a server that is really there; what it tries never leaves the loopback."""
    (tmp_path / "token").write_text(probing.tokens["probe"] + "\n", encoding="utf-8")
    monkeypatch.delenv("TOKGATE_TOKEN", raising=False)
    monkeypatch.setenv("TOKGATE_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setattr(alone, "_now", lambda: show_time(probing.clock.now()))
    with serving(probing.app, Bind(port=0)) as server:
        here = ["--source", "127.0.0.1", "--resolver", "127.0.0.1", "--timeout", "0.2"]
        yield ["--server", f"http://127.0.0.1:{server.port}", *here]


def test_the_probe_itself_asks_what_to_try_and_brings_it(
    probing: Office, served: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert alone.main([*served, "--site", "berlin"]) == 0
    said = capsys.readouterr()
    assert "sent: 0 blocked, 0 leaking" in said.out, "a source that has no role there proves nothing"
    assert "no control answered" in said.err
    assert alone.main([*served, "--site", "berlin", "--print"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert bring(probing, report).status_code == 201
    again = bring(probing, report)
    assert (again.status_code, again.json()["code"]) == (409, "TG5002"), "nobody brings a result twice"


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (timedelta(hours=1), "set the clock of the host that tried"),
        (-timedelta(hours=30), "is the clock of the host that tried behind?"),
    ],
)
def test_a_probe_with_a_wrong_clock_is_told_so(
    probing: Office,
    served: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    late: timedelta,
    words: str,
) -> None:
    monkeypatch.setattr(alone, "_now", lambda: show_time(probing.clock.now() + late))
    assert alone.main([*served, "--site", "berlin"]) == 1
    assert words in capsys.readouterr().err
    assert probing.controller.proofs.matrix() == ()


def test_a_probe_that_says_it_is_somewhere_else_is_refused(
    probing: Office, served: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "targets").write_text("192.0.2.1\n", encoding="utf-8")
    assert alone.main([*served, "--site", "austin", "--targets", str(tmp_path / "targets")]) == 1
    assert "TG5001" in capsys.readouterr().err
    assert probing.controller.proofs.matrix() == ()


def test_a_probe_whose_clock_is_behind_tries_nothing(
    probing: Office, served: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour late, the end of a window would be a leak."""
    late = alone.time.time() - 3_600
    monkeypatch.setattr(alone.time, "time", lambda: late)
    monkeypatch.setattr(alone, "attempts", lambda *_: pytest.fail("tried"))
    assert alone.main([*served, "--site", "berlin"]) == 1
    assert "s behind the server's: set it" in capsys.readouterr().err


def test_a_resolver_that_lies_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block page, or a portal that answers for every name; and one that lies about the service alone."""
    how = alone.Options(sources=["127.0.0.1"], controls=["www.example.com"], resolvers=[""], reference=[], seconds=0.1)
    told = {"www.tiktok.com": "10.9.9.9", "www.example.com": "192.0.2.80"}

    def asked(_: str, name: str, kind: int, *__: Any) -> tuple[str, list[str]]:
        default = told.get("*")
        found = told.get(name, default)
        return ("", [found]) if found and kind == 1 else ("NXDOMAIN", [])

    def answers(_: str, address: str, *__: Any) -> alone.Tried:
        return alone.Tried(not address.startswith("203.0.113."), "as it was")

    monkeypatch.setattr(alone, "_asked", asked)
    monkeypatch.setattr(alone, "try_tcp", answers)
    monkeypatch.setattr(alone, "try_quic", answers)
    results, _ = alone.probe(["www.tiktok.com"], how)
    assert [(one["path"], one["verdict"]) for one in results] == [("dns", "blocked")], "it leads inside: no leak"
    told.update({"*": "198.51.100.9", "www.tiktok.com": "198.51.100.9"})
    results, controls = alone.probe(["www.tiktok.com"], how)
    assert {one["verdict"] for one in results} == {"unknown"}, results
    assert not any(control["reached"] for control in controls)
