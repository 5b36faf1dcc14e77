"""The forms of one line: RFC 5424, CEF and LEEF. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from controller.export.record import Origin, Record, Severity, millis, rfc3339

VENDOR: Final = "tokgate"
SD_ID: Final = "tokgate@32473"
"""32473 is the number that RFC 5612 keeps for examples; we have none of our own."""
SYSLOG_SEVERITY: Final = {
    Severity.INFORMATIONAL: 6,
    Severity.LOW: 5,
    Severity.MEDIUM: 4,
    Severity.HIGH: 3,
}
_FACILITIES: Final = ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv")
FACILITIES: Final[Mapping[str, int]] = {
    **{name: code for code, name in enumerate(_FACILITIES)},
    **{f"local{number}": 16 + number for number in range(8)},
}
_GRAPHIC: Final = re.compile("[^!-~]")
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


# --- RFC 5424 ---------------------------------------------------------------------------------------------------------


def syslog(record: Record, origin: Origin, *, facility: int, message: str, elements: str = "-") -> str:
    """A message of RFC 5424 around ``message``. The time is that of the end of the window."""
    return header(record.kind, record.severity, record.end, origin, facility=facility) + f" {elements} {message}"


def header(kind: str, severity: Severity, at: datetime, origin: Origin, *, facility: int) -> str:
    """Up to the structured data."""
    host = _GRAPHIC.sub("", origin.host)[:255] or "-"
    return f"<{facility * 8 + SYSLOG_SEVERITY[severity]}>1 {rfc3339(at)} {host} tokgate - {kind}"


def rfc5424(record: Record, origin: Origin, *, facility: int) -> str:
    """With everything as structured data, and a sentence for people."""
    said = record.said if record.said.isascii() else _BOM + record.said
    software = f'[origin software="tokgate" swVersion="{_sd_value(origin.version)}"]'
    own = "".join(f' {name}="{_sd_value(value)}"' for name, value in facts(record))
    elements = f"{software}[{SD_ID}{own}]"
    return syslog(record, origin, facility=facility, message=said, elements=elements)


def facts(record: Record) -> Iterable[tuple[str, str]]:
    """Everything that is known of it, under our own names, in one order."""
    found: tuple[tuple[str, object], ...] = (
        ("id", record.id),
        ("seq", record.seq),
        ("type", record.type),
        ("kind", record.kind),
        ("action", record.action),
        ("site", record.site),
        ("start", rfc3339(record.start)),
        ("end", rfc3339(record.end)),
        ("recorded", rfc3339(record.at)),
        ("device", record.device),
        ("rule", record.rule),
        ("source", record.source),
        ("host", record.host),
        ("user", record.user),
        ("role", record.role),
        ("indicator", record.indicator),
        ("app", record.app),
        ("surface", record.surface),
        ("exception", record.exception),
        ("snapshot", record.snapshot),
        ("confidence", record.confidence),
        ("grounds", "; ".join(record.grounds)),
        ("channels", ",".join(record.channels)),
        ("sensors", ",".join(record.sensors)),
        ("sources", ",".join(record.sources)),
        ("destinations", ",".join(record.destinations)),
        ("count", record.count),
        ("packets", record.packets),
        ("bytes", record.octets),
        ("atLeast", "true" if record.at_least else ""),
        ("cut", "true" if record.is_cut else ""),
    )
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def _sd_value(text: str) -> str:
    """RFC 5424, section 6.3.3."""
    return re.sub(r'(["\\\]])', r"\\\1", text)


# --- CEF --------------------------------------------------------------------------------------------------------------


_CEF_SEVERITY: Final = {
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 4,
    Severity.MEDIUM: 6,
    Severity.HIGH: 8,
}


def cef(record: Record, origin: Origin) -> str:
    """ArcSight's Common Event Format, CEF:0. In the header ``\\`` and ``|`` are escaped, in values ``\\`` and ``=``."""
    header = (VENDOR, "tokgate", origin.version, record.kind, record.title)
    head = "|".join(re.sub(r"([\\|])", r"\\\1", part) for part in header)
    body = " ".join(f"{key}={_cef_value(value)}" for key, value in _cef_pairs(record))
    return f"CEF:0|{head}|{_CEF_SEVERITY[record.severity]}|{body}"


