"""GET routes answered by one call on one thread: who asks, what they ask, the answer, and its JSON.

FastAPI goes to a thread and back for each of these, and walks the whole tree of dependencies again for each request.
For a list that a dashboard asks for again and again that costs more than reading it. What a request may be and how it
is answered stay FastAPI's: its parameters, its errors, its document. A route that this cannot do is left as it is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any, Final

from fastapi import Request, Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api import auth
from api.models import Lasting, Page
from api.strict_query import unknown
from controller.model import Scope
from controller.store.database import WouldWait, hurried

SHORT_SECONDS: Final = 0.02
"""An answer that holds up everybody else for no longer."""
BORNE_SECONDS: Final = 0.25
RARELY_SECONDS: Final = 300.0
SCANS: Final = frozenset({"q", "count"})
"""Who asks with these asks for as much work as there are rows."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StraightRoute(APIRoute):
    """A route of an ``APIRouter(route_class=StraightRoute)``."""

    def get_route_handler(self) -> Handler:
        way = straight(self)
        return super().get_route_handler() if way is None else way.handle


@dataclass(slots=True)
class Pace:
    """How long answers to requests of one shape take, and whether the next is made at once.

    One that is late may have met a pause of the machine. After some in a row they go to threads; and from time to
    time, ever more rarely while they stay late, one of them is tried at once again.
    """

    late: float = 0.0  # seconds that those took which came late in a row
    pause: float = 1.0  # seconds until the next is tried
    tried_again: float = 0.0  # seconds of ``time.monotonic``

    def is_short(self) -> bool:
        return time.monotonic() >= self.tried_again

    def took(self, seconds: float) -> None:
        if seconds < SHORT_SECONDS:
            self.late, self.pause = 0.0, 1.0
            return
        is_first, self.late = not self.late, self.late + seconds
        if not is_first and self.late > BORNE_SECONDS:
            self.tried_again = time.monotonic() + self.pause
            self.pause = min(2 * self.pause, RARELY_SECONDS)


@dataclass(frozen=True, slots=True)
class Step:
    """One argument of the endpoint, beside its own parameters."""

    name: str | None
    find: Callable[[Request, list[Any]], Any]  # raises, or adds to the errors of the request


@dataclass(frozen=True, slots=True)
class Straight:
    """How one route is answered."""

    route: APIRoute
    steps: tuple[Step, ...]
    inputs: Inputs
    known: frozenset[str]  # what its requests may be asked with
    paces: defaultdict[frozenset[str], Pace] = field(default_factory=lambda: defaultdict(Pace))

    async def handle(self, request: Request) -> Response:
        """Made at once where that is short: to hand it to a thread and back takes as long as most answers."""
        pace = self._pace(request)
        if not (pace.is_short() and SCANS.isdisjoint(request.query_params)):
            return await run_in_threadpool(self._answer, request)
        began = time.perf_counter()
        try:
            with hurried():
                return self._answer(request)
        except WouldWait:
            pass  # it is asked again below, where it may wait
        finally:
            pace.took(time.perf_counter() - began)
        return await run_in_threadpool(self._answer, request)

    def _pace(self, request: Request) -> Pace:
        """Of the requests that give the same parameters as this one."""
        return self.paces[self.known.intersection(request.query_params)]

    def _answer(self, request: Request) -> Response:
        errors: list[Any] = []
        dependant = self.route.dependant
        found = [(step.name, step.find(request, errors)) for step in self.steps]
        values = {name: value for name, value in found if name is not None}
        values |= self.inputs.read(request, errors)
        errors += unknown(request.query_params, self.known)
        if errors:
            raise RequestValidationError(errors)
        said = Response()
        if dependant.response_param_name:
            values[dependant.response_param_name] = said
        if dependant.request_param_name:
            values[dependant.request_param_name] = request
        return self._shown(self.route.endpoint(**values), said)

    def _shown(self, answer: Any, said: Response) -> Response:
        if isinstance(answer, Response):
            return answer
        field = self.route.response_field
        assert field is not None
        value, wrong = field.validate(answer, {}, loc=("response",))
        if wrong:
            raise ResponseValidationError(errors=wrong, body=answer)
        shown = Response(_json(field, value), media_type="application/json")
        shown.raw_headers += [pair for pair in said.raw_headers if pair[0] != b"content-length"]
        return shown


