"""Host names as sources of exceptions: asked of a real resolver, kept for a while, and followed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.desired import desired_for, signature
from controller.errors import Invalid
from controller.exception_desk import ExceptionDesk
from controller.exceptions import check_request
from controller.hosts import MAX_ADDRESSES, HostBook, addresses_of, in_words, judged
from controller.inventory import Inventory
from controller.model import AccessException, ExceptionState, HostLookup
from controller.store import Store
from core.clock import ManualClock
from core.ids import SiteName
from core.net import Address
from ipsets.errors import SourceError, SourceUnreachable
from tests.controller.offices import NOON, YAML, an_exception, facts, offices, request
from vendors.model import AddressGroup

HOLD = timedelta(hours=4)
PC = "pc7.example.org"
GIVEN = replace(an_exception(), hosts=(PC,), ends=NOON + timedelta(days=30))


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(ip_address(text) for text in texts)


# --- what is believed -----------------------------------------------------------------------------------------------


def found(
    *texts: str, after: HostLookup | None = None, at: datetime = NOON, folder: Path, error: str = ""
) -> HostLookup:
    answer: tuple[Address, ...] | SourceError = SourceUnreachable(error) if error else addresses(*texts)
    return judged(offices(folder).site("berlin"), PC, answer, after, now=at, hold=HOLD)


def test_only_addresses_of_the_site_count(tmp_path: Path) -> None:
    seen = found("10.20.1.7", "2a01:db9:20::7", "10.30.0.1", "8.8.8.8", folder=tmp_path)
    assert seen.addresses == addresses("10.20.1.7", "2a01:db9:20::7")
    assert "10.30.0.1, 8.8.8.8 lies in no source network" in seen.trouble


def test_a_flood_of_addresses_is_not_believed(tmp_path: Path) -> None:
    before = found("10.20.1.7", folder=tmp_path)
    flood = found(*(f"10.20.2.{n}" for n in range(MAX_ADDRESSES + 1)), after=before, folder=tmp_path)
    assert (flood.addresses, flood.until) == (before.addresses, before.until)
    assert f"more than {MAX_ADDRESSES}" in flood.trouble


def test_silence_keeps_the_last_answer_for_a_while_and_an_answer_of_nothing_does_not(tmp_path: Path) -> None:
    before = found("10.20.1.7", folder=tmp_path)
    soon = found(after=before, at=NOON + HOLD - timedelta(seconds=1), folder=tmp_path, error="no answer")
    assert (soon.addresses, soon.at, soon.trouble) == (before.addresses, NOON, "no answer")
    assert in_words(soon) == f"10.20.1.7, answered {NOON:%F %R}, counts until {NOON + HOLD:%F %R} UTC (no answer)"
    assert found(after=soon, at=NOON + HOLD, folder=tmp_path, error="no answer").addresses == ()
    gone = found(after=before, folder=tmp_path)
    assert (gone.addresses, gone.trouble) == ((), "it has no address")


@pytest.mark.parametrize("name", ["pc7", "10.20.1.7", "2001:db8::1", "pc7.example.org.7", "pc 7.example.org", ""])
def test_a_name_that_is_not_whole_is_refused(tmp_path: Path, name: str) -> None:
    asked = replace(request(NOON, NOON + HOLD), sources=(f"host:{name}",))
    with pytest.raises(Invalid, match="sources: "):
        check_request(asked, offices(tmp_path), NOON)


def test_names_are_kept_apart_from_networks(tmp_path: Path) -> None:
    asked = replace(request(NOON, NOON + HOLD), sources=("10.20.1.7", "host:PC7.example.org.", "host:pc7.example.org"))
    seen = check_request(asked, offices(tmp_path), NOON)
    assert (seen.hosts, [str(n) for n in seen.sources]) == ((PC,), ["10.20.1.7/32"])


# --- what a device holds --------------------------------------------------------------------------------------------


def group_of(exception: AccessException, folder: Path, at: datetime) -> set[str] | None:
    """The members of its group on Berlin's firewall; None: it has none."""
    inventory = offices(folder)
    desired = desired_for(facts(inventory, exceptions=(exception,)), inventory.device("fw-berlin"), at)
    groups = {g.name: g for g in desired.groups if isinstance(g, AddressGroup)}
    group = groups.get(f"exc-{exception.id}")  # type: ignore[call-overload]
    return None if group is None else {str(member) for member in group.members}


def test_a_device_holds_what_a_name_stands_for_while_that_counts(tmp_path: Path) -> None:
    named = replace(GIVEN, lookups=(found("10.20.1.7", folder=tmp_path),))
    assert group_of(named, tmp_path, NOON) == {"10.20.1.7/32"}
    assert group_of(named, tmp_path, NOON + HOLD) is None, "an empty group would be refused, or mean everybody"
    both = replace(an_exception("10.20.5.5"), hosts=(PC,), lookups=named.lookups, ends=GIVEN.ends)
    assert group_of(both, tmp_path, NOON + HOLD) == {"10.20.5.5/32"}


