"""Facts that PAN-OS tells about itself in operational mode: model, role, pending changes, locks, jobs. Pure.

Forms: captures of 7.0, 9.1 (`show system info`), 6.1 (`show high-availability all`), 6.x job tables (ntc-templates).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vendors.errors import Unreadable
from vendors.paloalto_panos.setform import refuse_error

SYSTEM: Final = "show system info"
HA: Final = "show high-availability state"
PENDING: Final = "check pending-changes"
CHANGES: Final = "show config list change-summary"
PANORAMA: Final = "show panorama-status"
LOGIN: Final = "login"
"""Not a command: the name of the account that read, as its prompt shows it."""
LIMITS: Final = "show system state filter cfg.general.max*"
CONFIG_LOCKS: Final = "show config-locks"
COMMIT_LOCKS: Final = "show commit-locks"

BUDGET: Final = timedelta(seconds=900)
"""What a session needs at least: one validation and one commit of minutes each, and the reading around them."""

ACTIVE: Final = ("active", "active-primary")
_NO_HA: Final = re.compile(r"not enabled|disabled|not configured", re.IGNORECASE)
_STATE: Final = re.compile(r"^\s*State:\s*([a-z-]+)", re.MULTILINE)
_LOCAL: Final = re.compile(r"^\s*Local Information:", re.MULTILINE)
_PANORAMA_SERVER: Final = re.compile(r"^\s*Panorama Server\s*\d*\s*:\s*(\S+)", re.MULTILINE)
_LIMIT: Final = re.compile(r"^\s*cfg\.general\.(max-[a-z-]+):\s*(0x[0-9a-fA-F]+|\d+)\s*$", re.MULTILINE)

ADDRESS_LIMITS: Final[Mapping[str, int]] = {
    "PA-220": 2_500, "PA-220R": 2_500, "PA-410": 2_500, "PA-440": 10_000, "PA-450": 15_000, "PA-460": 15_000,
    "PA-820": 2_500, "PA-850": 3_500, "PA-3220": 30_000, "PA-3250": 30_000, "PA-3260": 30_000, "PA-3410": 30_000,
    "PA-3420": 30_000, "PA-3430": 30_000, "PA-3440": 30_000, "PA-5220": 80_000, "PA-5250": 160_000,
    "PA-5260": 160_000, "PA-5280": 160_000, "PA-5410": 80_000, "PA-5420": 120_000, "PA-5430": 160_000,
    "PA-5450": 160_000, "PA-7050": 160_000, "PA-7080": 160_000,
}  # fmt: skip
"""Address objects per model, from the vendor's capacity table (2022)."""
VM_ADDRESS_LIMIT: Final = 2_000
"""The smallest VM: how many CPUs one has, which decides, is not told by its model."""


_REFUSED: Final = re.compile(r"Invalid syntax|Unknown command|Server error\s*:|Permission denied|not authorized")


