"""A leak through one hole in a long list: one episode for as long as it stands, over once that very hole is closed; and
what is no leak: a device that has yet to be brought to its state, and what it has no room for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path as File
from typing import Any, Final

import pytest

from controller.coverage_desk import tried_of
from controller.evidence.model import Episode, EpisodeKind
from controller.model import HeldPart, Window
from controller.proof import desk
from controller.proof.desk import BEHIND
from controller.proof.matrix import AGAIN, NOT_DENIED, folded, owed, unless_moot
from controller.proof.model import Expected, Path, Proof, ProofCell, ProofState
from controller.proof.probing import NOT_AGAIN, OTHER_POLICY, Control, ProbeReport, Tried
from controller.proof.sampling import MOST, samples
from controller.service import Controller
from controller.settings import Settings
from controller.store import EpisodeQuery
from controller.sync import Worker
from core.clock import ManualClock
from core.ids import SiteName, new_id
from core.net import Address
from ipsets.snapshot import content_id
from tests.controller.offices import NOON, YAML, an_exception, snapshot
from tests.controller.proving import brought_to_its_state, proof
from vendors.model import Action, AddressGroup, Desired, GroupName, Rule, RuleName
from vendors.oracle import Answer, Answered, Question

MINUTE: Final = timedelta(minutes=1)
LIST: Final = tuple(f"16.162.{2 * at}.0/24" for at in range(100))
HOLE: Final = ip_network("16.162.50.0/24")
SOURCE: Final = ip_address("10.20.3.7")
BERLIN: Final = SiteName("berlin")
FW: Final = "fw-berlin"


def listed(controller: Controller, *networks: str) -> None:
    made = snapshot(*networks)
    made = replace(made, id=content_id(made.services))
    controller.store.save_snapshot(made)
    controller.store.set_current(made.id)


@dataclass
class Firewall:
    """Blocks all but the hole. What it was asked is kept."""

    holes: set[Any] = field(default_factory=lambda: {HOLE})
    asked: list[Question] = field(default_factory=list)
    asks: bool = True

    def ask(self, session: object, questions: Sequence[Question]) -> tuple[Answer, ...]:
        self.asked = list(questions)
        return tuple(Answer(question=each, said=self.says(each.destination), words="w") for each in questions)

    def says(self, target: Address) -> Answered:
        return Answered.PASSES if any(target in hole for hole in self.holes) else Answered.OURS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def controller(tmp_path: File, clock: ManualClock) -> Iterator[Controller]:
    (tmp_path / "inventory.yaml").write_text(YAML, encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path / "data", workers=1)
    with Controller.open(settings, clock=clock) as opened:
        listed(opened, *LIST)
        brought_to_its_state(opened, FW)
        yield opened


@pytest.fixture
def firewall(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> Firewall:
    made = Firewall()

    @contextlib.contextmanager
    def session(*_: object) -> Iterator[tuple[None, None]]:
        yield None, None

    monkeypatch.setattr(Worker, "session", session)
    monkeypatch.setattr(desk, "oracle_of", lambda _: made)
    return made


def leaks(controller: Controller) -> list[Episode]:
    return list(controller.store.episodes(EpisodeQuery(kinds=frozenset({EpisodeKind.LEAK}))).items)


def is_over(leak: Episode) -> bool:
    return any(ground.text.startswith("over: ") for ground in leak.grounds)


def field_of(controller: Controller, path: Path = Path.TCP) -> ProofCell:
    return next(cell for cell in controller.proofs.matrix("berlin") if cell.path is path and cell.role == "company")


# --- firewalls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked_between", [True, False])
def test_a_leak_of_a_clock_that_was_ahead_comes_to_no_time_that_is_yet_to_come(
    controller: Controller, clock: ManualClock, firewall: Firewall, *, asked_between: bool
) -> None:
    device = controller.inventory.device(FW)
    firewall.holes = {ip_network("0.0.0.0/0")}
    clock.jump(NOON + timedelta(hours=2))
    controller.proofs.prove(device)
    clock.jump(NOON + MINUTE)
    if asked_between:
        controller.proofs.prove(device)
        assert field_of(controller).since < clock.now()
        for leak in leaks(controller):
            assert leak.window.start < leak.window.end
            assert f"{NOON + MINUTE - timedelta.resolution:%Y-%m-%d %H:%M}" in leak.grounds[0].text
    clock.advance(MINUTE)
    firewall.holes = set()
    controller.proofs.prove(device)
    assert field_of(controller).state is ProofState.BLOCKED
    for leak in leaks(controller):
        assert is_over(leak)
        assert leak.window.start < leak.window.end <= clock.now() + timedelta.resolution
    now = clock.now()
    clock.jump(NOON + timedelta(hours=3))
    tried = controller.coverage.tried(BERLIN, Window(NOON, clock.now()))
    assert max(one.at for one in tried) <= now
    assert {one.path: one.leaks for one in tried} == {one.path: False for one in tried}, (
        "the last word is that it is blocked"
    )


def test_an_answer_that_is_not_understood_is_told_as_one_that_proves_nothing(
    controller: Controller, firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Firewall, "says", lambda *_: Answered.UNKNOWN)
    controller.proofs.prove(controller.inventory.device(FW))
    cell = field_of(controller)
    assert (cell.state, cell.words) == (ProofState.UNKNOWN, "proves nothing: w")


def test_what_leaked_is_asked_again_and_other_entries_that_are_blocked_end_no_leak(
    controller: Controller, clock: ManualClock, firewall: Firewall
) -> None:
    device = controller.inventory.device(FW)
    for _ in range(200):  # two of a hundred entries at a time
        controller.proofs.prove(device)
        clock.advance(MINUTE)
        if leaks(controller):
            break
    first = {leak.id for leak in leaks(controller)}
    assert len(first) == 2, "by TCP and by QUIC"
    for _ in range(20):
        controller.proofs.prove(device)
        assert sum(question.destination in HOLE for question in firewall.asked) >= 2
        clock.advance(MINUTE)
    assert {leak.id for leak in leaks(controller)} == first
    assert not any(map(is_over, leaks(controller)))
    assert field_of(controller).state is ProofState.LEAKING
    firewall.holes.clear()
    controller.proofs.prove(device)
    assert {leak.id for leak in leaks(controller)} == first
    assert all(map(is_over, leaks(controller))), "at once"
    assert field_of(controller).state is ProofState.BLOCKED
    controller.proofs.prove(device)
    assert len(firewall.asked) <= 8, "nothing is owed any more"


def test_what_leaked_is_asked_no_more_when_nobody_wants_it_blocked(
    controller: Controller, clock: ManualClock, firewall: Firewall
) -> None:
    device = controller.inventory.device(FW)
    firewall.holes.add(ip_network("0.0.0.0/0"))
    controller.proofs.prove(device)
    assert field_of(controller).leak is not None
    listed(controller, "71.18.0.0/16")
    brought_to_its_state(controller, FW)
    firewall.holes.clear()
    controller.proofs.prove(device)
    assert {question.destination in ip_network("71.18.0.0/16") for question in firewall.asked} == {True}
    assert all(map(is_over, leaks(controller)))


def test_a_newer_list_that_is_not_pushed_yet_hides_no_leak_of_the_one_that_is_held(
    controller: Controller, clock: ManualClock, firewall: Firewall
) -> None:
    """As during a freeze, which may take weeks."""
    firewall.holes.add(ip_network("0.0.0.0/0"))
    listed(controller, *LIST, "71.18.0.0/16")
    controller.proofs.prove(controller.inventory.device(FW))
    assert not any(question.destination in ip_network("71.18.0.0/16") for question in firewall.asked)
    assert field_of(controller).state is ProofState.LEAKING


def test_a_firewall_is_asked_about_the_part_that_it_was_left_with(
    controller: Controller, clock: ManualClock, firewall: Firewall
) -> None:
    """Whatever its room is known from; what was left out is the coverage's to tell."""
    brought_to_its_state(controller, FW, parts=(HeldPart(group="dst-tiktok", kept=1, networks=len(LIST)),))
    kept = set[Any]()
    for _ in range(20):
        controller.proofs.prove(controller.inventory.device(FW))
        kept |= {network for network in LIST for q in firewall.asked if q.destination in ip_network(network)}
        told = {one for one in controller.proofs.targets("berlin") if one[0].isdigit()}
        assert told
        kept |= {network for network in LIST for one in told if ip_address(one) in ip_network(network)}
        clock.advance(timedelta(hours=1) / 4)
    assert len(kept) == 1


