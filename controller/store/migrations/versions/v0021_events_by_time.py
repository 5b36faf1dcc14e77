"""The proofs of a device lie in the order of their end, so that new ones are written side by side and an index less is
kept; exceptions are found among the events that have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_events_device", "events")
    op.drop_index("ix_events_exception", "events")
    with op.batch_alter_table("events") as events:
        events.drop_constraint("uq_events_proof", type_="unique")
        events.create_unique_constraint("uq_events_proof", ["device", "end", "rule", "start"])
    excepted = sa.text("exception IS NOT NULL")
    columns = ["exception", "end", "id"]
    op.create_index("ix_events_exception", "events", columns, postgresql_where=excepted, sqlite_where=excepted)


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
