"""The dialogue of the emulated FortiGate, line by line: contexts, refusals, placement, references, paging."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from core.clock import ManualClock
from lab.emulators.fortios import Admin, FortiGate, HostBits, Mandatory, Model, Switches, Unloadable
from lab.emulators.server import Access
from tests.lab.emulators.fortios import NOON, SITE, VDOMS, Keyboard, configuring, fortigate, shown

QUIET: Final = "config system console\n    set output standard\nend\n"


def refused(code: int, *lines: str) -> str:
    return "".join(f"{line}\n" for line in (*lines, f"Command fail. Return code {code}"))


def parse(word: str) -> str:
    return refused(-61, "", f"command parse error before '{word}'")


def value(code: int, word: str, *why: str) -> str:
    return refused(code, *why, "", f"value parse error before '{word}'")


def missing(word: str) -> str:
    return value(-3, word, "entry not found in datasource")


def number(word: str) -> str:
    return value(-651, word, f"invalid unsigned integer value: {word}")


def address(word: str) -> str:
    return value(-8, word, "invalid ip address")


def long(word: str, limit: int) -> str:
    size = f"string value is too long. the size is {len(word)}, the limit is {limit}"
    return refused(-1, size, f"value parse error before '{word}'")


def ports(word: str) -> str:
    return refused(-650, f"node_check_object fail! for tcp-portrange {word}", f"value parse error before '{word}'")


def clash(word: str) -> str:
    why = f"Name '{word}' conflict: 'address' and 'address group' cannot be the same name."
    return value(-163, word, why, f"node_check_object fail! for name {word}")


def unset(field: str) -> str:
    """Likely words: the form is the emulator's own."""
    return discarded(-56, f"node_check_object fail! for {field} ", f"Attribute '{field}' MUST be set.")


def discarded(code: int, *why: str) -> str:
    return refused(1, *why, f"object check operator error, {code}, discard the setting")


SHORT: Final = refused(-160, "", "incomplete command in the end")
TAKEN: Final = refused(1, "object set operator error, -15 discard the setting")


# --- going in and out -------------------------------------------------------------------------------------------------


def test_contexts_show_in_the_prompt() -> None:
    keyboard = Keyboard(fortigate())
    seen = [keyboard.prompt]
    for line in ("config firewall address", "edit STAFF", "next", 'edit "two words"', "end", "config system console"):
        assert keyboard.type(line) == ""
        seen.append(keyboard.prompt)
    assert seen == [
        "FGT # ",
        "FGT (address) # ",
        "FGT (STAFF) # ",
        "FGT (address) # ",
        "FGT (two words) # ",
        "FGT # ",
        "FGT (console) # ",
    ]


def test_a_long_host_name_is_cut_in_the_prompt() -> None:
    """As recorded: eight characters, a tilde, three."""
    device = fortigate(name="forti-fw-in-the-cellar-of-house-01")
    assert Keyboard(device).prompt == "forti-fw~-01 # "


def test_a_restricted_administrator_has_a_dollar_and_no_global_scope() -> None:
    device = fortigate(base=VDOMS, admins={"eve": Admin(everywhere=False)})
    keyboard = Keyboard(device, "eve")
    assert keyboard.prompt == "FGT $ "
    assert keyboard.type("config global") == refused(-37, "Permission denied")
    keyboard.type("config vdom")
    assert keyboard.type("edit root") == "current vf=root:0\n"
    keyboard.all("config firewall address", "edit x")
    assert keyboard.prompt == "FGT (x) $ "


def test_who_may_only_read_cannot_configure() -> None:
    device = fortigate(admins={"eve": Admin(writes=False)})
    keyboard = Keyboard(device, "eve")
    assert keyboard.type("config firewall address") == refused(-37, "Permission denied")
    assert keyboard.type("execute reboot") == refused(-37, "Permission denied")
    assert keyboard.type("show firewall addrgrp").startswith("config firewall addrgrp\n")


def test_abort_leaves_without_the_entry() -> None:
    keyboard = configuring(fortigate(), "firewall address", "edit STAFF", "set color 5", "abort")
    assert keyboard.prompt == "FGT # "
    assert "color" not in shown(keyboard.device, "firewall address")


def test_end_takes_the_entry_along() -> None:
    keyboard = configuring(fortigate(), "firewall address", "edit STAFF", "set color 5", "end")
    assert keyboard.prompt == "FGT # "
    assert "set color 5\n" in shown(keyboard.device, "firewall address STAFF")