def test_of_many_roles_each_has_its_turn() -> None:
    members = frozenset(map(ip_network, LIST))
    sources = [
        AddressGroup(name=GroupName(f"src-r{n}"), members=frozenset({ip_network(f"10.{n}.0.0/16")})) for n in range(20)
    ]
    rules = tuple(
        Rule(
            name=RuleName(f"deny-r{n}"),
            action=Action.DENY,
            sources=sources[n].name,
            destinations=(GroupName("dst-tiktok"),),
        )
        for n in range(20)
    )
    groups = (*sources, AddressGroup(name=GroupName("dst-tiktok"), members=members))
    desired = Desired(groups=groups, rules=rules, owner="o", snapshot="s")
    few = replace(desired, rules=rules[:10])
    assert {sample.role for sample in samples(few, seed="a")} == {f"r{n}" for n in range(10)}
    assert {len(samples(desired, seed=seed)) for seed in "abc"} == {MOST}
    turns = {sample.role for n in range(40) for sample in samples(desired, seed=str(n))}
    assert turns == {f"r{n}" for n in range(20)}


def test_behind_the_edge_of_a_window_nothing_leaks_and_the_leak_goes_on_in_the_next_one(
    controller: Controller, clock: ManualClock, firewall: Firewall
) -> None:
    device = controller.inventory.device(FW)
    firewall.holes = {ip_network("0.0.0.0/0")}
    controller.proofs.prove(device)
    assert field_of(controller).state is ProofState.LEAKING
    clock.jump(NOON + timedelta(hours=6))  # 18:00 in Berlin
    cell = field_of(controller)
    assert (cell.state, cell.words) == (ProofState.UNKNOWN, NOT_DENIED)
    assert controller.proofs.leaks() == ()
    assert [check.ok for check in controller.proofs.checks()] == [True]
    assert not any(map(is_over, leaks(controller))), "nobody saw that it ended"
    clock.jump(NOON + timedelta(hours=21))  # nobody asked since
    assert field_of(controller).state is ProofState.LEAKING


