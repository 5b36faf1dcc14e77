"""`tokgate lab …` as a user meets it, each command a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from lab import demo, machine
from lab.cli import lab_commands
from lab.product import Product, installed
from lab.workspace import leftovers, remove

NAME = f"c{os.getpid() % 100000}"
root = pytest.mark.root


@pytest.fixture
def name() -> Iterator[str]:
    yield NAME
    remove(NAME)


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from lab.cli import lab_commands; lab_commands()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@root
def test_up_status_probe_down_each_from_another_process(name: str) -> None:
    up = lab("up", "--name", name)
    assert up.returncode == 0, up.stderr
    assert f". {machine.BASE}/{name}/env" in up.stdout
    assert "replayed from a record" in up.stdout
    assert f"tokgate lab down --name {name}" in up.stdout

    made = json.loads(lab("status", "--name", name, "-o", "json").stdout)
    assert set(made["sites"]) == {"berlin", "austin"}
    assert made["sites"]["berlin"]["programs"] == ["dnsmasq", "sshd"]
    assert made["emulated"]["state"] == "up"
    written = yaml.safe_load((machine.BASE / name / "inventory.yaml").read_text(encoding="utf-8"))
    third = written["sites"]["reykjavik"]["devices"]
    assert list(third) == made["emulated"]["devices"]
    assert len({device["vendor"] for device in third.values()}) == 4
    product = Product(program=installed(), settings=made["environment"])
    product.run("db", "upgrade")
    product.run("intel", "refresh")
    planned = product.json("plan", "--site", "reykjavik", accept=(2,))
    assert {item["device"] for item in planned["items"] if item["script"]} == set(third)

    probe = lab("probe", "berlin", "company", "tcp:www.tiktok.com:443", "--name", name, "-o", "json")
    assert json.loads(probe.stdout)["results"][0]["outcome"] == "ok"

    nobody = lab("probe", "berlin", "nobody", "dns:x.example", "--name", name)
    assert nobody.returncode == 2
    assert "austin marketing" in nobody.stderr

    down = lab("down", "--name", name, "-o", "json")
    assert "namespaces" in json.loads(down.stdout)["removed"][name]
    assert leftovers(name).is_empty
    assert json.loads(lab("status", "--name", name, "-o", "json").stdout) == {"name": name, "state": "down"}


@root
def test_down_without_a_lab_is_no_error() -> None:
    done = lab("down", "--name", "nosuchlab")
    assert done.returncode == 0
    assert "nothing to remove" in done.stdout


def test_without_root_the_demo_says_what_it_cannot_show_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    console = Console(record=True, width=200, quiet=False)
    with console.capture() as captured:
        status = demo.main(demo.Options(), console)
    assert status == 1
    assert "need root" in captured.get()
    assert "Not shown: the plan and its change on a real firewall" in captured.get()


def test_without_root_the_lab_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(lab_commands, ["up"])
    assert result.exit_code == 1
    assert "TG7002" in str(result.exception)
