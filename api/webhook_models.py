"""What webhooks look like on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from api.models import Answer, Instant, Name, Request, Ulid
from controller import webhooks
from controller.webhook_desk import MAX_REPLAYED
from controller.webhooks import KINDS, MAX_URL, MessageForm, MessageState

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "chat",
    "url": "https://chat.example.org/hooks/tokgate",
    "kinds": ["exception", "run"],
    "sites": ["berlin"],
    "secret": "secret://file/etc/tokgate/chat.key",
}
SecretReference = Annotated[str, StringConstraints(max_length=500)]
_WHERE: Final = "where the key is kept, never the key itself: `secret://env/NAME`, `secret://file/PATH`"

_PLACE: Final = (
    "an address, or, when it is a password as those of Slack and Teams, where it is kept: `secret://file/PATH`"
)


class WebhookBody(Request):
    """Who is told of what. The key at `secret` is `whsec_` and 24 to 64 bytes in base64."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    url: str = Field(min_length=1, max_length=MAX_URL, description=_PLACE)
    form: MessageForm = Field(default=MessageForm.JSON, description="`slack` and `teams` are not signed")
    kinds: tuple[str, ...] = Field(min_length=1, max_length=len(KINDS), description=", ".join(KINDS))
    sites: tuple[Name, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="only what is about one of these; else everything"
    )
    secret: SecretReference | None = Field(default=None, description=f"{_WHERE}; the form `json` needs it")


class WebhookEditBody(Request):
    """What is left out stays. `"sites": null` lifts the limit to sites."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://chat.example.org/hooks/2027", "kinds": ["run", "drift"]}]}
    )

    url: str | None = Field(default=None, min_length=1, max_length=MAX_URL, description=_PLACE)
    kinds: tuple[str, ...] | None = Field(
        default=None, min_length=1, max_length=len(KINDS), description=", ".join(KINDS)
    )
    sites: tuple[Name, ...] | None = Field(default=None, min_length=1, max_length=1000)

    def changes(self) -> dict[str, Any]:
        """As ``WebhookDesk.edit`` takes them."""
        everywhere = "sites" in self.model_fields_set and self.sites is None
        return {"url": self.url, "kinds": self.kinds, "sites": self.sites, "everywhere": everywhere}


class RotateSecretBody(Request):
    """Another key; the one before signs beside it until the next rotation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"secret": "secret://file/etc/tokgate/chat-2027.key"}]})

    secret: SecretReference = Field(description=_WHERE)


class ReplayBody(Request):
    """Without anything: what was set aside. ``since``: what happened then or later, delivered or set aside."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-11-25T18:00:00Z"}]})

    ids: tuple[Ulid, ...] | None = Field(default=None, min_length=1, max_length=MAX_REPLAYED)
    since: Instant | None = None


class Webhook(Answer):
    """A receiver, and how it does. ``secret`` says where the key is kept."""

    id: str
    name: str
    url: str
    form: MessageForm
    kinds: tuple[str, ...]
    sites: tuple[str, ...] | None = Field(description="null is everything")
    secret: str | None = Field(description="null: it is not signed")
    old_secret: str | None
    created_at: Instant
    created_by: str
    paused_at: Instant | None = Field(description="it is sent nothing until it is resumed")
    paused_why: str
    failures: int = Field(description="in a row")
    failing_since: Instant | None
    retry_at: Instant | None
    last_error: str
    delivered_at: Instant | None = Field(description="when it last took something")
    dropped: int = Field(description="messages that were lost because too many waited, ever")
    waiting: int
    dead: int = Field(description="messages that are set aside")

    @classmethod
    def of(cls, found: tuple[webhooks.Webhook, int, int]) -> Webhook:
        hook, waiting, dead = found
        return cls(
            id=hook.id,
            name=hook.name,
            url=hook.url,
            form=hook.form,
            kinds=hook.kinds,
            sites=None if hook.sites is None else tuple(sorted(hook.sites)),
            secret=hook.secret,
            old_secret=hook.old_secret,
            created_at=hook.created_at,
            created_by=hook.created_by,
            paused_at=hook.paused_at,
            paused_why=hook.paused_why,
            failures=hook.failures,
            failing_since=hook.failing_since,
            retry_at=hook.retry_at,
            last_error=hook.last_error,
            delivered_at=hook.delivered_at,
            dropped=hook.dropped,
            waiting=waiting,
            dead=dead,
        )


class Delivery(Answer):
    """One message to one receiver. ``status`` is that of the last answer; null: there was none."""

    id: str = Field(description="the `webhook-id` that it is sent under, however often")
    type: str
    at: Instant
    state: MessageState
    attempts: int
    tried_at: Instant | None
    status: int | None
    error: str
    body: str = Field(description="as it is signed and sent; `slack` and `teams` are made of it at each attempt")

    @classmethod
    def of(cls, message: webhooks.Message) -> Delivery:
        return cls(
            id=message.id,
            type=message.kind,
            at=message.at,
            state=message.state,
            attempts=message.attempts,
            tried_at=message.tried_at,
            status=message.status,
            error=message.error,
            body=message.body,
        )


class Tried(Answer):
    """What came of a test. ``status`` null: there was no answer, for the reason in ``error``."""

    good: bool
    status: int | None
    error: str
    seconds: float

    @classmethod
    def of(cls, answer: webhooks.Answer) -> Tried:
        return cls(good=answer.is_good, status=answer.status, error=answer.error, seconds=round(answer.seconds, 3))


class Replayed(Answer):
    """How many messages wait again."""

    messages: int
