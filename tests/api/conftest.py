"""The REST API for tests: the real application over a real controller, two offices whose firewalls do not answer."""

from __future__ import annotations

import asyncio
import io
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from api.app import create_app
from controller.log import set_up_logging
from controller.model import Scope
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from tests.controller.offices import NOON, YAML

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)
PASSWORD = "the password of the firewalls"
INVENTORY = YAML.replace('key_file: "secret://file/nonexistent/key"', 'password: "secret://env/REST_TEST_PASSWORD"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """An application, who may ask it, and the time."""

    app: FastAPI
    client: httpx.AsyncClient
    runner: asyncio.Runner
    controller: Controller
    clock: ManualClock
    tokens: dict[str, str]

    def ask(self, method: str, path: str, *, token: str | None = "admin", **more: Any) -> httpx.Response:
        """One request by the holder of the token of that name (``helpdesk``, ``lead`` …), or of none."""
        headers = {**({"Authorization": f"Bearer {self.tokens[token]}"} if token else {}), **more.pop("headers", {})}
        return self.runner.run(self.client.request(method, path, headers=headers, **more))

    def get(self, path: str, **more: Any) -> Any:
        """What a good GET of ``/api/v1`` answers."""
        answer = self.ask("GET", f"/api/v1{path}", **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_token(self, name: str, *scopes: Scope, lifetime: timedelta = MONTH) -> str:
        _, text = self.controller.create_token(name, scopes, lifetime, actor="test")
        self.tokens[name] = text.reveal()
        return self.tokens[name]


@dataclass(frozen=True, slots=True)
class Stock:
    """A data folder to be copied, and the tokens that stand in its store."""

    data: Path
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """At the newest schema, the shipped intelligence in force, a token for each scope and two for people."""
    folder = tmp_path_factory.mktemp("rest")
    with opened(folder) as controller, asyncio.Runner() as runner:
        controller.refresh_intel(actor="test")
        office = served(controller, runner, {})
        for scope in Scope:
            office.add_token(scope.value, scope)
        office.add_token("helpdesk", Scope.READ, Scope.REQUEST)
        office.add_token("lead", Scope.READ, Scope.REQUEST, Scope.APPROVE)
    return Stock(folder / "data", office.tokens)


def wish(office: Office, *, later: timedelta = HOUR, **more: Any) -> dict[str, Any]:
    """A request for an exception that begins later, so that no device work is under way at once."""
    now = office.clock.now()
    said = {"sites": ["berlin"], "sources": ["10.20.0.7"], "service": "tiktok", "reason": "campaign", "owner": "ann"}
    return {**said, "starts": (now + later).isoformat(), "ends": (now + later + HOUR).isoformat(), **more}


@pytest.fixture
def log_text() -> Iterator[io.StringIO]:
    """The log of a whole process, at its most talkative."""
    stream = io.StringIO()
    set_up_logging(level="debug", log_format="json", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers = []


@contextmanager
def opened(folder: Path, inventory: str = INVENTORY) -> Iterator[Controller]:
    (folder / "inventory.yaml").write_text(inventory, encoding="utf-8")
    settings = Settings(inventory=folder / "inventory.yaml", data_dir=folder / "data", workers=2)
    with Controller.open(settings, clock=ManualClock(NOON)) as controller:
        yield controller


@contextmanager
def an_office(folder: Path, stock: Stock, inventory: str = INVENTORY) -> Iterator[Office]:
    """A fresh application in ``folder``, over a copy of the stock."""
    shutil.copytree(stock.data, folder / "data", ignore=shutil.ignore_patterns("*.lock", "locks", "processes"))
    with opened(folder, inventory) as controller, asyncio.Runner() as runner:
        yield served(controller, runner, dict(stock.tokens))


def served(controller: Controller, runner: asyncio.Runner, tokens: dict[str, str]) -> Office:
    """A new application over the controller."""
    clock = controller.clock
    assert isinstance(clock, ManualClock)
    app = create_app(controller)
    transport = httpx.ASGITransport(app, client=("192.0.2.55", 4711))
    client = httpx.AsyncClient(transport=transport, base_url="http://tokgate.test", trust_env=False)
    return Office(app=app, client=client, runner=runner, controller=controller, clock=clock, tokens=tokens)


@pytest.fixture(scope="module")
def shared_office(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One for all tests of a module that leave nothing behind for the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        with an_office(tmp_path_factory.mktemp("office"), stock) as made:
            yield made


@pytest.fixture
def office(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """One for this test alone."""
    monkeypatch.setenv("REST_TEST_PASSWORD", PASSWORD)
    with an_office(tmp_path, stock) as made:
        yield made
