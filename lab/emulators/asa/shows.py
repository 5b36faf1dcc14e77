"""What the `show` commands print, apart from the configuration itself. Formats as in public captures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from lab.emulators.asa import answers
from lab.emulators.asa.context import Context, Laid, Part
from lab.emulators.asa.expansion import digest
from lab.emulators.asa.values import AnyPlace, Ref
from lab.emulators.asa.words import LEVELS

if TYPE_CHECKING:
    from lab.emulators.asa.device import Asa


def moment(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC {at:%b} {at.day} {at.year}"


# --- access lists -----------------------------------------------------------------------------------------------------


def access_lists(context: Context) -> Iterator[str]:
    yield from _flows_header(context)
    for name in context.running.acls:
        yield from _access_list(context, name)


def access_list(context: Context, name: str) -> Iterator[str]:
    if name not in context.running.acls:
        raise answers.no_such_acl(name)
    if context.switches.named_header:
        yield from _flows_header(context)
    yield from _access_list(context, name)


def _flows_header(context: Context) -> Iterator[str]:
    context.tell_flows()
    denied = sum(flow.denied for flow in context.flows.values())
    limit = context.model.deny_flow_max
    yield f"access-list cached ACL log flows: total {len(context.flows)}, denied {denied} (deny-flow-max {limit})"
    yield "            alert-interval 300"


def elements(context: Context, name: str) -> int:
    """How many the device says it has: those of each entry, and remarks none."""
    standard = sum(entry.rule.text().startswith("standard") for entry in context.running.acls[name])
    return standard + sum(len(laid.parts) for laid in context.laid(name))


def _header(context: Context, name: str) -> str:
    return f"access-list {name}; {elements(context, name)} elements; name hash: 0x{digest(name)}"


def _access_list(context: Context, name: str) -> Iterator[str]:
    yield _header(context, name)
    laid = {each.line: each for each in context.laid(name)}
    for line, entry in enumerate(context.running.acls[name], start=1):
        start = f"access-list {name} line {line}"
        if line in laid:
            yield from _entry(context, start, laid[line])
        elif entry.rule.text().startswith("remark"):
            yield f"{start} {entry.rule.text()}"
        else:
            yield f"{start} {entry.rule.text()} (hitcnt=0) 0x{digest(f'{name} {entry.rule.text()}')}"


def _entry(context: Context, start: str, laid: Laid) -> Iterator[str]:
    shown = laid.ace.text(context.running.alias, full=True)
    total = context.hit(laid.entry.serial).count
    off, end = "" if context.active(laid.ace) else " (inactive)", " " * context.model.trailing_blank
    if context.running.group_search and _grouped(laid):
        yield f"{start} {shown} 0x{laid.hash}{end}"
        yield f"{start} {_numbered(laid)} (hitcnt={total}){off} 0x{digest(laid.hash)}{end}"
        return
    counted = f" (hitcnt={total})" if context.model.parent_counts or not _grouped(laid) else ""
    yield f"{start} {shown}{counted}{off} 0x{laid.hash}{end}"
    if not laid.plain:
        seen: set[str] = set()
        for part in laid.parts:
            yield f"  {start} {_part(context, laid, part, off, again=part.hash in seen)}{end}"
            seen.add(part.hash)


def _grouped(laid: Laid) -> bool:
    return any(ref.kind == "object-group" for ref in laid.ace.match.refs)


def _part(context: Context, laid: Laid, part: Part, off: str, *, again: bool) -> str:
    """An element that stands there twice counts where it stands first: the second never sees any traffic."""
    shown = part.element.text() + laid.ace.options(full=True)
    if not part.element.counted:
        # A name that has not resolved prints no count at all (ntc-templates, show_access-list update).
        resolved = " (resolved)" in part.element.text() and "(unresolved)" not in part.element.text()
        return f"{shown}{'' if resolved else ' (inactive)'} 0x{part.hash}"
    count = 0 if again else context.hit(laid.entry.serial, part.hash).count
    return f"{shown} (hitcnt={count}){off} 0x{part.hash}"


def _numbered(laid: Laid) -> str:
    """With internal group numbers, as `object-group-search access-control` shows entries."""
    parts = []
    for part in laid.ace.match.parts:
        if isinstance(part, Ref) and part.kind == "object-group":
            parts.append(f"{part.text()}({int(digest(part.name), 16) % 65_536})")
        elif isinstance(part, AnyPlace):
            parts.append(f"{part.text()}(65537)")
        else:
            parts.append(part.text())
    return f"extended {laid.ace.action} {' '.join(parts)}{laid.ace.options(full=True)}"


def brief(context: Context, name: str) -> Iterator[str]:
    """Element hash, hash of its entry, hits and the time of the last one, all in hexadecimal."""
    if name not in context.running.acls:
        raise answers.no_such_acl(name)
    yield _header(context, name)
    for laid in context.laid(name):
        seen: set[str] = set()
        for part in laid.parts:
            hits = context.hit(laid.entry.serial, part.hash)
            if part.hash not in seen and (hits.count or (context.switches.brief_zero_rows and part.element.counted)):
                last = int(hits.last.timestamp()) if hits.last else 0
                yield f"{part.hash} {part.parent} {hits.count:08x} {last:08x}"
            seen.add(part.hash)


# --- messages ---------------------------------------------------------------------------------------------------------


def logging(context: Context) -> Iterator[str]:
    context.tell_flows()
    level = context.buffer_level
    enabled = "enabled" if any(b[0] == "logging enable" for b in context.running.foreign) else "disabled"
    stamped = "enabled" if any(b[0] == "logging timestamp" for b in context.running.foreign) else "disabled"
    kept = f"level {LEVELS[level]}, {context.buffer.taken} messages logged" if level >= 0 else "disabled"
    yield f"Syslog logging: {enabled}"
    yield "    Facility: 20"
    yield f"    Timestamp logging: {stamped}"
    yield "    Hide Username logging: disabled"
    yield "    Standby logging: disabled"
    yield "    Debug-trace logging: disabled"
    yield "    Console logging: disabled"
    yield "    Monitor logging: disabled"
    yield f"    Buffer logging: {kept}"
    yield "    Trap logging: disabled"
    yield "    Permit-hostdown logging: disabled"
    yield "    History logging: disabled"
    yield "    Device ID: disabled"
    yield "    Mail logging: disabled"
    yield "    ASDM logging: disabled"
    yield from context.buffer.lines


# --- the box ----------------------------------------------------------------------------------------------------------


def version(device: Asa, context: Context) -> Iterator[str]:
    model, up = device.model, int(device.clock.monotonic() - device.booted)
    yield f"Cisco Adaptive Security Appliance Software Version {model.version} "
    yield ""
    yield 'Config file at boot was "startup-config"'
    yield ""
    yield f"{context.running.hostname} up {up // 86_400} days {up % 86_400 // 3600} hours"
    yield ""
    yield f"Hardware:   {model.hardware}"
    yield ""
    yield f"Serial Number: {model.serial}"
    if context.modified is not None:
        by, at = context.modified
        when = f"{at:%H:%M:%S}.{at.microsecond // 1000:03} UTC {at:%a %b} {at.day} {at.year}"
        yield f"Configuration last modified by {by} at {when}"
    else:
        yield "Configuration has not been modified since last system restart."


def clock(device: Asa) -> Iterator[str]:
    """``23:30:05.142 UTC Fri Aug 5 2005``."""
    at = device.clock.now().astimezone(device.zone)
    yield f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {at.tzname() or 'UTC'} {at:%a %b} {at.day} {at.year}"


def failover(device: Asa) -> Iterator[str]:
    mate = device.mate
    yield "Failover On" if mate else "Failover Off"
    yield f"Failover unit {device.unit.capitalize()}"
    yield f"Failover LAN Interface: {'folink GigabitEthernet0/7 (up)' if mate else 'not Configured'}"
    yield "Reconnect timeout 0:00:00"
    yield "Unit Poll frequency 1 seconds, holdtime 15 seconds"
    yield "Interface Poll frequency 5 seconds, holdtime 25 seconds"
    yield "Interface Policy 1"
    yield "Monitored Interfaces 2 of 61 maximum"
    yield "MAC Address Move Notification Interval not set"
    if mate is None:
        return
    yield f"Version: Ours {device.model.version}, Mate {mate.model.version}"
    yield f"Serial Number: Ours {device.model.serial}, Mate {mate.model.serial}"
    yield f"Last Failover at: {moment(device.since)}"
    for which, unit in (("This", device), ("Other", mate)):
        yield f"        {which} host: {unit.unit.capitalize()} - {unit.state}"
        yield f"                Active time: {unit.active_seconds()} (sec)"
        yield f"                slot 0: ASAv hw/sw rev (/{unit.model.version}) status (Up Sys)"


def contexts(device: Asa) -> Iterator[str]:
    yield "Context Name      Class                Interfaces           Mode         URL"
    for name in device.contexts:
        mark = "*" if name == device.admin else " "
        yield f"{mark}{name:<16} {'default':<20} {'':<20} {'Routed':<12} disk0:/{name}.cfg"
    yield f"Total active Security Contexts: {len(device.contexts)}"
