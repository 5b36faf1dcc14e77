"""A reading of an SRX: which of its statements are ours, what they mean, and a fingerprint of the rest. Pure.

Ours is what carries our prefix in the global address book and in the lists of policies. What a statement means is taken
from its values, never from its name; a name that does not fit its value is irregular.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Final

from core.net import DomainName, Network
from vendors.errors import Refused, Unreadable
from vendors.juniper_srx import facts, shape, times
from vendors.juniper_srx.feed import feeding, listed, loaded_in
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.placement import target_order
from vendors.juniper_srx.shape import BOOK, GLOBAL, MARK, PATHS, PREFIX, SERVER, Objects, Place
from vendors.juniper_srx.statements import Statement, statements
from vendors.marks import mark_from
from vendors.model import (
    Action,
    AddressGroup,
    Capabilities,
    DomainGroup,
    Group,
    GroupName,
    Mark,
    Observed,
    Rule,
    RuleName,
)
from vendors.shell import sections

OWN_ZONE: Final = "junos-host"
"""The device itself: policies to and from it judge no traffic of users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the renderer has to know of a device beside the neutral state."""

    objects: Objects
    order: Mapping[Place, tuple[str, ...]]  # all policies of each list, the owner's too
    inactive: frozenset[Statement]  # paths of ours that are deactivated
    places: tuple[Place, ...]  # where our policies belong
    dead: frozenset[Statement]  # what the owner has deactivated with all that is below it, and ours may be

    def is_dead(self, path: Statement) -> bool:
        return any(path[: len(above)] == above for above in self.dead)

    def off(self) -> tuple[str, ...]:
        """What of the owner's keeps ours from being in force: we do not touch it."""
        paths = [BOOK, *self.places]
        paths += [PATHS[which] for which in ("dynamic", "feeds", "schedulers") if self.objects.tables()[which]]
        lines = {" ".join(above) for above in self.dead for path in paths if path[: len(above)] == above}
        return tuple(f"deactivated by its owner, with ours below it: {line or 'everything'}" for line in sorted(lines))

    def owner(self) -> str:
        """The one controller that the descriptions of ours name; empty: none, or more than one."""
        tables = [*self.objects.tables().values(), *self.objects.policies.values()]
        told = {
            shape.owner_in(words[1])
            for table in tables
            for inside in table.values()
            for words in inside
            if words[:1] == ("description",) and len(words) == 2
        } - {""}
        return told.pop() if len(told) == 1 else ""

    def dumps(self) -> str:
        """As one text, for ``Observed.extra``."""
        return json.dumps(
            {
                "tables": {name: _plain(table) for name, table in self.objects.tables().items()},
                "policies": [[list(place), _plain(made)] for place, made in self.objects.policies.items()],
                "order": [[list(place), list(names)] for place, names in self.order.items()],
                "inactive": sorted(map(list, self.inactive)),
                "places": [list(place) for place in self.places],
                "dead": sorted(map(list, self.dead)),
            }
        )

    @classmethod
    def loads(cls, text: str) -> Held:
        told = json.loads(text)
        return cls(
            objects=Objects(
                policies={tuple(place): _typed(made) for place, made in told["policies"]},
                **{name: _typed(table) for name, table in told["tables"].items()},
            ),
            order={tuple(place): tuple(names) for place, names in told["order"]},
            inactive=frozenset(map(tuple, told["inactive"])),
            places=tuple(map(tuple, told["places"])),
            dead=frozenset(map(tuple, told["dead"])),
        )


def _plain(objects: Mapping[str, frozenset[Statement]]) -> dict[str, list[list[str]]]:
    return {name: sorted(map(list, inside)) for name, inside in objects.items()}


def _typed(told: Mapping[str, Iterable[Iterable[str]]]) -> dict[str, frozenset[Statement]]:
    return {name: frozenset(tuple(words) for words in inside) for name, inside in told.items()}


# --- the reading ----------------------------------------------------------------------------------------------------


