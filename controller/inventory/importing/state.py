"""The file beside an inventory that says which entries came from where: ``inventory.yaml.imported.json``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from controller.errors import InventoryError
from controller.inventory.importing.merging import Known

VERSION: Final = 1


def state_file(inventory: Path) -> Path:
    return inventory.with_name(f"{inventory.name}.imported.json")


def load_known(inventory: Path) -> dict[str, Known]:
    """What each source said last, by its name. Raises ``InventoryError`` for a file that is damaged."""
    path = state_file(inventory)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise ValueError(data["version"])  # noqa: TRY301  # one place says it
        return {str(name): _known(said) for name, said in data["sources"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        hint = "put back the copy that belongs to the inventory; without the file nothing counts as imported"
        raise InventoryError("cannot be read, or is damaged", hint=hint, place=str(path)) from exc


def _known(said: Mapping[str, Any]) -> Known:
    parts = {key: dict(said[key]) for key in ("sites", "devices", "gone")}
    if not all(isinstance(item, dict) for key in ("sites", "devices") for item in parts[key].values()):
        raise TypeError("sites and devices are mappings")
    return Known(**parts)


def state_text(known: Mapping[str, Known]) -> str:
    sources = {name: asdict(said) for name, said in sorted(known.items())}
    return json.dumps({"version": VERSION, "sources": sources}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def replace_file(path: Path, text: str) -> None:
    """All of it or nothing. The file keeps its mode. Raises ``OSError``."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
