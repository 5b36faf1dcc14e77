"""The contract under positions of what no public source settles: its scenarios, each on a box of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Final

import pytest

from tests.contract import test_emulated as contract
from tests.contract.emulated import EmulatedRig

Scenario = Callable[[EmulatedRig], None]
SCENARIOS: Final[dict[str, Scenario]] = {
    name: found
    for name, found in vars(contract).items()
    if name.startswith("test_") and list(inspect.signature(found).parameters) in (["rig"], ["loose"])
}
killed_at_every_line = contract.test_i05_killed_at_every_line_it_stays_strict_and_the_next_push_ends_it


def run(make: Callable[[], EmulatedRig], scenarios: Iterable[str] = SCENARIOS) -> None:
    """Each as new. Where a scenario keeps to what is ours, the owner's is as it was."""
    assert len(SCENARIOS) > 12
    for name in scenarios:
        scenario, rig = SCENARIOS[name], make()
        with rig.serving():
            before = rig.foreign()
            try:
                scenario(rig)
            except pytest.skip.Exception:
                continue
            if "rig" in inspect.signature(scenario).parameters:
                assert rig.foreign() == before, f"{name}: what is the owner's was touched"
