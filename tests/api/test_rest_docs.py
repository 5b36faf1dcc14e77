"""The page of the API tells what the API is: routes, scopes, metrics, limits."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import auth, lanes, limits, pages, server
from api.reference import operations, scopes_of
from api.routes.intel_bundles import MAX_BUNDLE_BYTES
from controller.exceptions import MAX_SOURCES
from controller.model import EventAction, ExceptionState, Scope
from controller.repeats import LIFE
from controller.settings import Settings
from tests.api.conftest import INVENTORY, Office, Stock, an_office

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EVERYWHERE = {"cursor", "limit", "order", "count", "q"}
"""What every list can be asked for."""
ROUTE = re.compile(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def told(page: str) -> dict[tuple[str, str], frozenset[str]]:
    """The routes of the table, each with its scopes."""
    return {
        (method, path): frozenset() if scopes == "none" else frozenset(re.findall(r"`(\w+)`", scopes))
        for method, path, scopes, _ in ROUTE.findall(page)
    }


def served(office: Office) -> dict[tuple[str, str], frozenset[str]]:
    return {
        (method.upper(), path): frozenset(scopes_of(operation))
        for method, path, operation in operations(office.app.openapi())
    }


def test_the_table_of_routes_is_the_openapi_document(shared_office: Office) -> None:
    assert told(PAGE) == served(shared_office)
    assert len(ROUTE.findall(PAGE)) == len(told(PAGE)), "no route stands there twice"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda page: page.replace("| DELETE |", "| POST |"), id="another-method"),
        pytest.param(lambda page: page.replace("`approve` or `request`", "`approve`"), id="another-scope"),
        pytest.param(lambda page: re.sub(r"^\| GET \| `/readyz`.*\n", "", page, flags=re.MULTILINE), id="one-missing"),
    ],
)
def test_a_table_that_is_not_the_api_is_noticed(shared_office: Office, change: object) -> None:
    assert callable(change)
    assert told(change(PAGE)) != served(shared_office)


def test_every_route_that_lists_says_its_filters(shared_office: Office) -> None:
    rows = dict(re.findall(r"^\| (`/api/v1/[^|]+) \| ([^|]*)\| [^|]+ \| \d+ \|$", PAGE, re.MULTILINE))
    page = {
        path: set(re.findall(r"`(\w+)`", names)) - EVERYWHERE
        for paths, names in rows.items()
        for path in paths.split("`")[1::2]
    }
    lists = {}
    for method, path, operation in operations(shared_office.app.openapi()):
        names = {p["name"] for p in operation.get("parameters", ()) if p["in"] != "path"}
        if method == "get" and "cursor" in names:
            lists[path] = names - EVERYWHERE
            assert names >= EVERYWHERE, path
    assert page == lists


RECEIVING, EXPORTS = "tokgate_evidence_", "tokgate_export_"


def test_every_metric_is_named_with_its_labels(shared_office: Office) -> None:
    text = shared_office.ask("GET", "/metrics").text
    rows = re.findall(r"^\| `(tokgate_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)
    page = {
        name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows if not name.startswith((RECEIVING, EXPORTS))
    }
    families = list(text_string_to_metric_families(text))
    families = [family for family in families if not family.name.startswith((RECEIVING, EXPORTS))]
    shown = {family.name for family in families}
    sometimes = {"tokgate_last_tick_age_seconds", "tokgate_certificate_left_seconds"}
    assert page.keys() == shown | sometimes, "those two are there only with a schedule, and with a certificate"
    for sample in (sample for family in families for sample in family.samples):
        assert page[sample.name] == sample.labels.keys()


def test_every_metric_of_exports_is_named_with_its_labels(
    tmp_path: Path, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there where something is exported."""
    monkeypatch.setenv("REST_TEST_PASSWORD", "x")
    exports = "exports: {siem: {kind: syslog, host: siem.example.net}}\n"
    with an_office(tmp_path, stock, INVENTORY + exports) as office:
        text = office.ask("GET", "/metrics").text
    rows = re.findall(rf"^\| `({EXPORTS}\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    shown = {sample.name: tuple(sample.labels) for sample in samples if sample.name.startswith(EXPORTS)}
    assert shown == {name: (label,) for name, label in rows}


def test_every_metric_of_receiving_is_named_with_its_labels(
    tmp_path: Path, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there in a process that listens."""
    monkeypatch.setenv("REST_TEST_PASSWORD", "x")
    listen = 'evidence: {listen: [{over: udp, at: "127.0.0.1:0"}]}\n'
    with an_office(tmp_path, stock, INVENTORY + listen) as office, office.controller.receiving.listening():
        (receiver,) = office.controller.receiving.running
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for said in (b"<134>Nov 25 12:00:00 x filterlog: 8,,,1,em0,match,rdr,in,4,", b"no evidence"):
                sock.sendto(said, ("127.0.0.1", receiver.ports[0]))
        assert waited_for(lambda: receiver.figures().passed + receiver.figures().rejected.total() == 2)
        text = office.ask("GET", "/metrics").text
    rows = re.findall(r"^\| `(tokgate_\w+)`(?:, `(tokgate_\w+)`)? \| ([^|]*)\|", PAGE, re.MULTILINE)
    page = {name: set(re.findall(r"`(\w+)`", labels)) for *names, labels in rows for name in names}
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    shown = {sample.name: sample.labels.keys() for sample in samples if sample.name.startswith(RECEIVING)}
    assert {name: labels for name, labels in page.items() if name.startswith(RECEIVING)} == shown


def waited_for(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return holds()


def test_limits_options_and_words_are_those_of_the_code() -> None:
    for fact in (
        f"| body | {limits.MAX_BODY_BYTES // 1024} KiB, within {limits.BODY_SECONDS:g} s |",
        f"| headers of a request | {server.MAX_HEADER_BYTES // 1024} KiB, received whole within 15 s |",
        f"| page of a list | {pages.MAX_PAGE} |",
        f"| body of an import | {MAX_BUNDLE_BYTES // 2**20} MiB, within {limits.BODY_SECONDS:g} s, one at a time |",
        f"| {MAX_SOURCES}; 366 days long |",
        f"| {lanes.WIDTH} at once |",
        f"| connections | {server.MAX_CONNECTIONS};",
        "| 20 at once, then one every 5 s;",
        f"| `--port` | `TOKGATE_API_PORT` | `{Settings.model_fields['api_port'].default}` |",
        f"| `--host` | `TOKGATE_API_HOST` | `{Settings.model_fields['api_host'].default}` |",
    ):
        assert fact in PAGE, fact
    brake = auth.GuessBrake.__init__.__kwdefaults__
    assert {"burst": 20, "refill_seconds": 5.0, "remembered": 10_000}.items() <= brake.items()
    assert (LIFE.days, server.RECEIPT_SECONDS) == (1, 15)
    for word in (*Scope, *EventAction, *ExceptionState):
        assert f"`{word.value}`" in PAGE, word
