"""What real boxes printed, and readings of counters and of the log in every layout."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendors.fortinet_fortios.box import Box
from tests.vendors.fortinet_fortios.wishes import adapter, push, wish
from vendors.errors import Unreadable
from vendors.fortinet_fortios import logs
from vendors.fortinet_fortios.counters import NOW, rows_from
from vendors.fortinet_fortios.facts import status_from
from vendors.fortinet_fortios.syntax import normal_form, quoted, table_of, typed
from vendors.model import Reading

DATA = Path(__file__).parent / "data"


def data(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


# --- what boxes say of themselves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "vdoms", "ha", "primary"),
    [
        ("old", (6, 0, 7), True, "a-p", True),
        ("6.4.4_lab", (6, 4, 4), False, "standalone", True),
        ("7.0_1801f", (7, 0, 13), False, "a-p", True),
        ("7.0_eval", (7, 0, 3), False, "standalone", True),
        ("7.4", (7, 4, 1), False, "standalone", True),
    ],
)
def test_a_real_status_is_understood(
    name: str, version: tuple[int, int, int], vdoms: bool, ha: str, primary: bool
) -> None:
    found = status_from(data(f"get_system_status_{name}.txt"))
    assert (found.version, found.vdoms, found.ha, found.primary) == (version, vdoms, ha, primary)
    assert found.serial.startswith("FG")


@pytest.mark.parametrize("path", sorted(DATA.glob("get_system_status_*.txt")), ids=lambda path: path.stem)
def test_every_captured_status_is_of_a_fortigate(path: Path) -> None:
    assert status_from(path.read_text(encoding="utf-8")).model.startswith("FortiGate")


@pytest.mark.parametrize("role", ["secondary", "slave", "backup"])
def test_a_unit_that_does_not_lead_is_known_in_both_generations(role: str) -> None:
    text = data("get_system_status_7.4.txt").replace("standalone", f"a-p, {role}")
    assert not status_from(text).primary


# --- what they print of their configuration -------------------------------------------------------------------------


def sections(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in text.split("\nconfig ")[1:]:
        path = block.partition("\n")[0]
        found[path] = f"config {block.rstrip()}\n"
    return found


def test_a_real_configuration_is_read_and_has_nothing_of_ours() -> None:
    real = sections(data("show_6.4.4_policy_extract.txt"))
    tables = {path: table_of(text, path) for path, text in real.items()}
    policies = {entry.name: entry.attrs for entry in tables["firewall policy"].entries}
    assert list(policies) == ["1", "2", "3"]
    assert policies["2"]["logtraffic"] == ("disable",)
    assert "action" not in policies["2"], "a deny prints none"
    assert policies["1"]["service"] == ("CUSTOM_UDP_9100", "CUSTOM_TCP_9100"), "in the order it was typed"
    box = Box(version="6.4.4")
    text = box.reading()
    for path in box.tables:
        text = text.replace(box.show(path), real.get(path, f"config {path}\nend\n"))
    found = adapter().parse(text)
    assert (found.groups, found.rules, found.mark, found.irregular) == ((), (), None, ())


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=40))
def test_any_text_in_quotes_comes_back(text: str) -> None:
    printed = f"config firewall address\n    edit {quoted('a')}\n        set comment {quoted(text)}\n    next\nend\n"
    (entry,) = table_of(printed, "firewall address").entries
    assert entry.attrs["comment"] == (text,)
    assert typed([text]) in (text, quoted(text))


def test_a_fingerprint_leaves_out_what_changes_by_itself() -> None:
    one = (
        'config x y\n    edit "a"\n        set uuid 1\n        set password ENC abc\n        set z "1"\n    next\nend\n'
    )
    other = one.replace("uuid 1", "uuid 2").replace("abc", "def")
    assert normal_form(table_of(one, "x y"), ordered=True) == normal_form(table_of(other, "x y"), ordered=True)
    third = one.replace('z "1"', 'z "2"')
    assert normal_form(table_of(one, "x y"), ordered=True) != normal_form(table_of(third, "x y"), ordered=True)


# --- counters -------------------------------------------------------------------------------------------------------

OLD = """\
idx=900001 pkts/bytes=12/720 asic_pkts/asic_bytes=3/180 nturbo_pkts/nturbo_bytes=0/0 flag=0x0 hit count:7
    first:2018-03-21 18:40:50 last:2018-05-04 10:12:01
 established session count:0
    first est:2018-03-21 18:40:50 last est:2018-05-05 10:12:01
