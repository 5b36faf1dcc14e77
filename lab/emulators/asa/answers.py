"""What an ASA answers, word for word. Sources: the Cisco NSO NED's notes, netmiko, unicon and cisco.asa transcripts.

What has no source for its exact words is ``Unsure``: it may begin with ``ERROR: ``, ``WARNING: `` or nothing.
"""

from __future__ import annotations

INVALID = "ERROR: % Invalid input detected at '^' marker."
INCOMPLETE = "ERROR: % Incomplete command"
HOSTNAME = "ERROR: % Invalid Hostname"
UNAUTHORISED = "Command authorization failed"
NO_ACE = "Specified access-list does not exist"
WRONG = "Invalid password"
ACCESS_DENIED = "Access denied."
STANDBY = (
    "**** WARNING ****",
    "Configuration Replication is NOT performed from Standby unit to Active unit.",
    "Configurations are no longer synchronized.",
)
REPORTING = "Would you like to enable anonymous error reporting to help improve the product? [Y]es, [N]o, [A]sk later: "
SAVE_FIRST = "System config has been modified. Save? [Y]es/[N]o/[S]ave all/[C]ancel:"
PROCEED = "Proceed with reload? [confirm]"
SHUTDOWN = "***\n*** --- START GRACEFUL SHUTDOWN ---\nShutting down File system\n***\n*** --- SHUTDOWN NOW ---\n"
NOT_SAVED = "%Error copying system:/running-config (No Device)\nError executing command\n[FAILED]"
REPLICATION = "Beginning configuration replication: Sending to mate."
REPLICATED = "End Configuration Replication to mate"
MATE_SILENT = "ERROR: Unable to reach the mate"  # unverified text
REDUNDANT = (
    "WARNING: Same object-group is used more than once in one config line. This config is redundant."
    " Please use seperate object-groups"
)


class Refused(Exception):
    """The device says no, in these words; nothing has changed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unsure(Refused):
    """A refusal that is certain in its words by no source: they follow the prefix that the switches name."""


class Invalid(Exception):
    """The line is wrong from this column on."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Incomplete(Exception):
    """The line ends too early."""


def group_used(name: str) -> Refused:
    return Refused(f"Removing object-group ({name}) not allowed, it is being used.")


def group_missing(name: str) -> Refused:
    return Refused(f"Removing object-group ({name}) failed; it does not exist")


def would_be_empty(name: str) -> Refused:
    return Refused(
        f"Removing obj from object-group not allowed; object-group ({name}), "
        " being used in access-list or threat-detection or NAT, would become empty"
    )


def member_exists(member: str, group: str, *, warning: bool) -> Refused:
    start = "WARNING: " if warning else ""
    return Refused(f"{start}Adding obj ({member}) to grp ({group}) failed; object already exists")


def loop(member: str, group: str) -> Refused:
    return Refused(f"Adding obj (group-object {member}) to grp ({group}) failed; cause a loop in grp hierarchy")


def empty_group(name: str) -> Refused:
    return Refused(f"object-group ({name}) is empty. Cannot add an empty group-object to object-group")


def other_type(kind: str) -> Refused:
    return Refused(f"An object-group with the same id but different type ({kind}) exists")


def no_such_group(name: str) -> Refused:
    return Refused(f"ERROR: specified object group <{name}> not found")


def no_such_object(name: str) -> Refused:
    return Refused(f"ERROR: object ({name}) does not exist.")


def no_such_acl(name: str) -> Refused:
    return Refused(f"ERROR: access-list <{name}> does not exist")


def no_such_context(name: str) -> Refused:
    return Refused(f"ERROR: '{name}' is not valid")


def duplicate(acl: str) -> Refused:
    return Refused(f"WARNING: <{acl}> found duplicate element")
