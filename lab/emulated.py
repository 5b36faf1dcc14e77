"""Emulated firewalls of four vendors in one process, with an inventory for them: for scale, and for a look around.

``python -m lab.emulated FOLDER COUNT`` serves them until it is ended. Called by ``tokgate lab up --fleet``. Each is
behind a real SSH server on a port of its own on the loopback; nothing here needs root.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from core.clock import Clock, SystemClock
from lab.emulators.asa import Asa
from lab.emulators.fortios import FortiGate
from lab.emulators.panos import PanOs, User
from lab.emulators.server import Device, Served, served
from lab.emulators.srx import Srx
from lab.emulators.traffic import Flow, Verdict

DATA: Final = Path(__file__).parent / "data" / "emulated"
PER_SITE: Final = 8
INVENTORY: Final = "inventory.yaml"
ENVIRONMENT: Final = "env"
_FILES: Final = 8
"""File handles of one device: the socket that listens, and the sessions that it takes at most."""
_SPARE: Final = 256


class Firewall(Device, Protocol):
    """A device through which flows go."""

    def forward(self, flow: Flow) -> Verdict:
        """What becomes of it. The caller holds ``lock``."""
        ...


COLLEAGUE: Final = "colleague"
"""Another administrator of a PAN-OS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How a device of one vendor is made, and what an inventory says of it beside its address."""

    vendor: str
    password: str
    device: Callable[[str, str, Clock], Firewall]  # name, the owner's configuration, clock
    options: Mapping[str, Any]


_WAYS: Final = [{"inside": "inside", "outside": "outside"}]
MAKES: Final = (
    Make(
        vendor="cisco_asa",
        password="admin",  # noqa: S106  # of an emulated device
        device=lambda name, base, clock: Asa(name=name, base=base, clock=clock),
        options={"enable": "secret://env/TGLAB_ENABLE", "lists": [{"acl": "INSIDE_IN"}]},
    ),
    Make(
        vendor="juniper_srx",
        password="pw",  # noqa: S106  # of an emulated device
        device=lambda name, base, clock: Srx(name=name, base=base, clock=clock),
        options={"places": "all", "oracle": _WAYS},
    ),
    Make(
        vendor="fortinet_fortios",
        password="fortinet",  # noqa: S106  # of an emulated device
        device=lambda name, base, clock: FortiGate(name=name, base=base, clock=clock, exit="port3"),
        options={"oracle": [{"inside": "port1"}]},
    ),
    Make(
        vendor="paloalto_panos",
        password="admin",  # noqa: S106  # of an emulated device
        device=lambda name, base, clock: PanOs(
            name=name,
            base=base,
            clock=clock,
            users={"admin": User(password="admin"), COLLEAGUE: User(password="colleague")},  # noqa: S106  # emulated
        ),
        options={"oracle": _WAYS},
    ),
)
ENABLE: Final = "enable"
"""Of every emulated ASA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """One device of the fleet."""

    site: str
    make: Make
    device: Firewall


def fleet(count: int, clock: Clock) -> tuple[Emulated, ...]:
    """So many devices, the vendors in turn, ``PER_SITE`` to a site. Raises ``ValueError`` for none."""
    if count < 1:
        raise ValueError("a fleet is at least one device")
    bases = {make.vendor: (DATA / f"{make.vendor}.conf").read_text(encoding="utf-8") for make in MAKES}
    found = []
    for index in range(count):
        make = MAKES[index % len(MAKES)]
        name = f"{make.vendor.rpartition('_')[2]}-{index:04d}"
        device = make.device(name, bases[make.vendor], clock)
        found.append(Emulated(site=f"site-{index // PER_SITE:03d}", make=make, device=device))
    return tuple(found)


def inventory(devices: tuple[Emulated, ...], at: Mapping[str, Served]) -> dict[str, Any]:
    """The inventory of a fleet that is served, as plain data."""
    sites: dict[str, Any] = {}
    for one in devices:
        site = sites.setdefault(
            one.site,
            {
                "title": one.site,
                "time_zone": "Etc/UTC",
                "policy": "standard",
                "networks": {"company": ["10.0.1.0/24"], "guest": ["10.0.9.0/24"]},
                "devices": {},
            },
        )
        where = at[one.device.name]
        site["devices"][one.device.name] = {
            "vendor": one.make.vendor,
            "host": where.host,
            "port": where.port,
            "username": "admin",
            "password": f"secret://env/{variable(one.make)}",
            "host_keys": [where.host_key],
            "options": deepcopy(one.make.options),  # YAML would write one list twice as an anchor
        }
    roles = {"company": {"mode": "enforce"}, "guest": {"mode": "monitor"}}
    return {
        "version": 1,
        "intelligence": {"sources": [{"kind": "curated"}]},
        "defaults": {"device": {"budget_seconds": 900}},
        "policies": {"standard": {"services": ["tiktok"], "shared_addresses": "block", "roles": roles}},
        "sites": sites,
        "exceptions": {"file": "exceptions.yaml", "reasons": {"other": {}}},
    }


def variable(make: Make) -> str:
    """The environment variable that holds the password of all devices of a vendor."""
    return f"TGLAB_{make.vendor.upper()}"


def secrets() -> dict[str, str]:
    """The passwords of what is emulated, by the variables that inventories refer to."""
    return {"TGLAB_ENABLE": ENABLE, **{variable(make): make.password for make in MAKES}}


def environment(folder: Path) -> dict[str, str]:
    """What points tokgate at a fleet whose files are in ``folder``, and its passwords."""
    return {"TOKGATE_INVENTORY": str(folder / INVENTORY), "TOKGATE_DATA_DIR": str(folder / "data"), **secrets()}


def write(folder: Path, devices: tuple[Emulated, ...], at: Mapping[str, Served]) -> None:
    """Write the environment, then the inventory, which is there when all of it is."""
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = (f"export {name}={value}\n" for name, value in environment(folder).items())
    (folder / ENVIRONMENT).write_text("".join(lines), encoding="utf-8")
    (folder / "exceptions.yaml").write_text("version: 1\n", encoding="utf-8")
    draft = folder / f"{INVENTORY}.new"
    draft.write_text(yaml.safe_dump(inventory(devices, at), sort_keys=False), encoding="utf-8")
    draft.replace(folder / INVENTORY)


def make_room(count: int) -> None:
    """Raise this process's limit of open files as far as the fleet needs and the machine lets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count * _FILES + _SPARE
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main(folder: Path, count: int) -> None:
    """Serve a fleet until this process is ended by SIGTERM or SIGINT."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's thread, which inherits it
    make_room(count)
    devices = fleet(count, SystemClock())
    with served([one.device for one in devices]) as at:
        write(folder, devices, at)
        signal.sigwait(ends)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