def test_what_is_open_is_not_on_the_box_yet() -> None:
    keyboard = configuring(fortigate(), "firewall address", "edit new", "set subnet 192.0.2.0/24")
    assert "new" not in shown(keyboard.device, "firewall address")
    assert keyboard.type("show") == (
        'config firewall address\n    edit "new"\n        set subnet 192.0.2.0 255.255.255.0\n    next\nend\n'
    )
    keyboard.all("next")
    assert 'edit "new"' in shown(keyboard.device, "firewall address")


def test_a_line_goes_on_after_a_backslash() -> None:
    keyboard = configuring(fortigate(), "firewall addrgrp", "edit ALL_STAFF")
    assert keyboard.raw("set member STAFF \\\r").endswith("> ")
    keyboard.all("CDN", "next")
    assert 'set member "STAFF" "CDN"\n' in shown(keyboard.device, "firewall addrgrp")


def test_an_idle_session_ends() -> None:
    clock = ManualClock(NOON)
    keyboard = Keyboard(fortigate(clock=clock))
    clock.advance(timedelta(minutes=4, seconds=59))
    keyboard.all("")
    clock.advance(timedelta(minutes=5))
    keyboard.raw("show\r")
    assert keyboard.closed


def test_the_banner_after_the_login_waits_for_an_a() -> None:
    base = f"{QUIET}config system global\n set post-login-banner enable\nend\n"
    keyboard = Keyboard(fortigate(base=base, post_banner="Only for staff."))
    assert keyboard.first == "Only for staff.\r\n(Press 'a' to accept):"
    assert keyboard.raw("x\r").endswith("to accept):")
    assert keyboard.raw("a\r").endswith("FGT # ")


def test_a_question_mark_opens_the_help_and_keeps_the_line() -> None:
    shown_ = Keyboard(fortigate()).raw("con?")
    assert shown_ == "con?\r\nconfig      Configure object.\r\n\r\nFGT # con"


def test_reboot_asks_first() -> None:
    keyboard = Keyboard(fortigate())
    question = "This operation will reboot the system !\nDo you want to continue? (y/n)"
    assert keyboard.type("execute reboot") == question
    assert keyboard.raw("n\r").endswith("FGT # ")
    keyboard.type("execute reboot")
    keyboard.raw("y\r")
    assert keyboard.closed


# --- vdoms ------------------------------------------------------------------------------------------------------------


def test_a_vdom_is_made_by_editing_a_name_that_is_not_known() -> None:
    keyboard = Keyboard(fortigate(base=VDOMS))
    keyboard.all("config vdom")
    assert keyboard.prompt == "FGT (vdom) # "
    assert keyboard.type("edit branhc") == "current vf=branhc:1\n"
    assert keyboard.prompt == "FGT (branhc) # "
    assert keyboard.type("show firewall schedule recurring").count("edit") == 2  # it is born with the usual objects
    keyboard.all("next")
    assert keyboard.type("edit root") == "current vf=root:0\n"
    keyboard.all("end")
    assert keyboard.prompt == "FGT # "
    assert "edit branhc\nnext\n" in keyboard.type("show")
    keyboard.all("config vdom")
    assert keyboard.type("show | grep edit") == "edit root\nedit branhc\n"


def test_vdoms_have_configurations_of_their_own() -> None:
    keyboard = Keyboard(fortigate(base=VDOMS))
    keyboard.all("config vdom")
    for vdom in ("root", "a"):
        keyboard.type(f"edit {vdom}")
        keyboard.all("config firewall address", f'edit "only in {vdom}"', "end", "next")
    keyboard.type("edit a")
    text = keyboard.type("show firewall address")
    assert ("only in a" in text, "only in root" in text) == (True, False)
    keyboard.all("config firewall addrgrp", "edit g")
    assert keyboard.type('set member "only in root"').endswith("Return code -3\n")
    keyboard.all("abort")
    assert keyboard.type("config system console") == parse("console")  # the whole box's, and not here
    keyboard.all("end", "config global")
    assert keyboard.type("config firewall address") == parse("firewall")
    keyboard.all("end")
    assert keyboard.type("config firewall address") == parse("firewall")


def test_an_interface_serves_its_own_vdom() -> None:
    keyboard = Keyboard(fortigate(base=VDOMS))
    keyboard.all("config vdom")
    keyboard.type("edit a")
    keyboard.all("config firewall policy", "edit 1")
    assert keyboard.type("set srcintf port1").endswith("Return code -3\n")
    keyboard.all("abort", "end", "config global", "config system interface", "edit port1", "set vdom a", "end", "end")
    keyboard.all("config vdom")
    keyboard.type("edit a")
    keyboard.all("config firewall policy", "edit 1", "set srcintf port1")


