"""At the prompt of an ASA: coming in, asking, sending lines, and what an answer means.

An accepted line says nothing. Errors are not told uniformly: some begin with ``ERROR:``, some with ``WARNING:``, some
with nothing at all, so that every answer to a write that is not known to be harmless is a refusal.

Sources: ASA command reference; transcripts in the tests of cisco.asa, netmiko and unicon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.ids import DeviceName
from vendors.adapter import Session
from vendors.cisco_asa.options import CiscoAsaOptions
from vendors.cisco_asa.target import Batch
from vendors.errors import LineRefused, NotPrivileged, Refused
from vendors.shell import Dialect, Said, Shell

ENTER: Final = "configure terminal"
LEAVE: Final = "end"
SAVE: Final = "write memory"
LONG: Final = timedelta(minutes=5)
"""A long list prints for minutes."""

DIALECT: Final = Dialect(
    driver="cisco_asa",
    prompt=r"[\w.-]+(?:/[\w.-]+)*(?:\([\w-]+\))?[>#] ",
    pager="<--- More --->",
    noise=r"(?m)^(?:Beginning configuration replication|End Configuration Replication)[^\n]*\n",
    folds=True,
)
"""Prompts as `prompt hostname context priority state` may make them; a failover or another context changes them."""

_PASSWORD: Final = r"[Pp]assword: ?\**"  # noqa: S105  # what is asked
_REPORTING: Final = r"\[A\]sk later: ?"
_STANDBY: Final = "Replication is NOT performed from Standby"
_NOT_ALLOWED: Final = "ommand authorization failed"
_INVALID: Final = "Invalid input detected"
_HELD: Final = re.compile(r"configuration (?:is )?(?:in progress|locked)|locked by", re.IGNORECASE)
_HARMLESS: Final = re.compile(  # whatever passes here and should not have is found by the read-back
    r"(?:WARNING: )?Adding obj \(.*\) to grp \(.*\) failed; object already exists"
    r"|WARNING: <.*> found duplicate element"
    r"|INFO: .*"
    r"|WARNING: (?!.*(?:not allowed|failed|[Uu]nable|cannot|does not|not found|[Ii]gnored|in progress|longer|being "
    r"used)).*"
)
_GONE: Final = re.compile(
    r"Removing object-group \(.*\) failed; it does not exist"
    r"|ERROR: object \(.*\) does not exist\.?"
    r"|ERROR: access-list <.*> does not exist"
    r"|Specified access-list does not exist"
)


def refusal(said: Said) -> str | None:
    """Why an answer to a configuration line is a refusal; None when the line was taken, or changed nothing."""
    if _STANDBY in said.text:
        return "this unit is not the active one of its pair any more"
    harmless = (_HARMLESS, _GONE) if said.line.startswith("no ") else (_HARMLESS,)
    lines = [line.strip() for line in said.text.splitlines() if line.strip()]
    odd = [line for line in lines if not any(known.fullmatch(line) for known in harmless)]
    told = [line for line in odd if line != "^"]
    return (" ".join(told) or "an answer that is not understood")[:200] if odd else None


def is_standby(why: str) -> bool:
    return why.startswith("this unit is not the active one")


def lacks_rights(why: str) -> bool:
    return _NOT_ALLOWED in why


def is_held(why: str) -> bool:
    """Whether another session has the configuration. The words are on no public record: likely ones are taken."""
    return _HELD.search(why) is not None


def is_invalid(said: Said) -> bool:
    """Whether the device does not know this command, here or at all."""
    return _INVALID in said.text


@dataclass(slots=True)
class Terminal:
    """A shell in privileged mode, in the context that the inventory names."""

    shell: Shell
    device: DeviceName
    commands: int = 0
    configuring: bool = False

    def ask(self, line: str, *, timeout: timedelta | None = None, until: str | None = None) -> Said:
        self.commands += 1
        return self.shell.ask(line, timeout=timeout, until=until)

    def asked(self, lines: Iterable[str]) -> list[Said]:
        """The answers to several `show` commands. Raises ``NotPrivileged`` when one of them is not allowed."""
        answers = [self.ask(line, timeout=LONG) for line in lines]
        for said in answers:
            if lacks_rights(said.text):
                raise NotPrivileged(f"the device refuses `{said.line}` to this account", device=self.device)
        return answers

    # --- coming in --------------------------------------------------------------------------------------------------

    def enable(self, options: CiscoAsaOptions, prompt: str) -> None:
        """Raises ``NotPrivileged`` when privileged mode is out of reach."""
        if prompt.rstrip().endswith("#"):
            return
        if options.enable is None:
            raise NotPrivileged(
                "the login lands in user mode, and no enable secret is configured",
                hint="set `options.enable`, or let the account in at privilege 15",
                device=self.device,
            )
        secret = options.enable.resolve()
        asked = self.ask("enable", until=_PASSWORD)
        if asked.prompt.rstrip().endswith("#"):
            return
        said = self.shell.ask(secret.reveal(), until=_PASSWORD, secret=True)
        if not said.prompt.rstrip().endswith("#"):
            raise NotPrivileged(
                "the device refuses the enable secret; it was given once, and the session ended",
                hint=f"check {options.enable}",
                device=self.device,
            )

    def change_to(self, context: str) -> None:
        """Raises ``Refused`` when there is no such context, or the device has none."""
        said = self.ask(f"changeto context {context}")
        if said.text.strip():
            why = "the device has no contexts" if is_invalid(said) else " ".join(said.text.split())[:120]
            raise Refused(
                f"context {context} cannot be entered: {why}; nothing was sent",
                hint="`show context` in the system space lists them; without contexts leave `context` out",
                device=self.device,
            )

    # --- writing ----------------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Raises ``NotPrivileged`` or ``Refused``; nothing has been changed then."""
        said = self.ask(ENTER, until=_REPORTING)
        if not said.prompt.rstrip().endswith("#"):  # asked once in the life of a device: A keeps it as it is
            said = self.ask("A")
        if "(config" in said.prompt:
            self.configuring = True
            return
        why = " ".join(said.text.split())[:160]
        if lacks_rights(why) or is_invalid(said):
            raise NotPrivileged(f"the account may not configure: {why}", device=self.device)
        raise Refused(f"configuration mode cannot be entered: {why}; nothing was sent", device=self.device)

    def leave(self) -> None:
        """Out of configuration mode, if we are in it."""
        if self.configuring:
            self.ask(LEAVE)
            self.configuring = False

    def carry(self, batch: Batch) -> None:
        """Raises ``LineRefused``: lines of this batch behind the refused one may have been taken."""
        self.commands += len(batch.lines)
        match batch.how:
            case "stream":
                self.shell.stream(batch.lines, refusal)
            case "inside":
                self._single(batch.lines[0], inside=True)
                self.shell.stream(batch.lines[1:], refusal)
            case "one by one":
                for line in batch.lines:
                    self._single(line, inside=False)

    def _single(self, line: str, *, inside: bool) -> None:
        """One line and its answer. ``inside``: it must open a mode of its own, or what follows would go elsewhere."""
        said = self.shell.ask(line)
        why = refusal(said)
        if why is None and inside and "(config-" not in said.prompt:
            why = f"it opened no mode of its own: `{' '.join((said.text + said.prompt).split())[:120]}`"
        if why is not None:
            raise LineRefused(index=0, said=said, answered=(said,), reason=why, device=self.device)

    def save(self) -> str | None:
        """Why the configuration was not saved; None when it was."""
        said = self.ask(SAVE, timeout=LONG)
        if any(line.strip() == "[OK]" for line in said.text.splitlines()):
            return None
        return " ".join(said.text.split())[:200] or "no answer"


@contextmanager
def terminal(session: Session, options: CiscoAsaOptions) -> Iterator[Terminal]:
    """Logged in, privileged, without paging, in the right context. Nothing of the configuration changes by it."""
    with session.shell(DIALECT) as shell:
        made = Terminal(shell, session.device)
        made.enable(options, made.ask("").prompt)
        made.ask("terminal pager 0")
        if options.context is not None:
            made.change_to(options.context)
        yield made
