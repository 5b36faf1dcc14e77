"""Exports to real receivers: rsyslog over TLS and TCP, down and up again, and a broker of Kafka's protocol."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.export.exporter import Exporter
from controller.export.forms import Form
from controller.export.kafka_wire import KafkaWire
from controller.export.syslog_wire import SyslogWire
from controller.inventory.exports import KafkaExport, SyslogExport
from controller.store import Store
from core.clock import ManualClock
from tests.controller.backends import only_a_file
from tests.controller.export.collectors import broker, collecting, rsyslog, until
from tests.controller.export.records import ORIGIN, privacy
from tests.controller.export.sasl import Door
from tests.controller.export.test_exporter import record, turns
from tests.ipsets import certificates
from tests.ipsets.certificates import Certificates

pytestmark = only_a_file


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def exporter(store: Store, clock: ManualClock, made: SyslogExport) -> Exporter:
    return Exporter(
        "siem",
        made,
        store=store,
        folder=store._data_dir / "exports" / "siem",
        clock=clock,
        origin=ORIGIN,
        wire=SyslogWire(made, clock),
        privacy=privacy(store, clock),
        jitter=lambda: 0.0,
    )


def syslog(port: int, **changes: Any) -> SyslogExport:
    said = {"kind": "syslog", "host": "127.0.0.1", "port": port, "begin": "start", **changes}
    return SyslogExport(**said)


def until_taken(one: Exporter, clock: ManualClock) -> None:
    """Time passes for the exporter while its receiver works."""

    def step() -> None:
        clock.advance(timedelta(seconds=0.5))
        one.turn()

    until(lambda: one.view.progress.sent and not one.view.waiting, why=one.view.progress.last_error, each=step)


def ids(lines: list[str]) -> list[str]:
    """In the order of their first coming."""
    found = [match[1] for line in lines if (match := re.search(r' id="([0-9a-z]{26})"', line))]
    return list(dict.fromkeys(found))


def test_rsyslog_takes_it_over_tls_in_order_and_over_a_restart(
    store: Store, clock: ManualClock, tmp_path: Path, signed: Certificates
) -> None:
    """The collector stops while messages are on their way, is away while more come, and has them all at the end."""
    with collecting(rsyslog(tmp_path, tls=signed)) as collector:
        made = syslog(collector.port, ca_file=signed.authority)
        with closing(exporter(store, clock, made)) as one:
            wanted = record(store, 30)
            until_taken(one, clock)
            wanted += record(store, 30, rule="deny-second")
            one.turn()  # written, and not confirmed
            collector.stop()
            wanted += record(store, 30, rule="deny-third")
            for _ in range(60):  # an hour of it
                one.turn()
                clock.advance(timedelta(minutes=1))
            assert one.view.progress.failures > 5
            assert one.view.waiting >= 30
            collector.start()
            until_taken(one, clock)
        until(lambda: len(ids(collector.lines)) == 90)
        assert ids(collector.lines) == wanted
        assert all(line.startswith("<133>1 2026-11-25T") for line in collector.lines)


def test_a_stop_of_ours_leaves_nothing_to_be_sent_twice(
    store: Store, clock: ManualClock, tmp_path: Path, signed: Certificates
) -> None:
    """The end of the stream is answered by the collector's own: so it has read everything."""
    with collecting(rsyslog(tmp_path, tls=signed)) as collector:
        made = syslog(collector.port, ca_file=signed.authority)
        wanted = record(store, 20)
        for _ in range(2):
            with closing(exporter(store, clock, made)) as one:
                turns(one)
        until(lambda: len(collector.lines) >= 20)
        assert ids(collector.lines) == wanted
    assert len(collector.lines) == 20


def test_the_collectors_certificate_is_checked(
    store: Store, clock: ManualClock, tmp_path: Path, signed: Certificates
) -> None:
    record(store, 1)
    with collecting(rsyslog(tmp_path, tls=signed)) as collector:
        for wrong, todo in (
            ({}, 'put the certificate of "tests\' authority" into `ca_file`'),
            (
                {"ca_file": signed.authority, "server_name": "another.test"},
                "it is for dns.test, 127.0.0.1, not for another.test: put one of its names into `server_name`",
            ),
        ):
            with closing(exporter(store, clock, syslog(collector.port, **wrong))) as one:
                turns(one)
                assert one.view.progress.last_error.startswith(f"127.0.0.1:{collector.port}: TLS: ")
                assert one.view.progress.last_error.endswith(todo)
                assert one.view.waiting == 1
        good = syslog(collector.port, ca_file=signed.authority, server_name=certificates.NAME)
        with closing(exporter(store, clock, good)) as one:
            until_taken(one, clock)