@pytest.mark.parametrize(
    ("cell", "denied", "state"),
    [
        ("leaking", {"company"}, "leaking"),
        ("leaking", {"guest"}, "unknown"),
        ("leaking", None, "leaking"),
        ("blocked", set(), "blocked"),
    ],
)
def test_what_leaks_does_so_only_while_somebody_wants_it_blocked(
    cell: str, denied: set[str] | None, state: str
) -> None:
    made, _ = folded({}, [proof(NOON, state=ProofState(cell))])
    assert unless_moot(made[0], denied).state == state


def test_an_exception_has_fields_only_while_it_lets_somebody_pass(controller: Controller, clock: ManualClock) -> None:
    over = an_exception("10.20.3.7/32")
    controller.store.add_exception(over)
    excepted = {"role": "", "exception": over.id, "expected": Expected.PASS}
    controller.store.record_proofs("r1", [proof(NOON), proof(NOON, Answered.OTHER, **excepted)])
    assert [cell.state for cell in controller.proofs.matrix()] == [ProofState.CLOSED, ProofState.BLOCKED]
    clock.jump(over.ends)
    assert [cell.exception for cell in controller.proofs.matrix()] == [None]


# --- probes -----------------------------------------------------------------------------------------------------------


def brought(
    controller: Controller,
    *tries: tuple[str, Answered],
    began: timedelta = -MINUTE,
    ended: timedelta = timedelta(),
    silent: bool = False,
) -> list[Proof]:
    """By TCP, from a host of the company beside a control that answered."""
    now = controller.clock.now()
    report = ProbeReport(
        round=new_id(),
        site=BERLIN,
        host="printer-3",
        began=now + began,
        ended=now + ended,
        results=tuple(
            Tried(
                path=Path.TCP,
                source=SOURCE,
                target=to,
                address=ip_address(to),
                verdict=verdict,
                why="w",
                silent=silent,
            )
            for to, verdict in tries
        ),
        controls=(Control(path=Path.TCP, source=SOURCE, target="www.example.com", reached=True),),
    )
    return list(controller.proofs.take(report))


PASSES, BLOCKED = Answered.PASSES, Answered.BLOCKED


def test_a_probe_that_tries_other_entries_ends_no_leak_and_is_told_what_to_try_again(
    controller: Controller, clock: ManualClock
) -> None:
    brought(controller, ("16.162.50.1", PASSES), ("16.162.0.1", BLOCKED))
    (leak,) = leaks(controller)
    clock.advance(timedelta(hours=1))
    assert controller.proofs.targets("berlin")[0] == "16.162.50.1"
    said = brought(controller, ("16.162.2.1", BLOCKED))
    assert [(found.target, found.state, found.words) for found in said] == [
        ("16.162.2.1", ProofState.BLOCKED, "w"),
        ("16.162.50.1", ProofState.UNKNOWN, NOT_AGAIN),
    ]
    assert (field_of(controller).state, field_of(controller).leak) == (ProofState.UNKNOWN, leak.id)
    tried = controller.coverage.tried(BERLIN, Window(NOON, clock.now()))
    assert [one.leaks for one in tried] == [True], "nor is it over for the coverage"
    brought(controller, ("16.162.50.1", PASSES))
    assert [one.id for one in leaks(controller)] == [leak.id]
    brought(controller, ("16.162.50.1", BLOCKED), ("16.162.2.1", BLOCKED))
    (over,) = leaks(controller)
    assert (over.id, is_over(over)) == (leak.id, True)