def _json(field: ModelField, value: Any) -> bytes:
    if not (isinstance(value, Page) and value.items and isinstance(value.items[0], Lasting)):
        return field.serialize_json(value)
    around = field.serialize_json(value.model_copy(update={"items": ()}))
    return around.replace(b"[]", b"[%s]" % b",".join([item.json_bytes for item in value.items]), 1)


def straight(route: APIRoute) -> Straight | None:
    """None for a route that waits, changes something, streams, or depends on what is not known here.

    Of what all routes depend on ``api.conditional.refuse_ignored`` is about changes alone, and
    ``api.strict_query.refuse_unknown`` is asked here too.
    """
    dependant = route.dependant
    waits = iscoroutinefunction(route.endpoint)
    if route.methods != {"GET"} or waits or dependant.body_params or route.response_field is None:
        return None
    steps = [_step(sub) for sub in dependant.dependencies]
    known = tuple(step for step in steps if step is not None)
    if len(known) < len(steps):
        return None
    asked = (parameter.alias for part in (dependant, *dependant.dependencies) for parameter in part.query_params)
    return Straight(route, known, Inputs.of(dependant), frozenset(asked))


def _step(dependant: Dependant) -> Step | None:
    match dependant.call:
        case auth.controller_of:
            return Step(dependant.name, lambda request, _: auth.controller_of(request))
        case auth.limited:
            return Step(dependant.name, lambda request, _: auth.limited_here(request))
        case auth.caller:
            scopes = tuple(Scope(scope) for scope in dependant.own_oauth_scopes or ())
            return Step(dependant.name, lambda request, _: auth.caller_here(request, scopes))
        case call if call is not None and iscoroutinefunction(call) and _is_plain(dependant):
            inputs = Inputs.of(dependant)
            return Step(dependant.name, lambda request, errors: _made(call, inputs, request, errors))
        case _:
            return None


def _is_plain(dependant: Dependant) -> bool:
    """Made of parameters of the request alone, and so without waiting."""
    return not (dependant.dependencies or dependant.body_params or dependant.request_param_name)


def _made(call: Callable[..., Any], inputs: Inputs, request: Request, errors: list[Any]) -> Any:
    before = len(errors)
    values = inputs.read(request, errors)
    if len(errors) > before:
        return None
    try:
        call(**values).send(None)
    except StopIteration as made:
        return made.value
    raise RuntimeError(f"{call} waits for something")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of one kind. What a request leaves out is known beforehand; the rest is FastAPI's to understand."""

    fields: tuple[tuple[str, ModelField], ...]  # each with the name that requests call it
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, fields: Sequence[ModelField]) -> Parameters:
        optional = [field for field in fields if not field.field_info.is_required()]
        return cls(tuple((field.alias, field) for field in fields), {field.name: field.default for field in optional})

    def read(self, received: Mapping[str, Any], errors: list[Any]) -> dict[str, Any]:
        given = [f for alias, f in self.fields if alias in received or f.field_info.is_required()]
        if not given:
            return dict(self.defaults)
        found, wrong = request_params_to_args(given, received)
        errors += wrong
        return {**self.defaults, **found}


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a function takes of a request."""

    path: Parameters
    query: Parameters
    headers: Parameters
    cookies: Parameters

    @classmethod
    def of(cls, dependant: Dependant) -> Inputs:
        return cls(
            Parameters.of(dependant.path_params),
            Parameters.of(dependant.query_params),
            Parameters.of(dependant.header_params),
            Parameters.of(dependant.cookie_params),
        )

    def read(self, request: Request, errors: list[Any]) -> dict[str, Any]:
        values = self.path.read(request.path_params, errors) if self.path.fields else {}
        if self.query.fields:
            values |= self.query.read(request.query_params, errors)
        if self.headers.fields:
            values |= self.headers.read(request.headers, errors)
        if self.cookies.fields:
            values |= self.cookies.read(request.cookies, errors)
        return values