"""
SEVEN = OLD.replace("hit count:7", "hit count:7 (4 3 0 0 0 0 0 0)")
NEW = """\
idx:900001
pkts:12 (12 0 0 0 0 0 0 0)
bytes:720 (720 0 0 0 0 0 0 0)
asic_pkts:3 (3 0 0 0 0 0 0 0)
asic_bytes:180 (180 0 0 0 0 0 0 0)
flag:0x0
hit count:7 (7 0 0 0 0 0 0 0)
first hit:2018-03-21 18:40:50 last hit:2018-05-04 10:12:01
established session count:0
first est:2018-03-21 18:40:50 last est:2018-05-05 10:12:01
"""
LAYOUTS = {"6.x": OLD, "7.0": SEVEN, "7.4": NEW, "7.4 on one line": " ".join(NEW.split("\n"))}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_figures_in_every_layout(layout: str) -> None:
    row = rows_from(LAYOUTS[layout])[900001]
    assert (row.hits, row.packets, row.octets, row.last) == (7, 12, 720, "2018-05-04 10:12:01")


def test_several_policies_and_none() -> None:
    text = NEW + NEW.replace("900001", "900002").replace("hit count:7", "hit count:9")
    assert {number: row.hits for number, row in rows_from(text).items()} == {900001: 7, 900002: 9}
    assert rows_from("") == {}


@pytest.mark.parametrize("gone", ["pkts:12", "bytes:720", "hit count:7"])
def test_a_row_without_a_figure_is_unreadable(gone: str) -> None:
    with pytest.raises(Unreadable, match="not whole"):
        rows_from(NEW.replace(f"\n{gone}", "\nother:1"))


def reading(counters: str, six: str = "", log: str = "", version: str = "7.4.1") -> str:
    box = Box(version=version)
    push(box, wish(), adapter())
    said = [
        ("get system status", box.reading().partition("@@ show system global")[0].partition("\n")[2]),
        ("show firewall address tokgate-_mark", box.show("firewall address")),
        ("show firewall policy", box.show("firewall policy")),
        ("diagnose firewall iprope show 100004 900001", counters),
        ("diagnose firewall iprope6 show 100004 900001", six),
        *([("execute log display 900001 1", log)] if log else []),
        (NOW, "2026-03-02T12:00:00+00:00\n"),
    ]
    return "".join(f"@@ {command}\n{text}" for command, text in said) + "@@ end\n"


def read(*args: str) -> Reading:
    return adapter().parse_counters(reading(*args))


def test_what_ipv6_counted_comes_on_top() -> None:
    (rule,) = read(NEW, NEW).rules
    assert (rule.hits, rule.packets, rule.octets) == (14, 24, 1440)
    (rule,) = read(NEW, "").rules
    assert (rule.hits, rule.packets, rule.octets) == (7, 12, 720)


def test_i11_a_policy_without_a_row_is_an_error() -> None:
    for text in (
        "",
        NEW.replace("900001", "5"),
        "command parse error before 'iprope'\nCommand fail. Return code -61\n",
    ):
        with pytest.raises(Unreadable):
            read(text)


def test_counters_that_are_cut_anywhere_are_no_reading() -> None:
    whole = reading(NEW)
    for cut in range(len(whole)):
        with pytest.raises(Unreadable):
            adapter().parse_counters(whole[:cut])


# --- the log --------------------------------------------------------------------------------------------------------


def test_a_real_log_is_read_and_says_that_there_is_more() -> None:
    text = data("execute_log_display.txt")
    with pytest.raises(Unreadable, match="10 lines and shows 3"):
        logs.rows_from(text)  # the capture holds three of its ten lines
    rows, more = logs.rows_from(text.replace("10 logs returned", "3 logs returned"))
    assert more
    assert logs.is_partial(text)
    assert rows[0]["srchwvendor"] == "Cisco"
    assert rows[0]["policyname"] == "Permit IP-Phones Vlan10 OUT"
    parts = {"execute log display 17 1": text.replace("10 logs returned", "3 logs returned").replace("accept", "deny")}
    flows, cut = logs.flows_from(parts, {17})
    assert cut
    by_target = {str(flow.destination): flow for flow in flows}
    assert by_target["192.168.211.2"].last_seen == datetime(2023, 8, 10, 16, 41, 18, 378886, tzinfo=UTC)
    assert by_target["192.168.211.2"].packets == 2
    assert {flow.source for flow in flows} == {ip_address("10.18.158.26")}
    assert logs.flows_from(parts, {18}) == ((), True)


@pytest.mark.parametrize(
    "time",
    [
        "eventtime=1691685678378886140",
        "eventtime=1691685678",
        'date=2023-08-10 time=19:41:18 tz="+0300"',
        'date=2023-08-10 time=11:11:18 tz="-0530"',
    ],
)
def test_the_time_of_a_line_in_every_generation(time: str) -> None:
    line = f'1: {time} srcip=10.1.2.3 dstip=71.18.1.1 action="deny" policyid=9\n'
    parts = {"execute log display 9 1": f"1 logs found.\n1 logs returned.\n\n{line}"}
    (flow,) = logs.flows_from(parts, {9})[0]
    assert flow.last_seen.replace(microsecond=0) == datetime(2023, 8, 10, 16, 41, 18, tzinfo=UTC)


def test_an_empty_log_and_one_that_is_not_understood() -> None:
    assert logs.rows_from("0 logs found.\n0 logs returned.\n\n") == ([], False)
    with pytest.raises(Unreadable):
        logs.rows_from("Permission denied\n")