def test_lists_for_every_vdom_have_a_name_that_says_so() -> None:
    keyboard = Keyboard(fortigate(base=VDOMS))
    keyboard.all("config global", "config system external-resource")
    assert keyboard.type("edit FEED").endswith("value parse error before 'FEED'\nCommand fail. Return code -651\n")
    keyboard.all("edit g-FEED", "set type address", "set resource http://l.example/x", "end", "end", "config vdom")
    keyboard.type("edit root")
    keyboard.all("config firewall policy", "edit 1", "set dstaddr g-FEED")


def test_sudo_runs_one_command_elsewhere() -> None:
    keyboard = Keyboard(fortigate(base=VDOMS))
    keyboard.all("config global")
    assert keyboard.type("sudo root show firewall addrgrp") == "config firewall addrgrp\nend\n"
    assert keyboard.type("sudo nowhere show").endswith("Return code -3\n")
    without = Keyboard(fortigate(base=VDOMS, switches=Switches(sudo=False)))
    without.all("config global")
    assert without.type("sudo root show firewall addrgrp") == "Unknown action 0\n"


# --- refusals ---------------------------------------------------------------------------------------------------------

LONG: Final = "x" * 256
AT_TOP: Final = [
    ("shw", "Unknown action 0\n"),
    ("configure", "Unknown action 0\n"),
    ("edit 1", "Unknown action 0\n"),
    ("end", "Unknown action 0\n"),
    ("set color 1", "Unknown action 0\n"),
    ('show "open', "token line: Unmatched double quote.\n"),
    ("config", SHORT),
    ("config firewall", SHORT),
    ("config firewall nonsense", parse("nonsense")),
    ("config firewall address STAFF", parse("STAFF")),
    ("config global", parse("global")),
    ("show firewall nonsense", parse("nonsense")),
    ("show firewall address nobody", missing("nobody")),
    ("show | grep", SHORT),
    ("show | more", parse("more")),
    ("show | grep -x y", parse("-x")),
    ("get", SHORT),
    ("get nonsense", parse("nonsense")),
    ("diagnose hardware", parse("hardware")),
    ("diagnose firewall", SHORT),
    ("diagnose firewall iprope show 100005 1", parse("100005")),
    ("diagnose firewall iprope show 100004", SHORT),
    ("diagnose firewall iprope show 100004 x", number("x")),
    ("diagnose sys session filter colour 1", parse("colour")),
    ("diagnose sys session filter policy", SHORT),
    ("diagnose sys external-address-resource list NONE", missing("NONE")),
    ("execute nonsense", parse("nonsense")),
    ("execute log filter view-lines 4", number("4")),
    ("execute log filter device tape", parse("tape")),
    ("execute config-transaction commit", refused(1, "config transaction not started")),
    ("execute config-transaction start 61", number("61")),
    ("execute update-external-resource X", parse("update-external-resource")),
]
IN_ADDRESSES: Final = [
    ("edit", SHORT),
    ("edit a b", parse("b")),
    (f"edit {'n' * 80}", long("n" * 80, 79)),
    ("edit ALL_STAFF", clash("ALL_STAFF")),
    ('edit "a<b"', value(-173, "a<b", "The string contains XSS vulnerability characters")),
    ("delete STAFF", refused(-23, "The entry is used by other 1 entries")),
    ("delete all", refused(-23, "The entry is used by other 2 entries")),
    ("delete nobody", refused(-3, "delete table entry nobody unset oper error ret=-3")),
    ("rename STAFF to SHOP", TAKEN),
    ("rename STAFF to ALL_STAFF", clash("ALL_STAFF")),
    ("rename STAFF SHOP2", parse("SHOP2")),
    ("rename STAFF to", SHORT),
    ("clone STAFF to SHOP", TAKEN),
    ("move STAFF before SHOP", parse("move")),
    ("set color 3", parse("set")),
    ("next", parse("next")),
    ("config firewall policy", parse("config")),
]
IN_AN_ADDRESS: Final = [
    ("set", SHORT),
    ("set nonsense 1", parse("nonsense")),
    ("set subnet", SHORT),
    ("set subnet 10.0.0.0", SHORT),
    ("set subnet 1.1 255.0.0.0", address("1.1")),
    ("set subnet 10.0.0.0/33", address("10.0.0.0/33")),
    ("set subnet 10.0.0.0 0.0.0.255", address("0.0.0.255")),
    ("set subnet 10.0.0.0 255.0.0.0 x", parse("x")),
    ("set start-ip 10.0.0.1", parse("start-ip")),  # not of this type
    ("set type nonsense", parse("nonsense")),
    ("set color 33", number("33")),
    ("set color red", number("red")),
    (f"set comment {LONG}", long(LONG, 255)),
    ("set associated-interface nowhere", missing("nowhere")),
    ("append comment x", parse("comment")),
    ("unset color 3", parse("3")),
    ("edit other", parse("edit")),
    ("delete SHOP", parse("delete")),
    ("execute reboot", parse("execute")),
    ("next x", parse("x")),
]
IN_A_GROUP: Final = [
    ("set member", SHORT),
    ("set member nobody", missing("nobody")),
    ("append member STAFF nobody", missing("nobody")),
    ("unselect member CDN", missing("CDN")),
    ("set member ALL_STAFF", value(-651, "ALL_STAFF", "node_check_object fail! for member ALL_STAFF")),
    ("set exclude-member STAFF", parse("exclude-member")),
    ("set type folder", refused(-7610, "Attribute 'type' value 'folder' checking fail -7610")),
]
IN_A_POLICY: Final = [
    ("set srcintf nowhere", missing("nowhere")),
    ("set srcintf any port1", value(-651, "any")),
    ("set dstaddr nobody", missing("nobody")),
    ("set dstaddr6 STAFF", missing("STAFF")),
    ("set dstaddr NAMES", missing("NAMES")),
    ("set service nothing", missing("nothing")),
    ("set schedule never", missing("never")),
    ("set schedule WORK always", parse("always")),
    ("set action drop", parse("drop")),
    ("set nat enable", parse("nat")),  # a policy that denies has none
    (f"set name {'n' * 36}", long("n" * 36, 35)),
]
IN_POLICIES: Final = [
    ("edit 4294967295", number("4294967295")),
    ("edit x", number("x")),
    ("move 7 before 8", missing("8")),
    ("move 8 before 7", missing("8")),
    ("move 7 top", parse("top")),
    ("move 7 after", SHORT),
    ("rename 7 to 8", parse("rename")),
    ("delete 8", refused(-3, "delete table entry 8 unset oper error ret=-3")),
    ("clone 7 to 3", TAKEN),
]
PLACES: Final[list[tuple[tuple[str, ...], list[tuple[str, str]]]]] = [
    ((), AT_TOP),
    (("config firewall address",), IN_ADDRESSES),
    (("config firewall address", "edit STAFF"), IN_AN_ADDRESS),
    (("config firewall addrgrp", "edit ALL_STAFF"), IN_A_GROUP),
    (("config firewall policy", "edit 7"), IN_A_POLICY),
    (("config firewall policy",), IN_POLICIES),
    (
        ("config firewall address", "edit n", "set type fqdn"),
        [
            (
                "set fqdn under",
                value(-651, "under", "domain name is not valid.", "node_check_object fail! for fqdn under"),
            ),
            ("set subnet 10.0.0.0/8", parse("subnet")),
        ],
    ),
    (
        ("config firewall service custom", "edit n"),
        [
            ("set tcp-portrange 100-10", ports("100-10")),
            ("set tcp-portrange 70000", ports("70000")),
            ("set protocol-number 4", parse("protocol-number")),
        ],
    ),
    (
        ("config firewall address6", "edit n"),
        [
            ("set ip6 2001:db8::1", address("2001:db8::1")),
            ("set ip6 10.0.0.0/8", address("10.0.0.0/8")),
        ],
    ),
    (
        ("config system external-resource", "edit NAMES"),
        [
            ("set refresh-rate 0", number("0")),
            ("set refresh-rate 43201", number("43201")),
            ("set type list", parse("list")),
            (f"set resource {'u' * 512}", long("u" * 512, 511)),
        ],
    ),
]
CASES: Final = [
    pytest.param(path, line, text, id=f"{' / '.join(path)} {line[:40]}") for path, rows in PLACES for line, text in rows
]
NAMES: Final = (
    'config system external-resource\n    edit "NAMES"\n        set type domain\n'
    '        set resource "http://l.example/names"\n    next\nend\n'
)


