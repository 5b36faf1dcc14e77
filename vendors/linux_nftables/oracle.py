"""What the rules that stand in a gateway's kernel would do with the first packet of a forwarded connection. Pure.

nftables answers no questions, but it lists every rule: `nft -j list ruleset`, which changes nothing. The packet is led
through all base chains of the forward path, by hook and priority (nft(8), "Address families" and "Chains"; an accept
ends its base chain alone, a drop is final); where it passes, so are the answer to it and what follows. What a rule
looks at and nobody knows (marks, limits, interfaces that the inventory does not name, extensions of iptables) goes both
ways: only where all ways end alike there is an answer, else it is *unknown*. A listing leaves out what another part of
the rule implies: `tcp dport` that it is TCP, `reject with icmpv6` that it is IPv6.

Form of the listing: libnftables-json(5), as nftables 1.0.6 prints it.
"""

from __future__ import annotations

import json
import socket
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from core.net import Address
from vendors.errors import Unreadable
from vendors.linux_nftables.shape import TABLE
from vendors.oracle import SOURCE_PORT, Answer, Answered, Question, Way, told

END: Final = "@@end\n"
OURS: Final = tuple(TABLE.split())
_HOOKS: Final = ("ingress", "prerouting", "forward", "postrouting", "egress")
_OF_A_DEVICE: Final = ("ingress", "egress")
_AWAKE: Final = frozenset({"owner", "persist"})
_FLAGGED: Final = "a table has flags that this nft does not print right"  # 1.0.6 prints whatever lies in memory
_FAMILIES: Final[Mapping[int, frozenset[str]]] = {
    4: frozenset({"ip", "inet", "netdev"}),
    6: frozenset({"ip6", "inet", "netdev"}),
}
_PRIORITIES: Final = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_CONNTRACK: Final = -200
_NUMBERS: Final[Mapping[Any, str]] = {6: "tcp", 17: "udp", "6": "tcp", "17": "udp"}
_LAYER_4: Final = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "igmp", "esp", "ah", "comp"})
_SILENT: Final = frozenset(
    {"counter", "log", "comment", "last", "continue", "ct helper", "ct timeout", "dup", "flow", "secmark"}
)
"""Statements after which the packet goes on as it was."""
_REWRITES: Final = frozenset({"saddr", "daddr", "sport", "dport", "protocol", "nexthdr"})
_DEPTH: Final = 16
"""The kernel's own limit of jumps."""
_Json: TypeAlias = dict[str, Any]


class _Nothing:
    """A value that the packet has not: whatever asks for it does not match."""


class _Unknown:
    """A value that nobody knows."""


ABSENT: Final = _Nothing()
UNSAID: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class End:
    """What becomes of the packet. ``said`` None: it goes on. ``why``: the rule, or what is not known."""

    said: Answered | None = None
    why: str = ""
    leaves: str = ""  # inside a base chain: "accept" or "fall"


_ACCEPT, _FALL = End(leaves="accept"), End(leaves="fall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The first of a connection, or the answer to it."""

    source: Address
    destination: Address
    protocol: str
    ports: tuple[int, int]
    comes: str | None  # by this interface; None: not known
    leaves: str | None
    is_answer: bool = False
    is_first: bool = True
    tracked: bool = True

    @property
    def answered(self) -> Packet:
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            ports=(self.ports[1], self.ports[0]),
            comes=self.leaves,
            leaves=self.comes,
            is_answer=True,
            is_first=False,
        )

    @property
    def version(self) -> int:
        return self.source.version


@dataclass(frozen=True, slots=True)
class Chain:
    family: str
    table: str
    name: str
    hook: str
    kind: str
    priority: int
    drops: bool  # by its policy
    doubt: str = ""  # it may not see the packet, for this reason


@dataclass(slots=True)
class Members:
    """A set's addresses, found fast; ``rest`` are elements of other kinds."""

    single: set[int]
    starts: list[int]
    ends: list[int]
    rest: list[Any]

    def holds(self, number: int) -> bool:
        at = bisect_right(self.starts, number) - 1
        return number in self.single or (at >= 0 and number <= self.ends[at])


@dataclass(slots=True)
class Ruleset:
    """A whole listing. ``legacy``: tables of iptables that nft does not show."""

    bases: tuple[Chain, ...]
    rules: Mapping[tuple[str, str, str], list[_Json]]
    sets: Mapping[tuple[str, str, str], _Json]
    legacy: bool
    known: dict[tuple[str, str, str, int], Members] = field(default_factory=dict)


