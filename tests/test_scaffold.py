"""What a fresh machine meets first: the installer, the locks, the targets of the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INSTALLER = ROOT / "scripts" / "install-system-packages"
LOCKS = ("requirements.lock", "requirements-bench.lock")
FUZZ_LOCK = "requirements-fuzz.lock"


@pytest.mark.root
def test_without_root_what_is_missing_is_said_once_and_nothing_is_tried() -> None:
    """The program is hidden in a mount namespace of its own; the machine keeps it."""
    hidden = Path(shutil.which("dnsmasq", path=f"{os.environ['PATH']}:/usr/sbin") or "")
    script = f"mount --bind /dev/null {hidden} && exec setpriv --reuid 65534 --clear-groups bash -s"
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        input=INSTALLER.read_text(encoding="utf-8"),  # the checkout may lie where only root looks
        env={**os.environ, "PYTHON": "python3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert re.search(r"missing: .*\bdnsmasq\b", done.stderr)
    assert re.search(r"Run as root: apt-get install .*\bdnsmasq\b", done.stderr)


@pytest.mark.root
def test_with_everything_there_the_installer_is_silent_and_does_nothing() -> None:
    done = subprocess.run([INSTALLER], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [*LOCKS, FUZZ_LOCK])
def test_a_lock_pins_everything_by_hash_and_names_no_place(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.search(r"://|^-", text, re.MULTILINE) is None, "an index, a link or an option"
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert len(entries) > (0 if name == FUZZ_LOCK else 50)
    assert [e.split("\n")[0] for e in entries if "==" not in e or "--hash=sha256:" not in e] == []


def test_the_bench_lock_agrees_with_the_lock() -> None:
    pins = [dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / n).read_text(), re.MULTILINE)) for n in LOCKS]
    assert pins[0].items() <= pins[1].items()
    assert {"nornir", "nornir-netmiko"} <= pins[1].keys() - pins[0].keys()


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "bench-intel", "fuzz", "clean", "format"])
def test_the_makefile_has_its_targets(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_serve_stays_up_only_when_asked() -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}

    def last(*words: str) -> str:
        """As a person would call it, also when these tests are run by make themselves."""
        command = ["make", "-n", "demo", *words]
        done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
        return done.stdout.strip().splitlines()[-1]

    assert last().endswith("tokgate demo")
    assert last("SERVE=0").endswith("tokgate demo")
    assert last("SERVE=1").endswith("tokgate demo --serve")


def test_ci_runs_the_tests_and_stops_at_the_first_failure() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert re.search(r"^make test$", script, re.MULTILINE)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_browser_files_of_others_are_the_pinned_ones() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "refresh_assets.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