@pytest.mark.parametrize(("path", "line", "text"), CASES)
def test_a_refused_line_changes_nothing(path: tuple[str, ...], line: str, text: str) -> None:
    device = fortigate(base=SITE + NAMES)
    keyboard = Keyboard(device)
    keyboard.all(*path)
    before, prompt, here = shown(device), keyboard.prompt, keyboard.type("show")
    assert keyboard.type(line) == text
    assert (shown(device), keyboard.prompt, keyboard.type("show")) == (before, prompt, here)


ENDS: Final = ("set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr all")
DISCARDED: Final = [
    (
        "firewall address",
        ("edit r", "set type iprange", "set start-ip 10.0.0.9", "set end-ip 10.0.0.1"),
        discarded(-45, "end-ip must be greater than start-ip"),
    ),
    ("firewall service custom", ("edit s",), discarded(-651, "TCP/UDP/SCTP portrange cannot all be empty.")),
    ("firewall addrgrp", ("edit g",), unset("member")),
    ("firewall addrgrp", ("edit ALL_STAFF", "unselect member STAFF SHOP"), unset("member")),
    ("firewall addrgrp", ("edit ALL_STAFF", "clear member"), unset("member")),
    ("firewall policy", ("edit 9", *ENDS, "set schedule always"), unset("service")),
    ("firewall policy", ("edit 3", "set name 'telnet stays out'"), TAKEN),
    ("firewall schedule onetime", ("edit o", "set start 08:00 2026/03/02"), unset("end")),
]


