"""One login: the prompt, the banner to accept, questions, the pager, and where each line goes.

Byte framing: oxidized's recorded 7.4.8 session (echo ended by CR CR LF, a blank line before the prompt, ``--More--``
erased with CR, nine blanks, CR). Prompts: oxidized's prompt list and gnetcli.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.emulators.console import Cli, Pager, Reply
from lab.emulators.fortios import answers, words
from lab.emulators.fortios.answers import Refusal
from lab.emulators.fortios.editing import Editor
from lab.emulators.fortios.pipe import piped
from lab.emulators.fortios.schema import CONSOLE, SYSTEM
from lab.emulators.fortios.shell import Question, Shell, Visit

if TYPE_CHECKING:
    from lab.emulators.fortios.device import FortiGate

PAGE: Final = Pager(rows=24, marker="--More-- ", erase="\r         \r")
ACCEPT: Final = "(Press 'a' to accept):"
_ECHOED, _PRINTED = "\r\r\n", "\r\n"
_HELP: Final = {
    "config": "Configure object.",
    "get": "Get dynamic and system information.",
    "show": "Show configuration.",
    "diagnose": "Diagnose facility.",
    "execute": "Execute static commands.",
    "exit": "Exit the CLI.",
}


def shortened(name: str, *, cut: bool) -> str:
    """A long name as prompts have it (``forti-fw~-01``)."""
    return f"{name[:8]}~{name[-3:]}" if cut and len(name) > 24 else name


class FortiCli(Cli):
    """One login on one box."""

    def __init__(self, box: FortiGate, user: str) -> None:
        self.box, self.user = box, user
        self.editor = Editor(box, box.admin(user))
        self.shell = Shell(box, user, self.editor)
        self._generation, self._multi = box.generation, box.multi
        self._seen = box.clock.monotonic()
        self._begun = ""  # lines that end in a backslash
        self._question: Question | None = None
        self._visit: Visit | None = None  # a password is asked for
        self._tries = 0
        self._there: FortiCli | None = None
        self._accepting = box.config.single(SYSTEM, "post-login-banner") == "enable"
        self._over = False
        self._blank = False  # whether the prompt has a blank line before it

    # --- the screen -----------------------------------------------------------------------------------------------

    @property
    def prompt(self) -> str:
        if self._over:
            return ""
        if self._there is not None:
            return self._there.prompt
        if self._visit is not None:
            where = f"169.254.0.{2 if self.box.primary else 1}"
            long = self.box.switches.manage_long_prompt
            return f"{self._visit.user}@{where}'s password: " if long else f"{self._visit.user}@password: "
        if self._accepting:
            return ACCEPT
        if self._question is not None:
            return ""
        if self._begun:
            return "> "
        return f"{_PRINTED if self._blank else ''}{self._name()} {'#' if self.editor.admin.everywhere else '$'} "

    def _name(self) -> str:
        cut = self.box.switches.long_host_names_cut
        name = shortened(self.box.hostname, cut=cut)
        if self.box.switches.ha_prompt and self.box.peer is not None:
            name += "(Primary)" if self.box.primary else "(Secondary)"
        label = self.editor.label
        return name if label is None else f"{name} ({shortened(label, cut=cut)})"

    @property
    def hidden(self) -> bool:
        return self._visit is not None if self._there is None else self._there.hidden

    @property
    def pager(self) -> Pager | None:
        if self._there is not None:
            return self._there.pager
        return PAGE if self.box.config.single(CONSOLE, "output") == "more" else None

    def welcome(self) -> str:
        return f"{self.box.post_banner}\n" if self._accepting else ""

    def echo(self, typed: str, key: str) -> str:
        """The key; the line is wrapped at the width of the screen, if it has one."""
        self.newline = _ECHOED
        if self._there is not None:
            return self._there.echo(typed, key)
        width = self.box.switches.echo_width
        column = len(self._name()) + 3 + len(typed)
        return f"{key}\r\n" if width and (column + 1) % width == 0 else key

    def control(self, key: str, typed: str) -> Reply | None:
        self.newline = _PRINTED
        if key == "?":
            self._blank = True
            return Reply(text=self._help(typed))
        if key == "^C":
            self._begun, self._question, self._blank = "", None, False
            return Reply()
        return None

    def _help(self, typed: str) -> str:
        """What may stand here, one a line; only of the first word."""
        known = _HELP.items() if self.editor.shell else ()
        return "".join(f"{word:<12}{text}\n" for word, text in known if word.startswith(typed.strip()))

    def closed(self) -> None:
        """A transaction stays until its time is out (administration guide, workspace mode)."""
        self.editor.frames.clear()
        if self._there is not None:
            self._there.closed()

    # --- lines ----------------------------------------------------------------------------------------------------

    def answer(self, line: str) -> Reply:
        self.newline = _PRINTED
        reply = self._reply(line)
        self._over = reply.close
        return reply

    def _reply(self, line: str) -> Reply:
        before, now = self._seen, self.box.clock.monotonic()
        if self._is_over(now):
            return Reply(close=True)
        self._seen = now
        if self._there is not None:
            return self._from_there(line)
        if self._visit is not None:
            return self._password(line)
        self._blank = bool(line.strip())
        warned = self._transaction_news(before, now)
        self.box.tick()
        if self._generation != self.box.generation:
            return Reply(close=True)
        reply = self._answered(line)
        if self.editor.transaction is not None:
            self.editor.transaction.touched = now
        return Reply(text=warned + reply.text, seconds=reply.seconds, close=reply.close)

    def _password(self, typed: str) -> Reply:
        """Three tries, as ssh has it."""
        visit = self._visit
        assert visit is not None
        if visit.box.access.users.get(visit.user) == typed:
            self._visit, self._there = None, FortiCli(visit.box, visit.user)
            self._there._blank = True
            return Reply()
        self._tries += 1
        if self._tries < 3:
            return Reply(text="Permission denied, please try again.\n")
        self._visit, self._blank = None, True
        return Reply(text="Permission denied (publickey,password,keyboard-interactive).\n")

    def _from_there(self, line: str) -> Reply:
        assert self._there is not None
        reply = self._there.answer(line)
        if not reply.close:
            return reply
        self._there.closed()
        self._there, self._blank = None, True
        return Reply(text=reply.text, seconds=reply.seconds)

    def _is_over(self, now: float) -> bool:
        """The box rebooted, or nothing was typed for ``admintimeout`` minutes."""
        minutes = float(self.box.config.single(SYSTEM, "admintimeout"))
        return self._generation != self.box.generation or now - self._seen >= 60 * minutes

    def _transaction_news(self, before: float, now: float) -> str:
        transaction = self.editor.transaction
        if transaction is None:
            return ""
        said = transaction.warnings(before, now)
        if transaction.expires() <= now:
            self.box.end_transaction(transaction)
            self.editor.transaction = None
            self.editor.frames.clear()
        return said

    def _answered(self, line: str) -> Reply:
        if self._accepting:
            self._accepting = line.strip().lower() != "a"
            self._blank = False
            return Reply()
        if self._question is not None:
            return self._decided(line)
        if line.endswith("\\"):
            self._begun += line[:-1]
            return Reply()
        whole, self._begun = self._begun + line, ""
        limit = self.box.switches.line_limit
        if limit and len(whole) > limit:
            return Reply(text=answers.unknown_word(whole[:limit].split()[-1]).text)  # likely
        try:
            return self._run(whole)
        except Refusal as refused:
            return Reply(text=refused.text)

    def _decided(self, line: str) -> Reply:
        """One key is enough for the box; here it comes with the line."""
        question, self._question = self._question, None
        assert question is not None
        if line.strip().lower() != "y":
            return Reply()
        question.then()
        over = self._generation != self.box.generation
        return Reply(close=over)

    def _run(self, line: str) -> Reply:
        read = words.read(line)
        if not read.words:
            return Reply()
        if read.words[0] in ("exit", "quit") and not self.editor.frames:
            return Reply(close=True)
        said = self._said(read.words)
        if read.pipe is not None:
            return Reply(text=piped(said, read.pipe))
        return self._maybe_out(said)

    def _said(self, command: words.Words) -> str:
        said = self.editor.run(command)
        asked = self.shell.run(command) if said is None else said
        if asked is None:
            if self.editor.frame is None or self.editor.shell:
                raise Refusal(answers.UNKNOWN_ACTION)
            raise answers.unknown_word(command[0])
        if isinstance(asked, Question):
            self._question = asked
            return asked.text
        if isinstance(asked, Visit):
            self._visit, self._tries = asked, 0
            where = f"169.254.0.{2 if self.box.primary else 1}"
            warning = f"Warning: Permanently added '{where}' (ED25519) to the list of known hosts.\n"
            return warning if self.box.switches.manage_long_prompt else ""
        return asked

    def _maybe_out(self, said: str) -> Reply:
        """Turning vdoms on or off ends the session: its contexts mean something else now."""
        if self.box.multi != self._multi:
            return Reply(text=f"You will be logged out for the operation to take effect.\n{said}", close=True)
        return Reply(text=said)
