#!/usr/bin/env python3
"""Write api/client/generated.py from the OpenAPI document; ``--check`` only says whether it is current."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from api.app import PREFIX, create_app
from api.reference import operations
from controller.service import Controller
from controller.settings import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
FILE: Final = ROOT / "api" / "client" / "generated.py"
HEAD: Final = '''\
"""The operations and types of the REST API. Written by scripts/build_client.py; run `make client` after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote

'''
_SKIPPED: Final = ("/openapi.json", "/docs")
_PAGED: Final = ("cursor", "count")
"""Parameters that a walk over the pages sets itself."""
_PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def document() -> dict[str, Any]:
    """The OpenAPI document of this version; it does not depend on the inventory."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(inventory=ROOT / "inventory.example.yaml", data_dir=Path(folder), database=None)
        with Controller.open(settings) as controller:
            return create_app(controller).openapi()


def generated(found: Mapping[str, Any]) -> str:
    schemas = found["components"]["schemas"]
    groups: dict[str, list[str]] = {}
    used: list[str] = []
    for method, path, operation in operations(found):
        inner = path.removeprefix(PREFIX)
        if not path.startswith(PREFIX) or inner in _SKIPPED or (answer := _answer(operation)) is None:
            continue
        if (body := _body(operation)) is False:
            continue
        used += _refs(answer) + _refs(body)
        group = inner.split("/")[1].replace("-", "_")
        groups.setdefault(group, []).append(_method(method, inner, operation, answer, body, schemas))
    names = _all(used, schemas)
    types = [_typed_dict(name, schemas[name], schemas) for name in sorted(names, key=_name)]
    classes = [_group(name, methods) for name, methods in groups.items()]
    return HEAD + "\n\n".join([_CALLERS, *types, *classes, _operations(groups)])


_CALLERS: Final = """\
Call = Callable[..., Any]
Pages = Callable[..., Iterator[Any]]


def _q(value: str) -> str:
    return quote(value, safe="")

"""


def _answer(operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of the good answer; None: it is no JSON."""
    for status, response in sorted(operation["responses"].items()):
        if status.startswith("2"):
            content = response.get("content", {})
            return content["application/json"].get("schema", {}) if "application/json" in content else None
    return None


def _body(operation: Mapping[str, Any]) -> Any:
    """The schema of the body; None: there is none; False: it is no JSON."""
    if "requestBody" not in operation:
        return None
    content = operation["requestBody"]["content"]
    return content["application/json"]["schema"] if "application/json" in content else False


def _method(
    method: str, path: str, operation: Mapping[str, Any], answer: Mapping[str, Any], body: Any, schemas: Any
) -> str:
    name = operation["operationId"].split("_api_v1_")[0]
    given = operation.get("parameters", [])
    is_list = any(p["name"] == "cursor" for p in given)
    inside = [p for p in given if p["in"] == "path"]
    query = [p for p in given if p["in"] == "query" and not (is_list and p["name"] in _PAGED) and p["name"] != "format"]
    headers = [p for p in given if p["in"] == "header" and p["name"] not in ("Prefer", "If-None-Match")]
    arguments = [f"{_word(p['name'])}: str" for p in inside]
    if body is not None:
        optional = not operation["requestBody"].get("required", False)
        kind = _type(body, schemas).removesuffix(" | None")
        arguments.append(f"body: {kind}" + (" | None = None" if optional else ""))
    needed = [f"{_word(p['name'])}: {_query_type(p, schemas)}" for p in query if p.get("required")]
    free = [f"{_word(p['name'])}: {_query_type(p, schemas)} | None = None" for p in query if not p.get("required")]
    free += [f"{_word(p['name'])}: str | None = None" for p in headers]
    signature = ", ".join(["self", *arguments, *(["*"] if needed or free else []), *needed, *free])
    place = re.sub(r"\{(\w+)\}", r"{_q(\1)}", path)
    sent = ", ".join(f'"{p["name"]}": {_word(p["name"])}' for p in query)
    text = operation.get("summary", "").rstrip(".") + "."
    target = f'f"{place}"' if inside else f'"{path}"'
    if is_list:
        item = _type(_item(answer, schemas), schemas)
        return f'''    def {name}({signature}) -> Iterator[{item}]:
        """{text}"""
        return cast("Iterator[{item}]", self._pages({target}, query={{{sent}}}))
