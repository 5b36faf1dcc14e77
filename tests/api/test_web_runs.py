"""The pages of runs, in words."""

from __future__ import annotations

from api.web.runs import TRIGGERS
from controller.schedule import PARTS


def test_whatever_begins_a_run_has_words() -> None:
    """Exceptions and emergencies that begin one themselves are links."""
    assert {*PARTS, "start", "change", "retry", "schedule", "apply", "api", "cli"} == set(TRIGGERS)
