"""The store in a database of PostgreSQL.

One writer over all machines: every write begins with one advisory lock of its transaction, so what it reads is what is
committed, and the audit log is one chain (ADR 0026). Reads are ``REPEATABLE READ``: one picture, and they wait for
nobody. When the connection breaks while a commit is under way, the server is asked what became of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
import structlog
from psycopg.abc import RV, PQGen
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Connection, Engine, Executable, Row, create_engine, make_url, text
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoTurn
from sqlalchemy.pool import QueuePool

from controller.address import DatabaseAddress
from controller.errors import StoreError, StoreOutdated, StoreUnreachable
from controller.store.advisory import AdvisoryLocks, AdvisoryProcess, application_name
from controller.store.database import HURRY_SECONDS, READERS, Database, WouldWait, is_hurried
from controller.store.schema import metadata
from controller.store.shelf import without_nul

log = structlog.get_logger()

OLDEST: Final = 14
"""The oldest release that gets repairs from its makers."""
ASK_AGAIN: Final = timedelta(seconds=15)
"""How long the server is asked what became of a commit whose answer was lost."""
_PAUSE: Final = 0.2
_SILENCE: Final = 30.0
"""Seconds for which nobody counts on a quick answer after there was none."""
_DEFAULTS: Final[Mapping[str, str]] = {
    "connect_timeout": "10",
    "client_encoding": "utf8",
    # a server or a client that is gone is noticed in a minute, not in two hours
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_OPTIONS: Final = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
_WRITER: Final = "store"
_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_FACTS: Final = text(
    "SELECT CAST(current_setting('server_version_num') AS int), current_setting('server_encoding'), current_schema()"
)
_BEGIN: Final = text(
    "SELECT set_config('lock_timeout', :wait, true), pg_advisory_xact_lock(:key),"
    " CAST(pg_current_xact_id() AS text), CAST(pg_postmaster_start_time() AS text)"
)
_OUTCOME: Final = text("SELECT pg_xact_status(CAST(:id AS xid8)), CAST(pg_postmaster_start_time() AS text) = :since")
_FOREVER_AHEAD: Final = "22023"  # of a number that was never given out, or forgotten in a crash
_AUTHENTICATION: Final = ("authentication failed", "no password supplied", "pg_hba.conf", "password is required")


class _Change(NamedTuple):
    """Which transaction it is, and of which life of the server."""

    id: str
    since: str


class _ByteOrder(PGTypeCompiler):
    """Texts sort by their bytes, as in SQLite and in Python, whatever the database was made with; and their indexes
    outlive an upgrade of the system's collations."""

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return f'{super().visit_VARCHAR(type_, **kw)} COLLATE "C"'

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return f'{super().visit_TEXT(type_, **kw)} COLLATE "C"'


