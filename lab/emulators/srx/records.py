"""RT_FLOW records in the box's own files: those of policies with `then log`, where `system syslog file` keeps them.

Unstructured forms from logstash-patterns-core; the structured deny from a record of Junos of 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.emulators.srx import applications
from lab.emulators.srx.tree import Node
from lab.emulators.traffic import Flow

if TYPE_CHECKING:
    from lab.emulators.srx.device import Srx
    from lab.emulators.srx.engine import Engine, Rule

NUMBERS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmp6": 58}
_LEVELS: Final = ("any", "info", "debug")
_FACILITIES: Final = ("any", "user")


@dataclass(frozen=True, slots=True)
class File:
    """One `system syslog file`: its name, what it keeps, whether structured."""

    name: str
    pattern: str
    structured: bool


class Recorder:
    """Of one engine, into the files of the box."""

    def __init__(self, device: Srx, engine: Engine) -> None:
        self._device, self._engine = device, engine
        self._lines = device.log_files

    def files(self) -> list[str]:
        return [node.part.values[0] for node, _ in _files(self._root)]

    def text(self, name: str) -> str:
        return "".join(f"{line}\n" for line in self._lines.get(name, ()))

    @property
    def _root(self) -> Node:
        return self._device.database.effective

    # --- records --------------------------------------------------------------------------------------------------

    def denied(self, flow: Flow, rule: Rule, number: int) -> None:
        name, ends = _name(rule), _ends(flow)
        zones, where = self._zones(flow), self._engine.interface(flow.inside)
        service, protocol = self._service(flow), NUMBERS.get(flow.protocol, 0)
        reason = " UNKNOWN policy deny" if self._device.model.deny_reason else " UNKNOWN"
        plain = f"session denied {ends} {service} {protocol}(0) {name} {zones} UNKNOWN UNKNOWN N/A(N/A) {where}{reason}"
        fields = self._fields(flow, rule, service) | {
            "application": "UNKNOWN", "nested-application": "UNKNOWN", "username": "N/A", "roles": "N/A",
            "packet-incoming-interface": where, "encrypted": "No",
        }  # fmt: skip
        if self._device.model.deny_reason:
            fields |= {"reason": "Denied by policy", "session-id-32": str(number)}
        self._write("DENY", plain, fields)

    def created(self, flow: Flow, rule: Rule, number: int) -> None:
        tail = f"{number} N/A(N/A) {self._engine.interface(flow.inside)}"
        self._write("CREATE", f"session created {self._kept(flow, rule)} {tail}", self._held(flow, rule, number))

    def closed(self, flow: Flow, rule: Rule, number: int) -> None:
        count = f"{flow.packets}({flow.packets * flow.octets})"
        tail = f"{number} {count} {count} 1 UNKNOWN UNKNOWN N/A(N/A) {self._engine.interface(flow.inside)} No "
        reason = "TCP FIN" if flow.protocol == "tcp" else "idle Timeout"
        fields = {"reason": reason} | self._held(flow, rule, number)
        self._write("CLOSE", f"session closed {reason}: {self._kept(flow, rule)} {tail}", fields)

    def _kept(self, flow: Flow, rule: Rule) -> str:
        ends, protocol = _ends(flow), NUMBERS.get(flow.protocol, 0)
        return f"{ends} {self._service(flow)} {ends} None None {protocol} {_name(rule)} {self._zones(flow)}"

    def _held(self, flow: Flow, rule: Rule, number: int) -> dict[str, str]:
        return self._fields(flow, rule, self._service(flow)) | {"session-id-32": str(number)}

    def _fields(self, flow: Flow, rule: Rule, service: str) -> dict[str, str]:
        zones = self._zones(flow).split()
        return {
            "source-address": str(flow.source), "source-port": str(flow.source_port),
            "destination-address": str(flow.destination), "destination-port": str(flow.port),
            "connection-tag": "0", "service-name": service, "protocol-id": str(NUMBERS.get(flow.protocol, 0)),
            "icmp-type": "0", "policy-name": _name(rule), "source-zone-name": zones[0],
            "destination-zone-name": zones[1],
        }  # fmt: skip

    def _service(self, flow: Flow) -> str:
        return applications.named(self._root, flow)

    def _zones(self, flow: Flow) -> str:
        engine = self._engine
        return f"{engine.zone(flow.inside)} {engine.zone(flow.outside)}"

    # --- files ----------------------------------------------------------------------------------------------------

    def _write(self, kind: str, plain: str, fields: dict[str, str]) -> None:
        if not self._kept_here():
            return
        now, host = self._device.database.now(), self._device.host_name
        tag = f"RT_FLOW_SESSION_{kind}"
        if self._engine.space:  # the suffix and the first field: Junos logical systems guide; tenants likewise
            tag, fields = f"{tag}_LS", {"logical-system-name": self._engine.space[1]} | fields
        listed = " ".join(f'{name}="{value}"' for name, value in fields.items())
        stamp = f"{now.isoformat(timespec='milliseconds')}"
        structured = f"<14>1 {stamp} {host} RT_FLOW - {tag} [junos@2636.1.1.1.2.129 {listed}]"
        line = f"{now:%b} {now.day:>2} {now:%H:%M:%S} {host} RT_FLOW: {tag}: {plain}"
        for file in self._wanted():
            written = structured if file.structured else line
            if re.search(file.pattern, written):
                held = self._lines.setdefault(file.name, [])
                held.append(written)
                del held[: -self._device.model.log_lines]

    def _kept_here(self) -> bool:
        """Stream mode sends records elsewhere."""
        log = self._root.at("security", "log")
        mode = self._device.switches.default_log_mode if log is None else log.leaf("mode", "") or "event"
        return mode == "event" or self._device.switches.stream_logs_kept

    def _wanted(self) -> Iterator[File]:
        log = self._root.at("security", "log")
        everywhere = log is not None and log.leaf("format") == "sd-syslog"
        for node, words in _files(self._root):
            if any(facility in _FACILITIES and level in _LEVELS for facility, level in words):
                pattern = next((level for facility, level in words if facility == "match"), "")
                structured = everywhere or any(facility == "structured-data" for facility, _ in words)
                yield File(node.part.values[0], pattern, structured)


def _files(root: Node) -> Iterator[tuple[Node, list[tuple[str, str]]]]:
    """Each file with the pairs of words below it."""
    system = root.at("system")
    syslog = None if system is None else system.child("", "syslog")
    held = None if syslog is None else syslog.child("", "file")
    for node in () if held is None else held.children.values():
        pairs = [(word.part.values[0], last) for word in node.children.values() for last in _last(word)]
        yield node, pairs


def _last(node: Node) -> list[str]:
    return [child.part.values[0] for child in node.children.values()] or [""]


def _name(rule: Rule) -> str:
    """A global policy says so (logstash-patterns-core)."""
    return rule.node.value if rule.pair else f"{rule.node.value}(global)"


def _ends(flow: Flow) -> str:
    return f"{flow.source}/{flow.source_port}->{flow.destination}/{flow.port}"
