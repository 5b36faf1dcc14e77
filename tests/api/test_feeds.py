"""Firewalls pull their lists from a real server: whole lists to who may have them, and never less than a whole one."""

from __future__ import annotations

import base64
import gzip
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.server import Bind, Server, serving
from controller.feeding import content_of
from controller.feeds import ROTATION
from controller.model import Scope
from controller.service import Controller
from core.clock import ManualClock
from core.ids import DeviceName, RunId
from tests.api.conftest import MONTH, PASSWORD, Stock, opened
from vendors.feeding import ip_feed
from vendors.model import FeedList, GroupName

FW, OTHER = DeviceName("fw-berlin"), DeviceName("fw-austin")
LIST = GroupName("dst-tiktok")
PATH = "/feeds/fw-berlin/dst-tiktok.txt"
LINES = ("192.0.2.255/32", "103.136.220.0/23", "2001:db8::/32")
TEXT = "".join(f"{line}\n" for line in LINES)


class Counter:
    """A server with one device that pulls, and the device's token."""

    def __init__(self, controller: Controller, server: Server, data: Path) -> None:
        self.controller, self.server, self.data = controller, server, data
        assert isinstance(controller.clock, ManualClock)
        self.clock = controller.clock
        self.token = controller.feeds.create_token(FW, actor="test")[1].reveal()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False)

    def publish(self, *lines: str, name: GroupName = LIST, device: DeviceName = FW) -> None:
        """As a change does that was applied."""
        contents = [content_of(FeedList(name=name, kind="ip", lines=lines), device)] if lines else []
        self.controller.store.publish_feeds(device, contents, run=RunId("r"), at=self.clock.now())
        self.controller.store.settle_feeds(device)

    def pull(self, path: str = PATH, *, token: str | None = "", method: str = "GET", **headers: str) -> httpx.Response:
        """One request as the device; without a token when it is None."""
        auth = ("fw", token or self.token) if token is not None else None
        sent = {"accept-encoding": "identity", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.request(method, path, auth=auth, headers=sent)

    def harm(self, statement: str) -> None:
        connection = sqlite3.connect(self.data / "store.db")
        with connection:
            connection.execute(statement)
        connection.close()

    def pulls(self) -> list[tuple[int, str]]:
        self.controller.feeds.flush()
        return [(pull.status, pull.name) for pull in self.controller.feeds.pulls(FW)]


@contextmanager
def a_counter(stock: Stock, folder: Path) -> Iterator[Counter]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REST_TEST_PASSWORD", PASSWORD)
        shutil.copytree(stock.data, folder / "data", ignore=shutil.ignore_patterns("*.lock", "locks", "processes"))
        with opened(folder) as controller, serving(create_app(controller), Bind(port=0)) as server:
            made = Counter(controller, server, folder / "data")
            made.publish(*LINES)
            with made.client:
                yield made


@pytest.fixture
def counter(stock: Stock, tmp_path: Path) -> Iterator[Counter]:
    """One for this test alone."""
    with a_counter(stock, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """One for all tests that leave nothing behind for the others but pulls."""
    with a_counter(stock, tmp_path_factory.mktemp("counter")) as made:
        yield made


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    found = answer.json()
    return (
        (answer.status_code, found["code"], found["status"]) == (status, code, status)
        and answer.headers["content-type"] == "application/problem+json"
        and (status not in (429, 503) or int(answer.headers["retry-after"]) > 0)
    )


# --- the list ---------------------------------------------------------------------------------------------------------


def test_a_device_is_given_its_whole_list_as_text(shared: Counter) -> None:
    answer = shared.pull()
    assert (answer.status_code, answer.text) == (200, TEXT)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "content-encoding" not in answer.headers


def test_a_bearer_is_as_good_as_a_password(shared: Counter) -> None:
    assert shared.pull(token=None, authorization=f"Bearer {shared.token}").text == TEXT


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "*", "GZIP;q=1.0"])
def test_who_takes_gzip_is_given_gzip(shared: Counter, accepted: str) -> None:
    answer = shared.pull(accept_encoding=accepted)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == TEXT
    assert answer.headers["etag"] != shared.pull().headers["etag"], "a strong tag is of the bytes that are sent"


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br", "gzip;q=0.000, *;q=0"])
def test_who_does_not_is_not(shared: Counter, accepted: str) -> None:
    answer = shared.pull(accept_encoding=accepted)
    assert "content-encoding" not in answer.headers
    assert answer.content == TEXT.encode()


def test_head_tells_what_get_would_give(shared: Counter) -> None:
    for accepted in ("identity", "gzip"):
        got, head = (shared.pull(method=m, accept_encoding=accepted) for m in ("GET", "HEAD"))
        assert head.status_code == 200
        assert head.content == b""
        skipped = ("date", "x-request-id")
        assert {k: v for k, v in head.headers.items() if k not in skipped} == {
            k: v for k, v in got.headers.items() if k not in skipped
        }