def _cef_pairs(record: Record) -> Iterable[tuple[str, str]]:
    """Keys of the dictionary, and strings of our own with their labels."""
    plain: tuple[tuple[str, object], ...] = (
        ("rt", millis(record.at)),
        ("start", millis(record.start)),
        ("end", millis(record.end)),
        ("externalId", record.id),
        ("act", record.action),
        ("dvchost", record.device),
        *_cef_address("src", "c6a2", "Source IPv6 Address", record.source),
        ("shost", record.host),
        ("suser", record.user),
        *_cef_address("dst", "c6a3", "Destination IPv6 Address", _only(record.addresses)),
        ("dhost", _only(record.names)),
        ("cnt", record.count),
        ("cat", record.type),
        ("msg", record.said),
    )
    numbers = (("confidence", record.confidence), ("packets", record.packets), ("bytes", record.octets))
    texts = (
        ("site", record.site),
        ("rule", record.rule),
        ("app", " ".join(part for part in (record.app, record.surface) if part)),
        ("indicator", record.indicator),
        ("grounds", "; ".join(record.grounds)),
        ("exception", record.exception),
    )
    return [
        *((key, str(value)) for key, value in plain if value not in (None, "")),
        *_labelled("cn", numbers),
        *_labelled("cs", texts),
    ]


def _cef_address(v4: str, v6: str, label: str, address: object) -> tuple[tuple[str, object], ...]:
    if address is None or ":" not in str(address):
        return ((v4, address),)
    return ((v6, address), (f"{v6}Label", label))


def _labelled(kind: str, found: Iterable[tuple[str, object]]) -> Iterable[tuple[str, str]]:
    """A name has always the same number, whether or not those before it are known."""
    for number, (label, value) in enumerate(found, start=1):
        if value not in (None, ""):
            yield f"{kind}{number}", str(value)
            yield f"{kind}{number}Label", label


def _cef_value(text: str) -> str:
    return re.sub(r"([\\=])", r"\\\1", text)


# --- LEEF -------------------------------------------------------------------------------------------------------------


_LEEF_SEVERITY: Final = {
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 4,
    Severity.MEDIUM: 6,
    Severity.HIGH: 9,
}
_LEEF_TIME: Final = "yyyy-MM-dd'T'HH:mm:ss.SSSX"


def leef(record: Record, origin: Origin) -> str:
    """IBM's Log Event Extended Format 2.0, with ``^`` between the attributes.

    The format has no way to escape that character in a value: it is written ``%5E`` there.
    """
    head = "|".join(part.replace("|", "%7C") for part in (VENDOR, "tokgate", origin.version, record.kind))
    body = "^".join(f"{key}={value.replace('^', '%5E')}" for key, value in _leef_pairs(record))
    return f"LEEF:2.0|{head}|^|{body}"


def _leef_pairs(record: Record) -> Iterable[tuple[str, str]]:
    own = {"id", "kind", "end", "source", "user", "host", "device", "exception"}  # said under names of the format
    found: tuple[tuple[str, object], ...] = (
        ("devTime", rfc3339(record.end)[:-4] + "Z"),
        ("devTimeFormat", _LEEF_TIME),
        ("cat", record.type),
        ("sev", _LEEF_SEVERITY[record.severity]),
        ("src", record.source),
        ("dst", _only(record.addresses)),
        ("usrName", record.user),
        ("identHostName", record.host),
        ("eventId", record.id),
        ("deviceName", record.device),
        ("exceptionId", record.exception),
        ("msg", record.said),
    )
    return [
        *((key, str(value)) for key, value in found if value not in (None, "")),
        *((name, value) for name, value in facts(record) if name not in own and name != "type"),
    ]


def _only(found: tuple[object, ...]) -> object | None:
    """The one that there is; of several none is it."""
    return found[0] if len(found) == 1 else None


__all__ = ["FACILITIES", "SD_ID", "cef", "facts", "header", "leef", "rfc5424", "syslog"]
