"""What an ASA says of itself, from published output; what an inventory may say of one; what an answer means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.ids import DeviceName
from tests.lab.emulators.asa import DATA
from tests.vendors.cisco_asa.reaching import DEVICE
from vendors.cisco_asa import CiscoAsaOptions
from vendors.cisco_asa.config import blocks_of, held_from, network_of, whole
from vendors.cisco_asa.facts import is_clustered, resolves, role_of, serial_of, tells_sources, troubles, version_of
from vendors.cisco_asa.shape import LONGEST_NAME, group_name, is_writable, object_name
from vendors.cisco_asa.talk import DIALECT, Terminal, refusal
from vendors.cisco_asa.target import Batch
from vendors.errors import LineRefused, Unreadable
from vendors.model import GroupName
from vendors.shell import Said

LIST = {"acl": "INSIDE_IN"}


def captured(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


# --- role and release -------------------------------------------------------------------------------------------------

PAIR = """\
Failover On
Failover unit Primary
Serial Number: Ours JAF1610APKQ, Mate JAF1610ALGM
Last Failover at: 12:52:34 UTC Apr 26 2017
        This host: Primary - {this}
                Active time: 87 (sec)
        Other host: Secondary - {other}
                Active time: 0 (sec)
"""
GROUPS = """\
Failover On
This host: Primary
Group 1 State: {one}
Active time: 2896 (sec)
Group 2 State: {two}

