"""The text of one reading, as an ``Observed``. Pure; every doubt is ``Unreadable``, never half a state (I6).

The reading is what ``commands.read_script`` prints: sections between lines that begin with ``@@``, and a last line that
only a whole reading has. Form of the listing: nftables 1.0.6 and 1.1.3, as captured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address, summarize_address_range
from typing import Final

from core.net import DomainName, Network, parse_network
from vendors.errors import NotPrivileged, ToolMissing, Unreadable
from vendors.linux_nftables.dns import parse_dns, render_dns
from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.linux_nftables.shape import (
    TABLE,
    group_of_set,
    mark_from,
    rules_from,
    seen_from,
    set_for,
    shape_of,
)
from vendors.linux_nftables.skeleton import Skeleton, foreign_text, skeleton_of, tables_of
from vendors.model import AddressGroup, Capabilities, DomainGroup, Group, GroupName, Mark, Observed, Rule

END: Final = "@@end\n"
CRASHED: Final = 139
_SECTION: Final = re.compile(r"^@@(?P<name>[a-z]+)(?: (?P<value>.*))?$", re.MULTILINE)
_COUNTER: Final = re.compile(r" counter(?: packets \d+ bytes \d+)?$")
_NO_MARK: Final = Mark(owner="-", snapshot="", desired="0" * 64)
_FACTS: Final = ("boot", "netns", "unit", "conntrack", "dnsmasq", "saved", "stamp", "dns", "ruleset", "nft")


@dataclass(frozen=True, slots=True)
class Section:
    """One section's value on its line, and the text below it."""

    value: str
    text: str


def sections_of(text: str) -> dict[str, Section]:
    """Raises ``Unreadable`` unless the reading is whole and has every section once."""
    if not text.endswith(END):
        raise Unreadable(f"the reading has no end after {len(text)} characters: it was cut off")
    marks = list(_SECTION.finditer(text))
    found: dict[str, Section] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        if mark["name"] in found:
            raise Unreadable(f"section {mark['name']} comes twice: two readings are mixed")
        body = text[mark.end() + 1 : following.start() if following else len(text)]
        found[mark["name"]] = Section(mark["value"] or "", body)
    missing = [name for name in _FACTS if name not in found]
    if missing:
        raise Unreadable(f"the reading lacks its section {missing[0]}")
    return found


def observed_from(
    text: str, options: LinuxNftablesOptions, most: Capabilities, known: Mapping[str, Network] | None = None
) -> Observed:
    """What the gateway holds of ours. ``most`` is narrowed by what this gateway has.

    ``known`` are elements as nft prints them and the networks they stand for: saves parsing what was just written.
    """
    parts = sections_of(text)
    _refuse_failure(parts["nft"])
    tables = tables_of(parts["ruleset"].text)
    foreign = hashlib.sha256(foreign_text(tables, TABLE).encode()).hexdigest()
    dns_text = _unindented(parts["dns"].text)
    domains = parse_dns(dns_text) if dns_text else {}  # before our first change too: it would replace the file
    table = skeleton_of(*tables[TABLE]) if TABLE in tables else None
    holds_names = table is not None and bool(domains) and all(f"{name}-4" in table.sets for name in domains)
    can = _narrowed(most, parts, options, holds_names=holds_names)
    if table is None:
        extra = {
            "table": "",
            "dns": _digest(parts["dns"].text),
            "has_dns": str(bool(parts["dns"].text)),
            "saved_owner": parts["saved"].value.partition(" owner=")[2],
        }
        epoch = _epoch(parts, "")
        return Observed(groups=(), rules=(), mark=None, foreign=foreign, epoch=epoch, can=can, extra=extra)
    return _ours(table, parts, options, foreign=foreign, can=can, domains=domains, known=known or {})


def _ours(
    table: Skeleton,
    parts: Mapping[str, Section],
    options: LinuxNftablesOptions,
    *,
    foreign: str,
    can: Capabilities,
    domains: Mapping[GroupName, frozenset[DomainName]],
    known: Mapping[str, Network],
) -> Observed:
    odd: list[str] = []
    split = frozenset(found[0] for name in table.sets if (found := group_of_set(name)) is not None and found[1])
    groups, replaced = _groups(table, domains, odd, known)
    rules = rules_from(table.chains)
    mark = mark_from(table.chains.get("about", ()))
    shape = shape_of(groups, _known(rules, groups, odd), mark or _NO_MARK, hooks=options.hooks, split=split)
    odd += _deviations("set", shape.sets, table.sets)
    odd += _deviations("chain", shape.chains, table.chains)
    odd += [f"counter {name} is missing" for name in sorted(shape.counters - table.counters)]
    odd += [f"counter {name} is not ours" for name in sorted(table.counters - shape.counters)]
    odd += [f"{what} is not ours" for what in table.others]
    odd += _dns_deviations(groups, _unindented(parts["dns"].text), parts["stamp"])
    saved, _, saved_owner = parts["saved"].value.partition(" owner=")
    odd += _saved_deviations(saved, mark, options)
    return Observed(
        groups=groups,
        rules=rules,
        mark=mark,
        foreign=foreign,
        epoch=_epoch(parts, table.handle),
        can=can,
        irregular=tuple(odd),
        extra={
            "table": table.outline(),
            "split": " ".join(sorted(split)),
            "replace": " ".join(replaced),
            "dns": _digest(parts["dns"].text),
            "has_dns": str(bool(parts["dns"].text)),
            "saved_owner": saved_owner,
        },
    )


