"""What no public source settles, tried every way: the adapter does the same under each position of each switch."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lab.emulators.asa import Mishaps, Model, Switches, pair
from lab.emulators.traffic import Flow, Verdict
from tests.lab.emulators.asa import turned
from tests.vendors.cisco_asa.boxes import DENY, FQDN, NOTHING, SOURCES, WISH, addresses, box, desired, typed_in
from tests.vendors.cisco_asa.reaching import reached
from vendors.errors import Refused

NEXT = desired([SOURCES, addresses("dst-video", "192.0.2.0/25", "198.51.100.7/32"), FQDN], [DENY])
FLOW = Flow(source=ip_address("10.0.1.9"), destination=ip_address("198.51.100.7"), packets=2)


def positions() -> list[Any]:
    """Every switch, turned away from its default, one at a time."""
    return [
        pytest.param({name: value}, id=f"{name}={value!r}") for name, values in turned().items() for value in values
    ]


@pytest.mark.parametrize("position", positions())
def test_the_adapter_does_the_same_at_every_position(tmp_path: Path, position: dict[str, Any]) -> None:
    device = box(switches=Switches(**position), names={"www.example.com": (ip_address("192.0.2.80"),)})
    with reached(device, tmp_path) as at:
        assert at.push(WISH).notes == ()
        assert at.is_done(WISH)
        assert device.forward(FLOW) is Verdict.DENY
        typed_in(device, ["access-list INSIDE_IN line 2 extended permit tcp any any eq 8443"])
        typed_in(device, ["object-group network tokgate-dst-video", "network-object 192.0.2.0 255.255.255.192"])
        at.push(NEXT)
        assert at.is_done(NEXT)
        device.clock.advance(timedelta(seconds=400))
        device.forward(FLOW)
        reading = at.count()
        assert [rule.rule for rule in reading.rules] == ["deny-company"]
        assert (reading.rules[0].hits or 0) >= 2
        assert [str(flow.source) for flow in reading.flows] == ["10.0.1.9"]
        before = at.look()
        device.mishaps = Mishaps(config_held_by="192.0.2.9")
        with pytest.raises(Refused, match="configuration in progress"):
            at.push(WISH)
        device.mishaps = Mishaps()
        assert at.look() == before
        at.push(NOTHING)
        assert at.is_done(NOTHING)
        assert device.forward(FLOW) is Verdict.PERMIT


OF_A_PAIR = [one for one in positions() if one.id.startswith(("standby", "hits_replicated", "refusal", "auto_enable"))]


@pytest.mark.parametrize("position", OF_A_PAIR)
def test_a_pair_is_written_on_one_side_at_every_position(tmp_path: Path, position: dict[str, Any]) -> None:
    switches = Switches(**position)
    primary, secondary = box(switches=switches), box(switches=switches, name="other", model=Model(serial="MATE"))
    pair(primary, secondary)
    with reached(secondary, tmp_path) as at, pytest.raises(Refused, match="not the active one"):
        at.push(WISH)
    with reached(primary, tmp_path) as at:
        at.push(WISH)
        assert at.is_done(WISH)
        primary.fail_over()
    with reached(secondary, tmp_path) as at:
        assert at.is_done(WISH)
        at.push(NEXT)
        assert at.is_done(NEXT)
