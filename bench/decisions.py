"""From a person's decision to the devices: a withdrawal on a fleet, of real gateways and of emulated ones; an approval.

Run: ``python -m bench.decisions [GATEWAYS]`` as root. Each part has a real ``tokgate serve``, asked over HTTP. A
withdrawal counts until the last gateway was read back without the entry; afterwards every kernel is asked. An approval
counts until a client behind the gateway gets through, which tries all the time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from bench.figures import Row, save
from bench.serve_memory import until_ready
from lab import inventory
from lab.gateway import Gateway
from lab.topology import Client, Lab, fleet
from lab.workspace import Workspace
from lab.world import INTERNET, Kind

GATEWAYS: Final = 30
PER_SITE: Final = 10
ROUNDS: Final = 3
PORT: Final = 18481
TARGET: Final = f"tcp:{next(one for one in INTERNET if one.kind is Kind.TIKTOK).v4}:443"
WITHDRAWN_SECONDS: Final = 60
LIVE_SECONDS: Final = 5
SCOPES: Final = {"op": ("operate", "read"), "asks": ("request", "read"), "yes": ("approve", "read")}


class Server:
    """A ``tokgate serve`` and three tokens for it."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{PORT}/api/v1", timeout=60)
        self._tokens = tokens

    def ask(self, method: str, path: str, *, by: str = "op", body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self._tokens[by]}"}
        answer = self._client.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def quiet(self) -> None:
        """Wait until no run is under way."""
        while any(run["finished_at"] is None for run in self.ask("GET", "/runs?limit=100")["items"]):
            time.sleep(0.2)

    def settled(self, since: datetime, devices: int, *, seconds: float) -> float:
        """Seconds from ``since`` until the last device was changed and read back.

        Only runs that began since then are looked at. Raises ``RuntimeError`` when it takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            runs = self.ask("GET", f"/runs?limit=100&since={since.isoformat().replace('+00:00', 'Z')}")["items"]
            done = {
                part["device"]: datetime.fromisoformat(part["finished_at"])
                for run in runs
                for part in run["devices"]
                if part["outcome"] == "applied"
            }
            if len(done) == devices:
                return (max(done.values()) - since).total_seconds()
            time.sleep(0.2)
        raise RuntimeError(f"not every device was changed within {seconds:.0f} s")


@contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[Server]:
    """A server whose devices hold what they should."""
    known = {**os.environ, **environment, "TOKGATE_API_PORT": str(PORT)}
    command = [sys.executable, "-m", "api.cli"]
    for words in (["db", "upgrade"], ["intel", "refresh"], ["apply", "--yes"]):
        subprocess.run([*command, *words], env=known, check=True, capture_output=True)
    tokens = {name: _token(command, known, name, scopes) for name, scopes in SCOPES.items()}
    with subprocess.Popen([*command, "serve"], env=known, stderr=subprocess.DEVNULL) as server:
        try:
            until_ready(f"http://127.0.0.1:{PORT}/readyz")
            yield Server(tokens)
        finally:
            server.terminate()


def _token(command: list[str], environment: Mapping[str, str], name: str, scopes: tuple[str, ...]) -> str:
    words = [word for scope in scopes for word in ("--scope", scope)]
    made = subprocess.run(
        [*command, "token", "create", name, *words, "-o", "json"],
        env=dict(environment),
        check=True,
        capture_output=True,
        text=True,
    )
    return str(json.loads(made.stdout)["token"])


def withdrawals(count: int) -> list[Row]:
    with Workspace.open("bnfleet") as workspace:
        gateways = fleet(workspace, count)
        with serving(_fleet_files(workspace, gateways)) as server:
            gone, back = _measured(server, count, gateways)
    return _rows(f"{count} real Linux gateways", gone, back)


def emulated_withdrawals(count: int) -> list[Row]:
    """The same over ``tokgate lab up --fleet``: there is no kernel to ask, so what is read back has to do."""
    lab = [sys.executable, "-m", "api.cli", "lab"]
    made = subprocess.run(
        [*lab, "up", "--name", "bnfour", "--fleet", str(count), "-o", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    try:
        with serving(json.loads(made.stdout)["environment"]) as server:
            gone, back = _measured(server, count, ())
    finally:
        subprocess.run([*lab, "down", "--name", "bnfour"], check=True, capture_output=True)
    return _rows(f"{count} emulated firewalls of four vendors", gone, back)


def _measured(server: Server, count: int, gateways: tuple[Gateway, ...]) -> tuple[list[float], list[float]]:
    listed = server.ask("GET", "/intel/show?limit=500&service=tiktok")["items"]
    entry = next(one["entry"] for one in listed if one["kind"] == "network" and ":" not in one["entry"])
    rounds = [_withdrawn(server, count, gateways, entry) for _ in range(ROUNDS)]
    return [gone for gone, _ in rounds], [back for _, back in rounds]


def _rows(what: str, gone: list[float], back: list[float]) -> list[Row]:
    return [
        _row(f"withdrawal of one network until the last of {what} was read back without it", gone, WITHDRAWN_SECONDS),
        _row(f"its end, until the last of {what} was read back with it", back, WITHDRAWN_SECONDS),
    ]


def _withdrawn(server: Server, count: int, gateways: tuple[Gateway, ...], entry: str) -> tuple[float, float]:
    server.quiet()
    began = datetime.now(UTC)
    ends = (began + timedelta(hours=1)).isoformat()
    body = {"kind": "withdraw", "value": entry, "reason": "measured", "ends": ends}
    made = server.ask("POST", "/emergencies", body=body)
    gone = server.settled(began, count, seconds=300)
    _all_hold(gateways, entry, held=False)
    server.quiet()
    ended = datetime.now(UTC)
    server.ask("POST", f"/emergencies/{made['id']}/end", body={"reason": "measured"})
    back = server.settled(ended, count, seconds=300)
    _all_hold(gateways, entry, held=True)
    return gone, back


def _all_hold(gateways: tuple[Gateway, ...], entry: str, *, held: bool) -> None:
    """Ask every kernel. Raises ``RuntimeError`` for one that holds something else than the controller says."""
    for gateway in gateways:
        words = ("nft", "get", "element", "inet", "tokgate", "dst-tiktok-4", f"{{ {entry} }}")
        if (gateway.namespace.run(*words, check=False).returncode == 0) is not held:
            raise RuntimeError(f"{gateway.name} does not hold what was read back")


def _fleet_files(workspace: Workspace, gateways: tuple[Gateway, ...]) -> dict[str, str]:
    """An inventory of the gateways, and the settings that point to it."""
    sites: dict[str, Any] = {}
    for number, gateway in enumerate(gateways):
        name = f"site-{number // PER_SITE:02d}"
        networks = {"company": [f"10.{20 + number // PER_SITE}.0.0/16"]}
        site = sites.setdefault(
            name, {"time_zone": "Europe/Berlin", "policy": "block", "networks": networks, "devices": {}}
        )
        site["devices"][gateway.name] = {
            "vendor": "linux_nftables",
            "host": gateway.host,
            "port": gateway.port,
            "host_keys": [gateway.host_key],
            "options": {"state_dir": str(gateway.files.state_dir)},
        }
    document = {
        "version": 1,
        "intelligence": {"sources": [{"kind": "curated"}]},
        "defaults": {"device": {"username": "root", "key_file": f"secret://file{gateways[0].client_key}"}},
        "policies": {"block": {"services": ["tiktok"], "roles": {"company": {"mode": "enforce"}}}},
        "sites": sites,
    }
    data = workspace.run_dir / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    path = Path(workspace.run_dir) / "inventory.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return {"TOKGATE_INVENTORY": str(path), "TOKGATE_DATA_DIR": str(data)}


def approvals() -> list[Row]:
    with Lab.up("bnlive") as lab:
        inventory.write(lab)
        client = lab.sites["berlin"].clients["marketing"]
        live, blocked = [], []
        with serving(inventory.environment(lab)) as server:
            for _ in range(ROUNDS):
                now = datetime.now(UTC)
                body = {
                    "sites": ["berlin"],
                    "sources": [client.v4],
                    "service": "tiktok",
                    "starts": now.isoformat(),
                    "ends": (now + timedelta(hours=1)).isoformat(),
                    "reason": "measured",
                    "owner": "bench",
                }
                asked = server.ask("POST", "/exceptions", by="asks", body=body)
                live.append(_until(server, client, "ok", f"/exceptions/{asked['id']}/approve", {}))
                blocked.append(
                    _until(server, client, "blocked", f"/exceptions/{asked['id']}/revoke", {"reason": "measured"})
                )
    return [
        _row("approval of an exception until a client behind a Linux gateway gets through", live, LIVE_SECONDS),
        _row("its revocation until the client is blocked", blocked, LIVE_SECONDS),
    ]


def _until(server: Server, client: Client, wanted: str, path: str, body: object) -> float:
    """Seconds from the decision until the client meets what is wanted of it."""
    server.quiet()
    began = time.monotonic()
    server.ask("POST", path, by="yes", body=body)
    found = client.wait_for(TARGET, wanted, deadline=60)
    if found.is_blocked is (wanted == "ok"):
        raise RuntimeError(f"never {wanted}: {found}")
    return time.monotonic() - began


def _row(what: str, seconds: Any, most: float) -> Row:
    worst = max(seconds)
    return Row(
        what=f"{what}; median of {len(seconds)}",
        ours=statistics.median(seconds),
        peer=None,
        unit="s",
        target=f"≤ {most:.0f} s each time",
        met=worst <= most,
        parts={"worst": worst, "load of the machine": os.getloadavg()[0]},
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else GATEWAYS
    save("decisions", [*approvals(), *withdrawals(count), *emulated_withdrawals(count)])


if __name__ == "__main__":
    main()
