"""Events and looks added up: filled from those that are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NUMBER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
_COUNTS = ("events", "hits", "packets", "octets", "no_hits", "no_packets", "no_octets", "at_least", "truncated")
_SEEN = ("packets", "octets", "no_packets", "no_octets")
_HALF, _DAY = 1_800_000_000, 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOGETHER = timedelta(minutes=30) // timedelta.resolution
_BATCH = 50_000


def upgrade() -> None:
    op.create_index("ix_run_devices_done", "run_devices", ["site", "outcome", "finished_at"])
    tables = _event_tables()
    _stretches()
    _coverage()
    _fill_events(*tables)
    _fill_stretches()


def downgrade() -> None:
    raise NotImplementedError("a store is not taken back; restore the backup made before the upgrade")


def _keys(*names: str) -> list[Any]:
    return [sa.Column(n, sa.BigInteger if n == "start" else sa.String, primary_key=True) for n in names]


def _figures(*names: str) -> list[Any]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _event_tables() -> tuple[sa.Table, sa.Table, sa.Table]:
    times = op.create_table("hit_times", *_keys("site", "grain", "start", "action"), *_figures(*_COUNTS))
    keys = _keys("site", "start", "device", "role", "exception", "action")
    days = op.create_table("hit_days", *keys, *_figures(*_COUNTS))
    keys = _keys("site", "grain", "start", "side", "name", "action", "role")
    return times, days, op.create_table("hit_seen", *keys, *_figures(*_SEEN, "last_seen"))


def _stretches() -> None:
    op.create_table(
        "stretches",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("gap", sa.BigInteger, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("found", sa.String),
        sa.Column("left", sa.String),
        sa.Column("cause", sa.Text, nullable=False),
    )
    op.create_index("ix_stretches_site", "stretches", ["site", "device", "last"])
    op.create_index("ix_stretches_last", "stretches", ["last"])


def _coverage() -> None:
    states = _figures("enforced", "partial", "monitored", "off", "not_enforced", "unknown")
    op.create_table("coverage_days", *_keys("grain", "start", "site"), *states)
    op.create_table(
        "coverage_kept",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("basis", sa.String, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def _rows(statement: str) -> Iterator[Any]:
    """As they are read, not all at once."""
    asked = sa.text(statement).execution_options(stream_results=True, yield_per=_BATCH)
    yield from op.get_bind().execute(asked).mappings()


def _fill_events(times: sa.Table, days: sa.Table, seen: sa.Table) -> None:
    sums: dict[str, dict[tuple[Any, ...], list[int]]] = {table.name: {} for table in (times, days, seen)}

    def add(table: sa.Table, key: tuple[Any, ...], figures: list[int], last: int | None = None) -> None:
        kept = sums[table.name].setdefault(key, [0] * len(figures) + ([0] if last is not None else []))
        for place, figure in enumerate(figures):
            kept[place] += figure
        if last is not None:
            kept[-1] = max(kept[-1], last)

    for number, row in enumerate(_rows('SELECT * FROM events ORDER BY "end"')):
        at = row["end"] - 1
        half, day, month = at - at % _HALF, at - at % _DAY, _month(at)
        figures = [1, *(row[n] or 0 for n in _COUNTS[1:4]), *(int(row[n] is None) for n in _COUNTS[1:4])]
        figures += [int(row["quality"] == "at_least"), int(row["sources_truncated"])]
        action, role = row["action"], row["role"] or ""
        for grain, start in (("half", half), ("day", day), ("month", month)):
            add(times, (row["site"], grain, start, action), figures)
        add(days, (row["site"], day, row["device"], role, row["exception"] or "", action), figures)
        for pair in json.loads(row["sources"]):
            of_pair = [pair["packets"] or 0, pair["octets"] or 0, int(pair["packets"] is None)]
            of_pair.append(int(pair["octets"] is None))
            last = (datetime.fromisoformat(pair["last_seen"]) - _EPOCH) // timedelta.resolution
            for side in ("source", "destination"):
                for grain, start in (("day", day), ("month", month)):
                    add(seen, (row["site"], grain, start, side, pair[side], action, role), of_pair, last)
        if number % _BATCH == _BATCH - 1:
            _write(sums, (times, days, seen))
    _write(sums, (times, days, seen))


def _month(at: int) -> int:
    day = _EPOCH + timedelta(microseconds=at)
    return (datetime(day.year, day.month, 1, tzinfo=UTC) - _EPOCH) // timedelta.resolution


def _write(sums: dict[str, dict[tuple[Any, ...], list[int]]], tables: tuple[sa.Table, ...]) -> None:
    """Add them to what was written before, and forget them."""
    bind = op.get_bind()
    build = postgresql.insert if bind.dialect.name == "postgresql" else sqlite.insert
    for table in tables:
        keys = [c.name for c in table.primary_key]
        statement = build(table)
        new, old = statement.excluded, table.c
        rest = {c.name: old[c.name] + new[c.name] for c in table.c if c.name not in (*keys, "last_seen")}
        if "last_seen" in old:
            rest["last_seen"] = sa.case((new.last_seen > old.last_seen, new.last_seen), else_=old.last_seen)
        names = [c.name for c in table.c]
        rows = [dict(zip(names, (*key, *figures), strict=True)) for key, figures in sums[table.name].items()]
        if rows:
            bind.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest), rows)
        sums[table.name] = {}


def _fill_stretches() -> None:
    table = sa.table(
        "stretches", *map(sa.column, ("site", "device", "first", "last", "gap", "looks", "found", "left", "cause"))
    )
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    done: list[dict[str, Any]] = []
    for look in _rows("SELECT * FROM observations ORDER BY id"):
        place = look["site"], look["device"]
        last = newest.get(place)
        same = last is not None and all(last[name] == look[name] for name in ("found", "left", "cause"))
        if last is not None and same and look["found"] == look["left"] and 0 < look["at"] - last["last"] <= _TOGETHER:
            last["gap"] = max(last["gap"], look["at"] - last["last"])
            last["last"], last["looks"] = look["at"], last["looks"] + 1
            continue
        row = {name: look[name] for name in ("site", "device", "found", "left", "cause")}
        row |= {"first": look["at"], "last": look["at"], "gap": 0, "looks": 1}
        if last is None or row["last"] >= last["last"]:
            newest[place] = row
            done += [last] if last is not None else []
        else:  # a clock was set back
            done.append(row)
        if len(done) >= _BATCH:
            op.bulk_insert(table, done)
            done = []
    op.bulk_insert(table, [*done, *newest.values()])
