"""`show security policies hit-count` in its layouts: rows in no order of rules, long names running over the columns.

Columns from a vSRX 24.4 and from genie's older capture; the header in lower case from a table of Junos formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.emulators.srx.engine import DEFAULT

if TYPE_CHECKING:
    from lab.emulators.srx.device import Srx
    from lab.emulators.srx.engine import Engine

_STOPS: Final = (8, 25, 43, 58, 72)
"""Where the columns behind the first begin. What runs over pushes on what follows, by one blank at least."""
_HEADS: Final = ("Index", "From zone", "To zone", "Name", "Policy count", "Action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    zones: tuple[str, str]
    name: str
    count: int
    action: str

    @property
    def shuffled(self) -> str:
        """A place that has nothing to do with the order of the rules."""
        return hashlib.md5(" ".join((*self.zones, self.name)).encode(), usedforsecurity=False).hexdigest()


def rows(device: Srx, engine: Engine) -> list[Row]:
    """All policies of one system, with those that nobody configured where the release shows them."""
    found = [
        Row(zones=rule.zones, name=rule.node.value, count=engine.counters[rule.identity].hits,
            action=rule.action.capitalize())
        for rule in engine.rules
    ]  # fmt: skip
    if device.model.hit_layout == "action":
        action = "Permit" if engine.default_permits else "Deny"
        found.append(Row(zones=DEFAULT, name="default-policy", count=engine.default.hits, action=action))
        found.append(Row(zones=DEFAULT, name="default-http-mux", count=0, action="Permit"))
    return sorted(found, key=lambda row: row.shuffled)


def chosen(found: Iterable[Row], options: Mapping[str, str]) -> list[Row]:
    """By the options of the command (Juniper/yang)."""
    kept = [row for row in found if _wanted(row, options)]
    if "ascending" in options or "descending" in options:
        kept.sort(key=lambda row: row.count, reverse="descending" in options)
    return kept


def _wanted(row: Row, options: Mapping[str, str]) -> bool:
    asked = (options.get("from-zone", row.zones[0]), options.get("to-zone", row.zones[1]))
    low, high = options.get("greater-than", ""), options.get("less-than", "")
    return (
        asked == row.zones
        and options.get("policy-name", row.name) == row.name
        and (not low.isdigit() or row.count > int(low))
        and (not high.isdigit() or row.count < int(high))
    )


def head(engine: Engine) -> str:
    """What a table is of. That of a tenant is on no record."""
    kind = "Tenant" if engine.space[:1] == ("tenants",) else "Logical system"
    return f"{kind}: {engine.space[1] if engine.space else 'root-logical-system'}"


def table(device: Srx, found: Sequence[Row], of: str) -> str:
    layout = device.model.hit_layout
    width = 6 if layout == "action" else 5
    margin = " " if layout == "plain" else ""
    columns = margin + _line(_HEADS[:width])
    if layout == "lower":
        columns = columns.lower()
    lines = [of, columns]
    for number, row in enumerate(found, start=1):
        lines.append(margin + _line((str(number), *row.zones, row.name, str(row.count), row.action)[:width]))
    footer = [] if layout == "action" else ["", f"Number of policy: {len(found)}"]
    return "".join(f"{line}\n" for line in [*lines, *footer])


def _line(cells: Sequence[str]) -> str:
    text = cells[0]
    for stop, cell in zip(_STOPS, cells[1:], strict=False):
        text = f"{text} ".ljust(stop) + cell
    return text
