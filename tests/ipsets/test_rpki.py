"""Validated payloads as Routinator and rpki-client export them: what is data, and what is never data."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipsets import dataset
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Dedication
from ipsets.sources import RpkiConfig, Source, build_source
from ipsets.sources.rpki import parse
from ipsets.sources.source import Fetched, LastGood
from tests.ipsets.making import NOW, curated, guards, snapshot
from tests.ipsets.origins import Asked, Reply, web

AT = datetime(2026, 9, 1, 1, 0, tzinfo=UTC)
"""An hour after these exports were made."""

ROUTINATOR = """{
  "metadata": {"generated": 1788220800, "generatedTime": "2026-09-01T00:00:00Z"},
  "roas": [
    {"asn": "AS396986", "prefix": "71.18.0.0/16", "maxLength": 24, "ta": "arin"},
    {"asn": "AS11983", "prefix": "71.18.8.0/24", "maxLength": 24, "ta": "arin"},
    {"asn": "AS0", "prefix": "203.0.113.0/24", "maxLength": 24, "ta": "apnic"}
  ],
  "routerKeys": [{"asn": "AS11983", "SKI": "00", "routerPublicKey": "AA", "ta": "arin"}],
  "aspas": [{"customer": "AS11983", "providers": ["AS1"], "ta": "arin"}]
}
"""
RPKI_CLIENT = """{
  "metadata": {"buildmachine": "x", "buildtime": "2026-09-01T00:00:00Z", "roas": 3},
  "roas": [
    {"asn": 396986, "prefix": "71.18.0.0/16", "maxLength": 24, "ta": "arin", "expires": 1788300000},
    {"asn": 11983, "prefix": "71.18.8.0/24", "maxLength": 24, "ta": "arin", "expires": 1788300000}
  ]
}
"""


def export(*roas: tuple[Any, str, Any], at: datetime = AT, **changes: Any) -> str:
    entries = [{"asn": asn, "prefix": prefix, "maxLength": longest, "ta": "arin"} for asn, prefix, longest in roas]
    return json.dumps({"metadata": {"generated": int(at.timestamp())}, "roas": entries, **changes})


def source(url: str, slept: list[float] | None = None, **changes: Any) -> Source:
    config = RpkiConfig(kind="rpki", url=f"{url}/json", **{"timeout_seconds": 5, **changes})
    return build_source(config, sleep=(slept if slept is not None else []).append)


def failure(answer: Callable[[Asked, int], Reply], slept: list[float] | None = None, **changes: Any) -> SourceError:
    with web(answer) as origin, pytest.raises(SourceError) as caught:
        source(origin.url, slept, **changes).fetch(AT)
    return caught.value


# --- what is data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [ROUTINATOR, RPKI_CLIENT], ids=["routinator", "rpki-client"])
def test_both_validators_are_read_alike(text: str) -> None:
    with web(lambda *_: Reply(body=text)) as origin:
        found = source(origin.url).fetch(AT).indicators
    assert [asked.path for asked in origin.asked] == ["/json"]
    assert {(str(i.value), i.app, i.dedication, i.sources[0].source, i.sources[0].detail) for i in found} == {
        (
            "71.18.0.0/16",
            "bytedance-shared",
            Dedication.SHARED,
            "rpki:AS396986",
            "AS396986 may originate it, down to /24 (arin)",
        ),
        ("71.18.8.0/24", "tiktok", Dedication.UNKNOWN, "rpki:AS11983", "AS11983 may originate it (arin)"),
    }


def test_a_file_is_read_like_an_address(tmp_path: Path) -> None:
    (tmp_path / "vrps.json").write_text(ROUTINATOR, encoding="utf-8")
    config = RpkiConfig(kind="rpki", file=Path("vrps.json"), asns=(11983,))
    found = build_source(config, folder=tmp_path).fetch(AT).indicators
    assert [str(i.value) for i in found] == ["71.18.8.0/24"]
    (tmp_path / "vrps.json").unlink()
    with pytest.raises(SourceUnreachable, match=r"vrps\.json"):
        build_source(config, folder=tmp_path).fetch(AT)
    with pytest.raises(SourceImplausible, match="more than 1024"):
        (tmp_path / "vrps.json").write_text(ROUTINATOR * 3, encoding="utf-8")
        build_source(config.model_copy(update={"max_bytes": 1024}), folder=tmp_path).fetch(AT)


def test_several_payloads_of_one_prefix_are_one_word_with_the_longest_length() -> None:
    text = export(("AS11983", "71.18.8.0/23", 24), ("AS11983", "71.18.8.0/23", 23), (11983, "71.18.8.0/23", 24))
    with web(lambda *_: Reply(body=text)) as origin:
        (found,) = source(origin.url).fetch(AT).indicators
    assert found.sources[0].detail == "AS11983 may originate it, down to /24 (arin)"


def test_what_has_expired_does_not_count() -> None:
    later = datetime(2026, 9, 2, 0, 0, tzinfo=UTC)  # after 1788300000
    with pytest.raises(SourceImplausible, match="0 valid of 2"):
        parse(RPKI_CLIENT, asns=(11983,), now=later, place="x")
    assert len(parse(ROUTINATOR, asns=(11983,), now=later, place="x")) == 1


def test_i07_what_is_only_authorised_is_never_enforced() -> None:
    """An authorisation confirms a prefix that routing showed; alone it enforces nothing, not even of TikTok's own."""
    own = str(dataset.dedicated_prefixes()[0])
    text = export(("AS11983", own, 24), ("AS138699", "5.5.5.0/24", 24), ("AS396986", "71.18.0.0/16", 24), at=NOW)
    with web(lambda *_: Reply(body=text)) as origin:
        found = source(origin.url).fetch(NOW).indicators
    without, with_rpki = snapshot(curated()), snapshot((*curated(), *found))
    assert with_rpki.id == without.id
    assert guards(with_rpki)["5.5.5.0/24"] == "not-dedicated"
    confirmed = next(i for i in with_rpki.indicators if str(i.value) == own)
    assert confirmed.dedication is Dedication.DEDICATED, "by the word of the others"
    assert {p.source for p in confirmed.sources} == {"curated", "rpki:AS11983"}


