"""The fleet on the start page, and the page of one site: what they say is what is kept, the worst first."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from api.web.fleet import fleet
from api.web.wording import sentence
from controller.access_roles import AccessRole
from controller.evidence.model import EpisodeKind
from controller.model import EventAction, Observation, Window
from controller.proof.model import ProofState
from controller.reports.as_html import render_site
from core.ids import EventId, SiteName, new_id
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA
from tests.api.conftest import Office
from tests.api.fleet_seen import EPISODE, an_hour_at_berlin, found_at
from tests.api.test_web_pages import asked, signed, text_of
from tests.api.test_web_pages import office as office
from tests.controller.proving import some_proofs
from tests.controller.reporting import BERLIN, FW, status

BLOCKED = ProofState.BLOCKED


def test_the_worst_site_stands_first_with_why_and_since_when(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    text = text_of(signed(office, "vera").get("/").text)
    assert "1 not enforced" in text
    assert "1 unknown" in text
    assert text.index("Berlin office not enforced the table is <gone>") < text.index("Austin office unknown")
    assert "Last proven as wanted: half of the sites within 40 min; 1 of 2 never." in text
    assert re.search(r"Berlin office not enforced the table is <gone> Wed 25 Nov 2026 11:20 CET 40 0 0 unknown ", text)
    assert re.search(r"Austin office unknown .{0,60} never unknown unknown unknown unknown ", text)


def test_a_site_that_leaks_stands_first_and_one_that_nobody_tried_is_unknown(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    now = office.clock.now()
    office.controller.store.record_proofs("busy", [replace(each, site=SiteName("austin")) for each in some_proofs(now)])
    html = signed(office, "vera").get("/").text
    assert re.search(
        r"Austin office .{0,80} never unknown unknown unknown 1 .*Berlin office .{0,80} 40 0 0 unknown ", text_of(html)
    )
    assert 'href="/proof?site=austin"' in html
    assert '1 leaking</a> <span class="quiet">' in " ".join(html.split())


def test_of_sites_that_nobody_could_look_at_nothing_is_told_as_zero_or_as_not_enforced(office: Office) -> None:
    vera = signed(office, "vera")
    text = text_of(vera.get("/").text)
    assert "2 unknown No site was ever proven as wanted." in text
    assert re.search(r"Berlin office unknown nobody looked at it never unknown unknown unknown unknown ", text)
    text = text_of(vera.get("/sites/berlin").text)
    assert "company unknown 1 d unknown guest unknown 1 d unknown" in text
    assert "Nobody counted in this time: hits are unknown, not none." in text


def test_the_page_behind_each_figure_of_a_report_says_the_figure(office: Office) -> None:
    """Counters count 40 attempts, of which one event is made: without it nobody finds again what they clicked on."""
    controller = office.controller
    an_hour_at_berlin(controller)
    now, base = controller.clock.now(), "http://tokgate.test"
    back = replace(found_at(now), id=EventId(new_id()), confidence=0)  # a leak that was taken back is in no figure
    went = replace(found_at(now, kind=EpisodeKind.USE), id=EventId(new_id()), destinations=("103.136.220.9",))
    controller.store.record("", [back, went])
    window = Window(now - timedelta(days=1), now)
    made = replace(controller.site_report("berlin", window, in_house=True), base_url=base)
    vera, found = signed(office, "vera"), set[str]()
    for href, square, shown in re.findall(
        r'<a href="([^"]+/episodes\?[^"]+)"(?: aria-label="([^"]*)")?>([^<]*)', render_site(made)
    ):
        figure = (square or shown).rpartition(": ")[2].split()[0].replace("/32", "")
        text = text_of(vera.get(unescape(href).removeprefix(base)).text)
        (said,) = re.findall(r"\d[\d,]* events?(?:\.|, of which) .*?(?=What Until|None of that kind|API)", text)
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d])", said), (figure, said, href)
        found.add(figure)
    assert {"40", "90", "1"} <= found


def test_what_went_to_a_destination_is_found_by_it_and_no_client_is(office: Office) -> None:
    store, now = office.controller.store, office.clock.now()
    went = replace(found_at(now, kind=EpisodeKind.USE), destinations=("a_b.example", "103.136.220.9"))
    other = replace(found_at(now), id=EventId(new_id()), destinations=("aXb.example", "103.136.220.90"), surface="web")
    store.record("", [went, other])

    def ids(**asked: str) -> list[str]:
        return [e["id"] for e in office.get("/episodes", params=asked)["items"]]

    assert ids(destination="103.136.220.9") == ids(destination="a_b.example") == [went.id]
    assert ids(destination=str(went.source)) == ids(destination="136.220") == ids(destination="%") == []
    assert ids(surface="web") == [other.id]
    vera = signed(office, "vera")
    assert "1 event." in text_of(vera.get("/episodes?site=berlin&to=a_b.example").text)
    assert "1 event." in text_of(vera.get("/episodes?site=berlin&surface=none").text)


def test_the_start_page_and_the_report_of_a_day_agree_about_what_nobody_counted(office: Office) -> None:
    """A firewall that answered once, and failed before and behind, proves nothing of the day."""
    controller, now = office.controller, office.clock.now()
    store, at = controller.store, now - timedelta(hours=20)
    store.put_status(status(enforced_at=at, last_seen_at=at, last_attempt_at=now))
    for late in (0, 1):
        store.add_observation(
            Observation(
                device=FW, site=BERLIN, at=at + timedelta(minutes=late), found=None, left=None, cause="TG4001 gone"
            )
        )
    line = next(line for line in fleet(controller)["lines"] if line.site.name == BERLIN)
    report = controller.site_report(BERLIN, Window(now - timedelta(days=1), now))
    assert [line.hits(a) for a in EventAction] == [report.totals[a].hits for a in EventAction] == [None] * 3


def test_a_site_without_devices_says_so_on_the_start_page(office: Office) -> None:
    office.controller.inventory.sites[SiteName("austin")].devices.clear()  # type: ignore[attr-defined]
    assert "Austin office unknown the site has no devices never" in text_of(signed(office, "vera").get("/").text)


def test_auditors_come_to_what_a_site_keeps_from_its_page(office: Office) -> None:
    assert 'href="/retention"' in signed(office, "root").get("/sites/berlin").text
    assert 'href="/retention"' not in signed(office, "vera").get("/sites/berlin").text


def test_sites_are_found_by_state_and_name_and_the_first_hundred_are_enough(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_hour_at_berlin(office.controller)
    vera = signed(office, "vera")

    def names(query: str) -> list[str]:
        return re.findall(r'data-label="Site"><a href="/sites/([^"]+)"', vera.get(f"/?{query}").text)

    assert names("") == ["berlin", "austin"]
    assert names("state=unknown") == ["austin"]
    assert names("q=BERL") == names("state=not_enforced") == ["berlin"]
    assert names("state=leaks") == []
    assert "None of that kind." in text_of(vera.get("/?state=leaks").text)
    assert vera.get("/?state=no").status_code == 422
    assert 'href="/?state=not_enforced#sites"' in vera.get("/").text
    monkeypatch.setattr("api.web.fleet.SHOWN", 1)
    assert names("") == ["berlin"]
    html = vera.get("/?q=i").text
    assert "The first 1 of 2. All of them" in text_of(html)
    assert 'href="/?q=i&amp;all=true#sites"' in html
    assert names("q=i&all=true") == ["berlin", "austin"]
    again = re.search(r'hx-get="(/fleet[^"]*)"', html)
    assert again
    assert vera.get(unescape(again[1])).status_code == 204, "the part asks for the same sites"
    assert vera.get(unescape(again[1]).replace("q=i", "q=berlin")).status_code == 200


def test_the_page_of_proof_has_the_worst_first_and_finds_others_by_state_and_name(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, vera = office.clock.now(), signed(office, "vera")
    proven = [replace(each, site=SiteName("austin")) for each in some_proofs(now)]
    blocked = [replace(each, id=new_id(), site=SiteName("berlin")) for each in proven if each.state is BLOCKED]
    office.controller.store.record_proofs("busy", [*proven, *blocked])

    def names(query: str = "") -> list[str]:
        return re.findall(r"<strong>(?:<a [^>]*>)?(\w+) office", vera.get(f"/proof?{query}").text)

    assert names() == ["Austin", "Berlin"], "what leaks is first"
    assert names("state=leaking") == names("q=AUST") == names("site=austin") == ["Austin"]
    assert names("state=blocked") == ["Austin", "Berlin"]
    assert names("site=aust") == []
    assert "None of that kind." in text_of(vera.get("/proof?q=nowhere").text)
    assert vera.get("/proof?state=no").status_code == 422
    monkeypatch.setattr("api.web.proofs.SHOWN", 1)
    html = vera.get("/proof?q=office").text
    assert names() == ["Austin"]
    assert "Berlin office" not in html
    assert "The first 1 of 2. All of them" in text_of(html)
    assert 'href="/proof?q=office&amp;all=true"' in html
    assert 'hx-get="/proof?q=office"' in html, "the part asks for the same sites"
    assert names("q=office&all=true") == ["Austin", "Berlin"]
    states = re.findall(r'data-label="State" class="text"><div><span class="state \w*">([^<]+)', html)
    assert states[0] == "leaking", "and in a site too"


def test_findings_are_called_as_in_the_list_of_events(office: Office) -> None:
    now = office.controller.clock.now()
    late = found_at(now - timedelta(minutes=5), kind=EpisodeKind.OUTSIDE_HOURS, app="")
    office.controller.store.record("", [late])
    vera = signed(office, "vera")
    assert "exception outside its hours : 10.20.3.41, 85 % sure" in text_of(vera.get("/sites/berlin").text)
    assert "10.20.3.41 phone-1 <i>ann</i> company" in text_of(vera.get("/episodes").text), "with its host"


def test_long_reasons_are_cut_where_they_are_one_of_many(office: Office) -> None:
    reason = ("long words " * 40).strip()
    asked(signed(office, "anna"), reason=reason)
    text = text_of(signed(office, "bert").get("/").text)
    assert reason not in text
    assert reason[:100] in text


def test_what_is_no_word_is_not_begun_with_a_capital() -> None:
    told = {
        "nothing was changed": "Nothing was changed.",
        "days: '9' cannot be shown": "Days: '9' cannot be shown.",
        "it's over!": "It's over!",
        "https://example.net/x: no answer": "https://example.net/x: no answer.",
        "tokgate-deny-company: action deny": "tokgate-deny-company: action deny.",
        "10.20.3.7 passes": "10.20.3.7 passes.",
        "": "",
    }
    assert {text: sentence(text) for text in told} == told


def test_the_start_page_counts_the_exceptions_that_are_live(office: Office) -> None:
    vera = signed(office, "vera")
    assert "0 exceptions are live" in text_of(vera.get("/").text)


def test_the_table_is_sent_again_only_when_it_says_something_else(office: Office) -> None:
    vera = signed(office, "vera")
    first = vera.get("/").text
    seen = re.search(r"/fleet\?seen=([0-9a-f]{16})", first)
    assert seen
    assert vera.get(f"/fleet?seen={seen[1]}").status_code == 204
    an_hour_at_berlin(office.controller)
    office.clock.advance(timedelta(seconds=31))  # an answer about the fleet is given again for half a minute
    again = vera.get(f"/fleet?seen={seen[1]}")
    assert again.status_code == 200
    assert "not enforced" in text_of(again.text)
    assert seen[1] not in again.text


def test_a_site_says_what_was_proven_who_came_and_where_to(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    vera = signed(office, "vera")
    html = vera.get("/sites/berlin").text
    text = text_of(html)
    assert "not enforced the table is <gone>. Last proven as wanted: Wed 25 Nov 2026 11:20 CET , 40 min ago." in text
    assert "40 blocked, 0 only watched, 0 let through by exception." in text
    assert "enforced: 20 min" in text
    assert "not enforced: 20 min" in text
    assert "10.20.1.7 company blocked 90" in text
    assert "103.136.220.9 company blocked 90" in text
    assert '<rect x="' in html
    assert "<gone>" not in html
    nothing = text_of(vera.get("/sites/austin?days=30").text)
    assert "No attempt was counted in this time." in nothing
    assert "never looked at" in nothing


def test_events_say_who_what_and_what_they_rest_on(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    vera = signed(office, "vera")
    listed = vera.get("/episodes").text
    assert (
        "leak Wed 25 Nov 2026 11:41 CET berlin 10.20.3.41 phone-1 <i>ann</i> company tiktok passed: not enforced 85 %"
        in (text_of(listed))
    )
    assert "<i>ann</i>" not in listed
    assert "None of that kind" in text_of(vera.get("/episodes?kind=evasion").text)
    assert "leak" in text_of(vera.get("/episodes?site=berlin&kind=leak&end=not-enforced&q=phone-1").text)
    one = text_of(vera.get(f"/episodes/{EPISODE}").text)
    assert "Leak at berlin" in one
    assert "a name of the app's API tls name-app-api +60" in one
    assert f'href="/episodes/{EPISODE}"' in vera.get("/sites/berlin").text
    for wrong in ("kind=no", "end=no", "site=nowhere", "cursor=x", "source=x", "sure=101", "since=x"):
        answer = vera.get(f"/episodes?{wrong}")
        assert answer.status_code in (404, 422), wrong
        assert 'class="trouble"' in answer.text
    assert vera.get("/episodes/01m8e2kc3nnqdc80mwmarwdc48").status_code == 404


def test_what_is_no_site_or_no_time_is_said(office: Office) -> None:
    vera = signed(office, "vera")
    assert vera.get("/sites/nowhere").status_code == 404
    answer = vera.get("/sites/berlin?days=2")
    assert answer.status_code == 422
    assert "It is one of 1, 7, 30." in text_of(answer.text)


def test_whoever_sees_one_site_sees_no_other(office: Office) -> None:
    office.controller.people.add_local(
        "gast", title="", roles=[AccessRole.VIEWER], sites=[SiteName("austin")], password=Secret(PASSWORD_OF_ANNA),
        actor="cli:root",
    )  # fmt: skip
    gast = signed(office, "gast")
    assert "Berlin" not in text_of(gast.get("/").text)
    assert "Berlin" not in text_of(gast.get("/fleet").text)
    assert gast.get("/sites/berlin").status_code == 404
    assert gast.get("/sites/austin").status_code == 200
    an_hour_at_berlin(office.controller)
    assert "berlin" not in text_of(gast.get("/episodes").text)
    assert gast.get(f"/episodes/{EPISODE}").status_code == 404


def test_events_are_found_by_whom_where_when_and_how_sure(office: Office) -> None:
    an_hour_at_berlin(office.controller)
    vera = signed(office, "vera")
    for query, is_found in (
        ("source=10.20.3.41", True),
        ("source=10.20.3.42", False),
        ("sure=75", True),
        ("sure=90", False),
        ("site=berlin&since=2026-11-25T11:30", True),
        ("site=berlin&since=2026-11-25T11:50", False),
        ("site=berlin&until=2026-11-25T11:00", False),
        ("device=no-such", False),
    ):
        html = vera.get(f"/episodes?{query}").text
        table = vera.get(f"/episodes/csv?{query}")
        assert (EPISODE in html, EPISODE in table.text) == (is_found, is_found), query
        asked = unescape(re.findall(r'href="(/api/v1/episodes[^"]*)"', html)[0])
        assert len(vera.get(asked).json()["items"]) == is_found, asked
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert vera.get("/episodes/csv?source=x").status_code == 422


def test_a_table_of_events_runs_nothing_in_a_spreadsheet(office: Office) -> None:
    now = office.controller.clock.now()
    office.controller.store.record("", [found_at(now, host="=HYPERLINK(1)", user="+1")])
    [head, row] = csv.reader(signed(office, "vera").get("/episodes/csv").text.splitlines())
    said = dict(zip(head, row, strict=True))
    assert (said["id"], said["host"], said["user"]) == (EPISODE, "'=HYPERLINK(1)", "'+1")


def test_the_audit_log_is_narrowed_by_time(office: Office) -> None:
    root = signed(office, "root")
    assert "person.create" in root.get("/audit?since=2026-11-25T10:00&until=2026-11-25T12:00").text
    assert "None of that kind." in text_of(root.get("/audit?since=2026-11-26T10:00").text)
    assert "None of that kind." in text_of(root.get("/audit?until=2026-11-25T10:00").text)
    wrong = root.get("/audit?since=2026-11-25T12:00&until=2026-11-25T10:00")
    assert (wrong.status_code, 'class="trouble"' in wrong.text) == (422, True)
