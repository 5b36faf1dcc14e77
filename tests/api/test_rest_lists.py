"""Every list of the document alike: pages, both orders, a count on request, and a search for text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.pages import says
from api.reference import operations
from controller.audit import AuditNote
from controller.evidence.model import Quarantine, Rejected
from controller.model import Outcome, Scope
from controller.store import AuditQuery, Store, searching
from controller.webhooks import new_secret
from core.ids import SiteName
from ipsets.drift import Drift
from tests.api.conftest import MONTH, PASSWORD, Office, Stock, an_office
from tests.api.test_rest_dry_run import hook, requested, second
from tests.api.test_rest_flow import event
from tests.controller.export.collectors import until
from tests.controller.offices import an_exception
from tests.controller.proving import some_proofs

V1 = "/api/v1"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
ULID = re.compile("[0-9a-hjkmnp-tv-z]{26}")
EMPTY = {
    *("/feeds", "/feed-groups", "/people", "/sessions", "/me/tokens", "/me/sessions", "/calendars", "/exports"),
    *("/unmaskings", "/reports/scheduled"),
}
"""Lists of what is not here: ``test_feeds.py`` has firewalls that pull, ``test_sign_in.py`` people,
``test_rest_privacy.py`` who is unmasked, ``test_cli_elsewhere.py`` reports that are sent."""


@pytest.fixture(scope="module")
def busy(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office in which every list holds several things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        patch.setenv("REST_TEST_KEY", new_secret().reveal())
        with an_office(tmp_path_factory.mktemp("busy"), stock) as office:
            for name in ("chat", "siem", "tickets"):
                office.ask("POST", f"{V1}/webhooks", json={**hook(), "name": name, "kinds": ["exception"]})
            for number in range(5):
                requested(office, owner=f"ann-{number}")
            second(office)
            for _ in range(3):
                office.ask("POST", f"{V1}/runs", json={"kind": "sync", "all": True, "reason": "why"})
            for number in range(9):
                one = event(number)
                office.controller.store.record_events(one.device, _reading(one), [one])
            _alerts(office)
            _cuts(office)
            _aside(office)
            office.controller.store.record_proofs("busy", some_proofs(office.clock.now()))
            for hours in (1, 2, 3):
                ends = (office.clock.now() + timedelta(hours=hours)).isoformat()
                office.ask("POST", f"{V1}/emergencies", json={"kind": "pause", "reason": "why", "ends": ends})
            yield office


def _reading(of: Any) -> Any:
    from vendors.model import Reading

    return Reading(epoch="1", read_at=of.window.end, rules=())


def _alerts(office: Office) -> None:
    from controller.alerts import AlertNote

    told = [
        AlertNote(kind=Drift.MOVED.value, subject=f"AS{number}", message="networks moved", detail={})
        for number in range(4)
    ]
    store = office.controller.store
    store.save_source_records(store.source_records(), alerts=told)


def _cuts(office: Office) -> None:
    """Changes that ended open flows, as three runs would have left them, once these have nothing more to say."""
    until(lambda: office.controller.queue_depth() == 0)
    store = office.controller.store
    for run in store.runs(limit=3):
        for part in run.devices:
            store.record_device(replace(part, outcome=Outcome.APPLIED, finished_at=office.clock.now(), flows_cut=2))


def _aside(office: Office) -> None:
    office.controller.store.set_aside(
        Rejected(why=why, origin=f"syslog udp 192.0.2.{number}", text="x", detail="y", site=SiteName("berlin"))
        for number in range(3)
        for why in (Quarantine.FUTURE, Quarantine.UNREADABLE)
    )


def lists(office: Office) -> list[str]:
    found = operations(office.app.openapi())
    some = office.get("/exceptions", params={"limit": 1})["items"][0]["id"]
    return [
        path.removeprefix(V1).format(name="chat", id=some)
        for method, path, operation in found
        if method == "get" and any(p["name"] == "cursor" for p in operation.get("parameters", ()))
    ]


WHOLE = {"/intel/drift": "a comparison, not a list that grows"}


def test_whatever_answers_items_is_a_list_like_every_other(shared_office: Office) -> None:
    """By the document: limit, cursor, order, q and count wherever things are listed."""
    found = shared_office.app.openapi()
    seen = 0
    for method, path, operation in operations(found):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        if method != "get" or "items" not in found["components"]["schemas"].get(name, {}).get("properties", {}):
            continue
        missing = {"limit", "cursor", "order", "q", "count"} - {p["name"] for p in operation.get("parameters", ())}
        assert not missing or path.removeprefix(V1) in WHOLE, (path, missing)
        seen += 1
    assert seen > 20


def told(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(name, text) of every text in an answer."""
    if isinstance(value, str):
        yield name, value
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from told(inner, key)
    for inner in value if isinstance(value, list) else ():
        yield from told(inner, name)


