"""What a value may look like, and which addresses it stands for. Limits: the vendor's object naming pages."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network

from core.net import Address

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,62}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = r"\d{1,5}(-\d{1,5})?"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_DATE = rf"\d{{4}}/(0[1-9]|1[0-2])/(0[1-9]|[12]\d|3[01])@{_CLOCK}"


def is_name(text: str) -> bool:
    """63 characters; letters, digits, space, `-`, `_`, `.`; begins with a letter, a digit or `_`."""
    return _NAME.fullmatch(text) is not None


def is_list_name(text: str) -> bool:
    return is_name(text) and len(text) <= 32


def is_word(text: str) -> bool:
    return bool(text) and len(text) <= 255


def is_text(text: str) -> bool:
    """A description."""
    return len(text) <= 1023


def is_netmask(text: str) -> bool:
    """An address, or one with a prefix length; host bits may be set (`10.1.1.1/24` of a published specimen)."""
    try:
        ip_interface(text)
    except ValueError:
        return False
    return "%" not in text and re.fullmatch(r"[^/]+(/\d{1,3})?", text) is not None


def is_range(text: str) -> bool:
    first, dash, last = text.partition("-")
    try:
        low, high = ip_address(first), ip_address(last)
    except ValueError:
        return False
    return bool(dash) and low.version == high.version and int(low) <= int(high)


def is_wildcard(text: str) -> bool:
    """An address and a mask whose bits may lie anywhere: `10.0.0.0/0.0.248.255`."""
    address, slash, mask = text.partition("/")
    try:
        IPv4Address(address), IPv4Address(mask)
    except ValueError:
        return False
    return bool(slash)


def is_fqdn(text: str) -> bool:
    """A name without a wildcard (KB kA10g000000ClRfCAK)."""
    labels = text.removesuffix(".").split(".")
    return 0 < len(text) <= 255 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)


def is_url(text: str) -> bool:
    return re.fullmatch(r"[^\s\"]{1,255}", text) is not None


def is_ports(text: str) -> bool:
    if re.fullmatch(rf"{_PORT}(,{_PORT})*", text) is None:
        return False
    return all(int(port) <= 65_535 for port in re.findall(r"\d+", text))


def is_daily(text: str) -> bool:
    """`08:00-12:00`; it ends after it begins, on the same day."""
    return re.fullmatch(f"{_CLOCK}-{_CLOCK}", text) is not None and text[:5] < text[6:]


def is_once(text: str) -> bool:
    """`2026/01/01@08:00-2026/01/02@18:00`."""
    return re.fullmatch(f"{_DATE}-{_DATE}", text) is not None and text[:16] < text[17:]


def is_literal(text: str) -> bool:
    """What a rule may name without an object."""
    return is_netmask(text) or is_range(text)


def is_filter(text: str) -> bool:
    """`'tag1' and 'tag2'`: tag names in single quotes, or bare, with `and`, `or` and brackets."""
    return _evaluated(text, set()) is not None


def filter_takes(text: str, tags: set[str]) -> bool:
    """Whether the filter of a dynamic group takes something with these tags."""
    return _evaluated(text, tags) or False


def _evaluated(text: str, tags: set[str]) -> bool | None:
    """None: the text is no filter."""
    found = re.findall(r"'[^']*'|[()]|[^\s'()]+|.", text)
    words = [each for each in found if each.strip()]
    try:
        value = _either(words, tags)
    except (IndexError, ValueError):
        return None
    return None if words else value


def _either(words: list[str], tags: set[str]) -> bool:
    value = _both(words, tags)
    while words and words[0] == "or":
        words.pop(0)
        value = _both(words, tags) or value
    return value


def _both(words: list[str], tags: set[str]) -> bool:
    value = _term(words, tags)
    while words and words[0] == "and":
        words.pop(0)
        value = _term(words, tags) and value
    return value


def _term(words: list[str], tags: set[str]) -> bool:
    word = words.pop(0)
    if word in (")", "and", "or", "'"):
        raise ValueError(word)
    if word != "(":
        return word.strip("'") in tags
    value = _either(words, tags)
    if words.pop(0) != ")":
        raise ValueError(word)
    return value


def span(text: str) -> tuple[int, int, int] | None:
    """Version, first and last address of a netmask or range; None for anything else."""
    if is_range(text):
        first, _, last = text.partition("-")
        low, high = ip_address(first), ip_address(last)
        return low.version, int(low), int(high)
    if not is_netmask(text):
        return None
    net = ip_network(text, strict=False)
    return net.version, int(net.network_address), int(net.broadcast_address)


def covers(text: str, address: Address) -> bool:
    found = span(text)
    if found is None:
        return is_wildcard(text) and _covers_wildcard(text, address)
    version, low, high = found
    return version == address.version and low <= int(address) <= high


def _covers_wildcard(text: str, address: Address) -> bool:
    base, _, mask = text.partition("/")
    free = int(IPv4Address(mask))
    return address.version == 4 and int(address) & ~free == int(IPv4Address(base)) & ~free
