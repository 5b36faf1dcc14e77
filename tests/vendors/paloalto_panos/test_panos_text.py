"""PAN-OS in text alone: what is read, what is written, and that the one undoes the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.net import DomainName
from tests.vendors.paloalto_panos.candidate import Candidate
from tests.vendors.paloalto_panos.readings import DATA, FACTS, firewall, reading
from tests.vendors.test_diff import name_group, net_group, rule, state, states
from vendors.diff import degrade, diff, mark_of
from vendors.errors import CapacityExceeded, DeviceError, Refused, Unreadable
from vendors.model import Action, AddressGroup, Desired, GroupName, Repair
from vendors.paloalto_panos import PaloAltoPanos, facts
from vendors.paloalto_panos.placement import moves
from vendors.paloalto_panos.setform import entries
from vendors.paloalto_panos.shape import address_name, rule_name
from vendors.placing import After, Before, Placement

OFFICE = state(
    net_group("dst-tiktok", "192.0.2.0/24", "198.51.100.7", "2001:db8:40::/48"),
    name_group("fqdn-tiktok", "tiktok.com", "www.tiktok.com"),
    net_group("src-company", "10.1.0.0/16"),
    rules=(rule("deny-company", Action.DENY, "src-company", "fqdn-tiktok", "dst-tiktok"),),
)
EMPTY = state(rules=())


def site(vsys: str = "") -> Candidate:
    """A firewall of somebody's, with rules, objects and a group of their own."""
    made = Candidate(vsys=vsys)
    scope = f"vsys {vsys} " if vsys else ""
    made.play(
        [
            f"set {scope}address HQ ip-netmask 10.0.0.0/8",
            f'set {scope}address "web server" ip-netmask 192.0.2.80',
            f'set {scope}address-group SERVERS static [ HQ "web server" ]',
            *(
                f"set {scope}rulebase security rules {name} from any to any source any destination SERVERS "
                "application any service application-default action allow"
                for name in ('"allow web"', "LAST")
            ),
        ]
    )
    return made


def sync(box: Candidate, desired: Desired, adapter: PaloAltoPanos, *, flip: bool = False) -> tuple[str, ...]:
    """Read, plan, write, read back; the lines that went in."""
    current = adapter.parse(reading(box, flip=flip, show_system_info=_system(box)))
    plan = diff(current, desired, current.can)
    lines = tuple(adapter.render(current, plan).text.splitlines())
    box.play(lines)
    after = adapter.parse(reading(box, flip=flip, show_system_info=_system(box)))
    wanted, _ = degrade(desired, current.can)
    assert after.irregular == ()
    assert (after.groups, after.rules) == (wanted.groups, wanted.rules)
    assert after.mark == mark_of(wanted)
    assert after.foreign == current.foreign
    assert diff(after, desired, after.can).is_empty
    return lines


def _system(box: Candidate) -> str:
    text = (DATA / "show_system_info_9.1.2_aws.txt").read_text()
    return text.replace("multi-vsys: off", "multi-vsys: on") if box.vsys else text


# --- there and back ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(before=states(), after=states(), flip=st.booleans())
def test_what_is_written_is_read_back_and_leaves_others_alone(before: Desired, after: Desired, flip: bool) -> None:
    box = site()
    sync(box, before, firewall(), flip=flip)
    sync(box, after, firewall(), flip=flip)
    sync(box, EMPTY, firewall())
    assert box.show("address") == site().show("address")
    assert box.show("rulebase security rules") == site().show("rulebase security rules")


def test_first_push_as_commands() -> None:
    lines = sync(site(), OFFICE, firewall())
    assert "\n".join(lines) + "\n" == (Path(__file__).parent / "golden" / "first-push.txt").read_text()


def test_a_second_sync_sends_nothing() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    assert sync(box, OFFICE, firewall()) == ()


def test_one_more_network_is_an_object_a_member_and_the_mark() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    lines = sync(box, _with(OFFICE, "dst-tiktok", "203.0.113.0/24"), firewall())
    assert lines[:2] == (
        "set address tokgate-4-203.0.113.0-24 ip-netmask 203.0.113.0/24 tag tokgate",
        "set address-group tokgate-dst-tiktok static tokgate-4-203.0.113.0-24",
    )
    assert len(lines) == 3
    assert lines[2].startswith('set tag tokgate comments "tokgate 1 ')