def ruleset_from(text: str) -> Ruleset:
    """Raises ``Unreadable``: cut off, or not what nft prints."""
    if not text.endswith(END):
        raise Unreadable(f"the listing has no end after {len(text)} characters: it was cut off")
    facts, _, body = text.removesuffix(END).partition("@@json\n")
    try:
        return _ruleset(json.loads(body)["nftables"], legacy=bool(facts.partition("@@legacy")[2].strip()))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Unreadable(f"the listing is not what nft prints: {type(exc).__name__}: {exc}") from exc


def _ruleset(objects: Iterable[_Json], *, legacy: bool) -> Ruleset:
    rules: dict[tuple[str, str, str], list[_Json]] = {}
    bases, sets, flags = list[Chain](), dict[tuple[str, str, str], _Json](), dict[tuple[str, str], set[str]]()
    for kind, value in (pair for one in objects for pair in one.items()):
        if kind == "table":
            said = value.get("flags", [])
            flags[value["family"], value["name"]] = {said} if isinstance(said, str) else set(said)
        elif kind == "chain" and value.get("hook") in _HOOKS:
            bases.append(_base(value))
        elif kind in ("set", "map"):
            sets[value["family"], value["table"], value["name"]] = value
        elif kind == "rule":
            rules.setdefault((value["family"], value["table"], value["chain"]), []).append(value)
    awake = [
        base if flags.get((base.family, base.table), set()) <= _AWAKE else replace(base, doubt=_FLAGGED)
        for base in bases
        if flags.get((base.family, base.table)) != {"dormant"}
    ]
    ordered = sorted(awake, key=lambda base: (_HOOKS.index(base.hook), base.priority, base.family, base.table))
    return Ruleset(tuple(ordered), rules, sets, legacy)


def _base(value: _Json) -> Chain:
    said = value.get("prio", 0)
    priority = said if isinstance(said, int) else _PRIORITIES[str(said)]
    drops, doubt = value.get("policy", "accept") == "drop", ""
    if value["hook"] in _OF_A_DEVICE:
        doubt = f"chain {value['name']} is of one interface, which may be another"
    return Chain(value["family"], value["table"], value["name"], value["hook"], value["type"], priority, drops, doubt)


# --- the packet's way -------------------------------------------------------------------------------------------------


def answer_from(ruleset: Ruleset, question: Question, way: Way | None) -> Answer:
    """What all its ways end in; *unknown*, with the reason, where they do not end alike."""
    packet = Packet(
        source=question.source,
        destination=question.destination,
        protocol=question.protocol,
        ports=(SOURCE_PORT, question.port),
        comes=None if way is None else way.inside,
        leaves=None if way is None else way.outside,
    )
    ends = _through(ruleset, packet)
    blocks = {end.why for end in ends if end.said in (Answered.OURS, Answered.OTHER)}
    kinds = {end.said for end in ends}
    if len(blocks) == 1 and len(kinds) == 1:
        [end] = {(end.said, end.why) for end in ends}
        return told(question, end[0] or Answered.UNKNOWN, f"the ruleset drops it: {end[1]}", rule=end[1])
    if kinds <= {Answered.OURS, Answered.OTHER}:
        return told(question, Answered.BLOCKED, f"the ruleset drops it, by one of: {'; '.join(sorted(blocks))}")
    if kinds == {None} and not ruleset.legacy:
        rest = _through(ruleset, packet.answered) | _through(ruleset, replace(packet, is_first=False))
        if {end.said for end in rest} != {None}:
            words = f"its first packet passes, and what follows may not: {_why(rest, legacy=False)}"
            return told(question, Answered.UNKNOWN, words)
        return told(question, Answered.PASSES, "no chain of the ruleset on the forward path drops it, or its answer")
    return told(question, Answered.UNKNOWN, _why(ends, legacy=ruleset.legacy))


def _why(ends: Iterable[End], *, legacy: bool) -> str:
    whys = sorted({end.why for end in ends if end.said is Answered.UNKNOWN or end.said is None} - {""})
    if legacy:
        whys.append("iptables has rules of its own kind, which nft does not show")
    blocks = sorted({end.why for end in ends if end.said in (Answered.OURS, Answered.OTHER)})
    perhaps = f"it may be dropped by {blocks[0]}" if blocks else ""
    return "not known: " + "; ".join([*whys[:2], *([perhaps] if perhaps else [])])


