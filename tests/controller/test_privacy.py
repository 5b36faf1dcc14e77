"""How clients are called where something leaves: pseudonyms that hold for a period and say nothing beyond it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.errors import NotUnmasked
from controller.export.following import follow
from controller.inventory.privacy import Identities, PeriodKind, Privacy, PrivacyHere, applied
from controller.model import DetectionEvent, Window
from controller.privacy.veil import Of, Veil, pseudonym
from controller.privacy_desk import PrivacyDesk
from controller.store import Store
from core.clock import ManualClock
from core.ids import EventId, SiteName, new_id
from tests.controller.backends import again, behind
from tests.controller.export.records import event, privacy, seen
from tests.controller.offices import NOON
from tests.controller.test_store_episodes import an_episode
from vendors.model import Reading

KEY = b"k" * 32
DAYS = timedelta(days=1)


def on(day: int, source: str = "10.20.0.7", *, month: int = 11) -> DetectionEvent:
    end = datetime(2026, month, day, 12, tzinfo=UTC)
    pair = replace(seen(source, "103.136.220.9"), last_seen=end)
    return event(id=EventId(new_id()), window=Window(end - timedelta(minutes=5), end), sources=(pair,))


def keep(store: Store, *events: DetectionEvent) -> None:
    for one in events:
        store.record_events(one.device, Reading(epoch="e", read_at=NOON, rules=()), [one])


def called(desk: PrivacyDesk, one: DetectionEvent) -> str:
    (pair,) = desk.event(one).sources
    return pair.client


# --- what applies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("general", "here", "identities", "lists", "reports"),
    [
        pytest.param({}, None, "shown", 0, 5, id="nothing-said"),
        pytest.param({"identities": "pseudonyms"}, None, "pseudonyms", 5, 5, id="pseudonyms"),
        pytest.param({"fewest_clients": 3}, None, "shown", 3, 3, id="a-threshold-holds-everywhere"),
        pytest.param({"fewest_clients": 3}, {"fewest_clients": 0}, "shown", 0, 0, id="the-site-goes-before"),
        pytest.param({"identities": "pseudonyms"}, {"identities": "hidden"}, "hidden", 5, 5, id="a-site-hidden"),
    ],
)
def test_a_site_says_before_the_fleet(
    general: dict[str, object], here: dict[str, object] | None, identities: str, lists: int, reports: int
) -> None:
    found = applied(Privacy.model_validate(general), None if here is None else PrivacyHere.model_validate(here))
    assert (found.identities.value, found.fewest_in_lists, found.fewest_in_reports) == (identities, lists, reports)
    assert found.period is PeriodKind.MONTH


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_pseudonym_is_one_client_at_one_site_under_one_key() -> None:
    name = pseudonym(KEY, "berlin", Of.CLIENT, "2001:DB8::7")
    assert name == pseudonym(KEY, "berlin", Of.CLIENT, "2001:db8:0::7")
    others = {
        pseudonym(KEY, "austin", Of.CLIENT, "2001:db8::7"),
        pseudonym(b"x" * 32, "berlin", Of.CLIENT, "2001:db8::7"),
        pseudonym(KEY, "berlin", Of.CLIENT, "2001:db8::8"),
    }
    assert len({name, *others}) == 4
    assert name.startswith("client-")
    assert len(name) == len("client-") + 12


def test_an_episode_keeps_nothing_that_says_who() -> None:
    one = an_episode(new_id(), user="Ann", host="ann-laptop")
    told = Veil(identities=Identities.PSEUDONYMS, site="berlin", key=KEY).episode(one)
    assert (told.source, told.host) == (None, pseudonym(KEY, "berlin", Of.CLIENT, str(one.source)))
    assert told.user == pseudonym(KEY, "berlin", Of.USER, "ann")
    hidden = Veil(identities=Identities.HIDDEN).episode(one)
    assert (hidden.source, hidden.host, hidden.user) == (None, "hidden", "hidden")
    assert Veil(identities=Identities.HIDDEN).episode(replace(one, user="")).user == "", "unknown is not hidden"


def test_a_client_has_one_name_in_a_period_and_another_in_the_next(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 0}")
    november = {called(desk, on(2)), called(desk, on(30))}
    december = called(desk, on(2, month=12))
    assert len(november) == 1
    assert {december}.isdisjoint(november)
    afresh = PrivacyDesk(store=again(store, clock), inventory=desk.inventory, clock=clock)
    assert {called(afresh, on(5))} == november, "kept with the store, not with the process"


def test_an_event_belongs_to_the_period_in_which_it_ends(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 0}")
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    last = replace(on(30), window=Window(midnight - timedelta(minutes=5), midnight))
    assert called(desk, last) == called(desk, on(15))


def test_a_destroyed_key_never_comes_back(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 0}")
    before = called(desk, on(2))
    key = behind(store, "SELECT key FROM identity_keys")[0][0]
    assert desk.destroy_old_keys(datetime(2026, 12, 1, tzinfo=UTC), actor="test") == 1
    assert behind(store, "SELECT key FROM identity_keys") == [(None,)]
    assert called(desk, on(2)) == "hidden" != before
    assert store.verify_audit() == []
    said = store.audit_entries(limit=1)[0]
    assert (said.action, bytes(key).hex() in said.detail) == ("pseudonyms.destroy", False)
    assert desk.destroy_old_keys(datetime(2026, 12, 1, tzinfo=UTC), actor="test") == 0, "and nothing is noted twice"
    assert store.audit_entries(limit=1)[0].seq == said.seq


def test_below_the_threshold_nobody_has_a_name(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 3}")
    keep(store, on(2, "10.20.0.7"), on(4, "10.20.0.8"))
    assert called(desk, on(2)) == "hidden"
    keep(store, on(3, "10.20.0.9"))
    assert called(desk, on(2)) == "hidden", "it is counted from time to time"
    clock.advance(timedelta(minutes=2))
    assert called(desk, on(2)).startswith("client-")
    assert called(desk, on(2, month=12)) == "hidden", "of another period"


def test_clients_of_evidence_count_with_those_of_counters(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{fewest_clients: 2}")
    keep(store, on(25, "10.20.0.7"))
    assert called(desk, on(25)) == "hidden"
    other = an_episode(new_id(), source=None, host="ann-laptop", window=Window(NOON - DAYS, NOON))
    store.record("b", [replace(other, site=SiteName("berlin"))])
    clock.advance(timedelta(minutes=2))
    assert called(desk, on(25)) == "10.20.0.7"


def test_a_report_over_several_periods_has_names_of_its_own(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 0}")
    rules = desk.at("berlin")
    november = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    both = Window(november.start, datetime(2026, 12, 5, tzinfo=UTC))
    assert desk._key_over(rules, november) == store.identity_key("month", november)
    assert desk._key_over(rules, both) not in (None, store.identity_key("month", november))


def test_what_is_exported_is_told_as_in_lists(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: pseudonyms, fewest_clients: 0}")
    keep(store, on(25))
    store.record("b", [an_episode(new_id(), user="ann")])
    records = [one.record for one in follow(store, 0, privacy=desk).recorded]
    assert {record.host for record in records if record.type == "event"} == {called(desk, on(25))}
    assert all(record.source is None and not record.sources for record in records)
    assert [record.user[:5] for record in records if record.user] == ["user-"]


def test_nothing_is_found_by_who_it_was(store: Store, clock: ManualClock) -> None:
    desk = privacy(store, clock, said="{identities: hidden}")
    with pytest.raises(NotUnmasked, match="TG6011"):
        desk.refuse_by_identity(None)
    assert not desk.is_searchable("berlin")
    privacy(store, clock).refuse_by_identity(None)