@pytest.mark.parametrize("leave", ["next", "end"])
@pytest.mark.parametrize(("path", "lines", "text"), DISCARDED)
def test_an_entry_that_fails_its_check_is_discarded(path: str, lines: tuple[str, ...], text: str, leave: str) -> None:
    """The whole entry goes, and the session is back in the table, or outside."""
    device = fortigate()
    before = shown(device)
    keyboard = configuring(device, path, *lines)
    assert keyboard.type(leave) == text
    assert keyboard.prompt == (f"FGT ({path.split()[-1]}) # " if leave == "next" else "FGT # ")
    assert shown(device) == before


def test_the_words_for_a_missing_field_are_a_switch() -> None:
    device = fortigate(switches=Switches(mandatory=Mandatory.CHECK))
    keyboard = configuring(device, "firewall addrgrp", "edit g")
    assert keyboard.type("next") == discarded(-56)


def test_an_empty_group_is_a_switch() -> None:
    device = fortigate(switches=Switches(empty_group=True))
    configuring(device, "firewall addrgrp", "edit ALL_STAFF", "clear member", "next")
    assert "member" not in shown(device, "firewall addrgrp")


@pytest.mark.parametrize(
    ("kept", "typed", "text"),
    [
        (HostBits.MASKED, "set subnet 10.1.2.3/8", "set subnet 10.0.0.0 255.0.0.0\n"),
        (HostBits.KEPT, "set subnet 10.1.2.3/8", "set subnet 10.1.2.3 255.0.0.0\n"),
        (HostBits.REFUSED, "set subnet 10.1.2.3/8", ""),
        (HostBits.MASKED, "set ip6 2001:db8::1/32", "set ip6 2001:db8::/32\n"),
        (HostBits.KEPT, "set ip6 2001:db8::1/32", "set ip6 2001:db8::1/32\n"),
        (HostBits.REFUSED, "set ip6 2001:db8::1/32", ""),
    ],
)
def test_host_bits_are_a_switch(kept: HostBits, typed: str, text: str) -> None:
    path = "firewall address6" if "ip6" in typed else "firewall address"
    device = fortigate(switches=Switches(host_bits=kept))
    keyboard = configuring(device, path, "edit n")
    assert (keyboard.type(typed) == "") is (text != "")
    keyboard.all("next")
    assert shown(device, f"{path} n").splitlines()[3:-2] == ([f"        {text.strip()}"] if text else [])


def test_unnamed_policies_are_a_switch() -> None:
    device = fortigate(switches=Switches(unnamed_policies=False))
    keyboard = configuring(device, "firewall policy", "edit 7")
    assert "Return code 1\n" in keyboard.type("unset name")
    keyboard.all("abort")
    plain = configuring(fortigate(), "firewall policy", "edit 7", "unset name", "next")
    assert "telnet" not in shown(plain.device, "firewall policy")


def test_the_longest_line_is_a_switch() -> None:
    keyboard = configuring(fortigate(switches=Switches(line_limit=30)), "firewall addrgrp", "edit ALL_STAFF")
    assert keyboard.type("set member STAFF SHOP CDN STAFF") == parse("STAF")
    keyboard.all("set member STAFF SHOP CDN SHOP")


def test_the_script_filter_is_a_switch() -> None:
    configuring(fortigate(switches=Switches(script_filter=False)), "firewall address", "edit a<b", "next")


# --- placement, members, names ----------------------------------------------------------------------------------------


def ids(device: FortiGate) -> list[str]:
    return [line.split()[1] for line in shown(device, "firewall policy").splitlines() if line.startswith("    edit")]