def test_times_are_rfc_3339_in_utc_and_ids_are_ulids(busy: Office) -> None:
    """Of everything that lists hold; ids of snapshots are digests, those of alerts and of the audit log numbers."""
    texts = [(path, *pair) for path in lists(busy) for pair in told(busy.get(path, params={"limit": 20})["items"])]
    times = [entry for entry in texts if ISO.match(entry[2])]
    assert len(times) > 50
    assert [entry for entry in times if not RFC3339_UTC.fullmatch(entry[2])] == []
    ids = [entry for entry in texts if entry[1] == "id" and entry[0] not in ("/snapshots", "/intel/history")]
    assert len(ids) > 20
    assert [entry for entry in ids if not ULID.fullmatch(entry[2])] == []


def walk(office: Office, path: str, **asked: str) -> list[Any]:
    items: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(1000):
        page = office.get(path, params={"limit": "2", **asked, **cursor})
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the pages never end")


def test_every_list_goes_both_ways_counts_and_searches(busy: Office) -> None:
    found = [path for path in lists(busy) if not path.startswith("/intel/show")]
    assert len(found) > 12
    for path in found:
        up, down = (walk(busy, path, order=order) for order in ("asc", "desc"))
        assert up == down[::-1], path
        assert walk(busy, path) in (up, down), path
        assert busy.get(path, params={"count": "true", "limit": 1})["count"] == len(up), path
        assert busy.get(path)["count"] is None, path
        assert walk(busy, path, q="no such text anywhere") == [], path
        if path in EMPTY:
            continue
        assert up, f"{path}: an empty list proves nothing"
        word = next(value for value in up[0].values() if isinstance(value, str) and value[-1:] not in ("", "Z"))
        said = walk(busy, path, q=word.upper(), order="asc")
        assert up[0] in said, path
        assert busy.get(path, params={"count": "true", "q": word})["count"] == len(said), path


def test_every_word_that_is_shown_of_an_exception_finds_it(busy: Office) -> None:
    """What is looked in is kept beside it, not made anew: so it has to be the same words, the devices' names too."""
    [made] = walk(busy, "/exceptions", q="ann-3")
    lived = (made["starts"], made["ends"], made["requested_at"], made["decided_at"], made["ended_at"])
    said = {*words_in(made)} - {*lived}
    assert {"ann-3", "berlin", "fw-berlin", "10.20.0.7/32", "requested", "token:request"} <= said
    for word in said:
        assert made in walk(busy, "/exceptions", q=word), word
    assert walk(busy, "/exceptions", q=made["requested_at"][:13]) == [], "times have filters of their own"


def words_in(shown: Any) -> Iterator[str]:
    if isinstance(shown, str) and shown:
        yield shown
    elif isinstance(shown, list | dict):
        for value in shown if isinstance(shown, list) else shown.values():
            yield from words_in(value)


def test_nobody_finds_an_exception_by_what_is_hidden_of_it(stock: Stock, tmp_path: Path) -> None:
    with an_office(tmp_path, stock) as office:
        both = [SiteName("austin"), SiteName("berlin")]
        office.controller.store.add_exception(replace(an_exception("10.20.0.7"), sites=tuple(both)))
        _, secret = office.controller.create_token("b", [Scope.READ], MONTH, actor="test", sites=[both[1]])
        office.tokens["b"] = secret.reveal()
        for hidden in ("austin", "fw-austin"):
            for token, count in (("admin", 1), ("b", 0)):
                page = office.get("/exceptions", token=token, params={"q": hidden, "count": "true"})
                assert (len(page["items"]), page["count"]) == (count, count), (token, hidden)
        assert office.get("/exceptions", token="b", params={"q": "fw-ber", "count": "true"})["count"] == 1


