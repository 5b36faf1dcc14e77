"""What episodes come to by day. Housekeeping works it out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "episode_days",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        *(sa.Column(name, sa.String, primary_key=True) for name in ("app", "surface", "kind", "action")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("episodes", "sightings", "untold")),
    )
    op.create_table(
        "episode_kept",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")
