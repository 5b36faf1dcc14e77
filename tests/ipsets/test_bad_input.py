"""Every bad input that a source may bring, through a whole refresh: it is named, and the last good snapshot stands.

Real servers on the loopback, a real store, the real controller; each refresh opens the store anew, as after a restart.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.desired import desired_for
from controller.service import Controller
from controller.settings import Settings
from controller.store import Store
from core.clock import ManualClock
from core.net import DomainName
from ipsets.errors import GuardTripped
from ipsets.model import Snapshot
from ipsets.resolve import SourceRecord
from ipsets.sources.plain import parse_line
from tests.controller.offices import NOON, YAML, facts, offices
from tests.ipsets.making import curated, snapshot, texts, tiktok
from tests.ipsets.origins import Reply, dns_server, web
from tests.ipsets.test_irr import ANSWERS, answer, irr
from tests.ipsets.test_review_sources import dripping

WITHOUT = snapshot(curated()).id
"""The list, when the source in question brings nothing."""
GOOD = "5.5.5.0/24\n5.5.6.0/24\n2605:340:1::/48\nnew.example\n"
LIST = "{{kind: list, name: theirs, dedicated: true, attempts: 1, timeout_seconds: 5, max_bytes: 65536, {}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What is in force, and known of the source, after a refresh."""

    snapshot: Snapshot
    record: SourceRecord


class Place:
    """A store that had one good refresh. Each later one asks what the test says, an hour later."""

    def __init__(self, folder: Path, good: After | None = None) -> None:
        self.folder, self.clock = folder, ManualClock(NOON)
        self.good = good or self.refreshed(self.filed(GOOD))

    def filed(self, text: str | bytes) -> str:
        """A list in a file, as the inventory names it."""
        (self.folder / "theirs.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        return LIST.format(f"file: {self.folder}/theirs.txt")

    def refreshed(self, source: str, *, guard: str = "{}", beside: str = "{kind: curated}, ") -> After:
        sources = f"intelligence: {{sources: [{beside}{source}], guard: {guard}}}"
        text = YAML.replace("intelligence: {sources: [{kind: curated}]}", sources)
        assert source in text
        (self.folder / "inventory.yaml").write_text(text, encoding="utf-8")
        settings = Settings(inventory=self.folder / "inventory.yaml", data_dir=self.folder)
        self.clock.advance(timedelta(hours=1))
        with Controller.open(settings, clock=self.clock) as opened:
            opened.refresh_intel(actor="test")
            return After(snapshot=opened.snapshot(), record={r.name: r for r in opened.sources()}["theirs"])

    def in_force(self) -> Snapshot:
        with Store.open(self.folder, clock=self.clock) as store:
            found = store.current_snapshot()
            assert found is not None
            return found

    def refused(self, source: str, code: str, *said: str) -> str:
        """Asks a bad source, and proves that it is named and changes nothing. Returns the error."""
        after = self.refreshed(source)
        assert after.record.error is not None
        for word in said:
            assert word in after.record.error
        assert (after.record.error_code, after.record.last_attempt) == (code, self.clock.now())
        assert len(after.record.error) < 2100
        assert after.record.last_success == self.good.record.last_success
        assert after.record.indicators == self.good.record.indicators, "the last good answer stays"
        assert after.snapshot.id == self.good.snapshot.id
        return after.record.error

    def dropped(self, source: str, guard: str = "{}") -> dict[str, str]:
        """Asks a source whose bad entries are taken out one by one: the guard of each. The list stays as it is."""
        after = self.refreshed(source, guard=guard)
        assert after.record.error is None
        assert after.record.last_success == self.clock.now()
        assert after.snapshot.id == self.good.snapshot.id
        return {
            verdict.entry: verdict.guard for verdict in after.snapshot.dropped if "(from list:theirs)" in verdict.reason
        }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("first"))


@pytest.fixture
def place(tmp_path: Path, first: Place) -> Place:
    (tmp_path / "store.db").write_bytes((first.folder / "store.db").read_bytes())
    made = Place(tmp_path, first.good)
    made.clock.advance(timedelta(hours=1))
    return made


# --- feeds that would block everybody ---------------------------------------------------------------------------------


