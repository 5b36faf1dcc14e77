"""What firewalls said of connections that nobody made, and what probes tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("round", sa.String, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("exception", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("expected", sa.String, nullable=False),
        sa.Column("said", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_proofs_site", "proofs", ["site", "at", "id"])
    op.create_index("ix_proofs_at", "proofs", ["at", "id"])
    op.create_table(
        "proof_cells",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("origin", sa.String, primary_key=True),
        sa.Column("by", sa.String, primary_key=True),
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("role", sa.String, primary_key=True),
        sa.Column("exception", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("unknown", sa.Integer, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("leak", sa.String),
    )
    op.create_index("ix_proof_cells_at", "proof_cells", ["at"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
