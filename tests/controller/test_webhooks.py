"""Webhooks over a real store and a real receiver: what is told, signed, tried again, set aside, replayed, dropped."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

import controller.store.outbox as outbox
from controller import webhook_sending
from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.delivering import Deliverer
from controller.errors import Conflict, Invalid, NotFound
from controller.evidence.model import EpisodeAction
from controller.locks import FileLock
from controller.model import (
    CoverageState,
    DetectionEvent,
    DeviceRun,
    EventAction,
    ExceptionState,
    Observation,
    Outcome,
    Quality,
    Run,
    Window,
)
from controller.rehearsal import Rehearsal, rehearsed
from controller.settings import Settings
from controller.store import Store
from controller.store.webhooks import MessageQuery
from controller.webhook_desk import WebhookDesk
from controller.webhook_sending import is_outside, post
from controller.webhooks import (
    GIVE_UP,
    KINDS,
    RETRY_MOST,
    Answer,
    MessageState,
    Webhook,
    check_url,
    key_of,
    signature,
    wait_after,
)
from core.clock import ManualClock, SystemClock
from core.errors import SecretUnavailable
from core.ids import DeviceName, EventId, RunId, SiteName, new_id
from core.secret import Secret
from tests.controller.backends import kept
from tests.controller.offices import NOON, an_exception, offices
from tests.controller.receiving import SECRET, Receiver, cut, drip, flood, receiving, status
from tests.controller.test_store_episodes import an_episode
from tests.ipsets import certificates
from vendors.model import Reading, RuleName

LOOPBACK = (ip_network("127.0.0.0/8"),)
BERLIN, FW = SiteName("berlin"), DeviceName("fw-berlin")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def kept_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


class Post:
    """A desk and a deliverer over one store."""

    def __init__(self, store: Store, clock: Any, folder: Path, authorities: Path | None = None) -> None:
        settings = Settings(webhook_networks=("127.0.0.0/8",), webhook_ca=authorities)
        self.store, self.clock = store, clock
        self.desk = WebhookDesk(store, offices(folder), clock, settings)
        self.deliverer = Deliverer(store, self.desk, clock, jitter=lambda: 0.0)

    def add(self, url: str, *kinds: str, name: str = "chat", sites: list[str] | None = None) -> Webhook:
        secret = "secret://env/HOOK_SECRET"
        return self.desk.add(name, url=url, kinds=kinds or tuple(KINDS), secret=secret, sites=sites, actor="cli:ann")

    def turn(self) -> None:
        for done in self.deliverer.turn():
            done.result()

    def hook(self, name: str = "chat") -> Webhook:
        return self.store.webhook(name)

    def alert(self, subject: str = "AS1") -> None:
        """The simplest thing that is told of."""
        note = AlertNote(kind="moved", subject=subject, message="it moved", detail={})
        self.store.save_source_records([], alerts=[note])


@pytest.fixture
def office(store: Store, clock: ManualClock, tmp_path: Path) -> Iterator[Post]:
    made = Post(store, clock, tmp_path)
    yield made
    made.deliverer.stop()


def an_event(start: datetime = NOON, site: SiteName = BERLIN) -> DetectionEvent:
    return DetectionEvent(
        id=EventId(new_id()),
        site=site,
        device=FW,
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(start, start + timedelta(minutes=5)),
        hits=3,
        packets=6,
        octets=None,
        quality=Quality.EXACT,
        snapshot=None,
    )


def counted(store: Store, *found: DetectionEvent) -> None:
    store.record_events(FW, Reading(epoch="e", read_at=NOON, rules=()), found)


def ran(store: Store, outcome: Outcome) -> None:
    run = RunId(new_id())
    part = DeviceRun(
        run=run, site=BERLIN, device=FW, started_at=NOON, finished_at=NOON, outcome=outcome, steps=0, snapshot=None
    )
    store.start_run(Run(id=run, trigger="schedule", actor="system", started_at=NOON, finished_at=None))
    store.record_device(replace(part, outcome=Outcome.RUNNING, finished_at=None))
    store.record_device(part)


def looked(store: Store, found: CoverageState, cause: str = "") -> None:
    left = CoverageState.ENFORCED
    store.add_observation(Observation(device=FW, site=BERLIN, at=NOON, found=found, left=left, cause=cause))


# --- what is told -----------------------------------------------------------------------------------------------------


def test_what_happens_is_told_in_order_signed_and_once(office: Post, receiver: Receiver, clock: ManualClock) -> None:
    office.add(receiver.url)
    asked = replace(an_exception("10.20.1.7"), state=ExceptionState.REQUESTED)
    note = AuditNote(actor="cli:bob", action="exception.request", subject=asked.id, detail={"sites": ["berlin"]})
    office.store.add_exception(asked, audit=note)
    approve = replace(note, action="exception.approve", actor="cli:ann")
    office.store.update_exception(
        replace(asked, state=ExceptionState.APPROVED), expected_state=ExceptionState.REQUESTED, audit=approve
    )
    for outcome in (Outcome.APPLIED, Outcome.FAILED, Outcome.UNCERTAIN, Outcome.UNCHANGED, Outcome.APPLIED):
        ran(office.store, outcome)
    looked(office.store, CoverageState.ENFORCED)
    looked(office.store, CoverageState.NOT_ENFORCED, "our lists or rules were changed by somebody else")
    office.alert()
    counted(office.store, an_event(), an_event(NOON + timedelta(minutes=5)))
    office.store.record("b1", [an_episode("e1"), an_episode("e2")])
    office.store.record("b2", [an_episode("e1", count=9)])  # more of the same: told of already
    office.store.record("b3", [an_episode("e2", action=EpisodeAction.NOT_ENFORCED)])
    office.store.record("b4", [an_episode("e2", action=EpisodeAction.NOT_ENFORCED, confidence=0)])  # taken back
    clock.advance(timedelta(minutes=1))
    office.turn()
    office.turn()
    assert receiver.kinds == [
        "exception.request",
        "exception.approve",
        "run.failed",
        "run.recovered",
        "drift.found",
        "alert.moved",
        "event.counted",
        "episode.found",
    ]
    assert all(one.is_signed_by(SECRET) for one in receiver.got)
    assert not any(one.is_signed_by("whsec_" + "A" * 44) for one in receiver.got)
    assert receiver.got[0].path == "/hook?to=us"
    assert len(receiver.got[-2].said["data"]["events"]) == 2
    told = receiver.got[-1].said["data"]["episodes"]
    assert [(episode["id"], episode["action"]) for episode in told] == [
        ("e1", "blocked"),
        ("e2", "blocked"),
        ("e2", "not-enforced"),
        ("e2", "not-enforced"),
    ]
    assert told[-1]["confidence"] == 0
    approved = receiver.got[1].said
    assert approved["timestamp"] == "2026-11-25T12:00:00.123456Z"
    assert approved["data"]["actor"] == "cli:ann"
    assert approved["data"]["id"] == asked.id
    assert [m.state for m in office.desk.messages("chat")] == [MessageState.DELIVERED] * 8


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_chat_is_told_the_same_in_its_own_form_each_time(
    office: Post, receiver: Receiver, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Kept as JSON, put into the form at each attempt: a retry and a replay are the same bytes."""
    monkeypatch.setenv("CHAT_URL", f"{receiver.url}\n")
    office.desk.add("chat", url="secret://env/CHAT_URL", kinds=KINDS, sites=None, form=form, actor="cli:ann")
    note = AuditNote(
        actor="cli:bob", action="exception.request", subject="x", reason="<!channel> @all", detail={"sites": ["berlin"]}
    )
    office.store.add_exception(an_exception("10.20.1.7"), audit=note)
    ran(office.store, Outcome.FAILED)
    looked(office.store, CoverageState.ENFORCED)
    looked(office.store, CoverageState.NOT_ENFORCED, "a rule is gone")
    office.alert()
    counted(office.store, an_event(), *(an_event(NOON + timedelta(minutes=5 * n)) for n in range(1, 25)))
    office.store.record("b1", [an_episode("e1", action=EpisodeAction.NOT_ENFORCED, host="<@U1>")])
    clock.advance(timedelta(minutes=1))
    receiver.replies = [status(500)]
    office.turn()
    clock.advance(timedelta(minutes=1))
    office.turn()
    assert receiver.got[0].body == receiver.got[1].body, "the attempt after the failure"
    texts = [lines(one.said) for one in receiver.got[1:]]
    firsts = [text[1 if form == "teams" else 0] for text in texts]
    assert firsts[0] == "ℹ️ Exception request at berlin: <!channel> @all, by cli:bob"
    assert firsts[1] == "🚨 Device failed at berlin: fw-berlin"
    drift = "🚨 A device was changed by somebody else at berlin: fw-berlin, a rule is gone, it was set right"
    assert firsts[2] == drift
    assert firsts[3].startswith("⚠️ Alert moved: it moved")
    assert firsts[4].startswith("🛡️ Hits at berlin: 3 hits blocked, by fw-berlin")
    assert texts[4][-1] == "and 5 more"
    assert firsts[5].startswith("⚠️ Use at berlin: ")
    assert "<@U1>" in firsts[5]
    kinds = {type_of for one in receiver.got for type_of in text_types(one.said)}
    assert kinds <= {"plain_text", "TextRun"}, "nothing that reads markup holds what others chose"
    assert not any("webhook-signature" in {name.lower() for name in one.headers} for one in receiver.got)
    before = [one.body for one in receiver.got[1:]]
    assert office.desk.replay("chat", since=NOON - DAY, actor="cli:ann") == len(before)
    clock.advance(timedelta(minutes=1))
    office.turn()
    assert [one.body for one in receiver.got[-len(before) :]] == before
    assert receiver.url not in repr(office.hook())
    assert office.desk.test("chat", actor="cli:ann").is_good
    assert "A test of tokgate" in receiver.got[-1].body


