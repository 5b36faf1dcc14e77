"""Configuration lines: the modes they are entered in, and what each does. Used by a login, a site's text and a boot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from lab.emulators.asa.answers import Incomplete, Invalid, Unsure
from lab.emulators.asa.config import Config, GroupKind
from lab.emulators.asa.grammar import MEMBER_WORDS, read_binding, read_host, read_member, read_rule, read_value
from lab.emulators.asa.lines import Cursor, Table
from lab.emulators.asa.schedule import read_absolute, read_periodic

ModeKind = Literal[
    "config", "object network", "object service", "group network", "group service", "group protocol",
    "group icmp-type", "time-range",
]  # fmt: skip
PROMPT_WORDS: Final = ("hostname", "domain", "context", "priority", "state", "management-mode", "cluster-unit")


@dataclass(frozen=True, slots=True)
class Mode:
    kind: ModeKind = "config"
    name: str = ""


CONFIG: Final = Mode()


class Editor:
    """Somebody's hand on a configuration."""

    def __init__(self, config: Config) -> None:
        self.config, self.mode = config, CONFIG

    def run(self, line: str) -> str:
        """Do what one line says. A line for configuration mode is understood in every sub-mode, and leaves it.

        Raises:
            Invalid, Incomplete, Refused: and nothing has changed, the mode neither.
        """
        cursor = Cursor(line)
        handler, arguments = self._find(cursor)
        return handler(self, arguments, cursor)

    def knows(self, line: str) -> bool:
        """Whether this is a configuration line here, be it one that is refused."""
        try:
            self._find(Cursor(line))
        except (Invalid, Incomplete):
            return False
        return True

    def _find(self, cursor: Cursor) -> tuple[Handler, list[str]]:
        inner, error = _SUBMODES.get(self.mode.kind), None
        if inner is not None:
            try:
                return inner.find(cursor)
            except Invalid as wrong:
                error, cursor.position = wrong, 0
        try:
            return _GLOBAL.find(cursor)
        except Invalid as wrong:
            raise (error if error is not None and error.at > wrong.at else wrong) from None


Handler: TypeAlias = Callable[[Editor, list[str], Cursor], str]


def _enter(editor: Editor, kind: ModeKind, name: str) -> str:
    editor.mode = Mode(kind, name)
    return ""


def _top(editor: Editor) -> str:
    """A global command leaves the sub-mode it was typed in."""
    editor.mode = CONFIG
    return ""


# --- global -----------------------------------------------------------------------------------------------------------


