"""Who is asking, and what they may: how callers prove themselves, their scopes, and a brake on guessing.

Every route but the health probes names the scopes it takes; any one of them is enough, and ``admin`` holds all. The
brake stands before the token is looked up, so a flood of guesses costs us nothing; a token that worked lately passes
it, so a neighbour behind the same address cannot lock anybody out.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.cookies import CSRF_HEADER, SAFE, refuse_forged, session_text
from api.errors import TooManyAttempts
from api.idempotency import claim_key
from api.reaching import refuse_fleet
from controller.access_roles import holds
from controller.asking import note
from controller.errors import NotAllowed, NotAuthenticated
from controller.model import Scope, Token
from controller.people import Person, PersonSession
from controller.rehearsal import in_earnest
from controller.service import Controller
from core.clock import Clock
from core.ids import PersonName, SessionId, SiteName

T = TypeVar("T")

MAX_TOKEN_LENGTH: Final = 512
SCHEME: Final = "bearer"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name=SCHEME,
    description=(
        "A token made by `tokgate token create` or `POST /api/v1/tokens`, sent as `Authorization: Bearer …`. Each "
        "operation names the scopes it takes; any one of them is enough. `admin` holds every scope."
    ),
)


class Proof(StrEnum):
    """How a caller proved who they are."""

    TOKEN = "token"  # noqa: S105  the word, not one of them
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who proved themselves: a person, or a program with a token.

    ``id`` tells callers apart (of the token, or of the person). ``actor`` is what records and the audit log call them:
    ``token:NAME``, or ``person:NAME``. ``sites``: all that they see and change; None is every site.
    """

    id: str
    actor: str
    scopes: frozenset[Scope]
    sites: frozenset[SiteName] | None = None
    how: Proof = Proof.TOKEN
    via: str | None = None
    """``token:NAME`` when a token acts for its owner."""
    session: SessionId | None = None

    @property
    def person(self) -> PersonName | None:
        """Who they are, or whom their token acts for; None for a token without an owner."""
        kind, _, name = self.actor.partition(":")
        return PersonName(name) if kind == "person" else None

    def allows(self, *scopes: Scope) -> bool:
        """Whether any one of the scopes is held."""
        return any(holds(self.scopes, scope) for scope in scopes)


def _of_token(token: Token) -> Caller:
    """A token that has an owner is its owner, so that nobody approves by session what they asked for by token."""
    name = f"token:{token.name}"
    who = (name, None) if token.owner is None else (f"person:{token.owner}", name)
    return Caller(id=token.id, actor=who[0], scopes=token.scopes, sites=token.sites, via=who[1])


def _of_session(session: PersonSession, person: Person) -> Caller:
    return Caller(
        id=person.actor,
        actor=person.actor,
        scopes=person.scopes,
        sites=person.sites,
        how=Proof.SESSION,
        session=session.id,
    )


class GuessBrake:
    """A bucket of failed sign-ins for each address: ``burst`` at once, then one for each ``refill_seconds``."""

    def __init__(
        self,
        clock: Clock,
        *,
        burst: int = 20,
        refill_seconds: float = 5.0,
        remembered: int = 10_000,
        what: str = "failed sign-ins",
    ) -> None:
        self._clock = clock
        self._what = what
        self._burst = burst
        self._refill_seconds = refill_seconds
        self._remembered = remembered
        self._key = secrets.token_bytes(32)
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> (level, when)
        self._proven: OrderedDict[bytes, None] = OrderedDict()  # keyed digests of tokens that worked
        self._guard = threading.Lock()

    def admit(self, address: str, text: str) -> None:
        """Raises ``TooManyAttempts``."""
        with self._guard:
            if self._level(address) < self._burst or self._digest(text) in self._proven:
                return
        raise TooManyAttempts(
            f"too many {self._what} from this address", hint=f"wait {self._refill_seconds:g} seconds for each try"
        )

    def failed(self, address: str, text: str) -> None:
        with self._guard:
            self._failures[address] = (self._level(address) + 1, self._clock.monotonic())
            self._failures.move_to_end(address)
            self._proven.pop(self._digest(text), None)
            self._forget(self._failures)

    def worked(self, text: str) -> None:
        with self._guard:
            self._proven[self._digest(text)] = None
            self._proven.move_to_end(self._digest(text))
            self._forget(self._proven)

    def _level(self, address: str) -> float:
        level, when = self._failures.get(address, (0.0, 0.0))
        return max(0.0, level - (self._clock.monotonic() - when) / self._refill_seconds)

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "replace"), key=self._key, digest_size=16).digest()

    def _forget(self, table: OrderedDict[str, tuple[float, float]] | OrderedDict[bytes, None]) -> None:
        while len(table) > self._remembered:
            table.popitem(last=False)


def controller_of(request: Request) -> Controller:
    """The one controller this application was made for."""
    controller: Controller = request.app.state.controller
    return controller


