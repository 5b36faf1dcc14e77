"""One app, or everything of one owner: what that takes, and whose it must never take."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.net import Network, aggregate, intersect, overlaps, subtract
from ipsets import dataset
from ipsets.catalogue import Catalogue, load_catalogue, shared_cdn_ranges
from ipsets.explain import Explanation, explain, parse_question
from ipsets.guard import default_never_block
from ipsets.model import Dedication, ServiceSet, Snapshot
from tests.ipsets.making import NOW, curated, entry, snapshot, texts

EVERYTHING = load_catalogue().choosing(apps=["capcut", "lemon8", "tiktok"], owners=["bytedance", "tiktok-usds"])
SHIPPED = snapshot(curated(), catalogue=EVERYTHING)


def service(of: Snapshot, name: str) -> ServiceSet:
    return next(s for s in of.services if s.service == name)


def names(of: Snapshot, name: str) -> set[str]:
    return {d.name for d in service(of, name).domains}


def told(question: str, of: Snapshot = SHIPPED, catalogue: Catalogue = EVERYTHING) -> Explanation:
    return explain(parse_question(question), of, catalogue=catalogue, never_block=default_never_block())


def originated(*asns: int) -> list[Network]:
    return [row.network for row in dataset.prefixes() if set(row.origins) & set(asns)]


def test_who_chooses_nothing_gets_exactly_the_list_of_before() -> None:
    """No device is touched for what nobody asked for."""
    plain = snapshot(curated())
    assert [s.service for s in plain.services] == ["tiktok"]
    assert service(SHIPPED, "tiktok") == service(plain, "tiktok")


# --- one app ----------------------------------------------------------------------------------------------------------


def test_an_app_is_its_names_and_no_address() -> None:
    assert names(SHIPPED, "app-capcut") == {
        "capcut.com", "capcut.net", "capcutapi.com", "capcutapi.us", "capcutcdn-us.com", "capcutshare.com",
        "capcutstatic.com", "capcutvod.com", "capcutw.us",
    }  # fmt: skip
    assert names(SHIPPED, "app-lemon8") == {"lemon8-app.com", "lemon8-app.us", "lemon8cdn.com"}
    assert service(SHIPPED, "app-capcut").networks == ()
    assert told("www.capcut.com").entries[0].service == "app-capcut"


def test_an_app_that_a_service_consists_of_is_that_service() -> None:
    assert "app-tiktok" not in EVERYTHING.services
    assert EVERYTHING.service_of_app("tiktok") == "tiktok"


def test_what_is_refused_or_shared_is_no_app_to_choose() -> None:
    plain = load_catalogue()
    assert set(plain.single_apps) == {"tiktok", "capcut", "lemon8"}
    assert "unrelated customers" in (plain.refusal_of_app("volcengine-byteplus") or "")
    assert "no app" in (plain.refusal_of_app("bytedance-shared") or "")
    assert plain.refusal_of_app("capcut") is None
    assert plain.single_owners == ("tiktok-usds", "bytedance")
    assert "unrelated customers" in (plain.refusal_of_owner("bytedance-cloud") or "")


def test_a_list_of_an_app_meets_the_same_rules() -> None:
    more = [entry("new.capcut-example.com", app="capcut"), entry("douyin.com", app="capcut")]
    made = snapshot([*curated(), *more], catalogue=EVERYTHING)
    assert "new.capcut-example.com" in names(made, "app-capcut")
    assert "douyin.com" not in names(made, "app-capcut")


# --- one owner --------------------------------------------------------------------------------------------------------


def test_everything_of_bytedance_is_its_networks_and_the_names_of_its_apps() -> None:
    own = service(SHIPPED, "owner-bytedance")
    expected = subtract(originated(138699, 396986), [*originated(11983, 150436, 137718), *shared_cdn_ranges()])
    assert own.networks == expected
    found = names(SHIPPED, "owner-bytedance")
    assert {"tiktok.com", "capcut.com", "lemon8-app.com", "byteoversea.com", "bytewlb.akadns.net"} <= found
    assert not found & {"douyin.com", "larksuite.com", "volces.com", "tiktokpangle.us", "musical.ly"}


def test_the_venture_is_its_network_and_no_name() -> None:
    own = service(SHIPPED, "owner-tiktok-usds")
    assert own.networks == aggregate(originated(11983))
    assert own.domains == ()


@pytest.mark.parametrize("name", ["owner-bytedance", "owner-tiktok-usds"])
def test_i07_no_owner_takes_customers_of_a_cloud_or_of_a_content_network(name: str) -> None:
    networks = service(SHIPPED, name).networks
    assert networks
    assert intersect(networks, originated(150436, 137718)) == ()
    assert intersect(networks, shared_cdn_ranges()) == ()


def test_no_address_has_two_owners() -> None:
    both = [service(SHIPPED, f"owner-{name}").networks for name in ("bytedance", "tiktok-usds")]
    assert intersect(*both) == ()
    assert intersect(both[0], [ip_network("71.18.4.0/22")]) == aggregate(
        [ip_network("71.18.4.0/23"), ip_network("71.18.7.0/24")]
    )


def live(text: str, asn: int, app: str, dedication: Dedication = Dedication.SHARED):  # type: ignore[no-untyped-def]
    return entry(
        text, source=f"ripestat:AS{asn}", app=app, dedication=dedication, detail=f"announced by AS{asn}, held by X"
    )


def test_i07_what_a_cloud_originates_inside_a_block_of_the_owner_is_carved_out() -> None:
    """As is 71.18.227.0/24, which BytePlus announces inside a block of ByteDance's."""
    words = [live("5.5.224.0/22", 396986, "bytedance-shared"), live("5.5.227.0/24", 150436, "volcengine-byteplus")]
    made = snapshot([*curated(), *words], catalogue=EVERYTHING, never_block=())
    own = service(made, "owner-bytedance").networks
    assert overlaps(own, ip_network("5.5.226.0/24"))
    assert not overlaps(own, ip_network("5.5.227.0/24"))
    said = [v for v in made.dropped if v.guard == "other-owner" and v.entry == "5.5.224.0/22"]
    assert "5.5.227.0/24 carved out" in said[0].reason


