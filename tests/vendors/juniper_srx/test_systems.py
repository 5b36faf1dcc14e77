"""Logical systems and tenants of an SRX: what stands in one of them is changed, and nothing in another."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lab.emulators.srx import Srx
from tests.lab.emulators.srx import SITE, active, operating, srx
from tests.vendors.juniper_srx.fleet import MEMBERS, NOTHING, VIDEO, adapter, foreign, reached, typed, wish
from vendors.errors import DeviceError, Refused

SYSTEMS = ("logical-systems branch", "tenants branch")
LOG = "set system syslog file policy any any\nset security log format sd-syslog\n"


def site(space: str) -> str:
    """The root system as ever, and another one with zones, policies and a book of its own."""
    inner = [
        "security zones security-zone lan interfaces ge-0/0/3.0",
        "security zones security-zone wan interfaces ge-0/0/4.0",
        "security address-book global address web 10.9.0.80/32",
        "security policies from-zone lan to-zone wan policy out match source-address any",
        "security policies from-zone lan to-zone wan policy out match destination-address any",
        "security policies from-zone lan to-zone wan policy out match application any",
        "security policies from-zone lan to-zone wan policy out then permit",
    ]
    return SITE + LOG + "".join(f"set {space} {line}\n" for line in inner)


def options(space: str) -> dict[str, object]:
    kind, name = space.split()
    return {"logical_system" if kind == "logical-systems" else "tenant": name, "log_file": "policy"}


BRANCH = {"inside": "lan", "outside": "wan"}


@pytest.mark.parametrize("space", SYSTEMS)
def test_lists_come_change_and_go_in_one_system_alone(space: str) -> None:
    with reached(srx(base=site(space)), **options(space)) as at:
        owners = foreign(at.device)
        at.push(wish(deny=("company", "marketing")))
        assert at.holds(wish(deny=("company", "marketing")))
        assert not at.passes(**BRANCH)
        assert at.passes(), "the root system has nothing of it"
        ours = [line for line in active(at.device).splitlines() if "tokgate" in line]
        assert all(line.startswith(f"set {space} security ") for line in ours)
        at.push(wish(*MEMBERS, "192.0.2.0/24"))
        assert not at.passes("192.0.2.9", **BRANCH)
        assert at.passes("192.0.2.9", source="10.0.2.7", **BRANCH)
        typed(at.device, f"insert {space} security policies from-zone lan to-zone wan policy out before policy "
                         "tokgate-deny-company")  # fmt: skip
        assert not at.holds(wish(*MEMBERS, "192.0.2.0/24"))
        at.push(wish(*MEMBERS, "192.0.2.0/24"))
        assert not at.passes(**BRANCH)
        at.push(NOTHING)
        assert foreign(at.device) == owners
        assert "tokgate-deny" not in active(at.device)


@pytest.mark.parametrize("space", SYSTEMS)
def test_i11_each_system_counts_and_records_its_own(space: str) -> None:
    with reached(srx(base=site(space)), log_file="policy") as root:
        root.push(wish())
        inner = root.with_options(**options(space))
        inner.push(wish())
        assert root.holds(wish())
        for source in ("10.0.1.5", "10.0.1.6"):
            assert not root.passes(source=source, **BRANCH)
        assert not root.passes(source="10.0.1.7")
        assert root.hits() == {"deny-company": 1}
        assert inner.hits() == {"deny-company": 2}
        assert {str(flow.source) for flow in root.count().flows} == {"10.0.1.7"}
        assert {str(flow.source) for flow in inner.count().flows} == {"10.0.1.5", "10.0.1.6"}


def test_i11_blocks_of_other_systems_that_follow_are_not_counted() -> None:
    from lab.emulators.srx.hits import Row

    with reached() as at:
        at.push(wish())
        row = Row(zones=("inside", "outside"), name="tokgate-deny-company", count=900, action="Deny")
        at.device.other_systems["LSYS1"] = [row]
        assert not at.passes()
        assert at.hits() == {"deny-company": 1}


def test_what_two_systems_record_in_one_file_is_kept_apart() -> None:
    second = site(SYSTEMS[0]).removeprefix(SITE + LOG).replace("logical-systems branch", "logical-systems depot")
    second = (
        second.replace("lan", "shop").replace("wan", "road").replace("ge-0/0/3", "ge-0/0/5").replace("/4.0", "/6.0")
    )
    with reached(srx(base=site(SYSTEMS[0]) + second), **options(SYSTEMS[0])) as branch:
        depot = branch.with_options(logical_system="depot")
        for each in (branch, depot):
            each.push(wish())
        assert not branch.passes(source="10.0.1.5", **BRANCH)
        assert not depot.passes(source="10.0.1.6", inside="shop", outside="road")
        assert {str(flow.source) for flow in branch.count().flows} == {"10.0.1.5"}
        assert {str(flow.source) for flow in depot.count().flows} == {"10.0.1.6"}


@pytest.mark.parametrize("space", SYSTEMS)
def test_a_system_that_is_not_there_is_never_made(space: str) -> None:
    with reached(srx(base=site(space)), **options(space.replace("branch", "branhc"))) as at:
        before = active(at.device)
        with pytest.raises(Refused, match="branhc; the device has branch; nothing was sent"):
            at.push(wish())
        assert active(at.device) == before


@pytest.mark.parametrize("space", SYSTEMS)
def test_what_the_inner_system_refuses_is_told_and_nothing_stays(space: str) -> None:
    place = {"from_zone": "inside", "to_zone": "wan"}  # a zone of the root system
    with reached(srx(base=site(space)), **options(space), places=[place]) as at:
        before = active(at.device)
        with pytest.raises(Refused, match="Security zone must be defined"):
            at.push(wish())
        assert active(at.device) == before


def test_one_system_at_most() -> None:
    with pytest.raises(ValidationError, match="not both"):
        adapter(logical_system="a", tenant="b")
    with pytest.raises(ValidationError):
        adapter(logical_system="a; request system reboot")


def test_a_change_in_another_system_is_a_change_by_somebody() -> None:
    space = SYSTEMS[0]
    with reached(srx(base=site(space)), **options(space)) as at, at.session() as session:
        found, plan = at.plan(wish())
        typed(at.device, "set security zones security-zone lab")
        with pytest.raises(DeviceError):
            at.using.apply(session, found, plan)


def test_the_emulated_box_keeps_systems_apart() -> None:
    device: Srx = srx(base=site(SYSTEMS[0]))
    shown = operating(device).type("show security policies hit-count logical-system branch")
    assert shown.startswith("Logical system: branch\n")
    assert "staff-out" not in shown
    assert "error: logical-system other not found" in operating(device).type(
        "show security policies hit-count logical-system other"
    )
    with reached(device) as at:
        assert at.passes(VIDEO, **BRANCH)
        assert at.passes(VIDEO, inside="ge-0/0/3.0", outside="ge-0/0/4.0")
