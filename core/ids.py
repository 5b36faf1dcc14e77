"""Names and ids that must not mix, and where new ones come from."""

from __future__ import annotations

import re
from typing import Final, NewType

from ulid import ULID

SiteName = NewType("SiteName", str)
DeviceName = NewType("DeviceName", str)
SnapshotId = NewType("SnapshotId", str)  # sha256 hex of the content
RunId = NewType("RunId", str)  # ULID
PlanId = NewType("PlanId", str)  # ULID
EventId = NewType("EventId", str)  # ULID
ExceptionId = NewType("ExceptionId", str)  # ULID
TokenId = NewType("TokenId", str)  # ULID
PersonName = NewType("PersonName", str)
SessionId = NewType("SessionId", str)  # ULID

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""Every name a person may choose (site, device, role, policy): it may reach a CLI, so the alphabet is an allow-list."""


PERSON_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")
"""Who signs in: also an address of mail. It never reaches a device."""


def new_id() -> str:
    """A fresh ULID in lower case: sorts by time, safe as a device-side name."""
    return str(ULID()).lower()
