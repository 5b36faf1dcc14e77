"""Where webhooks are made, tried, looked at, replayed and removed. Every change is in the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

from controller.audit import AuditNote
from controller.errors import Invalid, NotFound
from controller.inventory import Inventory
from controller.privacy_desk import PrivacyDesk
from controller.rehearsal import rehearsal
from controller.settings import Settings
from controller.store import Store
from controller.store.webhooks import MessageQuery, by_ids, by_state
from controller.webhook_forms import in_form
from controller.webhook_sending import post
from controller.webhooks import (
    SIGNED_NOT,
    Answer,
    Message,
    MessageForm,
    MessageState,
    Webhook,
    check_kinds,
    check_place,
    check_secret,
    check_url,
    headers,
    key_of,
    render,
)
from core.clock import Clock
from core.errors import SecretUnavailable
from core.ids import NAME, SiteName, new_id
from core.net import Network
from core.secret import MARK, SecretRef

MAX_WEBHOOKS: Final = 50
"""Each change is written once for each of them."""
MAX_REPLAYED: Final = 500
"""Ids in one call."""


class WebhookDesk:
    """One for a controller. Safe to use from any number of threads."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        clock: Clock,
        settings: Settings,
        *,
        privacy: PrivacyDesk | None = None,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._privacy = privacy or PrivacyDesk(store=store, inventory=inventory, clock=clock)
        self.allowed: tuple[Network, ...] = tuple(ip_network(text) for text in settings.webhook_networks)
        self.authorities = settings.webhook_ca

    def all(self) -> list[tuple[Webhook, int, int]]:
        """By name; with each how many messages wait, and how many are set aside."""
        return self._store.webhooks()

    def get(self, name: str) -> tuple[Webhook, int, int]:
        """Raises ``NotFound``."""
        hook = self._store.webhook(name)
        return next(found for found in self.all() if found[0].id == hook.id)

    def add(
        self,
        name: str,
        *,
        url: str,
        kinds: Iterable[str],
        secret: str | None = None,
        sites: Iterable[str] | None,
        form: str = MessageForm.JSON,
        actor: str,
    ) -> Webhook:
        """Subscribe. ``secret`` is a reference to where the key is kept, ``url`` an address or a reference to one.

        Raises ``Invalid``, ``SecretUnavailable``; ``NotFound`` for a site; ``Conflict`` when the name is taken.
        """
        if not NAME.fullmatch(name):
            raise Invalid("name: lower-case letters, digits and inner hyphens, at most 40")
        known = self._known(sites)
        if len(self.all()) >= MAX_WEBHOOKS:
            raise Invalid(f"there are {MAX_WEBHOOKS} webhooks already", hint="have one receiver pass it on")
        wanted = _form(form)
        hook = Webhook(
            id=new_id(),
            name=name,
            url=check_place(url, wanted),
            kinds=check_kinds(kinds),
            sites=known,
            secret=_key_at(secret, wanted),
            form=wanted,
            old_secret=None,
            created_at=self._clock.now(),
            created_by=actor,
        )
        address_of(hook)  # it must be there, as the key must
        self._store.add_webhook(hook, audit=_note(actor, "webhook.add", hook).moving(None, _said(hook)))
        return hook

    def _known(self, sites: Iterable[str] | None) -> frozenset[SiteName] | None:
        known = None if sites is None else frozenset(self._inventory.site(site).name for site in sites)
        if known is not None and not known:
            raise Invalid("sites: at least one; leave it out for everything")
        return known

    def edit(
        self,
        name: str,
        *,
        url: str | None = None,
        kinds: Iterable[str] | None = None,
        sites: Iterable[str] | None = None,
        everywhere: bool = False,
        actor: str,
    ) -> Webhook:
        """Another address, or other things that it is told from now on; what waits goes to the new address.

        What is not given stays; ``everywhere`` lifts the limit to sites. Raises as ``add``, and ``Invalid`` when there
        is nothing to change.
        """
        before = self._store.webhook(name)
        values: dict[str, Any] = {}
        if url is not None:
            values["url"] = check_place(url, before.form)
        if kinds is not None:
            values["kinds"] = check_kinds(kinds)
        if sites is not None or everywhere:
            values["sites"] = self._known(None if everywhere else sites)
        if not values:
            raise Invalid("nothing to change", hint="name an address, kinds or sites")
        after = replace(before, **values)
        address_of(after)  # it must be there
        return self._store.edit_webhook(name, values, audit=_note(actor, "webhook.edit", after, before=before))

    def remove(self, name: str, *, actor: str) -> Webhook:
        """What waited for it is gone. Raises ``NotFound``."""
        hook = self._store.webhook(name)
        return self._store.remove_webhook(name, audit=_note(actor, "webhook.remove", hook).moving(_said(hook), None))

    def rotate(self, name: str, *, secret: str, actor: str) -> Webhook:
        """Sign by another secret, and by the one before beside it until the next rotation.

        Raises as ``add``.
        """
        before = self._store.webhook(name)
        reference = _key_at(secret, before.form)
        old = before.secret if before.secret != reference else None
        after = replace(before, secret=reference, old_secret=old)
        note = _note(actor, "webhook.rotate", after, before=before)
        return self._store.edit_webhook(name, {"secret": reference, "old_secret": old}, audit=note)

    def resume(self, name: str, *, actor: str) -> Webhook:
        """Send to it at once, whatever it did before; also one that is paused. Raises ``NotFound``."""
        hook = self._store.webhook(name)
        values = {"paused_at": None, "paused_why": "", "failures": 0, "failing_since": None, "retry_at": None}
        after = replace(hook, paused_at=None, paused_why="", failures=0, failing_since=None, retry_at=None)
        note = _note(actor, "webhook.resume", hook).moving(_state(hook), _state(after))
        return self._store.edit_webhook(name, values, audit=note)

    def test(self, name: str, *, actor: str) -> Answer:
        """Send it one message of the type ``webhook.test`` now, past everything that waits. In a rehearsal none.

        Raises ``NotFound``, ``SecretUnavailable``.
        """
        hook = self._store.webhook(name)
        now = self._clock.now()
        body = render("webhook.test", now, {"webhook": hook.name, "actor": actor})
        if rehearsal() is not None:
            return Answer(error="not sent: a dry run")
        return self.send(hook, message_id=new_id(), body=body, now=now)

    def send(self, hook: Webhook, *, message_id: str, body: str, now: datetime) -> Answer:
        """One attempt, in the receiver's form, signed where it is.

        Raises ``SecretUnavailable``, ``Invalid`` when the new secret or the address cannot be had.
        """
        text = in_form(hook.form, self._privacy.message(body), message_id=message_id)
        said = headers(_keys(hook), message_id=message_id, at=now, body=text) if hook.secret is not None else {}
        return post(address_of(hook), text, said, allowed=self.allowed, authorities=self.authorities)

    def messages(
        self, name: str, wanted: MessageQuery | None = None, *, limit: int = 100, after: int | None = None
    ) -> list[Message]:
        """The newest first, or the oldest; ``after`` is the ``seq`` of the last one seen. Raises ``NotFound``."""
        found = self._store.messages(name, self._askable(wanted or MessageQuery()), limit=limit, after=after)
        return [replace(message, body=self._privacy.message(message.body)) for message in found]

    def message_count(self, name: str, wanted: MessageQuery, *, most: int) -> int:
        """How many there are; no further than ``most``. Raises ``NotFound``."""
        return self._store.message_count(name, self._askable(wanted), most=most)

    def _askable(self, wanted: MessageQuery) -> MessageQuery:
        """Where identities are not shown, no message is found by them."""
        return replace(wanted, by_who=wanted.text is None or self._privacy.is_searchable(None))

    def replay(self, name: str, *, ids: Iterable[str] | None = None, since: datetime | None = None, actor: str) -> int:
        """Send these again under their ids: by default what was set aside; with ``since`` also what was delivered.

        Returns how many. Raises ``NotFound``, also for an id that is none of its messages that have ended.
        """
        wanted = None if ids is None else list(dict.fromkeys(ids))
        if wanted is not None and not 0 < len(wanted) <= MAX_REPLAYED:
            raise Invalid(f"ids: from 1 to {MAX_REPLAYED}")
        if wanted is not None:
            which = by_ids(wanted)
        elif since is not None:
            which = by_state(MessageState.DEAD, since=since) | by_state(MessageState.DELIVERED, since=since)
        else:
            which = by_state(MessageState.DEAD, since=None)
        detail = {"ids": wanted, "since": since and since.isoformat()}
        note = AuditNote(actor=actor, action="webhook.replay", subject=name, detail=detail)
        count = self._store.replay_messages(name, which, audit=note)
        if wanted is not None and not count:
            raise NotFound("none of these messages has ended", hint=f"`tokgate webhook deliveries {name}` shows them")
        return count