def test_i07_poisoned_entries_are_taken_out_one_by_one_and_each_is_named(place: Place) -> None:
    assert "5.5.5.0/24" in texts(place.good.snapshot), "the source is believed"
    wide = ("0.0.0.0/0", "::/0", "38.0.0.0/7", "co.uk", "akamaized.net")
    never = (
        "10.0.0.0/16", "192.168.1.1", "127.0.0.1", "169.254.169.254", "224.0.0.0/24", "::1", "::ffff:10.0.0.1",
        "fd00::/48", "64:ff9b::5.5.5.5", "8.8.8.8", "104.16.0.0/16", "118.26.132.0/24", "5.7.7.9", "byteplus.com",
    )  # fmt: skip
    dropped = place.dropped(
        place.filed(GOOD + "".join(f"{line}\n" for line in (*wide, *never))), guard="{never_block: [5.7.7.0/24]}"
    )
    assert dropped == {
        entry: guard
        for guard, lines in (("too-wide", wide), ("never-block", never))
        for line in lines
        for entry in entries(line)
    }


def entries(line: str) -> list[str]:
    """As verdicts name what a line says."""
    return [entry.name if isinstance(entry, DomainName) else str(entry) for entry in parse_line(line)]


def test_i07_our_own_management_address_is_never_blocked(place: Place) -> None:
    """The list of all sites may hold it; the device whose it is keeps what it has, and says why."""
    inventory = offices(place.folder, YAML.replace("[198.18.7.1]", "[198.18.7.1, 5.5.5.7]"))
    with pytest.raises(GuardTripped, match=r"guard management-address: tiktok holds 5\.5\.5\.0/24") as caught:
        desired_for(facts(inventory, of=place.good.snapshot), inventory.device("fw-berlin"), NOON)
    assert caught.value.device == "fw-berlin"


def test_i02_a_feed_of_nothing_but_poison_leaves_what_is_in_force(place: Place) -> None:
    """As the only source: a guard holds what is left of the list, and says what was dropped."""
    with pytest.raises(GuardTripped, match="guard empty") as caught:
        place.refreshed(place.filed("".join(f"10.{n}.0.0/16\n" for n in range(12))), beside="")
    assert "10.0.0.0/16 (never-block)" in caught.value.message
    assert place.in_force().id == place.good.snapshot.id


HOMOGRAPHS = {
    "t\u0456ktok.com": "cyrillic-i",
    "tikt\u03bfk.com": "greek-omicron",
    "www.\u0442\u0456kt\u043e\u043a.net": "most-of-it-cyrillic",
    "tikt\u00f6k.com": "an-umlaut",
    "tiktok-l\u043egin.com": "with-a-word-more",
    "xn--tktok-n2e.com": "in-its-ascii-form",
}


@pytest.mark.parametrize("name", HOMOGRAPHS, ids=HOMOGRAPHS.values())
def test_i07_a_name_that_only_looks_like_one_of_tiktoks_is_dropped(place: Place, name: str) -> None:
    (entry,) = entries(name)
    assert entry.isascii()
    assert place.dropped(place.filed(f"{GOOD}{name}\n")) == {entry: "lookalike"}


def test_a_name_in_another_script_that_imitates_nobody_is_taken(place: Place) -> None:
    after = place.refreshed(place.filed(GOOD + "b\u00fccher.example\n\u043f\u0440\u0438\u043c\u0435\u0440.example\n"))
    assert {DomainName("xn--bcher-kva.example"), DomainName("xn--e1afmkfd.example")} <= set(
        tiktok(after.snapshot).domains
    )


# --- what is no list --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["074.125.000.000/24", "5.5.05.0/24", "Some label:005.005.005.000-005.005.005.255", "IP-CIDR,5.5.5.000/24"],
)
def test_i06_zero_padded_octets_are_named_with_file_and_line(place: Place, line: str) -> None:
    """Some read them as octal: 010 would be 8 there."""
    place.refused(
        place.filed(f"{GOOD}{line}\n"), "TG2002", f"{place.folder}/theirs.txt:5: ", "does not appear to be an IPv4"
    )


BOMB = gzip.compress(b"5.5.5.0/24\n" * 3_000_000)  # 33 MB in 32 kB


def compressed(how: str) -> Reply:
    return Reply(body=BOMB, headers={"Content-Encoding": how})


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(compressed("gzip"), "encoded as gzip, which was not asked for", id="told"),
        pytest.param(compressed("gzip, gzip"), "encoded as gzip, gzip", id="twice"),
        pytest.param(compressed("br"), "encoded as br", id="another-way"),
        pytest.param(Reply(body=BOMB), "not UTF-8 at byte 1", id="untold"),
        pytest.param(
            Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
            "Transfer-Encoding",
            id="on-the-way",
        ),
    ],
)
def test_i02_a_gzip_bomb_is_never_unpacked(place: Place, reply: Reply, said: str) -> None:
    with web(lambda *_: reply) as origin:
        place.refused(LIST.format(f'url: "{origin.url}/list.txt"'), "TG2002", f"{origin.url}/list.txt", said)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="of-no-told-length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", id="of-a-told-length"),
    ],
)
def test_i02_a_body_without_end_is_cut_at_its_limit(place: Place, start: bytes) -> None:
    with dripping(start, b"5.5.5.0/24\n" * 3000) as url:
        place.refused(LIST.format(f'url: "{url}"'), "TG2002", url, "more than 65536 bytes")


