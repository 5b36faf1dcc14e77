"""What exceptions are looked for by, beside them: a list reads no others."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from controller.errors import StoreError
from controller.store.exception_query import said_by
from controller.store.jsons import EXCEPTION

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("service", sa.String),
        ("code", sa.String),
        ("owner", sa.String),
        ("requested_by", sa.String),
        ("said", sa.Text),
    ):
        op.add_column("exceptions", sa.Column(name, kind, nullable=False, server_default=""))
    found = sa.table("exceptions", *map(sa.column, ("id", "service", "code", "owner", "requested_by", "said")))
    connection = op.get_bind()
    for number, body in connection.execute(sa.text("SELECT id, body FROM exceptions")).all():
        with suppress(StoreError):  # what cannot be read is not shown either, and the check of the store tells of it
            kept = EXCEPTION.loads(body)
            known = {name: getattr(kept, name) for name in ("service", "code", "owner", "requested_by")}
            said = said_by(replace(kept, live_on=(), devices=()))
            connection.execute(sa.update(found).where(found.c.id == number).values(**known, said=said))
    op.create_index("ix_exceptions_owner", "exceptions", ["owner", "id"])
    op.create_index("ix_exceptions_requested_by", "exceptions", ["requested_by", "id"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
