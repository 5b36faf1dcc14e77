"""Lists that firewalls pull: what is served is what the last change holds, and nothing else, whatever goes wrong."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.errors import FeedUnfit, StoreError
from controller.feeding import content_of, is_whole
from controller.inventory import Device
from controller.model import DeviceRun, Outcome, PublishedFeed
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, RunId
from ipsets.snapshot import content_id
from tests.controller.backends import behind, count, is_file, refusing
from tests.controller.memory import Bench, Firewall, bench, start_run
from tests.controller.offices import offices, snapshot
from vendors.errors import CapacityExceeded, NotPrivileged, NotVerified, Refused, Uncertain, Unreachable
from vendors.feeding import SENTINEL_NETWORK
from vendors.model import FeedList, GroupName

FW = DeviceName("fw-berlin")
MINUTE = timedelta(minutes=1)
LIST = "dst-tiktok"
OLD, NEW = ("103.136.220.0/23",), ("103.136.220.0/23", "16.162.0.0/24")


class Pulling:
    """A firewall that pulls, the work on it, and what it would be given now."""

    def __init__(self, made: Bench, firewall: Firewall, clock: ManualClock) -> None:
        self.work, self.firewall, self.clock = made, firewall, clock
        self.store: Store = made.store
        self.device: Device = made.inventory.device(FW)

    def wants(self, *networks: str) -> None:
        """Another snapshot is in force."""
        made = snapshot(*networks)
        made = replace(made, id=content_id(made.services))
        self.store.save_snapshot(made)
        self.store.set_current(made.id)

    def sync(self, *, force: bool = False) -> DeviceRun:
        self.clock.advance(MINUTE)
        return self.work.sync(self.device, start_run(self.store, self.clock), force=force)

    def served(self, name: str = LIST) -> tuple[str, ...] | None:
        found = self.store.published_feed(FW, name)
        if found is None:
            return None
        return tuple(self.text(found).decode().splitlines())

    def text(self, found: PublishedFeed) -> bytes:
        body = self.store.feed_body(found.digest)
        assert body is not None
        text = gzip.decompress(body)
        assert is_whole(text, digest=found.digest, entries=found.entries)
        assert len(text) == found.octets
        return text

    def fails(self, error: Exception, *, at: str = "before-apply") -> None:
        def fail() -> None:
            raise error

        self.firewall.on[at] = fail


def lines(*networks: str) -> tuple[str, ...]:
    return (str(SENTINEL_NETWORK), *sorted(networks, key=lambda n: int(n.split(".")[0])))


@pytest.fixture
def pulling(tmp_path: Path, store: Store, clock: ManualClock) -> Pulling:
    made, firewall = bench(tmp_path, store, offices(tmp_path), clock)
    firewall.pulls = True
    found = Pulling(made, firewall, clock)
    found.wants(*OLD)
    return found


# --- with the change --------------------------------------------------------------------------------------------------


def test_a_firewall_that_pulls_is_given_what_its_change_holds(pulling: Pulling) -> None:
    seen: list[tuple[str, ...] | None] = []
    pulling.firewall.on["before-apply"] = lambda: seen.append(pulling.served())
    assert pulling.sync().outcome is Outcome.APPLIED
    assert seen == [lines(*OLD)], "it is served before the device is told to look"
    found = pulling.store.published_feed(FW, LIST)
    assert found is not None
    assert found.settled
    assert pulling.served() == lines(*OLD)


def test_what_intelligence_says_later_is_not_served_before_a_change_carries_it(pulling: Pulling) -> None:
    pulling.sync()
    pulling.wants(*NEW)
    assert pulling.served() == lines(*OLD)
    pulling.sync()
    assert pulling.served() == lines(*NEW)


def test_i07_nothing_is_served_of_a_plan_that_a_guard_holds(pulling: Pulling) -> None:
    many = [f"16.162.{n}.0/24" for n in range(0, 80, 2)]
    pulling.wants(*many)
    pulling.sync()
    before = pulling.store.published_feeds()
    pulling.wants(*OLD)
    assert pulling.sync().outcome is Outcome.HELD
    assert pulling.store.published_feeds() == before
    assert pulling.sync(force=True).outcome is Outcome.APPLIED
    assert pulling.served() == lines(*OLD)


def test_a_firewall_that_is_told_everything_is_served_nothing(pulling: Pulling) -> None:
    pulling.firewall.pulls = False
    assert pulling.sync().outcome is Outcome.APPLIED
    assert pulling.store.published_feeds() == []


@pytest.mark.parametrize(
    "error", [Refused("no"), NotPrivileged("not you"), CapacityExceeded("too many")], ids=lambda e: type(e).__name__
)
def test_i05_a_change_that_was_refused_is_taken_back(pulling: Pulling, error: Exception) -> None:
    pulling.sync()
    (before,) = pulling.store.published_feeds()
    pulling.wants(*NEW)
    pulling.fails(error)
    assert pulling.sync().outcome is (Outcome.HELD if isinstance(error, CapacityExceeded) else Outcome.FAILED)
    (after,) = pulling.store.published_feeds()
    assert pulling.served() == lines(*OLD)
    assert (after.digest, after.settled) == (before.digest, True)
    assert after.modified_at > before.modified_at, "who asks by date was given another list meanwhile"


def test_i05_the_first_change_that_was_refused_leaves_nothing(pulling: Pulling) -> None:
    pulling.fails(Refused("no"))
    assert pulling.sync().outcome is Outcome.FAILED
    assert pulling.store.published_feeds() == []


@pytest.mark.parametrize(
    "error", [Uncertain("gone"), NotVerified("other"), Unreachable("gone")], ids=lambda e: type(e).__name__
)
def test_i05_a_change_whose_end_is_not_known_stays_served(pulling: Pulling, error: Exception) -> None:
    pulling.sync()
    pulling.wants(*NEW)
    pulling.fails(error)
    assert pulling.sync().outcome is Outcome.UNCERTAIN
    assert pulling.served() == lines(*NEW)
    pulling.firewall.on.clear()
    assert pulling.sync().outcome is Outcome.APPLIED
    (found,) = pulling.store.published_feeds()
    assert found.settled


def test_i05_what_is_refused_after_an_uncertain_end_goes_back_to_what_was_proven_last(pulling: Pulling) -> None:
    pulling.sync()
    pulling.wants(*NEW)
    pulling.fails(Uncertain("gone"))
    pulling.sync()
    pulling.fails(Refused("no"))
    pulling.sync()
    assert pulling.served() == lines(*OLD)


def test_i02_a_list_that_the_change_ends_is_served_until_the_change_is_read_back(pulling: Pulling) -> None:
    """The device refers to it until then, and an answer without it might empty what it enforces."""
    pulling.sync()
    pulling.firewall.pulls = False
    pulling.wants(*NEW)
    seen: list[tuple[str, ...] | None] = []
    pulling.firewall.on["before-apply"] = lambda: seen.append(pulling.served())
    pulling.sync()
    assert seen == [lines(*OLD)]
    assert pulling.store.published_feeds() == []


def test_i05_a_list_that_was_to_end_stays_when_the_change_is_refused(pulling: Pulling) -> None:
    pulling.sync()
    before = pulling.store.published_feeds()
    pulling.firewall.pulls = False
    pulling.wants(*NEW)
    pulling.fails(Refused("no"))
    pulling.sync()
    assert pulling.store.published_feeds() == before


# --- what cannot be published is not sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param((), id="empty"),
        pytest.param(("10.0.0.0/8", ""), id="an-empty-line"),
        pytest.param(("10.0.0.0/8\n0.0.0.0/0",), id="two-in-one"),
        pytest.param((" 10.0.0.0/8",), id="blank-before"),
        pytest.param(("münchen.example",), id="not-ascii"),
        pytest.param(("a" * 1025,), id="endless"),
    ],
)
def test_i02_a_list_that_a_firewall_would_misread_stops_the_change(pulling: Pulling, bad: tuple[str, ...]) -> None:
    pulling.sync()
    held = pulling.firewall.state
    pulling.wants(*NEW)
    pulling.firewall.feeds = lambda current, desired: (FeedList(name=GroupName(LIST), kind="ip", lines=bad),)  # type: ignore[method-assign]
    result = pulling.sync()
    assert (result.outcome, result.error_code) == (Outcome.FAILED, FeedUnfit.code)
    assert pulling.firewall.state == held
    assert pulling.served() == lines(*OLD)


def test_a_name_that_is_no_part_of_an_address_is_refused() -> None:
    with pytest.raises(FeedUnfit, match="its name"):
        content_of(FeedList(name=GroupName("../x"), kind="ip", lines=("10.0.0.0/8",)), FW)


def test_i02_a_store_that_cannot_publish_stops_the_change_before_it_is_sent(pulling: Pulling) -> None:
    pulling.sync()
    held = pulling.firewall.state
    pulling.wants(*NEW)
    with refusing(pulling.store, "feed_lists"), pytest.raises(StoreError):
        pulling.sync()
    assert pulling.firewall.state == held
    assert pulling.served() == lines(*OLD)


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_an_unchanged_device_changes_nothing_that_is_served(pulling: Pulling) -> None:
    pulling.sync()
    before = pulling.store.published_feeds()
    assert pulling.sync().outcome is Outcome.UNCHANGED
    assert pulling.store.published_feeds() == before


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("UPDATE feed_bodies SET body = x'1f8b0800'", id="cut-off"),
        pytest.param("DELETE FROM feed_bodies", id="body-gone"),
        pytest.param("DELETE FROM feed_lists", id="list-gone"),
        pytest.param("UPDATE feed_lists SET entries = 0", id="count-damaged"),
        pytest.param("UPDATE feed_lists SET octets = octets - 1", id="length-damaged"),
    ],
)
def test_i02_what_was_lost_or_damaged_is_published_anew_by_the_next_sync(pulling: Pulling, harm: str) -> None:
    pulling.sync()
    behind(pulling.store, harm if is_file(pulling.store) else harm.replace("x'1f8b0800'", r"'\x1f8b0800'"))
    assert pulling.sync().outcome is Outcome.UNCHANGED
    assert pulling.served() == lines(*OLD)


def test_two_contents_of_one_list_never_share_a_date(pulling: Pulling) -> None:
    """Who asks by date alone would be told that nothing changed."""
    run = RunId("r")
    dates = []
    for text in ("10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/8"):
        feed = FeedList(name=GroupName("a"), kind="ip", lines=(text,))
        pulling.store.publish_feeds(FW, [content_of(feed, FW)], run=run, at=pulling.clock.now())
        (found,) = pulling.store.published_feeds()
        dates.append(found.modified_at)
    pulling.clock.jump(pulling.clock.now() - timedelta(days=1))
    feed = FeedList(name=GroupName("a"), kind="ip", lines=("10.0.0.0/10",))
    pulling.store.publish_feeds(FW, [content_of(feed, FW)], run=run, at=pulling.clock.now())
    dates.append(pulling.store.published_feeds()[0].modified_at)
    assert dates == sorted(set(dates))
    assert all(date.microsecond == 0 for date in dates)


def test_a_text_is_kept_once_for_all_devices_and_as_long_as_one_may_go_back_to_it(pulling: Pulling) -> None:
    kept = []
    for line in ("10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/10"):
        content = content_of(FeedList(name=GroupName("a"), kind="ip", lines=(line,)), FW)
        for device in ("fw-berlin", "fw-austin"):
            pulling.store.publish_feeds(DeviceName(device), [content], run=RunId("r"), at=pulling.clock.now())
            pulling.store.settle_feeds(DeviceName(device))
        kept.append(count(pulling.store, "feed_bodies"))
    assert kept == [1, 2, 2]
