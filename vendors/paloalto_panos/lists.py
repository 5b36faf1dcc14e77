"""Lists that the firewall pulls: which groups those are, their objects, and what the firewall has loaded of them. Pure.

Networks are lists of type ip, which a rule has as destinations. Names are lists of type url, which a rule has as URL
categories: those of type domain act through an Anti-Spyware profile alone, which hangs on rules of others, for all
sources and at all times. (PAN-OS administrator's guide, "Enforce policy on an external dynamic list".)

The firewall's own view is `request system external-list show`: it prints 100 entries unless `num-records` asks for
more, and all of them when that is more than there are (measured by others, over the API).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from core.net import DomainName, Network, cidr_of, parse_network
from vendors.errors import Unreadable
from vendors.feeding import SENTINEL_NAME, SENTINEL_NETWORK, domain_feed, ip_feeds, pullable, url_feed
from vendors.model import DomainGroup, FeedList, Group, GroupName, Observed, Rule
from vendors.paloalto_panos import facts
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.setform import Attrs
from vendors.paloalto_panos.shape import list_kind, list_name

SHOW: Final = "request system external-list show type "
REFRESH: Final = "request system external-list refresh type "
ALL: Final = " num-records 200000"
AUTH: Final = re.compile(r"type \w+ auth\b")
"""Set by hand and left alone: a line of configuration would show a password."""
BY_PROFILE: Final = "-dns"
"""Behind the name of a list of type domain, beside the one of type url."""
_COUNT: Final = re.compile(r"^\s*Total (valid|displayed) entries\s*:\s*(\d+)\s*$", re.MULTILINE)
_HEAD: Final = re.compile(r"^\s*Valid \w+:\s*$", re.MULTILINE)
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


def named_of(groups: Iterable[Group], rules: Iterable[Rule], options: PaloAltoPanosOptions) -> frozenset[GroupName]:
    """The groups of names that are pulled, beside their objects."""
    return frozenset(group.name for group in _names_of(groups, rules)) if options.pulls_names else frozenset()


def _names_of(groups: Iterable[Group], rules: Iterable[Rule]) -> Iterator[DomainGroup]:
    """The groups of names that rules have as destinations."""
    targets = {name for rule in rules for name in rule.destinations}
    return (group for group in groups if isinstance(group, DomainGroup) and group.name in targets)


def lists_of(
    groups: Iterable[Group],
    rules: Iterable[Rule],
    options: PaloAltoPanosOptions,
    room: int,
    sizes: Mapping[GroupName, int] | None = None,
) -> dict[GroupName, Attrs]:
    """All groups that are pulled, by name, and their external lists."""
    known, judged = list(groups), list(rules)
    networks = fed_of(known, judged, options, room, sizes)
    names = named_of(known, judged, options)
    return {name: list_attrs(name, options, "url" if name in names else "ip") for name in sorted({*networks, *names})}


def served_of(
    groups: Iterable[Group], rules: Iterable[Rule], options: PaloAltoPanosOptions, room: int
) -> tuple[FeedList, ...]:
    """The lists of type ip, those of type url, and those of type domain that only a person's profile uses."""
    known, judged = list(groups), list(rules)
    names = list(_names_of(known, judged))
    by_profile = options.pulls is not None and options.pulls.domains
    return (
        *ip_feeds(known, fed_of(known, judged, options, room)),
        *(url_feed(group.name, group.members) for group in names if options.pulls_names),
        # without wildcards: the list's own `expand-domain` adds what is below each name
        *(
            domain_feed(GroupName(f"{group.name}{BY_PROFILE}"), group.members, wildcards=False)
            for group in names
            if by_profile
        ),
    )


def room_of(current: Observed) -> int:
    """How many address objects of ours the firewall takes, by its reading."""
    return int(current.extra.get("room", "0"))


def told(name: GroupName, size: int, options: PaloAltoPanosOptions, room: int, kind: str = "ip") -> str:
    """That a list is pulled, and why, for people."""
    if kind == "url":
        return f"{name} is pulled as an external list of URLs, beside its objects: {size:,} names"
    why = f", this firewall takes {room:,} address objects of ours" if options.delivery == "auto" else ""
    return f"{name} is pulled as an external list: {size:,} networks{why}"


def list_attrs(name: GroupName, options: PaloAltoPanosOptions, kind: str) -> Attrs:
    feed = options.pulls
    assert feed is not None
    attrs: dict[str, tuple[str, ...]] = {
        f"type {kind} url": (f"{feed.url.rstrip('/')}/{name}.txt",),
        f"type {kind} recurring": (feed.recurring,),
        f"type {kind} description": (f"tokgate list {name}",),
    }
    if feed.certificate_profile:
        attrs[f"type {kind} certificate-profile"] = (feed.certificate_profile,)
    return attrs


def name_from(device: str, attrs: Attrs) -> GroupName | None:
    """The group that an external list stands for."""
    stated = _STATED.fullmatch("".join(attrs.get(f"type {list_kind(attrs)} description", ())))
    if stated is None or list_name(GroupName(stated[1])) != device:
        return None
    return GroupName(stated[1])


def most_entries(system: facts.System) -> int:
    """Entries of all lists together, by the vendor's capacity table."""
    return 150_000 if system.model.startswith(_LARGE) else 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the firewall has of one list, in the form in which it is served. ``shown`` may be fewer than ``valid``."""

    valid: int
    shown: int
    lines: frozenset[str]

    def holds(self, feed: FeedList) -> bool:
        """Whether this is that list: all of it, or as many entries, as far as they are shown."""
        wanted = frozenset(feed.lines)
        if self.is_whole:
            return self.lines == wanted
        return self.valid == len(wanted) and self.lines <= wanted

    @property
    def is_whole(self) -> bool:
        return self.valid == self.shown

    @property
    def networks(self) -> frozenset[Network]:
        """Of a list of type ip, without the entry that means nothing."""
        return frozenset(map(parse_network, self.lines)) - {SENTINEL_NETWORK}

    @property
    def names(self) -> frozenset[DomainName]:
        """Of a list of type url, without the entry that means nothing."""
        hosts = {line.removesuffix("/") for line in self.lines} - {SENTINEL_NAME}
        wide = {host.removeprefix("*.") for host in hosts if host.startswith("*.")}
        return frozenset(DomainName(name, suffix=name in wide) for name in wide | {h for h in hosts if h[:2] != "*."})


NOTHING: Final = Loaded(valid=0, shown=0, lines=frozenset())


def loaded_from(text: str, kind: str = "ip") -> Loaded:
    """The entries; none for a list that has not been pulled yet.

    Raises ``Unreadable`` on counts that are missing or do not fit, and on what is no entry of the kind.
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
    lines = frozenset(_line(entry, kind) for entry in entries)
    return Loaded(valid=counts["valid"], shown=counts["displayed"], lines=lines)


def _line(entry: str, kind: str) -> str:
    """An entry as it is served: hosts are shown with or without their mask, and maybe without the slash behind them."""
    if kind == "url":
        return f"{entry.lower().rstrip('/')}/"
    try:
        return cidr_of(parse_network(entry))
    except ValueError as exc:
        raise Unreadable(f"an external list of ours shows an entry that is no network: {exc}") from exc
