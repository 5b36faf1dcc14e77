"""RIPEstat, asked over real HTTP on the loopback: what is data, what is again-later, and what is never data."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from core.net import Ranges, parse_network
from ipsets import dataset
from ipsets.drift import Drift, drift_between
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication
from ipsets.offlimits import ALWAYS, off_limits
from ipsets.sources import RipestatConfig, Source, build_source
from ipsets.sources.ripestat import HOLDER_PATH, MAX_HOLDER, PATH, parse, parse_holder
from ipsets.sources.source import Fetched, LastGood
from lab import replay
from tests.ipsets.making import NOW, curated, entry, snapshot, texts
from tests.ipsets.origins import Asked, Reply, web

OWN = ("103.136.220.0/23", "2404:9dc0:cd01::/48")


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def envelope(
    asn: int = 138699, prefixes: tuple[str, ...] = OWN, *, end: datetime = NOW, **changes: Any
) -> dict[str, Any]:
    """The shape of a real answer (version 1.2)."""
    seen = [{"starttime": stamp(end - timedelta(days=14)), "endtime": stamp(end)}]
    return {
        "messages": [["info", "Results exclude routes with very low visibility (less than 10 RIS full-feed peers)."]],
        "see_also": [],
        "version": "1.2",
        "data_call_name": "announced-prefixes",
        "data_call_status": "supported",
        "cached": False,
        "status": "ok",
        "status_code": 200,
        "time": stamp(end),
        "data": {
            "prefixes": [{"prefix": prefix, "timelines": seen} for prefix in prefixes],
            "query_starttime": stamp(end - timedelta(days=14)),
            "query_endtime": stamp(end),
            "resource": str(asn),
            "latest_time": stamp(end),
            "earliest_time": "2000-08-01T00:00:00",
        },
        **changes,
    }


def good(asked: Asked, _: int) -> Reply:
    return Reply(body=json.dumps(envelope(int(asked.query["resource"].removeprefix("AS")))))


def source(url: str, slept: list[float] | None = None, **changes: Any) -> Source:
    """Without holders and neighbours, so that what is counted and refused is about announced prefixes."""
    given = {"asns": (138699,), "timeout_seconds": 5, "holders": False, "neighbours": (), **changes}
    config = RipestatConfig(kind="ripestat", base_url=url, **given)
    return build_source(config, sleep=(slept if slept is not None else []).append)


def failure(answer: Callable[[Asked, int], Reply], slept: list[float] | None = None, **changes: Any) -> SourceError:
    with web(answer) as origin, pytest.raises(SourceError) as caught:
        source(origin.url, slept, **changes).fetch(NOW)
    return caught.value


# --- what is data -----------------------------------------------------------------------------------------------------


def test_the_question_names_us_and_each_answer_its_network() -> None:
    with web(good) as origin:
        found = source(origin.url, asns=(138699, "AS11983"), sourceapp="acme-tokgate").fetch(NOW).indicators
    assert {asked.path for asked in origin.asked} == {PATH}
    assert {asked.query["resource"] for asked in origin.asked} == {"AS138699", "AS11983"}
    assert all(asked.query["sourceapp"] == "acme-tokgate" for asked in origin.asked)
    assert all(asked.query["min_peers_seeing"] == "10" for asked in origin.asked)
    assert {i.sources[0].source for i in found} == {"ripestat:AS138699", "ripestat:AS11983"}
    assert {str(i.value) for i in found} == set(OWN)
    assert all(i.app == "tiktok" and i.dedication is Dedication.DEDICATED for i in found)


@pytest.mark.parametrize(
    ("asn", "app", "dedication"),
    [
        (138699, "tiktok", Dedication.DEDICATED),
        (11983, "tiktok", Dedication.DEDICATED),
        (396986, "bytedance-shared", Dedication.SHARED),
        (150436, "volcengine-byteplus", Dedication.SHARED),
        (137718, "volcengine-byteplus", Dedication.SHARED),
        (139057, "unknown", Dedication.SHARED),
        (64500, "unknown", Dedication.UNKNOWN),
    ],
)
def test_whose_a_prefix_is_depends_on_who_announces_it(asn: int, app: str, dedication: Dedication) -> None:
    with web(good) as origin:
        found = source(origin.url, asns=(asn,)).fetch(NOW).indicators
    assert {(i.app, i.dedication) for i in found} == {(app, dedication)}


def test_what_was_withdrawn_inside_the_two_weeks_is_not_announced_now() -> None:
    answer = envelope()
    answer["data"]["prefixes"].append(
        {
            "prefix": "103.136.222.0/24",
            "timelines": [{"starttime": stamp(NOW - timedelta(days=14)), "endtime": stamp(NOW - timedelta(days=3))}],
        }
    )
    assert "103.136.222.0/24" not in {str(n) for n in parse(json.dumps(answer), asn=138699, now=NOW)}


def test_what_came_back_inside_the_two_weeks_is_announced_now() -> None:
    answer = envelope(prefixes=())
    gap = [
        {"starttime": stamp(NOW - timedelta(days=14)), "endtime": stamp(NOW - timedelta(days=9))},
        {"starttime": stamp(NOW - timedelta(days=2)), "endtime": stamp(NOW)},
    ]
    answer["data"]["prefixes"] = [{"prefix": "103.136.222.0/24", "timelines": gap}]
    assert parse(json.dumps(answer), asn=138699, now=NOW) == (parse_network("103.136.222.0/24"),)


def test_the_labs_replay_is_read_like_the_real_service() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        built = source(f"http://127.0.0.1:{server.server_address[1]}", asns=(138699, 11983))
        found = built.fetch(datetime.now(UTC)).indicators
    finally:
        server.shutdown()
        server.server_close()
    assert {i.value for i in found} == set(dataset.dedicated_prefixes())


class Quiet(replay.Handler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        pass


def test_never_more_than_eight_questions_at_a_time() -> None:
    gate = threading.Barrier(8)

    def together(asked: Asked, number: int) -> Reply:
        gate.wait(10)  # passes only when eight are open at once
        return good(asked, number)

    with web(together) as origin:
        found = source(origin.url, asns=tuple(range(64500, 64516))).fetch(NOW).indicators
    assert origin.most == 8
    assert len(found) == 32


# --- again later ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(status: int) -> None:
    slept: list[float] = []

    def better(asked: Asked, number: int) -> Reply:
        return Reply(status=status, body="busy") if number < 3 else good(asked, number)

    with web(better) as origin:
        assert len(source(origin.url, slept).fetch(NOW).indicators) == 2
    assert slept == [1.0, 2.0]


def test_a_server_that_asks_for_patience_gets_it() -> None:
    slept: list[float] = []

    def later(asked: Asked, number: int) -> Reply:
        return Reply(status=429, headers={"Retry-After": "17"}) if number == 1 else good(asked, number)

    with web(later) as origin:
        source(origin.url, slept).fetch(NOW)
    assert slept == [17.0]


@pytest.mark.parametrize("asked_for", ["3600", "Wed, 21 Oct 2037 07:28:00 GMT"])
def test_nobody_waits_for_an_hour(asked_for: str) -> None:
    slept: list[float] = []
    error = failure(lambda *_: Reply(status=503, headers={"Retry-After": asked_for}), slept)
    assert isinstance(error, SourceUnreachable)
    assert "asks to wait" in error.message
    assert slept == []


def test_a_server_that_stays_in_trouble_is_unreachable() -> None:
    slept: list[float] = []
    error = failure(lambda *_: Reply(status=502), slept, attempts=3)
    assert isinstance(error, SourceUnreachable)
    assert "502" in error.message
    assert len(slept) == 2


def test_nobody_there_is_unreachable() -> None:
    with web(good) as origin:
        url = origin.url
    with pytest.raises(SourceUnreachable) as caught:
        source(url, attempts=2).fetch(NOW)
    assert url in caught.value.message


def test_silence_ends_at_the_time_out() -> None:
    release = threading.Event()

    def silent(asked: Asked, number: int) -> Reply:
        release.wait(10)
        return good(asked, number)

    with web(silent) as origin:
        try:
            with pytest.raises(SourceUnreachable, match="timed out"):
                source(origin.url, timeout_seconds=0.2, attempts=1).fetch(NOW)
        finally:
            release.set()


def test_a_failure_inside_the_answer_is_unreachable() -> None:
    broken = envelope(status="error", status_code=500, messages=[["error", "internal"]])
    error = failure(lambda *_: Reply(body=json.dumps(broken)))
    assert isinstance(error, SourceUnreachable)


# --- never data -------------------------------------------------------------------------------------------------------

WHOLE = json.dumps(envelope())
EMPTY = json.dumps(envelope(prefixes=()))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(Reply(body="<!DOCTYPE html><html>maintenance</html>"), "HTML", id="a-page"),
        pytest.param(Reply(body=""), "empty", id="nothing"),
        pytest.param(Reply(body=WHOLE[:-40]), "not JSON", id="cut-and-told-shorter"),
        pytest.param(Reply(body=WHOLE[:200], claim=len(WHOLE)), "broke off", id="cut"),
        pytest.param(Reply(body=EMPTY), "announces nothing", id="no-prefixes"),
        pytest.param(Reply(body="null"), "shape", id="null"),
        pytest.param(Reply(body="[]"), "shape", id="list"),
        pytest.param(Reply(body='{"status": "ok"}'), "shape", id="no-data"),
        pytest.param(Reply(body="[" * 100_000), "not JSON", id="deep"),
        pytest.param(Reply(body=json.dumps(envelope(11983))), "about '11983'", id="another-network"),
        pytest.param(Reply(body=json.dumps(envelope(status="error", status_code=400))), "400", id="refused-inside"),
        pytest.param(Reply(body=json.dumps(envelope(status="maintenance"))), "maintenance", id="status-not-ok"),
        pytest.param(Reply(body=json.dumps(envelope(prefixes=("10.0.0.1/8",)))), "no prefix", id="host-bits"),
        pytest.param(Reply(body=json.dumps(envelope(prefixes=("everything",)))), "no prefix", id="no-prefix"),
        pytest.param(Reply(body=json.dumps(envelope(end=NOW - timedelta(days=10)))), "too long ago", id="old"),
        pytest.param(Reply(status=404, body="{}"), "404", id="not-found"),
        pytest.param(Reply(status=403, body="{}"), "403", id="forbidden"),
        pytest.param(Reply(body=b"\xff\xfe{}"), "UTF-8", id="another-charset"),
        pytest.param(Reply(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}), "encoded", id="compressed"),
        pytest.param(Reply(raw=b"220 mail.example ESMTP\r\n"), "no HTTP", id="another-protocol"),
        pytest.param(Reply(body=b"x" * (9 * 1024 * 1024)), "more than", id="huge"),
        pytest.param(Reply(status=302, headers={"Location": "http://192.0.2.1/x"}), "https", id="sent-elsewhere"),
    ],
)  # fmt: skip
def test_i02_an_answer_that_is_not_data_is_an_error_and_says_so(reply: Reply, said: str) -> None:
    error = failure(lambda *_: reply)
    assert isinstance(error, SourceImplausible)
    assert said in error.message
    assert "last good entries stay" in error.hint or "https" in error.hint


def test_i06_no_cut_of_a_good_answer_is_data() -> None:
    for at in range(len(WHOLE)):
        with pytest.raises(SourceImplausible):
            parse(WHOLE[:at], asn=138699, now=NOW)


def test_i02_half_of_the_networks_is_no_answer() -> None:
    def half(asked: Asked, number: int) -> Reply:
        return Reply(status=404) if asked.query["resource"] == "AS11983" else good(asked, number)

    assert isinstance(failure(half, asns=(138699, 11983)), SourceImplausible)


# --- who holds a network ----------------------------------------------------------------------------------------------

TIKTOK = "TIKTOK-AS-AP - TIKTOK PTE. LTD."


def overview(asn: int = 138699, holder: Any = TIKTOK, *, end: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """The shape of real answers of 2026-08-31 (with this warning) and 2026-10-14 (version 1.3)."""
    return {
        "messages": [["warning", "Latest available results are 25 hours old."]],
        "see_also": [],
        "version": "1.3",
        "data_call_name": "as-overview",
        "data_call_status": "supported - based on 2.1",
        "cached": False,
        "status": "ok",
        "status_code": 200,
        "time": stamp(end),
        "data": {
            "type": "as",
            "resource": str(asn),
            "block": {
                "resource": "137530-138553",
                "desc": "Assigned by APNIC",
                "name": "IANA 32-bit Autonomous System (AS) Numbers Registry",
            },
            "holder": holder,
            "announced": True,
            "query_starttime": stamp(end),
            "query_endtime": stamp(end),
        },
        **changes,
    }


def held(told: Callable[[int], Reply], last: LastGood | None = None, **changes: Any) -> tuple[Fetched, list[Asked]]:
    """The answer of a source whose as-overview is ``told`` for each network, and the questions about holders."""

    def answer(asked: Asked, number: int) -> Reply:
        return good(asked, number) if asked.path == PATH else told(int(asked.query["resource"].removeprefix("AS")))

    with web(answer) as origin:
        found = source(origin.url, **{"holders": True, **changes}).fetch(NOW, last)
    return found, [asked for asked in origin.asked if asked.path == HOLDER_PATH]


def details(fetched: Fetched) -> set[str]:
    return {i.sources[0].detail for i in fetched.indicators}


def test_the_holder_of_each_network_is_asked_and_stands_beside_its_prefixes() -> None:
    names = {138699: TIKTOK, 11983: "TTUSDS"}
    found, questions = held(lambda asn: Reply(body=json.dumps(overview(asn, names[asn]))), asns=(138699, 11983))
    assert details(found) == {f"announced by AS138699, held by {TIKTOK}", "announced by AS11983, held by TTUSDS"}
    assert {q.query["resource"] for q in questions} == {"AS138699", "AS11983"}
    assert all(q.query == {"resource": q.query["resource"], "sourceapp": "tokgate"} for q in questions)
    assert RipestatConfig(kind="ripestat").holders


def test_nobody_asks_for_holders_that_are_not_wanted() -> None:
    first, _ = held(lambda asn: Reply(body=json.dumps(overview(asn))))
    found, questions = held(lambda _: Reply(status=500), last_good(first), holders=False)
    assert (details(found), questions, found.memo) == ({"announced by AS138699"}, [], "")


def last_good(fetched: Fetched) -> LastGood:
    return LastGood(indicators=fetched.indicators, memo=fetched.memo)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(status=500), id="in-trouble"),
        pytest.param(Reply(status=429, headers={"Retry-After": "17"}), id="asks-for-patience"),
        pytest.param(Reply(status=404), id="not-found"),
        pytest.param(Reply(raw=b""), id="hung-up"),
        pytest.param(Reply(body="<html>maintenance</html>"), id="a-page"),
        pytest.param(Reply(body="[" * 100_000), id="deep"),
        pytest.param(Reply(body="null"), id="null"),
        pytest.param(Reply(body='{"status": "ok", "data": {}}'), id="no-data"),
        pytest.param(Reply(body=json.dumps(overview(11983, "Another"))), id="another-network"),
        pytest.param(Reply(body=json.dumps(overview(holder="Old", end=NOW - timedelta(days=10)))), id="old"),
        pytest.param(Reply(body=json.dumps(overview(status="error", status_code=500))), id="error-inside"),
        pytest.param(Reply(body=json.dumps(overview(holder=["A"]))), id="no-text"),
        pytest.param(Reply(body=json.dumps(overview(holder=None))), id="unknown"),
        pytest.param(Reply(body=json.dumps(overview(holder=" \n"))), id="blank"),
    ],
)  # fmt: skip
def test_i02_a_holder_that_is_not_told_fails_nothing_and_the_last_known_one_stays(reply: Reply) -> None:
    first, _ = held(lambda asn: Reply(body=json.dumps(overview(asn))))
    again, questions = held(lambda _: reply, last_good(first))
    assert details(again) == details(first) == {f"announced by AS138699, held by {TIKTOK}"}
    assert again.memo == first.memo
    assert len(questions) == 1, "it is asked once"
    unknown, _ = held(lambda _: reply)
    assert (details(unknown), unknown.memo) == ({"announced by AS138699"}, "")


def test_another_holder_replaces_the_known_one_and_networks_of_before_are_forgotten() -> None:
    first, _ = held(lambda asn: Reply(body=json.dumps(overview(asn))), asns=(138699, 11983))
    again, _ = held(lambda asn: Reply(body=json.dumps(overview(asn, "Another"))), last_good(first))
    assert details(again) == {"announced by AS138699, held by Another"}
    assert json.loads(again.memo) == {"holders": {"138699": "Another"}}


@pytest.mark.parametrize("memo", ["", "{", "[]", "null", '{"etag": "1"}', '{"holders": [1]}', '{"holders": {"x": "A"}}',
                                  '{"holders": {"138699": 7}}'])  # fmt: skip
def test_a_memo_that_says_nothing_of_holders_is_none(memo: str) -> None:
    found, _ = held(lambda _: Reply(status=404), LastGood(indicators=(), memo=memo))
    assert details(found) == {"announced by AS138699"}


@pytest.mark.parametrize(
    ("holder", "kept"),
    [
        ("A\x1b[2J\r\nB\u202e\ud800  C", "A [2J B C"),
        ("É - Société Générale", "É - Société Générale"),
        ("x" * 100_000, "x" * MAX_HOLDER),
    ],
)
def test_a_holder_is_one_printable_line_of_bounded_length(holder: str, kept: str) -> None:
    assert parse_holder(json.dumps(overview(holder=holder)), asn=138699, now=NOW) == kept


def test_i06_no_cut_of_a_good_overview_names_a_holder() -> None:
    whole = json.dumps(overview())
    for at in range(len(whole)):
        with pytest.raises(SourceImplausible):
            parse_holder(whole[:at], asn=138699, now=NOW)


# --- neighbours -------------------------------------------------------------------------------------------------------

MUCH = tuple(f"{at}.0.0.0/8" for at in range(20, 60))
THEIRS = ("101.45.0.0/16", "103.136.221.0/24")


def with_neighbour(asked: Asked, _: int) -> Reply:
    asn = int(asked.query["resource"].removeprefix("AS"))
    return Reply(body=json.dumps(envelope(asn, THEIRS if asn == 150436 else OWN)))


def near(found: Fetched) -> dict[str, Dedication]:
    return {str(i.value): i.dedication for i in found.indicators if i.sources[0].source == "ripestat:AS150436"}


def test_i07_what_a_neighbour_announces_now_is_never_blocked() -> None:
    """Also where it was TikTok's own before: a prefix that moved belongs to unrelated customers."""
    with web(with_neighbour) as origin:
        found = source(origin.url, neighbours=(150436,)).fetch(NOW)
    assert near(found) == dict.fromkeys(THEIRS, Dedication.NEVER)
    held = Ranges(map(parse_network, texts(snapshot([*curated(), *found.indicators]))))
    assert held.holds(parse_network("103.136.220.0/24"))
    assert not held.touched(parse_network("103.136.221.0/24"))
    spared = Ranges(n for block in off_limits(found.indicators, categories=ALWAYS) for n in block.networks)
    assert spared.holds(parse_network("101.45.0.0/16"))  # nor does a live answer bring it in


