"""`tokgate probe` on the wire: a client, a real Linux gateway, and a real TLS and QUIC server behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from api.proof_models import ProbeBody
from controller.errors import Conflict
from controller.proof.model import Path as Way
from controller.proof.model import ProofState
from controller.service import Controller
from controller.settings import Settings
from ipsets.snapshot import content_id
from lab import netns, processes
from lab.netns import End, Namespace
from lab.topology import Client, Lab
from tests.contract.conftest import LOGINS
from tests.contract.rig import NftablesRig, push
from tests.contract.wishes import DEDICATED, wish
from tests.controller.offices import KEY, snapshot
from tests.controller.proving import brought_to_its_state
from tests.ipsets.certificates import make

pytestmark = pytest.mark.root

PROBE: Final = Path(__file__).parents[2] / "api" / "probe.py"
LISTED: Final = ("71.18.0.77", "2605:340::77")
CONTROLS: Final = ("198.51.100.90", "2001:db8:100::90")


def _old_python() -> str | None:
    """One that runs; what a version manager leaves in the path may not."""
    found = shutil.which("python3.8")
    works = found is not None and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return found if works else None


OLD_PYTHON: Final = _old_python()


@dataclass(frozen=True)
class Web:
    """A web server of its own, one hop behind the internet."""

    namespace: Namespace

    def cut(self) -> None:
        self.namespace.ip(["link set up0 down"])

    def mend(self) -> None:
        self.namespace.ip(["link set up0 up", "address add fd00:77::2/64 dev up0 nodad"])
        _routes(self.namespace)


def _routes(namespace: Namespace) -> None:
    namespace.ip(["route replace default via 192.0.2.249", "route replace default via fd00:77::1"])


@pytest.fixture(scope="module")
def web(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Web:
    made = make(tmp_path_factory.mktemp("web")).good
    namespace = lab.workspace.namespace("web")
    netns.veth(
        End(namespace=lab.internet, link="to-web", addresses=("192.0.2.249/30", "fd00:77::1/64")),
        End(namespace=namespace, link="up0", addresses=("192.0.2.250/30", "fd00:77::2/64")),
    )
    addresses = (*LISTED, *CONTROLS)
    namespace.ip(f"address add {each}/{128 if ':' in each else 32} dev lo" for each in addresses)
    _routes(namespace)
    lab.internet.ip(
        f"route add {each}/{128 if ':' in each else 32} via {'fd00:77::2' if ':' in each else '192.0.2.250'}"
        for each in addresses
    )
    script = Path(__file__).parent / "tls_and_quic.py"
    arguments = [sys.executable, "-I", "-S", str(script), str(made.certificate), str(made.key), *addresses]
    lab.workspace.spawn("web", arguments, namespace=namespace)
    assert processes.wait_until(lambda: "listening" in lab.workspace.log("web"), seconds=10), lab.workspace.log("web")
    return Web(namespace)


@pytest.fixture
def rig(lab: Lab) -> NftablesRig:
    made = NftablesRig(lab.sites[LOGINS["root"]])
    made.wipe()
    return made


@pytest.fixture
def controller(rig: NftablesRig, tmp_path: Path) -> Iterator[Controller]:
    """It knows the site and its list; the gateway is set up beside it."""
    networks = rig.clients["company"].network.networks
    device = {
        "vendor": "linux_nftables",
        "host": "127.0.0.1",
        "username": "x",
        "key_file": "secret://file/x",
        "host_keys": [KEY],
    }
    whole = {
        "version": 1,
        "intelligence": {"sources": [{"kind": "curated"}]},
        "policies": {"standard": {"services": ["tiktok"], "roles": {"company": {"mode": "enforce"}}}},
        "proof": {"controls": list(CONTROLS)},
        "sites": {
            "office": {
                "time_zone": "UTC",
                "policy": "standard",
                "networks": {"company": list(networks)},
                "devices": {"fw": device},
            }
        },
    }
    (tmp_path / "inventory.yaml").write_text(json.dumps(whole), encoding="utf-8")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path / "data", workers=1)
    with Controller.open(settings) as opened:
        made = snapshot(*(str(network) for network in sorted(DEDICATED, key=str)), domains=())
        made = replace(made, id=content_id(made.services))
        opened.store.save_snapshot(made)
        opened.store.set_current(made.id)
        brought_to_its_state(opened, "fw")
        yield opened


def probed(client: Client, *, python: str = sys.executable, targets: tuple[str, ...] = LISTED) -> dict[str, Any]:
    controls = [f"--control={each}" for each in CONTROLS]
    command = [python, "-I", "-S", str(PROBE), "--site=office", "--targets=-", "--timeout=1", *controls, "--print"]
    said: dict[str, Any] = json.loads(client.namespace.run(*command, stdin="\n".join(targets)).stdout)
    return said


def verdicts(said: dict[str, Any]) -> dict[str, str]:
    return {result["path"]: result["verdict"] for result in said["results"]}


EVERY_WAY: Final = ("tcp-443", "udp-443", "tcp-443-v6", "udp-443-v6")


@pytest.mark.usefixtures("web")
def test_blocked_with_the_list_on_and_leaking_without_the_rule(rig: NftablesRig, controller: Controller) -> None:
    client = rig.clients["company"]
    push(rig, wish(rig))
    said = probed(client)
    assert verdicts(said) == dict.fromkeys(EVERY_WAY, "blocked"), said
    controller.proofs.take(ProbeBody.model_validate(said).report())
    assert {cell.path.value: cell.state for cell in controller.proofs.matrix("office")} == dict.fromkeys(
        EVERY_WAY, ProofState.BLOCKED
    )
    with pytest.raises(Conflict, match="taken before"):
        controller.proofs.take(ProbeBody.model_validate(said).report())
    rig.gateway.nft("flush chain inet tokgate forward\n")
    leaked = probed(client)
    assert verdicts(leaked) == dict.fromkeys(EVERY_WAY, "passes"), leaked
    controller.proofs.take(ProbeBody.model_validate(leaked).report())
    assert {cell.state for cell in controller.proofs.leaks()} == {ProofState.LEAKING}
    assert {cell.path for cell in controller.proofs.leaks()} == {Way(way) for way in EVERY_WAY}


@pytest.mark.usefixtures("web")
def test_i13_addresses_that_nobody_has_are_no_proof_where_nothing_is_blocked(
    rig: NftablesRig, controller: Controller
) -> None:
    """Most of a listed network answers nobody; the control beside them does."""
    client, nobody = rig.clients["company"], ("71.18.200.9", "2605:340:7::9")
    said = probed(client, targets=nobody)
    controller.proofs.take(ProbeBody.model_validate(said).report())
    assert {cell.state for cell in controller.proofs.matrix("office")} == {ProofState.UNKNOWN}
    assert all(control["reached"] for control in said["controls"]), said


PORTALS: Final = {
    "answers everybody, to their connection alone": ("tcp dport 443 dnat ip to 198.51.100.80", "unknown"),
    "answers everybody, as a web server": (
        "meta l4proto { tcp, udp } th dport 443 dnat ip to 198.51.100.90",
        "unknown",
    ),
    "refuses everybody": ("meta l4proto { tcp, udp } th dport 443 dnat ip to 100.64.1.1:9", "unknown"),
    "swallows everything": ("meta l4proto { tcp, udp } dnat ip to 192.0.2.77", "unknown"),
}


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("name", PORTALS)
def test_i13_behind_a_captive_portal_nothing_is_known(rig: NftablesRig, name: str) -> None:
    rule, verdict = PORTALS[name]
    rig.gateway.nft(f"table ip t_portal {{\nchain c {{ type nat hook prerouting priority -150; {rule}; }}\n}}\n")
    try:
        said = probed(rig.clients["company"], targets=(LISTED[0],))
    finally:
        rig.gateway.nft("delete table ip t_portal\n")
    assert verdicts(said)["tcp-443"] == verdict, said
    if "alone" not in name:
        assert set(verdicts(said).values()) == {verdict}, said
        reached = {control["path"] for control in said["controls"] if control["reached"]}
        assert reached.isdisjoint({"tcp-443", "udp-443"})


def test_i13_with_the_uplink_cut_nothing_is_proven(rig: NftablesRig, controller: Controller, web: Web) -> None:
    push(rig, wish(rig))
    web.cut()
    try:
        said = probed(rig.clients["company"])
    finally:
        web.mend()
    assert verdicts(said) == dict.fromkeys(EVERY_WAY, "unknown"), said
    assert not any(control["reached"] for control in said["controls"])
    controller.proofs.take(ProbeBody.model_validate(said).report())
    assert {cell.state for cell in controller.proofs.matrix("office")} == {ProofState.UNKNOWN}


@pytest.mark.usefixtures("web")
def test_an_excepted_source_passes_and_a_name_is_tried_by_what_it_resolves_to(rig: NftablesRig) -> None:
    push(rig, wish(rig, exempt=("marketing",), deny=("company", "marketing")))
    said = probed(rig.clients["marketing"])
    assert verdicts(said) == dict.fromkeys(EVERY_WAY, "passes"), said
    client = rig.clients["company"]
    found = client.namespace.run(
        sys.executable, "-I", "-S", str(PROBE), "--site=office", "--targets=-", "--timeout=1", "--print",
        f"--resolver={client.resolver}", *(f"--control={each}" for each in CONTROLS), stdin="www.tiktok.com\n",
    )  # fmt: skip
    by_path = verdicts(json.loads(found.stdout))
    assert by_path["dns"] == "passes", "it resolves; what it resolves to is blocked"
    assert {by_path[way] for way in EVERY_WAY} == {"blocked"}


@pytest.mark.usefixtures("web")
@pytest.mark.skipif(OLD_PYTHON is None, reason="no Python 3.8 is installed")
def test_the_oldest_python_says_the_same(rig: NftablesRig) -> None:
    assert OLD_PYTHON is not None
    push(rig, wish(rig))
    assert verdicts(probed(rig.clients["company"], python=OLD_PYTHON)) == dict.fromkeys(EVERY_WAY, "blocked")
