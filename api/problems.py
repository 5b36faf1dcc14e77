"""Every answer that is not a success has one shape: ``application/problem+json`` (RFC 9457) with our stable codes.

An unexpected exception becomes TG1000 with the request's id and nothing else; what happened stands in the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.errors import Malformed, MethodNotServed, NoSuchRoute
from api.models import A_DIGEST, A_NAME, A_ULID
from controller.errors import Invalid
from controller.inventory.wording import counted, is_echo
from core.errors import TokgateError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 30
_TEXT_LIMIT: Final = 2000
_ERRORS_SHOWN: Final = 20
_RETRYABLE: Final = (408, 429, 503)


def problem_body(error: TokgateError, *, request_id: str | None) -> dict[str, Any]:
    """The members of RFC 9457 and ours: ``code``, ``hint``, ``device``, ``request_id``."""
    return {
        "type": f"urn:tokgate:problem:{error.code}",
        "title": error.title,
        "status": error.http_status,
        "detail": clean(error.message),
        "code": error.code,
        "hint": clean(error.hint),
        "device": error.device,
        "request_id": request_id,
    }


def clean(text: str) -> str:
    """Bounded, on one line, and always encodable: parts of it may have come from a device or a caller."""
    if len(text) <= _TEXT_LIMIT and text.isascii() and text.isprintable():
        return text
    printable = "".join(c if c.isprintable() else " " for c in text[:_TEXT_LIMIT])
    return printable.encode("utf-8", "replace").decode("utf-8")


def problem_response(
    error: TokgateError, *, request_id: str | None, errors: Iterable[Mapping[str, str]] = ()
) -> Response:
    """The answer to a request that failed with ``error``; ``errors`` are the single fields that are wrong."""
    body = problem_body(error, request_id=request_id)
    if found := list(errors):
        body["errors"] = found
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8"),
        status_code=error.http_status,
        media_type=MEDIA_TYPE,
        headers=_headers(error.http_status),
    )


def _headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="tokgate"'}
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in _RETRYABLE else {}


def unexpected() -> TokgateError:
    """What a caller learns about a failure that nobody foresaw."""
    return TokgateError("something failed that should not", hint="look for the request_id in the log")


def install(app: FastAPI) -> None:
    """Have every error that the framework knows answered in our shape."""
    app.add_exception_handler(TokgateError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_input)
    app.add_exception_handler(HTTPException, on_http)


def request_id_of(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TokgateError)
    request.state.error_code = error.code
    return problem_response(error, request_id=request_id_of(request))


def _on_bad_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    request.state.error_code = Invalid.code
    if any(e["type"] == "json_invalid" or _is_of_another_kind(e, request) for e in found):
        malformed = Malformed("the body is not JSON", hint="send JSON with Content-Type: application/json")
        return problem_response(malformed, request_id=request_id_of(request))
    fields = [_field(e) for e in found if not is_echo(e, found)][:_ERRORS_SHOWN]
    invalid = Invalid("; ".join(f"{f['place']}: {f['message']}" for f in fields[:3]), hint="see errors for each field")
    return problem_response(invalid, request_id=request_id_of(request), errors=fields)


def _is_of_another_kind(one: Mapping[str, Any], request: Request) -> bool:
    """Whether the whole body was no object because it was not sent as JSON."""
    is_json = "json" in request.headers.get("content-type", "")
    return one["type"] == "model_attributes_type" and tuple(one["loc"]) == ("body",) and not is_json


def _field(found: Mapping[str, Any]) -> dict[str, str]:
    """Where and why, never what was sent: it may be a secret in the wrong field."""
    place = ".".join(str(part) for part in found["loc"])
    return {"place": clean(place)[:200], "message": clean(_message(found))[:500]}


def _message(found: Mapping[str, Any]) -> str:
    """In words of the API, where those of the framework are about Python."""
    told, more = str(found["msg"]).removeprefix("Value error, "), found.get("ctx", {})
    match found["type"]:
        case "tuple_type" | "list_type" | "set_type" | "frozen_set_type":
            return "expected a list"
        case "model_attributes_type" | "model_type" | "dict_type":
            return "expected a JSON object"
        case "extra_forbidden":
            return "there is no such field"
        case "too_short" | "too_long" if more:
            return counted(more)
        case "string_pattern_mismatch":
            return _OF_PATTERNS.get(more.get("pattern"), told)
        case _:
            return told


_OF_PATTERNS: Final = {
    A_ULID: "expected an id, as 01m8aqh8pkjaeyz2zdfgbx8bc2",
    A_NAME: "expected a name: lower-case letters, digits and inner hyphens",
    A_DIGEST: "expected at least six hexadecimal digits",
}


_OF_THE_INVENTORY: Final = ("/api/v1/sites", "/api/v1/devices", "/api/v1/policies")


def on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = _of_status(error.status_code, request.url.path)
    request.state.error_code = known.code
    response = problem_response(known, request_id=request_id_of(request))
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_served(request))
    return response


_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _served(request: Request) -> list[str]:
    """The methods of all routes at this path; the framework names those of the first alone."""
    routes = request.app.router.routes
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return [a["method"] for a in asked if any(route.matches(a)[0] is Match.FULL for route in routes)]


def _of_status(status: int, path: str) -> TokgateError:
    match status:
        case 404:
            return NoSuchRoute("nothing is served at this path", hint="GET /api/v1/openapi.json lists what is")
        case 405:
            hint = "the Allow header names those it takes"
            if path.startswith(_OF_THE_INVENTORY):
                hint += "; sites, devices and policies are changed in the inventory file (docs/inventory.md)"
            return MethodNotServed("this path does not take this method", hint=hint)
        case 400:
            return Malformed("the body could not be read as JSON", hint="send JSON in UTF-8, not nested without end")
        case _:
            return unexpected()
