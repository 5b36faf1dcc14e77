"""The contract's rig for Cisco ASA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from lab.emulators.asa import Asa, Model, Switches, pair
from lab.emulators.traffic import Flow
from tests.contract.emulated import NAMES, ROLES, EmulatedRig, Foreign
from tests.lab.emulators.asa import enabled

_HEAD = """\
hostname edge
interface GigabitEthernet0/0
 nameif inside
 security-level 100
 ip address 10.0.0.1 255.255.255.0
interface GigabitEthernet0/1
 nameif outside
 security-level 0
 ip address 198.51.100.2 255.255.255.0
dns domain-lookup outside
dns server-group DefaultDNS
 name-server 192.0.2.53
route outside 0.0.0.0 0.0.0.0 198.51.100.1 1
object network web
 host 10.0.0.80
"""
_ACL = "access-list INSIDE_IN extended"
_TAIL = "access-group INSIDE_IN in interface inside\n"
_DENY = f"{_ACL} deny ip object-group tokgate-src-company object-group tokgate-dst-tiktok"


class AsaRig(EmulatedRig):
    vendor: ClassVar[str] = "cisco_asa"
    log: ClassVar[str] = "show logging"
    questions: ClassVar[tuple[str, ...]] = ("show ", "enable", "terminal pager")
    has_candidate: ClassVar[bool] = False

    def __init__(self, *, switches: Switches | None = None, model: Model | None = None) -> None:
        self._box: dict[str, Any] = {"names": NAMES, "switches": switches, "model": model}
        super().__init__()

    def made(self, rules: Sequence[Foreign] | None = None) -> Any:
        if rules is None:
            lines = [f"{_ACL} deny tcp any any eq telnet"]
            lines += [f"{_ACL} permit tcp {_place(network)} any eq https" for network in ROLES.values()]
        else:
            lines = [
                f"{_ACL} {'permit' if rule.permit else 'deny'} ip {_place(rule.source)} {_place(rule.destination)}"
                for rule in rules
            ]
        return Asa("edge", base="\n".join([_HEAD.rstrip(), *lines, _TAIL]), enable_secret=self.password, **self._box)

    def options(self) -> dict[str, object]:
        listed = {"acl": "INSIDE_IN", "interface": "inside", "direction": "in"}
        return {"lists": [listed], "enable": "secret://env/TOKGATE_TEST_PASSWORD", "lock_wait_seconds": 0}

    def flow(self, source: str, destination: str, port: int) -> Flow:
        return Flow(source=ip_address(source), destination=ip_address(destination), port=port)

    def configuration(self) -> str:
        """Each line behind the one that it is indented below; without the checksum, which tells of ours as well."""
        lines, head = [], ""
        for line in enabled(self.device).type("show running-config").splitlines():
            head = head if line.startswith(" ") else line
            lines.append(f"{head} /{line}" if line.startswith(" ") else line)
        return "\n".join(line for line in lines if not line.startswith("Cryptochecksum"))

    def ours(self, line: str) -> bool:
        return "tokgate" in line

    def hands(self) -> Mapping[str, Sequence[str]]:
        group = "object-group network tokgate-dst-tiktok"
        return {
            "a member taken out": [group, "no network-object 192.0.2.0 255.255.255.0"],
            "a member added": [group, "network-object 203.0.113.0 255.255.255.0"],
            "the owner's object added": [group, "network-object object web"],
            "the description changed": [group, "description mine"],
            "the mark gone": ["no object-group network tokgate-about.mark"],
            "the mark garbled": ["object-group network tokgate-about.mark", "description tokgate 2"],
            "the deny deleted": [f"no {_DENY} log"],
            "the deny deactivated": [f"{_DENY} log inactive"],
            "the deny moved": [f"no {_DENY} log", f"{_DENY} log"],
            "the remark gone": ["no access-list INSIDE_IN remark tokgate rule deny-company"],
            "not logged": [f"{_DENY} log disable"],
            "an object of our form": ["object network tokgate-d.mine.example.com", "fqdn mine.example.com"],
            "all of it gone": [
                f"no {_DENY} log",
                "no access-list INSIDE_IN remark tokgate rule deny-company",
                *(f"no object-group network tokgate-{name}" for name in ("dst-tiktok", "src-company")),
            ],
        }

    def typed(self, lines: Sequence[str]) -> None:
        enabled(self.device).all("configure terminal", *lines)

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.device.mishaps.config_held_by = "192.0.2.9"
        yield
        self.device.mishaps.config_held_by = ""

    def standby(self) -> None:
        pair(self.device, Asa("edge", base=_HEAD, enable_secret=self.password, **self._box))
        self.device.fail_over()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.device.mishaps.forbidden = ("network-object",)
        yield
        self.device.mishaps.forbidden = ()

    def misspelt(self) -> Mapping[str, Mapping[str, object]]:
        lists = self.options()["lists"]
        assert isinstance(lists, list)
        return {
            "INSIDE_INN": {"lists": [{"acl": "INSIDE_INN"}]},
            "insde": {"lists": [{**lists[0], "interface": "insde"}]},
            "nosuch": {"lists": [{**lists[0], "placement": {"before": "nosuch"}}]},
            "custmer": {"context": "custmer"},
        }


def _place(network: str) -> str:
    found = ip_network(network)
    return f"{found.network_address} {found.netmask}" if found.prefixlen else "any"
