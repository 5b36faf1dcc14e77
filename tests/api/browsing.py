"""A browser without a screen: one person's cookies, and forms sent as a page sends them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from tests.api.conftest import Office

PASSWORD_OF_ANNA = "horse battery staple 7"


@dataclass(frozen=True, slots=True)
class Browser:
    """What one person does with the office's pages."""

    office: Office
    client: httpx.AsyncClient

    @classmethod
    def at(cls, office: Office, *, base: str = "http://tokgate.test", address: str = "192.0.2.60") -> Browser:
        transport = httpx.ASGITransport(office.app, client=(address, 4712))
        return cls(office, httpx.AsyncClient(transport=transport, base_url=base, trust_env=False))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.office.runner.run(self.client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def send(self, path: str, *, page: str | None = None, **fields: str) -> httpx.Response:
        """The form of a page, with the word that the page has in it."""
        return self.ask("POST", path, data={"csrf_token": self.word(page or path), **fields})

    def word(self, page: str) -> str:
        """What the form on that page proves itself with."""
        found = re.search(r'name="csrf_token" value="([^"]*)"', self.get(page).text)
        assert found, f"no form on {page}"
        return unescape(found[1])

    def sign_in(self, name: str = "anna", password: str = PASSWORD_OF_ANNA, *, where: str = "/") -> httpx.Response:
        return self.send("/login", name=name, password=password, next=where)

    @property
    def session(self) -> str:
        return next((c.value for c in self.client.cookies.jar if c.name.endswith("tokgate-session") and c.value), "")
