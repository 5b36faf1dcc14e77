"""What a FortiGate says of itself: release, VDOMs, its place in a cluster, who manages it, how it saves. Pure.

Forms: `get system status` of 6.0 to 7.4, `get system ha status` of 5.6 to 7.4 as captured (ntc-templates, oxidized).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vendors.errors import Unreadable
from vendors.fortinet_fortios.syntax import table_of

STATUS: Final = "get system status"
GLOBAL: Final = "show system global"
MANAGED: Final = "show system central-management"
SIZES: Final = "print tablesize | grep firewall.addr"

POLICY, POLICY6 = "firewall policy", "firewall policy6"
ADDRESS: Final = {4: "firewall address", 6: "firewall address6"}
GROUP: Final = {4: "firewall addrgrp", 6: "firewall addrgrp6"}

RECURRING, WEEKS = "firewall schedule recurring", "firewall schedule group"
FEED: Final = "system external-resource"
FEED_LINES: Final = 131_072
"""Of one list before 7.4.4, when the limit became one for all lists of a device (300,000 addresses)."""
FEED_ADDRESSES: Final = 300_000

_VERSION: Final = re.compile(r"(?P<model>Forti\S+) v(?P<version>\d+\.\d+\.\d+),build(?P<build>\d+)")
_LINE: Final = re.compile(r"^(?P<key>[A-Za-z][\w /-]*?)\s*: ?(?P<value>.*)$", re.MULTILINE)
_VDOMS: Final = {"disable": False, "enable": True, "multiple": True, "split-task": True}
_PRIMARY: Final = ("primary", "master")
_SECONDARY: Final = ("secondary", "slave", "backup")
_SIZE: Final = re.compile(r"^(?P<what>firewall\.addr[\w:-]*): (?P<numbers>\d+(?: \d+)*)\s*$", re.MULTILINE)
_REFUSED: Final = re.compile(r"Command fail\.|Unknown action|parse error|Permission denied", re.IGNORECASE)


def policy_tables(version: tuple[int, int, int]) -> tuple[str, ...]:
    """IPv6 has policies of its own before 6.4."""
    return (POLICY,) if version >= (6, 4, 0) else (POLICY, POLICY6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One device at one reading."""

    model: str
    version: tuple[int, int, int]
    build: int
    serial: str
    host: str
    vdoms: bool
    ha: str
    """`standalone`, or the mode of the cluster: `a-p`, `a-a`."""
    primary: bool
    """Whether this unit takes the cluster's configuration; a device alone does."""
    manager: str
    """The FortiManager whose next installation overwrites what is changed here; empty: none."""
    cfg_save: str
    members: int | None
    """The most members of one address group, where the device tells."""
    addresses: int | None
    """The most address objects, where the device tells."""

    @property
    def release(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def consolidated(self) -> bool:
        """Whether IPv4 and IPv6 are judged by one policy (6.4 and later)."""
        return len(self.policy_tables) == 1

    @property
    def workspace(self) -> bool:
        return self.version >= (6, 2, 0)

    @property
    def feeds(self) -> bool:
        """Whether policies take lists that the device pulls (6.2 and later)."""
        return self.version >= (6, 2, 0)

    @property
    def feed_room(self) -> int:
        """Entries of one list."""
        return FEED_LINES if self.version < (7, 4, 4) else FEED_ADDRESSES

    @property
    def wildcards(self) -> bool:
        """Whether a policy takes a wildcard name (6.2.2 and later)."""
        return self.version >= (6, 2, 2)

    @property
    def policy_tables(self) -> tuple[str, ...]:
        return policy_tables(self.version)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose objects decide about traffic, as far as ours live beside them."""
        return (*ADDRESS.values(), *GROUP.values(), *self.policy_tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the first answer says; it decides what else is asked, and where."""

    model: str
    version: tuple[int, int, int]
    build: int
    serial: str
    host: str
    vdoms: bool
    ha: str
    primary: bool
    time: str


def status_from(text: str) -> Status:
    """Raises ``Unreadable`` on anything but a whole `get system status` of a FortiGate."""
    known = {match["key"]: match["value"].strip() for match in _LINE.finditer(text)}
    found = _VERSION.match(known.get("Version", ""))
    if found is None:
        raise Unreadable(f"`{STATUS}` names no release of FortiOS: {known.get('Version', text[:80])!r}")
    if not found["model"].startswith("FortiGate"):
        raise Unreadable(f"this is no FortiGate: {found['model']}", hint="policies of a FortiManager are not its own")
    vdoms, mode = known.get("Virtual domain configuration"), known.get("Current HA mode")
    if vdoms not in _VDOMS or mode is None or "Serial-Number" not in known or "System time" not in known:
        raise Unreadable(f"`{STATUS}` lacks what it should say: it was cut off")
    major, minor, patch = (int(part) for part in found["version"].split("."))
    ha, primary = _role(mode)
    return Status(
        model=found["model"],
        version=(major, minor, patch),
        build=int(found["build"]),
        serial=known["Serial-Number"],
        host=known.get("Hostname", ""),
        vdoms=_VDOMS[vdoms],
        ha=ha,
        primary=primary,
        time=known["System time"],
    )


def wall_time_of(status: Status) -> datetime | None:
    """What the device's clock showed, in its own zone. None where it is told in another form than the captured one."""
    try:
        return datetime.strptime(status.time, "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007  # it names no zone
    except ValueError:
        return None


def _role(mode: str) -> tuple[str, bool]:
    """``a-p, primary`` -> (``a-p``, True)."""
    kind, _, role = (part.strip() for part in mode.partition(","))
    if kind == "standalone" and not role:
        return kind, True
    if not kind or role not in (*_PRIMARY, *_SECONDARY):
        raise Unreadable(f"the place in the cluster is not understood: {mode!r}")
    return kind, role in _PRIMARY


def facts_from(parts: Mapping[str, str]) -> Facts:
    """The facts of one reading. Raises ``Unreadable``; `print tablesize` alone may be missing or refused."""
    status = status_from(_part(parts, STATUS))
    managed = table_of(_part(parts, MANAGED), "system central-management").attrs
    settings = table_of(_part(parts, GLOBAL), "system global").attrs
    sizes = _sizes(parts.get(SIZES, ""))
    return Facts(
        model=status.model,
        version=status.version,
        build=status.build,
        serial=status.serial,
        host=status.host,
        vdoms=status.vdoms,
        ha=status.ha,
        primary=status.primary,
        manager=_manager(managed),
        cfg_save="".join(settings.get("cfg-save", ("automatic",))),
        members=_positive(sizes.get("firewall.addrgrp:member", ())),
        addresses=_positive(sizes.get("firewall.address", ())),
    )


def _manager(attrs: Mapping[str, tuple[str, ...]]) -> str:
    """A manager in backup mode installs nothing."""
    if attrs.get("type") != ("fortimanager",) or attrs.get("mode") == ("backup",):
        return ""
    return " ".join(attrs.get("fmg", ())) or "fortimanager"


def _part(parts: Mapping[str, str], command: str) -> str:
    if command not in parts:
        raise Unreadable(f"the reading lacks the answer to `{command}`")
    return parts[command]


def is_refusal(text: str) -> bool:
    return _REFUSED.search(text) is not None


def _sizes(text: str) -> Mapping[str, tuple[int, ...]]:
    """The limits by table, as far as the answer is understood: its form is not on public record."""
    if is_refusal(text):
        return {}
    return {match["what"]: tuple(map(int, match["numbers"].split())) for match in _SIZE.finditer(text)}


def _positive(numbers: tuple[int, ...]) -> int | None:
    """The smallest of the limits (of a parent, of a VDOM, of the device); 0 says that there is none."""
    return min((number for number in numbers if number), default=None)
