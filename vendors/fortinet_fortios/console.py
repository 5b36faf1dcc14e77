"""The command line of a FortiGate, and where on it our tables are: at the top, or inside a VDOM.

netmiko's preparation of a session writes `config system console` and is never run: the pager is answered instead.
Inside `config vdom` a name that does not exist makes a new VDOM, so the list of VDOMs is asked first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Session
from vendors.errors import LineRefused, NotPrivileged, Refused, Unreadable
from vendors.fortinet_fortios.facts import GLOBAL, MANAGED, STATUS, Status, is_refusal, status_from
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.fortinet_fortios.render import Block
from vendors.fortinet_fortios.syntax import table_of
from vendors.shell import Dialect, Said, Shell

DIALECT: Final = Dialect(
    driver="fortinet",
    prompt=r"(?P<host>[\w.~-]+)(?:\([A-Za-z]+\))? (?:\([^()\r\n]*\) )?[#$] ",
    pager=r"--More-- ",
    greetings=((r"to accept\W*", "a\n"),),
    noise=r"config transaction id=\d+ will expire in \d+ seconds\r*\n",
)
VDOMS: Final = "show system vdom-property"
VDOMS_TOO: Final = "diagnose sys vd list"
VDOMS_LAST: Final = "show | grep ^edit"
LONG: Final = timedelta(seconds=60)

_VDOM_NAME: Final = re.compile(r"^name=([^/\s]+)", re.MULTILINE)
_VDOM_AT_EDGE: Final = re.compile(r'^edit "?([\w-]+)"?$', re.MULTILINE)
_PLACE: Final = re.compile(r"\((?P<place>[^()]*)\) [#$] \Z")
_REFUSALS: Final = re.compile(
    r"Command fail\.?|Return code -?\d+|Unknown action|parse error|incomplete command|discard the setting"
    r"|Unmatched double quote|Can not config the object|[Pp]ermission denied|has expired|not found in datasource",
)


def place_of(prompt: str) -> str:
    """What stands in the parentheses of a prompt; empty at the top."""
    found = _PLACE.search(prompt)
    return found["place"] if found else ""


def refusal(said: Said) -> str | None:
    """Why an answer is a refusal, in the device's words. Any other words are left to the read-back to judge."""
    if not _REFUSALS.search(said.text):
        return None
    return " / ".join(line.strip() for line in said.text.splitlines() if line.strip())[:300]


def refused_entry(said: Said, table: str) -> str | None:
    """As ``refusal``; an `edit` that opened nothing is one too: what follows would be typed at the wrong place."""
    why = refusal(said)
    if why is None and said.line.startswith("edit ") and place_of(said.prompt) in (table, ""):
        return f"the entry was not opened: the prompt is {said.prompt.strip()!r}"
    return why