# --- what is wrong before anything is read --------------------------------------------------------------------------


def _refuse_failure(nft: Section) -> None:
    status, said = nft.value, " ".join(nft.text.split())[:300]
    if status == "0":
        return
    if status == str(CRASHED):
        raise ToolMissing(
            "nft crashed (status 139): another program wrote sets with nftables 1.1.2 or newer, which this older nft "
            "cannot read or write around",
            hint="upgrade nftables on the gateway to 1.1.4 or newer",
        )
    if status == "127" or "not found" in said or "No such file" in said:
        raise ToolMissing(f"nft cannot be run: {said}", hint="install nftables, or set options.nft")
    if "ermitted" in said or "password is required" in said or "not allowed" in said:
        raise NotPrivileged(f"nft may not be used by this login: {said}", hint="see the sudoers line in the docs")
    raise Unreadable(f"nft list ruleset ended with status {status}: {said}")


def _epoch(parts: Mapping[str, Section], handle: str) -> str:
    return f"{parts['boot'].value}/{parts['netns'].value}/{handle}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unindented(text: str) -> str:
    """The dnsmasq file is printed with a blank before each line, so that no line of it can be a section."""
    return "".join(line[1:] + "\n" for line in text.splitlines())


def shown_digest(dns: str) -> str:
    """What ``Observed.extra["dns"]`` is when the gateway's dnsmasq file is exactly this."""
    return _digest("".join(f" {line}\n" for line in dns.splitlines()))


# --- groups ---------------------------------------------------------------------------------------------------------


def _groups(
    table: Skeleton, domains: Mapping[GroupName, frozenset[DomainName]], odd: list[str], known: Mapping[str, Network]
) -> tuple[tuple[Group, ...], list[str]]:
    """The groups that the sets stand for, and the sets whose elements are not as we write them."""
    members: dict[GroupName, set[Network]] = {}
    replaced: list[str] = []
    live = {name for name, lines in table.sets.items() if any(line.startswith("timeout") for line in lines)}
    for name, texts in table.elements.items():
        found = group_of_set(name)
        if found is None or seen_from(name) is not None:
            continue
        group = found[0]
        if name in live:
            continue
        own: set[Network] = set()
        for text in texts:
            bare = _bare(text)
            if bare in known:
                own.add(known[bare])
                continue
            networks, exact = _element(bare, text)
            own.update(networks)
            if not exact:
                odd.append(f"set {name} holds {text!r}, which we do not write")
                replaced.append(name)
        members.setdefault(group, set()).update(own)
        if found[1] and (strays := _strays(name, group, own)):
            odd.append(f"set {name} holds entries of {strays[0]}, where no packet is looked up for them")
            replaced += [name, *strays]
    named = {found[0] for name in live if (found := group_of_set(name)) is not None and seen_from(name) is None}
    groups: list[Group] = [AddressGroup(name=name, members=frozenset(own)) for name, own in members.items() if own]
    groups += [DomainGroup(name=name, members=domains.get(name, frozenset())) for name in named]
    empty = sorted(name for name, own in members.items() if not own)
    odd += [f"group {name} has no members" for name in empty]
    groups += [AddressGroup(name=name, members=frozenset()) for name in empty]
    return tuple(sorted(groups, key=lambda g: g.name)), sorted(set(replaced))


def _strays(name: str, group: GroupName, networks: Iterable[Network]) -> list[str]:
    """The sets that some networks of one of the 16 sets of a list belong into instead."""
    shard, split = int(name.rpartition(".")[2]), frozenset({group})
    elsewhere = (n for n in networks if int(n.network_address) >> 28 != shard)
    return sorted({set_for(group, network, split) for network in elsewhere})


def _bare(text: str) -> str:
    """An element without its counter."""
    return text.removesuffix(" counter") if text.endswith(" counter") else _COUNTER.sub("", text)


