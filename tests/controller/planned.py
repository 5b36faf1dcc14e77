"""What a Linux gateway that holds nothing of ours would be sent: the text of its first plan, without a gateway."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from controller.desired import Facts, desired_for
from controller.inventory import Device
from vendors.diff import diff
from vendors.registry import adapter_for

READING = Path(__file__).parents[1] / "vendors" / "data" / "reading-nft-1.1.3.txt"


def first_plan(facts: Facts, device: Device, at: datetime) -> str:
    """nft's own language, as ``tokgate plan`` would show it."""
    adapter = adapter_for("linux_nftables", {"dnsmasq": {}}, device.name)
    bare = {"table": "", "dns": "", "has_dns": "False"}
    empty = replace(adapter.parse(READING.read_text(encoding="utf-8")), groups=(), rules=(), mark=None, extra=bare)
    return adapter.render(empty, diff(empty, desired_for(facts, device, at), empty.can)).text
