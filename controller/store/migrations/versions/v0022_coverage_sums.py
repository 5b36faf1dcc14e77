"""The coverage of days as running sums, with what was kept of the promise. Housekeeping works it out again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("coverage_days")
    op.drop_table("coverage_kept")
    figures = ("enforced", "partial", "monitored", "off", "not_enforced", "unknown", "promised")
    op.create_table(
        "coverage_sums",
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("site", sa.String, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in figures),
    )
    op.create_table(
        "coverage_kept",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("basis", sa.String, nullable=False),
        sa.Column("target", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
