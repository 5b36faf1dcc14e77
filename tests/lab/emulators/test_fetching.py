"""What an emulated firewall sends for its lists over a real socket, and what it makes of each answer."""

from __future__ import annotations

import gzip
import socket
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import ManualClock
from lab.emulators.fetching import Cut, Request, Trust, Untrusted, Wire, polling
from lab.emulators.fortios import FortiGate
from lab.emulators.panos import PanOs
from lab.emulators.panos.switches import Switches
from lab.emulators.traffic import Verdict
from tests.ipsets.certificates import Certificates, Pair, make
from tests.lab.emulators import test_fortios_traffic as fortios
from tests.lab.emulators import test_panos_traffic as panos
from tests.lab.emulators.fortios import configuring, fortigate
from tests.lab.emulators.web import Web, said, web

LISTED = "203.0.113.7"
LIST = f"{LISTED}\n".encode()
NOON = panos.NOON


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


# --- one request ------------------------------------------------------------------------------------------------------


def test_a_request_says_what_it_was_told_to_say() -> None:
    with web() as server:
        server.answer = lambda asked: said(200, LIST, ETag='"a"', Last_Modified="Mon, 02 Mar 2026 12:00:00 GMT")
        request = Request(url=server.url(), username="fw", password="s:1", agent="box", tag='"b"', date="then")
        answer = Wire(source="127.0.0.3").send(request)
    assert (answer.status, answer.body, answer.tag) == (200, LIST, '"a"')
    assert answer.date == "Mon, 02 Mar 2026 12:00:00 GMT"
    (asked,) = server.asked
    assert (asked.line, asked.source) == ("GET /list.txt HTTP/1.1", "127.0.0.3")
    told = ("host", "user-agent", "authorization", "if-none-match", "if-modified-since")
    assert [asked.headers[name] for name in told] == [
        f"127.0.0.1:{server.port}",
        "box",
        f"Basic {b64encode(b'fw:s:1').decode()}",
        '"b"',
        "then",
    ]


def test_what_is_not_told_is_not_sent() -> None:
    with web() as server:
        Wire().send(Request(url=server.url()))
    missing = {"authorization", "if-none-match", "if-modified-since", "user-agent"}
    assert not missing & server.asked[0].headers.keys()
    assert server.asked[0].headers.get("accept-encoding", "identity") == "identity"


