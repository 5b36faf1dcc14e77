"""Callers who are limited to sites, over every operation of the OpenAPI document: they see and change only these.

The table is made from the document. A token of Berlin asks for everything there is in Austin, whatever route shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from api import reference
from api.reaching import Reaching, reaching
from controller.errors import NotAllowed, NotFound
from controller.model import ExceptionState, Mode, Scope, StoredPlan
from controller.reach import EVERYWHERE, Reach
from core.ids import DeviceName, EventId, ExceptionId, PlanId, SiteName, SnapshotId, new_id
from tests.api.conftest import MONTH, PASSWORD, Office, Stock, an_office, wish
from tests.controller.offices import NOON, an_exception
from tests.controller.test_store import a_run, event, part, reading
from tests.controller.test_store_episodes import an_episode

BERLIN, AUSTIN = SiteName("berlin"), SiteName("austin")
FW_BERLIN, FW_AUSTIN = DeviceName("fw-berlin"), DeviceName("fw-austin")
WORDS_OF_AUSTIN: Final = ("austin", "Austin", "10.30.", "America/Chicago")
DESCRIPTIONS: Final = ("/api/v1/openapi.json", "/api/v1/docs")
"""Their examples are called as these offices are."""
QUERY: Final = {
    "/api/v1/check": "?src=10.20.3.7&dst=www.tiktok.com",
    "/api/v1/intel/explain": "?q=www.tiktok.com",
    "/api/v1/proofs/targets": "?site=berlin",
}


class Operation(NamedTuple):
    method: str
    template: str
    scopes: frozenset[str]

    @property
    def id(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def about(self) -> Reaching:
        return reaching(self.method, self.template)


class Place(NamedTuple):
    """An office with two sites in which something happened, and what in Austin is called how."""

    office: Office
    plan: str
    run: str
    exception: str
    both: str
    emergency: str
    episode: str

    def path(self, template: str) -> str:
        """The route's path for what lies in Austin."""
        inner = template.removeprefix("/api/v1/").partition("/")[0]
        names = {
            "sites": "austin",
            "devices": "fw-austin",
            "feeds": "fw-austin",
            "plans": self.plan,
            "runs": self.run,
            "exceptions": self.exception,
            "emergencies": self.emergency,
            "reports": "austin",
            "coverage": "austin",
            "retention": "austin",
            "episodes": self.episode,
            "snapshots": "abcdef",
        }
        digests = template.replace("{old}", "abcdef").replace("{new}", "fedcba")
        return digests.replace("{name}", names.get(inner, "nowhere")).replace("{id}", names.get(inner, self.run))


