"""Lists that the firewall pulls: which groups those are, their objects, and what the firewall has loaded of them. Pure.

The firewall's own view is `request system external-list show`: it prints 100 entries unless `num-records` asks for
more, and all of them when that is more than there are (measured by others, over the API).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from core.net import Network, parse_network
from vendors.errors import Unreadable
from vendors.feeding import SENTINEL_NETWORK, pullable
from vendors.model import Group, GroupName, Observed, Rule
from vendors.paloalto_panos import facts
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.setform import Attrs
from vendors.paloalto_panos.shape import list_name

SHOW: Final = "request system external-list show type ip name "
REFRESH: Final = "request system external-list refresh type ip name "
ALL: Final = " num-records 200000"
URL: Final = "type ip url"
AUTH: Final = "type ip auth"
"""Set by hand and left alone: a line of configuration would show a password."""
DESCRIPTION: Final = "type ip description"
_COUNT: Final = re.compile(r"^\s*Total (valid|displayed) entries\s*:\s*(\d+)\s*$", re.MULTILINE)
_HEAD: Final = re.compile(r"^\s*Valid ips:\s*$", re.MULTILINE)
_STATED: Final = re.compile(r"tokgate list ([a-z0-9-]+)")
_LARGE: Final = ("PA-32", "PA-52", "PA-54", "PA-70")


def fed_of(
    groups: Iterable[Group],
    rules: Iterable[Rule],
    options: PaloAltoPanosOptions,
    room: int,
    sizes: Mapping[GroupName, int] | None = None,
) -> frozenset[GroupName]:
    """The groups that are pulled: networks that rules have as destinations and never as sources.

    ``room``: for how many address objects. ``sizes``: of groups whose members are not all known.
    """
    known = list(groups)
    if options.pulls is None:
        return frozenset()
    count = sum((sizes or {}).get(g.name, len(g.members)) for g in known)
    if options.delivery == "auto" and count <= room:
        return frozenset()
    return pullable(known, rules)


def room_of(current: Observed) -> int:
    """How many address objects of ours the firewall takes, by its reading."""
    return int(current.extra.get("room", "0"))


def told(name: GroupName, size: int, options: PaloAltoPanosOptions, room: int) -> str:
    """That a list is pulled, and why, for people."""
    why = f", this firewall takes {room:,} address objects of ours" if options.delivery == "auto" else ""
    return f"{name} is pulled as an external list: {size:,} networks{why}"


def list_attrs(name: GroupName, options: PaloAltoPanosOptions) -> Attrs:
    feed = options.pulls
    assert feed is not None
    attrs: dict[str, tuple[str, ...]] = {
        URL: (f"{feed.url.rstrip('/')}/{name}.txt",),
        "type ip recurring": (feed.recurring,),
        DESCRIPTION: (f"tokgate list {name}",),
    }
    if feed.certificate_profile:
        attrs["type ip certificate-profile"] = (feed.certificate_profile,)
    return attrs


def name_from(device: str, attrs: Attrs) -> GroupName | None:
    """The group that an external list stands for."""
    stated = _STATED.fullmatch("".join(attrs.get(DESCRIPTION, ())))
    if stated is None or list_name(GroupName(stated[1])) != device:
        return None
    return GroupName(stated[1])


def most_entries(system: facts.System) -> int:
    """Entries of all lists together, by the vendor's capacity table."""
    return 150_000 if system.model.startswith(_LARGE) else 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the firewall has of one list. ``shown`` may be fewer than ``valid``."""

    valid: int
    shown: int
    members: frozenset[Network]

    def holds(self, members: frozenset[Network]) -> bool:
        """Whether this is that list: all of it, or as many entries, as far as they are shown."""
        if self.is_whole:
            return self.members == members
        return self.valid == len(members | {SENTINEL_NETWORK}) and self.members <= members

    @property
    def is_whole(self) -> bool:
        return self.valid == self.shown


NOTHING: Final = Loaded(valid=0, shown=0, members=frozenset())


def loaded_from(text: str) -> Loaded:
    """The entries without the one that means nothing; none for a list that has not been pulled yet.

    Raises ``Unreadable`` on counts that are missing or do not fit.
    """
    if facts.is_refused(text) or "pending" in text.lower():
        return NOTHING
    counts = {key: int(value) for key, value in _COUNT.findall(text)}
    if counts.keys() != {"valid", "displayed"}:
        raise Unreadable(f"an external list is shown without its counts: {text[:80]!r}")
    head = _HEAD.search(text)
    entries = text[head.end() :].split() if head else []
    if len(entries) != counts["displayed"]:
        raise Unreadable(f"an external list shows {len(entries)} entries, and tells of {counts['displayed']}")
    try:
        members = frozenset(parse_network(entry) for entry in entries)
    except ValueError as exc:
        raise Unreadable(f"an external list of ours shows an entry that is no network: {exc}") from exc
    return Loaded(valid=counts["valid"], shown=counts["displayed"], members=members - {SENTINEL_NETWORK})
