"""What evidence of all kinds came to, and which batches of it were taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("device", sa.String),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("source", sa.String),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("role", sa.String),
        sa.Column("indicator", sa.String, nullable=False),
        sa.Column("app", sa.String, nullable=False),
        sa.Column("surface", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("exception", sa.String),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("confidence", sa.Integer, nullable=False),
        sa.Column("count", sa.BigInteger),
        sa.Column("packets", sa.BigInteger),
        sa.Column("octets", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("threads", sa.Text),
    )
    op.create_index("ix_episodes_end", "episodes", ["end", "id"])
    op.create_index("ix_episodes_site", "episodes", ["site", "end", "id"])
    op.create_index("ix_episodes_client", "episodes", ["client", "end"])
    op.create_index("ix_episodes_kind", "episodes", ["kind", "site", "end", "id"])
    op.create_table(
        "evidence_batches",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_evidence_batches_at", "evidence_batches", ["at"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
