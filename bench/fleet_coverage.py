"""The coverage of 1,000 sites, as the fleet page and `tokgate coverage show` ask for it.

Run: ``python -m bench.fleet_coverage [SITES]``. Of each site there are thirty days of looks, as four changes a day
and half an hour without any now and then leave them, by SQL; the store is the embedded one. *Before any day is kept* is
the first answer after an upgrade; then housekeeping keeps the days. *Anew* is the first answer of a process; *the next
time* is what a page gets from then on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from api.server import look_for_garbage_rarely
from bench.exceptions_scale import inventory, row, settings_of
from bench.figures import Row, save
from bench.report_year import milliseconds, status
from controller.coverage_desk import CoverageDesk
from controller.model import Window
from controller.service import Controller
from controller.store.adding import day_of
from controller.store.schema import micros

SITES: Final = 1_000
DAYS: Final = 31
FLEET_MS: Final = 300
FIRST_MS: Final = 3_000
SITE_MS: Final = 50
_DAY: Final = 86_400_000_000


def fill(connection: Connection, sites: int, first: datetime) -> None:
    """Four stretches a day; behind one in ten nobody came through for half an hour."""
    numbers = "WITH RECURSIVE n(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM n WHERE v < 2000)"
    start = f"{micros(first)} + d.v * CAST({_DAY} AS BIGINT) + q.v * CAST({_DAY // 4} AS BIGINT)"
    last = f"{start} + {_DAY // 4 - 300_000_000} - CASE WHEN (s.v + d.v + q.v) % 10 = 0 THEN 1800000000 ELSE 0 END"
    held = "CASE WHEN q.v IN (1, 2) THEN 'enforced' ELSE 'monitored' END"
    tables = (
        f"(SELECT v FROM n WHERE v < {sites}) s, (SELECT v FROM n WHERE v < {DAYS}) d, (SELECT v FROM n WHERE v < 4) q"
    )
    columns = '(site, device, "first", "last", gap, looks, found, "left", cause)'
    looks = f"'site-' || s.v, 'fw-' || s.v, {start}, {last}, 300000000, 72, {held}, {held}, ''"
    connection.execute(text(f"INSERT INTO stretches {columns} {numbers} SELECT {looks} FROM {tables}"))


@contextmanager
def filled(folder: Path, sites: int) -> Iterator[Controller]:
    said = inventory() + "\nslo: {enforced_age: 30m, share: 99%}\n"
    (folder / "inventory.yaml").write_text(said, encoding="utf-8")
    with Controller.open(settings_of(folder, None)) as controller:
        look_for_garbage_rarely()  # as ``serve`` does
        now = datetime.now(UTC)
        with controller.store._db.write() as connection:
            fill(connection, sites, day_of(now) - timedelta(days=DAYS - 1))
        for site in controller.inventory.sites.values():
            for device in site.devices:
                controller.store.put_status(status(device, site.name, now))
        yield controller


def first_answer(controller: Controller, what: str, target: int) -> Row:
    cold = replace(controller.coverage, memory=type(controller.coverage.memory)())
    began = time.perf_counter()
    cold.fleet()
    return row(what, [(time.perf_counter() - began) * 1_000], target, share=0.5)


def warm(controller: Controller) -> CoverageDesk:
    """What a page finds half a minute later: the answer is old, and what the days came to is known."""
    controller.coverage.memory.fleet = None
    return controller.coverage


def main() -> None:
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else SITES
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), sites) as controller:
        now = datetime.now(UTC)
        month = Window(now - timedelta(days=30), now)
        first = [first_answer(controller, f"{sites:,} sites, 30 days, before any day is kept", FIRST_MS)]
        controller.coverage.keep()
        first.append(first_answer(controller, f"{sites:,} sites, 30 days, anew", FLEET_MS))
        works: dict[str, tuple[int, Callable[[], object]]] = {
            f"{sites:,} sites, 30 days, the next time": (FLEET_MS, lambda: warm(controller).fleet()),
            f"{sites:,} sites, asked again within half a minute": (FLEET_MS, lambda: controller.coverage.fleet()),
            "one of them, its line alone": (SITE_MS, lambda: controller.coverage.line("site-7")),
            "one of them, 30 days, span by span": (SITE_MS, lambda: controller.coverage.site("site-7", month)),
        }
        rows = [*first, *(row(name, milliseconds(work), target, share=0.5) for name, (target, work) in works.items())]
    for one in rows:
        print(f"{one.what}: {one.ours:.0f} ms, {one.target}")
    save("fleet_coverage", rows)


if __name__ == "__main__":
    main()