def _form(text: str) -> MessageForm:
    try:
        return MessageForm(text)
    except ValueError as exc:
        raise Invalid(f"form: one of {', '.join(MessageForm)}, not {text[:40]!r}") from exc


def _key_at(secret: str | None, form: MessageForm) -> str | None:
    """The reference, when a key is there. Raises ``Invalid``, ``SecretUnavailable``."""
    if not form.is_signed:
        if secret is not None:
            raise Invalid(f"secret: messages of the form {form.value} have none", hint=SIGNED_NOT)
        return None
    if secret is None:
        raise Invalid("secret: messages of the form json are signed", hint="`tokgate webhook secret` makes a key")
    reference = check_secret(secret)
    key_of(SecretRef.parse(reference).resolve())
    return reference


def address_of(hook: Webhook) -> str:
    """Where to; of one that is a password, out of where it is kept, and then in no error.

    Raises ``Invalid``, ``SecretUnavailable``.
    """
    if not hook.url.startswith(MARK):
        return hook.url
    return check_url(SecretRef.parse(hook.url).resolve().reveal().strip())


def _keys(hook: Webhook) -> list[bytes]:
    keys = [key_of(SecretRef.parse(str(hook.secret)).resolve())]
    return keys if hook.old_secret is None else keys + _if_kept(hook.old_secret)


def _if_kept(reference: str) -> list[bytes]:
    """An old secret may have been thrown away meanwhile."""
    try:
        return [key_of(SecretRef.parse(reference).resolve())]
    except (SecretUnavailable, Invalid):
        return []


def _note(actor: str, action: str, hook: Webhook, *, before: Webhook | None = None) -> AuditNote:
    note = AuditNote(actor=actor, action=action, subject=hook.name, detail=_said(hook))
    return note.moving(_said(before), _said(hook)) if before else note


def _state(hook: Webhook) -> dict[str, object]:
    """Whether it is sent to; what was and is, so that a word said for nothing is told apart."""
    waits = hook.retry_at.isoformat() if hook.retry_at else None
    return {"paused": hook.paused_why or None, "failures": hook.failures, "waits_until": waits}


def _said(hook: Webhook) -> dict[str, object]:
    return {
        "url": hook.url,
        "form": hook.form.value,
        "kinds": list(hook.kinds),
        "sites": None if hook.sites is None else sorted(SiteName(site) for site in hook.sites),
        "secret": hook.secret,
        "old_secret": hook.old_secret,
    }