def test_one_network_less_is_taken_out_of_the_group_before_its_object_goes() -> None:
    box = site()
    sync(box, _with(OFFICE, "dst-tiktok", "203.0.113.0/24"), firewall())
    lines = sync(box, OFFICE, firewall())
    assert lines[:2] == (
        "delete address-group tokgate-dst-tiktok static tokgate-4-203.0.113.0-24",
        "delete address tokgate-4-203.0.113.0-24",
    )


def test_another_snapshot_of_the_same_list_is_the_mark_alone() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    lines = sync(box, replace(OFFICE, snapshot="ba9876543210"), firewall())
    assert len(lines) == 1
    assert "ba9876543210" in lines[0]


def test_a_virtual_system_is_named_on_every_line() -> None:
    lines = sync(site("vsys2"), OFFICE, firewall(vsys="vsys2"))
    assert all(line.split()[1:3] == ["vsys", "vsys2"] for line in lines)
    assert "move vsys vsys2 rulebase security rules tokgate-deny-company top" in lines


def _with(desired: Desired, name: str, *networks: str) -> Desired:
    more = frozenset(ip_network(n) for n in networks)
    groups = (
        replace(g, members=g.members | more) if g.name == name and isinstance(g, AddressGroup) else g
        for g in desired.groups
    )
    return replace(desired, groups=tuple(groups))


# --- long lists -------------------------------------------------------------------------------------------------------


def long(count: int) -> Desired:
    """A list of so many hosts."""
    first = int(ip_network("100.64.0.0/10").network_address)
    hosts = AddressGroup(name=GroupName("dst-long"), members=frozenset(ip_network(first + 2 * n) for n in range(count)))
    deny = rule("deny-company", Action.DENY, "src-company", "dst-long")
    return state(hosts, net_group("src-company", "10.1.0.0/16"), rules=(deny,))


def test_a_long_list_is_kept_in_parts_of_2500_and_changes_by_what_differs() -> None:
    adapter, box = firewall(max_addresses=20_000), site()
    sync(box, long(6_000), adapter)
    assert [n for n in box.held["address-group"] if n.startswith("tokgate-dst")] == [
        "tokgate-dst-long.1",
        "tokgate-dst-long.2",
        "tokgate-dst-long",
    ]
    assert len(sync(box, long(6_001), adapter)) == 3
    sync(box, long(3), adapter)
    assert not any(n.startswith("tokgate-dst-long.") for n in box.held["address-group"])
    assert len([n for n in box.held["address"] if n.startswith("tokgate-4-100")]) == 3


def test_more_than_the_model_takes_is_refused_before_anything_is_sent() -> None:
    adapter, box = firewall(), site()
    text = reading(box, **{"show_system_state_filter_cfg.general.max*": ""})
    current = adapter.parse(text)
    assert current.can.max_entries == 2_000 - 2, "the smallest VM, less the objects of others"
    with pytest.raises(CapacityExceeded):
        diff(current, long(2_000), current.can)


@pytest.mark.parametrize(
    ("model", "limits", "most"),
    [
        ("PA-850", "", 3_500),
        ("PA-VM", "cfg.general.max-address: 0x2710\n", 10_000),
        ("PA-9999", "", 2_000),
    ],
)
def test_limits_are_the_devices_own_word_else_the_models(model: str, limits: str, most: int) -> None:
    system = replace(facts.system_from((DATA / "show_system_info_9.1.2_aws.txt").read_text()), model=model)
    assert facts.address_limit(system, facts.limits_from(limits)) == most


# --- what people do to it ---------------------------------------------------------------------------------------------

HANDS: dict[str, tuple[str, ...]] = {
    "the rule is switched off": ("set rulebase security rules tokgate-deny-company disabled yes",),
    "the rule allows": ("set rulebase security rules tokgate-deny-company action allow",),
    "the rule is narrowed by a schedule": ("set rulebase security rules tokgate-deny-company schedule NIGHT",),
    "the rule is turned round": ("set rulebase security rules tokgate-deny-company negate-source yes",),
    "the rule is about a zone": (
        "delete rulebase security rules tokgate-deny-company from any",
        "set rulebase security rules tokgate-deny-company from trust",
    ),
    "the rule does not log": ("set rulebase security rules tokgate-deny-company log-end no",),
    "the rule stands last": ("move rulebase security rules tokgate-deny-company bottom",),
    "the rule is gone": ("delete rulebase security rules tokgate-deny-company",),
    "a member is gone": ("delete address-group tokgate-dst-tiktok static tokgate-4-192.0.2.0-24",),
    "a member is a stranger": ("set address-group tokgate-dst-tiktok static HQ",),
    "an object holds another network": ("set address tokgate-4-192.0.2.0-24 ip-netmask 192.0.2.0/25",),
    "an object lost its tag": ("delete address tokgate-4-192.0.2.0-24 tag",),
    "the rule lost its tag": ("delete rulebase security rules tokgate-deny-company tag",),
    "a description was written": ('set address-group tokgate-dst-tiktok description "mine, do not touch"',),
    "the mark is gone": ("delete tag tokgate comments",),
    "an object of our name was made": ("set address tokgate-4-9.9.9.9-32 ip-netmask 9.9.9.9",),
}


