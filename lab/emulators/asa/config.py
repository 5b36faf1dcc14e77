"""A running configuration: what it holds, what may be done to it, and what refers to what.

Every change either happens whole or raises ``Refused`` and leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from itertools import count
from typing import Literal

from core.net import Address
from lab.emulators.asa import answers
from lab.emulators.asa.answers import Refused, Unsure
from lab.emulators.asa.schedule import TimeRange
from lab.emulators.asa.switches import Model, Switches
from lab.emulators.asa.values import Ace, Binding, Entry, Fqdn, Member, Object, ObjectValue, Ref, Remark, Rule

GroupKind = Literal["network", "service", "protocol", "icmp-type"]


@dataclass(slots=True, kw_only=True)
class Group:
    kind: GroupKind
    name: str
    protocol: str = ""  # of a service group: tcp, udp, tcp-udp or none
    description: str = ""
    members: dict[Member, None] = field(default_factory=dict)

    @property
    def groups(self) -> list[str]:
        return [m.value.name for m in self.members if m.word == "group-object" and isinstance(m.value, Ref)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    name: str
    level: int
    address: Address | None = None


@dataclass(slots=True, kw_only=True)
class Config:
    """One context's. ``loading``: text of a site or a startup file is taken without asking what it refers to."""

    model: Model = field(default_factory=Model)
    switches: Switches = field(default_factory=Switches)
    serials: count[int] = field(default_factory=lambda: count(1))
    loading: bool = False
    hostname: str = "ciscoasa"
    prompt: tuple[str, ...] = ()
    names_on: bool = False
    aliases: dict[Address, tuple[str, str]] = field(default_factory=dict)
    ranges: dict[str, TimeRange] = field(default_factory=dict)
    objects: dict[str, Object] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    acls: dict[str, list[Entry]] = field(default_factory=dict)
    bindings: dict[tuple[str, str, bool], Binding] = field(default_factory=dict)
    foreign: list[tuple[str, ...]] = field(default_factory=list)
    pager: int = 24
    width: int = 80
    group_search: bool = False
    transactional: bool = False

    # --- names ----------------------------------------------------------------------------------------------------

    def alias(self, address: Address) -> str:
        found = self.aliases.get(address) if self.names_on else None
        return found[0] if found else str(address)

    def address_of(self, alias: str) -> Address | None:
        return next((address for address, (name, _) in self.aliases.items() if name == alias), None)

    def interfaces(self) -> Iterator[Interface]:
        """From the site's own blocks: those that have a name."""
        for block in self.foreign:
            if block[0].startswith("interface "):
                lines = [line.split() for line in block[1:]]
                level = next((int(line[1]) for line in lines if line[0] == "security-level"), 0)
                address = next((_address(line[2]) for line in lines if line[:2] == ["ip", "address"]), None)
                names = [line[1] for line in lines if line[0] == "nameif"]
                yield from (Interface(name=name, level=level, address=address) for name in names)

    # --- objects --------------------------------------------------------------------------------------------------

    def open_object(self, kind: Literal["network", "service"], name: str) -> None:
        """Enter one, making it if need be. Objects and groups share one space of names."""
        if name in self.groups:
            raise Unsure(f"An object-group with the same id ({name}) exists")
        found = self.objects.get(name)
        if found is not None and found.kind != kind:
            raise Unsure(f"An object with the same id but different type ({found.kind}) exists")
        self._fits(name, self.model.object_name)
        if found is None:
            self.objects[name] = Object(kind=kind, name=name)

    def set_value(self, name: str, value: ObjectValue) -> str:
        old = self.objects[name]
        self.objects[name] = replace(old, value=value)
        told = old.value is not None and old.value != value and self.switches.revalued == "told"
        return f"INFO: object ({name}) has changed\n" if told else ""

    def drop_value(self, name: str, value: ObjectValue) -> None:
        if self.objects[name].value != value:
            raise Unsure(f"object ({name}) has no such value")
        if self.object_used(name):
            raise Unsure(f"object ({name}) is being used")
        self.objects[name] = replace(self.objects[name], value=None)

    def describe(self, name: str, text: str) -> None:
        self._fits(text, self.model.description, what="description")
        if name in self.objects:
            self.objects[name] = replace(self.objects[name], description=text)
        else:
            self.groups[name].description = text

    def drop_object(self, kind: str, name: str) -> None:
        if name not in self.objects or self.objects[name].kind != kind:
            raise answers.no_such_object(name)
        if self.object_used(name):
            raise Unsure(f"unable to delete object ({name}). object is being used.")
        del self.objects[name]

    def object_used(self, name: str) -> bool:
        ref = Ref(kind="object", name=name)
        inside = any(m.value == ref for group in self.groups.values() for m in group.members)
        return inside or any(ref in ace.match.refs for ace in self.aces())

    # --- groups ---------------------------------------------------------------------------------------------------

    def open_group(self, kind: GroupKind, name: str, protocol: str = "") -> None:
        """Enter one, making it if need be; members given again are added to what is there."""
        found = self.groups.get(name)
        if found is not None and (found.kind != kind or (protocol and found.protocol != protocol)):
            raise answers.other_type(found.kind)
        if name in self.objects:
            raise Unsure(f"An object with the same id ({name}) exists")
        self._fits(name, self.model.object_name)
        if found is None:
            self.groups[name] = Group(kind=kind, name=name, protocol=protocol)

    def add_member(self, name: str, member: Member) -> None:
        group = self.groups[name]
        if member in group.members:
            raise answers.member_exists(member.text(), name, warning=self.switches.member_warning)
        if isinstance(member.value, Ref) and not self.loading:
            self._may_join(group, member.word, member.value.name)
        group.members[member] = None

    def _may_join(self, group: Group, word: str, name: str) -> None:
        if word == "group-object":
            self._may_nest(group, name)
        elif name not in self.objects or self.objects[name].kind != group.kind:
            raise answers.no_such_object(name)
        elif self.switches.fqdn_needs_acl and isinstance(self.objects[name].value, Fqdn) and not self.in_acl(group):
            raise Unsure(f"FQDN object ({name}) cannot be added to object-group ({group.name})")

    def _may_nest(self, group: Group, name: str) -> None:
        inner = self.groups.get(name)
        if inner is None:
            raise answers.no_such_group(name)
        if inner.kind != group.kind or inner.protocol != group.protocol:
            raise answers.other_type(inner.kind)
        if inner is group or group.name in self.below(name):
            raise answers.loop(name, group.name)
        if not inner.members:
            raise answers.empty_group(name)

    def drop_member(self, name: str, member: Member) -> None:
        group = self.groups[name]
        if member not in group.members:
            raise Unsure(f"Removing obj ({member.text()}) from grp ({name}) failed; object does not exist")
        if len(group.members) == 1 and self.group_used(name):
            raise answers.would_be_empty(name)
        del group.members[member]

    def drop_group(self, kind: str, name: str) -> None:
        found = self.groups.get(name)
        if found is None:
            raise answers.group_missing(name)
        if found.kind != kind:
            raise answers.other_type(found.kind)
        if self.group_used(name):
            raise answers.group_used(name)
        del self.groups[name]

    def below(self, name: str) -> set[str]:
        """The groups inside this group, however deep."""
        seen, waiting = set[str](), [name]
        while waiting:
            inner = self.groups.get(waiting.pop())
            new = [] if inner is None else [each for each in inner.groups if each not in seen]
            seen.update(new)
            waiting += new
        return seen

    def group_used(self, name: str) -> bool:
        ref = Ref(kind="object-group", name=name)
        return any(name in group.groups for group in self.groups.values()) or any(
            ref in ace.match.refs for ace in self.aces()
        )

    def in_acl(self, group: Group) -> bool:
        """Whether an access list uses the group, be it through another one."""
        roots = {ref.name for ace in self.aces() for ref in ace.match.refs if ref.kind == "object-group"}
        return group.name in roots or any(group.name in self.below(root) for root in roots)

    # --- access lists ---------------------------------------------------------------------------------------------

    def aces(self) -> Iterator[Ace]:
        for entries in self.acls.values():
            yield from (entry.rule for entry in entries if isinstance(entry.rule, Ace))

    def add_rule(self, name: str, rule: Rule, line: int | None) -> str:
        """Insert it before what is at that line now, or append it. One that is there with other options is changed."""
        self._fits(name, self.model.acl_name)
        warning = self._may_use(rule) if isinstance(rule, Ace) and not self.loading else ""
        entries = self.acls.get(name, [])
        if isinstance(rule, Ace) and not self.loading:
            for at, entry in enumerate(entries):
                if rule.same_as(entry.rule):
                    self._change(name, at, rule)
                    return warning
        elif not self.loading and rule in [entry.rule for entry in entries] and not isinstance(rule, Remark):
            raise answers.duplicate(name)
        at = len(entries) if line is None else min(line - 1, len(entries))
        entries.insert(at, Entry(serial=next(self.serials), rule=rule))
        self.acls[name] = entries
        return warning

    def _change(self, name: str, at: int, rule: Ace) -> None:
        entry = self.acls[name][at]
        if entry.rule == rule:
            raise answers.duplicate(name)
        serial = entry.serial if self.switches.hits_survive_reentry else next(self.serials)
        self.acls[name][at] = Entry(serial=serial, rule=rule)

    def _may_use(self, ace: Ace) -> str:
        if ace.time_range and ace.time_range not in self.ranges:
            raise Unsure(f"time-range <{ace.time_range}> does not exist")
        for ref in ace.match.refs:
            if ref.kind == "object" and ref.name not in self.objects:
                raise answers.no_such_object(ref.name)
            if ref.kind == "object-group":
                self._group_usable(ref.name)
        groups = [ref.name for ref in ace.match.refs if ref.kind == "object-group"]
        return f"{answers.REDUNDANT}\n" if len(set(groups)) < len(groups) else ""

    def _group_usable(self, name: str) -> None:
        if name not in self.groups:
            raise answers.no_such_group(name)
        if not self.groups[name].members and self.switches.empty_group_in_ace == "refused":
            raise Unsure(f"specified object group <{name}> is empty")

    def drop_rule(self, name: str, rule: Rule, line: int | None) -> None:
        if name not in self.acls:
            raise answers.no_such_acl(name)
        entries = self.acls[name]
        places = range(len(entries)) if line is None else range(line - 1, min(line, len(entries)))
        found = next((at for at in places if entries[at].rule == rule), None)
        if found is None:
            raise Refused(answers.NO_ACE)
        del entries[found]
        if not entries:
            self._forget_acl(name)

    def drop_acl(self, name: str) -> None:
        if name not in self.acls:
            raise answers.no_such_acl(name)
        self._forget_acl(name)

    def _forget_acl(self, name: str) -> None:
        del self.acls[name]
        if self.switches.empty_acl_unbinds:
            self.bindings = {slot: binding for slot, binding in self.bindings.items() if binding.acl != name}

    def bind(self, binding: Binding) -> None:
        """One access list per interface and direction: another takes the place of what is there."""
        if binding.acl not in self.acls and not self.loading:
            raise answers.no_such_acl(binding.acl)
        self.bindings[binding.slot] = binding

    def unbind(self, binding: Binding) -> None:
        if self.bindings.get(binding.slot) != binding:
            raise Unsure(f"access-group {binding.acl} is not bound there")
        del self.bindings[binding.slot]

    # --- time ranges ----------------------------------------------------------------------------------------------

    def open_range(self, name: str) -> None:
        self._fits(name, self.model.time_range_name)
        self.ranges.setdefault(name, TimeRange(name=name))

    def drop_range(self, name: str) -> None:
        if name not in self.ranges:
            raise Unsure(f"time-range <{name}> does not exist")
        if any(ace.time_range == name for ace in self.aces()):
            raise Unsure(f"time-range <{name}> is being used")
        del self.ranges[name]

    def _fits(self, text: str, longest: int, what: str = "name") -> None:
        if len(text) > longest and not self.loading:
            raise Unsure(f"{what} is longer than {longest} characters")


def _address(word: str) -> Address | None:
    """None: the interface gets its address from elsewhere."""
    try:
        return ip_address(word)
    except ValueError:
        return None
