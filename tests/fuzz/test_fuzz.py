"""The seeds keep every promise, mutations of them too, and the harness notices a parser that does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from core.net import DomainName
from ipsets.sources.plain import parse_line
from tests.fuzz import harness
from tests.fuzz.harness import TARGETS
from tests.fuzz.seeds import seeds

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = {
    "rules": 10_000,
    "plain": 3_000,
    "listed": 3_000,
    "table": 5_000,
    "database": 3_000,
    "routes": 1_000,
    "message": 5_000,
    "syslogged": 3_000,
    "stream": 5_000,
    "evidence": 3_000,
    "flows": 3_000,
}
WITHOUT = (
    "atheris is not installed (it has wheels for CPython 3.11 to 3.13 on Linux, x86-64; `make fuzz` installs it): "
    "the seeds were replayed, nothing was mutated"
)


APART = '"$@"; exit $?'
"""A child of a shell: a child of ours begins with the most memory that we ever had as its own (getrusage(2))."""


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_keeps_what_is_promised(target: str) -> None:
    assert len(list(seeds(target))) > 4
    for data in seeds(target):
        TARGETS[target](data)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason=WITHOUT)
@pytest.mark.parametrize("target", TARGETS)
def test_mutations_keep_it_too_within_memory_and_time(target: str, tmp_path: Path) -> None:
    limits = ("-seed=1", "-rss_limit_mb=512", "-timeout=10", f"-artifact_prefix={tmp_path}/found-")
    command = [sys.executable, "-m", "tests.fuzz", target, f"-runs={RUNS[target]}", *limits, str(tmp_path / "corpus")]
    ran = subprocess.run(
        ["/bin/sh", "-c", APART, "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{[path.read_bytes() for path in tmp_path.glob('found-*')]}\n{ran.stderr[-3000:]}"
    assert f"Done {RUNS[target]} runs" in ran.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("192.0.2.0/24", ip_network("192.0.0.0/16"), id="wider"),
        pytest.param("192.0.2.0/24", ip_network("192.0.2.0/25"), id="narrower"),
        pytest.param("192.0.2.7", ip_network("5.5.5.7/32"), id="another"),
        pytest.param("a - b.example", DomainName("a-b.example"), id="a-name-that-nobody-wrote"),
        pytest.param("tiktok.com", DomainName("com"), id="a-whole-registry"),
        pytest.param("tik;tok.com", DomainName("tik;tok.com"), id="a-word-of-a-shell"),
    ],
)
def test_the_harness_would_notice_a_parser_that_lies(line: str, said: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "parse_line", lambda text: [said] if text == line else parse_line(text))
    with pytest.raises(AssertionError):
        TARGETS["rules"](line.encode())


def test_the_harness_would_notice_another_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "parse_line", lambda _: [{}["entry"]])
    with pytest.raises(KeyError):
        TARGETS["rules"](b"tiktok.com")
