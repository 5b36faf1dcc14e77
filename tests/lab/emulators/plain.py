"""The plainest device there is, for the tests of the terminal and of the server: it says what it was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lab.emulators.console import Cli, Pager, Reply
from lab.emulators.faults import Faults
from lab.emulators.server import Access


class Parrot(Cli):
    """``say N`` prints N lines, ``slow`` takes its time, ``enable`` asks for a password, ``exit`` leaves."""

    def __init__(self, device: PlainDevice, user: str) -> None:
        self.device, self.user, self.asked = device, user, False

    @property
    def prompt(self) -> str:
        return "Password: " if self.asked else f"{self.user}@plain> "

    @property
    def hidden(self) -> bool:
        return self.asked

    @property
    def pager(self) -> Pager | None:
        return Pager(rows=3, marker="<--- More --->", erase="\r              \r") if self.device.paged else None

    def welcome(self) -> str:
        return "Welcome.\n"

    def answer(self, line: str) -> Reply:
        if self.asked:
            self.asked = False
            return Reply(text="Right.\n" if line == "secret" else "Wrong.\n")
        self.device.seen.append(line)
        match line.split():
            case ["say", count]:
                return Reply(text="".join(f"line {at}\n" for at in range(int(count))))
            case ["slow"]:
                return Reply(text="at last\n", seconds=0.05)
            case ["enable"]:
                self.asked = True
                return Reply()
            case ["exit"]:
                return Reply(text="Bye.\n", close=True)
            case _:
                return Reply(text=f"{line}\n" if line else "")

    def control(self, key: str, typed: str) -> Reply | None:
        return Reply(text=f"help for {typed!r}\n") if key == "?" else Reply() if key == "^C" else None

    def closed(self) -> None:
        self.device.left += 1


@dataclass
class PlainDevice:
    name: str = "plain"
    access: Access = field(
        default_factory=lambda: Access(users={"admin": "pw"}, max_sessions=2, too_many="Too many sessions\r\n")
    )
    faults: Faults = field(default_factory=Faults)
    lock: threading.RLock = field(default_factory=threading.RLock)
    paged: bool = False
    seen: list[str] = field(default_factory=list)
    left: int = 0

    def login(self, user: str) -> Cli:
        return Parrot(self, user)
