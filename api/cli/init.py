"""``tokgate init``: a place to start from. Overwrites nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import opening
from api.cli.errors import FileTrouble
from api.cli.show import say

if TYPE_CHECKING:
    from controller.settings import Settings

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="[FOLDER]", help="Where; else TOKGATE_INVENTORY and TOKGATE_DATA_DIR say it."),
]


@opening.only_here("a server is made on its own machine")
def init(folder: Folder = None) -> None:
    """Write a first inventory and make the store. What is there already stays as it is."""
    from controller.settings import load_settings
    from controller.store import Store
    from core.clock import SystemClock

    given = {} if folder is None else {"inventory": folder / "inventory.yaml", "data_dir": folder / "data"}
    settings = load_settings(**given)
    written = _write_inventory(settings.inventory)
    _make_private(settings.data_dir)
    Store.open(settings.data_dir, address=settings.address, clock=SystemClock(), migrate=True).close()
    say(f"{settings.inventory}: {'written' if written else 'is there already, and stays as it is'}")
    say(f"{settings.address or settings.data_dir}: the store is ready")
    say(_next_steps(settings, elsewhere=folder is not None))


def _write_inventory(path: Path) -> bool:
    """Whether it was written. Raises ``FileTrouble``."""
    text = (files("api.cli") / "starter.yaml").read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    except OSError as exc:
        raise FileTrouble(f"{path} cannot be written: {exc.strerror}", hint="choose a folder of yours") from exc
    return True


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise FileTrouble(f"{folder} cannot be made: {exc.strerror}", hint="choose a folder of yours") from exc


def _next_steps(settings: Settings, *, elsewhere: bool) -> str:
    exports = (
        f"  export TOKGATE_INVENTORY={settings.inventory} TOKGATE_DATA_DIR={settings.data_dir}\n" if elsewhere else ""
    )
    return f"""
Next: name your sites and firewalls in the inventory, then

{exports}  tokgate config check
  tokgate intel refresh
  tokgate device doctor
  tokgate plan
  tokgate apply
  tokgate serve"""