# --- never data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(Reply(body="<!DOCTYPE html><html>maintenance</html>"), "HTML", id="a-page"),
        pytest.param(Reply(body=""), "empty", id="nothing"),
        pytest.param(Reply(body=ROUTINATOR[:-40]), "not JSON", id="cut-and-told-shorter"),
        pytest.param(Reply(body=ROUTINATOR[:200], claim=len(ROUTINATOR)), "broke off", id="cut"),
        pytest.param(Reply(body="ASN,IP Prefix,Max Length,Trust Anchor\n"), "not JSON", id="csv"),
        pytest.param(Reply(body="null"), "export", id="null"),
        pytest.param(Reply(body="[]"), "export", id="list"),
        pytest.param(Reply(body="[" * 100_000), "not JSON", id="deep"),
        pytest.param(Reply(body='{"roas": []}'), "export", id="no-metadata"),
        pytest.param(Reply(body=export(metadata={})), "export", id="no-date"),
        pytest.param(Reply(body=export(metadata={"generated": 10**30})), "export", id="a-date-beyond-dates"),
        pytest.param(Reply(body=export(metadata={"generated": 10**16})), "export", id="a-date-beyond-calendars"),
        pytest.param(Reply(body=export(at=AT - timedelta(days=3))), "too long ago", id="old"),
        pytest.param(Reply(body=export()), "0 valid of 0", id="no-payloads"),
        pytest.param(Reply(body=export(("AS64500", "5.5.5.0/24", 24))), "0 valid of 1", id="nothing-of-ours"),
        pytest.param(Reply(body=export(roas={"AS11983": []})), "no list", id="another-shape"),
        pytest.param(Reply(body=export(roas=["AS11983"])), "export", id="words"),
        pytest.param(Reply(body=export((["AS11983"], "5.5.5.0/24", 24))), "export", id="a-list-for-a-number"),
        pytest.param(Reply(body=export(("AS11983", "5.5.5.1/24", 24))), "host bits", id="host-bits"),
        pytest.param(Reply(body=export(("AS11983", "5.5.5.0/24", 23))), "maxLength 23", id="shorter-than-the-prefix"),
        pytest.param(Reply(body=export(("AS11983", "5.5.5.0/24", 33))), "maxLength 33", id="longer-than-an-address"),
        pytest.param(Reply(body=export(("AS11983", "5.5.5.0/24", "24"))), "maxLength '24'", id="text-for-a-length"),
        pytest.param(Reply(status=404, body="{}"), "404", id="not-found"),
        pytest.param(Reply(status=304), "304", id="unchanged-since-never"),
        pytest.param(Reply(body=b"\xff\xfe{}"), "UTF-8", id="another-charset"),
        pytest.param(Reply(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}), "encoded", id="compressed"),
        pytest.param(Reply(body=b"x" * 5000), "more than", id="huge"),
        pytest.param(Reply(status=302, headers={"Location": "http://192.0.2.1/x"}), "https", id="sent-elsewhere"),
    ],
)  # fmt: skip
def test_i02_an_answer_that_is_not_data_is_an_error_and_says_so(reply: Reply, said: str) -> None:
    error = failure(lambda *_: reply, max_bytes=4096) if said == "more than" else failure(lambda *_: reply)
    assert isinstance(error, SourceImplausible)
    assert said in error.message
    assert "last good entries stay" in error.hint or "https" in error.hint


