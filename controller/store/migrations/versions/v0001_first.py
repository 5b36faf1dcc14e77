"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    _small_tables()
    _runs()
    _evidence()
    _exceptions()
    _access()


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")


def _small_tables() -> None:
    op.create_table("meta", sa.Column("key", sa.String, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.create_table(
        "jobs", sa.Column("name", sa.String, primary_key=True), sa.Column("done_at", sa.BigInteger, nullable=False)
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("parent", sa.String),
        sa.Column("networks", sa.Integer, nullable=False),
        sa.Column("domains", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "source_records",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("snapshot", sa.String, nullable=False),
        sa.Column("checksum", sa.String, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("trigger", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("process", sa.String, nullable=False),
        sa.Index("ix_runs_open", "finished_at", "process"),
    )
    op.create_table(
        "run_devices",
        sa.Column("run", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("device", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("snapshot", sa.String),
        sa.Column("error_code", sa.String),
        sa.Column("error", sa.Text),
        sa.Column("degraded", sa.Text, nullable=False),
        sa.Column("flows_cut", sa.Integer),
        sa.Column("timings", sa.Text),
        sa.Index("ix_run_devices_site", "site", "run"),
        sa.Index("ix_run_devices_device", "device", "run"),
    )


def _evidence() -> None:
    for table in ("device_status", "readings"):
        op.create_table(
            table, sa.Column("device", sa.String, primary_key=True), sa.Column("body", sa.Text, nullable=False)
        )
    op.create_table(
        "observations",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("found", sa.String),
        sa.Column("left", sa.String),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Index("ix_observations_site", "site", "device", "at"),
        sa.Index("ix_observations_at", "at"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("role", sa.String),
        sa.Column("exception", sa.String),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("hits", sa.BigInteger),
        sa.Column("packets", sa.BigInteger),
        sa.Column("octets", sa.BigInteger),
        sa.Column("quality", sa.String, nullable=False),
        sa.Column("snapshot", sa.String),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Column("sources_truncated", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("entries", sa.Text, nullable=False),
        sa.UniqueConstraint("device", "rule", "start", "end", name="uq_events_proof"),
        sa.Index("ix_events_end", "end", "id"),
        sa.Index("ix_events_site", "site", "end", "id"),
        sa.Index("ix_events_device", "device", "end", "id"),
        sa.Index("ix_events_exception", "exception", "end", "id"),
    )


def _exceptions() -> None:
    op.create_table(
        "exceptions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.CheckConstraint("starts < ends", name="ck_exceptions_life"),
    )
    op.create_table(
        "exception_sites",
        sa.Column("exception", sa.String, sa.ForeignKey("exceptions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("site", sa.String, primary_key=True),
        sa.Index("ix_exception_sites_site", "site", "exception"),
    )


def _access() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, index=True),
        sa.Column("prefix", sa.String, nullable=False, index=True),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "audit",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
