"""Who may say what: strangers, impostors, relays, clocks, and that every message is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import InventoryError
from controller.evidence.model import Quarantine
from controller.evidence.senders import Senders
from controller.evidence.setting_aside import KEPT
from controller.evidence.sifting import Arrival, Lately, Sieve, Sifted
from controller.evidence.syslog import Overlong
from controller.inventory import Inventory
from tests.controller.offices import YAML, offices

NOW = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
TEXT = YAML.replace("host: 127.0.0.1, port: 9,", "host: 192.0.2.1,").replace(
    "host: 127.0.0.1, port: 10,", "host: fw.austin.example,"
)
SENSORS = """
evidence:
  sensors:
    fw-austin: {site: austin, addresses: [192.0.2.2], time_zone: UTC}
    collector: {site: berlin, addresses: ["192.0.2.8/29"], relays: true}
    sonde: {site: austin, addresses: ["192.0.2.10"]}
"""
DENIED = '%ASA-4-106023: Deny tcp src inside:10.20.0.15/5 dst outside:103.136.220.10/443 by access-group "a" [0x0, 0x0]'


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return offices(tmp_path_factory.mktemp("offices"), TEXT + SENSORS)


def a_sieve(inventory: Inventory) -> Sieve:
    return Sieve(senders=Senders(inventory), ahead=timedelta(minutes=5), too_old=timedelta(days=7))


@pytest.fixture
def sieve(inventory: Inventory) -> Sieve:
    return a_sieve(inventory)


CERTIFIED = """
evidence:
  sensors:
    fw-austin: {site: austin, addresses: [192.0.2.2], time_zone: UTC, certificate_names: [FW.austin.example]}
