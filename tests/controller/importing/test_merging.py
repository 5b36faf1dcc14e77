"""What a source says goes into a file that people write: nothing of theirs is changed, and nothing is lost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.inventory.file import parse_inventory
from controller.inventory.importing.errors import TooManyGone
from controller.inventory.importing.merging import Known, Merged, Terms, merged
from controller.inventory.importing.model import (
    FoundDevice,
    FoundSite,
    Reading,
    Said,
    SaidDevice,
    SaidSite,
    Wishes,
    fitted,
)
from controller.inventory.importing.skeleton import skeleton

TERMS = Terms(today="2026-11-26", time_zone="UTC")
HAND = """\
version: 1 # ours
intelligence: {sources: [{kind: curated}]}
defaults: {device: {key_file: secret://file/etc/key}}
policies:
  p: {services: [tiktok], roles: {company: {mode: enforce}}} # the only one
# sites begin here
sites:
  old: # the old house
    time_zone: UTC # on purpose
    policy: p
    networks: {company: [10.9.0.0/24]} # by Ann
    devices:
      mine: {vendor: linux_nftables, host: 192.0.2.200} # by Bob
    # after the devices
# the end"""


def device(number: int, site: str = "berlin", **more: str | int) -> FoundDevice:
    return FoundDevice(site=site, fields={"vendor": "linux_nftables", "host": f"192.0.2.{number}", **more})


def reading(*numbers: int, net: str = "10.1.0.0/24", site: str = "berlin") -> Reading:
    devices = {f"fw-{n}": device(n, site) for n in numbers}
    sites = {site: FoundSite(time_zone="Europe/Berlin", networks={"company": (net,)})}
    return Reading(sites=sites, devices=devices, names=frozenset(devices))


def first(*numbers: int, text: str = HAND) -> Merged:
    found = merged(text, reading(*numbers), Known(), TERMS)
    parse_inventory(found.text)
    return found


def test_what_people_wrote_stays_byte_for_byte() -> None:
    found = first(1, 2)
    assert [line for line in found.text.splitlines() if line not in HAND.splitlines()]
    rest = iter(found.text.splitlines())
    assert all(line in rest for line in HAND.splitlines()), "every line of theirs, in its order"
    assert parse_inventory(found.text).sites.keys() == {"old", "berlin"}


def test_a_second_sync_changes_nothing() -> None:
    found = first(1, 2)
    again = merged(found.text, reading(1, 2), found.known, TERMS)
    assert (again.text, again.known, again.done) == (found.text, found.known, ())


def test_a_key_follows_the_source_until_a_person_changes_it() -> None:
    found = first(1)
    moved = replace(reading(1, net="10.5.0.0/24"), devices={"fw-1": device(77)})
    after = merged(found.text, moved, found.known, TERMS)
    assert set(after.done) == {"~ sites.berlin.networks.company", "~ sites.berlin.devices.fw-1.host"}
    by_hand = found.text.replace("host: 192.0.2.1\n", "host: 192.0.2.50 # moved\n")
    kept = merged(by_hand, moved, found.known, TERMS)
    assert "host: 192.0.2.50 # moved" in kept.text
    assert any("was changed by hand" in line for line in kept.left)


def test_what_was_taken_out_by_hand_is_not_put_back_and_a_stranger_is_left_alone() -> None:
    found = first(1, 2)
    without = found.text.replace("      fw-2:\n        vendor: linux_nftables\n        host: 192.0.2.2\n", "")
    assert without != found.text
    again = merged(without, reading(1, 2), found.known, TERMS)
    assert again.text == without
    assert "fw-2: was taken out by hand; not put back" in again.left
    theirs = replace(reading(), devices={"mine": device(3)}, names=frozenset({"mine"}))
    left = merged(HAND, theirs, Known(), TERMS)
    assert any(line.endswith("was written by hand; left alone") for line in left.left)


def test_one_firewall_is_never_put_in_under_two_names() -> None:
    found = merged(HAND, reading(200), Known(), TERMS)
    assert any("is mine already" in line for line in found.left)
    parse_inventory(found.text)


def test_a_site_of_people_gets_devices_and_no_other_change() -> None:
    found = merged(HAND, reading(1, site="old", net="10.7.0.0/24"), Known(), TERMS)
    assert "10.7.0.0/24" not in found.text
    assert parse_inventory(found.text).sites["old"].devices.keys() == {"mine", "fw-1"}


def test_gone_is_marked_first_and_taken_out_only_by_prune() -> None:
    found = first(1, 2)
    commented = found.text.replace("host: 192.0.2.2\n", "host: 192.0.2.2 # in the cellar\n")
    pruned_at_once = merged(commented, reading(1), found.known, replace(TERMS, prune=True))
    assert pruned_at_once.text == commented, "never in the sync that misses it first"
    assert pruned_at_once.gone == ("fw-2",)
    kept = merged(commented, reading(1), pruned_at_once.known, TERMS)
    assert kept.text == commented
    out = merged(commented, reading(1), kept.known, replace(TERMS, prune=True))
    assert out.pruned == ("fw-2",)
    assert "# in the cellar" in out.text
    assert "fw-2" not in parse_inventory(out.text).sites["berlin"].devices
    back = merged(commented, reading(1, 2), kept.known, TERMS)
    assert back.gone == ()


def test_the_last_device_of_a_site_may_go() -> None:
    found = first(1)
    marked = merged(found.text, reading(), found.known, TERMS)
    out = merged(found.text, reading(), marked.known, replace(TERMS, prune=True))
    assert parse_inventory(out.text).sites["berlin"].devices == {}


def test_many_gone_at_once_are_refused() -> None:
    numbers = range(1, 31)
    found = first(*numbers)
    few = merged(found.text, reading(*numbers[:28]), found.known, TERMS)
    assert len(few.gone) == 2
    with pytest.raises(TooManyGone, match="misses 4 of the 30"):
        merged(found.text, reading(*numbers[:26]), found.known, TERMS)
    forced = merged(found.text, reading(*numbers[:26]), found.known, replace(TERMS, forced=True))
    assert len(forced.gone) == 4
    with pytest.raises(TooManyGone, match="has missed 4"):
        merged(found.text, reading(*numbers[:26]), forced.known, replace(TERMS, prune=True))


def test_a_device_that_no_longer_fits_is_not_gone() -> None:
    found = first(1)
    unfit = Reading(sites={}, devices={}, names=frozenset({"fw-1"}), left_out=("device 'fw-1': no address",))
    assert merged(found.text, unfit, found.known, TERMS).gone == ()


def test_a_vendor_whose_options_are_needed_is_listed_until_they_are_given() -> None:
    asa = replace(reading(), devices={"asa": device(5, vendor="cisco_asa")}, names=frozenset({"asa"}))
    assert any("options of cisco_asa need lists" in line for line in merged(HAND, asa, Known(), TERMS).left)
    options = {"cisco_asa": {"lists": [{"acl": "OUT", "interface": "inside"}]}}
    given = merged(HAND, asa, Known(), replace(TERMS, options=options))
    assert "asa" in parse_inventory(given.text).sites["berlin"].devices


def test_a_password_is_never_taken_nor_told() -> None:
    said = Said(
        devices=(
            SaidDevice(name="a", site="b", host="192.0.2.1", platforms=("linux",), secrets={"password": "hunter2"}),
        )
    )
    found = fitted(said, Wishes())
    assert "hunter2" not in repr((said, found))
    assert "password" not in found.devices["a"].fields
    assert any("password is no secret:// reference" in line for line in found.left_out)


KNOWN = ["linux", "fortios", "192.0.2.7", "10.0.0.0/8", "UTC", "off", "#", "a: b"]
WORDS = st.one_of(st.text(max_size=12), st.sampled_from(KNOWN))
NETWORKS = st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple)
SAID = st.builds(
    Said,
    sites=st.lists(
        st.builds(SaidSite, name=WORDS, title=WORDS, time_zone=WORDS, networks=NETWORKS),
        max_size=4,
    ).map(tuple),
    devices=st.lists(
        st.builds(SaidDevice, name=WORDS, site=WORDS, host=WORDS, port=WORDS, platforms=st.tuples(WORDS),
                  username=WORDS, secrets=st.dictionaries(st.just("password"), WORDS)),
        max_size=6,
    ).map(tuple),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(said=SAID)
def test_whatever_a_source_says_the_import_is_valid_and_an_import_of_it_is_no_change(said: Said) -> None:
    found = fitted(said, Wishes())
    once = merged(skeleton(found), found, Known(), replace(TERMS, policy="standard"))
    parse_inventory(once.text)
    again = merged(once.text, found, once.known, TERMS)
    assert (again.text, again.known) == (once.text, once.known)
    for one in said.devices:
        assert len(once.known.devices) + len(found.left_out) + len(once.left) > 0, one


@settings(max_examples=40, deadline=None)
@given(
    now=st.sets(st.integers(1, 9)),
    later=st.sets(st.integers(1, 9)),
    net=st.sampled_from(["10.1.0.0/24", "10.2.0.0/24"]),
)
def test_every_comment_outlives_every_sync(now: set[int], later: set[int], net: str) -> None:
    text = first(*now).text
    known = first(*now).known
    lines = text.splitlines()
    noted = "\n".join(line if "#" in line or not line else f"{line} # c{n}" for n, line in enumerate(lines)) + "\n"
    forced = replace(TERMS, forced=True, prune=True)
    step = merged(noted, reading(*later, net=net), known, forced)
    last = merged(step.text, reading(*later, net=net), step.known, forced)
    parse_inventory(last.text)
    assert set(re.findall(r"# .*", noted)) <= set(re.findall(r"# .*", last.text))
