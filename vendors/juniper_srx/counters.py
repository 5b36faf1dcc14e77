"""The counters of an SRX: policy hits by node, and denials out of its own log. Pure.

Unit: ``hits`` are lookups that ended at the policy, which is attempts to open a session (`show security policies
hit-count`). Packets and octets are not counted for what is denied. A counter has 32 bits.

Layouts: vSRX 24.4, genieparser. Names may be wider than their column, and the action may be missing, so rows are read
from both ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from core.net import Address
from vendors.errors import Unreadable
from vendors.juniper_srx import facts
from vendors.juniper_srx.options import JuniperSrxOptions
from vendors.juniper_srx.shape import MARK, PREFIX
from vendors.model import Action, FlowCount, Reading, RuleCount, RuleName, UnitCount
from vendors.shell import sections

LOG_CUT: Final = "log cut off"
"""Not a command: the log could not be read to its end."""
LOG_TIME: Final = timedelta(seconds=20)
"""How long the log is waited for."""
_ROOT: Final = "root-logical-system"

_HEADER: Final = re.compile(r"^\s*Index\s+From zone\s+To zone\s+Name\s+Policy count(?:\s+Action)?.*$", re.I | re.M)
_ROW: Final = re.compile(
    r"^\s*\d+\s+(?P<from>\S+)\s+(?P<to>\S+)\s+(?P<name>\S+)\s+(?P<count>\d+)(?:\s+(?P<action>[A-Za-z]+))?(?:\s+\d+)?\s*$"
)
_OTHER: Final = re.compile(
    r"^\s*(?:(?:Logical system|Tenant(?: system)?): (?P<system>\S+)|Number of policy: \d+|node\d+:|-{20,})?\s*$"
)
_VALUE: Final = re.compile(r'([a-z0-9-]+)="([^"]*)"')
_STAMPED: Final = re.compile(r"(?:<\d+>1 )?(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ")
_PLAIN: Final = re.compile(
    r"RT_FLOW_SESSION_DENY: session denied (?P<source>\S+)/\d+->(?P<destination>\S+)/\d+ .*?"
    r"(?P<policy>[A-Za-z0-9][A-Za-z0-9_-]*)\((?:global|\S*)\)"
)
_POLICY: Final = re.compile(rf"(?P<name>{PREFIX}[A-Za-z0-9_-]+)(?:\(global\))? ")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a device is asked for its counters, in the system that is ours."""

    hits: str
    rules: str
    ours: str
    log: str | None

    @classmethod
    def of(cls, options: JuniperSrxOptions) -> Asked:
        where = " ".join((*options.space, "security"))
        last = f"| match RT_FLOW_SESSION_DENY | last {options.log_rows}"
        return cls(
            hits=f"{facts.HITS}{options.system}",
            rules=f"show configuration {where} policies | display set | match {PREFIX}",
            ours=f"show configuration {where} address-book global address {MARK} | display set",
            log=None if options.log_file is None else f"show log {options.log_file} {last}",
        )

    @property
    def commands(self) -> tuple[str, ...]:
        """All but the log, which may fail by itself."""
        return (self.hits, facts.UPTIME, self.rules, self.ours)


def reading_from(text: str, now: datetime, options: JuniperSrxOptions) -> Reading:
    """The reading. Raises ``Unreadable`` when it is cut off, of another form, or empty while ours is enforced."""
    parts, asked = sections(text), Asked.of(options)
    hits = facts.part(parts, asked.hits)
    if facts.is_refusal(hits):
        raise Unreadable(f"`{asked.hits}` was refused: {' '.join(hits.split())[:120]}")
    system = options.logical_system or options.tenant or ""
    boots = facts.boots(facts.part(parts, facts.UPTIME))
    counts: dict[str, dict[str, int]] = {}
    for node, said in facts.by_node(hits).items():
        for name, count in _rows(said, system or _ROOT):
            if name.startswith(PREFIX):
                of_node = counts.setdefault(name, {})
                of_node[node] = of_node.get(node, 0) + count
    _refuse_missing(counts, facts.part(parts, asked.rules), facts.part(parts, asked.ours))
    told = "" if asked.log is None or LOG_CUT in parts else facts.part(parts, asked.log)
    flows = flows_from(told, now, system)
    return Reading(
        epoch=boots.get("", "cluster"),
        read_at=now,
        rules=tuple(
            RuleCount(
                rule=RuleName(name.removeprefix(PREFIX)),
                action=Action.DENY,
                epoch="",
                hits=sum(by_node.values()),
                packets=None,
                octets=None,
                units=_units(by_node, boots),
            )
            for name, by_node in sorted(counts.items())
        ),
        flows=flows,
        flows_truncated=LOG_CUT in parts or len(told.splitlines()) >= options.log_rows,
    )


