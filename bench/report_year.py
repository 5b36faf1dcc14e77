"""Reports over a year of what a store of more than 100 million samples would hold: one site, and 1,000 sites.

Run: ``python -m bench.report_year [SITES]``. A thousand sites with one counter each, read every five minutes for 365
days, are 105 million samples. They are not written one by one: what such a store would hold is made as follows, and
what is left out is said:

- the site that is reported on is whole: 105,120 events with clients and destinations, in transactions of the code
  that writes them, with all that they add up to, a look every quarter of an hour, and a hundred episodes a day of 120
  clients, on ten of which a list of endpoints found the app;
- of every other site the sums by time and device (as if each sample in ten hours a day had proved hits), stretches of
  looks as four changes a day leave them, and the coverage of days; by SQL. Their events, and the sums by client, are
  left out: neither the report of another site nor the fleet's reads them, but for the last half hour.

Then the coverage of the days that are over is worked out, as housekeeping does it, for the first time and of the whole
year; how long that takes is a row of its own. Every figure is of up to 100 calls, fewer where they take long; nothing
is remembered from one to the next but what the database does. First the embedded store, then one in a PostgreSQL of
its own; the rows for that are missing where there is none.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, text

from api.server import look_for_garbage_rarely
from api.web.fleet import fleet as fleet_figures
from bench.exceptions_scale import inventory, row, settings_of
from bench.figures import Row, save
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.model import (
    CoverageState,
    DetectionEvent,
    DeviceStatus,
    EventAction,
    Observation,
    Quality,
    SourceSeen,
    Window,
)
from controller.reports.forms import Form, rendered
from controller.service import Controller
from controller.store.adding import add_events, day_of, stretched
from controller.store.bulk import add
from controller.store.evidence import columns_of
from controller.store.schema import events, micros, observations, stretches
from core.ids import DeviceName, EventId, SiteName, new_id
from tests.postgres import Server, why_none
from vendors.model import RuleName

SITES: Final = 1_000
DAYS: Final = 365
SITE_MS: Final = 200
FLEET_MS: Final = 300
KEEP_S: Final = 120
ROUNDS: Final = 100
LONGEST: Final = 10.0
"""Seconds after which one figure is content with fewer rounds."""
MEASURED: Final = 7
FRESH: Final = timedelta(minutes=30)
_DAY: Final = 86_400_000_000
_HALF: Final = 1_800_000_000


def sample(dice: random.Random, end: datetime) -> DetectionEvent:
    """What one reading of the one counter of the site proved."""
    pairs = tuple(
        SourceSeen(
            source=ip_address(f"10.1.7.{dice.randrange(1, 120)}"),
            destination=ip_address(f"103.136.220.{dice.randrange(1, 60)}"),
            packets=dice.randrange(1, 40),
            octets=dice.randrange(60, 4_000),
            last_seen=end,
        )
        for _ in range(5)
    )
    return DetectionEvent(
        id=EventId(new_id()),
        site=SiteName(f"site-{MEASURED}"),
        device=DeviceName(f"fw-{MEASURED}"),
        rule=RuleName("deny-company"),
        role="company",
        exception=None,
        action=EventAction.BLOCKED,
        window=Window(end - timedelta(minutes=5), end),
        hits=dice.randrange(1, 90),
        packets=200,
        octets=12_000,
        quality=Quality.EXACT,
        snapshot=None,
        sources=pairs,
    )


def fill_measured(controller: Controller, first: datetime) -> None:
    """The events of the one site, ten days in a transaction, and its looks."""
    dice = random.Random(2026)
    for number in range(0, DAYS, 10):
        days = [first + timedelta(days=number + n) for n in range(min(10, DAYS - number))]
        found = [sample(dice, day + timedelta(minutes=5 * (n + 1))) for day in days for n in range(288)]
        looks = [_look(day + timedelta(minutes=15 * quarter), quarter) for day in days for quarter in range(96)]
        with controller.store._db.write() as connection:
            add(connection, events, columns_of(found))
            add_events(connection, found)
            connection.execute(insert(observations), [_columns(look) for look in looks])
            connection.execute(insert(stretches), list(stretched(looks, FRESH)))


def fill_episodes(controller: Controller, first: datetime) -> None:
    """A hundred a day; what they come to by day is kept by housekeeping."""
    dice = random.Random(2027)
    for number in range(DAYS):
        begin = first + timedelta(days=number)
        controller.store.record("", [_episode(dice, begin + timedelta(minutes=14 * n)) for n in range(100)])
    listed = (_episode(dice, first + timedelta(days=DAYS - 1), host=host) for host in range(10))
    controller.store.record("", [replace(one, kind=EpisodeKind.INSTALLED) for one in listed])


def _episode(dice: random.Random, start: datetime, host: int | None = None) -> Episode:
    client = dice.randrange(120) if host is None else host
    return Episode(
        id=EventId(new_id()),
        kind=dice.choice((EpisodeKind.USE, EpisodeKind.CONTACT)),
        site=SiteName(f"site-{MEASURED}"),
        window=Window(start, start + timedelta(minutes=6)),
        action=dice.choice((EpisodeAction.BLOCKED, EpisodeAction.MONITORED)),
        confidence=85,
        grounds=(Ground(trait="name-app-api", text="a name of the app's API", weight=60, channel=Channel.TLS),),
        device=DeviceName(f"fw-{MEASURED}"),
        source=ip_address(f"10.1.7.{client + 1}"),
        host=f"phone-{client}",
        role="company",
        indicator="api16-core-useast5.tiktokv.us",
        app=dice.choice(("tiktok", "capcut")),
        surface=dice.choice(("app", "web", "video")),
        channels=(Channel.FIREWALL, Channel.TLS),
        destinations=("api16-core-useast5.tiktokv.us",),
        count=3,
        octets=900,
    )


def _look(at: datetime, quarter: int) -> Observation:
    """Enforced from eight to six, watched at night."""
    held = CoverageState.ENFORCED if 32 <= quarter < 72 else CoverageState.MONITORED
    before = held if quarter not in (32, 72) else (set(_SEEN) - {held}).pop()
    device, site = DeviceName(f"fw-{MEASURED}"), SiteName(f"site-{MEASURED}")
    return Observation(device=device, site=site, at=at, found=before, left=held)


def _columns(look: Observation) -> dict[str, object]:
    return {name: getattr(look, name) for name in ("site", "device", "at", "found", "left", "cause")}


_SEEN: Final = (CoverageState.ENFORCED, CoverageState.MONITORED)


def fill_others(connection: Connection, sites: int, first: datetime) -> None:
    """The sums of every other site, by SQL. Weekends have hits too: more rows, not fewer."""
    start = micros(first)
    ranges = {"s": f"v < {sites} AND v <> {MEASURED}", "d": f"v < {DAYS}", "h": "v BETWEEN 16 AND 35", "q": "v < 4"}
    made = (f"{one}(v) AS MATERIALIZED (SELECT v FROM n WHERE {which})" for one, which in ranges.items())
    count = "n(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM n WHERE v < 2000)"
    numbers = f"WITH RECURSIVE {', '.join((count, *made))}"  # each made once: not gone through again for every row
    day, counts = f"{start} + d.v * CAST({_DAY} AS BIGINT)", "0, 0, 0, 0, 0"
    name = "'site-' || s.v"
    half = f"{day} + h.v * CAST({_HALF} AS BIGINT)"
    months = [(micros(m), n) for m, n in _months(first)]
    figures = "(SELECT " + " UNION ALL SELECT ".join(f"CAST({m} AS BIGINT) AS m, {n} AS c" for m, n in months) + ") m"
    sums = f"INSERT INTO hit_times {numbers} SELECT {name}"
    held = "CASE WHEN q.v IN (1, 2) THEN 'enforced' ELSE 'monitored' END"
    quarter = f"{day} + q.v * CAST({_DAY // 4} AS BIGINT)"
    stretch = 'INSERT INTO stretches (site, device, "first", "last", gap, looks, found, "left", cause)'
    figure = f"120 * m.c, 4800 * m.c, 24000 * m.c, 1440000 * m.c, {counts}"
    by_device = f"'fw-' || s.v, 'company', '', 'blocked', 120, 4800, 24000, 1440000, {counts}"
    looks = f"{quarter}, {quarter} + {_DAY // 4 - 900_000_000}, 900000000, 24, {held}, {held}, ''"
    statements = [
        f"{sums}, 'half', {half}, 'blocked', 6, 240, 1200, 72000, {counts} FROM s, d, h",
        f"{sums}, 'day', {day}, 'blocked', 120, 4800, 24000, 1440000, {counts} FROM s, d",
        f"{sums}, 'month', m.m, 'blocked', {figure} FROM s, {figures}",
        f"INSERT INTO hit_days {numbers} SELECT {name}, {day}, {by_device} FROM s, d",
        f"{stretch} {numbers} SELECT {name}, 'fw-' || s.v, {looks} FROM s, d, q",
    ]
    for statement in statements:
        connection.execute(text(statement))


def _months(first: datetime) -> list[tuple[datetime, int]]:
    """Every month that has days in it, and how many."""
    found: dict[datetime, int] = {}
    for number in range(DAYS):
        day = first + timedelta(days=number)
        begin = datetime(day.year, day.month, 1, tzinfo=UTC)
        found[begin] = found.get(begin, 0) + 1
    return sorted(found.items())


@contextmanager
def filled(folder: Path, database: str | None, sites: int) -> Iterator[Controller]:
    (folder / "inventory.yaml").write_text(inventory(), encoding="utf-8")
    with Controller.open(settings_of(folder, database)) as controller:
        look_for_garbage_rarely()  # as ``serve`` does
        first = day_of(datetime.now(UTC)) - timedelta(days=DAYS)
        fill_measured(controller, first)
        fill_episodes(controller, first)
        with controller.store._db.write() as connection:
            fill_others(connection, sites, first)
        for site in controller.inventory.sites.values():
            for device in site.devices:
                controller.store.put_status(status(device, site.name, first + timedelta(days=DAYS)))
        yield controller


def status(device: DeviceName, site: SiteName, at: datetime) -> DeviceStatus:
    """Read a moment ago, and as it was wanted."""
    return DeviceStatus(
        device=device,
        site=site,
        last_seen_at=at,
        last_attempt_at=at,
        enforced_at=at,
        snapshot=None,
        mode="company=enforce, guest=monitor",
        error_code=None,
        error=None,
    )


def milliseconds(work: Callable[[], object]) -> list[float]:
    work()
    taken = list[float]()
    while len(taken) < ROUNDS and sum(taken) < LONGEST * 1_000:
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1_000)
    return taken


def dashboard(controller: Controller) -> object:
    """The figures of the page at ``/``, by somebody who asks first: an answer is kept for half a minute."""
    controller.coverage.memory.fleet = None
    return fleet_figures(controller)


def kept_first(controller: Controller) -> Row:
    """What housekeeping does once after an upgrade; from then on it works out one day."""
    controller.store.keep_episodes(datetime.now(UTC))
    began = time.process_time()
    controller.coverage.keep()
    used = time.process_time() - began
    what = f"the coverage of {len(controller.inventory.sites):,} sites on every day of a year, worked out once"
    return Row(what=what, ours=used, peer=None, unit="s CPU of ours", target=f"≤ {KEEP_S} s", met=used <= KEEP_S)


def measured(what: str, database: str | None, sites: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), database, sites) as controller:
        kept = kept_first(controller)
        now = datetime.now(UTC)
        day = timedelta(days=1)
        year = Window(now - DAYS * day + timedelta(minutes=7), now)
        whole = controller.reports.range(f"{(now - 364 * day).date()}..{(now - day).date()}", site=f"site-{MEASURED}")
        site = f"site-{MEASURED}"
        works: dict[str, tuple[int, Callable[[], object]]] = {
            "a site, 364 days of its clock, JSON": (SITE_MS, lambda: controller.site_report(site, whole).to_json()),
            "a site, 365 days to the second, JSON": (SITE_MS, lambda: controller.site_report(site, year).to_json()),
            "a site, 364 days, page": (SITE_MS, lambda: rendered(controller.site_report(site, whole), Form.HTML)),
            f"{sites:,} sites, 364 days, page": (
                FLEET_MS,
                lambda: rendered(controller.fleet_report(whole), Form.HTML),
            ),
            f"{sites:,} sites, 365 days to the second, JSON": (
                FLEET_MS,
                lambda: controller.fleet_report(year).to_json(),
            ),
            f"{sites:,} sites, figures of the dashboard": (FLEET_MS, lambda: dashboard(controller)),
        }
        rows = [row(name, milliseconds(work), target, share=0.99) for name, (target, work) in works.items()]
        rows.append(kept)
    return [replace(one, what=f"{what}: {one.what}") for one in rows]


def main() -> None:
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else SITES
    rows = measured("embedded", None, sites)
    if why_none():
        print(why_none())
    else:
        postgres = Server(syncs=True)
        try:
            rows += measured("PostgreSQL", postgres.address(postgres.create()).url, sites)
        finally:
            postgres.remove()
    for one in rows:
        print(f"{one.what}: {one.ours:.0f} {one.unit}, {one.target}")
    save("report_year", rows)


if __name__ == "__main__":
    main()
