"""The session against real sshd, and against servers that misbehave."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import ConfigError, SecretUnavailable
from core.ids import DeviceName
from core.secret import HIDDEN, SecretRef
from lab import machine, netns
from lab.gateway import Gateway, gateway
from lab.workspace import Workspace
from tests.vendors.gateways import by_password, endpoint
from vendors.errors import (
    AuthRejected,
    HostKeyChanged,
    HostKeyUnknown,
    Refused,
    Unreachable,
    Unreadable,
)
from vendors.session import SessionLimiter, connect, fingerprint, scan_host_keys

pytestmark = pytest.mark.root
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def firewall() -> Iterator[Gateway]:
    with Workspace.open(f"vs{os.getpid() % 100000}") as workspace:
        yield gateway(workspace, "fw", dnsmasq=False)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """No thread of a session outlives it."""
    yield
    waited = threading.Event()
    for _ in range(100):
        left = [t for t in threading.enumerate() if t.name.startswith("tokgate-") or isinstance(t, paramiko_thread())]
        if not left:
            return
        waited.wait(0.05)
    pytest.fail(f"threads left: {left}")


def paramiko_thread() -> type[threading.Thread]:
    import paramiko

    return paramiko.Transport


# --- what works -----------------------------------------------------------------------------------------------------


def test_a_command_its_errors_and_its_status(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK) as session:
        output = session.run("echo out; echo err >&2; exit 7")
    assert (output.text, output.errors, output.status) == ("out\n", "err\n", 7)


def test_bulk_goes_in_and_comes_out_whole(firewall: Gateway) -> None:
    """Three megabytes through a command that answers while it reads: neither side waits for the other."""
    bulk = "".join(f"line {n}\n" for n in range(250_000))
    with connect(endpoint(firewall), clock=CLOCK) as session:
        assert session.run("tee /dev/stderr", stdin=bulk).text == bulk


def test_a_password_logs_in(firewall: Gateway) -> None:
    with connect(by_password(firewall), clock=CLOCK) as session:
        assert session.run("id -un").text == f"{machine.OPERATOR}\n"


def test_a_command_killed_by_a_signal_is_not_a_broken_session(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK) as session:
        assert session.run("kill -9 $$").status == -1
        assert session.run("echo alive").text == "alive\n"


@pytest.mark.parametrize("way", ["sftp", "cat"])
def test_a_file_is_written_whole_or_not_at_all(firewall: Gateway, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vendors.session import SshSession

    if way == "cat":  # as on a device without an SFTP server
        monkeypatch.setattr(SshSession, "_sftp", lambda _: None)
    target = firewall.files.state_dir / f"file-{way}"
    target.write_text("old", encoding="utf-8")
    with connect(endpoint(firewall), clock=CLOCK) as session:
        session.put(str(target), "nüw\n" * 50_000, mode=0o640)
        with pytest.raises(Refused, match="cannot be written"):
            session.put("/nowhere/at/all", "x")
    assert target.read_text(encoding="utf-8") == "nüw\n" * 50_000
    assert target.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in target.parent.glob("*.tokgate-new")] == []


def test_a_file_that_may_not_be_written_leaves_the_old_one(firewall: Gateway) -> None:
    target = firewall.files.folder / "owners-file"
    target.write_text("old", encoding="utf-8")
    with connect(endpoint(firewall, machine.OPERATOR), clock=CLOCK) as session, pytest.raises(Refused):
        session.put(str(target), "new")
    assert target.read_text(encoding="utf-8") == "old"


def test_netmiko_speaks_over_the_same_login(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK) as session:
        shell = session.interactive("linux")
        assert shell.send_command("echo $((6*7))").strip() == "42"
        shell.disconnect()
        assert session.run("echo still here").text == "still here\n"


# --- I10: host keys -------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[tuple[str, int, list[bytes]]]:
    """A server that greets as SSH and notes what it is sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:  # the test may end before anybody came
                connection.settimeout(5)
                while data := connection.recv(65536):
                    heard.append(data)

        threading.Thread(target=serve, daemon=True).start()
        yield "127.0.0.1", server.getsockname()[1], heard


