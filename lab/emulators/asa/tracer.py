"""`packet-tracer input IFC {tcp|udp} SRC SPORT DST DPORT [detailed]`: a packet that is only thought of.

Syntax: ASA command reference, `packet-tracer` (9.x). The phases are those that a routed ASA prints for TCP and UDP
without NAT: the layer 2 rule, the route, the access list, the flow. A bound list that denies drops it with `(acl-drop)
Flow is denied by configured rule`; where no route leads there it is dropped before (`no-route`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from core.net import Address, Network
from lab.emulators.asa.answers import Invalid
from lab.emulators.asa.context import Context, Match, first_match
from lab.emulators.asa.lines import Cursor
from lab.emulators.asa.traffic import forward
from lab.emulators.traffic import Flow, Verdict

_PROTOCOLS: Final = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class Trace:
    interface: str
    flow: Flow
    route: tuple[str, str] | None  # the interface out, and what leads there


def read(cursor: Cursor, context: Context) -> Trace:
    """What is asked. Raises ``Invalid`` or ``Incomplete`` as any line that is typed wrong."""
    at, interface = cursor.at, cursor.take()
    if interface not in {each.name for each in context.running.interfaces()}:
        raise Invalid(at)
    protocol = cursor.choice(_PROTOCOLS)
    source, source_port = _address(cursor), cursor.number(0, 65_535)
    at = cursor.at
    destination, port = _address(cursor), cursor.number(0, 65_535)
    if source.version != destination.version:
        raise Invalid(at)
    cursor.takes("detailed")
    cursor.end()
    route = _route(context, destination)
    flow = Flow(
        source=source,
        destination=destination,
        protocol=protocol,
        port=port,
        source_port=source_port,
        inside=interface,
        outside="" if route is None else route[0],
    )
    return Trace(interface, flow, route)


def _address(cursor: Cursor) -> Address:
    at, word = cursor.at, cursor.take()
    try:
        return ip_address(word)
    except ValueError:
        raise Invalid(at) from None


# --- the way out ------------------------------------------------------------------------------------------------------


def _route(context: Context, destination: Address) -> tuple[str, str] | None:
    """The longest that leads there: what an interface is connected to, and static routes."""
    fit = [found for found in _routes(context) if destination in found[0]]
    if not fit:
        return None
    _network, interface, gateway = max(fit, key=lambda found: found[0].prefixlen)
    told = f"found next-hop {gateway or destination} using egress ifc  {interface}"
    return interface, told


def _routes(context: Context) -> Iterator[tuple[Network, str, str]]:
    for block in context.running.foreign:
        words = block[0].split()
        if words[0] == "interface":
            yield from _connected([line.split() for line in block[1:]])
        elif words[0] == "route" and len(words) >= 5:
            yield IPv4Network(f"{words[2]}/{words[3]}"), words[1], words[4]
        elif words[:2] == ["ipv6", "route"] and len(words) >= 5:
            yield IPv6Network(words[3]), words[2], words[4]


def _connected(lines: list[list[str]]) -> Iterator[tuple[Network, str, str]]:
    for name in (line[1] for line in lines if line[0] == "nameif"):
        for line in lines:
            if line[:2] == ["ip", "address"] and len(line) >= 4:
                yield ip_network(f"{line[2]}/{line[3]}", strict=False), name, ""


# --- the answer -------------------------------------------------------------------------------------------------------


def answer(context: Context, trace: Trace) -> str:
    """By the configured rules, in order. By default it counts and is logged as a packet that came in."""
    if trace.route is None:
        return _text(_phases(trace, []), trace, "drop", "(no-route) No route to host")
    bound = _lists(context, trace)
    met, passes = _judged(context, trace, bound)
    if context.switches.tracer_counts:
        passes = forward(context, trace.flow) is Verdict.PERMIT
    phases = _phases(trace, [_list_phase(context, bound, met, passes=passes)])
    if passes:
        return _text([*phases, _FLOW], trace, "allow", "")
    return _text(phases, trace, "drop", "(acl-drop) Flow is denied by configured rule")


def _lists(context: Context, trace: Trace) -> list[tuple[str, str]]:
    """The lists that judge it, each with the line that binds it."""
    slots = (("in", trace.interface, False), ("global", "", False), ("out", trace.flow.outside, False))
    found = (context.running.bindings.get(slot) for slot in slots)
    return [(each.acl, each.text()) for each in found if each is not None and each.acl in context.running.acls]


def _judged(context: Context, trace: Trace, bound: list[tuple[str, str]]) -> tuple[Match | None, bool]:
    """The entry that decides; None: the invisible deny at the end, or the security levels where no list is bound."""
    enters = [acl for acl, line in bound if " out interface " not in line]
    leaves = [acl for acl, line in bound if " out interface " in line]
    met = next(filter(None, (first_match(context, acl, trace.flow) for acl in enters)), None)
    if enters and (met is None or met.laid.ace.action != "permit"):
        return met, False
    if not enters and not _falls(context, trace):
        return None, False
    out = next(filter(None, (first_match(context, acl, trace.flow) for acl in leaves)), None)
    if leaves and (out is None or out.laid.ace.action != "permit"):
        return out, False
    return met, True


def _falls(context: Context, trace: Trace) -> bool:
    levels = {each.name: each.level for each in context.running.interfaces()}
    return context.switches.security_levels and levels[trace.interface] > levels.get(trace.flow.outside, 101)


def _list_phase(context: Context, bound: list[tuple[str, str]], met: Match | None, *, passes: bool) -> str:
    result = "ALLOW" if passes else "DROP"
    if met is None:
        return f"Type: ACCESS-LIST\nSubtype: \nResult: {result}\nConfig:\nImplicit Rule\nAdditional Information:\n"
    subtype = "log" if met.laid.ace.log is not None else ""
    group = next(line for acl, line in bound if acl == met.acl)
    entry = f"access-list {met.acl} {met.laid.entry.rule.text(context.running.alias)} "
    return (
        f"Type: ACCESS-LIST\nSubtype: {subtype}\nResult: {result}\nConfig:\n{group}\n{entry}\nAdditional Information:\n"
    )


_LAYER_2: Final = (
    "Type: ACCESS-LIST\nSubtype: \nResult: ALLOW\nConfig:\nImplicit Rule\nAdditional Information:\nMAC Access list\n"
)
_FLOW: Final = (
    "Type: FLOW-CREATION\nSubtype: \nResult: ALLOW\nConfig:\nAdditional Information:\n"
    "New flow created with id 12, packet dispatched to next module\n"
)


def _phases(trace: Trace, rest: list[str]) -> list[str]:
    if trace.route is None:
        return [_LAYER_2]
    route = "Type: ROUTE-LOOKUP\nSubtype: Resolve Egress Interface\nResult: ALLOW\nConfig:\nAdditional Information:\n"
    return [_LAYER_2, f"{route}{trace.route[1]}\n", *rest]


def _text(phases: list[str], trace: Trace, action: str, reason: str) -> str:
    shown = "".join(f"\nPhase: {at}\n{phase}" for at, phase in enumerate(phases, 1))
    out = trace.flow.outside or "NP Identity Ifc"
    ends = f"input-interface: {trace.interface}\ninput-status: up\ninput-line-status: up\n"
    ends += f"output-interface: {out}\noutput-status: up\noutput-line-status: up\n"
    why = f"Drop-reason: {reason}\n" if reason else ""
    return f"{shown}\nResult:\n{ends}Action: {action}\n{why}\n"
