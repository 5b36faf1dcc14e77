"""The questions that are asked of a PAN-OS firewall, on one login: modes, one whole reading, locks, jobs.

Everything here reads, takes or gives back a lock, or waits. What changes the candidate is in `transaction`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from vendors.errors import NotPrivileged, Refused, Unreadable
from vendors.paloalto_panos import facts, lists, policy
from vendors.paloalto_panos.managed import our_lists_in
from vendors.paloalto_panos.options import PaloAltoPanosOptions
from vendors.paloalto_panos.parse import our_lists, refuse_panorama, shows
from vendors.paloalto_panos.render import lock_line, unlock_line
from vendors.shell import Dialect, Said, Shell, gathered

_VSYS: Final = r"(?:[- /]?vsys\d+)?"
"""How a prompt may name the virtual system that a login looks at; whether and how it does is on no public record."""
DIALECT: Final = Dialect(
    driver="paloalto_panos",
    prompt=rf"(?:\[edit[^\]\r\n]*\][ \t]*\r*\n)?(?P<host>[\w.-]+@[\w.:-]+?){_VSYS}(?:\([\w-]+\))*[>#] ?",
    pager=r"--more--|lines \d+-\d+ ",
    quiet=(
        "set cli scripting-mode on",
        "set cli terminal width 500",
        "set cli pager off",
        "set cli config-output-format set",
    ),
)
"""All four change this login alone, never the configuration."""

_LOGIN: Final = re.compile(rf"([\w.-]+)@[\w.:-]+?{_VSYS}(?:\([\w-]+\))*[>#] ?\Z")
_TAKEN: Final = re.compile(r"currently locked|is locked by|already held", re.IGNORECASE)
_BY: Final = re.compile(r"(?:locked|held) by (?:administrator |admin |user )?[\"']?([\w.@-]+)", re.IGNORECASE)
_OWN: Final = re.compile(r"already own", re.IGNORECASE)
_ERROR: Final = re.compile(
    r"Unknown command|Invalid syntax|Server error\s*:|Permission denied|not authorized", re.IGNORECASE
)
_RIGHTS: Final = re.compile(r"Unknown command|Permission denied|not authorized", re.IGNORECASE)
_LOCK_POLL: Final = 1.0
_JOB_POLL: Final = 1.0
_FAST_POLL: Final = 0.1
"""Seconds between two looks: most jobs of a small device are done at once, and those of a large one take minutes."""


def refusal(said: Said) -> str | None:
    """Why a line of configuration was not taken: one that was is answered with nothing."""
    lines = [line.strip() for line in said.text.splitlines() if line.strip()]
    real = [line for line in lines if not line.startswith("Warning") and set(line) != {"^"}]
    return "; ".join(real)[:300] if real else None


@dataclass(slots=True)
class Talk:
    """One login's command line. ``commands`` counts what was sent."""

    shell: Shell
    options: PaloAltoPanosOptions
    commands: int = 0
    login: str = ""
    in_configure: bool = False

    def ask(self, line: str, *, seconds: float | None = None, until: str | None = None) -> Said:
        self.commands += 1
        timeout = None if seconds is None else timedelta(seconds=seconds)
        said = self.shell.ask(line, timeout=timeout, until=until)
        if found := _LOGIN.search(said.prompt):
            self.login = found[1]
            self.in_configure = said.prompt.rstrip().endswith("#")
        return said

    def operational(self, line: str) -> Said:
        """An operational command, in whichever mode this is."""
        return self.ask(f"run {line}" if self.in_configure else line)

    @contextmanager
    def configuring(self) -> Iterator[None]:
        """In configure mode until the block ends; the candidate stays as it is."""
        self.configure()
        yield
        self.leave()

    def configure(self) -> None:
        said = self.ask("configure")
        if not self.in_configure:
            words = " ".join(said.text.split())[:200]
            raise NotPrivileged(
                f"this login may not configure: {words}", hint="see the rights on the vendor's page", device=self.device
            )

    def leave(self) -> None:
        if self.in_configure:
            self.ask("exit")

    @property
    def device(self) -> DeviceName:
        return self.shell.device

    # --- reading --------------------------------------------------------------------------------------------------

    def reading(self) -> str:
        """Everything that a plan needs, as one text; ``parse`` reads it."""
        asked = (facts.SYSTEM, facts.HA, facts.PENDING, facts.CHANGES, facts.PANORAMA, facts.LIMITS)
        answers = [self.ask(line) for line in asked]
        system = facts.system_from(answers[0].text)
        refuse_panorama(system)
        with self.configuring():
            answers += [self.ask(line) for line in shows(self.options, multi_vsys=system.multi_vsys)]
        names = our_lists(answers[-2].text, self.options)
        if self.options.managed is not None:
            answers.append(self.ask(policy.COMMAND))
            names = dict.fromkeys(our_lists_in(policy.compiled_from(answers[-1].text)), "ip")
        if names:
            with self.targeting(multi_vsys=system.multi_vsys):
                answers += [self.loaded(name, kind) for name, kind in names.items()]
        answers.append(Said(line=facts.LOGIN, text=f"{self.login}\n", prompt=""))
        return gathered(answers)

    @contextmanager
    def targeting(self, *, multi_vsys: bool) -> Iterator[None]:
        """Looks at our virtual system, in operational mode: external lists are shown of that one alone.

        It holds for this login and changes no configuration. Public scripts set and leave it so; one of them says that
        a real device shows external lists only then.

        Raises ``Unreadable`` when it cannot be chosen or left again.
        """
        if multi_vsys:
            self._target(self.options.vsys)
        yield
        if multi_vsys:
            self._target("none")

    def _target(self, vsys: str) -> None:
        line = f"set system setting target-vsys {vsys}"
        said = self.ask(line)
        if facts.is_refused(said.text):
            raise Unreadable(f"`{line}` was answered with {' '.join(said.text.split())[:120]!r}")

    def loaded(self, name: str, kind: str) -> Said:
        """What the firewall has of one external list, whole where it knows how to show that."""
        command = f"{lists.SHOW}{kind} name {name}"
        said = self.ask(f"{command}{lists.ALL}")
        return self.ask(command) if "nvalid syntax" in said.text else said

    # --- locks ----------------------------------------------------------------------------------------------------

    def lock(self, kind: str, snapshot: str) -> None:
        """Take a lock (``config`` or ``commit``) of our own, or wait for whoever holds it.

        Raises ``Refused`` when it is not given back in time, ``NotPrivileged`` when this login may not take it.
        """
        end = time.monotonic() + self.options.lock_wait_seconds
        while True:
            said = self.operational(lock_line(kind, snapshot))
            holder = self._holder(said.text)
            if holder in ("", self.login):
                return
            left = end - time.monotonic()
            if left <= 0:
                raise Refused(
                    f"the {kind} lock is held by {holder}{self._since(kind)}; waited "
                    f"{self.options.lock_wait_seconds} s, and nothing was sent",
                    hint="ask who holds it; the next sync tries again",
                )
            time.sleep(min(_LOCK_POLL, left))

    def _holder(self, text: str) -> str:
        """Who has the lock that was asked for; empty when we were given it."""
        if _OWN.search(text):
            return self.login
        if _TAKEN.search(text):
            found = _BY.search(text)
            return found[1].rstrip(".") if found else "another administrator"
        if _ERROR.search(text):
            words = " ".join(text.split())[:200]
            kind = NotPrivileged if _RIGHTS.search(text) else Refused
            raise kind(f"no lock could be taken: {words}; nothing was sent", hint="see the rights on the vendor's page")
        return ""

    def _since(self, kind: str) -> str:
        shown = self.operational(f"show {kind}-locks")
        words = " ".join(shown.text.split())[:160]
        return f" ({words})" if words else ""

    def unlock(self, kind: str) -> None:
        """Give a lock back; that it is gone already is well."""
        self.operational(unlock_line(kind))

    # --- jobs -----------------------------------------------------------------------------------------------------

    def job(self, number: int) -> facts.Job:
        """The job at its end. Raises ``Unreadable`` when it does not end in time: what it does is then not known."""
        end = time.monotonic() + self.options.commit_seconds
        pause = _FAST_POLL
        while True:
            job = facts.job_from(self.operational(f"show jobs id {number}").text, number)
            if job.is_done:
                return job
            if time.monotonic() >= end:
                raise Unreadable(f"job {number} is still at {job.status} after {self.options.commit_seconds} s")
            time.sleep(pause)
            pause = min(_JOB_POLL, pause * 2)
