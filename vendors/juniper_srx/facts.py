"""What an SRX says of itself beside its configuration: commits, its node of a cluster, when it was booted. Pure.

Forms: `show system commit`, `show system uptime` (genieparser, gnetcli captures), the cluster's banner over the prompt
(netmiko's list of banners, ntc-templates).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vendors.errors import Unreadable
from vendors.shell import Dialect

CONFIGURATION: Final = "show configuration | display set"
COMMITS: Final = "show system commit"
UPTIME: Final = "show system uptime"
VERSION: Final = "show version"
HITS: Final = "show security policies hit-count"
WAITS: Final = "a commit of ours was not confirmed, and takes itself back soon"
"""Said of a device whose last change broke off behind its commit: the next one ends it."""
BANNER: Final = "banner"
"""Not a command: what stood over the prompt."""

DIALECT: Final = Dialect(
    driver="juniper_junos",
    prompt=r"(?:\{[^}\r\n]+\}(?:\[edit[^\]\r\n]*\])?\r*\n|\[edit[^\]\r\n]*\]\r*\n)?(?P<host>[\w.-]+@[\w.-]+)[>#] ",
    pager=r"---\(more(?: \d+%)?\)---",
    quiet=("set cli complete-on-space off", "set cli screen-length 0", "set cli screen-width 1024"),
    greetings=((r"(?:root@[\w.-]+:\S* # |[\w@.-]*% )", "cli\n"),),
    noise=r"# commit confirmed will be rolled back in \d+ minutes?[^\n]*\n",
)

_COMMIT: Final = re.compile(
    r"^0\s+(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ by \S+ via [^\n,]+?)(?P<rest>,[^\n]*)?[ \t]*$"
    r"(?:\n {4}(?P<comment>\S[^\n]*))?",
    re.M,
)
_BOOTED: Final = re.compile(r"^System booted: (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+)", re.MULTILINE)
_NOW: Final = re.compile(r"^Current time: (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?P<zone>\S+)", re.MULTILINE)
_NODE: Final = re.compile(
    r"\{(?P<role>primary|secondary|backup|master|hold|disabled|ineligible|lost)(?::(?P<node>\w+))?\}"
)
_NODE_HEAD: Final = re.compile(r"^(?P<node>node\d+):\n-{20,}\n", re.MULTILINE)
_REFUSED: Final = re.compile(r"unknown command|syntax error|permission denied|is ambiguous|^error: ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One device at one reading."""

    commit: str
    """The last commit's line without its number: it changes with every commit, by anybody."""
    pending: bool
    """Whether that commit takes itself back unless it is confirmed."""
    comment: str
    """What its maker wrote to it. A router of 20.4 shows it (genieparser); that SRX does is not on record."""
    wall_time: datetime | None
    """Its own local time at the reading, without a zone."""
    role: str
    """In a cluster `primary` or what else this node is; empty: no cluster."""


def facts_from(parts: Mapping[str, str]) -> Facts:
    """Raises ``Unreadable``."""
    found = _last_commit(part(parts, COMMITS))
    banner = _NODE.search(part(parts, BANNER))
    return Facts(
        commit=found["stamp"].removesuffix(" commit confirmed"),
        pending="rollback in" in (found["rest"] or "") + found["stamp"],
        comment=found["comment"] or "",
        wall_time=wall_time(parts.get(UPTIME, ""), (banner["node"] or "") if banner else ""),
        role=banner["role"] if banner else "",
    )


def last_commit(text: str) -> str:
    """Its line without the number. Raises ``Unreadable`` when none is named."""
    return _last_commit(text)["stamp"].removesuffix(" commit confirmed")


def _last_commit(text: str) -> re.Match[str]:
    """In a cluster both nodes have the same commits, each below a header of its own."""
    found = _COMMIT.search(text)
    if found is None:
        raise Unreadable(f"`{COMMITS}` names no commit: {text[:80]!r}")
    return found


def commit_comment(owner: str, snapshot: str) -> str:
    """What we write to a commit, so that one that waits to be confirmed is known as ours."""
    return f"tokgate {owner} {snapshot}"


def part(parts: Mapping[str, str], command: str) -> str:
    if command not in parts:
        raise Unreadable(f"the reading lacks the answer to `{command}`")
    return parts[command]


def is_refusal(text: str) -> bool:
    return _REFUSED.search(text) is not None


def by_node(text: str) -> Mapping[str, str]:
    """What each node of a cluster said; one entry without a name where there is no cluster."""
    heads = list(_NODE_HEAD.finditer(text))
    if not heads:
        return {"": text}
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return {head["node"]: text[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def boots(text: str) -> Mapping[str, str]:
    """When each node was booted, as one word for an epoch. Raises ``Unreadable``."""
    found = {node: _BOOTED.search(said) for node, said in by_node(text).items()}
    if not all(found.values()):
        raise Unreadable(f"`{UPTIME}` does not say when the device was booted: {text[:80]!r}")
    return {node: match["at"].replace(" ", "T") for node, match in found.items() if match}


def wall_time(text: str, node: str) -> datetime | None:
    """What the clock of this node shows; None when it is not told."""
    said = by_node(text)
    found = _NOW.search(said.get(node) or said.get("", ""))
    return datetime.fromisoformat(found["at"]) if found else None
