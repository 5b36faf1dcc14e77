"""One login on an ASA: prompts, passwords, modes, and who answers a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from lab.emulators.asa import answers, connections, shows, text, tracer
from lab.emulators.asa.answers import Incomplete, Invalid, Refused, Unsure
from lab.emulators.asa.context import Context
from lab.emulators.asa.device import Asa
from lab.emulators.asa.editing import CONFIG, Editor, ModeKind
from lab.emulators.asa.lines import Cursor, Table
from lab.emulators.console import Cli, Pager, Reply

MORE: Final = "<--- More --->"
_ERASE: Final = f"\r{' ' * len(MORE)}\r"
_PROMPTS: Final[dict[ModeKind, tuple[str, str]]] = {
    "config": ("config", "config"),
    "object network": ("config-network-object", "config-object"),
    "object service": ("config-service-object", "config-object"),
    "group network": ("config-network-object-group", "config-network-object-group"),
    "group service": ("config-service-object-group", "config-group"),
    "group protocol": ("config-protocol-object-group", "config-group"),
    "group icmp-type": ("config-icmp-object-group", "config-group"),
    "time-range": ("config-time-range", "config-range"),
}
"""What each mode's prompt says; and what it says by `Switches.plain_submodes`, where its spelling is not on record."""
_SYSTEM_LINES: Final = ("hostname ", "prompt ", "terminal ", "pager ")
"""All that this emulator lets be configured in the system space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something asked instead of a prompt."""

    prompt: str
    answer: Callable[[str], Reply]
    secret: bool = False


