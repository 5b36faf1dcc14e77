"""One login on a PAN-OS firewall: prompts, modes, the terminal's settings, and who answers a line.

Framing as netmiko's driver expects it: in configure mode every prompt has its `[edit]` line before it, also after an
empty line. Settings of `set cli` belong to the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from lab.emulators.console import Cli, Pager, Reply
from lab.emulators.panos import answers, commands, schema
from lab.emulators.panos.answers import Invalid, Missing, Refused
from lab.emulators.panos.commands import Unknown
from lab.emulators.panos.device import PanOs
from lab.emulators.panos.tree import columns, quote, tokens

MORE: Final = "--more--"
_ERASE: Final = f"\r{' ' * len(MORE)}\r"
_ROWS: Final = 24
_WIDTH: Final = 80
Format = Literal["default", "set", "json", "xml"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something asked instead of a prompt."""

    prompt: str
    answer: Callable[[str], Reply]


class PanCli(Cli):
    def __init__(self, device: PanOs, user: str) -> None:
        self.device, self.user = device, user
        self.configuring = False
        self.level: tuple[str, ...] = ()
        """Where `edit` has gone, as typed."""
        self.paging, self.scripting, self.width = True, False, _WIDTH
        self.format: Format = "default"
        self.xml = False
        self.target = ""
        """The virtual system that `set system setting target-vsys` chose."""
        self._question: Question | None = None
        self._boot = device.boots
        self._before_this = [at for each, at in device.logins if each == user]

    # --- the terminal ---------------------------------------------------------------------------------------------

    @property
    def prompt(self) -> str:
        return self._question.prompt if self._question else self._before().replace("\n", "\r\n") + self.prompt_text

    def _before(self) -> str:
        level = "".join(f" {quote(word)}" for word in self.level)
        return f"[edit{level}]\n" if self.configuring else ""

    @property
    def prompt_text(self) -> str:
        role = f"({self.device.ha})" if self.device.ha else ""
        vsys = self.device.switches.vsys_prompt.format(self.target) if self.target else ""
        return f"{self.user}@{self.device.hostname}{vsys}{role}{'#' if self.configuring else '>'} "

    @property
    def pager(self) -> Pager | None:
        return Pager(rows=_ROWS, marker=MORE, erase=_ERASE) if self.paging else None

    def echo(self, typed: str, key: str) -> str:
        """At the edge of the terminal the line goes on in the next row, behind a blank and a return."""
        at = len(self.prompt_text) + len(typed)
        return f" \r{key}" if self._question is None and at and at % self.width == 0 else key

    def control(self, key: str, typed: str) -> Reply | None:
        """`?` lists what may follow, unless scripting mode is on; `^C` gives a fresh prompt."""
        if key == "^C":
            self._question = None
            return Reply()
        if key == "?" and not self.scripting and self._question is None and not typed.strip():
            return Reply(text="".join(f"  {word}\n" for word in self._table().first_words()))
        return None

    def welcome(self) -> str:
        if not self._before_this:
            return "\n"
        return f"Last login: {self.device.zone.local(self._before_this[-1]):%a %b %e %H:%M:%S %Y} from 192.0.2.12\n\n"

    def closed(self) -> None:
        self.configuring = False

    # --- lines ----------------------------------------------------------------------------------------------------

    def answer(self, line: str) -> Reply:
        if self._boot != self.device.boots:
            return Reply(close=True)
        self.device.tick()
        if self._question is not None:
            asked, self._question = self._question, None
            return asked.answer(line)
        if not line.strip():
            return Reply()
        reply = self._answered(line)
        wait = self.device.mishaps.prompt_takes
        return Reply(text=reply.text, seconds=reply.seconds + wait, close=reply.close)

    def _answered(self, line: str) -> Reply:
        words = tokens(line)
        try:
            meaning, arguments = self._table().find(_readable(words))
            done = meaning(self, arguments)
            return done if isinstance(done, Reply) else Reply(text=self.framed(done))
        except Unknown as unknown:
            return self._said(answers.unknown(str(unknown)))
        except Invalid as invalid:
            return self._said(*self._marked(line, invalid.token))
        except Missing:
            return self._missing(line)
        except Refused as refused:
            prefix = self.device.switches.error_prefix
            first, *others = refused.lines
            return self._said(first if first.startswith("Server error") else prefix + first, *others)

    def framed(self, text: str) -> str:
        """Output stands between empty lines; where there is none, configure mode prints one empty line."""
        if text:
            return f"\n{text}\n"
        return "\n" if self.configuring else ""

    def _said(self, *lines: str) -> Reply:
        return Reply(text="".join(f"{line}\n" for line in (*lines, "")))

    def _missing(self, line: str) -> Reply:
        told = self.device.switches.missing
        return self._said(*self._marked(line, -1)) if told == answers.INVALID else self._said(told)

    def _marked(self, line: str, token: int) -> list[str]:
        """`Invalid syntax.`, mostly under a caret."""
        if not self.device.switches.caret:
            return [answers.INVALID]
        places = columns(line) if tokens(line) else []
        shift = len(self.prompt_text)
        at = places[token] if 0 <= token < len(places) else len(line.rstrip())
        return [f"{' ' * (shift + at)}^", answers.INVALID]

    def _table(self) -> Table:
        from lab.emulators.panos import configuring, operations  # both know the session

        return configuring.TABLE if self.configuring else operations.TABLE

    # --- for those who answer -------------------------------------------------------------------------------------

    def ask(self, prompt: str, answer: Callable[[str], Reply]) -> Reply:
        self._question = Question(prompt=prompt, answer=answer)
        return Reply()

    @property
    def home(self) -> str | None:
        """The virtual system that lines without one are about."""
        if not self.device.model.multi_vsys:
            return schema.ONLY
        return self.target or None

    def rooted(self, words: list[str], *, verb: int = 1) -> list[str]:
        """The words of a line in configure mode from the root; errors point into the line as typed."""
        typed = [*self.level, *words]
        if not typed:
            raise Invalid(verb)
        if typed[0] == "vsys" and not self.device.model.multi_vsys:
            raise Invalid(verb)
        try:
            return schema.rooted(typed, vsys=self.home)
        except Invalid:
            raise Invalid(verb) from None


def _readable(words: list[str] | None) -> list[str]:
    """A quote that is left open makes no line."""
    if words is None:
        raise Invalid
    return words


Handler = Callable[[PanCli, list[str]], Reply | str]
Table = commands.Table[Handler]
