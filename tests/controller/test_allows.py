"""A never-block range inside a listed network, on a real gateway: the network stays whole, and the range passes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from controller.model import EventAction, Outcome
from controller.service import Controller
from controller.settings import Settings
from controller.store import EventQuery
from controller.views import Selection
from core.net import Network, parse_network
from lab import inventory as lab_inventory
from lab.topology import Lab
from lab.world import INTERNET, Kind

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

BERLIN = Selection(sites=("berlin",))
TIKTOK = next(one for one in INTERNET if one.kind is Kind.TIKTOK)
LISTED = "103.136.220.0/23"
"""As the shipped data says it."""
SERVED, BESIDE = f"tcp:{TIKTOK.v4}:443", "tcp:103.136.220.11:443"
ODD, EVEN = (tuple(f"103.136.220.{host}" for host in range(start, 64, 2)) for start in (1, 2))
"""Either cut out would leave more than 30 pieces; the server's address is an even one."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"al{os.getpid() % 100000}") as standing:
        yield standing


def inventory(lab: Lab, path: Path, never_block: tuple[str, ...]) -> Path:
    made = lab_inventory.inventory(lab)
    made["intelligence"] = {
        "sources": [{"kind": "curated"}],
        "guard": {"never_block": list(never_block), "max_pieces": 8},
    }
    path.write_text(yaml.safe_dump(made), encoding="utf-8")
    return path


def synced(opened: Controller) -> dict[str, frozenset[object]]:
    """The lists that the gateway holds after a refresh and a sync."""
    opened.refresh_intel(actor="test")
    run = opened.sync(BERLIN, actor="test")
    assert [(d.outcome, d.error) for d in run.devices] == [(Outcome.APPLIED, None)]
    assert opened.plan(BERLIN, actor="test")[0].steps == (), "read back, it is what was wanted (I3)"
    with opened._worker.session(opened.inventory.device("fw-berlin"), None) as (adapter, session):
        return {group.name: frozenset(group.members) for group in adapter.read(session).groups}


def passes(lab: Lab, target: str) -> bool:
    return not lab.sites["berlin"].clients["company"].browse(target)[target].is_blocked


def denied(opened: Controller, lab: Lab, target: str) -> bool:
    """Whether a rule of ours denied it, by the gateway's own counters: nobody may answer there anyway."""
    opened.collect(BERLIN)
    before = hits(opened)
    lab.sites["berlin"].clients["company"].browse(target)
    opened.collect(BERLIN)
    return hits(opened) > before


def hits(opened: Controller) -> int:
    page = opened.events(EventQuery(action=EventAction.BLOCKED, limit=200))
    return sum(event.hits or 0 for event in page.items)


def test_i07_the_allowed_part_of_a_listed_network_passes_and_the_rest_is_blocked(lab: Lab, tmp_path: Path) -> None:
    assert passes(lab, SERVED)
    for never_block, served in ((ODD, False), (EVEN, True)):
        path = inventory(lab, tmp_path / "inventory.yaml", never_block)
        with Controller.open(Settings(inventory=path, data_dir=tmp_path / "data", workers=1)) as opened:
            lists = synced(opened)
            assert parse_network(LISTED) in lists["dst-tiktok"], "whole: not in pieces"
            assert set(map(parse_network, never_block)) <= set(split(lists["spared"]))
            assert passes(lab, SERVED) is served
            assert denied(opened, lab, SERVED) is not served
            assert denied(opened, lab, BESIDE) is served


def split(members: frozenset[object]) -> Iterator[Network]:
    """Every address of the short members: two neighbours that are never blocked are one member."""
    for network in members:
        if isinstance(network, IPv4Network) and network.prefixlen > 24:
            yield from network.subnets(new_prefix=32)
