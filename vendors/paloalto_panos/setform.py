"""The `set` form in which PAN-OS prints a part of its configuration, cut into named entries with attributes.

Pure. The form is not canonical: attribute order, defaults and quoting depend on who wrote an entry, a value in quotes
may span lines and hold a bare quote. Our own entries are read strictly; of others only the name and the raw text count.
Form: captures of PAN-OS 8.1 and 9.1 (batfish/lab-validation), `quoted-values` of batfish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from vendors.errors import Unreadable

Attrs: TypeAlias = Mapping[str, tuple[str, ...]]
"""Attribute (``static``, ``type ip url``) to its values; a list attribute has as many as members, in device order."""

_ABSENT: Final = re.compile(
    r"^\s*(?:Server error\s*:\s*)?(?:No such node|Object not present|Invalid syntax\.)", re.MULTILINE
)
"""What may be said of a container that is not there; the words of the command line are not documented."""
_ERROR: Final = re.compile(
    r"^(?:Unknown command|Invalid syntax|Server error\s*:|Validation Error|Error:|No such node|Object not present)",
    re.MULTILINE,
)
_NAME: Final = re.compile(r'\s*(?:"(?P<quoted>[^"\n]+)"|(?P<bare>[^\s"\[\]]+))(?=\s|\Z)')
_TOKEN: Final = re.compile(r'\s*(?:"(?P<quoted>[^"\n]*)"|(?P<mark>[\[\]])|(?P<bare>[^\s"\[\]]+))')
_FREE: Final = ("description", "comments")
_DEEP: Final = {"option": 2, "dynamic": 2, "type": 3}
_PLAIN: Final = re.compile(r"[A-Za-z0-9._/:-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One named entry: what stood behind its name, a text per statement, in device order."""

    name: str
    rests: tuple[str, ...]

    def attrs(self) -> dict[str, tuple[str, ...]]:
        """Read strictly. Raises ``Unreadable`` on anything that is not words, quoted words and one flat list."""
        found: dict[str, tuple[str, ...]] = {}
        for rest in self.rests:
            if not rest:
                continue
            key, values = _attribute(self.name, rest)
            found[key] = (*found.get(key, ()), *values)
        return found


def quoted(name: str) -> str:
    """A name as the command line takes it."""
    return name if _PLAIN.fullmatch(name) else f'"{name}"'


def entries(text: str, path: str, vsys: str) -> dict[str, Entry]:
    """The entries below ``path`` (``rulebase security rules``) in order of first appearance.

    Raises ``Unreadable`` on an error text, another form than `set`, or statements about something else.
    """
    refuse_error(text, f"show {path}")
    found: dict[str, list[str]] = {}
    for statement in statements(text):
        rest = _below(statement, path, vsys)
        if not rest:
            continue
        match = _NAME.match(rest)
        if match is None:
            raise Unreadable(f"no name in what the device shows of {path}: {statement[:80]!r}")
        found.setdefault(match["quoted"] or match["bare"], []).append(rest[match.end() :].strip())
    return {name: Entry(name, tuple(rests)) for name, rests in found.items()}


def is_absent(text: str) -> bool:
    """Whether the device says that it has no such container."""
    return _ABSENT.search(text) is not None and not any(line.startswith("set ") for line in text.splitlines())


def refuse_error(text: str, command: str) -> None:
    """Raises ``Unreadable`` when an answer holds an error of the command line."""
    if found := _ERROR.search(text):
        line = text[found.start() :].partition("\n")[0]
        raise Unreadable(f"the device answers `{command}` with: {line[:160]}")


def statements(text: str) -> Iterator[str]:
    """Each `set` statement without the word, its continuation lines joined."""
    current: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("set "):
            if current is not None:
                yield "\n".join(current).rstrip()
            current = [line[4:]]
        elif current is not None:
            current.append(line)
        elif line.strip():
            raise Unreadable(f"the configuration is not shown in set form: {line[:80]!r}")
    if current is not None:
        yield "\n".join(current).rstrip()


def _below(statement: str, path: str, vsys: str) -> str:
    """What follows the path; empty for an empty container at it or above it."""
    first, _, rest = statement.partition(" ")
    if first == "vsys":
        name, _, statement = rest.partition(" ")
        if name != vsys:
            raise Unreadable(f"{vsys} was asked for, and the device shows {name[:40]!r}")
    if statement == path or f"{path} ".startswith(f"{statement} "):
        return ""
    if not statement.startswith(f"{path} "):
        raise Unreadable(f"{path} was asked for, and the device shows {statement[:80]!r}")
    return statement[len(path) + 1 :].strip()


def _attribute(name: str, rest: str) -> tuple[str, tuple[str, ...]]:
    key, _, value = rest.partition(" ")
    if key in _FREE:  # people write into these: taken as it is, whatever quotes it holds
        return key, (value.strip().removeprefix('"').removesuffix('"'),)
    words, listed = _words(name, rest)
    depth = 1 if listed else _depth(words)
    keys = words[: len(words) - len(listed)] if listed else words[:depth]
    return " ".join(keys), tuple(listed or words[depth:])


def _depth(words: list[str]) -> int:
    """How many words are the attribute's path when one value follows."""
    if words[0] == "schedule-type":
        return max(1, len(words) - 1)
    if words[0] == "type" and words[2:3] in (["auth"], ["recurring"]) and len(words) > 4:
        return 4
    if words[0] in ("profile-setting", "qos"):
        return max(1, len(words) - 1)
    return min(_DEEP.get(words[0], 1), len(words))


def _words(name: str, rest: str) -> tuple[list[str], list[str]]:
    """All words, and those of them that stand in a list, which may only come last."""
    words: list[str] = []
    listed: list[str] = []
    place, state = 0, "before"
    while place < len(rest):
        match = _TOKEN.match(rest, place)
        if match is None or state == "after" or (match["mark"] == "[") != (state == "before" and match["mark"] == "["):
            raise Unreadable(f"{name}: cannot be read from {rest[place : place + 80]!r} on")
        place = match.end()
        if match["mark"]:
            if (match["mark"] == "]") != (state == "inside"):
                raise Unreadable(f"{name}: a list is not closed properly in {rest[:80]!r}")
            state = "inside" if match["mark"] == "[" else "after"
            continue
        word = match["quoted"] if match["bare"] is None else match["bare"]
        words.append(word)
        if state == "inside":
            listed.append(word)
    if state == "inside":
        raise Unreadable(f"{name}: a list has no end: the reading was cut off")
    return words, listed
