"""Who stands behind an indicator, and who only looks like it."""

from __future__ import annotations

import pytest

from ipsets import dataset
from ipsets.catalogue import load_catalogue
from ipsets.drift import origins_of
from ipsets.model import Dedication
from ipsets.owners import shipped_owners
from tests.ipsets.making import curated, entry, snapshot


@pytest.mark.parametrize(
    ("text", "app", "detail", "owner"),
    [
        pytest.param("71.18.8.0/24", "tiktok", "announced by AS11983, held by X", "tiktok-usds", id="the-venture"),
        pytest.param("71.18.8.0/24", "tiktok", "originated by AS11983 and AS396986; x", "tiktok-usds", id="both"),
        pytest.param("71.18.4.0/22", "bytedance-shared", "announced by AS396986", "bytedance", id="bytedance"),
        pytest.param("103.136.220.0/23", "tiktok", "announced by AS138699", "bytedance", id="tiktok-singapore"),
        pytest.param("118.26.132.0/24", "tiktok", "announced by AS150436", "bytedance-cloud", id="a-cloud-customer"),
        pytest.param("5.5.5.0/24", "tiktok", "line 7", "bytedance", id="no-origin-told-so-the-app-decides"),
        pytest.param("5.5.5.0/24", "tiktok", "announced by AS64500", "bytedance", id="an-origin-that-nobody-knows"),
        pytest.param("5.5.5.0/24", "tiktok", "AS11983 may originate it", "bytedance", id="may-is-not-does"),
        pytest.param("www.tiktok.com", "tiktok", "announced by AS11983", "bytedance", id="a-name-has-no-origin"),
        pytest.param("capcut.com", "capcut", "", "bytedance", id="another-app"),
        pytest.param("x.com", "off-limits", "", None, id="nobody's"),
    ],
)
def test_an_origin_decides_and_then_the_app(text: str, app: str, detail: str, owner: str | None) -> None:
    assert shipped_owners().of(entry(text, app=app, detail=detail)) == owner


def test_every_app_of_the_shipped_set_has_an_owner_and_every_network_of_one_is_known() -> None:
    owners = shipped_owners()
    assert {row.app for row in dataset.names() if owners.of_app(row.app) is None} == set()
    named = {asn for owner in owners.known.values() for asn in owner.asns}
    assert named <= set(dataset.as_numbers())
    assert all(owner.alone <= owner.asns for owner in owners.known.values())
    assert sum(len(owner.asns) for owner in owners.known.values()) == len(named), "a network has one holder"


def test_what_a_policy_may_choose_by_owner_is_never_customers_space() -> None:
    owners = shipped_owners().known
    assert owners["bytedance-cloud"].refused
    assert not owners["bytedance-cloud"].alone
    refused = {owners_name for owners_name, owner in owners.items() if owner.apps & {"volcengine-byteplus"}}
    assert refused == {"bytedance-cloud"}
    assert "volcengine-byteplus" in load_catalogue().refused_apps


def test_the_shipped_set_is_told_apart_by_who_holds_it() -> None:
    made = snapshot(curated())
    networks = [i for i in made.indicators if origins_of(i)]
    counted = {name: sum(shipped_owners().of(i) == name for i in networks) for name in shipped_owners().known}
    assert counted == {"bytedance-cloud": 0, "tiktok-usds": 48, "bytedance": 153}
    own = [i for i in networks if i.dedication is Dedication.DEDICATED and shipped_owners().of(i) == "bytedance"]
    assert len(own) == 12
