"""Who may import whom: the walls of the house, read from the syntax of every module, also inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "ipsets", "vendors", "controller", "api", "lab")
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "core": frozenset(),
    "ipsets": frozenset({"core"}),
    "vendors": frozenset({"core"}),
    "controller": frozenset({"core", "ipsets", "vendors"}),
    "api": frozenset({"core", "ipsets", "vendors", "controller"}),
    "lab": frozenset({"core", "vendors"}),
}
ONLY_THIS_OF: Mapping[tuple[str, str], str] = {("lab", "vendors"): "vendors.model"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module a piece of code names, absolute: ``import a.b``, ``from a.b import c`` gives ``a.b.c``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in LOADERS:
            yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str))


LOADERS = ("import_module", "__import__")


def broken_rules(room: str, code: str) -> list[str]:
    """What a module of ``room`` imports although it may not."""
    return [f"{room} imports {name}" for name in imported(ast.parse(code)) if not _allowed(room, name)]


def _allowed(room: str, name: str) -> bool:
    if name.startswith("."):
        return False  # relative: what it means depends on where it stands
    other = name.partition(".")[0]
    if other not in ROOMS or other == room:
        return other not in ("tests", "bench", "scripts")
    only = ONLY_THIS_OF.get((room, other))
    return other in MAY_IMPORT[room] and (only is None or f"{name}.".startswith(f"{only}."))


def modules(rooms: Iterable[str]) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = modules([room])
    assert found, f"no module in {room}: the rule would prove nothing"
    broken = [f"{path.relative_to(ROOT)}: {rule}" for path in found for rule in broken_rules(room, path.read_text())]
    assert broken == []


@pytest.mark.parametrize(
    ("room", "code"),
    [
        pytest.param("core", "import vendors.model", id="the-ground-floor-knows-nobody"),
        pytest.param("ipsets", "from vendors import model", id="lists-know-no-firewall"),
        pytest.param("vendors", "from ipsets.model import Snapshot", id="firewalls-know-no-list"),
        pytest.param("controller", "def f():\n    from api import app", id="inside-a-function"),
        pytest.param(
            "controller", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lab", id="for-types"
        ),
        pytest.param("api", "import lab.cli as x", id="the-lab-is-found-not-imported"),
        pytest.param("api", "import importlib\nimportlib.import_module('lab.cli')", id="by-name"),
        pytest.param("api", "__import__('lab')", id="by-the-builtin"),
        pytest.param("lab", "from controller.service import Controller", id="the-lab-stands-outside"),
        pytest.param("lab", "import vendors.session", id="of-vendors-only-the-model"),
        pytest.param("lab", "from vendors import session", id="of-vendors-only-the-model-by-from"),
        pytest.param("vendors", "from . import model", id="relative"),
        pytest.param("core", "import tests.conftest", id="tests-are-no-library"),
    ],
)
def test_a_planted_violation_is_caught(room: str, code: str) -> None:
    assert broken_rules(room, code)


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("api", "from controller.service import Controller\nimport json, rich.table"),
        ("lab", "from vendors.model import Rule\nfrom vendors import model\nimport core.net"),
        ("core", "from core.errors import TokgateError"),
        ("controller", "import corelib, apischema"),  # names that only begin like a room
    ],
)
def test_what_is_allowed_is_not_called_a_violation(room: str, code: str) -> None:
    assert broken_rules(room, code) == []


def test_every_room_of_the_distribution_has_a_rule() -> None:
    listed = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert set(MAY_IMPORT) == set(ROOMS) == listed
