"""The emulated FortiGate over real SSH, driven by netmiko's own driver for it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from netmiko import ConnectHandler

from lab.emulators.fortios import Admin, Model
from lab.emulators.server import Access, Served, served
from tests.lab.emulators.fortios import SITE, VDOMS, fortigate, shown

MORE: Final = SITE.replace("set output standard", "set output more")
BANNER: Final = f"{SITE}config system global\n    set post-login-banner enable\nend\n"
MODERN: Final = {"kex": ["diffie-hellman-group1-sha1"]}
"""Any list but an empty one keeps the driver from asking for four old key exchanges only."""
ANY_PROMPT: Final = r"[#$]\s*$"


def connect(at: Served, **options: Any) -> Any:
    return ConnectHandler(
        device_type="fortinet",
        host=at.host,
        port=at.port,
        username="admin",
        password="fortinet",
        **{"global_delay_factor": 0.1, "fast_cli": True, "disabled_algorithms": MODERN, **options},
    )


def test_netmiko_logs_in_turns_paging_off_and_on_changes_and_reads_back() -> None:
    """Its way of turning paging off is a change of the configuration, seen by everybody, until it leaves."""
    device = fortigate(base=MORE)
    with served([device]) as at:
        with connect(at["FGT"]) as session:
            assert session.find_prompt() == "FGT #"
            assert "set output standard" in shown(device, "system console")
            assert session.send_command("show firewall service custom").count("edit") > 20
            session.send_config_set(["config firewall address", 'edit "n"', "set subnet 192.0.2.0/24", "end"])
            text = session.send_command("show firewall address n")
            assert "set subnet 192.0.2.0 255.255.255.0" in text
            lines = ("config firewall addrgrp", "edit ALL_STAFF", "append member n", "next", "end")
            session.send_multiline([[line, ANY_PROMPT] for line in lines])
            assert 'set member "STAFF" "SHOP" "n"' in session.send_command("show firewall addrgrp")
            refusal = session.send_command("config firewall nonsense", expect_string=ANY_PROMPT)
            assert refusal.strip().splitlines()[-1] == "Command fail. Return code -61"
        assert "output" not in shown(device, "system console")  # more again, which is not shown


def test_with_paging_off_netmiko_changes_nothing() -> None:
    device = fortigate()
    before = shown(device)
    with served([device]) as at, connect(at["FGT"]) as session:
        assert session.find_prompt() == "FGT #"
    assert shown(device) == before


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
def test_the_drivers_own_old_key_exchanges_are_taken() -> None:
    with served([fortigate()]) as at, connect(at["FGT"], disabled_algorithms=None) as session:
        assert session.find_prompt() == "FGT #"


def test_netmiko_accepts_the_banner_after_the_login() -> None:
    """With CR; the line feed behind it asks for the prompt."""
    with served([fortigate(base=BANNER, post_banner="Only for staff.")]) as at, connect(at["FGT"]) as session:
        assert session.find_prompt() == "FGT #"
        assert "Only for staff." not in session.send_command("show system global")


def test_with_vdoms_it_goes_through_the_global_scope() -> None:
    device = fortigate(base=VDOMS.replace("standard", "more"))
    with served([device]) as at, connect(at["FGT"]) as session:
        assert session.find_prompt() == "FGT #"
        lines = ("config vdom", "edit root", "config firewall address", "edit n", "next", "end", "end")
        said = session.send_multiline([[line, ANY_PROMPT] for line in lines])
        assert "current vf=root:0" in said
        assert "FGT (address) #" in said
        assert session.find_prompt() == "FGT #"


def test_an_old_release_is_asked_the_old_way() -> None:
    device = fortigate(base="", model=Model(version=(6, 4, 4), label="GA"))
    with served([device]) as at, connect(at["FGT"]) as session:
        assert session.find_prompt() == "FGT #"
        assert session.send_command("show firewall service custom").count("edit") > 20


def test_a_dollar_is_a_prompt() -> None:
    access = Access(users={"admin": "fortinet"}, methods=frozenset({"keyboard-interactive", "password"}))
    device = fortigate(access=access, admins={"admin": Admin(everywhere=False)})
    with served([device]) as at, connect(at["FGT"]) as session:
        assert session.find_prompt() == "FGT $"
        assert "FGT (address) $" in session.send_multiline([["config firewall address", ANY_PROMPT]])