class AsaCli(Cli):
    def __init__(self, device: Asa, user: str) -> None:
        self.device, self.user = device, user
        self.context = device.contexts[device.admin]
        self.privilege = 1
        self.known_as = user
        if device.switches.auto_enable and device.users[user].privilege == 15:
            self.privilege = 15
        self.editor: Editor | None = None
        self._question: Question | None = None
        self._rows: int | None = None
        self._boot = device.boots
        self._before = [at for each, at in device.logins if each == user]

    # --- the terminal ---------------------------------------------------------------------------------------------

    @property
    def prompt(self) -> str:
        """The device sends a carriage return of its own before it."""
        return self._question.prompt if self._question else f"\r{self.prompt_text}"

    @property
    def prompt_text(self) -> str:
        sign = "#" if self.privilege > 1 else ">"
        return f"{self._name()}{self._mode()}{sign} "

    def _name(self) -> str:
        config = self.device.system.running if self.device.multiple else self.context.running
        elements = config.prompt or ("hostname", "context")
        shown = {
            "hostname": self.context.running.hostname if self.context is not self.device.system else config.hostname,
            "context": self.context.name,
            "priority": {"primary": "pri", "secondary": "sec"}[self.device.unit],
            "state": "act" if self.device.active else self.device.switches.standby_token,
        }
        return "/".join(filter(None, (shown.get(element, "") for element in elements)))

    def _mode(self) -> str:
        if self.editor is None:
            return ""
        return f"({_PROMPTS[self.editor.mode.kind][self.device.switches.plain_submodes]})"

    @property
    def hidden(self) -> bool:
        return self._question is not None and self._question.secret and not self.device.switches.password_stars

    @property
    def pager(self) -> Pager | None:
        rows = self.context.running.pager if self._rows is None else self._rows
        return Pager(rows=rows, marker=MORE, erase=_ERASE) if rows else None

    @property
    def plain_until(self) -> int:
        width = self.context.running.width or 10_000
        return 0 if self._question is not None else width - len(self.prompt_text) - 2

    def echo(self, typed: str, key: str) -> str:
        """Beyond the terminal's width the line is drawn anew, moved to the left behind a `$`."""
        if self._question is not None:
            return "*" if self._question.secret else key
        width = self.context.running.width
        room = width - len(self.prompt_text) - 1
        over = len(typed) + 1 - room
        if width == 0 or over < 0 or over % 10:
            return key
        return f"\r{self.prompt_text}${(typed + key)[-(room - 10) :]}{' ' * 9}{chr(8) * 9}"

    def welcome(self) -> str:
        told = "Type help or '?' for a list of available commands.\n"
        if not self.device.model.login_history:
            return told
        last = f"{shows.moment(self._before[-1])} from 192.0.2.12" if self._before else "never"
        return (
            f"User {self.user} logged in to {self.device.name}\n"
            f"Logins over the last 35 days: {len(self._before) + 1}.  Last login: {last}\n"
            f"Failed logins since the last login: 0.  \n{told}"
        )

    def control(self, key: str, typed: str) -> Reply | None:
        if key == "^Z" and self.editor is not None and self._question is None:
            self.editor = None
            return Reply()
        if key == "^C":
            self._question = None
            return Reply()
        return None

    # --- lines ----------------------------------------------------------------------------------------------------

    def answer(self, line: str) -> Reply:
        if self._boot != self.device.boots:  # the box went down under this session
            return Reply(close=True)
        if self._question is not None:
            question, self._question = self._question, None
            return question.answer(line)
        return self._interjected(self._command(line))

    def _interjected(self, reply: Reply) -> Reply:
        waiting = self.device.mishaps.interjections
        if not waiting:
            return reply
        lines = reply.text.splitlines(keepends=True)
        lines.insert(len(lines) // 2, f"{waiting.pop(0)}\n")
        return Reply(text="".join(lines), seconds=reply.seconds, close=reply.close)

    def _command(self, line: str) -> Reply:
        if not line.strip() or line.lstrip().startswith("!"):
            return Reply()
        if any(line.startswith(start) for start in self.device.mishaps.forbidden):
            return Reply(text=f"{answers.UNAUTHORISED}\n")
        try:
            return self._run(line)
        except Invalid as wrong:
            return Reply(text=f"{' ' * (len(self.prompt_text) + wrong.at)}^\n{answers.INVALID}\n")
        except Incomplete:
            return Reply(text=f"{answers.INCOMPLETE}\n")
        except Unsure as no:
            return Reply(text=f"{self.device.switches.refusal}{no.text}\n")
        except Refused as no:
            return Reply(text=f"{no.text}\n")

    def _run(self, line: str) -> Reply:
        """The mode's own lines first; then what can be said in any mode."""
        if self.editor is None:
            return self._exec(line)
        if line.strip() in ("end", "exit", "quit"):
            return self._leave(line.strip())
        try:
            return self._exec(line)
        except Invalid as wrong:
            return self._edit(line, wrong)

    def _exec(self, line: str) -> Reply:
        cursor = Cursor(line)
        table = _USER if self.privilege == 1 else _EXEC
        handler, arguments = table.find(cursor)
        said = handler(self, arguments, cursor)
        return said if isinstance(said, Reply) else Reply(text=said)

    def _leave(self, word: str) -> Reply:
        if word == "end" or self.editor is None or self.editor.mode == CONFIG:
            self.editor = None
        else:
            self.editor.mode = CONFIG
        return Reply()

    # --- configuration --------------------------------------------------------------------------------------------

    def _edit(self, line: str, wrong: Invalid) -> Reply:
        assert self.editor is not None
        if self.context is self.device.system and not line.strip().startswith(_SYSTEM_LINES):
            raise Invalid(len(line) - len(line.lstrip()))
        mode = self.editor.mode
        try:
            if self.editor.knows(line):
                self._may_edit()
            said = self.editor.run(line)
        except Invalid as error:
            raise (error if error.at >= wrong.at else wrong) from None
        self.context.changed(self.known_as)
        self._announce(line)
        if self.device.active:
            self._copy(mode, line)
            return Reply(text=said)
        return Reply(text=self._standby_warning() + said)

    def _may_edit(self) -> None:
        held = self.device.mishaps.config_held_by
        if held:
            raise Unsure(f"Command Ignored, configuration in progress by {held}")

    def _announce(self, line: str) -> None:
        said = f"User '{self.known_as}', running 'CLI' from IP 192.0.2.12, executed '{line.strip()}'"
        self.context.say(5, 111010, said)

    def _copy(self, mode: object, line: str) -> None:
        """The standby unit does the same; what it cannot do it leaves."""
        mate = self.device.mate
        if mate is None or self.context is self.device.system:
            return
        twin = Editor(mate.contexts[self.context.name].running)
        twin.mode = mode  # type: ignore[assignment]
        try:
            twin.run(line)
        except (Invalid, Incomplete, Refused, KeyError):
            return
        mate.contexts[self.context.name].changed(self.known_as)

    def _standby_warning(self) -> str:
        indent = " " * self.device.switches.standby_indent
        first, *others = answers.STANDBY
        return "".join(f"{line}\n" for line in [first, *(f"{indent}{each}" for each in others)])

    def ask(self, prompt: str, answer: Callable[[str], Reply], *, secret: bool = False) -> Reply:
        self._question = Question(prompt=prompt, answer=answer, secret=secret)
        return Reply()


Handler: TypeAlias = Callable[[AsaCli, list[str], Cursor], Reply | str]


def _printed(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- coming and going -------------------------------------------------------------------------------------------------


def _close(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    return Reply(close=True)


def _enable(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    if cli.privilege == 15:
        return Reply()
    return _ask_secret(cli, tries=3)


def _ask_secret(cli: AsaCli, tries: int) -> Reply:
    """A wrong one is asked for again (unicon lists the words)."""

    def told(secret: str) -> Reply:
        if secret == cli.device.enable_secret:
            cli.privilege, cli.known_as = 15, "enable_15"
            return Reply()
        if tries == 1:
            return Reply(text=f"{answers.ACCESS_DENIED}\n")
        _ask_secret(cli, tries - 1)
        return Reply(text=f"{answers.WRONG}\n")

    return cli.ask("Password: ", told, secret=True)


def _login(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    """Raises the session to the privilege of a user."""

    def named(user: str) -> Reply:
        return cli.ask("Password: ", lambda password: _logged_in(cli, user, password), secret=True)

    return cli.ask("Username: ", named)


def _logged_in(cli: AsaCli, user: str, password: str) -> Reply:
    found = cli.device.users.get(user)
    if found is None or found.password != password:
        return Reply(text=f"{answers.ACCESS_DENIED}\n")
    cli.privilege, cli.known_as = found.privilege, user
    return Reply()


def _disable(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    cli.privilege, cli.editor = 1, None
    return ""


def _configure(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    cli.editor = Editor(cli.context.running)
    if not cli.device.ask_reporting:
        return Reply()

    def told(choice: str) -> Reply:
        cli.device.ask_reporting = choice.strip().upper() == "A"
        return Reply()

    cli.ask(answers.REPORTING, told)
    return Reply(text="***************************** NOTICE *****************************\n\n")


def _change_to(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    if not cli.device.multiple or cli.context.name not in ("", cli.device.admin):
        if cli.device.multiple and arguments and arguments[0] == cli.context.name:
            return ""
        raise Invalid(0)
    if not arguments:
        cli.context = cli.device.system
    elif arguments[0] in cli.device.contexts:
        cli.context = cli.device.contexts[arguments[0]]
    else:
        raise answers.no_such_context(arguments[0])
    cli.editor = None if cli.editor is None else Editor(cli.context.running)
    return ""


def _pager(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    rows = cursor.number(0, 2147483647)
    cursor.end()
    cli._rows = rows
    return ""


def _no_pager(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    cli._rows = 0
    return ""


# --- saving and going down --------------------------------------------------------------------------------------------


def _write(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _saved(cli, [cli.context])


def _write_all(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    if cli.context is not cli.device.system:
        raise Invalid(cursor.at - len("all"))
    return _saved(cli, cli.device.spaces())


def _saved(cli: AsaCli, contexts: list[Context]) -> str:
    """The standby unit saves along."""
    if cli.device.mishaps.flash_full:
        return f"Building configuration...\n{answers.NOT_SAVED}\n"
    mate = cli.device.mate if cli.device.active else None
    for context in contexts if mate else ():
        if context.name in (mate.contexts if mate else ()) and mate:
            mate.contexts[context.name].save()
    return "".join(_saved_one(context) for context in contexts)


def _saved_one(context: Context) -> str:
    size = len(context.save())
    checksum = text.checksum(context.running)
    words = " ".join(checksum[at : at + 8] for at in range(0, 32, 8))
    took = f"1.520 secs ({size} bytes/sec)" if context.switches.copy_rate else "0.330 secs"
    return f"Building configuration...\nCryptochecksum: {words}\n\n{size} bytes copied in {took}\n[OK]\n"


def _reload(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    if cli.device.multiple and cli.context is not cli.device.system:
        raise Invalid(0)
    if not any(context.unsaved for context in cli.device.spaces()):
        return _proceed(cli)

    def chosen(choice: str) -> Reply:
        match choice.strip().upper()[:1]:
            case "Y":
                said = _saved(cli, [cli.context])
            case "S":
                said = _saved(cli, cli.device.spaces())
            case "N":
                said = ""
            case _:
                return Reply()
        _proceed(cli)
        return Reply(text=said)

    return cli.ask(answers.SAVE_FIRST, chosen)


def _proceed(cli: AsaCli) -> Reply:
    def confirmed(choice: str) -> Reply:
        if choice.strip().upper() not in ("", "Y"):
            return Reply()
        cli.device.reboot()
        return Reply(text=answers.SHUTDOWN, close=True)

    return cli.ask(answers.PROCEED, confirmed)


# --- show -------------------------------------------------------------------------------------------------------------


def _curpriv(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    pad = " " if cli.device.switches.padded_curpriv else ""
    mode = "P_PRIV" if cli.privilege == 15 else "P_UNPR"
    rows = (("Username", cli.known_as), ("Current privilege level", cli.privilege), ("Current Mode/s", mode))
    return _printed(f"{name} : {pad}{value}" for name, value in rows)


def _mode(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return f"Security context mode: {'multiple' if cli.device.multiple else 'single'}\n"


def _version(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(shows.version(cli.device, cli.context))


def _clock(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(shows.clock(cli.device))


def _failover(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(shows.failover(cli.device))


def _contexts(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    """In the system space only."""
    if cli.context is not cli.device.system:
        raise Invalid(len("show "))
    return _printed(shows.contexts(cli.device))


def _running(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return text.running(cli.context.running)


def _startup(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return f": Saved\n{cli.context.startup}"


def _objects(*kinds: str) -> Handler:
    return lambda cli, arguments, cursor: _printed(text.objects(cli.context.running, *kinds))


def _groups(*kinds: str) -> Handler:
    return lambda cli, arguments, cursor: _printed(text.groups(cli.context.running, *kinds))


def _one_group(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    found = cli.context.running.groups.get(arguments[0])
    if found is None:
        return _missing(cli, f"object-group {arguments[0]} does not exist")
    return _printed(text.group_lines(cli.context.running, found))


def _missing(cli: AsaCli, told: str) -> str:
    return f"{told}\n" if cli.device.switches.missing_run == "told" else ""


def _show_groups(*kinds: str) -> Handler:
    def run(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
        config = cli.context.running
        chosen = [group for group in config.groups.values() if not kinds or group.kind in kinds]
        return _printed(line for group in chosen for line in text.group_lines(config, group, colon=True))

    return run


def _show_group(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    found = cli.context.running.groups.get(arguments[0])
    if found is None:
        return f"object-group {arguments[0]} does not exist\n"
    return _printed(text.group_lines(cli.context.running, found, colon=True))


def _run_access_list(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    if arguments and arguments[0] not in cli.context.running.acls:
        return _missing(cli, f"ERROR: access-list <{arguments[0]}> does not exist")
    return _printed(text.access_lists(cli.context.running, *arguments))


def _part(name: str) -> Handler:
    return lambda cli, arguments, cursor: _printed(getattr(text, name)(cli.context.running))


def _foreign(word: str) -> Handler:
    return lambda cli, arguments, cursor: _printed(text.foreign(cli.context.running, word))


def _access_list(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    if not arguments:
        return _printed(shows.access_lists(cli.context))
    return _printed(shows.access_list(cli.context, arguments[0]))


def _brief(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(shows.brief(cli.context, arguments[0]))


def _logging(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(shows.logging(cli.context))


def _of_the_mate(cli: AsaCli, arguments: list[str], cursor: Cursor) -> Reply:
    """`failover exec mate show …`: the mate answers (pyntc)."""
    if cli.device.mate is None or not cursor.peek().startswith("show"):
        raise Invalid(cursor.at)
    if cli.device.mate.state == "Failed":
        return Reply(text=f"{answers.MATE_SILENT}\n")
    there = AsaCli(cli.device.mate, cli.user)
    there.privilege = 15
    there.context = cli.device.mate.contexts.get(cli.context.name, cli.device.mate.system)
    return there.answer(cursor.rest())


# --- clear ------------------------------------------------------------------------------------------------------------


def _clear_counters(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    if arguments[0] not in cli.context.running.acls:
        raise answers.no_such_acl(arguments[0])
    cli.context.clear_counts(arguments[0])
    return ""


def _show_conn(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return _printed(connections.shown(cli.context, connections.read_selection(cursor, cli.context)))


def _clear_conn(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    gone = connections.clear(cli.context, connections.read_selection(cursor, cli.context))
    return f"{gone} connection(s) deleted.\n" if cli.device.switches.conn_answer else ""


def _trace(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    return tracer.answer(cli.context, tracer.read(cursor, cli.context))


def _clear_logging(cli: AsaCli, arguments: list[str], cursor: Cursor) -> str:
    cli.context.buffer.lines.clear()
    return ""


_ANYWHERE: Final[dict[str, Handler]] = {
    "enable": _enable,
    "login": _login,
    "exit": _close,
    "quit": _close,
    "logout": _close,
    "show curpriv": _curpriv,
    "show mode": _mode,
    "show clock": _clock,
    "show version": _version,
    "terminal pager ...": _pager,
    "no terminal pager": _no_pager,
}
_KINDS: Final = ("network", "service", "protocol", "icmp-type")
_USER: Final = Table[Handler](_ANYWHERE)
_EXEC: Final = Table[Handler](
    {
        **_ANYWHERE,
        "disable": _disable,
        "configure terminal": _configure,
        "changeto context NAME": _change_to,
        "changeto system": _change_to,
        "write memory": _write,
        "write memory all": _write_all,
        "reload": _reload,
        "show failover": _failover,
        "show context": _contexts,
        "show running-config": _running,
        "show startup-config": _startup,
        "show running-config object": _objects("network", "service"),
        **{f"show running-config object {kind}": _objects(kind) for kind in ("network", "service")},
        "show running-config object-group": _groups(),
        **{f"show running-config object-group {kind}": _groups(kind) for kind in _KINDS},
        "show running-config object-group id NAME": _one_group,
        "show running-config access-list": _run_access_list,
        "show running-config access-list NAME": _run_access_list,
        "show running-config access-group": _part("bindings"),
        "show running-config time-range": _part("time_ranges"),
        "show running-config names": _part("names"),
        "show running-config name": _part("aliases"),
        "show running-config dns": _foreign("dns"),
        "show running-config interface": _foreign("interface"),
        "show running-config object-group-search": _part("group_search"),
        "show running-config asp": _part("asp"),
        "show name": _part("aliases"),
        "show object-group": _show_groups(),
        **{f"show object-group {kind}": _show_groups(kind) for kind in _KINDS},
        "show object-group id NAME": _show_group,
        "show access-list": _access_list,
        "show access-list NAME": _access_list,
        "show access-list NAME brief": _brief,
        "show logging": _logging,
        "failover exec mate ...": _of_the_mate,
        "clear access-list NAME counters": _clear_counters,
        "show conn": _show_conn,
        "show conn ...": _show_conn,
        "clear conn": _clear_conn,
        "clear conn ...": _clear_conn,
        "clear logging buffer": _clear_logging,
        "packet-tracer input ...": _trace,
    }
)
