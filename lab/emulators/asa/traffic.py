"""A flow through an ASA: which rule decides, what is counted, what is logged.

Hit counts go by connections for permits and by packets for denies (ASA 5500 configuration guide, access list logging).
"""

from __future__ import annotations

from datetime import timedelta

from lab.emulators.asa.context import Context, LoggedFlow, Match, first_match
from lab.emulators.asa.values import Log
from lab.emulators.traffic import Flow, Verdict


def forward(context: Context, flow: Flow, *, keep_open: bool = False) -> Verdict:
    """One connection attempt. ``keep_open``: the connection stays, and more of the same belongs to it, uncounted."""
    context.tell_flows()
    key = _connection(flow)
    if key in context.connections:
        if context.switches.connections_survive or _permitted(context, flow, count=False):
            return Verdict.PERMIT
        del context.connections[key]
    permitted = _permitted(context, flow)
    if permitted and keep_open:
        context.connections[key] = flow
        context.most_connections = max(context.most_connections, len(context.connections))
    return Verdict.PERMIT if permitted else Verdict.DENY


def _connection(flow: Flow) -> tuple[object, ...]:
    return flow.protocol, flow.source, flow.source_port, flow.destination, flow.port


def _permitted(context: Context, flow: Flow, *, count: bool = True) -> bool:
    incoming = _bound(context, "in", flow.inside) + _bound(context, "global")
    outgoing = _bound(context, "out", flow.outside)
    enters = _passes(context, incoming, flow, count=count) if incoming else _level(context, flow)
    return enters and (not outgoing or _passes(context, outgoing, flow, count=count))


def _bound(context: Context, direction: str, interface: str = "") -> list[str]:
    """The access list that hangs there. The global one is looked at after the interface's own."""
    found = context.running.bindings.get((direction, interface, False))
    return [found.acl] if found is not None and found.acl in context.running.acls else []


def _level(context: Context, flow: Flow) -> bool:
    """Without an access list: from a higher security level to a lower one."""
    levels = {each.name: each.level for each in context.running.interfaces()}
    known = flow.inside in levels and flow.outside in levels
    return context.switches.security_levels and known and levels[flow.inside] > levels[flow.outside]


def _passes(context: Context, acls: list[str], flow: Flow, *, count: bool) -> bool:
    found = next(filter(None, (first_match(context, acl, flow) for acl in acls)), None)
    if found is None:  # the invisible deny at the end
        if count:
            _say_denied(context, flow, acls[0], "[0x0, 0x0]")
        return False
    permitted = found.laid.ace.action == "permit"
    if count:
        context.count(found.laid.entry.serial, found.part.hash, 1 if permitted else flow.packets)
        _log(context, flow, found, permitted=permitted)
    return permitted


# --- messages ---------------------------------------------------------------------------------------------------------


def _log(context: Context, flow: Flow, found: Match, *, permitted: bool) -> None:
    log = found.laid.ace.log
    if log is not None and log.mode == "on":
        _log_flow(context, flow, found, log, permitted=permitted)
    elif not permitted and (log is None or log.mode == "default"):
        _say_denied(context, flow, found.acl, _hashes(context, found))


def _log_flow(context: Context, flow: Flow, found: Match, log: Log, *, permitted: bool) -> None:
    """106100: at the first hit, then once an interval with how many there were."""
    key = (found.laid.entry.serial, found.part.hash, flow.inside, flow.outside, *_connection(flow))
    units = 1 if permitted else flow.packets
    if key in context.flows:
        context.flows[key].count += units
        return
    denied = sum(each.denied for each in context.flows.values())
    if not permitted and denied >= context.model.deny_flow_max:
        limit = context.model.deny_flow_max
        context.say(1, 106101, f"The number of ACL log deny-flows has reached limit ({limit}).")
        return
    start = (
        f"access-list {found.acl} {'permitted' if permitted else 'denied'} {flow.protocol}"
        f" {flow.inside}/{flow.source}({flow.source_port}) -> {flow.outside}/{flow.destination}({flow.port})"
    )
    hashes = _hashes(context, found)
    context.say(log.level, 106100, f"{start} hit-cnt 1 first hit {hashes}")
    context.flows[key] = LoggedFlow(
        until=context.now + timedelta(seconds=log.interval),
        level=log.level,
        denied=not permitted,
        start=start,
        hashes=hashes,
        interval=log.interval,
        count=units - 1,
    )


def _hashes(context: Context, found: Match) -> str:
    """Both, in brackets, as `show access-list` prints them."""
    pair = [f"0x{found.part.hash}", f"0x{found.part.parent}"]
    if found.part.parent == "00000000":  # a plain entry's hash comes first in every sample
        return f"[{pair[0]}, {'0x0' if context.switches.short_zero_hash else pair[1]}]"
    ordered = pair if context.switches.element_first else pair[::-1]
    return f"[{', '.join(ordered)}]"


def _say_denied(context: Context, flow: Flow, acl: str, hashes: str) -> None:
    """106023: one a packet."""
    ends: tuple[str, str]
    what: str
    match flow.protocol:
        case "tcp" | "udp":
            ends = (f"{flow.source}/{flow.source_port}", f"{flow.destination}/{flow.port}")
            what, kind = flow.protocol, ""
        case "icmp":
            ends, what, kind = (str(flow.source), str(flow.destination)), "icmp", f" (type {flow.port}, code 0)"
        case _:
            ends, what, kind = (str(flow.source), str(flow.destination)), f"protocol {flow.protocol}", ""
    message = f"Deny {what} src {flow.inside}:{ends[0]} dst {flow.outside}:{ends[1]}{kind}"
    for _ in range(flow.packets):
        context.say(4, 106023, f'{message} by access-group "{acl}" {hashes}')