def test_i02_headers_without_end_are_cut_too(place: Place) -> None:
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: and more of it\r\n" * 3000) as url:
        place.refused(LIST.format(f'url: "{url}"'), "TG2002", url)


# --- certificates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who signs the certificates of a test."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def trusted(self, folder: Path) -> Path:
        path = folder / "authority.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issued(self, folder: Path, *, host: str, days: tuple[int, int]) -> Path:
        """Key and certificate of a server, valid from so many days from now until so many."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificate("server", key, self, days=days, host=host)
        path = folder / "server.pem"
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
        return path


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: Authority | None, *, days: tuple[int, int], host: str = ""
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative = x509.IPAddress(ip_address(host)) if host[-1:].isdigit() else x509.DNSName(host or "authority.example")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(by.key if by else key, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key=key, certificate=certificate("authority", key, None, days=(-900, 900)))


@contextlib.contextmanager
def tls(pem: Path) -> Iterator[str]:
    """An https server that says ``GOOD``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(GOOD)))
            self.end_headers()
            self.wfile.write(GOOD.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}/list.txt"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.parametrize(
    ("host", "days", "said"),
    [
        pytest.param("127.0.0.1", (-60, -1), "certificate has expired", id="expired"),
        pytest.param("127.0.0.1", (1, 60), "certificate is not yet valid", id="not-yet-valid"),
        pytest.param("intel.example", (-1, 60), "IP address mismatch", id="of-another-host"),
    ],
)
def test_i02_a_bad_certificate_is_no_answer(
    place: Place,
    authority: Authority,
    host: str,
    days: tuple[int, int],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted(place.folder)))
    with tls(authority.issued(place.folder, host=host, days=days)) as url:
        place.refused(LIST.format(f'url: "{url}"'), "TG2001", url, said)


