"""Flows through the data plane: which rule decides, what is counted, which sessions there are, what is logged.

A rule's hit count is sessions that matched it, on this node alone; it outlives restarts and ends with a renaming of the
rule (PAN-OS 8.1 new features, rule usage tracking). Nothing counts bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from core.net import Address
from lab.emulators.panos import matching, schedule, schema
from lab.emulators.panos.feeds import Feed, Feeds
from lab.emulators.panos.matching import INTERZONE, INTRAZONE, Addresses, Rule
from lab.emulators.panos.names import Resolver
from lab.emulators.panos.space import list_type
from lab.emulators.panos.tree import Node
from lab.emulators.traffic import Flow, Verdict

if TYPE_CHECKING:
    from lab.emulators.panos.device import PanOs

_LOGGED: Final = 10_000
"""How many entries the traffic log keeps here."""


@dataclass(slots=True, kw_only=True)
class Hits:
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    reset: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    created: datetime
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: int
    vsys: str
    flow: Flow
    rule: str
    start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One entry of the traffic log."""

    session: Session
    uuid: str
    at: datetime
    subtype: str
    action: str
    forwarding: str = ""


@dataclass(slots=True)
class Plane:
    """What is enforced now. It changes by commits, by lists and by names."""

    device: PanOs
    feeds: Feeds
    resolver: Resolver
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)  # by the rule's id
    stamps: dict[str, Stamp] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)
    _serial: int = 0

    # --- a new configuration --------------------------------------------------------------------------------------

    def activate(self, old: Node | None) -> list[str]:
        """The running configuration is enforced from now on. Returns the lists that were pulled for it."""
        space, now = self.device.running, self.device.clock.now()
        self.rules = {
            vsys: matching.compiled(space, vsys, self.device.ordered_rules(vsys)) for vsys in space.vsys_names()
        }
        self._stamp(old, now)
        everything = [
            side for rules in self.rules.values() for rule in rules for side in (rule.source, rule.destination)
        ]
        self.resolver.use({fqdn for side in everything for fqdn in side.fqdns}, now)
        wanted = {name: feed for vsys, rules in self.rules.items() for name, feed in self._lists(vsys, rules)}
        pulled = self.feeds.use(wanted, now, self.device.zone)
        self._rematch()
        return pulled

    def _lists(self, vsys: str, rules: list[Rule]) -> list[tuple[str, Feed]]:
        names = dict.fromkeys(
            name
            for rule in rules
            for held in (rule.source.lists, rule.destination.lists, rule.categories)
            for name in held
        )
        found = [(name, self.feed_of(vsys, name.partition("/")[2])) for name in names]
        return [(name, feed) for name, feed in found if feed is not None]

    def feed_of(self, vsys: str, name: str) -> Feed | None:
        """A list as it is configured; those that the vendor defines are not pulled."""
        found = self.device.running.find(schema.vsys_path(vsys), ("external-list",), name)
        kind = list_type(found[1]) if found is not None else ""
        if found is None or kind not in ("ip", "domain", "url"):
            return None
        source = found[1].kids["type"].kids[kind]
        login = source.kids.get("auth", Node())
        return Feed(
            name=name,
            kind=kind,
            url=source.value("url"),
            recurring=source.kids.get("recurring", Node()),
            username=login.value("username"),
            password=login.value("password"),
            profile=source.value("certificate-profile"),
        )

    def _stamp(self, old: Node | None, now: datetime) -> None:
        before = _rules_by_id(old)
        stamps = dict[str, Stamp]()
        pushed = {rule.uuid: rule for side in (self.device.before, self.device.after) for rule in side.kids.values()}
        for uuid, rule in {**_rules_by_id(self.device.running.root), **pushed}.items():
            known = self.stamps.get(uuid)
            if known is None:
                stamps[uuid] = Stamp(created=now, modified=now)
            elif uuid in before and not rule.same(before[uuid]):
                stamps[uuid] = Stamp(created=known.created, modified=now)
            else:
                stamps[uuid] = known
        self.stamps = stamps
        self.hits = {uuid: hits for uuid, hits in self.hits.items() if uuid in stamps or uuid.endswith("-default")}

    def _rematch(self) -> None:
        """`rematch`: sessions that the new rules deny end now. Without it they go on."""
        config = self.device.running.root.at((*schema.DEVICE, "deviceconfig", "setting", "config")) or Node()
        if config.value("rematch") != "yes" or self.device.switches.sessions_survive:
            return
        for session in list(self.sessions.values()):
            if self._decide(session.flow, session.vsys)[1] != "allow":
                self.end(session)

    # --- a flow ---------------------------------------------------------------------------------------------------

    def forward(self, flow: Flow, vsys: str, *, keep_open: bool) -> Verdict:
        now = self.device.clock.now()
        if any(each.flow == flow and each.vsys == vsys for each in self.sessions.values()):
            return Verdict.PERMIT
        rule, action = self._decide(flow, vsys)
        name = rule.name if rule is not None else INTRAZONE if flow.inside == flow.outside else INTERZONE
        self._count(rule.node.uuid if rule is not None else f"{vsys} {name}", now)
        self._serial += 1
        session = Session(id=self._serial, vsys=vsys, flow=flow, rule=name, start=now)
        permitted = action == "allow"
        if rule is not None and rule.word("log-start", "no") == "yes" and permitted:
            self._write(rule, session, "start")
        if permitted and keep_open:
            self.sessions[session.id] = session
        elif rule is not None and rule.word("log-end", "yes") == "yes":
            self._write(rule, session, "end" if permitted else self._denied(rule, action))
        return Verdict.PERMIT if permitted else Verdict.DENY

    def _decide(self, flow: Flow, vsys: str) -> tuple[Rule | None, str]:
        rule = next((each for each in self.rules.get(vsys, []) if self.takes(each, flow)), None)
        if rule is not None:
            return rule, rule.action
        return None, "allow" if flow.inside == flow.outside else "deny"

    def takes(self, rule: Rule, flow: Flow) -> bool:
        fits = self.holds_now(rule) and matching.matches(rule, flow, self._held)
        return fits and rule.category(flow, self._listed)

    def _listed(self, name: str, host: str) -> bool:
        return name in self.feeds.used and self.feeds.used[name].asks(host)

    def holds_now(self, rule: Rule) -> bool:
        """By the firewall's local time."""
        inclusive = self.device.switches.schedule_end_inclusive
        now = self.device.zone.local(self.device.clock.now())
        return rule.schedule is None or schedule.active(rule.schedule, now, inclusive=inclusive)

    def _held(self, side: Addresses, address: Address) -> bool:
        if side.literal(address):
            return True
        lists = (self.feeds.used[name] for name in side.lists if name in self.feeds.used)
        return any(feed.holds(address) for feed in lists) or any(
            address in self.resolver.addresses(fqdn) for fqdn in side.fqdns
        )

    def _count(self, key: str, now: datetime) -> None:
        if self.device.mishaps.hit_counts_off:
            return
        hits = self.hits.setdefault(key, Hits())
        hits.count, hits.first, hits.last = hits.count + 1, hits.first or now, now

    # --- sessions and the log -------------------------------------------------------------------------------------

    def end(self, session: Session) -> None:
        """A session is over, and logged at its end by the rule that let it in."""
        self.sessions.pop(session.id, None)
        rule = next((each for each in self.rules.get(session.vsys, []) if each.name == session.rule), None)
        if rule is not None and rule.word("log-end", "yes") == "yes":
            self._write(rule, session, "end")

    def _denied(self, rule: Rule, action: str) -> str:
        """`drop`: before the application was known. Which of the two a `deny` logs is not settled."""
        if action == "drop":
            return "drop"
        anything = "any" in rule.node.members("application")
        return self.device.switches.rule_deny_subtype if anything else "deny"

    def _write(self, rule: Rule, session: Session, subtype: str) -> None:
        entry = Logged(
            session=session,
            uuid=rule.node.uuid,
            at=self.device.clock.now(),
            subtype=subtype,
            action="allow" if subtype in ("start", "end") else rule.action,
            forwarding=rule.word("log-setting", ""),
        )
        self.log.append(entry)
        del self.log[:-_LOGGED]


def _rules_by_id(root: Node | None) -> dict[str, Node]:
    vsys = (root.at((*schema.DEVICE, "vsys")) if root is not None else None) or Node()
    places = [each.at(("rulebase", "security", "rules")) or Node() for each in vsys.kids.values()]
    return {rule.uuid: rule for place in places for rule in place.kids.values()}