class PostgresDatabase(Database):
    """One database, open: one connection that writes, some that read, and one that holds the locks."""

    def __init__(self, address: DatabaseAddress) -> None:
        """Raises ``StoreError``; ``SecretUnavailable``."""
        self.address = address
        self._place = str(address)
        self.locks: AdvisoryLocks = advisory_locks(address)
        try:
            self._key = self.locks.key(_WRITER)
            self._writer = self._engine(address, size=1)
            self._readers = self._engine(address, size=READERS)
            self._refuse_unfit()
            self.process = AdvisoryProcess(self.locks)
        except BaseException:
            self.locks.close()
            raise

    @property
    def place(self) -> str:
        return self._place

    def _engine(self, address: DatabaseAddress, *, size: int) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect(address),
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self.write_wait.total_seconds(),
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",  # how a transaction begins is said by ``_begun``
        )
        engine.dialect.type_compiler_instance = _ByteOrder(engine.dialect)
        return engine

    def _refuse_unfit(self) -> None:
        """Raises ``StoreError`` for a server or a database that cannot hold a store."""
        with self._told(), self._picture() as connection:
            version, encoding, schema = connection.execute(_FACTS).one()
        if version < OLDEST * 10_000:
            raise StoreError(f"{self._place} is PostgreSQL {version // 10_000}", hint=f"PostgreSQL {OLDEST} or later")
        if encoding != "UTF8":
            raise StoreError(
                f"{self._place} keeps texts as {encoding}",
                hint="make the database anew: createdb --encoding=UTF8 --template=template0 …",
            )
        if schema is None:
            raise StoreError(f"{self._place} has no schema for our tables", hint="see search_path of its user")

    # --- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def _committed(self) -> Iterator[Connection]:
        with _begun(self._writer, _WRITE) as connection:
            change = self._wait_for_turn(connection)
            yield connection
            try:
                connection.commit()
            except DBAPIError as exc:
                if not (exc.connection_invalidated and self._was_committed(change)):
                    raise

    @contextmanager
    def _undone(self) -> Iterator[Connection]:
        with _begun(self._writer, _WRITE) as connection:
            self._wait_for_turn(connection)
            yield connection

    def _picture(self) -> AbstractContextManager[Connection]:
        return _begun(self._readers, _READ)

    def _rows(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Row[*tuple[Any, ...]]]:
        """Asked once more on a connection made anew when the one it was asked on broke, which nobody saw until then."""
        try:
            with self._readers.connect() as connection:
                return connection.execute(statement, parameters).all()
        except DBAPIError as exc:
            if is_hurried() or not exc.connection_invalidated:
                raise
        return super()._rows(statement, parameters)

    def _is_taken(self) -> bool:
        return time.monotonic() < _Connection.silent_until or super()._is_taken()

    def _wait_for_turn(self, connection: Connection) -> _Change:
        """Wait for our turn. Whoever had it before has committed when it is ours, and each statement sees that."""
        wait = int(self.write_wait.total_seconds() * 1000)
        row = connection.execute(_BEGIN, {"wait": str(max(wait, 1)), "key": self._key}).one()
        return _Change(str(row[2]), str(row[3]))

    def _was_committed(self, change: _Change) -> bool:
        """Ask until it is known; False: nothing of it was recorded. Raises ``StoreUnreachable``: it cannot be known."""
        deadline = time.monotonic() + ASK_AGAIN.total_seconds()
        while True:
            state, same_life = self._asked(change)
            if state == "aborted":
                return False
            if state == "committed" and same_life:
                return True
            # after a crash the number may be another transaction's: what it came to proves nothing
            if state == "committed" or time.monotonic() > deadline:
                raise StoreUnreachable(
                    f"the connection to {self._place} broke while a change was committed: whether it was is not known",
                    hint="look at what is there before doing it again",
                )
            time.sleep(_PAUSE)

    def _asked(self, change: _Change) -> tuple[str | None, bool]:
        try:
            with self._picture() as connection:
                state, same_life = connection.execute(_OUTCOME, change._asdict()).one()
        except DBAPIError as exc:
            return ("aborted" if getattr(exc.orig, "sqlstate", None) == _FOREVER_AHEAD else None), False
        return state, bool(same_life)

    def _told(self) -> AbstractContextManager[None]:
        return told(self._place, holder=lambda: self.locks.holder(self._key))

    # --- upkeep ---------------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """The server's own vacuum does that."""

    def check(self, *, full: bool, budget: timedelta) -> list[str]:
        """Whether all tables are there and every row can be read, and what the server itself has noted. The files are
        the server's: ``pg_amcheck`` and ``pg_checksums`` look deeper."""
        if not full:
            return []  # that the schema could be read is what a start needs
        found: list[str] = []
        with self._told(), self._picture() as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(budget.total_seconds() * 1000)}")
            found += (f"the index {name} is not valid" for name in connection.execute(_BAD_INDEXES).scalars())
            failures = connection.execute(_BAD_PAGES).scalar()
            found += [f"the server counts {failures} pages with a wrong checksum"] if failures else []
            there = set(connection.execute(_TABLES).scalars())
            found += (f"the table {name} is missing" for name in sorted(metadata.tables.keys() - there))
            for name in sorted(metadata.tables.keys() & there):
                found += _unreadable(connection, name)
        return found

    def refuse_unwritable(self) -> None:
        with self._told(), self._picture() as connection:
            if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
                raise _takes_no_writes(self._place)

    def backup(self, target: Path) -> None:
        raise StoreError(
            f"the store is in PostgreSQL, and its own tools copy it: {self._dump(str(target))}",
            hint="docs/runbooks/upgrade-and-backup.md says how it is put back",
        )

    def keep_before_upgrade(self, folder: Path, revision: str, at: datetime) -> None:
        raise StoreOutdated(
            f"the store has schema {revision} and an upgrade cannot be taken back; no backup is made here",
            hint=f"make one ({self._dump('FILE')}), then run `tokgate db upgrade`",
        )

    def _dump(self, target: str) -> str:
        return f"pg_dump --format=custom --file={target} '{self._place}'"

    def damaged(self, what: str) -> StoreError:
        return damaged(self._place, what)

    def close(self) -> None:
        self.process.close()
        self._readers.dispose()
        self._writer.dispose()
        self.locks.close()


