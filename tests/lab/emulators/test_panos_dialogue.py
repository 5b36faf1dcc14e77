"""The PAN-OS terminal: modes, the one candidate, refusals, placement, locks, commits, going back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.clock import ManualClock
from lab.emulators.panos import PA_5250, SMALL_VM, Model, PanOs, Switches, Unread
from tests.lab.emulators.panos import NOON, SITE, Keyboard, candidate, configuring, operating, panos, running

DONE = "\n"
COMMITTED = (
    "\nCommit job {} is in progress. Use Ctrl+C to return to command prompt\n"
    "...55%99%.......100%\nConfiguration committed successfully\n\n"
)
RULE = "from any to any source any destination any application any service any action deny"


# --- coming in, the terminal ------------------------------------------------------------------------------------------


def test_a_login_lands_in_operational_mode_and_a_later_one_is_told_of_it() -> None:
    device = panos()
    assert Keyboard(device).first == "\r\nadmin@edge> "
    assert Keyboard(device).first == "Last login: Mon Mar  2 12:00:00 2026 from 192.0.2.12\r\n\r\nadmin@edge> "


def test_the_banner_is_shown_before_the_login() -> None:
    device = panos(base=f'{SITE}set deviceconfig system login-banner "\nno {"trespass"}\nget back"\n')
    assert device.access.banner == "\nno trespass\nget back\n"
    assert device.access.methods == {"password", "keyboard-interactive"}


def test_configure_mode_prints_its_level_before_every_prompt() -> None:
    keyboard = operating(panos())
    assert keyboard.raw("configure\r") == "configure\r\nEntering configuration mode\r\n[edit]\r\nadmin@edge# "
    assert keyboard.raw("\r") == "\r\n[edit]\r\nadmin@edge# "
    assert keyboard.raw("set tag t color color1\r") == "set tag t color color1\r\n\r\n[edit]\r\nadmin@edge# "
    assert keyboard.raw("exit\r") == "exit\r\nExiting configuration mode\r\nadmin@edge> "
    keyboard.raw("exit\r")
    assert keyboard.closed


def test_edit_goes_down_and_up() -> None:
    keyboard = configuring(panos(), "edit rulebase security")
    assert keyboard.prompt == "[edit rulebase security]\nadmin@edge# "
    keyboard.all(f"set rules DOWN {RULE}")
    assert "set rulebase security rules DOWN action deny\n" in keyboard.type("show rules DOWN")
    keyboard.all("up")
    assert keyboard.prompt == "[edit rulebase]\nadmin@edge# "
    keyboard.all("top", "edit rulebase security", "exit")
    assert keyboard.prompt == "[edit]\nadmin@edge# "


def test_output_stops_after_a_page_unless_the_pager_is_off() -> None:
    keyboard = Keyboard(panos())
    keyboard.type("configure")
    shown = keyboard.raw("show\r")
    assert shown.endswith("--more--")
    assert shown.count("\r\n") == 25
    assert keyboard.raw("q").endswith("admin@edge# ")
    assert "--more--" not in configuring(panos()).raw("show\r")


def test_a_long_line_is_wrapped_at_the_width_of_the_terminal() -> None:
    line = f"set tag {'t' * 90} color color1"
    keyboard = Keyboard(panos())
    keyboard.type("configure")
    assert line not in keyboard.raw(line)
    keyboard.raw("\r")
    keyboard.type("exit")
    keyboard.all("set cli terminal width 500")
    keyboard.type("configure")
    assert line in keyboard.raw(line)


def test_help_is_there_until_scripting_mode() -> None:
    keyboard = Keyboard(panos())
    assert "  configure\r\n" in keyboard.raw("?")
    keyboard.all("set cli scripting-mode on")
    assert keyboard.raw("?") == "?"


@pytest.mark.parametrize(
    "line", ["set cli pager maybe", "set cli terminal width 0", "set cli config-output-format yaml"]
)
def test_settings_of_the_session_are_checked(line: str) -> None:
    assert operating(panos()).type(line).endswith("^\nInvalid syntax.\n\n")


def test_a_loaded_management_plane_takes_its_time() -> None:
    device = panos()
    device.mishaps.prompt_takes = 10.0
    assert operating(device).cli.answer("show system info").seconds == 10.0


# --- refusals ---------------------------------------------------------------------------------------------------------

MISSING = "Server error : No such node\n\n"
REFUSALS = {
    "nonsense": "Unknown command: nonsense\n\n",
    "show system info": None,  # only behind `run`
    "show nonsense": None,
    "set": None,
    "set address": None,
    "set address a ip-netmask": None,
    "set address a ip-netmask 10.0.0.256": None,
    "set address a ip-netmask 10.0.0.0/33": None,
    "set address a ip-netmask any": None,
    "set address a ip-range 10.0.0.9-10.0.0.1": None,
    "set address a ip-wildcard 10.0.0.0/33": None,
    "set address a fqdn *.example.com": None,
    "set address a fqdn localhost": None,
    "set address a ip-netmask 10.0.0.1 nonsense": None,
    f"set address {'a' * 64} ip-netmask 10.0.0.1": None,
    "set address -a ip-netmask 10.0.0.1": None,
    "set address a/b ip-netmask 10.0.0.1": None,
    f'set address desk description "{"x" * 1024}"': None,
    'set address desk description "open': None,
    "set address desk tag nosuch": "desk -> tag 'nosuch' is not a valid reference\ndesk -> tag is invalid\n\n",
    "set address STAFF ip-netmask 10.0.0.1": "Server error : 'STAFF' is already in use\n\n",
    "set address-group desk static lab": "Server error : 'desk' is already in use\n\n",
    "set address-group g static 1": "g -> static '1' is not a valid reference\ng -> static is invalid\n\n",
    "set address-group g static [ desk 1 ]": "g -> static '1' is not a valid reference\ng -> static is invalid\n\n",
    "set address-group g static 10.0.0.0/8": None,
    "set address-group g static [ ]": None,
    "set address-group g static [ desk": None,
    "set address-group g dynamic": None,
    "set address-group g dynamic filter \"'house' and\"": None,
    "set tag t color red": None,
    f"set external-list {'l' * 33} type ip url http://f": None,
    "set external-list l type ip recurring every-minute": None,
    "set external-list l type ip certificate-profile none": (
        "l -> type -> ip -> certificate-profile 'none' is not a valid reference\n"
        "l -> type -> ip -> certificate-profile is invalid\n\n"
    ),
    "set schedule s schedule-type recurring daily 8:00-12:00": None,
    "set schedule s schedule-type recurring weekly someday 08:00-12:00": None,
    "set service s protocol icmp": None,
    "set service s protocol tcp port 65536": None,
    "set rulebase": None,
    "set rulebase security rules r action block": None,
    "set rulebase security rules r from nowhere": (
        "r -> from 'nowhere' is not a valid reference\nr -> from is invalid\n\n"
    ),
    "set rulebase security rules r destination nosuch": (
        "r -> destination 'nosuch' is not a valid reference\nr -> destination is invalid\n\n"
    ),
    "set rulebase security rules r schedule nosuch": (
        "r -> schedule 'nosuch' is not a valid reference\nr -> schedule is invalid\n\n"
    ),
    "set rulebase security rules r application tiktok": (
        "r -> application 'tiktok' is not a valid reference\nr -> application is invalid\n\n"
    ),
    "set rulebase security rules r log-setting nosuch": (
        "r -> log-setting 'nosuch' is not a valid reference\nr -> log-setting is invalid\n\n"
    ),
    "set rulebase nat rules r from any": None,
    "set vsys vsys1 address a ip-netmask 10.0.0.1": None,
    "set deviceconfig system nonsense x": None,
    "delete": None,
    "delete address": None,
    "delete rulebase security rules": None,
    "delete address nosuch": MISSING,
    "delete address desk ip-range": MISSING,
    "delete address-group STAFF static cdn": MISSING,
    "delete address desk": (
        "desk cannot be deleted because of references from:\n vsys -> vsys1 -> address-group -> STAFF -> static\n\n"
    ),
    "delete address-group STAFF": (
        "STAFF cannot be deleted because of references from:\n"
        " vsys -> vsys1 -> rulebase -> security -> rules -> OUT -> source\n\n"
    ),
    "delete shared address resolver": (
        "resolver cannot be deleted because of references from:\n"
        " vsys -> vsys1 -> rulebase -> security -> rules -> DNS out -> destination\n\n"
    ),
    "delete tag house": (
        "house cannot be deleted because of references from:\n"
        " vsys -> vsys1 -> rulebase -> security -> rules -> OUT -> tag\n\n"
    ),
    "move rulebase security rules nosuch top": MISSING,
    "move rulebase security rules OUT": None,
    "move rulebase security rules OUT up": None,
    "move rulebase security rules OUT before": None,
    "move rulebase security rules OUT before OUT": None,
    "move rulebase security rules OUT before nosuch": MISSING,
    "move rulebase security rules OUT top top": None,
    "move address desk top": None,
    "rename address desk": None,
    "rename address desk to": None,
    "rename address desk to -x": None,
    "rename address nosuch to x": MISSING,
    "rename address desk to lab": "Server error : 'lab' is already in use\n\n",
    "show address nosuch": MISSING,
    "show address desk nosuch": None,
    "commit now": None,
    "commit partial": None,
    "commit partial admin": None,
    f'commit description "{"x" * 513}"': None,
    "validate": None,
    "load config from nosuch.xml": "Server error : nosuch.xml does not exist\n\n",
    "load config version 99": MISSING,
    "revert": None,
    "run nonsense": "Unknown command: nonsense\n\n",
}  # fmt: skip


@pytest.mark.parametrize("line", REFUSALS)
def test_what_is_refused_is_told_in_the_device_s_words_and_changes_nothing(line: str) -> None:
    device = panos()
    keyboard, before = configuring(device), candidate(device)
    expected, said = REFUSALS[line], keyboard.type(line)
    if expected is None:
        assert said.endswith("Invalid syntax.\n\n")
        assert said.strip(" ").startswith("^")
    else:
        assert said == expected
    assert candidate(device) == before
    assert not device.changes.made


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("set address a ip-netmask 10.0.0.256", "10.0.0.256"),
        ("set rulebase security rules r action block", "block"),
        ('set rulebase security rules "a b" from any action block', "block"),
        ("set address-group g static [ desk a/b ]", "a/b"),
        ("commit now", "now"),
        ("run show nonsense", "nonsense"),
        ("move rulebase security rules OUT up", "up"),
    ],
)
def test_the_caret_stands_below_the_word_that_is_wrong(line: str, word: str) -> None:
    keyboard = configuring(panos())
    shown = f"{keyboard.prompt_line}{line}"
    assert keyboard.type(line).splitlines()[0] == " " * shown.index(word, len(keyboard.prompt_line)) + "^"


@pytest.mark.parametrize("prefix", ["", "Server error : ", "Server error: "])
@pytest.mark.parametrize("caret", [False, True])
@pytest.mark.parametrize("missing", ["Invalid syntax.", "No such node", "Object not present"])
def test_refusals_may_read_otherwise(prefix: Any, caret: bool, missing: Any) -> None:
    keyboard = configuring(panos(switches=Switches(error_prefix=prefix, caret=caret, missing=missing)))
    assert keyboard.type("set address-group g static 1").startswith(f"{prefix}g -> static '1' is not a valid reference")
    assert keyboard.type("set address a").strip() == ""
    assert keyboard.type("set address a b").lstrip(" ") == ("^\n" if caret else "") + "Invalid syntax.\n\n"
    said = keyboard.type("delete address nosuch")
    assert said.lstrip(" ") == ("^\n" if caret and missing == "Invalid syntax." else "") + f"{missing}\n\n"


# --- editing ----------------------------------------------------------------------------------------------------------


def shown(keyboard: Keyboard, path: str) -> list[str]:
    """The lines of `show`, without the part that they share."""
    return [line.removeprefix(f"set {path} ") for line in keyboard.type(f"show {path}").strip("\n").splitlines()]


def test_set_merges_and_a_member_goes_by_delete() -> None:
    keyboard = configuring(panos(), "set address-group STAFF static [ cdn lab ]")
    assert shown(keyboard, "address-group STAFF") == ["static [ desk lab cdn ]"]
    keyboard.all("delete address-group STAFF static desk", "delete address-group STAFF static cdn")
    assert shown(keyboard, "address-group STAFF") == ["static lab"]


def test_a_value_is_replaced_and_an_attribute_goes_by_delete() -> None:
    keyboard = configuring(panos(), 'set address desk description "other"', "set address desk tag house")
    assert shown(keyboard, "address desk") == ["ip-netmask 10.0.1.0/24", "description other", "tag house"]
    keyboard.all("delete address desk description", "delete address desk tag house")
    assert shown(keyboard, "address desk")[:1] == ["ip-netmask 10.0.1.0/24"]


def test_another_type_takes_the_place_of_the_old_one_or_is_refused() -> None:
    keyboard = configuring(panos(), "set address desk fqdn desk.example.com")
    assert "ip-netmask 10.0.1.0/24" not in shown(keyboard, "address desk")
    keyboard = configuring(panos(switches=Switches(other_type="refused")))
    assert keyboard.type("set address desk fqdn desk.example.com").endswith("Invalid syntax.\n\n")


def test_a_group_is_static_or_dynamic() -> None:
    keyboard = configuring(panos(), "set address-group STAFF dynamic filter \"'house' and 'x'\"")
    assert shown(keyboard, "address-group STAFF") == ["dynamic filter \"'house' and 'x'\""]


def test_attributes_may_stand_in_one_line_or_in_many() -> None:
    one = configuring(panos(), f"set rulebase security rules R {RULE}")
    many = configuring(panos())
    for attribute in ("from", "to", "source", "destination", "application", "service"):
        many.all(f"set rulebase security rules R {attribute} any")
    many.all("set rulebase security rules R action deny")
    assert shown(one, "rulebase security rules R") == shown(many, "rulebase security rules R")


def test_an_empty_description_prints_its_keyword_alone() -> None:
    keyboard = configuring(panos(), 'set address desk description ""')
    assert shown(keyboard, "address desk") == ["ip-netmask 10.0.1.0/24", "description"]


def test_new_rules_stand_at_the_bottom_and_move_puts_them_elsewhere() -> None:
    device = panos()
    keyboard = configuring(device, *(f"set rulebase security rules {name} {RULE}" for name in ("A", "B", "C")))
    assert order(device) == ["DNS out", "OUT", "A", "B", "C"]
    keyboard.all("move rulebase security rules C top", "move rulebase security rules A before OUT")
    assert order(device) == ["C", "DNS out", "A", "OUT", "B"]
    keyboard.all('move rulebase security rules C after "DNS out"', "move rulebase security rules A bottom")
    assert order(device) == ["DNS out", "C", "OUT", "B", "A"]


def order(device: PanOs, *, of: str = "candidate") -> list[str]:
    return list((device.candidate if of == "candidate" else device.running).rules("vsys1"))


def test_references_follow_a_renamed_object_or_hold_it() -> None:
    keyboard = configuring(panos(), "rename address desk to table", "rename address-group STAFF to PEOPLE")
    assert shown(keyboard, "address-group PEOPLE") == ["static [ table lab ]"]
    assert "source PEOPLE" in shown(keyboard, "rulebase security rules OUT")
    keyboard = configuring(panos(switches=Switches(rename_follows=False)))
    assert keyboard.type("rename address desk to table").startswith("desk cannot be deleted because of references")


def test_a_rule_may_be_refused_at_commit_only() -> None:
    device = panos(switches=Switches(rule_references="commit"))
    keyboard = configuring(device, f"set rulebase security rules R {RULE}", "set rulebase security rules R to x")
    assert keyboard.type("commit").endswith(
        "..........55%.\nValidation Error:\n"
        "rulebase -> security -> rules -> R -> to is invalid\n"
        "rulebase -> security -> rules -> R -> to 'x' is not a valid reference\n"
        "rulebase -> security -> rules -> R -> to is invalid\nCommit failed\n\n"
    )


@pytest.mark.parametrize("when", ["commit", "set"])
def test_any_stands_alone(when: Any) -> None:
    keyboard = configuring(panos(switches=Switches(any_and_more=when)), f"set rulebase security rules R {RULE}")
    said = keyboard.type("set rulebase security rules R destination desk")
    if when == "set":
        assert said == "R -> destination is invalid\n\n"
        keyboard.all(
            "delete rulebase security rules R destination any", "set rulebase security rules R destination desk"
        )
    else:
        assert "rulebase -> security -> rules -> R -> destination is invalid\nCommit failed" in keyboard.type("commit")
        keyboard.all("delete rulebase security rules R destination any")
    assert keyboard.type("commit") == COMMITTED.format(2 if when == "set" else 3)


# --- commit -----------------------------------------------------------------------------------------------------------


def test_nothing_is_enforced_before_the_commit() -> None:
    device = panos()
    keyboard, before = configuring(device, f"set rulebase security rules R {RULE}"), running(device)
    assert keyboard.type("run check pending-changes") == "\nyes\n\n"
    assert keyboard.type("commit") == COMMITTED.format(2)
    assert running(device) != before
    assert keyboard.type("run check pending-changes") == "\nno\n\n"
    assert keyboard.type("commit") == "\nThere are no changes to commit.\n\n"
    assert keyboard.type("commit force") == COMMITTED.format(3)


@pytest.mark.parametrize("words", ["There are no changes to commit", "The result of this commit would be the same"])
def test_a_change_that_changes_nothing_is_not_committed(words: Any) -> None:
    keyboard = configuring(panos(switches=Switches(no_changes=words)), "set tag t color color1", "delete tag t")
    assert keyboard.type("commit") == f"\n{words}\n\n"


def test_a_plain_commit_takes_everybody_s_edits_and_a_partial_one_only_one_s() -> None:
    device = panos()
    configuring(device, f"set rulebase security rules HERS {RULE}", user="alice")
    keyboard = configuring(device, f"set rulebase security rules MINE {RULE}", "move rulebase security rules MINE top")
    assert keyboard.type("commit partial admin admin") == COMMITTED.format(2)
    assert order(device, of="running") == ["MINE", "DNS out", "OUT"]
    assert keyboard.type("run show config list change-summary") == "\nadmin: alice\n    policy-and-objects: vsys1\n\n"
    assert keyboard.type("run show config list changes partial admin admin") == DONE
    assert keyboard.type("commit") == COMMITTED.format(3)
    assert order(device, of="running") == ["MINE", "DNS out", "OUT", "HERS"]


def test_a_partial_commit_takes_no_more_than_is_whole() -> None:
    device = panos()
    configuring(device, "set address hers ip-netmask 10.9.0.1", user="alice")
    keyboard = configuring(device, "set address-group MINE static hers")
    assert "Validation Error:\naddress-group -> MINE -> static 'hers' is not a valid" in keyboard.type(
        "commit partial admin admin"
    )
    assert keyboard.type("commit partial admin [ admin alice ]") == COMMITTED.format(3)


def test_parts_may_be_left_out() -> None:
    device = panos()
    keyboard = configuring(device, "set deviceconfig system hostname new", "set tag t color color1")
    assert keyboard.type("commit partial admin admin device-and-network excluded") == COMMITTED.format(2)
    assert keyboard.prompt == "[edit]\nadmin@edge# "
    assert keyboard.type("commit partial policy-and-objects excluded") == COMMITTED.format(3)
    assert keyboard.prompt == "[edit]\nadmin@new# "


INCOMPLETE = {
    "set service test": ["service -> test  is missing 'protocol'", "service is invalid"],
    "set address a": ["address -> a  is missing 'ip-netmask'", "address is invalid"],
    "set address-group g": ["address-group -> g  is missing 'static'", "address-group is invalid"],
    "set schedule s": ["schedule -> s  is missing 'schedule-type'", "schedule is invalid"],
    "set external-list l type ip recurring hourly": [
        "external-list -> l -> type -> ip  is missing 'url'",
        "external-list -> l -> type is invalid",
    ],
    "set rulebase security rules OUT2 from any to any source any destination any application any service any": [
        "rulebase -> security -> rules -> OUT2  is missing 'action'",
        "rulebase -> security -> rules is invalid",
    ],
}


@pytest.mark.parametrize("line", INCOMPLETE)
def test_what_is_not_whole_fails_to_commit_and_stays_a_candidate(line: str) -> None:
    device = panos()
    keyboard, before = configuring(device, line), running(device)
    failed = "".join(f"{each}\n" for each in ["Validation Error:", *INCOMPLETE[line], "Commit failed"])
    assert keyboard.type("commit").endswith(f"\n..........55%.\n{failed}\n")
    assert running(device) == before
    assert keyboard.type("run check pending-changes") == "\nyes\n\n"
    job = keyboard.type("run show jobs id 2").splitlines()
    assert job[3].split() == ["2026/03/02", "12:00:00", "12:00:00", "2", "Commit", "FIN", "FAIL", "12:00:00"]
    assert job[4:7] == ["Warnings:", "Details:", "Validation Error:"]


def test_an_empty_group_may_be_taken() -> None:
    device = panos(switches=Switches(empty_group="accepted"))
    assert configuring(device, "set address-group g").type("commit") == COMMITTED.format(2)


@pytest.mark.parametrize(
    "lines",
    [
        ["set address-group a static desk", "set address-group b static a", "set address-group a static b"],
        [f"set address-group a static [ {' '.join(f'h{n}' for n in range(2501))} ]"],
    ],
)
def test_loops_and_too_many_members_fail_the_count(lines: list[str]) -> None:
    device = panos()
    device.load_set("\n".join(f"set address h{n} ip-netmask 10.1.{n // 256}.{n % 256}" for n in range(2501)))
    assert (
        configuring(device, *lines)
        .type("commit")
        .endswith("55%.\nError: Fail to count address groups\n(Module: device)\nCommit failed\n\n")
    )


def test_a_model_holds_so_many() -> None:
    device = panos(model=replace(SMALL_VM, addresses=3))
    keyboard = configuring(device, "set address a ip-netmask 10.0.0.1")
    assert keyboard.type("commit").endswith(
        "Error: Number of addresses (5) exceeds platform capacity (3)\n(Module: device)\nCommit failed\n\n"
    )


def test_a_commit_may_fail_for_reasons_of_its_own() -> None:
    device = panos()
    device.mishaps.commit_errors.append(("Error: application 'ntp-base' not found",))
    keyboard = configuring(device, "set tag t color color1")
    assert keyboard.type("commit").endswith(
        "..........55%.\nError: application 'ntp-base' not found\n(Module: device)\nCommit failed\n\n"
    )
    assert keyboard.type("commit") == COMMITTED.format(3)


def test_a_commit_may_ask_first() -> None:
    device = panos()
    device.mishaps.ask_commit = True
    keyboard = configuring(device, "set tag t color color1")
    assert keyboard.raw("commit\r").endswith('(y or n) Please type "y" for yes or "n" for no. ')
    assert keyboard.type("n") == DONE
    keyboard.raw("commit\r")
    assert keyboard.type("y") == COMMITTED.format(2)


def test_an_install_keeps_commits_away() -> None:
    device = panos()
    device.mishaps.installing = True
    keyboard = configuring(device, "set tag t color color1")
    said = keyboard.type("commit")
    assert said == "\nYou cannot commit while an install is in progress. Please try again later.\n\n"


def test_a_slow_commit_is_a_job_with_a_share_done_and_later_ones_wait() -> None:
    clock = ManualClock(NOON)
    device = panos(clock=clock)
    device.mishaps.commit_takes = timedelta(seconds=60)
    keyboard = configuring(device, "set tag t color color1")
    assert keyboard.cli.answer("commit").seconds == 60.0
    keyboard.all("set tag u color color1")
    assert keyboard.cli.answer("commit").seconds == 120.0
    clock.advance(timedelta(seconds=42))
    rows = keyboard.type("run show jobs all").splitlines()[3:5]
    assert [row.split()[2:] for row in rows] == [
        ["3", "Commit", "PEND", "PEND", "0%"],
        ["12:00:00", "2", "Commit", "ACT", "PEND", "70%"],
    ]
    assert device.running.vsys("vsys1").at(("tag", "t")) is None
    clock.advance(timedelta(seconds=18))
    assert keyboard.type("run show jobs pending").splitlines()[3].split()[3:5] == ["3", "Commit"]
    assert list(device.running.vsys("vsys1").kids["tag"].kids) == ["house", "t"]
    clock.advance(timedelta(seconds=60))
    assert len(keyboard.type("run show jobs processed").splitlines()) == 6
    assert list(device.running.vsys("vsys1").kids["tag"].kids) == ["house", "t", "u"]


def test_a_commit_that_waits_can_be_cancelled() -> None:
    clock = ManualClock(NOON)
    device = panos(clock=clock)
    device.mishaps.commit_takes = timedelta(seconds=60)
    keyboard = configuring(device, "set tag t color color1")
    keyboard.type("commit")
    keyboard.all("set tag u color color1")
    keyboard.type("commit")
    keyboard.all("run clear job id 3")
    clock.advance(timedelta(seconds=120))
    assert keyboard.type("run check pending-changes") == "\nyes\n\n"
    assert list(device.running.vsys("vsys1").kids["tag"].kids) == ["house", "t"]
    assert keyboard.type("run clear job id 2") == "Server error : job 2 not found\n\n"


def test_a_full_queue_and_an_old_release_refuse_another_commit() -> None:
    device = panos(model=Model(commit_queue=0))
    device.mishaps.commit_takes = timedelta(seconds=60)
    keyboard = configuring(device, "set tag t color color1")
    keyboard.type("commit")
    keyboard.all("set tag u color color1")
    said = keyboard.type("commit")
    assert said == "\nAnother commit/validate is in progress. Please try again later\n\n"


@pytest.mark.parametrize("form", ["plain", "dequeued", "wide"])
def test_jobs_come_in_three_tables(form: Any) -> None:
    keyboard = configuring(panos(switches=Switches(job_table=form)), "set tag t color color1")
    keyboard.type("commit")
    header, dashes, row = keyboard.type("run show jobs id 2").splitlines()[1:4]
    assert ("Dequeued" in header, "PositionInQ" in header) == (form != "plain", form == "wide")
    assert set(dashes) == {"-"}
    assert row.split()[-4:] == ["Commit", "FIN", "OK", "12:00:00"]
    assert keyboard.type("run show jobs id 9") == "Server error : job 9 not found\n\n"


def test_validation_tells_and_changes_nothing() -> None:
    device = panos()
    keyboard, before = configuring(device, "set tag t color color1"), running(device)
    assert keyboard.type("validate full").endswith("100%\nConfiguration is valid\n\n")
    keyboard.all("set service test")
    assert "service -> test  is missing 'protocol'" in keyboard.type("validate partial admin admin")
    assert running(device) == before
    assert keyboard.type("run check pending-changes") == "\nyes\n\n"


# --- locks ------------------------------------------------------------------------------------------------------------


def test_a_config_lock_keeps_others_from_the_candidate() -> None:
    device = panos()
    hers, mine = operating(device, "alice"), configuring(device)
    assert hers.type('request config-lock add comment "run 7"').startswith("\nSuccessfully acquired lock.")
    assert hers.type("request config-lock add") == "You already own a config lock for scope shared\n\n"
    for line in (
        "set tag t color color1",
        "delete address cdn",
        "move rulebase security rules OUT top",
        "revert config",
    ):
        assert mine.type(line) == "Configuration is locked by alice\n\n"
    assert mine.type("run request config-lock add") == "Config for scope shared is currently locked by alice\n\n"
    assert "alice           shared    2026/03/02 12:00:00" in mine.type("run show config-locks")
    bob = operating(device, "bob")
    assert bob.type("request config-lock remove") == "Config for scope shared is currently locked by alice\n\n"
    hers.type("request config-lock remove")
    assert hers.type("request config-lock remove") == "Config is not currently locked for scope shared\n\n"
    mine.all("set tag t color color1")


def test_a_commit_lock_keeps_others_from_committing_and_goes_with_the_holder_s_commit() -> None:
    device = panos()
    hers, mine = operating(device, "alice"), configuring(device, "set tag t color color1")
    hers.type("request commit-lock add comment mine")
    assert mine.type("commit") == "\nOther administrators are holding device wide commit locks.\n\n"
    assert mine.type("run request commit-lock add") == "Commit lock is already held by alice\n\n"
    assert mine.type("run request commit-lock remove") == "Commit lock is not currently held by admin\n\n"
    hers.type("configure")
    assert hers.type("commit") == COMMITTED.format(2)
    assert hers.type("run show commit-locks").strip() == ""


def test_a_superuser_breaks_another_s_commit_lock() -> None:
    device = panos()
    operating(device, "alice").type("request commit-lock add")
    bob, mine = operating(device, "bob"), operating(device)
    assert bob.type("request commit-lock remove admin alice") == "Commit lock is not currently held by bob\n\n"
    mine.type("request commit-lock remove admin alice")
    assert not device.commit_locks


@pytest.mark.parametrize("survives", [True, False])
def test_a_config_lock_may_go_with_the_commit(survives: bool) -> None:
    device = panos(switches=Switches(config_lock_survives_commit=survives))
    keyboard = configuring(device)
    keyboard.type("run request config-lock add")
    keyboard.all("set tag t color color1")
    keyboard.type("commit")
    assert bool(device.config_locks) is survives


def test_a_lock_of_a_session_that_is_gone_stays() -> None:
    device = panos()
    keyboard = operating(device, "alice")
    keyboard.type("request config-lock add")
    keyboard.type("exit")
    assert configuring(device).type("set tag t color color1") == "Configuration is locked by alice\n\n"


# --- going back -------------------------------------------------------------------------------------------------------


def test_revert_drops_everybody_s_edits_or_only_one_s() -> None:
    device = panos()
    before = candidate(device)
    configuring(device, "set tag hers color color1", user="alice")
    keyboard = configuring(device, "set tag mine color color1", "delete address cdn")
    keyboard.all("revert config partial admin admin")
    assert shown(keyboard, "tag") == ["house color color3", 'house comments "ours, not theirs"', "hers color color1"]
    keyboard.all("revert config")
    assert candidate(device) == before
    assert keyboard.type("run check pending-changes") == "\nno\n\n"


def test_a_saved_candidate_comes_back_with_what_others_did_since_gone() -> None:
    device = panos()
    keyboard = configuring(device, "set tag mine color color1")
    saved = candidate(device)
    keyboard.type("save config to before.xml")
    configuring(device, "set tag hers color color1", user="alice")
    assert keyboard.type("load config from before.xml") == "\nConfig loaded from before.xml\n\n"
    assert candidate(device) == saved
    assert keyboard.type("run show config list change-summary").split() == [
        "admin:",
        "admin",
        "policy-and-objects:",
        "vsys1",
    ]
    keyboard.type("load config from running-config.xml")
    assert keyboard.type("run check pending-changes") == "\nno\n\n"


def test_an_earlier_version_comes_back() -> None:
    device = panos()
    keyboard, first = configuring(device, "set tag mine color color1"), running(device)
    keyboard.type('commit description "run 7"')
    assert "version: 2  date: 2026/03/02 12:00:00  job: 2  admin: admin  description: run 7" in keyboard.type(
        "run show config audit info"
    )
    assert keyboard.type("run show config audit version 1") == first
    keyboard.type("load config version 1")
    assert keyboard.type("commit") == COMMITTED.format(3)
    assert running(device) == first


@pytest.mark.parametrize("survives", [False, True])
def test_a_restart_ends_sessions_and_loses_what_was_not_committed(survives: bool) -> None:
    device = panos(switches=Switches(candidate_survives_reboot=survives))
    committed = candidate(device)
    keyboard = configuring(device, "set tag mine color color1")
    edited = candidate(device)
    assert keyboard.raw("run request restart system\r").endswith("Do you want to continue? (y or n) ")
    keyboard.raw("y\r")
    assert keyboard.closed
    assert candidate(device) == (edited if survives else committed)
    assert bool(device.changes.made) is survives


# --- texts of the site's own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["show me", "set address x ip-netmask nonsense", "address { a { fqdn x; } }"])
def test_a_text_that_makes_no_sense_is_not_loaded(line: str) -> None:
    with pytest.raises(Unread):
        panos(base=line)


def test_the_candidate_prints_in_four_forms() -> None:
    keyboard = configuring(panos())
    forms = {}
    for form in ("default", "set", "json", "xml"):
        keyboard.all(f"run set cli config-output-format {form}")
        forms[form] = keyboard.type("show address lab").strip("\n")
    assert forms["default"] == "lab {\n  ip-range 10.0.2.1-10.0.2.9;\n}"
    assert forms["set"] == "set address lab ip-range 10.0.2.1-10.0.2.9"
    assert forms["json"] == '{\n  "lab": {\n    "ip-range": "10.0.2.1-10.0.2.9"\n  }\n}'
    assert "<ip-range>10.0.2.1-10.0.2.9</ip-range>" in forms["xml"]


@pytest.mark.parametrize(("form", "first"), [("braces", "config {"), ("xml", "<config>")])
def test_whole_configurations_print_in_braces_or_as_xml(form: Any, first: str) -> None:
    keyboard = operating(panos(switches=Switches(whole_config=form)))
    assert keyboard.type("show config running").splitlines()[1] == first
    assert keyboard.type("show config candidate").splitlines()[1] == first


def test_a_box_with_many_virtual_systems_names_them() -> None:
    base = "set vsys vsys1 zone a network layer3 ethernet1/1\nset vsys vsys2 zone b network layer3 ethernet1/2\n"
    device = PanOs("edge", base=base, model=PA_5250, clock=ManualClock(NOON))
    keyboard = configuring(
        device, "set vsys vsys2 address x ip-netmask 10.0.0.1", "set shared address y fqdn y.example"
    )
    assert keyboard.type("set address z ip-netmask 10.0.0.1").endswith("Invalid syntax.\n\n")
    assert keyboard.type("set vsys vsys9 address z ip-netmask 10.0.0.1").endswith("Invalid syntax.\n\n")
    assert keyboard.type("show vsys vsys2 address") == "\nset vsys vsys2 address x ip-netmask 10.0.0.1\n\n"
    assert keyboard.type("show shared address") == "\nset shared address y fqdn y.example\n\n"
    keyboard.all("set vsys vsys1 address-group g static y")
    assert "-> vsys1 -> address-group -> g -> static\n" in keyboard.type("delete shared address y")
    said = keyboard.type("set vsys vsys1 address-group g static x")
    assert said == "g -> static 'x' is not a valid reference\ng -> static is invalid\n\n"
    assert keyboard.type("run set system setting target-vsys vsys2") == "\nSession target vsys changed to vsys2\n\n"
    keyboard.all("set address z ip-netmask 10.0.0.1", "set address-group g static x")
    assert "set address z ip-netmask 10.0.0.1\n" in keyboard.type("show address")
    assert keyboard.prompt == "[edit]\nadmin@edge-vsys2# "
    keyboard.type("run request config-lock add")
    assert list(device.config_locks) == ["vsys2"]
