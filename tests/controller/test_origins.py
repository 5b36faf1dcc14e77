"""A refresh that finds other origins says so at once, whatever it means for what is enforced."""

from __future__ import annotations

import json
from pathlib import Path

from structlog.testing import capture_logs

from controller.service import Controller
from controller.settings import Settings
from core.clock import ManualClock
from ipsets.drift import Drift
from ipsets.sources.ripestat import PATH
from tests.controller.offices import NOON, YAML
from tests.ipsets.origins import Asked, Reply, web
from tests.ipsets.test_ripestat import envelope, overview


def refreshed(folder: Path, sources: str) -> list[dict[str, object]]:
    """What the log says of origins during one forced refresh from these sources."""
    inventory = folder / "inventory.yaml"
    inventory.write_text(YAML.replace("{kind: curated}", sources), encoding="utf-8")
    settings = Settings(inventory=inventory, data_dir=folder)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened, capture_logs() as logs:
        opened.refresh_intel(actor="test", force=True)
    return [dict(entry) for entry in logs if entry["event"] == "intel.origins_moved"]


def test_networks_that_moved_are_logged_once_as_a_warning(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "list.txt").write_text("103.136.220.0/23\ntiktok.com\n", encoding="utf-8")
    assert refreshed(tmp_path, f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}") == [], "the first of all"
    [told] = refreshed(tmp_path, "{kind: curated}")
    assert told["log_level"] == "warning"
    assert isinstance(told["new_asn"], int)
    assert told["new_asn"] > 100
    assert told["lost_asn"] == told["moved"] == 0
    assert isinstance(told["networks"], list)
    assert len(told["networks"]) == 10
    assert refreshed(tmp_path, "{kind: curated}") == [], "nothing moved since"


def test_a_network_with_another_holder_is_logged_though_the_list_is_the_same(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    holders = iter(("First Holder", "First Holder", "Second\x1b[2J Holder"))

    def ripestat(asked: Asked, _: int) -> Reply:
        answer = envelope(end=NOON) if asked.path == PATH else overview(holder=next(holders), end=NOON)
        return Reply(body=json.dumps(answer))

    with web(ripestat) as origin:
        source = f"{{kind: ripestat, asns: [138699], base_url: '{origin.url}'}}"
        assert refreshed(tmp_path, source) == refreshed(tmp_path, source) == [], "the first two say the same"
        [told] = refreshed(tmp_path, source)
    assert (told["log_level"], told["renamed"], told["moved"], told["networks"]) == ("warning", 1, 0, [])
    assert told["holders"] == ["AS138699: First Holder is now Second [2J Holder"]


def test_the_difference_is_asked_of_any_two(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "store.db").write_bytes(migrated.read_bytes())
    (tmp_path / "list.txt").write_text("103.136.220.0/23\ntiktok.com\n", encoding="utf-8")
    refreshed(tmp_path, f"{{kind: list, name: mine, file: {tmp_path}/list.txt}}")
    refreshed(tmp_path, "{kind: curated}")
    settings = Settings(inventory=tmp_path / "inventory.yaml", data_dir=tmp_path)
    with Controller.open(settings, clock=ManualClock(NOON)) as opened:
        now = opened.snapshot()
        assert {c.kind for c in opened.origin_drift()} == {Drift.NEW_ASN}
        assert now.parent is not None
        assert {c.kind for c in opened.origin_drift(now.id, now.parent)} == {Drift.LOST_ASN}
        assert opened.origin_drift(now.id, now.id) == ()
