"""Certificate transparency: names in valid certificates, and nothing that is enforced for it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.net import DomainName
from ipsets.errors import SourceError, SourceImplausible, SourceUnreachable
from ipsets.model import Confidence, Dedication
from ipsets.sources import CtConfig, Source, build_source
from ipsets.sources.ct import parse
from tests.ipsets.making import NOW, curated, snapshot
from tests.ipsets.origins import Reply, Web, web


def a_certificate(names: str, *, number: int = 7, starts: int = -30, ends: int = 30, **changes: object) -> object:
    return {
        "issuer_ca_id": 282054,
        "issuer_name": "C=US, O=DigiCert Inc, CN=DigiCert TLS Hybrid",
        "common_name": names.split("\n")[0],
        "name_value": names,
        "id": number,
        "entry_timestamp": "2026-04-02T21:29:08.423",
        "not_before": f"{NOW + timedelta(days=starts):%Y-%m-%dT%H:%M:%S}",
        "not_after": f"{NOW + timedelta(days=ends):%Y-%m-%dT%H:%M:%S}",
        "serial_number": "6520589ef17eb55c664433f29f2e684a",
        **changes,
    }


def asking(origin: Web, *domains: str, slept: list[float] | None = None, **changes: object) -> Source:
    given = {"kind": "ct", "domains": domains or ("tiktokv.com",), "base_url": origin.url, **changes}
    config = CtConfig.model_validate(given)
    return build_source(config, sleep=(slept if slept is not None else []).append)


def failure(reply: Reply) -> SourceError:
    with web(lambda *_: reply) as origin, pytest.raises(SourceError) as caught:
        asking(origin).fetch(NOW)
    return caught.value


def test_names_of_valid_certificates_are_known_and_never_dedicated() -> None:
    body = [
        a_certificate("*.tiktokv.com\ntiktokv.com\ntiktok-max.example", number=1),
        a_certificate("*.tiktokv.com\ntiktokv.com", number=2),  # the same one as a precertificate
        a_certificate("old.tiktokv.com", ends=-1),
        a_certificate("later.tiktokv.com", starts=1),
        a_certificate("mail@tiktokv.com\nTwo Words", common_name=None),
    ]
    with web(lambda *_: Reply(body=json.dumps(body))) as origin:
        found = asking(origin, "tiktokv.com", "tiktokw.us").fetch(NOW).indicators
    assert [asked.query for asked in origin.asked] == [
        {"q": "%.tiktokv.com", "output": "json"},
        {"q": "%.tiktokw.us", "output": "json"},
    ]
    assert [(i.value, i.app, i.sources[0].detail) for i in found] == [
        (DomainName("tiktok-max.example", suffix=False), "unknown", "in certificate 1"),
        (DomainName("tiktokv.com", suffix=False), "tiktok", "in certificate 1"),
        (DomainName("tiktokv.com"), "tiktok", "in certificate 1"),
    ]
    assert {(i.category, i.confidence, i.dedication) for i in found} == {
        ("certificate", Confidence.LOW, Dedication.UNKNOWN)
    }


def test_i07_a_name_in_a_certificate_is_never_enforced_for_it() -> None:
    body = json.dumps([a_certificate("*.tiktokv.com\ntiktok-max.example\nnew.ttnew.example")])
    with web(lambda *_: Reply(body=body)) as origin:
        found = asking(origin).fetch(NOW).indicators
    without, with_ct = snapshot(curated()), snapshot((*curated(), *found))
    assert with_ct.id == without.id
    known = {i.value: i.dedication for i in with_ct.indicators}
    assert known[DomainName("new.ttnew.example", suffix=False)] is Dedication.UNKNOWN
    assert known[DomainName("tiktokv.com")] is Dedication.DEDICATED  # the shipped word stays


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        pytest.param(Reply(body=""), SourceUnreachable, "empty", id="empty-under-load"),
        pytest.param(Reply(status=502, body="Bad Gateway"), SourceUnreachable, "502", id="bad-gateway"),
        pytest.param(Reply(body="<html>"), SourceImplausible, "not JSON", id="a-page"),
        pytest.param(Reply(body="{}"), SourceImplausible, "not a list", id="an-object"),
        pytest.param(Reply(body="[]"), SourceImplausible, "no certificate", id="nothing"),
        pytest.param(Reply(body="[1]"), SourceImplausible, "shape", id="numbers"),
        pytest.param(Reply(body='[{"id": 1}]'), SourceImplausible, "shape", id="fields-missing"),
    ],
)
def test_i02_no_answer_and_no_data_are_errors(reply: Reply, kind: type[SourceError], said: str) -> None:
    error = failure(reply)
    assert type(error) is kind
    assert said in str(error)


def test_a_bad_gateway_is_asked_again() -> None:
    slept: list[float] = []
    good = Reply(body=json.dumps([a_certificate("tiktokv.com")]))
    with web(lambda _, number: good if number > 1 else Reply(status=502)) as origin:
        assert len(asking(origin, slept=slept).fetch(NOW).indicators) == 1
    assert slept == [12.0], "not after one second: that would be twice the pace"


# --- the pace ---------------------------------------------------------------------------------------------------------

GOOD = Reply(body=json.dumps([a_certificate("tiktokv.com")]))


def test_there_is_a_pause_between_domains_and_none_before_the_first() -> None:
    slept: list[float] = []
    with web(lambda *_: GOOD) as origin:
        asking(origin, "tiktokv.com", "tiktokw.us", "ttapis.com", slept=slept).fetch(NOW)
    assert slept == [12.0, 12.0]
    with web(lambda *_: GOOD) as origin:
        asking(origin, "tiktokv.com", "tiktokw.us", slept=slept, pause_seconds=0).fetch(NOW)
    assert slept == [12.0, 12.0]


@pytest.mark.parametrize(("asks", "waits"), [("30", 30.0), ("2", 12.0)])
def test_a_service_that_asks_for_more_patience_gets_it(asks: str, waits: float) -> None:
    slept: list[float] = []
    limited = Reply(status=429, headers={"Retry-After": asks})
    with web(lambda _, number: limited if number == 1 else GOOD) as origin:
        asking(origin, slept=slept).fetch(NOW)
    assert slept == [waits]


def test_a_service_that_asks_for_an_hour_is_left_alone() -> None:
    slept: list[float] = []
    limited = Reply(status=429, headers={"Retry-After": "3600"})
    with web(lambda *_: limited) as origin, pytest.raises(SourceUnreachable, match="asks to wait 3600 s"):
        asking(origin, slept=slept).fetch(NOW)
    assert (len(origin.asked), slept) == (1, [])


def test_after_its_time_no_further_domain_is_asked() -> None:
    late = threading.Event()

    def slow(*_: object) -> Reply:
        late.wait(0.3)
        return GOOD

    with web(slow) as origin, pytest.raises(SourceUnreachable, match="1 of 3 domains in 0 s"):
        asking(origin, "a.example", "b.example", "c.example", pause_seconds=0, total_seconds=0.2).fetch(NOW)
    assert len(origin.asked) == 1


def test_pauses_that_alone_take_too_long_are_a_mistake() -> None:
    given = {"kind": "ct", "domains": [f"d{n}.example" for n in range(12)], "pause_seconds": 60, "total_seconds": 660}
    with pytest.raises(ValidationError, match="take 660 s"):
        CtConfig.model_validate(given)
    assert CtConfig.model_validate({**given, "total_seconds": 661})


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)


FIELDS = ("id", "name_value", "common_name", "not_before", "not_after")


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)) | JSON)
def test_any_answer_is_names_or_an_error(certificate: object) -> None:
    good = a_certificate("tiktokv.com")
    try:
        found = parse(json.dumps([good, certificate]), place="fuzz", now=NOW)
    except SourceImplausible:
        return
    assert DomainName("tiktokv.com", suffix=False) in found
