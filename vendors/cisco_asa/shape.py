"""Names, descriptions and lines: how the neutral model looks on an ASA, and back. Pure.

One object-group for each group, both families in it (allowed since 9.0), one FQDN object for each name, one deny for
each pair of source and destination group below a remark that names the rule.

    object network tokgate-d.www.example.com        object-group network tokgate-dst-video
     fqdn www.example.com                            description tokgate addresses OWNER dst-video
     description tokgate name OWNER                  network-object 203.0.113.0 255.255.255.0

    access-list INSIDE_IN remark tokgate rule deny-company
    access-list INSIDE_IN extended deny ip object-group tokgate-src-company object-group tokgate-dst-video log

An entry that holds in windows alone ends in ``time-range tokgate-w-…`` (``times``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Final

from core.net import Network
from vendors.cisco_asa.times import is_our_name
from vendors.feeding import SENTINEL_NETWORK
from vendors.model import AddressGroup, Group, GroupName, Mark

PREFIX: Final = "tokgate-"
LONGEST_NAME: Final = 64
"""Documented; an ASAv 9.8 was seen with 128."""
MARK_GROUP: Final = f"{PREFIX}about.mark"
"""Holds the mark in its description. The dot keeps it apart from every group of the model."""
COVER: Final = f"{PREFIX}cover."
"""Groups that stand in for a source while an entry is moved."""
NAME: Final = f"{PREFIX}d."
"""Objects of names."""
LOG: Final = " log"
NO_SNAPSHOT: Final = "0" * 12
"""Of the mark that a device carries during our very first change."""

_REMARK: Final = re.compile(r"remark tokgate rule (?P<rule>[a-z0-9-]{1,60})")
_ACE: Final = re.compile(
    r"extended deny ip object-group (?P<sources>tokgate-\S+) object-group (?P<destination>tokgate-\S+)"
    r"(?P<options>( .*)?)"
)
_DEFAULT_LOG: Final = frozenset({"log", "log informational", "log informational interval 300"})
_DESCRIPTION: Final = re.compile(
    r"tokgate (?P<kind>addresses|names) (?P<owner>[0-9a-z]{1,26}) (?P<name>[a-z0-9-]{1,60})"
)
_OWNED: Final = re.compile(r"tokgate (?:addresses|names|name|cover|1) (?P<owner>[0-9a-z]{1,26})(?: .*)?")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


# --- names ----------------------------------------------------------------------------------------------------------


def group_name(group: GroupName) -> str:
    return fitting(f"{PREFIX}{group}")


def object_name(domain: str) -> str:
    return fitting(f"{NAME}{domain}")


def fitting(name: str) -> str:
    """Within the documented length: beyond it a name is cut, and a hash keeps it apart."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 13]}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def is_writable(domain: str) -> bool:
    """Whether an FQDN object takes this name: labels of letters, digits and hyphens."""
    return len(domain) <= 253 and all(_LABEL.fullmatch(label) for label in domain.split("."))


# --- descriptions ---------------------------------------------------------------------------------------------------


def group_description(group: Group, owner: str) -> str:
    kind = "addresses" if isinstance(group, AddressGroup) else "names"
    return f"tokgate {kind} {owner} {group.name}"


def described(text: str) -> tuple[str, GroupName] | None:
    """The kind (``addresses`` or ``names``) and the group that a description tells of."""
    found = _DESCRIPTION.fullmatch(text)
    return (found["kind"], GroupName(found["name"])) if found else None


def object_description(owner: str) -> str:
    return f"tokgate name {owner}"


def cover_description(owner: str) -> str:
    return f"tokgate cover {owner}"


def owner_of(description: str) -> str | None:
    """The controller that a description or a mark tells of."""
    found = _OWNED.fullmatch(description)
    return found["owner"] if found else None


def first_mark(owner: str) -> Mark:
    """What is written first of all on a device without a mark: whose it is, and that it is unfinished."""
    return Mark(owner=owner, snapshot=NO_SNAPSHOT, desired="0" * 64)


# --- members --------------------------------------------------------------------------------------------------------


def member_line(network: Network) -> str:
    """As the device prints it."""
    if network.prefixlen == network.max_prefixlen:
        return f"network-object host {network.network_address}"
    if isinstance(network, IPv4Network):
        return f"network-object {network.network_address} {network.netmask}"
    return f"network-object {network}"


def name_line(domain: str) -> str:
    return f"network-object object {object_name(domain)}"


SENTINEL: Final = member_line(SENTINEL_NETWORK)
"""In each group of names, so that an entry can use it before a name is in it, and it is never empty."""


# --- entries --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ace:
    """One of our entries: the device's names of the two groups, and what stands behind them."""

    sources: str
    destination: str
    options: str = LOG

    @property
    def is_regular(self) -> bool:
        """Whether it says what we would write, in whatever words; a time-range of others is none of ours."""
        log, word, name = self.options.strip().partition("time-range ")
        return log.strip() in _DEFAULT_LOG and (not word or is_our_name(name))

    @property
    def time_range(self) -> str:
        """The device's name of the times that it holds in; empty: always."""
        return self.options.partition(" time-range ")[2].partition(" ")[0]

    @property
    def plain(self) -> Ace:
        """A regular one, in our words."""
        return self.within(self.time_range)

    def within(self, time_range: str) -> Ace:
        """The same in those times; always, when empty."""
        return replace(self, options=f"{LOG} time-range {time_range}" if time_range else LOG)

    @property
    def pair(self) -> tuple[str, str]:
        return self.sources, self.destination

    @property
    def text(self) -> str:
        return f"extended deny ip object-group {self.sources} object-group {self.destination}{self.options}"


def remark_of(rule: str) -> str:
    return f"remark tokgate rule {rule}"


def rule_of_remark(text: str) -> str | None:
    found = _REMARK.fullmatch(text)
    return found["rule"] if found else None


def ace_of(text: str) -> Ace | None:
    """An entry of our form, whatever its options; None for everything else."""
    found = _ACE.fullmatch(text.strip())
    return Ace(found["sources"], found["destination"], found["options"]) if found else None


def is_our_ace(text: str) -> bool:
    return ace_of(text) is not None