def _rows(text: str, system: str) -> Iterator[tuple[str, int]]:
    """Those of one system: the blocks of several may follow each other."""
    inside = True
    if _HEADER.search(text) is None:
        raise Unreadable(f"the hit counts have no header that is known: {text[:80]!r}")
    for line in text.splitlines():
        if _HEADER.match(line):
            continue
        if other := _OTHER.match(line):
            inside = other["system"] == system if other["system"] else inside
            continue
        found = _ROW.match(line)
        if found is None:
            raise Unreadable(f"a row of the hit counts is not understood: {line[:120]!r}")
        if inside:
            yield found["name"], int(found["count"])


def _units(by_node: Mapping[str, int], boots: Mapping[str, str]) -> tuple[UnitCount, ...]:
    """Of a cluster: a node that boots counts anew, alone. Raises ``Unreadable`` when it is not told when it did."""
    if unknown := by_node.keys() - boots.keys():
        raise Unreadable(f"`{facts.UPTIME}` does not say when {min(unknown) or 'the device'} was booted")
    return tuple(UnitCount(unit=node, epoch=boots[node], hits=hits) for node, hits in sorted(by_node.items()) if node)


def _refuse_missing(counts: Mapping[str, object], rules: str, ours: str) -> None:
    """A policy of ours that is configured and not counted is an error, never zero hits (I11)."""
    if not ours.strip():
        raise Unreadable("nothing of ours is on the device: nothing is counted there", hint="a sync puts it back")
    configured = set(re.findall(rf" policy ({PREFIX}[A-Za-z0-9_-]+) ", rules))
    if missing := configured - counts.keys():
        raise Unreadable(f"no hit count of {', '.join(sorted(missing))}, which is configured")


# --- who was denied -------------------------------------------------------------------------------------------------


def flows_from(text: str, now: datetime, system: str = "") -> tuple[FlowCount, ...]:
    """The denials by our policies in RT_FLOW messages, structured or not, one for each source and destination."""
    seen: dict[tuple[Address, Address], tuple[int, datetime]] = {}
    for line in text.splitlines():
        found = _denial(line, now, system)
        if found is not None:
            source, destination, at = found
            count, last = seen.get((source, destination), (0, at))
            seen[source, destination] = count + 1, max(last, at)
    return tuple(_flows(seen.items()))


def _flows(seen: Iterable[tuple[tuple[Address, Address], tuple[int, datetime]]]) -> Iterator[FlowCount]:
    for (source, destination), (_, last) in sorted(seen, key=lambda one: (str(one[0][0]), str(one[0][1]))):
        yield FlowCount(
            action=Action.DENY, source=source, destination=destination, packets=None, octets=None, last_seen=last
        )


def _denial(line: str, now: datetime, system: str) -> tuple[Address, Address, datetime] | None:
    """Records of other systems have the suffix `_LS` and name their system first (Junos logical systems guide)."""
    if "RT_FLOW_SESSION_DENY" not in line or ("RT_FLOW_SESSION_DENY_LS" in line) is not bool(system):
        return None
    stamp = _STAMPED.search(line)
    at = datetime.fromisoformat(stamp["at"]).astimezone(UTC) if stamp else now  # plain syslog says no year and no zone
    values = dict(_VALUE.findall(line))
    if system and values.get("logical-system-name") != system:
        return None
    if "policy-name" in values:
        policy, source, destination = (
            values["policy-name"],
            values.get("source-address"),
            values.get("destination-address"),
        )
    else:
        plain, named = _PLAIN.search(line), _POLICY.search(line)
        if plain is None:
            return None
        policy = named["name"] if named else plain["policy"]
        source, destination = plain["source"], plain["destination"]
    if not policy.startswith(PREFIX) or source is None or destination is None:
        return None
    try:
        return ip_address(source), ip_address(destination), at
    except ValueError:
        return None