def test_what_leaked_last_is_owed_until_it_was_blocked() -> None:
    open_ = replace(_cell(), leak=proof(NOON).id)
    told = [
        proof(NOON + at * MINUTE, said, target=f"103.136.220.{target}")
        for at, said, target in (
            (0, PASSES, 1),
            (1, PASSES, 2),
            (2, PASSES, 3),
            (3, PASSES, 4),
            (4, Answered.UNKNOWN, 4),
            (5, BLOCKED, 3),
        )
    ]
    assert [one.target[-1] for one in owed([open_], told)] == ["4", "2"]
    assert AGAIN == 2
    assert list(owed([_cell()], told)) == [], "no leak is open"


def _cell() -> ProofCell:
    ((cell,), _) = folded({}, [proof(NOON)])
    return cell


def test_i13_a_round_of_which_a_part_is_unknown_ends_no_leak_for_the_coverage() -> None:
    def each(*said: Answered) -> list[Proof]:
        return [
            proof(NOON + at * MINUTE, one, round=f"r{at}", target=f"103.136.220.{number}")
            for at, both in enumerate((said[:1], said[1:]))
            for number, one in enumerate(both)
        ]

    assert [one.leaks for one in tried_of(each(PASSES, BLOCKED, Answered.UNKNOWN))] == [True]
    assert [one.leaks for one in tried_of(each(PASSES, BLOCKED, BLOCKED))] == [True, False]


Change = Callable[[Controller], None]


def _not_yet(controller: Controller) -> None:
    brought_to_its_state(controller, FW, mode="company=monitor, guest=monitor")


def _never(controller: Controller) -> None:
    brought_to_its_state(controller, FW, snapshot=None, mode=None)


@pytest.mark.parametrize("change", [_not_yet, _never])
def test_a_device_that_has_yet_to_be_brought_to_its_state_is_not_said_to_leak_by_a_probe_either(
    controller: Controller, change: Change
) -> None:
    change(controller)
    (found,) = brought(controller, ("16.162.50.1", PASSES))
    assert (found.state, found.words) == (ProofState.UNKNOWN, BEHIND)
    assert leaks(controller) == []
    (found,) = brought(controller, ("16.162.50.1", BLOCKED))
    assert found.state is ProofState.BLOCKED


def test_where_that_was_tried_and_failed_it_is(controller: Controller) -> None:
    brought_to_its_state(controller, FW, mode="company=monitor", error_code="TG3001", error="it does not answer")
    (found,) = brought(controller, ("16.162.50.1", PASSES))
    assert found.state is ProofState.LEAKING


def test_a_probe_is_judged_by_the_list_that_the_site_holds(controller: Controller) -> None:
    listed(controller, *LIST, "71.18.0.0/16")
    assert brought(controller, ("71.18.6.1", PASSES)) == [], "nobody pushed that yet"
    (found,) = brought(controller, ("16.162.50.1", PASSES))
    assert found.state is ProofState.LEAKING


@pytest.mark.parametrize(
    ("at", "shift", "count"),
    [
        (NOON.replace(hour=6, minute=58), 4, 0),  # nothing is to be blocked yet, and the host says 08:02
        (NOON.replace(hour=17, minute=2), -4, 1),  # nothing is any more, and the host says 17:58
        (NOON.replace(hour=7, minute=2), 0, 1),
    ],
)
def test_a_clock_that_is_a_little_wrong_makes_no_leak_at_the_edge_of_a_window(
    controller: Controller, clock: ManualClock, at: datetime, shift: int, count: int
) -> None:
    """In Berlin all is blocked from eight to six; the host that tried knows the time by minutes alone."""
    clock.jump(at)
    brought_to_its_state(controller, FW)
    found = brought(controller, ("16.162.50.1", PASSES), began=(shift - 1) * MINUTE, ended=shift * MINUTE)
    assert [(one.state, one.words) for one in found] == [(ProofState.UNKNOWN, OTHER_POLICY)] * count
    assert leaks(controller) == []


def test_what_answered_an_excepted_source_is_tried_again_and_its_silence_counts(
    controller: Controller, clock: ManualClock
) -> None:
    brought(controller, ("16.162.50.1", PASSES))
    brought(controller, ("16.162.50.1", BLOCKED))
    clock.advance(timedelta(days=2))
    brought_to_its_state(controller, FW)
    assert "16.162.50.1" in controller.proofs.targets("berlin"), "not owed, but known to answer"
    assert [one.state for one in brought(controller, ("16.162.50.1", BLOCKED), silent=True)] == [ProofState.BLOCKED]
    assert [one.state for one in brought(controller, ("16.162.2.1", BLOCKED), silent=True)] == [ProofState.UNKNOWN]
    clock.advance(timedelta(days=33))
    brought_to_its_state(controller, FW)
    assert "16.162.50.1" not in controller.proofs.targets("berlin")