def test_a_list_of_a_hundred_thousand_arrives_whole(counter: Counter) -> None:
    lines = tuple(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(100_000))
    counter.publish(*lines)
    for accepted in ("identity", "gzip"):
        assert counter.pull(accept_encoding=accepted).text.splitlines() == list(lines)


# --- nothing new ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
def test_who_has_the_list_is_told_so(shared: Counter, accepted: str, form: str) -> None:
    tag = shared.pull(accept_encoding=accepted).headers["etag"]
    again = shared.pull(accept_encoding=accepted, if_none_match=form.format(tag=tag))
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-type" not in again.headers


def test_a_tag_of_the_other_encoding_is_of_the_same_list(shared: Counter) -> None:
    tag = shared.pull(accept_encoding="gzip").headers["etag"]
    assert shared.pull(if_none_match=tag).status_code == 304


def test_another_list_has_another_tag_and_is_sent(counter: Counter) -> None:
    tag = counter.pull().headers["etag"]
    counter.publish(*LINES, "16.162.0.0/24")
    again = counter.pull(if_none_match=tag)
    assert again.status_code == 200
    assert "16.162.0.0/24" in again.text


def test_by_date_only_the_date_that_was_told_counts(shared: Counter) -> None:
    told = shared.pull().headers["last-modified"]
    assert shared.pull(if_modified_since=told).status_code == 304
    assert parsedate_to_datetime(told) <= shared.clock.now()
    for other in ("Wed, 25 Nov 2099 11:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", "yesterday", ""):
        assert shared.pull(if_modified_since=other).status_code == 200


def test_a_tag_goes_before_a_date(shared: Counter) -> None:
    told = shared.pull().headers["last-modified"]
    assert shared.pull(if_modified_since=told, if_none_match='"other"').status_code == 200


def test_a_second_list_within_a_second_is_not_hidden_by_the_date(counter: Counter) -> None:
    told = counter.pull().headers["last-modified"]
    counter.publish("10.0.0.0/8")
    again = counter.pull(if_modified_since=told)
    assert (again.status_code, again.text) == (200, "10.0.0.0/8\n")
    assert "last-modified" not in again.headers, "it lies a second ahead"
    counter.clock.advance(timedelta(seconds=1))
    assert counter.pull().headers["last-modified"] != told


# --- never empty, never a part ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("UPDATE feed_bodies SET body = substr(body, 1, length(body) - 9)", id="cut-off"),
        pytest.param("UPDATE feed_bodies SET body = x''", id="empty"),
        pytest.param("DELETE FROM feed_bodies", id="gone"),
        pytest.param("UPDATE feed_lists SET entries = entries + 1", id="another-count"),
        pytest.param("UPDATE feed_lists SET entries = 0", id="no-entries"),
    ],
)
@pytest.mark.parametrize("accepted", ["identity", "gzip"])
def test_i02_what_is_not_whole_is_not_sent(counter: Counter, harm: str, accepted: str) -> None:
    counter.harm(harm)
    assert is_problem(counter.pull(accept_encoding=accepted), 503, "TG5009")


def test_i02_another_text_under_the_same_name_is_not_sent(counter: Counter) -> None:
    other = gzip.compress(b"0.0.0.0/0\n10.0.0.0/8\n10.0.0.1/32\n").hex()
    counter.harm(f"UPDATE feed_bodies SET body = x'{other}'")
    assert is_problem(counter.pull(), 503, "TG5009")


def test_before_the_first_change_there_is_nothing_and_it_is_said(counter: Counter) -> None:
    counter.publish()
    assert is_problem(counter.pull(), 503, "TG5010")


@pytest.mark.parametrize("name", ["dst-other", "DST-TIKTOK", "..%2f..%2fetc", "dst-tiktok%0a", "a" * 80])
def test_a_list_that_the_device_has_not_is_not_there(shared: Counter, name: str) -> None:
    answer = shared.pull(f"/feeds/fw-berlin/{name}.txt")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("TG5011", "TG8001")


def test_i02_a_store_that_fails_is_no_empty_list(counter: Counter) -> None:
    counter.harm("ALTER TABLE feed_lists RENAME TO hidden")
    assert is_problem(counter.pull(), 503, "TG5005")