def test_a_collector_may_ask_who_we_are(store: Store, clock: ManualClock, tmp_path: Path, signed: Certificates) -> None:
    """Without our certificate it hangs up, and nothing counts as taken."""
    record(store, 1)
    key = f"secret://file{signed.good.key}"
    with collecting(rsyslog(tmp_path, tls=signed, asks_client=True)) as collector:
        known = {"ca_file": signed.authority}
        with closing(exporter(store, clock, syslog(collector.port, **known))) as one:
            until(lambda: one.view.progress.failures, each=one.turn)
            assert one.view.waiting == 1
        ours = {"client_cert": signed.good.certificate, "client_key": key}
        clock.advance(timedelta(hours=1))
        with closing(exporter(store, clock, syslog(collector.port, **known, **ours))) as one:
            until_taken(one, clock)
        until(lambda: collector.lines)


@pytest.mark.parametrize("framing", ["octet-counting", "newline"])
def test_rsyslog_takes_it_over_tcp(store: Store, clock: ManualClock, tmp_path: Path, framing: str) -> None:
    wanted = record(store, 700, sources=())
    with collecting(rsyslog(tmp_path)) as collector:
        made = syslog(collector.port, transport="tcp", framing=framing, form="cef")
        with closing(exporter(store, clock, made)) as one:
            until_taken(one, clock)
        until(lambda: len(collector.lines) == 700)
        found = [re.search("externalId=([0-9a-z]{26})", line) for line in collector.lines]
        assert [match and match[1] for match in found] == wanted


def test_a_key_that_fits_no_certificate_is_told(
    store: Store, clock: ManualClock, signed: Certificates, monkeypatch: Any
) -> None:
    monkeypatch.setenv("EXPORT_CLIENT_KEY", "sesame")
    with collecting(rsyslog(store._data_dir, tls=signed)) as collector:
        record(store, 1)
        made = syslog(collector.port, client_cert=signed.good.certificate, client_key="secret://env/EXPORT_CLIENT_KEY")
        with closing(exporter(store, clock, made)) as one:
            turns(one)
            assert "client_cert, client_key: not a certificate and its key" in one.view.progress.last_error
            assert "sesame" not in one.view.progress.last_error


# --- Kafka ------------------------------------------------------------------------------------------------------------


def consumed(port: int, topic: str, count: int) -> list[Any]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Any] = []
    try:
        until(
            lambda: len(found) >= count,
            each=lambda: found.extend(m for m in consumer.consume(500, 0.2) if not m.error()),
        )
    finally:
        consumer.close()
    return found


