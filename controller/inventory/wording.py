"""pydantic's errors in the words and places of the file that a person wrote. Repeats no value that may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controller.inventory.document import Document, Problem, Spot
from controller.inventory.fields import did_you_mean
from ipsets.spans import words

SECRET_KEYS: Final = frozenset({"password", "key_file", "key_passphrase"})
_SHOWN: Final = 40
_SPAN: Final = re.compile(r"datetime\.timedelta\((days|seconds)=(\d+)\)")


def problems_of(error: ValidationError, document: Document, at: Spot, schema: Mapping[str, Any]) -> list[Problem]:
    """Every problem that pydantic found in the part of the document at ``at``, which ``schema`` describes."""
    found = error.errors(include_url=False)
    return [_problem(details, document, at, schema) for details in found if not is_echo(details, found)]


def is_echo(one: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a list is only called too short because a member of it was refused, which is told already."""
    depth = len(one["loc"])
    return one["type"] == "too_short" and any(len(e["loc"]) > depth and e["loc"][:depth] == one["loc"] for e in found)


def _problem(error: ErrorDetails, document: Document, at: Spot, schema: Mapping[str, Any]) -> Problem:
    spot = _spot(error["loc"], document.data, at)
    match error["type"]:
        case "missing":
            missing = (*spot, str(error["loc"][-1]))
            return Problem(document.line(spot), document.problem(missing, "").spot, "is missing")
        case "extra_forbidden":
            known = known_keys(schema, spot[len(at) : -1], document.data, at)
            return document.problem(spot, f"unknown key{did_you_mean(str(spot[-1]), known)}")
        case "union_tag_not_found":
            key = str(error["ctx"]["discriminator"]).strip("'")
            return Problem(document.line(spot), document.problem((*spot, key), "").spot, "is missing")
        case "union_tag_invalid":
            key = str(error["ctx"]["discriminator"]).strip("'")
            expected = [tag.strip(" '") for tag in str(error["ctx"]["expected_tags"]).split(",")]
            given = str(error["ctx"]["tag"])[:_SHOWN]
            return document.problem((*spot, key), f"unknown {key} {given!r}{did_you_mean(given, expected)}")
        case _:
            return document.problem(spot, _message(error, spot))


def _spot(loc: tuple[int | str, ...], data: Any, at: Spot) -> Spot:
    """pydantic's location without the parts that stand for a union's branch or a mapping's key."""
    value = _value(data, at)
    spot = list(at)
    for part in loc:
        if _has(value, part):
            value = value[part]
            spot.append(part)
    return tuple(spot)


def _value(data: Any, spot: Spot) -> Any:
    """What stands there; None for what was left out."""
    for part in spot:
        data = data[part] if _has(data, part) else None
    return data


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _message(error: ErrorDetails, spot: Spot) -> str:
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = _SPAN.sub(lambda found: words(timedelta(**{found[1]: int(found[2])})), text)
    if text.startswith("Input should be "):
        text = "expected " + text.removeprefix("Input should be ")
    if error["type"] in ("model_type", "dict_type", "model_attributes_type", "dataclass_type"):
        text = "expected a mapping (`key: value`)"
    if error["type"] in ("tuple_type", "list_type"):
        text = "expected a list (`[a, b]`)"
    if error["type"] in ("too_short", "too_long"):
        text = counted(error["ctx"])
    if error["type"] == "timezone_aware":
        text = "expected a time with its zone, as 2026-11-25T18:00:00Z"
    return text + _not_this(error, spot)


def counted(limits: Mapping[str, Any]) -> str:
    """How many a list has to hold, in words; from the ``ctx`` of pydantic's errors ``too_short`` and ``too_long``."""
    return f"{limits['min_length']} at least" if "min_length" in limits else f"{limits['max_length']} at most"


def _not_this(error: ErrorDetails, spot: Spot) -> str:
    given = error["input"]
    if error["type"] == "value_error" or SECRET_KEYS & set(spot) or isinstance(given, dict | list):
        return ""
    return f", not {'nothing' if given is None else repr(str(given)[:_SHOWN])}"


def known_keys(schema: Mapping[str, Any], spot: Spot, data: Any, at: Spot = ()) -> set[str]:
    """The keys that the schema allows in the mapping at ``spot``."""
    here = [schema]
    value = _value(data, at)
    for part in spot:
        value = value[part]
        here = [deeper for node in here for deeper in _below(_branches(node, schema, None), part, schema)]
    return {key for node in here for branch in _branches(node, schema, value) for key in branch.get("properties", {})}


def _branches(node: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> list[Mapping[str, Any]]:
    """The node itself, behind its references; of a union, the branches that fit the value's constants."""
    if "$ref" in node:
        return _branches(schema["$defs"][str(node["$ref"]).rpartition("/")[2]], schema, value)
    choices = node.get("anyOf") or node.get("oneOf")
    if choices is None:
        return [node]
    return [branch for choice in choices for branch in _branches(choice, schema, value) if _fits(branch, value)]


def _fits(branch: Mapping[str, Any], value: Any) -> bool:
    if not isinstance(value, dict):
        return True
    constants = {key: p["const"] for key, p in branch.get("properties", {}).items() if "const" in p}
    return all(value.get(key) == constant for key, constant in constants.items())


def _below(
    branches: Iterable[Mapping[str, Any]], part: int | str, schema: Mapping[str, Any]
) -> Iterable[Mapping[str, Any]]:
    for branch in branches:
        if isinstance(part, int):
            yield branch.get("items", {})
        elif part in branch.get("properties", {}):
            yield branch["properties"][part]
        else:
            yield from branch.get("patternProperties", {}).values()
            if isinstance(branch.get("additionalProperties"), dict):
                yield branch["additionalProperties"]