def test_i02_many_pulls_while_lists_change_are_each_a_whole_list(counter: Counter) -> None:
    """Old or new, never half, and always what its tag says."""
    versions = [tuple(f"10.{v}.{n}.0/24" for n in range(250)) for v in range(8)]
    texts = {"".join(f"{line}\n" for line in lines) for lines in versions} | {TEXT}
    done = threading.Event()

    def pull_on(_: int) -> set[tuple[str, str]]:
        seen = set()
        with httpx.Client(base_url=counter.client.base_url, trust_env=False, auth=("fw", counter.token)) as client:
            while not done.is_set():
                answer = client.get(PATH)
                assert answer.status_code == 200
                seen.add((answer.text, answer.headers["etag"]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        pulling = [pool.submit(pull_on, n) for n in range(4)]
        for lines in versions * 3:
            counter.publish(*lines)
        done.set()
        seen = set().union(*(found.result() for found in pulling))
    assert {text for text, _ in seen} <= texts
    assert len({tag for _, tag in seen}) == len({text for text, _ in seen})


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="none"),
        pytest.param("Basic", id="no-credentials"),
        pytest.param("Basic !!!!", id="not-base64"),
        pytest.param("Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), id="not-text"),
        pytest.param("Basic " + base64.b64encode(b"fw:tokfeed_00000000_" + b"0" * 32).decode(), id="unknown"),
        pytest.param("Bearer tokfeed_00000000_" + "0" * 32, id="unknown-bearer"),
        pytest.param("Digest username=fw", id="digest"),
    ],
)
def test_without_a_token_of_the_device_there_is_no_list(shared: Counter, header: str) -> None:
    answer = shared.pull(token=None, authorization=header)
    assert is_problem(answer, 401, "TG6001")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert LINES[1] not in answer.text


def test_a_token_of_another_device_or_of_the_api_is_none(counter: Counter) -> None:
    other = counter.controller.feeds.create_token(OTHER, actor="test")[1].reveal()
    api = counter.controller.create_token("reader", [Scope.ADMIN], MONTH, actor="test")[1].reveal()
    for token in (other, api):
        assert is_problem(counter.pull(token=token), 401, "TG6001")
        assert is_problem(counter.pull(token=None, authorization=f"Bearer {token}"), 401, "TG6001")
    api_answer = counter.client.get("/api/v1/feeds", headers={"authorization": f"Bearer {counter.token}"})
    assert is_problem(api_answer, 401, "TG6001")


def test_guessing_is_braked_and_the_device_is_not(counter: Counter) -> None:
    assert counter.pull().status_code == 200
    guess = "tokfeed_00000000_" + "0" * 32
    assert [counter.pull(token=guess).status_code for _ in range(22)] == [401] * 20 + [429] * 2
    assert is_problem(counter.pull(token=guess), 429, "TG8006")
    assert counter.pull().status_code == 200


