"""Where our entries stand in an access list of the site: the first match decides. Pure.

Remarks filter nothing and count for nothing here, but for the one that is the anchor.
"""

from __future__ import annotations

from collections.abc import Sequence

from vendors.cisco_asa.config import Entry
from vendors.cisco_asa.options import ListOptions
from vendors.errors import Refused
from vendors.placing import After, Before


def anchor_of(entries: Sequence[Entry], options: ListOptions) -> int | None:
    """The index of the remark that is the anchor; None for the top.

    Raises ``Refused`` when there is no such remark, or more than one.
    """
    match options.placement:
        case Before(before=text) | After(after=text):
            found = [index for index, entry in enumerate(entries) if entry.text == f"remark {text}"]
            if len(found) == 1:
                return found[0]
            how_many = "no remark" if not found else f"{len(found)} remarks"
            raise Refused(
                f"access list {options.acl} has {how_many} {text!r} to stand by; nothing was sent",
                hint="`placement` names the text of one remark of the site's own, exactly",
            )
        case _:
            return None


def block_start(entries: Sequence[Entry], options: ListOptions) -> int:
    """Before which index a first entry of ours goes. Raises as ``anchor_of``."""
    anchor = anchor_of(entries, options)
    if anchor is None:
        return 0
    return anchor if isinstance(options.placement, Before) else anchor + 1


def is_in_place(entries: Sequence[Entry], options: ListOptions) -> bool:
    """Whether no entry of the site stands among ours or between them and their place."""
    ours = [index for index, entry in enumerate(entries) if entry.is_ours]
    if not ours:
        return True
    try:
        anchor = anchor_of(entries, options)
    except Refused:
        return False
    match options.placement:
        case Before():
            assert anchor is not None
            span, right = range(ours[0], anchor), ours[-1] < anchor
        case After():
            assert anchor is not None
            span, right = range(anchor, ours[-1]), ours[0] > anchor
        case _:
            span, right = range(ours[-1]), True
    return right and all(entries[index].is_ours or entries[index].is_remark for index in span)
