"""Lists that firewalls pull: the lists themselves, outside ``/api/v1`` and under tokens of the devices, and who pulled.

What a firewall is given is what its last change holds (``controller.feeds``). An answer is 200 only with the whole
list, checked to its last byte; everything else makes a firewall keep its last good copy.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.auth import MAX_TOKEN_LENGTH, Ctl, GuessBrake, Reader, WholeCtl
from api.auth import address_of as asker_address
from api.feed_models import Feed, FeedDevice, FeedGroup
from api.models import Name, Page
from api.pages import Sorted, paged
from api.problems import clean, problem_response, request_id_of
from api.reference import FEED_SECURITY, answers
from controller.errors import NotAuthenticated
from controller.feeds import Asker, FeedDesk, Text, address_of
from controller.model import FeedPull, FeedToken, PublishedFeed
from core.errors import TokgateError

lists = APIRouter(prefix="/feeds", tags=["feeds"])
router = APIRouter(prefix="/feeds", tags=["feeds"])
groups = APIRouter(prefix="/feed-groups", tags=["feeds"])

MEDIA_TYPE: Final = "text/plain; charset=utf-8"
CHALLENGE: Final = 'Basic realm="tokgate feeds", charset="UTF-8"'
AGENT_LENGTH: Final = 120
PULLS_SHOWN: Final = 50
_GZIP: Final = "-gzip"
_TAG: Final = re.compile(r'"([^"]*)"')
_LIST: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The whole list, an entry a line",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    304: {"description": "The list is the one that the device has"},
    **answers(401, 404, 429, 503),
}

DeviceName = Annotated[
    str, Path(max_length=80, description="the name of the device, or of its group, in the inventory")
]
ListName = Annotated[str, Path(max_length=80, description="the list's name, as the device knows it")]


# --- for firewalls ----------------------------------------------------------------------------------------------------


@lists.get(
    "/{device}/{name}.txt",
    summary="One list, for the firewall that pulls it",
    response_class=Response,
    responses=_LIST,
    openapi_extra={"security": FEED_SECURITY},
)
def pull(controller: WholeCtl, request: Request, device: DeviceName, name: ListName) -> Response:
    """With a token of the device, as the password of HTTP Basic or as a bearer, from an address that the inventory
    allows. Conditional by `If-None-Match` or `If-Modified-Since`; gzip when asked for; `HEAD` too.

    Under the name of a group each of its devices is given its own list, by the address that it asks from."""
    return _answer(controller.feeds, request, device, name)


@lists.head("/{device}/{name}.txt", include_in_schema=False)
def look(controller: WholeCtl, request: Request, device: DeviceName, name: ListName) -> Response:
    return _answer(controller.feeds, request, device, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Who asks, from an address that may."""

    desk: FeedDesk
    request: Request
    asker: Asker
    address: str

    @property
    def names(self) -> frozenset[str]:
        return frozenset(device.name for device in self.asker.devices)


def _answer(desk: FeedDesk, request: Request, name: str, list_name: str) -> Response:
    """Raises ``FeedUnknown`` for who is not known to pull from there; anybody else is answered and noted."""
    address = asker_address(request)
    puller = Puller(desk=desk, request=request, asker=desk.puller(name, address), address=address)
    request.state.actor = f"feed:{name}"
    held = desk.held(puller.asker, list_name)
    token: FeedToken | None = None
    digest = None
    try:
        token, puller = _proven(puller)
        held = tuple(feed for feed in held if feed.device in puller.names)
        request.state.actor = f"feed:{','.join(sorted(puller.names))}"
        answer, digest = _served(puller, desk.one_of(puller.asker, held))
    except TokgateError as exc:
        answer = _refused(request, exc)
    if token is not None or answer.status_code != 401 or _credentials(request)[1]:
        _note(puller, held, answer, token, digest)
    return answer


def _note(
    puller: Puller, held: Iterable[PublishedFeed], answer: Response, token: FeedToken | None, digest: str | None
) -> None:
    """For each device that may have asked and has the list. Who only looked, and has it, has it still."""
    looked = puller.request.method == "HEAD" and answer.status_code in (200, 304)
    for feed in held:
        puller.desk.record(_noted(puller, feed, answer, digest), token, seen=feed.digest if looked else None)


def _proven(puller: Puller) -> tuple[FeedToken | None, Puller]:
    """The token, if the address is not enough, and who asks now that it is known.

    Raises ``NotAuthenticated``, ``TooManyAttempts``.
    """
    if not puller.asker.needs_token:
        return None, puller
    user, text = _credentials(puller.request)
    if not text:
        raise NotAuthenticated(
            "no token of this device", hint="send one as the password of HTTP Basic; see `tokgate feed token`"
        )
    brake: GuessBrake = puller.request.app.state.brake
    brake.admit(puller.address, text)
    try:
        token, asker = puller.desk.authenticate(puller.asker, text, user)
    except NotAuthenticated:
        brake.failed(puller.address, text)
        raise
    brake.worked(text)
    return token, replace(puller, asker=asker)


