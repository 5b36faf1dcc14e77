"""The controller of another machine, as far as its REST API goes: what a command asks when ``TOKGATE_URL`` is set.

It answers with the same values as the controller here, so that a command prints the same. What the API does not do, or
is not brought over yet, says so, before anything was done.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import TypeAdapter

from api.client import ApiError, Client, NotFound, Unreachable
from api.models import show_time
from controller import model, webhooks
from controller.errors import Conflict
from controller.exceptions import ExceptionPreview, ExceptionRequest, parse_hours
from core.clock import SystemClock
from core.errors import ConfigError, TokgateError
from core.secret import Secret

if TYPE_CHECKING:
    from controller.model import Window
    from controller.service import Controller
    from controller.store import AuditQuery
    from controller.store.webhooks import MessageQuery

T = TypeVar("T")

URL: Final = "TOKGATE_URL"
TOKEN: Final = "TOKGATE_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE: Final = "TOKGATE_TOKEN_FILE"  # noqa: S105


@contextmanager
def controller(url: str) -> Iterator[Controller]:
    """Raises ``ConfigError``, and what the API refuses as the error that it names."""
    try:
        client = Client(url, token())
    except ValueError as exc:
        raise ConfigError(f"{URL}: {exc}") from exc
    with client:
        try:
            yield Remote(client)  # type: ignore[misc]  # what it lacks says so
        except ApiError as exc:
            raise as_ours(exc) from exc


def token() -> str:
    """From the environment or a file, never the command line. Raises ``ConfigError``."""
    if text := os.environ.get(TOKEN, "").strip():
        return text
    if not (place := os.environ.get(TOKEN_FILE)):
        raise ConfigError(f"{URL} is set, and no token", hint=f"set {TOKEN}, or {TOKEN_FILE} to a file that holds it")
    try:
        return Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{TOKEN_FILE}: {place} cannot be read: {type(exc).__name__}") from exc


def as_ours(error: ApiError) -> TokgateError:
    """With the code, the hint and the exit code that the same failure has here."""
    hint = error.hint
    if isinstance(error, Unreachable):
        hint = "look whether it was done before you try again"
    found = TokgateError(error.message, hint=hint)
    kind = next((kind for kind in _family(TokgateError) if kind.code == error.code), TokgateError)
    vars(found).update(code=error.code or kind.code, exit_code=kind.exit_code)
    return found


def _family(root: type[TokgateError]) -> Iterator[type[TokgateError]]:
    for child in root.__subclasses__():
        yield child
        yield from _family(child)


def _made(kind: type[T], answer: object) -> T:
    return TypeAdapter(kind).validate_python(answer)


def _text(token: str | None) -> Secret:
    """Raises ``Conflict`` when the answer that had it was lost, and this is the one to the second try."""
    if token is None:
        hint = "`tokgate token list` shows the token; rotate it for another secret, or revoke it"
        raise Conflict("it was done, but the answer with the token was lost on the way", hint=hint)
    return Secret(token)


class _Part:
    """Something of the controller; what it lacks is said."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        raise ConfigError(
            "this cannot be done over the API by this command",
            hint=f"run it on the machine of the store, without {URL}; docs/client.md lists what can",
        )