@pytest.mark.parametrize("lines", HANDS.values(), ids=HANDS)
def test_what_a_hand_changed_is_seen_and_put_right(lines: tuple[str, ...]) -> None:
    box = site()
    sync(box, OFFICE, firewall())
    good = _shown(box)
    box.play(lines)
    current = firewall().parse(reading(box))
    assert diff(current, OFFICE, current.can).steps, "it is seen"
    sync(box, OFFICE, firewall())
    assert _shown(box) == good


def _shown(box: Candidate) -> dict[str, list[list[str]]]:
    """All statements as words in any order, without what is the default anyway."""
    defaults = ("disabled no", "negate-source no")
    return {
        container: sorted(
            sorted(line.split()) for line in box.show(container).splitlines() if not line.endswith(defaults)
        )
        for container in box.held
    }


def test_what_has_our_name_and_no_mark_is_a_strangers() -> None:
    box = site()
    box.play(["set address tokgate-4-9.9.9.9-32 ip-netmask 9.9.9.9"])
    observed = firewall().parse(reading(box))
    assert observed.groups == ()
    assert observed.extra["strangers"] == "address tokgate-4-9.9.9.9-32"
    adopted = firewall(adopt=True).parse(reading(box))
    assert adopted.extra["strangers"] == ""
    assert adopted.irregular


def test_a_half_made_state_says_whose_it_is() -> None:
    box = site()
    current = firewall().parse(reading(box))
    lines = firewall().render(current, diff(current, OFFICE, current.can)).text.splitlines()
    for count in range(1, len(lines)):
        half = site()
        for line in lines[:count]:
            half._one(line)
        observed = firewall().parse(reading(half))
        assert (observed.mark, observed.extra["owner"]) == (None, "01owner")
        sync(half, OFFICE, firewall())


def test_pending_changes_are_told_by_whose_they_are() -> None:
    def pending(changes: str) -> tuple[str, bool]:
        said = {"check_pending-changes": "yes\n", "show_config_list_change-summary": changes}
        text = reading(site(), **said)
        observed = firewall().parse(text)
        return observed.extra["pending"], bool(observed.irregular)

    assert pending("admin: tokgate\n") == ("ours", True)
    assert pending("admin: tokgate\nadmin: bob\n") == ("administrator bob", True)
    assert pending("<owner>bob</owner>\n") == ("administrator bob", False)
    assert pending("something else\n")[0].startswith("somebody")


# --- the anchor -------------------------------------------------------------------------------------------------------

PLACES: list[tuple[str, Placement, list[tuple[str, str]]]] = [
    ("o1 o2 X Y", "top", []),
    ("X o1 o2 Y", "top", [("o1", "top"), ("o2", "after o1")]),
    ("o1 X o2 Y", "top", [("o2", "after o1")]),
    ("o2 o1 X Y", "top", [("o1", "top")]),
    ("X Y o1 o2", Before(before="Y"), [("o1", "before Y"), ("o2", "after o1")]),
    ("o1 o2 Z Y", Before(before="Y"), []),
    ("o1 Y o2", Before(before="Y"), [("o2", "after o1")]),
    ("o1 X o2 Y", After(after="X"), [("o1", "after X")]),
    ("o1 X Y o2", After(after="X"), [("o1", "after X"), ("o2", "after o1")]),
    ("X o1 o2 Y", After(after="X"), []),
    ("X Z o1 o2 Y", After(after="X"), [("o1", "after X"), ("o2", "after o1")]),
]


@pytest.mark.parametrize(("order", "placement", "wanted"), PLACES)
def test_rules_move_only_when_they_stand_elsewhere(
    order: str, placement: Placement, wanted: list[tuple[str, str]]
) -> None:
    assert list(moves(order.split(), ["o1", "o2"], placement)) == wanted


