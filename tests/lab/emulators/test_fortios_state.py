"""What the emulated FortiGate keeps: transactions and their locks, saving and reboots, a manager, a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from core.clock import ManualClock
from lab.emulators.fortios import FortiGate, LockText, Model, Switches, TransactionWords
from tests.lab.emulators.fortios import NOON, SITE, VDOMS, Keyboard, configuring, fortigate, shown

START: Final = "execute config-transaction start"
LOCKED: Final = (
    "Can not config the object since either the object or the referenced objects\n"
    "are being configured by other transactions.\n"
    "Command fail. Return code 14\n"
)


# --- transactions -----------------------------------------------------------------------------------------------------


def staging(device: FortiGate, *lines: str, minutes: str = "") -> Keyboard:
    keyboard = Keyboard(device)
    keyboard.all(f"{START} {minutes}".strip(), *lines)
    return keyboard


def test_a_transaction_is_seen_by_its_session_alone_until_it_is_committed() -> None:
    device = fortigate()
    before = shown(device)
    keyboard = staging(
        device, "config firewall address", "edit n", "set subnet 192.0.2.0/24", "next", "rename n to m", "end"
    )
    keyboard.all("config firewall addrgrp", "edit ALL_STAFF", "append member m", "end")
    keyboard.all("config firewall policy", "move 3 before 7", "end")
    assert 'edit "m"' in keyboard.type("show firewall address m")
    assert shown(device) == before
    keyboard.all("execute config-transaction commit")
    assert 'set member "STAFF" "SHOP" "m"\n' in shown(device, "firewall addrgrp")
    assert shown(device, "firewall policy").index("edit 3") < shown(device, "firewall policy").index("edit 7")
    assert device.locks.held == {}


def test_an_aborted_transaction_leaves_nothing() -> None:
    device = fortigate()
    before = shown(device)
    keyboard = staging(device, "config firewall address", "edit STAFF", "set color 3", "next", "delete CDN", "end")
    keyboard.all("execute config-transaction abort")
    assert (shown(device), keyboard.type("show")) == (before, before)
    assert keyboard.type("execute config-transaction abort").endswith("Return code 1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LockText.WRAPPED, LOCKED),
        (LockText.ONE_LINE, LOCKED.replace("objects\nare", "objects are").replace("fail.", "fail")),
    ],
)
def test_what_a_transaction_touched_is_locked_for_others(text: LockText, words: str) -> None:
    """The object itself, and what it refers to."""
    device = fortigate(switches=Switches(lock_text=text))
    keyboard = staging(device, "config firewall addrgrp", "edit ALL_STAFF", "append member CDN", "end")
    other = configuring(device, "firewall addrgrp")
    before = shown(device)
    assert other.type("edit ALL_STAFF") == words
    other.all("end", "config firewall address")
    assert other.type("delete CDN") == words
    assert other.type("edit STAFF") == words
    assert shown(device) == before
    keyboard.all("execute config-transaction commit")
    other.all("edit STAFF")


def test_two_transactions_do_not_meet() -> None:
    device = fortigate()
    one = staging(device, "config firewall address", "edit STAFF", "set color 1", "end")
    two = staging(device, "config firewall address", "edit SHOP", "set color 2", "next")
    assert two.type("edit STAFF") == LOCKED
    two.all("end", "execute config-transaction commit")
    assert "set color 2" not in one.type("show firewall address SHOP")
    one.all("execute config-transaction commit")
    text = shown(device, "firewall address")
    assert ("set color 1" in text, "set color 2" in text) == (True, True)


def test_a_transaction_expires_with_a_warning_and_frees_its_objects() -> None:
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    keyboard = staging(device, "config firewall address", "edit STAFF", "set color 1", "next", minutes="1")
    clock.advance(timedelta(seconds=31))
    assert keyboard.type("") == "config transaction id=1 will expire in 30 seconds\n"
    clock.advance(timedelta(seconds=55))  # counted from the last line
    assert keyboard.type("") == (
        "config transaction id=1 will expire in 30 seconds\n"
        "config transaction id=1 will expire in 20 seconds\n"
        "config transaction id=1 will expire in 10 seconds\n"
    )
    clock.advance(timedelta(seconds=60))
    assert keyboard.type("").endswith("config transaction id=1 has expired\n")
    assert keyboard.prompt == "FGT # "
    assert "set color 1" not in shown(device, "firewall address")
    configuring(device, "firewall address", "edit STAFF")


def test_a_lost_session_leaves_its_transaction_until_its_time_is_out() -> None:
    clock = ManualClock(NOON)
    device = fortigate(clock=clock)
    keyboard = staging(device, "config firewall address", "edit STAFF", "set color 1", "next", minutes="2")
    keyboard.cli.closed()
    assert configuring(device, "firewall address").type("edit STAFF") == LOCKED
    assert Keyboard(device).type("diagnose sys config-transaction status") == "config transaction id=1\n"
    clock.advance(timedelta(minutes=2))
    configuring(device, "firewall address", "edit STAFF")
    assert Keyboard(device).type("diagnose sys config-transaction status") == ""


def test_the_console_is_not_configured_in_a_transaction() -> None:
    keyboard = staging(fortigate(base=""))
    assert keyboard.type("config system console").endswith("Command fail. Return code -61\n")
    keyboard.all("config system global")
    assert keyboard.type("set vdom-mode multi-vdom").endswith("Command fail. Return code -61\n")
    assert keyboard.prompt == "FGT (global) # "


def test_transactions_came_with_6_2() -> None:
    keyboard = Keyboard(fortigate(base="", model=Model(version=(6, 0, 9))))
    assert keyboard.type(START) == "\ncommand parse error before 'config-transaction'\nCommand fail. Return code -61\n"


def test_what_start_and_commit_say_is_a_switch() -> None:
    keyboard = Keyboard(fortigate(switches=Switches(transaction_words=TransactionWords.WORDY)))
    assert keyboard.type(START) == "config transaction start succeeded\n"
    assert keyboard.type("execute config-transaction commit") == "config transaction commit succeeded\n"


def test_a_second_transaction_of_one_session_is_refused() -> None:
    assert staging(fortigate()).type(START).endswith("Return code 1\n")


# --- saving -----------------------------------------------------------------------------------------------------------


def saving(mode: str, clock: ManualClock) -> FortiGate:
    device = fortigate(clock=clock)
    configuring(device, "system global", f"set cfg-save {mode}", "end")
    return device


def test_every_change_is_saved_unless_told_otherwise() -> None:
    device = fortigate()
    configuring(device, "firewall address", "edit n", "end")
    device.reboot()
    assert 'edit "n"' in shown(device, "firewall address n")


def test_manual_saving_loses_what_was_not_saved() -> None:
    device = saving("manual", ManualClock(NOON))
    configuring(device, "firewall address", "edit kept", "end").all("execute cfg save")
    configuring(device, "firewall address", "edit lost", "end")
    device.reboot()
    text = shown(device, "firewall address")
    assert ('edit "kept"' in text, 'edit "lost"' in text) == (True, False)
    assert "set cfg-save manual\n" in shown(device, "system global")


def test_reverting_drops_what_was_not_saved_in_time() -> None:
    clock = ManualClock(NOON)
    device = saving("revert", clock)
    keyboard = configuring(device, "firewall address", "edit lost", "end")
    clock.advance(timedelta(seconds=299))
    keyboard.all("")
    clock.advance(timedelta(seconds=299))
    keyboard.all("execute cfg save", "config firewall address", "edit late", "end")
    for seconds in (299, 299):
        clock.advance(timedelta(seconds=seconds))
        keyboard.all("")
    clock.advance(timedelta(seconds=3))
    keyboard.raw("\r")
    assert keyboard.closed  # by the reboot that reverts
    text = shown(device, "firewall address")
    assert ('edit "lost"' in text, 'edit "late"' in text) == (True, False)


def test_back_to_automatic_saving_everything_is_saved() -> None:
    device = saving("manual", ManualClock(NOON))
    configuring(device, "firewall address", "edit n", "end").all(
        "config system global", "set cfg-save automatic", "end"
    )
    device.reboot()
    assert 'edit "n"' in shown(device, "firewall address n")


def test_a_reboot_ends_sessions() -> None:
    device = fortigate()
    keyboard = Keyboard(device)
    device.reboot()
    keyboard.raw("show\r")
    assert keyboard.closed
    assert "Last reboot reason: warm reboot\n" in Keyboard(device).type("get system status")


# --- under a manager --------------------------------------------------------------------------------------------------

MANAGED: Final = 'config system central-management\n    set type fortimanager\n    set fmg "192.0.2.200"\nend\n'


def test_a_manager_shows_in_the_configuration_and_overwrites_policies() -> None:
    device = fortigate(base=SITE + MANAGED)
    assert device.managed
    assert "    set type fortimanager\n" in shown(device, "system central-management")
    keyboard = configuring(device, "firewall policy", "edit 7", "set status disable", "next", "clone 7 to 9", "end")
    assert device.local_changes == 2
    keyboard.all("config system console", "set output more", "set output standard", "end")
    assert device.local_changes == 2  # nothing came of it
    keyboard.all("config system console", "set output more", "end")
    assert device.local_changes == 3
    policies = SITE[SITE.index("config firewall policy") : SITE.index("config router")]
    device.install(policies)
    assert device.local_changes == 0
    assert "edit 9" not in shown(device, "firewall policy")
    assert "set status disable" not in shown(device, "firewall policy")


def test_without_a_manager_nothing_is_counted() -> None:
    device = fortigate()
    configuring(device, "firewall address", "edit n", "end")
    assert (device.managed, device.local_changes) == (False, 0)


# --- a cluster --------------------------------------------------------------------------------------------------------


def cluster(version: tuple[int, int, int] = (7, 4, 8)) -> tuple[FortiGate, FortiGate]:
    model = Model(version=version)
    base = "config system console\nset output standard\nend\n"
    first = fortigate(name="one", base=base, model=model)
    second = fortigate(name="two", base="", model=model, serial="FG100FTK00000002")
    first.pair(second)
    return first, second


def test_a_change_on_either_member_is_on_both() -> None:
    """Typed on the secondary it propagates as well, says the vendor's article; each keeps its own name."""
    first, second = cluster()
    configuring(first, "firewall address", "edit a", "end")
    configuring(second, "firewall address", "edit b", "end")
    assert shown(first, "firewall address") == shown(second, "firewall address")
    configuring(first, "system global", "set hostname uno", "set admintimeout 30", "end")
    assert Keyboard(second).prompt == "two # "
    assert "set admintimeout 30\n" in shown(second, "system global")


