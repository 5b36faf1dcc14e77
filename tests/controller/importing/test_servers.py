"""NetBox and Nautobot by their real clients, against a server that answers in the form of their REST APIs.

The answers are written in the form of NetBox 4.2 and Nautobot 2.4 as it is generally known, not recorded from a
server; pages of two, so that the clients have to follow ``next``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.inventory.importing.errors import SourceFailed
from controller.inventory.importing.model import Said, Wishes, fitted
from controller.inventory.importing.sources import read_source
from controller.model import ImportKind
from core.secret import SecretRef

pytest.importorskip("pynetbox")
pytest.importorskip("pynautobot")

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def brief(number: int, slug: str) -> dict[str, Any]:
    return {"id": number, "url": f"http://x/api/y/{number}/", "display": slug, "name": slug.title(), "slug": slug}


def ip(address: str) -> dict[str, Any]:
    return {"id": 9, "url": "http://x/api/ipam/ip-addresses/9/", "display": address, "address": address}


NETBOX: dict[str, list[dict[str, Any]]] = {
    "dcim/sites": [
        {**brief(n, slug), "time_zone": zone, "status": {"value": "active", "label": "Active"}, "custom_fields": {}}
        for n, slug, zone in ((1, "berlin", "Europe/Berlin"), (2, "paris", "Europe/Paris"), (3, "empty", None))
    ],
    "dcim/devices": [
        {"id": n, "url": f"http://x/api/dcim/devices/{n}/", "name": name, "site": brief(1, site), "platform": platform,
         "primary_ip4": ip(f"192.0.2.{n}/24"), "primary_ip6": None, "config_context": {"password": "hunter2"}}
        for n, name, site, platform in (
            (1, "fw-berlin", "berlin", brief(1, "fortios")),
            (2, "fw-paris", "paris", brief(2, "pan-os")),
            (3, "sw-paris", "paris", brief(3, "arista-eos")),
            (4, "bare", "paris", None),
        )
    ],
    "ipam/prefixes": [
        {"id": 1, "url": "http://x/api/ipam/prefixes/1/", "prefix": "10.1.0.0/24", "role": brief(1, "company"),
         "scope_type": "dcim.site", "scope_id": 1, "scope": brief(1, "berlin")},
        {"id": 2, "url": "http://x/api/ipam/prefixes/2/", "prefix": "10.2.0.0/24", "role": brief(1, "company"),
         "site": brief(2, "paris")},
        {"id": 3, "url": "http://x/api/ipam/prefixes/3/", "prefix": "10.3.0.0/24", "role": None, "site": None},
    ],
}  # fmt: skip


def uid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def ref(number: int) -> dict[str, Any]:
    return {"id": uid(number), "object_type": "x.y", "url": f"http://x/api/x/y/{uid(number)}/"}


def thing(number: int, **more: Any) -> dict[str, Any]:
    return {**ref(number), "display": "x", "natural_slug": "x", **more}


NAUTOBOT: dict[str, list[dict[str, Any]]] = {
    "dcim/locations": [thing(1, name="Berlin", time_zone="Europe/Berlin"), thing(2, name="Attic", time_zone=None)],
    "dcim/devices": [
        thing(11, name="fw-berlin", location=ref(1), platform=ref(21), primary_ip4=ref(41), primary_ip6=None),
        thing(12, name="odd", location=ref(1), platform=None, primary_ip4=None, primary_ip6=None),
        thing(13, name="fw-two", location=ref(1), platform=ref(21), primary_ip4=ref(42), primary_ip6=None),
    ],
    "dcim/platforms": [thing(21, name="FortiOS", network_driver="fortinet")],
    "extras/roles": [thing(31, name="Company")],
    "ipam/prefixes": [thing(51, prefix="10.1.0.0/24", role=ref(31), location=ref(1))],
    "ipam/ip-addresses": [
        thing(n, address=f"192.0.2.{n}/24", host=f"192.0.2.{n}", mask_length=24) for n in (41, 42)
    ],
}  # fmt: skip


@dataclass
class Server:
    """One server. ``fault`` is what it does instead of answering the second page of devices."""

    things: dict[str, list[dict[str, Any]]]
    fault: str = ""
    url: str = ""
    seen: list[str] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        name = path.removeprefix("/api/").strip("/")
        if name not in self.things:
            return 200, b'{"netbox-version": "4.2.3"}'
        offset = int(query.get("offset", ["0"])[0])
        if self.fault == "404":
            return 404, b'{"detail": "Not found."}'
        if self.fault == "500" and offset:
            return 500, b'{"error": "x"}'
        found = self.things[name]
        page = {
            "count": len(found),
            "next": self.following(path, offset, len(found)),
            "previous": None,
            "results": found[offset : offset + 2],
        }
        raw = json.dumps(page).encode()
        return 200, raw[: len(raw) // 2] if self.fault == "cut" and offset else raw

    def following(self, path: str, offset: int, count: int) -> str | None:
        if self.fault == "loop":
            return f"{self.url}{path}?limit=2&offset=0"
        if self.fault == "elsewhere":
            return f"http://192.0.2.66{path}?limit=2&offset=2"
        return f"{self.url}{path}?limit=2&offset={offset + 2}" if offset + 2 < count else None


@contextmanager
def served(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            server.seen.append(self.path)
            known = self.headers.get("Authorization") == f"Token {TOKEN}"
            status, body = server.answer(parts.path, parse_qs(parts.query)) if known else (403, b'{"detail": "no"}')
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("API-Version", "2.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_TOKEN", TOKEN)


def read(kind: ImportKind, url: str, token: str = "secret://env/TOKGATE_TEST_TOKEN") -> Said:
    return read_source(kind, url, token=SecretRef.parse(token), filters={}, ca_file=None)


def test_netbox_is_read_over_all_its_pages() -> None:
    with served(Server(NETBOX)) as server:
        found = fitted(read(ImportKind.NETBOX, server.url), Wishes())
    assert {name: dict(d.fields) for name, d in found.devices.items()} == {
        "fw-berlin": {"vendor": "fortinet_fortios", "host": "192.0.2.1"},
        "fw-paris": {"vendor": "paloalto_panos", "host": "192.0.2.2"},
    }
    assert found.sites["berlin"].networks == {"company": ("10.1.0.0/24",)}, "scope, as NetBox 4.2 has it"
    assert found.sites["paris"].networks == {"company": ("10.2.0.0/24",)}, "site, as NetBox had it before"
    assert found.sites["berlin"].time_zone == "Europe/Berlin"
    assert [line.partition(":")[0] for line in found.left_out] == ["device 'bare'", "device 'sw-paris'"]
    assert "hunter2" not in repr(found)
    assert not any("/dcim/platforms/" in path for path in server.seen), "no record is asked for one by one"


def test_nautobot_is_joined_by_ids() -> None:
    with served(Server(NAUTOBOT)) as server:
        found = fitted(read(ImportKind.NAUTOBOT, server.url), Wishes())
    assert {name: d.fields["host"] for name, d in found.devices.items()} == {
        "fw-berlin": "192.0.2.41",
        "fw-two": "192.0.2.42",
    }
    assert found.sites.keys() == {"berlin"}
    assert found.sites["berlin"].networks == {"company": ("10.1.0.0/24",)}
    assert len(found.left_out) == 1


@pytest.mark.parametrize("kind", [ImportKind.NETBOX, ImportKind.NAUTOBOT])
@pytest.mark.parametrize(
    ("fault", "said"),
    [("500", "answered 500"), ("cut", "cut off"), ("loop", "back to themselves"), ("elsewhere", "another server")],
)
def test_a_fault_on_the_way_is_an_error_and_no_half_answer(kind: ImportKind, fault: str, said: str) -> None:
    things = NETBOX if kind is ImportKind.NETBOX else NAUTOBOT
    with served(Server(things, fault)) as server, pytest.raises(SourceFailed, match=said) as raised:
        read(kind, server.url)
    assert raised.value.hint
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("kind", [ImportKind.NETBOX, ImportKind.NAUTOBOT])
def test_another_address_is_no_reason_to_wait(kind: ImportKind) -> None:
    with served(Server(NETBOX, "404")) as server, pytest.raises(SourceFailed, match="answered 404") as raised:
        read(kind, server.url)
    assert "address" in raised.value.hint
    assert "later" not in raised.value.hint


@pytest.mark.parametrize("kind", [ImportKind.NETBOX, ImportKind.NAUTOBOT])
def test_a_refused_token_is_told_without_the_token(kind: ImportKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_TEST_TOKEN", "f" * 40)
    with served(Server(NETBOX)) as server, pytest.raises(SourceFailed, match="token was refused") as raised:
        read(kind, server.url)
    assert "ffff" not in str(raised.value)


@pytest.mark.parametrize("kind", [ImportKind.NETBOX, ImportKind.NAUTOBOT])
def test_nobody_there_no_tls_and_no_https(kind: ImportKind) -> None:
    with served(Server(NETBOX)) as server, pytest.raises(SourceFailed, match=r"certificate|no answer"):
        read(kind, server.url.replace("http:", "https:"))
    with pytest.raises(SourceFailed, match="no answer"):
        read(kind, server.url)
    reference = SecretRef.parse("secret://env/TOKGATE_TEST_TOKEN")
    with pytest.raises(SourceFailed, match="ca-file"):
        read_source(kind, "https://127.0.0.1:1", token=reference, filters={}, ca_file="/none")
    with pytest.raises(SourceFailed, match="https"):
        read(kind, "http://netbox.example.net")