def _element(bare: str, text: str) -> tuple[tuple[Network, ...], bool]:
    """The networks of one element, and whether it stands there as we would write it."""
    try:
        if "-" in bare:
            first, last = (ip_address(part) for part in bare.split("-"))
            return tuple(summarize_address_range(first, last)), False
        return (parse_network(bare),), True
    except (ValueError, TypeError) as exc:
        if " comment " in bare or " expires " in bare or " timeout " in bare:
            networks, _ = _element(bare.split(" ", 1)[0], text)
            return networks, False
        raise Unreadable(f"an element of our sets cannot be read: {text[:80]!r}") from exc


# --- deviations -----------------------------------------------------------------------------------------------------


def _known(rules: Iterable[Rule], groups: Iterable[Group], odd: list[str]) -> tuple[Rule, ...]:
    """The rules whose groups are all there; the others cannot be given a form."""
    names = {group.name for group in groups}
    kept = []
    for rule in rules:
        missing = [n for n in (rule.sources, *rule.destinations) if n is not None and n not in names]
        if missing:
            odd.append(f"rule {rule.name} refers to {missing[0]}, which is not there")
        else:
            kept.append(rule)
    return tuple(kept)


def _deviations(kind: str, wanted: Mapping[str, tuple[str, ...]], found: Mapping[str, tuple[str, ...]]) -> list[str]:
    missing = [f"{kind} {name} is missing" for name in sorted(wanted.keys() - found.keys())]
    strange = [f"{kind} {name} is not ours" for name in sorted(found.keys() - wanted.keys())]
    changed = [
        f"{kind} {name} is not as we wrote it"
        for name in sorted(wanted)
        if name in found and wanted[name] != found[name]
    ]
    return [*missing, *strange, *changed]


def _dns_deviations(groups: Iterable[Group], text: str, stamp: Section) -> list[str]:
    named = [group for group in groups if isinstance(group, DomainGroup)]
    if not named:
        return []
    if not text:
        return ["the dnsmasq file that feeds our sets is missing"]
    if text != render_dns(named):
        return ["the dnsmasq file that feeds our sets was changed"]
    if stamp.value != _digest(text):
        return ["dnsmasq was not restarted after its file changed"]
    return []


def _saved_deviations(saved: str, mark: Mark | None, options: LinuxNftablesOptions) -> list[str]:
    if not options.persist or mark is None or saved in (mark.desired, "unwritable"):
        return []
    return [
        "persistence: the rules saved for a reboot are missing"
        if saved == "none"
        else "persistence: the rules saved for a reboot are not those in force"
    ]


# --- what this gateway can do ---------------------------------------------------------------------------------------


def _narrowed(
    most: Capabilities, parts: Mapping[str, Section], options: LinuxNftablesOptions, *, holds_names: bool
) -> Capabilities:
    notes: list[str] = []
    dnsmasq = _lacks_dnsmasq(parts, options)
    # a folder that cannot be written any more (a full or broken disk) takes away no name that is enforced (I2)
    feeds = holds_names and options.dnsmasq is not None and parts["dnsmasq"].value in ("yes", "dir")
    if dnsmasq:
        notes.append(f"domains: {dnsmasq}")
    if not dnsmasq or feeds:
        notes.append("exact-domains: dnsmasq covers a name with everything below it")
    persistence = _lacks_persistence(parts, options)
    if persistence:
        notes.append(f"persistence: {persistence}")
    clearing = options.conntrack and parts["conntrack"].value == "yes"
    return replace(
        most,
        fqdn=not dnsmasq or feeds,
        wildcard_fqdn=not dnsmasq or feeds,
        persistence=not persistence,
        session_clearing=clearing,
        notes=tuple(notes),
    )


def _lacks_dnsmasq(parts: Mapping[str, Section], options: LinuxNftablesOptions) -> str:
    found = parts["dnsmasq"].value
    if options.dnsmasq is None:
        return "no dnsmasq is configured for this gateway (options.dnsmasq)"
    if parts["saved"].value == "unwritable":
        return f"{options.state_dir} cannot be written by this login"
    if found == "yes":
        return ""
    return {
        "none": f"{options.dnsmasq.program} is not there",
        "old": f"{options.dnsmasq.program} was built without nftset",
        "dir": f"{options.dnsmasq.conf_dir} cannot be written by this login",
    }.get(found, "dnsmasq could not be asked")


def _lacks_persistence(parts: Mapping[str, Section], options: LinuxNftablesOptions) -> str:
    if not options.persist:
        return "switched off (options.persist)"
    if parts["saved"].value == "unwritable":
        return f"{options.state_dir} cannot be written by this login"
    if parts["unit"].value != "enabled":
        return "tokgate-restore.service is not enabled: after a reboot the rules are back with the next sync"
    return ""
