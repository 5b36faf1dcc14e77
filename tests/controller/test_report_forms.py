"""Markdown and PDF say what the page says; what somebody wrote is shown and never acts."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.errors import FormMissing
from controller.evidence.model import Channel, Episode, EpisodeAction, EpisodeKind, Ground
from controller.inventory.privacy import Identities
from controller.model import EventAction, Window
from controller.privacy.veil import Veil
from controller.reconciling import Finding, Told, reconcile
from controller.reports.as_html import PRINTED, render_fleet, render_site
from controller.reports.forms import ENDINGS, MEDIA, Form, rendered
from controller.reports.making import Before, Change, Found, SiteReport, SourceAge, Totals, fleet_report
from controller.service import Controller
from controller.settings import Settings
from controller.sums import AppLine
from core.clock import ManualClock
from core.ids import EventId
from tests.controller.offices import YAML
from tests.controller.reporting import BERLIN, DAY, FW, NOW, at, busy_day, check_golden, event, seen
from vendors.model import Reading

LEAK = Episode(
    id=EventId("01hzepisode0000000000001"),
    kind=EpisodeKind.EVASION,
    site=BERLIN,
    window=Window(at(9), at(9.2)),
    action=EpisodeAction.BLOCKED,
    confidence=85,
    grounds=(Ground(trait="rule:evasion", text="blocked, then DoH at once", weight=60, channel=Channel.DNS),),
    app="tiktok",
    source=ip_address("10.20.0.7"),
)


def without_identities(report: SiteReport) -> SiteReport:
    return Veil(identities=Identities.HIDDEN).report(report, note="Fewer than 5 clients were seen.")


def whole() -> SiteReport:
    """A day on which everything that a report can say was there to be said."""
    busy = busy_day()
    installed = [Told(EpisodeKind.INSTALLED, name, "", "unknown", at(8)) for name in ("PC-1", "PC-2")]
    used = Told(EpisodeKind.USE, "pc-1", "10.20.0.7", "blocked", at(9))
    then = Window(DAY.start - timedelta(days=1), DAY.start)
    return replace(
        busy,
        base_url="https://tokgate.example",
        before=Before(window=then, totals={a: Totals(hits=100) for a in EventAction}, enforced_share=0.9),
        found=Found(
            apps=(AppLine(app="tiktok", surface="ads", kind="use", action="blocked", episodes=12, sightings=40),),
            findings=(LEAK,),
            counts={"evasion": 1},
            ages=(SourceAge(source="curated", last_success=at(2), stale=""),),
            changes=(Change(at=at(3), what="changed on devices: snapshot", by="tokgate", count=3),),
        ),
        reconciled=reconcile(busy.coverage, [*installed, used], {}),
    )


def test_markdown_of_a_whole_day() -> None:
    check_golden("report_site.md", rendered(whole(), Form.MARKDOWN).decode())
    fleet = fleet_report([busy_day()], window=DAY, now=NOW)
    check_golden("report_fleet.md", rendered(fleet, Form.MARKDOWN).decode())


def test_what_somebody_wrote_is_no_markup() -> None:
    title = "Büro | <b>x</b>\n# not a heading [a](https://evil.example) `code` \x1b[31m"
    first = rendered(replace(busy_day(), title=title), Form.MARKDOWN).decode().splitlines()[0]
    assert first.startswith("# Büro \\| \\<b\\>x\\</b\\> \\# not a heading \\[a\\]\\(https")
    assert "\x1b" not in first


def test_a_page_says_what_was_before_and_links_to_its_events() -> None:
    page = render_site(whole())
    assert "474 more than in the range before" in page
    times = "since=2026-11-25T00%3A00&amp;until=2026-11-26T00%3A00"
    assert f"https://tokgate.example/episodes?site=berlin&amp;end=blocked&amp;{times}" in page, "by the site's clock"
    assert "https://tokgate.example/episodes/01hzepisode0000000000001" in page
    assert "/api/" not in page
    assert "&amp;weekday=wed&amp;hour=12&amp;" in page, "a square of the map of the week"
    assert "href" not in render_site(busy_day())


def test_a_page_of_the_fleet_says_which_way_it_went() -> None:
    before = Before(window=Window(DAY.start - timedelta(days=1), DAY.start), totals=whole().totals, enforced_share=0.5)
    page = render_fleet(
        replace(fleet_report([whole()], window=DAY, now=NOW, before=before), base_url="https://t.example")
    )
    assert "Against the range before" in page
    assert page.count("as many as in the range before") == 2 * len(EventAction), "on the cards and in the table"
    assert "points more than in the range before" in page
    assert 'href="https://t.example/episodes?site=berlin&amp;end=blocked&amp;' in page
    assert "Against" not in render_fleet(fleet_report([whole()], window=DAY, now=NOW))


def test_the_json_and_the_csv_have_it_too() -> None:
    document = json.loads(rendered(whole(), Form.JSON))
    assert document["trend"]["hits_change"] == {"blocked": 474, "monitored": 112, "allowed": -76}
    assert document["trend"]["enforced_share_change"] == pytest.approx(-0.025)
    assert sum(map(sum, document["heat_map"]["blocked"])) == 574
    assert document["findings"][0]["why"] == ["blocked, then DoH at once"]
    table = rendered(whole(), Form.CSV).decode()
    assert "berlin,heat,wed,12,blocked,76," in table
    assert 'berlin,app,tiktok,"ads, use",blocked,12,' in table
    assert "berlin,before,,,blocked,100," in table
    assert document["reconciliation"]["counts"][Finding.BLOCKED] == 1
    blind, blocked = document["reconciliation"]["clients"]
    assert (blind["client"], blind["finding"], blind["last_seen"]) == ("pc-2", Finding.BLIND, None)
    assert (blocked["client"], blocked["outcomes"], blocked["addresses"]) == ("pc-1", ["blocked"], ["10.20.0.7"])
    assert f'berlin,reconciliation,"{Finding.BLOCKED.value}",,,1,' in table
    assert f'berlin,reconciled,pc-1,"{Finding.BLOCKED.value}",blocked,' in table
    assert "source=10.20.0.7" in render_site(whole())


def test_charts_have_their_colours_without_a_style_sheet() -> None:
    page = render_site(whole())
    assert set(PRINTED.values()) > {part.split('"')[0] for part in page.split('fill="')[1:]} > {PRINTED["blocked"]}


@pytest.mark.parametrize("fleet", [False, True], ids=["site", "fleet"])
def test_the_page_becomes_a_pdf(fleet: bool) -> None:
    pytest.importorskip("weasyprint", exc_type=OSError, reason="the system has no Pango")
    made = rendered(fleet_report([whole()], window=DAY, now=NOW) if fleet else whole(), Form.PDF)
    assert made.startswith(b"%PDF-")
    assert made.rstrip().endswith(b"%%EOF")
    assert len(made) > 8_000


def test_what_a_pdf_needs_is_said_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(FormMissing, match=r"TG5014 PDF needs WeasyPrint.*tokgate\[pdf\]"):
        rendered(busy_day(), Form.PDF)


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.PDF])
def test_each_form_is_made_of_a_site_and_of_the_fleet(form: Form) -> None:
    made = [rendered(report, form) for report in (whole(), fleet_report([busy_day()], window=DAY, now=NOW))]
    assert all(made)
    assert form in MEDIA
    assert form in ENDINGS


# --- who is named -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.PDF])
def test_a_report_without_identities_names_nobody_in_any_form(form: Form) -> None:
    said = rendered(without_identities(whole()), form).decode()
    for who in ("10.20.0.", "10.20.1.7", "2a01:db9:20::7", "pc-1", "pc-2"):
        assert who in rendered(whole(), form).decode()
        assert who not in said
    assert "hidden" in said
    assert Finding.BLOCKED.value in said, "of how many it follows stays"
    assert "103.136.220.9" in said  # where to is nobody


def test_what_is_hidden_is_who_and_not_how_much() -> None:
    shown, hidden = whole(), without_identities(whole())
    assert hidden.totals == shown.totals
    for action in EventAction:
        packets = [sum(line.packets or 0 for line in r.top_sources if line.action is action) for r in (shown, hidden)]
        assert packets[0] == packets[1]
    assert hidden.notes[0].startswith("Fewer than 5 clients")
    assert "episodes?" not in rendered(hidden, Form.HTML).decode()


@pytest.mark.parametrize(("fewest", "named"), [(0, True), (2, True), (3, False)])
def test_the_inventory_says_below_how_many(tmp_path: Path, migrated: Path, fewest: int, named: bool) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "inventory.yaml").write_text(f"{YAML}privacy: {{fewest_clients: {fewest}}}\n", encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOW)) as controller:
        pairs = (seen("10.20.0.7", 3, at(9)), seen("10.20.0.8", 3, at(9)))
        controller.store.record_events(FW, Reading(epoch="e", read_at=NOW, rules=()), [event(at(9), 2, sources=pairs)])
        found = controller.site_report("berlin", DAY)
    assert {line.name for line in found.top_sources} == ({"10.20.0.7", "10.20.0.8"} if named else {"hidden"})
    assert found.totals[EventAction.BLOCKED].hits == 2
