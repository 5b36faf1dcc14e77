"""What webhooks are: who is told what, how a message looks, how it is signed, and when it is tried again. Pure.

Messages follow Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, specification 1.0.0): the
payload is an object of ``type``, ``timestamp`` and ``data``; three headers carry its id, the time of the attempt, and
signatures ``v1,`` + base64(HMAC-SHA256(key, "id.timestamp.payload")).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from controller.errors import Invalid
from core.ids import SiteName
from core.secret import MARK, Secret, SecretRef

KINDS: Final[Mapping[str, str]] = {
    "exception": "the life of exceptions: requested, approved, ended …",
    "emergency": "break-glass: withdrawals, switches and pauses, and their ends",
    "run": "a device could not be brought up to date, or can again",
    "drift": "a device was changed by somebody else",
    "alert": "what a person should look at, of intelligence, people and webhooks",
    "event": "what the counters prove, many in one message",
    "episode": "use, contacts, leaks and the like, as all evidence tells them, many in one message",
}
"""What can be subscribed to: each is the first word of the types of its messages."""
KEY_MARK: Final = "whsec_"
SECRET_BYTES: Final = (24, 64)
"""Least and most, as the specification asks."""
RETRY_FIRST: Final = timedelta(seconds=5)
RETRY_MOST: Final = timedelta(hours=1)
JITTER_SHARE: Final = 0.2
GIVE_UP: Final = timedelta(days=3)
"""A message that was not taken within this time is set aside."""
REFUSALS: Final = 5
"""So often a message may be refused for what it is, before it is set aside and the next one is sent."""
REFUSED: Final = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431})
"""Answers that are about the message; any other failure is about the receiver, and the messages wait for it."""
GONE: Final = 410
"""By the specification: the receiver wants no more."""
GAP: Final = "webhook.gap"
"""The type of a message that stands for messages which were dropped."""
COUNTED: Final = "event.counted"
"""The type of a message of detection events."""
EPISODES: Final = "episode.found"
"""The type of a message of episodes: each once when it is found, and again when it turns out to be something else."""
ENDED: Final = "episode.ended"
"""The type of a message that leaks of a site are over."""
GATHERED: Final[Mapping[str, str]] = {COUNTED: "events", EPISODES: "episodes"}
"""The types of messages that carry many of a kind, and how these are called in them."""
SETTLE: Final = timedelta(seconds=5)
"""So long a message of events waits for more of them."""
MAX_BODY_BYTES: Final = 256 * 1024
MAX_URL: Final = 2_000


SIGNED_NOT: Final = "these are not signed: their address is the password"


class MessageForm(StrEnum):
    """How a receiver wants its messages. They are kept as JSON, whatever the form, and put into it at each attempt."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"

    @property
    def is_signed(self) -> bool:
        return self is MessageForm.JSON


class MessageState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # set aside; can be replayed


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A subscription. ``sites``: only what is about one of these; None: everything, of the fleet too.

    ``secret`` is a reference, never the secret itself; ``old_secret`` signs beside it after a rotation. ``url`` is an
    address, or a reference to where one is kept that is a password.
    """

    id: str  # ULID
    name: str
    url: str
    kinds: tuple[str, ...]
    sites: frozenset[SiteName] | None
    secret: str | None  # None: it is not signed
    old_secret: str | None
    created_at: datetime
    created_by: str
    paused_at: datetime | None = None
    paused_why: str = ""
    failures: int = 0  # since the receiver last took something
    failing_since: datetime | None = None
    retry_at: datetime | None = None
    last_error: str = ""
    delivered_at: datetime | None = None
    dropped: int = 0  # messages that were lost because too many waited, ever
    form: MessageForm = MessageForm.JSON

    def wants(self, kind: str, sites: frozenset[str] | None) -> bool:
        """``sites``: what it is about; None: the whole fleet."""
        if kind.partition(".")[0] not in self.kinds:
            return False
        return self.sites is None or (sites is not None and bool(self.sites & sites))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one receiver. ``id`` stays the same however often it is sent."""

    seq: int
    id: str
    webhook: str  # its id
    kind: str
    at: datetime
    queued_at: datetime  # when it began to wait: again after a replay
    body: str
    state: MessageState
    items: int = 1  # events in it
    attempts: int = 0
    tried_at: datetime | None = None
    status: int | None = None  # of the last answer; None: there was none
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt. ``status`` None: no answer, for the reason in ``error``."""

    status: int | None = None
    error: str = ""
    retry_after: timedelta | None = None
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def __str__(self) -> str:
        return self.error or f"answered {self.status}"


# --- messages ---------------------------------------------------------------------------------------------------------


def render(kind: str, at: datetime, data: Mapping[str, Any]) -> str:
    """The payload. One that is too large says so instead of its data."""
    said = {"type": kind, "timestamp": _time(at), "data": data}
    body = json.dumps(said, separators=(",", ":"), ensure_ascii=False, default=_plain)
    if len(body.encode()) <= MAX_BODY_BYTES:
        return body
    brief = {key: value for key, value in data.items() if isinstance(value, str | int) and len(str(value)) < 200}
    return json.dumps({**said, "data": {**brief, "truncated": True}}, separators=(",", ":"), ensure_ascii=False)


def trimmed(data: Mapping[str, Any], sites: frozenset[SiteName] | None) -> dict[str, Any]:
    """Without the sites that this receiver is not told of."""
    found = dict(data)
    if sites is not None and isinstance(named := found.get("sites"), list | tuple):
        found["sites"] = [site for site in named if site in sites]
    return found


def with_items(kind: str, body: str, items: Iterable[Any]) -> str:
    """The payload of a batch of that type with more in it."""
    said = json.loads(body)
    said["data"][GATHERED[kind]] += [*items]
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False, default=_plain)


def gap(body: str | None, *, at: datetime, more: int = 1) -> str:
    """The payload that stands for messages that were dropped: a gap with ``more`` in it, or a new one."""
    before: dict[str, Any] = json.loads(body)["data"] if body else {"messages": 0, "since": _time(at)}
    data = {**before, "messages": before["messages"] + more, "until": _time(at)}
    return render(GAP, at, data)


def messages_in(kind: str, body: str) -> int:
    """How many messages it stands for: more than one only for a gap."""
    return int(json.loads(body)["data"]["messages"]) if kind == GAP else 1


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _plain(value: Any) -> Any:
    return _time(value) if isinstance(value, datetime) else str(value)


# --- signing ----------------------------------------------------------------------------------------------------------


def key_of(secret: Secret) -> bytes:
    """The key in ``whsec_…``. Raises ``Invalid`` without the secret in it."""
    text = secret.reveal().strip()
    wrong = Invalid(
        f"secret: expected {KEY_MARK} and {SECRET_BYTES[0]} to {SECRET_BYTES[1]} bytes in base64 at the reference",
        hint="`tokgate webhook secret` makes one",
    )
    if not text.startswith(KEY_MARK):
        raise wrong
    try:
        key = base64.b64decode(text.removeprefix(KEY_MARK), validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    if not SECRET_BYTES[0] <= len(key) <= SECRET_BYTES[1]:
        raise wrong
    return key


def new_secret() -> Secret:
    """256 random bits, in the form that receivers' libraries read."""
    return Secret(KEY_MARK + base64.b64encode(secrets.token_bytes(32)).decode())


