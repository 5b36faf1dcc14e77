"""What published captures of real boxes show, the emulator prints for the same configuration."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

import pytest
import yaml

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate, Model, Switches
from lab.emulators.traffic import Flow
from tests.lab.emulators.fortios import DATA, NOON, VDOMS, Keyboard, configuring, fortigate, shown

ROOMS: Final = re.compile(r"^config (.+)$", re.MULTILINE)


def captured(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def section(text: str, path: str) -> str:
    """From ``config …`` to its ``end``."""
    start = text.index(f"config {path}\n")
    return text[start : text.index("\nend\n", start) + 5]


# --- configurations ---------------------------------------------------------------------------------------------------

LAB: Final = Model(name="FortiGate-VM64-KVM", code="FGVMK6", version=(6, 4, 4), build=1803, date="201209", label="GA")
NEEDED: Final = """\
config system interface
    edit "port1"
    next
    edit "port2"
    next
    edit "port3"
    next
    edit "ssl.root"
        set type tunnel
    next
end
config firewall service custom
"""
SERVICES: Final = (
    "DNS IMAP IMAPS POP3 POP3S SMTP SMTPS HTTP HTTPS DCE-RPC KERBEROS LDAP LDAP_UDP SAMBA SMB SSH PING "
    "CUSTOM_UDP_9100 CUSTOM_TCP_9100 CUSTOM_TCP_9101 CUSTOM_UDP_9101"
)
CAPTURE: Final = "show_6.4.4_policy_extract.txt"


def lab_box() -> FortiGate:
    """The captured 6.4.4 box, with what the extract refers to and does not hold."""
    services = "".join(f'edit "{name}"\nset tcp-portrange 1\nnext\n' for name in SERVICES.split())
    base = f"{NEEDED}{services}end\n{captured(CAPTURE)}"
    return FortiGate(base=base, bare=True, model=LAB, clock=ManualClock(NOON))


@pytest.mark.parametrize("path", ROOMS.findall(captured(CAPTURE)))
def test_each_section_prints_as_it_was_captured(path: str) -> None:
    assert shown(lab_box(), path) == section(captured(CAPTURE), path)


def test_the_header_has_the_captured_form() -> None:
    mine, theirs = (text.splitlines()[:4] for text in (shown(lab_box()), captured(CAPTURE)))
    assert mine[0] == theirs[0].replace("opmode=1", "opmode=0")
    assert [line.split("=")[0] for line in mine] == [line.split("=")[0] for line in theirs]
    assert mine[2:] == theirs[2:]


@pytest.mark.parametrize("name", ["interfaces_config_a.txt", "interfaces_config_b.txt"])
def test_interfaces_print_as_captured(name: str) -> None:
    device = FortiGate(base=captured(name), bare=True)
    assert Keyboard(device).type("show system interface").endswith("--More-- ")
    quiet = FortiGate(base="config system console\nset output standard\nend\n" + captured(name), bare=True)
    assert shown(quiet, "system interface").strip() == captured(name).strip()


# --- a recorded session -----------------------------------------------------------------------------------------------

SESSION: Final = "session_fgt501e_7.4.8_vdom_ha.yaml"


def recorded() -> dict[str, str]:
    """What was typed, and every byte that came back."""
    loaded = yaml.safe_load(captured(SESSION))
    answers: dict[str, str] = {}
    for step in loaded["commands"]:
        for typed, text in step.items():
            raw = re.sub(r"\n(?=.)", "\n", text)
            answers[typed] = raw.encode().decode("unicode_escape")
    return answers


def print_of_the_501e() -> str:
    lines = recorded()["show | grep .\n"].replace("\r", "").splitlines()[1:-1]
    return "\n".join(lines) + "\n"


def box_501e() -> FortiGate:
    quiet = "config system console\nset output standard\nend\n"
    whole = print_of_the_501e().replace("config system vdom-link", f"{quiet}config system vdom-link")
    return FortiGate(base=whole, bare=True, model=Model(code="FG5H1E"), clock=ManualClock(NOON))


def test_a_box_with_vdoms_prints_as_it_was_captured() -> None:
    """But for the tables that the recording does not hold, and for the user's name."""
    mine = Keyboard(box_501e()).type("show | grep .").replace("_ver=2841660000000003", "_ver=2841660000000000")
    head = print_of_the_501e().replace("TACACS-USER", "admin").split("config system vdom-link")[0]
    assert mine.startswith(head)
    for path in ("system interface", "system vdom-link", "system vdom-property"):
        assert section(mine, path) == section(print_of_the_501e(), path)


def test_every_byte_around_a_command_is_as_recorded() -> None:
    """The echo ends with CR CR LF, a blank line stands before the prompt, and the pager erases itself."""
    device = FortiGate(name="OXI-FW121", base=VDOMS.replace("standard", "more"), ports=8)
    keyboard, answers = Keyboard(device), recorded()
    assert keyboard.first + keyboard.raw("\n") == "OXI-FW121 # \r\nOXI-FW121 # "
    assert keyboard.raw("config global\n") == answers["config global\n"]
    refused = answers["diagnose hardware deviceinfo psu\n"]
    assert keyboard.raw("diagnose hardware deviceinfo psu\n") == refused.replace("psu'", "hardware'")
    first = keyboard.raw("show system interface\n")
    assert first.startswith("show system interface\r\r\nconfig system interface\r\n")
    assert first.endswith("\r\n--More-- ")
    second = keyboard.raw(" ")
    assert second.startswith(answers[" "][:11])
    assert second.endswith("\r\nend\r\n\r\nOXI-FW121 (global) # ")
    assert keyboard.raw("end\n") == answers["end\n"]
    assert keyboard.raw("exit\n").rstrip("\r\n") == "exit"
    assert keyboard.closed


