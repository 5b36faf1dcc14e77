"""What two readings prove: never negative, never twice, exact where nothing restarted, a lower bound where it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.detect import LIVE_DNS, DetectContext, detect
from controller.model import DetectionEvent, EventAction, Quality
from core.ids import DeviceName, EventId, ExceptionId, SiteName, SnapshotId
from vendors.model import Action, FlowCount, Reading, RuleCount, RuleName, UnitCount

T0 = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
T1 = T0 + timedelta(minutes=5)
DENY, MONITOR, EXEMPT = RuleName("deny-company"), RuleName("mon-guest"), RuleName("exc-01hz")
ACTIONS = {DENY: Action.DENY, MONITOR: Action.MONITOR, EXEMPT: Action.EXEMPT}


def context(created_at: datetime | None = None) -> DetectContext:
    return DetectContext(
        site=SiteName("berlin"),
        device=DeviceName("fw-berlin"),
        roles={DENY: "company", MONITOR: "guest"},
        exceptions={EXEMPT: ExceptionId("01hz")},
        sources={
            EXEMPT: (ip_network("10.20.1.7/32"),),
            DENY: (ip_network("10.20.0.0/16"),),
            MONITOR: (ip_network("10.21.0.0/16"),),
        },
        snapshot=SnapshotId("ab"),
        members=(ip_network("103.136.220.0/23"), ip_network("2605:340::/32")),
        created_at=created_at,
    )


def rule(name: RuleName = DENY, hits: int | None = 0, *, epoch: str = "1", packets: int | None = None) -> RuleCount:
    seen = hits if packets is None else packets
    octets = None if seen is None else seen * 60
    return RuleCount(rule=name, action=ACTIONS[name], epoch=epoch, hits=hits, packets=seen, octets=octets)


def reading(*rules: RuleCount, at: datetime = T0, epoch: str = "e", flows: tuple[FlowCount, ...] = ()) -> Reading:
    return Reading(epoch=epoch, read_at=at, rules=rules, flows=flows)


def flow(source: str, destination: str, packets: int, action: Action = Action.DENY) -> FlowCount:
    return FlowCount(
        action=action,
        source=ip_address(source),
        destination=ip_address(destination),
        packets=packets,
        octets=packets * 60,
        last_seen=T1,
    )


def found(before: Reading | None, after: Reading, created_at: datetime | None = None) -> tuple[DetectionEvent, ...]:
    numbers = count()
    return detect(before, after, context=context(created_at), new_id=lambda: EventId(str(next(numbers))))


def test_a_first_reading_is_only_a_baseline() -> None:
    assert found(None, reading(rule(hits=5))) == ()


def test_counters_that_we_made_count_from_their_making() -> None:
    (event,) = found(None, reading(rule(hits=5), at=T1), created_at=T0)
    assert (event.hits, event.window.start, event.quality) == (5, T0, Quality.EXACT)


def test_the_difference_is_the_event() -> None:
    (event,) = found(reading(rule(hits=5)), reading(rule(hits=9), at=T1))
    assert (event.hits, event.packets, event.octets) == (4, 4, 240)
    assert (event.window.start, event.window.end, event.quality) == (T0, T1, Quality.EXACT)
    assert (event.action, event.role, event.exception) == (EventAction.BLOCKED, "company", None)


def test_nothing_new_is_no_event() -> None:
    assert found(reading(rule(hits=5)), reading(rule(hits=5), at=T1)) == ()


@pytest.mark.parametrize(
    ("before", "after", "hits", "quality"),
    [
        pytest.param(reading(rule(hits=9)), reading(rule(hits=3), at=T1), 3, Quality.AT_LEAST, id="reset"),
        pytest.param(
            reading(rule(hits=2)), reading(rule(hits=3, epoch="2"), at=T1), 3, Quality.AT_LEAST, id="rule-re-created"
        ),
        pytest.param(
            reading(rule(hits=2)), reading(rule(hits=3), at=T1, epoch="f"), 3, Quality.AT_LEAST, id="rebooted"
        ),
        pytest.param(reading(), reading(rule(hits=3), at=T1), 3, Quality.EXACT, id="new-rule"),
        pytest.param(
            reading(rule(hits=9, packets=20)),
            reading(rule(hits=9, packets=4), at=T1),
            0,
            Quality.AT_LEAST,
            id="one-of-its-counters-went-back",
        ),
    ],
)
def test_i11_a_restart_is_noticed(before: Reading, after: Reading, hits: int, quality: Quality) -> None:
    (event,) = found(before, after)
    assert (event.hits, event.quality) == (hits, quality)


def test_i11_a_counter_that_a_hand_reset_makes_the_others_count_nothing_twice() -> None:
    """``nft reset counter`` takes one counter: the hundred hits of before were told before."""
    (event,) = found(reading(rule(hits=100, packets=500)), reading(rule(hits=101, packets=10), at=T1))
    assert (event.hits, event.packets, event.quality) == (1, 10, Quality.AT_LEAST)
    (event,) = found(reading(rule(hits=100, packets=500)), reading(rule(hits=1, packets=510), at=T1))
    assert (event.hits, event.packets, event.quality) == (1, 10, Quality.AT_LEAST)


def test_a_re_created_table_counts_exactly_from_its_making() -> None:
    """The baseline is of the old table; we made the new one, so nothing of it is missing."""
    (event,) = found(
        reading(rule(hits=2)), reading(rule(hits=3), at=T1, epoch="f"), created_at=T0 + timedelta(minutes=2)
    )
    assert (event.hits, event.window.start) == (3, T0 + timedelta(minutes=2))


def test_a_rule_that_went_is_not_an_event() -> None:
    assert found(reading(rule(hits=5)), reading(at=T1)) == ()


@pytest.mark.parametrize("back", [timedelta(0), timedelta(minutes=1), timedelta(days=3650)])
def test_a_clock_that_was_set_back_leaves_a_window_that_is_not_empty(back: timedelta) -> None:
    (event,) = found(reading(rule(hits=5)), reading(rule(hits=6), at=T0 - back))
    assert event.window.start < event.window.end == T0 - back
    assert event.quality is Quality.AT_LEAST


def test_unknown_stays_unknown() -> None:
    """A vendor that does not count hits: None is not zero."""
    before, after = rule(hits=None, packets=1), rule(hits=None, packets=4)
    (event,) = found(reading(before), reading(after, at=T1))
    assert (event.hits, event.packets) == (None, 3)


def test_who_it_was_and_which_entry() -> None:
    before = reading(rule(hits=0), flows=(flow("10.20.3.4", "103.136.220.9", 2),))
    after = reading(
        rule(hits=7),
        rule(EXEMPT, hits=1),
        at=T1,
        flows=(
            flow("10.20.3.4", "103.136.220.9", 5),
            flow("10.20.3.5", "92.122.1.1", 3),
            flow("10.20.1.7", "103.136.220.9", 1, Action.EXEMPT),
            flow("10.99.0.1", "103.136.220.9", 8),
        ),
    )
    blocked, allowed = found(before, after)
    assert [(str(s.source), s.packets) for s in blocked.sources] == [("10.20.3.4", 3), ("10.20.3.5", 3)]
    assert {e.entry: e.packets for e in blocked.entries} == {"103.136.220.0/23": 3, LIVE_DNS: 3}
    assert (allowed.action, allowed.exception) == (EventAction.ALLOWED, "01hz")
    assert [str(s.source) for s in allowed.sources] == ["10.20.1.7"]


def test_a_pair_that_expired_and_came_again_counts_from_zero() -> None:
    before = reading(rule(hits=5), flows=(flow("10.20.3.4", "103.136.220.9", 50),))
    (event,) = found(before, reading(rule(hits=6), at=T1, flows=(flow("10.20.3.4", "103.136.220.9", 1),)))
    assert [s.packets for s in event.sources] == [1]


def test_a_full_capture_is_said() -> None:
    after = Reading(epoch="e", read_at=T1, rules=(rule(hits=1),), flows_truncated=True)
    (event,) = found(reading(rule(hits=0)), after)
    assert event.sources_truncated


# --- against a device whose truth is known --------------------------------------------------------------------------

STORIES = st.lists(
    st.one_of(
        st.tuples(st.just("traffic"), st.integers(1, 50)),
        st.tuples(st.just("poll"), st.just(0)),
        st.tuples(st.just("lost-poll"), st.just(0)),
        st.tuples(st.just("reset"), st.just(0)),
        st.tuples(st.just("reboot"), st.just(0)),
        st.tuples(st.just("re-create"), st.just(0)),
    ),
    max_size=40,
)


@given(STORIES)
def test_i11_events_never_exceed_the_truth_and_equal_it_without_restarts(story: list[tuple[str, int]]) -> None:
    """P14: whatever the device and the polls do, the sum of all events is at most what happened."""
    truth = counted = 0
    value, boots, made, at = 0, 0, 0, T0
    before = reading(rule(hits=0, epoch="0"), epoch="0", at=at)
    keys, sums = set(), 0
    lost = 0
    for what, amount in [*story, ("poll", 0)]:
        at += timedelta(seconds=1)
        match what:
            case "traffic":
                truth, value, counted = truth + amount, value + amount, counted + amount
            case "poll":
                after = reading(rule(hits=value, epoch=str(made)), epoch=str(boots), at=at)
                for event in found(before, after):
                    key = (event.rule, event.window)
                    assert key not in keys
                    keys.add(key)
                    assert (event.hits or 0) > 0
                    sums += event.hits or 0
                before, counted = after, 0
            case "reset":
                lost, value, counted = lost + counted, 0, 0
            case "reboot":
                lost, value, boots, counted = lost + counted, 0, boots + 1, 0
            case "re-create":
                lost, value, made, counted = lost + counted, 0, made + 1, 0
    assert sums <= truth
    if not any(what in ("reset", "reboot", "re-create") for what, _ in story):
        assert sums == truth
    assert truth - sums <= lost or _hidden_reset(story)


def _hidden_reset(story: list[tuple[str, int]]) -> bool:
    """A counter that was reset and has passed its old value again looks like one that went on."""
    return any(what == "reset" for what, _ in story)


# --- clusters whose nodes count for themselves ------------------------------------------------------------------------


def nodes(**hits: tuple[str, int]) -> RuleCount:
    """By node: since when it is up, and what it counted since."""
    units = tuple(UnitCount(unit=name, epoch=epoch, hits=count) for name, (epoch, count) in sorted(hits.items()))
    total = sum(unit.hits for unit in units)
    return RuleCount(rule=DENY, action=Action.DENY, epoch="", hits=total, packets=None, octets=None, units=units)


@pytest.mark.parametrize(
    ("before", "after", "hits", "quality"),
    [
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("1", 95), "b": ("1", 9)}, 7, Quality.EXACT, id="both-up"),
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("1", 95), "b": ("2", 3)}, 8, Quality.AT_LEAST,
                     id="one-booted"),
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("1", 95), "b": ("2", 12)}, 17, Quality.AT_LEAST,
                     id="one-booted-and-counted-more"),
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("1", 95)}, 5, Quality.AT_LEAST, id="one-down"),
        pytest.param({"a": ("1", 90)}, {"a": ("1", 95), "b": ("1", 7)}, 5, Quality.AT_LEAST, id="one-back"),
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("1", 4), "b": ("1", 9)}, 6, Quality.AT_LEAST, id="zero"),
        pytest.param({"a": ("1", 90), "b": ("1", 7)}, {"a": ("2", 0), "b": ("2", 1)}, 1, Quality.AT_LEAST, id="power"),
    ],
)  # fmt: skip
def test_i11_a_node_that_goes_down_alone_has_the_others_told_once(
    before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]], hits: int, quality: Quality
) -> None:
    (event,) = found(reading(nodes(**before)), reading(nodes(**after), at=T1))
    assert (event.hits, event.quality) == (hits, quality)


def test_i11_a_counter_that_becomes_one_of_two_goes_on_and_back_again() -> None:
    """Where one rule of ours is two on the device from now on, and neither starts anew."""
    alone = replace(nodes(), epoch="1", hits=90, units=())
    (event,) = found(reading(alone), reading(nodes(a=("1", 95), b=("2", 4)), at=T1))
    assert (event.hits, event.quality) == (5, Quality.AT_LEAST)
    (event,) = found(reading(nodes(a=("1", 90), b=("2", 7))), reading(replace(alone, hits=95), at=T1))
    assert (event.hits, event.quality) == (5, Quality.AT_LEAST)
    (event,) = found(reading(alone), reading(nodes(a=("3", 2), b=("2", 4)), at=T1))
    assert (event.hits, event.quality) == (6, Quality.AT_LEAST), "both were made anew"
