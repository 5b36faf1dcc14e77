"""The rules for Prometheus that are shipped: of metrics that there are, about commands that there are, and proven."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from api.cli.main import app
from controller.evidence.model import EpisodeKind
from controller.model import CoverageState
from controller.proof.model import By, ProofState
from tests.test_docs import ROOT

FOLDER: Final = ROOT / "deploy" / "prometheus"
PAGE: Final = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
WORDS: Final = {
    ("tokgate_proofs", "state"): ProofState,
    ("tokgate_site_coverage", "state"): CoverageState,
    ("tokgate_proof_age_seconds", "by"): By,
    ("tokgate_episodes_last_day", "kind"): EpisodeKind,
}


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((FOLDER / "tokgate-alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def test_every_rule_is_of_a_metric_that_there_is_with_labels_that_it_has() -> None:
    """The page is proven against the metrics themselves, elsewhere."""
    rows = re.findall(r"^\| `(tokgate_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)
    known = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert rules()
    for rule in rules():
        selectors = re.findall(r"(tokgate_\w+)(?:\{([^}]*)\})?", rule["expr"])
        assert selectors, rule
        labels = set[str]()
        for name, matchers in selectors:
            assert name in known, f"{rule['alert']}: {name}"
            labels |= known[name]
            for label, value in re.findall(r'(\w+)="([^"]*)"', matchers or ""):
                assert label in known[name], f"{rule['alert']}: {name} has no {label}"
                if (name, label) in WORDS:
                    assert value in {word.value for word in WORDS[name, label]}, f"{rule['alert']}: {value}"
        said = " ".join(rule["annotations"].values())
        assert set(re.findall(r"\$labels\.(\w+)", said)) <= labels, rule["alert"]


def test_what_a_rule_says_to_run_there_is() -> None:
    top = typer.main.get_command(app)
    said = {line for rule in rules() for line in re.findall(r"`tokgate ([^`]+)`", rule["annotations"]["description"])}
    assert said
    for line in said:
        command: Any = top
        for word in line.split():
            if word.startswith("--"):
                assert any(word in parameter.opts for parameter in command.params), line
            elif hasattr(command, "commands"):
                assert word in command.commands, line
                command = command.commands[word]


def promtool(folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not here: apt install prometheus")
    command = [program, "test", "rules", "tokgate-alerts.test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_rules_tell_what_they_should_and_nothing_else() -> None:
    ran = promtool(FOLDER)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_rule_that_never_tells_is_found(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        shutil.copy(path, tmp_path)
    broken = tmp_path / "tokgate-alerts.yaml"
    broken.write_text(broken.read_text(encoding="utf-8").replace('"leaking"}) > 0', '"leaking"}) > 99'), "utf-8")
    assert promtool(tmp_path).returncode != 0
