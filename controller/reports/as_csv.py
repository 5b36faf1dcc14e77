"""Reports as CSV for spreadsheets: one table, a line per figure. Pure.

A cell that a spreadsheet would run as a formula is written as text (OWASP, CSV injection), and no control character
reaches a terminal that shows the file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

from controller.reports.making import FleetReport, SiteReport, plain

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")
_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HEAD: Final = ("site", "section", "name", "detail", "action", "hits", "packets", "bytes", "seconds", "from", "to")


def render_site(report: SiteReport) -> str:
    """The report of one site; the columns are the same in every section."""
    return _table(_rows(report.to_json()))


def render_fleet(report: FleetReport) -> str:
    """Totals and coverage of every site, the worst first."""
    document = report.to_json()
    sites = [{**site, "from": document["from"], "to": document["to"]} for site in document["sites"]]
    head = _intelligence(document, {"site": "", "from": document["from"], "to": document["to"]})
    base = {"site": "", "from": document["from"], "to": document["to"]}
    notes = ({**base, "section": "note", "detail": note} for note in document["notes"])
    return _table((*head, *(row for site in sites for row in (*_totals(site, "totals"), *_coverage(site))), *notes))


def cell(value: object) -> str:
    """Text that no spreadsheet runs; empty for what is unknown."""
    text = "" if value is None else plain(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int | float) else text


def line(values: Iterable[object]) -> str:
    """One line of a table."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(value) for value in values])  # RFC 4180
    return out.getvalue()


def _table(rows: Iterable[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_HEAD)
    writer.writerows([cell(row.get(column)) for column in _HEAD] for row in rows)
    return out.getvalue()


def _rows(report: dict[str, Any]) -> Iterable[dict[str, Any]]:
    base = {"site": report["site"], "from": report["from"], "to": report["to"]}
    yield from _intelligence(report, base)
    yield from _totals(report, "totals")
    for role, totals in report["by_role"].items():
        yield from _totals({**base, "totals": totals}, "role", name=role)
    yield from _coverage(report)
    for span in report["coverage_spans"]:
        yield {**base, "section": "span", "name": span["state"], "detail": span["cause"], **_window(span)}
    for device in report["devices"]:
        detail = device["error"] or "; ".join(device["degraded"])
        yield from _totals({**base, "totals": device["totals"]}, "device", name=device["device"], detail=detail)
        yield {**base, "section": "flows_cut", "name": device["device"], "hits": device["flows_cut"]}
    for what in ("source", "destination"):
        for line in report[f"top_{what}s"]:
            figures = {key: line[key] for key in ("action", "packets", "bytes")}
            yield {**base, "section": what, "name": line[what], "detail": line["role"], **figures}
    for bucket in report["by_hour"]:
        for action in ("blocked", "monitored", "allowed"):
            yield {**base, "section": "hour", "name": bucket["hour"], "action": action, "hits": bucket[action]}
    for line in report["exceptions"]:
        figures = {key: line[key] for key in ("hits", "packets", "bytes")}
        window = {"from": line["starts"], "to": line["ended_at"] or line["ends"]}
        yield {**base, **window, "section": "exception", "name": line["id"], "detail": line["reason"], **figures}
    yield from _found(report, base)
    for note in report["notes"]:
        yield {**base, "section": "note", "detail": note}


def _found(report: dict[str, Any], base: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What stands beside the counters: the range before, the hours of the week, apps, findings, changes."""
    if (trend := report["trend"]) is not None:
        yield from _totals({**base, **_window(trend), "totals": trend["totals"]}, "before")
    for action, days in report["heat_map"].items():
        for day, hours in zip(_WEEK, days, strict=True):
            for hour, hits in enumerate(hours):
                if hits != 0:
                    yield {**base, "section": "heat", "name": day, "detail": hour, "action": action, "hits": hits}
    for line in report["apps"]:
        what = f"{line['surface'] or 'any surface'}, {line['kind']}"
        yield {**base, "section": "app", "name": line["app"], "detail": what, "action": line["action"],
               "hits": line["episodes"]}  # fmt: skip
    for kind, number in report["findings_in_all"].items():
        yield {**base, "section": "findings", "name": kind, "hits": number}
    yield from _reconciled(report["reconciliation"], base)
    for change in report["changes"]:
        yield {**base, "section": "change", "name": change["by"], "detail": change["what"], "hits": change["count"],
               "from": change["at"], "to": change["at"]}  # fmt: skip


def _reconciled(found: dict[str, Any], base: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Endpoints, firewalls and coverage; without a list of endpoints nothing follows."""
    if not found["has_list"]:
        yield {**base, "section": "reconciliation", "detail": "no list of endpoints was recorded"}
        return
    for finding, clients in found["counts"].items():
        yield {**base, "section": "reconciliation", "name": finding, "hits": clients}
    for row in found["clients"]:
        outcomes = ", ".join(row["outcomes"])
        yield {**base, "section": "reconciled", "name": row["client"], "detail": row["finding"], "action": outcomes}


def _intelligence(report: dict[str, Any], base: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for trouble in report["intelligence"]:
        detail = f"{trouble['what']}: {trouble['why']}"
        yield {**base, "section": "intelligence", "name": trouble["source"], "detail": detail}


def _window(span: dict[str, Any]) -> dict[str, Any]:
    return {"from": span["from"], "to": span["to"]}


def _totals(report: dict[str, Any], section: str, *, name: str = "", detail: str = "") -> Iterable[dict[str, Any]]:
    base = {key: report[key] for key in ("site", "from", "to")}
    for action, figures in report["totals"].items():
        yield {**base, "section": section, "name": name, "detail": detail, "action": action, **figures}


def _coverage(report: dict[str, Any]) -> Iterable[dict[str, Any]]:
    base = {key: report[key] for key in ("site", "from", "to")}
    for name, seconds in report["coverage"].items():
        yield {**base, "section": "coverage", "name": name.removesuffix("_seconds"), "seconds": seconds}
