"""Firewalls that are told one address: each is given its own list there, or none, and never another one's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from ipaddress import ip_address
from itertools import combinations, product
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.server import Bind, Server, serving
from controller.errors import InventoryError, NotFound
from controller.feeding import content_of
from controller.feeds import ROTATION, Places, _meeting
from controller.model import FeedPull, Scope
from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from core.ids import DeviceName, RunId
from core.net import parse_network
from lab.emulators.fetching import Wire, polling
from tests.api.conftest import MONTH
from tests.controller.offices import NOON, offices
from tests.lab.emulators.srx import configuring, srx
from vendors.model import FeedList, GroupName

LIST = "dst-tiktok"
ONE, TWO, NAT = "127.0.0.1", "127.0.0.2", "127.0.0.3"
ALLOWED = {"fw-a": [ONE], "fw-b": [TWO], "fw-c": [NAT], "fw-d": [NAT, "127.0.0.4"]}


def inventory(allowed: Mapping[str, list[str]] = ALLOWED, *, auth: str = "token", group: str = "edges") -> str:
    feed = "feed: {{group: {group}, auth: {auth}, allow: [{allow}]}}"
    devices = "".join(
        f"      {name}: {{vendor: linux_nftables, host: 192.0.2.{number}, "
        f"{feed.format(group=group, auth=auth, allow=', '.join(nets))}}}\n"
        for number, (name, nets) in enumerate(allowed.items(), 1)
    )
    return f"""
version: 1
intelligence: {{sources: [{{kind: curated}}]}}
defaults: {{device: {{key_file: "secret://file/nonexistent/key"}}}}
policies: {{standard: {{services: [tiktok], roles: {{company: {{mode: enforce}}}}}}}}
sites:
  berlin:
    time_zone: Europe/Berlin
    policy: standard
    networks: {{company: [10.20.0.0/16]}}
    devices:
{devices}      alone: {{vendor: linux_nftables, host: {ONE}}}
"""


class Edges:
    """A server with a group of firewalls, and the group's token."""

    def __init__(self, controller: Controller, server: Server) -> None:
        self.controller, self.port = controller, server.port
        assert isinstance(controller.clock, ManualClock)
        self.clock = controller.clock
        self._clients: dict[str, httpx.Client] = {}
        self.token = self.token_of("edges")

    def token_of(self, name: str, *, rotate: bool = False) -> str:
        return self.controller.feeds.create_token(name, actor="test", rotate=rotate)[1].reveal()

    def publish(self, device: str, *lines: str, name: str = LIST) -> None:
        contents = (
            [content_of(FeedList(name=GroupName(name), kind="ip", lines=lines), DeviceName(device))] if lines else []
        )
        self.controller.store.publish_feeds(DeviceName(device), contents, run=RunId("r"), at=self.clock.now())
        self.controller.store.settle_feeds(DeviceName(device))

    def pull(
        self,
        source: str,
        *,
        path: str = f"/feeds/edges/{LIST}.txt",
        user: str = "x",
        token: str = "",
        method: str = "GET",
        **headers: str,
    ) -> httpx.Response:
        if source not in self._clients:
            transport = httpx.HTTPTransport(local_address=source, verify=False)
            self._clients[source] = httpx.Client(transport=transport, base_url=f"http://{ONE}:{self.port}")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._clients[source].request(method, path, headers=sent, auth=(user, token or self.token))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def flushed(self, device: str) -> list[FeedPull]:
        self.controller.feeds.flush()
        return self.controller.feeds.pulls(device)

    def pulls(self, device: str) -> list[int]:
        return [pull.status for pull in self.flushed(device)]

    def asked(self, path: str) -> Any:
        name = f"t{self.clock.monotonic():.0f}-{len(path)}-{abs(hash(path)) % 1000}"
        token = self.controller.create_token(name, [Scope.READ], MONTH, actor="test")[1].reveal()
        return httpx.get(f"http://{ONE}:{self.port}{path}", headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def edges(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Edges]:
    (tmp_path / "inventory.yaml").write_text(getattr(request, "param", None) or inventory(), encoding="utf-8")
    opened = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path / "data", workers=2)
    with (
        Controller.open(opened, clock=ManualClock(NOON)) as controller,
        serving(create_app(controller), Bind(port=0)) as server,
    ):
        made = Edges(controller, server)
        yield made
        made.close()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- whose list -------------------------------------------------------------------------------------------------------


