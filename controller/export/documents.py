"""The forms that are JSON: our own, the Elastic Common Schema and OCSF. Pure; equal records are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from controller.evidence.model import EpisodeAction
from controller.export.lines import facts
from controller.export.record import Origin, Record, Severity, address_of, millis, rfc3339

ECS_VERSION: Final = "8.17.0"
OCSF_VERSION: Final = "1.8.0"
_ECS_SEVERITY: Final = {Severity.INFORMATIONAL: 1, Severity.LOW: 21, Severity.MEDIUM: 47, Severity.HIGH: 73}
"""On the scale of Elastic's own rules."""
_LISTS: Final = ("grounds", "channels", "sensors", "sources", "destinations")


def plain(record: Record, origin: Origin) -> dict[str, Any]:
    """Under the names of our API; what is not known is left out."""
    said: dict[str, Any] = dict(facts(record))
    for name in ("seq", "confidence", "count", "packets"):
        if name in said:
            said[name] = int(said[name])
    if record.octets is not None:
        said["bytes"] = record.octets
    said |= {name: list(getattr(record, name)) for name in _LISTS if getattr(record, name)}
    said.pop("atLeast", None)
    return {**said, "at_least": record.at_least, "cut": record.is_cut, "message": record.said, "sender": origin.host}


# --- Elastic Common Schema --------------------------------------------------------------------------------------------


_ECS_TYPE: Final[Mapping[EpisodeAction, list[str]]] = {
    EpisodeAction.BLOCKED: ["connection", "denied"],
    EpisodeAction.MONITORED: ["connection", "info"],
    EpisodeAction.EXCEPTED: ["connection", "allowed"],
    EpisodeAction.NOT_ENFORCED: ["connection", "allowed"],
    EpisodeAction.UNKNOWN: ["connection", "info"],
}


def ecs(record: Record, origin: Origin) -> dict[str, Any]:
    """Fields of ECS 8.17, and what it has no field for under ``tokgate``. ``@timestamp`` is the end of the window."""
    addresses = [str(one) for one in (record.source, *record.addresses) if one is not None]
    clients = [*record.sources, *([record.host] if record.host else ())]
    whose = [*addresses, *(one for one in record.sources if address_of(one) is not None)]
    return _known(
        {
            "@timestamp": rfc3339(record.end),
            "ecs": {"version": ECS_VERSION},
            "message": record.said,
            "event": {
                "id": record.id,
                "kind": "alert" if record.severity >= Severity.MEDIUM else "event",
                "category": ["network"],
                "type": _ECS_TYPE[record.action],
                "action": f"{record.kind}-{record.action}",
                "start": rfc3339(record.start),
                "end": rfc3339(record.end),
                "created": rfc3339(record.at),
                "severity": _ECS_SEVERITY[record.severity],
                "sequence": record.seq,
                "module": "tokgate",
                "dataset": f"tokgate.{record.type}",
                "provider": "tokgate",
                "reason": "; ".join(record.grounds),
            },
            "observer": {
                "vendor": "tokgate",
                "product": "tokgate",
                "type": "firewall",
                "version": origin.version,
                "name": record.device,
                "hostname": origin.host,
            },
            "source": {
                "address": str(record.source or record.host),
                "ip": record.source and str(record.source),
                "domain": record.host,
                "user": {"name": record.user},
            },
            "destination": _destination(record),
            "network": {"packets": record.packets, "bytes": record.octets},
            "rule": {"name": record.rule},
            "user": {"name": record.user},
            "related": {
                "ip": sorted(set(whose)),
                "hosts": sorted({*record.names, *(one for one in clients if address_of(one) is None)}),
                "user": [record.user] if record.user else [],
            },
            "tokgate": {**_own(record), **{name: list(getattr(record, name)) for name in _LISTS}},
        }
    )


def _destination(record: Record) -> dict[str, Any]:
    """Where to, if that is one place; all of them are under ``related`` and ``tokgate``."""
    address = str(record.addresses[0]) if len(record.addresses) == 1 else ""
    name = record.names[0] if len(record.names) == 1 else ""
    return {"address": name or address, "ip": address, "domain": name}


def _own(record: Record) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "action": record.action,
        "site": record.site,
        "role": record.role,
        "app": record.app,
        "surface": record.surface,
        "indicator": record.indicator,
        "exception": record.exception,
        "snapshot": record.snapshot,
        "confidence": record.confidence,
        "count": record.count,
        "at_least": record.at_least,
        "cut": record.is_cut,
    }


# --- OCSF -------------------------------------------------------------------------------------------------------------


