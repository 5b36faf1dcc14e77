"""A fleet of emulated firewalls as `tokgate lab up --fleet` makes it, and `tokgate plan` against it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.main import main
from controller.inventory import load_inventory
from core.clock import SystemClock
from core.ids import SiteName
from lab import emulated, processes
from lab.emulators.server import served
from lab.workspace import leftovers, remove
from tests.lab.test_lab_cli import lab
from vendors.session import fingerprint

NAME = f"e{os.getpid() % 100000}"


@pytest.fixture
def name() -> Iterator[str]:
    yield NAME
    remove(NAME)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four firewalls, one of each vendor, in this process; the environment points at them."""
    devices = emulated.fleet(4, SystemClock())
    for each in [each for each in os.environ if each.startswith("TOKGATE_")]:
        monkeypatch.delenv(each)
    with served([one.device for one in devices]) as at:
        emulated.write(tmp_path, devices, at)
        for key, value in emulated.environment(tmp_path).items():
            monkeypatch.setenv(key, value)
        yield tmp_path


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = int(main(line.split()))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_twelve_are_two_sites_and_every_vendor_is_there() -> None:
    devices = emulated.fleet(12, SystemClock())
    assert {one.make.vendor for one in devices} == {make.vendor for make in emulated.MAKES}
    assert [one.site for one in devices] == ["site-000"] * 8 + ["site-001"] * 4
    assert len({one.device.name for one in devices}) == 12
    with pytest.raises(ValueError, match="at least one"):
        emulated.fleet(0, SystemClock())


def test_plans_are_printed_as_the_very_lines_and_change_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "db upgrade")
    assert run(capsys, "intel refresh")[0] == 0
    code, out, err = run(capsys, "plan -o commands")
    assert (code, err) == (2, "")
    heads = [line for line in out.splitlines() if line.startswith("# ")]
    assert heads == [f"# {name} (site-000)" for name in ("asa-0000", "srx-0001", "fortios-0002", "panos-0003")]
    asa, srx, fortios, panos = re.split(r"^# ", out, flags=re.M)[1:]
    assert "\nconfigure terminal\n" in asa
    assert "\nset security address-book global address tokgate-" in srx
    assert "\nconfig firewall address\nedit " in fortios
    assert "\nset tag tokgate " in panos
    planned = {item["device"]: item["script"] for item in json.loads(run(capsys, "plan -o json")[1])["items"]}
    assert out == "".join(f"{head}\n{planned[head.split()[1]].rstrip()}\n" for head in heads)
    assert "    configure terminal\n" in run(capsys, "plan --device asa-0000 --commands")[1]


@pytest.mark.root
def test_a_fleet_goes_up_is_told_and_goes_down(name: str) -> None:
    up = lab("up", "--name", name, "--fleet", "12", "-o", "json")
    assert up.returncode == 0, up.stderr
    facts = json.loads(up.stdout)
    assert (facts["state"], facts["devices"]) == ("up", 12)
    inventory = load_inventory(Path(facts["environment"]["TOKGATE_INVENTORY"]))
    assert sorted(len(site.devices) for site in inventory.sites.values()) == [4, 8]
    assert "12 emulated firewalls, up" in lab("status", "--name", name).stdout
    process = processes.read_pid_file(Path(facts["run_dir"]) / "pids" / "fleet.pid.json")
    assert process is not None
    assert process.is_alive
    assert lab("down", "--name", name).returncode == 0
    assert not process.is_alive
    assert leftovers(name).is_empty


def test_the_doctor_tells_key_algorithms_and_login_of_every_vendor(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "db upgrade")
    _, out, _ = run(capsys, "device doctor -o json")
    found = {(row["device"], row["check"]): row for row in json.loads(out)}
    inventory = load_inventory(place / "inventory.yaml")
    for device in inventory.sites[SiteName("site-000")].devices.values():
        key = found[device.name, "host key"]
        assert key["ok"]
        assert key["message"] == f"ssh-ed25519 256 bits {fingerprint(device.host_keys[0])}, pinned (1 in the inventory)"
        algorithms = found[device.name, "algorithms"]
        assert algorithms["ok"], algorithms
        assert "host key ssh-ed25519, cipher aes" in algorithms["message"]
        assert "logged in with a password; the server is SSH-2.0-AsyncSSH" in found[device.name, "login"]["message"]
        assert sum(name == device.name for name, _ in found) > 5, "and what the adapter finds"


@pytest.mark.parametrize("form", ["", " -o json", " -o csv"])
def test_what_the_doctor_shares_holds_no_name_no_address_and_no_secret(
    place: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    run(capsys, "db upgrade")
    _, plain, _ = run(capsys, "device doctor -o json")
    _, out, _ = run(capsys, f"device doctor --share{form}")
    inventory = load_inventory(place / "inventory.yaml")
    private = {"standard", "company", "guest", "admin", "fortinet", "enable", *emulated.environment(place)}
    for site in inventory.sites.values():
        private |= {site.name, site.title, *(str(net) for nets in site.networks.values() for net in nets)}
        for device in site.devices.values():
            private |= {device.name, device.host, device.username, fingerprint(device.host_keys[0])}
            private |= {device.host_keys[0].split()[1], f"secret://env/{device.vendor}"}
    assert any(each in plain for each in private), "there is something to hide"
    for each in private:
        assert not re.search(rf"(?<![A-Za-z0-9]){re.escape(each)}(?![A-Za-z0-9])", out), each
    assert len(set(re.findall(r"<device \d+>", out))) == 4
    assert "aes" in out


def test_a_refusal_is_shared_without_the_address(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TGLAB_CISCO_ASA", "wrong")
    run(capsys, "db upgrade")
    code, out, _ = run(capsys, "device doctor asa-0000 --share")
    assert code == 4
    assert "| `<device 1>` | login | NO | `login as <user 1> with the password refused" in out
    assert "wrong" not in out
