"""Pages of the intelligence, of runs and plans, and of one firewall: what they say is what is kept."""

from __future__ import annotations

from datetime import timedelta

from controller.access_roles import AccessRole
from core.ids import SiteName
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA
from tests.api.conftest import Office
from tests.api.fleet_seen import an_hour_at_berlin, two_runs
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import office as office
from tests.api.test_web_pages import signed, text_of

__all__ = ["quick_hashes"]


def test_the_intelligence_says_what_is_in_force_who_says_so_and_what_changed(office: Office) -> None:
    controller = office.controller
    vera = signed(office, "vera")
    before = controller.snapshot()
    first = text_of(vera.get("/intelligence").text)
    assert before.id in first
    assert "curated" in first
    assert "no other snapshot is kept" in first
    [value, *_] = (str(network) for service in before.services for network in service.networks)
    ends = controller.clock.now() + timedelta(hours=1)
    controller.interventions.withdraw(value, actor="person:olga", reason="<payroll>", ends=ends)
    now = controller.snapshot()
    html = vera.get("/intelligence").text
    text = text_of(html)
    assert f"From {before.id[:12]} to {now.id[:12]} : 0 more, 1 less." in text
    assert f"{value} by olga until Wed 25 Nov 2026 12:00 UTC : <payroll>" in text
    assert "withdrawn: 1" in text
    assert "<payroll>" not in html
    back = text_of(vera.get(f"/intelligence?old={now.id}&new={before.id}").text)
    assert "1 more, 0 less." in back
    wrong = vera.get("/intelligence?old=ffffffffff&new=eeeeeeeeee")
    assert (wrong.status_code, 'class="trouble"' in wrong.text) == (404, True)


def test_a_run_says_what_was_to_change_how_it_ended_and_what_to_do(office: Office) -> None:
    applied, refused, plan = two_runs(office.controller)
    vera = signed(office, "vera")
    listed = text_of(vera.get("/runs").text)
    assert listed.index("plans that were read olga berlin 1 failed, as it was before 1.0 s") < listed.index(
        "by the schedule olga berlin 1 changed and read back 4.0 s"
    )
    assert "create group dst-tiktok" in listed
    [part] = office.get(f"/runs/{applied}")["devices"]
    assert part["changes"] == ["add to dst-tiktok: 71.18.0.0/16", "note snapshot <abc>; nothing else changes"]
    assert office.get("/runs")["items"][0]["devices"][0]["changes"] is None
    good = text_of(vera.get(f"/runs/{applied}").text)
    assert "changed and read back read back and as planned." in good
    assert "apply 1.25 s, read 0.50 s" in good
    assert "add to dst-tiktok: 71.18.0.0/16" in good
    bad = vera.get(f"/runs/{refused}").text
    assert "the device said <no> (look at its log)" in text_of(bad)
    assert "<no>" not in bad
    assert f'href="/plans/{plan}"' in bad
    shown = text_of(vera.get(f"/plans/{plan}").text)
    assert "It can be applied until Wed 25 Nov 2026 12:40 CET" in shown
    assert f"tokgate apply {plan}" in shown
    office.clock.advance(timedelta(hours=1))
    assert "It cannot be applied any more" in signed(office, "vera").get(f"/plans/{plan}").text


def test_runs_are_found_by_what_they_touched_and_when(office: Office) -> None:
    applied, refused, _ = two_runs(office.controller)
    vera = signed(office, "vera")
    for query, found in (
        ("device=fw-berlin", {applied, refused}),
        ("site=austin", set()),
        ("trigger=schedule", {applied}),
        ("since=2026-11-25T10:45", {refused}),
        ("until=2026-11-25T10:45", {applied}),
        ("site=berlin&until=2026-11-25T11:45", {applied}),
        ("q=olga", {applied, refused}),
    ):
        html = vera.get(f"/runs?{query}").text
        assert {run for run in (applied, refused) if run in html} == found, query
    for wrong in ("site=nowhere", "since=x", "cursor=x", "since=2026-11-25T11:45&until=2026-11-25T11:00"):
        answer = vera.get(f"/runs?{wrong}")
        assert answer.status_code in (404, 422), wrong
        assert 'class="trouble"' in answer.text


def test_a_firewall_says_what_it_holds_what_it_counted_and_what_it_can(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    applied, _, _ = two_runs(office.controller)
    vera = signed(office, "vera")
    html = vera.get("/devices/fw-berlin").text
    text = text_of(html)
    assert "does not hold what it should" in text
    assert "deny-company deny 40 unknown 4.6 KiB" in text
    assert "not enforced the table is <gone>" in text
    assert "Blocks over IPv6 yes" in text
    assert "Takes a change all or nothing" in text
    assert f'href="/runs/{applied}"' in html
    assert 'href="/devices/fw-berlin"' in vera.get("/sites/berlin").text
    assert "never looked at" in text_of(vera.get("/devices/fw-austin").text)
    assert vera.get("/devices/fw-none").status_code == 404


def test_who_sees_some_sites_sees_no_other_firewall_run_or_plan(office: Office) -> None:
    applied, _, plan = two_runs(office.controller)
    office.controller.people.add_local(
        "carl", title="", roles=[AccessRole.VIEWER], sites=[SiteName("austin")], password=Secret(PASSWORD_OF_ANNA),
        actor="cli:root",
    )  # fmt: skip
    carl = signed(office, "carl")
    for path in ("/devices/fw-berlin", f"/runs/{applied}", f"/plans/{plan}"):
        assert carl.get(path).status_code == 404, path
    listed = carl.get("/runs").text
    assert applied not in listed
    assert plan not in listed
    assert carl.get("/intelligence").status_code == 200


def test_a_part_that_says_the_same_is_not_sent_again(office: Office) -> None:
    two_runs(office.controller)
    vera = signed(office, "vera")
    seen = vera.get("/runs").text.partition('"X-Seen": "')[2][:16]
    assert vera.get("/runs", headers={"X-Seen": seen, "HX-Request": "true"}).status_code == 204
    two_runs(office.controller)
    assert vera.get("/runs", headers={"X-Seen": seen, "HX-Request": "true"}).status_code == 200