_DETECTION_FINDING: Final = 2004
_CREATE: Final = 1
_OCSF_SEVERITY: Final = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
}
_OCSF_ACTION: Final[Mapping[EpisodeAction, tuple[int, str, int, str]]] = {
    EpisodeAction.BLOCKED: (2, "Denied", 2, "Blocked"),
    EpisodeAction.MONITORED: (3, "Observed", 17, "Logged"),
    EpisodeAction.EXCEPTED: (1, "Allowed", 1, "Allowed"),
    EpisodeAction.NOT_ENFORCED: (1, "Allowed", 1, "Allowed"),
    EpisodeAction.UNKNOWN: (0, "Unknown", 0, "Unknown"),
}
"""Of the profile `security_control`: action and disposition, each as number and caption."""


def ocsf(record: Record, origin: Origin) -> dict[str, Any]:
    """A Detection Finding (2004) of OCSF 1.8 with the profile ``security_control``; ``unmapped`` has the rest."""
    severity, severity_name = _OCSF_SEVERITY[record.severity]
    action, action_name, disposition, disposition_name = _OCSF_ACTION[record.action]
    confidence = _confidence(record.confidence)
    return _known(
        {
            "activity_id": _CREATE,
            "activity_name": "Create",
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": _DETECTION_FINDING,
            "class_name": "Detection Finding",
            "type_uid": _DETECTION_FINDING * 100 + _CREATE,
            "type_name": "Detection Finding: Create",
            "severity_id": severity,
            "severity": severity_name,
            "status_id": 1,
            "status": "New",
            "time": millis(record.at),
            "start_time": millis(record.start),
            "end_time": millis(record.end),
            "count": record.count or None,  # the schema counts from one
            "message": record.said,
            "is_alert": record.severity >= Severity.MEDIUM,
            "action_id": action,
            "action": action_name,
            "disposition_id": disposition,
            "disposition": disposition_name,
            "confidence_id": confidence and confidence[0],
            "confidence": confidence and confidence[1],
            "confidence_score": record.confidence,
            "metadata": {
                "version": OCSF_VERSION,
                "profiles": ["security_control"],
                "product": {"name": "tokgate", "vendor_name": "tokgate", "version": origin.version},
                "uid": record.id,
                "sequence": record.seq,
                "log_name": record.type,
                "logged_time": millis(record.at),
            },
            "finding_info": {
                "uid": record.id,
                "title": record.title,
                "desc": "; ".join(record.grounds),
                "types": [record.kind],
                "created_time": millis(record.at),
                "first_seen_time": millis(record.start),
                "last_seen_time": millis(record.end),
                "data_sources": list(record.channels),
            },
            "firewall_rule": {"name": record.rule},
            "evidences": _evidences(record),
            "unmapped": {**_own(record), "sensors": list(record.sensors)},
        }
    )


def ocsf_gap(name: str, missing: int, at: datetime, said: str, origin: Origin) -> dict[str, Any]:
    """A base event (class 0): no class of findings has a word for what was lost."""
    product = {"name": "tokgate", "vendor_name": "tokgate", "version": origin.version}
    return {
        "activity_id": 99,
        "activity_name": "Gap",
        "category_uid": 0,
        "class_uid": 0,
        "type_uid": 99,
        "severity_id": 3,
        "time": millis(at),
        "count": missing,
        "message": said,
        "metadata": {"version": OCSF_VERSION, "product": product, "uid": name},
    }


def _confidence(score: int | None) -> tuple[int, str] | None:
    if score is None:
        return None
    return (1, "Low") if score < 40 else (2, "Medium") if score < 75 else (3, "High")


def _evidences(record: Record) -> list[dict[str, Any]]:
    """The client and the first destination, then one for each further destination or source, then the device."""
    client = {"ip": str(record.source or ""), "hostname": record.host, "owner": {"name": record.user}}
    places = [*({"ip": str(one)} for one in record.addresses), *({"hostname": name} for name in record.names)]
    first: dict[str, Any] = {"src_endpoint": client, "dst_endpoint": places[0] if places else {}}
    further = [{"dst_endpoint": place} for place in places[1:]]
    several = [{"src_endpoint": _endpoint(source)} for source in record.sources]
    device = {"data": {"device": record.device, "packets": record.packets, "bytes": record.octets}}
    every: list[dict[str, Any]] = [first, *further, *several, device]
    return [found for one in every if (found := _known(one))]


def _endpoint(source: str) -> dict[str, str]:
    """A client that stands under a pseudonym has no address."""
    return {"hostname" if address_of(source) is None else "ip": source}


# --- both -------------------------------------------------------------------------------------------------------------


def _known(said: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known, at every depth; ``0`` and ``False`` are known."""
    found = {key: _known(value) if isinstance(value, dict) else value for key, value in said.items()}
    return {key: value for key, value in found.items() if value is not None and value not in ("", {}, [])}


def dumps(said: Mapping[str, Any]) -> str:
    """On one line."""
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


__all__ = ["ECS_VERSION", "OCSF_VERSION", "dumps", "ecs", "ocsf", "ocsf_gap", "plain"]
