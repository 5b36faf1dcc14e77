"""Webhooks: who is told what happens, what became of each message, and sending it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth import Admin, Auditor, Ctl
from api.conditional import Match, tagged
from api.lanes import LaneOf
from api.models import Name, Page
from api.pages import MOST_COUNTED, Newest, Sorted, paged, paged_from
from api.reference import PREVIEW, answers
from api.webhook_models import (
    Delivery,
    ReplayBody,
    Replayed,
    RotateSecretBody,
    Tried,
    Webhook,
    WebhookBody,
    WebhookEditBody,
)
from controller.service import Controller
from controller.store.webhooks import MessageQuery
from controller.versions import webhook_version
from controller.webhooks import MessageState

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get("", summary="All webhooks")
def list_webhooks(controller: Ctl, caller: Auditor, ask: Sorted) -> Page[Webhook]:
    """By name, with how many messages wait."""
    return paged(controller.webhooks.all(), of="webhooks", key=lambda f: f[0].name, show=Webhook.of, ask=ask)


@router.post("", summary="Subscribe a receiver", status_code=201, responses=answers(404, 409, 503))
def add_webhook(controller: Ctl, caller: Admin, response: Response, body: WebhookBody) -> Webhook:
    """It is told what happens from now on. 422 when the key, or the address, cannot be read where the body says."""
    hook = controller.webhooks.add(
        body.name,
        url=body.url,
        kinds=body.kinds,
        secret=body.secret,
        sites=body.sites,
        form=body.form,
        actor=caller.actor,
    )
    response.headers["Location"] = f"/api/v1/webhooks/{hook.name}"
    return _shown(controller, response, hook.name)


def _shown(controller: Controller, response: Response, name: str) -> Webhook:
    """With its version, for whoever means to change it."""
    found = controller.webhooks.get(name)
    tagged(response, webhook_version(found[0]))
    return Webhook.of(found)


@router.get("/{name}", summary="One webhook", responses=answers(404))
def get_webhook(controller: Ctl, caller: Auditor, response: Response, name: Name) -> Webhook:
    return _shown(controller, response, name)


@router.patch("/{name}", summary="Change where it is and what it is told", responses=answers(404, 412, 503))
def edit_webhook(
    controller: Ctl, caller: Admin, response: Response, name: Name, body: WebhookEditBody, match: Match = None
) -> Webhook:
    """In force at once: what waits goes to the new address, and what happens from now on is told by the new kinds and
    sites. 422 when the address cannot be read where the body says. Another key has its own route, `rotate`."""
    controller.webhooks.edit(name, actor=caller.actor, **body.changes())
    return _shown(controller, response, name)


@router.delete("/{name}", summary="Remove a webhook", responses=answers(404, 412, 503))
def remove_webhook(controller: Ctl, caller: Admin, name: Name, match: Match = None) -> Webhook:
    """What waited for it is gone too: `waiting` and `dead` say how many messages that was."""
    found = controller.webhooks.get(name)
    controller.webhooks.remove(name, actor=caller.actor)
    return Webhook.of(found)


@router.post("/{name}/rotate", summary="Sign by another key", responses=answers(404, 412, 503))
def rotate_secret(
    controller: Ctl, caller: Admin, response: Response, name: Name, body: RotateSecretBody, match: Match = None
) -> Webhook:
    controller.webhooks.rotate(name, secret=body.secret, actor=caller.actor)
    return _shown(controller, response, name)


@router.post("/{name}/resume", summary="Send again at once, also to a paused one", responses=answers(404, 412, 503))
def resume_webhook(controller: Ctl, caller: Admin, response: Response, name: Name, match: Match = None) -> Webhook:
    controller.webhooks.resume(name, actor=caller.actor)
    return _shown(controller, response, name)


@router.post("/{name}/test", summary="Send one test message now", responses=answers(404, 503), openapi_extra=PREVIEW)
def test_webhook(controller: Ctl, caller: Admin, name: Name, lane: LaneOf) -> Tried:
    """Past everything that waits; 200 whatever the receiver answered: `good` says whether it took it."""
    with lane.enter():
        return Tried.of(controller.webhooks.test(name, actor=caller.actor))


@router.get("/{name}/deliveries", summary="Messages, the newest first", responses=answers(404))
def list_deliveries(
    controller: Ctl,
    caller: Auditor,
    name: Name,
    ask: Newest,
    state: Annotated[MessageState | None, Query(description="only these")] = None,
) -> Page[Delivery]:
    """The last delivered ones, and all that wait or are set aside."""
    of = "deliveries"
    wanted = MessageQuery(state=state, text=ask.q, oldest_first=not ask.is_descending)
    rows = controller.webhooks.messages(name, wanted, limit=ask.limit + 1, after=ask.after_number(of))
    count = controller.webhooks.message_count(name, wanted, most=MOST_COUNTED) if ask.count else None
    return paged_from(rows, of=of, key=lambda m: str(m.seq), show=Delivery.of, ask=ask, count=count)


@router.post("/{name}/replay", summary="Send messages again", responses=answers(404, 412, 503))
def replay(controller: Ctl, caller: Admin, name: Name, body: ReplayBody | None = None, match: Match = None) -> Replayed:
    """Under the ids they had; a receiver that minds ids takes none twice."""
    asked = body or ReplayBody()
    count = controller.webhooks.replay(name, ids=asked.ids, since=asked.since, actor=caller.actor)
    return Replayed(messages=count)