def test_a_zipped_body_is_unzipped_and_half_of_one_is_nothing() -> None:
    zipped = gzip.compress(LIST)
    with web() as server:
        server.answer = lambda asked: said(200, zipped, Content_Encoding="gzip")
        assert Wire().send(Request(url=server.url(), gzip=True)).body == LIST
        assert server.asked[0].headers["accept-encoding"] == "gzip"
        server.answer = lambda asked: said(200, zipped[:-4], Content_Encoding="gzip")
        with pytest.raises(Cut):
            Wire().send(Request(url=server.url(), gzip=True))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(said(200, LIST, Content_Length="100"), id="short-of-its-length"),
        pytest.param(said(200, b"4\r\n192.\r\n", Transfer_Encoding="chunked"), id="without-a-last-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="in-the-headers"),
        pytest.param(b"hello\r\n\r\n", id="no-http"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_ends_early_is_no_answer(answer: bytes) -> None:
    with web() as server:
        server.answer = lambda asked: answer
        with pytest.raises(OSError):  # whichever of them
            Wire().send(Request(url=server.url()))


def test_nobody_there_and_nobody_answering() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TimeoutError):
            Wire(seconds=0.1).send(Request(url=url))
    with pytest.raises(ConnectionRefusedError):
        Wire().send(Request(url=url))


def test_certificates_are_looked_at_as_far_as_the_box_is_told(certificates: Certificates) -> None:
    ours = certificates.authority.read_text()
    full, names_aside = Trust(authorities=ours), Trust(authorities=ours, names=False)
    taken: dict[str, tuple[Pair, list[Trust | None]]] = {
        "good": (certificates.good, [full, names_aside, None]),
        "expired": (certificates.expired, [None]),
        "another name": (certificates.other_name, [names_aside, None]),
        "nobody's": (certificates.nobodys, [None]),
    }
    for what, (pair, takers) in taken.items():
        with web(pair) as server:
            for trust in (full, names_aside, None, Trust(authorities="")):
                request = Request(url=server.url(), trust=trust)
                if trust in takers:
                    assert Wire().send(request).status == 200, what
                else:
                    with pytest.raises(Untrusted):
                        Wire().send(request)
            asked = len(server.asked)
        assert asked == len(takers), "nothing is asked of who is not trusted"


def test_a_name_is_looked_up_as_the_box_knows_it(certificates: Certificates) -> None:
    trust = Trust(authorities=certificates.authority.read_text())
    with web(certificates.good) as server:
        request = Request(url=server.url(host="dns.test"), trust=trust)
        assert Wire(hosts={"dns.test": "127.0.0.1"}).send(request).body == b"192.0.2.1\n"


def test_polling_asks_for_the_whole_only_when_there_is_another() -> None:
    with web() as server:
        tag = '"1"'
        server.answer = lambda asked: said(200, LIST if asked.line.startswith("GET") else b"", ETag=tag)
        fetch = polling(Wire(), lambda url: Request(url=url, username="fw", password="x"))
        assert [fetch(server.url()) for _ in range(3)] == [LIST] * 3
        tag = '"2"'
        fetch(server.url())
        server.answer = lambda asked: said(503)
        with pytest.raises(OSError, match="503"):
            fetch(server.url())
    assert [asked.line.split()[0] for asked in server.asked] == ["HEAD", "GET", "HEAD", "HEAD", "HEAD", "GET", "HEAD"]
    assert all("authorization" in asked.headers for asked in server.asked)


# --- what each vendor makes of an answer ------------------------------------------------------------------------------

KEEPS, EMPTIES = True, False
ANSWERS: dict[str, tuple[bytes, bool, bool]] = {
    # the answer to the second request; whether PAN-OS and FortiOS still enforce what the first one brought
    "not modified": (said(304), KEEPS, KEEPS),
    "login refused": (said(401, b"who?"), EMPTIES, KEEPS),
    "forbidden": (said(403), EMPTIES, KEEPS),
    "not found": (said(404, b"none"), KEEPS, KEEPS),
    "too many": (said(429, Retry_After="60"), KEEPS, KEEPS),
    "broken": (said(500, b"0.0.0.0/0"), KEEPS, KEEPS),
    "away": (said(503, Retry_After="60"), KEEPS, KEEPS),
    "elsewhere": (said(302, Location="/other"), KEEPS, KEEPS),
    "cut off": (said(200, b"192.0.2.1\n", Content_Length="100"), KEEPS, KEEPS),
    "nothing": (b"", KEEPS, KEEPS),
    "empty": (said(200), EMPTIES, EMPTIES),
    "another list": (said(200, b"192.0.2.1\n"), EMPTIES, EMPTIES),
}


class Box:
    """An emulated firewall that has pulled ``LIST`` from a server, and lets everything else pass."""

    def __init__(self, device: PanOs | FortiGate, clock: ManualClock, flow: Callable[[], bool]) -> None:
        self.device, self.clock, self._denies = device, clock, flow

    def polls(self) -> None:
        self.clock.advance(timedelta(minutes=5))
        self.device.tick()

    def enforces(self) -> bool:
        return self._denies()


def panos_box(server: Web, wire: Wire, *lines: str, **switches: object) -> Box:
    clock = ManualClock(NOON)
    device = panos.panos(clock=clock, fetch=wire, switches=Switches(**switches))  # type: ignore[arg-type]
    head = "set external-list FEED type ip"
    login = (f"{head} auth username fw", f"{head} auth password s3cret")
    panos.commit(device, f"{head} url {server.url()} recurring five-minute", *login, *lines, *panos.USE)
    return Box(device, clock, lambda: device.forward(panos.flow()) is Verdict.DENY)


def fortios_box(server: Web, wire: Wire, *lines: str) -> Box:
    clock, ports = ManualClock(NOON), iter(range(1024, 65536))
    device = fortigate(clock=clock, fetch=wire)
    keyboard = configuring(device, "system external-resource", "edit F", "set type address")
    keyboard.all(f"set resource {server.url()}", "set username fw", "set password s3cret", *lines, "end")
    keyboard.all("config firewall policy", "edit 7", "set dstaddr F", "set service ALL", "end")
    flow = lambda: fortios.flow(target=LISTED, source_port=next(ports))  # noqa: E731
    box = Box(device, clock, lambda: device.forward(flow()) is Verdict.DENY)
    device.tick()
    return box


@pytest.mark.parametrize("what", ANSWERS)
def test_panos_enforces_the_last_good_copy_but_not_after_a_refused_login(what: str) -> None:
    answer, keeps, _ = ANSWERS[what]
    with web() as server:
        server.answer = lambda asked: said(200, LIST, ETag='"1"')
        box = panos_box(server, Wire())
        assert box.enforces()
        server.answer = lambda asked: answer
        box.polls()
        assert box.enforces() is keeps
        server.answer = lambda asked: said(200, LIST)
        box.polls()
        assert box.enforces()
        assert [asked.headers["authorization"] for asked in server.asked] == [
            f"Basic {b64encode(b'fw:s3cret').decode()}"
        ] * 3


@pytest.mark.parametrize("what", ANSWERS)
def test_fortios_enforces_the_last_good_copy(what: str) -> None:
    answer, _, keeps = ANSWERS[what]
    with web() as server:
        server.answer = lambda asked: said(200, LIST, ETag='"1"')
        box = fortios_box(server, Wire())
        assert box.enforces()
        server.answer = lambda asked: answer
        box.polls()
        assert box.enforces() is keeps
        server.answer = lambda asked: said(200, LIST)
        box.polls()
        assert box.enforces()
        assert {asked.headers["user-agent"] for asked in server.asked} == {"curl/7.58.0"}


def test_fortios_asks_with_the_tag_of_what_it_has() -> None:
    with web() as server:
        server.answer = lambda asked: (
            said(304) if asked.headers.get("if-none-match") == '"1"' else said(200, LIST, ETag='"1"')
        )
        box = fortios_box(server, Wire(), "set user-agent box")
        box.polls()
        assert box.enforces()
        configuring(box.device, "system external-resource", "edit F", f"set resource {server.url('other.txt')}", "end")
        box.device.tick()
    told = [asked.headers.get("if-none-match") for asked in server.asked]
    assert told == [None, '"1"', None], "a tag is of one address"
    assert server.asked[0].headers["user-agent"] == "box"


@pytest.mark.parametrize(("how", "header"), [("tag", "if-none-match"), ("date", "if-modified-since"), ("none", "")])
def test_whether_panos_asks_with_what_it_has_is_a_switch(how: str, header: str) -> None:
    conditional = {"if-none-match", "if-modified-since"}
    with web() as server:
        server.answer = lambda asked: (
            said(304) if conditional & asked.headers.keys() else said(200, LIST, ETag='"1"', Last_Modified="then")
        )
        box = panos_box(server, Wire(), list_conditional=how, list_gzip=True)
        box.polls()
        assert box.enforces()
        assert conditional & server.asked[1].headers.keys() == ({header} - {""})
        assert server.asked[1].headers["accept-encoding"] == "gzip"
        server.answer = lambda asked: said(401)
        box.polls()
        server.answer = lambda asked: said(200, LIST)
        box.polls()
        assert not conditional & server.asked[3].headers.keys(), "of what was thrown away there is no tag"


def test_whether_panos_takes_an_empty_list_is_a_switch() -> None:
    with web() as server:
        server.answer = lambda asked: said(200, LIST)
        box = panos_box(server, Wire(), empty_list_taken=False)
        server.answer = lambda asked: said(200)
        box.polls()
        assert box.enforces()


PROFILE = "set external-list FEED type ip certificate-profile FEED_CA"


@pytest.mark.parametrize("pair", ["expired", "other_name", "nobodys"])
def test_panos_enforces_no_list_of_a_server_whose_certificate_its_profile_does_not_take(
    certificates: Certificates, pair: str
) -> None:
    """It is as bad as a refused login. Without a profile no certificate is looked at."""
    wire = Wire(authorities={"FEED_CA": certificates.authority.read_text()})
    with web(getattr(certificates, pair)) as server:
        server.answer = lambda asked: said(200, LIST)
        assert panos_box(server, wire).enforces()
        box = panos_box(server, wire, PROFILE)
        assert not box.enforces()
        assert any("Authentication failed" in line for line in box.device.plane.feeds.log)  # type: ignore[union-attr]
    with web(certificates.good) as server:
        server.answer = lambda asked: said(200, LIST)
        assert panos_box(server, wire, PROFILE).enforces()


@pytest.mark.parametrize(
    ("pair", "check", "taken"),
    [
        ("good", "full", True),
        ("other_name", "full", False),
        ("other_name", "basic", True),
        ("expired", "basic", False),
        ("nobodys", "basic", False),
        ("nobodys", "none", True),
    ],
)
def test_fortios_looks_at_certificates_as_far_as_it_is_told(
    certificates: Certificates, pair: str, check: str, taken: bool
) -> None:
    wire = Wire(authorities={"house": certificates.authority.read_text()})
    with web(getattr(certificates, pair)) as server:
        server.answer = lambda asked: said(200, LIST)
        assert fortios_box(server, wire, f"set server-identity-check {check}").enforces() is taken


def test_a_box_without_the_authority_takes_nobody(certificates: Certificates, tmp_path: Path) -> None:
    with web(certificates.good) as server:
        server.answer = lambda asked: said(200, LIST)
        assert not fortios_box(server, Wire(), "set server-identity-check basic").enforces()
        assert not panos_box(server, Wire(), PROFILE).enforces()
