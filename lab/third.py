"""The lab's third office: one emulated firewall of each of four vendors, in a process of its own.

Called by ``tokgate lab up``, which puts it into the inventory of the two real offices. There are no clients behind it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from lab import emulated, processes
from lab.errors import LabError
from lab.workspace import Workspace

SITE: Final = "reykjavik"
"""A place whose time is UTC all year, like that of the emulated firewalls."""
FOLDER: Final = "emulated"
PROCESS: Final = "fleet"
_SECONDS: Final = 120.0


def serve(workspace: Workspace, folder: Path, count: int) -> Path:
    """Emulated firewalls in a process of the lab's; their inventory, once it is there. Raises ``LabError``."""
    process = workspace.spawn(PROCESS, [sys.executable, "-m", emulated.__name__, str(folder), str(count)])
    written = folder / emulated.INVENTORY
    processes.wait_until(lambda: written.exists() or not process.is_alive, seconds=_SECONDS)
    if not written.exists():
        raise LabError(f"{count} emulated firewalls did not come up", hint=workspace.log(PROCESS))
    return written


def open_office(workspace: Workspace, inventory: Path, env: Path) -> None:
    """Serve the four and add them to what the lab has written. Raises ``LabError`` when they do not come up."""
    written = serve(workspace, workspace.folder(FOLDER), len(emulated.MAKES))
    made = joined(_loaded(inventory), _loaded(written))
    head = "".join(line for line in inventory.read_text(encoding="utf-8").splitlines(keepends=True) if line[0] == "#")
    inventory.write_text(head + yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    with env.open("a", encoding="utf-8") as file:
        file.writelines(f"export {name}={value}\n" for name, value in emulated.secrets().items())


def joined(lab: dict[str, Any], fleet: dict[str, Any]) -> dict[str, Any]:
    """The inventory of the lab with the fleet's one site as its third office. Pure."""
    (site,) = fleet["sites"].values()
    budget = fleet["defaults"]["device"]["budget_seconds"]
    office = {
        **site,
        "title": "Reykjavik, emulated",
        "time_zone": "Atlantic/Reykjavik",
        "policy": f"{SITE}-policy",
        "devices": {name: {**device, "budget_seconds": budget} for name, device in site["devices"].items()},
    }
    policies = {**lab["policies"], f"{SITE}-policy": fleet["policies"][site["policy"]]}
    return {**lab, "policies": policies, "sites": {**lab["sites"], SITE: office}}


def facts(run_dir: Path) -> dict[str, Any] | None:
    """Whether the office stands, and its firewalls; None where a lab has none."""
    written = run_dir / FOLDER / emulated.INVENTORY
    if not written.exists():
        return None
    process = processes.read_pid_file(run_dir / "pids" / f"{PROCESS}.pid.json")
    (site,) = _loaded(written)["sites"].values()
    return {"state": "up" if process is not None and process.is_alive else "ended", "devices": list(site["devices"])}


def _loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
