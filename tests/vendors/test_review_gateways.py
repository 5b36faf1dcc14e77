"""What a gateway may have that we did not think of: dnsmasq built without nftset, the owner's files, a full disk."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.ids import DeviceName
from vendors.adapter import Adapter
from vendors.diff import diff
from vendors.errors import Unreadable
from vendors.linux_nftables.commands import Shell
from vendors.linux_nftables.options import LinuxNftablesOptions
from vendors.model import Desired, DomainGroup
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
