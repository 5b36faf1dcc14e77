"""What a commit refuses: the constraints of the 24.4 models (Juniper/yang), and limits of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface

from lab.emulators.srx import answers, applications
from lab.emulators.srx.book import WORDS, Books
from lab.emulators.srx.schema import DAYS, SPACES
from lab.emulators.srx.switches import Model, Switches
from lab.emulators.srx.tree import Node, missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Where, what, and why. ``daemon``: found by a daemon rather than by the schema's constraints."""

    path: str
    statement: str
    message: str
    daemon: bool = False

    def text(self) -> str:
        """The three lines (CiscoTestAutomation/unicon mock data)."""
        return f"[edit {self.path}]\n  '{self.statement}'\n    {self.message}\n"


@dataclass(slots=True)
class Checker:
    """Over one candidate, groups folded in."""

    root: Node
    model: Model
    switches: Switches
    _books: Books = field(init=False)

    def __post_init__(self) -> None:
        self._books = Books(self.root)

    def complaints(self) -> list[Complaint]:
        """Of the root system, then of each logical system and tenant by itself."""
        inner = [space for name in SPACES for space in self.root.all(name)]
        checked = (
            replace(each, path=f"{space.name} {space.value} {each.path}")
            for space in inner
            for each in Checker(space, self.model, self.switches).complaints()
        )
        return [*self._own(), *self._schedulers(), *checked]

    def _schedulers(self) -> Iterator[Complaint]:
        """Two windows a day at most; a day is those, `all-day` or `exclude` (Juniper/yang)."""
        held = self.root.at("schedulers")
        for scheduler in () if held is None else held.all("scheduler"):
            for day in ("daily", *DAYS):
                node = scheduler.at(day)
                windows = 0 if node is None else len(node.all("start-time"))
                path = f"schedulers scheduler {scheduler.value}"
                if windows > 2:  # own words
                    yield Complaint(path=path, statement=day, message="Number of elements exceeds 2")
                if node is not None and windows and (node.has("all-day") or node.has("exclude")):  # own words
                    yield Complaint(path=path, statement=day, message="a window cannot be configured with it")

    def _own(self) -> list[Complaint]:
        security = self.root.at("security")
        if security is None:
            return []
        return [
            *self._address_books(security),
            *self._feeds(security),
            *self._policies(security),
            *self._limits(security),
        ]

    # --- address books --------------------------------------------------------------------------------------------

    def _address_books(self, security: Node) -> Iterator[Complaint]:
        zones = security.at("zones")
        for book in security.all("address-book"):
            path = f"security address-book {book.value}"
            yield from self._book(book, path)
            attach = book.at("attach")
            if book.value == "global" and attach is not None:
                yield Complaint(
                    path=path,
                    statement="attach",
                    message="It is not allowed to attach the global address book to any particular interface, zone or"
                    " routing-instance.",
                )
        for zone in () if zones is None else zones.all("security-zone"):
            inline = zone.at("address-book")
            if inline is not None:
                path = f"security zones security-zone {zone.value}"
                yield from self._book(inline, f"{path} address-book")
                if security.all("address-book"):
                    yield Complaint(
                        path=path,
                        statement="address-book",
                        message="Zone specific address books are not allowed when there are global address books"
                        " defined",
                    )

    def _book(self, book: Node, path: str) -> Iterator[Complaint]:
        addresses = {node.value: node for node in book.all("address")}
        sets = {node.value: node for node in book.all("address-set")}
        for name, node in addresses.items():
            if name in sets:
                yield Complaint(
                    path=path,
                    statement=f"address-set {name}",
                    message="Security address and address-set cannot have same name",
                )
            named = node.child("dns-name")
            if named is not None and named.has("ipv4-only") and named.has("ipv6-only"):
                yield Complaint(
                    path=f"{path} address {name}",
                    statement=f"dns-name {named.value}",
                    message="ipv4-only and ipv6-only cannot be configured together",
                )
        for name, node in sets.items():
            yield from self._members(node, f"{path} address-set {name}", set(addresses), set(sets))

    def _members(self, node: Node, path: str, addresses: set[str], sets: set[str]) -> Iterator[Complaint]:
        for kind, known in (("address", addresses), ("address-set", sets)):
            members = node.all(kind)
            for member in members:
                if member.value not in known:
                    yield Complaint(
                        path=path,
                        statement=f"{kind} {member.value}",
                        message="referenced address must be defined under address-book",
                    )
            if len(members) > self.model.members:  # own words
                yield Complaint(path=path, statement=kind, message=f"Number of elements exceeds {self.model.members}")

    def _feeds(self, security: Node) -> Iterator[Complaint]:
        dynamic = security.at("dynamic-address")
        for name in () if dynamic is None else dynamic.all("address-name"):
            if name.value in self._books.names:  # own words
                yield Complaint(
                    path="security dynamic-address",
                    statement=f"address-name {name.value}",
                    message="Name is used in an address book already",
                    daemon=True,
                )

    # --- policies -------------------------------------------------------------------------------------------------

    def _policies(self, security: Node) -> Iterator[Complaint]:
        for path, policy, zones in policies(security):
            for zone in zones:
                if zone not in self._books.zones and zone not in ("any", "junos-host"):
                    pair = path.removeprefix("security policies ")
                    yield Complaint(path="security policies", statement=pair, message="Security zone must be defined")
            yield from self._policy(f"{path} policy {policy.value}", policy, zones)

    def _policy(self, path: str, policy: Node, zones: tuple[str, ...]) -> Iterator[Complaint]:
        yield from self._complete(path, policy)
        scheduler = policy.leaf("scheduler-name")
        if scheduler and not self._scheduler(scheduler):
            yield Complaint(path=path, statement=f"scheduler-name {scheduler}", message="scheduler must be defined")
        match = policy.at("match")
        for node in () if match is None else match.children.values():
            if node.inactive or node.part.statement.kind != "many":
                continue
            if node.name.endswith("-address") and not self._books.knows(node.value, zones):
                message = self.switches.unknown_address.format(node.value)
                yield Complaint(path=path, statement="match", message=message, daemon=True)
            if node.name == "application" and not applications.known(self.root, node.value):  # own words
                message = f"Application {node.value} not found"
                yield Complaint(path=path, statement="match", message=message, daemon=True)
            if node.name.endswith("-zone") and node.value != "any" and node.value not in self._books.zones:
                yield Complaint(
                    path=f"{path} match", statement=f"{node.name} {node.value}", message="Security zone must be defined"
                )

    def _complete(self, path: str, policy: Node) -> Iterator[Complaint]:
        """The words of the mark in `show | compare`; those of the commit are on no record."""
        parent, _, statement = path.rpartition(" policy ")
        match, then = policy.at("match"), policy.at("then")
        lacking = missing(policy) or ([] if match is None else missing(match))
        if then is not None and not any(then.has(action) for action in ("permit", "deny", "reject")):
            lacking = [*lacking, "then"]
        if lacking:
            names = ", ".join(f"'{name}'" for name in lacking)
            message = f"missing mandatory statement(s): {names}"
            yield Complaint(path=parent, statement=f"policy {statement}", message=message)

    def _scheduler(self, name: str) -> bool:
        schedulers = self.root.at("schedulers")
        return schedulers is not None and schedulers.child("scheduler", name) is not None

    # --- limits: their words are on no record ---------------------------------------------------------------------

    def _limits(self, security: Node) -> Iterator[Complaint]:
        found = list(policies(security))
        if self.model.policies is not None and len(found) > self.model.policies:
            yield Complaint(path="security", statement="policies", message="Too many policies", daemon=True)
        if self.model.addresses is not None and len(self._books.names) > self.model.addresses:
            yield Complaint(path="security", statement="address-book", message="Too many addresses", daemon=True)
        for path, policy, zones in found if self.model.policy_units is not None else ():
            if self._units(policy, zones) > (self.model.policy_units or 0):
                statement = f"policy {policy.value}"
                yield Complaint(path=path, statement=statement, message="Too many addresses", daemon=True)

    def _units(self, policy: Node, zones: tuple[str, ...]) -> int:
        """An IPv6 prefix weighs four (google/capirca, junipersrx)."""
        match = policy.at("match")
        names = [] if match is None else [n.value for n in match.children.values() if n.name.endswith("-address")]
        prefixes = [leaf for name in names if name not in WORDS for leaf in self._books.leaves(name, zones)]
        return sum(4 if ":" in leaf.leaf("") and ip_interface(leaf.leaf("")).version == 6 else 1 for leaf in prefixes)


def policies(security: Node) -> Iterator[tuple[str, Node, tuple[str, ...]]]:
    """All of them: where, the policy, its two zones if it has a pair."""
    held = security.at("policies")
    for pair in () if held is None else held.all("from-zone"):
        path = f"security policies {pair.part.words()}"
        yield from ((path, policy, pair.part.values) for policy in pair.all("policy"))
    shared = None if held is None else held.at("global")
    yield from (("security policies global", policy, ()) for policy in (() if shared is None else shared.all("policy")))


def refusal(complaints: list[Complaint], *, check: bool) -> str:
    """All of what a commit, or a check, says no with."""
    told = list(dict.fromkeys(complaint.text() for complaint in complaints))
    constraint = not check and any(not complaint.daemon for complaint in complaints)
    return f"{''.join(told)}{answers.CONSTRAINT_FAILED if constraint else answers.CHECKOUT_FAILED}\n"
