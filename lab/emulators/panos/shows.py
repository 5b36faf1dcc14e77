"""What `show …` prints of the box itself.

Layouts: ntc-templates (system info, jobs, high availability), napalm-panos (difference). Those of `show config list …`
and `show config audit info` are on no public record: what they tell is, how they are laid out is this emulator's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from lab.emulators.panos import jobs as job_tables
from lab.emulators.panos import printing, schema
from lab.emulators.panos.changes import Part, xpath
from lab.emulators.panos.device import PanOs
from lab.emulators.panos.jobs import Job
from lab.emulators.panos.printing import lines
from lab.emulators.panos.tree import Node, braces


def system_info(device: PanOs) -> str:
    model, now = device.model, device.clock.now()
    system = device.running.root.at((*schema.DEVICE, "deviceconfig", "system")) or Node()
    fields = {
        "hostname": device.hostname,
        "ip-address": system.value("ip-address", default="192.0.2.1"),
        "public-ip-address": "unknown",
        "netmask": system.value("netmask", default="255.255.255.0"),
        "default-gateway": system.value("default-gateway", default="192.0.2.254"),
        "ipv6-address": "unknown",
        "time": f"{device.zone.local(now):%a %b %e %H:%M:%S %Y}",
        "uptime": _uptime(now - device.booted),
        "family": model.family,
        "model": model.name,
        "serial": model.serial,
        "sw-version": model.version,
        "url-db": "paloaltonetworks",
        "platform-family": model.family,
        "vpn-disable-mode": "off",
        "multi-vsys": "on" if model.multi_vsys else "off",
        "operational-mode": "normal",
    }
    return lines(f"{name}: {value}" for name, value in fields.items())


def _uptime(length: timedelta) -> str:
    seconds = int(length.total_seconds()) % 86_400
    return f"{length.days} days, {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


# --- configurations ---------------------------------------------------------------------------------------------------


def whole(device: PanOs, root: Node) -> str:
    return printing.part(root, "config", (), "xml" if device.switches.whole_config == "xml" else "default")


def difference(device: PanOs) -> str:
    """Candidate against running, as braces behind a column of signs; three lines around each change."""
    old, new = (list(braces("config", space.root)) for space in (device.running, device.candidate))
    alike = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    start = max(0, (min(len(old), len(new)) if alike is None else alike) - 3)
    found = difflib.unified_diff(old[start:], new[start:], lineterm="", n=3)
    return lines(line for line in islice(found, 2, None) if not line.startswith("@@"))


def changes(device: PanOs, part: Part) -> str:
    return lines(xpath(unit) for unit in device.changes.units(part))


def summary(device: PanOs, part: Part) -> str:
    return lines(_summary(device, part))


def _summary(device: PanOs, part: Part) -> Iterator[str]:
    for admin in dict.fromkeys(admin for admin, _ in device.changes.of(part)):
        yield f"admin: {admin}"
        units = [unit for who, unit in device.changes.of(part) if who == admin]
        for section in dict.fromkeys(map(_section, units)):
            yield f"    {section}"


def _section(unit: tuple[str, ...]) -> str:
    if unit[:3] == (*schema.DEVICE, "vsys"):
        return f"policy-and-objects: {unit[3]}"
    return "shared-object" if unit[0] == "shared" else "device-and-network"


def audit(device: PanOs) -> str:
    return lines(
        f"version: {each.number}  date: {device.zone.local(each.at):%Y/%m/%d %H:%M:%S}"
        f"  job: {each.job}  admin: {each.admin}  description: {each.description}"
        for each in device.versions
    )


# --- jobs -------------------------------------------------------------------------------------------------------------


def jobs(device: PanOs, them: Sequence[Job]) -> str:
    return lines(job_tables.table(them, device.clock.now(), device.zone, device.switches.job_table))


def job(device: PanOs, one: Job) -> str:
    found = job_tables.table([one], device.clock.now(), device.zone, device.switches.job_table)
    if one.status(device.clock.now()) == "FIN":
        found += ["Warnings:", *one.warnings, "Details:", *one.details]
        found += [f"Description: {one.description}"] if one.description else []
    return lines(found)


# --- high availability ------------------------------------------------------------------------------------------------


def high_availability(device: PanOs) -> str:
    """Shape of the published pair of PA-5020s; links, monitors and election are left at their defaults."""
    if device.peer is None:
        return f"{device.switches.ha_off}\n"
    mine = ["  Local Information:", "    Version: 1", "    Mode: Active-Passive", *_member(device)]
    theirs = ["  Peer Information:", "    Connection status: up", "    Version: 1", "    Mode: Active-Passive"]
    state = "synchronized" if device.synchronized else "not synchronized"
    ending = ["  Configuration Synchronization:", "    Enabled: yes", f"    Running Configuration: {state}"]
    return lines(["Group 1: ", "  Mode: Active-Passive", *mine, *theirs, *_member(device.peer), *ending])


def _member(device: PanOs) -> list[str]:
    days = (device.clock.now() - device.booted).days
    address = device.running.root.value(*schema.DEVICE, "deviceconfig", "system", "ip-address", default="192.0.2.1")
    return [
        f"    State: {device.ha} (last {days} days)",
        "    Device Information:",
        f"      Model: {device.model.name}",
        f"      Management IPv4 Address: {address}/24",
        "      Management IPv6 Address: ",
        "      Jumbo-Frames disabled; MTU 1500",
        "    Version Information:",
        f"      Build Release: {device.model.version}",
    ]
