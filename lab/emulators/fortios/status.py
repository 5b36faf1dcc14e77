"""``get system status``, ``get system ha status``, policy counters: state as the box prints it.

Layouts: ntc-templates (6.0 to 7.4), batfish lab-validation (6.4.4), community article 392430 (counters).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lab.emulators.fortios.forwarding import Counter
from lab.emulators.fortios.switches import Model, Version

_NEWEST_FORM: Version = (7, 4, 0)
"""The captured 7.4.8 form, which a box of 7.2 may have as well: no source."""
_MODERN_WORDS: Version = (6, 4, 0)
"""Primary and secondary since 6.4; master and slave, or backup, before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One box of a cluster, as its status shows it."""

    hostname: str
    serial: str
    primary: bool
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the status is made of."""

    model: Model
    serial: str
    hostname: str
    vdoms: int
    multi: bool
    current_vdom: str
    ha: Member | None
    up: float
    changed: datetime | None
    now: datetime
    reboot_reason: str


def role(version: Version, *, primary: bool) -> str:
    if version >= _MODERN_WORDS:
        return "primary" if primary else "secondary"
    return "master" if primary else "backup"


def system_status(facts: Facts) -> Iterator[str]:
    model = facts.model
    yield f"Version: {model.name} v{model.text},build{model.build:04},{model.date} ({model.label})"
    if model.version >= (7, 0, 0):
        yield "Security Level: 1"
    yield "Firmware Signature: certified"
    yield from ("Virus-DB: 1.00000(2018-04-09 18:07)", "Extended DB: 1.00000(2018-04-09 18:07)")
    yield f"Serial-Number: {facts.serial}"
    yield from ("BIOS version: 05000006", "Log hard disk: Not available", f"Hostname: {facts.hostname}")
    yield from ("Private Encryption: Disable", "Operation Mode: NAT", f"Current virtual domain: {facts.current_vdom}")
    yield f"Max number of virtual domains: {model.vdoms}"
    yield f"Virtual domains status: {facts.vdoms} in NAT mode, 0 in TP mode"
    several = "multiple" if model.version >= (6, 2, 0) else "enable"  # as captured: 6.0.7, 6.2.6
    yield f"Virtual domain configuration: {several if facts.multi else 'disable'}"
    yield "FIPS-CC mode: disable"
    yield from _ha_lines(facts)
    yield f"Branch point: {model.build:04}"
    yield "Release Version Information: GA"
    if model.version < (7, 4, 0):
        yield "FortiOS x86-64: Yes"
    yield f"System time: {facts.now:%a %b} {facts.now.day:2} {facts.now:%H:%M:%S %Y}"
    if model.version >= (7, 0, 0):
        yield f"Last reboot reason: {facts.reboot_reason}"


def _ha_lines(facts: Facts) -> Iterator[str]:
    if facts.ha is None:
        yield "Current HA mode: standalone"
        return
    yield f"Current HA mode: a-p, {role(facts.model.version, primary=facts.ha.primary)}"
    days, rest = divmod(int(facts.up), 86_400)
    hours, rest = divmod(rest, 3600)
    yield f"Cluster uptime: {days} days, {hours} hours, {rest // 60} minutes, {rest % 60} seconds"
    yield f"Cluster state change time: {facts.changed:%Y-%m-%d %H:%M:%S}"


def ha_status(facts: Facts, members: tuple[Member, ...], *, synced: bool) -> Iterator[str]:
    """Standalone as in 6.0, a cluster as in 5.6, 7.0 or 7.4, as its release has it."""
    yield "HA Health Status: OK"
    yield f"Model: {facts.model.name}"
    yield f"Mode: {'HA A-P' if members else 'Standalone'}"
    newest = facts.model.version >= _NEWEST_FORM
    yield from ("Group Name: lab", "Group ID: 0") if newest else ("Group: 0",)
    yield "Debug: 0"
    days, rest = divmod(int(facts.up) if members else 0, 86_400)
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    time = f"{hours}h:{minutes}m:{seconds}s" if newest else f"{hours}:{minutes}:{seconds}"
    yield f"Cluster Uptime: {days} days {time}"
    yield (
        f"Cluster state change time: {facts.changed:%Y-%m-%d %H:%M:%S}"
        if members and facts.changed
        else ("Cluster state change time: N/A")
    )
    if members:
        yield from _cluster(facts, members, synced=synced)
        return
    yield from ("ses_pickup: enable, ses_pickup_delay=disable", "override: disable", "System Usage stats:")
    yield from ("HBDEV stats:", "number of vcluster: 0")