def test_i06_no_cut_of_a_good_export_is_data() -> None:
    whole = ROUTINATOR.rstrip()
    for at in range(len(whole)):
        with pytest.raises(SourceImplausible):
            parse(whole[:at], asns=(11983,), now=AT, place="x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["AS11983", 24]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "roas", "asn", "prefix", "maxLength", "generated"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_an_export_or_a_source_error(value: Any) -> None:
    with contextlib.suppress(SourceImplausible):
        parse(json.dumps(value), asns=(11983,), now=AT, place="x")
    with contextlib.suppress(SourceImplausible):
        parse(json.dumps({"metadata": {"generated": 1788220800}, "roas": value}), asns=(11983,), now=AT, place="x")


# --- again later ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])  # Routinator answers 503 until its first run is done
def test_a_validator_that_is_not_ready_is_asked_again(status: int) -> None:
    slept: list[float] = []

    def better(_: Asked, number: int) -> Reply:
        return Reply(status=status, headers={"Retry-After": "7"}) if number == 1 else Reply(body=ROUTINATOR)

    with web(better) as origin:
        assert len(source(origin.url, slept).fetch(AT).indicators) == 2
    assert slept == [7.0]


def test_silence_ends_at_the_time_out() -> None:
    release = threading.Event()

    def silent(*_: Any) -> Reply:
        release.wait(10)
        return Reply(body=ROUTINATOR)

    with web(silent) as origin:
        try:
            with pytest.raises(SourceUnreachable, match="timed out"):
                source(origin.url, timeout_seconds=0.2, attempts=1).fetch(AT)
        finally:
            release.set()


# --- what has not changed ---------------------------------------------------------------------------------------------


def remembering(text: str) -> Callable[[Asked, int], Reply]:
    """A validator's export that is the same each time: 304 to whoever has it."""

    def answer(asked: Asked, _: int) -> Reply:
        if asked.headers.get("if-none-match") == '"v1"':
            return Reply(status=304)
        return Reply(body=text, headers={"ETag": '"v1"'})

    return answer


def kept(fetched: Fetched) -> LastGood:
    return LastGood(indicators=fetched.indicators, memo=fetched.memo)


def test_an_unchanged_export_is_not_sent_again() -> None:
    later = AT + timedelta(hours=1)
    with web(remembering(ROUTINATOR)) as origin:
        first = source(origin.url).fetch(AT)
        again = source(origin.url).fetch(later, kept(first))
        other = source(origin.url, asns=(11983,)).fetch(later, kept(first))
    assert [i.value for i in again.indicators] == [i.value for i in first.indicators]
    assert {i.sources[0].last_seen for i in again.indicators} == {later}
    assert again.memo == first.memo
    assert ["if-none-match" in asked.headers for asked in origin.asked] == [False, True, False], "other networks: whole"
    assert len(other.indicators) == 1


def test_i02_an_export_that_stays_unchanged_goes_stale_all_the_same() -> None:
    """A validator that died serves its last export, and says truly that nothing changed."""
    with web(remembering(ROUTINATOR)) as origin:
        first = source(origin.url).fetch(AT)
        source(origin.url).fetch(AT + timedelta(hours=46), kept(first))
        with pytest.raises(SourceImplausible, match="too long ago"):
            source(origin.url).fetch(AT + timedelta(hours=48), kept(first))
    assert "if-none-match" in origin.asked[-1].headers


def test_an_export_is_asked_for_whole_once_one_of_its_payloads_has_expired() -> None:
    expired = datetime.fromtimestamp(1788300000, UTC)
    with web(remembering(RPKI_CLIENT)) as origin:
        first = source(origin.url).fetch(AT)
        source(origin.url).fetch(expired - timedelta(seconds=1), kept(first))
        with pytest.raises(SourceImplausible, match="0 valid of 2"):
            source(origin.url).fetch(expired, kept(first))
    assert ["if-none-match" in asked.headers for asked in origin.asked] == [False, True, False]


@pytest.mark.parametrize("memo", ["", "{", "[]", "null", '{"digest": 1}', '{"etag": 1, "made": 7}', '{"holders": {}}'])
def test_a_memo_that_says_nothing_of_an_export_is_none(memo: str) -> None:
    with web(remembering(ROUTINATOR)) as origin:
        assert len(source(origin.url).fetch(AT, LastGood(indicators=(), memo=memo)).indicators) == 2
    assert "if-none-match" not in origin.asked[0].headers
