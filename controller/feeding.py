"""From a list that an adapter made to the bytes that a firewall pulls, or a refusal. Pure.

Called by ``sync`` before anything is sent, so that what is served is whole, fit and never empty.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from controller.errors import FeedUnfit
from controller.model import FeedContent
from core.ids import DeviceName
from vendors.model import FeedList

LIST_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A part of an address, and of a configuration."""
MAX_LINE: Final = 1024
_LINE: Final = re.compile(rf"[!-~](?:[ -~]{{0,{MAX_LINE - 2}}}[!-~])?")
"""ASCII, with no blank at either end; a name of other letters is written as ``xn--``."""


def content_of(feed: FeedList, device: DeviceName) -> FeedContent:
    """The bytes of the list. Raises ``FeedUnfit``."""
    if not LIST_NAME.fullmatch(feed.name):
        raise _unfit(device, feed, "its name is not of lower-case letters, digits and inner hyphens, at most 63")
    if not feed.lines:
        raise _unfit(device, feed, "it is empty")
    for number, line in enumerate(feed.lines, 1):
        if not _LINE.fullmatch(line):
            raise _unfit(device, feed, f"line {number} is no entry: {line[:60]!r}")
    text = ("\n".join(feed.lines) + "\n").encode("ascii")
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