def lines(said: Any) -> list[str]:
    """What a person reads, in either form."""
    if "blocks" in said:
        parts = [block.get("text") or block["elements"][0] for block in said["blocks"]]
        return [part["text"] for part in parts]
    return [block["inlines"][0]["text"] for block in said["attachments"][0]["content"]["body"]]


def text_types(said: Any) -> set[str]:
    if "blocks" in said:
        assert "<" not in said["text"]
        return {(block.get("text") or block["elements"][0])["type"] for block in said["blocks"]}
    return {run["type"] for block in said["attachments"][0]["content"]["body"] for run in block["inlines"]}


def test_the_address_of_a_chat_is_kept_elsewhere_and_shown_nowhere(
    office: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(**said: Any) -> Webhook:
        return office.desk.add("chat", kinds=("run",), sites=None, actor="cli:ann", **said)

    monkeypatch.setenv("CHAT_URL", "https://u:hunter2@hooks.example/")
    with pytest.raises(Invalid, match="is a password, and this one would be shown"):
        add(url="https://hooks.example/T0/B0/x", form="slack")
    with pytest.raises(Invalid, match="secret: messages of the form slack have none"):
        add(url="secret://env/CHAT_URL", form="slack", secret="secret://env/HOOK_SECRET")
    with pytest.raises(Invalid, match="form: one of json, slack, teams, not 'irc'"):
        add(url="secret://env/CHAT_URL", form="irc")
    with pytest.raises(Invalid, match="signed"):
        add(url="https://hooks.example/")
    with pytest.raises(SecretUnavailable):
        add(url="secret://env/NO_SUCH_URL", form="teams")
    with pytest.raises(Invalid) as caught:
        add(url="secret://env/CHAT_URL", form="teams")
    assert "hunter2" not in str(caught.value)
    assert office.desk.all() == []
    monkeypatch.setenv("CHAT_URL", "https://hooks.example/T0/B0/x")
    assert "T0" not in repr((add(url="secret://env/CHAT_URL", form="teams"), office.store.audit_entries(limit=1)))
    with pytest.raises(Invalid, match="have none"):
        office.desk.rotate("chat", secret="secret://env/HOOK_SECRET", actor="cli:ann")


def test_one_of_a_site_is_told_of_that_site_alone(office: Post, receiver: Receiver) -> None:
    office.add(receiver.url, sites=["berlin"])
    for sites in (["berlin", "tokyo"], ["tokyo"]):
        note = AuditNote(actor="a", action="exception.revoke", subject="x", detail={"sites": sites})
        office.store.add_exception(replace(an_exception("10.20.1.7"), id=new_id()), audit=note)  # type: ignore[arg-type]
    office.alert()
    office.turn()
    assert [one.said["data"]["sites"] for one in receiver.got] == [["berlin"]]


def test_what_is_undone_is_not_told(office: Post, receiver: Receiver) -> None:
    office.add(receiver.url)
    rehearsal = Rehearsal()
    with rehearsed(rehearsal):
        office.alert("undone")
        rehearsal.end()
    given = an_exception("10.20.1.7")
    office.store.add_exception(given)
    note = AuditNote(actor="a", action="exception.revoke", subject=given.id, detail={"sites": ["berlin"]})
    with pytest.raises(Conflict):
        office.store.update_exception(given, expected_state=ExceptionState.REQUESTED, audit=note)
    office.turn()
    assert receiver.got == []


# --- receivers that do not do their part ------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [status(500), status(404), status(302, Location="http://127.0.0.1:1/"), cut])
def test_a_failure_is_tried_again_under_the_same_id_and_holds_the_later_ones(
    office: Post, receiver: Receiver, clock: ManualClock, reply: Any
) -> None:
    office.add(receiver.url)
    office.alert("AS1")
    office.alert("AS2")
    receiver.replies = [reply]
    office.turn()
    office.turn()  # not due: nothing is sent
    assert len(receiver.got) == 1
    assert office.hook().failures == 1
    clock.advance(timedelta(seconds=6))
    office.turn()
    assert [one.said["data"]["subject"] for one in receiver.got] == ["AS1", "AS1", "AS2"]
    assert receiver.got[0].id == receiver.got[1].id != receiver.got[2].id
    assert receiver.got[0].headers["webhook-timestamp"] != receiver.got[1].headers["webhook-timestamp"]
    assert office.hook().failures == 0
    assert office.hook().retry_at is None


def test_one_receiver_that_is_down_holds_up_no_other(office: Post, receiver: Receiver) -> None:
    with receiving() as gone:
        dead = gone.url
    office.add(dead, name="dead")
    office.add(receiver.url, name="good")
    office.alert()
    office.turn()
    assert len(receiver.got) == 1
    assert office.hook("dead").last_error == "no answer: Connection refused"


def test_an_answer_that_drips_or_floods_ends_by_its_time(receiver: Receiver) -> None:
    receiver.replies = [drip, flood]
    slow = post(receiver.url, "{}", {"webhook-id": "a"}, allowed=LOOPBACK, deadline=0.3)
    assert slow.status is None
    assert slow.error == "no whole answer in time"
    assert 0.2 < slow.seconds < 5
    endless = post(receiver.url, "{}", {"webhook-id": "b"}, allowed=LOOPBACK, deadline=5)
    assert endless.is_good
    assert endless.seconds < 5


def test_waits_grow_to_an_hour_and_listen_to_the_receiver() -> None:
    waits = [wait_after(n, Answer(status=500), jitter=0.0).total_seconds() for n in (1, 2, 3, 10, 11, 400)]
    assert waits == [5, 10, 20, 2560, 3600, 3600]
    asked = Answer(status=503, retry_after=timedelta(minutes=2))
    assert wait_after(1, asked, jitter=0.0) == timedelta(minutes=2)
    assert wait_after(1, replace(asked, retry_after=DAY), jitter=1.0) == RETRY_MOST * 1.2


def test_a_message_that_is_refused_for_what_it_is_makes_way(
    office: Post, receiver: Receiver, clock: ManualClock
) -> None:
    office.add(receiver.url)
    office.alert("AS1")
    office.alert("AS2")
    receiver.replies = [status(422)] * 5
    for _ in range(5):
        office.turn()
        clock.advance(timedelta(hours=1))
    assert [one.said["data"]["subject"] for one in receiver.got[:6]] == ["AS1"] * 5 + ["AS2"]
    (dead,) = office.desk.messages("chat", MessageQuery(state=MessageState.DEAD))
    assert (dead.status, dead.attempts, dead.error) == (422, 5, "answered 422")
    assert office.desk.replay("chat", actor="cli:ann") == 1
    office.turn()
    assert receiver.got[-1].id == dead.id
    assert office.desk.messages("chat", MessageQuery(state=MessageState.DEAD)) == []


def test_a_receiver_that_is_gone_is_paused_aloud_until_somebody_resumes(
    office: Post, receiver: Receiver, clock: ManualClock
) -> None:
    office.add(receiver.url)
    office.alert("AS1")
    receiver.replies = [status(410)]
    office.turn()
    clock.advance(DAY)
    office.turn()
    assert len(receiver.got) == 1
    assert office.hook().paused_at is not None
    assert [a.kind for a in office.store.alerts()] == ["webhook-paused", "moved"]
    assert office.store.audit_entries()[0].action == "webhook.pause"
    office.desk.resume("chat", actor="cli:ann")
    office.turn()
    assert receiver.got[-1].id == receiver.got[0].id


def test_a_day_down_loses_nothing_and_too_long_is_set_aside(office: Post, clock: ManualClock) -> None:
    with receiving() as gone:
        url = gone.url
    office.add(url)
    for hour in range(24):
        office.alert(f"AS{hour}")
        office.turn()
        clock.advance(timedelta(hours=1, minutes=1))
    failures = [a for a in office.store.alerts() if a.kind == "webhook-failing"]
    assert len(failures) == 1, "said once"
    with receiving(int(url.rpartition(":")[2].partition("/")[0])) as back:
        office.turn()
        told = [one.said["data"]["subject"] for one in back.got if one.said["type"] == "alert.moved"]
        assert told == [f"AS{hour}" for hour in range(24)]
    office.alert("late")
    clock.advance(GIVE_UP + timedelta(seconds=1))
    office.turn()
    assert [m.state for m in office.desk.messages("chat", limit=2)] == [MessageState.PENDING, MessageState.DEAD]
    assert office.store.alerts()[0].kind == "webhook-dead"


def test_what_waits_has_an_end_and_the_gap_is_counted(
    office: Post, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setattr(outbox, "MAX_PENDING", 10)
    office.add(receiver.url)
    receiver.replies = [status(500)]
    office.alert("AS0")
    office.turn()
    for number in range(1, 40):
        office.alert(f"AS{number}")
    hook, waiting, dead = office.desk.get("chat")
    assert (waiting, dead) == (11, 0)
    clock.advance(timedelta(minutes=1))
    office.turn()
    kinds = receiver.kinds[1:]
    assert kinds == ["alert.moved", "webhook.gap", *["alert.moved"] * 9]
    lost = receiver.got[2].said["data"]["messages"]
    told = len([k for k in kinds if k != "webhook.gap"])
    assert lost == hook.dropped
    assert lost + told == 40 + 1, "with the alert that tells of the gap"
    assert receiver.got[-1].said["data"]["subject"] == "AS39"
    assert [a.kind for a in office.store.alerts() if a.kind != "moved"] == ["webhook-gap"]


def test_events_are_batched_and_none_is_lost_when_a_batch_grows_under_way(
    office: Post, receiver: Receiver, clock: ManualClock
) -> None:
    office.add(receiver.url, "event")
    counted(office.store, *(an_event(NOON + n * timedelta(minutes=5)) for n in range(150)))
    office.turn()
    assert [m.items for m in office.desk.messages("chat", MessageQuery(state=MessageState.PENDING))] == [50]
    assert len(receiver.got) == 1, "the last one waits for more"
    clock.advance(timedelta(minutes=1))
    late = an_event(NOON + DAY)
    receiver.replies = [lambda handler: (counted(office.store, late), status(204)(handler))[1]]
    office.turn()
    ids = [event["id"] for one in receiver.got for event in one.said["data"]["events"]]
    assert late.id in ids
    assert len(set(ids)) == 151
    assert len({one.id for one in receiver.got}) == len(receiver.got)


_DELIVERER = """
import sys
from pathlib import Path
from controller.delivering import Deliverer
from controller.inventory import load_inventory
from controller.settings import Settings
from controller.store import Store
from controller.store.webhooks import MessageQuery
from controller.webhook_desk import WebhookDesk
from core.clock import SystemClock
folder, clock = Path(sys.argv[1]), SystemClock()
with Store.open(folder, clock=clock, migrate=False) as store:
    settings = Settings(webhook_networks=("127.0.0.0/8",))
    desk = WebhookDesk(store, load_inventory(folder / "inventory.yaml"), clock, settings)
    print("open", flush=True)
    sys.stdin.readline()
    for done in Deliverer(store, desk, clock).turn():
        done.result()
"""


def test_killed_between_the_answer_and_the_record_it_is_sent_again_under_its_id(
    tmp_path: Path, migrated: Path, receiver: Receiver
) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    with Store.open(tmp_path, clock=SystemClock()) as store:
        office = Post(store, SystemClock(), tmp_path)
        office.add(receiver.url)
        office.alert()
        command = [sys.executable, "-c", _DELIVERER, str(tmp_path)]
        root = Path(__file__).resolve().parents[2]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=root) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            assert child.stdout.readline() == "open\n"
            with FileLock(tmp_path / "store.lock", what="the store").hold(wait=timedelta(seconds=5)):
                child.stdin.write("go\n")
                child.stdin.flush()
                assert receiver.arrived.wait(20)
                child.kill()
                child.wait()
        assert office.desk.messages("chat")[0].state is MessageState.PENDING
        office.turn()
        office.turn()
        office.deliverer.stop()
        assert len(receiver.got) == 2
        assert receiver.got[0].id == receiver.got[1].id
        assert office.desk.messages("chat")[0].state is MessageState.DELIVERED


# --- where we do not go -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address", "why"),
    [
        pytest.param("https://a.example/", "10.1.2.3", "leads inside", id="private"),
        pytest.param("https://a.example/", "169.254.169.254", "leads inside", id="metadata-of-a-cloud"),
        pytest.param("https://a.example/", "::ffff:10.1.2.3", "leads inside", id="mapped"),
        pytest.param("https://a.example/", "64:ff9b::a01:203", "leads inside", id="nat64"),
        pytest.param("https://a.example/", "2002:a01:203::1", "leads inside", id="6to4"),
        pytest.param("https://a.example/", "fd00::1", "leads inside", id="unique-local"),
        pytest.param("https://a.example/", "127.0.0.1", "leads inside", id="loopback"),
        pytest.param("https://a.example/", "0.0.0.0", "leads inside", id="this-host"),
        pytest.param("http://a.example/", "9.9.9.9", "use https", id="plain-to-outside"),
    ],
)
def test_what_leads_inside_or_is_plain_is_refused_unless_allowed(url: str, address: str, why: str) -> None:
    answer = post(url, "{}", {}, resolve=lambda host, port: [ip_address("9.9.9.9"), ip_address(address)])
    assert answer.status is None
    assert why in answer.error
    assert "TOKGATE_WEBHOOK_NETWORKS" in answer.error


