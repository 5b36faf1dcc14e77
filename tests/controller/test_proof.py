"""What is asked, what an answer proves, what a round of them comes to, and what a probe is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final

import pytest

from controller.desired import desired_for
from controller.errors import Invalid
from controller.evidence.model import EpisodeKind
from controller.inventory import Inventory
from controller.model import Window
from controller.proof.matrix import aged, folded, worst
from controller.proof.model import By, Expected, Path, Proof, ProofCell, ProofState
from controller.proof.probing import Control, ProbeReport, Tried, proofs_of, refuse_untimely, targets_of
from controller.proof.sampling import deciding, judged, samples
from controller.store import EpisodeQuery, ProofQuery, Store
from controller.store.webhooks import MessageQuery
from controller.webhook_forms import in_form
from controller.webhooks import MessageForm, Webhook
from core.clock import ManualClock
from core.ids import SiteName, new_id
from tests.controller.offices import NIGHT, NOON, an_exception, facts, offices, snapshot
from tests.controller.proving import EXCEPTED, proof, some_proofs
from vendors.model import Action, AddressGroup, Desired
from vendors.oracle import Answered

LISTED: Final = ("103.136.220.0/24", "71.18.0.0/16", "2605:340::/32")
BERLIN: Final = SiteName("berlin")
HOUR: Final = timedelta(hours=1)


@pytest.fixture
def inventory(tmp_path: Any) -> Inventory:
    return offices(tmp_path)


def wanted(inventory: Inventory, *, at: Any = NOON, excepted: bool = True) -> Desired:
    exceptions = (an_exception("10.20.7.0/24"),) if excepted else ()
    known = facts(inventory, of=snapshot(*LISTED), exceptions=exceptions)
    return desired_for(known, inventory.device("fw-berlin"), at)


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_each_question_is_of_a_rule_that_decides_it(inventory: Inventory, seed: str) -> None:
    desired = wanted(inventory)
    members = {g.name: g.members for g in desired.groups if isinstance(g, AddressGroup)}
    found = samples(desired, seed=seed)
    assert {sample.path for sample in found} == {Path.TCP, Path.QUIC, Path.TCP6, Path.QUIC6}
    assert {sample.expected for sample in found} == {Expected.BLOCK, Expected.PASS}
    for sample in found:
        rule = deciding(desired.rules, members, sample.question.source, sample.question.destination)
        assert rule is not None
        assert rule.action is (Action.DENY if sample.expected is Expected.BLOCK else Action.EXEMPT)
        assert any(sample.question.destination in ip_network(text) for text in LISTED)


def test_other_entries_come_with_time_and_nothing_where_nothing_is_denied(inventory: Inventory) -> None:
    desired = wanted(inventory)
    assert samples(desired, seed="a") == samples(desired, seed="a")
    assert len({sample.question for seed in "abcdefgh" for sample in samples(desired, seed=seed)}) > 40
    assert samples(wanted(inventory, at=NIGHT, excepted=False), seed="a") == ()


@pytest.mark.parametrize(
    ("expected", "said", "state"),
    [
        (Expected.BLOCK, Answered.OURS, ProofState.BLOCKED),
        (Expected.BLOCK, Answered.OTHER, ProofState.BLOCKED),
        (Expected.BLOCK, Answered.PASSES, ProofState.LEAKING),
        (Expected.BLOCK, Answered.UNKNOWN, ProofState.UNKNOWN),
        (Expected.PASS, Answered.PASSES, ProofState.OPEN),
        (Expected.PASS, Answered.OURS, ProofState.CLOSED),
        (Expected.PASS, Answered.UNKNOWN, ProofState.UNKNOWN),
    ],
)
def test_what_an_answer_proves(expected: Expected, said: Answered, state: ProofState) -> None:
    assert judged(expected, said) is state


# --- a round ----------------------------------------------------------------------------------------------------------


def test_i13_one_unknown_answer_makes_the_field_unknown_and_one_leak_makes_it_leak() -> None:
    for said, state in (
        ((Answered.OURS, Answered.UNKNOWN), ProofState.UNKNOWN),
        ((Answered.OURS, Answered.UNKNOWN, Answered.PASSES), ProofState.LEAKING),
        ((Answered.OURS, Answered.OTHER), ProofState.BLOCKED),
    ):
        ((cell,), _) = folded({}, [proof(NOON, each) for each in said])
        assert cell.state is state
    assert worst([]) is ProofState.UNKNOWN


def test_a_leak_is_one_episode_for_as_long_as_nobody_sees_it_end() -> None:
    before: dict[Any, ProofCell] = {}
    ids = []
    for hours, said in enumerate((Answered.PASSES, Answered.UNKNOWN, Answered.PASSES, Answered.OURS, Answered.PASSES)):
        (cell,), leaks = folded(before, [proof(NOON + hours * HOUR, said)])
        before = {cell.key: cell}
        ids.append([leak.id for leak in leaks])
        assert all(leak.kind is EpisodeKind.LEAK for leak in leaks)
    assert ids[0] == ids[2], "nobody knew in between"
    assert ids[1] == ids[3] == []
    assert ids[4] != ids[0], "it was blocked in between"
    assert before[cell.key].since == NOON + 4 * HOUR


def test_i13_old_proof_is_unknown_again() -> None:
    ((cell,), _) = folded({}, [proof(NOON)])
    assert aged(cell, NOON + HOUR, HOUR).state is ProofState.BLOCKED
    old = aged(cell, NOON + 2 * HOUR, HOUR)
    assert (old.state, old.words) == (ProofState.UNKNOWN, "the last proof is old: it was blocked then")


# --- the store --------------------------------------------------------------------------------------------------------


def test_a_round_is_kept_whole_and_once(store: Store, clock: ManualClock) -> None:
    found = some_proofs(clock.now())
    assert store.record_proofs("r1", found)
    assert not store.record_proofs("r1", found), "a result that is sent again changes nothing"
    cells = store.proof_cells([BERLIN])
    assert len(cells) == 6
    assert {cell.exception for cell in cells} == {None, EXCEPTED}
    assert sorted(store.proofs_between(BERLIN, Window(clock.now(), clock.now() + HOUR)), key=_id) == sorted(
        found, key=_id
    )
    (leak,) = store.episodes(EpisodeQuery(kinds=frozenset({EpisodeKind.LEAK}))).items
    assert leak.device == "fw-berlin"
    (leaking,) = store.proofs(ProofQuery(state=ProofState.LEAKING)).items
    assert leaking.rule == "web out"
    first = store.proofs(ProofQuery(limit=4))
    assert first.next_cursor is not None
    rest = store.proofs(ProofQuery(limit=4, cursor=first.next_cursor))
    assert {p.id for p in (*first.items, *rest.items)} == {p.id for p in found}
    assert set(store.last_proofs()) == {"fw-berlin"}, "a probe's host is no device"
    clock.advance(timedelta(days=500))
    store.housekeeping(retention=timedelta(days=400))
    assert store.proof_cells() == []
    assert store.proofs(ProofQuery()).items == ()


def test_a_leak_says_what_was_asked_and_ends_once_with_the_proof_that_shows_it(
    store: Store, clock: ManualClock
) -> None:
    """Who follows the journal is sent it again, and who was told that it began is told that it is over."""
    hook = Webhook(
        id=new_id(),
        name="chat",
        url="https://chat.example/",
        kinds=("episode",),
        sites=None,
        secret="secret://env/X",
        old_secret=None,
        created_at=clock.now(),
        created_by="test",
    )
    store.add_webhook(hook)
    for number, said in enumerate((Answered.PASSES, Answered.UNKNOWN, Answered.OURS, Answered.OURS)):
        clock.advance(HOUR)
        words = "<src [10.20.3.7-50000] dst [103.136.220.10-443]> policy id: 7"
        assert store.record_proofs(f"r{number}", [proof(clock.now(), said, round=f"r{number}", words=words)])
    (leak,) = store.episodes(EpisodeQuery(kinds=frozenset({EpisodeKind.LEAK}))).items
    asked, answer, over = (ground.text for ground in leak.grounds)
    assert asked == (
        "asked whether company reaches 103.136.220.10 by tcp-443: yes since 2026-11-25 13:00 UTC, "
        "by tokgate-deny-company, and the policy blocks it; the firewall's own oracle says so"
    )
    assert answer == "the answer: <src [the client-50000] dst [103.136.220.10-443]> policy id: 7"
    assert over == "over: at 2026-11-25 15:00 UTC the firewall's own oracle said that it is blocked"
    assert "10.20.3.7" not in "".join(ground.text for ground in leak.grounds), "who it was is not in the words"
    began = clock.now() - 3 * HOUR
    assert (leak.window.start, leak.window.end - began < 2 * HOUR + timedelta(seconds=1)) == (began, True)
    assert sum(ground.weight for ground in leak.grounds) == leak.confidence
    assert [entry.subject for entry in store.journal(0, limit=10).entries] == [leak.id, leak.id]
    kinds = [message.kind for message in store.messages("chat", MessageQuery(oldest_first=True), limit=9)]
    assert kinds == ["episode.found", "episode.ended"]
    body = store.messages("chat", MessageQuery(), limit=1)[0].body
    told = json.loads(body)["data"]
    assert (told["sites"], [(one["id"], one["message"]) for one in told["leaks"]]) == (["berlin"], [(leak.id, over)])
    shown = json.loads(
        in_form(MessageForm.SLACK, store.messages("chat", MessageQuery(), limit=1)[0].body, message_id="m")
    )
    assert shown["blocks"][0]["text"]["text"] == "ℹ️ A leak is over at berlin: fw-berlin company"


def _id(found: Proof) -> str:
    return found.id


# --- what a probe brings ----------------------------------------------------------------------------------------------


def tried(verdict: Answered, **more: Any) -> Tried:
    plain: dict[str, Any] = {
        "path": Path.TCP,
        "source": ip_address("10.20.3.7"),
        "target": "103.136.220.10",
        "address": ip_address("103.136.220.10"),
        "verdict": verdict,
        "why": "as it was",
    }
    return Tried(**plain | more)


def report(*results: Tried, control: Path | None = Path.TCP, **more: Any) -> ProbeReport:
    controls = () if control is None else (
        Control(path=control, source=ip_address("10.20.3.7"), target="www.example.com", reached=True),
    )  # fmt: skip
    plain: dict[str, Any] = {
        "round": "0" * 32,
        "site": BERLIN,
        "host": "printer-3",
        "began": NOON,
        "ended": NOON,
        "results": results,
        "controls": controls,
    }
    return ProbeReport(**plain | more)


def states(inventory: Inventory, *results: Tried, unsettled: str = "", **more: Any) -> list[ProofState]:
    return [found.state for found in proofs_of(report(*results, **more), wanted(inventory), unsettled=unsettled)]


def test_i13_without_a_control_beside_it_nothing_is_blocked(inventory: Inventory) -> None:
    assert states(inventory, tried(Answered.BLOCKED)) == [ProofState.BLOCKED]
    assert states(inventory, tried(Answered.BLOCKED), control=None) == [ProofState.UNKNOWN]
    assert states(inventory, tried(Answered.BLOCKED), control=Path.QUIC) == [ProofState.UNKNOWN], "another path"
    other = tried(Answered.BLOCKED, source=ip_address("10.20.3.8"))
    assert states(inventory, other) == [ProofState.UNKNOWN], "a control from another source"
    assert states(inventory, tried(Answered.PASSES), control=None) == [ProofState.LEAKING], "what passes needs none"


def test_i13_silence_proves_nothing_where_nobody_knows_of_a_server(inventory: Inventory) -> None:
    """In the middle of a listed network there mostly is none: without any firewall it is as silent."""
    mute = tried(Answered.BLOCKED, silent=True)

    def found(*results: Tried, control: Path = Path.TCP, **more: Any) -> list[tuple[ProofState, str]]:
        said = proofs_of(report(*results, control=control), wanted(inventory), **more)
        return [(one.state, one.words) for one in said]

    assert found(mute) == [(ProofState.UNKNOWN, "as it was, and nothing says that a server answers there")]
    refused = tried(Answered.BLOCKED, target="103.136.220.11", address=ip_address("103.136.220.11"))
    assert found(mute, refused) == [(ProofState.BLOCKED, "as it was")], "the other says more"
    assert found(mute, answering={(Path.TCP, "103.136.220.10")}) == [(ProofState.BLOCKED, "as it was")]
    excepted = tried(Answered.PASSES, source=ip_address("10.20.7.9"))
    assert {state for state, _ in found(mute, excepted)} == {ProofState.BLOCKED, ProofState.OPEN}
    named = replace(mute, target="www.tiktok.com")
    assert found(named) == [(ProofState.BLOCKED, "as it was")], "a name leads there"
    quic = replace(named, path=Path.QUIC)
    assert [state for state, _ in found(quic, control=Path.QUIC)] == [ProofState.UNKNOWN], "perhaps without QUIC"
    refused_quic = replace(refused, path=Path.QUIC)
    assert [state for state, _ in found(refused_quic, control=Path.QUIC)] == [ProofState.BLOCKED]
    passes = replace(refused, path=Path.TCP, verdict=Answered.PASSES)
    assert [state for state, _ in found(refused_quic, passes, control=Path.QUIC)] == [
        ProofState.UNKNOWN,
        ProofState.LEAKING,
    ], "the server itself refuses QUIC"
    assert found(replace(mute, path=Path.DNS, target="tiktok.com", address=None), control=Path.DNS) == [
        (ProofState.BLOCKED, "as it was")
    ]


def test_whose_a_source_is_and_what_it_may_is_looked_up_here(inventory: Inventory) -> None:
    excepted = ip_address("10.20.7.9")
    (found,) = proofs_of(report(tried(Answered.PASSES, source=excepted)), wanted(inventory))
    assert (found.state, found.role) == (ProofState.OPEN, "")
    assert found.exception is not None
    guest, stranger = ip_address("10.20.9.7"), ip_address("192.0.2.1")
    assert states(inventory, tried(Answered.PASSES, source=guest), tried(Answered.PASSES, source=stranger)) == []
    elsewhere = tried(Answered.PASSES, target="192.0.2.80", address=ip_address("192.0.2.80"))
    assert states(inventory, elsewhere) == [], "nothing is said about it"


def test_names_are_denied_by_what_they_are_and_resolving_opens_nothing(inventory: Inventory) -> None:
    far = ip_address("192.0.2.80")
    by_name = tried(Answered.PASSES, target="www.tiktok.com", address=far)
    resolved = tried(Answered.PASSES, path=Path.DNS, target="www.tiktok.com", address=None)
    assert states(inventory, by_name) == [ProofState.LEAKING]
    assert states(inventory, resolved) == [ProofState.OPEN]
    assert states(inventory, replace(resolved, verdict=Answered.BLOCKED), control=Path.DNS) == [ProofState.BLOCKED]
    assert states(inventory, replace(by_name, target="nottiktok.com")) == []


def test_a_leak_counts_only_where_the_policy_stayed_the_same(inventory: Inventory) -> None:
    assert states(inventory, tried(Answered.PASSES), unsettled="why") == [ProofState.UNKNOWN]


@pytest.mark.parametrize(
    ("began", "ended", "says"),
    [
        (-HOUR / 60, timedelta(), None),
        (timedelta(minutes=4), timedelta(minutes=4), None),
        (timedelta(hours=2), timedelta(hours=2), "ahead of the server's clock"),
        (timedelta(), -HOUR, "must lie before"),
        (-3 * HOUR, timedelta(), "must lie before"),
        (-30 * HOUR, -30 * HOUR, "too long ago"),
    ],
)
def test_times_that_cannot_be_are_refused(began: timedelta, ended: timedelta, says: str | None) -> None:
    said = report(began=NOON + began, ended=NOON + ended)
    if says is None:
        refuse_untimely(said, NOON, 26 * HOUR)
    else:
        with pytest.raises(Invalid, match=says):
            refuse_untimely(said, NOON, 26 * HOUR)


def test_a_probe_is_told_addresses_of_both_families_and_names(inventory: Inventory) -> None:
    found = list(targets_of(wanted(inventory), draw={"networks": 3, "names": 0}))
    assert "tiktok.com" in found
    assert {":" in target for target in found if target[0].isdigit()} == {True, False}
    assert list(targets_of(wanted(inventory, at=NIGHT, excepted=False), draw={"networks": 0, "names": 0})) == []


def test_who_says_it_makes_the_confidence() -> None:
    by = {who: folded({}, [proof(NOON, Answered.PASSES, by=who)])[1][0].confidence for who in (By.ORACLE, By.PROBE)}
    assert by[By.PROBE] > by[By.ORACLE]
