"""Configuring: the stack of contexts, and what ``config``, ``edit``, ``set`` and the others do in each.

Semantics: CLI references 6.4 to 7.x; what ``next`` discards: netdriver's recorded answers; contexts of vdoms: netmiko's
issues and oxidized's 7.4.8 session.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from lab.emulators.fortios import answers, checks, printing
from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.config import (
    GLOBAL,
    KEPT,
    Change,
    Config,
    Drop,
    Entry,
    Key,
    Move,
    NewVdom,
    Put,
    Rename,
    applies,
    value_of,
)
from lab.emulators.fortios.kinds import Asker, Kind
from lab.emulators.fortios.schema import FEED, GROUP, GROUP6, MEMBER_FIELDS, POLICY, POLICY6, Field, Table
from lab.emulators.fortios.switches import Admin, Model, Switches
from lab.emulators.fortios.transactions import UNCHANGEABLE, UNCHANGEABLE_FIELDS, Locks, Transaction, locked
from lab.emulators.fortios.words import Words

ORDERED = frozenset({POLICY, POLICY6, FEED})
"""The tables that know ``move``."""


class Box(Protocol):
    """The device, as far as editing needs it."""

    model: Model
    switches: Switches
    config: Config
    locks: Locks

    @property
    def multi(self) -> bool: ...

    def apply(self, change: Change) -> None: ...

    def new_vdom(self, name: str) -> NewVdom: ...

    def salt(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VdomList:
    """``config vdom``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """``config global``, or inside a vdom."""

    vdom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InTable:
    table: Table
    vdom: str


@dataclass(slots=True, kw_only=True)
class InEntry:
    """An entry that is open, or a single object. ``fresh``: not on the box yet."""

    table: Table
    key: Key
    draft: dict[str, Words]
    fresh: bool


Frame = VdomList | Scope | InTable | InEntry


