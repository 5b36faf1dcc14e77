"""Records over HTTP: several in one request, signed as webhooks are, taken when the answer says so."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from controller.export.forms import body
from controller.export.spool import Entry
from controller.export.wire import Down, Refused
from controller.inventory.exports import WebhookExport
from controller.webhook_sending import post
from controller.webhooks import check_url, headers, is_refusal, key_of
from core.clock import Clock
from core.net import Network

_ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class WebhookWire:
    """``allowed``: networks that may be reached by plain http. An inventory may name any receiver over https."""

    def __init__(self, config: WebhookExport, clock: Clock, *, allowed: tuple[Network, ...]) -> None:
        self.batch = config.batch
        self._config = config
        self._clock = clock
        self._allowed = allowed
        self._taken: Entry | None = None

    def send(self, batch: Sequence[Entry]) -> None:
        url = self._url()
        text = body(self._config.form, [entry.text for entry in batch])
        answer = post(
            url,
            text,
            self._headers(batch, text),
            allowed=_ANYWHERE if url.startswith("https:") else self._allowed,
            authorities=self._config.ca_file,
        )
        if is_refusal(answer):
            raise Refused(str(answer))
        if not answer.is_good:
            raise Down(str(answer), wait=answer.retry_after)
        self._taken = batch[-1]

    def confirmed(self) -> Entry | None:
        found, self._taken = self._taken, None
        return found

    def end(self) -> Entry | None:
        return self.confirmed()

    def drop(self) -> None:
        self._taken = None

    def _url(self) -> str:
        """Raises ``SecretUnavailable``, and ``Invalid`` without the address: it is a password."""
        if self._config.url_secret is None:
            return str(self._config.url)
        return check_url(self._config.url_secret.resolve().reveal().strip())

    def _headers(self, batch: Sequence[Entry], text: str) -> dict[str, str]:
        """The id is the same when the same is sent again."""
        config, found = self._config, dict[str, str]()
        if config.secret is not None:
            name = f"{batch[0].id}-{batch[-1].number}"
            found |= headers([key_of(config.secret.resolve())], message_id=name, at=self._clock.now(), body=text)
        if config.authorization is not None:
            found["Authorization"] = config.authorization.resolve().reveal().strip()
        return found


__all__ = ["WebhookWire"]
