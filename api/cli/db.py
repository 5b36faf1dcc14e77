"""``tokgate db``: the store behind everything: bring it up to date, copy it, check it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli import opening
from api.cli.apply import confirm
from api.cli.options import As, AsPlain, Output, Plain, Yes
from api.cli.show import note, say, show_json, show_rows
from api.cli.wait import working
from core.errors import ExitCode

if TYPE_CHECKING:
    from api.retention_models import SiteRetention
    from controller.store import Store

app = typer.Typer(no_args_is_help=True, help="The store: bring it up to date, copy it, check it.")

_STORE: Final = "the store is a file, or a database, of the server"


@contextmanager
def _store(*, migrate: bool = False) -> Iterator[Store]:
    """The store; no inventory is needed."""
    from controller.store import Store
    from core.clock import SystemClock

    found = opening.settings()
    with Store.open(
        found.data_dir,
        address=found.address,
        clock=SystemClock(),
        migrate=migrate,
        is_backed_up=found.address is not None,  # whoever says `upgrade` was told to make it
    ) as store:
        yield store


@app.command()
@opening.only_here(_STORE)
def upgrade() -> None:
    """Bring the store to this version's schema, after a backup beside it; make it when there is none.

    In PostgreSQL the backup is yours to make first, with pg_dump.
    """
    with working("upgrading the store"), _store(migrate=True) as store:
        say(f"the store is at schema {store.schema_version}")


@app.command()
@opening.only_here(_STORE)
def backup(file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; must not exist yet.")]) -> None:
    """Copy the store while it is in use. The copy holds together and opens like the original.

    A store in PostgreSQL is copied by pg_dump: this says how.
    """
    with _store() as store, working("copying the store"):
        store.backup(file)
    say(f"copied to {file}")


@app.command()
@opening.only_here(_STORE)
def copy(output: AsPlain = Plain.TABLE) -> None:
    """Copy the store file of TOKGATE_DATA_DIR into the empty database of TOKGATE_DATABASE, all of it or nothing.

    Stop `tokgate serve` first. What was written is read back and compared, and the audit chain is verified. The file
    stays as it is: keep it as a backup, and start nothing over it any more.
    """
    with _both() as (source, target), working("copying the store"):
        from controller.store.copying import copy_store

        copied = copy_store(source, target, actor=opening.actor())
        places = (source.place, target.place)
    if output is Plain.JSON:
        head = {"seq": copied.head.seq, "hash": copied.head.hash}
        show_json({"from": places[0], "to": places[1], "rows": dict(copied.rows), "audit_head": head})
        return
    say(f"copied: {sum(copied.rows.values())} rows of {len(copied.rows)} tables from {places[0]} to {places[1]}")
    say(f"the audit log holds, up to entry {copied.head.seq} with hash {copied.head.hash}")
    note("start nothing over the file any more: devices take orders from one store")


@contextmanager
def _both() -> Iterator[tuple[Store, Store]]:
    """The file and the database, with no schedule over either."""
    from controller.errors import NotFound
    from controller.store import Store
    from controller.store.database import is_there
    from core.clock import SystemClock
    from core.errors import ConfigError

    found, clock = opening.settings(), SystemClock()
    if found.address is None:
        raise ConfigError("TOKGATE_DATABASE is not set", hint="it names the database to copy into; see docs/store.md")
    if not is_there(found.data_dir, None):
        raise NotFound(f"no store in {found.data_dir}", hint="set TOKGATE_DATA_DIR to the folder of the file")
    with (
        Store.open(found.data_dir, clock=clock, migrate=False) as source,
        source.lease(),
        Store.open(found.data_dir, address=found.address, clock=clock, is_backed_up=True) as target,
        target.lease(),
    ):
        yield source, target


@app.command()
@opening.only_here(_STORE)
def check(output: AsPlain = Plain.TABLE) -> int:
    """Check the store for damage, the chain of the audit log included. Ends with 1 when there is any.

    In PostgreSQL every row is read, and what the server noted is told; pg_amcheck looks deeper there.
    """
    with _store() as store, working("checking the store"):
        found = store.check()
    if output is Plain.JSON:
        show_json({"intact": not found, "damage": found})
    else:
        say("\n".join(found) if found else "the store is intact")
    return ExitCode.ERROR if found else ExitCode.DONE


@app.command()
@opening.only_here(_STORE)
def sums(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Add everything up again.")] = False,
    output: AsPlain = Plain.TABLE,
) -> int:
    """Compare what reports are added up from with the events themselves. Ends with 1 when something differs.

    With --rebuild it is put right, from the first day on of which events are kept; older sums stay.
    """
    with opening.controller() as controller, working("adding events up"):
        found = controller.reports.rebuild_sums(actor=opening.actor()) if rebuild else controller.reports.check_sums()
    if output is Plain.JSON:
        show_json({"rows": found.rows, "wrong": found.wrong, "rebuilt": rebuild})
    else:
        put_right = ", all put right" if rebuild and found.wrong else ""
        say(f"{found.wrong} of {found.rows} sums said something else than the events{put_right}")
    return ExitCode.ERROR if found.wrong and not rebuild else ExitCode.DONE


@app.command()
def retention(
    run: Annotated[bool, typer.Option("--run", help="Drop it now; only told when left out.")] = False,
    yes: Yes = False,
    output: As = Output.TABLE,
) -> None:
    """Say what each site keeps for how long, and what of it is due to go; with --run, drop that.

    `tokgate serve` does it every hour. Figures of reports stay, without who clients were. What went is in the audit
    log. Of a site with a hold nothing goes.
    """
    if run:
        opening.refuse_elsewhere("a server drops by itself, every hour, what is due")
        found = _dropped(yes=yes)
    else:
        with opening.counterpart() as asked:
            found = asked.retention()
    show_rows(found, _RETENTION, output, none="no site keeps anything")


def _dropped(*, yes: bool) -> list[SiteRetention]:
    from api.retention_models import SiteRetention

    with opening.controller() as controller:
        if due := sum(sum(one.counts.values()) for one in controller.retention.look()):
            confirm(f"Drop or change {due} rows for good?", yes=yes)
        return [SiteRetention.of(one) for one in controller.retention.run(actor=opening.actor())]


def _goes(row: SiteRetention) -> str:
    counts = {} if row.due is None else row.due.model_dump()
    return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items() if count) or "nothing"


_RETENTION: Final[dict[str, Any]] = {
    "site": lambda row: row.site,
    "events": lambda row: f"{row.events_days} d",
    "episodes": lambda row: f"{row.episodes_days} d",
    "identities": lambda row: f"{row.identities_days} d",
    "proofs": lambda row: f"{row.proofs_days} d",
    "hold": lambda row: row.hold,
    "goes": _goes,
}