@pytest.fixture(scope="module")
def place(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        with an_office(tmp_path_factory.mktemp("reach"), stock) as office:
            yield furnished(office)


def furnished(office: Office) -> Place:
    controller = office.controller
    made = controller.create_token("local", list(Scope), MONTH, actor="test", sites=["berlin"])
    office.tokens["local"] = made[1].reveal()
    store = controller.store
    state = ExceptionState.REQUESTED
    ids = {}
    for sites in ((BERLIN,), (AUSTIN,), (BERLIN, AUSTIN)):
        found = replace(an_exception("10.20.1.7/32", state=state), id=ExceptionId(new_id()), sites=sites)
        found = replace(found, starts=NOON + timedelta(hours=1), requested_by="token:helpdesk")
        store.add_exception(found)
        ids[sites] = found.id
    here, there = a_run(FW_BERLIN), a_run()
    there = replace(there, devices=(replace(part(there.id, FW_AUSTIN), site=AUSTIN),))
    both = a_run(FW_BERLIN)
    both = replace(both, devices=(*both.devices, replace(part(both.id, FW_AUSTIN), site=AUSTIN)))
    for run in (here, there, both):
        store.start_run(run)
    for device, site in ((FW_BERLIN, BERLIN), (FW_AUSTIN, AUSTIN)):
        seen = replace(event(NOON - timedelta(hours=1), device), id=EventId(new_id()), site=site)
        store.record_events(device, reading(), [seen])
        found = an_episode(new_id(), NOON - timedelta(hours=1), site=site, device=device)
        store.record("", [found])
    plan = StoredPlan(
        id=PlanId(new_id()),
        created_at=NOON,
        site=AUSTIN,
        device=FW_AUSTIN,
        snapshot=SnapshotId("ab" * 32),
        checksum="c",
        steps=1,
        body="{}",
    )
    store.save_plan(plan)
    said = {"actor": "test", "reason": "a fault", "ends": NOON + timedelta(hours=1)}
    switch = controller.interventions.switch(Mode.MONITOR, [AUSTIN], **said)
    controller.interventions.pause([BERLIN, AUSTIN], **said)
    return Place(office, plan.id, there.id, ids[(AUSTIN,)], ids[(BERLIN, AUSTIN)], switch.id, found.id)


@pytest.fixture(scope="module")
def operations(place: Place) -> list[Operation]:
    found = reference.operations(place.office.app.openapi())
    every = [Operation(method.upper(), path, frozenset(reference.scopes_of(op))) for method, path, op in found]
    return [operation for operation in every if operation.scopes]


def ask(place: Place, operation: Operation, token: str = "local") -> Any:
    body = {} if operation.method in ("POST", "PUT", "PATCH") else None
    path = place.path(operation.template) + QUERY.get(operation.template, "")
    return place.office.ask(operation.method, path, token=token, json=body)


def test_every_operation_of_the_fleet_is_closed(place: Place, operations: list[Operation]) -> None:
    closed = [operation for operation in operations if operation.about is Reaching.FLEET]
    assert {"GET /metrics", "POST /api/v1/intel/pin", "POST /api/v1/tokens", "GET /api/v1/audit"} <= {
        operation.id for operation in closed
    }
    for operation in closed:
        answer = ask(place, operation)
        assert (answer.status_code, answer.json()["code"]) == (403, "TG6002"), operation.id
        assert "limited to sites" in answer.json()["detail"], operation.id


def test_what_changes_something_is_never_alike_for_all(operations: list[Operation]) -> None:
    assert not [o.id for o in operations if o.about is Reaching.ALL_ALIKE and o.method != "GET"]


def test_nothing_that_is_shown_tells_of_another_site(place: Place, operations: list[Operation]) -> None:
    """Every list, and every single thing that lies elsewhere: not found, as if it were not there."""
    told = 0
    for operation in operations:
        if operation.method != "GET" or operation.about is Reaching.FLEET or operation.template in DESCRIPTIONS:
            continue
        answer = ask(place, operation)
        named = "{" in operation.template
        if operation.about is Reaching.SITES and named and "policies" not in operation.template:
            assert answer.status_code == 404, (operation.id, answer.text)
        else:
            assert answer.status_code in (200, 404), (operation.id, answer.text)
        shown = answer.text
        for own_words in (place.path(operation.template), "'fw-austin'", "'austin'"):
            shown = shown.replace(own_words, "")
        assert not [word for word in WORDS_OF_AUSTIN if word in shown], (operation.id, shown)
        everything = ask(place, operation, token="admin").text
        told += any(word in everything for word in WORDS_OF_AUSTIN)
    assert told > 12, "the same questions of somebody whose access reaches every site do tell of it"


def test_nothing_is_changed_elsewhere(place: Place, operations: list[Operation]) -> None:
    before = place.office.controller.store.audit_entries(limit=1)
    for operation in operations:
        if operation.method != "GET" and operation.about is Reaching.SITES and "{" in operation.template:
            answer = ask(place, operation)
            assert answer.status_code in (404, 422), (operation.id, answer.text)
    assert place.office.controller.store.audit_entries(limit=1) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/runs", {"kind": "sync", "sites": ["austin"]}, id="sync"),
        pytest.param("POST", "/runs", {"kind": "sync", "devices": ["fw-austin"]}, id="sync-a-device"),
        pytest.param("POST", "/plans", {"sites": ["berlin", "austin"]}, id="plan"),
        pytest.param("POST", "/drift", {"devices": ["fw-austin"]}, id="drift"),
        pytest.param("POST", "/devices/fw-austin/doctor", None, id="doctor"),
        pytest.param("GET", "/devices?site=austin", None, id="devices"),
        pytest.param("GET", "/check?src=10.30.0.9&dst=www.tiktok.com", None, id="check-by-network"),
        pytest.param("GET", "/check?src=10.20.0.9&dst=www.tiktok.com&site=austin", None, id="check-by-name"),
    ],
)
def test_another_site_is_not_found(place: Place, method: str, path: str, body: Any) -> None:
    answer = place.office.ask(method, f"/api/v1{path}", token="local", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "TG5001"), answer.text