def _credentials(request: Request) -> tuple[str, str]:
    """User name and token in the request: HTTP Basic, or a bearer, which has no name; ``""`` for what is not there."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip()[: 2 * MAX_TOKEN_LENGTH]
    if scheme.lower() == "bearer":
        return "", given
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, text = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        return "", ""
    return user, text


def _served(puller: Puller, feed: PublishedFeed) -> tuple[Response, str | None]:
    """The answer, and the digest of what the device has then. Raises ``FeedDamaged``."""
    headers = puller.request.headers
    zipped = _takes_gzip(headers.get("accept-encoding", ""))
    tag = f'"{feed.digest}{_GZIP if zipped else ""}"'
    said = {"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": "private, no-cache"}
    if not puller.asker.is_group and feed.modified_at <= puller.desk.now():
        # a date that lies ahead may not be told; and at a group's address two devices' lists may share a date
        said["Last-Modified"] = format_datetime(feed.modified_at, usegmt=True)
    is_head = puller.request.method == "HEAD"
    if _has_it(headers, feed, said.get("Last-Modified")):
        return Response(status_code=304, headers=said), None if is_head else feed.digest
    body = _encoded(puller.desk.text(feed), zipped=zipped)
    said |= {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
    if zipped:
        said["Content-Encoding"] = "gzip"
    return Response(b"" if is_head else body, headers=said), None if is_head else feed.digest


def _encoded(text: Text, *, zipped: bool) -> bytes:
    return text.zipped if zipped else text.plain


def _has_it(headers: Mapping[str, str], feed: PublishedFeed, modified: str | None) -> bool:
    """Whether the device says that it has this very content, by tag or else by date (RFC 9110, 13.1.2 and 13.1.3).

    A date counts only when it is the one that we told: another clock's proves nothing.
    """
    if (tags := headers.get("if-none-match")) is not None:
        known = {tag.removesuffix(_GZIP) for tag in _TAG.findall(tags)}
        return tags.strip() == "*" or feed.digest in known
    if modified is None or "if-modified-since" not in headers:
        return False
    try:
        return parsedate_to_datetime(headers["if-modified-since"]) == feed.modified_at
    except (ValueError, TypeError):
        return False


def _takes_gzip(accepted: str) -> bool:
    weights = {}
    for part in accepted.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weights[coding] = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "0")))
    return re.fullmatch(r"0(\.0*)?", weight) is None


def _refused(request: Request, error: TokgateError) -> Response:
    request.state.error_code = error.code
    answer = problem_response(error, request_id=request_id_of(request))
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = CHALLENGE
    return answer


def _noted(puller: Puller, feed: PublishedFeed, answer: Response, digest: str | None) -> FeedPull:
    return FeedPull(
        device=feed.device,
        name=feed.name,
        at=puller.desk.now(),
        address=str(address_of(puller.address)),
        agent=clean(puller.request.headers.get("user-agent", ""))[:AGENT_LENGTH],
        status=answer.status_code,
        digest=digest,
        octets=len(answer.body),
    )


# --- for people -------------------------------------------------------------------------------------------------------


@router.get("", summary="All lists that firewalls pull", responses=answers(404))
def list_feeds(
    controller: Ctl,
    caller: Reader,
    ask: Sorted,
    site: Annotated[Name | None, Query(description="only of devices of this site")] = None,
    group: Annotated[Name | None, Query(description="only of devices of this group")] = None,
    stale: Annotated[
        bool | None, Query(description="only those that their device does not come for; false: only the others")
    ] = None,
) -> Page[Feed]:
    """By device, each with the last good pull."""
    if site is not None:
        controller.inventory.site(site)
    if group is not None:
        controller.feeds.group(group)
    rows = [
        view
        for view in controller.feeds.views()
        if site in (None, view.site) and group in (None, view.group) and stale in (None, bool(view.stale))
    ]
    return paged(rows, of="feeds", key=lambda v: f"{v.feed.device}/{v.feed.name}", show=Feed.of, ask=ask)


@router.get("/{name}", summary="The lists of one device", responses=answers(404))
def get_feeds(controller: Ctl, caller: Reader, name: Name) -> FeedDevice:
    """With its last pulls, from where it may pull, and its tokens (never their text)."""
    desk = controller.feeds
    device = controller.inventory.device(name)
    return FeedDevice.of(
        device, views=desk.views_of(name), pulls=desk.pulls(name, limit=PULLS_SHOWN), tokens=desk.tokens(name)
    )


@groups.get("", summary="All groups of devices with one address of lists", responses=answers())
def list_groups(controller: Ctl, caller: Reader, ask: Sorted) -> Page[FeedGroup]:
    """By name, each with its tokens (never their text) and the lists that it cannot be answered with."""
    desk = controller.feeds
    return paged(
        desk.groups(),
        of="feedgroups",
        key=lambda group: group.name,
        show=lambda group: FeedGroup.of(group, desk.tokens(group.name)),
        ask=ask,
    )


@groups.get("/{name}", summary="One group of devices with one address of lists", responses=answers(404))
def get_group(controller: Ctl, caller: Reader, name: Name) -> FeedGroup:
    return FeedGroup.of(controller.feeds.group(name), controller.feeds.tokens(name))
