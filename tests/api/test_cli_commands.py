"""The commands on the real controller: a store in a folder, two sites whose firewalls do not answer."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from api.cli.main import main
from controller.extras import SYSTEM
from controller.feeding import content_of
from controller.service import Controller
from controller.settings import load_settings
from controller.store import Store
from core.clock import ManualClock
from core.ids import DeviceName, RunId
from vendors.model import FeedList, GroupName

FW = DeviceName("fw-austin")
ROOT = Path(__file__).resolve().parents[2]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIJ2cVmY1B8dgAZKZtrwLWIb9Z6bI0MCtWBMfOYpHcRd"
INVENTORY = """\
version: 1
intelligence:
  sources: [{{kind: curated}}]
defaults:
  device: {{username: root, password: "secret://env/FW_PASSWORD", connect_timeout_seconds: 2, budget_seconds: 10}}
policies:
  standard:
    services: [tiktok]
    roles: {{company: {{mode: enforce}}, guest: {{mode: monitor}}}}
sites:
  berlin:
    title: Berlin office
    time_zone: Europe/Berlin
    policy: standard
    networks: {{company: [10.20.0.0/24], guest: [10.20.1.0/24]}}
    devices:
      fw-berlin: {{vendor: linux_nftables, host: 127.0.0.1, port: {port}, host_keys: ["{key}"]}}
  austin:
    title: Austin office
    time_zone: America/Chicago
    policy: standard
    networks: {{company: [10.30.0.0/24], guest: [10.30.1.0/24]}}
    devices:
      fw-austin: {{vendor: linux_nftables, host: 127.0.0.2, port: {port}, host_keys: ["{key}"]}}
"""


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Commands set up the log of their process; the next test starts without."""
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = []


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, held so that nobody begins to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def place(tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory and no store yet, and the environment that points there."""
    for name in [name for name in os.environ if name.startswith("TOKGATE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "inventory.yaml").write_text(INVENTORY.format(port=closed_port, key=HOST_KEY))
    monkeypatch.setenv("TOKGATE_INVENTORY", str(tmp_path / "inventory.yaml"))
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FW_PASSWORD", "not the password")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("SUDO_USER", raising=False)
    return tmp_path


class Shell:
    """Runs command lines in this process and keeps what they said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, line: str, *more: str) -> int:
        code = int(main([*line.split(), *more]))
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    def json(self, line: str, *more: str, code: int = 0) -> Any:
        assert self(line, *more, "-o", "json") == code, self.err
        return json.loads(self.out)

    def csv(self, line: str, *more: str) -> list[dict[str, str]]:
        self(line, *more, "-o", "csv")
        return list(csv.DictReader(io.StringIO(self.out)))


