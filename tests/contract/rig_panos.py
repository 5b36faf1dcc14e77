"""The contract's rig for PAN-OS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, ClassVar

from lab.emulators.panos import PanOs, Switches, User, pair
from lab.emulators.traffic import Flow
from tests.contract.emulated import NAMES, ROLES, EmulatedRig, Foreign
from tests.lab.emulators.panos import configuring, operating

_USERS = {"admin": User(password="admin"), "bob": User(password="bob")}
_HEAD = """\
set deviceconfig system hostname edge
set deviceconfig system timezone UTC
set deviceconfig setting config rematch yes
set network interface ethernet ethernet1/1 layer3 ip 10.0.0.1/24
set network interface ethernet ethernet1/2 layer3 ip 198.51.100.2/24
set zone inside network layer3 ethernet1/1
set zone outside network layer3 ethernet1/2
set service HTTPS protocol tcp port 443
set service TELNET protocol tcp port 23
set schedule NIGHTS schedule-type recurring daily 20:00-23:00
set address web ip-netmask 10.0.0.80
set mgt-config users admin permissions role-based superuser yes
"""
_RULE = "rulebase security rules"
_DENY = f"{_RULE} tokgate-deny-company"
_CONTAINERS = ("address-group", "address", "tag", "rules")
_MEMBER = "tokgate-4-192.0.2.0-24"


class PanOsRig(EmulatedRig):
    vendor: ClassVar[str] = "paloalto_panos"
    log: ClassVar[str] = "show log traffic"
    questions: ClassVar[tuple[str, ...]] = ("set cli ", "show ", "check ", "run show ", "configure", "exit")
    has_candidate: ClassVar[bool] = True

    def __init__(self, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        super().__init__()

    def made(self, rules: Sequence[Foreign] | None = None) -> Any:
        if rules is None:
            lines = _rule("no telnet", "any", "any", "TELNET", "deny")
            for role, network in ROLES.items():
                lines += _rule(f"web {role}", network, "any", "HTTPS", "allow")
        else:
            lines = []
            for number, rule in enumerate(rules):
                place = "any" if rule.destination == "0.0.0.0/0" else rule.destination
                source = "any" if rule.source == "0.0.0.0/0" else rule.source
                lines += _rule(f"R{number}", source, place, "any", "allow" if rule.permit else "deny")
        return PanOs(
            "edge", base="\n".join([_HEAD.rstrip(), *lines, ""]), names=NAMES, users=_USERS, switches=self.switches
        )

    def options(self) -> dict[str, object]:
        return {"lock_wait_seconds": 0}

    def flow(self, source: str, destination: str, port: int) -> Flow:
        return Flow(source=ip_address(source), destination=ip_address(destination), port=port)

    def configuration(self) -> str:
        """In set form; nothing is pending when it is asked, or what is in force is what was there before."""
        with self.device.lock:
            asked = self.device.switches
            self.device.switches = replace(asked, whole_config="braces")  # the form that is compared here
            text = operating(self.device).type("show config running")
            self.device.switches = asked
        return "\n".join(_paths(text))

    def ours(self, line: str) -> bool:
        return "tokgate" in line

    def hands(self) -> Mapping[str, Sequence[str]]:
        return {
            "a member taken out": [f"delete address-group tokgate-dst-tiktok static {_MEMBER}"],
            "the owner's object added": ["set address-group tokgate-dst-tiktok static web"],
            "another network in an object": [f"set address {_MEMBER} ip-netmask 192.0.2.0/25"],
            "another type of an object": [f"set address {_MEMBER} fqdn mine.example.com"],
            "an object without its tag": [f"delete address {_MEMBER} tag"],
            "the description changed": ['set address-group tokgate-dst-tiktok description "mine"'],
            "the mark gone": ["delete tag tokgate comments"],
            "the mark garbled": ['set tag tokgate comments "tokgate 2"'],
            "the rule deleted": [f"delete {_DENY}"],
            "the rule switched off": [f"set {_DENY} disabled yes"],
            "the rule allows": [f"set {_DENY} action allow"],
            "the rule moved": [f"move {_DENY} bottom"],
            "the rule turned round": [f"set {_DENY} negate-destination yes"],
            "only at night": [f"set {_DENY} schedule NIGHTS"],
            "only one service": [f"delete {_DENY} service any", f"set {_DENY} service TELNET"],
            "only one zone": [f"delete {_DENY} to any", f"set {_DENY} to inside"],
            "not logged": [f"set {_DENY} log-end no"],
            "the rule without its tag": [f"delete {_DENY} tag"],
            "a rule of the owner's above": [
                f"set {_RULE} tokgate-mine from any to any source any destination any application any service any",
                f"set {_RULE} tokgate-mine action allow",
                f"move {_RULE} tokgate-mine top",
            ],
            "an object of our form": ["set address tokgate-d-mine.example.com fqdn mine.example.com tag tokgate"],
            "all of it gone": [
                f"delete {_DENY}",
                "delete address-group tokgate-dst-tiktok",
                "delete address-group tokgate-src-company",
            ],
        }

    def typed(self, lines: Sequence[str]) -> None:
        with self.device.lock:
            keyboard = configuring(self.device, *lines)
            said = keyboard.type("commit")
            assert "successfully" in said, said
            keyboard.type("exit")

    def pending(self) -> None:
        with self.device.lock:
            configuring(self.device, "set address theirs ip-netmask 203.0.113.77", user="bob")

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.device.lock:
            bob = operating(self.device, "bob")
            bob.type('request config-lock add comment "mine"')
        yield
        with self.device.lock:
            bob.type("request config-lock remove")

    def standby(self) -> None:
        pair(self.device, PanOs("edge-2", base=_HEAD, users=_USERS, switches=self.switches))
        self.device.fail_over()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.device.mishaps.commit_errors.append(("Error: Fail to count address groups",))
        yield
        self.device.mishaps.commit_errors.clear()

    @contextmanager
    def full(self) -> Iterator[None]:
        roomy = self.device.model
        with self.device.lock:
            self.device.model = replace(roomy, addresses=self.configuration().count("ip-netmask") + 1)
        yield
        self.device.model = roomy

    def misspelt(self) -> Mapping[str, Mapping[str, object]]:
        return {
            "vsys9": {"vsys": "vsys9"},
            "nosuch": {"placement": {"before": "nosuch"}},
            "insde": {"from_zones": ["insde"]},
        }


def _rule(name: str, source: str, destination: str, service: str, action: str) -> list[str]:
    values = {"from": "any", "to": "any", "source": source, "destination": destination, "application": "any"}
    values |= {"service": service, "action": action}
    return [f'set {_RULE} "{name}" {key} {value}' for key, value in values.items()]


def _paths(text: str) -> Iterator[str]:
    """Each line of the brace form behind the names that it stands below, without containers that are left empty."""
    above: list[str] = []
    for line in (raw.strip() for raw in text.splitlines()):
        if line.endswith("{"):
            above.append(line.removesuffix(" {"))
        elif line == "}":
            above.pop()
        elif line and line.removesuffix(";") not in _CONTAINERS:
            yield f"{' '.join(above)} {line}"
