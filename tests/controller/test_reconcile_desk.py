"""Lists of endpoints against what was seen and covered: what follows of each client, and where a list is wrong."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.coverage_desk import CoverageDesk
from controller.errors import Invalid, NotFound, NotUnmasked
from controller.evidence.model import Episode, EpisodeAction, EpisodeKind
from controller.inventory import Inventory
from controller.model import Window
from controller.privacy_desk import PrivacyDesk
from controller.reconcile_desk import EndpointList, ReconcileDesk
from controller.reconciling import Endpoints, Finding, Reconciled, reconcile, told_of
from controller.reports.making import HIDDEN
from controller.store import Store
from core.clock import ManualClock
from core.ids import EventId, SiteName
from tests.controller.backends import only_a_file
from tests.controller.offices import NOON, offices
from tests.controller.test_enforced_age import MINUTE, PROMISE

pytestmark = only_a_file
BERLIN = SiteName("berlin")
LIST = """Device name;Application;IP address
PC-1;com.zhiliaoapp.musically;10.20.0.7
PC-2;com.zhiliaoapp.musically;10.20.0.8
PC-3;org.mozilla.firefox;10.20.0.9
AUS-1;com.zhiliaoapp.musically;10.30.0.7
HOME;com.zhiliaoapp.musically;203.0.113.9
"""


@pytest.fixture
def desk(store: Store, clock: ManualClock, tmp_path: Path) -> ReconcileDesk:
    inventory: Inventory = offices(tmp_path, PROMISE)
    coverage = CoverageDesk(store=store, inventory=inventory, clock=clock, freshness=30 * MINUTE)
    privacy = PrivacyDesk(store=store, inventory=inventory, clock=clock)
    return ReconcileDesk(store=store, inventory=inventory, clock=clock, coverage=coverage, privacy=privacy)


def closed(desk: ReconcileDesk, tmp_path: Path) -> ReconcileDesk:
    """The same where Berlin shows nobody."""
    folder = tmp_path / "closed"
    folder.mkdir()
    known = offices(folder, PROMISE + "privacy: {identities: hidden}\n")
    coverage = replace(desk.coverage, inventory=known)
    return replace(desk, inventory=known, coverage=coverage, privacy=replace(desk.privacy, inventory=known))


def a_use(host: str, source: str, action: EpisodeAction) -> Episode:
    return Episode(
        id=EventId(f"01hz{host}{source}"), kind=EpisodeKind.USE, site=BERLIN, window=Window(NOON, NOON + MINUTE),
        action=action, confidence=90, grounds=(), host=host, source=ip_address(source),
    )  # fmt: skip


def listed(desk: ReconcileDesk, text: str = LIST, **more: object) -> tuple[dict[SiteName, Endpoints], int]:
    said = EndpointList(name="pcs.csv", stream=io.BytesIO(text.encode()), **more)  # type: ignore[arg-type]
    return desk._listed(said, [SiteName("austin"), BERLIN])


def found(reconciled: Reconciled) -> dict[str, Finding]:
    return {row.client: row.finding for row in reconciled.rows}


def test_what_follows_of_each_client_of_a_list(desk: ReconcileDesk) -> None:
    endpoints, elsewhere = listed(desk)
    now = desk.clock.now()
    day = Window(now - timedelta(days=1), now)
    berlin, austin = (desk.coverage.site(name, day).whole for name in ("berlin", "austin"))
    seen = (
        a_use("pc-1", "10.20.0.7", EpisodeAction.BLOCKED),
        a_use("", "10.20.0.9", EpisodeAction.BLOCKED),  # known by its address alone
        a_use("aus-1", "10.20.0.30", EpisodeAction.MONITORED),  # of another office, here for a day
        a_use("byod", "10.20.0.44", EpisodeAction.BLOCKED),
    )
    assert found(reconcile(berlin, told_of(seen), {}, endpoints[BERLIN])) == {
        "pc-1": Finding.BLOCKED,
        "aus-1": Finding.PASSED,
        "pc-2": Finding.BLIND,  # nobody looked at the firewall: silence proves nothing
        "pc-3": Finding.BARE,
        "byod": Finding.STRANGER,
    }
    assert elsewhere == 1, "HOME, at no site"
    assert found(reconcile(austin, (), {}, endpoints[SiteName("austin")])) == {"aus-1": Finding.BLIND}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(LIST + "PC-9;com.zhiliaoapp.musically\n", "line 7: 2 fields; the header names 3", id="short"),
        pytest.param(LIST.replace("10.20.0.8", "10.20.0.x"), "line 3: column 'IP address': ", id="address"),
        pytest.param(LIST.replace("org.mozilla.firefox", ""), "line 4: column 'Application': no program", id="empty"),
        pytest.param("a;b\n1;2\n", "pcs.csv: of no format that is known", id="no-header"),
        pytest.param("time,host,program\n2999-01-01,pc,x\n", "line 2: 2999-01-01T00:00:00Z is still", id="future"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_with_the_place(desk: ReconcileDesk, text: str, place: str) -> None:
    with pytest.raises(Invalid) as told:
        listed(desk, text)
    assert told.value.message.startswith("pcs.csv: ")
    assert place in told.value.message


def test_a_log_is_no_list_of_endpoints(desk: ReconcileDesk) -> None:
    line = "2026-11-25T11:00:00Z dnsmasq[1]: query[A] www.tiktok.com from 10.20.0.7\n"
    with pytest.raises(Invalid, match="no list of endpoints, but 1 record of the format dnsmasq"):
        listed(desk, line, format="dnsmasq")


def test_where_nobody_is_shown_nobody_is_named_and_no_list_tells(desk: ReconcileDesk, tmp_path: Path) -> None:
    now = desk.clock.now()
    byod = a_use("byod", "10.20.0.44", EpisodeAction.BLOCKED)
    desk.store.record("b", [byod])
    span = Window(now - timedelta(days=1), now + timedelta.resolution)
    desk.clock.advance(MINUTE)  # type: ignore[attr-defined]
    none = desk.reconcile(span, ("berlin",)).sites[BERLIN]
    assert (none.has_list, none.rows) == (False, ()), "nobody is missing in a list that is not there"
    listed = replace(byod, id=EventId("01hzinstalled"), kind=EpisodeKind.INSTALLED, host="pc-9", source=None)
    desk.store.record("c", [listed])
    shown, _ = sorted(desk.reconcile(span, ("berlin",)).sites[BERLIN].rows, key=lambda row: row.client)
    assert (shown.client, shown.addresses) == ("byod", ("10.20.0.44",))
    silent = closed(desk, tmp_path)
    hidden = silent.reconcile(span, ("berlin",)).sites[BERLIN].rows
    assert (HIDDEN, (), Finding.STRANGER) in [(row.client, row.addresses, row.finding) for row in hidden]
    said = EndpointList(name="pcs.csv", stream=io.BytesIO(LIST.encode()))
    with pytest.raises(NotUnmasked):
        silent.reconcile(span, ("berlin",), said)


def test_times_and_sites_are_checked_before_a_list_is_read(desk: ReconcileDesk) -> None:
    now = desk.clock.now()
    with pytest.raises(NotFound):
        desk.reconcile(Window(now - MINUTE, now), ("paris",))
    with pytest.raises(Invalid, match="in the future"):
        desk.reconcile(Window(now, now + MINUTE))
    assert desk.reconcile(Window(now - MINUTE, now)).sites[BERLIN] == Reconciled(has_list=False, covered=0.0, rows=())
