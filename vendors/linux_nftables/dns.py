"""The one dnsmasq file we keep: which names feed which of our sets. Pure.

dnsmasq covers a name and everything below it, and for each query uses only the line with the longest match. So a line
names the sets of every group that covers its name. An exact name therefore covers what is below it too; such hosts have
nothing below them in practice, and the adapter's page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from core.net import DomainName
from vendors.errors import Unreadable
from vendors.linux_nftables.shape import FAMILIES, TABLE
from vendors.model import DomainGroup, Group, GroupName

HEADER: Final = "# Written by tokgate, checked and replaced by it: changes made here are undone.\n"
_MEMBER: Final = re.compile(r"# (?P<group>[a-z0-9-]+) (?P<kind>[.=])(?P<name>[A-Za-z0-9._-]+)")
_TARGET: Final = TABLE.replace(" ", "#")


def render_dns(groups: Iterable[Group]) -> str:
    """The file for these groups; only the header when none of them holds names."""
    named = sorted((g for g in groups if isinstance(g, DomainGroup)), key=lambda g: g.name)
    members = [f"# {g.name} {'.' if d.suffix else '='}{d.name}\n" for g in named for d in sorted(g.members)]
    names = sorted({d.name for g in named for d in g.members})
    return HEADER + "".join(members) + "".join(_line(name, named) for name in names)


def _line(name: str, groups: Iterable[DomainGroup]) -> str:
    covering = [g.name for g in groups if any(name == d.name or name.endswith(f".{d.name}") for d in g.members)]
    sets = ",".join(f"{version}#{_TARGET}#{group}-{version}" for group in covering for version in FAMILIES)
    return f"nftset=/{name}/{sets}\n"


def parse_dns(text: str) -> dict[GroupName, frozenset[DomainName]]:
    """The groups that the comments of the file state. Deviations of the rest are found by rendering it again.

    Raises ``Unreadable`` when the file does not even begin as ours: somebody else's file is never replaced.
    """
    if not text.startswith(HEADER):
        raise Unreadable(
            "the dnsmasq file of our name was not written by us", hint="move it away, or set dnsmasq.conf_dir"
        )
    groups: dict[GroupName, set[DomainName]] = {}
    for line in text.splitlines():
        if match := _MEMBER.fullmatch(line):
            domain = DomainName(match["name"], suffix=match["kind"] == ".")
            groups.setdefault(GroupName(match["group"]), set()).add(domain)
    return {name: frozenset(members) for name, members in groups.items()}