def policy(number: str, *more: str) -> tuple[str, ...]:
    return (f"edit {number}", *ENDS, "set schedule always", "set service ALL", *more, "next")


def test_policies_stand_in_the_order_of_moves_not_of_numbers() -> None:
    keyboard = configuring(fortigate(), "firewall policy", *policy("1"), *policy("0"))
    assert ids(keyboard.device) == ["7", "3", "1", "8"]
    keyboard.all("move 1 before 7", "move 7 after 8")
    assert ids(keyboard.device) == ["1", "3", "8", "7"]
    keyboard.all("delete 3", *policy("3"))
    assert ids(keyboard.device) == ["1", "8", "7", "3"]  # created again, it comes last
    keyboard.all("clone 7 to 12", "move 12 before 12")
    assert ids(keyboard.device) == ["1", "8", "7", "3", "12"]


def test_a_policy_that_denies_prints_no_action() -> None:
    keyboard = configuring(fortigate(), "firewall policy", *policy("1", "set action deny", "set status enable"))
    text = shown(keyboard.device, "firewall policy 1")
    assert "action" not in text
    assert "status" not in text
    full = Keyboard(keyboard.device).type("show full-configuration firewall policy 1")
    assert "        set status enable\n        set name ''\n" in full
    assert "        set action deny\n" in full
    assert "        unset srcaddr6\n" in full


def test_what_a_policy_accepts_goes_when_it_denies() -> None:
    keyboard = configuring(fortigate(), "firewall policy", "edit 3", "set action deny", "next")
    text = shown(keyboard.device, "firewall policy 3")
    assert [word for word in ("nat", "utm-status", "ssl-ssh-profile") if word in text] == []
    keyboard.all("edit 3", "set action accept", "next")
    assert "nat" not in shown(keyboard.device, "firewall policy 3")


def members(device: FortiGate) -> str:
    return next(line for line in shown(device, "firewall addrgrp").splitlines() if "member" in line).strip()


def test_set_replaces_append_adds_unselect_takes_away() -> None:
    keyboard = configuring(fortigate(), "firewall addrgrp", "edit ALL_STAFF", "set member CDN", "next")
    assert members(keyboard.device) == 'set member "CDN"'
    keyboard.all("edit ALL_STAFF", "append member STAFF CDN", "append member SHOP", "next")
    assert members(keyboard.device) == 'set member "CDN" "STAFF" "SHOP"'
    keyboard.all("edit ALL_STAFF", "unselect member STAFF", "next")
    assert members(keyboard.device) == 'set member "CDN" "SHOP"'
    keyboard.all("edit ALL_STAFF", "clear member", "append member STAFF", "next")
    assert members(keyboard.device) == 'set member "STAFF"'


def test_groups_nest_and_do_not_loop() -> None:
    keyboard = configuring(fortigate(), "firewall addrgrp", "edit outer", "set member ALL_STAFF", "next")
    keyboard.all("edit ALL_STAFF")
    assert keyboard.type("append member outer").endswith("Return code -651\n")
    keyboard.all("abort", "config firewall addrgrp")
    assert keyboard.type("delete ALL_STAFF") == refused(-23, "The entry is used by other 2 entries")


def test_references_follow_a_new_name_and_release_what_they_left() -> None:
    device = fortigate()
    keyboard = configuring(device, "firewall address", "rename STAFF to PEOPLE")
    assert members(device) == 'set member "PEOPLE" "SHOP"'
    assert keyboard.type("delete PEOPLE") == refused(-23, "The entry is used by other 1 entries")
    who = Keyboard(device).type("diagnose sys cmdb refcnt show firewall.address.name PEOPLE")
    assert who == "entry used by table firewall.addrgrp:name 'ALL_STAFF'\n"
    keyboard.all("end", "config firewall addrgrp", "edit ALL_STAFF", "set member SHOP", "end")
    keyboard.all("config firewall address", "delete PEOPLE")
    assert Keyboard(device).type("diagnose sys checkused firewall.address.name PEOPLE") == ""


def test_a_feed_that_a_policy_uses_stays() -> None:
    device = fortigate(base=SITE + NAMES)
    keyboard = configuring(device, "system external-resource", "edit F", "set type address")
    keyboard.all("set resource https://l.example/x", "end", "config firewall policy", "edit 7", "set dstaddr F", "end")
    keyboard.all("config system external-resource")
    assert keyboard.type("delete F") == refused(-23, "The entry is used by other 1 entries")
    keyboard.all("edit F")
    assert keyboard.type("set type domain").endswith("Return code -23\n")
    keyboard.all("abort", "config system external-resource", "move F before NAMES", "delete NAMES")


