"""Emulated firewalls behind real SSH, and logins to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TextIO

from core.clock import SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.emulators.panos import PanOs, User
from lab.emulators.server import Served, served
from tests.lab.emulators.panos import Keyboard, operating
from tests.vendors.paloalto_panos.readings import firewall
from vendors.adapter import Endpoint, Session
from vendors.diff import diff
from vendors.model import Desired, Observed, Receipt
from vendors.paloalto_panos import PaloAltoPanos
from vendors.session import connect

PASSWORD = "TOKGATE_TEST_PASSWORD"
USERS = {"admin": User(password="admin"), "tokgate": User(password="tokgate"), "bob": User(password="bob")}


@dataclass
class Box:
    """One firewall, served."""

    device: PanOs
    served: Served

    @contextmanager
    def session(self, *, transcript: TextIO | None = None, **changes: object) -> Iterator[Session]:
        endpoint = Endpoint(
            device=DeviceName("fw-test"),
            host=self.served.host,
            port=self.served.port,
            username="tokgate",
            password=SecretRef.parse(f"secret://env/{PASSWORD}"),
            key_file=None,
            key_passphrase=None,
            host_keys=(self.served.host_key,),
            budget=timedelta(seconds=60),
        )
        with connect(replace(endpoint, **changes), clock=SystemClock(), transcript=transcript) as session:  # type: ignore[arg-type]
            yield session

    def read(self, adapter: PaloAltoPanos | None = None) -> Observed:
        with self.session() as session:
            return (adapter or firewall()).read(session)

    def sync(self, desired: Desired, adapter: PaloAltoPanos | None = None) -> Receipt:
        """Read, plan, apply, on one login."""
        adapter = adapter or firewall()
        with self.session() as session:
            observed = adapter.read(session)
            return adapter.apply(session, observed, diff(observed, desired, observed.can))

    def holds(self, desired: Desired, adapter: PaloAltoPanos | None = None) -> bool:
        observed = self.read(adapter)
        return not observed.irregular and diff(observed, desired, observed.can).is_empty

    def keyboard(self, user: str = "bob") -> Keyboard:
        """Somebody else at the command line."""
        return operating(self.device, user)

    def running(self) -> list[list[str]]:
        """All lines of what runs, without their order: new entries and new members stand last, in whichever order."""
        with self.device.lock:
            lines = operating(self.device, "admin").type("show config running").splitlines()
        return sorted(sorted(re.sub(r"[][;]", " ", line).split()) for line in lines)


@contextmanager
def serving(device: PanOs) -> Iterator[Box]:
    with served([device]) as places:
        (where,) = places.values()
        yield Box(device, where)
