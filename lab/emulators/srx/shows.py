"""What operational `show` and `clear` commands print."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from lab.emulators.srx import answers, commands, security_shows, tree
from lab.emulators.srx.answers import Refused
from lab.emulators.srx.tree import Node, Path, Style, empty
from lab.emulators.srx.words import Word

if TYPE_CHECKING:
    from lab.emulators.srx.cli import SrxCli
    from lab.emulators.srx.device import Srx


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command's remaining words, from a session."""

    cli: SrxCli
    device: Srx
    words: Sequence[Word]
    end: int

    def options(self, *, values: str = "", flags: str = "") -> dict[str, str]:
        return commands.options(self.words, self.end, self.device.switches, values=values, flags=flags)


Show: TypeAlias = Callable[[Asked], str]


# --- configuration ----------------------------------------------------------------------------------------------------


def only(root: Node, path: Path) -> Node:
    """The part of a tree at a path, still in its place."""
    made = empty()
    source, place = root, made
    for part in path[:-1]:
        found = source.children.get(part.key)
        if found is None:
            return made
        source, below = found, Node(found.part)
        place.children[part.key] = below
        place = below
    if not path:
        return root
    last = path[-1]
    for key, child in source.children.items():
        whole = last.statement.kind in ("many", "list") and not last.values
        if key == last.key or (whole and key[0] == last.statement.name):
            place.children[key] = child
    return made


def configuration(device: Srx, root: Node, path: Path, display: str) -> str:
    """A part of a tree, as asked for. What is not there prints nothing."""
    style = Style(always_quoted=device.switches.always_quoted)
    part = only(root, path)
    if display == "set":
        return _lines(tree.set_lines(part, style))
    if display == "json":
        return _json(device)
    node = tree.find(root, path)
    if node is None or node.part.statement.kind in ("leaf", "many", "flag"):
        parent = tree.find(part, path[:-1])
        return "" if parent is None else _at(parent, style, display)
    return _at(node, style, display)


def _at(node: Node, style: Style, display: str) -> str:
    return _lines(tree.set_lines(node, style) if display == "relative" else tree.brace_lines(node, style))


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _json(device: Srx) -> str:
    """The change stamp alone of what `| display json` prints (vSRX 24.4)."""
    last = device.database.history[0]
    stamp = {
        "junos:commit-seconds": str(int(last.at.timestamp())),
        "junos:commit-localtime": device.database.stamp(last.at),
        "junos:commit-user": last.user,
    }
    return json.dumps({"configuration": {"@": stamp}}, indent=4, separators=(",", " : ")) + "\n"


# --- the system -------------------------------------------------------------------------------------------------------


def commits(asked: Asked) -> str:
    """Number, time, who, how; a comment on a line of its own (genie captures, a router of 20.4)."""
    asked.options()
    said = []
    for number, each in enumerate(asked.device.database.history):
        waits = "" if each.minutes is None else f" commit confirmed, rollback in {each.minutes}mins"
        said.append(f"{number:<4}{asked.device.database.stamp(each.at)} by {each.user} via {each.via}{waits}\n")
        said += [f"    {each.comment}\n"] if each.comment else []
    return "".join(said)


def database_usage(asked: Asked) -> str:
    asked.options()
    if asked.device.mishaps.database_busy:
        return f"{answers.DATABASE_BUSY}\n"
    raise Refused("error: command is not emulated\n")  # no source shows a free database's answer


def version(asked: Asked) -> str:
    """The three lines that every release has (ntc-templates)."""
    asked.options()
    model = asked.device.model
    return f"Hostname: {asked.device.host_name}\nModel: {model.hardware}\nJunos: {model.version}\n"


def uptime(asked: Asked) -> str:
    asked.options()
    device = asked.device
    database, last = device.database, device.database.history[0]
    now = device.clock.now()
    return (
        f"Current time: {database.stamp(now)}\nTime Source:  LOCAL CLOCK \n"
        f"System booted: {database.stamp(device.booted)} ({_ago(now - device.booted)} ago)\n"
        f"Protocols started: {database.stamp(device.booted)} ({_ago(now - device.booted)} ago)\n"
        f"Last configured: {database.stamp(last.at)} ({_ago(now - last.at)} ago) by {last.user}\n"
        f"{_up(device)}\n"
    )


def _ago(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    weeks, days = divmod(seconds // 86_400, 7)
    clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"
    date = f"{weeks}w{days}d " if weeks else f"{days}d " if days else ""
    return f"{date}{clock if date else f'{clock}:{seconds % 60:02}'}"


def per_node(make: Show, asked: Asked) -> str:
    """In a cluster every node answers below a header of its own (vSRX cluster, ntc-templates)."""
    nodes = [] if asked.device.mate is None or make in security_shows.ONCE else asked.device.nodes()
    words = [word.text for word in asked.words]
    if "node" in words[:-1]:
        nodes = [node for node in nodes if str(node.node) == words[words.index("node") + 1]]
    answered = [f"node{node.node}:\n{'-' * 74}\n{make(replace(asked, device=node))}" for node in nodes if not node.down]
    return "\n".join(answered) if nodes else make(asked)


def users(asked: Asked) -> str:
    """Who is logged in; the columns are likely, no public capture shows them."""
    asked.options()
    device = asked.device
    lines = [_up(device), f"{'USER':<9}{'TTY':<9}{'FROM':<34}LOGIN@  IDLE WHAT"]
    for number, session in enumerate(device.sessions):
        lines.append(
            f"{session.user:<9}pts/{number:<5}{'-':<34}{device.database.local(session.since):%H:%M}       - -cli"
        )
    return _lines(lines)


def _up(device: Srx) -> str:
    now = device.clock.now()
    clock = f"{device.database.local(now):%I:%M%p}".lstrip("0")
    span = now - device.booted
    up = f"{span.days} days, {span.seconds // 3600}:{span.seconds // 60 % 60:02}"
    return f"{clock}  up {up}, {len(device.sessions)} users, load averages: 0.21, 0.32, 0.37"


COMMANDS: Final[dict[str, Show]] = {
    **security_shows.COMMANDS,
    "show system users": users,
    "show system commit": commits,
    "show system configuration database usage": database_usage,
    "show system uptime": uptime,
    "show version": version,
}
