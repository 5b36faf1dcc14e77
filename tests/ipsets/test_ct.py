"""Certificate transparency: names in valid certificates, and nothing that is enforced for it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def asking(origin: Web, *domains: str, slept: list[float] | None = None) -> Source:
    config = CtConfig.model_validate({"kind": "ct", "domains": domains or ("tiktokv.com",), "base_url": origin.url})
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
    assert slept == [1.0]


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
