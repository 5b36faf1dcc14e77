"""Lists all the way: a change publishes them, the firewall pulls them by itself over HTTPS, and its traffic is judged.

The controller, its store, its server with a certificate of a real authority, SSH and the firewall's own pulls are all
real; the firewall is emulated. What goes wrong on the way, it goes on with its last good list, and we say so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import pytest

from api.app import create_app
from api.server import Bind, Server, Tls, serving
from controller.model import Outcome, Scope
from controller.service import Controller
from controller.settings import Settings
from controller.views import Selection
from core.clock import Clock, ManualClock, SystemClock
from core.ids import DeviceName
from ipsets.model import Snapshot
from ipsets.snapshot import content_id
from lab.emulators.fetching import Wire
from lab.emulators.panos.switches import Switches
from lab.emulators.traffic import Verdict
from tests.contract.emulated import ROLES, TIKTOK, EmulatedRig
from tests.contract.rig_fortios import FortiOsRig
from tests.contract.rig_panos import PanOsRig
from tests.controller.offices import snapshot
from tests.ipsets.certificates import Certificates, Pair, make
from tests.lab.emulators.fortios import configuring as configuring_fortios
from tests.lab.emulators.panos import configuring as configuring_panos

EDGE, TWIN = DeviceName("edge"), DeviceName("edge-2")
LIST: Final = "dst-tiktok"
FIRST: Final = (f"{TIKTOK}/32", "71.18.0.0/16")
NEW: Final = "192.0.2.9"
MORE: Final = (*FIRST, f"{NEW}/32")
STALE: Final = timedelta(hours=1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


# --- the firewalls ----------------------------------------------------------------------------------------------------


class Puller(ABC):
    """An emulated firewall that pulls by itself, and its administrator."""

    rig: EmulatedRig
    empties_on_refusal = False
    """Whether a refused login ends the list."""

    @property
    @abstractmethod
    def clock(self) -> Any: ...

    @abstractmethod
    def wire(self, wire: Wire) -> None:
        """From now on it reaches web servers so."""

    @abstractmethod
    def options(self, url: str) -> dict[str, object]: ...

    @abstractmethod
    def prepare(self, url: str, token: str) -> None:
        """What its administrator does before the first change."""

    @abstractmethod
    def log_in(self, token: str) -> None:
        """The administrator sets another password for the list."""

    @abstractmethod
    def forget(self) -> None:
        """It asks for the whole list from now on, until it has one again."""

    def poll(self) -> None:
        """Time passes, and the firewall looks again."""
        self.clock.advance(timedelta(minutes=5))
        with self.rig.device.lock:
            self.rig.device.tick()

    @abstractmethod
    def pull(self) -> None:
        """Its administrator has it look at once."""

    def denies(self, address: str = TIKTOK) -> bool:
        return not self.rig.passes("company", address)


class PanOsPuller(Puller):
    """With tags: whether it sends any is a switch. With a clock that the test moves, unless one is given."""

    empties_on_refusal = True
    names: ClassVar[str] = "objects"

    def __init__(self, clock: Clock | None = None) -> None:
        self.rig = PanOsRig()
        self._clock = clock or ManualClock(datetime.now(UTC))
        self.rig.device.clock = self._clock
        self.rig.device.plane.feeds.switches = Switches(list_conditional="tag")
        self.rig.device.load_set("set shared certificate-profile FEED_CA CA house")
        self.rig.device.commit("admin")

    @property
    def clock(self) -> Any:
        return self._clock

    def wire(self, wire: Wire) -> None:
        self.rig.device.plane.feeds.fetch = wire

    def options(self, url: str) -> dict[str, object]:
        feed = {"url": url, "certificate_profile": "FEED_CA", "load_seconds": 1, "names": self.names}
        return {**self.rig.options(), "delivery": "feed", "feed": feed}

    def prepare(self, url: str, token: str) -> None:
        """Nothing: the first change makes the list, and ends unverified."""

    def log_in(self, token: str) -> None:
        until(lambda: self._tries_to_log_in(token))

    def _tries_to_log_in(self, token: str) -> bool:
        """Not before the first change has made the list, nor while somebody holds the configuration."""
        device = self.rig.device
        head = f"set external-list tokgate-list.{LIST} type ip auth"
        with device.lock:
            if device.config_locks or device.commit_locks or not device.plane.feeds.used:
                return False
            keyboard = configuring_panos(device, f"{head} username edge", f"{head} password {token}", user="bob")
            assert "committed successfully" in keyboard.type("commit")
        return True

    def pull(self) -> None:
        with self.rig.device.lock:
            self.rig.device.refresh_list(f"tokgate-list.{LIST}")

    def forget(self) -> None:
        for feed in self.rig.device.plane.feeds.used.values():
            feed.tag = ""


class NamesPuller(PanOsPuller):
    """It pulls names as well: one more list that needs its login."""

    names = "url"


class FortiOsPuller(Puller):
    def __init__(self, clock: Clock | None = None) -> None:
        self.rig = FortiOsRig()
        if clock is not None:
            self.rig.clock = self.rig.device.clock = clock  # type: ignore[attr-defined]

    @property
    def clock(self) -> Any:
        return self.rig.device.clock

    def wire(self, wire: Wire) -> None:
        self.rig.device.feeds.fetch = wire

    def options(self, url: str) -> dict[str, object]:
        return {**self.rig.options(), "delivery": "feed", "feed": {"url": url, "load_seconds": 1}}

    def prepare(self, url: str, token: str) -> None:
        lines = ["set type address", f'set resource "{url}/{LIST}.txt"', "set refresh-rate 5", "set username edge"]
        self._resource(*lines, f"set password {token}", "set server-identity-check full")

    def log_in(self, token: str) -> None:
        self._resource(f"set password {token}")

    def pull(self) -> None:
        with self.rig.device.lock:
            for key in self.rig.device.feeds.by_key:
                self.rig.device.feeds.refresh(key, self.clock.monotonic())
            self.rig.device.tick()

    def forget(self) -> None:
        for feed in self.rig.device.feeds.by_key.values():
            feed.tag = ""

    def _resource(self, *lines: str) -> None:
        with self.rig.device.lock:
            edit = f'edit "tokgate-{LIST}.feed"'
            configuring_fortios(self.rig.device, "system external-resource", edit, *lines, "next", "end")


PULLERS: Final[tuple[type[Puller], ...]] = (PanOsPuller, FortiOsPuller)
ONE_OF_THEM: Final = [PanOsPuller, pytest.param(FortiOsPuller, marks=pytest.mark.soak)]
"""Where the vendor makes little difference, the others are for the long form."""
one_of_them = pytest.mark.parametrize("office", ONE_OF_THEM, ids=lambda kind: kind.__name__, indirect=True)


# --- the controller ---------------------------------------------------------------------------------------------------


class Office:
    """One firewall, the controller beside it, and the server that it pulls from; or two that are told one address."""

    def __init__(self, puller: Puller, folder: Path, certificates: Certificates, *, twin: Puller | None = None) -> None:
        self.puller, self.twin, self.folder, self.certificates = puller, twin, folder, certificates
        self.port = free_port()
        self.name = EDGE if twin is None else "edges"
        self.url = f"https://127.0.0.1:{self.port}/feeds/{self.name}"
        self.trust()
        if twin is not None:
            twin.wire(Wire(source="127.0.0.2", authorities={"FEED_CA": certificates.authority.read_text()}))
        (folder / "inventory.yaml").write_text(self.inventory(), encoding="utf-8")

    def trust(self, source: str = "127.0.0.1") -> None:
        """The firewall knows the authority, and asks from there."""
        known = {"FEED_CA": self.certificates.authority.read_text()}
        self.puller.wire(Wire(source=source, authorities=known))

    def inventory(self) -> str:
        devices: dict[str, object] = {EDGE: self._device(self.puller, "127.0.0.1")}
        if self.twin is not None:
            devices[TWIN] = self._device(self.twin, "127.0.0.2")
        site = {
            "time_zone": "UTC",
            "policy": "standard",
            "networks": {"company": [ROLES["company"]]},
            "devices": devices,
        }
        policy = {"services": ["tiktok"], "roles": {"company": {"mode": "enforce"}}}
        whole = {
            "version": 1,
            "intelligence": {"sources": [{"kind": "curated"}]},
            "policies": {"standard": policy},
            "sites": {"office": site},
        }
        return json.dumps(whole)

    def _device(self, puller: Puller, source: str) -> dict[str, object]:
        served = puller.rig.served
        assert served is not None
        group = {"group": self.name} if self.twin is not None else {}
        return {
            "vendor": puller.rig.vendor,
            "host": served.host,
            "port": served.port,
            "username": puller.rig.user,
            "password": "secret://env/TOKGATE_TEST_PASSWORD",
            "host_keys": [served.host_key],
            "feed": {"allow": [source], "stale_after": "1h", **group},
            "options": puller.options(self.url),
        }

    @contextlib.contextmanager
    def open(self) -> Iterator[Controller]:
        settings = Settings(inventory=self.folder / "inventory.yaml", data_dir=self.folder / "data", workers=2)
        with Controller.open(settings, clock=self.puller.clock) as controller:
            self.controller = controller
            yield controller

    @contextlib.contextmanager
    def server(self, pair: Pair | None = None) -> Iterator[Server]:
        used = pair or self.certificates.good
        bind = Bind(port=self.port, tls=Tls(certificate=used.certificate, key=used.key))
        with serving(create_app(self.controller), bind, start_seconds=60.0) as server:
            yield server

    def wants(self, *networks: str, names: tuple[str, ...] = ()) -> None:
        """Another snapshot is in force."""
        made: Snapshot = snapshot(*networks, domains=names)
        made = replace(made, id=content_id(made.services))
        self.controller.store.save_snapshot(made)
        self.controller.store.set_current(made.id)

    def sync(self, device: DeviceName = EDGE) -> Outcome:
        run = self.controller.sync(Selection(devices=(device,)), actor="test", force=True)
        (self.last,) = run.devices
        return self.last.outcome

    def set_up(self) -> None:
        """From nothing to a firewall that enforces what it pulled."""
        self.wants(*FIRST)
        token = self.token()
        self.puller.prepare(self.url, token)
        self.sync()
        self.puller.log_in(token)
        self.puller.poll()
        assert self.sync() in (Outcome.APPLIED, Outcome.UNCHANGED), self.last
        assert self.puller.denies()

    def token(self, *, rotate: bool = False) -> str:
        return self.controller.feeds.create_token(self.name, actor="test", rotate=rotate)[1].reveal()

    def pulls(self) -> list[int]:
        """The answers so far, the newest first."""
        self.controller.feeds.flush()
        return [pull.status for pull in self.controller.feeds.pulls(EDGE)]

    def stale(self) -> list[str]:
        """What the API tells of lists that do not come."""
        self.controller.feeds.flush()
        token = self.controller.create_token(f"r{time.monotonic_ns()}", [Scope.READ], STALE * 90, actor="test")[1]
        headers = {"authorization": f"Bearer {token.reveal()}"}
        with httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=False, trust_env=False) as client:
            answer = client.get("/api/v1/feeds?stale=true", headers=headers)
        assert answer.status_code == 200, answer.text
        return [f"{row['device']}: {row['stale']}" for row in answer.json()["items"]]

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "store.db", timeout=30.0)) as store, store:
            return store.execute(statement).fetchall()

    def harm(self, statement: str) -> None:
        self.rows(statement)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=PULLERS, ids=lambda kind: kind.__name__)
def office(
    request: pytest.FixtureRequest, tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    puller: Puller = request.param()
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", puller.rig.password)
    with puller.rig.serving():
        made = Office(puller, tmp_path, certificates)
        with made.open():
            yield made


# --- when all is well -------------------------------------------------------------------------------------------------


def test_from_the_first_change_to_traffic_that_is_stopped(office: Office) -> None:
    puller = office.puller
    with office.server():
        assert not puller.denies()
        office.wants(*FIRST)
        token = office.token()
        puller.prepare(office.url, token)
        office.sync()
        served = office.controller.feeds.list_text(EDGE, LIST).decode().splitlines()
        assert set(served) == {"192.0.2.255/32", *FIRST}, "the change has published it"
        puller.log_in(token)
        puller.poll()
        assert puller.denies()
        assert not puller.denies(NEW)
        assert office.sync() in (Outcome.APPLIED, Outcome.UNCHANGED)
        assert office.sync() is Outcome.UNCHANGED, "what it has loaded is what it should have"
        assert 200 in office.pulls()
        (view,) = office.controller.feeds.views()
        assert (view.is_current, view.stale, view.pulled is not None) == (True, "", True)
        assert office.stale() == []


@pytest.mark.parametrize("office", [NamesPuller], ids=["NamesPuller"], indirect=True)
def test_names_come_as_urls_and_web_traffic_is_judged_by_what_it_asks_for(office: Office) -> None:
    puller = office.puller
    device = puller.rig.device

    def passes(host: str) -> bool:
        flow = replace(puller.rig.flow("10.0.1.5", "203.0.113.80", 443), host=host)
        with device.lock:
            return device.forward(flow) is Verdict.PERMIT

    with office.server():
        office.wants(*FIRST, names=("tiktok.com",))
        token = office.token()
        assert office.sync() is Outcome.UNCERTAIN, "nobody has given the lists their login yet"
        for name in (LIST, "fqdn-tiktok"):
            kind = "url" if name.startswith("fqdn") else "ip"
            head = f"set external-list tokgate-list.{name} type {kind} auth"
            with device.lock:
                keyboard = configuring_panos(device, f"{head} username edge", f"{head} password {token}", user="bob")
                assert "committed successfully" in keyboard.type("commit")
        puller.poll()
        assert office.sync() in (Outcome.APPLIED, Outcome.UNCHANGED), office.last
        assert office.sync() is Outcome.UNCHANGED
        assert not passes("m.tiktok.com")
        assert passes("example.com")
        assert puller.denies()
        office.wants(*FIRST, names=("tiktok.com", "byteoversea.com"))
        assert office.sync() is Outcome.APPLIED
        assert not passes("log.byteoversea.com")
        served = office.controller.feeds.list_text(EDGE, "fqdn-tiktok").decode().splitlines()
        assert served[1:] == ["byteoversea.com/", "*.byteoversea.com/", "tiktok.com/", "*.tiktok.com/"]
        assert {view.feed.name for view in office.controller.feeds.views() if view.is_current} == {LIST, "fqdn-tiktok"}


def test_one_more_entry_comes_with_the_next_poll_and_the_others_bring_nothing(office: Office) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
        for _ in range(3):
            puller.poll()
        assert office.pulls()[:3] == [304] * 3
        office.wants(*MORE)
        puller.poll()
        assert office.pulls()[0] == 304, "what no change carries is not served"
        assert not puller.denies(NEW)
        assert office.sync() is Outcome.APPLIED
        puller.poll()
        assert puller.denies(NEW)
        assert puller.denies()
        puller.poll()
        assert office.pulls()[0] == 304
        office.wants(*FIRST)
        assert office.sync() is Outcome.APPLIED
        puller.poll()
        assert not puller.denies(NEW)
        assert puller.denies()


@pytest.mark.parametrize("kind", PULLERS, ids=lambda kind: kind.__name__)
def test_two_firewalls_that_are_told_one_address_each_pull_their_own_list(
    kind: type[Puller], tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a template of a manager tells it: one address, one token."""
    clock = ManualClock(datetime.now(UTC))
    one, two = kind(clock), kind(clock)  # type: ignore[call-arg]
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", one.rig.password)
    with one.rig.serving(), two.rig.serving():
        office = Office(one, tmp_path, certificates, twin=two)
        with office.open(), office.server():
            office.wants(*FIRST)
            token = office.token()
            for puller, device in ((one, EDGE), (two, TWIN)):
                puller.prepare(office.url, token)
                office.sync(device)
                puller.log_in(token)
                puller.poll()
                assert office.sync(device) in (Outcome.APPLIED, Outcome.UNCHANGED), office.last
            assert (one.denies(), two.denies()) == (True, True)
            office.wants(*MORE)
            assert office.sync(TWIN) is Outcome.APPLIED
            one.poll()
            two.poll()
            assert (one.denies(NEW), two.denies(NEW)) == (False, True), "the change of one is not the other's"
            office.controller.feeds.flush()
            views = {view.feed.device: (view.is_current, view.pulled) for view in office.controller.feeds.views()}
            assert {name: (now, pulled and pulled.address) for name, (now, pulled) in views.items()} == {
                EDGE: (True, "127.0.0.1"),
                TWIN: (True, "127.0.0.2"),
            }
            office.trust("127.0.0.3")
            one.poll()
            assert one.denies(), "from an address that is nobody's it is given nothing, and keeps what it has"