def proven(request: Request) -> Caller:
    """Who asks; found out once for each request. Raises ``NotAuthenticated``, ``TooManyAttempts``."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        with in_earnest():  # who signs in, and who fails to, counts also in a dry run
            known = request.state.caller = _proven(request, controller_of(request))
        request.state.actor = f"{known.actor} by {known.via}" if known.via else known.actor
        if known.via:
            note(via=known.via)
    return known


async def _asking(request: Request) -> Caller:
    """As ``proven``, on a thread for the first that asks: who it is stands in the store."""
    known: Caller | None = getattr(request.state, "caller", None)
    return known if known is not None else await run_in_threadpool(proven, request)


async def limited(request: Request) -> Controller:
    """The controller as the caller may see it: without the sites that lie beyond their access."""
    controller, sites = controller_of(request), (await _asking(request)).sites
    return controller if sites is None else await run_in_threadpool(controller.within, sites)


def limited_here(request: Request) -> Controller:
    """As ``limited``, on the thread that asks."""
    controller, sites = controller_of(request), proven(request).sites
    return controller if sites is None else controller.within(sites)


async def caller(
    request: Request,
    scopes: SecurityScopes,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    """Raises ``NotAuthenticated``, ``NotAllowed``, ``TooManyAttempts``; and as ``claim_key``."""
    asking = await _asking(request)
    _refuse(request, asking, [Scope(scope) for scope in scopes.scopes])
    await claim_key(request, asking.id)
    return asking


def caller_here(request: Request, scopes: Sequence[Scope]) -> Caller:
    """As ``caller``, on the thread that asks; for what changes nothing, and so has no key to claim."""
    asking = proven(request)
    _refuse(request, asking, scopes)
    return asking


def _refuse(request: Request, asking: Caller, scopes: Sequence[Scope]) -> None:
    refuse_without(asking, scopes)
    if asking.sites is not None:
        refuse_fleet(request)


def refuse_without(caller: Caller, wanted: Sequence[Scope]) -> None:
    """Raises ``NotAllowed`` unless the caller holds any one of the scopes."""
    if not caller.allows(*wanted):
        held = ", ".join(sorted(caller.scopes)) or "none"
        raise NotAllowed(
            f"this needs the scope {' or '.join(wanted)}; yours: {held}", hint="ask an administrator for it"
        )


def _proven(request: Request, controller: Controller) -> Caller:
    """By the token in the header, else by the session in the cookie."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == SCHEME and text.strip():
        return braked(request, text.strip(), lambda text: _of_token(controller.authenticate(text)))
    cookie = session_text(request)
    if not cookie:
        raise NotAuthenticated("no bearer token", hint="send Authorization: Bearer …; see `tokgate token create`")
    caller = by_session(request, cookie)
    if request.method not in SAFE:
        refuse_forged(request, cookie, request.headers.get(CSRF_HEADER, ""))
    return caller


def by_session(request: Request, text: str) -> Caller:
    """Whose session that is. Raises ``NotAuthenticated``, ``TooManyAttempts``."""
    asks_by_itself = is_part(request) or is_stream(request)
    is_use = request.method not in SAFE or not asks_by_itself
    people = controller_of(request).people
    return braked(request, text, lambda text: _of_session(*people.session_of(text, is_use=is_use)))


def is_part(request: Request) -> bool:
    """Whether a page asks for a part of itself, not a person for a page."""
    return request.headers.get("hx-request") == "true"


def is_stream(request: Request) -> bool:
    """Whether a page asks to be told of changes."""
    return request.headers.get("accept", "").startswith("text/event-stream")


def braked(request: Request, text: str, prove: Callable[[str], T]) -> T:
    """What ``prove`` makes of the text, unless too many from that address were refused. Raises ``TooManyAttempts``."""
    brake: GuessBrake = request.app.state.brake
    address = address_of(request)
    brake.admit(address, text)
    try:
        found = prove(text[: MAX_TOKEN_LENGTH + 1])
    except NotAuthenticated:
        brake.failed(address, text)
        raise
    brake.worked(text)
    return found


def address_of(request: Request) -> str:
    """Where the request comes from; ``api.proxies`` says when a header is believed."""
    return request.client.host if request.client else "?"


WholeCtl = Annotated[Controller, Depends(controller_of)]
"""For routes that ask for no proof, and for those of the whole fleet."""
Ctl = Annotated[Controller, Depends(limited)]
Reader = Annotated[Caller, Security(caller, scopes=[Scope.READ.value])]
Requester = Annotated[Caller, Security(caller, scopes=[Scope.REQUEST.value])]
Approver = Annotated[Caller, Security(caller, scopes=[Scope.APPROVE.value])]
Revoker = Annotated[Caller, Security(caller, scopes=[Scope.APPROVE.value, Scope.REQUEST.value])]
Operator = Annotated[Caller, Security(caller, scopes=[Scope.OPERATE.value])]
Auditor = Annotated[Caller, Security(caller, scopes=[Scope.AUDIT.value])]
Follower = Annotated[Caller, Security(caller, scopes=[Scope.READ.value, Scope.AUDIT.value])]
"""Of long work; with ``audit`` alone, of one's own."""
Prober = Annotated[Caller, Security(caller, scopes=[Scope.PROBE.value])]
Anybody = Annotated[Caller, Security(caller, scopes=[scope.value for scope in Scope])]
"""Who proved themselves and holds anything at all."""
Ingester = Annotated[Caller, Security(caller, scopes=[Scope.INGEST.value])]
Unmasker = Annotated[Caller, Security(caller, scopes=[Scope.UNMASK.value])]
Consenter = Annotated[Caller, Security(caller, scopes=[Scope.CONSENT.value])]
UnmaskingEnder = Annotated[Caller, Security(caller, scopes=[Scope.UNMASK.value, Scope.CONSENT.value])]
UnmaskingReader = Annotated[
    Caller, Security(caller, scopes=[Scope.UNMASK.value, Scope.CONSENT.value, Scope.AUDIT.value])
]
Admin = Annotated[Caller, Security(caller, scopes=[Scope.ADMIN.value])]
