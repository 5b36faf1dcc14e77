"""Endpoints, firewalls and coverage over the API: by what evidence told, and by a list that is kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import main
from controller.model import Scope
from tests.api.conftest import MONTH, Office, Stock
from tests.api.remote_office import Both, two_ways

V1 = "/api/v1"
LIST = "host,program,ip\nPC-1,com.zhiliaoapp.musically,10.20.0.7\nPC-2,com.zhiliaoapp.musically,10.20.0.8\n"
OF_AUSTIN = LIST.replace("10.20.", "10.30.")


def sent(office: Office, token: str = "audit", **body: Any) -> Any:
    return office.ask("POST", f"{V1}/reconciliation", token=token, json={"list": LIST, "name": "pcs.csv", **body})


def test_a_list_is_held_against_the_sites_and_kept_nowhere(office: Office) -> None:
    before = office.controller.audit()[0].hash
    answer = sent(office, sites=["berlin"])
    assert answer.status_code == 200, answer.text
    (berlin,) = answer.json()["sites"]
    blind = "installed and never seen, the site not covered all the time: silence proves nothing"
    assert [(each["client"], each["finding"], each["last_seen"]) for each in berlin["clients"]] == [
        ("pc-1", blind, None),
        ("pc-2", blind, None),
    ]
    assert berlin["counts"][blind] == 2
    told = office.get("/reconciliation?site=berlin", token="read")
    assert (told["endpoint_list"], told["sites"][0]["has_list"]) == (None, False)
    assert office.controller.audit()[0].hash == before


def test_a_wrong_record_is_refused_with_its_place(office: Office) -> None:
    refused = sent(office, list=LIST + "PC-3,com.zhiliaoapp.musically,10.20.0.x\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "TG5007")
    assert refused.json()["detail"].startswith("pcs.csv: line 4: column 'ip': ")
    assert sent(office, token="read").status_code == 403


def test_of_one_site_nothing_is_told_of_another(office: Office) -> None:
    local = office.controller.create_token("here", [Scope.AUDIT, Scope.READ], MONTH, actor="test", sites=["berlin"])
    office.tokens["here"] = local[1].reveal()
    answer = sent(office, "here", list=OF_AUSTIN)
    assert [each["site"] for each in answer.json()["sites"]] == ["berlin"]
    assert (answer.json()["sites"][0]["clients"], answer.json()["elsewhere"]) == ([], 2)
    assert sent(office, "here", sites=["austin"]).status_code == 404


@pytest.fixture
def both(stock: Stock, tmp_path: Path) -> Iterator[Both]:
    with pytest.MonkeyPatch.context() as patch, two_ways(tmp_path, stock, patch) as made:
        yield made


def test_the_command_prints_the_same_here_and_there_and_writes_a_page(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "pcs.csv", tmp_path / "page.html"
    file.write_text(LIST, encoding="utf-8")
    told = []
    for way in (both.here, both.there):
        way(monkeypatch)
        words = ["evidence", "reconcile", str(file), "--site", "berlin", "--to", "2026-11-25", "--output", str(page)]
        assert main(words) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "silence proves nothing" in told[0]
    assert "<code>pc-1</code>" in page.read_text(encoding="utf-8")
    file.write_text(LIST + "PC-3,x\n", encoding="utf-8")
    for way in (both.here, both.there):
        way(monkeypatch)
        assert main(["evidence", "reconcile", str(file)]) == 1
        assert "pcs.csv: line 4: 2 fields; the header names 3" in capsys.readouterr().err
