"""The emulated ASA over real SSH, driven by netmiko's own driver for it."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest
from netmiko import ConnectHandler
from netmiko.exceptions import ConfigInvalidException

from lab.emulators.asa import Asa
from lab.emulators.server import Served, served
from tests.lab.emulators.asa import asa, running


def connect(at: Served, **options: Any) -> Any:
    return ConnectHandler(
        device_type="cisco_asa",
        host=at.host,
        port=at.port,
        username="admin",
        password="admin",
        **{"secret": "enable", "global_delay_factor": 0.1, "fast_cli": True, **options},
    )


def test_netmiko_logs_in_changes_a_line_and_reads_it_back() -> None:
    device = asa()
    with served([device]) as at, connect(at["edge"]) as session:
        assert session.find_prompt() == "edge#"
        assert "terminal width 511" in session.send_command("show running-config")  # its own doing
        session.send_config_set(["object-group network staff", "network-object host 192.0.2.10"])
        shown = session.send_command("show running-config object-group id staff")
        assert shown.splitlines()[-1].strip() == "network-object host 192.0.2.10"
        with pytest.raises(ConfigInvalidException):
            session.send_config_set(["no object-group network staff"], error_pattern="not allowed")
        assert "\n[OK]\n" in session.save_config()


def test_without_changing_anything_the_device_stays_as_it_was() -> None:
    device = asa()
    before = running(device)
    with served([device]) as at, connect(at["edge"], allow_auto_change=False) as session:
        assert session.find_prompt() == "edge#"
        long = f"access-list INSIDE_IN remark {'x' * 80}"
        session.config_mode()
        session.send_command(long, expect_string=r"\)#")
        assert f"{long}\n" in session.send_command("show running-config access-list INSIDE_IN") + "\n"
        session.send_command(f"no {long}", expect_string=r"\)#")
    assert running(device) == before


def test_a_sixth_session_is_turned_away() -> None:
    device = asa()
    with served([device]) as at:
        clients = [_client(at["edge"]) for _ in range(6)]
        channels = [client.invoke_shell() for client in clients]
        answers = [_first(channel) for channel in channels]
        assert [answer.endswith("edge> ") for answer in answers] == [True] * 5 + [False]
        for client in clients:
            client.close()


def _client(at: Served) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(at.host, at.port, username="admin", password="admin", allow_agent=False, look_for_keys=False)
    return client


def _first(channel: paramiko.Channel) -> str:
    """What comes up to the first prompt, or to the end."""
    channel.settimeout(10)
    text = ""
    while not text.endswith("> ") and (data := channel.recv(4096)):
        text += data.decode()
    return text


def contexts() -> Asa:
    return asa(base="", contexts={"admin": "", "CTX1": ""})


def test_netmiko_follows_a_change_of_context() -> None:
    with served([contexts()]) as at, connect(at["edge"]) as session:
        assert session.find_prompt() == "edge/admin#"
        session.send_command("changeto context CTX1")
        assert session.base_prompt == "edge/CTX1"
        assert "multiple" in session.send_command("show mode")