# --- when it is not ---------------------------------------------------------------------------------------------------

Trouble = Callable[[Office], None]
BROKEN: Final[dict[str, Trouble]] = {
    "the body cut off": lambda o: o.harm("UPDATE feed_bodies SET body = substr(body, 1, length(body) - 9)"),
    "the body gone": lambda o: o.harm("DELETE FROM feed_bodies"),
    "the list emptied": lambda o: o.harm("UPDATE feed_lists SET entries = 0"),
    "no list any more": lambda o: o.harm("DELETE FROM feed_lists"),
    "a table gone": lambda o: o.harm("ALTER TABLE feed_lists RENAME TO hidden"),
    "another address": lambda o: o.trust("127.0.0.2"),
}


@one_of_them
@pytest.mark.parametrize("what", BROKEN)
def test_i02_whatever_is_wrong_the_firewall_goes_on_with_its_last_good_list(office: Office, what: str) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
        office.controller.feeds._texts.clear()  # as after a restart
        puller.forget()
        BROKEN[what](office)
        for _ in range(14):  # more than an hour
            puller.poll()
            assert puller.denies()
        if what == "a table gone":
            office.harm("ALTER TABLE hidden RENAME TO feed_lists")
        if what != "no list any more":
            (told,) = office.stale()
            assert told.startswith("edge: it was last pulled 1 h")
        office.trust()
        assert office.sync() is Outcome.UNCHANGED, "it publishes anew what was damaged"
        puller.poll()
        assert office.stale() == []
        assert puller.denies()


