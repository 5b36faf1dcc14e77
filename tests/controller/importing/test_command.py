"""`tokgate inventory`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.main import main

CSV = "name,host,platform,site,time_zone,prefixes,password\nfw-{n},192.0.2.{n},linux,berlin,Europe/Berlin,company=10.1.0.0/24,{p}\n"  # noqa: E501  # one table


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    (tmp_path / "d.csv").write_text(CSV.format(n=1, p="hunter2"))
    return tmp_path


def test_import_then_sync(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "import", "d.csv", "--from", "csv", "--out", "inventory.yaml"]) == 0
    assert main(["config", "check"]) == 0
    before = (place / "inventory.yaml").read_bytes()
    assert main(["inventory", "sync", "d.csv", "--from", "csv"]) == 0
    assert (place / "inventory.yaml").read_bytes() == before
    (place / "d.csv").write_text(CSV.format(n=2, p=""))
    capsys.readouterr()
    assert main(["inventory", "sync", "d.csv", "--from", "csv", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "+      fw-2:" in told.out
    assert "gone: fw-1" in told.err
    assert (place / "inventory.yaml").read_bytes() == before
    for extra in ([], ["--prune"]):
        assert main(["inventory", "sync", "d.csv", "--from", "csv", *extra]) == 0
    assert "fw-1:" not in (place / "inventory.yaml").read_text()
    assert "its rules stay on the device" in capsys.readouterr().err
    assert main(["audit", "list", "-o", "json"]) == 0
    [entry] = [e for e in json.loads(capsys.readouterr().out) if e["action"] == "inventory.sync"]
    assert entry["subject"] == "csv"
    everything = "".join(p.read_text(errors="replace") for p in place.rglob("inventory*"))
    assert "hunter2" not in everything


def test_what_is_there_is_not_written_over_and_force_needs_a_reason(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "inventory.yaml").write_text("version: 1\n")
    assert main(["inventory", "import", "d.csv", "--from", "csv", "--out", "inventory.yaml"]) == 1
    assert main(["inventory", "sync", "d.csv", "--from", "csv", "--force"]) == 1
    assert "TG5007" in capsys.readouterr().err
    assert main(["inventory", "import", "d.csv", "--from", "csv", "--token", "plain-token"]) == 1
    assert "plain-token" not in capsys.readouterr().err
    assert (place / "inventory.yaml").read_text() == "version: 1\n"


def test_what_is_left_is_told_up_to_a_point(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (f"fw-{number},192.0.2.1,house-os,berlin" for number in range(1_234))
    (place / "d.csv").write_text("name,host,platform,site\n" + "\n".join(lines))
    assert main(["inventory", "import", "d.csv", "--from", "csv"]) == 0
    left = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left: ")]
    assert len(left) == 201
    assert left[-1].endswith("more")


def test_what_was_written_where_and_what_comes_next_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "d.csv").write_text(
        "name,host,platform,site,time_zone\nfw,192.0.2.1,linux_nftables,berlin,Europe/Berlin\n"
    )
    assert main(["inventory", "import", "d.csv", "--from", "csv", "--out", "new.yaml"]) == 0
    assert "new.yaml is written; `tokgate config check`" in capsys.readouterr().out


def test_a_source_of_no_known_kind_is_told_plainly(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "import", str(place), "--from", "excel"]) == 1
    assert "'--from': 'excel' is not one of" in capsys.readouterr().err


def test_a_source_that_fails_changes_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "import", "d.csv", "--from", "ansible", "--out", "inventory.yaml"]) == 1
    assert "TG1005: ansible d.csv" in capsys.readouterr().err
    assert not (place / "inventory.yaml").exists()
