"""What a verdict on one flow means, in words; the same on a page and in a terminal."""

from __future__ import annotations

from typing import Final

VERDICTS: Final = {
    "blocked": "is BLOCKED",
    "monitored": "is only watched: it is counted, and the firewall's own rules decide",
    "allowed-by-exception": "passes our deny by an exception; the firewall's own rules decide",
    "never-blocked": "is never blocked by us: no list may hold it",
    "off": "is not blocked: the policy is off then and there",
    "not-listed": "is not blocked by us: nothing that the policy blocks holds it",
    "no-role": "is not blocked by us: the source is in none of the site's networks",
    "unknown": "is NOT KNOWN to us",
}
