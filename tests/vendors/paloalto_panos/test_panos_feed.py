"""Lists that an emulated PAN-OS firewall pulls: never open in between, read back as loaded."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import ValidationError

from controller.fitting import fit, whole_notes
from core.clock import SystemClock
from core.secret import HIDDEN
from lab.emulators.faults import Moment
from lab.emulators.panos import PA_5250, SMALL_VM, PanOs, Switches
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.panos import operating, panos
from tests.vendors.paloalto_panos.boxes import PASSWORD, USERS, Box, serving
from tests.vendors.paloalto_panos.readings import firewall
from tests.vendors.paloalto_panos.test_panos_ssh import VSYS, typed
from tests.vendors.paloalto_panos.test_panos_text import EMPTY, _with, long
from tests.vendors.paloalto_panos.test_panos_text import OFFICE as OFFICE_ELSEWHERE
from vendors.diff import diff
from vendors.errors import CapacityExceeded, NotVerified, Refused, Uncertain, Unreachable, Unreadable
from vendors.model import Desired, Receipt
from vendors.paloalto_panos import PaloAltoPanos
from vendors.paloalto_panos.lists import loaded_from

URL = "https://tokgate.example:8443/feeds/fw-test"
FEED = {"url": URL, "certificate_profile": "FEED_CA", "load_seconds": 1}
OFFICE = _with(OFFICE_ELSEWHERE, "src-company", "10.0.1.0/24")
"""With sources that the site lets out."""
MORE = _with(OFFICE, "dst-tiktok", "203.0.113.0/24")


class Server:
    """What the controller serves."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.broken: type[OSError] | None = None

    def fetch(self, url: str) -> bytes:
        if self.broken is not None:
            raise self.broken(url)
        try:
            return self.pages[url]
        except KeyError:
            raise OSError(url) from None


@contextmanager
def pulling(server: Server, **options: object) -> Iterator[Box]:
    device: PanOs = panos(**{"users": USERS, "clock": SystemClock(), "fetch": server.fetch, **options})
    with serving(device) as box:
        yield box


def fed(**options: object) -> PaloAltoPanos:
    return firewall(**{"delivery": "feed", "feed": FEED, **options})


def sync(box: Box, server: Server, desired: Desired, adapter: PaloAltoPanos) -> Receipt:
    """As a controller does: what is pulled is published before the change."""
    with box.session() as session:
        observed = adapter.read(session)
        plan = diff(observed, desired, observed.can)
        server.pages |= {
            f"{URL}/{feed.name}.txt": "".join(f"{line}\n" for line in feed.lines).encode()
            for feed in adapter.feeds(observed, plan.desired)
        }
        return adapter.apply(session, observed, plan)


def denied(box: Box, destination: str = "192.0.2.7") -> bool:
    with box.device.lock:
        flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address(destination))
        return box.device.forward(flow) is Verdict.DENY


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "tokgate")


def test_a_list_is_pulled_and_read_back() -> None:
    server = Server()
    with pulling(server) as box:
        receipt = sync(box, server, OFFICE, fed())
        assert "dst-tiktok is pulled as an external list: 3 networks" in receipt.notes
        assert box.holds(OFFICE, fed())
        assert denied(box)
        shown = operating(box.device, "admin").type("show config running")
        assert "tokgate-4-192.0.2.0-24" not in shown, "no objects of what is pulled"
        sync(box, server, MORE, fed())
        assert box.holds(MORE, fed())
        assert denied(box, "203.0.113.5")
        sync(box, server, EMPTY, fed())
        assert box.holds(EMPTY, fed())
        assert not denied(box)


def test_the_login_that_a_person_gave_a_list_outlives_the_night() -> None:
    """Out of hours there is no rule; the list rests, and nothing of its login is read or compared."""
    server = Server()
    with pulling(server) as box:
        sync(box, server, OFFICE, fed())
        head = "set external-list tokgate-list.dst-tiktok type ip auth"
        typed(box, f"{head} username puller", f"{head} password s3cret")
        assert box.holds(OFFICE, fed())
        for desired in (EMPTY, MORE):
            sync(box, server, desired, fed())
            observed = box.read(fed())
            assert box.holds(desired, fed())
            assert "puller" not in observed.extra["held"]
        assert "username puller" in operating(box.device, "admin").type("show config running")
        box.sync(MORE)
        assert box.holds(MORE)


def test_a_change_of_the_list_alone_is_the_mark_alone() -> None:
    server = Server()
    with pulling(server) as box:
        sync(box, server, OFFICE, fed())
        observed = box.read(fed())
        lines = fed().render(observed, diff(observed, MORE, observed.can)).text.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("set tag tokgate comments")


