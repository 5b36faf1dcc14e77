"""A change on a firewall under a Panorama: none. The firewall pulls its lists, and what it runs is judged."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from vendors.adapter import Session
from vendors.diff import mark_of
from vendors.errors import Refused, Uncertain
from vendors.model import Observed, Plan, Receipt
from vendors.paloalto_panos import lists, managed
from vendors.paloalto_panos.shape import list_name
from vendors.paloalto_panos.talk import DIALECT, Talk

if TYPE_CHECKING:
    from vendors.paloalto_panos.adapter import PaloAltoPanos

_POLL: Final = 0.5


def watched(adapter: PaloAltoPanos, session: Session, current: Observed, plan: Plan) -> Receipt:
    """The state once the firewall has loaded what is served.

    Raises ``Refused`` when a person has to do something first, ``Uncertain`` when a list does not come in time.
    """
    if why := next(managed.to_do(current, plan.desired), None):
        raise Refused(
            f"{why}; nothing was sent",
            hint="in Panorama; see it in docs/vendors/paloalto_panos.md",
            device=adapter.device,
        )
    began = time.monotonic()
    commands = _pull(adapter, session, current, plan)
    observed = adapter.read(session)
    if wrong := next(iter(_differences(observed, plan)), None):
        raise Uncertain(
            f"the firewall does not enforce it yet: {wrong}",
            hint="look at the address, the certificate and the login that the firewall pulls with",
            device=adapter.device,
        )
    served = {feed.name for feed in adapter.feeds(current, plan.desired)}
    return Receipt(
        observed=observed,
        commands=commands,
        flows_cut=None,
        timings={"load lists": timedelta(seconds=time.monotonic() - began)},
        notes=tuple(
            f"{lists.told(group.name, len(group.members), adapter.options, 0)}; nothing is written"
            for group in plan.desired.groups
            if group.name in served
        ),
    )


def _pull(adapter: PaloAltoPanos, session: Session, current: Observed, plan: Plan) -> int:
    """Have it pull now what it has not: that changes no configuration. Returns how many lines were sent."""
    feed = adapter.options.pulls
    assert feed is not None
    end = time.monotonic() + feed.load_seconds
    with session.shell(DIALECT) as shell:
        talk = Talk(shell, adapter.options)
        for one in adapter.feeds(current, plan.desired):
            device = list_name(one.name)
            if lists.loaded_from(talk.loaded(device, "ip").text).holds(one):
                continue
            talk.ask(f"{lists.REFRESH}ip name {device}")
            while not lists.loaded_from(talk.loaded(device, "ip").text).holds(one) and time.monotonic() < end:
                time.sleep(_POLL)
        return talk.commands


def _differences(observed: Observed, plan: Plan) -> list[str]:
    wanted = plan.desired
    found = list(observed.irregular)
    found += ["a list differs"] if observed.groups != wanted.groups else []
    found += ["the rules differ"] if observed.rules != wanted.rules else []
    return found + (["the mark differs"] if observed.mark != mark_of(wanted) else [])