def observed_from(text: str, options: JuniperSrxOptions, can: Capabilities) -> Observed:
    """Raises ``Unreadable``."""
    parts = sections(text)
    told = facts.facts_from(parts)
    lines = statements(facts.part(parts, facts.CONFIGURATION))
    version = next((words for _, words in lines if words[:1] == ("version",)), None)
    if version is None:
        raise Unreadable(
            "the configuration names no version: the account may not read all of it, or it was cut off",
            hint="the login class needs `view-configuration` for all of it",
        )
    sorted_out = _sort_out(lines, options.space)
    held = Held(
        objects=sorted_out.objects(),
        order=sorted_out.order(),
        inactive=frozenset(sorted_out.inactive),
        places=_places(options, sorted_out),
        dead=frozenset(sorted_out.dead),
    )
    loaded = loaded_in(parts)
    meaning = _meaning(held, options, loaded)
    owner = meaning.mark.owner if meaning.mark else ""
    ours = told.pending and bool(owner) and told.comment.startswith(facts.commit_comment(owner, ""))
    return Observed(
        groups=meaning.groups,
        rules=meaning.rules,
        mark=meaning.mark,
        foreign=_digest(sorted_out.foreign),
        epoch="",
        can=_narrowed(can, sorted_out.foreign),
        irregular=(*meaning.irregular, *([facts.WAITS] if ours else ())),
        extra={
            "held": held.dumps(),
            "commit": told.commit,
            "version": "".join(version[1:2]),
            "pending": "ours" if ours else "yes" if told.pending else "",
            "role": told.role,
            "rematch": "yes" if _rematches(sorted_out.foreign, options) else "",
            "loaded": json.dumps({name: listed(members) for name, members in loaded.items()}),
        },
        wall_time=told.wall_time,
    )


def _digest(foreign: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(foreign).encode()).hexdigest()


def _rematches(foreign: Sequence[str], options: JuniperSrxOptions) -> bool:
    """Whether changed policies meet the sessions that are open."""
    line = " ".join(("set", *options.space, "security policies policy-rematch"))
    return any(found == line or found.startswith(f"{line} ") for found in foreign)


def _narrowed(can: Capabilities, foreign: Sequence[str]) -> Capabilities:
    """Names are looked up by the device: without a name server it enforces none."""
    if not can.fqdn or any(line.startswith("set system name-server ") for line in foreign):
        return can
    note = "domains: no `system name-server` is configured, so the device resolves no names"
    return replace(can, fqdn=False, notes=(*can.notes, note))


@dataclass(slots=True)
class _Sorted:
    """The statements of a configuration, ours apart from the owner's."""

    tables: dict[str, dict[str, set[Statement]]] = field(default_factory=lambda: {name: {} for name in PATHS})
    policies: dict[Place, dict[str, set[Statement]]] = field(default_factory=dict)  # all of them, by place, in order
    inactive: list[Statement] = field(default_factory=list)
    dead: list[Statement] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def objects(self) -> Objects:
        ours = {
            place: {name: frozenset(inside) for name, inside in found.items() if name.startswith(PREFIX)}
            for place, found in self.policies.items()
        }
        return Objects(
            policies={place: found for place, found in ours.items() if found},
            **{
                which: {name: frozenset(inside) for name, inside in table.items()}
                for which, table in self.tables.items()
            },
        )

    def order(self) -> dict[Place, tuple[str, ...]]:
        return {place: tuple(found) for place, found in self.policies.items()}


def _sort_out(lines: Iterable[tuple[str, Statement]], space: Statement) -> _Sorted:
    """``space``: the logical system or tenant that is ours. Its statements are told without these words.

    Raises ``Refused`` when there is none of that name.
    """
    found, deep, is_there = _Sorted(), len(space), not space
    known: set[str] = set()
    for verb, words in lines:
        inside = words[:deep] == space
        is_there |= inside
        if space and len(words) > 1 and words[0] == space[0]:
            known.add(words[1])
        if verb == "deactivate" and (inside or words == space[: len(words)]):
            found.dead.append(words[deep:])
        if not (inside and _taken(found, verb, words[deep:])):
            found.foreign.append(" ".join((verb, *words)))
    if not is_there:
        kind = space[0].removesuffix("s").replace("-", " ")
        raise Refused(
            f"there is no {kind} {space[1]}; the device has {', '.join(sorted(known)) or 'none'}; nothing was sent",
            hint="it is never made by us: correct the device's options",
        )
    return found


def _taken(found: _Sorted, verb: str, words: Statement) -> bool:
    """Put a statement of ours where it belongs. Policies of the owner are noted for their order, and stay his."""
    for which, path in PATHS.items():
        name, rest = "".join(words[len(path) : len(path) + 1]), words[len(path) + 1 :]
        if words[: len(path)] == path and (name.startswith(PREFIX) or (which, name) == ("servers", SERVER)):
            if verb == "set":
                found.tables[which].setdefault(name, set()).update({rest} if rest else ())
            else:
                found.inactive.append(words)
            return True
    policy = shape.place_of(words)
    if policy is None:
        return False
    place, called, inside = policy
    if verb == "set":
        found.policies.setdefault(place, {}).setdefault(called, set()).update({inside} if inside else ())
    elif called.startswith(PREFIX):
        found.inactive.append(words)
    return called.startswith(PREFIX)


