"""With ``TOKGATE_URL`` set every command asks that server, or is refused: none works on the store here instead.

The list of commands is that of the command line itself: one that is not told here how it is called fails.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer

from api.cli import main as top
from api.cli.main import main
from api.proof_models import ProbeBody
from controller.packs.sealing import seal, zipped
from ipsets.minisign import new_key
from scripts.build_cli_docs import commands

ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
WHY = ("--reason", "why")
WISH = ("--site", "berlin", "--source", "10.20.0.7", "--for", "2h")
SEALER = new_key()
PACK = tempfile.NamedTemporaryFile(suffix=".zip")  # noqa: SIM115 - gone with the process
PACK.write(
    zipped(seal({"a.txt": b"a"}, dict.fromkeys(("from", "to", "generated_at", "instance"), "") | {"sites": []}, SEALER))
)
PACK.flush()
PROBED = tempfile.NamedTemporaryFile(suffix=".json")  # noqa: SIM115 - gone with the process
PROBED.write(json.dumps(ProbeBody.model_json_schema()["examples"][0]).encode())
PROBED.flush()
ASKING: dict[str, tuple[str, ...]] = {
    "apply": ("--yes",),
    "audit export": (),
    "audit list": (),
    "audit verify": (),
    "config drift": (),
    "coverage show": (),
    "coverage slo": (),
    "device list": (),
    "db retention": (),
    "device doctor": (),
    "drift": (),
    "emergency end": (ID, *WHY),
    "emergency list": (),
    "emergency pause": ("--for", "2h", "--yes", *WHY),
    "emergency switch": ("off", "--yes", *WHY),
    "emergency withdraw": ("192.0.2.1", "--for", "2h", "--yes", *WHY),
    "episodes list": (),
    "episodes show": (ID,),
    "events alerts": (),
    "events cuts": (),
    "events list": (),
    "evidence export": ("--output", "{folder}/pack"),
    "evidence quarantine": (),
    "evidence reconcile": (),
    "evidence sample": ("--seed", "7"),
    "exceptions approve": (ID,),
    "exceptions deny": (ID, *WHY),
    "exceptions history": (ID,),
    "exceptions list": (),
    "exceptions preview": WISH,
    "exceptions renew": (ID, "--for", "2h", *WHY),
    "exceptions request": (*WISH, "--owner", "ann", *WHY),
    "exceptions revoke": (ID, *WHY),
    "exceptions seats": (ID, "--source", "10.20.0.7"),
    "exceptions show": (ID,),
    "exceptions submit": (ID,),
    "explain": ("10.20.0.7", "tiktok.com"),
    "export replay": ("siem", "--since", "2h"),
    "export status": (),
    "feed groups": (),
    "feed list": (),
    "feed show": ("fw-berlin",),
    "intel diff": (),
    "intel drift": (),
    "intel explain": ("tiktok.com",),
    "intel history": (),
    "intel pin": ("abcdef", *WHY),
    "intel refresh": (),
    "intel rollback": WHY,
    "intel scoreboard": (),
    "intel show": (),
    "intel sources": (),
    "intel trust": ("curated", *WHY),
    "intel unpin": WHY,
    "person disable": ("zoe", *WHY),
    "person edit": ("zoe", *WHY),
    "person enable": ("zoe", *WHY),
    "person list": (),
    "person sessions": (),
    "person sign-out": ("zoe",),
    "person unlock": ("zoe",),
    "plan": (),
    "policy calendar": ("berlin",),
    "policy calendars": (),
    "policy show": ("berlin",),
    "policy what-if": ("berlin", "--from", "2h", "--policy", "strict"),
    "proof import": (PROBED.name,),
    "proof run": (),
    "proof show": (),
    "report fleet": (),
    "report scheduled": (),
    "report send": ("weekly", "--now"),
    "report site": ("berlin",),
    "runs list": (),
    "runs show": (ID,),
    "token create": ("fresh", "--scope", "read"),
    "token list": (),
    "token revoke": ("fresh",),
    "token rotate": ("fresh",),
    "unmask approve": (ID,),
    "unmask ask": ("berlin", "--since", "2h", *WHY),
    "unmask deny": (ID, *WHY),
    "unmask end": (ID,),
    "unmask list": (),
    "unmask who": (ID,),
    "webhook add": ("chat", "--url", "https://chat.example", "--kind", "run", "--secret", "secret://env/X"),
    "webhook deliveries": ("chat",),
    "webhook edit": ("chat", "--kind", "run"),
    "webhook list": (),
    "webhook remove": ("chat",),
    "webhook replay": ("chat",),
    "webhook resume": ("chat",),
    "webhook rotate": ("chat", "--secret", "secret://env/X"),
    "webhook test": ("chat",),
}
REFUSED: dict[str, tuple[str, ...]] = {
    "config check": (),
    "config show": (),
    "db backup": ("{folder}/copy",),
    "db check": (),
    "db copy": (),
    "db sums": (),
    "db upgrade": (),
    "demo": (),
    "device hostkeys": ("fw-berlin",),
    "feed revoke": ("fw-berlin", "--yes"),
    "feed token": ("fw-berlin",),
    "hits collect": (),
    "init": ("{folder}/new",),
    "intel export": ("{folder}/bundle",),
    "intel import": ("{folder}/bundle", *WHY),
    "inventory import": ("{folder}/devices.csv", "--from", "csv"),
    "inventory sync": ("{folder}/devices.csv", "--from", "csv"),
    "lab down": (),
    "lab probe": ("berlin", "tcp:192.0.2.1:443"),
    "lab status": (),
    "lab up": (),
    "person add": ("zoe", "--local", "--role", "viewer"),
    "person password": ("zoe",),
    "serve": ("--port", "0"),
}
REFUSED_SO = [
    ("apply", "--config-only", "--yes"),
    ("db", "retention", "--run", "--yes"),
    ("audit", "verify", "{folder}/export", "--here"),
    ("device", "doctor", "--share"),
    ("feed", "show", "fw-berlin", "dst-tiktok"),
    ("policy", "calendars", "--refresh"),
]
"""Of commands that are done over the API: what is not."""
ALOOF: dict[str, tuple[str, ...]] = {
    "config schema": (),
    "detect": (str(Path(__file__).parents[1] / "controller/evidence_files/squid-native.log"),),
    "evidence key new": ("{folder}/key",),
    "evidence regulations": (),
    "evidence verify": (PACK.name, "--key", str(SEALER.public)),
    "intel keygen": ("{folder}/key",),
    "probe": ("--script",),
    "version": (),
    "webhook secret": (),
}
"""These touch neither store nor inventory, wherever they are."""
ALL = ASKING | REFUSED | ALOOF


class Server:
    """Answers that nothing is allowed, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.rfile.read(int(self.headers.get("content-length", 0)))
                ours.asked.append(f"{self.command} {self.path}")
                body = b'{"code": "TG6002", "status": 403, "detail": "the token lacks the scope read"}'
                self.send_response(403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture
def folder(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a store would be made if a command did so, and what was asked before is forgotten."""
    for name in [name for name in os.environ if name.startswith("TOKGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOKGATE_URL", server.url)
    monkeypatch.setenv("TOKGATE_TOKEN", "tokgate_x")
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    server.asked.clear()
    return tmp_path


def called(name: str, folder: Path) -> list[str]:
    return [*name.split(), *(word.format(folder=folder) for word in ALL[name])]


def test_every_command_is_told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKGATE_URL", raising=False)
    found = [path.removeprefix("tokgate ") for path, _ in commands(typer.main.get_command(top.app), "tokgate")]
    assert sorted(found) == sorted([*ASKING, *REFUSED, *ALOOF])


@pytest.mark.parametrize("name", ASKING)
def test_it_asks_the_server_and_passes_on_what_that_says(
    name: str, folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(called(name, folder)) == 5
    out, err = capsys.readouterr()
    assert (out, "error TG6002: the token lacks the scope read" in err) == ("", True), err
    assert server.asked
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", [(name,) for name in REFUSED] + REFUSED_SO, ids=" ".join)
def test_it_is_refused_with_the_reason_before_anything_is_done(
    command: tuple[str, ...], folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = command if len(command) == 1 else ("",)
    words = called(name, folder) if name else [word.format(folder=folder) for word in command]
    assert main(words) == 6
    out, err = capsys.readouterr()
    assert out == ""
    assert "error TG8104: TOKGATE_URL is set, and this is not done over the API: " in err
    assert server.asked == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ALOOF)
def test_it_needs_neither(name: str, folder: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(called(name, folder)) == 0, capsys.readouterr()
    assert server.asked == []
    assert not (folder / "data").exists()