def test_feeds_are_addresses_of_policies_since_6_2() -> None:
    keyboard = configuring(fortigate(base=QUIET, model=Model(version=(6, 0, 9))), "system external-resource", "edit F")
    keyboard.all("set type address", "set resource http://l.example/x", "end", "config firewall policy", "edit 1")
    assert keyboard.type("set dstaddr F").endswith("Return code -3\n")


def test_families_have_policies_of_their_own_before_6_4() -> None:
    old = configuring(fortigate(base=QUIET, model=Model(version=(6, 2, 6))), "firewall policy", "edit 1")
    assert old.type("set srcaddr6 all") == parse("srcaddr6")
    old.all("abort", "config firewall policy6", *policy("1"))
    new = Keyboard(fortigate(base=QUIET))
    assert new.type("config firewall policy6") == parse("policy6")


def test_another_type_drops_the_fields_of_the_old_one() -> None:
    keyboard = configuring(fortigate(), "firewall address", "edit STAFF", "set type iprange", "set start-ip 10.0.0.1")
    keyboard.all("set end-ip 10.0.0.9", "next")
    assert shown(keyboard.device, "firewall address STAFF").splitlines()[3:-2] == [
        "        set type iprange",
        '        set comment "people of the   \\"house\\""',
        "        set start-ip 10.0.0.1",
        "        set end-ip 10.0.0.9",
    ]


def test_values_print_in_their_normal_form() -> None:
    keyboard = configuring(fortigate(), "firewall address6", "edit n", "set ip6 2001:0DB8:0::/32", "end")
    keyboard.all("config firewall schedule recurring", "edit r", "set day friday monday", "set start 7:05", "end")
    keyboard.all(
        "config firewall schedule onetime", "edit o", "set start 8:00 2026/3/2", "set end 9:00 2026/03/02", "end"
    )
    assert "set ip6 2001:db8::/32\n" in shown(keyboard.device, "firewall address6 n")
    assert "        set start 07:05\n        set day monday friday\n" in shown(
        keyboard.device, "firewall schedule recurring r"
    )
    assert "        set start 08:00 2026/03/02\n" in shown(keyboard.device, "firewall schedule onetime o")


def test_a_uuid_is_given_kept_and_new_for_a_new_entry() -> None:
    device = fortigate()
    keyboard = configuring(device, "firewall address", "edit n", "next")
    first = shown(device, "firewall address n").splitlines()[2]
    keyboard.all("edit n", "set color 3", "next", "rename n to m")
    assert shown(device, "firewall address m").splitlines()[2] == first
    keyboard.all("delete m", "edit n", "next")
    assert shown(device, "firewall address n").splitlines()[2] != first


def test_a_secret_looks_different_at_every_reading() -> None:
    device = fortigate(base=SITE + NAMES)
    configuring(device, "system external-resource", "edit NAMES", "set username u", "set password hush", "next")
    first, second = (shown(device, "system external-resource") for _ in range(2))
    assert "hush" not in first
    assert "set password ENC " in first
    assert first != second
    assert [line for line in first.splitlines() if "ENC" not in line] == [
        line for line in second.splitlines() if "ENC" not in line
    ]


# --- limits -----------------------------------------------------------------------------------------------------------

FULL: Final = (
    "object set operator error, -4 discard the setting\n"
    "Command fail. Return code -4 (reached the maximum number of entries\n"
)


def test_a_full_table_takes_no_more() -> None:
    device = fortigate(base=QUIET, model=Model(addresses=3, group_members=2))
    keyboard = configuring(device, "firewall address", "edit a", "next", "edit b")
    assert keyboard.type("next") == FULL
    keyboard.all("edit a", "set color 2", "end", "config firewall addrgrp", "edit g", "set member a all none")
    assert keyboard.type("next") == FULL
    feeds = configuring(fortigate(base=QUIET + NAMES, model=Model(feeds=1)), "system external-resource", "edit f")
    feeds.all("set resource http://l.example/f")
    assert feeds.type("next") == FULL
    vdoms = Keyboard(fortigate(base=VDOMS, model=Model(vdoms=1)))
    vdoms.all("config vdom")
    assert vdoms.type("edit b") == FULL


def test_names_were_shorter_in_6_0() -> None:
    keyboard = configuring(fortigate(base=QUIET, model=Model(version=(6, 0, 9))), "firewall address")
    assert keyboard.type(f"edit {'n' * 64}").startswith("string value is too long. the size is 64, the limit is 63\n")