def _through(ruleset: Ruleset, packet: Packet) -> set[End]:
    """Where the packet may end. One that goes on past a guess carries what the guess was about."""
    going, ends = {""}, set[End]()
    for base in ruleset.bases:
        if base.family not in _FAMILIES[packet.version] or not going or (base.kind == "nat" and not packet.is_first):
            continue  # nat looks at the first packet alone
        walk = _Walk(ruleset, packet, (base.family, base.table))
        found = walk.ends_of(base)
        ends |= {end for end in found if end.said is not None}
        goes_on = any(end.said is None for end in found) or base.doubt
        going = {guess or walk.guess or base.doubt for guess in going} if goes_on else set()
        packet = replace(packet, tracked=packet.tracked and not walk.untracks)
    return ends | {End(why=guess) for guess in going}


@dataclass(slots=True)
class _Walk:
    """Through one base chain and the chains that it jumps to."""

    ruleset: Ruleset
    packet: Packet
    table: tuple[str, str]
    guess: str = ""  # the first thing that was not known
    untracks: bool = False
    nat: bool = False
    is_tracked_by_now: bool = True

    def ends_of(self, base: Chain) -> set[End]:
        early = base.hook == "ingress" or (base.hook == "prerouting" and base.priority <= _CONNTRACK)
        self.is_tracked_by_now = not early
        self.nat = base.kind == "nat" and base.hook == "postrouting"
        policy = self._dropped(f"the policy of chain {base.name}") if base.drops else End()
        return {policy if end is _FALL else End() if end is _ACCEPT else end for end in self._chain(base.name, 0)}

    def _dropped(self, why: str) -> End:
        ours = self.table == OURS
        return End(Answered.OURS if ours else Answered.OTHER, f"{why} in table {' '.join(self.table)}")

    def _unknown(self, why: str) -> End:
        self.guess = self.guess or why
        return End(Answered.UNKNOWN, why)

    def _chain(self, name: str, depth: int) -> set[End]:
        if depth > _DEPTH:
            return {self._unknown(f"chain {name} is too deep")}
        ends = set[End]()
        for rule in self.ruleset.rules.get((*self.table, name), ()):
            found, goes_on = self._rule(rule, name, depth)
            ends |= found
            if not goes_on:
                return ends
        return ends | {_FALL}

    def _rule(self, rule: _Json, chain: str, depth: int) -> tuple[set[End], bool]:
        """Where the packet may end here, and whether it may go on to the next rule."""
        sure, where = True, f"rule {rule.get('comment') or rule['handle']} of chain {chain}"
        for statement in rule.get("expr", ()):
            kind, said = _taken_apart(statement)
            if kind in _SILENT:
                continue
            if kind == "match":
                meets = self._meets(said)
                if meets is False:
                    return set(), True
                if meets is None:
                    sure = False
                    self.guess = self.guess or f"{where} asks for {_words(said.get('left'))}"
                continue
            if kind in ("set", "map"):
                if self._value(said.get("elem")) is ABSENT:
                    return set(), True
                sure = False  # a set that is full takes nothing, and the rule ends there
                self.guess = self.guess or f"{where} adds to a set, which may be full"
                continue
            if kind == "reject" and not self._may_be(said):
                return set(), True
            if kind == "notrack":
                self.untracks = True
                continue
            if kind == "mangle" and not _rewrites(said):
                continue
            if kind in ("limit", "quota", "ct count", "meter"):
                sure = False
                self.guess = self.guess or f"{where} has a {kind}"
                continue
            if kind == "xt" and (rule["expr"][-1] is not statement or self.nat):
                sure = False  # a match of iptables; as the last statement it is what becomes of the packet
                self.guess = self.guess or f"{where} is an extension of iptables"
                continue
            ends, falls = self._verdict(kind, said, where, chain, depth)
            return ends, falls or not sure
        return set(), True

    def _verdict(self, kind: str, said: Any, where: str, chain: str, depth: int) -> tuple[set[End], bool]:
        """Where a rule that matches sends the packet, and whether the next rule may see it."""
        match kind:
            case "accept" | "masquerade" | "snat":
                return {_ACCEPT}, False
            case "drop" | "reject":
                return {self._dropped(_named(chain) if self.table == OURS else where)}, False
            case "return":
                return {_FALL}, False
            case "jump" | "goto":
                ends = self._chain(str(said["target"]), depth + 1)
                falls = kind == "jump" and _FALL in ends
                return (ends - {_FALL} if kind == "jump" else ends), falls
            case "vmap":
                return self._mapped(said, where, chain, depth)
            case "dnat" | "redirect" | "tproxy":
                return {self._unknown(f"{where} sends it elsewhere")}, False
        return {self._unknown(f"{where}: {kind}")}, True

    def _mapped(self, said: _Json, where: str, chain: str, depth: int) -> tuple[set[End], bool]:
        value, ends, sure = self._value(said["key"]), set[End](), False
        falls = False
        for key, verdict in self._pairs(said["data"]):
            meets = self._equals(value, key)
            if meets is False or sure:
                continue
            if meets is None:
                self.guess = self.guess or f"{where} asks for {_words(said['key'])}"
            [(kind, to)] = verdict.items()
            found, on = (set[End](), True) if kind == "continue" else self._verdict(kind, to, where, chain, depth)
            ends, falls, sure = ends | found, falls or on, meets is True
        return ends, falls or not sure

    def _may_be(self, reject: Any) -> bool:
        """What a reject says of the packets that it is for."""
        kind = reject.get("type", "") if isinstance(reject, dict) else ""
        packet = self.packet
        fits = {"tcp reset": packet.protocol == "tcp", "icmp": packet.version == 4, "icmpv6": packet.version == 6}
        return fits.get(kind, True)

    def _pairs(self, data: Any) -> Iterator[tuple[Any, _Json]]:
        elements = data["set"] if isinstance(data, dict) else self._named_set(str(data)).get("elem", ())
        for element in elements:
            yield element[0], element[1]

    # --- what it looks like ---------------------------------------------------------------------------------------

    def _meets(self, match: _Json) -> bool | None:
        value = self._value(match["left"])
        if value is ABSENT:
            return False
        if value is UNSAID:
            return None
        return self._compared(value, match["op"], match["right"])

    def _compared(self, value: Any, op: str, right: Any) -> bool | None:
        if op in ("==", "in"):
            return self._equals(value, right)
        if op == "!=":
            same = self._equals(value, right)
            return None if same is None else not same
        if not isinstance(value, int) or not isinstance(right, int):
            return None
        return {"<": value < right, ">": value > right, "<=": value <= right, ">=": value >= right}.get(op)

    def _value(self, left: Any) -> Any:
        """An address as (version, number), a port, a word; ``ABSENT`` or ``UNSAID``."""
        match left:
            case {"payload": {"protocol": str(protocol), "field": str(name)}}:
                return self._payload(protocol, name)
            case {"meta": {"key": str(key)}}:
                return self._meta(key)
            case {"ct": {"key": "state"}}:
                known = "new" if self.packet.is_first else "established"
                return known if self.packet.tracked and self.is_tracked_by_now else UNSAID
            case {"ct": {"key": "direction"}}:
                return "reply" if self.packet.is_answer else "original"
            case {"concat": [*parts]}:
                values = tuple(self._value(part) for part in parts)
                return ABSENT if ABSENT in values else UNSAID if UNSAID in values else values
        return UNSAID

    def _payload(self, protocol: str, name: str) -> Any:
        packet = self.packet
        if protocol in ("ip", "ip6"):
            if packet.version != (4 if protocol == "ip" else 6):
                return ABSENT
            ends = {"saddr": packet.source, "daddr": packet.destination}
            if name in ends:
                return packet.version, int(ends[name])
            return packet.protocol if name in ("protocol", "nexthdr") else UNSAID
        if protocol in _LAYER_4 and protocol != packet.protocol:
            return ABSENT
        if protocol in (packet.protocol, "th") and name in ("sport", "dport"):
            return packet.ports[0 if name == "sport" else 1]
        return UNSAID

    def _meta(self, key: str) -> Any:
        packet = self.packet
        known: dict[str, Any] = {
            "l4proto": packet.protocol,
            "nfproto": "ipv4" if packet.version == 4 else "ipv6",
            "protocol": "ip" if packet.version == 4 else "ip6",
            "iifname": packet.comes or UNSAID,
            "iif": packet.comes or UNSAID,
            "oifname": packet.leaves or UNSAID,
            "oif": packet.leaves or UNSAID,
        }
        return known.get(key, UNSAID)

    # --- comparing ------------------------------------------------------------------------------------------------

    def _equals(self, value: Any, right: Any) -> bool | None:
        """Whether it is that, or one of those; None: nobody knows."""
        if value is ABSENT:
            return False
        if value is UNSAID:
            return None
        if isinstance(right, str) and right.startswith("@"):
            return self._in_set(value, right)
        if right == "*":
            return True
        if isinstance(right, dict) and "set" in right:
            right = right["set"]
        if isinstance(right, list):
            found = {self._equals(value, one) for one in right}
            return True if True in found else None if None in found else False
        return _is(value, right)

    def _named_set(self, name: str) -> _Json:
        return self.ruleset.sets.get((*self.table, name.removeprefix("@")), {})

    def _in_set(self, value: Any, name: str) -> bool | None:
        made = self._named_set(name)
        statements = made.get("stmt", ())
        if not made or any(next(iter(one), "") not in ("counter", "last") for one in statements):
            return None
        if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int)):
            return self._equals(value, [_bare(one) for one in made.get("elem", ())])
        version, number = value
        key = (*self.table, name, version)
        if key not in self.ruleset.known:
            self.ruleset.known[key] = _members(made.get("elem", ()), version)
        members = self.ruleset.known[key]
        return True if members.holds(number) else None if members.rest else False


