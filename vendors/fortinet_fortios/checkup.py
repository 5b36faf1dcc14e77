"""What `tokgate device doctor` says of a FortiGate. Pure: all of it stands in one reading."""

from __future__ import annotations

import json
from collections.abc import Iterator

from vendors.adapter import Finding
from vendors.fortinet_fortios.options import FortinetFortiosOptions
from vendors.model import WHOLE, Observed, Transaction


def findings(observed: Observed, options: FortinetFortiosOptions) -> tuple[Finding, ...]:
    extra, can = observed.extra, observed.can
    return (
        Finding(check="version", ok=True, message=f"FortiOS {extra['release']}, {extra['model']}"),
        _role(extra["ha"], primary=extra["primary"] == "True"),
        _manager(extra["manager"], only_pulls=options.managed is not None),
        _rollback(can.transaction, wanted=options.workspace),
        _saving(extra["cfg_save"], options),
        _limits(observed),
        *_delivery(observed),
        _owner(observed),
        *(Finding(check="our objects", ok=False, message=line) for line in observed.irregular),
    )


def _role(ha: str, *, primary: bool) -> Finding:
    where = "stands alone" if ha == "standalone" else f"{'primary' if primary else 'secondary'} unit, cluster {ha}"
    return Finding(check="cluster", ok=primary, message=where)


def _manager(manager: str, *, only_pulls: bool) -> Finding:
    if only_pulls:
        return Finding(check="manager", ok=True, message=f"{manager or 'managed by nobody'}: nothing is written here")
    said = f"managed by {manager}: its next installation overwrites local changes" if manager else "managed by nobody"
    return Finding(check="manager", ok=not manager, message=said)


def _rollback(transaction: Transaction, *, wanted: bool) -> Finding:
    if transaction is Transaction.CANDIDATE:
        return Finding(check="rollback", ok=True, message="changes go in one workspace transaction")
    why = "the release has no workspace mode" if wanted else "options.workspace is off"
    return Finding(check="rollback", ok=True, message=f"changes go line by line, with a computed way back: {why}")


def _saving(mode: str, options: FortinetFortiosOptions) -> Finding:
    if mode == "automatic":
        return Finding(check="persistence", ok=True, message="the device saves each change by itself")
    how = "saved after each verified change" if options.save else "not saved (options.save): lost at the next reboot"
    return Finding(check="persistence", ok=options.save, message=f"cfg-save is {mode}: {how}")


def _limits(observed: Observed) -> Finding:
    room = "no limit known" if observed.can.max_entries is None else f"room for {observed.can.max_entries:,} addresses"
    said = f"{observed.extra['group_members']} members in one group, {observed.can.max_members:,} of one list; {room}"
    return Finding(check="limits", ok=True, message=said)


def _delivery(observed: Observed) -> Iterator[Finding]:
    """Which lists are pulled, and whether they could be."""
    for note in observed.can.notes:
        for start in ("delivery:", "entries:", "feed:", WHOLE):
            if note.startswith(start):
                yield Finding(check="delivery", ok=True, message=note.removeprefix(start).strip())


def _owner(observed: Observed) -> Finding:
    strangers = json.loads(observed.extra["strangers"])
    if observed.mark is not None:
        return Finding(check="owner", ok=True, message=f"marked by controller {observed.mark.owner}")
    if strangers and not observed.extra["owner"]:
        return Finding(check="owner", ok=False, message=f"{strangers[0]} has our name and not our comment")
    gone = f"the mark is gone; comments say controller {owner}" if (owner := observed.extra["owner"]) else ""
    return Finding(check="owner", ok=not gone, message=gone or "nothing of ours yet")
