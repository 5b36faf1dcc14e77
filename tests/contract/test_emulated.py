"""The contract for vendors without a box here: emulated devices behind real SSH, with traffic through their rules."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.emulators.faults import Moment
from tests.contract.emulated import (
    CLIENTS,
    DST,
    LISTED,
    MORE,
    ORDINARY,
    ROLES,
    SHARED,
    SHARED_NAME,
    TIKTOK,
    WAYS,
    DiesAt,
    EmulatedRig,
    Foreign,
    Heard,
    Shortens,
    wish,
)
from tests.contract.rig_asa import AsaRig
from tests.contract.rig_fortios import FortiOsRig
from tests.contract.rig_panos import PanOsRig
from tests.contract.rig_srx import SrxRig
from vendors.checkup import login_findings
from vendors.codec import content_digest
from vendors.diff import diff
from vendors.errors import CapacityExceeded, DeviceError, NotPrivileged, NotVerified, Refused, Uncertain, Unreachable
from vendors.model import AddMembers, Observed, RemoveMembers
from vendors.oracle import Oracle, Question

RIGS: Final[tuple[type[EmulatedRig], ...]] = (AsaRig, FortiOsRig, PanOsRig, SrxRig)


@pytest.fixture(params=RIGS, ids=lambda rig: rig.vendor)
def loose(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedRig]:
    """A device that nobody of us has touched."""
    rig: EmulatedRig = request.param()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", rig.password)
    with rig.serving():
        yield rig


@pytest.fixture
def rig(loose: EmulatedRig) -> Iterator[EmulatedRig]:
    """The same; whatever a scenario does, what is the owner's is to the byte what it was (I1)."""
    before = loose.foreign()
    yield loose
    assert loose.foreign() == before, "what is the owner's was touched"


# --- what a push does -----------------------------------------------------------------------------------------------


def test_i03_the_first_push_blocks_and_the_second_plan_is_empty(rig: EmulatedRig) -> None:
    assert rig.passes("company")
    receipt = rig.push(wish())
    assert not receipt.observed.irregular
    assert not rig.passes("company")
    assert not rig.passes("company", "71.18.200.3")
    assert rig.passes("company", ORDINARY)
    assert rig.passes("marketing"), "a role without a rule is not judged"
    assert rig.holds(wish())


def test_i03_one_more_network_is_one_member(rig: EmulatedRig) -> None:
    many = LISTED | {ip_network(f"11.{n >> 6}.{(n & 63) << 2}.0/24") for n in range(200)}
    rig.push(wish(members=many))
    more = wish(members=many | {ip_network("192.0.2.0/24")})
    observed = rig.look()
    plan = diff(observed, more, observed.can)
    assert plan.steps == (AddMembers(group=DST, networks=frozenset({ip_network("192.0.2.0/24")})),)
    script = rig.adapter().render(observed, plan).text
    assert "192.0.2.0" in script
    assert "11.0.0.0" not in script
    rig.push(more)
    assert rig.holds(more)
    assert not rig.passes("company", "192.0.2.9")


def test_i03_one_network_less_is_one_member(rig: EmulatedRig) -> None:
    rig.push(wish(members=MORE))
    observed = rig.look()
    plan = diff(observed, wish(), observed.can)
    assert plan.steps == (RemoveMembers(group=DST, networks=frozenset({ip_network("192.0.2.0/24")})),)
    rig.push(wish())
    assert rig.holds(wish())
    assert rig.passes("company", "192.0.2.9")
    assert not rig.passes("company")


def test_what_is_sent_is_what_the_plan_shows(rig: EmulatedRig) -> None:
    """`tokgate plan -o commands`: every line but questions, from the lock to the commit."""
    rig.push(wish())
    wanted = wish(members=MORE - {ip_network("71.18.0.0/16")}, deny=("company", "marketing"))
    observed = rig.look()
    plan = diff(observed, wanted, observed.can)
    rig.device.faults = heard = Heard()
    with rig.session() as session:
        rig.adapter().apply(session, observed, plan)
    shown = rig.adapter().render(observed, plan).shown.splitlines()
    assert [line for line in heard.said if not rig.asks(line)] == [line for line in shown if not rig.asks(line)]


def test_names_are_blocked_by_what_they_resolve_to(rig: EmulatedRig) -> None:
    if not rig.adapter().capabilities.fqdn:
        pytest.skip("the vendor enforces no names")
    wanted = wish(names=(SHARED_NAME,))
    assert rig.passes("company", SHARED)
    rig.push(wanted)
    assert not rig.passes("company", SHARED)
    assert rig.holds(wanted)
    rig.push(wish())
    assert rig.passes("company", SHARED)
    assert rig.holds(wish())