Other host: Secondary
Group 1 State: Standby Ready
Group 2 State: Active
"""


@pytest.mark.parametrize(
    ("text", "writable"),
    [
        (PAIR.format(this="Active", other="Standby Ready"), True),
        (PAIR.format(this="Active", other="Failed"), True),
        *((PAIR.format(this=state, other="Active"), False) for state in ("Standby Ready", "Failed", "Cold Standby")),
        *((PAIR.format(this=state, other="Not Detected"), False) for state in ("Negotiation", "Disabled")),
        (GROUPS.format(one="Active", two="Active"), True),
        (GROUPS.format(one="Active", two="Standby Ready"), False),
        (GROUPS.format(one="Standby Ready", two="Standby Cold"), False),
        ("Failover On\nThis context: Active\nPeer context: Standby Ready\n", True),
        ("Failover On\nThis context: Standby Ready\nPeer context: Active\n", False),
        ("Failover Off\nFailover unit Secondary\n", True),
    ],
)
def test_only_the_active_unit_is_written_on(text: str, *, writable: bool) -> None:
    role = role_of(text)
    assert (role.why_not is None) is writable
    assert role.paired is text.startswith("Failover On")


def test_both_units_are_told_in_the_same_order() -> None:
    here = PAIR.format(this="Active", other="Standby Ready")
    there = here.replace("Ours JAF1610APKQ, Mate JAF1610ALGM", "Ours JAF1610ALGM, Mate JAF1610APKQ")
    assert role_of(here).units == role_of(there).units == ("JAF1610ALGM", "JAF1610APKQ")
    assert (role_of(here).ours, role_of(here).mate) == (role_of(there).mate, role_of(there).ours)
    assert role_of(here.replace("- Active\n", "- Active \n")).why_not is None  # some print a blank behind it


def test_a_unit_without_a_serial_number_counts_under_its_part() -> None:
    text = PAIR.format(this="Active", other="Standby Ready")
    own = next(part for part in ("Primary", "Secondary") if f"This host: {part}" in text)
    other = {"Primary": "Secondary", "Secondary": "Primary"}[own]
    fresh = role_of(text.replace("Mate JAF1610ALGM", "Mate Unknown"))
    assert (fresh.ours, fresh.mate) == ("JAF1610APKQ", other)
    silent = role_of(text.replace("Serial Number: Ours JAF1610APKQ, Mate JAF1610ALGM", ""))
    assert (silent.ours, silent.mate) == (own, other)


@pytest.mark.parametrize("text", ["", "ERROR: % Invalid input", "Failover On\nnothing else\n", GROUPS[:32]])
def test_a_role_that_is_not_told_is_not_guessed(text: str) -> None:
    with pytest.raises(Unreadable):
        role_of(text)


def test_roles_as_published() -> None:
    assert role_of(captured("show_failover__genie.txt")).why_not is None
    assert not role_of(captured("show_failover__off.txt")).paired


def test_releases_as_published() -> None:
    text = captured("show_version__1.txt")
    assert version_of(text).number == (9, 5, 2)
    assert serial_of(text) == "9AT1L9EX0DF"
    with pytest.raises(Unreadable):
        version_of("Cisco IOS XE Software, Version 17.03.04\n")


@pytest.mark.parametrize(
    ("release", "objects", "names", "ipv6"),
    [
        ("8.2(5)", False, False, False),
        ("8.4(1)", True, False, False),
        ("8.4(2)", True, True, False),
        ("8.5(1)", True, False, False),
        ("9.0(1)", True, True, True),
        ("9.22(1)1", True, True, True),
    ],
)
def test_what_a_release_can_hold(release: str, *, objects: bool, names: bool, ipv6: bool) -> None:
    version = version_of(f"Cisco Adaptive Security Appliance Software Version {release} \n")
    assert (version.has_objects, version.has_names, version.has_ipv6) == (objects, names, ipv6)


# --- configurations as published --------------------------------------------------------------------------------------


def test_a_whole_configuration_of_a_device_is_read_and_holds_nothing_of_ours() -> None:
    text = captured("show_running-config__asav_9.8.txt")
    if not text.rstrip().endswith(": end"):
        text += "\nCryptochecksum:0\n: end\n"
    blocks = whole(text)
    assert sum(len(block.lines) for block in blocks) > 300
    held = held_from(blocks, [])
    assert (held.objects, held.groups, held.lists, held.used) == ({}, {}, {}, frozenset())
    assert held.aliases["host_1.1.1.1"] == "1.1.1.1"


def test_threat_defense_is_another_product() -> None:
    with pytest.raises(Unreadable, match="Threat Defense"):
        whole(": Saved\nNGFW Version 6.6.1\n!\nhostname ftd\nCryptochecksum:0\n: end\n")


@pytest.mark.parametrize(
    ("line", "network"),
    [
        ("network-object host 192.0.2.7", "192.0.2.7/32"),
        ("network-object 192.0.2.7 255.255.255.255", "192.0.2.7/32"),
        ("network-object 192.0.2.0 255.255.255.128", "192.0.2.0/25"),
        ("network-object host 2001:DB8::1", "2001:db8::1/128"),
        ("network-object 2001:db8:0:cd30::/60", "2001:db8:0:cd30::/60"),
        ("network-object host one", "192.0.2.1/32"),
        ("network-object net 255.255.255.0", "192.0.2.0/24"),
        ("network-object six/48", "2001:db8:6::/48"),
        ("network-object 192.0.2.7 255.255.255.0", None),  # host bits
        ("network-object 192.0.2.0 0.0.0.255", None),  # a wildcard mask, which an ASA does not have
        ("network-object host nobody", None),
        ("network-object host fe80::1%eth0", None),
        ("network-object object web", None),
        ("group-object staff", None),
    ],
)
def test_a_member_is_read_in_every_form(line: str, network: str | None) -> None:
    aliases = {"one": "192.0.2.1", "net": "192.0.2.0", "six": "2001:db8:6::"}
    found = network_of(line, aliases)
    assert (None if found is None else str(found)) == network
    assert network_of(line, {}) == (found if not set(line.replace("/", " ").split()) & aliases.keys() else None)


def test_a_resolver_is_two_lines() -> None:
    blocks = blocks_of(captured("running-config__dns_9.18.txt"))
    assert resolves(blocks)
    assert not resolves([block for block in blocks if not block.head.startswith("dns domain-lookup")])
    assert not resolves([block for block in blocks if "name-server" not in " ".join(block.lines)])


@pytest.mark.parametrize("level", ["informational", "debugging", "6", "7"])
def test_sources_are_told_by_a_buffer_of_level_six(level: str) -> None:
    lines = ["logging enable", "logging timestamp", f"logging buffered {level}"]
    assert tells_sources(blocks_of("\n".join(lines)))
    for at in range(3):
        assert not tells_sources(blocks_of("\n".join(lines[:at] + lines[at + 1 :])))
    assert not tells_sources(blocks_of("logging enable\nlogging timestamp\nlogging buffered warnings\n"))


def test_a_cluster_that_is_off_is_none() -> None:
    assert is_clustered(blocks_of("cluster group c\n local-unit a\n enable\n"))
    assert not is_clustered(blocks_of("cluster group c\n local-unit a\n"))


BOUND = "access-list INSIDE_IN extended permit ip any any\naccess-group INSIDE_IN in interface inside\n"


@pytest.mark.parametrize(
    ("more", "trouble"),
    [
        ("", ""),
        ("nameif INSIDE_IN\n", ""),
        ("class-map c\n match access-list INSIDE_IN\n", "something else"),
        ("group-policy g attributes\n vpn-filter value INSIDE_IN\n", "something else"),
        ("crypto map m 1 match address INSIDE_IN\n", "something else"),
        ("nat (inside) 0 access-list INSIDE_IN\n", "something else"),
        ("aaa authentication match INSIDE_IN inside LOCAL\n", "something else"),
    ],
)
def test_a_list_that_does_something_else_too_is_found(more: str, trouble: str) -> None:
    found = list(troubles(blocks_of(BOUND + more), CiscoAsaOptions.model_validate({"lists": [LIST]})))
    assert (trouble in found[0]) if trouble else not found


@pytest.mark.parametrize(
    ("changes", "group", "bound"),
    [
        ({}, "in interface inside", True),
        ({"interface": "inside"}, "in interface inside", True),
        ({"interface": "outside"}, "in interface inside", False),
        ({"direction": "out"}, "in interface inside", False),
        ({"direction": "global"}, "global", True),
        ({"direction": "in"}, "global", False),
        ({}, "in interface inside control-plane", False),
        ({"interface": "inside"}, "in interface inside per-user-override", True),
        ({"interface": "inside", "direction": "out"}, "out interface inside", True),
    ],
)
def test_a_list_must_be_bound_as_the_inventory_says(changes: dict[str, Any], group: str, *, bound: bool) -> None:
    text = BOUND.replace("in interface inside", group)
    found = list(troubles(blocks_of(text), CiscoAsaOptions.model_validate({"lists": [{**LIST, **changes}]})))
    assert bool(found) is not bound


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_too_long_is_cut_and_stays_its_own() -> None:
    one, other = GroupName("a" * 70 + "b"), GroupName("a" * 70 + "c")
    assert len(group_name(one)) == LONGEST_NAME
    assert group_name(one) != group_name(other)
    just = GroupName("a" * (LONGEST_NAME - len("tokgate-")))
    assert group_name(just) == f"tokgate-{just}"
    assert object_name("www.example.com") == "tokgate-d.www.example.com"
    assert len(object_name(f"{'w' * 60}.example.com")) == LONGEST_NAME


@pytest.mark.parametrize(
    ("name", "writable"),
    [("www.example.com", True), ("xn--bcher-kva.example", True), ("_dmarc.example", False), ("-a.example", False),
     ("a..example", False), (f"{'a' * 64}.example", False)],
)  # fmt: skip
def test_what_an_fqdn_object_takes(name: str, *, writable: bool) -> None:
    assert is_writable(name) is writable


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lists": []},
        {"lists": [{"acl": "two words"}]},
        {"lists": [{"acl": "a" * 242}]},
        {"lists": [{"acl": "x\nno access-list y"}]},
        {"lists": [LIST, LIST]},
        {"lists": [{**LIST, "direction": "global", "interface": "inside"}]},
        {"lists": [{**LIST, "placement": "bottom"}]},
        {"lists": [LIST], "context": "a b"},
        {"lists": [LIST], "enable": "plain"},
        {"lists": [LIST], "enable": 5},
        {"lists": [LIST], "max_entries": 0},
        {"lists": [LIST], "unknown": 1},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CiscoAsaOptions.model_validate(given)


def test_names_as_long_as_devices_print_them_are_taken() -> None:
    """An access list of 240 characters stands in a configuration of an ASAv 9.8."""
    assert CiscoAsaOptions.model_validate({"lists": [{"acl": "a" * 241}]}).lists[0].acl == "a" * 241


def test_options_have_a_schema_and_keep_secrets_as_references(tmp_path: Path) -> None:
    made = CiscoAsaOptions.model_validate({"lists": [LIST], "enable": f"secret://file{tmp_path}/enable"})
    assert "secret://file" in made.model_dump_json()
    assert CiscoAsaOptions.model_json_schema()["properties"]["enable"]


# --- answers ----------------------------------------------------------------------------------------------------------

THERE = "Adding obj (network-object host 5.5.50.10) to grp (D) failed; object already exists"
REDUNDANT = (
    "WARNING: Same object-group is used more than once in one config line. This config is redundant. "
    "Please use seperate object-groups"
)
EMPTIED = (
    "Removing obj from object-group not allowed; object-group (G),  being used in access-list or threat-detection or "
    "NAT, would become empty"
)
STANDBY = """\
**** WARNING ****
        Configuration Replication is NOT performed from Standby unit to Active unit.
        Configurations are no longer synchronized.
