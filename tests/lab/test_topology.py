"""The lab as it stands before tokgate: everything is reachable, and names lead where they should."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import cli, inventory, netns, processes, world
from lab.topology import Lab, fleet, read_results
from lab.workspace import Workspace, leftovers
from lab.world import INTERNET, Kind, host

pytestmark = pytest.mark.root

REJECT = """\
table inet ours {
	set f4 { type ipv4_addr; flags timeout; timeout 6h; }
	set f6 { type ipv6_addr; flags timeout; timeout 6h; }
	chain forward {
		type filter hook forward priority filter - 5; policy accept;
		ip daddr @f4 meta l4proto tcp reject with tcp reset
		ip daddr @f4 reject with icmpx port-unreachable
		ip6 daddr @f6 meta l4proto tcp reject with tcp reset
		ip6 daddr @f6 reject with icmpx admin-prohibited
	}
}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"t{os.getpid() % 100000}") as made:
        yield made
    assert leftovers(made.workspace.prefix).is_empty


@pytest.mark.parametrize("site", ["berlin", "austin"])
@pytest.mark.parametrize("role", ["company", "guest", "marketing"])
def test_every_client_reaches_every_server_both_ways_and_families(lab: Lab, site: str, role: str) -> None:
    targets = [f"{way}:{one.name}:443" for one in INTERNET for way in ("tcp", "udp", "tcp6", "udp6")]
    results = lab.sites[site].clients[role].browse(*targets)
    assert {result.outcome for result in results.values()} == {"ok"}
    for one in INTERNET:
        assert results[f"tcp:{one.name}:443"].address == one.v4
        assert results[f"udp6:{one.name}:443"].address == one.v6


def test_names_lead_where_they_should(lab: Lab) -> None:
    client = lab.sites["berlin"].clients["company"]
    found = client.browse("dns:mon.tiktokv.us", "dns6:webcast.tiktok.com", "dns:nosuch.example")
    assert found["dns:mon.tiktokv.us"].answers == ("71.18.6.10",)
    assert found["dns6:webcast.tiktok.com"].answers == ("2404:9dc0:cd01::10",)
    assert found["dns:nosuch.example"].outcome == "no-address"


def test_the_shared_name_is_an_alias_of_the_cdn(lab: Lab) -> None:
    shared = host(Kind.SHARED)
    said = netns.run(["dig", "+short", f"@{lab.resolver}", shared.name]).stdout.splitlines()
    assert said == [f"{shared.edge}.", shared.v4]


def test_the_server_sees_ipv4_masqueraded_but_the_gateway_sees_who_it_was(lab: Lab) -> None:
    site = lab.sites["austin"]
    site.clients["guest"].browse("tcp:198.51.100.80:80")
    flows = site.gateway.namespace.run("conntrack", "-L", "-p", "tcp", "--orig-src", "10.30.1.10").stdout
    assert "dst=198.51.100.80" in flows
    assert f"dst={site.office.wan[1][0]}" in flows


def test_live_dns_feeds_a_set_before_the_client_has_the_answer(lab: Lab) -> None:
    gateway, client = lab.sites["austin"].gateway, lab.sites["austin"].clients["company"]
    gateway.nft(REJECT)
    gateway.files.dnsmasq_dir.joinpath("ours.conf").write_text(
        "nftset=/tiktokcdn.com/4#inet#ours#f4,6#inet#ours#f6\n", encoding="utf-8"
    )
    gateway.restart_dnsmasq()
    names = ("v16-webapp.tiktokcdn.com", "news.example")
    results = client.browse(*(f"{way}:{name}:443" for name in names for way in ("tcp", "udp", "tcp6", "udp6")))
    assert {r.outcome for t, r in results.items() if "tiktokcdn" in t} == {"refused", "denied"}
    assert {r.outcome for t, r in results.items() if "news" in t} == {"ok"}
    gateway.files.dnsmasq_dir.joinpath("ours.conf").unlink()
    gateway.reboot(persisted=False)


def test_a_client_can_wait_for_a_change(lab: Lab) -> None:
    gateway, client = lab.sites["austin"].gateway, lab.sites["austin"].clients["company"]
    target = "tcp:103.136.220.10:443"
    gateway.nft(REJECT + "add element inet ours f4 { 103.136.220.10 }\n")
    assert client.wait_for(target, "blocked", deadline=2).outcome == "refused"
    assert client.wait_for(target, "ok", deadline=0.3).outcome == "still-refused"
    gateway.nft("delete table inet ours\n")
    assert client.wait_for(target, "ok", deadline=2).outcome == "ok"


def test_another_process_finds_the_lab_by_its_name(lab: Lab) -> None:
    lab.save()
    found = Lab.load(lab.workspace.prefix)
    assert cli.describe(found) == cli.describe(lab)
    assert found.sites["berlin"].gateway.programs() == ("dnsmasq", "sshd")
    assert found.sites["berlin"].clients["company"].browse("tcp:198.51.100.80:443")["tcp:198.51.100.80:443"].ms > 0


def test_the_inventory_holds_what_an_operator_would_write(lab: Lab) -> None:
    path, env = inventory.write(lab)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    berlin = written["sites"]["berlin"]
    device = berlin["devices"]["fw-berlin"]
    assert berlin["networks"]["marketing"] == ["10.20.2.0/24", "2001:db8:20:2::/64"]
    assert device["host_keys"] == [lab.sites["berlin"].gateway.host_key]
    assert device["host"] in device["own_addresses"]
    reference = written["defaults"]["device"]["key_file"]
    assert Path(reference.removeprefix("secret://file")).read_text(encoding="utf-8").startswith("-----BEGIN OPENSSH")
    assert written["policies"]["austin-policy"]["roles"]["guest"] == {"mode": "off"}
    assert f"export TOKGATE_INVENTORY={path}\n" in env.read_text(encoding="utf-8")


def test_a_fleet_greets_from_every_gateway() -> None:
    with Workspace.open(f"f{os.getpid() % 100000}") as workspace:
        made = fleet(workspace, 3)
        assert [gateway.name for gateway in made] == ["fw-000", "fw-001", "fw-002"]
        assert len({gateway.host for gateway in made}) == len({gateway.host_key for gateway in made}) == 3
        assert all(gateway.programs() == ("sshd",) for gateway in made)


def test_a_lab_that_cannot_be_finished_is_taken_down(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"x{os.getpid() % 100000}"
    monkeypatch.setattr(world, "DNS", "203.0.113.999")
    with pytest.raises(Exception, match=r"203\.0\.113\.999"):
        Lab.up(prefix)
    assert leftovers(prefix).is_empty


def test_a_held_connection_is_cut_when_its_flow_is(lab: Lab) -> None:
    gateway, client = lab.sites["austin"].gateway, lab.sites["austin"].clients["marketing"]
    ready = lab.workspace.run_dir / "held"
    options = ["--hold", str(ready), "--deadline", "20"]
    lab.workspace.spawn("holder", client.command("tcp:103.136.220.10:443", options=options))
    assert processes.wait_until(ready.exists, seconds=5)
    gateway.nft(
        "table inet ours {\n\tchain forward {\n\t\ttype filter hook forward priority filter - 5;\n"
        "\t\tip daddr 103.136.220.10 meta l4proto tcp reject with tcp reset\n\t}\n}\n"
    )
    assert processes.wait_until(lambda: "outcome" in lab.workspace.log("holder"), seconds=5)
    assert read_results(lab.workspace.log("holder"))[0].outcome == "reset"
    gateway.nft("delete table inet ours\n")
    assert json.loads(lab.workspace.log("holder"))["target"] == "hold:103.136.220.10:443"