def test_what_a_snapshot_holds_goes_both_ways_too(busy: Office) -> None:
    for path in ("/intel/show", "/intel/show/indicators", "/intel/show/dropped"):
        up, down = (busy.get(path, params={"limit": 500, "order": order}) for order in ("asc", "desc"))
        if up["next_cursor"] is None:
            assert up["items"] == down["items"][::-1]
        assert len(up["items"]) < 2 or up["items"][0] != down["items"][0]
        assert busy.get(path, params={"count": "true", "limit": 1})["count"] >= len(up["items"])


@pytest.mark.parametrize("path", ["/exceptions", "/events", "/audit", "/sites", "/intel/show"])
def test_a_cursor_is_of_one_order(busy: Office, path: str) -> None:
    cursor = busy.get(path, params={"limit": 1, "order": "asc"})["next_cursor"]
    answer = busy.ask("GET", V1 + path, params={"limit": 1, "order": "desc", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "TG5007")


@pytest.mark.parametrize(
    ("path", "filters", "count"),
    [
        ("/exceptions", {"owner": "ann-3"}, 1),
        ("/exceptions", {"requested_by": "token:request", "service": "tiktok", "code": "other"}, 5),
        ("/exceptions", {"service": "capcut"}, 0),
        ("/sites", {"policy": "spare"}, 1),
        ("/devices", {"vendor": "linux_nftables"}, 2),
        ("/devices", {"vendor": "cisco_asa"}, 0),
        ("/runs", {"trigger": "api", "actor": "token:admin"}, 3),
        ("/runs", {"actor": "token:read"}, 0),
        ("/runs", {"until": "2020-01-01T00:00:00Z"}, 0),
        ("/events", {"role": "guest"}, 0),
        ("/events/cuts", {"site": "berlin"}, 3),
        ("/events/cuts", {"device": "fw-austin", "since": "2020-01-01T00:00:00Z"}, 3),
        ("/events/cuts", {"until": "2020-01-01T00:00:00Z"}, 0),
        ("/evidence/quarantine", {"site": "berlin", "why": "future"}, 3),
        ("/evidence/quarantine", {"since": "2999-01-01T00:00:00Z"}, 0),
        ("/events/alerts", {"until": "2020-01-01T00:00:00Z"}, 0),
        ("/snapshots", {"since": "2999-01-01T00:00:00Z"}, 0),
        ("/snapshots", {"until": "2999-01-01T00:00:00Z"}, 2),
        ("/tokens", {"usable": "false"}, 0),
    ],
    ids=str,
)
def test_filters_leave_what_they_say(busy: Office, path: str, filters: dict[str, str], count: int) -> None:
    assert busy.get(path, params={**filters, "count": "true"})["count"] == count


def test_a_search_has_an_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of so many rows is looked at for a page, the newest first: not of all that there ever were."""
    monkeypatch.setattr(searching, "SEARCHED", 5)
    for number in range(10):
        store.append_audit(AuditNote(actor="ann", action="a", subject=f"s{number}"))
    assert [e.subject for e in store.audit_entries(wanted=AuditQuery(text="s"))] == ["s9", "s8", "s7", "s6", "s5"]
    assert [e.subject for e in store.audit_entries(before=6, wanted=AuditQuery(text="s"))] == [
        "s4",
        "s3",
        "s2",
        "s1",
        "s0",
    ]


def test_text_is_looked_for_in_all_that_is_shown() -> None:
    assert says({"a": ("x", ["DEEP"])}, "deep")
    assert not says({"a": (1, None)}, "1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    from core.clock import ManualClock
    from tests.controller.offices import NOON

    with Store.open(tmp_path, clock=ManualClock(NOON + timedelta(0))) as opened:
        yield opened
