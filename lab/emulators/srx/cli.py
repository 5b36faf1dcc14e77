"""One login on an SRX: prompts, modes, the terminal, and who answers a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lab.emulators.console import Cli, Pager, Reply
from lab.emulators.srx import answers, commands, editing, pipes, shows, tree, values
from lab.emulators.srx.answers import Misread, Refused, Wrong
from lab.emulators.srx.commands import Table
from lab.emulators.srx.compare import compare
from lab.emulators.srx.database import Editor
from lab.emulators.srx.device import Srx, User
from lab.emulators.srx.groups import folded
from lab.emulators.srx.pipes import Pipes
from lab.emulators.srx.reading import Reader
from lab.emulators.srx.schema import ROOT
from lab.emulators.srx.tree import Node, Path, words_of
from lab.emulators.srx.words import Word, words
from lab.emulators.srx.words import pipes as split_pipes

MORE: Final = "---(more)---"
_ERASE: Final = f"\r{' ' * 40}\r"
_ASK_SHARED: Final = "Exit with uncommitted changes? [yes,no] (yes) "
_ASK_EXCLUSIVE: Final = "Discard uncommitted changes? [yes,no] (yes) "
_ASK_DELETE: Final = "Delete everything under this level? [yes,no] (no) "
_ANYBODY: Final = User(password="")
_ASK_REBOOT: Final = "Reboot the system ? [yes,no] (no) "


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something asked instead of a prompt. ``otherwise``: what an empty answer means."""

    prompt: str
    answer: Callable[[bool], Reply]
    otherwise: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """One command: its words, its pipes, and where it ends."""

    words: Sequence[Word]
    pipes: Sequence[Word]
    end: int