def test_a_broker_of_kafka_takes_it_in_order(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    with broker(tmp_path) as port:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        for made in admin.create_topics([NewTopic("tokgate", 1, 1)]).values():
            made.result(20)
        config = KafkaExport(
            kind="kafka", brokers=[f"127.0.0.1:{port}"], topic="tokgate", tls=False, form=Form.OCSF, begin="start"
        )
        wanted = record(store, 600, sources=())
        with closing(
            Exporter(
                "kafka",
                config,
                store=store,
                folder=tmp_path / "spool",
                clock=clock,
                origin=ORIGIN,
                wire=KafkaWire(config),
                privacy=privacy(store, clock),
            )
        ) as one:
            turns(one)
            assert (one.view.waiting, one.view.progress.last_error) == (0, "")
        found = consumed(port, "tokgate", 600)
    assert [json.loads(message.value())["metadata"]["uid"] for message in found] == wanted
    assert [dict(message.headers())["id"].decode() for message in found] == wanted


def kafka(port: int, **changes: Any) -> KafkaExport:
    said = {"kind": "kafka", "brokers": [f"127.0.0.1:{port}"], "topic": "tokgate", "begin": "start", **changes}
    return KafkaExport(**said)


def kafka_exporter(store: Store, clock: ManualClock, config: KafkaExport) -> Exporter:
    return Exporter(
        "kafka",
        config,
        store=store,
        folder=store._data_dir / "exports" / "kafka",
        clock=clock,
        origin=ORIGIN,
        wire=KafkaWire(config),
        privacy=privacy(store, clock),
        jitter=lambda: 0.0,
    )


def test_a_broker_over_tls_is_checked_and_then_takes_it(
    store: Store, clock: ManualClock, tmp_path: Path, signed: Certificates, monkeypatch: Any
) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    monkeypatch.setattr("controller.export.kafka_wire.SEND_SECONDS", 8)
    wanted = record(store, 3)
    with broker(tmp_path, tls=signed.good) as port:
        over = {"bootstrap.servers": f"127.0.0.1:{port}", "security.protocol": "ssl"}
        admin = AdminClient({**over, "ssl.ca.location": str(signed.authority)})
        for made in admin.create_topics([NewTopic("tokgate", 1, 1)]).values():
            made.result(20)
        with closing(kafka_exporter(store, clock, kafka(port))) as one:
            turns(one)
            assert one.view.waiting == 3
            assert "certificate verify failed" in one.view.progress.last_error
            assert "ca_file" in one.view.progress.last_error
        with closing(kafka_exporter(store, clock, kafka(port, ca_file=signed.authority))) as one:
            turns(one)
            assert (one.view.waiting, one.view.progress.last_error) == (0, "")
            assert one.view.progress.sent == len(wanted)


def test_a_broker_that_does_not_know_us_is_told_and_loses_nothing(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: Any, signed: Certificates
) -> None:
    """This broker keeps no users, so nobody is let in: what is proven is that we try, and say why it did not work."""
    monkeypatch.setattr("controller.export.kafka_wire.SEND_SECONDS", 8)
    monkeypatch.setenv("KAFKA_PASSWORD", "open-sesame")
    record(store, 1)
    who = {
        "sasl": "scram-sha-512",
        "username": "tokgate",
        "password": "secret://env/KAFKA_PASSWORD",
        "ca_file": signed.authority,
    }
    with (
        broker(tmp_path, tls=signed.good, asks_who=True) as port,
        closing(kafka_exporter(store, clock, kafka(port, **who))) as one,
    ):
        turns(one)
        assert one.view.waiting == 1
        assert "SASL authentication error" in one.view.progress.last_error
        assert "sesame" not in one.view.progress.last_error


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "scram-sha-512"])
def test_who_signs_in_is_let_in_and_nobody_else_is(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: Any, signed: Certificates, mechanism: str
) -> None:
    """The sign-in of the real client, checked by a front that knows one user; what it hands on, a real broker takes."""
    monkeypatch.setattr("controller.export.kafka_wire.SEND_SECONDS", 4)
    wanted = record(store, 3, sources=())
    door = Door(mechanism=mechanism.upper(), user="tokgate", password="open-sesame")
    who = {"sasl": mechanism, "username": "tokgate", "ca_file": signed.authority}
    monkeypatch.setenv("KAFKA_WRONG", "close-sesame")
    monkeypatch.setenv("KAFKA_RIGHT", "open-sesame")
    with broker(tmp_path, tls=signed.good, door=door) as port:
        wrong = kafka(port, **who, password="secret://env/KAFKA_WRONG")
        with closing(kafka_exporter(store, clock, wrong)) as one:
            turns(one)
            assert (one.view.waiting, one.view.progress.sent) == (3, 0)
            assert "authentication" in one.view.progress.last_error.lower()
            assert "sesame" not in one.view.progress.last_error
        assert (door.signed_in, set(door.turned_away) <= {"wrong password", "wrong user or password"}) == (0, True)
        clock.advance(timedelta(hours=1))
        right = kafka(port, **who, password="secret://env/KAFKA_RIGHT")
        with closing(kafka_exporter(store, clock, right)) as one:
            turns(one)
            assert (one.view.waiting, one.view.progress.last_error) == (0, "")
            assert one.view.progress.sent == len(wanted)
        assert door.signed_in >= 1


def test_a_broker_that_is_not_there_loses_nothing(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip("confluent_kafka")
    monkeypatch.setattr("controller.export.kafka_wire.SEND_SECONDS", 3)
    config = KafkaExport(kind="kafka", brokers=["127.0.0.1:1"], topic="tokgate", tls=False, begin="start")
    record(store, 2)
    wire = KafkaWire(config)
    with closing(
        Exporter(
            "k",
            config,
            store=store,
            folder=tmp_path / "spool",
            clock=clock,
            origin=ORIGIN,
            wire=wire,
            privacy=privacy(store, clock),
        )
    ) as one:
        turns(one)
        assert (one.view.waiting, one.view.progress.failures) == (2, 1)
        assert "kafka" in one.view.progress.last_error


def test_without_the_extra_that_is_said_and_nothing_ends(store: Store, clock: ManualClock, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    config = KafkaExport(kind="kafka", brokers=["127.0.0.1:1"], topic="tokgate", begin="start")
    record(store, 1)
    folder = store._data_dir / "spool"
    wire = KafkaWire(config)
    with closing(
        Exporter(
            "k",
            config,
            store=store,
            folder=folder,
            clock=clock,
            origin=ORIGIN,
            wire=wire,
            privacy=privacy(store, clock),
        )
    ) as one:
        turns(one)
        assert "pip install 'tokgate[kafka]'" in one.view.progress.last_error
        assert one.view.waiting == 1