def _places(options: JuniperSrxOptions, found: _Sorted) -> tuple[Place, ...]:
    if options.places != "all":
        return tuple(
            GLOBAL if place.from_zone is None or place.to_zone is None else shape.pair(place.from_zone, place.to_zone)
            for place in options.places
        )
    pairs = [
        place
        for place, policies in found.policies.items()
        if place != GLOBAL and OWN_ZONE not in place and any(not name.startswith(PREFIX) for name in policies)
    ]
    return tuple(place for place in (*sorted(pairs), GLOBAL) if place not in found.dead)  # those judge nothing


# --- what it means --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    groups: tuple[Group, ...]
    rules: tuple[Rule, ...]
    mark: Mark | None
    irregular: tuple[str, ...]


def _meaning(held: Held, options: JuniperSrxOptions, loaded: Mapping[GroupName, frozenset[Network]]) -> _Meaning:
    reader = _Reader(held, loaded)
    groups = tuple(reader.groups())
    rules = reader.rules({group.name for group in groups})
    mark = reader.mark()
    owner = mark.owner if mark else held.owner()
    odd = [*reader.odd]
    if mark is None and not held.objects.is_empty:
        odd.append("the mark is not on the device, or not readable")
    whole = shape.shaped(
        groups,
        rules,
        mark,
        owner=owner,
        places=held.places,
        set_members=options.set_members,
        held=held.objects.sets,
        feeding=feeding(groups, rules, options),
    )
    odd += [f"the device has loaded nothing of {name}" for name in sorted(loaded) if not loaded[name]]
    odd += _deviations(held, whole)
    odd += misplaced(held, [shape.named(rule.name) for rule in rules], options)
    return _Meaning(groups=groups, rules=rules, mark=mark, irregular=tuple(dict.fromkeys(odd)))


@dataclass(slots=True)
class _Reader:
    held: Held
    loaded: Mapping[GroupName, frozenset[Network]]
    odd: list[str] = field(default_factory=list)

    def mark(self) -> Mark | None:
        inside = self.held.objects.addresses.get(MARK, frozenset())
        texts = [words[1] for words in inside if words[:1] == ("description",) and len(words) == 2]
        return mark_from(texts[0]) if len(texts) == 1 and not self._is_inactive(MARK) else None

    def groups(self) -> Iterator[Group]:
        """By name. A list that is pulled is what the device has loaded of it."""
        pushed = {} if self.held.is_dead(BOOK) else {group.name: group for group in self._pushed()}
        pulled = {
            name: AddressGroup(name=name, members=members)
            for name, members in self.loaded.items()
            if members and not self._is_inactive(shape.feed_name(name)) and not self.held.is_dead(PATHS["feeds"])
        }
        for name in sorted({**pushed, **pulled}):
            yield pushed.get(name) or pulled[name]

    def _pushed(self) -> Iterator[Group]:
        for name in sorted(self.held.objects.sets):
            if shape.part_of(name) is not None or self._is_inactive(name):
                continue
            values = [value for member in self._members(name) if (value := self._value(member)) is not None]
            group = GroupName(name.removeprefix(PREFIX))
            networks = frozenset(value for value in values if not isinstance(value, DomainName))
            domains = frozenset(value for value in values if isinstance(value, DomainName))
            if domains and not networks:
                yield DomainGroup(name=group, members=domains)
            elif networks:
                yield AddressGroup(name=group, members=networks)

    def _members(self, name: str) -> Iterator[str]:
        for words in sorted(self.held.objects.sets.get(name, ())):
            match words:
                case ("address", member):
                    yield member
                case ("address-set", part) if shape.part_of(part) is not None and not self._is_inactive(part):
                    yield from (w[1] for w in sorted(self.held.objects.sets.get(part, ())) if w[:1] == ("address",))

    def _value(self, member: str) -> Network | DomainName | None:
        inside = self.held.objects.addresses.get(member)
        if inside is None or self._is_inactive(member):
            return None
        for words in sorted(inside):
            match words:
                case ("dns-name", name, *_):
                    return DomainName(name, suffix=False)
                case (text,):
                    try:
                        return ip_network(text, strict=False)
                    except ValueError:
                        continue
        return None

    def rules(self, groups: set[GroupName]) -> tuple[Rule, ...]:
        """What is denied in every place where it should be."""
        by_place = [self._rules_in(place, groups) for place in self.held.places]
        if not by_place:
            return ()
        first, *others = by_place
        return tuple(rule for rule in first if all(rule in other for other in others))

    def _rules_in(self, place: Place, groups: set[GroupName]) -> list[Rule]:
        found = {} if self.held.is_dead(place) else self.held.objects.policies.get(place, {})
        order = [name for name in self.held.order.get(place, ()) if name in found]
        rules = (self._rule(place, name, found[name], groups) for name in order)
        return [rule for rule in rules if rule is not None]

    def _rule(self, place: Place, name: str, inside: frozenset[Statement], groups: set[GroupName]) -> Rule | None:
        sources = [GroupName(w[2].removeprefix(PREFIX)) for w in inside if w[:2] == ("match", "source-address")]
        targets = sorted({shape.group_of(w[2]) for w in inside if w[:2] == ("match", "destination-address")})
        hours = [self._when(words[1]) for words in inside if words[:1] == ("scheduler-name",) and len(words) == 2]
        denies = {("then", "deny"), ("match", "application", "any")} <= inside and not self._is_inactive(name, place)
        known = _in_told_order([target for target in targets if target in groups], inside)
        if not denies or len(sources) != 1 or sources[0] not in groups or not known or None in hours:
            return None
        return Rule(
            name=RuleName(name.removeprefix(PREFIX)),
            action=Action.DENY,
            sources=sources[0],
            destinations=known,
            when=hours[0] if hours else None,
        )

    def _when(self, name: str) -> times.When | None:
        """The times of a scheduler; None when they are not to be told."""
        inside = self.held.objects.schedulers.get(name)
        dead = self._is_inactive(name) or self.held.is_dead(PATHS["schedulers"])
        return None if inside is None or dead else times.when_in(inside)

    def _is_inactive(self, name: str, place: Place = ()) -> bool:
        return any(name in words and words[: len(place)] == place for words in self.held.inactive)


