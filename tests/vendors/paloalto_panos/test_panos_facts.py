"""What a PAN-OS firewall tells about itself: facts, jobs, locks, counters, logs, what runs. All from text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from tests.vendors.paloalto_panos.readings import DATA, FACTS, firewall
from tests.vendors.paloalto_panos.test_panos_text import OFFICE
from tests.vendors.test_diff import NOTHING
from vendors.errors import Refused, Unreadable
from vendors.model import RuleName
from vendors.paloalto_panos import facts, policy
from vendors.paloalto_panos.counters import flows_from, hit_commands, log_command, rows_from
from vendors.paloalto_panos.talk import refusal
from vendors.paloalto_panos.transaction import refuse_unfit
from vendors.shell import Said

RULES = "show rulebase security rules"
HITS = "show rule-hit-count vsys vsys-name vsys1 rule-base security rules list [ tokgate-deny-company ]"
TABLE = (
    f"{'Rule Name':<65}{'Hit Count':<12}{'Last Hit Timestamp':<26}{'Last Reset Timestamp':<26}"
    f"{'First Hit Timestamp':<26}{'Rule Create Timestamp':<26}{'Rule Modify Timestamp'}\n" + "-" * 207 + "\n"
)
ROW = (
    f"{'tokgate-deny-company':<65}{'42':<12}{'Wed Nov 20 13:51:02 2019':<26}{'-':<26}{'-':<26}"
    f"{'Tue Apr 10 18:49:52 2018':<26}-\n"
)
RESET = "Mon Jan  1 00:00:00 2024"
OURS = (
    "set rulebase security rules tokgate-deny-company tag tokgate\n"
    "set rulebase security rules tokgate-deny-company description "
    '"tokgate rule deny-company of 01owner to dst-tiktok"\n'
    "set rulebase security rules theirs action allow\n"
)


def counted(**changes: str) -> str:
    """A whole reading of counters; ``changes`` replace sections by the word they begin with."""
    said = {
        "show system info": FACTS["show system info"],
        RULES: OURS,
        HITS: TABLE + ROW,
        "read at": "2020-07-22T18:15:56+00:00\n",
    } | changes
    return "".join(f"@@ {command}\n{text}" for command, text in said.items()) + "@@ end\n"


# --- system, pair, pending, jobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "version", "model"), [("7.0.1", "7.0.1", "PA-VM"), ("9.1.2_aws", "9.1.2", "PA-VM")])
def test_system_info_of_real_firewalls(name: str, version: str, model: str) -> None:
    system = facts.system_from((DATA / f"show_system_info_{name}.txt").read_text())
    assert (system.version, system.model, system.multi_vsys) == (version, model, False)
    assert system.time is not None


def test_the_role_is_the_local_members() -> None:
    text = (DATA / "show_high-availability_all.txt").read_text()
    assert facts.role_from(text) == "active"
    peer = text[text.index("Peer Information") :]
    assert "State: passive" in peer
    assert facts.role_from(text.replace("State: active", "State: active-secondary")) == "active-secondary"


WIDE = "2019/03/25 13:12:59   2019/03/25 13:12:59   3850  Validate FIN  "


@pytest.mark.parametrize(
    ("text", "kind", "done", "ok"),
    [
        ("2019/03/25 13:12:59 13:12:59 3850 Commit    ACT   PEND        70%\n", "Commit", False, False),
        ("2019/03/25 13:12:59        3850      Commit       FIN     OK 03:05:41  \n", "Commit", True, True),
        (WIDE + "FAIL 13:13:10\nDetails:\nError: x is invalid\n", "Validate", True, False),
        ("2019/03/25 13:12:59   13:12:59   3850  0  Commit  PEND  PEND  0%\n", "0", False, False),
    ],
)  # fmt: skip
def test_jobs_in_every_width_of_their_table(text: str, kind: str, done: bool, ok: bool) -> None:
    head = "\nEnqueued            Dequeued   ID   Type Status Result Completed\n" + "-" * 60 + "\n"
    job = facts.job_from(head + text, 3850)
    assert (job.is_done, job.is_ok) == (done, ok)
    assert ("is invalid" in job.details) == ("Details" in text)
    with pytest.raises(Unreadable):
        facts.job_from(head + text, 51)


def test_jobs_of_an_old_real_table() -> None:
    text = (DATA / "show_jobs_all_old.txt").read_text()
    assert facts.job_from(text, 2336).kind == "Antivirus"


@pytest.mark.parametrize(
    ("said", "number", "nothing", "busy"),
    [
        ("Commit job 5 is in progress. Use Ctrl+C to return\n...55%99%....100%\nConfiguration", 5, False, False),
        ("Validate job enqueued with jobid 12\n12\n", 12, False, False),
        ("There are no changes to commit.", None, True, False),
        ("The result of this commit would be the same as the previous commit", None, True, False),
        ("Another commit/validate is in progress. Please try again later", None, False, True),
    ],
)  # fmt: skip
def test_what_a_commit_says(said: str, number: int | None, nothing: bool, busy: bool) -> None:
    assert (facts.job_in(said), facts.says_nothing_to_do(said), facts.says_busy(said)) == (number, nothing, busy)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("no such form", set()),
        ("admin: tokgate\nadmin: bob\n", {"tokgate", "bob"}),
        ("<entry><owner>bob</owner><admin-history>bob</admin-history></entry>", {"bob"}),
    ],
)
def test_who_has_changes_pending(text: str, names: set[str]) -> None:
    assert facts.administrators_in(text) == names


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"panorama": "10.0.0.1"}, "Panorama at 10.0.0.1"),
        ({"role": "passive"}, "passive"),
        ({"role": "active-secondary"}, "active-secondary"),
        ({"pending": "administrator bob"}, "bob"),
    ],
)
def test_where_nothing_may_be_written(extra: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        refuse_unfit(replace(NOTHING, extra=extra))
    refuse_unfit(replace(NOTHING, extra={"role": "active", "pending": "ours"}))


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("", False),
        ("\n\n", False),
        ("Warning: something\n", False),
        ("Invalid syntax.\n", True),
        ("         ^\nx\n", True),
    ],
)
def test_a_line_that_is_taken_is_answered_with_nothing(text: str, is_refused: bool) -> None:
    assert (refusal(Said(line="set x", text=text, prompt="")) is not None) == is_refused


# --- hit counts -----------------------------------------------------------------------------------------------------


def test_hit_counts_of_a_real_firewall() -> None:
    text = (DATA / "show_rule-hit-count_all.txt").read_text()
    rows = list(rows_from(text.replace("...\n", "")))
    assert [(r.name, r.hits) for r in rows[:3]] == [
        ("LogAllURL-DIdac", 510932),
        ("HostedPanorama", 4487),
        ("Minemeld hosted on Rancher", 180262),
    ]
    assert rows[0].last_hit == "Mon Dec 17 15:42:45 2018"
    assert rows[0].reset == ""


def test_counts_are_sessions_and_nothing_else() -> None:
    reading = firewall().parse_counters(counted())
    (count,) = reading.rules
    assert (count.rule, count.hits, count.packets, count.octets) == ("deny-company", 42, None, None)
    assert reading.read_at == datetime(2020, 7, 22, 18, 15, 56, tzinfo=UTC)
    assert reading.epoch == "4D5014C92D86397/vsys1"


def test_a_rule_that_was_made_anew_or_reset_has_another_epoch() -> None:
    epochs = {
        firewall().parse_counters(counted(**{HITS: TABLE + row})).rules[0].epoch
        for row in (ROW, ROW.replace("Apr 10", "Apr 11"), ROW.replace(f"{'-':<26}", f"{RESET:<26}"))
    }
    assert len(epochs) == 3


@pytest.mark.parametrize(
    "table",
    [
        TABLE + ROW,
        f"{'Rule Name':<65}{'Hit Count':<12}Last Hit Timestamp\n{'-' * 100}\n{'tokgate-deny-company':<65}{'42':<12}-\n",
        (
            f"{'Rule Name':<65}{'Vsys':<8}{'Rule UUID':<38}{'Hit Count':<12}Last Hit Timestamp\n"
            f"{'tokgate-deny-company':<65}{'vsys1':<8}{'0b2c8d1e-0000-0000-0000-000000000000':<38}{'42':<12}-\n"
        ),
    ],
)
def test_hit_counts_in_every_layout(table: str) -> None:
    assert firewall().parse_counters(counted(**{HITS: table})).rules[0].hits == 42


@pytest.mark.parametrize(
    "table",
    ["", TABLE, TABLE + ROW.replace("42", "??"), ROW, "Server error : busy\n", TABLE + ROW.replace("deny", "other")],
)
def test_no_count_of_a_rule_of_ours_is_an_error_and_never_zero(table: str) -> None:
    with pytest.raises(Unreadable):
        firewall().parse_counters(counted(**{HITS: table}))


def test_counters_that_are_cut_anywhere_are_none() -> None:
    text = counted()
    for length in range(len(text)):
        with pytest.raises(Unreadable):
            firewall().parse_counters(text[:length])


def test_rules_are_asked_for_by_name_in_lines_that_fit() -> None:
    lines = list(hit_commands(firewall().options, [f"tokgate-rule-{n:018}" for n in range(20)]))
    assert len(lines) == 3
    assert all(len(line) < 400 for line in lines)


# --- who ------------------------------------------------------------------------------------------------------------

LOG = (
    "1,2020/07/22 11:10:00,0072,TRAFFIC,drop,1,2020/07/22 11:10:00,10.1.2.3,192.0.2.7,0.0.0.0,0.0.0.0,"
    "tokgate-deny-company,,,not-applicable,vsys1,trust,untrust,ethernet1/1,,,2020/07/22 11:10:00,0,1,40001,443,0,0,0x0,"
    "tcp,deny,66,66,0,1,2020/07/22 11:10:00,0,any\n"
)
NAMES = {"tokgate-deny-company": RuleName("deny-company")}


def test_who_was_denied_is_read_from_the_log_in_utc() -> None:
    text = counted(**{log_command("tokgate-deny-company", datetime(2020, 7, 22, 11, 5)): LOG + LOG})  # noqa: DTZ001
    (flow,) = firewall().parse_counters(text).flows
    assert (str(flow.source), str(flow.destination), flow.packets, flow.octets) == ("10.1.2.3", "192.0.2.7", 2, 132)
    assert flow.last_seen == datetime(2020, 7, 22, 18, 10, tzinfo=UTC), "the firewall is seven hours behind"


def test_a_log_with_a_header_is_read_by_it() -> None:
    header = (
        "Domain,Receive Time,Serial #,Type,Generate Time,Source address,Destination address,Rule,Bytes,Packets,x,y\n"
    )
    row = "1,2020/07/22 11:10:00,0072,TRAFFIC,2020/07/22 11:10:00,10.1.2.3,192.0.2.7,tokgate-deny-company,66,1,,\n"
    flows, cut = flows_from([header + row], NAMES, timedelta(), 10)
    assert [f.source for f in flows] == [ip_address("10.1.2.3")]
    assert not cut


def test_the_log_is_bounded_and_says_so() -> None:
    flows, cut = flows_from([LOG * 5], NAMES, timedelta(), 3)
    assert cut
    assert flows[0].packets == 3


@pytest.mark.parametrize("row", ["", "garbage\n", LOG.replace("10.1.2.3", "?"), LOG.replace("tokgate-", "other-")])
def test_rows_that_are_not_ours_are_passed_over(row: str) -> None:
    assert flows_from([row], NAMES, timedelta(), 10) == ((), False)


# --- what runs ------------------------------------------------------------------------------------------------------


def compiled(
    destination: str = "[ 192.0.2.0/24 198.51.100.7 2001:db8:40::/48 203.0.113.9 ]", action: str = "deny"
) -> str:
    return (
        '"tokgate-deny-company; index: 1" {\n        from any;\n        source 10.1.0.0/16;\n        to any;\n'
        f"        destination {destination};\n        source-device any;\n        destinataion-device any;\n"
        f"        application/service  0:any/any/any/any;\n        action {action};\n        icmp-unreachable: no\n"
        "        terminal no;\n}\n"
    )


def test_running_rules_of_a_real_firewall() -> None:
    rules = policy.compiled_from((DATA / "show_running_security-policy.txt").read_text())
    assert [r.name for r in rules][:2] == ["Outside Web Server", "ICMP Any"]
    assert rules[-1].name == "interzone-default"
    assert rules[0].fields["action"] == ("allow",)
    assert rules[2].fields["destination"] == ("8.8.8.8", "8.8.4.4")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (compiled(), ""),
        (compiled("[ 192.0.2.0-192.0.2.127 192.0.2.128/25 198.51.100.7 2001:db8:40::/48 ]"), ""),
        (compiled("[ 192.0.2.0/25 198.51.100.7 2001:db8:40::/48 ]"), "192.0.2.128/25"),
        (compiled(action="allow"), "allow"),
        ("", "does not run"),
    ],
)
def test_what_runs_is_compared_by_what_it_covers(text: str, wrong: str) -> None:
    found = policy.differences(policy.compiled_from(text), OFFICE, "deny")
    assert bool(found) == bool(wrong)
    assert not wrong or wrong in found[0]


def test_running_rules_that_are_cut_prove_nothing() -> None:
    text = compiled()
    for length in range(len(text) - 2):
        try:
            rules = policy.compiled_from(text[:length])
        except Unreadable:
            continue
        assert policy.differences(rules, OFFICE, "deny")
