"""Exceptions: what is asked is checked, previewed in words, decided by somebody else, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller import exceptions as lifecycle
from controller.errors import Conflict, Invalid, NotAllowed, NotFound
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory
from controller.model import ExceptionState
from core.ids import new_id
from tests.controller.offices import NIGHT, NOON, an_exception, networks, offices

ASK = ExceptionRequest(
    sites=("berlin",),
    sources=("10.20.1.7", "10.20.2.0/28"),
    service="tiktok",
    starts=NOON,
    ends=NIGHT,
    reason="campaign",
    owner="marketing",
    ticket="MKT-1",
)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return offices(tmp_path)


def test_sources_are_parsed_once_at_the_border(inventory: Inventory) -> None:
    assert lifecycle.check_request(ASK, inventory, NOON) == networks("10.20.1.7/32", "10.20.2.0/28")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": ()}, "sites: name at least one"),
        ({"sources": ()}, "sources: give 1 to 256"),
        ({"sources": ("marketing",)}, "sources: 'marketing' is neither"),
        ({"sources": ("10.20.1.7/16",)}, "host bits"),
        ({"sources": ("192.168.1.1",)}, "lies in no source network of site berlin"),
        ({"sources": ("10.0.0.0/8",)}, "wider than the site's own network"),
        ({"sources": ("0.0.0.0/0",)}, "wider than the site's own network"),
        ({"service": "lemon8"}, "service: 'lemon8' is not enforced there; known: tiktok"),
        ({"reason": "  "}, "reason: must not be empty"),
        ({"owner": "a\nb"}, "owner: at most 500 printable"),
        ({"ticket": "x" * 501}, "ticket: at most 500 printable"),
        ({"starts": datetime(2026, 11, 25, 12)}, "give the time zone"),  # noqa: DTZ001  # naive is the point
        ({"ends": NOON}, "ends: must lie after starts"),
        ({"starts": NOON - timedelta(hours=2), "ends": NOON - timedelta(hours=1)}, "ends: lies in the past"),
        ({"ends": NOON + timedelta(days=400)}, "ends: an exception lives 366 days"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(inventory: Inventory, change: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        lifecycle.check_request(replace(ASK, **change), inventory, NOON)  # type: ignore[arg-type]


def test_an_unknown_site_is_not_found(inventory: Inventory) -> None:
    with pytest.raises(NotFound, match="paris"):
        lifecycle.check_request(replace(ASK, sites=("paris",)), inventory, NOON)


def test_the_preview_says_in_one_sentence_what_would_open(inventory: Inventory) -> None:
    preview = lifecycle.preview(ASK, networks("10.20.1.7/32"), inventory, (), NOON)
    assert preview.sentence == (
        "10.20.1.7/32 would reach tiktok at berlin from 2026-11-25 11:00 to 2026-11-25 22:00 UTC; "
        "all other sources stay as they are."
    )
    assert [(line.role, line.devices) for line in preview.opens] == [("company", ("fw-berlin",))]
    assert preview.conflicts == ()


def test_the_preview_says_when_nothing_would_open(inventory: Inventory) -> None:
    preview = lifecycle.preview(ASK, networks("10.20.9.5/32"), inventory, (), NOON)
    assert preview.sentence.startswith("Nothing would open")
    assert preview.conflicts == ("site berlin: the policy for role guest is off at that time anyway",)


def test_the_preview_names_an_exception_that_covers_it_already(inventory: Inventory) -> None:
    other = an_exception("10.20.1.0/24")
    preview = lifecycle.preview(ASK, networks("10.20.1.7/32"), inventory, (other,), NOON)
    assert "already covered by exception" in preview.conflicts[0]
    apart = replace(other, starts=NIGHT, ends=NIGHT + timedelta(hours=1))
    assert lifecycle.preview(ASK, networks("10.20.1.7/32"), inventory, (apart,), NOON).conflicts == ()


def test_nobody_approves_their_own() -> None:
    exception = an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED)
    with pytest.raises(NotAllowed, match="nobody approves"):
        lifecycle.approve(exception, actor="ann", now=NOON)
    assert lifecycle.approve(exception, actor="bob", now=NOON).decided_by == "bob"


@pytest.mark.parametrize("state", [s for s in ExceptionState if s is not ExceptionState.REQUESTED])
def test_only_a_waiting_request_is_decided(state: ExceptionState) -> None:
    exception = an_exception("10.20.1.7/32", state=state)
    with pytest.raises(Conflict, match="cannot be approved"):
        lifecycle.approve(exception, actor="bob", now=NOON)
    with pytest.raises(Conflict, match="cannot be denied"):
        lifecycle.deny(exception, actor="bob", now=NOON)


def test_a_request_that_is_over_cannot_be_approved() -> None:
    exception = an_exception("10.20.1.7/32", state=ExceptionState.REQUESTED)
    with pytest.raises(Conflict, match="is over since"):
        lifecycle.approve(exception, actor="bob", now=NIGHT)


def test_revoking_ends_it_now_and_ending_keeps_its_own_end() -> None:
    exception = an_exception("10.20.1.7/32")
    revoked = lifecycle.revoke(exception, now=NOON + timedelta(hours=1))
    assert (revoked.state, revoked.ended_at) == (ExceptionState.REVOKED, NOON + timedelta(hours=1))
    assert not revoked.is_live(NOON + timedelta(hours=1))
    ended = lifecycle.end(exception)
    assert (ended.state, ended.ended_at) == (ExceptionState.ENDED, exception.ends)
    with pytest.raises(Conflict, match="cannot be revoked"):
        lifecycle.revoke(ended, now=NIGHT)


def test_a_new_exception_waits_for_a_decision_and_opens_nothing() -> None:
    made = lifecycle.new_exception(ASK, networks("10.20.1.7/32"), new_id=new_id, actor="ann", now=NOON)
    assert made.state is ExceptionState.REQUESTED
    assert not made.is_live(NOON)
