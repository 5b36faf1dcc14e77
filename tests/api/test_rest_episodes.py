"""Episodes over REST: filters, pages, one's own sites alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.evidence.model import EpisodeKind
from controller.model import Window
from controller.store import EpisodeQuery
from core.ids import SiteName, new_id
from tests.api.conftest import Office
from tests.controller.test_store_episodes import an_episode

MINUTE = timedelta(minutes=1)


@pytest.fixture
def known(office: Office) -> dict[str, str]:
    """Three episodes, by what tells them apart."""
    now = office.controller.clock.now()
    made = {
        name: an_episode(new_id(), **fields)
        for name, fields in {
            "use": {},
            "leak": {"kind": EpisodeKind.LEAK, "user": "ann", "confidence": 40},
            "other": {"app": "capcut", "host": "tv"},
        }.items()
    }
    for number, (name, one) in enumerate(made.items()):
        start = now + number * MINUTE
        made[name] = replace(one, window=Window(start, start + MINUTE))
    office.controller.store.record("b1", made.values())
    return {name: one.id for name, one in made.items()}


def ids(office: Office, **question: object) -> list[str]:
    return [one["id"] for one in office.get("/episodes", params=question)["items"]]


def test_a_list_is_what_was_asked_for(office: Office, known: dict[str, str]) -> None:
    assert ids(office) == [known["other"], known["leak"], known["use"]]
    for question, wanted in (
        ({"kind": "leak"}, ["leak"]),
        ({"app": "capcut", "q": "TV"}, ["other"]),
        ({"user": "ann", "source": "10.20.3.41"}, ["leak"]),
        ({"confidence": 50}, ["other", "use"]),
        ({"source": "10.20.3.42"}, []),
        ({"site": "berlin", "order": "asc", "limit": 1}, ["use"]),
        ({"site": "berlin", "weekday": "wed", "hour": 12, "limit": 1}, ["other"]),  # by the clock of the site
        ({"weekday": "wed", "hour": 12}, []),
        ({"weekday": "wed", "hour": 11, "limit": 1}, ["other"]),
        ({"hour": 4, "zone": "Pacific/Apia"}, []),
    ):
        assert ids(office, **question) == [known[name] for name in wanted], question
    page = office.get("/episodes", params={"limit": 2, "count": True})
    assert page["count"] == 3
    assert ids(office, limit=2, cursor=page["next_cursor"]) == [known["use"]]
    events = office.ask("GET", "/api/v1/events", params={"cursor": page["next_cursor"]})
    assert events.status_code == 422, "of another list"


def test_one_is_told_whole(office: Office, known: dict[str, str]) -> None:
    found = office.get(f"/episodes/{known['use']}")
    assert found["grounds"][0]["trait"] == "name-app-api"
    assert (found["bytes"], found["count"], found["source"]) == (0, 3, "10.20.3.41")
    assert office.ask("GET", f"/api/v1/episodes/{new_id()}").status_code == 404


def test_what_is_of_another_site_is_not_there(office: Office, known: dict[str, str]) -> None:
    store = office.controller.store
    elsewhere = an_episode(new_id(), site=SiteName("elsewhere"))
    store.record("b2", [elsewhere])
    narrow = office.controller.within(frozenset({SiteName("berlin")}))
    assert narrow.evidence.find(EpisodeQuery()).items == tuple(
        store.episode(known[n]) for n in ("other", "leak", "use")
    )
    assert len(office.controller.evidence.find(EpisodeQuery()).items) == 4


def test_the_intake_of_the_receivers_is_the_desk(office: Office) -> None:
    assert office.controller.receiving.intake is office.controller.evidence
