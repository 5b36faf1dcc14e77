"""From a list that an adapter made to the bytes that a firewall pulls, or a refusal. Pure.

Called by ``sync`` before anything is sent, so that what is served is whole, fit and never empty. Each line must be an
entry of the list's kind: a firewall skips what it does not understand and says so nowhere that we would see it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from controller.errors import FeedUnfit
from controller.model import FeedContent
from core.ids import DeviceName
from core.net import parse_key
from vendors.model import FeedList

LIST_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A part of an address, and of a configuration."""
MAX_ENTRIES: Final = 1_000_000
MAX_OCTETS: Final = 32 * 1024 * 1024
"""More than any of these firewalls takes: what an adapter allows is less, and by the model."""
LONGEST_NAME: Final = 253
"""Characters (RFC 1035); with the marks around it an entry stays below the 255 that PAN-OS takes."""
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
"""A name of other letters is written as ``xn--``."""


def _is_network(line: str) -> bool:
    """With its length as a number, without host bits, and nothing around it: ``parse_key`` takes more than that."""
    try:
        parse_key(line)
    except ValueError:
        return False
    return re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]{1,3}", line) is not None


def _is_name(line: str) -> bool:
    name = line.removeprefix("*.")
    return len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


def _is_host(line: str) -> bool:
    """A host with the slash that ends it, without a scheme or a path."""
    return line.endswith("/") and _is_name(line[:-1])


_IS_ENTRY: Final[Mapping[str, Callable[[str], bool]]] = {"ip": _is_network, "domain": _is_name, "url": _is_host}


def content_of(feed: FeedList, device: DeviceName) -> FeedContent:
    """The bytes of the list. Raises ``FeedUnfit``."""
    if not LIST_NAME.fullmatch(feed.name):
        raise _unfit(device, feed, "its name is not of lower-case letters, digits and inner hyphens, at most 63")
    if not feed.lines:
        raise _unfit(device, feed, "it is empty")
    if len(feed.lines) > MAX_ENTRIES:
        raise _unfit(device, feed, f"it has {len(feed.lines)} entries, more than {MAX_ENTRIES}")
    is_entry = _IS_ENTRY[feed.kind]
    seen: set[str] = set()
    for number, line in enumerate(feed.lines, 1):
        if not is_entry(line):
            raise _unfit(device, feed, f"line {number} is no entry of a list of kind {feed.kind}: {line[:60]!r}")
        if line in seen:
            raise _unfit(device, feed, f"line {number} is there twice: {line[:60]!r}")
        seen.add(line)
    text = ("\n".join(feed.lines) + "\n").encode("ascii")
    if len(text) > MAX_OCTETS:
        raise _unfit(device, feed, f"it has {len(text)} bytes, more than {MAX_OCTETS}")
    return FeedContent(
        name=feed.name,
        kind=feed.kind,
        text=text,
        digest=hashlib.sha256(text).hexdigest(),
        entries=len(feed.lines),
    )


def is_whole(text: bytes, *, digest: str, entries: int) -> bool:
    """Whether these bytes are what was published: to the last one, and never none."""
    return entries > 0 and text.count(b"\n") == entries and hashlib.sha256(text).hexdigest() == digest


def _unfit(device: DeviceName, feed: FeedList, what: str) -> FeedUnfit:
    return FeedUnfit(
        f"the list {feed.name[:80]!r} cannot be served: {what}",
        hint="nothing was sent, and what was served before still is; please report it",
        device=device,
    )
