"""What the contract needs of a vendor: a real device between real clients and real servers, and an owner beside us.

A new vendor writes one rig and lists it in ``RIGS``; every scenario then runs for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

from core.clock import SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.gateway import Gateway
from lab.topology import Client, Site
from lab.world import Kind, host
from vendors.adapter import Adapter, Endpoint, Session
from vendors.codec import desired_digest
from vendors.diff import diff
from vendors.model import Desired, Observed, Plan, Receipt
from vendors.registry import adapter_for
from vendors.session import connect

DEVICE: Final = DeviceName("fw-contract")
TIKTOK: Final = host(Kind.TIKTOK)
NEIGHBOUR: Final = host(Kind.NEIGHBOUR)
SHARED: Final = host(Kind.SHARED)


class Rig(Protocol):
    """One device of one vendor."""

    @property
    def clients(self) -> Mapping[str, Client]:
        """Machines behind the device by role: company, guest, marketing."""
        ...

    def adapter(self, **options: object) -> Adapter: ...

    def endpoint(self, **changes: object) -> Endpoint: ...

    def session(self) -> AbstractContextManager[Session]: ...

    def wipe(self) -> None:
        """Take all that is ours off the device, from the owner's side, and forget what it learned."""
        ...

    def foreign(self) -> str:
        """All that is not ours, to the byte."""
        ...

    def reboot(self, *, persisted: bool) -> None: ...

    def kill_sessions(self) -> None:
        """Break every open login, as a lost line does."""
        ...

    def change_host_key(self) -> None: ...

    def reset_counters(self) -> None:
        """Zero our counters from the owner's side."""
        ...

    def drop_member(self, member: str) -> None:
        """Take one member out of the list by hand."""
        ...

    @staticmethod
    def damages() -> tuple[str, ...]:
        """Hands on our objects, by name: what an owner may do to them, for ``damage``."""
        ...

    def damage(self, what: str) -> None: ...


