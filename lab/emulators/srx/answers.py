"""Texts of refusals, word for word where a public source has them, and how they are raised.

Sources: annetutil/gnetcli device tests, OpenSecFlow/netdriver patterns, Juniper/yang 24.4 messages, the Junos CLI
guide, CiscoTestAutomation/unicon mock data. Marked *own words*: no source; nothing may depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SYNTAX: Final = "syntax error."
UNKNOWN: Final = "unknown command."
EXPECTING: Final = "syntax error, expecting <command>."
MISSING: Final = "missing mandatory argument."  # scrapli's failure strings name the first words
NOT_FOUND: Final = "warning: statement not found"
MODIFIED: Final = "error: configuration database modified"
LOAD_COMPLETE: Final = "load complete"
TYPE_END: Final = "[Type ^D at a new line to end input]"
CHECK_OK: Final = "configuration check succeeds"
COMMIT_OK: Final = "commit complete"
CHECKOUT_FAILED: Final = "error: configuration check-out failed"
CONSTRAINT_FAILED: Final = "error: commit failed: (statements constraint check failed)"
ENTERING: Final = "Entering configuration mode"
EXITING: Final = "Exiting configuration mode"
UNCOMMITTED: Final = "The configuration has been changed but not committed"
EXCLUSIVE: Final = "warning: uncommitted changes will be discarded on exit"
ROLLED_BACK: Final = "Commit was not confirmed; automatic rollback complete."
NO_CLUSTER: Final = "error: Chassis cluster is not enabled"
DATABASE_BUSY: Final = "Cannot proceed, database is currently being modified"
NO_LOG_RIGHT: Final = "error: permission denied: log"

BAD_ADDRESS_NAME: Final = (
    "Must be a string beginning with a number or letter and consisting of letters, numbers, colons, periods, slashes,"
    " dashes and underscores"
)
BAD_POLICY_NAME: Final = (  # own words, by analogy with the name of an address
    "Must be a string beginning with a number or letter and consisting of letters, numbers, dashes and underscores"
)
BAD_DNS_NAME: Final = "Must be a valid DNS name"


class Refused(Exception):
    """Said instead of doing anything; ``text`` is printed as it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a line: where it begins, and the bad word, or a text of its own for a bad value."""

    at: int
    word: str
    text: str = ""

    def shown(self, prompt_width: int) -> str:
        """As the terminal shows it under the line: a caret below the bad word (vJunos-router session)."""
        return f"{' ' * (prompt_width + self.at)}^\n{self.text or SYNTAX}\n"

    def loaded(self, line: int, *, located: bool) -> str:
        """As `load set terminal` reports it: line, column from zero, bad word (vJunos-router session)."""
        if self.text and not located:
            return f"{self.text}\n"
        return f"terminal:{line}:({self.at}) {self.text or f'syntax error: {self.word}'}\n"


class Misread(Exception):
    """A line with something wrong in it."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(wrong.text or wrong.word)
        self.wrong = wrong


class BadValue(Exception):
    """A value that its statement does not take."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