_BAD_INDEXES: Final = text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT i.indisvalid AND c.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY 1"
)
_BAD_PAGES: Final = text("SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()")
_TABLES: Final = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
_TIME_IS_UP: Final = "57014"


def _unreadable(connection: Connection, table: str) -> list[str]:
    """Read each row whole, also what is kept outside of it."""
    try:
        with connection.begin_nested():
            connection.execute(text(f'SELECT count(hashtextextended(CAST(t AS text), 0)) FROM "{table}" t'))  # noqa: S608
    except DBAPIError as exc:
        if exc.connection_invalidated or getattr(exc.orig, "sqlstate", None) == _TIME_IS_UP:
            return [] if not exc.connection_invalidated else [f"the table {table} ends the server's session"]
        return [f"the table {table} cannot be read: {_first_line(exc.orig)}"]
    return []


@contextmanager
def _begun(engine: Engine, begin: str) -> Iterator[Connection]:
    """A transaction, undone unless it was committed within. A connection that broke since it was used last shows here:
    another one is made, once; that costs nothing, unlike asking each time."""
    for attempt in (1, 2):
        connection = engine.connect()
        try:
            connection.exec_driver_sql(begin)
            break
        except DBAPIError as exc:
            connection.close()
            if attempt == 2 or is_hurried() or not exc.connection_invalidated:
                raise
    with connection:
        yield connection


def advisory_locks(address: DatabaseAddress) -> AdvisoryLocks:
    """The locks of the store at that address. Raises ``StoreError``; ``SecretUnavailable``."""
    place = str(address)
    return AdvisoryLocks(lambda: _connect(address), translate=lambda: told(place))


class _WithoutNul(StrDumperUnknown):
    """PostgreSQL keeps no NUL in a text. What devices and strangers send may hold one, and is to be told of all the
    same; what is looked for with one is found nowhere."""

    def dump(self, obj: str) -> Any:
        return super().dump(without_nul(obj))


class _Connection(psycopg.Connection[Any]):
    """One that who is in a hurry gives up, and after which nobody hurries for a while."""

    silent_until = 0.0  # seconds of ``time.monotonic``

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if not is_hurried():
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, HURRY_SECONDS)
        except psycopg.errors._WaitTimeout:
            _Connection.silent_until = time.monotonic() + _SILENCE
            self.close()
            raise


def _connect(address: DatabaseAddress) -> psycopg.Connection[Any]:
    made = _Connection.connect(**_parameters(address))
    made.adapters.register_dumper(str, _WithoutNul)
    return made


