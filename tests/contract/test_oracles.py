"""Each firewall's own oracle against what that firewall really does: asked over SSH, changing nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any, Final

import pytest

from tests.contract.emulated import CLIENTS, MORE, ORDINARY, TIKTOK, WAYS, EmulatedRig, Heard, wish
from tests.contract.test_emulated import RIGS
from vendors.oracle import Answer, Answered, Oracle, Question

MEMBER: Final = "192.0.2.9"
"""In the network that hands take out of the list."""


@pytest.fixture(params=RIGS, ids=lambda rig: rig.vendor)
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedRig]:
    made: EmulatedRig = request.param()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", made.password)
    with made.serving():
        yield made


def asked(rig: EmulatedRig, *questions: Question, ways: Sequence[object] = ()) -> tuple[Answer, ...]:
    oracle = rig.adapter(oracle=ways or WAYS[rig.vendor])
    assert isinstance(oracle, Oracle)
    with rig.session() as session:
        return oracle.ask(session, questions)


def question(role: str = "company", destination: str = TIKTOK, **more: Any) -> Question:
    return Question(source=ip_address(CLIENTS[role]), destination=ip_address(destination), **more)


def test_it_tells_our_rule_another_and_none(rig: EmulatedRig) -> None:
    before = asked(rig, question())
    assert [each.said for each in before] == [Answered.PASSES], "nothing is pushed yet"
    rig.push(wish(exempt=("10.0.1.64/26",)))
    excepted = dataclasses.replace(question(), source=ip_address("10.0.1.70"))
    found = asked(rig, question(), question(protocol="udp"), question(destination=ORDINARY), excepted)
    assert [each.said for each in found] == [Answered.OURS, Answered.OURS, Answered.PASSES, Answered.PASSES]
    assert "tokgate-" in found[0].rule
    (telnet,) = asked(rig, question(destination=ORDINARY, port=23))
    assert telnet.said is Answered.OTHER


def test_a_source_that_no_way_is_known_for_is_not_asked(rig: EmulatedRig) -> None:
    (found,) = asked(rig, question(), ways=[{**WAYS[rig.vendor][0], "sources": ["10.9.0.0/16"]}])
    assert found.said is Answered.UNKNOWN
    assert found.words.startswith("not asked")


def test_a_place_that_is_not_there_proves_no_block(rig: EmulatedRig) -> None:
    rig.push(wish())
    (found,) = asked(rig, question(), ways=[{"inside": "nowhere", "outside": "nowhere"}])
    assert found.said is not Answered.OURS
    assert found.said is not Answered.PASSES


def test_the_doctor_tries_it(rig: EmulatedRig) -> None:
    oracle = rig.adapter(oracle=WAYS[rig.vendor])
    assert isinstance(oracle, Oracle)
    with rig.session() as session:
        told = oracle.may_ask(session)
    assert (told.check, told.ok) == ("oracle", True)


def test_i01_asking_changes_nothing(rig: EmulatedRig) -> None:
    rig.push(wish())
    before, rig.device.faults = rig.configuration(), Heard()
    asked(rig, question(), question("marketing"))
    assert rig.configuration() == before
    assert rig.holds(wish())


TURNING: Final = (
    "moved",
    "turned",
    "lets pass",
    "allows",
    "deleted",
    "gone",
    "taken out",
    "deactivated",
    "narrowed",
    "off",
)


def test_whatever_a_hand_did_it_says_what_the_firewall_does(rig: EmulatedRig) -> None:
    """Above all: a rule in the wrong place lets pass, and is told as that."""
    leaks = set()
    for name, lines in rig.hands().items():
        if not name.endswith(TURNING):
            continue
        rig.push(wish(members=MORE))
        rig.typed(lines)
        for destination in (TIKTOK, MEMBER):
            (found,) = asked(rig, question(destination=destination))
            passes = rig.passes("company", destination)
            assert (found.said is Answered.PASSES) is passes, (name, destination, found)
            leaks |= {name} if passes else set()
    assert any("moved" in name or "above" in name for name in leaks), leaks
    assert len(leaks) >= 2