def _in_told_order(targets: Sequence[GroupName], inside: frozenset[Statement]) -> tuple[GroupName, ...]:
    """As the description tells it, where it tells of just these."""
    told = next((words[1].split()[4:] for words in inside if words[:1] == ("description",) and len(words) == 2), [])
    return tuple(map(GroupName, told)) if sorted(told) == sorted(targets) else tuple(sorted(targets))


def _deviations(held: Held, whole: Objects) -> Iterator[str]:
    """Where our objects differ from the form that we write this meaning in."""
    yield from held.off()
    yield from (f"deactivated: {' '.join(words)}" for words in sorted(held.inactive))
    yield from differences(held.objects, whole)


def differences(now: Objects, wanted: Objects) -> Iterator[str]:
    """Each object that is not as it should be, by its name."""
    there = wanted.tables()
    for which, table in now.tables().items():
        yield from _differing(_CALLED[which], table, there[which])
    for place in sorted({*now.policies, *wanted.policies}):
        where = f"policy in {' '.join(place[2:])}"
        yield from _differing(where, now.policies.get(place, {}), wanted.policies.get(place, {}))


_CALLED: Final[Mapping[str, str]] = {
    "addresses": "address",
    "sets": "address set",
    "servers": "feed server",
    "feeds": "feed",
    "dynamic": "dynamic address",
    "schedulers": "scheduler",
}


_SHOWN: Final = 3
"""So many statements of one object are named."""


def _standing(inside: frozenset[Statement]) -> str:
    """Of an object that stands for nothing that we know: what a policy does instead of denying."""
    verdicts = sorted(words[1] for words in inside if words[0] == "then" and words[1] in ("permit", "reject"))
    return f"denies nothing as one of ours: then {verdicts[0]}" if verdicts else "belongs to nothing"


def _differing(
    what: str, now: Mapping[str, frozenset[Statement]], wanted: Mapping[str, frozenset[Statement]]
) -> Iterator[str]:
    for name in sorted({*now, *wanted}):
        if name == MARK and name not in wanted:
            continue  # told by itself
        if name not in wanted:
            yield f"{what} {name} {_standing(now[name])}"
        elif name not in now:
            yield f"{what} {name} is missing"
        elif now[name] != wanted[name]:
            told = [
                *(f"no {' '.join(words)}" for words in sorted(wanted[name] - now[name])),
                *map(" ".join, sorted(now[name] - wanted[name])),
            ]
            yield f"{what} {name} is not in the form that we write: {', '.join(told[:_SHOWN])}"


def misplaced(held: Held, wanted: Sequence[str], options: JuniperSrxOptions) -> Iterator[str]:
    for place in held.places:
        now = [name for name in held.order.get(place, ()) if not name.startswith(PREFIX) or name in wanted]
        if not set(wanted) <= set(now):
            continue  # missing ones are told
        target = target_order(now, wanted, options, place)
        if isinstance(target, str):
            yield f"{' '.join(place[2:])}: {target}"
        elif target != now:
            yield f"{' '.join(place[2:])}: our policies do not stand where they should"
