"""The OpenAPI document, complete, and the same as a page for people: one file, no script, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.auth import SCHEME
from api.dry_run import CHANGES, HEADER, PARAMETER, PREFIX
from api.idempotency import HEADER as KEY
from api.idempotency import offer as offer_key
from api.job_models import Job
from api.models import FieldError, Problem
from api.problems import MEDIA_TYPE

PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_MEANING: Final = {
    400: "The request could not be understood",
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token lacks the scope",
    404: "No such thing",
    408: "The request was not received within its time",
    409: "It does not fit the state the thing is in, or a guard refused",
    412: "It is not at the version that `If-Match` names any more",
    413: "The body is too large",
    422: "A value is wrong; `errors` names each field",
    429: "Too many failed sign-ins from this address",
    500: "Something failed that should not; the log has the request_id",
    501: "Not available here: something that it needs is not installed",
    502: "A device or a source did not do its part",
    503: "The store failed, or too many calls wait for devices",
}
_DESCRIPTION: Final = """\
tokgate keeps a fleet of firewalls blocking (or watching) TikTok, and proves it.

Every operation but `/livez`, `/readyz` and the lists under `/feeds` takes a bearer token and names the scopes it wants;
any one of them is enough, and `admin` holds all. A browser's session is taken instead of a token; each change then
brings the header `X-CSRF-Token`. Who is limited to sites sees and changes no others. A list is for one device, which
has a token of its own. Times are RFC 3339 in UTC; `null` is *unknown*, `0` is *counted, none*. What is long comes in
pages: pass `next_cursor` back as `cursor`. Whatever goes wrong is answered as `application/problem+json` (RFC 9457)
with a stable `code`.
"""
EXAMPLES: Final = files("api") / "examples.json"
"""Examples of bodies by the name of their schema, most of them recorded answers. The framework drops every null of
those that a model brings itself."""
PREVIEW: Final[dict[str, Any]] = {"x-preview": True}
"""``openapi_extra`` of an operation that is sent as a change and changes nothing: it needs no dry run."""
FEED_SCHEMES: Final = {
    "feed-basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, and a token made by `tokgate feed token` as the password.",
    },
    "feed-bearer": {"type": "http", "scheme": "bearer", "description": "The same token."},
}
FEED_SECURITY: Final[list[dict[str, list[str]]]] = [{name: []} for name in FEED_SCHEMES]
TAGS: Final = (
    ("check", "What becomes of one flow, and why"),
    ("sites", "Places with a time zone, source networks, devices and a policy"),
    ("policies", "Who is blocked from what, and when; at a moment, over a week, and what another would have done"),
    ("devices", "The firewalls, and the latest word on each"),
    ("snapshots", "What TikTok is, entry by entry, as it was put in force"),
    ("sources", "Where that comes from, and how old it is"),
    ("intel", "Whether an address or a name is covered, and why"),
    ("plans", "Exactly what would change"),
    ("runs", "What was changed"),
    ("jobs", "Long work, in one form"),
    ("feeds", "Lists that firewalls pull, and who pulled them"),
    ("drift", "How far devices are from what they should hold"),
    ("exceptions", "Who may pass, where, until when"),
    ("emergencies", "What was withdrawn, switched down or paused, by whom, why and until when"),
    ("events", "What the counters prove"),
    ("evidence", "Logs, captures and inventories of others, brought to be judged"),
    ("coverage", "How long sites were really enforced, how old their last proofs are, and whether the promise is kept"),
    ("proofs", "What really passes: firewalls by their own word, and probes from inside"),
    ("episodes", "What evidence of all kinds comes to: who used what, and what became of it"),
    ("exports", "Whether events arrive elsewhere, and sending them again"),
    ("reports", "Who used it, what was blocked, how long it was really enforced"),
    ("packs", "Evidence for auditors: signed, and checked without us"),
    ("reconciliation", "Endpoints, firewalls and coverage held against each other"),
    ("retention", "How long each site keeps what, and what goes next"),
    ("tokens", "Who may call this API"),
    ("people", "Who signs in, what they may, and where they are signed in"),
    ("audit", "Every change, by whom and why"),
    ("webhooks", "Who is told what happens, and whether it arrived"),
    ("config", "What files declare, and how far what is in force is from it"),
    ("health", "Whether this process does its work"),
)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures an operation may answer with, besides those that every operation shares."""
    return {status: {"description": _MEANING[status]} for status in sorted({*statuses})}


