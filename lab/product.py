"""tokgate as its operator meets it: the command as a process, the API over HTTP. Nothing of it is imported."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from lab import processes
from lab.errors import LabError
from lab.workspace import Workspace

COMMAND_SECONDS: Final = 90.0
READY_SECONDS: Final = 30.0


class ProductBroken(LabError):
    """The command or the API did not do what its documentation promises."""

    code = "TG7003"
    title = "The demo met something it did not expect"


def installed() -> tuple[str, ...]:
    """The command ``tokgate`` of this very environment."""
    beside = Path(sys.executable).with_name("tokgate")
    return (str(beside),) if beside.exists() else (shutil.which("tokgate") or "tokgate",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One installation, by its settings. ``width`` is how wide tables may be."""

    program: tuple[str, ...]
    settings: Mapping[str, str]
    width: int = 120

    def run(self, *arguments: str, accept: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run ``tokgate …`` to its end. Raises ``ProductBroken`` on an exit status outside ``accept``."""
        asked = f"tokgate {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [*self.program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
                env=self.environment(),
            )
        except OSError as exc:
            raise ProductBroken(f"{asked}: {exc.strerror}", hint="install tokgate into this environment") from exc
        except subprocess.TimeoutExpired as exc:
            raise ProductBroken(f"{asked}: no end after {COMMAND_SECONDS:.0f} s") from exc
        if done.returncode not in accept:
            said = (done.stderr.strip() or done.stdout.strip())[-1500:]
            raise ProductBroken(f"{asked} ended with {done.returncode}, not {' or '.join(map(str, accept))}: {said}")
        return done

    def json(self, *arguments: str, accept: Sequence[int] = (0,)) -> Any:
        """What ``tokgate … -o json`` says. Raises ``ProductBroken``."""
        text = self.run(*arguments, "-o", "json", accept=accept).stdout
        try:
            return json.loads(text)
        except ValueError as exc:
            raise ProductBroken(f"tokgate {' '.join(arguments)} -o json: not JSON: {text[:200]!r}") from exc

    def token(self, name: str, *scopes: str) -> str:
        """A new bearer token."""
        flags = [part for scope in scopes for part in ("--scope", scope)]
        return str(self.json("token", "create", name, *flags)["token"])

    def environment(self) -> dict[str, str]:
        """This process's environment, with our settings in place of any others of tokgate."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TOKGATE_")}
        return {**kept, **self.settings, "COLUMNS": str(self.width), "NO_COLOR": "1"}

    def serve(self, workspace: Workspace) -> str:
        """Start ``tokgate serve`` on a free port as a process of the lab; returns its URL once it is ready."""
        port = free_port()
        workspace.spawn("serve", [*self.program, "serve", "--port", str(port)], environment=self.environment())
        url = f"http://127.0.0.1:{port}"
        if not processes.wait_until(lambda: _is_ready(url), seconds=READY_SECONDS, every=0.1):
            raise ProductBroken(f"tokgate serve is not ready after {READY_SECONDS:.0f} s: {workspace.log('serve')}")
        return url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The REST API with one bearer token."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str, **query: str) -> Any:
        """Raises ``ProductBroken`` on anything but 2xx."""
        return _checked(self._request("GET", path, params=query))

    def post(self, path: str, body: Any = None) -> Any:
        """Raises ``ProductBroken`` on anything but 2xx."""
        return _checked(self._request("POST", path, json=body))

    def status_of_post(self, path: str, body: Any = None) -> int:
        """Only the status: for what must be refused."""
        return self._request("POST", path, json=body).status_code

    def _request(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, **how)


def _checked(response: httpx.Response) -> Any:
    if not response.is_success:
        asked = f"{response.request.method} {response.request.url.path}"
        raise ProductBroken(f"{asked} answered {response.status_code}: {response.text[:600]}")
    return response.json() if response.content else None
