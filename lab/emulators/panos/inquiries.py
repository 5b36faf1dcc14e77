"""Operational commands about traffic: hit counts, sessions, the log, the compiled policy, lists and names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address
from lab.emulators.console import Reply
from lab.emulators.panos import answers, evidence, matching, schema, values
from lab.emulators.panos.answers import Invalid, Missing, Refused
from lab.emulators.panos.cli import Handler, PanCli
from lab.emulators.panos.traffic import Logged
from lab.emulators.panos.tree import bare
from lab.emulators.traffic import Flow

# --- hit counts -------------------------------------------------------------------------------------------------------


def _hits_of(cli: PanCli, vsys: str, names: list[str] | None) -> Reply:
    if vsys not in cli.device.running.vsys_names():
        raise Invalid(4)
    rows = evidence.hit_rows(cli.device, vsys, names)
    return _rows(cli, rows, every=False)


def _rows(cli: PanCli, rows: list[evidence.Row], *, every: bool) -> Reply:
    text = evidence.hit_xml(rows) if cli.xml else evidence.hit_table(cli.device, rows, every=every)
    return Reply(text=cli.framed(text), seconds=len(rows) * cli.device.mishaps.hit_query_takes)


def _all_hits(cli: PanCli, words: list[str]) -> Reply:
    return _hits_of(cli, words[0], None)


def _hits_of_one(cli: PanCli, words: list[str]) -> Reply:
    return _hits_of(cli, words[0], words[1:])


def _hits_of_list(cli: PanCli, words: list[str]) -> Reply:
    names = words[1:]
    if names[:1] != ["["] or names[-1:] != ["]"] or len(names) < 3:
        raise Invalid(len(words))
    return _hits_of(cli, words[0], [bare(name) for name in names[1:-1]])


def _hits_everywhere(cli: PanCli, words: list[str]) -> Reply:
    """Releases before 10.0 take one virtual system at a time."""
    if cli.device.model.release < (10, 0):
        raise Invalid(3)
    rows = [row for vsys in cli.device.running.vsys_names() for row in evidence.hit_rows(cli.device, vsys, None)]
    return _rows(cli, rows, every=True)


# --- the policy -------------------------------------------------------------------------------------------------------


def _policy(cli: PanCli, words: list[str]) -> str:
    return evidence.policy(cli.device, cli.target or schema.ONLY)


_NUMBERS: Final = {"6": "tcp", "17": "udp", "1": "icmp"}
_ASKED: Final = ("from", "to", "source", "destination", "protocol", "destination-port", "application", "source-user")


def _test_policy(cli: PanCli, words: list[str]) -> str:
    given = _pairs(words, _ASKED, 2)
    if not {"source", "destination", "protocol"} <= set(given):
        raise Invalid(len(words) + 2)
    zones = cli.device.running.root.at((*schema.vsys_path(cli.target or schema.ONLY), "zone"))
    for side in ("from", "to"):
        if given.get(side, "any") not in ("any", *(zones.kids if zones is not None else ())):
            raise Invalid(words.index(side) + 3)
    flow = Flow(
        source=_address(given["source"]),
        destination=_address(given["destination"]),
        protocol=_NUMBERS.get(given["protocol"], given["protocol"]),
        port=int(given.get("destination-port", "0")),
        inside=given.get("from", "any"),
        outside=given.get("to", "any"),
    )
    return evidence.matched(cli.device, flow, cli.target or schema.ONLY)


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise Invalid from None


def _pairs(words: list[str], known: tuple[str, ...], shift: int) -> dict[str, str]:
    """`KEYWORD VALUE` in any order, each once."""
    found: dict[str, str] = {}
    for at in range(0, len(words), 2):
        if words[at] not in known or words[at] in found or at + 1 >= len(words):
            raise Invalid(at + shift)
        found[words[at]] = bare(words[at + 1])
    return found


# --- sessions ---------------------------------------------------------------------------------------------------------

_FILTERS: Final = ("source", "destination", "rule", "application", "from", "to", "destination-port", "protocol")


def _filters(cli: PanCli, words: list[str]) -> dict[str, str]:
    """Whether an end may be a network is on no record."""
    found = _pairs(words, _FILTERS, 4)
    for name in ("source", "destination"):
        is_end = values.is_netmask if cli.device.switches.session_networks else _is_address
        if name in found and not is_end(found[name]):
            raise Invalid(words.index(name) + 5)
    return found


def _is_address(text: str) -> bool:
    return values.is_netmask(text) and "/" not in text


def _sessions(cli: PanCli, words: list[str]) -> str:
    found = evidence.picked(cli.device, _filters(cli, words))
    return evidence.session_table(found) if found else f"{answers.NO_SESSIONS}\n"


def _clear_sessions(cli: PanCli, words: list[str]) -> str:
    for session in evidence.picked(cli.device, _filters(cli, words)):
        cli.device.plane.end(session)
    return f"{answers.CLEARED}\n"


def _clear_session(cli: PanCli, words: list[str]) -> str:
    """ "To end that session only" (PAN-OS administrator's guide). Neither answer is on record."""
    number = words[0]
    if cli.device.mishaps.clearing_denied:
        raise Refused("Server error : permission denied. Permission denied")
    found = cli.device.plane.sessions.get(int(number)) if number.isdecimal() else None
    if found is None:
        raise Refused(f"Server error : session {number} not found")
    if not cli.device.mishaps.clearing_fails:
        cli.device.plane.end(found)
    return f"session {number} cleared\n" if cli.device.switches.clear_answer else ""


# --- the traffic log --------------------------------------------------------------------------------------------------

Test = Callable[[Logged], bool]


def _log(cli: PanCli, words: list[str]) -> str:
    backward, csv, tests = False, False, list[Test]()
    at = 0
    while at < len(words):
        name, how, value = _filter(words, at)
        match (name, how, value):
            case ("direction", "equal", "backward" | "forward"):
                backward = value == "backward"
            case ("csv-output", "equal", "yes" | "no"):
                csv = value == "yes"
            case ("query", "equal", _) if cli.device.switches.log_query:
                tests += _query(cli, value, at + 3)
            case _:
                tests.append(_test(cli, name, how, value, at + 3))
        at += 3
    found = [entry for entry in cli.device.plane.log if all(test(entry) for test in tests)]
    ordered = found[::-1] if backward else found
    return evidence.log_csv(cli.device, ordered) if csv else evidence.log_table(cli.device, ordered)


def _filter(words: list[str], at: int) -> tuple[str, str, str]:
    if at + 2 >= len(words):
        raise Invalid(len(words) + 3)
    return words[at], words[at + 1], bare(words[at + 2])


def _test(cli: PanCli, name: str, how: str, value: str, token: int) -> Test:
    match (name, how):
        case ("rule", "equal"):
            return lambda entry: entry.session.rule == value
        case ("action", "equal") if value in schema.ACTIONS:
            return lambda entry: entry.action == value
        case ("app", "equal"):
            return lambda entry: matching.application(entry.session.flow) == value
        case ("src", "in") if values.is_netmask(value):
            return lambda entry: evidence.inside(entry.session.flow.source, value)
        case ("dst", "in") if values.is_netmask(value):
            return lambda entry: evidence.inside(entry.session.flow.destination, value)
        case ("start-time" | "end-time", "equal"):
            return _timed(cli, name, value, token)
    raise Invalid(token)


def _timed(cli: PanCli, name: str, value: str, token: int) -> Test:
    try:
        naive = datetime.strptime(value, "%Y/%m/%d@%H:%M:%S")  # noqa: DTZ007  # the device's zone follows
    except ValueError:
        raise Invalid(token + 2) from None
    at = cli.device.zone.aware(naive)
    return (lambda entry: entry.at >= at) if name == "start-time" else (lambda entry: entry.at <= at)


_TERM: Final = re.compile(r"\(\s*([\w.]+)\s+(eq|neq|in|geq|leq)\s+('[^']*'|[^\s)]+)\s*\)")


def _query(cli: PanCli, text: str, token: int) -> list[Test]:
    """`( rule eq 'X' ) and ( receive_time in last-24-hrs )`."""
    joined = _TERM.sub("#", text)
    if re.fullmatch(r"\s*#(\s+and\s+#)*\s*", joined) is None:
        raise Invalid(token + 2)
    return [_term(cli, name, how, value, token) for name, how, value in _TERM.findall(text)]


def _term(cli: PanCli, name: str, how: str, quoted: str, token: int) -> Test:
    value = quoted.strip("'")
    match (name, how):
        case ("rule", "neq"):
            return lambda entry: entry.session.rule != value
        case ("rule" | "action" | "app", "eq"):
            return _test(cli, name, "equal", value, token)
        case ("addr.src" | "addr.dst", "in"):
            return _test(cli, name.removeprefix("addr."), "in", value, token)
        case ("receive_time", "in") if re.fullmatch(r"last-\d+-hrs", value):
            since = cli.device.clock.now() - timedelta(hours=int(value.split("-")[1]))
            return lambda entry: entry.at >= since
        case ("receive_time", "geq" | "leq"):
            when = value.replace(" ", "@")
            return _timed(cli, "start-time" if how == "geq" else "end-time", when, token)
    raise Invalid(token + 2)


# --- lists and names --------------------------------------------------------------------------------------------------


def _feed(cli: PanCli, words: list[str]) -> str:
    kind, name = words
    found = evidence.known_feed(cli.device, cli.target or schema.ONLY, kind, name)
    if found is None:
        raise Missing
    return evidence.feed(cli.device, found)


def _refresh_feed(cli: PanCli, words: list[str]) -> str:
    kind, name = words
    if evidence.known_feed(cli.device, cli.target or schema.ONLY, kind, name) is None:
        raise Missing
    cli.device.refresh_list(name, cli.target or schema.ONLY)
    return f"{answers.LIST_ENQUEUED}\n"


def _old_names(cli: PanCli, words: list[str]) -> str:
    """Up to 8.1; later it is `show dns-proxy fqdn all` (KB kA10g000000ClHJCA0)."""
    if cli.device.model.release >= (9, 0):
        raise Invalid(2)
    return evidence.names(cli.device)


def _new_names(cli: PanCli, words: list[str]) -> str:
    if cli.device.model.release < (9, 0):
        raise Invalid(2)
    return evidence.names(cli.device)


def _refresh_names(cli: PanCli, words: list[str]) -> str:
    if words[:1] not in ([], ["yes"], ["no"]):
        raise Refused(answers.INVALID)
    cli.device.refresh_names()
    return f"{answers.FQDN_ENQUEUED}\n"


_HITS: Final = "show rule-hit-count vsys vsys-name * rule-base security rules"
COMMANDS: Final[dict[str, Handler]] = {
    f"{_HITS} all": _all_hits,
    f"{_HITS} rule-name *": _hits_of_one,
    f"{_HITS} list ...": _hits_of_list,
    "show rule-hit-count vsys all rule-base security rules all": _hits_everywhere,
    "show running security-policy": _policy,
    "test security-policy-match ...": _test_policy,
    "show session all": _sessions,
    "show session all filter ...": _sessions,
    "clear session all": _clear_sessions,
    "clear session id *": _clear_session,
    "clear session all filter ...": _clear_sessions,
    "show log traffic": _log,
    "show log traffic ...": _log,
    "request system external-list show type * name *": _feed,
    "request system external-list refresh type * name *": _refresh_feed,
    "request system fqdn show": _old_names,
    "request system fqdn refresh": _refresh_names,
    "request system fqdn refresh force *": _refresh_names,
    "show dns-proxy fqdn all": _new_names,
}