def _hostname(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.hostname = arguments[0]
    return _top(editor)


def _prompt(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    elements = [cursor.choice(PROMPT_WORDS)]
    while not cursor.done:
        elements.append(cursor.choice(PROMPT_WORDS))
    editor.config.prompt = tuple(elements)
    return _top(editor)


def _names(on: bool) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.names_on = on
        return _top(editor)

    return run


def _name(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    address, alias = read_host(cursor, editor.config), cursor.take()
    described = cursor.rest().removeprefix("description ") if cursor.peek() == "description" else ""
    cursor.end()
    editor.config.aliases[address] = (alias, described)
    return _top(editor)


def _no_name(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    address = read_host(cursor, editor.config)
    if address not in editor.config.aliases:
        raise Unsure(f"name {address} does not exist")
    del editor.config.aliases[address]
    return _top(editor)


def _width(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    """40..511 columns (netmiko issues 281, 522)."""
    free = editor.config.switches.wide_zero and cursor.peek() == "0"
    editor.config.width = cursor.number(0, 0) if free else cursor.number(40, 511)
    cursor.end()
    return _top(editor)


def _pager(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.pager = cursor.number(0, 2147483647)
    cursor.end()
    return _top(editor)


def _object(kind: Literal["network", "service"]) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.open_object(kind, arguments[0])
        return _enter(editor, "object network" if kind == "network" else "object service", arguments[0])

    return run


def _no_object(kind: str) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.drop_object(kind, arguments[0])
        return _top(editor)

    return run


def _group(kind: GroupKind, protocol: str = "") -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.open_group(kind, arguments[0], protocol)
        modes: Mapping[GroupKind, ModeKind] = {
            "network": "group network", "service": "group service", "protocol": "group protocol",
            "icmp-type": "group icmp-type",
        }  # fmt: skip
        return _enter(editor, modes[kind], arguments[0])

    return run


def _no_group(kind: GroupKind) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.drop_group(kind, arguments[0])
        return _top(editor)

    return run


def _line_number(cursor: Cursor) -> int | None:
    return cursor.number(1, 2147483647) if cursor.takes("line") else None


def _access_list(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    line = _line_number(cursor)
    said = editor.config.add_rule(arguments[0], read_rule(cursor, editor.config), line)
    return said + _top(editor)


def _no_access_list(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    line = _line_number(cursor)
    editor.config.drop_rule(arguments[0], read_rule(cursor, editor.config), line)
    return _top(editor)


def _clear_access_list(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.drop_acl(arguments[0])
    return _top(editor)


def _access_group(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.bind(read_binding(cursor, editor.config))
    return _top(editor)


def _no_access_group(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.unbind(read_binding(cursor, editor.config))
    return _top(editor)


def _time_range(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.open_range(arguments[0])
    return _enter(editor, "time-range", arguments[0])


def _no_time_range(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.drop_range(arguments[0])
    return _top(editor)


def _flag(name: Literal["group_search", "transactional"], on: bool) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        setattr(editor.config, name, on)
        return _top(editor)

    return run


# --- inside an object, a group, a time range --------------------------------------------------------------------------


def _value(word: str) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        return editor.config.set_value(editor.mode.name, read_value(word, cursor, editor.config))

    return run


def _no_value(word: str) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        editor.config.drop_value(editor.mode.name, read_value(word, cursor, editor.config))
        return ""

    return run


def _description(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.describe(editor.mode.name, cursor.rest())
    return ""


def _no_description(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    editor.config.describe(editor.mode.name, "")
    return ""


def _member(word: str) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        member = read_member(word, cursor, editor.config, editor.mode.name)
        editor.config.add_member(editor.mode.name, member)
        return ""

    return run


def _no_member(word: str) -> Handler:
    def run(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
        member = read_member(word, cursor, editor.config, editor.mode.name)
        editor.config.drop_member(editor.mode.name, member)
        return ""

    return run


def _absolute(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    ranges, name = editor.config.ranges, editor.mode.name
    ranges[name] = replace(ranges[name], absolute=read_absolute(cursor))
    return ""


def _no_absolute(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    ranges, name = editor.config.ranges, editor.mode.name
    if ranges[name].absolute is None or (not cursor.done and read_absolute(cursor) != ranges[name].absolute):
        raise Unsure(f"time-range <{name}> has no such line")
    ranges[name] = replace(ranges[name], absolute=None)
    return ""


def _periodic(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    ranges, name = editor.config.ranges, editor.mode.name
    span = read_periodic(cursor)
    if span not in ranges[name].periodic:
        ranges[name] = replace(ranges[name], periodic=(*ranges[name].periodic, span))
    return ""


def _no_periodic(editor: Editor, arguments: list[str], cursor: Cursor) -> str:
    ranges, name = editor.config.ranges, editor.mode.name
    span, old = read_periodic(cursor), ranges[name].periodic
    if span not in old:
        raise Unsure(f"time-range <{name}> has no such line")
    ranges[name] = replace(ranges[name], periodic=tuple(each for each in old if each != span))
    return ""


_GLOBAL: Final = Table[Handler](
    {
        "hostname NAME": _hostname,
        "prompt ...": _prompt,
        "names": _names(True),
        "no names": _names(False),
        "name ...": _name,
        "no name ...": _no_name,
        "terminal width ...": _width,
        "pager lines ...": _pager,
        "object network NAME": _object("network"),
        "object service NAME": _object("service"),
        "no object network NAME": _no_object("network"),
        "no object service NAME": _no_object("service"),
        **{f"object-group {kind} NAME": _group(kind) for kind in MEMBER_WORDS},
        **{f"no object-group {kind} NAME": _no_group(kind) for kind in MEMBER_WORDS},
        **{f"object-group service NAME {word}": _group("service", word) for word in ("tcp", "udp", "tcp-udp")},
        **{f"no object-group service NAME {word}": _no_group("service") for word in ("tcp", "udp", "tcp-udp")},
        "access-list NAME ...": _access_list,
        "no access-list NAME ...": _no_access_list,
        "clear configure access-list NAME": _clear_access_list,
        "access-group ...": _access_group,
        "no access-group ...": _no_access_group,
        "time-range NAME": _time_range,
        "no time-range NAME": _no_time_range,
        "object-group-search access-control": _flag("group_search", True),
        "no object-group-search access-control": _flag("group_search", False),
        "asp rule-engine transactional-commit access-group": _flag("transactional", True),
        "no asp rule-engine transactional-commit access-group": _flag("transactional", False),
    }
)


def _described(rows: Mapping[str, Handler]) -> Table[Handler]:
    return Table({**rows, "description ...": _description, "no description": _no_description})


def _values(words: tuple[str, ...]) -> Table[Handler]:
    rows = {f"{word} ...": _value(word) for word in words}
    return _described(rows | {f"no {word} ...": _no_value(word) for word in words})


def _members(words: tuple[str, ...]) -> Table[Handler]:
    rows = {f"{word} ...": _member(word) for word in words}
    return _described(rows | {f"no {word} ...": _no_member(word) for word in words})


_SUBMODES: Final[Mapping[ModeKind, Table[Handler]]] = {
    "object network": _values(("host", "subnet", "range", "fqdn")),
    "object service": _values(("service",)),
    "group network": _members(MEMBER_WORDS["network"]),
    "group service": _members(MEMBER_WORDS["service"]),
    "group protocol": _members(MEMBER_WORDS["protocol"]),
    "group icmp-type": _members(MEMBER_WORDS["icmp-type"]),
    "time-range": Table(
        {
            "absolute ...": _absolute,
            "no absolute ...": _no_absolute,
            "periodic ...": _periodic,
            "no periodic ...": _no_periodic,
        }
    ),
}
