"""What published PAN-OS firewalls printed, the emulated one prints for the same configuration."""

from __future__ import annotations

import re

import pytest

from core.clock import ManualClock
from lab.emulators.panos import Model, PanOs, Switches, pair
from tests.lab.emulators.panos import DATA, NOON, configuring, operating


def text(name: str) -> str:
    return (DATA / name).read_text()


def loaded(name: str) -> PanOs:
    return PanOs(base=text(name), clock=ManualClock(NOON))


@pytest.mark.parametrize("name", ["config_set_aws_9.1.txt", "config_set_fwl01_8.1.txt"])
def test_a_whole_candidate_in_set_lines(name: str) -> None:
    assert configuring(loaded(name)).type("show") == f"\n{text(name)}\n"


def test_a_whole_configuration_in_braces() -> None:
    """Keys of administrators are left out: their value spans lines without quotes."""
    plain = re.sub(r"\n *public-key [^;]*;", "", text("config_braces_nat1.txt"))
    device = PanOs(base=plain, clock=ManualClock(NOON))
    assert operating(device).type("show config running") == f"\n{plain}\n"


@pytest.mark.parametrize("name", ["config_set_aws_9.1.txt", "config_set_fwl01_8.1.txt"])
def test_a_published_configuration_commits(name: str) -> None:
    """Nothing in it is refused by the checks of a commit, but what its authors cut out of it."""
    keyboard = configuring(loaded(name), "set tag t color color1")
    assert "Configuration committed successfully\n" in keyboard.type("commit")


def test_the_specimen_of_moves_ends_in_its_order() -> None:
    lines = [line for line in text("syntax_move-rulebase-security.txt").splitlines() if "vsys" not in line]
    zones = "set zone z1 network layer3 ethernet1/1\nset zone z2 network layer3 ethernet1/2\n"
    service = "set service SERVICE1 protocol tcp port 1\n"
    keyboard = configuring(PanOs(base=zones + service, clock=ManualClock(NOON)))
    for line in lines[2:]:
        if line and not line.startswith("#"):
            keyboard.all(line)
    assert list(keyboard.device.candidate.rules("vsys1")) == [f"RULE{each}" for each in (3, 4, 1, 5, 2)]


def test_the_specimen_of_delete_and_set() -> None:
    zones = "set zone z1 network layer3 ethernet1/1\nset zone z2 network layer3 ethernet1/2\n"
    keyboard = configuring(PanOs(base=zones, clock=ManualClock(NOON)))
    for line in text("syntax_delete-and-move-lines.txt").splitlines():
        if line and not line.startswith("#"):
            keyboard.all(line)
    assert keyboard.type("show rulebase security rules RULE1 source").split()[-1] == "addr2"
    assert list(keyboard.device.candidate.rules("vsys1")) == ["RULE2", "RULE1"]


@pytest.mark.parametrize(
    "name",
    ["syntax_address-groups.txt", "syntax_address-group-dynamic.txt", "syntax_tags.txt", "syntax_external-list.txt"],
)
def test_other_specimens_load(name: str) -> None:
    body = text(name)
    if "policy {" in body:
        body = re.sub(r"policy \{\s*panorama \{(.*)\}\s*\}", r"\1", body, flags=re.DOTALL).replace(
            "post-rulebase", "rulebase"
        )
    device = PanOs(base=body, clock=ManualClock(NOON))
    assert configuring(device).type("show").count("\n") > 5


def test_the_specimen_of_quotes() -> None:
    described = configuring(loaded("syntax_quoted-values.txt"))
    descriptions = {
        "addr0": "quoted description with a '",
        "addr1": 'quoted description with a "',
        "addr2": "quoted description with a \" and '",
        "addr3": "multiline description with \" inside'\nand other stuff",
        "addr4": "shortdescription",
        "addr5": "quoted description",
        "addr6": "",
        "addr7": "",
    }
    for name, description in descriptions.items():
        node = described.device.candidate.vsys("vsys1").at(("address", name))
        assert node is not None
        assert node.value("description") == description
    assert "set address addr6 description\n" in described.type("show address")


def test_the_fields_of_show_system_info_stand_in_the_published_order() -> None:
    keyboard = operating(PanOs(model=Model(version="9.1.2"), clock=ManualClock(NOON)))
    mine = [line.split(":")[0] for line in keyboard.type("show system info").strip().splitlines()]
    published = [line.split(":")[0] for line in text("show_system_info_9.1.2_aws.txt").splitlines()]
    assert mine == [field for field in published if field in mine]
    assert mine[-1] == "operational-mode"


def test_the_old_table_of_jobs() -> None:
    keyboard = configuring(
        PanOs(clock=ManualClock(NOON), switches=Switches(job_table="plain")), "set tag t color color1"
    )
    keyboard.type("commit")
    published = text("show_jobs_all_old.txt").splitlines()
    header, dashes, row = keyboard.type("run show jobs all").strip("\n").splitlines()
    assert [header, dashes] == published[:2]
    assert (len(row), row[50:]) == (len(published[2]), "FIN".rjust(8) + "     OK 12:00:00  ")


def test_the_lines_of_a_difference_begin_as_published() -> None:
    keyboard = configuring(PanOs(base=text("config_braces_nat1.txt"), clock=ManualClock(NOON)))
    keyboard.all("set address h9 ip-netmask 10.0.0.9", "delete address h1_pre_nat")
    shown = keyboard.type("run show config diff").strip("\n").splitlines()
    assert shown[:3] == [" " * 13 + "h5 {", " " * 15 + "ip-netmask 10.15.15.2;", " " * 13 + "}"]
    assert shown[3:6] == ["-            h1_pre_nat {", "-              ip-netmask 10.11.11.20;", "-            }"]
    shapes = {re.sub(r"\S.*", "", line[1:]) for line in text("show_config_diff_braces.txt").splitlines() if line}
    assert all(len(shape) % 2 == 0 for shape in shapes)


def test_a_pair_looks_like_the_published_one() -> None:
    active, passive = (PanOs(name, clock=ManualClock(NOON)) for name in ("fw", "fw2"))
    pair(active, passive)
    mine = operating(active).type("show high-availability all").strip("\n").splitlines()
    published = [line.rstrip() for line in text("show_high-availability_all.txt").splitlines()]
    known = {re.sub(r"(active|passive|\d+) |: .*", "", line) for line in published}
    for line in mine:
        assert re.sub(r"(active|passive|\d+) |: .*", "", line.rstrip()) in known, line
    assert operating(active).prompt == "admin@fw(active)> "
    assert configuring(passive).prompt == "[edit]\nadmin@fw2(passive)# "