def test_from_pushed_to_pulled_and_back_it_is_never_open() -> None:
    server = Server()
    with pulling(server) as box:
        assert not denied(box)
        box.sync(OFFICE)
        server.broken = OSError
        with pytest.raises(NotVerified, match="not loaded"):
            sync(box, server, OFFICE, fed())
        assert denied(box), "the group stays until the list is loaded"
        server.broken = None
        sync(box, server, OFFICE, fed())
        assert box.holds(OFFICE, fed())
        assert denied(box)
        box.sync(OFFICE)
        assert box.holds(OFFICE)
        assert denied(box)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.timeout(900)
def test_i05_killed_on_the_way_from_pushed_to_pulled_it_is_never_open(
    moment: Moment, request: pytest.FixtureRequest
) -> None:
    step = 1 if "soak" in (request.config.option.markexpr or "") else 16
    server = Server()
    with pulling(server) as box:
        box.sync(OFFICE)
        box.device.faults.lines = 0
        sync(box, server, OFFICE, fed())
        count = box.device.faults.lines
        for line in range(1 + 8 * (moment == "after") % step, count + 1, step):
            box.sync(OFFICE)
            box.device.faults.arm(line, moment)
            with contextlib.suppress(Unreachable, Uncertain, NotVerified, Refused):
                sync(box, server, OFFICE, fed())
            box.device.faults.drop_at = None
            assert denied(box), f"line {line} of {count}"
            sync(box, server, OFFICE, fed())
            assert box.holds(OFFICE, fed()), f"line {line} of {count}"


def test_what_is_shown_before_is_what_is_sent_also_by_two_commits() -> None:
    server = Server()
    with pulling(server) as box:
        box.sync(OFFICE)
        observed = box.read(fed())
        shown = fed().render(observed, diff(observed, OFFICE, observed.can)).text.splitlines()
        said = io.StringIO()
        with box.session(transcript=said) as session:
            plan = diff(observed, OFFICE, observed.can)
            server.pages |= {
                f"{URL}/{feed.name}.txt": "".join(f"{line}\n" for line in feed.lines).encode()
                for feed in fed().feeds(observed, plan.desired)
            }
            fed().apply(session, observed, plan)
        lines = said.getvalue().replace(HIDDEN, "tokgate").splitlines()  # which is the password as well
        answers = ("set external-list", "set address", "set tag", "set rulebase")
        sent = [line for line in lines if line.startswith(("delete ", "move ")) or line in shown]
        assert [line for line in sent if not line.startswith(answers)] == [
            line for line in shown if not line.startswith(answers)
        ]
        assert set(shown) <= set(sent)


def test_a_server_that_is_down_leaves_the_old_list_in_force_and_is_told() -> None:
    server = Server()
    with pulling(server) as box:
        sync(box, server, OFFICE, fed())
        server.broken = OSError
        with pytest.raises(NotVerified, match="dst-tiktok is not loaded"):
            sync(box, server, MORE, fed())
        assert denied(box)
        assert not box.holds(MORE, fed())
        server.broken = None
        sync(box, server, MORE, fed())
        assert box.holds(MORE, fed())


def test_a_refused_login_empties_the_list_and_is_seen() -> None:
    server = Server()
    with pulling(server) as box:
        sync(box, server, OFFICE, fed())
        server.broken = PermissionError
        operating(box.device, "admin").type("request system external-list refresh type ip name tokgate-list.dst-tiktok")
        assert not box.holds(OFFICE, fed()), "PAN-OS enforces nothing of it any more"


def test_a_list_beyond_the_objects_of_the_model_is_pulled() -> None:
    server, desired = Server(), _with(long(3_000), "src-company", "10.0.1.0/24")
    adapter = firewall(feed=FEED)
    with pulling(server, model=replace(SMALL_VM, list_shown=10_000)) as box:
        sync(box, server, OFFICE, adapter)
        assert adapter.feeds(box.read(adapter), OFFICE) == ()
        assert box.holds(OFFICE, adapter)
        receipt = sync(box, server, desired, adapter)
        told = (
            "dst-long is pulled as an external list: 3,000 networks, this firewall takes 1,997 address objects of ours"
        )
        assert told in receipt.notes
        with box.session() as session:
            said = {one.message for one in adapter.doctor(session) if one.check == "delivery"}
        assert said == {told}
        assert box.holds(desired, adapter)
        assert denied(box, "100.64.0.8")
        sync(box, server, OFFICE, adapter)
        assert box.holds(OFFICE, adapter)
        assert not denied(box, "100.64.0.8")


