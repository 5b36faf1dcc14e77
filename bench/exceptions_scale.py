"""Exceptions at size: 10,000 of them, 1,000 live, on 1,000 sites; previews, desired states, and lists over HTTP.

Run: ``python -m bench.exceptions_scale``. The server is ours with its real application, a process of its own, without
the loop. Requests are sent at their own times, whether or not earlier ones were answered, so a slow answer is not
hidden by asking later; a latency runs from the time a request was due. Client and server share the machine. First the
embedded store, then one in a PostgreSQL of its own, which syncs; the rows for that are missing where there is none.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from api.app import create_app
from api.server import Bind, build_server, listening, run
from bench.figures import Row, save
from controller.desired import desired_for
from controller.exceptions import ExceptionRequest
from controller.log import set_up_logging
from controller.model import AccessException, ExceptionState, Scope
from controller.service import Controller
from controller.settings import Settings
from core.ids import ExceptionId, SiteName, new_id
from tests.postgres import Server, why_none

SITES: Final = 1_000
EXCEPTIONS: Final = 10_000
LIVE: Final = 1_000
PREVIEW_MS: Final = 50
DESIRED_MS: Final = 20
LIST_MS: Final = 20
RATES: Final = (100, 300)
SECONDS: Final = 10
CONNECTIONS: Final = 16
ROUNDS: Final = 500
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHfNoTV8YQWcFBpgdLPGKFGUbKhDkSDEgZrmQfV3WqN"
LISTS: Final = {
    "ten live exceptions, the newest": "live=true&limit=10",
    "ten exceptions of one site": "site=site-7&limit=10",
    "fifty exceptions of all": "limit=50",
}
FILLED: Final = b'"items":[{'
HEAD: Final = """\
version: 1
intelligence: {sources: [{kind: curated}]}
defaults: {device: {username: tokgate, key_file: "secret://file/nonexistent/key"}}
policies:
  standard:
    services: [tiktok]
    roles:
      company:
        mode: monitor
        windows: [{days: [mon, tue, wed, thu, fri, sat, sun], from: "08:00", to: "18:00", mode: enforce}]
      guest: {mode: monitor}
sites:
"""
SITE: Final = """\
  site-{n}:
    time_zone: Europe/Berlin
    policy: standard
    networks: {{company: [10.{a}.{b}.0/25], guest: [10.{a}.{b}.128/25]}}
    devices: {{fw-{n}: {{vendor: linux_nftables, host: 127.0.0.1, port: {port}, host_keys: ["{key}"]}}}}
