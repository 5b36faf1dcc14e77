"""Which exceptions each device was last read back holding; and lists of exceptions in one state, in order."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    held = op.create_table(
        "device_exceptions",
        sa.Column("exception", sa.String, primary_key=True),
        sa.Column("device", sa.String, primary_key=True, index=True),
    )
    known = op.get_bind().execute(sa.text("SELECT device, body FROM device_status")).all()
    rows = [
        {"exception": exception, "device": device}
        for device, body in known
        for exception in sorted(set(json.loads(body).get("exceptions", ())))
    ]
    if rows:
        op.bulk_insert(held, rows)
    op.drop_index("ix_exceptions_state", "exceptions")
    op.create_index("ix_exceptions_state", "exceptions", ["state", "id"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
