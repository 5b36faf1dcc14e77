"""From the journal to a receiver: a real HTTP server, down and up again, that refuses, that asks for time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from controller.evidence.model import EpisodeKind
from controller.export.exporter import Exporter, again_in
from controller.export.webhook_wire import WebhookWire
from controller.inventory.exports import WebhookExport
from controller.store import AlertQuery, AuditNote, Store
from core.clock import ManualClock
from core.ids import EventId, SiteName, new_id
from tests.controller.backends import again, only_a_file
from tests.controller.export.records import ORIGIN, episode, event, privacy
from tests.controller.receiving import SECRET, Receiver, receiving, status
from tests.ipsets import certificates
from vendors.model import Reading

pytestmark = only_a_file
HERE = (ip_network("127.0.0.0/8"),)


def config(url: str, **changes: Any) -> WebhookExport:
    return WebhookExport(kind="webhook", url=url, begin="start", **changes)


def exporter(store: Store, clock: ManualClock, made: WebhookExport, folder: str = "siem") -> Exporter:
    return Exporter(
        "siem",
        made,
        store=store,
        folder=store._data_dir / "exports" / folder,
        clock=clock,
        origin=ORIGIN,
        wire=WebhookWire(made, clock, allowed=HERE),
        privacy=privacy(store, clock),
        jitter=lambda: 0.0,
    )


@contextmanager
def running(store: Store, clock: ManualClock, made: WebhookExport, folder: str = "siem") -> Iterator[Exporter]:
    with closing(exporter(store, clock, made, folder)) as one:
        yield one


def record(store: Store, count: int, **changes: Any) -> list[str]:
    """So many events, each of a window of its own. Returns their ids."""
    base = event(**changes)
    starts = [base.window.start + timedelta(minutes=number) for number in range(count)]
    windows = [type(base.window)(start, start + timedelta(minutes=1)) for start in starts]
    made = [event(**{**changes, "id": EventId(new_id()), "window": window}) for window in windows]
    store.record_events(base.device, Reading(epoch="e", read_at=base.window.end, rules=()), made)
    return [one.id for one in made]


def ids(receiver: Receiver) -> list[str]:
    return [item["id"] for one in receiver.got for item in json.loads(one.body)]


def turns(one: Exporter, most: int = 50) -> None:
    """Until there is nothing more to do at once."""
    for _ in range(most):
        if not one.turn():
            return


def test_everything_is_sent_once_in_order_and_signed(store: Store, clock: ManualClock, monkeypatch: Any) -> None:
    monkeypatch.setenv("EXPORT_KEY", SECRET)
    monkeypatch.setenv("EXPORT_AUTH", "Bearer sesame\n")
    wanted = record(store, 5)
    with receiving() as receiver:
        secrets = {"secret": "secret://env/EXPORT_KEY", "authorization": "secret://env/EXPORT_AUTH"}
        with running(store, clock, config(receiver.url, batch=2, **secrets)) as one:
            turns(one)
            assert (one.view.waiting, one.view.behind, one.view.progress.sent) == (0, 0, 5)
        assert ids(receiver) == wanted
        assert [len(json.loads(got.body)) for got in receiver.got] == [2, 2, 1]
        assert all(got.is_signed_by(SECRET) for got in receiver.got)
        assert {got.headers["Authorization"] for got in receiver.got} == {"Bearer sesame"}
        with running(store, clock, config(receiver.url)) as one:  # another start sends nothing twice
            turns(one)
        assert ids(receiver) == wanted


def test_a_receiver_that_is_down_for_an_hour_loses_nothing(store: Store, clock: ManualClock) -> None:
    with receiving() as receiver:
        receiver.usual = status(503)
        made = config(receiver.url)
        wanted = record(store, 3)
        with running(store, clock, made) as one:
            for minute in range(60):
                wanted += record(store, 3, rule=f"deny-{minute}")
                turns(one)
                clock.advance(timedelta(minutes=1))
            assert one.view.waiting == 183
            assert one.view.progress.failures > 5
            assert one.view.progress.last_error == "answered 503"
            assert one.view.oldest is not None
            assert clock.now() - one.view.oldest >= timedelta(minutes=59)
        tried = len(receiver.got)
        assert tried < 60  # it is left alone for longer and longer, and comes back within two minutes
        receiver.usual = status(204)
        with running(store, clock, made) as one:
            turns(one)
            assert (one.view.waiting, one.view.progress.failures) == (0, 0)
        del receiver.got[:tried]
        assert ids(receiver) == wanted
    kinds = [alert.kind for alert in store.alerts(limit=9, wanted=AlertQuery())]
    assert kinds == ["export-failing"]


def test_a_receiver_may_ask_for_time(store: Store, clock: ManualClock) -> None:
    record(store, 1)
    with receiving() as receiver, running(store, clock, config(receiver.url)) as one:
        receiver.replies = [status(429, Retry_After="600")]
        turns(one)
        clock.advance(timedelta(seconds=599))
        turns(one)
        assert len(receiver.got) == 1
        clock.advance(timedelta(seconds=1))
        turns(one)
        assert len(receiver.got) == 2
    assert [again_in(n, asked=None, jitter=0.0).seconds for n in (1, 2, 3, 7, 50)] == [2, 4, 8, 120, 120]


def test_one_message_that_is_refused_holds_up_no_other(store: Store, clock: ManualClock) -> None:
    wanted = record(store, 4)

    def picky(handler: Any) -> None:
        status(400 if wanted[1] in receiver.got[-1].body else 204)(handler)

    with receiving() as receiver, running(store, clock, config(receiver.url)) as one:
        receiver.usual = picky
        for _ in range(12):
            turns(one)
            clock.advance(timedelta(minutes=2))
        assert (one.view.waiting, one.view.progress.refused, one.view.progress.sent) == (0, 1, 3)
        taken = [
            i for got in receiver.got if wanted[1] not in got.body for i in (x["id"] for x in json.loads(got.body))
        ]
        assert taken == [wanted[0], wanted[2], wanted[3]]
    assert "export-refused" in [alert.kind for alert in store.alerts(limit=9, wanted=AlertQuery())]


def test_what_is_not_wanted_is_passed_over(store: Store, clock: ManualClock) -> None:
    record(store, 1, site=SiteName("paris"), rule="deny-paris")
    mine = record(store, 1)
    store.record("a", [episode(), episode(id=EventId(new_id()), kind=EpisodeKind.LEAK, confidence=90)])
    store.record("b", [episode(id=EventId(new_id()), kind=EpisodeKind.LEAK, confidence=30)])
    with receiving() as receiver:
        narrow = config(receiver.url, sites=["berlin"], kinds=["hits", "leak"], confidence=50)
        with running(store, clock, narrow) as one:
            turns(one)
            assert one.view.behind == 0
        said = [item for got in receiver.got for item in json.loads(got.body)]
        assert [(item["type"], item["kind"]) for item in said] == [("event", "hits"), ("episode", "leak")]
        assert said[0]["id"] == mine[0]


def test_a_spool_that_is_full_leaves_the_rest_in_the_store(store: Store, clock: ManualClock) -> None:
    with receiving() as receiver:
        receiver.usual = status(503)
        with running(store, clock, config(receiver.url, spool_mib=1)) as one:
            wanted = record(store, 900, sources=(), device="d" * 120, rule="r" * 120)
            for _ in range(5):
                one.turn()
            assert one.view.spool_bytes < 1 << 20
            assert one.view.behind + one.view.waiting == 900
        receiver.usual = status(204)
        receiver.got.clear()
        clock.advance(timedelta(hours=1))
        with running(store, clock, config(receiver.url, spool_mib=1)) as one:
            turns(one, 500)
            assert one.view.progress.dropped == 0
        assert ids(receiver) == wanted


def test_what_is_dropped_is_told_in_its_place(store: Store, clock: ManualClock) -> None:
    with receiving() as receiver:
        receiver.usual = status(503)
        made = config(receiver.url, spool_mib=1, when_full="drop-oldest", batch=1000)
        with running(store, clock, made) as one:
            wanted = record(store, 3_000, device="d" * 120, rule="r" * 120)
            turns(one)
            dropped = one.view.progress.dropped
            assert dropped > 500
            receiver.usual = status(204)
            receiver.got.clear()
            clock.advance(timedelta(hours=1))
            turns(one)
        first, *rest = [item for got in receiver.got for item in json.loads(got.body)]
        assert (first["type"], first["missing"]) == ("gap", dropped)
        assert [item["id"] for item in rest] == wanted[dropped:]
    assert "export-dropped" in [alert.kind for alert in store.alerts(limit=9, wanted=AlertQuery())]


def test_a_replay_sends_again_under_the_same_ids(store: Store, clock: ManualClock) -> None:
    old = record(store, 2)
    clock.advance(timedelta(hours=1))
    since = clock.now()
    late = record(store, 2, rule="deny-late")
    with receiving() as receiver, running(store, clock, config(receiver.url)) as one:
        turns(one)
        note = AuditNote(actor="ann", action="export.replay", subject="siem")
        store.ask_replay("siem", store.journal_before(since), audit=note)
        turns(one)
        assert ids(receiver) == [*old, *late, *late]
        turns(one)
        assert len(ids(receiver)) == 6


def test_another_machine_goes_on_where_the_first_was(store: Store, clock: ManualClock) -> None:
    """Its folder is another one; what the first had taken and not sent is sent by the second."""
    with receiving() as receiver:
        taken = record(store, 3)
        with running(store, clock, config(receiver.url), "one") as one:
            turns(one)
            receiver.usual = status(503)
            late = record(store, 2, rule="deny-late")
            turns(one)
        receiver.usual = status(204)
        receiver.got.clear()
        with running(store, clock, config(receiver.url), "two") as one:
            turns(one)
        assert ids(receiver) == late
        assert not set(late) & set(taken)


def test_a_receiver_that_is_new_begins_with_what_comes(store: Store, clock: ManualClock) -> None:
    record(store, 2)
    with receiving() as receiver:
        made = WebhookExport(kind="webhook", url=receiver.url)
        with running(store, clock, made) as one:
            turns(one)
            wanted = record(store, 1, rule="deny-late")
            turns(one)
        assert ids(receiver) == wanted


def test_an_episode_that_grows_is_sent_as_it_is_then(store: Store, clock: ManualClock) -> None:
    with receiving() as receiver, running(store, clock, config(receiver.url)) as one:
        store.record("a", [episode(count=1)])
        turns(one)
        store.record("b", [episode(count=2)])
        store.record("c", [episode(count=3)])
        turns(one)
        said = [item for got in receiver.got for item in json.loads(got.body)]
        assert [(item["id"], item["count"]) for item in said] == [(episode().id, 1), (episode().id, 3)]
        assert said[0]["seq"] < said[1]["seq"]


def test_a_store_from_a_backup_does_not_silence_it(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with receiving() as receiver:
        store.backup(tmp_path / "kept.db")
        record(store, 3)
        with running(store, clock, config(receiver.url)) as one:
            turns(one)
        folder = tmp_path / "restored"
        folder.mkdir()
        (tmp_path / "kept.db").rename(folder / "store.db")
        receiver.got.clear()
        with again(store, clock) as _, Store.open(folder, clock=clock) as older:
            made = config(receiver.url)
            with closing(
                Exporter(
                    "siem",
                    made,
                    store=older,
                    folder=store._data_dir / "exports" / "siem",
                    clock=clock,
                    origin=ORIGIN,
                    wire=WebhookWire(made, clock, allowed=HERE),
                    privacy=privacy(store, clock),
                )
            ) as one:
                turns(one)
                wanted = record(older, 1)
                turns(one)
        assert ids(receiver) == wanted


def test_an_address_that_is_a_password_is_nowhere(
    store: Store, clock: ManualClock, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setenv("CHAT", "https://127.0.0.1:1/services/T0/B0/sesame")
    record(store, 1)
    made = WebhookExport(kind="webhook", url_secret="secret://env/CHAT", form="slack", begin="start")  # type: ignore[arg-type]
    with running(store, clock, made) as one:
        turns(one)
        assert one.view.progress.failures == 1
        assert "sesame" not in f"{one.view}{caplog.text}"
    assert all(b"sesame" not in path.read_bytes() for path in store._data_dir.rglob("*") if path.is_file())


def test_a_receiver_with_a_certificate_of_an_office_is_checked(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    made = certificates.make(tmp_path)
    wanted = record(store, 1)
    with receiving(tls=made.good.server()) as receiver:
        with running(store, clock, config(receiver.url), "unknown") as one:
            turns(one)
            assert one.view.progress.last_error.startswith("TLS: ")
        with running(store, clock, config(receiver.url, ca_file=made.authority), "known") as one:
            turns(one)
        assert ids(receiver) == wanted