def test_each_is_given_its_own_by_the_address_that_it_asks_from(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    edges.publish("fw-b", "10.0.0.2/32")
    assert [edges.pull(at).text for at in (ONE, TWO)] == ["10.0.0.1/32\n", "10.0.0.2/32\n"]
    assert code(edges.pull("127.0.0.9")) == (404, "TG5011")
    assert edges.pulls("fw-a") == edges.pulls("fw-b") == [200]
    views = {v.feed.device: (v.is_current, v.group) for v in edges.controller.feeds.views()}
    assert views == {"fw-a": (True, "edges"), "fw-b": (True, "edges")}


def test_the_addresses_under_their_own_names_go_on(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    own = edges.token_of("fw-a")
    path = f"/feeds/fw-a/{LIST}.txt"
    assert edges.pull(ONE, path=path, token=own).text == "10.0.0.1/32\n"
    assert code(edges.pull(ONE, path=path)) == (401, "TG6001"), "the group's token is for the group's address"
    assert edges.pull(ONE, token=own).text == "10.0.0.1/32\n", "one of its own proves a device there as well"


def test_i02_two_behind_one_address_are_answered_only_while_they_hold_the_same(edges: Edges) -> None:
    for device in ("fw-c", "fw-d"):
        edges.publish(device, "10.0.0.1/32")
    assert edges.pull(NAT).text == "10.0.0.1/32\n"
    assert edges.pulls("fw-c") == edges.pulls("fw-d") == [200], "nobody knows which it was"
    tag = edges.pull(NAT).headers["etag"]
    edges.publish("fw-d", "10.0.0.2/32")
    for headers in ({}, {"if_none_match": tag}, {"if_none_match": "*"}):
        answer = edges.pull(NAT, **headers)
        assert code(answer) == (503, "TG5012")
        assert int(answer.headers["retry-after"]) > 0
        assert "10.0.0" not in answer.text
    assert edges.pull("127.0.0.4").text == "10.0.0.2/32\n", "from its own address it is one alone"
    edges.publish("fw-c", "10.0.0.2/32")
    assert edges.pull(NAT).text == "10.0.0.2/32\n"


def test_behind_one_address_a_name_or_a_token_tells_which_it_is(edges: Edges) -> None:
    edges.publish("fw-c", "10.0.0.1/32")
    edges.publish("fw-d", "10.0.0.2/32")
    assert edges.pull(NAT, user="fw-c").text == "10.0.0.1/32\n"
    assert edges.pull(NAT, user="fw-d").text == "10.0.0.2/32\n"
    assert edges.pull(NAT, token=edges.token_of("fw-d")).text == "10.0.0.2/32\n"
    assert edges.pull(NAT, user="fw-c", token=edges.token_of("fw-d", rotate=True)).text == "10.0.0.2/32\n"
    assert code(edges.pull(NAT, user="fw-a")) == (503, "TG5012"), "a device that may not ask from there"
    assert code(edges.pull(ONE, user="fw-d")) == (503, "TG5010"), "fw-a, which has nothing"
    assert edges.pulls("fw-c") == [503, 200]


def test_i02_a_list_that_one_of_them_has_not_is_not_given(edges: Edges) -> None:
    edges.publish("fw-c", "10.0.0.1/32")
    edges.publish("fw-d", "10.0.0.9/32", name="dst-other")
    assert code(edges.pull(NAT)) == (503, "TG5012")
    assert code(edges.pull(NAT, path="/feeds/edges/dst-third.txt")) == (404, "TG5011")


def test_one_that_was_never_given_anything_pulls_what_its_twin_enforces(edges: Edges) -> None:
    """The passive member of a pair is not written to, and takes over one day."""
    edges.publish("fw-c", "10.0.0.1/32")
    assert edges.pull(NAT).text == "10.0.0.1/32\n"
    assert code(edges.pull(NAT, user="fw-d")) == (503, "TG5010"), "who says its name is given its own or nothing"
    assert code(edges.pull("127.0.0.4")) == (503, "TG5010")


def test_i02_no_date_is_told_where_two_lists_may_share_one(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    answer = edges.pull(ONE)
    assert "last-modified" not in answer.headers
    own = edges.pull(ONE, path=f"/feeds/fw-a/{LIST}.txt", token=edges.token_of("fw-a"))
    again = edges.pull(ONE, if_modified_since=own.headers["last-modified"])
    assert (again.status_code, again.text) == (200, "10.0.0.1/32\n")
    assert edges.pull(ONE, if_none_match=answer.headers["etag"]).status_code == 304


HELD = st.sampled_from([(), ("10.0.0.1/32",), ("10.0.0.2/32",), ("10.0.0.1/32", "10.0.0.2/32")])


@given(held=st.fixed_dictionaries(dict.fromkeys(ALLOWED, HELD)), user=st.sampled_from(["x", *ALLOWED]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_i02_whoever_asks_is_given_what_all_hold_that_it_may_be(
    edges: Edges, held: Mapping[str, Any], user: str
) -> None:
    for device, lines in held.items():
        edges.publish(device)
        edges.publish(device, *lines)
    for source in (ONE, TWO, NAT, "127.0.0.4"):
        maybe = [name for name, nets in ALLOWED.items() if source in nets]
        maybe = [user] if user in maybe else maybe
        answer = edges.pull(source, user=user)
        texts = {"".join(f"{line}\n" for line in held[name]) for name in maybe if held[name]}
        if len(texts) == 1:
            assert (answer.status_code, answer.text) == (200, *texts)
        else:
            assert answer.status_code == 503


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_of_a_group_opens_the_groups_address_alone(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    for wrong in (edges.token_of("fw-b"), edges.token_of("alone"), "tokfeed_00000000_" + "0" * 32):
        assert code(edges.pull(ONE, token=wrong)) == (401, "TG6001")
    assert edges.pulls("fw-a") == [401] * 3
    assert code(edges.pull(ONE, path=f"/feeds/alone/{LIST}.txt")) == (401, "TG6001")
    edges.controller.feeds.revoke_tokens("edges", actor="test")
    assert code(edges.pull(ONE)) == (401, "TG6001")
    with pytest.raises(NotFound):
        edges.controller.feeds.create_token("edgy", actor="test")


def test_i02_a_token_of_a_group_is_taken_while_one_of_them_still_comes_with_it(edges: Edges) -> None:
    """That one firewall has learnt the new one says nothing of the others; a refused login empties a list on some."""
    for device in ("fw-a", "fw-b"):
        edges.publish(device, "10.0.0.1/32")
    old, new = edges.token, edges.token_of("edges", rotate=True)
    for _ in range(50):
        edges.clock.advance(timedelta(hours=1))
        assert (edges.pull(ONE, token=new).status_code, edges.pull(TWO, token=old).status_code) == (200, 200)
        edges.controller.feeds.flush()
    edges.clock.advance(ROTATION)
    assert edges.pull(ONE, token=new).status_code == 200
    assert code(edges.pull(TWO, token=old)) == (401, "TG6001")


@pytest.mark.parametrize("edges", [inventory(auth="address")], indirect=True)
def test_without_tokens_the_address_tells(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    edges.publish("fw-c", "10.0.0.1/32")
    edges.publish("fw-d", "10.0.0.2/32")
    base = f"http://{ONE}:{edges.port}/feeds/edges/{LIST}.txt"
    assert httpx.get(base).text == "10.0.0.1/32\n"
    with httpx.Client(transport=httpx.HTTPTransport(local_address=NAT, verify=False)) as client:
        assert code(client.get(base)) == (503, "TG5012")


@pytest.mark.parametrize("edges", [inventory(auth="address")], indirect=True)
def test_an_emulated_srx_that_sends_no_password_looks_by_head_and_takes_what_is_new(edges: Edges) -> None:
    """Its owner has told it the group's address; it asks every minute."""
    edges.publish("fw-b", "192.0.2.255/32", "203.0.113.0/24", "2001:db8:5::/48")
    base, policy = "set security dynamic-address", "set security policies global policy P"
    device = srx(clock=edges.clock, fetch=polling(Wire(source=TWO)))
    keyboard = configuring(
        device,
        f"{base} feed-server tokgate url http://{ONE}:{edges.port}",
        f"{base} feed-server tokgate update-interval 60",
        f"{base} feed-server tokgate feed-name {LIST} path /feeds/edges/{LIST}.txt",
        f"{base} address-name tiktok profile feed-name {LIST}",
        f"{policy} match source-address any destination-address tiktok application any",
        f"{policy} then deny",
    )
    assert keyboard.type("commit and-quit").startswith("commit complete")

    def covered(address: str) -> bool:
        edges.clock.advance(timedelta(minutes=1))
        device.tick()
        (feed,) = device.engines[0].feeds.all()
        return any(ip_address(address) in net for net in feed.networks if net.version == ip_address(address).version)

    assert [covered(at) for at in ("203.0.113.9", "2001:db8:5::1", "198.51.100.1")] == [True, True, False]
    edges.publish("fw-b", "192.0.2.255/32", "198.51.100.0/24")
    assert [covered(at) for at in ("203.0.113.9", "198.51.100.1")] == [False, True]
    got = [pull.octets for pull in reversed(edges.flushed("fw-b"))]
    assert sum(1 for octets in got if octets) == 2, "the whole list only when it is another"
    for _ in range(200):
        assert covered("198.51.100.1")
    edges.flushed("fw-b")
    (view,) = edges.controller.feeds.views_of("fw-b")
    assert (view.is_current, view.stale) == (True, "")


# --- looking ----------------------------------------------------------------------------------------------------------


def test_who_looks_by_head_and_has_the_list_has_come_for_it(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    edges.pull(ONE, method="HEAD")
    edges.controller.feeds.flush()
    (view,) = edges.controller.feeds.views_of("fw-a")
    assert view.pulled is None, "it looked, and has nothing"
    edges.pull(ONE)
    for _ in range(3):
        edges.clock.advance(timedelta(hours=1))
        edges.pull(ONE, method="HEAD")
        edges.controller.feeds.flush()
    (view,) = edges.controller.feeds.views_of("fw-a")
    assert (view.is_current, view.stale) == (True, "")
    edges.publish("fw-a", "10.0.0.2/32")
    edges.clock.advance(timedelta(hours=3))
    edges.pull(ONE, method="HEAD")
    edges.controller.feeds.flush()
    (view,) = edges.controller.feeds.views_of("fw-a")
    assert (view.is_current, view.stale[:15]) == (False, "it was last pul")


def test_the_api_tells_of_groups_and_what_they_are_not_answered_with(edges: Edges) -> None:
    edges.publish("fw-a", "10.0.0.1/32")
    edges.publish("fw-c", "10.0.0.1/32")
    edges.publish("fw-d", "10.0.0.2/32")
    (group,) = edges.asked("/api/v1/feed-groups").json()["items"]
    assert (group["name"], group["path"]) == ("edges", "/feeds/edges/")
    assert {member["device"]: member["allow"] for member in group["devices"]} == {
        name: [f"{net}/32" for net in nets] for name, nets in ALLOWED.items()
    }
    assert group["mixed"] == [{"name": LIST, "devices": ["fw-c", "fw-d"]}]
    assert [token["prefix"] for token in group["tokens"]] == [edges.token.split("_")[1]]
    assert edges.asked("/api/v1/feed-groups/edges").json() == group
    assert code(edges.asked("/api/v1/feed-groups/edgy")) == (404, "TG5001")
    items = edges.asked("/api/v1/feeds?group=edges").json()["items"]
    assert [(item["device"], item["group"]) for item in items] == [(d, "edges") for d in ("fw-a", "fw-c", "fw-d")]
    assert code(edges.asked("/api/v1/feeds?group=other")) == (404, "TG5001")
    assert edges.asked("/api/v1/feeds/fw-a").json()["group"] == "edges"
    assert 'tokgate_feed_mixed{group="edges"} 1.0' in edges.asked("/metrics").text
    edges.publish("fw-d", "10.0.0.1/32")
    edges.clock.advance(timedelta(seconds=1))
    assert 'tokgate_feed_mixed{group="edges"} 0.0' in edges.asked("/metrics").text


# --- the inventory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alone", "fw-a"])
def test_a_group_has_no_devices_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InventoryError) as told:
        offices(tmp_path, inventory(group=name))
    assert f"'{name}' is a device (line " in str(told.value)
    assert "sites.berlin.devices.fw-a.feed.group" in str(told.value)


def test_groups_are_of_all_sites_in_order(tmp_path: Path) -> None:
    read = offices(tmp_path, inventory(dict(reversed(ALLOWED.items()))))
    assert {name: [d.name for d in ds] for name, ds in read.feed_groups.items()} == {"edges": list(ALLOWED)}
    assert {a for a, b in product(read.by_name, read.feed_groups) if a == b} == set()


PLACES = st.lists(
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.0/30", "10.0.0.2/31", "10.0.1.0/24", "2001:db8::1"]), max_size=3
)


@given(allowed=st.lists(PLACES, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_may_ask_from_an_address_is_who_is_allowed_there(tmp_path: Path, allowed: list[list[str]]) -> None:
    read = offices(tmp_path, inventory({f"fw-{number}": nets for number, nets in enumerate(allowed)}))
    devices = read.feed_groups["edges"]
    for asking in map(ip_address, ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.9", "192.0.2.1", "2001:db8::1")):
        expected = [d.name for d in devices if any(asking in n for n in d.pulls_from if n.version == asking.version)]
        assert [device.name for device in Places(devices).of(asking)] == expected
    meeting = {frozenset(pair) for pair in _meeting(devices)}
    assert meeting == {
        frozenset((one.name, other.name))
        for one, other in combinations(devices, 2)
        if any(a.overlaps(b) for a in one.pulls_from for b in other.pulls_from if a.version == b.version)
    }


def test_a_group_of_thousands_is_looked_over_at_once(tmp_path: Path) -> None:
    some = offices(tmp_path, inventory({"fw-0": ["10.0.0.1"]})).feed_groups["edges"][0]
    nets = [parse_network(f"10.{n >> 8}.{n & 255}.1/32") for n in range(10_000)]
    devices = [
        some.model_copy(update={"name": f"fw-{n:05}", "feed": some.feed.model_copy(update={"allow": (net,)})})
        for n, net in enumerate(nets)
    ]
    began = time.process_time()
    places = Places(devices)
    assert [places.of(net.network_address)[0].name for net in nets] == [device.name for device in devices]
    assert list(_meeting(devices)) == []
    assert time.process_time() - began < 5
