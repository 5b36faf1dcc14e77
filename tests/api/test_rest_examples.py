"""Every body of the document has an example, and each is what its schema says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from api.reference import EXAMPLES, operations
from core.secret import without_tokens
from tests.api.conftest import Office

TEXTS = ("text/", "image/", "application/vnd.", "application/octet-stream", "application/zip")
"""What is no JSON: pages, pictures, tables, bundles and lists."""
OPEN = {("get", "/api/v1/openapi.json"), ("get", "/api/v1/reports/sites/{name}"), ("get", "/api/v1/reports/fleet")}
"""JSON whose form another page tells: OpenAPI's, and docs/api.md."""


def bodies(found: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The content of every request and of every answer, failures too, that is JSON."""
    for method, path, operation in operations(found):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [response.get("content", {}) for response in operation["responses"].values()]
        for content in contents:
            for kind, body in content.items():
                if not kind.startswith(TEXTS) and (method, path) not in OPEN:
                    yield (method, path), body


def referred(schema: dict[str, Any], found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named schemas that a body may be."""
    for one in (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if "$ref" in one:
            name = one["$ref"].rpartition("/")[2]
            yield name, found["components"]["schemas"][name]


def examples(body: dict[str, Any], found: dict[str, Any]) -> list[Any]:
    own = [example["value"] for example in body.get("examples", {}).values()]
    return own + [e for _, schema in referred(body["schema"], found) for e in schema.get("examples", ())]


def wrong(schema: dict[str, Any], example: Any, found: dict[str, Any]) -> str:
    whole = {**schema, "components": found["components"]}
    errors = jsonschema_rs.Draft202012Validator(whole).iter_errors(example)
    return "; ".join(f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in errors)


def faults(found: dict[str, Any]) -> list[str]:
    told = []
    for operation, body in bodies(found):
        known = examples(body, found)
        if not known:
            names = [name for name, _ in referred(body["schema"], found)]
            told.append(f"{operation}: no example; give {names} one, in its model or in api/examples.json")
        told += [f"{operation}: {why}" for example in known if (why := wrong(body["schema"], example, found))]
    return told


def test_every_body_has_an_example_that_fits_its_schema(shared_office: Office) -> None:
    assert faults(shared_office.app.openapi()) == []


@pytest.mark.parametrize("change", ["without", "another"])
def test_an_example_that_is_missing_or_wrong_is_noticed(shared_office: Office, change: str) -> None:
    found = copy.deepcopy(shared_office.app.openapi())
    site = found["components"]["schemas"]["Site"]
    site["examples"] = [] if change == "without" else [{**site["examples"][0], "devices": "none"}]
    assert any("/api/v1/sites/{name}" in fault for fault in faults(found))


def test_no_example_names_what_a_schema_does_not_know(shared_office: Office) -> None:
    """A field that was renamed would live on in examples: answers allow more than they say."""
    schemas = shared_office.app.openapi()["components"]["schemas"]
    for name, example in json.loads(EXAMPLES.read_text(encoding="utf-8")).items():
        assert name in schemas, f"{name} is no schema any more"
        assert example.keys() <= schemas[name]["properties"].keys(), name


def test_no_example_holds_a_token() -> None:
    text = EXAMPLES.read_text(encoding="utf-8")
    assert without_tokens(text) == text
