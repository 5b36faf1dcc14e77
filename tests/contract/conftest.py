"""The devices that the contract runs on: a real one for every adapter of the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab import machine
from lab.topology import Lab
from lab.world import OFFICES
from tests.contract.rig import RIGS, Rig

LOGINS = {office.login: office.name for office in OFFICES}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab.up(f"ct{os.getpid() % 100000}") as made:
        yield made


@pytest.fixture(params=list(RIGS))
def loose_rig(request: pytest.FixtureRequest, lab: Lab) -> Rig:
    """A device with nothing of ours on it, reached as an operator: the narrower of its logins."""
    return _bare(RIGS[request.param](lab.sites[LOGINS[machine.OPERATOR]]))


@pytest.fixture
def rig(loose_rig: Rig) -> Iterator[Rig]:
    """The same; whatever a scenario does, the owner's rules are to the byte what they were (I1)."""
    before = loose_rig.foreign()
    yield loose_rig
    assert loose_rig.foreign() == before, "the owner's rules were touched"


@pytest.fixture(params=list(RIGS))
def root_rig(request: pytest.FixtureRequest, lab: Lab) -> Rig:
    """The other login, for the scenarios where rights matter."""
    return _bare(RIGS[request.param](lab.sites[LOGINS["root"]]))


def _bare(made: Rig) -> Rig:
    made.wipe()
    return made
