"""The candidate on the screen, in the form that `set cli config-output-format` chose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from lab.emulators.panos import schema
from lab.emulators.panos.tree import Node, braces, set_lines

_FIRST: Final = ("deviceconfig", "network")


def lines(them: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in them)


def part(node: Node, name: str, path: tuple[str, ...], form: str) -> str:
    match form:
        case "set":
            return lines(set_lines(node, path))
        case "json":
            return json.dumps({name: _plain(node)}, indent=2) + "\n"
        case "xml":
            return lines(xml(name, node))
        case _:
            return lines(braces(name, node))


def whole(root: Node, form: str, *, multi: bool) -> str:
    """Set lines in the published order: the device's own settings, `shared`, the virtual system, administrators."""
    if form == "set":
        return lines(all_set_lines(root, multi=multi))
    return part(root, "config", (), form)


def all_set_lines(root: Node, *, multi: bool) -> Iterator[str]:
    device = root.at(schema.DEVICE) or Node()
    for name in _FIRST:
        if name in device.kids:
            yield from _section(device.kids[name], (name,))
    if "shared" in root.kids:
        yield from _section(root.kids["shared"], ("shared",))
    for name, vsys in device.kids.get("vsys", Node()).kids.items():
        yield from _section(vsys, ("vsys", name) if multi else ())
    for name, node in root.kids.items():
        if name not in ("shared", "devices"):
            yield from _section(node, (name,))


def _section(node: Node, path: tuple[str, ...]) -> Iterator[str]:
    """An empty virtual system or section prints nothing of its own at the top."""
    if node.values is None and not node.kids and len(path) != 1:
        return
    if node.values is None and node.kids:
        for name, kid in node.kids.items():
            yield from set_lines(kid, (*path, name))
    else:
        yield from set_lines(node, path)


def _plain(node: Node) -> Any:
    if node.values is not None:
        return node.values if len(node.values) > 1 else "".join(node.values)
    return {name: _plain(kid) for name, kid in node.kids.items()}


def xml(name: str, node: Node, spec: schema.Spec | None = None, depth: int = 0) -> Iterator[str]:
    """Names that the schema does not know as such become entries where they could not be a tag."""
    indent = "  " * depth
    entry = isinstance(spec, schema.Entries) or not name.replace("-", "").replace("_", "").isalpha()
    open_tag, close_tag = (f"<entry name={quoteattr(name)}>", "</entry>") if entry else (f"<{name}>", f"</{name}>")
    if (node.values is not None and isinstance(spec, schema.Members)) or (node.values and len(node.values) > 1):
        yield indent + open_tag
        yield from (f"{indent}  <member>{escape(value)}</member>" for value in node.values or [])
        yield indent + close_tag
    elif node.values is not None:
        yield f"{indent}{open_tag}{escape(''.join(node.values))}{close_tag}"
    elif not node.kids:
        yield indent + open_tag.replace(">", "/>")
    else:
        yield indent + open_tag
        for each, kid in node.kids.items():
            yield from xml(each, kid, None, depth + 1)
        yield indent + close_tag
