"""From a file into PostgreSQL: every row of every table, the chain of the audit log, and what numbers come next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, LargeBinary, Table, insert, select

from api.cli.main import main
from controller.alerts import AlertNote
from controller.audit import AuditNote
from controller.errors import Busy, Conflict, NotFound, StoreError
from controller.store import Store
from controller.store.copying import copy_store
from controller.store.schema import Instant, metadata
from core.clock import ManualClock
from core.errors import ExitCode
from tests.controller.backends import Databases, behind
from tests.controller.conftest import NOON
from tests.controller.test_store import exception, token


@pytest.fixture
def file(tmp_path: Path, migrated: Path, clock: ManualClock) -> Iterator[Store]:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    with Store.open(tmp_path, clock=clock, migrate=False) as opened:
        yield opened


@pytest.fixture
def server(databases: Databases, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(tmp_path / "other", address=databases.empty(), clock=clock, migrate=False) as opened:
        yield opened


def a_row(table: Table) -> dict[str, Any]:
    """Something in every column, so that a column that got lost shows."""
    return {column.name: _value(table, column) for column in table.columns}


def _value(table: Table, column: Any) -> Any:
    for key in column.foreign_keys:
        return _value(key.column.table, key.column)
    match column.type:
        case Instant():
            return NOON + timedelta(hours=column.name in ("ends", "end"))
        case Boolean():
            return True
        case LargeBinary():
            return b"\0\xff'\\"
        case kind if kind._type_affinity is Integer:
            return 7
        case _:
            return f"{table.name}.{column.name}: Ä\U0001f9ed '\\ \n"


def test_every_table_is_carried_over_row_by_row(file: Store, server: Store) -> None:
    kept = [table for table in metadata.sorted_tables if table.name not in ("meta", "audit")]
    with file._db.write() as connection:
        for table in kept:
            connection.execute(insert(table), [a_row(table)])
    copied = copy_store(file, server, actor="cli:ann")
    assert copied.rows == {**{table.name: 1 for table in kept}, "meta": 1}
    with file._db.read() as here, server._db.read() as there:
        for table in kept:
            assert here.execute(select(table)).all() == there.execute(select(table)).all(), table.name


def test_what_was_kept_is_used_on_and_numbers_go_on(file: Store, server: Store, clock: ManualClock) -> None:
    asked = exception(reason="with a \0 in it")
    file.add_exception(asked, audit=AuditNote(actor="ann", action="exception.request", subject=asked.id))
    file.add_token(token(), "digest")
    noticed = AlertNote(kind="moved", subject="AS1", message="it moved", detail={})
    for _ in range(3):
        file.save_source_records([], alerts=[noticed])
    behind(file, "DELETE FROM alerts WHERE id = 3")
    copied = copy_store(file, server, actor="cli:ann")
    assert server.instance_id() == file.instance_id(), "the marks on the devices are still ours"
    assert server.exception(asked.id).owner == asked.owner
    assert server.token_by_prefix(token().prefix)[0][1] == "digest"
    assert server.verify_audit() == []
    newest, before = server.audit_entries()
    assert (newest.action, newest.actor, before.seq, before.hash) == (
        "store.copy",
        "cli:ann",
        copied.head.seq,
        copied.head.hash,
    )
    assert file.audit_entries() == [before], "the file stays as it was"
    server.save_source_records([], alerts=[noticed])
    assert server.alerts()[0].id == 4, "a number that was shown stands for nothing else"


def test_nothing_is_copied_over_something(file: Store, server: Store) -> None:
    server.append_audit(AuditNote(actor="ann", action="a", subject="s"))
    instance = server.instance_id()
    with pytest.raises(Conflict, match="is not empty: there is something in"):
        copy_store(file, server, actor="cli:ann")
    assert (len(server.audit_entries()), server.instance_id()) == (1, instance)


def test_a_broken_chain_is_not_carried_over(file: Store, server: Store) -> None:
    for number in range(3):
        file.append_audit(AuditNote(actor="ann", action="a", subject=f"s{number}"))
    behind(file, "UPDATE audit SET reason = 'another' WHERE seq = 2")
    with pytest.raises(StoreError, match="entry 2 does not match its hash"):
        copy_store(file, server, actor="cli:ann")
    assert server.audit_entries() == []


def test_what_is_read_back_otherwise_is_not_kept(file: Store, server: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that keeps a text shorter than it was given, played by a trigger."""
    file.save_source_records([], alerts=[AlertNote(kind="moved", subject="AS1", message="it moved", detail={})])
    behind(
        server,
        "CREATE FUNCTION cut() RETURNS trigger AS $$ BEGIN NEW.message := 'it'; RETURN NEW; END $$ LANGUAGE plpgsql",
    )
    behind(server, "CREATE TRIGGER cut BEFORE INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION cut()")
    try:
        with pytest.raises(StoreError, match="the table alerts came out otherwise: 1 rows of 1"):
            copy_store(file, server, actor="cli:ann")
        assert server.alerts() == []
    finally:
        behind(server, "DROP TRIGGER cut ON alerts")
        behind(server, "DROP FUNCTION cut")


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_copies_once_and_says_what_stands_in_the_way(
    file: Store, databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.append_audit(AuditNote(actor="ann", action="a", subject="s"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(file.path.parent))
    monkeypatch.delenv("TOKGATE_DATABASE", raising=False)
    assert (main(["db", "copy"]), "TOKGATE_DATABASE is not set" in capsys.readouterr().err) == (
        ExitCode.BAD_CONFIGURATION,
        True,
    )
    monkeypatch.setenv("TOKGATE_DATABASE", databases.empty().url)
    with file.lease():
        assert (main(["db", "copy"]), "stop the other" in capsys.readouterr().err) == (Busy.exit_code, True)
    assert main(["db", "copy"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "the audit log holds, up to entry 1" in said.out
    assert main(["db", "copy"]) == Conflict.exit_code
    assert "is not empty" in capsys.readouterr().err
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(file.path.parent / "none"))
    assert (main(["db", "copy"]), "no store in" in capsys.readouterr().err) == (NotFound.exit_code, True)
