"""The other units of a cluster: each counts what it forwarded itself (Fortinet community, tip 392430).

`get system ha status` names them, `execute ha manage INDEX USER` opens a command line on one through the heartbeat
link, and asks for the password there (community tip 198142, 6.2 and later):

    FGT-A # execute ha manage 1 admin
    Warning: Permanently added '169.254.0.2' (ED25519) to the list of known hosts.
    admin@169.254.0.2's password:
    FGT-B #

Only counters are asked there: nothing is ever written on another unit. A unit is believed by its serial number alone,
which it tells itself: which of the two numbers in the status is the index is on no public record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Session
from vendors.errors import DeviceError, Unreadable
from vendors.fortinet_fortios.console import DIALECT, LONG, place_of, refusal
from vendors.fortinet_fortios.facts import STATUS, status_from
from vendors.fortinet_fortios.options import ClusterOptions
from vendors.shell import Said, Shell

MEMBERS: Final = "get system ha status"
UNIT: Final = "unit "
"""Begins the name of an answer that another unit gave: its serial number, a colon, the question."""
NOT_READ: Final = "not read"
_WHO: Final = re.compile(
    r"^(?:(?:Primary|Secondary|Master|Slave)\s*:\s*)?(?P<host>[^\s,:]+)\s*, (?P<serial>[A-Za-z0-9]{10,})"
    r", (?:HA )?cluster index = (?P<index>\d+)\s*$",
    re.MULTILINE,
)
_PLACE: Final = re.compile(
    r"^(?:Primary|Secondary|Master|Slave)\s*: (?P<serial>[A-Za-z0-9]{10,}), (?:HA operating|operating cluster) "
    r"index = (?P<index>\d+)\s*$",
    re.MULTILINE,
)
_ASKED: Final = r"[Pp]assword: ?"  # what is asked


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a cluster. ``indexes``: what may be its number, the likelier first."""

    serial: str
    host: str
    indexes: tuple[str, ...]


def units_from(text: str) -> tuple[Unit, ...]:
    """All units. Raises ``Unreadable`` when the status names none, or one twice."""
    places = {found["serial"]: found["index"] for found in _PLACE.finditer(text)}
    found = tuple(
        Unit(who["serial"], who["host"], tuple(dict.fromkeys((places.get(who["serial"], who["index"]), who["index"]))))
        for who in _WHO.finditer(text)
    )
    if not found or len({unit.serial for unit in found}) != len(found):
        raise Unreadable(f"`{MEMBERS}` does not name the units of the cluster: {text.strip()[:80]!r}")
    return found


def others_told(
    session: Session, own: str, options: ClusterOptions, *, vdom: str | None, questions: tuple[str, ...]
) -> Iterator[Said]:
    """The status of the cluster, and what every other unit answers; why not, of one that cannot be asked.

    Raises ``DeviceError`` only when the units are not told: without them nobody knows whose counters these are.
    """
    with session.shell(DIALECT) as shell:
        _to_global(shell, vdom)
        said = _asked(shell, MEMBERS)
    yield said
    for unit in units_from(said.text):
        if unit.serial != own:
            yield from _unit_told(session, unit, options, vdom=vdom, questions=questions)


def _unit_told(
    session: Session, unit: Unit, options: ClusterOptions, *, vdom: str | None, questions: tuple[str, ...]
) -> Iterator[Said]:
    why = ""
    for index in unit.indexes:
        try:
            with session.shell(DIALECT) as shell:
                _to_global(shell, vdom)
                there = _There(shell, unit, session.device)
                there.enter(index, options)
                answers = there.told(vdom, questions)
        except DeviceError as exc:
            why = exc.message
            continue
        yield from (Said(line=f"{UNIT}{unit.serial}: {said.line}", text=said.text, prompt="") for said in answers)
        return
    yield Said(line=f"{UNIT}{unit.serial}: {NOT_READ}", text=f"{why}\n", prompt="")


def _to_global(shell: Shell, vdom: str | None) -> None:
    if vdom is not None:
        _asked(shell, "config global")


def _asked(shell: Shell, line: str, until: str | None = None) -> Said:
    said = shell.ask(line, timeout=LONG, until=until)
    if why := refusal(said):
        raise Unreadable(f"`{line}` was refused: {why}")
    return said


@dataclass(frozen=True, slots=True)
class _There:
    """A command line on another unit, whose prompt has that unit's name."""

    shell: Shell
    unit: Unit
    device: DeviceName

    @property
    def _prompt(self) -> str:
        return rf"(?:\A|[\r\n]){re.escape(self.unit.host)}(?:\([A-Za-z]+\))? (?:\([^()\r\n]*\) )?[#$] "

    def enter(self, index: str, options: ClusterOptions) -> None:
        """Raises ``Unreadable`` unless the unit itself says that it is the one that was meant. The password is given
        once."""
        line = f"execute ha manage {index} {options.username}"
        said = self.shell.ask(line, timeout=timedelta(seconds=20), until=_ASKED)
        if not said.prompt.rstrip().endswith(":"):
            raise Unreadable(f"`{line}`: {' '.join(said.text.split())[:160]}", device=self.device)
        secret = options.password.resolve().reveal()
        given = self.shell.ask(secret, timeout=timedelta(seconds=20), until=f"(?:{_ASKED}|{self._prompt})", secret=True)
        if given.prompt.rstrip().endswith(":"):
            raise Unreadable("the password was refused there; it was given once", device=self.device)
        told = status_from(_asked(self.shell, STATUS, self._prompt).text)
        if told.serial != self.unit.serial:
            raise Unreadable(f"`{line}` leads to unit {told.serial}", device=self.device)

    def told(self, vdom: str | None, questions: tuple[str, ...]) -> tuple[Said, ...]:
        if vdom is not None:
            _asked(self.shell, "config vdom", self._prompt)
            entered = _asked(self.shell, f"edit {vdom}", self._prompt)
            if f"current vf={vdom}:" not in entered.text or place_of(entered.prompt) != vdom:
                raise Unreadable(f"VDOM {vdom} could not be entered there", device=self.device)
        return tuple(self.shell.ask(line, timeout=LONG, until=self._prompt) for line in questions)