@pytest.mark.parametrize(
    "neighbour",
    [
        pytest.param(Reply(status=503), id="fails"),
        pytest.param(Reply(body=json.dumps(envelope(150436, ("0.0.0.0/0",)))), id="everything"),
        pytest.param(
            Reply(body=json.dumps(envelope(150436, tuple(f"{at}.0.0.0/8" for at in range(20, 60))))), id="much"
        ),
        pytest.param(Reply(body=json.dumps(envelope(150436, ()))), id="nothing"),
    ],
)
def test_a_neighbour_that_is_not_told_fails_nothing_and_keeps_its_last_known_networks(neighbour: Reply) -> None:
    def answer(asked: Asked, at: int) -> Reply:
        return neighbour if asked.query["resource"] == "AS150436" else good(asked, at)

    with web(with_neighbour) as origin:
        before = source(origin.url, neighbours=(150436,)).fetch(NOW)
    with web(answer) as origin:
        first = source(origin.url, neighbours=(150436,)).fetch(NOW)
        again = source(origin.url, neighbours=(150436,)).fetch(NOW, LastGood(indicators=before.indicators, memo=""))
    assert near(first) == {}
    assert near(again) == near(before)
    assert {str(i.value) for i in first.indicators} == set(OWN)


@pytest.mark.parametrize("asn", [138699, 11983, 396986])
def test_a_network_of_the_service_itself_is_no_neighbour(asn: int) -> None:
    with pytest.raises(ValueError, match="is no neighbour"):
        RipestatConfig(kind="ripestat", asns=(138699,), neighbours=(asn,))


def test_a_neighbours_new_network_is_no_news_and_one_that_was_ours_is() -> None:
    with web(with_neighbour) as origin:
        alone, both = (source(origin.url, neighbours=n).fetch(NOW).indicators for n in ((), (150436,)))
    ours = [*curated(), *alone]
    assert drift_between(ours, [*curated(), *both]) == ()
    moved = entry("103.136.221.0/24", detail="announced by AS138699", source="ripestat:AS138699")
    changes = drift_between([*ours, moved], [*curated(), *both])
    assert [(c.kind, str(c.network), c.asn) for c in changes] == [
        (Drift.NEW_ASN, "103.136.221.0/24", 150436),
        (Drift.MOVED, "103.136.221.0/24", 138699),
    ]
