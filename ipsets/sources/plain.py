"""Plain lists, as people and list makers write them: one entry a line.

Pure. Read: ``192.0.2.0/24``, a bare address, ``192.0.2.1-192.0.2.9``, ``2001:db8::/32``, ``example.com`` (and all below
it), ``*.example.com``, ``+.example.com``, ``.example.com``, ``full:www.example.com``, ``0.0.0.0 example.com`` (hosts),
and the lines of AdGuard, Clash, Surge, Quantumult, v2fly and P2P lists that ``rules.py`` knows. Comments start with
``#``, ``;``, ``!`` or ``//``. What is not understood is an error with its line, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import Final

from core.net import DomainName, Network, networks_of, parse_network
from ipsets.errors import SourceImplausible
from ipsets.sources.http import KEPT
from ipsets.sources.rules import Unsupported, is_payload, item, plain_word, short
from ipsets.text import lines_of

MAX_ENTRIES: Final = 500_000
"""Twice what the guard ``too-many`` lets pass by default. One line may be a range of 254 networks."""
MAX_PROBLEMS: Final = 5
"""Bad lines that are told."""
MAX_BAD_LINES: Final = 10_000
"""So many, and nothing more is read: it is no list."""
MAX_LINE: Final = 1 << 16
"""Characters. The longest lines that tools write, rules with many domains in them, have a few thousand."""
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*{_LABEL}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+(?:/[0-9]+)?")
"""Most lines of long lists: none of the other formats looks like this."""
_COMMENT: Final = re.compile(r"(?:^|\s)(?:#|;|//|!).*$")
_HOSTS_LINE: Final = re.compile(
    r"(?P<sink>0\.0\.0\.0|127\.0\.0\.1|::1?|fe80::1(?:%\S+)?|255\.255\.255\.255)\s+(?P<names>.+)"
)
_SPACED_RANGE: Final = re.compile(r"([0-9A-Fa-f.:]+)\s+-\s+([0-9A-Fa-f.:]+)")
_MARKUP: Final = re.compile(r"<(?:!doctype|html|head|body|\?xml|script)", re.IGNORECASE)
_HOSTS_OWN: Final = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback"}
)
Entry = tuple[int, Network | DomainName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A list as read. ``skipped`` counts the lines passed over as unsupported; ``first`` is what the first one was."""

    entries: tuple[Entry, ...]
    skipped: int = 0
    first: str = ""


def parse(text: str, *, place: str) -> tuple[Entry, ...]:
    """Every (line number, entry). Raises ``SourceImplausible`` for markup, an empty list, a line that is no entry."""
    return read(text, place=place).entries


def read(text: str, *, place: str, skip_unsupported: bool = False) -> Parsed:
    """As ``parse``. ``skip_unsupported``: rules that no list of addresses and names can say are counted, not an error.

    Raises:
        SourceImplausible: markup, binary data, a line that is no entry, or no entry at all.
    """
    _refuse_markup(text, place)
    entries: list[Entry] = []
    problems = _Problems()
    skipped, first = 0, ""
    for number, line in _lines(text):
        try:
            entries += ((number, entry) for entry in islice(parse_line(line), MAX_ENTRIES + 1 - len(entries)))
        except Unsupported as exc:
            if not skip_unsupported:
                problems.add(number, exc)
            else:
                skipped, first = skipped + 1, first or f"line {number}: {exc}"
        except ValueError as exc:
            problems.add(number, exc)
        if len(entries) > MAX_ENTRIES:
            raise SourceImplausible(f"more than {MAX_ENTRIES} entries", place=f"{place}:{number}", hint=KEPT)
        if problems.count > MAX_BAD_LINES:
            break
    if problems.told:
        raise problems.error(place)
    if not entries:
        passed = f": {skipped} unsupported lines were passed over" if skipped else ""
        raise SourceImplausible(f"an empty list{passed}", place=place, hint=f"an empty answer is never data; {KEPT}")
    return Parsed(entries=tuple(entries), skipped=skipped, first=first)


