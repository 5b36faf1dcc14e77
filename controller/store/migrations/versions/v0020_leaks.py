"""Leaks are found without reading all that was proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    leaks = sa.text("state = 'leaking'")
    op.create_index("ix_proofs_leaks", "proofs", ["at", "site"], sqlite_where=leaks, postgresql_where=leaks)


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
