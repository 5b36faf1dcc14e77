"""``| grep``: lines that match, or with ``-f`` the branches of the configuration that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.emulators.fortios import answers
from lab.emulators.fortios.words import Words


def piped(text: str, pipe: Words) -> str:
    """What is left of the output.

    Raises:
        Refusal: it is no grep, or has no pattern.
    """
    if not pipe:
        raise answers.incomplete()
    if pipe[0] != "grep":
        raise answers.unknown_word(pipe[0])
    flags, pattern = _arguments(pipe[1:])
    lines = text.splitlines(keepends=True)
    test = re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
    if "f" in flags:
        return "".join(_branches(lines, test))
    kept = [line for line in lines if bool(test.search(line)) != ("v" in flags)]
    return f"{len(kept)}\n" if "c" in flags else "".join(kept)


def _arguments(arguments: Words) -> tuple[str, str]:
    flags = "".join(word[1:] for word in arguments[:-1])
    if not arguments:
        raise answers.incomplete()
    for word in arguments[:-1]:
        if not word.startswith("-") or set(word[1:]) - set("fivc"):
            raise answers.unknown_word(word)
    try:
        re.compile(arguments[-1])
    except re.error:
        raise answers.unknown_word(arguments[-1]) from None
    return flags, arguments[-1]


def _branches(lines: list[str], test: re.Pattern[str]) -> Iterator[str]:
    """The entries with a match, marked, inside their sections. The frames of vdoms around them are left out."""
    section: list[str] = []
    for line in lines:
        head = line.startswith("config ") and line.split()[1:2] not in (["vdom"], ["global"])
        if section or head:
            section.append(line)
        if section and line == "end\n":
            yield from _matching(section, test)
            section = []


def _matching(section: list[str], test: re.Pattern[str]) -> Iterator[str]:
    """``config`` and ``end`` around the entries in which something matches."""
    if not any(test.search(line) for line in section):
        return
    yield _marked(section[0], test)
    for entry in _entries(section[1:-1]):
        if any(test.search(line) for line in entry):
            yield from (_marked(line, test) for line in entry)
    yield section[-1]


def _entries(lines: list[str]) -> Iterator[list[str]]:
    """From ``edit`` to ``next``; the fields of a single object stand for themselves."""
    entry: list[str] = []
    for line in lines:
        entry.append(line)
        if line == "    next\n" or (len(entry) == 1 and not line.startswith("    edit ")):
            yield entry
            entry = []


def _marked(line: str, test: re.Pattern[str]) -> str:
    return line.replace("\n", " <---\n") if test.search(line) else line
