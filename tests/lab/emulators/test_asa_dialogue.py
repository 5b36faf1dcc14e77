"""The ASA's terminal: modes, prompts, passwords, refusals, placement, saving, contexts, roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from core.clock import ManualClock
from lab.emulators.asa import Asa, Model, Switches, User, pair
from tests.lab.emulators.asa import SITE, Keyboard, asa, configuring, enabled, running

INVALID = "ERROR: % Invalid input detected at '^' marker.\n"
INCOMPLETE = "ERROR: % Incomplete command\n"


# --- coming in --------------------------------------------------------------------------------------------------------


def test_a_login_tells_who_came_before_and_lands_at_the_lowest_prompt() -> None:
    device = asa()
    Keyboard(device)
    keyboard = Keyboard(device)
    assert keyboard.first == (
        "User admin logged in to edge\r\n"
        "Logins over the last 35 days: 2.  Last login: 12:00:00 UTC Mar 2 2026 from 192.0.2.12\r\n"
        "Failed logins since the last login: 0.  \r\n"
        "Type help or '?' for a list of available commands.\r\n\redge> "
    )


def test_older_images_print_the_line_about_help_alone() -> None:
    keyboard = Keyboard(asa(model=Model(login_history=False)))
    assert keyboard.first == "Type help or '?' for a list of available commands.\r\n\redge> "


def test_the_secret_is_asked_for_unseen_and_again_when_it_is_wrong() -> None:
    keyboard = Keyboard(asa())
    assert keyboard.raw("enable\r") == "enable\r\nPassword: "
    assert keyboard.raw("wrong\r") == "\r\nInvalid password\r\nPassword: "
    assert keyboard.raw("enable\r") == "\r\n\redge# "


def test_three_wrong_secrets_are_enough() -> None:
    keyboard = Keyboard(asa())
    keyboard.raw("enable\ra\rb\r")
    assert keyboard.raw("c\r") == "\r\nAccess denied.\r\n\redge> "


def test_a_password_may_be_echoed_as_stars() -> None:
    keyboard = Keyboard(asa(switches=Switches(password_stars=True)))
    assert keyboard.raw("enable\renable\r") == "enable\r\nPassword: ******\r\n\redge# "


def test_a_user_may_raise_the_session_by_logging_in_again() -> None:
    keyboard = Keyboard(asa(users={"svc": User(password="pw")}), "svc")
    assert keyboard.raw("login\r") == "login\r\nUsername: "
    assert keyboard.raw("svc\r") == "svc\r\nPassword: "
    assert keyboard.raw("pw\r") == "\r\n\redge# "
    assert keyboard.type("show curpriv") == ("Username : svc\nCurrent privilege level : 15\nCurrent Mode/s : P_PRIV\n")


def test_a_privileged_user_may_land_at_the_higher_prompt() -> None:
    assert Keyboard(asa(switches=Switches(auto_enable=True))).prompt == "edge# "


def test_the_first_configuration_may_ask_a_question() -> None:
    keyboard = enabled(asa(ask_reporting=True))
    assert keyboard.raw("configure terminal\r").endswith("[Y]es, [N]o, [A]sk later: ")
    keyboard.type("n")
    assert keyboard.prompt == "edge(config)# "


@pytest.mark.parametrize("line", ["show running-config", "configure terminal", "write memory", "reload", "access-list"])
def test_the_lowest_prompt_knows_little(line: str) -> None:
    assert Keyboard(asa()).type(line).endswith(INVALID)


# --- modes ------------------------------------------------------------------------------------------------------------

PROMPTS = {
    "configure terminal": "edge(config)# ",
    "object network web": "edge(config-network-object)# ",
    "object service high": "edge(config-service-object)# ",
    "object-group network staff": "edge(config-network-object-group)# ",
    "object-group service mail tcp": "edge(config-service-object-group)# ",
    "time-range nights": "edge(config-time-range)# ",
}
PLAIN = {
    "object network web": "edge(config-object)# ",
    "object-group service mail tcp": "edge(config-group)# ",
    "object-group network staff": "edge(config-network-object-group)# ",
    "time-range nights": "edge(config-range)# ",
}


@pytest.mark.parametrize(("plain", "prompts"), [(False, PROMPTS), (True, PLAIN)])
def test_every_mode_has_its_prompt(plain: bool, prompts: Mapping[str, str]) -> None:
    keyboard = configuring(asa(switches=Switches(plain_submodes=plain)))
    for line, prompt in prompts.items():
        assert (keyboard.type(line), keyboard.prompt) == ("", prompt)


def test_leaving_goes_one_mode_up_or_all_the_way() -> None:
    keyboard = configuring(asa(), "object network web")
    keyboard.all("exit")
    assert keyboard.prompt == "edge(config)# "
    keyboard.all("object network web", "end")
    assert keyboard.prompt == "edge# "
    keyboard.all("configure terminal", "exit")
    assert keyboard.prompt == "edge# "
    keyboard.all("disable")
    assert keyboard.prompt == "edge> "
    keyboard.type("exit")
    assert keyboard.closed


def test_a_global_line_is_taken_inside_a_submode_and_leaves_it() -> None:
    keyboard = configuring(asa(), "object-group network staff", "network-object host 1.1.1.1")
    keyboard.all("access-list X extended permit ip any any")
    assert keyboard.prompt == "edge(config)# "


def test_a_refused_line_leaves_the_mode_alone() -> None:
    keyboard = configuring(asa(), "object-group network staff")
    assert keyboard.type("no object-group network staff").startswith("Removing object-group (staff) not allowed")
    assert keyboard.prompt == "edge(config-network-object-group)# "


def test_shows_are_answered_in_configuration_mode() -> None:
    keyboard = configuring(asa(), "object-group network staff")
    assert keyboard.type("show mode") == "Security context mode: single\n"
    assert keyboard.prompt == "edge(config-network-object-group)# "


def test_keywords_may_be_cut_short() -> None:
    keyboard = enabled(asa())
    assert keyboard.type("sh run access-gr") == "access-group INSIDE_IN in interface inside\n"
    keyboard.all("conf t")
    assert keyboard.type("write mem").endswith("[OK]\n")


def test_the_caret_stands_under_the_word_that_is_wrong() -> None:
    keyboard = configuring(asa())
    assert keyboard.type("foo") == f"{' ' * len('edge(config)# ')}^\n{INVALID}"
    assert keyboard.type("access-list A extended allow ip any any") == (
        f"{' ' * len('edge(config)# access-list A extended ')}^\n{INVALID}"
    )


def test_the_width_is_configured_and_not_set_in_exec_mode() -> None:
    keyboard = enabled(asa())
    assert keyboard.type("terminal width 511").endswith(INVALID)
    keyboard.all("configure terminal", "terminal width 511")
    assert "terminal width 511\n" in keyboard.type("show running-config")
    for width in ("39", "512", "0"):
        assert keyboard.type(f"terminal width {width}").endswith(INVALID)


def test_zero_may_be_a_width() -> None:
    configuring(asa(switches=Switches(wide_zero=True)), "terminal width 0")


def test_a_long_line_is_drawn_anew_beyond_the_width() -> None:
    keyboard = enabled(asa(), "configure terminal", "object-group network staff")
    long = f"description {'x' * 90}"
    shown = keyboard.raw(f"{long}\r")
    assert long not in shown
    assert "\redge(config-network-object-group)# $" in shown
    keyboard.all("terminal width 511", "object-group network staff")
    assert long in keyboard.raw(f"{long}\r")


def test_output_stops_after_a_page_and_the_marker_is_wiped() -> None:
    keyboard = Keyboard(asa())
    keyboard.all("enable", "enable", "terminal pager 3")
    first = keyboard.raw("show running-config\r")
    assert first.endswith("<--- More --->")
    assert keyboard.raw(" ").startswith("\r              \r")
    assert keyboard.raw("q").endswith("\r\n\redge# ")


def test_the_site_says_how_long_a_page_is() -> None:
    device = asa(base=SITE.replace("pager lines 24", "pager lines 5"))
    keyboard = Keyboard(device)
    keyboard.all("enable", "enable")
    assert keyboard.raw("show running-config\r").count("\r\n") == 6
    keyboard.raw("q")
    keyboard.all("no terminal pager")
    assert "More" not in keyboard.raw("show running-config\r")


# --- refusals ---------------------------------------------------------------------------------------------------------

ALREADY = "Adding obj (network-object host 10.0.2.7) to grp (staff) failed; object already exists\n"
EMPTIED = (
    "Removing obj from object-group not allowed; object-group (lone),  being used in access-list or threat-detection"
    " or NAT, would become empty\n"
)
LONE = (
    "object-group network lone",
    "network-object host 1.1.1.1",
    "access-list INSIDE_IN line 1 extended deny ip any object-group lone",
)
REFUSALS: list[tuple[tuple[str, ...], str, str]] = [
    ((), "object-group network", INCOMPLETE),
    ((), "access-list A extended permit", INCOMPLETE),
    ((), "access-list A extended permit ip any", INCOMPLETE),
    ((), "no object-group network staff", "Removing object-group (staff) not allowed, it is being used.\n"),
    ((), "no object-group network nobody", "Removing object-group (nobody) failed; it does not exist\n"),
    ((), "object-group network mail", "An object-group with the same id but different type (service) exists\n"),
    ((), "no object-group service staff", "An object-group with the same id but different type (network) exists\n"),
    ((), "object-group network web", "ERROR: An object with the same id (web) exists\n"),
    ((), "object network staff", "ERROR: An object-group with the same id (staff) exists\n"),
    ((), "object network high", "ERROR: An object with the same id but different type (service) exists\n"),
    ((), "no object network web", "ERROR: unable to delete object (web). object is being used.\n"),
    ((), "no object network nobody", "ERROR: object (nobody) does not exist.\n"),
    (("object-group network staff",), "network-object host 10.0.2.7", ALREADY),
    (("object-group network staff",), "network-object 10.0.2.7 255.255.255.255", ALREADY),
    (("object-group network staff",), "network-object host nonsense", "ERROR: % Invalid Hostname\n"),
    (("object-group network staff",), "network-object object nobody", "ERROR: object (nobody) does not exist.\n"),
    (("object-group network staff",), "group-object nobody", "ERROR: specified object group <nobody> not found\n"),
    (
        ("object-group network staff",),
        "group-object servers",
        "Adding obj (group-object servers) to grp (staff) failed; cause a loop in grp hierarchy\n",
    ),
    (
        ("object-group network staff",),
        "group-object staff",
        "Adding obj (group-object staff) to grp (staff) failed; cause a loop in grp hierarchy\n",
    ),
    (
        ("object-group network hollow", "object-group network staff"),
        "group-object hollow",
        "object-group (hollow) is empty. Cannot add an empty group-object to object-group\n",
    ),
    (
        ("object-group network staff",),
        "group-object mail",
        "An object-group with the same id but different type (service) exists\n",
    ),
    (
        ("object-group network staff",),
        "no network-object host 9.9.9.9",
        "ERROR: Removing obj (network-object host 9.9.9.9) from grp (staff) failed; object does not exist\n",
    ),
    ((*LONE, "object-group network lone"), "no network-object host 1.1.1.1", EMPTIED),
    (("object network web",), "fqdn *.example.com", "ERROR: % Invalid Hostname\n"),
    (("object network web",), "fqdn -a.example.com", "ERROR: % Invalid Hostname\n"),
    (("object network web",), "host 10.0.0.999", "ERROR: % Invalid Hostname\n"),
    ((), "access-list A extended deny ip any object nobody", "ERROR: object (nobody) does not exist.\n"),
    ((), "access-list A extended deny ip any object high", "ERROR: object (high) does not exist.\n"),
    (
        (),
        "access-list A extended deny ip any object-group nobody",
        "ERROR: specified object group <nobody> not found\n",
    ),
    ((), "access-list INSIDE_IN extended permit ip any any", "WARNING: <INSIDE_IN> found duplicate element\n"),
    ((), "access-list INSIDE_IN line 1 extended permit ip any any", "WARNING: <INSIDE_IN> found duplicate element\n"),
    ((), "no access-list NONE extended permit ip any any", "ERROR: access-list <NONE> does not exist\n"),
    ((), "no access-list INSIDE_IN extended deny ip any any", "Specified access-list does not exist\n"),
    ((), "no access-list INSIDE_IN line 1 extended permit ip any any", "Specified access-list does not exist\n"),
    ((), "clear configure access-list NONE", "ERROR: access-list <NONE> does not exist\n"),
    ((), "show access-list NONE", "ERROR: access-list <NONE> does not exist\n"),
    ((), "clear access-list NONE counters", "ERROR: access-list <NONE> does not exist\n"),
    ((), "access-group NONE in interface inside", "ERROR: access-list <NONE> does not exist\n"),
    ((), "no access-group INSIDE_IN out interface inside", "ERROR: access-group INSIDE_IN is not bound there\n"),
    ((), "access-list A extended deny ip any any time-range never", "ERROR: time-range <never> does not exist\n"),
    ((), "no time-range nights", "ERROR: time-range <nights> is being used\n"),
    ((), f"access-list A remark {'x' * 101}", "ERROR: remark is longer than 100 characters\n"),
    ((), f"object network {'x' * 129}", "ERROR: name is longer than 128 characters\n"),
    (("object network web",), f"description {'x' * 201}", "ERROR: description is longer than 200 characters\n"),
    ((), "show object-group id nobody", "object-group nobody does not exist\n"),
]
INVALID_LINES: list[tuple[tuple[str, ...], str]] = [
    ((), "access-list A permit ip any any"),
    ((), "access-list A extended permit ip 10.0.0.0 0.0.0.255 any"),  # a wildcard mask
    ((), "access-list A extended permit ip 10.0.0.0/8 any"),
    ((), "access-list A extended permit ip 2001:db8:: 255.255.0.0 any"),
    ((), "access-list A extended permit ip any any eq 80"),
    ((), "access-list A extended permit tcp any any eq 65536"),
    ((), "access-list A extended permit tcp any any eq isakmp"),
    ((), "access-list A extended permit tcp any any range 20 10"),
    ((), "access-list A extended permit ip any any log 8"),
    ((), "access-list A extended permit ip any any log interval 601"),
    ((), "access-list A extended permit ip any any inactive log"),
    ((), "access-list A extended permit ip any any time-range nights log"),
    ((), "access-list A line 0 extended permit ip any any"),
    ((), "access-group INSIDE_IN in interface nowhere"),
    ((), "access-group INSIDE_IN sideways interface inside"),
    ((), "interface GigabitEthernet0/9"),
    ((), "do show version"),
    ((), "commit"),
    ((), "show running-config | include access"),
    ((), "changeto system"),
    ((), "write standby"),
    ((), "show context"),
    (("object network web",), "subnet 10.0.0.0 0.0.0.255"),
    (("object network web",), "range 10.0.0.9 10.0.0.1"),
    (("object network web",), "network-object host 1.1.1.1"),
    (("object-group network staff",), "network-object any"),
    (("object-group network staff",), "port-object eq 80"),
    (("object-group service mail",), "service-object tcp"),
    (("object-group service mail",), "port-object gt 80"),
    (("time-range nights",), "periodic daily 9:00 to 8:00"),
    (("time-range nights",), "periodic Monday Friday 9:00 to Tuesday 8:00"),
    (("time-range nights",), "absolute start 00:00 31 February 2026"),
]


@pytest.mark.parametrize(
    ("before", "line", "answer"), REFUSALS + [(before, line, INVALID) for before, line in INVALID_LINES]
)
def test_what_is_refused_is_refused_in_these_words_and_changes_nothing(
    before: tuple[str, ...], line: str, answer: str
) -> None:
    device = asa()
    keyboard = configuring(device, *before)
    was, mode = running(device), keyboard.prompt
    said = keyboard.type(line)
    assert said == answer if answer != INVALID else said.endswith(f"^\n{INVALID}")
    assert running(device) == was
    assert keyboard.prompt == mode


@pytest.mark.parametrize("prefix", ["ERROR: ", "WARNING: ", ""])
def test_words_that_no_source_settles_may_begin_with_anything(prefix: Any) -> None:
    keyboard = configuring(asa(switches=Switches(refusal=prefix)))
    told = f"{prefix}unable to delete object (web). object is being used.\n"
    assert keyboard.type("no object network web") == told


def test_the_answer_to_a_known_member_may_begin_with_a_warning() -> None:
    keyboard = configuring(asa(switches=Switches(member_warning=True)), "object-group network staff")
    assert keyboard.type("network-object host 10.0.2.7") == f"WARNING: {ALREADY}"


def test_a_group_named_twice_in_one_line_is_taken_with_a_warning() -> None:
    keyboard = configuring(asa())
    assert keyboard.type("access-list A extended permit ip object-group staff object-group staff") == (
        "WARNING: Same object-group is used more than once in one config line. This config is redundant."
        " Please use seperate object-groups\n"
    )
    assert "access-list A extended permit ip object-group staff object-group staff \n" in running(keyboard.device)


def test_a_command_may_be_forbidden_to_this_user() -> None:
    device = asa()
    device.mishaps.forbidden = ("write",)
    assert enabled(device).type("write memory") == "Command authorization failed\n"


def test_another_session_may_hold_the_configuration() -> None:
    device = asa()
    keyboard = configuring(device)
    device.mishaps.config_held_by = "console"
    assert keyboard.type("hostname x").startswith("ERROR: ")
    assert keyboard.type("show mode") == "Security context mode: single\n"
    assert keyboard.prompt == "edge(config)# "


def test_the_device_speaks_up_in_the_middle_of_an_answer() -> None:
    device = asa()
    keyboard = enabled(device)
    device.interject()
    assert "Beginning configuration replication: Sending to mate.\n" in keyboard.type("show failover")
    assert keyboard.type("show mode") == ("End Configuration Replication to mate\nSecurity context mode: single\n")


# --- placement and normal form ----------------------------------------------------------------------------------------


def listed(keyboard: Keyboard, name: str = "T") -> list[str]:
    return [line.split(" ", 2)[2] for line in keyboard.type(f"show running-config access-list {name}").splitlines()]


def test_a_line_goes_where_it_says_and_the_others_move() -> None:
    keyboard = configuring(
        asa(),
        "access-list T remark one",
        "access-list T extended permit ip any any",
        "access-list T line 2 extended deny tcp any any",
        "access-list T line 1 remark zero",
        "access-list T line 99 remark last",
    )
    assert listed(keyboard) == [
        "remark zero", "remark one", "extended deny tcp any any", "extended permit ip any any", "remark last",
    ]  # fmt: skip
    shown = keyboard.type("show access-list T").splitlines()
    assert [line.split(" ")[3] for line in shown[1:]] == ["1", "2", "3", "4", "5"]
    keyboard.all("no access-list T line 2 remark one", "no access-list T extended deny tcp any any")
    assert listed(keyboard) == ["remark zero", "extended permit ip any any", "remark last"]


def test_the_same_remark_may_stand_twice_and_the_line_tells_which_goes() -> None:
    keyboard = configuring(asa(), "access-list T remark x", "access-list T remark y", "access-list T remark x")
    keyboard.all("no access-list T line 3 remark x")
    assert listed(keyboard) == ["remark x", "remark y"]


def test_an_entry_entered_again_with_other_options_is_changed_where_it_stands() -> None:
    keyboard = configuring(asa(), "access-list T extended permit ip any any inactive", "access-list T remark end")
    keyboard.all("access-list T extended permit ip any any")
    assert listed(keyboard) == ["extended permit ip any any", "remark end"]


NORMAL = {
    "tcp any any eq 80": "tcp any any eq www",
    "tcp any any eq http": "tcp any any eq www",
    "udp any any eq 443": "udp any any eq 443",
    "6 any any eq 443": "tcp any any eq https",
    "ip 10.1.1.1 255.255.255.255 any": "ip host 10.1.1.1 any",
    "ip 2001:DB8:0:0:0:0:0:0/32 any6": "ip 2001:db8::/32 any6",
    "ip host 192.0.2.53 any": "ip host resolver any",
    "ip any any log 3": "ip any any log errors",
    "ip any any log": "ip any any log",
    "ip any any log informational interval 300": "ip any any log",
    "ip any any log 6 interval 5": "ip any any log informational interval 5",
    "ip any any log default": "ip any any log default",
    "ip any any log disable inactive": "ip any any log disable inactive",
    "icmp any any 8": "icmp any any echo",
    "tcp any object-group staff": "tcp any object-group staff ",
    "tcp object-group staff any object-group mail": "tcp object-group staff any object-group mail ",
}


@pytest.mark.parametrize(("typed", "shown"), NORMAL.items())
def test_the_configuration_prints_in_the_devices_own_words(typed: str, shown: str) -> None:
    keyboard = configuring(asa(), f"access-list T extended permit {typed}")
    assert listed(keyboard) == [f"extended permit {shown}"]
    keyboard.all(f"no access-list T extended permit {typed}")
    assert keyboard.type("show running-config access-list T") == ""


@pytest.mark.parametrize(
    ("switch", "shown"), [("kept", "10.1.1.5 255.255.0.0"), ("cleared", "10.1.0.0 255.255.0.0"), ("refused", None)]
)
def test_host_bits_under_a_mask(switch: Any, shown: str | None) -> None:
    keyboard = configuring(asa(switches=Switches(host_bits=switch)))
    said = keyboard.type("access-list T extended permit ip 10.1.1.5 255.255.0.0 any")
    assert said == ("" if shown else "ERROR: IP address,mask <10.1.1.5,255.255.0.0> doesn't pair\n")
    assert listed(keyboard) == ([f"extended permit ip {shown} any"] if shown else [])


@pytest.mark.parametrize(
    ("masked", "shown"), [(False, "host 10.1.1.1"), (True, "10.1.1.1 255.255.255.255")], ids=["host", "mask"]
)
def test_a_single_address_in_a_group_has_two_forms(masked: bool, shown: str) -> None:
    device = asa(switches=Switches(masked_hosts=masked))
    configuring(device, "object-group network g", "network-object 10.1.1.1 255.255.255.255")
    assert f"object-group network g\n network-object {shown}\n" in running(device)


def test_one_access_list_hangs_at_an_interface_and_direction() -> None:
    keyboard = configuring(asa(), "access-list T extended permit ip any any", "access-group T in interface inside")
    keyboard.all("access-group INSIDE_IN global", "access-group INSIDE_IN out interface inside")
    assert keyboard.type("show running-config access-group") == (
        "access-group T in interface inside\n"
        "access-group INSIDE_IN out interface inside\n"
        "access-group INSIDE_IN global\n"
    )


@pytest.mark.parametrize("unbinds", [True, False])
def test_an_access_list_that_goes_may_take_its_bindings_along(unbinds: bool) -> None:
    keyboard = configuring(asa(switches=Switches(empty_acl_unbinds=unbinds)), "clear configure access-list INSIDE_IN")
    bound = keyboard.type("show running-config access-group")
    assert bound == ("" if unbinds else "access-group INSIDE_IN in interface inside\n")


def test_an_object_takes_one_value_and_another_replaces_it() -> None:
    device = asa(switches=Switches(revalued="told"))
    keyboard = configuring(device, "object network web")
    assert keyboard.type("host 10.0.0.81") == "INFO: object (web) has changed\n"
    assert "object network web\n host 10.0.0.81\n description the shop\n" in running(device)


def test_a_group_without_members_may_be_taken_in_an_entry() -> None:
    line = "access-list T extended deny ip any object-group hollow"
    refusing = configuring(asa(), "object-group network hollow")
    assert refusing.type(line) == "ERROR: specified object group <hollow> is empty\n"
    configuring(asa(switches=Switches(empty_group_in_ace="accepted")), "object-group network hollow", line)


def test_a_name_may_have_to_wait_for_an_access_list() -> None:
    keyboard = configuring(asa(switches=Switches(fqdn_needs_acl=True)), "object-group network g")
    assert keyboard.type("network-object object cdn").startswith("ERROR: ")
    keyboard.all("network-object host 1.1.1.1", "access-list T extended deny ip any object-group g")
    keyboard.all("object-group network g", "network-object object cdn")


def test_missing_parts_of_the_configuration_print_nothing_or_say_so() -> None:
    lines = ("show running-config access-list NONE", "show running-config object-group id NONE")
    assert [enabled(asa()).type(line) for line in lines] == ["", ""]
    telling = enabled(asa(switches=Switches(missing_run="told")))
    assert [telling.type(line) for line in lines] == [
        "ERROR: access-list <NONE> does not exist\n", "object-group NONE does not exist\n",
    ]  # fmt: skip


# --- saving -----------------------------------------------------------------------------------------------------------


def test_what_was_not_saved_is_gone_after_a_reload() -> None:
    device = asa()
    keyboard = configuring(device, "access-list T remark unsaved", "end")
    assert "unsaved" not in keyboard.type("show startup-config")
    keyboard.all("configure terminal", "access-list S remark saved", "no access-list T remark unsaved", "end")
    assert keyboard.type("write memory").endswith("bytes copied in 0.330 secs\n[OK]\n")
    keyboard.all("configure terminal", "access-list T remark unsaved", "end")
    assert keyboard.raw("reload\r").endswith("Save? [Y]es/[N]o/[S]ave all/[C]ancel:")
    assert keyboard.raw("n\r").endswith("Proceed with reload? [confirm]")
    keyboard.raw("\r")
    assert keyboard.closed
    assert "access-list S remark saved" in running(device)
    assert "unsaved" not in running(device)


def test_a_reload_may_be_called_off_and_saves_when_told() -> None:
    device = asa()
    keyboard = configuring(device, "access-list T remark kept", "end")
    keyboard.raw("reload\rc\r")
    assert keyboard.prompt == "edge# "
    keyboard.raw("reload\ry\r\r")
    assert keyboard.closed
    assert "access-list T remark kept" in running(device)


def test_a_reload_ends_the_other_sessions() -> None:
    device = asa()
    other = enabled(device)
    device.reboot()
    other.type("show mode")
    assert other.closed


def test_saving_may_fail() -> None:
    device = asa()
    device.mishaps.flash_full = True
    assert enabled(device).type("write memory") == (
        "Building configuration...\n%Error copying system:/running-config (No Device)\n"
        "Error executing command\n[FAILED]\n"
    )


def test_the_bytes_per_second_may_be_told() -> None:
    assert " bytes/sec)\n[OK]\n" in enabled(asa(switches=Switches(copy_rate=True))).type("write memory")


def test_who_changed_the_configuration_is_told() -> None:
    device = asa()
    keyboard = configuring(device)
    assert keyboard.type("show version").endswith(
        "Configuration last modified by enable_15 at 12:00:00.000 UTC Mon Mar 2 2026\n"
    )
    assert "has not been modified" in enabled(asa()).type("show version")


# --- contexts ---------------------------------------------------------------------------------------------------------


def contexts(**options: Any) -> Asa:
    blank = SITE.replace("hostname edge\n", "")
    return asa(base="prompt hostname context\n", contexts={"admin": "", "CTX1": blank, "CTX2": ""}, **options)


def test_contexts_are_entered_from_the_admin_context_or_the_system() -> None:
    keyboard = enabled(contexts())
    assert keyboard.prompt == "edge/admin# "
    assert keyboard.type("changeto context GLOBAL") == "ERROR: 'GLOBAL' is not valid\n"
    keyboard.all("changeto system")
    assert keyboard.prompt == "edge# "
    assert "*admin " in keyboard.type("show context")
    keyboard.all("changeto context CTX1")
    assert keyboard.prompt == "edge/CTX1# "
    assert keyboard.type("show mode") == "Security context mode: multiple\n"


def test_each_context_has_its_own_configuration_and_saves_it() -> None:
    device = contexts()
    keyboard = enabled(device, "changeto context CTX2", "configure terminal", "access-list T remark two", "end")
    assert "remark two" in keyboard.type("show running-config")
    keyboard.type("write memory")
    assert "remark two" in device.contexts["CTX2"].startup
    assert "remark two" not in device.contexts["CTX1"].startup


def test_the_system_saves_all_and_configures_no_access_lists() -> None:
    device = contexts()
    keyboard = enabled(device, "changeto context CTX2", "configure terminal", "access-list T remark two", "end")
    other = enabled(device, "changeto system")
    assert other.type("write memory all").count("[OK]\n") == 4
    assert "remark two" in device.contexts["CTX2"].startup
    other.all("configure terminal")
    assert other.type("access-list T remark x").endswith(INVALID)
    assert keyboard.type("write memory all").endswith(INVALID)


# --- failover ---------------------------------------------------------------------------------------------------------

WARNING = (
    "**** WARNING ****\n"
    "        Configuration Replication is NOT performed from Standby unit to Active unit.\n"
    "        Configurations are no longer synchronized.\n"
)


def two(**options: Any) -> tuple[Asa, Asa]:
    clock = ManualClock(asa().clock.now())
    states = SITE.replace("pager lines", "prompt hostname priority state\npager lines")
    first, second = (asa(name=name, base=states, clock=clock, **options) for name in ("one", "two"))
    pair(first, second)
    return first, second


def test_what_the_active_unit_takes_the_standby_unit_takes_too() -> None:
    first, second = two()
    configuring(first, "object-group network staff", "network-object host 1.2.3.4", "access-list T remark x")
    assert running(first) == running(second)
    enabled(first).type("write memory")
    assert "1.2.3.4" in second.contexts[""].startup


def test_the_standby_unit_warns_at_every_line_and_takes_it_for_itself() -> None:
    first, second = two()
    keyboard = enabled(second, "configure terminal")
    assert keyboard.prompt == "edge/sec/stby(config)# "
    assert keyboard.type("terminal width 511") == WARNING
    assert keyboard.type("access-list T remark x") == WARNING
    assert "remark x" in running(second)
    assert "remark x" not in running(first)


def test_the_warning_may_stand_at_the_margin() -> None:
    _, second = two(switches=Switches(standby_indent=0, standby_token="sby"))
    keyboard = enabled(second, "configure terminal")
    assert keyboard.prompt == "edge/sec/sby(config)# "
    assert keyboard.type("access-list T remark x") == WARNING.replace("        ", "")


def test_a_failover_turns_roles_and_the_prompt_of_the_same_session() -> None:
    first, _ = two()
    keyboard = enabled(first)
    assert "        This host: Primary - Active\n" in keyboard.type("show failover")
    assert "        Other host: Secondary - Standby Ready\n" in keyboard.type("show failover")
    assert keyboard.prompt == "edge/pri/act# "
    first.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
    first.fail_over()
    assert keyboard.prompt == "edge/pri/stby# "
    assert "        This host: Primary - Standby Ready\n" in keyboard.type("show failover")
    assert "        This host: Secondary - Active\n" in keyboard.type("failover exec mate show failover")


def test_the_mate_takes_over_when_the_active_unit_reloads() -> None:
    first, second = two()
    first.reboot()
    assert (first.active, second.active) == (False, True)
