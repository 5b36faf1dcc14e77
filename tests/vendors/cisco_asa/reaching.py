"""The adapter at an emulated ASA, over real SSH on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from core.clock import ManualClock, SystemClock
from core.ids import DeviceName
from core.secret import SecretRef
from lab.emulators.asa import Asa
from lab.emulators.server import Served, served
from tests.lab.emulators.asa import NOON
from tests.vendors.cisco_asa.boxes import LISTED
from vendors.adapter import Endpoint
from vendors.cisco_asa import CiscoAsa, CiscoAsaOptions
from vendors.diff import diff
from vendors.model import Desired, Observed, Reading, Receipt
from vendors.session import SshSession, connect

DEVICE = DeviceName("fw-asa")


@dataclass(frozen=True, slots=True)
class Reached:
    """One device, and an adapter for it."""

    device: Asa
    at: Served
    adapter: CiscoAsa
    endpoint: Endpoint

    @contextmanager
    def session(self) -> Iterator[SshSession]:
        with connect(self.endpoint, clock=SystemClock()) as session:
            yield session

    def look(self) -> Observed:
        with self.session() as session:
            return self.adapter.read(session)

    def push(self, wished: Desired) -> Receipt:
        """Log in, read, plan, apply."""
        with self.session() as session:
            observed = self.adapter.read(session)
            return self.adapter.apply(session, observed, diff(observed, wished, observed.can))

    def is_done(self, wished: Desired) -> bool:
        observed = self.look()
        return diff(observed, wished, observed.can).is_empty

    def count(self) -> Reading:
        with self.session() as session:
            return self.adapter.counters(session)

    def using(self, **changes: Any) -> Reached:
        options = CiscoAsaOptions.model_validate({**self.adapter.options.model_dump(), **changes})
        return replace(self, adapter=replace(self.adapter, options=options))


@contextmanager
def reached(device: Asa, tmp_path: Any, *, secret: str | None = "enable", **options: Any) -> Iterator[Reached]:
    """``tmp_path`` keeps the secrets, which an inventory only refers to."""
    (tmp_path / "password").write_text("admin\n", encoding="utf-8")
    (tmp_path / "enable").write_text(f"{secret}\n", encoding="utf-8")
    given: dict[str, Any] = {"lists": [LISTED], "lock_wait_seconds": 0, **options}
    if secret is not None:
        given["enable"] = f"secret://file{tmp_path}/enable"
    clock = device.clock if isinstance(device.clock, ManualClock) else ManualClock(NOON)
    adapter = CiscoAsa(CiscoAsaOptions.model_validate(given), DEVICE, clock)
    with served([device]) as all_served:
        at = all_served[device.name]
        endpoint = Endpoint(
            device=DEVICE,
            host=at.host,
            port=at.port,
            username="admin",
            password=SecretRef.parse(f"secret://file{tmp_path}/password"),
            key_file=None,
            key_passphrase=None,
            host_keys=(at.host_key,),
            budget=timedelta(seconds=60),
        )
        yield Reached(device, at, adapter, endpoint)