def test_the_name_is_looked_up_once_and_the_connection_goes_there(receiver: Receiver) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[Any]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    url = receiver.url.replace("127.0.0.1", "rebinding.example")
    assert post(url, "{}", {"webhook-id": "a"}, allowed=LOOPBACK, resolve=resolve).status == 204
    assert asked == ["rebinding.example"]
    assert receiver.got[0].headers["Host"].startswith("rebinding.example:")


def test_what_is_of_the_internet_is_reached() -> None:
    assert is_outside(ip_address("9.9.9.9"))
    assert is_outside(ip_address("2620:fe::fe"))
    assert not is_outside(ip_address("224.0.0.1"))
    assert webhook_sending._chosen("a", [ip_address("9.9.9.9")], secure=True, allowed=()) == ip_address("9.9.9.9")


# --- making one -------------------------------------------------------------------------------------------------------


def test_over_tls_it_goes_to_whom_a_named_authority_vouches_for(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    """A real TLS server here; the message is delivered, signed, and the outbox empty afterwards."""
    made = certificates.make(tmp_path)
    office = Post(store, clock, tmp_path, made.authority)
    with receiving(tls=made.good.server()) as receiver:
        office.add(receiver.url)
        office.alert()
        office.turn()
        [told] = receiver.got
        assert told.is_signed_by(SECRET)
        assert (told.said["type"], told.said["data"]["subject"]) == ("alert.moved", "AS1")
        [(_, waiting, dead)] = office.desk.all()
        assert (waiting, dead, office.hook().last_error) == (0, 0, "")
        assert office.desk.test("chat", actor="ann").is_good
    office.deliverer.stop()


@pytest.mark.parametrize(
    ("which", "authority", "why"),
    [
        ("good", False, 'TLS: unable to get local issuer .* put the certificate of "tests\' authority" into `ca_file`'),
        ("expired", True, r"TLS: certificate has expired: .* good until \d{4}-\d\d-\d\d; it has to be renewed there"),
        ("other_name", True, "TLS: IP address mismatch.*; it is for another.test, not for 127.0.0.1: put one of its"),
        (
            "nobodys",
            True,
            "TLS: self-signed certificate: 127.0.0.1 on port .* certificate of 'nobodys', signed by 'nob",
        ),
    ],
)
def test_over_tls_it_goes_to_nobody_else_and_says_whose_certificate_it_is(
    tmp_path: Path, which: str, authority: bool, why: str
) -> None:
    made = certificates.make(tmp_path)
    with receiving(tls=getattr(made, which).server()) as receiver:
        answer = post(
            receiver.url, "{}", {"webhook-id": "a"}, allowed=LOOPBACK, authorities=made.authority if authority else None
        )
        assert re.match(why, answer.error), answer.error
        assert not receiver.got
    with receiving() as plain:
        said = post(plain.url.replace("http:", "https:"), "{}", {}, allowed=LOOPBACK).error
        assert said.startswith("TLS: ")
        assert said.endswith("is it the right port?")
    no_file = post("https://127.0.0.1/", "{}", {}, allowed=LOOPBACK, authorities=tmp_path / "none.pem")
    assert no_file.error


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "https://", "https://u:p@a.example/", "https://a.example:99999/", "nonsense", "https://a b/"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="url: "):
        check_url(url)