def test_a_prefix_that_moved_belongs_to_who_stands_first() -> None:
    moved = [
        live("5.5.4.0/24", 396986, "bytedance-shared"),
        live("5.5.4.0/24", 11983, "tiktok", Dedication.DEDICATED),
    ]
    made = snapshot([*curated(), *moved], catalogue=EVERYTHING)
    assert overlaps(service(made, "owner-tiktok-usds").networks, ip_network("5.5.4.0/24"))
    assert not overlaps(service(made, "owner-bytedance").networks, ip_network("5.5.4.0/24"))
    assert "5.5.4.0/24" in texts(made), "the app is not asked for its owner"


def test_a_word_without_an_origin_belongs_to_who_originates_the_prefix_around_it() -> None:
    said = [
        entry("71.18.8.128/25", source="manual:ours", detail="denied: x; owner y"),
        entry("71.18.4.0/25", source="list:x", dedication=Dedication.CLAIMED),
        entry("9.9.4.0/24", source="manual:ours", detail="denied: x; owner y"),
    ]
    made = snapshot([*curated(), *said], catalogue=EVERYTHING)
    own = service(made, "owner-bytedance").networks
    assert not overlaps(own, ip_network("71.18.8.128/25"))
    assert overlaps(own, ip_network("9.9.4.0/24"))
    refused = {v.entry: v.reason for v in made.dropped if v.guard == "one-voice"}
    assert "also carries other services" in refused["71.18.4.0/25"], "of TikTok it is not"
    assert overlaps(own, ip_network("71.18.4.0/25")), "of ByteDance it is"


def test_a_network_of_the_owner_that_carries_others_is_known_and_not_enforced() -> None:
    made = snapshot([*curated(), live("5.5.4.0/24", 137775, "bytedance-shared")], catalogue=EVERYTHING)
    assert not overlaps(service(made, "owner-bytedance").networks, ip_network("5.5.4.0/24"))
    assert ("not-dedicated", "5.5.4.0/24") in {(v.guard, v.entry) for v in made.dropped}


def test_why_an_address_of_an_owner_is_enforced_is_told() -> None:
    found = told("71.18.5.1")
    assert [c.service for c in found.entries] == ["owner-bytedance"]
    assert found.decisions[0].rule == "owner"
    assert "originated by AS396986" in found.decisions[0].reason
    plain = told("71.18.5.1", snapshot(curated()), load_catalogue())
    assert not plain.covered
    assert plain.decisions[0].rule == "not-dedicated"


_PREFIXES = st.builds(
    lambda at, length: ip_network((0x05050000 | at << (32 - length) & 0xFFFF, length)),
    at=st.integers(0, 255),
    length=st.integers(17, 24),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_PREFIXES, st.sampled_from([396986, 11983, 150436, 64500])), max_size=12))
def test_every_address_goes_to_the_owner_of_its_narrowest_prefix(routes: list[tuple[Network, int]]) -> None:
    apps = {396986: "bytedance-shared", 11983: "tiktok", 150436: "volcengine-byteplus", 64500: "unknown"}
    owners = {396986: "bytedance", 11983: "tiktok-usds", 150436: "bytedance-cloud", 64500: None}
    firsts = ["bytedance-cloud", "tiktok-usds", "bytedance", None]
    words = [
        live(str(n), asn, apps[asn], Dedication.DEDICATED if asn == 11983 else Dedication.SHARED) for n, asn in routes
    ]
    made = snapshot([*curated(), *words], catalogue=EVERYTHING, now=NOW)
    for network, _ in routes:
        for address in (network[0], network[-1]):
            around = [(n.prefixlen, -firsts.index(owners[asn])) for n, asn in routes if address in n]
            owner = firsts[-max(around)[1]]
            for name in ("bytedance", "tiktok-usds"):
                taken = overlaps(service(made, f"owner-{name}").networks, ip_network(address))
                assert taken is (owner == name), (address, owner, name)
