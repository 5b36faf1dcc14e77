"""Records that are no evidence, by origin and reason, with the last few of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Number = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", Number, primary_key=True),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("site", sa.String),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.Text, nullable=False),
        sa.UniqueConstraint("origin", "why", name="uq_quarantine_origin"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_quarantine_last", "quarantine", ["last_at", "id"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