@pytest.mark.parametrize(
    ("version", "roles"),
    [
        ((7, 4, 8), ("primary", "secondary")),
        ((6, 4, 4), ("primary", "secondary")),
        ((6, 2, 6), ("master", "backup")),
    ],
)
def test_each_member_tells_its_role(version: tuple[int, int, int], roles: tuple[str, str]) -> None:
    first, second = cluster(version)

    def lines() -> list[str]:
        return [Keyboard(at).type("get system status | grep HA") for at in (first, second)]

    assert lines() == [f"Current HA mode: a-p, {role}\n" for role in roles]
    first.fail_over()
    assert lines() == [f"Current HA mode: a-p, {role}\n" for role in reversed(roles)]


def test_ha_status_lists_the_primary_first() -> None:
    first, second = cluster()
    before = Keyboard(second).type("get system ha status")
    assert "Primary: FG100FTK00000001, HA operating index = 0\n" in before
    first.fail_over()
    after = Keyboard(first).type("get system ha status")
    assert "Primary: FG100FTK00000002, HA operating index = 0\n" in after
    assert "Secondary: FG100FTK00000001, HA operating index = 1\n" in after
    assert "    FG100FTK00000001(updated 3 seconds ago): in-sync\n" in after
    assert "vcluster 1: standby 169.254.0.1\n" in after


def test_members_that_are_out_of_sync_say_so() -> None:
    first, second = cluster()
    first.synced = False
    configuring(first, "firewall address", "edit a", "end")
    assert 'edit "a"' not in shown(second, "firewall address")
    text = Keyboard(first).type("get system ha status")
    assert "    FG100FTK00000001(updated 3 seconds ago): in-sync\n" in text
    assert "    FG100FTK00000002(updated 3 seconds ago): out-of-sync\n" in text


def test_the_role_in_the_prompt_is_a_switch() -> None:
    first, second = (fortigate(name=name, base=VDOMS, switches=Switches(ha_prompt=True)) for name in ("one", "two"))
    first.pair(second)
    assert (Keyboard(first).prompt, Keyboard(second).prompt) == ("one(Primary) # ", "two(Secondary) # ")
