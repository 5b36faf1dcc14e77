"""Which schema a store has, and the way to the newest. Alembic is loaded only when there is something to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from controller.errors import StoreOutdated
from controller.store.schema import REVISION

MIGRATIONS: Final = Path(__file__).with_name("migrations")


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None for a file without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def refuse_foreign(revision: str | None, *, migrate: bool) -> None:
    """Raises ``StoreOutdated`` unless the schema is the newest, or older and may be migrated."""
    if revision == REVISION:
        return
    if revision is not None and revision > REVISION:
        raise StoreOutdated(
            f"the store has schema {revision}, this version knows {REVISION}: a newer tokgate wrote it",
            hint="run that newer version, or restore a backup from before its upgrade",
        )
    if not migrate:
        raise StoreOutdated(
            f"the store has schema {revision or 'none'}, this version needs {REVISION}",
            hint="run `tokgate db upgrade`; it makes a backup first",
        )


def migrate(connection: Connection) -> None:
    """To the newest schema, inside the connection's transaction: all of it or nothing. Raises ``StoreOutdated``."""
    from alembic import command  # 10 MB and 0.2 s that a store at the newest schema never needs
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise StoreOutdated(f"the store cannot be upgraded: {exc}", hint="restore a backup of a known version") from exc