'''
    said = ", ".join(f'"{p["name"]}": {_word(p["name"])}' for p in headers)
    extra = f", query={{{sent}}}" if query else ""
    extra += f", headers={{{said}}}" if headers else ""
    extra += ", body=body" if body is not None else ""
    result = _type(answer, schemas)
    return f'''    def {name}({signature}) -> {result}:
        """{text}"""
        return cast("{result}", self._call("{method.upper()}", {target}{extra}))
'''


def _item(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    items: Mapping[str, Any] = schemas[_ref(answer["$ref"])]["properties"]["items"]["items"]
    return items


def _query_type(parameter: Mapping[str, Any], schemas: Any) -> str:
    options = parameter["schema"].get("anyOf", [parameter["schema"]])
    kinds = [_type(one, schemas) for one in options if one.get("type") != "null"]
    return " | ".join(dict.fromkeys(kinds))


def _word(name: str) -> str:
    word = name.lower().replace("-", "_")
    return f"{word}_" if keyword.iskeyword(word) else word


def _ref(text: str) -> str:
    return text.rsplit("/", 1)[-1]


def _name(schema: str) -> str:
    """As a class is called: ``api__job_models__Job`` is ``JobModelsJob``, ``Page_Run_`` is ``PageRun``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", schema.removeprefix("api__")))


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = _ref(schema["$ref"])
        target = schemas[name]
        return _name(name) if "properties" in target else _type(target, schemas)
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_type(one, schemas) for one in options))
    if len(schema.get("allOf", ())) == 1:
        return _type(schema["allOf"][0], schemas)
    match schema.get("type"):
        case "array":
            return f"list[{_type(schema.get('items', {}), schemas)}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {_type(more, schemas) if isinstance(more, dict) else 'Any'}]"
        case str() as kind:
            return _PLAIN[kind]
        case _:
            return "Any"


def _refs(schema: Any) -> list[str]:
    match schema:
        case dict():
            own = [_ref(schema["$ref"])] if isinstance(schema.get("$ref"), str) else []
            return own + [name for value in schema.values() for name in _refs(value)]
        case list():
            return [name for value in schema for name in _refs(value)]
        case _:
            return []


def _all(names: list[str], schemas: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            names += _refs(schemas[name])
    return {name for name in found if "properties" in schemas[name]}


def _typed_dict(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    fields = {key: _type(value, schemas) for key, value in schema["properties"].items()}
    fields = {key: kind if key in needed else f"NotRequired[{kind}]" for key, kind in fields.items()}
    if all(key.isidentifier() and not keyword.iskeyword(key) for key in fields):
        lines = "\n".join(f"    {key}: {kind}" for key, kind in fields.items())
        return f"class {_name(name)}(TypedDict):\n{lines}\n"
    lines = "\n".join(f'        "{key}": "{kind}",' for key, kind in fields.items())
    return f'{_name(name)} = TypedDict(\n    "{_name(name)}",\n    {{\n{lines}\n    }},\n)\n'


def _group(name: str, methods: list[str]) -> str:
    head = f'''class {_group_name(name)}:
    """The routes under ``{PREFIX}/{name.replace("_", "-")}``."""

    def __init__(self, call: Call, pages: Pages) -> None:
        self._call = call
        self._pages = pages

'''
    return head + "\n".join(methods)


def _group_name(name: str) -> str:
    return f"{_name(name)}Routes"


def _operations(groups: Mapping[str, Any]) -> str:
    lines = "\n".join(f"        self.{name} = {_group_name(name)}(call, pages)" for name in groups)
    return f'''class Operations:
    """Every operation, by the first word of its path."""

    def __init__(self, call: Call, pages: Pages) -> None:
{lines}
'''


def formatted(text: str) -> str:
    """As the rest of the code is."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FILE), "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


def main(arguments: list[str]) -> int:
    text = formatted(generated(document()))
    if "--check" in arguments:
        return int(FILE.read_text(encoding="utf-8") != text)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
