"""Tests that need root say so by their mark, and are skipped elsewhere with that reason."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    chosen = config.getoption("-m")
    for item in items:
        if "root" in item.keywords and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root and network namespaces"))
        if "soak" in item.keywords and "soak" not in chosen:
            item.add_marker(pytest.mark.skip(reason="long form of a proof: pytest -m soak"))