@dataclass(slots=True, kw_only=True)
class Console:
    """One shell of one login, at the place where our tables are."""

    shell: Shell
    options: FortinetFortiosOptions
    device: DeviceName
    status: Status
    base: str = ""
    """The prompt at that place."""
    answers: list[Said] = field(default_factory=list)
    lines: int = 0
    """How many lines were sent."""
    vdom_index: int | None = None
    """The number of the VDOM that was entered; None on a device without."""

    def ask(self, line: str, *, timeout: timedelta | None = LONG) -> Said:
        self.lines += 1
        return self.shell.ask(line, timeout=timeout)

    def told(self, line: str) -> Said:
        """A question whose answer belongs to the reading. Raises ``NotPrivileged`` when it is refused."""
        said = self.ask(line)
        if is_refusal(said.text):
            raise NotPrivileged(
                f"`{line}` was refused: {refusal(said) or said.text.strip()[:200]}",
                hint="see the rights in docs/vendors/fortinet_fortios.md",
                device=self.device,
            )
        self.answers.append(said)
        return said

    # --- going there ----------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """To the tables of ours. What is asked on the way (settings of the whole device) joins ``answers``."""
        if not self.status.vdoms:
            self._settings()
            self.base = self.answers[-1].prompt
            return
        self._at("config global", "global")
        self._settings()
        known = self._vdoms()
        self._at("end", "")
        self._refuse_unknown_vdom(known or self._vdoms_of_all())
        self._at("config vdom", "vdom")
        vdom = self.options.vdom or ""
        said = self.ask(f"edit {vdom}")
        found = re.search(rf"current vf={re.escape(vdom)}:(\d+)", said.text)
        if found is None or place_of(said.prompt) != vdom:
            raise Unreadable(f"VDOM {vdom} could not be entered: {said.text.strip()[:200]!r}", device=self.device)
        self.vdom_index = int(found[1])
        self.answers.append(said)
        self.base = said.prompt

    def _settings(self) -> None:
        for line in (GLOBAL, MANAGED):
            self.told(line)

    def _at(self, line: str, place: str) -> None:
        said = self.ask(line)
        if refusal(said) is not None or place_of(said.prompt) != place:
            raise NotPrivileged(
                f"`{line}` was refused: {said.text.strip()[:200]!r} {said.prompt.strip()}",
                hint="a device with VDOMs needs an account with global rights",
                device=self.device,
            )

    def _refuse_unknown_vdom(self, known: frozenset[str]) -> None:
        if self.options.vdom not in known:
            raise Refused(
                f"there is no VDOM {self.options.vdom}; the device has {', '.join(sorted(known))}; nothing was sent",
                hint="`edit` of a name that is not there would make a new VDOM",
                device=self.device,
            )

    def _vdoms(self) -> frozenset[str]:
        """By what costs the device little; which of the two there is depends on the release. Empty: neither."""
        said = self.ask(VDOMS)
        if not is_refusal(said.text):
            return frozenset(entry.name for entry in table_of(said.text, "system vdom-property").entries)
        said = self.ask(VDOMS_TOO)
        return frozenset() if is_refusal(said.text) else frozenset(_VDOM_NAME.findall(said.text))

    def _vdoms_of_all(self) -> frozenset[str]:
        """From the whole configuration, in which only VDOMs stand at the edge."""
        said = self.ask(VDOMS_LAST)
        known = frozenset(_VDOM_AT_EDGE.findall(said.text))
        if is_refusal(said.text) or not known:
            raise Unreadable("the list of VDOMs could not be read", device=self.device)
        return known

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, block: Block) -> None:
        """One table's lines. Raises ``LineRefused`` at the first refusal; call ``back`` then."""
        self._step(f"config {block.path}", place=block.path.split()[-1])
        table = block.path.split()[-1]
        if block.together:
            self.lines += len(block.lines)
            self.shell.stream(block.lines, lambda said: refused_entry(said, table))
        else:
            for line in block.lines:
                self._step(line, table=table)
        said = self._step("end")
        if said.prompt != self.base:
            raise self._refused(said, f"the prompt is {said.prompt.strip()!r}, not {self.base.strip()!r}")

    def _step(self, line: str, *, place: str | None = None, table: str = "") -> Said:
        said = self.ask(line)
        why = refused_entry(said, table) if table else refusal(said)
        if why is None and place is not None and place_of(said.prompt) != place:
            why = f"the prompt is {said.prompt.strip()!r}, not that of {place}"
        if why is not None:
            raise self._refused(said, why)
        return said

    def _refused(self, said: Said, why: str) -> LineRefused:
        return LineRefused(index=0, said=said, answered=(said,), reason=why, device=self.device)

    def do(self, line: str, *, timeout: timedelta | None = LONG) -> str | None:
        """A command at our place: None when it was taken, else why not."""
        return refusal(self.ask(line, timeout=timeout))

    def back(self) -> None:
        """Out of whatever was open when a line was refused, without keeping it."""
        prompt = self.ask("").prompt
        for _ in range(4):
            if prompt == self.base:
                return
            prompt = self.ask("abort").prompt
        raise Unreadable(f"the command line did not come back to {self.base.strip()}", device=self.device)


@contextmanager
def opened(session: Session, options: FortinetFortiosOptions, device: DeviceName) -> Iterator[Console]:
    """A command line of the login at the place where our tables are.

    Raises ``Refused`` when the device has VDOMs and none is named, or none of that name.
    """
    with session.shell(DIALECT) as shell:
        said = shell.ask(STATUS, timeout=LONG)
        status = status_from(said.text)
        _refuse_mismatch(status, options, device)
        console = Console(shell=shell, options=options, device=device, status=status, answers=[said], lines=1)
        console.enter()
        yield console


def _refuse_mismatch(status: Status, options: FortinetFortiosOptions, device: DeviceName) -> None:
    if status.vdoms and options.vdom is None:
        raise Refused("the device has VDOMs, and none is named; nothing was sent", hint="set `vdom`", device=device)
    if not status.vdoms and options.vdom is not None:
        raise Refused(
            f"the device has no VDOMs, and `vdom: {options.vdom}` is named; nothing was sent",
            hint="take `vdom` out of the device's options",
            device=device,
        )


def said_now(lines: Sequence[tuple[str, str]]) -> list[Said]:
    """Facts of ours that join a reading, as if they had been answered."""
    return [Said(line=line, text=text + "\n", prompt="") for line, text in lines]
