"""What captured boxes answered, the emulated SRX answers for the same configuration."""

from __future__ import annotations

import pytest

from lab.emulators.srx import Srx, Unread
from tests.lab.emulators.srx import DATA, active, configuring, operating, srx


def read(name: str) -> str:
    return (DATA / name).read_text().replace("\r\n", "\n")


def test_a_whole_vsrx_prints_as_it_did() -> None:
    """The capture's credentials were taken out, and with them the reason for their quotes."""
    text = read("vsrx_17.3_show_configuration_display_set.txt")
    shown = active(Srx(base=text))
    expected = text.replace('"REDACTED"', "REDACTED").splitlines()
    assert shown.splitlines() == [line for line in expected if line.startswith("set ")]


@pytest.mark.parametrize("name", sorted(each.name for each in DATA.glob("batfish_*.cfg")))
def test_handwritten_configurations_come_back_line_for_line(name: str) -> None:
    """Their order is not a device's, so compare as sets."""
    text = read(name)
    shown = active(Srx(base=text))
    assert sorted(shown.splitlines()) == sorted(line for line in text.splitlines() if line.startswith("set "))
    assert active(Srx(base=shown)) == shown


def test_what_is_no_statement_is_no_configuration() -> None:
    for line in ("hello", "set security policies global policy P then drop", "deactivate system host-name"):
        with pytest.raises(Unread):
            Srx(base=line)


def test_bad_addresses_are_refused_in_netdrivers_words() -> None:
    captured = read("cli_error_strings_2.txt")
    keyboard = configuring(srx())
    for bad in ("100.1.1.256", "100.1.1.0/-1", "100.1.1.0/33", "::-1"):
        assert keyboard.type(f"set security address-book global address X {bad}").splitlines()[1] in captured


def test_commits_are_listed_as_a_router_did() -> None:
    lines = read("show_system_commit.txt").splitlines()[1:]
    assert len(lines) == 50
    keyboard = configuring(srx())
    for _ in range(60):
        keyboard.type("commit")
    shown = operating(keyboard.device).type("show system commit").splitlines()
    stamps = [(line[:4], line[4:23].count("-"), line[23:31]) for line in lines]
    assert [(line[:4], line[4:23].count("-"), line[23:31]) for line in shown] == stamps


def test_a_whole_reordering_as_in_a_lab_of_2019() -> None:
    pair = "security policies from-zone STAFF to-zone WORLD"
    policies = "".join(
        f"set {pair} policy {name} match {end} any\n" + f"set {pair} policy {name} then {action}\n"
        for name, action in (("rest", "deny"), ("ping", "permit"), ("web", "permit"))
        for end in ("source-address", "destination-address", "application")
    )
    zones = "".join(f"set security zones security-zone {zone}\n" for zone in ("STAFF", "WORLD"))
    keyboard = configuring(Srx("edge", base=policies + zones))
    keyboard.all(f"insert {pair} policy rest after policy web")
    assert keyboard.type("show|compare") == (
        f"[edit {pair}]\n!     policy ping {{ ... }}\n!     policy web {{ ... }}\n"
    )


def test_a_new_zone_pair_in_compare_as_in_a_lab_of_2019() -> None:
    base = "set security zones security-zone STAFF\nset security zones security-zone WORLD\n"
    first = "set security policies from-zone STAFF to-zone WORLD policy A match source-address any\n"
    keyboard = configuring(Srx("edge", base=base + first))
    pair = "set security policies from-zone WORLD to-zone STAFF policy ftp"
    keyboard.all(
        f"{pair} match source-address 192.0.2.7", f"{pair} match destination-address KOMP", f"{pair} then permit"
    )
    keyboard.all(f"{pair} match application junos-ftp")
    keyboard.all("set security zones security-zone WORLD address-book address 192.0.2.7 192.0.2.7/32")
    assert keyboard.type("show|compare") == (
        "[edit security policies]\n"
        "     from-zone STAFF to-zone WORLD { ... }\n"
        "+    from-zone WORLD to-zone STAFF {\n"
        "+        policy ftp {\n"
        "+            match {\n"
        "+                source-address 192.0.2.7;\n"
        "+                destination-address KOMP;\n"
        "+                application junos-ftp;\n"
        "+            }\n"
        "+            then {\n"
        "+                permit;\n"
        "+            }\n"
        "+        }\n"
        "+    }\n"
        "[edit security zones security-zone WORLD]\n"
        "+     address-book {\n"
        "+         address 192.0.2.7 192.0.2.7/32;\n"
        "+     }\n"
    )
