"""Emulated FortiGates behind real SSH, and the way of a desired state to one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from core.clock import SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.emulators.fortios import FortiGate
from lab.emulators.server import Served, served
from vendors.adapter import Endpoint, Session
from vendors.diff import diff
from vendors.fortinet_fortios.adapter import FortinetFortios
from vendors.model import Desired, Observed, Plan, Receipt
from vendors.session import connect

PASSWORD = "TOKGATE_TEST_FORTIGATE"


def endpoint(at: Served, **changes: object) -> Endpoint:
    os.environ[PASSWORD] = "fortinet"
    made = Endpoint(
        device=DeviceName("fw"),
        host=at.host,
        port=at.port,
        username="admin",
        password=SecretRef("env", PASSWORD),
        key_file=None,
        key_passphrase=None,
        host_keys=(at.host_key,),
        budget=timedelta(seconds=60),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@contextmanager
def logged_in(at: Served) -> Iterator[Session]:
    with connect(endpoint(at), clock=SystemClock()) as session:
        yield session


@contextmanager
def reached(device: FortiGate) -> Iterator[Session]:
    """One login to one device."""
    with served([device]) as places, logged_in(places[device.name]) as session:
        yield session


def look(session: Session, using: FortinetFortios, desired: Desired) -> tuple[Observed, Plan]:
    found = using.read(session)
    return found, diff(found, desired, found.can)


def push(session: Session, using: FortinetFortios, desired: Desired) -> Receipt:
    found, plan = look(session, using, desired)
    return using.apply(session, found, plan)