class SrxCli(Cli):
    def __init__(self, device: Srx, user: str) -> None:
        self.device, self.user, self.database = device, user, device.database
        self.terminal = device.logins - 1
        self.pid = 4681 + self.terminal
        self.since = self.active_at = device.clock.now()
        self.mode: Literal["shell", "operational", "configuration"] = "shell" if user == "root" else "operational"
        self.width, self.length, self.completes = 80, 24, True
        self._base: Path = ()
        self._levels: list[Path] = []  # where `exit` goes back to
        self._question: Question | None = None
        self._loading: list[str] | None = None
        self._relative = False
        self._fresh, self._paged = True, True
        self._boot = device.boots
        self._told = len(self.database.broadcasts)
        self._last = self._before()
        self._ending: str | None = None  # what the next end of a line on the wire is, if not the usual

    def _before(self) -> str:
        before = self.device.last_logins.get(self.user)
        self.device.last_logins[self.user] = self.since
        when = "" if before is None else f"{self.database.local(before):%a %b} {before.day:>2} {before:%H:%M:%S %Y}"
        return f"Last login: {when} from 192.0.2.10\n" if when else ""

    # --- what the terminal shows ----------------------------------------------------------------------------------

    @property
    def newline(self) -> str:  # type: ignore[override]  # one end of a line differs: the echo's
        ending, self._ending = self._ending, None
        return "\r\n" if ending is None else ending

    @property
    def who(self) -> str:
        """The last line of the prompt."""
        sign = {"shell": ":~ # ", "operational": "> ", "configuration": "# "}[self.mode]
        return f"{self.user}@{self.device.host_name}{sign}"

    @property
    def prompt(self) -> str:
        """An empty line stands before it (gnetcli captures), but before the first; then what is to be noticed."""
        if self._question is not None:
            return self._question.prompt
        if self._loading is not None:
            return ""
        lines = [] if self._fresh or self.mode == "shell" else [""]
        return "\r\n".join([*lines, *self._notices(), self.who])

    def _notices(self) -> list[str]:
        if self.mode == "shell":
            return []
        minutes = self.database.minutes_left  # the words are netmiko's, from its comment on them
        confirm = [] if minutes is None else [f"# commit confirmed will be rolled back in {minutes} minutes"]
        return [*confirm, *self._banner()]

    def _banner(self) -> list[str]:
        node = self.device.banner
        if self.mode != "configuration":
            return [node] if node else []
        place = f"[edit{' ' if self._base else ''}{words_of(self._base)}]"
        split = node and self.device.switches.cluster_banner == "split"
        return [node, place] if split else [f"{node}{place}"]

    @property
    def pager(self) -> Pager | None:
        if self.length == 0 or not self._paged:
            return None
        return Pager(rows=max(1, self.length - 1), marker=MORE, erase=_ERASE)

    def welcome(self) -> str:
        """When this user came before, then the release (gnetcli captures)."""
        return f"{self._last}--- JUNOS {self.device.model.version} Kernel {self.device.model.kernel}\n"

    def echo(self, typed: str, key: str) -> str:
        """Commands are echoed with a blank behind them (gnetcli captures), and scroll behind `...` beyond the width."""
        if self._question is not None or self._loading is not None or self.mode == "shell":
            return key
        self._ending = "\r\n" if key == " " else " \r\n"
        if key == " " and self.completes and typed.strip() and not typed.endswith(" "):
            return self._completed(typed)
        room = self.width - len(self.who) - 1
        if self.width == 0 or len(typed) < room:
            return key
        step = max(1, room // 2)
        hidden = (len(typed) + 1 - room) // step * step + step + 3
        if (len(typed) - room) % step:
            return key
        kept = (typed + key)[hidden:]
        return f"\r{self.who}...{kept}{' ' * (room - len(kept) - 3)}{chr(8) * (room - len(kept) - 3)}"

    def _completed(self, typed: str) -> str:
        """A blank completes the word before it, or tells at once that it is wrong (vJunos-router session)."""
        line = words(typed)
        try:
            return f"{self._completion(line, len(typed))} "
        except Misread as misread:
            if misread.wrong.at != line[-1].at:  # told when it was typed
                return " "
            told = misread.wrong.shown(len(self.who)).replace("\n", "\r\n")
            return f"\r\n{told}\r\n{self.who}{typed} "

    def _completion(self, line: Sequence[Word], end: int) -> str:
        if "|" in {word.text for word in line}:
            return ""
        if self.mode == "operational":
            return _OPERATIONAL.completed(line, self.device.switches) or ""
        if line[0].text in editing.VERBS and len(line) > 1:
            plain = line[0].text in ("set", "delete", "activate", "deactivate")
            return self._reader().completed(self._base, ROOT, line[1:], end) if plain else ""
        if line[0].text in editing.VERBS or line[0].text == "run":
            return ""
        try:
            return _CONFIGURATION.completed(line, self.device.switches) or ""
        except Misread as misread:
            raise Misread(Wrong(misread.wrong.at, misread.wrong.word, _config_text(misread))) from None

    @property
    def plain_until(self) -> int:
        """What is loaded is echoed as it comes; commands are redrawn and end in a blank."""
        return 0 if self._question is None and self._loading is None and self.mode != "shell" else 10_000

    def control(self, key: str, typed: str) -> Reply | None:
        self._ending = None
        if self._loading is not None and key == "^D":
            self._ending = ""  # the answer follows on the same line
            return self._loaded(typed)
        if key == "^C":
            self._loading = self._question = None
            return Reply()
        return None

    def closed(self) -> None:
        """The session is over. An exclusive one lets go of its lock, but where the box forgets to."""
        if self in self.device.sessions:
            self.device.sessions.remove(self)
        if self.mode == "configuration" and self.database.exclusive is self and self.device.switches.stale_lock:
            return
        self.database.leave(self)

    # --- lines ----------------------------------------------------------------------------------------------------

    def answer(self, line: str) -> Reply:
        self._ending = None
        self._fresh, self._paged, self.active_at = False, True, self.device.clock.now()
        self.device.tick()
        if self._boot != self.device.boots:  # the box went down under this session
            return Reply(close=True)
        reply = self._asked(line)
        return Reply(text=self._broadcast() + reply.text, seconds=reply.seconds, close=reply.close)

    def _broadcast(self) -> str:
        news, self._told = self.database.broadcasts[self._told :], len(self.database.broadcasts)
        return "".join(f"\n{each}\n\n" for each in news)

    def _asked(self, line: str) -> Reply:
        if self._question is not None:
            return self._answered(line.strip())
        if self._loading is not None:
            self._loading.append(line)
            return Reply()
        if not line.strip():
            return Reply()
        if self.mode == "shell":
            return self._shell(line.strip())
        try:
            return self._command(line)
        except Misread as misread:
            return Reply(text=misread.wrong.shown(len(self.who)))
        except Refused as refused:
            return Reply(text=refused.text)

    def _answered(self, line: str) -> Reply:
        question = self._question
        assert question is not None
        said = {"": question.otherwise, "y": True, "yes": True, "n": False, "no": False}.get(line.lower())
        if said is None:  # asked again
            return Reply()
        self._question = None
        return question.answer(said)

    def _shell(self, line: str) -> Reply:
        if line == "cli":
            self.mode = "operational"
            return Reply()
        if line in ("exit", "logout"):
            return Reply(close=True)
        return Reply(text=f"{line.split()[0]}: Command not found.\n")

    def _command(self, text: str) -> Reply:
        parts = split_pipes(text)
        line = _Line(words(parts[0].text), parts[1:], len(text.rstrip()))
        if not line.words:
            raise commands.unknown(Word(text, 0), first=True, switches=self.device.switches)
        return self._operate(line) if self.mode == "operational" else self._edit(line)

    # --- operational mode -----------------------------------------------------------------------------------------

    def _operate(self, line: _Line) -> Reply:
        handler, rest = _OPERATIONAL.find(line.words, line.end, self.device.switches)
        return handler(self, _Line(rest, line.pipes, line.end))

    def _unpiped(self, line: _Line) -> None:
        for pipe in line.pipes[:1]:
            raise Misread(Wrong(pipe.at, pipe.text))

    def shown(self, text: str, line: _Line) -> Reply:
        """The text of a show command behind its pipes."""
        read = pipes.read(line.pipes, configuration=False)
        self._paged = read.paged
        return Reply(text=read.filtered(text))

    def configure(self, line: _Line) -> Reply:
        self._unpiped(line)
        if not self.device.users.get(self.user, _ANYBODY).configure:
            raise commands.unknown(Word("configure", 0), first=True, switches=self.device.switches)
        match [word.text for word in line.words]:
            case []:
                return self._enter()
            case ["exclusive"]:
                self.database.lock(self)
                self._start_editing()
                return Reply(text=f"{answers.EXCLUSIVE}\n{answers.ENTERING}\n")
            case _:
                raise commands.unknown(line.words[0], first=False, switches=self.device.switches)

    def _enter(self) -> Reply:
        """The shared candidate: who else is at it, and whether somebody left changes (Junos CLI guide)."""
        editors = self._editors(self.database.editors)
        changed = f"{answers.UNCOMMITTED}\n" if self.database.dirty else ""
        self._start_editing()
        return Reply(text=f"{answers.ENTERING}\n{editors}{changed}")

    def _start_editing(self) -> None:
        if len(self.database.editors) >= self.device.model.editors:
            raise Refused("error: too many users in configuration mode\n")  # own words
        self.mode, self._base = "configuration", ()
        self.database.editors.append(self)

    def described(self) -> str:
        idle = int((self.device.clock.now() - self.active_at).total_seconds())
        since = self.database.stamp(self.since)
        shown = f"idle {idle // 3600:02}:{idle // 60 % 60:02}:{idle % 60:02}"
        return f"{self.user} terminal p{self.terminal} (pid {self.pid}) on since {since}, {shown}"

    def place(self) -> str:
        kind = "exclusive " if self.database.exclusive is self else ""
        return f"{kind}[edit{' ' if self._base else ''}{words_of(self._base)}]"

    def leave_device(self, line: _Line) -> Reply:
        self._unpiped(line)
        if self.user == "root":
            self.mode = "shell"
            return Reply()
        return Reply(close=True)

    def terminal_setting(self, line: _Line) -> Reply:
        """`set cli …`, answers as in the gnetcli captures and as netmiko waits for them."""
        self._unpiped(line)
        match [word.text for word in line.words]:
            case ["screen-width" | "screen-length" as what, _]:
                top = 1024 if what == "screen-width" else 10_000
                value = int(self._reader().value(values.number(0, top), line.words, 1, line.end))
                if what == "screen-width":
                    self.width = value
                else:
                    self.length = value
                return Reply(text=f"Screen {what.removeprefix('screen-')} set to {value}\n")
            case ["complete-on-space", "on" | "off" as state]:
                self.completes = state == "on"
                return Reply(text=f"{'Enabling' if self.completes else 'Disabling'} complete-on-space\n")
            case ["terminal", "ansi" | "vt100" | "xterm"] | ["timestamp", "disable"]:
                return Reply()
            case _:
                at = line.words[0] if line.words else Word("", line.end)
                raise commands.unknown(at, first=False, switches=self.device.switches)

    def request_reboot(self, line: _Line) -> Reply:
        self._unpiped(line)

        def reboot(agreed: bool) -> Reply:
            if agreed:
                self.device.reboot()
            return Reply(close=agreed)

        self._question = Question(prompt=_ASK_REBOOT, answer=reboot, otherwise=False)
        return Reply()

    def status(self, line: _Line) -> Reply:
        """Who is in configuration mode."""
        self._unpiped(line)
        return Reply(text=self._editors(self.database.editors))

    def _editors(self, editors: Sequence[Editor]) -> str:
        listed = "".join(f"  {each.described()}\n      {each.place()}\n" for each in editors)
        return f"Users currently editing the configuration:\n{listed}" if listed else ""

    def request_logout(self, line: _Line) -> Reply:
        """Breaks a lock that was left behind (`request system logout pid`, Junos CLI guide)."""
        self._unpiped(line)
        found = commands.options(line.words, line.end, self.device.switches, values="pid")
        editors = [each for each in self.database.editors if str(each.pid) == found.get("pid")]
        for each in editors:
            self.database.leave(each)
            if isinstance(each, SrxCli):
                each._boot = -1
        return Reply()

    # --- configuration shown --------------------------------------------------------------------------------------

    def show_active(self, line: _Line) -> Reply:
        """`show configuration`: its head names the last commit; a part of it has none (Junos captures)."""
        read = pipes.read(line.pipes, configuration=True)
        text = self._configuration(self.database.active, (), line, read)
        last = self.database.history[0]
        stamp = self.database.stamp(last.at)
        plain = not line.words and read.display == "braces" and read.compare is None
        head = f"## Last commit: {stamp} by {last.user}\n" if plain else ""
        return Reply(text=read.filtered(head + text))

    def _configuration(self, root: Node, base: Path, line: _Line, read: Pipes) -> str:
        self._paged = read.paged
        reader = self._reader(site=True)
        path = reader.path(base, ROOT, line.words, line.end)
        _known(root, path, line)
        if read.compare is not None:
            return self._compared(root, path, read.compare)
        shown = folded(root, self.device.model, self.device.switches) if read.inherited else root
        return shows.configuration(self.device, shown, path, read.display)

    def _compared(self, root: Node, path: Path, number: int) -> str:
        if number >= len(self.database.history):
            raise Refused(f"error: rollback {number} does not exist\n")  # own words
        old = self.database.active if number == 0 else self.database.history[number].tree
        return compare(shows.only(old, path), shows.only(root, path), self.device.switches)

    # --- configuration mode ---------------------------------------------------------------------------------------

    def _reader(self, *, site: bool = False) -> Reader:
        return Reader(model=self.device.model, switches=self.device.switches, short=True, site=site)

    def _edit(self, line: _Line) -> Reply:
        if line.words[0].text == "top" and len(line.words) > 1:
            return self._from_top(_Line(line.words[1:], line.pipes, line.end))
        if any(line.words[0].text == verb for verb in editing.VERBS):
            return self._change(line)
        try:
            handler, rest = _CONFIGURATION.find(line.words, line.end, self.device.switches)
        except Misread as misread:
            raise Misread(Wrong(misread.wrong.at, misread.wrong.word, _config_text(misread))) from None
        return handler(self, _Line(rest, line.pipes, line.end))

    def _from_top(self, line: _Line) -> Reply:
        base, self._base = self._base, ()
        try:
            reply = self._edit(line)
        finally:
            if line.words[0].text != "edit":
                self._base = base
        return reply

    def _change(self, line: _Line) -> Reply:
        self._unpiped(line)
        self.database.may_edit(self)
        if line.words[0].text == "delete" and len(line.words) == 1:
            return self._ask_delete()
        edit = editing.Edit(self.database.candidate, self._reader(), self._base)
        edit.run(line.words, line.end)
        return Reply(text="".join(f"{text}\n" for text in edit.said))

    def _ask_delete(self) -> Reply:
        def delete(agreed: bool) -> Reply:
            node = tree.find(self.database.candidate, self._base) if agreed else None
            if node is not None:
                node.children.clear()
            return Reply()

        self._question = Question(prompt=_ASK_DELETE, answer=delete, otherwise=False)
        return Reply(text="This will delete the entire configuration\n" if not self._base else "")

    def show_candidate(self, line: _Line) -> Reply:
        read = pipes.read(line.pipes, configuration=True)
        return Reply(text=read.filtered(self._configuration(self.database.candidate, self._base, line, read)))

    def run_operational(self, line: _Line) -> Reply:
        if not line.words:
            raise Misread(Wrong(line.end, "", answers.MISSING))
        handler, _ = _OPERATIONAL.find(line.words, line.end, self.device.switches)
        if handler in (SrxCli.configure, SrxCli.leave_device):
            raise Misread(Wrong(line.words[0].at, line.words[0].text, answers.UNKNOWN))
        return self._operate(line)

    def go_to(self, line: _Line) -> Reply:
        self._unpiped(line)
        there = editing.parts_of(self._reader(), self._base, line.words, line.end)
        self._levels.append(self._base)
        self._base = there
        return Reply()

    def go_up(self, line: _Line) -> Reply:
        self._unpiped(line)
        steps = int(line.words[0].text) if line.words and line.words[0].text.isdigit() else 1
        self._base = self._base[: max(0, len(self._base) - steps)]
        return Reply()

    def go_top(self, line: _Line) -> Reply:
        self._unpiped(line)
        self._base, self._levels = (), []
        return Reply()

    def leave_level(self, line: _Line) -> Reply:
        self._unpiped(line)
        if not self._base:
            return self.leave_mode(line)
        self._base = self._levels.pop() if self._levels else ()
        return Reply()

    def leave_mode(self, line: _Line) -> Reply:
        """Asks where there is something uncommitted; an exclusive session loses it (Junos CLI guide)."""
        self._unpiped(line)
        if not self.database.dirty:
            return self._left()
        if self.database.exclusive is self:
            self._question = Question(prompt=_ASK_EXCLUSIVE, answer=self._discarded, otherwise=True)
            warning = "warning: Auto rollback on exiting 'configure exclusive'\n"
            return Reply(text=f"{answers.UNCOMMITTED}\n{warning}")
        self._question = Question(
            prompt=_ASK_SHARED, answer=lambda agreed: self._left() if agreed else Reply(), otherwise=True
        )
        return Reply(text=f"{answers.UNCOMMITTED}\n")

    def _discarded(self, agreed: bool) -> Reply:
        if not agreed:
            return Reply()
        self.database.discard()
        said = f"warning: discarding uncommitted changes\n{answers.LOAD_COMPLETE}\n"
        return Reply(text=f"{said}{self._left().text}")

    def _left(self) -> Reply:
        self.database.leave(self)
        self.mode, self._base, self._levels = "operational", (), []
        return Reply(text=f"{answers.EXITING}\n")

    def roll_back(self, line: _Line) -> Reply:
        self._unpiped(line)
        self.database.may_edit(self)
        number = "0"
        if line.words:
            number = self._reader().value(values.number(0, 49), line.words, 0, line.end)
        self.database.rollback(int(number))
        return Reply(text=f"{answers.LOAD_COMPLETE}\n")

    def load(self, line: _Line) -> Reply:
        """`load set terminal`: lines until ^D (vJunos-router session)."""
        self._unpiped(line)
        match [word.text for word in line.words]:
            case ["set", "terminal"]:
                self._relative = False
            case ["set", "terminal", "relative"]:
                self._relative = True
            case _:
                at = line.words[0] if line.words else Word("", line.end)
                raise Misread(Wrong(at.at, at.text))
        self.database.may_edit(self)
        self._loading = []
        return Reply(text=f"{answers.TYPE_END}\n")

    def _loaded(self, typed: str) -> Reply:
        lines = [*(self._loading or ()), *([typed] if typed.strip() else [])]
        self._loading = None
        reader = Reader(model=self.device.model, switches=self.device.switches)
        base = self._base if self._relative else ()
        return Reply(text=editing.load_set(self.database.candidate, lines, reader, base))

    # --- commits --------------------------------------------------------------------------------------------------

    def commit(self, line: _Line) -> Reply:
        self._unpiped(line)
        self.database.may_edit(self)
        asked = _commit(line)
        if self.device.mishaps.commit_failures:
            return self._slowly(self.device.mishaps.commit_failures.pop(0))
        try:
            said = self._committed(asked)
        except Refused as refused:
            return self._slowly(refused.text)
        left = self._left().text if asked.quit else ""
        return self._slowly(said + left)

    def _committed(self, asked: _Commit) -> str:
        if asked.check:
            self.database.check()
            return self._per_node(answers.CHECK_OK, answers.CHECK_OK)
        self.database.commit(self.user, comment=asked.comment, minutes=asked.minutes)
        promise = ""
        if asked.minutes is not None:
            plural = "minutes unless confirmed"
            promise = f"commit confirmed will be automatically rolled back in {asked.minutes} {plural}\n"
        return promise + self._per_node(answers.CHECK_OK, answers.COMMIT_OK)

    def _per_node(self, first: str, last: str) -> str:
        """In a cluster, a line for each node, by analogy with two routing engines."""
        if self.device.mate is None or not self.device.switches.commit_nodes:
            return f"{last}\n"
        return f"node0:\n{first}\nnode1:\n{last}\n" + (f"node0:\n{last}\n" if first != last else "")

    def _slowly(self, text: str) -> Reply:
        return Reply(text=text, seconds=self.device.mishaps.commit_seconds)


def _known(root: Node, path: Path, line: _Line) -> None:
    """What is not understood must at least be there: else it is no statement."""
    free = [part.statement.kind == "free" for part in path].count(True)
    for at in range(len(path) - free, len(path)):
        if tree.find(root, path[: at + 1]) is None:
            word = line.words[at - len(path)]
            raise Misread(Wrong(word.at, word.text))


@dataclass(slots=True)
class _Commit:
    check: bool = False
    quit: bool = False
    comment: str = ""
    minutes: int | None = None


def _commit(line: _Line) -> _Commit:
    """`check`, `confirmed [N]`, `comment "…"`, `and-quit`."""
    made, at = _Commit(), 0
    while at < len(line.words):
        word = line.words[at]
        if word.text == "check" and len(line.words) == 1:
            made.check = True
        elif word.text == "and-quit":
            made.quit = True
        elif word.text == "comment" and at + 1 < len(line.words):
            at += 1
            made.comment = line.words[at].text
        elif word.text == "confirmed":
            made.minutes = 10
            if at + 1 < len(line.words) and re.fullmatch(r"\d+", line.words[at + 1].text):
                at += 1
                made.minutes = _minutes(line.words[at])
        else:
            raise Misread(Wrong(word.at, word.text))
        at += 1
    return made


def _minutes(word: Word) -> int:
    if not 1 <= int(word.text) <= 65_535:
        text = f"number: '{word.text}': Value must be a number from 1 to 65535 at '{word.text}'"
        raise Misread(Wrong(word.at, word.text, text))
    return int(word.text)


def _config_text(misread: Misread) -> str:
    """Configuration mode knows one text for words that are none of its commands."""
    text = misread.wrong.text
    return answers.UNKNOWN if text == answers.EXPECTING else text


_Handler: TypeAlias = Callable[[SrxCli, _Line], Reply]


def _show(make: shows.Show) -> _Handler:
    """A show command whose words are options."""

    def handler(cli: SrxCli, line: _Line) -> Reply:
        asked = shows.Asked(cli=cli, device=cli.device, words=line.words, end=line.end)
        return cli.shown(shows.per_node(make, asked), line)

    return handler


_OPERATIONAL: Final[Table[_Handler]] = Table(
    {
        "configure ...": SrxCli.configure,
        "exit": SrxCli.leave_device,
        "quit": SrxCli.leave_device,
        "set cli ...": SrxCli.terminal_setting,
        "request system reboot": SrxCli.request_reboot,
        "request system logout ...": SrxCli.request_logout,
        "show configuration ...": SrxCli.show_active,
        **{name: _show(make) for name, make in shows.COMMANDS.items()},
    }
)
_CONFIGURATION: Final[Table[_Handler]] = Table(
    {
        "commit ...": SrxCli.commit,
        "edit ...": SrxCli.go_to,
        "exit": SrxCli.leave_level,
        "exit configuration-mode": SrxCli.leave_mode,
        "quit": SrxCli.leave_level,
        "load ...": SrxCli.load,
        "rollback ...": SrxCli.roll_back,
        "run ...": SrxCli.run_operational,
        "show ...": SrxCli.show_candidate,
        "status": SrxCli.status,
        "top": SrxCli.go_top,
        "up ...": SrxCli.go_up,
    }
)
