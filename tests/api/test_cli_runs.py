"""Plans and runs over the API, on emulated firewalls: the same words, followed to the end, and gone on with there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from api.app import create_app
from api.cli.main import main
from api.server import Bind, serving
from controller.log import set_up_logging
from controller.model import Scope
from controller.service import Controller
from controller.settings import load_settings
from core.clock import SystemClock
from lab import emulated
from lab.emulators.server import served
from tests.api.conftest import MONTH
from tests.api.test_cli_remote import alike, log_as_it_was  # noqa: F401 - a fixture


@dataclass(frozen=True, slots=True)
class There:
    """A server with two firewalls, and how to reach it."""

    controller: Controller
    up: ExitStack
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    url: str

    def here(self, *command: str) -> tuple[int, str, str]:
        self.patch.delenv("TOKGATE_URL", raising=False)
        return self._said(command)

    def __call__(self, *command: str) -> tuple[int, str, str]:
        self.patch.setenv("TOKGATE_URL", self.url)
        return self._said(command)

    def _said(self, command: tuple[str, ...]) -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = int(main(list(command)))
        out, err = self.capsys.readouterr()
        return code, out, err

    def plans(self) -> list[str]:
        return [item["id"] for item in json.loads(self("plan", "-o", "json")[1])["items"]]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[There]:
    for name in [name for name in os.environ if name.startswith("TOKGATE_")]:
        monkeypatch.delenv(name)
    devices = emulated.fleet(2, SystemClock())
    with served([one.device for one in devices]) as at, ExitStack() as up:
        emulated.write(tmp_path, devices, at)
        for key, value in emulated.environment(tmp_path).items():
            monkeypatch.setenv(key, value)
        set_up_logging(level="critical")
        controller = up.enter_context(Controller.open(load_settings()))
        controller.refresh_intel(actor="test")
        monkeypatch.setenv(
            "TOKGATE_TOKEN", controller.create_token("t", [Scope.ADMIN], MONTH, actor="test")[1].reveal()
        )
        serving_now = up.enter_context(ExitStack())
        server = serving_now.enter_context(serving(create_app(controller), Bind(port=0)))
        yield There(controller, serving_now, monkeypatch, capsys, f"http://127.0.0.1:{server.port}")


def test_plans_are_the_same_and_a_run_is_followed_to_its_end(there: There) -> None:
    for form in ((), ("-o", "commands"), ("--commands",), ("-o", "json"), ("--site", "site-000", "-o", "json")):
        here = there.here("plan", *form)
        assert alike_but_checksum(there("plan", *form)) == alike_but_checksum(here)
        assert here[0] == 2
    code, out, err = there("apply", "--yes", "--reason", "4711")
    assert (code, out.count(": applied (")) == (0, 2), (out, err)
    assert there("plan")[0] == there("drift")[0] == 0
    assert [entry.actor for entry in there.controller.audit(limit=1)] == ["token:t"]
    assert there("device", "doctor", "-o", "json") == there.here("device", "doctor", "-o", "json")


def alike_but_checksum(said: tuple[int, str, str]) -> tuple[int, str, str]:
    """A plan made anew is another one."""
    lines = [line for line in alike(said[1]).splitlines() if '"checksum"' not in line]
    return said[0], "\n".join(lines), said[2]


def test_who_does_not_wait_leaves_it_at_work_and_can_look_again(there: There) -> None:
    plans = there.plans()
    with there.patch.context() as patch:
        patch.setattr("api.cli.remote.time.sleep", interrupted)
        code, out, err = there("apply", *plans, "--yes")
    assert (code, out) == (130, "")
    assert "goes on at the server: `tokgate runs show " in err
    run = err.split("`tokgate runs show ")[1].split("`")[0]
    code, out, _ = there("runs", "show", "--wait", run)
    assert (code, out.count(": applied (")) == (0, 2)
    assert there("runs", "list", "-o", "csv")[1].count(run) == 1


def test_a_line_that_is_cut_is_told_and_the_run_goes_on(there: There) -> None:
    plans = there.plans()
    with there.patch.context() as patch:
        patch.setattr("api.cli.remote.time.sleep", lambda _: there.up.close())
        code, out, err = there("apply", *plans, "--yes")
    assert (code, out) == (1, "")
    assert "goes on at the server" in err
    assert "error TG8105" in err
    (run,) = there.controller.runs(limit=1)
    while there.controller.run(run.id).finished_at is None:
        pass
    assert {part.outcome.value for part in there.controller.run(run.id).devices} == {"applied"}


def interrupted(_: float) -> NoReturn:
    raise KeyboardInterrupt
