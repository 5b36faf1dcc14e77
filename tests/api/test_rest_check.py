"""``/check`` and ``tokgate explain``: one answer, for programs and for people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from api.cli.main import main
from tests.api.conftest import INVENTORY, PASSWORD, Office

FLOW = {"src": "10.20.3.7", "dst": "103.136.220.10"}


def test_a_flow_is_answered_with_all_that_decides_it(shared_office: Office) -> None:
    found = shared_office.get("/check", params=FLOW)
    assert (found["decided"], found["verdict"], found["rule"]) == ("blocked", "unknown", "deny-company")
    assert (found["site"], found["role"], found["policy"]) == ("berlin", "company", "standard")
    assert found["entry"]["service"] == "tiktok"
    assert {word["source"] for entry in found["known"] for word in entry["sources"]} == {"curated"}
    assert found["window"]["why"] == "window weekdays 08:00–18:00"
    assert found["next_edge"] == "2026-11-25T17:00:00Z"
    assert found["devices"] == [
        {
            "device": "fw-berlin",
            "verdict": "unknown",
            "why": "it was never read",
            "last_seen_at": None,
            "snapshot": None,
            "mode": None,
        }
    ]


def test_at_another_moment_and_by_name(shared_office: Office) -> None:
    night = shared_office.get("/check", params={**FLOW, "dst": "WWW.TikTok.com.", "at": "2026-11-25T22:00:00+01:00"})
    assert (night["dst"], night["at"], night["decided"]) == ("www.tiktok.com", "2026-11-25T21:00:00Z", "monitored")
    assert night["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"src": "10.99.0.1"}, 404, "TG5001"),
        ({"src": "nobody"}, 422, "TG5007"),
        ({"dst": "103.136.0.0/16"}, 422, "TG5007"),
        ({"site": "paris"}, 404, "TG5001"),
        ({"at": "2026-11-25T22:00:00"}, 422, "TG5007"),
        ({"at": "2020-01-01T00:00:00Z"}, 404, "TG2003"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_says_why(
    shared_office: Office, changes: dict[str, str], status: int, code: str
) -> None:
    answer = shared_office.ask("GET", "/api/v1/check", params=FLOW | changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_command_says_the_same_for_people(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office.controller.close()
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    assert main(["explain", *FLOW.values(), "--at", "2031-11-26T11:00Z"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("10.20.3.7 to 103.136.220.10 at berlin, 2031-11-26T11:00Z: is NOT KNOWN to us\n")
    for line in (
        "  wanted if its firewalls hold what they should, it is BLOCKED",
        "  rule   deny-company",
        r"  policy standard: enforce, window weekdays 08:00–18:00; it may change \S+",
        r"  source curated named \S+, seen \S+ to \S+",
        r"  device fw-berlin: unknown: it lies ahead.*",
        r"  list   snapshot [0-9a-f]{12}, in force since \S+",
    ):
        assert re.search(f"^{line}$", said, re.MULTILINE), line
    assert main(["explain", *FLOW.values(), "--at", "2031-11-26T11:00Z", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["decided"] == "blocked"
