"""The configuration of a box: its entries by table and vdom, who refers to whom, and the changes made to it.

An entry is a value that is never altered, so a copy of a configuration is cheap: a transaction works on one and what
it did is played on the real one when it is committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab.emulators.fortios.kinds import Ref
from lab.emulators.fortios.schema import FEED, INTERFACE, Field, Table
from lab.emulators.fortios.words import Words

GLOBAL: Final = ""
"""The vdom of what belongs to the whole box."""

Entry = Mapping[str, Words]
"""What was set, by field; a field that is not there has its default."""

KEPT: Final = "*"
"""In an entry: lines of it, as they were loaded, that are shown and not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of one table; a single object is called nothing."""

    vdom: str
    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """An entry is created, at the end, or replaced where it is."""

    key: Key
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    key: Key
    anchor: str
    before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """References follow the name."""

    key: Key
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVdom:
    """With the objects that every vdom is born with."""

    name: str
    entries: tuple[tuple[str, str, Entry], ...] = ()  # path, name


Change = Put | Drop | Move | Rename | NewVdom


def applies(field: Field, entry: Entry, table: Table) -> bool:
    """Whether the field exists on an entry that is so far like this one."""
    if field.when is None:
        return True
    name, wanted = field.when
    return bool(set(value_of(table, entry, name)) & wanted)


def value_of(table: Table, entry: Entry, name: str) -> Words:
    """What was set, or the default."""
    if name in entry:
        return entry[name]
    field = table.field(name)
    return field.default if field is not None else ()


class Config:
    """All of it. Only ``apply`` alters it."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.schema = tables
        self.vdoms: dict[str, int] = {"root": 0}
        self._entries: dict[tuple[str, str], dict[str, Entry]] = {}
        self._users: dict[Key, Counter[Key]] = {}
        self._targets: dict[Key, tuple[Key, ...]] = {}

    def copy(self) -> Config:
        other = Config(self.schema)
        other.vdoms = dict(self.vdoms)
        other._entries = {where: dict(entries) for where, entries in self._entries.items()}
        other._users = {key: Counter(users) for key, users in self._users.items()}
        other._targets = dict(self._targets)
        return other

    # --- reading --------------------------------------------------------------------------------------------------

    def entries(self, vdom: str, path: str) -> Mapping[str, Entry]:
        return self._entries.get((vdom, path), {})

    def all_keys(self) -> Iterator[Key]:
        for (vdom, path), entries in self._entries.items():
            for name in entries:
                yield Key(vdom=vdom, path=path, name=name)

    def get(self, key: Key) -> Entry | None:
        return self.entries(key.vdom, key.path).get(key.name)

    def single(self, path: str, field: str) -> str:
        """A field of a single object of the box."""
        words = value_of(self.schema[path], self.entries(GLOBAL, path).get("", {}), field)
        return " ".join(words)

    def users(self, key: Key) -> tuple[Key, ...]:
        """Who refers to it, in the order in which they began to."""
        return tuple(self._users.get(key, ()))

    def find(self, vdom: str, paths: Iterable[str], name: str) -> Key | None:
        """The entry that a reference from this vdom means."""
        for path in paths:
            for scope in self._scopes(vdom, path):
                if self._to_be_had(vdom, path, self.entries(scope, path).get(name)):
                    return Key(vdom=scope, path=path, name=name)
        return None

    def _to_be_had(self, vdom: str, path: str, entry: Entry | None) -> bool:
        """An interface belongs to one vdom; of the feeds only lists of addresses are referred to."""
        if entry is None:
            return False
        if path == INTERFACE and len(self.vdoms) > 1:
            return vdom in (GLOBAL, *value_of(self.schema[path], entry, "vdom"))
        return path != FEED or entry.get("type") == ("address",)

    @staticmethod
    def _scopes(vdom: str, path: str) -> tuple[str, ...]:
        if path == INTERFACE:
            return (GLOBAL,)
        return (vdom, GLOBAL) if path == FEED else (vdom,)

    def refers(self, key: Key, entry: Entry) -> Iterator[Key]:
        """What an entry refers to."""
        for field in self.schema[key.path].fields:
            if isinstance(field.kind, Ref) and field.name in entry:
                for name in entry[field.name]:
                    found = self.find(key.vdom, field.kind.tables, name)
                    if found is not None:
                        yield found

    # --- changing -------------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        match change:
            case Put(key=key, entry=entry):
                self._put(key, entry)
            case Drop(key=key):
                self._drop(key)
            case Move():
                self._move(change)
            case Rename(key=key, name=name):
                self._rename(key, name)
            case NewVdom(name=name, entries=entries):
                self.vdoms.setdefault(name, len(self.vdoms))
                for path, at, entry in entries:
                    self._put(Key(vdom=name, path=path, name=at), entry)

    def _put(self, key: Key, entry: Entry) -> None:
        entries = self._entries.setdefault((key.vdom, key.path), {})
        self._forget(key)
        entries[key.name] = entry
        self._targets[key] = tuple(self.refers(key, entry))
        for target in self._targets[key]:
            self._users.setdefault(target, Counter())[key] += 1

    def _drop(self, key: Key) -> None:
        self._entries.get((key.vdom, key.path), {}).pop(key.name, None)
        self._forget(key)

    def _forget(self, key: Key) -> None:
        for target in self._targets.pop(key, ()):
            self._users[target].pop(key, None)

    def _move(self, change: Move) -> None:
        where = (change.key.vdom, change.key.path)
        entries = dict(self._entries[where])
        if change.key.name == change.anchor or change.anchor not in entries:
            return
        moved = entries.pop(change.key.name)
        ordered: dict[str, Entry] = {}
        for name, entry in entries.items():
            if name == change.anchor and change.before:
                ordered[change.key.name] = moved
            ordered[name] = entry
            if name == change.anchor and not change.before:
                ordered[change.key.name] = moved
        self._entries[where] = ordered

    def _rename(self, key: Key, name: str) -> None:
        where = (key.vdom, key.path)
        users = self.users(key)
        old = self._entries[where]
        self._entries[where] = {name if at == key.name else at: entry for at, entry in old.items()}
        new = Key(vdom=key.vdom, path=key.path, name=name)
        self._targets[new] = self._targets.pop(key, ())
        for target in set(self._targets[new]):
            self._users[target][new] = self._users[target].pop(key)
        self._users[new] = self._users.pop(key, Counter())
        for user in users:
            self._follow(user, key, name)
            self._targets[user] = tuple(new if at == key else at for at in self._targets[user])

    def _follow(self, user: Key, key: Key, name: str) -> None:
        """Put the new name where the old one stood."""
        entry = self._entries[user.vdom, user.path][user.name]
        renamed = {at: self._renamed(user, at, words, key, name) for at, words in entry.items()}
        self._entries[user.vdom, user.path][user.name] = renamed

    def _renamed(self, user: Key, field: str, words: Words, key: Key, name: str) -> Words:
        kind = self.schema[user.path].field(field)
        if kind is None or not isinstance(kind.kind, Ref) or key.path not in kind.kind.tables:
            return words
        return tuple(name if word == key.name else word for word in words)
