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
    """The entries with a match, marked, inside their sections."""
    section: list[list[str]] = []
    for line in lines:
        first = line.split(maxsplit=1)[:1]
        section[-1].append(line) if section and first == ["set"] else section.append([line])
        if first == ["end"]:
            yield from _matching(section, test)
            section = []


def _matching(section: list[list[str]], test: re.Pattern[str]) -> Iterator[str]:
    """``config`` and ``end`` around the entries in which something matches."""
    hits = [any(test.search(line) for line in block) for block in section]
    if not any(hits):
        return
    yield from _marked(section[0], test)
    for block, hit in zip(section[1:-1], hits[1:-1], strict=True):
        if hit:
            yield from _marked(block, test)
            yield "    next\n"
    yield "end\n"


def _marked(block: list[str], test: re.Pattern[str]) -> Iterator[str]:
    for line in block:
        yield line.replace("\n", " <---\n") if test.search(line) else line
