"""A bundle at its destination: put in force and pinned, or refused with nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import Conflict, Invalid
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from ipsets.bundle import Sealed, seal
from ipsets.errors import BundleOutdated, BundleUntrusted, GuardTripped
from ipsets.minisign import new_key
from ipsets.snapshot import content_id
from tests.controller.offices import NOON, YAML

KEY = new_key()
ONE = "103.136.220.0/23\ntiktok.com\n"
TWO = ONE + "16.162.0.0/24\n"
HOUR = timedelta(hours=1)


class Place:
    """A controller whose one source is a list that the test rewrites."""

    def __init__(self, folder: Path, clock: ManualClock, store: Path, *, guard: str = "") -> None:
        folder.mkdir()
        (folder / "store.db").write_bytes(store.read_bytes())
        source = f"{{kind: list, name: mine, file: {folder}/list.txt, dedicated: true, max_shrink: 1}}"
        text = YAML.replace("{sources: [{kind: curated}]}", f"{{sources: [{source}]{guard}}}")
        assert source in text
        (folder / "inventory.yaml").write_text(text, encoding="utf-8")
        self.folder, self.clock = folder, clock
        self.opened = Controller.open(Settings(inventory=folder / "inventory.yaml", data_dir=folder), clock=clock)

    def found(self, text: str) -> str:
        """An hour later the list says this. What is in force then."""
        self.clock.advance(HOUR)
        (self.folder / "list.txt").write_text(text, encoding="utf-8")
        self.opened.refresh_intel(actor="timer", force=True)
        return self.current

    def sent(self) -> Sealed:
        return seal(self.opened.bundles.make(comment="weekly"), KEY)

    def got(self, sealed: Sealed, *, force: bool = False) -> str:
        self.opened.import_bundle(sealed, KEY.public, actor="ada", reason="by courier", force=force)
        return self.current

    @property
    def current(self) -> str:
        return self.opened.snapshot().id


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def hub(tmp_path: Path, migrated: Path, clock: ManualClock) -> Iterator[Place]:
    place = Place(tmp_path / "hub", clock, migrated)
    with place.opened:
        yield place


@pytest.fixture
def site(tmp_path: Path, migrated: Path, clock: ManualClock) -> Iterator[Place]:
    place = Place(tmp_path / "site", clock, migrated)
    with place.opened:
        yield place


def test_i02_what_was_imported_stays_in_force_over_refreshes(hub: Place, site: Place) -> None:
    old = site.found(ONE)
    made = hub.found(TWO)
    assert site.got(hub.sent()) == made
    assert site.found(ONE) == made, "what the site finds alone does not undo it"
    pin = site.opened.pin()
    assert pin is not None
    assert (pin.snapshot, pin.actor, pin.reason) == (made, "ada", "by courier")
    assert site.opened.snapshot().parent == old, "so that `intel diff` has something to compare"


def test_i14_the_audit_log_tells_who_brought_what_and_who_signed_it(hub: Place, site: Place) -> None:
    made = hub.found(ONE)
    site.got(hub.sent())
    entry = site.opened.audit()[0]
    assert (entry.action, entry.subject, entry.reason) == ("snapshot.import", made[:12], "by courier")
    assert f'"key":"{KEY.public.id}"' in entry.detail
    assert f'"made_by":"{hub.opened.store.instance_id()}"' in entry.detail
    assert site.opened.verify_audit() == []


def test_an_old_bundle_brought_in_again_is_refused_unless_it_is_meant(hub: Place, site: Place) -> None:
    first = hub.found(ONE)
    old = hub.sent()
    second = hub.found(TWO)
    assert site.got(old) == first
    assert site.got(hub.sent()) == second
    with pytest.raises(BundleOutdated, match="older than the one in force"):
        site.got(old)
    assert site.current == second
    assert site.got(old, force=True) == first


def test_after_going_back_at_the_hub_the_bundle_of_before_is_the_old_one(hub: Place, site: Place) -> None:
    """Its snapshot is younger than the one in force; the bundle is older than the last one."""
    first = hub.found(ONE)
    hub.found(TWO)
    bad = hub.sent()
    site.got(bad)
    hub.clock.advance(HOUR)
    hub.opened.pin_snapshot(first, actor="eve", reason="it broke the payroll")
    assert site.got(hub.sent(), force=True) == first
    with pytest.raises(BundleOutdated, match="imported last"):
        site.got(bad)
    assert site.current == first


def test_i07_one_that_holds_what_is_never_blocked_here_is_refused_even_with_force(
    hub: Place, tmp_path: Path, migrated: Path, clock: ManualClock
) -> None:
    hub.found(TWO)
    site = Place(tmp_path / "other", clock, migrated, guard=", guard: {never_block: [16.162.0.128/25]}")
    with site.opened:
        with pytest.raises(GuardTripped, match=r"16\.162\.0\.0/24 touches your never_block list"):
            site.got(hub.sent(), force=True)
        assert (site.opened.pin(), site.opened.snapshots(), site.opened.audit()) == (None, [], [])


def test_i02_a_signed_list_without_entries_is_refused_even_with_force(hub: Place, site: Place) -> None:
    hub.found(ONE)
    before = site.found(ONE)
    bundle = hub.opened.bundles.make()
    for services in ((), tuple(replace(s, networks=(), domains=()) for s in bundle.snapshot.services)):
        emptied = replace(bundle.snapshot, services=services, id=content_id(services), created_at=hub.clock.now())
        with pytest.raises(GuardTripped, match="guard empty: tiktok"):
            site.got(seal(replace(bundle, snapshot=emptied), KEY), force=True)
    assert (site.current, site.opened.pin()) == (before, None)


def test_one_that_changes_much_needs_a_word(hub: Place, site: Place) -> None:
    before = site.found(ONE + "".join(f"16.162.{n}.0/24\n" for n in range(0, 40, 2)))
    made = hub.found(ONE)
    with pytest.raises(GuardTripped, match="guard churn"):
        site.got(hub.sent())
    assert site.current == before
    assert site.got(hub.sent(), force=True) == made


def test_a_stranger_or_no_reason_brings_nothing_in(hub: Place, site: Place) -> None:
    hub.found(ONE)
    with pytest.raises(BundleUntrusted):
        site.got(seal(hub.opened.bundles.make(), new_key()), force=True)
    with pytest.raises(Invalid, match="reason"):
        site.opened.import_bundle(hub.sent(), KEY.public, actor="ada", reason=" ")
    assert (site.opened.pin(), site.opened.audit()) == (None, [])


def test_what_is_withdrawn_at_the_hub_leaves_with_the_list_and_is_told(hub: Place, site: Place) -> None:
    """Else the site would pin a list that lacks it, for good."""
    whole = hub.found(TWO)
    ends = hub.clock.now() + HOUR
    hub.opened.interventions.withdraw("16.162.0.0/24", actor="ada", reason="payroll", ends=ends)
    short = hub.current
    assert short != whole
    made = hub.opened.bundles.export(actor="ada", comment="weekly", key=KEY)
    assert (made.bundle.snapshot.id, made.withdrawn) == (whole, ("16.162.0.0/24",))
    assert made.bundle.comment == (
        f"weekly; withdrawn at the sender, and in here all the same: 16.162.0.0/24 until {ends:%Y-%m-%d %H:%M}Z"
    )
    assert site.got(made.sealed) == whole
    for named in (short, short[:9]):
        with pytest.raises(Conflict, match="lacks what was withdrawn here for a while"):
            hub.opened.bundles.export(named, actor="ada", key=KEY)
    assert hub.opened.bundles.export(whole, actor="ada", key=KEY).bundle.comment == ""
    hub.clock.advance(HOUR)
    hub.opened.interventions.end_due()
    assert hub.opened.bundles.export(actor="ada", key=KEY).withdrawn == ()
