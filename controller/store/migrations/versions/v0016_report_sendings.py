"""Which scheduled reports went where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_sendings",
        sa.Column("report", sa.String, primary_key=True),
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("retry_at", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