def test_i02_a_server_that_is_gone_leaves_the_list_in_force_and_comes_back(office: Office) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
    for _ in range(14):
        puller.poll()
        assert puller.denies()
    with office.server():
        (told,) = office.stale()
        assert told.startswith("edge: it was last pulled 1 h")
        puller.poll()
        assert puller.denies()
        assert office.stale() == []


@one_of_them
def test_i02_a_full_disk_changes_neither_the_list_nor_the_firewall(office: Office) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
        office.wants(*MORE)
        for table in ("feed_lists", "feed_bodies", "feed_pulls", "feed_good"):
            refusal = "SELECT RAISE(ABORT, 'database or disk is full')"
            office.harm(f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN {refusal}; END")
        with contextlib.suppress(Exception):  # however it is told
            assert office.sync() not in (Outcome.APPLIED, Outcome.UNCHANGED)
        puller.poll()
        assert puller.denies()
        assert not puller.denies(NEW)
        for table in ("feed_lists", "feed_bodies", "feed_pulls", "feed_good"):
            office.harm(f"DROP TRIGGER no_{table}")
        assert office.sync() is Outcome.APPLIED
        puller.poll()
        assert puller.denies(NEW)


def test_i02_a_token_is_rotated_without_a_gap(office: Office) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
        new = office.token(rotate=True)
        for _ in range(3):
            puller.poll()
            assert puller.denies(), "the old one is taken until the new one is set"
        puller.log_in(new)
        for _ in range(24 * 12 + 1):
            puller.clock.advance(timedelta(minutes=5))
        puller.poll()
        office.controller.feeds.flush()
        assert puller.denies()
        assert office.pulls()[0] in (200, 304)


def test_a_token_that_is_revoked_ends_the_list_where_the_vendor_says_so_and_is_seen(office: Office) -> None:
    puller = office.puller
    with office.server():
        office.set_up()
        office.controller.feeds.revoke_tokens(EDGE, actor="test")
        puller.poll()
        assert office.pulls()[0] == 401
        assert puller.denies() is not puller.empties_on_refusal
        if puller.empties_on_refusal:
            assert office.sync() is not Outcome.UNCHANGED, "the next look sees it"
        puller.log_in(office.token())
        puller.poll()
        assert puller.denies()
        assert office.sync() in (Outcome.APPLIED, Outcome.UNCHANGED)


@pytest.mark.parametrize("pair", ["expired", "other_name", "nobodys"])
def test_a_server_that_the_firewall_does_not_trust_gets_no_token_and_gives_no_list(office: Office, pair: str) -> None:
    """PAN-OS takes that for a refused login, and enforces nothing of the list: hence the warnings of the pages."""
    puller = office.puller
    with office.server():
        office.set_up()
        before = office.pulls()
    with office.server(getattr(office.certificates, pair)):
        puller.poll()
        assert office.pulls() == before
        assert puller.denies() is not puller.empties_on_refusal
    with office.server():
        puller.poll()
        assert puller.denies()


# --- a process of its own ---------------------------------------------------------------------------------------------


class Served:
    """``tokgate serve``, which does everything by itself."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        good = self.office.certificates.good
        tls = ["--tls-cert", str(good.certificate), "--tls-key", str(good.key)]
        command = [sys.executable, "-m", "api.cli", "serve", "--port", str(self.office.port), *tls]
        self.process = subprocess.Popen(command, env=self.environment(), stderr=subprocess.DEVNULL)
        until(lambda: self.is_up())

    def is_up(self) -> bool:
        try:
            answer = httpx.get(f"https://127.0.0.1:{self.office.port}/livez", verify=False, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def environment(self) -> dict[str, str]:
        folder = self.office.folder
        mine = {"INVENTORY": folder / "inventory.yaml", "DATA_DIR": folder / "data", "SYNC_INTERVAL": "10s"}
        return {**os.environ, **{f"TOKGATE_{name}": str(value) for name, value in mine.items()}}

    def run(self, *words: str) -> str:
        command = [sys.executable, "-m", "api.cli", *words]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ONE_OF_THEM, ids=lambda kind: kind.__name__)
def test_i02_a_server_that_is_killed_leaves_what_is_enforced(
    kind: type[Puller], tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    puller = kind(SystemClock())  # type: ignore[call-arg]
    monkeypatch.setenv("TOKGATE_TEST_PASSWORD", puller.rig.password)
    with puller.rig.serving():
        office = Office(puller, tmp_path, certificates)
        with office.open():
            office.wants(*FIRST)
        served = Served(office)
        token = json.loads(served.run("feed", "token", "edge", "-o", "json"))["token"]
        puller.prepare(office.url, token)
        try:
            served.start()
            puller.log_in(token)
            until(puller.denies)
            until(lambda: bool(office.rows("SELECT * FROM feed_good")))
            served.kill()
            puller.pull()
            assert puller.denies()
            office.harm("UPDATE feed_good SET at = at - 7200000000")  # two hours, in microseconds
            office.harm("UPDATE feed_lists SET since = since - 8000000000")
            assert "STALE: it was last pulled 2 h" in " ".join(served.run("feed", "list", "--stale").split())
            served.start()
            puller.pull()
            assert puller.denies()
            until(lambda: json.loads(served.run("feed", "list", "--stale", "-o", "json")) == [], 120.0)
        finally:
            served.kill()