class Editor:
    """One session's place in the configuration, and the transaction that it is in."""

    def __init__(self, box: Box, admin: Admin) -> None:
        self.box, self.admin = box, admin
        self.frames: list[Frame] = []
        self.transaction: Transaction | None = None

    # --- where we are ---------------------------------------------------------------------------------------------

    @property
    def view(self) -> Config:
        """What this session sees: its own transaction, or the box."""
        return self.transaction.view if self.transaction is not None else self.box.config

    @property
    def frame(self) -> Frame | None:
        return self.frames[-1] if self.frames else None

    @property
    def shell(self) -> bool:
        """At the top, in the global scope or in a vdom: where anything but configuring is done."""
        return self.frame is None or isinstance(self.frame, Scope)

    @property
    def label(self) -> str | None:
        """What stands in the prompt, in brackets."""
        match self.frame:
            case None:
                return None
            case VdomList():
                return "vdom"
            case Scope(vdom=vdom):
                return vdom or "global"
            case InTable(table=table):
                return table.path.split()[-1]
            case InEntry(table=table, key=key):
                return key.name or table.path.split()[-1]

    @property
    def vdom(self) -> str | None:
        """The vdom that commands work in; None at the top of a box with vdoms."""
        for frame in reversed(self.frames):
            if isinstance(frame, Scope):
                return frame.vdom
        return None if self.box.multi else "root"

    def place(self, table: Table) -> str | None:
        """The vdom in which a table is, from here. None: it is not to be had here."""
        if not self.box.multi:
            return GLOBAL if table.everywhere else "root"
        vdom = self.vdom
        return vdom if vdom is not None and printing.belongs(table, vdom) else None

    def table_at(self, words: Words) -> tuple[Table, Words]:
        """The table that the words name, and the words behind it.

        Raises:
            Refusal: there is none like that, or not here.
        """
        paths = [path for path, table in self.view.schema.items() if self.place(table) is not None]
        for length in range(len(words), 0, -1):
            path = " ".join(words[:length])
            if path in paths:
                return self.view.schema[path], words[length:]
        raise self._no_path(words, paths)

    @staticmethod
    def _no_path(words: Words, paths: list[str]) -> Refusal:
        for length in range(1, len(words) + 1):
            start = f"{' '.join(words[:length])} "
            if not any(path.startswith(start) for path in paths):
                return answers.unknown_word(words[length - 1])
        return answers.incomplete()

    # --- the commands ---------------------------------------------------------------------------------------------

    def run(self, words: Words) -> str | None:
        """Do a command of configuring, and return what it prints. None: it is none, here."""
        commands: dict[str, Callable[[Words], str]]
        match self.frame:
            case None:
                commands = {"config": self._config}
            case VdomList():
                commands = {"edit": self._edit_vdom, "end": self._leave}
            case Scope():
                commands = {"config": self._config, "end": self._leave}
                if self.frames[0] == VdomList():
                    commands["next"] = self._next_vdom
            case InTable():
                commands = self._of_table()
            case InEntry(key=key):
                commands = self._of_entry()
                if key.name == "":
                    del commands["next"]
        command = commands.get(words[0])
        return None if command is None else command(words[1:])

    def _of_table(self) -> dict[str, Callable[[Words], str]]:
        return {
            "edit": self._edit,
            "delete": self._delete,
            "move": self._move,
            "rename": self._rename,
            "clone": self._clone,
            "end": self._leave,
            "abort": self._leave,
        }

    def _of_entry(self) -> dict[str, Callable[[Words], str]]:
        return {
            "set": self._set,
            "unset": self._unset,
            "append": self._append,
            "unselect": self._unselect,
            "select": self._set_list,
            "clear": self._clear,
            "next": self._next,
            "end": self._end,
            "abort": self._abort,
        }

    # --- going in and out -----------------------------------------------------------------------------------------

    def _config(self, words: Words) -> str:
        if not words:
            raise answers.incomplete()
        if self.box.multi and self.frame is None:
            return self._config_scope(words)
        table, rest = self.table_at(words)
        if rest:
            raise answers.unknown_word(rest[0])
        self._may_write(table)
        vdom = self.place(table)
        assert vdom is not None
        if table.key is None:
            key = Key(vdom=vdom, path=table.path, name="")
            self._may_touch(key)
            self._open(table, key)
        else:
            self.frames.append(InTable(table=table, vdom=vdom))
        return ""

    def _config_scope(self, words: Words) -> str:
        match words:
            case ("vdom",):
                self.frames.append(VdomList())
            case ("global",):
                if not self.admin.everywhere:
                    raise answers.denied()
                self.frames.append(Scope(vdom=GLOBAL))
            case ("vdom" | "global", extra, *_):
                raise answers.unknown_word(extra)
            case _:
                raise answers.unknown_word(words[0])
        return ""

    def _may_write(self, table: Table) -> None:
        if not self.admin.writes or (table.everywhere and not self.admin.everywhere):
            raise answers.denied()
        if self.transaction is not None and table.path in UNCHANGEABLE:
            raise answers.unknown_word(table.path.split()[-1])

    def _edit_vdom(self, words: Words) -> str:
        """A name that is not known is a new vdom (netmiko's issues)."""
        name = self._one(words)
        if len(name) > 31:
            raise answers.too_long(name, 31)
        if name not in self.view.vdoms:
            if not (self.admin.everywhere and self.admin.writes):
                raise answers.denied()
            if len(self.view.vdoms) >= self.box.model.vdoms:
                raise answers.table_full()
            self.apply(self.box.new_vdom(name))
        self.frames.append(Scope(vdom=name))
        return f"current vf={name}:{self.view.vdoms[name]}\n"

    def _next_vdom(self, words: Words) -> str:
        self._none(words)
        self.frames.pop()
        return ""

    def _leave(self, words: Words) -> str:
        self._none(words)
        self.frames.pop()
        if self.frames == [VdomList()]:  # ``end`` inside a vdom leaves the list as well
            self.frames.pop()
        return ""

    def _edit(self, words: Words) -> str:
        frame = self._table()
        key = self._key(frame, self._one(words))
        self._may_touch(key)
        if self.view.get(key) is None:
            checks.check_name(self.view, key)
        self._open(frame.table, key)
        return ""

    def _open(self, table: Table, key: Key) -> None:
        entry = self.view.get(key)
        self.frames.append(InEntry(table=table, key=key, draft=dict(entry or {}), fresh=entry is None))

    def _key(self, frame: InTable, word: str) -> Key:
        name = " ".join(frame.table.key_kind.read((word,), self._asker(frame.vdom)))
        if not name:
            raise answers.incomplete()
        self._global_name(frame, name)
        if frame.table.numbered and name == "0":  # the next free one, at the end (CLI reference)
            used = [int(at) for at in self.view.entries(frame.vdom, frame.table.path)]
            name = str(max(used, default=0) + 1)
        return Key(vdom=frame.vdom, path=frame.table.path, name=name)

    def _global_name(self, frame: InTable, name: str) -> None:
        """Names of feeds for every vdom begin with ``g-`` (administration guide); likely in its words."""
        if self.box.multi and frame.table.path == FEED and frame.vdom == GLOBAL and not name.startswith("g-"):
            raise answers.bad_value(-651, name)

    # --- inside an entry ------------------------------------------------------------------------------------------

    def _field(self, words: Words) -> tuple[InEntry, Field]:
        if not words:
            raise answers.incomplete()
        frame = self._entry()
        field = frame.table.field(words[0])
        if field is None or not applies(field, frame.draft, frame.table):
            raise answers.unknown_word(words[0])
        if self.transaction is not None and (frame.table.path, field.name) in UNCHANGEABLE_FIELDS:
            raise answers.unknown_word(field.name)
        return frame, field

    def _list(self, words: Words) -> tuple[InEntry, Field]:
        frame, field = self._field(words)
        if not field.kind.many:
            raise answers.unknown_word(field.name)
        return frame, field

    def _set(self, words: Words) -> str:
        frame, field = self._field(words)
        self._store(frame, field, self._read(frame, field.kind, words[1:]))
        return ""

    def _set_list(self, words: Words) -> str:
        frame, field = self._list(words)
        self._store(frame, field, self._read(frame, field.kind, words[1:]))
        return ""

    def _read(self, frame: InEntry, kind: Kind, words: Words) -> Words:
        return kind.read(words, self._asker(frame.key.vdom))

    def _store(self, frame: InEntry, field: Field, value: Words) -> None:
        self._fixed_type(frame, field, value)
        if field.name == MEMBER_FIELDS.get(frame.table.path):
            checks.check_loop(self.view, frame.key, field.name, value)
        if value and value != field.default:
            frame.draft[field.name] = value
        else:
            frame.draft.pop(field.name, None)
        if field.name == "type":  # fields of the old type are dropped
            gone = [at.name for at in frame.table.fields if not applies(at, frame.draft, frame.table)]
            for name in gone:
                frame.draft.pop(name, None)

    def _fixed_type(self, frame: InEntry, field: Field, value: Words) -> None:
        """The type of a group cannot change later (CLI reference); likely, that of a list in use cannot either."""
        if field.name == "type" and frame.table.path == FEED and value != ("address",):
            users = self.view.users(frame.key)
            if users:
                raise answers.in_use(len(users))
        if field.name != "type" or frame.table.path not in (GROUP, GROUP6) or frame.fresh:
            return
        if value != value_of(frame.table, frame.draft, "type"):
            raise answers.failed(-7610, f"Attribute 'type' value '{value[0]}' checking fail -7610")

    def _unset(self, words: Words) -> str:
        frame, field = self._field(words)
        self._none(words[1:])
        if field.name == "name" and not self.box.switches.unnamed_policies:
            raise checks.missing("name", self.box.switches)
        self._store(frame, field, field.default)
        return ""

    def _clear(self, words: Words) -> str:
        frame, field = self._list(words)
        self._none(words[1:])
        frame.draft.pop(field.name, None)
        return ""

    def _append(self, words: Words) -> str:
        frame, field = self._list(words)
        added = self._read(frame, field.kind, words[1:])
        kept = tuple(word for word in value_of(frame.table, frame.draft, field.name) if word != "none")
        self._store(frame, field, self._read(frame, field.kind, (*kept, *added)))
        return ""

    def _unselect(self, words: Words) -> str:
        frame, field = self._list(words)
        if not words[1:]:
            raise answers.incomplete()
        present = value_of(frame.table, frame.draft, field.name)
        for word in words[1:]:
            if word not in present:
                raise answers.no_such(word)
        self._store(frame, field, tuple(word for word in present if word not in words[1:]))
        return ""

    def _next(self, words: Words) -> str:
        self._none(words)
        frame = self._entry()
        self.frames.pop()  # also when the entry is refused: then it is discarded
        self._finish(frame)
        return ""

    def _end(self, words: Words) -> str:
        self._none(words)
        frame = self._entry()
        self._drop_table()
        self._finish(frame)
        return ""

    def _abort(self, words: Words) -> str:
        self._none(words)
        self._drop_table()
        return ""

    def _drop_table(self) -> None:
        frame = self.frames.pop()
        assert isinstance(frame, InEntry)
        if frame.key.name:
            self.frames.pop()

    def _finish(self, frame: InEntry) -> None:
        key, table = frame.key, frame.table
        known = {name for name in frame.draft if name == KEPT or self._applies(table, name, frame.draft)}
        entry = {name: words for name, words in frame.draft.items() if name in known}
        self._may_touch(key)
        checks.check(self.view, key, entry, model=self.box.model, switches=self.box.switches)
        if frame.table.uuids and "uuid" not in entry:
            entry["uuid"] = (new_uuid(self.box, key),)
        self._references_free(key, entry)
        if entry != self.view.get(key):
            self.apply(Put(key=key, entry=entry))

    @staticmethod
    def _applies(table: Table, name: str, entry: Entry) -> bool:
        field = table.field(name)
        return field is not None and applies(field, entry, table)

    # --- inside a table -------------------------------------------------------------------------------------------

    def _delete(self, words: Words) -> str:
        frame = self._table()
        key = self._existing(frame, self._one(words), answers.not_deleted)
        users = self.view.users(key)
        if users:
            raise answers.in_use(len(users))
        self._may_touch(key)
        self.apply(Drop(key=key))
        return ""

    def _move(self, words: Words) -> str:
        """Likely in its words for a missing id: only what ``move`` does is documented."""
        frame = self._table()
        if frame.table.path not in ORDERED:
            raise answers.unknown_word("move")
        name, where, anchor = self._three(words, ("before", "after"))
        key = self._existing(frame, name, answers.no_such)
        other = self._existing(frame, anchor, answers.no_such)
        self._may_touch(key)
        self.apply(Move(key=key, anchor=other.name, before=where == "before"))
        return ""

    def _rename(self, words: Words) -> str:
        frame = self._table()
        if frame.table.numbered:
            raise answers.unknown_word("rename")
        name, _, new = self._three(words, ("to",))
        key = self._existing(frame, name, answers.no_such)
        target = self._free(frame, new)
        self._may_touch(key)
        self.apply(Rename(key=key, name=target.name))
        return ""

    def _clone(self, words: Words) -> str:
        """A copy at the end, with a uuid of its own; a policy's name is unique, so the copy has none."""
        frame = self._table()
        name, _, new = self._three(words, ("to",))
        key = self._existing(frame, name, answers.no_such)
        target = self._free(frame, new)
        entry = {at: value for at, value in (self.view.get(key) or {}).items() if at not in ("uuid", "name")}
        checks.check(self.view, target, entry, model=self.box.model, switches=self.box.switches)
        if frame.table.uuids:
            entry["uuid"] = (new_uuid(self.box, target),)
        self.apply(Put(key=target, entry=entry))
        return ""

    def _free(self, frame: InTable, word: str) -> Key:
        target = self._key(frame, word)
        if self.view.get(target) is not None:
            raise answers.exists()
        checks.check_name(self.view, target)
        self._may_touch(target)
        return target

    @staticmethod
    def _three(words: Words, between: Words) -> tuple[str, str, str]:
        if len(words) > 1 and words[1] not in between:
            raise answers.unknown_word(words[1])
        if len(words) < 3:
            raise answers.incomplete()
        if len(words) > 3:
            raise answers.unknown_word(words[3])
        return words[0], words[1], words[2]

    def _existing(self, frame: InTable, word: str, refused: Callable[[str], Refusal]) -> Key:
        key = Key(vdom=frame.vdom, path=frame.table.path, name=word)
        if self.view.get(key) is None:
            raise refused(word)
        return key

    # --- changing the box -----------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """At once on the box, or staged."""
        if self.transaction is None:
            self.box.apply(change)
            return
        self.transaction.view.apply(change)
        self.transaction.changes.append(change)

    @property
    def _number(self) -> int | None:
        return None if self.transaction is None else self.transaction.number

    def _may_touch(self, key: Key) -> None:
        if self.box.locks.is_held(key, self._number):
            raise locked(self.box.switches.lock_text)
        if self.transaction is not None:
            self.box.locks.take(key, self.transaction.number)

    def _references_free(self, key: Key, entry: Entry) -> None:
        for target in self.view.refers(key, entry):
            self._may_touch(target)

    # --- small things ---------------------------------------------------------------------------------------------

    def _asker(self, vdom: str) -> Asker:
        def found(paths: tuple[str, ...], name: str) -> bool:
            return name in self.view.vdoms if paths == ("vdom",) else self.view.find(vdom, paths, name) is not None

        return Asker(switches=self.box.switches, found=found)

    def _table(self) -> InTable:
        assert isinstance(self.frame, InTable)
        return self.frame

    def _entry(self) -> InEntry:
        assert isinstance(self.frame, InEntry)
        return self.frame

    @staticmethod
    def _one(words: Words) -> str:
        if not words:
            raise answers.incomplete()
        if len(words) > 1:
            raise answers.unknown_word(words[1])
        return words[0]

    @staticmethod
    def _none(words: Words) -> None:
        if words:
            raise answers.unknown_word(words[0])

    # --- showing what is open -------------------------------------------------------------------------------------

    def show_here(self, *, full: bool) -> Iterator[str] | None:
        """``show`` without a path, inside a table or an entry."""
        salt = self.box.salt()
        match self.frame:
            case VdomList():
                return printing.vdom_lines(self.view)
            case InTable(table=table, vdom=vdom):
                return printing.table_lines(self.view, vdom, table, full=full, salt=salt)
            case InEntry(table=table, key=key, draft=draft):
                return _open_lines(table, key, draft, full=full, salt=salt)
            case _:
                return None


def _open_lines(table: Table, key: Key, draft: Entry, *, full: bool, salt: str) -> Iterator[str]:
    yield f"config {table.path}"
    if key.name:
        yield from printing.entry_lines(table, key.name, draft, full=full, salt=salt)
    else:
        yield from (f"    {line}" for line in printing.fields_of(table, draft, full=full, salt=salt))
    yield "end"


def new_uuid(box: Box, key: Key) -> str:
    """Invented by the box, and stable from then on; two entries that follow each other under one name differ."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key.vdom}/{key.path}/{key.name}/{box.salt()}"))