def _cluster(facts: Facts, members: tuple[Member, ...], *, synced: bool) -> Iterator[str]:
    modern = facts.model.version >= _MODERN_WORDS
    first = next(member for member in members if member.primary)
    yield f"{'Primary' if modern else 'Master'} selected using:"
    word = "primary" if modern else "master"
    yield (
        f"    <{facts.changed:%Y/%m/%d %H:%M:%S}> {first.serial} is selected as the {word} because it has the largest "
        "value of uptime."
    )
    yield from ("ses_pickup: enable, ses_pickup_delay=disable", "override: disable", "Configuration Status:")
    for member in members:
        state = "in-sync" if synced or member.primary else "out-of-sync"
        yield f"    {member.serial}(updated 3 seconds ago): {state}"
    yield "System Usage stats:"
    for member in members:
        yield f"    {member.serial}(updated 3 seconds ago):"
        yield "        sessions=1, average-cpu-user/nice/system/idle=0%/0%/0%/100%, memory=20%"
    yield from ("HBDEV stats:", "MONDEV stats:")
    in_order = sorted(members, key=lambda member: not member.primary)
    if facts.model.version >= _NEWEST_FORM:
        yield f"number of member: {len(members)}"
        yield from (f"{at.hostname:<16}, {at.serial}, HA cluster index = {at.index}" for at in in_order)
    else:
        yield from (_member(member, modern=modern) for member in in_order)
    yield from (
        "number of vcluster: 1",
        f"vcluster 1: {'work' if facts.ha and facts.ha.primary else 'standby'} 169.254.0.1",
    )
    for at, member in enumerate(in_order):
        if modern:
            yield f"{'Primary' if member.primary else 'Secondary'}: {member.serial}, HA operating index = {at}"
        else:
            yield f"{'Master' if member.primary else 'Slave '}: {member.serial}, operating cluster index = {at}"


def _member(member: Member, *, modern: bool) -> str:
    if modern:
        word = "Primary     " if member.primary else "Secondary   "
        return f"{word}: {member.hostname:<15}, {member.serial}, HA cluster index = {member.index}"
    word = "Master" if member.primary else "Slave "
    return f"{word}: {member.hostname:<14}, {member.serial}, cluster index = {member.index}"


def counter_lines(version: Version, policy: str, counter: Counter, *, established: int, now: datetime) -> Iterator[str]:
    """Three layouts: before 7.0, 7.0 and 7.2, from 7.4 (community article 392430)."""
    if version >= (7, 4, 0):
        yield from _by_line(policy, counter, established=established, now=now)
        return
    week = f" ({_week(counter, 0, now)})" if version >= (7, 0, 0) else ""
    yield (
        f"idx={policy} pkts/bytes={counter.packets}/{counter.octets} asic_pkts/asic_bytes=0/0 "
        f"nturbo_pkts/nturbo_bytes=0/0 flag=0x0 hit count:{counter.hits}{week}"
    )
    if counter.first is not None:
        yield f"    {_times('first', 'last', counter)}"
    yield f" established session count:{established}"
    if counter.first is not None:
        yield f"    {_times('first est', 'last est', counter)}"


def _by_line(policy: str, counter: Counter, *, established: int, now: datetime) -> Iterator[str]:
    nothing = "0 0 0 0 0 0 0 0"
    yield f"idx:{policy}"
    yield f"pkts:{counter.packets} ({_week(counter, 1, now)})"
    yield f"bytes:{counter.octets} ({_week(counter, 2, now)})"
    yield f"asic_pkts:0 ({nothing})"
    yield f"asic_bytes:0 ({nothing})"
    yield "flag:0x0"
    yield f"hit count:{counter.hits} ({_week(counter, 0, now)})"
    if counter.first is not None:
        yield _times("first hit", "last hit", counter)
    yield f"established session count:{established}"
    if counter.first is not None:
        yield _times("first est", "last est", counter)


def _week(counter: Counter, which: int, now: datetime) -> str:
    return " ".join(map(str, counter.week(which, now.date())))


def _times(first: str, last: str, counter: Counter) -> str:
    if counter.first is None or counter.last is None:
        return ""
    return f"{first}:{counter.first:%Y-%m-%d %H:%M:%S} {last}:{counter.last:%Y-%m-%d %H:%M:%S}"
