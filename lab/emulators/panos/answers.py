"""What PAN-OS answers, word for word.

Sources: the patterns and transcripts of OpenSecFlow/netdriver, netmiko issue 3033, the error table of pan-os-python,
issues of terraform-provider-panos, the vendor's knowledge base. What has no source for its exact words says so.
"""

from __future__ import annotations

from typing import Final

ENTERING: Final = "Entering configuration mode"
LEAVING: Final = "Exiting configuration mode"
INVALID: Final = "Invalid syntax."
BUSY: Final = "Another commit/validate is in progress. Please try again later"
PROCEED: Final = 'Would you like to proceed with commit? (y or n) Please type "y" for yes or "n" for no.'
RESTART: Final = "Executing this command will disconnect the current session. Do you want to continue? (y or n)"
COMMITTED: Final = "Configuration committed successfully"
FAILED: Final = "Commit failed"
VALID: Final = "Configuration is valid"
MODULE: Final = "(Module: device)"
GROUP_COUNT: Final = "Error: Fail to count address groups"
OLD_COPY: Final = "Unable to fetch external list. Using old copy for refresh."
SYNC_FAILED: Final = "Failed to synchronize running configuration with HA peer"
INSTALLING: Final = "You cannot commit while an install is in progress. Please try again later."
LIST_ENQUEUED: Final = "EDL refresh job enqueued"
FQDN_ENQUEUED: Final = "FQDN refresh job enqueued"
NO_SESSIONS: Final = "No Active Sessions"
CLEARED: Final = "sessions cleared"


class Refused(Exception):
    """The device says no, in these words; nothing has changed."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


class Invalid(Exception):
    """The line is wrong from this token on."""

    def __init__(self, token: int = -1) -> None:
        super().__init__(token)
        self.token = token


class Missing(Exception):
    """The line names what is not there. The words are a switch."""


def unknown(word: str) -> str:
    return f"Unknown command: {word}"


def progress(job: int) -> str:
    return f"Commit job {job} is in progress. Use Ctrl+C to return to command prompt"


def no_certificate(name: str) -> str:
    return (
        f"Warning: External Dynamic List {name} is configured with no certificate profile."
        " Please select a certificate profile for performing server certificate validation."
    )


def capacity(what: str, there: int, limit: int) -> str:
    return f"Error: Number of {what} ({there}) exceeds platform capacity ({limit})"


def bad_reference(where: str, value: str) -> tuple[str, str]:
    """``grp -> static '1' is not a valid reference`` and what follows it (netdriver)."""
    return f"{where} '{value}' is not a valid reference", f"{where} is invalid"


def in_use(name: str, places: list[str]) -> Refused:
    """Of a deletion (terraform-provider-panos issue 234); a blank stands before each place."""
    return Refused(f"{name} cannot be deleted because of references from:", *(f" {place}" for place in places))


def locked(admin: str) -> Refused:
    return Refused(f"Configuration is locked by {admin}")


def taken(name: str) -> Refused:
    """No source shows the words."""
    return Refused(f"Server error : '{name}' is already in use")
