"""The whole lab on this machine: an internet, offices with a gateway and clients each, and a replay of RIPEstat.

``Lab.up`` builds the two offices of ``world``; ``Lab.fleet`` only gateways, many, for measurements. Needs root.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab import netns, processes, world
from lab.errors import LabError
from lab.gateway import Gateway
from lab.netns import End, Namespace, batch
from lab.probe import Result
from lab.workspace import Workspace
from lab.world import INTERNET, OFFICES, Network, Office

START_SECONDS: Final = 10.0
_HERE: Final = Path(__file__).parent


def script(name: str, *arguments: str) -> list[str]:
    """The command that runs one of the lab's own programs, without the environment's packages: starts in no time."""
    return [sys.executable, "-I", "-S", str(_HERE / name), *arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One machine in an office, of one role."""

    namespace: Namespace
    role: str
    network: Network

    @property
    def resolver(self) -> str:
        """The gateway's dnsmasq."""
        return self.network.addresses(1)[0]

    @property
    def v4(self) -> str:
        return self.network.addresses(10)[0]

    @property
    def v6(self) -> str:
        return self.network.addresses(10)[1]

    def command(self, *targets: str, options: Sequence[str] = ()) -> list[str]:
        """The command line of ``lab.probe`` in here, for whoever wants to run it beside something else."""
        return self.namespace.inside(*script("probe.py", "--resolver", self.resolver, *options, *targets))

    def browse(self, *targets: str) -> dict[str, Result]:
        """Try the targets once; see ``lab.probe`` for how they are written."""
        return {result.target: result for result in read_results(netns.run(self.command(*targets)).stdout)}

    def wait_for(self, target: str, wanted: str, *, deadline: float) -> Result:
        """Try until it is ``ok`` or ``blocked``; the result's ``ms`` is how long that took."""
        options = ["--until", wanted, "--deadline", str(deadline), "--timeout", "0.5"]
        return read_results(netns.run(self.command(target, options=options)).stdout)[0]