"""


def inventory() -> str:
    """As many sites as a large owner has, each with its own networks and one firewall."""
    return HEAD + "".join(SITE.format(n=n, port=1000 + n, a=n // 200 + 1, b=n % 200, key=KEY) for n in range(SITES))


def kept(dice: random.Random, n: int, now: datetime) -> AccessException:
    """The first ones live, the others over; each for one machine, at one site."""
    site = n % SITES
    live = n < LIVE
    starts = now - timedelta(days=1 if live else 40)
    source = ip_network(f"10.{site // 200 + 1}.{site % 200}.{dice.randrange(1, 120)}/32")
    return AccessException(
        id=ExceptionId(new_id()),
        sites=(SiteName(f"site-{site}"),),
        sources=(source,),
        service="tiktok",
        starts=starts,
        ends=starts + timedelta(days=30),
        reason=f"campaign {n}",
        owner=f"team-{n % 50}",
        ticket=f"CHG-{n}",
        state=ExceptionState.APPROVED if live else dice.choice((ExceptionState.ENDED, ExceptionState.DENIED)),
        requested_by="person:ann",
        requested_at=starts - timedelta(days=1),
        decided_by="person:bob",
        decided_at=starts,
    )


def settings_of(folder: Path, database: str | None) -> Settings:
    return Settings(
        inventory=folder / "inventory.yaml", data_dir=folder / "data", log_level="warning", database=database
    )


@contextmanager
def filled(folder: Path, database: str | None) -> Iterator[Controller]:
    """A controller over the sites, with a list and every exception."""
    (folder / "inventory.yaml").write_text(inventory(), encoding="utf-8")
    with Controller.open(settings_of(folder, database)) as controller:
        controller.refresh_intel(actor="bench")
        dice, now = random.Random(2026), datetime.now(UTC)
        for n in range(EXCEPTIONS):
            controller.store.add_exception(kept(dice, n, now))
        yield controller


def milliseconds(rounds: int, work: Callable[[int], object]) -> list[float]:
    taken = []
    for n in range(rounds):
        began = time.perf_counter()
        work(n)
        taken.append((time.perf_counter() - began) * 1_000)
    return taken


def row(what: str, taken: list[float], target: float, *, share: float) -> Row:
    """The figure below which that share of the times lies; the median is said beside it."""
    at = sorted(taken)[min(len(taken) - 1, int(share * len(taken)))]
    return Row(
        what=f"{what}, p{share * 100:.0f} (p50 {statistics.median(taken):.1f})",
        ours=at,
        peer=None,
        unit="ms",
        target=f"< {target:g} ms",
        met=at < target,
    )


def previews(controller: Controller) -> Row:
    now = datetime.now(UTC)

    def one(n: int) -> object:
        asked = ExceptionRequest(
            sites=(f"site-{n}",),
            sources=(f"10.{n // 200 + 1}.{n % 200}.77",),
            service="tiktok",
            starts=now + timedelta(hours=1),
            ends=now + timedelta(days=1),
            reason="campaign",
            owner="marketing",
        )
        return controller.exceptions.preview(asked)

    return row("preview of a request", milliseconds(ROUNDS, one), PREVIEW_MS, share=0.99)


def desired(controller: Controller) -> Row:
    now = controller.clock.now()

    def one(n: int) -> object:
        device = controller.inventory.device(f"fw-{n}")
        return desired_for(controller._worker.facts(device), device, now)

    return row("desired state of a device, from the store", milliseconds(ROUNDS, one), DESIRED_MS, share=0.99)


async def asked(port: int, token: str, path: str, rate: int, seconds: int = SECONDS) -> list[float]:
    """Latencies in milliseconds of so many requests a second."""
    text = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    due: asyncio.Queue[float] = asyncio.Queue()
    taken: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        while (at := await due.get()) >= 0:
            writer.write(text)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            body = await reader.readexactly(length)
            taken.append((time.perf_counter() - at) * 1_000)
            if status != 200 or FILLED not in body:  # to read each would take the time of who answers
                raise RuntimeError(f"{path}: {status}")
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())
        begin = time.perf_counter()
        for n in range(rate * seconds):
            at = begin + n / rate
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            due.put_nowait(at)
        for _ in range(CONNECTIONS):
            due.put_nowait(-1)
    return taken


@contextmanager
def server(folder: Path, database: str | None) -> Iterator[int]:
    """Our application over the same store, on a process of its own; its port."""
    command = [sys.executable, "-m", "bench.exceptions_scale", str(folder), *filter(None, [database])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            assert child.stdout is not None
            yield int(child.stdout.readline())
        finally:
            child.terminate()


def serve(folder: Path, database: str | None) -> None:
    """Until SIGTERM."""
    with Controller.open(settings_of(folder, database)) as controller:
        bind = Bind(port=0)
        with listening(bind) as opened:
            print(opened.getsockname()[1], flush=True)
            set_up_logging(level="warning")
            run(build_server(create_app(controller), bind), bind, opened)


def lists(controller: Controller, folder: Path, database: str | None) -> Iterator[Row]:
    _, token = controller.create_token("bench", [Scope.READ], timedelta(days=1), actor="bench")
    with server(folder, database) as port:
        for what, path in LISTS.items():
            asyncio.run(asked(port, token.reveal(), f"/api/v1/exceptions?{path}", RATES[0], seconds=1))  # it warms up
            for rate in RATES:
                taken = asyncio.run(asked(port, token.reveal(), f"/api/v1/exceptions?{path}", rate))
                yield row(f"{what}, {rate} requests a second", taken, LIST_MS, share=0.99)


def measured(what: str, database: str | None) -> list[Row]:
    """Over one kind of store."""
    with tempfile.TemporaryDirectory() as name, filled(Path(name), database) as controller:
        rows = [previews(controller), desired(controller), *lists(controller, Path(name), database)]
    return [replace(row, what=f"{what}: {row.what}") for row in rows]


def main() -> None:
    rows = measured("embedded", None)
    if why_none():
        print(why_none())
    else:
        postgres = Server(syncs=True)
        try:
            rows += measured("PostgreSQL", postgres.address(postgres.create()).url)
        finally:
            postgres.remove()
    save("exceptions_scale", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
    else:
        main()
