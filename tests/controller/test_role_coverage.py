"""Each source role alone: no more than was proven of the devices, and than the policy of that time asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from controller.coverage import Coverage, Tried
from controller.mode_spans import ModeSpan
from controller.model import CoverageState, Mode, Observation, Window
from controller.role_coverage import NOT_FOLLOWED, role_coverage
from tests.controller.reporting import DAY, FW, NOW, SECOND_FW, E, at, look

M, OFF, N, P, U = (
    CoverageState.MONITORED, CoverageState.OFF, CoverageState.NOT_ENFORCED, CoverageState.PARTIAL,
    CoverageState.UNKNOWN,
)  # fmt: skip
FRESH = timedelta(minutes=30)
DAY_LONG = Window(at(0), at(4))


def mode(start: float, end: float, said: Mode | None, why: str = "") -> ModeSpan:
    return ModeSpan(window=Window(at(start), at(end)), mode=said, why=why)


ALWAYS = (mode(-1, 4, Mode.ENFORCE),)
FROM_TWO = (mode(-1, 2, Mode.OFF), mode(2, 4, Mode.ENFORCE))


def quarters(state: CoverageState, first: float = -0.5, last: float = 4) -> list[Observation]:
    cause = "it holds a part" if state is P else ""
    return [look(first + step / 4, state, state, cause) for step in range(int((last - first) * 4) + 1)]


def told(
    looks: Sequence[Observation],
    said: Sequence[ModeSpan],
    *,
    devices: Sequence[object] = (FW,),
    tried: Sequence[Tried] = (),
) -> list[tuple[float, CoverageState, str]]:
    found: Coverage = role_coverage(
        looks, DAY_LONG, devices=devices, modes={"company": said}, tried={"company": tried}, now=NOW, freshness=FRESH,
    )["company"]  # fmt: skip
    assert found.spans[0].window.start == DAY_LONG.start
    assert found.spans[-1].window.end == DAY_LONG.end
    return [((span.window.start - DAY.start) / timedelta(hours=1), span.state, span.cause) for span in found.spans]


def test_a_role_that_was_off_is_off_while_another_keeps_the_site_enforced() -> None:
    looks = quarters(E)
    assert told(looks, ALWAYS) == [(0, E, "")]
    assert told(looks, (mode(-1, 4, Mode.OFF),)) == [(0, OFF, "")]
    assert told(looks, (mode(-1, 4, Mode.MONITOR),)) == [(0, M, "")]
    assert told(looks, FROM_TWO) == [(0, OFF, ""), (2, E, "")], "a run at the edge"


def test_i13_a_change_is_unknown_until_a_run_followed_it() -> None:
    between = [one for one in quarters(E) if one.at != at(2)]
    assert told(between, FROM_TWO) == [(0, OFF, ""), (2, U, NOT_FOLLOWED), (2.25, E, "")]
    held = [look(h, E, E, "TG6001 a guard holds it") if 2 <= h < 3 else look(h, E, E) for h in map(_hour, quarters(E))]
    assert told(held, FROM_TWO) == [(0, OFF, ""), (2, U, NOT_FOLLOWED), (3, E, "")], (
        "a run that was held followed nothing"
    )
    repaired = [look(h, N, E, "by hand") if h == 2 else look(h, E, E) for h in map(_hour, quarters(E))]
    assert told(repaired, FROM_TWO)[-1] == (2, E, "")
    assert told(quarters(E, first=0.5), ALWAYS)[0] == (0, U, "nobody looked at it")


def _hour(one: Observation) -> float:
    return (one.at - DAY.start) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "said", "wanted"),
    [
        pytest.param(P, Mode.ENFORCE, P, id="in-part"),
        pytest.param(P, Mode.MONITOR, M, id="watched-beside-one-in-part"),
        pytest.param(M, Mode.ENFORCE, M, id="no-more-than-was-proven"),
        pytest.param(N, Mode.OFF, N, id="found-otherwise"),
        pytest.param(E, None, U, id="policy-not-known"),
    ],
)
def test_neither_the_policy_nor_the_proof_alone_is_believed(
    state: CoverageState, said: Mode | None, wanted: CoverageState
) -> None:
    assert [one[1] for one in told(quarters(state), (mode(-1, 4, said, "not kept"),))] == [wanted]


def test_the_worst_device_and_a_leak_of_that_role_decide() -> None:
    looks = [*quarters(E), *(look(_hour(one), M, M, device=SECOND_FW) for one in quarters(E))]
    assert told(looks, ALWAYS, devices=(FW, SECOND_FW)) == [(0, M, "")]
    leak = Tried(at=at(1), path="tcp from company", leaks=True, cause="passes")
    shut = Tried(at=at(1.25), path="tcp from company", leaks=False)
    assert told(quarters(E), ALWAYS, tried=(leak, shut)) == [(0, E, ""), (1, N, "passes"), (1.25, E, "")]