def test_i10_without_a_pinned_key_nothing_is_sent(listener: tuple[str, int, list[bytes]], firewall: Gateway) -> None:
    host, port, heard = listener
    with (
        pytest.raises(HostKeyUnknown, match="no host key is pinned"),
        connect(endpoint(firewall, host=host, port=port, host_keys=()), clock=CLOCK),
    ):
        pytest.fail("logged in")
    assert heard == []


def other_key(folder: Path, kind: str) -> str:
    netns.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / kind)])
    return (folder / f"{kind}.pub").read_text(encoding="utf-8").rpartition(" ")[0]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_i10_another_key_is_refused_before_any_login(firewall: Gateway, tmp_path: Path, kind: str) -> None:
    """Wrong key, and keys of types the device does not have: judged before the server hears a user name."""
    before = len(_log_lines(firewall))
    with (
        pytest.raises(HostKeyChanged, match="no password was sent"),
        connect(by_password(firewall, host_keys=(other_key(tmp_path, kind),)), clock=CLOCK),
    ):
        pytest.fail("logged in")
    said = "\n".join(_log_lines(firewall)[before:])
    assert machine.OPERATOR not in said


def _log_lines(firewall: Gateway) -> list[str]:
    return firewall.workspace.log("fw-sshd", characters=1_000_000).splitlines()


def test_i10_one_of_several_pinned_keys_is_enough(firewall: Gateway, tmp_path: Path) -> None:
    keys = (other_key(tmp_path, "ecdsa"), other_key(tmp_path, "ed25519"), f"{firewall.host_key} a comment")
    with connect(endpoint(firewall, host_keys=keys), clock=CLOCK) as session:
        assert session.run("true").status == 0


def test_i10_netmiko_cannot_get_around_the_pin(firewall: Gateway, tmp_path: Path) -> None:
    with (
        pytest.raises(HostKeyChanged),
        connect(endpoint(firewall, host_keys=(other_key(tmp_path, "ed25519"),)), clock=CLOCK) as session,
    ):
        session.interactive("linux")


def test_offered_keys_are_shown_for_comparison(firewall: Gateway) -> None:
    assert scan_host_keys(firewall.host, firewall.port) == (firewall.host_key,)
    printed = netns.run(["ssh-keygen", "-l", "-f", f"{firewall.files.host_key}.pub"]).stdout.split()[1]
    assert fingerprint(firewall.host_key) == printed
    with pytest.raises(Unreachable):
        scan_host_keys("127.0.0.1", 1, timedelta(seconds=1))


# --- refused, unreachable, slow -------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once(firewall: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_WRONG", "not-the-password")
    before = len(_log_lines(firewall))
    with (
        pytest.raises(AuthRejected, match="not tried again"),
        connect(by_password(firewall, password=SecretRef.parse("secret://env/TG_WRONG")), clock=CLOCK),
    ):
        pytest.fail("logged in")
    failures = [line for line in _log_lines(firewall)[before:] if line.startswith("Failed password")]
    assert len(failures) == 1


def test_a_key_the_device_does_not_know_is_refused(firewall: Gateway, tmp_path: Path) -> None:
    other_key(tmp_path, "ed25519")
    key = SecretRef.parse(f"secret://file{tmp_path}/ed25519")
    with pytest.raises(AuthRejected, match="with the key"), connect(endpoint(firewall, key_file=key), clock=CLOCK):
        pytest.fail("logged in")


def test_a_file_that_holds_no_key_is_said_before_anything_is_sent(firewall: Gateway, tmp_path: Path) -> None:
    (tmp_path / "nokey").write_text("hello", encoding="utf-8")
    bad = endpoint(firewall, host="192.0.2.1", key_file=SecretRef.parse(f"secret://file{tmp_path}/nokey"))
    with pytest.raises(ConfigError, match="not a private key"), connect(bad, clock=CLOCK):
        pytest.fail("logged in")
    missing = endpoint(firewall, key_file=SecretRef.parse(f"secret://file{tmp_path}/none"))
    with pytest.raises(SecretUnavailable), connect(missing, clock=CLOCK):
        pytest.fail("logged in")


