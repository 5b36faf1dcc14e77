"""The counters of one gateway, from `nft -j list table`. Pure.

Units: ``hits`` are packets that conntrack calls new (attempts: a rejected SYN and each of its repeats is one),
``packets`` and ``octets`` are all packets that met the rule and their IP length. Per-entry counters count look-ups: all
traffic from any source with a rule to the entry, whatever the rule then decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from core.net import Network, parse_network
from vendors.errors import NotPrivileged, ToolMissing, Unreadable
from vendors.linux_nftables.parse import CRASHED
from vendors.linux_nftables.shape import COUNTERS, SEEN_SECONDS, SEEN_SIZE, group_of_set, seen_from
from vendors.model import Action, EntryCount, FlowCount, Reading, RuleCount, RuleName

END: Final = "@@end\n"
_NAMED: Final = {"deny": Action.DENY, "mon": Action.MONITOR, "exc": Action.EXEMPT}
"""What a rule's name says of its action, for when a hand emptied the chain that shows it."""

_Json = dict[str, Any]


def refuse_counters(status: int, errors: str) -> None:
    """Raises what a failed listing means; a table that is gone is an error, never zero hits (I11)."""
    if status == 0:
        return
    said = " ".join(errors.split())[:300]
    if status == CRASHED:
        raise ToolMissing("nft crashed (status 139)", hint="upgrade nftables on the gateway to 1.1.4 or newer")
    if "ermitted" in said or "password is required" in said:
        raise NotPrivileged(f"nft may not be used by this login: {said}", hint="see the sudoers line in the docs")
    if "No such file or directory" in said:
        raise Unreadable("our table is not on the gateway: nothing is counted there", hint="a sync puts it back")
    raise Unreadable(f"nft list table ended with status {status}: {said}")


def reading_from(text: str) -> Reading:
    """The reading. Raises ``Unreadable`` when it is cut off or not what nft prints."""
    if not text.endswith(END):
        raise Unreadable(f"the counters have no end after {len(text)} characters: they were cut off")
    facts, _, body = text.removesuffix(END).partition("@@json\n")
    known = dict(line.removeprefix("@@").partition(" ")[::2] for line in facts.splitlines())
    try:
        objects = json.loads(body)["nftables"]
        read_at = datetime.fromtimestamp(float(known["now"]), UTC)
        return _reading(objects, epoch=f"{known['boot']}/{known['netns']}", read_at=read_at)
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
        raise Unreadable(f"the counters are not what nft prints: {type(exc).__name__}: {exc}") from exc


def _reading(objects: list[_Json], *, epoch: str, read_at: datetime) -> Reading:
    kinds: dict[str, list[_Json]] = {}
    for one in objects:
        for kind, value in one.items():
            kinds.setdefault(kind, []).append(value)
    sets = kinds.get("set", [])
    seen = [(action, one) for one in sets if (action := seen_from(one["name"])) is not None]
    flows = tuple(flow for action, one in seen for flow in _flows(action, one, read_at))
    return Reading(
        epoch=f"{epoch}/{kinds['table'][0]['handle']}",
        read_at=read_at,
        rules=tuple(_rules(kinds.get("counter", []), kinds.get("rule", []))),
        entries=tuple(entry for one in sets if seen_from(one["name"]) is None for entry in _entries(one)),
        flows=flows,
        flows_truncated=any(len(one.get("elem", ())) >= SEEN_SIZE for _, one in seen),
    )


def _rules(counters: list[_Json], rules: list[_Json]) -> Iterator[RuleCount]:
    """Our four counters of a rule as one. Counters that a hand took away count nothing, and change the epoch."""
    by_name = {str(one["name"]): one for one in counters}
    actions = _actions(rules)
    for name in sorted(by_name):
        rule = name.removesuffix("-hits")
        action = actions.get(rule) or _NAMED.get(rule.partition("-")[0])
        if rule == name or action is None:
            continue
        own = {what: by_name[f"{rule}-{what}"] for what in COUNTERS if f"{rule}-{what}" in by_name}
        traffic = [one for what, one in own.items() if what != "hits"]
        yield RuleCount(
            rule=RuleName(rule),
            action=action,
            epoch=".".join(str(own[what]["handle"]) if what in own else "-" for what in COUNTERS),
            hits=int(own["hits"]["packets"]),
            packets=sum(int(one["packets"]) for one in traffic),
            octets=sum(int(one["bytes"]) for one in traffic),
        )


def _actions(rules: list[_Json]) -> dict[str, Action]:
    """From the sets that each rule's chain records in."""
    found: dict[str, Action] = {}
    for rule in rules:
        chain = str(rule["chain"])
        if not chain.startswith("hit-"):
            continue
        for expression in rule["expr"]:
            recorded = expression.get("set", {}).get("set", "") if isinstance(expression, dict) else ""
            action = seen_from(str(recorded).removeprefix("@"))
            if action is not None:
                found[chain.removeprefix("hit-")] = action
    return found


def _entries(one: _Json) -> Iterator[EntryCount]:
    group = group_of_set(str(one["name"]))
    if group is None or "stmt" not in one or "timeout" in one:
        return
    for element in one.get("elem", ()):
        value, counter, _ = _unwrapped(element)
        network = _network(value)
        if counter is not None and network is not None:
            yield EntryCount(
                group=group[0], network=network, packets=int(counter["packets"]), octets=int(counter["bytes"])
            )


def _flows(action: Action, one: _Json, read_at: datetime) -> Iterator[FlowCount]:
    for element in one.get("elem", ()):
        value, counter, inner = _unwrapped(element)
        source, destination = value["concat"]
        idle = timedelta(seconds=SEEN_SECONDS - int(inner.get("expires", SEEN_SECONDS)))
        yield FlowCount(
            action=action,
            source=ip_address(source),
            destination=ip_address(destination),
            packets=int(counter["packets"]) if counter else None,
            octets=int(counter["bytes"]) if counter else None,
            last_seen=read_at - idle,
        )


def _unwrapped(element: Any) -> tuple[Any, _Json | None, Mapping[str, Any]]:
    """(value, counter, the rest) of an element, which is wrapped only when it has anything besides its value."""
    if isinstance(element, dict) and "elem" in element:
        inner = element["elem"]
        return inner["val"], inner.get("counter"), inner
    return element, None, {}


def _network(value: Any) -> Network | None:
    """None: a range that a hand put in; it is no entry of ours."""
    if isinstance(value, str):
        return parse_network(value)
    if "prefix" in value:
        return parse_network(f"{value['prefix']['addr']}/{value['prefix']['len']}")
    return None