@pytest.fixture
def tokgate(place: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


# --- configuration --------------------------------------------------------------------------------------------------


def test_init_gives_a_start_that_passes_the_check_and_overwrites_nothing(
    tokgate: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    assert tokgate("init", str(folder)) == 0
    assert f"export TOKGATE_INVENTORY={folder}/inventory.yaml TOKGATE_DATA_DIR={folder}/data" in tokgate.out
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("TOKGATE_INVENTORY", str(folder / "inventory.yaml"))
    assert tokgate("config check") == 0
    assert "is good: 1 site, 0 devices" in tokgate.out
    (folder / "inventory.yaml").write_text("mine")
    assert tokgate("init", str(folder)) == 0
    assert "is there already" in tokgate.out
    assert (folder / "inventory.yaml").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said(tokgate: Shell) -> None:
    assert tokgate("init /dev/null/x") == 1
    assert "TG8102" in tokgate.err


def test_the_shipped_example_passes_the_check(tokgate: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKGATE_INVENTORY", str(ROOT / "inventory.example.yaml"))
    assert tokgate("config check") == 0, tokgate.err


def test_the_check_warns_of_a_session_too_short_for_the_vendor(tokgate: Shell, place: Path) -> None:
    text = (place / "inventory.yaml").read_text()
    assert tokgate("config check") == 0
    assert "warning" not in tokgate.out
    (place / "inventory.yaml").write_text(text.replace("vendor: linux_nftables", "vendor: paloalto_panos"))
    assert tokgate("config check") == 0, tokgate.err
    assert re.search(r"warning: \S+: budget_seconds is 10, and a change of a paloalto_panos may take 900", tokgate.out)


def test_the_check_warns_of_what_is_asked_for_and_not_installed(
    tokgate: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = """
exports:
  lake: {kind: kafka, brokers: ["kafka.example:9093"], topic: tokgate}
  siem: {kind: syslog, host: siem.example, client_cert: ./us.pem, client_key: "secret://keyring/tokgate/siem"}
reports:
  weekly: {form: pdf, when: "30 6 * * mon", to: [{folder: /srv/reports}]}
"""
    (place / "inventory.yaml").write_text((place / "inventory.yaml").read_text() + wanted)
    assert tokgate("config check") == 0, tokgate.err
    before = tokgate.out
    for module in ("confluent_kafka", "keyring", "weasyprint", "boto3"):
        monkeypatch.setitem(sys.modules, module, None)
    assert tokgate("config check") == 0
    told = [line for line in tokgate.out.splitlines() if line.startswith("warning")]
    assert told == [
        "warning: exports.lake: does not work before pip install 'tokgate[kafka]'",
        "warning: exports.siem.client_key: does not work before pip install 'tokgate[keyring]'",
        f"warning: reports.weekly: does not work before pip install 'tokgate[pdf]'{SYSTEM['pdf']}",
    ], before


def test_every_mistake_of_the_inventory_is_told_with_its_line(tokgate: Shell, place: Path) -> None:
    text = (place / "inventory.yaml").read_text()
    (place / "inventory.yaml").write_text(
        text.replace("Europe/Berlin", "Europe/Berlim").replace("policy: s", "polcy: s")
    )
    assert tokgate("config check") == 6
    assert re.search(r"inventory\.yaml:\d+", tokgate.err)
    assert "Europe/Berlim" in tokgate.err
    assert "polcy" in tokgate.err
    assert tokgate("plan") == 6


def test_a_missing_inventory_and_a_bad_setting_are_bad_configuration(
    tokgate: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "inventory.yaml").unlink()
    assert tokgate("device list") == 6
    monkeypatch.setenv("TOKGATE_WORKERS", "many")
    assert tokgate("config check") == 6
    assert "TOKGATE_WORKERS" in tokgate.err


def test_i09_the_configuration_is_shown_with_references_not_secrets(tokgate: Shell) -> None:
    shown = tokgate.json("config show")
    assert shown["inventory"]["sites"]["berlin"]["devices"]["fw-berlin"]["password"] == "secret://env/FW_PASSWORD"
    assert "not the password" not in tokgate.out
    assert tokgate("config show") == 0
    assert "TOKGATE_DATA_DIR" in tokgate.out
    assert "root@127.0.0.1" in tokgate.out


def test_the_schema_is_json(tokgate: Shell) -> None:
    assert tokgate("config schema") == 0
    assert "sites" in json.loads(tokgate.out)["properties"]
    assert tokgate("config schema --catalogue") == 0
    assert "services" in json.loads(tokgate.out)["properties"]


def test_the_file_of_ones_own_services_is_checked_and_shown_with_the_inventory(tokgate: Shell, place: Path) -> None:
    example = (ROOT / "services.example.yaml").read_text(encoding="utf-8")
    (place / "services.yaml").write_text(example, encoding="utf-8")
    text = (place / "inventory.yaml").read_text(encoding="utf-8")
    (place / "inventory.yaml").write_text(text.replace("intelligence:", "intelligence:\n  catalogue: services.yaml", 1))
    assert tokgate("config check") == 0, tokgate.err
    assert "services.yaml is good: 2 services of your own" in tokgate.out
    assert tokgate("config show") == 0
    assert "RedNote (Xiaohongshu)" in tokgate.out
    assert "rednote-ripestat" in tokgate.out
    (place / "services.yaml").write_text(example.replace("title: DeepSeek", "titel: DeepSeek"), encoding="utf-8")
    assert tokgate("config check") == 6
    assert re.search(r"services\.yaml:\d+: services\.deepseek\.titel: unknown key; did you mean 'title'", tokgate.err)


# --- intelligence ---------------------------------------------------------------------------------------------------


def test_the_scoreboard_is_a_table_json_and_csv(tokgate: Shell) -> None:
    assert tokgate("intel scoreboard") == 0
    assert "no source was asked yet" in tokgate.err
    tokgate("intel refresh")
    assert tokgate("intel scoreboard") == 0
    assert "own origin" in tokgate.out
    assert "hits: of 0 events since" in tokgate.out
    [row] = tokgate.json("intel scoreboard")["sources"]
    assert (row["source"], row["precision_v4"]["share"], row["hits"]) == ("curated", 1.0, {"events": 0, "packets": 0})
    [line] = tokgate.csv("intel scoreboard")
    assert (line["source"], line["state"], line["only it"], line["own origin"]) == (
        "curated",
        "good",
        "100.0 %",
        "100.0 %",
    )


def test_a_source_is_vouched_for_by_name(tokgate: Shell) -> None:
    assert tokgate("intel trust curated --reason why") == 1
    tokgate("intel refresh")
    assert tokgate("intel trust curated --reason why") == 0
    assert "source curated is trusted" in tokgate.out
    assert tokgate.json("intel trust curated --reason why")["watched"] is None
    assert [row["reason"] for row in tokgate.json("audit list") if row["action"] == "source.trust"] == ["why", "why"]
    assert tokgate("intel trust curated") != 0


def test_an_address_and_a_name_are_explained_whether_covered_or_not(tokgate: Shell) -> None:
    assert tokgate("intel explain 1.2.3.4") == 1
    assert "TG2003" in tokgate.err
    tokgate("intel refresh")
    assert tokgate("intel explain 103.136.220.10") == 0
    first, *more = tokgate.out.splitlines()
    assert first == "103.136.220.10 is covered: tiktok has 103.136.220.0/23"
    assert any("TikTok's alone" in line for line in more)
    assert any("curated: seen 2026-11-22T00:00Z" in line for line in more)
    assert more[-1].startswith("  list   snapshot ")
    assert tokgate("intel explain 8.8.8.8") == 0
    assert tokgate.out.startswith("8.8.8.8 is NOT covered\n")
    assert "Google Public DNS" in tokgate.out
    assert tokgate("intel explain tiktokio.com") == 0
    assert "not enforced, lookalike: " in tokgate.out


def test_an_explanation_is_json_too_and_goes_back_in_time(tokgate: Shell) -> None:
    made = tokgate.json("intel refresh")["snapshot"]
    assert tokgate("intel explain 10.0.0.0/8") == 0
    assert tokgate.out.startswith(
        "10.0.0.0/8 is NOT covered\n  - 10.0.0.0 to 10.255.255.255, 16777216 addresses: not enforced, never-block"
    )
    assert tokgate("intel explain 103.136.220.0/22") == 0
    assert tokgate.out.startswith("103.136.220.0/22 is covered IN PART: ")
    assert "\n  + 103.136.220.0" in tokgate.out
    assert tokgate("intel explain 103.136.220.0/23 --at now") == 0
    assert tokgate.out.startswith("103.136.220.0/23 was covered wholly: all 512 addresses\n")
    found = tokgate.json("intel explain www.tiktok.com --at now")
    assert (found["covered"], found["kind"], found["snapshot"]["id"]) == (True, "name", made)
    assert found["entries"] == [{"service": "tiktok", "entry": ".tiktok.com"}]
    assert tokgate("intel explain www.tiktok.com --at now") == 0
    assert tokgate.out.startswith("www.tiktok.com was covered: ")
    assert tokgate("intel explain www.tiktok.com --at 24h") == 1
    assert "the first was put in force" in tokgate.err
    assert tokgate("intel explain www.tiktok.com --at yesterday") == 1
    assert "--at" in tokgate.err
    assert tokgate("intel explain www.tiktok.com --at 2999-01-01") == 1
    assert "future" in tokgate.err


@pytest.mark.parametrize("question", ["https://www.tiktok.com/", "10.0.0.1/8", "a\x1b[2Jb.com", "\udcff.com", ""])
def test_what_cannot_be_explained_is_said_and_never_reaches_the_terminal_raw(tokgate: Shell, question: str) -> None:
    tokgate("intel refresh")
    assert tokgate("intel explain", question) == 1
    assert "TG5007" in tokgate.err
    assert "\x1b" not in tokgate.err
    assert tokgate.out == ""


def test_origins_that_moved_are_told_by_who_says_so(tokgate: Shell, place: Path) -> None:
    assert tokgate("intel drift") == 1
    assert "TG2003" in tokgate.err
    listed = f"{{kind: list, name: mine, file: {place}/list.txt}}"
    text = (place / "inventory.yaml").read_text()
    (place / "list.txt").write_text("103.136.220.0/23\n")
    (place / "inventory.yaml").write_text(text.replace("{kind: curated}", listed))
    tokgate("intel refresh")
    assert tokgate("intel drift") == 1
    assert "is the first" in tokgate.err
    (place / "inventory.yaml").write_text(text)
    assert tokgate("intel refresh --force") == 0, tokgate.err
    rows = tokgate.json("intel drift")
    assert {row["kind"] for row in rows} == {"new-asn"}
    assert {"AS138699", "AS11983"} <= {f"AS{row['asn']}" for row in rows}
    assert rows[0].keys() == {"kind", "network", "asn", "source", "origins", "old_holder", "new_holder"}
    first = tokgate.csv("intel drift")[0]
    assert (first["change"], first["source"]) == ("new-asn", "curated")
    told = tokgate.json("events alerts --kind new-asn")
    assert {"AS138699", "AS11983"} <= {alert["subject"] for alert in told}
    assert tokgate.csv("events alerts --limit 1")[0]["message"] == tokgate.json("events alerts --limit 1")[0]["message"]
    assert tokgate("events alerts --kind moved") == 0
    assert tokgate.err == "no alerts\n"
    made = tokgate.json("intel show")["id"]
    assert tokgate("intel drift", made, made) == 0
    assert "no origin is different" in tokgate.err


def test_a_pin_is_said_wherever_the_snapshot_is_shown(tokgate: Shell) -> None:
    assert tokgate("intel pin abcd --reason why") == 1
    assert "TG2003" in tokgate.err
    made = tokgate.json("intel refresh")
    assert (made["pin"], made["waiting"]) == (None, None)
    assert tokgate("intel unpin --reason why") == 1
    assert "TG5002" in tokgate.err
    assert tokgate("intel rollback --reason why") == 1
    assert "no other snapshot" in tokgate.err
    pinned = tokgate.json("intel pin", made["snapshot"][:8], "--reason", "it broke the payroll")
    assert (pinned["snapshot"], pinned["reason"]) == (made["snapshot"], "it broke the payroll")
    assert tokgate("intel show") == 0
    assert f"PINNED: pinned to snapshot {made['snapshot'][:12]} since " in tokgate.err
    assert tokgate.json("intel show")["pin"] == pinned
    assert tokgate("intel refresh --force") == 0
    assert "it broke the payroll" in tokgate.err
    assert "nothing else waits" in tokgate.err
    assert tokgate.json("intel refresh")["pin"] == pinned
    assert tokgate("intel explain tiktok.com") == 0
    assert "PINNED by " in tokgate.out
    assert any("it broke the payroll" in note for note in tokgate.json("report site berlin")["notes"])
    assert tokgate("intel unpin --reason repaired") == 0
    assert "until the next refresh" in tokgate.out
    assert tokgate.json("intel show")["pin"] is None
    assert "PINNED" not in tokgate.err


def test_a_pin_needs_a_reason(tokgate: Shell) -> None:
    tokgate("intel refresh")
    assert tokgate("intel pin abcd") == 1
    assert "--reason" in tokgate.err


def keys(tokgate: Shell, folder: Path) -> str:
    """A fresh private key in ``hub.key``; the public one."""
    made = tokgate.json("intel keygen", str(folder / "hub.key"))
    return str(made["public_key"])


def test_a_key_is_written_for_us_alone_and_never_over_another(tokgate: Shell, place: Path) -> None:
    public = keys(tokgate, place)
    written = (place / "hub.key").read_text()
    assert (place / "hub.key").stat().st_mode & 0o777 == 0o600
    assert public.startswith("RW")
    assert written.split("\n")[1] not in tokgate.out + tokgate.err
    assert tokgate("intel keygen", str(place / "hub.key")) == 1
    assert "TG8102" in tokgate.err
    assert (place / "hub.key").read_text() == written


def test_a_bundle_travels_to_a_place_without_internet_and_stays_in_force(
    tokgate: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = keys(tokgate, place)
    made = tokgate.json("intel refresh")["snapshot"]
    monkeypatch.setenv("HUB_KEY", (place / "hub.key").read_text())
    bundle = str(place / "b.json")
    sent = tokgate.json("intel export", bundle, made[:8], "--key", "secret://env/HUB_KEY", "--comment", "weekly")
    assert (sent["snapshot"], sent["public_key"]) == (made, public)
    assert tokgate("intel export", bundle, "--key", str(place / "hub.key")) == 0, tokgate.err
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(place / "site"))
    got = tokgate.json("intel import", bundle, "--public-key", public, "--reason", "first")
    assert (got["snapshot"], got["pin"]["reason"], got["comment"]) == (made, "first", "")
    assert tokgate.json("intel show")["id"] == made
    assert tokgate("intel refresh --force") == 0
    assert "PINNED" in tokgate.err
    (place / "hub.pub").write_text(f"untrusted comment: minisign public key\n{public}\n")
    assert tokgate("intel import", bundle, "--public-key", str(place / "hub.pub"), "--reason", "again") == 0
    assert "PINNED: pinned to snapshot " in tokgate.out
    actions = [entry["action"] for entry in tokgate.json("audit list")]
    assert actions.count("snapshot.import") == 2


def test_keys_of_the_settings_are_those_of_a_command_that_names_none(
    tokgate: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = keys(tokgate, place)
    made = tokgate.json("intel refresh")["snapshot"]
    bundle = place / "b.json"
    assert tokgate("intel export", str(bundle)) == 1
    assert "TOKGATE_BUNDLE_KEY" in tokgate.err
    monkeypatch.setenv("TOKGATE_BUNDLE_KEY", f"secret://file{place}/hub.key")
    assert tokgate.json("intel export", str(bundle))["public_key"] == public
    assert tokgate.json("audit list --limit 1")[0]["action"] == "snapshot.export"
    signature = place / "b.json.minisig"
    bundle.write_bytes(bundle.read_bytes() + signature.read_bytes())
    signature.unlink()
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(place / "site"))
    assert tokgate("intel import", str(bundle), "--reason", "x") == 1
    assert "TOKGATE_BUNDLE_TRUST" in tokgate.err
    monkeypatch.setenv("TOKGATE_BUNDLE_TRUST", public)
    assert (
        tokgate.json("intel import", str(bundle), "--reason", "one file, as the API hands it out")["snapshot"] == made
    )


def test_a_rollback_of_another_snapshot_than_one_thinks_is_refused(tokgate: Shell) -> None:
    made = tokgate.json("intel refresh")["snapshot"]
    assert tokgate("intel rollback --reason x --from ffffffff") == 1
    assert "TG5002" in tokgate.err
    assert tokgate("intel rollback --reason x --from", made[:8]) == 1
    assert "TG2003" in tokgate.err, "there is none before"


def test_i09_a_bundle_that_may_not_be_trusted_or_read_changes_nothing(
    tokgate: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = keys(tokgate, place)
    tokgate("intel refresh")
    bundle, signature = place / "b.json", place / "b.json.minisig"
    assert tokgate("intel export", str(bundle), "--key", f"secret://file{place}/hub.key") == 0, tokgate.err
    whole, line = bundle.read_bytes(), (place / "hub.key").read_text().split("\n")[1]
    monkeypatch.setenv("TOKGATE_DATA_DIR", str(place / "site"))

    def refused(code: str, key: str = public) -> int:
        ended = tokgate("intel import", str(bundle), "--public-key", key, "--reason", "x", "--force")
        assert code in tokgate.err
        assert line not in tokgate.err
        return ended

    other = tokgate.json("intel keygen", str(place / "other.key"))["public_key"]
    assert refused("TG2006", other) == 5
    assert refused("TG2008", "RWnothing") == 1
    assert refused("TG2008", str(place / "none.pub")) == 1
    assert refused("TG2008", str(place / "hub.key")) == 1, "the private key is no public one"
    bundle.write_bytes(whole.replace(b"tiktok", b"tiktak", 1))
    assert refused("TG2006") == 5
    bundle.write_bytes(whole[:-10])
    assert refused("TG2006") == 5
    with bundle.open("wb") as sparse:
        sparse.truncate(300 * 1024 * 1024)
    assert refused("TG2005") == 1
    assert "too large" in tokgate.err
    bundle.unlink()
    os.mkfifo(bundle)
    assert refused("TG2005") == 1
    bundle.unlink()
    assert refused("TG2005") == 1
    bundle.write_bytes(whole)
    signature.unlink()
    assert refused("TG2005") == 1
    assert tokgate("intel show") == 1
    assert "TG2003" in tokgate.err, "nothing came in"
    assert tokgate("intel export", str(bundle), "--key", "secret://nowhere/x") == 1
    assert "TG2008" in tokgate.err
    assert tokgate("intel export", str(bundle), "--key", str(place / "none.key")) == 6
    assert "TG1002" in tokgate.err


def test_intelligence_is_resolved_shown_and_stays_when_nothing_is_new(tokgate: Shell) -> None:
    assert tokgate("intel show") == 1
    assert "TG2003" in tokgate.err
    first = tokgate.json("intel refresh")
    assert first["changed"] is True
    assert tokgate("intel refresh") == 0
    assert "as before" in tokgate.out
    shown = tokgate.json("intel show", first["snapshot"][:10])
    assert shown["id"] == first["snapshot"]
    assert shown["services"][0]["networks"]
    rows = tokgate.csv("intel show")
    assert {row["kind"] for row in rows} == {"network", "domain"}
    assert tokgate("intel show --indicators") == 0
    assert "tiktok.com" in tokgate.out
    owners = {row["entry"]: row["owner"] for row in tokgate.csv("intel show --indicators")}
    assert (owners["71.18.8.0/24"], owners[".capcut.com"]) == ("tiktok-usds", "bytedance")
    chosen = tokgate.csv("intel show --indicators --app capcut --owner bytedance --match CAPCUT --source curated")
    assert {row["app"] for row in chosen} == {"capcut"}
    assert tokgate.json("intel show --indicators --source nobody")["indicators"] == []
    assert tokgate("intel show --app capcut") == 1
    assert "choose among --indicators" in tokgate.err
    found = tokgate.json("intel show --indicators")["indicators"]
    assert {i["value"]: i["owner"] for i in found} == owners
    assert [s["name"] for s in tokgate.json("intel sources")] == ["curated"]
    assert [h["current"] for h in tokgate.json("intel history")] == [True]
    assert tokgate("intel diff") == 0
    assert "first one" in tokgate.err


# --- devices that do not answer -------------------------------------------------------------------------------------


@pytest.fixture
def known(tokgate: Shell) -> Shell:
    """With intelligence."""
    assert tokgate("intel refresh") == 0, tokgate.err
    return tokgate


def test_a_plan_of_devices_that_do_not_answer_ends_with_4_and_says_each(known: Shell) -> None:
    assert known("plan") == 4
    assert "fw-berlin (berlin)" in known.out
    assert known.err.count("error TG4001") == 2
    found = known.json("plan --site berlin", code=4)
    assert [(i["device"], i["error"]["code"], i["id"]) for i in found["items"]] == [("fw-berlin", "TG4001", None)]
    assert found["changes"] is False


def test_unknown_names_are_refused_before_anything_is_asked(known: Shell) -> None:
    for line in ("plan --site nowhere", "drift --device fw-none", "device doctor fw-none", "report site nowhere"):
        assert known(line) == 1
        assert "TG5001" in known.err


def test_apply_asks_nobody_behind_a_pipe(known: Shell) -> None:
    assert known("apply") == 1
    assert known.out == ""
    assert "TG8101" in known.err
    assert "--yes" in known.err


def test_apply_of_devices_that_do_not_answer_changes_nothing_and_ends_with_4(known: Shell) -> None:
    assert known("apply --yes") == 4
    assert known.json("apply --yes", code=4) is None
    assert known("apply --yes 01jd0000000000000000000000") == 1
    assert "TG5001" in known.err


def test_force_needs_a_reason_and_plans_exclude_a_choice(known: Shell) -> None:
    assert known("apply --yes --force") == 1
    assert "--reason" in known.err
    assert known("apply --yes x --site berlin") == 1


def test_drift_and_hits_say_which_device_is_unknown(known: Shell) -> None:
    assert known("drift") == 4
    assert "unknown" in known.out
    rows = known.json("drift", code=4)
    assert [row["in_step"] for row in rows] == [None, None]
    assert known("hits collect --device fw-austin") == 4
    assert known.json("hits collect", code=4)[0]["events"] is None


def test_devices_are_listed_with_what_is_known_of_them(known: Shell) -> None:
    assert [row["state"] for row in known.csv("device list")] == ["never looked at"] * 2
    known("hits collect")
    assert {row["state"] for row in known.csv("device list")} == {"failing: TG4001"}
    assert known.json("device list")[0]["status"]["last_seen_at"] is None


def test_the_doctor_and_the_host_keys_of_a_dead_device(known: Shell) -> None:
    assert known("device doctor") == 4
    assert known.err.count("TG4001") == 2
    assert known.json("device doctor fw-berlin", code=4)[0]["ok"] is False
    assert known("device hostkeys fw-berlin") == 4


# --- evidence -------------------------------------------------------------------------------------------------------

KEYS = {
    "site", "from", "to", "snapshot", "mode", "totals", "devices", "top_sources", "top_destinations", "by_hour",
    "exceptions", "coverage",
}  # fmt: skip


def test_events_are_an_empty_list_for_programs_and_a_word_for_people(tokgate: Shell) -> None:
    assert tokgate.json("events list --site berlin --since 24h --action blocked") == []
    assert tokgate.csv("events list") == []
    assert tokgate("events list") == 0
    assert (tokgate.out, tokgate.err) == ("", "no events\n")
    assert tokgate("events list --since yesterday") == 1
    assert "--since" in tokgate.err


def test_i13_a_site_nobody_looked_at_is_unknown_all_the_time(tokgate: Shell) -> None:
    report = tokgate.json("report site berlin --since 24h")
    assert report.keys() >= KEYS
    assert report["coverage"]["unknown_seconds"] == pytest.approx(86400, abs=2)
    assert report["coverage"]["enforced_seconds"] == 0
    for action in ("blocked", "monitored", "allowed"):
        assert report["totals"][action].keys() >= {"hits", "packets", "bytes"}
    assert tokgate("report site berlin") == 0
    assert "unknown 100.0%" in tokgate.out


def test_a_report_is_written_whole_or_not_at_all(tokgate: Shell, place: Path) -> None:
    page = place / "berlin.html"
    assert tokgate("report site berlin -o html --output", str(page)) == 0
    assert page.read_text().rstrip().endswith("</html>")
    assert [p.name for p in place.iterdir() if "new" in p.name] == []
    assert tokgate("report site berlin -o csv") == 0
    assert "," in tokgate.out
    assert tokgate("report site berlin -o html --output /dev/null/x.html") == 1
    assert "TG8102" in tokgate.err
    assert tokgate("report site berlin --output", str(place / "x")) == 1
    assert not (place / "x").exists()


def test_a_report_of_no_time_or_too_much_is_refused(tokgate: Shell) -> None:
    assert tokgate("report site berlin --since 1h --until 2h") == 1
    assert "--since" in tokgate.err
    assert tokgate("report fleet --since 1000d") == 1


def test_the_fleet_in_one_line_each(tokgate: Shell, place: Path) -> None:
    unknown = {r["site"]: float(r["seconds"]) for r in tokgate.csv("report fleet") if r["name"] == "unknown"}
    assert unknown == {"berlin": 86400.0, "austin": 86400.0}
    assert tokgate("report fleet -o html --output", str(place / "fleet.html")) == 0
    assert "Berlin office" in (place / "fleet.html").read_text()
    assert tokgate("report fleet") == 0
    assert "not enforced" in tokgate.out
    assert len(tokgate.json("report fleet")["sites"]) == 2


# --- exceptions -----------------------------------------------------------------------------------------------------

ASK = "--site berlin --source 10.20.0.17 --for 2h"
WHO = ("--reason", "spring campaign", "--owner", "marketing@example.org", "--ticket", "MKT-42")


def test_a_preview_records_nothing(known: Shell) -> None:
    assert known(f"exceptions preview {ASK}") == 0
    assert "10.20.0.17/32 would reach tiktok at berlin" in known.out
    seen = known.json(f"exceptions preview {ASK}")
    assert seen["opens"][0]["mode"] == "enforce"
    assert known.json("exceptions list") == []


def test_who_asks_may_not_approve_and_who_else_approves_changes_the_devices_at_once(known: Shell) -> None:
    made = known.json(f"exceptions request {ASK}", *WHO)
    assert made["state"] == "requested"
    assert known(f"exceptions approve {made['id']}") == 5
    assert "TG6002" in known.err
    with Controller.open(load_settings()) as controller:
        controller.exceptions.approve(made["id"], actor="cli:somebody-else")
    assert known.json("exceptions list --live")[0]["decided_by"] == "cli:somebody-else"
    assert known(f"exceptions revoke {made['id']}", "--reason", "over") == 4
    assert "fw-berlin: failed: TG4001" in known.out
    shown = known.json(f"exceptions show {made['id']}")
    assert (shown["state"], shown["live"], shown["live_on"]) == ("revoked", False, [])
    assert known(f"exceptions revoke {made['id']}", "--reason", "again") == 1
    assert "TG5002" in known.err


def test_the_list_tells_hosts_and_roles_as_they_were_asked_for(known: Shell) -> None:
    made = known.json("exceptions request --site berlin --source role:company --source host:pc7.example --for 2h", *WHO)
    assert known("exceptions list") == 0
    assert {"role:company,", "host:pc7.example"} <= set(known.out.split())
    assert (made["sources"], made["roles"], made["hosts"]) == ([], ["company"], ["pc7.example"])


def test_a_request_can_be_denied(known: Shell) -> None:
    made = known.json(f"exceptions request {ASK}", *WHO)
    assert known(f"exceptions deny {made['id']}", "--reason", "not now") == 0
    assert [row["state"] for row in known.csv("exceptions list --state denied")] == ["denied"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("--site berlin --source 10.20.0.17", "--until, --for", id="without-an-end"),
        pytest.param("--site berlin --source 10.99.0.1 --for 2h", "10.99.0.1", id="a-stranger"),
        pytest.param("--site berlin --source 0.0.0.0/0 --for 2h", "wider", id="everybody"),
        pytest.param("--site berlin --source x;reboot --for 2h", "neither", id="no-address"),
        pytest.param("--site berlin --source 10.20.0.17 --for 2h --service bytedance", "service", id="another-service"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(known: Shell, line: str, why: str) -> None:
    assert known(f"exceptions request {line}", *WHO) == 1
    assert why in known.err
    assert known.json("exceptions list") == []


# --- access, audit, store -------------------------------------------------------------------------------------------


def test_i09_a_token_is_shown_once_and_never_again(tokgate: Shell, place: Path) -> None:
    made = tokgate.json("token create helpdesk --scope read --scope request --days 30")
    text = made["token"]
    assert tokgate("token create second --scope admin") == 0
    assert tokgate.out.startswith("tokgate_")
    assert len(tokgate.out.splitlines()) == 1, "only the token: TOKEN=$(tokgate token create …)"
    assert [t["name"] for t in tokgate.json("token list")] == ["helpdesk", "second"]
    assert text not in tokgate.out
    assert tokgate("audit list") == 0
    assert "token.create" in tokgate.out
    assert all(text.encode() not in path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert tokgate("token revoke helpdesk") == 0
    assert {row["name"]: row["state"] for row in tokgate.csv("token list")}["helpdesk"] == "revoked"
    assert tokgate("token revoke nobody") == 1
    assert tokgate("token create x --scope everything") == 1


def test_i09_a_token_of_a_device_is_shown_once_rotated_beside_and_revoked(tokgate: Shell, place: Path) -> None:
    first = tokgate.json("feed token fw-austin")["token"]
    assert tokgate("feed token fw-austin") == 1
    assert "--rotate" in tokgate.err
    assert tokgate("feed token fw-austin --rotate") == 0
    second = tokgate.out.strip()
    assert re.fullmatch(r"tokfeed_[0-9a-f]{8}_[0-9a-f]{32}", second), "only the token"
    assert [t["prefix"] for t in tokgate.json("feed show fw-austin")["tokens"]] == [
        text.split("_")[1] for text in (first, second)
    ]
    written = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    assert not any(text.encode() in found for found in written for text in (first, second))
    assert tokgate("feed revoke fw-austin") == 1, "nobody can be asked"
    assert tokgate("feed revoke fw-austin --yes") == 0
    assert tokgate("feed revoke fw-austin --yes") == 1
    assert tokgate("feed token nowhere") == 1
    actions = [entry["action"] for entry in tokgate.json("audit list")]
    assert actions == ["feed.token.revoke", "feed.token.rotate", "feed.token.create"]


def test_a_list_is_shown_as_it_is_served_and_who_did_not_come_for_it(tokgate: Shell, place: Path) -> None:
    assert tokgate.json("feed list") == []
    assert tokgate("feed show fw-austin") == 0
    assert "no list is served to it" in tokgate.err
    assert "tokgate feed token fw-austin" in tokgate.out
    content = content_of(FeedList(name=GroupName("dst-x"), kind="ip", lines=("10.0.0.0/8", "10.0.0.1/32")), FW)
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=3))
    with Store.open(place / "data", clock=clock) as store:
        store.publish_feeds(FW, [content], run=RunId("r"), at=clock.now())
        store.settle_feeds(FW)
    assert tokgate("feed show fw-austin dst-x") == 0
    assert tokgate.out == "10.0.0.0/8\n10.0.0.1/32\n"
    (row,) = tokgate.csv("feed list --stale")
    assert (row["device"], row["entries"], row["last pull"]) == ("fw-austin", "2", "never")
    assert row["state"].startswith("STALE: it was never pulled")
    assert tokgate("feed show fw-austin") == 0
    assert "127.0.0.2/32" in tokgate.out
    assert tokgate("feed show fw-austin dst-y") == 1
    assert "dst-x" in tokgate.err


def test_i14_what_a_person_changed_is_in_the_audit_log_under_their_name(tokgate: Shell) -> None:
    tokgate("token create helpdesk --scope read")
    entry = tokgate.json("audit list --limit 1")[0]
    assert entry["action"] == "token.create"
    assert re.fullmatch(r"cli:[A-Za-z0-9_.-]+", entry["actor"])
    assert tokgate("audit verify") == 0
    assert "intact" in tokgate.out


@pytest.mark.root
def test_i14_behind_sudo_it_is_the_person(tokgate: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    tokgate("token create helpdesk --scope read")
    assert tokgate.json("audit list --limit 1")[0]["actor"] == "cli:alice"
    monkeypatch.setenv("SUDO_USER", "alice\x1b[2J")
    tokgate("token create another --scope read")
    assert tokgate.json("audit list --limit 1")[0]["actor"] == "cli:root"


def test_the_store_is_made_checked_and_copied(tokgate: Shell, place: Path) -> None:
    assert tokgate("db check") == 1
    assert "TG5006" in tokgate.err
    assert tokgate("db upgrade") == 0
    assert tokgate.json("db check") == {"intact": True, "damage": []}
    assert tokgate("db backup", str(place / "copy.db")) == 0
    assert (place / "copy.db").stat().st_size > 0
    assert tokgate("db backup", str(place / "copy.db")) == 1


def test_a_damaged_store_is_an_error_not_a_traceback(tokgate: Shell, place: Path) -> None:
    tokgate("db upgrade")
    for path in (place / "data").glob("store.db*"):
        path.write_bytes(b"not a database, and long enough to be looked at as one" * 100)
    assert tokgate("db check") == 1
    assert "TG5005" in tokgate.err


# --- serve ----------------------------------------------------------------------------------------------------------


def served(port: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return httpx.get(url, timeout=2).status_code == 200
        except httpx.TransportError:
            time.sleep(0.05)
    return False


def test_serve_serves_alone_and_ends_politely(known: Shell) -> None:
    """One process a data folder; SIGTERM ends it with 0, and each line of its log is one JSON object."""
    port = free_port()
    with served(port) as server:
        try:
            assert answers(f"http://127.0.0.1:{port}/livez")
            token = known.json("token create watcher --scope read")["token"]
            sites = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/sites", headers={"Authorization": f"Bearer {token}"}, timeout=10
            )
            assert sites.status_code == 200
            with served(free_port()) as second:
                _, said = second.communicate(timeout=60)
            assert second.returncode == 1
            assert "TG5004" in said
        finally:
            server.send_signal(signal.SIGTERM)
            _, log = server.communicate(timeout=30)
    assert server.returncode == 0
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert {"serve.started", "serve.stopped"} <= set(events)


def test_serve_takes_up_an_edited_inventory_and_refuses_a_broken_one(known: Shell, place: Path) -> None:
    """By a word of `apply --config-only` and by SIGHUP; nobody who calls meanwhile is turned away."""
    port, path = free_port(), place / "inventory.yaml"
    good = path.read_text(encoding="utf-8")
    token = known.json("token create watcher --scope read")["token"]

    def titles() -> set[str]:
        headers = {"Authorization": f"Bearer {token}"}
        found = httpx.get(f"http://127.0.0.1:{port}/api/v1/sites", headers=headers, timeout=30)
        return {site["title"] for site in found.json()["items"]}

    def comes(title: str) -> bool:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and title not in titles():
            time.sleep(0.05)
        return title in titles()

    def rename(title: str) -> None:
        path.write_text(good.replace("title: Berlin office", f"title: {title}"), encoding="utf-8")

    with served(port) as server:
        try:
            assert answers(f"http://127.0.0.1:{port}/livez")
            rename("Renamed")
            assert known("config drift") == 2
            assert "edited since" in known.out
            assert known("apply --config-only --yes") == 0
            assert "the schedule brings" in known.err
            assert comes("Renamed")
            assert known("config drift") == 0

            path.write_text("version: 2", encoding="utf-8")
            server.send_signal(signal.SIGHUP)
            assert _told(server, "serve.reload_refused")
            assert "Renamed" in titles()
            rename("Again")
            server.send_signal(signal.SIGHUP)
            assert comes("Again")
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
    assert server.returncode == 0


def _told(server: subprocess.Popen[str], event: str) -> bool:
    assert server.stderr is not None
    return any(json.loads(line)["event"] == event for line in iter(server.stderr.readline, ""))


DECLARED = """\
version: 1
exceptions:
  campaign:
    sites: [{site}]
    sources: [{source}]
    service: tiktok
    starts: 2026-11-01T00:00:00Z
    ends: 2099-01-01T00:00:00Z
    reason: campaign
    owner: marketing
    requested_by: dan
    approved_by: [ann]
"""


def test_exceptions_from_a_file_are_checked_shown_and_carried_out(known: Shell, place: Path) -> None:
    path, declared = place / "inventory.yaml", place / "exceptions.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "exceptions: {file: exceptions.yaml}\n", encoding="utf-8")
    text = DECLARED.format(site="berlin", source="10.20.1.7")
    declared.write_text(text, encoding="utf-8")
    assert known("config check") == 6
    assert f"{declared}:8: exceptions.campaign.ends: an exception for this reason lives" in known.err
    ends = (datetime.now(UTC) + timedelta(days=200)).strftime("%Y-%m-%dT00:00:00Z")
    declared.write_text(text.replace("2099-01-01T00:00:00Z", ends), encoding="utf-8")
    assert known("config check") == 0
    assert f"{declared} is good: 1 exception" in known.out

    assert known("config drift") == 2
    assert "campaign" in known.out
    assert known("apply --config-only") == 1  # nobody can be asked
    [done] = known.json("apply --config-only --yes")
    assert (done["key"], done["kind"]) == ("campaign", "add")
    assert known("config drift") == 0
    [given] = known.json("exceptions list")
    assert (given["declared"], given["state"]) == ("campaign", "approved")
    assert known("exceptions renew", given["id"], "--for", "1d") == 1
    assert "declared in a file, as campaign" in known.err
    assert known("config schema --exceptions") == 0
    assert json.loads(known.out)["title"] == "tokgate exceptions"


def test_serve_refuses_a_port_in_use_and_a_key_without_certificate(known: Shell, place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert known(f"serve --port {taken.getsockname()[1]}") == 6
    assert "cannot listen" in known.err
    assert known("serve --port 0 --tls-key", str(place / "no.key")) == 6


def test_a_local_account_is_made_on_the_machine_and_its_password_never_on_the_command_line(
    tokgate: Shell, place: Path
) -> None:
    (place / "password").write_text("horse battery staple 7\nnot this line\n", encoding="utf-8")
    assert tokgate("person add anna --role admin") == 1
    assert "--local" in tokgate.err
    assert tokgate("person add anna --local --role admin") == 1
    assert "no terminal" in tokgate.err
    assert tokgate("person add anna --local --role admin --password-file nowhere") == 1
    assert "TG8102" in tokgate.err
    assert tokgate("person add anna --local --role admin --password-file", str(place / "password")) == 0
    assert (
        tokgate(
            "person add zoe --local --role viewer --role operator --site berlin --password-file",
            str(place / "password"),
        )
        == 0
    )
    assert tokgate("person disable anna --reason left") == 1
    assert tokgate("person edit zoe --role auditor --all-sites --reason moved") == 0
    rows = {row["name"]: row for row in tokgate.csv("person list")}
    assert (rows["zoe"]["roles"], rows["zoe"]["sites"], rows["zoe"]["state"]) == ("auditor", "all", "active")
    assert tokgate("person disable zoe --reason left") == 0
    assert tokgate("person enable zoe --reason back") == 0
    assert tokgate("person unlock zoe") == 1
    assert tokgate("person password zoe --password-file", str(place / "password")) == 0
    assert tokgate("person sessions") == 0
    assert "nobody is signed in" in tokgate.out + tokgate.err
    assert tokgate("person sign-out zoe") == 0
    actions = [row["action"] for row in tokgate.csv("audit list")]
    assert actions == [
        "person.password",
        "person.enable",
        "person.disable",
        "person.edit",
        "person.create",
        "person.create",
    ]