def is_refused(text: str) -> bool:
    """Whether a command was not carried out at all."""
    return _REFUSED.search(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """`show system info`."""

    hostname: str
    serial: str
    model: str
    version: str
    multi_vsys: bool
    time: datetime | None
    """The device's own clock in its own zone, which is not told."""

    @property
    def is_panorama(self) -> bool:
        return self.model.lower().startswith(("panorama", "m-"))


def system_from(text: str) -> System:
    """Raises ``Unreadable`` unless the answer is whole."""
    refuse_error(text, SYSTEM)
    facts = dict(_pair(line) for line in text.splitlines() if ":" in line)
    missing = [key for key in ("hostname", "model", "serial", "sw-version", "operational-mode") if key not in facts]
    if missing:
        raise Unreadable(f"`{SYSTEM}` does not tell {missing[0]}: it was cut off, or is of another product")
    return System(
        hostname=facts["hostname"],
        serial=facts["serial"],
        model=facts["model"],
        version=facts["sw-version"],
        multi_vsys=facts.get("multi-vsys") == "on",
        time=clock_from(facts.get("time", "")),
    )


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def clock_from(text: str) -> datetime | None:
    """``Wed Jul 22 11:15:56 2020`` in the device's zone, so without one; None when there is none."""
    try:
        return datetime.strptime(" ".join(text.split()), "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007  # the zone is not told
    except ValueError:
        return None


def role_from(text: str) -> str:
    """The member's state in lower case (``active``, ``passive`` …); empty where there is no pair.

    Raises ``Unreadable`` when neither a state nor its absence is told.
    """
    refuse_error(text, HA)
    local = _LOCAL.search(text)
    if state := _STATE.search(text, local.end() if local else 0):
        return state[1]
    if _NO_HA.search(text):
        return ""
    raise Unreadable(f"`{HA}` tells neither a state nor that there is no pair: {text[:80]!r}")


def pending_from(text: str) -> bool:
    """Whether the candidate differs from what runs. Raises ``Unreadable`` on anything but yes or no."""
    answer = text.strip().lower()
    if answer not in ("yes", "no"):
        raise Unreadable(f"`{PENDING}` answers neither yes nor no: {text[:80]!r}")
    return answer == "yes"


def panorama_from(text: str) -> str:
    """The Panorama that manages this firewall; empty when there is none."""
    found = _PANORAMA_SERVER.search(text)
    return found[1] if found else ""


def limits_from(text: str) -> dict[str, int]:
    """``max-address`` and its like; empty when the device does not tell."""
    return {key: int(value, 0) for key, value in _LIMIT.findall(text)}


def address_limit(system: System, limits: Mapping[str, int]) -> int:
    """How many address objects the device takes, over all virtual systems."""
    if "max-address" in limits:
        return limits["max-address"]
    return ADDRESS_LIMITS.get(system.model, VM_ADDRESS_LIMIT)


# --- who has changes pending ----------------------------------------------------------------------------------------

_NAMED: Final = (
    re.compile(
        r"""\b(?:admin|owner|user|admin-history|administrator)s?\s*[:=]\s*["']?([\w.@-]+)""",
        re.IGNORECASE,
    ),
    re.compile(r"<(?:owner|admin-history|admin)>([\w.@-]+)</"),
    re.compile(r"""<admins?>\s*<entry name=["']([\w.@-]+)["']"""),
)


def administrators_in(text: str) -> frozenset[str]:
    """The administrators with pending changes that a summary of changes names; none when its form is not understood.

    The form is not documented for the command line. Taken is a name behind `admin`, `owner` or `user`, with a colon, an
    equals sign, or as XML.
    """
    return frozenset(name for pattern in _NAMED for name in pattern.findall(text))


# --- jobs -----------------------------------------------------------------------------------------------------------

_JOB: Final = re.compile(r"\bjob\s*(?:id)?\s*(\d+)", re.IGNORECASE)
_NOTHING: Final = re.compile(r"no changes to commit|result of this commit would be the same", re.IGNORECASE)
_BUSY: Final = re.compile(
    r"another (?:commit|commit/validate|sync) is in progress|commit is in progress\.|install is in progress",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One line of `show jobs id`."""

    number: int
    kind: str
    status: str  # PEND, ACT, FIN
    result: str  # PEND, OK, FAIL
    details: str

    @property
    def is_done(self) -> bool:
        return self.status == "FIN"

    @property
    def is_ok(self) -> bool:
        return self.is_done and self.result == "OK"


def job_in(text: str) -> int | None:
    """The job that a commit or a validation says it has started."""
    found = _JOB.search(text)
    return int(found[1]) if found else None


def says_nothing_to_do(text: str) -> bool:
    return _NOTHING.search(text) is not None


def says_busy(text: str) -> bool:
    """Whether another job has to end first: nothing was begun."""
    return _BUSY.search(text) is not None


def job_from(text: str, number: int) -> Job:
    """One job of any of the table's widths: found by its number, read by the words behind it.

    What follows its line are its details: the errors of a job are no error of the question.

    Raises ``Unreadable`` when the table does not have it.
    """
    lines = text.splitlines()
    for index, line in enumerate(lines):
        words = line.split()
        if str(number) not in words[2:5] or not re.match(r"\d{4}/\d\d/\d\d$", words[0]):
            continue
        behind = words[words.index(str(number), 2) + 1 :]
        status = next((i for i, w in enumerate(behind) if w in ("PEND", "ACT", "FIN")), None)
        if status is None or status == 0 or len(behind) < status + 2:
            continue
        details = " ".join(" ".join(lines[index + 1 :]).split())
        return Job(
            number=number, kind=behind[0], status=behind[status], result=behind[status + 1], details=details[:400]
        )
    raise Unreadable(f"job {number} is not in what the device lists: {text[:120]!r}")