"""


@pytest.mark.parametrize(
    ("names", "peer", "over", "sensor"),
    [
        pytest.param(["x", "fw.austin.example"], "203.0.113.9", "tls", "fw-austin", id="from-anywhere"),
        pytest.param(["fw.austin.example"], "192.0.2.1", "tls", "fw-austin", id="and-from-another-s-address"),
        pytest.param(["collector.example"], "192.0.2.1", "tls", "fw-berlin", id="who-has-no-names-by-address"),
        pytest.param(["collector.example"], "192.0.2.2", "tls", "impostor", id="another-s-certificate"),
        pytest.param(["collector.example"], "203.0.113.9", "tls", "stranger", id="of-nobody"),
        pytest.param([], "192.0.2.2", "udp", "fw-austin", id="without-one-by-address"),
    ],
)
def test_over_tls_a_sender_is_whom_its_certificate_names(
    tmp_path: Path, names: list[str], peer: str, over: str, sensor: str
) -> None:
    senders = Senders(offices(tmp_path, TEXT + CERTIFIED))
    sieve = Sieve(senders=senders, ahead=timedelta(minutes=90), too_old=timedelta(days=7))
    found = sieve.sift([Arrival(line(), peer, over, NOW, names=tuple(names))])
    told = [s.sensor for s in found.sightings] or [one.why.value for one in found.rejected]
    assert told == [sensor]


def test_a_name_in_a_certificate_is_of_one_sensor(tmp_path: Path) -> None:
    both = CERTIFIED + "    sonde: {site: austin, certificate_names: [fw.austin.example]}\n"
    with pytest.raises(InventoryError, match=r"fw-austin and sonde have the certificate name fw\.austin\.example"):
        offices(tmp_path, TEXT + both)


BACK = timedelta(hours=1)


@pytest.mark.parametrize(
    ("times", "peer", "kept", "back"),
    [
        pytest.param(["08:28", "06:20", "08:29"], "192.0.2.1", 2, 1, id="set-back-by-two-hours"),
        pytest.param(["08:28", "07:50", "08:29"], "192.0.2.1", 3, 0, id="a-little-out-of-order"),
        pytest.param(["05:00", "06:30", "08:00"], "192.0.2.1", 3, 0, id="late-and-in-order"),
        pytest.param(["08:34", "08:29"], "192.0.2.1", 2, 0, id="ahead-within-what-clocks-differ"),
        pytest.param(["09:40", "08:20"], "192.0.2.1", 1, 0, id="what-was-to-come-counts-for-nothing"),
        pytest.param(["08:28", "06:20"], "192.0.2.9", 2, 0, id="through-a-relay-that-kept-it"),
    ],
)
def test_a_clock_that_jumps_back_is_told(
    inventory: Inventory, times: list[str], peer: str, kept: int, back: int
) -> None:
    sieve = Sieve(senders=Senders(inventory), ahead=timedelta(minutes=5), too_old=timedelta(days=7), back=BACK)
    found = [sift(sieve, line("fw-berlin", f"Nov 27 2026 {at}:00"), peer) for at in times]
    why = [one.why for sifted in found for one in sifted.rejected]
    assert sum(len(sifted.sightings) for sifted in found) == kept
    assert why.count(Quarantine.CLOCK_BACK) == back
    assert len(why) + kept == len(times), "every one is accounted for"


def line(host: str = "asa", at: str = "Nov 27 2026 08:29:00") -> bytes:
    return f"<164>{at} {host} : {DENIED}".encode()


def sift(sieve: Sieve, raw: bytes | Overlong, peer: str = "192.0.2.1", **other: bool) -> Sifted:
    return sieve.sift([Arrival(raw, peer, "udp", NOW, **other)])


@pytest.mark.parametrize(
    ("raw", "peer", "sensor", "at"),
    [
        pytest.param(line(), "192.0.2.1", "fw-berlin", "07:29", id="a-device-by-its-address"),
        pytest.param(line(), "198.18.7.1", "fw-berlin", "07:29", id="by-another-address-of-its-own"),
        pytest.param(line(), "::ffff:192.0.2.1", "fw-berlin", "07:29", id="on-a-socket-of-both-families"),
        pytest.param(line("fw-berlin"), "192.0.2.1", "fw-berlin", "07:29", id="by-its-own-name"),
        pytest.param(line(at="Nov 27 2026 07:29:00"), "192.0.2.2", "fw-austin", "07:29", id="a-clock-of-its-own"),
        pytest.param(
            line("fw-austin", at="Nov 27 2026 07:29:00"), "192.0.2.9", "fw-austin", "07:29", id="through-a-relay"
        ),
        pytest.param(line("192.0.2.1"), "192.0.2.9", "fw-berlin", "07:29", id="a-relay-names-an-address"),
        pytest.param(line("fw-berlin.example"), "192.0.2.9", "fw-berlin", "07:29", id="a-relay-names-the-whole-name"),
        pytest.param(line(at="Nov 27 2026 01:29:00"), "192.0.2.10", "sonde", "07:29", id="the-narrower-network"),
    ],
)
def test_who_wrote_it_is_known_by_address(sieve: Sieve, raw: bytes, peer: str, sensor: str, at: str) -> None:
    found = sift(sieve, raw, peer)
    assert [(s.sensor, f"{s.at:%H:%M}") for s in found.sightings] == [(sensor, at)], found.rejected
    assert found.heard == {sensor: NOW}


@pytest.mark.parametrize(
    ("raw", "peer", "why", "said", "site"),
    [
        pytest.param(line(), "203.0.113.5", "stranger", "no device and no sensor", None, id="a-stranger"),
        pytest.param(
            line("fw-austin"), "192.0.2.1", "impostor", "speaks as 'fw-austin'", "berlin", id="another-s-name"
        ),
        pytest.param(
            line("192.0.2.2"), "192.0.2.1", "impostor", "which is fw-austin", "berlin", id="another-s-address"
        ),
        pytest.param(line("nobody"), "192.0.2.9", "stranger", "passes on what 'nobody' wrote", "berlin", id="relayed"),
        pytest.param(line(at="Nov 27 2026 08:36:00"), "192.0.2.1", "future", "360 s ahead", "berlin", id="future"),
        pytest.param(line(at="Nov 20 2026 08:29:00"), "192.0.2.1", "too-old", "168 h old", "berlin", id="old"),
        pytest.param(
            b"<164>Nov 27 2026 08:29:00 x : hello", "192.0.2.1", "unreadable", "no known", "berlin", id="unknown"
        ),
        pytest.param(b"\xff\xfe\x00", "192.0.2.1", "unreadable", "no known", "berlin", id="no-text"),
        pytest.param(b"", "192.0.2.1", "unreadable", "empty", "berlin", id="empty"),
        pytest.param(Overlong(b"<1>x", 70_000), "192.0.2.1", "too-long", "70000 bytes", "berlin", id="too-long"),
    ],
)
def test_what_is_no_evidence_is_set_aside_with_the_reason(
    sieve: Sieve, raw: bytes | Overlong, peer: str, why: str, said: str, site: str | None
) -> None:
    found = sift(sieve, raw, peer)
    assert found.sightings == ()
    (one,) = found.rejected
    assert (one.why, one.site, one.origin) == (why, site, f"syslog udp {peer}")
    assert said in one.detail


def test_half_a_line_is_none(sieve: Sieve) -> None:
    found = sift(sieve, line()[:-9], cut=True)
    assert [(r.why, r.detail) for r in found.rejected] == [
        (Quarantine.UNREADABLE, "cut off: its connection ended inside of it")
    ]


@given(st.lists(st.tuples(st.sampled_from([line(), line("fw-austin"), b"x", b"%ASA-6-305011: Built x"]),
                          st.sampled_from(["192.0.2.1", "192.0.2.9", "203.0.113.5"])), max_size=60))  # fmt: skip
def test_every_message_is_accounted_for(inventory: Inventory, sent: list[tuple[bytes, str]]) -> None:
    found = a_sieve(inventory).sift([Arrival(raw, peer, "udp", NOW) for raw, peer in sent])
    set_aside = sum(one.count for one in found.rejected)
    assert len(found.sightings) + set_aside + found.passed + found.repeated == len(sent)


def test_a_flood_of_one_kind_is_counted_and_few_are_held(sieve: Sieve) -> None:
    found = sieve.sift([Arrival(b"x%d" % n, "203.0.113.5", "udp", NOW) for n in range(5_000)])
    assert len(found.rejected) == KEPT
    assert sum(one.count for one in found.rejected) == 5_000


def structured(session: int) -> bytes:
    said = 'source-address="10.20.0.15" source-port="5" destination-address="103.136.220.10" destination-port="443"'
    said += f' protocol-id="6" policy-name="a" session-id-32="{session}"'
    return f"<14>1 2026-11-27T07:29:00Z srx RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.129 {said}]".encode()


RELAY = "192.0.2.9"


@pytest.mark.parametrize(
    ("first", "second", "sightings"),
    [
        pytest.param((line(), "192.0.2.1"), (line(), "192.0.2.1"), 1, id="sent-again"),
        pytest.param(
            (line("fw-berlin"), "192.0.2.1"),
            (f"<164>1 2026-11-27T07:29:00Z fw-berlin - - - - {DENIED}".encode(), RELAY),
            1,
            id="also-by-a-relay-that-writes-another-header",
        ),
        pytest.param((structured(7), "192.0.2.1"), (structured(7), "192.0.2.1"), 1, id="structured"),
        pytest.param((structured(7), "192.0.2.1"), (structured(8), "192.0.2.1"), 2, id="of-another-session"),
        pytest.param((line(), "192.0.2.1"), (line(at="Nov 27 2026 08:29:01"), "192.0.2.1"), 2, id="a-second-later"),
        pytest.param((line(), "192.0.2.1"), (line(at="Nov 27 2026 07:29:00"), "192.0.2.2"), 2, id="of-another-device"),
        pytest.param((DENIED.encode(), "192.0.2.1"), (DENIED.encode(), "192.0.2.1"), 2, id="without-a-time"),
    ],
)
def test_a_message_that_comes_again_counts_once(
    sieve: Sieve, first: tuple[bytes, str], second: tuple[bytes, str], sightings: int
) -> None:
    found = [sift(sieve, raw, peer) for raw, peer in (first, second)]
    assert not any(one.rejected for one in found)
    assert sum(len(one.sightings) for one in found) == sightings
    assert sum(one.repeated for one in found) == 2 - sightings


def test_what_was_set_aside_is_no_message_that_was_taken(sieve: Sieve) -> None:
    """A clock that is ahead: what it said is believed when our clock has come there."""
    raw = line(at="Nov 27 2026 08:36:00")
    assert [one.why for one in sift(sieve, raw).rejected] == [Quarantine.FUTURE]
    later = sieve.sift([Arrival(raw, "192.0.2.1", "udp", NOW + timedelta(minutes=2))])
    assert (len(later.sightings), later.repeated) == (1, 0)


def test_what_is_remembered_of_messages_has_an_end() -> None:
    lately = Lately(10)
    assert not any(lately.knows(key) for key in range(15))
    assert all(lately.knows(key) for key in range(5, 15)), "the last ones at least"
    assert not any(lately.knows(key) for key in range(100, 1_000))
    assert not lately.knows(14)


# --- the inventory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("sensors: {a: {site: berln}}", "no site 'berln'; did you mean 'berlin'?", id="site"),
        pytest.param("sensors: {fw-berlin: {site: austin}}", "device 'fw-berlin' is at site 'berlin'", id="device"),
        pytest.param(
            "sensors: {a: {site: berlin, addresses: [192.0.2.7]}, b: {site: berlin, addresses: [192.0.2.7]}}",
            "192.0.2.7/32 is already of sensor 'a'",
            id="twice",
        ),
        pytest.param('listen: [{over: udp, at: "5514"}]', "expected an address and a port", id="place"),
        pytest.param('listen: [{over: udp, at: "::1:5514"}]', "expected an address and a port", id="bare-v6"),
        pytest.param('listen: [{over: tls, at: "0.0.0.0:6514"}]', "needs `certificate` and `key`", id="tls"),
        pytest.param('listen: [{over: tcp, at: "0.0.0.0:1", key: k}]', "are for tls, not for tcp", id="no-tls"),
        pytest.param(
            'listen: [{over: tcp, at: "0.0.0.0:1"}, {over: tls, at: "0.0.0.0:1", certificate: a, key: b}]',
            "0.0.0.0:1 is already listened at",
            id="one-place-twice",
        ),
    ],
)
def test_a_bad_inventory_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InventoryError, match="evidence") as told:
        offices(tmp_path, f"{YAML}evidence: {{{text}}}\n")
    assert said in str(told.value)
