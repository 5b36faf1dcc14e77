"""People who sign in, their sessions, and tokens that have an owner, sites, and an old secret for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("sites", sa.Text),
        sa.Column("issuer", sa.String),
        sa.Column("subject", sa.String),
        sa.Column("hash", sa.String),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.BigInteger),
        sa.Column("last_sign_in_at", sa.BigInteger),
        sa.UniqueConstraint("issuer", "subject", name="uq_people_identity"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False, unique=True),
        sa.Column("person", sa.String, sa.ForeignKey("people.name"), nullable=False, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("idle_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("revoked_at", sa.BigInteger),
    )
    for column in (
        sa.Column("owner", sa.String),
        sa.Column("sites", sa.Text),
        sa.Column("rotated_at", sa.BigInteger),
        sa.Column("old_prefix", sa.String),
        sa.Column("old_hash", sa.String),
        sa.Column("old_until", sa.BigInteger),
    ):
        op.add_column("tokens", column)
    op.create_index("ix_tokens_old_prefix", "tokens", ["old_prefix"])
    op.create_index("ix_tokens_owner", "tokens", ["owner"])


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