def read_results(text: str) -> list[Result]:
    """What ``lab.probe`` printed."""
    found = [json.loads(line) for line in text.splitlines()]
    return [Result(**{**fields, "answers": tuple(fields["answers"])}) for fields in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An office that stands."""

    office: Office
    gateway: Gateway
    clients: Mapping[str, Client]

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """The gateway's addresses: management, towards the internet, and in its networks."""
        inside = (address for network in self.office.roles.values() for address in network.addresses(1))
        return (self.gateway.host, *self.office.wan[1], *inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A lab that stands. Leaving ``with`` takes it down, unless it was kept."""

    workspace: Workspace
    internet: Namespace
    resolver: str  # the internet's DNS server, as this machine reaches it
    replay_port: int
    sites: Mapping[str, Site]

    @classmethod
    def up(cls, prefix: str, *, offices: Sequence[Office] = OFFICES) -> Self:
        """Build it all; when something fails, nothing is left. Raises ``LabError``."""
        workspace = Workspace.open(prefix)
        try:
            return cls._build(workspace, offices)
        except BaseException:  # also ctrl-C: nobody else knows yet what stands
            workspace.close()
            raise

    @classmethod
    def _build(cls, workspace: Workspace, offices: Sequence[Office]) -> Self:
        internet, resolver = build_internet(workspace)
        sites = {office.name: build_site(workspace, internet, office) for office in offices}
        return cls(
            workspace=workspace,
            internet=internet,
            resolver=resolver,
            replay_port=start_replay(workspace),
            sites=sites,
        )

    @property
    def replay_url(self) -> str:
        """Where RIPEstat is replayed."""
        return f"http://127.0.0.1:{self.replay_port}"

    def save(self) -> None:
        """Remember what only this process knows, so that another one can ``load`` the lab."""
        gateways = {name: [site.gateway.near, site.gateway.host] for name, site in self.sites.items()}
        record = {"resolver": self.resolver, "replay_port": self.replay_port, "gateways": gateways}
        (self.workspace.run_dir / "topology.json").write_text(json.dumps(record), encoding="utf-8")

    @classmethod
    def load(cls, prefix: str, *, offices: Sequence[Office] = OFFICES) -> Self:
        """A lab that another process built and saved. Raises ``LabError`` when there is none."""
        workspace = Workspace(prefix)
        try:
            record = json.loads((workspace.run_dir / "topology.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise LabError(f"no lab {prefix!r} is up", hint="tokgate lab up") from exc
        return cls(
            workspace=workspace,
            internet=Namespace(f"{prefix}-internet"),
            resolver=str(record["resolver"]),
            replay_port=int(record["replay_port"]),
            sites={
                office.name: _standing_site(workspace, office, *record["gateways"][office.name]) for office in offices
            },
        )

    def close(self) -> None:
        self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fleet(workspace: Workspace, count: int, *, dnsmasq: bool = False) -> tuple[Gateway, ...]:
    """Many gateways without networks behind them, for polls: one sshd each, the same program. Names ``fw-000`` on."""
    made = tuple(Gateway(workspace=workspace, name=f"fw-{number:03}", dnsmasq=dnsmasq) for number in range(count))
    for gateway in made:
        gateway.build()
        gateway.start()
    return made


# --- the internet ---------------------------------------------------------------------------------------------------


def build_internet(workspace: Workspace) -> tuple[Namespace, str]:
    """The namespace with all servers and their DNS, and the address where this machine reaches that DNS."""
    internet = workspace.namespace("internet")
    internet.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    internet.ip(
        [
            *(f"address add {host.v4}/32 dev lo" for host in INTERNET),
            *(f"address add {host.v6}/128 dev lo nodad" for host in INTERNET),
            f"address add {world.DNS}/32 dev lo",
        ]
    )
    resolver = workspace.connect_to_machine(internet, "mgmt0")[1]
    start_dns(workspace, internet)
    start_servers(workspace, internet)
    return internet, resolver


def start_dns(workspace: Workspace, internet: Namespace) -> None:
    """The names of the internet, by a dnsmasq of their own. Raises ``LabError``."""
    config = workspace.folder("internet") / "dns.conf"
    config.write_text(
        "no-resolv\nno-hosts\nuser=root\nbind-dynamic\npid-file=\n" + world.dns_records(), encoding="utf-8"
    )
    workspace.spawn("internet-dns", ["dnsmasq", "-k", f"--conf-file={config}"], namespace=internet)
    asks = script("probe.py", "--resolver", world.DNS, "--timeout", "0.4", f"dns:{INTERNET[0].name}")
    if not processes.wait_until(lambda: INTERNET[0].v4 in internet.run(*asks).stdout, seconds=START_SECONDS):
        raise LabError(f"the internet's DNS does not answer: {workspace.log('internet-dns')}")


def start_servers(workspace: Workspace, internet: Namespace) -> None:
    """TCP 80 and 443, UDP 443 on every address. Raises ``LabError``."""
    addresses = [address for host in INTERNET for address in (host.v4, host.v6)]
    workspace.spawn("internet-servers", script("servers.py", *addresses), namespace=internet)
    if not processes.wait_until(lambda: "listening" in workspace.log("internet-servers"), seconds=START_SECONDS):
        raise LabError(f"the internet's servers do not listen: {workspace.log('internet-servers')}")


def start_replay(workspace: Workspace) -> int:
    """RIPEstat's replay on this machine's loopback; returns its port. Raises ``LabError``."""
    port_file = workspace.run_dir / "replay.port"
    workspace.spawn("replay", script("replay.py", str(port_file)))
    if not processes.wait_until(port_file.exists, seconds=START_SECONDS):
        raise LabError(f"the replay of RIPEstat does not start: {workspace.log('replay')}")
    return int(port_file.read_text(encoding="utf-8"))


# --- the offices ----------------------------------------------------------------------------------------------------


def build_site(workspace: Workspace, internet: Namespace, office: Office) -> Site:
    """A gateway between the internet and one network for each role, with a client in each."""
    gateway = Gateway(workspace=workspace, name=f"fw-{office.name}", upstream=world.DNS)
    gateway.build()
    _connect_to_internet(gateway, internet, office)
    clients = {role: _connect_client(gateway, office, role) for role in office.roles}
    gateway.start()
    return Site(office=office, gateway=gateway, clients=clients)


def _connect_to_internet(gateway: Gateway, internet: Namespace, office: Office) -> None:
    (far4, far6), (near4, near6) = office.wan
    netns.veth(
        End(namespace=gateway.namespace, link="wan0", addresses=(f"{near4}/30", f"{near6}/64")),
        End(namespace=internet, link=f"to-{office.name}"[:15], addresses=(f"{far4}/30", f"{far6}/64")),
    )
    gateway.namespace.ip([f"route add default via {far4}", f"route add default via {far6}"])
    # IPv4 is masqueraded by the gateway; IPv6 comes with the clients' own addresses.
    internet.ip([f"route add {network.networks[1]} via {near6}" for network in office.roles.values()])


def _connect_client(gateway: Gateway, office: Office, role: str) -> Client:
    network = office.roles[role]
    namespace = gateway.workspace.namespace(f"{office.name}-{role}")
    netns.veth(
        End(namespace=gateway.namespace, link=f"lan-{role}"[:15], addresses=network.with_length(1)),
        End(namespace=namespace, link="eth0", addresses=network.with_length(10)),
    )
    gateway4, gateway6 = network.addresses(1)
    batch([f"route add default via {gateway4}", f"route add default via {gateway6}"], namespace=namespace)
    return Client(namespace=namespace, role=role, network=network)


def _standing_site(workspace: Workspace, office: Office, near: str, host: str) -> Site:
    gateway = Gateway(workspace=workspace, name=f"fw-{office.name}", upstream=world.DNS, near=near, host=host)
    gateway.namespace = Namespace(f"{workspace.prefix}-{gateway.name}")
    clients = {
        role: Client(namespace=Namespace(f"{workspace.prefix}-{office.name}-{role}"), role=role, network=network)
        for role, network in office.roles.items()
    }
    return Site(office=office, gateway=gateway, clients=clients)