def test_an_exception_is_a_hole_and_closes_again(rig: EmulatedRig) -> None:
    both = ("company", "marketing")
    rig.push(wish(deny=both))
    open_to_one = wish(deny=both, exempt=(CLIENTS["marketing"],))
    rig.push(open_to_one)
    assert rig.passes("marketing")
    assert not rig.passes("company")
    assert rig.holds(open_to_one)
    rig.push(wish(deny=both))
    assert not rig.passes("marketing")
    assert rig.holds(wish(deny=both))


def test_i15_an_exception_opens_nothing_that_the_owner_closes(rig: EmulatedRig) -> None:
    assert not rig.passes("company", TIKTOK, 23)
    rig.push(wish(exempt=(ROLES["company"],)))
    assert rig.passes("company")
    assert not rig.passes("company", TIKTOK, 23)


def test_all_of_it_goes_when_nothing_is_wanted(rig: EmulatedRig) -> None:
    rig.push(wish(names=(SHARED_NAME,), deny=("company", "marketing")))
    nothing = replace(wish(), groups=(), rules=())
    rig.push(nothing)
    assert rig.passes("company")
    assert rig.holds(nothing)


def test_i04_a_list_that_goes_whole_leaves_none_behind_and_comes_back(rig: EmulatedRig) -> None:
    """As when a person withdraws the last address of a service: its names are blocked as before."""
    both, names = wish(names=(SHARED_NAME,)), wish(members=(), names=(SHARED_NAME,))
    rig.push(both)
    rig.push(names)
    assert rig.passes("company")
    assert DST not in {group.name for group in rig.look().groups}
    if rig.adapter().capabilities.fqdn:
        assert not rig.passes("company", SHARED)
    assert rig.holds(names)
    rig.push(both)
    assert not rig.passes("company")
    assert rig.holds(both)


def test_only_the_mark_moves_when_nothing_else_does(rig: EmulatedRig) -> None:
    rig.push(wish())
    later = wish(snapshot="fedcba987654")
    rig.push(later)
    found = rig.look().mark
    assert found is not None
    assert found.snapshot == "fedcba987654"
    assert rig.holds(later)


def test_i11_counters_grow_by_what_was_tried(rig: EmulatedRig) -> None:
    rig.push(wish(deny=("company", "marketing")))

    def hits() -> dict[str, int | None]:
        with rig.session() as session:
            return {rule.rule: rule.hits for rule in rig.adapter().counters(session).rules}

    assert hits() == {"deny-company": 0, "deny-marketing": 0}
    for _ in range(3):
        assert not rig.passes("company")
    assert rig.passes("company", ORDINARY)
    assert hits() == {"deny-company": 3, "deny-marketing": 0}


def test_the_doctor_tells_what_an_engineer_asks_and_changes_nothing(rig: EmulatedRig) -> None:
    rig.push(wish())
    assert not rig.passes("company")
    whole, days = rig.configuration(), [datetime.now(UTC)]
    with rig.session() as session:
        found = (*login_findings(session.login()), *rig.adapter().doctor(session))
    told = {finding.check: finding.message for finding in found}
    assert told.keys() >= {"rights", "version", "limits", "counters", "rollback", "host key", "algorithms"}
    assert "unknown" not in told["algorithms"]
    days.append(datetime.now(UTC))
    if rig.vendor != "juniper_srx":  # its hit counts tell no times
        assert any(f"the last at {day:%Y-%m-%d %H:}" in told["counters"] for day in days)
    assert rig.password not in " ".join(told.values()).split()
    assert rig.configuration() == whole


def test_a_log_that_breaks_off_costs_the_counts_nothing(rig: EmulatedRig) -> None:
    rig.push(wish())
    assert not rig.passes("company")
    rig.device.faults = dies = DiesAt(rig.log)
    with rig.session() as session:
        reading = rig.adapter().counters(session)
    assert dies.has_died
    assert [rule.hits for rule in reading.rules] == [1]
    assert not reading.flows
    assert reading.flows_truncated, "that somebody may be missing is told"