@settings(deadline=None)
@given(
    order=st.permutations(["o1", "o2", "o3", "X", "Y", "Z"]),
    placement=st.sampled_from(["top", Before(before="X"), After(after="X")]),
)
def test_after_the_moves_nothing_more_moves_and_others_keep_their_order(order: list[str], placement: Placement) -> None:
    now = list(order)
    for name, where in moves(order, ["o1", "o2", "o3"], placement):
        now.remove(name)
        verb, _, other = where.partition(" ")
        now.insert(0 if verb == "top" else now.index(other) + (verb == "after"), name)
    assert list(moves(now, ["o1", "o2", "o3"], placement)) == []
    assert [n for n in now if n in "XYZ"] == [n for n in order if n in "XYZ"]


def test_an_anchor_that_is_not_there_refuses_the_change() -> None:
    adapter = firewall(placement={"after": "NO SUCH"})
    current = adapter.parse(reading(site()))
    with pytest.raises(Refused, match="NO SUCH"):
        adapter.render(current, diff(current, OFFICE, current.can))


@pytest.mark.parametrize("placement", [{"before": "LAST"}, {"after": "allow web"}])
def test_our_rules_stand_by_the_anchor(placement: dict[str, str]) -> None:
    box = site()
    sync(box, OFFICE, firewall(placement=placement))
    assert list(box.held["rulebase security rules"]) == ["allow web", "tokgate-deny-company", "LAST"]


# --- bad readings -----------------------------------------------------------------------------------------------------


def test_a_reading_that_is_cut_anywhere_is_no_reading() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    text = reading(box)
    for length in range(len(text)):
        with pytest.raises(Unreadable):
            firewall().parse(text[:length])


def test_a_line_that_is_missing_is_never_half_a_state() -> None:
    """Where one line of what the device shows is lost, the reading fails, or something is seen to be wrong."""
    box = site()
    sync(box, OFFICE, firewall())
    good = firewall().parse(reading(box))
    lines = reading(box).splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("@@ show tag"))
    for index in range(start, len(lines)):
        try:
            observed = firewall().parse("".join(lines[:index] + lines[index + 1 :]))
        except DeviceError:
            continue
        assert observed != good or "tokgate" not in lines[index]


GARBLED: dict[str, Callable[[str], str]] = {
    "brace form": lambda t: t.replace("@@ show address\n", "@@ show address\naddress {\n  HQ;\n"),
    "a server error": lambda t: t.replace("@@ show address\n", "@@ show address\nServer error : timed out\n"),
    "a list without an end": lambda t: t.replace(" ]\n", "\n"),
    "another container": lambda t: t.replace("@@ show address\n", "@@ show address\nset tag x\n"),
    "another vsys": lambda t: t.replace("set address HQ", "set vsys vsys7 address HQ"),
    "pending neither yes nor no": lambda t: t.replace("pending-changes\nno", "pending-changes\nmaybe"),
    "no role": lambda t: t.replace("HA is not enabled", "Group 1:"),
    "another product": lambda t: t.replace("operational-mode: normal\n", ""),
    "twice": lambda t: t.replace("@@ end\n", "@@ show tag\n@@ end\n"),
}


@pytest.mark.parametrize("garble", GARBLED.values(), ids=GARBLED)
def test_a_garbled_reading_is_unreadable(garble: Callable[[str], str]) -> None:
    box = site()
    sync(box, OFFICE, firewall())
    text = garble(reading(box))
    assert text != reading(box)
    with pytest.raises(Unreadable):
        firewall().parse(text)


def test_a_misspelt_vsys_is_refused_instead_of_made() -> None:
    with pytest.raises(Refused, match="vsys3"):
        firewall(vsys="vsys3").parse(reading(site()))
    box = site("vsys2")
    text = reading(box, show_system_info=_system(box)).replace("show vsys vsys2", "show vsys vsys3")
    said = text.partition("@@ show vsys vsys3 rulebase security rules\n")
    with pytest.raises(Refused, match="vsys3"):
        firewall(vsys="vsys3").parse(_without_sets(said[0]) + said[1] + "Invalid syntax.\n@@ end\n")


