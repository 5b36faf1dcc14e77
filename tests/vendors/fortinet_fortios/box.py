"""A box on paper: tables that take lines and print themselves, for tests of text alone. It refuses nothing.

Knows the few verbs that the adapter sends, and prints as FortiOS does: strings in quotes, numbers bare, defaults left
out, an uuid for each object. What a device refuses is the emulator's business.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vendors.fortinet_fortios.syntax import quoted

STATUS = """\
Version: FortiGate-60E-POE v{version},build2463,230830 (GA.F)
Serial-Number: FG60EPTK19010019
Hostname: fw1
Virtual domain configuration: {vdoms}
Current HA mode: {ha}
System time: Thu Oct 26 17:35:21 2023
Last reboot reason: warm reboot
"""
NUMBERED = ("firewall policy", "firewall policy6")
OWNERS = {
    "firewall address": {
        "none": {"subnet": ["0.0.0.0", "255.255.255.255"]},
        "all": {},
        "gmail.com": {"type": ["fqdn"], "fqdn": ["gmail.com"]},
        "gmail": {"subnet": ["192.0.2.7", "255.255.255.255"]},
        "say \"hi\"": {"subnet": ["192.168.7.0", "255.255.255.0"], "comment": ["two\nlines, config firewall policy"]},
    },
    "firewall address6": {"all": {}, "none": {"ip6": ["::/128"]}},
    "firewall addrgrp": {"G Suite": {"member": ["gmail.com"]}},
    "firewall addrgrp6": {},
    "firewall policy": {
        "3": {"name": ["LAN out"], "srcintf": ["any"], "dstintf": ["any"], "srcaddr": ["all"], "dstaddr": ["all"],
              "action": ["accept"], "schedule": ["always"], "service": ["ALL"]},
        "1": {"name": ["guests"], "srcintf": ["port3"], "dstintf": ["wan"], "srcaddr": ["all"], "dstaddr": ["all"],
              "schedule": ["always"], "service": ["ALL"], "logtraffic": ["disable"]},
    },
}  # fmt: skip
DEFAULTS = {"action": ["deny"], "status": ["enable"], "type": ["ipmask"]}
WORDS = {"action", "status", "type", "subnet", "ip6", "logtraffic", "uuid", "start-ip", "end-ip"}

Entry = dict[str, list[str]]


@dataclass
class Box:
    version: str = "7.4.1"
    vdoms: str = "disable"
    ha: str = "standalone"
    vdom: str | None = None
    central: str = ""
    cfg_save: str = ""
    sizes: str = ""
    tables: dict[str, dict[str, Entry]] = field(default_factory=dict)
    watch: Callable[[Box], None] = lambda _: None
    """Called whenever something has taken effect."""

    def __post_init__(self) -> None:
        for path, entries in OWNERS.items():
            self.tables[path] = {name: {k: list(v) for k, v in attrs.items()} for name, attrs in entries.items()}
        if self.numbers < (6, 4):
            self.tables["firewall policy6"] = {}

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")))

    # --- printing ---------------------------------------------------------------------------------------------------

    def show(self, path: str) -> str:
        lines = [f"config {path}"]
        for index, (name, attrs) in enumerate(self.tables[path].items()):
            lines.append(f"    edit {name if path in NUMBERED else quoted(name)}")
            lines.append(f"        set uuid {index:08x}-85b5-51eb-e766-d8909ab65441")
            for key, values in attrs.items():
                if values and values != DEFAULTS.get(key):
                    words = (value if key in WORDS else quoted(value) for value in values)
                    lines.append(f"        set {key} {' '.join(words)}")
            lines.append("    next")
        return "\n".join([*lines, "end", ""])

    def reading(self) -> str:
        status = STATUS.format(version=self.version, vdoms=self.vdoms, ha=self.ha)
        saves = f"    set cfg-save {self.cfg_save}\n" if self.cfg_save else ""
        said = [
            ("get system status", status),
            ("show system global", f'config system global\n    set hostname "fw1"\n{saves}end\n'),
            ("show system central-management", f"config system central-management\n{self.central}end\n"),
        ]
        if self.vdom:
            said.append((f"edit {self.vdom}", f"current vf={self.vdom}:0\n"))
        said += [(f"show {path}", self.show(path)) for path in self.tables]
        said.append(("print tablesize | grep firewall.addr", self.sizes))
        return "".join(f"@@ {command}\n{text}" for command, text in said) + "@@ end\n"

    # --- lines ------------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        """Act on whole `config` … `end` blocks."""
        path = name = ""
        entry: Entry = {}
        for line in text.splitlines():
            verb, *words = shlex.split(line)
            match verb, words:
                case "config", _:
                    path = " ".join(words)
                case "edit", [name]:
                    entry = {key: list(values) for key, values in self.tables[path].get(name, {}).items()}
                case "set", [key, *values]:
                    self._set(entry, key, values)
                case "append", [key, *values]:
                    entry[key] = [*entry[key], *(value for value in values if value not in entry[key])]
                case "unselect", [key, *values]:
                    entry[key] = [value for value in entry[key] if value not in values]
                    assert entry[key], f"{name} is left without {key}"
                case "unset", [key]:
                    del entry[key]
                case "next", []:
                    self.tables[path][name] = entry
                    self.watch(self)
                case "delete", [gone]:
                    self._refuse_used(path, gone)
                    del self.tables[path][gone]
                    self.watch(self)
                case "move", [moved, where, other]:
                    self._move(path, moved, where, other)
                    self.watch(self)
                case "end", []:
                    path = ""
                case _:
                    raise AssertionError(f"no box takes {line!r}")
            assert path or verb == "end"

    @staticmethod
    def _set(entry: Entry, key: str, values: list[str]) -> None:
        if key == "type" and entry.get("type", ["ipmask"]) != values:
            for old in ("subnet", "ip6", "fqdn", "start-ip", "end-ip"):
                entry.pop(old, None)
        entry[key] = values
        if DEFAULTS.get(key) == values:
            del entry[key]

    def _refuse_used(self, path: str, gone: str) -> None:
        six = path.endswith("6")
        if path in NUMBERED:
            return
        for table, entries in self.tables.items():
            for name, attrs in entries.items():
                for key, values in attrs.items():
                    if gone in values and key in REFERS and (REFERS[key] or table.endswith("6")) == six:
                        raise AssertionError(f"{gone} in {path} is used by {table} {name}")

    def _move(self, path: str, moved: str, where: str, other: str) -> None:
        entries = self.tables[path]
        order = [name for name in entries if name != moved]
        order.insert(order.index(other) + (where == "after"), moved)
        self.tables[path] = {name: entries[name] for name in order}

    # --- meaning ----------------------------------------------------------------------------------------------------

    def members(self, name: str, *, six: bool) -> set[str]:
        """What an address or a group stands for, as text."""
        end = "6" if six else ""
        group = self.tables[f"firewall addrgrp{end}"].get(name)
        if group is not None:
            return {text for member in group["member"] for text in self.members(member, six=six)}
        attrs = self.tables[f"firewall address{end}"][name]
        return {" ".join(attrs.get("fqdn") or attrs.get("ip6") or attrs.get("subnet") or ["all"])}

    def denied(self) -> set[tuple[str, str]]:
        """(source, destination) of all that our policies deny, as text."""
        found: set[tuple[str, str]] = set()
        for path in NUMBERED:
            for attrs in self.tables.get(path, {}).values():
                if attrs.get("name", [""])[0].startswith("tokgate-") and attrs.get("action", ["deny"]) == ["deny"]:
                    for six, end in self._families(path):
                        sources = {t for n in attrs.get(f"srcaddr{end}", ()) for t in self.members(n, six=six)}
                        targets = {t for n in attrs.get(f"dstaddr{end}", ()) for t in self.members(n, six=six)}
                        found |= {(source, target) for source in sources for target in targets}
        return found

    def _families(self, path: str) -> tuple[tuple[bool, str], ...]:
        if path == "firewall policy6":
            return ((True, ""),)
        return ((False, ""), (True, "6")) if self.numbers >= (6, 4) else ((False, ""),)

    def foreign(self) -> dict[str, dict[str, Entry]]:
        return {
            path: {n: a for n, a in entries.items() if not re.search("tokgate", f"{n}{a.get('name')}")}
            for path, entries in self.tables.items()
        }

    def ours(self, path: str) -> Iterable[str]:
        return [name for name, attrs in self.tables[path].items() if "tokgate" in f"{name}{attrs.get('name')}"]


REFERS = {"member": False, "srcaddr": False, "dstaddr": False, "srcaddr6": True, "dstaddr6": True}
"""Fields that refer to addresses; whether always to those of IPv6."""
