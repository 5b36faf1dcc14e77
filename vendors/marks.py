"""The mark as one line of plain text, for vendors that keep it in a description, a comment or a remark."""

from __future__ import annotations

import re
from typing import Final

from vendors.model import Mark

LONGEST: Final = 120
"""Characters. The shortest field that a vendor gives us for it is ASA's description with 200."""

_FORM: Final = re.compile(r"tokgate 1 ([0-9a-z]{1,26}) ([0-9a-f]{12}) ([0-9a-f]{64})")


def mark_text(mark: Mark) -> str:
    """``tokgate 1 <owner> <snapshot> <desired>``: lower-case letters, digits and blanks alone."""
    return f"tokgate 1 {mark.owner} {mark.snapshot} {mark.desired}"


def mark_from(text: str) -> Mark | None:
    """None when it is not a mark of this form, be it by hand or by a later version."""
    found = _FORM.fullmatch(text.strip().strip('"'))
    return Mark(owner=found[1], snapshot=found[2], desired=found[3]) if found else None
