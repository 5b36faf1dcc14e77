"""The emulated PAN-OS firewall over real SSH, driven by netmiko's own driver for it."""

from __future__ import annotations

from typing import Any

import pytest
from netmiko import ConnectHandler
from netmiko.exceptions import NetmikoAuthenticationException
from netmiko.paloalto import PaloAltoPanosSSH

from lab.emulators.server import Served, served
from tests.lab.emulators.panos import candidate, panos


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the mode as the driver does, but take a tenth of a second of silence for an end rather than two."""
    patient = PaloAltoPanosSSH.read_channel_timing

    def brisk(session: Any, last_read: float = 0.1, **options: Any) -> Any:
        return patient(session, last_read=0.1, **options)

    monkeypatch.setattr(PaloAltoPanosSSH, "read_channel_timing", brisk)


def connect(at: Served, **options: Any) -> Any:
    return ConnectHandler(
        device_type="paloalto_panos",
        host=at.host,
        port=at.port,
        **{"username": "admin", "password": "admin", "global_delay_factor": 0.1, "fast_cli": True, **options},
    )


def test_netmiko_logs_in_by_keyboard_interactive_changes_a_thing_and_commits() -> None:
    device = panos()
    with served([device]) as at, connect(at["edge"]) as session:
        assert session.find_prompt() == "admin@edge>"
        session.send_command("set cli config-output-format set")
        session.config_mode()
        session.send_config_set(["set address web ip-netmask 10.0.0.80"], exit_config_mode=False)
        shown = session.send_command("show address web", expect_string=r"#")
        assert "set address web ip-netmask 10.0.0.80" in shown
        assert "committed successfully" in session.commit()
        assert "no" in session.send_command("check pending-changes").split()
    assert device.running.vsys("vsys1").at(("address", "web")) is not None


def test_a_line_longer_than_the_terminal_comes_through_once_the_width_is_set() -> None:
    device = panos()
    long = f'set address desk description "{"x " * 100}x"'
    with served([device]) as at, connect(at["edge"]) as session:
        session.send_config_set([long])
    assert long in candidate(device)


def test_wrong_passwords_are_turned_away() -> None:
    with served([panos()]) as at, pytest.raises(NetmikoAuthenticationException):
        connect(at["edge"], password="wrong")
