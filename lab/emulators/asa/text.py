"""A configuration as text, both ways: how an ASA prints it, and how text of a site or a startup file is taken in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lab.emulators.asa.answers import Incomplete, Invalid, Refused
from lab.emulators.asa.config import Config, Group
from lab.emulators.asa.editing import CONFIG, Editor
from lab.emulators.asa.values import Object

_ORDER: Final = (
    "hostname", "domain-name", "enable", "passwd", "xlate", "names", "name", "terminal", "ip", "interface", "boot",
    "time-range", "ftp", "clock", "dns", "dns-group", "dns-group-map", "same-security-traffic", "object",
    "object-group", "object-group-search", "access-list", "pager", "logging", "mtu", "failover", "monitor-interface",
    "icmp", "asdm", "asp", "arp", "access-group", "route", "timeout", "", "service-policy", "prompt", "call-home",
)  # fmt: skip
"""In which order the parts of a configuration print (netdriver's ASAv 9.8 capture). The empty word: all others."""
_OWN: Final = frozenset(
    {"hostname", "names", "name", "terminal", "time-range", "object", "object-group", "object-group-search",
     "access-list", "pager", "asp", "access-group", "prompt"}
)  # fmt: skip


# --- out --------------------------------------------------------------------------------------------------------------


def running(config: Config) -> str:
    """`show running-config`, from the first line to `: end`."""
    model = config.model
    head = [
        ": Saved", "", ":", f": Serial Number: {model.serial}", f": Hardware:   {model.hardware}", ":",
        f"ASA Version {model.version} ", "!",
    ]  # fmt: skip
    shown = "".join(f"{line}\n" for line in [*head, *_body(config)])
    return f"{shown}Cryptochecksum:{checksum(config)}\n: end\n"


def checksum(config: Config) -> str:
    return hashlib.md5(body(config).encode(), usedforsecurity=False).hexdigest()


def body(config: Config) -> str:
    """What a startup file keeps."""
    return "".join(f"{line}\n" for line in _body(config))


def _body(config: Config) -> Iterator[str]:
    foreign: dict[str, list[tuple[str, ...]]] = {}
    for block in config.foreign:
        foreign.setdefault(_rank_word(block[0]), []).append(block)
    for word in _ORDER:
        yield from _part(config, word)
        for block in foreign.get(word, ()):
            yield from block
            if word == "interface":
                yield "!"


def _rank_word(line: str) -> str:
    words = line.split()
    first = words[1] if words[0] == "no" and len(words) > 1 else words[0]
    return first if first in _ORDER else ""


def _part(config: Config, word: str) -> Iterator[str]:
    part = _PARTS.get(word)
    return iter(()) if part is None else part(config)


def _hostname(config: Config) -> Iterator[str]:
    yield f"hostname {config.hostname}"


def names(config: Config) -> Iterator[str]:
    if config.names_on:
        yield "names"


def aliases(config: Config) -> Iterator[str]:
    for address, (alias, described) in config.aliases.items():
        yield f"name {address} {alias}" + (f" description {described}" if described else "")


def _terminal(config: Config) -> Iterator[str]:
    if config.width != 80:
        yield f"terminal width {config.width}"


def _pager(config: Config) -> Iterator[str]:
    yield f"pager lines {config.pager}"


def time_ranges(config: Config) -> Iterator[str]:
    for each in config.ranges.values():
        yield f"time-range {each.name}"
        yield from (f" {line}" for line in each.lines())
        yield "!"


def objects(config: Config, *kinds: str) -> Iterator[str]:
    for kind in kinds or ("network", "service"):
        for each in config.objects.values():
            if each.kind == kind:
                yield from object_lines(each)


def object_lines(each: Object) -> Iterator[str]:
    yield f"object {each.kind} {each.name}"
    if each.value is not None:
        yield f" {each.value_text}"
    if each.description:
        yield f" description {each.description}"


def groups(config: Config, *kinds: str) -> Iterator[str]:
    for each in config.groups.values():
        if not kinds or each.kind in kinds:
            yield from group_lines(config, each)


def group_lines(config: Config, group: Group, *, colon: bool = False) -> Iterator[str]:
    """``colon``: as `show object-group` prints a description."""
    yield f"object-group {group.kind} {group.name}" + (f" {group.protocol}" if group.protocol else "")
    if group.description:
        yield f" description{':' if colon else ''} {group.description}"
    yield from (f" {member.text(config.alias)}" for member in group.members)


def access_lists(config: Config, *chosen: str) -> Iterator[str]:
    for name in chosen or config.acls:
        yield from (f"access-list {name} {entry.rule.text(config.alias)}" for entry in config.acls.get(name, ()))


def bindings(config: Config) -> Iterator[str]:
    """Interfaces first, the global one last."""
    ordered = sorted(config.bindings.values(), key=lambda binding: binding.direction == "global")
    yield from (binding.text() for binding in ordered)


def group_search(config: Config) -> Iterator[str]:
    if config.group_search:
        yield "object-group-search access-control"


def asp(config: Config) -> Iterator[str]:
    if config.transactional:
        yield "asp rule-engine transactional-commit access-group"


def _prompt(config: Config) -> Iterator[str]:
    if config.prompt:
        yield f"prompt {' '.join(config.prompt)}"


def foreign(config: Config, word: str) -> Iterator[str]:
    """Blocks of the site's own that begin with this word."""
    for block in config.foreign:
        if block[0].split()[0] == word:
            yield from block


_PARTS: Final[dict[str, Callable[[Config], Iterator[str]]]] = {
    "hostname": _hostname,
    "names": names,
    "name": aliases,
    "terminal": _terminal,
    "time-range": time_ranges,
    "object": objects,
    "object-group": groups,
    "object-group-search": group_search,
    "access-list": access_lists,
    "pager": _pager,
    "asp": asp,
    "access-group": bindings,
    "prompt": _prompt,
}


# --- in ---------------------------------------------------------------------------------------------------------------


class Unread(ValueError):
    """A line of a base configuration that the emulator should understand and does not."""


def load(config: Config, text: str, *, tolerant: bool = False) -> tuple[str, ...]:
    """Take in configuration text. What is not this emulator's own business is kept and printed, in its place.

    ``tolerant``: lines that are its business and make no sense are kept as foreign blocks, or left out where they stand
    inside another block; they are returned.

    Raises:
        Unread: there is such a line, and it is not to be tolerated.
    """
    config.loading = True
    try:
        return tuple(_load(config, text.splitlines(), tolerant=tolerant))
    finally:
        config.loading = False


def _load(config: Config, lines: Iterable[str], *, tolerant: bool) -> Iterator[str]:
    editor, block = Editor(config), list[str]()
    for line in lines:
        if not line.strip() or line[0] in "!:" or line.startswith(("ASA Version", "Cryptochecksum")):
            continue
        if line[0] == " " and (block or editor.mode != CONFIG):
            if block:
                block.append(line)
            elif not _taken(editor, line.strip()):
                yield _unread(line, tolerant=tolerant)
            continue
        _keep(config, block)
        block, editor.mode = [], CONFIG
        if not _own(line):
            block = [line]
        elif not _taken(editor, line):
            yield _unread(line, tolerant=tolerant)
            block = [line]
    _keep(config, block)


def _own(line: str) -> bool:
    words = line.split()
    return (words[1] if words[0] == "no" and len(words) > 1 else words[0]) in _OWN


def _taken(editor: Editor, line: str) -> bool:
    try:
        editor.run(line)
    except (Invalid, Incomplete, Refused):
        return False
    return True


def _unread(line: str, *, tolerant: bool) -> str:
    if not tolerant:
        raise Unread(line)
    return line


def _keep(config: Config, block: list[str]) -> None:
    if block:
        config.foreign.append(tuple(block))