def test_a_closed_port_is_unreachable(firewall: Gateway) -> None:
    with pytest.raises(Unreachable, match="no connection"), connect(endpoint(firewall, port=1), clock=CLOCK):
        pytest.fail("logged in")


def test_a_server_that_never_greets_is_given_up(listener: tuple[str, int, list[bytes]], firewall: Gateway) -> None:
    host, port, _ = listener
    silent = endpoint(firewall, host=host, port=port, budget=timedelta(seconds=1))
    began = CLOCK.monotonic()
    with pytest.raises(Unreachable), connect(silent, clock=CLOCK):
        pytest.fail("logged in")
    assert CLOCK.monotonic() - began < 4


def test_the_budget_ends_a_command_that_hangs(firewall: Gateway) -> None:
    began = CLOCK.monotonic()
    with connect(endpoint(firewall, budget=timedelta(seconds=2)), clock=CLOCK) as session:
        with pytest.raises(Unreachable, match="out of time"):
            session.run("sleep 60")
        with pytest.raises(Unreachable):
            session.run("true")
    assert CLOCK.monotonic() - began < 5


def test_a_commands_own_time_ends_it_earlier(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK) as session, pytest.raises(Unreachable, match="out of time"):
        session.run("sleep 60", timeout=timedelta(seconds=0.5))


def test_an_endless_answer_is_cut(firewall: Gateway) -> None:
    with (
        connect(endpoint(firewall), clock=CLOCK) as session,
        pytest.raises(Unreadable, match="more than 1000000 bytes"),
    ):
        session.run("yes", max_bytes=1_000_000)


def test_a_session_killed_at_the_device_is_unreachable(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK) as session:
        threading.Timer(0.3, firewall.kill_sessions).start()
        with pytest.raises(Unreachable, match="the session broke at `sleep 60`"):
            session.run("sleep 60")


def test_no_more_sessions_than_the_cap(firewall: Gateway) -> None:
    limiter = SessionLimiter(1)
    with connect(endpoint(firewall), clock=CLOCK, limiter=limiter):
        second = endpoint(firewall, budget=timedelta(seconds=0.2))
        with pytest.raises(Unreachable, match="no free session of 1"), connect(second, clock=CLOCK, limiter=limiter):
            pytest.fail("a second one")
    with limiter.hold(DeviceName("fw"), timedelta(seconds=0.2)):
        pass


# --- I9: secrets ----------------------------------------------------------------------------------------------------


def test_i09_the_transcript_tells_all_but_the_secret(firewall: Gateway) -> None:
    transcript = io.StringIO()
    password = machine.operator_password()
    with connect(by_password(firewall), clock=CLOCK, transcript=transcript) as session:
        session.run(f"echo {password}; echo >&2 {password}; cat", stdin=f"a\n{password}\n")
    said = transcript.getvalue()
    assert password not in said
    assert said.count(HIDDEN) == 6
    assert "[exit 0]" in said


def test_i09_a_secret_that_a_long_answer_is_cut_in_does_not_show_its_first_half(firewall: Gateway) -> None:
    transcript = io.StringIO()
    password = machine.operator_password()
    with connect(by_password(firewall), clock=CLOCK, transcript=transcript) as session:
        session.run("cat", stdin="x" * (16_384 - len(password) + 1) + password + "y" * 99)
    assert password[:-1] not in transcript.getvalue()


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_transcript_on_a_full_disk_does_not_stop_the_work(firewall: Gateway) -> None:
    with connect(endpoint(firewall), clock=CLOCK, transcript=FullDisk()) as session:
        assert session.run("echo on").text == "on\n"