def _taken_apart(statement: Any) -> tuple[str, Any]:
    if not isinstance(statement, dict):
        return str(statement), None
    [(kind, said)] = statement.items()
    return str(kind), said


def _bare(element: Any) -> Any:
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _members(elements: Sequence[Any], version: int) -> Members:
    single, spans, rest = set[int](), list[tuple[int, int]](), list[Any]()
    for element in map(_bare, elements):
        try:
            of, low, high = _span(element)
        except (ValueError, KeyError, TypeError, OSError):
            rest.append(element)
            continue
        if of != version:
            continue
        if low == high:
            single.add(low)
        else:
            spans.append((low, high))
    spans.sort()
    return Members(single, [low for low, _ in spans], [high for _, high in spans], rest)


def _span(element: Any) -> tuple[int, int, int]:
    """Version, the first and the last address. Raises ``OSError``, ``ValueError``, ``KeyError``, ``TypeError``."""
    if isinstance(element, str):
        version, number = _number(element)
        return version, number, number
    if "prefix" in element:
        version, number = _number(element["prefix"]["addr"])
        rest = (1 << ((32 if version == 4 else 128) - int(element["prefix"]["len"]))) - 1
        return version, number & ~rest, number | rest
    (version, low), (_, high) = map(_number, element["range"])
    return version, low, high


