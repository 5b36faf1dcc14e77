"""A line in words, and words in quotes: the CLI's own lexical rules."""

from __future__ import annotations

from dataclasses import dataclass

from lab.emulators.fortios.answers import UNMATCHED_QUOTE, Refusal

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The words of a command, and what its output is piped through."""

    words: Words
    pipe: Words | None


def read(line: str) -> Line:
    """Split a line.

    Raises:
        Refusal: a double quote is not closed.
    """
    words: list[str] = []
    pipes: list[int] = []
    at, end = 0, len(line)
    while at < end:
        if line[at] in " \t":
            at += 1
        elif line[at] == "|":
            pipes.append(len(words))
            at += 1
        else:
            word, at = _word(line, at)
            words.append(word)
    if not pipes:
        return Line(words=tuple(words), pipe=None)
    return Line(words=tuple(words[: pipes[0]]), pipe=tuple(words[pipes[0] :]))


def _word(line: str, at: int) -> tuple[str, int]:
    """One word and where it ends; ``"new"_name`` is one word."""
    out: list[str] = []
    quote = ""
    while at < len(line):
        char = line[at]
        if char == "\\" and at + 1 < len(line) and quote != "'":
            out.append(line[at + 1])
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in "\"'":
            quote = char
        elif char in " \t|":
            break
        else:
            out.append(char)
        at += 1
    if quote:
        raise Refusal(UNMATCHED_QUOTE)
    return "".join(out), at


def quoted(word: str) -> str:
    """As ``show`` prints a string: in double quotes, with quotes and backslashes escaped."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