def test_it_goes_with_the_room_that_the_firewall_is_trusted_with() -> None:
    """The list did not change; how much may be pushed did."""
    server, adapter = Server(), firewall(feed=FEED, max_addresses=2)
    with pulling(server) as box:
        sync(box, server, OFFICE, firewall(feed=FEED))
        assert firewall(feed=FEED).feeds(box.read(firewall(feed=FEED)), OFFICE) == ()
        assert not box.holds(OFFICE, adapter), "it is read as what should be pulled now"
        sync(box, server, OFFICE, adapter)
        assert box.holds(OFFICE, adapter)
        assert denied(box)
        assert [feed.name for feed in adapter.feeds(box.read(adapter), OFFICE)] == ["dst-tiktok"]


def test_a_long_list_that_is_shown_in_part_is_still_the_one_that_is_pulled() -> None:
    server, desired = Server(), _with(long(300), "src-company", "10.0.1.0/24")
    adapter = fed(delivery="auto", max_addresses=200)
    with pulling(server) as box:
        receipt = sync(box, server, desired, adapter)
        assert [line for line in receipt.observed.irregular if "shows 100 of 301" not in line] == []
        assert [feed.name for feed in adapter.feeds(receipt.observed, desired)] == ["dst-long"]


def test_without_a_feed_a_list_that_is_too_long_says_what_would_hold_it() -> None:
    with pulling(Server(), model=SMALL_VM) as box:
        observed = box.read()
        with pytest.raises(CapacityExceeded) as refused:
            diff(observed, long(3_000), observed.can)
        assert "would pull lists of up to 50,000 networks" in (refused.value.hint or "")
        fitted = fit(long(3_000), observed.can, services=("long",), indicators=())
        (note,) = whole_notes(fitted, observed.can)
        assert note.message.startswith("dst-long: with `feed` in its options")
        assert not note.is_gap
        assert whole_notes(fit(OFFICE, observed.can, services=("tiktok",), indicators=()), observed.can) == ()


def test_a_list_that_is_shown_in_part_is_said_to_be() -> None:
    server, desired = Server(), _with(long(300), "src-company", "10.0.1.0/24")
    with pulling(server) as box:
        receipt = sync(box, server, desired, fed())
        assert any("shows 100 of 301 entries" in line for line in receipt.observed.irregular)
        assert not box.holds(desired, fed()), "what cannot be compared is not said to be right"
        assert denied(box, "100.64.0.8")


@pytest.mark.parametrize("prompt", get_args(get_type_hints(Switches)["vsys_prompt"]))
def test_a_virtual_system_pulls_its_own_lists(prompt: Any) -> None:
    server, adapter = Server(), fed(vsys="vsys2")
    with pulling(server, model=PA_5250, base=VSYS, switches=Switches(vsys_prompt=prompt)) as box:
        for desired in (OFFICE, MORE):
            sync(box, server, desired, adapter)
            assert box.holds(desired, adapter)
        with box.device.lock:
            flow = Flow(source=ip_address("10.0.1.5"), destination=ip_address("203.0.113.5"))
            assert box.device.forward(flow, vsys="vsys2") is Verdict.DENY
        server.broken = PermissionError
        keyboard = operating(box.device, "admin")
        keyboard.type("set system setting target-vsys vsys2")
        keyboard.type("request system external-list refresh type ip name tokgate-list.dst-tiktok")
        assert not box.holds(MORE, adapter)
        server.broken = None
        sync(box, server, MORE, adapter)
        sync(box, server, EMPTY, adapter)
        assert box.holds(EMPTY, adapter)


def test_feed_needs_a_place_to_pull_from() -> None:
    for options in ({"delivery": "feed"}, {"delivery": "auto"}):
        with pytest.raises(ValidationError):
            firewall(**options)
    assert firewall().options.pulls is None
    assert firewall(feed=FEED, delivery="push").options.pulls is None
    assert firewall(feed=FEED).options.pulls is not None


SHOWN = """\

tokgate-dst-tiktok
        Total valid entries     : 2
        Total ignored entries   : 0
        Total invalid entries   : 0
        Total displayed entries : 2
        Valid ips:
                192.0.2.255/32
                192.0.2.7
"""


def test_what_is_loaded_is_counted_twice() -> None:
    assert [str(n) for n in loaded_from(SHOWN).networks] == ["192.0.2.7/32"]
    assert loaded_from("Server error : No such node\n").valid == 0
    for bad in ("", SHOWN.replace("192.0.2.7\n", ""), SHOWN.replace("192.0.2.7", "x"), SHOWN.replace("displayed", "y")):
        with pytest.raises(Unreadable):
            loaded_from(bad)
