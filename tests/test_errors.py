"""Every error has a code of its own, and its line in docs/errors.md says what to do; the page names no other."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from core.errors import ExitCode, TokgateError

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "ipsets", "vendors", "controller", "api", "lab")
ROW = re.compile(r"^\| (TG\d{4}) \| (\d) \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def load_every_room() -> None:
    """Import every module, so that no error class hides."""
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                importlib.import_module(module.name)


def family(root: type[TokgateError]) -> list[type[TokgateError]]:
    return [root, *(found for child in root.__subclasses__() for found in family(child))]


@pytest.fixture(scope="module")
def errors() -> list[type[TokgateError]]:
    load_every_room()
    return [e for e in dict.fromkeys(family(TokgateError)) if e.__module__.split(".")[0] in ROOMS]


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, ...]]:
    return ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))


def test_every_error_says_its_own_code_title_and_statuses(errors: list[type[TokgateError]]) -> None:
    codes = [error.code for error in errors]
    assert len(codes) > 40
    assert sorted(codes) == sorted(set(codes)), "two errors share a code"
    borrowed = [e.__name__ for e in errors if "code" not in vars(e) or "title" not in vars(e)]
    assert borrowed == [], "a class that has no code of its own cannot be told apart"
    assert all(re.fullmatch(r"TG\d{4}", code) for code in codes)
    assert all(error.exit_code in set(ExitCode) - {ExitCode.DONE, ExitCode.CHANGES} for error in errors)
    assert all(400 <= error.http_status < 600 for error in errors)
    assert all(error.__doc__ for error in errors)


def test_the_page_has_exactly_the_errors_with_advice_for_each(
    errors: list[type[TokgateError]], rows: list[tuple[str, ...]]
) -> None:
    told = {code: (int(exit_code), int(status), title) for code, exit_code, status, title, _ in rows}
    assert told == {e.code: (int(e.exit_code), e.http_status, e.title) for e in errors}
    assert [row[0] for row in rows] == sorted(told), "one line each, in order"
    assert all(len(advice) > 60 for *_, advice in rows), "what it means, and what to do"


def test_a_message_says_code_place_device_and_hint() -> None:
    error = TokgateError("it broke", hint="mend it", device="fw-a", place="inventory.yaml:3: sites")
    assert str(error) == "TG1000 inventory.yaml:3: sites: fw-a: it broke (mend it)"