# --- show, get, grep --------------------------------------------------------------------------------------------------


def test_get_lists_names_of_a_table_and_values_of_an_entry() -> None:
    keyboard = Keyboard(fortigate())
    assert keyboard.type("get firewall addrgrp") == "== [ ALL_STAFF ]\nname: ALL_STAFF\n"
    lines = keyboard.type("get firewall address STAFF").splitlines()
    assert "subnet              : 10.0.1.0 255.255.255.0 " in lines
    assert "output              : standard " in keyboard.type("get system console").splitlines()
    assert "    set output standard\n" in keyboard.type("show full-configuration system console")


def test_grep_keeps_lines_counts_them_and_finds_entries() -> None:
    keyboard = Keyboard(fortigate())
    assert keyboard.type("show firewall addrgrp | grep member") == '        set member "STAFF" "SHOP"\n'
    assert keyboard.type("show firewall addrgrp | grep -c SET") == "0\n"
    assert keyboard.type("show firewall addrgrp | grep -ic SET") == "2\n"
    assert keyboard.type("show firewall addrgrp | grep -v et") == (
        'config firewall addrgrp\n    edit "ALL_STAFF"\n    next\nend\n'
    )
    found = keyboard.type("show | grep -f ALL_STAFF")
    assert [line for line in found.splitlines() if line.startswith(("config", "    edit"))] == [
        "config firewall addrgrp",
        '    edit "ALL_STAFF" <---',
        "config firewall policy",
        "    edit 3",
    ]


# --- paging -----------------------------------------------------------------------------------------------------------


def test_the_pager_is_on_and_turning_it_off_is_a_change_of_the_configuration() -> None:
    device = fortigate(base="")
    keyboard = Keyboard(device)
    first = keyboard.raw("show firewall service custom\r")
    assert first.count("\r\n") == 25  # of the echo and 24 lines
    assert first.endswith("\r\n--More-- ")
    assert keyboard.raw("\r").startswith("\r         \r")
    assert keyboard.raw("q").endswith("FGT # ")
    keyboard.all("config system console", "set output standard", "end")
    assert keyboard.raw("show firewall service custom\r").endswith("end\r\n\r\nFGT # ")
    assert "set output standard" in shown(device, "system console")
    assert not Keyboard(device).raw("show firewall service custom\r").endswith("--More-- ")  # the next session as well


def test_a_narrow_screen_is_a_switch() -> None:
    keyboard = Keyboard(fortigate(switches=Switches(echo_width=20)))
    assert keyboard.raw("x" * 30) == f"{'x' * 14}\r\n{'x' * 16}"


# --- a site's own text ------------------------------------------------------------------------------------------------


def test_what_is_not_understood_is_kept_and_shown() -> None:
    device = fortigate()
    assert shown(device, "router static") == (
        "config router static\n    edit 1\n        set gateway 198.51.100.1\n"
        '        set device "port3"\n    next\nend\n'
    )
    assert '        set comment "Read-only\n   config  two lines\nend of it."\n' in shown(device)
    assert "        config ipv6\n            set ip6-address 2001:db8::1/64\n        end\n    next\n" in shown(
        device, "system interface port1"
    )
    assert "        set webcache disable\n    next\n" in shown(device, "firewall policy 3")
    assert Keyboard(device).type("config router static") == parse("router")
    again = FortiGate(base=shown(device), bare=True, clock=ManualClock(NOON))
    assert shown(again) == shown(device)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("config firewall address\n edit a\n  set subnet 1.1\n end\n", "line 3: set subnet 1.1: invalid ip address"),
        ("config firewall address\n edit a\n  fnord\n end\n", "line 3: fnord: not a command here"),
        ('config firewall address\n edit "a\n', 'edit "a: a quote is not closed'),
        ("config router x\n edit a\n", "line 1: config router x: has no end"),
    ],
)
def test_a_text_that_the_box_would_refuse_is_not_loaded(text: str, why: str) -> None:
    with pytest.raises(Unloadable) as raised:
        fortigate(base=text)
    assert str(raised.value).startswith(why)


# --- people -----------------------------------------------------------------------------------------------------------


def test_two_sessions_see_each_other_at_once() -> None:
    device = fortigate(access=Access(users={"a": "x", "b": "y"}))
    one, other = Keyboard(device, "a"), Keyboard(device, "b")
    one.all("config firewall address", "edit x", "next")
    assert 'edit "x"' in other.type("show firewall address x")
    other.all("config firewall address", "delete x")
    assert one.type("delete x").endswith("Return code -3\n")