def test_an_address_that_may_not_pull_learns_nothing(shared: Counter) -> None:
    """It is asked from 127.0.0.2; the inventory says that the device is at 127.0.0.1."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, base_url=shared.client.base_url, auth=("fw", shared.token)) as elsewhere:
        refused, unknown = elsewhere.get(PATH), elsewhere.get("/feeds/nowhere/dst-tiktok.txt")
    assert is_problem(refused, 404, "TG5011")
    assert [refused.json()[k] for k in ("detail", "hint")] == [unknown.json()[k] for k in ("detail", "hint")]


def test_i02_a_new_token_does_not_lock_the_device_out_before_it_is_set_there(counter: Counter) -> None:
    """To some firewalls a refused login means: enforce this list no more."""
    old = counter.token
    new = counter.controller.feeds.create_token(FW, actor="test", rotate=True)[1].reveal()
    counter.clock.advance(timedelta(days=400))
    assert counter.pull(token=old).status_code == 200
    assert counter.pull(token=new).status_code == 200
    counter.controller.feeds.flush()
    counter.clock.advance(ROTATION - timedelta(seconds=1))
    assert counter.pull(token=old).status_code == 200, "the other member of a pair learns it later"
    counter.clock.advance(timedelta(seconds=1))
    assert counter.pull(token=old).status_code == 401
    assert counter.pull(token=new).status_code == 200


def test_a_revoked_token_is_refused_at_once(counter: Counter) -> None:
    assert counter.pull().status_code == 200
    assert counter.controller.feeds.revoke_tokens(FW, actor="test") == 1
    assert counter.pull().status_code == 401


def test_of_a_token_the_store_keeps_a_hash(counter: Counter) -> None:
    assert counter.pull().status_code == 200
    counter.controller.feeds.flush()
    secret = counter.token.encode()
    assert not any(secret in path.read_bytes() for path in counter.data.rglob("*") if path.is_file())


# --- who pulled -------------------------------------------------------------------------------------------------------


def test_who_pulled_what_is_written_down(counter: Counter) -> None:
    tag = counter.pull(user_agent="PAN-OS \x7f 11.1").headers["etag"]
    counter.pull(if_none_match=tag)
    counter.pull(method="HEAD")
    counter.pull(token="tokfeed_00000000_" + "0" * 32)
    counter.pull(token=None)
    counter.pull("/feeds/fw-berlin/dst-other.txt")
    assert [status for status, _ in counter.pulls()] == [401, 200, 304, 200]
    newest, head, second, first = counter.controller.feeds.pulls(FW)
    assert (first.address, first.octets, first.at) == ("127.0.0.1", len(TEXT), counter.clock.now())
    assert first.agent.startswith("PAN-OS")
    assert (first.is_good, second.is_good, head.is_good, newest.is_good) == (True, True, False, False)
    assert second.octets == 0
    (view,) = counter.controller.feeds.views_of(FW)
    assert view.is_current
    (token,) = counter.controller.feeds.tokens(FW)
    assert token.first_used_at == token.last_used_at == counter.clock.now()


def test_only_the_newest_pulls_of_a_list_are_kept(counter: Counter) -> None:
    for _ in range(25):
        counter.pull()
    assert len(counter.pulls()) == 20


def test_i02_a_book_that_cannot_be_written_keeps_no_list_back(counter: Counter) -> None:
    counter.harm("ALTER TABLE feed_pulls RENAME TO hidden")
    for _ in range(3):
        assert counter.pull().text == TEXT
    counter.controller.feeds.flush()


def test_a_device_that_does_not_come_is_told_of(counter: Counter) -> None:
    desk = counter.controller.feeds
    counter.clock.advance(timedelta(hours=2))
    assert desk.tell_stale() == ()
    counter.clock.advance(timedelta(seconds=1))
    (view,) = desk.tell_stale()
    assert "never pulled" in view.stale
    counter.pull()
    desk.flush()
    assert desk.tell_stale() == ()
    counter.clock.advance(timedelta(hours=2, seconds=1))
    (view,) = desk.tell_stale()
    assert "last pulled 2 h 1 s ago, more than 2h" in view.stale
    counter.publish(*LINES, "16.162.0.0/24")
    assert desk.tell_stale(), "another list does not make it young"
    counter.pull(token="tokfeed_00000000_" + "0" * 32)
    counter.pull(method="HEAD")
    desk.flush()
    assert desk.tell_stale(), "who was refused, or only looked, has not pulled"


# --- for people -------------------------------------------------------------------------------------------------------


def asked(counter: Counter, path: str) -> Any:
    name = f"t{counter.clock.monotonic():.0f}-{len(path)}"
    token = counter.controller.create_token(name, [Scope.READ], MONTH, actor="test")[1]
    answer = counter.client.get(path, headers={"authorization": f"Bearer {token.reveal()}"})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_api_tells_who_has_what(counter: Counter) -> None:
    counter.publish(*ip_feed(GroupName("a"), ()).lines, device=OTHER)
    counter.pull()
    counter.controller.feeds.flush()
    items = asked(counter, "/api/v1/feeds").json()["items"]
    assert [(i["device"], i["site"], i["entries"], i["current"]) for i in items] == [
        ("fw-austin", "austin", 1, False),
        ("fw-berlin", "berlin", 3, True),
    ]
    assert items[1]["path"] == PATH
    assert items[1]["pulled_from"] == "127.0.0.1"
    assert [i["device"] for i in asked(counter, "/api/v1/feeds?site=austin").json()["items"]] == ["fw-austin"]
    counter.clock.advance(timedelta(hours=3))
    counter.pull()
    counter.controller.feeds.flush()
    assert [i["device"] for i in asked(counter, "/api/v1/feeds?stale=true").json()["items"]] == ["fw-austin"]
    one = asked(counter, "/api/v1/feeds/fw-berlin").json()
    assert [p["status"] for p in one["pulls"]] == [200, 200]
    assert one["allow"] == ["127.0.0.1/32", "198.18.7.1/32"]
    assert one["tokens"][0]["prefix"] == counter.token.split("_")[1]
    assert counter.token not in str(one)


def test_the_metrics_tell_how_old_the_last_good_pull_is(counter: Counter) -> None:
    counter.pull()
    counter.controller.feeds.flush()
    counter.clock.advance(timedelta(hours=3))
    text = asked(counter, "/metrics").text
    labels = '{device="fw-berlin",list="dst-tiktok",site="berlin"}'
    assert f"tokgate_feed_pull_age_seconds{labels} 10800.0" in text
    assert f"tokgate_feed_stale{labels} 1.0" in text
    assert f"tokgate_feed_current{labels} 1.0" in text
    assert f"tokgate_feed_entries{labels} 3.0" in text


def test_one_half_sent_request_holds_up_no_other(shared: Counter) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port)) as half:
        half.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuth".encode())
        assert shared.pull().text == TEXT
