"""Evidence packs over the API: made as a job, fetched by whoever asked, about the sites that they see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import main
from controller.model import Scope
from controller.packs import sealing
from controller.packs.shelf import MOST, Shelf
from core.secret import SecretRef
from tests.api.conftest import MONTH, Office, Stock
from tests.api.remote_office import Both, two_ways
from tests.api.test_rest_dry_run import KEY, an_office_of_secrets
from tests.api.test_rest_jobs import done

V1 = "/api/v1"


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with an_office_of_secrets(tmp_path, stock, monkeypatch) as made:
        yield made


def asked(office: Office, token: str = "audit", **body: Any) -> Any:
    return office.ask("POST", f"{V1}/packs", token=token, json=body)


def fetched(office: Office, token: str = "audit", **body: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    job = done(office, asked(office, token, **body), token=token)
    assert (job["kind"], job["state"], job["error"]) == ("pack", "done", None)
    answer = office.ask("GET", job["result"]["href"], token=token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    return job["result"], sealing.unzipped(answer.content)


def test_a_pack_is_made_as_a_job_fetched_and_whole(office: Office) -> None:
    made, files = fetched(office, regulation="far-52.204-27")
    found = sealing.check(files, KEY.public)
    assert found.is_whole
    assert found.about["regulation"] == "far-52.204-27"
    assert (made["public_key"], made["files"], made["sites"]) == (str(KEY.public), len(files), ["austin", "berlin"])
    end = office.clock.now()
    assert (found.about["from"], found.about["to"]) == tuple(f"{at:%FT%TZ}" for at in (end - MONTH, end))
    entry = office.controller.audit()[0]
    assert (entry.action, entry.actor) == ("evidence.export", "token:audit")


def test_a_sample_is_made_the_same_way(office: Office) -> None:
    _, files = fetched(office, sample={"seed": "4711", "site_days": 3}, sites=["berlin"])
    found = sealing.check(files, KEY.public)
    assert (found.is_whole, found.about["kind"], found.about["seed"]) == (True, "sample", "4711")
    assert {day["site"] for day in json.loads(files["sample.json"])["site_days"]} == {"berlin"}
    assert asked(office, sample={"seed": "4711"}, pdf=True).status_code == 422


def test_it_is_there_for_whoever_asked_and_for_a_day(office: Office) -> None:
    href = fetched(office, sites=["berlin"])[0]["href"]
    assert office.ask("GET", href, token="admin").status_code == 404
    assert office.ask("GET", href, token="read").status_code == 403
    office.clock.advance(timedelta(days=1))
    gone = office.ask("GET", href, token="audit")
    assert (gone.status_code, gone.json()["code"]) == (404, "TG5001")
    assert not [*(office.controller.settings.data_dir / "packs").glob("*.zip")]


def test_of_a_caller_of_one_site_it_is_about_that_site_alone(office: Office) -> None:
    local = office.controller.create_token("here", [Scope.AUDIT], MONTH, actor="test", sites=["berlin"])
    office.tokens["here"] = local[1].reveal()
    made, files = fetched(office, "here")
    assert made["sites"] == ["berlin"]
    assert b"austin" not in b"".join(files.values()).lower()
    assert "withheld" in json.loads(files["scope.json"])["notes"][-1]
    assert asked(office, "here", sites=["austin"]).status_code == 404


def test_what_makes_no_sense_is_said_at_once_and_leaves_no_trace(office: Office) -> None:
    later = (office.clock.now() + timedelta(hours=1)).isoformat()
    before = office.controller.audit()[0].hash
    for body, status in (({"to": later}, 422), ({"sites": ["paris"]}, 404), ({"regulation": "far"}, 404)):
        assert asked(office, **body).status_code == status, body
    with office.app.state.packs.enter():
        assert asked(office, sites=["berlin"]).status_code == 503
    assert office.controller.audit()[0].hash == before


def test_without_a_key_nothing_is_begun(office: Office) -> None:
    signing(office, None)
    refused = asked(office)
    assert (refused.status_code, refused.json()["code"]) == (409, "TG5002")


def test_a_shelf_holds_so_many_and_sweeps_what_another_process_left(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "old.zip").write_bytes(b"x")
    shelf = Shelf(folder, office.clock)
    for number in range(MOST + 2):
        shelf.keep(f"p{number}", b"data", owner="me")
    assert {path.stem for path in folder.iterdir()} == {f"p{number}" for number in range(2, MOST + 2)}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


@pytest.fixture
def both(stock: Stock, tmp_path: Path) -> Iterator[Both]:
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "evidence.key").write_text(KEY.text(), encoding="utf-8")
        with two_ways(tmp_path, stock, patch) as made:
            where = f"secret://file{tmp_path}/evidence.key"
            patch.setenv("TOKGATE_EVIDENCE_KEY", where)
            signing(made.office, SecretRef.parse(where))
            yield made


def signing(office: Office, key: SecretRef | None) -> None:
    settings = office.controller.settings.model_copy(update={"evidence_key": key})
    office.controller.packs = replace(office.controller.packs, settings=settings)


def test_the_command_writes_the_same_pack_over_the_api(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ("--from", "2026-11-24T00:00Z", "--to", "2026-11-25T00:00Z", "--site", "berlin")
    both.here(monkeypatch)
    assert main(["evidence", "export", "--output", str(tmp_path / "here"), *span]) == 0
    both.there(monkeypatch, token="audit")
    assert main(["evidence", "export", "--output", str(tmp_path / "there"), *span]) == 0
    assert main(["evidence", "verify", str(tmp_path / "there"), "--key", str(KEY.public)]) == 0
    here, there = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("here", "there"))
    assert here.keys() == there.keys()
    assert {n for n in here if here[n] != there[n]} <= {
        "index.html",
        "manifest.json",
        "manifest.json.minisig",
        "SHA256SUMS",
    }
    capsys.readouterr()
    assert main(["evidence", "sample", "--seed", "7", "--from", "2026-11-20", "--to", "2026-11-25", "-o", "json"]) == 0
    over_api = capsys.readouterr().out
    assert main(["evidence", "sample", "--seed", "7", "--output", str(tmp_path / "s.zip")]) == 0
    assert main(["evidence", "verify", str(tmp_path / "s.zip"), "--key", str(KEY.public)]) == 0
    both.here(monkeypatch)
    capsys.readouterr()
    assert main(["evidence", "sample", "--seed", "7", "--from", "2026-11-20", "--to", "2026-11-25", "-o", "json"]) == 0
    assert json.loads(over_api) == json.loads(capsys.readouterr().out)
    both.there(monkeypatch, token="audit")
    assert main(["evidence", "export", "--output", str(tmp_path / "no"), "--identities", *span]) == 1
    assert "--identities: over the API nobody is named" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
