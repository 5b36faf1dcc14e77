"""Emulated devices over real SSH: how they let people in, and how a session ends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import paramiko
import pytest

from lab.emulators.server import Access, Served, served
from tests.lab.emulators.plain import PlainDevice


@contextlib.contextmanager
def login(to: Served, password: str = "pw") -> Iterator[paramiko.Channel]:
    transport = paramiko.Transport(socket.create_connection((to.host, to.port), timeout=10))
    with contextlib.closing(transport):
        transport.start_client(timeout=10)
        key = transport.get_remote_server_key()
        assert f"{key.get_name()} {key.get_base64()}" == to.host_key
        transport.auth_password("admin", password)
        channel = transport.open_session(timeout=10)
        channel.settimeout(10)
        channel.get_pty()
        channel.invoke_shell()
        yield channel


def until(channel: paramiko.Channel, text: str) -> str:
    """What arrives until ``text`` is in it. Raises ``AssertionError`` when the session ends before."""
    found = ""
    while text not in found:
        data = channel.recv(65536)
        assert data, f"the session ended after {found!r}"
        found += data.decode()
    return found


def test_a_login_types_and_reads_as_on_the_box() -> None:
    with served([PlainDevice()]) as found, login(found["plain"]) as channel:
        assert until(channel, "plain> ") == "Welcome.\r\nadmin@plain> "
        channel.sendall("say 2\r\nslow\n")
        assert until(channel, "at last\r\nadmin@plain> ").startswith("say 2\r\nline 0\r\nline 1\r\n")


def test_a_wrong_password_is_refused() -> None:
    with served([PlainDevice()]) as found, pytest.raises(paramiko.AuthenticationException):
        login(found["plain"], "guess").__enter__()


def test_keyboard_interactive_where_the_device_asks_so() -> None:
    access = Access(users={"admin": "pw"}, methods=frozenset({"keyboard-interactive"}), banner="Authorised use only\n")
    with served([PlainDevice(access=access)]) as found:
        to = found["plain"]
        transport = paramiko.Transport(socket.create_connection((to.host, to.port), timeout=10))
        with contextlib.closing(transport):
            transport.start_client(timeout=10)
            with pytest.raises(paramiko.BadAuthenticationType):
                transport.auth_password("admin", "pw", fallback=False)
            assert transport.auth_handler.banner == b"Authorised use only\n"
            transport.auth_interactive("admin", lambda title, text, asked: ["pw" for _ in asked])
            assert transport.is_authenticated()


def test_more_sessions_than_the_device_has_are_told_so() -> None:
    device = PlainDevice()
    device.access = replace(device.access, max_sessions=1)
    with served([device]) as found, login(found["plain"]) as first:
        until(first, "> ")
        with login(found["plain"]) as second:
            assert until(second, "Too many sessions")
            assert second.recv(100) == b""


def test_a_session_that_is_torn_tears_the_connection() -> None:
    device = PlainDevice()
    with served([device]) as found, login(found["plain"]) as channel:
        until(channel, "> ")
        device.faults.arm(1, "after", cut=3)
        channel.sendall("say 5\n")
        assert until(channel, "lin").endswith("say 5\r\nlin")
        assert channel.recv(100) == b""
        assert device.seen == ["say 5"]


def test_a_hundred_devices_answer_side_by_side() -> None:
    devices = [PlainDevice(name=f"d{at}") for at in range(100)]
    with served(devices) as found:
        assert len({to.port for to in found.values()}) == 100
        with login(found["d7"]) as one, login(found["d93"]) as other:
            one.sendall("hello\n")
            other.sendall("world\n")
            assert until(one, "hello\r\nhello\r\n")
            assert until(other, "world\r\nworld\r\n")
    assert (devices[7].seen, devices[93].seen) == (["hello"], ["world"])
