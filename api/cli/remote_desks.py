"""The desks of the controller of another machine, as far as its REST API goes: exceptions and webhooks.

They have the methods that commands call, and answer with the same values.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from api.cli.remote_values import Seen, body_of, exception_of, made, preview_of
from api.client import Client
from api.models import show_time
from controller import model, webhooks
from controller.exceptions import ExceptionRequest

if TYPE_CHECKING:
    from controller.exception_desk import Wanted
    from controller.store.webhooks import MessageQuery


class Desk:
    """One of the server's."""

    def __init__(self, client: Client) -> None:
        self._client = client


class RemoteExceptions(Desk):
    def find(self, wanted: Wanted) -> tuple[model.AccessException, ...]:
        found = self._client.exceptions.list_exceptions(
            state=wanted.state.value if wanted.state else None,
            site=wanted.site,
            live=wanted.live,
            owner=wanted.owner,
            requested_by=wanted.requested_by,
            q=wanted.text,
            order="asc",
            limit=500,
        )
        return tuple(map(exception_of, found))

    def get(self, exception_id: str) -> model.AccessException:
        return exception_of(self._client.exceptions.get_exception(exception_id))

    def history(self, exception_id: str) -> tuple[model.AccessException, ...]:
        return tuple(map(exception_of, self._client.exceptions.history(exception_id)))

    def use(self, exception_id: str) -> model.Use:
        said = self._client.exceptions.use(exception_id)
        return made(model.Use, {**said, "octets": said["bytes"]})

    def preview(self, request: ExceptionRequest) -> Seen:
        return preview_of(self._client.exceptions.preview(body_of(request)))

    def preview_of(self, exception_id: str) -> Seen:
        return preview_of(self._client.exceptions.preview_of(exception_id))

    def request(self, request: ExceptionRequest, *, actor: str, draft: bool = False) -> model.AccessException:
        return exception_of(self._client.exceptions.request_exception(body_of(request) | {"draft": draft}))

    def submit(self, exception_id: str, *, actor: str) -> model.AccessException:
        return exception_of(self._client.exceptions.submit(exception_id))

    def renew(self, exception_id: str, *, ends: datetime, actor: str, reason: str = "") -> model.AccessException:
        return exception_of(self._client.exceptions.renew(exception_id, {"ends": show_time(ends), "reason": reason}))

    def seat(self, exception_id: str, sources: Iterable[str], *, actor: str, may_all: bool) -> model.AccessException:
        return exception_of(self._client.exceptions.give_seats(exception_id, {"sources": [*sources]}))

    def approve(self, exception_id: str, *, actor: str, preview: str | None = None) -> model.AccessException:
        body: Any = {"preview": preview} if preview else {}
        return exception_of(self._client.exceptions.approve(exception_id, body))

    def deny(self, exception_id: str, *, actor: str, reason: str) -> model.AccessException:
        return exception_of(self._client.exceptions.deny(exception_id, {"reason": reason}))

    def revoke(self, exception_id: str, *, actor: str, reason: str) -> model.AccessException:
        return exception_of(self._client.exceptions.revoke(exception_id, {"reason": reason}))


class RemoteWebhooks(Desk):
    def all(self) -> list[tuple[webhooks.Webhook, int, int]]:
        return [
            (made(webhooks.Webhook, found), found["waiting"], found["dead"])
            for found in self._client.webhooks.list_webhooks()
        ]

    def add(
        self,
        name: str,
        *,
        url: str,
        kinds: Iterable[str],
        secret: str | None,
        sites: Iterable[str] | None,
        form: str,
        actor: str,
    ) -> webhooks.Webhook:
        body: Any = {"name": name, "url": url, "kinds": [*kinds], "form": form}
        body |= {} if secret is None else {"secret": secret}
        body |= {} if sites is None else {"sites": [*sites]}
        return made(webhooks.Webhook, self._client.webhooks.add_webhook(body))

    def edit(
        self,
        name: str,
        *,
        url: str | None,
        kinds: Iterable[str] | None,
        sites: Iterable[str] | None,
        everywhere: bool,
        actor: str,
    ) -> webhooks.Webhook:
        said = {"url": url, "kinds": kinds and [*kinds], "sites": sites and [*sites]}
        body: Any = {key: value for key, value in said.items() if value is not None}
        body |= {"sites": None} if everywhere else {}
        return made(webhooks.Webhook, self._client.webhooks.edit_webhook(name, body))

    def remove(self, name: str, *, actor: str) -> None:
        self._client.webhooks.remove_webhook(name)

    def rotate(self, name: str, *, secret: str, actor: str) -> None:
        self._client.webhooks.rotate_secret(name, {"secret": secret})

    def resume(self, name: str, *, actor: str) -> None:
        self._client.webhooks.resume_webhook(name)

    def test(self, name: str, *, actor: str) -> webhooks.Answer:
        return made(webhooks.Answer, self._client.webhooks.test_webhook(name))

    def messages(self, name: str, wanted: MessageQuery, *, limit: int) -> list[webhooks.Message]:
        state: Any = wanted.state.value if wanted.state else None
        found = islice(self._client.webhooks.list_deliveries(name, state=state, limit=min(limit, 500)), limit)
        unknown = {"seq": 0, "webhook": ""}  # nobody is shown these
        return [
            made(webhooks.Message, {**one, **unknown, "kind": one["type"], "queued_at": one["at"]}) for one in found
        ]

    def replay(self, name: str, *, ids: Iterable[str] | None, since: datetime | None, actor: str) -> int:
        said = {"ids": None if ids is None else [*ids], "since": since and show_time(since)}
        body: Any = {key: value for key, value in said.items() if value is not None}
        return self._client.webhooks.replay(name, body)["messages"]
