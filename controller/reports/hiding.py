"""A report without identities, for sites so small that a figure alone would say who it was. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controller.reports.making import HIDDEN, SiteReport, TopLine
from controller.sums import SOURCE, Sums


def clients_in(sums: Sums) -> int:
    """How many clients were seen, with any end."""
    return len({who.name for who in sums.seen if who.side == SOURCE})


def without_identities(report: SiteReport, *, fewest: int) -> SiteReport:
    """Clients become one line for each role and end; exceptions, findings and links lose who it was about.

    Figures stay as they are: what is hidden is who, not how much.
    """
    note = f"Fewer than {fewest} clients were seen at this site in this time: nobody is named."
    found = report.found
    return replace(
        report,
        top_sources=tuple(_together(report.top_sources)),
        exceptions=tuple(replace(line, is_hidden=True) for line in report.exceptions),
        found=replace(
            found, findings=tuple(replace(e, source=None, host=HIDDEN, user="", events=()) for e in found.findings)
        ),
        is_hidden=True,
        notes=(note, *report.notes),
    )


def _together(lines: Iterable[TopLine]) -> Iterable[TopLine]:
    kept: dict[tuple[object, object], TopLine] = {}
    for line in lines:
        key = line.action, line.role
        old = kept.get(key)
        if old is None:
            kept[key] = replace(line, name=HIDDEN)
            continue
        kept[key] = replace(
            old,
            packets=None if None in (old.packets, line.packets) else (old.packets or 0) + (line.packets or 0),
            octets=None if None in (old.octets, line.octets) else (old.octets or 0) + (line.octets or 0),
            last_seen=max(old.last_seen, line.last_seen),
        )
    return kept.values()
