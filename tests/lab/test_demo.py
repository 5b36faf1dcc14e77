"""The demo's judgement: a claim without evidence does not hold, and one that does not hold is the exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lab import processes
from lab.demo import DEDICATED, Options, all_blocked, all_ok, by_address, by_name, evidence_of, items, main, tally
from lab.mixed import mixed_office
from lab.probe import Result
from lab.product import Product, installed
from lab.story import Story
from lab.workspace import leftovers

REFUSED = Result("tcp:a:443", "refused", 1.5)
REACHED = Result("tcp:b:443", "ok", 3.0)
UNKNOWN = Result("tcp:c:443", "no-address", 0.0)


@pytest.mark.parametrize(
    ("results", "blocked", "reached"),
    [
        pytest.param([], False, False, id="nothing-was-tried"),
        pytest.param([REFUSED, REFUSED], True, False, id="all-refused"),
        pytest.param([REFUSED, REACHED], False, False, id="one-got-through"),
        pytest.param([REACHED], False, True, id="all-reached"),
        pytest.param([REFUSED, UNKNOWN], False, False, id="a-name-that-did-not-resolve-proves-nothing"),
    ],
)
def test_packets_decide(results: list[Result], blocked: bool, reached: bool) -> None:
    assert (all_blocked(results), all_ok(results)) == (blocked, reached)


def test_a_tally_counts_outcomes() -> None:
    assert tally([REFUSED, REACHED, REFUSED]) == "1 ok, 2 refused; at most 3 ms"


def test_apps_use_both_families_and_both_protocols() -> None:
    assert set(by_address(DEDICATED[:1])) == {
        "tcp:103.136.220.10:443", "udp:103.136.220.10:443",
        "tcp:2404:9dc0:cd01::10:443", "udp:2404:9dc0:cd01::10:443",
    }  # fmt: skip
    assert len(by_name(DEDICATED)) == 4 * len(DEDICATED)


def test_events_are_evidence_only_for_their_site_action_and_source() -> None:
    def event(**fields: object) -> dict[str, object]:
        base = {"site": "berlin", "action": "blocked", "hits": 3, "sources": [{"source": "10.20.0.10"}]}
        return base | fields

    events = [
        event(),
        event(hits=None),
        event(site="austin"),
        event(action="monitored"),
        event(sources=[{"source": "10.20.0.99"}]),
        event(sources=[]),
    ]
    assert evidence_of(events, "berlin", "blocked", {"10.20.0.10"}) == (3, "10.20.0.10")
    assert evidence_of(events, "berlin", None, {"10.20.0.10"}) == (6, "10.20.0.10")
    assert evidence_of([], "berlin", "blocked", {"10.20.0.10"}) == (0, "")


def test_a_page_and_a_bare_list_are_read_alike() -> None:
    assert items({"items": [{"a": 1}], "next_cursor": None}) == items([{"a": 1}])


def test_a_story_holds_only_when_everything_does() -> None:
    story = Story(console=Console(record=True, width=100))
    assert not story.holds
    story.check("one", True, "seen")
    assert story.holds
    story.check("two [brackets]", False, "not seen")
    assert not story.holds
    story.summary()
    told = story.console.export_text()
    assert "1 did NOT hold" in told
    assert "two [brackets]" in told


@pytest.mark.root
def test_a_product_that_fails_is_an_unproven_claim_and_the_lab_goes(tmp_path: Path) -> None:
    prefix = f"o{os.getpid() % 100000}"
    console = Console(record=True, width=160)
    with console.capture() as captured:
        status = main(Options(program=("/bin/false",), prefix=prefix, reports=tmp_path), console)
    assert status == 1
    assert "tokgate db upgrade ended with 1, not 0" in captured.get()
    assert "berlin: before tokgate every client reaches everything" in captured.get()
    assert leftovers(prefix).is_empty


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_takes_the_lab_down(tmp_path: Path, number: signal.Signals) -> None:
    prefix = f"i{number}{os.getpid() % 100000}"
    asked = tmp_path / "asked"
    program = ("/bin/sh", "-c", f"touch {asked}; exec sleep 600")
    code = (  # what runs us may have been started in the background, where an interrupt is ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from lab.demo import *; "
        f"raise SystemExit(main(Options(program={program!r}, prefix={prefix!r})))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as demo:
        assert processes.wait_until(asked.exists, seconds=30)
        demo.send_signal(number)
        told = demo.communicate(timeout=20)[0]
    assert demo.returncode == 1
    assert "interrupted; the lab was removed" in told
    assert leftovers(prefix).is_empty


@pytest.mark.soak
def test_the_third_office_holds_on_firewalls_of_four_vendors(tmp_path: Path) -> None:
    story = Story(console=Console(record=True, width=160))
    with mixed_office(story, Product(program=installed(), settings={}), tmp_path) as office:
        office.tell()
    assert [check.claim for check in story.checks if not check.holds] == []
    assert len(story.checks) == 6
    assert "not devices" in story.console.export_text()
