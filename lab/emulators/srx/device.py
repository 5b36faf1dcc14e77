"""The device and its sessions. Texts as in the gnetcli captures and the Junos CLI guide (configure exclusive)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Final

from core.clock import Clock, SystemClock
from lab.emulators.console import Cli, Reply
from lab.emulators.faults import Faults
from lab.emulators.server import Access

_BANNER: Final = "--- JUNOS 21.2R3.8 Kernel 64-bit  JNPR-12.1-20220119.55d6bc7_buil\n"
_EXCLUSIVE: Final = "warning: uncommitted changes will be discarded on exit\n"


@dataclass
class Srx:
    name: str = "srx"
    access: Access = field(default_factory=lambda: Access(users={"admin": "pw"}))
    faults: Faults = field(default_factory=Faults)
    lock: threading.RLock = field(default_factory=threading.RLock)
    clock: Clock = field(default_factory=SystemClock)
    exclusive: SrxCli | None = None
    logins: int = 0

    def login(self, user: str) -> Cli:
        self.logins += 1
        return SrxCli(self, user)


class SrxCli(Cli):
    """One login."""

    def __init__(self, device: Srx, user: str) -> None:
        self.device, self.user, self.editing = device, user, False
        self.terminal, self.since = device.logins - 1, device.clock.now()

    @property
    def prompt(self) -> str:
        """An empty line stands before it (gnetcli captures)."""
        who = f"{self.user}@{self.device.name}"
        return f"\n[edit]\n{who}# ".replace("\n", "\r\n") if self.editing else f"\r\n{who}> "

    def welcome(self) -> str:
        return _BANNER

    def answer(self, line: str) -> Reply:
        words = line.split()
        return Reply() if not words else self._edit(words) if self.editing else self._operate(words)

    def _operate(self, words: list[str]) -> Reply:
        setting = re.fullmatch(r"set cli screen-(width|length) (\d{1,4})", " ".join(words))
        if setting:
            return Reply(text=f"Screen {setting[1]} set to {int(setting[2])}\n")
        match words:
            case ["set", "cli", "complete-on-space", "off"]:
                return Reply(text="Disabling complete-on-space\n")
            case ["configure"] | ["configure", "exclusive"]:
                return self._configure(exclusive=len(words) == 2)
            case ["exit"]:
                return Reply(close=True)
            case _:
                return self._unknown("unknown command.")

    def _configure(self, *, exclusive: bool) -> Reply:
        if exclusive and self.device.exclusive is not None:
            return Reply(text=self.device.exclusive.holding())
        if exclusive:
            self.device.exclusive = self
        self.editing = True
        return Reply(text=f"{_EXCLUSIVE if exclusive else ''}Entering configuration mode\n")

    def holding(self) -> str:
        """Of the one who keeps others out. The idle time is counted from the login."""
        idle = int((self.device.clock.now() - self.since).total_seconds())
        since = f"{self.since:%Y-%m-%d %H:%M:%S} UTC, idle {idle // 3600:02}:{idle // 60 % 60:02}:{idle % 60:02}"
        who = f"{self.user} terminal p{self.terminal} (pid {4681 + self.terminal}) on since {since}"
        return f"error: configuration database locked by:\n  {who}\n      exclusive [edit]\n"

    def _edit(self, words: list[str]) -> Reply:
        if words not in (["exit"], ["exit", "configuration-mode"]):
            return self._unknown("unknown command.")
        self.closed()
        return Reply(text="Exiting configuration mode\n")

    def _unknown(self, text: str) -> Reply:
        return Reply(text=f"{' ' * len(self.prompt.split(chr(10))[-1])}^\n{text}\n")

    def closed(self) -> None:
        self.editing = False
        if self.device.exclusive is self:
            self.device.exclusive = None