def test_a_good_certificate_is_taken_and_one_of_a_stranger_is_not(
    place: Place, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what refuses the bad ones is what is wrong with them."""
    trusted = authority.trusted(place.folder)
    with tls(authority.issued(place.folder, host="127.0.0.1", days=(-1, 60))) as url:
        place.refused(LIST.format(f'url: "{url}"'), "TG2001", url, "unable to get local issuer certificate")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert place.refreshed(LIST.format(f'url: "{url}"')).record.error is None


# --- names in circles, and answers that lie ---------------------------------------------------------------------------


def test_i07_cyclic_names_and_private_answers_bring_nothing_into_the_list(place: Place) -> None:
    """A circle ends, and the words about the name say so; 127.0.0.1 is no sign that a name is alive."""
    records = {
        "www.tiktok.com": ("www.tiktok.com. 60 IN CNAME a.example.", "a.example. 60 IN CNAME www.tiktok.com."),
        "m.tiktok.com": ("m.tiktok.com. 60 IN CNAME m.tiktok.com.",),
        "v16.tiktokcdn.com": ("v16.tiktokcdn.com. 60 IN A 127.0.0.1", "v16.tiktokcdn.com. 60 IN AAAA ::1"),
        "v19.tiktokcdn.com": ("v19.tiktokcdn.com. 60 IN A 0.0.0.0", "v19.tiktokcdn.com. 60 IN A 10.0.0.1"),
    }
    with dns_server(records) as server:
        names = ", ".join(records)
        after = place.refreshed(
            f'{{kind: dns, name: theirs, resolvers: ["127.0.0.1:{server.port}"], names: [{names}], timeout_seconds: 5}}'
        )
    said = {str(i.value.name): i.sources[0].detail for i in after.record.indicators if isinstance(i.value, DomainName)}
    assert after.record.error is None
    assert len(said) == len(after.record.indicators), "no address of these is anybody's"
    assert "www.tiktok.com -> a.example" in said["www.tiktok.com"]
    assert "in a circle" in said["www.tiktok.com"]
    assert not {"v16.tiktokcdn.com", "v19.tiktokcdn.com"} & set(said)
    assert not {"127.0.0.1/32", "::1/128", "0.0.0.0/32", "10.0.0.1/32"} & set(texts(after.snapshot))
    assert after.snapshot.id == WITHOUT


IRR = "{{kind: irr, name: theirs, host: 127.0.0.1, port: {}, as_sets: [AS-BYTEDANCE], asns: [], timeout_seconds: 5}}"


def test_i02_as_sets_in_circles_end(place: Place) -> None:
    circle = {
        "!iAS-BYTEDANCE,1": answer("AS-INNER", "AS138699"),
        "!iAS-INNER,1": answer("AS-BYTEDANCE", "AS-INNER", "AS396986"),
    }
    with irr({**ANSWERS, **circle}) as stand:
        after = place.refreshed(IRR.format(stand.port))
    assert after.record.error is None
    assert stand.asked.count("!iAS-BYTEDANCE,1") == stand.asked.count("!iAS-INNER,1") == 1
    assert after.snapshot.id == WITHOUT, "a registry confirms, and brings nothing"


def test_i02_as_sets_without_end_are_refused(place: Place) -> None:
    below = {f"!iAS-{n},1": answer(f"AS-{n + 1}") for n in range(20)}
    with irr({**ANSWERS, **below, "!iAS-BYTEDANCE,1": answer("AS-0")}) as stand:
        place.refused(IRR.format(stand.port), "TG2002", "AS-BYTEDANCE", "sets in sets deeper than 8")
    wide = answer(*(f"AS-X{n}" for n in range(300)))
    with irr({**ANSWERS, "!iAS-BYTEDANCE,1": wide}) as stand:
        place.refused(IRR.format(stand.port), "TG2002", "AS-BYTEDANCE", "more than 256 networks or 256 sets")


# --- strangers' words -------------------------------------------------------------------------------------------------


def test_i02_what_no_encoding_can_hold_fails_no_other_source(place: Place) -> None:
    """Half a surrogate pair is good JSON and no text: kept as it came, it would fail the store and every source."""
    (place.folder / "rpki.json").write_text(
        json.dumps(
            {
                "metadata": {"generated": int(place.clock.now().timestamp())},
                "roas": [{"asn": 138699, "prefix": "103.136.220.0/23", "maxLength": 24, "ta": "\ud800\x1b[2Jari\nn"}],
            }
        ),
        encoding="utf-8",
    )
    after = place.refreshed(f"{{kind: rpki, name: theirs, file: {place.folder}/rpki.json, asns: [138699]}}")
    assert [i.sources[0].detail for i in after.record.indicators] == [
        "AS138699 may originate it, down to /24 ([2Jari n)"
    ]
    said = json.dumps({"status": "error", "status_code": 400, "messages": [["error", "\udfff\x1b[2J\nno"]]})
    with web(lambda *_: Reply(body=said)) as origin:
        asked = f'{{kind: ripestat, name: theirs, base_url: "{origin.url}", asns: [138699], attempts: 1}}'
        after = place.refreshed(asked)
    assert after.record.error_code == "TG2002"
    assert after.record.error is not None
    assert after.record.error.isprintable()


# --- ten million lines ------------------------------------------------------------------------------------------------

CHILD = """
import resource, sys
from pathlib import Path
from tests.ipsets.test_bad_input import Place

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # MiB, on Linux

place = Place(Path(sys.argv[1]))
before = peak()
error = place.refused(sys.argv[2], "TG2002", *sys.argv[3:])
print(f"{peak() - before} {error}")
"""


def swelled(folder: Path, source: str, *said: str) -> int:
    """MiB that a process grew by for one refresh of this source, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), source, *said], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return int(ran.stdout.splitlines()[-1].split()[0])


def filled(path: Path, line: bytes, size_bytes: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size_bytes // (len(line) * 10_000)):
            file.write(line * 10_000)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in Linux' unit")
@pytest.mark.parametrize(
    ("line", "size", "keys", "said", "limit"),
    [
        pytest.param(b"5.5.5.5\n", 80_000_000, "", "more than 16777216 bytes", 60, id="ten-million-lines"),
        pytest.param(b"!!\n#\n", 16_000_000, "", "empty list", 250, id="nothing-in-them", marks=pytest.mark.soak),
        pytest.param(b"x\n", 16_000_000, "", "at least 9996 more", 150, id="eight-million-bad-ones"),
        pytest.param(
            b"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n", 16_000_000, "", "500000 entries", 350, id="ranges-of-254"
        ),
        pytest.param(
            b"5.5.5.5\n", 80_000_000, ", max_bytes: 268435456", "500000 entries", 600, id="with-room-for-them",
            marks=pytest.mark.soak,
        ),
    ],
)  # fmt: skip
def test_i02_ten_million_lines_are_refused_in_bounded_memory(
    tmp_path: Path, line: bytes, size: int, keys: str, said: str, limit: int
) -> None:
    path = filled(tmp_path / "many.txt", line, size)
    source = f"{{kind: list, name: theirs, dedicated: true, file: {path}{keys}}}"
    try:
        assert swelled(tmp_path, source, str(path), said) < limit
    finally:
        path.unlink()
