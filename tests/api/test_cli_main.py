"""The top of the command: every outcome becomes an exit code and one message, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from api.cli import brought, main, version
from api.cli.errors import CommandBroken
from controller.errors import InventoryError, NotAllowed
from core.errors import ExitCode, TokgateError
from ipsets.errors import GuardTripped
from vendors.errors import Unreachable

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process, as a shell runs it."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def failing(error: BaseException) -> object:
    def command() -> None:
        raise error

    return command


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the real top over a command that ends in a given way."""

    def run_it(error: BaseException) -> int:
        application = typer.Typer(cls=brought.Commands, add_completion=False)
        application.callback()(lambda: None)
        application.command("fail")(failing(error))  # type: ignore[type-var]
        monkeypatch.setattr(main, "app", application)
        return main.main(["fail"])

    return run_it


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(TokgateError("x"), 1, id="error"),
        pytest.param(GuardTripped("x"), 3, id="guard"),
        pytest.param(Unreachable("x", device="fw"), 4, id="device"),
        pytest.param(NotAllowed("x"), 5, id="not-allowed"),
        pytest.param(InventoryError("x", place="inventory.yaml:3: sites"), 6, id="configuration"),
        pytest.param(KeyboardInterrupt(), 130, id="interrupted"),
        pytest.param(typer.Abort(), 130, id="aborted-at-a-question"),
        pytest.param(typer.Exit(7), 7, id="a-command-that-another-package-brings"),
        pytest.param(ValueError("boom"), 1, id="a-mistake-of-ours"),
        pytest.param(OSError(28, "No space left on device"), 1, id="full-disk-behind-the-answer"),
    ],
)
def test_every_outcome_is_an_exit_code_and_no_traceback(
    outcome: object, error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(error) == code  # type: ignore[operator]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err or isinstance(error, typer.Exit)


def test_an_error_says_what_where_its_code_and_what_to_do(outcome: object, capsys: pytest.CaptureFixture[str]) -> None:
    outcome(Unreachable("no answer", device="fw-a", hint="check the network"))  # type: ignore[operator]
    assert capsys.readouterr().err == "error TG4001: fw-a: no answer\n  check the network\n"


def test_an_error_of_many_lines_keeps_them_and_nothing_else(
    outcome: object, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(InventoryError("line 3: a\nline 7: b\x1b[2J"))  # type: ignore[operator]
    assert capsys.readouterr().err == "error TG1003: line 3: a\nline 7: b�[2J\n"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["plan", "--nope"], ["events", "list", "--limit", "-1"], ["exceptions", "request"], []]
)
def test_wrong_usage_is_an_error_and_never_the_code_of_a_plan(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == ExitCode.ERROR
    out, err = capsys.readouterr()
    assert ("--help" in err) if arguments else ("Usage: tokgate" in out)


def test_help_and_version_are_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(noun in listed for noun in ("intel", "exceptions", "lab", "demo", "serve"))
    assert main.main(["version"]) == 0
    assert capsys.readouterr().out.startswith("tokgate ")
    version.version()


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`tokgate … | head -1`: quiet, also when the interpreter ends."""
    code = f"cd {ROOT} && {sys.executable} -m api.cli config schema | head -1"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_an_answer_that_cannot_be_written_is_said() -> None:
    code = f"cd {ROOT} && {sys.executable} -m api.cli config schema >/dev/full"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_text_that_the_terminal_cannot_show_is_replaced_not_fatal() -> None:
    done = run("--help", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stderr == ""


def test_help_is_quick_and_loads_neither_store_nor_ssh() -> None:
    heavy = ("sqlalchemy", "paramiko", "fastapi", "pydantic")
    code = f"import sys, api.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    began = time.monotonic()
    assert run("plan", "--help").returncode == 0
    assert time.monotonic() - began < 5


# --- commands that another package brings ---------------------------------------------------------------------------


def test_a_command_is_brought_as_application_or_as_function() -> None:
    lab = brought.load(EntryPoint(name="lab", value="lab.cli:lab_commands", group=brought.GROUP))
    demo = brought.load(EntryPoint(name="demo", value="lab.cli:demo_command", group=brought.GROUP))
    assert (lab.name, demo.name) == ("lab", "demo")
    assert "up" in lab.commands


@pytest.mark.parametrize("value", ["no.such.module:x", "lab.cli:no_such_thing"])
def test_a_broken_command_says_so_and_breaks_no_other(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="extra", value=value, group=brought.GROUP)
    monkeypatch.setattr(brought, "_found", lambda: {"extra": point})
    with pytest.raises(CommandBroken, match="extra"):
        brought.load(point)
    assert main.main(["extra"]) == ExitCode.ERROR
    assert main.main(["version"]) == 0
    assert main.main(["--help"]) == 0
