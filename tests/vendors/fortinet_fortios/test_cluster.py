"""Counters of all units of an emulated FortiOS cluster, through the one that answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.detect import DetectContext, detect
from controller.model import DetectionEvent, Quality
from core.clock import SystemClock
from core.ids import DeviceName, EventId, SiteName
from lab.emulators.fortios import FortiGate
from lab.emulators.fortios.switches import Switches
from lab.emulators.server import served
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.fortios import DATA, VDOMS, Keyboard, fortigate
from tests.vendors.fortinet_fortios.fleet import PASSWORD, endpoint, push
from tests.vendors.fortinet_fortios.test_device import RELEASES, STAFF, VIDEO, model, multi
from tests.vendors.fortinet_fortios.wishes import adapter, wish
from vendors.adapter import Session
from vendors.errors import Unreadable
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.fortinet_fortios.cluster import units_from
from vendors.model import Reading
from vendors.session import connect

FIRST, SECOND = "FG100FTK00000001", "FG100FTK00000002"
LOGIN = {"username": "admin", "password": f"secret://env/{PASSWORD}"}
ALL = adapter(cluster=LOGIN)


def pair(**options: object) -> tuple[FortiGate, FortiGate]:
    first, second = fortigate(**options), fortigate(name="FGT2", serial=SECOND, **options)
    first.pair(second)
    return first, second


@contextmanager
def reached(device: FortiGate, said: io.StringIO | None = None) -> Iterator[Session]:
    with (
        served([device]) as places,
        connect(endpoint(places[device.name]), clock=SystemClock(), transcript=said) as session,
    ):
        yield session


def tried(device: FortiGate, times: int = 1, vdom: str = "root") -> None:
    for _ in range(times):
        assert device.forward(Flow(source=STAFF, destination=VIDEO, octets=100), vdom=vdom) is Verdict.DENY


def told(reading: Reading) -> tuple[int | None, int | None, dict[str, int]]:
    (rule,) = reading.rules
    return rule.hits, rule.octets, {unit.unit: unit.hits for unit in rule.units}


def proven(before: Reading, after: Reading) -> list[tuple[int | None, int | None, Quality]]:
    context = DetectContext(
        site=SiteName("hq"), device=DeviceName("fw"), roles={}, exceptions={}, sources={}, snapshot=None
    )
    found: tuple[DetectionEvent, ...] = detect(before, after, context=context, new_id=lambda: EventId("e"))
    return [(event.hits, event.octets, event.quality) for event in found]


@pytest.mark.parametrize("version", RELEASES[1:])
def test_what_every_unit_counted_is_added_and_told_by_unit(version: tuple[int, int, int]) -> None:
    first, second = pair(model=model(version))
    with reached(first) as session:
        push(session, ALL, wish())
        tried(first, 3)
        tried(second, 2)
        reading = ALL.counters(session)
    assert told(reading) == (5, 500, {FIRST: 3, SECOND: 2})
    assert reading.epoch == f"{FIRST}+{SECOND}"


SWITCHES = {
    "by cluster index": Switches(manage_by_cluster_index=True),
    "an older prompt": Switches(manage_long_prompt=False),
    "the role in the prompt": Switches(ha_prompt=True),
}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_nothing_depends_on_what_no_source_settles(switches: Switches) -> None:
    first, second = pair(switches=switches)
    first.index, second.index = 1, 0
    said = io.StringIO()
    with reached(first, said) as session:
        push(session, ALL, wish())
        tried(second)
        assert told(ALL.counters(session)) == (1, 100, {FIRST: 0, SECOND: 1})
    assert "fortinet" not in said.getvalue().replace("fortinet_fortios", ""), "the password is in no transcript"


def test_i11_a_failover_ends_nobodys_counters_and_counts_nothing_twice() -> None:
    first, second = pair()
    with reached(first) as session:
        push(session, ALL, wish())
        tried(first, 3)
        alone = adapter().counters(session)
        before = ALL.counters(session)
        assert proven(alone, before) == [], "that the others are asked from now on proves nothing"
        tried(first)
    first.fail_over()
    tried(second, 2)
    with reached(second) as session:
        after = ALL.counters(session)
    assert told(after) == (6, 600, {FIRST: 4, SECOND: 2})
    assert proven(before, after) == [(3, 300, Quality.EXACT)]


def test_a_unit_that_cannot_be_asked_is_left_out_and_the_rest_is_told_as_a_part() -> None:
    first, second = pair()
    with reached(first) as session:
        push(session, ALL, wish())
        tried(second, 2)
        before = ALL.counters(session)
        tried(first, 3)
        second.access.users["admin"] = "another"
        after = ALL.counters(session)
        assert told(after) == (3, 300, {FIRST: 3})
        assert proven(before, after) == [(3, 300, Quality.AT_LEAST)]
        (finding,) = [one for one in ALL.doctor(session) if one.check == "counters"]
        assert not finding.ok
        assert finding.message.startswith("1 rules count, 3 hits so far, the last at ")
        assert finding.message.endswith(", on 1 of 2 units")
        second.access.users["admin"] = "fortinet"
        tried(second)
        again = ALL.counters(session)
        assert proven(after, again) == [], "what it counted meanwhile is not told of a time that nobody saw"
        (finding,) = [one for one in ALL.doctor(session) if one.check == "counters"]
        assert finding.ok


def test_another_unit_than_the_one_that_was_meant_is_not_believed() -> None:
    first, second = pair()
    third = fortigate(name="FGT2", serial="FG100FTK00000009")
    with reached(first) as session:
        push(session, ALL, wish())
        tried(second, 2)
        first.members = lambda: (first.member(), third.member())  # type: ignore[method-assign]
        assert told(ALL.counters(session)) == (0, 0, {FIRST: 0})


def test_units_of_one_name_and_units_with_vdoms_are_asked_at_the_right_place() -> None:
    device = multi("branch")
    other = fortigate(base=VDOMS, name=device.name, serial=SECOND)
    device.pair(other)
    using: FortinetFortios = adapter(vdom="branch", cluster=LOGIN)
    with reached(device) as session:
        push(session, using, wish())
        tried(device, vdom="branch")
        tried(other, 2, vdom="branch")
        assert told(using.counters(session)) == (3, 300, {FIRST: 1, SECOND: 2})


def test_without_a_login_only_the_unit_that_answers_counts_and_alone_nothing_is_asked() -> None:
    first, second = pair()
    with reached(first) as session:
        push(session, adapter(), wish())
        tried(first)
        tried(second, 2)
        reading = adapter().counters(session)
        assert (reading.rules[0].hits, reading.rules[0].units, reading.epoch) == (1, (), FIRST)
    alone, said = fortigate(), io.StringIO()
    with reached(alone, said) as session:
        push(session, ALL, wish())
        assert ALL.counters(session).rules[0].units == ()
    assert "ha " not in said.getvalue()


@pytest.mark.parametrize(
    ("name", "serials", "indexes"),
    [
        ("get_system_ha_status_5.6.txt", ["FG200Dxxxxxxxxxx", "FG200Dyyyyyyyyyy"], [("1",), ("0",)]),
        ("get_system_ha_status_7.0_hbdev.txt", ["FGT40XXXXXXXXXXX", "FGT40YYYYYYYYYYY"], [("0", "1"), ("1", "0")]),
    ],
)
def test_published_states_name_the_units(name: str, serials: list[str], indexes: list[tuple[str, ...]]) -> None:
    found = units_from((DATA / name).read_text())
    assert ([unit.serial for unit in found], [unit.indexes for unit in found]) == (serials, indexes)
    with pytest.raises(Unreadable):
        units_from("Mode: Standalone\n")


def test_a_visit_is_a_login_of_its_own() -> None:
    first, second = pair()
    keyboard = Keyboard(first)
    assert "Could not manage member 0, num=2." in keyboard.type("execute ha manage 0 admin")
    assert "incomplete command" in keyboard.type("execute ha manage 1")
    keyboard.type("execute ha manage 1 admin")
    assert keyboard.prompt.endswith("admin@169.254.0.2's password: ")
    assert "Permission denied, please try again." in keyboard.type("wrong")
    keyboard.type("fortinet")
    assert keyboard.prompt.strip() == "FGT2 #"
    assert SECOND in keyboard.type("get system status")
    keyboard.type("exit")
    assert keyboard.prompt.strip() == "FGT #"
    second.access.users["admin"] = "another"
    keyboard.type("execute ha manage 1 admin")
    for _ in range(3):
        keyboard.type("fortinet")
    assert keyboard.prompt.strip() == "FGT #"
