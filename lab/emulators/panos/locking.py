"""Config locks, one a scope, and commit locks.

Words: pan-os-python's error table, public API clients; what a lock is for: KB kA14u000000bpo7CAA.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lab.emulators.panos import printing
from lab.emulators.panos.answers import Refused
from lab.emulators.panos.device import Lock, PanOs


def take_config(device: PanOs, admin: str, scope: str, *, comment: str) -> str:
    held = device.config_locks.get(scope)
    if held is not None and held.admin == admin:
        raise Refused(f"You already own a config lock for scope {scope}")
    if held is not None:
        raise Refused(f"Config for scope {scope} is currently locked by {held.admin}")
    device.config_locks[scope] = Lock(admin=admin, created=device.clock.now(), comment=comment)
    return (
        "Successfully acquired lock. Other administrators will not be able to modify configuration"
        f" for scope {scope} until lock is released by {admin}."
    )


def drop_config(device: PanOs, admin: str, scope: str) -> str:
    held = device.config_locks.get(scope)
    if held is None:
        raise Refused(f"Config is not currently locked for scope {scope}")
    if held.admin != admin and not device.users[admin].superuser:
        raise Refused(f"Config for scope {scope} is currently locked by {held.admin}")
    del device.config_locks[scope]
    return f"Config lock released for scope {scope}"


def take_commit(device: PanOs, admin: str, *, comment: str) -> str:
    for held in device.commit_locks.values():
        raise Refused(f"Commit lock is already held by {held.admin}")
    device.commit_locks[admin] = Lock(admin=admin, created=device.clock.now(), comment=comment)
    return (
        "Successfully acquired lock. Other administrators will not be able to commit configuration"
        f" until lock is released by {admin}."
    )


def drop_commit(device: PanOs, admin: str, holder: str) -> str:
    """A superuser may break another's."""
    if holder not in device.commit_locks:
        raise Refused(f"Commit lock is not currently held by {holder}")
    if holder != admin and not device.users[admin].superuser:
        raise Refused(f"Commit lock is not currently held by {admin}")
    del device.commit_locks[holder]
    return f"Successfully released commit lock by {holder}"


def shown(device: PanOs, locks: Mapping[str, Lock]) -> str:
    """Name, scope, created, last activity, whether logged in, comment; the layout is on no public record."""
    if not locks:
        return ""
    found = [f"{'Admin':<16}{'Scope':<10}{'Created':<22}{'Last activity':<22}{'Loggedin':<10}Comment", "-" * 90]
    for scope, held in locks.items():
        at = _moment(device, held.created)
        found.append(f"{held.admin:<16}{scope.split()[0]:<10}{at:<22}{at:<22}{'yes':<10}{held.comment}")
    return printing.lines(found)


def _moment(device: PanOs, at: datetime) -> str:
    return f"{device.zone.local(at):%Y/%m/%d %H:%M:%S}"
