"""Lines of other tools' rule lists: AdGuard, Clash, Surge and Quantumult, v2fly, P2P range lists. Pure.

Each is said again as a plain word that ``plain.py`` reads. What no list of addresses and names can say (keywords,
patterns, process names, narrower conditions) is ``Unsupported``: passed over only where the list's owner says so. What
changes the meaning of *other* lines (exceptions, ``$badfilter``, ``include:``, rules that let through) is always an
error: without it more, or less, would be blocked than its writer meant.
"""

from __future__ import annotations

import re
from typing import Final

_EXACT: Final = frozenset({"DOMAIN", "HOST"})
_SUFFIX: Final = frozenset({"DOMAIN-SUFFIX", "HOST-SUFFIX"})
_NETWORK: Final = frozenset({"IP-CIDR", "IP-CIDR6", "IP6-CIDR"})
_NEVER: Final = {
    **dict.fromkeys(("DOMAIN-KEYWORD", "HOST-KEYWORD"), "a keyword, too wide"),
    **dict.fromkeys(("DOMAIN-REGEX", "URL-REGEX"), "a regular expression"),
    **dict.fromkeys(("DOMAIN-WILDCARD", "HOST-WILDCARD"), "a pattern"),
    **dict.fromkeys(("PROCESS-NAME", "PROCESS-PATH", "USER-AGENT"), "about programs"),
    **dict.fromkeys(("GEOIP", "GEOSITE", "IP-ASN", "RULE-SET", "DOMAIN-SET"), "about another list"),
    **dict.fromkeys(("SRC-IP-CIDR", "SRC-PORT", "DST-PORT", "DEST-PORT", "AND", "OR", "NOT"), "a condition"),
}
_WHOLE: Final = frozenset({"FINAL", "MATCH"})
_LETS_THROUGH: Final = frozenset({"DIRECT", "PASS", "PROXY", "GLOBAL"})
_SAME: Final = frozenset({"important", "all"})
"""AdGuard's modifiers that change nothing of what is blocked: order among rules, and "every kind of request"."""
_COSMETIC: Final = re.compile(r"#[@?$%]{0,3}#|\$@?\$")
_REGEX: Final = re.compile(r"/.+/(?:\$.*)?")
_ATTRIBUTES: Final = re.compile(r"(?:\s+[@&]!?[A-Za-z0-9_-]+)+")
_PREFIXES: Final = {
    "keyword:": "a keyword, too wide",
    "regexp:": "a regular expression",
    "regex:": "a regular expression",
}
_NAMED: Final = ("full:", "domain:")
_V4_RANGE: Final = re.compile(r"[0-9.]+\s*-\s*[0-9.]+")
_PAYLOAD: Final = re.compile(r"payload:\s*(?:#.*)?")


class Unsupported(ValueError):
    """Understood, and nothing that a list of addresses and names can say."""


def is_payload(line: str) -> bool:
    """Whether this is the head of Clash's YAML: items follow, each after ``- ``, perhaps in quotes."""
    return line.startswith("payload:") and _PAYLOAD.fullmatch(line.rstrip()) is not None


def item(line: str) -> str:
    """One item of Clash's YAML without its dash and quotes; another line as it is."""
    text = line.strip()
    if not text.startswith("- "):
        return line
    text = text[2:].strip()
    if text[:1] in ("'", '"'):
        inside, closed, rest = text[1:].partition(text[0])
        return inside if closed and (not rest.strip() or rest.lstrip().startswith("#")) else text
    return text


def plain_word(text: str) -> str:
    """The line as a plain word; one that is none of these formats comes back as it is.

    Raises ``Unsupported``; ``ValueError`` for what may never be passed over, saying what to do.
    """
    lower = text.lower()
    if text.startswith(("@@", "|")) or _REGEX.fullmatch(text) or _COSMETIC.search(text):
        return _adguard(text)
    if lower.startswith("include:"):
        raise ValueError(f"{short(text)} names another list: give that one as a source of its own")
    for prefix, what in _PREFIXES.items():
        if lower.startswith(prefix):
            raise _unsupported(text, what)
    kind, comma, rest = text.partition(",")
    if comma and (kind := kind.strip().upper()) in _EXACT | _SUFFIX | _NETWORK | _WHOLE | _NEVER.keys():
        return _routed(text, kind, [part.strip() for part in rest.split(",")])
    if not lower.startswith(_NAMED) and (found := _labelled(text)):
        return found
    if "*" in text.removeprefix("*.") or "^" in text:
        raise _unsupported(text, "a pattern")
    return _without_attributes(text)


def _adguard(text: str) -> str:
    if text.startswith("@@"):
        raise ValueError(f"{short(text)} is an exception: take it out, and `allow` it in a `manual` source")
    if text.startswith("/") and not _COSMETIC.search(text):
        raise _unsupported(text, "a regular expression")
    if _COSMETIC.search(text):
        raise _unsupported(text, "a cosmetic rule")
    body, _, said = text.partition("$")
    modifiers = {word.strip().lower() for word in said.split(",")} - {""}
    if "badfilter" in modifiers:
        raise ValueError(f"{short(text)} takes back another rule: take out both")
    if not modifiers <= _SAME:
        raise _unsupported(text, f"narrowed by {short(min(modifiers - _SAME))}")
    name = body.removeprefix("||").removesuffix("^")
    if body != f"||{name}^" or set(name) & set("*^|/:"):
        raise _unsupported(text, "a pattern")
    return f"domain:{name}"


def _routed(text: str, kind: str, words: list[str]) -> str:
    """A rule ``KIND,value[,policy][,no-resolve]``."""
    if kind in _WHOLE or any(word.upper() in _LETS_THROUGH for word in words[1:]):
        raise ValueError(f"{short(text)} lets traffic through: this is a configuration, not a list of what to block")
    if kind in _NEVER:
        raise _unsupported(text, _NEVER[kind])
    options = [word for word in words[1:] if word.lower() != "no-resolve"]
    if len(options) > 1 or "" in words or (kind not in _NETWORK and len(options) != len(words) - 1):
        raise ValueError(f"{short(text)} has more than a value and a policy")
    value = words[0]
    is_network = ":" in value or "/" in value or value[-1:].isdigit()
    if is_network is not (kind in _NETWORK):
        raise ValueError(f"{short(text)}: {short(value)} is no value of {kind}")
    return value if is_network else f"{'full' if kind in _EXACT else 'domain'}:{value}"


def _labelled(text: str) -> str | None:
    """The range of a P2P line ``label:first-last``. IPv4 only: in IPv6 a label would have no clear end."""
    label, colon, spread = text.rpartition(":")
    if not colon or not _V4_RANGE.fullmatch(spread.strip()):
        return None
    # "::192.0.2.1-192.0.2.9" is a bad range of IPv6, not one with a label
    return spread.strip() if label.strip(" \t:0123456789abcdefABCDEF") or " " in label.strip() else None


def _without_attributes(text: str) -> str:
    """v2fly's tags (``@cn``, ``@!cn``) and affiliations (``&list``) choose parts of a list; here all of it is read."""
    word, *rest = text.split(maxsplit=1)
    if not rest or not _ATTRIBUTES.fullmatch(f" {rest[0]}"):
        return text
    if "/" in word or word[-1:].isdigit():
        raise ValueError(f"{short(text)} is more than one word")
    return word


def _unsupported(text: str, what: str) -> Unsupported:
    return Unsupported(f"{short(text)} is {what}: not an address or a name")


def short(text: str) -> str:
    """For a message: in quotes, at most about 60 characters."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