class _Problems:
    """The bad lines of a list: the first ones, and how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[tuple[int, str]] = []

    def add(self, number: int, exc: ValueError) -> None:
        self.count += 1
        if len(self.told) < MAX_PROBLEMS:
            self.told.append((number, str(exc)))

    def error(self, place: str) -> SourceImplausible:
        (number, first), *others = self.told
        more = [f"line {n}: {said}" for n, said in others]
        left = self.count - len(self.told)
        at_least = "at least " if self.count > MAX_BAD_LINES else ""
        rest = f"; {at_least}{left} more" if left else ""
        return SourceImplausible(
            "; ".join((first, *more)) + rest, place=f"{place}:{number}", hint=f"repair or comment out the line; {KEPT}"
        )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Every line that is not empty, with its number; below ``payload:`` without dash and quotes."""
    is_yaml = False
    for number, line in enumerate(lines_of(text), start=1):
        if is_payload(line):
            is_yaml = True
        elif line:
            yield number, item(line) if is_yaml else line


def _refuse_markup(text: str, place: str) -> None:
    if _MARKUP.search(text[:4096]):
        raise SourceImplausible("a page in HTML, not a list", place=place, hint=f"check the address; {KEPT}")
    if "\0" in text:
        raise SourceImplausible("binary data, not a list", place=place, hint=f"check the address; {KEPT}")


def parse_line(line: str) -> Iterator[Network | DomainName]:
    """The entries of one line; none for a blank line or a comment. Raises ``ValueError`` saying what is wrong."""
    if len(line) > MAX_LINE:
        raise ValueError(f"{len(line)} characters are no line")
    text = _COMMENT.sub("", line).strip()
    if not text or text.startswith("[Adblock"):
        return
    hosts = _HOSTS_LINE.fullmatch(text)
    if hosts and not _SPACED_RANGE.fullmatch(text):
        for name in hosts["names"].split():
            if name not in _HOSTS_OWN and name != hosts["sink"]:
                yield _domain(name, suffix=False)
        return
    if _PLAIN.fullmatch(text):
        yield from _word(text)
        return
    text = plain_word(text)
    if spread := _SPACED_RANGE.fullmatch(text):
        yield from _range(f"{spread[1]}-{spread[2]}")  # never a name, which two words with a hyphen could become
        return
    if " " in text or "\t" in text:
        raise ValueError(f"{short(text)} is more than one word")
    yield from _word(text)


def _word(word: str) -> Iterator[Network | DomainName]:
    if _looks_numeric(word):
        yield from _range(word) if "-" in word else (_as_network(word),)
        return
    yield _named(word.lower())


def _looks_numeric(word: str) -> bool:
    """An address, not a name: names have a last label with a letter and no colon or slash."""
    return ":" in word.removeprefix("full:").removeprefix("domain:") or "/" in word or word[-1:].isdigit()


def _as_network(word: str) -> Network:
    try:
        return parse_network(word)
    except ValueError as exc:
        raise ValueError(f"{short(word)}: {_why(exc)}") from exc


def _range(word: str) -> Iterator[Network]:
    left, _, right = word.partition("-")
    try:
        first, last = ip_address(left.strip()), ip_address(right.strip())
    except ValueError as exc:
        raise ValueError(f"{short(word)}: {_why(exc)}") from exc
    if "%" in word or first.version != last.version or int(first) > int(last):
        raise ValueError(f"{short(word)} is no range")
    return networks_of([(int(first), int(last))], first.version)


def _named(word: str) -> DomainName:
    if word.startswith("full:"):
        return _domain(word.removeprefix("full:"), suffix=False)
    for prefix in ("domain:", "*.", "+.", "."):
        word = word.removeprefix(prefix)
    return _domain(word, suffix=True)


def _domain(word: str, *, suffix: bool) -> DomainName:
    name = word.lower().rstrip(".")
    if len(name) > 253:  # before anything is done with it: lines have no bound
        raise ValueError(f"{short(word)} is neither an address nor a name")
    if not name.isascii():
        name = _to_ascii(name)
    if "." not in name or not _NAME.fullmatch(name) or name[-1].isdigit():  # no top-level domain ends so
        raise ValueError(f"{short(word)} is neither an address nor a name")
    return DomainName(name, suffix=suffix)


def _to_ascii(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise ValueError(f"{short(name)} is no name") from exc


def _why(exc: ValueError) -> str:
    said = str(exc)
    return said if len(said) <= 160 else f"{said[:157]}..."