class Remote(_Part):
    """What commands ask of a ``Controller``."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.clock = SystemClock()
        self.exceptions = _Exceptions(client)
        self.webhooks = _Webhooks(client)
        self.inventory = _Inventory(client)

    def runs(self, *, limit: int) -> list[model.Run]:
        return [_run(found) for found in islice(self._client.runs.list_runs(limit=limit), limit)]

    def run(self, run_id: str) -> model.Run:
        return _run(self._client.runs.get_run(run_id))

    def audit(self, *, limit: int, wanted: AuditQuery) -> list[model.AuditEntry]:
        found = self._client.audit.list_entries(
            actor=wanted.actor,
            action=wanted.action,
            subject=wanted.subject,
            q=wanted.text,
            since=show_time(wanted.since) if wanted.since else None,
            until=show_time(wanted.until) if wanted.until else None,
            limit=min(limit, 500),
        )
        return [_made(model.AuditEntry, entry) for entry in islice(found, limit)]

    def verify_audit(self) -> list[str]:
        return list(self._client.audit.verify()["breaks"])

    def tokens(self) -> list[model.Token]:
        return [_made(model.Token, found) for found in self._client.tokens.list_tokens()]

    def create_token(
        self,
        name: str,
        scopes: Iterable[model.Scope],
        lifetime: timedelta,
        *,
        actor: str,
        sites: Iterable[str] | None = None,
        owner: str | None = None,
    ) -> tuple[model.Token, Secret]:
        body: Any = {"name": name, "scopes": [scope.value for scope in scopes], "days": lifetime.days}
        more = {"sites": None if sites is None else [*sites], "owner": owner}
        made = self._client.tokens.create_token(body | {key: value for key, value in more.items() if value is not None})
        return _made(model.Token, made), _text(made["token"])

    def rotate_token(self, id_or_name: str, *, actor: str, overlap: timedelta) -> tuple[model.Token, Secret]:
        hours = int(overlap / timedelta(hours=1))
        made = self._client.tokens.rotate_token(self._token(id_or_name), {"overlap_hours": hours})
        return _made(model.Token, made), _text(made["token"])

    def revoke_token(self, id_or_name: str, *, actor: str) -> model.Token:
        return _made(model.Token, self._client.tokens.revoke_token(self._token(id_or_name)))

    def _token(self, id_or_name: str) -> str:
        usable = self._client.tokens.list_tokens(usable=True)
        found = next((t["id"] for t in usable if id_or_name in (t["id"], t["name"])), None)
        if found is None:
            raise NotFound({"code": "TG5001", "detail": f"no usable token {id_or_name[:40]!r}"})
        return found

    def site_report(self, site: str, window: Window) -> _Report:
        start, end = show_time(window.start), show_time(window.end)
        return _Report(self._client, self._client.reports.site_report(site, from_=start, to=end))

    def fleet_report(self, window: Window) -> _Report:
        start, end = show_time(window.start), show_time(window.end)
        return _Report(self._client, self._client.reports.fleet_report(from_=start, to=end))


class _Inventory(_Part):
    def site(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=self._client.sites.get_site(name)["name"])


class _Report(_Part):
    """As JSON and as a table; a page is made where the report is."""

    def __init__(self, client: Client, said: dict[str, Any]) -> None:
        super().__init__(client)
        self._said = said

    def to_json(self) -> dict[str, Any]:
        return self._said

    @property
    def intelligence(self) -> list[str]:
        return [f"source {found['source']} {found['what']}: {found['why']}" for found in self._said["intelligence"]]


class _Exceptions(_Part):
    def find(
        self, *, state: model.ExceptionState | None = None, site: str | None = None, live: bool | None = None
    ) -> tuple[model.AccessException, ...]:
        found = self._client.exceptions.list_exceptions(
            state=state.value if state else None, site=site, live=live, order="asc", limit=500
        )
        return tuple(map(_exception, found))

    def get(self, exception_id: str) -> model.AccessException:
        return _exception(self._client.exceptions.get_exception(exception_id))

    def history(self, exception_id: str) -> tuple[model.AccessException, ...]:
        return tuple(map(_exception, self._client.exceptions.history(exception_id)["items"]))

    def use(self, exception_id: str) -> model.Use:
        said = self._client.exceptions.use(exception_id)
        return _made(model.Use, {**said, "octets": said["bytes"]})

    def preview(self, request: ExceptionRequest) -> _Seen:
        return _seen(self._client.exceptions.preview(_body(request)))

    def preview_of(self, exception_id: str) -> _Seen:
        return _seen(self._client.exceptions.preview_of(exception_id))

    def request(self, request: ExceptionRequest, *, actor: str, draft: bool = False) -> model.AccessException:
        return _exception(self._client.exceptions.request_exception(_body(request) | {"draft": draft}))

    def submit(self, exception_id: str, *, actor: str) -> model.AccessException:
        return _exception(self._client.exceptions.submit(exception_id))

    def renew(self, exception_id: str, *, ends: datetime, actor: str, reason: str = "") -> model.AccessException:
        return _exception(self._client.exceptions.renew(exception_id, {"ends": show_time(ends), "reason": reason}))

    def seat(self, exception_id: str, sources: Iterable[str], *, actor: str, may_all: bool) -> model.AccessException:
        return _exception(self._client.exceptions.give_seats(exception_id, {"sources": [*sources]}))

    def approve(self, exception_id: str, *, actor: str, preview: str | None = None) -> model.AccessException:
        body: Any = {"preview": preview} if preview else {}
        return _exception(self._client.exceptions.approve(exception_id, body))

    def deny(self, exception_id: str, *, actor: str, reason: str) -> model.AccessException:
        return _exception(self._client.exceptions.deny(exception_id, {"reason": reason}))

    def revoke(self, exception_id: str, *, actor: str, reason: str) -> model.AccessException:
        return _exception(self._client.exceptions.revoke(exception_id, {"reason": reason}))


class _Webhooks(_Part):
    def all(self) -> list[tuple[webhooks.Webhook, int, int]]:
        return [
            (_made(webhooks.Webhook, found), found["waiting"], found["dead"])
            for found in self._client.webhooks.list_webhooks()
        ]

    def add(
        self, name: str, *, url: str, kinds: Iterable[str], secret: str, sites: Iterable[str] | None, actor: str
    ) -> webhooks.Webhook:
        body: Any = {"name": name, "url": url, "kinds": [*kinds], "secret": secret}
        body |= {} if sites is None else {"sites": [*sites]}
        return _made(webhooks.Webhook, self._client.webhooks.add_webhook(body))

    def remove(self, name: str, *, actor: str) -> None:
        self._client.webhooks.remove_webhook(name)

    def rotate(self, name: str, *, secret: str, actor: str) -> None:
        self._client.webhooks.rotate_secret(name, {"secret": secret})

    def resume(self, name: str, *, actor: str) -> None:
        self._client.webhooks.resume_webhook(name)

    def test(self, name: str, *, actor: str) -> webhooks.Answer:
        return _made(webhooks.Answer, self._client.webhooks.test_webhook(name))

    def messages(self, name: str, wanted: MessageQuery, *, limit: int) -> list[webhooks.Message]:
        state: Any = wanted.state.value if wanted.state else None
        found = islice(self._client.webhooks.list_deliveries(name, state=state, limit=min(limit, 500)), limit)
        unknown = {"seq": 0, "webhook": ""}  # nobody is shown these
        return [
            _made(webhooks.Message, {**one, **unknown, "kind": one["type"], "queued_at": one["at"]}) for one in found
        ]

    def replay(self, name: str, *, ids: Iterable[str] | None, since: datetime | None, actor: str) -> int:
        said = {"ids": None if ids is None else [*ids], "since": since and show_time(since)}
        body: Any = {key: value for key, value in said.items() if value is not None}
        return self._client.webhooks.replay(name, body)["messages"]


def _body(request: ExceptionRequest) -> Any:
    said = TypeAdapter(ExceptionRequest).dump_python(request, mode="json")
    times = {"starts": show_time(request.starts), "ends": show_time(request.ends)}
    return {key: value for key, value in {**said, **times}.items() if value is not None}


def _exception(answer: Any) -> model.AccessException:
    declared = answer["declared"] and {"key": answer["declared"], "digest": ""}
    hours = [parse_hours(text) for text in answer["hours"]]
    return _made(model.AccessException, {**answer, "declared": declared, "hours": hours})


class _Seen(ExceptionPreview):
    """A preview with the digest that the server gave it: what it is an approval of is the server's to say."""

    _digest: str

    @property
    def digest(self) -> str:
        return self._digest


def _seen(answer: Any) -> _Seen:
    plain = _made(ExceptionPreview, answer)
    found = _Seen(sentence=plain.sentence, opens=plain.opens, conflicts=plain.conflicts, lookups=plain.lookups)
    object.__setattr__(found, "_digest", answer["digest"])
    return found


def _run(answer: Any) -> model.Run:
    parts = [{**part, "run": answer["id"]} for part in answer["devices"]]
    return _made(model.Run, {**answer, "devices": parts})


__all__ = ["Remote", "as_ours", "controller", "token"]
