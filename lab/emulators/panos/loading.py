"""A configuration text of the site's own, in set lines or in braces, into a tree.

What the schema knows is checked; the rest is kept as it stands. References are not followed: a text may name a thing
before it holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.emulators.panos import schema
from lab.emulators.panos.answers import Invalid
from lab.emulators.panos.editing import apply, is_rule
from lab.emulators.panos.schema import Container, Entries, Leaf, Members, Reader
from lab.emulators.panos.space import new_uuid
from lab.emulators.panos.tree import Node, tokens

_LAST_TEXT = re.compile(r'(?P<start>.*?\s(?:description|comments?|login-banner))\s+"(?P<text>.*)"\s*', re.DOTALL)
_BRACE_WORDS = re.compile(r'"(?:[^"]|"(?![\s;\]]))*"|[{};\[\]]|[^\s{};\[\]"][^\s{};\[\]]*')


class Unread(ValueError):
    """A line of a loaded text makes no sense."""


def load(text: str, *, vsys: str | None = schema.ONLY) -> Node:
    """A new tree. ``vsys``: where set lines without one belong.

    Raises:
        Unread: with the line.
    """
    root = Node()
    if re.match(r"\s*(#.*\n\s*)*(config\s*)?[\w-]+\s*[{;]", text) and not re.match(r"\s*(#.*\n\s*)*set\s", text):
        _load_braces(root, text, vsys)
    else:
        for line in _logical(text):
            load_line(root, line, vsys)
    root.make((*schema.DEVICE, "deviceconfig"))
    root.make(schema.vsys_path(vsys or schema.ONLY))
    _number(root)
    return root


def _logical(text: str) -> Iterator[str]:
    """Set lines; a line that begins otherwise continues the one before it (batfish, quoted-values)."""
    waiting: list[str] = []
    for line in text.splitlines():
        if line.startswith("set ") or (line.startswith("#") and not _open(waiting)):
            yield from _finished(waiting)
            waiting = [line] if line.startswith("set ") else []
        elif waiting and (line.strip() or _open(waiting)):
            waiting.append(line)
        elif line.strip():
            raise Unread(line)
    yield from _finished(waiting)


def _open(lines: list[str]) -> bool:
    return bool(lines) and tokens("\n".join(lines)) is None


def _finished(lines: list[str]) -> Iterator[str]:
    if lines:
        yield "\n".join(lines)


def load_line(root: Node, line: str, vsys: str | None) -> None:
    try:
        words = schema.rooted(_words(line)[1:], vsys=vsys)
        for step in Reader(words, loading=True).read((), schema.ROOT):
            apply(root, step)
    except (Invalid, IndexError):
        raise Unread(line) from None


def _words(line: str) -> list[str]:
    """A text at the end of a line goes to its last quote, whatever stands in it."""
    found = _LAST_TEXT.fullmatch(line)
    start = tokens(found["start"]) if found else None
    if found and start is not None:
        return [*start, f'"{found["text"]}']
    words = tokens(line)
    if words is None:
        raise Unread(line)
    return words


# --- braces -----------------------------------------------------------------------------------------------------------


def _load_braces(root: Node, text: str, vsys: str | None) -> None:
    words = [word for line in text.splitlines() if not line.startswith("#") for word in _BRACE_WORDS.findall(line)]
    read = Node()
    _statements(words, 0, read)
    config = read.kids.get("config")
    for name, node in (config or read).kids.items():
        path = [name] if config is not None else schema.rooted([name], vsys=vsys)
        spec, is_open = schema.spec_at(tuple(path))
        parent = root.make(path[:-1])
        parent.kids[name] = _checked(node, spec, is_open, tuple(path))


def _statements(words: list[str], at: int, into: Node) -> int:
    """Up to the closing brace."""
    while at < len(words) and words[at] != "}":
        name = words[at].strip('"')
        kid = into.kids.setdefault(name, Node())
        at += 1
        if at < len(words) and words[at] == "{":
            at = _statements(words, at + 1, kid) + 1
            continue
        end = words.index(";", at) if ";" in words[at:] else len(words)
        value = [word[1:-1] if word.startswith('"') else word for word in words[at:end]]
        if value and value[0] == "[":
            kid.values = value[1:-1]
        elif value:
            kid.values = [" ".join(value)]
        at = end + 1
    return at


def _checked(node: Node, spec: schema.Spec | None, is_open: bool, path: tuple[str, ...]) -> Node:
    match spec:
        case None if is_open:
            return node
        case Leaf() if node.values is None and not node.kids:
            return Node(values=[""])
        case Leaf() if node.values and (spec.check(node.values[0]) or (spec.optional and node.values == [""])):
            return node
        case Members() if not node.kids and all(map(spec.check, node.values or [])):
            return Node(values=list(node.values or []))
        case Entries() if node.values is None and all(map(spec.name, node.kids)):
            kids = {name: _checked(kid, spec.of, False, (*path, name)) for name, kid in node.kids.items()}
            return Node(kids=kids)
        case Container() if node.values is None:
            return Node(kids={name: _kid(name, kid, spec, path) for name, kid in node.kids.items()})
        case Container() if len(node.values or []) == 1:  # `recurring hourly;` for a keyword alone
            return _checked(Node(kids={(node.values or [""])[0]: Node()}), spec, is_open, path)
    raise Unread(" ".join(path))


def _kid(name: str, kid: Node, spec: Container, path: tuple[str, ...]) -> Node:
    return _checked(kid, spec.kids.get(name), spec.open, (*path, name))


def _number(root: Node) -> None:
    """Rules of a loaded text have ids that depend on their place and name alone."""
    vsys = root.at((*schema.DEVICE, "vsys")) or Node()
    for each, place in vsys.kids.items():
        rules = place.at(("rulebase", "security", "rules")) or Node()
        for name, rule in rules.kids.items():
            assert is_rule((each, "rulebase", "security", "rules", name))
            rule.uuid = new_uuid(f"{each} {name}")
