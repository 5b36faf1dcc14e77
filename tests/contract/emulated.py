"""What the contract needs of a vendor without a box here: an emulated device behind real SSH, with an owner's rules.

A new vendor writes one rig and lists it in ``test_emulated.RIGS``; every scenario there then runs for it.
The owner is ``lab.emulators``; the adapter is reached through the registry alone, as the controller reaches it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Final

from core.clock import SystemClock
from core.ids import DeviceName
from core.net import DomainName, Network
from core.secret import SecretRef
from lab.emulators.faults import Faults
from lab.emulators.server import Served, served
from lab.emulators.traffic import Flow, Verdict
from vendors.adapter import Adapter, Endpoint
from vendors.diff import diff
from vendors.errors import Refused
from vendors.model import (
    Action,
    AddressGroup,
    Desired,
    DomainGroup,
    Group,
    GroupName,
    Observed,
    Receipt,
    Rule,
    RuleName,
)
from vendors.registry import adapter_for
from vendors.session import SshSession, connect

DEVICE: Final = DeviceName("edge")
OWNER: Final = "01kb000000000000000000tkga"
DST, FQDN = GroupName("dst-tiktok"), GroupName("fqdn-tiktok")
ROLES: Final = {"company": "10.0.1.0/24", "marketing": "10.0.2.0/24"}
CLIENTS: Final = {"company": "10.0.1.5", "marketing": "10.0.2.7"}
TIKTOK: Final = "103.136.220.10"
TIKTOK_6: Final = "2404:9dc0:cd01::10"
SHARED: Final = "23.45.12.10"
"""The address that ``SHARED_NAME`` resolves to."""
SHARED_NAME: Final = "v16-webapp.tiktokcdn.com"
ORDINARY: Final = "198.51.100.80"
WAYS: Final[dict[str, list[dict[str, object]]]] = {
    "cisco_asa": [{"inside": "inside"}],
    "fortinet_fortios": [{"inside": "port1"}],
    "juniper_srx": [{"inside": "inside", "outside": "outside"}],
    "paloalto_panos": [{"inside": "inside", "outside": "outside"}],
}
"""What each oracle is told of where clients come in."""
NAMES: Final = {SHARED_NAME: (ip_address(SHARED),)}
LISTED: Final[frozenset[Network]] = frozenset(map(ip_network, (f"{TIKTOK}/32", "71.18.0.0/16", "2404:9dc0:cd01::/48")))
MORE: Final[frozenset[Network]] = LISTED | {ip_network("192.0.2.0/24")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One rule of an owner's, for rule bases that are made up: in this order, over the sources of one role."""

    permit: bool
    source: str  # a network
    destination: str  # a network, or "0.0.0.0/0"