def test_every_command_that_is_sent_stands_in_the_vendors_page(rig: EmulatedRig) -> None:
    """The least rights of an account are written from these pages."""
    rig.device.faults = heard = Heard()
    for wanted in (wish(names=(SHARED_NAME,)), wish(members=MORE, deny=("company", "marketing")), wish()):
        rig.push(wanted)
    with rig.session() as session:
        rig.adapter().counters(session)
        rig.adapter().doctor(session)
        oracle = rig.adapter(oracle=WAYS[rig.vendor])
        assert isinstance(oracle, Oracle)
        oracle.may_ask(session)
        oracle.ask(session, [Question(source=ip_address(CLIENTS["company"]), destination=ip_address(TIKTOK))])
    page = (Path(__file__).parents[2] / "docs" / "vendors" / f"{rig.vendor}.md").read_text(encoding="utf-8")
    known = tuple(_beginnings(page.partition("| command | when |")[2].partition("\n\n")[0]))
    assert not {"show", "execute", "request", "run", "get", "diagnose", "clear"} & set(known), "too wide"
    sent = {line for line in heard.said if line and line != rig.password}
    assert sorted(line for line in sent if not line.startswith(known)) == []


def _beginnings(table: str) -> Iterator[str]:
    """How the commands that a table names begin: up to the first name or number that is made up."""
    for named in re.findall(r"`([^`\n]+)`", table):
        words = itertools.takewhile(lambda word: re.fullmatch(r"[a-z0-9.*^|-]+|\\\|", word), named.split())
        if beginning := " ".join(words).replace("\\|", "|"):
            yield beginning


# --- hands, and who else writes -------------------------------------------------------------------------------------


def test_i03_every_hand_on_our_objects_is_seen_and_undone(loose: EmulatedRig) -> None:
    loose.push(wish(members=MORE))
    before = loose.foreign()
    for what, lines in loose.hands().items():
        loose.typed(lines)
        assert not loose.holds(wish(members=MORE)), f"{what}: not seen"
        loose.push(wish(members=MORE))
        assert loose.holds(wish(members=MORE)), what
        assert not loose.passes("company"), what
        assert loose.foreign() == before, what


def test_i01_another_controllers_objects_are_left_alone_until_a_person_says_adopt(rig: EmulatedRig) -> None:
    theirs = wish(owner="01kb000000000000000000tkgb")
    assert not rig.told(theirs)
    rig.push(theirs)
    with pytest.raises(Refused, match="01kb000000000000000000tkgb") as refused:
        rig.push(wish(members=MORE))
    assert rig.told(wish(members=MORE)) == str(refused.value), "and the plan said so"
    assert rig.holds(theirs)
    rig.push(wish(members=MORE), adopt=True)
    assert rig.holds(wish(members=MORE))


def test_i01_somebodys_pending_changes_stop_the_push_and_are_not_committed(loose: EmulatedRig) -> None:
    if not loose.has_candidate:
        pytest.skip("the vendor keeps no pending changes")
    loose.push(wish())
    in_force = loose.configuration()
    loose.pending()
    with pytest.raises(Refused):
        loose.push(wish(members=MORE))
    assert loose.configuration() == in_force


def test_i08_a_lock_that_somebody_holds_is_waited_for_and_then_told(rig: EmulatedRig) -> None:
    rig.push(wish())
    try:
        with rig.locked(), pytest.raises(Refused):
            rig.push(wish(members=MORE))
    except NotImplementedError:
        pytest.skip("the vendor has no lock")
    assert rig.holds(wish())


def test_the_standby_unit_is_not_written_to(rig: EmulatedRig) -> None:
    try:
        rig.standby()
    except NotImplementedError:
        pytest.skip("the vendor has no standby unit")
    with pytest.raises(Refused) as refused:
        rig.push(wish())
    assert rig.told(wish()) == str(refused.value), "and the plan said so"


def test_a_misspelt_place_makes_nothing_and_is_named(rig: EmulatedRig) -> None:
    """Context, virtual system, VDOM, logical system, zone, interface, access list, anchor."""
    whole = rig.configuration()
    for word, options in rig.misspelt().items():
        with pytest.raises((Refused, NotPrivileged)) as told:
            rig.push(wish(), **options)
        assert word in str(told.value), str(told.value)
        assert rig.configuration() == whole, word


@pytest.mark.parametrize("hook", [EmulatedRig.refusing, EmulatedRig.full], ids=["its own check", "full"])
def test_i05_what_the_device_itself_refuses_leaves_the_old_list_in_force(
    rig: EmulatedRig, hook: Callable[[EmulatedRig], AbstractContextManager[None]]
) -> None:
    rig.push(wish())
    whole = rig.configuration()
    try:
        with getattr(rig, hook.__name__)(), pytest.raises((Refused, CapacityExceeded, NotPrivileged)) as told:
            rig.push(wish(members=MORE | {ip_network("192.0.4.0/24")}))
    except NotImplementedError:
        pytest.skip("no source says how the vendor does that")
    assert len(str(told.value)) > len("TG4007: "), "in whose words"
    assert rig.configuration() == whole
    assert not rig.passes("company")
    rig.push(wish(members=MORE))
    assert rig.holds(wish(members=MORE))