def test_what_a_name_means_at_another_site_opens_nothing_here(tmp_path: Path) -> None:
    elsewhere = replace(found("10.20.1.7", folder=tmp_path), site=SiteName("austin"))
    assert group_of(replace(GIVEN, lookups=(elsewhere,)), tmp_path, NOON) is None


def test_the_schedule_sees_when_a_name_gets_its_first_address(tmp_path: Path) -> None:
    inventory = offices(tmp_path)
    named = replace(GIVEN, lookups=(found("10.20.1.7", folder=tmp_path),))
    seen = [signature(facts(inventory, exceptions=(e,)), NOON) for e in (GIVEN, named)]
    assert GIVEN.id not in seen[0]
    assert GIVEN.id in seen[1]


# --- following a real resolver --------------------------------------------------------------------------------------


@dataclass
class Zone:
    """dnsmasq on loopback, serving the names of one file."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def says(self, *addresses: str) -> None:
        (self.folder / "names").write_text("".join(f"{a} {PC}\n" for a in addresses), encoding="utf-8")
        if self.process is None:
            command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--port={self.port}", "--no-resolv"]
            command += ["--listen-address=127.0.0.1", "--bind-interfaces", "--no-hosts", "--user=root", "--pid-file="]
            command += ["--local=/example.org/", f"--addn-hosts={self.folder / 'names'}"]
            self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        else:
            self.process.send_signal(signal.SIGHUP)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    if shutil.which("dnsmasq") is None:
        pytest.skip("dnsmasq is not installed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    made = Zone(tmp_path, port)
    yield made
    made.end()


@dataclass
class Followed:
    """A store, the book over it, and what the devices were told."""

    book: HostBook
    store: Store
    inventory: Inventory
    told: list[tuple[str, ...]] = field(default_factory=list)

    def follow(self, before: AccessException, after: AccessException) -> None:
        self.told.append(tuple(str(a) for f in after.lookups for a in f.addresses))

    def until(self, *wanted: str) -> None:
        """Ask until the resolver has taken up its file."""
        deadline = time.monotonic() + 20
        berlin = self.inventory.site("berlin")
        while True:
            try:
                seen = addresses_of(berlin, PC)
            except SourceError:
                seen = addresses("0.0.0.0")
            if {str(a) for a in seen} == set(wanted):
                return
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def followed(store: Store, clock: ManualClock, tmp_path: Path, zone: Zone) -> Followed:
    resolver = f'    resolvers: ["127.0.0.1:{zone.port}"]\n'
    inventory = offices(tmp_path, YAML.replace("    policy:", f"{resolver}    policy:"))
    made: list[Followed] = []
    book = HostBook(store, inventory, clock, follow=lambda before, after: made[0].follow(before, after))
    made.append(Followed(book, store, inventory))
    return made[0]


def test_devices_follow_a_name_and_the_record_says_so(followed: Followed, zone: Zone, clock: ManualClock) -> None:
    followed.store.add_exception(GIVEN)
    zone.says("10.20.1.7")
    followed.until("10.20.1.7")
    followed.book.refresh()
    followed.book.refresh()
    assert followed.told == [("10.20.1.7",)]

    zone.says("10.20.1.8", "2a01:db9:20::8")
    followed.until("10.20.1.8", "2a01:db9:20::8")
    followed.book.refresh()
    assert followed.told[1:] == [("10.20.1.8", "2a01:db9:20::8")]

    zone.end()
    with capture_logs() as logs:
        followed.book.refresh()
        followed.book.refresh()
    assert len(followed.told) == 2, "silence moves nobody"
    assert [(e["event"], e["host"]) for e in logs] == [("host.troubled", PC)], "and is said aloud, once"
    [kept] = followed.store.exception(GIVEN.id).lookups
    assert kept.trouble
    clock.jump(clock.now() + HOLD)
    followed.book.refresh()
    assert followed.told[2:] == [()]

    entries = [e for e in followed.store.audit_entries(limit=20) if e.action == "exception.resolve"]
    assert len(entries) == 4
    assert "10.20.1.8" in entries[2].detail + entries[1].detail
    assert followed.store.verify_audit() == []


def test_a_preview_says_what_a_name_stands_for_and_an_approval_is_of_the_name(
    followed: Followed, zone: Zone, clock: ManualClock
) -> None:
    desk = ExceptionDesk(
        followed.store, followed.inventory, clock, follow=followed.follow, look_up=followed.book.look_up
    )
    asked = replace(request(clock.now(), clock.now() + HOLD), sources=(f"host:{PC}",))
    zone.says("10.20.1.7")
    followed.until("10.20.1.7")
    seen = desk.preview(asked)
    assert f"the host {PC} would reach tiktok" in seen.sentence
    assert [(line.source, line.role) for line in seen.opens] == [(f"host:{PC}", "company")]
    waiting = desk.request(asked, actor="token:a")
    before = desk.preview_of(waiting.id).digest
    zone.says("10.20.1.9")
    followed.until("10.20.1.9")
    assert desk.preview_of(waiting.id).digest == before
    given = desk.approve(waiting.id, actor="token:b", preview=before)
    assert given.state is ExceptionState.APPROVED
    assert [str(a) for f in given.lookups for a in f.addresses] == ["10.20.1.9"]
