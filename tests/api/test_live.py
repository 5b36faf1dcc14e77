"""What open pages are told: that something changed, to whom it concerns, soon, and no longer than they may see it."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

import api.live
from api.live import AGAIN
from api.server import Bind, serving
from controller.access_roles import AccessRole
from controller.changes import Marks, Topic, about, joined
from core.ids import SiteName
from core.secret import Secret
from tests.api.browsing import PASSWORD_OF_ANNA, Browser
from tests.api.conftest import Office
from tests.api.fleet_seen import an_hour_at_berlin
from tests.api.test_sign_in import quick_hashes
from tests.api.test_web_pages import asked, signed
from tests.api.test_web_pages import office as office

__all__ = ["quick_hashes"]
BERLIN = SiteName("berlin")
AUSTIN = SiteName("austin")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in less time."""
    monkeypatch.setattr(api.live.Live.__init__, "__kwdefaults__", {"look_seconds": 0.02})
    monkeypatch.setattr("api.live.PACE_SECONDS", 0.05)
    monkeypatch.setattr("api.live.BEAT_SECONDS", 0.3)


@dataclass(slots=True)
class Ear:
    """A page that listens."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse
    lines: list[str] = field(default_factory=list)

    def event(self) -> tuple[str, list[str] | None]:
        """The next one: what it is about, and which sites."""
        name = self.until("event: ")
        sites: list[str] | None = json.loads(self.until("data: "))["sites"]
        return name, sites

    def until(self, start: str) -> str:
        """The rest of the next line that begins so."""
        while line := self.answer.readline().decode():
            self.lines.append(line)
            if line.startswith(start):
                return line.removeprefix(start).strip()
        pytest.fail(f"the stream ended: {self.lines}")

    @property
    def is_over(self) -> bool:
        """Waits for its end."""
        return b"event:" not in self.answer.read()


@contextmanager
def open_ear(port: int, who: Browser, path: str = "/live", **headers: str) -> Iterator[Ear]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    cookies = "; ".join(f"{c.name}={c.value}" for c in who.client.cookies.jar)
    sent = {"Cookie": cookies, "Accept": "text/event-stream", "Host": "tokgate.test", **headers}
    connection.request("GET", path, headers=sent)
    try:
        yield Ear(connection, connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def port(office: Office) -> Iterator[int]:
    with serving(office.app, Bind(port=0)) as server:
        yield server.port


def test_a_page_is_told_what_changed_and_where(office: Office, port: int) -> None:
    with open_ear(port, signed(office, "vera")) as ear:
        assert ear.answer.status == 200
        assert ear.answer.getheader("Content-Type", "").startswith("text/event-stream")
        assert Marks.parse(ear.until("id: ")) == office.controller.store.marks()
        an_hour_at_berlin(office.controller)
        told: dict[str, list[str] | None] = {}
        while len(told) < 2:
            told |= [ear.event()]
        assert told == {"site": ["berlin"], "episodes": ["berlin"]}
        office.controller.refresh_intel(actor="test")
        while (last := ear.event())[0] in told:
            pass
        assert last == ("intel", None)


def test_what_waits_is_told_where_it_is_about(office: Office, port: int) -> None:
    anna = signed(office, "anna")
    with (
        open_ear(port, signed(office, "bert")) as ear,
        open_ear(port, signed(office, "vera"), "/live?site=austin") as far,
    ):
        for one in (ear, far):
            one.until("id: ")
        where = asked(anna)
        assert ear.event() == ("exceptions", ["berlin"])
        far.until(": still here")
        assert not [line for line in far.lines if line.startswith("event")]
    bert = signed(office, "bert")
    page = bert.get("/").text
    seen = re.findall(r"/waits\?seen=([0-9a-f]{16})", page)[0]
    assert where in bert.get("/waits?seen=").text
    assert bert.get(f"/waits?seen={seen}").status_code == 204
    office.controller.exceptions.deny(where.rpartition("/")[2], actor="person:bert", reason="no")
    assert where not in bert.get(f"/waits?seen={seen}").text


def test_nobody_learns_how_much_moves_where_they_may_not_look(office: Office, port: int) -> None:
    """No number of rows, and after a pause all that is theirs may have changed, whether or not it has."""
    office.controller.people.add_local(
        "carl", title="", roles=[AccessRole.VIEWER], sites=[AUSTIN], password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
    )
    carl = signed(office, "carl")
    with open_ear(port, carl) as ear:
        assert ear.until("id: ") == AGAIN
        an_hour_at_berlin(office.controller)
        asked(signed(office, "anna"))
        ear.until(": still here")
        assert not [line for line in ear.lines if line.startswith("event")]
    with open_ear(port, carl, **{"Last-Event-ID": AGAIN}) as ear:
        told = dict(ear.event() for _ in Topic)
    assert told == {topic.value: None if topic is Topic.INTEL else ["austin"] for topic in Topic}
    marks = office.controller.store.marks()
    flood = replace(marks, looks=marks.looks - 1, journal=0, newest_proof="", proofs="0" * 12)
    assert all(sites is not None for sites in office.controller.store.changes(flood, marks).values())


def test_who_comes_again_is_told_what_was_missed(office: Office, port: int) -> None:
    vera = signed(office, "vera")
    with open_ear(port, vera) as ear:
        seen = ear.until("id: ")
    an_hour_at_berlin(office.controller)
    with open_ear(port, vera, **{"Last-Event-ID": seen}) as ear:
        assert ear.event()[0] == "site"
    with open_ear(port, vera, **{"Last-Event-ID": "no number of ours"}) as ear:
        ear.until(": still here")
        assert not [line for line in ear.lines if line.startswith("event")]


def test_nobody_is_told_of_sites_beyond_their_own(office: Office, port: int) -> None:
    office.controller.people.add_local(
        "carl", title="", roles=[AccessRole.VIEWER], sites=[AUSTIN], password=Secret(PASSWORD_OF_ANNA), actor="cli:root"
    )
    with (
        open_ear(port, signed(office, "carl")) as carl,
        open_ear(port, signed(office, "vera"), "/live?site=austin") as vera,
    ):
        for ear in (carl, vera):
            ear.until("id: ")
        an_hour_at_berlin(office.controller)
        for ear in (carl, vera):
            ear.until(": still here")
            assert not [line for line in ear.lines if line.startswith("event")]
    with open_ear(port, signed(office, "carl"), "/live?site=berlin") as ear:
        assert ear.answer.status == 404


def test_a_stream_ends_with_its_session_or_its_rights(office: Office, port: int) -> None:
    vera, anna = signed(office, "vera"), signed(office, "anna")
    with open_ear(port, vera) as one, open_ear(port, anna) as other:
        other.until("id: ")
        one.until("id: ")
        assert vera.send("/logout", page="/account").status_code == 303
        assert one.is_over
        office.controller.people.edit("anna", actor="cli:root", reason="moved", sites=[BERLIN])
        assert other.is_over
    with open_ear(port, vera) as ear:
        assert ear.answer.status == 401
    with open_ear(port, anna) as ear:
        assert ear.answer.status == 200


def test_listening_keeps_no_session_open(office: Office, port: int) -> None:
    vera = signed(office, "vera")
    [before] = office.controller.people.sessions("vera")
    office.clock.advance(office.controller.settings.session_idle / 2)
    with open_ear(port, vera) as ear:
        ear.until(": still here")
        assert office.controller.people.sessions("vera") == [before]
        office.clock.advance(office.controller.settings.session_idle)
        assert ear.is_over


def test_streams_are_few_and_those_that_are_too_many_are_refused(office: Office, port: int) -> None:
    vera = signed(office, "vera")
    with open_ear(port, vera), open_ear(port, vera), open_ear(port, vera) as third:
        with open_ear(port, vera) as fourth:
            assert fourth.answer.status == 503
        with open_ear(port, signed(office, "bert")) as another:
            assert another.answer.status == 200
        third.connection.close()
        third.answer.close()
        for _ in range(100):
            with open_ear(port, vera) as again:
                if again.answer.status == 200:
                    break
            time.sleep(0.02)
        assert again.answer.status == 200


def test_the_server_stops_at_once_with_streams_open(office: Office) -> None:
    vera = signed(office, "vera")
    with serving(office.app, Bind(port=0)) as server:
        ears = open_ear(server.port, vera)
        ear = ears.__enter__()
        ear.until("id: ")
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert ear.is_over
    ears.__exit__(None, None, None)
    assert office.app.state.live.count == 0


def test_a_stream_holds_topics_and_never_a_queue() -> None:
    waiting: dict[Topic, frozenset[SiteName] | None] = {}
    for _ in range(1000):
        waiting = dict(joined(waiting, {Topic.SITE: frozenset({BERLIN}), Topic.INTEL: None}))
    assert waiting == {Topic.SITE: frozenset({BERLIN}), Topic.INTEL: None}
    assert joined(waiting, {Topic.SITE: None})[Topic.SITE] is None
    assert about(waiting, frozenset({AUSTIN})) == {Topic.INTEL: None}
    assert about(waiting, None) == waiting


def test_marks_of_another_store_say_that_anything_may_have_changed(office: Office) -> None:
    store = office.controller.store
    an_hour_at_berlin(office.controller)
    now = store.marks()
    assert store.changes(now, now) == {}
    assert store.changes(replace(now, looks=now.looks + 7), now) == {Topic.SITE: None}
    assert Topic.EXCEPTIONS not in store.changes(replace(now, audit=0), now)
    assert store.changes(replace(now, journal=0), now) == {Topic.EPISODES: frozenset({BERLIN})}
    assert Marks.parse(str(now)) == now
