"""What a gateway may have that we did not think of: dnsmasq built without nftset, the owner's files, a full disk."""

from __future__ import annotations

import re
import subprocess
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.ids import DeviceName
from vendors.adapter import Adapter
from vendors.diff import diff
from vendors.errors import Unreadable
from vendors.linux_nftables.commands import Shell
from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.model import Action, AddressGroup, Desired, DomainGroup, GroupName, Rule, RuleName
from vendors.registry import adapter_for

READING = (Path(__file__).parent / "data" / "reading-nft-1.0.6.txt").read_text(encoding="utf-8")


def adapter(**options: object) -> Adapter:
    return adapter_for("linux_nftables", {"dnsmasq": {}, "sudo": True, **options}, DeviceName("fw"))


def without_table(reading: str) -> str:
    return reading.partition("table inet tokgate")[0] + "@@nft 0\n@@end\n"


# --- dnsmasq --------------------------------------------------------------------------------------------------------

BUILDS = {
    "yes": "Compile time options: IPv6 GNU-getopt DBus no-UBus conntrack ipset nftset auth dumpfile",
    "old": "Compile time options: IPv6 GNU-getopt no-DBus no-UBus no-ipset no-nftset auth dumpfile",
}


@pytest.mark.parametrize("answer", list(BUILDS))
def test_a_dnsmasq_built_without_nftset_is_not_taken_for_one_that_has_it(tmp_path: Path, answer: str) -> None:
    """It prints ``no-nftset``; taken for a yes, every change with names would be refused, addresses included."""
    program = tmp_path / "dnsmasq"
    program.write_text(f"#!/bin/sh\necho '{BUILDS[answer]}'\n", encoding="utf-8")
    program.chmod(0o755)
    given = {"sudo": False, "state_dir": str(tmp_path), "nft": "/bin/true"}
    options = LinuxNftablesOptions.model_validate(
        {**given, "dnsmasq": {"program": str(program), "conf_dir": str(tmp_path)}}
    )
    said = subprocess.run(["sh", "-c", Shell(options).read()], capture_output=True, text=True, check=True).stdout
    assert f"@@dnsmasq {answer}\n" in said


def test_i01_the_owners_dnsmasq_file_of_our_name_is_left_alone_on_a_gateway_without_our_table() -> None:
    theirs = re.sub(r"(?s)@@dns\n.*?@@ruleset", "@@dns\n address=/example.org/192.0.2.1\n@@ruleset", READING)
    assert "address=/example.org/" in theirs
    with pytest.raises(Unreadable, match="not written by us"):
        adapter().parse(without_table(theirs))


# --- a disk that is full or broken ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "instead"), [("@@dnsmasq yes", "@@dnsmasq dir"), ("@@saved .*", "@@saved unwritable")]
)
def test_i02_a_folder_that_cannot_be_written_any_more_takes_no_name_away(line: str, instead: str) -> None:
    sound, hurt = adapter().parse(READING), adapter().parse(re.sub(f"(?m)^{line}$", instead, READING))
    assert sound.mark is not None
    held = Desired(groups=sound.groups, rules=sound.rules, owner=sound.mark.owner, snapshot=sound.mark.snapshot)
    assert any(isinstance(group, DomainGroup) for group in held.groups)
    plan = diff(hurt, held, hurt.can)
    assert plan.is_empty, plan.steps
    assert any("cannot be written" in note for note in hurt.can.notes), "the doctor still says so"


def test_names_that_this_gateway_cannot_feed_at_all_are_not_promised() -> None:
    """dnsmasq is gone: nothing feeds the sets any more, and a plan that kept them would be a lie."""
    assert adapter().parse(READING.replace("@@dnsmasq yes", "@@dnsmasq none")).can.fqdn is False
    assert adapter(dnsmasq=None).parse(READING).can.fqdn is False


# --- options --------------------------------------------------------------------------------------------------------


def test_i13_a_gateway_that_judges_nothing_is_refused() -> None:
    """Without a hook no packet meets our rules, and the mark would still say enforced."""
    with pytest.raises(ValidationError, match="forward"):
        LinuxNftablesOptions.model_validate({"forward": False})
    assert LinuxNftablesOptions.model_validate({"forward": False, "output": True}).hooks == ("output",)


# --- hands on our sets ----------------------------------------------------------------------------------------------


def test_i06_a_comment_with_a_comma_on_an_element_is_read_and_undone() -> None:
    """A reading that is refused is never repaired: a list would stay as old as the comment."""
    hand = READING.replace("192.0.2.0/24 counter", '192.0.2.0/24 counter comment "mine, yours"')
    assert hand != READING
    found = adapter().parse(hand)
    assert found.groups == adapter().parse(READING).groups
    assert any("which we do not write" in line for line in found.irregular)


def _split_reading(moved: bool) -> str:
    """A list kept in 16 sets; when ``moved``, a hand put one entry into the set of another part."""
    blank = adapter().parse(without_table(READING))
    many = frozenset(IPv4Network((0x0B000000 + (n << 9), 24)) for n in range(20_000)) | {ip_network("192.0.2.0/24")}
    groups = (
        AddressGroup(name=GroupName("dst-tiktok"), members=many),
        AddressGroup(name=GroupName("src-company"), members=frozenset({ip_network("10.0.0.0/8")})),
    )
    deny = Rule(
        name=RuleName("deny-company"),
        action=Action.DENY,
        sources=GroupName("src-company"),
        destinations=(GroupName("dst-tiktok"),),
    )
    desired = Desired(groups=groups, rules=(deny,), owner="01kb000000000000000000tkga", snapshot="0123456789ab")
    listing = loaded(adapter().render(blank, diff(blank, desired, blank.can)).text, moved=moved)
    return without_table(READING).replace("@@nft 0\n", f"{listing}@@nft 0\n")


def loaded(text: str, *, moved: bool) -> str:
    """What nft lists after loading ``text`` in a namespace of its own."""
    hand = (
        "delete element inet tokgate dst-tiktok-4.12 { 192.0.2.0/24 }\n"
        "add element inet tokgate dst-tiktok-4.0 { 192.0.2.0/24 }\n"
    )
    script = "nft -f /dev/stdin && nft -a -s list table inet tokgate"
    sent = text + (hand if moved else "")
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", script], input=sent, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.root
def test_i13_an_entry_in_the_wrong_part_of_a_long_list_is_not_enforced_and_put_right() -> None:
    sound, moved = adapter().parse(_split_reading(moved=False)), adapter().parse(_split_reading(moved=True))
    assert [line for line in sound.irregular if "persistence" not in line] == []
    assert any("dst-tiktok-4.0" in line for line in moved.irregular), "no packet to it would be looked up there"
    assert sound.mark is not None
    desired = Desired(groups=sound.groups, rules=sound.rules, owner=sound.mark.owner, snapshot=sound.mark.snapshot)
    change = adapter().render(moved, diff(moved, desired, moved.can)).text
    assert "flush set inet tokgate dst-tiktok-4.0\n" in change
    assert "add element inet tokgate dst-tiktok-4.12 { 192.0.2.0/24 }\n" in change
