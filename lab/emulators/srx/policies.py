"""`show security policies`, its `detail`, and `show security match-policies` in the form of that detail.

From a vSRX 24.4 and the notes of an SRX lab of 2019. The block of statistics is not in any public capture: its field
set is known from the XML (junos_exporter), its layout here is likely.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from lab.emulators.srx.applications import Service
from lab.emulators.srx.engine import GLOBAL, Rule

if TYPE_CHECKING:
    from lab.emulators.srx.device import Srx


def listing(device: Srx, rules: list[Rule]) -> str:
    lines = list(_heads(device))
    for zones, group in groupby(rules, key=lambda rule: rule.zones):
        lines.append("Global policies:" if zones == GLOBAL else f"From zone: {zones[0]}, To zone: {zones[1]}")
        for rule in group:
            lines += _brief(device, rule)
    return "".join(f"{line}\n" for line in lines)


def _heads(device: Srx) -> Iterator[str]:
    yield f"Default policy: {'permit-all' if device.engine.default_permits else 'deny-all'}"
    if device.model.identity_lines:
        yield "Default policy log Profile ID: 0"
        yield "Pre ID default policy: permit-all"
        yield "Default HTTP Mux policy: permit-all"


def _state(device: Srx, rule: Rule) -> str:
    return "enabled" if device.engine.enabled(rule) else device.switches.disabled_word


def _index(device: Srx, rule: Rule) -> int:
    return device.engine.counters[rule.identity].index


def _brief(device: Srx, rule: Rule) -> Iterator[str]:
    new = device.model.identity_lines
    profile = ", Log Profile ID: 0" if new else ""
    numbers = f"Index: {_index(device, rule)}, Scope Policy: 0, Sequence number: {rule.sequence}"
    yield f"  Policy: {rule.node.value}, State: {_state(device, rule)}, {numbers}{profile}"
    if rule.zones == GLOBAL:
        yield f"    From zones: {', '.join(rule.match('from-zone')) or 'any'}"
        yield f"    To zones: {', '.join(rule.match('to-zone')) or 'any'}"
    if new:
        yield "    Source vrf group: any"
        yield "    Destination vrf group: any"
    yield f"    Source addresses: {', '.join(rule.match('source-address'))}"
    yield f"    Destination addresses: {', '.join(rule.match('destination-address'))}"
    yield f"    Applications: {', '.join(rule.match('application'))}"
    if new:
        yield "    Source identity feeds: any"
        yield "    Destination identity feeds: any"
    yield f"    Action: {rule.action}{', log' if _logged(rule) else ''}"


def _logged(rule: Rule) -> bool:
    return rule.logs("session-init") or rule.logs("session-close")


def detail(device: Srx, rule: Rule) -> str:
    return "".join(f"{line}\n" for line in _detail(device, rule))


def _detail(device: Srx, rule: Rule) -> Iterator[str]:
    state = f"State: {_state(device, rule)}, Index: {_index(device, rule)}, Scope Policy: 0"
    yield f"Policy: {rule.node.value}, action-type: {rule.action}, services-offload:not-configured , {state}"
    yield "  Policy Type: Configured"
    yield f"  Sequence number: {rule.sequence}"
    zones = rule.zones
    if zones == GLOBAL:
        zones = ", ".join(rule.match("from-zone")) or "any", ", ".join(rule.match("to-zone")) or "any"
    yield f"  From zone: {zones[0]}, To zone: {zones[1]}"
    yield from _any(device, "  Source vrf group:", "  Destination vrf group:")
    for side in ("source", "destination"):
        yield f"  {side.capitalize()} addresses:"
        for name in rule.match(f"{side}-address"):
            yield from (f"    {line} " for line in _addresses(device, rule, name))
    for name in rule.match("application"):
        yield from _application(device, name)
    yield from _any(device, "  Source identity feeds:", "  Destination identity feeds:")
    yield "  Per policy TCP Options: SYN check: No, SEQ check: No, Window scale: No"
    told = [text for key, text in (("init", "at-create"), ("close", "at-close")) if rule.logs(f"session-{key}")]
    if told:
        yield f"  Session log: {', '.join(told)}"
    if device.engine.counted(rule):
        yield from _statistics(device, rule)


def _any(device: Srx, *heads: str) -> Iterator[str]:
    for head in heads if device.model.identity_lines else ():
        yield head
        yield "    any"


def _addresses(device: Srx, rule: Rule, name: str) -> Iterator[str]:
    words = {"any": ("any-ipv4", "any-ipv6"), "any-ipv4": ("any-ipv4",), "any-ipv6": ("any-ipv6",)}.get(name, ())
    for word in words:
        yield f"{word}(global): {'0.0.0.0/0' if word == 'any-ipv4' else '::/0'}"
    if name in device.engine.books.dynamic:
        yield name
    for node in device.engine.books.leaves(name, rule.pair):
        held = device.engine.books.find(node.value, rule.pair)
        book = "global" if held is None or held[0].part.statement.kind != "list" else held[0].value
        if node.has("dns-name"):
            found = [f"{a}/{a.max_prefixlen}" for a in device.engine.resolve(node)] or [node.leaf("dns-name")]
        else:
            found = [node.leaf("") or next(iter(node.children.values())).part.words()]
        yield from (f"{node.value}({book}): {each}" for each in found)


def _application(device: Srx, name: str) -> Iterator[str]:
    yield f"  Application: {name}"
    for service in device.engine.services(name):
        yield f"    IP protocol: {_protocol(service)}, ALG: 0, Inactivity timeout: {0 if name == 'any' else 1800}"
        ports = (0, 0) if service.protocol not in ("tcp", "udp") else (service.low, service.high)
        yield "      Source port range: [0-0]"
        yield f"      Destination ports: [{ports[0]}-{ports[1]}]"


def _protocol(service: Service) -> str:
    return "0" if service.protocol == "any" else service.protocol


def _statistics(device: Srx, rule: Rule) -> Iterator[str]:
    held = device.engine.counters[rule.identity].statistics
    yield "  Policy statistics:"
    for title, total, unit in (("bytes", held.octets, "bps"), ("packets", held.packets, "pps")):
        for way, amount in (("Input ", total), ("Output", total)):
            yield f"    {way} {title:<12}: {amount:>20} {0:>20} {unit}"
            yield f"      Initial direction: {amount:>19} {0:>20} {unit}"
            yield f"      Reply direction  : {0:>19} {0:>20} {unit}"
    yield f"    {'Session rate':<19}: {held.created:>20} {0:>20} sps"
    yield f"    {'Active sessions':<19}: {held.created - held.deleted:>20}"
    yield f"    {'Session deletions':<19}: {held.deleted:>20}"
    yield f"    {'Policy lookups':<19}: {device.engine.counters[rule.identity].hits:>20}"