def test_i07_more_than_the_device_takes_is_refused_before_anything_is_sent(rig: EmulatedRig) -> None:
    rig.push(wish())
    observed = rig.look()
    small = replace(observed.can, max_entries=3)
    with pytest.raises(CapacityExceeded):
        diff(observed, wish(members=MORE), small)
    assert observed.can.max_entries is not None, "a device without any limit is not believed"


# --- sessions that die ----------------------------------------------------------------------------------------------

_LONG = 4
"""Lines of an answer from which on one can lose its end."""
_BROKEN = (Unreachable, Uncertain, NotVerified, Refused)


def _content(observed: Observed) -> str:
    return content_digest(observed.groups, observed.rules)


def _lines_of_a_change(rig: EmulatedRig) -> int:
    """How many lines the change below takes, from login to logout."""
    rig.push(wish())
    rig.device.faults.lines = 0
    rig.push(_next())
    lines: int = rig.device.faults.lines
    return lines


def _next():  # type: ignore[no-untyped-def]
    return wish(members=MORE - {ip_network("71.18.0.0/16")}, deny=("company", "marketing"), exempt=("10.0.1.9/32",))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.timeout(400)
def test_i05_killed_at_every_line_it_stays_strict_and_the_next_push_ends_it(
    rig: EmulatedRig, moment: Moment, request: pytest.FixtureRequest
) -> None:
    count = _lines_of_a_change(rig)
    every = 1 if "soak" in (request.config.option.markexpr or "") else max(1, count // 6)
    offset = 0 if moment == "before" else every // 2
    for line in range(1 + offset, count + 1, every):
        rig.push(wish())
        assert rig.holds(wish())
        rig.device.faults.arm(line, moment)
        try:
            rig.push(_next())
        except _BROKEN:
            pass
        finally:
            rig.device.faults.drop_at = None
        assert not rig.passes("company"), f"line {line} of {count}: open"
        rig.push(_next())
        assert rig.holds(_next()), f"line {line} of {count}"


@pytest.mark.timeout(400)
def test_i06_an_answer_without_its_end_leads_to_no_wrong_change(rig: EmulatedRig) -> None:
    """The device loses a part of what it prints and goes on: refused, or seen before it is in force."""
    old = wish(members=MORE, names=(SHARED_NAME,))
    rig.push(old)
    rig.device.faults = heard = Heard()
    rig.look()
    for question in [line for line, length in heard.lengths.items() if length >= _LONG]:
        for share in (0.0, 0.6):
            rig.push(old)
            rig.device.faults = loses = Shortens(question, share)
            with contextlib.suppress(DeviceError):
                rig.push(_next())
            assert loses.has_lost, question
            assert not rig.passes("company"), f"{question}, {share} of it: open"
            assert rig.holds(old) or rig.holds(_next()), f"{question}, {share} of it: neither old nor new"
            rig.push(_next())
            assert rig.holds(_next()), f"{question}, {share} of it"


# --- only ever narrower ---------------------------------------------------------------------------------------------

_PLACES = ("10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/16", "0.0.0.0/0")
_TARGETS = (f"{TIKTOK}/32", "103.136.220.0/24", "71.18.0.0/16", "198.51.100.0/24", "0.0.0.0/0")
RULES = st.lists(
    st.builds(Foreign, permit=st.booleans(), source=st.sampled_from(_PLACES), destination=st.sampled_from(_TARGETS)),
    min_size=1,
    max_size=5,
)
PROBES: Final = tuple((role, to) for role in CLIENTS for to in (TIKTOK, "71.18.0.9", ORDINARY))


@pytest.mark.parametrize("kind", RIGS, ids=lambda kind: kind.vendor)
@given(rules=RULES, exempt=st.sets(st.sampled_from(["10.0.1.5/32", "10.0.2.0/25", "10.0.0.0/16"])))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_i15_no_packet_passes_that_the_owners_rules_alone_would_stop(
    kind: type[EmulatedRig], rules: list[Foreign], exempt: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = kind()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", rig.password)
    rig.device = rig.made(rules)
    alone = {probe for probe in PROBES if rig.passes(*probe)}
    with rig.serving():
        rig.push(wish(deny=("company", "marketing"), exempt=sorted(exempt)))
    together = {probe for probe in PROBES if rig.passes(*probe)}
    assert together <= alone
    denied = {(role, to) for role, to in PROBES if to != ORDINARY}
    assert {probe for probe in alone if probe not in denied} <= together, "what is not listed is not judged"
