"""The emulated SRX over real SSH, driven by netmiko's own driver for it."""

from __future__ import annotations

from typing import Any

import pytest
from netmiko import ConnectHandler

from lab.emulators.server import Served, served
from tests.lab.emulators.srx import active, srx


def connect(at: Served) -> Any:
    return ConnectHandler(
        device_type="juniper_junos",
        host=at.host,
        port=at.port,
        username="admin",
        password="pw",
        global_delay_factor=0.1,
        fast_cli=True,
    )


def test_netmiko_logs_in_changes_a_line_commits_and_reads_it_back() -> None:
    device = srx()
    line = "set security address-book global address T-1 23.192.0.0/11"
    with served([device]) as at, connect(at["edge"]) as session:
        assert session.find_prompt() == "admin@edge>"
        session.config_mode(config_command="configure exclusive")
        session.send_config_set([line], exit_config_mode=False)
        assert "+    address T-1 23.192.0.0/11;" in session.send_command("show | compare", expect_string="#")
        assert "commit complete" in session.commit(and_quit=True)
        shown = session.send_command("show configuration security address-book | display set")
    assert line in shown
    assert line in active(device)


def test_netmikos_commit_fails_with_the_devices_words() -> None:
    with served([srx()]) as at, connect(at["edge"]) as session:
        session.config_mode()
        session.send_config_set(["set security address-book global address-set S address no"], exit_config_mode=False)
        with pytest.raises(ValueError, match="referenced address must be defined under address-book"):
            session.commit()
        session.send_command("rollback 0", expect_string="#")
        session.exit_config_mode()
