"""Emergencies over REST: begun once however often they are sent, seen by all, ended; and who may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Office

EMERGENCIES = "/api/v1/emergencies"


def ends(office: Office, hours: int = 2) -> str:
    return (office.clock.now() + timedelta(hours=hours)).isoformat()


def test_a_switch_is_begun_once_holds_and_is_ended(office: Office) -> None:
    body: dict[str, Any] = {"kind": "switch", "mode": "monitor", "sites": ["berlin"], "reason": "outage", "ends": None}
    first = office.ask("POST", EMERGENCIES, token="operate", json=body, headers={"Idempotency-Key": "k"})
    again = office.ask("POST", EMERGENCIES, token="operate", json=body, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    where = first.headers["location"]
    assert first.json() == again.json() == office.ask("GET", where, token="read").json()
    now = office.ask("GET", "/api/v1/sites/berlin/policy", token="read").json()
    assert {role["mode"] for role in now["roles"]} <= {"monitor", "off"}
    assert now["emergencies"] == [first.json()["told"]]
    site = office.ask("GET", "/api/v1/sites/berlin", token="read").json()
    assert "enforce" not in site["modes"].values()
    assert 'tokgate_emergencies{kind="switch"} 1.0' in office.ask("GET", "/metrics", token="read").text

    done = office.ask("POST", f"{where}/end", token="operate", json={"reason": "repaired"})
    assert (done.status_code, done.json()["active"], done.json()["ended_by"]) == (200, False, "token:operate")
    assert office.ask("POST", f"{where}/end", token="operate", json={"reason": "again"}).status_code == 409
    listed = office.ask("GET", f"{EMERGENCIES}?active=true", token="read").json()
    assert listed["items"] == []
    alerts = office.ask("GET", "/api/v1/events/alerts?kind=emergency-switch", token="read").json()["items"]
    assert [alert["detail"]["what"] for alert in alerts] == ["ended", "began"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "withdraw", "value": "203.0.113.0/24"}, 409, "TG5002"),
        ({"kind": "withdraw", "value": "nonsense!"}, 422, "TG5007"),
        ({"kind": "pause", "sites": ["paris"]}, 404, "TG5001"),
        ({"kind": "switch", "mode": "enforce"}, 422, None),
        ({"kind": "flush"}, 422, None),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_recorded(
    office: Office, body: dict[str, Any], status: int, code: str | None
) -> None:
    given = {"reason": "x", "ends": ends(office), **body}
    answer = office.ask("POST", EMERGENCIES, token="operate", json=given)
    assert answer.status_code == status, answer.text
    assert code is None or answer.json()["code"] == code
    assert office.ask("GET", EMERGENCIES, token="read").json()["items"] == []


def test_an_entry_of_the_list_is_withdrawn_and_explained(office: Office) -> None:
    entry = next(str(n) for s in office.controller.snapshot().services for n in s.networks if n.version == 4)
    answer = office.ask(
        "POST",
        EMERGENCIES,
        token="operate",
        json={"kind": "withdraw", "value": entry, "reason": "payroll", "ends": ends(office)},
    )
    assert answer.status_code == 201, answer.text
    address = entry.partition("/")[0]
    said = office.ask("GET", f"/api/v1/intel/explain?q={address}", token="read")
    assert said.status_code == 200, said.text
    assert "withdrawn by token:operate: payroll" in said.text
    assert not said.json()["entries"]


def test_a_withdrawal_outlives_refreshes_pins_and_a_restart_of_the_list(office: Office) -> None:
    """Put back is exactly the list that was behind it, also where a person had pinned it."""
    controller = office.controller
    before = controller.snapshot()
    entry = next(n for s in before.services for n in s.networks if n.version == 6)

    def is_blocked() -> bool:
        return any(entry in s.networks for s in controller.snapshot().services)

    until = office.clock.now() + timedelta(hours=2)
    taken = controller.interventions.withdraw(str(entry), actor="cli:ann", reason="payroll", ends=until)
    assert not is_blocked()
    assert not controller.refresh_intel(actor="test").changed
    assert not is_blocked()
    controller.pin_snapshot(before.id, actor="cli:ann", reason="as it was")
    assert not is_blocked(), "a pin is of the list, without what is withdrawn"
    pin = controller.pin()
    assert pin is not None
    assert pin.snapshot == controller.snapshot().id
    controller.interventions.end(taken.id, actor="cli:ann")
    assert controller.snapshot().id == before.id
    assert controller.pin() is not None
    controller.unpin_snapshot(actor="cli:ann", reason="over")
    again = controller.interventions.withdraw(str(entry), actor="cli:ann", reason="payroll", ends=until)
    office.clock.jump(until)
    assert [e.id for e in controller.interventions.end_due()] == [again.id]
    assert controller.snapshot().id == before.id
    assert controller.verify_audit() == []


def test_what_would_leave_a_service_with_nothing_has_to_be_said_twice(office: Office) -> None:
    act, until = office.controller.interventions, office.clock.now() + timedelta(hours=1)
    *others, last = sorted(
        {d.name.rpartition(".")[2] for s in office.controller.snapshot().services for d in s.domains}
    )
    for tail in others:
        act.withdraw(f"*.{tail}", actor="cli:ann", reason="x", ends=until)
    given: dict[str, Any] = {"kind": "withdraw", "value": f"*.{last}", "reason": "x", "ends": ends(office)}
    refused = office.ask("POST", EMERGENCIES, token="operate", json=given)
    assert (refused.status_code, refused.json()["code"]) == (409, "TG5021"), refused.text
    assert "name the service a second time" in refused.json()["hint"]
    once = office.ask("POST", EMERGENCIES, token="operate", json={**given, "empties": ["capcut"]})
    assert once.status_code == 409
    bare = [s.service for s in office.controller.snapshot().services if s.domains]
    done = office.ask("POST", EMERGENCIES, token="operate", json={**given, "empties": bare})
    assert (done.status_code, done.json()["empties"]) == (201, sorted(bare)), done.text


def test_who_only_reads_does_not_act(office: Office) -> None:
    body = {"kind": "pause", "reason": "x", "ends": ends(office)}
    assert office.ask("POST", EMERGENCIES, token="read", json=body).status_code == 403