def test_panorama_is_told_for_what_it_is() -> None:
    managed = {"show_panorama-status": "Panorama Server 1 : 10.0.0.1\n    Connected     : yes\n"}
    assert firewall().parse(reading(site(), **managed)).extra["panorama"] == "10.0.0.1"
    assert firewall().parse(reading(site())).extra["panorama"] == ""
    for model in ("Panorama", "M-600"):
        text = FACTS["show system info"].replace("model: PA-VM", f"model: {model}")
        with pytest.raises(Refused, match="Panorama itself"):
            firewall().parse(reading(site(), show_system_info=text))


def _without_sets(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("set "))


# --- real output ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rules"),
    [("config_set_aws_9.1.txt", ["internet2web allow", "web2internet allow"]), ("config_set_fwl01_8.1.txt", None)],
)
def test_real_configurations_are_read_and_are_nobodys_of_ours(name: str, rules: list[str] | None) -> None:
    lines = (DATA / name).read_text().splitlines(keepends=True)
    shown = {
        path: "".join(ln for ln in lines if ln.startswith(f"set {path}"))
        for path in ("rulebase security rules", "address-group", "tag")
    }
    addresses = "".join(ln for ln in lines if ln.startswith("set address "))
    assert list(entries(addresses, "address", "vsys1")) == [ln.split()[2] for ln in addresses.splitlines()]
    found = list(entries(shown["rulebase security rules"], "rulebase security rules", "vsys1"))
    assert found
    assert rules is None or found == rules
    for path, text in shown.items():
        for entry in entries(text, path, "vsys1").values():
            assert isinstance(entry.attrs(), dict)


def test_values_with_quotes_and_line_ends_belong_to_their_entry() -> None:
    text = (
        'set address a description "quoted description with a ""\n'
        'set address b description "multiline description with " inside\'\nand other stuff"\n'
        "set address b ip-netmask 192.0.2.1\n"
        "set address c description\n"
    )
    found = entries(text, "address", "vsys1")
    assert list(found) == ["a", "b", "c"]
    assert found["b"].attrs()["ip-netmask"] == ("192.0.2.1",)
    assert found["c"].attrs() == {"description": ("",)}


def test_attributes_that_are_all_printed_are_the_defaults() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    head = "set rulebase security rules tokgate-deny-company"
    more = "".join(
        f"{head} {rest}\n"
        for rest in (
            "rule-type universal", "negate-source no", "source-user any", "hip-profiles any", "category any",
            "negate-destination no", "log-start no", "disabled no", "icmp-unreachable no",
            "option disable-server-response-inspection no",
        )
    )  # fmt: skip
    text = reading(box).replace("@@ end\n", more + "@@ end\n")
    assert firewall().parse(text) == replace(firewall().parse(reading(box)), extra=firewall().parse(text).extra)


# --- names ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_rule_names_fit_old_releases_and_differ(name: str) -> None:
    made = rule_name(name)  # type: ignore[arg-type]
    assert len(made) <= 31
    assert made.startswith("tokgate-")
    assert made != rule_name(f"{name[:-1]}{'a' if name[-1] != 'a' else 'b'}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (ip_network("10.1.2.0/24"), "tokgate-4-10.1.2.0-24"),
        (ip_network("2605:340::/32"), "tokgate-6-2605_340__-32"),
        (
            ip_network("1111:2222:3333:4444:5555:6666:7777:8888"),
            "tokgate-6-1111_2222_3333_4444_5555_6666_7777_8888-128",
        ),
        (DomainName("www.tiktok.com", suffix=False), "tokgate-d-www.tiktok.com"),
    ],
)
def test_objects_are_named_by_their_content(member: object, name: str) -> None:
    assert address_name(member) == name  # type: ignore[arg-type]


def test_the_reading_keeps_no_password() -> None:
    """The fingerprint does not change when the device encrypts the same password anew."""
    box = site()

    def with_password(cipher: str) -> str:
        line = f"set external-list THEIRS type ip auth password {cipher}\n"
        return reading(box).replace("@@ show external-list\n", f"@@ show external-list\n{line}")

    first, second = (firewall().parse(with_password(c)) for c in ("-AQ==abc", "-AQ==xyz"))
    assert first.foreign == second.foreign
    assert "AQ==" not in json.dumps(dict(first.extra))


def test_repairs_are_told_in_words() -> None:
    box = site()
    sync(box, OFFICE, firewall())
    box.play(HANDS["the rule does not log"])
    current = firewall().parse(reading(box))
    assert diff(current, OFFICE, current.can).steps[0] == Repair(
        reasons=("rule tokgate-deny-company is not as we wrote it: log-end",)
    )