def _parameters(address: DatabaseAddress) -> dict[str, Any]:
    """For libpq. The password is read here, at each connection: another one is taken up without a restart."""
    url = make_url(address.url)
    given = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    parts = {**_DEFAULTS, **url.translate_connect_args(username="user", database="dbname"), **given}
    parts["options"] = " ".join(filter(None, (_OPTIONS, given.get("options", ""))))
    parts["application_name"] = application_name()
    if address.password is not None:
        parts["password"] = address.password.resolve().reveal()
    return parts


# --- errors in words --------------------------------------------------------------------------------------------------


@contextmanager
def told(place: str, *, holder: Callable[[], str | None] = lambda: None) -> Iterator[None]:
    """Turn what SQLAlchemy and psycopg raise into ``StoreError``; ``holder()`` says who is writing."""
    try:
        yield
    except DBAPIError as exc:
        if exc.connection_invalidated and is_hurried():
            raise WouldWait from exc
        raise _in_words(place, exc.orig, holder, lost=exc.connection_invalidated) from exc
    except NoTurn as exc:
        raise StoreError(f"{place} is held by another thread of this process", hint="try again") from exc
    except SQLAlchemyError as exc:
        raise _in_words(place, exc, holder, lost=False) from exc
    except psycopg.Error as exc:
        raise _in_words(place, exc, holder, lost=False) from exc


def _in_words(place: str, cause: BaseException | None, holder: Callable[[], str | None], *, lost: bool) -> StoreError:
    state = getattr(cause, "sqlstate", None) or ""
    said = _first_line(cause)
    if lost or (state[:2] in ("08", "57") and state != _TIME_IS_UP):
        return StoreUnreachable(
            f"the connection to {place} broke: {said}",
            hint="nothing was recorded; it is made anew at the next try, and what the firewalls hold stays in force",
        )
    match state:
        case "55P03":
            return StoreError(f"the store is held by {holder() or 'somebody else'}", hint="try again")
        case "53100":
            return StoreError(
                f"the disk of {place} is full: nothing was recorded",
                hint="free space there; what the firewalls hold stays in force, and nothing is sent to them until then",
            )
        case "25006":
            return _takes_no_writes(place)
        case "42501":
            return StoreError(f"{place}: {said}", hint="the user in TOKGATE_DATABASE has to own its schema")
        case _ if state[:2] == "XX":
            return damaged(place, said)
        case "" | "28P01" | "28000" | "3D000" | "53300" if isinstance(cause, psycopg.OperationalError):
            return _unreachable(place, said)
        case _:
            return StoreError(f"{place}: {type(cause).__name__}: {said}", hint="run `tokgate db check`")


def _unreachable(place: str, said: str) -> StoreUnreachable:
    if any(words in said for words in _AUTHENTICATION):
        return StoreUnreachable(
            f"{place} refuses us: {said}", hint="see TOKGATE_DATABASE_PASSWORD, and pg_hba.conf there"
        )
    if "does not exist" in said:
        return StoreUnreachable(f"{place}: {said}", hint="docs/store.md says how the user and the database are made")
    return StoreUnreachable(
        f"{place} cannot be reached: {said}",
        hint="start the server, or correct TOKGATE_DATABASE; what the firewalls hold stays in force",
    )


def _first_line(cause: BaseException | None) -> str:
    """Without the values of rows that the server adds in further lines."""
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return (primary or str(cause)).strip().partition("\n")[0]


def _takes_no_writes(place: str) -> StoreError:
    return StoreError(
        f"{place} takes no writes: it is a standby, or was set to read only",
        hint="let TOKGATE_DATABASE name the primary",
    )


def damaged(place: str, what: str) -> StoreError:
    """What the server gives back is not what was written."""
    return StoreError(
        f"{place} is damaged: {what}",
        hint="stop tokgate, restore a backup into another database; what the firewalls hold stays in force",
    )