def test_a_secret_is_a_reference_to_a_good_key(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(secret: str) -> None:
        office.desk.add("x", url="https://a.example/", kinds=["run"], secret=secret, sites=None, actor="cli:ann")

    with pytest.raises(Invalid) as plain:
        add(SECRET)
    assert SECRET not in str(plain.value)
    monkeypatch.setenv("HOOK_SECRET", "whsec_c2hvcnQ=")
    with pytest.raises(Invalid, match="24 to 64 bytes"):
        add("secret://env/HOOK_SECRET")
    with pytest.raises(SecretUnavailable):
        add("secret://env/NOT_SET_ANYWHERE")
    with pytest.raises(NotFound):
        office.desk.get("x")


def test_after_a_rotation_both_secrets_sign(office: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    other = SECRET.replace("A", "B")
    monkeypatch.setenv("HOOK_SECRET_2", other)
    office.add(receiver.url)
    office.desk.rotate("chat", secret="secret://env/HOOK_SECRET_2", actor="cli:ann")
    assert office.desk.test("chat", actor="cli:ann").is_good
    assert receiver.got[0].is_signed_by(other)
    assert receiver.got[0].is_signed_by(SECRET)
    assert SECRET.encode() not in kept(office.store)
    assert other.encode() not in kept(office.store)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, libraries/python/tests."""
    key = key_of(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    at = datetime.fromtimestamp(1614265330, tz=UTC)
    said = signature(key, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=at, body='{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
