"""Names in other scripts that look like one of TikTok's: ``tiktok`` with a Cyrillic letter, or an umlaut. Pure.

Anybody may register such a name, and none of TikTok's has a letter beyond ASCII. Which letters look alike is data
(``data/homographs.csv``, after Unicode's confusables); marks above and below letters are looked through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final

from ipsets import dataset
from ipsets.model import Dedication

_ACE: Final = "xn--"
_SHORTEST: Final = 5
"""Letters of a known label that is looked for inside others: shorter ones stand in ordinary words."""


def imitated(name: str) -> str | None:
    """The known name whose look ``name`` borrows with letters of other scripts; None when it borrows none."""
    if _ACE not in name:
        return None
    looks = [_look(label) for label in name.split(".") if label.startswith(_ACE)]
    return next((known for label, known in _labels().items() if any(label in look for look in looks)), None)


def _look(label: str) -> str:
    """The ASCII letters that a reader takes this label for; what looks like none of them stays."""
    try:
        written = label.removeprefix(_ACE).encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        return label
    letters = (c for c in unicodedata.normalize("NFKD", written.casefold()) if not unicodedata.combining(c))
    return "".join(_alike().get(c, c) for c in letters)


@cache
def _labels() -> Mapping[str, str]:
    """Labels of TikTok's own names, the longest first, each with a name that it stands in."""
    own = (row.domain.name for row in dataset.names() if row.dedication is Dedication.DEDICATED)
    found = {name.split(".")[0]: name for name in sorted(own, reverse=True) if name.count(".") == 1}
    long = (label for label in found if len(label) >= _SHORTEST)
    return {label: found[label] for label in sorted(long, key=lambda label: (-len(label), label))}


@cache
def _alike() -> Mapping[str, str]:
    return {other: letter for letter, others in dataset.homographs().items() for other in others}