class Heard(Faults):
    """Nothing goes wrong, and every line that arrives is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.lengths: dict[str, int] = {}
        """Lines of the last answer to each."""

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        self.said.append(line)
        return super().next_line(line)

    def heard(self, line: str, answer: str) -> str:
        self.lengths[line] = len(answer.splitlines())
        return answer


class Shortens(Faults):
    """One answer comes without its end, once, and the prompt behind it all the same."""

    def __init__(self, question: str, share: float) -> None:
        super().__init__()
        self.question, self.share, self.has_lost = question, share, False

    def heard(self, line: str, answer: str) -> str:
        if line != self.question or self.has_lost:
            return answer
        self.has_lost = True
        lines = answer.splitlines(keepends=True)
        return "".join(lines[: int(len(lines) * self.share)])


class DiesAt(Faults):
    """The session dies at the first line that begins so, before it is answered."""

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start, self.has_died = start, False

    def next_line(self, line: str) -> tuple[int | None, int | None]:
        if line.startswith(self.start) and not self.has_died:
            self.has_died, self.drop_at = True, self.lines + 1
        return super().next_line(line)


class EmulatedRig(ABC):
    """One emulated firewall. What it is asked for here is asked of its owner's side, never of the adapter."""

    vendor: ClassVar[str]
    password: ClassVar[str] = "admin"
    log: ClassVar[str]
    """How the question begins that asks who was denied."""
    questions: ClassVar[tuple[str, ...]]
    """How lines begin that ask, or prepare the login itself."""
    user: ClassVar[str] = "admin"
    has_candidate: ClassVar[bool]
    """Whether somebody's pending changes can stand on the device."""

    def __init__(self) -> None:
        self.device = self.made()
        self.served: Served | None = None

    # --- the device -----------------------------------------------------------------------------------------------

    @abstractmethod
    def made(self, rules: Sequence[Foreign] | None = None) -> Any:
        """A device with the owner's rules: those given, else the site's own, which let ``CLIENTS`` reach everything by
        port 443, stop their telnet, and let nobody else pass."""

    @abstractmethod
    def options(self) -> dict[str, object]: ...

    @abstractmethod
    def flow(self, source: str, destination: str, port: int) -> Flow: ...

    @abstractmethod
    def configuration(self) -> str:
        """All of the device's configuration in force, as it prints it."""

    @abstractmethod
    def ours(self, line: str) -> bool:
        """Whether a line of it is about something of our name."""

    @abstractmethod
    def hands(self) -> Mapping[str, Sequence[str]]:
        """What an owner may do to our objects: lines for ``typed``, by what they do. They need a pushed ``wish()``."""

    @abstractmethod
    def typed(self, lines: Sequence[str]) -> None:
        """The owner's lines, in configuration mode, in force afterwards."""

    def pending(self) -> None:
        """Somebody else leaves a change of his own uncommitted. Only with ``has_candidate``."""
        raise NotImplementedError

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds the configuration for as long as the block lasts."""
        raise NotImplementedError
        yield

    def standby(self) -> None:
        """From now on this is the unit that does not forward."""
        raise NotImplementedError

    @abstractmethod
    def misspelt(self) -> Mapping[str, Mapping[str, object]]:
        """Options that name what is not there, by the name: virtual systems, zones, anchors."""

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """The device's own check, or its AAA server, refuses the next change."""
        raise NotImplementedError
        yield

    @contextmanager
    def full(self) -> Iterator[None]:
        """The device takes no more objects than one beside those that it has."""
        raise NotImplementedError
        yield

    def asks(self, line: str) -> bool:
        """Whether a line changes nothing but the login."""
        return not line or line == self.password or line.startswith(self.questions)

    @contextmanager
    def serving(self) -> Iterator[None]:
        with served([self.device]) as places:
            (self.served,) = places.values()
            yield
            self.served = None

    # --- what a controller does -----------------------------------------------------------------------------------

    def adapter(self, **options: object) -> Adapter:
        return adapter_for(self.vendor, {**self.options(), **options}, DEVICE)

    def endpoint(self, **changes: object) -> Endpoint:
        assert self.served is not None
        made = Endpoint(
            device=DEVICE,
            host=self.served.host,
            port=self.served.port,
            username=self.user,
            password=SecretRef.parse("secret://env/TOKGATE_TEST_PASSWORD"),
            key_file=None,
            key_passphrase=None,
            host_keys=(self.served.host_key,),
            budget=timedelta(seconds=90),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    @contextmanager
    def session(self) -> Iterator[SshSession]:
        with connect(self.endpoint(), clock=SystemClock()) as session:
            yield session

    def look(self, **options: object) -> Observed:
        with self.session() as session:
            return self.adapter(**options).read(session)

    def push(self, desired: Desired, **options: object) -> Receipt:
        adapter = self.adapter(**options)
        with self.session() as session:
            observed = adapter.read(session)
            return adapter.apply(session, observed, diff(observed, desired, observed.can))

    def told(self, desired: Desired, **options: object) -> str:
        """What the plan says stands against it."""
        observed = self.look(**options)
        try:
            self.adapter(**options).refuse(observed, diff(observed, desired, observed.can))
        except Refused as exc:
            return str(exc)
        return ""

    def holds(self, desired: Desired, **options: object) -> bool:
        """Read back, untouched, to the digest, and with nothing left to do."""
        observed = self.look(**options)
        return not observed.irregular and diff(observed, desired, observed.can).is_empty

    def passes(self, role: str, destination: str = TIKTOK, port: int = 443) -> bool:
        with self.device.lock:
            verdict: Verdict = self.device.forward(self.flow(CLIENTS[role], destination, port))
        return verdict is Verdict.PERMIT

    def foreign(self) -> str:
        """All that is not of our name, line by line."""
        return "\n".join(line for line in self.configuration().splitlines() if not self.ours(line))


def wish(
    *,
    members: frozenset[Network] = LISTED,
    names: Sequence[str] = (),
    deny: Sequence[str] = ("company",),
    exempt: Sequence[str] = (),
    owner: str = OWNER,
    snapshot: str = "0123456789ab",
) -> Desired:
    """``exempt``: hosts or networks that an exception takes out of the denies."""
    targets = (DST, FQDN) if names else (DST,)
    groups: list[Group] = [AddressGroup(name=DST, members=members)]
    rules: list[Rule] = []
    if names:
        groups.append(DomainGroup(name=FQDN, members=frozenset(DomainName(name) for name in names)))
    if exempt:
        held = GroupName("exc-01kb00000000000000000exc01")
        groups.append(AddressGroup(name=held, members=frozenset(map(ip_network, exempt))))
        rules.append(Rule(name=RuleName(held), action=Action.EXEMPT, sources=held, destinations=targets))
    for role in deny:
        sources = GroupName(f"src-{role}")
        groups.append(AddressGroup(name=sources, members=frozenset({ip_network(ROLES[role])})))
        rules.append(Rule(name=RuleName(f"deny-{role}"), action=Action.DENY, sources=sources, destinations=targets))
    made = tuple(sorted(groups, key=lambda group: group.name))
    return Desired(groups=made, rules=tuple(rules), owner=owner, snapshot=snapshot)