def test_a_plan_of_another_site_is_not_applied(place: Place) -> None:
    body = {"kind": "apply", "plans": [place.plan]}
    answer = place.office.ask("POST", "/api/v1/runs", token="local", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "TG5001"), answer.text


@pytest.mark.parametrize("path", ["/exceptions?site=austin", "/runs?site=austin", "/events?site=austin"])
def test_a_list_of_another_site_is_empty(place: Place, path: str) -> None:
    assert place.office.get(path, token="local")["items"] == []
    assert place.office.get(path, token="admin")["items"]


def test_nothing_said_means_every_site_within_reach(place: Place) -> None:
    """A run of everything is a run of what the caller sees."""
    run = place.office.ask(
        "POST", "/api/v1/runs?dry_run=true", token="local", json={"kind": "sync", "all": True}
    ).json()
    assert [part["device"] for part in run["devices"]] == ["fw-berlin"]


def test_an_exception_for_two_sites_is_seen_in_part_and_changed_by_nobody_here(place: Place) -> None:
    seen = place.office.get(f"/exceptions/{place.both}", token="local")
    assert seen["sites"] == ["berlin"]
    for change, body in (("approve", {}), ("deny", {"reason": "no"}), ("revoke", {"reason": "no"})):
        answer = place.office.ask("POST", f"/api/v1/exceptions/{place.both}/{change}", token="local", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "TG6002"), answer.text
        assert "austin" not in answer.text
    assert place.office.get(f"/exceptions/{place.both}", token="admin")["state"] == "requested"


def test_an_emergency_reaches_as_far_as_who_acts(place: Place) -> None:
    """One of the whole fleet holds here too, so it is seen; who begins and ends it has access that reaches it."""
    office = place.office
    entry = str(office.controller.snapshot().services[0].networks[0])
    fleet = office.controller.interventions.withdraw(
        entry, actor="test", reason="a fault", ends=NOON + timedelta(hours=1)
    )
    seen = office.get("/emergencies", token="local")["items"]
    assert {item["kind"]: item["sites"] for item in seen} == {"withdraw": [], "pause": ["berlin"]}
    ends = (NOON + timedelta(hours=1)).isoformat()
    switch = {"kind": "switch", "mode": "off", "reason": "a fault", "ends": ends}
    for body in (switch, {**switch, "sites": ["austin"]}, {**switch, "sites": ["berlin", "austin"]}):
        answer = office.ask("POST", "/api/v1/emergencies", token="local", json=body)
        assert answer.status_code in (403, 404), answer.text
    for one in (fleet.id, next(item["id"] for item in seen if item["kind"] == "pause")):
        answer = office.ask("POST", f"/api/v1/emergencies/{one}/end", token="local", json={"reason": "mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "TG6002"), answer.text
    mine = office.ask("POST", "/api/v1/emergencies", token="local", json={**switch, "sites": ["berlin"]})
    assert mine.status_code == 201, mine.text


def test_an_exception_that_names_another_site_is_refused(place: Place) -> None:
    body = wish(place.office, sites=["berlin", "austin"])
    for path in ("/exceptions", "/exceptions/preview"):
        answer = place.office.ask("POST", f"/api/v1{path}", token="local", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "TG5001"), answer.text


def test_a_route_that_nobody_listed_is_closed() -> None:
    assert reaching("GET", "/api/v1/something-new") is Reaching.FLEET
    assert reaching("POST", "/api/v1/intel/refresh") is Reaching.FLEET
    assert reaching("GET", "/api/v1/sitesandmore") is Reaching.FLEET
    assert reaching("GET", "/metrics") is Reaching.FLEET


def test_reach_is_a_set_of_sites_or_everything() -> None:
    here = Reach(frozenset({BERLIN}))
    assert here.has("berlin")
    assert not here.has("austin")
    assert here.part_of((BERLIN, AUSTIN)) == (BERLIN,)
    assert here.touches([AUSTIN, BERLIN])
    assert not here.touches([AUSTIN])
    assert not here.touches([])
    with pytest.raises(NotAllowed, match="this is also for sites"):
        here.refuse_beyond("this", [BERLIN, AUSTIN])
    EVERYWHERE.refuse_beyond("this", [AUSTIN])
    assert EVERYWHERE.touches([])


def test_a_token_is_not_made_for_a_site_that_is_not_there(place: Place, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        place.office.controller.create_token("x", [Scope.READ], MONTH, actor="test", sites=["atlantis"])
