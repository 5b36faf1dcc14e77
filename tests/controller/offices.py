"""A small inventory and a snapshot for the controller's tests: two sites, nested roles, one window."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from controller.desired import Facts
from controller.exceptions import ExceptionRequest
from controller.inventory import Inventory, load_inventory
from controller.model import AccessException, ExceptionState
from core.ids import ExceptionId, SiteName, SnapshotId
from core.net import DomainName, Network
from ipsets.model import ServiceSet, Snapshot

NOON = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)  # a Wednesday, 12:00 in Berlin
NIGHT = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHfNoTV8YQWcFBpgdLPGKFGUbKhDkSDEgZrmQfV3WqN"

YAML = f"""
version: 1
intelligence: {{sources: [{{kind: curated}}]}}
defaults:
  device: {{username: tokgate, key_file: "secret://file/nonexistent/key"}}
policies:
  standard:
    services: [tiktok]
    roles:
      company:
        mode: monitor
        windows: [{{days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00", mode: enforce}}]
      guest: {{mode: off}}
  spare:
    services: [tiktok]
    shared_addresses: spare
    roles: {{company: {{mode: enforce}}}}
sites:
  berlin:
    title: Berlin office
    time_zone: Europe/Berlin
    policy: standard
    networks: {{company: [10.20.0.0/16, "2a01:db9:20::/48"], guest: [10.20.9.0/24]}}
    devices:
      fw-berlin: {{vendor: linux_nftables, host: 127.0.0.1, port: 9, host_keys: ["{KEY}"], own_addresses: [198.18.7.1]}}
  austin:
    title: Austin office
    time_zone: America/Chicago
    policy: spare
    networks: {{company: [10.30.0.0/16]}}
    devices:
      fw-austin: {{vendor: linux_nftables, host: 127.0.0.1, port: 10, host_keys: ["{KEY}"]}}
"""


def offices(folder: Path, text: str = YAML) -> Inventory:
    """The inventory, through the real loader."""
    path = folder / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    return load_inventory(path)


def networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def snapshot(*texts: str, domains: tuple[str, ...] = ("tiktok.com",)) -> Snapshot:
    """A snapshot of these networks and names, as if built."""
    service = ServiceSet(
        service="tiktok", networks=networks(*texts), domains=tuple(DomainName(name) for name in domains)
    )
    return Snapshot(
        id=SnapshotId("ab" * 32),
        created_at=NOON,
        parent=None,
        services=(service,),
        indicators=(),
        dropped=(),
        source_ages=(),
    )


def an_exception(
    *sources: str, starts: datetime = NOON, ends: datetime = NIGHT, state: ExceptionState = ExceptionState.APPROVED
) -> AccessException:
    return AccessException(
        id=ExceptionId("01hzexception0000000000001"),
        sites=(SiteName("berlin"),),
        sources=networks(*sources),
        service="tiktok",
        starts=starts,
        ends=ends,
        reason="campaign",
        owner="marketing",
        ticket="MKT-1",
        state=state,
        requested_by="ann",
        requested_at=NOON,
    )


def facts(
    inventory: Inventory,
    site: str = "berlin",
    *,
    of: Snapshot | None = None,
    exceptions: tuple[AccessException, ...] = (),
) -> Facts:
    found = inventory.site(site)
    return Facts(
        site=found,
        policy=inventory.policies[found.policy],
        snapshot=of or snapshot("103.136.220.0/23", "2605:340:cdb1::/48"),
        exceptions=exceptions,
        never_block=networks("8.8.8.8/32"),
        shared_cdn=networks("23.32.0.0/11"),
        owner="01htestowner00000000000000",
    )


def request(starts: datetime, ends: datetime) -> ExceptionRequest:
    """One of Berlin's, for one client."""
    return ExceptionRequest(
        sites=("berlin",),
        sources=("10.20.1.7",),
        service="tiktok",
        starts=starts,
        ends=ends,
        reason="campaign",
        owner="marketing",
    )