BEGUN: Final[dict[int | str, dict[str, Any]]] = {202: {"model": Job, "description": "Begun"}}
"""Of an operation that is always a job."""
RESPONDS_ASYNC: Final[dict[int | str, dict[str, Any]]] = {202: {"model": Job, "description": "Begun, as was preferred"}}
"""Of an operation that takes ``Prefer: respond-async``."""


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document; made once for each application."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="tokgate",
            version=app.version,
            openapi_version="3.1.0",
            summary="Keeps a fleet of firewalls blocking (or watching) TikTok, and proves it",
            description=_DESCRIPTION,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            tags=[{"name": name, "description": text} for name, text in TAGS],
            routes=app.routes,
        )
        app.openapi_schema = _completed(found)
    return app.openapi_schema


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    components = found.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(FEED_SCHEMES)
    schemas = components.setdefault("schemas", {})
    for model in (Problem, FieldError):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name, example in json.loads(EXAMPLES.read_text(encoding="utf-8")).items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    for method, path, operation in operations(found):
        if may_be_rehearsed(method, path, operation):
            _offer_dry_run(operation)
        if method.upper() in CHANGES and path.startswith(PREFIX):
            offer_key(operation)
        if method == "get" and path.startswith(PREFIX):
            _tell_tags(operation)
        _complete(operation)
    return found


def may_be_rehearsed(method: str, path: str, operation: Mapping[str, Any]) -> bool:
    """Whether it changes something, so that ``dry_run`` is offered."""
    return method.upper() in CHANGES and path.startswith(PREFIX) and not operation.get("x-preview", False)


def _tell_tags(operation: dict[str, Any]) -> None:
    good = operation["responses"].get("200", {})
    if "application/json" in good.get("content", {}):
        header = {"schema": {"type": "string"}, "description": "send it back in `If-None-Match`"}
        good.setdefault("headers", {})["ETag"] = header
        operation["responses"]["304"] = {"description": "Nothing else than `If-None-Match` knows; without a body"}


def _offer_dry_run(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(
        {
            "name": PARAMETER,
            "in": "query",
            "required": False,
            "schema": {"type": "boolean", "default": False},
            "description": "decide and answer as usual, and change nothing; the header `Dry-Run` says so",
        }
    )
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            header = {"schema": {"const": "true"}, "description": "there after a dry run: nothing was changed"}
            response.setdefault("headers", {})[HEADER] = header


def operations(found: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of everything the document lists."""
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def scopes_of(operation: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes of which any one is enough; empty for what needs no token of the API."""
    return tuple(scope for option in operation.get("security", ()) for scope in option.get(SCHEME, ()))


def _complete(operation: dict[str, Any]) -> None:
    scopes = scopes_of(operation)
    needed = {401, 403, 429, 500} if scopes else {500}
    is_keyed = any(p["name"] == KEY for p in operation.get("parameters", ()))
    needed |= {409, 503} if is_keyed else set()
    takes_input = operation.get("parameters") or operation.get("requestBody")
    needed |= {400, 408, 413} if operation.get("requestBody") else set()
    needed |= {422} if takes_input else set()
    for status in sorted(needed):
        operation["responses"].setdefault(str(status), {"description": _MEANING[status]})
    if not takes_input:
        operation["responses"].pop("422", None)
    for status, response in operation["responses"].items():
        if (int(status) >= 400 and "content" not in response) or status == "422":
            response["description"] = _MEANING[int(status)]
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        if status in ("429", "503"):
            header = {
                "schema": {"type": "integer", "minimum": 1},
                "description": "seconds until it is worth asking again",
            }
            response.setdefault("headers", {})["Retry-After"] = header
    if scopes:
        operation["security"] = [{SCHEME: [scope]} for scope in scopes]  # any one of them
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nScope: {' or '.join(f'`{s}`' for s in scopes)}.".strip()


def page(found: Mapping[str, Any]) -> str:
    """The document as HTML for people."""
    parts = [
        f"<h1>{escape(found['info']['title'])} {escape(found['info']['version'])}</h1>",
        f"<pre class=text>{escape(found['info']['description'])}</pre>",
        *(_section(method, path, operation) for method, path, operation in operations(found)),
        "<h2>Schemas</h2>",
        *(
            f"<details><summary>{escape(name)}</summary><pre>{escape(json.dumps(schema, indent=2))}</pre></details>"
            for name, schema in sorted(found["components"]["schemas"].items())
        ),
    ]
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>tokgate API</title>{_STYLE}{''.join(parts)}</html>"


_STYLE: Final = (
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{font:600 1rem ui-monospace,monospace;border-top:1px solid #ccc;padding-top:1rem}pre{white-space:pre-wrap;"
    "background:#f6f6f6;padding:.5rem;overflow-x:auto}pre.text{background:none;padding:0;font:inherit}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}pre{background:#222}}</style>"
)


def _section(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])}) {escape(p.get('description', ''))}</li>"
        for p in operation.get("parameters", ())
    )
    results = "".join(
        f"<li>{escape(status)} {escape(r.get('description', ''))}</li>" for status, r in operation["responses"].items()
    )
    body = operation.get("requestBody")
    asked = f"<pre>{escape(json.dumps(body['content'], indent=2))}</pre>" if body else ""
    return (
        f"<h2>{escape(method.upper())} {escape(path)}</h2><p>{escape(operation.get('summary', ''))}</p>"
        f"<pre class=text>{escape(operation.get('description', ''))}</pre>"
        f"<ul>{parameters}</ul>{asked}<ul>{results}</ul>"
    )
