"""osquery's results: differential and snapshot log lines, of what is installed, what runs, who asked for a name. Pure.

The log names the query and not its table, so a row is known by its columns. Source: https://osquery.io/schema
(``programs``, ``apps``, ``chrome_extensions``, ``deb_packages``, ``rpm_packages``, ``homebrew_packages``,
``processes``, ``dns_lookup_events``) and the logging page of its documentation; not run here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.evidence.formats import fields
from controller.evidence.formats.reading import Found, Reading, Stream, by_line
from controller.evidence.model import Channel, Sighting

Record = Mapping[str, Any]
MAX_LINE: Final = 8 << 20
"""A snapshot of all programs of a computer is one line."""
_DNS_TYPES: Final = frozenset({"A", "AAAA", "CNAME", "HTTPS", "SVCB", "PTR", "TXT", "MX", "NS", "SRV", "SOA", "ANY"})
_BASE: Final = re.compile(r"[^/\\]{1,200}\Z")


def read(stream: Stream, reading: Reading) -> Iterator[Found]:
    """One JSON object a line: a difference, a batch of them, or a snapshot."""
    return by_line(
        stream,
        reading,
        lambda text: _sightings(fields.json_object(text), reading),
        max_line=MAX_LINE,
        may_lack_end=True,
    )


def _sightings(record: Record, reading: Reading) -> Iterator[Sighting]:
    if "hostIdentifier" not in record or "name" not in record:
        raise ValueError("hostIdentifier and name: which computer, and which query")
    for row in _rows(record):
        found = _sighting(row, record, reading)
        if found is not None:
            yield found


def _rows(record: Record) -> Iterator[Record]:
    """What is there, or came; what was removed is none."""
    if record.get("action") == "added":
        yield fields.section(record, "columns")
    several = fields.listed(record, "snapshot") + fields.listed(fields.section(record, "diffResults"), "added")
    yield from (row for row in several if isinstance(row, dict))


def _sighting(row: Record, record: Record, reading: Reading) -> Sighting | None:
    told = fields.section(record, "decorations")
    at = fields.epoch(record["unixTime"]) if "unixTime" in record else reading.made_at or reading.now
    common: dict[str, Any] = {
        "sensor": reading.sensor or "osquery",
        "source": fields.address(_text(told, "ip", "ip_address", "primary_ip") or None),
        "host": fields.clean(_text(told, "hostname", "computer_name") or record["hostIdentifier"], 100),
        "user": fields.clean(_text(row, "username", "user") or _text(told, "username", "user"), 100),
    }
    if _is_dns(row):
        when = row.get("time")
        return Sighting(
            channel=Channel.DNS,
            at=fields.epoch(when) if when else at,
            name=fields.name(row.get("name")),
            answers=fields.answers(re.split(r"[;, ]{1,4}", _text(row, "response")[:4096])),
            software=_program(row),
            platform="windows",
            **common,
        )
    software, platform = _software(row)
    if not software:
        return None
    return Sighting(channel=Channel.ENDPOINT, at=at, software=fields.clean(software, 200), platform=platform, **common)


def _is_dns(row: Record) -> bool:
    return "pid" in row and row.get("type") in _DNS_TYPES and "." in _text(row, "name")


def _software(row: Record) -> tuple[str, str]:
    """What it is, by the most exact name that the table has, and on which platform."""
    if "bundle_identifier" in row:
        return _text(row, "bundle_identifier") or _text(row, "name"), "macos"
    if "package_family_name" in row or "identifying_number" in row or "install_source" in row:
        return _text(row, "package_family_name") or _text(row, "name"), "windows"
    if "browser_type" in row or ("identifier" in row and "permissions" in row):
        return _text(row, "identifier", "referenced_identifier") or _text(row, "name"), "chrome"
    if "pid" in row and "path" in row:
        return _program(row), ""
    if "arch" in row or "installed_path" in row or "maintainer" in row:
        return _text(row, "name"), "linux" if "installed_path" not in row else "macos"
    return (_text(row, "name"), "") if "version" in row else ("", "")


def _program(row: Record) -> str:
    found = _BASE.search(_text(row, "path")[-400:])
    return found[0] if found else _text(row, "name")


def _text(row: Record, *keys: str) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")


def fits(head: str) -> bool:
    """Whether a beginning looks like it."""
    first = head.lstrip()[:65536].split("\n", 1)[0]
    return first.startswith("{") and ('"hostIdentifier"' in first or '"diffResults"' in first)