@dataclass(frozen=True, slots=True)
class NftablesRig:
    """A Linux gateway of the lab."""

    site: Site

    @property
    def gateway(self) -> Gateway:
        return self.site.gateway

    @property
    def clients(self) -> Mapping[str, Client]:
        return self.site.clients

    def adapter(self, **options: object) -> Adapter:
        files = self.gateway.files
        dnsmasq = {"conf_dir": str(files.dnsmasq_dir), "restart": str(files.restart_dnsmasq)}
        given: dict[str, object] = {"state_dir": str(files.state_dir), "dnsmasq": dnsmasq, **options}
        return adapter_for("linux_nftables", given, DEVICE)

    def endpoint(self, **changes: object) -> Endpoint:
        made = Endpoint(
            device=DEVICE,
            host=self.gateway.host,
            port=self.gateway.port,
            username=self.site.office.login,
            password=None,
            key_file=SecretRef.parse(f"secret://file{self.gateway.client_key}"),
            key_passphrase=None,
            host_keys=(self.gateway.host_key,),
            budget=timedelta(seconds=60),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    @contextmanager
    def session(self) -> Iterator[Session]:
        with connect(self.endpoint(), clock=SystemClock()) as session:
            yield session

    def wipe(self) -> None:
        files = self.gateway.files
        if "inet tokgate" in self.gateway.tables():
            self.gateway.nft("delete table inet tokgate\n")
        for folder in (files.state_dir, files.dnsmasq_dir):
            for path in folder.iterdir():
                path.unlink()
        self.gateway.restart_dnsmasq()
        self.gateway.namespace.run("conntrack", "-F", check=False)

    def foreign(self) -> str:
        return self.gateway.owner_listing()

    def reboot(self, *, persisted: bool) -> None:
        self.gateway.reboot(persisted=persisted)

    def kill_sessions(self) -> None:
        self.gateway.kill_sessions()

    def change_host_key(self) -> None:
        self.gateway.change_host_key()

    def reset_counters(self) -> None:
        self.gateway.namespace.run("nft", "reset", "counters", "table", "inet", "tokgate")

    def drop_member(self, member: str) -> None:
        self.gateway.nft(f"delete element inet tokgate dst-tiktok-4 {{ {member} }}\n")

    @staticmethod
    def damages() -> tuple[str, ...]:
        return tuple(DAMAGES)

    def damage(self, what: str) -> None:
        self.gateway.nft(DAMAGES[what] + "\n")


DAMAGES: Final[Mapping[str, str]] = {
    "the table gone": "delete table inet tokgate",
    "a member taken out": f"delete element inet tokgate dst-tiktok-4 {{ {TIKTOK.v4} }}",
    "a member added": "add element inet tokgate dst-tiktok-4 { 192.0.2.0/24 }",
    "a member as a range": "add element inet tokgate dst-tiktok-4 { 192.0.2.1-192.0.2.6 }",
    "a member with a comment": 'add element inet tokgate dst-tiktok-4 { 192.0.2.9 comment "mine" }',
    "the list emptied": "flush set inet tokgate dst-tiktok-4",
    "an accept above the jump": "insert rule inet tokgate forward accept",
    "the jump gone": "flush chain inet tokgate forward",
    "the deny gone": "flush chain inet tokgate hit-deny-company",
    "the rules gone": "flush chain inet tokgate rules",
    "a foreign chain": "add chain inet tokgate mine; add rule inet tokgate mine counter",
    "a foreign base chain": "add chain inet tokgate mine { type filter hook input priority 7; policy accept; }",
    "a foreign set": "add set inet tokgate mine { type mark; }",
    "a foreign map": "add map inet tokgate mine { type ipv4_addr : mark; }",
    "a foreign counter": "add counter inet tokgate mine",
    "a foreign quota": "add quota inet tokgate mine 10 mbytes",
    "a list of our form": "add set inet tokgate other-4 { type ipv4_addr; flags interval; }",
    "the mark gone": "flush chain inet tokgate about",
    "the mark garbled": 'flush chain inet tokgate about; add rule inet tokgate about return comment "hello"',
    "the policy turned": "add chain inet tokgate forward { policy drop; }",
    "the base chain moved": "delete chain inet tokgate forward; "
    "add chain inet tokgate forward { type filter hook forward priority 50; policy accept; }; "
    "add rule inet tokgate forward jump rules",
    "the base chain gone": "delete chain inet tokgate forward",
    "the table asleep": "add table inet tokgate { flags dormant; }",
    "the set of another type": "flush chain inet tokgate to-deny-company; flush chain inet tokgate to-mon-guest; "
    "delete set inet tokgate dst-tiktok-4; "
    "add set inet tokgate dst-tiktok-4 { type ipv4_addr; flags interval; auto-merge; }; "
    f"add element inet tokgate dst-tiktok-4 {{ {TIKTOK.v4} }}",
}

RIGS: Final[Mapping[str, type[NftablesRig]]] = {"linux_nftables": NftablesRig}


# --- what a sync does -----------------------------------------------------------------------------------------------


def push(rig: Rig, desired: Desired, **options: object) -> Receipt:
    """Log in, read, plan, apply."""
    adapter = rig.adapter(**options)
    with rig.session() as session:
        observed = adapter.read(session)
        return adapter.apply(session, observed, diff(observed, desired, observed.can))


def look(rig: Rig, **options: object) -> Observed:
    with rig.session() as session:
        return rig.adapter(**options).read(session)


def plan(rig: Rig, desired: Desired, **options: object) -> tuple[Observed, Plan]:
    observed = look(rig, **options)
    return observed, diff(observed, desired, observed.can)


def is_untouched(observed: Observed) -> bool:
    """Whether a device holds exactly what its mark says, which is how enforcement is told from drift."""
    if observed.mark is None or any(not line.startswith("persistence:") for line in observed.irregular):
        return False
    held = Desired(
        groups=observed.groups, rules=observed.rules, owner=observed.mark.owner, snapshot=observed.mark.snapshot
    )
    return desired_digest(held) == observed.mark.desired
