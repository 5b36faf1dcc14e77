"""A list that is longer than a gateway takes, on a real one: the most valuable part blocks, and nothing claims more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml

from api.cli.plan import show_plans
from api.metrics import Metrics
from api.run_models import PlannedDevice
from controller.model import CoverageState, Outcome, Window
from controller.planning import in_part, reopen
from controller.service import Controller
from controller.settings import Settings
from controller.views import DeviceView, Selection
from lab import inventory as lab_inventory
from lab.topology import Lab
from lab.world import INTERNET, Kind

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

BERLIN: Final = Selection(sites=("berlin",))
POOR, RICH = (f"tcp:{one.v4}:443" for one in INTERNET if one.kind is Kind.TIKTOK)
"""103.136.220.10 and 71.18.6.10: one source names the network of the first, two that of the second."""
OTHERS: Final = tuple(f"16.162.{2 * at}.0/24" for at in range(10))
WHOLE: Final = len(OTHERS) + 2
KEPT: Final = 3


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"ob{os.getpid() % 100000}") as standing:
        yield standing


@contextmanager
def controller(lab: Lab, folder: Path, *, max_entries: int, over_budget: str = "shorten") -> Iterator[Controller]:
    made = lab_inventory.inventory(lab)
    lists = {"all": ["103.136.220.0/24", "71.18.6.0/24", *OTHERS], "few": ["71.18.6.0/24"]}
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    made["intelligence"]["sources"] = [
        {"kind": "list", "name": name, "file": f"{folder}/{name}.txt", "dedicated": True} for name in lists
    ]
    device = made["sites"]["berlin"]["devices"]["fw-berlin"]
    device["over_budget"] = over_budget
    device["options"]["max_entries"] = max_entries
    path = folder / "inventory.yaml"
    path.write_text(yaml.safe_dump(made), encoding="utf-8")
    with Controller.open(Settings(inventory=path, data_dir=folder / "data", workers=1)) as opened:
        opened.refresh_intel(actor="test")
        yield opened


def synced(opened: Controller) -> tuple[Outcome, str | None]:
    (part,) = opened.sync(BERLIN, actor="test").devices
    return part.outcome, part.error_code


def berlin(opened: Controller) -> DeviceView:
    return next(view for view in opened.devices() if view.name == "fw-berlin")


def blocked(lab: Lab, target: str) -> bool:
    return lab.sites["berlin"].clients["company"].browse(target)[target].is_blocked


def in_part_now(opened: Controller) -> str:
    lines = Metrics(opened, version="0").text().decode().splitlines()
    return next(line for line in lines if line.startswith('tokgate_device_in_part{device="fw-berlin"')).split()[-1]


def states(opened: Controller, since: datetime) -> dict[str, float]:
    report = opened.site_report("berlin", Window(since, since + timedelta(hours=1))).to_json()
    return {name: seconds for name, seconds in report["coverage"].items() if seconds}


def test_i07_a_list_over_the_budget_is_held_in_part_said_aloud_and_never_called_enforced(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with controller(lab, tmp_path, max_entries=250_000) as opened:
        (whole,) = opened.plan(BERLIN, actor="test")
        assert whole.plan is not None
        assert whole.plan.shortened == ()
        others = sum(len(group.members) for group in whole.plan.desired.groups) - WHOLE

    with controller(lab, tmp_path, max_entries=others + KEPT) as opened:
        began = datetime.now(UTC)
        (result,) = opened.plan(BERLIN, actor="test")
        assert result.stored is not None
        (short,) = PlannedDevice.of(result).shortened
        assert (short.group, short.networks, short.addresses_v4, short.left_out_v4) == (
            "dst-tiktok", WHOLE, WHOLE * 256, (WHOLE - KEPT) * 256,
        )  # fmt: skip
        assert len(short.left_out) == WHOLE - KEPT
        assert "103.136.220.0/24" in {left.network for left in short.left_out}
        assert reopen(result.stored).plan.shortened == result.plan.shortened  # type: ignore[union-attr]
        show_plans([PlannedDevice.of(result)], commands=False)
        said = capsys.readouterr().out
        assert f"dst-tiktok in part: {KEPT} of {WHOLE} networks" in said
        assert all(f"{left.network}: " in said for left in short.left_out)

        run = opened.apply([result.stored.id], actor="test")
        assert [part.outcome for part in run.devices] == [Outcome.APPLIED]
        assert blocked(lab, RICH), "two sources name it"
        assert not blocked(lab, POOR), "left out, as was said"
        assert synced(opened) == (Outcome.UNCHANGED, None), "read back, it is what the device was to hold"
        assert opened.plan(BERLIN, actor="test")[0].stored is None

        status = berlin(opened).status
        assert status is not None
        assert in_part(status.degraded).startswith(f"dst-tiktok in part: {KEPT} of {WHOLE} networks")
        assert [(part.group, part.kept, part.networks) for part in status.parts] == [("dst-tiktok", KEPT, WHOLE)]
        assert in_part_now(opened) == "1.0"
        assert set(states(opened, began)) <= {"partial_seconds", "unknown_seconds"}
        assert states(opened, began)["partial_seconds"] > 0
        looks = opened.store.observations("berlin", Window(began, datetime.now(UTC)))  # type: ignore[arg-type]
        assert [(look.found, look.left) for look in looks] == [
            (CoverageState.NOT_ENFORCED, CoverageState.PARTIAL),
            (CoverageState.PARTIAL, CoverageState.PARTIAL),
        ]

    with controller(lab, tmp_path, max_entries=others + KEPT, over_budget="refuse") as opened:
        assert synced(opened) == (Outcome.HELD, "TG4010")
        assert blocked(lab, RICH), "what was enforced stays (I2)"

    with controller(lab, tmp_path, max_entries=others + WHOLE) as opened:
        began = datetime.now(UTC)
        assert synced(opened) == (Outcome.APPLIED, None)
        assert blocked(lab, POOR)
        assert in_part_now(opened) == "0.0"
        assert synced(opened) == (Outcome.UNCHANGED, None)
        assert states(opened, began)["enforced_seconds"] > 0