"""
TAKEN = [
    ("network-object host 5.5.50.10", ""),
    ("network-object host 5.5.50.10", f"{THERE}\n"),
    ("network-object host 5.5.50.10", f"WARNING: {THERE}\n"),
    ("access-list X extended deny ip any any", "WARNING: <X> found duplicate element\n"),
    ("fqdn a.example", "INFO: object (a) has changed\n"),
    ("access-list X extended permit ip any any", f"{REDUNDANT}\n"),
    ("no object-group network G", "Removing object-group (G) failed; it does not exist\n"),
    ("no object network X", "ERROR: object (X) does not exist.\n"),
    ("no access-list X remark a", "ERROR: access-list <X> does not exist\n"),
    ("no access-list X remark a", "Specified access-list does not exist\n"),
]  # fmt: skip
REFUSED = [
    ("foo", "   ^\nERROR: % Invalid input detected at '^' marker.\n"),
    ("foo", "   ^\n% Invalid input detected at '^' marker.\n"),
    ("foo", "ERROR: % Incomplete command\n"),
    ("foo", "ERROR: % Unrecognized command\n"),
    ("fqdn a_b", "ERROR: % Invalid Hostname\n"),
    ("foo", "Command authorization failed\n"),
    ("no object-group network G", "Removing object-group (G) not allowed, it is being used.\n"),
    ("no network-object host 1.1.1.1", f"{EMPTIED}\n"),
    ("group-object X", "Adding obj (group-object X) to grp (Y) failed; cause a loop in grp hierarchy\n"),
    ("group-object X", "object-group (X) is empty. Cannot add an empty group-object to object-group\n"),
    ("object-group network X", "An object-group with the same id but different type (service) exists\n"),
    ("access-list X extended deny ip object-group G any", "ERROR: specified object group <G> not found\n"),
    ("network-object object X", "ERROR: object (X) does not exist.\n"),
    ("no object network X", "WARNING: unable to delete object (X). object is being used.\n"),
    ("description x", "something that nobody has seen before\n"),
    ("description x", STANDBY),
    ("network-object host 1.1.1.1", "INFO: fine\nbut not this\n"),
]  # fmt: skip


PROMPTS = [
    "ciscoasa> ", "ciscoasa# ", "ciscoasa(config)# ", "ciscoasa(config-network-object-group)# ",
    "ciscoasa(config-service-object-group)# ", "ciscoasa(config-network-object)# ", "ciscoasa(config-time-range)# ",
    "ciscoasa(config-s)# ", "FW-TANGO-04/sec/act# ", "test-lab/pri/stby# ", "host/pri/act(config)# ", "host/CTX1# ",
    "SYSCONT/CTX1/act/sec# ",
]  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prompt_on_record_is_one(prompt: str) -> None:
    assert re.fullmatch(DIALECT.prompt, prompt)
    assert not re.fullmatch(DIALECT.prompt, prompt.rstrip())


@pytest.mark.parametrize(("line", "text"), TAKEN)
def test_answers_that_change_nothing_are_no_refusals(line: str, text: str) -> None:
    assert refusal(Said(line=line, text=text, prompt="")) is None


@pytest.mark.parametrize(("line", "text"), REFUSED)
def test_every_other_answer_is_one(line: str, text: str) -> None:
    assert refusal(Said(line=line, text=text, prompt=""))


@dataclass
class Deaf:
    """A device that takes a header without a word and opens nothing."""

    device: DeviceName = DEVICE
    typed: list[str] = field(default_factory=list)

    def ask(
        self, line: str, *, timeout: timedelta | None = None, until: str | None = None, secret: bool = False
    ) -> Said:
        self.typed.append(line)
        return Said(line=line, text="", prompt="edge(config)# ")

    def stream(self, lines: Sequence[str], refusal: object) -> tuple[Said, ...]:
        return tuple(self.ask(line) for line in lines)

    def pour(self, lines: Sequence[str], *, end: str = "\x04", timeout: timedelta | None = None) -> Said:
        raise NotImplementedError


def test_members_are_sent_into_the_mode_that_their_header_opened_and_nowhere_else() -> None:
    deaf = Deaf()
    with pytest.raises(LineRefused, match="opened no mode of its own"):
        Terminal(deaf, deaf.device).carry(Batch(("object-group network x", "network-object host 192.0.2.1"), "inside"))
    assert deaf.typed == ["object-group network x"]