@pytest.mark.parametrize("prompt", yaml.safe_load(captured("prompts_fortigate.yaml"))["pass"][3:])
def test_prompts_look_like_those_on_record(prompt: str) -> None:
    host = prompt.split("(")[0].split(" ")[0]
    device = fortigate(name=host, base=VDOMS, switches=Switches(ha_prompt=True))
    if "Primary" in prompt:
        device.pair(fortigate(name="other", base=VDOMS))
    keyboard = Keyboard(device)
    if "global" in prompt:
        keyboard.all("config global")
    assert keyboard.prompt == prompt


# --- status -----------------------------------------------------------------------------------------------------------


def keys(text: str) -> list[str]:
    return [line.split(":")[0] for line in text.splitlines()]


def in_order(some: list[str], all_: list[str]) -> bool:
    rest = iter(all_)
    return all(at in rest for at in some)


STATUS: Final = [
    ("get_system_status_old.txt", (6, 0, 7), "FortiGate-1500D", "GA"),
    ("get_system_status_6.2.txt", (6, 2, 6), "FortiGate-600E", "GA"),
    ("get_system_status_6.4.4_lab.txt", (6, 4, 4), "FortiGate-VM64-KVM", "GA"),
    ("get_system_status_7.0_1801f.txt", (7, 0, 13), "FortiGate-1801F", "GA.M"),
    ("get_system_status_7.4.txt", (7, 4, 1), "FortiGate-60E-POE", "GA.F"),
]


@pytest.mark.parametrize(("name", "version", "model", "label"), STATUS)
def test_the_status_has_the_lines_of_its_release(
    name: str, version: tuple[int, int, int], model: str, label: str
) -> None:
    theirs = captured(name)
    found = re.search(r"build(\d+),(\d+)", theirs)
    assert found is not None
    box = Model(name=model, version=version, build=int(found[1]), date=found[2], label=label)
    device = fortigate(model=box, base="config system console\nset output standard\nend\n")
    if "a-p" in theirs:
        device.pair(fortigate(model=box, name="other"))
    mine = Keyboard(device).type("get system status")
    assert mine.splitlines()[0] == theirs.splitlines()[0]
    assert in_order([key for key in keys(mine) if key in keys(theirs)], keys(theirs))
    assert {"Virtual domain configuration", "Current HA mode", "Hostname", "Serial-Number"} <= set(keys(mine))
    for line in theirs.splitlines():
        if line.startswith("Current HA mode") and "FortiGate" in theirs:
            assert line in mine.splitlines()


def test_ha_status_of_a_box_alone_is_as_captured() -> None:
    box = Model(name="FortiGate-60D", version=(6, 0, 9))
    mine = Keyboard(fortigate(model=box, base="config system console\nset output standard\nend\n"))
    theirs = captured("get_system_ha_status_6.0_noha.txt").replace("override: enable", "override: disable")
    assert mine.type("get system ha status").strip() == theirs.strip()


@pytest.mark.parametrize(
    ("name", "version", "hosts"),
    [
        ("get_system_ha_status_5.6.txt", (6, 2, 6), ("fgt_200d_b", "fgt_200d_a")),
        ("get_system_ha_status_7.0_hbdev.txt", (7, 0, 13), ("FGT-fw-a", "FGT-fw-b")),
    ],
)
def test_a_clusters_members_are_listed_as_captured(
    name: str, version: tuple[int, int, int], hosts: tuple[str, str]
) -> None:
    box = Model(version=version)
    first, second = (fortigate(model=box, name=host, base="", serial=f"S{host[-1]}") for host in hosts)
    first.pair(second)
    keyboard = configuring(first, "system console", "set output standard", "end")
    mine = keyboard.type("get system ha status")
    theirs = captured(name)
    for line in theirs.splitlines():
        if "cluster index" in line or "operating index" in line or "in-sync" in line:
            assert shape(line) in {shape(at) for at in mine.splitlines()}


def shape(line: str) -> str:
    """Without names, serial numbers and figures."""
    return re.sub(r"\b(FG\w+|Sa|Sb|S[ab]|fgt_\w+ *|FGT-[\w-]+ *|\d+)(?=[,:( ]|$)", "X", line)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_the_log_has_the_captured_form() -> None:
    device = fortigate(clock=ManualClock(datetime(2023, 8, 10, 16, 41, 18, tzinfo=UTC)))
    for port in range(50_000, 50_030):
        source, target = ip_address("10.0.1.5"), ip_address("192.0.2.9")
        flow = Flow(source=source, destination=target, port=22, source_port=port, inside="port1", outside="port3")
        device.forward(flow)
    mine, theirs = Keyboard(device).type("execute log display"), captured("execute_log_display.txt")
    for at, (one, other) in enumerate(zip(mine.splitlines()[:4], theirs.splitlines()[:4], strict=True)):
        assert re.sub(r"[\d.]+", "N", one) == re.sub(r"[\d.]+", "N", other), at
    fields = re.findall(r'(\w+)=(?:"[^"]*"|\S+)', mine.splitlines()[4])
    known = re.findall(r'(\w+)=(?:"[^"]*"|\S+)', theirs)
    assert set(fields) <= set(known)
    assert in_order(fields, known)