def _number(text: str) -> tuple[int, int]:
    """Many of a long list: a tenth of what ``ip_address`` costs."""
    version = 6 if ":" in text else 4
    packed = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, text)
    return version, int.from_bytes(packed, "big")


def _is(value: Any, right: Any) -> bool | None:
    """One value and one thing that is no list."""
    right = _bare(right)
    if isinstance(value, tuple) and isinstance(right, dict) and "concat" in right:
        found = {_is(one, other) for one, other in zip(value, right["concat"], strict=False)}
        return False if False in found else None if None in found else True
    if isinstance(value, tuple):
        return _is_address(value, right)
    if isinstance(value, int):
        return _is_number(value, right)
    if not isinstance(right, str | int):
        return None
    said: str = _NUMBERS.get(right, str(right))
    word = str(value)
    return word.startswith(said[:-1]) if said.endswith("*") else word == said


def _is_address(value: tuple[Any, ...], right: Any) -> bool | None:
    try:
        version, low, high = _span(right)
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return bool(version == value[0] and low <= value[1] <= high)


def _is_number(value: int, right: Any) -> bool | None:
    if isinstance(right, dict) and "range" in right and all(isinstance(end, int) for end in right["range"]):
        low, high = right["range"]
        return bool(low <= value <= high)
    return value == int(right) if isinstance(right, int) else None


def _rewrites(said: Any) -> bool:
    """Whether it makes another packet of it, as far as we look at it."""
    payload = said.get("key", {}).get("payload", {}) if isinstance(said, dict) else {}
    return str(payload.get("field")) in _REWRITES


def _named(chain: str) -> str:
    """Our rule, by the chain that carries it out."""
    return f"rule {chain.removeprefix('hit-')}"


def _words(left: Any) -> str:
    match left:
        case {"payload": {"protocol": protocol, "field": name}}:
            return f"{protocol} {name}"
        case {"meta": {"key": key}}:
            return f"{key}"
        case {"ct": {"key": key}}:
            return f"ct {key}"
    return next(iter(left), "something") if isinstance(left, dict) else "something"


__all__ = ["Ruleset", "answer_from", "ruleset_from"]
