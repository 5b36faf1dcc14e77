"""A store on a server that is down, goes away, refuses, or is no server for us: each is said, and healed from."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from controller.address import DatabaseAddress, checked_address
from controller.audit import AuditNote
from controller.errors import Busy, StoreError, StoreUnreachable
from controller.locks import DeviceLocks, ServeLease
from controller.model import Run
from controller.store import Store
from controller.store.advisory import key_of
from controller.store.database import WouldWait, hurried, locks_of
from controller.store.postgres import _Connection
from core.clock import ManualClock, SystemClock
from core.errors import SecretUnavailable
from core.ids import RunId, new_id
from core.secret import SecretRef
from tests.controller.backends import address_of, again, behind, only_a_server
from tests.postgres import GUARDED, Server, why_none

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AT_ONCE = timedelta(0)
NOTE = AuditNote(actor="alice", action="test.change", subject="thing")

pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that tests may stop and kill."""
    server = Server(syncs=True)
    yield server
    server.remove()


@pytest.fixture
def far(mortal: Server, tmp_path: Path) -> Iterator[Store]:
    """A store on it."""
    name = mortal.create()
    with Store.open(tmp_path, address=mortal.address(name), clock=SystemClock()) as store:
        yield store


def cut(store: Store, server: Server, *, but: int | None = None) -> None:
    """End the sessions of the store on the server, as an administrator or a dead network does."""
    name = str(address_of(store)).rpartition("/")[2]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid IS DISTINCT FROM %s"
    server.sql(others, name, but)


# --- what is kept -----------------------------------------------------------------------------------------------------


@only_a_server
def test_texts_sort_by_their_bytes_whatever_the_database_was_made_with(store: Store) -> None:
    asked = """
        SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()
        AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'
    """
    assert behind(store, asked) == []
    assert behind(store, "SELECT count(*) FROM information_schema.columns WHERE collation_name = 'C'") != [(0,)]


@only_a_server
def test_numbers_that_grow_for_ever_have_room(store: Store) -> None:
    """Ten thousand devices fill a plain integer in a few years."""
    asked = """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE column_default LIKE 'nextval%' AND data_type <> 'bigint'
    """
    assert behind(store, asked) == []
    behind(store, "ALTER SEQUENCE alerts_id_seq RESTART WITH 5000000000")


def test_what_nothing_can_keep_is_marked(store: Store) -> None:
    """A device may send anything; a text with the character NUL cannot stand in PostgreSQL."""
    entry = store.append_audit(replace(NOTE, reason="a\0b", subject="\0", detail={"said": "c\0d"}))
    assert (entry.reason, entry.subject) == ("a\N{REPLACEMENT CHARACTER}b", "\N{REPLACEMENT CHARACTER}")
    assert store.audit_entries() == [entry]
    assert store.verify_audit() == []
    run = Run(id=RunId(new_id()), trigger="te\0st", actor="x", started_at=NOW, finished_at=None)
    store.start_run(run)
    assert store.run(run.id).trigger in ("te\0st", "te\N{REPLACEMENT CHARACTER}st")
    assert store.person_with_hash("anna\0") is None


# --- a server that goes away ------------------------------------------------------------------------------------------


def test_a_cut_connection_is_not_noticed_between_two_calls(far: Store, mortal: Server) -> None:
    far.append_audit(NOTE)
    cut(far, mortal)
    assert len(far.audit_entries()) == 1
    cut(far, mortal)
    far.append_audit(NOTE)
    assert far.verify_audit() == []


def test_a_connection_cut_within_a_change_undoes_it_and_the_next_works(far: Store, mortal: Server) -> None:
    with pytest.raises(StoreUnreachable, match=r"broke: .*administrator.*nothing was recorded"), far._db.write() as way:
        way.exec_driver_sql("INSERT INTO meta VALUES ('half', 'x')")
        cut(far, mortal)
        way.exec_driver_sql("INSERT INTO meta VALUES ('other', 'x')")
    assert behind(far, "SELECT count(*) FROM meta WHERE key IN ('half', 'other')") == [(0,)]
    far.append_audit(NOTE)


@contextmanager
def says_nothing(store: Store, server: Server) -> Iterator[None]:
    """The server, when it is asked for what the audit log says."""
    name = str(address_of(store)).rpartition("/")[2]
    with psycopg.connect(server.conninfo(name)) as other:
        other.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        yield


