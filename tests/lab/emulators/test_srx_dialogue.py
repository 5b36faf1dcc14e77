"""What an emulated SRX says on its terminal: modes, refusals, the candidate, commits, the lock."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest

from core.clock import ManualClock
from lab.emulators.faults import Moment
from lab.emulators.srx import Mishaps, Model, Srx, Switches, User
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.srx import DATA, Keyboard, active, candidate, configuring, operating, positions, srx

BOOK = "security address-book global"
POLICY = "security policies global policy"
DENY = (
    f"set {BOOK} address T-1 23.192.0.0/11",
    f"set {BOOK} address-set T address T-1",
    f"set {POLICY} T-DENY match source-address any destination-address T application any",
    f"set {POLICY} T-DENY then deny",
    f"set {POLICY} T-DENY then log session-init",
    f"set {POLICY} T-DENY then count",
)


def clock(device: Srx) -> ManualClock:
    assert isinstance(device.clock, ManualClock)
    return device.clock


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_login_and_settings_come_byte_for_byte_as_gnetcli_saw_them() -> None:
    """But the last-login line, which names a time and a place."""
    device = srx(name="some-juniper", base="", users={"username": User(password="x")}, model=Model(version="21.2R3.8"))
    keyboard = Keyboard(device, "username")
    shown = keyboard.first
    for line in ("complete-on-space off", "screen-length 0", "screen-width 1024", "terminal ansi"):
        shown += keyboard.raw(f"set cli {line}\r")
    captured = (DATA / "session_login_and_show.txt").read_text().replace("\n", "\r\n")
    start, end = captured.index("--- JUNOS"), captured.index("sh sys uptime")
    assert shown == captured[start:end]


def test_prompts_follow_the_modes() -> None:
    keyboard = operating(srx())
    assert keyboard.cli.prompt == "\r\nadmin@edge> "
    assert keyboard.type("configure") == "Entering configuration mode\n"
    assert keyboard.cli.prompt == "\r\n[edit]\r\nadmin@edge# "
    keyboard.all("edit security policies", "edit global")
    assert keyboard.cli.prompt == "\r\n[edit security policies global]\r\nadmin@edge# "
    keyboard.all("up")
    assert keyboard.prompt == "[edit security policies]\r\nadmin@edge# "
    keyboard.all("top", "edit security", "exit")
    assert keyboard.prompt == "[edit]\r\nadmin@edge# "
    assert keyboard.type("exit configuration-mode") == "Exiting configuration mode\n"
    assert keyboard.prompt == "admin@edge> "
    keyboard.type("exit")
    assert keyboard.closed


def test_root_lands_in_a_shell() -> None:
    keyboard = Keyboard(srx(users={"root": User(password="x")}), "root")
    assert keyboard.prompt == "root@edge:~ # "
    keyboard.all("cli")
    assert keyboard.prompt == "root@edge> "
    keyboard.all("exit")
    keyboard.type("exit")
    assert keyboard.closed


@pytest.mark.parametrize(
    ("line", "caret", "text"),
    [
        pytest.param("bogus", 0, "syntax error, expecting <command>.", id="first-word"),
        pytest.param("show bogus", 5, "unknown command.", id="later-word"),
        pytest.param("set cli screen-width 99999", 21,
                     "number: '99999': Value must be a number from 0 to 1024 at '99999'", id="range"),
        pytest.param("show configuration security bogus", 28, "syntax error.", id="no-such-statement"),
        pytest.param("show version | bogus", 15, "unknown command.", id="pipe"),
        pytest.param("show system co", 12, "'co' is ambiguous.", id="ambiguous"),
        pytest.param("commit", 0, "syntax error, expecting <command>.", id="not-here"),
    ],
)  # fmt: skip
def test_operational_refusals(line: str, caret: int, text: str) -> None:
    keyboard = operating(srx())
    assert keyboard.type(line) == f"{' ' * (len('admin@edge> ') + caret)}^\n{text}\n"


def test_the_two_texts_for_unknown_words_may_be_the_other_way_round() -> None:
    keyboard = operating(srx(switches=Switches(words_swapped=True)))
    assert keyboard.type("bogus").endswith("^\nunknown command.\n")
    assert keyboard.type("show bogus").endswith("^\nsyntax error, expecting <command>.\n")


@pytest.mark.parametrize(
    ("line", "bad", "text"),
    [
        pytest.param(f"set {BOOK} adress X 10.0.0.0/8", "adress", "syntax error.", id="word"),
        pytest.param(f"set {BOOK} address X 100.1.1.256", "100.1.1.256",
                     "invalid value '256' in ip address: '100.1.1.256' at '100.1.1.256'", id="octet"),
        pytest.param(f"set {BOOK} address X 100.1.1.0/-1", "100.1.1.0/-1",
                     "missing or invalid prefix length '-1' in address '100.1.1.0/-1' at '100.1.1.0/-1'", id="length"),
        pytest.param(f"set {BOOK} address X 100.1.1.0/33", "100.1.1.0/33",
                     "prefix length '33' is larger than 32 in address '100.1.1.0/33' at '100.1.1.0/33'", id="33"),
        pytest.param(f"set {BOOK} address X ::-1", "::-1", "invalid ip address or hostname: ::-1 at '::-1'", id="v6"),
        pytest.param(f"set {BOOK} address _x 10.0.0.0/8", "_x",
                     "Must be a string beginning with a number or letter and consisting of letters, numbers, colons,"
                     " periods, slashes, dashes and underscores", id="address-name"),
        pytest.param(f"set {BOOK} address X dns-name *.tiktok.com", "*.tiktok.com", "Must be a valid DNS name",
                     id="wildcard"),
        pytest.param(f"set {BOOK} address {'x' * 64} 10.0.0.0/8", "x" * 64, "Must be 63 characters or less", id="long"),
        pytest.param(f"set {POLICY} a.b then deny", "a.b",
                     "Must be a string beginning with a number or letter and consisting of letters, numbers, dashes and"
                     " underscores", id="policy-name"),
        pytest.param(f"set {POLICY} P then drop", "drop", "syntax error.", id="action"),
        pytest.param(f"set {POLICY} P then deny log session-init x", "x", "syntax error.", id="late-word"),
        pytest.param("set interfaces ge-0/0/0 disable", "interfaces", "syntax error.", id="not-emulated"),
        pytest.param(f'set {BOOK} address web description "a', '"a', "syntax error.", id="open-quotes"),
        pytest.param(f"set {BOOK} address X 10.0.0.0/8 10.9.0.0/16", "10.9.0.0/16", "syntax error.", id="two-values"),
        pytest.param("run configure", "configure", "unknown command.", id="run-configure"),
        pytest.param("run exit", "exit", "unknown command.", id="run-exit"),
        pytest.param("bogus", "bogus", "unknown command.", id="verb"),
        pytest.param("load merge terminal", "merge", "syntax error.", id="load-merge"),
        pytest.param("rollback 50", "50", "number: '50': Value must be a number from 0 to 49 at '50'", id="rollback"),
        pytest.param("commit bogus", "bogus", "syntax error.", id="commit"),
        pytest.param("commit confirmed 0", "0", "number: '0': Value must be a number from 1 to 65535 at '0'", id="0"),
    ],
)  # fmt: skip
def test_a_refused_line_says_where_and_changes_nothing(line: str, bad: str, text: str) -> None:
    keyboard = configuring(srx())
    before = candidate(keyboard)
    column = len("admin@edge# ") + line.rindex(bad)
    assert keyboard.type(line) == f"{' ' * column}^\n{text}\n"
    assert candidate(keyboard) == before


@pytest.mark.parametrize(
    "line", [f"set {BOOK} address", "set security policies", "delete security bogus", "set", "run"]
)
def test_an_unfinished_line_is_refused(line: str) -> None:
    keyboard = configuring(srx())
    before = candidate(keyboard)
    assert keyboard.type(line).endswith(("^\nmissing mandatory argument.\n", "^\nsyntax error.\n"))
    assert candidate(keyboard) == before


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"delete {BOOK} address nothing", "warning: statement not found\n"),
        (f"insert {POLICY} nothing before policy web-in", "error: statement 'policy nothing' not found\n"),
        (f"insert {POLICY} web-in before policy nothing", "error: statement 'policy nothing' not found\n"),
        (f"rename {BOOK} address web to address staff-1", "error: statement 'address staff-1' already exists\n"),
        ("rollback 7", "error: rollback 7 does not exist\n"),
    ],
)
def test_what_is_not_there_is_told(line: str, text: str) -> None:
    keyboard = configuring(srx())
    before = candidate(keyboard)
    assert keyboard.type(line) == text
    assert candidate(keyboard) == before


# --- the candidate ----------------------------------------------------------------------------------------------------


def test_statements_print_in_the_schemas_order_and_lists_in_the_users() -> None:
    keyboard = configuring(srx(), f"set {POLICY} B then count", f"set {POLICY} B then deny")
    keyboard.all(
        f"set {POLICY} B match application any destination-address [ web staff ] source-address any",
        f'set {POLICY} B description "one two"',
        f"set {BOOK} address-set S address web",
        f"set {BOOK} address Z 2001:DB8:0::/48",
        f'set {BOOK} address A description "x" 192.168.50.45',
    )
    assert keyboard.type(f"show {POLICY} B | display set") == (
        f'set {POLICY} B description "one two"\n'
        f"set {POLICY} B match source-address any\n"
        f"set {POLICY} B match destination-address web\n"
        f"set {POLICY} B match destination-address staff\n"
        f"set {POLICY} B match application any\n"
        f"set {POLICY} B then deny\n"
        f"set {POLICY} B then count\n"
    )
    assert keyboard.type("edit security address-book global") == ""
    assert keyboard.type("show | display set relative | match \"address [AZ] |address-set S \"") == (
        "set address Z 2001:db8::/48\n"
        "set address A description x\n"
        "set address A 192.168.50.45/32\n"
        "set address-set S address web\n"
    )  # fmt: skip


def test_an_address_is_one_thing_at_a_time_and_a_policy_does_one_thing() -> None:
    keyboard = configuring(srx(), f"set {BOOK} address web dns-name www.example.com ipv4-only")
    assert keyboard.type(f"show {BOOK} address web") == "dns-name www.example.com {\n    ipv4-only;\n}\n"
    keyboard.all(f"set {BOOK} address web range-address 10.0.0.1 to 10.0.0.9", f"set {POLICY} web-in then reject")
    assert keyboard.type(f"show {BOOK} address web | display set") == (
        f"set {BOOK} address web range-address 10.0.0.1 to 10.0.0.9\n"
    )
    assert keyboard.type(f"show {POLICY} web-in then") == "reject;\n"


def test_insert_moves_and_show_compare_marks_what_now_stands_earlier() -> None:
    keyboard = configuring(srx(), *DENY, f"insert {POLICY} T-DENY before policy web-in")
    assert [line.split()[5] for line in keyboard.type(f"show {POLICY.removesuffix(' policy')} | display set")
            .splitlines() if " then deny" in line or " then permit" in line] == ["T-DENY", "web-in"]  # fmt: skip
    keyboard.type("commit")
    pair = "security policies from-zone inside to-zone outside"
    keyboard.all(f"insert {pair} policy no-telnet after policy staff-out")
    assert keyboard.type("show|compare") == f"[edit {pair}]\n!     policy staff-out {{ ... }}\n"
    keyboard.all(f"insert {pair} policy no-telnet before policy staff-out")
    assert keyboard.type("show | compare") == ""


def test_delete_takes_empty_containers_along_but_not_entries_of_lists() -> None:
    keyboard = configuring(srx())
    keyboard.all(f"delete {BOOK} address-set staff address staff-1", f"delete {BOOK} address-set staff address staff-2")
    keyboard.all(f"delete {BOOK} address-set staff description", f"delete {POLICY} web-in")
    shown = candidate(keyboard)
    assert f"set {BOOK} address-set staff\n" in shown
    assert "global policy" not in shown
    assert keyboard.type("show | compare") == (
        f"[edit {BOOK} address-set staff]\n"
        '-     description "people of the   house";\n'
        "-     address staff-2;\n"
        "-     address staff-1;\n"
        "[edit security policies]\n"
        "-    global {\n-        policy web-in {\n-            match {\n-                source-address any;\n"
        "-                destination-address web;\n-                application junos-https;\n-            }\n"
        "-            then {\n-                permit;\n-            }\n-        }\n-    }\n"
    )


def test_the_same_leaf_may_stand_at_two_levels_of_one_line() -> None:
    server = "security dynamic-address feed-server w"
    keyboard = configuring(srx(), f"set {server} update-interval 60 feed-name f update-interval 30")
    assert keyboard.type(f"show {server} | display set relative") == (
        "set update-interval 60\nset feed-name f update-interval 30\n"
    )


def test_rename_keeps_the_place() -> None:
    keyboard = configuring(srx(), f"rename {BOOK} address web to address shop")
    assert f"set {BOOK} address shop 10.0.0.80/32\nset {BOOK} address staff-1" in candidate(keyboard)


def test_deactivate_prints_its_line_behind_the_statement() -> None:
    keyboard = configuring(srx(), f"deactivate {POLICY} web-in")
    assert keyboard.type(f"show {POLICY} web-in | display set | last 1") == f"deactivate {POLICY} web-in\n"
    assert keyboard.type("show security policies global").startswith("inactive: policy web-in {\n")
    assert keyboard.type("show | compare") == (
        "[edit security policies global]\n!     inactive: policy web-in { ... }\n"
    )
    keyboard.all(f"activate {POLICY} web-in")
    assert keyboard.type("show | compare") == ""


def test_an_incomplete_policy_is_marked_and_does_not_commit() -> None:
    keyboard = configuring(srx(), f"set {POLICY} P match source-address any")
    assert "+         ## Warning: missing mandatory statement(s): 'then'\n" in keyboard.type("show | compare")
    assert "missing mandatory statement(s)" in keyboard.type("commit")


def test_compare_can_indent_and_show_neighbours_otherwise() -> None:
    for switches, shown in (
        (
            Switches(),
            "     address web 10.0.0.80/32;\n+    address B 10.9.0.0/16;\n     address staff-1 10.0.1.0/24;\n",
        ),
        (Switches(neighbours="before"), "     address web 10.0.0.80/32;\n+    address B 10.9.0.0/16;\n"),
        (Switches(neighbours="none", compare_indent="four"), "+    address B 10.9.0.0/16;\n"),
    ):
        keyboard = configuring(srx(switches=switches), f"set {BOOK} address B 10.9.0.0/16")
        keyboard.all(f"insert {BOOK} address B before address staff-1")
        assert keyboard.type("show | compare") == f"[edit {BOOK}]\n{shown}"


# --- loads ------------------------------------------------------------------------------------------------------------


def test_a_load_tells_errors_by_line_and_column_and_keeps_the_rest() -> None:
    keyboard = configuring(srx())
    shown = keyboard.load(
        f"set {BOOK} address A 10.9.0.0/16",
        f"set {BOOK} address-set S bogus address A",
        f"delete {BOOK} address nothing",
        f"set {BOOK} address B 10.9.0.0/33",
        "frobnicate",
    )
    assert shown == (
        f"terminal:2:({len(f'set {BOOK} address-set S ')}) syntax error: bogus\n"
        "warning: statement not found\n"
        f"terminal:4:({len(f'set {BOOK} address B ')})"
        " prefix length '33' is larger than 32 in address '10.9.0.0/33' at '10.9.0.0/33'\n"
        "terminal:5:(0) syntax error: frobnicate\n"
        "load complete\n"
    )
    assert keyboard.type("show | compare").splitlines()[1:] == [
        "     address staff-2 10.0.2.0/24;", "+    address A 10.9.0.0/16;", "+    address B;",
        "     address-set staff { ... }", "+    address-set S;",
    ]  # fmt: skip
    assert keyboard.type("commit check") == "configuration check succeeds\n"


def test_a_load_waits_for_its_end_and_echoes_what_comes_in() -> None:
    keyboard = configuring(srx())
    assert keyboard.type("load set terminal") == "[Type ^D at a new line to end input]\n"
    assert keyboard.raw(f"set {BOOK} address A 10.9.0.0/16\n") == f"set {BOOK} address A 10.9.0.0/16\r\n"
    assert keyboard.raw("\x04") == "^Dload complete\r\n\r\n[edit]\r\nadmin@edge# "


def test_a_relative_load_starts_where_the_session_stands() -> None:
    keyboard = configuring(srx(), "edit security address-book global")
    keyboard.type("load set terminal relative")
    keyboard.raw("set address A 10.9.0.0/16\n\x04")
    assert f"set {BOOK} address A 10.9.0.0/16\n" in candidate(keyboard)


# --- commits ----------------------------------------------------------------------------------------------------------


def test_the_safe_sequence() -> None:
    device = srx()
    keyboard = configuring(device)
    assert keyboard.type("show | compare") == ""
    assert keyboard.load(*DENY) == "load complete\n"
    assert keyboard.type("commit check") == "configuration check succeeds\n"
    assert "T-DENY" not in active(device)
    assert keyboard.type('commit confirmed 5 comment "change 7"') == (
        "commit confirmed will be automatically rolled back in 5 minutes unless confirmed\ncommit complete\n"
    )
    assert keyboard.prompt == "# commit confirmed will be rolled back in 5 minutes\r\n[edit]\r\nadmin@edge# "
    other = operating(device)
    assert "T-DENY" in other.type("show configuration security policies global")
    assert other.type("show system commit").splitlines()[:2] == [
        "0   2026-03-02 12:00:00 UTC by admin via cli commit confirmed, rollback in 5mins", "    change 7",
    ]  # fmt: skip
    assert keyboard.type("commit") == "commit complete\n"
    assert "confirmed" not in other.type("show system commit")
    clock(device).advance(timedelta(minutes=6))
    assert "T-DENY" in active(device)
    assert keyboard.type("exit") == "Exiting configuration mode\n"


def test_an_unconfirmed_commit_goes_back_by_the_clock_and_everybody_hears_it() -> None:
    device = srx()
    before = active(device)
    keyboard = configuring(device, *DENY)
    keyboard.type("commit confirmed 5")
    assert keyboard.type("exit") == "Exiting configuration mode\n"
    clock(device).advance(timedelta(minutes=4, seconds=59))
    assert keyboard.prompt == "# commit confirmed will be rolled back in 1 minutes\r\nadmin@edge> "
    assert "T-DENY" in active(device)
    clock(device).advance(timedelta(seconds=1))
    assert active(device) == before
    assert "Commit was not confirmed; automatic rollback complete.\n" in keyboard.type("show version")
    assert keyboard.prompt == "admin@edge> "


@pytest.mark.parametrize("keeps", [True, False])
def test_what_another_edits_outlives_an_automatic_rollback_or_not(keeps: bool) -> None:
    device = srx(switches=Switches(rollback_keeps_edits=keeps))
    before = active(device)
    ours = configuring(device, *DENY)
    ours.type("commit confirmed 5")
    ours.type("exit")
    theirs = configuring(device, f"set {BOOK} address OTHER 10.9.0.0/16", mode="configure")
    clock(device).advance(timedelta(minutes=5))
    assert active(device) == before
    assert ("OTHER" in candidate(theirs)) is keeps


def test_a_wiped_device_has_nothing_left() -> None:
    device = srx()
    keyboard = configuring(device)
    assert "This will delete the entire configuration" in keyboard.raw("delete\r")
    keyboard.type("yes")
    assert keyboard.type("commit") == "commit complete\n"
    assert active(device) == ""


def test_commit_check_confirms_too() -> None:
    device = srx()
    keyboard = configuring(device, *DENY)
    keyboard.type("commit confirmed")
    clock(device).advance(timedelta(minutes=9))
    keyboard.type("commit check")
    clock(device).advance(timedelta(minutes=9))
    assert "T-DENY" in active(device)


def test_rollback_fills_the_candidate_alone() -> None:
    device = srx()
    before = active(device)
    keyboard = configuring(device, *DENY)
    keyboard.type("commit")
    assert keyboard.type("rollback 1") == "load complete\n"
    assert candidate(keyboard) == before
    assert active(device) != before
    assert keyboard.type("rollback 0") == "load complete\n"
    assert candidate(keyboard) == active(device)
    keyboard.all(f"delete {POLICY} T-DENY")
    assert keyboard.type("commit and-quit") == "commit complete\nExiting configuration mode\n"
    assert "rollback 1" not in keyboard.type("show configuration | compare rollback 1")
    assert "-     policy T-DENY {" in keyboard.type("show configuration | compare rollback 1")


def test_fifty_commits_are_kept() -> None:
    keyboard = configuring(srx())
    for number in range(52):
        keyboard.all(f"set {BOOK} address N 10.9.{number}.0/24")
        keyboard.type("commit")
    assert keyboard.type("run show system commit | count") == "Count: 50 lines\n"


@pytest.mark.parametrize(
    ("lines", "path", "statement", "message", "constraint"),
    [
        ([f"set {BOOK} address-set S address nobody"], f"{BOOK} address-set S", "address nobody",
         "referenced address must be defined under address-book", True),
        ([f"set {BOOK} address-set web address staff-1"], BOOK, "address-set web",
         "Security address and address-set cannot have same name", True),
        ([f"delete {BOOK} address staff-1"], f"{BOOK} address-set staff", "address staff-1",
         "referenced address must be defined under address-book", True),
        ([f"set {BOOK} address D dns-name a.example ipv4-only ipv6-only"], f"{BOOK} address D", "dns-name a.example",
         "ipv4-only and ipv6-only cannot be configured together", True),
        ([f"set {POLICY} web-in scheduler-name nights"], f"{POLICY} web-in", "scheduler-name nights",
         "scheduler must be defined", True),
        ([f"set {POLICY} web-in match from-zone moon"], f"{POLICY} web-in match", "from-zone moon",
         "Security zone must be defined", True),
        (["set security address-book global attach zone inside"], BOOK, "attach",
         "It is not allowed to attach the global address book to any particular interface, zone or routing-instance.",
         True),
        (["set security zones security-zone inside address-book address Q 10.0.0.0/8"],
         "security zones security-zone inside", "address-book",
         "Zone specific address books are not allowed when there are global address books defined", True),
        ([f"set {POLICY} web-in match source-address nobody"], f"{POLICY} web-in", "match",
         "Address or address_set (nobody) not found", False),
        ([f"delete {BOOK} address web"], f"{POLICY} web-in", "match", "Address or address_set (web) not found", False),
    ],
)  # fmt: skip
def test_a_commit_is_refused_and_the_candidate_stays(
    lines: list[str],
    path: str,
    statement: str,
    message: str,
    constraint: bool,
) -> None:
    device = srx()
    before = active(device)
    keyboard = configuring(device, *lines)
    bad = candidate(keyboard)
    complaint = f"[edit {path}]\n  '{statement}'\n    {message}\n"
    failed = "error: commit failed: (statements constraint check failed)\n"
    checkout = "error: configuration check-out failed\n"
    assert keyboard.type("commit check") == complaint + checkout
    assert keyboard.type("commit") == complaint + (failed if constraint else checkout)
    assert keyboard.type("commit confirmed 5") == complaint + (failed if constraint else checkout)
    assert candidate(keyboard) == bad
    assert active(device) == before
    keyboard.type("rollback 0")
    assert keyboard.type("commit check") == "configuration check succeeds\n"


@pytest.mark.parametrize(
    ("model", "lines", "message"),
    [
        (Model(members=2), (f"set {BOOK} address-set staff address web",), "Number of elements exceeds 2"),
        (Model(policies=3), DENY, "Too many policies"),
        (Model(addresses=4), DENY, "Too many addresses"),
        (Model(policy_units=5), (f"set {BOOK} address six 2001:db8::/32",
                                 f"set {POLICY} web-in match source-address six destination-address staff"),
         "Too many addresses"),
    ],
)  # fmt: skip
def test_a_full_box_refuses_at_commit(model: Model, lines: tuple[str, ...], message: str) -> None:
    keyboard = configuring(srx(model=model), *lines)
    assert message in keyboard.type("commit")
    keyboard.type("rollback 0")
    assert keyboard.type("commit") == "commit complete\n"


def test_a_commit_can_fail_and_take_its_time() -> None:
    device = srx()
    device.mishaps = Mishaps(commit_failures=["error: configuration check-out failed\n"], commit_seconds=2.5)
    keyboard = configuring(device, *DENY)
    reply = keyboard.cli.answer("commit")
    assert (reply.text, reply.seconds) == ("error: configuration check-out failed\n", 2.5)
    assert keyboard.type("commit") == "commit complete\n"


# --- others -----------------------------------------------------------------------------------------------------------


def test_one_exclusive_session_keeps_others_from_editing() -> None:
    device = srx()
    first, second = configuring(device), operating(device, "admin")
    clock(device).advance(timedelta(seconds=72))
    held = (
        "error: configuration database locked by:\n"
        "  admin terminal p0 (pid 4681) on since 2026-03-02 12:00:00 UTC, idle 00:01:12\n"
        "      exclusive [edit]\n"
    )
    assert second.type("configure exclusive") == held
    assert second.prompt == "admin@edge> "
    assert "Users currently editing the configuration:\n" in second.type("configure")
    for line in (DENY[0], "commit", "rollback 0", "load set terminal"):
        assert second.type(line) == held
    first.leave()
    second.all(DENY[0])


def test_a_dirty_candidate_refuses_exclusive() -> None:
    for switches, start in ((Switches(), ""), (Switches(modified_prefix=True), "configure exclusive ")):
        device = srx(switches=switches)
        foreign = configuring(device, DENY[0], mode="configure")
        keyboard = operating(device)
        assert keyboard.type("configure exclusive") == f"{start}error: configuration database modified\n"
        assert keyboard.type("configure").endswith("The configuration has been changed but not committed\n")
        foreign.type("rollback 0")
        other = operating(device)
        assert "Entering configuration mode" in other.type("configure exclusive")


def test_shared_edits_of_two_are_committed_together() -> None:
    device = srx()
    one, two = configuring(device, mode="configure"), configuring(device, mode="configure")
    one.all(DENY[0])
    two.all(f"set {BOOK} address OTHER 10.9.0.0/16")
    one.type("commit")
    assert "OTHER" in active(device)


def test_leaving_with_changes_asks() -> None:
    device = srx()
    keyboard = configuring(device, DENY[0], mode="configure")
    assert keyboard.raw("exit\r").endswith(
        "The configuration has been changed but not committed\r\nExit with uncommitted changes? [yes,no] (yes) "
    )
    assert keyboard.type("no") == ""
    assert keyboard.prompt.startswith("[edit]")
    keyboard.type("exit configuration-mode")
    assert keyboard.type("yes") == "Exiting configuration mode\n"
    assert device.database.dirty


def test_leaving_exclusive_with_changes_discards_them() -> None:
    device = srx()
    keyboard = configuring(device, DENY[0])
    assert keyboard.raw("exit\r").endswith(
        "The configuration has been changed but not committed\r\n"
        "warning: Auto rollback on exiting 'configure exclusive'\r\n"
        "Discard uncommitted changes? [yes,no] (yes) "
    )
    assert keyboard.type("") == "warning: discarding uncommitted changes\nload complete\nExiting configuration mode\n"
    assert not device.database.dirty


def test_a_dying_exclusive_session_leaves_nothing_or_its_lock() -> None:
    device = srx()
    configuring(device, DENY[0]).leave()
    assert not device.database.dirty
    configuring(device)
    device = srx(switches=Switches(stale_lock=True))
    configuring(device, DENY[0]).leave()
    other = operating(device)
    assert "(pid 4681)" in other.type("configure exclusive")
    other.all("request system logout pid 4681")
    assert other.type("configure exclusive").endswith("Entering configuration mode\n")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_session_that_dies_anywhere_leaves_no_lock_and_no_half_done_change(moment: Moment) -> None:
    sequence = [
        "configure exclusive",
        "load set terminal",
        *DENY,
        "\x04show | compare",
        "commit check",
        "commit",
        "exit",
    ]
    done = active(srx_with_deny())
    for at in range(1, len(sequence) + 1):
        device = srx()
        before = active(device)
        keyboard = operating(device)
        device.faults.arm(at, moment)
        for line in sequence:
            keyboard.raw(f"{line}\r")
        assert keyboard.closed
        assert not device.database.dirty
        assert active(device) == (done if at > 11 or (at == 11 and moment == "after") else before)
        assert operating(device).type("configure exclusive").endswith("Entering configuration mode\n")


def srx_with_deny() -> Srx:
    device = srx()
    configuring(device, *DENY).type("commit")
    return device


def test_a_user_without_the_right_has_no_configure() -> None:
    device = srx(users={"view": User(password="x", configure=False)})
    assert operating(device, "view").type("configure exclusive").endswith("syntax error, expecting <command>.\n")


def test_a_reboot_ends_sessions_and_forgets_what_was_not_committed() -> None:
    device = srx()
    before = active(device)
    foreign, keyboard = configuring(device, DENY[0], mode="configure"), operating(device)
    keyboard.type("request system reboot")
    assert keyboard.prompt == "Reboot the system ? [yes,no] (no) "
    keyboard.type("yes")
    assert keyboard.closed
    foreign.type("commit")
    assert foreign.closed
    assert active(device) == before
    assert not device.database.dirty


def test_a_busy_database_is_told() -> None:
    device = srx(base="")
    device.mishaps.database_busy = True
    captured = (DATA / "show_system_configuration_database_usage_locked.txt").read_text()
    assert operating(device).type("show system configuration database usage").strip() == captured.strip()


def test_times_are_of_the_devices_own_zone() -> None:
    device = srx(base="set system time-zone Europe/Berlin")
    assert operating(device).type("show configuration").startswith("## Last commit: 2026-03-02 13:00:00 CET by root\n")


# --- completion -------------------------------------------------------------------------------------------------------


def test_a_blank_completes_words_until_it_is_told_not_to() -> None:
    keyboard = Keyboard(srx())
    assert keyboard.raw("sh sys upt ").removesuffix(" ") == "show system uptime"
    keyboard.raw("\r")
    keyboard.type("configure")
    assert keyboard.raw("set sec pol glo pol P th") == "set security policies global policy P th"
    keyboard.raw("\x15set cli\x15")
    wide = operating(srx())
    assert wide.raw("sh sys upt ") == "sh sys upt "


def test_a_wrong_word_is_told_at_its_blank_and_again_at_the_end() -> None:
    keyboard = Keyboard(srx())
    keyboard.type("configure")
    caret = " " * len("admin@edge# set security ") + "^\r\nsyntax error.\r\n"
    shown = keyboard.raw("set security topology 65450\r")
    redrawn = "\r\nadmin@edge# set security topology 65450 \r\n"
    assert shown == f"set security topology\r\n{caret}{redrawn}{caret}\r\n[edit]\r\nadmin@edge# "


def test_a_login_tells_of_the_one_before() -> None:
    device = srx()
    assert "Last login" not in Keyboard(device).first
    assert Keyboard(device).first.startswith("Last login: Mon Mar  2 12:00:00 2026 from 192.0.2.10\r\n--- JUNOS ")


def test_status_lists_who_edits() -> None:
    device = srx()
    one, two = configuring(device, mode="configure"), operating(device)
    assert one.type("status").count(" terminal p") == 1
    assert two.type("configure").splitlines()[1] == "Users currently editing the configuration:"


# --- whatever the switches --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("switches", "model"), positions())
def test_the_safe_sequence_goes_whatever_the_switches(switches: Switches, model: Model) -> None:
    device = srx(switches=switches, model=model)
    before = active(device)
    keyboard = configuring(device)
    assert keyboard.load(*DENY, f"set {BOOK} address bad 10.0.0.0/33").endswith("load complete\n")
    keyboard.type("rollback 0")
    assert keyboard.type("show | compare") == ""
    assert keyboard.load(*DENY) == "load complete\n"
    assert "+    address T-1 23.192.0.0/11;" in keyboard.type("show | compare")
    assert "configuration check succeeds" in keyboard.type("commit check")
    assert "commit complete" in keyboard.type("commit confirmed 5")
    after = active(device)
    assert after != before
    assert active(srx(base=after, switches=switches)) == after
    clock(device).advance(timedelta(minutes=5))
    assert active(device) == before
    keyboard.type("rollback 0")
    keyboard.load(*DENY)
    keyboard.type("commit")
    keyboard.type("exit")
    deny = Flow(source=ip_address("10.0.9.9"), destination=ip_address("23.192.0.9"))
    assert device.forward(deny) is Verdict.DENY
    row = operating(device).type("show security policies hit-count | match T-DENY").split()
    assert row[3:5] == ["T-DENY", "1"]
    refused = operating(device)
    configuring(device, f"delete {BOOK} address T-1", mode="configure")
    assert "error: configuration database modified" in refused.type("configure exclusive")