def signature(key: bytes, *, message_id: str, at: datetime, body: str) -> str:
    """One signature, as it stands in the header."""
    said = f"{message_id}.{int(at.timestamp())}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


def headers(keys: Iterable[bytes], *, message_id: str, at: datetime, body: str) -> dict[str, str]:
    """What the receiver checks a message by. ``at`` is the attempt's time: a receiver refuses old ones."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signature(key, message_id=message_id, at=at, body=body) for key in keys),
    }


# --- when again -------------------------------------------------------------------------------------------------------


def wait_after(failures: int, answer: Answer, *, jitter: float) -> timedelta:
    """How long a receiver is left alone after its ``failures``-th failure in a row. ``jitter``: from 0 to 1."""
    doubled: int = 2 ** min(max(failures - 1, 0), 12)
    wait = max(min(RETRY_FIRST * doubled, RETRY_MOST), min(answer.retry_after or timedelta(), RETRY_MOST))
    return wait * (1 + JITTER_SHARE * jitter)


def is_refusal(answer: Answer) -> bool:
    """Whether the message is at fault, not the receiver."""
    return answer.status in REFUSED


# --- what a subscription may say --------------------------------------------------------------------------------------


def check_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Sorted, each once. Raises ``Invalid``."""
    found = tuple(sorted(set(kinds)))
    wrong = [kind for kind in found if kind not in KINDS]
    if wrong or not found:
        named = f", not {wrong[0][:40]!r}" if wrong else ""
        raise Invalid(f"kinds: at least one of {', '.join(KINDS)}{named}")
    return found


def check_url(url: str) -> str:
    """A plain address of http or https. Raises ``Invalid``. Where its name leads is looked at when something is sent.

    An address with a password in it is refused: it would be shown wherever the webhook is.
    """
    example = "as in https://chat.example.org/hooks/tokgate"
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        raise Invalid(f"url: an address of at most {MAX_URL} characters without spaces", hint=example)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise Invalid("url: this is no address", hint=example) from exc
    if parts.scheme not in ("http", "https") or not host or not url.isascii():
        raise Invalid("url: http or https, and a host, in ASCII", hint=example)
    if "@" in parts.netloc or parts.fragment:
        raise Invalid("url: without a user, a password or a fragment", hint="receivers know us by the signature")
    return url


def check_place(url: str, form: MessageForm) -> str:
    """An address, or a reference to one. Raises ``Invalid``."""
    if url.startswith(MARK):
        return check_secret(url, of="url")
    if not form.is_signed:
        raise Invalid(
            f"url: the address of a webhook of {form.value} is a password, and this one would be shown",
            hint="put it into a file, and say where: secret://file/etc/tokgate/chat.url",
        )
    return check_url(url)


def check_secret(reference: str, *, of: str = "secret") -> str:
    """Raises ``Invalid`` for what is no reference, without it."""
    try:
        return str(SecretRef.parse(reference))
    except ValueError as exc:
        raise Invalid(f"{of}: {exc}", hint="`tokgate webhook secret` makes one to be kept there") from exc


__all__ = [
    "COUNTED",
    "ENDED",
    "EPISODES",
    "GAP",
    "GATHERED",
    "KINDS",
    "SETTLE",
    "SIGNED_NOT",
    "Answer",
    "Message",
    "MessageForm",
    "MessageState",
    "Webhook",
    "check_kinds",
    "check_place",
    "check_secret",
    "check_url",
    "gap",
    "headers",
    "is_refusal",
    "key_of",
    "messages_in",
    "new_secret",
    "render",
    "signature",
    "trimmed",
    "wait_after",
    "with_items",
]