def test_who_is_in_a_hurry_gives_up_a_server_that_says_nothing(
    far: Store, mortal: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Connection, "silent_until", 0.0)
    far.append_audit(NOTE)
    with hurried():
        assert len(far.audit_entries()) == 1
        with says_nothing(far, mortal), pytest.raises(WouldWait):
            far.audit_entries()
        assert far._db._is_taken(), "for a while nobody counts on a quick answer"
        monkeypatch.setattr(_Connection, "silent_until", 0.0)
        with suppress(WouldWait):  # the connection was given up, and a new one is made in peace
            far.audit_entries()
    assert len(far.audit_entries()) == 1
    with hurried():
        assert len(far.audit_entries()) == 1
        cut(far, mortal)
        with pytest.raises(WouldWait):
            far.token_by_prefix("none")
    assert far.token_by_prefix("none") == []


@contextmanager
def the_next_commit(before: Callable[[], None], after: Callable[[], None]) -> Iterator[None]:
    """What happens around it. The connection itself then says what it makes of that."""
    real = psycopg.Connection.commit

    def commit(connection: psycopg.Connection[object]) -> None:
        psycopg.Connection.commit = real  # type: ignore[method-assign]
        before()
        real(connection)
        after()
        connection.execute("SELECT 'the answer to the commit'")

    psycopg.Connection.commit = commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        psycopg.Connection.commit = real  # type: ignore[method-assign]


def nothing() -> None:
    pass


def test_a_commit_whose_answer_was_lost_is_known_to_be_done(far: Store, mortal: Server) -> None:
    with the_next_commit(before=nothing, after=lambda: cut(far, mortal)):
        far.append_audit(NOTE)
    assert len(far.audit_entries()) == 1


def test_a_commit_that_never_arrived_is_known_to_be_undone(far: Store, mortal: Server) -> None:
    with (
        the_next_commit(before=lambda: cut(far, mortal), after=nothing),
        pytest.raises(StoreUnreachable, match="nothing was recorded"),
    ):
        far.append_audit(NOTE)
    assert far.audit_entries() == []


def test_a_commit_before_a_crash_is_not_guessed_at(far: Store, mortal: Server) -> None:
    """After a crash the server may give the transaction's number to another one."""

    def crash() -> None:
        mortal.stop(how=signal.SIGQUIT)
        mortal.start()

    with (
        the_next_commit(before=nothing, after=crash),
        pytest.raises(StoreUnreachable, match=r"whether it was is not known.*look at what is there"),
    ):
        far.append_audit(NOTE)
    assert len(far.audit_entries()) == 1


def test_after_a_crash_what_was_answered_is_there_and_the_next_call_works(far: Store, mortal: Server) -> None:
    for number in range(20):
        far.append_audit(replace(NOTE, subject=str(number)))
    mortal.stop(how=signal.SIGQUIT)
    for call in (far.audit_entries, far.ping, lambda: far.append_audit(NOTE)):
        with pytest.raises(StoreUnreachable, match=r"cannot be reached: .*refused.*stays in force"):
            call()
    mortal.start()
    assert [entry.subject for entry in far.audit_entries()] == [str(n) for n in reversed(range(20))]
    far.append_audit(NOTE)
    assert far.check() == []


def test_a_server_that_is_down_is_said_at_the_start(mortal: Server, tmp_path: Path) -> None:
    name = mortal.create()
    mortal.stop()
    with pytest.raises(
        StoreUnreachable, match=rf"^TG5013 postgresql://tokgate@127.0.0.1:{mortal.port}/{name} cannot be"
    ):
        Store.open(tmp_path, address=mortal.address(name), clock=SystemClock())
    mortal.start()
    Store.open(tmp_path, address=mortal.address(name), clock=SystemClock()).close()


# --- locks ------------------------------------------------------------------------------------------------------------


def test_i08_a_device_whose_lock_was_lost_is_not_changed(far: Store, mortal: Server) -> None:
    """With the connection goes the lock, and another machine may be at the device by now."""
    locks = DeviceLocks(far.locks)
    with locks.hold("fw-a", wait=AT_ONCE):
        locks.refuse_lost("fw-a")
        cut(far, mortal)
        with pytest.raises(StoreError, match="fw-a: the connection that holds its lock broke, so nothing was sent"):
            locks.refuse_lost("fw-a")
    with locks.hold("fw-a", wait=AT_ONCE):
        locks.refuse_lost("fw-a")


def test_a_process_whose_connection_was_cut_is_no_dead_one(far: Store, mortal: Server) -> None:
    run = Run(id=RunId(new_id()), trigger="test", actor="x", started_at=NOW, finished_at=None)
    with again(far, SystemClock()) as other:
        far.start_run(run)
        assert other.mark_abandoned(NOW) == []
        cut(far, mortal)
        far.start_run(replace(run, id=RunId(new_id())))
        assert other.mark_abandoned(NOW) == []
        assert far.run(run.id).finished_at is None


def test_the_schedule_is_taken_again_unless_somebody_else_has_it(mortal: Server, far: Store) -> None:
    place = (far._data_dir, address_of(far))
    with locks_of(*place) as mine, locks_of(*place) as others, ServeLease(mine, over="it") as lease:
        cut(far, mortal)
        assert lease.is_held()
        with pytest.raises(Busy), ServeLease(others, over="it"):
            pass
        cut(far, mortal)
        with ServeLease(others, over="it"):
            assert not lease.is_held()
        assert lease.is_held()


def test_a_writer_that_takes_long_is_named(far: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far._db, "write_wait", timedelta(milliseconds=50))
    with (
        again(far, SystemClock()) as other,
        other._db.write(),
        pytest.raises(StoreError, match=r"the store is held by process \d+ on host"),
    ):
        far.append_audit(NOTE)
    far.append_audit(NOTE)


def test_two_schemas_of_one_database_do_not_wait_for_each_other() -> None:
    assert len({key_of(schema, name) for schema in ("a", "b") for name in ("store", "serve", "locks/fw-a")}) == 6


# --- servers that will not do -----------------------------------------------------------------------------------------


def test_i09_the_password_is_a_reference_read_at_each_connection(
    mortal: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = mortal.create()
    mortal.sql(f"CREATE ROLE {GUARDED} LOGIN PASSWORD 'hunter2'")
    mortal.sql(f"ALTER DATABASE {name} OWNER TO {GUARDED}")
    url = checked_address(f"postgresql://{GUARDED}@127.0.0.1:{mortal.port}/{name}")
    address = DatabaseAddress(url, SecretRef("env", "DATABASE_PASSWORD"))
    with pytest.raises(SecretUnavailable, match="DATABASE_PASSWORD"):
        Store.open(tmp_path, address=address, clock=SystemClock())
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter3")
    with pytest.raises(StoreUnreachable, match=r"refuses us: .*TOKGATE_DATABASE_PASSWORD") as refused:
        Store.open(tmp_path, address=address, clock=SystemClock())
    assert "hunter" not in f"{refused.value} {refused.value.__cause__!r} {refused.value.__cause__}"
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    with Store.open(tmp_path, address=address, clock=SystemClock()) as store:
        store.append_audit(NOTE)
        mortal.sql(f"ALTER ROLE {GUARDED} PASSWORD 'hunter4'")
        monkeypatch.setenv("DATABASE_PASSWORD", "hunter4")
        cut(store, mortal)
        store.append_audit(NOTE)  # another password needs no restart
        assert "hunter" not in repr(vars(store._db)) + store.place


@pytest.mark.parametrize(
    ("making", "said"),
    [
        ("CREATE DATABASE {} TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'", "keeps texts as LATIN1"),
        ("", 'database "no-such" does not exist.*docs/store.md'),
    ],
    ids=["encoding", "missing"],
)
def test_a_database_that_cannot_hold_a_store_is_refused_in_words(
    making: str, said: str, mortal: Server, tmp_path: Path
) -> None:
    name = "no-such"
    if making:
        name = f"t{new_id()}".lower()
        mortal.sql(making.format(name))
    with pytest.raises(StoreError, match=said):
        Store.open(tmp_path, address=mortal.address(name), clock=SystemClock())


def test_a_server_that_takes_no_writes_is_said(far: Store, mortal: Server) -> None:
    name = str(address_of(far)).rpartition("/")[2]
    mortal.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    cut(far, mortal)
    assert far.audit_entries() == []
    with pytest.raises(StoreError, match=r"takes no writes.*name the primary"):
        far.append_audit(NOTE)


# --- upkeep -----------------------------------------------------------------------------------------------------------


@only_a_server
def test_a_backup_is_left_to_the_servers_own_tools(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"pg_dump --format=custom --file=\S+/x 'postgresql://"):
        store.backup(tmp_path / "x")
    assert not (tmp_path / "x").exists()


@only_a_server
def test_a_check_finds_what_is_missing_and_what_was_changed(store: Store) -> None:
    store.append_audit(NOTE)
    assert store.check() == []
    behind(store, "UPDATE audit SET actor = 'mallory'")
    behind(store, "DROP TABLE readings")
    behind(store, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_events_end'::regclass")
    found = "\n".join(store.check())
    assert "the table readings is missing" in found
    assert "the index ix_events_end is not valid" in found
    assert "entry 1 does not match its hash" in found


@only_a_server
def test_housekeeping_keeps_to_what_is_ours(store: Store, clock: ManualClock) -> None:
    store.append_audit(NOTE)
    clock.advance(timedelta(days=999))
    store.housekeeping(retention=timedelta(days=1))
    assert len(store.audit_entries()) == 1
